//! Functions over the caller's arrays, at the best SIMD level or a lower one.

use core::mem::MaybeUninit;

use widebragg::arrays::{nearest_into, sincg_into, sincg_rad_into, tricubic_into};
use widebragg::lanes::{Lanes, Level, Simd, WithSimd};
use widebragg::math::{CELLS_LIMIT, sincg_squared_slope};
use widebragg::rotation::{IDENTITY, Mat3, Orientation, PhiSweep, fill_orientations, orientations_len};
use widebragg::structure_factor::{LookupRule, StructureFactors};
use widebragg::vector::Vec3;

use crate::enums::{MODES, chosen};
use crate::grid::wb_grid;
use crate::level::simd;
use crate::memory::{Input, Output, Region, disjoint, fill_with, filled};
use crate::status::{Failure, WB_OUT_OF_RANGE, status};

/// Elements of an array that are computed at a time: few enough to stay in the first cache from their
/// initialisation on.
const CHUNK: usize = 1024;

/// Computes one of the interference functions, or the slope, of an array.
type SincgInto = fn(Simd, &[f64], f64, &mut [f64]) -> Result<(), widebragg::Error>;

/// Applies `into` to `n` elements of `x`.
///
/// # Safety
/// No other thread writes the input or accesses the output during the call.
/// * `x` is NULL or points to `n` initialised `f64`.
/// * `out` is NULL or points to room for `n` `f64`.
unsafe fn sincg(x: *const f64, n: usize, cells: f64, out: *mut f64, cap: i32, into: SincgInto) -> i32 {
    let run = || {
        let (out, x) = (Output::array(out, n, "out")?, Input::array(x, n, "x")?);
        disjoint(&[out.region()], &[x.region()])?;
        let simd = simd(cap)?;
        if !cells.is_finite() {
            return Err(Failure::range("N", cells, "finite"));
        }
        // SAFETY: `x` is not NULL, so the caller guarantees `n` initialised numbers there. No other thread
        // writes them, and `out`, which this function writes, does not overlap them.
        let x = unsafe { x.slice() };
        // SAFETY: `out` is not NULL, so the caller guarantees room for `n` numbers there, which no other
        // thread accesses; `x` does not overlap them.
        let out = unsafe { out.uninit() };
        // The length of a chunk is part of its type: `chunks` would divide by the length, and could then panic
        // where it is not inlined.
        let ((chunks, rest), (out_chunks, out_rest)) = (x.as_chunks::<CHUNK>(), out.as_chunks_mut::<CHUNK>());
        for (x, out) in chunks.iter().zip(out_chunks) {
            into(simd, x, cells, filled(out, 0.0))?;
        }
        if !rest.is_empty() {
            into(simd, rest, cells, filled(out_rest, 0.0))?;
        }
        Ok(())
    };
    status(run())
}

/// Computes `wb_sincg` of `n` phases in radians.
///
/// # Safety
/// No other thread writes the input or accesses the output during the call.
/// * `x` is NULL or points to `n` initialised `f64`.
/// * `out` is NULL or points to room for `n` `f64`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "the field's symbol")]
pub unsafe extern "C" fn wb_sincg_array(x: *const f64, n: usize, N: f64, out: *mut f64, simd: i32) -> i32 {
    // SAFETY: this function requires of `x`, `n` and `out` what `sincg` requires.
    unsafe { sincg(x, n, N, out, simd, sincg_rad_into) }
}

/// Computes sin(N pi h)/sin(pi h) of `n` indices h, without rounding pi h.
///
/// # Safety
/// No other thread writes the input or accesses the output during the call.
/// * `h` is NULL or points to `n` initialised `f64`.
/// * `out` is NULL or points to room for `n` `f64`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "the field's symbol")]
pub unsafe extern "C" fn wb_sincg_index_array(
    h: *const f64,
    n: usize,
    N: f64,
    out: *mut f64,
    simd: i32,
) -> i32 {
    let fits = N.is_nan() || (N.abs() <= CELLS_LIMIT && N as i64 as f64 == N);
    if !fits {
        return WB_OUT_OF_RANGE;
    }
    // SAFETY: this function requires of `h`, `n` and `out` what `sincg` requires.
    unsafe { sincg(h, n, N, out, simd, sincg_into) }
}

/// The derivative of the squared interference function over an array.
struct Slopes<'a> {
    h: &'a [f64],
    n: f64,
    out: &'a mut [f64],
}

impl WithSimd for Slopes<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: Level>(self, level: L) {
        let n = level.splat(self.n);
        let lanes = L::F::LEN;
        for (h, out) in self.h.chunks(lanes).zip(self.out.chunks_mut(lanes)) {
            sincg_squared_slope(level.load(h, 0.0), n).store(out);
        }
    }
}

/// Computes d/dh (sin(N pi h)/sin(pi h))^2 of `n` indices h.
///
/// # Safety
/// No other thread writes the input or accesses the output during the call.
/// * `h` is NULL or points to `n` initialised `f64`.
/// * `out` is NULL or points to room for `n` `f64`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "the field's symbol")]
pub unsafe extern "C" fn wb_sincg_squared_slope_array(
    h: *const f64,
    n: usize,
    N: f64,
    out: *mut f64,
    simd: i32,
) -> i32 {
    let fits = N.is_nan() || ((1.0..=1e5).contains(&N) && N as i64 as f64 == N);
    if !fits {
        return WB_OUT_OF_RANGE;
    }
    let into: SincgInto = |simd, h, n, out| {
        simd.run(Slopes { h, n, out });
        Ok(())
    };
    // SAFETY: this function requires of `h`, `n` and `out` what `sincg` requires.
    unsafe { sincg(h, n, N, out, simd, into) }
}

/// Arguments of a lookup of structure factors over arrays of h, k, l.
#[derive(Clone, Copy)]
struct Lookups {
    grid: *const wb_grid,
    hkl: [*const f64; 3],
    n: usize,
    f: *mut f64,
    /// Receives the number of interpolations that used the nearest node; may be NULL.
    fallbacks: *mut u64,
    simd: i32,
}

/// Fills an array with structure factors and returns the number of interpolations that used the nearest node.
type LookupInto = fn(Simd, &StructureFactors<'_>, [&[f64]; 3], &mut [f64]) -> Result<u64, widebragg::Error>;

impl Lookups {
    /// # Safety
    /// No other thread writes the inputs or accesses the outputs during the call.
    /// * `grid` is NULL or points to an initialised `wb_grid`, whose `f` is NULL or points to `f_len`
    ///   initialised `f64`.
    /// * Each of `hkl` is NULL or points to `n` initialised `f64`.
    /// * `f` is NULL or points to room for `n` `f64`.
    /// * `fallbacks` is NULL or points to room for a `u64`.
    unsafe fn run(self, rule: LookupRule, into: LookupInto) -> Result<(), Failure> {
        let Self { grid, hkl: [h, k, l], n, f, fallbacks, simd: cap } = self;
        let f = Output::array(f, n, "f")?;
        let fallbacks = if fallbacks.is_null() { None } else { Some(Output::one(fallbacks, "fallbacks")?) };
        let outputs = [f.region(), fallbacks.as_ref().map_or(Region::EMPTY, Output::region)];
        let grid = Input::one(grid, "grid")?;
        let (h, k, l) = (Input::array(h, n, "h")?, Input::array(k, n, "k")?, Input::array(l, n, "l")?);
        disjoint(&outputs, &[grid.region(), h.region(), k.region(), l.region()])?;
        // SAFETY: `grid` is not NULL, so the caller guarantees an initialised `wb_grid` there that no other
        // thread writes.
        let grid = unsafe { grid.read() };
        disjoint(&outputs, &[grid.region()?])?;
        let simd = simd(cap)?;
        // SAFETY: the caller guarantees that `grid.f` is NULL or points to `f_len` initialised numbers, which
        // no other thread writes; no output overlaps them.
        let factors = unsafe { grid.factors(1, rule) }?;
        // SAFETY: `h` is not NULL, so the caller guarantees `n` initialised numbers there, which no other
        // thread writes; no output overlaps them.
        let h = unsafe { h.slice() };
        // SAFETY: as for `h`, with the `n` numbers at `k`.
        let k = unsafe { k.slice() };
        // SAFETY: as for `h`, with the `n` numbers at `l`.
        let l = unsafe { l.slice() };
        // SAFETY: `f` is not NULL, so the caller guarantees room for `n` numbers there, which no other thread
        // accesses; neither an input nor `fallbacks` overlaps them.
        let f = unsafe { f.uninit() };
        let count = into(simd, &factors, [h, k, l], filled(f, 0.0))?;
        if let Some(fallbacks) = fallbacks {
            // SAFETY: `fallbacks` is not NULL, so the caller guarantees room for a `u64` there, which no
            // other thread accesses; no array overlaps it.
            unsafe { fallbacks.write(count) };
        }
        Ok(())
    }
}

/// Looks up the structure factor at the node nearest to each of `n` h, k, l.
///
/// # Safety
/// No other thread writes the inputs or accesses the output during the call.
/// * `grid` is NULL or points to an initialised `wb_grid`, whose `f` is NULL or points to `f_len` initialised
///   `f64`.
/// * Each of `h`, `k`, `l` is NULL or points to `n` initialised `f64`.
/// * `f` is NULL or points to room for `n` `f64`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_nearest_array(
    grid: *const wb_grid,
    h: *const f64,
    k: *const f64,
    l: *const f64,
    n: usize,
    f: *mut f64,
    simd: i32,
) -> i32 {
    let lookups = Lookups { grid, hkl: [h, k, l], n, f, fallbacks: core::ptr::null_mut(), simd };
    let into: LookupInto = |simd, factors, hkl, f| nearest_into(simd, factors, hkl, f).map(|()| 0);
    // SAFETY: this function requires of its pointers what `Lookups::run` requires; `fallbacks` is NULL.
    status(unsafe { lookups.run(LookupRule::Nearest, into) })
}

/// Interpolates the structure factor at each of `n` h, k, l. Where not all of the surrounding 4 x 4 x 4 nodes
/// are in the grid, the nearest node is used; `fallbacks`, unless NULL, receives how often.
///
/// # Safety
/// No other thread writes the inputs or accesses the outputs during the call.
/// * `grid` is NULL or points to an initialised `wb_grid`, whose `f` is NULL or points to `f_len` initialised
///   `f64`.
/// * Each of `h`, `k`, `l` is NULL or points to `n` initialised `f64`.
/// * `f` is NULL or points to room for `n` `f64`.
/// * `fallbacks` is NULL or points to room for a `u64`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "the C prototype has as many")]
pub unsafe extern "C" fn wb_tricubic_array(
    grid: *const wb_grid,
    h: *const f64,
    k: *const f64,
    l: *const f64,
    n: usize,
    f: *mut f64,
    fallbacks: *mut u64,
    simd: i32,
) -> i32 {
    let lookups = Lookups { grid, hkl: [h, k, l], n, f, fallbacks, simd };
    // SAFETY: this function requires of its pointers what `Lookups::run` requires.
    status(unsafe { lookups.run(LookupRule::Tricubic, tricubic_into) })
}

/// Computes the table of orientations of a rotation: the cell vectors a, b, c in m for every phi step and
/// mosaic domain, phi outer, nine numbers an entry. In mode `WB_CPARITY` it is the table of all sweeps except
/// the first of a stream.
///
/// # Safety
/// No other thread writes the inputs or accesses the output during the call.
/// * `cell_m` is NULL or points to 9 initialised `f64`.
/// * `spindle` is NULL or points to 3 initialised `f64`.
/// * `domains` is NULL or points to 9 `domain_count` initialised `f64`.
/// * `out` is NULL or points to room for `out_len` `f64`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "the C prototype has as many")]
pub unsafe extern "C" fn wb_orientations(
    cell_m: *const f64,
    phi0_rad: f64,
    phi_step_rad: f64,
    phi_steps: usize,
    spindle: *const f64,
    mode: i32,
    domains: *const f64,
    domain_count: usize,
    out: *mut f64,
    out_len: usize,
) -> i32 {
    let run = || {
        let cell_m = Input::one(cell_m.cast::<Orientation>(), "cell_m")?;
        let spindle = Input::one(spindle.cast::<Vec3>(), "spindle")?;
        let written = Region::new(out, out_len, "out")?;
        disjoint(&[written], &[cell_m.region(), spindle.region()])?;
        let domains: &[Mat3] = if domains.is_null() && domain_count == 0 {
            &[IDENTITY]
        } else {
            let domains = Input::array(domains.cast::<Mat3>(), domain_count, "domains")?;
            disjoint(&[written], &[domains.region()])?;
            // SAFETY: `domains` is not NULL, so the caller guarantees 9 `domain_count` initialised numbers
            // there, which is the layout of as many matrices; no other thread writes them, and `out` does not
            // overlap them.
            unsafe { domains.slice() }
        };
        // SAFETY: `cell_m` is not NULL, so the caller guarantees 9 initialised numbers there, which is the
        // layout of an `Orientation`; no other thread writes them.
        let cell = unsafe { cell_m.read() };
        // SAFETY: `spindle` is not NULL, so the caller guarantees 3 initialised numbers there, which is the
        // layout of a `Vec3`; no other thread writes them.
        let spindle = unsafe { spindle.read() };
        let mode = chosen("mode", mode, &MODES)?;
        let sweep = PhiSweep { phi0_rad, step_rad: phi_step_rad, count: phi_steps, spindle, mode };
        let needed = orientations_len(phi_steps, domains.len())?;
        if out_len / 9 < needed {
            return Err(Failure::length("out", needed.saturating_mul(9), out_len));
        }
        let entries = Output::array(out.cast::<Orientation>(), needed, "out")?;
        // SAFETY: `out` is not NULL, so the caller guarantees room for `out_len` numbers there, which is
        // enough for `needed` entries of nine; no other thread accesses them, and no input overlaps them.
        let entries: &mut [MaybeUninit<Orientation>] = unsafe { entries.uninit() };
        fill_with(entries, cell, |entries| fill_orientations(cell, sweep, domains, entries).map(|_| ()))
    };
    status(run())
}
