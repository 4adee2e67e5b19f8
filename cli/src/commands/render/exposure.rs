//! Doubts about the exposure of a finished image: no photons, a handful of them, or nothing but overloads.

use widebragg_experiment::experiment::Experiment;
use widebragg_formats::format_g::format_g;

use super::output::Written;

/// An image with fewer expected photons shows no spots.
const HANDFUL: f64 = 100.0;
/// Photons in the brightest pixel of a good exposure.
const GOOD_MAXIMUM: f64 = 10_000.0;
/// Counts that a 16-bit pixel holds.
const MOST_COUNTS: f64 = 65_535.0;

/// What is wrong with the exposure of an image of `pixels` rendered pixels whose integers have the offset `adc`; `None`
/// if nothing is.
pub fn doubt(experiment: &Experiment, written: &Written, pixels: u64, adc: f64) -> Option<String> {
    let statistics = &written.statistics;
    let fluence = experiment.fluence_per_m2;
    // Pixels are proportional to the fluence.
    let suggested = |maximum: f64| {
        let value: f64 = fluence * maximum / statistics.max;
        format!(
            "-fluence {value:.1e} (now {}) would give {maximum:.0} in the brightest pixel",
            format_g(fluence)
        )
    };
    let overloads = written.noise.map_or(0, |noise| noise.overloads);
    if statistics.max == 0.0 {
        let reason = if fluence == 0.0 {
            "the fluence is 0"
        } else if experiment.neglected_photons > 0.0 {
            "no reflection with a structure factor meets the detector, or --neglect leaves out all of its light"
        } else {
            "no reflection with a structure factor meets the detector"
        };
        return Some(format!("every pixel is 0: {reason}"));
    }
    if !statistics.sum.is_finite() {
        return None;
    }
    if statistics.sum < HANDFUL {
        return Some(format!(
            "the whole image has only {} expected photons: {}",
            format_g(statistics.sum),
            suggested(GOOD_MAXIMUM)
        ));
    }
    if overloads * 2 > pixels {
        return Some(format!(
            "{overloads} of {pixels} pixels of the noise image are overloads: {}",
            suggested((MOST_COUNTS - adc).max(1.0))
        ));
    }
    let saturated =
        written.saturated.iter().find(|(option, _)| *option == "-intfile").map_or(0, |(_, count)| *count);
    if saturated * 2 > pixels {
        return Some(format!(
            "{saturated} of {pixels} pixels of the integer image are above {MOST_COUNTS}: -scale {:.1e} (now {}) would \
             hold the brightest",
            (MOST_COUNTS - adc).max(1.0) / statistics.max,
            format_g(written.scales.int)
        ));
    }
    None
}
