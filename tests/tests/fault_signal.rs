//! Runs that signals kill, stop or disturb: files with their final names are complete, temporary files are
//! removed where the signal permits it, the signal is the reason of the end, and series can be resumed.
#![cfg(unix)]

use core::time::Duration;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::thread::sleep;
use std::time::Instant;

use widebragg_tests::fault::{run_script, signal};
use widebragg_tests::program::Workplace;

/// Frames of half a million pixels that are quick to render: most of the time is spent writing.
const SERIES: &str = "-mat tri.mat -hkl sparse.hkl -pixel 0.1 -detpixels 700 -N 5 -oversample 1 -osc 0.2 -phisteps 1 \
    -seed 3 --quiet --header reference --threads 1";

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split_whitespace()
}

fn temporaries(place: &Workplace) -> Vec<String> {
    place.files().into_keys().filter(|name| name.ends_with(".tmp")).collect()
}

fn frames(place: &Workplace) -> BTreeMap<String, Vec<u8>> {
    place.files().into_iter().filter(|(name, _)| name.contains("_000")).collect()
}

/// Waits until the program has a temporary file, which it is then writing.
fn wait_for_a_temporary(place: &Workplace, child: &mut Child) {
    let started = Instant::now();
    let is_there = || {
        let mut entries = fs::read_dir(place.path()).expect("the folder").filter_map(Result::ok);
        entries.any(|entry| {
            entry.file_name().to_string_lossy().ends_with(".tmp")
                && entry.metadata().is_ok_and(|metadata| metadata.len() > 0)
        })
    };
    while !is_there() {
        assert!(started.elapsed() < Duration::from_secs(60), "no temporary file appeared");
        assert_eq!(child.try_wait().expect("a child"), None, "the program ended before a signal was sent");
        sleep(Duration::from_micros(200));
    }
}

#[test]
fn a_terminated_run_leaves_no_temporary_file_and_can_be_resumed() {
    let line = format!("{SERIES} --frames 60");
    let whole = {
        let place = Workplace::with_inputs();
        place.run_line(&format!("{SERIES} --frames 60 --frame-range 1:8")).well();
        frames(&place)
    };
    for (name, number) in [("TERM", 15), ("XCPU", 24), ("KILL", 9)] {
        let place = Workplace::with_inputs();
        let mut child = place.command(words(&line)).spawn().expect("the program starts");
        while !place.path().join("floatimage_00002.bin").exists() {
            sleep(Duration::from_millis(1));
        }
        wait_for_a_temporary(&place, &mut child);
        signal(&child, name);
        let status = child.wait().expect("it ends");
        assert_eq!(status.signal(), Some(number), "{name}: {status}");
        if name != "KILL" {
            assert_eq!(temporaries(&place), Vec::<String>::new(), "{name}");
        }
        for (file, content) in frames(&place) {
            assert!(whole.get(&file).is_none_or(|whole| *whole == content), "{name}: {file}");
        }
        place.run_line(&format!("{line} --resume --frame-range 1:8")).well();
        for (file, content) in &whole {
            assert!(place.read(file) == *content, "{name}: {file} after --resume");
        }
    }
}

/// A run that is ended before it has written any evidence leaves no folder for it, and none of another name.
#[test]
fn a_terminated_run_leaves_no_empty_evidence_folder() {
    for (name, number) in [("TERM", 15), ("INT", 2)] {
        let place = Workplace::with_inputs();
        let line = format!("{SERIES} -oversample 9 --frames 60 --evidence evidence");
        let mut child = place.command(words(&line)).spawn().expect("the program starts");
        let started = Instant::now();
        while !place.path().join("evidence").exists() || !place.path().join("floatimage_00001.bin").exists() {
            assert!(started.elapsed() < Duration::from_secs(60), "no folder, or no frame");
            sleep(Duration::from_millis(1));
        }
        signal(&child, name);
        let status = child.wait().expect("it ends");
        assert_eq!(status.signal(), Some(number), "{name}: {status}");
        assert!(!place.path().join("evidence").exists(), "{name}");
        place.run_line(&format!("{line} --frame-range 1:1 --resume")).well();
        assert!(place.path().join("evidence/sha256.txt").is_file());
        assert!(!place.path().join("evidence-2").exists());
    }
}

#[test]
fn an_ignored_signal_stays_ignored() {
    let place = Workplace::with_inputs();
    // Signals are ignored as by `nohup`, or by a shell for the background jobs of a script.
    let script = format!(
        "trap '' HUP INT; \"$WIDEBRAGG\" {SERIES} --frames 8 & job=$!
        while ! [ -e floatimage_00001.bin ]; do :; done
        kill -HUP $job; kill -INT $job; wait $job"
    );
    let outcome = run_script(&place, &script);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(place.path().join("floatimage_00008.bin").exists());
}

#[test]
fn stopping_and_harmless_signals_change_nothing() {
    let line = format!("{SERIES} --frames 12");
    let quiet = Workplace::with_inputs();
    quiet.run_line(&line).well();
    let place = Workplace::with_inputs();
    // Signals that interrupt system calls are sent repeatedly while the program runs.
    let script = format!(
        "\"$WIDEBRAGG\" {line} & job=$!; count=0
        while kill -WINCH $job && kill -STOP $job && kill -CONT $job && kill -URG $job; do count=$((count + 1)); done 2>/dev/null
        wait $job; code=$?; echo $count; exit $code"
    );
    let outcome = run_script(&place, &script);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let count: u64 = outcome.stdout.trim().parse().expect("a count");
    assert!(count > 20, "only {count} rounds of signals");
    assert!(frames(&place) == frames(&quiet));
}

/// `compare --run` ends the program that it runs, and what that started, even where they ignore the signal.
#[test]
fn a_signal_ends_the_program_that_compare_runs() {
    for (name, number, ignores) in [("TERM", 15, false), ("XCPU", 24, false), ("TERM", 15, true)] {
        let place = Workplace::with_inputs();
        let trap = if ignores { "trap '' TERM XCPU" } else { "" };
        let script =
            format!("#!/bin/sh\n{trap}\nsleep 300 &\necho $$ $! >pids\nmv pids started\nwait\nsleep 300\n");
        place.write("child.sh", script);
        let child = "sh child.sh";
        let line = ["compare", "--run", child, "--run", child, "--out", "out", "--quiet", "--", "-N", "3"];
        let mut program = place.command(line).spawn().expect("the program starts");
        let started = Instant::now();
        let pids = place.path().join("out/a/started");
        while !pids.exists() {
            assert!(started.elapsed() < Duration::from_secs(60), "the child did not start");
            assert_eq!(program.try_wait().expect("a child"), None, "the program ended by itself");
            sleep(Duration::from_millis(5));
        }
        let pids = String::from_utf8(place.read("out/a/started")).expect("numbers");
        signal(&program, name);
        let status = program.wait().expect("it ends");
        assert_eq!(status.signal(), Some(number), "{name}: {status}");
        // A process that has ended may be listed until its new parent has asked for its exit code.
        let runs = |pid: &str| {
            let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            state.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
        };
        let living = || pids.split_whitespace().filter(|pid| runs(pid)).collect::<Vec<_>>();
        // SIGKILL has been sent, but a process ends only when it is scheduled. Of themselves, they would run for
        // minutes.
        let ended = Instant::now();
        while !living().is_empty() && ended.elapsed() < Duration::from_secs(5) {
            sleep(Duration::from_millis(5));
        }
        let living = living();
        assert_eq!(living, Vec::<&str>::new(), "{name}, ignored: {ignores}: still there");
        assert!(started.elapsed() < Duration::from_secs(60), "{name}: slow");
        assert!(!place.path().join("out/b").exists(), "{name}: the second program was started");
    }
}
