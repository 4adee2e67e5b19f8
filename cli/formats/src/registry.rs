//! What is told apart by content over several kinds of files: the lists of image formats, in each of which a new format
//! is one line, and the files that describe the geometry of an experiment.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::cbf::Cbf;
use crate::failure::Failure;
use crate::float::Float;
use crate::geometry::{GeometryFile, read_geometry};
use crate::hdf5::{Hdf5, Place};
use crate::image::{ImageReader, ImageWriter, START_BYTES};
use crate::nxmx::read_nxmx;
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
    let start = start_of(&place.file);
    let start = start.map_err(|failure| Place::mistake(path).map_or(failure, Failure::input))?;
    if place.is_within() && !Hdf5.recognises(&start, path) {
        return Err(in_file(&place.file, format!("not an HDF5 file; {place} would be a frame of one")));
    }
    let found = READERS.into_iter().find(|reader| reader.recognises(&start, path));
    Ok(found.unwrap_or(&Float))
}

/// Reads the geometry of an experiment from any file that describes one: an NXmx file, or what [`read_geometry`] reads
/// (experiment lists of DIALS, files of CrystFEL and XDS, headers of SMV and CBF images). Experiments count from 0; an
/// NXmx file has one, and a frame of it ([`Place`]) names it too.
///
/// # Errors
/// The file cannot be read, is of another kind, has no such experiment, or does not describe a geometry.
pub fn geometry_of_file(path: &Path, experiment: usize) -> Result<GeometryFile, Failure> {
    let file = Place::of(path).file;
    // A pipe can be read only once, and is no HDF5 file.
    if file.is_file() && Hdf5.recognises(&start_of(&file)?, &file) {
        return read_nxmx(&file)?.checked(&file, experiment);
    }
    read_geometry(path, experiment)
}

/// The first bytes of a file.
fn start_of(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(START_BYTES).read_to_end(&mut start));
    read.map_err(|error| cannot_read(path, &error))?;
    Ok(start)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::image::{Image, ImageHeader, PixelType, Pixels};
    use crate::nxmx::{read_nxmx_geometry, write_example};

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
            job(&Image { header: &header, pixels, scale: 1.0, preview_scale: None, layout: None });
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

    #[test]
    fn geometries_are_read_of_files_of_any_kind() {
        let folder = tempfile::tempdir().unwrap();
        let geom = folder.path().join("a.geom");
        let text = "clen = 1\nres = 10\np/min_fs = 0\np/max_fs = 1\np/min_ss = 0\np/max_ss = 1\np/corner_x = 0\n\
                    p/corner_y = 0\np/fs = x\np/ss = y\n";
        fs::write(&geom, text).unwrap();
        assert_eq!(geometry_of_file(&geom, 0).unwrap().format, "CrystFEL geometry");

        let nxmx = folder.path().join("a.nxs");
        write_example(&nxmx);
        let read = geometry_of_file(&nxmx, 0).unwrap();
        assert_eq!(read.format, "NXmx file");
        assert_eq!(Ok(&read.geometry), read_nxmx_geometry(&nxmx).as_ref());
        let one = geometry_of_file(&nxmx, 1).unwrap_err().to_string();
        assert!(one.ends_with("a.nxs: there is no experiment 1: it has one, number 0"), "{one}");
        let none = geometry_of_file(&folder.path().join("none"), 0).unwrap_err().to_string();
        assert!(none.contains("none: cannot read: "), "{none}");
    }
}
