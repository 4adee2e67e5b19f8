//! Where spec differs from nanoBragg for the options of a run: one line for each difference, for users who know
//! nanoBragg's images.

use widebragg::ELECTRON_RADIUS_SQUARED_M2;
use widebragg::rotation::PhiMode;
use widebragg::sampling::{Axis, StepRequest, Steps, axis_steps};
use widebragg_experiment::experiment::Experiment;
use widebragg_formats::format_g::format_g;

use super::sensor::GivenSensor;
use crate::options::Options;

/// The lines; none in c-parity.
pub(super) fn lines(options: &Options, experiment: &Experiment) -> Vec<String> {
    if experiment.mode == PhiMode::CParity {
        return Vec::new();
    }
    let flags = experiment.oversample;
    let flagged = flags.thick || flags.polar || flags.omega;
    let has_sensor = experiment.first_panel().sensor.layer_m > 0.0;
    let repairs = [
        (
            flagged && experiment.steps_per_pixel() > 1.0,
            "the factors of -oversample_thick, _polar and _omega multiply their own step; nanoBragg's multiply the \
             running sum at every step"
                .to_owned(),
        ),
        (
            flags.polar && options.nopolar,
            "-nopolar switches the polarisation off; nanoBragg evaluates it for -oversample_polar all the same"
                .to_owned(),
        ),
        (
            flags.thick && !has_sensor,
            "-oversample_thick has no effect without a sensor; nanoBragg's image would be dark".to_owned(),
        ),
        (has_sensor, layers(options, experiment)),
        (
            experiment.source_weights.is_some() && options.sourcefile.is_some(),
            "the weights of -sourcefile are used; nanoBragg ignores them".to_owned(),
        ),
        (experiment.water_m > 0.0, water(experiment)),
    ];
    let used = repairs.into_iter().filter(|(is_used, _)| *is_used);
    used.map(|(_, line)| format!("spec: {line} (widebragg help modes)")).collect()
}

/// The layers of the sensor, and nanoBragg's, which are at least two and thicker where their number is given.
fn layers(options: &Options, experiment: &Experiment) -> String {
    let sensor = experiment.first_panel().sensor;
    let given = GivenSensor::new(options);
    let request = StepRequest { count: given.layers, range: given.thickness_m, step: None };
    let Steps { count, step: step_m, .. } = axis_steps(Axis::Thickness, request).unwrap_or(Steps::ONE);
    let [ours_um, theirs_um] = [sensor.layer_m, step_m].map(|thickness_m| format_g(thickness_m * 1e6));
    format!(
        "sensor layers ({} of {ours_um} um) each capture their own share; nanoBragg's ({count} of {theirs_um} um) \
         all capture that of the last",
        sensor.layers
    )
}

/// nanoBragg's background over that of spec, apart from a sensor: r_e^2 fluence/steps. The steps are also those of the
/// sources that spec leaves out.
fn water(experiment: &Experiment) -> String {
    let sources = experiment.sources.len() as f64;
    let all_sources = sources + experiment.sources_left_out as f64;
    let steps =
        experiment.steps_per_pixel() / experiment.first_panel().sensor.layers as f64 / sources * all_sources;
    let ratio = ELECTRON_RADIUS_SQUARED_M2 * experiment.fluence_per_m2 / steps;
    format!("-water: nanoBragg's background would be {ratio:.3e} times this one")
}
