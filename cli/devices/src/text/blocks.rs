//! Where a text evaluates each value: where all that read it can see it, and inside a branch if only one of them does.
//!
//! A select whose mask the formula asked about becomes a branch: what only its "yes" or only its "no" reads is evaluated
//! there alone.

use std::collections::HashMap;

use crate::recorded::Recorded;
use crate::tape::{Op, Tape, Value};

/// A block of a text, by its place in [`Blocks::parents`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block(usize);

/// The blocks of a formula's text.
#[derive(Debug)]
pub(super) struct Blocks {
    /// The block that a block is in, but for the first, which is the function itself.
    parents: Vec<Option<Block>>,
    /// The block of each value; `None` where nothing reads it.
    of_values: Vec<Option<Block>>,
    /// The blocks of the selects that are branches.
    branches: HashMap<Value, [Block; 2]>,
}

/// Operations for which a branch is not worth it.
const FEW: usize = 6;

impl Blocks {
    pub(super) const FUNCTION: Block = Block(0);

    pub(super) fn new(formula: &Recorded) -> Self {
        let tape = &formula.tape;
        let candidates = (0..).map_while(|i| tape.value(i)).filter(|&value| match tape.op(value) {
            Op::Select(mask, ..) => tape.is_asked(mask),
            _ => false,
        });
        let mut branches: Vec<Value> = candidates.collect();
        loop {
            let blocks = Self::with_branches(formula, &branches);
            let kept = branches.iter().copied().filter(|value| blocks.is_worth(tape, *value));
            let kept: Vec<Value> = kept.collect();
            if kept.len() == branches.len() {
                return blocks;
            }
            branches = kept;
        }
    }

    fn with_branches(formula: &Recorded, selects: &[Value]) -> Self {
        let tape = &formula.tape;
        let count = tape.ops().len();
        let mut blocks = Self { parents: vec![None], of_values: vec![None; count], branches: HashMap::new() };
        for &result in &formula.results {
            blocks.read(result, Self::FUNCTION);
        }
        for value in (0..count).rev().filter_map(|i| tape.value(i)) {
            let Some(block) = blocks.of_values[value.index()] else { continue };
            match tape.op(value) {
                Op::Select(mask, yes, no) if selects.contains(&value) => {
                    let inner = [blocks.inside(block), blocks.inside(block)];
                    blocks.branches.insert(value, inner);
                    blocks.read(mask, block);
                    blocks.read(yes, inner[0]);
                    blocks.read(no, inner[1]);
                }
                op => op.for_each_operand(|operand| blocks.read(operand, block)),
            }
        }
        blocks
    }

    fn inside(&mut self, parent: Block) -> Block {
        self.parents.push(Some(parent));
        Block(self.parents.len() - 1)
    }

    /// Something in `block` reads a value.
    fn read(&mut self, value: Value, block: Block) {
        let before = self.of_values[value.index()];
        self.of_values[value.index()] = Some(before.map_or(block, |before| self.common(before, block)));
    }

    /// The smallest block that holds both.
    fn common(&self, a: Block, b: Block) -> Block {
        let around = |block: Block| core::iter::successors(Some(block), |block| self.parents[block.0]);
        around(a).find(|&outer| around(b).any(|other| other == outer)).unwrap_or(Self::FUNCTION)
    }

    /// Whether enough work is inside a branch.
    fn is_worth(&self, tape: &Tape, select: Value) -> bool {
        let Some(inner) = self.branches.get(&select) else { return false };
        let is_inside = |block: Block| inner.iter().any(|&inner| self.common(inner, block) == inner);
        let inside = tape.ops().iter().zip(&self.of_values);
        let inside = inside.filter(|((op, _), block)| !op.is_immediate() && block.is_some_and(is_inside));
        let (count, reads) =
            inside.fold((0, false), |(n, reads), ((op, _), _)| (n + 1, reads || op.reads_nodes()));
        count >= FEW || reads
    }

    /// The blocks of a select that is a branch.
    pub(super) fn branch(&self, value: Value) -> Option<[Block; 2]> {
        self.branches.get(&value).copied()
    }

    /// The values of a block, without those of the blocks in it, in their order.
    pub(super) fn values<'t>(&'t self, tape: &'t Tape, block: Block) -> impl Iterator<Item = Value> + 't {
        let of_block = self.of_values.iter().enumerate().filter(move |(_, of)| **of == Some(block));
        of_block.filter_map(|(i, _)| tape.value(i)).filter(|&value| !tape.op(value).is_immediate())
    }
}
