//! How far two images or two numbers are apart, and how far an image may be from the reference's.
//!
//! Limits: 99.98 % of the pixels identical (an image of 7680 pixels: two may differ; small ones too), none off by more
//! than 2e-6 where it is above a millionth of the maximum, sums equal to 1e-7.

use core::fmt;

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
