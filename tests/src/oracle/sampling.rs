//! The number of steps along an axis: the reference's rules for count, range and step.
//!
//! Each of the three may be unset, and the rules fill in the others. An axis without any range or step gets
//! one step of width 0. Phi has rules of its own.

use core::f64::consts::PI;

/// Upper limit for the number of steps along one axis; more is taken for a mistake.
const MOST_STEPS: f64 = 1e6;

/// The values of one axis on the command line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    /// Number of steps.
    pub count: Option<i64>,
    /// Full range, in the axis' unit.
    pub range: Option<f64>,
    /// Step, in the axis' unit.
    pub step: Option<f64>,
}

/// The steps along one axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steps {
    /// Number of steps, at least 1.
    pub count: usize,
    /// Full range.
    pub range: f64,
    /// Distance from one step to the next.
    pub step: f64,
}

/// The phi steps, in radians. A negative value counts as unset, and a count of 0 as 1.
///
/// # Errors
/// When there are too many steps.
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
    // With a range of 0 and a step, the reference renders no step at all, which is of no use; here it is one.
    Ok(Steps { count: checked("phi", count.max(1.0))?, range, step })
}

/// The steps of divergence (radians) or dispersion (a fraction). A count or step not above 0, or a negative
/// range, counts as unset.
///
/// # Errors
/// When there are too many steps.
pub fn axis_steps(name: &str, request: Request) -> Result<Steps, String> {
    by_rule(name, request, 1.0)
}

/// The layers of the sensor (metres). A range alone makes two layers, where other axes have a step at each
/// end.
///
/// # Errors
/// When there are too many layers.
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
