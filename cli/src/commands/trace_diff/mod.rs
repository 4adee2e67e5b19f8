//! `widebragg trace-diff`: the first value that differs between two traces, and the differences of all
//! values.
//!
//! Reads traces of `widebragg trace` (text or JSON), traces of nanoBragg that are stored as JSON, traces in
//! logs, and the output of nanoBragg's `-printout`. Prints a table and writes metrics.json. Exit codes: 1 usage, 2 a
//! trace cannot be used, 3 the traces diverge.

pub mod alignment;
pub mod report;

use std::fs;
use std::path::Path;

use super::distinct::Files;
use crate::console;
use crate::error::Failure;
use crate::options::TraceDiffOptions;
use alignment::align;
use report::{Report, describe};
use widebragg_formats::atomic::write_atomically;
use widebragg_formats::trace::read_trace;

/// The file in the folder of `--out`.
const METRICS: &str = "metrics.json";

/// Exit code of traces that diverge.
const DIVERGED: u8 = 3;

/// Compares two traces.
///
/// # Errors
/// The line to print on standard error, and the exit code.
pub fn run(options: &TraceDiffOptions) -> Result<(), Failure> {
    let [path_a, path_b] = &options.traces;
    let read = [("first trace", path_a.as_path()), ("second trace", path_b.as_path())];
    Files::read(read).write_into(&options.out, [METRICS])?;
    let (a, b) = (read_trace(path_a)?, read_trace(path_b)?);
    let from = |path: &Path, notes: &[String]| {
        notes.iter().map(|note| format!("{}: {note}", path.display())).collect::<Vec<_>>()
    };
    let notes = [from(path_a, &a.notes), from(path_b, &b.notes)].concat();
    notes.iter().for_each(|note| console::complain(note));
    let alignment = align(&a, &b, &options.pixels)
        .map_err(|what| Failure::input(format!("{}, {}: {what}", path_a.display(), path_b.display())))?;
    let report = Report { options, alignment: &alignment, notes: &notes };

    let unusable =
        |error: std::io::Error| Failure::input(format!("--out {}: {error}", options.out.display()));
    fs::create_dir_all(&options.out).map_err(unusable)?;
    write_atomically(&options.out.join(METRICS), |out| report.write_json(out))?;
    if options.json {
        console::stream(|out| report.write_json(out))?;
    } else if !options.quiet {
        console::stream(|out| report.write_text(out))?;
    }
    match report.first_divergence() {
        None => Ok(()),
        Some(row) => Err(Failure::with_code(DIVERGED, format!("first divergence: {}", describe(row)))),
    }
}
