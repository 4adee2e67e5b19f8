//! The detector in the conventions of nonBragg.
//!
//! **Formulas.** Fast f, slow s and the normal o = f x s follow the options. With the foot of the normal and the beam
//! centre measured from the outer corner of the first pixel, and R, T as in the kernel's module `detector`:
//!
//! ```text
//! pix0 = T R (-Fclose f - Sclose s + close_distance o)           pivot at the sample
//! pix0 = -Fbeam f' - Sbeam s' + distance b                       pivot at the beam spot, f' = T R f
//! ```
//!
//! The number of pixels is rounded up, so that some sizes have one more than what was asked for; in spec it is the nearest one.
//! The foot is by default
//! at the middle of the detector, half a pixel towards the first pixel along fast and away from it along slow.

use widebragg::detector::{BeamFrame, Detector, NormalUse, Pivot};
use widebragg::panel::{Bend, Panel};
use widebragg::rotation::{PhiMode, rotate_axis, rotate_xyz};
use widebragg::scene::Sensor;
use widebragg::vector::Vec3;
use widebragg_formats::c_library::int_of;
use widebragg_formats::format_g::format_g as g;
use widebragg_formats::smv::{SmvHeader, header_with_keys};

use crate::error::Failure;
use crate::options::NonbraggOptions;

/// Degrees in a radian.
const DEGREES: f64 = 180.0 * core::f64::consts::FRAC_1_PI;

/// The detector, and what the headers of images need besides.
#[derive(Debug, Clone)]
pub(super) struct Placement {
    pub(super) detector: Detector,
    pub(super) lambda_m: f64,
    phi0_rad: f64,
    osc_rad: f64,
    twotheta_rad: f64,
}

/// Numbers of a header that the command line takes precedence over.
#[derive(Debug, Default)]
struct Stated {
    pixels: [Option<i32>; 2],
    size_m: [Option<f64>; 2],
    pixel_m: Option<f64>,
    distance_m: Option<f64>,
    close_distance_m: Option<f64>,
    lambda_m: Option<f64>,
    beam_centre_m: [Option<f64>; 2],
    org_px: [Option<f64>; 2],
    phi0_rad: Option<f64>,
    osc_rad: Option<f64>,
}

impl Stated {
    fn of(header: &SmvHeader, [fast, slow]: [usize; 2]) -> Self {
        let number = |key: &str| header.nanobragg_number(key);
        let metres = |key: &str| number(key).map(|mm| mm / 1000.0);
        let pixel_m = metres("PIXEL_SIZE");
        let size_m = [fast, slow].map(|pixels| pixel_m.unwrap_or(1e-4) * pixels as f64);
        Self {
            pixels: [fast, slow].map(|pixels| i32::try_from(pixels).ok()),
            size_m: size_m.map(Some),
            pixel_m,
            distance_m: metres("DISTANCE"),
            close_distance_m: metres("CLOSE_DISTANCE"),
            lambda_m: number("WAVELENGTH").map(|angstrom| angstrom / 1e10),
            beam_centre_m: [metres("BEAM_CENTER_X"), metres("BEAM_CENTER_Y").map(|y_m| size_m[1] - y_m)],
            org_px: [number("ORGX"), number("ORGY")],
            phi0_rad: number("PHI").map(|degrees| degrees / DEGREES),
            osc_rad: number("OSC_RANGE").map(|degrees| degrees / DEGREES),
        }
    }
}

/// The number of pixels and the size along an axis, from the number asked for and the size.
fn extent(mode: PhiMode, name: &str, asked: i32, size_m: f64, pixel_m: f64) -> Result<(usize, f64), Failure> {
    let size_m = if asked == 0 { size_m } else { pixel_m * f64::from(asked) };
    let pixels = match mode {
        PhiMode::CParity => size_m / pixel_m,
        // To the nearest number, as nanoBragg and noisify do.
        PhiMode::Spec => size_m / pixel_m - 0.5,
    };
    match usize::try_from(int_of(pixels.ceil())) {
        Ok(pixels @ 1..) => Ok((pixels, size_m)),
        _ => Err(Failure::input(format!("{name}: {} mm are no number of pixels", g(size_m * 1000.0)))),
    }
}

/// The unit vector of an option.
fn unit(name: &str, vector: [f64; 3]) -> Result<Vec3, Failure> {
    let vector = Vec3::from(vector);
    vector.try_normalize().ok_or_else(|| Failure::input(format!("{name}: is not a direction")))
}

impl Placement {
    /// The detector of the options, and of the header and the size of `-img`.
    pub(super) fn new(
        options: &NonbraggOptions,
        image: Option<(&SmvHeader, [usize; 2])>,
    ) -> Result<Self, Failure> {
        let o = options;
        let stated = image.map_or_else(Stated::default, |(header, size)| Stated::of(header, size));
        let pixel_m = o.pixel_m.or(stated.pixel_m).unwrap_or(widebragg::defaults::PIXEL_M);
        if !(pixel_m > 0.0 && pixel_m.is_finite()) {
            return Err(Failure::input(format!("-pixel: {} mm: must be above 0", g(pixel_m * 1000.0))));
        }
        let along = |name: &str, axis: usize| {
            let size_m =
                o.size_m[axis].or(stated.size_m[axis]).unwrap_or(widebragg::defaults::DETECTOR_SIZE_M);
            extent(o.mode, name, o.pixels[axis].or(stated.pixels[axis]).unwrap_or(0), size_m, pixel_m)
        };
        let (fast_pixels, fast_size_m) = along("-detpixels_x", 0)?;
        let (slow_pixels, slow_size_m) = along("-detpixels_y", 1)?;

        let org_m = [0, 1].map(|axis| o.org_px[axis].or(stated.org_px[axis]).map(|org_px| org_px * pixel_m));
        let fast_close_m = org_m[0].or(o.close_m[0]).unwrap_or((fast_size_m - pixel_m) / 2.0);
        let slow_close_m = org_m[1].or(o.close_m[1]).unwrap_or((slow_size_m + pixel_m) / 2.0);
        let beam_centre_m = [0, 1].map(|axis| o.beam_centre_m[axis].or(stated.beam_centre_m[axis]));
        let fast_beam_m = beam_centre_m[0].unwrap_or(fast_close_m);
        let slow_beam_m = beam_centre_m[1].unwrap_or(slow_close_m);

        let beam = unit("-beam_vector", o.beam)?;
        let (fast, slow) = (unit("-fdet_vector", o.fast)?, unit("-sdet_vector", o.slow)?);
        let normal = unit("-fdet_vector and -sdet_vector", fast.cross(slow).to_array())?;
        let polarization = unit("-polar_vector", o.polarization)?;
        let vertical = unit("-beam_vector and -polar_vector", beam.cross(polarization).to_array())?;

        let twotheta_axis = Vec3::from(o.twotheta_axis);
        let tilt = |v: Vec3| rotate_xyz(v, o.rotation_rad);
        let swing = |v: Vec3| rotate_axis(v, twotheta_axis, o.twotheta_rad);
        let ratio = match beam.dot(tilt(normal)) {
            0.0 => f64::MIN_POSITIVE,
            ratio => ratio,
        };
        let given_m = o.distance_m.or(stated.distance_m).unwrap_or(widebragg::defaults::DISTANCE_M);
        let close_m = o.close_distance_m.or(stated.close_distance_m).unwrap_or(ratio * given_m);
        let distance_m = close_m / ratio;

        let at_rest_m = -fast_close_m * fast - slow_close_m * slow + close_m * normal;
        let [fast, slow, normal] = [fast, slow, normal].map(|axis| swing(tilt(axis)));
        let pix0_m = match o.pivot {
            Pivot::Sample => swing(tilt(at_rest_m)),
            Pivot::Beam => -fast_beam_m * fast - slow_beam_m * slow + distance_m * beam,
        };
        let close_distance_m = pix0_m.dot(normal);
        let distance_m = close_distance_m / ratio;
        let panel = Panel {
            pixel_m,
            fast_pixels,
            slow_pixels,
            pix0_m,
            fast,
            slow,
            normal,
            close_distance_m,
            point_pixel: o.point_pixel,
            bend: o.curved.then_some(Bend { beam, radius_m: distance_m }),
            sensor: Sensor::THIN,
        };
        let frame = BeamFrame { beam, polarization, vertical, spindle: polarization };
        let detector = Detector {
            slow_size_m,
            twotheta_axis,
            normal_use: NormalUse::Replaced,
            ..panel.detector(distance_m, &frame)
        };
        if !(pix0_m.is_finite() && detector.distance_m.is_finite()) {
            return Err(Failure::input("nonbragg: the detector has no finite place"));
        }
        Ok(Self {
            detector,
            lambda_m: o.lambda_m.or(stated.lambda_m).unwrap_or(widebragg::defaults::LAMBDA_M),
            phi0_rad: o.phi0_rad.or(stated.phi0_rad).unwrap_or(0.0),
            osc_rad: osc_rad(o.osc_rad.or(stated.osc_rad), o.phi_steps),
            twotheta_rad: o.twotheta_rad,
        })
    }

    /// Pixels along the fast and the slow axis.
    pub(super) fn pixels(&self) -> [usize; 2] {
        [self.detector.fast_pixels, self.detector.slow_pixels]
    }

    /// The header of the images.
    pub(super) fn header(&self) -> Vec<u8> {
        let Detector { pixel_m, slow_size_m, .. } = self.detector;
        let d = &self.detector;
        let mm = |metres: f64| g(metres * 1000.0);
        let phi_deg = g(self.phi0_rad * DEGREES);
        header_with_keys(
            "unsigned_short",
            &[
                ("SIZE1", d.fast_pixels.to_string()),
                ("SIZE2", d.slow_pixels.to_string()),
                ("PIXEL_SIZE", mm(pixel_m)),
                ("DISTANCE", mm(d.distance_m)),
                ("WAVELENGTH", g(self.lambda_m * 1e10)),
                ("BEAM_CENTER_X", mm(d.fast_beam_m)),
                ("BEAM_CENTER_Y", mm(slow_size_m - d.slow_beam_m)),
                ("ORGX", g(d.fast_close_m / pixel_m)),
                ("ORGY", g(d.slow_close_m / pixel_m)),
                ("CLOSE_DISTANCE", mm(d.close_distance_m)),
                ("PHI", phi_deg.clone()),
                ("OSC_START", phi_deg),
                ("OSC_RANGE", g(self.osc_rad * DEGREES)),
                ("TWOTHETA", g(self.twotheta_rad * DEGREES)),
                ("DETECTOR_SN", "000".to_owned()),
                ("BEAMLINE", "fake".to_owned()),
            ],
        )
    }
}

/// The oscillation, which follows from the step of phi, or is a degree where only a number of steps is given.
fn osc_rad(given: Option<f64>, (step_rad, steps): (f64, i32)) -> f64 {
    match given.filter(|osc_rad| *osc_rad >= 0.0) {
        Some(osc_rad) => osc_rad,
        None if step_rad > 0.0 => step_rad,
        None if steps >= 0 => 1.0 / DEGREES,
        None => 0.0,
    }
}
