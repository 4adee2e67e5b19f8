//! How many steps an axis takes: the count, range and step rules of the reference.
//!
//! Each of the three may be unset; the rules fill in the others. An axis that ends with nothing to step over collapses
//! to one step of zero. Sources: section 7 of the reference description, phi apart from the other axes.

use core::f64::consts::PI;

/// More steps than this on one axis is taken for a mistake instead of running for weeks.
const MOST_STEPS: f64 = 1e6;

/// What the command line said about one axis.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    /// Number of steps.
    pub count: Option<i64>,
    /// Full range, in the axis' unit.
    pub range: Option<f64>,
    /// Step, in the axis' unit.
    pub step: Option<f64>,
}

/// What the rules make of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steps {
    /// Number of steps, at least 1.
    pub count: usize,
    /// Full range.
    pub range: f64,
    /// Distance from one step to the next.
    pub step: f64,
}

/// Phi (radians): unset means negative, a count of 0 means 1.
///
/// # Errors
/// When the number of steps is not sensible.
pub fn phi_steps(request: Request) -> Result<Steps, String> {
    let count = request.count.filter(|&n| n >= 0).map(|n| n.max(1) as f64);
    let range = request.range.filter(|&r| r >= 0.0);
    let step = request.step.filter(|&s| s >= 0.0);
    let (count, range, step) = match (count, range, step) {
        (None, None, None) => (1.0, 0.0, 0.0),
        (_, None, Some(s)) => (2.0, s, s),
        (None, Some(r), None) => (2.0, r, r / 2.0),
        (None, Some(r), Some(s)) => ((r / s).ceil(), r, s),
        (Some(n), None, None) => (n, PI / 180.0, PI / 180.0 / n),
        (Some(n), Some(r), None) => (n, r, r / n),
        (Some(n), Some(r), Some(s)) => (n, r, s),
    };
    // A range of zero with a step leaves no step at all: the reference then renders nothing, which helps nobody.
    Ok(Steps { count: checked("phi", count.max(1.0))?, range, step })
}

/// Divergence (radians) and dispersion (a fraction): unset means a count or step not above 0, a negative range.
///
/// # Errors
/// When the number of steps is not sensible.
pub fn axis_steps(name: &str, request: Request) -> Result<Steps, String> {
    by_rule(name, request, 1.0)
}

/// Sensor thickness (metres): a lone range is cut in two layers, where other axes put a step at each end.
///
/// # Errors
/// When the number of layers is not sensible.
pub fn thickness_steps(request: Request) -> Result<Steps, String> {
    by_rule("thickness", request, 0.5)
}

fn by_rule(name: &str, request: Request, lone_range_step: f64) -> Result<Steps, String> {
    let count = request.count.filter(|&n| n > 0).map(|n| n as f64);
    let range = request.range.filter(|&r| r >= 0.0);
    let step = request.step.filter(|&s| s > 0.0);
    let (count, range, step) = match (count, range, step) {
        (None, None, None) => (1.0, 0.0, 0.0),
        (_, None, Some(s)) => (2.0, s, s),
        (None, Some(r), None) => (2.0, r, r * lone_range_step),
        (None, Some(r), Some(s)) => ((r / s).ceil(), r, s),
        (Some(n), None, None) => (n, 1.0, 1.0 / n),
        (Some(n), Some(r), None) => (n.max(2.0), r, r / (n.max(2.0) - 1.0)),
        (Some(n), Some(r), Some(s)) => (n, r, s),
    };
    if count <= 0.0 || range <= 0.0 || step <= 0.0 {
        return Ok(Steps { count: 1, range: 0.0, step: 0.0 });
    }
    Ok(Steps { count: checked(name, count)?, range, step })
}

fn checked(name: &str, count: f64) -> Result<usize, String> {
    if count <= MOST_STEPS { Ok(count as usize) } else { Err(format!("{name}: {count} steps are too many")) }
}
