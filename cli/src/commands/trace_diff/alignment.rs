//! Aligns two traces: pixels by position, taps by name, steps by their counters; and computes the differences
//! of values.
//!
//! **Differences.** The absolute difference of two numbers is |a - b|, the relative one |a - b| / max(|a|,
//! |b|), and 0 where the numbers are equal. So the relative difference of 0 and 1e-17 is 1; `--atol` sets
//! what is negligible. Components of vectors are relative to the largest component of both vectors, since
//! cancellation leaves the error of the terms; the difference of a vector is the largest of its components.
//! In the same way h, k and l of a step are one vector, and cos_2theta, the product of two unit vectors, is
//! relative to at least 1. NaN in both traces is left out. NaN in one trace, or different numbers of
//! components, is an infinite difference.
//!
//! **Order.** The order is that of A, except that the inputs of a value precede it, so that the first
//! divergence is a cause: geometry (with the scattering vector), the taps of the first step, the steps, then
//! the sum and its factors.

use std::collections::{HashMap, HashSet};

use widebragg_experiment::trace::taps::AFTER_STEPS;
use widebragg_formats::trace::{Step, StepIndex, Trace, TracedPixel};

/// Largest number of pixels in only one trace that are listed by name.
const MOST_NAMED: usize = 10;

/// A value that both traces have.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its pixel; `None` where no trace states the position.
    pub position: Option<[usize; 2]>,
    /// Name of its tap.
    pub name: String,
    /// Its step; `None` for values that do not belong to a step.
    pub step: Option<StepIndex>,
    /// Its components in A.
    pub a: Vec<f64>,
    /// Its components in B.
    pub b: Vec<f64>,
    /// The difference.
    pub difference: Difference,
}

/// The difference of two values.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Absolute difference of each component; NaN where both are NaN, infinite where only one is.
    pub absolute: Vec<f64>,
    /// Relative difference of each component.
    pub relative: Vec<f64>,
    /// Largest absolute difference.
    pub largest_absolute: f64,
    /// Largest relative difference.
    pub largest_relative: f64,
    /// Number of components that are NaN in both, which are left out.
    pub excluded: usize,
}

impl Difference {
    /// The difference of `a` and `b`, relative to at least `least_scale`.
    #[must_use]
    pub fn new(a: &[f64], b: &[f64], least_scale: f64) -> Self {
        if a.len() != b.len() {
            return Self {
                absolute: Vec::new(),
                relative: Vec::new(),
                largest_absolute: f64::INFINITY,
                largest_relative: f64::INFINITY,
                excluded: 0,
            };
        }
        let finite = a.iter().chain(b).filter(|x| x.is_finite());
        let scale = finite.fold(least_scale, |scale, x| scale.max(x.abs()));
        let absolute: Vec<f64> = a.iter().zip(b).map(|(a, b)| off_by(*a, *b)).collect();
        let relative = |off: &f64| if *off == 0.0 { 0.0 } else { off / scale };
        let relative: Vec<f64> = absolute.iter().map(relative).collect();
        // f64::max ignores NaN.
        let largest = |all: &[f64]| all.iter().copied().fold(0.0, f64::max);
        Self {
            largest_absolute: largest(&absolute),
            largest_relative: largest(&relative),
            excluded: absolute.iter().filter(|x| x.is_nan()).count(),
            absolute,
            relative,
        }
    }
}

impl Difference {
    /// Whether the difference of component `index` exceeds both tolerances.
    #[must_use]
    pub fn component_exceeds(&self, index: usize, tolerance: Tolerance) -> bool {
        let beyond = |differences: &[f64], limit: f64| differences.get(index).is_some_and(|off| *off > limit);
        beyond(&self.relative, tolerance.relative) && beyond(&self.absolute, tolerance.absolute)
    }

    /// Whether the difference of any component exceeds both tolerances, or the numbers of components differ.
    #[must_use]
    pub fn exceeds(&self, tolerance: Tolerance) -> bool {
        self.has_two_sizes() || (0..self.absolute.len()).any(|index| self.component_exceeds(index, tolerance))
    }

    /// Whether the two values have different numbers of components.
    #[must_use]
    pub fn has_two_sizes(&self) -> bool {
        self.absolute.is_empty()
    }
}

fn off_by(a: f64, b: f64) -> f64 {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => f64::NAN,
        _ if a == b => 0.0,
        (false, false) => (a - b).abs(),
        _ => f64::INFINITY,
    }
}

/// The tolerances: a difference within one of them is negligible.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// `--rtol`.
    pub relative: f64,
    /// `--atol`.
    pub absolute: f64,
}

/// Two traces, aligned.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Alignment {
    /// The values that both have, in order.
    pub rows: Vec<Row>,
    /// Number of pixels that both have.
    pub pixels: usize,
    /// Names of pixels and taps that only A has.
    pub only_in_a: Vec<String>,
    /// The same for B.
    pub only_in_b: Vec<String>,
    /// Number of steps that only A has, in pixels that both have.
    pub steps_only_in_a: usize,
    /// The same for B.
    pub steps_only_in_b: usize,
}

/// Aligns `a` and `b`: only the pixels `wanted`, or all where none is named.
///
/// # Errors
/// The traces have no pixel or tap in common, or pixels cannot be distinguished.
pub fn align(a: &Trace, b: &Trace, wanted: &[[usize; 2]]) -> Result<Alignment, String> {
    let [a, b] = [a, b].map(|trace| chosen(trace, wanted));
    let mut alignment = Alignment::default();
    let mut named = Named::default();
    for (pixel, other) in pairs(&a, &b, &mut alignment)? {
        alignment.pixels += 1;
        alignment.align_pixel(pixel, other, &mut named);
    }
    if alignment.pixels == 0 {
        return Err("the two traces have no pixel in common".to_owned());
    }
    if alignment.rows.is_empty() {
        return Err("the two traces have no tap in common".to_owned());
    }
    Ok(alignment)
}

/// The wanted pixels; a pixel without a position may be any of them.
fn chosen<'t>(trace: &'t Trace, wanted: &[[usize; 2]]) -> Vec<&'t TracedPixel> {
    let is_wanted = |pixel: &&TracedPixel| {
        wanted.is_empty() || pixel.position.is_none_or(|position| wanted.contains(&position))
    };
    trace.pixels.iter().filter(is_wanted).collect()
}

type Pair<'t> = (&'t TracedPixel, &'t TracedPixel);

/// Pairs of pixels: by position, or in order where a trace does not state positions.
fn pairs<'t>(
    a: &[&'t TracedPixel],
    b: &[&'t TracedPixel],
    alignment: &mut Alignment,
) -> Result<Vec<Pair<'t>>, String> {
    let without_position = |pixels: &[&TracedPixel]| pixels.iter().any(|pixel| pixel.position.is_none());
    if without_position(a) || without_position(b) {
        if a.len() != b.len() {
            return Err(format!(
                "{} pixels in A and {} in B, some without a position: choose pixels with --pixel",
                a.len(),
                b.len()
            ));
        }
        let both: Vec<Pair<'t>> = a.iter().copied().zip(b.iter().copied()).collect();
        let differs = |(a, b): &Pair<'_>| matches!((a.position, b.position), (Some(a), Some(b)) if a != b);
        if both.iter().any(differs) {
            return Err("some pixels have no position, and the pixels do not match in order".to_owned());
        }
        return Ok(both);
    }
    let (a, b) = (numbered(a), numbered(b));
    let by_position: HashMap<_, _> = b.iter().copied().collect();
    let lonely = |pixels: &[(Place, _)], others: &[(Place, _)]| {
        let there: HashSet<_> = others.iter().map(|(position, _)| position).collect();
        let positions = pixels.iter().filter(|(position, _)| !there.contains(position));
        let positions = positions.filter_map(|((position, _), _)| *position);
        let named = positions.clone().take(MOST_NAMED).map(|[slow, fast]| format!("pixel {slow} {fast}"));
        let more = positions.skip(MOST_NAMED).count();
        named.chain((more > 0).then(|| format!("{more} more pixels"))).collect::<Vec<_>>()
    };
    alignment.only_in_a = lonely(&a, &b);
    alignment.only_in_b = lonely(&b, &a);
    Ok(a.iter().filter_map(|(position, pixel)| Some((*pixel, *by_position.get(position)?))).collect())
}

/// Position of a pixel, and number of earlier pixels at the same position.
type Place = (Option<[usize; 2]>, usize);

/// Pixels with their keys: repeated traces of a pixel have different keys.
fn numbered<'t>(pixels: &[&'t TracedPixel]) -> Vec<(Place, &'t TracedPixel)> {
    let mut seen = HashMap::new();
    let number = |pixel: &&'t TracedPixel| {
        let before = seen.entry(pixel.position).or_insert(0);
        *before += 1;
        ((pixel.position, *before - 1), *pixel)
    };
    pixels.iter().map(number).collect()
}

/// The stage of the computation that a tap belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Geometry,
    FirstStep,
    Sum,
}

impl Stage {
    /// The stage that begins with a tap; `None` for taps inside a stage.
    fn begun_by(name: &str) -> Option<Self> {
        match name {
            "scattering_vec_per_m" => Some(Self::Geometry),
            AFTER_STEPS => Some(Self::Sum),
            "F_latt" | "F_cell" => Some(Self::FirstStep),
            name if name.starts_with("rot_") || name.starts_with("hkl_") || name.starts_with("F_latt_") => {
                Some(Self::FirstStep)
            }
            _ => None,
        }
    }
}

impl Alignment {
    fn align_pixel(&mut self, a: &TracedPixel, b: &TracedPixel, named: &mut Named) {
        let position = a.position.or(b.position);
        let others: HashMap<&str, &Vec<f64>> =
            b.taps.iter().map(|(name, values)| (name.as_str(), values)).collect();
        let mut stage = Stage::Geometry;
        let mut taps: Vec<(Stage, Row)> = Vec::new();
        for (name, values) in &a.taps {
            // The scattering vector is last in the file, after the taps of the sum.
            let begun = Stage::begun_by(name);
            stage = begun.filter(|begun| *begun >= stage).unwrap_or(stage);
            match others.get(name.as_str()) {
                None => named.note(Side::A, name.clone(), &mut self.only_in_a),
                Some(other) => {
                    let least_scale = if name == "cos_2theta" { 1.0 } else { 0.0 };
                    let difference = Difference::new(values, other, least_scale);
                    let (name, a, b) = (name.clone(), values.clone(), (*other).clone());
                    taps.push((begun.unwrap_or(stage), Row { position, name, step: None, a, b, difference }));
                }
            }
        }
        let names: HashSet<&str> = a.taps.iter().map(|(name, _)| name.as_str()).collect();
        b.taps.iter().filter(|(name, _)| !names.contains(name.as_str())).for_each(|(name, _)| {
            named.note(Side::B, name.clone(), &mut self.only_in_b);
        });
        taps.sort_by_key(|(stage, _)| *stage);
        let after_steps = taps.partition_point(|(stage, _)| *stage < Stage::Sum);
        let after = taps.split_off(after_steps);
        self.rows.extend(taps.into_iter().map(|(_, row)| row));
        self.align_steps(position, a, b, named);
        self.rows.extend(after.into_iter().map(|(_, row)| row));
    }

    fn align_steps(
        &mut self,
        position: Option<[usize; 2]>,
        a: &TracedPixel,
        b: &TracedPixel,
        named: &mut Named,
    ) {
        let others: HashMap<StepIndex, &Step> = b.steps.iter().map(|step| (step.at, step)).collect();
        let mut shared = 0;
        for step in &a.steps {
            let Some(other) = others.get(&step.at) else { continue };
            shared += 1;
            let largest_index = largest_index(step).max(largest_index(other));
            let theirs = by_name(other);
            for (name, value) in &step.values {
                let Some(theirs) = theirs.get(name.as_str()) else {
                    named.note(Side::A, of_steps(name), &mut self.only_in_a);
                    continue;
                };
                let least_scale = if is_index(name) { largest_index } else { 0.0 };
                self.rows.push(Row {
                    position,
                    name: name.clone(),
                    step: Some(step.at),
                    a: vec![*value],
                    b: vec![*theirs],
                    difference: Difference::new(&[*value], &[*theirs], least_scale),
                });
            }
            let ours = by_name(step);
            for (name, _) in other.values.iter().filter(|(name, _)| !ours.contains_key(name.as_str())) {
                named.note(Side::B, of_steps(name), &mut self.only_in_b);
            }
        }
        self.steps_only_in_a += a.steps.len() - shared;
        self.steps_only_in_b += b.steps.len().saturating_sub(shared);
    }
}

fn is_index(name: &str) -> bool {
    matches!(name, "h_frac" | "k_frac" | "l_frac")
}

fn largest_index(step: &Step) -> f64 {
    let indices = step.values.iter().filter(|(name, value)| is_index(name) && value.is_finite());
    indices.fold(0.0, |largest, (_, value)| largest.max(value.abs()))
}

fn of_steps(name: &str) -> String {
    format!("{name} of steps")
}

/// The values of a step by name; the first one where a name comes again.
fn by_name(step: &Step) -> HashMap<&str, f64> {
    step.values.iter().rev().map(|(name, value)| (name.as_str(), *value)).collect()
}

/// A trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    A,
    B,
}

/// The names that are in the lists of an alignment.
#[derive(Default)]
struct Named(HashSet<(Side, String)>);

impl Named {
    /// Adds a name to the list of its side, once.
    fn note(&mut self, side: Side, name: String, list: &mut Vec<String>) {
        if self.0.insert((side, name.clone())) {
            list.push(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use widebragg_formats::trace::parse_trace;

    use super::*;

    fn piece() -> impl Strategy<Value = String> {
        let word = prop::sample::select(vec![
            "TRACE_",
            "TRACE_C",
            "TRACE_C:",
            "TRACE_C_PHI",
            ":",
            " ",
            "\n",
            "pixel",
            "x",
            "1",
            "-2e400",
            "nan",
            "phi_tic=",
            "phi_tic=1",
            "a=2",
            "{",
            "}",
            "[",
            "]",
            "\"traces\":",
            "\"taps\"",
            "\"pixel\":",
            ",",
            "null",
        ]);
        prop_oneof![8 => word.prop_map(str::to_owned), 1 => any::<String>()]
    }

    proptest! {
        #[test]
        fn no_trace_differs_from_itself(
            is_json in any::<bool>(),
            pieces in prop::collection::vec(piece(), 0..40),
            end in any::<Vec<u8>>(),
        ) {
            let bytes = [if is_json { "{" } else { "" }.as_bytes(), pieces.concat().as_bytes(), &end].concat();
            if let Ok(trace) = parse_trace(&bytes[..], Path::new("trace")) {
                // Whatever was read can be aligned with itself, and does not differ from itself.
                if let Ok(alignment) = align(&trace, &trace, &[]) {
                    prop_assert!(alignment.rows.iter().all(|row| row.difference.largest_relative == 0.0));
                }
            }
        }
    }
}
