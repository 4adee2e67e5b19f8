//! The latch of c-parity scenes that interpolate: the evaluation at which the reference stops interpolating.

use widebragg::structure_factor::{LatchPoint, LookupRule};

use crate::block::header;
use crate::carryover::{slots, wb_carryover};
use crate::memory::{Input, Output, disjoint};
use crate::scene::{may_latch, wb_scene};
use crate::status::{Failure, status};

/// The evaluation at which the reference stops interpolating.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct wb_latch {
    /// 0 if the reference never stops; the other fields are then not used.
    pub found: i32,
    /// The row of the pixel.
    pub slow: usize,
    /// The column of the pixel.
    pub fast: usize,
    /// The evaluation within the pixel, counted over layer, subpixel, source, phi and domain.
    pub evaluation: u64,
}

/// Sets `latch` to the evaluation in `rows` rows from `first_row` on at which the reference stops
/// interpolating. If several ranges of rows have one, the first in image order is that of the image.
/// `carryover` may be NULL if the scene needs none.
///
/// # Safety
/// No other thread accesses the carryover or `latch`, or writes the scene, during the call.
/// * `scene` is NULL or a scene made by `wb_scene_make`, whose structure factors and mask are unchanged.
/// * `carryover` is NULL or a carryover made by `wb_carryover_open` or `wb_carryover_fork`.
/// * `latch` is NULL or points to room for a `wb_latch`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_scene_find_latch(
    scene: *const wb_scene,
    first_row: usize,
    rows: usize,
    carryover: *mut wb_carryover,
    latch: *mut wb_latch,
) -> i32 {
    let find = || {
        // SAFETY: the caller guarantees that `scene` is NULL or a scene, which no thread writes.
        let scene = unsafe { header(scene) }?;
        let latch = Output::one(latch, "latch")?;
        disjoint(&[latch.region()], &scene.regions()?)?;
        let kernel = scene.kernel();
        // SAFETY: the caller guarantees that `carryover` is NULL or a carryover, which no other thread
        // accesses.
        let carry = unsafe { slots(kernel, carryover, &[latch.region()]) }?;
        let rows = first_row..first_row.saturating_add(rows);
        let answer = match kernel.find_latch(rows, &carry)? {
            None => wb_latch { found: 0, slow: 0, fast: 0, evaluation: 0 },
            Some(LatchPoint { slow, fast, evaluation }) => wb_latch { found: 1, slow, fast, evaluation },
        };
        // SAFETY: `latch` is not NULL, so the caller guarantees room for one there, which no other thread
        // accesses; neither scene nor carryover overlaps it.
        unsafe { latch.write(answer) };
        Ok(())
    };
    status(find())
}

/// Makes a c-parity scene stop interpolating at `latch`, or never. This is the only function that changes a
/// scene, so it must be called before other threads use the scene.
///
/// # Safety
/// * `scene` is NULL or a scene made by `wb_scene_make`, which no other thread accesses during the call.
/// * `latch` is NULL or points to an initialised `wb_latch`, which no other thread writes during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_scene_set_latch(scene: *mut wb_scene, latch: *const wb_latch) -> i32 {
    let set = || {
        // SAFETY: the caller guarantees that `scene` is NULL or a scene, which no other thread accesses. The
        // reference is not used after the scene is written below.
        let old = unsafe { header::<wb_scene>(scene) }?;
        let latch = Input::one(latch, "latch")?;
        // SAFETY: `latch` is not NULL, so the caller guarantees an initialised `wb_latch` there that no other
        // thread writes.
        let wb_latch { found, slow, fast, evaluation } = unsafe { latch.read() };
        if !may_latch(old.kernel()) {
            return Err(Failure::range("latch", f64::NAN, "for c-parity scenes that interpolate"));
        }
        let lookup = match found {
            0 => LookupRule::Tricubic,
            _ => LookupRule::TricubicUntil(LatchPoint { slow, fast, evaluation }),
        };
        let latched = old.latched(lookup);
        let scene = Output::one(scene, "scene")?;
        // SAFETY: a scene lies at `scene`, as its tag says, so there is room for another; no other thread
        // accesses it, and the reference `old` is not used any more.
        unsafe { scene.write(latched) };
        Ok(())
    };
    status(set())
}
