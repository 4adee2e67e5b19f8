//! The sources of nonBragg: those of a file, with weights, or a grid over divergence and wavelength.

use std::path::Path;

use widebragg::background::WeightedSource;
use widebragg::beam::{Source, SourceGrid};
use widebragg::sampling::{Axis, StepRequest, Steps, axis_steps};
use widebragg::vector::Vec3;
use widebragg_experiment::parameters::Sources;
use widebragg_formats::c_library::read_columns;
use widebragg_formats::memory::{filled, reserved};
use widebragg_formats::sources::read_sources;

use super::placement::Placement;
use crate::error::Failure;
use crate::options::NonbraggOptions;

fn no_memory() -> Failure {
    Failure::input("nonbragg: no memory for the sources")
}

/// The sources of the options.
pub(super) fn sources(
    options: &NonbraggOptions,
    placement: &Placement,
) -> Result<Vec<WeightedSource>, Failure> {
    match &options.source_file {
        Some(path) => of_file(path, options, placement),
        None => of_grid(options, placement),
    }
}

fn of_file(
    path: &Path,
    options: &NonbraggOptions,
    placement: &Placement,
) -> Result<Vec<WeightedSource>, Failure> {
    let rows = read_columns::<5>(path).map_err(|failure| failure.context("-sourcefile"))?;
    if rows.is_empty() {
        return Err(Failure::input(format!("-sourcefile: {}: no sources in it", path.display())));
    }
    let or = |value: f64, other: f64| if value.is_nan() { other } else { value };
    let usual = (-options.source_distance_m * placement.detector.beam).to_array();
    let mut sources = reserved(rows.len()).ok_or_else(no_memory)?;
    for (number, [x, y, z, weight, lambda_m]) in (1..).zip(rows) {
        let from = Vec3::new(or(x, usual[0]), or(y, usual[1]), or(z, usual[2]));
        let source = Source::new(from, or(lambda_m, placement.lambda_m)).map_err(|error| {
            Failure::input(format!("-sourcefile: {}: source {number}: {error}", path.display()))
        })?;
        sources.push(WeightedSource { source, weight: or(weight, 1.0) });
    }
    Ok(sources)
}

/// What is asked of the horizontal and the vertical divergence and of the wavelengths.
fn requests(options: &NonbraggOptions) -> [StepRequest; 3] {
    let (dispersion, dispersion_steps) = options.dispersion;
    [options.hdiv, options.vdiv, (dispersion, -1.0, dispersion_steps)].map(|(range, step, count)| {
        StepRequest { count: Some(count.into()), range: Some(range), step: Some(step) }
    })
}

/// The same sources for an experiment of spec, which reads files as a render does.
pub(super) fn of_spec(options: &NonbraggOptions) -> Result<Sources, Failure> {
    if let Some(path) = &options.source_file {
        let lines = read_sources(path).map_err(|failure| failure.context("-sourcefile"))?;
        return Ok(Sources::Lines(lines));
    }
    let [hdiv, vdiv, dispersion] = requests(options);
    Ok(Sources::Grid { hdiv, vdiv, dispersion, round: options.round_div })
}

fn of_grid(options: &NonbraggOptions, placement: &Placement) -> Result<Vec<WeightedSource>, Failure> {
    let refused = |option: &str| {
        let option = option.to_owned();
        move |error: widebragg::Error| Failure::input(error.to_string()).context(option)
    };
    let steps = |option: &str, axis: Axis, request: StepRequest| -> Result<Steps, Failure> {
        axis_steps(axis, request).map_err(refused(option))
    };
    let [hdiv, vdiv, dispersion] = requests(options);
    let grid = SourceGrid {
        hdiv: steps("-hdivrange", Axis::Divergence, hdiv)?,
        vdiv: steps("-vdivrange", Axis::Divergence, vdiv)?,
        dispersion: steps("-dispersion", Axis::Dispersion, dispersion)?,
        round: options.round_div,
        lambda0_m: placement.lambda_m,
    };
    let len = grid.sources_len().map_err(refused("-divergence and -dispersion"))?;
    let mut sources = filled(len, Source::default()).ok_or_else(no_memory)?;
    let used =
        grid.fill(&placement.detector.frame(), &mut sources).map_err(refused("-divergence and -lambda"))?;
    let mut weighted = reserved(used).ok_or_else(no_memory)?;
    weighted.extend(sources.into_iter().take(used).map(|source| WeightedSource { source, weight: 1.0 }));
    if weighted.is_empty() {
        return Err(Failure::input("-divergence: leaves no source"));
    }
    Ok(weighted)
}
