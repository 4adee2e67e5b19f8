//! Uniform deviates, and elementary functions without fused operations, which have the same bits at every level.
//!
//! * ln x = k ln 2 + 2 (s + s^3/3 + s^5/5 + ...), with x = 2^k m, m in [sqrt(1/2), sqrt(2)) and
//!   s = (m - 1)/(m + 1): to 1e-15.
//! * e^x = 2^n e^r, |r| <= ln(2)/2, with 11 powers of r: to 7e-15.
//! * sin(pi y) and cos(pi y), |y| <= 1/2, by the polynomials of [`math`](crate::math): to 2e-16.

use core::f64::consts::{FRAC_1_SQRT_2, LN_2, LOG2_E, PI};

use crate::lanes::{BaseLanes, LaneBits, Lanes};
use crate::math::{COS, SIN_QUICK};

/// The bits of the fraction of an f64.
const FRACTION: u64 = (1 << 52) - 1;

/// 2^-53.
const HALF_STEP: f64 = 1.0 / 9_007_199_254_740_992.0;

/// The number in (0, 1) that the upper 52 bits of a word stand for.
#[inline(always)]
pub(super) fn uniform<F: BaseLanes>(like: F, word: F::Bits) -> F {
    uniform_of_lower(like, word.shift_right(12))
}

/// The number in (0, 1) that the lower 52 bits of a word stand for.
#[inline(always)]
pub(super) fn uniform_of_lower<F: BaseLanes>(like: F, word: F::Bits) -> F {
    let fraction = word & like.splat_bits_like(FRACTION);
    let above_one = like.with_bits(fraction | like.splat_bits_like(1.0f64.to_bits()));
    above_one - like.splat_like(1.0 - HALF_STEP)
}

/// The sum of c0 + c1 x + ..., from the last term on.
#[inline(always)]
pub(super) fn polynomial<F: Lanes>(x: F, coefficients: &[f64]) -> F {
    let mut terms = coefficients.iter().rev();
    let mut sum = x.splat_like(*terms.next().unwrap_or(&0.0));
    for &c in terms {
        sum = sum * x + x.splat_like(c);
    }
    sum
}

/// 1/3, 1/5, 1/7, ...: the coefficients of the area tangent after the first.
pub(super) const ODD_INVERSES: [f64; 8] =
    [1.0 / 3.0, 1.0 / 5.0, 1.0 / 7.0, 1.0 / 9.0, 1.0 / 11.0, 1.0 / 13.0, 1.0 / 15.0, 1.0 / 17.0];

/// ln x for normal numbers x > 0.
#[inline(always)]
pub(super) fn ln<F: BaseLanes>(x: F) -> F {
    const FIRST: u64 = FRAC_1_SQRT_2.to_bits();
    // 2^52, in whose fraction the last bit counts 1.
    const INTEGERS: f64 = 4_503_599_627_370_496.0;
    let one = x.splat_like(1.0);
    // Its exponent changes where m begins again with sqrt(1/2), and is 1023 for k = 0.
    let shifted = x.to_bits() + x.splat_bits_like(1.0f64.to_bits() - FIRST);
    let k = x.with_bits(shifted.shift_right(52) | x.splat_bits_like(INTEGERS.to_bits()))
        - x.splat_like(INTEGERS + 1023.0);
    let m = x.with_bits((shifted & x.splat_bits_like(FRACTION)) + x.splat_bits_like(FIRST));
    let s = (m - one) / (m + one);
    let z = s * s;
    let twice = s + s;
    k * x.splat_like(LN_2) + (twice + twice * (z * polynomial(z, &ODD_INVERSES)))
}

/// 1/n! of n = 0, 1, ...
const INVERSE_FACTORIALS: [f64; 12] = {
    let mut values = [1.0; 12];
    let mut n = 1;
    while n < values.len() {
        values[n] = values[n - 1] / n as f64;
        n += 1;
    }
    values
};

/// e^x for |x| <= 700.
#[inline(always)]
pub(super) fn exp<F: Lanes>(x: F) -> F {
    let n = (x * x.splat_like(LOG2_E)).round();
    // ln 2 in two parts. The last 21 bits of the first are 0, so its product with n is exact.
    let r = (x - n * x.splat_like(0.693_147_180_369_123_8)) - n * x.splat_like(1.908_214_929_270_587_7e-10);
    polynomial(r, &INVERSE_FACTORIALS) * n.pow2()
}

/// sin(pi y) and cos(pi y) for |y| <= 1/2.
#[inline(always)]
pub(super) fn sin_cos_half_turn<F: Lanes>(y: F) -> (F, F) {
    let z = y * y;
    let one = y.splat_like(1.0);
    let sin = (y * y.splat_like(PI)) * (one + z * polynomial(z, &SIN_QUICK));
    (sin, one + z * polynomial(z, &COS))
}
