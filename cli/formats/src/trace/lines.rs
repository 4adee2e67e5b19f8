//! Traces in logs: lines `TRACE_C: name values` and `TRACE_C_PHI key=value ...` among other output of a
//! program.
//!
//! The word after `TRACE_` names the program (C, WB, PY). A line `TRACE_WB: pixel SLOW FAST`, or a repetition
//! of the first tap, begins another pixel. A log without such lines may have blocks of `-printout`
//! ([`super::printout`]).
//! Special cases: of a tap or step that a pixel has twice the first one counts, since it belongs to the first
//! step; values that are words (`carryover=hit`) are skipped; of several programs that trace into one log the
//! first is read. Remarks say so. Lines longer than 32 KiB are none of a trace.

use std::io::{self, BufRead};

use super::Fault;
use super::data::{StepParts, Tap, Trace, TracedPixel, whole};
use super::digits::Digits;
use super::printout;
use crate::memory::push;

/// The first words of a trace of this program.
pub const FIRST_WORDS: &str = "# widebragg trace ";

/// Its last line; a trace without it is cut off.
pub const LAST_LINE: &str = "# end of the trace";

/// Longest line of a trace.
const LONGEST_LINE: usize = 1 << 15;

/// Reads the pixels of `input`, before which `lines_before` blank lines were read.
///
/// # Errors
/// The text is cut off: its last line is a trace line without a line feed, it is a trace of this program
/// without [`LAST_LINE`], or its last block of `-printout` is not complete.
pub(super) fn read(mut input: impl BufRead, lines_before: usize) -> Result<Trace, Fault> {
    let mut reader = Reader::default();
    let mut printed = printout::Reader::default();
    let (mut is_own, mut is_at_end) = (false, false);
    let mut line = Vec::new();
    for index in 0.. {
        let Some(end) = next_line(&mut input, &mut line)? else { break };
        let number = lines_before + index + 1;
        is_own |= index == 0 && line.starts_with(FIRST_WORDS.as_bytes());
        if !line.trim_ascii().is_empty() {
            is_at_end = line.trim_ascii_end().ends_with(LAST_LINE.as_bytes());
        }
        let text = String::from_utf8_lossy(&line);
        let is_taken = match TraceLine::find(&text) {
            Some(line) => reader.take(number, &line).map(|()| true)?,
            None => printed.take(&text)?,
        };
        if is_taken && end == LineEnd::None {
            return Err(Fault::Content(format!("line {number}: cut off, it has no end")));
        }
    }
    if is_own && !is_at_end {
        return Err(Fault::Content(format!("cut off: its last line is not '{LAST_LINE}'")));
    }
    if reader.pixels.is_empty() { printed.finish() } else { reader.finish() }
}

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    LineFeed,
    /// It is the last one, and has none.
    None,
}

/// Reads the next line, without its line feed; `None` at the end of the input. A line that is longer than
/// those of a trace is left out.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<LineEnd>> {
    line.clear();
    let mut length = 0usize;
    let end = loop {
        let piece = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            piece => piece?,
        };
        if piece.is_empty() {
            break if length > 0 { LineEnd::None } else { return Ok(None) };
        }
        let end = piece.iter().position(|byte| *byte == b'\n');
        let part = &piece[..end.unwrap_or(piece.len())];
        length = length.saturating_add(part.len());
        line.extend(&part[..part.len().min((LONGEST_LINE + 1).saturating_sub(line.len()))]);
        let taken = part.len() + usize::from(end.is_some());
        input.consume(taken);
        if end.is_some() {
            break LineEnd::LineFeed;
        }
    };
    if length > LONGEST_LINE {
        line.clear();
    }
    Ok(Some(end))
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
    repeated: usize,
    without_number: usize,
    of_other_programs: usize,
    without_phi: usize,
}

impl Reader {
    fn begin(&mut self, position: Option<[usize; 2]>) -> Result<(), Fault> {
        self.end_pixel()?;
        push(&mut self.pixels, TracedPixel { position, ..TracedPixel::default() }).ok_or_else(Fault::memory)
    }

    fn end_pixel(&mut self) -> Result<(), Fault> {
        if let Some(pixel) = self.pixels.last_mut() {
            self.repeated += pixel.keep_first().ok_or_else(Fault::memory)?;
        }
        Ok(())
    }

    fn pixel(&mut self) -> &mut TracedPixel {
        if self.pixels.is_empty() {
            self.pixels.push(TracedPixel::default());
        }
        let last = self.pixels.len() - 1;
        &mut self.pixels[last]
    }

    fn take(&mut self, number: usize, line: &TraceLine<'_>) -> Result<(), Fault> {
        let program = self.program.get_or_insert_with(|| line.program.to_owned());
        if program != line.program {
            self.of_other_programs += 1;
            return Ok(());
        }
        if line.is_step {
            return self.take_step(line);
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
                return Err(Fault::Content(format!("line {number}: 'pixel' needs a row and a column")));
            };
            return self.begin(Some([slow, fast]));
        }
        let Some(values) = values else {
            self.without_number += 1;
            return Ok(());
        };
        let name = name.trim_end_matches(':');
        if self.pixel().position.is_none()
            && self.pixel().taps.first().is_some_and(|first| first.name == name)
        {
            self.begin(None)?;
        }
        let tap = Tap { name: name.to_owned(), values, digits: Digits::All };
        push(&mut self.pixel().taps, tap).ok_or_else(Fault::memory)
    }

    fn take_step(&mut self, line: &TraceLine<'_>) -> Result<(), Fault> {
        let mut parts = StepParts::new();
        for word in &line.words {
            if let Some((key, value)) = word.split_once('=')
                && let Ok(value) = value.trim_end_matches(',').parse()
            {
                parts.add(key.to_owned(), value).ok_or_else(Fault::memory)?;
            }
        }
        match parts.finish().ok_or_else(Fault::memory)? {
            Some(step) => push(&mut self.pixel().steps, step).ok_or_else(Fault::memory)?,
            None => self.without_phi += 1,
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Trace, Fault> {
        self.end_pixel()?;
        let program = self.program.unwrap_or_default();
        let notes = [
            (self.repeated, "taps or steps come again within a pixel: the first of each is read".to_owned()),
            (self.without_number, "trace lines without numbers left out".to_owned()),
            (self.without_phi, "step lines without a phi_tic left out".to_owned()),
            (self.of_other_programs, format!("trace lines of other programs than TRACE_{program} left out")),
        ];
        let notes = notes.into_iter().filter(|(count, _)| *count > 0);
        let notes = notes.map(|(count, what)| format!("{count} {what}")).collect();
        Ok(Trace { pixels: self.pixels, notes })
    }
}
