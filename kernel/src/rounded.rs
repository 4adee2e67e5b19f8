//! The logarithm and the arctangent of one number, correctly rounded nearly always.
//!
//! Deviates and point spreads in f64 ([`noise::simtbx`](crate::noise::simtbx)) show every last bit of these two.
//!
//! **Formulas.** A point c of a table is near the argument, so that what is left of a series is small:
//!
//! ```text
//! ln(2^k m)  = k ln 2 + ln c + 2 (s + s^3/3 + s^5/5 + ...)    s = (m - c)/(m + c)    |s| < 2^-7
//! atan(t)    = atan(c) + s - s^3/3 + s^5/5 - ...              s = (t - c)/(1 + t c)  |s| <= 2^-5
//! ```
//!
//! The arctangent of t > 1 is pi/2 - atan(1/t). All but the powers of s is computed in pairs of f64, whose sum is the number.
//! The tables are made at compile time.
//!
//! **Accuracy** (`tests/tests/simtbx_rules.rs`). 0.501 ulp. glibc 2.36 has another last bit once in 1200 (ln) and in 900
//! (atan) arguments.
//!
//! **Cost.** 20 ns for a logarithm and 35 ns for an arctangent, three to four times those of libm.

use core::f64::consts::FRAC_1_SQRT_2;

/// The sum of two numbers, of which the second is the rounding error of the first.
#[derive(Debug, Clone, Copy)]
struct Pair(f64, f64);

impl Pair {
    const ZERO: Self = Self(0.0, 0.0);
    const ONE: Self = Self(1.0, 0.0);

    /// a + b, for |a| >= |b|.
    const fn ordered_sum(a: f64, b: f64) -> Self {
        let sum = a + b;
        Self(sum, b - (sum - a))
    }

    /// a + b.
    const fn sum(a: f64, b: f64) -> Self {
        let sum = a + b;
        let of_b = sum - a;
        Self(sum, (a - (sum - of_b)) + (b - of_b))
    }

    /// a b.
    const fn product(a: f64, b: f64) -> Self {
        let product = a * b;
        let ((a, a_low), (b, b_low)) = (halves(a), halves(b));
        Self(product, ((a * b - product) + a * b_low + a_low * b) + a_low * b_low)
    }

    const fn plus(self, other: Self) -> Self {
        let Self(sum, low) = Self::sum(self.0, other.0);
        Self::ordered_sum(sum, low + (self.1 + other.1))
    }

    const fn times(self, other: Self) -> Self {
        let Self(product, low) = Self::product(self.0, other.0);
        Self::ordered_sum(product, low + (self.0 * other.1 + self.1 * other.0))
    }

    const fn over(self, other: Self) -> Self {
        let quotient = self.0 / other.0;
        let Self(product, low) = Self::product(quotient, other.0);
        let rest = (self.0 - product) - low + self.1 - quotient * other.1;
        Self::ordered_sum(quotient, rest / other.0)
    }

    const fn twice(self) -> Self {
        Self(2.0 * self.0, 2.0 * self.1)
    }

    const fn minus(self) -> Self {
        Self(-self.0, -self.1)
    }

    const fn rounded(self) -> f64 {
        self.0 + self.1
    }
}

/// The upper 26 bits of a number, and the others.
const fn halves(a: f64) -> (f64, f64) {
    // 2^27 + 1
    let shifted = 134_217_729.0 * a;
    let upper = shifted - (shifted - a);
    (upper, a - upper)
}

/// s + sign s^3/3 + s^5/5 + sign s^7/7 + ..., as far as it takes for |s| <= 1/3.
const fn odd_series(s: Pair, sign: f64) -> Pair {
    let square = s.times(s);
    let mut sum = Pair::ZERO;
    let mut n = 34;
    loop {
        let numerator = if n % 2 == 1 { sign } else { 1.0 };
        sum = sum.times(square).plus(Pair(numerator, 0.0).over(Pair((2 * n + 1) as f64, 0.0)));
        if n == 0 {
            return sum.times(s);
        }
        n -= 1;
    }
}

/// ln 2.
const LN_2: Pair = odd_series(Pair::ONE.over(Pair(3.0, 0.0)), 1.0).twice();

/// Points of a table for each step of 1 of ln's argument.
const LN_STEPS: f64 = 64.0;

/// The first point of the table of ln, in steps; the last one is 46 steps on. m is from sqrt(1/2) to sqrt(2).
const LN_FIRST: usize = 45;

/// ln of the points.
static LN_TABLE: [Pair; 47] = {
    let mut table = [Pair::ZERO; 47];
    let mut n = 0;
    while n < table.len() {
        let c = (n + LN_FIRST) as f64 / LN_STEPS;
        table[n] = odd_series(Pair(c - 1.0, 0.0).over(Pair(c + 1.0, 0.0)), 1.0).twice();
        n += 1;
    }
    table
};

/// ln `x`.
#[must_use]
pub fn ln(x: f64) -> f64 {
    if !x.is_normal() || x < 0.0 {
        return libm::log(x);
    }
    const FRACTION: u64 = (1 << 52) - 1;
    const FIRST: u64 = FRAC_1_SQRT_2.to_bits();
    // Its exponent changes where m begins again with sqrt(1/2), and is 1023 for k = 0.
    let shifted = x.to_bits().wrapping_add(1.0f64.to_bits() - FIRST);
    let k = (shifted >> 52) as f64 - 1023.0;
    let m = f64::from_bits((shifted & FRACTION) + FIRST);
    let point = (m * LN_STEPS + 0.5) as usize;
    let ln_c = LN_TABLE.get(point.saturating_sub(LN_FIRST)).copied().unwrap_or(Pair::ZERO);
    let c = point as f64 / LN_STEPS;
    let s = Pair(m - c, 0.0).over(Pair::sum(m, c));
    let square = s.0 * s.0;
    let powers = 2.0 * s.0 * (square * (1.0 / 3.0 + square * (1.0 / 5.0 + square * (1.0 / 7.0))));
    let Pair(k_ln_2, low) = Pair::product(k, LN_2.0);
    let Pair(twice, twice_low) = s.twice();
    Pair(k_ln_2, low + k * LN_2.1).plus(ln_c).plus(Pair(twice, twice_low + powers)).rounded()
}

/// Points of the table of the arctangent from 0 to 1.
const ATAN_STEPS: f64 = 16.0;

/// atan of the points.
static ATAN_TABLE: [Pair; 17] = {
    let step = odd_series(Pair::ONE.over(Pair(ATAN_STEPS, 0.0)), -1.0);
    let mut table = [Pair::ZERO; 17];
    let mut n = 1;
    while n < table.len() {
        let (before, c) = ((n - 1) as f64 / ATAN_STEPS, n as f64 / ATAN_STEPS);
        let turn = Pair(c - before, 0.0).over(Pair(1.0 + before * c, 0.0));
        table[n] = if n == 1 { step } else { table[n - 1].plus(odd_series(turn, -1.0)) };
        n += 1;
    }
    table
};

/// Arguments between which the series are used; beyond them libm is right.
const ATAN_RANGE: core::ops::Range<f64> = 1e-9..1e18;

/// The arctangent of `t`, in rad.
#[must_use]
pub fn atan(t: f64) -> f64 {
    let size = t.abs();
    if !ATAN_RANGE.contains(&size) {
        return libm::atan(t);
    }
    let is_steep = size > 1.0;
    let u = if is_steep { Pair::ONE.over(Pair(size, 0.0)) } else { Pair(size, 0.0) };
    let point = (u.0 * ATAN_STEPS + 0.5) as usize;
    let c = point as f64 / ATAN_STEPS;
    let s = Pair::ordered_sum(u.0 - c, u.1).over(Pair::ONE.plus(u.times(Pair(c, 0.0))));
    let square = s.0 * s.0;
    let tail = 1.0 / 5.0 - square * (1.0 / 7.0 - square * (1.0 / 9.0 - square * (1.0 / 11.0)));
    let powers = s.0 * (square * (square * tail - 1.0 / 3.0));
    let angle = ATAN_TABLE.get(point).copied().unwrap_or(Pair::ZERO).plus(Pair(s.0, s.1 + powers));
    let [.., quarter_turn] = ATAN_TABLE;
    let angle = if is_steep { quarter_turn.twice().plus(angle.minus()) } else { angle };
    angle.rounded().copysign(t)
}
