//! Files of spectra: one wavelength or energy a line, with its weight in each of the spectra of the file.
//!
//! ```text
//! # energy_eV shot_1 shot_2
//! 9490  0.2  0
//! 9500  1.0  0.7
//! 9510  0.3  1.1
//! ```
//!
//! The first line that is not blank is `# wavelength_A` (Angstrom) or `# energy_eV` (eV), then a name for each
//! spectrum: one named `weight` in most files, one a shot in those of many shots. Every other line has a number for
//! each column, separated by blanks or commas; lines that begin with `#` are comments. Wavelengths or energies grow
//! from line to line, or fall from line to line.
//!
//! Weights are those of the lines, not densities: a spectrum on an axis of uneven steps has its weights multiplied by
//! them. They are relative, and none is negative.
//!
//! lambda in Angstrom = 12398.419843/E for E in eV. Values that no X-rays have, below 0.01 or above 100 Angstrom, are
//! refused: they are in another unit.

use std::io::Read;
use std::path::Path;

use widebragg_coordinates::anomalous::EV_ANGSTROM;

use crate::failure::Failure;
use crate::kind::explained;
use crate::memory::push;
use crate::text::{at_line, finite, in_file, open, read_text, shown};

/// Longest file that is read: tens of millions of numbers.
const LIMIT_BYTES: u64 = 1 << 28;

/// The shortest and the longest wavelength of X-rays, in Angstrom.
pub const XRAYS_ANGSTROM: [f64; 2] = [0.01, 100.0];

/// What the first line may begin with.
const HEADINGS: &str = "\"# wavelength_A weight\" or \"# energy_eV weight\"";

/// A wavelength of a spectrum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpectralLine {
    /// Wavelength.
    pub lambda_m: f64,
    /// Its weight, not negative.
    pub weight: f64,
}

/// The spectra of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct SpectrumTable {
    /// Wavelengths, rising or falling.
    lambda_m: Vec<f64>,
    /// Names of the spectra.
    names: Vec<String>,
    /// The weights of a wavelength in all spectra, one wavelength after the other.
    weights: Vec<f64>,
}

/// What the first column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Axis {
    Wavelength,
    Energy,
}

impl Axis {
    fn lambda_m(self, value: f64) -> Result<f64, String> {
        let (angstrom, unit, name) = match self {
            Self::Wavelength => (value, "Angstrom", "wavelength"),
            Self::Energy => (EV_ANGSTROM / value, "eV", "energy"),
        };
        if !(XRAYS_ANGSTROM[0]..=XRAYS_ANGSTROM[1]).contains(&angstrom) {
            return Err(format!("{value} {unit} is no {name} of X-rays: the column is in {unit}"));
        }
        Ok(angstrom * 1e-10)
    }
}

impl SpectrumTable {
    /// Number of spectra.
    #[must_use]
    pub fn spectra(&self) -> usize {
        self.names.len()
    }

    /// The name of a spectrum, counted from 0; `None` where there are fewer.
    #[must_use]
    pub fn name(&self, spectrum: usize) -> Option<&str> {
        self.names.get(spectrum).map(String::as_str)
    }

    /// The lines of a spectrum, counted from 0, in the order of the file; `None` where there are fewer spectra. At
    /// least one has a weight above 0.
    pub fn lines(&self, spectrum: usize) -> Option<impl ExactSizeIterator<Item = SpectralLine> + '_> {
        let spectra = self.spectra();
        (spectrum < spectra).then(|| {
            let weights = self.weights.chunks_exact(spectra);
            self.lambda_m
                .iter()
                .zip(weights)
                .map(move |(&lambda_m, weights)| SpectralLine { lambda_m, weight: weights[spectrum] })
        })
    }
}

/// Reads the spectra of a file.
///
/// # Errors
/// The file cannot be read or holds no spectra; a line has other columns than the first, a number that is not finite, a
/// value that no X-rays have, one out of order, or a negative weight; or a spectrum has no weight.
pub fn read_spectra(path: &Path) -> Result<SpectrumTable, Failure> {
    parse_spectra(open(path)?, path)
}

/// [`read_spectra`] from a stream; `path` is its name in error messages.
///
/// ```
/// use std::path::Path;
/// use widebragg_formats::spectrum::parse_spectra;
///
/// let text = "# energy_eV weight\n12390 0.5\n12398.419843 1\n";
/// let table = parse_spectra(text.as_bytes(), Path::new("a.txt"))?;
/// let lines: Vec<_> = table.lines(0).expect("a spectrum").collect();
/// assert_eq!((table.spectra(), table.name(0), lines.len()), (1, Some("weight"), 2));
/// assert!((lines[1].lambda_m - 1e-10).abs() < 1e-19 && lines[1].weight == 1.0);
/// # Ok::<(), widebragg_formats::failure::Failure>(())
/// ```
///
/// # Errors
/// As [`read_spectra`].
pub fn parse_spectra(input: impl Read, path: &Path) -> Result<SpectrumTable, Failure> {
    let text = read_text(input, path, LIMIT_BYTES)?;
    parse(&text, path).map_err(explained(path, "a text with lines of wavelength or energy and weights"))
}

fn parse(text: &str, path: &Path) -> Result<SpectrumTable, Failure> {
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let Some((first, heading)) = lines.next() else {
        return Err(in_file(path, format!("no spectrum in it; its first line must be {HEADINGS}")));
    };
    let (axis, names) = columns(heading).map_err(|what| at_line(path, first, what))?;
    let mut table = SpectrumTable { lambda_m: Vec::new(), names, weights: Vec::new() };
    for (number, line) in lines.filter(|(_, line)| !line.trim_start().starts_with('#')) {
        table.add(axis, line).map_err(|what| at_line(path, number, what))?;
    }
    if table.lambda_m.is_empty() {
        return Err(in_file(path, "no lines below its heading"));
    }
    for (at, name) in table.names.iter().enumerate() {
        let sum: f64 = table.lines(at).into_iter().flatten().map(|line| line.weight).sum();
        if sum == 0.0 {
            return Err(at_line(path, first, format!("all weights of {} are 0", shown(name.as_bytes()))));
        }
        if !sum.is_finite() {
            let what = format!("the weights of {} are too large to be added", shown(name.as_bytes()));
            return Err(at_line(path, first, what));
        }
    }
    Ok(table)
}

/// The words of a line.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty())
}

/// What the heading says of the columns.
fn columns(heading: &str) -> Result<(Axis, Vec<String>), String> {
    let unknown = || format!("the first line must be {HEADINGS}, not {}", shown(heading.trim().as_bytes()));
    let mut found = words(heading.trim_start().strip_prefix('#').ok_or_else(unknown)?);
    let axis = match found.next() {
        Some("wavelength_A") => Axis::Wavelength,
        Some("energy_eV") => Axis::Energy,
        _ => return Err(unknown()),
    };
    let mut names = Vec::new();
    for name in found {
        if name.contains(char::is_control) {
            return Err(format!("{} is no name of a column", shown(name.as_bytes())));
        }
        push(&mut names, name.to_owned()).ok_or("no memory for its columns")?;
    }
    if names.is_empty() { Err(unknown()) } else { Ok((axis, names)) }
}

impl SpectrumTable {
    /// Adds a line of the file.
    fn add(&mut self, axis: Axis, line: &str) -> Result<(), String> {
        let mut found = words(line);
        let lambda_m = axis.lambda_m(finite(found.next().unwrap_or_default())?)?;
        let no_memory = "no memory for more lines";
        let mut count = 0;
        for word in found {
            let weight = finite(word)?;
            if weight < 0.0 {
                return Err(format!("a negative weight, {weight}"));
            }
            count += 1;
            if count <= self.names.len() {
                push(&mut self.weights, weight).ok_or(no_memory)?;
            }
        }
        if count != self.names.len() {
            return Err(format!("columns: {}, not {} as in the heading", count + 1, self.names.len() + 1));
        }
        if let [.., before, last] = self.lambda_m[..]
            && (before < last) != (last < lambda_m)
        {
            return Err("out of order: the first column must rise, or fall, from line to line".to_owned());
        }
        if self.lambda_m.last() == Some(&lambda_m) {
            return Err("the same wavelength as the line before".to_owned());
        }
        push(&mut self.lambda_m, lambda_m).ok_or(no_memory)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<SpectrumTable, String> {
        parse_spectra(text.as_bytes(), Path::new("a.txt")).map_err(|failure| failure.to_string())
    }

    fn lines(table: &SpectrumTable, at: usize) -> Vec<[f64; 2]> {
        table.lines(at).unwrap().map(|line| [line.lambda_m, line.weight]).collect()
    }

    #[test]
    fn wavelengths_and_energies() {
        let of_wavelength =
            read("\n# wavelength_A weight\n1.0 2\n\n# a comment\n 1.5,\t0\r\n2 1e-3").unwrap();
        assert_eq!(lines(&of_wavelength, 0), [[1e-10, 2.0], [1.5e-10, 0.0], [2e-10, 1e-3]]);
        let of_energy = read("#energy_eV weight\n12398.419843 1\n6199.2099215 2\n").unwrap();
        let found = lines(&of_energy, 0);
        assert!((found[0][0] - 1e-10).abs() < 1e-20 && (found[1][0] - 2e-10).abs() < 1e-20, "{found:?}");
    }

    #[test]
    fn a_column_is_a_spectrum() {
        let table = read("# wavelength_A one two three\n1 1 0 3\n2 4 5 0\n").unwrap();
        assert_eq!((table.spectra(), table.name(2), table.name(3)), (3, Some("three"), None));
        assert_eq!(lines(&table, 1), [[1e-10, 0.0], [2e-10, 5.0]]);
        assert_eq!(lines(&table, 2), [[1e-10, 3.0], [2e-10, 0.0]]);
        assert!(table.lines(3).is_none());
        assert_eq!(table.lines(0).unwrap().len(), 2);
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let heading = "the first line must be \"# wavelength_A weight\" or \"# energy_eV weight\"";
        for (text, expected) in [
            ("", format!(": no spectrum in it; its {}", heading.split_once(' ').unwrap().1)),
            (" \n\t\n", format!(": no spectrum in it; its {}", heading.split_once(' ').unwrap().1)),
            ("1 2\n", format!(":1: {heading}, not \"1 2\"")),
            ("# wavelength_m weight\n", format!(":1: {heading}, not \"# wavelength_m weight\"")),
            ("# energy_keV weight\n", format!(":1: {heading}, not \"# energy_keV weight\"")),
            ("# energy_eV a\u{7}\n", ":1: \"a\\u{7}\" is no name of a column".to_owned()),
            ("\n# energy_eV\n1 2", format!(":2: {heading}, not \"# energy_eV\"")),
            ("# energy_eV weight\n# no more\n", ": no lines below its heading".to_owned()),
            ("# energy_eV weight\n9000 1\n9001 -0.5", ":3: a negative weight, -0.5".to_owned()),
            ("# energy_eV weight\n9000 nan\n", ":2: \"nan\" is not a finite number".to_owned()),
            ("# energy_eV weight\ninf 1\n", ":2: \"inf\" is not a finite number".to_owned()),
            ("# energy_eV weight\n9000 x\n", ":2: \"x\" is not a number".to_owned()),
            ("# energy_eV weight\n9000\n", ":2: columns: 1, not 2 as in the heading".to_owned()),
            ("# energy_eV weight\n9000 1 2 3\n", ":2: columns: 4, not 2 as in the heading".to_owned()),
            ("# energy_eV weight\n9000 0\n9001 0\n", ":1: all weights of \"weight\" are 0".to_owned()),
            ("# energy_eV a b\n9000 1 0\n9001 0 0\n", ":1: all weights of \"b\" are 0".to_owned()),
            (
                "# energy_eV a\n9000 1e308\n9001 1e308\n",
                ":1: the weights of \"a\" are too large to be added".to_owned(),
            ),
            (
                "# wavelength_A weight\n1e-10 1\n",
                ":2: 0.0000000001 Angstrom is no wavelength of X-rays: the column is in Angstrom".to_owned(),
            ),
            (
                "# wavelength_A weight\n9000 1\n",
                ":2: 9000 Angstrom is no wavelength of X-rays: the column is in Angstrom".to_owned(),
            ),
            (
                "# energy_eV weight\n9.5 1\n",
                ":2: 9.5 eV is no energy of X-rays: the column is in eV".to_owned(),
            ),
            ("# energy_eV weight\n0 1\n", ":2: 0 eV is no energy of X-rays: the column is in eV".to_owned()),
            (
                "# energy_eV weight\n9000 1\n9002 1\n9001 1",
                ":4: out of order: the first column must rise, or fall, from line to line".to_owned(),
            ),
            (
                "# wavelength_A weight\n3 1\n2 1\n2.5 1",
                ":4: out of order: the first column must rise, or fall, from line to line".to_owned(),
            ),
            ("# wavelength_A weight\n3 1\n3 1\n", ":3: the same wavelength as the line before".to_owned()),
        ] {
            assert_eq!(read(text).unwrap_err(), format!("a.txt{expected}"), "{text:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        let packed = folder.path().join("a.gz");
        std::fs::write(&packed, b"\x1f\x8b\x08\0").unwrap();
        let refusal = read_spectra(&packed).unwrap_err().to_string();
        assert!(refusal.contains("a.gz") && refusal.contains("gzip"), "{refusal}");
        assert!(read_spectra(Path::new("/nowhere/a.txt")).unwrap_err().to_string().contains("cannot read"));
    }

    proptest! {
        #[test]
        fn any_bytes_give_spectra_or_one_line(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            numbers in "[-0-9e., \n#]{0,80}",
            heading in prop::sample::select(vec!["", "# energy_eV a\n", "# wavelength_A a b\n"]),
        ) {
            for bytes in [&bytes[..], format!("{heading}{numbers}").as_bytes()] {
                match parse_spectra(bytes, Path::new("a.txt")) {
                    Ok(table) => {
                        prop_assert!(table.spectra() > 0);
                        for at in 0..table.spectra() {
                            let lines: Vec<_> = table.lines(at).unwrap().collect();
                            prop_assert!(lines.iter().all(|line| line.lambda_m > 0.0 && line.weight >= 0.0));
                            prop_assert!(lines.iter().any(|line| line.weight > 0.0));
                        }
                    }
                    Err(failure) => {
                        let line = failure.to_string();
                        prop_assert!(line.starts_with("a.txt:") && !line.contains(char::is_control), "{}", line);
                    }
                }
            }
        }
    }
}
