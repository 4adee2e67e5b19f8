//! Photons that are expected, and how they vary from shot to shot.

use super::{Counts, Place};
use crate::lanes::Simd;
use crate::noise::counter::{Stage, Stream};

/// The factor of all pixels of a shot: max(0, 1 + `flicker` g). Without flicker it is 1.
#[must_use]
pub fn shot_factor(simd: Simd, flicker: f64, seed: u64, frame: u32) -> f64 {
    factor(flicker, Stream::new(seed, Stage::Shot, frame, 0).gauss(simd, 0))
}

/// max(0, 1 + `fraction` `deviate`).
#[inline(always)]
pub(super) fn factor(fraction: f64, deviate: f64) -> f64 {
    (1.0 + fraction * deviate).max(0.0)
}

/// Pixels as the photons that are expected.
#[derive(Debug)]
pub struct Expected<'p> {
    place: Place,
    pixels: &'p mut [f32],
}

impl<'p> Expected<'p> {
    /// The photons of the pixels at `place`.
    #[must_use]
    pub fn new(place: Place, pixels: &'p mut [f32]) -> Self {
        Self { place, pixels }
    }

    /// Multiplies all pixels, by a [`shot_factor`].
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        // A factor of 1 leaves all bits as they are.
        self.pixels.iter_mut().for_each(|pixel| *pixel = (f64::from(*pixel) * factor) as f32);
        self
    }

    /// Multiplies each pixel by a factor of its own in this frame: max(0, 1 + `flicker` g).
    #[must_use]
    pub fn flicker(self, flicker: f64) -> Self {
        self.place.with_gauss(Stage::PixelFlicker, self.pixels.iter_mut(), |pixel, deviate| {
            *pixel = (f64::from(*pixel) * factor(flicker, deviate)) as f32;
        });
        self
    }

    /// Counts photons: Poisson deviates of what is expected.
    #[must_use]
    pub fn count(self) -> Counts<'p> {
        let Self { place, pixels } = self;
        place.stream(Stage::Photons).draw_poisson(place.simd, place.first, pixels);
        Counts::new(place, pixels)
    }
}
