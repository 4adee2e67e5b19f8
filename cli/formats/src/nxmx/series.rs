//! A series whose frames are made in any order, by several processes, and perhaps in several runs.
//!
//! Each frame is a file of its own, compressed as the final file stores it, in the folder `NAME.parts` beside the file
//! `NAME`. It is written atomically, so what is there is whole. The process that finds all frames there joins them: it
//! writes the file under a temporary name, renames it, and removes the parts. Two processes that do so at once write the
//! same file. A series that is stopped at any moment keeps every frame that was made, and an older file of the name until
//! the end. Memory holds one frame for each thread.
//!
//! A long series can be kept in several files of equal length, `NAME_data_000001.nxs` and so on. The file `NAME.nxs`
//! is then their master: it has everything but pixels, and its frames are those of the other files (a virtual dataset).
//!
//! Files name their series. Their frames count as made: a series can be made longer, and frames that are damaged are made
//! again. A file is never replaced by a shorter one.

use core::ops::Range;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::finished::Finished;
use super::parts::{Chunks, Part, Parts};
use super::writer::{Checked, Membership, NO_MEMORY, NxmxWriter, PIXEL_BYTES, refused, write_master};
use super::{NxmxHeader, SERIES};
use crate::failure::Failure;
use crate::hdf5::{Hdf5File, SIGNATURE, StoredChunk, decoded, encoded};
use crate::image::Pixels;
use crate::memory::reserved;
use crate::text::in_file;

/// Runs of frames that a warning names.
const MOST_NAMED: usize = 8;

/// The frames of a file that is yet to be written.
///
/// ```
/// # use widebragg_formats::geometry::{Beam, Frame, Geometry, Panel};
/// # use widebragg_formats::image::Pixels;
/// # use widebragg_formats::nxmx::{Joined, NxmxHeader, NxmxSeries};
/// # fn example(header: NxmxHeader, image: &[i32]) -> Result<(), Box<dyn std::error::Error>> {
/// let series = NxmxSeries::new("scan.nxs".as_ref(), header, "5d41402a")?;
/// let earlier = series.earlier(0..3)?;
/// for frame in (0..3).filter(|&frame| !earlier.has(frame)) {
///     series.add(frame, Pixels::I32(image))?;
/// }
/// // So for whoever makes the last frame.
/// let is_complete = matches!(series.finish()?, Joined::Complete { .. });
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NxmxSeries {
    path: PathBuf,
    header: NxmxHeader,
    checked: Checked,
    identity: String,
    frames_per_file: Option<usize>,
    parts: Parts,
}

/// What earlier runs have left of a series.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Earlier {
    /// The frames that are there, counted from 0, in order.
    frames: Vec<usize>,
    /// What the user should know, a sentence each.
    pub warnings: Vec<String>,
}

impl Earlier {
    /// Whether a frame, counted from 0, is there.
    #[must_use]
    pub fn has(&self, frame: usize) -> bool {
        self.frames.binary_search(&frame).is_ok()
    }
}

/// An image that is kept beside the data of a frame, as the file stores it.
#[derive(Debug, Clone)]
pub struct StageImage(StoredChunk);

/// What became of the file of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// It is there.
    Complete {
        /// Its frames: more than the series has where it was longer before.
        frames: usize,
    },
    /// Frames are yet to be made.
    Waiting,
    /// A frame, counted from 0, was damaged, so it has to be made again.
    Damaged(usize),
}

/// A file with frames of its own.
#[derive(Debug)]
struct DataFile {
    path: PathBuf,
    frames: Range<usize>,
}

impl NxmxSeries {
    /// The series that will be the file `path`. Nothing is written yet. `identity`, a word, is the same for all jobs
    /// and resumptions whose frames belong together, such as a hash of what defines the images; empty: it is never
    /// resumed.
    ///
    /// # Errors
    /// `header` contradicts itself.
    pub fn new(path: &Path, header: NxmxHeader, identity: &str) -> Result<Self, Failure> {
        let checked = Checked::new(&header).map_err(|what| refused(path, &what))?;
        let parts = Parts::of(path, &checked, identity);
        let (path, identity) = (path.to_owned(), identity.to_owned());
        Ok(Self { path, header, checked, identity, frames_per_file: None, parts })
    }

    /// The same series in files of `frames` frames, of which `path` is the master.
    #[must_use]
    pub fn in_files_of(self, frames: usize) -> Self {
        Self { frames_per_file: Some(frames.max(1)), ..self }
    }

    /// The folder of the frames.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.parts.folder()
    }

    /// The file and, where it is the master of others, these.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        let mut paths = vec![self.path.clone()];
        if self.frames_per_file.is_some() {
            paths.extend(self.files().into_iter().map(|file| file.path));
        }
        paths
    }

    /// Checks that the series can be begun anew: the folder of the frames can be one and has none of another series, no
    /// other file is in the place of one of its own, and none of them has more frames.
    ///
    /// # Errors
    /// One of these is not so.
    pub fn check_anew(&self) -> Result<(), Failure> {
        self.check()?;
        for file in self.files() {
            if let Some(finished) = self.finished(&file)?.filter(|own| own.frames.end > file.frames.end) {
                let (has, wanted) = (finished.frames.len(), file.frames.len());
                return Err(in_file(
                    &file.path,
                    format!(
                        "has {has} frames of this series, and would be shortened to {wanted}; resume it, or remove it"
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Checks what is in the places of the frames. The names of files that a master has are not given by the user, so
    /// only files of a series are replaced there, or what is left of one.
    fn check(&self) -> Result<(), Failure> {
        self.parts.check()?;
        for path in self.paths().into_iter().skip(1).filter(|path| path.exists()) {
            let is_of_a_series = match Hdf5File::open(&path) {
                Ok(file) => file.text(SERIES).is_ok_and(|series| series.is_some()),
                Err(_) => begins_as_hdf5(&path),
            };
            if !is_of_a_series {
                return Err(in_file(
                    &path,
                    "is in the place of a file of the series, and is not replaced; move it",
                ));
            }
        }
        Ok(())
    }

    /// Finds which of these frames, counted from 0, earlier runs have left whole. All of their bytes are read.
    ///
    /// # Errors
    /// There are frames of another series, another file is in the place of one of this series, a frame is damaged in a file that has more frames than this series, or there
    /// is too little memory.
    pub fn earlier(&self, frames: Range<usize>) -> Result<Earlier, Failure> {
        self.check()?;
        let mut earlier = Earlier::default();
        let mut damaged_parts = Vec::new();
        let mut chunks = Chunks::default();
        let main = self.main()?;
        for file in self.files() {
            let own = self.finished(&file)?;
            if own.is_none() && file.path.is_file() {
                let path = file.path.display();
                earlier.warnings.push(format!(
                    "{path}: not a readable file of this series; it is replaced once all frames are there"
                ));
            }
            let mut damaged = Vec::new();
            let mut has_parts = false;
            for frame in file.frames.start.max(frames.start)..file.frames.end.min(frames.end) {
                let part = self.parts.read(frame, &mut chunks)?;
                has_parts |= part != Part::Absent;
                if part == Part::Damaged {
                    damaged_parts.push(frame);
                }
                let sources = || own.iter().chain(&main);
                if matches!(part, Part::Whole(_)) || sources().any(|source| source.pixels(frame).is_some()) {
                    earlier.frames.push(frame);
                } else if sources().any(|source| source.frames.contains(&frame)) {
                    damaged.push(frame);
                }
            }
            if damaged.is_empty() {
                let is_kept = |own: &Finished| own.frames.end >= file.frames.end && !has_parts;
                if own.is_some_and(|own| is_kept(&own) && !own.is_stored_by(self.checked.filters)) {
                    let path = file.path.display();
                    earlier.warnings.push(format!("{path}: complete, and keeps its compression"));
                }
                continue;
            }
            if let Some(own) = own.filter(|own| own.frames.end > file.frames.end) {
                let (has, list) = (own.frames.len(), listed(&damaged));
                return Err(in_file(
                    &file.path,
                    format!("damaged: {list} of its {has}; only a run of the whole series can make it anew"),
                ));
            }
            earlier.warnings.push(made_again(&file.path, &damaged));
        }
        if !damaged_parts.is_empty() {
            earlier.warnings.push(made_again(self.folder(), &damaged_parts));
        }
        Ok(earlier)
    }

    /// Keeps a frame, counted from 0; another of that number is replaced.
    ///
    /// # Errors
    /// The frame cannot be written, has another type or size, or is beyond the series.
    pub fn add(&self, frame: usize, pixels: Pixels<'_>) -> Result<(), Failure> {
        self.add_with_stages(frame, pixels, &[])
    }

    /// As [`NxmxSeries::add`], with the images of [`NxmxHeader::stages`], in their order. A frame is kept with all of them, or
    /// not at all.
    ///
    /// # Errors
    /// As [`NxmxSeries::add`], or the images are not as many as the header says.
    pub fn add_with_stages(
        &self,
        frame: usize,
        pixels: Pixels<'_>,
        stages: &[StageImage],
    ) -> Result<(), Failure> {
        if frame >= self.checked.frames {
            return Err(refused(&self.path, &format_args!("no frame {frame} of {}", self.checked.frames)));
        }
        let (given, needed) = (stages.len() + 1, self.checked.arrays.len());
        if given != needed {
            return Err(refused(&self.path, &format_args!("a frame of {given} images instead of {needed}")));
        }
        let data = self.checked.chunk(&pixels).map_err(|what| refused(&self.path, &what))?;
        let stages = stages.iter().map(|StageImage(chunk)| chunk);
        let images: Vec<&StoredChunk> = core::iter::once(&data).chain(stages).collect();
        self.parts.keep(frame, self.header.compression, &images)
    }

    /// An image to be kept beside the data, compressed.
    ///
    /// # Errors
    /// It has another size than a frame, or there is too little memory.
    pub fn stage_image(&self, pixels: &[f32]) -> Result<StageImage, Failure> {
        self.checked.stage_chunk(pixels).map(StageImage).map_err(|what| refused(&self.path, &what))
    }

    /// Writes the file if all frames are there.
    ///
    /// # Errors
    /// A part is that of another series, or the file cannot be written.
    pub fn finish(&self) -> Result<Joined, Failure> {
        let all = self.checked.frames;
        let main = self.main()?;
        if let Some(main) = main.as_ref().filter(|main| main.frames.end >= all)
            && !(0..all).any(|frame| self.parts.has(frame))
        {
            return Ok(Joined::Complete { frames: main.frames.len() });
        }
        let files = self.files();
        let mut outcome = Joined::Complete { frames: all };
        for file in &files {
            match self.join(file, main.as_ref())? {
                Joined::Complete { frames } if self.frames_per_file.is_none() => {
                    outcome = Joined::Complete { frames };
                }
                Joined::Complete { .. } => {}
                damaged @ Joined::Damaged(_) => return Ok(damaged),
                Joined::Waiting => outcome = Joined::Waiting,
            }
        }
        if self.frames_per_file.is_none() || outcome == Joined::Waiting {
            return Ok(outcome);
        }
        // A master need not change when its files do, and is not replaced by a shorter one.
        let is_kept = |main: &Finished| main.frames.end > all || main.frames.end == all && main.is_master;
        if let Some(main) = main.filter(is_kept) {
            return Ok(Joined::Complete { frames: main.frames.len() });
        }
        let name = |file: &DataFile| {
            let name = file.path.file_name().and_then(OsStr::to_str).map(str::to_owned);
            name.map(|name| (name, file.frames.len()))
        };
        let sources: Option<Vec<_>> = files.iter().map(name).collect();
        let sources = sources.ok_or_else(|| refused(&self.path, &"the name of a master has to be UTF-8"))?;
        write_master(&self.path, &self.header, self.membership(0), &sources)?;
        Ok(outcome)
    }

    /// Writes one of the files if all of its frames are there, and removes their parts.
    fn join(&self, file: &DataFile, main: Option<&Finished>) -> Result<Joined, Failure> {
        let DataFile { path, frames } = file;
        let own = self.finished(file)?;
        let is_needed = |own: &Finished| {
            own.frames.end < frames.end
                || own.frames.end == frames.end && frames.clone().any(|frame| self.parts.has(frame))
        };
        if let Some(own) = own.as_ref().filter(|own| !is_needed(own)) {
            return Ok(Joined::Complete { frames: own.frames.len() });
        }
        let sources: Vec<&Finished> = own.iter().chain(main).collect();
        let is_there = |frame| self.parts.has(frame) || sources.iter().any(|own| own.frames.contains(&frame));
        if !frames.clone().all(is_there) {
            return self.joined_by_another(file);
        }
        let header = self.header.of_frames(frames.clone());
        let mut writer = NxmxWriter::of_series(path, &header, self.membership(frames.start))?;
        // Of all frames, since new memory costs as much as reading into it.
        let mut chunks = Chunks::default();
        for frame in frames.clone() {
            match self.stored(frame, &sources, &mut chunks)? {
                Some(()) => {
                    self.parts.let_go(frame);
                    writer.write_chunks(&chunks.images())?;
                }
                None if self.parts.has(frame) || sources.iter().any(|own| own.frames.contains(&frame)) => {
                    self.parts.remove(frame..frame + 1)?;
                    return Ok(Joined::Damaged(frame));
                }
                None => return self.joined_by_another(file),
            }
        }
        writer.close()?;
        self.parts.remove(frames.clone())?;
        Ok(Joined::Complete { frames: frames.len() })
    }

    /// What became of a file of which a frame is not there: another job may have joined its parts in the meantime, and
    /// remove them.
    fn joined_by_another(&self, file: &DataFile) -> Result<Joined, Failure> {
        let joined = self.finished(file)?.filter(|own| own.frames.end >= file.frames.end);
        Ok(joined.map_or(Joined::Waiting, |own| Joined::Complete { frames: own.frames.len() }))
    }

    /// Reads a frame into `chunks` as the file is to store it; `None` where it is not there, or damaged.
    fn stored(
        &self,
        frame: usize,
        sources: &[&Finished],
        chunks: &mut Chunks,
    ) -> Result<Option<()>, Failure> {
        let [fast, slow] = self.checked.size;
        let images: Option<Vec<Vec<u8>>> = match self.parts.read(frame, chunks)? {
            Part::Whole(compression) if compression == self.header.compression => return Ok(Some(())),
            Part::Whole(compression) => {
                let bytes = PIXEL_BYTES * fast * slow;
                let decoded = |image: &[u8]| {
                    let mut copy = reserved(image.len())?;
                    copy.extend_from_slice(image);
                    decoded(compression.filters(), 0, copy, bytes).ok()
                };
                chunks.images().into_iter().map(decoded).collect()
            }
            Part::Damaged | Part::Absent => sources.iter().find_map(|source| source.pixels(frame)),
        };
        let Some(images) = images else { return Ok(None) };
        let encoded: Option<Vec<_>> =
            images.iter().map(|image| encoded(self.checked.filters, image)).collect();
        let no_memory = || refused(&self.path, &NO_MEMORY);
        *chunks = encoded.as_deref().and_then(Chunks::of).ok_or_else(no_memory)?;
        Ok(Some(()))
    }

    /// The files that have frames of their own.
    fn files(&self) -> Vec<DataFile> {
        let all = self.checked.frames;
        let Some(per_file) = self.frames_per_file else {
            return vec![DataFile { path: self.path.clone(), frames: 0..all }];
        };
        let file = |(i, first): (usize, usize)| {
            let mut name = self.path.file_stem().unwrap_or_default().to_owned();
            name.push(format!("_data_{:06}", i + 1));
            if let Some(extension) = self.path.extension() {
                name.push(".");
                name.push(extension);
            }
            let frames = first..first.saturating_add(per_file).min(all);
            DataFile { path: self.path.with_file_name(name), frames }
        };
        (0..all).step_by(per_file).enumerate().map(file).collect()
    }

    fn membership(&self, first_frame: usize) -> Membership<'_> {
        Membership { series: &self.identity, first_frame }
    }

    /// The file as an earlier run has finished it.
    fn finished(&self, file: &DataFile) -> Result<Option<Finished>, Failure> {
        Finished::open(&file.path, self.membership(file.frames.start), &self.checked)
    }

    /// The file of the series's name as an earlier run has finished it.
    fn main(&self) -> Result<Option<Finished>, Failure> {
        Finished::open(&self.path, self.membership(0), &self.checked)
    }
}

/// Whether a file has the first bytes of HDF5.
fn begins_as_hdf5(path: &Path) -> bool {
    let mut start = [0; SIGNATURE.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *SIGNATURE
}

/// The warning that frames of a file or folder are damaged.
fn made_again(path: &Path, frames: &[usize]) -> String {
    format!("{}: damaged, to be made again: {}", path.display(), listed(frames))
}

/// Frames, given in order and counted from 0, in words that count from 1.
fn listed(frames: &[usize]) -> String {
    let runs = frames.chunk_by(|one, next| one + 1 == *next).map(|run| match run {
        [first, .., last] => format!("{} to {}", first + 1, last + 1),
        [frame] => (frame + 1).to_string(),
        [] => String::new(),
    });
    let mut runs: Vec<String> = runs.collect();
    if runs.len() > MOST_NAMED {
        runs.truncate(MOST_NAMED);
        runs.push("...".to_owned());
    }
    format!("frame{} {}", if frames.len() == 1 { "" } else { "s" }, runs.join(", "))
}
