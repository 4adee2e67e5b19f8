//! F_cell: structure factors on a dense grid over h, k, l, looked up at the nearest node or interpolated.
//!
//! **Layout.** h-major, l fastest: element ((h - h_min) nk + (k - k_min)) nl + (l - l_min) of a slice the caller owns.
//!
//! **Formulas.** Nearest: the grid value inside the box, else default_F. Tricubic: cubic Lagrange through the 4 x 4 x 4
//! nodes floor-1 .. floor+2, along l, then k, then h. The block is usable where h - 2 >= h_min and h - h_min + 3 <=
//! number of h, same for k and l; elsewhere the nearest value stands in.
//!
//! **Source.** The reference's lookup and `polin3`. **Accuracy.** Interpolation reproduces nodes exactly and cubics to 1e-13
//! (`tests/tests/kernel_structure_factor.rs`).

use crate::Error;
use crate::lanes::{LaneMask, Lanes, Level};
use crate::lattice::{Indices, Narrowed};
use crate::render::{PerPixel, get, put};

/// A dense grid of structure factors in a borrowed slice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HklGrid<'a> {
    data: &'a [f64],
    min: [i32; 3],
    len: [usize; 3],
}

/// Most nodes of a grid.
const MOST_NODES: usize = 1 << 31;

impl<'a> HklGrid<'a> {
    /// No node at all: every lookup gives default_F.
    const EMPTY: Self = Self { data: &[], min: [0; 3], len: [0; 3] };

    /// A grid from (h, k, l) = `min`, with `len` nodes along each.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] when `data` holds fewer than the product of `len`, [`Error::TooLarge`] when that or
    /// an index overflows, [`Error::OutOfRange`] for an empty axis or a value that is not finite.
    pub fn new(min: [i32; 3], len: [usize; 3], data: &'a [f64]) -> Result<Self, Error> {
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
        let given = data.len();
        let data = data.get(..needed).ok_or(Error::BufferTooShort {
            buffer: "structure factor grid",
            needed,
            given,
        })?;
        if let Some(&value) = data.iter().find(|f| !f.is_finite()) {
            return Err(Error::OutOfRange { quantity: "structure factor", value, allowed: "finite" });
        }
        Ok(Self { data, min, len })
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

    /// The values.
    #[must_use]
    pub fn data(&self) -> &'a [f64] {
        self.data
    }
}

/// What stands for F_cell in a scene.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StructureFactors<'a> {
    /// The grid; none: every reflection has `default_f`.
    pub grid: Option<HklGrid<'a>>,
    /// F of a reflection outside the grid.
    pub default_f: f64,
    /// How values between nodes are found.
    pub lookup: LookupRule,
}

/// Nearest node or interpolation, and what an evaluation near the edge of the grid does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LookupRule {
    /// The value at the nearest node.
    #[default]
    Nearest,
    /// Tricubic; an evaluation whose block is not usable takes the nearest value and is counted.
    Tricubic,
    /// The reference's: tricubic up to an evaluation, nearest from there on, for good.
    TricubicUntil(LatchPoint),
}

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

/// F_cell for lanes of one level.
pub(crate) trait Lookup<F: Lanes> {
    /// The step's indices with their nearest integers.
    #[inline(always)]
    fn place(&mut self, h: [F; 3]) -> Indices<F> {
        Indices::new(h)
    }
    /// [`Lookup::place`] for mixed precision, of whose arithmetic it shares more.
    #[inline(always)]
    fn place_mixed(&mut self, h: [F; 3]) -> (Indices<F>, Narrowed<F::Narrow>) {
        let indices = self.place(h);
        (indices, indices.narrowed())
    }
    /// Whether F_cell is 0 for all lanes of the indices that were placed last, where that is known at once.
    #[inline(always)]
    fn is_dark(&mut self) -> bool {
        false
    }
    /// F_cell of the lanes in `active`; of the others anything. `indices` are those that were placed last.
    fn f_cell(&mut self, indices: &Indices<F>, active: F::Mask, evaluation: u64) -> F;
    /// Whether F_cell changes between nodes.
    const SMOOTH: bool;
    /// F_cell as [`Lookup::f_cell`] gives it, and its derivatives by h, k, l: 0 unless [`Lookup::SMOOTH`].
    #[inline(always)]
    fn f_cell_slopes(&mut self, indices: &Indices<F>, active: F::Mask, evaluation: u64) -> (F, [F; 3]) {
        let zero = indices.h[0].splat_like(0.0);
        (self.f_cell(indices, active, evaluation), [zero; 3])
    }
    /// Adds `amount` times the derivative of F_cell by each node of the grid to `sums`, for the lanes in `active`; returns the
    /// derivative by default_F.
    fn scatter(
        &self,
        indices: &Indices<F>,
        active: F::Mask,
        evaluation: u64,
        amount: F,
        sums: &mut [f64],
    ) -> F;
    /// Keeps what is known about the pixels from `at` on, for [`Lookup::resume`] when they come again.
    #[inline(always)]
    fn keep(&self, _: &mut [PerPixel; 4], _: usize) {}
    /// Goes on with what was kept.
    #[inline(always)]
    fn resume(&mut self, _: &[PerPixel; 4], _: usize) {}
    /// Evaluations that fell back to the nearest node.
    fn fallbacks(&self) -> u64 {
        0
    }
    /// The first evaluation per lane that would fall back, infinity where none; forgotten for the next pixels.
    fn take_first_fallback(&mut self) -> Option<F> {
        None
    }
}

/// What a span of pixels looks structure factors up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LookupPlan {
    /// default_F everywhere.
    Uniform,
    /// The nearest node.
    Nearest,
    /// Tricubic, up to evaluation `until` of the pixel.
    Tricubic { until: u64 },
    /// Nothing is looked up: finds where the reference would stop interpolating.
    LatchScan,
}

/// The structure factors, and how to look them up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LookupTable<'a> {
    pub(crate) factors: StructureFactors<'a>,
    pub(crate) plan: LookupPlan,
}

/// A lookup by name; [`LookupKind::Of`] is the same at a level.
pub(crate) trait LookupKind {
    /// Whether pairs of vectors are faster than single ones: not where lanes often share a block of nodes.
    const PAIRS_WELL: bool;
    /// The lookup at a level.
    type Of<'a, F: Lanes + 'a>: Lookup<F>;
    /// The lookup in `table`.
    fn of<'a, L: Level>(level: L, table: &LookupTable<'a>) -> Self::Of<'a, L::F>;
}

macro_rules! lookup_kind {
    ($kind:ident, $lookup:ident $(<$a:lifetime>)?, pairs well: $pairs:literal) => {
        #[doc = concat!("[`", stringify!($lookup), "`] by name.")]
        pub(crate) struct $kind;

        impl LookupKind for $kind {
            const PAIRS_WELL: bool = $pairs;
            type Of<'a, F: Lanes + 'a> = $lookup<$($a,)? F>;
            #[inline(always)]
            fn of<'a, L: Level>(level: L, table: &LookupTable<'a>) -> $lookup<$($a,)? L::F> {
                $lookup::new(level, table)
            }
        }
    };
}
lookup_kind!(UniformKind, Uniform, pairs well: true);
lookup_kind!(NearestKind, Nearest<'a>, pairs well: true);
lookup_kind!(TricubicKind, Tricubic<'a>, pairs well: false);

/// Any lookup, told apart at every step: for the general loop, which need not be compiled once for each.
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

impl<F: Lanes> Lookup<F> for AnyLookup<'_, F> {
    #[inline(always)]
    fn place(&mut self, h: [F; 3]) -> Indices<F> {
        match self {
            Self::Nearest(lookup) => lookup.place(h),
            _ => Indices::new(h),
        }
    }

    #[inline(always)]
    fn f_cell(&mut self, indices: &Indices<F>, active: F::Mask, evaluation: u64) -> F {
        match self {
            Self::Uniform(lookup) => lookup.f_cell(indices, active, evaluation),
            Self::Nearest(lookup) => lookup.f_cell(indices, active, evaluation),
            Self::Tricubic(lookup) => lookup.f_cell(indices, active, evaluation),
            Self::LatchScan(lookup) => lookup.f_cell(indices, active, evaluation),
        }
    }
    const SMOOTH: bool = true;
    #[inline(always)]
    fn is_dark(&mut self) -> bool {
        match self {
            Self::Nearest(lookup) => lookup.is_dark(),
            _ => false,
        }
    }
    #[inline(always)]
    fn f_cell_slopes(&mut self, indices: &Indices<F>, active: F::Mask, evaluation: u64) -> (F, [F; 3]) {
        match self {
            Self::Uniform(lookup) => lookup.f_cell_slopes(indices, active, evaluation),
            Self::Nearest(lookup) => lookup.f_cell_slopes(indices, active, evaluation),
            Self::Tricubic(lookup) => lookup.f_cell_slopes(indices, active, evaluation),
            Self::LatchScan(lookup) => lookup.f_cell_slopes(indices, active, evaluation),
        }
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
        match self {
            Self::Uniform(lookup) => lookup.scatter(indices, active, evaluation, amount, sums),
            Self::Nearest(lookup) => lookup.scatter(indices, active, evaluation, amount, sums),
            Self::Tricubic(lookup) => lookup.scatter(indices, active, evaluation, amount, sums),
            Self::LatchScan(lookup) => lookup.scatter(indices, active, evaluation, amount, sums),
        }
    }
    #[inline(always)]
    fn fallbacks(&self) -> u64 {
        match self {
            Self::Tricubic(lookup) => lookup.fallbacks(),
            _ => 0,
        }
    }
    #[inline(always)]
    fn take_first_fallback(&mut self) -> Option<F> {
        match self {
            Self::LatchScan(lookup) => lookup.take_first_fallback(),
            _ => None,
        }
    }
}

/// No grid: default_F everywhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Uniform<F>(F);

impl<F: Lanes> Uniform<F> {
    #[inline(always)]
    fn new<L: Level<F = F>>(level: L, table: &LookupTable<'_>) -> Self {
        Self(level.splat(table.factors.default_f))
    }
}

impl<F: Lanes> Lookup<F> for Uniform<F> {
    #[inline(always)]
    fn place(&mut self, h: [F; 3]) -> Indices<F> {
        Indices::fractions(h)
    }
    #[inline(always)]
    fn f_cell(&mut self, _: &Indices<F>, _: F::Mask, _: u64) -> F {
        self.0
    }
    const SMOOTH: bool = false;
    #[inline(always)]
    fn scatter(&self, _: &Indices<F>, _: F::Mask, _: u64, _: F, _: &mut [f64]) -> F {
        self.0.splat_like(1.0)
    }
}

/// The grid as lanes need it.
#[derive(Debug, Clone, Copy)]
struct Box3<'a, F> {
    data: &'a [f64],
    /// Elements from one h to the next, from one k to the next.
    rows: [usize; 2],
    min: [F; 3],
    max: [F; 3],
    len: [F; 3],
    stride_h: F,
    stride_k: F,
    /// Index of (0, 0, 0), negated.
    base: F,
    default_f: F,
}

impl<'a, F: Lanes> Box3<'a, F> {
    #[inline(always)]
    fn new<L: Level<F = F>>(level: L, factors: &StructureFactors<'a>) -> Self {
        let (grid, default_f) = (factors.grid.unwrap_or(HklGrid::EMPTY), factors.default_f);
        let [h, k, l] = grid.min.map(f64::from);
        let [nh, nk, nl] = [grid.len[0] as f64, grid.len[1] as f64, grid.len[2] as f64];
        Self {
            data: grid.data,
            rows: [grid.len[1] * grid.len[2], grid.len[2]],
            min: [level.splat(h), level.splat(k), level.splat(l)],
            max: [level.splat(h + nh - 1.0), level.splat(k + nk - 1.0), level.splat(l + nl - 1.0)],
            len: [level.splat(nh), level.splat(nk), level.splat(nl)],
            stride_h: level.splat(nk * nl),
            stride_k: level.splat(nl),
            base: level.splat(h * nk * nl + k * nl + l),
            default_f: level.splat(default_f),
        }
    }

    /// Index of a node in the slice.
    #[inline(always)]
    fn index(&self, [h, k, l]: [F; 3]) -> F {
        h.mul_add(self.stride_h, k.mul_add(self.stride_k, l)) - self.base
    }

    /// Lanes whose node is in the grid.
    #[inline(always)]
    fn contains(&self, [h, k, l]: [F; 3]) -> F::Mask {
        let ([h_min, k_min, l_min], [h_max, k_max, l_max]) = (self.min, self.max);
        h_min.le(h) & h.le(h_max) & k_min.le(k) & k.le(k_max) & l_min.le(l) & l.le(l_max)
    }

    #[inline(always)]
    fn nearest(&self, node: [F; 3]) -> F {
        self.index(node).gather(self.data, self.contains(node), self.default_f)
    }

    /// Adds `amount` at the nodes that are in the grid, for the lanes in `active`; 1 in the lanes whose node is not.
    #[inline(always)]
    fn scatter_nearest(&self, node: [F; 3], active: F::Mask, amount: F, sums: &mut [f64]) -> F {
        let (zero, one) = (amount.splat_like(0.0), amount.splat_like(1.0));
        let inside = self.contains(node);
        add_at(self.index(node), F::select(inside & active, amount, zero), sums);
        F::select(inside, zero, one)
    }

    /// Lanes whose 4 x 4 x 4 block lies in the grid.
    #[inline(always)]
    fn usable(&self, [h, k, l]: [F; 3]) -> F::Mask {
        let ([h_min, k_min, l_min], [nh, nk, nl]) = (self.min, self.len);
        let (two, three) = (h.splat_like(2.0), h.splat_like(3.0));
        h_min.le(h - two)
            & (h - h_min + three).le(nh)
            & k_min.le(k - two)
            & (k - k_min + three).le(nk)
            & l_min.le(l - two)
            & (l - l_min + three).le(nl)
    }
}

/// Adds the lanes of `amount` to the elements that the lanes of `index` name.
#[inline(always)]
fn add_at<F: Lanes>(index: F, amount: F, sums: &mut [f64]) {
    let (index, amount) = (index.to_array(), amount.to_array());
    for (&index, &amount) in index.as_ref().iter().zip(amount.as_ref()) {
        // Where nothing is added the index may be any.
        if amount != 0.0
            && let Some(sum) = sums.get_mut(index as usize)
        {
            *sum += amount;
        }
    }
}

/// The value at the nearest node.
///
/// Neighbouring steps are mostly nearest to the same nodes: these are kept, and neither rounded to nor looked up again
/// until a lane comes nearer to another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nearest<'a, F> {
    grid: Box3<'a, F>,
    /// The nodes of the last step.
    h0: [F; 3],
    /// Their values, and whether all of them are 0, unless `moved`.
    value: F,
    dark: bool,
    moved: bool,
    /// Whether what was kept last is still so.
    kept: bool,
}

impl<'a, F: Lanes> Nearest<'a, F> {
    #[inline(always)]
    fn new<L: Level<F = F>>(level: L, table: &LookupTable<'a>) -> Self {
        let grid = Box3::new(level, &table.factors);
        Self {
            grid,
            h0: [level.splat(f64::NAN); 3],
            value: grid.default_f,
            dark: false,
            moved: true,
            kept: false,
        }
    }
}

impl<F: Lanes> Nearest<'_, F> {
    /// The step's nodes, whose values are not known yet.
    #[inline(always)]
    fn move_to(&mut self, h: [F; 3]) -> Indices<F> {
        let found = Indices::new(h);
        self.h0 = found.h0;
        self.moved = true;
        self.kept = false;
        found
    }
    #[inline(always)]
    fn look_up(&mut self) {
        if self.moved {
            self.value = self.grid.nearest(self.h0);
            self.dark = self.value.eq(self.value.splat_like(0.0)).all();
            self.moved = false;
        }
    }
}

impl<F: Lanes> Lookup<F> for Nearest<'_, F> {
    #[inline(always)]
    fn place(&mut self, h: [F; 3]) -> Indices<F> {
        let near = Indices::about(self.h0, h);
        if near.all_nearest() { near } else { self.move_to(h) }
    }
    #[inline(always)]
    fn place_mixed(&mut self, h: [F; 3]) -> (Indices<F>, Narrowed<F::Narrow>) {
        let near = Indices::about(self.h0, h);
        let narrow = near.narrowed();
        if narrow.all_nearest() {
            return (near, narrow);
        }
        let found = self.move_to(h);
        (found, found.narrowed())
    }
    #[inline(always)]
    fn keep(&self, nodes: &mut [PerPixel; 4], at: usize) {
        if self.kept {
            return;
        }
        let [to_h, to_k, to_l, to_value] = nodes;
        // NaN is near nothing: nodes without their values are not kept.
        let [h, k, l] = if self.moved { [self.value.splat_like(f64::NAN); 3] } else { self.h0 };
        put(h, to_h, at);
        put(k, to_k, at);
        put(l, to_l, at);
        put(self.value, to_value, at);
    }
    #[inline(always)]
    fn resume(&mut self, nodes: &[PerPixel; 4], at: usize) {
        let [h, k, l, value] = nodes;
        let level = self.value.level();
        self.h0 = [get(level, h, at), get(level, k, at), get(level, l, at)];
        self.value = get(level, value, at);
        self.dark = self.value.eq(level.splat(0.0)).all();
        self.moved = false;
        self.kept = true;
    }
    #[inline(always)]
    fn is_dark(&mut self) -> bool {
        self.look_up();
        self.dark
    }
    #[inline(always)]
    fn f_cell(&mut self, _: &Indices<F>, _: F::Mask, _: u64) -> F {
        self.look_up();
        self.value
    }
    const SMOOTH: bool = false;
    #[inline(always)]
    fn scatter(&self, indices: &Indices<F>, active: F::Mask, _: u64, amount: F, sums: &mut [f64]) -> F {
        self.grid.scatter_nearest(indices.h0, active, amount, sums)
    }
}

/// Tricubic interpolation, up to an evaluation of the pixel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tricubic<'a, F> {
    grid: Box3<'a, F>,
    until: u64,
    fallbacks: u64,
}

impl<'a, F: Lanes> Tricubic<'a, F> {
    #[inline(always)]
    fn new<L: Level<F = F>>(level: L, table: &LookupTable<'a>) -> Self {
        let until = match table.plan {
            LookupPlan::Tricubic { until } => until,
            _ => u64::MAX,
        };
        Self { grid: Box3::new(level, &table.factors), until, fallbacks: 0 }
    }

    /// Interpolated values of the lanes in `usable`.
    #[inline(always)]
    fn interpolate(&self, h: [F; 3], usable: F::Mask) -> F {
        let block = self.block(h, usable);
        let (wh, wk, wl) = (weights(block.t[0]), weights(block.t[1]), weights(block.t[2]));
        let mut sum = h[0].splat_like(0.0);
        for (i, &wh) in wh.iter().enumerate() {
            let mut plane = sum.splat_like(0.0);
            for (j, &wk) in wk.iter().enumerate() {
                plane = wk.mul_add(weighted(wl, self.row(&block, i, j, usable)), plane);
            }
            sum = wh.mul_add(plane, sum);
        }
        sum
    }

    /// The same, and its derivatives by h, k, l.
    #[inline(always)]
    fn interpolate_slopes(&self, h: [F; 3], usable: F::Mask) -> (F, [F; 3]) {
        let block = self.block(h, usable);
        let [th, tk, tl] = block.t;
        let (wh, wk, wl) = (weights(th), weights(tk), weights(tl));
        let (sh, sk, sl) = (weight_slopes(th), weight_slopes(tk), weight_slopes(tl));
        let zero = th.splat_like(0.0);
        let (mut sum, mut by_h, mut by_k, mut by_l) = (zero, zero, zero, zero);
        for (i, (&wh, &sh)) in wh.iter().zip(&sh).enumerate() {
            let (mut plane, mut plane_by_k, mut plane_by_l) = (zero, zero, zero);
            for (j, (&wk, &sk)) in wk.iter().zip(&sk).enumerate() {
                let row = self.row(&block, i, j, usable);
                let line = weighted(wl, row);
                plane = wk.mul_add(line, plane);
                plane_by_k = sk.mul_add(line, plane_by_k);
                plane_by_l = wk.mul_add(weighted(sl, row), plane_by_l);
            }
            sum = wh.mul_add(plane, sum);
            by_h = sh.mul_add(plane, by_h);
            by_k = wh.mul_add(plane_by_k, by_k);
            by_l = wh.mul_add(plane_by_l, by_l);
        }
        (sum, [by_h, by_k, by_l])
    }

    /// The 4 x 4 x 4 nodes about h, k, l.
    #[inline(always)]
    fn block(&self, [h, k, l]: [F; 3], usable: F::Mask) -> Block<F> {
        let one = h.splat_like(1.0);
        let (h0, k0, l0) = (h.floor(), k.floor(), l.floor());
        let start = self.grid.index([h0 - one, k0 - one, l0 - one]);
        let first = start.first();
        let shared = usable.all() && start.eq(start.splat_like(first)).all();
        Block { t: [h - h0, k - k0, l - l0], start, first: first as usize, shared }
    }

    /// The nodes of a block along l.
    #[inline(always)]
    fn row(&self, block: &Block<F>, i: usize, j: usize, usable: F::Mask) -> [F; 4] {
        let [stride_h, stride_k] = self.grid.rows;
        let offset = i * stride_h + j * stride_k;
        let start = block.start;
        // One block for all lanes: its values are loaded once and broadcast.
        if block.shared {
            self.shared_row(block.first + offset, start)
        } else {
            self.gathered_row(start + start.splat_like(offset as f64), usable)
        }
    }

    #[inline(always)]
    fn gathered_row(&self, start: F, usable: F::Mask) -> [F; 4] {
        let (data, zero) = (self.grid.data, start.splat_like(0.0));
        [
            start.gather(data, usable, zero),
            (start + start.splat_like(1.0)).gather(data, usable, zero),
            (start + start.splat_like(2.0)).gather(data, usable, zero),
            (start + start.splat_like(3.0)).gather(data, usable, zero),
        ]
    }

    #[inline(always)]
    fn shared_row(&self, start: usize, like: F) -> [F; 4] {
        let row = start.checked_add(4).and_then(|end| self.grid.data.get(start..end));
        match row {
            Some(&[a, b, c, d]) => {
                [like.splat_like(a), like.splat_like(b), like.splat_like(c), like.splat_like(d)]
            }
            _ => [like.splat_like(0.0); 4],
        }
    }
}

/// Nodes that lanes interpolate between.
#[derive(Debug, Clone, Copy)]
struct Block<F> {
    /// h, k, l less their floors.
    t: [F; 3],
    /// Index of the first node.
    start: F,
    /// That of the first lane.
    first: usize,
    /// Whether all lanes have the same nodes.
    shared: bool,
}

/// Sum of four values with weights.
#[inline(always)]
fn weighted<F: Lanes>([w0, w1, w2, w3]: [F; 4], [f0, f1, f2, f3]: [F; 4]) -> F {
    w0.mul_add(f0, w1.mul_add(f1, w2.mul_add(f2, w3 * f3)))
}

/// Derivatives of [`weights`] by t.
#[inline(always)]
fn weight_slopes<F: Lanes>(t: F) -> [F; 4] {
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
    #[inline(always)]
    fn f_cell(&mut self, indices: &Indices<F>, active: F::Mask, evaluation: u64) -> F {
        if evaluation >= self.until {
            return self.grid.nearest(indices.h0);
        }
        let usable = self.grid.usable(indices.h);
        if usable.all() {
            return self.interpolate(indices.h, usable);
        }
        let fallback = active & !usable;
        self.fallbacks += u64::from(fallback.count(F::LEN));
        let nearest = self.grid.nearest(indices.h0);
        if (active & usable).any() {
            F::select(usable, self.interpolate(indices.h, usable), nearest)
        } else {
            nearest
        }
    }

    const SMOOTH: bool = true;
    #[inline(always)]
    fn f_cell_slopes(&mut self, indices: &Indices<F>, active: F::Mask, evaluation: u64) -> (F, [F; 3]) {
        let zero = indices.h[0].splat_like(0.0);
        let usable = self.grid.usable(indices.h);
        if evaluation >= self.until || !(active & usable).any() {
            return (self.f_cell(indices, active, evaluation), [zero; 3]);
        }
        let (value, [by_h, by_k, by_l]) = self.interpolate_slopes(indices.h, usable);
        if usable.all() {
            return (value, [by_h, by_k, by_l]);
        }
        self.fallbacks += u64::from((active & !usable).count(F::LEN));
        let slopes =
            [F::select(usable, by_h, zero), F::select(usable, by_k, zero), F::select(usable, by_l, zero)];
        (F::select(usable, value, self.grid.nearest(indices.h0)), slopes)
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
            return self.grid.scatter_nearest(indices.h0, active, amount, sums);
        }
        let usable = self.grid.usable(indices.h);
        let by_default = self.grid.scatter_nearest(indices.h0, active & !usable, amount, sums);
        let block = self.block(indices.h, usable);
        let (wh, wk, wl) = (weights(block.t[0]), weights(block.t[1]), weights(block.t[2]));
        let amount = F::select(active & usable, amount, zero);
        let [stride_h, stride_k] = self.grid.rows;
        for (i, &wh) in wh.iter().enumerate() {
            for (j, &wk) in wk.iter().enumerate() {
                let along = amount * wh * wk;
                for (m, &wl) in wl.iter().enumerate() {
                    let offset = (i * stride_h + j * stride_k + m) as f64;
                    add_at(block.start + zero.splat_like(offset), along * wl, sums);
                }
            }
        }
        F::select(usable, zero, by_default)
    }

    #[inline(always)]
    fn fallbacks(&self) -> u64 {
        self.fallbacks
    }
}

/// Finds, per lane, the first evaluation that the reference would latch at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LatchScan<'a, F> {
    grid: Box3<'a, F>,
    first: F,
}

impl<'a, F: Lanes> LatchScan<'a, F> {
    #[inline(always)]
    fn new<L: Level<F = F>>(level: L, table: &LookupTable<'a>) -> Self {
        Self { grid: Box3::new(level, &table.factors), first: level.splat(f64::INFINITY) }
    }
}

impl<F: Lanes> Lookup<F> for LatchScan<'_, F> {
    #[inline(always)]
    fn f_cell(&mut self, indices: &Indices<F>, active: F::Mask, evaluation: u64) -> F {
        let latches = active & !self.grid.usable(indices.h);
        let here = self.first.min(self.first.splat_like(evaluation as f64));
        self.first = F::select(latches, here, self.first);
        self.first.splat_like(0.0)
    }
    const SMOOTH: bool = false;
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
