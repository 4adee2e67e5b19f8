//! A trace as it is read: pixels, each with named values (taps) and steps.

use super::digits::Digits;
use crate::memory::{filled, reserve};

/// A whole trace.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trace {
    /// Its pixels, in the order of the file.
    pub pixels: Vec<TracedPixel>,
    /// Remarks on what the reader skipped.
    pub notes: Vec<String>,
}

/// One pixel of a trace.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TracedPixel {
    /// Row and column; `None` where the trace does not state them.
    pub position: Option<[usize; 2]>,
    /// Its taps, in the order of the file.
    pub taps: Vec<Tap>,
    /// Its steps, in the order of the file.
    pub steps: Vec<Step>,
}

/// A named value of a pixel: a number or a vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Tap {
    /// Its name.
    pub name: String,
    /// Its components, at least one.
    pub values: Vec<f64>,
    /// The digits that the trace has of each.
    pub digits: Digits,
}

/// One step of a pixel.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The counters of the loop that identify it.
    pub at: StepIndex,
    /// Its values, in the order of the file.
    pub values: Vec<StepValue>,
}

/// A named number of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepValue {
    /// Its name.
    pub name: String,
    /// The number.
    pub value: f64,
    /// The digits that the trace has of it.
    pub digits: Digits,
}

/// The counters of the render loop, outermost first; those that a trace does not state are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[expect(missing_docs, reason = "named as in the traces")]
pub struct StepIndex {
    pub layer: usize,
    pub subpixel_slow: usize,
    pub subpixel_fast: usize,
    pub source: usize,
    pub phi_tic: usize,
    pub domain: usize,
}

impl StepIndex {
    /// The counters by name.
    #[must_use]
    pub fn counters(self) -> [(&'static str, usize); 6] {
        [
            ("layer", self.layer),
            ("subpixel_slow", self.subpixel_slow),
            ("subpixel_fast", self.subpixel_fast),
            ("source", self.source),
            ("phi_tic", self.phi_tic),
            ("domain", self.domain),
        ]
    }

    fn counter(&mut self, name: &str) -> Option<&mut usize> {
        Some(match name {
            "layer" => &mut self.layer,
            "subpixel_slow" => &mut self.subpixel_slow,
            "subpixel_fast" => &mut self.subpixel_fast,
            "source" => &mut self.source,
            "phi_tic" => &mut self.phi_tic,
            "domain" => &mut self.domain,
            _ => return None,
        })
    }
}

impl TracedPixel {
    /// Whether the pixel has neither taps nor steps.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taps.is_empty() && self.steps.is_empty()
    }

    /// Removes taps and steps that come again, since they belong to later steps; returns their number, or
    /// `None` where there is too little memory.
    pub(super) fn keep_first(&mut self) -> Option<usize> {
        let taps = keep_first(&mut self.taps, |tap| &tap.name)?;
        Some(taps + keep_first(&mut self.steps, |step| &step.at)?)
    }
}

/// A step whose names and numbers arrive one by one.
#[derive(Debug)]
pub(super) struct StepParts {
    step: Step,
    has_phi: bool,
    is_whole: bool,
}

impl StepParts {
    /// Nothing so far.
    pub(super) fn new() -> Self {
        let step = Step { at: StepIndex::default(), values: Vec::new() };
        Self { step, has_phi: false, is_whole: true }
    }

    /// Adds a number; `None` where there is too little memory.
    pub(super) fn add(&mut self, name: String, value: f64) -> Option<()> {
        match self.step.at.counter(&name) {
            Some(counter) => {
                match whole(value) {
                    Some(value) => *counter = value,
                    None => self.is_whole = false,
                }
                self.has_phi |= name == "phi_tic";
                Some(())
            }
            None => {
                crate::memory::push(&mut self.step.values, StepValue { name, value, digits: Digits::All })
            }
        }
    }

    /// The step: `Some(None)` without a phi_tic, or where a counter is not a whole number. Of a repeated name
    /// the first value counts, as for taps. `None` where there is too little memory.
    pub(super) fn finish(mut self) -> Option<Option<Step>> {
        keep_first(&mut self.step.values, |value| &value.name)?;
        Some((self.has_phi && self.is_whole).then_some(self.step))
    }
}

/// Removes the entries whose key an earlier one has; returns their number, or `None` where there is too little
/// memory.
fn keep_first<T, K: Ord>(entries: &mut Vec<T>, key: impl Fn(&T) -> &K) -> Option<usize> {
    let mut order = Vec::new();
    reserve(&mut order, entries.len())?;
    order.extend(0..entries.len());
    order.sort_unstable_by(|&one, &other| key(&entries[one]).cmp(key(&entries[other])).then(one.cmp(&other)));
    let again = |pair: &[usize]| key(&entries[pair[0]]) == key(&entries[pair[1]]);
    if !order.windows(2).any(again) {
        return Some(0);
    }
    let mut is_kept = filled(entries.len(), true)?;
    for pair in order.windows(2).filter(|pair| again(pair)) {
        is_kept[pair[1]] = false;
    }
    let before = entries.len();
    let mut is_kept = is_kept.into_iter();
    entries.retain(|_| is_kept.next().unwrap_or(true));
    Some(before - entries.len())
}

/// The whole number that `value` is; `None` for a fraction, a negative or a very large number.
#[must_use]
pub fn whole(value: f64) -> Option<usize> {
    (value.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&value)).then_some(value as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_needs_its_phi_and_whole_counters() {
        let step = |pairs: &[(&str, f64)]| {
            let mut parts = StepParts::new();
            pairs.iter().for_each(|(name, value)| parts.add((*name).to_owned(), *value).unwrap());
            parts.finish().unwrap()
        };
        let found = step(&[("domain", 2.0), ("phi_tic", 3.0), ("F_latt", -1.5), ("F_latt", 4.0)]).unwrap();
        assert_eq!(found.at, StepIndex { phi_tic: 3, domain: 2, ..StepIndex::default() });
        assert_eq!(found.values, [StepValue { name: "F_latt".to_owned(), value: -1.5, digits: Digits::All }]);
        for refused in
            [&[("F_latt", 1.0)][..], &[("phi_tic", 0.5)], &[("phi_tic", -1.0)], &[("phi_tic", f64::NAN)]]
        {
            assert_eq!(step(refused), None, "{refused:?}");
        }
    }

    #[test]
    fn of_equal_keys_the_first_entry_is_kept() {
        let mut entries = vec![("b", 1), ("a", 2), ("b", 3), ("a", 4), ("c", 5), ("b", 6)];
        assert_eq!(keep_first(&mut entries, |(name, _)| name), Some(3));
        assert_eq!(entries, [("b", 1), ("a", 2), ("c", 5)]);
        assert_eq!(keep_first(&mut entries, |(name, _)| name), Some(0));
        assert_eq!(keep_first(&mut Vec::<(&str, u8)>::new(), |(name, _)| name), Some(0));
    }
}
