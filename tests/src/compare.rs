//! Differences between two images or two numbers, and the limits for an image compared with the reference's.
//!
//! Limits: 99.98 % of the pixels are identical (at least two pixels may always differ), no pixel above a
//! millionth of the maximum is off by more than 2e-6 relative, and the sums agree to 1e-7.

use core::fmt;

use crate::oracle::command::Shape;
use crate::oracle::vector::magnitude;
use crate::oracle::{R_E_SQR, Simulation};

/// The difference between an image and a reference image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Number of pixels compared.
    pub pixels: usize,
    /// Number of pixels that are not bit-identical; 0 and -0 count as identical.
    pub different: usize,
    /// Largest relative difference among pixels above 1e-6 of the reference's maximum; infinite if one is
    /// NaN.
    pub max_relative: f64,
    /// |sum / reference sum - 1|, or |sum| where the reference sum is 0.
    pub sum_difference: f64,
}

impl Difference {
    /// Fraction of bit-identical pixels; 1 for empty images.
    pub fn identical_share(&self) -> f64 {
        if self.pixels == 0 { 1.0 } else { 1.0 - self.different as f64 / self.pixels as f64 }
    }

    /// Number of pixels that may differ in an image of this size.
    pub fn allowed(&self) -> usize {
        ((self.pixels as f64 * 2e-4).ceil() as usize).max(2)
    }

    /// Whether the image is within the limits above.
    pub fn is_within_limits(&self) -> bool {
        self.different <= self.allowed() && self.max_relative <= 2e-6 && self.sum_difference <= 1e-7
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "identical {:.5} ({} of {} differ), largest relative {:.1e}, sum {:.1e}",
            self.identical_share(),
            self.different,
            self.pixels,
            self.max_relative,
            self.sum_difference
        )
    }
}

/// Largest difference between a pixel and the precise oracle's, as a fraction of the image maximum, for
/// golden images.
pub const ORACLE_LIMIT: f64 = 1e-12;

/// The same limit for any scene.
///
/// Both sides know an index h to a few ulp, and the flank of a reflection multiplies that error by N. Gauss
/// and tophat spots are as narrow as reflections of Na Nb Nc cells. A small image may show only flanks and no
/// reflection, so the limit grows with the number of cells.
pub fn flank_limit(simulation: &Simulation) -> f64 {
    let crystal = &simulation.crystal;
    let N = crystal.N.map(|n| n as f64);
    let axes = [crystal.a, crystal.b, crystal.c].map(magnitude);
    let reach = match simulation.shape {
        Shape::Square | Shape::Round => {
            axes.iter().zip(N).map(|(axis, n)| n * 2.0 * axis / simulation.lambda).fold(0.0, f64::max)
        }
        Shape::Gauss | Shape::Tophat => N.iter().product::<f64>() * 2e-10 / simulation.lambda,
    };
    ORACLE_LIMIT * (reach * simulation.fudge.max(1.0) / 50.0).max(1.0)
}

/// Photons of a pixel in which rounding errors of the tricubic interpolation are all that there is; 0 without
/// interpolation.
///
/// At a reflection of F = 0 the terms of its neighbours cancel, and what stays depends on the order of the
/// additions: at most 1e-14 of the largest F, here with the whole lattice in the solid angle of the nearest
/// pixel.
pub fn interpolation_floor(simulation: &Simulation) -> f64 {
    let Some(grid) = simulation.grid.as_ref().filter(|_| simulation.interpolate) else { return 0.0 };
    let largest_F = grid.F.iter().fold(0.0_f64, |largest, F| largest.max(F.abs()));
    let F_latt: f64 = simulation.crystal.N.iter().map(|&n| n as f64).product();
    let omega_sr = (simulation.detector.pixel / simulation.detector.close_distance).powi(2);
    R_E_SQR * simulation.fluence * omega_sr * (1e-14 * largest_F * F_latt).powi(2)
}

/// Whether each pixel is within `relative` of the expected one, off by less than `floor` times the maximum, or
/// below [`interpolation_floor`] in both: for images of random lines, which are too small for a limit on the
/// fraction of differing pixels. Some show only flanks of reflections, or rounding errors where F is 0.
pub fn is_close(simulation: &Simulation, image: &[f32], expected: &[f32], relative: f64, floor: f64) -> bool {
    let max = f64::from(expected.iter().copied().fold(1e-20_f32, f32::max));
    let dark = interpolation_floor(simulation);
    let close = |(&x, &y): (&f32, &f32)| {
        let (x, y) = (f64::from(x), f64::from(y));
        x == y || (x - y).abs() <= (relative * y.abs()).max(floor * max) || x.max(y) <= dark
    };
    image.len() == expected.len() && image.iter().zip(expected).all(close)
}

/// Largest difference between two images of one size, as a fraction of the expected maximum; infinite if
/// either has a NaN.
///
/// # Panics
/// For images of different sizes.
pub fn apart(image: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(image.len(), expected.len());
    // Far tails of Gaussian spots underflow to 0 in one of the two images before the other.
    let max = expected.iter().fold(1e-200_f64, |max, x| max.max(x.abs()));
    let apart = |(x, y): (&f64, &f64)| if x == y { 0.0 } else { (x - y).abs() / max };
    let worst = image.iter().zip(expected).map(apart);
    worst.fold(0.0, |worst, x| if x.is_nan() { f64::INFINITY } else { worst.max(x) })
}

/// Compares an image with the reference's image.
///
/// # Errors
/// When they have different sizes.
pub fn compare(image: &[f32], reference: &[f32]) -> Result<Difference, String> {
    if image.len() != reference.len() {
        return Err(format!("{} pixels, expected {}", image.len(), reference.len()));
    }
    let max = reference.iter().copied().fold(0.0_f32, f32::max);
    let mut difference =
        Difference { pixels: image.len(), different: 0, max_relative: 0.0, sum_difference: 0.0 };
    let (mut sum, mut reference_sum) = (0.0, 0.0);
    for (&x, &y) in image.iter().zip(reference) {
        let identical = x.to_bits() == y.to_bits() || x == y;
        let (x, y) = (f64::from(x), f64::from(y));
        sum += x;
        reference_sum += y;
        if identical {
            continue;
        }
        difference.different += 1;
        if x.is_nan() || y.is_nan() {
            difference.max_relative = f64::INFINITY;
        } else if y > 1e-6 * f64::from(max) {
            difference.max_relative = difference.max_relative.max((x - y).abs() / y);
        }
    }
    if difference.different > 0 {
        let change = if reference_sum == 0.0 { sum } else { sum / reference_sum - 1.0 };
        difference.sum_difference = change.abs();
    }
    Ok(difference)
}

/// |a - b| divided by the largest of |a|, |b| and `floor`; 0 if a = b.
pub fn relative(a: f64, b: f64, floor: f64) -> f64 {
    if a == b { 0.0 } else { (a - b).abs() / a.abs().max(b.abs()).max(floor) }
}

/// The error of a computed value in ulp of the exact value, which is given as (nearest f64, remainder).
pub fn ulp_error(computed: f64, exact: (f64, f64)) -> f64 {
    let (hi, lo) = exact;
    let ulp = hi.abs().next_up() - hi.abs();
    ((computed - hi) - lo).abs() / ulp
}
