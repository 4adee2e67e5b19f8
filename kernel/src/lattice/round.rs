//! A sphere: Na Nb Nc 0.7236 sinc3(pi sqrt(fudge sum (N_i (h_i - h0_i))^2)).

use super::shape::{Differentiable, FLattDerivatives, Shape, differentiable_kind, shape_kind};
use super::{CrystalShape, Crystallite, Indices};
use crate::formulas::CrystalNumbers;
use crate::lanes::{Lanes, Level};
use crate::math::{sinc3_of_square, sinc3_slope_of_square};

/// [`CrystalShape::Round`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round<F> {
    cells: [F; 3],
    fudge: F,
    volume: F,
}

shape_kind!(RoundKind, Round, sparse: CrystalShape::Round.is_sparse(), pairs: false);
differentiable_kind!(RoundKind, Round);

impl<F: Lanes> Round<F> {
    #[inline(always)]
    pub(super) fn new<L: Level<F = F>>(level: L, crystallite: &Crystallite) -> Self {
        Self::of(&CrystalNumbers::new(crystallite).splat(level))
    }

    #[inline(always)]
    pub(crate) fn of(numbers: &CrystalNumbers<F>) -> Self {
        let CrystalNumbers { cells, fudge, volume, .. } = *numbers;
        Self { cells, fudge, volume }
    }
}

impl<F: Lanes> Shape<F> for Round<F> {
    #[inline(always)]
    fn f_latt<const GUARDED: bool>(&self, indices: &Indices<F>) -> F {
        let ([na, nb, nc], [dh, dk, dl]) = (self.cells, indices.offset);
        let (x, y, z) = (na * dh, nb * dk, nc * dl);
        let radius2 = x.mul_add(x, y.mul_add(y, z * z));
        self.volume * sinc3_of_square(radius2 * self.fudge)
    }
}

impl<F: Lanes> Differentiable<F> for Round<F> {
    #[inline(always)]
    fn derivatives(&self, indices: &Indices<F>) -> FLattDerivatives<F> {
        let ([na, nb, nc], [dh, dk, dl]) = (self.cells, indices.offset);
        let (x, y, z) = (na * dh, nb * dk, nc * dl);
        let radius2 = x.mul_add(x, y.mul_add(y, z * z));
        let (value, slope) = sinc3_slope_of_square(radius2 * self.fudge);
        let by_radius2 = self.volume * slope * self.fudge;
        let twice = by_radius2 + by_radius2;
        let zero = dh.splat_like(0.0);
        FLattDerivatives {
            f_latt: self.volume * value,
            by_index: [twice * x * na, twice * y * nb, twice * z * nc],
            by_offset: [zero; 3],
        }
    }
}
