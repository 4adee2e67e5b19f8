//! Refinement in stages of Levenberg-Marquardt steps.
//!
//! **Variables.** x = 1 + move / step. Each parameter's step changes the phase of the interference function
//! by at most 1, so the trust region and the tolerance of the step mean the same for all parameters. The
//! norms of the Jacobian's columns are not used as scales: parameters that affect few pixels could then go
//! far. A parameter that changes no pixel is left unchanged.
//!
//! **Stages.** In the first stage |s| is limited to where an error of `FIRST_ERROR` of an index is
//! `REACH` of a spot's width. Each later stage doubles the limit, and the last one includes the whole
//! image. Parameters that move no spot need one stage only.
//!
//! **Convergence.** The loss changed by less than 1e-8 of itself and was expected to change by no more, or
//! the trust region is smaller than 1e-7 |x| (a ten-millionth of a phase), or rounding errors prevent any
//! improvement. Trial steps to an impossible experiment (say, an impossible cell) or to pixels that are not
//! finite count as far worse, which shrinks the trust region.
//!
//! **Uncertainties** are the square roots of the diagonal of a covariance matrix over the last stage's pixels
//! (`covariance`). Counts have known variances; for least squares the variances come from the
//! residuals at the end. A parameter that is part of a combination that the pixels do not determine has no
//! uncertainty.
//!
//! **Verdict.** Neither convergence nor uncertainties say that the model is right: `verdict` has the tests
//! that do.

use core::fmt;

use rayon::prelude::*;
use widebragg::gradient::Parameter;

use super::covariance::Covariance;
use super::levenberg::{self, LeastSquares, Settings};
use super::verdict::{self, Doubt};
use crate::failure::{Failure, Part};
use crate::gradient::loss::Loss;
use crate::gradient::moves::Moves;
use crate::gradient::named::Named;
use crate::gradient::problem::Problem;
use crate::gradient::selection::{Selection, selected};
use crate::gradient::spot_width::step_of_phase;
use crate::light::LightTaken;
use crate::resolution::scattering_lengths;

/// Relative error of the indices that the starting values may have: errors of 0.3 % in lengths and in angles,
/// combined.
const FIRST_ERROR: f64 = 5e-3;
/// Largest error of an index within the limit of the first stage, as a fraction of a spot's width 1/N.
const REACH: f64 = 0.3;
/// Ratio of the limits of |s| of successive stages.
const FURTHER: f64 = 2.0;
/// Minimum number of pixels of a stage, in total and for each parameter.
const FEWEST: usize = 500;
const PER_PARAMETER: usize = 20;

/// Tolerances of loss and step: before the last stage, and in it.
const ROUGH: [f64; 2] = [1e-3, 1e-4];
const FINE: [f64; 2] = [1e-8, 1e-7];
/// Radius of the first trust region, relative to |x|.
const FIRST_STEP: f64 = 2.0;
/// Columns of the Jacobian smaller than this fraction of a step that doubles the image are rounding errors.
const NO_EFFECT: f64 = 1e-10;
/// A fit counts as converged only if the derivatives predict that the loss can be reduced by no more than
/// this fraction of it.
const PREDICTED: f64 = 0.01;
/// Trial steps allowed for each parameter.
const PATIENCE: usize = 100;

/// An accepted step, or the start of a stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Iteration {
    /// Stage, counted from 1.
    pub stage: usize,
    /// Number of steps so far, in all stages.
    pub iteration: usize,
    /// Number of pixels of the stage.
    pub pixels: usize,
    /// Smallest d-spacing of the stage, in Angstrom.
    pub d_angstrom: f64,
    /// Half the sum of squared residuals.
    pub loss: f64,
    /// The parameter that moved most, and its move in its unit; `None` at the start of a stage.
    pub largest: Option<(Named, f64)>,
}

/// Agreement of an image with the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Half the sum of squared residuals.
    pub loss: f64,
    /// Pearson's correlation coefficient.
    pub correlation: f64,
}

/// Result of a refinement.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// Moves of the parameters from the start.
    pub moves: Moves,
    /// Standard uncertainties in the parameters' units; `None` where undetermined.
    pub uncertainties: Vec<Option<f64>>,
    /// Whether it has converged.
    pub converged: bool,
    /// Why the refinement ended.
    pub ending: Ending,
    /// The starts of all stages, and all accepted steps.
    pub history: Vec<Iteration>,
    /// Number of pixels of the last stage.
    pub pixels: usize,
    /// Agreement over these pixels at the start and at the end.
    pub agreement: [Agreement; 2],
    /// Reasons not to believe the fit.
    pub doubts: Vec<Doubt>,
    /// What the last derivatives were computed from.
    pub light: LightTaken,
}

impl Fitted {
    /// Number of accepted steps.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.history.last().map_or(0, |last| last.iteration)
    }

    /// Whether the fit converged, and to something that describes the data.
    #[must_use]
    pub fn is_believable(&self) -> bool {
        self.converged && self.doubts.is_empty()
    }
}

/// Inputs common to all stages.
struct Task<'t> {
    problem: &'t Problem<'t>,
    loss: &'t Loss,
    parameters: &'t [Named],
    /// Move of each parameter per unit of its variable.
    steps: Vec<f64>,
    /// Largest number of steps.
    most: usize,
    /// Called with a line for each step.
    report: &'t dyn Fn(&str),
}

impl Task<'_> {
    fn moves(&self, x: &[f64]) -> Moves {
        let mut moves = Moves::default();
        for ((named, step), x) in self.parameters.iter().zip(&self.steps).zip(x) {
            moves.add(named.movable, (x - 1.0) * step);
        }
        moves
    }

    /// The variables of the start.
    fn start(&self) -> Vec<f64> {
        vec![1.0; self.parameters.len()]
    }
}

/// Steps of all stages so far.
#[derive(Default)]
struct Log {
    history: Vec<Iteration>,
    /// Variables of the last entry of the log.
    x: Option<Vec<f64>>,
    /// What the last derivatives were computed from.
    light: LightTaken,
}

/// Why a stage ended before the minimisation did.
enum Stop {
    IterationsUsedUp,
    /// The kernel refused to differentiate the image.
    Failed(Failure),
}

/// How the minimisation of a stage ended.
type StageEnding = Result<levenberg::Ending, Stop>;

/// Why a refinement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The largest number of steps was reached.
    IterationsUsedUp,
    /// The kernel refused to differentiate the image.
    NotDifferentiable,
    /// The image equals the data.
    ResidualsZero,
    /// The gradient of the loss is zero.
    GradientZero,
    /// The loss no longer decreases.
    Reduction,
    /// The steps are shorter than the tolerance.
    Step,
    /// Rounding errors prevent any improvement.
    Rounding,
    /// This quantity is not finite.
    NotFinite(&'static str),
    /// No trial step reduced the loss.
    Trials,
    /// No step reduces the loss although the derivatives predict that one would.
    Mispredicted,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IterationsUsedUp => "the iterations are used up",
            Self::NotDifferentiable => "the image cannot be differentiated",
            Self::ResidualsZero => "the image equals the data",
            Self::GradientZero => "the gradient is zero",
            Self::Reduction => "the loss no longer decreases",
            Self::Step => "the steps are shorter than the tolerance",
            Self::Rounding => "rounding errors prevent any improvement",
            Self::NotFinite(what) => return write!(f, "a {what} is not finite"),
            Self::Trials => "no trial step reduced the loss",
            Self::Mispredicted => "no step reduces the loss although the derivatives predict that one would",
        })
    }
}

/// A stage: its pixels as a function of the variables.
struct Stage<'t> {
    task: &'t Task<'t>,
    number: usize,
    of: usize,
    d_angstrom: f64,
    selection: &'t Selection,
    data: Vec<f64>,
    x: Vec<f64>,
    /// Pixels at x; `None` where the experiment is impossible or a pixel is not finite.
    pixels: Option<Vec<f64>>,
    /// Loss at the start of the stage.
    loss: f64,
    log: &'t mut Log,
}

impl<'t> Stage<'t> {
    /// Stage `number` of those with the limits `limits`, at the variables `x`.
    fn new(
        task: &'t Task<'t>,
        number: usize,
        limits: &[f64],
        selection: &'t Selection,
        x: Vec<f64>,
        log: &'t mut Log,
    ) -> Result<Self, Failure> {
        let pixels = task.problem.selected_pixels(&task.moves(&x), selection)?;
        if !pixels.iter().all(|pixel| pixel.is_finite()) {
            return Err(unusable("the image at the start is not finite"));
        }
        let mut stage = Self {
            task,
            number,
            of: limits.len(),
            d_angstrom: 1.0 / limits[number - 1],
            selection,
            data: selection.of(task.loss.pixels()),
            x,
            pixels: None,
            loss: 0.0,
            log,
        };
        stage.loss = half_square(&stage.residuals_of(&pixels));
        stage.pixels = Some(pixels);
        Ok(stage)
    }

    fn is_last(&self) -> bool {
        self.number == self.of
    }

    fn render(&mut self) {
        let moves = self.task.moves(&self.x);
        let pixels = self.task.problem.selected_pixels(&moves, self.selection).ok();
        self.pixels = pixels.filter(|pixels| pixels.iter().all(|pixel| pixel.is_finite()));
    }

    fn residuals_of(&self, pixels: &[f64]) -> Vec<f64> {
        pixels.iter().zip(&self.data).map(|(&pixel, &data)| self.task.loss.residual(pixel, data).0).collect()
    }

    /// Whether the log has no entry of this stage.
    fn is_unreported(&self) -> bool {
        self.log.history.last().is_none_or(|last| last.stage != self.number)
    }

    /// Reports and logs the current variables.
    fn record(&mut self) {
        let Some(pixels) = &self.pixels else { return };
        let task = self.task;
        let loss = half_square(&self.residuals_of(pixels));
        let is_start = self.is_unreported();
        let largest = self.log.x.as_ref().filter(|_| !is_start).and_then(|before| {
            let by = |i: usize| self.x[i] - before[i];
            let most = (0..self.x.len()).max_by(|&i, &j| by(i).abs().total_cmp(&by(j).abs()))?;
            let named = task.parameters.get(most)?.clone();
            let by = by(most) * task.steps[most] / named.per_unit;
            Some((named, by))
        });
        let steps = self.log.history.last().map_or(0, |last| last.iteration) + usize::from(!is_start);
        let step = largest.as_ref().map_or_else(String::new, |(named, by)| {
            format!("   largest step {} {by:+.2e} {}", named.name, named.unit).trim_end().to_owned()
        });
        (task.report)(&format!(
            "stage {}/{}  d {:>6.2} A  {:>7} pixels   iteration {steps:>3}   loss {loss:.6e}{step}",
            self.number,
            self.of,
            self.d_angstrom,
            self.data.len(),
        ));
        self.log.history.push(Iteration {
            stage: self.number,
            iteration: steps,
            pixels: self.data.len(),
            d_angstrom: self.d_angstrom,
            loss,
            largest,
        });
        self.log.x = Some(self.x.clone());
    }

    /// Derivatives of the residuals with respect to the variables, variable after variable.
    fn slopes(&mut self) -> Result<Vec<f64>, Failure> {
        let task = self.task;
        let moves = task.moves(&self.x);
        let parameters = task.parameters.iter().map(|named| named.movable);
        let directions = task.problem.directions(&moves, parameters)?;
        let (mut slopes, light) = task.problem.selected_slopes(&moves, &directions, self.selection)?;
        self.log.light = light;
        let rows = self.data.len();
        let pixels = self.pixels.as_deref().unwrap_or(&[]);
        let (data, loss) = (&self.data, task.loss);
        let columns = slopes.par_chunks_mut(rows.max(1)).zip(&task.steps).map(|(column, step)| {
            for ((slope, &pixel), &data) in column.iter_mut().zip(pixels).zip(data) {
                *slope *= step * loss.residual(pixel, data).1;
            }
            column.iter().map(|slope| slope * slope).sum::<f64>()
        });
        let squares: Vec<f64> = columns.collect();
        // The squared norm of the column of a parameter that is proportional to the image.
        let doubled: f64 =
            pixels.iter().zip(data).map(|(&i, &data)| (i * loss.residual(i, data).1).powi(2)).sum();
        for (column, square) in slopes.chunks_mut(rows.max(1)).zip(squares) {
            if square < NO_EFFECT * NO_EFFECT * doubled {
                column.fill(0.0);
            }
        }
        Ok(slopes)
    }

    /// Minimises the loss over the stage's pixels.
    fn minimise(&mut self) -> StageEnding {
        let [reduction, step] = if self.is_last() { FINE } else { ROUGH };
        let trials = PATIENCE * (self.x.len() + 1);
        let settings = Settings { reduction, step, first_radius: FIRST_STEP, trials };
        let start = self.x.clone();
        let ending = levenberg::minimise(self, &start, &settings);
        // Steps are logged when the next one begins, so the last one is not logged yet; nor is a stage
        // without steps.
        if self.is_unreported() || self.log.x.as_ref() != Some(&self.x) {
            self.record();
        }
        ending
    }

    /// The result of the refinement where this stage ended.
    fn concluded(mut self, ending: &StageEnding) -> Result<Fitted, Failure> {
        let task = self.task;
        let (mut converged, mut ending) = outcome(ending);
        converged &= self.is_last();
        let residuals = self.residuals_of(self.pixels.as_deref().unwrap_or(&[]));
        let covariance = Covariance::new(self.slopes()?, self.data.len());
        if converged && covariance.predicted_reduction(&residuals) > PREDICTED {
            converged = false;
            ending = Ending::Mispredicted;
        }
        // The weights of counts are known: their residuals have variance 1.
        let sigmas = covariance.uncertainties((!task.loss.is_of_counts()).then_some(&residuals));
        let uncertainties: Vec<Option<f64>> = sigmas
            .into_iter()
            .zip(&task.steps)
            .zip(task.parameters)
            .map(|((sigma, step), named)| sigma.map(|sigma| sigma * step / named.per_unit))
            .collect();
        let agreement = [self.agreement(&task.start())?, self.agreement(&self.x)?];
        let mut doubts = verdict::of_agreement(agreement, &self.data, task.loss.is_of_counts());
        let names: Vec<&str> = task.parameters.iter().map(|named| &*named.name).collect();
        let is_determined = |i: usize| uncertainties.get(i).is_some_and(Option::is_some);
        doubts.extend(verdict::of_parameters(&names, is_determined, |i, j| covariance.correlation(i, j)));
        doubts.extend(verdict::of_residuals(&verdict::Outcome {
            selection: self.selection,
            pixels: self.pixels.as_deref().unwrap_or(&[]),
            data: &self.data,
            residuals: &residuals,
            is_of_counts: task.loss.is_of_counts(),
            parameters: names.len(),
        }));
        let (moves, pixels) = (task.moves(&self.x), self.data.len());
        let (history, light) = (core::mem::take(&mut self.log.history), self.log.light);
        Ok(Fitted { moves, uncertainties, converged, ending, history, pixels, agreement, doubts, light })
    }

    fn agreement(&self, x: &[f64]) -> Result<Agreement, Failure> {
        let pixels = self.task.problem.selected_pixels(&self.task.moves(x), self.selection)?;
        let loss = half_square(&self.residuals_of(&pixels));
        Ok(Agreement { loss, correlation: correlation(&pixels, &self.data) })
    }
}

impl LeastSquares for Stage<'_> {
    type Stop = Stop;

    fn set(&mut self, x: &[f64]) {
        if self.pixels.is_none() || self.x != x {
            self.x = x.to_vec();
            self.render();
        }
    }

    fn residuals(&self) -> Vec<f64> {
        match &self.pixels {
            Some(pixels) => self.residuals_of(pixels),
            // A hundred times the root mean square at the start of the stage: far worse.
            None => vec![100.0 * (2.0 * self.loss / self.data.len() as f64).sqrt(); self.data.len()],
        }
    }

    fn jacobian(&mut self) -> Result<Vec<f64>, Stop> {
        self.record();
        if self.log.history.last().is_some_and(|last| last.iteration >= self.task.most) {
            return Err(Stop::IterationsUsedUp);
        }
        self.slopes().map_err(Stop::Failed)
    }
}

fn half_square(residuals: &[f64]) -> f64 {
    0.5 * residuals.iter().map(|r| r * r).sum::<f64>()
}

/// Fits `parameters` in at most `most` steps; calls `report` with a line for each.
///
/// # Errors
/// No pixels to fit, no memory, or a kernel error at the start.
pub fn fit(
    problem: &Problem<'_>,
    loss: &Loss,
    parameters: &[Named],
    most: usize,
    report: &dyn Fn(&str),
) -> Result<Fitted, Failure> {
    let experiment = problem.experiment();
    let steps = parameters.iter().map(|named| step_of_phase(problem, named.movable, 1.0)).collect();
    let task = Task { problem, loss, parameters, steps, most, report };
    let lengths = scattering_lengths(experiment)?;
    let takes = selected(experiment);
    let counts = |i: usize| loss.pixels()[i].is_finite() && takes(i);
    let limits = limits(&task, &lengths, &counts)?;
    let mut log = Log::default();
    let mut x = task.start();
    for (i, &limit) in limits.iter().enumerate() {
        let selection = choose(&task, &x, &lengths, limit, &counts)?;
        let mut stage = Stage::new(&task, i + 1, &limits, &selection, x, &mut log)?;
        match stage.minimise() {
            Err(Stop::Failed(failure)) => return Err(failure),
            ending if ending.is_err() || stage.is_last() => return stage.concluded(&ending),
            _ => x = stage.x,
        }
    }
    Err(unusable("there are no pixels to fit"))
}

/// Whether a stage converged, and why it ended.
fn outcome(ending: &StageEnding) -> (bool, Ending) {
    use levenberg::Ending as Minimised;
    match ending {
        Err(Stop::IterationsUsedUp) => (false, Ending::IterationsUsedUp),
        Err(Stop::Failed(_)) => (false, Ending::NotDifferentiable),
        Ok(Minimised::ResidualsZero) => (true, Ending::ResidualsZero),
        Ok(Minimised::GradientZero) => (true, Ending::GradientZero),
        Ok(Minimised::Reduction) => (true, Ending::Reduction),
        Ok(Minimised::Step) => (true, Ending::Step),
        Ok(Minimised::Rounding) => (true, Ending::Rounding),
        Ok(Minimised::NotFinite(what)) => (false, Ending::NotFinite(what)),
        Ok(Minimised::Trials) => (false, Ending::Trials),
    }
}

fn unusable(why: &str) -> Failure {
    Failure::impossible(Part::Selection, why)
}

/// The largest |s| of each stage, in 1/Angstrom.
fn limits(
    task: &Task<'_>,
    lengths: &[f32],
    counts: &(impl Fn(usize) -> bool + Sync),
) -> Result<Vec<f64>, Failure> {
    let experiment = task.problem.experiment();
    let mut counted: Vec<f32> =
        lengths.par_iter().enumerate().filter(|(i, _)| counts(*i)).map(|(_, length)| *length).collect();
    let Some(farthest) = counted.par_iter().copied().max_by(f32::total_cmp) else {
        return Err(unusable("no pixel of the image is finite, unmasked and in the region of interest"));
    };
    let farthest = f64::from(farthest).next_up();
    let moves_spots = |named: &Named| {
        use Parameter::{
            AllCells, Cells, Coupling, DefaultF, FluenceScale, MosaicAxisScale, MosaicScale, SpectrumScale,
        };
        let Some(parameter) = named.parameter() else { return true };
        !matches!(
            parameter,
            FluenceScale
                | MosaicScale
                | MosaicAxisScale(_)
                | DefaultF
                | Cells(_)
                | AllCells
                | Coupling(_)
                | SpectrumScale
        )
    };
    if !task.parameters.iter().any(moves_spots) {
        return Ok(vec![farthest]);
    }
    let narrowest = experiment.all_lattices().flat_map(|lattice| {
        let cells = lattice.crystallite.cells_across_spots();
        cells.into_iter().zip(lattice.crystal.cell.lengths_angstrom).map(|(n, length)| length * n)
    });
    let narrowest = narrowest.fold(0.0, f64::max);
    let fewest = FEWEST.max(PER_PARAMETER * task.parameters.len());
    // The limit includes at least `fewest` pixels, also where little of the detector is near the beam.
    let enough = match counted.len().checked_sub(1) {
        Some(most) if most > fewest => {
            let (_, &mut length, _) = counted.select_nth_unstable_by(fewest, f32::total_cmp);
            f64::from(length).next_up()
        }
        _ => farthest,
    };
    let mut limit = (REACH / (FIRST_ERROR * narrowest)).max(enough);
    let mut limits = Vec::new();
    while limit * FURTHER.sqrt() < farthest {
        limits.push(limit);
        limit *= FURTHER;
    }
    limits.push(farthest);
    Ok(limits)
}

/// The pixels of a stage: those within the limit of |s| that count, reduced to the most informative ones
/// where there are too many.
fn choose(
    task: &Task<'_>,
    x: &[f64],
    lengths: &[f32],
    limit: f64,
    counts: &(impl Fn(usize) -> bool + Sync),
) -> Result<Selection, Failure> {
    let columns = task.problem.experiment().columns();
    let all = Selection::new(lengths.len(), columns, |i| f64::from(lengths[i]) <= limit && counts(i))?;
    if all.len() <= crate::gradient::selection::MOST {
        return Ok(all);
    }
    let model = task.problem.selected_pixels(&task.moves(x), &all)?;
    let (data, reach) = (all.of(task.loss.pixels()), all.of(lengths));
    let score: Vec<f64> = model
        .iter()
        .zip(data)
        .zip(reach)
        .map(|((model, data), reach)| (model.abs() + data.abs()) * reach)
        .collect();
    all.thinned(columns, &score)
}

/// Pearson's correlation coefficient of two images.
#[must_use]
pub fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut aa, mut ab, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        aa += a * a;
        ab += a * b;
        bb += b * b;
    }
    ab / (aa * bb).sqrt()
}
