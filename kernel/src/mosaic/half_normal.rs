//! Quantiles of the half-normal distribution.

use core::f64::consts::{PI, SQRT_2};

/// Steps of Halley's method, each of which triples the number of right digits of a start that is good to 2e-3.
const STEPS: usize = 4;

/// The x that a half-normal deviate exceeds with probability `beyond`, from above 0 to 1: sqrt(2) erfinv(1 - `beyond`).
///
/// **Accuracy.** 4e-16 of max(x, 1), for probabilities down to 1e-12.
pub(super) fn half_normal_quantile(beyond: f64) -> f64 {
    if beyond >= 1.0 {
        return 0.0;
    }
    // erfinv by S. Winitzki, A handy approximation for the error function and its inverse (2008).
    const A: f64 = 0.147;
    let ln = libm::log(beyond * (2.0 - beyond));
    let term = 2.0 / (PI * A) + 0.5 * ln;
    let mut z = libm::sqrt(libm::sqrt(term * term - ln / A) - term);
    for _ in 0..STEPS {
        // erfc(z) - beyond, over its derivative -2/sqrt(pi) exp(-z^2), whose own logarithmic derivative is -2 z.
        let newton = (beyond - libm::erfc(z)) * 0.5 * libm::sqrt(PI) * libm::exp(z * z);
        z -= newton / (1.0 + z * newton);
    }
    SQRT_2 * z
}

#[cfg(test)]
mod tests {
    use super::half_normal_quantile;

    /// Values of Python's `statistics.NormalDist`.
    #[test]
    fn quantiles_are_those_of_the_normal_distribution() {
        assert_eq!(half_normal_quantile(1.0), 0.0);
        for (beyond, expected) in [
            (0.999, 0.001_253_314_465_432_416_7),
            (0.9, 0.125_661_346_855_074_13),
            (0.5, 0.674_489_750_196_081_7),
            (0.25, 1.150_349_380_376_007_9),
            (0.1, 1.644_853_626_951_471_5),
            (0.01, 2.575_829_303_548_9),
            (1e-4, 3.890_591_886_413_094),
            (1e-6, 4.891_638_475_698_59),
            (1e-9, 6.109_410_204_869_397_5),
            (1e-12, 7.130_506_848_171_323),
        ] {
            let quantile: f64 = half_normal_quantile(beyond);
            assert!(
                (quantile - expected).abs() < 4e-15 * expected.max(0.1),
                "{beyond}: {quantile:e} {expected:e}"
            );
        }
    }
}
