//! Aligns two traces: pixels by position, taps by name, steps by their counters; and computes the differences
//! of values.
//!
//! **Differences.** The absolute difference of two numbers is |a - b|, the relative one |a - b| / max(|a|,
//! |b|), and 0 where the numbers are equal. So the relative difference of 0 and 1e-17 is 1; `--atol` sets
//! what is negligible. Components of vectors are relative to the largest component of both vectors, since
//! cancellation leaves the error of the terms; the difference of a vector is the largest of its components.
//! In the same way h, k and l of a step are one vector, and cos_2theta, the product of two unit vectors, is
//! relative to at least 1. NaN in both traces is left out. NaN in one trace, or different numbers of
//! components, is an infinite difference. What printing with few digits may have moved a number by is no
//! difference.
//!
//! **Order.** The order is that of A, except that the inputs of a value precede it, so that the first
//! divergence is a cause: geometry (with the scattering vector), the taps of the first step, the steps, then
//! the sum and its factors.

use core::fmt;
use std::collections::{HashMap, HashSet, TryReserveError};

use widebragg_experiment::trace::taps::AFTER_STEPS;
use widebragg_formats::memory::{push, reserved};
use widebragg_formats::trace::{Digits, Step, StepIndex, StepValue, Tap, Trace, TracedPixel};

/// Largest number of pixels in only one trace that are listed by name.
const MOST_NAMED: usize = 10;

/// A value that both traces have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<'t> {
    /// Its pixel; `None` where no trace states the position.
    pub position: Option<[usize; 2]>,
    /// Name of its tap.
    pub name: &'t str,
    /// Its step; `None` for values that do not belong to a step.
    pub step: Option<StepIndex>,
    /// Its components in A.
    pub a: Numbers<'t>,
    /// Its components in B.
    pub b: Numbers<'t>,
    /// Smallest number that differences are relative to.
    pub least_scale: f64,
}

impl Row<'_> {
    /// The difference of the two values.
    #[must_use]
    pub fn difference(&self) -> Difference {
        Difference::new(self.a, self.b, self.least_scale)
    }
}

/// The components of a value, and the digits that the trace has of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Numbers<'t> {
    /// The components.
    pub components: &'t [f64],
    /// Their digits.
    pub digits: Digits,
}

impl<'t> From<&'t Tap> for Numbers<'t> {
    fn from(tap: &'t Tap) -> Self {
        Self { components: &tap.values, digits: tap.digits }
    }
}

impl<'t> From<&'t StepValue> for Numbers<'t> {
    fn from(value: &'t StepValue) -> Self {
        Self { components: core::slice::from_ref(&value.value), digits: value.digits }
    }
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
    pub fn new(a: Numbers<'_>, b: Numbers<'_>, least_scale: f64) -> Self {
        if a.components.len() != b.components.len() {
            return Self {
                absolute: Vec::new(),
                relative: Vec::new(),
                largest_absolute: f64::INFINITY,
                largest_relative: f64::INFINITY,
                excluded: 0,
            };
        }
        let finite = a.components.iter().chain(b.components).filter(|x| x.is_finite());
        let scale = finite.fold(least_scale, |scale, x| scale.max(x.abs()));
        let pairs = a.components.iter().zip(b.components);
        let rounding = |x: f64, y: f64| a.digits.half_unit(x) + b.digits.half_unit(y);
        let absolute: Vec<f64> = pairs.map(|(&x, &y)| off_by(x, y, rounding(x, y))).collect();
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

/// The difference of two numbers beyond `rounding`, by which printing may have moved them.
fn off_by(a: f64, b: f64, rounding: f64) -> f64 {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => f64::NAN,
        _ if a == b => 0.0,
        (false, false) => ((a - b).abs() - rounding).max(0.0),
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
pub struct Alignment<'t> {
    /// The values that both have, in order.
    pub rows: Vec<Row<'t>>,
    /// Number of pixels that both have.
    pub pixels: usize,
    /// Pixels and names that only A has.
    pub only_in_a: Vec<Lonely<'t>>,
    /// The same for B.
    pub only_in_b: Vec<Lonely<'t>>,
    /// Number of steps that only A has, in pixels that both have.
    pub steps_only_in_a: usize,
    /// The same for B.
    pub steps_only_in_b: usize,
}

/// What only one trace has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lonely<'t> {
    /// The pixel at a row and a column.
    Pixel([usize; 2]),
    /// More pixels than are listed: their number.
    MorePixels(usize),
    /// A tap.
    Tap(&'t str),
    /// A value of steps.
    OfSteps(&'t str),
}

impl fmt::Display for Lonely<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pixel([slow, fast]) => write!(f, "pixel {slow} {fast}"),
            Self::MorePixels(count) => write!(f, "{count} more pixels"),
            Self::Tap(name) => f.write_str(name),
            Self::OfSteps(name) => write!(f, "{name} of steps"),
        }
    }
}

/// Why two traces cannot be aligned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAligned(String);

impl fmt::Display for NotAligned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl NotAligned {
    fn memory() -> Self {
        Self("no memory for the comparison".to_owned())
    }
}

impl From<TryReserveError> for NotAligned {
    fn from(_: TryReserveError) -> Self {
        Self::memory()
    }
}

/// Aligns `a` and `b`: only the pixels `wanted`, or all where none is named.
///
/// # Errors
/// The traces have no pixel or tap in common, pixels cannot be distinguished, or there is too little memory.
pub fn align<'t>(a: &'t Trace, b: &'t Trace, wanted: &[[usize; 2]]) -> Result<Alignment<'t>, NotAligned> {
    let (a, b) = (chosen(a, wanted)?, chosen(b, wanted)?);
    let mut alignment = Alignment::default();
    let pairs = pairs(&a, &b, &mut alignment)?;
    let most = |(a, _): &Pair<'_>| a.taps.len() + a.steps.iter().map(|step| step.values.len()).sum::<usize>();
    alignment.rows = reserved(pairs.iter().map(most).sum()).ok_or_else(NotAligned::memory)?;
    let mut named = Named::default();
    for (pixel, other) in pairs {
        alignment.pixels += 1;
        alignment.align_pixel(pixel, other, &mut named)?;
    }
    if alignment.pixels == 0 {
        return Err(NotAligned("the two traces have no pixel in common".to_owned()));
    }
    if alignment.rows.is_empty() {
        return Err(NotAligned("the two traces have no tap in common".to_owned()));
    }
    Ok(alignment)
}

/// The wanted pixels; a pixel without a position may be any of them.
fn chosen<'t>(trace: &'t Trace, wanted: &[[usize; 2]]) -> Result<Vec<&'t TracedPixel>, NotAligned> {
    let is_wanted = |pixel: &&TracedPixel| {
        wanted.is_empty() || pixel.position.is_none_or(|position| wanted.contains(&position))
    };
    let mut chosen = reserved(trace.pixels.len()).ok_or_else(NotAligned::memory)?;
    chosen.extend(trace.pixels.iter().filter(is_wanted));
    Ok(chosen)
}

type Pair<'t> = (&'t TracedPixel, &'t TracedPixel);

/// Pairs of pixels: by position, or in order where a trace does not state positions.
fn pairs<'t>(
    a: &[&'t TracedPixel],
    b: &[&'t TracedPixel],
    alignment: &mut Alignment<'t>,
) -> Result<Vec<Pair<'t>>, NotAligned> {
    let mut pairs = reserved(a.len()).ok_or_else(NotAligned::memory)?;
    let without_position = |pixels: &[&TracedPixel]| pixels.iter().any(|pixel| pixel.position.is_none());
    if without_position(a) || without_position(b) {
        if a.len() != b.len() {
            return Err(NotAligned(format!(
                "{} pixels in A and {} in B, some without a position: choose pixels with --pixel",
                a.len(),
                b.len()
            )));
        }
        pairs.extend(a.iter().copied().zip(b.iter().copied()));
        let differs = |(a, b): &Pair<'_>| matches!((a.position, b.position), (Some(a), Some(b)) if a != b);
        if pairs.iter().any(differs) {
            let what = "some pixels have no position, and the pixels do not match in order";
            return Err(NotAligned(what.to_owned()));
        }
        return Ok(pairs);
    }
    let (a, b) = (numbered(a)?, numbered(b)?);
    alignment.only_in_a = lonely(&a, &b)?;
    alignment.only_in_b = lonely(&b, &a)?;
    let mut by_position: HashMap<Place, &TracedPixel> = HashMap::new();
    by_position.try_reserve(b.len())?;
    by_position.extend(b);
    pairs.extend(a.iter().filter_map(|(place, pixel)| Some((*pixel, *by_position.get(place)?))));
    Ok(pairs)
}

/// The pixels that `others` does not have, by name up to a number.
fn lonely<'t>(
    pixels: &[(Place, &TracedPixel)],
    others: &[(Place, &TracedPixel)],
) -> Result<Vec<Lonely<'t>>, NotAligned> {
    let mut there: HashSet<Place> = HashSet::new();
    there.try_reserve(others.len())?;
    there.extend(others.iter().map(|(place, _)| *place));
    let positions = pixels.iter().filter(|(place, _)| !there.contains(place));
    let positions = positions.filter_map(|((position, _), _)| *position);
    let named = positions.clone().take(MOST_NAMED).map(Lonely::Pixel);
    let more = positions.skip(MOST_NAMED).count();
    Ok(named.chain((more > 0).then_some(Lonely::MorePixels(more))).collect())
}

/// Position of a pixel, and number of earlier pixels at the same position.
type Place = (Option<[usize; 2]>, usize);

/// Pixels with their keys: repeated traces of a pixel have different keys.
fn numbered<'t>(pixels: &[&'t TracedPixel]) -> Result<Vec<(Place, &'t TracedPixel)>, NotAligned> {
    let mut numbered = reserved(pixels.len()).ok_or_else(NotAligned::memory)?;
    let mut seen = HashMap::new();
    seen.try_reserve(pixels.len())?;
    numbered.extend(pixels.iter().map(|pixel| {
        let before = seen.entry(pixel.position).or_insert(0);
        *before += 1;
        ((pixel.position, *before - 1), *pixel)
    }));
    Ok(numbered)
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

impl<'t> Alignment<'t> {
    fn align_pixel(
        &mut self,
        a: &'t TracedPixel,
        b: &'t TracedPixel,
        named: &mut Named<'t>,
    ) -> Result<(), NotAligned> {
        let position = a.position.or(b.position);
        let others = by_name(&b.taps, |tap| &tap.name)?;
        let mut stage = Stage::Geometry;
        let mut taps: Vec<(Stage, Row<'t>)> = Vec::new();
        taps.try_reserve_exact(a.taps.len())?;
        for tap in &a.taps {
            let name = tap.name.as_str();
            // The scattering vector is last in the file, after the taps of the sum.
            let begun = Stage::begun_by(name);
            stage = begun.filter(|begun| *begun >= stage).unwrap_or(stage);
            match others.get(name) {
                None => named.note(Side::A, Lonely::Tap(name), &mut self.only_in_a)?,
                Some(&other) => {
                    let least_scale = if name == "cos_2theta" { 1.0 } else { 0.0 };
                    let (a, b) = (tap.into(), other.into());
                    taps.push((
                        begun.unwrap_or(stage),
                        Row { position, name, step: None, a, b, least_scale },
                    ));
                }
            }
        }
        let ours = by_name(&a.taps, |tap| &tap.name)?;
        for tap in b.taps.iter().filter(|tap| !ours.contains_key(tap.name.as_str())) {
            named.note(Side::B, Lonely::Tap(&tap.name), &mut self.only_in_b)?;
        }
        let of = |wanted| taps.iter().filter(move |(stage, _)| *stage == wanted).map(|(_, row)| *row);
        self.rows.extend(of(Stage::Geometry));
        self.rows.extend(of(Stage::FirstStep));
        self.align_steps(position, a, b, named)?;
        self.rows.extend(of(Stage::Sum));
        Ok(())
    }

    fn align_steps(
        &mut self,
        position: Option<[usize; 2]>,
        a: &'t TracedPixel,
        b: &'t TracedPixel,
        named: &mut Named<'t>,
    ) -> Result<(), NotAligned> {
        let mut others: HashMap<StepIndex, &Step> = HashMap::new();
        others.try_reserve(b.steps.len())?;
        others.extend(b.steps.iter().map(|step| (step.at, step)));
        let mut shared = 0;
        for step in &a.steps {
            let Some(&other) = others.get(&step.at) else { continue };
            shared += 1;
            let largest_index = largest_index(step).max(largest_index(other));
            let theirs = by_name(&other.values, |value| &value.name)?;
            for value in &step.values {
                let name = value.name.as_str();
                let Some(&theirs) = theirs.get(name) else {
                    named.note(Side::A, Lonely::OfSteps(name), &mut self.only_in_a)?;
                    continue;
                };
                let least_scale = if is_index(name) { largest_index } else { 0.0 };
                let (a, b) = (value.into(), theirs.into());
                self.rows.push(Row { position, name, step: Some(step.at), a, b, least_scale });
            }
            let ours = by_name(&step.values, |value| &value.name)?;
            for value in other.values.iter().filter(|value| !ours.contains_key(value.name.as_str())) {
                named.note(Side::B, Lonely::OfSteps(&value.name), &mut self.only_in_b)?;
            }
        }
        self.steps_only_in_a += a.steps.len() - shared;
        self.steps_only_in_b += b.steps.len().saturating_sub(shared);
        Ok(())
    }
}

fn is_index(name: &str) -> bool {
    matches!(name, "h_frac" | "k_frac" | "l_frac")
}

fn largest_index(step: &Step) -> f64 {
    let indices = step.values.iter().filter(|value| is_index(&value.name) && value.value.is_finite());
    indices.fold(0.0, |largest, value| largest.max(value.value.abs()))
}

/// The entries by name.
fn by_name<'t, T>(
    entries: &'t [T],
    name: impl Fn(&'t T) -> &'t String,
) -> Result<HashMap<&'t str, &'t T>, NotAligned> {
    let mut by_name = HashMap::new();
    by_name.try_reserve(entries.len())?;
    by_name.extend(entries.iter().map(|entry| (name(entry).as_str(), entry)));
    Ok(by_name)
}

/// A trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Side {
    A,
    B,
}

/// The names that are in the lists of an alignment.
#[derive(Default)]
struct Named<'t>(HashSet<(Side, Lonely<'t>)>);

impl<'t> Named<'t> {
    /// Adds a name to the list of its side, once.
    fn note(&mut self, side: Side, name: Lonely<'t>, list: &mut Vec<Lonely<'t>>) -> Result<(), NotAligned> {
        self.0.try_reserve(1)?;
        if self.0.insert((side, name)) {
            push(list, name).ok_or_else(NotAligned::memory)?;
        }
        Ok(())
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
            "   3    4 : stol = 1e8 or 0.01\n",
            "at 1 2 3\n",
            " F_cell=1  F_latt=2   I = 3\n",
            "pixel 3\n",
            "X: 1 2 3\nY: 4 5 6\nZ: 7 8 9\n",
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
                    prop_assert!(alignment.rows.iter().all(|row| row.difference().largest_relative == 0.0));
                }
            }
        }
    }
}
