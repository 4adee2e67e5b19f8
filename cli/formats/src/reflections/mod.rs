//! Reflections in the formats of crystallography: which column is taken, and what else a file holds.
//!
//! Formats are recognised by content, never by name, in gzip archives as well. Plain lines of h k l F are handed back,
//! for [`crate::hkl`]; atomic models, whose structure factors are computed, are read by [`crate::coordinates`].
//!
//! ```
//! use std::path::Path;
//! use widebragg_formats::reflections::{Choice, Contents, parse_reflections};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut file = &b"data_a\n_symmetry.Int_Tables_number 19\nloop_\n_refln.index_h\n_refln.index_k\n_refln.index_l
//! _refln.F_meas_au\n0 0 2 514.4\n0 0 4 ?\n"[..];
//! match parse_reflections(&mut file, Path::new("a.cif"), &Choice::default())? {
//!     Contents::File(file) => {
//!         assert_eq!((file.format, file.taken.as_slice()), ("mmCIF", &["F_meas_au".to_owned()][..]));
//!         assert_eq!((file.read, file.missing, file.observations.list[0].hkl), (2, 1, [0, 0, 2]));
//!         assert_eq!(file.symmetry.number, Some(19));
//!     }
//!     Contents::Text(_) | Contents::Model(_) => unreachable!("it is a list in a CIF"),
//! }
//! # Ok(())
//! # }
//! ```

pub mod cns;
pub mod crystfel;
mod fixed;
mod format;
pub mod hklf;
mod mtz;
pub mod p1;
mod refln;
mod rows;
pub mod scalepack;
mod taken;
pub mod xds;

use std::io::Read;
use std::path::Path;

use widebragg_coordinates::model::Model;
use widebragg_reflections::cell::Cell;
use widebragg_reflections::observations::Observations;
use widebragg_reflections::symmetry::StatedSymmetry;

use crate::coordinates::{holds_model, parse_unpacked};
use crate::failure::Failure;
use crate::text::in_file;
use crate::unpack::Unpacked;
pub use format::Format;
use hklf::Hklf;
pub use mtz::write_mtz;

/// Largest absolute value of an index; with larger ones a file is damaged, or no list of reflections.
const MOST_INDEX: i32 = 1_000_000;

/// Number of labels that a refusal lists.
const MOST_LABELS: usize = 40;

/// Longest part of a label that is shown.
const MOST_LABEL_CHARS: usize = 40;

/// What a user chooses of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// Labels of columns (`--hkl-columns`); empty: by the rules of the format.
    pub columns: Vec<String>,
    /// Data block of a CIF (`--hkl-block`).
    pub block: Option<String>,
    /// The format (`--hkl-format`); none: as its first bytes say.
    pub format: Option<Format>,
}

/// A column of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its label, with the data set where there are several.
    pub label: String,
    /// What it holds, in words: "amplitude", "phase".
    pub kind: &'static str,
    /// Number of rows with a value.
    pub present: usize,
}

/// A file of reflections, read.
#[derive(Debug, Clone, PartialEq)]
pub struct ReflectionFile {
    /// The format, in words: "MTZ", "mmCIF".
    pub format: &'static str,
    /// The cell; none in some formats, and where the file states an impossible one.
    pub cell: Option<Cell>,
    /// What it says of symmetry.
    pub symmetry: StatedSymmetry,
    /// Wavelength in Å.
    pub wavelength_angstrom: Option<f64>,
    /// All columns of values, those taken included.
    pub columns: Vec<Column>,
    /// Labels of the columns taken.
    pub taken: Vec<String>,
    /// Rows read.
    pub read: usize,
    /// Rows without a value in the columns taken.
    pub missing: usize,
    /// The values.
    pub observations: Observations,
    /// What the user should know, a sentence each.
    pub warnings: Vec<String>,
}

impl ReflectionFile {
    /// Leaves out a cell that is none, such as the zeros that stand for an unknown one.
    fn check_cell(&mut self) {
        if let Some(stated) = self.cell.take_if(|cell| !cell.is_possible()) {
            self.warnings.push(format!("the cell of the file, {stated}, is not possible, and is not used"));
        }
    }
}

/// What a stream of reflections is.
#[derive(Debug)]
pub enum Contents<'a> {
    /// A format of crystallography, read.
    File(Box<ReflectionFile>),
    /// Lines of h k l F, unpacked and not read, for [`crate::hkl::parse_hkl`].
    Text(Unpacked<'a>),
    /// An atomic model, read.
    Model(Box<Model>),
}

/// Reads reflections in the format that `choice` names, or else in the one that the first bytes show; `path` is the
/// name of `input` in error messages.
///
/// Memory grows with what is there: 40 bytes for each observation, and of an MTZ all its data as well,
/// since the description of its columns follows them.
///
/// # Errors
/// The stream cannot be read, is damaged, has no such columns, holds unmerged reflections, or needs more memory than
/// there is.
pub fn parse_reflections<'a>(
    input: &'a mut dyn Read,
    path: &Path,
    choice: &Choice,
) -> Result<Contents<'a>, Failure> {
    let mut input = Unpacked::new(input, path)?;
    if choice.format.is_none() && holds_model(&mut input, path)? {
        let model = parse_unpacked(&mut input, path)?;
        input.check_end(path)?;
        return Ok(Contents::Model(Box::new(model)));
    }
    let format = choice.format.map_or_else(|| Format::recognised(input.start()), Ok);
    let format = format.map_err(|(kind, advice)| {
        let advice = if advice.is_empty() { String::new() } else { format!("; {advice}") };
        in_file(path, format!("this is {kind}; reflections are expected{advice}"))
    })?;
    let mut file = match format {
        Format::Text => return Ok(Contents::Text(input)),
        Format::Mtz => mtz::parse(&mut input, path, choice)?,
        Format::Cif => refln::parse(&mut input, path, choice)?,
        Format::Xds => xds::parse(&mut input, path, choice)?,
        Format::CrystFel => crystfel::parse(&mut input, path, choice)?,
        Format::Scalepack => scalepack::parse(&mut input, path, choice)?,
        Format::Cns => cns::parse(&mut input, path, choice)?,
        Format::Hklf3 => hklf::parse(&mut input, path, choice, Hklf::Amplitudes)?,
        Format::Hklf4 => hklf::parse(&mut input, path, choice, Hklf::Intensities)?,
    };
    input.check_end(path)?;
    file.check_cell();
    Ok(Contents::File(Box::new(file)))
}

/// A label for messages and lists: of bounded length, without control characters.
fn printable(label: &str) -> String {
    let visible = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    label.chars().take(MOST_LABEL_CHARS).map(visible).collect()
}

/// The columns of a file in words, for refusals.
fn labels_of(columns: &[Column]) -> String {
    if columns.is_empty() {
        return "the file has no columns of values".to_owned();
    }
    let listed = columns.iter().take(MOST_LABELS).map(|column| {
        let empty = if column.present == 0 { ", empty" } else { "" };
        format!("{} ({}{empty})", column.label, column.kind)
    });
    let more = columns.len().saturating_sub(MOST_LABELS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("the file has {}{more}", listed.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_cells_are_left_out() {
        let cif = |gamma: f64| {
            format!(
                "data_a\n_cell_length_a 10\n_cell_length_b 11\n_cell_length_c 12\n_cell_angle_alpha 60\n\
                 _cell_angle_beta 60\n_cell_angle_gamma {gamma}\n_refln_index_h 1\n_refln_index_k 2\n\
                 _refln_index_l 3\n_refln_F_meas 4\n"
            )
        };
        let file = |text: String| match parse_reflections(
            &mut text.as_bytes(),
            Path::new("a"),
            &Choice::default(),
        ) {
            Ok(Contents::File(file)) => *file,
            other => panic!("{other:?}"),
        };
        assert_eq!(file(cif(60.0)).cell, Some(Cell::from([10.0, 11.0, 12.0, 60.0, 60.0, 60.0])));
        let impossible = file(cif(130.0));
        assert_eq!(impossible.cell, None);
        let expected = "the cell of the file, 10 11 12 60 60 130, is not possible, and is not used";
        assert_eq!(impossible.warnings, [expected]);
    }
}
