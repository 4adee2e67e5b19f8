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

use super::geometry::Direction;
use crate::lanes::Lanes;
use crate::scene::Scene;

/// The background of the pixels whose first subpixels are in `direction`.
#[inline(always)]
pub(super) fn background<F: Lanes>(scene: &Scene<'_>, direction: &Direction<F>) -> F {
    let panel = &scene.p.panel;
    let mut value = direction.inverse_distance.splat_like(scene.water);
    if let Some(frame) = &scene.polarization {
        value = value * direction.polarization(frame);
    }
    value = value * direction.omega_sr(panel);
    if panel.sensor.layer_m > 0.0 {
        value = value * direction.captured(panel);
    }
    value
}
