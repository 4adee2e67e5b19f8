//! Where spec differs from nanoBragg for the options of a run: one line for each difference, for users who know
//! nanoBragg's images.

use widebragg::ELECTRON_RADIUS_SQUARED_M2;
use widebragg::rotation::PhiMode;
use widebragg_experiment::experiment::Experiment;

/// The lines; none in c-parity.
pub(super) fn lines(experiment: &Experiment) -> Vec<String> {
    if experiment.mode == PhiMode::CParity {
        return Vec::new();
    }
    let flags = experiment.oversample;
    let layers = experiment.sensor.layers;
    let flagged = flags.thick || flags.polar || flags.omega;
    let has_layers = layers > 1 && experiment.sensor.layer_m > 0.0;
    let repairs = [
        (
            flagged && experiment.steps_per_pixel() > 1.0,
            "the factors of -oversample_thick, _polar and _omega multiply their own step; nanoBragg's multiply the \
             running sum at every step"
                .to_owned(),
        ),
        (
            has_layers,
            format!(
                "each of the {layers} sensor layers captures its own share; nanoBragg uses that of the last for all"
            ),
        ),
        (
            experiment.source_weights.is_some(),
            "the weights of -sourcefile are used; nanoBragg ignores them".to_owned(),
        ),
        (experiment.water_m > 0.0, water(experiment)),
    ];
    let used = repairs.into_iter().filter(|(is_used, _)| *is_used);
    used.map(|(_, line)| format!("spec: {line} (widebragg help modes)")).collect()
}

/// nanoBragg's background over that of spec, apart from a sensor: r_e^2 fluence/steps.
fn water(experiment: &Experiment) -> String {
    let steps = experiment.steps_per_pixel() / experiment.sensor.layers as f64;
    let ratio = ELECTRON_RADIUS_SQUARED_M2 * experiment.fluence_per_m2 / steps;
    format!("-water: nanoBragg's background would be {ratio:.3e} times this one")
}
