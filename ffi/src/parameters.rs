//! What a scene is made of, as plain numbers.

use widebragg::beam::{Polarization, Source};
use widebragg::crystal::{CellSource, Crystal, CrystalParameters, UnitCell, recommended_oversample};
use widebragg::detector::{Convention, CustomAxes, Detector, DetectorParameters, Pivot, extent};
use widebragg::lattice::{CrystalShape, Lattice, Precision};
use widebragg::render::{Oversample, Roi, Sensor};
use widebragg::rotation::{Mat3, Orientation, PhiMode, PhiSweep};
use widebragg::structure_factor::LookupRule;
use widebragg::vector::Vec3;

use crate::grid::wb_grid;
use crate::level::WB_SIMD_AUTO;
use crate::memory::{Input, Output};
use crate::status::{Failure, WB_STRUCT_SIZE, status};

/// MOSFLM's convention, the default.
pub const WB_MOSFLM: i32 = 0;
/// XDS.
pub const WB_XDS: i32 = 1;
/// ADXV.
pub const WB_ADXV: i32 = 2;
/// DENZO.
pub const WB_DENZO: i32 = 3;
/// DIALS.
pub const WB_DIALS: i32 = 4;
/// Axes given one by one; what is not given starts as MOSFLM's.
pub const WB_CUSTOM: i32 = 5;
/// No convention: origin, axes and distances as another program placed them.
pub const WB_PLACED: i32 = 6;

/// Detector rotations leave the spot of the direct beam in place.
pub const WB_PIVOT_BEAM: i32 = 0;
/// Detector rotations leave the sample in place.
pub const WB_PIVOT_SAMPLE: i32 = 1;

/// A parallelepiped of unit cells.
pub const WB_SQUARE: i32 = 0;
/// A sphere.
pub const WB_ROUND: i32 = 1;
/// Gaussian spots.
pub const WB_GAUSS: i32 = 2;
/// Spots with a sharp edge.
pub const WB_TOPHAT: i32 = 3;

/// Every phi step rotates the crystal afresh.
pub const WB_SPEC: i32 = 0;
/// The reference's phi carryover and interpolation latch.
pub const WB_CPARITY: i32 = 1;

/// Interpolation as the reference decides: where the crystal has 2 cells or fewer along an axis.
pub const WB_INTERPOLATE_AUTO: i32 = 0;
/// The value at the nearest node.
pub const WB_INTERPOLATE_NEVER: i32 = 1;
/// Tricubic interpolation.
pub const WB_INTERPOLATE_ALWAYS: i32 = 2;

/// f64 throughout.
pub const WB_DOUBLE: i32 = 0;
/// Sines of the lattice factor in f32.
pub const WB_MIXED: i32 = 1;

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

/// A point of the source.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_source {
    /// Unit vector of the incident beam: from the source to the sample.
    pub incident: [f64; 3],
    /// Wavelength, in m.
    pub lambda_m: f64,
}

const _: () = assert!(size_of::<wb_source>() == size_of::<Source>());

/// What a scene is made of. Fields whose `WB_GIVEN_` bit is not in `given` are not read.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_scene_parameters {
    /// Size of this struct.
    pub size: usize,
    /// Sum of the `WB_GIVEN_` bits of the optional fields that are given.
    pub given: u64,

    /// `WB_MOSFLM` to `WB_PLACED`.
    pub convention: i32,
    /// `WB_PIVOT_BEAM` or `WB_PIVOT_SAMPLE`; only `WB_CUSTOM` reads it, named conventions have their own.
    pub pivot: i32,
    /// Pixels along the fast axis; 0: from `fast_size_m`.
    pub fast_pixels: usize,
    /// Pixels along the slow axis; 0: from `slow_size_m`.
    pub slow_pixels: usize,
    /// Edge of a pixel.
    pub pixel_m: f64,
    /// Size along the fast axis, where `fast_pixels` is 0.
    pub fast_size_m: f64,
    /// Size along the slow axis, where `slow_pixels` is 0.
    pub slow_size_m: f64,
    /// Sample to detector along the beam.
    pub distance_m: f64,
    /// Sample to detector along the normal; optional, wins over `distance_m`.
    pub close_distance_m: f64,
    /// Beam centre X of the convention; optional.
    pub x_beam_m: f64,
    /// Beam centre Y of the convention; optional.
    pub y_beam_m: f64,
    /// Foot of the normal X; optional.
    pub x_close_m: f64,
    /// Foot of the normal Y; optional.
    pub y_close_m: f64,
    /// Foot of the normal along fast, in pixels from 1; optional.
    pub org_x_px: f64,
    /// Foot of the normal along slow, in pixels from 1; optional.
    pub org_y_px: f64,
    /// Detector rotations about lab x, y, z.
    pub rotation_rad: [f64; 3],
    /// 2theta of the detector arm.
    pub twotheta_rad: f64,
    /// Fast axis; `WB_CUSTOM` optional, `WB_PLACED`.
    pub fast_axis: [f64; 3],
    /// Slow axis; `WB_CUSTOM` optional, `WB_PLACED`.
    pub slow_axis: [f64; 3],
    /// Normal; `WB_CUSTOM` optional, `WB_PLACED`.
    pub normal_axis: [f64; 3],
    /// Direction of the beam; `WB_CUSTOM` optional, `WB_PLACED`.
    pub beam_axis: [f64; 3],
    /// Polarisation, the E vector; `WB_CUSTOM` optional, `WB_PLACED`.
    pub polarization_axis: [f64; 3],
    /// Rotation axis of the crystal; `WB_CUSTOM` optional, `WB_PLACED`.
    pub spindle_axis: [f64; 3],
    /// Axis of the 2theta arm; `WB_CUSTOM` optional.
    pub twotheta_axis: [f64; 3],
    /// Outer corner of the first pixel; `WB_PLACED`.
    pub pix0_m: [f64; 3],
    /// Not 0: the solid angle of a pixel is 1/R^2.
    pub point_pixel: i32,
    /// Not 0: the detector is a sphere around the sample.
    pub curved: i32,

    /// Layers that the sensor is sampled with, at least 1.
    pub sensor_layers: usize,
    /// Thickness of a layer; 0: everything is captured at the surface.
    pub sensor_layer_m: f64,
    /// Attenuation of the sensor, in 1/m.
    pub attenuation_per_m: f64,

    /// Central wavelength; the only one where no sources are given.
    pub lambda0_m: f64,
    /// a, b, c in Angstrom; optional.
    pub cell_angstrom: [f64; 3],
    /// alpha, beta, gamma; optional.
    pub cell_angles_rad: [f64; 3],
    /// Rows x, y, z, columns a*, b*, c*, in units of 1/lambda0; optional.
    pub matrix: [f64; 9],
    /// Missetting rotation about lab x, y, z.
    pub misset_rad: [f64; 3],
    /// a, b, c at phi = 0 in m, one after the other; optional, used as they are.
    pub direct_m: [f64; 9],
    /// a*, b*, c* at phi = 0 in 1/Angstrom, one after the other; optional, with `direct_m`.
    pub reciprocal_per_angstrom: [f64; 9],
    /// Unit cells along a, b, c: whole numbers from 1.
    pub cells: [f64; 3],
    /// Scales the spots of round, gauss and tophat shapes.
    pub fudge: f64,
    /// `WB_SQUARE` to `WB_TOPHAT`.
    pub shape: i32,

    /// `WB_SPEC` or `WB_CPARITY`.
    pub mode: i32,
    /// First phi.
    pub phi0_rad: f64,
    /// Step of phi.
    pub phi_step_rad: f64,
    /// Number of phi steps, at least 1.
    pub phi_steps: usize,
    /// Rotations of the mosaic domains, nine numbers each, rows outer; NULL: one domain, not rotated. Copied.
    pub domains: *const f64,
    /// Number of mosaic domains.
    pub domain_count: usize,

    /// Sources; NULL: one, along the beam, of wavelength `lambda0_m`. Copied.
    pub sources: *const wb_source,
    /// Number of sources.
    pub source_count: usize,
    /// Kahn's polarisation factor: 0 unpolarised, 1 along the axis.
    pub kahn: f64,
    /// 0: the polarisation factor is 1.
    pub polarized: i32,

    /// `WB_SIMD_AUTO` or a cap.
    pub simd: i32,
    /// Photons per m^2.
    pub fluence_per_m2: f64,
    /// Thickness of water in the beam.
    pub water_m: f64,
    /// Resolution limit; 0: none.
    pub d_min_m: f64,

    /// Subpixels along each axis; 0: as many as resolve the spots.
    pub oversample: usize,
    /// Not 0: capture at every subpixel, multiplied into the running sum.
    pub oversample_thick: i32,
    /// Not 0: polarisation at every subpixel and source, multiplied into the running sum.
    pub oversample_polar: i32,
    /// Not 0: solid angle at every subpixel, multiplied into the running sum.
    pub oversample_omega: i32,
    /// `WB_DOUBLE` or `WB_MIXED`.
    pub precision: i32,

    /// First column rendered; the region of interest is optional.
    pub roi_fast_min: usize,
    /// Last column rendered.
    pub roi_fast_max: usize,
    /// First row rendered.
    pub roi_slow_min: usize,
    /// Last row rendered.
    pub roi_slow_max: usize,
    /// A value per pixel, slow-major, 0 where it is skipped; NULL: none. Borrowed: it must outlive the scene.
    pub mask: *const u16,
    /// How many values `mask` holds.
    pub mask_len: usize,

    /// Structure factors. Borrowed: the values must outlive the scene.
    pub grid: wb_grid,
    /// `WB_INTERPOLATE_AUTO` to `WB_INTERPOLATE_ALWAYS`.
    pub interpolation: i32,
}

/// The reference's defaults.
const DEFAULTS: wb_scene_parameters = wb_scene_parameters {
    size: size_of::<wb_scene_parameters>(),
    given: 0,
    convention: WB_MOSFLM,
    pivot: WB_PIVOT_BEAM,
    fast_pixels: 0,
    slow_pixels: 0,
    pixel_m: 1e-4,
    fast_size_m: 0.1024,
    slow_size_m: 0.1024,
    distance_m: 0.1,
    close_distance_m: 0.0,
    x_beam_m: 0.0,
    y_beam_m: 0.0,
    x_close_m: 0.0,
    y_close_m: 0.0,
    org_x_px: 0.0,
    org_y_px: 0.0,
    rotation_rad: [0.0; 3],
    twotheta_rad: 0.0,
    fast_axis: [0.0; 3],
    slow_axis: [0.0; 3],
    normal_axis: [0.0; 3],
    beam_axis: [0.0; 3],
    polarization_axis: [0.0; 3],
    spindle_axis: [0.0; 3],
    twotheta_axis: [0.0; 3],
    pix0_m: [0.0; 3],
    point_pixel: 0,
    curved: 0,
    sensor_layers: 1,
    sensor_layer_m: 0.0,
    attenuation_per_m: 0.0,
    lambda0_m: 1e-10,
    cell_angstrom: [0.0; 3],
    cell_angles_rad: [0.0; 3],
    matrix: [0.0; 9],
    misset_rad: [0.0; 3],
    direct_m: [0.0; 9],
    reciprocal_per_angstrom: [0.0; 9],
    cells: [1.0; 3],
    fudge: 1.0,
    shape: WB_SQUARE,
    mode: WB_SPEC,
    phi0_rad: 0.0,
    phi_step_rad: 0.0,
    phi_steps: 1,
    domains: core::ptr::null(),
    domain_count: 0,
    sources: core::ptr::null(),
    source_count: 0,
    kahn: 0.0,
    polarized: 1,
    simd: WB_SIMD_AUTO,
    fluence_per_m2: 1.259_320_152_862_270_9e29,
    water_m: 0.0,
    d_min_m: 0.0,
    oversample: 0,
    oversample_thick: 0,
    oversample_polar: 0,
    oversample_omega: 0,
    precision: WB_DOUBLE,
    roi_fast_min: 0,
    roi_fast_max: 0,
    roi_slow_min: 0,
    roi_slow_max: 0,
    mask: core::ptr::null(),
    mask_len: 0,
    grid: wb_grid { f: core::ptr::null(), f_len: 0, hkl_min: [0; 3], hkl_len: [0; 3], default_f: 0.0 },
    interpolation: WB_INTERPOLATE_AUTO,
};

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
        unsafe { parameters.write(DEFAULTS) };
        Ok(())
    };
    status(set())
}

fn known_size(size: usize) -> Result<(), Failure> {
    if size == size_of::<wb_scene_parameters>() {
        return Ok(());
    }
    let refusal = Failure::length("wb_scene_parameters.size", size_of::<wb_scene_parameters>(), size);
    Err(refusal.with_status(WB_STRUCT_SIZE))
}

/// The value of an enumeration.
pub(crate) fn chosen<T: Copy>(quantity: &'static str, value: i32, values: &[T]) -> Result<T, Failure> {
    let found = usize::try_from(value).ok().and_then(|i| values.get(i));
    found.copied().ok_or(Failure::range(quantity, f64::from(value), "a value of its enumeration"))
}

/// Spec or c-parity.
pub(crate) fn phi_mode(mode: i32) -> Result<PhiMode, Failure> {
    chosen("mode", mode, &[PhiMode::Spec, PhiMode::CParity])
}

fn finite(quantity: &'static str, values: &[f64]) -> Result<(), Failure> {
    match values.iter().find(|value| !value.is_finite()) {
        None => Ok(()),
        Some(&value) => Err(Failure::range(quantity, value, "finite")),
    }
}

/// Direct and reciprocal cell at phi = 0.
#[derive(Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) direct: Orientation,
    pub(crate) reciprocal_per_angstrom: [Vec3; 3],
}

/// Nine numbers as three rows.
fn rows([a, b, c, d, e, f, g, h, i]: [f64; 9]) -> Mat3 {
    [[a, b, c], [d, e, f], [g, h, i]]
}

impl wb_scene_parameters {
    /// A copy of the caller's struct, if it has the size of this version.
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
        Ok(unsafe { whole.read() })
    }

    /// A detector as good as any.
    pub(crate) const ANY_DETECTOR: DetectorParameters = DetectorParameters {
        pixel_m: 1e-4,
        fast_pixels: 1,
        slow_pixels: 1,
        fast_size_m: 1e-4,
        slow_size_m: 1e-4,
        distance_m: Some(0.1),
        close_distance_m: None,
        x_beam_m: None,
        y_beam_m: None,
        x_close_m: None,
        y_close_m: None,
        org_x_px: None,
        org_y_px: None,
        convention: Convention::Mosflm,
        pivot: Pivot::Beam,
        rotation_rad: [0.0; 3],
        twotheta_rad: 0.0,
        point_pixel: false,
        curved: false,
    };

    fn is_given(&self, bit: u64) -> bool {
        self.given & bit != 0
    }

    fn optional(&self, bit: u64, value: f64) -> Option<f64> {
        self.is_given(bit).then_some(value)
    }

    /// Pixels and size in m along fast and slow.
    fn extents(&self) -> Result<[(usize, f64); 2], Failure> {
        let along = |pixels: usize, size_m: f64| {
            finite("detector size in m", &[size_m])?;
            Ok::<_, Failure>(extent(self.pixel_m, (pixels > 0).then_some(pixels), Some(size_m))?)
        };
        Ok([along(self.fast_pixels, self.fast_size_m)?, along(self.slow_pixels, self.slow_size_m)?])
    }

    pub(crate) fn detector(&self) -> Result<Detector, Failure> {
        if self.convention == WB_PLACED {
            let [(fast_pixels, _), (slow_pixels, slow_size_m)] = self.extents()?;
            return self.placed(fast_pixels, slow_pixels, slow_size_m);
        }
        Ok(Detector::new(&self.detector_parameters()?)?)
    }

    /// Of any convention but `WB_PLACED`.
    pub(crate) fn detector_parameters(&self) -> Result<DetectorParameters, Failure> {
        let [(fast_pixels, fast_size_m), (slow_pixels, slow_size_m)] = self.extents()?;
        let axis = |bit: u64, axis: [f64; 3]| self.is_given(bit).then_some(Vec3::from(axis));
        let custom = Convention::Custom(CustomAxes {
            fast: axis(WB_GIVEN_FAST, self.fast_axis),
            slow: axis(WB_GIVEN_SLOW, self.slow_axis),
            normal: axis(WB_GIVEN_NORMAL, self.normal_axis),
            beam: axis(WB_GIVEN_BEAM, self.beam_axis),
            polarization: axis(WB_GIVEN_POLARIZATION, self.polarization_axis),
            spindle: axis(WB_GIVEN_SPINDLE, self.spindle_axis),
            twotheta: axis(WB_GIVEN_TWOTHETA, self.twotheta_axis),
        });
        use Convention::{Adxv, Denzo, Dials, Mosflm, Xds};
        let convention = chosen("convention", self.convention, &[Mosflm, Xds, Adxv, Denzo, Dials, custom])?;
        Ok(DetectorParameters {
            pixel_m: self.pixel_m,
            fast_pixels,
            slow_pixels,
            fast_size_m,
            slow_size_m,
            distance_m: Some(self.distance_m),
            close_distance_m: self.optional(WB_GIVEN_CLOSE_DISTANCE, self.close_distance_m),
            x_beam_m: self.optional(WB_GIVEN_X_BEAM, self.x_beam_m),
            y_beam_m: self.optional(WB_GIVEN_Y_BEAM, self.y_beam_m),
            x_close_m: self.optional(WB_GIVEN_X_CLOSE, self.x_close_m),
            y_close_m: self.optional(WB_GIVEN_Y_CLOSE, self.y_close_m),
            org_x_px: self.optional(WB_GIVEN_ORG_X, self.org_x_px),
            org_y_px: self.optional(WB_GIVEN_ORG_Y, self.org_y_px),
            convention,
            pivot: chosen("pivot", self.pivot, &[Pivot::Beam, Pivot::Sample])?,
            rotation_rad: self.rotation_rad,
            twotheta_rad: self.twotheta_rad,
            point_pixel: self.point_pixel != 0,
            curved: self.curved != 0,
        })
    }

    /// The detector that another program placed.
    fn placed(&self, fast_pixels: usize, slow_pixels: usize, slow_size_m: f64) -> Result<Detector, Failure> {
        for (quantity, bit, axis) in [
            ("fast axis", WB_GIVEN_FAST, self.fast_axis),
            ("slow axis", WB_GIVEN_SLOW, self.slow_axis),
            ("normal axis", WB_GIVEN_NORMAL, self.normal_axis),
            ("beam axis", WB_GIVEN_BEAM, self.beam_axis),
            ("polarisation axis", WB_GIVEN_POLARIZATION, self.polarization_axis),
            ("spindle axis", WB_GIVEN_SPINDLE, self.spindle_axis),
        ] {
            // Not refused for its length: the reference's axes are no unit vectors where its 2theta axis is
            // none.
            let length = if self.is_given(bit) { Vec3::from(axis).length() } else { f64::NAN };
            if !length.is_finite() || length == 0.0 {
                return Err(Failure::range(quantity, length, "given, finite and not 0"));
            }
        }
        let close_distance_m = match self.optional(WB_GIVEN_CLOSE_DISTANCE, self.close_distance_m) {
            Some(close) if close.is_finite() && close != 0.0 => close,
            close => {
                let close = close.unwrap_or(f64::NAN);
                return Err(Failure::range("close distance in m", close, "given, finite and not 0"));
            }
        };
        finite("origin of the detector in m", &self.pix0_m)?;
        finite("distance in m", &[self.distance_m])?;
        let [fast, slow, normal, beam, polarization, spindle, pix0_m] = [
            self.fast_axis,
            self.slow_axis,
            self.normal_axis,
            self.beam_axis,
            self.polarization_axis,
            self.spindle_axis,
            self.pix0_m,
        ]
        .map(Vec3::from);
        let across = fast.cross(slow).length();
        if across < 1e-6 {
            return Err(Failure::range("fast and slow axis", across, "not parallel"));
        }
        let to_beam = self.distance_m * beam - pix0_m;
        let (fast_beam_m, slow_beam_m) = (fast.dot(to_beam), slow.dot(to_beam));
        Ok(Detector {
            pixel_m: self.pixel_m,
            fast_pixels,
            slow_pixels,
            slow_size_m,
            pix0_m,
            fast,
            slow,
            normal,
            beam,
            polarization,
            vertical: beam.cross(polarization).unit(),
            spindle,
            twotheta_axis: Vec3::from(self.twotheta_axis),
            distance_m: self.distance_m,
            close_distance_m,
            x_beam_m: fast_beam_m,
            y_beam_m: slow_beam_m,
            fast_beam_m,
            slow_beam_m,
            fast_close_m: -pix0_m.dot(fast),
            slow_close_m: -pix0_m.dot(slow),
            normal_replaced: false,
            point_pixel: self.point_pixel != 0,
            curved: self.curved != 0,
        })
    }

    pub(crate) fn cell(&self) -> Result<Cell, Failure> {
        if self.is_given(WB_GIVEN_AXES) {
            finite("cell axes in m", &self.direct_m)?;
            finite("reciprocal axes in 1/Angstrom", &self.reciprocal_per_angstrom)?;
            let [a_m, b_m, c_m] = rows(self.direct_m).map(Vec3::from);
            let reciprocal_per_angstrom = rows(self.reciprocal_per_angstrom).map(Vec3::from);
            return Ok(Cell { direct: Orientation { a_m, b_m, c_m }, reciprocal_per_angstrom });
        }
        let crystal = Crystal::new(&self.crystal_parameters()?)?;
        Ok(Cell { direct: crystal.direct, reciprocal_per_angstrom: crystal.reciprocal_per_angstrom })
    }

    /// Of axes the matrix that has `direct_m`, to rounding.
    pub(crate) fn crystal_parameters(&self) -> Result<CrystalParameters, Failure> {
        let lambda0_m = self.lambda0_m;
        if self.is_given(WB_GIVEN_AXES) {
            finite("cell axes in m", &self.direct_m)?;
            let [a, b, c] = rows(self.direct_m).map(Vec3::from);
            let volume = a.dot(b.cross(c));
            if volume == 0.0 {
                return Err(widebragg::Error::SingularMatrix.into());
            }
            let [a_star, b_star, c_star] =
                [b.cross(c), c.cross(a), a.cross(b)].map(|across| (lambda0_m / volume) * across);
            let source = CellSource::Matrix([
                [a_star.x, b_star.x, c_star.x],
                [a_star.y, b_star.y, c_star.y],
                [a_star.z, b_star.z, c_star.z],
            ]);
            return Ok(CrystalParameters { source, lambda0_m, misset_rad: [0.0; 3] });
        }
        let cell = UnitCell { lengths_angstrom: self.cell_angstrom, angles_rad: self.cell_angles_rad };
        let matrix = rows(self.matrix);
        let source = match (self.is_given(WB_GIVEN_MATRIX), self.is_given(WB_GIVEN_CELL)) {
            (true, true) => CellSource::MatrixWithCell(matrix, cell),
            (true, false) => CellSource::Matrix(matrix),
            (false, true) => CellSource::Cell(cell),
            (false, false) => {
                return Err(Failure::range("cell, matrix or axes", f64::NAN, "one of them given"));
            }
        };
        Ok(CrystalParameters { source, lambda0_m, misset_rad: self.misset_rad })
    }

    pub(crate) fn lattice(&self, cell: &Cell) -> Result<Lattice, Failure> {
        use CrystalShape::{Gauss, Round, Square, Tophat};
        Ok(Lattice {
            shape: chosen("shape", self.shape, &[Square, Round, Gauss, Tophat])?,
            cells: self.cells,
            fudge: self.fudge,
            reciprocal_per_angstrom: cell.reciprocal_per_angstrom,
        })
    }

    pub(crate) fn sweep(&self, detector: &Detector) -> Result<PhiSweep, Failure> {
        Ok(PhiSweep {
            phi0_rad: self.phi0_rad,
            step_rad: self.phi_step_rad,
            count: self.phi_steps,
            spindle: detector.spindle,
            mode: phi_mode(self.mode)?,
        })
    }

    pub(crate) fn sensor(&self) -> Sensor {
        Sensor {
            layers: self.sensor_layers,
            layer_m: self.sensor_layer_m,
            attenuation_per_m: self.attenuation_per_m,
        }
    }

    pub(crate) fn oversample(&self, cell: &Cell, detector: &Detector) -> Result<Oversample, Failure> {
        finite("unit cells along an axis", &self.cells)?;
        finite("wavelength in m", &[self.lambda0_m])?;
        let Detector { distance_m, pixel_m, .. } = *detector;
        let resolving = recommended_oversample(cell.direct, self.cells, self.lambda0_m, distance_m, pixel_m);
        let per_axis = if self.oversample == 0 { resolving as usize } else { self.oversample };
        Ok(Oversample {
            per_axis,
            thick: self.oversample_thick != 0,
            polar: self.oversample_polar != 0,
            omega: self.oversample_omega != 0,
        })
    }

    pub(crate) fn polarization(&self, detector: &Detector) -> Option<Polarization> {
        (self.polarized != 0).then_some(Polarization { kahn: self.kahn, axis: detector.polarization })
    }

    /// The single source where none are given.
    pub(crate) fn default_source(&self, detector: &Detector) -> Result<Source, Failure> {
        Ok(Source::new(-10.0 * detector.beam, self.lambda0_m)?)
    }

    pub(crate) fn roi(&self, detector: &Detector) -> Roi {
        if !self.is_given(WB_GIVEN_ROI) {
            return Roi::whole(detector);
        }
        Roi {
            fast_min: self.roi_fast_min,
            fast_max: self.roi_fast_max,
            slow_min: self.roi_slow_min,
            slow_max: self.roi_slow_max,
        }
    }

    pub(crate) fn lookup(&self) -> Result<LookupRule, Failure> {
        let few = self.cells.into_iter().any(|n| n <= 2.0);
        let auto = if few { LookupRule::Tricubic } else { LookupRule::Nearest };
        chosen("interpolation", self.interpolation, &[auto, LookupRule::Nearest, LookupRule::Tricubic])
    }

    pub(crate) fn precision(&self) -> Result<Precision, Failure> {
        chosen("precision", self.precision, &[Precision::Double, Precision::Mixed])
    }
}
