//! A rotation series: which frames to render, and the record that keeps a resumed series from mixing two experiments.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::output::Names;
use crate::error::Failure;
use crate::files::atomic::write_atomically;
use crate::options::Options;

/// The frames of a run, counted from 0, and whether they are numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// First frame to render.
    pub first: usize,
    /// Frame past the last to render.
    pub end: usize,
    /// Whether file names carry a number.
    pub numbered: bool,
}

impl Series {
    /// The frames that `options` asks for.
    ///
    /// # Errors
    /// A range outside the series, or a range without a series.
    pub fn new(options: &Options) -> Result<Self, Failure> {
        let Some(frames) = options.frames else {
            if options.frame_range.is_some() {
                return Err(Failure::input("--frame-range needs --frames, the length of the whole series"));
            }
            return Ok(Self { first: 0, end: 1, numbered: false });
        };
        let [first, last] = options.frame_range.unwrap_or([1, frames]);
        if first < 1 || first > last || last > frames {
            return Err(Failure::input(format!(
                "--frame-range {first}:{last}: the series has frames 1 to {frames}"
            )));
        }
        Ok(Self { first: first - 1, end: last, numbered: true })
    }

    /// The number in file names of frame `index`.
    #[must_use]
    pub fn number(&self, index: usize) -> Option<usize> {
        self.numbered.then_some(index + 1)
    }
}

/// Options that change how a series is rendered, not what it is: name, and values that follow.
const INCIDENTAL: [(&str, usize); 9] = [
    ("--threads", 1),
    ("--frame-range", 1),
    ("--resume", 0),
    ("--quiet", 0),
    ("--json", 0),
    ("--simd", 1),
    ("-progress", 0),
    ("-noprogress", 0),
    ("-printout", 0),
];

/// The arguments that say what the series is.
fn essential(args: &[String]) -> Vec<&str> {
    let mut rest = args.iter().map(String::as_str);
    let mut kept = Vec::new();
    while let Some(arg) = rest.next() {
        let name = arg.split('=').next().unwrap_or(arg);
        match INCIDENTAL.iter().find(|(incidental, _)| *incidental == name) {
            Some(&(_, values)) if name == arg => rest.by_ref().take(values).for_each(drop),
            Some(_) => {}
            None => kept.push(arg),
        }
    }
    kept
}

/// Where the record of a series lies: beside its float images.
fn record_path(options: &Options) -> PathBuf {
    let float = options.floatfile.as_deref().unwrap_or(Path::new("floatimage.bin"));
    float.with_extension("series.json")
}

/// Writes the record of the series, or, where it is resumed, checks that the one found is of the same series.
///
/// # Errors
/// A record that cannot be read or written, or a series begun with other options.
pub fn record(options: &Options, args: &[String]) -> Result<(), Failure> {
    let path = record_path(options);
    let ours = json!({ "program": "widebragg", "arguments": essential(args) });
    if options.resume && path.exists() {
        let text = fs::read_to_string(&path)
            .map_err(|error| Failure::input(format!("--resume: {}: {error}", path.display())))?;
        let found: Value = serde_json::from_str(&text)
            .map_err(|error| Failure::input(format!("--resume: {}: {error}", path.display())))?;
        if found.get("arguments") != ours.get("arguments") {
            return Err(Failure::input(format!(
                "--resume: {} was begun with other options; use other file names, or drop --resume",
                path.display()
            )));
        }
        return Ok(());
    }
    let text = format!("{ours:#}\n");
    write_atomically(&path, |out| out.write_all(text.as_bytes()))
}

/// Whether a frame is finished already and may be left out.
#[must_use]
pub fn is_finished(options: &Options, names: &Names, pixels: usize) -> bool {
    options.resume && names.are_complete(pixels)
}
