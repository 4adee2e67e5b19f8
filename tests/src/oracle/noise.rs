//! Poisson deviates as the reference draws them.
//!
//! Numerical Recipes' `poidev` and `gasdev` with f32 variables. As in C, exp, ln, sqrt and tan are computed
//! in f64 and rounded when stored, and a literal with a decimal point makes its sum or product f64.

use super::random::Ran1;
use core::f64::consts::PI;

/// A stream of Poisson deviates.
#[derive(Clone, Debug)]
pub struct Poisson {
    random: Ran1,
    /// The second Gaussian deviate of a pair, if not used yet.
    spare: Option<f32>,
}

impl Poisson {
    /// A stream of deviates over `ran1` with `seed`, which is negative as in the reference.
    pub fn new(seed: i32) -> Self {
        Self::after(&Ran1::new(0), seed)
    }

    /// A stream with `seed` over a generator that was used before.
    pub fn after(random: &Ran1, seed: i32) -> Self {
        Poisson { random: random.clone().with_state(seed), spare: None }
    }

    /// One deviate of the given mean.
    pub fn draw(&mut self, mean: f32) -> f32 {
        if f64::from(mean) > 1e6 {
            (f64::from(mean) + f64::from(mean).sqrt() * f64::from(self.gaussian())) as f32
        } else if mean < 12.0 {
            self.by_products(mean)
        } else {
            self.by_rejection(mean)
        }
    }

    /// Knuth's method: the number of uniform deviates whose product stays above exp(-mean).
    fn by_products(&mut self, mean: f32) -> f32 {
        let limit = (-f64::from(mean)).exp() as f32;
        let (mut count, mut product) = (0.0, self.random.draw());
        while product > limit {
            count += 1.0;
            product *= self.random.draw();
        }
        count
    }

    /// Rejection sampling with a Lorentzian comparison function.
    fn by_rejection(&mut self, mean: f32) -> f32 {
        let sq = (2.0 * f64::from(mean)).sqrt() as f32;
        let al = f64::from(mean).ln() as f32;
        let g = mean * al - ln_gamma(mean + 1.0);
        loop {
            let mut y = (PI * f64::from(self.random.draw())).tan() as f32;
            let mut em = sq * y + mean;
            while em < 0.0 {
                y = (PI * f64::from(self.random.draw())).tan() as f32;
                em = sq * y + mean;
            }
            em = em.floor();
            let exponent = em * al - ln_gamma(em + 1.0) - g;
            let t = (0.9 * (1.0 + f64::from(y * y)) * f64::from(exponent).exp()) as f32;
            let rejected = self.random.draw() > t;
            if !rejected {
                return em;
            }
        }
    }

    /// A Gaussian deviate by the polar Box-Muller method, which returns the second of a pair first.
    fn gaussian(&mut self) -> f32 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let mut symmetric = || (2.0 * f64::from(self.random.draw()) - 1.0) as f32;
            let (v1, v2) = (symmetric(), symmetric());
            let rsq = v1 * v1 + v2 * v2;
            if rsq > 0.0 && rsq < 1.0 {
                let factor = (-2.0 * f64::from(rsq).ln() / f64::from(rsq)).sqrt() as f32;
                self.spare = Some(v1 * factor);
                return v2 * factor;
            }
        }
    }
}

/// ln(Gamma(x)) by Lanczos' formula, computed in f64 and rounded to f32.
fn ln_gamma(x: f32) -> f32 {
    let x = f64::from(x);
    const COEFFICIENTS: [f64; 6] = [
        76.18009172947146,
        -86.50532032941677,
        24.01409824083091,
        -1.231739572450155,
        0.1208650973866179e-2,
        -0.5395239384953e-5,
    ];
    let tmp = x + 5.5;
    let tmp = tmp - (x + 0.5) * tmp.ln();
    let (mut y, mut series) = (x, 1.000000000190015);
    for coefficient in COEFFICIENTS {
        y += 1.0;
        series += coefficient / y;
    }
    (-tmp + (2.5066282746310005 * series / x).ln()) as f32
}
