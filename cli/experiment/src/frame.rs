//! Renders one image with its rows split over threads, after a search for the latch: the evaluation at which
//! the reference would stop interpolating.

use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rayon::prelude::*;
use widebragg::carryover::{Carryover, Slot};
use widebragg::formulas::RowFormula;
use widebragg::light::Choice;
use widebragg::random::Ran1;
use widebragg::render::RowReport;
use widebragg::scene::Scene;
use widebragg::structure_factor::LatchPoint;
use widebragg_formats::memory::{filled, reserved, zeroed};

use crate::background;
use crate::carryover::{carryover, continued_slots, find_latch, latched, open_slots, slot_of_row};
use crate::device;
use crate::experiment::Experiment;
use crate::failure::{Failure, Part, refused};
use crate::lattices::FrameScenes;
use crate::light::{self, LightTaken, Listed};
use crate::noise::Drawing;
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
    /// Time in the render loop, in s. Where noise is drawn meanwhile, the time that the rows took is split evenly over the
    /// threads.
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

/// Renders the image of `scenes`, those of a frame of `experiment`, on the threads of the current pool; calls `row_done` after
/// each row of each lattice.
///
/// # Errors
/// There is not enough memory, or the kernel rejects a scene.
pub fn render_frame(
    experiment: &Experiment,
    scenes: &FrameScenes<'_>,
    row_done: &(dyn Fn() + Sync),
) -> Result<Frame, Failure> {
    render(experiment, scenes, None, None, row_done).map(|(frame, _)| frame)
}

/// As [`render_frame`], as a further call of one run of the reference: in c-parity, the opening sweep of each stream
/// finds what the calls before have left. `slots` are those of each panel, as they are after such a call and empty
/// before the first, and are replaced by those after this one.
///
/// # Errors
/// As [`render_frame`]; there are several lattices, or the slots are of other scenes.
pub fn render_continued(
    experiment: &Experiment,
    scenes: &FrameScenes<'_>,
    slots: &mut Vec<Vec<Slot>>,
    row_done: &(dyn Fn() + Sync),
) -> Result<Frame, Failure> {
    if experiment.lattices() > 1 {
        return Err(Failure::impossible(Part::Carryover, "that of several crystals cannot be kept"));
    }
    if !slots.is_empty() && slots.len() != scenes.panels().len() {
        return Err(Failure::impossible(Part::Carryover, "it is that of another detector"));
    }
    let (frame, _) = render(experiment, scenes, None, Some(slots), row_done)?;
    *slots = frame.panels.iter().map(|panel| panel.slots.clone()).collect();
    Ok(frame)
}

/// As [`render_frame`], with Poisson deviates of the pixels, which are drawn from `streams`, one for each panel, while later
/// rows are rendered: those of the region of interest, masked pixels included, row after row. Other pixels have 0.
///
/// # Errors
/// As [`render_frame`].
pub fn render_noisy_frame(
    experiment: &Experiment,
    scenes: &FrameScenes<'_>,
    streams: &[Ran1],
    row_done: &(dyn Fn() + Sync),
) -> Result<(Frame, Vec<f32>), Failure> {
    render(experiment, scenes, Some(streams), None, row_done)
}

/// Image and deviates; without random numbers there are no deviates. `slots` are those of calls before, for each panel.
fn render(
    experiment: &Experiment,
    scenes: &FrameScenes<'_>,
    streams: Option<&[Ran1]>,
    slots: Option<&[Vec<Slot>]>,
    row_done: &(dyn Fn() + Sync),
) -> Result<(Frame, Vec<f32>), Failure> {
    let room = |pixels: usize| zeroed::<f32>(pixels).ok_or_else(|| no_memory(experiment));
    let mut pixels = room(experiment.pixels())?;
    let mut deviates = room(streams.map_or(0, |_| experiment.pixels()))?;
    let mut report = RowReport::default();
    let mut panels = Vec::with_capacity(scenes.panels().len());
    let mut seconds = 0.0;
    let of_panels = parts_mut(scenes.panels(), &mut pixels).zip(parts_mut(scenes.panels(), &mut deviates));
    for (index, (part, StackPart { pixels: deviates, .. })) in of_panels.enumerate() {
        let random = streams.and_then(|streams| streams.get(index));
        let noise = random.map(|random| (random.clone(), deviates));
        let slots = slots.and_then(|slots| slots.get(index)).map_or(&[][..], |slots| slots);
        let (panel, rows, took) =
            render_panel(experiment, scenes.on_panel(index), slots, part, noise, row_done)?;
        seconds += took;
        report.pixels += rows.pixels;
        report.omega_sum_sr += rows.omega_sum_sr;
        report.fallbacks += rows.fallbacks;
        panels.push(panel);
    }
    Ok((Frame { pixels, report, panels, seconds }, deviates))
}

/// Renders a panel into its pixels and, where it gets noise, its deviates, from its scenes with each lattice and with
/// the slots of calls before; also returns the time in s.
fn render_panel<'s, 'a: 's>(
    experiment: &Experiment,
    scenes: impl Iterator<Item = &'s Scene<'a>>,
    slots: &[Slot],
    StackPart { first_row, pixels, .. }: StackPart<'_, &mut [f32]>,
    noise: Option<(Ran1, &mut [f32])>,
    row_done: &(dyn Fn() + Sync),
) -> Result<(PanelFrame, RowReport, f64), Failure> {
    let mut scenes = scenes.peekable();
    let mut noise = noise;
    let mut panel: Option<(PanelFrame, RowReport, f64)> = None;
    while let Some(scene) = scenes.next() {
        // Deviates are those of the sum, which is complete with the last lattice.
        let noise = noise.take_if(|_| scenes.peek().is_none());
        let before = match panel {
            None => Before::Background(background::from_row(experiment, first_row)),
            Some(_) => Before::Lattices,
        };
        let (lattice, rows, took) =
            render_lattice(experiment, scene, slots, before, pixels, noise, row_done)?;
        panel = Some(match panel {
            None => (lattice, rows, took),
            Some((mut panel, mut report, seconds)) => {
                panel.light = panel.light.and(lattice.light);
                panel.neglects |= lattice.neglects;
                report.fallbacks += rows.fallbacks;
                (panel, report, seconds + took)
            }
        });
    }
    panel.ok_or_else(|| Failure::impossible(Part::Crystal, "a frame without lattices"))
}

/// What the photons of a lattice add to.
#[derive(Clone, Copy)]
enum Before<'f> {
    /// What amorphous matter adds to each pixel; empty where there is none.
    Background(&'f [f32]),
    /// What the pixels hold of other lattices.
    Lattices,
}

/// Renders a panel with one lattice; the slots of calls before are empty where there were none.
fn render_lattice(
    experiment: &Experiment,
    scene: &Scene<'_>,
    kept: &[Slot],
    before: Before<'_>,
    pixels: &mut [f32],
    noise: Option<(Ran1, &mut [f32])>,
    row_done: &(dyn Fn() + Sync),
) -> Result<(PanelFrame, RowReport, f64), Failure> {
    let (rows, columns) = (scene.panel().slow_pixels, scene.panel().fast_pixels);
    let no_memory = || no_memory(experiment);
    let mut rows_done = filled(rows, (RowReport::default(), None)).ok_or_else(no_memory)?;
    let mut slots = match kept {
        [] => open_slots(experiment, scene)?,
        kept => continued_slots(scene, kept)?,
    };
    let started = Instant::now();
    let latch = find_latch(scene, &slots)?;
    let neglected_photons = experiment.neglected_photons / experiment.lattices() as f64;
    let scene = latched(scene, latch).neglecting(neglected_photons).map_err(refused(Part::Scene))?;
    let drawing = match noise {
        Some((random, deviates)) => Some(Drawing::new(&scene, random, deviates).ok_or_else(no_memory)?),
        None => None,
    };
    let mut target = Target {
        columns,
        slots: &slots,
        row_done,
        drawing: drawing.as_ref(),
        before,
        pixels,
        done: &mut rows_done,
        aside: 0.0,
    };
    let light = if target.render_on_device(experiment, &scene)? {
        LightTaken::Loop
    } else if let Some(choice) = light::choose(experiment.light, &scene) {
        target.render_spots(&scene, &choice)?
    } else {
        target.render_rows(0..rows, &|rows, out, carry| scene.render_rows(rows, out, carry))?;
        LightTaken::Loop
    };
    let seconds = started.elapsed().as_secs_f64() - target.aside;
    if let Some(drawing) = drawing {
        drawing.finish();
    }
    let report = sum_of(&rows_done, &mut slots);
    Ok((PanelFrame { latch, slots, light, neglects: scene.neglects() }, report, seconds))
}

/// What a row reports, and its copy of its stream's slot.
type RowDone = (RowReport, Option<Slot>);

/// Renders rows into their pixels.
type RenderRows<'f> =
    &'f (dyn Fn(Range<usize>, &mut [f32], &mut Carryover<'_>) -> Result<RowReport, widebragg::Error> + Sync);

/// Pixels that are rendered at a time: what comes with each call costs as much as some ten of them.
const PIXELS_AT_A_TIME: usize = 2048;

/// The rows of a panel, which are rendered from the first to the last.
struct Target<'f, 'p> {
    columns: usize,
    slots: &'f [Slot],
    row_done: &'f (dyn Fn() + Sync),
    /// Where finished rows go, if they get noise.
    drawing: Option<&'f Drawing<'p>>,
    before: Before<'f>,
    /// Those of the rows that are not rendered yet.
    pixels: &'p mut [f32],
    done: &'f mut [RowDone],
    /// Time between the first and the last row of calls that was not spent in rows, in s.
    aside: f64,
}

impl<'p> Target<'_, 'p> {
    /// Renders the next rows of the panel by `render_rows`, on all threads.
    fn render_rows(&mut self, rows: Range<usize>, render_rows: RenderRows<'_>) -> Result<(), Failure> {
        let (pixels, later) = core::mem::take(&mut self.pixels).split_at_mut(rows.len() * self.columns);
        self.pixels = later;
        let done = &mut self.done[rows.clone()];
        let Self { columns, slots, row_done, drawing, before, .. } = *self;
        // Each row has its own copy of its stream's slot. Openings are only read; the counts are added up later.
        let height = if slots.is_empty() { (PIXELS_AT_A_TIME / columns.max(1)).max(1) } else { 1 };
        let rendered_ns = AtomicU64::new(0);
        let some = |(index, (out, done)): (usize, (&'p mut [f32], &mut [RowDone]))| -> Result<(), Failure> {
            let first = rows.start + index * height;
            let these = first..first + done.len();
            let mut own = slot_of_row(slots, first);
            let started = Instant::now();
            let carry = &mut carryover(own.as_mut_slice());
            let report = match before {
                Before::Background(photons) => {
                    let report = render_rows(these.clone(), out, carry);
                    background::add(photons.get(first * columns..).unwrap_or_default(), out);
                    report
                }
                Before::Lattices => added(render_rows, these.clone(), out, carry),
            };
            rendered_ns.fetch_add(started.elapsed().as_nanos() as u64, Ordering::Relaxed);
            these.clone().for_each(|_| row_done());
            let report = report.map_err(refused(Part::Scene))?;
            if let Some(first) = done.first_mut() {
                *first = (report, own);
            }
            if let Some(drawing) = drawing {
                these.zip(out.chunks(columns)).for_each(|(row, pixels)| drawing.take(row, pixels));
            }
            Ok(())
        };
        let size = columns * height;
        if drawing.is_none() {
            let pieces = pixels.par_chunks_mut(size).zip(done.par_chunks_mut(height));
            return pieces.enumerate().try_for_each(some);
        }
        let started = Instant::now();
        // In order, since the noise of a row waits for that of all rows before.
        let pieces = pixels.chunks_mut(size).zip(done.chunks_mut(height));
        pieces.enumerate().par_bridge().try_for_each(some)?;
        let rendered = rendered_ns.into_inner() as f64 * 1e-9 / rayon::current_num_threads() as f64;
        self.aside += (started.elapsed().as_secs_f64() - rendered).max(0.0);
        Ok(())
    }

    /// Renders the panel on the experiment's device; returns whether it did.
    fn render_on_device(&mut self, experiment: &Experiment, scene: &Scene<'_>) -> Result<bool, Failure> {
        let Some(of_device) = device::render(experiment, scene)? else { return Ok(false) };
        let columns = self.columns;
        for RowFormula { rows, formula } in scene.row_formulas() {
            self.render_rows(rows, &|rows, out, carry| {
                if formula.is_none() {
                    return scene.render_rows(rows, out, carry);
                }
                out.copy_from_slice(&of_device.pixels[rows.start * columns..rows.end * columns]);
                scene.complete_rows(rows, out, carry)
            })?;
        }
        if let Some((report, _)) = self.done.first_mut() {
            report.fallbacks += of_device.fallbacks;
        }
        Ok(true)
    }

    /// Renders the panel from lists of its spots, band by band.
    fn render_spots(&mut self, scene: &Scene<'_>, choice: &Choice) -> Result<LightTaken, Failure> {
        let Some(light) = scene.light(choice.cutoff) else { return Ok(LightTaken::Loop) };
        light::band_by_band(&light, choice, 0..self.done.len(), &mut |band, listed| {
            self.render_rows(band, &|rows, out, carry| match &listed {
                Some(Listed { light, lists }) => light.render_rows(lists, rows, out, carry),
                None => scene.render_rows(rows, out, carry),
            })
        })
    }
}

/// Renders rows, and adds them to what their pixels hold.
fn added(
    render_rows: RenderRows<'_>,
    rows: Range<usize>,
    pixels: &mut [f32],
    carry: &mut Carryover<'_>,
) -> Result<RowReport, widebragg::Error> {
    let mut terms = vec![0.0; pixels.len()];
    let report = render_rows(rows, &mut terms, carry)?;
    pixels.iter_mut().zip(terms).for_each(|(pixel, term)| *pixel += term);
    Ok(report)
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
