//! What every test through C needs: a compiler that runs, the static library, commands that must succeed.
//!
//! Needs a C compiler (`cc`, or what the environment variable `CC` names) on a Unix; elsewhere the tests print that they were skipped.

#![allow(dead_code, reason = "compiled into each test program, and no program needs all of it")]

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The package's folder.
pub const CRATE: &str = env!("CARGO_MANIFEST_DIR");
/// A folder for the tests' files.
pub const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");

/// The folder of the header.
pub fn include() -> PathBuf {
    Path::new(CRATE).join("include")
}

/// What a command printed.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Output of a command that must succeed.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}{err}");
    output
}

/// The tool that `variable` or else `usual` names, if it runs.
pub fn tool(variable: &str, usual: &str) -> Option<OsString> {
    let name = env::var_os(variable).unwrap_or_else(|| usual.into());
    let runs = Command::new(&name).arg("--version").output().is_ok_and(|output| output.status.success());
    if !cfg!(unix) || !runs {
        println!("skipped: {} does not run here", name.display());
        return None;
    }
    Some(name)
}

/// The C compiler, where there is a `make` as well.
pub fn cc() -> Option<OsString> {
    tool("MAKE", "make").and_then(|_| tool("CC", "cc"))
}

/// The C++ compiler, where there is a `make` as well.
pub fn cxx() -> Option<OsString> {
    tool("MAKE", "make").and_then(|_| tool("CXX", "c++"))
}

/// The folder of libwidebragg.a and libwidebragg.so, made as a user makes them. It has a target folder of its own: the
/// usual one may be locked by the cargo that runs this test.
pub fn product() -> &'static Path {
    static PRODUCT: OnceLock<PathBuf> = OnceLock::new();
    PRODUCT.get_or_init(|| {
        let build = Path::new(SCRATCH).join("product");
        make(&[&format!("BUILD={}", build.display())]);
        build
    })
}

/// Runs the package's Makefile.
pub fn make(arguments: &[&str]) {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run(Command::new("make")
        .args(["-C", CRATE, "CARGOFLAGS=--offline"])
        .arg(format!("CARGO={}", cargo.display()))
        .args(arguments)
        .env_remove("MAKEFLAGS"));
}

/// The static library.
pub fn static_library() -> PathBuf {
    product().join("libwidebragg.a")
}

/// Compiles a C or C++ program against the static library, all warnings being errors; the program.
pub fn compile(compiler: &OsStr, source: &Path, flags: &[&str]) -> PathBuf {
    let program = source.file_stem().map(|name| Path::new(SCRATCH).join(name)).expect("a source file");
    run(Command::new(compiler)
        .args(["-Wall", "-Wextra", "-Werror", "-pedantic"])
        .args(flags)
        .args(["-I".as_ref(), include().as_os_str()])
        .args([source, &static_library()])
        .args(["-lm", "-o"])
        .arg(&program));
    program
}

/// Compiles and runs a program; its standard output.
pub fn run_program(compiler: &OsStr, source: &Path, flags: &[&str]) -> String {
    text(&run(&mut Command::new(compile(compiler, source, flags))).stdout)
}
