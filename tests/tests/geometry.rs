//! The golden files of geometry (golden/geometry): what each reader makes of them is what other programs make of them.
//!
//! `cases.json` holds the models of the XDS files, in their own frame, and `slab.json` the panels that `slab.geom` was
//! written from. The predictions are those of `dials.predict` for `rotation.expt` and
//! `still.expt`. Vectors are turned here by Rodrigues' formula, and planes met here: no code is shared with the
//! readers.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use widebragg_formats::geometry::{
    BadRegion, Frame, Geometry, GeometryFile, Panel, parse_geometry, read_geometry,
};
use widebragg_formats::xds_inp::XdsInp;
use widebragg_tests::golden::{Case, cases};
use widebragg_tests::program::Workplace;

type Vector = [f64; 3];

/// Largest distance of a corner from its golden place.
const CORNER_M: f64 = 1e-12;

/// Largest difference of components of A, as a part of the largest component.
const A_RELATIVE: f64 = 1e-14;

fn folder() -> PathBuf {
    widebragg_tests::golden::root().join("geometry")
}

fn read(name: &str) -> GeometryFile {
    read_geometry(&folder().join(name), 0).unwrap_or_else(|failure| panic!("{failure}"))
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder().join(name)).unwrap()).unwrap()
}

fn vector(value: &Value) -> Vector {
    serde_json::from_value(value.clone()).unwrap()
}

fn dot(u: Vector, v: Vector) -> f64 {
    (0..3).map(|i| u[i] * v[i]).sum()
}

fn cross(u: Vector, v: Vector) -> Vector {
    [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]
}

/// u + by v
fn plus(u: Vector, by: f64, v: Vector) -> Vector {
    [0, 1, 2].map(|i| u[i] + by * v[i])
}

fn length(v: Vector) -> f64 {
    dot(v, v).sqrt()
}

fn unit(v: Vector) -> Vector {
    v.map(|component| component / length(v))
}

/// v turned about a unit axis.
fn turned(v: Vector, axis: Vector, angle_deg: f64) -> Vector {
    let (sine, cosine) = angle_deg.to_radians().sin_cos();
    let along = dot(axis, v) * (1.0 - cosine);
    plus(plus(v.map(|component| component * cosine), sine, cross(axis, v)), along, axis)
}

/// The corner of a panel at a position in pixels.
fn corner_m(panel: &Panel, [fast, slow]: [f64; 2]) -> Vector {
    let along_fast = plus(panel.origin_m, fast * panel.pixel_m[0], panel.fast);
    plus(along_fast, slow * panel.pixel_m[1], panel.slow)
}

/// The largest distance of the corners of two panels of one size.
fn farthest_corner_m(one: &Panel, other: &Panel) -> f64 {
    assert_eq!(one.pixels, other.pixels);
    let [fast, slow] = one.pixels.map(|count| count as f64);
    let corners = [[0.0, 0.0], [fast, 0.0], [0.0, slow], [fast, slow]];
    corners
        .into_iter()
        .map(|corner| length(plus(corner_m(one, corner), -1.0, corner_m(other, corner))))
        .fold(0.0, f64::max)
}

fn assert_same_a(found: [[f64; 3]; 3], expected: [[f64; 3]; 3], what: &str) {
    let largest = expected.iter().flatten().fold(0.0_f64, |most, component| most.max(component.abs()));
    for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
        assert!((found - expected).abs() <= A_RELATIVE * largest, "{what}: {found} is not {expected}");
    }
}

fn assert_close(found: Vector, expected: Vector, within: f64, what: &str) {
    assert!(length(plus(found, -1.0, expected)) <= within, "{what}: {found:?} is not {expected:?}");
}

/// The panel of an entry of cases.json.
fn golden_panel(entry: &Value) -> Panel {
    let pair = |key: &str| -> [f64; 2] { serde_json::from_value(entry[key].clone()).unwrap() };
    Panel {
        name: String::new(),
        pixels: pair("image_size").map(|count| count as usize),
        data_origin: pair("raw_image_offset").map(|count| count as usize),
        pixel_m: pair("pixel_size_mm").map(|edge| edge / 1e3),
        origin_m: vector(&entry["origin_mm"]).map(|length| length / 1e3),
        fast: vector(&entry["fast"]),
        slow: vector(&entry["slow"]),
        sensor: None,
        valid: [None; 2],
    }
}

/// The coordinates of points by the beam, the spindle and their cross product, which no rotation of the frame changes.
fn invariant(geometry: &Geometry) -> impl Fn(Vector) -> Vector + use<> {
    let beam = geometry.beam.direction;
    let spindle = geometry.spindle.unwrap_or(geometry.panels[0].fast);
    move |v| [dot(v, beam), dot(v, spindle), dot(v, cross(beam, spindle))]
}

#[test]
fn golden_models_come_back_from_xds_inp() {
    let names =
        ["case1/XDS.INP", "case2/XDS.INP", "case3/XDS.INP", "rotation.expt", "still.expt", "slab.geom"];
    let (mut worst_m, mut segments) = (0.0_f64, 0);
    for name in names {
        let mut geometry = read(name).geometry;
        let whole = geometry.panels.iter().all(|panel| panel.data_origin == [0, 0]);
        if whole {
            // Panels of files without a block of data, one below the other.
            let mut row = 0;
            for panel in &mut geometry.panels {
                panel.data_origin = [0, row];
                row += panel.pixels[1];
            }
        }
        let text = XdsInp::new(geometry.clone()).text().unwrap();
        let read = parse_geometry(&mut text.as_bytes(), Path::new("XDS.INP"), 0).unwrap().geometry;
        let (ours, theirs) = (invariant(&geometry), invariant(&read));
        assert_eq!(read.panels.len(), geometry.panels.len(), "{name}");
        segments += text.matches("\nSEGMENT=").count();
        for (one, other) in geometry.panels.iter().zip(&read.panels) {
            assert_eq!((one.pixels, one.data_origin), (other.pixels, other.data_origin), "{name}");
            let [fast, slow] = one.pixels.map(|count| count as f64);
            for corner in [[0.0, 0.0], [fast, 0.0], [0.0, slow], [fast, slow]] {
                let off_m = length(plus(ours(corner_m(one, corner)), -1.0, theirs(corner_m(other, corner))));
                assert!(off_m < CORNER_M, "{name}: panel {} is off by {off_m} m", one.name);
                worst_m = worst_m.max(off_m);
            }
        }
        if let (Some(one), Some(other)) = (&geometry.crystal, &read.crystal) {
            let column = |a: [[f64; 3]; 3], i: usize| a.map(|row| row[i]);
            for i in 0..3 {
                let (one, other) = (ours(column(one.a_matrix, i)), theirs(column(other.a_matrix, i)));
                assert_close(other, one, 1e-14, name);
            }
        }
        assert_eq!(geometry.crystal.is_some(), read.crystal.is_some(), "{name}");
    }
    assert!(segments > 4 && worst_m > 0.0, "{segments} segments, {worst_m} m");
}

#[test]
fn files_of_xds_give_the_golden_models() {
    let cases = json("cases.json");
    let cases = cases["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 6);
    let mut worst_m = 0.0_f64;
    for case in cases {
        let name = case["file"].as_str().unwrap();
        let file = read(name);
        let Geometry { frame, beam, panels, spindle, scan, crystal } = &file.geometry;
        let golden = &case["xds_frame"];
        assert_eq!((*frame, file.experiments), (Frame::Xds, 1), "{name}");
        let is_inp = name.ends_with(".INP");
        assert_eq!(file.format, if is_inp { "XDS.INP" } else { "XDS XPARM" });
        assert_close(beam.direction, vector(&golden["beam_direction_of_travel"]), 1e-15, name);
        let lambda_m = golden["wavelength"].as_f64().unwrap() * 1e-10;
        assert!((beam.lambda_m.unwrap() - lambda_m).abs() < 1e-25, "{name}");
        assert_close(spindle.unwrap(), vector(&golden["rotation_axis"]), 1e-15, name);
        let expected: Vec<Panel> = golden["panels"].as_array().unwrap().iter().map(golden_panel).collect();
        assert_eq!(panels.len(), expected.len(), "{name}");
        for (panel, expected) in panels.iter().zip(&expected) {
            let off_m = farthest_corner_m(panel, expected);
            assert!(off_m < CORNER_M, "{name}: panel {} is off by {off_m} m", panel.name);
            worst_m = worst_m.max(off_m);
            assert_eq!(panel.data_origin, expected.data_origin, "{name}");
        }
        let rows: [[f64; 3]; 3] = serde_json::from_value(golden["A_rows"].clone()).unwrap();
        let crystal = crystal.as_ref().unwrap();
        assert_same_a(crystal.a_matrix, rows, name);
        assert_eq!(crystal.space_group.as_deref(), Some("4"));
        let (scan, stated) = (scan.unwrap(), &case["scan"]);
        let number = |key: &str| stated[key].as_f64().unwrap();
        assert_eq!(scan.width_deg, number("width_deg"), "{name}");
        if is_inp {
            let range = [scan.first, scan.first + scan.frames - 1];
            assert_eq!(stated["image_range"], serde_json::json!(range), "{name}");
            let start_deg = number("phi_at_start_of_first_image_deg");
            assert!((scan.start_deg - start_deg).abs() < 1e-13, "{name}: {}", scan.start_deg);
            // Polarisation: (0, 1, 0) is the normal in all of them, and nearly across the beam.
            let polarization = beam.polarization.unwrap();
            assert!(dot(polarization.electric_vector, beam.direction).abs() < 1e-15, "{name}");
            assert!(dot(polarization.electric_vector, [0.0, 1.0, 0.0]).abs() < 1e-15, "{name}");
            assert!(polarization.kahn_factor > 0.95 && polarization.kahn_factor < 0.99, "{name}");
            assert_eq!(panels[0].valid, [Some(0.0), Some(1_048_500.0)]);
        } else {
            // It does not say how many images there are.
            assert_eq!((scan.first as f64, scan.frames), (number("starting_frame"), 1), "{name}");
            assert_eq!(scan.start_deg, number("starting_angle_deg"), "{name}");
            assert_eq!(beam.polarization, None);
        }
    }
    println!("farthest corner of XDS files: {worst_m:e} m");
}

#[test]
fn an_xparm_without_heading_gives_the_same() {
    for case in ["case1", "case2"] {
        let name = format!("{case}/XPARM.XDS");
        let text = fs::read_to_string(folder().join(&name)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let words = |line: usize| lines[line].split_whitespace().collect::<Vec<_>>();
        let (size, place) = (words(7)[1..].join(" "), words(8));
        let place = [place[2], place[0], place[1]].join(" ");
        let old = [
            lines[1], lines[2], &size, &place, lines[9], lines[10], lines[11], lines[3], lines[4], lines[5],
            lines[6],
        ]
        .join("\n");
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("GXPARM.XDS");
        fs::write(&path, old).unwrap();
        assert_eq!(read_geometry(&path, 0).unwrap(), read(&name), "{case}");
    }
}

/// A row of the predictions of DIALS.
#[derive(Debug, Deserialize)]
struct Predicted {
    hkl: Vector,
    panel: usize,
    place_px: [f64; 2],
    place_mm: [f64; 2],
    s1: Vector,
    phi_deg: Option<f64>,
}

fn predictions(name: &str) -> Vec<Predicted> {
    let text = fs::read_to_string(folder().join(name)).unwrap();
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    lines
        .map(|line| {
            let values: Vec<f64> = line.split(',').map(|value| value.parse().unwrap()).collect();
            let find = |name: &str| columns.iter().position(|column| *column == name).map(|at| values[at]);
            let get = |name: &str| find(name).unwrap();
            Predicted {
                hkl: ["h", "k", "l"].map(get),
                panel: get("panel") as usize,
                place_px: ["x_px", "y_px"].map(get),
                place_mm: ["x_mm", "y_mm"].map(get),
                s1: ["s1_x", "s1_y", "s1_z"].map(get),
                phi_deg: find("phi_deg"),
            }
        })
        .collect()
}

/// The wave vector of the beam, and A h, in 1/Angstrom.
fn waves(geometry: &Geometry, hkl: Vector) -> [Vector; 2] {
    let lambda_angstrom = geometry.beam.lambda_m.unwrap() * 1e10;
    let s0 = geometry.beam.direction.map(|component| component / lambda_angstrom);
    let a = geometry.crystal.as_ref().unwrap().a_matrix;
    [s0, a.map(|row| dot(row, hkl))]
}

/// Where a ray meets a panel, in mm along fast and slow from its corner.
fn met_mm(panel: &Panel, ray: Vector) -> [f64; 2] {
    let normal = cross(panel.fast, panel.slow);
    let at_m = dot(panel.origin_m, normal) / dot(ray, normal);
    let within_m = plus(ray.map(|component| component * at_m), -1.0, panel.origin_m);
    [panel.fast, panel.slow].map(|axis| 1e3 * dot(within_m, axis))
}

fn assert_predicted(geometry: &Geometry, row: &Predicted, s1: Vector) {
    assert_close(s1, row.s1, 5e-15, &format!("{:?}", row.hkl));
    let panel = &geometry.panels[row.panel];
    let place_mm = met_mm(panel, s1);
    for (found, expected) in place_mm.into_iter().zip(row.place_mm) {
        assert!((found - expected).abs() < 1e-10, "{:?}: {found} mm is not {expected} mm", row.hkl);
    }
    // Parallax: o (u.fast, u.slow), o = 1/mu - (t/c + 1/mu) exp(-mu t/c).
    let ray = unit(s1);
    let off_m = panel.sensor.as_ref().map_or(0.0, |sensor| {
        let (thickness_m, attenuation_per_m) = (sensor.thickness_m, sensor.attenuation_per_m.unwrap());
        let path_m = thickness_m / dot(ray, cross(panel.fast, panel.slow)).abs();
        1.0 / attenuation_per_m - (path_m + 1.0 / attenuation_per_m) * (-attenuation_per_m * path_m).exp()
    });
    for (axis, direction) in [panel.fast, panel.slow].into_iter().enumerate() {
        let found = (1e-3 * place_mm[axis] + off_m * dot(ray, direction)) / panel.pixel_m[axis];
        assert!((found - row.place_px[axis]).abs() < 1e-9, "{:?}: {found} px", row.hkl);
    }
}

#[test]
fn a_rotation_gives_the_predictions_of_dials() {
    let file = read("rotation.expt");
    let geometry = &file.geometry;
    assert_eq!((file.format, geometry.frame, file.experiments), ("DIALS experiment list", Frame::Dials, 1));
    let scan = geometry.scan.unwrap();
    assert_eq!((scan.first, scan.frames, scan.start_deg, scan.width_deg), (3, 20, 10.0, 0.5));
    assert_eq!(geometry.crystal.as_ref().unwrap().space_group.as_deref(), Some("C 2y"));
    let sensor = geometry.panels[0].sensor.as_ref().unwrap();
    assert_eq!((sensor.material.as_deref(), sensor.thickness_m), (Some("Si"), 0.32e-3));
    assert_eq!(geometry.panels[0].valid, [Some(-1.0), Some(1_048_500.0)]);
    let rows = predictions("rotation_predicted.csv");
    assert_eq!(rows.len(), 899);
    for row in &rows {
        let [s0, q] = waves(geometry, row.hkl);
        let s1 = plus(s0, 1.0, turned(q, geometry.spindle.unwrap(), row.phi_deg.unwrap()));
        assert_predicted(geometry, row, s1);
    }
}

#[test]
fn a_still_gives_the_predictions_of_dials() {
    let file = read("still.expt");
    let geometry = &file.geometry;
    assert_eq!((geometry.spindle, geometry.scan, geometry.panels.len()), (None, None, 4));
    assert!((geometry.beam.polarization.unwrap().kahn_factor - 0.998).abs() < 1e-15);
    assert!(geometry.beam.polarization.unwrap().electric_vector[0].abs() > 0.9999);
    let rows = predictions("still_predicted.csv");
    assert_eq!(rows.len(), 94);
    let mut seen = [false; 4];
    for row in &rows {
        // The point is turned in the plane of q and s0 onto the sphere.
        let [s0, q] = waves(geometry, row.hkl);
        let along = unit(s0);
        let across = unit(plus(q, -dot(q, along), along));
        let part = -dot(q, q) / (2.0 * length(s0));
        let rest = (dot(q, q) - part * part).sqrt();
        assert_predicted(geometry, row, plus(plus(s0, part, along), rest, across));
        seen[row.panel] = true;
    }
    assert_eq!(seen, [true; 4]);
}

/// The goniometer of a list: q at an angle, each rotation applied to the vector in turn.
#[test]
fn goniometers_of_several_axes_are_multiplied_out() {
    for (name, scan_axis) in [("multi_omega.expt", 2), ("multi_phi.expt", 0)] {
        let (file, list) = (read(name), json(name));
        let geometry = &file.geometry;
        let goniometer = &list["goniometer"][0];
        assert_eq!(goniometer["scan_axis"], scan_axis);
        let axes: Vec<Vector> =
            goniometer["axes"].as_array().unwrap().iter().map(|axis| unit(vector(axis))).collect();
        let angles = vector(&goniometer["angles"]);
        let crystal = &list["crystal"][0];
        let [a, b, c] = ["real_space_a", "real_space_b", "real_space_c"].map(|key| vector(&crystal[key]));
        let volume = dot(a, cross(b, c));
        let reciprocal = [cross(b, c), cross(c, a), cross(a, b)].map(|v| v.map(|x| x / volume));
        for (hkl, phi_deg) in [([1.0, 0.0, 0.0], 0.0), ([0.0, 1.0, 0.0], 33.0), ([3.0, -5.0, 7.0], -170.0)] {
            let mut expected = [0.0; 3];
            for (index, axis) in hkl.into_iter().zip(reciprocal) {
                expected = plus(expected, index, axis);
            }
            for (number, axis) in axes.iter().enumerate() {
                let angle = if number == scan_axis { phi_deg } else { angles[number] };
                expected = turned(expected, *axis, angle);
            }
            let [_, q] = waves(geometry, hkl);
            let found = turned(q, geometry.spindle.unwrap(), phi_deg);
            assert_close(found, expected, 1e-14 * length(expected), name);
        }
        let held: Vec<_> = file.held.iter().map(|held| (held.name.as_str(), held.value.as_str())).collect();
        assert_eq!(held, [("panel 0: pedestal", "40"), ("images", "image_#####.img")]);
    }
}

#[test]
fn fixed_and_setting_rotation_surround_the_scan() {
    let (file, list) = (read("setting.expt"), json("setting.expt"));
    let goniometer = &list["goniometer"][0];
    let matrix = |key: &str| -> [f64; 9] { serde_json::from_value(goniometer[key].clone()).unwrap() };
    let apply = |m: [f64; 9], v: Vector| [0, 3, 6].map(|row| dot([m[row], m[row + 1], m[row + 2]], v));
    let (fixed, setting) = (matrix("fixed_rotation"), matrix("setting_rotation"));
    let axis = unit(vector(&goniometer["rotation_axis"]));
    let crystal = &list["crystal"][0];
    let [a, b, c] = ["real_space_a", "real_space_b", "real_space_c"].map(|key| vector(&crystal[key]));
    let a_star = cross(b, c).map(|x| x / dot(a, cross(b, c)));
    for phi_deg in [0.0, 90.0, -31.0] {
        let expected = apply(setting, turned(apply(fixed, a_star), axis, phi_deg));
        let [_, q] = waves(&file.geometry, [1.0, 0.0, 0.0]);
        // The matrices of the list are rotations to 1e-16 only.
        assert_close(turned(q, file.geometry.spindle.unwrap(), phi_deg), expected, 1e-16, "setting.expt");
    }
    // The beam is tilted, and E = n x s.
    let beam = file.geometry.beam;
    let source = unit(vector(&list["beam"][0]["direction"]));
    assert_close(beam.direction, source.map(|component| -component), 1e-15, "beam");
    let electric = cross(vector(&list["beam"][0]["polarization_normal"]), beam.direction);
    assert_close(beam.polarization.unwrap().electric_vector, unit(electric), 1e-14, "polarisation");
}

#[test]
fn a_geometry_of_crystfel_gives_the_panels_that_it_was_written_from() {
    let file = read("slab.geom");
    assert_eq!((file.format, file.geometry.frame), ("CrystFEL geometry", Frame::McStas));
    assert_eq!(file.geometry.beam.direction, [0.0, 0.0, 1.0]);
    assert!((file.geometry.beam.lambda_m.unwrap() - 0.9768e-10).abs() < 1e-24);
    let slab = json("slab.json");
    let slab = slab.as_array().unwrap();
    assert_eq!(file.geometry.panels.len(), slab.len());
    for (panel, golden) in file.geometry.panels.iter().zip(slab) {
        let pair = |at: usize| -> [f64; 2] { serde_json::from_value(golden[at].clone()).unwrap() };
        let ([slow0, fast0], [slow, fast]) = (pair(4), pair(5));
        let expected = Panel {
            pixels: [fast as usize, slow as usize],
            data_origin: [fast0 as usize, slow0 as usize],
            pixel_m: [golden[3].as_f64().unwrap(); 2],
            origin_m: vector(&golden[0]),
            fast: vector(&golden[1]),
            slow: vector(&golden[2]),
            ..panel.clone()
        };
        assert!(farthest_corner_m(panel, &expected) < CORNER_M, "{}", panel.name);
        assert_eq!((panel.data_origin, panel.pixels), (expected.data_origin, expected.pixels));
        assert_eq!(panel.valid, [Some(0.0), None]);
    }
    assert_eq!(file.bad, []);
    let held = |name: &str| file.held.iter().find(|held| held.name == name).map(|held| held.value.as_str());
    assert_eq!(held("group_all"), Some("p0,p1,p2,p3"));
    assert_eq!(held("mask0_data"), Some("/entry/instrument/detector/pixel_mask"));
    assert_eq!(file.warnings, Vec::<String>::new());
}

#[test]
fn segments_and_panels_cover_their_block_of_data_once() {
    for name in ["case3/XDS.INP", "case3/XPARM.XDS", "slab.geom"] {
        let mut file = read(name);
        let panels = file.geometry.panels.clone();
        let pixels: usize = panels.iter().map(|panel| panel.pixels[0] * panel.pixels[1]).sum();
        let most =
            |axis: usize| panels.iter().map(|panel| panel.data_origin[axis] + panel.pixels[axis]).max();
        assert_eq!(most(0).unwrap() * most(1).unwrap(), pixels, "{name}");
        // A region of the block across all panels.
        file.bad = vec![BadRegion::Block { fast: [470, 520], slow: [530, 533] }];
        let count =
            |panel: usize| file.bad_pixels(panel).unwrap().unwrap().iter().filter(|bad| **bad).count();
        let marked: usize = (0..panels.len()).map(count).sum();
        let width = if name == "slab.geom" { 10 } else { 51 };
        assert_eq!(marked, width * 4, "{name}");
    }
}

/// The foot of the normal through the sample, in m along fast and slow from the corner, and its distance.
fn foot_m(panel: &Panel) -> [f64; 3] {
    let normal = unit(cross(panel.fast, panel.slow));
    [-dot(panel.origin_m, panel.fast), -dot(panel.origin_m, panel.slow), dot(panel.origin_m, normal).abs()]
}

/// The headers that nanoBragg wrote of the golden images place the detector where nanoBragg had it, to the six digits
/// of both: in every convention, and swung about MOSFLM's axis. A swing about another axis is doubted.
#[test]
fn headers_of_nanobragg_place_the_detector() {
    let (mut placed, mut swung) = (0, 0);
    for name in cases().unwrap() {
        let case = Case::load(&name).unwrap();
        let words = case.args.join(" ");
        let is_custom =
            ["_vector", "_axis", "-detector_rot", "-curved_det"].iter().any(|word| words.contains(word));
        let header = case.smv_header.as_bytes();
        let file = match parse_geometry(&mut &header[..], Path::new("a.img"), 0) {
            Ok(file) => file,
            // Behind the sample, in the figures of nanoBragg.
            Err(failure) if is_custom => {
                assert!(failure.to_string().contains("is not positive"), "{name}: {failure}");
                continue;
            }
            Err(failure) => panic!("{name}: {failure}"),
        };
        let is_swung = !case.smv_header.contains("TWOTHETA=0;");
        assert_eq!(file.warnings.iter().any(|warning| warning.contains("TWOTHETA")), is_swung, "{name}");
        let other_axis = ["-xds", "-adxv", "-dials"].iter().any(|convention| words.contains(convention));
        if is_custom || is_swung && other_axis {
            continue;
        }
        (placed, swung) = (placed + 1, swung + usize::from(is_swung));
        let panel = &file.geometry.panels[0];
        let figure = |key: &str| case.figures.get(key).and_then(|figure| figure.parse::<f64>().ok());
        let [fast_m, slow_m, _] = foot_m(panel);
        for (found_m, key) in [(fast_m, "Fclose_m"), (slow_m, "Sclose_m")] {
            if let Some(expected_m) = figure(key) {
                assert!((found_m - expected_m).abs() < 5e-7, "{name}: {key} {found_m}, not {expected_m}");
            }
        }
        if file.geometry.frame == Frame::Mosflm && !other_axis {
            for (axis, key) in [(panel.fast, "fast_axis"), (panel.slow, "slow_axis")] {
                let Some(figure) = case.figures.get(key) else { continue };
                let expected: Vec<f64> = figure.split(' ').map(|word| word.parse().unwrap()).collect();
                assert_close(axis, expected.try_into().unwrap(), 2e-6, &name);
            }
        }
    }
    assert!(placed > 40 && swung > 0, "{placed} headers, {swung} of swung detectors");
}

/// Headers from the field (golden/cases): values that are not known, no pixels, values in braces.
#[test]
fn odd_headers_are_read() {
    let read =
        |name: &str| read_geometry(&widebragg_tests::golden::root().join("cases").join(name), 0).unwrap();
    // Distance in m, wavelength in Angstrom, beam in mm along fast and slow.
    for (name, distance_m, lambda_angstrom, [fast_mm, slow_mm], doubts) in [
        ("nan_values.img", 0.85, 0.025, [0.25, 0.25], &["where the rotation starts", "BEAM_CENTER"][..]),
        ("header_only.img", 0.09998, 0.97934, [14.96, 15.25], &[]),
        ("nested_braces.img", 0.08, 1.2, [16.25, 15.25], &["BEAM_CENTER"]),
        ("nanobragg_xds.img", 0.07, 1.1, [12.25, 18.25], &[]),
    ] {
        let file = read(name);
        let [fast_m, slow_m, foot] = foot_m(&file.geometry.panels[0]);
        for (found, expected) in [(fast_m, 1e-3 * fast_mm), (slow_m, 1e-3 * slow_mm), (foot, distance_m)] {
            assert!((found - expected).abs() < 1e-15, "{name}: {found}, not {expected}");
        }
        assert!((file.geometry.beam.lambda_m.unwrap() - 1e-10 * lambda_angstrom).abs() < 1e-24, "{name}");
        assert_eq!(file.warnings.len(), doubts.len(), "{name}: {:?}", file.warnings);
        let are_said = file.warnings.iter().zip(doubts).all(|(warning, doubt)| warning.contains(doubt));
        assert!(are_said, "{name}: {:?}", file.warnings);
    }
}

/// An image of ours has one geometry: that of its SMV header, of its CBF header and of the list beside it.
#[test]
fn headers_and_lists_of_an_image_agree() {
    let square = [
        "-mosflm -distance 90 -Xbeam 11 -Ybeam 17.3",
        "-denzo -distance 90 -Xbeam 11 -Ybeam 17.3",
        "-adxv -distance 90 -Xbeam 11 -Ybeam 17.3",
        "-xds -distance 90 -ORGX 111.25 -ORGY 170.5",
        "-dials -distance 90 -ORGX 111.25 -ORGY 170.5",
        "-mosflm -distance 120 -twotheta 10 -Xbeam 11 -Ybeam 17.3",
    ];
    for line in square {
        let place = Workplace::empty();
        let size = "-default_F 10 -cell 50 50 40 90 90 90 -N 3 -detpixels_x 30 -detpixels_y 20 -oversample 1";
        let files =
            "-phi 5 -osc 0.5 -phisteps 1 -nonoise -nopgm -intfile i_1.img --cbf c_1.cbf --expt i.expt";
        place.run_line(&format!("{size} {line} {files}")).well();
        let read = |name: &str| read_geometry(&place.path().join(name), 0).unwrap();
        let (list, header, cbf) = (read("i.expt"), read("i_1.img"), read("c_1.cbf"));
        let expected = foot_m(&list.geometry.panels[0]);
        let is_swung = line.contains("twotheta");
        for (file, within_m) in [(&header, 1e-6), (&cbf, 2e-7)] {
            let panel = &file.geometry.panels[0];
            assert_eq!(panel.pixels, list.geometry.panels[0].pixels);
            // miniCBF cannot say that a detector is swung.
            if file.format == "SMV image" || !is_swung {
                for (found, expected) in foot_m(panel).into_iter().zip(expected) {
                    assert!(
                        (found - expected).abs() < within_m,
                        "{}, {line}: {found}, not {expected}",
                        file.format
                    );
                }
            }
            let (scan, expected) = (file.geometry.scan.unwrap(), list.geometry.scan.unwrap());
            assert!((scan.start_deg - expected.start_deg).abs() < 1e-9, "{line}");
            assert!((scan.width_deg - expected.width_deg).abs() < 1e-9, "{line}");
        }
        assert_eq!(cbf.warnings.len(), usize::from(is_swung), "{line}");
        // The direct beam and the spindle make the same angles with the panel, as far as the spindle is along fast.
        let cosine = |file: &GeometryFile| dot(file.geometry.beam.direction, file.geometry.panels[0].slow);
        assert!((cosine(&header) - cosine(&list)).abs() < 1e-6, "{line}");
    }
}

/// The options by which the program places a panel of a geometry as it is, in the frame of its file. The corner is at
/// -x fast - y slow + z normal, where fast and slow are perpendicular only to the digits of the file.
fn options(geometry: &Geometry, panel: &Panel) -> Vec<String> {
    let handed = unit(cross(panel.fast, panel.slow));
    let [along_fast, along_slow, skew] =
        [dot(panel.origin_m, panel.fast), dot(panel.origin_m, panel.slow), dot(panel.fast, panel.slow)];
    let close = |own: f64, other: f64| (skew * other - own) / (1.0 - skew * skew);
    let normal = if dot(panel.origin_m, handed) > 0.0 { handed } else { handed.map(|component| -component) };
    let mm = |length_m: f64| vec![(1e3 * length_m).to_string()];
    let vector = |v: Vector| v.map(|component| component.to_string()).to_vec();
    let polarization = geometry.beam.polarization;
    [
        ("-pixel", mm(panel.pixel_m[0])),
        ("-detpixels_x", vec![panel.pixels[0].to_string()]),
        ("-detpixels_y", vec![panel.pixels[1].to_string()]),
        ("-fdet_vector", vector(panel.fast)),
        ("-sdet_vector", vector(panel.slow)),
        ("-odet_vector", vector(normal)),
        ("-beam_vector", vector(geometry.beam.direction)),
        (
            "-polar_vector",
            vector(polarization.map_or(panel.fast, |polarization| polarization.electric_vector)),
        ),
        ("-spindle_axis", vector(geometry.spindle.unwrap_or(panel.fast))),
        ("-pivot", vec!["sample".to_owned()]),
        ("-Xclose", mm(close(along_fast, along_slow))),
        ("-Yclose", mm(close(along_slow, along_fast))),
        ("-close_distance", mm(dot(panel.origin_m, normal))),
    ]
    .into_iter()
    .flat_map(|(option, values)| [vec![option.to_owned()], values].concat())
    .collect()
}

#[test]
fn the_program_places_each_panel_where_its_geometry_says() {
    for name in ["still.expt", "slab.geom", "case2/XPARM.XDS", "case3/XDS.INP", "rotation.expt"] {
        let file = read(name);
        for panel in &file.geometry.panels {
            let place = Workplace::empty();
            let line =
                "-default_F 1 -cell 50 50 50 90 90 90 -N 1 -oversample 1 -roi 0 1 0 1 -nonoise -nopgm --json";
            let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            words.extend(options(&file.geometry, panel));
            // The corner is where it is whatever the size.
            words.extend(["-detpixels_x", "4", "-detpixels_y", "4"].map(str::to_owned));
            let summary = place.run(&words).well().json();
            let off_m = length(plus(vector(&summary["pix0_m"]), -1.0, panel.origin_m));
            assert!(off_m < CORNER_M, "{name}, panel {}: off by {off_m} m", panel.name);
            assert_close(vector(&summary["fast_axis"]), panel.fast, 1e-14, name);
            assert_close(vector(&summary["slow_axis"]), panel.slow, 1e-14, name);
        }
    }
}
