//! The noise of spec in the images of the companions: that of a render whose images have a single panel.
//!
//! Each pixel's deviates are drawn by itself, so that the threads of the current pool share the rows.

use rayon::prelude::*;
use widebragg::lanes::Simd;
use widebragg::noise::detector::{Counts, Expected, Limits, Place, Signal, fill_gain_map, shot_factor};
use widebragg::noise::stages::Readout;
use widebragg_formats::memory::filled;

use super::no_memory;
use crate::error::Failure;

/// The frame number that deviates depend on: that of the first frame of a render.
const FRAME: u32 = 1;

/// What the deviates of an image are drawn from.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands) struct SpecNoise {
    /// SIMD level.
    pub(in crate::commands) simd: Simd,
    /// Seed of all but the calibration.
    pub(in crate::commands) seed: i64,
    /// Columns of the image.
    pub(in crate::commands) columns: usize,
}

/// The gains of the pixels, relative to that of the detector.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands) struct Calibration {
    /// Their rms deviation from 1.
    pub(in crate::commands) deviation: f64,
    /// Their seed.
    pub(in crate::commands) seed: i64,
}

impl SpecNoise {
    /// Counts the expected photons of an image, whose source flickers by a rms fraction.
    pub(in crate::commands) fn count(&self, flicker: f64, photons: &mut [f32]) {
        let shot = shot_factor(self.simd, flicker, self.seed as u64, FRAME);
        photons.par_chunks_mut(self.columns).enumerate().for_each(|(slow, row)| {
            let _ = Expected::new(self.place(slow), row).times(shot).count();
        });
    }

    /// The integers of counts, from 0 to `largest`, and how many are saturated.
    ///
    /// # Errors
    /// There is too little memory, or the gain is not above 0.
    pub(in crate::commands) fn stored(
        &self,
        calibration: Calibration,
        readout: &Readout,
        mut counts: Vec<f32>,
        largest: i32,
    ) -> Result<(Vec<i32>, usize), Failure> {
        let limits = Limits { least: 0, largest };
        let mut stored = filled(counts.len(), 0).ok_or_else(no_memory)?;
        let rows = counts.par_chunks_mut(self.columns).zip(stored.par_chunks_mut(self.columns)).enumerate();
        let overloads = rows.map_init(
            || vec![1.0; self.columns],
            |gains, (slow, (row, stored))| {
                let place = self.place(slow);
                let Calibration { deviation, seed } = calibration;
                let gains = gains.get_mut(..row.len()).unwrap_or_default();
                fill_gain_map(self.simd, deviation, seed as u64, place.panel, place.first, gains);
                let signal: Signal<'_> = Counts::new(place, row).amplify(readout.gain, Some(gains))?;
                let signal = signal.add_pedestal(readout.offset_adu).read_out(readout.noise_adu);
                Ok(signal.store_into(limits, stored)?.saturated())
            },
        );
        let overloads: Result<usize, widebragg::Error> =
            overloads.try_reduce(|| 0, |one, other| Ok(one + other));
        let overloads = overloads.map_err(|error| Failure::input(error.to_string()))?;
        Ok((stored, overloads))
    }

    /// The place of a row.
    fn place(&self, slow: usize) -> Place {
        let first = slow * self.columns;
        Place { simd: self.simd, seed: self.seed as u64, frame: FRAME, panel: 0, first: first as u32 }
    }
}
