//! Derivatives of F_latt with respect to the cells that a crystal has: Na, Nb, Nc, and the other elements of the N matrix.
//!
//! **Formulas**, with d = (h, k, l) - (h0, k0, l0), and dF/dh along with F from the shape itself:
//!
//! ```text
//! square           dF/dNa  = h cos(pi Na h)/sin(pi h) pi times the factors of the other axes
//! round            dF/dNa  = (F + da dF/dh)/Na
//! gauss, tophat    dF/dNa  = (F + da dF/dh + db dF/dk + dc dF/dl)/Na          in reciprocal metric
//!                  dF/dNij = F tr(N^-1 dN/dNij) + dF/do . (dN/dNij) d         in index metric, with o = N d
//! ```
//!
//! **Special cases.** The derivative of a square crystal has a pole at every node whose index is not 0; at the node itself it
//! is that of the node 0, which is the mean of both sides. **Accuracy.** That of dF/dh, and 1e-13 of the largest term of a
//! square crystal.

use super::square_fractional::{SquareFractional, reduced};
use super::{CrystalShape, Crystallite, FLattDerivatives, Indices, SpotMetric};
use crate::crystal::reciprocal_of;
use crate::lanes::{Lanes, Level};
use crate::math::{NEAREST, cos_half_turn, sin_half_turn_render};
use crate::vector::Vec3;

/// How F_latt changes with Na, Nb, Nc and the elements ab, ac, bc of the N matrix.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CellSlopes<F> {
    Square(SquareFractional<F>),
    /// 1/Na, 1/Nb, 1/Nc.
    Round([F; 3]),
    Reciprocal([F; 3]),
    /// d ln(det N) with respect to each element.
    Index([F; 6]),
}

impl<F: Lanes> CellSlopes<F> {
    #[inline(always)]
    pub(crate) fn new<L: Level<F = F>>(level: L, crystallite: &Crystallite) -> Self {
        let [na, nb, nc] = crystallite.cells;
        let inverse = [level.splat(1.0 / na), level.splat(1.0 / nb), level.splat(1.0 / nc)];
        match (crystallite.shape, crystallite.spots.metric) {
            (CrystalShape::Square, _) => Self::Square(SquareFractional::new(level, crystallite)),
            (CrystalShape::Round, _) => Self::Round(inverse),
            (CrystalShape::Gauss | CrystalShape::Tophat, SpotMetric::Reciprocal) => Self::Reciprocal(inverse),
            (CrystalShape::Gauss | CrystalShape::Tophat, SpotMetric::Index) => {
                // A scene has a positive definite matrix.
                let [a, b, c] = reciprocal_of(crystallite.spot_axes()).unwrap_or([Vec3::default(); 3]);
                Self::Index([
                    level.splat(a.x),
                    level.splat(b.y),
                    level.splat(c.z),
                    level.splat(2.0 * a.y),
                    level.splat(2.0 * a.z),
                    level.splat(2.0 * b.z),
                ])
            }
        }
    }

    /// The derivatives with respect to Na, Nb, Nc, ab, ac, bc at `indices`, where F_latt is `lattice`.
    #[inline(always)]
    pub(crate) fn at(&self, indices: &Indices<F>, lattice: &FLattDerivatives<F>) -> [F; 6] {
        let FLattDerivatives { f_latt, by_index: [lh, lk, ll], by_offset: [ox, oy, oz] } = *lattice;
        let [dh, dk, dl] = indices.offset;
        let zero = f_latt.splat_like(0.0);
        match self {
            Self::Square(square) => {
                let [a, b, c] = by_factors(square, indices);
                [a, b, c, zero, zero, zero]
            }
            Self::Round([a, b, c]) => {
                let (by_a, by_b) = (lh.mul_add(dh, f_latt), lk.mul_add(dk, f_latt));
                [by_a * *a, by_b * *b, ll.mul_add(dl, f_latt) * *c, zero, zero, zero]
            }
            Self::Reciprocal([a, b, c]) => {
                let by = lh.mul_add(dh, lk.mul_add(dk, ll.mul_add(dl, f_latt)));
                [by * *a, by * *b, by * *c, zero, zero, zero]
            }
            Self::Index([aa, bb, cc, ab, ac, bc]) => [
                f_latt.mul_add(*aa, ox * dh),
                f_latt.mul_add(*bb, oy * dk),
                f_latt.mul_add(*cc, oz * dl),
                f_latt.mul_add(*ab, ox.mul_add(dk, oy * dh)),
                f_latt.mul_add(*ac, ox.mul_add(dl, oz * dh)),
                f_latt.mul_add(*bc, oy.mul_add(dl, oz * dk)),
            ],
        }
    }
}

/// The factor of an axis of a square crystal and its derivative with respect to N, each times the denominator.
struct AxisFactor<F> {
    numerator: F,
    denominator: F,
    by_cells: F,
}

impl<F: Lanes> AxisFactor<F> {
    #[inline(always)]
    fn new(n: F, d: F, h0: F, phase: F) -> Self {
        let beside = d + d.splat_like(NEAREST);
        let r = reduced(n, beside, phase);
        // At a node the part of h0 is as large on one side as it is on the other, with the other sign.
        let h = F::select(beside.eq(d), h0, d.splat_like(0.0)) + beside;
        Self {
            numerator: sin_half_turn_render(r),
            denominator: sin_half_turn_render(beside),
            by_cells: h * cos_half_turn(r),
        }
    }
}

/// The derivatives of the product of the three factors.
#[inline(always)]
fn by_factors<F: Lanes>(square: &SquareFractional<F>, indices: &Indices<F>) -> [F; 3] {
    let ([na, nb, nc], [dh, dk, dl], [h0, k0, l0]) = (square.cells, indices.offset, indices.hkl0);
    let [at_h, at_k, at_l] = square.phases(indices);
    let a = AxisFactor::new(na, dh, h0, at_h);
    let b = AxisFactor::new(nb, dk, k0, at_k);
    let c = AxisFactor::new(nc, dl, l0, at_l);
    let inverse = dh.splat_like(1.0).quotient(a.denominator * b.denominator * c.denominator);
    [
        (a.by_cells * b.numerator) * (c.numerator * inverse),
        (a.numerator * b.by_cells) * (c.numerator * inverse),
        (a.numerator * b.numerator) * (c.by_cells * inverse),
    ]
}
