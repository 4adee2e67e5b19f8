//! The image of an experiment whose parameters are shifted, and its derivatives (pullback and pushforward),
//! with the rows split over threads.
//!
//! The moves change neither the numbers of steps, sources and domains, nor the latch, nor which phi
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
    LeftOut, Model, Moves, OrientationDerivativeBuffers, OrientationDerivatives, Parameter, Sums, Variables,
    Wanted, fill_orientation_derivatives, scaled_rotation,
};
use widebragg::lattice::{CellCoupling, Crystallite, Precision};
use widebragg::light::{Choice, Cutoff, Light};
use widebragg::rotation::{IDENTITY, Orientation, PhiMode, PhiShift};
use widebragg::scene::Scene;
use widebragg::structure_factor::LatchPoint;
use widebragg_formats::memory::{filled, reserved};

use super::selection::{Gathered, Selection};
use super::spreads::MovedSpreads;
use crate::background;
use crate::carryover::{carryover, find_latch, latched, open_slots, render_row, slot_of_row};
use crate::experiment::Experiment;
use crate::failure::{self, Failure, Part};
use crate::light::{self, LightTaken, Listed, RenderBand};
use crate::panels::DetectorPanel;

/// Number of bands of rows whose derivatives with respect to structure factors are summed separately; each
/// band needs the memory of one grid.
const BANDS: usize = 8;

/// Where lists of spots for derivatives are cut off at first, as the exponent x of exp(-x), and how much farther than
/// what was left out asks for.
const FIRST_EXPONENT: f64 = 22.0;
const FARTHER: f64 = 0.1;

/// What lists may leave out of derivatives: of the pixels of an image along a direction, as a part of the largest; of sums
/// of weighted pixels, as a part of the sizes of all that adds up to one. The terms of several variables may cancel, so
/// this part is the smaller one.
const TOLERATED_OF_PIXELS: f64 = 1e-7;
const TOLERATED_OF_SUMS: f64 = 1e-9;

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
        let model = model.map_err(refused)?.about_wavelength(mean_lambda_m(experiment));
        let mut problem = Self { experiment, panel, model, latch: None };
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
            *source = Source { lambda_m: source.lambda_m * v.lambda_scale + v.lambda_shift_m, ..*source };
        }
        let spreads = MovedSpreads::new(self.experiment, &v)?;
        for domain in &mut moved.domains {
            let by_axes = spreads.map_or(1.0, |spreads| spreads.factor(domain));
            *domain = scaled_rotation(domain, v.mosaic_scale * by_axes);
        }
        for panel in &mut moved.panels {
            panel.detector = moved_detector(&panel.detector, &v);
        }
        moved.crystal = Crystal { direct: v.cell, ..moved.crystal };
        // Of the first frame, which alone is differentiated.
        moved.crystals_at_frames.clear();
        moved.crystals_at_scan_points.clear();
        let ([na, nb, nc], [more_a, more_b, more_c]) = (moved.crystallite.cells, v.added_cells);
        let (mut spots, [ab, ac, bc]) = (moved.crystallite.spots, v.added_coupling);
        let coupling = spots.coupling;
        spots.coupling = CellCoupling { ab: coupling.ab + ab, ac: coupling.ac + ac, bc: coupling.bc + bc };
        moved.crystallite = Crystallite {
            reciprocal_per_angstrom: v.reciprocal_per_angstrom,
            cells: [na + more_a, nb + more_b, nc + more_c],
            spots,
            ..moved.crystallite
        };
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

    /// The image after `moves`; 0 where nothing is rendered. It has the bits of the loop also where it is rendered from
    /// lists of its spots.
    ///
    /// # Errors
    /// As [`Problem::with_scene`].
    pub fn image(&self, moves: &Moves) -> Result<Vec<f64>, Failure> {
        let mut image = filled(self.pixels(), 0f64).ok_or_else(|| no_memory("an image"))?;
        self.with_scene(moves, |scene, slots| {
            self.exactly(scene, self.all_rows(), &mut |band, listed| {
                self.rows(&mut image, 1, band)
                    .try_for_each(|(row, out)| render_row(scene, listed, slots, row, out))
            })
        })?;
        background::add(background::from_row(self.experiment, 0), &mut image);
        Ok(image)
    }

    /// The selected pixels of the image after `moves`, in order, as [`Problem::image`] renders them. No other pixel is
    /// rendered.
    ///
    /// # Errors
    /// As [`Problem::with_scene`].
    pub fn selected_pixels(&self, moves: &Moves, selection: &Selection) -> Result<Vec<f64>, Failure> {
        let mut pixels = self.with_masked_scene(moves, Some(selection.mask()), |scene, slots| {
            let mut gathered = Gathered::new(selection, 1);
            self.exactly(scene, selection.all_rows(), &mut |band, listed| {
                gathered.render(band, |row, out| render_row(scene, listed, slots, row, out))
            })?;
            gathered.pixels()
        })?;
        if let Some(background) = &self.experiment.background {
            pixels.iter_mut().zip(selection.of(&background.photons)).for_each(|(pixel, more)| *pixel += more);
        }
        Ok(pixels)
    }

    /// Calls `render` for all of `rows`, from lists that leave out nothing where these are faster.
    fn exactly(&self, scene: &Scene<'_>, rows: Range<usize>, render: RenderBand<'_>) -> Result<(), Failure> {
        let choice = light::choose_exact(self.experiment.light, scene);
        let list = choice.as_ref().and_then(|choice| Some((scene.light(choice.cutoff)?, choice)));
        Passes { rows, list: list.as_ref().map(|(light, choice)| (light, *choice)) }.each(render).map(drop)
    }

    /// Derivatives of the selected pixels along each of `directions`, direction by direction, and what they were computed
    /// from.
    ///
    /// # Errors
    /// As [`Problem::with_scene`].
    pub fn selected_slopes(
        &self,
        moves: &Moves,
        directions: &[Variables],
        selection: &Selection,
    ) -> Result<(Vec<f64>, LightTaken), Failure> {
        self.with_masked_scene(moves, Some(selection.mask()), |scene, slots| {
            self.with_turns(moves, scene, directions, |turns| {
                let push = Pushforward { scene, slots, turns, directions };
                let attempt = |passes: &Passes<'_>| {
                    let mut gathered = Gathered::new(selection, directions.len());
                    let taken = passes.each(&mut |band, listed| {
                        gathered.render(band, |row, out| push.row(listed, row, out))
                    })?;
                    Ok((gathered.pixels()?, taken))
                };
                let may_lack = |slopes: &Vec<f64>, left_out: &LeftOut| {
                    let largest =
                        |i: usize| largest(slopes.iter().skip(i * selection.len()).take(selection.len()));
                    push.may_lack(left_out, largest)
                };
                self.derivatives(scene, turns, selection.all_rows(), attempt, may_lack)
            })
        })
    }

    /// The rows of the region of interest.
    fn all_rows(&self) -> Range<usize> {
        self.panel.roi.slow_min..self.panel.roi.slow_max + 1
    }

    /// Some rows; each comes with its slice of `images`, the row of `deep` images side by side.
    fn rows<'i>(
        &self,
        images: &'i mut [f64],
        deep: usize,
        rows: Range<usize>,
    ) -> impl IndexedParallelIterator<Item = (usize, &'i mut [f64])> + use<'i> {
        let columns = self.experiment.columns();
        images.par_chunks_mut(columns * deep).enumerate().skip(rows.start).take(rows.len())
    }

    /// Derivatives from lists of spots, where these are faster, or by the loop.
    ///
    /// `attempt` goes through passes over `rows`, and `may_lack` says of what it has found how many times too much it may
    /// lack because of what lists leave out. If that is more than 1, they are made anew with a farther cutoff, and with
    /// one that leaves out nothing at last.
    fn derivatives<R>(
        &self,
        scene: &Scene<'_>,
        turns: &OrientationDerivatives<'_>,
        rows: Range<usize>,
        attempt: impl Fn(&Passes<'_>) -> Result<(R, LightTaken), Failure>,
        may_lack: impl Fn(&R, &LeftOut) -> f64,
    ) -> Result<(R, LightTaken), Failure> {
        let mut next = Some(Cutoff::Exponent(FIRST_EXPONENT));
        while let Some(cutoff) = next {
            let Some(choice) = light::choose_for_derivatives(self.experiment.light, scene, cutoff) else {
                break;
            };
            let Some(light) = scene.light(cutoff) else { break };
            let left_out = light.left_out_of_derivatives(turns).map_err(refused)?;
            let (found, taken) = attempt(&Passes { rows: rows.clone(), list: Some((&light, &choice)) })?;
            let excess = may_lack(&found, &left_out);
            if excess <= 1.0 {
                return Ok((found, taken));
            }
            // What is left out falls as exp(-2 x).
            let farther = light.exponent() + 0.5 * excess.ln() + FARTHER;
            let is_first = cutoff == Cutoff::Exponent(FIRST_EXPONENT);
            next =
                Some(if is_first && farther.is_finite() { Cutoff::Exponent(farther) } else { Cutoff::Exact })
                    .filter(|&next| next != cutoff);
        }
        attempt(&Passes { rows, list: None })
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
    /// `directions`, and with respect to each structure factor of the table where `by_each_f`.
    ///
    /// # Errors
    /// As [`Problem::with_scene`].
    pub fn pullback(
        &self,
        moves: &Moves,
        weights: &[f64],
        directions: &[Variables],
        by_each_f: bool,
    ) -> Result<(Pulled, LightTaken), Failure> {
        let wanted = Wanted::along(directions);
        let grid = self.experiment.structure_factors.as_deref().filter(|_| by_each_f);
        let nodes = grid.map(|grid| grid.nodes().count());
        self.with_scene(moves, |scene, slots| {
            self.with_turns(moves, scene, directions, |turns| {
                let pull = Pullback { scene, slots, turns, weights, wanted, directions };
                let attempt = |passes: &Passes<'_>| {
                    let mut sums = Pulled::new(nodes)?;
                    let taken = passes.each(&mut |rows, listed| pull.add(rows, listed, &mut sums))?;
                    Ok((sums, taken))
                };
                let may_lack = |sums: &Pulled, left_out: &LeftOut| pull.may_lack(left_out, sums);
                self.derivatives(scene, turns, self.all_rows(), attempt, may_lack)
            })
        })
    }

    /// Derivatives of the pixels along each of `directions`, image by image, and what they were computed from.
    ///
    /// # Errors
    /// As [`Problem::with_scene`].
    pub fn pushforward(
        &self,
        moves: &Moves,
        directions: &[Variables],
    ) -> Result<(Vec<f64>, LightTaken), Failure> {
        let (pixels, columns, deep) = (self.pixels(), self.experiment.columns(), directions.len());
        let room = || filled(pixels * deep, 0f64).ok_or_else(|| no_memory("images of derivatives"));
        let (by_row, taken) = self.with_scene(moves, |scene, slots| {
            self.with_turns(moves, scene, directions, |turns| {
                let push = Pushforward { scene, slots, turns, directions };
                let attempt = |passes: &Passes<'_>| {
                    // A row of all images is rendered at once; the rows are put in order afterwards.
                    let mut by_row = room()?;
                    let taken = passes.each(&mut |band, listed| {
                        self.rows(&mut by_row, deep, band)
                            .try_for_each(|(row, out)| push.row(listed, row, out))
                    })?;
                    Ok((by_row, taken))
                };
                let may_lack = |by_row: &Vec<f64>, left_out: &LeftOut| {
                    let rows_of = |image| by_row.chunks(columns).skip(image).step_by(deep);
                    push.may_lack(left_out, |image| largest(rows_of(image).flatten()))
                };
                self.derivatives(scene, turns, self.all_rows(), attempt, may_lack)
            })
        })?;
        if deep == 1 {
            return Ok((by_row, taken));
        }
        let mut images = room()?;
        for (image, out) in images.chunks_exact_mut(pixels).enumerate() {
            for (out, rows) in out.chunks_exact_mut(columns).zip(by_row.chunks_exact(columns * deep)) {
                out.copy_from_slice(&rows[image * columns..(image + 1) * columns]);
            }
        }
        Ok((images, taken))
    }

    /// Calls `job` with those derivatives of the orientations of a scene after `moves` that `directions` need.
    fn with_turns<R>(
        &self,
        moves: &Moves,
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
            (needed(|v| v.phi0_rad)?, needed(|v| v.phi_step_rad)?, needed(moves_domains)?);
        let buffers = OrientationDerivativeBuffers {
            rotations: &mut rotations,
            by_phi0: &mut by_phi0,
            by_step: &mut by_step,
            by_mosaic: &mut by_mosaic,
        };
        let table = scene.orientations();
        let turns = fill_orientation_derivatives(table, buffers).map_err(refused)?;
        if directions.iter().all(|v| v.mosaic_axis_scale == [0.0; 3]) {
            return job(&turns);
        }
        let Some(spreads) = MovedSpreads::new(self.experiment, &self.variables(moves)?)? else {
            return job(&turns);
        };
        let domains = table.domains();
        let mut shares = reserved(domains.len()).ok_or_else(|| no_memory("shares of mosaic spreads"))?;
        shares.extend(self.experiment.domains.iter().map(|domain| spreads.shares(domain)));
        job(&turns.with_spread_shares(table, &shares).map_err(refused)?)
    }
}

/// Whether mosaic domains turn along a direction: not 0 where they do.
fn moves_domains(v: &Variables) -> f64 {
    let axes = v.mosaic_axis_scale.iter().map(|by| by.abs()).sum::<f64>();
    v.mosaic_scale.abs() + axes
}

/// The mean wavelength of the sources, by the weights that count.
fn mean_lambda_m(experiment: &Experiment) -> f64 {
    let weights = experiment.source_weights.as_deref().filter(|_| experiment.mode == PhiMode::Spec);
    let weight = |i: usize| weights.and_then(|weights| weights.get(i)).copied().unwrap_or(1.0);
    let sources = experiment.sources.iter().enumerate();
    let (sum, total) = sources
        .fold((0.0, 0.0), |(sum, total), (i, source)| (sum + weight(i) * source.lambda_m, total + weight(i)));
    sum / total
}

/// The passes over the rows of an image: one by the loop, or one a band from lists of its spots.
struct Passes<'p> {
    rows: Range<usize>,
    list: Option<(&'p Light<'p, 'p>, &'p Choice)>,
}

impl Passes<'_> {
    /// Calls `pass` for the rows of each, in order.
    fn each(&self, pass: RenderBand<'_>) -> Result<LightTaken, Failure> {
        match self.list {
            Some((light, choice)) => light::band_by_band(light, choice, self.rows.clone(), pass),
            None => pass(self.rows.clone(), None).map(|()| LightTaken::Loop),
        }
    }
}

/// How many times more than the part `tolerated` of `size` may be left out.
fn excess(left_out: f64, tolerated: f64, size: f64) -> f64 {
    if left_out > 0.0 { left_out / (tolerated * size) } else { 0.0 }
}

fn largest<'p>(pixels: impl Iterator<Item = &'p f64>) -> f64 {
    pixels.fold(0.0, |most: f64, pixel| most.max(pixel.abs()))
}

/// Derivatives of the pixels of a scene along directions.
struct Pushforward<'a> {
    scene: &'a Scene<'a>,
    slots: &'a [Slot],
    turns: &'a OrientationDerivatives<'a>,
    directions: &'a [Variables],
}

impl Pushforward<'_> {
    /// Those of a row.
    fn row(&self, listed: Option<Listed<'_>>, row: usize, out: &mut [f64]) -> Result<(), Failure> {
        let Self { scene, slots, turns, directions } = *self;
        let (mut own, rows) = (slot_of_row(slots, row), row..row + 1);
        let carry = carryover(own.as_mut_slice());
        let done = match listed {
            Some(Listed { light, lists }) => {
                light.pushforward_rows(lists, turns, rows, directions, &carry, out)
            }
            None => scene.pushforward_rows(turns, rows, directions, &carry, out),
        };
        done.map_err(refused)
    }

    /// How many times too much of an image may be left out, where `largest` returns the largest derivative of each.
    fn may_lack(&self, left_out: &LeftOut, largest: impl Fn(usize) -> f64) -> f64 {
        let images = self.directions.iter().enumerate();
        let excesses =
            images.map(|(i, direction)| excess(left_out.along(direction), TOLERATED_OF_PIXELS, largest(i)));
        excesses.fold(0.0, f64::max)
    }
}

/// The weighted sum of the pixels of a scene, to be differentiated.
struct Pullback<'a> {
    scene: &'a Scene<'a>,
    slots: &'a [Slot],
    turns: &'a OrientationDerivatives<'a>,
    weights: &'a [f64],
    wanted: Wanted,
    directions: &'a [Variables],
}

/// Derivatives of a weighted sum of pixels.
#[derive(Debug, Clone, PartialEq)]
pub struct Pulled {
    /// With respect to the variables.
    pub variables: Variables,
    /// With respect to each structure factor, where they are wanted.
    pub by_f: Option<Vec<f64>>,
    /// The sums of the sizes of what `variables` adds up, by lists of spots.
    sizes: Variables,
}

impl Pulled {
    /// Without rows; `nodes` is the number of structure factors that derivatives are wanted of.
    fn new(nodes: Option<usize>) -> Result<Self, Failure> {
        let no_room = || no_memory("derivatives with respect to structure factors");
        let grid = |nodes| filled(nodes, 0f64).ok_or_else(no_room);
        let by_f = nodes.map(grid).transpose()?;
        Ok(Self { variables: Variables::default(), sizes: Variables::default(), by_f })
    }

    fn add(&mut self, other: &Self) {
        self.variables.add(&other.variables);
        self.sizes.add(&other.sizes);
        let sums = self.by_f.iter_mut().flatten().zip(other.by_f.iter().flatten());
        sums.for_each(|(sum, x)| *sum += x);
    }
}

impl Pullback<'_> {
    /// Adds the derivatives of the sum over one row.
    fn add_row(&self, listed: Option<Listed<'_>>, row: usize, sums: &mut Pulled) -> Result<(), Failure> {
        let Self { scene, turns, wanted, .. } = *self;
        let (mut own, rows) = (slot_of_row(self.slots, row), row..row + 1);
        let mut of_row = Sums { wanted, structure_factors: sums.by_f.as_deref_mut(), ..Sums::default() };
        let weights = self.weights.get(row * scene.panel().fast_pixels..).unwrap_or(&[]);
        let carry = carryover(own.as_mut_slice());
        match listed {
            Some(Listed { light, lists }) => {
                light.pullback_rows(lists, turns, rows, weights, &carry, &mut of_row)
            }
            None => scene.pullback_rows(turns, rows, weights, &carry, &mut of_row),
        }
        .map_err(refused)?;
        sums.variables.add(&of_row.variables);
        sums.sizes.add(&of_row.sizes);
        Ok(())
    }

    /// Adds the derivatives of the sum over some rows.
    fn add(&self, rows: Range<usize>, listed: Option<Listed<'_>>, sums: &mut Pulled) -> Result<(), Failure> {
        // Each part needs the memory of one grid. The same parts for any number of threads.
        let nodes = sums.by_f.as_ref().map(Vec::len);
        let (height, at_once) = match nodes {
            None => (1, rows.len().max(1)),
            Some(_) => (rows.len().div_ceil(BANDS).max(1), 2),
        };
        let parts: Vec<_> =
            rows.clone().step_by(height).map(|first| first..(first + height).min(rows.end)).collect();
        for parts in parts.chunks(at_once) {
            let part = |rows: &Range<usize>| {
                let mut sums = Pulled::new(nodes)?;
                rows.clone().try_for_each(|row| self.add_row(listed, row, &mut sums))?;
                Ok(sums)
            };
            let pulled: Result<Vec<_>, Failure> = parts.par_iter().map(part).collect();
            pulled?.iter().for_each(|part| sums.add(part));
        }
        Ok(())
    }

    /// How many times too much of a derivative may be left out.
    fn may_lack(&self, left_out: &LeftOut, sums: &Pulled) -> f64 {
        let finite = self.weights.iter().map(|weight| weight.abs()).filter(|weight| weight.is_finite());
        let weight: f64 = finite.sum();
        let of_variables = self.directions.iter().map(|direction| {
            let along = direction.to_array().map(f64::abs);
            let size = sums.sizes.dot(&Variables::from_array(&along));
            excess(weight * left_out.along(direction), TOLERATED_OF_SUMS, size)
        });
        let of_nodes = sums
            .by_f
            .iter()
            .map(|by_f| excess(weight * left_out.structure_factor, TOLERATED_OF_SUMS, largest(by_f.iter())));
        of_variables.chain(of_nodes).fold(0.0, f64::max)
    }
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
