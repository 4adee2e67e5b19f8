//! Gaussian spots: Na Nb Nc exp(-fudge rs2/0.63), see the parent for rs2 and for the cutoff.

use super::shape::{Differentiable, FLattDerivatives, Shape, differentiable_kind, shape_kind};
use super::spot::{NodeDistance, SpotKind, SpotShape};
use super::{CrystalShape, Crystallite, Indices};
use crate::formulas::CrystalNumbers;
use crate::lanes::{LaneMask, Lanes, Level};
use crate::math::exp;

/// Exponent beyond which the exponential is 0. Where it is still the smallest f64 the reference does not skip the
/// step, which may latch the interpolation or multiply the running sum.
pub(super) const GAUSS_VANISHES: f64 = 745.133_219_101_941_1;

/// [`CrystalShape::Gauss`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gauss<F> {
    distance: NodeDistance<F>,
    volume: F,
    lowest_exponent: F,
}

shape_kind!(GaussKind, Gauss, sparse: CrystalShape::Gauss.is_sparse(), pairs: false);
differentiable_kind!(GaussKind, Gauss);

impl<F: Lanes> Gauss<F> {
    #[inline(always)]
    pub(super) fn new<L: Level<F = F>>(level: L, crystallite: &Crystallite) -> Self {
        Self::of(&CrystalNumbers::new(crystallite).splat(level))
    }

    #[inline(always)]
    pub(crate) fn of(numbers: &CrystalNumbers<F>) -> Self {
        let CrystalNumbers { volume, lowest_exponent, .. } = *numbers;
        Self { distance: NodeDistance::of(numbers), volume, lowest_exponent }
    }
}

impl<F: Lanes> Shape<F> for Gauss<F> {
    #[inline(always)]
    fn f_latt<const GUARDED: bool>(&self, indices: &Indices<F>) -> F {
        // Between spots the exponential is nearly everywhere 0, and the reference skips the step.
        self.f_latt_in_reach(indices, self.lowest_exponent)
    }
}

impl<F: Lanes> SpotShape<F> for Gauss<F> {
    #[inline(always)]
    fn f_latt_in_reach(&self, indices: &Indices<F>, lowest_exponent: F) -> F {
        let exponent = self.distance.squared(indices);
        let zero = exponent.splat_like(0.0);
        let vanishes = exponent.lt(lowest_exponent);
        if vanishes.all() {
            return zero;
        }
        F::select(vanishes, zero, self.volume * exp(exponent.max(exponent.splat_like(-708.0))))
    }
}

impl SpotKind for GaussKind {
    #[inline(always)]
    fn spots<L: Level>(level: L, crystallite: &Crystallite) -> impl SpotShape<L::F> {
        Gauss::new(level, crystallite)
    }
}

impl<F: Lanes> Differentiable<F> for Gauss<F> {
    #[inline(always)]
    fn derivatives(&self, indices: &Indices<F>) -> FLattDerivatives<F> {
        let f_latt = self.f_latt::<true>(indices);
        let zero = f_latt.splat_like(0.0);
        if f_latt.eq(zero).all() {
            return FLattDerivatives::constant(f_latt);
        }
        let [x, y, z] = self.distance.offset(indices);
        let by_square = f_latt * self.distance.scale;
        let twice = by_square + by_square;
        let [ox, oy, oz] = [twice * x, twice * y, twice * z];
        let [[ax, ay, az], [bx, by, bz], [cx, cy, cz]] = self.distance.axes;
        FLattDerivatives {
            f_latt,
            by_index: [
                ox.mul_add(ax, oy.mul_add(ay, oz * az)),
                ox.mul_add(bx, oy.mul_add(by, oz * bz)),
                ox.mul_add(cx, oy.mul_add(cy, oz * cz)),
            ],
            by_offset: [ox, oy, oz],
        }
    }
}
