//! NXmx: diffraction images and the geometry of their experiment in one HDF5 file, by the application definition of
//! NeXus.
//!
//! A file holds a rotation series or stills of a detector of any number of panels, whose pixels lie in one block a
//! frame, usually stacked along slow. What readers differ in is avoided: texts are ASCII of fixed length; all offsets
//! stand with `module_offset`; modules are named so that their alphabetical order is theirs; a constant wavelength is
//! a scalar; a sensor has a thickness; stills depend on "."; steps of the spindle are positive, with axis and angles
//! turned round where they were negative. Vectors are in the frame of McStas, z along the beam.
//!
//! Pixels are i32 counts or f32 photons; one chunk a frame. Counts of photons are not negative, and -1 marks a pixel
//! where nothing was measured. With readout noise negative counts are data too: `underload_value` then is the lowest
//! ([`NxmxHeader::lowest_count`]), and gaps are in the mask alone. Photons have no such limit, which readers would make
//! an integer of: their gaps are in the mask, or NaN.
//!
//! What images were computed from is in the group `/entry/widebragg`:
//!
//! | name | shape | |
//! |---|---|---|
//! | `version`, `command_line` | | |
//! | `laboratory_to_mcstas` | 3 x 3 | the rotation from the laboratory to the frame of the file |
//! | `a_matrix` | 3 x 3 | A at phi = 0, columns a*, b*, c*, in 1/Angstrom |
//! | `a_matrix_at_frames` | frames + 1, 3 x 3 | the same at the start of each frame and the end of the last |
//! | `orientation` | frames, 3 x 3 | A as the crystal lies at the start of a frame, rotated about the spindle |
//! | `space_group` | | |
//! | `unit_cell` | 6 | a, b, c in Angstrom, alpha, beta, gamma in degrees |
//! | `spectrum_wavelength`, `spectrum_weight` | n | wavelengths in Angstrom |
//! | `spectrum_number` | n | which spectrum the wavelength is of, from 1, where shots have several |
//! | `shot_fluence`, `shot_spectrum` | frames | of shots: photons per m^2, and the number of the spectrum |
//! | `shot_detector_shift` | frames, 2 | how far the detector is displaced along fast and slow, in m |
//! | `crystal_frame`, `crystal_weight` | crystals | of shots: the frame, counted from 0, and the factor on the photons |
//! | `crystal_a_matrix`, `crystal_cells` | crystals, 3 x 3; 3 | A at phi = 0, in 1/Angstrom; unit cells along a, b, c |
//! | `gain_mode_code`, `gain_mode_adu_per_kev` | 3 | of raw words: what the two bits above 14 hold in each mode, and its gain |
//! | `gain_mode_pedestal`, `gain_mode_readout` | 3 | ADU of each mode without charge, and its rms noise |
//! | `gain_mode_switch` | 2 | charges from which the second and third mode are chosen, in keV |
//! | `stages/...` | frames, slow, fast | images that are kept beside the data ([`StageArray`]), f32, stored as these are |
//! | `series`, `first_frame` | | of a series ([`NxmxSeries`]): its identity, and the first frame in it, from 1 |
//!
//! Sources: the NXmx and NXtransformations definitions of NeXus (2026-06); what DIALS 3.12 and later read and refuse.
//!
//! ```
//! use widebragg_formats::geometry::{Beam, Frame, Geometry, Panel};
//! use widebragg_formats::image::Pixels;
//! use widebragg_formats::nxmx::{NxmxHeader, NxmxWriter, read_nxmx_geometry};
//! use widebragg_formats::registry::reader_of;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("stills.nxs");
//! let panel = Panel {
//!     name: "0".to_owned(),
//!     pixels: [3, 2],
//!     data_origin: [0, 0],
//!     pixel_m: [1e-4, 1e-4],
//!     origin_m: [-1.5e-4, 1e-4, 0.1],
//!     fast: [1.0, 0.0, 0.0],
//!     slow: [0.0, -1.0, 0.0],
//!     sensor: None,
//!     valid: [Some(0.0), Some(1e6)],
//! };
//! let beam = Beam { direction: [0.0, 0.0, 1.0], lambda_m: Some(1e-10), polarization: None };
//! let geometry =
//!     Geometry { frame: Frame::McStas, beam, panels: vec![panel], spindle: None, scan: None, crystal: None };
//!
//! // Two stills of three columns and two rows.
//! let mut writer = NxmxWriter::create(&path, &NxmxHeader::new(geometry, 2))?;
//! writer.write(&[Pixels::I32(&[1, 0, 2, 300, -1, 70_000]), Pixels::I32(&[9; 6])])?;
//! writer.close()?;
//!
//! let name = folder.path().join("stills.nxs:0");
//! let image = reader_of(&name)?.read(&name, None)?;
//! assert_eq!((image.fast, image.slow, image.pixels[5]), (3, 2, 70_000.0));
//! assert_eq!(read_nxmx_geometry(&path)?.beam.lambda_m, Some(1e-10));
//! # Ok(())
//! # }
//! ```

mod chain;
mod finished;
mod mcstas;
mod parts;
mod reader;
mod series;
#[cfg(test)]
mod tests;
mod writer;

use core::ops::Range;

use crate::geometry::Geometry;
use crate::image::PixelType;

pub use reader::read_nxmx_geometry;
pub(crate) use reader::{Detector, flat_detector, read_nxmx};
pub use series::{Earlier, Joined, NxmxSeries, StageImage};
#[cfg(test)]
pub(crate) use tests::write_example;
pub use writer::NxmxWriter;

/// The group of the entry, in which everything is.
const ENTRY: &str = "/entry";

/// The frames of a file.
const DATA: &str = "/entry/data/data";

/// What the images were computed from.
const TRUTH: &str = "/entry/widebragg";

/// The group of the images that are kept beside the data, in that of the truth.
const STAGES: &str = "stages";

/// The identity of the series that the frames belong to.
const SERIES: &str = "/entry/widebragg/series";

/// The first of the frames in the series, counted from 1.
const FIRST_FRAME: &str = "/entry/widebragg/first_frame";

/// The lowest count that can be data. The one below stands for frames that were never written.
pub const LOWEST_COUNT: i32 = i32::MIN + 1;

/// Readers refuse sensors without thickness. One of 1 nm shifts no spot by more than that; it is read as none.
const THINNEST_SENSOR_M: f64 = 1e-9;

/// The compression of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Shuffle and gzip at level 1, which every reader of HDF5 has.
    #[default]
    Gzip,
    /// Bitshuffle with LZ4: several times as fast, for readers that have this plug-in.
    BitshuffleLz4,
    /// None.
    None,
}

impl Compression {
    /// All of them.
    const ALL: [Self; 3] = [Self::Gzip, Self::BitshuffleLz4, Self::None];
}

/// Everything in a file but its frames.
#[derive(Debug, Clone, PartialEq)]
pub struct NxmxHeader {
    /// Detector, beam, spindle and crystal. With a spindle and a scan it is a rotation, without a scan stills.
    pub geometry: Geometry,
    /// Frames of the file.
    pub frames: usize,
    /// Whether counts ([`PixelType::I32`]) or photons ([`PixelType::F32`]) are stored.
    pub pixel_type: PixelType,
    /// The lowest count that is data, at least [`LOWEST_COUNT`]: what is below is a gap. It is the file's
    /// `underload_value`, whatever the panels state. Photons have none.
    pub lowest_count: i32,
    /// The compression of frames.
    pub compression: Compression,
    /// The wavelength of each frame, in m; empty: the beam's for all.
    pub lambda_m: Vec<f64>,
    /// One number a pixel of the block of data, other than 0 where pixels are never valid; empty: all can be.
    pub mask: Vec<u32>,
    /// Exposure of a frame, where the scan does not say.
    pub exposure_s: Option<f64>,
    /// When the first frame was made, in seconds since 1970-01-01 UTC.
    pub unix_time_s: u64,
    /// The images that are kept beside the data of each frame.
    pub stages: Vec<StageArray>,
    /// What the images were computed from.
    pub truth: Truth,
}

/// An image that is kept beside the data of each frame, such as the photons without noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageArray {
    /// Its name, a word of ASCII.
    pub name: &'static str,
    /// The unit of its pixels.
    pub unit: &'static str,
}

/// What images were computed from, beyond their geometry. Empty where it is not known.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Truth {
    /// A of the crystal of each frame as it lies at its start, its rotation about the spindle included; in the frame
    /// of the geometry, in 1/Angstrom. That of the first crystal, where there are several, and NaN where there is none.
    pub orientations: Vec<[[f64; 3]; 3]>,
    /// a, b, c in Angstrom, alpha, beta, gamma in degrees.
    pub cell: Option<[f64; 6]>,
    /// The spectra: wavelengths in m with their weights. That of a shot is stretched until its mean is the wavelength of the
    /// frame.
    pub spectra: Vec<Vec<(f64, f64)>>,
    /// The shots, where each frame is one.
    pub shots: Vec<TrueShot>,
    /// The crystals of shots, in the order of the frames.
    pub crystals: Vec<TrueCrystal>,
    /// The gains of a detector whose pixels choose one by their charge: counts are then raw words of 14 bits, with the mode
    /// in the two bits above.
    pub gain_modes: Option<TrueGainModes>,
    /// The command that made the images.
    pub command_line: String,
}

/// The gains that the pixels of a detector choose from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrueGainModes {
    /// What the two bits hold in each mode.
    pub codes: [i32; 3],
    /// ADU for each keV of charge, below 0 where charge lowers the signal.
    pub adu_per_kev: [f64; 3],
    /// ADU without charge.
    pub pedestals_adu: [f64; 3],
    /// Rms noise of the readout, in ADU.
    pub readouts_adu: [f64; 3],
    /// Charges from which the second and third mode are chosen, in keV.
    pub switch_kev: [f64; 2],
}

/// What the crystals of a shot share, beside the wavelength.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrueShot {
    /// Photons per m^2.
    pub fluence_per_m2: f64,
    /// How far the detector is displaced along fast and slow, in m: the geometry is that without it.
    pub shift_m: [f64; 2],
    /// The number of its spectrum, from 1; 0: one wavelength.
    pub spectrum: usize,
}

/// A crystal of a shot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrueCrystal {
    /// Its frame, counted from 0.
    pub frame: usize,
    /// A at phi = 0, in the frame of the geometry, in 1/Angstrom.
    pub a_matrix: [[f64; 3]; 3],
    /// Factor on its photons.
    pub weight: f64,
    /// Unit cells along its axes.
    pub cells: [f64; 3],
}

impl NxmxHeader {
    /// That of `frames` frames of counts of photons, none negative, with this geometry; compressed by gzip.
    #[must_use]
    pub fn new(geometry: Geometry, frames: usize) -> Self {
        Self {
            geometry,
            frames,
            pixel_type: PixelType::I32,
            lowest_count: 0,
            compression: Compression::Gzip,
            lambda_m: Vec::new(),
            mask: Vec::new(),
            exposure_s: None,
            unix_time_s: 0,
            stages: Vec::new(),
            truth: Truth::default(),
        }
    }

    /// Size of the block of data of a frame: pixels along fast and slow. It holds all panels.
    #[must_use]
    pub fn size(&self) -> [usize; 2] {
        self.geometry.block_size()
    }

    /// That of some of its frames.
    fn of_frames(&self, frames: Range<usize>) -> Self {
        let mut header = Self { frames: frames.len(), ..self.clone() };
        if let Some(scan) = &mut header.geometry.scan {
            scan.first += frames.start;
            scan.start_deg += frames.start as f64 * scan.width_deg;
            scan.frames = frames.len();
        }
        if let Some(crystal) = &mut header.geometry.crystal {
            keep(&mut crystal.a_at_frames, frames.start..frames.end + 1);
        }
        keep(&mut header.lambda_m, frames.clone());
        keep(&mut header.truth.orientations, frames.clone());
        keep(&mut header.truth.shots, frames.clone());
        header.truth.crystals.retain(|crystal| frames.contains(&crystal.frame));
        header.truth.crystals.iter_mut().for_each(|crystal| crystal.frame -= frames.start);
        header
    }
}

/// Keeps some entries of a list that may be empty.
fn keep<T>(list: &mut Vec<T>, range: Range<usize>) {
    list.truncate(range.end);
    list.drain(..range.start.min(list.len()));
}
