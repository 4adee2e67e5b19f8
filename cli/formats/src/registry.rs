//! The lists of image formats. A new format is one line in each list that it belongs to.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::cbf::Cbf;
use crate::failure::Failure;
use crate::float::Float;
use crate::image::{ImageReader, ImageWriter, START_BYTES};
use crate::pgm::Pgm;
use crate::png::Preview;
use crate::smv::{HeaderStyle, Smv, SmvWriter};
use crate::text::cannot_read;

/// Every format that images are written in.
pub const WRITERS: [&dyn ImageWriter; 6] =
    [&Float, &SmvWriter(HeaderStyle::Readers), &SmvWriter(HeaderStyle::Reference), &Cbf, &Pgm, &Preview];

/// Every format that images are read from, in the order in which they are tried. The last one accepts any
/// file.
pub const READERS: [&dyn ImageReader; 3] = [&Cbf, &Smv, &Float];

/// The format of the file `path`, from its first bytes and its name.
///
/// # Errors
/// The file cannot be read.
pub fn reader_of(path: &Path) -> Result<&'static dyn ImageReader, Failure> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(START_BYTES).read_to_end(&mut start));
    read.map_err(|error| cannot_read(path, &error))?;
    let found = READERS.into_iter().find(|reader| reader.recognises(&start, path));
    Ok(found.unwrap_or(&Float))
}
