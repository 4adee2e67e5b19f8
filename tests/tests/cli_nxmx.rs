//! `--nxmx`: one file of all frames, whoever makes them and in whatever order, with their geometry and what they were
//! computed from.

use core::time::Duration;
use std::process::Stdio;
use std::{fs, thread};

use serde_json::Value;
use widebragg_formats::geometry::{Frame, Geometry};
use widebragg_formats::nxmx::read_nxmx_geometry;
use widebragg_tests::program::Workplace;

const SERIES: &str = "-mat tri.mat -hkl sparse.hkl -lambda 1.2 -pixel 0.4 -detpixels_x 32 -detpixels_y 24 -N 6 \
    -oversample 2 -phi -0.5 -osc 0.5 -phisteps 3 -seed 7 -fluence 1e30 -nopgm -floatfile f.bin -intfile i.img \
    -noisefile n.img --nxmx all.nxs";

/// Whether frame `frame` of `all.nxs` and another image are the same, bit for bit.
fn assert_same(place: &Workplace, frame: usize, image: &str) {
    let report = place.run_line(&format!("compare all.nxs:{frame} {image} --json --out same")).well().json();
    assert!(report["a"]["max"].as_f64().is_some_and(|most| most > 10.0), "{report}");
    assert_eq!(
        (&report["bit_identical_fraction"], &report["excluded_pixels"]),
        (&1.0.into(), &0.into()),
        "{report}"
    );
}

#[test]
fn frames_are_those_of_the_other_images() {
    for compression in ["gzip", "bslz4", "none"] {
        let place = Workplace::with_inputs();
        let line = format!("{SERIES} --frames 3 --nxmx-compression {compression}");
        place.run_line(&format!("{line} --noise-cbf n.cbf")).well();
        for frame in 0..3 {
            assert_same(&place, frame, &format!("n_0000{}.cbf", frame + 1));
        }
        let place = Workplace::with_inputs();
        place.run_line(&format!("{line} -nonoise")).well();
        for frame in 0..3 {
            assert_same(&place, frame, &format!("f_0000{}.bin", frame + 1));
        }
    }
}

/// The pixels of the file are chosen apart from the other images, and a series may have a file of each kind.
#[test]
fn the_data_can_be_chosen() {
    let place = Workplace::with_inputs();
    let line = format!("{SERIES} --frames 2 --noise-cbf n.cbf");
    let data = |line: &str| {
        let report = place.run_line(&format!("{line} --json")).well().json();
        report["nxmx"]["data"].as_str().expect("a kind").to_owned()
    };
    assert_eq!(data(&format!("{line} --nxmx-data photons")), "photons");
    assert_same(&place, 1, "f_00002.bin");
    assert_eq!(data(&format!("{line} --resume --nxmx noise.nxs")), "noise");
    place.run_line("compare noise.nxs:1 n_00002.cbf --threshold 1").well();
    for (images, unit) in [
        ("all.nxs:1 f_00002.bin", "photons/pixel"),
        ("noise.nxs:1 n_00002.cbf", "counts/pixel"),
        ("all.nxs:1 noise.nxs:1", "value/pixel"),
    ] {
        let report = place.run_line(&format!("compare {images} --json")).well().json();
        assert_eq!(report["unit"], unit, "{images}");
    }
    // The same name, for the other kind: the older file is replaced.
    let outcome = place.run_line(&format!("{line} --resume --nxmx noise.nxs --nxmx-data photons")).well();
    assert!(
        outcome.stderr.contains("noise.nxs: not a readable file of this series; it is replaced"),
        "{}",
        outcome.stderr
    );
    place.run_line("compare noise.nxs:1 f_00002.bin --threshold 1").well();

    let place = Workplace::with_inputs();
    let line = format!("{SERIES} --frames 2 -nonoise --noise-cbf n.cbf --nxmx-data noise");
    let said = place.run_line(&format!("{line} --log summary")).well().stdout;
    assert!(said.contains("all.nxs, 2 frames of counts with noise"), "{said}");
    assert_same(&place, 0, "n_00001.cbf");
    let outcome = place.run_line(&line.replace("--nxmx all.nxs", "--resume"));
    assert!(outcome.stderr.contains("--nxmx-data has no effect without --nxmx"), "{}", outcome.stderr);
}

#[test]
fn jobs_share_a_series_and_the_last_writes_the_file() {
    let place = Workplace::with_inputs();
    let line = format!("{SERIES} --frames 4 --noise-cbf n.cbf");
    let parts = || fs::read_dir(place.path().join("all.nxs.parts")).map_or(0, Iterator::count);
    let report = place.run_line(&format!("{line} --frame-range 3:4 --json")).well().json();
    assert_eq!((&report["nxmx"]["complete"], parts()), (&false.into(), 2));
    assert!(!place.path().join("all.nxs").exists());
    let outcome = place.run_line(&format!("{line} --frame-range 1:1 --resume --log summary")).well();
    assert!(
        outcome.stdout.contains("all.nxs is written once all 4 frames are in all.nxs.parts"),
        "{}",
        outcome.stdout
    );
    // A frame whose part is lost is rendered again, though its other files are there.
    fs::remove_file(place.path().join("all.nxs.parts/000003.part")).expect("a part");
    let outcome = place.run_line(&format!("{line} --resume --log summary")).well();
    assert!(outcome.stderr.contains("--resume: 2 finished frames kept"), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("all.nxs, 4 frames"), "{}", outcome.stdout);
    assert!(!place.path().join("all.nxs.parts").exists());
    for frame in 0..4 {
        assert_same(&place, frame, &format!("n_0000{}.cbf", frame + 1));
    }
    let before = place.files();
    let outcome = place.run_line(&format!("{line} --resume")).well();
    assert!(outcome.stderr.contains("nothing to do, 4 finished frames kept"), "{}", outcome.stderr);
    assert!(place.files() == before);
    let other = place.run_line(&format!("{line} -N 7 --resume"));
    assert!(other.stderr.contains("-N 6, now -N 7"), "{}", other.stderr);
}

/// A killed process runs nothing more: what it leaves are whole frames, and an older file as it was.
#[cfg(unix)]
#[test]
fn a_killed_series_is_resumed() {
    let place = Workplace::with_inputs();
    place.write("all.nxs", b"old");
    let line = format!("{SERIES} --frames 40 --noise-cbf n.cbf");
    let parts = || {
        let found = fs::read_dir(place.path().join("all.nxs.parts")).into_iter().flatten().flatten();
        found.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "part")).count()
    };
    let mut child = place
        .command(line.split_whitespace())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a run");
    while parts() < 2 {
        assert_eq!(child.try_wait().expect("a state"), None, "it ended before it could be killed");
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("a signal");
    child.wait().expect("a state");
    let kept = parts();
    assert!((2..40).contains(&kept), "{kept}");
    assert_eq!(place.read("all.nxs"), b"old");
    let report = place.run_line(&format!("{line} --resume --json")).well().json();
    assert_eq!(report["nxmx"]["complete"], true);
    // The last frame that was begun may have a part, but not all of its other files.
    let rendered = report["images"].as_array().expect("images").len();
    assert!(40 - rendered + 1 >= kept && rendered < 40, "{rendered} {kept}");
    for frame in [0, 1, kept, 39] {
        assert_same(&place, frame, &format!("n_{:05}.cbf", frame + 1));
    }
}

/// Frames that are damaged, in a part or in the file, are rendered again, and a file is not replaced by a shorter one.
#[test]
fn what_is_damaged_is_rendered_again() {
    let place = Workplace::with_inputs();
    let line = |rest: &str| format!("{SERIES} -nonoise {rest}");
    let resumed = |rest: &str| place.run_line(&line(&format!("--resume {rest}"))).well();
    place.run_line(&line("--frames 4 --frame-range 1:2")).well();
    let part = place.path().join("all.nxs.parts/000002.part");
    let bytes = fs::read(&part).expect("a part");
    fs::write(&part, &bytes[..bytes.len() - 9]).expect("a part");
    let outcome = resumed("--frames 4");
    assert!(
        outcome.stderr.contains("--nxmx: all.nxs.parts: damaged, to be made again: frame 2\n"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("--resume: 1 finished frames kept"), "{}", outcome.stderr);

    let bytes = place.read("all.nxs");
    place.write("all.nxs", &bytes[..bytes.len() - 300]);
    assert!(resumed("--frames 4").stderr.contains("all.nxs: not a readable file of this series"));
    for frame in 0..4 {
        assert_same(&place, frame, &format!("f_0000{}.bin", frame + 1));
    }

    let bytes = place.read("all.nxs");
    let outcome = resumed("--frames 2 --log summary");
    assert!(outcome.stderr.contains("nothing to do, 2 finished frames kept"), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("all.nxs, 4 frames"), "{}", outcome.stdout);
    let anew = place.run_line(&line("--frames 2"));
    assert_eq!(anew.code, Some(2));
    assert!(
        anew.stderr.contains("has 4 frames of this series, and would be shortened to 2"),
        "{}",
        anew.stderr
    );
    assert!(place.read("all.nxs") == bytes);
    resumed("--frames 5");
    assert_same(&place, 4, "f_00005.bin");
}

/// The NXmx file changes no other image, so it may be asked for later.
#[test]
fn a_series_can_get_its_file_later() {
    let place = Workplace::with_inputs();
    let without = SERIES.replace("--nxmx all.nxs", "-nonoise --frames 2");
    place.run_line(&without).well();
    let outcome =
        place.run_line(&format!("{without} --resume --nxmx all.nxs --nxmx-compression none")).well();
    let expected = "--nxmx: 2 finished frames are rendered again, since the file does not have them";
    assert!(outcome.stderr.contains(expected), "{}", outcome.stderr);
    assert_same(&place, 1, "f_00002.bin");
    let outcome = place.run_line(&format!("{without} --resume --nxmx all.nxs")).well();
    assert!(
        outcome.stderr.contains("--nxmx: all.nxs: complete, and keeps its compression"),
        "{}",
        outcome.stderr
    );
    let outcome = place.run_line(&format!("{without} --resume --nxmx-compression gzip")).well();
    assert!(outcome.stderr.contains("--nxmx-compression has no effect without --nxmx"), "{}", outcome.stderr);
}

#[test]
fn files_of_some_frames_have_a_master() {
    let place = Workplace::with_inputs();
    let line = format!("{SERIES} -nonoise --frames 5 --nxmx-frames-per-file 2");
    place.run_line(&format!("{line} --frame-range 3:5")).well();
    assert!(place.path().join("all_data_000002.nxs").exists() && !place.path().join("all.nxs").exists());
    let outcome = place.run_line(&format!("{line} --resume --evidence kept --log summary")).well();
    assert!(outcome.stdout.contains("all.nxs, 5 frames"), "{}", outcome.stdout);
    assert!(place.path().join("kept/all_data_000003.nxs").exists());
    for frame in 0..5 {
        assert_same(&place, frame, &format!("f_0000{}.bin", frame + 1));
    }
    place.run_line("compare all_data_000003.nxs f_00005.bin --threshold 1").well();
}

#[test]
fn a_file_in_the_place_of_the_parts_is_refused_before_anything_is_rendered() {
    let place = Workplace::with_inputs();
    place.write("all.nxs.parts", b"text");
    let outcome = place.run_line(&format!("{SERIES} --frames 2"));
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    let error = outcome.stderr.lines().last().unwrap_or_default();
    assert_eq!(error, "widebragg: --nxmx: all.nxs.parts: not a folder; frames are kept in one of this name");
    assert!(!place.path().join("f_00001.bin").exists());
}

/// Leftovers of a series whose record is gone are not mixed with another one.
#[test]
fn parts_of_another_series_are_refused() {
    let place = Workplace::with_inputs();
    place.run_line(&format!("{SERIES} --frames 2 --frame-range 1:1")).well();
    for name in place.files().into_keys().filter(|name| name.ends_with(".series.json")) {
        fs::remove_file(place.path().join(name)).expect("a record");
    }
    let outcome = place.run_line(&format!("{SERIES} -N 7 --frames 2 --frame-range 2:2"));
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("000001.part: a frame of another series; remove "), "{}", outcome.stderr);
}

fn geometry(place: &Workplace, line: &str) -> Geometry {
    place.run_line(line).well();
    read_nxmx_geometry(&place.path().join("all.nxs")).expect("a geometry")
}

#[test]
fn the_geometry_is_that_of_the_run() {
    let place = Workplace::with_inputs();
    let line = format!("{SERIES} --frames 2 -mosflm -distance 120 -twotheta 10 -polar 0.9 -exposure 0.5");
    let read = geometry(&place, &line);
    // The geometry tests of the formats and of --json have the details; here are those that the run decides.
    let report = place.run_line(&format!("{line} --resume --json")).well().json();
    let stated = |key: &str| -> Vec<f64> {
        report[key].as_array().expect(key).iter().map(|number| number.as_f64().expect(key)).collect()
    };
    // MOSFLM's laboratory has the beam along x and the spindle along z.
    let turned = |v: Vec<f64>| [-v[2], v[1], v[0]];
    let panel = &read.panels[0];
    let worst = |found: [f64; 3], expected: [f64; 3]| {
        (0..3).map(|i| (found[i] - expected[i]).abs()).fold(0.0, f64::max)
    };
    assert!(worst(panel.origin_m, turned(stated("pix0_m"))) < 1e-12);
    assert!(worst(panel.fast, turned(stated("fast_axis"))) < 1e-12);
    assert!(worst(panel.slow, turned(stated("slow_axis"))) < 1e-12);
    assert_eq!((read.frame, panel.pixels, read.spindle), (Frame::McStas, [32, 24], Some([-1.0, 0.0, 0.0])));
    let scan = read.scan.expect("a scan");
    assert_eq!((scan.frames, scan.exposure_s), (2, Some(0.5)));
    assert!((scan.start_deg + 0.5).abs() < 1e-12 && (scan.width_deg - 0.5).abs() < 1e-12);
    assert!((read.beam.lambda_m.expect("a wavelength") - 1.2e-10).abs() < 1e-24);
    assert!((read.beam.polarization.expect("a polarisation").kahn_factor - 0.9).abs() < 1e-12);
    // The cell of the A matrix is that of the run: |a*| = |column 0|.
    let crystal = read.crystal.expect("a crystal");
    let expected = fs::read_to_string(place.path().join("tri.mat")).expect("a matrix");
    let numbers: Vec<f64> =
        expected.split_whitespace().take(9).map(|word| word.parse().expect("a number")).collect();
    for column in 0..3 {
        let length = |of: &dyn Fn(usize) -> f64| (0..3).map(|row| of(row).powi(2)).sum::<f64>().sqrt();
        let here = length(&|row| crystal.a_matrix[row][column]);
        let there = length(&|row| numbers[3 * row + column]) / 1.2;
        assert!((here / there - 1.0).abs() < 1e-6, "{column}: {here} {there}");
    }
}

#[test]
fn what_is_not_rendered_is_a_gap() {
    let place = Workplace::with_inputs();
    let line = "-cell 50 60 70 90 90 90 -default_F 50 -N 5 -lambda 1 -detpixels 20 -oversample 1 -seed 1 -nopgm -nonoise \
        -fluence 1e25 -roi 3 7 5 15 --nxmx all.nxs";
    let still = geometry(&place, line);
    let said = place.run_line(&format!("{line} --log summary")).well().stdout;
    // DIALS reads the file, and the time of 55 steps says nothing of one.
    assert!(!said.contains("name images with a number") && !said.contains("ns per step"), "{said}");
    assert_eq!((still.scan, still.spindle), (None, None));
    let report = place.run_line("compare all.nxs floatimage.bin --json").well().json();
    assert_eq!(report["compared_pixels"], 5 * 11);
    assert_eq!(report["bit_identical_fraction"], 1.0);
}

#[test]
fn derivatives_and_evidence_take_frames() {
    let place = Workplace::with_inputs();
    let crystal =
        "-default_F 100 -mat tri.mat -lambda 1.2 -pixel 0.2 -detpixels 40 -N 7 -oversample 1 -fluence 1e27";
    place
        .run_line(&format!("{crystal} -misset 0.1 0 0 -nonoise -nopgm -floatfile f.bin --nxmx all.nxs"))
        .well();
    let loss = |data: &str| {
        let report =
            place.run_line(&format!("gradient {crystal} --wrt scale --against {data}")).well().json();
        report["loss"].as_f64().expect("a loss")
    };
    assert!(loss("f.bin") > 0.0);
    assert_eq!(loss("all.nxs:0"), loss("f.bin"));
    place.run_line("compare all.nxs:/entry/data/data:0 f.bin --evidence kept").well();
    let kept: Value = serde_json::from_slice(&place.read("kept/env.json")).expect("JSON");
    let input = &kept["inputs"][0];
    assert!(input["path"] == "all.nxs" && input["sha256"].is_string(), "{kept}");
}

#[test]
fn a_curved_detector_and_bad_names_are_refused() {
    let place = Workplace::with_inputs();
    let error = |line: &str| {
        let outcome = place.run_line(&format!(
            "-cell 50 60 70 90 90 90 -default_F 50 -N 5 -lambda 1 -detpixels 20 -nopgm {line}"
        ));
        assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
        // Warnings may come before.
        outcome.stderr.lines().last().unwrap_or_default().to_owned()
    };
    assert!(error("-curved_det --nxmx a.nxs").contains("--nxmx: a.nxs: NXmx cannot hold a curved detector"));
    assert!(error("--nxmx none/a.nxs").contains("--nxmx"));
    assert!(error("--nxmx a.bin -floatfile a.bin").contains("--nxmx"));
    assert!(error("--nxmx /dev/null").contains("this format needs an ordinary file"));
}
