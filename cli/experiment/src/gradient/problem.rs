//! The image of an experiment whose parameters are shifted and whose panels move, and its derivatives (pullback and
//! pushforward), with the rows split over threads.
//!
//! Images and derivatives are those of the stack of all panels, and the sums over all crystals. Crystals and their panels
//! are rendered one after the other, each pair as a scene by itself; in c-parity each panel is a run of the reference with
//! its own carryover and latch. A pullback has sums for each pair, and a pushforward leaves out the pairs that a direction
//! does not move. The water beside several crystals (`-water`) is a pair with each panel as if it were a crystal: it moves with
//! the fluence and the panels, but with no weight.
//!
//! The moves change neither the numbers of steps, sources and domains, nor the latch, nor which phi
//! steps count as 0. Derivatives, finite differences and refinements therefore all refer to the same smooth
//! function. The sums of the rows are added in order, so that the bits do not depend on the number of
//! threads.

use core::ops::Range;
use std::collections::BTreeMap;

use rayon::prelude::*;
use widebragg::beam::Source;
use widebragg::carryover::Slot;
use widebragg::crystal::Crystal;
use widebragg::detector::Detector;
use widebragg::gradient::{
    LeftOut, OrientationDerivativeBuffers, OrientationDerivatives, Parameter, Sums, Variables, Wanted,
    fill_orientation_derivatives, scaled_rotation,
};
use widebragg::lattice::{CellCoupling, Crystallite, Precision};
use widebragg::light::{Choice, Cutoff, Light};
use widebragg::rotation::{IDENTITY, Mat3, Orientation, PhiShift};
use widebragg::scene::Scene;
use widebragg::structure_factor::LatchPoint;
use widebragg_formats::memory::{filled, reserved};

use super::moves::{Body, Movable, Moves, PanelGroup};
pub use super::panel_models::Direction;
use super::panel_models::PanelModels;
use super::selection::{Gathered, Selection};
use super::spreads::MovedSpreads;
use crate::background;
use crate::carryover::{carryover, find_latch, latched, open_slots, render_row, slot_of_row};
use crate::experiment::Experiment;
use crate::failure::{self, Failure, Part};
use crate::lattices::{FrameScenes, Lattice, check_weight};
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

/// An experiment, and the models that compute how its parameters change it and how its panels move.
///
/// ```
/// use widebragg::crystal::{CellSource, UnitCell};
/// use widebragg::detector::{Convention, CustomAxes, Detector, DetectorParameters, Pivot};
/// use widebragg::gradient::Motion;
/// use widebragg::scene::DetectorInput;
/// use widebragg::vector::Vec3;
/// use widebragg_experiment::experiment::Experiment;
/// use widebragg_experiment::gradient::moves::{Body, Movable, Moves};
/// use widebragg_experiment::gradient::problem::Problem;
/// use widebragg_experiment::parameters::{PanelParameters, Parameters};
///
/// # fn main() -> Result<(), widebragg_experiment::failure::Failure> {
/// // Two panels of 40 x 30 pixels, side by side.
/// let axes = CustomAxes { twotheta: Some(Vec3::new(0.0, 1.0, 0.0)), ..CustomAxes::default() };
/// let panel = |x_close_m| PanelParameters {
///     detector: DetectorInput::Parameters(DetectorParameters {
///         fast_pixels: 40,
///         slow_pixels: 30,
///         fast_size_m: 0.004,
///         slow_size_m: 0.003,
///         close_distance_m: Some(0.05),
///         x_close_m: Some(x_close_m),
///         y_close_m: Some(0.0015),
///         convention: Convention::Custom(axes),
///         pivot: Pivot::Sample,
///         ..DetectorParameters::default()
///     }),
///     ..PanelParameters::default()
/// };
/// let cell = CellSource::Cell(UnitCell::from_degrees([50.0, 60.0, 70.0], [90.0; 3]));
/// let parameters = Parameters::new(cell);
/// let panels = vec![panel(0.005), panel(-0.001)];
/// let experiment = Experiment::new(Parameters { panels, default_f: 100.0, ..parameters }, |_| {})?;
///
/// // How the sum of all pixels changes with a shift of the second panel along its fast axis.
/// let problem = Problem::new(&experiment, &[])?;
/// let shift = Movable::Rigid(Body::Panel(1), Motion::Shift(0));
/// let directions = problem.directions(&Moves::default(), [shift])?;
/// assert!(!directions[0].moves_panel(0) && directions[0].moves_panel(1));
/// let weights = vec![1.0; problem.pixels()];
/// let (sums, _) = problem.pullback(&Moves::default(), &weights, &directions, false)?;
/// let (image, _) = problem.pushforward(&Moves::default(), &directions)?;
/// let (by_pullback, by_pushforward) = (sums.along(&directions[0]), image.iter().sum::<f64>());
/// let size: f64 = image.iter().map(|slope| slope.abs()).sum();
/// assert!(size > 0.0 && (by_pullback - by_pushforward).abs() < 1e-9 * size);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Problem<'e> {
    experiment: &'e Experiment,
    models: PanelModels<'e>,
    /// Where the reference stops interpolating, for each panel.
    latches: Vec<Option<LatchPoint>>,
}

/// The scene of a crystal on a panel after moves.
struct PanelScene<'s> {
    /// The place of the crystal; that of water beside several crystals follows the last.
    crystal: usize,
    /// The place of the panel.
    index: usize,
    panel: &'s DetectorPanel,
    scene: Scene<'s>,
    /// The slots of its carryover.
    slots: Vec<Slot>,
    /// The range of its rows in the stack.
    rows: Range<usize>,
}

impl PanelScene<'_> {
    /// The rows of its region of interest, counted on the panel.
    fn roi_rows(&self) -> Range<usize> {
        self.panel.roi.slow_min..self.panel.roi.slow_max + 1
    }

    /// The directions that change it, with their places among all.
    fn moving<'d>(&self, directions: &'d [Direction]) -> impl Iterator<Item = (usize, Variables)> + use<'d> {
        let (crystal, panel) = (self.crystal, self.index);
        let moving = directions.iter().enumerate().filter(move |(_, d)| d.moves(crystal, panel));
        moving.map(move |(place, direction)| (place, direction.of(crystal, panel)))
    }

    /// The range of its pixels in the stack.
    fn pixels(&self) -> Range<usize> {
        let columns = self.panel.detector.fast_pixels;
        self.rows.start * columns..self.rows.end * columns
    }
}

fn refused(error: widebragg::Error) -> Failure {
    failure::refused(Part::Scene)(error)
}

fn no_memory(what: &str) -> Failure {
    Failure::no_memory(Part::Scene, what)
}

impl<'e> Problem<'e> {
    /// The problem of the first frame of an experiment, with `groups` of panels that can move together.
    ///
    /// # Errors
    /// The only crystal was given by its axes, so that it has no parameters, a group has no panels or one that is not
    /// there, or the kernel rejects the experiment.
    pub fn new(experiment: &'e Experiment, groups: &'e [PanelGroup]) -> Result<Self, Failure> {
        let models = PanelModels::new(experiment, groups)?;
        let mut problem = Self { experiment, models, latches: vec![None; experiment.panels.len()] };
        problem.latches = problem.with_scenes(&Moves::default(), None, |scenes| {
            // Only c-parity has a latch, and it renders single crystals.
            let of_first = scenes.iter().filter(|of_panel| of_panel.crystal == 0);
            of_first.map(|PanelScene { scene, slots, .. }| find_latch(scene, slots)).collect()
        })?;
        Ok(problem)
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

    /// How far the corners of a body are from its centre, and how far that centre is from the sample, in m.
    pub(super) fn size_m(&self, body: Body) -> [f64; 2] {
        self.models.size_m(body)
    }

    /// Calls `job` with the scenes of all panels after `moves`, crystal by crystal. A `mask` of the stack replaces those of the panels; the
    /// carryover stays that of the whole image.
    fn with_scenes<R>(
        &self,
        moves: &Moves,
        mask: Option<&[u16]>,
        job: impl FnOnce(&[PanelScene<'_>]) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let mut moved = self.moved(moves)?;
        let water = moved.has_water_apart().then(|| moved.clone().blank());
        if water.is_some() {
            moved.water_m = 0.0;
        }
        let mut orientations = moved.orientation_buffer()?;
        let scenes = moved.scenes(0, &mut orientations)?;
        let mut of_water = water.as_ref().map(Experiment::orientation_buffer).transpose()?;
        let with_water = water.as_ref().zip(of_water.as_deref_mut());
        let water = with_water.map(|(water, orientations)| water.scenes(0, orientations)).transpose()?;
        let mut panel_scenes = Vec::with_capacity((moved.lattices() + 1) * moved.panels.len());
        let crystals = scenes.lattices().chain(water.iter().flat_map(FrameScenes::lattices));
        for (crystal, scenes) in crystals.enumerate() {
            let mut first_row = 0;
            for (index, (scene, panel)) in scenes.iter().zip(&moved.panels).enumerate() {
                let scene = latched(scene, self.latches.get(index).copied().flatten());
                let slots = open_slots(&moved, &scene)?;
                let rows = first_row..first_row + panel.detector.slow_pixels;
                first_row = rows.end;
                let mut of_panel = PanelScene { crystal, index, panel, scene, slots, rows };
                if let Some(mask) = mask {
                    let own = mask.get(of_panel.pixels()).unwrap_or(&[]);
                    of_panel.scene = scene.with_selection(own).map_err(refused)?;
                }
                panel_scenes.push(of_panel);
            }
        }
        job(&panel_scenes)
    }

    /// The experiment after `moves`: its first frame, which alone is differentiated.
    ///
    /// # Errors
    /// Moves to an impossible experiment.
    pub fn moved(&self, moves: &Moves) -> Result<Experiment, Failure> {
        let variables = self.variables(moves)?;
        let mut moved = self.experiment.clone();
        for (panel, v) in moved.panels.iter_mut().zip(&variables) {
            panel.detector = moved_detector(&panel.detector, v);
        }
        let v = variables.first().copied().unwrap_or_default();
        for source in &mut moved.sources {
            *source = Source { lambda_m: source.lambda_m * v.lambda_scale + v.lambda_shift_m, ..*source };
        }
        let lattices = self.experiment.all_lattices().enumerate();
        let lattices: Result<Vec<Lattice>, Failure> =
            lattices.map(|(crystal, lattice)| self.moved_lattice(crystal, lattice, moves)).collect();
        let mut lattices = lattices?.into_iter();
        if let Some(first) = lattices.next() {
            moved = moved.with_first(first);
        }
        moved.other_lattices = lattices.collect();
        moved.crystals_at_frames.clear();
        moved.crystals_at_scan_points.clear();
        moved.shift = PhiShift { phi0_rad: v.phi0_rad, step_rad: v.phi_step_rad };
        moved.fluence_per_m2 *= 1.0 + moves.shared.get(Parameter::FluenceScale);
        moved.default_f = v.default_f;
        // Derivatives are computed for f64, so images must be too.
        moved.precision = Precision::Double;
        Ok(moved)
    }

    /// A crystal after `moves`.
    fn moved_lattice(&self, crystal: usize, lattice: Lattice, moves: &Moves) -> Result<Lattice, Failure> {
        let v = self.models.variables(crystal, moves)?.first().copied().unwrap_or_default();
        let spreads = MovedSpreads::new(&lattice, &v)?;
        let turned = |domain: &Mat3| {
            let by_axes = spreads.map_or(1.0, |spreads| spreads.factor(domain));
            scaled_rotation(domain, v.mosaic_scale * by_axes)
        };
        let domains = lattice.domains.iter().map(turned).collect();
        let ([na, nb, nc], [more_a, more_b, more_c]) = (lattice.crystallite.cells, v.added_cells);
        let (mut spots, [ab, ac, bc]) = (lattice.crystallite.spots, v.added_coupling);
        let coupling = spots.coupling;
        spots.coupling = CellCoupling { ab: coupling.ab + ab, ac: coupling.ac + ac, bc: coupling.bc + bc };
        let weight = lattice.weight * (1.0 + moves.get(Movable::Crystal(crystal, Parameter::FluenceScale)));
        check_weight(weight)?;
        Ok(Lattice {
            crystal: Crystal { direct: v.cell, ..lattice.crystal },
            crystallite: Crystallite {
                reciprocal_per_angstrom: v.reciprocal_per_angstrom,
                cells: [na + more_a, nb + more_b, nc + more_c],
                spots,
                ..lattice.crystallite
            },
            domains,
            mosaic_spread_rad: lattice.mosaic_spread_rad * v.mosaic_scale,
            mosaic_axes_rad: lattice.mosaic_axes_rad.map(|spreads_rad| {
                core::array::from_fn(|axis| spreads_rad[axis] * v.mosaic_axis_scale[axis])
            }),
            weight,
            ..lattice
        })
    }

    /// The variables of the scene of each panel after `moves`, those of the first crystal.
    ///
    /// # Errors
    /// Moves to an impossible experiment.
    pub fn variables(&self, moves: &Moves) -> Result<Vec<Variables>, Failure> {
        self.models.variables(0, moves)
    }

    /// The image after `moves`; 0 where nothing is rendered. It has the bits of the loop also where it is rendered from
    /// lists of its spots.
    ///
    /// # Errors
    /// Moves to an impossible experiment, or no memory.
    pub fn image(&self, moves: &Moves) -> Result<Vec<f64>, Failure> {
        let mut image = filled(self.pixels(), 0f64).ok_or_else(|| no_memory("an image"))?;
        self.with_scenes(moves, None, |scenes| {
            for of_panel in scenes {
                let PanelScene { scene, slots, .. } = of_panel;
                let part = image.get_mut(of_panel.pixels()).unwrap_or_default();
                let render = |pixels: &mut [f64]| {
                    self.exactly(scene, of_panel.roi_rows(), &mut |band, listed| {
                        self.rows(pixels, 1, band)
                            .try_for_each(|(row, out)| render_row(scene, listed, slots, row, out))
                    })
                };
                if of_panel.crystal == 0 {
                    render(part)?;
                } else {
                    let mut own = filled(part.len(), 0f64).ok_or_else(|| no_memory("an image"))?;
                    render(&mut own)?;
                    add(&own, part);
                }
            }
            Ok(())
        })?;
        background::add(background::from_row(self.experiment, 0), &mut image);
        Ok(image)
    }

    /// The selected pixels of the image after `moves`, in order, as [`Problem::image`] renders them. No other pixel is
    /// rendered.
    ///
    /// # Errors
    /// As [`Problem::image`].
    pub fn selected_pixels(&self, moves: &Moves, selection: &Selection) -> Result<Vec<f64>, Failure> {
        let mut pixels = self.with_scenes(moves, Some(selection.mask()), |scenes| {
            let mut pixels = filled(selection.len(), 0f64).ok_or_else(|| no_memory("the selected pixels"))?;
            for PanelScene { scene, slots, rows, .. } in scenes {
                let mut gathered = Gathered::new(selection, rows.clone(), 1);
                self.exactly(scene, gathered.all_rows(), &mut |band, listed| {
                    gathered.render(band, |row, out| render_row(scene, listed, slots, row, out))
                })?;
                let range = gathered.range();
                add(&gathered.pixels()?, &mut pixels[range]);
            }
            Ok(pixels)
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
    /// As [`Problem::image`].
    pub fn selected_slopes(
        &self,
        moves: &Moves,
        directions: &[Direction],
        selection: &Selection,
    ) -> Result<(Vec<f64>, LightTaken), Failure> {
        let mut slopes = filled(selection.len() * directions.len(), 0f64)
            .ok_or_else(|| no_memory("derivatives of the selected pixels"))?;
        let light = self.along(moves, Some(selection.mask()), directions, |of_panel, push, places| {
            let rows = Gathered::new(selection, of_panel.rows.clone(), 0).all_rows();
            if rows.is_empty() {
                return Ok(LightTaken::Loop);
            }
            let attempt = |passes: &Passes<'_>| {
                let mut gathered = Gathered::new(selection, of_panel.rows.clone(), places.len());
                let taken = passes
                    .each(&mut |band, listed| gathered.render(band, |row, out| push.row(listed, row, out)))?;
                Ok(((gathered.range(), gathered.pixels()?), taken))
            };
            let may_lack = |(range, found): &(Range<usize>, Vec<f64>), left_out: &LeftOut| {
                push.may_lack(left_out, |i| largest(found.iter().skip(i * range.len()).take(range.len())))
            };
            let ((range, found), taken) =
                self.derivatives(push.scene, push.turns, rows, attempt, may_lack)?;
            for (place, found) in places.iter().zip(found.chunks_exact(range.len())) {
                let start = place * selection.len();
                add(found, &mut slopes[start + range.start..start + range.end]);
            }
            Ok(taken)
        })?;
        Ok((slopes, light))
    }

    /// Calls `of_panel` with the derivatives of each crystal on each panel along those of `directions` that move it, and with
    /// the places of these among all. Returns what they were computed from.
    fn along(
        &self,
        moves: &Moves,
        mask: Option<&[u16]>,
        directions: &[Direction],
        mut of_panel: impl FnMut(&PanelScene<'_>, &Pushforward<'_>, &[usize]) -> Result<LightTaken, Failure>,
    ) -> Result<LightTaken, Failure> {
        self.with_scenes(moves, mask, |scenes| {
            let mut light = LightTaken::Loop;
            for scenes in by_crystal(scenes) {
                self.with_turns(moves, scenes, directions, |turns| {
                    for panel_scene in scenes {
                        let PanelScene { scene, slots, .. } = panel_scene;
                        let (places, directions): (Vec<usize>, Vec<Variables>) =
                            panel_scene.moving(directions).unzip();
                        if places.is_empty() {
                            continue;
                        }
                        let push = Pushforward { scene, slots, turns, directions: &directions };
                        light = light.and(of_panel(panel_scene, &push, &places)?);
                    }
                    Ok(())
                })?;
            }
            Ok(light)
        })
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

    /// Derivatives of the variables with respect to each of some things that move, after `moves`.
    ///
    /// # Errors
    /// Moves to an impossible experiment.
    pub fn directions(
        &self,
        moves: &Moves,
        along: impl IntoIterator<Item = Movable>,
    ) -> Result<Vec<Direction>, Failure> {
        along.into_iter().map(|movable| self.models.direction(moves, movable)).collect()
    }

    /// Derivatives of the weighted sum of pixels with respect to the variables that change along
    /// `directions`, and with respect to each structure factor of the table where `by_each_f`.
    ///
    /// # Errors
    /// As [`Problem::image`].
    pub fn pullback(
        &self,
        moves: &Moves,
        weights: &[f64],
        directions: &[Direction],
        by_each_f: bool,
    ) -> Result<(Pulled, LightTaken), Failure> {
        let grid = self.experiment.structure_factors.as_deref().filter(|_| by_each_f);
        let nodes = grid.map(|grid| grid.nodes().count());
        let crystals = self.experiment.lattices();
        self.with_scenes(moves, None, |scenes| {
            let (mut pulled, mut light) = (Pulled::default(), LightTaken::Loop);
            for scenes in by_crystal(scenes) {
                self.with_turns(moves, scenes, directions, |turns| {
                    for of_panel in scenes {
                        let PanelScene { scene, slots, crystal, .. } = of_panel;
                        // Water has no structure factors.
                        let nodes = nodes.filter(|_| *crystal < crystals);
                        let directions: Vec<Variables> =
                            of_panel.moving(directions).map(|(_, slopes)| slopes).collect();
                        if nodes.is_none() && directions.is_empty() {
                            continue;
                        }
                        let wanted = Wanted::along(&directions);
                        let weights = weights.get(of_panel.pixels()).unwrap_or(&[]);
                        let pull = Pullback { scene, slots, turns, weights, wanted, directions: &directions };
                        let attempt = |passes: &Passes<'_>| {
                            let mut sums = PanelSums::new(nodes)?;
                            let taken = passes.each(&mut |rows, listed| pull.add(rows, listed, &mut sums))?;
                            Ok((sums, taken))
                        };
                        let may_lack = |sums: &PanelSums, left_out: &LeftOut| pull.may_lack(left_out, sums);
                        let (sums, taken) =
                            self.derivatives(scene, turns, of_panel.roi_rows(), attempt, may_lack)?;
                        light = light.and(taken);
                        pulled.take(of_panel, sums);
                    }
                    Ok(())
                })?;
            }
            Ok((pulled, light))
        })
    }

    /// Derivatives of the pixels along each of `directions`, image by image, and what they were computed from.
    ///
    /// # Errors
    /// As [`Problem::image`].
    pub fn pushforward(
        &self,
        moves: &Moves,
        directions: &[Direction],
    ) -> Result<(Vec<f64>, LightTaken), Failure> {
        let (pixels, columns) = (self.pixels(), self.experiment.columns());
        let no_room = || no_memory("images of derivatives");
        let mut images = filled(pixels * directions.len(), 0f64).ok_or_else(no_room)?;
        let light = self.along(moves, None, directions, |of_panel, push, places| {
            let (own, deep) = (of_panel.pixels(), places.len());
            let attempt = |passes: &Passes<'_>| {
                // A row of all images is rendered at once; the rows are put in order afterwards.
                let mut by_row = filled(own.len() * deep, 0f64).ok_or_else(no_room)?;
                let taken = passes.each(&mut |band, listed| {
                    self.rows(&mut by_row, deep, band).try_for_each(|(row, out)| push.row(listed, row, out))
                })?;
                Ok((by_row, taken))
            };
            let may_lack = |by_row: &Vec<f64>, left_out: &LeftOut| {
                let rows_of = |image| by_row.chunks(columns).skip(image).step_by(deep);
                push.may_lack(left_out, |image| largest(rows_of(image).flatten()))
            };
            let rows = of_panel.roi_rows();
            let (by_row, taken) = self.derivatives(push.scene, push.turns, rows, attempt, may_lack)?;
            for (i, place) in places.iter().enumerate() {
                let image = &mut images[place * pixels..][own.clone()];
                for (out, rows) in image.chunks_exact_mut(columns).zip(by_row.chunks_exact(columns * deep)) {
                    add(&rows[i * columns..(i + 1) * columns], out);
                }
            }
            Ok(taken)
        })?;
        Ok((images, light))
    }

    /// Calls `job` with those derivatives of the orientations of a crystal after `moves` that `directions` need. All of its
    /// panels, whose scenes these are, have the same.
    fn with_turns<R>(
        &self,
        moves: &Moves,
        scenes: &[PanelScene<'_>],
        directions: &[Direction],
        job: impl FnOnce(&OrientationDerivatives<'_>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let PanelScene { crystal, ref scene, .. } = scenes[0];
        let orientations = scene.orientations();
        let entries = orientations.entries().len();
        let needed = |moves: fn(&Variables) -> f64| {
            let moves_any = directions.iter().any(|direction| moves(&direction.of(crystal, 0)) != 0.0);
            let len = if moves_any { entries } else { 0 };
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
        let turns = fill_orientation_derivatives(orientations, buffers).map_err(refused)?;
        if directions.iter().all(|direction| direction.of(crystal, 0).mosaic_axis_scale == [0.0; 3]) {
            return job(&turns);
        }
        let Some(lattice) = self.experiment.all_lattices().nth(crystal) else { return job(&turns) };
        let v = self.models.variables(crystal, moves)?.first().copied().unwrap_or_default();
        let Some(spreads) = MovedSpreads::new(&lattice, &v)? else { return job(&turns) };
        let domains = orientations.domains();
        let mut shares = reserved(domains.len()).ok_or_else(|| no_memory("shares of mosaic spreads"))?;
        shares.extend(lattice.domains.iter().map(|domain| spreads.shares(domain)));
        job(&turns.with_spread_shares(orientations, &shares).map_err(refused)?)
    }
}

/// The scenes of each crystal.
fn by_crystal<'p, 's>(scenes: &'p [PanelScene<'s>]) -> impl Iterator<Item = &'p [PanelScene<'s>]> {
    scenes.chunk_by(|one, other| one.crystal == other.crystal)
}

/// Adds the terms to the sums.
fn add(terms: &[f64], sums: &mut [f64]) {
    sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
}

/// Whether mosaic domains turn along a direction: not 0 where they do.
fn moves_domains(v: &Variables) -> f64 {
    let axes = v.mosaic_axis_scale.iter().map(|by| by.abs()).sum::<f64>();
    v.mosaic_scale.abs() + axes
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

/// The weighted sum of the pixels of a panel, to be differentiated.
struct Pullback<'a> {
    scene: &'a Scene<'a>,
    slots: &'a [Slot],
    turns: &'a OrientationDerivatives<'a>,
    weights: &'a [f64],
    wanted: Wanted,
    directions: &'a [Variables],
}

/// Derivatives of a weighted sum of pixels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pulled {
    /// With respect to the variables of each crystal on each panel, by the places of both; only where they are wanted.
    pub variables: BTreeMap<(usize, usize), Variables>,
    /// With respect to each structure factor, where they are wanted.
    pub by_f: Option<Vec<f64>>,
}

impl Pulled {
    /// The derivative along a direction.
    #[must_use]
    pub fn along(&self, direction: &Direction) -> f64 {
        direction.dot(&self.variables)
    }

    /// Takes the sums of the next panel.
    fn take(&mut self, of: &PanelScene<'_>, PanelSums { variables, by_f, .. }: PanelSums) {
        self.variables.insert((of.crystal, of.index), variables);
        match (&mut self.by_f, by_f) {
            (None, by_f) => self.by_f = by_f,
            (Some(sums), by_f) => add(&by_f.unwrap_or_default(), sums),
        }
    }
}

/// Derivatives of the weighted sum of the pixels of a panel.
struct PanelSums {
    /// With respect to the variables.
    variables: Variables,
    /// With respect to each structure factor, where they are wanted.
    by_f: Option<Vec<f64>>,
    /// The sums of the sizes of what `variables` adds up, by lists of spots.
    sizes: Variables,
}

impl PanelSums {
    /// Without rows; `nodes` is the number of structure factors that derivatives are wanted of.
    fn new(nodes: Option<usize>) -> Result<Self, Failure> {
        let no_room = || no_memory("derivatives with respect to structure factors");
        let grid = |nodes| filled(nodes, 0f64).ok_or_else(no_room);
        let by_f = nodes.map(grid).transpose()?;
        Ok(Self { variables: Variables::default(), by_f, sizes: Variables::default() })
    }

    fn add(&mut self, other: &Self) {
        self.variables.add(&other.variables);
        self.sizes.add(&other.sizes);
        if let (Some(sums), Some(terms)) = (&mut self.by_f, &other.by_f) {
            add(terms, sums);
        }
    }
}

impl Pullback<'_> {
    /// Adds the derivatives of the sum over one row.
    fn add_row(&self, listed: Option<Listed<'_>>, row: usize, sums: &mut PanelSums) -> Result<(), Failure> {
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
    fn add(
        &self,
        rows: Range<usize>,
        listed: Option<Listed<'_>>,
        sums: &mut PanelSums,
    ) -> Result<(), Failure> {
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
                let mut sums = PanelSums::new(nodes)?;
                rows.clone().try_for_each(|row| self.add_row(listed, row, &mut sums))?;
                Ok(sums)
            };
            let pulled: Result<Vec<_>, Failure> = parts.par_iter().map(part).collect();
            pulled?.iter().for_each(|part| sums.add(part));
        }
        Ok(())
    }

    /// How many times too much of a derivative may be left out.
    fn may_lack(&self, left_out: &LeftOut, sums: &PanelSums) -> f64 {
        let weight = sum_of_sizes(self.weights);
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

/// The sum of the sizes of finite weights. Several sums side by side do not wait for each other.
fn sum_of_sizes(weights: &[f64]) -> f64 {
    let (eights, rest) = weights.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for eight in eights.iter().map(|eight| &eight[..]).chain([rest]) {
        for (sum, weight) in sums.iter_mut().zip(eight) {
            *sum += if weight.is_finite() { weight.abs() } else { 0.0 };
        }
    }
    sums.iter().sum()
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
