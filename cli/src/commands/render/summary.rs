//! The summary of a run on standard output: before rendering, how the options were understood (geometry, cell, steps,
//! estimated time); afterwards, the statistics of each image. Or all of it as JSON, afterwards.

use core::f64::consts::PI;
use core::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value, json};
use widebragg::detector::Convention;
use widebragg::lattice::{CellCoupling, Precision, SpotMetric, SpotModel};
use widebragg::rotation::PhiMode;
use widebragg::scene::CrystalInput;
use widebragg::vector::Vec3;
use widebragg_experiment::detectors::NamedDetector;
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::factor_grid::FactorGrid;
use widebragg_experiment::frame::Frame;
use widebragg_experiment::geometry::{BeamSpot, DialsFrame, columns, reciprocal_axes};
use widebragg_experiment::lattices::Lattice;
use widebragg_experiment::light::LightTaken;
use widebragg_experiment::panels::DetectorPanel;
use widebragg_experiment::parameters::PhiSampling;
use widebragg_experiment::sensor_material::SensorMaterial;
use widebragg_formats::format_g::format_g;
use widebragg_formats::reflections::p1::Summary as Reflections;
use widebragg_reflections::symmetry::SpaceGroup;

use super::estimate::Estimate;
use super::nxmx::NxmxFile;
use super::output::{Names, NoiseTotals, Written};
use super::predictions::Predictions;
use super::shots::TruthFiles;
use crate::commands::setup::Wavelengths;
use crate::commands::setup::background;
use crate::commands::setup::geometry::FileGeometry;
use crate::commands::setup::model::ModelSummary;
use crate::commands::setup::shots::Plan;
use crate::commands::setup::spectrum::SpectrumSummary;
use crate::commands::{devices, light, reflections};

/// Length of SMV headers that scripts rely on.
const USUAL_SMV_HEADER_BYTES: usize = 512;

/// What structure factors were made of; nothing is known of lines of h k l F that are taken as they stand.
#[derive(Debug, Clone, Copy)]
pub struct FactorsOrigin<'a> {
    /// What was taken of a file of reflections.
    pub reflections: Option<&'a Reflections>,
    /// What was computed from an atomic model.
    pub model: Option<&'a ModelSummary>,
}

impl<'a> FactorsOrigin<'a> {
    /// Their symmetry.
    #[must_use]
    pub fn group(self) -> Option<&'a SpaceGroup> {
        self.reflections.map(|reflections| &reflections.group).or(self.model.map(ModelSummary::group))
    }
}

/// What is known of a run beside its experiment.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The file of its geometry.
    pub geometry: Option<&'a FileGeometry>,
    /// What its structure factors were made of.
    pub origin: FactorsOrigin<'a>,
    /// What is known of its detector by name.
    pub hardware: Hardware,
    /// Where its wavelengths come from.
    pub wavelengths: &'a Wavelengths,
}

/// What is known of a detector by name.
#[derive(Debug, Clone, Copy)]
pub struct Hardware {
    /// The detector.
    pub detector: Option<&'static NamedDetector>,
    /// The material of its sensor.
    pub material: Option<SensorMaterial>,
}

/// What a run has done.
#[derive(Debug, Clone, Copy)]
pub struct Results<'a> {
    /// What was rendered.
    pub experiment: &'a Experiment,
    /// What is known of it.
    pub known: Known<'a>,
    /// Number of worker threads.
    pub threads: usize,
    /// What was expected of it.
    pub estimate: Estimate,
    /// The images.
    pub images: &'a [ImageSummary],
    /// The experiment list for DIALS.
    pub list: Option<&'a Path>,
    /// The input of XDS.
    pub xds_inp: Option<&'a Path>,
    /// The predicted reflections.
    pub predictions: Option<&'a Predictions>,
    /// The NXmx file.
    pub nxmx: Option<&'a NxmxFile>,
    /// The shots, and the files that say what they are.
    pub shots: Option<(&'a Plan, &'a TruthFiles)>,
}

/// One finished image.
#[derive(Debug)]
pub struct ImageSummary {
    /// Number in the series, from 1; `None`: a single image.
    pub number: Option<usize>,
    /// Its files.
    pub names: Names,
    /// Statistics and scales.
    pub written: Written,
    /// Solid angle of the rendered pixels, in sr.
    pub solid_angle_sr: f64,
    /// Interpolations that fell back to the nearest node.
    pub fallbacks: u64,
    /// Number of pixels whose first sweep used the vectors of another sweep, and of those that used the
    /// unrotated cell; `None` without carryover.
    pub carryover: Option<(u64, u64)>,
    /// What it was rendered from.
    pub light: LightTaken,
    /// Photons that each pixel may lack, where steps were left out.
    pub neglected_photons: Option<f64>,
    /// Time in the render loop, in s.
    pub seconds: f64,
    /// Time per innermost step, in ns; `None` where so few steps were rendered that the time is that of all else.
    pub ns_per_step: Option<f64>,
    /// The stages of its noise, where that of each pixel was drawn by itself.
    pub noise_stages: Option<String>,
    /// Lines of `-printout`.
    pub printout: String,
}

impl ImageSummary {
    /// The summary of a rendered and written image.
    #[must_use]
    pub fn new(
        experiment: &Experiment,
        frame: &Frame,
        steps: f64,
        number: Option<usize>,
        names: Names,
        written: Written,
    ) -> Self {
        let slots = || frame.panels.iter().flat_map(|panel| &panel.slots);
        let counts = slots().fold((0, 0), |(hits, fresh), slot| (hits + slot.hits, fresh + slot.fresh));
        let evaluations = frame.report.pixels as f64 * experiment.steps_per_pixel();
        // What each pixel costs, rendered or not, is about a step.
        let is_telling = evaluations >= experiment.pixels() as f64;
        Self {
            number,
            names,
            written,
            solid_angle_sr: frame.report.omega_sum_sr / steps,
            fallbacks: frame.report.fallbacks,
            carryover: slots().next().is_some().then_some(counts),
            light: frame.light(),
            neglected_photons: frame.neglects().then_some(experiment.neglected_photons),
            seconds: frame.seconds,
            ns_per_step: is_telling.then(|| frame.seconds * 1e9 / evaluations),
            noise_stages: None,
            printout: String::new(),
        }
    }

    fn json(&self) -> Value {
        let s = &self.written.statistics;
        let mut image = Map::new();
        if let Some(number) = self.number {
            image.insert("frame".into(), json!(number));
        }
        let mut put = |key: &str, value: Value| image.insert(key.into(), value);
        put("max_I", json!(s.max));
        put("max_at_fast_slow", s.max_at.map_or(Value::Null, |(fast, slow)| json!([fast, slow])));
        put("mean", json!(s.mean));
        put("rms", json!(s.rms));
        put("rmsd", json!(s.rmsd));
        put("sum", json!(s.sum));
        put("solid_angle_sr", json!(self.solid_angle_sr));
        put("intfile_scale", json!(self.written.scales.int));
        put("pgmfile_scale", json!(self.written.scales.pgm));
        for (option, count) in &self.written.saturated {
            put(&format!("{}_saturated", option.trim_start_matches('-')), json!(count));
        }
        if let Some(NoiseTotals { photons, overloads }) = self.written.noise {
            if let Some(photons) = photons {
                put("noise_photons", json!(photons));
            }
            put("noise_overloads", json!(overloads));
        }
        if let Some(stages) = &self.noise_stages {
            put("noise_stages", json!(stages));
        }
        if let Some((hits, fresh)) = self.carryover {
            put("carryover_hits", json!(hits));
            put("carryover_fresh", json!(fresh));
        }
        put("interpolation_fallbacks", json!(self.fallbacks));
        light::members(self.light).for_each(|(name, value)| {
            put(name, value);
        });
        put("neglected_photons", json!(self.neglected_photons.unwrap_or(0.0)));
        put("seconds", json!(self.seconds));
        put("ns_per_step", json!(self.ns_per_step));
        put("smv_header_bytes", json!(self.written.smv_header_bytes));
        let files: Vec<_> = self.names.all().iter().map(|path| path.display().to_string()).collect();
        put("files", json!(files));
        if !self.printout.is_empty() {
            put("printout", json!(self.printout.lines().collect::<Vec<_>>()));
        }
        Value::Object(image)
    }

    /// The statistics and files of the image; `is_in_nxmx` says that DIALS has an NXmx file to read.
    #[must_use]
    pub fn text(&self, is_in_nxmx: bool) -> String {
        let s = &self.written.statistics;
        let position =
            s.max_at.map_or_else(String::new, |(fast, slow)| format!(" at fast {fast} slow {slow}"));
        let mut text = String::new();
        let mut line = |name: &str, value: String| push_line(&mut text, name, &value);
        if let Some(number) = self.number {
            line("frame", number.to_string());
        }
        let g = format_g;
        // No word here begins a line as nanoBragg's own figures do.
        line("brightest", format!("{}{position}", g(s.max)));
        line("average", format!("{}  rms {}  rmsd {}", g(s.mean), g(s.rms), g(s.rmsd)));
        line("acceptance", format!("{} sr", g(self.solid_angle_sr)));
        if let Some(NoiseTotals { photons, overloads }) = self.written.noise {
            let photons = photons.map_or_else(String::new, |photons| format!("{photons:.0} photons, "));
            line("noise", format!("{photons}{overloads} overloads"));
        }
        if let Some(stages) = &self.noise_stages {
            line("noise stages", stages.clone());
        }
        if let Some((hits, fresh)) = self.carryover {
            line(
                "carryover",
                format!("{hits} pixels found another sweep's vectors, {fresh} the unrotated cell"),
            );
        }
        let saturated = self.written.saturated.iter().filter(|(_, count)| *count > 0);
        let saturated = saturated.map(|(option, count)| format!(", {count} pixels saturated ({option})"));
        line("int scale", g(self.written.scales.int) + &saturated.collect::<String>());
        if let Some(words) = light::words(self.light) {
            line("light", words);
        }
        if let Some(photons) = self.neglected_photons {
            line("neglected", format!("dim steps, at most {} photons of each pixel in all", g(photons)));
        }
        let per_step = self.ns_per_step.map_or_else(String::new, |ns| format!(", {ns:.2} ns per step"));
        line("time", format!("{:.3} s{per_step}", self.seconds));
        let files: Vec<_> = self.names.all().iter().map(|path| path.display().to_string()).collect();
        line("written", files.join(" "));
        if let Some(bytes) = self.written.smv_header_bytes.filter(|&bytes| bytes > USUAL_SMV_HEADER_BYTES) {
            line(
                "SMV header",
                format!("{bytes} bytes: the pixels begin there, not at {USUAL_SMV_HEADER_BYTES}"),
            );
        }
        let unnumbered = self.names.unnumbered();
        if self.number.is_none() && !unnumbered.is_empty() && !is_in_nxmx {
            let names: Vec<_> = unnumbered.iter().map(|option| format!("{option} name_00001.img")).collect();
            line("for DIALS", format!("name images with a number: {}", names.join(" or ")));
        }
        text
    }
}

/// Adds a line: a name, and a value in the second column.
fn push_line(text: &mut String, name: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{name:<13}{value}");
}

fn degrees(angle_rad: f64) -> f64 {
    angle_rad * 180.0 / PI
}

fn words(v: Vec3) -> String {
    let [x, y, z] = v.to_array().map(|x| format_g(x + 0.0));
    format!("{x} {y} {z}")
}

/// An s where `count` is not 1.
fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// A number of things called `noun`.
fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", plural(count))
}

/// The name of the convention that the detector was placed in.
fn convention(experiment: &Experiment) -> &'static str {
    experiment.first_panel().detector_parameters().map_or("PLACED", |parameters| parameters.convention.name())
}

/// The rotation of the crystal about lab x, y and z, in rad.
pub(super) fn misset_rad(experiment: &Experiment) -> [f64; 3] {
    match experiment.crystal_input {
        CrystalInput::Cell { misset_rad, .. } => misset_rad,
        CrystalInput::Axes { .. } => [0.0; 3],
    }
}

/// The beam centre in the convention of the detector: X and Y, in m.
fn beam_centre_m(experiment: &Experiment, spot: BeamSpot) -> [f64; 2] {
    let (fast_m, slow_m) = (spot.fast_m, spot.slow_m);
    let panel = experiment.first_panel();
    let half_pixel_m = panel.detector.pixel_m / 2.0;
    match panel.detector_parameters().map(|parameters| parameters.convention) {
        Some(Convention::Adxv) => [fast_m, panel.detector.slow_size_m - slow_m],
        Some(Convention::Mosflm) => [slow_m - half_pixel_m, fast_m - half_pixel_m],
        Some(Convention::Denzo) => [slow_m, fast_m],
        _ => [fast_m, slow_m],
    }
}

/// The whole summary as JSON.
#[must_use]
pub fn json(results: &Results<'_>) -> String {
    let Results { experiment: e, known, threads, estimate, list, xds_inp, predictions, nxmx, .. } = *results;
    let Known { geometry, origin, hardware, wavelengths } = known;
    let panel = e.first_panel();
    let d = &panel.detector;
    let spot = BeamSpot::new(d);
    let centre_m = spot.map(|spot| beam_centre_m(e, spot));
    let [alpha, beta, gamma] = e.crystal.cell.angles_rad.map(degrees);
    let [a, b, c] = e.crystal.cell.lengths_angstrom;
    let images: Vec<_> = results.images.iter().map(ImageSummary::json).collect();
    let mut value = json!({
        "program": "widebragg",
        "version": env!("CARGO_PKG_VERSION"),
        "phi_carryover_mode": e.mode.name(),
        "reference_threads": e.reference_threads,
        "simd": e.simd.level().name(),
        "threads": threads,
        "convention": convention(e),
        "fast_pixels": e.columns(),
        "slow_pixels": e.rows(),
        "pixel_m": d.pixel_m,
        "distance_m": spot.map(|spot| spot.distance_m),
        "close_distance_m": d.close_distance_m,
        "Xbeam_m": centre_m.map(|[x, _]| x),
        "Ybeam_m": centre_m.map(|[_, y]| y),
        "Fbeam_m": spot.map(|spot| spot.fast_m),
        "Sbeam_m": spot.map(|spot| spot.slow_m),
        "Fclose_m": d.fast_close_m,
        "Sclose_m": d.slow_close_m,
        "pix0_m": d.pix0_m.to_array(),
        "fast_axis": d.fast.to_array(),
        "slow_axis": d.slow.to_array(),
        "normal_axis": d.normal.to_array(),
        "beam": d.beam.to_array(),
        "spindle": d.spindle.to_array(),
        "polarization_axis": d.polarization.to_array(),
        "dials_origin_mm": DialsFrame::new(d).origin_mm(d),
        "lambda_m": e.lambda0_m,
        "fluence": e.fluence_per_m2,
        "unit_cell": [a, b, c, alpha, beta, gamma],
        "misset_deg": misset_rad(e).map(degrees),
        "cells": e.crystallite.cells,
        "sources": e.sources.len(),
        "mosaic_domains": e.domains.len(),
        "phi_deg": degrees(e.phi0_rad),
        "osc_deg": degrees(e.phi.range),
        "phi_steps": e.phi.count,
        "phi_sampling": e.phi_sampling.name(),
        "oversample": e.oversample.per_axis,
        "thickness_layers": e.first_panel().sensor.layers,
        "interpolate": e.interpolate,
        "steps_per_pixel": e.steps_per_pixel(),
    });
    value["geometry"] = json!(geometry.map(FileGeometry::json));
    let numbered = e.panels.iter().enumerate();
    let panels: Vec<_> = numbered.map(|(index, panel)| panel_json(panel, e.first_row(index))).collect();
    value["panels"] = json!(panels);
    let SpotModel { metric, coupling: CellCoupling { ab, ac, bc }, gauss_cutoff } = e.crystallite.spots;
    value["spots"] = json!({
        "metric": metric.name(),
        "n_matrix": { "ab": ab, "ac": ac, "bc": bc },
        "gauss_cutoff": gauss_cutoff.is_finite().then_some(gauss_cutoff),
    });
    value["crystals"] = e.all_lattices().map(|lattice| lattice_json(&lattice)).collect();
    value["detector"] = json!(hardware.detector.map(|named| json!({
        "name": named.name,
        "saturation": named.saturation,
    })));
    value["sensor"] = json!(has_thickness(e).then(|| json!({
        "material": hardware.material.map(SensorMaterial::name),
        "thickness_m": e.first_panel().sensor.thickness_m(),
        "attenuation_per_m": e.first_panel().sensor.attenuation_per_m,
    })));
    value["reflections"] = json!(origin.reflections.map(reflections::json));
    value["model"] = json!(origin.model.map(ModelSummary::json));
    value["grid"] = json!(e.structure_factors.as_deref().map(grid_json));
    value["spec_revision"] = json!(widebragg::SPEC_REVISION);
    value["wavelength_from"] = json!(wavelengths.origin.origin());
    value["spectrum"] = json!(wavelengths.spectrum.as_ref().map(SpectrumSummary::json));
    value["background"] = background::json(e);
    value["precision"] = json!(e.precision.name());
    value["device"] = json!(e.device.as_deref().map(devices::members));
    value["experiment_list"] = json!(list.map(|list| list.display().to_string()));
    value["xds_inp"] = json!(xds_inp.map(|path| path.display().to_string()));
    value["predictions"] = json!(predictions.map(|predictions| json!({
        "file": predictions.path.display().to_string(),
        "reflections": predictions.reflections,
    })));
    value["nxmx"] = json!(nxmx.map(NxmxFile::json));
    value["shots"] = json!(results.shots.map(|(plan, truth)| json!({
        "count": plan.truth.len(),
        "blanks": plan.blanks(),
        "seed": plan.seed,
        "truth": truth.table.as_ref().map(|path| path.display().to_string()),
        "stream": truth.stream.as_ref().map(|path| path.display().to_string()),
    })));
    value["estimated_seconds"] = json!(estimate.seconds);
    value["estimated_bytes"] = json!(estimate.bytes);
    value["images"] = json!(images);
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}

/// A panel whose first row in the stack is `first_row`.
fn panel_json(panel: &DetectorPanel, first_row: usize) -> Value {
    let d = &panel.detector;
    json!({
        "name": panel.name,
        "number": panel.number,
        "first_row": first_row,
        "fast_pixels": d.fast_pixels,
        "slow_pixels": d.slow_pixels,
        "pixel_m": d.pixel_m,
        "pix0_m": d.pix0_m.to_array(),
        "fast_axis": d.fast.to_array(),
        "slow_axis": d.slow.to_array(),
        "close_distance_m": d.close_distance_m,
    })
}

/// The line that names the experiment list.
#[must_use]
pub fn list_line(list: &Path) -> String {
    let mut text = String::new();
    push_line(&mut text, "for DIALS", &list.display().to_string());
    text
}

/// The line that names the `XDS.INP`.
#[must_use]
pub fn xds_inp_line(path: &Path) -> String {
    let mut text = String::new();
    push_line(&mut text, "for XDS", &path.display().to_string());
    text
}

/// The line that names the table of predictions.
#[must_use]
pub fn predictions_line(predictions: &Predictions) -> String {
    let mut text = String::new();
    let count = counted(predictions.reflections, "reflection");
    push_line(&mut text, "predictions", &format!("{count}: {}", predictions.path.display()));
    text
}

/// The lines on shots, and on those of them that were rendered.
#[must_use]
pub fn shots(plan: &Plan, truth: &TruthFiles, images: &[ImageSummary]) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| push_line(&mut text, name, &value);
    let crystals = (0..plan.truth.len()).map(|index| plan.crystals(index)).sum();
    let (crystals, blanks) = (counted(crystals, "crystal"), counted(plan.blanks(), "blank"));
    line("shots", format!("{} with {crystals} in all, {blanks}, seed {}", plan.truth.len(), plan.seed));
    let brightest = images.iter().map(|image| image.written.statistics.max).fold(0.0, f64::max);
    let seconds: f64 = images.iter().map(|image| image.seconds).sum();
    if let Some(per_shot) = (!images.is_empty()).then(|| seconds / images.len() as f64) {
        line(
            "rendered",
            format!("{}, brightest pixel {}", counted(images.len(), "shot"), format_g(brightest)),
        );
        line("time", format!("{per_shot:.4} s a shot in the loop"));
    }
    for path in truth.paths() {
        line("truth", path.display().to_string());
    }
    text
}

/// The line that names the NXmx file.
#[must_use]
pub fn nxmx_line(file: &NxmxFile) -> String {
    let mut text = String::new();
    push_line(&mut text, "NXmx", &file.line());
    text
}

/// How the options were understood, as text; `frames` are those of a series.
#[must_use]
pub fn interpretation(
    experiment: &Experiment,
    known: Known<'_>,
    frames: usize,
    threads: usize,
    estimate: Estimate,
) -> String {
    let Known { geometry, origin, hardware, wavelengths } = known;
    let mut text = String::new();
    push_run(&mut text, experiment, threads);
    if let Some(geometry) = geometry {
        push_line(&mut text, "geometry", &geometry.line());
    }
    push_geometry(&mut text, experiment, hardware.detector);
    push_sensor(&mut text, experiment, hardware.material);
    push_crystal(&mut text, experiment);
    let lines = origin.reflections.map(reflections::lines).or(origin.model.map(ModelSummary::lines));
    lines.iter().flatten().for_each(|(name, value)| push_line(&mut text, name, value));
    push_sampling(&mut text, experiment, wavelengths, frames);
    push_line(&mut text, "estimate", &estimate.text());
    text
}

/// Version, mode, SIMD level, threads.
fn push_run(text: &mut String, experiment: &Experiment, threads: usize) {
    let streams = match (experiment.mode, experiment.reference_threads) {
        (PhiMode::CParity, n) => format!("c-parity (nanoBragg with {n} thread{})", plural(n)),
        (PhiMode::Spec, _) => "spec".to_owned(),
    };
    let precision = if experiment.precision == Precision::Mixed { "mixed precision, " } else { "" };
    let value = format!(
        "{}, mode {streams}, {}, {precision}{threads} thread{}",
        env!("CARGO_PKG_VERSION"),
        experiment.simd.level(),
        plural(threads)
    );
    push_line(text, "widebragg", &value);
    if let Some(device) = &experiment.device {
        push_line(text, "device", &devices::words(device));
    }
}

/// The placed detector.
fn push_geometry(text: &mut String, experiment: &Experiment, named: Option<&NamedDetector>) {
    let d = &experiment.first_panel().detector;
    let mm = |length_m: f64| format_g(1000.0 * length_m);
    let mut line = |name: &str, value: String| push_line(text, name, &value);
    line(
        "detector",
        format!(
            "{}{} x {} pixels (fast x slow) of {} mm, {} convention",
            named.map_or_else(String::new, |named| format!("{}, ", named.name)),
            d.fast_pixels,
            d.slow_pixels,
            mm(d.pixel_m),
            convention(experiment)
        ),
    );
    if let Some(counts) = named.and_then(|named| named.saturation) {
        line("", format!("saturates at {counts} counts, which the images do not heed"));
    }
    let spot = BeamSpot::new(d);
    let along_beam = spot.map_or("none".to_owned(), |spot| format!("{} mm", mm(spot.distance_m)));
    line("distance", format!("{along_beam} along the beam, {} mm along the normal", mm(d.close_distance_m)));
    let foot = format!("foot of the normal fast {} slow {} mm", mm(d.fast_close_m), mm(d.slow_close_m));
    let centre = spot.map_or("none: the beam does not meet the detector".to_owned(), |spot| {
        let [x, y] = beam_centre_m(experiment, spot).map(mm);
        format!("X {x} Y {y} mm; along fast {} slow {} mm", mm(spot.fast_m), mm(spot.slow_m))
    });
    line("beam centre", format!("{centre}; {foot}"));
    line("axes", format!("fast {}  slow {}  normal {}", words(d.fast), words(d.slow), words(d.normal)));
    line(
        "",
        format!(
            "beam {}  spindle {}  polarisation {}",
            words(d.beam),
            words(d.spindle),
            words(d.polarization)
        ),
    );
    let [x, y, z] = DialsFrame::new(d).origin_mm(d).map(format_g);
    line("origin", format!("pix0 {} m; DIALS {x} {y} {z} mm", words(d.pix0_m)));
    if let count @ 2.. = experiment.panels.len() {
        let (name, rows) = (&experiment.first_panel().name, experiment.rows());
        line(
            "panels",
            format!(
                "{count}, of which this is {name}; stacked along slow, {} x {rows} pixels",
                d.fast_pixels
            ),
        );
    }
}

/// Whether the sensor of the detector has a thickness.
fn has_thickness(experiment: &Experiment) -> bool {
    experiment.first_panel().sensor.layer_m > 0.0
}

/// Material, thickness and attenuation of the sensor.
fn push_sensor(text: &mut String, experiment: &Experiment, material: Option<SensorMaterial>) {
    if !has_thickness(experiment) {
        return;
    }
    let sensor = experiment.first_panel().sensor;
    let material = material.map_or_else(String::new, |material| format!("{}, ", material.name()));
    let thickness_um = format_g(sensor.thickness_m() * 1e6);
    let layers = counted(sensor.layers, "layer");
    let mu = match sensor.attenuation_per_m {
        per_m if per_m > 0.0 => {
            format!("mu {} per mm (depth {} um)", format_g(per_m * 1e-3), format_g(1e6 / per_m))
        }
        _ => "captures nothing".to_owned(),
    };
    push_line(text, "sensor", &format!("{material}{thickness_um} um in {layers}, {mu}"));
}

/// Unit cell, orientation and size of the crystal.
fn push_crystal(text: &mut String, experiment: &Experiment) {
    let cell = experiment.crystal.cell;
    let mut line = |name: &str, value: String| push_line(text, name, &value);
    let [a, b, c] = cell.lengths_angstrom.map(format_g);
    let [alpha, beta, gamma] = cell.angles_rad.map(|angle| format_g(degrees(angle)));
    line("unit cell", format!("{a} {b} {c} Angstrom  {alpha} {beta} {gamma} degrees"));
    let misset_rad = misset_rad(experiment);
    if misset_rad != [0.0; 3] {
        let [x, y, z] = misset_rad.map(degrees);
        line("misset", format!("{x:.6} {y:.6} {z:.6} degrees"));
    }
    let crystallite = &experiment.crystallite;
    let [na, nb, nc] = crystallite.cells;
    let lookup = if experiment.interpolate { "interpolated" } else { "of the nearest node" };
    let metric = match crystallite.spots.metric {
        SpotMetric::Reciprocal => "",
        SpotMetric::Index => ", spots of index metric",
    };
    let weight = match experiment.lattices() {
        1 => String::new(),
        _ => format!("weight {}, ", format_g(experiment.weight)),
    };
    line("crystal", format!("{weight}{na} x {nb} x {nc} cells{metric}, F_cell {lookup}"));
    if crystallite.spots.coupling != CellCoupling::NONE {
        let CellCoupling { ab, ac, bc } = crystallite.spots.coupling;
        line("N matrix", format!("Naa={na} Nbb={nb} Ncc={nc} Nab={ab} Nac={ac} Nbc={bc}"));
    }
    for (index, lattice) in experiment.other_lattices.iter().enumerate() {
        line(&format!("crystal {}", index + 2), lattice_words(lattice));
    }
    if let Some(grid) = &experiment.structure_factors {
        line("F grid", grid_words(grid));
    }
}

/// What distinguishes a crystal from the first.
fn lattice_words(lattice: &Lattice) -> String {
    let [a, b, c] = lattice.crystal.cell.lengths_angstrom.map(format_g);
    let [alpha, beta, gamma] = lattice.crystal.cell.angles_rad.map(|angle| format_g(degrees(angle)));
    let [na, nb, nc] = lattice.crystallite.cells;
    let (weight, domains) = (format_g(lattice.weight), counted(lattice.domains.len(), "domain"));
    format!(
        "weight {weight}, {a} {b} {c} Angstrom  {alpha} {beta} {gamma} degrees, {na} x {nb} x {nc} cells, {domains}"
    )
}

/// A crystal as JSON.
fn lattice_json(lattice: &Lattice) -> Value {
    let [alpha, beta, gamma] = lattice.crystal.cell.angles_rad.map(degrees);
    let [a, b, c] = lattice.crystal.cell.lengths_angstrom;
    json!({
        "weight": lattice.weight,
        "unit_cell": [a, b, c, alpha, beta, gamma],
        "a_matrix_per_angstrom": columns(reciprocal_axes(&lattice.crystal)),
        "cells": lattice.crystallite.cells,
        "mosaic_domains": lattice.domains.len(),
    })
}

/// Size and numbers of the grid of structure factors.
fn grid_words(grid: &FactorGrid) -> String {
    let [nh, nk, nl] = grid.shape();
    let numbers = match (grid.name(), grid.is_rounded()) {
        (name, true) => format!("{name}, to which F are rounded"),
        (name, false) => name.to_owned(),
    };
    let megabytes = grid.nodes().bytes() as f64 / 1e6;
    let grids = if grid.grids() > 1 { format!(", {} grids", grid.grids()) } else { String::new() };
    format!("{nh} x {nk} x {nl} nodes{grids} in {numbers}: {megabytes:.1} MB")
}

/// [`grid_words`] as JSON.
fn grid_json(grid: &FactorGrid) -> Value {
    json!({
        "hkl_min": grid.min(),
        "nodes": grid.shape(),
        "grids": grid.grids(),
        "numbers": grid.name(),
        "rounded": grid.is_rounded(),
        "bytes": grid.nodes().bytes(),
    })
}

/// Whether one of the frames has a step at exactly phi = 0, and others.
fn passes_zero(experiment: &Experiment, frames: usize) -> bool {
    let count = experiment.phi.count;
    let turns = count > 1 && experiment.phi.step > 0.0;
    // Steps sampled in their middle are none of nanoBragg's.
    turns
        && experiment.phi_sampling == PhiSampling::Start
        && (0..frames).map(|frame| experiment.sweep(frame)).any(|sweep| {
            let passes = sweep.phi0_rad <= 0.0 && sweep.phi_rad(count) >= 0.0;
            passes && (0..count).any(|step| sweep.phi_rad(step) == 0.0)
        })
}

/// Wavelength, rotation and the steps of a pixel.
fn push_sampling(text: &mut String, experiment: &Experiment, wavelengths: &Wavelengths, frames: usize) {
    let e = experiment;
    let mut line = |name: &str, value: String| push_line(text, name, &value);
    let (wavelength, fluence) = (format_g(e.lambda0_m * 1e10), format_g(e.fluence_per_m2));
    let origin = wavelengths.origin.origin();
    line("wavelength", format!("{wavelength} Angstrom ({origin}), fluence {fluence} photons/m^2"));
    if let Some(spectrum) = &wavelengths.spectrum {
        line("spectrum", spectrum.line());
    }
    background::lines(e).for_each(|value| line("background", value));
    let (phi, osc, count) = (format_g(degrees(e.phi0_rad)), format_g(degrees(e.phi.range)), e.phi.count);
    let sampling = match e.phi_sampling {
        PhiSampling::Start => "",
        PhiSampling::Middle => ", each sampled in its middle",
    };
    line("rotation", format!("phi {phi} osc {osc} degrees in {count} step{}{sampling}", plural(count)));
    if e.mode == PhiMode::Spec && passes_zero(e, frames) {
        let kept = "nanoBragg keeps the cell vectors of the step before there (widebragg help modes)";
        line("", format!("phi = 0 is a step like any other; {kept}"));
    }
    let others = e.other_lattices.iter().map(|lattice| lattice.domains.len());
    let domains = e.domains.len() + others.sum::<usize>();
    line(
        "steps",
        format!(
            "{} a pixel: {}, {} phi, {}, oversample {}, {}",
            e.steps_per_pixel(),
            counted(e.sources.len(), "source"),
            e.phi.count,
            counted(domains, "domain"),
            e.oversample.per_axis,
            counted(e.first_panel().sensor.layers, "layer")
        ),
    );
}
