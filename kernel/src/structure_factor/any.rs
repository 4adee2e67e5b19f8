//! A lookup that is selected at every step, so that the general loop need not be compiled once for each.

use super::latch::LatchScan;
use super::lookup::{Lookup, LookupPlan, LookupTable};
use super::nearest::Nearest;
use super::tricubic::Tricubic;
use super::uniform::Uniform;
use crate::lanes::{Lanes, Level};
use crate::lattice::Indices;

/// Any lookup.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AnyLookup<'a, F> {
    Uniform(Uniform<F>),
    Nearest(Nearest<'a, F>),
    Tricubic(Tricubic<'a, F>),
    LatchScan(LatchScan<'a, F>),
}

impl<'a, F: Lanes> AnyLookup<'a, F> {
    #[inline(always)]
    pub(crate) fn new<L: Level<F = F>>(level: L, table: &LookupTable<'a>) -> Self {
        match table.plan {
            LookupPlan::Uniform => Self::Uniform(Uniform::new(level, table)),
            LookupPlan::Nearest => Self::Nearest(Nearest::new(level, table)),
            LookupPlan::Tricubic { .. } => Self::Tricubic(Tricubic::new(level, table)),
            LookupPlan::LatchScan => Self::LatchScan(LatchScan::new(level, table)),
        }
    }
}

/// Calls a method of the selected lookup.
macro_rules! each {
    ($any:ident, $lookup:ident => $call:expr) => {
        match $any {
            AnyLookup::Uniform($lookup) => $call,
            AnyLookup::Nearest($lookup) => $call,
            AnyLookup::Tricubic($lookup) => $call,
            AnyLookup::LatchScan($lookup) => $call,
        }
    };
}

impl<F: Lanes> Lookup<F> for AnyLookup<'_, F> {
    const SMOOTH: bool = true;

    #[inline(always)]
    fn indices(&mut self, hkl: [F; 3]) -> Indices<F> {
        match self {
            Self::Nearest(lookup) => lookup.indices(hkl),
            // The exact nearest integers, for observers that report them.
            Self::Uniform(_) | Self::Tricubic(_) | Self::LatchScan(_) => Indices::new(hkl),
        }
    }
    #[inline(always)]
    fn is_zero(&mut self) -> bool {
        each!(self, lookup => lookup.is_zero())
    }
    #[inline(always)]
    fn f_cell(&mut self, indices: &Indices<F>, active: F::Mask, evaluation: u64) -> F {
        each!(self, lookup => lookup.f_cell(indices, active, evaluation))
    }
    #[inline(always)]
    fn f_cell_derivatives(&mut self, indices: &Indices<F>, active: F::Mask, evaluation: u64) -> (F, [F; 3]) {
        each!(self, lookup => lookup.f_cell_derivatives(indices, active, evaluation))
    }
    #[inline(always)]
    fn scatter(
        &self,
        indices: &Indices<F>,
        active: F::Mask,
        evaluation: u64,
        amount: F,
        sums: &mut [f64],
    ) -> F {
        each!(self, lookup => lookup.scatter(indices, active, evaluation, amount, sums))
    }
    #[inline(always)]
    fn choose_grid(&mut self, grid: usize) {
        each!(self, lookup => lookup.choose_grid(grid));
    }
    #[inline(always)]
    fn fallbacks(&self) -> u64 {
        each!(self, lookup => lookup.fallbacks())
    }
    #[inline(always)]
    fn take_first_fallback(&mut self) -> Option<F> {
        each!(self, lookup => lookup.take_first_fallback())
    }
}
