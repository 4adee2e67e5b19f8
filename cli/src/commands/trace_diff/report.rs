//! The result of a comparison of traces: a table of all values, and metrics.json (in which an infinite
//! difference is null). Both are written line by line, since they may be larger than the traces.

use std::collections::HashMap;
use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::alignment::{Alignment, Lonely, Row, Tolerance};
use crate::options::TraceDiffOptions;
use widebragg_formats::format_g::{format_g, format_significant};
use widebragg_formats::memory::push;
use widebragg_formats::trace::StepIndex;

/// The result of a comparison.
#[derive(Debug)]
pub struct Report<'a> {
    /// The options of the command.
    pub options: &'a TraceDiffOptions,
    /// The aligned traces.
    pub alignment: &'a Alignment<'a>,
    /// Remarks of the readers.
    pub notes: &'a [String],
}

impl Report<'_> {
    fn tolerance(&self) -> Tolerance {
        Tolerance { relative: self.options.rtol, absolute: self.options.atol }
    }

    fn diverging(&self) -> impl Iterator<Item = &Row<'_>> {
        let tolerance = self.tolerance();
        self.alignment.rows.iter().filter(move |row| row.difference().exceeds(tolerance))
    }

    /// The first value whose difference exceeds both tolerances.
    #[must_use]
    pub fn first_divergence(&self) -> Option<&Row<'_>> {
        self.diverging().next()
    }

    fn excluded(&self) -> usize {
        self.alignment.rows.iter().map(|row| row.difference().excluded).sum()
    }

    /// Writes the metrics as JSON.
    ///
    /// # Errors
    /// `out` cannot be written, or there is too little memory.
    pub fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        let Alignment { rows, pixels, only_in_a, only_in_b, steps_only_in_a, steps_only_in_b } =
            self.alignment;
        let [a, b] = self.options.traces.each_ref().map(|path| path.display().to_string());
        let relative = |row: &Row<'_>| row.difference().largest_relative;
        let worst =
            rows.iter().map(|row| (row, relative(row))).max_by(|one, other| one.1.total_cmp(&other.1));
        let worst = worst.filter(|(_, relative)| *relative > 0.0);
        let head = [
            ("program", json!("widebragg")),
            ("version", json!(env!("CARGO_PKG_VERSION"))),
            ("a", json!(a)),
            ("b", json!(b)),
            ("rtol", json!(self.options.rtol)),
            ("atol", json!(self.options.atol)),
            ("first_divergence", json!(self.first_divergence().map(row_json))),
            ("largest_relative_difference", json!(worst.map(|(row, _)| row_json(row)))),
            ("pixels_compared", json!(pixels)),
            ("values_compared", json!(rows.len())),
            ("values_diverging", json!(self.diverging().count())),
            ("not_a_number_in_both", json!(self.excluded())),
            ("steps_only_in_a", json!(steps_only_in_a)),
            ("steps_only_in_b", json!(steps_only_in_b)),
            ("notes", json!(self.notes)),
        ];
        writeln!(out, "{{")?;
        for (key, value) in head {
            writeln!(out, "  {}: {value},", json!(key))?;
        }
        for (key, names) in [("only_in_a", only_in_a), ("only_in_b", only_in_b)] {
            write!(out, "  {}: [", json!(key))?;
            for (index, name) in names.iter().enumerate() {
                write!(out, "{}{}", if index > 0 { ", " } else { "" }, json!(name.to_string()))?;
            }
            writeln!(out, "],")?;
        }
        write!(out, "  \"taps\": {{")?;
        for (index, (name, spread)) in self.taps()?.iter().enumerate() {
            let spread = json!({
                "compared": spread.compared,
                "diverging": spread.diverging,
                "largest_absolute_difference": spread.absolute,
                "largest_relative_difference": spread.relative,
            });
            write!(out, "{}\n    {}: {spread}", if index > 0 { "," } else { "" }, json!(name.to_string()))?;
        }
        writeln!(out, "\n  }}\n}}")
    }

    /// The largest differences of each tap over all pixels and steps, in order.
    fn taps(&self) -> io::Result<Vec<(Lonely<'_>, Spread)>> {
        let no_memory = || io::Error::from(io::ErrorKind::OutOfMemory);
        let mut taps: Vec<(Lonely<'_>, Spread)> = Vec::new();
        let mut index: HashMap<Lonely<'_>, usize> = HashMap::new();
        for row in &self.alignment.rows {
            let name = if row.step.is_some() { Lonely::OfSteps(row.name) } else { Lonely::Tap(row.name) };
            index.try_reserve(1).map_err(|_| no_memory())?;
            let at = *index.entry(name).or_insert(taps.len());
            if at == taps.len() {
                push(&mut taps, (name, Spread::default())).ok_or_else(no_memory)?;
            }
            if let Some((_, spread)) = taps.get_mut(at) {
                let difference = row.difference();
                spread.compared += 1;
                spread.diverging += usize::from(difference.exceeds(self.tolerance()));
                spread.absolute = spread.absolute.max(difference.largest_absolute);
                spread.relative = spread.relative.max(difference.largest_relative);
            }
        }
        Ok(taps)
    }

    /// Writes the table of all values, and totals.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        let [a, b] = self.options.traces.each_ref().map(|path| path.display());
        let tolerance = self.tolerance();
        writeln!(out, "A  {a}\nB  {b}")?;
        let first = self.first_divergence();
        let mut position = None;
        for (index, row) in self.alignment.rows.iter().enumerate() {
            if index == 0 || row.position != position {
                position = row.position;
                write_heading(out, position)?;
            }
            write_row(out, row, tolerance, first.is_some_and(|first| core::ptr::eq(first, row)))?;
        }
        writeln!(out)?;
        let lists = [("only in A", &self.alignment.only_in_a), ("only in B", &self.alignment.only_in_b)];
        for (what, names) in lists.iter().filter(|(_, names)| !names.is_empty()) {
            let mut before = ": ";
            write!(out, "{what}")?;
            for name in *names {
                write!(out, "{before}{name}")?;
                before = ", ";
            }
            writeln!(out)?;
        }
        let steps = [("A", self.alignment.steps_only_in_a), ("B", self.alignment.steps_only_in_b)];
        for (which, count) in steps.iter().filter(|(_, count)| *count > 0) {
            writeln!(out, "steps only in {which}: {count}")?;
        }
        if self.excluded() > 0 {
            writeln!(out, "NaN in both, left out: {}", self.excluded())?;
        }
        let (rtol, atol) = (format_g(tolerance.relative), format_g(tolerance.absolute));
        writeln!(
            out,
            "{} values in {} pixels compared at rtol {rtol}, atol {atol}; {} diverge",
            self.alignment.rows.len(),
            self.alignment.pixels,
            self.diverging().count(),
        )?;
        let described = first.map_or_else(|| "none".to_owned(), describe);
        writeln!(out, "first divergence: {described}")
    }
}

/// The differences of a tap.
#[derive(Default)]
struct Spread {
    compared: usize,
    diverging: usize,
    absolute: f64,
    relative: f64,
}

/// A value in a line: position, values and difference. Of a long vector the first components.
#[must_use]
pub fn describe(row: &Row<'_>) -> String {
    const MOST: usize = 9;
    let position = row.position.map_or_else(String::new, |[slow, fast]| format!(" at pixel {slow} {fast}"));
    let step = row.step.map_or_else(String::new, |step| format!(", {}", step_name(step)));
    let [a, b] = [row.a.components, row.b.components].map(|values| {
        let shown = values.iter().take(MOST).map(|x| format_significant(*x, 15));
        let more = (values.len() > MOST).then(|| format!("... ({} values)", values.len()));
        shown.chain(more).collect::<Vec<_>>().join(" ")
    });
    let difference = row.difference();
    let off = match difference.has_two_sizes() {
        true => format!("{} values against {}", row.a.components.len(), row.b.components.len()),
        false => format!("relative {}", format_g(difference.largest_relative)),
    };
    format!("{}{position}{step}: {a} against {b}, {off}", row.name)
}

/// `phi 3`, and the other counters where they are not 0.
fn step_name(step: StepIndex) -> String {
    let others = step.counters().into_iter().filter(|(name, count)| *name != "phi_tic" && *count > 0);
    let others: String = others.map(|(name, count)| format!(" {name} {count}")).collect();
    format!("phi {}{}", step.phi_tic, others.replace('_', " "))
}

fn row_json(row: &Row<'_>) -> Value {
    let values = |values: &[f64]| match values {
        [one] => json!(one),
        several => json!(several),
    };
    let step: Option<Map<String, Value>> = row.step.map(|step| {
        step.counters().into_iter().map(|(name, count)| (name.to_owned(), json!(count))).collect()
    });
    let difference = row.difference();
    json!({
        "tap": row.name,
        "pixel": row.position.map(|[slow, fast]| json!({ "slow": slow, "fast": fast })),
        "step": step,
        "a": values(row.a.components),
        "b": values(row.b.components),
        "absolute_difference": difference.largest_absolute,
        "relative_difference": difference.largest_relative,
    })
}

fn write_heading(out: &mut dyn Write, position: Option<[usize; 2]>) -> io::Result<()> {
    let pixel =
        position.map_or_else(|| "pixel unknown".to_owned(), |[slow, fast]| format!("pixel {slow} {fast}"));
    writeln!(out, "\n{pixel:<36} {:>22} {:>22} {:>12} {:>12}", "A", "B", "absolute", "relative")
}

fn write_row(out: &mut dyn Write, row: &Row<'_>, tolerance: Tolerance, is_first: bool) -> io::Result<()> {
    let step = row.step.map_or_else(String::new, |step| format!("  {} ", step_name(step)));
    let name = format!("{step}{}", row.name);
    let difference = row.difference();
    if difference.has_two_sizes() {
        let (a, b) = (row.a.components.len(), row.b.components.len());
        let mark = if is_first { "<== first divergence" } else { "*" };
        return writeln!(out, "{name:<36} {a:>15} values {b:>15} values {:>12} {:>12}  {mark}", "-", "-");
    }
    let mut mark = if is_first { "  <== first divergence" } else { "  *" };
    for (index, (a, b)) in row.a.components.iter().zip(row.b.components).enumerate() {
        let short = |of: &[f64]| of.get(index).map_or_else(String::new, |off| short(*off));
        let marked = if difference.component_exceeds(index, tolerance) { mark } else { "" };
        if !marked.is_empty() {
            mark = "  *";
        }
        writeln!(
            out,
            "{:<36} {:>22} {:>22} {:>12} {:>12}{marked}",
            if index == 0 { name.as_str() } else { "" },
            format_significant(*a, 15),
            format_significant(*b, 15),
            short(&difference.absolute),
            short(&difference.relative),
        )?;
    }
    Ok(())
}

/// A difference with three digits.
fn short(difference: f64) -> String {
    format_significant(difference, 3)
}
