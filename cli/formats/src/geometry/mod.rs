//! The geometry of an experiment as files describe it: a detector of panels, the beam, the spindle with its scan, and
//! the crystal.
//!
//! All vectors of a [`Geometry`] are in one right-handed laboratory frame, which [`Frame`] names, with the sample at
//! its origin. Lengths are in metres, reciprocal lengths in 1/Angstrom, angles in degrees. Vectors that give a
//! direction have length 1. What a file does not say is `None` here: readers invent nothing.
//!
//! [`read_geometry`] reads files of several formats, which it recognises by content:
//!
//! ```
//! use std::path::Path;
//! use widebragg_formats::geometry::{Frame, parse_geometry};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut file = &b"photon_energy = 12400 eV
//! clen = 0.1 m
//! res = 10000 ; pixels a metre
//! p0/min_fs = 0
//! p0/max_fs = 99
//! p0/min_ss = 0
//! p0/max_ss = 49
//! p0/corner_x = -50
//! p0/corner_y = -25
//! p0/fs = +1.0x
//! p0/ss = +1.0y
//! "[..];
//! let read = parse_geometry(&mut file, Path::new("a.geom"), 0)?;
//! let panel = &read.geometry.panels[0];
//! assert_eq!((read.format, read.geometry.frame), ("CrystFEL geometry", Frame::McStas));
//! assert_eq!((panel.pixels, panel.origin_m), ([100, 50], [-0.005, -0.0025, 0.1]));
//! assert_eq!(panel.position_m([100.0, 50.0]), [0.005, 0.0025, 0.1]);
//! # Ok(())
//! # }
//! ```
//!
//! # As options of nanoBragg
//!
//! The frame of a file can be the laboratory as it is. With f, s the axes of a panel, o its origin, c = f . s, and n
//! the unit vector along f x s, turned so that o . n > 0, nanoBragg places the corner of the panel at o with
//!
//! ```text
//! -fdet_vector f   -sdet_vector s   -odet_vector n   -pivot sample   -close_distance o . n
//! -Xclose (c (o . s) - o . f)/(1 - c^2)   -Yclose (c (o . f) - o . s)/(1 - c^2)
//! -beam_vector Beam::direction   -polar_vector electric_vector   -polar kahn_factor   -spindle_axis spindle
//! ```
//!
//! lengths in mm; and `-mat` with the nine numbers of lambda A, lambda in Angstrom. Where f and s are perpendicular, c
//! is 0.

mod crystfel;
mod dials;
mod file;
mod flat;
mod groups;
mod imgcif;
mod mini_cbf;
mod smv;
pub(crate) mod vectors;
mod xds;

use widebragg_reflections::cell::Cell;

pub use file::{BadRegion, BlockMask, GeometryFile, Held, parse_geometry, read_geometry};

/// What a file says of the geometry of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Geometry {
    /// The frame of all vectors.
    pub frame: Frame,
    /// The beam.
    pub beam: Beam,
    /// The panels of the detector, at least one, in the file's order.
    pub panels: Vec<Panel>,
    /// Unit axis about which the crystal turns, right-handed in phi; `None`: a still, or not stated.
    pub spindle: Option<[f64; 3]>,
    /// The rotation in frames; `None`: a still, or not stated.
    pub scan: Option<Scan>,
    /// The crystal.
    pub crystal: Option<Crystal>,
}

impl Geometry {
    /// Pixels along fast and slow of the block of data that holds all panels.
    #[must_use]
    pub fn block_size(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            let end = |panel: &Panel| panel.data_origin[axis].saturating_add(panel.pixels[axis]);
            self.panels.iter().map(end).max().unwrap_or(0)
        })
    }
}

/// The laboratory frame of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// That of a DIALS experiment list; by custom +z from the sample to the source and +x along the spindle.
    Dials,
    /// McStas, NeXus and CrystFEL: +z along the beam, +y up.
    McStas,
    /// That of an XDS file, which may be any.
    Xds,
    /// That of image headers, the convention that the reference calls MOSFLM: +x along the beam, +z along the spindle.
    Mosflm,
}

/// The beam.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beam {
    /// Unit vector from the source to the sample.
    pub direction: [f64; 3],
    /// Wavelength.
    pub lambda_m: Option<f64>,
    /// Polarisation.
    pub polarization: Option<Polarization>,
}

/// The polarisation of a beam.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Polarization {
    /// Unit vector along the stronger electric field.
    pub electric_vector: [f64; 3],
    /// Kahn's factor k, -1 to 1. The fraction of the intensity whose electric vector is along it is (k + 1)/2.
    pub kahn_factor: f64,
}

/// A flat rectangle of pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Its name in the file; its number where it has none.
    pub name: String,
    /// Pixels along fast and slow.
    pub pixels: [usize; 2],
    /// Its first pixel in the block of data of all panels, along fast and slow.
    pub data_origin: [usize; 2],
    /// Edges of a pixel along fast and slow.
    pub pixel_m: [f64; 2],
    /// Outer corner of the first pixel.
    pub origin_m: [f64; 3],
    /// Unit fast axis.
    pub fast: [f64; 3],
    /// Unit slow axis.
    pub slow: [f64; 3],
    /// The sensor.
    pub sensor: Option<Sensor>,
    /// The smallest and the largest count that are valid, both included.
    pub valid: [Option<f64>; 2],
}

impl Panel {
    /// A point of the panel, in m, at a position along fast and slow in pixels from the outer corner of the first one.
    #[must_use]
    pub fn position_m(&self, [fast, slow]: [f64; 2]) -> [f64; 3] {
        let along_fast = vectors::plus(self.origin_m, fast * self.pixel_m[0], self.fast);
        vectors::plus(along_fast, slow * self.pixel_m[1], self.slow)
    }
}

/// The sensor of a panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensor {
    /// Its material, as the file writes it.
    pub material: Option<String>,
    /// Thickness.
    pub thickness_m: f64,
    /// Attenuation per metre at the beam's wavelength.
    pub attenuation_per_m: Option<f64>,
}

/// A rotation in equal steps, one a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scan {
    /// Number of the first frame.
    pub first: usize,
    /// Frames.
    pub frames: usize,
    /// Phi at the start of the first frame.
    pub start_deg: f64,
    /// Oscillation of a frame.
    pub width_deg: f64,
    /// Exposure of a frame.
    pub exposure_s: Option<f64>,
}

/// A crystal. An A matrix has the rows x, y, z and the columns a*, b*, c*, in 1/Angstrom, so that A h is the scattering
/// vector of reflection h at phi = 0, in the frame of the geometry and with the fixed rotations of a goniometer
/// applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Crystal {
    /// A at phi = 0.
    pub a_matrix: [[f64; 3]; 3],
    /// A at the start of each frame and at the end of the last, where the crystal was refined frame by frame.
    pub a_at_frames: Vec<[[f64; 3]; 3]>,
    /// Its space group, as the file writes it.
    pub space_group: Option<String>,
}

impl Crystal {
    /// The axes a, b, c in Angstrom at phi = 0, as rows: the inverse of A. `None` where A has none.
    #[must_use]
    pub fn axes_angstrom(&self) -> Option<[[f64; 3]; 3]> {
        vectors::inverse(self.a_matrix)
    }

    /// The cell of these axes. `None` where A has no inverse.
    #[must_use]
    pub fn cell(&self) -> Option<Cell> {
        let [a, b, c] = self.axes_angstrom()?;
        let angle_deg = |u, v| vectors::length(vectors::cross(u, v)).atan2(vectors::dot(u, v)).to_degrees();
        Some(Cell {
            lengths_angstrom: [a, b, c].map(vectors::length),
            angles_deg: [angle_deg(b, c), angle_deg(c, a), angle_deg(a, b)],
        })
    }
}
