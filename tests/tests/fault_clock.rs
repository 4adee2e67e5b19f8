//! A clock that goes backwards: finished frames count as finished, and times before 1970 are not an error.

use core::time::Duration;
use std::fs::{self, File};
use std::time::SystemTime;

use widebragg_tests::fault::{has, run_script};
use widebragg_tests::program::Workplace;

const SERIES: &str = "-mat tri.mat -hkl sparse.hkl -pixel 0.4 -detpixels 32 -N 6 -oversample 5 -osc 0.5 -phisteps 3 \
    -seed 7 --header reference --frames 4";

fn modified(place: &Workplace, frame: usize) -> SystemTime {
    let name = format!("floatimage_{frame:05}.bin");
    fs::metadata(place.path().join(name)).and_then(|metadata| metadata.modified()).expect("a frame")
}

/// The series began at a time that is now in the future. Its frames are kept nevertheless.
#[test]
fn frames_finished_after_the_clock_went_back_are_kept() {
    let place = Workplace::with_inputs();
    place.run_line(&format!("{SERIES} --frame-range 1:1")).well();
    let record = File::options().append(true).open(place.path().join("floatimage.bin.series.json"));
    let later = SystemTime::now() + Duration::from_secs(3600);
    record.and_then(|record| record.set_modified(later)).expect("the time of the record");
    place.run_line(&format!("{SERIES} --frame-range 2:3")).well();
    let before = [2, 3].map(|frame| modified(&place, frame));
    assert!(before.iter().all(|&time| time >= later), "frames are older than their series");
    let outcome = place.run_line(&format!("{SERIES} --resume")).well();
    assert!(outcome.stderr.contains("2 finished frames kept"), "{}", outcome.stderr);
    assert_eq!([2, 3].map(|frame| modified(&place, frame)), before);
    let whole = Workplace::with_inputs();
    whole.run_line(SERIES).well();
    for frame in 1..=4 {
        let name = format!("noiseimage_{frame:05}.img");
        assert!(place.read(&name) == whole.read(&name), "{name}");
    }
}

/// The whole program runs under a clock that is before 1970, or runs backwards.
#[test]
fn the_program_runs_under_any_clock() {
    if !has("faketime") {
        return;
    }
    let line = SERIES.replace("-seed 7", "").replace("--header reference", "--cbf a.cbf --json");
    for clock in ["-f '1960-01-01 00:00:00'", "-f '@2030-01-01 00:00:00 x-50'"] {
        let place = Workplace::with_inputs();
        let outcome =
            run_script(&place, &format!("exec faketime {clock} \"$WIDEBRAGG\" {line} --evidence e")).well();
        for image in outcome.json()["images"].as_array().expect("images") {
            assert!(image["seconds"].as_f64().is_some_and(|seconds| seconds >= 0.0), "{clock}: {image}");
        }
        assert!(place.path().join("a_00004.cbf").exists(), "{clock}");
    }
}
