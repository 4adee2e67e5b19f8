//! Traces: the intermediate values of pixels, as lines of text or as JSON.

mod data;
mod json;
mod lines;

use std::io::Read;
use std::path::Path;

use crate::failure::Failure;
use crate::text::{cannot_read, in_file, open};
pub use data::{Step, StepIndex, Trace, TracedPixel};
pub use lines::{FIRST_WORDS, LAST_LINE};

/// Longest file that is read.
const MOST_BYTES: u64 = 4 << 30;

/// Reads a trace: as JSON where the file begins with a brace, else as lines.
///
/// # Errors
/// The file cannot be read, is damaged, or has no tap.
pub fn read_trace(path: &Path) -> Result<Trace, Failure> {
    parse_trace(open(path)?, path)
}

/// [`read_trace`] from a stream; `path` is its name in error messages.
///
/// # Errors
/// As [`read_trace`].
pub fn parse_trace(input: impl Read, path: &Path) -> Result<Trace, Failure> {
    let failed = |what: String| in_file(path, what);
    let mut bytes = Vec::new();
    input.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| cannot_read(path, &error))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(failed(format!("longer than {MOST_BYTES} bytes, no trace")));
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let is_json = text.trim_ascii_start().starts_with(b"{");
    let trace = if is_json { json::read(text) } else { lines::read(text) }.map_err(failed)?;
    if trace.pixels.iter().all(TracedPixel::is_empty) {
        return Err(failed(
            "no tap: neither lines like 'TRACE_C: name values' nor JSON with \"traces\"".into(),
        ));
    }
    Ok(trace)
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
            for read in [lines::read, json::read] {
                let _ = read(&bytes);
            }
        }
    }
}
