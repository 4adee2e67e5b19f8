//! `widebragg gradient`: a loss and its derivatives with respect to what `--wrt` names, and images of the
//! derivatives of pixels.
//!
//! Prints JSON: `loss` with its kind and pixels, and `gradient` with name, unit, value and derivative of each
//! parameter; of several panels also `panels`, and `groups` of them; against an image also `correlation`, and the
//! `offset` and `saturation` of its pixels; `light` says whether the derivatives are from a list of spots. The folder
//! of `--out` gets the same as `gradient.json`; with `--images` a float image and a picture of dI/dp for each
//! parameter; with `--wrt F` the list `dL_dF.hkl` of h, k, l and dL/dF.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::factor_grid::FactorGrid;
use widebragg_experiment::gradient::loss::Loss;
use widebragg_experiment::gradient::moves::Moves;
use widebragg_experiment::gradient::named::{Named, value};
use widebragg_experiment::gradient::problem::{Direction, Problem, Pulled};
use widebragg_experiment::gradient::refine::optimiser::correlation;
use widebragg_experiment::gradient::selection::selected;
use widebragg_formats::atomic::write_atomically;
use widebragg_formats::float::write_float;

use super::derivatives::{Chosen, Exposure, loss_against, panel_members, pixels, pool, read_files};
use super::distinct::Files;
use super::light;
use super::setup;
use super::setup::structure_factors::inputs;
use crate::console;
use crate::error::Failure;
use crate::evidence::{self, Evidence};
use crate::options::GradientOptions;
use crate::picture::image::signed_picture;

/// The files in the folder of `--out`, beside the images of derivatives.
const REPORT: &str = "gradient.json";
const BY_F: &str = "dL_dF.hkl";

/// Differentiates; `args` is the command line that `options` were read from.
///
/// # Errors
/// The line to print on standard error.
pub fn run(options: &GradientOptions, args: &[String]) -> Result<(), Failure> {
    evidence::recorded(options.render.evidence.as_deref(), args, |evidence| differentiate(options, evidence))
}

fn loss(options: &GradientOptions, experiment: &Experiment) -> Result<(Loss, Option<Exposure>), Failure> {
    match (&options.against, &options.weights) {
        (Some(_), Some(_)) => Err(Failure::input("gradient: either --against or --weights, not both")),
        (Some(path), None) => {
            let (loss, exposure) = loss_against(options, path, experiment)?;
            Ok((loss, Some(exposure)))
        }
        (None, Some(path)) => Ok((Loss::weights(pixels(path, experiment, "--weights")?), None)),
        (None, None) => Ok((Loss::sum(experiment.pixels()), None)),
    }
}

fn differentiate(options: &GradientOptions, mut evidence: Option<&mut Evidence>) -> Result<(), Failure> {
    let set_up = setup::of_fit(&options.render)?;
    let chosen = Chosen::new(options, &set_up)?;
    let experiment = set_up.experiment;
    if let Some(folder) = &options.out {
        check_files(options, &chosen, folder)?;
    }
    let (loss, exposure) = loss(options, &experiment)?;
    if let Some(evidence) = evidence.as_deref_mut() {
        inputs(&options.render).for_each(|path| evidence.add_input(path));
        options.against.iter().chain(&options.weights).for_each(|path| evidence.add_input(path));
        evidence.add_fact("simd", experiment.simd.level().name().into());
    }
    if let Some(folder) = &options.out {
        let unusable = |error| Failure::input(format!("--out {}: {error}", folder.display()));
        fs::create_dir_all(folder).map_err(unusable)?;
    }
    let mut written = Vec::new();
    let mut report = pool(options)?.install(|| {
        report(options, &Problem::new(&experiment, &chosen.groups)?, &chosen, &loss, &mut written)
    })?;
    for (name, value) in exposure.iter().flat_map(Exposure::members) {
        report[name] = value;
    }
    let text = format!("{report:#}\n");
    if let Some(folder) = &options.out {
        let path = folder.join(REPORT);
        write_atomically(&path, |out| out.write_all(text.as_bytes()))?;
        written.push(path);
    }
    if let Some(evidence) = evidence {
        written.iter().try_for_each(|path| evidence.add_copy(path))?;
        evidence.add_text(REPORT, &text)?;
    }
    if options.render.quiet && !options.render.json { Ok(()) } else { console::print(&text) }
}

/// The float image and the picture of the derivatives with respect to a parameter. What may be no part of the name of
/// a file is a line in it.
fn image_names(named: &Named) -> [String; 2] {
    let is_usual = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    let name: String = named.name.chars().map(|c| if is_usual(c) { c } else { '_' }).collect();
    ["bin", "png"].map(|extension| format!("dI_d{name}.{extension}"))
}

/// Checks that no file of `--out` is one that is read.
fn check_files(options: &GradientOptions, chosen: &Chosen, folder: &Path) -> Result<(), Failure> {
    let mut names = vec![REPORT.to_owned()];
    names.extend(chosen.each_f.then(|| BY_F.to_owned()));
    if options.images {
        names.extend(chosen.parameters.iter().flat_map(image_names));
    }
    Files::read(read_files(options)).write_into(folder, names)
}

/// Loss and derivatives as JSON; writes the lists and images of derivatives, and appends their names to
/// `written`.
fn report(
    options: &GradientOptions,
    problem: &Problem<'_>,
    chosen: &Chosen,
    loss: &Loss,
    written: &mut Vec<PathBuf>,
) -> Result<Value, Failure> {
    let experiment = problem.experiment();
    let moves = Moves::default();
    let image = problem.image(&moves)?;
    let (value, counted, slopes) = loss.at(&image, selected(experiment));
    let directions = problem.directions(&moves, chosen.parameters.iter().map(|named| named.movable))?;
    let grid = experiment.structure_factors.as_deref().filter(|_| chosen.each_f);
    if grid.is_some_and(|grid| grid.grids() > 1) {
        return Err(Failure::input("--wrt F: needs one F for all wavelengths, not --energy-channels"));
    }
    let (sums, taken) = problem.pullback(&moves, &slopes, &directions, grid.is_some())?;
    if let (Some(folder), Some(grid), Some(by_f)) = (&options.out, grid, &sums.by_f) {
        let path = folder.join(BY_F);
        write_by_f(&path, grid, by_f)?;
        written.push(path);
    }
    if let Some(folder) = options.out.as_ref().filter(|_| options.images) {
        for (named, direction) in chosen.parameters.iter().zip(&directions) {
            written.extend(write_image(problem, folder, named, direction)?);
        }
    }
    let entries = chosen.parameters.iter().zip(&directions);
    let gradient: Vec<Value> = entries.map(|(named, d)| entry(named, experiment, &moves, &sums, d)).collect();
    let mut report = json!({
        "loss": value, "kind": loss.name(), "pixels": counted, "gradient": gradient,
    });
    for (name, value) in light::members(taken).chain(panel_members(experiment, &chosen.groups)) {
        report[name] = value;
    }
    if options.against.is_some() {
        let takes = selected(experiment);
        let data = loss.pixels().iter().map(|&data| f64::from(data));
        let compared = image.iter().copied().zip(data).enumerate();
        let (image, data): (Vec<f64>, Vec<f64>) =
            compared.filter(|&(i, (_, data))| data.is_finite() && takes(i)).map(|(_, pair)| pair).unzip();
        report["correlation"] = json!(correlation(&image, &data));
    }
    Ok(report)
}

/// Name, unit, value and derivative of a parameter.
fn entry(
    named: &Named,
    experiment: &Experiment,
    moves: &Moves,
    sums: &Pulled,
    direction: &Direction,
) -> Value {
    json!({
        "name": named.name,
        "unit": named.unit,
        "value": value(named, experiment, moves),
        "derivative": sums.along(direction) * named.per_unit,
    })
}

/// Writes the derivatives with respect to the structure factors that have one, as h k l dL/dF.
fn write_by_f(path: &Path, grid: &FactorGrid, by_f: &[f64]) -> Result<(), Failure> {
    let ([h_min, k_min, l_min], [_, nk, nl]) = (grid.min(), grid.shape());
    let at = |min: i32, i: usize| i64::from(min) + i as i64;
    let written = write_atomically(path, |out| {
        for (i, slope) in by_f.iter().enumerate().filter(|(_, slope)| **slope != 0.0) {
            let (h, k, l) = (at(h_min, i / (nk * nl)), at(k_min, i / nl % nk), at(l_min, i % nl));
            writeln!(out, "{h} {k} {l} {slope:e}")?;
        }
        Ok(())
    });
    Ok(written?)
}

/// Writes dI/dp as a float image and a picture; returns their names.
fn write_image(
    problem: &Problem<'_>,
    folder: &Path,
    named: &Named,
    direction: &Direction,
) -> Result<[PathBuf; 2], Failure> {
    let (image, _) = problem.pushforward(&Moves::default(), core::slice::from_ref(direction))?;
    let pixels: Vec<f32> = image.iter().map(|slope| (slope * named.per_unit) as f32).collect();
    let [float, png] = image_names(named).map(|name| folder.join(name));
    write_float(&float, &pixels)?;
    let columns = problem.experiment().columns();
    let unit = match named.unit {
        "" => "photons".to_owned(),
        unit => format!("photons/{unit}"),
    };
    let picture = signed_picture(&format!("dI/d {}", named.name), &unit, columns, &pixels)?;
    write_atomically(&png, |out| out.write_all(&picture))?;
    Ok([float, png])
}
