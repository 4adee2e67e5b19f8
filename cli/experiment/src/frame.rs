//! Renders one image with its rows split over threads, after a search for the latch: the evaluation at which
//! the reference would stop interpolating.

use core::ops::Range;
use std::time::Instant;

use rayon::prelude::*;
use widebragg::carryover::{Carryover, Slot};
use widebragg::light::Choice;
use widebragg::render::RowReport;
use widebragg::scene::Scene;
use widebragg::structure_factor::LatchPoint;
use widebragg_formats::memory::{filled, reserved, zeroed};

use crate::carryover::{carryover, find_latch, latched, open_slots, slot_of_row};
use crate::experiment::Experiment;
use crate::failure::{Failure, Part, refused};
use crate::light::{self, LightTaken, Listed};
use crate::panels::{StackPart, parts_mut};

/// A rendered image.
#[derive(Debug)]
pub struct Frame {
    /// Pixels of the stack of panels, slow-major.
    pub pixels: Vec<f32>,
    /// Sums over the image.
    pub report: RowReport,
    /// What is known of each panel.
    pub panels: Vec<PanelFrame>,
    /// Time in the render loop, in s.
    pub seconds: f64,
}

/// What is known of a panel of a rendered image.
#[derive(Debug)]
pub struct PanelFrame {
    /// The pixel and evaluation at which the reference would stop interpolating; `None` if it would not stop.
    pub latch: Option<LatchPoint>,
    /// Carryover slots after the image, one for each thread of the reference; empty in spec mode.
    pub slots: Vec<Slot>,
    /// What it was rendered from.
    pub light: LightTaken,
    /// Whether dim steps were left out.
    pub neglects: bool,
}

impl Frame {
    /// What the image was rendered from: a list where any panel was, with the spots of all.
    #[must_use]
    pub fn light(&self) -> LightTaken {
        self.panels.iter().fold(LightTaken::Loop, |all, panel| all.and(panel.light))
    }

    /// Whether dim steps were left out on any panel.
    #[must_use]
    pub fn neglects(&self) -> bool {
        self.panels.iter().any(|panel| panel.neglects)
    }
}

fn no_memory(experiment: &Experiment) -> Failure {
    let (rows, columns) = (experiment.rows(), experiment.columns());
    Failure::no_memory(Part::Scene, format!("an image of {columns} x {rows} pixels"))
}

/// Checks that there is room for an image of `experiment`.
///
/// # Errors
/// There is not enough memory.
pub fn check_room(experiment: &Experiment) -> Result<(), Failure> {
    reserved::<f32>(experiment.pixels()).map(drop).ok_or_else(|| no_memory(experiment))
}

/// Renders the image of `scenes`, those of the panels of `experiment`, on the threads of the current pool; calls
/// `row_done` after each row.
///
/// # Errors
/// There is not enough memory, or the kernel rejects a scene.
pub fn render_frame(
    experiment: &Experiment,
    scenes: &[Scene<'_>],
    row_done: &(dyn Fn() + Sync),
) -> Result<Frame, Failure> {
    let mut pixels = zeroed::<f32>(experiment.pixels()).ok_or_else(|| no_memory(experiment))?;
    let mut report = RowReport::default();
    let mut panels = Vec::with_capacity(scenes.len());
    let mut seconds = 0.0;
    for StackPart { scene, pixels, .. } in parts_mut(scenes, &mut pixels) {
        let slots = open_slots(experiment, scene)?;
        let started = Instant::now();
        let (panel, rows) = render_panel(experiment, scene, slots, pixels, row_done)?;
        seconds += started.elapsed().as_secs_f64();
        report.pixels += rows.pixels;
        report.omega_sum_sr += rows.omega_sum_sr;
        report.fallbacks += rows.fallbacks;
        panels.push(panel);
    }
    Ok(Frame { pixels, report, panels, seconds })
}

/// Renders a panel into its pixels; `slots` are those of its carryover.
fn render_panel(
    experiment: &Experiment,
    scene: &Scene<'_>,
    mut slots: Vec<Slot>,
    pixels: &mut [f32],
    row_done: &(dyn Fn() + Sync),
) -> Result<(PanelFrame, RowReport), Failure> {
    let (rows, columns) = (scene.panel().slow_pixels, scene.panel().fast_pixels);
    let mut rows_done = filled(rows, (RowReport::default(), None)).ok_or_else(|| no_memory(experiment))?;
    let latch = find_latch(scene, &slots)?;
    let scene =
        latched(scene, latch).neglecting(experiment.neglected_photons).map_err(refused(Part::Scene))?;
    let target = Target { columns, slots: &slots, row_done };
    let light = match light::choose(experiment.light, &scene) {
        Some(choice) => target.render_spots(&scene, &choice, pixels, &mut rows_done)?,
        None => {
            target.render_rows(0..rows, pixels, &mut rows_done, &|row, out, carry| {
                scene.render_rows(row..row + 1, out, carry)
            })?;
            LightTaken::Loop
        }
    };
    let report = sum_of(&rows_done, &mut slots);
    Ok((PanelFrame { latch, slots, light, neglects: scene.neglects() }, report))
}

/// What a row reports, and its copy of its stream's slot.
type RowDone = (RowReport, Option<Slot>);

/// Renders one row into its pixels.
type RenderRow<'f> =
    &'f (dyn Fn(usize, &mut [f32], &mut Carryover<'_>) -> Result<RowReport, widebragg::Error> + Sync);

/// What all rows of a panel share.
struct Target<'f> {
    columns: usize,
    slots: &'f [Slot],
    row_done: &'f (dyn Fn() + Sync),
}

impl Target<'_> {
    /// Renders some rows of the panel by `render_row`, on all threads.
    fn render_rows(
        &self,
        rows: Range<usize>,
        pixels: &mut [f32],
        done: &mut [RowDone],
        render_row: RenderRow<'_>,
    ) -> Result<(), Failure> {
        let pixels = &mut pixels[rows.start * self.columns..rows.end * self.columns];
        let done = &mut done[rows.clone()];
        pixels.par_chunks_mut(self.columns).zip(done).enumerate().try_for_each(
            |(index, (out, done))| -> Result<(), Failure> {
                // Each row has its own copy of its stream's slot. Openings are only read; the counts are added up
                // below.
                let row = rows.start + index;
                let mut own = slot_of_row(self.slots, row);
                let report = render_row(row, out, &mut carryover(own.as_mut_slice()));
                (self.row_done)();
                *done = (report.map_err(refused(Part::Scene))?, own);
                Ok(())
            },
        )
    }

    /// Renders the panel from lists of its spots, band by band.
    fn render_spots(
        &self,
        scene: &Scene<'_>,
        choice: &Choice,
        pixels: &mut [f32],
        done: &mut [RowDone],
    ) -> Result<LightTaken, Failure> {
        let Some(light) = scene.light(choice.cutoff) else { return Ok(LightTaken::Loop) };
        light::band_by_band(&light, choice, 0..done.len(), &mut |band, listed| {
            self.render_rows(band, pixels, done, &|row, out, carry| match &listed {
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
