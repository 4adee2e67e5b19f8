//! Streams of two seeds that share one shuffle table, as the seeds of `noisify.c` do.
//!
//! There each seed is a number of the generator, which goes on from it, but the shuffle table, the second of a pair of
//! Gaussian deviates and the constants of the last Poisson mean exist once. So
//!
//! * a seed above 0 on the command line fills the whole table at its first deviate, whoever used it before,
//! * a seed below 0 goes on with the table of the other one; as the first of all it counts as 1,
//! * the second Gaussian deviate of a pair belongs to whoever asks next,
//! * a run of means of exactly -1 at the very begin, which is the value that the constants start with, gives about 100
//!   counts a pixel: the products of uniform deviates end where they underflow.
//!
//! **Source.** `ran1`, `gaussdev` and `poidev` of `noisify.c`; `nonBragg.c` draws its counts in the same way.
//!
//! **Accuracy** (`tests/tests/kernel_noise_stages.rs`, `tests/tests/cli_companions.rs`). The deviates are bit for bit
//! those of the reference.
//!
//! ```
//! use widebragg::noise::shared::{Seed, SharedStreams};
//!
//! let mut streams = SharedStreams::new(3, 42);
//! let gain = streams.gauss(Seed::Calibration);
//! assert_eq!(gain, SharedStreams::new(7, 42).gauss(Seed::Calibration));
//! assert!(streams.count(5.0) >= 0.0);
//! ```

use crate::lanes::Simd;
use crate::random::Ran1;

use super::gauss::fill;
use super::lookahead::Lookahead;
use super::means::{Alone, BLOCK, Functions, Means};
use super::{LARGEST_REJECTION, Uniforms, draw, draw_or_nan, gauss, products_above};

/// The mean that the reference takes the constants of its first deviate to belong to.
const MEAN_AT_START: f32 = -1.0;

/// A seed of the streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seed {
    /// `-seed`: flicker, counts and readout.
    Noise,
    /// `-calib_seed`: the calibration of the pixels.
    Calibration,
}

/// The uniform deviates of two seeds with one shuffle table.
#[derive(Debug, Clone)]
pub(super) struct SharedTable {
    /// The table, and the number of the seed that was used last.
    random: Ran1,
    /// The seed that was used last; `None` before the first deviate, when there is no table.
    last: Option<Seed>,
    /// The numbers that the seeds go on from, except that of the last one.
    noise_number: i64,
    calibration_number: i64,
}

impl SharedTable {
    /// The deviates of two seeds, given as the values of options, whose negatives are the numbers.
    pub(super) fn new(noise_seed: i64, calibration_seed: i64) -> Self {
        Self {
            random: Ran1::new(1),
            last: None,
            noise_number: noise_seed.wrapping_neg(),
            calibration_number: calibration_seed.wrapping_neg(),
        }
    }

    /// The deviates of a seed.
    pub(super) fn take_up(&mut self, seed: Seed) -> &mut Ran1 {
        if self.last != Some(seed) {
            let number = *self.number(seed);
            if let Some(last) = self.last {
                *self.number(last) = self.random.state() as i64;
            }
            match (self.last, u64::try_from(number)) {
                (Some(_), Ok(state)) if state > 0 => self.random.set_state(state),
                _ => self.random = Ran1::new(number.wrapping_neg()),
            }
            self.last = Some(seed);
        }
        &mut self.random
    }

    fn number(&mut self, seed: Seed) -> &mut i64 {
        match seed {
            Seed::Noise => &mut self.noise_number,
            Seed::Calibration => &mut self.calibration_number,
        }
    }
}

/// Two streams of deviates with one shuffle table.
#[derive(Debug, Clone)]
pub struct SharedStreams {
    table: SharedTable,
    /// The second of a pair of Gaussian deviates.
    spare_gauss: Option<f32>,
    /// Whether no mean but [`MEAN_AT_START`] had its constants computed.
    is_at_start: bool,
}

impl SharedStreams {
    /// Creates the streams of two seeds, given as the values of the options `-seed` and `-calib_seed`.
    ///
    /// The reference's default of the second is the number 123456789 itself and not its negative: -123456789 here.
    #[must_use]
    pub fn new(noise_seed: i64, calibration_seed: i64) -> Self {
        let table = SharedTable::new(noise_seed, calibration_seed);
        Self { table, spare_gauss: None, is_at_start: true }
    }

    /// Draws a Gaussian deviate of mean 0 and variance 1: the one that is left of a pair, or the first of a new pair.
    pub fn gauss(&mut self, seed: Seed) -> f32 {
        // A spare deviate does not take up the seed.
        match self.spare_gauss.take() {
            Some(spare) => spare,
            None => gauss(self.table.take_up(seed), &mut self.spare_gauss),
        }
    }

    /// Fills `deviates` with what [`SharedStreams::gauss`] would return one after the other.
    pub fn gauss_into(&mut self, simd: Simd, seed: Seed, deviates: &mut [f32]) {
        let has_spare_alone = deviates.len() <= usize::from(self.spare_gauss.is_some());
        let Self { table, spare_gauss, .. } = self;
        let random = if has_spare_alone { &mut table.random } else { table.take_up(seed) };
        fill(simd, random, spare_gauss, deviates);
    }

    /// Draws the Poisson deviate of a mean from the noise seed. A mean that is NaN takes two deviates and gives NaN.
    pub fn count(&mut self, mean: f32) -> f32 {
        let Self { table, spare_gauss, is_at_start } = self;
        if f64::from(mean) > LARGEST_REJECTION && spare_gauss.is_some() {
            // No uniform deviate is drawn, so that the seed is not taken up.
            return draw(&mut table.random, spare_gauss, mean, &Alone);
        }
        count(table.take_up(Seed::Noise), spare_gauss, is_at_start, mean, &Alone)
    }

    /// Replaces each mean by its Poisson deviate: the same as [`SharedStreams::count`] of one after the other, faster.
    pub fn count_all(&mut self, simd: Simd, means: &mut [f32]) {
        if !self.can_take_up(Seed::Noise) {
            return means.iter_mut().for_each(|mean| *mean = self.count(*mean));
        }
        let Self { table, spare_gauss, is_at_start } = self;
        let mut uniforms = Lookahead::new(simd, table.take_up(Seed::Noise));
        for block in means.chunks_mut(BLOCK) {
            let functions = Means::new(simd, block);
            for (i, mean) in block.iter_mut().enumerate() {
                *mean = count(&mut uniforms, spare_gauss, is_at_start, *mean, &functions.at(i));
            }
        }
        uniforms.finish();
    }

    /// Draws ahead for pixels that take Gaussian and Poisson deviates of the noise seed by turns; `None` where another
    /// seed may have to come first.
    pub(super) fn by_turns(&mut self, simd: Simd) -> Option<ByTurns<'_>> {
        if !self.can_take_up(Seed::Noise) {
            return None;
        }
        let Self { table, spare_gauss, is_at_start } = self;
        let uniforms = Lookahead::new(simd, table.take_up(Seed::Noise));
        Some(ByTurns { uniforms, spare_gauss, is_at_start })
    }

    /// Whether the next deviate of any kind takes up `seed`, if it has not been.
    fn can_take_up(&self, seed: Seed) -> bool {
        self.table.last == Some(seed) || self.spare_gauss.is_none()
    }
}

/// The noise seed's deviates of both kinds, drawn ahead.
pub(super) struct ByTurns<'r> {
    uniforms: Lookahead<'r>,
    spare_gauss: &'r mut Option<f32>,
    is_at_start: &'r mut bool,
}

impl ByTurns<'_> {
    pub(super) fn gauss(&mut self) -> f32 {
        gauss(&mut self.uniforms, self.spare_gauss)
    }

    /// The second of a pair, if there is one.
    pub(super) fn spare_gauss(&mut self) -> Option<f32> {
        self.spare_gauss.take()
    }

    pub(super) fn count(&mut self, mean: f32) -> f32 {
        count(&mut self.uniforms, self.spare_gauss, self.is_at_start, mean, &Alone)
    }

    /// Leaves the streams after the last deviate that was used.
    pub(super) fn finish(self) {
        self.uniforms.finish();
    }
}

/// A Poisson deviate; `functions` returns those of `mean`.
#[inline(always)]
fn count(
    uniforms: &mut impl Uniforms<f32>,
    spare_gauss: &mut Option<f32>,
    is_at_start: &mut bool,
    mean: f32,
    functions: &impl Functions<f32>,
) -> f32 {
    if *is_at_start {
        if mean == MEAN_AT_START {
            return products_above(uniforms, 0.0);
        }
        *is_at_start = f64::from(mean) > LARGEST_REJECTION;
    }
    draw_or_nan(uniforms, spare_gauss, mean, functions)
}
