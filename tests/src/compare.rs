//! How far two images or two numbers are apart, and how far an image may be from the reference's.
//!
//! Limits: 99.98 % of the pixels identical (an image of 7680 pixels: two may differ; small ones too), none off by more
//! than 2e-6 where it is above a millionth of the maximum, sums equal to 1e-7.

use core::fmt;

use crate::oracle::Simulation;
use crate::oracle::command::Shape;
use crate::oracle::vector::magnitude;

/// How one image differs from another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Pixels compared.
    pub pixels: usize,
    /// Pixels that are not bit-identical; 0 and -0 count as identical.
    pub different: usize,
    /// Largest relative difference where the reference is above 1e-6 of its maximum; infinite for a NaN.
    pub max_relative: f64,
    /// |sum / sum of the reference - 1|, or the sum itself where the reference's is 0.
    pub sum_difference: f64,
}

impl Difference {
    /// Share of bit-identical pixels, 1 for empty images.
    pub fn identical_share(&self) -> f64 {
        if self.pixels == 0 { 1.0 } else { 1.0 - self.different as f64 / self.pixels as f64 }
    }

    /// Pixels that may differ in an image of this size.
    pub fn allowed(&self) -> usize {
        ((self.pixels as f64 * 2e-4).ceil() as usize).max(2)
    }

    /// Whether the image is as close to the reference as it has to be.
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

/// Of the image maximum: how far a pixel of a golden image may be from the precise oracle's.
pub const ORACLE_LIMIT: f64 = 1e-12;

/// The same for any scene.
///
/// An index h is right to some ulp on both sides, and the flank of a reflection multiplies that by N (gauss and tophat
/// spots are as narrow as those of Na Nb Nc cells). A small image may show flanks only, without any reflection.
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

/// Largest difference of two images of one size, of the expected maximum; infinite where one has a NaN and the other has not.
///
/// # Panics
/// For images of different sizes.
pub fn apart(image: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(image.len(), expected.len());
    // An image of nothing but the far tails of Gaussian spots underflows here or there.
    let max = expected.iter().fold(1e-200_f64, |max, x| max.max(x.abs()));
    let apart = |(x, y): (&f64, &f64)| if x == y { 0.0 } else { (x - y).abs() / max };
    let worst = image.iter().zip(expected).map(apart);
    worst.fold(0.0, |worst, x| if x.is_nan() { f64::INFINITY } else { worst.max(x) })
}

/// Compares an image with the reference's.
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

/// |a - b| relative to the larger of the two and of `floor`.
pub fn relative(a: f64, b: f64, floor: f64) -> f64 {
    if a == b { 0.0 } else { (a - b).abs() / a.abs().max(b.abs()).max(floor) }
}

/// The error of a computed value in units of the last place of the exact one, which is (nearest f64, remainder).
pub fn ulp_error(computed: f64, exact: (f64, f64)) -> f64 {
    let (hi, lo) = exact;
    let ulp = hi.abs().next_up() - hi.abs();
    ((computed - hi) - lo).abs() / ulp
}
