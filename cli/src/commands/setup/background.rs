//! The background of `--background`: from options and files to the photons of each pixel.

use std::sync::Arc;

use serde_json::{Value, json};
use widebragg_experiment::background::{
    Added, DENSITY_G_PER_CM3, Matter, Place, WEIGHT_G_PER_MOL, attenuation_per_m, broadened, photons,
};
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::threads;
use widebragg_formats::format_g::format_g;
use widebragg_formats::stol::{StolPoint, parse_stol};

use super::inputs::Inputs;
use crate::error::Failure;
use crate::options::{BackgroundOptions, MatterOption, MatterTable, Options};

const OPTION: &str = "--background";

/// Adds the background that `options` ask for to `experiment`, computed on as many threads as render the images.
///
/// # Errors
/// A table that cannot be used, matter that cannot be, or another mode than spec.
pub(super) fn add(
    options: &Options,
    inputs: &Inputs,
    experiment: &mut Experiment,
    mut warn: impl FnMut(String),
) -> Result<(), Failure> {
    let BackgroundOptions { matter, absorbs } = &options.background;
    if matter.is_empty() {
        if *absorbs {
            return Err(Failure::input("--background-absorption: needs --background"));
        }
        return Ok(());
    }
    let area_m2 = area_m2(options)?;
    let mut all = Vec::new();
    for (index, option) in matter.iter().enumerate() {
        all.push(of_option(option, index, *absorbs, inputs, experiment, &mut warn)?);
    }
    let pool = threads::pool(threads::or_all_cores(options.threads))?;
    let background = pool.install(|| photons(experiment, all, area_m2));
    experiment.background = Some(Arc::new(background?));
    Ok(())
}

/// The cross section of the beam.
///
/// # Errors
/// It is 0.
pub(crate) fn area_m2(options: &Options) -> Result<f64, Failure> {
    let beamsize_m = options.beamsize_m.unwrap_or(widebragg::defaults::BEAMSIZE_M);
    if beamsize_m > 0.0 {
        return Ok(beamsize_m * beamsize_m);
    }
    Err(Failure::input("-beamsize must be above 0: it says how much matter the beam hits"))
}

/// The matter of one `--background`, whose number is `index`.
fn of_option(
    option: &MatterOption,
    index: usize,
    absorbs: bool,
    inputs: &Inputs,
    experiment: &Experiment,
    warn: &mut dyn FnMut(String),
) -> Result<Matter, Failure> {
    let MatterOption { typed, table, .. } = option;
    let named = |failure: widebragg_experiment::failure::Failure| {
        Failure::input(failure.reason()).context(format!("{OPTION} {typed}"))
    };
    let (points, known) = match table {
        MatterTable::Known(known) => (known.table().points.clone(), Some(*known)),
        MatterTable::File { path, abscissa } => {
            // Inputs are recorded by their options.
            let option_name = if index == 0 { OPTION.to_owned() } else { format!("{OPTION} {}", index + 1) };
            let table = inputs.read(&option_name, path, |input| parse_stol(input, path, *abscissa))?;
            if let Some(line) = table.unsorted_line {
                warn(format!("{OPTION}: {}:{line}: not in the order of s: sorted", path.display()));
            }
            if let (Some(line), None) = (table.stick_line, option.width_per_angstrom) {
                return Err(Failure::input(format!(
                    "{OPTION}: {}:{line}: a peak of a single point, as most here: add a width in 1/A, such as width=0.002",
                    path.display()
                )));
            }
            (table.points, None)
        }
    };
    let points: Vec<StolPoint> = match option.width_per_angstrom {
        Some(width) => broadened(&points, width).map_err(named)?,
        None => points,
    };
    let or_known =
        |given: Option<f64>, of_known: Option<f64>, default: f64| given.or(of_known).unwrap_or(default);
    let density_g_per_cm3 =
        or_known(option.density_g_per_cm3, known.map(|known| known.density_g_per_cm3()), DENSITY_G_PER_CM3);
    let formula = option.formula.as_deref().or(known.map(|known| known.formula()));
    let attenuation_per_m = match (option.place, absorbs) {
        (Place::Slab { .. }, true) => {
            let Some(formula) = formula else {
                return Err(Failure::input(format!(
                    "--background-absorption: {OPTION} {typed} says no formula: add one, such as formula=H2O"
                )));
            };
            Some(attenuation_per_m(formula, density_g_per_cm3, experiment.lambda0_m).map_err(named)?)
        }
        _ => None,
    };
    Ok(Matter {
        name: typed.clone(),
        points: Arc::new(points),
        place: option.place,
        density_g_per_cm3,
        weight_g_per_mol: or_known(
            option.weight_g_per_mol,
            known.map(|known| known.weight_g_per_mol()),
            WEIGHT_G_PER_MOL,
        ),
        attenuation_per_m,
    })
}

/// The line of the summary for each matter.
pub(crate) fn lines(experiment: &Experiment) -> impl Iterator<Item = String> {
    let added = experiment.background.iter().flat_map(|background| &background.added);
    added.map(|Added { name, mean }| format!("{name}: {} photons a pixel in the mean", format_g(*mean)))
}

/// The same as JSON.
pub(crate) fn json(experiment: &Experiment) -> Value {
    let added = experiment.background.iter().flat_map(|background| &background.added);
    added.map(|Added { name, mean }| json!({ "matter": name, "mean_photons": mean })).collect()
}
