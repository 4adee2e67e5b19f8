//! Traces in logs: lines `TRACE_C: name values` and `TRACE_C_PHI key=value ...` among other output of a
//! program.
//!
//! The word after `TRACE_` names the program (C, WB, PY). A line `TRACE_WB: pixel SLOW FAST`, or a repetition
//! of the first tap, begins another pixel.
//! Special cases: of a tap or step that a pixel has twice the first one counts, since it belongs to the first
//! step; values that are words (`carryover=hit`) are skipped; of several programs that trace into one log the
//! first is read. Remarks say so.

use std::collections::HashSet;

use super::data::{Step, StepIndex, Trace, TracedPixel, whole};

/// The first words of a trace of this program.
pub const FIRST_WORDS: &str = "# widebragg trace ";

/// Its last line; a trace without it is cut off.
pub const LAST_LINE: &str = "# end of the trace";

/// Reads the pixels in `bytes`.
///
/// # Errors
/// The text is cut off: its last line is a trace line without a line feed, or it is a trace of this program
/// without [`LAST_LINE`].
pub(super) fn read(bytes: &[u8]) -> Result<Trace, String> {
    let mut reader = Reader::default();
    let mut lines = bytes.split(|byte| *byte == b'\n').enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        if let Some(line) = TraceLine::find(&String::from_utf8_lossy(line)) {
            if lines.peek().is_none() {
                return Err(format!("line {}: cut off, it has no end", index + 1));
            }
            reader.take(index + 1, &line)?;
        }
    }
    let has_end = bytes.trim_ascii_end().ends_with(LAST_LINE.as_bytes());
    if bytes.starts_with(FIRST_WORDS.as_bytes()) && !has_end {
        return Err(format!("cut off: its last line is not '{LAST_LINE}'"));
    }
    Ok(reader.finish())
}

/// The parts of a trace line.
struct TraceLine<'l> {
    program: &'l str,
    is_step: bool,
    words: Vec<&'l str>,
}

impl<'l> TraceLine<'l> {
    fn find(line: &'l str) -> Option<Self> {
        let (_, rest) = line.split_once("TRACE_")?;
        let end = rest.find([':', ' ', '\t'])?;
        let (tag, rest) = rest.split_at(end);
        let (program, is_step) = match tag.strip_suffix("_PHI") {
            Some(program) => (program, true),
            None if rest.starts_with(':') => (tag, false),
            None => return None,
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if program.is_empty() || !program.chars().all(is_name) {
            return None;
        }
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        Some(Self { program, is_step, words: rest.split_whitespace().collect() })
    }
}

#[derive(Default)]
struct Reader {
    program: Option<String>,
    pixels: Vec<TracedPixel>,
    /// Names of the taps of the last pixel.
    names: HashSet<String>,
    steps: HashSet<StepIndex>,
    repeated: usize,
    without_number: usize,
    of_other_programs: usize,
    without_phi: usize,
}

impl Reader {
    fn begin(&mut self, position: Option<[usize; 2]>) {
        self.pixels.push(TracedPixel { position, ..TracedPixel::default() });
        self.names.clear();
        self.steps.clear();
    }

    fn pixel(&mut self) -> &mut TracedPixel {
        if self.pixels.is_empty() {
            self.pixels.push(TracedPixel::default());
        }
        let last = self.pixels.len() - 1;
        &mut self.pixels[last]
    }

    fn take(&mut self, number: usize, line: &TraceLine<'_>) -> Result<(), String> {
        let program = self.program.get_or_insert_with(|| line.program.to_owned());
        if program != line.program {
            self.of_other_programs += 1;
            return Ok(());
        }
        if line.is_step {
            self.take_step(line);
            return Ok(());
        }
        let Some((name, values)) = line.words.split_first() else {
            self.without_number += 1;
            return Ok(());
        };
        let values: Result<Vec<f64>, _> =
            values.iter().map(|word| word.trim_end_matches(',').parse::<f64>()).collect();
        let values = values.ok().filter(|values| !values.is_empty());
        if *name == "pixel" {
            let position: Option<Vec<usize>> = values.and_then(|v| v.into_iter().map(whole).collect());
            let Some(&[slow, fast]) = position.as_deref() else {
                return Err(format!("line {number}: 'pixel' needs a row and a column"));
            };
            self.begin(Some([slow, fast]));
            return Ok(());
        }
        let Some(values) = values else {
            self.without_number += 1;
            return Ok(());
        };
        let name = name.trim_end_matches(':');
        if self.pixel().position.is_none()
            && self.pixel().taps.first().is_some_and(|(first, _)| first == name)
        {
            self.begin(None);
        }
        if self.names.insert(name.to_owned()) {
            self.pixel().taps.push((name.to_owned(), values));
        } else {
            self.repeated += 1;
        }
        Ok(())
    }

    fn take_step(&mut self, line: &TraceLine<'_>) {
        let pairs = line.words.iter().filter_map(|word| {
            let (key, value) = word.split_once('=')?;
            Some((key.to_owned(), value.trim_end_matches(',').parse().ok()?))
        });
        match Step::from_pairs(pairs) {
            None => self.without_phi += 1,
            Some(step) if !self.steps.insert(step.at) => self.repeated += 1,
            Some(step) => self.pixel().steps.push(step),
        }
    }

    fn finish(self) -> Trace {
        let program = self.program.unwrap_or_default();
        let notes = [
            (self.repeated, "taps or steps come again within a pixel: the first of each is read".to_owned()),
            (self.without_number, "trace lines without numbers left out".to_owned()),
            (self.without_phi, "step lines without a phi_tic left out".to_owned()),
            (self.of_other_programs, format!("trace lines of other programs than TRACE_{program} left out")),
        ];
        let notes = notes.into_iter().filter(|(count, _)| *count > 0);
        Trace { pixels: self.pixels, notes: notes.map(|(count, what)| format!("{count} {what}")).collect() }
    }
}
