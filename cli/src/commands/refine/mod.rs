//! `widebragg refine`: fits parameters to an image.
//!
//! The fit is that of [`widebragg_experiment::gradient::refine`]. Prints a line for each iteration, a table
//! with standard uncertainties, and options that repeat the fitted model (`report`). The folder of `--out`
//! gets the same as refine.json, and pictures of the images before and after, of their difference from the
//! data, of single spots and of the loss (`plot`).
//! Exit code 3 where the fit has not converged or is not to be believed; the parameters that it reached are printed
//! all the same, with the reasons.

mod plot;
mod report;

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::Value;
use widebragg::gradient::Parameter;

use widebragg_experiment::gradient::loss::Loss;
use widebragg_experiment::gradient::moves::{Body, Movable, Moves};
use widebragg_experiment::gradient::named::{MOTIONS, Named};
use widebragg_experiment::gradient::problem::Problem;
use widebragg_experiment::gradient::refine::optimiser::{Fitted, fit};
use widebragg_formats::atomic::write_atomically;
use widebragg_formats::matrix::write_matrix;
use widebragg_formats::shot_table::write_crystals;

use super::derivatives::{Chosen, loss_against, pool, read_files};
use super::distinct::Files;
use super::render::expt;
use super::setup::geometry::FileGeometry;
use super::setup::structure_factors::inputs;
use super::setup::{self, SetUp};
use crate::console;
use crate::error::Failure;
use crate::evidence::{self, Evidence};
use crate::options::GradientOptions;
use report::Fragment;

/// The result in the folder of `--out`.
const REPORT: &str = "refine.json";

/// Exit code of a refinement that has not converged, or whose result is not to be believed.
const NOT_BELIEVABLE: u8 = 3;

/// Refines parameters; `args` is the command line that `options` were read from.
///
/// # Errors
/// The line to print on standard error; exit code 3 where the refinement has not converged or is not to be believed.
pub fn run(options: &GradientOptions, args: &[String]) -> Result<(), Failure> {
    evidence::recorded(options.render.evidence.as_deref(), args, |evidence| refine(options, evidence))
}

fn refine(options: &GradientOptions, mut evidence: Option<&mut Evidence>) -> Result<(), Failure> {
    let started = Instant::now();
    let set_up = setup::of_fit(&options.render)?;
    let chosen = Chosen::new(options, &set_up)?;
    let SetUp { experiment, geometry, .. } = set_up;
    if chosen.each_f {
        return Err(Failure::input("refine: --wrt F is for gradient; structure factors are not refined"));
    }
    check_choice(&chosen.parameters, experiment.lattices())?;
    check_bodies(&chosen, experiment.panels.len())?;
    if let Some(folder) = &options.out {
        let matrix = Fragment::needs_matrix(&options.render, &experiment, &chosen.parameters)
            .then_some(report::MATRIX);
        let list = Fragment::needs_list(&experiment, &chosen.parameters).then_some(report::LIST);
        let table = Fragment::needs_table(&options.render, &experiment, &chosen.parameters);
        let table = table.then_some(report::TABLE);
        let names = [REPORT].into_iter().chain(matrix).chain(list).chain(table).chain(plot::NAMES);
        Files::read(read_files(options)).write_into(folder, names)?;
    }
    let Some(against) = &options.against else {
        return Err(Failure::input("refine: needs the image to fit, --against IMAGE"));
    };
    let (loss, exposure) = loss_against(options, against, &experiment)?;
    if let Some(evidence) = evidence.as_deref_mut() {
        inputs(&options.render).for_each(|path| evidence.add_input(path));
        evidence.add_input(against);
        evidence.add_fact("simd", experiment.simd.level().name().into());
    }
    if let Some(folder) = &options.out {
        fs::create_dir_all(folder)
            .map_err(|error| Failure::input(format!("--out {}: {error}", folder.display())))?;
    }
    let (fitted, report, table, written) = pool(options)?.install(|| {
        let problem = Problem::new(&experiment, &chosen.groups)?;
        let report_step = |line: &str| {
            if !options.render.quiet {
                console::progress_line(line);
            }
        };
        let fitted = fit(&problem, &loss, &chosen.parameters, options.iterations, &report_step)?;
        let fragment = Fragment::new(
            &problem,
            &options.render,
            &chosen.parameters,
            &fitted.moves,
            options.out.as_deref(),
        )?;
        let seconds = started.elapsed().as_secs_f64();
        let found = report::Found {
            problem: &problem,
            loss: &loss,
            exposure: &exposure,
            chosen: &chosen,
            fitted: &fitted,
            fragment: &fragment,
        };
        let (report, table) = (found.json(seconds), found.table());
        let mut written = write(options, &problem, &loss, &fitted, &fragment, &report)?;
        if let Some(path) = &fragment.list {
            let moved = report::moved(&problem, &fitted.moves)?;
            expt::write_geometry(path, &moved, geometry.as_ref().map(FileGeometry::frame))?;
            written.push(path.clone());
        }
        Ok::<_, Failure>((fitted, report, table, written))
    })?;
    let text = format!("{report:#}\n");
    if let Some(evidence) = evidence {
        written.iter().try_for_each(|path| evidence.add_copy(path))?;
        if options.out.is_none() {
            evidence.add_text(REPORT, &text)?;
        }
    }
    if options.render.json {
        console::print(&text)?;
    } else if !options.render.quiet {
        console::print(&table)?;
    }
    if fitted.is_believable() {
        return Ok(());
    }
    let why = if fitted.converged {
        format!("not to be believed: {}", report::reasons(&fitted).join("; "))
    } else {
        format!("not converged after {} iterations: {}", fitted.iterations(), report::ending(&fitted))
    };
    Err(Failure::with_code(NOT_BELIEVABLE, format!("refine: {why}")))
}

/// Refuses parameters that move the same variables.
fn check_choice(parameters: &[Named], crystals: usize) -> Result<(), Failure> {
    check_pairs(parameters.iter().filter_map(Named::shared), "")?;
    let own = |crystal: usize| {
        parameters.iter().filter_map(move |named| match named.movable {
            Movable::Crystal(of, parameter) if of == crystal => Some(parameter),
            _ => None,
        })
    };
    for crystal in 0..crystals {
        check_pairs(own(crystal), &format!("crystal[{}].", crystal + 1))?;
    }
    // What all crystals share moves them as the parameters of each do.
    for named in parameters {
        let is_of_each = |parameter| (0..crystals).all(|crystal| own(crystal).any(|own| own == parameter));
        if named.shared().is_some_and(is_of_each) {
            return both(&named.name, "that of each crystal");
        }
    }
    Ok(())
}

/// Refuses pairs of parameters of the same crystal, or of all, that move the same; `label` is what their names begin with.
fn check_pairs(parameters: impl Iterator<Item = Parameter> + Clone, label: &str) -> Result<(), Failure> {
    let has = |is: fn(Parameter) -> bool| parameters.clone().any(is);
    let vectors = has(|p| matches!(p, Parameter::CellVector(_)));
    let origin = has(|p| matches!(p, Parameter::Origin(_)));
    let both = |one: &str, other: &str| both(&format!("{label}{one}"), &format!("{label}{other}"));
    match () {
        () if vectors && has(|p| matches!(p, Parameter::CellLength(_) | Parameter::CellAngle(_))) => {
            both("vectors", "cell")
        }
        () if vectors && has(|p| matches!(p, Parameter::Misset(_))) => both("vectors", "misset"),
        () if has(|p| p == Parameter::AllCells) && has(|p| matches!(p, Parameter::Cells(_))) => {
            both("N", "cells")
        }
        () if origin && has(|p| matches!(p, Parameter::Distance | Parameter::BeamCentre(_))) => {
            both("origin", "distance or beam")
        }
        () => Ok(()),
    }
}

/// Refuses groups of panels, or a whole detector, that move while each of their panels moves freely as well.
fn check_bodies(chosen: &Chosen, panels: usize) -> Result<(), Failure> {
    let components = |panel: usize| {
        let is_of_panel =
            |named: &&Named| matches!(named.movable, Movable::Rigid(Body::Panel(of), _) if of == panel);
        chosen.parameters.iter().filter(is_of_panel).count()
    };
    let free: Vec<bool> = (0..panels).map(|panel| components(panel) == MOTIONS.len()).collect();
    for named in &chosen.parameters {
        let moves_with_others = match named.movable {
            Movable::Rigid(Body::Group(group), _) => chosen
                .groups
                .get(group)
                .is_some_and(|group| group.panels.iter().all(|&panel| free.get(panel) == Some(&true))),
            Movable::Shared(
                Parameter::Origin(_)
                | Parameter::Distance
                | Parameter::BeamCentre(_)
                | Parameter::DetectorRotation(_),
            ) => free.iter().all(|&is_free| is_free),
            Movable::Rigid(Body::Panel(_), _) | Movable::Crystal(..) | Movable::Shared(_) => false,
        };
        if moves_with_others {
            return both(&named.group, "all motions of its panels");
        }
    }
    Ok(())
}

fn both(one: &str, other: &str) -> Result<(), Failure> {
    Err(Failure::input(format!("refine: --wrt {one} and {other} move the same: choose one of them")))
}

/// Writes the files of `--out`; returns their names.
fn write(
    options: &GradientOptions,
    problem: &Problem<'_>,
    loss: &Loss,
    fitted: &Fitted,
    fragment: &Fragment,
    report: &Value,
) -> Result<Vec<PathBuf>, Failure> {
    let Some(folder) = &options.out else { return Ok(Vec::new()) };
    let mut written = Vec::new();
    let path = folder.join(REPORT);
    write_atomically(&path, |out| writeln!(out, "{report:#}"))?;
    written.push(path);
    if let Some((path, rows)) = &fragment.matrix {
        write_matrix(path, rows)?;
        written.push(path.clone());
    }
    let single = |moves: &Moves| -> Result<Vec<f32>, Failure> {
        Ok(problem.image(moves)?.into_iter().map(|pixel| pixel as f32).collect())
    };
    if let Some((path, crystals)) = &fragment.table {
        write_atomically(path, |out| write_crystals(crystals, out))?;
        written.push(path.clone());
    }
    let images = plot::Images {
        experiment: problem.experiment(),
        data: loss.pixels(),
        before: &single(&Moves::default())?,
        after: &single(&fitted.moves)?,
    };
    for (name, picture) in images.pictures(fitted)? {
        let path = folder.join(name);
        write_atomically(&path, |out| out.write_all(&picture))?;
        written.push(path);
    }
    Ok(written)
}
