//! Rotation series: every frame equals the single run at its phi with the scales of the series. Series that are
//! rendered in parts, killed, resumed or extended have the same files, and no two series mix.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::time::{Instant, SystemTime};

use serde_json::{Value, json};
use widebragg_tests::fault::{has, run_script};
use widebragg_tests::program::{Workplace, smv_parts};

/// Phi is 0 at the start of the second frame, where the carryover matters. The reference's header does not
/// contain the time.
const SERIES: &str = "-mat tri.mat -hkl sparse.hkl -lambda 1.2 -pixel 0.4 -detpixels 32 -N 6 -oversample 5 \
    -phi -0.5 -osc 0.5 -phisteps 3 -seed 7 -floatfile name.bin -intfile name.img -noisefile noise.img \
    -pgmfile name.pgm --png name.png --header reference";

/// The record of the series, beside its float images.
const RECORD: &str = "name.bin.series.json";

/// The names of the files of a frame.
fn names(frame: usize) -> [String; 5] {
    [("name", "bin"), ("name", "img"), ("noise", "img"), ("name", "pgm"), ("name", "png")]
        .map(|(stem, extension)| format!("{stem}_{frame:05}.{extension}"))
}

/// The numbered files of a series in a folder.
fn frames(place: &Workplace) -> BTreeMap<String, Vec<u8>> {
    place.files().into_iter().filter(|(name, _)| name.contains("_000")).collect()
}

/// The files of a series that one command renders.
fn whole(line: &str) -> BTreeMap<String, Vec<u8>> {
    let place = Workplace::with_inputs();
    place.run_line(line).well();
    frames(&place)
}

fn modified(place: &Workplace) -> BTreeMap<String, SystemTime> {
    let time = |name: &String| fs::metadata(place.path().join(name)).and_then(|m| m.modified());
    frames(place).into_keys().map(|name| (name.clone(), time(&name).expect("a time"))).collect()
}

fn assert_same(found: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, content) in found {
        assert!(*content == expected[name], "{name}");
    }
}

fn record(place: &Workplace) -> Value {
    serde_json::from_slice(&place.read(RECORD)).expect("a record")
}

/// The options that repeat the frames of a series as single images.
fn scales(place: &Workplace) -> String {
    let record = record(place);
    format!("-scale {} -pgmscale {}", record["scale"], record["pgmscale"])
}

/// Asserts that a run is refused with one line that has all of `words`, and changes no file.
fn assert_refused(place: &Workplace, line: &str, words: &[&str]) {
    let before = place.files();
    let outcome = place.run_line(line).refused(line);
    for word in words {
        assert!(outcome.stderr.contains(word), "{line}: no {word} in {}", outcome.stderr);
    }
    assert!(place.files() == before, "{line}");
}

#[test]
fn every_frame_equals_the_single_run_at_its_phi() {
    for mode in ["spec", "c-parity"] {
        let line = format!("{SERIES} --phi-carryover-mode {mode}");
        let place = Workplace::with_inputs();
        place.run_line(&format!("{line} --frames 3")).well();
        let (series, scales) = (frames(&place), scales(&place));
        let expected_names: Vec<String> = {
            let mut all: Vec<String> = (1..=3).flat_map(names).collect();
            all.sort();
            all
        };
        assert_eq!(series.keys().cloned().collect::<Vec<_>>(), expected_names);
        for (frame, phi) in [(1, "-0.5"), (2, "0"), (3, "0.5")] {
            let single = Workplace::with_inputs();
            // Each frame has its own noise: its seed is that of the first frame plus the number of frames
            // before it.
            single.run_line(&format!("{line} -phi {phi} -seed {} {scales}", 6 + frame)).well();
            for (numbered, name) in
                names(frame).iter().zip(["name.bin", "name.img", "noise.img", "name.pgm", "name.png"])
            {
                assert!(series[numbered] == single.read(name), "{mode} {numbered}");
            }
        }
        assert_ne!(series["name_00001.bin"], series["name_00002.bin"]);
    }
}

#[test]
fn parts_equal_the_whole_series() {
    let line = format!("{SERIES} --frames 3");
    let place = Workplace::with_inputs();
    // The job that begins the series renders the first frame for its scales, but does not write it.
    place.run_line(&format!("{line} --frame-range 3:3")).well();
    assert_eq!(frames(&place).into_keys().collect::<BTreeSet<_>>(), BTreeSet::from(names(3)));
    place.run_line(&format!("{line} --frame-range 1:2")).well();
    assert_same(&frames(&place), &whole(&line));
}

#[test]
fn resume_renders_only_what_is_missing_or_incomplete() {
    let line = format!("{SERIES} --frames 7");
    let expected = whole(&line);
    let place = Workplace::with_inputs();
    place.run_line(&line).well();
    let before = modified(&place);
    fs::remove_file(place.path().join("name_00002.img")).expect("frame 2");
    // One file of each kind is cut short, a PGM by a single byte.
    for (name, cut) in
        [("name_00003.bin", 100), ("noise_00004.img", 1), ("name_00005.pgm", 1), ("name_00006.png", 5)]
    {
        place.write(name, &expected[name][..expected[name].len() - cut]);
    }
    place.run_line(&format!("{line} --resume --threads 1")).well();
    assert_same(&frames(&place), &expected);
    for (name, time) in modified(&place) {
        let kept = [1, 7].iter().any(|&frame| names(frame).contains(&name));
        assert!(!kept || time == before[&name], "{name} was rendered again");
    }
    // Nothing is left to render.
    let before = modified(&place);
    let outcome = place.run_line(&format!("{line} --resume")).well();
    // The line before it is about the list, which is half a sphere.
    assert!(outcome.stderr.ends_with("widebragg: --resume: nothing to do, 7 finished frames kept\n"));
    assert_eq!(modified(&place), before);
}

#[test]
fn resume_refuses_changed_options() {
    let place = Workplace::with_inputs();
    place.run_line(&format!("{SERIES} --frames 2")).well();
    let before = place.files();
    for (other, how) in [
        ("-N 7", "(-N 6, now -N 7)"),
        ("--phi-carryover-mode c-parity", "(without --phi-carryover-mode c-parity)"),
        ("-mat tri.mat", "(the same in another order or number)"),
    ] {
        let line = format!("{SERIES} --frames 2 {other} --resume");
        assert_refused(&place, &line, &[RECORD, "other options", how]);
    }
    let shorter = SERIES.replace("-oversample 5", "");
    assert_refused(&place, &format!("{shorter} --frames 2"), &[RECORD, "other options (with -oversample 5)"]);
    assert!(place.files() == before);
    for same in ["--threads 2", "--quiet", "--frame-range 1:1", "--frame-range=1:1", "--json"] {
        place.run_line(&format!("{SERIES} --frames 2 {same} --resume")).well();
    }
}

#[test]
fn a_killed_series_can_be_finished() {
    let line = format!("{SERIES} --frames 40");
    let place = Workplace::with_inputs();
    let mut child = place.command(line.split_whitespace()).spawn().expect("the program starts");
    let started = Instant::now();
    while !place.path().join("name_00004.img").exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "the fourth frame did not appear");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("still running");
    child.wait().expect("it ends");
    let expected = whole(&line);
    let left = frames(&place);
    assert!(left.len() < expected.len(), "the series finished before it was killed");
    // A file with its final name is complete even after a kill.
    for (name, content) in &left {
        assert!(*content == expected[name], "{name}");
    }
    let before = modified(&place);
    place.run_line(&format!("{line} --resume")).well();
    assert_same(&frames(&place), &expected);
    let after = modified(&place);
    assert!(names(1).iter().chain(&names(2)).all(|name| before[name] == after[name]));
}

#[test]
fn finished_frames_survive_a_failed_write() {
    let line = format!("{SERIES} --frames 3");
    let expected = whole(&line);
    let in_the_way: [fn(&Workplace); 2] = [
        |place| fs::create_dir(place.path().join("name_00002.img")).expect("a folder"),
        |place| {
            // A full disk, simulated with /dev/full.
            #[cfg(target_os = "linux")]
            std::os::unix::fs::symlink("/dev/full", place.path().join("name_00002.img")).expect("a link");
            #[cfg(not(target_os = "linux"))]
            fs::create_dir(place.path().join("name_00002.img")).expect("a folder");
        },
    ];
    for put in in_the_way {
        let place = Workplace::with_inputs();
        put(&place);
        let outcome = place.run_line(&line);
        assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
        let errors: Vec<&str> = outcome.stderr.lines().filter(|line| line.contains("-intfile")).collect();
        assert_eq!(errors.len(), 1, "{}", outcome.stderr);
        assert!(errors[0].starts_with("widebragg: ") && errors[0].contains("name_00002.img"), "{errors:?}");
        let found = frames(&place);
        assert!(names(1).iter().all(|name| found[name] == expected[name]));
        assert!(names(3).iter().all(|name| !found.contains_key(name)));
        assert!(found.iter().all(|(name, content)| *content == expected[name]), "a file is incomplete");
        assert!(place.files().keys().all(|name| !name.contains(".tmp")), "{:?}", place.files().keys());
    }
}

#[test]
fn frames_of_another_experiment_are_refused() {
    let place = Workplace::with_inputs();
    let refused = |line: &str, words: &str| {
        let outcome = place.run(line.split_whitespace());
        assert_eq!(outcome.code, Some(2), "{line}: {}", outcome.stdout);
        assert!(outcome.stderr.contains(words), "{line}: {}", outcome.stderr);
    };
    let line = format!("{SERIES} --frames 2 --simd portable");
    place.run_line(&line).well();
    let before = place.files();
    refused(&format!("{SERIES} --resume"), "--frames");
    refused(&format!("{line} -N 7"), "other options");
    refused(&format!("{line} -N 7 --resume"), "other options");
    place.write("tri.mat", "0.02 0 0\n0 0.02 0\n0 0 0.02\n");
    refused(&format!("{line} --resume"), "input files");
    place.write("tri.mat", &before["tri.mat"]);
    place.run_line(&format!("{line} --resume --threads 2")).well();
    assert_same(&place.files(), &before);

    // Images of the right size from before the series began are not its frames.
    let place = Workplace::with_inputs();
    let [float, ..] = names(2);
    place.write(&float, vec![0; 4 * 32 * 32]);
    place.run_line(&format!("{line} --frame-range 1:1")).well();
    place.run_line(&format!("{line} --resume")).well();
    assert!(place.read(&float) == before[&float]);
}

#[test]
fn jobs_of_a_series_share_random_seeds() {
    let line = "-cell 45 52 61 82 97 104 -misset random -default_F 50 -detpixels 16 -N 3 -oversample 1 -osc 1 \
        -fluence 1e31 -nopgm --header reference --frames 2";
    let place = Workplace::empty();
    place.run_line(&format!("{line} --frame-range 1:1")).well();
    std::thread::sleep(Duration::from_millis(1100));
    place.run_line(&format!("{line} --frame-range 2:2 --resume")).well();
    let parts = frames(&place);
    place.run_line(line).well();
    assert_same(&frames(&place), &parts);
}

/// In binary arithmetic -0.5 + 5 x 0.1 is 5e-17 degrees, which c-parity tells from 0. The oscillation may come
/// from -phistep, and 1 degree is that of a number of steps alone.
#[test]
fn frames_start_at_the_decimal_sum_of_their_angles() {
    let line = "-mat tri.mat -hkl sparse.hkl -lambda 1.2 -pixel 0.4 -detpixels 24 -N 6 -oversample 1 -seed 7 \
        -nonoise -nopgm --header reference --phi-carryover-mode c-parity --quiet";
    for (sweep, phis) in [
        ("-phi -0.5 -osc 0.1 -phisteps 2", &["-0.5", "-0.4", "-0.3", "-0.2", "-0.1", "0", "0.1", "0.2"][..]),
        ("-phi -0.3 -phistep 0.1", &["-0.3", "-0.2", "-0.1", "0", "0.1"]),
        ("-phi -0.7 -osc 0.07 -phistep 0.035 -phisteps 2", &["-0.7", "-0.63", "-0.56"]),
        ("-phi -1.9 -phisteps 3", &["-1.9", "-0.9", "0.1", "1.1"]),
    ] {
        let series = Workplace::with_inputs();
        series.run_line(&format!("{line} {sweep} --frames {}", phis.len())).well();
        let single = Workplace::with_inputs();
        for (frame, phi) in (1..).zip(phis) {
            single.run_line(&format!("{line} {sweep} -phi {phi}")).well();
            let name = format!("floatimage_{frame:05}.bin");
            assert!(series.read(&name) == single.read("floatimage.bin"), "{sweep}: {name}, phi {phi}");
            let header = |place: &Workplace, name: &str| smv_parts(&place.read(name)).expect("an image").0;
            assert_eq!(
                header(&series, &format!("intimage_{frame:05}.img")),
                header(&single, "intimage.img"),
                "{sweep}, phi {phi}"
            );
        }
    }
}

/// The factors of integer images are those of the first frame, or the given ones; what they saturate is counted.
#[test]
fn all_frames_have_one_scale() {
    let line = format!("{SERIES} -osc 2 -nonoise --frames 5 --json --cbf name.cbf");
    let place = Workplace::with_inputs();
    let summary = place.run_line(&line).well().json();
    let images = summary["images"].as_array().expect("images");
    let most = |image: &Value| image["max_I"].as_f64().expect("a maximum");
    assert!(images.iter().any(|image| most(image) != most(&images[0])), "all frames are alike");
    for image in images {
        assert_eq!(image["intfile_scale"].as_f64(), Some(55_000.0 / most(&images[0])));
        assert_eq!(image["intfile_scale"], record(&place)["scale"]);
        assert_eq!(image["pgmfile_scale"], record(&place)["pgmscale"]);
        assert_eq!(image["cbf_saturated"], 0);
    }
    // Half of the pixels' range, so that the brightest ones saturate.
    let scale = 2.0 * 65_535.0 / most(&images[0]);
    let place = Workplace::with_inputs();
    let given = format!("{line} -scale {scale} -adc 0");
    let summary = place.run_line(&given).well().json();
    let mut counts = Vec::new();
    for (frame, image) in (1..).zip(summary["images"].as_array().expect("images")) {
        assert_eq!(image["intfile_scale"], scale);
        let floats = place.float(&format!("name_{frame:05}.bin"));
        let saturated = floats.iter().filter(|&&pixel| f64::from(pixel) * scale > 65_535.0).count();
        assert_eq!(image["intfile_saturated"], saturated, "frame {frame}");
        let (_, integers) = smv_parts(&place.read(format!("name_{frame:05}.img"))).expect("an image");
        assert!(integers.iter().filter(|&&pixel| pixel == 65_535).count() >= saturated);
        counts.push(saturated);
    }
    assert!(counts[0] > 0, "nothing saturates");
    let text = place.run_line(&given.replace("--json", "")).well().stdout;
    assert!(text.contains(&format!(", {} pixels saturated (-intfile)\n", counts[0])), "{text}");
}

/// The part of a CBF image that does not contain the time.
fn cbf_data(place: &Workplace, name: &str) -> Vec<u8> {
    let file = place.read(name);
    let mark = b"_array_data.data\r\n";
    let start = file.windows(mark.len()).position(|bytes| bytes == mark).expect("pixels");
    file[start..].to_vec()
}

/// `--cbf` has the scale of the series; `--noise-cbf` has the counts of the noise image without its offset.
#[test]
fn cbf_frames_equal_the_single_run() {
    let line = format!("{SERIES} --cbf name.cbf --noise-cbf counts.cbf");
    let place = Workplace::with_inputs();
    place.run_line(&format!("{line} --frames 2")).well();
    let single = Workplace::with_inputs();
    single.run_line(&format!("{line} -phi 0 -seed 8 {} -adc 0", scales(&place))).well();
    for stem in ["name", "counts"] {
        assert_eq!(cbf_data(&place, &format!("{stem}_00002.cbf")), cbf_data(&single, &format!("{stem}.cbf")));
    }
    let same_noise = |place: &Workplace, image: &str| -> Value {
        let report = place.run_line(&format!("compare counts.cbf {image} --json --out same")).well().json();
        assert!(report["a"]["max"].as_f64().is_some_and(|most| most > 10.0), "{report}");
        assert_eq!(report["mse"].as_f64(), Some(0.0), "{report}");
        report["excluded_pixels"].clone()
    };
    assert_eq!(same_noise(&single, "noise.img"), 0);
    fs::remove_file(single.path().join("counts.cbf")).expect("an image");
    single.run_line(&format!("{line} -phi 0 -seed 8 -nonoise")).well();
    assert_eq!(same_noise(&single, "noise.img"), 0);
    // Masked pixels are gaps, and draw random numbers all the same.
    let masked = Workplace::with_inputs();
    let small = "-mat tri.mat -hkl sparse.hkl -mask mask.img -N 5 -oversample 1 -seed 3 -adc 0 -nopgm";
    masked.run_line(&format!("{small} --noise-cbf counts.cbf -fluence 1e31")).well();
    assert_ne!(same_noise(&masked, "noiseimage.img"), 0);
}

#[test]
fn series_that_share_any_image_do_not_mix() {
    let line = format!("{SERIES} --frames 2");
    let place = Workplace::with_inputs();
    place.run_line(&line).well();
    let all = [
        ("-floatfile", "name.bin", "other.bin"),
        ("-intfile", "name.img", "other.img"),
        ("-noisefile", "noise.img", "other_noise.img"),
        ("-pgmfile", "name.pgm", "other.pgm"),
        ("--png", "name.png", "other.png"),
    ];
    for (option, shared, _) in all {
        let others = all.iter().filter(|(other, ..)| *other != option);
        let words: String = others.map(|(other, _, name)| format!(" {other} {name}")).collect();
        for resume in ["", "--resume"] {
            let other = format!("{line} -N 7 {words} {resume}");
            assert_refused(&place, &other, &[&format!("{shared}.series.json"), "other options"]);
        }
    }
    let words: String = all.iter().map(|(option, _, name)| format!(" {option} {name}")).collect();
    place.run_line(&format!("{line} -N 7 {words}")).well();

    // Extensions tell series apart, numbers as well as letters.
    let place = Workplace::with_inputs();
    for run in ["1", "2", "f32"] {
        let names = format!("-floatfile run.{run} -intfile int.{run} -nonoise -nopgm --png png.{run}");
        place.run_line(&format!("{line} {names} -phi {}", run.len())).well();
    }
    assert_ne!(place.read("run_00001.1"), place.read("run_00001.f32"));
}

#[test]
fn an_unusable_record_is_an_error() {
    let line = format!("{SERIES} --frames 2");
    let place = Workplace::with_inputs();
    place.run_line(&line).well();
    let good = place.read(RECORD);
    for bad in [&b""[..], b"{", b"[]", b"{\"program\": \"widebragg\"}", b"\xff\xfe", &good[..good.len() / 2]]
    {
        place.write(RECORD, bad);
        for resume in ["", "--resume"] {
            assert_refused(&place, &format!("{line} {resume}"), &[RECORD, "cannot be continued"]);
        }
    }
    fs::remove_file(place.path().join(RECORD)).expect("the record");
    fs::create_dir(place.path().join(RECORD)).expect("a folder");
    assert_refused(&place, &format!("{line} --resume"), &[RECORD, "cannot read"]);
}

#[test]
fn another_version_is_refused_by_name() {
    let line = format!("{SERIES} --frames 3");
    let place = Workplace::with_inputs();
    place.run_line(&format!("{line} --frame-range 1:1")).well();
    for name in place.files().into_keys().filter(|name| name.ends_with(".series.json")) {
        let mut record: Value = serde_json::from_slice(&place.read(&name)).expect("a record");
        assert_eq!(record["version"], env!("CARGO_PKG_VERSION"));
        record["version"] = json!("0.0.9");
        let path = place.path().join(&name);
        // The time of the record is the beginning of the series.
        let begun = fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("a time");
        place.write(&name, record.to_string());
        File::options().append(true).open(&path).and_then(|file| file.set_modified(begun)).expect("a time");
    }
    for resume in ["", "--resume"] {
        let version = concat!("this is ", env!("CARGO_PKG_VERSION"));
        assert_refused(
            &place,
            &format!("{line} {resume}"),
            &[RECORD, "widebragg 0.0.9", version, "--resume-anyway"],
        );
    }
    assert_refused(&place, &format!("{line} -N 7 --resume-anyway"), &["other options"]);
    let before = modified(&place);
    place.run_line(&format!("{line} --resume-anyway")).well();
    assert_same(&frames(&place), &whole(&line));
    assert!(names(1).iter().all(|name| before[name] == modified(&place)[name]), "frame 1 was rendered again");
}

#[test]
fn a_series_can_be_extended() {
    let place = Workplace::with_inputs();
    place.run_line(&format!("{SERIES} --frames 2")).well();
    let before = modified(&place);
    let outcome = place.run_line(&format!("{SERIES} --frames 4 --resume")).well();
    assert!(outcome.stderr.contains("--resume: 2 finished frames kept"), "{}", outcome.stderr);
    assert_same(&frames(&place), &whole(&format!("{SERIES} --frames 4")));
    assert!(before.iter().all(|(name, time)| modified(&place)[name] == *time));
}

/// A pipe can be read once; what came through it is in the record.
#[cfg(unix)]
#[test]
fn inputs_may_be_pipes() {
    if !has("bash") {
        return;
    }
    let place = Workplace::with_inputs();
    let line = SERIES.replace("-mat tri.mat -hkl sparse.hkl", "--frames 2 --resume --quiet");
    let run = |list: &str, matrix: &str| {
        // The descriptors that bash opens before have other names the second time.
        let open = if list == "dense.hkl" { "exec 9</dev/null;" } else { "" };
        let command = format!(
            "{open} exec \"$WIDEBRAGG\" {line} -hkl <(cat {list}) -mat <(cat {matrix}) -dump dump.bin"
        );
        run_script(&place, &format!("exec bash -c '{command}'"))
    };
    run("sparse.hkl", "tri.mat").well();
    assert_same(&frames(&place), &whole(&format!("{SERIES} --frames 2")));
    let before = modified(&place);
    run("sparse.hkl", "tri.mat").well();
    assert_eq!(modified(&place), before);
    let outcome = run("dense.hkl", "tri.mat");
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("other contents of its input files (-hkl)"), "{}", outcome.stderr);
}

/// No frame, however late, replaces a file that the run reads.
#[test]
fn no_frame_replaces_an_input() {
    let place = Workplace::with_inputs();
    place.write("name_00003.bin", place.read("tri.mat"));
    let line = SERIES.replace("-mat tri.mat", "-mat name_00003.bin");
    assert_refused(
        &place,
        &format!("{line} --frames 3"),
        &["-floatfile: name_00003.bin: is also read (-mat)"],
    );
}
