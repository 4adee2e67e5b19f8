//! Traces: the intermediate values of pixels, as lines of text, as JSON, or as nanoBragg's `-printout`.
//!
//! Memory grows with the values that are read; where there is too little of it, reading ends with an error.

mod data;
mod digits;
mod json;
mod lines;
mod printout;

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use crate::failure::Failure;
use crate::memory::{PIECE_BYTES, Watched};
use crate::text::{cannot_read, in_file, open};
pub use data::{Step, StepIndex, StepValue, Tap, Trace, TracedPixel};
pub use digits::Digits;
pub use lines::{FIRST_WORDS, LAST_LINE};

/// Why a trace could not be read.
#[derive(Debug)]
enum Fault {
    /// The file could not be read, or there is too little memory.
    Input(io::Error),
    /// Its content cannot be used.
    Content(String),
}

impl Fault {
    fn memory() -> Self {
        Self::Input(io::ErrorKind::OutOfMemory.into())
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Input(error)
    }
}

/// Reads a trace: as JSON where the file begins with a brace, else as lines.
///
/// # Errors
/// The file cannot be read, is damaged, has no tap, or needs more memory than there is.
pub fn read_trace(path: &Path) -> Result<Trace, Failure> {
    parse_trace(open(path)?, path)
}

/// [`read_trace`] from a stream; `path` is its name in error messages.
///
/// # Errors
/// As [`read_trace`].
pub fn parse_trace(input: impl Read, path: &Path) -> Result<Trace, Failure> {
    let trace =
        parsed(BufReader::with_capacity(PIECE_BYTES, Watched(input))).map_err(|fault| match fault {
            Fault::Input(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                in_file(path, "no memory for this trace")
            }
            Fault::Input(error) => cannot_read(path, &error),
            Fault::Content(what) => in_file(path, what),
        })?;
    if trace.pixels.iter().all(TracedPixel::is_empty) {
        return Err(in_file(
            path,
            "no tap: neither lines like 'TRACE_C: name values', nor JSON with \"traces\", nor the output of -printout",
        ));
    }
    Ok(trace)
}

fn parsed(mut input: impl BufRead) -> Result<Trace, Fault> {
    // A byte order mark and blank lines may come first.
    let mut lines_before = 0;
    loop {
        let piece = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            piece => piece?,
        };
        let blank = |byte: &u8| byte.is_ascii_whitespace() || b"\xef\xbb\xbf".contains(byte);
        let blanks = piece.iter().take_while(|byte| blank(byte)).count();
        lines_before += piece.iter().take(blanks).filter(|byte| **byte == b'\n').count();
        let is_all = blanks == piece.len();
        let first = piece.get(blanks).copied();
        if is_all && !piece.is_empty() {
            input.consume(blanks);
            continue;
        }
        input.consume(blanks);
        return match first {
            Some(b'{') => json::read(input),
            _ => lines::read(input, lines_before),
        };
    }
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
            "   3    4 : stol = 1e8 or 0.01\n",
            "at ",
            "hkl= ",
            "I/steps",
            " F_cell=1  F_latt=2   I = 3\n",
            "  3 phi steps from ",
            "X: ",
            "Y: ",
            "Z: ",
        ]);
        prop_oneof![8 => word.prop_map(str::to_owned), 1 => any::<String>()]
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces in prop::collection::vec(piece(), 0..40), end in any::<Vec<u8>>()) {
            let bytes = [pieces.concat().as_bytes(), &end].concat();
            let _ = lines::read(&bytes[..], 0);
            let _ = json::read(&bytes[..]);
            let _ = parse_trace(&bytes[..], Path::new("trace"));
        }
    }
}
