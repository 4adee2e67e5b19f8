//! The AVX2 + FMA level: four f64 lanes in a `__m256d`.
#![allow(unsafe_code)] // intrinsics; a token that proves AVX2 and FMA made every vector here

use core::arch::x86_64::*;
use core::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Sub};

use super::{
    BaseLanes, BaseLevel, LaneBits, LaneMask, Lanes, Lanes32, Level, Node, ROUND_BY_ADDING, Simd, row_offset,
    rows_from,
};

/// Token of the AVX2 level. A value exists only where the CPU supports AVX2 and FMA.
#[derive(Debug, Clone, Copy)]
pub struct Avx2(());

impl Avx2 {
    /// # Safety
    /// The CPU and the operating system must support AVX2 and FMA.
    pub(super) const unsafe fn new() -> Self {
        Self(())
    }
}

/// Four f64 lanes.
#[derive(Debug, Clone, Copy)]
pub struct F64x4(pub(super) __m256d);

/// Eight f32 lanes.
#[derive(Debug, Clone, Copy)]
pub struct F32x8(__m256);

/// Four integers of 64 bits.
#[derive(Debug, Clone, Copy)]
pub struct Bits4(__m256i);

/// A mask of four lanes; all bits of a lane are set, or none.
#[derive(Debug, Clone, Copy)]
pub struct Mask4(__m256d);

/// Calls one intrinsic.
macro_rules! v {
    ($intrinsic:ident $(::<$c:tt>)? ($($arg:expr),*)) => {
        // SAFETY: a token, vector or mask of this level proves AVX2 and FMA; the intrinsic accesses no
        // memory.
        unsafe { $intrinsic $(::<$c>)? ($($arg),*) }
    };
}

impl Level for Avx2 {
    type F = F64x4;

    #[inline(always)]
    fn simd(self) -> Simd {
        self.into()
    }

    #[inline(always)]
    fn splat(self, x: f64) -> F64x4 {
        F64x4(v!(_mm256_set1_pd(x)))
    }

    #[inline(always)]
    fn ramp(self, start: f64, last: f64) -> F64x4 {
        let steps = v!(_mm256_setr_pd(0.0, 1.0, 2.0, 3.0));
        let ramp = v!(_mm256_add_pd(self.splat(start).0, steps));
        F64x4(v!(_mm256_min_pd(ramp, self.splat(last).0)))
    }

    #[inline(always)]
    fn load(self, source: &[f64], fill: f64) -> F64x4 {
        if let Some(full) = source.first_chunk::<4>() {
            // SAFETY: `full` holds four f64; `self` proves AVX2.
            return F64x4(unsafe { _mm256_loadu_pd(full.as_ptr()) });
        }
        let mut lanes = [fill; 4];
        lanes.iter_mut().zip(source).for_each(|(lane, &x)| *lane = x);
        F64x4(v!(_mm256_setr_pd(lanes[0], lanes[1], lanes[2], lanes[3])))
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
operator!(F64x4, Add, add, _mm256_add_pd);
operator!(F64x4, Sub, sub, _mm256_sub_pd);
operator!(F64x4, Mul, mul, _mm256_mul_pd);
operator!(F64x4, Div, div, _mm256_div_pd);
operator!(F32x8, Add, add, _mm256_add_ps);
operator!(F32x8, Sub, sub, _mm256_sub_ps);
operator!(F32x8, Mul, mul, _mm256_mul_ps);
operator!(F32x8, Div, div, _mm256_div_ps);
operator!(Mask4, BitAnd, bitand, _mm256_and_pd);
operator!(Mask4, BitOr, bitor, _mm256_or_pd);

operator!(Bits4, Add, add, _mm256_add_epi64);
operator!(Bits4, BitAnd, bitand, _mm256_and_si256);
operator!(Bits4, BitOr, bitor, _mm256_or_si256);
operator!(Bits4, BitXor, bitxor, _mm256_xor_si256);

impl LaneBits for Bits4 {
    #[inline(always)]
    fn multiply_lower_halves(self, other: Self) -> Self {
        Self(v!(_mm256_mul_epu32(self.0, other.0)))
    }
    #[inline(always)]
    fn shift_left(self, bits: u32) -> Self {
        let bits = v!(_mm_cvtsi32_si128(bits as i32));
        Self(v!(_mm256_sll_epi64(self.0, bits)))
    }
    #[inline(always)]
    fn shift_right(self, bits: u32) -> Self {
        let bits = v!(_mm_cvtsi32_si128(bits as i32));
        Self(v!(_mm256_srl_epi64(self.0, bits)))
    }
}

impl Neg for F64x4 {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(v!(_mm256_xor_pd(self.0, self.level().splat(-0.0).0)))
    }
}

impl Not for Mask4 {
    type Output = Self;
    #[inline(always)]
    fn not(self) -> Self {
        let zero = v!(_mm256_setzero_pd());
        let ones = v!(_mm256_cmp_pd::<_CMP_EQ_OQ>(zero, zero));
        Self(v!(_mm256_xor_pd(self.0, ones)))
    }
}

impl LaneMask for Mask4 {
    const LEN: usize = 4;

    #[inline(always)]
    fn any(self) -> bool {
        v!(_mm256_movemask_pd(self.0)) != 0
    }
    #[inline(always)]
    fn all(self) -> bool {
        v!(_mm256_movemask_pd(self.0)) == 0xf
    }
    #[inline(always)]
    fn bits(self) -> u32 {
        v!(_mm256_movemask_pd(self.0)) as u32
    }
}

impl Lanes for F64x4 {
    type Mask = Mask4;
    type Level = Avx2;
    type Array = [f64; 4];
    type Narrow = F32x8;
    const LEN: usize = 4;

    #[inline(always)]
    fn level(self) -> Avx2 {
        Avx2(())
    }
    #[inline(always)]
    fn to_array(self) -> [f64; 4] {
        let mut lanes = [0.0; 4];
        // SAFETY: `lanes` holds four f64; `self` proves AVX2.
        unsafe { _mm256_storeu_pd(lanes.as_mut_ptr(), self.0) };
        lanes
    }
    #[inline(always)]
    fn store(self, out: &mut [f64]) {
        match out.first_chunk_mut::<4>() {
            // SAFETY: `full` holds four f64; `self` proves AVX2.
            Some(full) => unsafe { _mm256_storeu_pd(full.as_mut_ptr(), self.0) },
            None => out.iter_mut().zip(self.to_array()).for_each(|(out, lane)| *out = lane),
        }
    }
    #[inline(always)]
    fn store_f32(self, out: &mut [f32]) {
        let rounded = v!(_mm256_cvtpd_ps(self.0));
        match out.first_chunk_mut::<4>() {
            // SAFETY: `full` holds four f32; `self` proves AVX2.
            Some(full) => unsafe { _mm_storeu_ps(full.as_mut_ptr(), rounded) },
            None => out.iter_mut().zip(self.to_array()).for_each(|(out, lane)| *out = lane as f32),
        }
    }
    #[inline(always)]
    fn first(self) -> f64 {
        v!(_mm256_cvtsd_f64(self.0))
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        Self(v!(_mm256_fmadd_pd(self.0, b.0, c.0)))
    }
    #[inline(always)]
    fn mul_sub(self, b: Self, c: Self) -> Self {
        Self(v!(_mm256_fmsub_pd(self.0, b.0, c.0)))
    }
    #[inline(always)]
    fn neg_mul_add(self, b: Self, c: Self) -> Self {
        Self(v!(_mm256_fnmadd_pd(self.0, b.0, c.0)))
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
        Self(v!(_mm256_sqrt_pd(self.0)))
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Self(v!(_mm256_andnot_pd(self.level().splat(-0.0).0, self.0)))
    }
    #[inline(always)]
    fn round(self) -> Self {
        Self(v!(_mm256_round_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0)))
    }
    #[inline(always)]
    fn ceil(self) -> Self {
        Self(v!(_mm256_round_pd::<{ _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC }>(self.0)))
    }
    #[inline(always)]
    fn floor(self) -> Self {
        Self(v!(_mm256_round_pd::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(self.0)))
    }
    #[inline(always)]
    fn pow2(self) -> Self {
        let biased = v!(_mm256_add_pd(self.0, self.level().splat(ROUND_BY_ADDING + 1023.0).0));
        let bits = v!(_mm256_castpd_si256(biased));
        let exponent = v!(_mm256_slli_epi64::<52>(bits));
        Self(v!(_mm256_castsi256_pd(exponent)))
    }
    #[inline(always)]
    fn negate_where_odd(self, sum: Self) -> Self {
        let bits = v!(_mm256_castpd_si256(sum.0));
        let sign = v!(_mm256_slli_epi64::<63>(bits));
        let sign = v!(_mm256_castsi256_pd(sign));
        Self(v!(_mm256_xor_pd(self.0, sign)))
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self(v!(_mm256_min_pd(self.0, other.0)))
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(v!(_mm256_max_pd(self.0, other.0)))
    }
    #[inline(always)]
    fn eq(self, other: Self) -> Mask4 {
        Mask4(v!(_mm256_cmp_pd::<_CMP_EQ_OQ>(self.0, other.0)))
    }
    #[inline(always)]
    fn lt(self, other: Self) -> Mask4 {
        Mask4(v!(_mm256_cmp_pd::<_CMP_LT_OQ>(self.0, other.0)))
    }
    #[inline(always)]
    fn le(self, other: Self) -> Mask4 {
        Mask4(v!(_mm256_cmp_pd::<_CMP_LE_OQ>(self.0, other.0)))
    }
    #[inline(always)]
    fn select(mask: Mask4, yes: Self, no: Self) -> Self {
        Self(v!(_mm256_blendv_pd(no.0, yes.0, mask.0)))
    }
    #[inline(always)]
    fn narrow(self) -> F32x8 {
        Self::narrow_pair(self, self)
    }
    #[inline(always)]
    fn product_fraction(self, d: Self, narrow: F32x8) -> F32x8 {
        self.product_fraction_pair(d, d, narrow)
    }
    #[inline(always)]
    fn widen(narrow: F32x8) -> Self {
        Self::widen_pair(narrow).0
    }
    #[inline(always)]
    fn gather<T: Node>(self, table: &[T], mask: Mask4, other: Self) -> Self {
        // The instruction takes signed 32-bit indices, so elements from 2^31 on count as outside the table.
        let len = (table.len() as f64).min(2_147_483_648.0);
        let level = self.level();
        let inside = mask & level.splat(0.0).le(self) & self.lt(level.splat(len));
        let index = v!(_mm256_cvttpd_epi32(self.0));
        // SAFETY: `inside` selects only lanes whose index lies in 0..table.len().
        unsafe { T::gather4(table, index, inside, other) }
    }
    #[inline(always)]
    fn load_rows(self, table: &[[f64; 4]]) -> [Self; 4] {
        transpose(self.level().rows_at(v!(_mm256_cvttpd_epi32(self.0)), table))
    }
    #[inline(always)]
    fn sum_rows<T: Node>(
        self,
        table: &[T],
        strides: [usize; 2],
        outer: [Self; 4],
        inner: [Self; 4],
    ) -> [Self; 4] {
        let starts = self.to_array();
        let outer = [outer[0].to_array(), outer[1].to_array(), outer[2].to_array(), outer[3].to_array()];
        let inner = [inner[0].to_array(), inner[1].to_array(), inner[2].to_array(), inner[3].to_array()];
        let mut lanes = [self.splat_like(0.0); 4];
        for (i, sum) in lanes.iter_mut().enumerate() {
            *sum = self.level().sum_rows_of_lane(table, starts[i], strides, &outer, &inner, i);
        }
        transpose(lanes)
    }
}

impl Avx2 {
    /// The rows of a table at four indices, each in a vector; those outside the table are 0.
    #[inline(always)]
    pub(super) fn rows_at(self, indices: __m128i, table: &[[f64; 4]]) -> [F64x4; 4] {
        // Two indices at a time. Negative ones, which those out of range become as well, are beyond any table.
        let pairs = [v!(_mm_cvtsi128_si64(indices)), v!(_mm_extract_epi64::<1>(indices))];
        let [first, second] = pairs;
        [
            self.row_at(first as u32, table),
            self.row_at((first >> 32) as u32, table),
            self.row_at(second as u32, table),
            self.row_at((second >> 32) as u32, table),
        ]
    }

    /// A row of a table; 0 outside it.
    #[inline(always)]
    fn row_at(self, index: u32, table: &[[f64; 4]]) -> F64x4 {
        match table.get(index as usize) {
            Some(row) => self.load(row, 0.0),
            None => self.splat(0.0),
        }
    }

    /// [`Lanes::sum_rows`] of one lane; the four sums in a vector.
    #[inline(always)]
    pub(super) fn sum_rows_of_lane<T: Node, const N: usize>(
        self,
        table: &[T],
        start: f64,
        strides: [usize; 2],
        outer: &[[f64; N]; 4],
        inner: &[[f64; N]; 4],
        lane: usize,
    ) -> F64x4 {
        let mut sum = self.splat(0.0);
        let Some(block) = rows_from(table, start, strides) else { return sum };
        for i in 0..4 {
            let mut plane = sum;
            for j in 0..4 {
                // SAFETY: `block` reaches to the end of row (3, 3), the last.
                let row = unsafe { block.as_ptr().add(row_offset(strides, i, j)) };
                // SAFETY: a row is four elements.
                let row = unsafe { T::row4(self, row) };
                let inner = self.splat(inner[j][lane]);
                plane = if j == 0 { inner * row } else { inner.mul_add(row, plane) };
            }
            let outer = self.splat(outer[i][lane]);
            sum = if i == 0 { outer * plane } else { outer.mul_add(plane, sum) };
        }
        sum
    }
}

/// What the AVX2 level does with a number of a table.
pub trait Node4: Sized {
    /// Four elements of a table.
    ///
    /// # Safety
    /// `row` points to four elements.
    unsafe fn row4(level: Avx2, row: *const Self) -> F64x4;

    /// The elements of `table` in the lanes that `inside` selects, `other` in the rest.
    ///
    /// # Safety
    /// The lanes of `index` that `inside` selects are indices of elements of `table`.
    unsafe fn gather4(table: &[Self], index: __m128i, inside: Mask4, other: F64x4) -> F64x4;
}

impl Node4 for f64 {
    #[inline(always)]
    unsafe fn row4(_: Avx2, row: *const Self) -> F64x4 {
        // SAFETY: the caller guarantees four f64; the token proves AVX2.
        F64x4(unsafe { _mm256_loadu_pd(row) })
    }

    #[inline(always)]
    unsafe fn gather4(table: &[Self], index: __m128i, inside: Mask4, other: F64x4) -> F64x4 {
        // SAFETY: the caller guarantees that the selected elements exist; `other` proves AVX2.
        F64x4(unsafe { _mm256_mask_i32gather_pd::<8>(other.0, table.as_ptr(), index, inside.0) })
    }
}

impl Node4 for f32 {
    #[inline(always)]
    unsafe fn row4(_: Avx2, row: *const Self) -> F64x4 {
        // SAFETY: the caller guarantees four f32; the token proves AVX2.
        let row = unsafe { _mm_loadu_ps(row) };
        F64x4(v!(_mm256_cvtps_pd(row)))
    }

    #[inline(always)]
    unsafe fn gather4(table: &[Self], index: __m128i, inside: Mask4, other: F64x4) -> F64x4 {
        // Every other 32-bit half of the mask, whose 64-bit lanes have all bits set, or none.
        let lanes = v!(_mm256_castpd_ps(inside.0));
        let (lower, upper) = (v!(_mm256_castps256_ps128(lanes)), v!(_mm256_extractf128_ps::<1>(lanes)));
        let selected = v!(_mm_shuffle_ps::<0x88>(lower, upper));
        let zero = v!(_mm_setzero_ps());
        // SAFETY: the caller guarantees that the selected elements exist; `other` proves AVX2.
        let found = unsafe { _mm_mask_i32gather_ps::<4>(zero, table.as_ptr(), index, selected) };
        F64x4::select(inside, F64x4(v!(_mm256_cvtps_pd(found))), other)
    }
}

/// Element i of all vectors in the i-th vector.
#[inline(always)]
pub(super) fn transpose([a, b, c, d]: [F64x4; 4]) -> [F64x4; 4] {
    let (ab_even, ab_odd) = (v!(_mm256_unpacklo_pd(a.0, b.0)), v!(_mm256_unpackhi_pd(a.0, b.0)));
    let (cd_even, cd_odd) = (v!(_mm256_unpacklo_pd(c.0, d.0)), v!(_mm256_unpackhi_pd(c.0, d.0)));
    [
        F64x4(v!(_mm256_permute2f128_pd::<0x20>(ab_even, cd_even))),
        F64x4(v!(_mm256_permute2f128_pd::<0x20>(ab_odd, cd_odd))),
        F64x4(v!(_mm256_permute2f128_pd::<0x31>(ab_even, cd_even))),
        F64x4(v!(_mm256_permute2f128_pd::<0x31>(ab_odd, cd_odd))),
    ]
}

impl BaseLanes for F64x4 {
    type Bits = Bits4;

    #[inline(always)]
    fn to_bits(self) -> Bits4 {
        Bits4(v!(_mm256_castpd_si256(self.0)))
    }
    #[inline(always)]
    fn with_bits(self, bits: Bits4) -> Self {
        Self(v!(_mm256_castsi256_pd(bits.0)))
    }
    #[inline(always)]
    fn narrow_pair(lower: Self, upper: Self) -> F32x8 {
        let (lower, upper) = (v!(_mm256_cvtpd_ps(lower.0)), v!(_mm256_cvtpd_ps(upper.0)));
        F32x8(v!(_mm256_set_m128(upper, lower)))
    }
    #[inline(always)]
    fn widen_pair(narrow: F32x8) -> (Self, Self) {
        let lower = v!(_mm256_castps256_ps128(narrow.0));
        let upper = v!(_mm256_extractf128_ps::<1>(narrow.0));
        (Self(v!(_mm256_cvtps_pd(lower))), Self(v!(_mm256_cvtps_pd(upper))))
    }
}

impl BaseLevel for Avx2 {
    const IS_REGISTER: bool = true;
}

impl Lanes32 for F32x8 {
    #[inline(always)]
    fn splat_like(self, x: f32) -> Self {
        Self(v!(_mm256_set1_ps(x)))
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        Self(v!(_mm256_fmadd_ps(self.0, b.0, c.0)))
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(v!(_mm256_max_ps(self.0, other.0)))
    }
    #[inline(always)]
    fn all_below(self, x: f32) -> bool {
        let below = v!(_mm256_cmp_ps::<_CMP_LT_OQ>(self.0, self.splat_like(x).0));
        v!(_mm256_movemask_ps(below)) == 0xff
    }
}
