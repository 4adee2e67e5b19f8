//! WGSL as SPIR-V in which every sum, product and quotient is rounded by itself.
//!
//! A driver may contract products and sums, and shorten (x + c) - c to x, wherever it is not told that it must not. WGSL has no
//! words for that; SPIR-V has the decoration `NoContraction`, which naga does not write.

use naga::back::spv;
use naga::front::wgsl;
use naga::valid::{Capabilities, ValidationFlags, Validator};

/// The words of a module.
///
/// # Errors
/// What naga finds wrong with the text, in one line.
pub fn module(text: &str) -> Result<Vec<u32>, String> {
    let module = wgsl::parse_str(text).map_err(|error| {
        let line = error.location(text).map_or(0, |location| location.line_number);
        format!("line {line}: {}", error.message())
    })?;
    let mut validator =
        Validator::new(ValidationFlags::all(), Capabilities::FLOAT64 | Capabilities::SHADER_INT64);
    let info = validator.validate(&module).map_err(|error| one_line(error.as_inner()))?;
    // Loops end and indices are in bounds by what the tables hold, as in the texts of other languages.
    let options = spv::Options {
        lang_version: (1, 3),
        flags: spv::WriterFlags::empty(),
        force_loop_bounding: false,
        ..Default::default()
    };
    let words = spv::write_vec(&module, &info, &options, None).map_err(|error| one_line(&error))?;
    Ok(without_contraction(words))
}

/// An error and its causes.
pub(crate) fn one_line(error: &dyn core::error::Error) -> String {
    let causes = core::iter::successors(Some(error), |error| error.source());
    let causes = causes.map(|error| error.to_string().split_whitespace().collect::<Vec<_>>().join(" "));
    causes.collect::<Vec<_>>().join(": ")
}

/// Words of a module before its first instruction.
const HEADER: usize = 5;

const OP_DECORATE: u32 = 71;
const NO_CONTRACTION: u32 = 42;

/// Whether an operation code is one of the types and constants, which follow the decorations.
fn is_declaration(op: u32) -> bool {
    matches!(op, 19..=39 | 41..=52)
}

/// Whether an operation code is one of those that round: OpFAdd, OpFSub, OpFMul, OpFDiv, OpVectorTimesScalar.
fn rounds(op: u32) -> bool {
    matches!(op, 129 | 131 | 133 | 136 | 142)
}

/// A module with `NoContraction` at every operation that rounds.
fn without_contraction(mut words: Vec<u32>) -> Vec<u32> {
    let (mut at, mut declarations, mut decorations) = (HEADER, None, Vec::new());
    while let Some(&first) = words.get(at) {
        // The number of words, and the code.
        let (len, op) = (first >> 16, first & 0xffff);
        if is_declaration(op) {
            declarations.get_or_insert(at);
        }
        if rounds(op)
            && let Some(&result) = words.get(at + 2)
        {
            decorations.extend([3 << 16 | OP_DECORATE, result, NO_CONTRACTION]);
        }
        at += len.max(1) as usize;
    }
    let declarations = declarations.unwrap_or(words.len());
    words.splice(declarations..declarations, decorations);
    words
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use widebragg::formulas::{LatticeFormula, LookupFormula, StepFormula};

    use super::{HEADER, NO_CONTRACTION, OP_DECORATE, is_declaration, module, rounds};
    use crate::text::wgsl;

    /// The instructions of a module, each with its code and its operands.
    fn instructions(mut words: &[u32]) -> Vec<(u32, &[u32])> {
        let mut instructions = Vec::new();
        while let [first, ..] = words {
            let (instruction, rest) = words.split_at((first >> 16) as usize);
            instructions.push((first & 0xffff, &instruction[1..]));
            words = rest;
        }
        instructions
    }

    #[test]
    fn every_text_is_valid_and_rounds_as_it_says() {
        for &lattice in LatticeFormula::ALL {
            for &lookup in LookupFormula::ALL {
                let words = module(&wgsl::program(StepFormula { lattice, lookup })).expect("a valid text");
                let instructions = instructions(&words[HEADER..]);
                let first_type =
                    instructions.iter().position(|&(op, _)| is_declaration(op)).expect("declarations");
                let exact: HashSet<u32> = instructions[..first_type]
                    .iter()
                    .filter(|(op, operands)| *op == OP_DECORATE && operands[1] == NO_CONTRACTION)
                    .map(|(_, operands)| operands[0])
                    .collect();
                let rounded: HashSet<u32> = instructions
                    .iter()
                    .filter(|(op, _)| rounds(*op))
                    .map(|(_, operands)| operands[1])
                    .collect();
                assert_eq!(exact, rounded, "{lattice} {lookup}");
                assert!(rounded.len() > 100, "{lattice} {lookup}");
            }
        }
    }

    #[test]
    fn errors_are_one_line() {
        let error = module("fn a() -> f64\n{\n    return b;\n}").expect_err("an unknown name");
        assert_eq!(error, "line 3: no definition in scope for identifier: `b`");
        let error = module("fn a() -> f64 { return 1.0f; }").expect_err("a wrong type");
        assert!(!error.contains('\n'), "{error}");
    }
}
