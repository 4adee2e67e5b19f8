//! Renders one image with its rows split over threads, after a search for the latch: the evaluation at which
//! the reference would stop interpolating.

use std::time::Instant;

use rayon::prelude::*;
use widebragg::carryover::Slot;
use widebragg::render::RowReport;
use widebragg::scene::Scene;
use widebragg::structure_factor::LatchPoint;
use widebragg_formats::memory::{filled, reserved, zeroed};

use crate::carryover::{carryover, find_latch, latched, open_slots, slot_of_row};
use crate::experiment::Experiment;
use crate::failure::{Failure, Part, refused};

/// A rendered image.
#[derive(Debug)]
pub struct Frame {
    /// Pixels, slow-major.
    pub pixels: Vec<f32>,
    /// Sums over the image.
    pub report: RowReport,
    /// The pixel and evaluation at which the reference would stop interpolating; `None` if it would not stop.
    pub latch: Option<LatchPoint>,
    /// Carryover slots after the image, one for each thread of the reference; empty in spec mode.
    pub slots: Vec<Slot>,
    /// Time in the render loop, in s.
    pub seconds: f64,
}

fn no_memory(experiment: &Experiment) -> Failure {
    let (rows, columns) = (experiment.detector.slow_pixels, experiment.detector.fast_pixels);
    Failure::no_memory(Part::Scene, format!("an image of {columns} x {rows} pixels"))
}

/// Checks that there is room for an image of `experiment`.
///
/// # Errors
/// There is not enough memory.
pub fn check_room(experiment: &Experiment) -> Result<(), Failure> {
    reserved::<f32>(experiment.detector.pixels()).map(drop).ok_or_else(|| no_memory(experiment))
}

/// Renders the image of `scene`, a scene of `experiment`, on the threads of the current pool; calls
/// `row_done` after each row.
///
/// # Errors
/// There is not enough memory, or the kernel rejects the scene.
pub fn render_frame(
    experiment: &Experiment,
    scene: &Scene<'_>,
    row_done: &(dyn Fn() + Sync),
) -> Result<Frame, Failure> {
    let (rows, columns) = (experiment.detector.slow_pixels, experiment.detector.fast_pixels);
    let no_memory = || no_memory(experiment);
    let mut pixels = zeroed::<f32>(experiment.detector.pixels()).ok_or_else(no_memory)?;
    let mut rows_done = filled(rows, (RowReport::default(), None)).ok_or_else(no_memory)?;
    let mut slots = open_slots(experiment, scene)?;
    let started = Instant::now();
    let latch = find_latch(scene, &slots)?;
    let scene = latched(scene, latch);
    pixels.par_chunks_mut(columns).zip(&mut rows_done).enumerate().try_for_each(
        |(row, (out, done))| -> Result<(), Failure> {
            // Each row has its own copy of its stream's slot. Openings are only read; the counts are added up
            // below.
            let mut own = slot_of_row(&slots, row);
            let report = scene.render_rows(row..row + 1, out, &mut carryover(own.as_mut_slice()));
            row_done();
            *done = (report.map_err(refused(Part::Scene))?, own);
            Ok(())
        },
    )?;
    let seconds = started.elapsed().as_secs_f64();
    let report = sum_of(&rows_done, &mut slots);
    Ok(Frame { pixels, report, latch, slots, seconds })
}

/// Adds up the reports of all rows, and absorbs their copies of slots into `slots`.
fn sum_of(rows: &[(RowReport, Option<Slot>)], slots: &mut [Slot]) -> RowReport {
    let mut report = RowReport::default();
    for (row, used) in rows {
        report.pixels += row.pixels;
        report.omega_sum_sr += row.omega_sum_sr;
        report.fallbacks += row.fallbacks;
        let stream = used.and_then(|used| slots.iter_mut().find(|slot| slot.first_row == used.first_row));
        if let (Some(slot), Some(used)) = (stream, used) {
            slot.absorb(used);
        }
    }
    report
}
