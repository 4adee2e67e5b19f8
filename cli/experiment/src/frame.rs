//! Renders one image with its rows split over threads, after a search for the latch: the evaluation at which
//! the reference would stop interpolating. Deviates of the noise image are drawn meanwhile.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rayon::prelude::*;
use widebragg::carryover::{Carryover, Slot};
use widebragg::light::Choice;
use widebragg::random::Ran1;
use widebragg::render::RowReport;
use widebragg::scene::Scene;
use widebragg::structure_factor::LatchPoint;
use widebragg_formats::memory::{filled, reserved, zeroed};

use crate::carryover::{carryover, find_latch, latched, open_slots, slot_of_row};
use crate::experiment::Experiment;
use crate::failure::{Failure, Part, refused};
use crate::light::{self, LightTaken, Listed};
use crate::noise::Drawing;

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
    /// What it was rendered from.
    pub light: LightTaken,
    /// Whether dim steps were left out.
    pub neglects: bool,
    /// Time in the render loop, in s. Where noise is drawn meanwhile, the time that the rows took is split evenly over the
    /// threads.
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
    render(experiment, scene, None, row_done).map(|(frame, _)| frame)
}

/// As [`render_frame`], with Poisson deviates of the pixels, which are drawn from `random` while later rows are rendered:
/// those of the region of interest, masked pixels included, row after row. Other pixels have 0.
///
/// # Errors
/// As [`render_frame`].
pub fn render_noisy_frame(
    experiment: &Experiment,
    scene: &Scene<'_>,
    random: Ran1,
    row_done: &(dyn Fn() + Sync),
) -> Result<(Frame, Vec<f32>), Failure> {
    render(experiment, scene, Some(random), row_done)
}

/// Image and deviates; without random numbers there are no deviates.
fn render(
    experiment: &Experiment,
    scene: &Scene<'_>,
    random: Option<Ran1>,
    row_done: &(dyn Fn() + Sync),
) -> Result<(Frame, Vec<f32>), Failure> {
    let (rows, columns) = (experiment.detector.slow_pixels, experiment.detector.fast_pixels);
    let no_memory = || no_memory(experiment);
    let mut pixels = zeroed::<f32>(experiment.detector.pixels()).ok_or_else(no_memory)?;
    let deviates = if random.is_some() { experiment.detector.pixels() } else { 0 };
    let mut deviates = zeroed::<f32>(deviates).ok_or_else(no_memory)?;
    let mut rows_done = filled(rows, (RowReport::default(), None)).ok_or_else(no_memory)?;
    let mut slots = open_slots(experiment, scene)?;
    let started = Instant::now();
    let latch = find_latch(scene, &slots)?;
    let scene =
        latched(scene, latch).neglecting(experiment.neglected_photons).map_err(refused(Part::Scene))?;
    let drawing = match random {
        Some(random) => Some(Drawing::new(&scene, random, &mut deviates).ok_or_else(no_memory)?),
        None => None,
    };
    let mut target = Target {
        columns,
        slots: &slots,
        row_done,
        drawing: drawing.as_ref(),
        pixels: &mut pixels,
        done: &mut rows_done,
        aside: 0.0,
    };
    let light = match light::choose(experiment.light, &scene) {
        Some(choice) => target.render_spots(&scene, &choice)?,
        None => {
            target.render_rows(0..rows, &|row, out, carry| scene.render_rows(row..row + 1, out, carry))?;
            LightTaken::Loop
        }
    };
    let seconds = started.elapsed().as_secs_f64() - target.aside;
    if let Some(drawing) = drawing {
        drawing.finish();
    }
    let report = sum_of(&rows_done, &mut slots);
    Ok((Frame { pixels, report, latch, slots, light, neglects: scene.neglects(), seconds }, deviates))
}

/// What a row reports, and its copy of its stream's slot.
type RowDone = (RowReport, Option<Slot>);

/// Renders one row into its pixels.
type RenderRow<'f> =
    &'f (dyn Fn(usize, &mut [f32], &mut Carryover<'_>) -> Result<RowReport, widebragg::Error> + Sync);

/// The rows of an image, which are rendered from the first to the last.
struct Target<'f, 'p> {
    columns: usize,
    slots: &'f [Slot],
    row_done: &'f (dyn Fn() + Sync),
    /// Where finished rows go, if they get noise.
    drawing: Option<&'f Drawing<'p>>,
    /// Those of the rows that are not rendered yet.
    pixels: &'p mut [f32],
    done: &'f mut [RowDone],
    /// Time between the first and the last row of calls that was not spent in rows, in s.
    aside: f64,
}

impl<'p> Target<'_, 'p> {
    /// Renders the next rows of the image by `render_row`, on all threads.
    fn render_rows(&mut self, rows: Range<usize>, render_row: RenderRow<'_>) -> Result<(), Failure> {
        let (pixels, later) = core::mem::take(&mut self.pixels).split_at_mut(rows.len() * self.columns);
        self.pixels = later;
        let done = &mut self.done[rows.clone()];
        let (slots, row_done, drawing) = (self.slots, self.row_done, self.drawing);
        let rendered_ns = AtomicU64::new(0);
        let one = |(index, (out, done)): (usize, (&'p mut [f32], &mut RowDone))| -> Result<(), Failure> {
            // Each row has its own copy of its stream's slot. Openings are only read; the counts are added up
            // below.
            let row = rows.start + index;
            let mut own = slot_of_row(slots, row);
            let started = Instant::now();
            let report = render_row(row, out, &mut carryover(own.as_mut_slice()));
            rendered_ns.fetch_add(started.elapsed().as_nanos() as u64, Ordering::Relaxed);
            row_done();
            *done = (report.map_err(refused(Part::Scene))?, own);
            if let Some(drawing) = drawing {
                drawing.take(row, out);
            }
            Ok(())
        };
        if drawing.is_none() {
            return pixels.par_chunks_mut(self.columns).zip(done).enumerate().try_for_each(one);
        }
        let started = Instant::now();
        // In order, since the noise of a row waits for that of all rows before.
        pixels.chunks_mut(self.columns).zip(done).enumerate().par_bridge().try_for_each(one)?;
        let rendered = rendered_ns.into_inner() as f64 * 1e-9 / rayon::current_num_threads() as f64;
        self.aside += (started.elapsed().as_secs_f64() - rendered).max(0.0);
        Ok(())
    }

    /// Renders the image from lists of its spots, band by band.
    fn render_spots(&mut self, scene: &Scene<'_>, choice: &Choice) -> Result<LightTaken, Failure> {
        let Some(light) = scene.light(choice.cutoff) else { return Ok(LightTaken::Loop) };
        light::band_by_band(&light, choice, 0..self.done.len(), &mut |band, listed| {
            self.render_rows(band, &|row, out, carry| match &listed {
                Some(Listed { light, lists }) => light.render_rows(lists, row..row + 1, out, carry),
                None => scene.render_rows(row..row + 1, out, carry),
            })
        })
    }
}

/// Adds up the reports of all rows, and absorbs their copies of slots into `slots`.
fn sum_of(rows: &[RowDone], slots: &mut [Slot]) -> RowReport {
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
