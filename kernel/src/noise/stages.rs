//! From photons to counts, and from counts to the integers that a detector stores, as `noisify.c` has it.
//!
//! **Formulas.** Of each pixel of m photons, in the order of the image, with Gaussian deviates g1, g2, g3:
//!
//! ```text
//! counts = Poisson(m (1 + flicker g1) (1 + calibration g2))
//! ADU    = counts gain + offset + noise g3
//! ```
//!
//! Photons, counts and deviates are f32, all between them f64. The integer is the ADU without its fraction, after a
//! limit from above. Below 0 it goes on at the top of its range, as it does in the reference on x86-64.
//!
//! **Source.** `noisify.c`. Flicker is a deviate for each pixel there, not for each image.
//!
//! **Accuracy** (`tests/tests/cli_companions.rs`). The integers are those of the reference.
//!
//! ```
//! use widebragg::lanes::Simd;
//! use widebragg::noise::shared::SharedStreams;
//! use widebragg::noise::stages::{PhotonNoise, Readout};
//!
//! let mut streams = SharedStreams::new(1, 42);
//! let mut pixels = [100.0; 64]; // photons
//! PhotonNoise { flicker: 0.02, calibration: 0.03 }.count_all(Simd::detect(), &mut streams, &mut pixels);
//! let mut stored = [0u16; 64];
//! let readout = Readout { gain: 1.7, offset_adu: 40.0, noise_adu: 3.0 };
//! let overloads = readout.store_all(Simd::detect(), &mut streams, &pixels, 65535.0, &mut stored)?;
//! assert_eq!(overloads, 0);
//! # Ok::<(), widebragg::Error>(())
//! ```

use crate::Error;
use crate::arrays::same_length;
use crate::lanes::Simd;

use super::shared::{Seed, SharedStreams};

/// What varies the number of photons of a pixel that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PhotonNoise {
    /// Relative rms deviation of the source, a deviate of the noise seed for each pixel; none where it is not above 0.
    pub flicker: f64,
    /// Relative rms deviation of the pixels, of the calibration seed; none where it is not above 0.
    pub calibration: f64,
}

impl PhotonNoise {
    /// Replaces the photons of each pixel by counts.
    pub fn count_all(&self, simd: Simd, streams: &mut SharedStreams, pixels: &mut [f32]) {
        match (self.flicker > 0.0, self.calibration > 0.0) {
            (false, false) => streams.count_all(simd, pixels),
            (true, _) => {
                let done = self.count_with_flicker(simd, streams, pixels);
                pixels.iter_mut().skip(done).for_each(|pixel| self.count_one(streams, pixel));
            }
            // The seeds take turns at the shuffle table, so that no deviate can be drawn ahead.
            (false, true) => pixels.iter_mut().for_each(|pixel| self.count_one(streams, pixel)),
        }
    }

    /// Counts pixels while the noise seed gives all deviates, and returns their number. It does as long as calibration
    /// finds the second deviate of the flicker's pair.
    fn count_with_flicker(&self, simd: Simd, streams: &mut SharedStreams, pixels: &mut [f32]) -> usize {
        let Some(mut deviates) = streams.by_turns(simd) else { return 0 };
        for (done, pixel) in pixels.iter_mut().enumerate() {
            let mut mean = f64::from(*pixel) * (1.0 + self.flicker * f64::from(deviates.gauss()));
            if self.calibration > 0.0 {
                let Some(gauss) = deviates.spare_gauss() else {
                    deviates.finish();
                    mean = self.calibrated(mean, streams.gauss(Seed::Calibration));
                    *pixel = streams.count(mean as f32);
                    return done + 1;
                };
                mean = self.calibrated(mean, gauss);
            }
            *pixel = deviates.count(mean as f32);
        }
        deviates.finish();
        pixels.len()
    }

    fn count_one(&self, streams: &mut SharedStreams, pixel: &mut f32) {
        let mut mean = f64::from(*pixel);
        if self.flicker > 0.0 {
            mean *= 1.0 + self.flicker * f64::from(streams.gauss(Seed::Noise));
        }
        if self.calibration > 0.0 {
            mean = self.calibrated(mean, streams.gauss(Seed::Calibration));
        }
        *pixel = streams.count(mean as f32);
    }

    fn calibrated(&self, mean: f64, gauss: f32) -> f64 {
        mean * (1.0 + self.calibration * f64::from(gauss))
    }
}

/// How counts become ADU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Readout {
    /// ADU for each count.
    pub gain: f64,
    /// ADU of a pixel without counts.
    pub offset_adu: f64,
    /// Rms deviation of each pixel, in ADU; none where it is not above 0.
    pub noise_adu: f64,
}

/// Number of pixels whose deviates are drawn at a time: 8 kB.
const BLOCK: usize = 2048;

impl Readout {
    /// Fills `stored` with the integers of `counts`, and returns how many pixels were limited to `largest_adu`. The
    /// deviates are those of the noise seed.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] if the arrays differ in length.
    pub fn store_all<T: Stored>(
        &self,
        simd: Simd,
        streams: &mut SharedStreams,
        counts: &[f32],
        largest_adu: f64,
        stored: &mut [T],
    ) -> Result<usize, Error> {
        same_length("stored pixels", stored.len(), counts.len())?;
        let mut overloads = 0;
        for (counts, stored) in counts.chunks(BLOCK).zip(stored.chunks_mut(BLOCK)) {
            let mut deviates = [0.0; BLOCK];
            if self.noise_adu > 0.0
                && let Some(deviates) = deviates.get_mut(..counts.len())
            {
                streams.gauss_into(simd, Seed::Noise, deviates);
            }
            for ((&counts, stored), deviate) in counts.iter().zip(stored).zip(deviates) {
                let mut adu = f64::from(counts) * self.gain + self.offset_adu;
                if self.noise_adu > 0.0 {
                    adu += self.noise_adu * f64::from(deviate);
                }
                overloads += usize::from(adu > largest_adu);
                *stored = T::truncated(if adu > largest_adu { largest_adu } else { adu });
            }
        }
        Ok(overloads)
    }
}

/// An integer that a pixel is stored as.
pub trait Stored: Copy + Default {
    /// `adu` without its fraction. Below 0 the integer goes on at the top of its range; NaN gives 0.
    fn truncated(adu: f64) -> Self;
}

impl Stored for u16 {
    fn truncated(adu: f64) -> Self {
        adu as i32 as Self
    }
}

impl Stored for u32 {
    fn truncated(adu: f64) -> Self {
        adu as i64 as Self
    }
}
