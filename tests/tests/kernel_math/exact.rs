//! Exact reference values: fixed-point numbers of 64 + 320 bits, and the series of sin, cos and exp in them.
//!
//! pi and ln 2 are computed from their own series, so that no constant is shared with the kernel. An f64 of
//! magnitude between 2^-268 and 2^64 is represented exactly.

use core::cmp::Ordering;
use core::ops::{Add, Mul, Neg, Sub};
use std::sync::LazyLock;

/// Number of limbs after the binary point.
const FRACTION: usize = 5;
/// Total number of limbs, the least significant first.
const LIMBS: usize = FRACTION + 1;

/// A fixed-point number: sign and magnitude.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fixed {
    negative: bool,
    limbs: [u64; LIMBS],
}

static PI: LazyLock<Fixed> = LazyLock::new(|| {
    // Machin: pi = 16 atan(1/5) - 4 atan(1/239).
    let atan_inverse = |n: u64| {
        let mut power = Fixed::integer(1).divided(n);
        let mut sum = power;
        for k in 1.. {
            power = -power.divided(n * n);
            if power.is_zero() {
                break;
            }
            sum = sum + power.divided(2 * k + 1);
        }
        sum
    };
    atan_inverse(5) * Fixed::integer(16) - atan_inverse(239) * Fixed::integer(4)
});

static LN_2: LazyLock<Fixed> = LazyLock::new(|| {
    let mut power = Fixed::integer(1);
    let mut sum = Fixed::integer(0);
    for k in 1.. {
        power = power.divided(2);
        if power.is_zero() {
            break;
        }
        sum = sum + power.divided(k);
    }
    sum
});

impl Fixed {
    /// Converts an integer.
    pub fn integer(n: u64) -> Fixed {
        let mut limbs = [0; LIMBS];
        limbs[FRACTION] = n;
        Fixed { negative: false, limbs }
    }

    /// Converts an f64 exactly.
    pub fn new(x: f64) -> Fixed {
        assert!(x == 0.0 || (2.0_f64.powi(-268)..2.0_f64.powi(64)).contains(&x.abs()), "{x} does not fit");
        let mut limbs = [0; LIMBS];
        let (mut rest, mut at) = (x.abs(), FRACTION);
        loop {
            limbs[at] = rest as u64;
            rest = (rest - limbs[at] as f64) * 2.0_f64.powi(64);
            if at == 0 {
                break;
            }
            at -= 1;
        }
        Fixed { negative: x < 0.0, limbs }
    }

    fn is_zero(self) -> bool {
        self.limbs == [0; LIMBS]
    }

    /// Compares the magnitudes.
    fn compare(self, other: Fixed) -> Ordering {
        self.limbs.iter().rev().cmp(other.limbs.iter().rev())
    }

    /// The quotient by an integer, rounded towards zero.
    pub fn divided(self, by: u64) -> Fixed {
        let mut limbs = [0; LIMBS];
        let mut rest = 0_u128;
        for (limb, digit) in limbs.iter_mut().zip(self.limbs).rev() {
            let part = rest << 64 | u128::from(digit);
            *limb = (part / u128::from(by)) as u64;
            rest = part % u128::from(by);
        }
        Fixed { negative: self.negative, limbs }
    }

    /// The value as (nearest f64 or its neighbour, remainder), to about 106 significant bits.
    pub fn pair(self) -> (f64, f64) {
        let mut rest = Fixed { negative: false, ..self };
        let mut parts = [0.0; 2];
        for part in &mut parts {
            // The leading 64 bits, truncated to 53 so that the conversion is exact.
            let Some(top) = rest.limbs.iter().rposition(|&limb| limb != 0) else { break };
            let shift = rest.limbs[top].leading_zeros();
            let below = if top > 0 { rest.limbs[top - 1] } else { 0 };
            let window = (u128::from(rest.limbs[top]) << 64 | u128::from(below)) << shift;
            let mantissa = (window >> 64) as u64 & !0x7ff;
            let exponent = 64 * (top as i32 - FRACTION as i32) - shift as i32;
            *part = mantissa as f64 * 2.0_f64.powi(exponent);
            let mut taken = [0; LIMBS];
            taken[top] = mantissa >> shift;
            if top > 0 && shift > 0 {
                taken[top - 1] = mantissa << (64 - shift);
            }
            rest = rest - Fixed { negative: false, limbs: taken };
        }
        let sign = if self.negative { -1.0 } else { 1.0 };
        let hi = parts[0] + parts[1];
        (sign * hi, sign * (parts[0] - hi + parts[1]))
    }

    /// The sine and the cosine.
    pub fn sin_cos(self) -> (Fixed, Fixed) {
        let half_turns = (self.pair().0 / core::f64::consts::PI).round();
        let r = self - Fixed::new(half_turns) * *PI;
        let series = |first: Fixed, mut n: u64| {
            let (mut term, mut sum) = (first, first);
            while !term.is_zero() {
                term = -(term * r * r).divided(n * (n + 1));
                sum = sum + term;
                n += 2;
            }
            if half_turns % 2.0 == 0.0 { sum } else { -sum }
        };
        (series(r, 2), series(Fixed::integer(1), 1))
    }
}

impl Neg for Fixed {
    type Output = Fixed;
    fn neg(self) -> Fixed {
        Fixed { negative: !self.negative, ..self }
    }
}

impl Add for Fixed {
    type Output = Fixed;
    fn add(self, other: Fixed) -> Fixed {
        let mut limbs = [0; LIMBS];
        if self.negative == other.negative {
            let mut carry = false;
            for (limb, (x, y)) in limbs.iter_mut().zip(self.limbs.into_iter().zip(other.limbs)) {
                let (sum, first) = x.overflowing_add(y);
                let (sum, second) = sum.overflowing_add(u64::from(carry));
                (*limb, carry) = (sum, first || second);
            }
            assert!(!carry, "a sum above 2^64");
            return Fixed { limbs, ..self };
        }
        let (large, small) =
            if self.compare(other) == Ordering::Less { (other, self) } else { (self, other) };
        let mut borrow = false;
        for (limb, (x, y)) in limbs.iter_mut().zip(large.limbs.into_iter().zip(small.limbs)) {
            let (rest, first) = x.overflowing_sub(y);
            let (rest, second) = rest.overflowing_sub(u64::from(borrow));
            (*limb, borrow) = (rest, first || second);
        }
        Fixed { negative: large.negative, limbs }
    }
}

impl Sub for Fixed {
    type Output = Fixed;
    fn sub(self, other: Fixed) -> Fixed {
        self + -other
    }
}

impl Mul for Fixed {
    type Output = Fixed;
    fn mul(self, other: Fixed) -> Fixed {
        let mut product = [0_u64; 2 * LIMBS];
        for (i, &x) in self.limbs.iter().enumerate() {
            let mut carry = 0;
            for (j, &y) in other.limbs.iter().enumerate() {
                let sum = u128::from(x) * u128::from(y) + u128::from(product[i + j]) + carry;
                product[i + j] = sum as u64;
                carry = sum >> 64;
            }
            product[i + LIMBS] = carry as u64;
        }
        assert_eq!(product[2 * LIMBS - 1], 0, "a product above 2^64");
        let limbs = core::array::from_fn(|i| product[i + FRACTION]);
        Fixed { negative: self.negative != other.negative, limbs }
    }
}

/// The quotient a/b of two pairs, to about 100 bits.
fn quotient((a, a_low): (f64, f64), (b, b_low): (f64, f64)) -> (f64, f64) {
    let first = a / b;
    let rest = (-first).mul_add(b, a) + ((-first).mul_add(b_low, a_low));
    let second = rest / b;
    let hi = first + second;
    (hi, first - hi + second)
}

/// sin(N x)/sin(x); N at x = 0.
pub fn sincg_rad(x: f64, cells: f64) -> (f64, f64) {
    if x.abs() < 2.0_f64.powi(-268) {
        return (cells, 0.0);
    }
    let x = Fixed::new(x);
    let (numerator, _) = (x * Fixed::new(cells)).sin_cos();
    quotient(numerator.pair(), x.sin_cos().0.pair())
}

/// 3 (sin x - x cos x)/x^3 with x = pi y; 1 at 0.
pub fn sinc3_half_turns(y: f64) -> (f64, f64) {
    if y < 1e-20 { (1.0, 0.0) } else { transform_of_sphere(Fixed::new(y) * *PI) }
}

/// 3 (sin x - x cos x)/x^3; 1 at 0.
pub fn sinc3(x: f64) -> (f64, f64) {
    if x < 1e-20 { (1.0, 0.0) } else { transform_of_sphere(Fixed::new(x)) }
}

fn transform_of_sphere(x: Fixed) -> (f64, f64) {
    let (sin, cos) = x.sin_cos();
    quotient((Fixed::integer(3) * (sin - x * cos)).pair(), (x * x * x).pair())
}

/// sin x and cos x.
pub fn sin_cos(x: f64) -> ((f64, f64), (f64, f64)) {
    let (sin, cos) = Fixed::new(x).sin_cos();
    (sin.pair(), cos.pair())
}

/// e^x as a pair, and the power of two by which to multiply it.
pub fn exp(x: f64) -> ((f64, f64), i32) {
    if x.abs() < 1e-60 {
        return ((1.0, x), 0);
    }
    let exponent = (x / core::f64::consts::LN_2).round();
    let r = Fixed::new(x) - Fixed::new(exponent) * *LN_2;
    let (mut term, mut sum) = (Fixed::integer(1), Fixed::integer(1));
    for n in 1.. {
        term = (term * r).divided(n);
        if term.is_zero() {
            break;
        }
        sum = sum + term;
    }
    (sum.pair(), exponent as i32)
}

/// sin(pi N h)/sin(pi h); N or -N at integers, and (0, 0) where N h is an integer and h is not.
pub fn sincg(h: f64, cells: f64) -> (f64, f64) {
    if h != 0.0 && h.abs() < 2.0_f64.powi(-200) {
        return (cells, 0.0);
    }
    // h minus a whole number is exact, and so is N times that minus a whole number, in fixed point.
    let whole = h.round();
    let d = Fixed::new(h) - Fixed::new(whole);
    let product = d * Fixed::new(cells);
    let turns = product.pair().0.round();
    let r = product - Fixed::new(turns);
    let odd = |x: f64| x % 2.0 != 0.0;
    let flip = odd(turns) != (odd(whole) && !odd(cells));
    let sign = if flip { -1.0 } else { 1.0 };
    if d.is_zero() {
        return (sign * cells, 0.0);
    }
    if r.is_zero() {
        return (0.0, 0.0);
    }
    let ((sin_r, _), (sin_d, _)) = ((r * *PI).sin_cos(), (d * *PI).sin_cos());
    let (hi, lo) = quotient(sin_r.pair(), sin_d.pair());
    (sign * hi, sign * lo)
}
