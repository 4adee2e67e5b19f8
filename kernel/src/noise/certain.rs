//! Logarithm and exponential in f64 that decide, nearly always, the f32 that libm's are stored as.
//!
//! **Formulas.** An approximation is far closer to libm's value than [`ERROR`] times that value. [`certain`] rounds it
//! to f32 if all numbers within its error round to the same; otherwise, once in about 180,000 times, libm is asked. So
//! the f32 is always that of libm, on whose bits the reference's deviates depend.
//!
//! * ln x = k ln 2 + 2 (s + s^3/3 + s^5/5 + ...), with x = 2^k m, m in [sqrt(1/2), sqrt(2)) and
//!   s = (m - 1)/(m + 1): a relative error of 1e-15.
//! * e^x = 2^n e^r, |r| <= ln(2)/2, with 11 powers of r: 7e-15.
//!
//! They have no branches, so that a loop over an array becomes vectors, and no fused operations, so that they have
//! the same bits at every SIMD level.

use core::f64::consts::{FRAC_1_SQRT_2, LN_2, LOG2_E};

use crate::lanes::ROUND_BY_ADDING;

/// 2^-42, a bound of the relative difference between an approximation and libm's value.
pub(super) const ERROR: f64 = 1.0 / 4_398_046_511_104.0;

/// `x` rounded to f32, if all numbers within `error` of it round to the same; otherwise NaN.
#[inline(always)]
pub(super) fn certain(x: f64, error: f64) -> f32 {
    let (low, high) = ((x - error) as f32, (x + error) as f32);
    if low == high { low } else { f32::NAN }
}

/// As [`certain`], of an approximation of a function of libm.
#[inline(always)]
pub(super) fn certain_approximation(x: f64) -> f32 {
    certain(x, x.abs() * ERROR)
}

/// `value`, or, where it is undecided, `exact()`. A build with debug assertions, as tests have, compares all values.
#[inline(always)]
pub(super) fn decided(value: f32, exact: impl Fn() -> f32) -> f32 {
    debug_assert!(value.is_nan() || value == exact(), "{value:?} instead of {:?}", exact());
    if value.is_nan() { exact() } else { value }
}

/// ln x approximately, for a normal number x > 0.
#[inline(always)]
pub(super) const fn ln(x: f64) -> f64 {
    const FRACTION: u64 = (1 << 52) - 1;
    const FIRST: u64 = FRAC_1_SQRT_2.to_bits();
    // 2^52, in whose fraction the last bit counts 1.
    const INTEGERS: f64 = 4_503_599_627_370_496.0;
    // Its exponent changes where m begins again with sqrt(1/2), and is 1023 for k = 0.
    let shifted = x.to_bits().wrapping_add(1.0f64.to_bits() - FIRST);
    let k = f64::from_bits((shifted >> 52) | INTEGERS.to_bits()) - (INTEGERS + 1023.0);
    let m = f64::from_bits((shifted & FRACTION) + FIRST);
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let z2 = z * z;
    // In pairs, which do not wait for each other.
    let low = (1.0 / 3.0 + z * (1.0 / 5.0)) + z2 * (1.0 / 7.0 + z * (1.0 / 9.0));
    let high = (1.0 / 11.0 + z * (1.0 / 13.0)) + z2 * (1.0 / 15.0 + z * (1.0 / 17.0));
    let twice = 2.0 * s;
    k * LN_2 + (twice + twice * (z * (low + z2 * z2 * high)))
}

/// e^x approximately, for |x| <= 700.
#[inline(always)]
pub(super) fn exp(x: f64) -> f64 {
    let sum = x * LOG2_E + ROUND_BY_ADDING;
    let n = sum - ROUND_BY_ADDING;
    // ln 2 in two parts. The last 21 bits of the first are 0, so its product with n is exact.
    let r = (x - n * 0.693_147_180_369_123_8) - n * 1.908_214_929_270_587_7e-10;
    let r2 = r * r;
    let r4 = r2 * r2;
    let low = (1.0 + r) + r2 * (1.0 / 2.0 + r * (1.0 / 6.0));
    let middle = (1.0 / 24.0 + r * (1.0 / 120.0)) + r2 * (1.0 / 720.0 + r * (1.0 / 5040.0));
    let high = (1.0 / 40_320.0 + r * (1.0 / 362_880.0)) + r2 * (1.0 / 3_628_800.0 + r * (1.0 / 39_916_800.0));
    // The low bits of `sum` are n.
    let power = f64::from_bits(sum.to_bits().wrapping_add(1023) << 52);
    (low + r4 * (middle + r4 * high)) * power
}
