//! `--xds-inp`: the `XDS.INP` of a run describes what was rendered. It is read by our reader of `XDS.INP`, which golden
//! files of other programs check, and compared with the placed detector of `--json`, whatever the frame.

use std::path::Path;

use serde_json::Value;
use widebragg_formats::geometry::{GeometryFile, parse_geometry};
use widebragg_tests::program::Workplace;

type Vector = [f64; 3];

/// A small image of anything.
const SMALL: &str = "-default_F 10 -N 8 -detpixels_x 64 -detpixels_y 48 -oversample 1 -seed 1 \
                     -nopgm";

const CELL: &str = "-cell 50 50 40 90 90 90";

/// Detectors across the beam, tilted, swung and mirrored, with the spindle along and across fast.
const GEOMETRIES: [&str; 6] = [
    "-mosflm -distance 90 -Xbeam 11 -Ybeam 17.3",
    "-adxv -distance 90 -Xbeam 11 -Ybeam 17.3",
    "-mosflm -distance 120 -twotheta 10 -Xbeam 11 -Ybeam 17.3",
    "-xds -distance 90 -detector_rotx 5 -detector_roty -7 -detector_rotz 3 -ORGX 111.25 -ORGY 170.5",
    "-dials -distance 90 -twotheta -8 -ORGX 111.25 -ORGY 170.5",
    "-distance 90 -Xbeam 11 -Ybeam 17.3 -beam_vector 0.02 0.01 1 -fdet_vector 1 0 0 -sdet_vector 0 1 0 -odet_vector 0 0 1 \
     -spindle_axis 0 1 0.1 -polar_vector 1 0 0",
];

fn dot(u: Vector, v: Vector) -> f64 {
    u.iter().zip(v).map(|(a, b)| a * b).sum()
}

fn cross(u: Vector, v: Vector) -> Vector {
    [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]
}

fn plus(u: Vector, by: f64, v: Vector) -> Vector {
    [u[0] + by * v[0], u[1] + by * v[1], u[2] + by * v[2]]
}

fn vector(value: &Value) -> Vector {
    serde_json::from_value(value.clone()).expect("three numbers")
}

/// Components of a vector that no rotation of the frame changes.
fn invariant(beam: Vector, spindle: Vector) -> impl Fn(Vector) -> Vector {
    move |v| [dot(v, beam), dot(v, spindle), dot(v, cross(beam, spindle))]
}

fn assert_close(found: Vector, expected: Vector, within: f64, what: &str) {
    let apart = plus(found, -1.0, expected);
    assert!(dot(apart, apart).sqrt() <= within, "{what}: {found:?}, not {expected:?}");
}

fn read(place: &Workplace, name: &str) -> GeometryFile {
    parse_geometry(&mut &place.read(name)[..], Path::new(name), 0)
        .unwrap_or_else(|failure| panic!("{failure}"))
}

fn held<'f>(file: &'f GeometryFile, name: &str) -> Option<&'f str> {
    file.held.iter().find(|held| held.name == name).map(|held| held.value.as_str())
}

#[test]
fn it_holds_every_geometry() {
    for geometry in GEOMETRIES {
        let place = Workplace::with_inputs();
        let files = "-noisefile n.img --xds-inp XDS.INP --json";
        let line = format!(
            "{SMALL} -lambda 0.9768 -mat tri.mat -polar 0.9 -phi 5 -osc 0.5 -phisteps 2 --frames 2 {geometry} {files}"
        );
        let summary = place.run_line(&line).well().json();
        assert_eq!(summary["xds_inp"], "XDS.INP");
        let file = read(&place, "XDS.INP");
        assert_eq!((file.format, file.warnings.len()), ("XDS.INP", 0), "{geometry}");
        assert_eq!(held(&file, "NAME_TEMPLATE_OF_DATA_FRAMES"), Some("n_?????.img"));
        let found = &file.geometry;
        let of_run = invariant(vector(&summary["beam"]), vector(&summary["spindle"]));
        let of_file = invariant(found.beam.direction, found.spindle.expect("a spindle"));
        let panel = &found.panels[0];
        for corner in [[0.0, 0.0], [64.0, 0.0], [0.0, 48.0], [64.0, 48.0]] {
            let along_fast =
                plus(vector(&summary["pix0_m"]), corner[0] * 1e-4, vector(&summary["fast_axis"]));
            let ours = plus(along_fast, corner[1] * 1e-4, vector(&summary["slow_axis"]));
            assert_close(of_file(panel.position_m(corner)), of_run(ours), 1e-12, geometry);
        }
        let polarization = found.beam.polarization.expect("a polarisation");
        assert!((polarization.kahn_factor - 0.9).abs() < 1e-12, "{geometry}");
        // The electric vector is the part of the axis across the beam.
        let (beam, axis) = (vector(&summary["beam"]), vector(&summary["polarization_axis"]));
        let across = plus(axis, -dot(axis, beam), beam);
        let electric = across.map(|component| component / dot(across, across).sqrt());
        assert_close(of_file(polarization.electric_vector), of_run(electric), 1e-12, geometry);
        assert!((found.beam.lambda_m.expect("a wavelength") / 0.9768e-10 - 1.0).abs() < 1e-14);
        let scan = found.scan.expect("a scan");
        assert_eq!((scan.first, scan.frames), (1, 2));
        assert!((scan.start_deg - 5.0).abs() < 1e-12 && (scan.width_deg - 0.5).abs() < 1e-12, "{scan:?}");
        // Columns of the matrix are a*, b*, c*, times the wavelength.
        let text = String::from_utf8(place.read("tri.mat")).expect("a text");
        let numbers: Vec<f64> = text.split_whitespace().map(|word| word.parse().expect("a number")).collect();
        let a_matrix = found.crystal.as_ref().expect("a crystal").a_matrix;
        for column in 0..3 {
            let ours = [0, 3, 6].map(|row| numbers[row + column] / 0.9768);
            assert_close(of_file(a_matrix.map(|row| row[column])), of_run(ours), 1e-12, geometry);
        }
        assert_eq!(panel.valid, [Some(0.0), Some(65534.0)]);
    }
}

#[test]
fn gaps_and_pixels_outside_the_region_are_untrusted() {
    let place = Workplace::empty();
    let line = "-default_F 10 -cell 50 50 40 90 90 90 -N 5 -distance 100 -oversample 1 -nonoise -nopgm -osc 1 -phisteps 1 \
                --detector PILATUS300K -roi 10 486 0 599 --noise-cbf n_1.cbf --xds-inp XDS.INP --json";
    let summary = place.run_line(line).well().json();
    let file = read(&place, "XDS.INP");
    let panel = &file.geometry.panels[0];
    assert_eq!((panel.pixels, file.bad.len()), ([487, 619], 6));
    let bad = file.bad_pixels(0).expect("memory").expect("bad pixels");
    for slow in 0..619 {
        for fast in 0..487 {
            let is_gap = (195..212).contains(&slow) || (407..424).contains(&slow);
            assert_eq!(bad[slow * 487 + fast], is_gap || fast < 10 || slow > 599, "{fast} {slow}");
        }
    }
    let sensor = panel.sensor.as_ref().expect("a sensor");
    let stated = |key: &str| summary["sensor"][key].as_f64().expect("a number");
    assert!((sensor.thickness_m - stated("thickness_m")).abs() < 1e-15);
    assert!((sensor.attenuation_per_m.expect("mu") / stated("attenuation_per_m") - 1.0).abs() < 1e-13);
    assert_eq!(held(&file, "DETECTOR"), Some("PILATUS"));
    assert_eq!(panel.valid, [Some(0.0), Some(2_147_483_645.0)]);
}

#[test]
fn the_space_group_is_that_of_the_reflections() {
    let group = |stated: &str| {
        let place = Workplace::empty();
        place.write("a.hkl", "1 2 3 10\n2 2 2 20\n");
        let line = format!(
            "{SMALL} {CELL} -distance 100 -osc 1 -hkl a.hkl {stated} -noisefile n_1.img --xds-inp XDS.INP"
        );
        place.run_line(&line).well();
        read(&place, "XDS.INP").geometry.crystal.expect("a crystal").space_group
    };
    assert_eq!(group("--space-group 96").as_deref(), Some("96"));
    // Lines of h k l F without symmetry say nothing of it, and XDS knows one setting of each group.
    assert_eq!(group(""), None);
    assert_eq!(group("--space-group P21212a"), None);
}

#[test]
fn what_xds_does_not_process_is_said() {
    let place = Workplace::empty();
    let run =
        |line: &str| place.run_line(&format!("{SMALL} {CELL} -distance 100 {line} --xds-inp XDS.INP")).well();
    let still = run("-noisefile n_1.img");
    assert!(
        still.stderr.contains("--xds-inp: XDS.INP: XDS processes rotations, and this is a still"),
        "{still:?}"
    );
    assert_eq!(read(&place, "XDS.INP").geometry.scan, None);
    let unnumbered = run("-osc 1 -noisefile n.img");
    assert!(
        unnumbered.stderr.contains("--xds-inp: n.img: XDS reads only images with a number"),
        "{unnumbered:?}"
    );
    let file = read(&place, "XDS.INP");
    assert_eq!(held(&file, "NAME_TEMPLATE_OF_DATA_FRAMES"), None);
    assert_eq!(held(&file, "DETECTOR"), Some("ADSC"));
}

#[test]
fn a_file_that_cannot_be_written_is_refused_before_anything_is() {
    let place = Workplace::empty();
    for (extra, words) in [
        ("--xds-inp a.img -intfile a.img", "a.img: is also the XDS.INP"),
        ("--xds-inp nowhere/XDS.INP", "there is no such folder"),
        ("--xds-inp .", "is a folder"),
        ("-curved_det --xds-inp XDS.INP", "XDS.INP cannot hold a curved detector"),
    ] {
        let outcome = place.run_line(&format!("{SMALL} {CELL} -distance 100 {extra}"));
        assert_eq!(outcome.code, Some(2), "{extra}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(words), "{extra}: no {words} in {}", outcome.stderr);
        assert!(place.files().is_empty(), "{extra}: {:?}", place.files());
    }
}
