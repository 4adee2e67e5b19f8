//! Plans of Fourier transforms of real numbers in f64.
//!
//! The crates that compute transforms are generic, and are compiled anew for each crate that plans one. Those that need
//! f64 take their plans from here.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

/// Plans the transform of `points` real numbers to the lower half of their spectrum, points/2 + 1 complex numbers.
#[must_use]
pub fn plan_real(points: usize) -> Arc<dyn RealToComplex<f64>> {
    RealFftPlanner::new().plan_fft_forward(points)
}
