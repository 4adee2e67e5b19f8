//! The errors of the crate.

use core::fmt;

/// The reason why a call failed. A call that fails has written nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A buffer of the caller is too short.
    BufferTooShort {
        /// The contents of the buffer.
        buffer: &'static str,
        /// Number of elements needed.
        needed: usize,
        /// Number of elements given.
        given: usize,
    },
    /// A number is NaN, infinite or outside the range of its quantity.
    OutOfRange {
        /// The quantity.
        quantity: &'static str,
        /// Its value.
        value: f64,
        /// The allowed values.
        allowed: &'static str,
    },
    /// No unit cell has the three angles.
    ImpossibleCell,
    /// The matrix is singular.
    SingularMatrix,
    /// A count or size does not fit the address space.
    TooLarge {
        /// The quantity.
        quantity: &'static str,
    },
    /// The caller requested a pixel or row outside the detector.
    OutsideDetector {
        /// The first row or pixel outside the detector.
        index: usize,
        /// Number of rows or pixels of the detector.
        limit: usize,
    },
    /// The scene reproduces the phi carryover, and the call has no slots for it.
    CarryoverMissing,
    /// What was made for a scene, such as slots of its carryover, is used with another scene.
    OtherScene {
        /// What belongs to the other scene.
        quantity: &'static str,
    },
    /// No SIMD level has the name.
    UnknownLevel,
    /// No value of the enumeration has the name.
    UnknownName {
        /// The quantity.
        quantity: &'static str,
        /// The valid names, separated by commas.
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
            Self::OtherScene { quantity } => write!(f, "the {quantity} belong to another scene"),
            Self::UnknownName { quantity, known } => write!(f, "no such {quantity}; expected one of {known}"),
            Self::UnknownLevel => f.write_str("no such SIMD level: portable, avx2 or avx512"),
        }
    }
}

impl core::error::Error for Error {}

/// Returns an error unless `value` is finite and `ok` is true.
pub(crate) fn require(
    ok: bool,
    quantity: &'static str,
    value: f64,
    allowed: &'static str,
) -> Result<(), Error> {
    if value.is_finite() && ok { Ok(()) } else { Err(Error::OutOfRange { quantity, value, allowed }) }
}
