//! The points of a periodic grid inside ellipsoids, plane by plane and row by row.
//!
//! An ellipsoid holds the points at which d Q d <= limit, d the distance from its centre in steps of the grid. In a
//! row along the third axis this is one interval, so neither densities nor masks test single points.

use crate::error::{Error, zeros};
use widebragg_reflections::cell::{Cell, Matrix};

/// An ellipsoid, in steps of the grid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ellipsoid {
    pub(crate) centre: [f64; 3],
    /// Q, as uu vv ww uv uw vw.
    pub(crate) form: [f64; 6],
    pub(crate) limit: f64,
}

/// Part of a row of the grid inside an ellipsoid.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// v, within the grid.
    pub(crate) v: usize,
    /// First and last w, perhaps outside of the grid.
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// d Q d at w is `ww` (w - c)^2 + 2 `half_slope` (w - c) + `constant`, c the centre along w.
    pub(crate) half_slope: f64,
    pub(crate) constant: f64,
}

/// The integers n for which a n^2 + 2 b n + c <= 0 after n is measured from `centre`; a > 0.
fn between_roots(a: f64, b: f64, c: f64, centre: f64) -> Option<(i64, i64)> {
    let discriminant = b * b - a * c;
    if discriminant.is_nan() || discriminant < 0.0 {
        return None;
    }
    let root = discriminant.sqrt();
    let (first, last) = ((centre + (-b - root) / a).ceil() as i64, (centre + (-b + root) / a).floor() as i64);
    (first <= last).then_some((first, last))
}

impl Ellipsoid {
    /// The rows of plane `u`, which is counted without wrapping.
    pub(crate) fn rows(&self, u: i64, nv: usize) -> impl Iterator<Item = Row> {
        let [uu, vv, ww, uv, uw, vw] = self.form;
        let [cu, cv, cw] = self.centre;
        let limit = self.limit;
        let du = u as f64 - cu;
        let (first, last) = between_roots(
            vv - vw * vw / ww,
            (uv - uw * vw / ww) * du,
            (uu - uw * uw / ww) * du * du - limit,
            cv,
        )
        .unwrap_or((0, -1));
        (first..=last).filter_map(move |v| {
            let dv = v as f64 - cv;
            let half_slope = uw * du + vw * dv;
            let constant = uu * du * du + 2.0 * uv * du * dv + vv * dv * dv;
            let (first, last) = between_roots(ww, half_slope, constant - limit, cw)?;
            Some(Row { v: v.rem_euclid(nv as i64) as usize, first, last, half_slope, constant })
        })
    }

    /// First and last plane that it touches, without wrapping.
    fn planes(&self) -> (i64, i64) {
        // The largest |d_u| is the root of limit times the uu entry of the inverse of Q.
        let [uu, vv, ww, uv, uw, vw] = self.form;
        let minor = vv * ww - vw * vw;
        let determinant = uu * minor - uv * (uv * ww - vw * uw) + uw * (uv * vw - vv * uw);
        let reach = (self.limit * minor / determinant).sqrt();
        ((self.centre[0] - reach).ceil() as i64, (self.centre[0] + reach).floor() as i64)
    }

    /// Number of grid points inside, about.
    pub(crate) fn points(&self) -> f64 {
        let [uu, vv, ww, uv, uw, vw] = self.form;
        let determinant = uu * (vv * ww - vw * vw) - uv * (uv * ww - vw * uw) + uw * (uv * vw - vv * uw);
        4.0 / 3.0 * core::f64::consts::PI * self.limit.powi(3).sqrt() / determinant.sqrt()
    }
}

/// Which ellipsoids touch each plane of a grid.
#[derive(Debug)]
pub(crate) struct Planes {
    /// Where the entries of a plane begin; one more than planes.
    starts: Vec<usize>,
    /// Position of the ellipsoid, and the plane without wrapping.
    entries: Vec<(u32, i32)>,
}

impl Planes {
    pub(crate) fn new(ellipsoids: &[Ellipsoid], nu: usize) -> Result<Self, Error> {
        let wrapped = |u: i64| u.rem_euclid(nu as i64) as usize;
        let mut starts = zeros(nu + 1)?;
        for ellipsoid in ellipsoids {
            let (first, last) = ellipsoid.planes();
            (first..=last).for_each(|u| starts[wrapped(u) + 1] += 1);
        }
        for plane in 0..nu {
            starts[plane + 1] += starts[plane];
        }
        let mut entries = zeros(starts[nu])?;
        let mut next = starts.clone();
        for (index, ellipsoid) in ellipsoids.iter().enumerate() {
            let (first, last) = ellipsoid.planes();
            for u in first..=last {
                let place = &mut next[wrapped(u)];
                entries[*place] = (index as u32, u as i32);
                *place += 1;
            }
        }
        Ok(Self { starts, entries })
    }

    /// The ellipsoids that touch a plane, with the number of the plane without wrapping.
    pub(crate) fn of(&self, plane: usize) -> impl Iterator<Item = (usize, i64)> {
        let entries = &self.entries[self.starts[plane]..self.starts[plane + 1]];
        entries.iter().map(|&(index, u)| (index as usize, i64::from(u)))
    }
}

/// G: from steps of a grid to Å.
pub(crate) fn steps_to_angstrom(cell: &Cell, size: [usize; 3]) -> Matrix {
    cell.orthogonal().map(|row| core::array::from_fn(|i| row[i] / size[i] as f64))
}

/// The pieces of `first..=last` of a periodic row, each within 0..nw; a piece is its begin, its end, and the place of
/// its begin in the whole.
pub(crate) fn pieces(first: i64, last: i64, nw: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let count = (last - first + 1) as usize;
    let start = first.rem_euclid(nw as i64) as usize;
    let mut done = 0;
    core::iter::from_fn(move || {
        let begin = (start + done) % nw;
        let length = (nw - begin).min(count - done);
        let piece = (begin, begin + length, done);
        done += length;
        (length > 0).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_rows_hold_the_points_inside_and_no_others() {
        let size = [6_usize, 7, 5];
        // Wider than the grid along w, so that points are met more than once.
        let ellipsoid =
            Ellipsoid { centre: [5.3, -0.4, 2.2], form: [1.0, 1.3, 0.4, 0.3, -0.2, 0.1], limit: 3.9 };
        let mut expected: BTreeMap<[usize; 3], usize> = BTreeMap::new();
        let wrap = |n: i64, i: usize| n.rem_euclid(size[i] as i64) as usize;
        for u in -20..30_i64 {
            for v in -20..30_i64 {
                for w in -20..30_i64 {
                    let d = [u as f64 - 5.3, v as f64 + 0.4, w as f64 - 2.2];
                    let [uu, vv, ww, uv, uw, vw] = ellipsoid.form;
                    let squares = uu * d[0] * d[0] + vv * d[1] * d[1] + ww * d[2] * d[2];
                    let mixed = uv * d[0] * d[1] + uw * d[0] * d[2] + vw * d[1] * d[2];
                    if squares + 2.0 * mixed <= 3.9 {
                        *expected.entry([wrap(u, 0), wrap(v, 1), wrap(w, 2)]).or_default() += 1;
                    }
                }
            }
        }
        let planes = Planes::new(&[ellipsoid], size[0]).unwrap();
        let mut found: BTreeMap<[usize; 3], usize> = BTreeMap::new();
        for plane in 0..size[0] {
            for (index, u) in planes.of(plane) {
                assert_eq!((index, wrap(u, 0)), (0, plane));
                for row in ellipsoid.rows(u, size[1]) {
                    let mut met = 0;
                    for (begin, end, done) in pieces(row.first, row.last, size[2]) {
                        assert_eq!(met, done);
                        met += end - begin;
                        for w in begin..end {
                            *found.entry([plane, row.v, w]).or_default() += 1;
                        }
                    }
                    assert_eq!(met as i64, row.last - row.first + 1);
                }
            }
        }
        assert_eq!(found, expected);
        let count: usize = expected.values().sum();
        assert!((ellipsoid.points() / count as f64 - 1.0).abs() < 0.2, "{} {count}", ellipsoid.points());
    }
}
