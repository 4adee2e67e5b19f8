//! `widebragg gradcheck`: both directions of differentiation against finite differences, on a small region.
//!
//! For each parameter: pushforward, pixel by pixel, and pullback of the sum of the pixels with fixed weights, against central differences with
//! extrapolation ([`super::differences`]). Errors are relative to the largest derivative by that parameter in the region, for the
//! pullback to the sum of the sizes of its terms; where a parameter hardly matters (the wavelength of a crystal whose matrix scales with it,
//! anything at the very top of a spot), to a ten-thousandth of what would change the brightest pixel by itself. Where images jump (an index half-way between two nodes), steps that reach
//! across are too long: shorter ones are tried where the two disagree. What differences cannot tell to the tolerance is said so, and counts
//! neither way. Exit code 3 when a derivative is wrong, or when differences can tell none.

use serde_json::{Value, json};
use widebragg::gradient::{Moves, Parameter, Variables};
use widebragg::lattice::CrystalShape;
use widebragg::render::Roi;

use super::differences::{Difference, differences};
use super::parameter::{Chosen, Named};
use super::problem::Problem;
use super::{pool, setup};
use crate::console;
use crate::error::Failure;
use crate::evidence;
use crate::options::GradientOptions;
use crate::run::series::inputs;
use crate::run::setup::Setup;

/// Exit code of a derivative that is not its difference.
const WRONG: u8 = 3;

/// What derivatives are small against, as a share of the brightest pixel's value over the first step.
const LEAST: f64 = 1e-4;

/// What the first step turns the phases of the interference function by, in half turns.
const FIRST_PHASE: f64 = 0.02;

/// How much shorter steps are tried where a jump may be in the way.
const SHORTER: [f64; 2] = [50.0, 2500.0];

/// What was found of one parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Checked {
    /// The parameter.
    pub named: Named,
    /// Derivative of the weighted sum, by the pullback, in the parameter's unit.
    pub derivative: f64,
    /// The same by differences.
    pub difference: Difference,
    /// Relative error of the pullback.
    pub pullback: f64,
    /// Largest of the pushforward's pixels.
    pub pushforward: f64,
    /// What the differences themselves may be off by, relative: the largest.
    pub doubt: f64,
}

impl Checked {
    /// Whether the derivative is right; `None` where differences cannot tell.
    #[must_use]
    pub fn is_right(&self, tolerance: f64) -> Option<bool> {
        let right = self.pullback <= tolerance && self.pushforward <= tolerance;
        if right { Some(true) } else { (self.doubt <= tolerance).then_some(false) }
    }
}

/// Checks; `args` is the command line that `options` were read from.
///
/// # Errors
/// The line to tell the user; exit code 3 where a derivative is wrong.
pub fn run(options: &GradientOptions, args: &[String]) -> Result<(), Failure> {
    evidence::recorded(options.render.evidence.as_deref(), args, |evidence| {
        let mut setup = setup(options)?;
        let chosen = Chosen::new(&options.wrt, &setup)?;
        if chosen.parameters.is_empty() {
            return Err(Failure::input("gradcheck: --wrt F alone has no parameter to move"));
        }
        let found = pool(options)?.install(|| {
            if options.render.roi_px.is_none() {
                setup.roi = brightest(&setup)?;
            }
            check(&setup, &chosen.parameters)
        })?;
        let tolerance = options.tolerance;
        let (report, text) = (report(&setup, &found, tolerance), table(&setup, &found, tolerance));
        if let Some(evidence) = evidence {
            inputs(&options.render).for_each(|path| evidence.add_input(path));
            evidence.add_text("gradcheck.json", &format!("{report:#}\n"))?;
        }
        if options.render.json {
            console::print(&format!("{report:#}\n"))?;
        } else if !options.render.quiet {
            console::print(&text)?;
        }
        let wrong = found.iter().filter(|checked| checked.is_right(tolerance) == Some(false)).count();
        let told = found.iter().filter(|checked| checked.is_right(tolerance).is_some()).count();
        match (wrong, told) {
            (0, 0) => Err(Failure::with_code(WRONG, "gradcheck: differences cannot tell any derivative")),
            (0, _) => Ok(()),
            (wrong, _) => Err(Failure::with_code(
                WRONG,
                format!("gradcheck: {wrong} derivatives are beyond {tolerance}"),
            )),
        }
    })
}

/// Two by two pixels about the brightest one.
fn brightest(setup: &Setup) -> Result<Roi, Failure> {
    let image = Problem::new(setup)?.image(&Moves::default())?;
    let columns = setup.detector.fast_pixels;
    let (found, _) = image.iter().enumerate().fold((0, f64::NEG_INFINITY), |(best, most), (i, &pixel)| {
        if pixel > most { (i, pixel) } else { (best, most) }
    });
    let pair = |at: usize, count: usize| (at.min(count.saturating_sub(2)), (at + 1).min(count - 1));
    let (fast_min, fast_max) = pair(found % columns, columns);
    let (slow_min, slow_max) = pair(found / columns, setup.detector.slow_pixels);
    Ok(Roi { fast_min, fast_max, slow_min, slow_max })
}

/// Checks the derivatives by `parameters` over the region of interest of a setup.
///
/// # Errors
/// What the kernel refuses.
pub fn check(setup: &Setup, parameters: &[Named]) -> Result<Vec<Checked>, Failure> {
    let problem = Problem::new(setup)?;
    let moves = Moves::default();
    let weights: Vec<f64> = (0..problem.pixels()).map(|i| 1.0 + 0.37 * (i % 5) as f64).collect();
    let directions = problem.directions(&moves, parameters.iter().map(|named| named.parameter))?;
    let sums = problem.pullback(&moves, &weights, &directions, None)?;
    let weights = region(setup, &weights);
    let brightest = region(setup, &problem.image(&moves)?).into_iter().fold(0.0, f64::max);
    parameters
        .iter()
        .zip(&directions)
        .map(|(named, direction)| one(&problem, named, direction, &sums, &weights, brightest))
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
    let slopes = problem.pushforward(&Moves::default(), core::slice::from_ref(direction))?;
    let slopes = region(problem.setup(), &slopes);
    let first = step_of_phase(problem.setup(), named.parameter, FIRST_PHASE);
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
        // The pixels, and the weighted sum of them after them.
        let found = differences(first / shorter, |by| {
            let mut moves = Moves::default();
            moves.add(named.parameter, by);
            let mut pixels = region(problem.setup(), &problem.image(&moves)?);
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
        // Long steps that settle on the derivative need no shorter ones.
        if checked.pullback.max(checked.pushforward) <= 1e-7 {
            break;
        }
    }
    Ok(checked)
}

/// The pixels of the region of interest.
fn region(setup: &Setup, image: &[f64]) -> Vec<f64> {
    let (roi, columns) = (setup.roi, setup.detector.fast_pixels);
    let rows = image.chunks_exact(columns).skip(roi.slow_min).take(roi.slow_max + 1 - roi.slow_min);
    rows.flat_map(|row| row[roi.fast_min..=roi.fast_max].iter().copied()).collect()
}

/// A step that turns the phases of the interference function by `small` where it turns them most, in the kernel's unit.
pub(super) fn step_of_phase(setup: &Setup, parameter: Parameter, small: f64) -> f64 {
    let cells = match setup.lattice.shape {
        // The radius of these spots is that of so many cells along each axis.
        CrystalShape::Gauss | CrystalShape::Tophat => setup.lattice.cells.iter().product(),
        CrystalShape::Square | CrystalShape::Round => setup.lattice.cells.iter().copied().fold(1.0, f64::max),
    };
    let longest = setup.crystal.cell.lengths_angstrom.iter().copied().fold(0.0, f64::max);
    let lambda_angstrom = setup.lambda0_m / 1e-10;
    let phase = cells * 2.0 / lambda_angstrom;
    let turn = small / (phase * longest);
    let reach = setup.detector.pix0_m.length();
    match parameter {
        Parameter::CellVector(_) | Parameter::CellLength(_) => small / phase,
        Parameter::CellAngle(_) | Parameter::Misset(_) | Parameter::Phi0 => turn,
        Parameter::Osc | Parameter::DetectorRotation(_) => turn,
        Parameter::Wavelength => turn * setup.lambda0_m,
        Parameter::Origin(_) | Parameter::Distance | Parameter::BeamCentre(_) => turn * reach,
        Parameter::FluenceScale => small,
        Parameter::MosaicScale => (turn / setup.mosaic_spread_rad.max(1e-9)).min(small),
        Parameter::DefaultF => small * setup.default_f.abs().max(1.0),
    }
}

fn report(setup: &Setup, found: &[Checked], tolerance: f64) -> Value {
    let Roi { fast_min, fast_max, slow_min, slow_max } = setup.roi;
    let parameters: Vec<Value> = found
        .iter()
        .map(|checked| {
            json!({
                "name": checked.named.name,
                "unit": checked.named.unit,
                "derivative": checked.derivative,
                "difference": checked.difference.value,
                "pullback_error": checked.pullback,
                "pushforward_error": checked.pushforward,
                "difference_error": checked.doubt,
                "right": checked.is_right(tolerance),
            })
        })
        .collect();
    json!({
        "roi": [fast_min, fast_max, slow_min, slow_max], "tolerance": tolerance, "parameters": parameters,
    })
}

fn table(setup: &Setup, found: &[Checked], tolerance: f64) -> String {
    let Roi { fast_min, fast_max, slow_min, slow_max } = setup.roi;
    let mut text = format!(
        "pixels fast {fast_min}..{fast_max}, slow {slow_min}..{slow_max}; errors relative to the largest derivative, tolerance {tolerance}\n\n\
         {:<14} {:<9} {:>15} {:>15}  {:>9}  {:>11}  {:>11}\n",
        "parameter", "unit", "dL/dp", "by differences", "pullback", "pushforward", "differences"
    );
    for checked in found {
        let verdict = match checked.is_right(tolerance) {
            Some(true) => "",
            Some(false) => "  WRONG",
            None => "  cannot be told by differences",
        };
        text.push_str(&format!(
            "{:<14} {:<9} {:>15.8e} {:>15.8e}  {:>9.1e}  {:>11.1e}  {:>11.1e}{verdict}\n",
            checked.named.name,
            checked.named.unit,
            checked.derivative,
            checked.difference.value,
            checked.pullback,
            checked.pushforward,
            checked.doubt,
        ));
    }
    text
}
