//! Orientation matrices: nine free-form numbers, columns a*, b*, c*, rows x, y, z, as the file holds them.
//!
//! Numbers are separated by white space. Text after the ninth number is ignored, since the files of MOSFLM
//! have more.

use std::io::Read;
use std::path::Path;

use crate::atomic::write_atomically;
use crate::failure::Failure;
use crate::kind::explained;
use crate::text::{at_line, finite, in_file, open, read_text};

/// Longest file that is read.
const LIMIT_BYTES: u64 = 1 << 20;

/// Reads the rows.
///
/// # Errors
/// The file cannot be read, or does not begin with nine finite numbers.
pub fn read_matrix(path: &Path) -> Result<[[f64; 3]; 3], Failure> {
    parse_matrix(open(path)?, path)
}

/// [`read_matrix`] from a stream; `path` is its name in error messages.
///
/// # Errors
/// As [`read_matrix`].
pub fn parse_matrix(input: impl Read, path: &Path) -> Result<[[f64; 3]; 3], Failure> {
    parse(input, path).map_err(explained(path, "a text that begins with nine numbers"))
}

fn parse(input: impl Read, path: &Path) -> Result<[[f64; 3]; 3], Failure> {
    let text = read_text(input, path, LIMIT_BYTES)?;
    let mut numbers = Vec::with_capacity(9);
    for (line, words) in (1..).zip(text.lines()) {
        for word in words.split_whitespace() {
            if numbers.len() < 9 {
                numbers.push(finite(word).map_err(|what| at_line(path, line, what))?);
            }
        }
    }
    match numbers[..] {
        [a, b, c, d, e, f, g, h, i] => Ok([[a, b, c], [d, e, f], [g, h, i]]),
        _ => Err(in_file(path, format!("{} numbers, a matrix has nine", numbers.len()))),
    }
}

/// Writes the rows, as the shortest decimals that read back to the same bits.
///
/// # Errors
/// The file cannot be written.
pub fn write_matrix(path: &Path, rows: &[[f64; 3]; 3]) -> Result<(), Failure> {
    write_atomically(path, |out| rows.iter().try_for_each(|[x, y, z]| writeln!(out, "{x:?} {y:?} {z:?}")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &[u8]) -> Result<[[f64; 3]; 3], String> {
        parse_matrix(text, Path::new("A.mat")).map_err(|failure| failure.to_string())
    }

    #[test]
    fn free_form_and_more_than_nine() {
        let rows = [[-0.02837711, -0.00305386, 0.02535816], [1.0, 2.0, 3.0], [4.0, 5.0, -6e-3]];
        assert_eq!(parse(b"-0.02837711 -0.00305386 0.02535816\n1 2 3\r\n4 5 -6e-3\n 0.0 x").unwrap(), rows);
        assert_eq!(parse(b"-0.02837711\t-0.00305386\n0.02535816 1 2 3 4\n\n5 -0.006").unwrap(), rows);
    }

    #[test]
    fn errors_name_file_and_line() {
        assert_eq!(parse(b"").unwrap_err(), "A.mat: 0 numbers, a matrix has nine");
        assert_eq!(parse(b"1 2 3\n4 5 6\n7 8").unwrap_err(), "A.mat: 8 numbers, a matrix has nine");
        assert_eq!(parse(b"1 2 3\n4 b 6\n7 8 9").unwrap_err(), "A.mat:2: \"b\" is not a number");
        assert_eq!(parse(b"1 2 nan\n4 5 6\n7 8 9").unwrap_err(), "A.mat:1: \"nan\" is not a finite number");
        assert!(parse(&vec![b'1'; 2 << 20]).unwrap_err().contains("longer than"));
        assert!(read_matrix(Path::new("/nowhere/A.mat")).unwrap_err().to_string().contains("cannot read"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_is_written_reads_back(rows in [[-1e3..1e3, -1e-300..1e-300, -1e300..1e300], [-1.0..1.0, -1.0..1.0, -1.0..1.0], [-1.0..1.0, -1.0..1.0, -1.0..1.0]]) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("A.mat");
            write_matrix(&path, &rows).unwrap();
            prop_assert_eq!(read_matrix(&path).unwrap(), rows);
        }
    }
}
