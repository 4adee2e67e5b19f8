//! What is differentiated: how far an image is from another, or a sum of pixels with weights.
//!
//! **Formulas**, over the pixels that are rendered and finite in the data D, with I the rendered pixel in photons:
//!
//! ```text
//! least squares   L = 1/2 sum (I - D)^2         dL/dI = I - D
//! Poisson         L = sum (I - D ln I)          dL/dI = 1 - D/I        where I > 0
//! weights         L = sum w I                   dL/dI = w
//! ```
//!
//! Pixels of SMV and CBF files are taken as stored, offset included; so images to refine against are best float ones.

use std::path::Path;

use crate::compare::source::read_one;
use crate::error::Failure;
use crate::options::LossKind;
use crate::run::setup::Setup;

/// A loss over the pixels of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    kind: Kind,
    /// Data or weights; NaN where a pixel counts nothing.
    pixels: Vec<f32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    LeastSquares,
    Poisson,
    Weights,
}

impl Loss {
    /// The loss of a rendered image against that in a file.
    ///
    /// # Errors
    /// The file cannot be read, or has another size.
    pub fn against(path: &Path, kind: LossKind, setup: &Setup) -> Result<Self, Failure> {
        let kind = match kind {
            LossKind::LeastSquares => Kind::LeastSquares,
            LossKind::Poisson => Kind::Poisson,
        };
        Ok(Self { kind, pixels: read(path, setup, "--against")? })
    }

    /// The sum of the pixels with the weights in a file.
    ///
    /// # Errors
    /// The file cannot be read, or has another size.
    pub fn weights(path: &Path, setup: &Setup) -> Result<Self, Failure> {
        Ok(Self { kind: Kind::Weights, pixels: read(path, setup, "--weights")? })
    }

    /// The sum of all pixels.
    #[must_use]
    pub fn sum(setup: &Setup) -> Self {
        Self { kind: Kind::Weights, pixels: vec![1.0; setup.detector.pixels()] }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.kind {
            Kind::LeastSquares => "least-squares",
            Kind::Poisson => "poisson",
            Kind::Weights => "weights",
        }
    }

    /// The data, or the weights.
    #[must_use]
    pub fn pixels(&self) -> &[f32] {
        &self.pixels
    }

    /// Its value, how many pixels counted, and its derivatives by the pixels of `image`, of which those count that `selected` takes.
    #[must_use]
    pub fn at(&self, image: &[f64], selected: impl Fn(usize) -> bool) -> (f64, usize, Vec<f64>) {
        let (mut loss, mut counted) = (0.0, 0);
        let mut slopes = vec![0.0; image.len()];
        for (i, ((slope, &pixel), &data)) in slopes.iter_mut().zip(image).zip(&self.pixels).enumerate() {
            let data = f64::from(data);
            // A likelihood has nothing to say where no photon can be.
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

fn read(path: &Path, setup: &Setup, option: &str) -> Result<Vec<f32>, Failure> {
    let size = [setup.detector.fast_pixels, setup.detector.slow_pixels];
    Ok(read_one(path, size).map_err(|failure| failure.context(option))?.pixels)
}
