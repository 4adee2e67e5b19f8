//! Carryovers in the caller's memory: a header, then the slots of [`widebragg::carryover`], one per stream or
//! per pixel.

use core::ffi::c_void;

use widebragg::carryover::{CarryUse, Carryover, Slot};
use widebragg::render::{Scene, open_pixels, open_streams};
use widebragg::rotation::Orientation;

use crate::block::{Array, Header, Layout, block, header};
use crate::memory::{Output, Region, disjoint, filled};
use crate::scene::wb_scene;
use crate::status::{Failure, WB_CARRYOVER_MISSING, WB_OTHER_SCENE, WB_TOO_LARGE, status};

/// One slot per stream, as for the threads of the reference.
pub const WB_STREAMS: i32 = 0;
/// One slot per pixel, for audits.
pub const WB_PIXELS: i32 = 1;

/// The first sweep of the pixel does not use the carryover.
pub const WB_NOT_USED: i32 = 0;
/// The first sweep of the pixel finds the unrotated cell.
pub const WB_FRESH: i32 = 1;
/// The first sweep of the pixel finds the vectors that the last sweep of another pixel left.
pub const WB_HIT: i32 = 2;

/// A carryover; opaque to C. It may be saved and restored byte by byte, to any aligned address.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct wb_carryover {
    tag: u64,
    /// The size of the block that starts with this header.
    bytes: usize,
    form: i32,
    /// The number of slots.
    slots: usize,
    /// [`Scene::carryover_id`] of the scene that it was opened for.
    scene: u64,
}

// SAFETY: `wb_carryover` is `repr(C)` with an alignment of 64, and its first field is a `u64`, which
// `wb_carryover_open` sets to TAG. The only other way to make one, `wb_carryover_fork`, copies it.
unsafe impl Header for wb_carryover {
    const TAG: u64 = 0x7762_6361_7272_7932;
    const NAME: &'static str = "carryover";
}

/// The contents of a slot.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_carryover_slot {
    /// The cell vectors a, b, c that the opening sweep finds, before mosaic, in m.
    pub vectors_m: [f64; 9],
    /// The row of the pixel whose sweep left them; -1 if no sweep did, and they are the unrotated cell.
    pub left_by_slow: i64,
    /// The column of that pixel, or -1.
    pub left_by_fast: i64,
    /// The row of the pixel whose first sweep opens the slot; -1 if no pixel has a sweep.
    pub opening_slow: i64,
    /// The column of that pixel, or -1.
    pub opening_fast: i64,
    /// The first row of the stream.
    pub first_row: usize,
    /// The row after the last of the stream.
    pub end_row: usize,
    /// The number of pixels rendered whose first sweep found vectors that a sweep had left.
    pub hits: u64,
    /// The number of pixels rendered whose first sweep found the unrotated cell.
    pub fresh: u64,
}

/// What the first sweep of a pixel finds.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_carryover_use {
    /// `WB_NOT_USED`, `WB_FRESH` or `WB_HIT`.
    pub found: i32,
    /// With `WB_HIT` the row of the pixel whose sweep left the vectors, else -1.
    pub left_by_slow: i64,
    /// The column of that pixel, or -1.
    pub left_by_fast: i64,
}

/// The slots of a block, and its size in bytes.
fn layout(slots: usize) -> Result<(Array<Slot>, usize), Failure> {
    let mut layout = Layout::of::<wb_carryover>();
    let slots = layout.array(slots);
    slots.zip(layout.bytes()).ok_or(Failure::new(WB_TOO_LARGE, "carryover"))
}

/// The number of slots of a carryover of this form.
fn slot_count(scene: &Scene<'_>, form: i32, streams: usize) -> Result<usize, Failure> {
    if streams == 0 {
        return Err(Failure::range("streams", 0.0, "at least 1"));
    }
    match form {
        WB_STREAMS => Ok(streams),
        WB_PIXELS => Ok(scene.panel().pixels()),
        _ => Err(Failure::range("form", f64::from(form), "WB_STREAMS or WB_PIXELS")),
    }
}

/// Sets `bytes` to the size of the memory that [`wb_carryover_open`] needs.
///
/// # Safety
/// * `scene` is NULL or a scene made by `wb_scene_make`, which no thread writes during the call.
/// * `bytes` is NULL or points to room for a `usize`, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_carryover_size(
    scene: *const wb_scene,
    form: i32,
    streams: usize,
    bytes: *mut usize,
) -> i32 {
    let ask = || {
        let bytes = Output::one(bytes, "bytes")?;
        // SAFETY: the caller guarantees that `scene` is NULL or a scene, which no thread writes.
        let scene = unsafe { header(scene) }?;
        disjoint(&[bytes.region()], &scene.regions()?)?;
        let (_, needed) = layout(slot_count(scene.kernel(), form, streams)?)?;
        // SAFETY: `bytes` is not NULL, so the caller guarantees room for a `usize` there, which no other
        // thread accesses; the scene does not overlap it.
        unsafe { bytes.write(needed) };
        Ok(())
    };
    status(ask())
}

/// Makes a carryover of the scene in `memory`, which has `bytes` bytes and is aligned to `WB_ALIGNMENT`, as
/// if `streams` threads of the reference rendered the image.
///
/// # Safety
/// * `scene` is NULL or a scene made by `wb_scene_make`, which no thread writes during the call.
/// * `memory` is NULL or points to room for `bytes` bytes. They belong to the carryover from then on: until
///   the caller uses them for something else, only functions of this library access them.
/// * `carryover` is NULL or points to room for a pointer, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_carryover_open(
    scene: *const wb_scene,
    form: i32,
    streams: usize,
    memory: *mut c_void,
    bytes: usize,
    carryover: *mut *mut wb_carryover,
) -> i32 {
    let open = || {
        let handle = Output::one(carryover, "carryover")?;
        // SAFETY: the caller guarantees that `scene` is NULL or a scene, which no thread writes.
        let scene = unsafe { header(scene) }?;
        let kernel = scene.kernel();
        let (array, needed) = layout(slot_count(kernel, form, streams)?)?;
        check_room(memory, bytes, needed, &handle, &scene.regions()?)?;
        // SAFETY: `memory` is aligned to WB_ALIGNMENT and holds a block of this layout, as `check_room`
        // found; the caller guarantees that the memory exists, and neither scene nor handle overlaps it.
        let slots = filled(unsafe { array.uninit(memory.cast()) }, Slot::default());
        let count = slots.len();
        match form {
            WB_PIXELS => open_pixels(kernel, streams, slots)?,
            _ => open_streams(kernel, slots)?,
        }
        let start = Output::one(memory.cast::<wb_carryover>(), "memory")?;
        let (tag, scene) = (wb_carryover::TAG, kernel.carryover_id());
        // SAFETY: `memory` is not NULL and is aligned, and the block, which belongs to this call, begins with
        // room for the header.
        unsafe { start.write(wb_carryover { tag, bytes: needed, form, slots: count, scene }) };
        // SAFETY: `handle` is not NULL, so the caller guarantees room for a pointer there, which no other
        // thread accesses; neither scene nor block overlaps it.
        unsafe { handle.write(memory.cast()) };
        Ok(())
    };
    status(open())
}

/// Checks the memory of a carryover to be made: large enough, aligned, and apart from the handle and from
/// `others`.
fn check_room(
    memory: *mut c_void,
    bytes: usize,
    needed: usize,
    handle: &Output<*mut wb_carryover>,
    others: &[Region],
) -> Result<(), Failure> {
    let block = block(memory, bytes)?;
    if bytes < needed {
        return Err(Failure::length("memory", needed, bytes));
    }
    disjoint(&[block.region(), handle.region()], others)
}

impl wb_carryover {
    /// The memory of the carryover.
    fn region(&self) -> Result<Region, Failure> {
        Region::new((&raw const *self).cast::<u8>(), self.bytes, Self::NAME)
    }

    /// The position of the slots in the block.
    fn array(&self) -> Result<Array<Slot>, Failure> {
        Ok(layout(self.slots)?.0)
    }

    /// Whether both were opened for scenes with the same carryover, in the same form.
    fn is_like(&self, other: &Self) -> bool {
        (self.form, self.slots, self.scene) == (other.form, other.slots, other.scene)
    }

    fn check_scene(&self, scene: &Scene<'_>) -> Result<(), Failure> {
        let same = self.scene == scene.carryover_id();
        if same { Ok(()) } else { Err(Failure::new(WB_OTHER_SCENE, Self::NAME)) }
    }
}

/// The slots for a call that writes `outputs`; off if `carryover` is NULL and the scene needs none.
///
/// # Safety
/// `carryover` is NULL or a carryover made by [`wb_carryover_open`] or [`wb_carryover_fork`], which during
/// `'a` nothing else accesses.
pub(crate) unsafe fn slots<'a>(
    scene: &Scene<'_>,
    carryover: *mut wb_carryover,
    outputs: &[Region],
) -> Result<Carryover<'a>, Failure> {
    if carryover.is_null() {
        if scene.carries() {
            return Err(Failure::new(WB_CARRYOVER_MISSING, wb_carryover::NAME));
        }
        return Ok(Carryover::Off);
    }
    // SAFETY: the caller guarantees that `carryover` is a carryover, which no thread writes.
    let opened = unsafe { header(carryover) }?;
    opened.check_scene(scene)?;
    disjoint(outputs, &[opened.region()?])?;
    let (form, array) = (opened.form, opened.array()?);
    // SAFETY: `carryover` is aligned, and starts a block of the layout that its header describes, whose slots
    // `wb_carryover_open` initialised. The caller guarantees that nothing else accesses them during 'a; the
    // header, which other references may point to, lies apart from them.
    let slots = unsafe { array.initialised(carryover.cast()) };
    Ok(if form == WB_PIXELS { Carryover::Pixels(slots) } else { Carryover::Streams(slots) })
}

/// Sets `count` to the number of slots: one per stream, or one per pixel, slow-major.
///
/// # Safety
/// * `carryover` is NULL or a carryover made by [`wb_carryover_open`] or [`wb_carryover_fork`].
/// * `count` is NULL or points to room for a `usize`, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_carryover_slots(carryover: *const wb_carryover, count: *mut usize) -> i32 {
    let ask = || {
        // SAFETY: the caller guarantees that `carryover` is NULL or a carryover; its header is never written
        // after it was made.
        let opened = unsafe { header(carryover) }?;
        let count = Output::one(count, "count")?;
        disjoint(&[count.region()], &[opened.region()?])?;
        // SAFETY: `count` is not NULL, so the caller guarantees room for a `usize` there, which no other
        // thread accesses; the carryover does not overlap it.
        unsafe { count.write(opened.slots) };
        Ok(())
    };
    status(ask())
}

/// The row or column of a pixel, or -1 if there is none.
fn index(at: Option<usize>) -> i64 {
    at.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)
}

impl From<Slot> for wb_carryover_slot {
    fn from(slot: Slot) -> Self {
        let Orientation { a_m, b_m, c_m } = slot.vectors;
        Self {
            vectors_m: [a_m.x, a_m.y, a_m.z, b_m.x, b_m.y, b_m.z, c_m.x, c_m.y, c_m.z],
            left_by_slow: index(slot.left_by.map(|(slow, _)| slow)),
            left_by_fast: index(slot.left_by.map(|(_, fast)| fast)),
            opening_slow: index(slot.opening.map(|(slow, _)| slow)),
            opening_fast: index(slot.opening.map(|(_, fast)| fast)),
            first_row: slot.first_row,
            end_row: slot.end_row,
            hits: slot.hits,
            fresh: slot.fresh,
        }
    }
}

/// Sets `slot` to the contents of slot `i`.
///
/// # Safety
/// No other thread renders with the carryover or accesses `slot` during the call.
/// * `carryover` is NULL or a carryover made by [`wb_carryover_open`] or [`wb_carryover_fork`].
/// * `slot` is NULL or points to room for a `wb_carryover_slot`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_carryover_read(
    carryover: *const wb_carryover,
    i: usize,
    slot: *mut wb_carryover_slot,
) -> i32 {
    let read = || {
        // SAFETY: the caller guarantees that `carryover` is NULL or a carryover; its header is never written
        // after it was made.
        let opened = unsafe { header(carryover) }?;
        let slot = Output::one(slot, "slot")?;
        disjoint(&[slot.region()], &[opened.region()?])?;
        let array = opened.array()?;
        // SAFETY: `carryover` is aligned, and starts a block of the layout that its header describes, whose
        // slots `wb_carryover_open` initialised. No other thread renders with them, so nothing writes them.
        let slots = unsafe { array.slice(carryover.cast()) };
        let found = *slots.get(i).ok_or(Failure::range("slot", i as f64, "below the number of slots"))?;
        // SAFETY: `slot` is not NULL, so the caller guarantees room for one there, which no other thread
        // accesses; the carryover does not overlap it.
        unsafe { slot.write(found.into()) };
        Ok(())
    };
    status(read())
}

/// Sets `found` to what the first sweep of a pixel finds; renders and counts nothing. `carryover` may be NULL
/// if the scene needs none.
///
/// # Safety
/// No other thread accesses the carryover or `found`, or writes the scene, during the call.
/// * `carryover` is NULL or a carryover made by [`wb_carryover_open`] or [`wb_carryover_fork`].
/// * `scene` is NULL or a scene made by `wb_scene_make`, whose structure factors and mask are unchanged.
/// * `found` is NULL or points to room for a `wb_carryover_use`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_carryover_use_at(
    carryover: *const wb_carryover,
    scene: *const wb_scene,
    slow: usize,
    fast: usize,
    found: *mut wb_carryover_use,
) -> i32 {
    let ask = || {
        // SAFETY: the caller guarantees that `scene` is NULL or a scene, which no thread writes.
        let scene = unsafe { header(scene) }?;
        let found = Output::one(found, "found")?;
        disjoint(&[found.region()], &scene.regions()?)?;
        let kernel = scene.kernel();
        let detector = kernel.panel();
        for (index, limit) in [(slow, detector.slow_pixels), (fast, detector.fast_pixels)] {
            if index >= limit {
                return Err(widebragg::Error::OutsideDetector { index, limit }.into());
            }
        }
        // SAFETY: the caller guarantees that `carryover` is NULL or a carryover, which no other thread
        // accesses. `carry_use` does not write the slots.
        let carry = unsafe { slots(kernel, carryover.cast_mut(), &[found.region()]) }?;
        let (kind, left_by) = match kernel.carry_use(&carry, slow, fast)? {
            CarryUse::NotUsed => (WB_NOT_USED, None),
            CarryUse::Fresh => (WB_FRESH, None),
            CarryUse::Hit { left_by } => (WB_HIT, Some(left_by)),
        };
        let answer = wb_carryover_use {
            found: kind,
            left_by_slow: index(left_by.map(|(slow, _)| slow)),
            left_by_fast: index(left_by.map(|(_, fast)| fast)),
        };
        // SAFETY: `found` is not NULL, so the caller guarantees room for one there, which no other thread
        // accesses; neither scene nor carryover overlaps it.
        unsafe { found.write(answer) };
        Ok(())
    };
    status(ask())
}

/// Makes a copy of a carryover for another thread, with its counts at zero, in `memory` of at least the
/// original's size. [`wb_carryover_absorb`] later adds the counts of the copy to the original.
///
/// # Safety
/// * `carryover` is NULL or a carryover made by [`wb_carryover_open`] or this function; no other thread
///   renders with it during the call.
/// * `memory` is NULL or points to room for `bytes` bytes. They belong to the copy from then on: until the
///   caller uses them for something else, only functions of this library access them.
/// * `copy` is NULL or points to room for a pointer, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_carryover_fork(
    carryover: *const wb_carryover,
    memory: *mut c_void,
    bytes: usize,
    copy: *mut *mut wb_carryover,
) -> i32 {
    let fork = || {
        let handle = Output::one(copy, "copy")?;
        // SAFETY: the caller guarantees that `carryover` is NULL or a carryover; its header is never written
        // after it was made.
        let opened = unsafe { header(carryover) }?;
        let (array, needed) = layout(opened.slots)?;
        check_room(memory, bytes, needed, &handle, &[opened.region()?])?;
        let original = carryover.cast::<u8>();
        // SAFETY: the original's block has `needed` bytes, and the caller guarantees that no thread renders
        // with it. `memory` has room for as many, as `check_room` found, and does not overlap the original.
        unsafe { memory.cast::<u8>().copy_from_nonoverlapping(original, needed) };
        // SAFETY: `memory` is aligned to WB_ALIGNMENT, as `check_room` found, and now holds a block of this
        // layout with the initialised slots of the original. It belongs to this call.
        for slot in unsafe { array.initialised(memory.cast()) } {
            (slot.hits, slot.fresh) = (0, 0);
        }
        // SAFETY: `handle` is not NULL, so the caller guarantees room for a pointer there, which no other
        // thread accesses; neither of the carryovers overlaps it.
        unsafe { handle.write(memory.cast()) };
        Ok(())
    };
    status(fork())
}

/// Adds the counts of a fork to those of the carryover.
///
/// # Safety
/// Each of `carryover` and `fork` is NULL or a carryover made by [`wb_carryover_open`] or
/// [`wb_carryover_fork`], which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_carryover_absorb(carryover: *mut wb_carryover, fork: *const wb_carryover) -> i32 {
    let absorb = || {
        // SAFETY: the caller guarantees that `carryover` is NULL or a carryover, which no other thread
        // accesses.
        let own = unsafe { header(carryover) }?;
        // SAFETY: the caller guarantees that `fork` is NULL or a carryover, which no other thread accesses.
        let other = unsafe { header(fork) }?;
        disjoint(&[own.region()?], &[other.region()?])?;
        if !own.is_like(other) {
            return Err(Failure::new(WB_OTHER_SCENE, "fork"));
        }
        let array = own.array()?;
        // SAFETY: `fork` is aligned, and starts a block of the layout that its header describes, which has
        // the slots of `own`, all initialised. No other thread accesses them, and `carryover` does not
        // overlap them.
        let theirs = unsafe { array.slice(fork.cast()) };
        // SAFETY: `carryover` is aligned, and starts a block of the layout that its header describes, whose
        // slots are initialised. No other thread accesses them, and `fork` does not overlap them.
        let slots = unsafe { array.initialised(carryover.cast()) };
        slots.iter_mut().zip(theirs).for_each(|(slot, other)| slot.absorb(other));
        Ok(())
    };
    status(absorb())
}
