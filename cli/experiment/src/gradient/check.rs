//! Both directions of differentiation against finite differences, on a small region of each panel.
//!
//! For each parameter the pushforward, pixel by pixel, and the pullback of the sum of the pixels with fixed weights
//! are compared with central differences with extrapolation ([`super::differences`]). Errors are relative to the
//! largest derivative with respect to that parameter in the regions, those of the pullback to the sum of the sizes of
//! its terms. A parameter may hardly matter (the wavelength of a crystal whose matrix scales with it, anything at the
//! very top of a spot): then errors are relative to a ten-thousandth of the derivative that would change the
//! brightest pixel, of the panels that it moves, by itself. Special case: where an image jumps (an index half-way
//! between two nodes), long steps reach across the jump, so shorter ones are tried where derivative and difference
//! disagree.

use widebragg::scene::Roi;

use super::differences::{Difference, differences};
use super::moves::{Moves, PanelGroup};
use super::named::Named;
use super::problem::{Direction, Problem};
use super::spot_width::step_of_phase;
use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::panels::DetectorPanel;

/// Derivatives are small below this fraction of the brightest pixel over the first step.
const LEAST: f64 = 1e-4;

/// Change of the phases of the interference function in the first step, in half turns.
const FIRST_PHASE: f64 = 0.02;

/// Factors by which steps are shortened where the image may jump.
const SHORTER: [f64; 2] = [50.0, 2500.0];

/// The result of the check of one parameter.
#[derive(Debug, Clone, PartialEq)]
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

/// The region of two by two pixels around the brightest pixel of each panel.
///
/// # Errors
/// What the kernel refuses.
pub fn brightest(experiment: &Experiment) -> Result<Vec<Roi>, Failure> {
    let image = Problem::new(experiment, &[])?.image(&Moves::default())?;
    let columns = experiment.columns();
    let region = |(index, panel): (usize, &DetectorPanel)| {
        let rows = panel.detector.slow_pixels;
        let image = image.chunks_exact(columns).skip(experiment.first_row(index)).take(rows).flatten();
        let (found, _) = image.enumerate().fold((0, f64::NEG_INFINITY), |(best, most), (i, &pixel)| {
            if pixel > most { (i, pixel) } else { (best, most) }
        });
        let pair = |at: usize, count: usize| (at.min(count.saturating_sub(2)), (at + 1).min(count - 1));
        let (fast_min, fast_max) = pair(found % columns, columns);
        let (slow_min, slow_max) = pair(found / columns, rows);
        Roi { fast_min, fast_max, slow_min, slow_max }
    };
    Ok(experiment.panels.iter().enumerate().map(region).collect())
}

/// Checks the derivatives with respect to `parameters` over the regions of interest of an experiment. `groups` are
/// those of the parameters.
///
/// # Errors
/// What the kernel refuses.
pub fn check(
    experiment: &Experiment,
    groups: &[PanelGroup],
    parameters: &[Named],
) -> Result<Vec<Checked>, Failure> {
    let problem = Problem::new(experiment, groups)?;
    let moves = Moves::default();
    let weights: Vec<f64> = (0..problem.pixels()).map(|i| 1.0 + 0.37 * (i % 5) as f64).collect();
    let directions = problem.directions(&moves, parameters.iter().map(|named| named.movable))?;
    let (sums, _) = problem.pullback(&moves, &weights, &directions, false)?;
    let weights = region(&problem, &weights, |_| true);
    let image = problem.image(&moves)?;
    let brightest = |direction: &Direction| {
        let moves_any = (0..experiment.panels.len()).any(|panel| direction.moves_panel(panel));
        let pixels = region(&problem, &image, |panel| direction.moves_panel(panel) || !moves_any);
        pixels.into_iter().fold(0.0, f64::max)
    };
    parameters
        .iter()
        .zip(&directions)
        .map(|(named, direction)| {
            one(&problem, named, direction, sums.along(direction), &weights, brightest(direction))
        })
        .collect()
}

fn one(
    problem: &Problem<'_>,
    named: &Named,
    direction: &Direction,
    derivative: f64,
    weights: &[f64],
    brightest: f64,
) -> Result<Checked, Failure> {
    let (slopes, _) = problem.pushforward(&Moves::default(), core::slice::from_ref(direction))?;
    let slopes = region(problem, &slopes, |_| true);
    let first = step_of_phase(problem, named.movable, FIRST_PHASE);
    let least = LEAST * brightest / first;
    let largest = slopes.iter().fold(least, |most: f64, slope| most.max(slope.abs()));
    let size: f64 = slopes.iter().zip(weights).map(|(slope, weight)| (slope * weight).abs()).sum();
    let size = size.max(least);
    let relative = |x: f64, of: f64| if x == 0.0 { 0.0 } else { (x / of).abs() };
    let mut checked = Checked {
        named: named.clone(),
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
            moves.add(named.movable, by);
            let mut pixels = region(problem, &problem.image(&moves)?, |_| true);
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
            ..checked.clone()
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

/// The pixels of the regions of interest of those panels that `has` returns true for.
fn region(problem: &Problem<'_>, image: &[f64], has: impl Fn(usize) -> bool) -> Vec<f64> {
    let experiment = problem.experiment();
    let panels = experiment.panels.iter().enumerate().filter(|(index, _)| has(*index));
    let pixels = panels.flat_map(|(index, panel)| {
        let roi = panel.roi;
        let rows = image.chunks_exact(experiment.columns()).skip(experiment.first_row(index) + roi.slow_min);
        let rows = rows.take(roi.slow_max + 1 - roi.slow_min);
        rows.flat_map(move |row| row[roi.fast_min..=roi.fast_max].iter().copied())
    });
    pixels.collect()
}
