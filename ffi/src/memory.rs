//! Pointers of the caller, checked before anything is read or written through them.
//!
//! What can be checked is: NULL, alignment, sizes that fit the address space, overlap of outputs with anything else. That
//! the memory exists, and is as long as the caller says, is the caller's word.

use crate::status::{Refusal, WB_MISALIGNED, WB_NULL_POINTER, WB_OVERLAP, WB_TOO_LARGE};

/// A stretch of the caller's memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    start: usize,
    bytes: usize,
    name: &'static str,
}

impl Stretch {
    /// No memory: overlaps nothing.
    pub(crate) const NONE: Self = Self { start: 0, bytes: 0, name: "" };
}

/// The stretch of `len` elements, if there can be one.
pub(crate) fn stretch<T>(start: *const T, len: usize, name: &'static str) -> Result<Stretch, Refusal> {
    if start.is_null() {
        return Err(Refusal::new(WB_NULL_POINTER, name));
    }
    if !start.is_aligned() {
        return Err(Refusal::new(WB_MISALIGNED, name));
    }
    let bytes = len.checked_mul(size_of::<T>()).filter(|&bytes| isize::try_from(bytes).is_ok());
    let end = bytes.and_then(|bytes| start.addr().checked_add(bytes));
    match (bytes, end) {
        (Some(bytes), Some(_)) => Ok(Stretch { start: start.addr(), bytes, name }),
        _ => Err(Refusal::new(WB_TOO_LARGE, name)),
    }
}

/// Refuses outputs that overlap each other or an input.
pub(crate) fn apart(outputs: &[Stretch], inputs: &[Stretch]) -> Result<(), Refusal> {
    let overlap = |a: &Stretch, b: &Stretch| a.start < b.start + b.bytes && b.start < a.start + a.bytes;
    for (i, output) in outputs.iter().enumerate() {
        let others = outputs.iter().skip(i + 1).chain(inputs);
        for other in others {
            if output.bytes > 0 && other.bytes > 0 && overlap(output, other) {
                return Err(Refusal::new(WB_OVERLAP, output.name));
            }
        }
    }
    Ok(())
}

/// `len` elements to read.
///
/// # Safety
/// [`stretch`] accepted `start` and `len`; the elements are there, initialised, and not written while `'a` lasts.
pub(crate) unsafe fn input<'a, T>(start: *const T, len: usize) -> &'a [T] {
    // SAFETY: what this function requires.
    unsafe { core::slice::from_raw_parts(start, len) }
}

/// `len` elements to write.
///
/// # Safety
/// [`stretch`] accepted `start` and `len`; the elements are there, and nobody else's while `'a` lasts. Numbers may be
/// uninitialised as long as they are written first.
pub(crate) unsafe fn output<'a, T>(start: *mut T, len: usize) -> &'a mut [T] {
    // SAFETY: what this function requires.
    unsafe { core::slice::from_raw_parts_mut(start, len) }
}
