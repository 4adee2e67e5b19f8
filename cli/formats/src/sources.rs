//! Source files: one source a line, up to five columns `X Y Z weight lambda`.
//!
//! X Y Z is the direction towards the source, of any length; lambda is in metres. Columns are separated by
//! one or more of space, tab, comma and `;:!`. Text after a # is a comment, blank lines are skipped, and
//! columns after the fifth are ignored. Columns at the end of a line may be left out; the caller decides on
//! the values for them.

use std::io::Read;
use std::path::Path;

use crate::failure::Failure;
use crate::kind::explained;
use crate::memory::push;
use crate::text::{at_line, finite, in_file, open, read_text};

/// Longest file that is read: millions of sources.
const LIMIT_BYTES: u64 = 1 << 28;

/// The columns of one source; `None` for those that are left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SourceLine {
    /// X, Y, Z, not normalised.
    pub direction: [Option<f64>; 3],
    /// Statistical weight.
    pub weight: Option<f64>,
    /// Wavelength in metres.
    pub lambda_m: Option<f64>,
}

/// Reads the sources.
///
/// # Errors
/// The file cannot be read or has no source, or a line has a number that is not finite, a direction without
/// length, or a wavelength that is not positive.
pub fn read_sources(path: &Path) -> Result<Vec<SourceLine>, Failure> {
    parse_sources(open(path)?, path)
}

/// [`read_sources`] from a stream; `path` is its name in error messages.
///
/// # Errors
/// As [`read_sources`].
pub fn parse_sources(input: impl Read, path: &Path) -> Result<Vec<SourceLine>, Failure> {
    parse_lines(input, path).map_err(explained(path, "a text with lines of X Y Z weight wavelength"))
}

fn parse_lines(input: impl Read, path: &Path) -> Result<Vec<SourceLine>, Failure> {
    let text = read_text(input, path, LIMIT_BYTES)?;
    let mut sources = Vec::new();
    for (line, words) in (1..).zip(text.lines()) {
        if let Some(source) = parse_line(words).map_err(|what| at_line(path, line, what))? {
            push(&mut sources, source).ok_or_else(|| at_line(path, line, "no memory for more sources"))?;
        }
    }
    if sources.is_empty() {
        return Err(in_file(path, "no sources in it (lines of X Y Z weight lambda)"));
    }
    Ok(sources)
}

fn parse_line(line: &str) -> Result<Option<SourceLine>, String> {
    let line = line.split('#').next().unwrap_or_default();
    let is_separator = |c: char| c.is_whitespace() || ",;:!".contains(c);
    let mut columns = [None; 5];
    for (column, word) in columns.iter_mut().zip(line.split(is_separator).filter(|word| !word.is_empty())) {
        *column = Some(finite(word)?);
    }
    let [x, y, z, weight, lambda_m] = columns;
    if x.is_none() {
        return Ok(None);
    }
    if let (Some(x), Some(y), Some(z)) = (x, y, z) {
        // The squared length is zero, subnormal or infinite, so that the direction cannot be normalised.
        if !(x * x + y * y + z * z).is_normal() {
            return Err(format!("{x} {y} {z} is not a direction"));
        }
    }
    if let Some(lambda_m) = lambda_m.filter(|&lambda_m| lambda_m <= 0.0) {
        return Err(format!("lambda is {lambda_m} m, not positive"));
    }
    Ok(Some(SourceLine { direction: [x, y, z], weight, lambda_m }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Vec<SourceLine>, String> {
        parse_sources(text.as_bytes(), Path::new("sources.txt")).map_err(|failure| failure.to_string())
    }

    #[test]
    fn columns_separators_comments_and_gaps() {
        let text = "# X Y Z\n-10 0 0 1.0 1.2e-10\n\n-10,0.004;:0.002!0.5\t1.19e-10 extra\r\n  -3, 4 # half\n ;; \n1 2 3";
        let source = |direction, weight, lambda_m| SourceLine { direction, weight, lambda_m };
        assert_eq!(
            parse(text).unwrap(),
            [
                source([Some(-10.0), Some(0.0), Some(0.0)], Some(1.0), Some(1.2e-10)),
                source([Some(-10.0), Some(0.004), Some(0.002)], Some(0.5), Some(1.19e-10)),
                source([Some(-3.0), Some(4.0), None], None, None),
                source([Some(1.0), Some(2.0), Some(3.0)], None, None),
            ]
        );
    }

    #[test]
    fn errors_name_file_and_line() {
        assert_eq!(parse("").unwrap_err(), "sources.txt: no sources in it (lines of X Y Z weight lambda)");
        assert_eq!(parse("#\n1 a").unwrap_err(), "sources.txt:2: \"a\" is not a number");
        assert_eq!(parse("1 nan").unwrap_err(), "sources.txt:1: \"nan\" is not a finite number");
        assert_eq!(parse("0 0 0").unwrap_err(), "sources.txt:1: 0 0 0 is not a direction");
        assert_eq!(parse("1e200 0 0").unwrap_err().split(' ').next(), Some("sources.txt:1:"));
        assert_eq!(parse("1 0 0 1 0").unwrap_err(), "sources.txt:1: lambda is 0 m, not positive");
        assert_eq!(parse("1 0 0 1 -1e-10").unwrap_err().split(' ').next(), Some("sources.txt:1:"));
        assert!(read_sources(Path::new("/nowhere/s.txt")).unwrap_err().to_string().contains("cannot read"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[-0-9e.,;:!# \n]{0,80}") {
            let _ = parse_sources(&bytes[..], Path::new("sources.txt"));
            let _ = parse(&text);
        }
    }
}
