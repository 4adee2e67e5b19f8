//! Status codes, their messages, and the record that says what a call refused.

use core::ffi::{CStr, c_char};

use widebragg::Error;

use crate::memory::{Stretch, stretch};

/// Done.
pub const WB_OK: i32 = 0;
/// A pointer that must be given is NULL.
pub const WB_NULL_POINTER: i32 = -1;
/// An array is shorter than what it must hold, or arrays differ in length.
pub const WB_WRONG_LENGTH: i32 = -2;
/// An address is not a multiple of what its type needs.
pub const WB_MISALIGNED: i32 = -3;
/// What would be written overlaps what is read, or what a scene or carryover lives in.
pub const WB_OVERLAP: i32 = -4;
/// A number is NaN, infinite or outside what the quantity can be.
pub const WB_OUT_OF_RANGE: i32 = -5;
/// A row or pixel outside the detector.
pub const WB_OUTSIDE_DETECTOR: i32 = -6;
/// A c-parity scene needs a carryover.
pub const WB_CARRYOVER_MISSING: i32 = -7;
/// The size of a struct is none that this library knows.
pub const WB_STRUCT_SIZE: i32 = -8;
/// A count or size does not fit this machine.
pub const WB_TOO_LARGE: i32 = -9;
/// No unit cell has these angles.
pub const WB_IMPOSSIBLE_CELL: i32 = -10;
/// The matrix has no inverse.
pub const WB_SINGULAR_MATRIX: i32 = -11;
/// The memory holds no scene, carryover, turns or stream of deviates that this library made.
pub const WB_NOT_MADE: i32 = -12;
/// The carryover, or the turns, are another scene's.
pub const WB_OTHER_SCENE: i32 = -13;
/// A c-parity scene that interpolates has not been told its latch.
pub const WB_LATCH_MISSING: i32 = -14;

/// Characters of a text in [`wb_error`], its final zero included.
pub const WB_TEXT: usize = 64;

/// What a call refused.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_error {
    /// The status.
    pub status: i32,
    /// The number refused; NaN where none was.
    pub value: f64,
    /// Elements or bytes needed, where a length was refused.
    pub needed: usize,
    /// The quantity.
    pub quantity: [c_char; WB_TEXT],
    /// What it may be.
    pub allowed: [c_char; WB_TEXT],
}

/// The name of the record itself, in refusals for where it lies.
const RECORD: &str = "error";

/// The record's memory, where one was handed over.
pub(crate) fn record(error: *const wb_error) -> Result<Option<Stretch>, Refusal> {
    if error.is_null() { Ok(None) } else { stretch(error, 1, RECORD).map(Some) }
}

/// Why a call does nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal {
    status: i32,
    quantity: &'static str,
    allowed: &'static str,
    value: f64,
    needed: usize,
}

impl Refusal {
    /// A refusal without a number.
    pub(crate) const fn new(status: i32, quantity: &'static str) -> Self {
        Self { status, quantity, allowed: "", value: f64::NAN, needed: 0 }
    }

    /// A number that cannot be.
    pub(crate) const fn range(quantity: &'static str, value: f64, allowed: &'static str) -> Self {
        Self { status: WB_OUT_OF_RANGE, quantity, allowed, value, needed: 0 }
    }

    /// The same under another status.
    pub(crate) const fn with_status(self, status: i32) -> Self {
        Self { status, ..self }
    }

    /// An array of the wrong length.
    pub(crate) const fn length(quantity: &'static str, needed: usize, given: usize) -> Self {
        let value = given as f64;
        Self { status: WB_WRONG_LENGTH, quantity, allowed: "", value, needed }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::BufferTooShort { buffer, needed, given } => Self::length(buffer, needed, given),
            Error::OutOfRange { quantity, value, allowed } => Self::range(quantity, value, allowed),
            Error::ImpossibleCell => Self::new(WB_IMPOSSIBLE_CELL, "cell angles"),
            Error::SingularMatrix => Self::new(WB_SINGULAR_MATRIX, "matrix"),
            Error::TooLarge { quantity } => Self::new(WB_TOO_LARGE, quantity),
            Error::OutsideDetector { index, limit } => {
                let refusal = Self::new(WB_OUTSIDE_DETECTOR, "row or pixel");
                Self { allowed: "below the number of pixels", value: index as f64, needed: limit, ..refusal }
            }
            Error::CarryoverMissing => Self::new(WB_CARRYOVER_MISSING, "carryover"),
            // Level names do not cross this interface, and kinds of error yet to come have no code.
            _ => Self::new(WB_OUT_OF_RANGE, "parameters"),
        }
    }
}

/// `text` cut to fit, with a zero at its end.
fn copied(text: &str) -> [c_char; WB_TEXT] {
    let mut out = [0; WB_TEXT];
    for (out, byte) in out.iter_mut().take(WB_TEXT - 1).zip(text.bytes()) {
        *out = byte as c_char;
    }
    out
}

/// The status of a call.
pub(crate) fn status(result: Result<(), Refusal>) -> i32 {
    result.map_or_else(|refusal| refusal.status, |()| WB_OK)
}

/// The status of a call, with its record in `error` where the caller wants one.
///
/// # Safety
/// `error` is NULL or points to a record that may be written.
pub(crate) unsafe fn reported(result: Result<(), Refusal>, error: *mut wb_error) -> i32 {
    let is_in_the_way =
        matches!(result, Err(Refusal { status: WB_OVERLAP, quantity, .. }) if quantity == RECORD);
    if !error.is_null() && error.is_aligned() && !is_in_the_way {
        let refusal = result.err().unwrap_or(Refusal::new(WB_OK, ""));
        let record = wb_error {
            status: refusal.status,
            value: refusal.value,
            needed: refusal.needed,
            quantity: copied(refusal.quantity),
            allowed: copied(refusal.allowed),
        };
        // SAFETY: not NULL, aligned, and the caller's to be written.
        unsafe { error.write(record) };
    }
    status(result)
}

/// One line of English for a status, never NULL; the string is static.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub extern "C" fn wb_status_message(status: i32) -> *const c_char {
    let message: &CStr = match status {
        WB_OK => c"no error",
        WB_NULL_POINTER => c"a pointer that must be given is NULL",
        WB_WRONG_LENGTH => c"an array has the wrong length",
        WB_MISALIGNED => c"an address is not aligned",
        WB_OVERLAP => c"an output overlaps an input",
        WB_OUT_OF_RANGE => c"a number is NaN, infinite or outside what the quantity can be",
        WB_OUTSIDE_DETECTOR => c"a row or pixel is outside the detector",
        WB_CARRYOVER_MISSING => c"a c-parity scene needs a carryover",
        WB_STRUCT_SIZE => c"the size of a struct is none that this library knows",
        WB_TOO_LARGE => c"a count or size does not fit this machine",
        WB_IMPOSSIBLE_CELL => c"no unit cell has these angles",
        WB_SINGULAR_MATRIX => c"the matrix is singular: its axes span no volume",
        WB_NOT_MADE => c"the memory holds nothing that this library made",
        WB_OTHER_SCENE => c"the carryover or the turns were made for another scene",
        WB_LATCH_MISSING => c"a c-parity scene that interpolates needs wb_scene_set_latch",
        _ => c"not a status of this library",
    };
    message.as_ptr()
}
