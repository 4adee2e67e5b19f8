//! SIMD vectors: one safe trait, three backends, and run-time dispatch.
//!
//! The formulas of the crate are safe code, written once and generic over [`Lanes`]. A backend makes vectors
//! only from its level token, and only [`Simd`], which queries the CPU, creates tokens. A vector is therefore
//! proof that the CPU has the instructions that the vector uses. This folder contains the only unsafe code of
//! the crate.
//!
//! | level | register | lanes | requires |
//! |---|---|---|---|
//! | [`SimdLevel::Portable`] | `wide::f64x8` | 8 | nothing (SSE2, NEON, WASM, scalar) |
//! | [`SimdLevel::Avx2`] | `__m256d` | 4 | AVX2, FMA |
//! | [`SimdLevel::Avx512`] | `__m512d` | 8 | AVX2, FMA, AVX-512 F, DQ, VL |
//!
//! Every function between the dispatch and an intrinsic is `#[inline(always)]`. A call in between would pass
//! vectors through memory and be slower by an order of magnitude.
//!
//! ```
//! use widebragg::lanes::{BaseLevel, WithSimd, Lanes, Level, Simd};
//!
//! /// Squares the elements of a slice.
//! struct Square<'a>(&'a mut [f64]);
//!
//! impl WithSimd for Square<'_> {
//!     type Output = ();
//!
//!     #[inline(always)]
//!     fn with_simd<L: BaseLevel>(self, level: L) {
//!         for chunk in self.0.chunks_mut(L::F::LEN) {
//!             let x = level.load(chunk, 0.0);
//!             (x * x).store(chunk);
//!         }
//!     }
//! }
//!
//! let mut x = [1.0, 2.0, 3.0];
//! Simd::detect().run(Square(&mut x));
//! assert_eq!(x, [1.0, 4.0, 9.0]);
//! ```

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod dispatch;
mod double;
mod node;
mod portable;

pub use dispatch::{Simd, SimdLevel, WithSimd};
pub use double::{Doubled, Two};
pub use node::Node;

use core::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Sub};

/// 1.5 * 2^52, the constant that rounds by addition.
///
/// Adding it to a number below 2^51 in magnitude rounds that number to the nearest integer, ties to even, and
/// leaves the integer in the low bits of the sum. Subtracting it again gives the integer as an f64.
pub const ROUND_BY_ADDING: f64 = 6_755_399_441_055_744.0;

/// A level token, which makes the vectors of its level.
///
/// A value of the type proves that the CPU supports the level.
pub trait Level: Copy + Send + Sync + 'static {
    /// The vector type of this level.
    type F: Lanes<Level = Self>;

    /// Returns the level of the hardware as a value, which runs what is compiled out of line.
    fn simd(self) -> Simd;

    /// Returns a vector with `x` in every lane.
    fn splat(self, x: f64) -> Self::F;

    /// Returns the lanes `start`, `start + 1`, ..., each limited to `last`.
    ///
    /// These are the indices of neighbouring pixels; lanes past the end of a row repeat its last pixel.
    fn ramp(self, start: f64, last: f64) -> Self::F;

    /// Loads the first elements of `source`; lanes beyond its end are set to `fill`.
    fn load(self, source: &[f64], fill: f64) -> Self::F;
}

/// A mask: one truth value for each lane.
pub trait LaneMask: Copy + BitAnd<Output = Self> + BitOr<Output = Self> + Not<Output = Self> {
    /// Number of lanes.
    const LEN: usize;
    /// Returns whether any lane is true.
    fn any(self) -> bool;
    /// Returns whether all lanes are true.
    fn all(self) -> bool;
    /// The lanes as bits, the first as the lowest. There are at most 16.
    fn bits(self) -> u32;
    /// [`LaneMask::bits`] of the first `lanes`; the others are 0.
    #[inline(always)]
    fn first_bits(self, lanes: usize) -> u32 {
        let used = if lanes < Self::LEN { (1u32 << lanes) - 1 } else { u32::MAX };
        self.bits() & used
    }
    /// Counts the true lanes among the first `lanes`.
    #[inline(always)]
    fn count(self, lanes: usize) -> u32 {
        self.first_bits(lanes).count_ones()
    }
}

/// A vector of f64 lanes.
///
/// Arithmetic is lane by lane and rounds to nearest, ties to even, as IEEE 754 specifies. Comparisons with
/// NaN are false.
pub trait Lanes:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Neg<Output = Self>
{
    /// The result of a comparison.
    type Mask: LaneMask;
    /// The level token.
    type Level: Level<F = Self>;
    /// The lanes as an array.
    type Array: AsRef<[f64]> + Copy;
    /// A vector of f32 with at least as many lanes.
    type Narrow: Lanes32;
    /// Number of lanes.
    const LEN: usize;

    /// Returns the token that made this vector.
    fn level(self) -> Self::Level;
    /// Returns a vector of the same level with `x` in every lane.
    #[inline(always)]
    fn splat_like(self, x: f64) -> Self {
        self.level().splat(x)
    }
    /// Returns the lanes as an array.
    fn to_array(self) -> Self::Array;
    /// Writes the lanes to `out`; if `out` is shorter than a vector, only the first lanes.
    fn store(self, out: &mut [f64]);
    /// Rounds the lanes to f32 and writes them as [`Lanes::store`] does.
    #[inline(always)]
    fn store_f32(self, out: &mut [f32]) {
        out.iter_mut().zip(self.to_array().as_ref()).for_each(|(out, &lane)| *out = lane as f32);
    }
    /// Returns the first lane.
    fn first(self) -> f64;

    /// `self * b + c`, with one rounding at the levels that have FMA and two at the portable level.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// `self * b - c`, fused like [`Lanes::mul_add`].
    fn mul_sub(self, b: Self, c: Self) -> Self;
    /// `c - self * b`, fused like [`Lanes::mul_add`].
    fn neg_mul_add(self, b: Self, c: Self) -> Self;
    /// The residue `self * b - c` of a product, with one rounding at every level.
    ///
    /// `c` is an integer, `self` is an integer below 2^26, and the exact result is less than 1 in magnitude.
    fn residue(self, b: Self, c: Self) -> Self;
    /// `self * b - c` with one rounding at every level, where `c` is `self * b` rounded to an integer.
    ///
    /// All magnitudes are below 2^990.
    #[inline(always)]
    fn cancel(self, b: Self, c: Self) -> Self {
        self.mul_sub(b, c)
    }
    /// `self * b - product` exactly, where `product` is `self * b` rounded. All magnitudes are below 2^990.
    fn product_error(self, b: Self, product: Self) -> Self;
    /// Square root, correctly rounded.
    fn sqrt(self) -> Self;
    /// 1/sqrt(self) to 2 ulp, for lanes in 1e-30..1e30.
    #[inline(always)]
    fn inverse_sqrt(self) -> Self {
        self.splat_like(1.0) / self.sqrt()
    }
    /// `self / divisor` to 1 ulp, for quotients and divisors in 1e-300..1e300.
    ///
    /// Dividing by zero gives NaN or infinity, depending on the level.
    #[inline(always)]
    fn quotient(self, divisor: Self) -> Self {
        self / divisor
    }
    /// Absolute value.
    fn abs(self) -> Self;
    /// Nearest integer, ties to even, for `|self| < 2^51`; larger lanes give an unspecified integer.
    fn round(self) -> Self;
    /// `self` minus its nearest integer: exact, in -1/2..=1/2, for `|self| < 2^51`.
    #[inline(always)]
    fn fraction(self) -> Self {
        self - self.round()
    }
    /// Smallest integer not below `self`, for `|self| < 2^51`.
    fn ceil(self) -> Self;
    /// Largest integer not above `self`, for `|self| < 2^51`.
    fn floor(self) -> Self;
    /// `2^self` for integer lanes in -1022..=1023.
    fn pow2(self) -> Self;
    /// `self` with its sign changed where an integer n is odd; `sum` is n + [`ROUND_BY_ADDING`].
    fn negate_where_odd(self, sum: Self) -> Self;
    /// The smaller of the two; `other` where either is NaN.
    fn min(self, other: Self) -> Self;
    /// The larger of the two; `other` where either is NaN.
    fn max(self, other: Self) -> Self;

    /// Whether `self == other`.
    fn eq(self, other: Self) -> Self::Mask;
    /// Whether `self < other`.
    fn lt(self, other: Self) -> Self::Mask;
    /// Whether `self <= other`.
    fn le(self, other: Self) -> Self::Mask;
    /// Returns `yes` where the mask is true, else `no`.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;

    /// Rounds the lanes to f32.
    fn narrow(self) -> Self::Narrow;
    /// `self * d` minus its nearest integer, as f32.
    ///
    /// The error is at most 2^-33 plus one rounding; close to `d == 0` it is two roundings. All lanes of
    /// `self` are equal, at least 1 and below 2^20; `|d| <= 1/2`; `narrow` is `d.narrow()`.
    fn product_fraction(self, d: Self, narrow: Self::Narrow) -> Self::Narrow;
    /// Converts the f32 lanes that [`Lanes::narrow`] fills to f64.
    fn widen(narrow: Self::Narrow) -> Self;

    /// Loads `table[self]` where the mask is true and the index is inside the table, else returns `other`.
    ///
    /// The indices are integers stored as f64.
    fn gather<T: Node>(self, table: &[T], mask: Self::Mask, other: Self) -> Self;

    /// Loads row `self` of `table`: element m of the rows of all lanes is in vector m. Rows outside the table are 0.
    ///
    /// The indices are integers below 2^31 stored as f64. A row is one load, where gathering takes four.
    fn load_rows(self, table: &[[f64; 4]]) -> [Self; 4];

    /// Sums over 4 x 4 rows of four elements of `table`, from index `self` on:
    ///
    /// ```text
    /// sums[m] = sum over i of outer[i] (sum over j of inner[j] table[self + i strides[0] + j strides[1] + m])
    /// ```
    ///
    /// Both sums run upwards from a product, by [`Lanes::mul_add`]. The indices are integers stored as f64; lanes
    /// whose rows are not all inside the table are 0. A row is one load, where gathering takes four.
    fn sum_rows<T: Node>(
        self,
        table: &[T],
        strides: [usize; 2],
        outer: [Self; 4],
        inner: [Self; 4],
    ) -> [Self; 4];
}

/// The place of row (i, j) in a block of 4 x 4 rows; `(3, 3)` is the last.
#[inline(always)]
fn row_offset([outer, inner]: [usize; 2], i: usize, j: usize) -> usize {
    i * outer + j * inner
}

/// The elements of `table` from `start` to the end of the last row of a block; `None` where they are not all there.
#[inline(always)]
fn rows_from<T>(table: &[T], start: f64, strides: [usize; 2]) -> Option<&[T]> {
    // `as` converts a negative or NaN index to 0, so the comparison excludes it.
    let (start, len) = ((start >= 0.0).then_some(start as usize)?, row_offset(strides, 3, 3) + 4);
    table.get(start..start.checked_add(len)?)
}

/// The bits of a vector of f64: as many integers of 64 bits. Sums wrap around.
pub trait LaneBits:
    Copy + Add<Output = Self> + BitAnd<Output = Self> + BitOr<Output = Self> + BitXor<Output = Self>
{
    /// The products of the lower 32 bits of the lanes; the upper ones have no effect.
    fn multiply_lower_halves(self, other: Self) -> Self;
    /// Shifts by `bits` below 64, to the left.
    fn shift_left(self, bits: u32) -> Self;
    /// Shifts by `bits` below 64, to the right; zeros come in.
    fn shift_right(self, bits: u32) -> Self;
}

/// A vector of one hardware level; two of them narrow into one vector of f32.
pub trait BaseLanes: Lanes {
    /// The bits of the vector.
    type Bits: LaneBits;

    /// Returns the bits of the lanes.
    fn to_bits(self) -> Self::Bits;
    /// Returns the lanes that have these bits; the level is that of `self`, whose lanes have no effect.
    fn with_bits(self, bits: Self::Bits) -> Self;
    /// Returns `bits` in every lane.
    #[inline(always)]
    fn splat_bits_like(self, bits: u64) -> Self::Bits {
        self.splat_like(f64::from_bits(bits)).to_bits()
    }
    /// Rounds both vectors to f32, `lower` into the lower lanes.
    fn narrow_pair(lower: Self, upper: Self) -> Self::Narrow;
    /// Converts the lower and the upper lanes to f64.
    fn widen_pair(narrow: Self::Narrow) -> (Self, Self);
    /// [`Lanes::product_fraction`] of two vectors at once.
    #[inline(always)]
    fn product_fraction_pair(self, lower: Self, upper: Self, _narrow: Self::Narrow) -> Self::Narrow {
        let magic = self.splat_like(ROUND_BY_ADDING);
        let lower = self.mul_sub(lower, self.mul_add(lower, magic) - magic);
        let upper = self.mul_sub(upper, self.mul_add(upper, magic) - magic);
        Self::narrow_pair(lower, upper)
    }
}

/// A level of the hardware, as opposed to one that [`Doubled`] makes from it.
pub trait BaseLevel: Level<F: BaseLanes> {
    /// Whether a vector occupies a single register.
    ///
    /// A vector of several registers already consists of independent chains of arithmetic that hide each
    /// other's latencies, and two such vectors at a time would not fit into the registers.
    const IS_REGISTER: bool;
}

/// A vector of f32 lanes, in which mixed precision evaluates its polynomials.
pub trait Lanes32:
    Copy + Add<Output = Self> + Mul<Output = Self> + Div<Output = Self> + Sub<Output = Self>
{
    /// Returns a vector of the same level with `x` in every lane.
    fn splat_like(self, x: f32) -> Self;
    /// `self * b + c`, fused where the level has FMA.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// The larger of the two. If one is NaN, the result is either of them; if both are NaN, it is NaN.
    fn max(self, other: Self) -> Self;
    /// Returns whether all lanes are below `x`; a NaN lane is not.
    fn all_below(self, x: f32) -> bool;
}
