//! What the readers of reflections as text share: lines of bounded length, their numbers, and the rows collected.
//!
//! Cost: a line is copied once, into a buffer that all lines share. Nothing else is kept but the observations.

use std::io::{self, BufRead};
use std::path::Path;

use widebragg_reflections::observations::{Hkl, Observation};

use crate::decimal::plain_integer;
use crate::failure::Failure;
use crate::memory::push;
use crate::reflections::{Choice, MOST_INDEX};
use crate::text::{at_line, cannot_read, in_file, number, shown};

/// Longest line that is read; the formats' own lines are a thousand times shorter.
const MOST_LINE_BYTES: usize = 1 << 16;

/// Longest name of a space group or point group.
const MOST_SYMBOL_BYTES: usize = 80;

/// The lines of a stream, one at a time. They end in LF, CR LF or CR.
pub(super) struct Lines<'a> {
    input: &'a mut dyn BufRead,
    path: &'a Path,
    line: Vec<u8>,
    number: u64,
    /// Whether the last line ended in CR, so that an LF that follows belongs to it.
    after_cr: bool,
}

impl<'a> Lines<'a> {
    /// The lines of `input`; `path` is its name in error messages.
    pub fn new(input: &'a mut dyn BufRead, path: &'a Path) -> Self {
        Self { input, path, line: Vec::new(), number: 0, after_cr: false }
    }

    /// Goes to the next line; false at the end of the stream.
    pub fn advance(&mut self) -> Result<bool, Failure> {
        self.line.clear();
        loop {
            let Some(block) = arrived(self.input.fill_buf(), self.path)? else { continue };
            if block.is_empty() {
                self.number += u64::from(!self.line.is_empty());
                return Ok(!self.line.is_empty());
            }
            let skipped = usize::from(self.after_cr && block[0] == b'\n');
            self.after_cr = false;
            let rest = &block[skipped..];
            let end = rest.iter().position(|&byte| byte == b'\n' || byte == b'\r');
            let part = &rest[..end.unwrap_or(rest.len())];
            if self.line.len() + part.len() > MOST_LINE_BYTES {
                let what = format!("longer than {MOST_LINE_BYTES} bytes: no line of reflections");
                return Err(at_line(self.path, self.number + 1, what));
            }
            self.line.extend_from_slice(part);
            let used = skipped + part.len() + usize::from(end.is_some());
            if let Some(end) = end {
                self.after_cr = rest[end] == b'\r';
                self.number += 1;
                self.input.consume(used);
                return Ok(true);
            }
            self.input.consume(used);
        }
    }

    /// The line, without its end.
    pub fn current(&self) -> &[u8] {
        &self.line
    }

    /// The failure of this line.
    pub fn failure(&self, what: impl AsRef<str>) -> Failure {
        at_line(self.path, self.number.max(1), what)
    }

    /// The failure of the file as a whole.
    pub fn file_failure(&self, what: impl AsRef<str>) -> Failure {
        in_file(self.path, what)
    }
}

/// The bytes that the input has ready, none at its end; `None` where a signal interrupted it.
fn arrived<'i>(block: io::Result<&'i [u8]>, path: &Path) -> Result<Option<&'i [u8]>, Failure> {
    match block {
        Ok(block) => Ok(Some(block)),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
        Err(error) => Err(cannot_read(path, &error)),
    }
}

/// The rows read so far.
#[derive(Default)]
pub(super) struct Rows {
    /// The measurements with a value.
    pub list: Vec<Observation>,
    /// Rows read.
    pub read: usize,
    /// Rows without a value.
    pub missing: usize,
}

impl Rows {
    /// Adds a measurement; an error where there is no memory for it.
    pub fn add(&mut self, hkl: Hkl, value: f64, sigma: Option<f64>) -> Result<(), String> {
        push(&mut self.list, Observation { hkl, value, sigma })
            .ok_or_else(|| "no memory for more reflections".to_owned())
    }

    /// Refuses a file without a value.
    pub fn check(&self, lines: &Lines) -> Result<(), Failure> {
        if !self.list.is_empty() {
            return Ok(());
        }
        Err(lines.file_failure(match self.read {
            0 => "no reflections in it".to_owned(),
            read => format!("none of its {read} reflections has a value"),
        }))
    }
}

/// The words of a line such as `KEY= value KEY=value`, in which `=` is a blank.
pub(super) fn words_without_equals(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b'=' || byte.is_ascii_whitespace()).filter(|word| !word.is_empty())
}

/// An index h, k or l.
pub(super) fn index(name: &str, word: &[u8]) -> Result<i32, String> {
    let value = match plain_integer(word, 0) {
        Some((value, end)) if end == word.len() => f64::from(value),
        _ => number(word).map_err(|what| format!("{name}: {what}"))?,
    };
    if value.fract() != 0.0 {
        return Err(format!("{name}: {} is not an integer", shown(word)));
    }
    if value.abs() > f64::from(MOST_INDEX) {
        return Err(format!("{name}: {} is beyond the largest index, {MOST_INDEX}", shown(word)));
    }
    Ok(value as i32)
}

/// Three indices.
pub(super) fn hkl([h, k, l]: [&[u8]; 3]) -> Result<Hkl, String> {
    Ok([index("h", h)?, index("k", k)?, index("l", l)?])
}

/// A number of a size that a measurement can have: that of an f32, so that sums and squares stay finite.
pub(super) fn value(name: &str, word: &[u8]) -> Result<f64, String> {
    let value = number(word).map_err(|what| format!("{name}: {what}"))?;
    if value.abs() > f64::from(f32::MAX) {
        return Err(format!("{name}: {} is too large", shown(word)));
    }
    Ok(value)
}

/// The name of a space group or point group, as it is written.
pub(super) fn symbol(name: &str, text: &[u8]) -> Result<String, String> {
    let text = text.trim_ascii();
    let is_symbol =
        text.len() <= MOST_SYMBOL_BYTES && text.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    is_symbol
        .then(|| String::from_utf8_lossy(text).into_owned())
        .ok_or_else(|| format!("{name}: {} is no symbol", shown(text)))
}

/// Refuses the choice of a data block, which no text but CIF has.
pub(super) fn check_no_block(lines: &Lines, choice: &Choice, format: &str) -> Result<(), Failure> {
    match &choice.block {
        None => Ok(()),
        Some(block) => Err(lines.file_failure(format!(
            "{format} has no data blocks, so {} cannot be chosen",
            shown(block.as_bytes())
        ))),
    }
}

/// Refuses a choice that a format with one quantity does not have: data blocks, and labels that are neither among
/// `values` nor among `sigmas`.
pub(super) fn check_choice(
    lines: &Lines,
    choice: &Choice,
    format: &str,
    values: &[&str],
    sigmas: &[&str],
) -> Result<(), Failure> {
    check_no_block(lines, choice, format)?;
    let is_one_of = |labels: &[&str], label: &str| labels.iter().any(|one| one.eq_ignore_ascii_case(label));
    let columns = values.join(", ");
    let unknown = choice.columns.iter().find(|label| !is_one_of(values, label) && !is_one_of(sigmas, label));
    if let Some(label) = unknown {
        return Err(lines.file_failure(format!("no column {}; it has {columns}", shown(label.as_bytes()))));
    }
    if !choice.columns.is_empty() && !choice.columns.iter().any(|label| is_one_of(values, label)) {
        return Err(lines.file_failure(format!("only sigmas are chosen; it has {columns}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn lines_end_in_any_way_and_blocks_anywhere() {
        let path = Path::new("a.hkl");
        for text in ["a\n\nbc\nd", "a\r\n\r\nbc\r\nd", "a\r\rbc\rd\r", "a\n\nbc\nd\n"] {
            for room in 1..=text.len() {
                let mut input = BufReader::with_capacity(room, text.as_bytes());
                let mut lines = Lines::new(&mut input, path);
                let mut read = Vec::new();
                while lines.advance().unwrap() {
                    read.push(lines.current().to_vec());
                }
                assert_eq!(read, [&b"a"[..], b"", b"bc", b"d"], "{text:?} in pieces of {room}");
                assert_eq!(lines.failure("x").to_string(), "a.hkl:4: x");
            }
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut endless = BufReader::new(io::repeat(b'1'));
        let error = Lines::new(&mut endless, Path::new("a.hkl")).advance().unwrap_err();
        assert_eq!(error.to_string(), "a.hkl:1: longer than 65536 bytes: no line of reflections");
    }

    #[test]
    fn numbers_have_limits() {
        assert_eq!(index("h", b"-1000000"), Ok(-1_000_000));
        assert_eq!(index("h", b"+3.0"), Ok(3));
        assert_eq!(index("h", b"2.5").unwrap_err(), "h: \"2.5\" is not an integer");
        assert_eq!(
            index("h", b"1000001").unwrap_err(),
            "h: \"1000001\" is beyond the largest index, 1000000"
        );
        assert!(index("h", b"99999999999").unwrap_err().contains("is beyond"));
        assert_eq!(index("l", b"x").unwrap_err(), "l: \"x\" is not a number");
        assert_eq!(value("I", b"2.247E+02"), Ok(224.7));
        assert_eq!(value("I", b"nan").unwrap_err(), "I: \"nan\" is not a finite number");
        assert_eq!(value("I", b"1e999").unwrap_err(), "I: \"1e999\" is not a finite number");
        assert_eq!(value("I", b"-1e39").unwrap_err(), "I: \"-1e39\" is too large");
        assert_eq!(value("sigma", b"-1.0"), Ok(-1.0));
        assert_eq!(value("sigma", b"1e-200"), Ok(1e-200));
    }
}
