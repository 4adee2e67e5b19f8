//! The noise of a detector: what it stores of the photons that are expected, by the stages of
//! [`widebragg::noise::detector`].
//!
//! The deviates are functions of seed, frame, panel and pixel alone. So an image has the same noise whatever the threads, the
//! frames before it and the region of interest are. The gains of the pixels and which of them are bad are static: they have seeds
//! of their own.

use core::fmt;
use std::sync::Arc;

use rayon::prelude::*;
use widebragg::noise::detector::{
    CommonMode, Counts, DeadTime, Expected, Limits, Place, fill_bad_pixels, fill_gain_map, shot_factor,
};
use widebragg_formats::format_g::format_g;
use widebragg_formats::memory::{reserved, zeroed};

use crate::experiment::Experiment;
use crate::failure::{Failure, Part, refused};
use crate::panels::DetectorPanel;
use crate::point_spread::{PointSpread, PointSpreadRule};

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
    /// Gain, in ADU for each photon.
    pub adu_per_photon: f64,
    /// Rms fraction by which the gain of each pixel differs, in all frames alike.
    pub calibration: f64,
    /// Seed of the gains of the pixels.
    pub calibration_seed: u64,
    /// What the pixels of a row, or of a block, have in common in a frame.
    pub common_mode: Option<CommonModeRule>,
    /// Rms noise of the readout, in ADU.
    pub readout_adu: f64,
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
            adu_per_photon: 1.0,
            calibration: 0.0,
            calibration_seed: 1,
            common_mode: None,
            readout_adu: 0.0,
            bad_pixels: BadPixels::default(),
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

/// How many pixels of each panel are bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BadPixels {
    /// Those that have the largest value.
    pub hot: u32,
    /// Those that have the value of no photons.
    pub dead: u32,
    /// Seed that chooses them.
    pub seed: u64,
}

/// The pixels of a panel.
fn pixels_of(panel: &DetectorPanel) -> u32 {
    let detector = &panel.detector;
    u32::try_from(detector.fast_pixels * detector.slow_pixels).unwrap_or(u32::MAX)
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
        let BadPixels { hot, dead, .. } = self.bad_pixels;
        let bad = u64::from(hot) + u64::from(dead);
        if experiment.panels.iter().all(|panel| bad <= pixels_of(panel).into()) {
            return Ok(());
        }
        Err(Failure::impossible(Part::Noise, format!("{hot} hot and {dead} dead pixels of a panel")))
    }

    /// Whether the values of pixels are still photons, and not ADU.
    #[must_use]
    pub fn are_photons(&self) -> bool {
        let Self { adu_per_photon, calibration, common_mode, readout_adu, bad_pixels, .. } = self;
        let is_plain = *adu_per_photon == 1.0 && *calibration == 0.0 && *readout_adu == 0.0;
        is_plain && common_mode.is_none() && [bad_pixels.hot, bad_pixels.dead] == [0; 2]
    }

    fn is_counting_alone(&self) -> bool {
        let varies = self.flicker != 0.0 || self.pixel_flicker != 0.0;
        self.are_photons() && !varies && self.dead_time.is_none() && self.point_spread.is_none()
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
        let BadPixels { hot, dead, seed } = self.bad_pixels;
        let bad =
            (hot > 0 || dead > 0).then(|| format!("{hot} hot and {dead} dead pixels a panel of seed {seed}"));
        let gain = (self.adu_per_photon != 1.0)
            .then(|| format!("gain {} ADU a photon", format_g(self.adu_per_photon)));
        let stages = [
            number("flicker", self.flicker, ""),
            number("flicker of pixels", self.pixel_flicker, ""),
            Some("photons counted".to_owned()),
            dead_time,
            self.point_spread.map(|rule| format!("point spread {rule}")),
            gain,
            calibration,
            common,
            number("readout", self.readout_adu, " ADU"),
            bad,
        ];
        f.write_str(&stages.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// What all pixels are stored within: as far as f32 and CBF images go on both sides.
const LIMITS: Limits = Limits { least: -i32::MAX, largest: i32::MAX };

/// The stages, with what is the same in all frames of a detector.
#[derive(Debug)]
pub struct DetectorNoise {
    stages: NoiseStages,
    /// Gains of the pixels of the stack; empty where all are alike.
    gain_map: Vec<f32>,
    /// The point spread of each panel; empty where there is none.
    point_spreads: Vec<Arc<PointSpread>>,
    /// Hot and dead pixels of each panel, sorted; empty where there are none.
    bad: Vec<[Vec<u32>; 2]>,
}

impl DetectorNoise {
    /// Prepares `stages` for the images of `experiment`, or of any experiment whose panels have the same sizes.
    ///
    /// # Errors
    /// There is not enough memory, or a panel has fewer pixels than are bad.
    pub fn new(stages: &NoiseStages, experiment: &Experiment) -> Result<Self, Failure> {
        let no_memory = |what: &str| Failure::no_memory(Part::Noise, what);
        stages.check(experiment)?;
        let mut noise = Self {
            stages: stages.clone(),
            gain_map: Vec::new(),
            point_spreads: point_spreads(stages, experiment)?,
            bad: Vec::new(),
        };
        if stages.calibration > 0.0 {
            noise.gain_map =
                zeroed(experiment.pixels()).ok_or_else(|| no_memory("the gains of the pixels"))?;
            let panels = on_panels(&experiment.panels, &mut noise.gain_map);
            for (panel, gains) in panels {
                let columns = panel.detector.fast_pixels.max(1);
                gains.par_chunks_mut(columns).enumerate().for_each(|(slow, gains)| {
                    let (number, first) = (panel.number as u32, (slow * columns) as u32);
                    let NoiseStages { calibration, calibration_seed, .. } = *stages;
                    fill_gain_map(experiment.simd, calibration, calibration_seed, number, first, gains);
                });
            }
        }
        let BadPixels { hot, dead, seed } = stages.bad_pixels;
        if hot > 0 || dead > 0 {
            // No more than a panel has.
            let in_all = hot.saturating_add(dead);
            for panel in &experiment.panels {
                let pixels = pixels_of(panel);
                let mut hot_ones = zeroed(in_all as usize).ok_or_else(|| no_memory("the bad pixels"))?;
                fill_bad_pixels(experiment.simd, seed, panel.number as u32, pixels, 0, &mut hot_ones)
                    .map_err(refused(Part::Noise))?;
                let mut dead_ones = hot_ones.split_off(hot as usize);
                hot_ones.sort_unstable();
                dead_ones.sort_unstable();
                noise.bad.push([hot_ones, dead_ones]);
            }
        }
        Ok(noise)
    }

    /// What the detector stores of the expected photons `pixels` in frame `frame` of `experiment`: whole numbers, in ADU above the
    /// pedestal, or in photons where [`NoiseStages::are_photons`]. All threads of the current pool share the rows.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn stored(
        &self,
        experiment: &Experiment,
        pixels: &[f32],
        seed: u64,
        frame: u32,
    ) -> Result<Vec<f32>, Failure> {
        let mut stored = reserved(pixels.len())
            .ok_or_else(|| Failure::no_memory(Part::Noise, format!("{} pixels", pixels.len())))?;
        stored.extend_from_slice(pixels);
        let dead_time = self.stages.dead_time.map(|rule| DeadTime {
            tau_s: rule.tau_s,
            exposure_s: experiment.exposure_s,
            is_paralyzable: !rule.retriggers,
        });
        let of_frame = OfFrame {
            stages: &self.stages,
            shot: shot_factor(experiment.simd, self.stages.flicker, seed, frame),
            dead_time,
        };
        let mut before = 0;
        for (index, (panel, pixels)) in on_panels(&experiment.panels, &mut stored).enumerate() {
            let columns = panel.detector.fast_pixels.max(1);
            let gains = self.gain_map.get(before..before + pixels.len());
            before += pixels.len();
            let bad = self.bad.get(index);
            let place = |slow: usize| Place {
                simd: experiment.simd,
                seed,
                frame,
                panel: panel.number as u32,
                first: (slow * columns) as u32,
            };
            let spread = self.point_spreads.get(index);
            if let Some(spread) = spread {
                let rows = pixels.par_chunks_mut(columns).enumerate();
                rows.for_each(|(slow, pixels)| {
                    of_frame.count(place(slow), pixels);
                });
                spread.spread(pixels)?;
            }
            let rows = pixels.par_chunks_mut(columns).enumerate();
            rows.try_for_each_init(Vec::new, |integers, (slow, pixels)| {
                let first = slow * columns;
                let gains = gains.and_then(|gains| gains.get(first..first + pixels.len()));
                if spread.is_none() {
                    of_frame.count(place(slow), pixels);
                }
                of_frame.store_row(place(slow), columns, gains, bad, pixels, integers)
            })
            .map_err(refused(Part::Noise))?;
        }
        Ok(stored)
    }
}

/// The point spread on each panel, which those of the same size share; none where there is none.
fn point_spreads(stages: &NoiseStages, experiment: &Experiment) -> Result<Vec<Arc<PointSpread>>, Failure> {
    let Some(rule) = stages.point_spread else { return Ok(Vec::new()) };
    let mut spreads: Vec<Arc<PointSpread>> = Vec::new();
    let mut last = None;
    for panel in &experiment.panels {
        let detector = &panel.detector;
        let size = (detector.pixel_m, [detector.fast_pixels, detector.slow_pixels]);
        let shared = spreads.last().filter(|_| last == Some(size)).cloned();
        spreads.push(match shared {
            Some(spread) => spread,
            None => Arc::new(PointSpread::new(rule, experiment.simd, size.0, size.1)?),
        });
        last = Some(size);
    }
    Ok(spreads)
}

/// What is the same in all rows of a frame.
struct OfFrame<'a> {
    stages: &'a NoiseStages,
    shot: f64,
    dead_time: Option<DeadTime>,
}

impl OfFrame<'_> {
    /// Replaces expected photons by those that are counted.
    fn count(&self, place: Place, pixels: &mut [f32]) {
        let expected = Expected::new(place, pixels).times(self.shot);
        let expected = match self.stages.pixel_flicker {
            0.0 => expected,
            flicker => expected.flicker(flicker),
        };
        let counts = expected.count();
        if let Some(dead_time) = &self.dead_time {
            let _ = counts.lose(dead_time);
        }
    }

    /// Replaces the counts of a row of a panel by what is stored of them; `integers` is room for it.
    fn store_row(
        &self,
        place: Place,
        columns: usize,
        gains: Option<&[f32]>,
        bad: Option<&[Vec<u32>; 2]>,
        pixels: &mut [f32],
        integers: &mut Vec<i32>,
    ) -> Result<(), widebragg::Error> {
        let stages = self.stages;
        if stages.is_counting_alone() {
            return Ok(());
        }
        let mut signal = Counts::new(place, pixels).amplify(stages.adu_per_photon, gains)?;
        if let Some(CommonModeRule { rms_adu, block }) = stages.common_mode {
            signal = signal.add_common_mode(&match block {
                Some(block) => CommonMode { rms_adu, columns, block },
                None => CommonMode::of_rows(rms_adu, columns),
            });
        }
        if stages.readout_adu > 0.0 {
            signal = signal.read_out(stages.readout_adu);
        }
        integers.resize(columns, 0);
        let stored = signal.store_into(LIMITS, integers)?;
        if let Some([hot, dead]) = bad {
            let here = |numbers: &'_ Vec<u32>| {
                let start = numbers.partition_point(|&number| number < place.first);
                let end =
                    numbers.partition_point(|&number| (number as usize) < place.first as usize + columns);
                start..end
            };
            let _ = stored.set(&hot[here(hot)], LIMITS.largest).set(&dead[here(dead)], 0);
        }
        pixels.iter_mut().zip(integers).for_each(|(pixel, integer)| *pixel = *integer as f32);
        Ok(())
    }
}

/// The pixels of each panel in a stack of them.
fn on_panels<'p, T>(
    panels: &'p [DetectorPanel],
    stack: &'p mut [T],
) -> impl Iterator<Item = (&'p DetectorPanel, &'p mut [T])> {
    let mut rest = stack;
    panels.iter().map(move |panel| {
        let detector = &panel.detector;
        let pixels = (detector.fast_pixels * detector.slow_pixels).min(rest.len());
        let (these, others) = core::mem::take(&mut rest).split_at_mut(pixels);
        rest = others;
        (panel, these)
    })
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
            adu_per_photon: 1.5,
            calibration: 0.03,
            common_mode: Some(CommonModeRule { rms_adu: 2.0, block: Some([256, 128]) }),
            readout_adu: 3.0,
            bad_pixels: BadPixels { hot: 3, dead: 0, seed: 5 },
            ..NoiseStages::default()
        };
        assert_eq!(
            stages.to_string(),
            "flicker 0.02, photons counted, dead time 120 ns, not paralyzable, gain 1.5 ADU a photon, calibration 0.03 of seed 1, common \
             mode of 256 x 128 pixels 2 ADU, readout 3 ADU, 3 hot and 0 dead pixels a panel of seed 5"
        );
    }

    #[test]
    fn counts_stay_photons_unless_a_stage_makes_adu_of_them() {
        let plain = NoiseStages::default();
        assert!(plain.are_photons() && plain.is_counting_alone());
        let dims = NoiseStages { flicker: 0.1, pixel_flicker: 0.1, ..plain.clone() };
        assert!(dims.are_photons() && !dims.is_counting_alone());
        let rule = PointSpreadRule { form: Form::Fiber, width_m: 8e-5, radius_px: Some(10) };
        let spread = NoiseStages { point_spread: Some(rule), ..plain.clone() };
        assert!(spread.are_photons() && !spread.is_counting_alone());
        assert_eq!(spread.to_string(), "photons counted, point spread fiber of 80 um within 10 pixels");
        assert!(!NoiseStages { readout_adu: 1.0, ..plain.clone() }.are_photons());
        assert!(
            !NoiseStages { bad_pixels: BadPixels { dead: 1, ..BadPixels::default() }, ..plain }.are_photons()
        );
    }
}
