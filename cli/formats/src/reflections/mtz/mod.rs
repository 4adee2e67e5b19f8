//! MTZ, the binary format of reflections of CCP4.
//!
//! | bytes | what |
//! |---|---|
//! | 0..4 | `MTZ ` |
//! | 4..8 | position w of the header as signed 32-bit integer, in words of four bytes that count from 1 |
//! | 8..12 | machine stamp: the high halves of bytes 8 and 9 are the formats of floats and integers, 1 big-endian, 4 or 0 little-endian |
//! | 12..20 | where w = -1: w as signed 64-bit integer |
//! | 80.. | the data, 32-bit floats, row by row |
//! | 4 (w - 1).. | the header: records of 80 characters up to `END` |
//!
//! A value is missing where it is NaN, or the number of the record VALM. Indices are the columns H, K and L of type H,
//! wherever they stand. Uncertainties are not read: only unmerged lists need them, and unmerged files are refused.
//!
//! Source: the description of the format in the CCP4 manual ("mtzformat").
//!
//! Cost: the header, which says what the columns are, follows the data, so a stream is held in memory until it has been
//! read: its data once, then 40 bytes for each observation. A million reflections take 0.1 s.

mod choice;
mod header;
mod writer;

use std::io::{self, BufRead, Read as _};
use std::path::Path;

use widebragg_reflections::cell::Cell;
use widebragg_reflections::observations::{Hkl, Mates, Observation, Observations};

use super::taken::{Taken, push_observations};
use super::{Choice, MOST_INDEX, ReflectionFile, labels_of, printable};
use crate::failure::Failure;
use crate::memory;
use crate::text::{cannot_read, in_file, shown};
use choice::Columns;
use header::{Column, Header, Kind};
pub use writer::write_mtz;

/// Where the data begin.
const DATA_BEGIN: u64 = 80;

/// Length of a number.
const WORD_BYTES: u64 = 4;

/// Bytes of data for which memory is reserved at first.
const FIRST_BYTES: usize = 1 << 16;

/// Order of the bytes of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Big,
    Little,
}

/// Reads an MTZ; `path` is the stream's name in error messages.
pub(crate) fn parse(
    input: &mut dyn BufRead,
    path: &Path,
    choice: &Choice,
) -> Result<ReflectionFile, Failure> {
    let mut first = [0; DATA_BEGIN as usize];
    input.read_exact(&mut first).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            in_file(path, format!("ends before byte {DATA_BEGIN}, not a whole MTZ"))
        }
        _ => cannot_read(path, &error),
    })?;
    let (order, position) = header_position(&first).map_err(|what| in_file(path, what))?;
    let data = read_data(input, path, position)?;
    let header = Header::read(input, path, position)?;
    let table = Table::new(&header, &data, order, position).map_err(|what| in_file(path, what))?;
    table.file(choice).map_err(|what| in_file(path, what))
}

/// The order of bytes, and the byte at which the header begins.
fn header_position(first: &[u8; DATA_BEGIN as usize]) -> Result<(Order, u64), String> {
    let field = |at: usize| [first[at], first[at + 1], first[at + 2], first[at + 3]];
    if !first.starts_with(b"MTZ ") {
        return Err("does not begin with \"MTZ \"".to_owned());
    }
    let [floats, integers] = [8, 9].map(|at| first[at] >> 4);
    let order = match integers {
        1 => Order::Big,
        0 | 4 => Order::Little,
        other => {
            return Err(format!("bytes 8 to 11: the number format {other} of an old machine is not read"));
        }
    };
    if floats != integers && floats != 0 {
        return Err(format!(
            "bytes 8 to 11: floats of the format {floats} with integers of the format {integers} are not read"
        ));
    }
    let short = match order {
        Order::Big => i32::from_be_bytes(field(4)),
        Order::Little => i32::from_le_bytes(field(4)),
    };
    let (at, word) = if short == -1 {
        let mut long = [0; 8];
        long.copy_from_slice(&first[12..20]);
        let word = match order {
            Order::Big => i64::from_be_bytes(long),
            Order::Little => i64::from_le_bytes(long),
        };
        ("12 to 19", word)
    } else {
        ("4 to 7", i64::from(short))
    };
    let position = word.checked_sub(1).and_then(|words| words.checked_mul(WORD_BYTES as i64));
    match position.and_then(|position| u64::try_from(position).ok()) {
        Some(position) if position >= DATA_BEGIN => Ok((order, position)),
        _ => Err(format!("bytes {at}: a header cannot begin at word {word}, counted from 1")),
    }
}

/// Reads the data, up to the header at byte `position`.
fn read_data(input: &mut dyn BufRead, path: &Path, position: u64) -> Result<Vec<u8>, Failure> {
    let length = position - DATA_BEGIN;
    let mut data = Vec::new();
    while (data.len() as u64) < length {
        // Memory grows with the data that are there, whatever the position of the header.
        let rest = length - data.len() as u64;
        let piece = rest.min(data.len().max(FIRST_BYTES) as u64);
        memory::reserve(&mut data, piece as usize)
            .ok_or_else(|| in_file(path, "no memory for the data of this MTZ"))?;
        let read =
            (&mut *input).take(piece).read_to_end(&mut data).map_err(|error| cannot_read(path, &error))?;
        if (read as u64) < piece {
            let end = DATA_BEGIN + data.len() as u64;
            return Err(in_file(
                path,
                format!("ends at byte {end}, but its header should begin at byte {position}"),
            ));
        }
    }
    Ok(data)
}

/// The data with their description.
struct Table<'a> {
    header: &'a Header,
    order: Order,
    /// The rows, one after the other.
    data: &'a [u8],
    row_bytes: usize,
}

impl<'a> Table<'a> {
    /// Checks that the description is complete, and that the data are there.
    fn new(header: &'a Header, data: &'a [u8], order: Order, position: u64) -> Result<Self, String> {
        let [columns, rows, batches] = header.counts.ok_or("the header has no record NCOL")?;
        let has = |kind| header.columns.iter().any(|column| column.kind == kind);
        if batches > 0 || has(Kind::BATCH) && has(Kind::SYMMETRY) {
            return Err(format!("unmerged ({batches} batches): merge it first, e.g. aimless, dials.merge"));
        }
        if columns != header.columns.len() as u64 {
            return Err(format!("NCOL says {columns} columns, but {} are described", header.columns.len()));
        }
        if rows == 0 || columns == 0 {
            return Err("no reflections in it".to_owned());
        }
        let needed = columns.checked_mul(rows).and_then(|values| values.checked_mul(WORD_BYTES));
        let needed = needed.and_then(|bytes| usize::try_from(bytes).ok());
        let data = needed.and_then(|needed| data.get(..needed)).ok_or_else(|| {
            format!(
                "{rows} reflections of {columns} columns do not fit between byte {DATA_BEGIN} and the header at \
                 byte {position}"
            )
        })?;
        Ok(Self { header, order, data, row_bytes: data.len() / rows as usize })
    }

    fn rows(&self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.data.chunks_exact(self.row_bytes)
    }

    /// The number in a column of a row.
    #[inline]
    fn number(&self, row: &[u8], column: usize) -> f32 {
        let bytes = row.as_chunks().0.get(column).copied().unwrap_or_default();
        match self.order {
            Order::Big => f32::from_be_bytes(bytes),
            Order::Little => f32::from_le_bytes(bytes),
        }
    }

    /// The number in a column of a row; `None` where it is missing.
    #[inline]
    fn value(&self, row: &[u8], column: usize) -> Option<f32> {
        let value = self.number(row, column);
        (!value.is_nan() && self.header.missing != Some(value)).then_some(value)
    }

    /// Number of values in each column.
    fn present(&self) -> Vec<usize> {
        let mut present = vec![0; self.header.columns.len()];
        for row in self.rows() {
            for (column, present) in present.iter_mut().enumerate() {
                *present += usize::from(self.value(row, column).is_some());
            }
        }
        present
    }

    fn file(&self, choice: &Choice) -> Result<ReflectionFile, String> {
        let Header { columns, datasets, .. } = self.header;
        if let Some(block) = &choice.block {
            return Err(format!("an MTZ has no data blocks, and none named {}", shown(block.as_bytes())));
        }
        let present = self.present();
        let index_columns = self.index_columns()?;
        let all = Columns { all: columns, datasets, present: &present };
        let listed: Vec<super::Column> = (0..columns.len())
            .filter(|&at| columns[at].kind != Kind::INDEX)
            .map(|at| super::Column {
                label: printable(&all.label(at)),
                kind: columns[at].kind.words(),
                present: present[at],
            })
            .collect();
        let taken = if choice.columns.is_empty() {
            all.by_default().ok_or_else(|| "no amplitudes or intensities are taken by default".to_owned())
        } else {
            all.by_name(&choice.columns)
        };
        let (taken, quantity) = taken.map_err(|what| format!("{what}; {}", labels_of(&listed)))?;
        let values = match taken {
            Taken::Difference { amplitude, .. } => 2 * present[amplitude],
            _ => taken.columns().map(|at| present[at]).sum(),
        };
        let (list, missing) = self.observations(index_columns, taken, values)?;
        let dataset = taken.columns().next().and_then(|at| datasets.get(&columns[at].dataset));
        let own_cell = dataset.and_then(|dataset| dataset.cell).filter(|[a, ..]| *a > 0.0);
        Ok(ReflectionFile {
            format: "MTZ",
            cell: own_cell.or(self.header.cell).map(Cell::from),
            symmetry: self.header.symmetry.clone(),
            wavelength_angstrom: dataset.and_then(|dataset| dataset.wavelength_angstrom),
            columns: listed,
            taken: taken.columns().map(|at| printable(&all.label(at))).collect(),
            read: self.rows().len(),
            missing,
            observations: Observations { quantity, list, weighted: false, mates: Mates::AsListed },
            warnings: Vec::new(),
        })
    }

    /// The columns of h, k and l.
    fn index_columns(&self) -> Result<[usize; 3], String> {
        let find = |name| {
            let is_index = |column: &Column| column.kind == Kind::INDEX && column.label == name;
            let found = self.header.columns.iter().position(is_index);
            found.ok_or_else(|| format!("no column {name} of indices (type H)"))
        };
        Ok([find("H")?, find("K")?, find("L")?])
    }

    /// The observations, `count` in all, and the number of rows without any.
    fn observations(
        &self,
        indices: [usize; 3],
        taken: Taken,
        count: usize,
    ) -> Result<(Vec<Observation>, usize), String> {
        let no_memory = || format!("no memory for {count} values");
        let mut list = memory::reserved(count).ok_or_else(no_memory)?;
        let mut missing = 0;
        for (number, row) in (1..).zip(self.rows()) {
            let mut hkl: Hkl = [0; 3];
            for (index, &column) in hkl.iter_mut().zip(&indices) {
                *index = index_of(self.number(row, column)).map_err(|what| {
                    format!("reflection {number}, {}: {what}", self.header.columns[column].label)
                })?;
            }
            let values = taken.values(|column| match self.value(row, column) {
                Some(value) if value.is_infinite() => Err(format!(
                    "reflection {number}, {}: {value} is not a finite number",
                    printable(&self.header.columns[column].label)
                )),
                value => Ok(value.map(f64::from)),
            })?;
            missing += usize::from(values == [None; 2]);
            push_observations(&mut list, hkl, values).ok_or_else(no_memory)?;
        }
        Ok((list, missing))
    }
}

/// An index that is stored as a float.
fn index_of(value: f32) -> Result<i32, String> {
    if value.fract() != 0.0 || value.abs() > MOST_INDEX as f32 {
        return Err(format!("{value} is not an index"));
    }
    Ok(value as i32)
}
