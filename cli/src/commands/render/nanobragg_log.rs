//! The lines that nanoBragg prints, word for word, for scripts that take figures from them.
//!
//! Of a detector of several panels the lines tell the first. Lines about the user's files, progress and warnings are left out. Lists of wavelengths, phi and sources end after
//! [`MOST_LISTED`] lines.

use core::f64::consts::PI;
use core::fmt::Write as _;

use widebragg::beam::SourceGrid;
use widebragg::lattice::CrystalShape;
use widebragg::sampling::Steps;
use widebragg::vector::Vec3;
use widebragg_experiment::experiment::Experiment;
use widebragg_formats::format_g::format_g as g;
use widebragg_formats::reflections::p1::Unique;

use super::output::NoiseTotals;
use super::printout::axis_line;
use super::summary::{ImageSummary, misset_rad};
use crate::commands::setup::sensor::GivenSensor;
use crate::options::{Attenuation, Misset, Options};

/// Longest list that is printed.
const MOST_LISTED: usize = 1000;

/// The lines of a run, whose structure factors are a part of `unique` where that is given.
pub fn run(options: &Options, experiment: &Experiment, unique: Option<&Unique>) -> String {
    let mut text = String::new();
    push_crystal(&mut text, options, experiment);
    push_lists(&mut text, experiment, unique);
    push_beam(&mut text, options, experiment);
    push_detector(&mut text, options, experiment);
    push_steps(&mut text, experiment);
    if !options.nonoise {
        push(&mut text, "\n  noise image paramters:");
        if let Some(seed) = options.seed_as_typed {
            push(&mut text, &format!("  seed: {}", (seed as i32).wrapping_neg()));
        }
        push(&mut text, &format!("  water droplet size: {} m", g(experiment.water_m)));
    }
    text
}

/// The lines of an image.
pub fn image(options: &Options, experiment: &Experiment, image: &ImageSummary) -> String {
    let mut text = String::new();
    let mut line = |line: String| push(&mut text, &line);
    let sphere_percent = 100.0 * image.solid_angle_sr / (4.0 * PI);
    line(String::new());
    line(format!(
        "solid angle subtended by detector = {} steradian ( {}% sphere)",
        g(image.solid_angle_sr),
        g(sphere_percent)
    ));
    let pixels = experiment.pixels();
    if let Some(float) = image.names.all().first() {
        line(format!("writing {} as {pixels} 4-byte floats", float.display()));
    }
    let statistics = &image.written.statistics;
    let [x_m, y_m] = statistics
        .max_at
        .map_or([0.0; 2], |(fast, slow)| [fast, slow].map(|index| last_subpixel_m(experiment, index)));
    line(format!("max_I = {}  at {} {}", g(statistics.max), g(x_m), g(y_m)));
    line(format!("mean= {} rms= {} rmsd= {}", g(statistics.mean), g(statistics.rms), g(statistics.rmsd)));
    line(format!("intfile_scale = {}", g(image.written.scales.int)));
    if !options.nopgm {
        line(format!("pgm_scale = {}", g(image.written.scales.pgm)));
    }
    if let Some(NoiseTotals { photons: Some(photons), overloads }) = image.written.noise {
        line(format!("{photons:.0} photons on noise image ({overloads} overloads)"));
    }
    text
}

/// Position of a pixel as nanoBragg has it after the pixel: that of its last subpixel, in m.
fn last_subpixel_m(experiment: &Experiment, index: usize) -> f64 {
    let subpixels = experiment.oversample.per_axis;
    let subpixel_m = experiment.first_panel().detector.pixel_m / subpixels as f64;
    subpixel_m * (index * subpixels + subpixels - 1) as f64 + subpixel_m / 2.0
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn vector(v: Vec3) -> String {
    // Without the sign of zero.
    let [x, y, z] = v.to_array().map(|x| g(x + 0.0));
    format!("{x} {y} {z}")
}

/// Lengths and angles (degrees) of a cell.
fn cell([a, b, c]: [Vec3; 3]) -> String {
    let angle =
        |u: Vec3, v: Vec3| (u.dot(v) / (u.length() * v.length())).clamp(-1.0, 1.0).acos().to_degrees();
    let lengths = [a, b, c].map(|axis| g(axis.length())).join(" ");
    let angles = [angle(b, c), angle(c, a), angle(a, b)].map(g).join(" ");
    format!("{lengths} {angles}")
}

fn push_axes(text: &mut String, heading: &str, names: [&str; 3], axes: [Vec3; 3]) {
    let [a, b, c] = names;
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{heading}\n     {a:<10}  {b:<10}  {c:<10}");
    let [x, y, z] = [0, 1, 2].map(|component| axes.map(|axis| axis.to_array()[component] * 1e-10));
    for (name, components) in [('X', x), ('Y', y), ('Z', z)] {
        push(text, &axis_line(name, components));
    }
}

fn push_crystal(text: &mut String, options: &Options, experiment: &Experiment) {
    if options.misset == Misset::Random {
        let [x, y, z] = misset_rad(experiment).map(f64::to_degrees);
        push(text, &format!("random orientation misset angles: {x:.6} {y:.6} {z:.6} deg"));
    }
    let direct = experiment.crystal.direct;
    let edges = [direct.a_m, direct.b_m, direct.c_m].map(|axis| 1e10 * axis);
    let reciprocal = experiment.crystal.reciprocal_per_angstrom;
    let [a, b, c] = edges;
    push(text, &format!("Unit Cell: {}", cell(edges)));
    push(text, &format!("Recp Cell: {}", cell(reciprocal)));
    push(text, &format!("volume = {} A^3", g(a.dot(b.cross(c)).abs())));
    push_axes(text, "real-space cell vectors (Angstrom):", ["a", "b", "c"], edges);
    let names = ["a_star", "b_star", "c_star"];
    push_axes(text, "reciprocal-space cell vectors (Angstrom^-1):", names, reciprocal);
    let cells = experiment.crystallite.cells;
    let [x, y, z] = [0, 1, 2].map(|axis| g(cells[axis] * edges[axis].length() * 1e-4));
    push(text, &format!("crystal is {x} x {y} x {z} microns"));
    if options.oversample.is_none() {
        push(text, &format!("auto-selected {}-fold oversampling", experiment.oversample.per_axis));
    }
}

/// Wavelengths, phi and sources one by one, and how many there are.
fn push_lists(text: &mut String, experiment: &Experiment, unique: Option<&Unique>) {
    let sweep = experiment.sweep(0);
    for step in 0..sweep.count.min(MOST_LISTED) {
        let phi_rad = sweep.phi0_rad + sweep.step_rad * step as f64;
        push(text, &format!("phi{step} = {}", g(phi_rad.to_degrees())));
    }
    let sources = &experiment.sources;
    if let Some(SourceGrid { dispersion, lambda0_m, .. }) = experiment.source_grid {
        for step in 0..dispersion.count.min(MOST_LISTED) {
            let factor = 1.0 + dispersion.step * step as f64 - dispersion.range / 2.0;
            push(text, &format!("lambda{step} = {}", g(lambda0_m * factor)));
        }
    }
    push(text, &format!("  created a total of {} sources:", sources.len()));
    if experiment.source_grid.is_some() {
        let weight = 1.0 / sources.len() as f64;
        for source in sources.iter().take(MOST_LISTED) {
            let [x, y, z] = (-10.0 * source.incident).to_array().map(g);
            push(text, &format!("{x} {y} {z}   {} {}", g(weight), g(source.lambda_m)));
        }
    }
    push(text, &format!("  created a total of {} mosaic domains", experiment.domains.len()));
    let default_f = experiment.default_f;
    let listed = match (unique, &experiment.structure_factors) {
        (Some(unique), _) => unique.initialized(default_f),
        (None, Some(grid)) => {
            let values = (0..grid.nodes().count()).filter_map(|node| grid.nodes().get(node));
            values.filter(|&f| f != default_f && f != 0.0).count()
        }
        (None, None) => 0,
    };
    push(text, &format!("  {listed} initialized hkls (all others ={})", g(default_f)));
}

fn push_beam(text: &mut String, options: &Options, experiment: &Experiment) {
    let shape = match experiment.crystallite.shape {
        CrystalShape::Square => "parallelpiped",
        CrystalShape::Round => "ellipsoidal",
        CrystalShape::Gauss => "gaussian",
        CrystalShape::Tophat => "tophat-spot",
    };
    let [na, nb, nc] = experiment.crystallite.cells;
    push(text, &format!("  {shape} xtal: {na:.0}x{nb:.0}x{nc:.0} cells"));
    let dispersion = experiment.source_grid.map_or(Steps::ONE, |grid| grid.dispersion);
    push(
        text,
        &format!(
            "  wave={} meters +/- {}% in {} steps",
            g(experiment.lambda0_m),
            g(dispersion.range * 100.0),
            dispersion.count
        ),
    );
    match &experiment.polarization {
        Some(polarization) => {
            push(text, &format!("  Kahn polarization factor: {:.6}", polarization.kahn));
        }
        None => push(text, "  polarization effect disabled"),
    }
    push(text, &format!("  incident fluence: {} photons/m^2", g(experiment.fluence_per_m2)));
    let panel = experiment.first_panel();
    let d = &panel.detector;
    push(
        text,
        &format!(
            "  distance={} detsize={}x{}  pixel={} meters ({}x{} pixels)",
            g(d.distance_m),
            g(d.fast_pixels as f64 * d.pixel_m),
            g(d.slow_pixels as f64 * d.pixel_m),
            g(d.pixel_m),
            d.fast_pixels,
            d.slow_pixels
        ),
    );
    let attenuation_per_m = match options.detector_abs {
        _ if panel.sensor.attenuation_per_m > 0.0 => panel.sensor.attenuation_per_m,
        Some(Attenuation::NoThickness) => 0.0,
        _ => -1.0,
    };
    push(
        text,
        &format!(
            "  sensor is {} m thick in {} layers with mu= {}",
            g(GivenSensor::new(options).thickness_m.unwrap_or(0.0).max(0.0)),
            panel.sensor.layers,
            g(attenuation_per_m)
        ),
    );
}

fn push_detector(text: &mut String, options: &Options, experiment: &Experiment) {
    let panel = experiment.first_panel();
    let d = &panel.detector;
    let closest = |given_m: Option<f64>, org_px: Option<f64>, size_m: f64| {
        given_m.unwrap_or_else(|| org_px.map_or(size_m / 2.0, |org| (org - 0.5) * d.pixel_m))
    };
    let [x_close_m, y_close_m] =
        panel.detector_parameters().map_or([d.fast_close_m, d.slow_close_m], |placed| {
            [
                closest(placed.x_close_m, placed.org_x_px, placed.fast_size_m),
                closest(placed.y_close_m, placed.org_y_px, placed.slow_size_m),
            ]
        });
    let mut pair =
        |x: &str, x_m: f64, y: &str, y_m: f64| push(text, &format!("  {x}={} {y}={}", g(x_m), g(y_m)));
    pair("Xbeam", d.x_beam_m, "Ybeam", d.y_beam_m);
    pair("Fbeam", d.fast_beam_m, "Sbeam", d.slow_beam_m);
    pair("Xclose", x_close_m, "Yclose", y_close_m);
    pair("Fclose", d.fast_close_m, "Sclose", d.slow_close_m);
    for (name, axis) in [
        ("DIRECTION_OF_DETECTOR_X-AXIS", d.fast),
        ("DIRECTION_OF_DETECTOR_Y-AXIS", d.slow),
        ("DIRECTION_OF_DETECTOR_Z-AXIS", d.normal),
        ("INCIDENT_BEAM_DIRECTION", d.beam),
        ("spindle ROTATION_AXIS", d.spindle),
        ("POLARIZATION_PLANE_NORMAL", d.vertical),
    ] {
        push(text, &format!("  {name}= {}", vector(axis)));
    }
    let [x, y, z] = d.dials_origin_mm().map(|x| g(x + 0.0));
    push(text, &format!("  dials origin= {x} {y} {z}"));
    let roi = panel.roi;
    // The whole detector ends at its number of pixels there, a given region at its last pixel.
    let end = |last: usize| if options.roi_px.is_some() { last } else { last + 1 };
    push(
        text,
        &format!(
            "  roi: {} < x < {} && {} < y < {}",
            roi.fast_min,
            end(roi.fast_max),
            roi.slow_min,
            end(roi.slow_max)
        ),
    );
}

fn push_steps(text: &mut String, experiment: &Experiment) {
    let grid = experiment.source_grid;
    let none = Steps { count: 0, range: 0.0, step: 0.0 };
    for (name, steps) in
        [("hdiv", grid.map_or(none, |grid| grid.hdiv)), ("vdiv", grid.map_or(none, |grid| grid.vdiv))]
    {
        push(text, &format!("  {name}range={} {name}step={}  radians", g(steps.range), g(steps.step)));
    }
    let sources = experiment.sources.len();
    match grid {
        Some(grid) => push(text, &format!("  {} divergence steps", sources / grid.dispersion.count)),
        None => push(text, "  -1 divergence steps"),
    }
    push(text, &format!("  {sources} sources"));
    push(
        text,
        &format!(
            "  {} mosaic domains over mosaic spread of {} degrees",
            experiment.domains.len(),
            g(experiment.mosaic_spread_rad.to_degrees())
        ),
    );
    let sweep = experiment.sweep(0);
    push(
        text,
        &format!(
            "  {} phi steps from {} to {} degrees",
            sweep.count,
            g(sweep.phi0_rad.to_degrees()),
            g((sweep.phi0_rad + experiment.phi.range).to_degrees())
        ),
    );
    push(text, &format!("  {0}x{0} pixel oversample steps", experiment.oversample.per_axis));
}
