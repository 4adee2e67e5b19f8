//! Point groups by CrystFEL's symbols.
//!
//! `_H` and `_R` name the axes of a trigonal group. The unique axis is c, for `2` and `2/m` too; a suffix
//! `_uaa` or `_uab` turns the group so that it is a or b (`_uac` says c).

use super::hall::{self, Z_TO};
use super::operator::Operator;
use crate::failure::{Failure, quoted};

/// Symbols with a Hall symbol of the same rotations in the axes that the symbol implies.
const SYMBOLS: [(&str, &str); 42] = [
    ("1", "P 1"),
    ("-1", "-P 1"),
    ("2", "P 2"),
    ("m", "P -2"),
    ("2/m", "-P 2"),
    ("222", "P 2 2"),
    ("mm2", "P 2 -2"),
    ("mmm", "-P 2 2"),
    ("4", "P 4"),
    ("-4", "P -4"),
    ("4/m", "-P 4"),
    ("422", "P 4 2"),
    ("4mm", "P 4 -2"),
    ("-42m", "P -4 2"),
    ("-4m2", "P -4 -2"),
    ("4/mmm", "-P 4 2"),
    ("3_R", "P 3*"),
    ("-3_R", "-P 3*"),
    ("32_R", "P 3* 2"),
    ("3m_R", "P 3* -2"),
    ("-3m_R", "-P 3* 2"),
    ("3_H", "P 3"),
    ("-3_H", "-P 3"),
    ("321_H", "P 3 2\""),
    ("312_H", "P 3 2"),
    ("3m1_H", "P 3 -2\""),
    ("31m_H", "P 3 -2"),
    ("-3m1_H", "-P 3 2\""),
    ("-31m_H", "-P 3 2"),
    ("6", "P 6"),
    ("-6", "P -6"),
    ("6/m", "-P 6"),
    ("622", "P 6 2"),
    ("6mm", "P 6 -2"),
    ("-62m", "P -6 -2"),
    ("-6m2", "P -6 2"),
    ("6/mmm", "-P 6 2"),
    ("23", "P 2 2 3"),
    ("m-3", "-P 2 2 3"),
    ("432", "P 4 2 3"),
    ("-43m", "P -4 2 3"),
    ("m-3m", "-P 4 2 3"),
];

/// Generators of the point group with this symbol.
///
/// # Errors
/// A symbol that is none of CrystFEL's, and `unknown`.
pub(super) fn generators(symbol: &str) -> Result<Vec<Operator>, Failure> {
    let symbol = symbol.trim();
    let (plain, axis) = [("_uaa", 0), ("_uab", 1), ("_uac", 2)]
        .into_iter()
        .find_map(|(suffix, axis)| Some((symbol.strip_suffix(suffix)?, axis)))
        .unwrap_or((symbol, 2));
    let (_, hall) = SYMBOLS.iter().find(|(known, _)| *known == plain).ok_or_else(|| {
        Failure::new(format!("the point group {} is unknown: give --space-group", quoted(symbol)))
    })?;
    Ok(hall::generators(hall)?.iter().map(|generator| generator.renamed(Z_TO[axis])).collect())
}
