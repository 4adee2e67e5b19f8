//! What the files of a render tell other programs about its geometry: the beam centre of SMV and CBF headers, the
//! experiment list for DIALS, the length of headers, and warnings where a format cannot say it.
//!
//! The truth is the image itself: the centroid of the direct beam in the float image of a crystal whose only
//! structure factor is F(000), and the placed detector of `--json`. `tests/readers/run` checks the same through
//! DIALS.

use std::collections::HashMap;

use serde_json::{Value, json};
use widebragg_tests::golden;
use widebragg_tests::program::{Outcome, Workplace, smv_parts};

/// A spot of some pixels at the place of the direct beam, on 300 x 260 pixels.
const BEAM: &str = "-hkl F000.hkl -cell 50 50 50 90 90 90 -N 5 -gauss_xtal -oversample 5 -lambda 1 -nopgm -seed 1 \
                    -fluence 1e22 -detpixels_x 300 -detpixels_y 260 -pixel 0.1";

/// A small image of anything.
const SMALL: &str = "-default_F 10 -cell 50 50 40 90 90 90 -N 8 -detpixels 64 -oversample 2 -seed 1";

/// Every convention with an off-centre beam and the detector perpendicular to the beam.
const SQUARE: [&str; 6] = [
    "-mosflm -distance 90 -Xbeam 11 -Ybeam 17.3",
    "-denzo -distance 90 -Xbeam 11 -Ybeam 17.3",
    "-adxv -distance 90 -Xbeam 11 -Ybeam 17.3",
    "-xds -distance 90 -ORGX 111.25 -ORGY 170.5",
    "-dials -distance 90 -ORGX 111.25 -ORGY 170.5",
    "-distance 90 -Xbeam 11 -Ybeam 17.3 -beam_vector 0 0 -1 -fdet_vector 1 0 0 -sdet_vector 0 -1 0 -odet_vector 0 0 -1 \
     -spindle_axis 1 0 0 -polar_vector 1 0 0",
];

/// What SMV and CBF headers cannot state.
const OTHER: [&str; 5] = [
    "-mosflm -distance 120 -twotheta 10 -Xbeam 11 -Ybeam 17.3",
    "-dials -distance 90 -twotheta -8 -ORGX 111.25 -ORGY 170.5",
    "-xds -distance 90 -detector_rotx 5 -detector_roty -7 -detector_rotz 3 -ORGX 111.25 -ORGY 170.5",
    "-distance 90 -Xbeam 11 -Ybeam 17.3 -beam_vector 0 0 1 -fdet_vector -1 0 0 -sdet_vector 0 1 0 -odet_vector 0 0 1 \
     -spindle_axis 1 0 0 -polar_vector 1 0 0",
    "-distance 90 -Xbeam 11 -Ybeam 17.3 -beam_vector 0.02 0.01 1 -fdet_vector 1 0 0 -sdet_vector 0 1 0 -odet_vector 0 0 1 \
     -spindle_axis 0 1 0 -polar_vector 1 0 0",
];

type Vector = [f64; 3];

fn vector(value: &Value) -> Vector {
    let numbers: Vec<f64> =
        value.as_array().expect("an array").iter().map(|x| x.as_f64().expect("a number")).collect();
    numbers.try_into().expect("three numbers")
}

fn dot(u: Vector, v: Vector) -> f64 {
    u.iter().zip(v).map(|(a, b)| a * b).sum()
}

fn cross(u: Vector, v: Vector) -> Vector {
    [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]
}

fn plus(u: Vector, by: f64, v: Vector) -> Vector {
    [u[0] + by * v[0], u[1] + by * v[1], u[2] + by * v[2]]
}

fn place() -> Workplace {
    let place = Workplace::empty();
    place.bring(&golden::root().join("cases/F000.hkl"));
    place
}

/// Centre of the intensity of the float image, in pixels from the outer corner: fast, slow.
fn centroid_px(place: &Workplace, name: &str) -> [f64; 2] {
    let image = place.float(name);
    let (mut sum, mut fast, mut slow) = (0.0, 0.0, 0.0);
    for (index, &pixel) in image.iter().enumerate() {
        sum += f64::from(pixel);
        fast += f64::from(pixel) * ((index % 300) as f64 + 0.5);
        slow += f64::from(pixel) * ((index / 300) as f64 + 0.5);
    }
    [fast / sum, slow / sum]
}

fn keys(place: &Workplace, name: &str) -> HashMap<String, String> {
    let (header, _) = smv_parts(&place.read(name)).expect("an SMV file");
    let entries = header.lines().filter_map(|line| line.trim_end_matches(';').split_once('='));
    entries.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn number(keys: &HashMap<String, String>, key: &str) -> f64 {
    keys.get(key).unwrap_or_else(|| panic!("no {key}")).parse().expect("a number")
}

/// Where dxtbx's FormatSMVJHSim takes the beam to be: a pixel along fast from BEAM_CENTER_X, and along slow a pixel
/// from the height of the image less BEAM_CENTER_Y.
fn dials_px(keys: &HashMap<String, String>) -> [f64; 2] {
    let pixel = number(keys, "PIXEL_SIZE");
    let [x, y] = ["BEAM_CENTER_X", "BEAM_CENTER_Y"].map(|key| number(keys, key) / pixel);
    [x + 1.0, number(keys, "SIZE2") - y + 1.0]
}

fn near(found: [f64; 2], expected: [f64; 2], what: &str) {
    let apart = (found[0] - expected[0]).abs().max((found[1] - expected[1]).abs());
    assert!(apart < 0.02, "{what}: {found:?}, not {expected:?}");
}

#[test]
fn the_beam_centre_is_that_of_the_image_in_every_convention_and_format() {
    for geometry in SQUARE.into_iter().chain(OTHER) {
        let place = place();
        let files = "-floatfile f.bin -intfile i.img -nonoise --cbf c.cbf --json";
        let summary = place.run_line(&format!("{BEAM} {geometry} {files}")).well().json();
        let truth = centroid_px(&place, "f.bin");
        let stated = ["Fbeam_m", "Sbeam_m"].map(|key| summary[key].as_f64().expect("a length") / 1e-4);
        near(stated, truth, &format!("{geometry}: --json"));
        let keys = keys(&place, "i.img");
        near(dials_px(&keys), truth, &format!("{geometry}: BEAM_CENTER"));
        let of = |x: &str, y: &str| [number(&keys, x) / 0.1, number(&keys, y) / 0.1];
        let [x, y] = of("ADXV_CENTER_X", "ADXV_CENTER_Y");
        near([x, 260.0 - y], truth, &format!("{geometry}: ADXV_CENTER"));
        let [x, y] = of("MOSFLM_CENTER_X", "MOSFLM_CENTER_Y");
        near([y + 0.5, x + 0.5], truth, &format!("{geometry}: MOSFLM_CENTER"));
        let [x, y] = of("DENZO_X_BEAM", "DENZO_Y_BEAM");
        near([y, x], truth, &format!("{geometry}: DENZO"));
        let cbf = String::from_utf8_lossy(&place.read("c.cbf")).into_owned();
        let line = cbf.lines().find_map(|line| line.strip_prefix("# Beam_xy (")).expect("Beam_xy");
        let beam: Vec<f64> = line.split([',', ')']).filter_map(|word| word.trim().parse().ok()).collect();
        near([beam[0], beam[1]], truth, &format!("{geometry}: Beam_xy"));
    }
}

/// The frame of the list: third axis to the source, first axis the part of the spindle across the beam.
fn in_dials_frame(summary: &Value, v: Vector) -> Vector {
    let e3 = vector(&summary["beam"]).map(|x| -x);
    let spindle = vector(&summary["spindle"]);
    let across = plus(spindle, -dot(spindle, e3), e3);
    let e1 = across.map(|x| x / dot(across, across).sqrt());
    [dot(v, e1), dot(v, cross(e3, e1)), dot(v, e3)]
}

fn list(place: &Workplace, name: &str) -> Value {
    serde_json::from_slice(&place.read(name)).expect("JSON")
}

fn close(found: Vector, expected: Vector, within: f64, what: &str) {
    let apart = plus(found, -1.0, expected);
    assert!(dot(apart, apart).sqrt() < within, "{what}: {found:?}, not {expected:?}");
}

#[test]
fn an_experiment_list_holds_every_geometry() {
    for geometry in SQUARE.into_iter().chain(OTHER) {
        let place = place();
        let files = "-floatfile f.bin -intfile i.img -noisefile n.img --json";
        let line = format!(
            "{SMALL} -lambda 0.9768 -polar 0.9 -phi 5 -osc 0.5 -phisteps 2 --frames 2 {geometry} {files}"
        );
        let summary = place.run_line(&line).well().json();
        assert_eq!(summary["experiment_list"], "n.expt");
        let list = list(&place, "n.expt");
        let turned = |key: &str| in_dials_frame(&summary, vector(&summary[key]));
        let panel = &list["detector"][0]["panels"][0];
        let place_mm = |origin: Vector, fast: Vector, slow: Vector, [f, s]: [f64; 2]| {
            plus(plus(origin, f * 0.1, fast), s * 0.1, slow)
        };
        for corner in [[0.0, 0.0], [64.0, 0.0], [0.0, 64.0], [64.0, 64.0]] {
            let axes = |key: &str| vector(&panel[key]);
            let read = place_mm(axes("origin"), axes("fast_axis"), axes("slow_axis"), corner);
            let pix0_mm = turned("pix0_m").map(|x| 1e3 * x);
            let ours = place_mm(pix0_mm, turned("fast_axis"), turned("slow_axis"), corner);
            close(read, ours, 1e-3, geometry);
        }
        let beam = &list["beam"][0];
        close(vector(&beam["direction"]), [0.0, 0.0, 1.0], 1e-12, geometry);
        // The electric vector is along normal x s, where s is the direction of the photons.
        let e = cross(vector(&beam["polarization_normal"]), [0.0, 0.0, -1.0]);
        let mut polarization = turned("polarization_axis");
        polarization[2] = 0.0;
        let length = dot(polarization, polarization).sqrt();
        close(e, polarization.map(|x| x / length), 1e-12, geometry);
        assert_eq!(beam["polarization_fraction"], 0.95);
        assert!((beam["wavelength"].as_f64().expect("a wavelength") - 0.9768).abs() < 1e-12);
        close(vector(&list["goniometer"][0]["rotation_axis"]), turned("spindle"), 1e-12, geometry);
        assert_eq!(list["scan"][0]["image_range"], json!([1, 2]));
        let scan = &list["scan"][0]["oscillation"];
        assert!((scan[0].as_f64().expect("an angle") - 5.0).abs() < 1e-12, "{scan}");
        assert!((scan[1].as_f64().expect("an angle") - 0.5).abs() < 1e-12, "{scan}");
        assert_eq!(list["imageset"][0]["template"], "n_#####.img");
        assert_eq!((&panel["pedestal"], &panel["trusted_range"]), (&json!(40.0), &json!([-1.0, 65495.0])));
        // The header says the same origin, and the axes where they are not those that readers take.
        let keys = keys(&place, "n_00002.img");
        let origin: Vec<f64> =
            keys["DIALS_ORIGIN"].split(',').map(|x| x.parse().expect("a length")).collect();
        close([origin[0], origin[1], origin[2]], vector(&panel["origin"]), 1e-3, geometry);
        close(vector(&summary["dials_origin_mm"]), vector(&panel["origin"]), 1e-9, geometry);
    }
}

#[test]
fn axes_in_the_header() {
    let place = place();
    for (convention, axes) in
        [("-mosflm", "x,-y"), ("-denzo", "x,-y"), ("-xds", "x,-y"), ("-adxv", "x,y"), ("-dials", "y,x")]
    {
        place.run_line(&format!("{SMALL} {convention} -nonoise -intfile i.img --quiet")).well();
        assert_eq!(keys(&place, "i.img")["DIALS_AXES"], axes, "{convention}");
    }
    place.run_line(&format!("{SMALL} -mosflm -twotheta 30 -nonoise -intfile i.img --quiet")).well();
    assert!(keys(&place, "i.img")["DIALS_AXES"].starts_with("x,0,-0.8660254"), "{:?}", keys(&place, "i.img"));
}

fn warnings(outcome: &Outcome) -> Vec<&str> {
    outcome.stderr.lines().filter(|line| line.contains("headers cannot say")).collect()
}

#[test]
fn a_line_says_what_headers_cannot_hold() {
    let place = place();
    let still =
        |geometry: &str| place.run_line(&format!("{SMALL} {geometry} -nonoise -nopgm --quiet")).well();
    let swept = |geometry: &str| {
        place.run_line(&format!("{SMALL} {geometry} -osc 1 -nonoise -nopgm --quiet --cbf c.cbf")).well()
    };
    for geometry in SQUARE {
        let mirrored = geometry.contains("-adxv");
        assert_eq!(warnings(&still(geometry)).len(), usize::from(mirrored), "{geometry}");
        let rotation = swept(geometry);
        let across = geometry.contains("-dials");
        assert_eq!(warnings(&rotation).len(), usize::from(mirrored || across), "{geometry}");
        for (is_so, words) in [(mirrored, "mirrored"), (across, "90.000 degrees off the fast axis")] {
            assert_eq!(rotation.stderr.contains(words), is_so, "{geometry}: {}", rotation.stderr);
        }
    }
    for (geometry, words) in OTHER.into_iter().zip([
        &["tilted by 10.000 degrees"][..],
        &["tilted by 8.000 degrees", "spindle"],
        &["tilted by 8.595 degrees", "spindle"],
        &["mirrored", "180.000 degrees off"],
        &["tilted by 1.281 degrees", "spindle"],
    ]) {
        let outcome = swept(geometry);
        let lines = warnings(&outcome);
        assert_eq!(lines.len(), 1, "{geometry}: {}", outcome.stderr);
        for word in words.iter().chain(&["SMV and CBF headers", "--expt FILE"]) {
            assert!(lines[0].contains(word), "{geometry}: no {word} in {}", lines[0]);
        }
    }
    let named = place.run_line(&format!("{SMALL} -twotheta 10 --expt own.expt -nonoise --quiet")).well();
    assert!(warnings(&named)[0].contains("the experiment list own.expt says it"), "{}", named.stderr);
}

#[test]
fn a_list_is_written_beside_a_series_or_where_it_is_asked_for() {
    let place = place();
    let written = |extra: &str| {
        let outcome = place.run_line(&format!("{SMALL} -floatfile f.bin -nopgm {extra} --json")).well();
        (outcome.json()["experiment_list"].clone(), outcome.stderr)
    };
    assert_eq!(written("-osc 1 -nonoise -intfile a.img").0, Value::Null);
    assert_eq!(written("-osc 1 --frames 2 -nonoise -intfile b.img --no-expt").0, Value::Null);
    assert!(!place.path().join("b.expt").exists());
    assert_eq!(written("-osc 1 --frames 2 -nonoise -intfile b.img --resume").0, "b.expt");
    assert_eq!(list(&place, "b.expt")["imageset"][0]["template"], "b_#####.img");
    // Without noise, CBF images are the better ones.
    assert_eq!(
        written("-osc 1 -floatfile c.bin --frames 2 -nonoise -intfile b2.img --cbf c.cbf").0,
        "c.expt"
    );
    // Of two, that with noise, as without CBF images.
    let both = "-osc 1 -floatfile n.bin --frames 2 -nonoise -intfile b3.img --cbf c3.cbf --noise-cbf n.cbf";
    assert_eq!(written(both).0, "n.expt");
    for (name, template) in [("c.expt", "c_#####.cbf"), ("n.expt", "n_#####.cbf")] {
        let of_cbf = list(&place, name);
        assert_eq!(of_cbf["imageset"][0]["template"], template);
        let panel = &of_cbf["detector"][0]["panels"][0];
        assert_eq!((&panel["pedestal"], &panel["trusted_range"][1]), (&json!(0.0), &json!(2_147_483_646.0)));
    }
    // Every job of a series writes the same list, of the whole series.
    let whole = place.read("b.expt");
    assert_eq!(written("-osc 1 --frames 2 -nonoise -intfile b.img --frame-range 2:2").0, "b.expt");
    assert!(place.read("b.expt") == whole);
    // One that is asked for has the crystal as well.
    assert_eq!(written("-osc 1 --frames 2 -nonoise -intfile b.img --expt part.expt").0, "part.expt");
    let (beside, mut named) = (list(&place, "b.expt"), list(&place, "part.expt"));
    assert_eq!((&beside["crystal"], named["crystal"].as_array().map(Vec::len)), (&json!([]), Some(1)));
    named["crystal"] = json!([]);
    if let Some(experiment) = named["experiment"][0].as_object_mut() {
        experiment.remove("crystal");
    }
    assert_eq!(beside, named);
    // A single image, from its own number; a still has no scan.
    written("-osc 1 -phi 3 -nonoise -intfile run2_007.img --expt single.expt");
    let single = list(&place, "single.expt");
    assert_eq!(single["imageset"][0]["template"], "run2_###.img");
    assert_eq!(single["scan"][0]["image_range"], json!([7, 7]));
    written("-nonoise -intfile run2_007.img --expt still.expt");
    let still = list(&place, "still.expt");
    assert_eq!(still["imageset"][0]["images"], json!(["run2_007.img"]));
    assert_eq!((&still["scan"], &still["goniometer"]), (&json!([]), &json!([])));
    // A series of stills has no template: every image is named.
    written("-floatfile stills.bin --frames 3 -nonoise -intfile stills.img");
    let stills = list(&place, "stills.expt");
    let names = ["stills_00001.img", "stills_00002.img", "stills_00003.img"];
    assert_eq!(stills["imageset"][0]["images"], json!(names));
    assert!(names.iter().all(|name| place.path().join(name).exists()));
    assert_eq!((&stills["scan"], &stills["goniometer"]), (&json!([]), &json!([])));
    // DIALS reads no image without a number: the geometry alone.
    let (_, stderr) = written("-nonoise -intfile image.img --expt geometry.expt");
    assert!(stderr.contains("image.img") && stderr.contains("name_00001.img"), "{stderr}");
    assert_eq!(list(&place, "geometry.expt")["imageset"], json!([]));
}

#[test]
fn a_list_that_cannot_be_written_is_refused_before_anything_is() {
    let place = place();
    let before = place.files();
    for (extra, words) in [
        ("--expt a.img -intfile a.img", "a.img: is also the experiment list"),
        ("--expt F000.hkl -hkl F000.hkl", "is also read"),
        ("--expt nowhere/a.expt", "nowhere"),
        ("-curved_det --expt a.expt", "curved"),
    ] {
        let outcome = place.run_line(&format!("{SMALL} {extra}"));
        assert_eq!(outcome.code, Some(2), "{extra}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(words), "{extra}: no {words} in {}", outcome.stderr);
        assert_eq!(place.files(), before, "{extra}");
    }
    let curved = place.run_line(&format!("{SMALL} -curved_det -osc 1 --frames 2 --json")).well();
    assert_eq!(curved.json()["experiment_list"], Value::Null);
    assert!(warnings(&curved)[0].contains("curved"), "{}", curved.stderr);
}

#[test]
fn a_header_of_an_ordinary_line_has_512_bytes() {
    let place = place();
    let lines = [
        "-detpixels 64",
        "-detpixels 1024 -roi 0 9 0 9 -phi 120 -osc 0.25",
        "-detpixels_x 2463 -detpixels_y 2527 -roi 0 9 0 9 -pixel 0.172 -distance 231.27 -lambda 0.976794 -phi 45.5 -osc 0.1",
        "-detpixels_x 2463 -detpixels_y 2527 -roi 0 9 0 9 -pixel 0.172 -distance 231.272 -lambda 0.976794 -phi 145.55 \
         -osc 0.1 -Xbeam 217.743 -Ybeam 212.345",
        "-detpixels 3072 -roi 0 9 0 9 -pixel 0.102592 -distance 250 -lambda 1.54178 -adxv -Xbeam 157.6 -Ybeam 157.4 -adc 10",
    ];
    for line in lines {
        for style in ["readers", "reference"] {
            let summary = place
                .run_line(&format!("{SMALL} {line} -oversample 1 -nonoise -intfile i.img --header {style}"))
                .well()
                .stdout;
            let is_long = summary.contains("SMV header   1024 bytes");
            assert_eq!(keys(&place, "i.img")["HEADER_BYTES"], if is_long { "1024" } else { "512" }, "{line}");
            assert!(
                style == "reference" || !is_long,
                "{line}: {}",
                String::from_utf8_lossy(&place.read("i.img")[..700])
            );
        }
    }
    let long = place
        .run_line(&format!("{SMALL} -detector_rotx 12.3456 -detector_roty 3.21 -nonoise -intfile i.img"))
        .well()
        .stdout;
    assert!(long.contains("SMV header   1024 bytes: the pixels begin there, not at 512"), "{long}");
    assert_eq!(place.read("i.img").len(), 1024 + 2 * 64 * 64);
}

/// nanoBragg divides by the cosine of the tilt without the swing: 112.763 for 120 mm.
#[test]
fn the_distance_along_the_beam_of_a_swung_detector() {
    let place = place();
    let line = format!("{SMALL} -distance 120 -twotheta 20 -Xbeam 2 -Ybeam 3 -intfile i.img -nonoise");
    let text = place.run_line(&line).well().stdout;
    assert!(text.contains("distance     120 mm along the beam, 112.763 mm along the normal"), "{text}");
    assert!(text.contains("beam centre  X 2 Y 3 mm; along fast 3.05 slow 2.05 mm;"), "{text}");
    let read = keys(&place, "i.img");
    assert_eq!((read["DISTANCE"].as_str(), read["TWOTHETA"].as_str()), ("120", "20"));
    assert!((number(&read, "CLOSE_DISTANCE") - 120.0 * 20.0_f64.to_radians().cos()).abs() < 1e-3);
    let summary = place.run_line(&format!("{line} --header reference --json")).well().json();
    assert!((summary["distance_m"].as_f64().expect("a length") - 0.12).abs() < 1e-12);
    assert_eq!(keys(&place, "i.img")["DISTANCE"], "112.763");
    // A beam that misses the plane of the detector.
    let missed = place.run_line(&format!("{SMALL} -dials -twotheta 95 -nonoise --json")).well();
    assert!(missed.stderr.contains("the beam does not meet the detector"), "{}", missed.stderr);
    assert_eq!((&missed.json()["distance_m"], &missed.json()["Fbeam_m"]), (&Value::Null, &Value::Null));
}

#[test]
fn names_that_dials_cannot_read_get_a_suggestion() {
    let place = place();
    let suggestion = |extra: &str| {
        let text = place.run_line(&format!("{SMALL} {extra}")).well().stdout;
        text.lines().find_map(|line| line.strip_prefix("for DIALS    ")).map(str::to_owned)
    };
    let both = "name images with a number: -intfile name_00001.img or -noisefile name_00001.img";
    assert_eq!(suggestion("").as_deref(), Some(both));
    let one = "name images with a number: -intfile name_00001.img";
    assert_eq!(suggestion("-noisefile n_1.img").as_deref(), Some(one));
    assert_eq!(suggestion("-noisefile n_1.img -intfile i_1.img"), None);
    assert_eq!(suggestion("-osc 1 --frames 2").as_deref(), Some("noiseimage.expt"));
    assert_eq!(suggestion("--quiet"), None);
}
