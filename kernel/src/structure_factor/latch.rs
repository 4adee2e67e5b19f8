//! The interpolation latch: the evaluation at which the reference stops interpolating for good.

use super::grid::LaneGrid;
use super::lookup::{Lookup, LookupTable};
use crate::lanes::{Lanes, Level};
use crate::lattice::Indices;

/// The evaluation, in the reference's order over the image, that switches interpolation off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatchPoint {
    /// Row of the pixel.
    pub slow: usize,
    /// Column of the pixel.
    pub fast: usize,
    /// Evaluation within the pixel, counted over layer, subpixel, source, phi and domain.
    pub evaluation: u64,
}

/// Finds, for each lane, the first evaluation at which the reference would stop interpolating.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LatchScan<'a, F> {
    grid: LaneGrid<'a, F>,
    first: F,
}

impl<'a, F: Lanes> LatchScan<'a, F> {
    #[inline(always)]
    pub(super) fn new<L: Level<F = F>>(level: L, table: &LookupTable<'a>) -> Self {
        Self { grid: LaneGrid::new(level, &table.factors), first: level.splat(f64::INFINITY) }
    }
}

impl<F: Lanes> Lookup<F> for LatchScan<'_, F> {
    const SMOOTH: bool = false;

    #[inline(always)]
    fn f_cell(&mut self, indices: &Indices<F>, active: F::Mask, evaluation: u64) -> F {
        let latches = active & !self.grid.usable(indices.hkl);
        let here = self.first.min(self.first.splat_like(evaluation as f64));
        self.first = F::select(latches, here, self.first);
        self.first.splat_like(0.0)
    }
    #[inline(always)]
    fn scatter(&self, _: &Indices<F>, _: F::Mask, _: u64, amount: F, _: &mut [f64]) -> F {
        amount.splat_like(0.0)
    }
    #[inline(always)]
    fn take_first_fallback(&mut self) -> Option<F> {
        let none = self.first.splat_like(f64::INFINITY);
        Some(core::mem::replace(&mut self.first, none))
    }
}
