//! Tables of F against s = sin(theta)/lambda, as `.stol` files have them: the scattering of amorphous matter.
//!
//! A line has s and F, in electrons per molecule, separated by blanks or any of `,;:!`; what follows is not read. `#`
//! begins a comment, and lines without anything else are left out. Lines may be in any order; no two may have the same s.
//! Instead of s the first column may be 4 s, or Q = 4 pi s ([`Abscissa`]). Different from `nonBragg.c`, which reads
//! comments and words as 0 and keeps the order of the lines.

use core::f64::consts::PI;
use std::io::Read;
use std::path::Path;

use crate::failure::Failure;
use crate::memory::push;
use crate::text::{at_line, in_file, number, open, read_text, shown};

/// Longest file that is read: millions of lines.
const LIMIT_BYTES: u64 = 1 << 28;

/// What separates columns.
const SEPARATORS: &[u8] = b" \t\r\x0b\x0c,;:!";

/// Fewest points that stand alone between zeros in a table of sticks.
const FEWEST_STICKS: usize = 3;

/// The first column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Abscissa {
    /// s = sin(theta)/lambda, in 1/Å.
    #[default]
    S,
    /// 4 s, in 1/Å.
    FourS,
    /// Q = 4 pi s, in 1/Å.
    Q,
}

impl Abscissa {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::S, Self::FourS, Self::Q];

    /// The name: `s`, `4s` or `Q`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::S => "s",
            Self::FourS => "4s",
            Self::Q => "Q",
        }
    }

    /// What a number in the column is divided by to give s in 1/Å.
    #[must_use]
    pub fn per_s(self) -> f64 {
        match self {
            Self::S => 1.0,
            Self::FourS => 4.0,
            Self::Q => 4.0 * PI,
        }
    }
}

/// A point of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StolPoint {
    /// s, in 1/Å.
    pub s_per_angstrom: f64,
    /// F, in electrons.
    pub f_electrons: f64,
}

/// A table, in the order of s.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StolTable {
    /// Its points, at least one.
    pub points: Vec<StolPoint>,
    /// The first line of the file whose s is below that of the line before, if any.
    pub unsorted_line: Option<u64>,
    /// The line of the first point of a table of sticks: most of its F that are not 0 stand alone between zeros.
    pub stick_line: Option<u64>,
}

/// Reads a table.
///
/// # Errors
/// As [`parse_stol`].
pub fn read_stol(path: &Path, abscissa: Abscissa) -> Result<StolTable, Failure> {
    parse_stol(open(path)?, path, abscissa)
}

/// Parses a table; `path` is its name in error messages.
///
/// # Errors
/// The file cannot be read, a line has no two numbers, s is negative or given twice, or there is no line.
///
/// ```
/// use std::path::Path;
/// use widebragg_formats::stol::{Abscissa, parse_stol};
///
/// let text = "# water\n0 2.57\n0.648,8.0 peak\n2.0;3.2\n";
/// let table = parse_stol(text.as_bytes(), Path::new("water.4stol"), Abscissa::FourS)?;
/// assert_eq!(table.points[1].s_per_angstrom, 0.162);
/// # Ok::<(), widebragg_formats::failure::Failure>(())
/// ```
pub fn parse_stol(input: impl Read, path: &Path, abscissa: Abscissa) -> Result<StolTable, Failure> {
    let text = read_text(input, path, LIMIT_BYTES)?;
    let no_memory = || in_file(path, "no memory for its points");
    let mut lines: Vec<(StolPoint, u64)> = Vec::new();
    let mut unsorted_line = None;
    for (at, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().as_bytes();
        let mut words = line.split(|byte| SEPARATORS.contains(byte)).filter(|word| !word.is_empty());
        let Some(first) = words.next() else { continue };
        let refuse = |what: String| at_line(path, at, what);
        let x = number(first).map_err(refuse)?;
        let f_electrons = match words.next() {
            Some(word) => number(word).map_err(refuse)?,
            None => return Err(refuse(format!("no F follows {}", shown(first)))),
        };
        if x < 0.0 {
            return Err(refuse(format!("{} is negative", shown(first))));
        }
        let point = StolPoint { s_per_angstrom: x / abscissa.per_s(), f_electrons };
        let is_below = |(last, _): &(StolPoint, u64)| point.s_per_angstrom < last.s_per_angstrom;
        if unsorted_line.is_none() && lines.last().is_some_and(is_below) {
            unsorted_line = Some(at);
        }
        push(&mut lines, (point, at)).ok_or_else(no_memory)?;
    }
    if lines.is_empty() {
        return Err(in_file(path, "no line with s and F in it"));
    }
    lines.sort_by(|(a, _), (b, _)| a.s_per_angstrom.total_cmp(&b.s_per_angstrom));
    if let Some(pair) = lines.windows(2).find(|pair| pair[0].0.s_per_angstrom == pair[1].0.s_per_angstrom) {
        let ((_, first), (_, second)) = (pair[0], pair[1]);
        let (first, second) = (first.min(second), first.max(second));
        return Err(at_line(path, second, format!("the same {} as in line {first}", abscissa.name())));
    }
    let stick_line = stick_line(&lines);
    let mut points = crate::memory::reserved(lines.len()).ok_or_else(no_memory)?;
    points.extend(lines.into_iter().map(|(point, _)| point));
    Ok(StolTable { points, unsorted_line, stick_line })
}

/// The line of the first stick, if most F that are not 0 are sticks.
fn stick_line(lines: &[(StolPoint, u64)]) -> Option<u64> {
    let is_zero = |point: &StolPoint| point.f_electrons == 0.0;
    let sticks = || {
        lines.windows(3).filter(|three| !is_zero(&three[1].0) && is_zero(&three[0].0) && is_zero(&three[2].0))
    };
    let count = sticks().count();
    let not_zero = lines.iter().filter(|(point, _)| !is_zero(point)).count();
    (count >= FEWEST_STICKS && 2 * count > not_zero)
        .then(|| sticks().next().map(|three| three[1].1))
        .flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Result<StolTable, String> {
        parse_stol(text.as_bytes(), Path::new("a.stol"), Abscissa::S).map_err(|failure| failure.to_string())
    }

    fn pairs(table: &StolTable) -> Vec<(f64, f64)> {
        table.points.iter().map(|point| (point.s_per_angstrom, point.f_electrons)).collect()
    }

    #[test]
    fn comments_columns_and_separators() {
        let table = parsed("# s F\n\n 0\t2.5 # first\r\n0.1,3.5,water\n0.2;-4e0!x\n:0.3: 5\r\n").unwrap();
        assert_eq!(pairs(&table), [(0.0, 2.5), (0.1, 3.5), (0.2, -4.0), (0.3, 5.0)]);
        assert_eq!((table.unsorted_line, table.stick_line), (None, None));
    }

    #[test]
    fn abscissas_are_converted() {
        for (abscissa, x) in [(Abscissa::S, 0.25), (Abscissa::FourS, 1.0), (Abscissa::Q, PI)] {
            let text = format!("{x:?} 7\n");
            let table = parse_stol(text.as_bytes(), Path::new("a"), abscissa).unwrap();
            assert_eq!(pairs(&table), [(0.25, 7.0)]);
        }
    }

    #[test]
    fn lines_in_any_order_are_sorted() {
        let table = parsed("0 1\n0.2 3\n# x\n0.1 2\n0.05 4\n").unwrap();
        assert_eq!(pairs(&table), [(0.0, 1.0), (0.05, 4.0), (0.1, 2.0), (0.2, 3.0)]);
        assert_eq!(table.unsorted_line, Some(4));
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        for (text, error) in [
            ("", "a.stol: no line with s and F in it"),
            ("# only a comment\n\n", "a.stol: no line with s and F in it"),
            ("s F\n0 1\n", "a.stol:1: \"s\" is not a number"),
            ("0 1\n0.1\n", "a.stol:2: no F follows \"0.1\""),
            ("0 1\n0.1 F\n", "a.stol:2: \"F\" is not a number"),
            ("0 nan\n", "a.stol:1: \"nan\" is not a finite number"),
            ("inf 1\n", "a.stol:1: \"inf\" is not a finite number"),
            ("-0.1 1\n", "a.stol:1: \"-0.1\" is negative"),
            ("0.2 1\n0.1 2\n0.2 3\n", "a.stol:3: the same s as in line 1"),
        ] {
            assert_eq!(parsed(text), Err(error.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn sticks_are_found() {
        let sticks = "0 0\n0.1 5\n0.11 0\n0.2 6\n0.21 0\n0.3 7\n0.31 0\n";
        assert_eq!(parsed(sticks).unwrap().stick_line, Some(2));
        assert_eq!(parsed("0 0\n0.1 5\n0.2 0\n").unwrap().stick_line, None);
        let few = "0 0\n0.1 5\n0.11 0\n0.2 6\n0.21 0\n0.3 7\n0.31 0\n0.4 1\n0.41 1\n0.42 1\n0.43 1\n";
        assert_eq!(parsed(few).unwrap().stick_line, None);
    }

    proptest! {
        #[test]
        fn any_text_is_a_table_or_one_line_of_error(text in "[-0-9a-z#.,; \n\t]{0,60}") {
            match parsed(&text) {
                Ok(table) => {
                    let increases = table.points.windows(2).all(|pair| pair[0].s_per_angstrom < pair[1].s_per_angstrom);
                    prop_assert!(!table.points.is_empty() && increases);
                }
                Err(error) => prop_assert!(error.starts_with("a.stol:") && !error.contains('\n'), "{error}"),
            }
        }
    }
}
