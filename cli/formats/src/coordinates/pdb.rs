//! PDB files: records of fixed columns.
//!
//! Read are CRYST1, ATOM, HETATM, ANISOU (which replaces the B of the atom before it), SCALEn (only whether it
//! contradicts CRYST1), MODEL and ENDMDL (atoms of the first model count). A blank occupancy is 1. The element is in
//! columns 77-78; where these are blank it is told by the name, whose columns 13-14 hold the element,
//! right-justified.
//!
//! Source: "Protein Data Bank Contents Guide: Atomic Coordinate Entry Format Description", version 3.3 (2012).

use core::ops::RangeInclusive;
use std::io::{BufRead, Read};
use std::path::Path;

use widebragg_coordinates::elements::Element;
use widebragg_coordinates::model::{Displacement, Model};
use widebragg_reflections::cell::Cell;

use super::{Draft, Place, Site, Smearing};
use crate::failure::Failure;
use crate::memory::push;
use crate::text::{at_line, cannot_read, finite, shown};

/// Longest line; records have 80 columns.
const LONGEST_LINE_BYTES: u64 = 1 << 16;

/// The columns by which ANISOU names its atom: serial number, name, conformation, residue, chain, number.
const IDENTITY: RangeInclusive<usize> = 7..=27;

pub(super) fn parse(input: &mut dyn BufRead, path: &Path) -> Result<Model, Failure> {
    let mut reader = Reader::default();
    let mut bytes = Vec::new();
    let mut number = 0;
    loop {
        bytes.clear();
        number += 1;
        let mut limited = (&mut *input).take(LONGEST_LINE_BYTES);
        let read = limited.read_until(b'\n', &mut bytes).map_err(|error| cannot_read(path, &error))?;
        if read == 0 {
            break;
        }
        if read as u64 == LONGEST_LINE_BYTES {
            return Err(at_line(path, number, "a line this long is not of a PDB file"));
        }
        let record = Record(bytes.trim_ascii_end());
        reader.read(&record).map_err(|what| at_line(path, number, what))?;
    }
    if reader.other_models > 0 {
        let what = format!("atoms of further models are left out: {}", reader.other_models);
        reader.draft.warnings.push(what);
    }
    if reader.operators_not_applied {
        let what =
            "MTRIX records state copies of the atoms by non-crystallographic symmetry; they are not added";
        reader.draft.warnings.push(what.to_owned());
    }
    let [Some(a), Some(b), Some(c)] = reader.scale else { return reader.draft.finish(path) };
    reader.draft.to_fractions = Some([a, b, c]);
    reader.draft.finish(path)
}

/// A line.
struct Record<'a>(&'a [u8]);

impl Record<'_> {
    /// The text of columns, which count from 1, without blanks around it.
    fn text(&self, columns: RangeInclusive<usize>) -> &[u8] {
        let end = (*columns.end()).min(self.0.len());
        self.0.get(columns.start() - 1..end).unwrap_or_default().trim_ascii()
    }

    fn number(&self, columns: RangeInclusive<usize>, what: &str) -> Result<f64, String> {
        let text = self.text(columns.clone());
        if text.is_empty() {
            return Err(format!("{what} is missing (columns {}-{})", columns.start(), columns.end()));
        }
        let text = core::str::from_utf8(text).map_err(|_| format!("{} is not a number", shown(text)))?;
        finite(text).map_err(|error| format!("{what}: {error}"))
    }

    fn numbers<const N: usize>(&self, first: usize, width: usize, what: &str) -> Result<[f64; N], String> {
        let mut numbers = [0.0; N];
        for (i, number) in numbers.iter_mut().enumerate() {
            let start = first + i * width;
            *number = self.number(start..=start + width - 1, what)?;
        }
        Ok(numbers)
    }

    fn element(&self) -> Result<Element, String> {
        let columns = self.text(77..=78);
        // Files from before 1996 have their identifier and the number of the line in columns 73-80.
        let is_symbol = !columns.is_empty() && columns.iter().all(u8::is_ascii_alphabetic);
        let symbol = if is_symbol { columns } else { self.element_of_name() };
        let known = core::str::from_utf8(symbol).ok().and_then(Element::from_symbol);
        known.ok_or_else(|| {
            let name = self.text(13..=16);
            format!("the element {} of the atom {} is not known", shown(symbol), shown(name))
        })
    }

    /// The element that the name of the atom begins with.
    fn element_of_name(&self) -> &[u8] {
        let name = self.0.get(12..self.0.len().min(16)).unwrap_or_default();
        let letters = name.get(..2).unwrap_or_default();
        let is_element =
            |symbol: &[u8]| core::str::from_utf8(symbol).ok().and_then(Element::from_symbol).is_some();
        // Four characters fill the columns of a hydrogen such as HG21, which is no mercury.
        let is_long_hydrogen = letters.first() == Some(&b'H') && name.trim_ascii().len() == 4;
        if letters.iter().all(u8::is_ascii_alphabetic) && is_element(letters) && !is_long_hydrogen {
            return letters;
        }
        let first = name.iter().position(u8::is_ascii_alphabetic).unwrap_or(0);
        name.get(first..=first).unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct Reader {
    draft: Draft,
    scale: [Option<[f64; 3]>; 3],
    /// Whether the first model has ended.
    after_model: bool,
    other_models: usize,
    operators_not_applied: bool,
    /// [`IDENTITY`] of the last atom.
    last: Vec<u8>,
}

impl Reader {
    fn read(&mut self, record: &Record<'_>) -> Result<(), String> {
        match record.text(1..=6) {
            b"CRYST1" => self.read_cell(record),
            b"ATOM" | b"HETATM" if self.after_model => {
                self.other_models += 1;
                Ok(())
            }
            b"ATOM" | b"HETATM" => self.read_atom(record),
            b"ANISOU" if !self.after_model => self.read_anisotropy(record),
            b"ENDMDL" => {
                self.after_model = true;
                Ok(())
            }
            b"MTRIX1" => {
                self.operators_not_applied |= record.text(60..=60) != b"1";
                Ok(())
            }
            name @ (b"SCALE1" | b"SCALE2" | b"SCALE3") => {
                let row = usize::from(name[5] - b'1');
                self.scale[row] = Some(record.numbers(11, 10, "SCALE")?);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn read_cell(&mut self, record: &Record<'_>) -> Result<(), String> {
        let lengths_angstrom = record.numbers(7, 9, "a length of the cell")?;
        let angles_deg = record.numbers(34, 7, "an angle of the cell")?;
        self.draft.cell = Some(Cell { lengths_angstrom, angles_deg });
        let name = String::from_utf8_lossy(record.text(56..=66));
        self.draft.symmetry.name = (!name.is_empty()).then(|| name.into_owned());
        Ok(())
    }

    fn read_atom(&mut self, record: &Record<'_>) -> Result<(), String> {
        let element = record.element()?;
        let place = Place::Orthogonal(record.numbers(31, 8, "a coordinate")?);
        let occupancy =
            if record.text(55..=60).is_empty() { 1.0 } else { record.number(55..=60, "the occupancy")? };
        let b = record.number(61..=66, "B")?;
        let smearing = Smearing::Known(Displacement::Isotropic(b));
        push(&mut self.draft.sites, Site { element, place, occupancy, smearing })
            .ok_or("no memory for more atoms")?;
        self.last.clear();
        self.last.extend_from_slice(record.text(IDENTITY));
        Ok(())
    }

    fn read_anisotropy(&mut self, record: &Record<'_>) -> Result<(), String> {
        let u = record.numbers::<6>(29, 7, "a U of ANISOU")?.map(|u| 1e-4 * u);
        match self.draft.sites.last_mut() {
            Some(site) if self.last == record.text(IDENTITY) => {
                site.smearing = Smearing::Known(Displacement::Anisotropic(u));
                Ok(())
            }
            _ => Err("ANISOU does not follow its atom".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coordinates::parse_model;

    const CELL: &str = "CRYST1   38.400   38.400   45.100  90.00  90.00 120.00 P 32 2 1\n";

    fn read(lines: &str) -> Result<Model, String> {
        let text = format!("{CELL}{lines}");
        parse_model(text.as_bytes(), Path::new("a.pdb")).map_err(|failure| failure.to_string())
    }

    /// An atom with a name of four columns and an element.
    fn atom(name: &str, element: &str) -> String {
        format!("ATOM      1 {name} UNK A   1       9.600  13.638  13.012  0.72 36.84          {element}\n")
    }

    #[test]
    fn the_number_of_the_line_in_old_files_is_no_element() {
        let old = atom(" CA ", "").trim_end().to_owned();
        let model = read(&format!("{old:<72}1CRN  70\n")).unwrap();
        assert_eq!(model.atoms[0].element, Element::from_symbol("C").unwrap());
    }

    #[test]
    fn elements_come_from_their_columns_or_from_the_name() {
        for (name, element, expected) in [
            (" CA ", " C", "C"),
            ("CA  ", "CA", "Ca"),
            (" CA ", "", "C"),
            ("CA  ", "", "Ca"),
            ("FE  ", "", "Fe"),
            ("HG21", "", "H"),
            ("HG  ", "", "Hg"),
            ("1HB ", "", "H"),
            (" OXT", "", "O"),
            ("NE2 ", "N", "N"),
            (" D  ", " D", "H"),
        ] {
            let model = read(&atom(name, element)).unwrap();
            assert_eq!(model.atoms[0].element.symbol(), expected, "{name} {element}");
        }
        let error = read(&atom(" X  ", " X")).unwrap_err();
        assert_eq!(error, "a.pdb:2: the element \"X\" of the atom \"X\" is not known");
        assert!(read(&atom(" 12 ", "")).unwrap_err().starts_with("a.pdb:2: the element"));
    }

    #[test]
    fn the_first_model_counts_with_all_conformations() {
        let one = atom(" C  ", " C");
        let model =
            read(&format!("MODEL        1\n{one}{one}ENDMDL\nMODEL        2\n{one}ENDMDL\n")).unwrap();
        assert_eq!(model.atoms.len(), 2);
        assert_eq!(model.warnings, ["atoms of further models are left out: 1"]);
        assert!(!model.full_sites);
        let atom = model.atoms[0];
        assert_eq!((atom.occupancy, atom.displacement), (0.72, Displacement::Isotropic(36.84)));
        // b is along y turned by 30 degrees, so x = a (f_a - f_b/2).
        let [x, y, z] = atom.fractional;
        assert!((x - 0.5 * y - 0.25).abs() < 1e-12 && (z - 13.012 / 45.1).abs() < 1e-12, "{x} {y} {z}");
    }

    #[test]
    fn anisotropy_replaces_b_of_its_atom_only() {
        let one = atom(" C  ", " C");
        let anisou = "ANISOU    1  C   UNK A   1     3672   7657   2669    382   -177     86       C\n";
        let model = read(&format!("{one}{anisou}")).unwrap();
        let Displacement::Anisotropic(u) = model.atoms[0].displacement else { panic!("isotropic") };
        let expected = [0.3672, 0.7657, 0.2669, 0.0382, -0.0177, 0.0086];
        assert!(u.iter().zip(expected).all(|(u, expected)| (u - expected).abs() < 1e-15), "{u:?}");
        let other = anisou.replace("ANISOU    1", "ANISOU    2");
        assert_eq!(read(&format!("{one}{other}")).unwrap_err(), "a.pdb:3: ANISOU does not follow its atom");
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_line() {
        let one = atom(" C  ", " C");
        for (from, to, error) in [
            ("  9.600", "    nan", "a coordinate: \"nan\" is not a finite number"),
            ("  9.600", "       ", "a coordinate is missing (columns 31-38)"),
            ("  9.600", "  1e999", "a coordinate: \"1e999\" is not a finite number"),
            (" 36.84", "      ", "B is missing (columns 61-66)"),
            ("  0.72", "  0,72", "the occupancy: \"0,72\" is not a number"),
        ] {
            assert_eq!(read(&one.replace(from, to)).unwrap_err(), format!("a.pdb:2: {error}"));
        }
        assert_eq!(read(&one.replace("  0.72", "      ")).unwrap().atoms[0].occupancy, 1.0);
        assert_eq!(read("").unwrap_err(), "a.pdb: no atoms in it");
        let without_cell = |cell: &str| {
            let text = format!("{cell}{one}");
            parse_model(text.as_bytes(), Path::new("a.pdb")).unwrap_err().to_string()
        };
        assert!(without_cell("").contains("no unit cell"));
        let dummy = "CRYST1    1.000    1.000    1.000  90.00  90.00  90.00 P 1           1\n";
        assert!(without_cell(dummy).contains("the dummy of 1 x 1 x 1 Angstrom"));
        assert!(without_cell(&CELL.replace("120.00", "  0.00")).contains("is no unit cell"));
        assert!(without_cell(&CELL.replace("120.00", "      ")).contains("an angle of the cell is missing"));
    }

    #[test]
    fn a_frame_of_its_own_is_refused() {
        let one = atom(" C  ", " C");
        let scale = "\
SCALE1      0.026042  0.015035  0.000000        0.00000
SCALE2      0.000000  0.030070  0.000000        0.00000
SCALE3      0.000000  0.000000  0.022173        0.00000
";
        assert!(read(&format!("{scale}{one}")).is_ok());
        let other = scale.replace("0.015035", "0.000000");
        assert!(read(&format!("{other}{one}")).unwrap_err().contains("contradicts its unit cell"));
    }
}
