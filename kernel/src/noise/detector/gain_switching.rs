//! A detector whose pixels choose their gain by the charge, such as Jungfrau.
//!
//! **Formula.** A charge below the first switching point is read in mode 0, below the second in mode 1, else in mode 2:
//!
//! ```text
//! charge = photons keV_of_a_photon
//! word   = code 2^14 + the nearest integer in 0..16383 to (charge gain + pedestal + common + readout g)
//! ```
//!
//! with the gain, pedestal and readout noise of the mode, the gain and pedestal also of the pixel, and what pixels have in
//! common. The codes of modes 0, 1 and 2 are 0, 1 and 3.
//!
//! **Source.** The raw words of Jungfrau as dxtbx reads them (FormatNexusJungfrauExt).

use super::{Place, floor};
use crate::Error;
use crate::arrays::same_length;
use crate::lanes::Simd;
use crate::noise::counter::Stage;

/// One of the gains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GainMode {
    /// ADU for each keV; below 0 where the signal falls with the charge.
    pub adu_per_kev: f64,
    /// ADU without charge.
    pub pedestal_adu: f64,
    /// Rms noise of the readout, in ADU.
    pub readout_adu: f64,
}

/// The gains and when they are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GainSwitching {
    /// Energy of a photon, in keV.
    pub photon_kev: f64,
    /// Charges from which the modes 1 and 2 are chosen, in keV.
    pub switch_kev: [f64; 2],
    /// The modes.
    pub modes: [GainMode; 3],
}

/// What differs from pixel to pixel, a number for each of them; by default nothing does.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PixelDifferences<'m> {
    /// Factors on the gain of each mode, such as [`fill_gain_map`](super::fill_gain_map)'s.
    pub gains: Option<&'m [f32]>,
    /// ADU that are added to the pedestal of each mode, such as [`fill_pedestal_map`]'s.
    pub pedestals_adu: [Option<&'m [f32]>; 3],
    /// The common mode of each pixel in a frame, in ADU, whatever its gain: what
    /// [`Signal::add_common_mode`](super::Signal::add_common_mode) makes of zeros.
    pub common_adu: Option<&'m [f32]>,
}

impl PixelDifferences<'_> {
    /// Checks that all arrays have this length.
    fn check(&self, pixels: usize) -> Result<(), Error> {
        let of_modes = self.pedestals_adu.map(|map| ("pedestal map", map));
        let others = [("gain map", self.gains), ("common mode", self.common_adu)];
        let mut all = others.into_iter().chain(of_modes).filter_map(|(name, map)| Some((name, map?)));
        all.try_for_each(|(name, map)| same_length(name, map.len(), pixels))
    }

    /// The factor on the gain of a pixel, and what is added to its pedestal.
    #[inline(always)]
    fn of(&self, pixel: usize, mode: usize) -> (f64, f64) {
        let at = |map: Option<&[f32]>| map.and_then(|map| map.get(pixel)).map(|&number| f64::from(number));
        let pedestal_adu = at(self.pedestals_adu.get(mode).copied().flatten()).unwrap_or(0.0);
        (at(self.gains).unwrap_or(1.0), pedestal_adu + at(self.common_adu).unwrap_or(0.0))
    }
}

/// Fills by how much the pedestals of the pixels of `panel` differ in a mode, from number `first` on: `rms_adu` g. They are
/// static: nothing but the seed, of which 56 bits count, the panel, the mode, 0 to 2, and the pixel decides them.
pub fn fill_pedestal_map(
    simd: Simd,
    rms_adu: f64,
    seed: u64,
    panel: u32,
    mode: u32,
    first: u32,
    pedestal_map: &mut [f32],
) {
    // No frame has pedestals of its own.
    let place = Place { simd, seed, frame: mode, panel, first };
    place
        .with_gauss(Stage::Pedestal, pedestal_map.iter_mut(), |pedestal, g| *pedestal = (rms_adu * g) as f32);
}

impl GainSwitching {
    /// Largest ADU of a mode: 14 bits.
    pub const LARGEST_ADU: i32 = (1 << 14) - 1;

    /// What the upper two bits of a word hold in each mode.
    pub const CODES: [i32; 3] = [0, 1, 3];

    /// The word of a charge in keV, without noise; an infinite charge has that of the most that mode 2 holds.
    #[must_use]
    pub fn word(&self, charge_kev: f64) -> i32 {
        let (mode, code, _) = self.mode(charge_kev);
        code << 14 | nearest(charge_kev * mode.adu_per_kev + mode.pedestal_adu)
    }

    /// The mode of a charge in keV, its code and its number.
    #[inline(always)]
    fn mode(&self, charge_kev: f64) -> (&GainMode, i32, usize) {
        let [low, high] = self.switch_kev;
        let [first, second, third] = &self.modes;
        let [code0, code1, code2] = Self::CODES;
        if charge_kev < low {
            (first, code0, 0)
        } else if charge_kev < high {
            (second, code1, 1)
        } else {
            (third, code2, 2)
        }
    }

    /// Fills `words` with those of `counts` photons at `place`, whose pixels have these `differences`, and returns how many
    /// pixels their mode cannot hold.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] if the differences or the words are not as many as the counts.
    pub fn store(
        &self,
        place: Place,
        counts: &[f32],
        differences: &PixelDifferences<'_>,
        words: &mut [i32],
    ) -> Result<usize, Error> {
        same_length("stored pixels", words.len(), counts.len())?;
        differences.check(counts.len())?;
        let mut saturated = 0;
        let pixels = counts.iter().zip(words).enumerate();
        place.with_gauss(Stage::Readout, pixels, |(pixel, (&count, word)), deviate| {
            let charge_kev = f64::from(count) * self.photon_kev;
            let (mode, code, number) = self.mode(charge_kev);
            let (own_gain, own_adu) = differences.of(pixel, number);
            let pedestal_adu = mode.pedestal_adu + own_adu;
            let adu = charge_kev * (mode.adu_per_kev * own_gain) + pedestal_adu + mode.readout_adu * deviate;
            // Where the gain is below 0, the signal ends at 0.
            let largest = f64::from(Self::LARGEST_ADU);
            let beyond = if mode.adu_per_kev < 0.0 { adu < -0.5 } else { adu >= largest + 0.5 };
            saturated += usize::from(beyond);
            *word = code << 14 | nearest(adu);
        });
        Ok(saturated)
    }
}

/// The nearest ADU of a mode.
#[inline(always)]
fn nearest(adu: f64) -> i32 {
    floor((adu + 0.5).max(0.0).min(f64::from(GainSwitching::LARGEST_ADU)))
}
