//! Reflections of SHELX: HKLF 4 (intensities) and HKLF 3 (amplitudes).
//!
//! Fixed columns 3I4,2F8,I4: h k l, Fo^2 (or Fo), sigma, batch number. Columns may touch, blank fields are 0, control
//! characters count as blanks. The list ends at the first row whose indices are all 0, or with the file; any text may
//! follow. A number without a decimal point is taken as it is, although Fortran's F8.2 would take hundredths. The
//! reflections are unmerged, and of symmetry nothing is known.
//!
//! Nothing in the text tells the format from other lists of numbers: a user must name it.
//!
//! Source: G. M. Sheldrick, SHELXL manual, instruction HKLF.

use std::io::BufRead;
use std::path::Path;

use widebragg_reflections::observations::{Hkl, Mates, Observations, Quantity};
use widebragg_reflections::symmetry::StatedSymmetry;

use crate::failure::Failure;
use crate::reflections::fixed::{field, not_in_columns};
use crate::reflections::rows::{Lines, Rows, check_choice, index, value};
use crate::reflections::{Choice, Column, ReflectionFile};

const COLUMNS: &str = "3I4,2F8";

/// Which of SHELX's formats a file is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hklf {
    /// HKLF 3: amplitudes Fo.
    Amplitudes,
    /// HKLF 4: intensities Fo^2.
    Intensities,
}

impl Hklf {
    /// The format, the labels of value and sigma, and their kind.
    fn words(self) -> (&'static str, [&'static str; 2], &'static str) {
        match self {
            Self::Amplitudes => ("SHELX HKLF 3", ["Fo", "sigma(Fo)"], "amplitude"),
            Self::Intensities => ("SHELX HKLF 4", ["Fo^2", "sigma(Fo^2)"], "intensity"),
        }
    }
}

/// Reads the reflections as `hklf`; `path` is the stream's name in error messages.
///
/// # Errors
/// The stream cannot be read or has no reflection; a line is not in the columns of the format; the choice names another
/// column than `Fo` or `Fo^2`.
pub fn parse(
    input: &mut dyn BufRead,
    path: &Path,
    choice: &Choice,
    hklf: Hklf,
) -> Result<ReflectionFile, Failure> {
    let (format, [label, sigma_label], kind) = hklf.words();
    let lines = &mut Lines::new(input, path);
    check_choice(lines, choice, format, &[label], &[sigma_label])?;
    let mut rows = Rows::default();
    let mut has_point = false;
    while lines.advance()? {
        let line = lines.current();
        let row =
            row(line, label).map_err(not_in_columns(COLUMNS, line)).map_err(|what| lines.failure(what))?;
        let Some(Row { hkl, value, sigma, with_point }) = row else {
            break;
        };
        has_point |= with_point;
        rows.read += 1;
        rows.add(hkl, value, sigma).map_err(|what| lines.failure(what))?;
    }
    rows.check(lines)?;
    let with_sigma = rows.list.iter().filter(|one| one.sigma.is_some()).count();
    let warning =
        "no value has a decimal point: all are taken as they are, not as the hundredths of Fortran's F8.2";
    Ok(ReflectionFile {
        format,
        cell: None,
        symmetry: StatedSymmetry::default(),
        wavelength_angstrom: None,
        columns: vec![
            Column { label: label.to_owned(), kind, present: rows.list.len() },
            Column { label: sigma_label.to_owned(), kind: "uncertainty", present: with_sigma },
        ],
        taken: vec![label.to_owned()],
        read: rows.read,
        missing: rows.missing,
        observations: Observations {
            quantity: match hklf {
                Hklf::Amplitudes => Quantity::Amplitude,
                Hklf::Intensities => Quantity::Intensity,
            },
            list: rows.list,
            weighted: true,
            mates: Mates::AsListed,
        },
        warnings: if has_point { Vec::new() } else { vec![warning.to_owned()] },
    })
}

struct Row {
    hkl: Hkl,
    value: f64,
    /// None where the field holds no positive number.
    sigma: Option<f64>,
    with_point: bool,
}

/// Reads a row; `None` for the row that ends the list.
fn row(line: &[u8], label: &str) -> Result<Option<Row>, String> {
    let or_zero = |from, to| match field(line, from, to) {
        [] => &b"0"[..],
        word => word,
    };
    let hkl = [index("h", or_zero(0, 4))?, index("k", or_zero(4, 8))?, index("l", or_zero(8, 12))?];
    if hkl == [0; 3] {
        return Ok(None);
    }
    let word = or_zero(12, 20);
    let sigma = value("sigma", or_zero(20, 28))?;
    Ok(Some(Row {
        hkl,
        value: value(label, word)?,
        sigma: Some(sigma).filter(|&sigma| sigma > 0.0),
        with_point: word.contains(&b'.'),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ReflectionFile, String> {
        parse(&mut text.as_bytes(), Path::new("x.hkl"), &Choice::default(), Hklf::Intensities)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn columns_touch_and_blanks_are_zero() {
        let file = read(
            "   1   2   3  123.45    1.50   1\n -10 -12 -1312345.67   99.99   1\n-100-101-102\n\t  1\n\
            \x20      1        5.00\n   5   5   5 1.725E1    0.00-999",
        );
        let file = file.unwrap();
        let list: Vec<_> = file.observations.list.iter().map(|one| (one.hkl, one.value, one.sigma)).collect();
        assert_eq!(
            list,
            [
                ([1, 2, 3], 123.45, Some(1.5)),
                ([-10, -12, -13], 12345.67, Some(99.99)),
                ([-100, -101, -102], 0.0, None),
                ([1, 0, 0], 0.0, None),
                ([0, 1, 0], 5.0, None),
                ([5, 5, 5], 17.25, None),
            ]
        );
        assert!(file.observations.weighted && file.warnings.is_empty() && file.read == 6);
    }

    #[test]
    fn the_list_ends_at_the_first_row_of_zeros() {
        for end in ["   0   0   0    0.00    0.00   0\n", "\n", "            7777.0\n", " \0\t\n"] {
            let file = read(&format!("   1   2   3  123.45    1.50\n{end}TITL text\n   9   9   9  999.99\n"))
                .unwrap();
            assert_eq!(file.observations.list.len(), 1, "{end:?}");
        }
        assert_eq!(
            read("   0   0   0    0.00\n   1   2   3  123.45\n").unwrap_err(),
            "x.hkl: no reflections in it"
        );
    }

    #[test]
    fn a_point_that_is_nowhere_is_told() {
        let file = read("   1   2   3   12345     150\n   1   2   4   12345     150\n").unwrap();
        assert_eq!(file.observations.list[0].value, 12345.0);
        assert!(file.warnings[0].starts_with("no value has a decimal point"));
        assert!(
            read("   1   2   3   12345     150\n   1   2   4   123.5     150\n").unwrap().warnings.is_empty()
        );
    }

    #[test]
    fn errors_name_the_line() {
        let error = |text: &str| read(&format!("   1   2   3  123.45    1.50\n{text}\n")).unwrap_err();
        assert_eq!(
            error("TITL x"),
            "x.hkl:2: h: \"TITL\" is not a number in \"TITL x\", with columns 3I4,2F8"
        );
        assert!(error("1 2 3 123.45 1.5").starts_with("x.hkl:2: h: \"1 2\" is not a number in"));
        assert!(
            error("   1   2   3     inf    1.50")
                .starts_with("x.hkl:2: Fo^2: \"inf\" is not a finite number")
        );
        assert!(
            error("   1   2   3     1.5    -nan")
                .starts_with("x.hkl:2: sigma: \"-nan\" is not a finite number")
        );
        assert!(
            error("   1   2   3   1E999    1.50")
                .starts_with("x.hkl:2: Fo^2: \"1E999\" is not a finite number")
        );
        assert!(error(" 1e9   2   3     1.5    1.50").contains("h: \"1e9\" is beyond the largest index"));
        assert_eq!(read("").unwrap_err(), "x.hkl: no reflections in it");
    }

    #[test]
    fn amplitudes_have_another_name() {
        let choice = Choice { columns: vec!["fo".into()], ..Choice::default() };
        let text = b"   1   2   3  123.45    1.50\n";
        let file = parse(&mut &text[..], Path::new("x.hkl"), &choice, Hklf::Amplitudes).unwrap();
        assert_eq!((file.observations.quantity, file.taken), (Quantity::Amplitude, vec!["Fo".to_owned()]));
        let error = parse(&mut &text[..], Path::new("x.hkl"), &choice, Hklf::Intensities).unwrap_err();
        assert_eq!(error.to_string(), "x.hkl: no column \"fo\"; it has Fo^2");
    }
}
