//! Functions of the loop over whole arrays: `sincg`, nearest and interpolated structure factors.
//!
//! For callers with a loop of their own. Each element has the value that it would have alone, and the accuracy that
//! [`crate::math`] and [`crate::structure_factor`] state for it. **Special cases**: NaN in gives NaN out. **Cost**: no
//! buffers beside the caller's; all arrays of a call have the same length.

use crate::Error;
use crate::lanes::{BaseLevel, Kernel, Lanes, Simd};
use crate::lattice::Indices;
use crate::math::{sincg, sincg_rad};
use crate::structure_factor::{
    Lookup, LookupKind, LookupPlan, LookupTable, NearestKind, StructureFactors, TricubicKind,
};

/// Indices beyond this are outside of every grid: those of grids are 32-bit.
const BEYOND_GRIDS: f64 = 1_099_511_627_776.0;

fn same_length(buffer: &'static str, given: usize, needed: usize) -> Result<(), Error> {
    if given == needed { Ok(()) } else { Err(Error::BufferTooShort { buffer, needed, given }) }
}

#[inline(always)]
fn store<F: Lanes>(values: F, out: &mut [f64]) {
    for (out, value) in out.iter_mut().zip(values.to_array().as_ref()) {
        *out = *value;
    }
}

/// sincg of an array; `INDEX_UNITS`: of h instead of radians.
struct Sincg<'a, const INDEX_UNITS: bool> {
    x: &'a [f64],
    n: f64,
    out: &'a mut [f64],
}

impl<const INDEX_UNITS: bool> Kernel for Sincg<'_, INDEX_UNITS> {
    type Output = ();

    #[inline(always)]
    fn run<L: BaseLevel>(self, level: L) {
        let n = level.splat(self.n);
        let lanes = L::F::LEN;
        for (x, out) in self.x.chunks(lanes).zip(self.out.chunks_mut(lanes)) {
            let x = level.load(x, 0.0);
            store(if INDEX_UNITS { sincg(x, n) } else { sincg_rad(x, n) }, out);
        }
    }
}

/// [`sincg_rad`] of every `x_rad` for `n` cells.
///
/// # Errors
/// [`Error::BufferTooShort`] when the arrays differ in length.
pub fn sincg_rad_into(simd: Simd, x_rad: &[f64], n: f64, out: &mut [f64]) -> Result<(), Error> {
    same_length("out", out.len(), x_rad.len())?;
    simd.run(Sincg::<false> { x: x_rad, n, out });
    Ok(())
}

/// [`sincg`] of every `h`, in index units, for `n` cells.
///
/// # Errors
/// [`Error::BufferTooShort`] when the arrays differ in length.
pub fn sincg_into(simd: Simd, h: &[f64], n: f64, out: &mut [f64]) -> Result<(), Error> {
    same_length("out", out.len(), h.len())?;
    simd.run(Sincg::<true> { x: h, n, out });
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
        let mut lookup = Lo::of(level, &table);
        let lanes = L::F::LEN;
        let (zero, nan) = (level.splat(0.0), level.splat(f64::NAN));
        let ones = [1.0; 16];
        let blocks = h.chunks(lanes).zip(k.chunks(lanes)).zip(l.chunks(lanes)).zip(out.chunks_mut(lanes));
        for (((h, k), l), out) in blocks {
            // Lanes past the end must not be counted as evaluations.
            let live = zero.lt(level.load(ones.get(..out.len()).unwrap_or(&ones), 0.0));
            let (h, k, l) = (level.load(h, 0.0), level.load(k, 0.0), level.load(l, 0.0));
            let numbers = h.eq(h) & k.eq(k) & l.eq(l);
            let indices = Indices::new([within(h), within(k), within(l)]);
            let f_cell = lookup.f_cell(&indices, live & numbers, 0);
            store(L::F::select(numbers, f_cell, nan), out);
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
    // Any index may come: no two nodes are known to be in reach of each other.
    let table = LookupTable { factors: *factors, largest: [f64::INFINITY; 3], plan };
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
