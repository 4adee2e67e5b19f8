//! Evaluates recorded formulas on the processor, operation by operation: slow, and independent of drivers and of vectors.

use crate::recorded::Recorded;
use crate::tape::{Binary, Fused, Op, Tape, Type, Unary, Value};

/// How a processor rounds a product and a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// Once, as the SIMD levels with fused multiply-add do.
    Fused,
    /// Each by itself, as the portable level does.
    Separate,
}

impl Rounding {
    /// `fused` or `separate`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fused => "fused",
            Self::Separate => "separate",
        }
    }
}

/// The nodes of a grid of structure factors.
#[derive(Debug, Clone, Copy)]
pub struct NodeTable<'t> {
    /// The values.
    pub nodes: &'t [f64],
    /// Nodes from one h to the next, and from one k to the next.
    pub strides: [usize; 2],
}

/// Evaluates formulas with one rounding. An f32 is kept as the f64 of the same value, a truth value as 1 or 0.
#[derive(Debug)]
pub struct Interpreter {
    rounding: Rounding,
    values: Vec<f64>,
    rows: Vec<[f64; 4]>,
}

impl Interpreter {
    /// An interpreter that rounds like this.
    #[must_use]
    pub fn new(rounding: Rounding) -> Self {
        Self { rounding, values: Vec::new(), rows: Vec::new() }
    }

    /// The results of a formula, given the numbers of its parameters one after the other.
    pub fn evaluate<const N: usize>(
        &mut self,
        formula: &Recorded,
        arguments: &[&[f64]],
        table: NodeTable<'_>,
    ) -> [f64; N] {
        let arguments: Vec<f64> = arguments.concat();
        self.values.clear();
        self.rows.clear();
        for &(op, of) in formula.tape.ops() {
            let value = self.value(&formula.tape, op, of, &arguments, table);
            self.values.push(value);
        }
        let mut results = [0.0; N];
        results.iter_mut().zip(&formula.results).for_each(|(result, &value)| *result = self.get(value));
        results
    }

    fn get(&self, value: Value) -> f64 {
        self.values[value.index()]
    }

    fn value(&mut self, tape: &Tape, op: Op, of: Type, arguments: &[f64], table: NodeTable<'_>) -> f64 {
        match op {
            Op::Argument(index) => arguments[index as usize],
            Op::Double(bits) => f64::from_bits(bits),
            Op::Single(bits) => f64::from(f32::from_bits(bits)),
            Op::Truth(truth) => truth.into(),
            Op::Unary(op, a) => unary(op, self.get(a)),
            Op::Binary(Binary::ProductFraction, a, b) => self.product_fraction(self.get(a), self.get(b)),
            Op::Binary(op, a, b) if of == Type::Single => {
                binary32(op, self.get(a) as f32, self.get(b) as f32)
            }
            Op::Binary(op, a, b) => {
                debug_assert_ne!(tape.type_of(a), Type::Single, "f32 are not compared");
                binary(op, self.get(a), self.get(b))
            }
            Op::Fused(op, a, b, c) if of == Type::Single => {
                let [a, b, c] = [a, b, c].map(|value| self.get(value) as f32);
                f64::from(self.multiply_add32(op, a, b, c))
            }
            Op::Fused(op, a, b, c) => self.multiply_add(op, self.get(a), self.get(b), self.get(c)),
            Op::Select(mask, yes, no) => self.get(if self.get(mask) != 0.0 { yes } else { no }),
            Op::Gather(index, mask, other) => {
                let node = |index: f64| (index >= 0.0).then(|| table.nodes.get(index as usize)).flatten();
                let inside = self.get(mask) != 0.0;
                node(self.get(index)).filter(|_| inside).copied().unwrap_or_else(|| self.get(other))
            }
            Op::Rows(start, outer, inner) => {
                let weights = |values: [Value; 4]| values.map(|value| self.get(value));
                let sums = self.sum_rows(table, self.get(start), weights(outer), weights(inner));
                self.rows.push(sums);
                self.rows.len() as f64 - 1.0
            }
            Op::RowSum(rows, sum) => self.rows[self.get(rows) as usize][usize::from(sum)],
        }
    }

    fn multiply_add(&self, op: Fused, a: f64, b: f64, c: f64) -> f64 {
        match (op, self.rounding) {
            (Fused::MultiplyAdd, Rounding::Fused) => a.mul_add(b, c),
            (Fused::MultiplySubtract, Rounding::Fused) => a.mul_add(b, -c),
            (Fused::NegateMultiplyAdd, Rounding::Fused) => (-a).mul_add(b, c),
            (Fused::MultiplyAdd, Rounding::Separate) => a * b + c,
            (Fused::MultiplySubtract, Rounding::Separate) => a * b - c,
            (Fused::NegateMultiplyAdd, Rounding::Separate) => c - a * b,
        }
    }

    fn multiply_add32(&self, op: Fused, a: f32, b: f32, c: f32) -> f32 {
        debug_assert_eq!(op, Fused::MultiplyAdd, "f32 are only added");
        match self.rounding {
            Rounding::Fused => a.mul_add(b, c),
            Rounding::Separate => a * b + c,
        }
    }

    fn product_fraction(&self, a: f64, b: f64) -> f64 {
        let magic = widebragg::lanes::ROUND_BY_ADDING;
        let turns = self.multiply_add(Fused::MultiplyAdd, a, b, magic) - magic;
        f64::from(self.multiply_add(Fused::MultiplySubtract, a, b, turns) as f32)
    }

    fn sum_rows(&self, table: NodeTable<'_>, start: f64, outer: [f64; 4], inner: [f64; 4]) -> [f64; 4] {
        let [stride_h, stride_k] = table.strides;
        let inside = start >= 0.0 && table.nodes.len() >= 3 * (stride_h + stride_k) + 4 + start as usize;
        if !inside {
            return [0.0; 4];
        }
        [0, 1, 2, 3].map(|along_l| {
            let mut sum = 0.0;
            for (i, outer) in outer.into_iter().enumerate() {
                let mut plane = 0.0;
                for (j, inner) in inner.into_iter().enumerate() {
                    let node = table.nodes[start as usize + i * stride_h + j * stride_k + along_l];
                    let first = j == 0;
                    plane = if first {
                        inner * node
                    } else {
                        self.multiply_add(Fused::MultiplyAdd, inner, node, plane)
                    };
                }
                sum = if i == 0 {
                    outer * plane
                } else {
                    self.multiply_add(Fused::MultiplyAdd, outer, plane, sum)
                };
            }
            sum
        })
    }
}

fn unary(op: Unary, a: f64) -> f64 {
    match op {
        Unary::Negate => -a,
        Unary::Not => f64::from(a == 0.0),
        Unary::Sqrt => a.sqrt(),
        Unary::Abs => a.abs(),
        Unary::Round => a.round_ties_even(),
        Unary::Ceil => a.ceil(),
        Unary::Floor => a.floor(),
        // The low bits of this sum are the biased exponent.
        Unary::Pow2 => f64::from_bits((a + (widebragg::lanes::ROUND_BY_ADDING + 1023.0)).to_bits() << 52),
        Unary::Narrow => f64::from(a as f32),
        Unary::Widen => a,
    }
}

fn binary(op: Binary, a: f64, b: f64) -> f64 {
    match op {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        Binary::Divide => a / b,
        Binary::Min => {
            if a < b {
                a
            } else {
                b
            }
        }
        Binary::Max => {
            if b < a {
                a
            } else {
                b
            }
        }
        Binary::Equal => f64::from(a == b),
        Binary::Less => f64::from(a < b),
        Binary::LessOrEqual => f64::from(a <= b),
        Binary::And => a * b,
        Binary::Or => a.max(b),
        Binary::ProductFraction => unreachable!("is evaluated with the interpreter's rounding"),
    }
}

fn binary32(op: Binary, a: f32, b: f32) -> f64 {
    f64::from(match op {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        Binary::Divide => a / b,
        Binary::Max => {
            if b < a {
                a
            } else {
                b
            }
        }
        _ => unreachable!("no f32 are combined like this"),
    })
}
