//! The carryover's slots of a scene: which sweep opens each of them, and what any pixel's first sweep finds.

use core::ops::Range;

use crate::Error;
use crate::carryover::{CarryUse, Carryover, Slot, stream_rows};
use crate::scene::{Roi, Scene};

/// Fills one slot for each stream; the streams are the threads of the reference.
///
/// # Errors
/// [`Error::BufferTooShort`] when there is no slot at all.
pub fn open_streams(scene: &Scene<'_>, slots: &mut [Slot]) -> Result<(), Error> {
    if slots.is_empty() {
        return Err(Error::BufferTooShort { buffer: "carryover slots", needed: 1, given: 0 });
    }
    let (rows, threads) = (scene.panel().slow_pixels, slots.len());
    for (i, slot) in slots.iter_mut().enumerate() {
        let stream = stream_rows(rows, threads, i);
        *slot = Slot {
            vectors: scene.orientations().cell(),
            left_by: None,
            opening: scene.first_swept(stream.clone()),
            first_row: stream.start,
            end_row: stream.end,
            hits: 0,
            fresh: 0,
            scene: scene.carryover_id(),
        };
    }
    Ok(())
}

/// Makes slots of streams that have rendered a whole image those of the next call with the same scene, as simtbx keeps them from
/// call to call: the opening sweep of each stream finds what its last sweep left.
///
/// # Errors
/// [`Error::OtherScene`] when a slot was not opened for the scene.
pub fn continue_streams(scene: &Scene<'_>, slots: &mut [Slot]) -> Result<(), Error> {
    if slots.iter().any(|slot| slot.scene != scene.carryover_id()) {
        return Err(Error::OtherScene { quantity: "carryover slots" });
    }
    for slot in slots {
        let last = scene.last_swept_before(slot.first_row, slot.end_row, 0);
        if last.is_some() {
            (slot.vectors, slot.left_by) = (scene.steady(), last);
        }
    }
    Ok(())
}

/// Fills one slot for each pixel, as if `threads` streams had gone through the image.
///
/// # Errors
/// [`Error::BufferTooShort`] with the number of pixels.
pub fn open_pixels(scene: &Scene<'_>, threads: usize, slots: &mut [Slot]) -> Result<(), Error> {
    let panel = scene.panel();
    let (rows, columns, needed) = (panel.slow_pixels, panel.fast_pixels, panel.pixels());
    let given = slots.len();
    let slots =
        slots.get_mut(..needed).ok_or(Error::BufferTooShort { buffer: "carryover slots", needed, given })?;
    let mut rows_of_slots = slots.chunks_exact_mut(columns.max(1)).enumerate();
    // Threads beyond the number of rows have no rows.
    for i in 0..threads.clamp(1, rows.max(1)) {
        let stream = stream_rows(rows, threads, i);
        let mut last = None;
        for (slow, row) in rows_of_slots.by_ref().take(stream.len()) {
            open_row(scene, slow, &stream, row, &mut last);
        }
    }
    Ok(())
}

/// Fills the slots of a row; `last` is the last pixel of the stream that had a sweep.
fn open_row(
    scene: &Scene<'_>,
    slow: usize,
    stream: &Range<usize>,
    row: &mut [Slot],
    last: &mut Option<(usize, usize)>,
) {
    let (cell, steady) = (scene.orientations().cell(), scene.steady());
    for (fast, slot) in row.iter_mut().enumerate() {
        let swept = scene.is_swept(slow, fast);
        *slot = Slot {
            vectors: if last.is_none() { cell } else { steady },
            left_by: *last,
            opening: swept.then_some((slow, fast)),
            first_row: stream.start,
            end_row: stream.end,
            hits: 0,
            fresh: 0,
            scene: scene.carryover_id(),
        };
        if swept {
            *last = Some((slow, fast));
        }
    }
}

impl Scene<'_> {
    /// What the first sweep of a pixel finds. Nothing is rendered or counted.
    ///
    /// # Errors
    /// As [`Scene::render_pixel`], for a pixel that uses the carryover.
    pub fn carry_use(&self, carry: &Carryover<'_>, slow: usize, fast: usize) -> Result<CarryUse, Error> {
        if !self.carries() || !self.is_swept(slow, fast) {
            return Ok(CarryUse::NotUsed);
        }
        self.check_carry(&(slow..slow + 1), carry)?;
        let found = |left_by| match left_by {
            None => CarryUse::Fresh,
            Some(left_by) => CarryUse::Hit { left_by },
        };
        match carry {
            Carryover::Off => Err(Error::CarryoverMissing),
            Carryover::Pixels(slots) => {
                let slot = slots.get(slow * self.panel().fast_pixels + fast);
                slot.map(|slot| found(slot.left_by)).ok_or(Error::CarryoverMissing)
            }
            Carryover::Streams(slots) => {
                let slot = slots.iter().find(|slot| (slot.first_row..slot.end_row).contains(&slow));
                let slot = slot.ok_or(Error::CarryoverMissing)?;
                if slot.opening == Some((slow, fast)) {
                    return Ok(found(slot.left_by));
                }
                Ok(found(self.last_swept_before(slot.first_row, slow, fast)))
            }
        }
    }

    /// Whether a pixel has any sweep: it is selected, and some source scatters into it within the resolution
    /// limit.
    #[must_use]
    pub fn is_swept(&self, slow: usize, fast: usize) -> bool {
        self.is_selected(slow, fast) && (self.p.d_min_m == 0.0 || self.resolves(slow, fast))
    }

    /// The first pixel of `rows`, in order, that has a sweep.
    #[must_use]
    pub fn first_swept(&self, rows: Range<usize>) -> Option<(usize, usize)> {
        let Roi { fast_min, fast_max, slow_min, slow_max } = self.p.roi;
        let rows = rows.start.max(slow_min)..rows.end.min(slow_max.saturating_add(1));
        rows.flat_map(|slow| (fast_min..=fast_max).map(move |fast| (slow, fast)))
            .find(|&(slow, fast)| self.is_swept(slow, fast))
    }

    /// The last pixel before (slow, fast), from row `first_row` on, that has a sweep.
    fn last_swept_before(&self, first_row: usize, slow: usize, fast: usize) -> Option<(usize, usize)> {
        let columns = self.panel().fast_pixels;
        let here = (0..fast).rev().map(|column| (slow, column));
        let above =
            (first_row..slow).rev().flat_map(|row| (0..columns).rev().map(move |column| (row, column)));
        here.chain(above).find(|&(row, column)| self.is_swept(row, column))
    }
}
