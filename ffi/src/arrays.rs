//! Functions of the loop over the caller's arrays, at the best level or a lower one.

use widebragg::arrays::{nearest_into, sincg_into, sincg_rad_into, tricubic_into};
use widebragg::lanes::{Kernel, Lanes, Level, Simd};
use widebragg::math::{CELLS_LIMIT, sincg_squared_slope};
use widebragg::rotation::{IDENTITY, Mat3, Orientation, PhiSweep, fill_orientations, orientations_len};
use widebragg::structure_factor::{LookupRule, StructureFactors};
use widebragg::vector::Vec3;

use crate::grid::wb_grid;
use crate::level::simd;
use crate::memory::{apart, input, output, stretch};
use crate::parameters::phi_mode;
use crate::status::{Refusal, WB_OUT_OF_RANGE, status};

/// Any of the two sincg, or the slope.
type SincgInto = fn(Simd, &[f64], f64, &mut [f64]) -> Result<(), widebragg::Error>;

/// # Safety
/// `x` and `out` hold `n` numbers.
unsafe fn sincg(x: *const f64, n: usize, cells: f64, out: *mut f64, cap: i32, into: SincgInto) -> i32 {
    let run = || {
        apart(&[stretch(out, n, "out")?], &[stretch(x, n, "x")?])?;
        let simd = simd(cap)?;
        if !cells.is_finite() {
            return Err(Refusal::range("N", cells, "finite"));
        }
        // SAFETY: checked above; the rest is the caller's word.
        let x = unsafe { input(x, n) };
        // SAFETY: checked above; the rest is the caller's word.
        let out = unsafe { output(out, n) };
        Ok(into(simd, x, cells, out)?)
    };
    status(run())
}

/// `wb_sincg` of `n` phases in radians, at level `simd` (`WB_SIMD_AUTO`: the best).
///
/// # Safety
/// `x` and `out` hold `n` numbers.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
#[allow(non_snake_case, reason = "the field's symbol")]
pub unsafe extern "C" fn wb_sincg_array(x: *const f64, n: usize, N: f64, out: *mut f64, simd: i32) -> i32 {
    // SAFETY: what this function requires.
    unsafe { sincg(x, n, N, out, simd, sincg_rad_into) }
}

/// sin(N pi h)/sin(pi h) of `n` indices h: without the rounding of pi h.
///
/// # Safety
/// `h` and `out` hold `n` numbers.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
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
    // SAFETY: what this function requires.
    unsafe { sincg(h, n, N, out, simd, sincg_into) }
}

/// Slopes of an array.
struct Slopes<'a> {
    h: &'a [f64],
    n: f64,
    out: &'a mut [f64],
}

impl Kernel for Slopes<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self, level: L) {
        let n = level.splat(self.n);
        let lanes = L::F::LEN;
        for (h, out) in self.h.chunks(lanes).zip(self.out.chunks_mut(lanes)) {
            sincg_squared_slope(level.load(h, 0.0), n).store(out);
        }
    }
}

/// d/dh (sin(N pi h)/sin(pi h))^2 of `n` indices h.
///
/// # Safety
/// `h` and `out` hold `n` numbers.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
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
    // SAFETY: what this function requires.
    unsafe { sincg(h, n, N, out, simd, into) }
}

/// Arrays of h, k, l, and where their structure factors go.
#[derive(Clone, Copy)]
struct Lookups {
    grid: *const wb_grid,
    hkl: [*const f64; 3],
    n: usize,
    f: *mut f64,
    /// Where the number of interpolations that fell back goes; may be NULL.
    fallbacks: *mut u64,
    simd: i32,
}

/// Fills an array with structure factors, and gives how many interpolations fell back.
type LookupInto = fn(Simd, &StructureFactors<'_>, [&[f64]; 3], &mut [f64]) -> Result<u64, widebragg::Error>;

impl Lookups {
    /// # Safety
    /// The grid and the arrays are as long as they say.
    unsafe fn run(self, lookup: LookupRule, into: LookupInto) -> Result<(), Refusal> {
        let Self { grid, hkl: [h, k, l], n, f, fallbacks, simd: cap } = self;
        let written = stretch(f, n, "f")?;
        let counted = if fallbacks.is_null() { written } else { stretch(fallbacks, 1, "fallbacks")? };
        let outputs = if fallbacks.is_null() { &[written][..] } else { &[written, counted][..] };
        let read = [stretch(grid, 1, "grid")?, stretch(h, n, "h")?, stretch(k, n, "k")?, stretch(l, n, "l")?];
        apart(outputs, &read)?;
        // SAFETY: checked above; the rest is the caller's word.
        let grid = unsafe { grid.read() };
        if let Some(nodes) = grid.stretch()? {
            apart(outputs, &[nodes])?;
        }
        let simd = simd(cap)?;
        // SAFETY: the grid's values are there: the caller's word.
        let factors = unsafe { grid.factors(lookup) }?;
        // SAFETY: checked above; the rest is the caller's word.
        let h = unsafe { input(h, n) };
        // SAFETY: checked above; the rest is the caller's word.
        let k = unsafe { input(k, n) };
        // SAFETY: checked above; the rest is the caller's word.
        let l = unsafe { input(l, n) };
        // SAFETY: checked above; the rest is the caller's word.
        let f = unsafe { output(f, n) };
        let count = into(simd, &factors, [h, k, l], f)?;
        if !fallbacks.is_null() {
            // SAFETY: checked above; the rest is the caller's word.
            unsafe { fallbacks.write(count) };
        }
        Ok(())
    }
}

/// The structure factor at the node nearest to each of `n` h, k, l.
///
/// # Safety
/// The arrays hold `n` numbers, the grid what it says.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
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
    // SAFETY: what this function requires.
    status(unsafe { lookups.run(LookupRule::Nearest, into) })
}

/// The structure factor interpolated at each of `n` h, k, l; the nearest where the 4 x 4 x 4 nodes around are not all in
/// the grid. `fallbacks`, unless NULL, is set to the number of these.
///
/// # Safety
/// The arrays hold `n` numbers, the grid what it says.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "C has no other way to name them")]
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
    // SAFETY: what this function requires.
    status(unsafe { lookups.run(LookupRule::Tricubic, tricubic_into) })
}

/// The table of a sweep: the cell vectors a, b, c in m at every phi step and mosaic domain, phi outer, nine numbers an
/// entry. In mode `WB_CPARITY` it is the table of all sweeps but a stream's first.
///
/// # Safety
/// `cell_m` holds 9 numbers, `spindle` 3, `domains` 9 each (or is NULL, with `domain_count` 0: one identity), `out`
/// `out_len`.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "C has no other way to name them")]
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
        let cell_m = cell_m.cast::<Orientation>();
        let spindle = spindle.cast::<Vec3>();
        let read = [stretch(cell_m, 1, "cell_m")?, stretch(spindle, 1, "spindle")?];
        let written = stretch(out, out_len, "out")?;
        apart(&[written], &read)?;
        let identity = [IDENTITY];
        let domains = if domains.is_null() && domain_count == 0 {
            &identity
        } else {
            let domains = domains.cast::<Mat3>();
            apart(&[written], &[stretch(domains, domain_count, "domains")?])?;
            // SAFETY: checked above; the rest is the caller's word.
            unsafe { input(domains, domain_count) }
        };
        // SAFETY: checked above; the rest is the caller's word.
        let cell = unsafe { cell_m.read() };
        // SAFETY: checked above; the rest is the caller's word.
        let spindle = unsafe { spindle.read() };
        let mode = phi_mode(mode)?;
        let sweep = PhiSweep { phi0_rad, step_rad: phi_step_rad, count: phi_steps, spindle, mode };
        let needed = orientations_len(phi_steps, domains.len())?;
        if out_len / 9 < needed {
            return Err(Refusal::length("out", needed.saturating_mul(9), out_len));
        }
        // SAFETY: checked above; the rest is the caller's word.
        let entries = unsafe { output(out.cast::<Orientation>(), needed) };
        fill_orientations(cell, sweep, domains, entries)?;
        Ok(())
    };
    status(run())
}
