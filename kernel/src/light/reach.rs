//! How far from its node a spot reaches, and what is left out beyond.

use super::Cutoff;
use crate::crystal::reciprocal_of;
use crate::lattice::{CrystalShape, SpotProfile};
use crate::rotation::Orientation;
use crate::scene::Scene;
use crate::vector::Vec3;

/// The ball about a node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach {
    /// Where a Gaussian is cut off, as its exponent, which is below 0.
    pub(crate) lowest_exponent: f64,
    /// Largest term that a step may leave out.
    pub(crate) left_out: f64,
    /// What the squared distance from a node, in the metric of the spots, is multiplied by in the exponent.
    pub(crate) per_square: f64,
    /// Radius of the ball in the metric of the spots: 1/Angstrom, in the reciprocal space of the crystal at phi = 0, or none.
    radius: f64,
    /// Direct axes of those in which the shape measures distances.
    direct: [Vec3; 3],
}

/// How much more than a ball's radius is searched, for the rounding of indices near its surface.
const WIDER: f64 = 1e-6;

/// Largest half width of a spot along h, k or l: a little less than half the way to the next node.
const WIDEST: f64 = 0.49;

/// Largest radius of a ball, in units of 1/lambda.
const HALF_WAY: f64 = 0.5;

/// What a bound on terms is multiplied by, for the rounding of exponent, exponential and amplitude.
const ROUNDING: f64 = 1.0 + 1e-9;

impl Reach {
    /// The reach of the spots of a scene; `None` for shapes without spots and for spots that meet their neighbours.
    pub(super) fn new(scene: &Scene<'_>, cutoff: Cutoff) -> Option<Self> {
        let crystallite = &scene.p.crystallite;
        let profile = SpotProfile::new(crystallite)?;
        let (exponent, lowest_exponent, ends) = match (crystallite.shape, cutoff) {
            (CrystalShape::Gauss, Cutoff::Exponent(x)) if x < crystallite.gauss_end() => (x, -x, false),
            (CrystalShape::Gauss, _) => (crystallite.gauss_end(), crystallite.lowest_exponent(), true),
            _ => (profile.edge, -profile.edge, true),
        };
        let largest_amplitude =
            scene.p.structure_factors.largest() * crystallite.volume() * libm::exp(-exponent) * ROUNDING;
        // Terms below the normal numbers lose digits.
        let left_out = largest_amplitude * largest_amplitude * ROUNDING + f64::MIN_POSITIVE;
        let reach = Self {
            lowest_exponent,
            left_out: if ends { 0.0 } else { left_out },
            per_square: profile.per_square,
            radius: libm::sqrt(exponent / profile.per_square) * (1.0 + WIDER),
            direct: reciprocal_of(crystallite.spot_axes())?,
        };
        // NaN, too, is no reach.
        let widest = reach.direct.map(|axis| axis.length() * reach.radius);
        // A ball that holds the middle of the sphere would scatter into all directions.
        let mut largest_per_m = 0.0f64;
        for entry in scene.p.orientations.entries() {
            largest_per_m = largest_per_m.max(reach.radius_per_m(reciprocal_of(axes_m(entry))?));
        }
        let longest_m = scene.p.sources.iter().map(|source| source.lambda_m).fold(0.0, f64::max);
        if largest_per_m * longest_m > HALF_WAY {
            return None;
        }
        widest.into_iter().all(|half_width| half_width <= WIDEST && exponent > 0.0).then_some(reach)
    }

    /// Radius of the ball in the metric of the spots.
    pub(super) fn radius(&self) -> f64 {
        self.radius
    }

    /// Radius of the ball about a node in the laboratory's reciprocal space, in 1/m, for an orientation with these
    /// reciprocal axes, in 1/m.
    ///
    /// An offset M d of the node in the axes of the spots is the offset T M d in the laboratory, where T is the sum of
    /// the products of a laboratory's reciprocal axis and the direct axis of M. In reciprocal metric T is a rotation unless
    /// the caller's tables do not belong together; in index metric the ball becomes an ellipsoid. The largest row sum of the
    /// Gram matrix of T bounds the square of its norm.
    pub(super) fn radius_per_m(&self, reciprocal_per_m: [Vec3; 3]) -> f64 {
        let mut rows = [Vec3::default(); 3];
        for (star, axis) in reciprocal_per_m.into_iter().zip(self.direct) {
            for (row, factor) in rows.iter_mut().zip(star.to_array()) {
                *row = *row + factor * axis;
            }
        }
        let sums = rows.map(|row| rows.map(|other| row.dot(other).abs()).iter().sum::<f64>());
        let squared_norm = sums.into_iter().fold(0.0, f64::max);
        self.radius * libm::sqrt(squared_norm)
    }
}

/// The cell vectors of an orientation, in m.
pub(super) fn axes_m(orientation: &Orientation) -> [Vec3; 3] {
    [orientation.a_m, orientation.b_m, orientation.c_m]
}
