//! Rough estimates of time and memory, before a run: steps times the cost of a step, and the figures of
//! `widebragg help memory`.

use widebragg::lanes::SimdLevel;
use widebragg::lattice::Precision;
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::panels::DetectorPanel;

use crate::options::{NxmxData, Options};

/// A run that takes longer is announced on standard error, in s.
const LONG_S: f64 = 600.0;
/// Memory of the program itself, in bytes.
const PROGRAM_BYTES: f64 = 20e6;
/// How much more a step of a tricubic lookup costs.
const TRICUBIC: f64 = 5.0;

/// What a run will take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Time in the render loop, in s.
    pub seconds: f64,
    /// Memory, in bytes.
    pub bytes: f64,
    /// Pixels that are rendered, of all frames.
    pixels: f64,
    steps_per_pixel: f64,
}

impl Estimate {
    /// The estimate for `frames` images on `threads` threads.
    #[must_use]
    pub fn new(options: &Options, experiment: &Experiment, frames: usize, threads: usize) -> Self {
        let steps_per_pixel = experiment.steps_per_pixel();
        let pixels = rendered_pixels(experiment) as f64 * frames as f64;
        let seconds = pixels * steps_per_pixel * ns_per_step(experiment) * 1e-9 / threads as f64;
        // As many shots as there are threads are under way at a time.
        let images = if options.shots.is_some() { threads.min(frames).max(1) } else { 1 };
        Self { seconds, bytes: bytes(options, experiment, images), pixels, steps_per_pixel }
    }

    /// The estimate in words.
    #[must_use]
    pub fn text(&self) -> String {
        let mebibytes = (self.bytes / f64::from(1 << 20)).ceil();
        format!("about {} and {mebibytes} MiB", duration(self.seconds))
    }

    /// A line about a run that is long; `None` for others.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        (self.seconds > LONG_S).then(|| {
            format!(
                "this run will take about {}: {:.4e} pixels of {:.4e} steps each (widebragg help performance says what \
                 reduces them)",
                duration(self.seconds),
                self.pixels,
                self.steps_per_pixel
            )
        })
    }
}

/// Pixels of the regions of interest that are not masked.
pub fn rendered_pixels(experiment: &Experiment) -> usize {
    let of_panel = |panel: &DetectorPanel| {
        let roi = panel.roi;
        let columns = roi.fast_min..=roi.fast_max;
        let in_row = |slow| columns.clone().filter(|&fast| panel.is_selected(slow, fast)).count();
        match panel.mask {
            None => columns.clone().count() * (roi.slow_max - roi.slow_min + 1),
            Some(_) => (roi.slow_min..=roi.slow_max).map(in_row).sum(),
        }
    };
    experiment.panels.iter().map(of_panel).sum()
}

/// Cost of a step, between those of the processors that `widebragg help performance` lists.
fn ns_per_step(experiment: &Experiment) -> f64 {
    let [f64_ns, mixed_ns] = match experiment.simd.level() {
        SimdLevel::Portable => [8.0, 5.5],
        SimdLevel::Avx2 => [3.2, 2.4],
        SimdLevel::Avx512 => [1.8, 1.4],
    };
    match (experiment.interpolate, experiment.precision) {
        (true, _) => TRICUBIC * f64_ns,
        (false, Precision::Mixed) => mixed_ns,
        (false, _) => f64_ns,
    }
}

/// Memory with this many images at a time.
fn bytes(options: &Options, experiment: &Experiment, images: usize) -> f64 {
    let kinds = [
        (true, 4.0 + 2.0),
        (!options.nonoise, 2.0),
        // The deviates, which all noise images share.
        (
            !options.nonoise
                || options.noise_cbf.is_some()
                || options.noise_png.is_some()
                || options.data_of_nxmx() == Some(NxmxData::Noise),
            4.0,
        ),
        (options.noise_stages.calibration > 0.0, 4.0),
        (!options.nopgm, 1.0),
        (options.png.is_some(), 5.0),
        (options.noise_png.is_some(), 5.0),
        (options.cbf.is_some(), 6.0),
        (options.noise_cbf.is_some(), 6.0),
        (options.nxmx.is_some(), 12.0),
        // The means of a pixel, and the images that are written.
        (options.mean_images.is_some(), 16.0 + 16.0),
        (experiment.panels.iter().any(|panel| panel.mask.is_some()), 2.0),
    ];
    let per_pixel: f64 = kinds.into_iter().filter_map(|(wanted, bytes)| wanted.then_some(bytes)).sum();
    let nodes = experiment.structure_factors.as_ref().map_or(0, |grid| grid.nodes().bytes());
    let others = experiment.other_lattices.iter().map(|lattice| lattice.domains.len());
    let domains = (experiment.domains.len() + others.sum::<usize>()) as f64;
    PROGRAM_BYTES
        + images as f64 * per_pixel * experiment.pixels() as f64
        + nodes as f64
        + 72.0 * domains * (1.0 + experiment.phi.count as f64)
        + size_of::<widebragg::beam::Source>() as f64 * experiment.sources.len() as f64
}

/// A time with the unit that suits it.
fn duration(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 1.5 => return "a second".to_owned(),
        s if s < 120.0 => (s, "seconds"),
        s if s < 7200.0 => (s / 60.0, "minutes"),
        s if s < 172_800.0 => (s / 3600.0, "hours"),
        s if s < 63_072_000.0 => (s / 86_400.0, "days"),
        s => (s / 31_536_000.0, "years"),
    };
    format!("{value:.0} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_unit_that_suits_them() {
        for (seconds, text) in [
            (0.01, "a second"),
            (1.4, "a second"),
            (3.4, "3 seconds"),
            (600.0, "10 minutes"),
            (36_000.0, "10 hours"),
            (864_000.0, "10 days"),
            (1e12, "31710 years"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
