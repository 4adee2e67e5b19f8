//! A parallelepiped of Na x Nb x Nc cells: the product of sin(pi N h)/sin(pi h) over the axes.
//!
//! Reduction: with d = h - h0, N d = n + r where n is an integer; up to the sign, the factor is sin(pi
//! r)/sin(pi d). The three axes share one division. **Accuracy**: see [`crate::math`].

use super::shape::{Differentiable, FLattDerivatives, Shape, differentiable_kind, shape_kind};
use super::{CrystalShape, Crystallite, Indices};
use crate::formulas::CrystalNumbers;
use crate::lanes::{Lanes, Level, ROUND_BY_ADDING};
use crate::math::{SincgSlope, sin_half_turn_render};

/// [`CrystalShape::Square`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Square<F>(pub(super) [F; 3]);

shape_kind!(SquareKind, Square, sparse: CrystalShape::Square.is_sparse(), pairs: false);
differentiable_kind!(SquareKind, Square);

impl<F: Lanes> Square<F> {
    #[inline(always)]
    pub(super) fn new<L: Level<F = F>>(level: L, crystallite: &Crystallite) -> Self {
        Self::of(&CrystalNumbers::new(crystallite).splat(level))
    }

    #[inline(always)]
    pub(crate) fn of(numbers: &CrystalNumbers<F>) -> Self {
        Self(numbers.cells)
    }
}

/// Numerator and denominator of |sin(pi N d)/sin(pi d)|, both divided by pi.
#[inline(always)]
pub(super) fn sincg_parts<F: Lanes, const GUARDED: bool>(n: F, d: F) -> (F, F) {
    // At an integer, 0/0 is replaced by the quotient at a tiny offset, which is N to the last bit.
    let d = if GUARDED {
        let zero = d.splat_like(0.0);
        F::select(d.eq(zero), d.splat_like(1e-30), d)
    } else {
        d
    };
    // One fused operation fewer than rounding the product.
    let magic = d.splat_like(ROUND_BY_ADDING);
    let r = n.mul_sub(d, n.mul_add(d, magic) - magic);
    (sin_half_turn_render(r), sin_half_turn_render(d))
}

impl<F: Lanes> Shape<F> for Square<F> {
    #[inline(always)]
    fn f_latt<const GUARDED: bool>(&self, indices: &Indices<F>) -> F {
        let ([na, nb, nc], [dh, dk, dl]) = (self.0, indices.offset);
        let (sin_nh, sin_h) = sincg_parts::<F, GUARDED>(na, dh);
        let (sin_nk, sin_k) = sincg_parts::<F, GUARDED>(nb, dk);
        let (sin_nl, sin_l) = sincg_parts::<F, GUARDED>(nc, dl);
        (sin_nh * sin_nk * sin_nl).quotient(sin_h * sin_k * sin_l)
    }
}

impl<F: Lanes> Differentiable<F> for Square<F> {
    #[inline(always)]
    fn derivatives(&self, indices: &Indices<F>) -> FLattDerivatives<F> {
        let ([na, nb, nc], [dh, dk, dl]) = (self.0, indices.offset);
        Self::product_rule([SincgSlope::new(na, dh), SincgSlope::new(nb, dk), SincgSlope::new(nc, dl)])
    }
}

impl<F: Lanes> Square<F> {
    /// F_latt and its derivatives from the factors of the axes.
    #[inline(always)]
    pub(super) fn product_rule([h, k, l]: [SincgSlope<F>; 3]) -> FLattDerivatives<F> {
        let [above_h, above_k, above_l] =
            [k.numerator * l.numerator, h.numerator * l.numerator, h.numerator * k.numerator];
        let [below_h, below_k, below_l] =
            [k.denominator * l.denominator, h.denominator * l.denominator, h.denominator * k.denominator];
        let inverse = h.numerator.splat_like(1.0).quotient(h.denominator * below_h);
        // The derivative with respect to h has the square of the denominator of h below it and the other two
        // denominators once. All three squared are common to the axes; what is too much is multiplied back.
        let square = inverse * inverse;
        FLattDerivatives {
            f_latt: (h.numerator * above_h) * inverse,
            by_index: [
                (h.slope_numerator * square) * (above_h * below_h),
                (k.slope_numerator * square) * (above_k * below_k),
                (l.slope_numerator * square) * (above_l * below_l),
            ],
            by_offset: [inverse.splat_like(0.0); 3],
        }
    }
}
