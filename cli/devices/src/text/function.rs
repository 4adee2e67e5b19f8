//! Recorded formulas as functions, in any language of blocks, statements and structures.

use core::fmt::Write;

use super::blocks::{Block, Blocks};
use crate::recorded::{GROUPS, Group, Recorded, Returns};
use crate::tables::{BACKGROUND_PLACE, COUNTS, ENTRIES, PLACES};
use crate::tape::{Binary, Fused, Op, Type, Unary, Value};
use widebragg::formulas::PixelRules;

/// What languages write in ways of their own.
pub(super) trait Language {
    /// The name of a type.
    fn type_name(of: Type) -> &'static str;
    /// The first line of a function, with the types and names of its parameters.
    fn head(name: &str, parameters: &[(&str, &str)], returns: &str) -> String;
    /// A statement that gives a name to a value of some type.
    fn define(of: &str, name: &str, value: &str) -> String;
    /// A statement that makes a variable, which is set later.
    fn declare(of: &str, name: &str) -> String;
    /// A structure of f64, and the function that loads it from the scene's tables.
    fn group(group: &Group) -> String;
    /// The statements that return a structure.
    fn return_group(of: &str, fields: &[&str], values: &[String]) -> String;
    /// A number.
    fn double(x: f64) -> String;
    /// A number.
    fn single(x: f32) -> String;
    /// An operation on one value.
    fn unary(op: Unary, a: &str) -> String;
    /// An operation on two values.
    fn binary(op: Binary, a: &str, b: &str) -> String;
    /// An operation on three values.
    fn fused(op: Fused, a: &str, b: &str, c: &str) -> String;
    /// One value of two.
    fn select(mask: &str, yes: &str, no: &str) -> String;
    /// A node where a mask is true.
    fn gather(index: &str, mask: &str, other: &str) -> String;
    /// One of the sums over rows.
    fn row_sum(rows: &str, sum: u8) -> String;
}

/// The names of rules, places and lengths, and their values.
pub(super) fn constants() -> impl Iterator<Item = (String, String)> {
    let rules = PixelRules::NAMES.iter().enumerate();
    let rules = rules.map(|(bit, rule)| (rule.to_uppercase(), format!("{:#x}u", 1u32 << bit)));
    let counts = COUNTS.iter().enumerate().map(|(place, &name)| (name, place));
    let starts = PLACES.iter().scan(0, |end, (_, group)| {
        let start = *end;
        *end += group.numbers.len();
        Some(start)
    });
    let places = PLACES.iter().map(|&(name, _)| name).zip(starts);
    let numbers = PLACES.iter().map(|(_, group)| group.numbers.len()).sum();
    let entries = ENTRIES.iter().map(|&(name, group)| (name, group.numbers.len()));
    let indices = counts.chain(places).chain([(BACKGROUND_PLACE, numbers)]).chain(entries);
    rules.chain(indices.map(|(name, index)| (name.to_owned(), index.to_string())))
}

/// Writes a formula as a function.
pub(super) fn write_function<L: Language>(text: &mut String, formula: &Recorded) {
    let double = L::type_name(Type::Double);
    let returns = match formula.returns {
        Returns::Number => double,
        Returns::Truth => L::type_name(Type::Truth),
        Returns::Group(name) => name,
        Returns::Step => "Step",
    };
    let of = |group: Option<Group>| group.map_or(double, |group| group.name);
    let mut parameters: Vec<_> = formula.parameters.iter().map(|p| (of(p.group), p.name)).collect();
    if formula.reads_nodes() {
        parameters.push(("Nodes", "nodes"));
    }
    let _ = writeln!(text, "\n{}\n{{", L::head(formula.name, &parameters, returns));
    let function = Function { formula, arguments: formula.arguments(), blocks: Blocks::new(formula) };
    function.write_block::<L>(text, Blocks::FUNCTION, 1);
    function.write_return::<L>(text);
    text.push_str("}\n");
}

/// A function that is being written.
struct Function<'f> {
    formula: &'f Recorded,
    arguments: Vec<String>,
    blocks: Blocks,
}

impl Function<'_> {
    fn write_block<L: Language>(&self, text: &mut String, block: Block, depth: usize) {
        let (tape, indent) = (&self.formula.tape, "    ".repeat(depth));
        for value in self.blocks.values(tape, block) {
            let name = self.name::<L>(value);
            if let Op::Rows(start, outer, inner) = tape.op(value) {
                let operands = [start].into_iter().chain(outer).chain(inner);
                let operands = operands.map(|operand| self.name::<L>(operand)).collect::<Vec<_>>().join(", ");
                let rows = L::define("Rows", &name, &format!("sum_rows(nodes, grid, {operands})"));
                let _ = writeln!(text, "{indent}{rows}");
                continue;
            }
            let of = L::type_name(tape.type_of(value));
            match (tape.op(value), self.blocks.branch(value)) {
                (Op::Select(mask, yes, no), Some([if_yes, if_no])) => {
                    let [mask, yes, no] = [mask, yes, no].map(|operand| self.name::<L>(operand));
                    let _ = writeln!(text, "{indent}{}\n{indent}if ({mask}) {{", L::declare(of, &name));
                    self.write_block::<L>(text, if_yes, depth + 1);
                    let _ = writeln!(text, "{indent}    {name} = {yes};\n{indent}}} else {{");
                    self.write_block::<L>(text, if_no, depth + 1);
                    let _ = writeln!(text, "{indent}    {name} = {no};\n{indent}}}");
                }
                (op, _) => {
                    let _ = writeln!(text, "{indent}{}", L::define(of, &name, &self.expression::<L>(op)));
                }
            }
        }
    }

    fn write_return<L: Language>(&self, text: &mut String) {
        let results: Vec<String> = self.formula.results.iter().map(|&value| self.name::<L>(value)).collect();
        let returned = match self.formula.returns {
            Returns::Number | Returns::Truth => format!("    return {};\n", results.join("")),
            Returns::Step => L::return_group("Step", &["f_latt", "amplitude", "fallback"], &results),
            Returns::Group(name) => {
                let group = GROUPS.iter().find(|group| group.name == name);
                L::return_group(name, group.map_or(&[], |group| group.numbers), &results)
            }
        };
        text.push_str(&returned);
    }

    /// A value where it is used.
    fn name<L: Language>(&self, value: Value) -> String {
        match self.formula.tape.op(value) {
            Op::Argument(index) => self.arguments[index as usize].clone(),
            Op::Double(bits) => L::double(f64::from_bits(bits)),
            Op::Single(bits) => L::single(f32::from_bits(bits)),
            Op::Truth(truth) => truth.to_string(),
            _ => format!("v{}", value.index()),
        }
    }

    fn expression<L: Language>(&self, op: Op) -> String {
        let name = |value: Value| self.name::<L>(value);
        match op {
            Op::Argument(_) | Op::Double(_) | Op::Single(_) | Op::Truth(_) | Op::Rows(..) => {
                unreachable!("has no statement of its own")
            }
            Op::Unary(op, a) => L::unary(op, &name(a)),
            Op::Binary(op, a, b) => L::binary(op, &name(a), &name(b)),
            Op::Fused(op, a, b, c) => L::fused(op, &name(a), &name(b), &name(c)),
            Op::Select(mask, yes, no) => L::select(&name(mask), &name(yes), &name(no)),
            Op::Gather(index, mask, other) => L::gather(&name(index), &name(mask), &name(other)),
            Op::RowSum(rows, sum) => L::row_sum(&name(rows), sum),
        }
    }
}

/// A number with the point that makes it a floating point number, and the suffix of a type; in parentheses below 0.
pub(super) fn decimal(x: impl core::fmt::LowerExp, suffix: &str) -> String {
    let exponential = format!("{x:e}");
    let (mantissa, exponent) = exponential.split_once('e').unwrap_or((&exponential, "0"));
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let number = match exponent {
        "0" => format!("{mantissa}{point}{suffix}"),
        _ => format!("{mantissa}{point}e{exponent}{suffix}"),
    };
    if number.starts_with('-') { format!("({number})") } else { number }
}
