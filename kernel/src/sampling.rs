//! The number of steps that sample a range, from any of a count, a range and a step size.
//!
//! **Source.** The rules of `nanoBragg.c`, with their peculiarities: a step size alone gives two steps of it.
//! phi has rules of its own ([`phi_steps`]); divergence, dispersion and sensor thickness share
//! [`axis_steps`]. Tested by `tests/tests/kernel_beam.rs`.
//!
//! **Units.** Those of the axis: rad, m, or a fraction of the wavelength.
//!
//! ```
//! use widebragg::sampling::{Axis, StepRequest, Steps, axis_steps, phi_steps};
//!
//! // An oscillation of 1 rad in steps of 0.25 rad.
//! let request = StepRequest { range: Some(1.0), step: Some(0.25), ..Default::default() };
//! assert_eq!(phi_steps(request)?, Steps { count: 4, range: 1.0, step: 0.25 });
//!
//! // A divergence of 1 mrad in three steps, from end to end.
//! let request = StepRequest { count: Some(3), range: Some(1e-3), ..Default::default() };
//! assert_eq!(axis_steps(Axis::Divergence, request)?, Steps { count: 3, range: 1e-3, step: 5e-4 });
//! # Ok::<(), widebragg::Error>(())
//! ```

use crate::Error;

/// The quantities that the user gives, in the unit of the axis; `None` is not given.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StepRequest {
    /// Number of steps.
    pub count: Option<i64>,
    /// Range that the steps cover.
    pub range: Option<f64>,
    /// Size of a step.
    pub step: Option<f64>,
}

/// The sampling of an axis, in its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steps {
    /// Number of steps, at least 1.
    pub count: usize,
    /// Range that the steps cover.
    pub range: f64,
    /// Size of a step.
    pub step: f64,
}

impl Steps {
    /// A single step of size 0.
    pub const ONE: Self = Self { count: 1, range: 0.0, step: 0.0 };
}

/// The oversampling that the user requests, and the factors that are evaluated for each subpixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OversampleRequest {
    /// Number of subpixels along each axis; with `None`, as many as resolve the spots.
    pub per_axis: Option<usize>,
    /// Whether the captured fraction is evaluated at every subpixel, not at the first alone.
    pub thick: bool,
    /// Whether the polarisation is evaluated at every subpixel and source, not at the first alone.
    pub polar: bool,
    /// Whether the solid angle is evaluated at every subpixel, not at the first alone.
    pub omega: bool,
}

/// The quantities that [`axis_steps`] samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Beam divergence, horizontal or vertical, in rad.
    Divergence,
    /// Wavelength spread, as a fraction.
    Dispersion,
    /// Sensor thickness, in m.
    Thickness,
}

/// The largest number of steps, 2^40. A loop of 2^40 steps of 1 ns takes a quarter of an hour.
const MOST_STEPS: f64 = 1_099_511_627_776.0;

fn count_of(steps: f64) -> Result<usize, Error> {
    if steps.is_nan() || steps > MOST_STEPS || steps > usize::MAX as f64 {
        return Err(Error::TooLarge { quantity: "number of steps" });
    }
    Ok(if steps < 0.0 { 0 } else { steps as usize })
}

/// Computes the sampling of the phi rotation, in rad: the range is the oscillation, the step that of phi.
///
/// A negative count, range or step counts as not given, and a count of 0 as 1.
///
/// # Errors
/// [`Error::TooLarge`] if range/step is too large for a number of steps.
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
            // A range or step of 0 gives one step.
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

/// Computes the sampling of divergence, dispersion or thickness.
///
/// A count or step that is not positive, or a range that is negative, counts as not given. If the resulting
/// range, step or count is 0, the result is a single step.
///
/// # Errors
/// [`Error::TooLarge`] if range/step is too large for a number of steps.
pub fn axis_steps(axis: Axis, request: StepRequest) -> Result<Steps, Error> {
    let count = request.count.filter(|&n| n > 0).map(|n| n as f64);
    // Dispersion and thickness have a default range of 0; divergence has none.
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
