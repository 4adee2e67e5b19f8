//! `--evidence`: the contents of the folder, their checksums, and that every command gets a folder of its
//! own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use widebragg_tests::skipped::skipped;

use serde_json::Value;
use widebragg_tests::program::{Workplace, executable};

const LINE: &str = "-mat tri.mat -hkl sparse.hkl -detpixels 16 -N 3 -oversample 1 -seed 1 --quiet";

/// All files below a folder, as paths relative to it.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let mut found = BTreeSet::new();
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).expect("below").to_owned());
            }
        }
    }
    found
}

/// Checks that the checksums name every other file, and that they are right if `sha256sum` is installed.
fn check_sums(folder: &Path) {
    let sums = fs::read_to_string(folder.join("sha256.txt")).expect("sha256.txt");
    let name = |line: &str| {
        let name = line.split_once("  ").expect("two columns").1;
        let escaped = line.starts_with('\\');
        if escaped { name.replace("\\n", "\n").replace("\\\\", "\\") } else { name.to_owned() }
    };
    let named = sums.lines().map(|line| PathBuf::from(name(line)));
    let named: BTreeSet<PathBuf> = named.chain(core::iter::once(PathBuf::from("sha256.txt"))).collect();
    assert_eq!(named, files(folder));
    match Command::new("sha256sum").args(["--check", "--quiet", "sha256.txt"]).current_dir(folder).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => skipped(format!("sha256sum --check ({error})")),
    }
}

fn json(place: &Workplace, name: &str) -> Value {
    serde_json::from_slice(&place.read(name)).expect("JSON")
}

#[test]
fn a_render_leaves_its_images_and_its_command() {
    let place = Workplace::with_inputs();
    place.run_line(&format!("{LINE} --evidence e -fudge 1 --threads 1 --simd portable")).well();
    let folder = place.path().join("e");
    check_sums(&folder);
    for name in ["floatimage.bin", "intimage.img", "noiseimage.img", "image.pgm"] {
        assert_eq!(place.read(format!("e/{name}")), place.read(name), "{name}");
    }
    let commands = String::from_utf8(place.read("e/commands.txt")).expect("UTF-8");
    let line = commands.strip_suffix('\n').expect("a line");
    assert!(line.contains("Z  exit 0  ") && line.contains("  widebragg -mat tri.mat "), "{line}");
    assert!(line.ends_with("--evidence e -fudge 1 --threads 1 --simd portable"), "{line}");
    let environment = json(&place, "e/env.json");
    assert_eq!((environment["simd"].as_str(), environment["threads"].as_u64()), (Some("portable"), Some(1)));
    for key in ["version", "os", "architecture", "simd_detected", "working_folder"] {
        assert!(environment[key].is_string(), "{key}: {environment}");
    }
    let inputs: Vec<_> = environment["inputs"]
        .as_array()
        .expect("inputs")
        .iter()
        .map(|input| input["path"].as_str())
        .collect();
    assert_eq!(inputs, [Some("tri.mat"), Some("sparse.hkl")]);
    assert_eq!(environment["inputs"][0]["sha256"].as_str().map(str::len), Some(64));
    assert_eq!(json(&place, "e/summary.json")["program"], "widebragg");
}

#[test]
fn each_command_gets_a_new_folder() {
    let place = Workplace::with_inputs();
    place.run_line(&format!("{LINE} --evidence deep/e")).well();
    let first: Vec<_> = files(&place.path().join("deep/e"))
        .into_iter()
        .map(|name| place.read(Path::new("deep/e").join(name)))
        .collect();
    let outcome = place.run_line(&format!("{LINE} --evidence deep/e")).well();
    assert!(outcome.stderr.contains("deep/e-2"), "{}", outcome.stderr);
    place.run_line(&format!("{LINE} --evidence=deep/e")).well();
    for name in ["deep/e", "deep/e-2", "deep/e-3"] {
        check_sums(&place.path().join(name));
    }
    let now: Vec<_> = files(&place.path().join("deep/e"))
        .into_iter()
        .map(|name| place.read(Path::new("deep/e").join(name)))
        .collect();
    assert!(now == first, "the first folder changed");
}

#[test]
fn a_failed_run_leaves_evidence() {
    let place = Workplace::with_inputs();
    place.run_line(&format!("{LINE} -hkl none.hkl --evidence e")).refused("-hkl none.hkl");
    assert!(String::from_utf8(place.read("e/commands.txt")).expect("UTF-8").contains("  exit 2  "));
    check_sums(&place.path().join("e"));
    place.write("file", "");
    let outcome = place.run_line(&format!("{LINE} --evidence file/e"));
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("--evidence file/e"), "{}", outcome.stderr);
    assert!(!place.path().join("floatimage.bin").exists(), "the image was rendered before the refusal");
}

#[test]
fn a_series_is_resumed_with_or_without_evidence() {
    let place = Workplace::with_inputs();
    place.run_line(&format!("{LINE} -osc 1 --frames 2 --frame-range 1:1 --evidence e")).well();
    place.run_line(&format!("{LINE} -osc 1 --frames 2 --resume")).well();
    assert!(files(&place.path().join("e")).contains(Path::new("floatimage_00001.bin")));
}

#[test]
fn a_comparison_leaves_its_report_and_its_runs() {
    let place = Workplace::with_inputs();
    let program = executable().display().to_string();
    let parity = format!("{program} --phi-carryover-mode c-parity");
    let words = ["compare", "--run", &program, "--run", &parity, "--threshold", "1", "--evidence", "e", "--"];
    let options = format!("{LINE} -hkl dense.hkl -distance 30 -phi 0 -osc 2 -phisteps 4");
    let outcome = place.run(words.into_iter().chain(options.split_whitespace()));
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    check_sums(&place.path().join("e"));
    let found = files(&place.path().join("e"));
    for name in [
        "report.html",
        "summary.json",
        "a.png",
        "b.png",
        "difference.png",
        "a/floatimage.bin",
        "b/stdout.txt",
    ] {
        assert!(found.contains(Path::new(name)), "{name}: {found:?}");
    }
    let commands = String::from_utf8(place.read("e/commands.txt")).expect("UTF-8");
    let codes: Vec<_> = commands.lines().map(|line| line.split("  ").nth(1)).collect();
    assert_eq!(codes, [Some("exit 0"), Some("exit 0"), Some("exit 3")]);
    place.run_line("compare e/a/floatimage.bin floatimage.bin --size 16 16 --evidence f --quiet");
    place.run_line("compare e/a/floatimage.bin e/a/floatimage.bin --size 16 16 --evidence g --quiet").well();
    let inputs = &json(&place, "g/env.json")["inputs"];
    assert_eq!(inputs[0]["bytes"], 1024);
    assert_eq!(inputs[0]["sha256"], inputs[1]["sha256"]);
    // A file that cannot be read is listed nevertheless.
    let inputs = &json(&place, "f/env.json")["inputs"];
    assert_eq!(inputs[1]["path"], "floatimage.bin");
    assert!(inputs[1]["sha256"].is_null());
}

#[test]
fn names_of_its_own_and_names_with_a_line_end_are_kept_apart() {
    let place = Workplace::with_inputs();
    let outputs = ["-floatfile", "env.json", "-intfile", "summary.json", "-noisefile", "sha256.txt"];
    let words = LINE.split_whitespace().chain(outputs).chain(["-pgmfile", "a\nb\\.pgm", "--evidence", "e/"]);
    place.run(words.clone()).well();
    check_sums(&place.path().join("e"));
    for (copy, name) in
        [("env.json-2", "env.json"), ("summary.json-2", "summary.json"), ("sha256.txt-2", "sha256.txt")]
    {
        assert!(place.read(Path::new("e").join(copy)) == place.read(name), "{name}");
    }
    // With a slash at the end as well, the second folder is beside the first one, not inside it.
    let outcome = place.run(words).well();
    assert!(outcome.stderr.contains("e-2"), "{}", outcome.stderr);
    check_sums(&place.path().join("e"));
    check_sums(&place.path().join("e-2"));
}

/// `core.fsmonitor` names a program that git runs.
#[cfg(unix)]
#[test]
fn the_configuration_of_a_repository_is_not_obeyed() {
    let place = Workplace::with_inputs();
    place.write("run.sh", "#!/bin/sh\ntouch was_run\n");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(place.path().join("run.sh"), executable).expect("permissions");
    let commit = "0123456789abcdef0123456789abcdef01234567";
    for folder in [".git/objects", ".git/refs/heads"] {
        fs::create_dir_all(place.path().join(folder)).expect("a folder");
    }
    place.write(".git/config", "[core]\n\trepositoryformatversion = 0\n\tfsmonitor = ./run.sh\n");
    place.write(".git/HEAD", "ref: refs/heads/main\n");
    place.write(".git/refs/heads/main", format!("{commit}\n"));
    place.run_line(&format!("{LINE} --evidence e")).well();
    assert_eq!(json(&place, "e/env.json")["working_folder_git_revision"], commit);
    assert!(!place.path().join("was_run").exists(), "git has run a program");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_an_input_without_a_size_or_sum() {
    let place = Workplace::with_inputs();
    place.run_line(&format!("{LINE} -hkl /dev/stdin --evidence e"));
    let inputs = &json(&place, "e/env.json")["inputs"];
    assert_eq!(inputs[1]["path"], "/dev/stdin");
    assert!(inputs[1]["bytes"].is_null() && inputs[1]["sha256"].is_null(), "{inputs}");
}
