//! The phi carryover in the caller's memory: a header, then its slots, one per stream or per pixel.

use widebragg::carryover::{CarryUse, Carryover, Slot};
use widebragg::render::{Scene, open_pixels, open_streams};
use widebragg::rotation::{Orientation, PhiSweep};

use crate::memory::{Stretch, apart, output, stretch};
use crate::scene::{WB_ALIGNMENT, block, made, wb_scene};
use crate::status::{Refusal, WB_CARRYOVER_MISSING, WB_NOT_MADE, WB_OTHER_SCENE, WB_TOO_LARGE, status};

/// A slot per stream: what the reference's threads do.
pub const WB_STREAMS: i32 = 0;
/// A slot per pixel, for audits.
pub const WB_PIXELS: i32 = 1;

/// The first sweep of a pixel finds nothing of the carryover's.
pub const WB_NOT_USED: i32 = 0;
/// It finds the unrotated cell.
pub const WB_FRESH: i32 = 1;
/// It finds what another pixel's sweep left.
pub const WB_HIT: i32 = 2;

/// A carryover; opaque to C. May be saved and restored byte by byte, at any aligned address.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct wb_carryover {
    tag: u64,
    /// Length of the block that this header begins.
    bytes: usize,
    form: i32,
    slots: usize,
    /// What it was opened for: the detector's rows and columns, the cell and its sweep.
    rows: usize,
    columns: usize,
    cell: Orientation,
    sweep: PhiSweep,
}

const TAG: u64 = 0x7762_6361_7272_7931;

/// What a slot holds.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_carryover_slot {
    /// The cell vectors a, b, c that the opening sweep finds, before mosaic, in m.
    pub vectors_m: [f64; 9],
    /// Row of the pixel whose sweep left them; -1: nobody's.
    pub left_by_slow: i64,
    /// Its column; -1: nobody's.
    pub left_by_fast: i64,
    /// Row of the pixel whose first sweep opens the slot; -1: none does.
    pub opening_slow: i64,
    /// Its column; -1: none does.
    pub opening_fast: i64,
    /// First row of the stream.
    pub first_row: usize,
    /// Row past the stream's last.
    pub end_row: usize,
    /// Pixels rendered so far that found what a sweep had left.
    pub hits: u64,
    /// Pixels rendered so far that found the unrotated cell.
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
    /// Its column, else -1.
    pub left_by_fast: i64,
}

const HEADER: usize = size_of::<wb_carryover>();
const _: () = assert!(align_of::<Slot>() <= WB_ALIGNMENT);

/// Number of slots, and bytes of the block.
fn layout(scene: &Scene<'_>, form: i32, streams: usize) -> Result<(usize, usize), Refusal> {
    if streams == 0 {
        return Err(Refusal::range("streams", 0.0, "at least 1"));
    }
    let slots = match form {
        WB_STREAMS => streams,
        WB_PIXELS => scene.detector().pixels(),
        _ => return Err(Refusal::range("form", f64::from(form), "WB_STREAMS or WB_PIXELS")),
    };
    let bytes = slots.checked_mul(size_of::<Slot>()).and_then(|bytes| bytes.checked_add(HEADER));
    let bytes = bytes.and_then(|bytes| bytes.checked_next_multiple_of(WB_ALIGNMENT));
    Ok((slots, bytes.ok_or(Refusal::new(WB_TOO_LARGE, "carryover"))?))
}

/// Bytes of memory that [`wb_carryover_open`] needs.
///
/// # Safety
/// `scene` was made; `bytes` can be written.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_carryover_size(
    scene: *const wb_scene,
    form: i32,
    streams: usize,
    bytes: *mut usize,
) -> i32 {
    let ask = || {
        stretch(bytes, 1, "bytes")?;
        // SAFETY: what this function requires.
        let scene = unsafe { made(scene) }?.scene();
        let (_, needed) = layout(scene, form, streams)?;
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { bytes.write(needed) };
        Ok(())
    };
    status(ask())
}

/// Slots of the block that `header` begins.
///
/// # Safety
/// The block holds `count` slots, initialised, nobody else's while `'a` lasts.
unsafe fn slots_of<'a>(header: *mut wb_carryover, count: usize) -> &'a mut [Slot] {
    // SAFETY: the slots come right after the header.
    let first = unsafe { header.add(1) }.cast::<Slot>();
    // SAFETY: what this function requires.
    unsafe { output(first, count) }
}

/// Opens a carryover for the scene as if `streams` threads of the reference went through the image, in `memory` of
/// `bytes` bytes, aligned to `WB_ALIGNMENT`.
///
/// # Safety
/// `scene` was made; `memory` is the carryover's; `carryover` can be written.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_carryover_open(
    scene: *const wb_scene,
    form: i32,
    streams: usize,
    memory: *mut core::ffi::c_void,
    bytes: usize,
    carryover: *mut *mut wb_carryover,
) -> i32 {
    let open = || {
        let handle = stretch(carryover, 1, "carryover")?;
        // SAFETY: what this function requires.
        let made = unsafe { made(scene) }?;
        let scene = made.scene();
        let (count, needed) = layout(scene, form, streams)?;
        // SAFETY: the rest of what this function requires.
        let header = unsafe { room(memory.cast::<u8>(), bytes, needed, handle, &made.stretches()?) }?;
        let (rows, columns) = (scene.detector().slow_pixels, scene.detector().fast_pixels);
        let (cell, sweep) = (scene.orientations().cell(), *scene.orientations().sweep());
        let first = wb_carryover { tag: TAG, bytes: needed, form, slots: count, rows, columns, cell, sweep };
        // SAFETY: the block has room for the header.
        unsafe { header.write(first) };
        // SAFETY: the block has room for the slots, which are filled before they are read.
        let slots = unsafe { slots_of(header, count) };
        slots.fill(Slot::default());
        match form {
            WB_PIXELS => open_pixels(scene, streams, slots)?,
            _ => open_streams(scene, slots)?,
        }
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { carryover.write(header) };
        Ok(())
    };
    status(open())
}

/// The header of a block to be: large enough, aligned, apart from everything else.
///
/// # Safety
/// None beyond the caller's word that the memory is there.
unsafe fn room(
    memory: *mut u8,
    bytes: usize,
    needed: usize,
    handle: Stretch,
    others: &[Option<Stretch>],
) -> Result<*mut wb_carryover, Refusal> {
    let block = block(memory, bytes)?;
    if bytes < needed {
        return Err(Refusal::length("memory", needed, bytes));
    }
    apart(&[block, handle], &[])?;
    for other in others.iter().flatten() {
        apart(&[block, handle], &[*other])?;
    }
    Ok(memory.cast::<wb_carryover>())
}

/// The header of an opened carryover.
///
/// # Safety
/// `carryover` is NULL or points to initialised memory of the size of a header.
unsafe fn opened<'a>(carryover: *const wb_carryover) -> Result<&'a wb_carryover, Refusal> {
    stretch(carryover, 1, "carryover")?;
    // SAFETY: every carryover begins with its tag.
    if unsafe { carryover.cast::<u64>().read() } != TAG {
        return Err(Refusal::new(WB_NOT_MADE, "carryover"));
    }
    // SAFETY: the tag says that `wb_carryover_open` wrote a header there.
    Ok(unsafe { &*carryover })
}

impl wb_carryover {
    fn stretch(&self) -> Result<Stretch, Refusal> {
        stretch((&raw const *self).cast::<u8>(), self.bytes, "carryover")
    }

    fn belongs_to(&self, scene: &Scene<'_>) -> Result<(), Refusal> {
        let (detector, table) = (scene.detector(), scene.orientations());
        let same = (self.rows, self.columns) == (detector.slow_pixels, detector.fast_pixels)
            && self.cell == table.cell()
            && self.sweep == *table.sweep();
        if same { Ok(()) } else { Err(Refusal::new(WB_OTHER_SCENE, "carryover")) }
    }
}

/// The slots for a render call that writes `outputs`; off where the scene carries nothing.
///
/// # Safety
/// `carryover` is NULL, or opened and nobody else's while `'a` lasts.
pub(crate) unsafe fn slots<'a>(
    scene: &Scene<'_>,
    carryover: *mut wb_carryover,
    outputs: &[Stretch],
) -> Result<Carryover<'a>, Refusal> {
    if carryover.is_null() {
        return match scene.orientations().sweep().carried_steps() {
            0 => Ok(Carryover::Off),
            _ => Err(Refusal::new(WB_CARRYOVER_MISSING, "carryover")),
        };
    }
    // SAFETY: what this function requires.
    let header = unsafe { opened(carryover) }?;
    header.belongs_to(scene)?;
    apart(outputs, &[header.stretch()?])?;
    let (form, count) = (header.form, header.slots);
    // SAFETY: the header says how many there are.
    let slots = unsafe { slots_of(carryover, count) };
    Ok(if form == WB_PIXELS { Carryover::Pixels(slots) } else { Carryover::Streams(slots) })
}

/// How many slots there are: one per stream, or one per pixel, slow-major.
///
/// # Safety
/// The carryover was opened; `count` can be written.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_carryover_slots(carryover: *const wb_carryover, count: *mut usize) -> i32 {
    let ask = || {
        // SAFETY: what this function requires.
        let header = unsafe { opened(carryover) }?;
        apart(&[stretch(count, 1, "count")?], &[header.stretch()?])?;
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { count.write(header.slots) };
        Ok(())
    };
    status(ask())
}

/// A row or column for C.
fn index(at: Option<usize>) -> i64 {
    at.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)
}

/// What slot `i` holds.
///
/// # Safety
/// The carryover was opened, and no other thread renders with it; `slot` can be written.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_carryover_read(
    carryover: *const wb_carryover,
    i: usize,
    slot: *mut wb_carryover_slot,
) -> i32 {
    let read = || {
        // SAFETY: what this function requires.
        let header = unsafe { opened(carryover) }?;
        apart(&[stretch(slot, 1, "slot")?], &[header.stretch()?])?;
        // SAFETY: the header says how many there are.
        let slots = unsafe { slots_of(carryover.cast_mut(), header.slots) };
        let found = *slots.get(i).ok_or(Refusal::range("slot", i as f64, "below the number of slots"))?;
        let Orientation { a_m, b_m, c_m } = found.vectors;
        let answer = wb_carryover_slot {
            vectors_m: [a_m.x, a_m.y, a_m.z, b_m.x, b_m.y, b_m.z, c_m.x, c_m.y, c_m.z],
            left_by_slow: index(found.left_by.map(|(slow, _)| slow)),
            left_by_fast: index(found.left_by.map(|(_, fast)| fast)),
            opening_slow: index(found.opening.map(|(slow, _)| slow)),
            opening_fast: index(found.opening.map(|(_, fast)| fast)),
            first_row: found.first_row,
            end_row: found.end_row,
            hits: found.hits,
            fresh: found.fresh,
        };
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { slot.write(answer) };
        Ok(())
    };
    status(read())
}

/// What the first sweep of a pixel finds; nothing is rendered or counted. `carryover` is NULL where the scene needs none.
///
/// # Safety
/// `scene` was made; the carryover was opened, and no other thread renders with it; `found` can be written.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_carryover_use_at(
    carryover: *const wb_carryover,
    scene: *const wb_scene,
    slow: usize,
    fast: usize,
    found: *mut wb_carryover_use,
) -> i32 {
    let ask = || {
        // SAFETY: what this function requires.
        let made = unsafe { made(scene) }?;
        let written = stretch(found, 1, "found")?;
        for other in made.stretches()?.into_iter().flatten() {
            apart(&[written], &[other])?;
        }
        let scene = made.scene();
        for (index, limit) in [(slow, scene.detector().slow_pixels), (fast, scene.detector().fast_pixels)] {
            if index >= limit {
                return Err(widebragg::Error::OutsideDetector { index, limit }.into());
            }
        }
        // SAFETY: what this function requires.
        let carry = unsafe { slots(scene, carryover.cast_mut(), &[written]) }?;
        let (kind, left_by) = match scene.carry_use(&carry, slow, fast)? {
            CarryUse::NotUsed => (WB_NOT_USED, None),
            CarryUse::Fresh => (WB_FRESH, None),
            CarryUse::Hit { left_by } => (WB_HIT, Some(left_by)),
        };
        let answer = wb_carryover_use {
            found: kind,
            left_by_slow: index(left_by.map(|(slow, _)| slow)),
            left_by_fast: index(left_by.map(|(_, fast)| fast)),
        };
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { found.write(answer) };
        Ok(())
    };
    status(ask())
}

/// A copy for another thread, its counts at zero, in `memory` of `bytes` bytes: as many as the carryover itself has.
/// [`wb_carryover_absorb`] adds its counts afterwards.
///
/// # Safety
/// The carryover was opened, and no other thread renders with it; `memory` is the copy's; `copy` can be written.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_carryover_fork(
    carryover: *const wb_carryover,
    memory: *mut core::ffi::c_void,
    bytes: usize,
    copy: *mut *mut wb_carryover,
) -> i32 {
    let fork = || {
        let handle = stretch(copy, 1, "copy")?;
        // SAFETY: what this function requires.
        let header = unsafe { opened(carryover) }?;
        let (count, needed) = (header.slots, header.bytes);
        // SAFETY: what this function requires.
        let forked = unsafe { room(memory.cast::<u8>(), bytes, needed, handle, &[Some(header.stretch()?)]) }?;
        // SAFETY: both blocks have that many bytes, and lie apart.
        unsafe { forked.cast::<u8>().copy_from_nonoverlapping(carryover.cast::<u8>(), needed) };
        // SAFETY: the copy has the slots of the original.
        for slot in unsafe { slots_of(forked, count) } {
            (slot.hits, slot.fresh) = (0, 0);
        }
        // SAFETY: checked above; the rest is the caller's word.
        unsafe { copy.write(forked) };
        Ok(())
    };
    status(fork())
}

/// Adds the counts of a fork.
///
/// # Safety
/// Both were opened, and no other thread renders with them.
// SAFETY: the prefix `wb_` is this library's; nothing else here exports the name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_carryover_absorb(carryover: *mut wb_carryover, fork: *const wb_carryover) -> i32 {
    let absorb = || {
        // SAFETY: what this function requires.
        let own = unsafe { opened(carryover) }?;
        // SAFETY: what this function requires.
        let other = unsafe { opened(fork) }?;
        apart(&[own.stretch()?], &[other.stretch()?])?;
        let alike = (own.form, own.slots, own.rows, own.columns)
            == (other.form, other.slots, other.rows, other.columns);
        if !alike || own.cell != other.cell || own.sweep != other.sweep {
            return Err(Refusal::new(WB_OTHER_SCENE, "fork"));
        }
        let count = own.slots;
        // SAFETY: the header says how many there are.
        let theirs = unsafe { slots_of(fork.cast_mut(), count) };
        // SAFETY: the header says how many there are.
        let slots = unsafe { slots_of(carryover, count) };
        slots.iter_mut().zip(theirs).for_each(|(slot, other)| slot.absorb(other));
        Ok(())
    };
    status(absorb())
}
