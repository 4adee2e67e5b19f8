//! A rotation series: the frames to render, and a record that prevents a series from mixing images of two
//! experiments.
//!
//! The record is a JSON file beside each kind of image, `name.bin.series.json` beside the frames of
//! `name.bin`, so that series that share any image find the same record. All of them hold what defines the images:
//! the version of the program, the options, size and MD5 of the input files, the SIMD level and the seed. The
//! record of the float images also holds the scales of the other images once a job has found them: those of
//! the first frame. A frame depends on nothing else, so every job finds the same scales.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use widebragg::SPEC_REVISION;

use super::output::{MOST_FRAMES, Names, Scales};
use crate::commands::setup::clock_seed;
use crate::commands::setup::device;
use crate::commands::setup::inputs::Inputs;
use crate::error::Failure;
use crate::evidence::{hex, quoted};
use crate::options::{Options, grouped, takes_file};
use widebragg_formats::atomic::{create_atomically, write_atomically};

/// The frames of a run, counted from 0, and whether they are numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// First frame to render.
    pub first: usize,
    /// Frame past the last to render.
    pub end: usize,
    /// Number of frames of the whole series; `None` for a single image, whose file names carry no number.
    pub frames: Option<usize>,
}

impl Series {
    /// The frames that `options` asks for.
    ///
    /// # Errors
    /// More frames than numbers, a range outside the series, or a range without a series.
    pub fn new(options: &Options) -> Result<Self, Failure> {
        let Some(frames) = options.frames else {
            if options.frame_range.is_some() {
                return Err(Failure::input("--frame-range needs --frames, the length of the whole series"));
            }
            if options.resume {
                return Err(Failure::input("--resume needs --frames: only a series is resumed"));
            }
            return Ok(Self { first: 0, end: 1, frames: None });
        };
        let [count, range, kind] = match options.shots {
            Some(_) => ["--shots", "--shot-range", "shots"],
            None => ["--frames", "--frame-range", "frames"],
        };
        if frames > MOST_FRAMES {
            return Err(Failure::input(format!(
                "{count} {frames}: a series has at most {MOST_FRAMES} {kind}, since their numbers have five digits"
            )));
        }
        let [first, last] = options.frame_range.unwrap_or([1, frames]);
        if first < 1 || first > last || last > frames {
            return Err(Failure::input(format!(
                "{range} {first}:{last}: the series has {kind} 1 to {frames}"
            )));
        }
        Ok(Self { first: first - 1, end: last, frames: Some(frames) })
    }

    /// The number in file names of frame `index`.
    #[must_use]
    pub fn number(&self, index: usize) -> Option<usize> {
        self.frames.map(|_| index + 1)
    }

    /// The words for the progress of frame or shot `index`; `None` for a single image.
    #[must_use]
    pub fn progress(&self, index: usize, is_shot: bool) -> Option<String> {
        let kind = if is_shot { "shot" } else { "frame" };
        self.frames.map(|frames| format!("{kind} {} of {frames}", index + 1))
    }
}

/// Options that do not change the images of a series.
const INCIDENTAL: [&str; 30] = [
    "--threads",
    "--evidence",
    "--frames",
    "--frame-range",
    "--shots",
    "--shot-range",
    "--resume",
    "--resume-anyway",
    "--truth",
    "--stream",
    "--expt",
    "--no-expt",
    "--xds-inp",
    "--predictions",
    "--nxmx",        // a file has the frames of one series, and a record beside it
    "--nxmx-data",   // the identity of the file's series says it
    "--nxmx-stages", // likewise
    "--nxmx-means",
    "--nxmx-compression",
    "--nxmx-frames-per-file",
    "--log",
    "--quiet",
    "--json",
    "--simd",   // its level is recorded instead
    "--device", // likewise: the images have the bits of that level
    "--light", // the images have the same bits
    "-progress",
    "-noprogress",
    "-printout",
    "-printout_pixel",
];

/// The options that the images depend on, each with its values, as a shell reads them.
fn essential(args: &[String]) -> Vec<String> {
    let mut options = grouped(args);
    options.retain(|option| option.first().is_some_and(|name| !INCIDENTAL.contains(&name.as_str())));
    for option in &mut options {
        if let [name, value] = &mut option[..]
            && takes_file(name) == Some(true)
            && fs::metadata(&value).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
        {
            // The name of a pipe is another in every shell; its content is recorded.
            *value = "(a pipe)".to_owned();
        }
    }
    let line = |words: &Vec<String>| words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    options.iter().map(line).collect()
}

/// How two lists of options differ, in words.
fn difference(begun: &[String], now: &[String]) -> String {
    let only_in =
        |one: &[String], other: &[String]| one.iter().find(|option| !other.contains(option)).cloned();
    let name = |option: &str| option.split(' ').next().unwrap_or_default().to_owned();
    match (only_in(now, begun), only_in(begun, now)) {
        (Some(new), _) => match begun.iter().rev().find(|option| name(option) == name(&new)) {
            Some(before) => format!("{before}, now {new}"),
            None => format!("without {new}"),
        },
        (None, Some(gone)) => format!("with {gone}"),
        (None, None) => "the same in another order or number".to_owned(),
    }
}

/// What a series is defined by, as its record holds it.
#[derive(Debug, Clone, PartialEq)]
struct Definition {
    version: String,
    /// [`SPEC_REVISION`]
    spec_revision: u64,
    /// Options, each with its values.
    options: Vec<String>,
    simd: String,
    seed: i64,
    /// Size and MD5 of the input files, by option; null before they are read.
    inputs: Value,
}

impl Definition {
    fn json(&self) -> Value {
        json!({
            "program": "widebragg",
            "version": self.version,
            "spec_revision": self.spec_revision,
            "options": self.options,
            "inputs": self.inputs,
            "simd": self.simd,
            "seed": self.seed,
        })
    }

    /// The definition in a record; `None` where it has none.
    fn parse(record: &Value) -> Option<Self> {
        let text = |key: &str| Some(record.get(key)?.as_str()?.to_owned());
        let words = |option: &Value| Some(option.as_str()?.to_owned());
        Some(Self {
            version: text("version")?,
            spec_revision: record.get("spec_revision")?.as_u64()?,
            options: record.get("options")?.as_array()?.iter().map(words).collect::<Option<_>>()?,
            simd: text("simd")?,
            seed: record.get("seed")?.as_i64()?,
            inputs: record.get("inputs")?.clone(),
        })
    }

    /// How a series that was begun as `begun` differs from this one, in words.
    fn differs_from(&self, begun: &Self) -> Option<String> {
        if begun.spec_revision != self.spec_revision {
            return Some(format!(
                "another meaning of the mode spec (revision {}, now {})",
                begun.spec_revision, self.spec_revision
            ));
        }
        if begun.options != self.options {
            return Some(format!("other options ({})", difference(&begun.options, &self.options)));
        }
        if begun.simd != self.simd {
            return Some(format!(
                "another instruction set ({}, now {}; name one with --simd for machines that differ)",
                begun.simd, self.simd
            ));
        }
        if begun.seed != self.seed {
            return Some(format!("another seed (-seed {}, now {})", begun.seed, self.seed));
        }
        let (Value::Object(before), Value::Object(now)) = (&begun.inputs, &self.inputs) else { return None };
        if before == now {
            return None;
        }
        let option = now.keys().chain(before.keys()).find(|&option| before.get(option) != now.get(option));
        Some(format!(
            "other contents of its input files ({})",
            option.map_or("in another order", String::as_str)
        ))
    }
}

/// The record of a series, in which all its jobs and resumptions must agree.
#[derive(Debug)]
pub struct Record {
    /// A file beside each kind of image, that of the float images first.
    paths: Vec<PathBuf>,
    /// The definitions in those that exist.
    found: Vec<(PathBuf, Definition)>,
    ours: Definition,
    /// Time of the record of the float images; `None` without one before this run.
    begun: Option<SystemTime>,
    /// The same, that of this run's own record included.
    time: Option<SystemTime>,
    scales: Option<Scales>,
}

/// The keys of the scales: the options that repeat a frame as a single image.
const SCALES: [&str; 2] = ["scale", "pgmscale"];

/// The record that is beside the frames of `image`.
fn beside(image: &Path) -> PathBuf {
    let mut name = image.file_name().unwrap_or_default().to_owned();
    name.push(".series.json");
    image.with_file_name(name)
}

/// A record and its definition; `None` where there is no such file.
fn read(path: &Path) -> Result<Option<(Value, Definition)>, Failure> {
    let unusable = |what: String| {
        Failure::input(format!(
            "{}: {what}; the series cannot be continued: use other file names, or remove it with its images",
            path.display()
        ))
    };
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(format!("cannot read: {error}"))),
    };
    let record = serde_json::from_slice(&bytes).map_err(|error| unusable(error.to_string()))?;
    match Definition::parse(&record) {
        Some(definition) => Ok(Some((record, definition))),
        None => Err(unusable("not the record of a series".to_owned())),
    }
}

impl Record {
    /// Reads the records of the series. A seed that is not given is taken from them, or drawn for them, and
    /// stored in `options`, so that all jobs of the series have the same seed.
    ///
    /// # Errors
    /// A record cannot be read, or is that of another series or another version of the program.
    pub fn find(options: &mut Options, args: &[String]) -> Result<Self, Failure> {
        let names = Names::numbered(options, None);
        let paths: Vec<_> = names.all().into_iter().chain(options.nxmx.as_deref()).map(beside).collect();
        let (mut found, mut begun, mut scales) = (Vec::new(), None, None);
        for (i, path) in paths.iter().enumerate() {
            let Some((record, definition)) = read(path)? else { continue };
            if i == 0 {
                begun = modified(path).ok();
                let [int, pgm] = SCALES.map(|key| record.get(key).and_then(Value::as_f64));
                scales = int.zip(pgm).map(|(int, pgm)| Scales { int, pgm });
            }
            found.push((path.clone(), definition));
        }
        let drawn = found.first().map(|(_, begun)| begun.seed);
        let seed = options.seed_as_typed.or(drawn).unwrap_or_else(clock_seed);
        options.seed_as_typed = Some(seed);
        let ours = Definition {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            spec_revision: SPEC_REVISION.into(),
            options: essential(args),
            simd: device::simd(options).level().name().to_owned(),
            seed,
            inputs: Value::Null,
        };
        let scales = scales.or_else(|| Scales::given(options));
        let record = Self { paths, found, ours, begun, time: begun, scales };
        record.check(options.resume_anyway)?;
        Ok(record)
    }

    /// Checks that the records are those of this series.
    fn check(&self, any_version: bool) -> Result<(), Failure> {
        for (path, begun) in &self.found {
            let path = path.display();
            if begun.version != self.ours.version && !any_version {
                return Err(Failure::input(format!(
                    "{path}: the series was begun by widebragg {}, this is {}: frames may differ in their last \
                     digits; continue with that version, or with --resume-anyway",
                    begun.version, self.ours.version
                )));
            }
            if let Some(what) = self.ours.differs_from(begun) {
                return Err(Failure::input(format!(
                    "{path}: a series was begun here with {what}; use other file names, or remove it with its images"
                )));
            }
        }
        Ok(())
    }

    /// Compares the input files, which have been read, with those of the records, and writes the records that
    /// are missing.
    ///
    /// # Errors
    /// The input files have other contents, a record cannot be written, or another job has just written a
    /// different one.
    pub fn keep(&mut self, inputs: &Inputs) -> Result<(), Failure> {
        self.ours.inputs = inputs.fingerprints();
        // The version was checked when the records were read.
        self.check(true)?;
        let text = format!("{:#}\n", self.ours.json());
        for path in self.paths.iter().filter(|path| self.found.iter().all(|(found, _)| found != *path)) {
            // Of concurrent jobs one creates the record, and the others read it.
            let created = create_atomically(path, |out| out.write_all(text.as_bytes()))?;
            if !created && read(path)?.is_some_and(|(_, theirs)| theirs != self.ours) {
                return Err(Failure::input(format!(
                    "{}: another job began the series just now; run again",
                    path.display()
                )));
            }
        }
        self.time = self.paths.first().and_then(|path| modified(path).ok());
        Ok(())
    }

    /// A hash of what defines the series; another series has another one.
    #[must_use]
    pub fn identity(&self) -> String {
        // The version is that which began the series; all else is the same.
        let begun = self.found.first().map_or(&self.ours, |(_, begun)| begun);
        hex(&Md5::digest(begun.json().to_string()))
    }

    /// The scales of the series, where they are known.
    #[must_use]
    pub fn scales(&self) -> Option<Scales> {
        self.scales
    }

    /// Adds the scales of the series, found by rendering its first frame.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn keep_scales(&mut self, scales: Scales) -> Result<(), Failure> {
        self.scales = Some(scales);
        let Some(path) = self.paths.first() else { return Ok(()) };
        let Some((mut record, _)) = read(path)? else { return Ok(()) };
        if SCALES.iter().all(|key| record.get(key).is_some()) {
            // Another job was faster.
            return Ok(());
        }
        for (key, scale) in SCALES.into_iter().zip([scales.int, scales.pgm]) {
            record[key] = json!(scale);
        }
        write_atomically(path, |out| writeln!(out, "{record:#}"))?;
        if let Some(begun) = self.time {
            // The time of the record is the beginning of the series; with a later one, --resume would render
            // finished frames again.
            let _ = File::options().append(true).open(path).and_then(|file| file.set_modified(begun));
        }
        Ok(())
    }

    /// Corrects the times of the files of a frame where, after a change of the clock, they are before the
    /// start of the series.
    pub fn mark(&self, names: &Names) {
        let Some(Ok(begun)) = self.paths.first().map(|path| modified(path)) else { return };
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
        let since = |path: &&Path| modified(path).is_ok_and(|time| time >= begun);
        names.are_complete(pixels) && names.all().iter().all(since)
    }
}

/// When a file was last written.
fn modified(path: &Path) -> io::Result<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Vec<String> {
        essential(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_changed_option_is_named() {
        let begun = "-mat A.mat -N 6 --png=p.png -nopgm -phi -0.5 --threads 3";
        for (now, words) in [
            ("-mat A.mat -N 7 --png p.png -nopgm -phi -0.5", "-N 6, now -N 7"),
            ("-mat A.mat -N 6 --png p.png -nopgm -phi -0.5 -N 7", "-N 6, now -N 7"),
            ("-mat A.mat -N 6 --png=q.png -nopgm -phi -0.5 --frames 3", "--png p.png, now --png q.png"),
            ("-mat A.mat -N 6 --png p.png -phi -0.5", "with -nopgm"),
            ("-mat A.mat -N 6 --png p.png -nopgm -phi -0.5 -adc 0", "without -adc 0"),
            ("-N 6 -mat A.mat --png p.png -nopgm -phi -0.5", "the same in another order or number"),
        ] {
            assert_eq!(difference(&options(begun), &options(now)), words);
        }
        let same = "--quiet -mat A.mat -N 6 --nxmx=a.nxs --png=p.png -nopgm -phi -0.5 --frame-range=2:3 --resume-anyway";
        assert_eq!(options(begun), options(same));
    }

    #[test]
    fn progress_counts_the_whole_series() {
        let series = Series { first: 3, end: 6, frames: Some(12) };
        assert_eq!(series.progress(3, false).as_deref(), Some("frame 4 of 12"));
        assert_eq!(series.progress(3, true).as_deref(), Some("shot 4 of 12"));
        assert_eq!(Series { first: 0, end: 1, frames: None }.progress(0, false), None);
    }
}
