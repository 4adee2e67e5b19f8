//! The AVX-512 level: eight f64 lanes in a `__m512d`, and masks in mask registers.
#![allow(unsafe_code)] // intrinsics; a token that proves AVX2, FMA, AVX-512 F, DQ and VL made every vector here

use core::arch::x86_64::*;
use core::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Sub};

use super::avx2::{Avx2, F64x4, transpose};
use super::{BaseLanes, BaseLevel, LaneBits, LaneMask, Lanes, Lanes32, Level, Node, Simd};

/// Token of the AVX-512 level. A value exists only where the CPU supports AVX2, FMA, AVX-512 F, DQ and VL.
#[derive(Debug, Clone, Copy)]
pub struct Avx512(());

impl Avx512 {
    /// # Safety
    /// The CPU and the operating system must support AVX2, FMA, AVX-512 F, DQ and VL.
    pub(super) const unsafe fn new() -> Self {
        Self(())
    }
}

/// Eight f64 lanes.
#[derive(Debug, Clone, Copy)]
pub struct F64x8(__m512d);

/// Sixteen f32 lanes.
#[derive(Debug, Clone, Copy)]
pub struct F32x16(__m512);

/// Eight integers of 64 bits.
#[derive(Debug, Clone, Copy)]
pub struct Bits8(__m512i);

/// A mask of eight lanes, one bit each.
#[derive(Debug, Clone, Copy)]
pub struct Mask8(__mmask8);

/// Calls one intrinsic.
macro_rules! v {
    ($intrinsic:ident $(::<$c:tt>)? ($($arg:expr),*)) => {
        // SAFETY: a token, vector or mask of this level proves AVX-512 F, DQ and VL; no memory is accessed.
        unsafe { $intrinsic $(::<$c>)? ($($arg),*) }
    };
}

impl Level for Avx512 {
    type F = F64x8;

    #[inline(always)]
    fn simd(self) -> Simd {
        self.into()
    }

    #[inline(always)]
    fn splat(self, x: f64) -> F64x8 {
        F64x8(v!(_mm512_set1_pd(x)))
    }

    #[inline(always)]
    fn ramp(self, start: f64, last: f64) -> F64x8 {
        let steps = v!(_mm512_setr_pd(0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0));
        let ramp = v!(_mm512_add_pd(self.splat(start).0, steps));
        F64x8(v!(_mm512_min_pd(ramp, self.splat(last).0)))
    }

    #[inline(always)]
    fn load(self, source: &[f64], fill: f64) -> F64x8 {
        if let Some(full) = source.first_chunk::<8>() {
            // SAFETY: `full` holds eight f64; `self` proves AVX-512.
            return F64x8(unsafe { _mm512_loadu_pd(full.as_ptr()) });
        }
        let mut lanes = [fill; 8];
        lanes.iter_mut().zip(source).for_each(|(lane, &x)| *lane = x);
        let [a, b, c, d, e, f, g, h] = lanes;
        F64x8(v!(_mm512_setr_pd(a, b, c, d, e, f, g, h)))
    }
}

macro_rules! operator {
    ($type:ident, $trait:ident, $fn:ident, $intrinsic:ident) => {
        impl $trait for $type {
            type Output = Self;
            #[inline(always)]
            fn $fn(self, other: Self) -> Self {
                Self(v!($intrinsic(self.0, other.0)))
            }
        }
    };
}
operator!(F64x8, Add, add, _mm512_add_pd);
operator!(F64x8, Sub, sub, _mm512_sub_pd);
operator!(F64x8, Mul, mul, _mm512_mul_pd);
operator!(F64x8, Div, div, _mm512_div_pd);
operator!(F32x16, Add, add, _mm512_add_ps);
operator!(F32x16, Sub, sub, _mm512_sub_ps);
operator!(F32x16, Mul, mul, _mm512_mul_ps);
operator!(F32x16, Div, div, _mm512_div_ps);

operator!(Bits8, Add, add, _mm512_add_epi64);
operator!(Bits8, BitAnd, bitand, _mm512_and_si512);
operator!(Bits8, BitOr, bitor, _mm512_or_si512);
operator!(Bits8, BitXor, bitxor, _mm512_xor_si512);

impl LaneBits for Bits8 {
    #[inline(always)]
    fn multiply_lower_halves(self, other: Self) -> Self {
        Self(v!(_mm512_mul_epu32(self.0, other.0)))
    }
    #[inline(always)]
    fn shift_left(self, bits: u32) -> Self {
        let bits = v!(_mm_cvtsi32_si128(bits as i32));
        Self(v!(_mm512_sll_epi64(self.0, bits)))
    }
    #[inline(always)]
    fn shift_right(self, bits: u32) -> Self {
        let bits = v!(_mm_cvtsi32_si128(bits as i32));
        Self(v!(_mm512_srl_epi64(self.0, bits)))
    }
}

impl Neg for F64x8 {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(v!(_mm512_xor_pd(self.0, self.level().splat(-0.0).0)))
    }
}

impl BitAnd for Mask8 {
    type Output = Self;
    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for Mask8 {
    type Output = Self;
    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Not for Mask8 {
    type Output = Self;
    #[inline(always)]
    fn not(self) -> Self {
        Self(!self.0)
    }
}

impl LaneMask for Mask8 {
    const LEN: usize = 8;

    #[inline(always)]
    fn any(self) -> bool {
        self.0 != 0
    }
    #[inline(always)]
    fn all(self) -> bool {
        self.0 == 0xff
    }
    #[inline(always)]
    fn bits(self) -> u32 {
        u32::from(self.0)
    }
}

impl Lanes for F64x8 {
    type Mask = Mask8;
    type Level = Avx512;
    type Array = [f64; 8];
    type Narrow = F32x16;
    const LEN: usize = 8;

    #[inline(always)]
    fn level(self) -> Avx512 {
        Avx512(())
    }
    #[inline(always)]
    fn to_array(self) -> [f64; 8] {
        let mut lanes = [0.0; 8];
        // SAFETY: `lanes` holds eight f64; `self` proves AVX-512.
        unsafe { _mm512_storeu_pd(lanes.as_mut_ptr(), self.0) };
        lanes
    }
    #[inline(always)]
    fn store(self, out: &mut [f64]) {
        match out.first_chunk_mut::<8>() {
            // SAFETY: `full` holds eight f64; `self` proves AVX-512.
            Some(full) => unsafe { _mm512_storeu_pd(full.as_mut_ptr(), self.0) },
            None => out.iter_mut().zip(self.to_array()).for_each(|(out, lane)| *out = lane),
        }
    }
    #[inline(always)]
    fn store_f32(self, out: &mut [f32]) {
        let rounded = v!(_mm512_cvtpd_ps(self.0));
        match out.first_chunk_mut::<8>() {
            // SAFETY: `full` holds eight f32; `self` proves AVX-512.
            Some(full) => unsafe { _mm256_storeu_ps(full.as_mut_ptr(), rounded) },
            None => out.iter_mut().zip(self.to_array()).for_each(|(out, lane)| *out = lane as f32),
        }
    }
    #[inline(always)]
    fn first(self) -> f64 {
        v!(_mm512_cvtsd_f64(self.0))
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        Self(v!(_mm512_fmadd_pd(self.0, b.0, c.0)))
    }
    #[inline(always)]
    fn mul_sub(self, b: Self, c: Self) -> Self {
        Self(v!(_mm512_fmsub_pd(self.0, b.0, c.0)))
    }
    #[inline(always)]
    fn neg_mul_add(self, b: Self, c: Self) -> Self {
        Self(v!(_mm512_fnmadd_pd(self.0, b.0, c.0)))
    }
    #[inline(always)]
    fn residue(self, b: Self, c: Self) -> Self {
        self.mul_sub(b, c)
    }
    #[inline(always)]
    fn product_error(self, b: Self, product: Self) -> Self {
        self.mul_sub(b, product)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(v!(_mm512_sqrt_pd(self.0)))
    }
    #[inline(always)]
    fn inverse_sqrt(self) -> Self {
        // The estimate has 14 bits. The series of 1/sqrt(1 - error), up to the third power of the error,
        // refines it; the terms left out are below 2^-53.
        let y = Self(v!(_mm512_rsqrt14_pd(self.0)));
        let error = (self * y).neg_mul_add(y, self.splat_like(1.0));
        let series = error.mul_add(self.splat_like(0.3125), self.splat_like(0.375));
        let series = series.mul_add(error, self.splat_like(0.5));
        (y * error).mul_add(series, y)
    }
    #[inline(always)]
    fn quotient(self, divisor: Self) -> Self {
        // A division instruction would be the bottleneck. The estimate of the reciprocal has 14 bits, a
        // Newton step doubles them, and correcting the quotient gives the rest.
        let y = Self(v!(_mm512_rcp14_pd(divisor.0)));
        let y = y.mul_add(divisor.neg_mul_add(y, self.splat_like(1.0)), y);
        let q = self * y;
        y.mul_add(divisor.neg_mul_add(q, self), q)
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Self(v!(_mm512_abs_pd(self.0)))
    }
    #[inline(always)]
    fn round(self) -> Self {
        Self(v!(_mm512_roundscale_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0)))
    }
    #[inline(always)]
    fn fraction(self) -> Self {
        Self(v!(_mm512_reduce_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0)))
    }
    #[inline(always)]
    fn ceil(self) -> Self {
        Self(v!(_mm512_roundscale_pd::<{ _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC }>(self.0)))
    }
    #[inline(always)]
    fn floor(self) -> Self {
        Self(v!(_mm512_roundscale_pd::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(self.0)))
    }
    #[inline(always)]
    fn pow2(self) -> Self {
        Self(v!(_mm512_scalef_pd(self.level().splat(1.0).0, self.0)))
    }
    #[inline(always)]
    fn negate_where_odd(self, sum: Self) -> Self {
        let bits = v!(_mm512_castpd_si512(sum.0));
        let sign = v!(_mm512_slli_epi64::<63>(bits));
        let sign = v!(_mm512_castsi512_pd(sign));
        Self(v!(_mm512_xor_pd(self.0, sign)))
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self(v!(_mm512_min_pd(self.0, other.0)))
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(v!(_mm512_max_pd(self.0, other.0)))
    }
    #[inline(always)]
    fn eq(self, other: Self) -> Mask8 {
        Mask8(v!(_mm512_cmp_pd_mask::<_CMP_EQ_OQ>(self.0, other.0)))
    }
    #[inline(always)]
    fn lt(self, other: Self) -> Mask8 {
        Mask8(v!(_mm512_cmp_pd_mask::<_CMP_LT_OQ>(self.0, other.0)))
    }
    #[inline(always)]
    fn le(self, other: Self) -> Mask8 {
        Mask8(v!(_mm512_cmp_pd_mask::<_CMP_LE_OQ>(self.0, other.0)))
    }
    #[inline(always)]
    fn select(mask: Mask8, yes: Self, no: Self) -> Self {
        Self(v!(_mm512_mask_blend_pd(mask.0, no.0, yes.0)))
    }
    #[inline(always)]
    fn narrow(self) -> F32x16 {
        Self::narrow_pair(self, self)
    }
    #[inline(always)]
    fn product_fraction(self, d: Self, narrow: F32x16) -> F32x16 {
        self.product_fraction_pair(d, d, narrow)
    }
    #[inline(always)]
    fn widen(narrow: F32x16) -> Self {
        Self::widen_pair(narrow).0
    }
    #[inline(always)]
    fn gather<T: Node>(self, table: &[T], mask: Mask8, other: Self) -> Self {
        let level = self.level();
        let inside = mask & level.splat(0.0).le(self) & self.lt(level.splat(table.len() as f64));
        let index = v!(_mm512_cvttpd_epi64(self.0));
        // SAFETY: `inside` selects only lanes whose index lies in 0..table.len().
        unsafe { T::gather8(table, index, inside, other) }
    }
    #[inline(always)]
    fn load_rows(self, table: &[[f64; 4]]) -> [Self; 4] {
        // SAFETY: `self` proves AVX2 and FMA too.
        let level = unsafe { Avx2::new() };
        let indices = v!(_mm512_cvttpd_epi32(self.0));
        let [l0, l1, l2, l3] = transpose(level.rows_at(v!(_mm256_castsi256_si128(indices)), table));
        let [u0, u1, u2, u3] = transpose(level.rows_at(v!(_mm256_extracti128_si256::<1>(indices)), table));
        [Self::joined(l0, u0), Self::joined(l1, u1), Self::joined(l2, u2), Self::joined(l3, u3)]
    }
    #[inline(always)]
    fn sum_rows<T: Node>(
        self,
        table: &[T],
        strides: [usize; 2],
        outer: [Self; 4],
        inner: [Self; 4],
    ) -> [Self; 4] {
        // SAFETY: `self` proves AVX2 and FMA too.
        let level = unsafe { Avx2::new() };
        let starts = self.to_array();
        let outer = [outer[0].to_array(), outer[1].to_array(), outer[2].to_array(), outer[3].to_array()];
        let inner = [inner[0].to_array(), inner[1].to_array(), inner[2].to_array(), inner[3].to_array()];
        let mut lanes = [level.splat(0.0); 8];
        for (i, sum) in lanes.iter_mut().enumerate() {
            *sum = level.sum_rows_of_lane(table, starts[i], strides, &outer, &inner, i);
        }
        let [a, b, c, d, e, f, g, h] = lanes;
        let [l0, l1, l2, l3] = transpose([a, b, c, d]);
        let [u0, u1, u2, u3] = transpose([e, f, g, h]);
        [Self::joined(l0, u0), Self::joined(l1, u1), Self::joined(l2, u2), Self::joined(l3, u3)]
    }
}

/// What the AVX-512 level does with a number of a table.
pub trait Node8: Sized {
    /// The elements of `table` in the lanes that `inside` selects, `other` in the rest.
    ///
    /// # Safety
    /// The lanes of `index` that `inside` selects are indices of elements of `table`.
    unsafe fn gather8(table: &[Self], index: __m512i, inside: Mask8, other: F64x8) -> F64x8;
}

impl Node8 for f64 {
    #[inline(always)]
    unsafe fn gather8(table: &[Self], index: __m512i, inside: Mask8, other: F64x8) -> F64x8 {
        // SAFETY: the caller guarantees that the selected elements exist; `other` proves AVX-512.
        F64x8(unsafe { _mm512_mask_i64gather_pd::<8>(other.0, inside.0, index, table.as_ptr()) })
    }
}

impl Node8 for f32 {
    #[inline(always)]
    unsafe fn gather8(table: &[Self], index: __m512i, inside: Mask8, other: F64x8) -> F64x8 {
        let zero = v!(_mm256_setzero_ps());
        // SAFETY: the caller guarantees that the selected elements exist; `other` proves AVX-512.
        let found = unsafe { _mm512_mask_i64gather_ps::<4>(zero, inside.0, index, table.as_ptr()) };
        F64x8::select(inside, F64x8(v!(_mm512_cvtps_pd(found))), other)
    }
}

impl F64x8 {
    /// Two vectors of half the lanes.
    #[inline(always)]
    fn joined(lower: F64x4, upper: F64x4) -> Self {
        let lower = v!(_mm512_castpd256_pd512(lower.0));
        Self(v!(_mm512_insertf64x4::<1>(lower, upper.0)))
    }
}

impl BaseLanes for F64x8 {
    type Bits = Bits8;

    #[inline(always)]
    fn to_bits(self) -> Bits8 {
        Bits8(v!(_mm512_castpd_si512(self.0)))
    }
    #[inline(always)]
    fn with_bits(self, bits: Bits8) -> Self {
        Self(v!(_mm512_castsi512_pd(bits.0)))
    }
    #[inline(always)]
    fn narrow_pair(lower: Self, upper: Self) -> F32x16 {
        let (lower, upper) = (v!(_mm512_cvtpd_ps(lower.0)), v!(_mm512_cvtpd_ps(upper.0)));
        let lower = v!(_mm512_castps256_ps512(lower));
        F32x16(v!(_mm512_insertf32x8::<1>(lower, upper)))
    }
    #[inline(always)]
    fn widen_pair(narrow: F32x16) -> (Self, Self) {
        let lower = v!(_mm512_castps512_ps256(narrow.0));
        let upper = v!(_mm512_extractf32x8_ps::<1>(narrow.0));
        (Self(v!(_mm512_cvtps_pd(lower))), Self(v!(_mm512_cvtps_pd(upper))))
    }
    #[inline(always)]
    fn product_fraction_pair(self, lower: Self, upper: Self, narrow: F32x16) -> F32x16 {
        // Adding 1.5 * 2^20 to a number below 2^19 in magnitude leaves its fraction, in units of 2^-32, in
        // the low 32 bits of the sum. As a signed integer they are the distance from the nearest integer.
        let magic = self.splat_like(1_572_864.0);
        let lower = v!(_mm512_castpd_si512(self.mul_add(lower, magic).0));
        let upper = v!(_mm512_castpd_si512(self.mul_add(upper, magic).0));
        let low_halves = v!(_mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30));
        let units = v!(_mm512_permutex2var_epi32(lower, low_halves, upper));
        let units = v!(_mm512_cvtepi32_ps(units));
        // Close to d = 0 the fraction is the product itself, for which units of 2^-32 are too coarse.
        let cells = narrow.splat_like(self.first() as f32);
        let reach = F32x16(v!(_mm512_rcp14_ps(cells.0))) * narrow.splat_like(0.25);
        let far = v!(_mm512_cmp_ps_mask::<_CMP_GT_OQ>((narrow * narrow).0, (reach * reach).0));
        let product = narrow * cells;
        let unit = narrow.splat_like(1.0 / 4_294_967_296.0);
        F32x16(v!(_mm512_mask_mul_ps(product.0, far, units, unit.0)))
    }
}

impl BaseLevel for Avx512 {
    const IS_REGISTER: bool = true;
}

impl Lanes32 for F32x16 {
    #[inline(always)]
    fn splat_like(self, x: f32) -> Self {
        Self(v!(_mm512_set1_ps(x)))
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        Self(v!(_mm512_fmadd_ps(self.0, b.0, c.0)))
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(v!(_mm512_max_ps(self.0, other.0)))
    }
    #[inline(always)]
    fn all_below(self, x: f32) -> bool {
        v!(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(self.0, self.splat_like(x).0)) == 0xffff
    }
}
