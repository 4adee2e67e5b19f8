//! How many steps a range is sampled with, when count, range and step are partly given.
//!
//! Source: the reference's rules, reproduced with their oddities (a step alone means two steps of it).
//! phi has a table of its own ([`phi_steps`]); divergence, dispersion and sensor thickness share [`axis_steps`].

use crate::Error;

/// What the user gave; `None` is not given. Lengths, angles or fractions: the unit of the axis.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StepRequest {
    /// Number of steps.
    pub count: Option<i64>,
    /// Range from the first to past the last step.
    pub range: Option<f64>,
    /// Size of a step.
    pub step: Option<f64>,
}

/// How an axis is sampled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steps {
    /// Number of steps, at least 1.
    pub count: usize,
    /// Range.
    pub range: f64,
    /// Size of a step.
    pub step: f64,
}

impl Steps {
    /// A single step of no size.
    pub const ONE: Self = Self { count: 1, range: 0.0, step: 0.0 };
}

/// Subpixels as the user asked for them, and the factors that are evaluated for each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OversampleRequest {
    /// Subpixels along each axis; `None`: as many as resolve the spots.
    pub per_axis: Option<usize>,
    /// Capture at every subpixel, multiplied into the running sum.
    pub thick: bool,
    /// Polarisation at every subpixel and source, multiplied into the running sum.
    pub polar: bool,
    /// Solid angle at every subpixel, multiplied into the running sum.
    pub omega: bool,
}

/// The axes that [`axis_steps`] samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Beam divergence, horizontal or vertical, in rad.
    Divergence,
    /// Wavelength spread, as a fraction.
    Dispersion,
    /// Sensor thickness, in m.
    Thickness,
}

/// Beyond this no loop is meant: 2^40 steps of a nanosecond take a quarter of an hour.
const MOST_STEPS: f64 = 1_099_511_627_776.0;

fn count_of(steps: f64) -> Result<usize, Error> {
    if steps.is_nan() || steps > MOST_STEPS || steps > usize::MAX as f64 {
        return Err(Error::TooLarge { quantity: "number of steps" });
    }
    Ok(if steps < 0.0 { 0 } else { steps as usize })
}

/// Sampling of the rotation: range osc, step phistep, in rad.
///
/// Negative count, range or step count as not given; a count of 0 as 1.
///
/// # Errors
/// [`Error::TooLarge`] when range/step is more than can be counted.
pub fn phi_steps(request: StepRequest) -> Result<Steps, Error> {
    let count = request.count.filter(|&n| n >= 0).map(|n| n.max(1));
    let range = request.range.filter(|&r| r >= 0.0);
    let step = request.step.filter(|&s| s >= 0.0);
    let one_degree = core::f64::consts::PI / 180.0;
    Ok(match (count, range, step) {
        (None, None, None) => Steps::ONE,
        (_, None, Some(step)) => Steps { count: 2, range: step, step },
        (None, Some(range), None) => Steps { count: 2, range, step: range / 2.0 },
        (None, Some(range), Some(step)) => {
            // No range, or no step, is one step.
            let count =
                if range > 0.0 && step > 0.0 { count_of(libm::ceil(range / step))?.max(1) } else { 1 };
            Steps { count, range, step }
        }
        (Some(n), range, None) => {
            let range = range.unwrap_or(one_degree);
            Steps { count: count_of(n as f64)?, range, step: range / n as f64 }
        }
        (Some(n), Some(range), Some(step)) => Steps { count: count_of(n as f64)?, range, step },
    })
}

/// Sampling of divergence, dispersion or thickness.
///
/// Count or step not positive, or range negative, count as not given; whatever then has a range, step or count of
/// zero collapses to a single step.
///
/// # Errors
/// [`Error::TooLarge`] when range/step is more than can be counted.
pub fn axis_steps(axis: Axis, request: StepRequest) -> Result<Steps, Error> {
    let count = request.count.filter(|&n| n > 0).map(|n| n as f64);
    // Dispersion and thickness start from a range of zero, divergence from none at all.
    let given = if axis == Axis::Divergence { request.range } else { request.range.or(Some(0.0)) };
    let range = given.filter(|&r| r >= 0.0);
    let step = request.step.filter(|&s| s > 0.0);
    let (count, range, step) = match (count, range, step) {
        (None, None, None) => (1.0, 0.0, 0.0),
        (_, None, Some(step)) => (2.0, step, step),
        (None, Some(range), None) => (2.0, range, if axis == Axis::Thickness { range / 2.0 } else { range }),
        (None, Some(range), Some(step)) => (libm::ceil(range / step), range, step),
        (Some(n), None, None) => (n, 1.0, 1.0 / n),
        (Some(n), Some(range), None) => (n.max(2.0), range, range / (n.max(2.0) - 1.0)),
        (Some(n), Some(range), Some(step)) => (n, range, step),
    };
    if !(count > 0.0 && range > 0.0 && step > 0.0) {
        return Ok(Steps::ONE);
    }
    Ok(Steps { count: count_of(count)?, range, step })
}
