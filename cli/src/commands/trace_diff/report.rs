//! The result of a comparison of traces: a table of all values, and metrics.json (in which an infinite
//! difference is null).

use core::fmt::Write as _;
use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::alignment::{Alignment, Row, Tolerance};
use crate::options::TraceDiffOptions;
use widebragg_formats::format_g::{format_g, format_significant};
use widebragg_formats::trace::StepIndex;

/// The result of a comparison.
#[derive(Debug)]
pub struct Report<'a> {
    /// The options of the command.
    pub options: &'a TraceDiffOptions,
    /// The aligned traces.
    pub alignment: &'a Alignment,
    /// Remarks of the readers.
    pub notes: &'a [String],
}

impl Report<'_> {
    fn tolerance(&self) -> Tolerance {
        Tolerance { relative: self.options.rtol, absolute: self.options.atol }
    }

    fn diverging(&self) -> impl Iterator<Item = &Row> {
        let tolerance = self.tolerance();
        self.alignment.rows.iter().filter(move |row| row.difference.exceeds(tolerance))
    }

    /// The first value whose difference exceeds both tolerances.
    #[must_use]
    pub fn first_divergence(&self) -> Option<&Row> {
        self.diverging().next()
    }

    fn excluded(&self) -> usize {
        self.alignment.rows.iter().map(|row| row.difference.excluded).sum()
    }

    /// The metrics.
    #[must_use]
    pub fn json(&self) -> Value {
        let Alignment { rows, pixels, only_in_a, only_in_b, steps_only_in_a, steps_only_in_b } =
            self.alignment;
        let [a, b] = self.options.traces.each_ref().map(|path| path.display().to_string());
        let worst = rows.iter().max_by(|one, other| {
            one.difference.largest_relative.total_cmp(&other.difference.largest_relative)
        });
        let worst = worst.filter(|row| row.difference.largest_relative > 0.0);
        json!({
            "program": "widebragg",
            "version": env!("CARGO_PKG_VERSION"),
            "a": a,
            "b": b,
            "rtol": self.options.rtol,
            "atol": self.options.atol,
            "first_divergence": self.first_divergence().map(row_json),
            "largest_relative_difference": worst.map(row_json),
            "pixels_compared": pixels,
            "values_compared": rows.len(),
            "values_diverging": self.diverging().count(),
            "not_a_number_in_both": self.excluded(),
            "only_in_a": only_in_a,
            "only_in_b": only_in_b,
            "steps_only_in_a": steps_only_in_a,
            "steps_only_in_b": steps_only_in_b,
            "notes": self.notes,
            "taps": self.taps(),
        })
    }

    /// The largest differences of each tap over all pixels and steps, in order.
    fn taps(&self) -> Map<String, Value> {
        let mut taps: Vec<(String, Spread)> = Vec::new();
        let mut index: HashMap<(&str, bool), usize> = HashMap::new();
        for row in &self.alignment.rows {
            let at = *index.entry((&row.name, row.step.is_some())).or_insert_with(|| {
                let name =
                    if row.step.is_some() { format!("{} of steps", row.name) } else { row.name.clone() };
                taps.push((name, Spread::default()));
                taps.len() - 1
            });
            if let Some((_, spread)) = taps.get_mut(at) {
                spread.compared += 1;
                spread.diverging += usize::from(row.difference.exceeds(self.tolerance()));
                spread.absolute = spread.absolute.max(row.difference.largest_absolute);
                spread.relative = spread.relative.max(row.difference.largest_relative);
            }
        }
        let described = taps.into_iter().map(|(name, spread)| {
            let spread = json!({
                "compared": spread.compared,
                "diverging": spread.diverging,
                "largest_absolute_difference": spread.absolute,
                "largest_relative_difference": spread.relative,
            });
            (name, spread)
        });
        described.collect()
    }

    /// The table of all values, and totals.
    #[must_use]
    pub fn text(&self) -> String {
        let [a, b] = self.options.traces.each_ref().map(|path| path.display());
        let tolerance = self.tolerance();
        let mut text = format!("A  {a}\nB  {b}\n");
        let first = self.first_divergence();
        let mut position = None;
        for (index, row) in self.alignment.rows.iter().enumerate() {
            if index == 0 || row.position != position {
                position = row.position;
                push_heading(&mut text, position);
            }
            push_row(&mut text, row, tolerance, first.is_some_and(|first| core::ptr::eq(first, row)));
        }
        text.push('\n');
        let lists = [("only in A", &self.alignment.only_in_a), ("only in B", &self.alignment.only_in_b)];
        for (what, names) in lists.iter().filter(|(_, names)| !names.is_empty()) {
            let _ = writeln!(text, "{what}: {}", names.join(", "));
        }
        let steps = [("A", self.alignment.steps_only_in_a), ("B", self.alignment.steps_only_in_b)];
        for (which, count) in steps.iter().filter(|(_, count)| *count > 0) {
            let _ = writeln!(text, "steps only in {which}: {count}");
        }
        if self.excluded() > 0 {
            let _ = writeln!(text, "NaN in both, left out: {}", self.excluded());
        }
        let (rtol, atol) = (format_g(tolerance.relative), format_g(tolerance.absolute));
        let _ = writeln!(
            text,
            "{} values in {} pixels compared at rtol {rtol}, atol {atol}; {} diverge",
            self.alignment.rows.len(),
            self.alignment.pixels,
            self.diverging().count(),
        );
        let described = first.map_or_else(|| "none".to_owned(), describe);
        let _ = writeln!(text, "first divergence: {described}");
        text
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

/// A value in a line: position, values and difference.
#[must_use]
pub fn describe(row: &Row) -> String {
    let position = row.position.map_or_else(String::new, |[slow, fast]| format!(" at pixel {slow} {fast}"));
    let step = row.step.map_or_else(String::new, |step| format!(", {}", step_name(step)));
    let [a, b] = [&row.a, &row.b].map(|values| {
        let values: Vec<String> = values.iter().map(|x| format_significant(*x, 15)).collect();
        values.join(" ")
    });
    let off = match row.difference.has_two_sizes() {
        true => format!("{} values against {}", row.a.len(), row.b.len()),
        false => format!("relative {}", format_g(row.difference.largest_relative)),
    };
    format!("{}{position}{step}: {a} against {b}, {off}", row.name)
}

/// `phi 3`, and the other counters where they are not 0.
fn step_name(step: StepIndex) -> String {
    let others = step.counters().into_iter().filter(|(name, count)| *name != "phi_tic" && *count > 0);
    let others: String = others.map(|(name, count)| format!(" {name} {count}")).collect();
    format!("phi {}{}", step.phi_tic, others.replace('_', " "))
}

fn row_json(row: &Row) -> Value {
    let values = |values: &[f64]| match values {
        [one] => json!(one),
        several => json!(several),
    };
    let step: Option<Map<String, Value>> = row.step.map(|step| {
        step.counters().into_iter().map(|(name, count)| (name.to_owned(), json!(count))).collect()
    });
    json!({
        "tap": row.name,
        "pixel": row.position.map(|[slow, fast]| json!({ "slow": slow, "fast": fast })),
        "step": step,
        "a": values(&row.a),
        "b": values(&row.b),
        "absolute_difference": row.difference.largest_absolute,
        "relative_difference": row.difference.largest_relative,
    })
}

fn push_heading(text: &mut String, position: Option<[usize; 2]>) {
    let pixel =
        position.map_or_else(|| "pixel unknown".to_owned(), |[slow, fast]| format!("pixel {slow} {fast}"));
    let _ = writeln!(text, "\n{pixel:<36} {:>22} {:>22} {:>12} {:>12}", "A", "B", "absolute", "relative");
}

fn push_row(text: &mut String, row: &Row, tolerance: Tolerance, is_first: bool) {
    let step = row.step.map_or_else(String::new, |step| format!("  {} ", step_name(step)));
    let name = format!("{step}{}", row.name);
    if row.difference.has_two_sizes() {
        let (a, b) = (row.a.len(), row.b.len());
        let mark = if is_first { "<== first divergence" } else { "*" };
        let _ = writeln!(text, "{name:<36} {a:>15} values {b:>15} values {:>12} {:>12}  {mark}", "-", "-");
        return;
    }
    let mut mark = if is_first { "  <== first divergence" } else { "  *" };
    for (index, (a, b)) in row.a.iter().zip(&row.b).enumerate() {
        let difference = |of: &[f64]| of.get(index).map_or_else(String::new, |off| short(*off));
        let marked = if row.difference.component_exceeds(index, tolerance) { mark } else { "" };
        if !marked.is_empty() {
            mark = "  *";
        }
        let _ = writeln!(
            text,
            "{:<36} {:>22} {:>22} {:>12} {:>12}{marked}",
            if index == 0 { name.as_str() } else { "" },
            format_significant(*a, 15),
            format_significant(*b, 15),
            difference(&row.difference.absolute),
            difference(&row.difference.relative),
        );
    }
}

/// A difference with three digits.
fn short(difference: f64) -> String {
    format_significant(difference, 3)
}
