//! OpenCL C and CUDA C, which differ in a few words.

use core::fmt::Write;

use widebragg::formulas::StepFormula;

use super::function::{Language, constants, decimal, write_function};
use crate::recorded::{GROUPS, Group, record_all};
use crate::tables::{COUNTS, NUMBERS_LENGTH};
use crate::tape::{Binary, Fused, Type, Unary};

/// A dialect of C.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenCL C 1.2.
    OpenCl,
    /// CUDA C++.
    Cuda,
}

impl Dialect {
    fn words(self) -> &'static str {
        match self {
            Self::OpenCl => include_str!("opencl.h"),
            Self::Cuda => include_str!("cuda.h"),
        }
    }
}

/// The program that renders pixels whose steps have a formula.
#[must_use]
pub fn program(dialect: Dialect, step: StepFormula) -> String {
    let mut text = String::from(dialect.words());
    for (name, value) in constants() {
        let _ = writeln!(text, "#define {name} {value}");
    }
    for (name, length) in [("COUNTS_LENGTH", COUNTS.len()), ("NUMBERS_LENGTH", NUMBERS_LENGTH)] {
        let _ = writeln!(text, "#define {name} {length}");
    }
    text += "\ntypedef struct { double f_latt, amplitude; bool fallback; } Step;\n";
    text.extend(GROUPS.iter().map(C::group));
    text += include_str!("nodes.c");
    for formula in &record_all(step) {
        write_function::<C>(&mut text, formula);
    }
    text += include_str!("loop.c");
    text
}

/// What both dialects write alike.
struct C;

impl Language for C {
    fn type_name(of: Type) -> &'static str {
        match of {
            Type::Double => "double",
            Type::Single => "float",
            Type::Truth => "bool",
        }
    }

    fn head(name: &str, parameters: &[(&str, &str)], returns: &str) -> String {
        let parameters: Vec<String> = parameters.iter().map(|(of, name)| format!("{of} {name}")).collect();
        format!("INLINE {returns} {name}({})", parameters.join(", "))
    }

    fn define(of: &str, name: &str, value: &str) -> String {
        format!("{of} {name} = {value};")
    }

    fn declare(of: &str, name: &str) -> String {
        format!("{of} {name};")
    }

    fn group(Group { name, numbers }: &Group) -> String {
        let lower = name.to_lowercase();
        let mut text = format!("\ntypedef struct {{ double {}; }} {name};\n", numbers.join(", "));
        let _ = writeln!(text, "INLINE {name} load_{lower}(GLOBAL const double *from)\n{{\n    {name} to;");
        for (i, number) in numbers.iter().enumerate() {
            let _ = writeln!(text, "    to.{number} = from[{i}];");
        }
        text + "    return to;\n}\n"
    }

    fn return_group(of: &str, fields: &[&str], values: &[String]) -> String {
        let mut text = format!("    {of} result;\n");
        for (field, value) in fields.iter().zip(values) {
            let _ = writeln!(text, "    result.{field} = {value};");
        }
        text + "    return result;\n"
    }

    fn double(x: f64) -> String {
        if x.is_nan() { "NAN".to_owned() } else { decimal(x, "") }
    }

    fn single(x: f32) -> String {
        decimal(x, "f")
    }

    fn unary(op: Unary, a: &str) -> String {
        match op {
            Unary::Negate => format!("-{a}"),
            Unary::Not => format!("!{a}"),
            Unary::Sqrt => format!("sqrt({a})"),
            Unary::Abs => format!("fabs({a})"),
            Unary::Round => format!("rint({a})"),
            Unary::Ceil => format!("ceil({a})"),
            Unary::Floor => format!("floor({a})"),
            Unary::Pow2 => format!("pow2({a})"),
            Unary::Narrow => format!("(float){a}"),
            Unary::Widen => format!("(double){a}"),
        }
    }

    fn binary(op: Binary, a: &str, b: &str) -> String {
        match op {
            Binary::Add => format!("{a} + {b}"),
            Binary::Subtract => format!("{a} - {b}"),
            Binary::Multiply => format!("{a} * {b}"),
            Binary::Divide => format!("{a} / {b}"),
            Binary::Min => format!("{a} < {b} ? {a} : {b}"),
            Binary::Max => format!("{b} < {a} ? {a} : {b}"),
            Binary::Equal => format!("{a} == {b}"),
            Binary::Less => format!("{a} < {b}"),
            Binary::LessOrEqual => format!("{a} <= {b}"),
            Binary::And => format!("{a} && {b}"),
            Binary::Or => format!("{a} || {b}"),
            Binary::ProductFraction => format!("product_fraction({a}, {b})"),
        }
    }

    fn fused(op: Fused, a: &str, b: &str, c: &str) -> String {
        match op {
            Fused::MultiplyAdd => format!("fma({a}, {b}, {c})"),
            Fused::MultiplySubtract => format!("fma({a}, {b}, -{c})"),
            Fused::NegateMultiplyAdd => format!("fma(-{a}, {b}, {c})"),
        }
    }

    fn select(mask: &str, yes: &str, no: &str) -> String {
        format!("{mask} ? {yes} : {no}")
    }

    fn gather(index: &str, mask: &str, other: &str) -> String {
        format!("{mask} ? node(nodes, {index}) : {other}")
    }

    fn row_sum(rows: &str, sum: u8) -> String {
        format!("{rows}.s{sum}")
    }
}

#[cfg(test)]
mod tests {
    use widebragg::formulas::{LatticeFormula, LookupFormula, StepFormula};

    use super::{Dialect, program};
    use crate::text::hashes;

    /// The texts are those that gave AVX2's bits on a device, in `tests/devices/run`. Where they have been changed, run that
    /// script, and then put the hashes that this test prints into `opencl.hashes`.
    #[test]
    fn texts_are_those_that_were_checked_on_a_device() {
        let hashes = hashes(|formula| program(Dialect::OpenCl, formula));
        assert!(hashes == include_str!("opencl.hashes"), "\n{hashes}");
    }

    #[test]
    fn the_step_of_a_tophat_reads_like_this() {
        let formula = StepFormula { lattice: LatticeFormula::Tophat, lookup: LookupFormula::Nearest };
        let text = program(Dialect::OpenCl, formula);
        let step = text.find("INLINE Step step(").expect("a step");
        let step = &text[step..];
        assert_eq!(&step[..step.find("\n}\n").expect("its end") + 3], include_str!("tophat.snapshot"));
    }

    #[test]
    fn dialects_differ_in_words_alone() {
        for formula in StepFormula::all() {
            let [opencl, cuda] = [Dialect::OpenCl, Dialect::Cuda].map(|dialect| {
                let text = program(dialect, formula);
                text.strip_prefix(dialect.words()).map(str::to_owned)
            });
            assert!(opencl.is_some() && opencl == cuda, "{formula:?}");
        }
    }
}
