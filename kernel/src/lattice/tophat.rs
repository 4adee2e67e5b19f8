//! Spots with a sharp edge: Na Nb Nc where fudge rs2 < 0.3969, else 0; see the parent for rs2.

use super::shape::{Differentiable, FLattDerivatives, Shape, shape_kind};
use super::spot::{NodeDistance, SpotKind, SpotShape};
use super::{CrystalShape, Crystallite, Indices};
use crate::formulas::CrystalNumbers;
use crate::lanes::{Lanes, Level};

/// fudge rs2 at the edge of a spot.
pub(super) const EDGE: f64 = 0.3969;

/// [`CrystalShape::Tophat`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tophat<F> {
    distance: NodeDistance<F>,
    volume: F,
}

shape_kind!(TophatKind, Tophat, sparse: CrystalShape::Tophat.is_sparse(), pairs: false);

impl<F: Lanes> Tophat<F> {
    #[inline(always)]
    pub(super) fn new<L: Level<F = F>>(level: L, crystallite: &Crystallite) -> Self {
        Self::of(&CrystalNumbers::new(crystallite).splat(level))
    }

    #[inline(always)]
    pub(crate) fn of(numbers: &CrystalNumbers<F>) -> Self {
        Self { distance: NodeDistance::of(numbers), volume: numbers.volume }
    }
}

impl<F: Lanes> Shape<F> for Tophat<F> {
    #[inline(always)]
    fn f_latt<const GUARDED: bool>(&self, indices: &Indices<F>) -> F {
        let inside = self.distance.squared(indices).lt(self.volume.splat_like(EDGE));
        F::select(inside, self.volume, self.volume.splat_like(0.0))
    }
}

impl<F: Lanes> SpotShape<F> for Tophat<F> {
    #[inline(always)]
    fn f_latt_in_reach(&self, indices: &Indices<F>, _: F) -> F {
        self.f_latt::<true>(indices)
    }
}

impl SpotKind for TophatKind {
    #[inline(always)]
    fn spots<L: Level>(level: L, crystallite: &Crystallite) -> impl SpotShape<L::F> {
        Tophat::new(level, crystallite)
    }
}

impl<F: Lanes> Differentiable<F> for Tophat<F> {
    /// F_latt is constant inside and outside the spot; the edge has no derivative.
    #[inline(always)]
    fn derivatives(&self, indices: &Indices<F>) -> FLattDerivatives<F> {
        FLattDerivatives::constant(self.f_latt::<true>(indices))
    }
}
