//! The functions of the means of a row.

use crate::lanes::{BaseLevel, Simd, WithSimd};

use super::certain::{certain_approximation, decided, ln};
use super::ln_gamma::{Mean, certain_stirling, ln_gamma_after, stirling};

/// Number of means in a block.
pub(super) const BLOCK: usize = 256;

impl Mean {
    /// The functions of a mean from 12 on, approximately.
    #[inline(always)]
    fn approximate(mean: f32) -> Self {
        let wide = f64::from(mean);
        let wide_ln = ln(wide);
        let wide_ln_gamma = stirling(wide, wide_ln);
        let ln_gamma = certain_stirling(wide_ln_gamma, wide, wide_ln);
        Self { mean, ln: certain_approximation(wide_ln), ln_gamma, wide_ln, wide_ln_gamma }
    }

    /// The same with the exact f32 where the approximations do not decide it.
    #[inline(always)]
    fn decided(self) -> Self {
        let wide = f64::from(self.mean);
        Self {
            ln: decided(self.ln, || libm::log(wide) as f32),
            ln_gamma: decided(self.ln_gamma, || ln_gamma_after(wide)),
            ..self
        }
    }

    /// The functions of a mean from 12 on.
    pub(super) fn new(mean: f32) -> Self {
        Self::approximate(mean).decided()
    }
}

/// The functions of up to [`BLOCK`] means, approximated in one loop, which becomes vectors.
pub(super) struct Means {
    ln: [f32; BLOCK],
    ln_gamma: [f32; BLOCK],
    wide_ln: [f64; BLOCK],
    wide_ln_gamma: [f64; BLOCK],
}

impl Means {
    /// Computes the functions of the first [`BLOCK`] of `means`. Those of means below 12 have no meaning.
    pub(super) fn new(simd: Simd, means: &[f32]) -> Self {
        let mut functions = Self {
            ln: [f32::NAN; BLOCK],
            ln_gamma: [f32::NAN; BLOCK],
            wide_ln: [f64::NAN; BLOCK],
            wide_ln_gamma: [f64::NAN; BLOCK],
        };
        simd.run(Fill { means, functions: &mut functions });
        functions
    }

    /// The functions of the mean at `index`, which is `mean` and at least 12.
    #[inline(always)]
    pub(super) fn get(&self, index: usize, mean: f32) -> Mean {
        let narrow = |of: &[f32; BLOCK]| of.get(index).copied().unwrap_or(f32::NAN);
        let wide = |of: &[f64; BLOCK]| of.get(index).copied().unwrap_or(f64::NAN);
        let (ln, ln_gamma) = (narrow(&self.ln), narrow(&self.ln_gamma));
        let (wide_ln, wide_ln_gamma) = (wide(&self.wide_ln), wide(&self.wide_ln_gamma));
        Mean { mean, ln, ln_gamma, wide_ln, wide_ln_gamma }.decided()
    }
}

struct Fill<'a> {
    means: &'a [f32],
    functions: &'a mut Means,
}

impl WithSimd for Fill<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, _: L) {
        let Means { ln, ln_gamma, wide_ln, wide_ln_gamma } = self.functions;
        let narrow = ln.iter_mut().zip(ln_gamma);
        let wide = wide_ln.iter_mut().zip(wide_ln_gamma);
        for ((&mean, (ln, ln_gamma)), (wide_ln, wide_ln_gamma)) in self.means.iter().zip(narrow).zip(wide) {
            let mean = Mean::approximate(mean);
            (*ln, *ln_gamma) = (mean.ln, mean.ln_gamma);
            (*wide_ln, *wide_ln_gamma) = (mean.wide_ln, mean.wide_ln_gamma);
        }
    }
}
