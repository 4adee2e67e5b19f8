//! Random deviates of the reference, from a stream in the caller's memory.

use widebragg::lanes::Simd;
use widebragg::noise::Poisson;
use widebragg::random::{fill_mosaic, random_misset};
use widebragg::rotation::{IDENTITY, Mat3};

use crate::memory::{Input, Output, Region, disjoint, fill_with};
use crate::status::{Failure, WB_NOT_MADE, status};

/// A stream of deviates; opaque to C. A copy continues independently of the original.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_noise {
    /// The state, in a form known to this library only.
    pub opaque: [u64; 40],
}

/// The state in the memory of a [`wb_noise`].
#[repr(C)]
struct Stream {
    tag: u64,
    poisson: Poisson,
}

/// Identifies the memory of a stream.
const TAG: u64 = 0x7762_6e6f_6973_6531;

const _: () =
    assert!(size_of::<Stream>() <= size_of::<wb_noise>() && align_of::<Stream>() <= align_of::<wb_noise>());

/// The generator of a stream.
///
/// # Safety
/// `noise` is not NULL and is aligned; it points to a `wb_noise` whose first element is initialised, and
/// which is a stream that [`wb_noise_seed`] started, or a copy of one, if that element is [`TAG`]. During
/// `'a` nothing else accesses it.
unsafe fn stream<'a>(noise: *mut wb_noise) -> Result<&'a mut Poisson, Failure> {
    // SAFETY: `noise` is aligned for its `u64` elements, the first of which is initialised, as the caller
    // guarantees.
    let tag = unsafe { noise.cast::<u64>().read() };
    if tag != TAG {
        return Err(Failure::new(WB_NOT_MADE, "noise"));
    }
    // SAFETY: the tag says that `wb_noise_seed` wrote a `Stream` there, or in the stream that this is a copy
    // of. A `wb_noise` is large and aligned enough for one (asserted above), and the caller guarantees that
    // nothing else accesses it during 'a.
    let stream = unsafe { &mut *noise.cast::<Stream>() };
    Ok(&mut stream.poisson)
}

/// Starts a stream as the reference does for `-seed SEED`: the same seed gives the same deviates.
///
/// # Safety
/// `noise` is NULL or points to room for a `wb_noise`, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_noise_seed(noise: *mut wb_noise, seed: i64) -> i32 {
    let result = Output::one(noise.cast::<Stream>(), "noise").map(|noise| {
        let stream = Stream { tag: TAG, poisson: Poisson::new(seed) };
        // SAFETY: `noise` is not NULL, so the caller guarantees room for a `wb_noise` there, which is large
        // enough for a `Stream` (asserted above) and which no other thread accesses.
        unsafe { noise.write(stream) };
    });
    status(result)
}

/// Writes a result of `draw` to each of `n` deviates.
///
/// # Safety
/// No other thread accesses the stream or the output during the call.
/// * `noise` is NULL or points to a stream that [`wb_noise_seed`] started, or to another `wb_noise` whose
///   first element is initialised and is not [`TAG`].
/// * `deviates` is NULL or points to room for `n` `f32`.
unsafe fn fill(
    noise: *mut wb_noise,
    deviates: *mut f32,
    n: usize,
    mut draw: impl FnMut(&mut Poisson) -> f32,
) -> Result<(), Failure> {
    let deviates = Output::array(deviates, n, "deviates")?;
    disjoint(&[Region::new(noise, 1, "noise")?, deviates.region()], &[])?;
    // SAFETY: `noise` is not NULL and is aligned, as `Region::new` found, so the caller guarantees a
    // `wb_noise` there that begins with an initialised element and that no other thread accesses; `deviates`
    // does not overlap it.
    let poisson = unsafe { stream(noise) }?;
    // SAFETY: `deviates` is not NULL, so the caller guarantees room for `n` numbers there, which no other
    // thread accesses; the stream does not overlap them.
    let deviates = unsafe { deviates.uninit() };
    for deviate in deviates {
        deviate.write(draw(poisson));
    }
    Ok(())
}

/// Draws `n` deviates uniform in (0, 1), as the reference's `ran1` does.
///
/// # Safety
/// No other thread accesses the stream or the output during the call.
/// * `noise` is NULL or points to a stream that [`wb_noise_seed`] started.
/// * `deviates` is NULL or points to room for `n` `f32`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_noise_uniform(noise: *mut wb_noise, deviates: *mut f32, n: usize) -> i32 {
    // SAFETY: this function requires of its pointers what `fill` requires.
    status(unsafe { fill(noise, deviates, n, Poisson::uniform) })
}

/// Draws `n` deviates of mean 0 and variance 1, as the reference's `gaussdev` does.
///
/// # Safety
/// No other thread accesses the stream or the output during the call.
/// * `noise` is NULL or points to a stream that [`wb_noise_seed`] started.
/// * `deviates` is NULL or points to room for `n` `f32`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_noise_gauss(noise: *mut wb_noise, deviates: *mut f32, n: usize) -> i32 {
    // SAFETY: this function requires of its pointers what `fill` requires.
    status(unsafe { fill(noise, deviates, n, Poisson::gauss) })
}

/// Draws a Poisson deviate for each of `n` means, as the reference's `poidev` does.
///
/// # Safety
/// No other thread writes the input or accesses the stream or the output during the call.
/// * `noise` is NULL or points to a stream that [`wb_noise_seed`] started.
/// * `means` is NULL or points to `n` initialised `f32`.
/// * `counts` is NULL or points to room for `n` `f32`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_noise_poisson(
    noise: *mut wb_noise,
    means: *const f32,
    counts: *mut f32,
    n: usize,
) -> i32 {
    let draw = || {
        let outputs = [Region::new(noise, 1, "noise")?, Region::new(counts, n, "counts")?];
        let means = Input::array(means, n, "means")?;
        disjoint(&outputs, &[means.region()])?;
        // SAFETY: `means` is not NULL, so the caller guarantees `n` initialised numbers there, which no other
        // thread writes; neither the stream nor `counts` overlaps them.
        let means = unsafe { means.slice() };
        if let Some(&mean) = means.iter().find(|mean| !mean.is_finite()) {
            return Err(Failure::range("mean", f64::from(mean), "finite"));
        }
        let counts = Output::array(counts, n, "counts")?;
        // SAFETY: `noise` is not NULL and is aligned, as `Region::new` found, so the caller guarantees a
        // `wb_noise` there that begins with an initialised element and that no other thread accesses; neither
        // the input nor `counts` overlaps it.
        let poisson = unsafe { stream(noise) }?;
        // SAFETY: `counts` is not NULL, so the caller guarantees room for `n` numbers there, which no other
        // thread accesses; neither the input nor the stream overlaps them.
        let counts = unsafe { counts.uninit() };
        fill_with(counts, 0.0, |counts| poisson.draw_into(Simd::detect(), means, counts))
    };
    status(draw())
}

/// Draws the rotations of `count` mosaic domains, nine numbers each, row by row, as the reference does; the
/// first is the identity.
///
/// # Safety
/// `domains` is NULL or points to room for 9 `count` `f64`, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_mosaic_domains(
    spread_rad: f64,
    seed: i64,
    domains: *mut f64,
    count: usize,
) -> i32 {
    let draw = || {
        let domains = Output::array(domains.cast::<Mat3>(), count, "domains")?;
        // SAFETY: `domains` is not NULL, so the caller guarantees room for 9 `count` numbers there, which is
        // the layout of `count` matrices; no other thread accesses them.
        let domains = unsafe { domains.uninit() };
        fill_with(domains, IDENTITY, |domains| fill_mosaic(spread_rad, seed, domains))
    };
    status(draw())
}

/// Draws the angles about lab x, y, z, in rad, of the reference's `-misset random`.
///
/// # Safety
/// `angles_rad` is NULL or points to room for 3 `f64`, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_random_misset(seed: i64, angles_rad: *mut f64) -> i32 {
    let result = Output::one(angles_rad.cast::<[f64; 3]>(), "angles_rad").map(|angles_rad| {
        // SAFETY: `angles_rad` is not NULL, so the caller guarantees room for three numbers there that no
        // other thread accesses.
        unsafe { angles_rad.write(random_misset(seed)) };
    });
    status(result)
}
