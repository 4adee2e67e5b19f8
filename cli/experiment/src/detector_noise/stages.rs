//! The stages of a detector's noise, as they are chosen.

use core::fmt;
use std::sync::Arc;

use widebragg::noise::detector::{GainMode, GainSwitching};
use widebragg_coordinates::anomalous::EV_ANGSTROM;
use widebragg_formats::bad_pixels::BadPixelsOfPanel;
use widebragg_formats::format_g::format_g;

use super::pixels_of;
use crate::experiment::Experiment;
use crate::failure::{Failure, Part};
use crate::point_spread::PointSpreadRule;

/// The stages of a detector's noise. By default photons are counted, and nothing else happens to them.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseStages {
    /// Rms fraction by which all pixels of a frame vary together.
    pub flicker: f64,
    /// Rms fraction by which each pixel of each frame varies.
    pub pixel_flicker: f64,
    /// What is lost after each count.
    pub dead_time: Option<DeadTimeRule>,
    /// What spreads the counts of a pixel over others.
    pub point_spread: Option<PointSpreadRule>,
    /// From photons to ADU.
    pub gain: Gain,
    /// Rms fraction by which the gain of each pixel differs, in all frames alike.
    pub calibration: f64,
    /// Seed of the gains of the pixels, and of their pedestals.
    pub calibration_seed: u64,
    /// What the pixels of a row, or of a block, have in common in a frame, in ADU of whatever mode a pixel is in.
    pub common_mode: Option<CommonModeRule>,
    /// Rms noise of the readout, in ADU; where gains are switched, each mode has its own.
    pub readout_adu: f64,
    /// The largest value of a pixel, in ADU: one that has it is saturated. `None`: that of the file. Where gains are
    /// switched it is that of the modes.
    pub saturation_adu: Option<i32>,
    /// Pixels that do not tell photons.
    pub bad_pixels: BadPixels,
}

impl Default for NoiseStages {
    fn default() -> Self {
        Self {
            flicker: 0.0,
            pixel_flicker: 0.0,
            dead_time: None,
            point_spread: None,
            gain: Gain::default(),
            calibration: 0.0,
            calibration_seed: 1,
            common_mode: None,
            readout_adu: 0.0,
            saturation_adu: None,
            bad_pixels: BadPixels::None,
        }
    }
}

/// The time after a count in which a pixel counts nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeadTimeRule {
    /// Its length, in s.
    pub tau_s: f64,
    /// Whether the pixel is ready again after it, whatever arrives meanwhile; else a photon begins it anew.
    pub retriggers: bool,
}

/// A deviation that blocks of pixels have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CommonModeRule {
    /// Its rms, in ADU.
    pub rms_adu: f64,
    /// Pixels of a block along fast and slow; `None`: a row of the panel.
    pub block: Option<[usize; 2]>,
}

/// What a photon becomes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gain {
    /// ADU for each photon; above 0.
    PerPhoton(f64),
    /// ADU for each keV of the photons, whose energy is that of the mean wavelength; above 0.
    PerKev(f64),
    /// The charge of a pixel chooses one of three gains.
    Switched(SwitchedGains),
}

impl Default for Gain {
    fn default() -> Self {
        Self::PerPhoton(1.0)
    }
}

impl Gain {
    /// ADU for each photon of the experiment; `None` where it is switched.
    pub(super) fn adu_per_photon(&self, experiment: &Experiment) -> Option<f64> {
        match self {
            Self::PerPhoton(adu) => Some(*adu),
            Self::PerKev(adu) => Some(adu * photon_kev(experiment)),
            Self::Switched(_) => None,
        }
    }
}

/// The gains of a detector that switches them, such as Jungfrau.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SwitchedGains {
    /// Charges from which the modes 1 and 2 are chosen, in keV; rising, above 0.
    pub switch_kev: [f64; 2],
    /// The modes.
    pub modes: [GainMode; 3],
    /// Rms by which the pedestals of pixels differ in each mode, in ADU, in all frames alike.
    pub pedestal_spreads_adu: [f64; 3],
}

impl SwitchedGains {
    /// The gains for the photons of an experiment, whose energy is that of the mean wavelength.
    #[must_use]
    pub fn of(&self, experiment: &Experiment) -> GainSwitching {
        let Self { switch_kev, modes, .. } = *self;
        GainSwitching { photon_kev: photon_kev(experiment), switch_kev, modes }
    }
}

/// Energy of a photon of the mean wavelength, in keV.
fn photon_kev(experiment: &Experiment) -> f64 {
    EV_ANGSTROM / (1e10 * experiment.lambda0_m) / 1e3
}

/// Pixels that do not tell photons, in all frames alike.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum BadPixels {
    /// None.
    #[default]
    None,
    /// So many pixels of each panel.
    Drawn {
        /// Those that have the largest value.
        hot: u32,
        /// Those that have the value of no photons.
        dead: u32,
        /// Seed that chooses them.
        seed: u64,
    },
    /// Those of a list, for each panel of the detector in the order of their numbers.
    Listed(Arc<[BadPixelsOfPanel]>),
}

/// A stage that images can be kept of: what the pixels are after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Photons that are expected, times the flicker.
    Vary,
    /// Photons that are counted.
    Count,
    /// Counts that are left by the dead time.
    DeadTime,
    /// Counts that are spread over other pixels.
    Spread,
    /// ADU, by the gain.
    Amplify,
    /// ADU with what blocks of pixels have in common.
    CommonMode,
    /// ADU with the noise of the readout.
    ReadOut,
    /// What is stored: whole numbers within limits, with hot and dead pixels.
    Store,
}

impl Stage {
    /// The name of its image.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vary => "varied",
            Self::Count => "counts",
            Self::DeadTime => "dead_time",
            Self::Spread => "spread",
            Self::Amplify => "amplified",
            Self::CommonMode => "common_mode",
            Self::ReadOut => "read_out",
            Self::Store => "stored",
        }
    }

    /// The unit of its image.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Vary | Self::Count | Self::DeadTime | Self::Spread => "photons",
            Self::Amplify | Self::CommonMode | Self::ReadOut | Self::Store => "ADU",
        }
    }
}

impl NoiseStages {
    /// Checks that `experiment` can have these stages.
    ///
    /// # Errors
    /// A panel has fewer pixels than are bad, or there is a dead time without an exposure.
    pub fn check(&self, experiment: &Experiment) -> Result<(), Failure> {
        if self.dead_time.is_some() && experiment.exposure_s <= 0.0 {
            return Err(Failure::impossible(Part::Noise, "a dead time needs an exposure above 0"));
        }
        let BadPixels::Drawn { hot, dead, .. } = self.bad_pixels else { return Ok(()) };
        let bad = u64::from(hot) + u64::from(dead);
        if experiment.panels.iter().all(|panel| bad <= pixels_of(panel).into()) {
            return Ok(());
        }
        Err(Failure::impossible(Part::Noise, format!("{hot} hot and {dead} dead pixels of a panel")))
    }

    /// The stages that change pixels, in their order.
    #[must_use]
    pub fn sequence(&self) -> Vec<Stage> {
        let varies = self.flicker != 0.0 || self.pixel_flicker != 0.0;
        let is_switched = self.switched_gains().is_some();
        let is_amplified = !is_switched && (self.gain != Gain::PerPhoton(1.0) || self.calibration > 0.0);
        let before = [
            (varies, Stage::Vary),
            (true, Stage::Count),
            (self.dead_time.is_some(), Stage::DeadTime),
            (self.point_spread.is_some(), Stage::Spread),
            (is_amplified, Stage::Amplify),
            (self.common_mode.is_some() && !is_switched, Stage::CommonMode),
            (self.readout_adu > 0.0 && !is_switched, Stage::ReadOut),
        ];
        let mut sequence: Vec<Stage> =
            before.into_iter().filter_map(|(happens, stage)| happens.then_some(stage)).collect();
        // Photons that are only counted are whole numbers already.
        let is_limited = self.saturation_adu.is_some() || self.bad_pixels != BadPixels::None;
        if is_switched || is_limited || sequence != [Stage::Count] {
            sequence.push(Stage::Store);
        }
        sequence
    }

    /// The gains, where they are switched.
    #[must_use]
    pub fn switched_gains(&self) -> Option<&SwitchedGains> {
        match &self.gain {
            Gain::Switched(gains) => Some(gains),
            _ => None,
        }
    }

    /// Whether the values of pixels are still photons, and not ADU.
    #[must_use]
    pub fn are_photons(&self) -> bool {
        let Self { gain, calibration, common_mode, readout_adu, bad_pixels, .. } = self;
        let is_plain = *gain == Gain::PerPhoton(1.0) && *calibration == 0.0 && *readout_adu == 0.0;
        is_plain && common_mode.is_none() && *bad_pixels == BadPixels::None
    }
}

/// The stages in the order in which they happen, separated by commas.
impl fmt::Display for NoiseStages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |name: &str, value: f64, unit: &str| {
            (value != 0.0).then(|| format!("{name} {}{unit}", format_g(value)))
        };
        let dead_time = self.dead_time.map(|rule| {
            let how = if rule.retriggers { ", not paralyzable" } else { ", paralyzable" };
            format!("dead time {} ns{how}", format_g(rule.tau_s * 1e9))
        });
        let calibration =
            number("calibration", self.calibration, &format!(" of seed {}", self.calibration_seed));
        let common = self.common_mode.map(|rule| match rule.block {
            None => format!("common mode of rows {} ADU", format_g(rule.rms_adu)),
            Some([fast, slow]) => {
                format!("common mode of {fast} x {slow} pixels {} ADU", format_g(rule.rms_adu))
            }
        });
        let bad = match &self.bad_pixels {
            BadPixels::None => None,
            BadPixels::Drawn { hot, dead, seed } => {
                Some(format!("{hot} hot and {dead} dead pixels a panel of seed {seed}"))
            }
            BadPixels::Listed(panels) => {
                let sum = |of: fn(&BadPixelsOfPanel) -> usize| panels.iter().map(of).sum::<usize>();
                let (hot, dead) = (sum(|panel| panel.hot.len()), sum(|panel| panel.dead.len()));
                Some(format!("{hot} hot and {dead} dead pixels of a list"))
            }
        };
        let stages = [
            number("flicker", self.flicker, ""),
            number("flicker of pixels", self.pixel_flicker, ""),
            Some("photons counted".to_owned()),
            dead_time,
            self.point_spread.map(|rule| format!("point spread {rule}")),
            (self.gain != Gain::default()).then(|| self.gain.to_string()),
            calibration,
            common,
            number("readout", self.readout_adu, " ADU"),
            self.saturation_adu.map(|adu| format!("saturation {adu} ADU")),
            bad,
        ];
        f.write_str(&stages.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Display for Gain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PerPhoton(adu) => write!(f, "gain {} ADU a photon", format_g(*adu)),
            Self::PerKev(adu) => write!(f, "gain {} ADU a keV", format_g(*adu)),
            Self::Switched(SwitchedGains { switch_kev, modes, pedestal_spreads_adu }) => {
                let of = |value: fn(&GainMode) -> f64| {
                    modes.each_ref().map(|mode| format_g(value(mode))).join("/")
                };
                let (gains, pedestals) = (of(|mode| mode.adu_per_kev), of(|mode| mode.pedestal_adu));
                let (readouts, [low, high]) = (of(|mode| mode.readout_adu), switch_kev.map(format_g));
                write!(
                    f,
                    "gain {gains} ADU a keV switched at {low} and {high} keV with pedestals {pedestals} and readout {readouts} ADU"
                )?;
                if *pedestal_spreads_adu == [0.0; 3] {
                    return Ok(());
                }
                let spreads = pedestal_spreads_adu.map(format_g).join("/");
                write!(f, ", pedestals that differ by {spreads} ADU")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use widebragg::noise::point_spread::Form;

    use super::*;

    #[test]
    fn stages_are_listed_in_their_order() {
        assert_eq!(NoiseStages::default().to_string(), "photons counted");
        let stages = NoiseStages {
            flicker: 0.02,
            dead_time: Some(DeadTimeRule { tau_s: 120e-9, retriggers: true }),
            gain: Gain::PerPhoton(1.5),
            calibration: 0.03,
            common_mode: Some(CommonModeRule { rms_adu: 2.0, block: Some([256, 128]) }),
            readout_adu: 3.0,
            saturation_adu: Some(60_000),
            bad_pixels: BadPixels::Drawn { hot: 3, dead: 0, seed: 5 },
            ..NoiseStages::default()
        };
        assert_eq!(
            stages.to_string(),
            "flicker 0.02, photons counted, dead time 120 ns, not paralyzable, gain 1.5 ADU a photon, calibration 0.03 of seed 1, common \
             mode of 256 x 128 pixels 2 ADU, readout 3 ADU, saturation 60000 ADU, 3 hot and 0 dead pixels a panel of seed 5"
        );
        use Stage::{Amplify, CommonMode, Count, DeadTime, ReadOut, Store, Vary};
        assert_eq!(stages.sequence(), [Vary, Count, DeadTime, Amplify, CommonMode, ReadOut, Store]);
        let mode = |adu_per_kev| GainMode { adu_per_kev, pedestal_adu: 900.0, readout_adu: 4.5 };
        let gains = SwitchedGains {
            switch_kev: [320.0, 12_000.0],
            modes: [40.0, -1.0, -0.1].map(mode),
            pedestal_spreads_adu: [20.0, 5.0, 0.0],
        };
        let switched = NoiseStages { gain: Gain::Switched(gains), ..NoiseStages::default() };
        assert_eq!(
            switched.to_string(),
            "photons counted, gain 40/-1/-0.1 ADU a keV switched at 320 and 12000 keV with pedestals 900/900/900 and readout \
             4.5/4.5/4.5 ADU, pedestals that differ by 20/5/0 ADU"
        );
        assert_eq!(switched.sequence(), [Count, Store]);
    }

    #[test]
    fn counts_stay_photons_unless_a_stage_makes_adu_of_them() {
        let plain = NoiseStages::default();
        assert!(plain.are_photons() && plain.sequence() == [Stage::Count]);
        let dims = NoiseStages { flicker: 0.1, pixel_flicker: 0.1, ..plain.clone() };
        assert!(dims.are_photons() && dims.sequence() == [Stage::Vary, Stage::Count, Stage::Store]);
        let rule = PointSpreadRule { form: Form::Fiber, width_m: 8e-5, radius_px: Some(10) };
        let spread = NoiseStages { point_spread: Some(rule), ..plain.clone() };
        assert!(spread.are_photons() && spread.sequence() == [Stage::Count, Stage::Spread, Stage::Store]);
        assert_eq!(spread.to_string(), "photons counted, point spread fiber of 80 um within 10 pixels");
        let limited = NoiseStages { saturation_adu: Some(9), ..plain.clone() };
        assert!(limited.are_photons() && limited.sequence() == [Stage::Count, Stage::Store]);
        assert!(!NoiseStages { readout_adu: 1.0, ..plain.clone() }.are_photons());
        let bad_pixels = BadPixels::Drawn { hot: 0, dead: 1, seed: 0 };
        assert!(!NoiseStages { bad_pixels, ..plain }.are_photons());
    }
}
