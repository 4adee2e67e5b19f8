//! Spots of gauss and tophat shape: the distance of a scattering vector from its nearest node.

use super::shape::Shape;
use super::{CrystalShape, Crystallite, Indices};
use crate::formulas::CrystalNumbers;
use crate::lanes::{Lanes, Level};

/// A shape whose F_latt is a function of the distance from the nearest node, and nothing beyond some distance.
pub(crate) trait SpotShape<F: Lanes>: Shape<F> {
    /// |F_latt| within the reach of the node of `indices`, else 0: a Gaussian is cut off where its exponent, which is
    /// not above 0, is below `lowest_exponent`.
    fn f_latt_in_reach(&self, indices: &Indices<F>, lowest_exponent: F) -> F;
}

/// Marker type of such a shape.
pub(crate) trait SpotKind {
    /// The shape of `crystallite`, at a level.
    fn spots<L: Level>(level: L, crystallite: &Crystallite) -> impl SpotShape<L::F>;
}

/// How F_latt falls off with the distance from the node: as a function of `per_square` times its square, where the edge of a
/// tophat is at `edge`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpotProfile {
    /// Per square of a length in [`Crystallite::spot_axes`].
    pub(crate) per_square: f64,
    /// Infinite for a Gaussian.
    pub(crate) edge: f64,
}

impl SpotProfile {
    /// The profile of a crystal's spots; `None` for the shapes whose F_latt reaches from node to node.
    pub(crate) fn new(crystallite: &Crystallite) -> Option<Self> {
        let scale = crystallite.spot_scale() * crystallite.fudge;
        match crystallite.shape {
            CrystalShape::Square | CrystalShape::Round => None,
            CrystalShape::Gauss => Some(Self { per_square: scale / 0.63, edge: f64::INFINITY }),
            CrystalShape::Tophat => Some(Self { per_square: scale, edge: super::tophat::EDGE }),
        }
    }
}

/// rs2, the squared distance to the nearest node, times a factor.
#[derive(Debug, Clone, Copy)]
pub(super) struct NodeDistance<F> {
    /// Those of [`Crystallite::spot_axes`], each x, y, z.
    pub(super) axes: [[F; 3]; 3],
    /// fudge, [`Crystallite::spot_scale`], and the factor that the shape asks for.
    pub(super) scale: F,
}

impl<F: Lanes> NodeDistance<F> {
    #[inline(always)]
    pub(super) fn of(numbers: &CrystalNumbers<F>) -> Self {
        let CrystalNumbers { spot_a, spot_b, spot_c, spot_scale, .. } = *numbers;
        Self { axes: [spot_a, spot_b, spot_c], scale: spot_scale }
    }

    /// The vector from the nearest node, in the metric of the spots.
    #[inline(always)]
    pub(super) fn offset(&self, indices: &Indices<F>) -> [F; 3] {
        let [dh, dk, dl] = indices.offset;
        let [[ax, ay, az], [bx, by, bz], [cx, cy, cz]] = self.axes;
        let x = dh.mul_add(ax, dk.mul_add(bx, dl * cx));
        let y = dh.mul_add(ay, dk.mul_add(by, dl * cy));
        let z = dh.mul_add(az, dk.mul_add(bz, dl * cz));
        [x, y, z]
    }

    /// The squared distance times the factor.
    #[inline(always)]
    pub(super) fn squared(&self, indices: &Indices<F>) -> F {
        let [x, y, z] = self.offset(indices);
        x.mul_add(x, y.mul_add(y, z * z)) * self.scale
    }
}
