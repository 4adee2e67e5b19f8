//! Matrices of three rows, and symmetric ones as their entries 11 22 33 12 13 23.

use core::f64::consts::PI;

use widebragg_reflections::cell::Matrix;

/// `matrix` times `vector`.
#[must_use]
pub fn times(matrix: &Matrix, vector: [f64; 3]) -> [f64; 3] {
    matrix.map(|[x, y, z]| x * vector[0] + y * vector[1] + z * vector[2])
}

/// The row `vector` times `matrix`.
pub(crate) fn row_times(vector: [f64; 3], matrix: &Matrix) -> [f64; 3] {
    core::array::from_fn(|j| (0..3).map(|i| vector[i] * matrix[i][j]).sum())
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

    #[test]
    fn rows_and_columns() {
        let matrix = [[1.0, 2.0, 3.0], [0.0, 5.0, 7.0], [0.0, 0.0, 11.0]];
        assert_eq!(times(&matrix, [1.0, 10.0, 100.0]), [321.0, 750.0, 1100.0]);
        assert_eq!(row_times([1.0, 10.0, 100.0], &matrix), [1.0, 52.0, 1173.0]);
        // The unit matrix becomes M M^T.
        assert_eq!(congruent(&matrix, [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]), [14.0, 74.0, 121.0, 31.0, 33.0, 77.0]);
    }
}
