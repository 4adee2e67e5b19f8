//! A parallelepiped in mixed precision: reduced in f64, sines and quotient in f32.

use super::indices::Narrowed;
use super::shape::{Differentiable, FLattDerivatives, Shape, shape_kind};
use super::square::Square;
use super::{CrystalShape, Crystallite, Indices};
use crate::formulas::CrystalNumbers;
use crate::lanes::{Lanes, Level};
use crate::math::sin_half_turn_f32;

/// 2^20: half as many cells and the fraction of a cell fit in the bits that mixed precision reduces with, see
/// [`Lanes::product_fraction`].
pub(crate) const MIXED_CELLS_LIMIT: f64 = 1_048_576.0;

/// A nudge whose cube is still above the smallest f32.
pub(crate) const MIXED_NUDGE: f64 = 1e-12;

/// [`CrystalShape::Square`] in [`super::Precision::Mixed`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct SquareMixed<F>([F; 3]);

shape_kind!(SquareMixedKind, SquareMixed, sparse: CrystalShape::Square.is_sparse(), pairs: true);

impl<F: Lanes> SquareMixed<F> {
    #[inline(always)]
    pub(super) fn new<L: Level<F = F>>(level: L, crystallite: &Crystallite) -> Self {
        Self::of(&CrystalNumbers::new(crystallite).splat(level))
    }

    #[inline(always)]
    pub(crate) fn of(numbers: &CrystalNumbers<F>) -> Self {
        Self(numbers.cells)
    }
}

/// Numerator and denominator of |sin(pi N d)/sin(pi d)| in f32, both divided by pi.
#[inline(always)]
fn sincg_parts_mixed<F: Lanes>(n: F, d: F, narrow: F::Narrow, square: F::Narrow) -> (F::Narrow, F::Narrow) {
    let r = n.product_fraction(d, narrow);
    (sin_half_turn_f32(r, r * r), sin_half_turn_f32(narrow, square))
}

/// `d`, or a tiny offset in its place where it is 0 and would give 0/0.
#[inline(always)]
fn not_zero<F: Lanes>(d: F) -> F {
    F::select(d.eq(d.splat_like(0.0)), d.splat_like(1e-10), d)
}

impl<F: Lanes> Shape<F> for SquareMixed<F> {
    #[inline(always)]
    fn nudge(&self) -> f64 {
        MIXED_NUDGE
    }

    #[inline(always)]
    fn f_latt<const GUARDED: bool>(&self, indices: &Indices<F>) -> F {
        let mut indices = *indices;
        if GUARDED {
            let [dh, dk, dl] = indices.offset;
            indices.offset = [not_zero(dh), not_zero(dk), not_zero(dl)];
        }
        self.f_latt_narrowed(&indices, &indices.narrowed())
    }

    #[inline(always)]
    fn f_latt_narrowed(&self, indices: &Indices<F>, narrow: &Narrowed<F::Narrow>) -> F {
        let ([na, nb, nc], [dh, dk, dl]) = (self.0, indices.offset);
        let ([h, k, l], [h2, k2, l2]) = (narrow.offset, narrow.square);
        let (sin_nh, sin_h) = sincg_parts_mixed(na, dh, h, h2);
        let (sin_nk, sin_k) = sincg_parts_mixed(nb, dk, k, k2);
        let (sin_nl, sin_l) = sincg_parts_mixed(nc, dl, l, l2);
        // Two quotients, since next to a node the product of three denominators would leave the range of f32.
        F::widen((sin_nh * sin_nk) / (sin_h * sin_k) * (sin_nl / sin_l))
    }
}

impl<F: Lanes> Differentiable<F> for SquareMixed<F> {
    #[inline(always)]
    fn derivatives(&self, indices: &Indices<F>) -> FLattDerivatives<F> {
        // Derivatives are f64 whatever the precision of the image.
        Square(self.0).derivatives(indices)
    }
}
