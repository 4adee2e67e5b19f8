//! One image: rows split over threads, the latch found first where the reference would latch.

use std::time::Instant;

use indicatif::ProgressBar;
use rayon::prelude::*;
use widebragg::carryover::{Carryover, Slot};
use widebragg::render::{RowReport, Scene, open_streams};
use widebragg::rotation::PhiMode;
use widebragg::structure_factor::{LatchPoint, LookupRule};

use super::setup::Setup;
use crate::error::Failure;
use crate::memory::filled;

/// A rendered image.
#[derive(Debug)]
pub struct Frame {
    /// Pixels, slow-major.
    pub pixels: Vec<f32>,
    /// Sums over the image.
    pub report: RowReport,
    /// Where the reference would have stopped interpolating.
    pub latch: Option<LatchPoint>,
    /// Carryover slots after the image, one per stream of the reference; empty in spec mode.
    pub slots: Vec<Slot>,
    /// Time in the render loop, in s.
    pub seconds: f64,
}

fn refused(error: widebragg::Error) -> Failure {
    Failure::input(error.to_string())
}

/// Opened slots for the scene, none where nothing is carried.
pub(crate) fn open_slots(setup: &Setup, scene: &Scene<'_>) -> Result<Vec<Slot>, Failure> {
    if scene.orientations().sweep().carried_steps() == 0 {
        return Ok(Vec::new());
    }
    let threads = setup.reference_threads.min(setup.detector.slow_pixels);
    let no_memory =
        || Failure::input(format!("--reference-threads {threads}: no memory for their carryover"));
    let mut slots = filled(threads, Slot::default()).ok_or_else(no_memory)?;
    open_streams(scene, &mut slots).map_err(refused)?;
    Ok(slots)
}

/// The carryover of `slots`.
pub(crate) fn carryover(slots: &mut [Slot]) -> Carryover<'_> {
    if slots.is_empty() { Carryover::Off } else { Carryover::Streams(slots) }
}

/// A copy of the slot of the stream that a row belongs to.
pub(crate) fn slot_of_row(slots: &[Slot], row: usize) -> Option<Slot> {
    slots.iter().find(|slot| (slot.first_row..slot.end_row).contains(&row)).copied()
}

/// Where the reference would stop interpolating, where c-parity interpolates.
pub(crate) fn find_latch(
    scene: &Scene<'_>,
    mode: PhiMode,
    slots: &[Slot],
) -> Result<Option<LatchPoint>, Failure> {
    if mode == PhiMode::Spec {
        return Ok(None);
    }
    let rows = 0..scene.detector().slow_pixels;
    let found = rows.into_par_iter().find_map_first(|row| {
        let mut own = slot_of_row(slots, row);
        scene.find_latch(row..row + 1, &carryover(own.as_mut_slice())).transpose()
    });
    found.transpose().map_err(refused)
}

/// The scene with the latch in it.
pub(crate) fn latched<'a>(scene: &Scene<'a>, latch: Option<LatchPoint>) -> Scene<'a> {
    latch.map_or(*scene, |latch| scene.with_lookup(LookupRule::TricubicUntil(latch)))
}

/// Renders the image of `scene`, with the threads of the pool it is called in.
///
/// # Errors
/// No memory, or what the kernel refuses.
pub fn render_frame(setup: &Setup, scene: &Scene<'_>, bar: &ProgressBar) -> Result<Frame, Failure> {
    let (rows, columns) = (setup.detector.slow_pixels, setup.detector.fast_pixels);
    let no_memory = || Failure::input(format!("no memory for an image of {columns} x {rows} pixels"));
    let mut pixels = filled(setup.detector.pixels(), 0f32).ok_or_else(no_memory)?;
    let mut rows_done = filled(rows, (RowReport::default(), None)).ok_or_else(no_memory)?;
    let mut slots = open_slots(setup, scene)?;
    let started = Instant::now();
    let latch = find_latch(scene, setup.mode, &slots)?;
    let scene = latched(scene, latch);
    pixels.par_chunks_mut(columns).zip(&mut rows_done).enumerate().try_for_each(
        |(row, (out, done))| -> Result<(), Failure> {
            // A copy of the slot of the row's stream: what openings find is only read, counts are added up below.
            let mut own = slot_of_row(&slots, row);
            let report = scene.render_rows(row..row + 1, out, &mut carryover(own.as_mut_slice()));
            bar.inc(1);
            *done = (report.map_err(refused)?, own);
            Ok(())
        },
    )?;
    let seconds = started.elapsed().as_secs_f64();
    let mut report = RowReport::default();
    for (row, used) in &rows_done {
        report.pixels += row.pixels;
        report.omega_sum_sr += row.omega_sum_sr;
        report.fallbacks += row.fallbacks;
        let stream = used.and_then(|used| slots.iter_mut().find(|slot| slot.first_row == used.first_row));
        if let (Some(slot), Some(used)) = (stream, used) {
            slot.absorb(used);
        }
    }
    Ok(Frame { pixels, report, latch, slots, seconds })
}
