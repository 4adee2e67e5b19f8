//! F_cell without a grid: default_F everywhere.

use super::lookup::{Lookup, LookupTable, lookup_kind};
use crate::lanes::{Lanes, Level};
use crate::lattice::Indices;

/// The same value for every reflection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Uniform<F>(F);

impl<F: Lanes> Uniform<F> {
    #[inline(always)]
    pub(super) fn new<L: Level<F = F>>(level: L, table: &LookupTable<'_>) -> Self {
        Self(level.splat(table.factors.default_f))
    }
}

lookup_kind!(UniformKind, Uniform, pairs well: true);

impl<F: Lanes> Lookup<F> for Uniform<F> {
    const SMOOTH: bool = false;

    #[inline(always)]
    fn indices(&mut self, hkl: [F; 3]) -> Indices<F> {
        Indices::fractions(hkl)
    }
    #[inline(always)]
    fn f_cell(&mut self, _: &Indices<F>, _: F::Mask, _: u64) -> F {
        self.0
    }
    #[inline(always)]
    fn scatter(&self, _: &Indices<F>, _: F::Mask, _: u64, _: F, _: &mut [f64]) -> F {
        self.0.splat_like(1.0)
    }
}
