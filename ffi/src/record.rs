//! The error record of a call.

use crate::memory::{Output, Region};
use crate::status::{Failure, WB_OK, WB_OVERLAP, status, wb_error};

/// The name of the record in failures about its own memory.
const NAME: &str = "error";

/// The memory of the record, or none if the caller passed NULL.
pub(crate) fn record(error: *mut wb_error) -> Result<Region, Failure> {
    if error.is_null() { Ok(Region::EMPTY) } else { Region::new(error, 1, NAME) }
}

/// The status of a call, after writing its error record if the caller passed one.
///
/// A record that is misaligned, or that overlaps other memory of the call, is the reason of the failure and
/// is not written.
///
/// # Safety
/// `error` is NULL or points to room for a `wb_error` that no other thread accesses during the call.
pub(crate) unsafe fn reported(result: Result<(), Failure>, error: *mut wb_error) -> i32 {
    let overlaps = matches!(result, Err(Failure { status: WB_OVERLAP, quantity, .. }) if quantity == NAME);
    if let (Ok(record), false) = (Output::one(error, NAME), overlaps) {
        let failure = result.err().unwrap_or(Failure::new(WB_OK, ""));
        // SAFETY: `Output::one` found `error` to be aligned and not NULL, and the caller guarantees room for
        // one record there that no other thread accesses. No reference to it exists: the call has ended.
        unsafe { record.write(failure.record()) };
    }
    status(result)
}
