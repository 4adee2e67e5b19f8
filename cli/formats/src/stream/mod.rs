//! Streams of CrystFEL (`.stream`): what was found in each of many images, one chunk an image, several crystals a
//! chunk.
//!
//! [`StreamReader`] reads them chunk by chunk, so that a file of any length takes the memory of one chunk;
//! [`StreamWriter`] writes what is known of simulated stills.
//!
//! ```text
//! CrystFEL stream format 2.3
//! ...                                          program, command line, geometry, target cell
//! ----- Begin chunk -----
//! Image filename: a.h5
//! Event: //0
//! photon_energy_eV = 9000.0
//! ...                                          hits, peaks
//! --- Begin crystal
//! astar = +0.1000000 +0.0000000 +0.0000000 nm^-1
//! bstar = ...
//! cstar = ...
//! ...                                          lattice, reflections
//! --- End crystal
//! ----- End chunk -----
//! ```
//!
//! **Frame.** z is along the beam and y up ([`Frame::McStas`](crate::geometry::Frame)). The stars are the columns of A,
//! without a factor of 2 pi: h gives the ray along z/lambda + A h. A crystal has a displacement of the detector,
//! `det_shift`, which is added to x and y of all panels. Positions on a panel, in pixels, are those of its data: 0 at
//! the outer edge of the first pixel, plus the panel's `min_fs` and `min_ss`.
//!
//! **Units.** Reciprocal lengths of files are in 1/nm, here in 1/Angstrom; lambda in nm is 1239.8419843/E for E in eV.
//!
//! A stream knows neither the direction of the beam nor phi: the writer turns panels and crystals so that the beam is
//! z, and a rotated crystal has the A of its phi.
//!
//! Source: CrystFEL, `libcrystfel/src/stream.c` and its manual, whose names are used here.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

use crate::geometry::Crystal;

pub use reader::{StreamReader, read_stream};
pub use writer::{Spot, StreamHeader, StreamWriter, TargetCell, in_beam_frame, write_geometry};

/// An image of a stream.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chunk {
    /// The file of the image.
    pub image: String,
    /// Which image of the file it is; `None` where the file has one.
    pub event: Option<String>,
    /// Its number in the stream.
    pub serial: Option<u64>,
    /// Wavelength.
    pub lambda_m: Option<f64>,
    /// The crystals in the image; none where it is a blank, or was not indexed.
    pub lattices: Vec<Lattice>,
}

/// A crystal of a chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct Lattice {
    /// Its A matrix; streams have no space groups.
    pub crystal: Crystal,
    /// The kind of its lattice; `None`: not stated in full, which means triclinic and primitive.
    pub bravais: Option<Bravais>,
    /// What is to be added to x and y of the detector.
    pub detector_shift_m: [f64; 2],
}

/// The kind of a lattice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bravais {
    /// The lattice system.
    pub system: LatticeSystem,
    /// The centring: P, A, B, C, I, F, R or H.
    pub centering: char,
    /// The unique axis a, b or c; `*` where there is none, `?` where it is not known.
    pub unique_axis: char,
}

impl Bravais {
    /// The centrings that streams know.
    pub const CENTERINGS: [char; 8] = ['P', 'A', 'B', 'C', 'I', 'F', 'R', 'H'];

    /// The unique axes that streams know.
    pub const UNIQUE_AXES: [char; 5] = ['a', 'b', 'c', '*', '?'];

    /// Triclinic and primitive: what nothing else is known of.
    pub const TRICLINIC: Self = Self { system: LatticeSystem::Triclinic, centering: 'P', unique_axis: '*' };
}

/// A lattice system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LatticeSystem {
    /// No axis is special.
    Triclinic,
    /// One axis is perpendicular to the others.
    Monoclinic,
    /// Three perpendicular axes.
    Orthorhombic,
    /// Two of them equal.
    Tetragonal,
    /// Three equal axes and angles.
    Rhombohedral,
    /// Two equal axes at 120 degrees, and one across them.
    Hexagonal,
    /// Three equal perpendicular axes.
    Cubic,
}

impl LatticeSystem {
    /// All systems.
    pub const ALL: [Self; 7] = [
        Self::Triclinic,
        Self::Monoclinic,
        Self::Orthorhombic,
        Self::Tetragonal,
        Self::Rhombohedral,
        Self::Hexagonal,
        Self::Cubic,
    ];

    /// Its name in a stream.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Triclinic => "triclinic",
            Self::Monoclinic => "monoclinic",
            Self::Orthorhombic => "orthorhombic",
            Self::Tetragonal => "tetragonal",
            Self::Rhombohedral => "rhombohedral",
            Self::Hexagonal => "hexagonal",
            Self::Cubic => "cubic",
        }
    }
}

/// The lines that begin and end the parts of a stream.
mod marks {
    pub(super) const HEADING: &str = "CrystFEL stream format 2.";
    pub(super) const BEGIN_GEOMETRY: &str = "----- Begin geometry file -----";
    pub(super) const END_GEOMETRY: &str = "----- End geometry file -----";
    pub(super) const BEGIN_CELL: &str = "----- Begin unit cell -----";
    pub(super) const END_CELL: &str = "----- End unit cell -----";
    pub(super) const BEGIN_CHUNK: &str = "----- Begin chunk -----";
    pub(super) const END_CHUNK: &str = "----- End chunk -----";
    pub(super) const BEGIN_CRYSTAL: &str = "--- Begin crystal";
    pub(super) const END_CRYSTAL: &str = "--- End crystal";
    pub(super) const PEAKS: &str = "Peaks from peak search";
    pub(super) const END_PEAKS: &str = "End of peak list";
    pub(super) const REFLECTIONS: &str = "Reflections measured after indexing";
    pub(super) const END_REFLECTIONS: &str = "End of reflections";
}
