//! The grid of structure factors, or one for each group of sources: a borrowed slice over h, k, l, and its nodes for
//! lanes.

use core::ops::Range;

use super::{Nodes, StructureFactors};
use crate::Error;
use crate::error::require;
use crate::formulas::GridNumbers;
use crate::lanes::{Lanes, Level};

/// A dense grid of structure factors in a borrowed slice, or several over the same box, one after the other.
///
/// Several serve sources of different energies, near an absorption edge for instance:
/// [`SceneParts::source_grids`](crate::scene::SceneParts::source_grids) says which of them a source has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HklGrid<'a> {
    nodes: Nodes<'a>,
    min: [i32; 3],
    len: [usize; 3],
    grids: usize,
    /// The largest magnitude of a value.
    largest: f64,
}

/// Most nodes of a grid.
const MOST_NODES: usize = 1 << 31;

impl<'a> HklGrid<'a> {
    /// A grid without nodes: every lookup gives default_F.
    pub(super) const EMPTY: Self =
        Self { nodes: Nodes::F64(&[]), min: [0; 3], len: [0; 3], grids: 1, largest: 0.0 };

    /// A grid from (h, k, l) = `min`, with `len` nodes along each: a slice of f64 or f32.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] when `nodes` holds fewer than the product of `len`, [`Error::TooLarge`] when
    /// that or an index overflows, [`Error::OutOfRange`] for an empty axis or a value that is not finite.
    pub fn new(min: [i32; 3], len: [usize; 3], nodes: impl Into<Nodes<'a>>) -> Result<Self, Error> {
        Self::several(min, len, 1, nodes)
    }

    /// As [`HklGrid::new`], with `grids` grids over the same box, one after the other in `nodes`.
    ///
    /// # Errors
    /// Those of [`HklGrid::new`], and [`Error::OutOfRange`] for no grid.
    pub fn several(
        min: [i32; 3],
        len: [usize; 3],
        grids: usize,
        nodes: impl Into<Nodes<'a>>,
    ) -> Result<Self, Error> {
        let nodes = nodes.into();
        require(grids > 0, "number of grids", grids as f64, "at least 1")?;
        let too_large = Error::TooLarge { quantity: "structure factor grid" };
        let mut needed = 1usize;
        for (&first, &count) in min.iter().zip(&len) {
            if count == 0 {
                return Err(Error::OutOfRange { quantity: "grid size", value: 0.0, allowed: "at least 1" });
            }
            let last = i64::from(first) + i64::try_from(count).map_err(|_| too_large)? - 1;
            i32::try_from(last).map_err(|_| too_large)?;
            needed = needed.checked_mul(count).ok_or(too_large)?;
        }
        // The AVX2 gather takes signed 32-bit indices.
        if needed > MOST_NODES {
            return Err(too_large);
        }
        let needed = needed.checked_mul(grids).ok_or(too_large)?;
        let given = nodes.count();
        let short = Error::BufferTooShort { buffer: "structure factor grid", needed, given };
        let nodes = nodes.part(0, needed).ok_or(short)?;
        let largest = nodes.largest().map_err(|value| Error::OutOfRange {
            quantity: "structure factor",
            value,
            allowed: "finite",
        })?;
        Ok(Self { nodes, min, len, grids, largest })
    }

    /// Smallest h, k, l.
    #[must_use]
    pub fn min(&self) -> [i32; 3] {
        self.min
    }

    /// Nodes along h, k, l.
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        self.len
    }

    /// The h, k and l between which interpolation has all of its nodes (as [`LaneGrid::usable`] tells for each); empty ranges
    /// where it never has.
    pub(crate) fn usable(&self) -> [Range<f64>; 3] {
        let axis = |(first, len): (i32, usize)| {
            let first = f64::from(first);
            first + 2.0..first + len as f64 - 3.0
        };
        let ([h, k, l], [nh, nk, nl]) = (self.min, self.len);
        [(h, nh), (k, nk), (l, nl)].map(axis)
    }

    /// The value at a node of one of the grids; `None` where the node is not in it.
    pub(super) fn value(&self, grid: usize, node: [i32; 3]) -> Option<f64> {
        let mut index = grid;
        for ((at, first), len) in node.into_iter().zip(self.min).zip(self.len) {
            let offset = usize::try_from(at.checked_sub(first)?).ok().filter(|&offset| offset < len)?;
            index = index * len + offset;
        }
        self.nodes.get(index)
    }

    /// The largest magnitude of a value, of all grids.
    pub(super) fn largest(&self) -> f64 {
        self.largest
    }

    /// Number of grids over the box.
    #[must_use]
    pub fn grids(&self) -> usize {
        self.grids
    }

    /// The values of all grids.
    #[must_use]
    pub fn nodes(&self) -> Nodes<'a> {
        self.nodes
    }
}

/// The grid with its bounds and strides broadcast to lanes.
#[derive(Debug, Clone, Copy)]
pub(super) struct LaneGrid<'a, F> {
    /// Those of the grid that is looked up in.
    pub(super) nodes: Nodes<'a>,
    /// Those of all grids, and how many are before `nodes`.
    all: Nodes<'a>,
    before: usize,
    /// Elements from one h to the next, from one k to the next.
    pub(super) strides: [usize; 2],
    numbers: GridNumbers<F>,
}

impl<'a, F: Lanes> LaneGrid<'a, F> {
    #[inline(always)]
    pub(super) fn new<L: Level<F = F>>(level: L, factors: &StructureFactors<'a>) -> Self {
        let grid = factors.grid_or_empty();
        Self {
            // Without a grid there is no node.
            nodes: grid.nodes.part(0, grid.len.iter().product()).unwrap_or(Nodes::F64(&[])),
            all: grid.nodes,
            before: 0,
            strides: [grid.len[1] * grid.len[2], grid.len[2]],
            numbers: GridNumbers::new(factors).splat(level),
        }
    }

    /// A grid whose nodes another processor has.
    #[inline(always)]
    pub(super) fn elsewhere(numbers: &GridNumbers<F>) -> Self {
        let nodes = Nodes::F64(&[]);
        Self { nodes, all: nodes, before: 0, strides: [0; 2], numbers: *numbers }
    }

    /// F_cell where there is no node.
    #[inline(always)]
    pub(super) fn default_f(&self) -> F {
        self.numbers.default_f
    }

    /// Looks up in another grid over the same box; returns whether it is another.
    #[inline(always)]
    pub(super) fn choose(&mut self, grid: usize) -> bool {
        let count = self.nodes.count();
        let before = grid * count;
        if before == self.before {
            return false;
        }
        if let Some(nodes) = self.all.part(before, count) {
            (self.nodes, self.before) = (nodes, before);
        }
        true
    }

    /// The part of an array over the nodes of all grids that belongs to the one that is looked up in.
    #[inline(always)]
    pub(super) fn own<'s>(&self, of_all: &'s mut [f64]) -> &'s mut [f64] {
        of_all.get_mut(self.before..).unwrap_or_default()
    }

    /// Index of a node in the slice.
    #[inline(always)]
    pub(super) fn index(&self, [h, k, l]: [F; 3]) -> F {
        let GridNumbers { stride_h, stride_k, base, .. } = self.numbers;
        h.mul_add(stride_h, k.mul_add(stride_k, l)) - base
    }

    /// Lanes whose node is in the grid.
    #[inline(always)]
    fn contains(&self, [h, k, l]: [F; 3]) -> F::Mask {
        let ([h_min, k_min, l_min], [h_max, k_max, l_max]) = (self.numbers.min, self.numbers.max);
        h_min.le(h) & h.le(h_max) & k_min.le(k) & k.le(k_max) & l_min.le(l) & l.le(l_max)
    }

    /// The value at a node, default_F where the node is not in the grid.
    #[inline(always)]
    pub(super) fn nearest(&self, node: [F; 3]) -> F {
        let (index, inside) = (self.index(node), self.contains(node));
        match self.nodes {
            Nodes::F64(nodes) => index.gather(nodes, inside, self.default_f()),
            Nodes::F32(nodes) => index.gather(nodes, inside, self.default_f()),
        }
    }

    /// Adds `amount` to `sums` at the nodes that are in the grid, for the lanes in `active`. Returns the
    /// derivative with respect to default_F: 1 for lanes whose node is not in the grid, else 0.
    #[inline(always)]
    pub(super) fn scatter_nearest(&self, node: [F; 3], active: F::Mask, amount: F, sums: &mut [f64]) -> F {
        let (zero, one) = (amount.splat_like(0.0), amount.splat_like(1.0));
        let inside = self.contains(node);
        add_at(self.index(node), F::select(inside & active, amount, zero), self.own(sums));
        F::select(inside, zero, one)
    }

    /// Lanes whose 4 x 4 x 4 block lies in the grid.
    #[inline(always)]
    pub(super) fn usable(&self, [h, k, l]: [F; 3]) -> F::Mask {
        let ([h_min, k_min, l_min], [nh, nk, nl]) = (self.numbers.min, self.numbers.len);
        let (two, three) = (h.splat_like(2.0), h.splat_like(3.0));
        h_min.le(h - two)
            & (h - h_min + three).le(nh)
            & k_min.le(k - two)
            & (k - k_min + three).le(nk)
            & l_min.le(l - two)
            & (l - l_min + three).le(nl)
    }
}

/// Adds each lane of `amount` to the element of `sums` that the same lane of `index` names.
#[inline(always)]
pub(super) fn add_at<F: Lanes>(index: F, amount: F, sums: &mut [f64]) {
    let (index, amount) = (index.to_array(), amount.to_array());
    for (&index, &amount) in index.as_ref().iter().zip(amount.as_ref()) {
        // Lanes that add nothing may have any index.
        if amount != 0.0
            && let Some(sum) = sums.get_mut(index as usize)
        {
            *sum += amount;
        }
    }
}
