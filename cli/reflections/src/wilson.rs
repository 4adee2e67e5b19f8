//! The absolute scale and overall B of intensities, after Wilson.
//!
//! In a cell of atoms at random places the mean of I = |F|^2 over reflections near a resolution is
//!
//! ```text
//! <I> = epsilon sum_j f_j^2(s) exp(-2 B s^2),   s = sin(theta)/lambda = 1/(2 d)
//! ```
//!
//! over all atoms j of the cell, with epsilon from [`SpaceGroup::epsilon`]. For intensities on an arbitrary scale
//! k (absolute = k times given), ln k and B are those of greatest likelihood for exponentially distributed I:
//! they solve, with mu = epsilon sum f^2 exp(-2 B s^2)/k and the weight w = 1, or 1/2 for centric reflections,
//! whose variance is twice as large,
//!
//! ```text
//! sum w (I/mu - 1) = 0,   sum w s^2 (I/mu - 1) = 0.
//! ```
//!
//! No shells are needed, reflections with I = 0 count as they are, and intensities that follow the formula
//! exactly give k and B exactly. Atoms are not at random places: below about 4 Å proteins do not follow
//! the formula, so limit the resolution.
//!
//! Source: A. J. C. Wilson, Nature 150 (1942) 152; Acta Cryst. 2 (1949) 318-321.
//!
//! [`SpaceGroup::epsilon`]: crate::symmetry::SpaceGroup::epsilon

use crate::cell::Cell;
use crate::expansion::Expansion;
use crate::failure::Failure;
use core::ops::RangeInclusive;

/// Atoms of an average residue of a protein, as CCP4's truncate counts them. Times residues of the asymmetric
/// unit, times the number of operators, they are the atoms of the cell.
pub const RESIDUE: [(&str, f64); 4] = [("C", 5.0), ("N", 1.35), ("O", 1.5), ("H", 8.0)];

/// Fewest reflections from which scale and B are found.
const FEWEST: usize = 20;

/// The absolute scale of intensities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wilson {
    /// k: I on the absolute scale, in electrons squared, is k times the given one. F is sqrt(k) times the given.
    pub intensity_scale: f64,
    /// Overall B in Å^2.
    pub b_square_angstrom: f64,
    /// Number of unique reflections used.
    pub reflections: usize,
}

/// What one reflection tells.
struct Term {
    /// s^2 less its mean.
    x: f64,
    /// I / (epsilon sum f^2).
    ratio: f64,
    weight: f64,
}

/// Finds scale and overall B from the unique reflections with d in a range in Å. `sum_f_squared` gives the sum of
/// f^2 over all atoms of the cell in electrons squared, from s = sin(theta)/lambda in 1/Å.
///
/// # Errors
/// An impossible cell, fewer than 20 reflections with d in the range, intensities that are all 0, all of one
/// resolution, or a sum that is not positive.
pub fn wilson(
    expansion: &Expansion,
    cell: &Cell,
    d_angstrom: RangeInclusive<f64>,
    sum_f_squared: impl Fn(f64) -> f64,
) -> Result<Wilson, Failure> {
    if !cell.is_possible() {
        return Err(Failure::new(format!("there is no cell {cell}")));
    }
    let metric = cell.reciprocal_metric();
    let group = expansion.group();
    let mut terms = Vec::new();
    for unique in expansion.unique() {
        if !d_angstrom.contains(&metric.d_angstrom(unique.hkl)) {
            continue;
        }
        let stol_squared = metric.stol_squared(unique.hkl);
        let expected = group.epsilon(unique.hkl) as f64 * sum_f_squared(stol_squared.sqrt());
        if !(expected > 0.0 && expected < f64::INFINITY) {
            let stol = stol_squared.sqrt();
            return Err(Failure::new(format!(
                "the sum of f^2 at sin(theta)/lambda = {stol} is not positive"
            )));
        }
        let intensity = f64::midpoint(unique.f * unique.f, unique.f_mate * unique.f_mate);
        let weight = if group.is_centric(unique.hkl) { 0.5 } else { 1.0 };
        terms.push(Term { x: stol_squared, ratio: intensity / expected, weight });
    }
    let (from, to) = (d_angstrom.start(), d_angstrom.end());
    if terms.len() < FEWEST {
        let count = terms.len();
        return Err(Failure::new(format!(
            "an absolute scale needs {FEWEST} reflections, there are {count} between {from} and {to} Å"
        )));
    }
    let sum = |value: &dyn Fn(&Term) -> f64| terms.iter().map(|term| term.weight * value(term)).sum::<f64>();
    let weights = sum(&|_| 1.0);
    let middle = sum(&|term| term.x) / weights;
    let mean_ratio = sum(&|term| term.ratio) / weights;
    terms.iter_mut().for_each(|term| term.x -= middle);
    let spread = terms.iter().map(|term| term.x.abs()).fold(0.0, f64::max);
    if !(mean_ratio > 0.0 && mean_ratio < f64::INFINITY && spread > 0.0) {
        return Err(Failure::new(format!(
            "the reflections between {from} and {to} Å give no absolute scale"
        )));
    }
    let [level, slope] = most_likely(&terms, mean_ratio.ln()).ok_or_else(|| {
        Failure::new(format!("the intensities between {from} and {to} Å have no overall scale and B"))
    })?;
    Ok(Wilson {
        intensity_scale: (slope * middle - level).exp(),
        b_square_angstrom: -slope / 2.0,
        reflections: terms.len(),
    })
}

/// The level and slope of ln mu = level + slope x by the equations of the module, from a first level.
fn most_likely(terms: &[Term], level: f64) -> Option<[f64; 2]> {
    let [mut level, mut slope] = [level, 0.0];
    for _ in 0..1000 {
        let mut gradient = [0.0; 2];
        let mut curvature = [0.0; 3];
        for Term { x, ratio, weight } in terms {
            let relative = ratio * (-level - slope * x).exp();
            let (g, c) = (weight * (relative - 1.0), weight * relative.max(1.0));
            gradient = [gradient[0] + g, gradient[1] + g * x];
            curvature = [curvature[0] + c, curvature[1] + c * x, curvature[2] + c * x * x];
        }
        // Newton's step, with a curvature of at least that at the mean: it never overshoots by much where the
        // first guess is far.
        let [g0, g1] = gradient;
        let [c00, c01, c11] = curvature;
        let determinant = c00 * c11 - c01 * c01;
        let step = [(c11 * g0 - c01 * g1) / determinant, (c00 * g1 - c01 * g0) / determinant];
        level += step[0];
        slope += step[1];
        if !(level.is_finite() && slope.is_finite()) {
            return None;
        }
        if step[0].abs() < 1e-13 * level.abs().max(1.0) && step[1].abs() < 1e-12 * slope.abs().max(1.0) {
            return Some([level, slope]);
        }
    }
    None
}
