//! A detector whose pixels choose their gain by the charge, such as Jungfrau.
//!
//! **Formula.** A charge below the first switching point is read in mode 0, below the second in mode 1, else in mode 2:
//!
//! ```text
//! charge = photons keV_of_a_photon
//! word   = code 2^14 + the nearest integer in 0..16383 to (charge gain + pedestal + readout g)
//! ```
//!
//! with the gain, pedestal and readout noise of the mode. The codes of modes 0, 1 and 2 are 0, 1 and 3.
//!
//! **Source.** The raw words of Jungfrau as dxtbx reads them (FormatNexusJungfrauExt).

use super::{Place, Stored, floor};
use crate::Error;
use crate::arrays::same_length;
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

impl GainSwitching {
    /// Largest ADU of a mode: 14 bits.
    pub const LARGEST_ADU: i32 = (1 << 14) - 1;

    /// What the upper two bits of a word hold in each mode.
    pub const CODES: [i32; 3] = [0, 1, 3];

    /// The word of a charge in keV, without noise; an infinite charge has that of the most that mode 2 holds.
    #[must_use]
    pub fn word(&self, charge_kev: f64) -> i32 {
        let (mode, code) = self.mode(charge_kev);
        code << 14 | nearest(charge_kev * mode.adu_per_kev + mode.pedestal_adu)
    }

    /// The mode of a charge in keV.
    #[inline(always)]
    fn mode(&self, charge_kev: f64) -> (&GainMode, i32) {
        let [low, high] = self.switch_kev;
        let [first, second, third] = &self.modes;
        let [code0, code1, code2] = Self::CODES;
        if charge_kev < low {
            (first, code0)
        } else if charge_kev < high {
            (second, code1)
        } else {
            (third, code2)
        }
    }
}

/// Stores words. Pixels that a mode cannot hold count as saturated.
pub(super) fn store<'o>(
    switching: &GainSwitching,
    place: Place,
    counts: &mut [f32],
    gain_map: Option<&[f32]>,
    stored: &'o mut [i32],
) -> Result<Stored<'o>, Error> {
    same_length("stored pixels", stored.len(), counts.len())?;
    if let Some(gains) = gain_map {
        same_length("gain map", gains.len(), counts.len())?;
    }
    let mut words = stored.iter_mut();
    let mut gains = gain_map.map(|gains| gains.iter());
    let mut saturated = 0;
    place.with_gauss(Stage::Readout, counts, |&mut count, deviate| {
        let charge_kev = f64::from(count) * switching.photon_kev;
        let own = gains.as_mut().and_then(|gains| gains.next()).map_or(1.0, |&gain| f64::from(gain));
        let (mode, code) = switching.mode(charge_kev);
        let adu = charge_kev * (mode.adu_per_kev * own) + mode.pedestal_adu + mode.readout_adu * deviate;
        let largest = GainSwitching::LARGEST_ADU;
        // Where the gain is below 0, the signal ends at 0.
        let beyond = if mode.adu_per_kev < 0.0 { adu < -0.5 } else { adu >= f64::from(largest) + 0.5 };
        saturated += usize::from(beyond);
        if let Some(word) = words.next() {
            *word = code << 14 | nearest(adu);
        }
    });
    Ok(Stored::new(place, stored, saturated))
}

/// The nearest ADU of a mode.
#[inline(always)]
fn nearest(adu: f64) -> i32 {
    floor((adu + 0.5).max(0.0).min(f64::from(GainSwitching::LARGEST_ADU)))
}
