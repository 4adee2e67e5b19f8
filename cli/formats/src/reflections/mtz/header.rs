//! The records of an MTZ header: 80 characters each, whose first word says what they hold.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::path::Path;

use widebragg_reflections::symmetry::StatedSymmetry;

use crate::failure::Failure;
use crate::memory::push;
use crate::text::{cannot_read, finite, in_file, shown};

/// Length of a record.
pub(super) const RECORD_BYTES: usize = 80;

/// Largest number of columns; files have dozens.
const MOST_COLUMNS: usize = 2000;

/// The largest number of records of a header, so that input without END is not read for ever.
const MOST_RECORDS: u64 = 100_000;

/// The largest number of symmetry operators; a space group has 192 at most.
const MOST_OPERATORS: usize = 1000;

/// The largest number of datasets.
const MOST_DATASETS: usize = 10_000;

/// A column of the data.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub label: String,
    pub kind: Kind,
    pub dataset: i64,
}

/// What a column holds, the letter of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind(pub u8);

impl Kind {
    pub const INDEX: Self = Self(b'H');
    pub const INTENSITY: Self = Self(b'J');
    pub const AMPLITUDE: Self = Self(b'F');
    pub const DIFFERENCE: Self = Self(b'D');
    /// F(+) or F(-).
    pub const MATE_AMPLITUDE: Self = Self(b'G');
    /// I(+) or I(-).
    pub const MATE_INTENSITY: Self = Self(b'K');
    pub const NORMALISED: Self = Self(b'E');
    pub const REAL: Self = Self(b'R');
    pub const BATCH: Self = Self(b'B');
    pub const SYMMETRY: Self = Self(b'Y');

    /// In words.
    pub fn words(self) -> &'static str {
        match self.0 {
            b'H' => "index",
            b'J' => "intensity",
            b'F' => "amplitude",
            b'D' => "anomalous difference",
            b'Q' | b'L' | b'M' => "uncertainty",
            b'G' => "amplitude of one mate",
            b'K' => "intensity of one mate",
            b'E' => "normalised amplitude",
            b'P' => "phase",
            b'W' => "weight",
            b'A' => "Hendrickson-Lattman coefficient",
            b'B' => "batch number",
            b'Y' => "number of an operator",
            b'I' => "integer",
            b'R' => "real number",
            _ => "of an unknown type",
        }
    }

    /// Whether lists of columns name it beside values (SIGF, ISYM), and it is no value itself.
    pub fn goes_with_values(self) -> bool {
        matches!(self.0, b'Q' | b'L' | b'M' | b'Y')
    }
}

/// What belongs to one crystal and wavelength.
#[derive(Debug, Clone, Default)]
pub(super) struct Dataset {
    pub crystal: String,
    pub name: String,
    pub cell: Option<[f64; 6]>,
    pub wavelength_angstrom: Option<f64>,
}

/// A header, as far as it is needed.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub columns: Vec<Column>,
    pub datasets: BTreeMap<i64, Dataset>,
    /// Number of columns, reflections and batches.
    pub counts: Option<[u64; 3]>,
    pub cell: Option<[f64; 6]>,
    pub symmetry: StatedSymmetry,
    /// The number that stands for a missing value, beside NaN.
    pub missing: Option<f32>,
}

impl Header {
    /// Reads the records that begin at byte `position` of the file `path`, up to END.
    pub fn read(input: &mut dyn BufRead, path: &Path, position: u64) -> Result<Self, Failure> {
        let mut header = Self::default();
        let mut at = position;
        loop {
            let mut record = [b' '; RECORD_BYTES];
            let length = read_most(input, &mut record).map_err(|error| cannot_read(path, &error))?;
            let text: String = String::from_utf8_lossy(&record).replace(char::is_control, " ");
            let (word, rest) = text.trim_start().split_once(' ').unwrap_or((&text, ""));
            if word == "END" {
                return Ok(header);
            }
            if length < RECORD_BYTES {
                return Err(in_file(
                    path,
                    format!(
                        "the header from byte {position} on has no END before the file ends at byte {}",
                        at + length as u64
                    ),
                ));
            }
            header.take(word, rest.trim()).map_err(|what| {
                in_file(
                    path,
                    format!(
                        "header record at byte {at}, {}: {what}",
                        shown(text.trim_ascii_end().as_bytes())
                    ),
                )
            })?;
            at += RECORD_BYTES as u64;
            if at - position >= MOST_RECORDS * RECORD_BYTES as u64 {
                return Err(in_file(
                    path,
                    format!("the header from byte {position} on has no END within {MOST_RECORDS} records"),
                ));
            }
        }
    }

    /// Takes a record; four letters of its first word count.
    fn take(&mut self, word: &str, rest: &str) -> Result<(), String> {
        match word.get(..4).unwrap_or(word) {
            "NCOL" => self.counts = Some(numbers(rest, whole)?),
            "CELL" => self.cell = Some(numbers(rest, finite)?),
            "SYMI" => self.take_group(rest),
            "SYMM" => {
                if self.symmetry.operators.len() == MOST_OPERATORS {
                    return Err(format!("more than {MOST_OPERATORS} symmetry operators"));
                }
                push(&mut self.symmetry.operators, rest.to_owned()).ok_or("no memory for more operators")?;
            }
            "VALM" => self.missing = missing_value(rest)?,
            "COLU" => self.take_column(rest)?,
            "CRYS" => self.dataset(rest, |dataset, name| {
                dataset.crystal = name.to_owned();
                Ok(())
            })?,
            "DATA" => self.dataset(rest, |dataset, name| {
                dataset.name = name.to_owned();
                Ok(())
            })?,
            "DCEL" => self.dataset(rest, |dataset, cell| {
                dataset.cell = Some(numbers(cell, finite)?);
                Ok(())
            })?,
            "DWAV" => self.dataset(rest, |dataset, wavelength| {
                let [wavelength] = numbers(wavelength, finite)?;
                // 0 stands for an unknown one.
                dataset.wavelength_angstrom = (wavelength > 0.0).then_some(wavelength);
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    }

    /// `nsym nprimitive lattice number 'name' PGname`. The number is CCP4's, which counts settings in thousands.
    fn take_group(&mut self, rest: &str) {
        let number = rest.split_whitespace().nth(3).and_then(|word| word.parse::<u32>().ok());
        self.symmetry.number = number.filter(|&number| number > 0);
        let quoted = rest.split_once('\'').and_then(|(_, name)| name.split_once('\'')).map(|(name, _)| name);
        let name = quoted.or_else(|| rest.split_whitespace().nth(4)).map_or("", str::trim);
        self.symmetry.name = (!name.is_empty()).then(|| name.to_owned());
    }

    /// `label type min max dataset`; very old files have no dataset.
    fn take_column(&mut self, rest: &str) -> Result<(), String> {
        let mut words = rest.split_whitespace();
        let (Some(label), Some(&[kind])) = (words.next(), words.next().map(str::as_bytes)) else {
            return Err("needs a label and a type of one letter".to_owned());
        };
        if self.columns.len() == MOST_COLUMNS {
            return Err(format!("more than {MOST_COLUMNS} columns"));
        }
        let dataset = words.nth(2).map_or(Ok(0), |word| {
            word.parse().map_err(|_| format!("{} is not the number of a dataset", shown(word.as_bytes())))
        })?;
        self.columns.push(Column { label: label.to_owned(), kind: Kind(kind), dataset });
        Ok(())
    }

    /// Gives `take` the dataset whose number `rest` begins with, and what follows.
    fn dataset(
        &mut self,
        rest: &str,
        take: impl FnOnce(&mut Dataset, &str) -> Result<(), String>,
    ) -> Result<(), String> {
        let (number, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let number = number.parse().map_err(|_| "needs the number of a dataset".to_owned())?;
        if self.datasets.len() == MOST_DATASETS && !self.datasets.contains_key(&number) {
            return Err(format!("more than {MOST_DATASETS} datasets"));
        }
        take(self.datasets.entry(number).or_default(), rest.trim())
    }
}

/// Fills `record` from `input`; the number of bytes is smaller at the end of the input only.
fn read_most(input: &mut dyn BufRead, record: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < record.len() {
        match input.read(&mut record[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// The first `N` words as numbers.
fn numbers<T: Copy + Default, const N: usize>(
    text: &str,
    number: impl Fn(&str) -> Result<T, String>,
) -> Result<[T; N], String> {
    let mut values = [T::default(); N];
    let mut words = text.split_whitespace();
    for value in &mut values {
        *value = number(words.next().ok_or_else(|| format!("needs {N} numbers"))?)?;
    }
    Ok(values)
}

fn whole(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("{} is not a count", shown(word.as_bytes())))
}

/// `NAN`, which every file has as missing value, or another number.
fn missing_value(text: &str) -> Result<Option<f32>, String> {
    let value: f32 = text.parse().map_err(|_| format!("{} is not a number", shown(text.as_bytes())))?;
    Ok((!value.is_nan()).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_without_limit_is_refused() {
        let endless = |record: fn(usize) -> String, count: usize| {
            let records: String = (0..count).map(|i| format!("{:<80}", record(i))).collect();
            Header::read(&mut records.as_bytes(), Path::new("a.mtz"), 80).unwrap_err().to_string()
        };
        let message = endless(|_| "SORT 0".to_owned(), 100_001);
        assert!(message.contains("no END within 100000 records"), "{message}");
        let message = endless(|_| "SYMM X,Y,Z".to_owned(), 1001);
        assert!(message.contains("more than 1000 symmetry operators"), "{message}");
        let message = endless(|i| format!("CRYSTAL {i} name"), 10_001);
        assert!(message.contains("more than 10000 datasets"), "{message}");
    }
}
