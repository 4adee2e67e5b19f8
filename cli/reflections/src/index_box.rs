//! A dense box of Miller indices.

use crate::observations::Hkl;
use core::ops::RangeInclusive;

/// Ranges of h, k and l, limits included. The nodes of a grid over it lie h-major, l fastest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexBox {
    /// Smallest and largest h.
    pub h: (i32, i32),
    /// Smallest and largest k.
    pub k: (i32, i32),
    /// Smallest and largest l.
    pub l: (i32, i32),
}

impl IndexBox {
    /// A box of nothing, to include indices in.
    pub const EMPTY: Self =
        Self { h: (i32::MAX, i32::MIN), k: (i32::MAX, i32::MIN), l: (i32::MAX, i32::MIN) };

    /// Widens the box so that it holds an index.
    #[inline]
    pub fn include(&mut self, [h, k, l]: Hkl) {
        let widen = |axis: &mut (i32, i32), index: i32| *axis = (axis.0.min(index), axis.1.max(index));
        widen(&mut self.h, h);
        widen(&mut self.k, k);
        widen(&mut self.l, l);
    }

    /// The box from -h, -k, -l to h, k, l.
    #[must_use]
    pub fn symmetric([h, k, l]: Hkl) -> Self {
        Self { h: (-h, h), k: (-k, k), l: (-l, l) }
    }

    /// The box of what both have; empty where that is nothing.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let both = |a: (i32, i32), b: (i32, i32)| (a.0.max(b.0), a.1.min(b.1));
        Self { h: both(self.h, other.h), k: both(self.k, other.k), l: both(self.l, other.l) }
    }

    /// Whether an index is in the box.
    #[must_use]
    pub fn holds(&self, [h, k, l]: Hkl) -> bool {
        let within = |axis: (i32, i32), index: i32| axis.0 <= index && index <= axis.1;
        within(self.h, h) && within(self.k, k) && within(self.l, l)
    }

    /// Whether all of another box is in this one.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.intersection(other) == *other
    }

    /// Number of nodes; `None` where it is no `usize`. 0 where an axis is empty.
    #[must_use]
    pub fn nodes(&self) -> Option<usize> {
        let [h, k, l] = self.shape();
        h.checked_mul(k)?.checked_mul(l)
    }

    /// Position of an index in the grid; `None` outside the box.
    #[must_use]
    pub fn position(&self, [h, k, l]: Hkl) -> Option<usize> {
        let along = |axis: (i32, i32), index: i32| index.abs_diff(axis.0) as usize;
        let [_, nk, nl] = self.shape();
        self.holds([h, k, l]).then(|| (along(self.h, h) * nk + along(self.k, k)) * nl + along(self.l, l))
    }

    /// Number of nodes along h, k and l.
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        [self.h, self.k, self.l]
            .map(|(first, last)| usize::try_from(i64::from(last) - i64::from(first) + 1).unwrap_or(0))
    }

    /// The l of a row.
    pub(crate) fn row(&self) -> RangeInclusive<i32> {
        self.l.0..=self.l.1
    }
}
