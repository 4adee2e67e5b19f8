//! What a run tells on standard output: derived geometry, cell, steps, figures of each image; as text or JSON.

use core::fmt::Write as _;

use core::f64::consts::PI;
use serde_json::{Map, Value, json};
use widebragg::lattice::Precision;
use widebragg::rotation::PhiMode;
use widebragg::vector::Vec3;

use super::frame::Frame;
use super::output::{Names, Written};
use super::setup::Setup;
use widebragg_formats::format_g::format_g;

/// One finished image.
#[derive(Debug)]
pub struct ImageSummary {
    /// Number in the series, from 1; `None`: a single image.
    pub number: Option<usize>,
    /// Its files.
    pub names: Names,
    /// Figures.
    pub written: Written,
    /// Solid angle of the rendered pixels, in sr.
    pub solid_angle_sr: f64,
    /// Interpolations that fell back to the nearest node.
    pub fallbacks: u64,
    /// Pixels whose first sweep found vectors left by another, and those that found the unrotated cell.
    pub carryover: Option<(u64, u64)>,
    /// Time in the render loop, in s.
    pub seconds: f64,
    /// Time per innermost step, in ns.
    pub ns_per_step: f64,
    /// Lines of `-printout`.
    pub printout: String,
}

impl ImageSummary {
    /// The summary of a rendered and written image.
    #[must_use]
    pub fn new(
        setup: &Setup,
        frame: &Frame,
        steps: f64,
        number: Option<usize>,
        names: Names,
        written: Written,
    ) -> Self {
        let counts =
            frame.slots.iter().fold((0, 0), |(hits, fresh), slot| (hits + slot.hits, fresh + slot.fresh));
        let evaluations = frame.report.pixels as f64 * setup.steps_per_pixel();
        Self {
            number,
            names,
            written,
            solid_angle_sr: frame.report.omega_sum_sr / steps,
            fallbacks: frame.report.fallbacks,
            carryover: (!frame.slots.is_empty()).then_some(counts),
            seconds: frame.seconds,
            ns_per_step: frame.seconds * 1e9 / evaluations.max(1.0),
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
        put("intfile_scale", json!(self.written.int_scale));
        if let Some((photons, overloads)) = self.written.noise {
            put("noise_photons", json!(photons));
            put("noise_overloads", json!(overloads));
        }
        if let Some((hits, fresh)) = self.carryover {
            put("carryover_hits", json!(hits));
            put("carryover_fresh", json!(fresh));
        }
        put("interpolation_fallbacks", json!(self.fallbacks));
        put("seconds", json!(self.seconds));
        put("ns_per_step", json!(self.ns_per_step));
        let files: Vec<_> = self.names.all().iter().map(|path| path.display().to_string()).collect();
        put("files", json!(files));
        if !self.printout.is_empty() {
            put("printout", json!(self.printout.lines().collect::<Vec<_>>()));
        }
        Value::Object(image)
    }

    fn text(&self) -> String {
        let s = &self.written.statistics;
        let place = s.max_at.map_or_else(String::new, |(fast, slow)| format!(" at fast {fast} slow {slow}"));
        let mut text = self.printout.clone();
        let mut line = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<13}{value}");
        };
        if let Some(number) = self.number {
            line("frame", number.to_string());
        }
        let g = format_g;
        line("max_I", format!("{}{place}", g(s.max)));
        line("mean", format!("{}  rms {}  rmsd {}", g(s.mean), g(s.rms), g(s.rmsd)));
        line("solid angle", format!("{} sr", g(self.solid_angle_sr)));
        if let Some((photons, overloads)) = self.written.noise {
            line("noise", format!("{photons:.0} photons, {overloads} overloads"));
        }
        if let Some((hits, fresh)) = self.carryover {
            line(
                "carryover",
                format!("{hits} pixels found another sweep's vectors, {fresh} the unrotated cell"),
            );
        }
        line("int scale", g(self.written.int_scale));
        line("time", format!("{:.3} s, {:.2} ns per step", self.seconds, self.ns_per_step));
        let files: Vec<_> = self.names.all().iter().map(|path| path.display().to_string()).collect();
        line("written", files.join(" "));
        text
    }
}

fn degrees(angle_rad: f64) -> f64 {
    angle_rad * 180.0 / PI
}

fn words(v: Vec3) -> String {
    let [x, y, z] = v.to_array().map(|x| format_g(x + 0.0));
    format!("{x} {y} {z}")
}

fn mode_name(mode: PhiMode) -> &'static str {
    match mode {
        PhiMode::Spec => "spec",
        PhiMode::CParity => "c-parity",
    }
}

/// The whole summary as JSON.
#[must_use]
pub fn json(setup: &Setup, threads: usize, images: &[ImageSummary]) -> String {
    let d = &setup.detector;
    let cell = setup.crystal.cell;
    let [alpha, beta, gamma] = cell.angles_rad.map(degrees);
    let [a, b, c] = cell.lengths_angstrom;
    let images: Vec<_> = images.iter().map(ImageSummary::json).collect();
    let mut value = json!({
        "program": "widebragg",
        "version": env!("CARGO_PKG_VERSION"),
        "phi_carryover_mode": mode_name(setup.mode),
        "reference_threads": setup.reference_threads,
        "simd": setup.simd.level().name(),
        "threads": threads,
        "convention": setup.convention,
        "fast_pixels": d.fast_pixels,
        "slow_pixels": d.slow_pixels,
        "pixel_m": d.pixel_m,
        "distance_m": d.distance_m,
        "close_distance_m": d.close_distance_m,
        "Xbeam_m": d.x_beam_m,
        "Ybeam_m": d.y_beam_m,
        "Fbeam_m": d.fast_beam_m,
        "Sbeam_m": d.slow_beam_m,
        "Fclose_m": d.fast_close_m,
        "Sclose_m": d.slow_close_m,
        "pix0_m": d.pix0_m.to_array(),
        "fast_axis": d.fast.to_array(),
        "slow_axis": d.slow.to_array(),
        "normal_axis": d.normal.to_array(),
        "beam": d.beam.to_array(),
        "spindle": d.spindle.to_array(),
        "polarization_axis": d.polarization.to_array(),
        "dials_origin_mm": d.dials_origin_mm(),
        "lambda_m": setup.lambda0_m,
        "fluence": setup.fluence_per_m2,
        "unit_cell": [a, b, c, alpha, beta, gamma],
        "misset_deg": setup.misset_rad.map(degrees),
        "cells": setup.lattice.cells,
        "sources": setup.sources.len(),
        "mosaic_domains": setup.domains.len(),
        "phi_deg": degrees(setup.phi0_rad),
        "osc_deg": degrees(setup.phi.range),
        "phi_steps": setup.phi.count,
        "oversample": setup.oversample.per_axis,
        "thickness_layers": setup.sensor.layers,
        "interpolate": setup.interpolate,
        "steps_per_pixel": setup.steps_per_pixel(),
    });
    value["precision"] = json!(setup.precision.name());
    value["images"] = json!(images);
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}

/// The whole summary as text.
#[must_use]
pub fn text(setup: &Setup, threads: usize, images: &[ImageSummary]) -> String {
    let d = &setup.detector;
    let g = format_g;
    let mm = |length_m: f64| format_g(1000.0 * length_m);
    let cell = setup.crystal.cell;
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<13}{value}");
    };
    let streams = match (setup.mode, setup.reference_threads) {
        (PhiMode::CParity, n) => {
            format!("c-parity (reference with {n} thread{})", if n == 1 { "" } else { "s" })
        }
        (PhiMode::Spec, _) => "spec".to_owned(),
    };
    line(
        "widebragg",
        format!(
            "{}, mode {streams}, {}, {}{threads} thread{}",
            env!("CARGO_PKG_VERSION"),
            setup.simd.level(),
            if setup.precision == Precision::Mixed { "mixed precision, " } else { "" },
            if threads == 1 { "" } else { "s" }
        ),
    );
    line(
        "detector",
        format!(
            "{} x {} pixels (fast x slow) of {} mm, {} convention",
            d.fast_pixels,
            d.slow_pixels,
            mm(d.pixel_m),
            setup.convention
        ),
    );
    line(
        "distance",
        format!("{} mm along the beam, {} mm along the normal", mm(d.distance_m), mm(d.close_distance_m)),
    );
    line(
        "beam centre",
        format!(
            "X {} Y {} mm; along fast {} slow {} mm; foot of the normal fast {} slow {} mm",
            mm(d.x_beam_m),
            mm(d.y_beam_m),
            mm(d.fast_beam_m),
            mm(d.slow_beam_m),
            mm(d.fast_close_m),
            mm(d.slow_close_m)
        ),
    );
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
    let [x, y, z] = d.dials_origin_mm().map(|x| format_g(x + 0.0));
    line("origin", format!("pix0 {} m; DIALS {x} {y} {z} mm", words(d.pix0_m)));
    let [a, b, c] = cell.lengths_angstrom.map(g);
    let [alpha, beta, gamma] = cell.angles_rad.map(|angle| g(degrees(angle)));
    line("unit cell", format!("{a} {b} {c} Angstrom  {alpha} {beta} {gamma} degrees"));
    if setup.misset_rad != [0.0; 3] {
        let [x, y, z] = setup.misset_rad.map(degrees);
        line("misset", format!("{x:.6} {y:.6} {z:.6} degrees"));
    }
    let [na, nb, nc] = setup.lattice.cells;
    line(
        "crystal",
        format!(
            "{na} x {nb} x {nc} cells, F_cell {}",
            if setup.interpolate { "interpolated" } else { "of the nearest node" }
        ),
    );
    line(
        "wavelength",
        format!("{} Angstrom, fluence {} photons/m^2", g(setup.lambda0_m * 1e10), g(setup.fluence_per_m2)),
    );
    line(
        "rotation",
        format!(
            "phi {} osc {} degrees in {} step{}",
            g(degrees(setup.phi0_rad)),
            g(degrees(setup.phi.range)),
            setup.phi.count,
            if setup.phi.count == 1 { "" } else { "s" }
        ),
    );
    line(
        "steps",
        format!(
            "{} a pixel: {} sources, {} phi, {} domains, oversample {}, {} layers",
            setup.steps_per_pixel(),
            setup.sources.len(),
            setup.phi.count,
            setup.domains.len(),
            setup.oversample.per_axis,
            setup.sensor.layers
        ),
    );
    for image in images {
        text.push_str(&image.text());
    }
    text
}
