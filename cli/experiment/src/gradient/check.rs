//! Both directions of differentiation against finite differences, on a small region.
//!
//! For each parameter the pushforward, pixel by pixel, and the pullback of the sum of the pixels with fixed
//! weights are compared with central differences with extrapolation ([`super::differences`]). Errors are
//! relative to the largest derivative with respect to that parameter in the region, those of the pullback to
//! the sum of the sizes of its terms. A parameter may hardly matter (the wavelength of a crystal whose matrix
//! scales with it, anything at the very top of a spot): then errors are relative to a ten-thousandth of the
//! derivative that would change the brightest pixel by itself. Special case: where an image jumps (an index
//! half-way between two nodes), long steps reach across the jump, so shorter ones are tried where derivative
//! and difference disagree.

use widebragg::gradient::{Moves, Variables};
use widebragg::scene::Roi;

use super::differences::{Difference, differences};
use super::named::Named;
use super::problem::Problem;
use super::spot_width::step_of_phase;
use crate::experiment::Experiment;
use crate::failure::Failure;

/// Derivatives are small below this fraction of the brightest pixel over the first step.
const LEAST: f64 = 1e-4;

/// Change of the phases of the interference function in the first step, in half turns.
const FIRST_PHASE: f64 = 0.02;

/// Factors by which steps are shortened where the image may jump.
const SHORTER: [f64; 2] = [50.0, 2500.0];

/// The result of the check of one parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Checked {
    /// The parameter.
    pub named: Named,
    /// Derivative of the weighted sum, by the pullback, in the parameter's unit.
    pub derivative: f64,
    /// The same by finite differences.
    pub difference: Difference,
    /// Relative error of the pullback.
    pub pullback: f64,
    /// Largest relative error of the pixels of the pushforward.
    pub pushforward: f64,
    /// Largest relative uncertainty of the finite differences.
    pub doubt: f64,
}

impl Checked {
    /// Whether the derivative is right; `None` where the finite differences are too uncertain.
    #[must_use]
    pub fn is_right(&self, tolerance: f64) -> Option<bool> {
        let right = self.pullback <= tolerance && self.pushforward <= tolerance;
        if right { Some(true) } else { (self.doubt <= tolerance).then_some(false) }
    }
}

/// The region of two by two pixels around the brightest pixel.
///
/// # Errors
/// What the kernel refuses.
pub fn brightest(experiment: &Experiment) -> Result<Roi, Failure> {
    let image = Problem::new(experiment)?.image(&Moves::default())?;
    let columns = experiment.columns();
    let (found, _) = image.iter().enumerate().fold((0, f64::NEG_INFINITY), |(best, most), (i, &pixel)| {
        if pixel > most { (i, pixel) } else { (best, most) }
    });
    let pair = |at: usize, count: usize| (at.min(count.saturating_sub(2)), (at + 1).min(count - 1));
    let (fast_min, fast_max) = pair(found % columns, columns);
    let (slow_min, slow_max) = pair(found / columns, experiment.rows());
    Ok(Roi { fast_min, fast_max, slow_min, slow_max })
}

/// Checks the derivatives with respect to `parameters` over the region of interest of an experiment.
///
/// # Errors
/// What the kernel refuses.
pub fn check(experiment: &Experiment, parameters: &[Named]) -> Result<Vec<Checked>, Failure> {
    let problem = Problem::new(experiment)?;
    let moves = Moves::default();
    let weights: Vec<f64> = (0..problem.pixels()).map(|i| 1.0 + 0.37 * (i % 5) as f64).collect();
    let directions = problem.directions(&moves, parameters.iter().map(|named| named.parameter))?;
    let (sums, _) = problem.pullback(&moves, &weights, &directions, false)?;
    let weights = region(&problem, &weights);
    let brightest = region(&problem, &problem.image(&moves)?).into_iter().fold(0.0, f64::max);
    parameters
        .iter()
        .zip(&directions)
        .map(|(named, direction)| one(&problem, named, direction, &sums.variables, &weights, brightest))
        .collect()
}

fn one(
    problem: &Problem<'_>,
    named: &Named,
    direction: &Variables,
    sums: &Variables,
    weights: &[f64],
    brightest: f64,
) -> Result<Checked, Failure> {
    let (slopes, _) = problem.pushforward(&Moves::default(), core::slice::from_ref(direction))?;
    let slopes = region(problem, &slopes);
    let first = step_of_phase(problem.experiment(), named.parameter, FIRST_PHASE);
    let least = LEAST * brightest / first;
    let largest = slopes.iter().fold(least, |most: f64, slope| most.max(slope.abs()));
    let size: f64 = slopes.iter().zip(weights).map(|(slope, weight)| (slope * weight).abs()).sum();
    let size = size.max(least);
    let derivative = sums.dot(direction);
    let relative = |x: f64, of: f64| if x == 0.0 { 0.0 } else { (x / of).abs() };
    let mut checked = Checked {
        named: *named,
        derivative: derivative * named.per_unit,
        difference: Difference { value: 0.0, error: f64::INFINITY },
        pullback: f64::INFINITY,
        pushforward: f64::INFINITY,
        doubt: f64::INFINITY,
    };
    for shorter in [1.0].into_iter().chain(SHORTER) {
        // The pixels, followed by their weighted sum.
        let found = differences(first / shorter, |by| {
            let mut moves = Moves::default();
            moves.add(named.parameter, by);
            let mut pixels = region(problem, &problem.image(&moves)?);
            let sum: f64 = pixels.iter().zip(weights).map(|(pixel, weight)| pixel * weight).sum();
            pixels.push(sum);
            Ok::<_, Failure>(pixels)
        })?;
        let Some((sum, pixels)) = found.split_last() else { break };
        let errors = pixels.iter().zip(&slopes).map(|(d, slope)| relative(d.value - slope, largest));
        let doubts = pixels.iter().map(|d| relative(d.error, largest)).fold(0.0, f64::max);
        let now = Checked {
            difference: Difference { value: sum.value * named.per_unit, error: sum.error * named.per_unit },
            pullback: relative(sum.value - derivative, size),
            pushforward: errors.fold(0.0, f64::max),
            doubt: doubts.max(relative(sum.error, size)),
            ..checked
        };
        if now.pullback.max(now.pushforward) < checked.pullback.max(checked.pushforward) {
            checked = now;
        }
        // Where long steps agree with the derivative, shorter ones are not needed.
        if checked.pullback.max(checked.pushforward) <= 1e-7 {
            break;
        }
    }
    Ok(checked)
}

/// The pixels of the region of interest.
fn region(problem: &Problem<'_>, image: &[f64]) -> Vec<f64> {
    let (roi, columns) = (problem.panel().roi, problem.experiment().columns());
    let rows = image.chunks_exact(columns).skip(roi.slow_min).take(roi.slow_max + 1 - roi.slow_min);
    rows.flat_map(|row| row[roi.fast_min..=roi.fast_max].iter().copied()).collect()
}
