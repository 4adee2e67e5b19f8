//! Reflections in the formats of crystallography: which column is taken, and what else a file holds.

pub mod cns;
pub mod crystfel;
mod fixed;
pub mod hklf;
mod rows;
pub mod scalepack;
pub mod xds;

use widebragg_reflections::cell::Cell;
use widebragg_reflections::observations::Observations;
use widebragg_reflections::symmetry::StatedSymmetry;

/// What a user chooses of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// Labels of columns (`--hkl-columns`); empty: by the rules of the format.
    pub columns: Vec<String>,
    /// Data block of a CIF (`--hkl-block`).
    pub block: Option<String>,
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
    /// The cell; none in some formats.
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
