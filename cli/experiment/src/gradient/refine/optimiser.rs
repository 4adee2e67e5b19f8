//! Stages of Levenberg-Marquardt steps.
//!
//! **Variables.** x = 1 + move / step, where the step turns the phases of the interference function by 1 where it turns them most:
//! trust region and the size of steps mean the same for all parameters. The optimiser is not left to scale by the columns of the
//! Jacobian: what pixels tell little of would be free to go far. What moves no pixel stays where it is.
//!
//! **Stages.** In the first, |s| is at most that where an error of [`FIRST_ERROR`] of an index is [`REACH`] of a spot's
//! width; each later one goes twice as far, the last over all of the image. Parameters that move no spot need one stage.
//!
//! **Ending.** Converged: the loss fell by less than 1e-8 of itself and was not expected to fall by more, or the step was
//! shorter than 1e-7 (a ten millionth of a phase); also when rounding leaves no better point. Steps to where there is no
//! experiment (an impossible cell), or whose pixels are not finite, count as far worse: the trust region shrinks.
//!
//! **Uncertainties** are square roots of the diagonal of a covariance over the last stage's pixels. For counts, whose variance is
//! known, it is (J^T J)^-1; for least squares, where bright pixels are further off than dark ones, (J^T J)^-1 J^T R^2 J
//! (J^T J)^-1 with the residuals R at the end. A parameter in a combination that the pixels do not tell has none.

use core::cell::RefCell;

use levenberg_marquardt::{LeastSquaresProblem, LevenbergMarquardt, TerminationReason};
use nalgebra::storage::Owned;
use nalgebra::{DMatrix, DVector, Dyn, SymmetricEigen};
use rayon::prelude::*;
use widebragg::gradient::{Moves, Parameter};
use widebragg::lattice::CrystalShape;

use crate::failure::Failure;
use crate::gradient::loss::Loss;
use crate::gradient::named::Named;
use crate::gradient::problem::Problem;
use crate::gradient::selection::{Selection, selected};
use crate::gradient::spot_width::step_of_phase;
use crate::resolution::scattering_lengths;

/// Relative error of indices that a start may have: 0.3 % of lengths and of angles, taken together.
const FIRST_ERROR: f64 = 5e-3;
/// Of a spot's width, 1/N, what such an error may be in the first stage.
const REACH: f64 = 0.3;
/// How much further each stage goes.
const FURTHER: f64 = 2.0;
/// Fewest pixels of a stage, and how many each parameter needs.
const FEWEST: usize = 500;
const PER_PARAMETER: usize = 20;

/// Tolerances of the loss and the step: on the way, and in the last stage.
const ROUGH: [f64; 2] = [1e-3, 1e-4];
const FINE: [f64; 2] = [1e-8, 1e-7];
/// First trust region, relative to steps that turn all phases by 1.
const FIRST_STEP: f64 = 2.0;
/// Columns of the Jacobian below this part of what doubles the image are rounding.
const NO_EFFECT: f64 = 1e-10;
/// Of the loss, what derivatives may still promise where a refinement has converged.
const PROMISED: f64 = 0.01;
/// Trials that the optimiser may need for each parameter.
const PATIENCE: usize = 100;
/// Combinations of parameters with less of the information than this are not determined.
const SINGULAR: f64 = 1e-12;
/// Parameters with more than this part in such combinations are not determined either.
const HIDDEN: f64 = 1e-6;

/// An accepted step, or the start of a stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Iteration {
    /// Stage, counted from 1.
    pub stage: usize,
    /// Steps so far, all stages together.
    pub iteration: usize,
    /// Pixels of the stage.
    pub pixels: usize,
    /// Smallest d-spacing of the stage, in Angstrom.
    pub d_angstrom: f64,
    /// Half the sum of squared residuals.
    pub loss: f64,
    /// The parameter that moved most, and by how much in its unit; none at a stage's start.
    pub largest: Option<(Named, f64)>,
}

/// How well an image agrees with the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Half the sum of squared residuals.
    pub loss: f64,
    /// Pearson's correlation.
    pub correlation: f64,
}

/// What a refinement found.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// How far the parameters were moved.
    pub moves: Moves,
    /// Standard uncertainties in the parameters' units; none where not determined.
    pub uncertainties: Vec<Option<f64>>,
    /// Whether it has converged.
    pub converged: bool,
    /// Why it ended.
    pub ending: String,
    /// All steps.
    pub history: Vec<Iteration>,
    /// Pixels of the last stage.
    pub pixels: usize,
    /// Agreement over these at the start, and at the end.
    pub agreement: [Agreement; 2],
}

impl Fitted {
    /// Steps taken.
    #[must_use]
    pub fn iterations(&self) -> usize {
        self.history.last().map_or(0, |last| last.iteration)
    }
}

/// What all stages share.
struct Task<'t> {
    problem: &'t Problem<'t>,
    loss: &'t Loss,
    parameters: &'t [Named],
    /// What a unit of each variable moves.
    steps: Vec<f64>,
    most: usize,
    told: &'t dyn Fn(&str),
}

impl Task<'_> {
    fn moves(&self, x: &DVector<f64>) -> Moves {
        let mut moves = Moves::default();
        for ((named, step), x) in self.parameters.iter().zip(&self.steps).zip(x.iter()) {
            moves.add(named.parameter, (x - 1.0) * step);
        }
        moves
    }
}

/// What the steps of all stages leave.
#[derive(Default)]
struct Log {
    history: Vec<Iteration>,
    /// Where the last step was told from.
    x: Option<DVector<f64>>,
    /// What the kernel refused where it should not.
    failure: Option<Failure>,
    /// Whether the iterations are used up.
    is_over: bool,
}

/// A stage, as the optimiser sees it.
struct Stage<'t> {
    task: &'t Task<'t>,
    number: usize,
    of: usize,
    d_angstrom: f64,
    selection: &'t Selection,
    data: &'t [f64],
    x: DVector<f64>,
    /// Pixels at x; none where there is no experiment.
    pixels: Option<Vec<f64>>,
    /// Loss of the last point that was told: what failed steps are measured by.
    loss: f64,
    log: &'t RefCell<Log>,
}

impl Stage<'_> {
    fn render(&mut self) {
        let moves = self.task.moves(&self.x);
        let pixels = self.task.problem.selected_pixels(&moves, self.selection).ok();
        self.pixels = pixels.filter(|pixels| pixels.iter().all(|pixel| pixel.is_finite()));
    }

    fn residual_of(&self, pixels: &[f64]) -> Vec<f64> {
        pixels.iter().zip(self.data).map(|(&pixel, &data)| self.task.loss.residual(pixel, data).0).collect()
    }

    /// Writes down where the optimiser has come to.
    fn tell(&self, log: &mut Log, is_start: bool) {
        let Some(pixels) = &self.pixels else { return };
        let task = self.task;
        let loss = half_square(&self.residual_of(pixels));
        let largest = log.x.as_ref().filter(|_| !is_start).and_then(|before| {
            let by = |i: usize| self.x[i] - before[i];
            let most = (0..self.x.len()).max_by(|&i, &j| by(i).abs().total_cmp(&by(j).abs()))?;
            let named = *task.parameters.get(most)?;
            Some((named, by(most) * task.steps[most] / named.per_unit))
        });
        let steps = log.history.last().map_or(0, |last| last.iteration) + usize::from(!is_start);
        let step = largest.map_or_else(String::new, |(named, by)| {
            format!("   largest step {} {by:+.2e} {}", named.name, named.unit).trim_end().to_owned()
        });
        (task.told)(&format!(
            "stage {}/{}  d {:>6.2} A  {:>7} pixels   iteration {steps:>3}   loss {loss:.6e}{step}",
            self.number,
            self.of,
            self.d_angstrom,
            self.data.len(),
        ));
        log.history.push(Iteration {
            stage: self.number,
            iteration: steps,
            pixels: self.data.len(),
            d_angstrom: self.d_angstrom,
            loss,
            largest,
        });
        log.x = Some(self.x.clone());
    }

    fn slopes(&self) -> Result<DMatrix<f64>, Failure> {
        let task = self.task;
        let moves = task.moves(&self.x);
        let parameters = task.parameters.iter().map(|named| named.parameter);
        let directions = task.problem.directions(&moves, parameters)?;
        let mut slopes = task.problem.selected_slopes(&moves, &directions, self.selection)?;
        let rows = self.data.len();
        let pixels = self.pixels.as_deref().unwrap_or(&[]);
        let (data, loss) = (self.data, task.loss);
        let columns = slopes.par_chunks_mut(rows.max(1)).zip(&task.steps).map(|(column, step)| {
            for ((slope, &pixel), &data) in column.iter_mut().zip(pixels).zip(data) {
                *slope *= step * loss.residual(pixel, data).1;
            }
            column.iter().map(|slope| slope * slope).sum::<f64>()
        });
        let squares: Vec<f64> = columns.collect();
        // What a step that doubles the image would do.
        let doubled: f64 =
            pixels.iter().zip(data).map(|(&i, &data)| (i * loss.residual(i, data).1).powi(2)).sum();
        for (column, square) in slopes.chunks_mut(rows.max(1)).zip(squares) {
            if square < NO_EFFECT * NO_EFFECT * doubled {
                column.fill(0.0);
            }
        }
        Ok(DMatrix::from_vec(rows, task.parameters.len(), slopes))
    }
}

impl LeastSquaresProblem<f64, Dyn, Dyn> for Stage<'_> {
    type ParameterStorage = Owned<f64, Dyn>;
    type ResidualStorage = Owned<f64, Dyn>;
    type JacobianStorage = Owned<f64, Dyn, Dyn>;

    fn set_params(&mut self, x: &DVector<f64>) {
        if self.pixels.is_none() || self.x != *x {
            self.x = x.clone();
            self.render();
        }
    }

    fn params(&self) -> DVector<f64> {
        self.x.clone()
    }

    fn residuals(&self) -> Option<DVector<f64>> {
        let residuals = match &self.pixels {
            Some(pixels) => self.residual_of(pixels),
            // A point without experiment: a hundred times as far from the data as where this stage began.
            None => vec![100.0 * (2.0 * self.loss / self.data.len() as f64).sqrt(); self.data.len()],
        };
        Some(DVector::from_vec(residuals))
    }

    fn jacobian(&self) -> Option<DMatrix<f64>> {
        let mut log = self.log.borrow_mut();
        let is_start = log.history.last().is_none_or(|last| last.stage != self.number);
        self.tell(&mut log, is_start);
        if log.history.last().is_some_and(|last| last.iteration >= self.task.most) {
            log.is_over = true;
            return None;
        }
        match self.slopes() {
            Ok(slopes) => Some(slopes),
            Err(failure) => {
                log.failure = Some(failure);
                None
            }
        }
    }
}

fn half_square(residuals: &[f64]) -> f64 {
    0.5 * residuals.iter().map(|r| r * r).sum::<f64>()
}

/// Fits `parameters` in at most `most` steps; `told` gets a line for each.
///
/// # Errors
/// No pixels to fit, no memory, or what the kernel refuses at the start.
pub fn fit(
    problem: &Problem<'_>,
    loss: &Loss,
    parameters: &[Named],
    most: usize,
    told: &dyn Fn(&str),
) -> Result<Fitted, Failure> {
    let setup = problem.experiment();
    let steps = parameters.iter().map(|named| step_of_phase(setup, named.parameter, 1.0)).collect();
    let task = Task { problem, loss, parameters, steps, most, told };
    let lengths = scattering_lengths(setup)?;
    let takes = selected(setup);
    let counts = |i: usize| loss.pixels()[i].is_finite() && takes(i);
    let limits = limits(&task, &lengths, &counts)?;
    let log = RefCell::new(Log::default());
    let mut x = DVector::from_element(parameters.len(), 1.0);
    for (i, &limit) in limits.iter().enumerate() {
        let selection = choose(&task, &x, &lengths, limit, &counts)?;
        let data = selection.of(loss.pixels());
        let is_last = i + 1 == limits.len();
        let mut stage = Stage {
            task: &task,
            number: i + 1,
            of: limits.len(),
            d_angstrom: 1.0 / limit,
            selection: &selection,
            data: &data,
            x: x.clone(),
            pixels: None,
            loss: 0.0,
            log: &log,
        };
        let pixels = problem.selected_pixels(&task.moves(&x), &selection)?;
        if !pixels.iter().all(|pixel| pixel.is_finite()) {
            return Err(Failure::input("refine: the image at the start is not finite"));
        }
        stage.loss = half_square(&stage.residual_of(&pixels));
        stage.pixels = Some(pixels);
        let [ftol, xtol] = if is_last { FINE } else { ROUGH };
        let optimiser = LevenbergMarquardt::new()
            .with_ftol(ftol)
            .with_xtol(xtol)
            .with_gtol(f64::EPSILON)
            .with_scale_diag(false)
            .with_stepbound(FIRST_STEP)
            .with_patience(PATIENCE);
        let (stage, report) = optimiser.minimize(stage);
        if let Some(failure) = log.borrow_mut().failure.take() {
            return Err(failure);
        }
        // The step that ended the stage has not been told yet, nor a stage that ended where it began.
        let is_start = log.borrow().history.last().is_none_or(|last| last.stage != stage.number);
        if is_start || log.borrow().x.as_ref() != Some(&stage.x) {
            stage.tell(&mut log.borrow_mut(), is_start);
        }
        let (mut converged, mut ending) = ending_of(&report.termination, log.borrow().is_over);
        x = stage.x.clone();
        if is_last || log.borrow().is_over {
            converged &= is_last;
            let residuals = stage.residual_of(stage.pixels.as_deref().unwrap_or(&[]));
            // The weights of counts are known: residuals have variance 1.
            let information = Information::new(stage.slopes()?);
            if converged && information.promised(&residuals) > PROMISED {
                converged = false;
                ending = "no step is better, though derivatives promise one".to_owned();
            }
            let sigmas = information.uncertainties((!loss.is_of_counts()).then_some(&residuals));
            let uncertainties = sigmas
                .into_iter()
                .zip(&task.steps)
                .zip(parameters)
                .map(|((sigma, step), named)| sigma.map(|sigma| sigma * step / named.per_unit))
                .collect();
            let agreement = |x: &DVector<f64>| -> Result<Agreement, Failure> {
                let pixels = problem.selected_pixels(&task.moves(x), &selection)?;
                let loss = half_square(&stage.residual_of(&pixels));
                Ok(Agreement { loss, correlation: correlation(&pixels, &data) })
            };
            let agreement = [agreement(&DVector::from_element(x.len(), 1.0))?, agreement(&x)?];
            let (moves, pixels) = (task.moves(&x), data.len());
            drop(stage);
            let history = log.into_inner().history;
            return Ok(Fitted { moves, uncertainties, converged, ending, history, pixels, agreement });
        }
    }
    Err(Failure::input("refine: there is no stage"))
}

fn ending_of(reason: &TerminationReason, is_over: bool) -> (bool, String) {
    match reason {
        _ if is_over => (false, "--iterations are used up".to_owned()),
        TerminationReason::ResidualsZero => (true, "the image is the data".to_owned()),
        TerminationReason::Orthogonal => (true, "the gradient is 0".to_owned()),
        TerminationReason::Converged { ftol: true, .. } => (true, "the loss falls no more".to_owned()),
        TerminationReason::Converged { .. } => (true, "steps are short".to_owned()),
        TerminationReason::NoImprovementPossible(_) => (true, "rounding leaves no better point".to_owned()),
        TerminationReason::Numerical(what) => (false, format!("numbers that are not finite ({what})")),
        TerminationReason::LostPatience => (false, "no trial is better".to_owned()),
        _ => (false, "the optimiser could not start".to_owned()),
    }
}

/// The largest |s| of each stage, in 1/Angstrom.
fn limits(
    task: &Task<'_>,
    lengths: &[f32],
    counts: &(impl Fn(usize) -> bool + Sync),
) -> Result<Vec<f64>, Failure> {
    let setup = task.problem.experiment();
    let mut counted: Vec<f32> =
        lengths.par_iter().enumerate().filter(|(i, _)| counts(*i)).map(|(_, length)| *length).collect();
    let Some(farthest) = counted.par_iter().copied().max_by(f32::total_cmp) else {
        return Err(Failure::input(
            "refine: no pixel of the image is finite, unmasked and in the region of interest",
        ));
    };
    let farthest = f64::from(farthest).next_up();
    let moves_spots = |named: &Named| {
        !matches!(named.parameter, Parameter::FluenceScale | Parameter::MosaicScale | Parameter::DefaultF)
    };
    if !task.parameters.iter().any(moves_spots) {
        return Ok(vec![farthest]);
    }
    let product: f64 = setup.lattice.cells.iter().product();
    let widths =
        setup.lattice.cells.iter().zip(setup.crystal.cell.lengths_angstrom).map(|(&cells, length)| {
            length
                * match setup.lattice.shape {
                    CrystalShape::Gauss | CrystalShape::Tophat => product,
                    CrystalShape::Square | CrystalShape::Round => cells,
                }
        });
    let narrowest = widths.fold(0.0, f64::max);
    let fewest = FEWEST.max(PER_PARAMETER * task.parameters.len());
    // Near the beam there may be too little of the detector.
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

/// The pixels of a stage.
fn choose(
    task: &Task<'_>,
    x: &DVector<f64>,
    lengths: &[f32],
    limit: f64,
    counts: &(impl Fn(usize) -> bool + Sync),
) -> Result<Selection, Failure> {
    let columns = task.problem.experiment().detector.fast_pixels;
    let all = Selection::new(lengths.len(), columns, |i| f64::from(lengths[i]) <= limit && counts(i))?;
    if all.len() <= super::super::selection::MOST {
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

/// What residuals tell of the variables.
struct Information {
    slopes: DMatrix<f64>,
    /// Norms of their columns.
    scale: Vec<f64>,
    /// Inverse of the normal matrix of columns of norm 1, over the combinations that are told.
    inverse: DMatrix<f64>,
    /// Which variables are told.
    is_told: Vec<bool>,
}

impl Information {
    fn new(slopes: DMatrix<f64>) -> Self {
        let normal = slopes.tr_mul(&slopes);
        let scale: Vec<f64> = normal.diagonal().iter().map(|x| x.sqrt()).collect();
        let count = scale.len();
        let SymmetricEigen { eigenvalues, eigenvectors } = SymmetricEigen::new(scaled(&normal, &scale));
        let tells = |k: usize| eigenvalues[k] > SINGULAR * count as f64;
        let inverse = DMatrix::from_fn(count, count, |i, j| {
            let told = (0..count).filter(|&k| tells(k));
            told.map(|k| eigenvectors[(i, k)] * eigenvectors[(j, k)] / eigenvalues[k]).sum::<f64>()
        });
        let hidden = |i: usize| -> f64 {
            (0..count).filter(|&k| !tells(k)).map(|k| eigenvectors[(i, k)].powi(2)).sum()
        };
        let is_told = (0..count).map(|i| hidden(i) <= HIDDEN && scale[i] > 0.0).collect();
        Self { slopes, scale, inverse, is_told }
    }

    /// By what part of itself the loss would fall if residuals were linear.
    fn promised(&self, residuals: &[f64]) -> f64 {
        let residuals = DVector::from_column_slice(residuals);
        let mut gradient = self.slopes.tr_mul(&residuals);
        gradient
            .iter_mut()
            .zip(&self.scale)
            .for_each(|(slope, scale)| *slope /= scale.max(f64::MIN_POSITIVE));
        let fall = gradient.dot(&(&self.inverse * &gradient));
        fall / residuals.norm_squared().max(f64::MIN_POSITIVE)
    }

    /// Standard uncertainties: of residuals of variance 1, or of variances as `residuals` have them.
    fn uncertainties(&self, residuals: Option<&Vec<f64>>) -> Vec<Option<f64>> {
        let covariance = match residuals {
            None => self.inverse.clone(),
            Some(residuals) => {
                let mut spread = self.slopes.clone();
                for mut column in spread.column_iter_mut() {
                    column.iter_mut().zip(residuals).for_each(|(slope, residual)| *slope *= residual);
                }
                &self.inverse * scaled(&spread.tr_mul(&spread), &self.scale) * &self.inverse
            }
        };
        let sigma = |i: usize| covariance[(i, i)].sqrt() / self.scale[i];
        self.is_told.iter().enumerate().map(|(i, is_told)| is_told.then(|| sigma(i))).collect()
    }
}

/// Rows and columns divided by `scale`.
fn scaled(matrix: &DMatrix<f64>, scale: &[f64]) -> DMatrix<f64> {
    DMatrix::from_fn(scale.len(), scale.len(), |i, j| {
        let by = scale[i] * scale[j];
        if by > 0.0 { matrix[(i, j)] / by } else { 0.0 }
    })
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uncertainties_of_a_line_and_of_what_is_not_told() {
        // Offset and slope of a line at -1, 0, 1: independent, 1/3 and 1/2 of a variance.
        let line = Information::new(DMatrix::from_row_slice(3, 2, &[1.0, -1.0, 1.0, 0.0, 1.0, 1.0]));
        let expected = [(1f64 / 3.0).sqrt(), 0.5f64.sqrt()];
        for (found, expected) in line.uncertainties(None).iter().zip(expected) {
            assert!((found.unwrap() - expected).abs() < 1e-14);
        }
        // Residuals of one size say the same, those of one point only tell of what it moves.
        for (found, expected) in line.uncertainties(Some(&vec![-2.0; 3])).iter().zip(expected) {
            assert!((found.unwrap() - 2.0 * expected).abs() < 1e-14);
        }
        let found = line.uncertainties(Some(&vec![0.0, 3.0, 0.0]));
        assert!((found[0].unwrap() - 1.0).abs() < 1e-14 && found[1].unwrap() < 1e-14);
        // Two columns alike, and one of zeros.
        let rows = [1.0, 2.0, 1.0, 0.0, 1.0, 2.0, -1.0, 0.0, 1.0, 2.0, 5.0, 0.0];
        let found = Information::new(DMatrix::from_row_slice(3, 4, &rows)).uncertainties(None);
        assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, true, false]);
    }

    #[test]
    fn what_derivatives_promise() {
        let line = Information::new(DMatrix::from_row_slice(3, 2, &[1.0, -1.0, 1.0, 0.0, 1.0, 1.0]));
        assert!((line.promised(&[1.0, 2.0, 3.0]) - 1.0).abs() < 1e-14);
        assert!(line.promised(&[1.0, -2.0, 1.0]) < 1e-14);
        assert_eq!(line.promised(&[0.0; 3]), 0.0);
        assert!((line.promised(&[2.0, -1.0, 2.0]) - 1.0 / 3.0).abs() < 1e-14);
    }
}
