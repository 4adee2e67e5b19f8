//! The reference's deviates, drawn from a stream that the caller keeps.

use widebragg::noise::Poisson;
use widebragg::random::{fill_mosaic, random_misset};
use widebragg::rotation::Mat3;

use crate::memory::{apart, input, output, stretch};
use crate::status::{Refusal, WB_NOT_MADE, status};

/// A stream of deviates: opaque, any copy goes on by itself.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_noise {
    /// Known to this library only.
    pub opaque: [u64; 40],
}

/// What a stream's memory holds.
#[repr(C)]
struct Stream {
    tag: u64,
    poisson: Poisson,
}

const TAG: u64 = 0x7762_6e6f_6973_6531;

const _: () =
    assert!(size_of::<Stream>() <= size_of::<wb_noise>() && align_of::<Stream>() <= align_of::<wb_noise>());

/// The deviates of `noise`.
///
/// # Safety
/// [`stretch`] accepted `noise`; it is initialised, and nobody else's while `'a` lasts.
unsafe fn stream<'a>(noise: *mut wb_noise) -> Result<&'a mut Poisson, Refusal> {
    let stream = noise.cast::<Stream>();
    // SAFETY: every stream begins with its tag.
    let tag = unsafe { stream.cast::<u64>().read() };
    if tag != TAG {
        return Err(Refusal::new(WB_NOT_MADE, "noise"));
    }
    // SAFETY: the tag says that `wb_noise_seed` wrote a stream there.
    let stream = unsafe { &mut *stream };
    Ok(&mut stream.poisson)
}

/// Starts a stream as the reference does for `-seed SEED`: the same seed gives the same deviates.
///
/// # Safety
/// `noise` is NULL or may be written.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_noise_seed(noise: *mut wb_noise, seed: i64) -> i32 {
    let result = stretch(noise, 1, "noise").map(|_| {
        let stream = Stream { tag: TAG, poisson: Poisson::new(seed) };
        // SAFETY: not NULL, aligned, large enough, and the caller's to be written.
        unsafe { noise.cast::<Stream>().write(stream) };
    });
    status(result)
}

/// Fills `deviates` from a stream, one call of `draw` each.
///
/// # Safety
/// As the exported functions below.
unsafe fn fill(
    noise: *mut wb_noise,
    deviates: *mut f32,
    n: usize,
    mut draw: impl FnMut(&mut Poisson) -> f32,
) -> Result<(), Refusal> {
    apart(&[stretch(noise, 1, "noise")?, stretch(deviates, n, "deviates")?], &[])?;
    // SAFETY: checked above; the rest is the caller's word.
    let poisson = unsafe { stream(noise) }?;
    // SAFETY: checked above; the rest is the caller's word.
    let deviates = unsafe { output(deviates, n) };
    deviates.iter_mut().for_each(|deviate| *deviate = draw(poisson));
    Ok(())
}

/// `n` deviates uniform in (0, 1): the reference's `ran1`.
///
/// # Safety
/// `noise` was seeded; `deviates` has room for `n`.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_noise_uniform(noise: *mut wb_noise, deviates: *mut f32, n: usize) -> i32 {
    // SAFETY: what this function requires.
    status(unsafe { fill(noise, deviates, n, Poisson::uniform) })
}

/// `n` deviates of mean 0 and variance 1: the reference's `gaussdev`.
///
/// # Safety
/// `noise` was seeded; `deviates` has room for `n`.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_noise_gauss(noise: *mut wb_noise, deviates: *mut f32, n: usize) -> i32 {
    // SAFETY: what this function requires.
    status(unsafe { fill(noise, deviates, n, Poisson::gauss) })
}

/// A Poisson deviate for each of `n` means: the reference's `poidev`.
///
/// # Safety
/// `noise` was seeded; `means` and `counts` hold `n`.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_noise_poisson(
    noise: *mut wb_noise,
    means: *const f32,
    counts: *mut f32,
    n: usize,
) -> i32 {
    let draw = || {
        let outputs = [stretch(noise, 1, "noise")?, stretch(counts, n, "counts")?];
        apart(&outputs, &[stretch(means, n, "means")?])?;
        // SAFETY: checked above; the rest is the caller's word.
        let means = unsafe { input(means, n) };
        if let Some(&mean) = means.iter().find(|mean| !mean.is_finite()) {
            return Err(Refusal::range("mean", f64::from(mean), "finite"));
        }
        let mut means = means.iter();
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { fill(noise, counts, n, |poisson| means.next().map_or(0.0, |&mean| poisson.draw(mean))) }
    };
    status(draw())
}

/// The rotations of `count` mosaic domains, nine numbers each, rows outer: drawn as the reference does, the first the
/// identity.
///
/// # Safety
/// `domains` has room for 9 `count` numbers.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_mosaic_domains(
    spread_rad: f64,
    seed: i64,
    domains: *mut f64,
    count: usize,
) -> i32 {
    let draw = || {
        let domains = domains.cast::<Mat3>();
        stretch(domains, count, "domains")?;
        if !spread_rad.is_finite() {
            return Err(Refusal::range("mosaic spread in rad", spread_rad, "finite"));
        }
        // SAFETY: checked above; the rest is the caller's word.
        let domains = unsafe { output(domains, count) };
        Ok(fill_mosaic(spread_rad, seed, domains)?)
    };
    status(draw())
}

/// The angles about lab x, y, z, in rad, of the reference's `-misset random`.
///
/// # Safety
/// `angles_rad` has room for 3 numbers.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_random_misset(seed: i64, angles_rad: *mut f64) -> i32 {
    let result = stretch(angles_rad, 3, "angles_rad").map(|_| {
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { angles_rad.cast::<[f64; 3]>().write(random_misset(seed)) };
    });
    status(result)
}
