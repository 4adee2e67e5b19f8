//! F_cell by tricubic interpolation: cubic Lagrange through 4 x 4 x 4 nodes, along k, then h, then l.
//!
//! Nodes that are neighbours along l are neighbours in memory, so that a lane sums rows of four.

use super::Nodes;
use super::grid::{LaneGrid, add_at};
use super::lookup::{Lookup, LookupPlan, LookupTable, lookup_kind};
use crate::formulas::GridNumbers;
use crate::lanes::{BaseLevel, LaneMask, Lanes, Level, Simd, WithSimd};
use crate::lattice::Indices;

/// Tricubic interpolation, up to an evaluation of the pixel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tricubic<'a, F> {
    grid: LaneGrid<'a, F>,
    until: u64,
    fallbacks: u64,
}

lookup_kind!(TricubicKind, Tricubic<'a>, pairs well: false);

impl<'a, F: Lanes> Tricubic<'a, F> {
    #[inline(always)]
    pub(super) fn new<L: Level<F = F>>(level: L, table: &LookupTable<'a>) -> Self {
        let until = match table.plan {
            LookupPlan::Tricubic { until } => until,
            _ => u64::MAX,
        };
        Self { grid: LaneGrid::new(level, &table.factors), until, fallbacks: 0 }
    }

    /// In a grid whose nodes another processor has.
    #[inline(always)]
    pub(crate) fn elsewhere(numbers: &GridNumbers<F>) -> Self {
        Self { grid: LaneGrid::elsewhere(numbers), until: u64::MAX, fallbacks: 0 }
    }

    /// Interpolated values of the lanes in `usable`.
    #[inline(always)]
    fn interpolate(&self, h: [F; 3], usable: F::Mask) -> F {
        let block = self.block(h, usable);
        let [th, tk, tl] = block.t;
        weighted(weights(tl), self.along_l(&block, weights(th), weights(tk)))
    }

    /// [`Tricubic::interpolate`] and its derivatives with respect to h, k, l.
    #[inline(always)]
    fn interpolate_derivatives(&self, h: [F; 3], usable: F::Mask) -> (F, [F; 3]) {
        let block = self.block(h, usable);
        let [th, tk, tl] = block.t;
        let (wh, wk, wl) = (weights(th), weights(tk), weights(tl));
        let line = self.along_l(&block, wh, wk);
        let by_h = weighted(wl, self.along_l(&block, weight_derivatives(th), wk));
        let by_k = weighted(wl, self.along_l(&block, wh, weight_derivatives(tk)));
        (weighted(wl, line), [by_h, by_k, weighted(weight_derivatives(tl), line)])
    }

    /// The 4 x 4 x 4 nodes around h, k, l.
    #[inline(always)]
    fn block(&self, [h, k, l]: [F; 3], usable: F::Mask) -> Block<F> {
        let one = h.splat_like(1.0);
        let (h0, k0, l0) = (h.floor(), k.floor(), l.floor());
        let start = self.grid.index([h0 - one, k0 - one, l0 - one]);
        let mut shared = None;
        // Where all lanes have one block, its values are loaded once and broadcast. For few lanes that saves less
        // than a mispredicted branch costs.
        if F::LEN > FEW_LANES && usable.all() {
            let first = start.first();
            if start.eq(start.splat_like(first)).all() {
                shared = Some(first as usize);
            }
        }
        Block { t: [h - h0, k - k0, l - l0], start, shared }
    }

    /// The sums of a block over h and k, at its four nodes along l.
    #[inline(always)]
    fn along_l(&self, block: &Block<F>, wh: [F; 4], wk: [F; 4]) -> [F; 4] {
        if let Some(first) = block.shared {
            return self.shared_along_l(first, wh, wk);
        }
        match self.grid.nodes {
            Nodes::F64(nodes) => block.start.sum_rows(nodes, self.grid.strides, wh, wk),
            Nodes::F32(nodes) => narrow_sums(nodes, self.grid.strides, block.start, wh, wk),
        }
    }

    /// As [`Lanes::sum_rows`], in the same order.
    #[inline(always)]
    fn shared_along_l(&self, first: usize, wh: [F; 4], wk: [F; 4]) -> [F; 4] {
        let [stride_h, stride_k] = self.grid.strides;
        let [like, ..] = wh;
        let mut line = [like.splat_like(0.0); 4];
        for (i, &wh) in wh.iter().enumerate() {
            let mut plane = line;
            for (j, &wk) in wk.iter().enumerate() {
                let row = self.shared_row(first + i * stride_h + j * stride_k, wk);
                for (plane, value) in plane.iter_mut().zip(row) {
                    *plane = if j == 0 { wk * value } else { wk.mul_add(value, *plane) };
                }
            }
            for (line, plane) in line.iter_mut().zip(plane) {
                *line = if i == 0 { wh * plane } else { wh.mul_add(plane, *line) };
            }
        }
        line
    }

    /// Four nodes along l, each in all lanes.
    #[inline(always)]
    fn shared_row(&self, start: usize, like: F) -> [F; 4] {
        let [a, b, c, d] = self.grid.nodes.four(start).unwrap_or_default();
        [like.splat_like(a), like.splat_like(b), like.splat_like(c), like.splat_like(d)]
    }
}

/// Lanes for which the rows of a block are always loaded lane by lane.
const FEW_LANES: usize = 4;

/// The nodes that lanes interpolate between.
#[derive(Debug, Clone, Copy)]
struct Block<F> {
    /// h, k, l less their floors.
    t: [F; 3],
    /// Index of the first node.
    start: F,
    /// The same of the first lane, where the lanes share a block that is worth loading once.
    shared: Option<usize>,
}

/// [`Lanes::sum_rows`] of f32 nodes.
#[inline(always)]
fn narrow_sums<F: Lanes>(
    nodes: &[f32],
    strides: [usize; 2],
    start: F,
    [o0, o1, o2, o3]: [F; 4],
    [i0, i1, i2, i3]: [F; 4],
) -> [F; 4] {
    let level = start.level();
    let mut sums = NarrowSums { lanes: [[0.0; MOST_LANES]; 9], count: F::LEN };
    for (lanes, vector) in sums.lanes.iter_mut().zip([start, o0, o1, o2, o3, i0, i1, i2, i3]) {
        vector.store(lanes);
    }
    run_narrow_sums(level.simd(), NarrowPass { nodes, strides, sums: &mut sums });
    let [a, b, c, d, ..] = &sums.lanes;
    [level.load(a, 0.0), level.load(b, 0.0), level.load(c, 0.0), level.load(d, 0.0)]
}

/// Most lanes of a vector of any level.
const MOST_LANES: usize = 16;

/// The start, outer and inner weights of [`Lanes::sum_rows`]; afterwards the four sums.
struct NarrowSums {
    lanes: [[f64; MOST_LANES]; 9],
    /// Number of lanes.
    count: usize,
}

/// The sums of f32 nodes.
struct NarrowPass<'t> {
    nodes: &'t [f32],
    strides: [usize; 2],
    sums: &'t mut NarrowSums,
}

impl WithSimd for NarrowPass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let NarrowSums { lanes, count } = self.sums;
        for at in (0..(*count).min(MOST_LANES)).step_by(L::F::LEN) {
            let mut vectors = [level.splat(0.0); 9];
            for (vector, lanes) in vectors.iter_mut().zip(&*lanes) {
                *vector = level.load(lanes.get(at..).unwrap_or(&[]), 0.0);
            }
            let [start, o0, o1, o2, o3, i0, i1, i2, i3] = vectors;
            let sums = start.sum_rows(self.nodes, self.strides, [o0, o1, o2, o3], [i0, i1, i2, i3]);
            for (lanes, sum) in lanes.iter_mut().zip(sums) {
                sum.store(lanes.get_mut(at..).unwrap_or_default());
            }
        }
    }
}

/// Out of line, so that it is compiled once a level and not again in each loop.
#[cold]
#[inline(never)]
fn run_narrow_sums(simd: Simd, pass: NarrowPass<'_>) {
    simd.run(pass);
}

/// Sum of four values with weights.
#[inline(always)]
fn weighted<F: Lanes>([w0, w1, w2, w3]: [F; 4], [f0, f1, f2, f3]: [F; 4]) -> F {
    w0.mul_add(f0, w1.mul_add(f1, w2.mul_add(f2, w3 * f3)))
}

/// Derivatives of [`weights`] by t.
#[inline(always)]
fn weight_derivatives<F: Lanes>(t: F) -> [F; 4] {
    let (sixth, half, one) = (t.splat_like(1.0 / 6.0), t.splat_like(0.5), t.splat_like(1.0));
    let (two, three, four, six) =
        (t.splat_like(2.0), t.splat_like(3.0), t.splat_like(4.0), t.splat_like(6.0));
    let cube = three * t;
    [
        -((cube - six).mul_add(t, two) * sixth),
        (cube - four).mul_sub(t, one) * half,
        -((cube - two).mul_sub(t, two) * half),
        cube.mul_sub(t, one) * sixth,
    ]
}

/// Cubic Lagrange weights of the nodes -1, 0, 1, 2 at t in 0..1.
#[inline(always)]
fn weights<F: Lanes>(t: F) -> [F; 4] {
    let one = t.splat_like(1.0);
    let (before, after, last) = (t + one, t - one, t - t.splat_like(2.0));
    let (sixth, half) = (t.splat_like(1.0 / 6.0), t.splat_like(0.5));
    let inner = after * last;
    let outer = before * t;
    [-(t * inner) * sixth, before * inner * half, -(outer * last) * half, outer * after * sixth]
}

impl<F: Lanes> Lookup<F> for Tricubic<'_, F> {
    const SMOOTH: bool = true;

    #[inline(always)]
    fn f_cell(&mut self, indices: &Indices<F>, active: F::Mask, evaluation: u64) -> F {
        if evaluation >= self.until {
            return self.grid.nearest(indices.hkl0);
        }
        let usable = self.grid.usable(indices.hkl);
        if usable.all() {
            return self.interpolate(indices.hkl, usable);
        }
        let fallback = active & !usable;
        self.fallbacks += u64::from(fallback.count(F::LEN));
        let nearest = self.grid.nearest(indices.hkl0);
        if (active & usable).any() {
            F::select(usable, self.interpolate(indices.hkl, usable), nearest)
        } else {
            nearest
        }
    }

    #[inline(always)]
    fn f_cell_derivatives(&mut self, indices: &Indices<F>, active: F::Mask, evaluation: u64) -> (F, [F; 3]) {
        let zero = indices.hkl[0].splat_like(0.0);
        let usable = self.grid.usable(indices.hkl);
        if evaluation >= self.until || !(active & usable).any() {
            return (self.f_cell(indices, active, evaluation), [zero; 3]);
        }
        let (value, [by_h, by_k, by_l]) = self.interpolate_derivatives(indices.hkl, usable);
        if usable.all() {
            return (value, [by_h, by_k, by_l]);
        }
        self.fallbacks += u64::from((active & !usable).count(F::LEN));
        let slopes =
            [F::select(usable, by_h, zero), F::select(usable, by_k, zero), F::select(usable, by_l, zero)];
        (F::select(usable, value, self.grid.nearest(indices.hkl0)), slopes)
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
        let zero = amount.splat_like(0.0);
        if evaluation >= self.until {
            return self.grid.scatter_nearest(indices.hkl0, active, amount, sums);
        }
        let usable = self.grid.usable(indices.hkl);
        let by_default = self.grid.scatter_nearest(indices.hkl0, active & !usable, amount, sums);
        let block = self.block(indices.hkl, usable);
        let (wh, wk, wl) = (weights(block.t[0]), weights(block.t[1]), weights(block.t[2]));
        let amount = F::select(active & usable, amount, zero);
        let [stride_h, stride_k] = self.grid.strides;
        for (i, &wh) in wh.iter().enumerate() {
            for (j, &wk) in wk.iter().enumerate() {
                let along = amount * wh * wk;
                for (m, &wl) in wl.iter().enumerate() {
                    let offset = (i * stride_h + j * stride_k + m) as f64;
                    add_at(block.start + zero.splat_like(offset), along * wl, self.grid.own(sums));
                }
            }
        }
        F::select(usable, zero, by_default)
    }

    #[inline(always)]
    fn choose_grid(&mut self, grid: usize) {
        self.grid.choose(grid);
    }
    #[inline(always)]
    fn fallbacks(&self) -> u64 {
        self.fallbacks
    }
}

/// The reference's `polin3`: the tricubic value at h, k, l from 64 nodes, `block[i][j][m]` at
/// (floor(h)-1+i, floor(k)-1+j, floor(l)-1+m).
#[must_use]
pub fn tricubic(h: f64, k: f64, l: f64, block: &[[[f64; 4]; 4]; 4]) -> f64 {
    let weights = |x: f64| {
        let t = x - libm::floor(x);
        let (before, after, last) = (t + 1.0, t - 1.0, t - 2.0);
        [
            -(t * after * last) / 6.0,
            before * after * last / 2.0,
            -(before * t * last) / 2.0,
            before * t * after / 6.0,
        ]
    };
    let (wh, wk, wl) = (weights(h), weights(k), weights(l));
    let line = |row: &[f64; 4]| row.iter().zip(wl).map(|(f, w)| f * w).sum::<f64>();
    let plane = |rows: &[[f64; 4]; 4]| rows.iter().zip(wk).map(|(row, w)| line(row) * w).sum::<f64>();
    block.iter().zip(wh).map(|(rows, w)| plane(rows) * w).sum()
}
