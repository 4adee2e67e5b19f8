//! The geometry of a cell: fractions and Å, volumes, resolutions.
//!
//! The orthogonal frame is that of PDB files: a along x, b in the plane of x and y, c* along z.

use core::f64::consts::PI;

use widebragg_reflections::cell::Cell;
use widebragg_reflections::observations::Hkl;

use crate::error::Error;

/// Largest index of reflections, far beyond what any crystal diffracts.
pub(crate) const LARGEST_INDEX: f64 = 30_000.0;

/// A matrix, by rows.
pub type Matrix = [[f64; 3]; 3];

/// What follows from the lengths and angles of a cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// From fractions of the cell to Å in the orthogonal frame; its columns are a, b and c.
    pub orthogonal: Matrix,
    /// From Å to fractions of the cell; its rows are a*, b* and c*.
    pub fractional: Matrix,
    /// Volume in Å^3.
    pub volume_angstrom3: f64,
}

impl Metric {
    /// The geometry of a cell.
    ///
    /// # Errors
    /// [`Error::ImpossibleCell`] for lengths that are not positive, angles that close no cell, and cells beyond
    /// 1e5 Å or of less than 1e-6 of the volume of a box with their lengths.
    pub fn new(cell: &Cell) -> Result<Self, Error> {
        let [a, b, c] = cell.lengths_angstrom;
        let usable = |length: f64| (1e-2..=1e5).contains(&length);
        let inside = |angle: f64| angle > 0.0 && angle < 180.0;
        let [cos_alpha, cos_beta, cos_gamma] = cell.angles_deg.map(cos_deg);
        let sin_gamma = (1.0 - cos_gamma * cos_gamma).sqrt();
        let cy = (cos_alpha - cos_beta * cos_gamma) / sin_gamma;
        let cz_sq = 1.0 - cos_beta * cos_beta - cy * cy;
        let flat = cz_sq.is_nan() || cz_sq.max(0.0).sqrt() * sin_gamma < 1e-6;
        if flat || ![a, b, c].into_iter().all(usable) || !cell.angles_deg.into_iter().all(inside) {
            return Err(Error::ImpossibleCell(*cell));
        }
        let cz = cz_sq.sqrt();
        let orthogonal = [[a, b * cos_gamma, c * cos_beta], [0.0, b * sin_gamma, c * cy], [0.0, 0.0, c * cz]];
        let [[_, xy, xz], [_, yy, yz], [_, _, zz]] = orthogonal;
        let fractional = [
            [1.0 / a, -xy / (a * yy), (xy * yz - xz * yy) / (a * yy * zz)],
            [0.0, 1.0 / yy, -yz / (yy * zz)],
            [0.0, 0.0, 1.0 / zz],
        ];
        Ok(Self { orthogonal, fractional, volume_angstrom3: a * yy * zz })
    }

    /// s^2 = 1/(4 d^2) of a reflection, in 1/Å^2.
    #[must_use]
    pub fn stol_sq(&self, hkl: Hkl) -> f64 {
        0.25 * norm_sq(self.reciprocal(hkl.map(f64::from)))
    }

    /// h a* + k b* + l c* in 1/Å.
    #[must_use]
    pub fn reciprocal(&self, hkl: [f64; 3]) -> [f64; 3] {
        core::array::from_fn(|axis| (0..3).map(|i| hkl[i] * self.fractional[i][axis]).sum())
    }

    /// Largest |h|, |k|, |l| of the reflections to a resolution: the lengths of a, b and c over d.
    ///
    /// # Errors
    /// [`Error::Resolution`] where `d_min_angstrom` is not positive, or an index is beyond 30,000.
    pub fn largest_indices(&self, d_min_angstrom: f64) -> Result<[i32; 3], Error> {
        let mut largest = [0; 3];
        for (i, index) in largest.iter_mut().enumerate() {
            let length = norm(self.orthogonal.map(|row| row[i]));
            // A reflection at exactly d_min counts, whatever the rounding of the quotient.
            let ratio = (length / d_min_angstrom * (1.0 + 1e-12)).floor();
            if !(0.0..=LARGEST_INDEX).contains(&ratio) || !(1e-9..1e9).contains(&d_min_angstrom) {
                return Err(Error::Resolution(d_min_angstrom));
            }
            *index = ratio as i32;
        }
        Ok(largest)
    }
}

/// cos of an angle in degrees, exact for multiples of 60 and 90 degrees.
fn cos_deg(angle: f64) -> f64 {
    match angle {
        90.0 => 0.0,
        60.0 => 0.5,
        120.0 => -0.5,
        _ => angle.to_radians().cos(),
    }
}

/// `matrix` times `vector`.
#[must_use]
pub fn times(matrix: &Matrix, vector: [f64; 3]) -> [f64; 3] {
    matrix.map(|[x, y, z]| x * vector[0] + y * vector[1] + z * vector[2])
}

/// M U M^T of a symmetric U, both as 11 22 33 12 13 23.
#[must_use]
pub fn congruent(m: &Matrix, u: [f64; 6]) -> [f64; 6] {
    let [xx, yy, zz, xy, xz, yz] = u;
    let full = [[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]];
    let entry = |i: usize, j: usize| {
        let column = times(&full, m[j]);
        (0..3).map(|n| m[i][n] * column[n]).sum()
    };
    [entry(0, 0), entry(1, 1), entry(2, 2), entry(0, 1), entry(0, 2), entry(1, 2)]
}

/// Length of a vector.
#[must_use]
pub fn norm(vector: [f64; 3]) -> f64 {
    norm_sq(vector).sqrt()
}

pub(crate) fn norm_sq(vector: [f64; 3]) -> f64 {
    vector.into_iter().map(|x| x * x).sum()
}

/// Smallest eigenvalue of a symmetric matrix (11 22 33 12 13 23), from the trigonometric solution of its characteristic
/// cubic.
pub(crate) fn least_eigenvalue([xx, yy, zz, xy, xz, yz]: [f64; 6]) -> f64 {
    let mean = (xx + yy + zz) / 3.0;
    let [dx, dy, dz] = [xx - mean, yy - mean, zz - mean];
    let spread = (dx * dx + dy * dy + dz * dz + 2.0 * (xy * xy + xz * xz + yz * yz)) / 6.0;
    let p = spread.sqrt();
    if p == 0.0 {
        return mean;
    }
    let determinant = dx * (dy * dz - yz * yz) - xy * (xy * dz - yz * xz) + xz * (xy * yz - dy * xz);
    let angle = (0.5 * determinant / (p * p * p)).clamp(-1.0, 1.0).acos() / 3.0;
    mean + 2.0 * p * (angle + 2.0 * PI / 3.0).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRICLINIC: Cell = Cell { lengths_angstrom: [20.0, 25.0, 31.0], angles_deg: [95.0, 103.0, 78.0] };

    #[test]
    fn the_matrices_are_inverse_and_keep_lengths_and_angles() {
        let metric = Metric::new(&TRICLINIC).unwrap();
        for i in 0..3 {
            let column: [f64; 3] = core::array::from_fn(|axis| metric.orthogonal[axis][i]);
            assert!((norm_sq(column).sqrt() - TRICLINIC.lengths_angstrom[i]).abs() < 1e-12);
            let unit = times(&metric.fractional, column);
            assert!((0..3).all(|j| (unit[j] - f64::from(u8::from(i == j))).abs() < 1e-14), "{unit:?}");
            let next: [f64; 3] = core::array::from_fn(|axis| metric.orthogonal[axis][(i + 1) % 3]);
            let dot: f64 = (0..3).map(|axis| column[axis] * next[axis]).sum();
            let cos = dot / (norm_sq(column) * norm_sq(next)).sqrt();
            assert!((cos - TRICLINIC.angles_deg[(i + 2) % 3].to_radians().cos()).abs() < 1e-14);
        }
    }

    #[test]
    fn impossible_cells_are_refused() {
        for (lengths_angstrom, angles_deg) in [
            ([0.0, 1.0, 1.0], [90.0; 3]),
            ([10.0, f64::NAN, 10.0], [90.0; 3]),
            ([10.0; 3], [120.0; 3]),
            ([10.0; 3], [90.0, 180.0, 90.0]),
            ([10.0; 3], [60.0, 60.0, 120.0]),
            ([10.0; 3], [f64::INFINITY; 3]),
            ([1e9, 10.0, 10.0], [90.0; 3]),
        ] {
            let cell = Cell { lengths_angstrom, angles_deg };
            assert!(matches!(Metric::new(&cell), Err(Error::ImpossibleCell(_))), "{cell:?}");
        }
    }

    #[test]
    fn indices_reach_to_the_resolution() {
        let cell = Cell { lengths_angstrom: [79.0, 79.0, 38.0], angles_deg: [90.0; 3] };
        let metric = Metric::new(&cell).unwrap();
        assert_eq!(metric.largest_indices(2.0), Ok([39, 39, 19]));
        assert_eq!(metric.largest_indices(1.0), Ok([79, 79, 38]));
        for d in [0.0, -1.0, f64::NAN, 1e-9] {
            assert!(metric.largest_indices(d).is_err());
        }
    }
}
