//! OpenCL C and CUDA C, which differ in a few words.

use core::fmt::Write;

use widebragg::formulas::{PixelRules, StepFormula};

use super::blocks::{Block, Blocks};
use crate::recorded::{GROUPS, Group, Recorded, Returns, record_all};
use crate::tables::{BACKGROUND_PLACE, COUNTS, ENTRIES, PLACES};
use crate::tape::{Binary, Fused, Op, Type, Unary, Value};

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
    for (bit, rule) in PixelRules::NAMES.iter().enumerate() {
        let _ = writeln!(text, "#define {} {:#x}u", rule.to_uppercase(), 1u32 << bit);
    }
    for (place, name) in COUNTS.iter().enumerate() {
        let _ = writeln!(text, "#define {name} {place}");
    }
    let mut at = 0;
    for (name, group) in PLACES {
        let _ = writeln!(text, "#define {name} {at}");
        at += group.numbers.len();
    }
    let _ = writeln!(text, "#define {BACKGROUND_PLACE} {at}");
    for (name, group) in ENTRIES {
        let _ = writeln!(text, "#define {name} {}", group.numbers.len());
    }
    text += "\ntypedef struct { double f_latt, amplitude; bool fallback; } Step;\n";
    GROUPS.iter().for_each(|group| write_group(&mut text, group));
    text += include_str!("nodes.c");
    for formula in &record_all(step) {
        write_function(&mut text, formula);
    }
    text += include_str!("loop.c");
    text
}

/// A structure, and the function that loads it.
fn write_group(text: &mut String, Group { name, numbers }: &Group) {
    let lower = name.to_lowercase();
    let _ = writeln!(text, "\ntypedef struct {{ double {}; }} {name};", numbers.join(", "));
    let _ = writeln!(text, "INLINE {name} load_{lower}(GLOBAL const double *from)\n{{\n    {name} to;");
    for (i, number) in numbers.iter().enumerate() {
        let _ = writeln!(text, "    to.{number} = from[{i}];");
    }
    text.push_str("    return to;\n}\n");
}

fn write_function(text: &mut String, formula: &Recorded) {
    let returns = match formula.returns {
        Returns::Number => "double",
        Returns::Truth => "bool",
        Returns::Group(name) => name,
        Returns::Step => "Step",
    };
    let parameter = |name: &str, group: Option<Group>| match group {
        Some(group) => format!("{} {name}", group.name),
        None => format!("double {name}"),
    };
    let mut parameters: Vec<String> = formula.parameters.iter().map(|p| parameter(p.name, p.group)).collect();
    if formula.reads_nodes() {
        parameters.push("Nodes nodes".to_owned());
    }
    let _ = writeln!(text, "\nINLINE {returns} {}({})\n{{", formula.name, parameters.join(", "));
    let function = Function { formula, arguments: formula.arguments(), blocks: Blocks::new(formula) };
    function.write_block(text, Blocks::FUNCTION, 1);
    function.write_return(text);
    text.push_str("}\n");
}

/// A function that is being written.
struct Function<'f> {
    formula: &'f Recorded,
    arguments: Vec<String>,
    blocks: Blocks,
}

impl Function<'_> {
    fn write_block(&self, text: &mut String, block: Block, depth: usize) {
        let (tape, indent) = (&self.formula.tape, "    ".repeat(depth));
        for value in self.blocks.values(tape, block) {
            let name = self.name(value);
            if let Op::Rows(start, outer, inner) = tape.op(value) {
                let weights = outer.iter().chain(&inner).map(|&weight| self.name(weight));
                let weights = weights.collect::<Vec<_>>().join(", ");
                let _ = writeln!(
                    text,
                    "{indent}Rows {name} = sum_rows(nodes, grid, {}, {weights});",
                    self.name(start)
                );
                continue;
            }
            let of = match tape.type_of(value) {
                Type::Double => "double",
                Type::Single => "float",
                Type::Truth => "bool",
            };
            match (tape.op(value), self.blocks.branch(value)) {
                (Op::Select(mask, yes, no), Some([if_yes, if_no])) => {
                    let _ = writeln!(text, "{indent}{of} {name};\n{indent}if ({}) {{", self.name(mask));
                    self.write_block(text, if_yes, depth + 1);
                    let _ = writeln!(text, "{indent}    {name} = {};\n{indent}}} else {{", self.name(yes));
                    self.write_block(text, if_no, depth + 1);
                    let _ = writeln!(text, "{indent}    {name} = {};\n{indent}}}", self.name(no));
                }
                (op, _) => {
                    let _ = writeln!(text, "{indent}{of} {name} = {};", self.expression(op));
                }
            }
        }
    }

    fn write_return(&self, text: &mut String) {
        let results: Vec<String> = self.formula.results.iter().map(|&value| self.name(value)).collect();
        let (of, fields): (&str, &[&str]) = match self.formula.returns {
            Returns::Number | Returns::Truth => {
                let _ = writeln!(text, "    return {};", results.join(""));
                return;
            }
            Returns::Step => ("Step", &["f_latt", "amplitude", "fallback"]),
            Returns::Group(name) => {
                let group = GROUPS.iter().find(|group| group.name == name);
                (name, group.map_or(&[], |group| group.numbers))
            }
        };
        let _ = writeln!(text, "    {of} result;");
        for (field, result) in fields.iter().zip(results) {
            let _ = writeln!(text, "    result.{field} = {result};");
        }
        text.push_str("    return result;\n");
    }

    /// A value where it is used.
    fn name(&self, value: Value) -> String {
        match self.formula.tape.op(value) {
            Op::Argument(index) => self.arguments[index as usize].clone(),
            Op::Double(bits) => double(f64::from_bits(bits)),
            Op::Single(bits) => format!("{}f", decimal(&format!("{:e}", f32::from_bits(bits)))),
            Op::Truth(truth) => truth.to_string(),
            _ => format!("v{}", value.index()),
        }
    }

    fn expression(&self, op: Op) -> String {
        let name = |value: Value| self.name(value);
        match op {
            Op::Argument(_) | Op::Double(_) | Op::Single(_) | Op::Truth(_) | Op::Rows(..) => {
                unreachable!("has no statement of its own")
            }
            Op::Unary(op, a) => unary(op, &name(a)),
            Op::Binary(op, a, b) => binary(op, &name(a), &name(b)),
            Op::Fused(op, a, b, c) => {
                let (a, b, c) = (name(a), name(b), name(c));
                match op {
                    Fused::MultiplyAdd => format!("fma({a}, {b}, {c})"),
                    Fused::MultiplySubtract => format!("fma({a}, {b}, -{c})"),
                    Fused::NegateMultiplyAdd => format!("fma(-{a}, {b}, {c})"),
                }
            }
            Op::Select(mask, yes, no) => format!("{} ? {} : {}", name(mask), name(yes), name(no)),
            Op::Gather(index, mask, other) => {
                format!("{} ? node(nodes, {}) : {}", name(mask), name(index), name(other))
            }
            Op::RowSum(rows, sum) => format!("{}.s{sum}", name(rows)),
        }
    }
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

/// A number that a C compiler reads as the same f64.
fn double(x: f64) -> String {
    if x.is_nan() { "NAN".to_owned() } else { decimal(&format!("{x:e}")) }
}

/// A number in exponential form, with the point that makes it a floating point number; in parentheses below 0.
fn decimal(exponential: &str) -> String {
    let (mantissa, exponent) = exponential.split_once('e').unwrap_or((exponential, "0"));
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let number = match exponent {
        "0" => format!("{mantissa}{point}"),
        _ => format!("{mantissa}{point}e{exponent}"),
    };
    if number.starts_with('-') { format!("({number})") } else { number }
}
