//! The parameters of a scene as plain numbers, and their defaults.

use core::ptr::null;

use widebragg::beam::{PolarizedAt, Source};
use widebragg::defaults;
use widebragg::detector::DetectorParameters;
use widebragg::lattice::{CrystalShape, Precision, SpotModel};
use widebragg::rotation::PhiMode;
use widebragg::scene::Sensor;

use crate::enums::{
    CONVENTIONS, METRICS, MODES, PIVOTS, POLARIZED_AT, PRECISIONS, SHAPES, WB_INTERPOLATE_AUTO, code,
};
use crate::grid::wb_grid;
use crate::level::WB_SIMD_AUTO;
use crate::memory::{Input, Output};
use crate::status::{Failure, WB_STRUCT_SIZE, status};

/// `close_distance_m` is given.
pub const WB_GIVEN_CLOSE_DISTANCE: u64 = 1;
/// `x_beam_m` is given.
pub const WB_GIVEN_X_BEAM: u64 = 2;
/// `y_beam_m` is given.
pub const WB_GIVEN_Y_BEAM: u64 = 4;
/// `x_close_m` is given.
pub const WB_GIVEN_X_CLOSE: u64 = 8;
/// `y_close_m` is given.
pub const WB_GIVEN_Y_CLOSE: u64 = 16;
/// `org_x_px` is given.
pub const WB_GIVEN_ORG_X: u64 = 32;
/// `org_y_px` is given.
pub const WB_GIVEN_ORG_Y: u64 = 64;
/// `fast_axis` is given.
pub const WB_GIVEN_FAST: u64 = 128;
/// `slow_axis` is given.
pub const WB_GIVEN_SLOW: u64 = 256;
/// `normal_axis` is given.
pub const WB_GIVEN_NORMAL: u64 = 512;
/// `beam_axis` is given.
pub const WB_GIVEN_BEAM: u64 = 1024;
/// `polarization_axis` is given.
pub const WB_GIVEN_POLARIZATION: u64 = 2048;
/// `spindle_axis` is given.
pub const WB_GIVEN_SPINDLE: u64 = 4096;
/// `twotheta_axis` is given.
pub const WB_GIVEN_TWOTHETA: u64 = 8192;
/// `cell_angstrom` and `cell_angles_rad` are given.
pub const WB_GIVEN_CELL: u64 = 16384;
/// `matrix` is given.
pub const WB_GIVEN_MATRIX: u64 = 32768;
/// `direct_m` and `reciprocal_per_angstrom` are given.
pub const WB_GIVEN_AXES: u64 = 65536;
/// The region of interest is given.
pub const WB_GIVEN_ROI: u64 = 131072;

/// All bits of `given` that this version knows.
const GIVEN_BITS: u64 = 2 * WB_GIVEN_ROI - 1;

/// A point of the X-ray source.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_source {
    /// Unit vector of the incident beam, from the source to the sample.
    pub incident: [f64; 3],
    /// Wavelength, in m.
    pub lambda_m: f64,
}

const _: () = assert!(size_of::<wb_source>() == size_of::<Source>());

/// The parameters of a scene. An optional field is not read unless its `WB_GIVEN_` bit is set in `given`.
///
/// # Pointers
/// Functions that follow the pointers require of each that it is NULL or points to as many initialised
/// elements as its count says: `domains` to 9 `domain_count` numbers, `sources` to `source_count` sources,
/// `source_weights` and `source_grids` to `source_count` numbers,
/// `mask` to `mask_len` numbers, and `grid.f` to `grid.f_len` numbers.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_scene_parameters {
    /// The size of this struct, which identifies its version.
    pub size: usize,
    /// The sum of the `WB_GIVEN_` bits of the optional fields that are given.
    pub given: u64,

    /// `WB_MOSFLM` to `WB_PLACED`.
    pub convention: i32,
    /// `WB_PIVOT_BEAM` or `WB_PIVOT_SAMPLE`; read only for `WB_CUSTOM`.
    pub pivot: i32,
    /// Pixels along the fast axis; 0: computed from `fast_size_m`.
    pub fast_pixels: usize,
    /// Pixels along the slow axis; 0: computed from `slow_size_m`.
    pub slow_pixels: usize,
    /// The edge of a pixel.
    pub pixel_m: f64,
    /// The size along the fast axis, read if `fast_pixels` is 0.
    pub fast_size_m: f64,
    /// The size along the slow axis, read if `slow_pixels` is 0.
    pub slow_size_m: f64,
    /// The distance from sample to detector along the beam.
    pub distance_m: f64,
    /// The distance from sample to detector along the normal, above 0; optional, replaces `distance_m`.
    pub close_distance_m: f64,
    /// The beam centre X of the convention; optional.
    pub x_beam_m: f64,
    /// The beam centre Y of the convention; optional.
    pub y_beam_m: f64,
    /// X of the foot of the normal through the sample; optional.
    pub x_close_m: f64,
    /// Y of the foot of the normal through the sample; optional.
    pub y_close_m: f64,
    /// The foot of the normal along the fast axis, in pixels counted from 1; optional.
    pub org_x_px: f64,
    /// The foot of the normal along the slow axis, in pixels counted from 1; optional.
    pub org_y_px: f64,
    /// Detector rotations about lab x, y, z.
    pub rotation_rad: [f64; 3],
    /// The 2theta angle of the detector arm.
    pub twotheta_rad: f64,
    /// The fast axis; optional for `WB_CUSTOM`, required for `WB_PLACED`.
    pub fast_axis: [f64; 3],
    /// The slow axis; optional for `WB_CUSTOM`, required for `WB_PLACED`.
    pub slow_axis: [f64; 3],
    /// The normal of the detector; optional for `WB_CUSTOM`, required for `WB_PLACED`.
    pub normal_axis: [f64; 3],
    /// The direction of the beam; optional for `WB_CUSTOM`, required for `WB_PLACED`.
    pub beam_axis: [f64; 3],
    /// The polarisation axis (E vector); optional for `WB_CUSTOM`, required for `WB_PLACED`.
    pub polarization_axis: [f64; 3],
    /// The rotation axis of the crystal; optional for `WB_CUSTOM`, required for `WB_PLACED`.
    pub spindle_axis: [f64; 3],
    /// The axis of the 2theta arm; optional for `WB_CUSTOM`.
    pub twotheta_axis: [f64; 3],
    /// The outer corner of the first pixel; required for `WB_PLACED`.
    pub pix0_m: [f64; 3],
    /// Not 0 if the solid angle of a pixel is 1/R^2.
    pub point_pixel: i32,
    /// Not 0 if the detector is a sphere around the sample.
    pub curved: i32,

    /// The number of layers in which absorption is computed, at least 1.
    pub sensor_layers: usize,
    /// The thickness of a layer; 0: all photons are absorbed at the surface.
    pub sensor_layer_m: f64,
    /// The attenuation coefficient of the sensor, in 1/m.
    pub attenuation_per_m: f64,

    /// The central wavelength; the only one if no sources are given.
    pub lambda0_m: f64,
    /// a, b, c in Angstrom; optional.
    pub cell_angstrom: [f64; 3],
    /// alpha, beta, gamma; optional.
    pub cell_angles_rad: [f64; 3],
    /// Rows x, y, z, columns a*, b*, c*, in units of 1/lambda0; optional.
    pub matrix: [f64; 9],
    /// The missetting rotation about lab x, y, z.
    pub misset_rad: [f64; 3],
    /// a, b, c at phi = 0, in m; optional, used as given.
    pub direct_m: [f64; 9],
    /// a*, b*, c* at phi = 0, in 1/Angstrom; given together with `direct_m`.
    pub reciprocal_per_angstrom: [f64; 9],
    /// The numbers of unit cells along a, b, c: at least 1, with fractions.
    pub cells: [f64; 3],
    /// A factor on the size of round, gauss and tophat spots.
    pub fudge: f64,
    /// The exponent of gauss spots from which on they are 0; infinite where nothing is cut off.
    pub gauss_cutoff: f64,
    /// ab, ac, bc of the symmetric N matrix whose diagonal is `cells`, for gauss and tophat spots of index metric.
    pub coupling: [f64; 3],
    /// `WB_SQUARE` to `WB_TOPHAT`.
    pub shape: i32,
    /// `WB_RECIPROCAL` or `WB_INDEX`.
    pub spot_metric: i32,

    /// `WB_SPEC` or `WB_CPARITY`.
    pub mode: i32,
    /// The first phi.
    pub phi0_rad: f64,
    /// The phi step.
    pub phi_step_rad: f64,
    /// The number of phi steps, at least 1.
    pub phi_steps: usize,
    /// The rotation matrices of the mosaic domains, row by row; NULL with count 0: one domain, not rotated.
    /// Copied.
    pub domains: *const f64,
    /// The number of mosaic domains.
    pub domain_count: usize,

    /// The sources; NULL with count 0: one along the beam, of wavelength `lambda0_m`. Copied.
    pub sources: *const wb_source,
    /// The number of sources.
    pub source_count: usize,
    /// As many weights, 0 or more and not all 0, of which the ratios count; NULL: all sources are alike. Copied. In
    /// `WB_CPARITY` weights have no effect.
    pub source_weights: *const f64,
    /// As many indices of grids, each below `grid_count`, in which the sources have their structure factors; NULL: all
    /// in the first. Copied.
    pub source_grids: *const u32,
    /// Kahn's polarisation factor, from -1 to 1: 0 unpolarised, 1 along the axis.
    pub kahn: f64,
    /// 0 if the polarisation factor of a pixel is 1.
    pub polarized: i32,
    /// `WB_FIRST` to `WB_CENTRE`.
    pub polarized_at: i32,

    /// `WB_SIMD_AUTO` or the highest SIMD level to use.
    pub simd: i32,
    /// Photons per m^2.
    pub fluence_per_m2: f64,
    /// The thickness of water in the beam.
    pub water_m: f64,
    /// The resolution limit; 0: no limit.
    pub d_min_m: f64,

    /// Subpixels along each axis; 0: enough to resolve the spots.
    pub oversample: usize,
    /// Not 0 to use the absorption of each subpixel, not of the first alone.
    pub oversample_thick: i32,
    /// Not 0 to use the polarisation factor of each subpixel and source, not of the first alone.
    pub oversample_polar: i32,
    /// Not 0 to use the solid angle of each subpixel, not of the first alone.
    pub oversample_omega: i32,
    /// `WB_DOUBLE` or `WB_MIXED`.
    pub precision: i32,

    /// The first column to render; the region of interest is optional.
    pub roi_fast_min: usize,
    /// The last column to render.
    pub roi_fast_max: usize,
    /// The first row to render.
    pub roi_slow_min: usize,
    /// The last row to render.
    pub roi_slow_max: usize,
    /// A value for each pixel, slow-major; pixels with the value 0 are skipped. Not copied: must outlive the
    /// scene.
    pub mask: *const u16,
    /// The number of values in `mask`.
    pub mask_len: usize,

    /// The structure factors. Not copied: the values must outlive the scene.
    pub grid: wb_grid,
    /// The number of grids over the box of `grid`, one after the other in `grid.f`, at least 1.
    pub grid_count: usize,
    /// `WB_INTERPOLATE_AUTO` to `WB_INTERPOLATE_ALWAYS`.
    pub interpolation: i32,
}

/// Sets `parameters`, whose size is `size` bytes, to the defaults of the reference. A cell, matrix or axes
/// must still be given.
///
/// # Safety
/// `parameters` is NULL or points to room for `size` bytes, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_scene_defaults(parameters: *mut wb_scene_parameters, size: usize) -> i32 {
    let set = || {
        let parameters = Output::one(parameters, "parameters")?;
        known_size(size)?;
        // SAFETY: `parameters` is not NULL, so the caller guarantees room for `size` bytes there, which is
        // the size of the struct; no other thread accesses them.
        unsafe { parameters.write(wb_scene_parameters::with_defaults()) };
        Ok(())
    };
    status(set())
}

fn known_size(size: usize) -> Result<(), Failure> {
    if size == size_of::<wb_scene_parameters>() {
        return Ok(());
    }
    let failure = Failure::length("wb_scene_parameters.size", size_of::<wb_scene_parameters>(), size);
    Err(failure.with_status(WB_STRUCT_SIZE))
}

impl wb_scene_parameters {
    /// The defaults of the reference, from the kernel.
    fn with_defaults() -> Self {
        let detector = DetectorParameters::<f64>::default();
        let sensor = Sensor::default();
        Self {
            size: size_of::<Self>(),
            given: 0,
            convention: code(&detector.convention, &CONVENTIONS),
            pivot: code(&detector.pivot, &PIVOTS),
            fast_pixels: 0,
            slow_pixels: 0,
            pixel_m: detector.pixel_m,
            fast_size_m: detector.fast_size_m,
            slow_size_m: detector.slow_size_m,
            distance_m: defaults::DISTANCE_M,
            close_distance_m: 0.0,
            x_beam_m: 0.0,
            y_beam_m: 0.0,
            x_close_m: 0.0,
            y_close_m: 0.0,
            org_x_px: 0.0,
            org_y_px: 0.0,
            rotation_rad: detector.rotation_rad,
            twotheta_rad: detector.twotheta_rad,
            fast_axis: [0.0; 3],
            slow_axis: [0.0; 3],
            normal_axis: [0.0; 3],
            beam_axis: [0.0; 3],
            polarization_axis: [0.0; 3],
            spindle_axis: [0.0; 3],
            twotheta_axis: [0.0; 3],
            pix0_m: [0.0; 3],
            point_pixel: i32::from(detector.point_pixel),
            curved: i32::from(detector.curved),
            sensor_layers: sensor.layers,
            sensor_layer_m: sensor.layer_m,
            attenuation_per_m: sensor.attenuation_per_m,
            lambda0_m: defaults::LAMBDA_M,
            cell_angstrom: [0.0; 3],
            cell_angles_rad: [0.0; 3],
            matrix: [0.0; 9],
            misset_rad: [0.0; 3],
            direct_m: [0.0; 9],
            reciprocal_per_angstrom: [0.0; 9],
            cells: [defaults::CELLS; 3],
            fudge: defaults::FUDGE,
            gauss_cutoff: SpotModel::default().gauss_cutoff,
            coupling: [0.0; 3],
            shape: code(&CrystalShape::default(), &SHAPES),
            spot_metric: code(&SpotModel::default().metric, &METRICS),
            mode: code(&PhiMode::default(), &MODES),
            phi0_rad: 0.0,
            phi_step_rad: 0.0,
            phi_steps: 1,
            domains: null(),
            domain_count: 0,
            sources: null(),
            source_count: 0,
            source_weights: null(),
            source_grids: null(),
            kahn: defaults::KAHN,
            polarized: 1,
            polarized_at: code(&PolarizedAt::default(), &POLARIZED_AT),
            simd: WB_SIMD_AUTO,
            fluence_per_m2: defaults::FLUENCE_PER_M2,
            water_m: 0.0,
            d_min_m: 0.0,
            oversample: 0,
            oversample_thick: 0,
            oversample_polar: 0,
            oversample_omega: 0,
            precision: code(&Precision::default(), &PRECISIONS),
            roi_fast_min: 0,
            roi_fast_max: 0,
            roi_slow_min: 0,
            roi_slow_max: 0,
            mask: null(),
            mask_len: 0,
            grid: wb_grid::NONE,
            grid_count: 1,
            interpolation: WB_INTERPOLATE_AUTO,
        }
    }

    /// A copy of the caller's struct, if it has the size of this version and gives only fields that it has.
    ///
    /// # Safety
    /// `parameters` is NULL or points to an initialised struct that begins with its size in bytes; no other
    /// thread writes it meanwhile.
    pub(crate) unsafe fn read(parameters: *const Self) -> Result<Self, Failure> {
        let whole = Input::one(parameters, "parameters")?;
        let size = Input::one(parameters.cast::<usize>(), "parameters")?;
        // SAFETY: `parameters` is not NULL, so the caller guarantees a struct there that begins with an
        // initialised size, which no other thread writes.
        known_size(unsafe { size.read() })?;
        // SAFETY: the struct has the size of this version, as has just been checked; the caller guarantees
        // that it is initialised and that no other thread writes it.
        let parameters = unsafe { whole.read() };
        let unknown = parameters.given & !GIVEN_BITS;
        if unknown != 0 {
            return Err(Failure::range("given", unknown as f64, "a sum of WB_GIVEN_ bits"));
        }
        Ok(parameters)
    }

    /// Whether an optional field is given.
    pub(crate) fn is_given(&self, bit: u64) -> bool {
        self.given & bit != 0
    }

    /// An optional number, if it is given.
    pub(crate) fn optional(&self, bit: u64, value: f64) -> Option<f64> {
        self.is_given(bit).then_some(value)
    }
}

/// Rejects numbers that are NaN or infinite.
pub(crate) fn finite(quantity: &'static str, values: &[f64]) -> Result<(), Failure> {
    match values.iter().find(|value| !value.is_finite()) {
        None => Ok(()),
        Some(&value) => Err(Failure::range(quantity, value, "finite")),
    }
}
