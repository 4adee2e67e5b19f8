//! The background of water in spec: scattering that is alike in all directions, seen by the first subpixel of
//! each pixel.
//!
//! ```text
//! background = water * polarisation * omega * (1 - exp(-thickness attenuation/(d . o)))
//! ```
//!
//! water is what [`crate::beam::water_background`] gives; the polarisation is that of the first source, whatever
//! the resolution limit, and the last factor is 1 for a sensor without thickness. (c-parity starts the sum of a
//! pixel with water instead, as the reference does.)

use super::accumulate::PixelFactors;
use super::geometry::Direction;
use crate::lanes::Lanes;
use crate::scene::Scene;

/// The background of the pixels whose first subpixels are in `direction`.
#[inline(always)]
pub(super) fn background<F: Lanes>(scene: &Scene<'_>, direction: &Direction<F>) -> F {
    let (panel, one) = (&scene.p.panel, direction.inverse_distance.splat_like(1.0));
    let factors = PixelFactors {
        polarization: if let Some(frame) = &scene.polarization { direction.polarization(frame) } else { one },
        omega_sr: direction.omega_sr(panel),
        capture: if panel.sensor.layer_m > 0.0 { direction.captured(panel) } else { one },
    };
    water(one.splat_like(scene.water), factors)
}

/// The photons that water scatters into a pixel, given those per sr.
#[inline(always)]
pub(crate) fn water<F: Lanes>(per_sr: F, factors: PixelFactors<F>) -> F {
    let PixelFactors { capture, polarization, omega_sr } = factors;
    per_sr * polarization * omega_sr * capture
}
