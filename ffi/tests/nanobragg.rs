//! `ffi/nanobragg`: builds an unmodified C program that defines the reference's functions, with these
//! functions replaced, and runs it in all three modes.
//!
//! The tests need gcc, GNU binutils and make on Linux; elsewhere they print that they were skipped.

mod common;

use common::{CRATE, SCRATCH, run, static_library, text};
use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use widebragg_tests::skipped::skipped;

const FUNCTIONS: [&str; 6] = ["sincg", "sinc3", "rotate_axis", "rotate", "polin3", "polarization_factor"];

/// Iterations of the loop in `reference_like.c`; each calls every function once.
const ROUNDS: u64 = 20_000;

/// `-D` options that make every function wrong, each by a different fraction.
const ALL_OFF: &str = "-DSINCG_OFF=1e-5 -DSINC3_OFF=2e-5 -DROTATE_AXIS_OFF=3e-5 -DROTATE_OFF=4e-5 -DPOLIN3_OFF=5e-5 \
                       -DPOLARIZATION_FACTOR_OFF=6e-5";

fn source() -> PathBuf {
    Path::new(CRATE).join("tests/c/reference_like.c")
}

fn scratch(name: &str) -> PathBuf {
    Path::new(SCRATCH).join("nanobragg").join(name)
}

/// The gcc to build with; `None` if it or another tool that is needed is not available.
fn gcc() -> Option<OsString> {
    let cc = common::cc()?;
    common::tool("OBJCOPY", "objcopy")?;
    common::tool("MAKE", "make")?;
    let version = text(&run(Command::new(&cc).arg("--version")).stdout);
    if !cfg!(target_os = "linux") || !version.contains("Free Software Foundation") {
        skipped(format!("{} is no gcc, or this is no Linux", cc.display()));
        return None;
    }
    Some(cc)
}

/// Runs `make -C ffi/nanobragg` with the build folder `name`.
fn make(name: &str, variables: &[&str]) -> Output {
    let build = scratch(name);
    let tool = common::tool("MAKE", "make").expect("make");
    Command::new(tool)
        .args(["-C".as_ref(), Path::new(CRATE).join("nanobragg").as_os_str()])
        .arg(format!("BUILD={}", build.display()))
        .arg(format!("WIDEBRAGG_A={}", static_library().display()))
        .args(variables)
        .env_remove("MAKEFLAGS")
        .output()
        .expect("make runs")
}

/// Builds `reference_like.c` with functions replaced; returns the program and the messages of make.
fn build(name: &str, cc: &OsString, cflags: &str, variables: &[&str]) -> (PathBuf, String) {
    let (cc, file) = (format!("CC={}", cc.display()), format!("NANOBRAGG_C={}", source().display()));
    let cflags = format!("CFLAGS=-O3 {cflags}");
    let made = make(name, &[&[cc.as_str(), &file, &cflags], variables].concat());
    let said = text(&made.stderr);
    assert!(made.status.success(), "{}{said}", text(&made.stdout));
    (scratch(name).join("nanoBragg"), said)
}

/// Builds the same program without replacing anything.
fn plain(name: &str, cc: &OsString, cflags: &str) -> PathBuf {
    let program = scratch(name);
    fs::create_dir_all(scratch("")).expect("a scratch folder");
    let flags = cflags.split_whitespace();
    run(Command::new(cc).arg("-O3").args(flags).arg(source()).args(["-lm", "-o"]).arg(&program));
    program
}

fn in_mode(program: &Path, mode: &str) -> Command {
    let mut command = Command::new(program);
    command.env("WIDEBRAGG_MODE", mode).env_remove("WIDEBRAGG_REPORT");
    command
}

fn printed(command: &mut Command) -> String {
    text(&run(command).stdout)
}

fn numbers(printed: &str) -> Vec<f64> {
    printed.lines().map(|line| line.parse().expect("a number")).collect()
}

/// Runs a program in check mode; returns its standard output, its standard error (a table) and its JSON
/// report.
fn check(program: &Path) -> (String, String, Value) {
    let path = program.with_extension("json");
    let output = run(in_mode(program, "check").env("WIDEBRAGG_REPORT", &path));
    let report = serde_json::from_slice(&fs::read(path).expect("a report")).expect("JSON");
    (text(&output.stdout), text(&output.stderr), report)
}

#[test]
fn theirs_and_check_print_what_a_plain_build_prints() {
    let Some(cc) = gcc() else { return };
    for (name, cflags) in [("right", ""), ("off", ALL_OFF)] {
        let expected = printed(&mut Command::new(plain(&format!("plain_{name}"), &cc, cflags)));
        assert_eq!(expected.lines().count(), FUNCTIONS.len());
        let (program, _) = build(&format!("theirs_{name}"), &cc, cflags, &[]);
        assert_eq!(printed(&mut in_mode(&program, "theirs")), expected, "{name}");
        assert_eq!(check(&program).0, expected, "{name}");
    }
}

#[test]
fn ours_are_ours() {
    let Some(cc) = gcc() else { return };
    let right = numbers(&printed(&mut Command::new(plain("ours_plain", &cc, ""))));
    let (program, said) = build("ours_off", &cc, ALL_OFF, &[]);
    assert!(said.contains(&format!("replaced: {}", FUNCTIONS.join(" "))), "{said}");
    let theirs = numbers(&printed(&mut in_mode(&program, "theirs")));
    let ours = printed(&mut in_mode(&program, "ours"));
    for (name, ((ours, theirs), right)) in
        FUNCTIONS.iter().zip(numbers(&ours).iter().zip(&theirs).zip(&right))
    {
        assert!((theirs / right - 1.0).abs() >= 1e-6, "{name}: theirs are off, {theirs} against {right}");
        assert!((ours / right - 1.0).abs() <= 1e-9, "{name}: ours are not, {ours} against {right}");
    }
    let mut default = Command::new(&program);
    assert_eq!(printed(default.env_remove("WIDEBRAGG_MODE")), ours, "ours is the default");
}

#[test]
fn check_finds_the_function_that_is_off() {
    let Some(cc) = gcc() else { return };
    let (program, _) = build("one_off", &cc, "-DSINC3_OFF=1e-6", &[]);
    let (_, table, report) = check(&program);
    assert_eq!(report["mode"], "check");
    assert_eq!(report["not_replaced"], serde_json::json!([]));
    for name in FUNCTIONS {
        let tally = &report["functions"][name];
        assert_eq!(tally["calls"], ROUNDS, "{name}");
        assert_eq!(tally["unlike"], 0, "{name}");
        assert!(tally["identical"].as_u64() <= Some(ROUNDS), "{name}");
        let relative = tally["largest_relative"]["difference"].as_f64().expect("a difference");
        let line = table.lines().find(|line| line.split_whitespace().next() == Some(name)).expect(name);
        assert!(line.contains(&ROUNDS.to_string()), "{line}");
        if name == "sinc3" {
            assert!((relative - 1e-6).abs() <= 1e-9, "{relative}");
            assert!(line.ends_with("1e-06"), "{line}");
        } else {
            assert!(relative <= 1e-9, "{name}: {relative}");
        }
    }
    // The reported arguments are those that gave the difference.
    for key in ["largest_absolute", "largest_relative"] {
        let worst = &report["functions"]["sinc3"][key];
        let number = |value: &Value| value.as_f64().expect("a number");
        let (ours, theirs) = (number(&worst["ours"]), number(&worst["theirs"]));
        assert_eq!(widebragg_ffi::wb_sinc3(number(&worst["arguments"]["x"])), ours);
        assert!((theirs / ours - 1.000_001).abs() <= 1e-9, "{theirs} {ours}");
    }
    let polin3 = &report["functions"]["polin3"]["largest_absolute"]["arguments"];
    assert_eq!(polin3["ya"].as_array().map(Vec::len), Some(64));
    assert_eq!(polin3["x3"], 0.5);
}

#[test]
fn check_tells_numbers_from_nan() {
    let Some(cc) = gcc() else { return };
    let (program, _) = build("nan", &cc, "-DSINC3_OFF=NAN", &[]);
    let (_, _, report) = check(&program);
    let tally = &report["functions"]["sinc3"];
    assert_eq!(tally["unlike"], ROUNDS);
    assert_eq!(tally["largest_absolute"], Value::Null);
    assert_eq!(tally["first_unlike"]["theirs"], "nan");
}

#[test]
fn threads_are_counted_exactly() {
    let Some(cc) = gcc() else { return };
    let (program, _) = build("threads", &cc, "-DSINC3_OFF=1e-6", &["OPENMP=1"]);
    let path = scratch("threads.json");
    let mut command = in_mode(&program, "check");
    let output = run(command.env("WIDEBRAGG_REPORT", &path).env("OMP_NUM_THREADS", "5"));
    let report: Value = serde_json::from_slice(&fs::read(path).expect("a report")).expect("JSON");
    let alone = plain("threads_plain", &cc, "-DSINC3_OFF=1e-6");
    assert_eq!(text(&output.stdout), printed(&mut Command::new(alone)));
    let (serial, _) = build("serial", &cc, "-DSINC3_OFF=1e-6", &[]);
    let (_, _, serial) = check(&serial);
    for name in FUNCTIONS {
        let (threads, serial) = (&report["functions"][name], &serial["functions"][name]);
        assert_eq!(threads["calls"], ROUNDS, "{name}");
        assert_eq!(threads["identical"], serial["identical"], "{name}");
        assert_eq!(
            threads["largest_absolute"]["difference"], serial["largest_absolute"]["difference"],
            "{name}"
        );
    }
}

#[test]
fn functions_that_cannot_be_replaced_are_named() {
    let Some(cc) = gcc() else { return };
    let (program, said) = build("lacking", &cc, "-DWITHOUT_ROTATE -DSTATIC_SINC3", &[]);
    assert!(said.contains("rotate: not defined in this file"), "{said}");
    assert!(said.contains("sinc3: static"), "{said}");
    let (_, table, report) = check(&program);
    assert_eq!(report["not_replaced"], serde_json::json!(["sinc3", "rotate"]));
    assert_eq!(report["functions"]["rotate_axis"]["calls"], ROUNDS);
    assert_eq!(table.matches("not replaced").count(), 2, "{table}");

    let other = scratch("other.c");
    fs::write(&other, "int main(void) { return 0; }\n").expect("a scratch file");
    let refused =
        make("other", &[&format!("CC={}", cc.display()), &format!("NANOBRAGG_C={}", other.display())]);
    assert!(!refused.status.success());
    assert!(text(&refused.stderr).contains("none of the functions is there"), "{}", text(&refused.stderr));
}

#[test]
fn wrong_settings_are_refused() {
    let Some(cc) = gcc() else { return };
    let (program, _) = build("settings", &cc, "", &[]);
    let refused = in_mode(&program, "both").output().expect("runs");
    assert_eq!(refused.status.code(), Some(2));
    assert!(refused.stdout.is_empty());
    let said = text(&refused.stderr);
    assert_eq!(said, "widebragg: WIDEBRAGG_MODE is 'both'; it can be ours, theirs or check\n");

    let nowhere = run(in_mode(&program, "check").env("WIDEBRAGG_REPORT", "/no/such/folder/report.json"));
    assert!(text(&nowhere.stderr).contains("/no/such/folder/report.json cannot be opened"));
    let unused = run(in_mode(&program, "theirs").env("WIDEBRAGG_REPORT", scratch("unused.json")));
    assert!(text(&unused.stderr).contains("in mode check only"));
    assert!(!scratch("unused.json").exists());
}

#[cfg(unix)]
#[test]
fn tools_that_do_not_do_are_named() {
    use std::os::unix::fs::PermissionsExt;

    let Some(cc) = gcc() else { return };
    fs::create_dir_all(scratch("")).expect("a scratch folder");
    let script = |name: &str, prints: &str| {
        let path = scratch(name);
        fs::write(&path, format!("#!/bin/sh\necho '{prints}'\n")).expect("a scratch file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("permissions");
        path.display().to_string()
    };
    let (gcc, file) = (format!("CC={}", cc.display()), format!("NANOBRAGG_C={}", source().display()));
    let clang = format!("CC={}", script("clang", "#define __clang__ 1"));
    let old = format!("OBJCOPY={}", script("objcopy", "--weaken-symbol"));
    let cases: [(&[&str], &str); 6] = [
        (&[&gcc], "say which file"),
        (&[&gcc, "NANOBRAGG_C=/no/such/file.c"], "no file /no/such/file.c"),
        (&["CC=/no/such/compiler", &file], "does not run"),
        (&[&clang, &file], "is clang"),
        (&[&gcc, &file, &old], "has no --add-symbol"),
        (&[&gcc, &file, "OBJDUMP=/no/such/tool"], "/no/such/tool does not run"),
    ];
    for (variables, expected) in cases {
        let refused = make("refused", variables);
        assert!(!refused.status.success(), "{variables:?}");
        let said = text(&refused.stderr);
        assert!(said.contains(expected), "{variables:?}: {said}");
    }
    assert!(!scratch("refused/nanoBragg").exists());
}
