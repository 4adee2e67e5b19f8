//! `widebragg gradient`: a loss and its derivatives by what `--wrt` names, and images of the derivatives of pixels.
//!
//! Printed as JSON: `loss` with its kind and pixels, `gradient` with name, unit, value and derivative of each parameter. In the
//! folder of `--out`: the same as `gradient.json`; with `--images` a float image and a picture of dI/dp for each parameter; with
//! `--wrt F` the list `dL_dF.hkl` of h, k, l and dL/dF.

pub mod check;
pub mod differences;
pub mod loss;
pub mod parameter;
pub mod problem;
pub mod refine;
pub mod selection;

use std::fs;
use std::path::Path;

use rayon::{ThreadPool, ThreadPoolBuilder};
use serde_json::{Value, json};
use widebragg::gradient::{Moves, Variables};

use crate::compare::picture::Picture;
use crate::compare::scale::Scale;
use crate::compare::source::Region;
use crate::console;
use crate::error::Failure;
use crate::evidence::{self, Evidence};
use crate::options::GradientOptions;
use crate::run::series::inputs;
use crate::run::setup::Setup;
use loss::Loss;
use parameter::{Chosen, Named};
use problem::Problem;
use widebragg_formats::atomic::write_atomically;
use widebragg_formats::float::write_float;
use widebragg_formats::hkl_table::HklTable;
use widebragg_formats::memory::filled;

/// Differentiates; `args` is the command line that `options` were read from.
///
/// # Errors
/// The line to tell the user.
pub fn run(options: &GradientOptions, args: &[String]) -> Result<(), Failure> {
    evidence::recorded(options.render.evidence.as_deref(), args, |evidence| differentiate(options, evidence))
}

/// The setup of the options, its warnings told.
pub(crate) fn setup(options: &GradientOptions) -> Result<Setup, Failure> {
    let setup = Setup::new(&options.render)?;
    setup.warnings.iter().for_each(|warning| console::complain(warning));
    Ok(setup)
}

pub(crate) fn pool(options: &GradientOptions) -> Result<ThreadPool, Failure> {
    let threads = options.render.threads.unwrap_or(0);
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| Failure::input(format!("--threads {threads}: {error}")))
}

fn loss(options: &GradientOptions, setup: &Setup) -> Result<Loss, Failure> {
    match (&options.against, &options.weights) {
        (Some(_), Some(_)) => Err(Failure::input("gradient: either --against or --weights, not both")),
        (Some(path), None) => Loss::against(path, options.loss, setup),
        (None, Some(path)) => Loss::weights(path, setup),
        (None, None) => Ok(Loss::sum(setup)),
    }
}

/// Whether pixels count: those in the region of interest that the mask leaves.
pub(crate) fn selected(setup: &Setup) -> impl Fn(usize) -> bool + '_ {
    let (columns, roi) = (setup.detector.fast_pixels, setup.roi);
    move |i| {
        let (slow, fast) = (i / columns, i % columns);
        let inside =
            (roi.slow_min..=roi.slow_max).contains(&slow) && (roi.fast_min..=roi.fast_max).contains(&fast);
        inside && setup.mask.as_ref().is_none_or(|mask| mask.pixels.get(i).is_some_and(|&value| value != 0))
    }
}

fn differentiate(options: &GradientOptions, mut evidence: Option<&mut Evidence>) -> Result<(), Failure> {
    let setup = setup(options)?;
    let chosen = Chosen::new(&options.wrt, &setup)?;
    let loss = loss(options, &setup)?;
    if let Some(evidence) = evidence.as_deref_mut() {
        inputs(&options.render).for_each(|path| evidence.add_input(path));
        options.against.iter().chain(&options.weights).for_each(|path| evidence.add_input(path));
        evidence.add_fact("simd", setup.simd.level().name().into());
    }
    let unusable = |folder: &Path, error| Failure::input(format!("--out {}: {error}", folder.display()));
    if let Some(folder) = &options.out {
        fs::create_dir_all(folder).map_err(|error| unusable(folder, error))?;
    }
    let mut written = Vec::new();
    let report = pool(options)?.install(|| -> Result<Value, Failure> {
        let problem = Problem::new(&setup)?;
        let moves = Moves::default();
        let image = problem.image(&moves)?;
        let (value, counted, slopes) = loss.at(&image, selected(&setup));
        let parameters = chosen.parameters.iter().map(|named| named.parameter);
        let directions = problem.directions(&moves, parameters)?;
        let mut by_f = match (&setup.hkl, chosen.each_f) {
            (Some(table), true) => Some(
                filled(table.data.len(), 0f64)
                    .ok_or_else(|| Failure::input("--wrt F: no memory for derivatives"))?,
            ),
            _ => None,
        };
        let sums = problem.pullback(&moves, &slopes, &directions, by_f.as_deref_mut())?;
        if let Some(folder) = &options.out {
            if let (Some(table), Some(by_f)) = (&setup.hkl, &by_f) {
                let path = folder.join("dL_dF.hkl");
                write_by_f(&path, table, by_f)?;
                written.push(path);
            }
            if options.images {
                for (named, direction) in chosen.parameters.iter().zip(&directions) {
                    written.extend(write_image(&problem, folder, named, direction)?);
                }
            }
        }
        let gradient: Vec<Value> = chosen
            .parameters
            .iter()
            .zip(&directions)
            .map(|(named, d)| entry(named, &setup, &moves, &sums, d))
            .collect();
        Ok(json!({
            "loss": value, "kind": loss.name(), "pixels": counted, "gradient": gradient,
        }))
    })?;
    let text = format!("{report:#}\n");
    if let Some(folder) = &options.out {
        let path = folder.join("gradient.json");
        write_atomically(&path, |out| out.write_all(text.as_bytes()))?;
        written.push(path);
    }
    if let Some(evidence) = evidence {
        written.iter().try_for_each(|path| evidence.add_copy(path))?;
        evidence.add_text("gradient.json", &text)?;
    }
    if options.render.quiet { Ok(()) } else { console::print(&text) }
}

/// Name, unit, value and derivative of a parameter.
fn entry(named: &Named, setup: &Setup, moves: &Moves, sums: &Variables, direction: &Variables) -> Value {
    json!({
        "name": named.name,
        "unit": named.unit,
        "value": parameter::value(named, setup, moves),
        "derivative": sums.dot(direction) * named.per_unit,
    })
}

/// The derivatives by the structure factors that have one, as h k l dL/dF.
fn write_by_f(path: &Path, table: &HklTable, by_f: &[f64]) -> Result<(), Failure> {
    let [_, nk, nl] = table.shape();
    let at = |min: i32, i: usize| i64::from(min) + i as i64;
    let written = write_atomically(path, |out| {
        for (i, slope) in by_f.iter().enumerate().filter(|(_, slope)| **slope != 0.0) {
            let (h, k, l) = (at(table.h.0, i / (nk * nl)), at(table.k.0, i / nl % nk), at(table.l.0, i % nl));
            writeln!(out, "{h} {k} {l} {slope:e}")?;
        }
        Ok(())
    });
    Ok(written?)
}

/// dI/dp as a float image and a picture; the names.
fn write_image(
    problem: &Problem<'_>,
    folder: &Path,
    named: &Named,
    direction: &Variables,
) -> Result<[std::path::PathBuf; 2], Failure> {
    let image = problem.pushforward(&Moves::default(), core::slice::from_ref(direction))?;
    let pixels: Vec<f32> = image.iter().map(|slope| (slope * named.per_unit) as f32).collect();
    let float = folder.join(format!("dI_d{}.bin", named.name));
    write_float(&float, &pixels)?;
    let detector = &problem.setup().detector;
    let unit = match named.unit {
        "" => "photons".to_owned(),
        unit => format!("photons/{unit}"),
    };
    let picture = signed_picture(&format!("dI/d {}", named.name), &unit, detector.fast_pixels, &pixels)?;
    let png = folder.join(format!("dI_d{}.png", named.name));
    write_atomically(&png, |out| out.write_all(&picture))?;
    Ok([float, png])
}

/// A picture of pixels of both signs, on a scale from blue over white to red.
pub(crate) fn signed_picture(
    title: &str,
    unit: &str,
    fast: usize,
    pixels: &[f32],
) -> Result<Vec<u8>, Failure> {
    let finite = || pixels.iter().filter(|x| x.is_finite()).map(|x| f64::from(x.abs()));
    let largest = finite().fold(0.0, f64::max);
    let rms = (finite().map(|x| x * x).sum::<f64>() / pixels.len().max(1) as f64).sqrt();
    let picture = Picture {
        title,
        unit,
        region: Region { fast_min: 0, slow_min: 0, fast, slow: pixels.len() / fast.max(1) },
        scale: &Scale::diverging(largest, rms / 100.0),
        not_finite: pixels.iter().filter(|x| !x.is_finite()).count(),
        rings: None,
        ring_colour: [90, 100, 110],
    };
    picture.draw(|i| pixels[i], f32::abs)
}
