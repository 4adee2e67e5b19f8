//! F_cell at the nearest node of the grid.
//!
//! Neighbouring steps mostly have the same nearest nodes. The nodes of the step before are remembered with
//! their values, and neither rounded to nor looked up again until a lane comes nearer to another node.

use super::grid::LaneGrid;
use super::lookup::{Lookup, LookupTable, SavedNodes, lookup_kind};
use crate::formulas::GridNumbers;
use crate::lanes::{LaneMask, Lanes, Level};
use crate::lattice::{Indices, Narrowed};
use crate::span::{load, store};

/// The value at the nearest node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nearest<'a, F> {
    grid: LaneGrid<'a, F>,
    /// The nodes of the last step.
    hkl0: [F; 3],
    /// Their values, and whether all of them are 0; both out of date while `stale`.
    value: F,
    all_zero: bool,
    stale: bool,
    /// Whether the nodes are still those that were restored.
    as_restored: bool,
}

lookup_kind!(NearestKind, Nearest<'a>, pairs well: true);

impl<'a, F: Lanes> Nearest<'a, F> {
    #[inline(always)]
    pub(super) fn new<L: Level<F = F>>(level: L, table: &LookupTable<'a>) -> Self {
        Self::of(LaneGrid::new(level, &table.factors))
    }

    /// In a grid whose nodes another processor has.
    #[inline(always)]
    pub(crate) fn elsewhere(numbers: &GridNumbers<F>) -> Self {
        Self::of(LaneGrid::elsewhere(numbers))
    }

    #[inline(always)]
    fn of(grid: LaneGrid<'a, F>) -> Self {
        let value = grid.default_f();
        let nowhere = [value.splat_like(f64::NAN); 3];
        Self { grid, hkl0: nowhere, value, all_zero: false, stale: true, as_restored: false }
    }

    /// Rounds to new nodes; their values are looked up when they are needed.
    #[inline(always)]
    fn move_to(&mut self, hkl: [F; 3]) -> Indices<F> {
        let found = Indices::new(hkl);
        self.hkl0 = found.hkl0;
        self.stale = true;
        self.as_restored = false;
        found
    }

    #[inline(always)]
    fn look_up(&mut self) {
        if self.stale {
            self.value = self.grid.nearest(self.hkl0);
            self.all_zero = self.value.eq(self.value.splat_like(0.0)).all();
            self.stale = false;
        }
    }
}

impl<F: Lanes> Lookup<F> for Nearest<'_, F> {
    const SMOOTH: bool = false;

    #[inline(always)]
    fn indices(&mut self, hkl: [F; 3]) -> Indices<F> {
        let near = Indices::about(self.hkl0, hkl);
        if near.all_nearest() { near } else { self.move_to(hkl) }
    }
    #[inline(always)]
    fn indices_mixed(&mut self, hkl: [F; 3]) -> (Indices<F>, Narrowed<F::Narrow>) {
        let near = Indices::about(self.hkl0, hkl);
        let narrow = near.narrowed();
        if narrow.all_nearest() {
            return (near, narrow);
        }
        let found = self.move_to(hkl);
        (found, found.narrowed())
    }
    #[inline(always)]
    fn is_zero(&mut self) -> bool {
        self.look_up();
        self.all_zero
    }
    #[inline(always)]
    fn f_cell(&mut self, _: &Indices<F>, _: F::Mask, _: u64) -> F {
        self.look_up();
        self.value
    }
    #[inline(always)]
    fn scatter(&self, indices: &Indices<F>, active: F::Mask, _: u64, amount: F, sums: &mut [f64]) -> F {
        self.grid.scatter_nearest(indices.hkl0, active, amount, sums)
    }
    #[inline(always)]
    fn choose_grid(&mut self, grid: usize) {
        if self.grid.choose(grid) {
            self.stale = true;
            self.as_restored = false;
        }
    }
    #[inline(always)]
    fn save(&self, nodes: &mut SavedNodes, at: usize) {
        if self.as_restored {
            return;
        }
        let [to_h, to_k, to_l, to_value] = nodes;
        // NaN never matches, which forces a lookup: nodes whose values are not known are saved as NaN.
        let [h, k, l] = if self.stale { [self.value.splat_like(f64::NAN); 3] } else { self.hkl0 };
        store(h, to_h, at);
        store(k, to_k, at);
        store(l, to_l, at);
        store(self.value, to_value, at);
    }
    #[inline(always)]
    fn restore(&mut self, nodes: &SavedNodes, at: usize) {
        let [h, k, l, value] = nodes;
        let level = self.value.level();
        self.hkl0 = [load(level, h, at), load(level, k, at), load(level, l, at)];
        self.value = load(level, value, at);
        self.all_zero = self.value.eq(level.splat(0.0)).all();
        self.stale = false;
        self.as_restored = true;
    }
}
