//! Noise as simtbx's `add_noise` has it: in f64, in passes over the image, with a calibration that is a loss of counts.
//!
//! **Formulas.** Of each pixel of m photons, in the order of the image, with Gaussian deviates g1, g2, g3:
//!
//! ```text
//! counts     = Poisson(m (1 + flicker g1))          m >= 0; others stay as they are, without a deviate
//! calibrated = counts (1 + calibration g2)          a second pass
//! ADU        = calibrated gain + offset + noise g3  a third one, after the point spread
//! ```
//!
//! A pass is over the pixels of the region of interest that are not masked, and others take no deviates: the caller says
//! which. A mean above 1e6 gives a real number, and so do calibration and readout; nothing is rounded to integers.
//!
//! **Streams.** The seeds share the shuffle table, as in [`shared`](super::shared), but each has a spare Gaussian deviate of
//! its own. Both start anew in every call of `add_noise`. So the calibration of a pixel is the same for all images of the same
//! calibration seed, region and mask, and the readout goes on from the noise seed with the table that calibration left.
//!
//! **Point spread.** [`point_spread`](super::point_spread) in f64.
//!
//! **Source.** `add_noise` of simtbx (cctbx_project), with its faults: flicker for each pixel instead of each shot,
//! calibration after counting, and gain, offset and noise also for the negative numbers that stand for no pixel.
//!
//! **Accuracy** (`tests/tests/simtbx_rules.rs`). Counts are those of simtbx. Pixels with Gaussian deviates show the last bit
//! of the logarithm, which is [`rounded::ln`] here and that of the C library in simtbx: with glibc one
//! pixel of some ten thousand differs by an ulp. [`SimtbxStreams::with_logarithm`] takes that of the C library where there is
//! one, and all bits are simtbx's.
//!
//! **Cost.** Deviates are one stream and are drawn one by one, without vectors.
//!
//! ```
//! use widebragg::noise::simtbx::{SimtbxNoise, SimtbxStreams};
//!
//! let noise = SimtbxNoise { calibration: 0.03, readout_adu: 3.0, offset_adu: 40.0, ..SimtbxNoise::NONE };
//! let mut streams = SimtbxStreams::new(1, 123_456_789);
//! let mut pixels = [100.0; 64]; // photons
//! noise.count_all(&mut streams, &mut pixels);
//! noise.calibrate_all(&mut streams, &mut pixels);
//! noise.read_out_all(&mut streams, &mut pixels);
//! assert!(pixels.iter().all(|adu| (80.0..200.0).contains(adu)));
//! ```

use crate::random::Ran1;
use crate::rounded;

use super::gauss::{Point, factor};
use super::ln_gamma::ln_gamma_after;
use super::means::{Functions, OfMean};
use super::shared::{Seed, SharedTable};
use super::{LARGEST_REJECTION, Uniforms, accepts, draw_or_nan, gauss, tangent};

/// The two streams of deviates of a call of `add_noise`.
#[derive(Debug, Clone)]
pub struct SimtbxStreams {
    table: SharedTable,
    /// The second of a pair of Gaussian deviates of each seed.
    spare_noise: Option<f64>,
    spare_calibration: Option<f64>,
    ln: fn(f64) -> f64,
}

impl SimtbxStreams {
    /// Starts the streams of `seed` and `calib_seed`, of which the sign does not count and 0 counts as 1.
    #[must_use]
    pub fn new(seed: i64, calibration_seed: i64) -> Self {
        let table = SharedTable::new(seed.saturating_abs(), calibration_seed.saturating_abs());
        Self { table, spare_noise: None, spare_calibration: None, ln: rounded::ln }
    }

    /// The same streams with another natural logarithm, such as that of the C library that simtbx is compared with.
    #[must_use]
    pub fn with_logarithm(self, ln: fn(f64) -> f64) -> Self {
        Self { ln, ..self }
    }

    /// Draws a Gaussian deviate of mean 0 and variance 1.
    pub fn gauss(&mut self, seed: Seed) -> f64 {
        let Self { table, spare_noise, spare_calibration, ln } = self;
        let spare = match seed {
            Seed::Noise => spare_noise,
            Seed::Calibration => spare_calibration,
        };
        // A spare deviate does not take up the seed.
        spare.take().unwrap_or_else(|| gauss(&mut Wide { random: table.take_up(seed), ln: *ln }, spare))
    }

    /// Draws the Poisson deviate of a mean. A mean that is NaN takes two deviates and gives NaN.
    pub fn count(&mut self, mean: f64) -> f64 {
        if mean > LARGEST_REJECTION {
            return mean + libm::sqrt(mean) * self.gauss(Seed::Noise);
        }
        let mut uniforms = Wide { random: self.table.take_up(Seed::Noise), ln: self.ln };
        draw_or_nan(&mut uniforms, &mut self.spare_noise, mean, &OneByOne)
    }
}

/// Uniform deviates in f64.
struct Wide<'r> {
    random: &'r mut Ran1,
    ln: fn(f64) -> f64,
}

impl Uniforms<f64> for Wide<'_> {
    fn uniform(&mut self) -> f64 {
        self.random.draw_f64()
    }

    fn point(&mut self) -> (Point<f64>, f64) {
        let point = Point::draw(self);
        (point, factor(point.square, self.ln))
    }

    fn tangent(&mut self) -> f64 {
        tangent(self.random.draw_f64())
    }

    fn accepts(&mut self, tangent: f64, log_ratio: f64) -> bool {
        accepts(self.random.draw_f64(), tangent, log_ratio)
    }
}

/// Functions of means in f64, computed for one mean.
struct OneByOne;

/// A mean whose deviates are found by rejection.
struct WideMean {
    ln: f64,
    ln_gamma: f64,
}

impl Functions<f64> for OneByOne {
    type OfMean = WideMean;

    fn limit(&self, mean: f64) -> f64 {
        libm::exp(-mean)
    }

    fn mean(&self, mean: f64) -> WideMean {
        WideMean { ln: libm::log(mean), ln_gamma: ln_gamma_after(mean) }
    }
}

impl OfMean<f64> for WideMean {
    fn ln(&self) -> f64 {
        self.ln
    }

    fn ln_gamma(&self) -> f64 {
        self.ln_gamma
    }

    fn ln_factorial(&self, count: f64) -> f64 {
        ln_gamma_after(count)
    }
}

/// What `add_noise` does to the pixels, but for the point spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimtbxNoise {
    /// Relative rms deviation of the source, a deviate for each pixel; none where it is not above 0.
    pub flicker: f64,
    /// Relative rms deviation of the pixels, of the calibration seed; none where it is not above 0.
    pub calibration: f64,
    /// ADU for each count.
    pub gain: f64,
    /// ADU of a pixel without counts.
    pub offset_adu: f64,
    /// Rms deviation of each pixel, in ADU; none where it is not above 0.
    pub readout_adu: f64,
}

impl SimtbxNoise {
    /// Counts alone, of a gain of 1.
    pub const NONE: Self =
        Self { flicker: 0.0, calibration: 0.0, gain: 1.0, offset_adu: 0.0, readout_adu: 0.0 };

    /// simtbx's defaults: 3 % of calibration, 3 ADU of readout, a gain of 1 and an offset of 40 ADU.
    pub const DEFAULT: Self = Self { calibration: 0.03, offset_adu: 40.0, readout_adu: 3.0, ..Self::NONE };

    /// Replaces the photons of pixels by counts.
    pub fn count_all<'p>(&self, streams: &mut SimtbxStreams, pixels: impl IntoIterator<Item = &'p mut f64>) {
        // Those that are NaN are counted.
        for pixel in pixels.into_iter().filter(|pixel| **pixel >= 0.0 || pixel.is_nan()) {
            let mut mean = *pixel;
            if self.flicker > 0.0 {
                mean *= 1.0 + self.flicker * streams.gauss(Seed::Noise);
            }
            *pixel = streams.count(mean);
        }
    }

    /// Multiplies counts by the pixels' own calibration.
    pub fn calibrate_all<'p>(
        &self,
        streams: &mut SimtbxStreams,
        pixels: impl IntoIterator<Item = &'p mut f64>,
    ) {
        if self.calibration > 0.0 {
            for pixel in pixels {
                *pixel *= 1.0 + self.calibration * streams.gauss(Seed::Calibration);
            }
        }
    }

    /// Replaces calibrated counts by ADU.
    pub fn read_out_all<'p>(
        &self,
        streams: &mut SimtbxStreams,
        pixels: impl IntoIterator<Item = &'p mut f64>,
    ) {
        for pixel in pixels {
            *pixel = *pixel * self.gain + self.offset_adu;
            if self.readout_adu > 0.0 {
                *pixel += self.readout_adu * streams.gauss(Seed::Noise);
            }
        }
    }
}
