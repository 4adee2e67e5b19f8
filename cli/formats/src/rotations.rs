//! Lists of rotations: nine numbers a line, a matrix row by row, which is applied to column vectors.
//!
//! Numbers are separated by white space or commas. Text after a # is a comment, and blank lines are skipped.

use std::io::Read;
use std::path::Path;

use crate::failure::Failure;
use crate::kind::explained;
use crate::memory::push;
use crate::text::{at_line, finite, in_file, open, read_text};

/// Longest file that is read: millions of rotations.
const LIMIT_BYTES: u64 = 1 << 30;

/// How far products of rows may be from those of a rotation: matrices are often written with seven digits.
const ROUNDED: f64 = 1e-6;

/// Reads the rotations, at least one.
///
/// # Errors
/// The file cannot be read or has no rotation, or a line has other than nine finite numbers or is no rotation.
pub fn read_rotations(path: &Path) -> Result<Vec<[[f64; 3]; 3]>, Failure> {
    parse_rotations(open(path)?, path)
}

/// [`read_rotations`] from a stream; `path` is its name in error messages.
///
/// # Errors
/// As [`read_rotations`].
pub fn parse_rotations(input: impl Read, path: &Path) -> Result<Vec<[[f64; 3]; 3]>, Failure> {
    parse_lines(input, path).map_err(explained(path, "a text with nine numbers a line"))
}

fn parse_lines(input: impl Read, path: &Path) -> Result<Vec<[[f64; 3]; 3]>, Failure> {
    let text = read_text(input, path, LIMIT_BYTES)?;
    let mut rotations = Vec::new();
    for (line, words) in (1..).zip(text.lines()) {
        if let Some(rotation) = parse_line(words).map_err(|what| at_line(path, line, what))? {
            push(&mut rotations, rotation)
                .ok_or_else(|| at_line(path, line, "no memory for more rotations"))?;
        }
    }
    if rotations.is_empty() {
        return Err(in_file(path, "no rotations in it (lines of nine numbers)"));
    }
    Ok(rotations)
}

fn parse_line(line: &str) -> Result<Option<[[f64; 3]; 3]>, String> {
    let line = line.split('#').next().unwrap_or_default();
    let words = line.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
    let (mut numbers, mut count) = ([0.0; 9], 0);
    for word in words {
        if let Some(number) = numbers.get_mut(count) {
            *number = finite(word)?;
        }
        count += 1;
    }
    match count {
        0 => Ok(None),
        9 => {
            let [a, b, c, d, e, f, g, h, i] = numbers;
            let rows = [[a, b, c], [d, e, f], [g, h, i]];
            check_rotation(&rows).map(|()| Some(rows))
        }
        _ => Err(format!("{count} numbers, a matrix has nine")),
    }
}

/// Checks that rows are orthonormal and right-handed.
fn check_rotation([x, y, z]: &[[f64; 3]; 3]) -> Result<(), String> {
    let dot = |a: &[f64; 3], b: &[f64; 3]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let off = [dot(x, x) - 1.0, dot(y, y) - 1.0, dot(z, z) - 1.0, dot(x, y), dot(y, z), dot(z, x)];
    if off.iter().any(|off| off.abs() > ROUNDED) {
        return Err("not a rotation: its rows are not orthogonal unit vectors".to_owned());
    }
    let across = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]];
    if dot(&across, z) < 0.0 {
        return Err("not a rotation but a reflection: its determinant is -1".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &[u8]) -> Result<Vec<[[f64; 3]; 3]>, String> {
        parse_rotations(text, Path::new("u.txt")).map_err(|failure| failure.to_string())
    }

    #[test]
    fn rows_comments_and_gaps() {
        let text = b"# domains\n1 0 0 0 1 0 0 0 1\n\n0,-1,0, 1,0,0, 0,0,1 # a quarter turn about z\r\n";
        let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        assert_eq!(parse(text).unwrap(), [identity, [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]);
    }

    #[test]
    fn errors_name_file_and_line() {
        for (text, error) in [
            ("", "u.txt: no rotations in it (lines of nine numbers)"),
            ("#\n1 0 0 0 1 0 0 0", "u.txt:2: 8 numbers, a matrix has nine"),
            ("1 0 0 0 1 0 0 0 1 0", "u.txt:1: 10 numbers, a matrix has nine"),
            ("1 0 0 0 1 0 0 0 x", "u.txt:1: \"x\" is not a number"),
            ("1 0 0 0 1 0 0 0 nan", "u.txt:1: \"nan\" is not a finite number"),
            ("1 0 0 0 1 0 0 0 1.001", "u.txt:1: not a rotation: its rows are not orthogonal unit vectors"),
            ("1 0 0 0 1 0 0 1 0", "u.txt:1: not a rotation: its rows are not orthogonal unit vectors"),
            ("1 0 0 0 1 0 0 0 -1", "u.txt:1: not a rotation but a reflection: its determinant is -1"),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err(), error);
        }
        assert!(read_rotations(Path::new("/nowhere/u.txt")).unwrap_err().to_string().contains("cannot read"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_rotations_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
