//! A series whose frames are made in any order, by several processes, and perhaps in several runs.
//!
//! Each frame is a file of its own, compressed as the final file stores it, in the folder `NAME.parts` beside the file
//! `NAME`. It is written atomically, so what is there is whole. The process that finds all frames there joins them: it writes
//! the file under a temporary name, renames it, and removes the folder. Two processes that do so at once write the same file. A
//! series that is stopped at any moment keeps every frame that was made, and an older file of the name until the end.
//! Memory holds one frame for each thread.
//!
//! A part begins with a line that names what it must have in common with the others, such as
//! `widebragg part 1, frame 0, I32, 2463 x 2527, Gzip, 5d41402a`. Its end is the caller's identity of the series.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process;

use super::writer::{Checked, NxmxWriter, refused};
use super::{DATA, NxmxHeader};
use crate::atomic::write_atomically;
use crate::failure::Failure;
use crate::hdf5::Hdf5File;
use crate::image::{Pixels, is_named};
use crate::memory::Watched;
use crate::text::{cannot_read, cannot_write, in_file};

/// The extension of a part.
const EXTENSION: &str = "part";

/// Longest first line of a part that is read.
const MAX_LINE_BYTES: u64 = 256;

/// The frames of a file that is yet to be written.
///
/// ```
/// # use widebragg_formats::geometry::{Beam, Frame, Geometry, Panel};
/// # use widebragg_formats::image::Pixels;
/// # use widebragg_formats::nxmx::{NxmxHeader, NxmxSeries};
/// # fn example(header: NxmxHeader, image: &[i32]) -> Result<(), Box<dyn std::error::Error>> {
/// let series = NxmxSeries::new("scan.nxs".as_ref(), header, "5d41402a")?;
/// for frame in [2, 0, 1] {
///     if !series.has(frame) {
///         series.add(frame, Pixels::I32(image))?;
///     }
/// }
/// // True for whoever makes the last frame.
/// let is_complete: bool = series.finish()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NxmxSeries {
    path: PathBuf,
    folder: PathBuf,
    header: NxmxHeader,
    checked: Checked,
    identity: String,
}

impl NxmxSeries {
    /// The series that will be the file `path`. Nothing is written yet. `identity`, a word, is the same for all jobs
    /// and resumptions whose frames belong together, such as a hash of what defines the images.
    ///
    /// # Errors
    /// `header` contradicts itself.
    pub fn new(path: &Path, header: NxmxHeader, identity: &str) -> Result<Self, Failure> {
        let checked = Checked::new(&header).map_err(|what| refused(path, &what))?;
        let identity = identity.to_owned();
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".parts");
        Ok(Self { path: path.to_owned(), folder: path.with_file_name(name), header, checked, identity })
    }

    /// The folder of the frames.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether a frame, counted from 0, is there, in its part or in the file.
    #[must_use]
    pub fn has(&self, frame: usize) -> bool {
        self.part(frame).is_file() || self.is_finished()
    }

    /// Whether the file is there, with as many frames of this size. Beside parts it is that of an older series.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let [fast, slow] = self.checked.size;
        let shape = || Some(Hdf5File::open(&self.path).ok()?.array(DATA).ok()??.shape);
        !self.has_parts() && shape() == Some(vec![self.checked.frames, slow, fast])
    }

    fn has_parts(&self) -> bool {
        let is_part =
            |entry: io::Result<fs::DirEntry>| entry.is_ok_and(|entry| is_named(&entry.path(), EXTENSION));
        fs::read_dir(&self.folder).is_ok_and(|mut entries| entries.any(is_part))
    }

    /// Keeps a frame, counted from 0; another of that number is replaced.
    ///
    /// # Errors
    /// The frame cannot be written, has another type or size, or is beyond the series.
    pub fn add(&self, frame: usize, pixels: Pixels<'_>) -> Result<(), Failure> {
        if frame >= self.checked.frames {
            return Err(refused(&self.path, &format_args!("no frame {frame} of {}", self.checked.frames)));
        }
        let chunk = self.checked.chunk(&pixels).map_err(|what| refused(&self.path, &what))?;
        fs::create_dir_all(&self.folder).map_err(|error| cannot_write(&self.folder, &error))?;
        write_atomically(&self.part(frame), |out| {
            out.write_all(self.first_line(frame).as_bytes())?;
            out.write_all(&chunk)
        })
    }

    /// Writes the file if all frames are there; returns whether it is there now.
    ///
    /// # Errors
    /// A part cannot be read or is that of another series, or the file cannot be written.
    pub fn finish(&self) -> Result<bool, Failure> {
        if (0..self.checked.frames).any(|frame| !self.part(frame).is_file()) {
            return Ok(self.is_finished());
        }
        let mut writer = NxmxWriter::create(&self.path, &self.header)?;
        for frame in 0..self.checked.frames {
            match self.read(frame) {
                Ok(chunk) => writer.write_chunk(&chunk)?,
                // Another job has joined them in the meantime, and removes them.
                Err(_) if !self.part(frame).exists() => return Ok(true),
                Err(failure) => return Err(failure),
            }
        }
        writer.close()?;
        self.remove().map_err(|error| cannot_write(&self.folder, &error))?;
        Ok(true)
    }

    /// Removes the parts; another job may do the same. The folder is renamed first, so that at no moment some of the
    /// parts are there beside the file.
    fn remove(&self) -> io::Result<()> {
        let mut name = self.folder.file_name().unwrap_or_default().to_owned();
        name.push(format!(".joined-{}", process::id()));
        let joined = self.folder.with_file_name(name);
        match fs::rename(&self.folder, &joined) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => {
                for entry in fs::read_dir(&joined)? {
                    let path = entry?.path();
                    if is_named(&path, EXTENSION) {
                        fs::remove_file(path)?;
                    }
                }
                // What else is in it is not ours, and keeps the folder.
                let _ = fs::remove_dir(&joined);
                Ok(())
            }
        }
    }

    fn part(&self, frame: usize) -> PathBuf {
        // Frames of file names count from 1.
        self.folder.join(format!("{:06}.{EXTENSION}", frame + 1))
    }

    fn first_line(&self, frame: usize) -> String {
        let Checked { size: [fast, slow], pixel_type, .. } = self.checked;
        let (compression, identity) = (self.header.compression, &self.identity);
        format!(
            "widebragg part 1, frame {frame}, {pixel_type:?}, {fast} x {slow}, {compression:?}, {identity}\n"
        )
    }

    /// A frame as it is stored.
    fn read(&self, frame: usize) -> Result<Vec<u8>, Failure> {
        let path = self.part(frame);
        let mut file = BufReader::new(File::open(&path).map_err(|error| cannot_read(&path, &error))?);
        let mut line = Vec::new();
        let mut chunk = Vec::new();
        let read = (&mut file).take(MAX_LINE_BYTES).read_until(b'\n', &mut line);
        read.and_then(|_| Watched(file).read_to_end(&mut chunk))
            .map_err(|error| cannot_read(&path, &error))?;
        if line != self.first_line(frame).as_bytes() {
            let folder = self.folder.display();
            return Err(in_file(&path, format!("a frame of another series; remove {folder} to begin anew")));
        }
        Ok(chunk)
    }
}
