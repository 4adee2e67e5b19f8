//! The taps of a pixel: names, order, and the field of the kernel's probes that each value comes from.
//!
//! Names and order are those of the reference's traces; names include the units. Taps without a value are
//! left out: the factor of each axis of crystals that are not square, and the taps of a step where no step is
//! traced.

use widebragg::ELECTRON_RADIUS_SQUARED_M2;
use widebragg::render::{PixelProbe, StepProbe};
use widebragg::rotation::PhiMode;
use widebragg::scene::Scene;
use widebragg::vector::Vec3;

/// The tap that the steps precede: their sum.
pub const AFTER_STEPS: &str = "I_before_scaling";

/// The value of a tap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// One number.
    Number(f64),
    /// Three numbers: x, y, z or h, k, l.
    Vector([f64; 3]),
}

impl Value {
    /// The value with `change` applied to each number.
    #[must_use]
    pub fn map(self, change: impl Fn(f64) -> f64) -> Self {
        match self {
            Self::Number(x) => Self::Number(change(x)),
            Self::Vector(v) => Self::Vector(v.map(change)),
        }
    }

    /// The numbers.
    #[must_use]
    pub fn numbers(&self) -> &[f64] {
        match self {
            Self::Number(x) => core::slice::from_ref(x),
            Self::Vector(v) => v,
        }
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Self {
        Self::Number(x)
    }
}

impl From<bool> for Value {
    fn from(on: bool) -> Self {
        Self::Number(f64::from(u8::from(on)))
    }
}

impl From<Vec3> for Value {
    fn from(v: Vec3) -> Self {
        Self::Vector(v.to_array())
    }
}

impl From<[f64; 3]> for Value {
    fn from(v: [f64; 3]) -> Self {
        Self::Vector(v)
    }
}

/// All taps of `pixel` in order; the taps of a step are those of `step`.
#[must_use]
pub fn taps(scene: &Scene<'_>, pixel: &PixelProbe, step: Option<&StepProbe>) -> Vec<(&'static str, Value)> {
    let p = scene.parts();
    let mut taps: Vec<(&'static str, Value)> = vec![
        ("pix0_vector_meters", p.panel.pix0_m.into()),
        ("fdet_vec", p.panel.fast.into()),
        ("sdet_vec", p.panel.slow.into()),
    ];
    let source = step.and_then(|step| p.sources.get(step.source));
    if let Some(step) = step {
        taps.push(("pixel_pos_meters", step.position_m.into()));
        taps.push(("R_distance_meters", step.distance_m.into()));
    }
    taps.push(("omega_pixel_sr", pixel.omega_sr.into()));
    taps.push(("close_distance_meters", p.panel.close_distance_m.into()));
    if let Some(step) = step {
        taps.push(("obliquity_factor", (p.panel.close_distance_m / step.distance_m).into()));
        taps.push(("diffracted_vec", step.diffracted.into()));
    }
    if let Some(source) = source {
        taps.push(("incident_vec", source.incident.into()));
        taps.push(("lambda_meters", source.lambda_m.into()));
        taps.push(("lambda_angstroms", (source.lambda_m * 1e10).into()));
    }
    if let Some(step) = step {
        taps.push(("rot_a_angstroms", (1e10 * step.orientation.a_m).into()));
        taps.push(("rot_b_angstroms", (1e10 * step.orientation.b_m).into()));
        taps.push(("rot_c_angstroms", (1e10 * step.orientation.c_m).into()));
        taps.push(("hkl_frac", step.hkl.into()));
        taps.push(("hkl_rounded", step.hkl_rounded.into()));
        taps.extend(per_axis(step).map(|(name, factor)| (name, factor.into())));
        taps.push(("F_latt", step.f_latt.into()));
        taps.push(("F_cell", step.f_cell.into()));
    }
    taps.extend([
        (AFTER_STEPS, pixel.intensity.into()),
        ("r_e_meters", ELECTRON_RADIUS_SQUARED_M2.sqrt().into()),
        ("r_e_sqr", ELECTRON_RADIUS_SQUARED_M2.into()),
        ("fluence_photons_per_m2", p.fluence_per_m2.into()),
        ("steps", scene.steps().into()),
        ("oversample_thick", p.oversample.thick.into()),
        ("oversample_polar", p.oversample.polar.into()),
        ("oversample_omega", p.oversample.omega.into()),
        ("capture_fraction", pixel.capture.into()),
        ("polar", pixel.polarization.into()),
        ("omega_pixel", pixel.omega_sr.into()),
    ]);
    if let (Some(step), Some(source)) = (step, source) {
        taps.push(("cos_2theta", source.incident.dot(step.diffracted).into()));
    }
    if p.water_m > 0.0 && scene.mode() == PhiMode::Spec {
        taps.push(("I_background", pixel.background.into()));
    }
    taps.push(("I_pixel_final", pixel.value.into()));
    taps.push(("floatimage_accumulated", f64::from(pixel.value as f32).into()));
    if let Some(step) = step {
        taps.push(("scattering_vec_per_m", step.scattering_per_m.into()));
    }
    taps
}

/// The factors of F_latt along a, b and c, of square crystals.
fn per_axis(step: &StepProbe) -> impl Iterator<Item = (&'static str, f64)> + use<> {
    let [a, b, c] = step.f_latt_axes;
    [("F_latt_a", a), ("F_latt_b", b), ("F_latt_c", c)].into_iter().filter(|(_, factor)| !factor.is_nan())
}

/// The numbers of one step, in order; `phi_rad` is its phi.
#[must_use]
pub fn step_numbers(step: &StepProbe, phi_rad: f64) -> Vec<(&'static str, f64)> {
    let [h, k, l] = step.hkl;
    let mut numbers = vec![("phi_deg", phi_rad.to_degrees()), ("h_frac", h), ("k_frac", k), ("l_frac", l)];
    numbers.extend(per_axis(step));
    numbers.extend([
        ("F_latt", step.f_latt),
        ("F_cell", step.f_cell),
        ("term", step.term()),
        ("I_sum", step.intensity),
    ]);
    numbers
}
