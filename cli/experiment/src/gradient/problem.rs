//! The image of an experiment whose parameters are shifted, and its derivatives (pullback and pushforward),
//! with the rows split over threads.
//!
//! The moves change neither the numbers of steps, sources, domains and cells, nor the latch, nor which phi
//! steps count as 0. Derivatives, finite differences and refinements therefore all refer to the same smooth
//! function. The sums of the rows are added in order, so that the bits do not depend on the number of
//! threads.

use core::ops::Range;

use rayon::prelude::*;
use widebragg::beam::Source;
use widebragg::carryover::Slot;
use widebragg::crystal::Crystal;
use widebragg::detector::Detector;
use widebragg::gradient::{
    Model, Moves, OrientationDerivativeBuffers, OrientationDerivatives, Parameter, Sums, Variables, Wanted,
    fill_orientation_derivatives, scaled_rotation,
};
use widebragg::lattice::{Crystallite, Precision};
use widebragg::rotation::{IDENTITY, Orientation, PhiShift};
use widebragg::scene::Scene;
use widebragg::structure_factor::LatchPoint;
use widebragg_formats::memory::filled;

use super::selection::Selection;
use crate::carryover::{carryover, find_latch, latched, open_slots, render_row, slot_of_row};
use crate::experiment::Experiment;
use crate::failure::{self, Failure, Part};
use crate::panels::DetectorPanel;

/// Number of bands of rows whose derivatives with respect to structure factors are summed separately; each
/// band needs the memory of one grid.
const BANDS: usize = 8;

/// An experiment, and the model that computes how its parameters change it.
#[derive(Debug)]
pub struct Problem<'e> {
    experiment: &'e Experiment,
    panel: &'e DetectorPanel,
    model: Model,
    latch: Option<LatchPoint>,
}

fn refused(error: widebragg::Error) -> Failure {
    failure::refused(Part::Scene)(error)
}

fn no_memory(what: &str) -> Failure {
    Failure::no_memory(Part::Scene, what)
}

impl<'e> Problem<'e> {
    /// The problem of the first frame of an experiment.
    ///
    /// # Errors
    /// The detector has several panels, the detector or the crystal was given by its axes, so that it has no parameters,
    /// or the kernel rejects the experiment.
    pub fn new(experiment: &'e Experiment) -> Result<Self, Failure> {
        let panel = experiment.only_panel()?;
        let crystal = experiment.crystal_parameters().zip(panel.detector_parameters());
        let Some((crystal, detector)) = crystal else {
            return Err(Failure::impossible(
                Part::Scene,
                "derivatives need the parameters of detector and crystal",
            ));
        };
        let model =
            Model::new(crystal, *detector, experiment.mode, experiment.phi.count, experiment.default_f);
        let mut problem = Self { experiment, panel, model: model.map_err(refused)?, latch: None };
        problem.latch = problem.with_scene(&Moves::default(), find_latch)?;
        Ok(problem)
    }

    /// The panel of its detector.
    #[must_use]
    pub fn panel(&self) -> &'e DetectorPanel {
        self.panel
    }

    /// The experiment.
    #[must_use]
    pub fn experiment(&self) -> &'e Experiment {
        self.experiment
    }

    /// Number of pixels of an image.
    #[must_use]
    pub fn pixels(&self) -> usize {
        self.experiment.pixels()
    }

    /// Calls `job` with the scene after `moves` and the slots of its carryover.
    ///
    /// # Errors
    /// Moves to an impossible experiment, no memory, or the failure of `job`.
    pub fn with_scene<R>(
        &self,
        moves: &Moves,
        job: impl FnOnce(&Scene<'_>, &[Slot]) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        self.with_masked_scene(moves, None, job)
    }

    /// As [`Problem::with_scene`], with another mask. The carryover stays that of the whole image.
    fn with_masked_scene<R>(
        &self,
        moves: &Moves,
        mask: Option<&[u16]>,
        job: impl FnOnce(&Scene<'_>, &[Slot]) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let moved = self.moved(moves)?;
        let mut orientations = moved.orientation_buffer()?;
        let scene = latched(&moved.scene(0, 0, &mut orientations)?, self.latch);
        let slots = open_slots(&moved, &scene)?;
        match mask {
            None => job(&scene, &slots),
            Some(mask) => job(&scene.with_selection(mask).map_err(refused)?, &slots),
        }
    }

    /// The experiment after `moves`.
    fn moved(&self, moves: &Moves) -> Result<Experiment, Failure> {
        let v = self.variables(moves)?;
        let mut moved = self.experiment.clone();
        for source in &mut moved.sources {
            *source = Source { lambda_m: source.lambda_m * v.lambda_scale, ..*source };
        }
        for domain in &mut moved.domains {
            *domain = scaled_rotation(domain, v.mosaic_scale);
        }
        for panel in &mut moved.panels {
            panel.detector = moved_detector(&panel.detector, &v);
        }
        moved.crystal = Crystal { direct: v.cell, ..moved.crystal };
        // Of the first frame, which alone is differentiated.
        moved.crystals_at_frames.clear();
        moved.crystals_at_scan_points.clear();
        moved.crystallite =
            Crystallite { reciprocal_per_angstrom: v.reciprocal_per_angstrom, ..moved.crystallite };
        moved.shift = PhiShift { phi0_rad: v.phi0_rad, step_rad: v.phi_step_rad };
        moved.fluence_per_m2 *= v.fluence_scale;
        moved.default_f = v.default_f;
        // Derivatives are computed for f64, so images must be too.
        moved.precision = Precision::Double;
        Ok(moved)
    }

    /// The variables of the scene after `moves`.
    ///
    /// # Errors
    /// Moves to an impossible experiment.
    pub fn variables(&self, moves: &Moves) -> Result<Variables, Failure> {
        self.model.variables(moves).map(|v| self.sampled(v)).map_err(refused)
    }

    /// The first phi moves with the step where phi is not sampled at the start of its step.
    fn sampled(&self, v: Variables) -> Variables {
        let offset = self.experiment.phi_sampling.offset();
        Variables { phi0_rad: v.phi0_rad + v.phi_step_rad * offset, ..v }
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

    /// The selected pixels of the image after `moves`, in order. No other pixel is rendered.
    ///
    /// # Errors
    /// As [`Problem::with_scene`].
    pub fn selected_pixels(&self, moves: &Moves, selection: &Selection) -> Result<Vec<f64>, Failure> {
        self.with_masked_scene(moves, Some(selection.mask()), |scene, slots| {
            selection.by_row(1, |row, out| render_row(scene, slots, row, out))
        })
    }

    /// Derivatives of the selected pixels along each of `directions`, direction by direction.
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
                selection
                    .by_row(directions.len(), |row, out| push_row(scene, slots, turns, directions, row, out))
            })
        })
    }

    /// The rows of the region of interest; each comes with its slice of `images`, the row of `deep` images
    /// side by side.
    fn rows<'i>(
        &self,
        images: &'i mut [f64],
        deep: usize,
    ) -> impl IndexedParallelIterator<Item = (usize, &'i mut [f64])> + use<'i> {
        let (first, last) = (self.panel.roi.slow_min, self.panel.roi.slow_max);
        let columns = self.experiment.columns();
        images.par_chunks_mut(columns * deep).enumerate().skip(first).take(last + 1 - first)
    }

    /// Derivatives of the variables with respect to each of `parameters`, after `moves`.
    ///
    /// # Errors
    /// Moves to an impossible experiment.
    pub fn directions(
        &self,
        moves: &Moves,
        parameters: impl IntoIterator<Item = Parameter>,
    ) -> Result<Vec<Variables>, Failure> {
        let along =
            |parameter| self.model.direction(moves, parameter).map(|v| self.sampled(v)).map_err(refused);
        parameters.into_iter().map(along).collect()
    }

    /// Derivatives of the weighted sum of pixels with respect to the variables that change along
    /// `directions`. Where `by_f` is given, the derivatives with respect to the structure factors of the
    /// table are added to it.
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
        let roi = self.panel.roi;
        let rows = roi.slow_min..roi.slow_max + 1;
        let wanted = Wanted::along(directions);
        self.with_scene(moves, |scene, slots| {
            self.with_turns(scene, directions, |turns| {
                let pullback = Pullback { scene, slots, turns, weights, wanted };
                match by_f {
                    None => pullback.sum(rows),
                    Some(by_f) => pullback.sum_by_f(rows, by_f),
                }
            })
        })
    }

    /// Derivatives of the pixels along each of `directions`, image by image.
    ///
    /// # Errors
    /// As [`Problem::with_scene`].
    pub fn pushforward(&self, moves: &Moves, directions: &[Variables]) -> Result<Vec<f64>, Failure> {
        let (pixels, columns, deep) = (self.pixels(), self.experiment.columns(), directions.len());
        let room = || filled(pixels * deep, 0f64).ok_or_else(|| no_memory("images of derivatives"));
        // A row of all images is rendered at once; the rows are put in order afterwards.
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

    /// Calls `job` with those derivatives of the orientations of a scene that `directions` need.
    fn with_turns<R>(
        &self,
        scene: &Scene<'_>,
        directions: &[Variables],
        job: impl FnOnce(&OrientationDerivatives<'_>) -> Result<R, Failure>,
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
        let buffers = OrientationDerivativeBuffers {
            rotations: &mut rotations,
            by_phi0: &mut by_phi0,
            by_step: &mut by_step,
            by_mosaic: &mut by_mosaic,
        };
        job(&fill_orientation_derivatives(scene.orientations(), buffers).map_err(refused)?)
    }
}

/// The weighted sum of the pixels of a scene, to be differentiated.
struct Pullback<'a> {
    scene: &'a Scene<'a>,
    slots: &'a [Slot],
    turns: &'a OrientationDerivatives<'a>,
    weights: &'a [f64],
    wanted: Wanted,
}

impl Pullback<'_> {
    /// Derivatives of the sum over one row; those with respect to structure factors are added to
    /// `structure_factors`.
    fn row(&self, row: usize, structure_factors: Option<&mut [f64]>) -> Result<Variables, Failure> {
        let mut own = slot_of_row(self.slots, row);
        let mut sums = Sums { wanted: self.wanted, structure_factors, ..Sums::default() };
        let weights = self.weights.get(row * self.scene.panel().fast_pixels..).unwrap_or(&[]);
        let carry = carryover(own.as_mut_slice());
        let done = self.scene.pullback_rows(self.turns, row..row + 1, weights, &carry, &mut sums);
        done.map(|()| sums.variables).map_err(refused)
    }

    /// Derivatives with respect to the variables.
    fn sum(&self, rows: Range<usize>) -> Result<Variables, Failure> {
        let sums: Result<Vec<_>, _> = rows.into_par_iter().map(|row| self.row(row, None)).collect();
        let mut total = Variables::default();
        sums?.iter().for_each(|sums| total.add(sums));
        Ok(total)
    }

    /// Derivatives with respect to the variables; those with respect to structure factors are added to
    /// `by_f`.
    fn sum_by_f(&self, rows: Range<usize>, by_f: &mut [f64]) -> Result<Variables, Failure> {
        let mut total = Variables::default();
        // The same bands for any number of threads.
        let rows: Vec<usize> = rows.collect();
        let bands: Vec<&[usize]> = rows.chunks(rows.len().div_ceil(BANDS)).collect();
        for pair in bands.chunks(2) {
            let sums: Result<Vec<_>, _> = pair.par_iter().map(|rows| self.band(rows, by_f.len())).collect();
            for (variables, grid) in sums? {
                total.add(&variables);
                by_f.iter_mut().zip(grid).for_each(|(sum, x)| *sum += x);
            }
        }
        Ok(total)
    }

    /// Derivatives with respect to the variables and to each of `count` structure factors, over some rows.
    fn band(&self, rows: &[usize], count: usize) -> Result<(Variables, Vec<f64>), Failure> {
        let mut grid =
            filled(count, 0f64).ok_or_else(|| no_memory("derivatives with respect to structure factors"))?;
        let mut variables = Variables::default();
        for &row in rows {
            variables.add(&self.row(row, Some(&mut grid))?);
        }
        Ok((variables, grid))
    }
}

/// Derivatives of a row along `directions`.
fn push_row(
    scene: &Scene<'_>,
    slots: &[Slot],
    turns: &OrientationDerivatives<'_>,
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
