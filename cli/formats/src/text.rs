//! Reading of small text files, and the error messages that all readers share.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::decimal::plain_decimal;
use crate::failure::Failure;
use crate::memory::{Watched, is_there};

/// Longest piece of a file that an error message quotes.
const SHOWN_CHARS: usize = 40;

/// The failure of a file that cannot be opened or read.
pub(crate) fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    Failure::input(format!("{}: cannot read: {error}", path.display())).of_system()
}

/// The failure of a file that cannot be written.
pub(crate) fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::output(format!("{}: cannot write: {error}", path.display())).of_system()
}

/// The failure of a file as a whole.
pub(crate) fn in_file(path: &Path, what: impl AsRef<str>) -> Failure {
    Failure::input(format!("{}: {}", path.display(), what.as_ref()))
}

/// The failure of one line of a file; lines count from 1.
pub(crate) fn at_line(path: &Path, line: u64, what: impl AsRef<str>) -> Failure {
    Failure::input(format!("{}:{line}: {}", path.display(), what.as_ref()))
}

/// A piece of a file in quotes, escaped and shortened, so that the message stays one readable line.
pub(crate) fn shown(token: &[u8]) -> String {
    let head = &token[..token.len().min(4 * SHOWN_CHARS)];
    let text = String::from_utf8_lossy(head);
    let short: String = text.chars().take(SHOWN_CHARS).collect();
    let more = if short.len() < text.len() || head.len() < token.len() { "..." } else { "" };
    format!("{short:?}{more}")
}

/// Opens a file for reading.
pub(crate) fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| cannot_read(path, &error))
}

/// Reads a whole text of at most `limit_bytes`, so that a device or a wrong file does not fill the memory.
/// Bytes that are not UTF-8 (comments in old encodings) become replacement characters.
pub(crate) fn read_text(input: impl Read, path: &Path, limit_bytes: u64) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    Watched(input.take(limit_bytes.saturating_add(1)))
        .read_to_end(&mut bytes)
        .map_err(|error| cannot_read(path, &error))?;
    if bytes.len() as u64 > limit_bytes {
        return Err(in_file(path, format!("longer than {limit_bytes} bytes, not such a file")));
    }
    String::from_utf8(bytes).or_else(|error| {
        let bytes = error.as_bytes();
        // A replacement character takes three bytes; the text may be doubled and copied as it grows.
        if !is_there(bytes.len().saturating_mul(9)) {
            return Err(cannot_read(path, &io::ErrorKind::OutOfMemory.into()));
        }
        Ok(String::from_utf8_lossy(bytes).into_owned())
    })
}

/// Parses a finite number.
pub(crate) fn finite(token: &str) -> Result<f64, String> {
    match token.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(format!("{} is not a finite number", shown(token.as_bytes()))),
        Err(_) => Err(format!("{} is not a number", shown(token.as_bytes()))),
    }
}

/// Parses a finite number of bytes; a plain decimal in one pass.
#[inline]
pub(crate) fn number(word: &[u8]) -> Result<f64, String> {
    match plain_decimal(word, 0) {
        Some((value, end)) if end == word.len() => Ok(value),
        _ => match core::str::from_utf8(word) {
            Ok(text) => finite(text),
            Err(_) => Err(format!("{} is not a number", shown(word))),
        },
    }
}

/// The words of a line, separated by blanks.
pub(crate) fn words_of(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_or_binary_tokens_stay_one_short_line() {
        assert_eq!(shown(b"3.5"), "\"3.5\"");
        assert_eq!(shown(b"a\nb\0"), "\"a\\nb\\0\"");
        let long = shown(&[b'x'; 10_000]);
        assert_eq!(long, format!("\"{}\"...", "x".repeat(40)));
        assert!(shown(&[0xff; 100]).ends_with("\"..."));
    }

    #[test]
    fn a_text_longer_than_its_limit_is_refused() {
        let path = Path::new("a.txt");
        assert_eq!(read_text(&b"abc"[..], path, 3).unwrap(), "abc");
        let error = read_text(&b"abcd"[..], path, 3).unwrap_err();
        assert_eq!(error.to_string(), "a.txt: longer than 3 bytes, not such a file");
    }

    #[test]
    fn finite_numbers_only() {
        assert_eq!(finite("-1e-05"), Ok(-1e-5));
        assert!(finite("nan").unwrap_err().contains("not a finite number"));
        assert!(finite("1e999").unwrap_err().contains("not a finite number"));
        assert!(finite("1,5").unwrap_err().contains("is not a number"));
        assert_eq!([number(b"-26.62"), number(b"2.247E+02")], [Ok(-26.62), Ok(224.7)]);
        assert!(number(b"1.5x").unwrap_err().contains("is not a number"));
        assert!(number(b"1\xff").unwrap_err().contains("is not a number"));
    }
}
