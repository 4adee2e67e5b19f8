//! Recorded formulas as source text.

#[cfg(test)]
use widebragg::formulas::StepFormula;

mod blocks;
pub mod c;
mod function;
#[cfg(feature = "vulkan")]
pub mod spirv;
pub mod wgsl;

pub use c::{Dialect, program};

/// The hashes of the programs of all formulas, a line each.
#[cfg(test)]
fn hashes(program: impl Fn(StepFormula) -> String) -> String {
    let line = |formula @ StepFormula { lattice, lookup }: StepFormula| {
        format!("{:016x} {lattice} {lookup}\n", crate::cache::hash(&[&program(formula)]))
    };
    StepFormula::all().map(line).collect()
}
