//! Runs that write the same files at the same time: every file is complete and from one of the runs.

use std::process::Stdio;

use widebragg_tests::program::Workplace;

const LINE: &str =
    "-mat tri.mat -hkl sparse.hkl -pixel 0.1 -detpixels 300 -oversample 1 -seed 3 --quiet --header reference";

#[test]
fn every_file_is_from_one_run() {
    let all: Vec<_> = (3..9)
        .map(|n| {
            let place = Workplace::with_inputs();
            place.run_line(&format!("{LINE} -N {n}")).well();
            place.files()
        })
        .collect();
    let place = Workplace::with_inputs();
    let children: Vec<_> = (3..9)
        .map(|n| {
            let line = format!("{LINE} -N {n}");
            place.command(line.split_whitespace()).stderr(Stdio::null()).spawn().expect("the program starts")
        })
        .collect();
    for mut child in children {
        assert_eq!(child.wait().expect("it ends").code(), Some(0));
    }
    let found = place.files();
    assert_eq!(found.keys().collect::<Vec<_>>(), all[0].keys().collect::<Vec<_>>());
    for (name, content) in found {
        assert!(all.iter().any(|files| files[&name] == content), "{name} is from no run");
    }
}

/// Jobs of one series, without a seed, start at the same moment. Those that do not lose the race share the
/// seed of the first; the others report an error. All files are of one series.
#[test]
fn a_series_started_twice_has_one_seed() {
    let line = format!(
        "{} -flux 1e20 --frames 6",
        LINE.replace("-seed 3 ", "").replace("-detpixels 300", "-detpixels 60")
    );
    for _ in 0..5 {
        let place = Workplace::with_inputs();
        let children: Vec<_> = (1..=6)
            .map(|frame| {
                let line = format!("{line} -N 5 --frame-range {frame}:{frame} --resume");
                let mut command = place.command(line.split_whitespace());
                command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the program starts")
            })
            .collect();
        for child in children {
            let output = child.wait_with_output().expect("it ends");
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            match output.status.code() {
                Some(0) => {}
                Some(2) => {
                    assert!(stderr.contains("another job began the series just now; run again"), "{stderr}")
                }
                code => panic!("{code:?} {stderr}"),
            }
        }
        place.run_line(&format!("{line} -N 5 --resume")).well();
        let record: serde_json::Value =
            serde_json::from_slice(&place.read("floatimage.bin.series.json")).expect("a record");
        let seed = record["seed"].as_i64().expect("a seed");
        let whole = Workplace::with_inputs();
        whole.run_line(&format!("{line} -N 5 -seed {seed}")).well();
        for (name, content) in whole.files().iter().filter(|(name, _)| name.contains("_000")) {
            assert!(place.read(name) == *content, "{name}");
        }
        assert!(place.files().keys().all(|name| !name.contains(".tmp") && !name.contains("json.")));
    }
}
