//! Pairs of vectors: twice the lanes of a level.
//!
//! Two chains of arithmetic are then in flight at a time, and a block of pixels amortises its set-up over
//! twice as many.

use core::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

use super::{BaseLanes, BaseLevel, LaneMask, Lanes, Level, Node, Simd};

/// A level whose vectors are pairs of those of `L`.
#[derive(Debug, Clone, Copy)]
pub struct Doubled<L>(pub L);

/// Two vectors, lower lanes first.
#[derive(Debug, Clone, Copy)]
pub struct Two<F>(pub F, pub F);

/// The masks of two vectors, lower lanes first.
#[derive(Debug, Clone, Copy)]
pub struct TwoMasks<M>(pub M, pub M);

/// The lanes of two vectors, at most 16.
#[derive(Debug, Clone, Copy)]
pub struct TwoArray {
    lanes: [f64; 16],
    len: usize,
}

impl AsRef<[f64]> for TwoArray {
    #[inline(always)]
    fn as_ref(&self) -> &[f64] {
        self.lanes.get(..self.len).unwrap_or(&self.lanes)
    }
}

impl<L: BaseLevel> Level for Doubled<L> {
    type F = Two<L::F>;

    #[inline(always)]
    fn simd(self) -> Simd {
        self.0.simd()
    }
    #[inline(always)]
    fn splat(self, x: f64) -> Two<L::F> {
        let half = self.0.splat(x);
        Two(half, half)
    }
    #[inline(always)]
    fn ramp(self, start: f64, last: f64) -> Two<L::F> {
        Two(self.0.ramp(start, last), self.0.ramp(start + L::F::LEN as f64, last))
    }
    #[inline(always)]
    fn load(self, source: &[f64], fill: f64) -> Two<L::F> {
        let (lower, upper) = source.split_at_checked(L::F::LEN).unwrap_or((source, &[]));
        Two(self.0.load(lower, fill), self.0.load(upper, fill))
    }
}

macro_rules! both {
    ($type:ident, $trait:ident, $fn:ident) => {
        impl<T: $trait<Output = T>> $trait for $type<T> {
            type Output = Self;
            #[inline(always)]
            fn $fn(self, other: Self) -> Self {
                Self(self.0.$fn(other.0), self.1.$fn(other.1))
            }
        }
    };
}
both!(Two, Add, add);
both!(Two, Sub, sub);
both!(Two, Mul, mul);
both!(Two, Div, div);
both!(TwoMasks, BitAnd, bitand);
both!(TwoMasks, BitOr, bitor);

impl<F: Neg<Output = F>> Neg for Two<F> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(-self.0, -self.1)
    }
}

impl<M: Not<Output = M>> Not for TwoMasks<M> {
    type Output = Self;
    #[inline(always)]
    fn not(self) -> Self {
        Self(!self.0, !self.1)
    }
}

impl<M: LaneMask> LaneMask for TwoMasks<M> {
    #[inline(always)]
    fn any(self) -> bool {
        (self.0 | self.1).any()
    }
    #[inline(always)]
    fn all(self) -> bool {
        (self.0 & self.1).all()
    }
    #[inline(always)]
    fn bits(self) -> u32 {
        self.0.bits() | self.1.bits() << M::LEN
    }
    const LEN: usize = 2 * M::LEN;
}

macro_rules! each {
    ($($fn:ident($($arg:ident),*);)*) => {
        $(
            #[inline(always)]
            fn $fn(self $(, $arg: Self)*) -> Self {
                Self(self.0.$fn($($arg.0),*), self.1.$fn($($arg.1),*))
            }
        )*
    };
}

macro_rules! compare {
    ($($fn:ident)*) => {
        $(
            #[inline(always)]
            fn $fn(self, other: Self) -> Self::Mask {
                TwoMasks(self.0.$fn(other.0), self.1.$fn(other.1))
            }
        )*
    };
}

impl<F: BaseLanes<Level: BaseLevel>> Lanes for Two<F> {
    type Mask = TwoMasks<F::Mask>;
    type Level = Doubled<F::Level>;
    type Array = TwoArray;
    type Narrow = F::Narrow;
    const LEN: usize = 2 * F::LEN;

    #[inline(always)]
    fn level(self) -> Doubled<F::Level> {
        Doubled(self.0.level())
    }
    #[inline(always)]
    fn to_array(self) -> TwoArray {
        let mut lanes = [0.0; 16];
        let (lower, upper) = (self.0.to_array(), self.1.to_array());
        for (lane, &x) in lanes.iter_mut().zip(lower.as_ref().iter().chain(upper.as_ref())) {
            *lane = x;
        }
        TwoArray { lanes, len: Self::LEN }
    }
    #[inline(always)]
    fn store(self, out: &mut [f64]) {
        let middle = out.len().min(F::LEN);
        let (lower, upper) = out.split_at_mut_checked(middle).unwrap_or_default();
        self.0.store(lower);
        self.1.store(upper);
    }
    #[inline(always)]
    fn store_f32(self, out: &mut [f32]) {
        let middle = out.len().min(F::LEN);
        let (lower, upper) = out.split_at_mut_checked(middle).unwrap_or_default();
        self.0.store_f32(lower);
        self.1.store_f32(upper);
    }
    #[inline(always)]
    fn first(self) -> f64 {
        self.0.first()
    }
    each! {
        mul_add(b, c);
        mul_sub(b, c);
        neg_mul_add(b, c);
        residue(b, c);
        cancel(b, c);
        product_error(b, product);
        quotient(divisor);
        sqrt();
        inverse_sqrt();
        abs();
        round();
        fraction();
        ceil();
        floor();
        pow2();
        negate_where_odd(sum);
        min(other);
        max(other);
    }
    compare! { eq lt le }
    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        Self(F::select(mask.0, yes.0, no.0), F::select(mask.1, yes.1, no.1))
    }
    #[inline(always)]
    fn narrow(self) -> F::Narrow {
        F::narrow_pair(self.0, self.1)
    }
    #[inline(always)]
    fn product_fraction(self, d: Self, narrow: F::Narrow) -> F::Narrow {
        self.0.product_fraction_pair(d.0, d.1, narrow)
    }
    #[inline(always)]
    fn widen(narrow: F::Narrow) -> Self {
        let (lower, upper) = F::widen_pair(narrow);
        Self(lower, upper)
    }
    #[inline(always)]
    fn gather<T: Node>(self, table: &[T], mask: Self::Mask, other: Self) -> Self {
        Self(self.0.gather(table, mask.0, other.0), self.1.gather(table, mask.1, other.1))
    }
    #[inline(always)]
    fn load_rows(self, table: &[[f64; 4]]) -> [Self; 4] {
        let [a, b, c, d] = self.0.load_rows(table);
        let [e, f, g, h] = self.1.load_rows(table);
        [Self(a, e), Self(b, f), Self(c, g), Self(d, h)]
    }
    #[inline(always)]
    fn sum_rows<T: Node>(
        self,
        table: &[T],
        strides: [usize; 2],
        outer: [Self; 4],
        inner: [Self; 4],
    ) -> [Self; 4] {
        let [Self(o0, p0), Self(o1, p1), Self(o2, p2), Self(o3, p3)] = outer;
        let [Self(i0, j0), Self(i1, j1), Self(i2, j2), Self(i3, j3)] = inner;
        let [a, b, c, d] = self.0.sum_rows(table, strides, [o0, o1, o2, o3], [i0, i1, i2, i3]);
        let [e, f, g, h] = self.1.sum_rows(table, strides, [p0, p1, p2, p3], [j0, j1, j2, j3]);
        [Self(a, e), Self(b, f), Self(c, g), Self(d, h)]
    }
}
