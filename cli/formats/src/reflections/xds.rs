//! Intensities of XDS: XDS_ASCII.HKL of CORRECT and XSCALE, and INTEGRATE.HKL.
//!
//! Lines `!KEY= value` until `!END_OF_HEADER`, rows of numbers in free format until `!END_OF_DATA`. A file without
//! the latter is cut, and refused. The header says in which columns h, k, l, I and sigma stand; without `ITEM_`
//! lines they are the first five. A row whose sigma is not positive was rejected by XDS and counts as missing. Rows
//! of unmerged files have weights. INTEGRATE.HKL holds intensities before scaling, whose sigmas are no weights.
//!
//! Source: W. Kabsch, XDS documentation, "XDS_ASCII.HKL" and "INTEGRATE.HKL".

use std::io::BufRead;
use std::path::Path;

use widebragg_reflections::cell::Cell;
use widebragg_reflections::observations::{Mates, Observations, Quantity};
use widebragg_reflections::symmetry::StatedSymmetry;

use crate::failure::Failure;
use crate::reflections::rows::{Lines, Rows, check_choice, hkl, value, words_without_equals};
use crate::reflections::{Choice, Column, ReflectionFile};
use crate::text::{number, shown, words_of};

const ASCII_START: &[u8] = b"!FORMAT=XDS_ASCII";
const INTEGRATE_START: &[u8] = b"!OUTPUT_FILE=INTEGRATE.HKL";

/// The items that are read, as the header calls them.
const ITEMS: [&str; 5] = ["H", "K", "L", "IOBS", "SIGMA(IOBS)"];

/// More columns than any version of XDS writes.
const MOST_COLUMNS: usize = 1000;

/// Whether a file that begins with `start` is one of XDS.
#[must_use]
pub fn begins(start: &[u8]) -> bool {
    start.starts_with(ASCII_START) || start.starts_with(INTEGRATE_START)
}

/// Reads the intensities; `path` is the stream's name in error messages.
///
/// # Errors
/// The stream cannot be read, is not of XDS, is cut, or has no reflection; a line is not what it should be; the choice
/// names another column than `IOBS`.
pub fn parse(input: &mut dyn BufRead, path: &Path, choice: &Choice) -> Result<ReflectionFile, Failure> {
    let lines = &mut Lines::new(input, path);
    check_choice(lines, choice, "a file of XDS", &ITEMS[3..4], &ITEMS[4..])?;
    let header = Header::read(lines)?;
    let rows = read_rows(lines, &header)?;
    rows.check(lines)?;
    let [intensity, uncertainty] = [ITEMS[3], ITEMS[4]].map(str::to_owned);
    let present = rows.list.len();
    Ok(ReflectionFile {
        format: if header.is_integrate { "XDS INTEGRATE" } else { "XDS_ASCII" },
        cell: header.cell,
        symmetry: StatedSymmetry { number: header.space_group, ..StatedSymmetry::default() },
        wavelength_angstrom: header.wavelength_angstrom,
        columns: vec![
            Column { label: intensity.clone(), kind: "intensity", present },
            Column { label: uncertainty, kind: "uncertainty", present },
        ],
        taken: vec![intensity],
        read: rows.read,
        missing: rows.missing,
        observations: Observations {
            quantity: Quantity::Intensity,
            list: rows.list,
            weighted: !header.is_merged && !header.is_integrate,
            mates: header.mates,
        },
        warnings: if header.is_integrate {
            vec![
                "the intensities of INTEGRATE are unscaled: CORRECT's XDS_ASCII.HKL is meant for this".into(),
            ]
        } else {
            Vec::new()
        },
    })
}

/// What the header says.
struct Header {
    is_integrate: bool,
    is_merged: bool,
    mates: Mates,
    space_group: Option<u32>,
    cell: Option<Cell>,
    wavelength_angstrom: Option<f64>,
    /// Columns of [`ITEMS`], from 0.
    columns: [usize; 5],
}

impl Header {
    /// Reads the lines to the end of the header.
    fn read(lines: &mut Lines) -> Result<Self, Failure> {
        if !lines.advance()? || !begins(lines.current()) {
            return Err(lines.failure("no file of XDS, which begins with !FORMAT=XDS_ASCII"));
        }
        let mut header = Self {
            is_integrate: lines.current().starts_with(INTEGRATE_START),
            is_merged: false,
            mates: Mates::AsListed,
            space_group: None,
            cell: None,
            wavelength_angstrom: None,
            columns: [0, 1, 2, 3, 4],
        };
        header.first_line(lines.current()).map_err(|what| lines.failure(what))?;
        while lines.advance()? {
            let line = lines.current().trim_ascii();
            if line.starts_with(b"!END_OF_HEADER") {
                return Ok(header);
            }
            if line.is_empty() {
                continue;
            }
            let Some(line) = line.strip_prefix(b"!") else {
                return Err(lines.failure(format!("{} before !END_OF_HEADER", shown(line))));
            };
            header.line(line).map_err(|what| lines.failure(what))?;
        }
        Err(lines.file_failure("the file is cut: no !END_OF_HEADER"))
    }

    /// Reads the first line, which has several keys.
    fn first_line(&mut self, line: &[u8]) -> Result<(), String> {
        let mut words = words_without_equals(line);
        while let Some(word) = words.next() {
            match word {
                b"MERGE" => self.is_merged = is_true("MERGE", words.next())?,
                b"FRIEDEL'S_LAW" => self.friedel(words.next())?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads another line, without its `!`. What has no key that is needed is left out.
    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        let Some(equals) = line.iter().position(|&byte| byte == b'=') else { return Ok(()) };
        let (key, text) = (line[..equals].trim_ascii(), &line[equals + 1..]);
        let first = || words_of(text).next();
        match key {
            b"FRIEDEL'S_LAW" => self.friedel(first())?,
            b"SPACE_GROUP_NUMBER" => {
                let group = whole("SPACE_GROUP_NUMBER", first(), 230)?;
                // XDS writes 0 where it does not know the group.
                self.space_group = u32::try_from(group).ok().filter(|&group| group > 0);
            }
            b"UNIT_CELL_CONSTANTS" => self.cell = Some(Cell::from(six(text)?)),
            b"X-RAY_WAVELENGTH" => {
                let wavelength = number(first().unwrap_or_default())
                    .map_err(|what| format!("X-RAY_WAVELENGTH: {what}"))?;
                self.wavelength_angstrom = Some(wavelength).filter(|&wavelength| wavelength > 0.0);
            }
            _ => {
                let item = key.strip_prefix(b"ITEM_");
                let item = ITEMS.iter().position(|name| item == Some(name.as_bytes()));
                if let Some(item) = item {
                    let column = whole(&format!("ITEM_{}", ITEMS[item]), first(), MOST_COLUMNS)?;
                    self.columns[item] = column
                        .checked_sub(1)
                        .ok_or_else(|| format!("ITEM_{}: columns count from 1", ITEMS[item]))?;
                }
            }
        }
        Ok(())
    }

    fn friedel(&mut self, word: Option<&[u8]>) -> Result<(), String> {
        let is_law = is_true("FRIEDEL'S_LAW", word)?;
        self.mates = if is_law { Mates::Merged } else { Mates::AsListed };
        Ok(())
    }
}

fn is_true(key: &str, word: Option<&[u8]>) -> Result<bool, String> {
    match word.unwrap_or_default() {
        b"TRUE" => Ok(true),
        b"FALSE" => Ok(false),
        word => Err(format!("{key}: {} is neither TRUE nor FALSE", shown(word))),
    }
}

fn whole(key: &str, word: Option<&[u8]>, most: usize) -> Result<usize, String> {
    let word = word.unwrap_or_default();
    let number = core::str::from_utf8(word).ok().and_then(|text| text.parse().ok());
    number
        .filter(|&number| number <= most)
        .ok_or_else(|| format!("{key}: {} is no whole number up to {most}", shown(word)))
}

fn six(text: &[u8]) -> Result<[f64; 6], String> {
    let mut numbers = [0.0; 6];
    let mut words = words_of(text);
    for entry in &mut numbers {
        *entry = number(words.next().unwrap_or_default())
            .map_err(|what| format!("UNIT_CELL_CONSTANTS: {what}"))?;
    }
    Ok(numbers)
}

fn read_rows(lines: &mut Lines, header: &Header) -> Result<Rows, Failure> {
    let mut rows = Rows::default();
    while lines.advance()? {
        let line = lines.current();
        if line.starts_with(b"!") {
            if line.starts_with(b"!END_OF_DATA") {
                return Ok(rows);
            }
            continue;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let row = items(line, &header.columns).and_then(|[h, k, l, intensity, uncertainty]| {
            Ok((hkl([h, k, l])?, value(ITEMS[3], intensity)?, value(ITEMS[4], uncertainty)?))
        });
        let (hkl, intensity, sigma) = row.map_err(|what| lines.failure(what))?;
        rows.read += 1;
        if sigma > 0.0 {
            rows.add(hkl, intensity, Some(sigma)).map_err(|what| lines.failure(what))?;
        } else {
            rows.missing += 1;
        }
    }
    Err(lines.file_failure(format!("the file is cut: no !END_OF_DATA after row {}", rows.read)))
}

/// The words of a row in the given columns.
fn items<'l>(line: &'l [u8], columns: &[usize; 5]) -> Result<[&'l [u8]; 5], String> {
    let mut items = [&b""[..]; 5];
    let mut left = columns.len();
    for (column, word) in words_of(line).enumerate() {
        for (item, &wanted) in items.iter_mut().zip(columns) {
            if wanted == column {
                *item = word;
                left -= 1;
            }
        }
        if left == 0 {
            return Ok(items);
        }
    }
    let missing = items.iter().position(|item| item.is_empty()).map_or("", |item| ITEMS[item]);
    Err(format!("no {missing} in {}", shown(line.trim_ascii())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = "!FORMAT=XDS_ASCII    MERGE=FALSE    FRIEDEL'S_LAW=FALSE\n";

    fn read(text: &str) -> Result<ReflectionFile, String> {
        parse(&mut text.as_bytes(), Path::new("x.HKL"), &Choice::default()).map_err(|error| error.to_string())
    }

    fn error(text: &str) -> String {
        read(text).unwrap_err()
    }

    fn with_rows(rows: &str) -> String {
        format!("{START}!END_OF_HEADER\n{rows}!END_OF_DATA\n")
    }

    #[test]
    fn a_minimal_file_by_hand() {
        let file = read(&with_rows("1 2 3 4.5 0.5\n\n! a remark\n-1 2 3 -6 1 77\n1 1 1 1 0\n")).unwrap();
        assert_eq!((file.read, file.missing, file.observations.list.len()), (3, 1, 2));
        let [first, second] = file.observations.list[..] else { panic!("two rows") };
        assert_eq!((first.hkl, first.value, first.sigma), ([1, 2, 3], 4.5, Some(0.5)));
        assert_eq!((second.hkl, second.value, second.sigma), ([-1, 2, 3], -6.0, Some(1.0)));
        assert!(
            file.observations.weighted && file.cell.is_none() && file.symmetry == StatedSymmetry::default()
        );
    }

    #[test]
    fn the_header_says_where_the_columns_are() {
        let header = "!FORMAT=XDS_ASCII MERGE=TRUE FRIEDEL'S_LAW=TRUE\r\n!SPACE_GROUP_NUMBER= 0\r\n\
                      !UNIT_CELL_CONSTANTS= 0 0 0 0 0 0\r\n!X-RAY_WAVELENGTH= 0\r\n! ISET= 1 X\r\n!ITEM_H=2\r\n\
                      !ITEM_K=3\r\n!ITEM_L=4\r\n!ITEM_SIGMA(IOBS)=1\r\n!ITEM_IOBS=6\r\n!END_OF_HEADER\r\n";
        let file = read(&format!("{header}0.5 1 2 3 9.9 4E+01 8\r\n!END_OF_DATA\r\n1 2\r\n")).unwrap();
        let [only] = file.observations.list[..] else { panic!("one row") };
        assert_eq!((only.hkl, only.value, only.sigma), ([1, 2, 3], 40.0, Some(0.5)));
        assert_eq!((file.observations.weighted, file.observations.mates), (false, Mates::Merged));
        assert_eq!((file.cell.map(|cell| cell.is_possible()), file.symmetry.number), (Some(false), None));
        assert_eq!(file.wavelength_angstrom, None);
    }

    #[test]
    fn integrate_is_read_without_weights() {
        let text = "!OUTPUT_FILE=INTEGRATE.HKL    DATE= 1-Jan-2026\n!SPACE_GROUP_NUMBER=    1\n\
                    !NUMBER_OF_ITEMS_IN_EACH_DATA_RECORD=21\n!H,K,L,IOBS,SIGMA,XCAL,YCAL\n!END_OF_HEADER\n \
                    1 0 0 5.0 0.1 1 2\n!END_OF_DATA\n";
        let file = read(text).unwrap();
        assert_eq!((file.format, file.symmetry.number), ("XDS INTEGRATE", Some(1)));
        assert!(!file.observations.weighted && file.warnings[0].contains("unscaled"));
        assert!(begins(text.as_bytes()) && begins(START.as_bytes()) && !begins(b"1 2 3 4\n"));
    }

    #[test]
    fn errors_name_the_line() {
        assert_eq!(error(""), "x.HKL:1: no file of XDS, which begins with !FORMAT=XDS_ASCII");
        assert_eq!(error(START), "x.HKL: the file is cut: no !END_OF_HEADER");
        assert_eq!(error(&format!("{START}\n1 2 3 4 5\n")), "x.HKL:3: \"1 2 3 4 5\" before !END_OF_HEADER");
        let cut = with_rows("1 2 3 4 5\n").replace("!END_OF_DATA", "");
        assert_eq!(error(&cut), "x.HKL: the file is cut: no !END_OF_DATA after row 1");
        assert_eq!(error(&with_rows("")), "x.HKL: no reflections in it");
        assert_eq!(error(&with_rows("1 2 3 4 0\n")), "x.HKL: none of its 1 reflections has a value");
        let row = |row: &str| error(&with_rows(&format!("1 2 3 4 5\n{row}\n")));
        assert_eq!(row("1 2 3 4"), "x.HKL:4: no SIGMA(IOBS) in \"1 2 3 4\"");
        assert_eq!(row("1 2.5 3 4 5"), "x.HKL:4: k: \"2.5\" is not an integer");
        assert_eq!(row("1 2 1000001 4 5"), "x.HKL:4: l: \"1000001\" is beyond the largest index, 1000000");
        assert_eq!(row("1 2 3 nan 5"), "x.HKL:4: IOBS: \"nan\" is not a finite number");
        assert_eq!(row("1 2 3 4 inf"), "x.HKL:4: SIGMA(IOBS): \"inf\" is not a finite number");
        assert_eq!(row("1 2 3 1E40 5"), "x.HKL:4: IOBS: \"1E40\" is too large");
        let header = |line: &str| error(&format!("{START}{line}\n!END_OF_HEADER\n1 2 3 4 5\n!END_OF_DATA\n"));
        assert_eq!(
            header("!SPACE_GROUP_NUMBER= 231"),
            "x.HKL:2: SPACE_GROUP_NUMBER: \"231\" is no whole number up to 230"
        );
        assert_eq!(
            header("!UNIT_CELL_CONSTANTS= 1 2 3 90 90"),
            "x.HKL:2: UNIT_CELL_CONSTANTS: \"\" is not a number"
        );
        assert_eq!(header("!ITEM_H=0"), "x.HKL:2: ITEM_H: columns count from 1");
        assert_eq!(
            header("!FRIEDEL'S_LAW=MAYBE"),
            "x.HKL:2: FRIEDEL'S_LAW: \"MAYBE\" is neither TRUE nor FALSE"
        );
    }

    #[test]
    fn only_its_own_column_can_be_chosen() {
        let read = |choice: Choice| {
            parse(&mut with_rows("1 2 3 4 5\n").as_bytes(), Path::new("x.HKL"), &choice)
                .map(|file| file.taken)
                .map_err(|error| error.to_string())
        };
        let choose = |columns: &[&str]| {
            let columns = columns.iter().map(|&label| label.to_owned()).collect();
            read(Choice { columns, ..Choice::default() })
        };
        assert_eq!(choose(&["iobs", "SIGMA(IOBS)"]).unwrap(), ["IOBS"]);
        assert_eq!(choose(&["FOO"]).unwrap_err(), "x.HKL: no column \"FOO\"; it has IOBS");
        assert_eq!(choose(&["SIGMA(IOBS)"]).unwrap_err(), "x.HKL: only sigmas are chosen; it has IOBS");
        let error = read(Choice { block: Some("a".into()), ..Choice::default() }).unwrap_err();
        assert_eq!(error, "x.HKL: a file of XDS has no data blocks, so \"a\" cannot be chosen");
    }
}
