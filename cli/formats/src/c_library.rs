//! Numbers and columns of numbers as C's library reads them, on which the command lines and files of the reference's
//! programs depend.
//!
//! * [`atof`], [`atoi`]: the number that a text begins with, after white space; 0 where there is none. Hexadecimal
//!   numbers, which `atof` knows, count as their leading 0.
//! * [`read_columns`]: the tables of `nonBragg.c`. Columns are separated by spaces, tabs and `,;:!`. Nothing is a
//!   comment, and every word that is no number is 0. A line is left out if nothing follows its separators but its
//!   end. In a line that ends right after the first column, the others are missing; other ends of a line, such as
//!   `\r\n` or the end of the file, count as a word.

use std::io::Read;
use std::path::Path;

use crate::failure::Failure;
use crate::memory::push;
use crate::text::{at_line, open, read_text};

/// Longest file that is read: millions of lines.
const LIMIT_BYTES: u64 = 1 << 28;

/// Longest piece that is read of a line at a time; the rest counts as a line of its own.
const LINE_BYTES: usize = 10_239;

/// What is skipped after a number, up to the next separator.
const OF_NUMBERS: &[u8] = b"0123456789-+.EGeg";

/// What separates columns.
const SEPARATORS: &[u8] = b" \t,;:!";

/// The number that a text begins with, as C's `atof`.
///
/// ```
/// use widebragg_formats::c_library::atof;
///
/// assert_eq!(["12.5mm", " -1e-3", ".5e", "x1", ""].map(atof), [12.5, -1e-3, 0.5, 0.0, 0.0]);
/// assert!(atof("nan").is_nan() && atof("-inf") < 0.0);
/// ```
#[must_use]
pub fn atof(text: &str) -> f64 {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let begins_with = |word: &str| unsigned.get(..3).is_some_and(|head| head.eq_ignore_ascii_case(word));
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    if begins_with("nan") {
        return f64::NAN.copysign(sign);
    }
    if begins_with("inf") {
        return f64::INFINITY * sign;
    }
    leading_decimal(text).0.parse().unwrap_or(0.0)
}

/// The integer that a text begins with, as C's `atoi` on systems with 64 bits: the low 32 bits.
///
/// ```
/// use widebragg_formats::c_library::atoi;
///
/// assert_eq!(["12.5", " -7x", "", "4294967297"].map(atoi), [12, -7, 0, 1]);
/// ```
#[must_use]
pub fn atoi(text: &str) -> i32 {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.bytes().take_while(u8::is_ascii_digit).map(|digit| i64::from(digit - b'0'));
    let sign = if is_negative { -1 } else { 1 };
    digits.fold(0i64, |number, digit| number.saturating_mul(10).saturating_add(sign * digit)) as i32
}

/// The integer part of a number in 32 bits, as compilers for x86-64 convert: the least integer where it has more bits,
/// and for NaN.
#[must_use]
pub fn int_of(number: f64) -> i32 {
    if number.abs() < 2_147_483_648.0 { number as i32 } else { i32::MIN }
}

/// The decimal number that a text begins with, which may be empty, and the rest.
pub(crate) fn leading_decimal(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let digits_from = |at: usize| bytes.iter().skip(at).take_while(|byte| byte.is_ascii_digit()).count();
    let sign_at = |at: usize| usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
    let whole_at = sign_at(0);
    let mut end = whole_at + digits_from(whole_at);
    let mut digits = end - whole_at;
    if bytes.get(end) == Some(&b'.') {
        let places = digits_from(end + 1);
        digits += places;
        end += 1 + places;
    }
    if digits == 0 {
        return ("", text);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let power_at = end + 1 + sign_at(end + 1);
        match digits_from(power_at) {
            0 => {}
            more => end = power_at + more,
        }
    }
    text.split_at(end)
}

/// Reads the first `N` columns of each line; NaN for those that are missing.
///
/// # Errors
/// The file cannot be read, or there is too little memory.
pub fn read_columns<const N: usize>(path: &Path) -> Result<Vec<[f64; N]>, Failure> {
    parse_columns(open(path)?, path)
}

/// [`read_columns`] from a stream; `path` is its name in error messages.
///
/// # Errors
/// As [`read_columns`].
pub fn parse_columns<const N: usize>(input: impl Read, path: &Path) -> Result<Vec<[f64; N]>, Failure> {
    let text = read_text(input, path, LIMIT_BYTES)?;
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let mut rest = line;
        while !rest.is_empty() {
            // A piece ends between characters.
            let longest = rest.len().min(LINE_BYTES);
            let length = (0..=longest).rev().find(|&at| rest.is_char_boundary(at)).unwrap_or(longest);
            let (piece, more) = rest.split_at(length);
            rest = more;
            if let Some(row) = columns(piece) {
                push(&mut rows, row).ok_or_else(|| at_line(path, number, "no memory for more lines"))?;
            }
        }
    }
    Ok(rows)
}

/// The columns of a line with its end; `None` of a line that is left out.
fn columns<const N: usize>(line: &str) -> Option<[f64; N]> {
    // C's texts end with the first 0.
    let line = line.split('\0').next().unwrap_or_default();
    let skip = |text: &mut &str, set: &[u8], within: bool| {
        let end = text.bytes().take_while(|byte| set.contains(byte) == within).count();
        *text = text.get(end..).unwrap_or_default();
    };
    let mut rest = line;
    skip(&mut rest, SEPARATORS, true);
    if rest == "\n" {
        return None;
    }
    let mut row = [f64::NAN; N];
    for column in &mut row {
        *column = atof(rest);
        skip(&mut rest, OF_NUMBERS, true);
        if rest == "\n" {
            break;
        }
        skip(&mut rest, SEPARATORS, false);
        skip(&mut rest, SEPARATORS, true);
        if rest == "\n" {
            break;
        }
    }
    Some(row)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Vec<[f64; 2]> {
        parse_columns(text.as_bytes(), Path::new("a.stol")).unwrap()
    }

    /// As `nonBragg.c`, run on such tables, read them.
    #[test]
    fn columns_as_the_reference_reads_them() {
        assert_eq!(parse("0.1 2\n\n \t\n0.2,3 text\n"), [[0.1, 2.0], [0.2, 3.0]]);
        assert_eq!(parse("#x y\n;:!0.1;;2!3\n"), [[0.0, 0.0], [0.1, 2.0]]);
        assert_eq!(parse("\r\n0.1\r\n0.2"), [[0.0, 0.0], [0.1, 0.0], [0.2, 0.0]]);
        assert_eq!(parse("1e-3abc 5\n"), [[1e-3, 5.0]]);
        let missing = parse("0.1\n0.2 \n");
        assert!(missing.iter().all(|[s, f]| *s > 0.0 && f.is_nan()) && missing.len() == 2, "{missing:?}");
        assert!(parse("").is_empty() && parse("\n\n").is_empty());
    }

    #[test]
    fn a_long_line_is_read_in_pieces() {
        let line = format!("1 {}2 3\n", " ".repeat(LINE_BYTES - 2));
        assert_eq!(parse(&line), [[1.0, 0.0], [2.0, 3.0]]);
    }

    proptest! {
        #[test]
        fn any_text_is_read(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[-+0-9.eE nai,;:!\r\n\0]{0,80}") {
            let _ = parse_columns::<5>(&bytes[..], Path::new("a"));
            let rows = parse(&text);
            prop_assert!(rows.len() <= text.len());
            prop_assert!(i64::from(atoi(&text)) as f64 == atoi(&text) as f64);
        }
    }
}
