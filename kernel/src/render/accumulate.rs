//! How a step joins the sum of its pixel, and how the sum becomes the pixel: the one place that decides it.
//!
//! In spec every term is multiplied by what belongs to it. Weight, captured share, polarisation and solid angle
//! are the same for all orientations of a source, so that they multiply the sum over these:
//!
//! ```text
//! source   sum += factor * (sum over orientations of F_cell^2 F_latt^2)
//!          factor = (weight) * (capture if layers or thick) * (polarisation if polar) * (omega if omega)
//! pixel    value = scale * sum * (the others of capture, polarisation and omega) + background
//! ```
//!
//! In c-parity, as in the reference, a factor whose `oversample_` flag is set multiplies the *running sum* at
//! every step, and the others, those of the last layer, multiply the finished sum:
//!
//! ```text
//! step     sum = (sum + F_cell^2 F_latt^2) * (capture if thick) * (polarisation if polar) * (omega if omega)
//! pixel    value = scale * sum * (capture if not thick) * (polarisation if not polar) * (omega if not omega)
//! ```

use crate::lanes::Lanes;
use crate::rotation::PhiMode;
use crate::scene::Scene;

/// The factors of the pixels of a vector.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PixelFactors<F> {
    /// Captured share of the photons.
    pub(crate) capture: F,
    /// Polarisation factor.
    pub(crate) polarization: F,
    /// Solid angle, in sr.
    pub(crate) omega_sr: F,
}

/// What the steps of a source are multiplied by, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) enum StepFactor<F> {
    /// Nothing multiplies them.
    One,
    /// Every term is multiplied by this.
    Terms(F),
    /// Every step multiplies the running sum by this.
    RunningSum(F),
}

/// Which factors belong to the steps; the others multiply the finished sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accumulation {
    mode: PhiMode,
    capture: bool,
    polarization: bool,
    omega: bool,
    has_weights: bool,
}

impl Accumulation {
    /// Every factor belongs to the steps, and multiplies their terms.
    pub(crate) const TERMS: Self =
        Self { mode: PhiMode::Spec, capture: true, polarization: true, omega: true, has_weights: true };
    /// All factors belong to the steps, which multiply the running sum.
    pub(crate) const RUNNING_SUM: Self = Self { mode: PhiMode::CParity, ..Self::TERMS };
    /// All factors belong to the finished sum.
    pub(crate) const FINISHED: Self =
        Self { mode: PhiMode::Spec, capture: false, polarization: false, omega: false, has_weights: false };

    #[inline(always)]
    pub(crate) fn new(scene: &Scene<'_>) -> Self {
        let p = &scene.p;
        let (mode, flags) = (scene.mode(), p.oversample);
        let is_spec = mode == PhiMode::Spec;
        Self {
            mode,
            // Where there is a single one, the share of a layer can wait for the finished sum.
            capture: flags.thick || (is_spec && p.panel.sensor.layers > 1 && p.panel.sensor.layer_m > 0.0),
            polarization: flags.polar,
            omega: flags.omega,
            has_weights: p.source_weights.is_some(),
        }
    }

    /// Capture, polarisation and solid angle: whether each belongs to the steps.
    #[inline(always)]
    pub(crate) fn of_steps(self) -> [bool; 3] {
        [self.capture, self.polarization, self.omega]
    }

    /// Whether the terms of a source are summed by themselves and then multiplied.
    #[inline(always)]
    pub(crate) fn multiplies_terms(self) -> bool {
        self.mode == PhiMode::Spec && (self.has_weights || self.of_steps().contains(&true))
    }

    /// Whether every step multiplies the running sum.
    #[inline(always)]
    pub(crate) fn multiplies_sum(self) -> bool {
        self.mode == PhiMode::CParity && self.of_steps().contains(&true)
    }

    /// What the steps of a source with `weight` are multiplied by.
    #[inline(always)]
    pub(crate) fn step_factor<F: Lanes>(self, weight: f64, factors: PixelFactors<F>) -> StepFactor<F> {
        let product = self.product(factors.omega_sr.splat_like(weight), factors);
        if self.multiplies_terms() {
            StepFactor::Terms(product)
        } else if self.multiplies_sum() {
            StepFactor::RunningSum(product)
        } else {
            StepFactor::One
        }
    }

    /// The weight times the factors that belong to the steps.
    #[inline(always)]
    pub(crate) fn product<F: Lanes>(self, weight: F, factors: PixelFactors<F>) -> F {
        let PixelFactors { capture, polarization, omega_sr } = factors;
        let mut product = weight;
        for (is_of_steps, factor) in self.of_steps().into_iter().zip([capture, polarization, omega_sr]) {
            if is_of_steps {
                product = product * factor;
            }
        }
        product
    }

    /// The running sum after a step whose term is `amplitude` squared.
    #[inline(always)]
    pub(crate) fn add<F: Lanes>(self, sum: F, amplitude: F, factors: PixelFactors<F>) -> F {
        let mut sum = amplitude.mul_add(amplitude, sum);
        if self.multiplies_sum() {
            let PixelFactors { capture, polarization, omega_sr } = factors;
            for (is_of_steps, factor) in self.of_steps().into_iter().zip([capture, polarization, omega_sr]) {
                if is_of_steps {
                    sum = sum * factor;
                }
            }
        }
        sum
    }

    /// The pixel that a finished sum makes, without background, and the pixel divided by the sum.
    #[inline(always)]
    pub(crate) fn finish<F: Lanes>(self, scale: F, sum: F, factors: PixelFactors<F>) -> (F, F) {
        let PixelFactors { capture, polarization, omega_sr } = factors;
        let (mut value, mut value_per_sum) = (scale * sum, scale);
        for (is_of_steps, factor) in self.of_steps().into_iter().zip([capture, polarization, omega_sr]) {
            if !is_of_steps {
                value = value * factor;
                value_per_sum = value_per_sum * factor;
            }
        }
        (value, value_per_sum)
    }
}
