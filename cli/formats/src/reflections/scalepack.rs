//! Merged intensities of HKL-2000: scalepack (`.sca`).
//!
//! Line 1 is a 1, line 2 an integer, line 3 the cell in six fields of 10 columns and the space group from column 61.
//! Rows are 3I4,4F8.1: h k l I sigma and, where Friedel mates are apart, I and sigma of -h-k-l. A value with a negative
//! sigma (0.0 with -1), or of asterisks, is missing. Columns may touch. Files of unmerged reflections, which begin with
//! the symmetry operators, are refused.
//!
//! Source: W. Minor and Z. Otwinowski, HKL-2000 manual, "Format of the scalepack output file".

use std::io::BufRead;
use std::path::Path;

use widebragg_reflections::cell::Cell;
use widebragg_reflections::observations::{Hkl, Mates, Observations, Quantity};
use widebragg_reflections::symmetry::StatedSymmetry;

use crate::failure::Failure;
use crate::reflections::fixed::{field, not_in_columns};
use crate::reflections::rows::{Lines, Rows, check_choice, hkl, symbol, value};
use crate::reflections::{Choice, Column, ReflectionFile};
use crate::text::{number, shown, words_of};

const LABELS: [&str; 2] = ["I(+)", "I(-)"];
const SIGMAS: [&str; 2] = ["SIGI(+)", "SIGI(-)"];
const COLUMNS: &str = "3I4,4F8.1";

/// Whether a file that begins with `start` is of scalepack, merged or not.
#[must_use]
pub fn begins(start: &[u8]) -> bool {
    let mut lines = start.split(|&byte| byte == b'\n');
    let (Some(first), Some(second), Some(_third)) = (lines.next(), lines.next(), lines.next()) else {
        return false;
    };
    let is_number_alone = words_of(second).count() == 1 && words_of(second).all(is_integer);
    first.trim_ascii() == b"1" && is_number_alone || is_unmerged(first, second)
}

/// Whether these are the first lines of unmerged reflections: the number of operators and the group, then an operator.
fn is_unmerged(first: &[u8], second: &[u8]) -> bool {
    let mut words = words_of(first);
    let (Some(count), Some(group), None) = (words.next(), words.next(), words.next()) else { return false };
    is_integer(count) && (is_integer(group) || words_of(second).filter(|word| is_integer(word)).count() == 9)
}

fn is_integer(word: &[u8]) -> bool {
    let digits = word.strip_prefix(b"-").unwrap_or(word);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// Reads the intensities; `path` is the stream's name in error messages.
///
/// # Errors
/// The stream cannot be read, is not of scalepack or not merged, or has no reflection; a line is not what it should be;
/// the choice names another column than `I(+)` or `I(-)`, one of which means both.
pub fn parse(input: &mut dyn BufRead, path: &Path, choice: &Choice) -> Result<ReflectionFile, Failure> {
    let lines = &mut Lines::new(input, path);
    check_choice(lines, choice, "a file of scalepack", &LABELS, &SIGMAS)?;
    let (cell, name) = read_start(lines)?;
    let mut rows = Rows::default();
    let mut present = [0; 2];
    while lines.advance()? {
        let line = lines.current();
        if line.trim_ascii().is_empty() {
            continue;
        }
        let (hkl, mates) =
            row(line).map_err(not_in_columns(COLUMNS, line)).map_err(|what| lines.failure(what))?;
        rows.read += 1;
        rows.missing += usize::from(mates == [None; 2]);
        for ((mate, hkl), present) in mates.into_iter().zip([hkl, hkl.map(|index| -index)]).zip(&mut present)
        {
            if let Some(Measured { intensity, sigma }) = mate {
                rows.add(hkl, intensity, sigma).map_err(|what| lines.failure(what))?;
                *present += 1;
            }
        }
    }
    rows.check(lines)?;
    let columns = LABELS.iter().zip(present).map(|(&label, present)| Column {
        label: label.to_owned(),
        kind: "intensity",
        present,
    });
    Ok(ReflectionFile {
        format: "scalepack",
        cell: Some(cell),
        symmetry: StatedSymmetry { name, ..StatedSymmetry::default() },
        wavelength_angstrom: None,
        columns: columns.filter(|column| column.present > 0).collect(),
        taken: LABELS
            .iter()
            .zip(present)
            .filter(|(_, present)| *present > 0)
            .map(|(&label, _)| label.into())
            .collect(),
        read: rows.read,
        missing: rows.missing,
        observations: Observations {
            quantity: Quantity::Intensity,
            list: rows.list,
            weighted: false,
            mates: Mates::AsListed,
        },
        warnings: Vec::new(),
    })
}

/// Reads the three lines before the rows: the cell, and the name of the space group.
fn read_start(lines: &mut Lines) -> Result<(Cell, Option<String>), Failure> {
    let is_there = lines.advance()?;
    let first = lines.current().to_vec();
    let is_there = is_there && lines.advance()?;
    if is_there && is_unmerged(&first, lines.current()) {
        return Err(
            lines.file_failure("unmerged reflections of scalepack: merge them first, e.g. in HKL-2000")
        );
    }
    let is_alone = words_of(lines.current()).count() == 1 && words_of(lines.current()).all(is_integer);
    if !is_there || first.trim_ascii() != b"1" || !is_alone {
        return Err(
            lines.file_failure("no file of scalepack, which begins with a line 1 and a line with an integer")
        );
    }
    if !lines.advance()? {
        return Err(lines.file_failure("the file is cut: no line with the cell"));
    }
    let line = lines.current();
    let mut numbers = [0.0; 6];
    for (at, entry) in numbers.iter_mut().enumerate() {
        *entry = number(field(line, 10 * at, 10 * at + 10))
            .map_err(|what| lines.failure(format!("cell: {what} in {}", shown(line))))?;
    }
    let name = symbol("space group", field(line, 60, line.len())).map_err(|what| lines.failure(what))?;
    Ok((Cell::from(numbers), Some(name).filter(|name| !name.is_empty())))
}

/// The intensity of one of two Friedel mates.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Measured {
    intensity: f64,
    sigma: Option<f64>,
}

/// Reads a row: the indices, and the intensities of hkl and of -h-k-l.
fn row(line: &[u8]) -> Result<(Hkl, [Option<Measured>; 2]), String> {
    let hkl = hkl([field(line, 0, 4), field(line, 4, 8), field(line, 8, 12)])?;
    Ok((hkl, [mate(line, 12)?, mate(line, 28)?]))
}

/// The intensity in the 16 columns that begin with `at`; `None` where it is missing.
fn mate(line: &[u8], at: usize) -> Result<Option<Measured>, String> {
    let (intensity, uncertainty) = (field(line, at, at + 8), field(line, at + 8, at + 16));
    if intensity.is_empty() && uncertainty.is_empty() || intensity.starts_with(b"*") {
        return Ok(None);
    }
    let intensity = value("I", intensity)?;
    let uncertainty = match uncertainty {
        [] | [b'*', ..] => None,
        word => Some(value("sigma", word)?),
    };
    if uncertainty.is_some_and(|sigma| sigma < 0.0) {
        return Ok(None);
    }
    Ok(Some(Measured { intensity, sigma: uncertainty.filter(|&sigma| sigma > 0.0) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str =
        "    1\n -987\n    31.200    40.500    27.800    90.000    90.000    90.000 p212121\n";

    fn read(text: &str) -> Result<ReflectionFile, String> {
        parse(&mut text.as_bytes(), Path::new("x.sca"), &Choice::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn mates_apart_missing_and_touching() {
        let rows = "   1   2   3    10.5     1.5    20.5     2.5\n   1   1   2     0.0    -1.0  8393.6   130.5\n\
                    -100-101-102123456.7234567.8   -10.0     1.0\n   0   0   2********    -1.0\n\
                    \x20  0   0   4   -12.5********\n\n   0   0   6     7.5\n";
        let file = read(&format!("{START}{rows}")).unwrap();
        let list: Vec<_> = file.observations.list.iter().map(|one| (one.hkl, one.value, one.sigma)).collect();
        assert_eq!(
            list,
            [
                ([1, 2, 3], 10.5, Some(1.5)),
                ([-1, -2, -3], 20.5, Some(2.5)),
                ([-1, -1, -2], 8393.6, Some(130.5)),
                ([-100, -101, -102], 123456.7, Some(234567.8)),
                ([100, 101, 102], -10.0, Some(1.0)),
                ([0, 0, 4], -12.5, None),
                ([0, 0, 6], 7.5, None),
            ]
        );
        assert_eq!((file.read, file.missing), (6, 1));
        assert_eq!(file.taken, LABELS);
        assert_eq!(file.symmetry.name.as_deref(), Some("p212121"));
        assert_eq!(file.cell.unwrap().lengths_angstrom, [31.2, 40.5, 27.8]);
    }

    #[test]
    fn touching_cells_and_one_intensity() {
        let start = "    1\r\n -987\r\n  1031.200  1040.500  1027.800    90.000   104.700    90.000 c2\r\n";
        let file =
            read(&format!("{start}   0   0   2  10.5   1.5\r\n").replace("  10.5   1.5", "    10.5     1.5"));
        let file = file.unwrap();
        assert_eq!(file.cell.unwrap().lengths_angstrom, [1031.2, 1040.5, 1027.8]);
        assert_eq!((file.taken, file.symmetry.name.as_deref()), (vec!["I(+)".to_owned()], Some("c2")));
    }

    #[test]
    fn files_are_told_by_two_lines() {
        assert!(begins(START.as_bytes()));
        assert!(begins(b"    4 p212121\n  1  0  0  0  1  0  0  0  1\n"));
        assert!(begins(b"    4 19\n  1  0\n"));
        for other in ["1 2 3 4\n5 6 7 8\n", "    1\n", "1\n2 3\n4\n", "4 words\nmore\n", "", "1\n"] {
            assert!(!begins(other.as_bytes()), "{other:?}");
        }
    }

    #[test]
    fn errors_name_the_line() {
        let error = |text: &str| read(text).unwrap_err();
        let unmerged = "    4 p212121\n  1  0  0  0  1  0  0  0  1\n  0  0  0\n";
        assert_eq!(
            error(unmerged),
            "x.sca: unmerged reflections of scalepack: merge them first, e.g. in HKL-2000"
        );
        assert!(error("1 2 3 4\n").starts_with("x.sca: no file of scalepack"));
        assert_eq!(error("    1\n -987\n"), "x.sca: the file is cut: no line with the cell");
        assert_eq!(error(START), "x.sca: no reflections in it");
        let row = |row: &str| error(&format!("{START}   0   0   2    10.5     1.5\n{row}\n"));
        let refused = "in \"   0   x   2    10.5     1.5\", with columns 3I4,4F8.1";
        assert_eq!(
            row("   0   x   2    10.5     1.5"),
            format!("x.sca:5: k: \"x\" is not a number {refused}")
        );
        assert!(
            row("   0   0   2     nan     1.5").starts_with("x.sca:5: I: \"nan\" is not a finite number")
        );
        assert!(
            row("   0   0   2 1e99999     1.5").starts_with("x.sca:5: I: \"1e99999\" is not a finite number")
        );
        assert!(row(" 1 2 3 10.5 1.5").starts_with("x.sca:5: h: \"1 2\" is not a number"));
        let bad_cell = START.replace("31.200", "3x.200");
        assert!(error(&bad_cell).starts_with("x.sca:3: cell: \"3x.200\" is not a number"));
    }
}
