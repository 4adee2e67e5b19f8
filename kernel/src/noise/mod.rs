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
//! **Cost.** Per deviate on an AMD EPYC (family 26, model 2), in ns: 30 to 45 for means from 1 to 12; above, up to a
//! mean of 2000 and beyond it, 59 and 75 by [`Poisson::draw_into`] (AVX-512; portable 80 and 97) and 108 and 135 by
//! [`Poisson::draw`].
//!
//! **Special case.** A mean that is NaN gives 0.
//!
//! The stages from photons to counts and ADU, as `noisify.c` has them, are in [`stages`], the point spread in
//! [`point_spread`], and streams of several seeds in [`shared`]. [`simtbx`] has the stages of simtbx, which are in f64.
//! Deviates that depend on a pixel alone, of any order and thread, are in [`counter`], and the stages of a detector with them
//! in [`detector`].
//!
//! ```
//! use widebragg::noise::Poisson;
//!
//! let mut noise = Poisson::new(1);
//! let photons = noise.draw(20.0);
//! assert_eq!(photons, photons.round());
//! assert_eq!(Poisson::new(1).draw(20.0), photons); // the same seed gives the same deviates
//! ```

mod certain;
pub mod counter;
pub mod detector;
mod gauss;
mod ln_gamma;
mod lookahead;
mod means;
pub mod point_spread;
mod precision;
pub mod shared;
pub mod simtbx;
pub mod stages;

use core::f64::consts::PI;

use crate::Error;
use crate::arrays::same_length;
use crate::lanes::Simd;
use crate::random::Ran1;
use certain::{certain_approximation, decided};
use gauss::{Point, factor};
use lookahead::Lookahead;
use means::{Alone, BLOCK, Functions, Means, OfMean};
use precision::Precision;

/// A stream of Poisson deviates.
#[derive(Debug, Clone)]
pub struct Poisson {
    random: Ran1,
    spare_gauss: Option<f32>,
}

/// 2^-26. For means up to it, exp(-mean) is 1 in f32.
const VANISHING: f32 = 1.0 / 67_108_864.0;

/// Least mean whose deviates are found by rejection.
const REJECTION: f64 = 12.0;

/// Largest mean whose deviates are found by rejection.
const LARGEST_REJECTION: f64 = 1e6;

/// Uniform deviates of a precision, one by one or in the pairs of a trial of the rejection.
trait Uniforms<N> {
    /// The next deviate u.
    fn uniform(&mut self) -> N;

    /// The next point within the circle of Gaussian deviates, and its factor.
    fn point(&mut self) -> (Point<N>, N);

    /// tan(pi u) of the next deviate u, the first of a trial.
    fn tangent(&mut self) -> N;

    /// Whether the next deviate, the second of a trial, accepts the trial.
    fn accepts(&mut self, tangent: N, log_ratio: N) -> bool;
}

impl Uniforms<f32> for Ran1 {
    fn uniform(&mut self) -> f32 {
        self.draw()
    }

    fn point(&mut self) -> (Point<f32>, f32) {
        let point = Point::draw(self);
        (point, factor(point.square, libm::log))
    }

    fn tangent(&mut self) -> f32 {
        tangent(self.draw())
    }

    fn accepts(&mut self, tangent: f32, log_ratio: f32) -> bool {
        accepts(self.draw(), tangent, log_ratio)
    }
}

fn tangent<N: Precision>(uniform: N) -> N {
    N::from_f64(libm::tan(PI * uniform.into()))
}

fn accepts<N: Precision>(uniform: N, tangent: N, log_ratio: N) -> bool {
    let square: f64 = (tangent * tangent).into();
    uniform <= N::from_f64(0.9 * (1.0 + square) * libm::exp(log_ratio.into()))
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
        gauss(&mut self.random, &mut self.spare_gauss)
    }

    /// Draws a Poisson deviate of mean `mean`; a mean that is NaN gives 0.
    pub fn draw(&mut self, mean: f32) -> f32 {
        draw(&mut self.random, &mut self.spare_gauss, mean, &Alone)
    }

    /// Draws a Poisson deviate for each of `means`: the same as [`Poisson::draw`] of one after the other, about twice
    /// as fast.
    ///
    /// ```
    /// use widebragg::lanes::Simd;
    /// use widebragg::noise::Poisson;
    ///
    /// let (photons, mut noisy) = ([20.0; 100], [0.0; 100]);
    /// Poisson::new(1).draw_into(Simd::detect(), &photons, &mut noisy)?;
    /// assert_eq!(noisy[0], Poisson::new(1).draw(20.0));
    /// # Ok::<(), widebragg::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] if the arrays differ in length.
    pub fn draw_into(&mut self, simd: Simd, means: &[f32], deviates: &mut [f32]) -> Result<(), Error> {
        same_length("deviates", deviates.len(), means.len())?;
        let mut uniforms = Lookahead::new(simd, &mut self.random);
        for (means, deviates) in means.chunks(BLOCK).zip(deviates.chunks_mut(BLOCK)) {
            let functions = Means::new(simd, means);
            for (i, (&mean, deviate)) in means.iter().zip(deviates).enumerate() {
                *deviate = draw(&mut uniforms, &mut self.spare_gauss, mean, &functions.at(i));
            }
        }
        uniforms.finish();
        Ok(())
    }
}

/// A Gaussian deviate; `spare` is the second of a pair.
#[inline(always)]
fn gauss<N: Precision>(uniforms: &mut impl Uniforms<N>, spare: &mut Option<N>) -> N {
    if let Some(spare) = spare.take() {
        return spare;
    }
    let (point, factor) = uniforms.point();
    let (first, second) = point.deviates(factor);
    *spare = Some(second);
    first
}

/// A Poisson deviate; `functions` returns those of `mean`.
#[inline(always)]
fn draw<N: Precision>(
    uniforms: &mut impl Uniforms<N>,
    spare_gauss: &mut Option<N>,
    mean: N,
    functions: &impl Functions<N>,
) -> N {
    let exact: f64 = mean.into();
    if exact > LARGEST_REJECTION {
        let deviate: f64 = gauss(uniforms, spare_gauss).into();
        N::from_f64(exact + libm::sqrt(exact) * deviate)
    } else if exact < REJECTION {
        products_above(uniforms, functions.limit(mean))
    } else if mean.is_nan() {
        N::from_f64(0.0)
    } else {
        by_rejection(uniforms, mean, &functions.mean(mean))
    }
}

/// As [`draw`], but a mean that is NaN takes two deviates and gives NaN: the reference's rejection accepts its first trial.
#[inline(always)]
fn draw_or_nan<N: Precision>(
    uniforms: &mut impl Uniforms<N>,
    spare_gauss: &mut Option<N>,
    mean: N,
    functions: &impl Functions<N>,
) -> N {
    if mean.is_nan() {
        uniforms.uniform();
        uniforms.uniform();
        return N::from_f64(f64::NAN);
    }
    draw(uniforms, spare_gauss, mean, functions)
}

/// The limit of the products for a mean below 12: e^-mean as libm's, rounded to f32.
fn limit_of(mean: f32) -> f32 {
    // Up to 2^-26 the exponential is 1 in f32.
    if (0.0..=VANISHING).contains(&mean) { 1.0 } else { exp_minus(mean) }
}

/// The number of uniform deviates whose product stays above `limit`.
#[inline(always)]
fn products_above<N: Precision>(uniforms: &mut impl Uniforms<N>, limit: N) -> N {
    let mut count = N::from_f64(-1.0);
    let mut product = N::from_f64(1.0);
    loop {
        count = count + N::from_f64(1.0);
        product = product * uniforms.uniform();
        if product.is_nan() || product <= limit {
            return count;
        }
    }
}

/// e^-mean as libm's, rounded to f32, for mean < 12.
#[inline(always)]
fn exp_minus(mean: f32) -> f32 {
    let x = -f64::from(mean);
    let exact = || libm::exp(x) as f32;
    // Below 1, libm is the faster one; a mean may also be negative, and infinite.
    if mean >= 1.0 { decided(certain_approximation(certain::exp(x)), exact) } else { exact() }
}

#[inline(always)]
fn by_rejection<N: Precision>(uniforms: &mut impl Uniforms<N>, mean: N, functions: &impl OfMean<N>) -> N {
    let ln = functions.ln();
    let spread = N::from_f64(libm::sqrt(2.0 * mean.into()));
    let peak = mean * ln - functions.ln_gamma();
    loop {
        let (tangent, count) = loop {
            let tangent = uniforms.tangent();
            let count = spread * tangent + mean;
            if count >= N::from_f64(0.0) {
                break (tangent, count.floor());
            }
        };
        let log_ratio = count * ln - functions.ln_factorial(count) - peak;
        if uniforms.accepts(tangent, log_ratio) {
            return count;
        }
    }
}
