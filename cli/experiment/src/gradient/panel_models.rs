//! How the variables of the panels of a detector follow from what moves.
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

use widebragg::detector::{Convention, Detector, DetectorParameters, Pivot};
use widebragg::gradient::{Model, MotionFrame, Moves as SharedMoves, Parameter, RigidMotion, Variables};
use widebragg::real::Real;
use widebragg::rotation::PhiMode;
use widebragg::vector::Vec3;

use super::moves::{Body, Movable, Moves, PanelGroup};
use crate::experiment::Experiment;
use crate::failure::{Failure, Part, refused};
use crate::panels::DetectorPanel;

/// The derivatives of the variables of each panel with respect to something that moves.
#[derive(Debug, Clone, PartialEq)]
pub struct Direction {
    /// Those of the panels that change.
    by_panel: BTreeMap<usize, Variables>,
}

impl Direction {
    fn new(slopes: impl IntoIterator<Item = Variables>) -> Self {
        let by_panel = slopes.into_iter().enumerate().filter(|(_, slopes)| *slopes != Variables::default());
        Self { by_panel: by_panel.collect() }
    }

    /// Those of the variables of a panel.
    #[must_use]
    pub fn of_panel(&self, panel: usize) -> Variables {
        self.by_panel.get(&panel).copied().unwrap_or_default()
    }

    /// Whether a panel changes.
    #[must_use]
    pub fn moves_panel(&self, panel: usize) -> bool {
        self.by_panel.contains_key(&panel)
    }
}

/// The models of the panels of an experiment, and the groups of these.
#[derive(Debug)]
pub(super) struct PanelModels<'e> {
    experiment: &'e Experiment,
    groups: &'e [PanelGroup],
    models: Vec<Model>,
}

impl<'e> PanelModels<'e> {
    /// The models of the panels of `experiment`.
    ///
    /// # Errors
    /// The crystal was given by its axes, so that it has no parameters, a group has no panels or one that is not
    /// there, or the kernel rejects the parameters.
    pub(super) fn new(experiment: &'e Experiment, groups: &'e [PanelGroup]) -> Result<Self, Failure> {
        let Some(crystal) = experiment.crystal_parameters() else {
            return Err(Failure::impossible(Part::Scene, "derivatives need the parameters of the crystal"));
        };
        let count = experiment.panels.len();
        let is_possible =
            |group: &PanelGroup| !group.panels.is_empty() && group.panels.iter().all(|&panel| panel < count);
        if let Some(group) = groups.iter().find(|group| !is_possible(group)) {
            let why = format!("group {} has no panels, or one that is not there", group.name);
            return Err(Failure::impossible(Part::Detector, why));
        }
        let phi_steps = experiment.phi.count;
        let turn_together = turn_together(experiment);
        let model = |panel: &DetectorPanel| match panel.detector_parameters() {
            Some(detector) if turn_together => {
                Model::new(crystal, *detector, experiment.mode, phi_steps, experiment.default_f)
            }
            _ => Model::of_placed(crystal, panel.detector, phi_steps, experiment.default_f),
        };
        let lambda_m = mean_lambda_m(experiment);
        let models = experiment.panels.iter().map(|panel| Ok(model(panel)?.about_wavelength(lambda_m)));
        let models = models.collect::<Result<_, widebragg::Error>>().map_err(refused(Part::Scene))?;
        Ok(Self { experiment, groups, models })
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

    /// The variables of each panel after `moves`.
    ///
    /// # Errors
    /// Moves to an impossible experiment.
    pub(super) fn variables(&self, moves: &Moves) -> Result<Vec<Variables>, Failure> {
        let mut variables = self.before_bodies(moves)?;
        self.move_bodies(&mut variables, moves.bodies().map(|body| (body, moves.rigid_motion(body))));
        variables.iter_mut().for_each(|v| self.sample(v));
        Ok(variables)
    }

    /// The derivatives of the variables with respect to something that moves, after `moves`.
    ///
    /// # Errors
    /// Moves to an impossible experiment.
    pub(super) fn direction(&self, moves: &Moves, along: Movable) -> Result<Direction, Failure> {
        let mut by_panel = match along {
            Movable::Shared(parameter) => self.shared_slopes(&moves.shared, parameter)?,
            Movable::Rigid(..) => vec![Variables::default(); self.models.len()],
        };
        let turned = match along {
            Movable::Shared(_) => None,
            Movable::Rigid(body, component) => Some((body, component)),
        };
        if turned.is_some() || moves.bodies().next().is_some() {
            let variables = self.before_bodies(moves)?;
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
        Ok(Direction::new(by_panel))
    }

    /// The variables after the moves that all panels share.
    fn before_bodies(&self, moves: &Moves) -> Result<Vec<Variables>, Failure> {
        let shared = self.as_one_body(&moves.shared);
        let variables = self.models.iter().map(|model| model.variables(&shared));
        variables.collect::<Result<_, _>>().map_err(refused(Part::Scene))
    }

    /// The derivatives of the variables with respect to a parameter, before groups and panels move.
    fn shared_slopes(&self, moves: &SharedMoves, parameter: Parameter) -> Result<Vec<Variables>, Failure> {
        let moves = self.as_one_body(moves);
        let slopes = |model: &Model| {
            let Some(shift) = self.shift_of(parameter) else { return model.direction(&moves, parameter) };
            let mut sum = Variables::default();
            for (axis, by) in shift.to_array().into_iter().enumerate().filter(|(_, by)| *by != 0.0) {
                let along_axis = model.direction(&moves, Parameter::Origin(axis))?.to_array();
                sum.add(&Variables::from_array(&along_axis.map(|slope| by * slope)));
            }
            Ok(sum)
        };
        self.models.iter().map(slopes).collect::<Result<_, _>>().map_err(refused(Part::Scene))
    }

    /// The shift of a detector of several panels, by a unit of a parameter that shifts it as a whole.
    fn shift_of(&self, parameter: Parameter) -> Option<Vec3> {
        let Detector { fast, slow, beam, .. } = self.experiment.first_panel().detector;
        match parameter {
            _ if self.models.len() == 1 => None,
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
