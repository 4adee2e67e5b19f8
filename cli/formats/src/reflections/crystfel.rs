//! Merged intensities of CrystFEL: reflection lists of version 2.
//!
//! A heading, `Symmetry: 4/mmm`, a line of column headings, rows `h k l I phase sigma nmeas`, `End of reflections`,
//! and notes. A list without the end is cut, and refused. The symmetry is a point group in CrystFEL's words, so
//! nothing is known of absences; there is no cell. A group `unknown` is none.
//!
//! Source: CrystFEL, manual pages process_hkl(1) and get_hkl(1).

use std::io::BufRead;
use std::path::Path;

use widebragg_reflections::observations::{Mates, Observations, Quantity};
use widebragg_reflections::symmetry::StatedSymmetry;

use crate::failure::Failure;
use crate::reflections::rows::{Lines, Rows, check_choice, hkl, symbol, value};
use crate::reflections::{Choice, Column, ReflectionFile};
use crate::text::{shown, words_of};

const START: &[u8] = b"CrystFEL reflection list version 2";
const SYMMETRY: &[u8] = b"Symmetry:";
const END: &[u8] = b"End of reflections";

/// What CrystFEL writes where it was told no symmetry.
const UNKNOWN: &str = "unknown";

/// Whether a file that begins with `start` is a reflection list of CrystFEL.
#[must_use]
pub fn begins(start: &[u8]) -> bool {
    start.starts_with(START)
}

/// Reads the intensities; `path` is the stream's name in error messages.
///
/// # Errors
/// The stream cannot be read, is no such list, is cut, or has no reflection; a line is not what it should be; the
/// choice names another column than `I`.
pub fn parse(input: &mut dyn BufRead, path: &Path, choice: &Choice) -> Result<ReflectionFile, Failure> {
    let lines = &mut Lines::new(input, path);
    check_choice(lines, choice, "a list of CrystFEL", &["I"], &["sigma(I)"])?;
    let point_group = read_start(lines)?;
    let rows = read_rows(lines)?;
    rows.check(lines)?;
    let with_sigma = rows.list.iter().filter(|one| one.sigma.is_some()).count();
    Ok(ReflectionFile {
        format: "CrystFEL",
        cell: None,
        symmetry: StatedSymmetry { point_group, ..StatedSymmetry::default() },
        wavelength_angstrom: None,
        columns: vec![
            Column { label: "I".into(), kind: "intensity", present: rows.list.len() },
            Column { label: "sigma(I)".into(), kind: "uncertainty", present: with_sigma },
        ],
        taken: vec!["I".into()],
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

/// Reads the lines to the headings of the columns; the point group, where one is stated.
fn read_start(lines: &mut Lines) -> Result<Option<String>, Failure> {
    if !lines.advance()? || !begins(lines.current()) {
        return Err(lines.failure("no reflection list of CrystFEL, version 2"));
    }
    let mut point_group = None;
    while lines.advance()? {
        let line = lines.current().trim_ascii();
        if let Some(group) = line.strip_prefix(SYMMETRY) {
            let group = symbol("Symmetry", group).map_err(|what| lines.failure(what))?;
            point_group = Some(group).filter(|group| !group.is_empty() && group != UNKNOWN);
        } else if words_of(line).next() == Some(b"h") {
            return Ok(point_group);
        } else if line.starts_with(END) || !line.first().is_none_or(u8::is_ascii_alphabetic) {
            return Err(lines.failure(format!("{} before the headings h k l I", shown(line))));
        }
    }
    Err(lines.file_failure("the list is cut: no headings h k l I"))
}

fn read_rows(lines: &mut Lines) -> Result<Rows, Failure> {
    let mut rows = Rows::default();
    while lines.advance()? {
        let line = lines.current().trim_ascii();
        if line.starts_with(END) {
            return Ok(rows);
        }
        if line.is_empty() {
            continue;
        }
        let (hkl, intensity, sigma) = row(line).map_err(|what| lines.failure(what))?;
        rows.read += 1;
        rows.add(hkl, intensity, sigma).map_err(|what| lines.failure(what))?;
    }
    Err(lines.file_failure(format!("the list is cut: no \"End of reflections\" after row {}", rows.read)))
}

/// Reads `h k l I phase sigma`; the phase is `-` where there is none. The sigma of a single measurement is 0.
fn row(line: &[u8]) -> Result<([i32; 3], f64, Option<f64>), String> {
    let mut words = words_of(line);
    let columns = [words.next(), words.next(), words.next(), words.next(), words.next(), words.next()];
    let [Some(h), Some(k), Some(l), Some(intensity), Some(_phase), Some(uncertainty)] = columns else {
        return Err(format!("{} is no row of h k l I phase sigma", shown(line)));
    };
    let sigma = value("sigma", uncertainty)?;
    Ok((hkl([h, k, l])?, value("I", intensity)?, Some(sigma).filter(|&sigma| sigma > 0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ReflectionFile, String> {
        parse(&mut text.as_bytes(), Path::new("x.hkl"), &Choice::default()).map_err(|error| error.to_string())
    }

    fn list(symmetry: &str, rows: &str) -> String {
        format!(
            "CrystFEL reflection list version 2.0\nSymmetry: {symmetry}\n   h    k    l          I    phase   \
             sigma(I)   nmeas\n{rows}End of reflections\nGenerated by x\n1 2 3 4\n"
        )
    }

    #[test]
    fn rows_and_point_group() {
        let file = read(&list(
            "2_uab",
            "   1    0   -2     -39.11        -       5.00      20\n 1 1 1 2 90.00 0.00 1\n",
        ));
        let file = file.unwrap();
        assert_eq!(file.symmetry.point_group.as_deref(), Some("2_uab"));
        let [first, second] = file.observations.list[..] else { panic!("two rows") };
        assert_eq!((first.hkl, first.value, first.sigma), ([1, 0, -2], -39.11, Some(5.0)));
        assert_eq!((second.hkl, second.value, second.sigma), ([1, 1, 1], 2.0, None));
        assert!(!file.observations.weighted && file.cell.is_none() && file.missing == 0);
    }

    #[test]
    fn an_unknown_group_is_none() {
        let row = "1 0 0 5 - 1 1\n";
        assert_eq!(read(&list("unknown", row)).unwrap().symmetry, StatedSymmetry::default());
        let without = list("", row).replace("Symmetry: \n", "");
        assert_eq!(read(&without).unwrap().symmetry, StatedSymmetry::default());
    }

    #[test]
    fn errors_name_the_line() {
        let error = |text: &str| read(text).unwrap_err();
        assert_eq!(error("1 2 3 4\n"), "x.hkl:1: no reflection list of CrystFEL, version 2");
        let start = "CrystFEL reflection list version 2.0\n";
        assert_eq!(error(start), "x.hkl: the list is cut: no headings h k l I");
        assert_eq!(error(&format!("{start}1 2 3 4\n")), "x.hkl:2: \"1 2 3 4\" before the headings h k l I");
        assert_eq!(error(&format!("{start}Symmetry: \x07\n")), "x.hkl:2: Symmetry: \"\\u{7}\" is no symbol");
        let cut = list("1", "1 0 0 5 - 1 1\n").replace("End of", "End");
        assert_eq!(error(&cut), "x.hkl:5: \"End reflections\" is no row of h k l I phase sigma");
        let cut = cut.split("End").next().unwrap();
        assert_eq!(error(cut), "x.hkl: the list is cut: no \"End of reflections\" after row 1");
        assert_eq!(error(&list("1", "")), "x.hkl: no reflections in it");
        let row = |row: &str| error(&list("1", &format!("1 0 0 5 - 1 1\n{row}\n")));
        assert_eq!(row("1 0 0 nan - 1 1"), "x.hkl:5: I: \"nan\" is not a finite number");
        assert_eq!(row("1 0 0 5 - inf 1"), "x.hkl:5: sigma: \"inf\" is not a finite number");
        assert_eq!(
            row("1 0 2000000 5 - 1 1"),
            "x.hkl:5: l: \"2000000\" is beyond the largest index, 1000000"
        );
        assert_eq!(row("1 0 0 5"), "x.hkl:5: \"1 0 0 5\" is no row of h k l I phase sigma");
    }
}
