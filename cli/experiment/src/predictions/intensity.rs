//! The photons of a whole reflection.
//!
//! **Formula.** A crystal that turns with the same photons everywhere in phi, fluence of them per area and osc, takes
//! a reflection through the sphere. Summed over pixels and frames it has
//!
//! ```text
//! photons = r_e^2 fluence F_cell^2 P capture M lambda^3/(L osc)
//! M = integral of F_latt^2 d^3q over the reflection,    L = |e.(u1 x u0)|
//! ```
//!
//! since a solid angle d(Omega) and a rotation d(phi) sweep d^3q = L/lambda^3 d(Omega) d(phi). M is N/V for a crystal of
//! N cells of the volume V with straight faces, N/(V fudge^(3/2)) for a round one, N^2 (0.315 pi/fudge)^(3/2)/N^3 for
//! Gaussian spots and N^2 (4 pi/3) (0.63/(sqrt(fudge) N))^3 for those with a sharp edge, the last two in 1/Angstrom^3. In
//! index metric det(N)/V takes the place of 1/N in these two. A cutoff x of Gaussian spots keeps
//! erf(sqrt(2 x)) - 2 sqrt(2 x/pi) exp(-2 x) of them.
//!
//! **Symbols.** P polarisation, capture that of the sensor, e spindle, u0 and u1 the unit vectors of the beam and of the ray.
//! **Source.** Kinematic theory (Darwin, Phil. Mag. 27, 315, 1914), with the lattice factors of [`widebragg::lattice`].
//!
//! **Accuracy.** Images of many phi steps have it within 1 % where their frames hold the whole reflection
//! (`tests/cli_predictions.rs`). Round crystals have less, by some 0.5/N of it, since their lattice factor falls off slowly
//! and ends where another reflection is nearer. F is that of the node, interpolated or not, and the defects of c-parity
//! are left out.

use core::f64::consts::PI;

use widebragg::ELECTRON_RADIUS_SQUARED_M2;
use widebragg::beam::polarization_factor;
use widebragg::lattice::{CrystalShape, Crystallite, SpotMetric};

use super::experiment::f_cell;
use super::{Prediction, When};
use crate::experiment::Experiment;

/// Photons of the reflections of a rotation.
#[derive(Debug, Clone, Copy)]
pub struct FullIntensity<'e> {
    experiment: &'e Experiment,
    /// What all reflections share, without the Lorentz factor: r_e^2 fluence M lambda^3/osc.
    common: f64,
}

impl<'e> FullIntensity<'e> {
    /// That of the frames of an experiment; `None` for a still, and for spots without an edge (a fudge of 0).
    #[must_use]
    pub fn new(experiment: &'e Experiment) -> Option<Self> {
        let osc_rad = experiment.phi.range.abs();
        let per_cubic_angstrom = lattice_integral(&experiment.crystallite);
        let cubic_angstrom = (experiment.lambda0_m * 1e10).powi(3);
        let per_area = ELECTRON_RADIUS_SQUARED_M2 * experiment.weight * experiment.fluence_per_m2;
        let common = per_area * per_cubic_angstrom * cubic_angstrom / osc_rad;
        (osc_rad > 0.0 && common.is_finite()).then_some(Self { experiment, common })
    }

    /// Photons of a reflection in all pixels and frames; infinite where its ray lies in the plane of the beam and the
    /// spindle, as if it never left the sphere, and 0 in a still.
    #[must_use]
    pub fn photons(&self, prediction: &Prediction) -> f64 {
        let When::Phi { .. } = prediction.when else { return 0.0 };
        let Self { experiment, common } = *self;
        let frame = &experiment.frame;
        let Some(panel) = experiment.panels.get(prediction.panel) else { return 0.0 };
        let ray = prediction.s1_per_angstrom.normalize();
        let lorentz = frame.spindle.dot(ray.cross(frame.beam)).abs();
        let polarization = experiment.polarization.map_or(1.0, |polarization| {
            polarization_factor(polarization.kahn, frame.beam, ray, polarization.axis)
        });
        let sensor = panel.sensor;
        let path_m = sensor.thickness_m() / ray.dot(panel.detector.normal).abs();
        let capture =
            if sensor.layer_m > 0.0 { 1.0 - (-path_m * sensor.attenuation_per_m).exp() } else { 1.0 };
        let f_cell = f_cell(experiment, prediction.hkl);
        common * f_cell * f_cell * polarization * capture / lorentz
    }
}

/// Integral of F_latt^2 over a reflection, in 1/Angstrom^3.
fn lattice_integral(crystallite: &Crystallite) -> f64 {
    let Crystallite { shape, fudge, reciprocal_per_angstrom: [a_star, b_star, c_star], spots, .. } =
        *crystallite;
    let count = crystallite.volume();
    let volume_star = a_star.dot(b_star.cross(c_star)).abs();
    let of_spots = match spots.metric {
        SpotMetric::Reciprocal => 1.0 / count,
        SpotMetric::Index => count * volume_star,
    };
    match shape {
        CrystalShape::Square => count * volume_star,
        CrystalShape::Round => count * volume_star / fudge.powf(1.5),
        CrystalShape::Gauss => (0.315 * PI / fudge).powf(1.5) * of_spots * kept_by_cutoff(spots.gauss_cutoff),
        CrystalShape::Tophat => 4.0 / 3.0 * PI * (0.63 / fudge.sqrt()).powi(3) * of_spots,
    }
}

/// The part of a Gaussian spot within a cutoff: of F_latt^2, whose exponent is twice that of F_latt.
fn kept_by_cutoff(exponent: f64) -> f64 {
    let twice = 2.0 * exponent;
    if twice.is_infinite() {
        return 1.0;
    }
    libm::erf(twice.sqrt()) - 2.0 * (twice / PI).sqrt() * (-twice).exp()
}
