//! The noise of the detector: its stages with the list of bad pixels that `--bad-pixels` names.

use widebragg_experiment::detector_noise::{BadPixels, NoiseStages};
use widebragg_experiment::experiment::Experiment;
use widebragg_formats::bad_pixels::{PanelSize, parse_bad_pixels};

use super::geometry::FileGeometry;
use super::inputs::Inputs;
use crate::error::Failure;
use crate::options::Options;

/// The stages that `options` ask for. The list may have pixels of panels that are not rendered.
///
/// # Errors
/// The list cannot be used, or `experiment` cannot have these stages.
pub(super) fn stages(
    options: &Options,
    inputs: &Inputs,
    geometry: Option<&FileGeometry>,
    experiment: &Experiment,
) -> Result<NoiseStages, Failure> {
    let mut stages = options.noise_stages.clone();
    if let Some(path) = &options.bad_pixels {
        let panels: Vec<PanelSize<'_>> = match geometry {
            Some(geometry) => geometry.panel_sizes().collect(),
            None => experiment
                .panels
                .iter()
                .map(|panel| PanelSize {
                    name: &panel.name,
                    pixels: [panel.detector.fast_pixels, panel.detector.slow_pixels],
                })
                .collect(),
        };
        let listed = inputs.read("--bad-pixels", path, |input| parse_bad_pixels(input, path, &panels))?;
        stages.bad_pixels = BadPixels::Listed(listed.into());
    }
    stages.check(experiment)?;
    Ok(stages)
}
