//! Photons that are counted, what is lost in the dead time, and the gain.

use super::expected::factor;
use super::{GainSwitching, PixelDifferences, Place, Signal, Stored};
use crate::Error;
use crate::arrays::same_length;
use crate::lanes::Simd;
use crate::noise::counter::Stage;

/// The time after a count in which a pixel counts nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeadTime {
    /// Its length, in s.
    pub tau_s: f64,
    /// Time in which the counts are spread evenly, in s; above 0.
    pub exposure_s: f64,
    /// Whether a photon within the dead time begins it anew.
    pub is_paralyzable: bool,
}

impl DeadTime {
    /// What is counted of `counts` photons.
    #[must_use]
    #[inline]
    pub fn counted(&self, counts: f64) -> f64 {
        let x = counts * (self.tau_s / self.exposure_s);
        if self.is_paralyzable { counts * libm::exp(-x) } else { counts / (1.0 + x) }
    }
}

/// Pixels as photons that are counted.
#[derive(Debug)]
pub struct Counts<'p> {
    place: Place,
    pixels: &'p mut [f32],
}

impl<'p> Counts<'p> {
    /// The counts of the pixels at `place`, such as those after a point spread.
    #[must_use]
    pub fn new(place: Place, pixels: &'p mut [f32]) -> Self {
        Self { place, pixels }
    }

    /// The pixels.
    #[must_use]
    pub fn into_pixels(self) -> &'p mut [f32] {
        self.pixels
    }

    /// Leaves out what falls in the dead time. The result is a real number, which [`Signal::store_into`] rounds.
    #[must_use]
    pub fn lose(self, dead_time: &DeadTime) -> Self {
        // Most pixels of an image have few photons, and a pixel without any loses none.
        for pixel in self.pixels.iter_mut().filter(|pixel| **pixel > 0.0) {
            *pixel = dead_time.counted(f64::from(*pixel)) as f32;
        }
        self
    }

    /// Multiplies by the gain in ADU for each photon, and by the pixels' own gains, [`fill_gain_map`]'s.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] if the gains are not as many as the pixels.
    pub fn amplify(self, gain: f64, gain_map: Option<&[f32]>) -> Result<Signal<'p>, Error> {
        let Self { place, pixels } = self;
        match gain_map {
            Some(gains) => {
                same_length("gain map", gains.len(), pixels.len())?;
                for (pixel, &own) in pixels.iter_mut().zip(gains) {
                    *pixel = (f64::from(*pixel) * gain * f64::from(own)) as f32;
                }
            }
            None => pixels.iter_mut().for_each(|pixel| *pixel = (f64::from(*pixel) * gain) as f32),
        }
        Ok(Signal::new(place, pixels))
    }

    /// Stores the charge by a detector that switches its gain, as raw words.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] if the differences or the words are not as many as the pixels.
    pub fn switch_gain<'o>(
        self,
        switching: &GainSwitching,
        differences: &PixelDifferences<'_>,
        stored: &'o mut [i32],
    ) -> Result<Stored<'o>, Error> {
        let saturated = switching.store(self.place, self.pixels, differences, stored)?;
        Ok(Stored::new(self.place, stored).with_saturated(saturated))
    }
}

/// Fills the static gains of the pixels of `panel` from number `first` on: max(0, 1 + `calibration` g), of mean 1.
pub fn fill_gain_map(
    simd: Simd,
    calibration: f64,
    calibration_seed: u64,
    panel: u32,
    first: u32,
    gain_map: &mut [f32],
) {
    let place = Place { simd, seed: calibration_seed, frame: 0, panel, first };
    place.with_gauss(Stage::Gain, gain_map.iter_mut(), |gain, g| *gain = factor(calibration, g) as f32);
}
