//! A trace as it is read: pixels, each with named values (taps) and steps.

use std::collections::HashSet;

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
    /// Taps by name, in the order of the file.
    pub taps: Vec<(String, Vec<f64>)>,
    /// Steps, in the order of the file.
    pub steps: Vec<Step>,
}

impl TracedPixel {
    /// Whether the pixel has neither taps nor steps.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taps.is_empty() && self.steps.is_empty()
    }
}

/// One step of a pixel.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The counters of the loop that identify it.
    pub at: StepIndex,
    /// Values by name, in the order of the file.
    pub values: Vec<(String, f64)>,
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

impl Step {
    /// A step from its pairs of name and value; `None` without a phi_tic, or where a counter is not a whole
    /// number.
    #[must_use]
    pub fn from_pairs(pairs: impl Iterator<Item = (String, f64)>) -> Option<Self> {
        let mut step = Self { at: StepIndex::default(), values: Vec::new() };
        let mut has_phi = false;
        let mut names = HashSet::new();
        for (name, value) in pairs {
            match step.at.counter(&name) {
                Some(counter) => {
                    *counter = whole(value)?;
                    has_phi |= name == "phi_tic";
                }
                // Of a repeated name the first value counts, as for taps.
                None if names.insert(name.clone()) => step.values.push((name, value)),
                None => {}
            }
        }
        has_phi.then_some(step)
    }
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
            Step::from_pairs(pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)))
        };
        let found = step(&[("domain", 2.0), ("phi_tic", 3.0), ("F_latt", -1.5), ("F_latt", 4.0)]).unwrap();
        assert_eq!(found.at, StepIndex { phi_tic: 3, domain: 2, ..StepIndex::default() });
        assert_eq!(found.values, [("F_latt".to_owned(), -1.5)]);
        for refused in
            [&[("F_latt", 1.0)][..], &[("phi_tic", 0.5)], &[("phi_tic", -1.0)], &[("phi_tic", f64::NAN)]]
        {
            assert_eq!(step(refused), None, "{refused:?}");
        }
    }
}
