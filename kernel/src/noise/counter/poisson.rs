//! Poisson deviates of arrays: by inversion where means are small, else by [`rejection`](super::rejection).

use crate::lanes::{BaseLanes, BaseLevel, LaneMask, Lanes, Simd, WithSimd};

use super::fill::{Fill, Kind};
use super::functions::{exp, uniform};
use super::gauss::Gauss;
use super::rejection::{Pending, Rejection};
use super::{GAUSS_DRAW, Stream};

/// Least mean whose deviates are found by rejection.
const REJECTION: f64 = 32.0;

/// 2^40, the least mean whose deviates are Gaussian.
const GAUSSIAN: f64 = 1_099_511_627_776.0;

/// Number of pixels that are drawn at a time.
pub(super) const BLOCK: usize = 256;

/// 1/n of n = 1, 2, ..., up to where the cumulative probability is 1 for all means below [`REJECTION`].
const INVERSES: [f64; 112] = {
    let mut inverses = [0.0; 112];
    let mut n = 0;
    while n < inverses.len() {
        inverses[n] = 1.0 / (n + 1) as f64;
        n += 1;
    }
    inverses
};

/// Replaces means by deviates.
pub(super) fn draw(simd: Simd, stream: &Stream, first: u32, pixels: &mut [f32]) {
    let mut next = first;
    for pixels in pixels.chunks_mut(BLOCK) {
        draw_block(simd, stream, next, pixels);
        next = next.wrapping_add(BLOCK as u32);
    }
}

fn draw_block(simd: Simd, stream: &Stream, first: u32, pixels: &mut [f32]) {
    let mut means = [0.0; BLOCK];
    let Some(means) = means.get_mut(..pixels.len()) else { return };
    let (mut any_small, mut any_huge) = (false, false);
    for (wide, &mean) in means.iter_mut().zip(pixels.iter()) {
        let mean = f64::from(mean);
        *wide = if mean > 0.0 { mean } else { 0.0 };
        any_small |= *wide < REJECTION;
        any_huge |= *wide >= GAUSSIAN;
    }
    let mut counts = [0.0; BLOCK];
    let Some(counts) = counts.get_mut(..means.len()) else { return };
    if any_small {
        stream.fill_uniform(simd, first, counts);
        simd.run(Invert { means, counts });
    }
    let mut pending = Pending::new();
    for (at, &mean) in means.iter().enumerate() {
        if (REJECTION..GAUSSIAN).contains(&mean) {
            pending.push(mean, at);
        }
    }
    if !pending.is_empty() {
        simd.run(Rejection { stream, first, pending: &mut pending, counts });
    }
    if any_huge {
        let mut deviates = [0.0; BLOCK];
        simd.run(Fill { stream, kind: Gauss, draw: GAUSS_DRAW, first, deviates: &mut deviates });
        for ((count, &mean), deviate) in counts.iter_mut().zip(means.iter()).zip(deviates) {
            if mean >= GAUSSIAN {
                *count = if mean.is_finite() { libm::round(mean + libm::sqrt(mean) * deviate) } else { mean };
            }
        }
    }
    for (pixel, &count) in pixels.iter_mut().zip(counts.iter()) {
        *pixel = count as f32;
    }
}

/// Deviates uniform in (0, 1).
#[derive(Clone, Copy)]
pub(super) struct Uniform;

impl Kind for Uniform {
    #[inline(always)]
    fn pair<F: BaseLanes>(self, like: F, [lower, upper]: [F::Bits; 2]) -> [F; 2] {
        [uniform(like, lower), uniform(like, upper)]
    }
}

/// Replaces uniform deviates by the least counts whose cumulative probability is not below them. Means from
/// [`REJECTION`] on get 0.
struct Invert<'a> {
    means: &'a [f64],
    counts: &'a mut [f64],
}

impl WithSimd for Invert<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let zero = level.splat(0.0);
        let limit = level.splat(REJECTION);
        // Two vectors at a time, since the search is a chain of sums.
        for (means, counts) in self.means.chunks(2 * L::F::LEN).zip(self.counts.chunks_mut(2 * L::F::LEN)) {
            let (m0, m1) = means.split_at(means.len().min(L::F::LEN));
            let (c0, c1) = counts.split_at_mut(counts.len().min(L::F::LEN));
            let small = |mean: L::F| L::F::select(mean.lt(limit), mean, zero);
            let (mean0, mean1) = (small(level.load(m0, 0.0)), small(level.load(m1, 0.0)));
            let (u0, u1) = (level.load(c0, 0.0), level.load(c1, 0.0));
            let (mut term0, mut term1) = (exp(-mean0), exp(-mean1));
            let (mut sum0, mut sum1) = (term0, term1);
            let (mut count0, mut count1) = (zero, zero);
            let mut n = 0.0;
            for &inverse in &INVERSES {
                let (below0, below1) = (sum0.lt(u0), sum1.lt(u1));
                if !(below0 | below1).any() {
                    break;
                }
                n += 1.0;
                let (inverse, n) = (level.splat(inverse), level.splat(n));
                count0 = L::F::select(below0, n, count0);
                count1 = L::F::select(below1, n, count1);
                term0 = term0 * (mean0 * inverse);
                term1 = term1 * (mean1 * inverse);
                sum0 = sum0 + term0;
                sum1 = sum1 + term1;
            }
            count0.store(c0);
            count1.store(c1);
        }
    }
}
