//! The carryover slots of a scene, and the latch at which interpolation ends.

use rayon::prelude::*;
use widebragg::carryover::{Carryover, Slot};
use widebragg::render::{continue_streams, open_streams};
use widebragg::rotation::PhiMode;
use widebragg::scene::Scene;
use widebragg::structure_factor::{LatchPoint, LookupRule};
use widebragg_formats::memory::{filled, reserved};

use crate::experiment::Experiment;
use crate::failure::{Failure, Part, refused};
use crate::light::Listed;

/// Opened slots for the scene of a panel, one for each thread of the reference; no slots where the scene has no
/// carryover.
///
/// # Errors
/// More threads than there is memory for.
pub fn open_slots(experiment: &Experiment, scene: &Scene<'_>) -> Result<Vec<Slot>, Failure> {
    if !scene.carries() {
        return Ok(Vec::new());
    }
    let threads = experiment.reference_threads.min(scene.panel().slow_pixels);
    let no_memory = || Failure::no_memory(Part::Carryover, format!("that of {threads} threads"));
    let mut slots = filled(threads, Slot::default()).ok_or_else(no_memory)?;
    open_streams(scene, &mut slots).map_err(refused(Part::Scene))?;
    Ok(slots)
}

/// The slots of a further call for the scene of a panel, whose streams find what the calls before have left in `kept`.
///
/// # Errors
/// There is not enough memory, or they are slots of another scene.
pub(crate) fn continued_slots(scene: &Scene<'_>, kept: &[Slot]) -> Result<Vec<Slot>, Failure> {
    let no_memory = || Failure::no_memory(Part::Carryover, format!("that of {} threads", kept.len()));
    let mut slots = reserved(kept.len()).ok_or_else(no_memory)?;
    slots.extend_from_slice(kept);
    continue_streams(scene, &mut slots).map_err(refused(Part::Carryover))?;
    Ok(slots)
}

/// The carryover of `slots`.
pub fn carryover(slots: &mut [Slot]) -> Carryover<'_> {
    if slots.is_empty() { Carryover::Off } else { Carryover::Streams(slots) }
}

/// A copy of the slot of the row's stream.
pub(crate) fn slot_of_row(slots: &[Slot], row: usize) -> Option<Slot> {
    slots.iter().find(|slot| (slot.first_row..slot.end_row).contains(&row)).copied()
}

/// Renders a row of the detector into `out`, with its own copy of its stream's slot, from lists of its spots where there
/// are some.
pub(crate) fn render_row(
    scene: &Scene<'_>,
    listed: Option<Listed<'_>>,
    slots: &[Slot],
    row: usize,
    out: &mut [f64],
) -> Result<(), Failure> {
    let mut own = slot_of_row(slots, row);
    let carry = &mut carryover(own.as_mut_slice());
    let done = match listed {
        Some(Listed { light, lists }) => light.render_rows(lists, row..row + 1, out, carry),
        None => scene.render_rows(row..row + 1, out, carry),
    };
    done.map(|_| ()).map_err(refused(Part::Scene))
}

/// The pixel from which on the reference no longer interpolates; `None` in spec mode.
///
/// # Errors
/// What the kernel refuses.
pub fn find_latch(scene: &Scene<'_>, slots: &[Slot]) -> Result<Option<LatchPoint>, Failure> {
    if scene.orientations().sweep().mode == PhiMode::Spec {
        return Ok(None);
    }
    let rows = 0..scene.panel().slow_pixels;
    let found = rows.into_par_iter().find_map_first(|row| {
        let mut own = slot_of_row(slots, row);
        scene.find_latch(row..row + 1, &carryover(own.as_mut_slice())).transpose()
    });
    found.transpose().map_err(refused(Part::Scene))
}

/// The scene with interpolation ending at `latch`.
#[must_use]
pub fn latched<'a>(scene: &Scene<'a>, latch: Option<LatchPoint>) -> Scene<'a> {
    latch.map_or(*scene, |latch| scene.with_lookup(LookupRule::TricubicUntil(latch)))
}
