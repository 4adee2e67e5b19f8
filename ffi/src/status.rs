//! Status codes of the C functions, their messages, and the error record.

use core::ffi::{CStr, c_char};

use widebragg::Error;

/// The call succeeded.
pub const WB_OK: i32 = 0;
/// A required pointer is NULL.
pub const WB_NULL_POINTER: i32 = -1;
/// An array is too short, or two arrays differ in length.
pub const WB_WRONG_LENGTH: i32 = -2;
/// An address is not a multiple of the alignment that it needs.
pub const WB_MISALIGNED: i32 = -3;
/// An output overlaps an input, another output, or the memory of a scene, carryover or turns.
pub const WB_OVERLAP: i32 = -4;
/// A number is NaN, infinite or outside the range of its quantity.
pub const WB_OUT_OF_RANGE: i32 = -5;
/// A row or pixel lies outside the detector.
pub const WB_OUTSIDE_DETECTOR: i32 = -6;
/// A c-parity scene needs a carryover, and none was given.
pub const WB_CARRYOVER_MISSING: i32 = -7;
/// A struct has a size that this version of the library does not know.
pub const WB_STRUCT_SIZE: i32 = -8;
/// A count or size exceeds the address space.
pub const WB_TOO_LARGE: i32 = -9;
/// The three angles do not form a unit cell.
pub const WB_IMPOSSIBLE_CELL: i32 = -10;
/// The matrix has no inverse.
pub const WB_SINGULAR_MATRIX: i32 = -11;
/// The memory does not hold the object that is meant, made by this library.
pub const WB_NOT_MADE: i32 = -12;
/// The carryover or the turns belong to another scene.
pub const WB_OTHER_SCENE: i32 = -13;
/// A c-parity scene that interpolates needs `wb_scene_set_latch` first.
pub const WB_LATCH_MISSING: i32 = -14;
/// The kernel reported an error for which this version of the interface has no status.
pub const WB_INTERNAL: i32 = -15;
/// An object is not at the address where it was made.
pub const WB_MOVED: i32 = -16;

/// Characters of a text in [`wb_error`], including the final zero.
pub const WB_TEXT: usize = 64;

/// Why a call failed.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_error {
    /// The status that the call returned.
    pub status: i32,
    /// The rejected number, or the rejected length; NaN if there is neither.
    pub value: f64,
    /// The number of elements or bytes needed, if a length was rejected.
    pub needed: usize,
    /// The name of the quantity.
    pub quantity: [c_char; WB_TEXT],
    /// The values that the quantity may have.
    pub allowed: [c_char; WB_TEXT],
}

/// A failed call: its status and the contents of its error record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failure {
    pub(crate) status: i32,
    pub(crate) quantity: &'static str,
    allowed: &'static str,
    value: f64,
    needed: usize,
}

impl Failure {
    /// A failure that no number describes.
    pub(crate) const fn new(status: i32, quantity: &'static str) -> Self {
        Self { status, quantity, allowed: "", value: f64::NAN, needed: 0 }
    }

    /// A number outside its range.
    pub(crate) const fn range(quantity: &'static str, value: f64, allowed: &'static str) -> Self {
        Self { status: WB_OUT_OF_RANGE, quantity, allowed, value, needed: 0 }
    }

    /// An array of the wrong length.
    pub(crate) const fn length(quantity: &'static str, needed: usize, given: usize) -> Self {
        let value = given as f64;
        Self { status: WB_WRONG_LENGTH, quantity, allowed: "", value, needed }
    }

    /// The same failure under another status.
    pub(crate) const fn with_status(self, status: i32) -> Self {
        Self { status, ..self }
    }

    /// The error record as C sees it.
    pub(crate) fn record(&self) -> wb_error {
        wb_error {
            status: self.status,
            value: self.value,
            needed: self.needed,
            quantity: c_text(self.quantity),
            allowed: c_text(self.allowed),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::BufferTooShort { buffer, needed, given } => Self::length(buffer, needed, given),
            Error::OutOfRange { quantity, value, allowed } => Self::range(quantity, value, allowed),
            Error::ImpossibleCell => Self::new(WB_IMPOSSIBLE_CELL, "cell angles"),
            Error::SingularMatrix => Self::new(WB_SINGULAR_MATRIX, "matrix"),
            Error::TooLarge { quantity } => Self::new(WB_TOO_LARGE, quantity),
            Error::OutsideDetector { index, limit } => {
                let failure = Self::new(WB_OUTSIDE_DETECTOR, "row or pixel");
                Self { allowed: "below the number of pixels", value: index as f64, needed: limit, ..failure }
            }
            Error::CarryoverMissing => Self::new(WB_CARRYOVER_MISSING, "carryover"),
            Error::OtherScene { quantity } => Self::new(WB_OTHER_SCENE, quantity),
            // The interface passes no names to the kernel, so errors about names cannot occur; the enum may
            // gain others, and they must not be reported as something that they are not.
            _ => Self::new(WB_INTERNAL, "error of the kernel without a status"),
        }
    }
}

/// `text`, cut to fit, with a final zero.
fn c_text(text: &str) -> [c_char; WB_TEXT] {
    let mut out = [0; WB_TEXT];
    for (out, byte) in out.iter_mut().take(WB_TEXT - 1).zip(text.bytes()) {
        *out = byte as c_char;
    }
    out
}

/// The status that a call returns.
pub(crate) fn status(result: Result<(), Failure>) -> i32 {
    result.map_or_else(|failure| failure.status, |()| WB_OK)
}

/// Returns a one-line message in English for a status; the string is static and never NULL.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub extern "C" fn wb_status_message(status: i32) -> *const c_char {
    let message: &CStr = match status {
        WB_OK => c"no error",
        WB_NULL_POINTER => c"a required pointer is NULL",
        WB_WRONG_LENGTH => c"an array has the wrong length",
        WB_MISALIGNED => c"an address is not aligned",
        WB_OVERLAP => c"an output overlaps an input, another output or an object of the library",
        WB_OUT_OF_RANGE => c"a number is NaN, infinite or out of range",
        WB_OUTSIDE_DETECTOR => c"a row or pixel is outside the detector",
        WB_CARRYOVER_MISSING => c"a c-parity scene needs a carryover",
        WB_STRUCT_SIZE => c"the size of a struct is unknown to this version of the library",
        WB_TOO_LARGE => c"a count or size exceeds the address space",
        WB_IMPOSSIBLE_CELL => c"no unit cell has these angles",
        WB_SINGULAR_MATRIX => c"the matrix is singular: its axes span no volume",
        WB_NOT_MADE => c"the memory holds no object made by this library",
        WB_OTHER_SCENE => c"the carryover or the turns belong to another scene",
        WB_LATCH_MISSING => c"a c-parity scene that interpolates needs wb_scene_set_latch",
        WB_INTERNAL => c"an internal error without a status of its own; please report it",
        WB_MOVED => c"an object was copied or moved from where it was made",
        _ => c"not a status of this library",
    };
    message.as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_without_a_status_is_reported_as_internal() {
        assert_eq!(Failure::from(Error::UnknownLevel).status, WB_INTERNAL);
    }
}
