//! SIMD lanes: one safe trait, three backends, run-time dispatch.
//!
//! Formulas elsewhere in the crate are written once over [`Lanes`], safe and generic. A backend's vectors can only be
//! made from its level token, and a token can only be got from [`Simd`], which asks the CPU: holding a vector proves
//! that its instructions exist. This folder is the only place in the crate with unsafe code.
//!
//! | level | register | lanes | needs |
//! |---|---|---|---|
//! | [`SimdLevel::Portable`] | `wide::f64x8` | 8 | nothing (SSE2, NEON, WASM, scalar) |
//! | [`SimdLevel::Avx2`] | `__m256d` | 4 | AVX2, FMA |
//! | [`SimdLevel::Avx512`] | `__m512d` | 8 | AVX-512 F, DQ, VL |
//!
//! Everything between the dispatch and an intrinsic is `#[inline(always)]`: a call in between would pass vectors
//! through memory and cost an order of magnitude.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod dispatch;
mod double;
mod portable;

pub use dispatch::{Kernel, Simd, SimdLevel};
pub use double::{Doubled, Two};

use core::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

/// 1.5 * 2^52. Added to a number below 2^51, it pushes the fraction out, ties to even, and leaves the nearest integer in the low
/// bits; taken away again, it leaves that integer.
pub const ROUND_BY_ADDING: f64 = 6_755_399_441_055_744.0;

/// A level token: a value proves that the CPU has the level, and makes vectors of it.
pub trait Level: Copy + Send + Sync + 'static {
    /// The vector of f64 lanes of this level.
    type F: Lanes<Level = Self>;

    /// All lanes equal to `x`.
    fn splat(self, x: f64) -> Self::F;

    /// Lanes `start`, `start + 1`, ... capped at `last`: the indices of neighbouring pixels, the tail repeating the
    /// last pixel of the row.
    fn ramp(self, start: f64, last: f64) -> Self::F;

    /// The first lanes from `source`, the rest `fill` when it is shorter than a vector.
    fn load(self, source: &[f64], fill: f64) -> Self::F;
}

/// Truth values of lanes.
pub trait LaneMask: Copy + BitAnd<Output = Self> + BitOr<Output = Self> + Not<Output = Self> {
    /// How many lanes.
    const LEN: usize;
    /// Whether any lane is true.
    fn any(self) -> bool;
    /// Whether all lanes are true.
    fn all(self) -> bool;
    /// How many lanes among the first `lanes` are true.
    fn count(self, lanes: usize) -> u32;
}

/// A vector of f64 lanes.
///
/// Arithmetic is lane by lane and rounds to nearest, ties to even, as IEEE 754 says. Comparisons with NaN are false.
pub trait Lanes:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// The truth values that comparisons give.
    type Mask: LaneMask;
    /// The token of the level.
    type Level: Level<F = Self>;
    /// The lanes as an array.
    type Array: AsRef<[f64]> + Copy;
    /// A vector of f32 with room for these lanes.
    type Narrow: Lanes32;
    /// How many lanes a vector has.
    const LEN: usize;

    /// The token that made this vector.
    fn level(self) -> Self::Level;
    /// All lanes equal to `x`, at the level of this vector.
    #[inline(always)]
    fn splat_like(self, x: f64) -> Self {
        self.level().splat(x)
    }
    /// The lanes as an array.
    fn to_array(self) -> Self::Array;
    /// Writes the lanes to `out`: the first ones when it is shorter than a vector.
    fn store(self, out: &mut [f64]);
    /// The lanes rounded to f32, written like [`Lanes::store`].
    #[inline(always)]
    fn store_f32(self, out: &mut [f32]) {
        out.iter_mut().zip(self.to_array().as_ref()).for_each(|(out, &lane)| *out = lane as f32);
    }
    /// The first lane.
    fn first(self) -> f64;

    /// `self * b + c`, fused (one rounding) at the levels whose CPUs fuse, two roundings at the portable level.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// `self * b - c`, fused like [`Lanes::mul_add`].
    fn mul_sub(self, b: Self, c: Self) -> Self;
    /// `c - self * b`, fused like [`Lanes::mul_add`].
    fn neg_mul_add(self, b: Self, c: Self) -> Self;
    /// `self * b - c` with one rounding at every level, for integer-valued `self` below 2^26 and a result whose
    /// exact value cancels to less than one unit: the residue of `self * b` against the integer `c`.
    fn residue(self, b: Self, c: Self) -> Self;
    /// `self * b - c` with one rounding at every level, where c is `self * b` rounded to an integer; magnitudes below 2^990.
    #[inline(always)]
    fn cancel(self, b: Self, c: Self) -> Self {
        self.mul_sub(b, c)
    }
    /// `self * b - product` exactly, where `product` is `self * b` rounded; magnitudes below 2^990.
    fn product_error(self, b: Self, product: Self) -> Self;
    /// Square root, correctly rounded.
    fn sqrt(self) -> Self;
    /// 1/sqrt(self) for lanes in 1e-30..1e30, to 2 ulp.
    #[inline(always)]
    fn inverse_sqrt(self) -> Self {
        self.splat_like(1.0) / self.sqrt()
    }
    /// `self / divisor` to 1 ulp, for quotients and divisors in 1e-300..1e300; a zero divisor gives no number.
    #[inline(always)]
    fn quotient(self, divisor: Self) -> Self {
        self / divisor
    }
    /// Absolute value.
    fn abs(self) -> Self;
    /// Nearest integer, ties to even, for `|self| < 2^51`; larger lanes give some integer, never a fault.
    fn round(self) -> Self;
    /// The lanes less their nearest integers, exact, in -1/2..=1/2; for `|self| < 2^51`.
    #[inline(always)]
    fn fraction(self) -> Self {
        self - self.round()
    }
    /// Smallest integer not below, for `|self| < 2^51`.
    fn ceil(self) -> Self;
    /// Largest integer not above, for `|self| < 2^51`.
    fn floor(self) -> Self;
    /// `2^self` for integer lanes in -1022..=1023.
    fn pow2(self) -> Self;
    /// `self` with its sign turned where the integer that [`ROUND_BY_ADDING`] was added to, `sum`, is odd.
    fn negate_where_odd(self, sum: Self) -> Self;
    /// The smaller of the two, `other` where `self` is NaN.
    fn min(self, other: Self) -> Self;
    /// The larger of the two, `other` where `self` is NaN.
    fn max(self, other: Self) -> Self;

    /// Lanes equal.
    fn eq(self, other: Self) -> Self::Mask;
    /// Lanes below.
    fn lt(self, other: Self) -> Self::Mask;
    /// Lanes below or equal.
    fn le(self, other: Self) -> Self::Mask;
    /// `yes` where the mask is true, else `no`.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// The lanes rounded to f32.
    fn narrow(self) -> Self::Narrow;
    /// `self * d` less its nearest integer, as f32: off by 2^-33 and a rounding, next to d = 0 by two roundings. `self` is the same
    /// in all lanes, at least 1 and below 2^20; `|d| <= 1/2`; `narrow` is `d` narrowed.
    fn product_fraction(self, d: Self, narrow: Self::Narrow) -> Self::Narrow;
    /// The f32 lanes that [`Lanes::narrow`] made room for, as f64.
    fn widen(narrow: Self::Narrow) -> Self;

    /// `table[self]` where the mask is true and the index lies inside the table, else `other`. Index lanes are
    /// integers held as f64.
    fn gather(self, table: &[f64], mask: Self::Mask, other: Self) -> Self;
}

/// Vectors whose f32 counterpart has twice the lanes: two of them narrow into one.
pub trait BaseLanes: Lanes {
    /// Both vectors rounded to f32, `lower` in the lower lanes.
    fn narrow_pair(lower: Self, upper: Self) -> Self::Narrow;
    /// The lower and the upper lanes, as f64.
    fn widen_pair(narrow: Self::Narrow) -> (Self, Self);
    /// [`Lanes::product_fraction`] of two vectors.
    #[inline(always)]
    fn product_fraction_pair(self, lower: Self, upper: Self, _narrow: Self::Narrow) -> Self::Narrow {
        let magic = self.splat_like(ROUND_BY_ADDING);
        let lower = self.mul_sub(lower, self.mul_add(lower, magic) - magic);
        let upper = self.mul_sub(upper, self.mul_add(upper, magic) - magic);
        Self::narrow_pair(lower, upper)
    }
}

/// A level of the hardware, not one doubled from it.
pub trait BaseLevel: Level<F: BaseLanes> {
    /// Whether a vector is one register. Where it is several, the chains of a long formula hide each other's latencies by themselves,
    /// and two vectors at a time find no registers.
    const IS_REGISTER: bool;
}

/// A vector of f32 lanes: what mixed precision evaluates polynomials with.
pub trait Lanes32:
    Copy + Add<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Sub<Output = Self>
{
    /// All lanes equal to `x`, at the level of this vector.
    fn splat_like(self, x: f32) -> Self;
    /// `self * b + c`, fused where the level fuses.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// The larger of the two; where one is NaN, either, and NaN where both are.
    fn max(self, other: Self) -> Self;
    /// Whether all lanes are below `x`; NaN is not.
    fn all_below(self, x: f32) -> bool;
}
