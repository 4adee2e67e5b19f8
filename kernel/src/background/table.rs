//! Structure factors of a molecule as a function of s.

use crate::Error;
use crate::arrays::same_length;
use crate::error::require;

/// Number of guards at each end of a table.
const GUARDS: usize = 2;

/// The s of the guards at the end, in 1/m; those at the begin are their negatives.
const GUARDS_AT: [f64; GUARDS] = [1e98, 1e99];

/// A point of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RadialPoint {
    /// s, in any unit.
    pub s: f64,
    /// F, in electrons; NaN where it is missing, which counts as 0.
    pub f_electrons: f64,
}

/// F(s) between the points of a table, with two guards at each end.
///
/// **Formula.** Between the points before and after s, F is the cubic through these two and their neighbours. The
/// guards lie so far away that what is left of the cubic is the parabola through three points in the first and last
/// interval, and the line through two points beyond the ends. Two points of the same s give NaN.
///
/// **Source.** `polint` and the search before it in `nonBragg.c`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RadialTable<'t> {
    s_per_m: &'t [f64],
    f_electrons: &'t [f64],
    is_ordered: bool,
}

/// Where the search in a table ended. In a table that is not ordered the next search depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Search(usize);

impl Search {
    /// The index before s, guards counted.
    #[must_use]
    pub fn node(self) -> usize {
        self.0
    }
}

impl<'t> RadialTable<'t> {
    /// Number of entries, with the guards, that a table of `points` points takes.
    #[must_use]
    pub const fn entries(points: usize) -> usize {
        points.saturating_add(2 * GUARDS)
    }

    /// Fills a table. `per_m` converts the s of the points to 1/m.
    ///
    /// **Shapes.** `s_per_m` and `f_electrons` have [`RadialTable::entries`] elements.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] for other lengths, [`Error::OutOfRange`] for a table without points.
    pub fn fill(
        points: &[RadialPoint],
        per_m: f64,
        s_per_m: &'t mut [f64],
        f_electrons: &'t mut [f64],
    ) -> Result<Self, Error> {
        require(!points.is_empty(), "points of a radial table", 0.0, "at least 1")?;
        for given in [s_per_m.len(), f_electrons.len()] {
            same_length("radial table", given, Self::entries(points.len()))?;
        }
        let mut known = points.iter().map(|point| point.f_electrons).filter(|f| !f.is_nan());
        let first = known.next().unwrap_or(0.0);
        let last = known.next_back().unwrap_or(first);
        let [near, far] = GUARDS_AT;
        let before = [(-far, first), (-near, first)];
        let after = [(near, last), (far, last)];
        let between = points
            .iter()
            .map(|&RadialPoint { s, f_electrons: f }| (s * per_m, if f.is_nan() { 0.0 } else { f }));
        let entries = before.into_iter().chain(between).chain(after);
        for ((to_s, to_f), entry) in s_per_m.iter_mut().zip(f_electrons.iter_mut()).zip(entries) {
            (*to_s, *to_f) = entry;
        }
        let is_ordered = s_per_m.is_sorted_by(|a, b| a < b);
        Ok(Self { s_per_m, f_electrons, is_ordered })
    }

    /// s of all points in 1/m, guards included.
    #[must_use]
    pub fn s_per_m(&self) -> &'t [f64] {
        self.s_per_m
    }

    /// Whether each s is above the one before, so that no result depends on the search before it.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        self.is_ordered
    }

    /// F(s), in electrons.
    #[must_use]
    pub fn structure_factor(&self, search: &mut Search, s_per_m: f64) -> f64 {
        let node = |index: usize| self.s_per_m.get(index).copied();
        while node(search.0).is_some_and(|node| s_per_m > node) {
            search.0 += 1;
        }
        while search.0 >= 2 && node(search.0).is_some_and(|node| s_per_m < node) {
            search.0 -= 1;
        }
        let first = search.0.saturating_sub(1);
        let nearest = |of: &[f64]| of.get(first..).and_then(|rest| rest.first_chunk::<4>().copied());
        match (nearest(self.s_per_m), nearest(self.f_electrons)) {
            (Some(s), Some(f)) => lagrange(s, f, s_per_m),
            _ => f64::NAN,
        }
    }

    /// The index of the point that is nearest to an evaluation's s, one of the two about it.
    #[must_use]
    pub fn nearest_point(&self, at: &super::Evaluation) -> usize {
        let node = |index: usize| self.s_per_m.get(index).copied().unwrap_or(f64::NAN);
        let middle = (node(at.node) + node(at.node + 1)) / 2.0;
        at.node + usize::from(at.s_per_m > middle)
    }
}

/// The cubic through four points, in Lagrange's form.
fn lagrange([s0, s1, s2, s3]: [f64; 4], [f0, f1, f2, f3]: [f64; 4], s: f64) -> f64 {
    let [d0, d1, d2, d3] = [s - s0, s - s1, s - s2, s - s3];
    let at0 = d1 * d2 * d3 * f0 / ((s0 - s1) * (s0 - s2) * (s0 - s3));
    let at1 = d0 * d2 * d3 * f1 / ((s1 - s0) * (s1 - s2) * (s1 - s3));
    let at2 = d0 * d1 * d3 * f2 / ((s2 - s0) * (s2 - s1) * (s2 - s3));
    let at3 = d0 * d1 * d2 * f3 / ((s3 - s0) * (s3 - s1) * (s3 - s2));
    at0 + at1 + at2 + at3
}
