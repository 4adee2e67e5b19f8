//! A parallelepiped whose numbers of cells are not all whole: the product of sin(pi N h)/sin(pi h) over the axes.
//!
//! For a whole N the factor is the same about every node. Otherwise it depends on the node: with d = h - h0 and N = n + f,
//! n whole, N h is N d + f h0 but for a whole number, so that up to the sign the factor is sin(pi r)/sin(pi d) with r the
//! distance of N d + f h0 from the nearest integer. It has no limit at a node where f h0 is not whole, as in the reference
//! and in simtbx; what they compute there is the rounding error of pi h. Axes with a whole N have the bits of [`super::square`]
//! within rounding.

use super::shape::{Differentiable, FLattDerivatives, Shape, shape_kind};
use super::square::Square;
use super::{CrystalShape, Crystallite, Indices};
use crate::formulas::CrystalNumbers;
use crate::lanes::{Lanes, Level, ROUND_BY_ADDING};
use crate::math::{SincgSlope, sin_half_turn_render};

/// [`super::CrystalShape::Square`] with fractions of cells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SquareFractional<F> {
    pub(super) cells: [F; 3],
    /// What the cells have beyond a whole number.
    fractions: [F; 3],
}

shape_kind!(SquareFractionalKind, SquareFractional, sparse: CrystalShape::Square.is_sparse(), pairs: false);

/// Half the relative distance of neighbouring f64: the part of an index by which it may miss an integer.
const INDEX_ROUNDING: f64 = f64::EPSILON / 2.0;

impl<F: Lanes> SquareFractional<F> {
    #[inline(always)]
    pub(super) fn new<L: Level<F = F>>(level: L, crystallite: &Crystallite) -> Self {
        Self::of(&CrystalNumbers::new(crystallite).splat(level))
    }

    #[inline(always)]
    pub(crate) fn of(numbers: &CrystalNumbers<F>) -> Self {
        Self { cells: numbers.cells, fractions: numbers.fractions }
    }

    /// The phases f h0 of the nodes, in half turns.
    #[inline(always)]
    pub(super) fn phases(&self, indices: &Indices<F>) -> [F; 3] {
        let ([a, b, c], [h0, k0, l0]) = (self.fractions, indices.hkl0);
        [a * h0, b * k0, c * l0]
    }
}

/// The distance of N d + phase from the nearest integer.
#[inline(always)]
pub(super) fn reduced<F: Lanes>(n: F, d: F, phase: F) -> F {
    let magic = d.splat_like(ROUND_BY_ADDING);
    let turns = (n.mul_add(d, phase) + magic) - magic;
    n.mul_sub(d, turns) + phase
}

/// Numerator and denominator of |sin(pi (N d + phase))/sin(pi d)|, both divided by pi.
#[inline(always)]
fn sincg_parts<F: Lanes>(n: F, d: F, h0: F, phase: F) -> (F, F) {
    let zero = d.splat_like(0.0);
    let d = F::select(d.eq(zero), h0.abs() * d.splat_like(INDEX_ROUNDING), d);
    (sin_half_turn_render(reduced(n, d, phase)), sin_half_turn_render(d))
}

impl<F: Lanes> Shape<F> for SquareFractional<F> {
    #[inline(always)]
    fn f_latt<const GUARDED: bool>(&self, indices: &Indices<F>) -> F {
        let ([na, nb, nc], [dh, dk, dl], [h0, k0, l0]) = (self.cells, indices.offset, indices.hkl0);
        let [at_h, at_k, at_l] = self.phases(indices);
        let (sin_nh, sin_h) = sincg_parts(na, dh, h0, at_h);
        let (sin_nk, sin_k) = sincg_parts(nb, dk, k0, at_k);
        let (sin_nl, sin_l) = sincg_parts(nc, dl, l0, at_l);
        (sin_nh * sin_nk * sin_nl).quotient(sin_h * sin_k * sin_l)
    }
}

impl<F: Lanes> Differentiable<F> for SquareFractional<F> {
    #[inline(always)]
    fn derivatives(&self, indices: &Indices<F>) -> FLattDerivatives<F> {
        let ([na, nb, nc], [dh, dk, dl]) = (self.cells, indices.offset);
        let [at_h, at_k, at_l] = self.phases(indices);
        Square::product_rule([
            SincgSlope::with_phase(na, dh, at_h),
            SincgSlope::with_phase(nb, dk, at_k),
            SincgSlope::with_phase(nc, dl, at_l),
        ])
    }
}
