//! Losses: the distance of an image from data, or a weighted sum of its pixels.
//!
//! **Formulas**, summed over the pixels that are rendered and whose data D are finite; I is the rendered
//! pixel in photons:
//!
//! ```text
//! least squares   L = 1/2 sum (I - D)^2         dL/dI = I - D
//! Poisson         L = sum (I - D ln I)          dL/dI = 1 - D/I        where I > 0
//! weights         L = sum w I                   dL/dI = w
//! ```
//!
//! Refinement needs a sum of squares, L = 1/2 sum r^2. For counts, r is the signed square root of the
//! deviance, twice the difference of the log-likelihood from its maximum at I = D. It has the same minimum,
//! and is (I - D) / sqrt(D) to first order.
//!
//! ```text
//! least squares   r = I - D
//! Poisson         r = sign(I - D) sqrt(2 (I - D - D ln(I/D)))      D < 0 as 0, I below 1e-6 as 1e-6
//! ```
//!
//! Data are photons: what a detector adds to every pixel has to be subtracted before, and saturated pixels are NaN.

/// Smallest number of photons whose logarithm is taken.
const FEWEST: f64 = 1e-6;

/// The kind of comparison with data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LossKind {
    /// Half the sum of squared differences.
    #[default]
    LeastSquares,
    /// Negative logarithm of the likelihood of counts.
    Poisson,
}

/// A loss over the pixels of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    kind: Kind,
    /// Data or weights; NaN where a pixel does not count.
    pixels: Vec<f32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    LeastSquares,
    Poisson,
    Weights,
}

impl Loss {
    /// The loss of a rendered image against `data`, slow-major; NaN where a pixel does not count.
    #[must_use]
    pub fn against(data: Vec<f32>, kind: LossKind) -> Self {
        let kind = match kind {
            LossKind::LeastSquares => Kind::LeastSquares,
            LossKind::Poisson => Kind::Poisson,
        };
        Self { kind, pixels: data }
    }

    /// The sum of the pixels with `weights`; NaN where a pixel does not count.
    #[must_use]
    pub fn weights(weights: Vec<f32>) -> Self {
        Self { kind: Kind::Weights, pixels: weights }
    }

    /// The sum of `count` pixels.
    #[must_use]
    pub fn sum(count: usize) -> Self {
        Self::weights(vec![1.0; count])
    }

    /// Name of the kind of loss.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::LeastSquares => "least-squares",
            Kind::Poisson => "poisson",
            Kind::Weights => "weights",
        }
    }

    /// Whether pixels are counts, so that their variances are known.
    #[must_use]
    pub fn is_of_counts(&self) -> bool {
        self.kind == Kind::Poisson
    }

    /// The data, or the weights.
    #[must_use]
    pub fn pixels(&self) -> &[f32] {
        &self.pixels
    }

    /// The residual of a pixel, and the derivative of the residual with respect to the pixel. For a weighted
    /// sum, the residual is the pixel itself.
    #[must_use]
    pub fn residual(&self, pixel: f64, data: f64) -> (f64, f64) {
        match self.kind {
            Kind::LeastSquares => (pixel - data, 1.0),
            Kind::Poisson => deviance_root(pixel, data),
            Kind::Weights => (pixel, 1.0),
        }
    }

    /// The loss of `image`, the number of pixels that count, and the derivatives with respect to the pixels.
    /// Pixels count for which `selected` returns true.
    #[must_use]
    pub fn at(&self, image: &[f64], selected: impl Fn(usize) -> bool) -> (f64, usize, Vec<f64>) {
        let (mut loss, mut counted) = (0.0, 0);
        let mut slopes = vec![0.0; image.len()];
        for (i, ((slope, &pixel), &data)) in slopes.iter_mut().zip(image).zip(&self.pixels).enumerate() {
            let data = f64::from(data);
            // The likelihood is undefined where no photon is expected.
            if !data.is_finite() || !selected(i) || (self.kind == Kind::Poisson && pixel <= 0.0) {
                continue;
            }
            counted += 1;
            let (term, by_pixel) = match self.kind {
                Kind::LeastSquares => (0.5 * (pixel - data) * (pixel - data), pixel - data),
                Kind::Poisson => (pixel - data * pixel.ln(), 1.0 - data / pixel),
                Kind::Weights => (data * pixel, data),
            };
            loss += term;
            *slope = by_pixel;
        }
        (loss, counted, slopes)
    }
}

/// The signed square root of the deviance of a pixel, and its derivative with respect to the pixel.
fn deviance_root(pixel: f64, data: f64) -> (f64, f64) {
    let (rendered, moves) = if pixel > FEWEST { (pixel, 1.0) } else { (FEWEST, 0.0) };
    if data <= 0.0 {
        let root = (2.0 * rendered).sqrt();
        return (root, moves / root);
    }
    let x = (rendered - data) / data;
    // Near the data the terms cancel, so a series replaces their difference.
    if x.abs() < 1e-4 {
        let root = data.sqrt() * x * (1.0 - x / 3.0 + x * x * (7.0 / 36.0));
        return (root, moves / (data.sqrt() * (1.0 + x) * (1.0 - x / 3.0 + x * x * (7.0 / 36.0))));
    }
    let root = x.signum() * (2.0 * data * (x - x.ln_1p())).max(0.0).sqrt();
    (root, moves * (1.0 - data / rendered) / root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residuals_of_counts_are_those_of_the_likelihood() {
        for (pixel, data) in
            [(3.0f64, 5.0f64), (5.0, 3.0), (7.0, 7.0 + 1e-3), (7.0, 7.001), (1e6, 1e6 + 99.0), (4.0, 4.0)]
        {
            let (root, slope) = deviance_root(pixel, data);
            let deviance = 2.0 * ((pixel - data * pixel.ln()) - (data - data * data.ln()));
            assert!((root * root - deviance).abs() < 1e-8 * pixel.max(1.0), "{pixel} {data}: {root}");
            assert!(root == 0.0 || root.signum() == (pixel - data).signum());
            // r dr/dI is the derivative of the likelihood.
            assert!((root * slope - (1.0 - data / pixel)).abs() < 1e-12, "{pixel} {data}: {slope}");
            assert!(slope > 0.0);
        }
        assert_eq!(deviance_root(8.0, 0.0), (4.0, 0.25));
        assert_eq!(deviance_root(8.0, -3.0), (4.0, 0.25));
        let (root, slope) = deviance_root(0.0, 9.0);
        assert!(root < 0.0 && root.is_finite() && slope == 0.0);
    }
}
