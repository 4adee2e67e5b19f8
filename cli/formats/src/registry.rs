//! The lists of image formats. A new format is one line in each list that it belongs to.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::cbf::Cbf;
use crate::failure::Failure;
use crate::float::Float;
use crate::hdf5::{Hdf5, Place};
use crate::image::{ImageReader, ImageWriter, START_BYTES};
use crate::pgm::Pgm;
use crate::png::Preview;
use crate::smv::{HeaderStyle, Smv, SmvWriter};
use crate::text::{cannot_read, in_file};

/// Every format that images are written in.
pub const WRITERS: [&dyn ImageWriter; 6] =
    [&Float, &SmvWriter(HeaderStyle::Readers), &SmvWriter(HeaderStyle::Reference), &Cbf, &Pgm, &Preview];

/// Every format that images are read from, in the order in which they are tried. The last one accepts any
/// file.
pub const READERS: [&dyn ImageReader; 4] = [&Hdf5, &Cbf, &Smv, &Float];

/// The format of the image `path`, from the first bytes and the name of its file. A [`Place`] in an HDF5 file is an
/// image too.
///
/// # Errors
/// The file cannot be read, or has no frames of which one is named.
pub fn reader_of(path: &Path) -> Result<&'static dyn ImageReader, Failure> {
    let place = Place::of(path);
    let mut start = Vec::new();
    let read = File::open(&place.file).and_then(|file| file.take(START_BYTES).read_to_end(&mut start));
    read.map_err(|error| cannot_read(&place.file, &error))?;
    if place.is_within() && !Hdf5.recognises(&start, path) {
        return Err(in_file(&place.file, format!("not an HDF5 file; {place} would be a frame of one")));
    }
    let found = READERS.into_iter().find(|reader| reader.recognises(&start, path));
    Ok(found.unwrap_or(&Float))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::image::{Image, ImageHeader, PixelType, Pixels};

    const FAST: usize = 6;
    const SLOW: usize = 4;

    /// Calls `job` with an image of each number type.
    fn each_image(job: impl Fn(&Image<'_>)) {
        let header = ImageHeader { fast: FAST, slow: SLOW, pixel_m: 1e-4, ..ImageHeader::default() };
        let levels: Vec<u8> = (0..24).collect();
        let floats: Vec<f32> = levels.iter().copied().map(f32::from).collect();
        let integers: Vec<u16> = levels.iter().copied().map(u16::from).collect();
        let counts: Vec<i32> = levels.iter().copied().map(i32::from).collect();
        for pixels in
            [Pixels::F32(&floats), Pixels::U16(&integers), Pixels::I32(&counts), Pixels::U8(&levels)]
        {
            job(&Image { header: &header, pixels, scale: 1.0, preview_scale: None });
        }
    }

    #[test]
    fn writers_take_their_own_type_and_know_their_complete_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        for writer in WRITERS {
            each_image(|image| {
                let written = writer.write(&path, image);
                assert_eq!(written.is_ok(), image.pixels.pixel_type() == writer.pixel_type(), "{writer:?}");
                if written.is_err() {
                    return;
                }
                assert!(writer.is_complete(&path, FAST * SLOW), "{writer:?}");
                let bytes = fs::read(&path).unwrap();
                fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
                assert!(!writer.is_complete(&path, FAST * SLOW), "{writer:?}");
                fs::remove_file(&path).unwrap();
                assert!(!writer.is_complete(&path, FAST * SLOW), "{writer:?}");
            });
        }
    }

    #[test]
    fn readers_know_the_files_of_their_writers_by_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        for writer in WRITERS.into_iter().filter(|writer| READERS.iter().any(|r| r.name() == writer.name())) {
            each_image(|image| {
                if image.pixels.pixel_type() != writer.pixel_type() {
                    return;
                }
                writer.write(&path, image).unwrap();
                let reader = reader_of(&path).unwrap();
                assert_eq!(reader.name(), writer.name());
                assert_eq!(reader.has_header(), writer.pixel_type() != PixelType::F32);
                let read = reader.read(&path, Some([FAST, SLOW])).unwrap();
                assert_eq!((read.fast, read.slow, read.rounded), (FAST, SLOW, 0));
                assert_eq!(read.pixels, (0..24u8).map(f32::from).collect::<Vec<_>>());
            });
        }
    }
}
