//! The reference's defaults, each in one place: constants, and `Default` of the parameter structs.
//!
//! Source: the initial values of `nanoBragg.c`'s variables. Programs and the C interface take them from here.

use crate::detector::{Convention, DetectorParameters, Pivot};
use crate::lanes::Simd;
use crate::rotation::PhiMode;
use crate::sampling::{OversampleRequest, Steps};
use crate::scene::{CrystalInput, DetectorInput, MosaicInput, SceneParameters, Sensor, SourcesInput};

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

/// A square detector of 1024 x 1024 pixels of 0.1 mm at 100 mm, in MOSFLM's convention.
impl<T> Default for DetectorParameters<T>
where
    T: crate::real::Real,
{
    fn default() -> Self {
        let zero = T::constant(0.0);
        Self {
            pixel_m: PIXEL_M,
            fast_pixels: DETECTOR_PIXELS,
            slow_pixels: DETECTOR_PIXELS,
            fast_size_m: DETECTOR_SIZE_M,
            slow_size_m: DETECTOR_SIZE_M,
            distance_m: Some(T::constant(DISTANCE_M)),
            close_distance_m: None,
            x_beam_m: None,
            y_beam_m: None,
            x_close_m: None,
            y_close_m: None,
            org_x_px: None,
            org_y_px: None,
            convention: Convention::default(),
            pivot: Pivot::default(),
            rotation_rad: [zero; 3],
            twotheta_rad: zero,
            point_pixel: false,
            curved: false,
        }
    }
}

/// A sensor without thickness.
impl Default for Sensor {
    fn default() -> Self {
        Self::THIN
    }
}

/// One source along the beam.
impl Default for SourcesInput<'_> {
    fn default() -> Self {
        Self::Grid { hdiv: Steps::ONE, vdiv: Steps::ONE, dispersion: Steps::ONE, round: true }
    }
}

/// One domain, without a spread.
impl Default for MosaicInput<'_> {
    fn default() -> Self {
        Self::Spread { spread_rad: 0.0, domains: 1, seed: MOSAIC_SEED }
    }
}

impl SceneParameters<'_> {
    /// All defaults, for a crystal that has none.
    ///
    /// A still of a crystal of one cell without structure factors, on the default detector.
    #[must_use]
    pub fn new(crystal: impl Into<CrystalInput>) -> Self {
        Self {
            simd: Simd::detect(),
            detector: DetectorInput::Parameters(DetectorParameters::default()),
            sensor: Sensor::default(),
            oversample: OversampleRequest::default(),
            lambda0_m: LAMBDA_M,
            sources: SourcesInput::default(),
            kahn: Some(KAHN),
            crystal: crystal.into(),
            shape: Default::default(),
            cells: [CELLS; 3],
            fudge: FUDGE,
            precision: Default::default(),
            mode: PhiMode::default(),
            phi0_rad: 0.0,
            phi_step_rad: 0.0,
            phi_steps: 1,
            mosaic: MosaicInput::default(),
            grid: None,
            default_f: DEFAULT_F,
            interpolate: None,
            fluence_per_m2: FLUENCE_PER_M2,
            water_m: 0.0,
            d_min_m: 0.0,
            roi: None,
            mask: None,
        }
    }
}
