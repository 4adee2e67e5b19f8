//! Why structure factors cannot be computed.

use core::fmt;

use widebragg_reflections::cell::Cell;

use crate::elements::Element;

/// Why structure factors cannot be computed: one line for the user.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The model has no atoms.
    NoAtoms,
    /// The lengths and angles close no cell.
    ImpossibleCell(Cell),
    /// A number of an atom is not finite.
    NotFinite {
        /// Position of the atom in the model, from 0.
        atom: usize,
        /// The number, in words.
        what: &'static str,
    },
    /// B of an atom is so far below 0 that its scattering grows without bounds.
    TooNegative {
        /// Position of the atom in the model, from 0.
        atom: usize,
        /// The least B of any direction, in Å^2.
        b_angstrom2: f64,
    },
    /// A resolution that is not positive and finite, or so high that the indices do not fit.
    Resolution(f64),
    /// A parameter of the bulk solvent that is not usable, in words.
    Solvent(&'static str),
    /// No f', f'' are known at this energy.
    Energy {
        /// The element.
        element: Element,
        /// The energy that was asked for, in eV.
        energy_ev: f64,
        /// First and last energy in eV that are known; `None` where none is.
        known_ev: Option<(f64, f64)>,
    },
    /// A scan of f', f'' that is not usable, in words.
    Scan(String),
    /// The output has another number of values than the ranges of indices have nodes.
    BoxSize {
        /// Values in the output.
        values: usize,
        /// Nodes of the ranges.
        nodes: usize,
    },
    /// Too little memory.
    OutOfMemory {
        /// What was asked for, in bytes.
        bytes: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAtoms => f.write_str("the model has no atoms"),
            Self::ImpossibleCell(cell) => write!(f, "{cell} is no unit cell"),
            Self::NotFinite { atom, what } => write!(f, "atom {}: {what} is not finite", atom + 1),
            Self::TooNegative { atom, b_angstrom2 } => {
                write!(f, "atom {}: a B of {b_angstrom2} A^2 is not possible", atom + 1)
            }
            Self::Resolution(d) => {
                write!(f, "a resolution of {d} Angstrom is not possible for structure factors")
            }
            Self::Solvent(what) => write!(f, "bulk solvent: {what}"),
            Self::Energy { element, energy_ev, known_ev: None } => {
                write!(f, "no f', f'' are known for {element} (at {energy_ev} eV)")
            }
            Self::Energy { element, energy_ev, known_ev: Some((first, last)) } => {
                write!(f, "f', f'' of {element} are known from {first} to {last} eV, not at {energy_ev} eV")
            }
            Self::Scan(what) => write!(f, "scan of f', f'': {what}"),
            Self::BoxSize { values, nodes } => {
                write!(f, "{values} amplitudes for {nodes} nodes of the ranges of h, k, l")
            }
            Self::OutOfMemory { bytes } => {
                let gib = *bytes as f64 / f64::from(1 << 30);
                write!(f, "structure factors need {gib:.2} GiB of memory, more than there is")
            }
        }
    }
}

impl core::error::Error for Error {}

/// A vector of `count` zeros, or an error where there is too little memory.
pub(crate) fn zeros<T: Clone + Default>(count: usize) -> Result<Vec<T>, Error> {
    let mut vector = Vec::new();
    let error = Error::OutOfMemory { bytes: count.saturating_mul(size_of::<T>()) };
    vector.try_reserve_exact(count).map_err(|_| error)?;
    vector.resize(count, T::default());
    Ok(vector)
}
