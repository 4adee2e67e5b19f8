//! The functions of the means of a row.

use crate::lanes::{BaseLevel, Simd, WithSimd};

use super::certain::{certain_approximation, decided, exp, ln};
use super::ln_gamma::{Mean, certain_stirling, change_by_rounding, ln_gamma_after, stirling};
use super::{REJECTION, VANISHING, limit_of};

/// Number of means in a block.
pub(super) const BLOCK: usize = 256;

impl Mean {
    /// The functions of a mean from 12 on, approximately.
    #[inline(always)]
    fn approximate(mean: f32) -> Self {
        let wide = f64::from(mean);
        let wide_ln = ln(wide);
        let wide_ln_gamma = stirling(wide, wide_ln);
        let ln_gamma = certain_stirling(wide_ln_gamma + change_by_rounding(mean, wide_ln), wide, wide_ln);
        Self { mean, ln: certain_approximation(wide_ln), ln_gamma, wide_ln, wide_ln_gamma }
    }

    /// The same with the exact f32 where the approximations do not decide it.
    #[inline(always)]
    fn decided(self) -> Self {
        Self {
            ln: decided(self.ln, || libm::log(f64::from(self.mean)) as f32),
            ln_gamma: decided(self.ln_gamma, || ln_gamma_after(self.mean)),
            ..self
        }
    }

    /// The functions of a mean from 12 on.
    pub(super) fn new(mean: f32) -> Self {
        Self::approximate(mean).decided()
    }
}

/// The functions of a mean.
pub(super) trait Functions {
    /// The limit of the products, for a mean below 12.
    fn limit(&self, mean: f32) -> f32;

    /// The functions of the rejection, for a mean from 12 on.
    fn mean(&self, mean: f32) -> Mean;
}

/// Functions that are computed for one mean.
pub(super) struct Alone;

impl Functions for Alone {
    #[inline(always)]
    fn limit(&self, mean: f32) -> f32 {
        limit_of(mean)
    }

    #[inline(always)]
    fn mean(&self, mean: f32) -> Mean {
        Mean::new(mean)
    }
}

/// The functions of up to [`BLOCK`] means, approximated in loops, which become vectors.
pub(super) struct Means {
    /// e^-mean of means below 12; NaN where its f32 is undecided.
    limits: [f32; BLOCK],
    ln: [f32; BLOCK],
    ln_gamma: [f32; BLOCK],
    wide_ln: [f64; BLOCK],
    wide_ln_gamma: [f64; BLOCK],
}

impl Means {
    /// Computes the functions of the first [`BLOCK`] of `means` that are drawn as most of their block.
    pub(super) fn new(simd: Simd, means: &[f32]) -> Self {
        let mut functions = Self {
            limits: [f32::NAN; BLOCK],
            ln: [f32::NAN; BLOCK],
            ln_gamma: [f32::NAN; BLOCK],
            wide_ln: [f64::NAN; BLOCK],
            wide_ln_gamma: [f64::NAN; BLOCK],
        };
        let has_rejections = means.iter().any(|&mean| mean >= REJECTION);
        let has_products = means.iter().any(|&mean| mean < REJECTION);
        if has_rejections {
            simd.run(Fill { means, functions: &mut functions });
        }
        if has_products {
            simd.run(FillLimits { means, limits: &mut functions.limits });
        }
        functions
    }

    /// The functions of the mean at `index`.
    #[inline(always)]
    pub(super) fn at(&self, index: usize) -> OfBlock<'_> {
        OfBlock { functions: self, index }
    }
}

/// The functions of a mean of a block.
pub(super) struct OfBlock<'m> {
    functions: &'m Means,
    index: usize,
}

impl Functions for OfBlock<'_> {
    #[inline(always)]
    fn limit(&self, mean: f32) -> f32 {
        let limit = self.functions.limits.get(self.index).copied().unwrap_or(f32::NAN);
        decided(limit, || limit_of(mean))
    }

    #[inline(always)]
    fn mean(&self, mean: f32) -> Mean {
        let Means { ln, ln_gamma, wide_ln, wide_ln_gamma, .. } = self.functions;
        let narrow = |of: &[f32; BLOCK]| of.get(self.index).copied().unwrap_or(f32::NAN);
        let wide = |of: &[f64; BLOCK]| of.get(self.index).copied().unwrap_or(f64::NAN);
        let (ln, ln_gamma) = (narrow(ln), narrow(ln_gamma));
        let (wide_ln, wide_ln_gamma) = (wide(wide_ln), wide(wide_ln_gamma));
        Mean { mean, ln, ln_gamma, wide_ln, wide_ln_gamma }.decided()
    }
}

/// Computes the limits of the products.
struct FillLimits<'a> {
    means: &'a [f32],
    limits: &'a mut [f32; BLOCK],
}

impl WithSimd for FillLimits<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, _: L) {
        for (&mean, limit) in self.means.iter().zip(self.limits) {
            let approximate = certain_approximation(exp(-f64::from(mean)));
            // The approximation holds for these; the others are rare.
            *limit = if mean > VANISHING && mean < REJECTION { approximate } else { f32::NAN };
        }
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
        let Means { ln, ln_gamma, wide_ln, wide_ln_gamma, .. } = self.functions;
        let narrow = ln.iter_mut().zip(ln_gamma);
        let wide = wide_ln.iter_mut().zip(wide_ln_gamma);
        for ((&mean, (ln, ln_gamma)), (wide_ln, wide_ln_gamma)) in self.means.iter().zip(narrow).zip(wide) {
            let mean = Mean::approximate(mean);
            (*ln, *ln_gamma) = (mean.ln, mean.ln_gamma);
            (*wide_ln, *wide_ln_gamma) = (mean.wide_ln, mean.wide_ln_gamma);
        }
    }
}
