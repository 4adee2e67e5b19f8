//! The reference's defaults, each in one place.
//!
//! Source: the initial values of `nanoBragg.c`'s variables. `Default` of the parameter structs, programs and
//! the C interface take them from here.

/// Edge of a pixel, in m.
pub const PIXEL_M: f64 = 1e-4;
/// Edge of the detector, in m.
pub const DETECTOR_SIZE_M: f64 = 0.1024;
/// Pixels along an edge of the detector.
pub const DETECTOR_PIXELS: usize = 1024;
/// Sample to detector along the beam, in m.
pub const DISTANCE_M: f64 = 0.1;
/// Central wavelength, in m.
pub const LAMBDA_M: f64 = 1e-10;
/// Photons per m^2.
pub const FLUENCE_PER_M2: f64 = 1.259_320_152_862_270_9e29;
/// Photons per s; 0: the fluence is given instead.
pub const FLUX_PER_S: f64 = 0.0;
/// Exposure, in s.
pub const EXPOSURE_S: f64 = 1.0;
/// Edge of the beam's square cross section, in m.
pub const BEAMSIZE_M: f64 = 1e-4;
/// Kahn's polarisation factor: unpolarised.
pub const KAHN: f64 = 0.0;
/// Unit cells along each axis.
pub const CELLS: f64 = 1.0;
/// Factor on the size of round, gauss and tophat spots.
pub const FUDGE: f64 = 1.0;
/// Structure factor of reflections that no file gives.
pub const DEFAULT_F: f64 = 0.0;
/// Mosaic domains where a spread is given without a number of domains.
pub const MOSAIC_DOMAINS: usize = 10;
/// Seed of the mosaic domains.
pub const MOSAIC_SEED: i64 = 12_345_678;
/// Crystals with this many cells or fewer along an axis are interpolated unless the user decides otherwise.
pub const INTERPOLATED_CELLS: f64 = 2.0;

/// Whether structure factors are interpolated where the user does not decide: N <= 2 along any axis.
///
/// ```
/// use widebragg::defaults::interpolates;
/// assert!(interpolates([20.0, 2.0, 20.0]));
/// assert!(!interpolates([20.0, 3.0, 20.0]));
/// ```
#[must_use]
pub fn interpolates(cells: [f64; 3]) -> bool {
    cells.iter().any(|&n| n <= INTERPOLATED_CELLS)
}
