//! F(s) as a monotone curve through the points of a table, for spec.

use super::RadialPoint;
use crate::Error;
use crate::arrays::same_length;
use crate::error::require;
use crate::lanes::{LaneMask, Lanes};

/// Coefficients of the cubic after a point.
const TERMS: usize = 4;

/// Bins of the search for a point.
const BINS_PER_POINT: usize = 2;

/// Smallest spacing of two points, in 1/m; the slope between closer ones would be rounding error alone.
const NEAREST_PER_M: f64 = 1.0;

/// F(s) between the points of a table: a cubic between two points, which has no maximum but at points, and is constant
/// beyond the ends.
///
/// **Formula.** With the slopes f' at the points, h = s1 - s0, D = (f1 - f0)/h and t = s - s0,
///
/// ```text
/// F(s) = f0 + f0' t + (3 D - 2 f0' - f1')/h t^2 + (f0' + f1' - 2 D)/h^2 t^3
/// ```
///
/// The slope at a point is the weighted harmonic mean of the D on both sides, and 0 where their signs differ. At the
/// ends it is that of the parabola through three points, limited so that the curve stays monotone.
///
/// **Source.** Fritsch and Butland, SIAM J. Sci. Stat. Comput. 5, 300 (1984), whose slopes satisfy the condition of
/// Fritsch and Carlson, SIAM J. Numer. Anal. 17, 238 (1980).
///
/// ```
/// use widebragg::background::{Curve, RadialPoint};
///
/// let points = [(0.0, 3.0), (0.1, 3.0), (0.2, 8.0), (0.4, 0.0)]
///     .map(|(s, f_electrons)| RadialPoint { s, f_electrons });
/// let mut room = [0.0; Curve::room_len(4)];
/// let curve = Curve::fill(&points, 1e10, &mut room)?; // s in 1/Å
/// let f = [0.05, 0.2, 0.3, 7.0].map(|s| curve.structure_factor(s * 1e10));
/// assert!(f[0] == 3.0 && f[1] == 8.0 && f[2] > 0.0 && f[2] < 8.0 && f[3] == 0.0);
/// # Ok::<(), widebragg::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Curve<'t> {
    /// s of the points, in 1/m.
    knots: &'t [f64],
    /// The coefficients of the cubic after each point, in t.
    cubics: &'t [[f64; TERMS]],
    /// Number of points in the bins before each bin, and in all.
    before: &'t [f64],
    bins_per_m: f64,
}

impl<'t> Curve<'t> {
    /// Length of the buffer for a curve through `points` points.
    #[must_use]
    pub const fn room_len(points: usize) -> usize {
        points.saturating_mul(1 + TERMS + BINS_PER_POINT).saturating_add(1)
    }

    /// Fills a curve. `per_m` converts the s of the points to 1/m.
    ///
    /// **Shapes.** `room` has [`Curve::room_len`] elements.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] for another length; [`Error::OutOfRange`] for a table without points, numbers that are
    /// not finite, and an s that is not above the s before it.
    pub fn fill(points: &[RadialPoint], per_m: f64, room: &'t mut [f64]) -> Result<Self, Error> {
        let count = points.len();
        require(count > 0, "points of a radial table", 0.0, "at least 1")?;
        same_length("curve", room.len(), Self::room_len(count))?;
        for point in points {
            require((point.s * per_m).is_finite(), "s of a radial table", point.s, "finite")?;
            require(true, "F of a radial table", point.f_electrons, "finite")?;
        }
        for (before, after) in points.iter().zip(points.iter().skip(1)) {
            let apart_per_m = (after.s - before.s) * per_m;
            require(apart_per_m >= NEAREST_PER_M, "s of a radial table", after.s, "above the s before it")?;
        }
        let short = || Error::BufferTooShort { buffer: "curve", needed: Self::room_len(count), given: 0 };
        let (knots, rest) = room.split_at_mut_checked(count).ok_or_else(short)?;
        let (coefficients, before) = rest.split_at_mut_checked(count * TERMS).ok_or_else(short)?;
        knots.iter_mut().zip(points).for_each(|(knot, point)| *knot = point.s * per_m);
        fill_coefficients(points, per_m, coefficients);
        let (first, last) = ends(knots);
        let bins = (count * BINS_PER_POINT) as f64;
        let bins_per_m = if last > first { bins / (last - first) } else { 0.0 };
        before.fill(0.0);
        for &knot in knots.iter() {
            let bin = bin_of(knot, first, bins_per_m, bins);
            if let Some(count) = before.get_mut(bin + 1) {
                *count += 1.0;
            }
        }
        let mut sum = 0.0;
        for count in before.iter_mut() {
            sum += *count;
            *count = sum;
        }
        Ok(Self { knots, cubics: coefficients.as_chunks().0, before, bins_per_m })
    }

    /// The s of the first and of the last point, in 1/m.
    #[must_use]
    pub fn ends_per_m(&self) -> (f64, f64) {
        ends(self.knots)
    }

    /// F(s), in electrons.
    #[must_use]
    pub fn structure_factor(&self, s_per_m: f64) -> f64 {
        self.with_slope(s_per_m).0
    }

    /// F(s) and its derivative with respect to s.
    pub(super) fn with_slope(&self, s_per_m: f64) -> (f64, f64) {
        let (first, last) = self.ends_per_m();
        let within = s_per_m >= first && s_per_m <= last;
        let s = s_per_m.clamp(first, last);
        let bins = self.before.len().saturating_sub(1) as f64;
        let bin = bin_of(s, first, self.bins_per_m, bins);
        let before = |bin: usize| self.before.get(bin).map_or(0, |&points| points as usize);
        // The last point at or before s lies between these two, as in `structure_factors`.
        let (lower, upper) = (before(bin).saturating_sub(1), before(bin + 1));
        let between = self.knots.get(lower..upper).unwrap_or_default();
        let knot = lower + between.partition_point(|&knot| knot <= s).saturating_sub(1);
        let (Some(&[f, c1, c2, c3]), Some(&start)) = (self.cubics.get(knot), self.knots.get(knot)) else {
            return (0.0, 0.0);
        };
        let t = s - start;
        let slope = if within { c1 + t * (2.0 * c2 + t * (3.0 * c3)) } else { 0.0 };
        (f + t * (c1 + t * (c2 + t * c3)), slope)
    }

    /// F(s) over lanes.
    #[inline(always)]
    pub(super) fn structure_factors<F: Lanes>(&self, s_per_m: F) -> F {
        let (first, last) = self.ends_per_m();
        let zero = s_per_m.splat_like(0.0);
        let one = s_per_m.splat_like(1.0);
        let all = zero.lt(one);
        let s = s_per_m.max(zero.splat_like(first)).min(zero.splat_like(last));
        let bins = (self.before.len() as f64) - 1.0;
        let bin = ((s - zero.splat_like(first)) * zero.splat_like(self.bins_per_m)).floor();
        let bin = bin.min(zero.splat_like(bins - 1.0));
        // The last point at or before s lies between these two, the second of which is beyond s.
        let mut lower = (bin.gather(self.before, all, zero) - one).max(zero);
        let mut upper = (bin + one).gather(self.before, all, zero);
        loop {
            let apart = (lower + one).lt(upper);
            if !apart.any() {
                break;
            }
            let middle = ((lower + upper) * zero.splat_like(0.5)).floor();
            let is_before = middle.gather(self.knots, apart, zero).le(s) & apart;
            lower = F::select(is_before, middle, lower);
            upper = F::select(apart & !is_before, middle, upper);
        }
        let t = s - lower.gather(self.knots, all, zero);
        let [c0, c1, c2, c3] = lower.load_rows(self.cubics);
        t.mul_add(t.mul_add(t.mul_add(c3, c2), c1), c0)
    }
}

/// The first and the last of some numbers.
#[inline(always)]
fn ends(knots: &[f64]) -> (f64, f64) {
    (knots.first().copied().unwrap_or(0.0), knots.last().copied().unwrap_or(0.0))
}

/// The bin of an s that is not before the first point, as [`Curve::structure_factors`] computes it.
fn bin_of(s: f64, first: f64, bins_per_m: f64, bins: f64) -> usize {
    libm::floor((s - first) * bins_per_m).min(bins - 1.0) as usize
}

/// Fills the coefficients of the cubics: first value and slope of all points, then the two that follow from these.
fn fill_coefficients(points: &[RadialPoint], per_m: f64, coefficients: &mut [f64]) {
    let step = |i: usize| {
        let (&before, &after) = (points.get(i)?, points.get(i.checked_add(1)?)?);
        let h = (after.s - before.s) * per_m;
        Some((h, (after.f_electrons - before.f_electrons) / h))
    };
    for (i, (cubic, point)) in coefficients.chunks_exact_mut(TERMS).zip(points).enumerate() {
        let (left, right) = (i.checked_sub(1).and_then(step), step(i));
        let slope = match (left, right) {
            (Some(left), Some(right)) => middle_slope(left, right),
            (None, Some(right)) => end_slope(right, step(i + 1)),
            (Some(left), None) => end_slope(left, i.checked_sub(2).and_then(step)),
            (None, None) => 0.0,
        };
        cubic.iter_mut().zip([point.f_electrons, slope, 0.0, 0.0]).for_each(|(to, value)| *to = value);
    }
    let mut rest = coefficients;
    for i in 0..points.len() {
        let Some((cubic, after)) = rest.split_first_chunk_mut::<TERMS>() else { break };
        let [_, slope, square, cube] = cubic;
        match (step(i), after.get(1)) {
            (Some((h, steepness)), Some(&next)) => {
                *square = (3.0 * steepness - 2.0 * *slope - next) / h;
                *cube = (*slope + next - 2.0 * steepness) / (h * h);
            }
            // What follows the last point is constant.
            _ => *slope = 0.0,
        }
        rest = after;
    }
}

/// The slope between two intervals, each with its length and steepness.
fn middle_slope((left_h, left): (f64, f64), (right_h, right): (f64, f64)) -> f64 {
    if left * right <= 0.0 {
        return 0.0;
    }
    let (of_left, of_right) = (2.0 * right_h + left_h, right_h + 2.0 * left_h);
    (of_left + of_right) / (of_left / left + of_right / right)
}

/// The slope at the end of an interval that has the other one on its other side.
fn end_slope((h, steepness): (f64, f64), other: Option<(f64, f64)>) -> f64 {
    let Some((other_h, other)) = other else { return steepness };
    let slope = ((2.0 * h + other_h) * steepness - h * other) / (h + other_h);
    if slope * steepness <= 0.0 {
        0.0
    } else if steepness * other <= 0.0 && slope.abs() > 3.0 * steepness.abs() {
        3.0 * steepness
    } else {
        slope
    }
}
