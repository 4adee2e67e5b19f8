//! A model: atoms in a cell with symmetry.

use widebragg_reflections::cell::Cell;
use widebragg_reflections::symmetry::StatedSymmetry;

use crate::elements::Element;

/// How an atom is smeared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Displacement {
    /// B in Å^2.
    Isotropic(f64),
    /// U11 U22 U33 U12 U13 U23 in Å^2, in the orthogonal frame of PDB files (a along x, b in the plane of x and y).
    Anisotropic([f64; 6]),
}

/// One atom of the asymmetric unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Atom {
    /// What it is.
    pub element: Element,
    /// Place in fractions of the cell.
    pub fractional: [f64; 3],
    /// Occupancy, as the file states it.
    pub occupancy: f64,
    /// How it is smeared.
    pub displacement: Displacement,
}

/// A model, as a file states it.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Its cell.
    pub cell: Cell,
    /// Its symmetry.
    pub symmetry: StatedSymmetry,
    /// Atoms of the asymmetric unit.
    pub atoms: Vec<Atom>,
    /// Whether the occupancy of an atom on a special position is that of its full site (small-molecule CIF) or its
    /// share of it (PDB).
    pub full_sites: bool,
    /// What the reader left out or assumed, a sentence each.
    pub warnings: Vec<String>,
}
