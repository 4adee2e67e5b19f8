//! What an entry of the crate refuses, and what it would have needed.

use core::fmt;

/// Why a call was refused. Nothing was written.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A caller's buffer is too short: it needs `needed` elements.
    BufferTooShort {
        /// What the buffer holds.
        buffer: &'static str,
        /// Elements needed.
        needed: usize,
        /// Elements given.
        given: usize,
    },
    /// A number is NaN, infinite or outside what the quantity can be.
    OutOfRange {
        /// The quantity.
        quantity: &'static str,
        /// The value given.
        value: f64,
        /// What it may be.
        allowed: &'static str,
    },
    /// The three angles do not close a unit cell.
    ImpossibleCell,
    /// The matrix has no inverse.
    SingularMatrix,
    /// A count or size does not fit the address space.
    TooLarge {
        /// The quantity.
        quantity: &'static str,
    },
    /// A pixel or row outside the detector was asked for.
    OutsideDetector {
        /// The first row or pixel outside.
        index: usize,
        /// Rows or pixels there are.
        limit: usize,
    },
    /// The scene reproduces the carryover, and the call was given no slots for it.
    CarryoverMissing,
    /// No SIMD level has that name.
    UnknownLevel,
    /// No value of an enumeration has that name.
    UnknownName {
        /// The quantity.
        quantity: &'static str,
        /// The names there are, separated by commas.
        known: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::BufferTooShort { buffer, needed, given } => {
                write!(f, "{buffer} needs {needed} elements, {given} given")
            }
            Self::OutOfRange { quantity, value, allowed } => {
                write!(f, "{quantity} is {value}, must be {allowed}")
            }
            Self::ImpossibleCell => f.write_str("no unit cell has these angles"),
            Self::SingularMatrix => f.write_str("the matrix is singular: its axes span no volume"),
            Self::TooLarge { quantity } => write!(f, "{quantity} is too large for this machine"),
            Self::OutsideDetector { index, limit } => {
                write!(f, "{index} is outside the detector, which ends at {limit}")
            }
            Self::CarryoverMissing => f.write_str("a c-parity scene needs carryover slots"),
            Self::UnknownName { quantity, known } => write!(f, "no such {quantity}: one of {known}"),
            Self::UnknownLevel => f.write_str("no such SIMD level: portable, avx2 or avx512"),
        }
    }
}

impl core::error::Error for Error {}

/// `value` if it is finite and `ok`, else the refusal.
pub(crate) fn require(
    ok: bool,
    quantity: &'static str,
    value: f64,
    allowed: &'static str,
) -> Result<(), Error> {
    if value.is_finite() && ok { Ok(()) } else { Err(Error::OutOfRange { quantity, value, allowed }) }
}
