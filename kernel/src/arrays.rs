//! Functions of the loop over whole arrays: `sincg`, nearest and interpolated structure factors.
//!
//! For callers with a loop of their own. Each element has the value that it would have alone, and the accuracy that
//! [`crate::math`] and [`crate::structure_factor`] state for it. **Special cases**: NaN in gives NaN out. **Cost**: no
//! buffers beside the caller's; all arrays of a call have the same length.

use crate::Error;
use crate::lanes::{BaseLevel, Doubled, Kernel, LaneMask, Lanes, Level, Simd};
use crate::math::{QuickCells, sincg, sincg_rad};
use crate::structure_factor::{
    Lookup, LookupKind, LookupPlan, LookupTable, NearestKind, StructureFactors, TricubicKind,
};

/// Indices beyond this are outside of every grid: those of grids are 32-bit.
const BEYOND_GRIDS: f64 = 1_099_511_627_776.0;

fn same_length(buffer: &'static str, given: usize, needed: usize) -> Result<(), Error> {
    if given == needed { Ok(()) } else { Err(Error::BufferTooShort { buffer, needed, given }) }
}

/// [`sincg`] of an array, in index units.
struct Sincg<'a> {
    h: &'a [f64],
    n: f64,
    out: &'a mut [f64],
}

impl Kernel for Sincg<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: BaseLevel>(self, level: L) {
        // Two vectors in flight hide each other's latencies.
        let level = Doubled(level);
        let n = level.splat(self.n);
        let lanes = 2 * L::F::LEN;
        for (h, out) in self.h.chunks(lanes).zip(self.out.chunks_mut(lanes)) {
            sincg(level.load(h, 0.0), n).store(out);
        }
    }
}

/// sincg of an array in radians.
struct SincgRad<'a> {
    x_rad: &'a [f64],
    n: f64,
    out: &'a mut [f64],
}

/// Elements that go through the two passes of [`quick`] together.
const RANGE: usize = 256;

impl Kernel for SincgRad<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: BaseLevel>(self, level: L) {
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

/// [`QuickCells::sincg_rad`] of at most [`RANGE`] elements, in two passes: d goes into `between`, r into `out`, then out comes
/// their quotient. In one pass the chain of arithmetic is twice as long, and the processor sees less of the next vectors.
#[inline(always)]
fn quick<L: Level, const EVEN: bool>(
    level: L,
    cells: QuickCells,
    x_rad: &[f64],
    between: &mut [f64; RANGE],
    out: &mut [f64],
) {
    let lanes = L::F::LEN;
    // Whole vectors apart from the rest: nothing is asked about their length.
    let whole_x = x_rad.chunks_exact(lanes);
    let rest = level.load(whole_x.remainder(), 0.0);
    // The sum of squares is beyond every square in it, and NaN where one is.
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

/// sincg of every `x_rad` for `n` cells, like [`sincg_rad`] but several times as fast: off by at most 4 ulp and 2^-51 N.
///
/// The second term shows next to the zeros, where the C expression, which rounds N x, is off by more. |x| beyond 2^30, and N
/// that is not an integer below 2^26, have the value of [`sincg_rad`].
///
/// # Errors
/// [`Error::BufferTooShort`] when the arrays differ in length.
pub fn sincg_rad_into(simd: Simd, x_rad: &[f64], n: f64, out: &mut [f64]) -> Result<(), Error> {
    same_length("out", out.len(), x_rad.len())?;
    simd.run(SincgRad { x_rad, n, out });
    Ok(())
}

/// [`sincg`] of every `h`, in index units, for `n` cells.
///
/// # Errors
/// [`Error::BufferTooShort`] when the arrays differ in length.
pub fn sincg_into(simd: Simd, h: &[f64], n: f64, out: &mut [f64]) -> Result<(), Error> {
    same_length("out", out.len(), h.len())?;
    simd.run(Sincg { h, n, out });
    Ok(())
}

/// F_cell of arrays of h, k, l.
struct Lookups<'a, Lo> {
    table: LookupTable<'a>,
    hkl: [&'a [f64]; 3],
    out: &'a mut [f64],
    kind: core::marker::PhantomData<Lo>,
}

impl<Lo: LookupKind> Kernel for Lookups<'_, Lo> {
    type Output = u64;

    #[inline(always)]
    fn run<L: BaseLevel>(self, level: L) -> u64 {
        let Self { table, hkl: [h, k, l], out, .. } = self;
        let mut lookup = Lo::at(level, &table);
        let lanes = L::F::LEN;
        let (zero, nan) = (level.splat(0.0), level.splat(f64::NAN));
        let ones = [1.0; 16];
        let blocks = h.chunks(lanes).zip(k.chunks(lanes)).zip(l.chunks(lanes)).zip(out.chunks_mut(lanes));
        for (((h, k), l), out) in blocks {
            // Lanes past the end must not be counted as evaluations.
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

/// The index itself wherever a grid could be, else an index outside of every grid.
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

/// The structure factor at the node nearest to each h, k, l, an exact half going down; default_F outside the grid.
///
/// # Errors
/// [`Error::BufferTooShort`] when the arrays differ in length.
pub fn nearest_into(
    simd: Simd,
    factors: &StructureFactors<'_>,
    hkl: [&[f64]; 3],
    out: &mut [f64],
) -> Result<(), Error> {
    lookups::<NearestKind>(simd, factors, LookupPlan::Nearest, hkl, out).map(|_| ())
}

/// The structure factor interpolated at each h, k, l; the nearest where the block of nodes is not usable. Gives the
/// number of these.
///
/// # Errors
/// [`Error::BufferTooShort`] when the arrays differ in length.
pub fn tricubic_into(
    simd: Simd,
    factors: &StructureFactors<'_>,
    hkl: [&[f64]; 3],
    out: &mut [f64],
) -> Result<u64, Error> {
    lookups::<TricubicKind>(simd, factors, LookupPlan::Tricubic { until: u64::MAX }, hkl, out)
}
