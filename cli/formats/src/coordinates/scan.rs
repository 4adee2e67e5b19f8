//! Scans of anomalous scattering: lines of `E f' f''`, E in eV and increasing, as CHOOCH writes them.
//!
//! Text after a # is a comment, blank lines are skipped, and columns after the third are ignored.

use std::io::Read;
use std::path::Path;

use widebragg_coordinates::anomalous::{Anomalous, Scan, ScanPoint};

use crate::failure::Failure;
use crate::kind::explained;
use crate::memory::push;
use crate::text::{at_line, finite, in_file, open, read_text};

/// Longest file that is read.
const LIMIT_BYTES: u64 = 1 << 24;

/// Reads a scan.
///
/// # Errors
/// The file cannot be read, a line has fewer than three numbers or one that is not finite, energies do not
/// increase, or there are fewer than two lines.
pub fn read_scan(path: &Path) -> Result<Scan, Failure> {
    parse_scan(open(path)?, path)
}

/// [`read_scan`] from a stream; `path` is its name in error messages.
///
/// # Errors
/// As [`read_scan`].
pub fn parse_scan(input: impl Read, path: &Path) -> Result<Scan, Failure> {
    parse_lines(input, path).map_err(explained(path, "a text with lines of E f' f''"))
}

fn parse_lines(input: impl Read, path: &Path) -> Result<Scan, Failure> {
    let text = read_text(input, path, LIMIT_BYTES)?;
    let mut points = Vec::new();
    for (line, words) in (1..).zip(text.lines()) {
        if let Some(point) = parse_line(words).map_err(|what| at_line(path, line, what))? {
            push(&mut points, point).ok_or_else(|| at_line(path, line, "no memory for more lines"))?;
        }
    }
    Scan::new(points).map_err(|error| in_file(path, error.to_string()))
}

fn parse_line(line: &str) -> Result<Option<ScanPoint>, String> {
    let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
    let Some(energy) = words.next() else { return Ok(None) };
    let mut next = |what: &str| finite(words.next().ok_or_else(|| format!("{what} is missing"))?);
    let [energy_ev, f_prime, f_double_prime] = [finite(energy)?, next("f'")?, next("f''")?];
    Ok(Some(ScanPoint { energy_ev, anomalous: Anomalous { f_prime, f_double_prime } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Scan, String> {
        parse_scan(text.as_bytes(), Path::new("se.dat")).map_err(|failure| failure.to_string())
    }

    #[test]
    fn lines_comments_and_refusals() {
        let scan = parse("# E f' f''\n12650 -7.5 0.5\n\n12660.5\t-9 4.5 extra # peak\n").unwrap();
        let second = Anomalous { f_prime: -9.0, f_double_prime: 4.5 };
        assert_eq!(scan.points()[1], ScanPoint { energy_ev: 12660.5, anomalous: second });
        assert_eq!(parse("1 2\n").unwrap_err(), "se.dat:1: f'' is missing");
        assert_eq!(parse("1 2 nan\n").unwrap_err(), "se.dat:1: \"nan\" is not a finite number");
        assert!(parse("2 0 0\n1 0 0\n").unwrap_err().contains("energies must increase, but 1 follows 2 eV"));
        assert!(parse("").unwrap_err().contains("at least 2 are needed"));
    }
}
