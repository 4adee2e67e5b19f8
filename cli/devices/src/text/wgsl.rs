//! WGSL with f64, for devices of Vulkan.
//!
//! Products and sums are rounded separately, as at the portable level
//! ([`Rounding::Separate`](crate::interpreter::Rounding::Separate)), because WGSL does not say whether `fma` rounds once.

use core::fmt::Write;

use widebragg::formulas::StepFormula;

use super::function::{Language, constants, decimal, write_function};
use crate::recorded::{GROUPS, Group, record_all};
use crate::tape::{Binary, Fused, Type, Unary};

/// The name of the program's entry point.
pub const ENTRY_POINT: &str = "render";

/// Pixels of a row that a group of the program renders.
pub const GROUP_PIXELS: u32 = 64;

/// The program that renders pixels whose steps have a formula.
///
/// It needs f64 and integers of 64 bits. Its buffers are those of `loop.wgsl` and `nodes.wgsl`: nodes are bound twice, as f64 and
/// as f32, which only buffers that are not written can be. So pixels are always f64; those of f32 are narrowed on the processor.
#[must_use]
pub fn program(step: StepFormula) -> String {
    let mut text = String::new();
    for (name, value) in constants() {
        let _ = writeln!(text, "const {name}: u32 = {value};");
    }
    let _ = writeln!(text, "const GROUP_PIXELS: u32 = {GROUP_PIXELS};");
    text += "\nstruct Step { f_latt: f64, amplitude: f64, fallback: bool }\n";
    text.extend(GROUPS.iter().map(Wgsl::group));
    text += include_str!("nodes.wgsl");
    for formula in &record_all(step) {
        write_function::<Wgsl>(&mut text, formula);
    }
    text += include_str!("loop.wgsl");
    text
}

struct Wgsl;

impl Language for Wgsl {
    fn type_name(of: Type) -> &'static str {
        match of {
            Type::Double => "f64",
            Type::Single => "f32",
            Type::Truth => "bool",
        }
    }

    fn head(name: &str, parameters: &[(&str, &str)], returns: &str) -> String {
        let parameters: Vec<String> = parameters.iter().map(|(of, name)| format!("{name}: {of}")).collect();
        format!("fn {name}({}) -> {returns}", parameters.join(", "))
    }

    fn define(_: &str, name: &str, value: &str) -> String {
        format!("let {name} = {value};")
    }

    fn declare(of: &str, name: &str) -> String {
        format!("var {name}: {of};")
    }

    fn group(Group { name, numbers }: &Group) -> String {
        let fields: Vec<String> = numbers.iter().map(|number| format!("{number}: f64")).collect();
        let values: Vec<String> = (0..numbers.len()).map(|i| format!("tables[at + {i}]")).collect();
        format!(
            "\nstruct {name} {{ {} }}\nfn load_{}(at: u32) -> {name}\n{{\n    return {name}({});\n}}\n",
            fields.join(", "),
            name.to_lowercase(),
            values.join(", ")
        )
    }

    fn return_group(of: &str, _: &[&str], values: &[String]) -> String {
        format!("    return {of}({});\n", values.join(", "))
    }

    /// There is no word for NaN and infinity, which only tables hold.
    fn double(x: f64) -> String {
        debug_assert!(x.is_finite(), "{x}");
        decimal(x, "lf")
    }

    fn single(x: f32) -> String {
        decimal(x, "f")
    }

    fn unary(op: Unary, a: &str) -> String {
        match op {
            Unary::Negate => format!("-{a}"),
            Unary::Not => format!("!{a}"),
            Unary::Sqrt => format!("sqrt({a})"),
            Unary::Abs => format!("abs({a})"),
            Unary::Round => format!("round({a})"),
            Unary::Ceil => format!("ceil({a})"),
            Unary::Floor => format!("floor({a})"),
            Unary::Pow2 => format!("pow2({a})"),
            Unary::Narrow => format!("f32({a})"),
            Unary::Widen => format!("f64({a})"),
        }
    }

    fn binary(op: Binary, a: &str, b: &str) -> String {
        match op {
            Binary::Add => format!("{a} + {b}"),
            Binary::Subtract => format!("{a} - {b}"),
            Binary::Multiply => format!("{a} * {b}"),
            Binary::Divide => format!("{a} / {b}"),
            Binary::Min => format!("select({b}, {a}, {a} < {b})"),
            Binary::Max => format!("select({b}, {a}, {b} < {a})"),
            Binary::Equal => format!("{a} == {b}"),
            Binary::Less => format!("{a} < {b}"),
            Binary::LessOrEqual => format!("{a} <= {b}"),
            // Both operands are there already: these do not branch.
            Binary::And => format!("{a} & {b}"),
            Binary::Or => format!("{a} | {b}"),
            Binary::ProductFraction => format!("product_fraction({a}, {b})"),
        }
    }

    fn fused(op: Fused, a: &str, b: &str, c: &str) -> String {
        match op {
            Fused::MultiplyAdd => format!("{a} * {b} + {c}"),
            Fused::MultiplySubtract => format!("{a} * {b} - {c}"),
            Fused::NegateMultiplyAdd => format!("{c} - {a} * {b}"),
        }
    }

    fn select(mask: &str, yes: &str, no: &str) -> String {
        format!("select({no}, {yes}, {mask})")
    }

    fn gather(index: &str, mask: &str, other: &str) -> String {
        format!("node_or(nodes, {index}, {mask}, {other})")
    }

    fn row_sum(rows: &str, sum: u8) -> String {
        format!("{rows}[{sum}]")
    }
}

#[cfg(test)]
mod tests {
    use widebragg::formulas::{LatticeFormula, LookupFormula, StepFormula};

    use super::program;
    use crate::text::hashes;

    /// The texts are those that gave the interpreter's bits on a device, in `tests/vulkan.rs`. Where they have been changed, run that
    /// test, and then put the hashes that this one prints into `wgsl.hashes`.
    #[test]
    fn texts_are_those_that_were_checked_on_a_device() {
        let hashes = hashes(program);
        assert!(hashes == include_str!("wgsl.hashes"), "\n{hashes}");
    }

    #[test]
    fn operations_have_the_words_of_wgsl() {
        let text = program(StepFormula { lattice: LatticeFormula::Gauss, lookup: LookupFormula::Tricubic });
        for words in [
            "fn direction(columns: Columns, line_m: Vector, fast: f64, sub_fast: f64) -> Direction\n{",
            "struct Vector { x: f64, y: f64, z: f64 }",
            "= pow2(v",
            "= sum_rows(nodes, grid, v",
            "let v13 = columns.fast_x * v12 + line_m.x;",
            "return Direction(v22, v23, v24, v21);",
            "const AT_BACKGROUND: u32 = ",
        ] {
            assert!(text.contains(words), "{words}");
        }
        assert!(!text.contains("fma("));
    }
}
