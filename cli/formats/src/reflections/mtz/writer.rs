//! Amplitudes as an MTZ with the columns H K L F, in P 1.

use std::io;
use std::path::Path;

use widebragg_reflections::cell::{Cell, ReciprocalMetric};
use widebragg_reflections::observations::Hkl;

use super::{DATA_BEGIN, WORD_BYTES, header::RECORD_BYTES};
use crate::atomic::write_atomically;
use crate::failure::Failure;
use crate::reflections::MOST_INDEX;

/// Labels and types of the columns.
const COLUMNS: [(&str, char); 4] = [("H", 'H'), ("K", 'H'), ("L", 'H'), ("F", 'F')];

/// Largest number of words before a header whose position has 32 bits.
const MOST_SHORT_WORDS: u64 = i32::MAX as u64;

/// Writes amplitudes, all equivalents of the space group included, as the list of P 1 that it stands for. F is rounded
/// to f32, and NaN is a missing value. The indices may come in any order.
///
/// # Errors
/// The file cannot be written; and what the reader refuses: no reflections, an index beyond 1,000,000, an F beyond f32,
/// or an impossible cell.
pub fn write_mtz(
    path: &Path,
    cell: &Cell,
    reflections: impl Iterator<Item = (Hkl, f64)> + Clone,
) -> Result<(), Failure> {
    let refused = |what: String| Failure::output(format!("{}: {what}", path.display()));
    if !cell.is_possible() {
        return Err(refused(format!("an MTZ needs a cell, and {cell} is not possible")));
    }
    let mut summary = Summary::new(cell);
    for (hkl, f) in reflections.clone() {
        let [h, k, l] = hkl;
        if hkl.iter().any(|index| index.unsigned_abs() > MOST_INDEX.unsigned_abs()) {
            return Err(refused(format!("the indices {h} {k} {l} are too large for an MTZ")));
        }
        if f.abs() > f64::from(f32::MAX) {
            return Err(refused(format!("F of {h} {k} {l}, {f:e}, is too large for an MTZ")));
        }
        summary.add(hkl, f);
    }
    if summary.count == 0 {
        return Err(refused("no reflections for an MTZ".to_owned()));
    }
    write_atomically(path, |out| {
        out.write_all(&first_bytes(summary.count))?;
        for (hkl, f) in reflections {
            for value in hkl.map(|index| index as f32).into_iter().chain([f as f32]) {
                out.write_all(&value.to_le_bytes())?;
            }
        }
        for record in summary.records() {
            out.write_all(&padded(&record)?)?;
        }
        Ok(())
    })
}

/// The bytes before the data of `count` reflections: position of the header, and little-endian numbers.
fn first_bytes(count: u64) -> [u8; DATA_BEGIN as usize] {
    let word = DATA_BEGIN / WORD_BYTES + COLUMNS.len() as u64 * count + 1;
    let mut bytes = [0; DATA_BEGIN as usize];
    bytes[..4].copy_from_slice(b"MTZ ");
    let short = if word > MOST_SHORT_WORDS { -1 } else { word as i32 };
    bytes[4..8].copy_from_slice(&short.to_le_bytes());
    bytes[8..10].copy_from_slice(&[0x44, 0x41]);
    if short == -1 {
        bytes[12..20].copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

fn padded(record: &str) -> io::Result<[u8; RECORD_BYTES]> {
    let mut bytes = [b' '; RECORD_BYTES];
    let begin = bytes.get_mut(..record.len()).ok_or(io::ErrorKind::InvalidInput)?;
    begin.copy_from_slice(record.as_bytes());
    Ok(bytes)
}

/// What the header says of the data.
struct Summary<'a> {
    cell: &'a Cell,
    count: u64,
    ranges: [Range; COLUMNS.len()],
    /// 1/d^2 in 1/Å^2.
    resolution: Range,
    metric: ReciprocalMetric,
}

/// Least and greatest value, NaN apart.
#[derive(Clone, Copy)]
struct Range(Option<(f64, f64)>);

impl Range {
    fn add(&mut self, value: f64) {
        if !value.is_nan() {
            let (least, most) = self.0.unwrap_or((value, value));
            self.0 = Some((least.min(value), most.max(value)));
        }
    }

    fn limits(self) -> (f64, f64) {
        self.0.unwrap_or((0.0, 0.0))
    }
}

impl<'a> Summary<'a> {
    fn new(cell: &'a Cell) -> Self {
        let none = Range(None);
        Self {
            cell,
            count: 0,
            ranges: [none; COLUMNS.len()],
            resolution: none,
            metric: cell.reciprocal_metric(),
        }
    }

    fn add(&mut self, hkl: Hkl, f: f64) {
        self.count += 1;
        let [h, k, l] = hkl.map(f64::from);
        for (range, value) in self.ranges.iter_mut().zip([h, k, l, f]) {
            range.add(value);
        }
        if hkl != [0; 3] {
            self.resolution.add(self.metric.inverse_d_squared(hkl));
        }
    }

    fn records(&self) -> Vec<String> {
        let [a, b, c] = self.cell.lengths_angstrom;
        let [alpha, beta, gamma] = self.cell.angles_deg;
        let cell = format!("{a:9.4} {b:9.4} {c:9.4} {alpha:9.4} {beta:9.4} {gamma:9.4}");
        let (least, most) = self.resolution.limits();
        let mut records = vec![
            "VERS MTZ:V1.1".to_owned(),
            "TITLE Structure factors of P 1, written by widebragg".to_owned(),
            format!("NCOL {:8} {:12} {:8}", COLUMNS.len(), self.count, 0),
            format!("CELL  {cell}"),
            "SORT    0   0   0   0   0".to_owned(),
            "SYMINF   1  1 P     1                 'P 1' PG1".to_owned(),
            "SYMM X,  Y,  Z".to_owned(),
            format!("RESO {least:.12}   {most:.12}"),
            "VALM NAN".to_owned(),
        ];
        for ((label, kind), range) in COLUMNS.iter().zip(self.ranges) {
            let (least, most) = range.limits();
            let dataset = i32::from(*kind != 'H');
            records.push(format!(
                "COLUMN {label:30} {kind} {:17} {:17} {dataset:4}",
                number(least),
                number(most)
            ));
        }
        records.push("NDIF        2".to_owned());
        for (dataset, name) in [(0, "HKL_base"), (1, "widebragg")] {
            records.push(format!("PROJECT {dataset:7} {name}"));
            records.push(format!("CRYSTAL {dataset:7} {name}"));
            records.push(format!("DATASET {dataset:7} {name}"));
            records.push(format!("DCELL {dataset:9} {cell}"));
            records.push(format!("DWAVEL {dataset:8} {:10.5}", 0.0));
        }
        records.extend(["END", "MTZENDOFHEADERS"].map(str::to_owned));
        records
    }
}

/// A number of at most 17 characters.
fn number(value: f64) -> String {
    const MOST_CHARS: usize = 17;
    let plain = format!("{value:.4}");
    if plain.len() <= MOST_CHARS { plain } else { format!("{value:.6e}") }
}
