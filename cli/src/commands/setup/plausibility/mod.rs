//! Doubts about an experiment that can be rendered: values that are probably given in another unit, or that mean
//! something else than their user may think. Each is one line that says what was understood.

mod reflections;

pub(super) use reflections::missing_equivalents;

use widebragg::crystal::{CellSource, Crystal, CrystalParameters};
use widebragg::scene::CrystalInput;
use widebragg_experiment::experiment::Experiment;
use widebragg_formats::format_g::format_g;

use super::{Lambda, OfFile, crystal_cell};
use crate::options::{Misset, Options};

/// Distances below this are more often a value in metres than meant, in m.
const SHORT_M: f64 = 5e-3;
/// Pixel sizes beyond these limits are more often a value in metres or micrometres than meant, in m.
const PIXEL_M: [f64; 2] = [2e-6, 2e-2];
/// Crystals do not diffract X-rays or electrons of wavelengths beyond these limits, in m.
const LAMBDA_M: [f64; 2] = [5e-13, 1e-9];
/// No crystal has cell edges beyond these limits, in Angstrom.
const EDGE_ANGSTROM: [f64; 2] = [2.0, 5000.0];
/// Relative difference from which two cell edges are not the same.
const EDGES_DIFFER: f64 = 0.02;
/// Relative difference of wavelengths from which F may not be of the experiment.
const WAVELENGTHS_DIFFER: f64 = 0.02;

/// The doubts about `experiment`, which `options` ask for; its wavelength is `lambda`, and its structure factors come from
/// the file that `of_file` describes.
pub(super) fn doubts(
    options: &Options,
    lambda: Lambda,
    of_file: OfFile<'_>,
    experiment: &Experiment,
) -> Vec<String> {
    let mut doubts = Vec::new();
    wavelength(options, lambda, experiment, &mut doubts);
    cell(options, experiment, &mut doubts);
    detector(options, experiment, &mut doubts);
    rotation(options, experiment, &mut doubts);
    seeds(options, &mut doubts);
    if let Some(path) = &options.hkl {
        let mut found = of_another_crystal(options, of_file, experiment);
        found.extend(of_file.lacks.map(str::to_owned));
        doubts.extend(found.into_iter().map(|doubt| format!("-hkl: {}: {doubt}", path.display())));
    }
    doubts
}

/// How the file of `-hkl` differs from the experiment in cell and wavelength.
fn of_another_crystal(options: &Options, of_file: OfFile<'_>, experiment: &Experiment) -> Vec<String> {
    let mut doubts = Vec::new();
    let cell = crystal_cell(experiment);
    if let Some(of_file) = of_file.cell().filter(|of_file| !cell.agrees_with(of_file)) {
        let option = if options.mat.is_some() { "-mat" } else { "-cell" };
        doubts.push(format!(
            "its cell is {of_file}, that of {option} is {cell}: the indices may be of another setting"
        ));
    }
    let lambda = experiment.lambda0_m * 1e10;
    let differs = |of_file: &f64| (of_file - lambda).abs() > WAVELENGTHS_DIFFER * lambda;
    let wavelength = of_file.summary().and_then(|summary| summary.wavelength_angstrom);
    if let Some(of_file) = wavelength.filter(differs) {
        doubts.push(format!(
            "its F were measured at {of_file} Angstrom, the image is of {} Angstrom: anomalous scattering differs",
            format_g(lambda)
        ));
    }
    doubts
}

fn is_beyond([least, most]: [f64; 2], value: f64) -> bool {
    !(least..=most).contains(&value)
}

fn wavelength(options: &Options, known: Lambda, experiment: &Experiment, doubts: &mut Vec<String>) {
    let lambda = format_g(experiment.lambda0_m * 1e10);
    let taken_as = match known {
        Lambda::Given(_) | Lambda::OfSpectrum(_) | Lambda::OfGeometry(_) | Lambda::OfHeader(_) => None,
        Lambda::OfReflections(_) => Some(format!("that of the file of -hkl, {lambda} Angstrom")),
        Lambda::Default => Some(format!("{lambda} Angstrom")),
    };
    if let (Some(taken_as), true) = (taken_as, options.mat.is_some()) {
        let [a, b, c] = experiment.crystal.cell.lengths_angstrom.map(format_g);
        doubts.push(format!(
            "-mat without -lambda: the wavelength is taken as {taken_as}, and the cell, which scales with it, is {a} {b} {c}"
        ));
    }
    if is_beyond(LAMBDA_M, experiment.lambda0_m) {
        doubts.push(format!(
            "the wavelength is {lambda} Angstrom: -lambda is in Angstrom, -energy in eV (12660 for 12.66 keV)"
        ));
    }
    if let Some(kahn) = options.polar_kahn.filter(|kahn| kahn.abs() > 1.0 && !options.nopolar) {
        doubts.push(format!("-polar {}: no beam has a factor beyond -1 to 1", format_g(kahn)));
    }
}

fn cell(options: &Options, experiment: &Experiment, doubts: &mut Vec<String>) {
    let edges = experiment.crystal.cell.lengths_angstrom;
    if edges.iter().any(|&edge| is_beyond(EDGE_ANGSTROM, edge)) {
        let [a, b, c] = edges.map(format_g);
        let unit = match (&options.mat, options.cell_angstrom_deg) {
            (Some(_), None) => {
                "the matrix of -mat holds a*, b*, c* in 1/Angstrom, times the wavelength (-lambda) in Angstrom"
            }
            _ => "-cell is in Angstrom",
        };
        doubts.push(format!("the cell edges are {a} {b} {c} Angstrom: {unit}"));
    }
    let CrystalInput::Cell { source: CellSource::MatrixWithCell(matrix, _), misset_rad } =
        experiment.crystal_input
    else {
        return;
    };
    let lambda0_m = experiment.lambda0_m;
    let alone = CrystalParameters { source: CellSource::Matrix(matrix), lambda0_m, misset_rad };
    let Ok(alone) = Crystal::new(&alone) else { return };
    let ratios = [0, 1, 2].map(|axis| alone.cell.lengths_angstrom[axis] / edges[axis]);
    if ratios.iter().any(|ratio| (ratio - 1.0).abs() > EDGES_DIFFER) {
        let [a, b, c] = alone.cell.lengths_angstrom.map(format_g);
        let lambda = lambda0_m * 1e10;
        let is = |factor: f64| ratios.iter().all(|ratio| (ratio / factor - 1.0).abs() < 0.2 * EDGES_DIFFER);
        let cause =
            if is(lambda) { ": it may be in 1/Angstrom, without the factor of the wavelength" } else { "" };
        doubts.push(format!(
            "the edges of -mat are {a} {b} {c} Angstrom{cause}; those of -cell are used, with the directions of -mat"
        ));
    }
}

fn detector(options: &Options, experiment: &Experiment, doubts: &mut Vec<String>) {
    let panel = experiment.first_panel();
    let d = &panel.detector;
    let mm = |length_m: f64| format_g(length_m * 1000.0);
    for (name, given_m) in [("-distance", options.distance_m), ("-close_distance", options.close_distance_m)]
    {
        if let Some(distance_m) = given_m.filter(|distance_m| distance_m.abs() < SHORT_M) {
            doubts.push(format!(
                "{name} {0}: the detector is {0} mm from the sample; distances are in mm",
                mm(distance_m)
            ));
        }
    }
    if let Some(pixel_m) = options.pixel_m.filter(|&pixel_m| is_beyond(PIXEL_M, pixel_m)) {
        doubts.push(format!("-pixel {0}: a pixel is {0} mm wide; its size is in mm", mm(pixel_m)));
    }
    let placed = panel.detector_parameters();
    let is_square_on =
        placed.is_some_and(|placed| placed.twotheta_rad == 0.0 && placed.rotation_rad == [0.0; 3]);
    let [along_fast, along_slow] =
        [(d.fast_beam_m, d.fast_pixels), (d.slow_beam_m, d.slow_pixels)].map(|(beam_m, pixels)| {
            let edge_m = pixels as f64 * d.pixel_m;
            let outside_m = (-beam_m).max(beam_m - edge_m).max(0.0);
            (outside_m, edge_m)
        });
    // A swung detector, or one panel of several, is hit beside the beam; one more than its own size away seldom is.
    if is_square_on && [along_fast, along_slow].iter().any(|(outside_m, edge_m)| outside_m > edge_m) {
        doubts.push(format!(
            "the direct beam misses the detector by {} mm along fast and {} mm along slow: -Xbeam and -Ybeam are in mm, \
             -ORGX and -ORGY in pixels",
            mm(along_fast.0),
            mm(along_slow.0)
        ));
    }
}

/// Where a seed makes its state positive, nanoBragg goes on with the shuffle table that earlier draws left.
fn seeds(options: &Options, doubts: &mut Vec<String>) {
    if let Some(seed) = options.mosaic_seed_as_typed.filter(|&seed| (seed as i32) < 0)
        && options.misset == Misset::Random
    {
        doubts.push(format!(
            "-mosaic_seed {seed}: the domains are drawn as with -mosaic_seed 1; nanoBragg would go on with the numbers of \
             -misset random"
        ));
    }
}

fn rotation(options: &Options, experiment: &Experiment, doubts: &mut Vec<String>) {
    if let Some(osc_rad) = options.osc_rad.filter(|&osc_rad| osc_rad < 0.0) {
        let degrees = |angle_rad: f64| format_g(angle_rad.to_degrees());
        let phi = &experiment.phi;
        let instead = match phi.count {
            1 => "a still".to_owned(),
            steps => {
                let range = degrees(phi.range);
                let unit = if range == "1" { "degree" } else { "degrees" };
                format!("{range} {unit} in {steps} steps")
            }
        };
        doubts.push(format!(
            "-osc {}: a negative range counts as not given, as in nanoBragg: {instead}",
            degrees(osc_rad)
        ));
    }
}
