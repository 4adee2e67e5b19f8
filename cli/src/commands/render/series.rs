//! A rotation series: the frames to render, and a record that prevents a series from mixing images of two
//! experiments.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use widebragg::lanes::Simd;

use super::output::Names;
use crate::commands::setup::clock_seed;
use crate::commands::setup::structure_factors::inputs;
use crate::error::Failure;
use crate::options::Options;
use widebragg_formats::atomic::create_atomically;

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
            if options.resume {
                return Err(Failure::input("--resume needs --frames: only a series is resumed"));
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

/// Options that do not change the images of a series: name, and number of values.
const INCIDENTAL: [(&str, usize); 12] = [
    ("--threads", 1),
    ("--evidence", 1),
    ("--frame-range", 1),
    ("--resume", 0),
    ("--expt", 1),
    ("--no-expt", 0),
    ("--quiet", 0),
    ("--json", 0),
    ("--simd", 1), // its level is recorded instead
    ("-progress", 0),
    ("-noprogress", 0),
    ("-printout", 0),
];

/// The arguments that the images depend on.
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

/// The record of a series, in which all its jobs and resumptions must agree.
#[derive(Debug)]
pub struct Record {
    path: PathBuf,
    ours: Value,
    /// Time of the existing record; `None` without one.
    begun: Option<SystemTime>,
}

/// Parts of a record, and the words for a difference in them.
const PARTS: [(&str, &str); 3] = [
    ("arguments", "other options"),
    ("inputs", "other contents of its input files"),
    ("simd", "another instruction set (name one with --simd for machines that differ)"),
];

impl Record {
    /// Reads the record of the series, which is in the folder of its float images. A seed that is not given
    /// is taken from the record, or drawn for it, and stored in `options`, so that all jobs of the series
    /// have the same seed.
    ///
    /// # Errors
    /// An input cannot be read, or the record is that of another series.
    pub fn find(options: &mut Options, args: &[String]) -> Result<Self, Failure> {
        let float = options.floatfile.as_deref().unwrap_or(Path::new("floatimage.bin"));
        let path = float.with_extension("series.json");
        let (found, begun) = match fs::read(&path) {
            Ok(bytes) => {
                let found: Value = serde_json::from_slice(&bytes)
                    .map_err(|error| Failure::input(format!("{}: {error}", path.display())))?;
                (Some(found), fs::metadata(&path).and_then(|metadata| metadata.modified()).ok())
            }
            Err(_) => (None, None),
        };
        let drawn = found.as_ref().and_then(|found| found.get("seed")).and_then(Value::as_i64);
        let seed = options.seed_as_typed.or(drawn).unwrap_or_else(clock_seed);
        options.seed_as_typed = Some(seed);
        let ours = json!({
            "program": "widebragg",
            "arguments": essential(args),
            "inputs": fingerprints(options)?,
            "simd": options.simd.map_or_else(Simd::detect, Simd::capped).level().name(),
            "seed": seed,
        });
        if let Some(found) = found {
            let differing = PARTS.iter().find(|(part, _)| found.get(part) != ours.get(part));
            if let Some((_, what)) = differing {
                return Err(Failure::input(format!(
                    "{}: a series was begun here with {what}; use other file names, or remove it with its images",
                    path.display()
                )));
            }
        }
        Ok(Self { path, ours, begun })
    }

    /// Writes the record where there is none.
    ///
    /// # Errors
    /// The record cannot be written, or another job has just written a different one.
    pub fn keep(&mut self) -> Result<(), Failure> {
        if self.begun.is_some() {
            return Ok(());
        }
        let text = format!("{:#}\n", self.ours);
        // Of concurrent jobs one creates the record, and the others read it.
        let created = create_atomically(&self.path, |out| out.write_all(text.as_bytes()))?;
        let path = self.path.display();
        if !created && fs::read(&self.path).is_ok_and(|found| found != text.as_bytes()) {
            return Err(Failure::input(format!("{path}: another job began the series just now; run again")));
        }
        Ok(())
    }

    /// Corrects the times of the files of a frame where, after a change of the clock, they are before the
    /// start of the series.
    pub fn mark(&self, names: &Names) {
        let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
        let Ok(begun) = modified(&self.path) else { return };
        for path in names.all() {
            let is_earlier = path.is_file() && modified(path).is_ok_and(|time| time < begun);
            if let Some(file) = is_earlier.then(|| File::options().append(true).open(path).ok()).flatten() {
                // If this fails, --resume renders the frame again.
                let _ = file.set_modified(begun);
            }
        }
    }

    /// Whether a frame was finished since the series began, so that it can be skipped.
    #[must_use]
    pub fn has_finished(&self, names: &Names, pixels: usize) -> bool {
        let Some(begun) = self.begun else { return false };
        let since = |path: &&Path| {
            fs::metadata(path).and_then(|metadata| metadata.modified()).is_ok_and(|time| time >= begun)
        };
        names.are_complete(pixels) && names.all().iter().all(since)
    }
}

/// Size and MD5 of each file that the image depends on.
fn fingerprints(options: &Options) -> Result<Value, Failure> {
    let mut all = Vec::new();
    for path in inputs(options) {
        let bytes = fs::read(path).map_err(|error| Failure::input(format!("{}: {error}", path.display())))?;
        let digest = Md5::digest(&bytes).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        all.push(json!([bytes.len(), digest]));
    }
    Ok(Value::Array(all))
}
