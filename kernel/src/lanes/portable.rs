//! The portable level: `wide::f64x8`, in the instructions of the build target (SSE2 on plain x86-64).

use core::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Sub};
use wide::{f32x16, f64x4, f64x8, u64x8};

use super::{
    BaseLanes, BaseLevel, LaneBits, LaneMask, Lanes, Lanes32, Level, Node, ROUND_BY_ADDING, Simd, row_offset,
    rows_from,
};

/// Token of the portable level, which every CPU supports.
#[derive(Debug, Clone, Copy)]
pub struct Portable(());

impl Portable {
    pub(super) const fn new() -> Self {
        Self(())
    }
}

/// Eight f64 lanes.
#[derive(Debug, Clone, Copy)]
pub struct F64x8(f64x8);

/// Sixteen f32 lanes.
#[derive(Debug, Clone, Copy)]
pub struct F32x16(f32x16);

/// Eight integers of 64 bits.
#[derive(Debug, Clone, Copy)]
pub struct Bits8(u64x8);

/// A mask of eight lanes; all bits of a lane are set, or none.
#[derive(Debug, Clone, Copy)]
pub struct Mask8(f64x8);

impl Level for Portable {
    type F = F64x8;

    #[inline(always)]
    fn simd(self) -> Simd {
        self.into()
    }

    #[inline(always)]
    fn splat(self, x: f64) -> F64x8 {
        F64x8(f64x8::splat(x))
    }

    #[inline(always)]
    fn ramp(self, start: f64, last: f64) -> F64x8 {
        let steps = f64x8::new([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        F64x8((f64x8::splat(start) + steps).fast_min(f64x8::splat(last)))
    }

    #[inline(always)]
    fn load(self, source: &[f64], fill: f64) -> F64x8 {
        if let Some(&full) = source.first_chunk::<8>() {
            return F64x8(f64x8::new(full));
        }
        let mut lanes = [fill; 8];
        lanes.iter_mut().zip(source).for_each(|(lane, &x)| *lane = x);
        F64x8(f64x8::new(lanes))
    }
}

macro_rules! operator {
    ($type:ident, $trait:ident, $fn:ident, $op:tt) => {
        impl $trait for $type {
            type Output = Self;
            #[inline(always)]
            fn $fn(self, other: Self) -> Self {
                Self(self.0 $op other.0)
            }
        }
    };
}
operator!(F64x8, Add, add, +);
operator!(F64x8, Sub, sub, -);
operator!(F64x8, Mul, mul, *);
operator!(F64x8, Div, div, /);
operator!(F32x16, Add, add, +);
operator!(F32x16, Sub, sub, -);
operator!(F32x16, Mul, mul, *);
operator!(F32x16, Div, div, /);
operator!(Bits8, Add, add, +);
operator!(Bits8, BitAnd, bitand, &);
operator!(Bits8, BitOr, bitor, |);
operator!(Bits8, BitXor, bitxor, ^);

impl LaneBits for Bits8 {
    #[inline(always)]
    fn multiply_lower_halves(self, other: Self) -> Self {
        // In this form the compiler finds the instruction for it.
        let (mut products, factors) = (self.0.to_array(), other.0.to_array());
        for (product, factor) in products.iter_mut().zip(factors) {
            *product = u64::from(*product as u32) * u64::from(factor as u32);
        }
        Self(u64x8::new(products))
    }
    #[inline(always)]
    fn shift_left(self, bits: u32) -> Self {
        Self(self.0 << bits)
    }
    #[inline(always)]
    fn shift_right(self, bits: u32) -> Self {
        Self(self.0 >> bits)
    }
}

impl Neg for F64x8 {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(-self.0)
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
        self.0.any()
    }
    #[inline(always)]
    fn all(self) -> bool {
        self.0.all()
    }
    #[inline(always)]
    fn bits(self) -> u32 {
        self.0.to_bitmask()
    }
}

/// Splits x into a sum of two numbers of 26 bits each (Veltkamp).
#[inline(always)]
fn halves(x: f64x8) -> (f64x8, f64x8) {
    let scaled = x * f64x8::splat(134_217_729.0);
    let high = scaled - (scaled - x);
    (high, x - high)
}

impl Lanes for F64x8 {
    type Mask = Mask8;
    type Level = Portable;
    type Array = [f64; 8];
    type Narrow = F32x16;
    const LEN: usize = 8;

    #[inline(always)]
    fn level(self) -> Portable {
        Portable(())
    }
    #[inline(always)]
    fn to_array(self) -> [f64; 8] {
        self.0.to_array()
    }
    #[inline(always)]
    fn store(self, out: &mut [f64]) {
        out.iter_mut().zip(self.to_array()).for_each(|(out, lane)| *out = lane);
    }
    #[inline(always)]
    fn first(self) -> f64 {
        let [first, ..] = self.0.to_array();
        first
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        Self(self.0.mul_add(b.0, c.0))
    }
    #[inline(always)]
    fn mul_sub(self, b: Self, c: Self) -> Self {
        Self(self.0.mul_sub(b.0, c.0))
    }
    #[inline(always)]
    fn neg_mul_add(self, b: Self, c: Self) -> Self {
        Self(self.0.mul_neg_add(b.0, c.0))
    }
    #[inline(always)]
    fn residue(self, b: Self, c: Self) -> Self {
        // The product of either half with an integer below 2^26 is exact.
        let (high, low) = halves(b.0);
        Self((self.0 * high - c.0) + self.0 * low)
    }
    #[inline(always)]
    fn cancel(self, b: Self, c: Self) -> Self {
        let product = self * b;
        (product - c) + self.product_error(b, product)
    }
    #[inline(always)]
    fn product_error(self, b: Self, product: Self) -> Self {
        // Dekker's algorithm for the error of a product.
        let ((a1, a0), (b1, b0)) = (halves(self.0), halves(b.0));
        Self(((a1 * b1 - product.0) + a1 * b0 + a0 * b1) + a0 * b0)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(self.0.sqrt())
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Self(self.0.abs())
    }
    #[inline(always)]
    fn round(self) -> Self {
        let magic = f64x8::splat(ROUND_BY_ADDING);
        Self((self.0 + magic) - magic)
    }
    #[inline(always)]
    fn ceil(self) -> Self {
        let near = self.round();
        Self(near.0 + (near.0.simd_lt(self.0) & f64x8::splat(1.0)))
    }
    #[inline(always)]
    fn floor(self) -> Self {
        let near = self.round();
        Self(near.0 - (self.0.simd_lt(near.0) & f64x8::splat(1.0)))
    }
    #[inline(always)]
    fn pow2(self) -> Self {
        // The low bits of the sum n + 1023 + 1.5 * 2^52 are the biased exponent.
        let biased: u64x8 = bytemuck::cast(self.0 + f64x8::splat(ROUND_BY_ADDING + 1023.0));
        Self(bytemuck::cast(biased << 52))
    }
    #[inline(always)]
    fn negate_where_odd(self, sum: Self) -> Self {
        let (bits, odd): (u64x8, u64x8) = (bytemuck::cast(self.0), bytemuck::cast(sum.0));
        Self(bytemuck::cast(bits ^ (odd << 63)))
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self(self.0.simd_lt(other.0).bitselect(self.0, other.0))
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(other.0.simd_lt(self.0).bitselect(self.0, other.0))
    }
    #[inline(always)]
    fn eq(self, other: Self) -> Mask8 {
        Mask8(self.0.simd_eq(other.0))
    }
    #[inline(always)]
    fn lt(self, other: Self) -> Mask8 {
        Mask8(self.0.simd_lt(other.0))
    }
    #[inline(always)]
    fn le(self, other: Self) -> Mask8 {
        Mask8(self.0.simd_le(other.0))
    }
    #[inline(always)]
    fn select(mask: Mask8, yes: Self, no: Self) -> Self {
        Self(mask.0.bitselect(yes.0, no.0))
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
        let bits = mask.0.to_bitmask();
        let mut lanes = other.0.to_array();
        for (i, (lane, &index)) in lanes.iter_mut().zip(self.0.as_array()).enumerate() {
            // `as` converts a negative or NaN index to 0, so the comparison excludes it.
            if bits & (1 << i) != 0
                && index >= 0.0
                && let Some(&value) = table.get(index as usize)
            {
                *lane = value.into();
            }
        }
        Self(f64x8::new(lanes))
    }
    #[inline(always)]
    fn load_rows(self, table: &[[f64; 4]]) -> [Self; 4] {
        let mut rows = [[0.0; 8]; 4];
        for (lane, &index) in self.0.as_array().iter().enumerate() {
            // `as` converts a negative or NaN index to 0, so the comparison excludes it.
            if let Some(row) = table.get(index as usize)
                && index >= 0.0
            {
                for (rows, &element) in rows.iter_mut().zip(row) {
                    rows[lane] = element;
                }
            }
        }
        let [first, second, third, fourth] = rows;
        [Self(f64x8::new(first)), Self(f64x8::new(second)), Self(f64x8::new(third)), Self(f64x8::new(fourth))]
    }
    #[inline(always)]
    fn sum_rows<T: Node>(
        self,
        table: &[T],
        strides: [usize; 2],
        outer: [Self; 4],
        inner: [Self; 4],
    ) -> [Self; 4] {
        let mut sums = [[0.0; 8]; 4];
        for (lane, &start) in self.0.as_array().iter().enumerate() {
            let Some(block) = rows_from(table, start, strides) else { continue };
            let mut sum = f64x4::splat(0.0);
            for (i, outer) in outer.iter().enumerate() {
                let outer = f64x4::splat(outer.0.as_array()[lane]);
                let mut plane = sum;
                for (j, inner) in inner.iter().enumerate() {
                    let inner = f64x4::splat(inner.0.as_array()[lane]);
                    let row = block.get(row_offset(strides, i, j)..).and_then(|rest| rest.first_chunk::<4>());
                    let row = row.map_or([0.0; 4], |&[a, b, c, d]| [a.into(), b.into(), c.into(), d.into()]);
                    let row = f64x4::from(row);
                    plane = if j == 0 { inner * row } else { inner.mul_add(row, plane) };
                }
                sum = if i == 0 { outer * plane } else { outer.mul_add(plane, sum) };
            }
            for (sums, sum) in sums.iter_mut().zip(sum.to_array()) {
                sums[lane] = sum;
            }
        }
        let [a, b, c, d] = sums;
        [Self(f64x8::new(a)), Self(f64x8::new(b)), Self(f64x8::new(c)), Self(f64x8::new(d))]
    }
}

impl BaseLanes for F64x8 {
    type Bits = Bits8;

    #[inline(always)]
    fn to_bits(self) -> Bits8 {
        Bits8(bytemuck::cast(self.0))
    }
    #[inline(always)]
    fn with_bits(self, bits: Bits8) -> Self {
        Self(bytemuck::cast(bits.0))
    }
    #[inline(always)]
    fn narrow_pair(lower: Self, upper: Self) -> F32x16 {
        let mut lanes = [0.0; 16];
        let wide = lower.0.as_array().iter().chain(upper.0.as_array());
        lanes.iter_mut().zip(wide).for_each(|(lane, &x)| *lane = x as f32);
        F32x16(f32x16::new(lanes))
    }
    #[inline(always)]
    fn widen_pair(narrow: F32x16) -> (Self, Self) {
        let lanes = narrow.0.to_array();
        let (mut lower, mut upper) = ([0.0; 8], [0.0; 8]);
        let wide = lower.iter_mut().chain(&mut upper);
        wide.zip(lanes).for_each(|(wide, x)| *wide = f64::from(x));
        (Self(f64x8::new(lower)), Self(f64x8::new(upper)))
    }
}

impl BaseLevel for Portable {
    const IS_REGISTER: bool = false;
}

impl Lanes32 for F32x16 {
    #[inline(always)]
    fn splat_like(self, x: f32) -> Self {
        Self(f32x16::splat(x))
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        Self(self.0.mul_add(b.0, c.0))
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(self.0.fast_max(other.0))
    }
    #[inline(always)]
    fn all_below(self, x: f32) -> bool {
        self.0.simd_lt(f32x16::splat(x)).all()
    }
}
