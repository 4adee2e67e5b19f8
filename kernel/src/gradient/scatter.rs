//! Derivatives with respect to each structure factor of the grid.
//!
//! dI/dF = 2 F_cell F_latt^2 times the weight of the node in F_cell, times what multiplies the term, or in
//! c-parity all that multiplies the sum after the step. That product is known only when the pixel is finished,
//! so the loop runs a second time.

use super::jacobian::logarithm;
use crate::lanes::Lanes;
use crate::math::exp;
use crate::render::accumulate::StepFactor;
use crate::render::observer::{ObservedStep, Observer};
use crate::structure_factor::{Located, Lookup};

/// Observer that adds the derivatives of the pixels with respect to each structure factor of the grid to
/// `sums`, in a second run of the general loop.
pub(super) struct Scatter<'s, F> {
    pub(super) sums: &'s mut [f64],
    /// Weight of the pixel times the pixel divided by its sum.
    pub(super) weight: F,
    /// Logarithm of all that the running sum is still to be multiplied by.
    pub(super) ln_ahead: F,
    /// Logarithm of the current source's factor.
    pub(super) ln_factor: F,
}

impl<F: Lanes> Observer<F> for Scatter<'_, F> {
    const DERIVATIVES: bool = true;

    #[inline(always)]
    fn begin_source(&mut self, factor: StepFactor<F>) {
        if let StepFactor::RunningSum(factor) = factor {
            self.ln_factor = logarithm(factor);
        }
    }

    #[inline(always)]
    fn step<K: Lookup<F>>(&mut self, step: &ObservedStep<'_, F>, located: &Located<'_, F, K>) {
        let f_latt = step.lattice.f_latt;
        let mut amount = f_latt * f_latt * (step.f_cell + step.f_cell) * self.weight;
        match step.factor {
            StepFactor::One => {}
            StepFactor::Terms(factor) => amount = amount * factor,
            StepFactor::RunningSum(_) => {
                amount = amount * exp(self.ln_ahead);
                let zero = amount.splat_like(0.0);
                self.ln_ahead = self.ln_ahead - F::select(step.active, self.ln_factor, zero);
            }
        }
        located.scatter(step.active, step.evaluation, amount, self.sums);
    }
}
