//! Tests that skip say so: on standard output, and in a list that is printed when all tests have run.
//!
//! The list is the file that `WIDEBRAGG_SKIPPED` names, or else a file in the build folder for each run of
//! `cargo test`, which the last test program, `zz_skipped`, prints and removes. An entry is a line
//! `program::test: what`.

use core::time::Duration;
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{env, thread};

/// The environment variable that names the list.
pub const LIST: &str = "WIDEBRAGG_SKIPPED";

/// Lists of runs that did not come to their end are removed after this time.
const OLD: Duration = Duration::from_secs(24 * 60 * 60);

/// Says that a test, or a part of it, is skipped for want of `what`: prints a line, and notes it in the list.
///
/// # Panics
/// When the list cannot be written.
pub fn skipped(what: impl AsRef<str>) {
    let what = what.as_ref();
    println!("skipped: {what}");
    let entry = format!("{}: {what}\n", test_name());
    let Some(list) = list() else { return };
    if let Some(folder) = list.parent() {
        fs::create_dir_all(folder).expect("the folder of the list of skipped tests");
    }
    let file = OpenOptions::new().create(true).append(true).open(&list);
    // A single write, since other tests append to the list at the same time.
    let written = file.and_then(|mut file| file.write_all(entry.as_bytes()));
    written.unwrap_or_else(|error| panic!("{}: {error}", list.display()));
}

/// What was skipped since the run began, each once; forgets it, unless [`LIST`] names the list.
#[must_use]
pub fn take_list() -> BTreeSet<String> {
    let Some(list) = list() else { return BTreeSet::new() };
    let entries = fs::read_to_string(&list).unwrap_or_default();
    if env::var_os(LIST).is_none() {
        // It does not exist where nothing was skipped.
        let _ = fs::remove_file(&list);
        list.parent().into_iter().for_each(remove_old);
    }
    entries.lines().map(str::to_owned).collect()
}

fn remove_old(folder: &Path) {
    let now = SystemTime::now();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let written = entry.metadata().and_then(|metadata| metadata.modified());
        if written.is_ok_and(|written| now.duration_since(written).is_ok_and(|age| age > OLD)) {
            // Another run may have removed it.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// `program::test`; tests that run in the main thread have no name.
fn test_name() -> String {
    let program = env::current_exe().unwrap_or_default();
    let program = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    // Without the hash that cargo appends.
    let program = program.rsplit_once('-').map_or(program.as_str(), |(name, _)| name).to_owned();
    match thread::current().name() {
        Some(name) if name != "main" => format!("{program}::{name}"),
        _ => program,
    }
}

/// The list of this run; `None` where there is no build folder to keep it in.
fn list() -> Option<PathBuf> {
    if let Some(path) = env::var_os(LIST) {
        return Some(PathBuf::from(path));
    }
    let program = env::current_exe().ok()?;
    let build = program.ancestors().find(|folder| folder.join(".rustc_info.json").exists())?;
    Some(build.join("skipped-tests").join(run().to_string()))
}

/// A number that all test programs of a run have in common: the process of cargo.
fn run() -> u32 {
    #[cfg(unix)]
    return std::os::unix::process::parent_id();
    #[cfg(not(unix))]
    return 0;
}
