//! Rotation series: every frame equals the single run at its phi. Series that are rendered in parts, killed
//! or resumed have the same files.

use core::time::Duration;
use std::collections::BTreeMap;
use std::fs;
use std::time::{Instant, SystemTime};

use widebragg_tests::program::Workplace;

/// Phi is 0 at the start of the second frame, where the carryover matters. The reference's header does not
/// contain the time.
const SERIES: &str = "-mat tri.mat -hkl sparse.hkl -lambda 1.2 -pixel 0.4 -detpixels 32 -N 6 -oversample 5 \
    -phi -0.5 -osc 0.5 -phisteps 3 -seed 7 -floatfile name.bin -intfile name.img -noisefile noise.img \
    -pgmfile name.pgm --png name.png --header reference";

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

#[test]
fn every_frame_equals_the_single_run_at_its_phi() {
    for mode in ["spec", "c-parity"] {
        let line = format!("{SERIES} --phi-carryover-mode {mode}");
        let series = whole(&format!("{line} --frames 3"));
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
            single.run_line(&format!("{line} -phi {phi} -seed {}", 6 + frame)).well();
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
    for range in ["3:3", "1:2"] {
        place.run_line(&format!("{line} --frame-range {range}")).well();
    }
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
    place.run_line(&format!("{line} --resume")).well();
    assert_eq!(modified(&place), before);
}

#[test]
fn resume_refuses_changed_options() {
    let place = Workplace::with_inputs();
    place.run_line(&format!("{SERIES} --frames 2")).well();
    let before = place.files();
    for other in ["-N 7", "--frames 3", "--phi-carryover-mode c-parity", "-mat tri.mat"] {
        let outcome = place.run_line(&format!("{SERIES} --frames 2 {other} --resume"));
        assert_eq!(outcome.code, Some(2), "{other}");
        assert!(
            outcome.stderr.contains("name.series.json") && outcome.stderr.contains("other options"),
            "{other}"
        );
    }
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
