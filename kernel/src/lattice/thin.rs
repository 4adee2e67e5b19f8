//! A parallelepiped that may be a single cell thick along some axes.
//!
//! Such an axis has the factor 1, whatever the index, and takes no sines. Where no axis is thin the result
//! has the same bits as that of [`Square`].

use super::shape::{Differentiable, FLattDerivatives, Shape, shape_kind};
use super::square::{Square, sincg_parts};
use super::{CrystalShape, Crystallite, Indices};
use crate::formulas::CrystalNumbers;
use crate::lanes::{LaneMask, Lanes, Level};

/// [`CrystalShape::Square`] with axes of a single cell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SquareThin<F> {
    cells: [F; 3],
    /// Whether an axis is known to be thin.
    thin: [bool; 3],
    /// Whether the others are known not to be: all lanes have the same number of cells, unless they are symbols.
    known: bool,
}

shape_kind!(SquareThinKind, SquareThin, sparse: CrystalShape::Square.is_sparse(), pairs: false);

impl<F: Lanes> SquareThin<F> {
    #[inline(always)]
    pub(super) fn new<L: Level<F = F>>(level: L, crystallite: &Crystallite) -> Self {
        Self::of(&CrystalNumbers::new(crystallite).splat(level))
    }

    #[inline(always)]
    pub(crate) fn of(numbers: &CrystalNumbers<F>) -> Self {
        let [na, nb, nc] = numbers.cells;
        let (a, b, c) = (is_thin(na), is_thin(nb), is_thin(nc));
        let thin = [a.all(), b.all(), c.all()];
        let any = [a.any(), b.any(), c.any()];
        Self { cells: numbers.cells, thin, known: thin == any }
    }
}

/// Whether a lane has a single cell.
#[inline(always)]
fn is_thin<F: Lanes>(n: F) -> F::Mask {
    n.eq(n.splat_like(1.0))
}

/// Numerator and denominator of an axis that is not thin, or not known to be.
#[inline(always)]
fn parts<F: Lanes, const GUARDED: bool>(n: F, d: F, known: bool) -> (F, F) {
    let (above, below) = sincg_parts::<F, GUARDED>(n, d);
    if known {
        return (above, below);
    }
    let (one, thin) = (n.splat_like(1.0), is_thin(n));
    (F::select(thin, one, above), F::select(thin, one, below))
}

impl<F: Lanes> Shape<F> for SquareThin<F> {
    #[inline(always)]
    fn f_latt<const GUARDED: bool>(&self, indices: &Indices<F>) -> F {
        let ([na, nb, nc], [thin_a, thin_b, thin_c], [dh, dk, dl]) = (self.cells, self.thin, indices.offset);
        let one = na.splat_like(1.0);
        let (mut above, mut below) = if thin_a { (one, one) } else { parts::<F, GUARDED>(na, dh, self.known) };
        if !thin_b {
            let (sin_nk, sin_k) = parts::<F, GUARDED>(nb, dk, self.known);
            (above, below) = (above * sin_nk, below * sin_k);
        }
        if !thin_c {
            let (sin_nl, sin_l) = parts::<F, GUARDED>(nc, dl, self.known);
            (above, below) = (above * sin_nl, below * sin_l);
        }
        above.quotient(below)
    }
}

impl<F: Lanes> Differentiable<F> for SquareThin<F> {
    #[inline(always)]
    fn derivatives(&self, indices: &Indices<F>) -> FLattDerivatives<F> {
        // The same formula gives an axis of one cell the derivative 0.
        Square(self.cells).derivatives(indices)
    }
}
