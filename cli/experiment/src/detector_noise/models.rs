//! Values of the stages that are known of kinds of detectors.
//!
//! | model | value | source |
//! |---|---|---|
//! | pilatus | 1 ADU a photon, no noise of the readout, no offset | it counts photons |
//! | | saturation 1048575 | its counter has 20 bits (Dectris) |
//! | eiger | 1 ADU a photon, no noise of the readout, no offset | it counts photons |
//! | jungfrau | gains 40, -1, -0.1 ADU a keV | nominal ones, as dxtbx reads raw words (FormatNexusJungfrauExt) |
//! | | switched at 320 keV and 12 MeV | skopi; a single source |
//! | rayonix | gain of MX225, MX300 1.5, MX325 1.3, MAR165 1.0 ADU a photon | dxtbx, within 20 % |
//! | | point spread of a fiber, 80 um within 10 pixels; calibration 0.01; offset 10 | the values that the scripts of LS49 use for an MX340-HS |
//! | | saturation 65535 less the offset | its files have 16 bits |
//! | cspad | gain 3.38 ADU a keV | SLAC: 0.00338 ADU/eV in high gain |
//! | | readout 3.38 ADU | LCLS: 1.0 keV in high gain |
//! | | saturation 9464 ADU | LCLS: 350 photons of 8 keV in high gain |
//! | | no offset | LS49 |
//!
//! What differs from one detector of a kind to another, or was not found in any source, has no value here
//! ([`DetectorModel::needs`]): dead times of counting detectors, the count at which an Eiger saturates, pedestals and noise of
//! a Jungfrau, noise of a Rayonix, and the common mode of a CSPAD. A detector that is known by name says what it saturates at.

use widebragg::noise::detector::GainMode;
use widebragg::noise::point_spread::Form;

use super::{CommonModeRule, DeadTimeRule, Gain, NoiseStages, SwitchedGains};
use crate::detectors::NamedDetector;
use crate::point_spread::PointSpreadRule;

/// ADU a photon of Rayonix detectors, by their names in [`crate::detectors::ALL`].
const RAYONIX_GAINS: [(&str, f64); 4] =
    [("Rayonix MX225", 1.5), ("Rayonix MX300", 1.5), ("Rayonix MX325", 1.3), ("MAR165", 1.0)];

/// Offset of a Rayonix, in ADU.
const RAYONIX_OFFSET: f64 = 10.0;

/// Largest 16-bit pixel of a Rayonix, less its offset.
const RAYONIX_SATURATION: i32 = u16::MAX as i32 - RAYONIX_OFFSET as i32;

/// The counter of a Pilatus has 20 bits.
const PILATUS_SATURATION: i32 = (1 << 20) - 1;

/// ADU a keV of a CSPAD in high gain.
const CSPAD_GAIN: f64 = 3.38;

/// 350 photons of 8 keV at that gain.
const CSPAD_SATURATION: i32 = 9464;

/// A kind of detectors whose noise is alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetectorModel {
    /// Pilatus: counts photons.
    Pilatus,
    /// Eiger: counts photons.
    Eiger,
    /// Jungfrau: pixels switch their gain by the charge.
    Jungfrau,
    /// Rayonix and MAR: a screen with a taper of fibers before a CCD.
    Rayonix,
    /// CSPAD, in high gain.
    Cspad,
}

/// A value of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageValue {
    /// [`StageValues::dead_time`]
    DeadTime,
    /// [`StageValues::gain`]
    Gain,
    /// [`StageValues::common_mode`]
    CommonMode,
    /// [`StageValues::readout_adu`]
    Readout,
    /// [`StageValues::saturation_adu`]
    Saturation,
    /// [`StageValues::switch_kev`]
    GainSwitch,
    /// [`StageValues::mode_pedestals_adu`]
    ModePedestals,
    /// [`StageValues::mode_readouts_adu`]
    ModeReadouts,
}

/// Values of the stages, as far as they are given. A time, width or rms of 0 is given as well: the stage then does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StageValues {
    /// What is lost after each count.
    pub dead_time: Option<DeadTimeRule>,
    /// What spreads the counts of a pixel over others.
    pub point_spread: Option<PointSpreadRule>,
    /// From photons to ADU; not switched.
    pub gain: Option<Gain>,
    /// Gains of the modes that the charge chooses from, in ADU a keV: these are used instead of `gain`, not 0.
    pub mode_gains_adu_per_kev: Option<[f64; 3]>,
    /// Charges from which the modes 1 and 2 are chosen, in keV.
    pub switch_kev: Option<[f64; 2]>,
    /// ADU of the modes without charge.
    pub mode_pedestals_adu: Option<[f64; 3]>,
    /// Rms by which the pedestals of pixels differ in each mode, in ADU.
    pub pedestal_spreads_adu: Option<[f64; 3]>,
    /// Rms noise of the readout of the modes, in ADU.
    pub mode_readouts_adu: Option<[f64; 3]>,
    /// Rms fraction by which the gain of each pixel differs.
    pub calibration: Option<f64>,
    /// What the pixels of a row, or of a block, have in common in a frame.
    pub common_mode: Option<CommonModeRule>,
    /// Rms noise of the readout, in ADU.
    pub readout_adu: Option<f64>,
    /// The largest value of a pixel, in ADU above the offset.
    pub saturation_adu: Option<i32>,
    /// What files without negative numbers add to each pixel, in ADU.
    pub offset_adu: Option<f64>,
}

impl DetectorModel {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Pilatus, Self::Eiger, Self::Jungfrau, Self::Rayonix, Self::Cspad];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pilatus => "pilatus",
            Self::Eiger => "eiger",
            Self::Jungfrau => "jungfrau",
            Self::Rayonix => "rayonix",
            Self::Cspad => "cspad",
        }
    }

    /// What is known of it, and of the detector of a name where there is one.
    ///
    /// ```
    /// use widebragg_experiment::detector_noise::{DetectorModel, Gain};
    /// use widebragg_experiment::detectors::NamedDetector;
    ///
    /// let detector = NamedDetector::find("Rayonix MX325");
    /// let values = DetectorModel::Rayonix.values(detector);
    /// assert_eq!((values.gain, values.saturation_adu), (Some(Gain::PerPhoton(1.3)), Some(65_525)));
    /// assert_eq!(DetectorModel::Rayonix.values(None).gain, None);
    /// ```
    #[must_use]
    pub fn values(self, detector: Option<&NamedDetector>) -> StageValues {
        let counting = StageValues {
            gain: Some(Gain::PerPhoton(1.0)),
            readout_adu: Some(0.0),
            offset_adu: Some(0.0),
            ..StageValues::default()
        };
        match self {
            Self::Pilatus => StageValues { saturation_adu: Some(PILATUS_SATURATION), ..counting },
            Self::Eiger => {
                let saturation = detector.and_then(|detector| detector.saturation);
                let saturation_adu = saturation.and_then(|counts| i32::try_from(counts).ok());
                StageValues { saturation_adu, ..counting }
            }
            Self::Jungfrau => StageValues {
                mode_gains_adu_per_kev: Some([40.0, -1.0, -0.1]),
                switch_kev: Some([320.0, 12_000.0]),
                ..StageValues::default()
            },
            Self::Rayonix => {
                let gain = detector
                    .and_then(|detector| RAYONIX_GAINS.into_iter().find(|(name, _)| *name == detector.name));
                StageValues {
                    point_spread: Some(PointSpreadRule {
                        form: Form::Fiber,
                        width_m: 80e-6,
                        radius_px: Some(10),
                    }),
                    gain: gain.map(|(_, adu)| Gain::PerPhoton(adu)),
                    calibration: Some(0.01),
                    saturation_adu: Some(RAYONIX_SATURATION),
                    offset_adu: Some(RAYONIX_OFFSET),
                    ..StageValues::default()
                }
            }
            Self::Cspad => StageValues {
                gain: Some(Gain::PerKev(CSPAD_GAIN)),
                readout_adu: Some(CSPAD_GAIN * 1.0),
                saturation_adu: Some(CSPAD_SATURATION),
                offset_adu: Some(0.0),
                ..StageValues::default()
            },
        }
    }

    /// The values without which its noise cannot be simulated, whether they are known or not.
    #[must_use]
    pub fn needs(self) -> &'static [StageValue] {
        match self {
            Self::Pilatus | Self::Eiger => &[StageValue::DeadTime, StageValue::Saturation],
            Self::Jungfrau => &[],
            Self::Rayonix => &[StageValue::Gain, StageValue::Readout],
            Self::Cspad => &[StageValue::CommonMode],
        }
    }
}

impl StageValues {
    /// These values, and of those that are not given the ones of `others`.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            dead_time: self.dead_time.or(others.dead_time),
            point_spread: self.point_spread.or(others.point_spread),
            gain: self.gain.or(others.gain),
            mode_gains_adu_per_kev: self.mode_gains_adu_per_kev.or(others.mode_gains_adu_per_kev),
            switch_kev: self.switch_kev.or(others.switch_kev),
            mode_pedestals_adu: self.mode_pedestals_adu.or(others.mode_pedestals_adu),
            pedestal_spreads_adu: self.pedestal_spreads_adu.or(others.pedestal_spreads_adu),
            mode_readouts_adu: self.mode_readouts_adu.or(others.mode_readouts_adu),
            calibration: self.calibration.or(others.calibration),
            common_mode: self.common_mode.or(others.common_mode),
            readout_adu: self.readout_adu.or(others.readout_adu),
            saturation_adu: self.saturation_adu.or(others.saturation_adu),
            offset_adu: self.offset_adu.or(others.offset_adu),
        }
    }

    /// What is still to be given: what `model` needs, and what gains that are switched do.
    #[must_use]
    pub fn lacking(&self, model: Option<DetectorModel>) -> Vec<StageValue> {
        let of_modes: &[StageValue] = match self.mode_gains_adu_per_kev {
            Some(_) => &[StageValue::GainSwitch, StageValue::ModePedestals, StageValue::ModeReadouts],
            None => model.map_or(&[], DetectorModel::needs),
        };
        of_modes.iter().copied().filter(|&value| !self.has(value)).collect()
    }

    fn has(&self, value: StageValue) -> bool {
        match value {
            StageValue::DeadTime => self.dead_time.is_some(),
            StageValue::Gain => self.gain.is_some(),
            StageValue::CommonMode => self.common_mode.is_some(),
            StageValue::Readout => self.readout_adu.is_some(),
            StageValue::Saturation => self.saturation_adu.is_some(),
            StageValue::GainSwitch => self.switch_kev.is_some(),
            StageValue::ModePedestals => self.mode_pedestals_adu.is_some(),
            StageValue::ModeReadouts => self.mode_readouts_adu.is_some(),
        }
    }

    /// `stages` with these values; what is not given stays as it is.
    #[must_use]
    pub fn applied_to(&self, stages: NoiseStages) -> NoiseStages {
        let dead_time = self.dead_time.or(stages.dead_time).filter(|rule| rule.tau_s > 0.0);
        let point_spread = self.point_spread.or(stages.point_spread).filter(|rule| rule.width_m > 0.0);
        let calibration = self.calibration.unwrap_or(stages.calibration);
        let common_mode = self.common_mode.or(stages.common_mode).filter(|rule| rule.rms_adu > 0.0);
        let stages = NoiseStages { dead_time, point_spread, calibration, common_mode, ..stages };
        if let Some(modes) = self.modes() {
            let gain = Gain::Switched(SwitchedGains {
                switch_kev: self.switch_kev.unwrap_or_default(),
                modes,
                pedestal_spreads_adu: self.pedestal_spreads_adu.unwrap_or_default(),
            });
            return NoiseStages { gain, ..stages };
        }
        NoiseStages {
            gain: self.gain.unwrap_or(stages.gain),
            readout_adu: self.readout_adu.unwrap_or(stages.readout_adu),
            saturation_adu: self.saturation_adu.or(stages.saturation_adu),
            ..stages
        }
    }

    /// The modes, where gains are switched.
    fn modes(&self) -> Option<[GainMode; 3]> {
        let gains = self.mode_gains_adu_per_kev?;
        let [pedestals, readouts] =
            [self.mode_pedestals_adu, self.mode_readouts_adu].map(Option::unwrap_or_default);
        Some([0, 1, 2].map(|mode| GainMode {
            adu_per_kev: gains[mode],
            pedestal_adu: pedestals[mode],
            readout_adu: readouts[mode],
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors;

    #[test]
    fn gains_are_those_of_detectors_with_these_names() {
        // The table from which detectors are known has the gain in a column of its own.
        let table = include_str!("../detectors/detectors.csv");
        for (name, adu) in RAYONIX_GAINS {
            let detector = detectors::ALL.iter().find(|detector| detector.name == name);
            assert!(detector.is_some(), "{name}");
            let line = table.lines().find(|line| line.starts_with(&format!("{name},"))).unwrap();
            assert!(line.contains(&format!("\"{adu:.1} ")), "{line}");
        }
    }

    #[test]
    fn what_is_given_is_used_instead_of_what_is_known() {
        let given = StageValues {
            readout_adu: Some(2.0),
            point_spread: Some(PointSpreadRule { form: Form::Gauss, width_m: 0.0, radius_px: None }),
            ..StageValues::default()
        };
        let model = DetectorModel::Rayonix;
        assert_eq!(given.or(model.values(None)).lacking(Some(model)), [StageValue::Gain]);
        let values = given.or(model.values(NamedDetector::find("MX225")));
        assert_eq!(values.lacking(Some(model)), []);
        let stages = values.applied_to(NoiseStages::default());
        let expected = NoiseStages {
            gain: Gain::PerPhoton(1.5),
            calibration: 0.01,
            readout_adu: 2.0,
            saturation_adu: Some(65_525),
            ..NoiseStages::default()
        };
        assert_eq!(stages, expected);
    }

    #[test]
    fn what_is_not_known_of_a_model_is_lacking() {
        use StageValue::{CommonMode, DeadTime, Gain, ModePedestals, ModeReadouts, Readout, Saturation};
        let lacking = |model: DetectorModel| model.values(None).lacking(Some(model));
        assert_eq!(lacking(DetectorModel::Pilatus), [DeadTime]);
        assert_eq!(lacking(DetectorModel::Eiger), [DeadTime, Saturation]);
        assert_eq!(lacking(DetectorModel::Jungfrau), [ModePedestals, ModeReadouts]);
        assert_eq!(lacking(DetectorModel::Rayonix), [Gain, Readout]);
        assert_eq!(lacking(DetectorModel::Cspad), [CommonMode]);
        assert_eq!(StageValues::default().lacking(None), []);
    }

    #[test]
    fn switched_gains_have_neither_gain_nor_readout_of_their_own() {
        let given = StageValues {
            mode_pedestals_adu: Some([2500.0, 15_000.0, 15_200.0]),
            mode_readouts_adu: Some([80.0, 5.0, 5.0]),
            ..StageValues::default()
        };
        let values = given.or(DetectorModel::Jungfrau.values(None));
        assert_eq!(values.lacking(Some(DetectorModel::Jungfrau)), []);
        let stages = values.applied_to(NoiseStages::default());
        let gains = stages.switched_gains().unwrap();
        assert_eq!(gains.modes[2], GainMode { adu_per_kev: -0.1, pedestal_adu: 15_200.0, readout_adu: 5.0 });
        assert_eq!((gains.switch_kev, stages.readout_adu), ([320.0, 12_000.0], 0.0));
    }
}
