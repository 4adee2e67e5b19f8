//! Command lines and files that users of nanoBragg have, with what it makes of them (`golden/cases`).

use std::fs;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use widebragg_tests::golden;
use widebragg_tests::program::Workplace;

/// A file of `golden/cases`.
fn case(name: &str) -> Vec<u8> {
    let path = golden::root().join("cases").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `printout.txt` is all that nanoBragg prints for this line.
#[test]
fn printed_pixels_have_the_words_and_columns_of_nanobragg() {
    let line = "-default_F 100 -cell 100 100 100 90 90 90 -lambda 1 -N 5 -detpixels 6 -pixel 1 -oversample 1 \
                -nonoise -printout";
    let expected = String::from_utf8(case("printout.txt")).expect("a text");
    let (_, expected) = expected.split_once("pixel oversample steps\n").expect("the first pixel");
    let (expected, _) = expected.split_once("\n\n").expect("the last pixel");
    assert_eq!(expected.lines().count(), 36 * 14);
    let printed = Workplace::empty().run_line(line).well().stdout;
    let start = printed.find("   0    0 : stol").unwrap_or_else(|| panic!("no pixel in {printed}"));
    for (at, (printed, expected)) in printed[start..].lines().zip(expected.lines()).enumerate() {
        assert_eq!(printed, expected, "line {at} of the pixels");
    }
}

#[test]
fn lists_of_reflections_may_end_their_lines_and_themselves_in_any_way() {
    let line =
        "-cell 30 30 30 90 90 90 -N 6 -detpixels 40 -pixel 1 -oversample 1 -nointerpolate -nonoise -nopgm";
    let place = Workplace::empty();
    let image = |list: &[u8]| {
        fs::write(place.path().join("P1.hkl"), list).expect("the list");
        place.run_line(&format!("{line} -hkl P1.hkl")).well();
        place.read("floatimage.bin")
    };
    let lines = image(&case("lf.hkl"));
    assert!(image(&case("cr.hkl")) == lines);
    assert!(image(&case("ctrl_z.hkl")) == image(b"0 0 1 50\n0 1 0 60\n1 0 0 70\n"));
    let two = b"0 0 1 50\n0 1 0 60\n";
    assert!(image(&case("end.hkl")) == image(two));
    assert!(image(&case("shelx_tail.hkl")) == image(&[two, &b"0 0 0 0\n"[..]].concat()));
    assert!(image(b"0 0 1 50\n") != lines);
}

/// Both took time that grew with the square of the number of words.
#[test]
fn many_stray_words_and_many_names_take_no_longer_than_they_are() {
    let place = Workplace::with_inputs();
    let mut words: Vec<String> =
        (0..20_000).flat_map(|i| ["-curved_det".to_owned(), format!("word{i}")]).collect();
    words.push("-nowhere".to_owned());
    let started = Instant::now();
    assert_eq!(place.run(&words).code, Some(2));
    let taps = |name: &str| (0..50_000).map(|i| format!("TRACE_C: {name}{i} 1\n")).collect::<String>();
    for (file, name) in [("a.txt", "ours"), ("b.txt", "theirs")] {
        fs::write(place.path().join(file), format!("TRACE_C: both 1\n{}", taps(name))).expect("a trace");
    }
    let outcome = place.run(["trace-diff", "a.txt", "b.txt"]).well();
    assert!(outcome.stdout.contains("theirs49999"));
    let seconds = started.elapsed().as_secs_f64();
    assert!(seconds < 20.0, "{seconds} s");
}

/// Each of these used to end with exit code 0 and one file fewer.
#[cfg(unix)]
#[test]
fn no_file_replaces_another_one_of_the_same_run() {
    let place = Workplace::with_inputs();
    let line = "-mat tri.mat -hkl sparse.hkl -detpixels 16 -N 3 -oversample 1 -seed 1 --quiet";
    let at = |name: &str| place.path().join(name);
    fs::create_dir(at("d")).expect("a folder");
    place.write("old.bin", "old");
    for (link, target) in [("link.bin", "old.bin"), ("to_list", "sparse.hkl"), ("dangling", "nothing")] {
        std::os::unix::fs::symlink(target, at(link)).expect("a link");
    }
    let lists = ["sparse.hkl", "tri.mat"].map(|name| place.read(name));
    let before = place.files();
    for (words, message) in [
        ("-floatfile x -intfile d/../x", "two images under one name"),
        ("-floatfile old.bin -intfile link.bin", "two images under one name"),
        ("-floatfile Fdump.bin", "-floatfile: Fdump.bin: is also the dump of structure factors (-dump)"),
        ("-intfile D.bin -dump d/../D.bin", "is also the dump of structure factors (-dump)"),
        ("-floatfile sparse.hkl", "-floatfile: sparse.hkl: is also read (-hkl)"),
        ("-pgmfile to_list", "-pgmfile: to_list: is also read (-hkl)"),
        ("-noisefile tri.mat", "-noisefile: tri.mat: is also read (-mat)"),
        ("-dump sparse.hkl", "-dump: sparse.hkl: is also read (-hkl)"),
        ("--cbf dangling", "--cbf: dangling: is a dangling symbolic link"),
    ] {
        let outcome = place.run_line(&format!("{line} {words}")).refused(words);
        assert!(outcome.stderr.contains(message), "{words}: {}", outcome.stderr);
        assert_eq!(place.files(), before, "{words}");
    }
    assert_eq!(["sparse.hkl", "tri.mat"].map(|name| place.read(name)), lists);
    // A file that is replaced keeps its permissions.
    fs::set_permissions(at("old.bin"), PermissionsExt::from_mode(0o640)).expect("permissions");
    place.run_line(&format!("{line} -floatfile link.bin -noisefile /dev/null -pgmfile /dev/null")).well();
    assert_eq!(fs::metadata(at("old.bin")).expect("the image").permissions().mode() & 0o777, 0o640);
    assert_eq!(place.read("old.bin").len(), 16 * 16 * 4);
}

/// Options of the images whose headers are read back.
const CRYSTAL: &str =
    "-default_F 10 -cell 50 50 40 90 90 90 -misset 10 20 30 -N 8 -oversample 1 -nonoise -nopgm --quiet";
const DETECTOR: &str = "-detpixels_x 60 -detpixels_y 80 -pixel 0.5 -distance 70 -lambda 1.1";
const AXES: &str = "-fdet_vector 0 0 1 -sdet_vector 0 -1 0 -beam_vector 1 0 0";

/// The largest difference of two images, as a part of the maximum of the first one.
fn apart(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    let most = one.iter().copied().fold(0.0, f32::max);
    one.iter().zip(other).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max) / most
}

/// An image rendered from the header of its own SMV image is the same image: bit for bit where six digits hold the
/// geometry, else to what they hold. In c-parity a swung detector of nanoBragg's header is what nanoBragg takes it for.
#[test]
fn the_header_of_an_own_image_gives_its_geometry_in_every_convention() {
    let sample = format!("{AXES} -pivot sample");
    let conventions = [
        ("-mosflm", "-Xbeam 12 -Ybeam 18", false),
        ("-denzo", "-Xbeam 12 -Ybeam 18", false),
        ("-adxv", "-Xbeam 12 -Ybeam 18", false),
        ("-xds", "-ORGX 25 -ORGY 37", true),
        ("-dials", "-ORGX 25 -ORGY 37", true),
        (AXES, "-Xbeam 12 -Ybeam 18", false),
        (&sample, "-ORGX 25 -ORGY 37 -pivot sample", true),
    ];
    let place = Workplace::empty();
    let render = |line: &str| place.run_line(&format!("{CRYSTAL} {line}")).well();
    for (convention, centre, pivots_at_sample) in conventions {
        for header in ["readers", "reference"] {
            for (turned, most) in
                [("", 0.0), ("-twotheta 15", 1e-3), ("-detector_rotx 3 -detector_roty 2", 1e-3)]
            {
                for mode in ["spec", "c-parity"] {
                    let own = format!("{convention} {turned} --phi-carryover-mode {mode}");
                    render(&format!(
                        "{DETECTOR} {centre} {own} --header {header} -floatfile a.bin -intfile a.img"
                    ));
                    let said = render(&format!("-img a.img {own} -floatfile b.bin -intfile b.img")).stderr;
                    let is_lost = (mode, header) == ("c-parity", "reference")
                        && turned.contains("-twotheta")
                        && !pivots_at_sample;
                    // The swing of vectors is about y here, along the slow axis, so that nothing is lost.
                    let is_lost = is_lost && convention != AXES;
                    let apart = apart(&place.float("a.bin"), &place.float("b.bin"));
                    assert!((apart <= most) != is_lost, "{own} --header {header}: {apart:e}");
                    assert!(!is_lost || said.contains("as in nanoBragg"), "{own}: {said}");
                }
            }
        }
    }
    // The swing itself is not applied, as in nanoBragg, but said.
    render(&format!("{DETECTOR} -xds -twotheta 15 -intfile a.img"));
    let said = render("-img a.img -xds").stderr;
    assert!(said.contains("-img: a.img: its TWOTHETA is not applied: -twotheta 15"), "{said}");
    // The convention may be another one than that of the image: the beam stays where it is.
    render(&format!("{DETECTOR} -xds -ORGX 25 -ORGY 37 -intfile a.img"));
    render("-img a.img -adxv -floatfile a.bin -intfile b.img");
    render(&format!("{DETECTOR} -adxv -Xbeam 12.25 -Ybeam 21.75 -floatfile b.bin -intfile b.img"));
    assert_eq!(place.float("a.bin"), place.float("b.bin"));
}

/// A distance on the command line replaces that of the header; in c-parity, as in nanoBragg, it does not if the
/// header has CLOSE_DISTANCE.
#[test]
fn the_command_line_has_the_last_word_on_the_distance() {
    let place = Workplace::empty();
    let render = |line: &str| place.run_line(&format!("{CRYSTAL} {line}")).well();
    render(&format!("{DETECTOR} -intfile a.img"));
    let said = render("-img a.img -distance 90 -floatfile a.bin").stderr;
    render(&format!("{DETECTOR} -distance 90 -floatfile b.bin"));
    assert_eq!(place.float("a.bin"), place.float("b.bin"));
    assert!(!said.contains("-distance"), "{said}");
    let said = render("-img a.img -distance 90 --phi-carryover-mode c-parity").stderr;
    assert!(said.contains("-distance has no effect, as in nanoBragg"), "{said}");
}

/// `nanobragg_xds.img` was written by nanoBragg with -xds, `nanobragg_xds.f32` is what it renders with -img of it.
#[test]
fn an_image_of_nanobragg_gives_its_origin() {
    let place = Workplace::empty();
    place.write("nanobragg_xds.img", case("nanobragg_xds.img"));
    place.write("nanobragg_xds.f32", case("nanobragg_xds.f32"));
    let expected = place.float("nanobragg_xds.f32");
    for mode in ["spec", "c-parity"] {
        let line = format!("{CRYSTAL} -img nanobragg_xds.img --phi-carryover-mode {mode} -floatfile a.bin");
        place.run_line(&format!("{line} -xds")).well();
        let found = place.float("a.bin");
        let same = found.iter().zip(&expected).filter(|(x, y)| x.to_bits() == y.to_bits()).count();
        assert!(same * 1000 >= found.len() * 999 && apart(&expected, &found) < 1e-6, "{mode}: {same}");
        // With another convention, nanoBragg takes BEAM_CENTER for something that it is not.
        place.run_line(&format!("{line} -adxv")).well();
        let is_true = mode == "spec";
        let by_hand = if is_true { "-Xbeam 12.25 -Ybeam 21.75" } else { "-Xbeam 12.25 -Ybeam 18.25" };
        place.run_line(&format!("{CRYSTAL} {DETECTOR} -adxv {by_hand} -floatfile b.bin")).well();
        assert_eq!(place.float("a.bin"), place.float("b.bin"), "{mode}");
    }
}

/// Headers of real detectors, with other pixels than ours or none: `nan_values.img`, `nested_braces.img` and
/// `header_only.img`.
#[test]
fn headers_of_real_detectors_give_their_geometry() {
    let place = Workplace::empty();
    for (name, geometry) in [
        (
            "nan_values.img",
            "-detpixels 64 -pixel 0.5 -distance 850 -lambda 0.025 -osc 0.868 -Xbeam 0 -Ybeam 0",
        ),
        ("nested_braces.img", "-detpixels 64 -pixel 0.5 -distance 80 -lambda 1.2 -Xbeam 15 -Ybeam 16"),
        (
            "header_only.img",
            "-detpixels 64 -pixel 0.502592 -distance 99.98 -lambda 0.97934 -phi 342 -osc 1 -Xbeam 14.96 -Ybeam 15.91",
        ),
    ] {
        place.write(name, case(name));
        for mode in ["spec", "c-parity"] {
            let run = |line: &str| {
                place.run_line(&format!("{CRYSTAL} --phi-carryover-mode {mode} {line} -phisteps 2")).well();
            };
            run(&format!("-img {name} -floatfile a.bin"));
            run(&format!("{geometry} -floatfile b.bin"));
            assert_eq!(place.float("a.bin"), place.float("b.bin"), "{name} {mode}");
        }
    }
    let header = |keys: &str| place.write("own.img", format!("{{\n{keys}\n}}\n"));
    let rendered = |line: &str| {
        let said = place.run_line(&format!("{CRYSTAL} {line} -floatfile a.bin")).well().stderr;
        (place.float("a.bin"), said)
    };
    // Sizes may come from the command line, numbers may have a unit, and TYPE does not matter.
    header(
        "TYPE=long_integer;\nPIXEL_SIZE=0.5 mm;\nDISTANCE=70mm;\nWAVELENGTH=1.1 A;\nMOSFLM_CENTER_X=unknown;\nBEAM_CENTER_X=12;\nBEAM_CENTER_Y=18;",
    );
    let (expected, _) = rendered(&format!("{DETECTOR} -Xbeam 12 -Ybeam 18"));
    assert_eq!(rendered("-img own.img -detpixels_x 60 -detpixels_y 80").0, expected);
    for (keys, line, warning) in [
        (
            "DISTANCE=0.07 m;\nSIZE1=9;\nSIZE2=9;",
            "-distance 70",
            "-img: own.img: DISTANCE is read in mm: its unit m is not converted",
        ),
        ("SIZE1=9;\nBEAM_CENTER_X=2;\nBEAM_CENTER_Y=2;", "-detsize 0.9", "its header has no SIZE1 and SIZE2"),
        ("SIZE1=9;\nSIZE2=9;", "", "-img: own.img: its header has no beam centre for the convention MOSFLM"),
        (
            "SIZE1=9;\nSIZE2=9;\nBEAM_CENTER_X=2;\nBEAM_CENTER_Y=2;",
            "-dials",
            "-img: own.img: its header has no XDS_ORGX and XDS_ORGY",
        ),
    ] {
        header(keys);
        let (_, said) = rendered(&format!("-img own.img {line}"));
        assert!(said.contains(warning) != (line == "-detsize 0.9"), "{keys}: {said}");
    }
    header("SIZE1=9;\nSIZE2=9;\nDISTANCE=far;");
    let outcome = place.run_line(&format!("{CRYSTAL} -img own.img")).refused("DISTANCE=far");
    assert!(
        outcome.stderr.contains("-img: own.img: DISTANCE: \"far\" is not a number"),
        "{}",
        outcome.stderr
    );
}
