//! Deviates that are functions of a pixel: of seed, stage, frame, panel and the pixel's number, and of nothing else.
//!
//! **Method.** Philox ([`philox_4x32_10`]) turns a counter into 128 random bits. The key holds seed and stage, the counter
//! frame, panel, pixel and which draw of the pixel it is. So threads, the order of rows, a region of interest and the width of
//! the vectors change no deviate, and any pixel can be drawn by itself.
//!
//! **Formulas.** Uniform deviates are (n + 1/2)/2^52, n an integer of 52 bits. Gaussian deviates are Box's and Muller's: with
//! u and v uniform and a random sign, they are
//!
//! ```text
//! sign sqrt(-2 ln u) cos(pi (v - 1/2))    and    sign sqrt(-2 ln u) sin(pi (v - 1/2))
//! ```
//!
//! Poisson deviates of a mean below 32 are found by inversion: the least n whose cumulative probability is not below
//! u. Above they are found by transformed rejection (PTRS): with u - 1/2 and v, in -1/2..1/2 and 0..1,
//!
//! ```text
//! n = floor((2 a/(1/2 - |u|) + b) u + mean + 0.43)
//! ```
//!
//! is accepted where v is below the ratio of the probability of n and the density of the transformed u. From a mean of 2^40 on
//! the deviate is the Gaussian one, rounded.
//!
//! **Source.** J. K. Salmon et al., Proc. SC11 (2011) for Philox; W. Hörmann, Insurance: Mathematics and Economics 12 (1993),
//! 39 for PTRS, whose a, b and bounds are used; C. Loader (2000) for the probability without cancellation.
//!
//! **Accuracy** (`tests/tests/kernel_noise_counter.rs`). Counters and keys of known answer give it. All levels have the same
//! bits, since no operation is fused. Moments are right for means over 12 decades, and histograms pass tests of chi squared.
//! The Gaussian deviates are at most 8.6, and Poisson deviates whose probability is below 1e-16 of the whole are not drawn by
//! inversion.
//!
//! **Special cases.** A mean that is NaN or not above 0 gives 0, and an infinite one infinity.
//!
//! **Cost** on an AMD EPYC (family 26, model 2), ns a pixel at AVX2 and AVX-512: uniform 1.6 and 0.8, Gaussian 3.5 and 1.8,
//! Poisson 7 and 4 for a mean of 5, 20 and 14 for 100. Up to 24 kB of stack.
//!
//! ```
//! use widebragg::lanes::Simd;
//! use widebragg::noise::counter::{Stage, Stream};
//!
//! let simd = Simd::detect();
//! let stream = Stream::new(1, Stage::Photons, 0, 0);
//! let mut counts = [20.0; 100]; // means
//! stream.draw_poisson(simd, 0, &mut counts);
//! assert_eq!(counts[60], counts[60].round());
//!
//! let mut alone = [20.0];
//! stream.draw_poisson(simd, 60, &mut alone); // only pixel 60
//! assert_eq!(alone[0], counts[60]);
//! ```

mod fill;
mod functions;
mod gauss;
mod philox;
mod poisson;
mod rejection;

pub use philox::philox_4x32_10;

use crate::lanes::{BaseLanes, LaneBits, ROUND_BY_ADDING, Simd};

use fill::Fill;
use gauss::Gauss;
use poisson::Uniform;

/// What deviates are drawn for. Different stages have independent deviates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The factor of a shot.
    Shot,
    /// The factor of a pixel in a shot.
    PixelFlicker,
    /// Photons that are counted.
    Photons,
    /// The gain of each pixel.
    Gain,
    /// The deviation that the pixels of a row, or of a module, have in common.
    CommonMode,
    /// The readout of each pixel.
    Readout,
    /// Which pixels are hot or dead.
    BadPixels,
    /// The pedestals of each pixel; the frame is the mode of its gain.
    Pedestal,
    /// What differs between shots: orientation, size, cell, energy, fluence, shift.
    Setting,
}

impl Stage {
    const fn number(self) -> u32 {
        match self {
            Self::Shot => 1,
            Self::PixelFlicker => 2,
            Self::Photons => 3,
            Self::Gain => 4,
            Self::CommonMode => 5,
            Self::Readout => 6,
            Self::BadPixels => 7,
            Self::Setting => 8,
            Self::Pedestal => 9,
        }
    }
}

/// The deviates of a stage on one panel of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    key: [u32; 2],
    frame: u32,
    panel: u32,
}

/// Which draw of a pixel it is: the lowest numbers are trials of the rejection.
const SHARED_DRAW: u32 = u32::MAX;

/// The draw of Gaussian deviates in place of Poisson deviates.
const GAUSS_DRAW: u32 = u32::MAX - 1;

impl Stream {
    /// The deviates of `seed`, of which 56 bits count.
    #[must_use]
    pub const fn new(seed: u64, stage: Stage, frame: u32, panel: u32) -> Self {
        let upper = (seed >> 32) as u32 & 0x00ff_ffff;
        Self { key: [seed as u32, upper | stage.number() << 24], frame, panel }
    }

    /// Fills Gaussian deviates, of mean 0 and variance 1, of the pixels from number `first` on. Numbers go round at 2^32.
    pub fn fill_gauss(&self, simd: Simd, first: u32, deviates: &mut [f64]) {
        simd.run(Fill { stream: self, kind: Gauss, draw: SHARED_DRAW, first, deviates });
    }

    /// The Gaussian deviate of one pixel.
    #[must_use]
    pub fn gauss(&self, simd: Simd, pixel: u32) -> f64 {
        let mut deviate = [0.0];
        self.fill_gauss(simd, pixel, &mut deviate);
        deviate[0]
    }

    /// Fills deviates uniform in (0, 1) of the pixels from number `first` on. Numbers go round at 2^32.
    pub fn fill_uniform(&self, simd: Simd, first: u32, deviates: &mut [f64]) {
        simd.run(Fill { stream: self, kind: Uniform, draw: SHARED_DRAW, first, deviates });
    }

    /// Replaces the means of the pixels from number `first` on by Poisson deviates. Numbers go round at 2^32.
    pub fn draw_poisson(&self, simd: Simd, first: u32, pixels: &mut [f32]) {
        poisson::draw(simd, self, first, pixels);
    }

    /// 32 random bits of a pixel and draw.
    pub(super) fn word(&self, simd: Simd, pixel: u32, draw: u32) -> u32 {
        let [word, ..] = philox_4x32_10(simd, [pixel, draw, self.frame, self.panel], self.key);
        word
    }

    /// The two words of 64 random bits of each block whose number is a lane.
    #[inline(always)]
    fn words<F: BaseLanes>(&self, blocks: F, draw: u32) -> [F::Bits; 2] {
        let splat = |word: u32| blocks.splat_bits_like(word.into());
        // The low bits of the sum are the number.
        let number = (blocks + blocks.splat_like(ROUND_BY_ADDING)).to_bits();
        let [a, b, c, d] = philox::ten_rounds::<F>(
            blocks,
            [number, splat(draw), splat(self.frame), splat(self.panel)],
            self.key,
        );
        let low = blocks.splat_bits_like(u32::MAX.into());
        [a.shift_left(32) | (b & low), c.shift_left(32) | (d & low)]
    }
}
