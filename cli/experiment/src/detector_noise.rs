//! The noise of a detector: what it stores of the photons that are expected, by the stages of
//! [`widebragg::noise::detector`].
//!
//! The deviates are functions of seed, frame, panel and pixel alone. So an image has the same noise whatever the threads, the
//! frames before it and the region of interest are. The gains of the pixels and which of them are bad are static: they have seeds
//! of their own.

mod models;
mod stages;

use std::sync::Arc;

use rayon::prelude::*;
use widebragg::noise::detector::{
    CommonMode, Counts, DeadTime, Expected, GainSwitching, Limits, PixelDifferences, Place, Signal,
    fill_bad_pixels, fill_gain_map, fill_pedestal_map, shot_factor,
};
use widebragg_formats::bad_pixels::BadPixelsOfPanel;
use widebragg_formats::memory::{reserved, zeroed};

use crate::experiment::Experiment;
use crate::failure::{Failure, Part, refused};
use crate::panels::DetectorPanel;
use crate::point_spread::PointSpread;

pub use models::{DetectorModel, StageValue, StageValues};
pub use stages::{BadPixels, CommonModeRule, DeadTimeRule, Gain, NoiseStages, Stage, SwitchedGains};

/// The pixels of a panel.
fn pixels_of(panel: &DetectorPanel) -> u32 {
    let detector = &panel.detector;
    u32::try_from(detector.fast_pixels * detector.slow_pixels).unwrap_or(u32::MAX)
}

/// Below which no pixel is stored: as far as f32 and CBF images go.
const LEAST: i32 = -i32::MAX;

/// The stages, with what is the same in all frames of a detector.
#[derive(Debug)]
pub struct DetectorNoise {
    stages: NoiseStages,
    sequence: Vec<Stage>,
    /// Gains of the pixels of the stack; empty where all are alike.
    gain_map: Vec<f32>,
    /// Where gains are switched, by how much the pedestals of the pixels differ in each mode, in ADU; empty where all are alike.
    pedestal_maps: [Vec<f32>; 3],
    /// The point spread of each panel; empty where there is none.
    point_spreads: Vec<Arc<PointSpread>>,
    /// Hot and dead pixels of each panel, sorted; empty where there are none.
    bad: Vec<BadPixelsOfPanel>,
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
            sequence: stages.sequence(),
            gain_map: Vec::new(),
            pedestal_maps: [const { Vec::new() }; 3],
            point_spreads: point_spreads(stages, experiment)?,
            bad: Vec::new(),
        };
        let NoiseStages { calibration, calibration_seed: seed, .. } = *stages;
        let simd = experiment.simd;
        if calibration > 0.0 {
            let fill = |panel, first, gains: &mut [f32]| {
                fill_gain_map(simd, calibration, seed, panel, first, gains);
            };
            noise.gain_map = map(experiment, fill).ok_or_else(|| no_memory("the gains of the pixels"))?;
        }
        let spreads_adu = stages.switched_gains().map_or([0.0; 3], |gains| gains.pedestal_spreads_adu);
        if spreads_adu != [0.0; 3] {
            for ((mode, rms_adu), pedestals) in (0..).zip(spreads_adu).zip(&mut noise.pedestal_maps) {
                let fill = |panel, first, pedestals: &mut [f32]| {
                    fill_pedestal_map(simd, rms_adu, seed, panel, mode, first, pedestals);
                };
                *pedestals = map(experiment, fill).ok_or_else(|| no_memory("the pedestals of the pixels"))?;
            }
        }
        let bad = experiment.panels.iter().map(|panel| match &stages.bad_pixels {
            BadPixels::None => Ok(BadPixelsOfPanel::default()),
            &BadPixels::Drawn { hot, dead, seed } => drawn(experiment, panel, [hot, dead], seed),
            BadPixels::Listed(panels) => Ok(panels.get(panel.number).cloned().unwrap_or_default()),
        });
        if stages.bad_pixels != BadPixels::None {
            noise.bad = bad.collect::<Result<_, _>>()?;
        }
        Ok(noise)
    }

    /// What the detector stores of the expected photons `pixels` in frame `frame` of `experiment`: whole numbers, in ADU above the
    /// pedestal, or in photons where [`NoiseStages::are_photons`], or raw words where gains are switched. All threads of the
    /// current pool share the rows.
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
        let mut image = OfFrame::new(self, experiment, seed, frame).begun(pixels)?;
        // Rows go through all stages one after the other, but for those that need the whole panel.
        for stages in self.sequence.chunk_by(|one, next| ![one, next].contains(&&Stage::Spread)) {
            image.pass(stages)?;
        }
        Ok(image.pixels)
    }

    /// As [`DetectorNoise::stored`], with the same numbers: `observe` is called with the pixels after each stage but the last,
    /// which is what is returned.
    ///
    /// # Errors
    /// There is not enough memory, or `observe` fails.
    pub fn stored_by_stage<E: From<Failure>>(
        &self,
        experiment: &Experiment,
        pixels: &[f32],
        (seed, frame): (u64, u32),
        mut observe: impl FnMut(Stage, &[f32]) -> Result<(), E>,
    ) -> Result<Vec<f32>, E> {
        let mut image = OfFrame::new(self, experiment, seed, frame).begun(pixels)?;
        if let Some((last, others)) = self.sequence.split_last() {
            for stage in others {
                image.pass(&[*stage])?;
                observe(*stage, &image.pixels)?;
            }
            image.pass(&[*last])?;
        }
        Ok(image.pixels)
    }
}

/// A static number for each pixel of the stack, which `fill` fills row by row, given the panel and the first pixel on it; `None`
/// where there is too little memory.
fn map(experiment: &Experiment, fill: impl Fn(u32, u32, &mut [f32]) + Sync) -> Option<Vec<f32>> {
    let mut map = zeroed(experiment.pixels())?;
    for (panel, pixels) in on_panels(&experiment.panels, &mut map) {
        let columns = panel.detector.fast_pixels.max(1);
        let rows = pixels.par_chunks_mut(columns).enumerate();
        rows.for_each(|(slow, row)| fill(panel.number as u32, (slow * columns) as u32, row));
    }
    Some(map)
}

/// Hot and dead pixels of a panel, as many as are wanted.
fn drawn(
    experiment: &Experiment,
    panel: &DetectorPanel,
    [hot, dead]: [u32; 2],
    seed: u64,
) -> Result<BadPixelsOfPanel, Failure> {
    // No more than a panel has.
    let in_all = hot.saturating_add(dead) as usize;
    let mut numbers = zeroed(in_all).ok_or_else(|| Failure::no_memory(Part::Noise, "the bad pixels"))?;
    fill_bad_pixels(experiment.simd, seed, panel.number as u32, pixels_of(panel), 0, &mut numbers)
        .map_err(refused(Part::Noise))?;
    let dead = numbers.split_off(hot as usize);
    let mut bad = BadPixelsOfPanel { hot: numbers, dead };
    bad.hot.sort_unstable();
    bad.dead.sort_unstable();
    Ok(bad)
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
    noise: &'a DetectorNoise,
    experiment: &'a Experiment,
    seed: u64,
    frame: u32,
    shot: f64,
    dead_time: Option<DeadTime>,
    /// `None` where the charge chooses it.
    adu_per_photon: Option<f64>,
    switching: Option<GainSwitching>,
}

/// An image on its way through the stages.
struct Underway<'a> {
    of_frame: OfFrame<'a>,
    /// The stack.
    pixels: Vec<f32>,
}

/// A row of a panel.
struct Row<'a> {
    place: Place,
    columns: usize,
    gains: Option<&'a [f32]>,
    /// Where gains are switched and pedestals differ.
    pedestals_adu: [Option<&'a [f32]>; 3],
    bad: Option<&'a BadPixelsOfPanel>,
}

/// Room for what a row has beside its pixels.
#[derive(Default)]
struct RowRoom {
    integers: Vec<i32>,
    /// What pixels have in common, where gains are switched.
    common_adu: Vec<f32>,
}

impl Row<'_> {
    /// Those of the sorted `numbers` that are in the row.
    fn part<'n>(&self, numbers: &'n [u32]) -> &'n [u32] {
        let end = self.place.first as usize + self.columns;
        let start = numbers.partition_point(|&number| number < self.place.first);
        let end = numbers.partition_point(|&number| (number as usize) < end);
        numbers.get(start..end).unwrap_or_default()
    }
}

impl<'a> OfFrame<'a> {
    fn new(noise: &'a DetectorNoise, experiment: &'a Experiment, seed: u64, frame: u32) -> Self {
        let stages = &noise.stages;
        Self {
            noise,
            experiment,
            seed,
            frame,
            shot: shot_factor(experiment.simd, stages.flicker, seed, frame),
            dead_time: stages.dead_time.map(|rule| DeadTime {
                tau_s: rule.tau_s,
                exposure_s: experiment.exposure_s,
                is_paralyzable: !rule.retriggers,
            }),
            adu_per_photon: stages.gain.adu_per_photon(experiment),
            switching: stages.switched_gains().map(|gains| gains.of(experiment)),
        }
    }

    fn begun(self, expected: &[f32]) -> Result<Underway<'a>, Failure> {
        let no_memory = || Failure::no_memory(Part::Noise, format!("{} pixels", expected.len()));
        let mut pixels = reserved(expected.len()).ok_or_else(no_memory)?;
        pixels.extend_from_slice(expected);
        Ok(Underway { of_frame: self, pixels })
    }

    /// Takes the pixels of a row through a stage.
    fn apply(
        &self,
        stage: Stage,
        row: &Row<'_>,
        pixels: &mut [f32],
        room: &mut RowRoom,
    ) -> Result<(), widebragg::Error> {
        let (stages, place) = (&self.noise.stages, row.place);
        match stage {
            Stage::Vary => {
                let expected = Expected::new(place, pixels).times(self.shot);
                if stages.pixel_flicker > 0.0 {
                    let _ = expected.flicker(stages.pixel_flicker);
                }
            }
            Stage::Count => {
                let _ = Expected::new(place, pixels).count();
            }
            Stage::DeadTime => {
                if let Some(dead_time) = &self.dead_time {
                    let _ = Counts::new(place, pixels).lose(dead_time);
                }
            }
            // Of a whole panel.
            Stage::Spread => {}
            Stage::Amplify => {
                let _ = Counts::new(place, pixels).amplify(self.adu_per_photon.unwrap_or(1.0), row.gains)?;
            }
            Stage::CommonMode => {
                self.add_common_mode(row, pixels);
            }
            Stage::ReadOut => {
                let _ = Signal::new(place, pixels).read_out(stages.readout_adu);
            }
            Stage::Store => self.store(row, pixels, room)?,
        }
        Ok(())
    }

    /// Adds to `adu` what the pixels of a row have in common; nothing where they have nothing.
    fn add_common_mode(&self, row: &Row<'_>, adu: &mut [f32]) {
        let Some(CommonModeRule { rms_adu, block }) = self.noise.stages.common_mode else { return };
        let common = match block {
            Some(block) => CommonMode { rms_adu, columns: row.columns, block },
            None => CommonMode::of_rows(rms_adu, row.columns),
        };
        let _ = Signal::new(row.place, adu).add_common_mode(&common);
    }

    fn store(&self, row: &Row<'_>, pixels: &mut [f32], room: &mut RowRoom) -> Result<(), widebragg::Error> {
        let RowRoom { integers, common_adu } = room;
        integers.resize(pixels.len(), 0);
        let (stored, hot, dead) = match &self.switching {
            Some(switching) => {
                common_adu.clear();
                common_adu.resize(pixels.len(), 0.0);
                self.add_common_mode(row, common_adu);
                let common_adu = self.noise.stages.common_mode.is_some().then_some(&common_adu[..]);
                let differences =
                    PixelDifferences { gains: row.gains, pedestals_adu: row.pedestals_adu, common_adu };
                (
                    Counts::new(row.place, pixels).switch_gain(switching, &differences, integers)?,
                    switching.word(f64::INFINITY),
                    switching.word(0.0),
                )
            }
            None => {
                let largest = self.noise.stages.saturation_adu.unwrap_or(i32::MAX);
                let limits = Limits { least: LEAST, largest };
                (Signal::new(row.place, pixels).store_into(limits, integers)?, largest, 0)
            }
        };
        if let Some(bad) = row.bad {
            let _ = stored.set(row.part(&bad.hot), hot).set(row.part(&bad.dead), dead);
        }
        pixels.iter_mut().zip(integers).for_each(|(pixel, integer)| *pixel = *integer as f32);
        Ok(())
    }
}

impl Underway<'_> {
    /// Takes all pixels through `stages`, one after the other in each row; a point spread is a pass of its own.
    fn pass(&mut self, stages: &[Stage]) -> Result<(), Failure> {
        let Self { of_frame, pixels } = self;
        let OfFrame { noise, experiment, seed, frame, .. } = *of_frame;
        let mut before = 0;
        for (index, (panel, pixels)) in on_panels(&experiment.panels, pixels).enumerate() {
            let columns = panel.detector.fast_pixels.max(1);
            let of_stack = before..before + pixels.len();
            before = of_stack.end;
            if let ([Stage::Spread], Some(spread)) = (stages, noise.point_spreads.get(index)) {
                spread.spread(pixels)?;
                continue;
            }
            let bad = noise.bad.get(index);
            let rows = pixels.par_chunks_mut(columns).enumerate();
            rows.try_for_each_init(RowRoom::default, |room, (slow, pixels)| {
                let first = slow * columns;
                let of_row = of_stack.start + first..of_stack.start + first + pixels.len();
                let gains = noise.gain_map.get(of_row.clone());
                let pedestals_adu = noise.pedestal_maps.each_ref().map(|map| map.get(of_row.clone()));
                let place = Place {
                    simd: experiment.simd,
                    seed,
                    frame,
                    panel: panel.number as u32,
                    first: first as u32,
                };
                let row = Row { place, columns, gains, pedestals_adu, bad };
                stages.iter().try_for_each(|&stage| of_frame.apply(stage, &row, pixels, room))
            })
            .map_err(refused(Part::Noise))?;
        }
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
