//! Standard uncertainties of fitted variables, and the reduction of the loss that their derivatives predict.
//!
//! **Formulas.** J holds the derivatives of the residuals r, with columns divided by their norms. N = J^T J =
//! V S^2 V^T.
//!
//! ```text
//! covariance, residuals of variance 1      N^-1
//! covariance, variances unknown            N^-1 J^T diag(r^2) J N^-1
//! predicted reduction of |r|^2             r^T J N^-1 J^T r
//! ```
//!
//! The second is the estimate of White, Econometrica 48, 817 (1980): it allows residuals of bright pixels to
//! be larger than those of dark ones.
//!
//! **Undetermined variables.** Eigenvectors of N whose eigenvalue is at most n times [`SINGULAR`] are left
//! out of the inverse. A variable with more than [`HIDDEN`] of its square in them is undetermined, as is one
//! with a column of zeros.

use super::linear::{Columns, Svd, dot, norm, triangle};

/// Eigenvalues of the scaled normal matrix, divided by the number of variables, that count as 0.
const SINGULAR: f64 = 1e-12;
/// Squared component in the eigenvectors left out above which a variable is undetermined.
const HIDDEN: f64 = 1e-6;

/// The inverse normal matrix of a Jacobian.
#[derive(Debug, Clone, PartialEq)]
pub struct Covariance {
    /// The Jacobian in column-major order.
    jacobian: Vec<f64>,
    /// Norms of its columns.
    scale: Vec<f64>,
    /// Inverse of the normal matrix of the scaled columns, without the undetermined combinations.
    inverse: Columns,
    is_determined: Vec<bool>,
}

impl Covariance {
    /// Inverts the normal matrix of a Jacobian with `residuals` rows, given in column-major order.
    #[must_use]
    pub fn new(jacobian: Vec<f64>, residuals: usize) -> Self {
        let mut scaled = triangle(&columns(&jacobian, residuals));
        let scale: Vec<f64> = scaled.iter().map(|column| norm(column)).collect();
        for (column, &scale) in scaled.iter_mut().zip(&scale) {
            divide(column, scale);
        }
        let count = scale.len();
        let Svd { singular, right, .. } = Svd::new(scaled);
        let vectors = || singular.iter().map(|s| s * s).zip(&right);
        let is_seen = |eigenvalue: f64| eigenvalue > SINGULAR * count as f64;
        let seen = || vectors().filter(|(eigenvalue, _)| is_seen(*eigenvalue));
        let element = |i: usize, j: usize| seen().map(|(value, v)| v[i] * v[j] / value).sum::<f64>();
        let inverse = (0..count).map(|j| (0..count).map(|i| element(i, j)).collect()).collect();
        let hidden = |i: usize| -> f64 {
            vectors().filter(|(eigenvalue, _)| !is_seen(*eigenvalue)).map(|(_, v)| v[i] * v[i]).sum()
        };
        let is_determined = (0..count).map(|i| hidden(i) <= HIDDEN && scale[i] > 0.0).collect();
        Self { jacobian, scale, inverse, is_determined }
    }

    /// Relative reduction of the loss at the minimum of the linear model.
    #[must_use]
    pub fn predicted_reduction(&self, residuals: &[f64]) -> f64 {
        let slopes =
            columns(&self.jacobian, residuals.len()).into_iter().map(|column| dot(column, residuals));
        let gradient: Vec<f64> =
            slopes.zip(&self.scale).map(|(slope, scale)| slope / scale.max(f64::MIN_POSITIVE)).collect();
        let step = self.inverse.iter().map(|column| dot(column, &gradient));
        let reduction: f64 = step.zip(&gradient).map(|(step, slope)| step * slope).sum();
        reduction / dot(residuals, residuals).max(f64::MIN_POSITIVE)
    }

    /// Standard uncertainties for residuals of variance 1, or with variances estimated from `residuals`; none
    /// if undetermined.
    #[must_use]
    pub fn uncertainties(&self, residuals: Option<&Vec<f64>>) -> Vec<Option<f64>> {
        let variances: Vec<f64> = match residuals {
            None => self.inverse.iter().enumerate().map(|(i, column)| column[i]).collect(),
            Some(residuals) => {
                let mut spread = self.jacobian.clone();
                for column in spread.chunks_mut(residuals.len().max(1)) {
                    column.iter_mut().zip(residuals).for_each(|(slope, residual)| *slope *= residual);
                }
                let spread = triangle(&columns(&spread, residuals.len()));
                self.inverse.iter().map(|inverse| self.spread_along(&spread, inverse)).collect()
            }
        };
        let sigmas = variances.iter().zip(&self.scale).map(|(variance, scale)| variance.sqrt() / scale);
        sigmas.zip(&self.is_determined).map(|(sigma, is_determined)| is_determined.then_some(sigma)).collect()
    }

    /// The correlation of two variables in the inverse of the normal matrix.
    #[must_use]
    pub fn correlation(&self, i: usize, j: usize) -> f64 {
        let at =
            |i: usize, j: usize| self.inverse.get(j).and_then(|column| column.get(i)).copied().unwrap_or(0.0);
        at(i, j) / (at(i, i) * at(j, j)).sqrt().max(f64::MIN_POSITIVE)
    }

    /// |R D^-1 direction|^2 of a triangle R and the scale D.
    fn spread_along(&self, triangle: &Columns, direction: &[f64]) -> f64 {
        let mut sum = vec![0.0; direction.len()];
        for ((column, along), &scale) in triangle.iter().zip(direction).zip(&self.scale) {
            let mut part: Vec<f64> = column.iter().map(|x| x * along).collect();
            divide(&mut part, scale);
            sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
        }
        dot(&sum, &sum)
    }
}

fn columns(jacobian: &[f64], rows: usize) -> Vec<&[f64]> {
    jacobian.chunks(rows.max(1)).collect()
}

/// Divides a column by its scale; a column of zeros has scale 0.
fn divide(column: &mut [f64], scale: f64) {
    if scale > 0.0 {
        column.iter_mut().for_each(|x| *x /= scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uncertainties_of_a_line_and_of_undetermined_variables() {
        // Offset and slope of a line at -1, 0, 1 are independent; their variances are 1/3 and 1/2.
        let line = Covariance::new(vec![1.0, 1.0, 1.0, -1.0, 0.0, 1.0], 3);
        let expected = [(1f64 / 3.0).sqrt(), 0.5f64.sqrt()];
        for (found, expected) in line.uncertainties(None).iter().zip(expected) {
            assert!((found.unwrap() - expected).abs() < 1e-14);
        }
        // Equal residuals give the same variances. A residual at 0 alone affects the offset only.
        for (found, expected) in line.uncertainties(Some(&vec![-2.0; 3])).iter().zip(expected) {
            assert!((found.unwrap() - 2.0 * expected).abs() < 1e-14);
        }
        let found = line.uncertainties(Some(&vec![0.0, 3.0, 0.0]));
        assert!((found[0].unwrap() - 1.0).abs() < 1e-14 && found[1].unwrap() < 1e-14);
        // Two parallel columns, and one of zeros.
        let jacobian = vec![1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 1.0, -1.0, 5.0, 0.0, 0.0, 0.0];
        let found = Covariance::new(jacobian, 3).uncertainties(None);
        assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, true, false]);
    }

    #[test]
    fn correlations() {
        // Offset and slope of a line at 1, 2, 3: the covariance is -2 / 2, the variances are 14 / 6 and 1 / 2.
        let line = Covariance::new(vec![1.0, 1.0, 1.0, 1.0, 2.0, 3.0], 3);
        let expected = -1.0 / (14.0f64 / 6.0 / 2.0).sqrt();
        assert!((line.correlation(0, 1) - expected).abs() < 1e-14);
        assert!((line.correlation(1, 1) - 1.0).abs() < 1e-14);
    }

    #[test]
    fn predicted_reductions() {
        let line = Covariance::new(vec![1.0, 1.0, 1.0, -1.0, 0.0, 1.0], 3);
        assert!((line.predicted_reduction(&[1.0, 2.0, 3.0]) - 1.0).abs() < 1e-14);
        assert!(line.predicted_reduction(&[1.0, -2.0, 1.0]) < 1e-14);
        assert_eq!(line.predicted_reduction(&[0.0; 3]), 0.0);
        assert!((line.predicted_reduction(&[2.0, -1.0, 2.0]) - 1.0 / 3.0).abs() < 1e-14);
    }
}
