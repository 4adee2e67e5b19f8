//! A level whose vectors are symbols: a formula that runs on it is recorded on a [`Tape`](crate::tape::Tape).
//!
//! A mask is a symbol, too. It says "no" to [`LaneMask::all`] and "yes" to [`LaneMask::any`], so that the general way of a
//! formula is recorded, which is right for all lanes; the masks that were asked become branches of the text.

use core::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

use widebragg::lanes::{LaneMask, Lanes, Lanes32, Level, Node, Simd};

use crate::tape::{self, Binary, Fused, Op, Type, Unary, Value};

/// The level token.
#[derive(Debug, Clone, Copy)]
pub struct Recorder;

/// An f64.
#[derive(Debug, Clone, Copy)]
pub struct Symbol(pub Value);

/// An f32.
#[derive(Debug, Clone, Copy)]
pub struct Symbol32(pub Value);

/// A truth value.
#[derive(Debug, Clone, Copy)]
pub struct SymbolMask(pub Value);

/// A number that a formula is given.
#[must_use]
pub fn argument(index: u32) -> Symbol {
    Symbol(tape::push(Op::Argument(index), Type::Double))
}

/// What no formula of a pixel does, since it has no place in a text for one pixel.
fn not_in_formulas(what: &str) -> ! {
    unreachable!("no formula of a pixel may {what}")
}

impl Level for Recorder {
    type F = Symbol;

    fn simd(self) -> Simd {
        not_in_formulas("run anything at a level of the processor")
    }
    fn splat(self, x: f64) -> Symbol {
        Symbol(tape::push(Op::Double(x.to_bits()), Type::Double))
    }
    fn ramp(self, _: f64, _: f64) -> Symbol {
        not_in_formulas("know its neighbours")
    }
    fn load(self, _: &[f64], _: f64) -> Symbol {
        not_in_formulas("load pixels")
    }
}

macro_rules! operator {
    ($symbol:ident, $type:ident: $($trait:ident $fn:ident $op:ident),*) => {
        $(
            impl $trait for $symbol {
                type Output = Self;
                fn $fn(self, other: Self) -> Self {
                    Self(tape::push(Op::Binary(Binary::$op, self.0, other.0), Type::$type))
                }
            }
        )*
    };
}

operator!(Symbol, Double: Add add Add, Sub sub Subtract, Mul mul Multiply, Div div Divide);
operator!(Symbol32, Single: Add add Add, Sub sub Subtract, Mul mul Multiply, Div div Divide);
operator!(SymbolMask, Truth: BitAnd bitand And, BitOr bitor Or);

impl Neg for Symbol {
    type Output = Self;
    fn neg(self) -> Self {
        self.unary(Unary::Negate)
    }
}

impl Not for SymbolMask {
    type Output = Self;
    fn not(self) -> Self {
        Self(tape::push(Op::Unary(Unary::Not, self.0), Type::Truth))
    }
}

impl LaneMask for SymbolMask {
    const LEN: usize = 1;

    fn any(self) -> bool {
        tape::ask(self.0);
        true
    }
    fn all(self) -> bool {
        tape::ask(self.0);
        false
    }
    fn bits(self) -> u32 {
        not_in_formulas("look into a mask")
    }
    fn count(self, _: usize) -> u32 {
        tape::count(self.0);
        0
    }
}

impl Symbol {
    fn unary(self, op: Unary) -> Self {
        Self(tape::push(Op::Unary(op, self.0), Type::Double))
    }
    fn binary(self, op: Binary, other: Self) -> Self {
        Self(tape::push(Op::Binary(op, self.0, other.0), Type::Double))
    }
    fn fused(self, op: Fused, b: Self, c: Self) -> Self {
        Self(tape::push(Op::Fused(op, self.0, b.0, c.0), Type::Double))
    }
    fn compare(self, op: Binary, other: Self) -> SymbolMask {
        SymbolMask(tape::push(Op::Binary(op, self.0, other.0), Type::Truth))
    }
}

impl Lanes for Symbol {
    type Mask = SymbolMask;
    type Level = Recorder;
    type Array = [f64; 1];
    type Narrow = Symbol32;
    const LEN: usize = 1;

    fn level(self) -> Recorder {
        Recorder
    }
    fn to_array(self) -> [f64; 1] {
        not_in_formulas("look into a vector")
    }
    fn store(self, _: &mut [f64]) {
        not_in_formulas("store pixels")
    }
    fn first(self) -> f64 {
        not_in_formulas("look into a vector")
    }
    fn mul_add(self, b: Self, c: Self) -> Self {
        self.fused(Fused::MultiplyAdd, b, c)
    }
    fn mul_sub(self, b: Self, c: Self) -> Self {
        self.fused(Fused::MultiplySubtract, b, c)
    }
    fn neg_mul_add(self, b: Self, c: Self) -> Self {
        self.fused(Fused::NegateMultiplyAdd, b, c)
    }
    fn residue(self, _: Self, _: Self) -> Self {
        not_in_formulas("need a product to twice its digits")
    }
    fn product_error(self, _: Self, _: Self) -> Self {
        not_in_formulas("need a product to twice its digits")
    }
    fn sqrt(self) -> Self {
        self.unary(Unary::Sqrt)
    }
    fn abs(self) -> Self {
        self.unary(Unary::Abs)
    }
    fn round(self) -> Self {
        self.unary(Unary::Round)
    }
    fn ceil(self) -> Self {
        self.unary(Unary::Ceil)
    }
    fn floor(self) -> Self {
        self.unary(Unary::Floor)
    }
    fn pow2(self) -> Self {
        self.unary(Unary::Pow2)
    }
    fn negate_where_odd(self, _: Self) -> Self {
        not_in_formulas("look at bits")
    }
    fn min(self, other: Self) -> Self {
        self.binary(Binary::Min, other)
    }
    fn max(self, other: Self) -> Self {
        self.binary(Binary::Max, other)
    }
    fn eq(self, other: Self) -> SymbolMask {
        self.compare(Binary::Equal, other)
    }
    fn lt(self, other: Self) -> SymbolMask {
        self.compare(Binary::Less, other)
    }
    fn le(self, other: Self) -> SymbolMask {
        self.compare(Binary::LessOrEqual, other)
    }
    fn select(mask: SymbolMask, yes: Self, no: Self) -> Self {
        Self(tape::push(Op::Select(mask.0, yes.0, no.0), Type::Double))
    }
    fn narrow(self) -> Symbol32 {
        Symbol32(tape::push(Op::Unary(Unary::Narrow, self.0), Type::Single))
    }
    fn product_fraction(self, d: Self, _: Symbol32) -> Symbol32 {
        Symbol32(tape::push(Op::Binary(Binary::ProductFraction, self.0, d.0), Type::Single))
    }
    fn widen(narrow: Symbol32) -> Self {
        Self(tape::push(Op::Unary(Unary::Widen, narrow.0), Type::Double))
    }
    fn gather<T: Node>(self, _: &[T], mask: SymbolMask, other: Self) -> Self {
        Self(tape::push(Op::Gather(self.0, mask.0, other.0), Type::Double))
    }
    fn load_rows(self, _: &[[f64; 4]]) -> [Self; 4] {
        not_in_formulas("read another table than that of the nodes")
    }
    fn sum_rows<T: Node>(self, _: &[T], _: [usize; 2], outer: [Self; 4], inner: [Self; 4]) -> [Self; 4] {
        let values = |weights: [Self; 4]| weights.map(|Self(value)| value);
        let rows = tape::push(Op::Rows(self.0, values(outer), values(inner)), Type::Double);
        [0, 1, 2, 3].map(|sum| Self(tape::push(Op::RowSum(rows, sum), Type::Double)))
    }
}

impl Lanes32 for Symbol32 {
    fn splat_like(self, x: f32) -> Self {
        Self(tape::push(Op::Single(x.to_bits()), Type::Single))
    }
    fn mul_add(self, b: Self, c: Self) -> Self {
        Self(tape::push(Op::Fused(Fused::MultiplyAdd, self.0, b.0, c.0), Type::Single))
    }
    fn max(self, other: Self) -> Self {
        Self(tape::push(Op::Binary(Binary::Max, self.0, other.0), Type::Single))
    }
    /// Always `false`: a text remembers no nodes of the step before, for which the offsets would be looked at.
    fn all_below(self, _: f32) -> bool {
        false
    }
}
