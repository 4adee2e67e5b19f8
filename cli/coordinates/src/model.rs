//! A model: atoms in a cell with symmetry.

use widebragg_reflections::cell::Cell;
use widebragg_reflections::symmetry::StatedSymmetry;

use crate::elements::Element;
use crate::scatterers::B_PER_U;

/// How an atom is smeared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Displacement {
    /// B in Å^2.
    Isotropic(f64),
    /// U11 U22 U33 U12 U13 U23 in Å^2, in the orthogonal frame of PDB files (a along x, b in the plane of x and y).
    Anisotropic([f64; 6]),
}

impl Displacement {
    /// B, or that of the sphere with the mean of an anisotropic U: 8 pi^2 (U11 + U22 + U33)/3. In Å^2.
    #[must_use]
    pub fn equivalent_b_angstrom2(&self) -> f64 {
        match *self {
            Self::Isotropic(b) => b,
            Self::Anisotropic([xx, yy, zz, ..]) => B_PER_U * (xx + yy + zz) / 3.0,
        }
    }
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
