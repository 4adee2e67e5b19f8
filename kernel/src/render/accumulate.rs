//! How a step joins the sum of its pixel, and how the sum becomes the pixel: the one place that decides it.
//!
//! As in the reference, a factor whose `oversample_` flag is set multiplies the *running sum* at every step;
//! the others multiply the finished sum once:
//!
//! ```text
//! step     sum = (sum + F_cell^2 F_latt^2) * (capture if thick) * (polarisation if polar) * (omega if omega)
//! pixel    value = scale * sum * (capture if not thick) * (polarisation if not polar) * (omega if not omega)
//! ```

use crate::lanes::Lanes;
use crate::scene::Oversample;

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

/// Which factors multiply the running sum.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Accumulation {
    flags: Oversample,
}

impl Accumulation {
    pub(crate) fn new(flags: Oversample) -> Self {
        Self { flags }
    }

    #[inline(always)]
    fn flagged<F>(self, factors: PixelFactors<F>) -> [(bool, F); 3] {
        let PixelFactors { capture, polarization, omega_sr } = factors;
        let Oversample { thick, polar, omega, .. } = self.flags;
        [(thick, capture), (polar, polarization), (omega, omega_sr)]
    }

    /// What every step multiplies the running sum by; `None` where no flag is set.
    #[inline(always)]
    pub(crate) fn step_factor<F: Lanes>(self, factors: PixelFactors<F>) -> Option<F> {
        let mut product = factors.omega_sr.splat_like(1.0);
        for (flag, factor) in self.flagged(factors) {
            if flag {
                product = product * factor;
            }
        }
        self.flags.multiplies_sum().then_some(product)
    }

    /// The running sum after a step whose term is `amplitude` squared.
    #[inline(always)]
    pub(crate) fn add<F: Lanes>(self, sum: F, amplitude: F, factors: PixelFactors<F>) -> F {
        let mut sum = amplitude.mul_add(amplitude, sum);
        for (flag, factor) in self.flagged(factors) {
            if flag {
                sum = sum * factor;
            }
        }
        sum
    }

    /// The pixel that a finished sum makes, and the pixel divided by the sum.
    #[inline(always)]
    pub(crate) fn finish<F: Lanes>(self, scale: F, sum: F, factors: PixelFactors<F>) -> (F, F) {
        let (mut value, mut value_per_sum) = (scale * sum, scale);
        for (flag, factor) in self.flagged(factors) {
            if !flag {
                value = value * factor;
                value_per_sum = value_per_sum * factor;
            }
        }
        (value, value_per_sum)
    }
}
