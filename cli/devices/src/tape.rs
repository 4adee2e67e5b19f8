//! A tape: the operations that a formula consists of, in the order in which it made them.

use core::cell::RefCell;
use std::collections::HashMap;

/// An operation's place on its tape, which stands for its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(u32);

impl Value {
    /// The place as an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The type of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// f64.
    Double,
    /// f32.
    Single,
    /// A truth value.
    Truth,
}

/// An operation on one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unary {
    /// -a.
    Negate,
    /// Not a.
    Not,
    /// Square root, correctly rounded.
    Sqrt,
    /// |a|.
    Abs,
    /// Nearest integer, ties to even.
    Round,
    /// Smallest integer not below a.
    Ceil,
    /// Largest integer not above a.
    Floor,
    /// 2^a of an integer in -1022..=1023.
    Pow2,
    /// An f64 rounded to f32.
    Narrow,
    /// An f32 as f64.
    Widen,
}

/// An operation on two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Binary {
    /// a + b.
    Add,
    /// a - b.
    Subtract,
    /// a b.
    Multiply,
    /// a/b.
    Divide,
    /// The smaller one; b where either is NaN.
    Min,
    /// The larger one; b where either is NaN.
    Max,
    /// a = b.
    Equal,
    /// a < b.
    Less,
    /// a <= b.
    LessOrEqual,
    /// Both.
    And,
    /// Either.
    Or,
    /// The f64 product less its nearest integer, as f32.
    ProductFraction,
}

/// An operation on three values, with one rounding where a device fuses and with two where it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fused {
    /// a b + c.
    MultiplyAdd,
    /// a b - c.
    MultiplySubtract,
    /// c - a b.
    NegateMultiplyAdd,
}

/// An operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// The argument with this index.
    Argument(u32),
    /// The f64 with these bits.
    Double(u64),
    /// The f32 with these bits.
    Single(u32),
    /// A truth value.
    Truth(bool),
    /// Of one value.
    Unary(Unary, Value),
    /// Of two values.
    Binary(Binary, Value, Value),
    /// Of three values.
    Fused(Fused, Value, Value, Value),
    /// The first value where the mask is true, else the second.
    Select(Value, Value, Value),
    /// The node with this index where the mask is true, else the second value.
    Gather(Value, Value, Value),
    /// The sums over 4 x 4 rows of nodes, from this one on, with four outer and four inner weights.
    Rows(Value, [Value; 4], [Value; 4]),
    /// One of these four sums.
    RowSum(Value, u8),
}

impl Op {
    /// Calls `use_of` for each value that the operation reads.
    pub fn for_each_operand(&self, mut use_of: impl FnMut(Value)) {
        match *self {
            Self::Argument(_) | Self::Double(_) | Self::Single(_) | Self::Truth(_) => {}
            Self::Unary(_, a) | Self::RowSum(a, _) => use_of(a),
            Self::Binary(_, a, b) => [a, b].into_iter().for_each(use_of),
            Self::Fused(_, a, b, c) | Self::Select(a, b, c) | Self::Gather(a, b, c) => {
                [a, b, c].into_iter().for_each(use_of);
            }
            Self::Rows(start, outer, inner) => {
                [start].into_iter().chain(outer).chain(inner).for_each(use_of);
            }
        }
    }

    /// Whether the operation reads the table of nodes.
    #[must_use]
    pub fn reads_nodes(&self) -> bool {
        matches!(self, Self::Gather(..) | Self::Rows(..))
    }

    /// Whether the operation is a number that texts write where it is used.
    #[must_use]
    pub fn is_immediate(&self) -> bool {
        matches!(self, Self::Argument(_) | Self::Double(_) | Self::Single(_) | Self::Truth(_))
    }
}

/// The operations of a formula. Equal operations are recorded once.
#[derive(Debug, Clone, Default)]
pub struct Tape {
    ops: Vec<(Op, Type)>,
    known: HashMap<(Op, Type), Value>,
    /// Masks that the formula asked about, to leave out work.
    asked: Vec<Value>,
    /// Masks whose lanes the formula counted.
    counted: Vec<Value>,
}

thread_local!(static RECORDING: RefCell<Tape> = RefCell::default());

impl Tape {
    /// The tape of what `formula` does on symbols, and what it returns.
    pub fn record<R>(formula: impl FnOnce() -> R) -> (Self, R) {
        RECORDING.set(Self::default());
        let result = formula();
        (RECORDING.take(), result)
    }

    /// The operations and the types of their results.
    #[must_use]
    pub fn ops(&self) -> &[(Op, Type)] {
        &self.ops
    }

    /// The value at a place; `None` past the end.
    #[must_use]
    pub fn value(&self, index: usize) -> Option<Value> {
        (index < self.ops.len()).then_some(Value(index as u32))
    }

    /// The operation of a value.
    #[must_use]
    pub fn op(&self, value: Value) -> Op {
        self.ops[value.index()].0
    }

    /// The type of a value.
    #[must_use]
    pub fn type_of(&self, value: Value) -> Type {
        self.ops[value.index()].1
    }

    /// Whether the formula asked about a mask, or about its opposite.
    #[must_use]
    pub fn is_asked(&self, mask: Value) -> bool {
        let opposite = |asked: &Value| {
            self.op(*asked) == Op::Unary(Unary::Not, mask) || self.op(mask) == Op::Unary(Unary::Not, *asked)
        };
        self.asked.iter().any(|asked| *asked == mask || opposite(asked))
    }

    fn push(&mut self, op: Op, of: Type) -> Value {
        *self.known.entry((op, of)).or_insert_with(|| {
            self.ops.push((op, of));
            Value(self.ops.len() as u32 - 1)
        })
    }
}

/// Records an operation.
pub(crate) fn push(op: Op, of: Type) -> Value {
    RECORDING.with_borrow_mut(|tape| tape.push(op, of))
}

/// Records that the formula asked about a mask.
pub(crate) fn ask(mask: Value) {
    RECORDING.with_borrow_mut(|tape| tape.asked.push(mask));
}

/// Records that the formula counted a mask's lanes.
pub(crate) fn count(mask: Value) {
    RECORDING.with_borrow_mut(|tape| tape.counted.push(mask));
}

/// The masks whose lanes have been counted so far.
pub(crate) fn counted() -> Vec<Value> {
    RECORDING.with_borrow(|tape| tape.counted.clone())
}
