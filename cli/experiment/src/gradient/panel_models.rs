//! How the variables of the panels of a detector, and of the crystals, follow from what moves.
//!
//! **Several crystals** have variables of their own: each moves by the parameters that all share and by those of its own. The
//! water beside them moves by the parameters that all share. It is given the model of the first crystal, on which it does not
//! depend.
//!
//! **A single panel** moves as the kernel's model of its parameters says ([`Model`]).
//!
//! **A detector of several panels** moves as one rigid body: `Origin` shifts it along lab x, y, z, `Distance` along the
//! beam, and `BeamCentre` against the fast and the slow axis of its first panel, as they are before all moves.
//! `DetectorRotation` turns it about the sample: panels that were placed from the same rotations about the sample
//! have these changed, and others are turned about lab x, then y, then z as they stand.
//!
//! **Groups and panels** move rigidly on top of that, from the whole to the part: first the detector, then the groups
//! in their order, then the panels. Each moves in its own frame as the wholes before have left it, so that a body is
//! carried along by what contains it. The frame of a panel has its fast and slow axis and its normal, about its
//! centre; that of a group has the axes of its first panel, about the mean of the centres of its panels.

use std::collections::BTreeMap;

use widebragg::crystal::{CellSource, CrystalParameters};
use widebragg::detector::{Convention, Detector, DetectorParameters, Pivot};
use widebragg::gradient::{Model, MotionFrame, Moves as SharedMoves, Parameter, RigidMotion, Variables};
use widebragg::real::Real;
use widebragg::rotation::PhiMode;
use widebragg::scene::CrystalInput;
use widebragg::vector::Vec3;

use super::moves::{Body, Movable, Moves, PanelGroup};
use crate::derive::cell_of;
use crate::experiment::Experiment;
use crate::failure::{Failure, Part, refused};
use crate::geometry::{columns, reciprocal_axes};
use crate::lattices::Lattice;
use crate::panels::DetectorPanel;

/// The derivatives of the variables of each panel and crystal with respect to something that moves.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Direction {
    /// Those of the pairs of a crystal and a panel that change.
    by_pair: BTreeMap<(usize, usize), Variables>,
}

impl Direction {
    fn add(&mut self, crystal: usize, slopes: impl IntoIterator<Item = Variables>) {
        let by_panel = slopes.into_iter().enumerate().filter(|(_, slopes)| *slopes != Variables::default());
        self.by_pair.extend(by_panel.map(|(panel, slopes)| ((crystal, panel), slopes)));
    }

    /// Those of the variables of a crystal on a panel.
    #[must_use]
    pub fn of(&self, crystal: usize, panel: usize) -> Variables {
        self.by_pair.get(&(crystal, panel)).copied().unwrap_or_default()
    }

    /// Whether what a crystal does on a panel changes.
    #[must_use]
    pub fn moves(&self, crystal: usize, panel: usize) -> bool {
        self.by_pair.contains_key(&(crystal, panel))
    }

    /// Whether a panel changes.
    #[must_use]
    pub fn moves_panel(&self, panel: usize) -> bool {
        self.by_pair.keys().any(|&(_, moved)| moved == panel)
    }

    /// The scalar product with derivatives with respect to the variables of each pair.
    pub(super) fn dot(&self, variables: &BTreeMap<(usize, usize), Variables>) -> f64 {
        let terms = self.by_pair.iter().filter_map(|(pair, slopes)| Some(variables.get(pair)?.dot(slopes)));
        terms.sum()
    }
}

/// The models of the crystals and panels of an experiment, and the groups of the panels.
#[derive(Debug)]
pub(super) struct PanelModels<'e> {
    experiment: &'e Experiment,
    groups: &'e [PanelGroup],
    /// For each crystal, those of the panels; then those of water that is rendered apart from several crystals.
    models: Vec<Vec<Model>>,
}

impl<'e> PanelModels<'e> {
    /// The models of the crystals and panels of `experiment`.
    ///
    /// # Errors
    /// The only crystal was given by its axes, so that it has no parameters, a group has no panels or one that is not
    /// there, or the kernel rejects the parameters.
    pub(super) fn new(experiment: &'e Experiment, groups: &'e [PanelGroup]) -> Result<Self, Failure> {
        let count = experiment.panels.len();
        let is_possible =
            |group: &PanelGroup| !group.panels.is_empty() && group.panels.iter().all(|&panel| panel < count);
        if let Some(group) = groups.iter().find(|group| !is_possible(group)) {
            let why = format!("group {} has no panels, or one that is not there", group.name);
            return Err(Failure::impossible(Part::Detector, why));
        }
        let phi_steps = experiment.phi.count;
        let turn_together = turn_together(experiment);
        let lambda_m = mean_lambda_m(experiment);
        let model = |crystal: CrystalParameters, panel: &DetectorPanel| {
            let model = match panel.detector_parameters() {
                Some(detector) if turn_together => {
                    Model::new(crystal, *detector, experiment.mode, phi_steps, experiment.default_f)
                }
                _ => Model::of_placed(crystal, panel.detector, phi_steps, experiment.default_f),
            };
            Ok(model?.about_wavelength(lambda_m))
        };
        let water = experiment.has_water_apart().then(|| experiment.first_lattice());
        let crystals = experiment.all_lattices().chain(water);
        let crystals = crystals.map(|lattice| parameters(experiment, &lattice));
        let models = crystals.map(|crystal| {
            let crystal = crystal?;
            let models = experiment.panels.iter().map(|panel| model(crystal, panel));
            models.collect::<Result<_, widebragg::Error>>().map_err(refused(Part::Scene))
        });
        Ok(Self { experiment, groups, models: models.collect::<Result<_, _>>()? })
    }

    /// Number of crystals, and one more for water that is rendered apart.
    fn crystals(&self) -> usize {
        self.models.len()
    }

    /// The panels of a body.
    pub(super) fn panels_of(&self, body: Body) -> Vec<usize> {
        match body {
            Body::Group(group) => {
                self.groups.get(group).map(|group| group.panels.clone()).unwrap_or_default()
            }
            Body::Panel(panel) => vec![panel],
        }
    }

    /// The variables of a crystal on each panel after `moves`.
    ///
    /// # Errors
    /// Moves to an impossible experiment.
    pub(super) fn variables(&self, crystal: usize, moves: &Moves) -> Result<Vec<Variables>, Failure> {
        let mut variables = self.before_bodies(crystal, moves)?;
        self.move_bodies(&mut variables, moves.bodies().map(|body| (body, moves.rigid_motion(body))));
        variables.iter_mut().for_each(|v| self.sample(v));
        Ok(variables)
    }

    /// The derivatives of the variables with respect to something that moves, after `moves`.
    ///
    /// # Errors
    /// Moves to an impossible experiment.
    pub(super) fn direction(&self, moves: &Moves, along: Movable) -> Result<Direction, Failure> {
        let crystals = match along {
            Movable::Crystal(crystal, _) => crystal..crystal + 1,
            Movable::Shared(_) | Movable::Rigid(..) => 0..self.crystals(),
        };
        let mut direction = Direction::default();
        for crystal in crystals {
            direction.add(crystal, self.slopes(crystal, moves, along)?);
        }
        Ok(direction)
    }

    /// The derivatives of the variables of a crystal on each panel.
    fn slopes(&self, crystal: usize, moves: &Moves, along: Movable) -> Result<Vec<Variables>, Failure> {
        let mut by_panel = match along {
            Movable::Shared(parameter) | Movable::Crystal(_, parameter) => {
                let by = moves.slope_in(crystal, along);
                let slopes = self.parameter_slopes(crystal, &moves.of_crystal(crystal), parameter)?;
                slopes.iter().map(|slopes| times(by, slopes)).collect()
            }
            Movable::Rigid(..) => vec![Variables::default(); self.experiment.panels.len()],
        };
        let turned = match along {
            Movable::Shared(_) | Movable::Crystal(..) => None,
            Movable::Rigid(body, component) => Some((body, component)),
        };
        if turned.is_some() || moves.bodies().next().is_some() {
            let variables = self.before_bodies(crystal, moves)?;
            let mut duals: Vec<_> =
                variables.iter().zip(&by_panel).map(|(v, slopes)| v.along(slopes)).collect();
            // In the order of the bodies, and the one that is differentiated among them.
            let mut with = moves.clone();
            if let Some((body, component)) = turned {
                with.add(Movable::Rigid(body, component), 0.0);
            }
            let component_of =
                |body: Body| turned.filter(|(of, _)| *of == body).map(|(_, component)| component);
            let motions = with.bodies().map(|body| (body, with.rigid_motion(body).along(component_of(body))));
            self.move_bodies(&mut duals, motions);
            by_panel = duals.iter().map(Variables::slopes).collect();
        }
        by_panel.iter_mut().for_each(|v| self.sample(v));
        Ok(by_panel)
    }

    /// The variables of a crystal after the moves of parameters.
    fn before_bodies(&self, crystal: usize, moves: &Moves) -> Result<Vec<Variables>, Failure> {
        let shared = self.as_one_body(&moves.of_crystal(crystal));
        let models = self.models.get(crystal).into_iter().flatten();
        let variables = models.map(|model| model.variables(&shared));
        variables.collect::<Result<_, _>>().map_err(refused(Part::Scene))
    }

    /// The derivatives of the variables of a crystal with respect to a parameter, before groups and panels move.
    fn parameter_slopes(
        &self,
        crystal: usize,
        moves: &SharedMoves,
        parameter: Parameter,
    ) -> Result<Vec<Variables>, Failure> {
        let moves = self.as_one_body(moves);
        let slopes = |model: &Model| {
            let Some(shift) = self.shift_of(parameter) else { return model.direction(&moves, parameter) };
            let mut sum = Variables::default();
            for (axis, by) in shift.to_array().into_iter().enumerate().filter(|(_, by)| *by != 0.0) {
                sum.add(&times(by, &model.direction(&moves, Parameter::Origin(axis))?));
            }
            Ok(sum)
        };
        let models = self.models.get(crystal).into_iter().flatten();
        models.map(slopes).collect::<Result<_, _>>().map_err(refused(Part::Scene))
    }

    /// The shift of a detector of several panels, by a unit of a parameter that shifts it as a whole.
    fn shift_of(&self, parameter: Parameter) -> Option<Vec3> {
        let Detector { fast, slow, beam, .. } = self.experiment.first_panel().detector;
        match parameter {
            _ if self.experiment.panels.len() == 1 => None,
            Parameter::Distance => Some(beam),
            Parameter::BeamCentre(0) => Some(-fast),
            Parameter::BeamCentre(_) => Some(-slow),
            _ => None,
        }
    }

    /// The same moves with shifts of the origin instead of those that would move each panel in its own way.
    fn as_one_body(&self, moves: &SharedMoves) -> SharedMoves {
        let mut moves = *moves;
        for parameter in [Parameter::Distance, Parameter::BeamCentre(0), Parameter::BeamCentre(1)] {
            let by = moves.get(parameter);
            let Some(shift) = self.shift_of(parameter).filter(|_| by != 0.0) else { continue };
            moves.add(parameter, -by);
            for (axis, along) in shift.to_array().into_iter().enumerate() {
                moves.add(Parameter::Origin(axis), by * along);
            }
        }
        moves
    }

    /// Moves groups and panels, in the order of the bodies.
    fn move_bodies<T: Real>(
        &self,
        variables: &mut [Variables<T>],
        motions: impl Iterator<Item = (Body, RigidMotion<T>)>,
    ) {
        for (body, motion) in motions {
            let panels = self.panels_of(body);
            let Some(frame) = self.frame(variables, &panels) else { continue };
            for panel in panels {
                if let Some(v) = variables.get_mut(panel) {
                    *v = v.moved(&motion, &frame);
                }
            }
        }
    }

    /// The frame of panels that move together; `None` without panels.
    fn frame<T: Real>(&self, variables: &[Variables<T>], panels: &[usize]) -> Option<MotionFrame<T>> {
        let mut frames = panels.iter().filter_map(|&panel| {
            let Detector { pixel_m, fast_pixels, slow_pixels, .. } =
                self.experiment.panels.get(panel)?.detector;
            let size_m = [fast_pixels, slow_pixels].map(|pixels| pixel_m * pixels as f64);
            Some(MotionFrame::of_panel(variables.get(panel)?, size_m))
        });
        let first = frames.next()?;
        let sum = frames.fold(first.centre_m, |sum, frame| sum + frame.centre_m);
        let mean = sum.scaled(T::constant(1.0) / T::constant(panels.len() as f64));
        Some(if panels.len() == 1 { first } else { MotionFrame { centre_m: mean, ..first } })
    }

    /// The first phi moves with the step where phi is not sampled at the start of its step.
    fn sample(&self, v: &mut Variables) {
        v.phi0_rad += v.phi_step_rad * self.experiment.phi_sampling.offset();
    }

    /// How far from the centre of a body its corners are, and how far that centre is from the sample, in m.
    pub(super) fn size_m(&self, body: Body) -> [f64; 2] {
        let panels: Vec<_> =
            self.panels_of(body).into_iter().filter_map(|at| self.experiment.panels.get(at)).collect();
        let corners = panels.iter().flat_map(|panel| {
            let Detector { fast_pixels, slow_pixels, .. } = panel.detector;
            let [fast, slow] = [fast_pixels, slow_pixels].map(|pixels| pixels as f64);
            let corners = [[0.0, 0.0], [fast, 0.0], [0.0, slow], [fast, slow]];
            corners.map(|corner| panel.panel().position_m(corner))
        });
        let corners: Vec<Vec3> = corners.collect();
        let count = corners.len().max(1) as f64;
        let centre = (1.0 / count) * corners.iter().fold(Vec3::default(), |sum, &corner| sum + corner);
        let farthest = corners.iter().map(|&corner| (corner - centre).length()).fold(0.0, f64::max);
        [farthest, centre.length()]
    }
}

fn times(factor: f64, slopes: &Variables) -> Variables {
    Variables::from_array(&slopes.to_array().map(|slope| factor * slope))
}

/// What a crystal moves from: what it was oriented from, or else, of one that was turned out of another, its axes.
fn parameters(experiment: &Experiment, lattice: &Lattice) -> Result<CrystalParameters, Failure> {
    let lambda0_m = experiment.lambda0_m;
    let (source, misset_rad) = match (lattice.crystal_input, experiment.crystal_input) {
        (CrystalInput::Cell { source, misset_rad }, _) => (source, misset_rad),
        (CrystalInput::Axes { .. }, CrystalInput::Cell { source, .. }) => {
            let stars = reciprocal_axes(&lattice.crystal).map(|star| 1e10 * lambda0_m * star);
            let matrix = columns(stars);
            // As a matrix without a cell it would depend on the wavelength.
            let source = match source {
                CellSource::Matrix(_) => CellSource::Matrix(matrix),
                CellSource::Cell(_) | CellSource::MatrixWithCell(..) => {
                    CellSource::MatrixWithCell(matrix, cell_of(&lattice.crystal.direct))
                }
            };
            (source, [0.0; 3])
        }
        (CrystalInput::Axes { .. }, CrystalInput::Axes { .. }) => {
            return Err(Failure::impossible(Part::Scene, "derivatives need the parameters of the crystal"));
        }
    };
    Ok(CrystalParameters { source, lambda0_m, misset_rad })
}

/// Whether the panels are placed from parameters that turn them as one body: a single panel is, and so are panels
/// that turn about the sample by the same angles.
fn turn_together(experiment: &Experiment) -> bool {
    if experiment.panels.len() == 1 {
        return true;
    }
    let turns = |p: &DetectorParameters| {
        let (pivot, twotheta) = match p.convention {
            Convention::Custom(axes) => (p.pivot, axes.twotheta),
            Convention::Xds | Convention::Dials => (Pivot::Sample, None),
            Convention::Adxv | Convention::Mosflm | Convention::Denzo => (Pivot::Beam, None),
        };
        (pivot == Pivot::Sample).then_some((p.convention.name(), p.rotation_rad, p.twotheta_rad, twotheta))
    };
    let mut all = experiment.panels.iter().map(|panel| panel.detector_parameters().and_then(turns));
    let first = all.next().flatten();
    first.is_some() && all.all(|other| other == first)
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
