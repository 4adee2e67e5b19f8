//! The parts of a series: frames that are files of their own until all of them are there.
//!
//! A part begins with a line that names what it must have in common with the others, such as
//! `widebragg part 3, frame 0, I32, 2463 x 2527, Gzip, 5d41402a`, whose end is the identity of the series. Then follow the
//! frame as the final file stores it, which is its data and the images that are kept beside them, one after the other; the
//! length of each of these in 8 bytes; and the CRC-32 of all bytes before it, all least significant first. It tells a part
//! that is damaged from one of another series.

use core::ops::Range;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::Crc;

use super::Compression;
use super::writer::Checked;
use crate::atomic::write_atomically;
use crate::failure::Failure;
use crate::hdf5::StoredChunk;
use crate::image::{PixelType, is_named};
use crate::memory::{reserve, reserved};
use crate::text::{cannot_read, cannot_write, in_file};

/// The extension of a part.
const EXTENSION: &str = "part";

/// Longest first line of a part that is read.
const MAX_LINE_BYTES: usize = 256;

/// Bytes of the check sum at the end of a part.
const CRC_BYTES: usize = 4;

/// Bytes of the length of an image.
const LENGTH_BYTES: usize = 8;

/// The parts of a series, in the folder `NAME.parts` beside the file `NAME`.
#[derive(Debug)]
pub(super) struct Parts {
    folder: PathBuf,
    size: [usize; 2],
    pixel_type: PixelType,
    /// Images of a frame: its data, and those beside them.
    images: usize,
    identity: String,
}

/// The images of a frame as they are stored, one after the other, in a buffer that can be used again.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Chunks {
    /// Those of some images; `None` where there is too little memory.
    pub(super) fn of(images: &[StoredChunk]) -> Option<Self> {
        let mut bytes = reserved(images.iter().map(StoredChunk::len).sum())?;
        let end = |image: &StoredChunk| {
            image.pieces().for_each(|piece| bytes.extend_from_slice(piece));
            bytes.len()
        };
        let ends = images.iter().map(end).collect();
        Some(Self { bytes, ends })
    }

    /// Each of them.
    pub(super) fn images(&self) -> Vec<&[u8]> {
        let starts = core::iter::once(0).chain(self.ends.iter().copied());
        let parts = starts.zip(&self.ends).map(|(start, &end)| self.bytes.get(start..end));
        parts.map(Option::unwrap_or_default).collect()
    }

    /// Takes the lengths of `images` images from behind them; `None` where they are not those of what is there.
    fn take_lengths(&mut self, images: usize) -> Option<()> {
        let behind = self.bytes.len().checked_sub(images.checked_mul(LENGTH_BYTES)?)?;
        let (lengths, _) = self.bytes.get(behind..)?.as_chunks::<LENGTH_BYTES>();
        let mut end = 0_usize;
        for length in lengths {
            end = end.checked_add(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
            self.ends.push(end);
        }
        self.bytes.truncate(behind);
        (end == behind).then_some(())
    }
}

/// What is there of a part.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Nothing.
    Absent,
    /// A part that cannot be read, or not as it was written.
    Damaged,
    /// The frame as it is stored, with this compression.
    Whole(Compression),
}

impl Parts {
    /// Those of the file `path`.
    pub(super) fn of(path: &Path, checked: &Checked, identity: &str) -> Self {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".parts");
        Self {
            folder: path.with_file_name(name),
            size: checked.size,
            pixel_type: checked.pixel_type,
            images: checked.arrays.len(),
            identity: identity.to_owned(),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, frame: usize) -> PathBuf {
        // Frames of file names count from 1.
        self.folder.join(format!("{:06}.{EXTENSION}", frame + 1))
    }

    /// Whether there is a part, in whatever state.
    pub(super) fn has(&self, frame: usize) -> bool {
        self.path(frame).is_file()
    }

    /// Checks that the folder can hold parts, and that none in it is of another series.
    ///
    /// # Errors
    /// One of these is not so.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let folder = &self.folder;
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                let folder = folder.display();
                return Err(Failure::output(format!(
                    "{folder}: not a folder; frames are kept in one of this name"
                )));
            }
            Err(error) => return Err(cannot_read(folder, &error)),
        };
        for path in entries.flatten().map(|entry| entry.path()).filter(|path| is_named(path, EXTENSION)) {
            let number = path.file_stem().and_then(|stem| stem.to_str()?.parse::<usize>().ok());
            let Some(frame) = number.and_then(|number| number.checked_sub(1)) else { continue };
            let mut line = Vec::new();
            let file = File::open(&path).map(|file| BufReader::new(file.take(MAX_LINE_BYTES as u64)));
            let read = file.and_then(|mut file| file.read_until(b'\n', &mut line));
            // What begins otherwise is damaged or foreign, which only all of its bytes tell.
            if read.is_ok() && self.compression(frame, &line).is_none() {
                self.read(frame, &mut Chunks::default())?;
            }
        }
        Ok(())
    }

    /// Keeps a frame; another of that number is replaced.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn keep(
        &self,
        frame: usize,
        compression: Compression,
        images: &[&StoredChunk],
    ) -> Result<(), Failure> {
        fs::create_dir_all(&self.folder).map_err(|error| cannot_write(&self.folder, &error))?;
        let line = self.first_line(frame, compression);
        let lengths: Vec<u8> = images.iter().flat_map(|image| (image.len() as u64).to_le_bytes()).collect();
        write_atomically(&self.path(frame), |out| {
            let mut crc = Crc::new();
            let pieces = images.iter().flat_map(|image| image.pieces());
            for bytes in core::iter::once(line.as_bytes()).chain(pieces).chain([&lengths[..]]) {
                crc.update(bytes);
                out.write_all(bytes)?;
            }
            out.write_all(&crc.sum().to_le_bytes())
        })
    }

    /// Reads a frame into `chunks`, as it is stored.
    ///
    /// # Errors
    /// It is that of another series, or there is too little memory for it.
    pub(super) fn read(&self, frame: usize, chunks: &mut Chunks) -> Result<Part, Failure> {
        let path = self.path(frame);
        let mut line = Vec::new();
        chunks.ends.clear();
        let chunk = &mut chunks.bytes;
        chunk.clear();
        let mut read = || {
            let file = File::open(&path)?;
            let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
            // One byte more, so that the end shows without more memory.
            reserve(chunk, length.saturating_add(1)).ok_or(io::ErrorKind::OutOfMemory)?;
            let mut file = BufReader::with_capacity(MAX_LINE_BYTES, file);
            file.by_ref().take(MAX_LINE_BYTES as u64).read_until(b'\n', &mut line)?;
            file.read_to_end(chunk)
        };
        match read() {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Part::Absent),
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                return Err(cannot_read(&path, &error));
            }
            Err(_) => return Ok(Part::Damaged),
        }
        let Some((stored, sum)) = chunk.split_last_chunk::<CRC_BYTES>() else { return Ok(Part::Damaged) };
        let mut crc = Crc::new();
        crc.update(&line);
        crc.update(stored);
        if crc.sum().to_le_bytes() != *sum {
            return Ok(Part::Damaged);
        }
        let Some(compression) = self.compression(frame, &line) else {
            let folder = self.folder.display();
            return Err(in_file(&path, format!("a frame of another series; remove {folder} to begin anew")));
        };
        chunk.truncate(chunk.len() - CRC_BYTES);
        Ok(chunks.take_lengths(self.images).map_or(Part::Damaged, |()| Part::Whole(compression)))
    }

    /// Tells the system that it may reuse the cache memory of a part, whose file stays, for what is written next. Getting new
    /// memory instead can take longer than everything else, above all in a virtual machine.
    #[cfg(target_os = "linux")]
    pub(super) fn let_go(&self, frame: usize) {
        use rustix::fs::{Advice, fadvise};

        // It is only a hint: where it fails, nothing is lost but time.
        let _ = File::open(self.path(frame)).map(|part| fadvise(&part, 0, None, Advice::DontNeed));
    }

    /// Elsewhere there is no such hint.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn let_go(&self, _frame: usize) {}

    /// Removes parts, of which another job may remove some at the same time, and their folder if nothing else is in it.
    ///
    /// # Errors
    /// A part cannot be removed.
    pub(super) fn remove(&self, frames: Range<usize>) -> Result<(), Failure> {
        for path in frames.map(|frame| self.path(frame)) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(cannot_write(&path, &error));
                }
                _ => {}
            }
        }
        // It stays where it holds other frames, or what is not ours.
        let _ = fs::remove_dir(&self.folder);
        Ok(())
    }

    fn first_line(&self, frame: usize, compression: Compression) -> String {
        let Self { size: [fast, slow], pixel_type, identity, .. } = self;
        format!(
            "widebragg part 3, frame {frame}, {pixel_type:?}, {fast} x {slow}, {compression:?}, {identity}\n"
        )
    }

    /// The compression of a frame that begins with `line`; `None` where it is not one of this series.
    fn compression(&self, frame: usize, line: &[u8]) -> Option<Compression> {
        let is_so = |&compression: &Compression| line == self.first_line(frame, compression).as_bytes();
        Compression::ALL.into_iter().find(is_so)
    }
}
