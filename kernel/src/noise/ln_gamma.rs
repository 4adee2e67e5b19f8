//! ln gamma(x + 1), rounded to f32, as the reference computes it: of x + 1 in f32, by a formula of Lanczos, whose error is up to
//! 2e-10. In f32 x + 1 loses a bit of x where it reaches a power of two.
//!
//! **Formulas.** The values of the first integers are in a table. From [`STIRLING`] on, Stirling's series
//!
//! ```text
//! ln gamma(x + 1) = (x + 1/2) ln x - x + ln(2 pi)/2 + 1/(12 x) - 1/(360 x^3) + 1/(1260 x^5) - ...
//! ```
//!
//! takes one logarithm and one division where Lanczos' formula takes two and seven. Where the series does not decide
//! the f32, once in 1900 times near x = 12, Lanczos' formula does.
//!
//! **Accuracy** (`tests/tests/kernel_random.rs`). The values are those of Lanczos' formula with libm's logarithms.

use super::certain::{ERROR, certain, decided, ln};

/// Lanczos coefficients of ln gamma(x).
const LANCZOS: [f64; 6] = [
    76.180_091_729_471_46,
    -86.505_320_329_416_77,
    24.014_098_240_830_91,
    -1.231_739_572_450_155,
    0.120_865_097_386_617_9e-2,
    -0.539_523_938_495_3e-5,
];

/// x of Lanczos' formula for ln gamma(x), and the numbers whose logarithms it takes.
const fn lanczos_arguments(x: f64) -> (f64, f64, f64) {
    let (mut term, mut series) = (x, 1.000_000_000_190_015);
    let mut i = 0;
    while i < LANCZOS.len() {
        term += 1.0;
        series += LANCZOS[i] / term;
        i += 1;
    }
    (x, x + 5.5, 2.506_628_274_631_000_5 * series / x)
}

/// Lanczos' formula, from its x and the numbers whose logarithms it takes, with these logarithms.
const fn lanczos((x, shifted, _): (f64, f64, f64), ln_shifted: f64, ln_series: f64) -> f32 {
    let power = shifted - (x + 0.5) * ln_shifted;
    (-power + ln_series) as f32
}

/// Number of integers whose ln gamma(n + 1) is in the table: 8 kB.
const TABLED: usize = 2048;

/// ln gamma(n + 1) of n = 0, 1, ... The approximate logarithms give the same f32 as libm's.
static TABLE: [f32; TABLED] = {
    let mut table = [0.0; TABLED];
    let mut n = 0;
    while n < TABLED {
        let arguments = lanczos_arguments((n + 1) as f64);
        table[n] = lanczos(arguments, ln(arguments.1), ln(arguments.2));
        n += 1;
    }
    table
};

/// Bound of the difference between Stirling's series and Lanczos' formula.
const LANCZOS_ERROR: f64 = 5e-10;

/// ln gamma(x + 1) by Lanczos' formula, for x >= 0.
pub(super) fn ln_gamma_after(x: f32) -> f32 {
    let arguments = lanczos_arguments(f64::from(x + 1.0));
    lanczos(arguments, libm::log(arguments.1), libm::log(arguments.2))
}

/// ln gamma(x + 1) by Stirling's series, for x >= 12 and its approximate logarithm. The error is below 2e-11, and
/// [`ERROR`] of x ln x.
#[inline(always)]
pub(super) fn stirling(x: f64, ln_x: f64) -> f64 {
    const HALF_LN_2_PI: f64 = 0.918_938_533_204_672_7;
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series = inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0)));
    (x + 0.5) * ln_x - x + (HALF_LN_2_PI + series)
}

/// What [`stirling`] changes by where x + 1 is rounded to f32, for x >= 12 in f32. The error is below 1e-12, and [`ERROR`] of x.
#[inline(always)]
pub(super) fn change_by_rounding(x: f32, ln_x: f64) -> f64 {
    let inverse = 1.0 / f64::from(x);
    let rounding = f64::from(x + 1.0) - (f64::from(x) + 1.0);
    // The derivative of ln gamma(x + 1).
    rounding * (ln_x + inverse * (1.0 / 2.0 - inverse * (1.0 / 12.0)))
}

/// The f32 of a value of [`stirling`] for x, if it is decided.
#[inline(always)]
pub(super) fn certain_stirling(value: f64, x: f64, ln_x: f64) -> f32 {
    certain(value, (x + 0.5) * ln_x * ERROR + LANCZOS_ERROR)
}

/// A mean whose deviates are found by rejection, and its functions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mean {
    pub(super) mean: f32,
    /// ln mean.
    pub(super) ln: f32,
    /// ln gamma(mean + 1), of mean + 1 in f32.
    pub(super) ln_gamma: f32,
    /// Approximations of ln mean and ln gamma(mean + 1).
    pub(super) wide_ln: f64,
    pub(super) wide_ln_gamma: f64,
}

impl Mean {
    /// ln gamma(count + 1) for an integer count >= 0.
    #[inline(always)]
    pub(super) fn ln_factorial(&self, count: f32) -> f32 {
        // The conversion limits to the range of usize.
        match TABLE.get(count as usize) {
            Some(&value) => {
                debug_assert_eq!(value, ln_gamma_after(count));
                value
            }
            None => self.ln_factorial_beyond(count),
        }
    }

    /// ln gamma(count + 1) for counts that are not in the table: by the differences that Stirling's series has at the
    /// count and at the mean, where the count is near, since the powers of their ratio need no logarithm.
    #[inline(always)]
    fn ln_factorial_beyond(&self, count: f32) -> f32 {
        let (n, mean) = (f64::from(count + 1.0) - 1.0, f64::from(self.mean));
        let exact = || ln_gamma_after(count);
        let inverse = 1.0 / mean;
        let d = n - mean;
        let r = d * inverse;
        if r.abs() > 1.0 / 16.0 {
            let ln_n = ln(n);
            return decided(certain_stirling(stirling(n, ln_n), n, ln_n), exact);
        }
        // ln(1 + r) = r - r^2/2 + ... and (1 + r) ln(1 + r) - r = r^2/2 - r^3/6 + ...
        let r2 = r * r;
        let whole = (1.0 / 2.0 - r * (1.0 / 6.0))
            + r2 * ((1.0 / 12.0 - r * (1.0 / 20.0)) + r2 * (1.0 / 30.0 - r * (1.0 / 42.0)));
        let half = r * (0.5 - inverse * (1.0 / 12.0))
            - r2 * ((0.25 - inverse * (1.0 / 12.0)) - r * (1.0 / 6.0 - r * (1.0 / 8.0 - r * (1.0 / 10.0))));
        let value = (self.wide_ln_gamma + d * self.wide_ln) + (mean * r2 * whole + half);
        // The terms that are left out are below 1e-11 of the mean, which is below an eighth of mean ln mean.
        decided(certain(value, mean * self.wide_ln * (8.0 * ERROR) + LANCZOS_ERROR), exact)
    }
}
