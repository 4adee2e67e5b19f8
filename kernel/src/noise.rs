//! Poisson deviates of pixels, drawn as in `nanoBragg.c`.
//!
//! **Formulas.** Below a mean of 12 the deviate is found from products of uniform deviates, up to 1e6 by
//! rejection from a Lorentzian, and above 1e6 as a Gaussian deviate.
//!
//! **Source.** `poidev` and `gaussdev` of `nanoBragg.c`.
//!
//! **Accuracy** (`tests/tests/kernel_random.rs`). The deviates are bit for bit those of the reference. They
//! depend on every rounding: as in the reference, values are stored as f32, and logarithms and exponentials
//! are computed in f64.
//!
//! **Special case.** A mean that is NaN gives 0.
//!
//! ```
//! use widebragg::noise::Poisson;
//!
//! let mut noise = Poisson::new(1);
//! let photons = noise.draw(20.0);
//! assert_eq!(photons, photons.round());
//! assert_eq!(Poisson::new(1).draw(20.0), photons); // the same seed gives the same deviates
//! ```

use crate::random::Ran1;
use core::f64::consts::PI;

/// A stream of Poisson deviates.
#[derive(Debug, Clone)]
pub struct Poisson {
    random: Ran1,
    spare_gauss: Option<f32>,
}

/// 2^-26. For means up to it, exp(-mean) is 1 in f32.
const VANISHING: f32 = 1.0 / 67_108_864.0;

/// Lanczos coefficients of ln gamma(x).
const LANCZOS: [f64; 6] = [
    76.180_091_729_471_46,
    -86.505_320_329_416_77,
    24.014_098_240_830_91,
    -1.231_739_572_450_155,
    0.120_865_097_386_617_9e-2,
    -0.539_523_938_495_3e-5,
];

/// Computes ln gamma(x) for x > 0, rounded to f32.
fn ln_gamma(x: f64) -> f32 {
    let shifted = x + 5.5;
    let power = shifted - (x + 0.5) * libm::log(shifted);
    let mut term = x;
    let mut series = 1.000_000_000_190_015;
    for c in LANCZOS {
        term += 1.0;
        series += c / term;
    }
    (-power + libm::log(2.506_628_274_631_000_5 * series / x)) as f32
}

impl Poisson {
    /// Creates the stream of a seed, given as the value of the option `-seed`.
    #[must_use]
    pub fn new(seed: i64) -> Self {
        Self::drawing_from(Ran1::new(seed))
    }

    /// Creates a stream that draws its uniform deviates from `random`.
    #[must_use]
    pub fn drawing_from(random: Ran1) -> Self {
        Self { random, spare_gauss: None }
    }

    /// Draws a uniform deviate in (0, 1).
    pub fn uniform(&mut self) -> f32 {
        self.random.draw()
    }

    /// Draws a Gaussian deviate of mean 0 and variance 1; deviates are generated in pairs.
    pub fn gauss(&mut self) -> f32 {
        if let Some(spare) = self.spare_gauss.take() {
            return spare;
        }
        loop {
            let v1 = (2.0 * f64::from(self.random.draw()) - 1.0) as f32;
            let v2 = (2.0 * f64::from(self.random.draw()) - 1.0) as f32;
            let square = v1 * v1 + v2 * v2;
            if square > 0.0 && square < 1.0 {
                let square = f64::from(square);
                let factor = libm::sqrt(-2.0 * libm::log(square) / square) as f32;
                self.spare_gauss = Some(v1 * factor);
                return v2 * factor;
            }
        }
    }

    /// Draws a Poisson deviate of mean `mean`; a mean that is NaN gives 0.
    pub fn draw(&mut self, mean: f32) -> f32 {
        if mean > 1e6 {
            return (f64::from(mean) + libm::sqrt(f64::from(mean)) * f64::from(self.gauss())) as f32;
        }
        if mean < 12.0 {
            return self.by_products(mean);
        }
        if mean.is_nan() { 0.0 } else { self.by_rejection(mean) }
    }

    fn by_products(&mut self, mean: f32) -> f32 {
        // Below 2^-25 the exponential is 1 in f32.
        let limit = if (0.0..=VANISHING).contains(&mean) { 1.0 } else { libm::exp(-f64::from(mean)) as f32 };
        let mut count = -1.0f32;
        let mut product = 1.0f32;
        loop {
            count += 1.0;
            product *= self.random.draw();
            if product.is_nan() || product <= limit {
                return count;
            }
        }
    }

    fn by_rejection(&mut self, mean: f32) -> f32 {
        let wide = f64::from(mean);
        let spread = libm::sqrt(2.0 * wide) as f32;
        let ln_mean = libm::log(wide) as f32;
        let peak = mean * ln_mean - ln_gamma(wide + 1.0);
        loop {
            let (tangent, count) = loop {
                let tangent = libm::tan(PI * f64::from(self.random.draw())) as f32;
                let count = spread * tangent + mean;
                if count >= 0.0 {
                    break (tangent, libm::floorf(count));
                }
            };
            let log_ratio = count * ln_mean - ln_gamma(f64::from(count) + 1.0) - peak;
            let accept =
                (0.9 * (1.0 + f64::from(tangent * tangent)) * libm::exp(f64::from(log_ratio))) as f32;
            if self.random.draw() <= accept {
                return count;
            }
        }
    }
}
