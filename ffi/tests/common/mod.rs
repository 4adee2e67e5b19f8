//! Shared by the tests that compile C: tools, the static library, and commands that must succeed.
//!
//! They need a C compiler (`cc`, or the value of the environment variable `CC`) on a Unix system; elsewhere
//! they print that they were skipped.

#![allow(dead_code, reason = "compiled into each test program, none of which uses all of it")]

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use widebragg_tests::skipped::skipped;

/// The folder of the package.
pub const CRATE: &str = env!("CARGO_MANIFEST_DIR");
/// A folder for files of the tests.
pub const SCRATCH: &str = env!("CARGO_TARGET_TMPDIR");

/// The folder of the header.
pub fn include() -> PathBuf {
    Path::new(CRATE).join("include")
}

/// The text that a command printed.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The output of a command that must succeed.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}{err}");
    output
}

/// The tool named by the environment variable `variable`, or else `usual`, if it runs.
pub fn tool(variable: &str, usual: &str) -> Option<OsString> {
    let name = env::var_os(variable).unwrap_or_else(|| usual.into());
    let runs = Command::new(&name).arg("--version").output().is_ok_and(|output| output.status.success());
    if !cfg!(unix) || !runs {
        skipped(format!("{} does not run here", name.display()));
        return None;
    }
    Some(name)
}

/// The C compiler, if there is a `make` as well.
pub fn cc() -> Option<OsString> {
    tool("MAKE", "make").and_then(|_| tool("CC", "cc"))
}

/// The C++ compiler, if there is a `make` as well.
pub fn cxx() -> Option<OsString> {
    tool("MAKE", "make").and_then(|_| tool("CXX", "c++"))
}

/// The folder of libwidebragg.a and libwidebragg.so. The environment variable `WIDEBRAGG_C_LIBRARIES` names
/// the folder of libraries to test, such as those that a user's `make` has built.
pub fn product() -> &'static Path {
    static PRODUCT: OnceLock<PathBuf> = OnceLock::new();
    PRODUCT.get_or_init(|| match env::var_os("WIDEBRAGG_C_LIBRARIES") {
        Some(path) => {
            fs::canonicalize(&path).unwrap_or_else(|error| panic!("WIDEBRAGG_C_LIBRARIES: {error}"))
        }
        None => build(),
    })
}

/// Builds the libraries: on Linux from the kernel that this test is linked with, because to compile it again
/// takes minutes; elsewhere as a user does, in a target folder that no cargo has locked.
fn build() -> PathBuf {
    let build = Path::new(SCRATCH).join("product");
    let build_variable = format!("BUILD={}", build.display());
    let Some(objcopy) = tool("OBJCOPY", "objcopy").filter(|_| cfg!(target_os = "linux")) else {
        make(&[&build_variable]);
        return build;
    };
    let target = Path::new(SCRATCH).parent().expect("the target folder");
    // A test is in <target folder>/<profile>/deps, where the profile `dev` is named `debug`.
    let test = env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).and_then(Path::file_name).and_then(OsStr::to_str);
    let profile = profile.map_or("dev", |name| if name == "debug" { "dev" } else { name });
    make(&[
        &build_variable,
        &format!("TARGET_DIR={}", target.display()),
        &format!("PROFILE={profile}"),
        &format!("RUSTCFLAGS=-C panic=abort -C codegen-units=1 -C link-arg=-Wl,--defsym={PERSONALITY}=0"),
    ]);
    run(Command::new(objcopy)
        .arg(format!("--weaken-symbol={PERSONALITY}"))
        .arg(build.join("libwidebragg.a")));
    build
}

/// A function of Rust's std that unwinding would call. Nothing unwinds here, but without link-time
/// optimisation the objects of Rust's core refer to it.
const PERSONALITY: &str = "rust_eh_personality";

/// Runs the Makefile of the package.
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

/// Compiles a C or C++ program against the static library, with warnings as errors, and returns the program.
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

/// Compiles and runs a program, and returns its standard output.
pub fn run_program(compiler: &OsStr, source: &Path, flags: &[&str]) -> String {
    text(&run(&mut Command::new(compile(compiler, source, flags))).stdout)
}
