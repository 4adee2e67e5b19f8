//! The static library and the header, as a C programmer meets them: built, compiled against, linked, run.
//!
//! Needs a C compiler (`cc`, or what the environment variable `CC` names) on a Unix; elsewhere the tests print that they were skipped.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

const CRATE: &str = env!("CARGO_MANIFEST_DIR");
const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Output of a command that must succeed.
fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}{err}");
    output
}

/// The compiler that `variable` or else `usual` names, if it runs.
fn compiler(variable: &str, usual: &str) -> Option<OsString> {
    let name = env::var_os(variable).unwrap_or_else(|| usual.into());
    let runs = Command::new(&name).arg("--version").output().is_ok_and(|output| output.status.success());
    if !cfg!(unix) || !runs {
        println!("skipped: no compiler {}", name.display());
        return None;
    }
    Some(name)
}

/// The release static library. It has a target folder of its own: the usual one may be locked by the cargo that runs
/// this test.
fn static_library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let target = Path::new(SCRATCH).join("staticlib");
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        run(Command::new(cargo)
            .args(["rustc", "-p", "widebragg-ffi", "--release", "--crate-type", "staticlib", "--offline"])
            .args(["--manifest-path".as_ref(), Path::new(CRATE).join("Cargo.toml").as_os_str()])
            .args(["--target-dir".as_ref(), target.as_os_str()])
            // A build for another target would land in another folder.
            .env_remove("CARGO_BUILD_TARGET"));
        target.join("release/libwidebragg_ffi.a")
    })
}

/// Compiles and runs a C program against the library; its standard output.
fn run_program(cc: &OsString, source: &Path, flags: &[&str]) -> String {
    let program = source.file_stem().map(|name| Path::new(SCRATCH).join(name)).expect("a source file");
    run(Command::new(cc)
        .args(["-Wall", "-Wextra", "-Werror", "-pedantic"])
        .args(flags)
        .args(["-I".as_ref(), Path::new(CRATE).join("include").as_os_str()])
        .args([source, static_library()])
        .args(["-lm", "-lpthread", "-ldl", "-o"])
        .arg(&program));
    text(&run(&mut Command::new(program)).stdout)
}

#[test]
fn agrees_with_the_c_expression() {
    let Some(cc) = compiler("CC", "cc") else { return };
    let source = Path::new(CRATE).join("tests/c/sincg.c");
    assert_eq!(run_program(&cc, &source, &["-std=c99"]).trim(), "28007");
}

#[test]
fn the_program_in_the_header_runs() {
    let Some(cc) = compiler("CC", "cc") else { return };
    let header = fs::read_to_string(Path::new(CRATE).join("include/widebragg.h")).expect("the header");
    let start = header.find("#include").expect("the program's first line");
    let end = header.find("\n}\n").expect("the program's last line") + 3;
    let source = Path::new(SCRATCH).join("from_header.c");
    fs::write(&source, &header[start..end]).expect("a scratch file");
    let printed = run_program(&cc, &source, &["-std=c99"]);
    let value: f64 = printed.trim().parse().expect("a number");
    assert_eq!(value, widebragg_ffi::wb_sincg(0.05, 36.0));
}

#[test]
fn the_header_is_clean_cpp() {
    let Some(cxx) = compiler("CXX", "c++") else { return };
    let source = Path::new(SCRATCH).join("header.cpp");
    fs::write(
        &source,
        "#include \"widebragg.h\"\nint main() { return wb_sincg(0.0, 1.0) == 1.0 ? 0 : 1; }\n",
    )
    .expect("a scratch file");
    run_program(&cxx, &source, &["-std=c++11"]);
}
