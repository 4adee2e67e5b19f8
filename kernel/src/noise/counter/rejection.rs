//! Poisson deviates by transformed rejection, trial by trial of all pixels that still need one.
//!
//! **Method.** Each trial of a pixel takes two uniform deviates from a block of its own.
//!
//! 1. Nine out of ten trials are accepted without a test of the probability. Those are done.
//! 2. The others are collected, so that vectors are full, and tested:
//!
//!    ```text
//!    ln(v/(alpha (a/us^2 + b))) <= n ln mean - mean - ln n!,   us = 1/2 - |u|
//!    ```
//!
//! 3. Pixels whose trial is not accepted are the pending ones of the next trial.
//!
//! With s = (mean - n)/(mean + n) and Stirling's error d(n), the right side is without cancellation
//!
//! ```text
//! -(mean - n) s + 2 n s^3 (1/3 + s^2/5 + s^4/7 + ...) - ln(2 pi n)/2 - d(n)
//! ```

use core::f64::consts::TAU;

use crate::lanes::{BaseLanes, BaseLevel, LaneMask, Lanes, WithSimd};
use crate::noise::certain;

use super::Stream;
use super::functions::{ODD_INVERSES, ln, polynomial, uniform};
use super::poisson::BLOCK;

/// Columns of numbers, of which the first `len` are used.
struct Columns<const N: usize> {
    columns: [[f64; BLOCK]; N],
    len: usize,
}

impl<const N: usize> Columns<N> {
    fn new() -> Self {
        Self { columns: [[0.0; BLOCK]; N], len: 0 }
    }

    #[inline(always)]
    fn push(&mut self, row: [f64; N]) {
        for (column, value) in self.columns.iter_mut().zip(row) {
            if let Some(to) = column.get_mut(self.len) {
                *to = value;
            }
        }
        self.len = (self.len + 1).min(BLOCK);
    }

    /// The vectors of all columns from row `at` on. Rows beyond the last repeat a mean that works.
    #[inline(always)]
    fn load<L: BaseLevel>(&self, level: L, at: usize) -> [L::F; N] {
        let mut vectors = [level.splat(0.0); N];
        for (vector, column) in vectors.iter_mut().zip(&self.columns) {
            *vector = level.load(column.get(at..).unwrap_or_default(), 0.0);
        }
        vectors
    }
}

/// Pixels that need a trial: means, and places in the block.
pub(super) struct Pending(Columns<2>);

impl Pending {
    pub(super) fn new() -> Self {
        Self(Columns::new())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.len == 0
    }

    #[inline(always)]
    pub(super) fn push(&mut self, mean: f64, at: usize) {
        self.0.push([mean, at as f64]);
    }
}

/// Draws the pending pixels of a block that starts at pixel `first`.
pub(super) struct Rejection<'a> {
    pub(super) stream: &'a Stream,
    pub(super) first: u32,
    pub(super) pending: &'a mut Pending,
    pub(super) counts: &'a mut [f64],
}

/// Number of integers whose Stirling's error is in the table.
const TABLED: usize = 16;

/// Stirling's error d(n) = ln n! - (n + 1/2) ln n + n - ln(2 pi)/2 of n = 1, 2, ...; at n = 0 it is -ln(2 pi)/2.
static STIRLING_ERRORS: [f64; TABLED] = {
    let half_ln_tau = 0.5 * certain::ln(TAU);
    let mut errors = [-half_ln_tau; TABLED];
    let (mut n, mut factorial) = (1, 1.0);
    while n < TABLED {
        let x = n as f64;
        factorial *= x;
        errors[n] = certain::ln(factorial) - (x + 0.5) * certain::ln(x) + x - half_ln_tau;
        n += 1;
    }
    errors
};

/// Largest integer that a trial is limited to: 2^50.
const MOST: f64 = 1_125_899_906_842_624.0;

impl WithSimd for Rejection<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let Self { stream, first, pending, counts } = self;
        let mut doubtful = Columns::<5>::new();
        let mut trial = 0;
        while !pending.is_empty() {
            doubtful.len = 0;
            let mut at = 0;
            while at < pending.0.len {
                let [mean, place] = pending.0.load(level, at);
                // A mean of 0, beyond the last row, would divide by 0.
                let mean = mean.max(level.splat(10.0));
                let Trial { n, us, v, is_quick } =
                    Trial::new(mean, stream.words(place + level.splat(first.into()), trial));
                let used = L::F::LEN.min(pending.0.len - at);
                let (places, n) = (place.to_array(), n.to_array());
                let (means, us, v) = (mean.to_array(), us.to_array(), v.to_array());
                let quick = is_quick.bits();
                let rows = places.as_ref().iter().zip(n.as_ref()).zip(means.as_ref());
                let rows = rows.zip(us.as_ref().iter().zip(v.as_ref())).take(used);
                for (lane, (((&place, &n), &mean), (&us, &v))) in rows.enumerate() {
                    if quick & (1 << lane) != 0 {
                        set(counts, place, n);
                    } else {
                        doubtful.push([mean, place, n, us, v]);
                    }
                }
                at += L::F::LEN;
            }
            pending.0.len = 0;
            let mut at = 0;
            while at < doubtful.len {
                let [mean, place, n, us, v] = doubtful.load(level, at);
                let accepted = accepts(mean, n, us, v).bits();
                let used = L::F::LEN.min(doubtful.len - at);
                let (places, n, means) = (place.to_array(), n.to_array(), mean.to_array());
                let rows = places.as_ref().iter().zip(n.as_ref()).zip(means.as_ref()).take(used);
                for (lane, ((&place, &n), &mean)) in rows.enumerate() {
                    if accepted & (1 << lane) != 0 {
                        set(counts, place, n);
                    } else {
                        pending.0.push([mean, place]);
                    }
                }
                at += L::F::LEN;
            }
            trial += 1;
        }
    }
}

#[inline(always)]
fn set(counts: &mut [f64], place: f64, n: f64) {
    if let Some(count) = counts.get_mut(place as usize) {
        *count = n;
    }
}

/// Hörmann's b of a mean.
#[inline(always)]
fn width<F: Lanes>(mean: F) -> F {
    mean.splat_like(0.931) + mean.splat_like(2.53) * mean.sqrt()
}

/// Hörmann's a of b.
#[inline(always)]
fn steepness<F: Lanes>(b: F) -> F {
    b.splat_like(-0.059) + b.splat_like(0.024_83) * b
}

/// A trial: its integer, 1/2 - |u|, v, and whether it is accepted without a test.
struct Trial<F: Lanes> {
    n: F,
    us: F,
    v: F,
    is_quick: F::Mask,
}

impl<F: BaseLanes> Trial<F> {
    #[inline(always)]
    fn new(mean: F, [first, second]: [F::Bits; 2]) -> Self {
        let splat = |x: f64| mean.splat_like(x);
        let b = width(mean);
        let u = uniform(mean, first) - splat(0.5);
        let v = uniform(mean, second);
        let us = splat(0.5) - u.abs();
        let a = steepness(b);
        let real = ((a + a) / us + b) * u + mean + splat(0.43);
        let n = real.max(splat(-1.0)).min(splat(MOST)).floor();
        let largest_v = splat(0.9277) - splat(3.6224) / (b - splat(2.0));
        let is_quick = splat(0.07).le(us) & v.le(largest_v);
        Self { n, us, v, is_quick }
    }
}

/// The exact test of a trial.
#[inline(always)]
fn accepts<F: BaseLanes>(mean: F, n: F, us: F, v: F) -> F::Mask {
    let splat = |x: f64| mean.splat_like(x);
    let b = width(mean);
    let alpha_inverse = splat(1.1239) + splat(1.1328) / (b - splat(3.4));
    let density = steepness(b) / (us * us) + b;
    let count = n.max(splat(1.0));
    // ln(2 pi n)/2 goes to the left side, into its logarithm.
    let left = ln(v * alpha_inverse * (splat(TAU) * count).sqrt() / density);
    let log_ratio = log_ratio(mean, n, count);
    let is_tail = us.lt(splat(0.013)) & us.lt(v);
    splat(0.0).le(n) & !is_tail & left.le(log_ratio - stirling_error(n, count))
}

/// n ln(mean/n) + n - mean; `count` is n, or 1 where that is 0.
#[inline(always)]
fn log_ratio<F: BaseLanes>(mean: F, n: F, count: F) -> F {
    let splat = |x: f64| mean.splat_like(x);
    let s = (mean - count) / (mean + count);
    let z = s * s;
    let near = n * (s * z) * (splat(2.0) * polynomial(z, &ODD_INVERSES)) - (mean - count) * s;
    let is_near = s.abs().lt(splat(0.2));
    if is_near.all() {
        return near;
    }
    F::select(is_near, near, n * ln(mean / count) + (n - mean))
}

/// Stirling's error of n; `count` is n, or 1 where that is 0.
#[inline(always)]
fn stirling_error<F: BaseLanes>(n: F, count: F) -> F {
    let splat = |x: f64| n.splat_like(x);
    let inverse = splat(1.0) / count;
    let square = inverse * inverse;
    let series = inverse * polynomial(square, &[1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0]);
    n.gather(&STIRLING_ERRORS, n.lt(splat(TABLED as f64)), series)
}
