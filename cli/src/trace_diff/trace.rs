//! A trace as it was read: pixels, each with named taps and steps.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::{json, log};
use crate::error::Failure;

/// Largest file taken for a trace.
const MOST_BYTES: u64 = 4 << 30;

/// A whole trace.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Trace {
    /// Its pixels, in the order of the file.
    pub pixels: Vec<TracedPixel>,
    /// What the reader left out, and why.
    pub notes: Vec<String>,
}

/// One pixel of a trace.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TracedPixel {
    /// Row and column, where the trace says.
    pub place: Option<[usize; 2]>,
    /// Taps by name, in the order of the file.
    pub taps: Vec<(String, Vec<f64>)>,
    /// Steps, in the order of the file.
    pub steps: Vec<Step>,
}

impl TracedPixel {
    /// Whether nothing is told of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.taps.is_empty() && self.steps.is_empty()
    }
}

/// One step of a pixel.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Which one.
    pub at: StepIndex,
    /// Values by name, in the order of the file.
    pub values: Vec<(String, f64)>,
}

/// The loop's counters, outer first; those that a trace does not tell are 0.
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
    /// A step from its pairs; `None` where no phi_tic says which it is, or a counter is no whole number.
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
                // Of a name that comes twice the first counts, as it does with taps.
                None if names.insert(name.clone()) => step.values.push((name, value)),
                None => {}
            }
        }
        has_phi.then_some(step)
    }
}

/// A number that counts something.
#[must_use]
pub fn whole(value: f64) -> Option<usize> {
    (value.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&value)).then_some(value as usize)
}

/// Reads a trace: JSON where the file begins with a brace, else lines.
///
/// # Errors
/// The file cannot be read, is damaged, or holds no tap.
pub fn read_trace(path: &Path) -> Result<Trace, Failure> {
    let file = File::open(path).map_err(|error| cannot_read(path, &error))?;
    parse_trace(file, path)
}

/// [`read_trace`] from any stream; `path` only names it in errors.
///
/// # Errors
/// As [`read_trace`].
pub fn parse_trace(input: impl Read, path: &Path) -> Result<Trace, Failure> {
    let failed = |what: String| Failure::input(format!("{}: {what}", path.display()));
    let mut bytes = Vec::new();
    input.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| cannot_read(path, &error))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(failed(format!("longer than {MOST_BYTES} bytes, no trace")));
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let is_json = text.trim_ascii_start().starts_with(b"{");
    let trace = if is_json { json::read(text) } else { log::read(text) }.map_err(failed)?;
    if trace.pixels.iter().all(TracedPixel::is_empty) {
        return Err(failed(
            "no tap: neither lines like 'TRACE_C: name values' nor JSON with \"traces\"".into(),
        ));
    }
    Ok(trace)
}

fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    Failure::input(format!("{}: cannot read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        fn no_bytes_panic(pieces in prop::collection::vec(piece(), 0..40), end in any::<Vec<u8>>()) {
            let bytes = [pieces.concat().as_bytes(), &end].concat();
            for read in [log::read, json::read] {
                if let Ok(trace) = read(&bytes) {
                    // Whatever was read can be aligned with itself, and does not differ from itself.
                    if let Ok(alignment) = super::super::alignment::align(&trace, &trace, &[]) {
                        prop_assert!(alignment.rows.iter().all(|row| row.difference.largest_relative == 0.0));
                    }
                }
            }
        }
    }

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
