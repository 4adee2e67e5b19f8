//! What a detector makes of the photons that are expected, stage by stage, with the deviates of
//! [`counter`](super::counter).
//!
//! **Order.** Each type is a state of the pixels, and has the stages that may come next:
//!
//! | state | unit | stages |
//! |---|---|---|
//! | [`Expected`] | photons | the shot's factor, flicker of each pixel, [`Expected::count`] |
//! | [`Counts`] | photons | dead time, (a point spread), [`Counts::amplify`] or [`Counts::switch_gain`] |
//! | [`Signal`] | ADU | pedestal, common mode, readout, [`Signal::store_into`] |
//! | [`Stored`] | ADU, integers | hot and dead pixels, [`Stored::mask`] |
//!
//! **Formulas.** With Gaussian deviates g of mean 0 and variance 1, each of its own stage:
//!
//! ```text
//! expected = photons max(0, 1 + flicker g_shot) max(0, 1 + pixel_flicker g)
//! counts   = Poisson(expected)
//! counted  = counts e^(-counts tau/T)            paralyzable
//!          = counts/(1 + counts tau/T)           not paralyzable
//! ADU      = counted gain max(0, 1 + calibration g_pixel) + pedestal + common g_row + readout g
//! stored   = the nearest integer, from the least to the largest
//! ```
//!
//! tau is the dead time of a count and T the exposure. The gain of a pixel is static: it depends on the calibration seed, the
//! panel and the pixel alone.
//!
//! **A point spread** between [`Counts`] and the gain needs the whole panel: [`Counts::into_pixels`] gives the pixels up, and
//! [`Counts::new`] takes them again.
//!
//! **Shapes and units.** A call has pixels of one panel, consecutive in a slow-major order; [`Place::first`] is the number of
//! the first. Pixels between stages are f32, and what is computed in a stage f64. All calls give the same pixels however a
//! panel is split over them.
//!
//! **A stage by itself.** Each state can be made of pixels that are in it already, and [`Limits::store`] and
//! [`GainSwitching::store`] read pixels that they leave as they are.
//!
//! **Special cases.** A pixel that is NaN counts 0. Pixels that are masked are computed as all others, and replaced at the
//! very end.
//!
//! **Cost** of a stage at AVX2 on an AMD EPYC (family 26, model 2): flicker of each pixel, gain map and readout 4 ns a pixel, dead
//! time 3 (not paralyzable 1), integers 1, all others below 0.4; counting as in [`counter`](super::counter).
//!
//! ```
//! use widebragg::lanes::Simd;
//! use widebragg::noise::detector::{Expected, Limits, Place, fill_gain_map, shot_factor};
//!
//! let simd = Simd::detect();
//! let place = Place { simd, seed: 1, frame: 0, panel: 0, first: 0 };
//! let mut gain_map = [1.0; 64];
//! fill_gain_map(simd, 0.03, 7, 0, 0, &mut gain_map);
//!
//! let mut pixels = [20.0; 64]; // photons
//! let mut stored = [0; 64];
//! let image = Expected::new(place, &mut pixels)
//!     .times(shot_factor(simd, 0.02, place.seed, place.frame))
//!     .count()
//!     .amplify(1.5, Some(&gain_map))?
//!     .add_pedestal(40.0)
//!     .read_out(3.0)
//!     .store_into(Limits { least: 0, largest: 65_535 }, &mut stored)?;
//! assert_eq!(image.saturated(), 0);
//! assert!(stored.iter().all(|adu| (20..150).contains(adu)));
//! # Ok::<(), widebragg::Error>(())
//! ```

mod bad_pixels;
mod counts;
mod expected;
mod gain_switching;
mod signal;
mod stored;

pub use bad_pixels::fill_bad_pixels;
pub use counts::{Counts, DeadTime, fill_gain_map};
pub use expected::{Expected, shot_factor};
pub use gain_switching::{GainMode, GainSwitching, PixelDifferences, fill_pedestal_map};
pub use signal::{CommonMode, Signal};
pub use stored::{Limits, Stored};

use super::counter::{Stage, Stream};
use crate::lanes::Simd;

/// Which pixels an array holds, and what their deviates are drawn from.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Instructions.
    pub simd: Simd,
    /// Seed of the deviates, of which 56 bits count.
    pub seed: u64,
    /// Frame or shot.
    pub frame: u32,
    /// Panel.
    pub panel: u32,
    /// Number of the first pixel in its panel: slow times the columns, plus fast.
    pub first: u32,
}

impl Place {
    fn stream(&self, stage: Stage) -> Stream {
        Stream::new(self.seed, stage, self.frame, self.panel)
    }

    /// Calls `apply` with each pixel and its Gaussian deviate.
    #[inline(always)]
    fn with_gauss<P>(
        &self,
        stage: Stage,
        mut pixels: impl ExactSizeIterator<Item = P>,
        mut apply: impl FnMut(P, f64),
    ) {
        let stream = self.stream(stage);
        let mut first = self.first;
        while pixels.len() > 0 {
            let mut deviates = [0.0; BLOCK];
            let deviates = deviates.get_mut(..pixels.len().min(BLOCK)).unwrap_or_default();
            stream.fill_gauss(self.simd, first, deviates);
            deviates.iter().zip(pixels.by_ref()).for_each(|(deviate, pixel)| apply(pixel, *deviate));
            first = first.wrapping_add(BLOCK as u32);
        }
    }
}

/// Number of pixels whose deviates are drawn at a time: 4 kB.
const BLOCK: usize = 512;

/// The largest integer that is not above `x`, for an `x` within the range of integers. libm's takes a call.
#[inline(always)]
fn floor(x: f64) -> i32 {
    let whole = x as i32;
    whole - i32::from(f64::from(whole) > x)
}
