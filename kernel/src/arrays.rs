//! The functions of the render loop over whole arrays: `sincg`, nearest and interpolated structure factors.
//!
//! They serve callers that have a loop of their own. An element has the same value whether it is computed
//! alone or in an array.
//!
//! **Accuracy.** As stated in [`crate::math`] and [`crate::structure_factor`]. **Special cases.** NaN gives
//! NaN. **Shapes.** All arrays of a call have the same length. **Buffers.** The functions use no buffers but
//! the caller's.
//!
//! ```
//! use widebragg::arrays::{nearest_into, sincg_into};
//! use widebragg::lanes::Simd;
//! use widebragg::structure_factor::{HklGrid, LookupRule, StructureFactors};
//!
//! let simd = Simd::detect();
//! let mut f_latt = [0.0; 3];
//! sincg_into(simd, &[0.0, 0.5, 1.0], 5.0, &mut f_latt)?; // 5 unit cells
//! assert_eq!([f_latt[0], f_latt[2]], [5.0, 5.0]);
//!
//! // F(0,0,0) = 1 and F(1,0,0) = 2; all others are 7.
//! let grid = HklGrid::new([0, 0, 0], [2, 1, 1], &[1.0, 2.0])?;
//! let factors = StructureFactors { grid: Some(grid), default_f: 7.0, lookup: LookupRule::Nearest };
//! let mut f_cell = [0.0; 3];
//! nearest_into(simd, &factors, [&[0.2, 0.5, 1.8], &[0.0; 3], &[0.0; 3]], &mut f_cell)?;
//! assert_eq!(f_cell, [1.0, 1.0, 7.0]);
//! # Ok::<(), widebragg::Error>(())
//! ```

use crate::Error;
use crate::lanes::{BaseLevel, Doubled, LaneMask, Lanes, Level, Simd, WithSimd};
use crate::math::{QuickCells, sincg, sincg_rad};
use crate::structure_factor::{
    Lookup, LookupKind, LookupPlan, LookupTable, NearestKind, StructureFactors, TricubicKind,
};

/// 2^40. The indices of a grid have 32 bits, so an index of this magnitude lies outside every grid.
const BEYOND_GRIDS: f64 = 1_099_511_627_776.0;

pub(crate) fn same_length(buffer: &'static str, given: usize, needed: usize) -> Result<(), Error> {
    if given == needed { Ok(()) } else { Err(Error::BufferTooShort { buffer, needed, given }) }
}

/// The computation of [`sincg_into`].
struct Sincg<'a> {
    h: &'a [f64],
    n: f64,
    out: &'a mut [f64],
}

impl WithSimd for Sincg<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        // Two vectors at a time hide each other's latencies.
        let level = Doubled(level);
        let n = level.splat(self.n);
        let lanes = 2 * L::F::LEN;
        for (h, out) in self.h.chunks(lanes).zip(self.out.chunks_mut(lanes)) {
            sincg(level.load(h, 0.0), n).store(out);
        }
    }
}

/// The computation of [`sincg_rad_into`].
struct SincgRad<'a> {
    x_rad: &'a [f64],
    n: f64,
    out: &'a mut [f64],
}

/// Number of elements that go through the two passes of [`quick`] together.
const RANGE: usize = 256;

impl WithSimd for SincgRad<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let Self { x_rad, n, out } = self;
        let level = Doubled(level);
        let Some(cells) = QuickCells::new(n) else {
            let lanes = 2 * L::F::LEN;
            for (x, out) in x_rad.chunks(lanes).zip(out.chunks_mut(lanes)) {
                sincg_rad(level.load(x, 0.0), level.splat(n)).store(out);
            }
            return;
        };
        let mut between = [0.0; RANGE];
        for (x, out) in x_rad.chunks(RANGE).zip(out.chunks_mut(RANGE)) {
            if cells.is_even() {
                quick::<_, true>(level, cells, x, &mut between, out);
            } else {
                quick::<_, false>(level, cells, x, &mut between, out);
            }
        }
    }
}

/// [`QuickCells::sincg_rad`] of at most [`RANGE`] elements, in two passes.
///
/// The first pass writes d to `between` and r to `out`; the second replaces r by the quotient of their sines.
/// In a single pass the chain of arithmetic would be twice as long, and the processor could overlap fewer
/// vectors.
#[inline(always)]
fn quick<L: Level, const EVEN: bool>(
    level: L,
    cells: QuickCells,
    x_rad: &[f64],
    between: &mut [f64; RANGE],
    out: &mut [f64],
) {
    let lanes = L::F::LEN;
    // The whole vectors are handled apart from the rest, so that their loads need no check of a length.
    let whole_x = x_rad.chunks_exact(lanes);
    let rest = level.load(whole_x.remainder(), 0.0);
    // The sum of squares is at least as large as each square in it, and NaN if one of them is.
    let mut squares = rest * rest;
    for ((x, out), between) in whole_x.zip(out.chunks_exact_mut(lanes)).zip(between.chunks_exact_mut(lanes)) {
        let x = level.load(x, 0.0);
        squares = x.mul_add(x, squares);
        let (d, r) = cells.reduced::<_, EVEN>(x);
        d.store(between);
        r.store(out);
    }
    if QuickCells::reach_by_square(squares).all() {
        let mut whole_out = out.chunks_exact_mut(lanes);
        for (out, between) in whole_out.by_ref().zip(between.chunks_exact(lanes)) {
            QuickCells::ratio(level.load(between, 0.0), level.load(out, 0.0)).store(out);
        }
        let out = whole_out.into_remainder();
        if !out.is_empty() {
            cells.sincg_rad::<_, EVEN>(rest).store(out);
        }
    } else {
        for (x, out) in x_rad.chunks(lanes).zip(out.chunks_mut(lanes)) {
            cells.sincg_rad_anywhere(level.load(x, 0.0)).store(out);
        }
    }
}

/// Computes sin(N x)/sin(x) of every `x_rad` for `n` unit cells, several times as fast as [`sincg_rad`].
///
/// **Units.** `x_rad` in rad. **Accuracy.** 4 ulp plus 2^-51 N. The second term is visible close to the
/// zeros, where the C expression, which rounds N x, has a larger error. **Special cases.** If |x| is beyond
/// 2^30, or N is not an integer below 2^26, the value is that of [`sincg_rad`].
///
/// # Errors
/// [`Error::BufferTooShort`] if the arrays differ in length.
pub fn sincg_rad_into(simd: Simd, x_rad: &[f64], n: f64, out: &mut [f64]) -> Result<(), Error> {
    same_length("out", out.len(), x_rad.len())?;
    simd.run(SincgRad { x_rad, n, out });
    Ok(())
}

/// Computes [`sincg`] of every `h` for `n` unit cells.
///
/// **Units.** `h` in index units.
///
/// # Errors
/// [`Error::BufferTooShort`] if the arrays differ in length.
pub fn sincg_into(simd: Simd, h: &[f64], n: f64, out: &mut [f64]) -> Result<(), Error> {
    same_length("out", out.len(), h.len())?;
    simd.run(Sincg { h, n, out });
    Ok(())
}

/// The computation of [`nearest_into`] and [`tricubic_into`].
struct Lookups<'a, Lo> {
    table: LookupTable<'a>,
    hkl: [&'a [f64]; 3],
    out: &'a mut [f64],
    kind: core::marker::PhantomData<Lo>,
}

impl<Lo: LookupKind> WithSimd for Lookups<'_, Lo> {
    type Output = u64;

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) -> u64 {
        let Self { table, hkl: [h, k, l], out, .. } = self;
        let mut lookup = Lo::at(level, &table);
        let lanes = L::F::LEN;
        let (zero, nan) = (level.splat(0.0), level.splat(f64::NAN));
        let ones = [1.0; 16];
        let blocks = h.chunks(lanes).zip(k.chunks(lanes)).zip(l.chunks(lanes)).zip(out.chunks_mut(lanes));
        for (((h, k), l), out) in blocks {
            // Lanes past the end must not count as evaluations.
            let live = zero.lt(level.load(ones.get(..out.len()).unwrap_or(&ones), 0.0));
            let (h, k, l) = (level.load(h, 0.0), level.load(k, 0.0), level.load(l, 0.0));
            let numbers = h.eq(h) & k.eq(k) & l.eq(l);
            let mut located = lookup.locate([within(h), within(k), within(l)]);
            let f_cell = located.f_cell(live & numbers, 0);
            L::F::select(numbers, f_cell, nan).store(out);
        }
        lookup.fallbacks()
    }
}

/// Limits an index to the range of [`BEYOND_GRIDS`]; an index that it changes lies outside every grid.
#[inline(always)]
fn within<F: Lanes>(index: F) -> F {
    let limit = index.splat_like(BEYOND_GRIDS);
    (-limit).max(limit.min(index))
}

fn lookups<Lo: LookupKind>(
    simd: Simd,
    factors: &StructureFactors<'_>,
    plan: LookupPlan,
    hkl: [&[f64]; 3],
    out: &mut [f64],
) -> Result<u64, Error> {
    for indices in hkl {
        same_length("indices", indices.len(), out.len())?;
    }
    let table = LookupTable { factors: *factors, plan };
    Ok(simd.run(Lookups::<Lo> { table, hkl, out, kind: core::marker::PhantomData }))
}

/// Looks up the structure factor at the node nearest to each h, k, l, and default_F outside the grid.
///
/// Exact halves are rounded down, as in `nanoBragg.c`.
///
/// # Errors
/// [`Error::BufferTooShort`] if the arrays differ in length.
pub fn nearest_into(
    simd: Simd,
    factors: &StructureFactors<'_>,
    hkl: [&[f64]; 3],
    out: &mut [f64],
) -> Result<(), Error> {
    lookups::<NearestKind>(simd, factors, LookupPlan::Nearest, hkl, out).map(|_| ())
}

/// Interpolates the structure factor at each h, k, l and returns the number of fallbacks.
///
/// Where the block of nodes is not usable ([`crate::structure_factor`]), the value at the nearest node is
/// used.
///
/// # Errors
/// [`Error::BufferTooShort`] if the arrays differ in length.
pub fn tricubic_into(
    simd: Simd,
    factors: &StructureFactors<'_>,
    hkl: [&[f64]; 3],
    out: &mut [f64],
) -> Result<u64, Error> {
    lookups::<TricubicKind>(simd, factors, LookupPlan::Tricubic { until: u64::MAX }, hkl, out)
}
