//! A setup whose parameters move: its image, and derivatives in both directions, rows over threads.
//!
//! Counts, the latch and which phi is 0 are those of the setup, wherever the parameters go: derivatives, differences and
//! refinements are of one branch. Sums are made row by row and added up in order: the same bits for any number of threads.

use rayon::prelude::*;
use widebragg::beam::Source;
use widebragg::carryover::Slot;
use widebragg::detector::Detector;
use widebragg::gradient::{
    Model, Moves, Parameter, Sums, TurnBuffers, TurnTable, Variables, Wanted, fill_turns, scaled_rotation,
};
use widebragg::lattice::{Lattice, Precision};
use widebragg::render::{Scene, SceneParts};
use widebragg::rotation::{IDENTITY, Mat3, Orientation, PhiShift, fill_shifted_orientations};
use widebragg::structure_factor::LatchPoint;

use super::selection::Selection;
use crate::error::Failure;
use crate::memory::filled;
use crate::run::frame::{carryover, find_latch, latched, open_slots, slot_of_row};
use crate::run::setup::{MovingParts, Setup};

/// Bands of rows whose derivatives by structure factors are added up by themselves: each takes a grid of memory.
const BANDS: usize = 8;

/// A setup and what moves it.
#[derive(Debug)]
pub struct Problem<'s> {
    setup: &'s Setup,
    model: Model,
    latch: Option<LatchPoint>,
}

fn refused(error: widebragg::Error) -> Failure {
    Failure::input(error.to_string())
}

fn no_memory(what: &str) -> Failure {
    Failure::input(format!("no memory for {what}"))
}

impl<'s> Problem<'s> {
    /// The problem of a setup's first frame.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn new(setup: &'s Setup) -> Result<Self, Failure> {
        let Setup { crystal_parameters, detector_parameters, phi, default_f, .. } = setup;
        let model = Model::new(*crystal_parameters, *detector_parameters, phi.count, *default_f);
        let mut problem = Self { setup, model: model.map_err(refused)?, latch: None };
        problem.latch =
            problem.with_scene(&Moves::default(), |scene, slots| find_latch(scene, setup.mode, slots))?;
        Ok(problem)
    }

    /// The setup.
    #[must_use]
    pub fn setup(&self) -> &'s Setup {
        self.setup
    }

    /// Pixels of an image.
    #[must_use]
    pub fn pixels(&self) -> usize {
        self.setup.detector.pixels()
    }

    /// The scene after `moves`, lent to `job` with the slots of its carryover.
    ///
    /// # Errors
    /// Moves to where there is no experiment, no memory, or what `job` says.
    pub fn with_scene<R>(
        &self,
        moves: &Moves,
        job: impl FnOnce(&Scene<'_>, &[Slot]) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        self.with_masked_scene(moves, None, job)
    }

    /// The same with a mask in place of the setup's. What is carried over stays that of the whole image.
    fn with_masked_scene<R>(
        &self,
        moves: &Moves,
        mask: Option<&[u16]>,
        job: impl FnOnce(&Scene<'_>, &[Slot]) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let setup = self.setup;
        let v = self.model.variables(moves).map_err(refused)?;
        let sources: Vec<Source> = setup
            .sources
            .iter()
            .map(|source| Source { lambda_m: source.lambda_m * v.lambda_scale, ..*source })
            .collect();
        let domains: Vec<Mat3> = setup.domains.iter().map(|u| scaled_rotation(u, v.mosaic_scale)).collect();
        let shift = PhiShift { phi0_rad: v.phi0_rad, step_rad: v.phi_step_rad };
        let mut entries = setup.orientation_buffer()?;
        let orientations = fill_shifted_orientations(v.cell, setup.sweep(0), shift, &domains, &mut entries)
            .map_err(refused)?;
        let scene = setup.scene_of(MovingParts {
            detector: moved_detector(&setup.detector, &v),
            lattice: Lattice { reciprocal_per_angstrom: v.reciprocal_per_angstrom, ..setup.lattice },
            sources: &sources,
            orientations,
            fluence_per_m2: setup.fluence_per_m2 * v.fluence_scale,
            default_f: v.default_f,
        })?;
        // Images are those that derivatives are of: f64.
        let scene = latched(&scene, self.latch).with_precision(Precision::Double);
        let slots = open_slots(setup, &scene)?;
        if mask.is_none() {
            return job(&scene, &slots);
        }
        let masked = Scene::new(SceneParts { mask, ..*scene.parts() }).map_err(refused)?;
        job(&masked, &slots)
    }

    /// The variables of the scene after `moves`.
    ///
    /// # Errors
    /// Moves to where there is no experiment.
    pub fn variables(&self, moves: &Moves) -> Result<Variables, Failure> {
        self.model.variables(moves).map_err(refused)
    }

    /// The image after `moves`; 0 where nothing is rendered.
    ///
    /// # Errors
    /// As [`Problem::with_scene`].
    pub fn image(&self, moves: &Moves) -> Result<Vec<f64>, Failure> {
        let mut image = filled(self.pixels(), 0f64).ok_or_else(|| no_memory("an image"))?;
        self.with_scene(moves, |scene, slots| {
            self.rows(&mut image, 1).try_for_each(|(row, out)| render_row(scene, slots, row, out))
        })?;
        Ok(image)
    }

    /// The selected pixels of the image after `moves`, in their order: nothing else is rendered.
    ///
    /// # Errors
    /// As [`Problem::with_scene`].
    pub fn selected_pixels(&self, moves: &Moves, selection: &Selection) -> Result<Vec<f64>, Failure> {
        self.with_masked_scene(moves, Some(selection.mask()), |scene, slots| {
            self.by_selected_row(selection, 1, |row, out| render_row(scene, slots, row, out))
        })
    }

    /// Derivatives of the selected pixels along each of `directions`: one column after the other.
    ///
    /// # Errors
    /// As [`Problem::with_scene`].
    pub fn selected_slopes(
        &self,
        moves: &Moves,
        directions: &[Variables],
        selection: &Selection,
    ) -> Result<Vec<f64>, Failure> {
        self.with_masked_scene(moves, Some(selection.mask()), |scene, slots| {
            self.with_turns(scene, directions, |turns| {
                self.by_selected_row(selection, directions.len(), |row, out| {
                    push_row(scene, slots, turns, directions, row, out)
                })
            })
        })
    }

    /// Lets `render` fill `deep` images of each row that has selected pixels, and keeps these: image after image.
    fn by_selected_row(
        &self,
        selection: &Selection,
        deep: usize,
        render: impl Fn(usize, &mut [f64]) -> Result<(), Failure> + Sync,
    ) -> Result<Vec<f64>, Failure> {
        let columns = self.setup.detector.fast_pixels;
        let room = |len: usize| filled(len, 0f64).ok_or_else(|| no_memory("the pixels of a refinement"));
        let kept: Result<Vec<Vec<f64>>, Failure> = selection
            .rows()
            .par_iter()
            .map_init(Vec::new, |images, (row, pixels)| {
                if images.is_empty() {
                    *images = room(columns * deep)?;
                }
                render(*row, images)?;
                let mut kept = room(pixels.len() * deep)?;
                for (kept, image) in
                    kept.chunks_exact_mut(pixels.len().max(1)).zip(images.chunks_exact(columns))
                {
                    for (kept, pixel) in kept.iter_mut().zip(selection.indices(pixels)) {
                        *kept = image[pixel % columns];
                    }
                }
                Ok(kept)
            })
            .collect();
        let mut all = room(selection.len() * deep)?;
        for (kept, (_, pixels)) in kept?.iter().zip(selection.rows()) {
            for (image, kept) in kept.chunks_exact(pixels.len().max(1)).enumerate() {
                let start = image * selection.len() + pixels.start;
                all[start..start + kept.len()].copy_from_slice(kept);
            }
        }
        Ok(all)
    }

    /// The rows of the region of interest, with their parts of each of `images` side by side.
    fn rows<'i>(
        &self,
        images: &'i mut [f64],
        deep: usize,
    ) -> impl IndexedParallelIterator<Item = (usize, &'i mut [f64])> + use<'i> {
        let (first, last) = (self.setup.roi.slow_min, self.setup.roi.slow_max);
        let columns = self.setup.detector.fast_pixels;
        images.par_chunks_mut(columns * deep).enumerate().skip(first).take(last + 1 - first)
    }

    /// Derivatives of the variables by each of `parameters`, after `moves`.
    ///
    /// # Errors
    /// Moves to where there is no experiment.
    pub fn directions(
        &self,
        moves: &Moves,
        parameters: impl IntoIterator<Item = Parameter>,
    ) -> Result<Vec<Variables>, Failure> {
        let along = |parameter| self.model.direction(moves, parameter).map_err(refused);
        parameters.into_iter().map(along).collect()
    }

    /// Derivatives of the sum of weight times pixel by the variables, those that move along `directions`; with `by_f`, as long as
    /// the grid, by each structure factor as well.
    ///
    /// # Errors
    /// As [`Problem::with_scene`].
    pub fn pullback(
        &self,
        moves: &Moves,
        weights: &[f64],
        directions: &[Variables],
        by_f: Option<&mut [f64]>,
    ) -> Result<Variables, Failure> {
        let columns = self.setup.detector.fast_pixels;
        let roi = self.setup.roi;
        let wanted = Wanted::along(directions);
        self.with_scene(moves, |scene, slots| {
            self.with_turns(scene, directions, |turns| {
                let row_of = |row: usize, structure_factors: Option<&mut [f64]>| {
                    let mut own = slot_of_row(slots, row);
                    let mut sums = Sums { wanted, structure_factors, ..Sums::default() };
                    let weights = weights.get(row * columns..).unwrap_or(&[]);
                    let carry = carryover(own.as_mut_slice());
                    let done = scene.pullback_rows(turns, row..row + 1, weights, &carry, &mut sums);
                    done.map(|()| sums.variables).map_err(refused)
                };
                let mut total = Variables::default();
                let Some(by_f) = by_f else {
                    let rows = (roi.slow_min..roi.slow_max + 1).into_par_iter();
                    let sums: Result<Vec<_>, _> = rows.map(|row| row_of(row, None)).collect();
                    sums?.iter().for_each(|sums| total.add(sums));
                    return Ok(total);
                };
                // The same bands whatever the threads.
                let rows: Vec<usize> = (roi.slow_min..=roi.slow_max).collect();
                for band in rows.chunks(rows.len().div_ceil(BANDS)).collect::<Vec<_>>().chunks(2) {
                    let sums: Result<Vec<_>, Failure> = band
                        .par_iter()
                        .map(|rows| {
                            let mut grid = filled(by_f.len(), 0f64)
                                .ok_or_else(|| no_memory("derivatives by structure factors"))?;
                            let mut variables = Variables::default();
                            for &row in *rows {
                                variables.add(&row_of(row, Some(&mut grid))?);
                            }
                            Ok((variables, grid))
                        })
                        .collect();
                    for (variables, grid) in sums? {
                        total.add(&variables);
                        by_f.iter_mut().zip(grid).for_each(|(sum, x)| *sum += x);
                    }
                }
                Ok(total)
            })
        })
    }

    /// Derivatives of the pixels along each of `directions`: images one after the other.
    ///
    /// # Errors
    /// As [`Problem::with_scene`].
    pub fn pushforward(&self, moves: &Moves, directions: &[Variables]) -> Result<Vec<f64>, Failure> {
        let (pixels, columns, deep) = (self.pixels(), self.setup.detector.fast_pixels, directions.len());
        let room = || filled(pixels * deep, 0f64).ok_or_else(|| no_memory("images of derivatives"));
        // A row of all images is one piece of work: they are put in order afterwards.
        let mut by_row = room()?;
        self.with_scene(moves, |scene, slots| {
            self.with_turns(scene, directions, |turns| {
                self.rows(&mut by_row, deep)
                    .try_for_each(|(row, out)| push_row(scene, slots, turns, directions, row, out))
            })
        })?;
        if deep == 1 {
            return Ok(by_row);
        }
        let mut images = room()?;
        for (image, out) in images.chunks_exact_mut(pixels).enumerate() {
            for (out, rows) in out.chunks_exact_mut(columns).zip(by_row.chunks_exact(columns * deep)) {
                out.copy_from_slice(&rows[image * columns..(image + 1) * columns]);
            }
        }
        Ok(images)
    }

    /// The derivatives of the orientations of a scene, as far as `directions` need them, lent to `job`.
    fn with_turns<R>(
        &self,
        scene: &Scene<'_>,
        directions: &[Variables],
        job: impl FnOnce(&TurnTable<'_>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let entries = scene.orientations().entries().len();
        let needed = |moves: fn(&Variables) -> f64| {
            let len = if directions.iter().any(|v| moves(v) != 0.0) { entries } else { 0 };
            filled(len, Orientation::default()).ok_or_else(|| no_memory("derivatives of orientations"))
        };
        let mut rotations =
            filled(entries, IDENTITY).ok_or_else(|| no_memory("derivatives of orientations"))?;
        let (mut by_phi0, mut by_step, mut by_mosaic) =
            (needed(|v| v.phi0_rad)?, needed(|v| v.phi_step_rad)?, needed(|v| v.mosaic_scale)?);
        let buffers = TurnBuffers {
            rotations: &mut rotations,
            by_phi0: &mut by_phi0,
            by_step: &mut by_step,
            by_mosaic: &mut by_mosaic,
        };
        job(&fill_turns(scene.orientations(), buffers).map_err(refused)?)
    }
}

/// Renders a row.
fn render_row(scene: &Scene<'_>, slots: &[Slot], row: usize, out: &mut [f64]) -> Result<(), Failure> {
    let mut own = slot_of_row(slots, row);
    let done = scene.render_rows(row..row + 1, out, &mut carryover(own.as_mut_slice()));
    done.map(|_| ()).map_err(refused)
}

/// Derivatives of a row along `directions`.
fn push_row(
    scene: &Scene<'_>,
    slots: &[Slot],
    turns: &TurnTable<'_>,
    directions: &[Variables],
    row: usize,
    out: &mut [f64],
) -> Result<(), Failure> {
    let mut own = slot_of_row(slots, row);
    let carry = carryover(own.as_mut_slice());
    scene.pushforward_rows(turns, row..row + 1, directions, &carry, out).map_err(refused)
}

fn moved_detector(detector: &Detector, v: &Variables) -> Detector {
    Detector {
        pix0_m: v.pix0_m,
        fast: v.fast,
        slow: v.slow,
        normal: v.normal,
        close_distance_m: v.close_distance_m,
        distance_m: v.distance_m,
        ..*detector
    }
}
