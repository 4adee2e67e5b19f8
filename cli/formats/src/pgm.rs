//! 8-bit grey preview images (PGM, `P5`), with the scale of the pixels in a comment as in the files of the
//! reference.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::atomic::write_atomically;
use crate::failure::Failure;
use crate::format_g::format_g;
use crate::image::{Image, ImageWriter, PixelType, Pixels, length, wrong_type};

/// The format of the grey previews that the reference writes.
#[derive(Debug, Clone, Copy)]
pub struct Pgm;

impl ImageWriter for Pgm {
    fn name(&self) -> &'static str {
        "PGM"
    }

    fn pixel_type(&self) -> PixelType {
        PixelType::U8
    }

    fn write(&self, path: &Path, image: &Image<'_>) -> Result<(), Failure> {
        match image.pixels {
            Pixels::U8(levels) => write_pgm(path, image.header.fast, image.header.slow, image.scale, levels),
            other => Err(wrong_type(self, path, &other)),
        }
    }

    fn is_complete(&self, path: &Path, pixels: usize) -> bool {
        header_bytes(path).is_some_and(|header| length(path) == header + pixels as u64)
    }
}

/// Length of the four lines before the pixels; `None` where there are fewer.
fn header_bytes(path: &Path) -> Option<u64> {
    let mut file = File::open(path).ok()?;
    let mut start = [0; 128];
    let read = file.read(&mut start).ok()?;
    let line_ends = start.iter().take(read).enumerate().filter(|(_, byte)| **byte == b'\n');
    line_ends.map(|(at, _)| at as u64 + 1).nth(3)
}

/// Writes an image; `levels` are slow-major, and `scale` is the factor from the float pixels to them.
///
/// # Errors
/// The file cannot be written.
pub fn write_pgm(path: &Path, fast: usize, slow: usize, scale: f64, levels: &[u8]) -> Result<(), Failure> {
    write_atomically(path, |out| {
        write!(out, "P5\n{fast} {slow}\n# pixels scaled by {}\n255\n", format_g(scale))?;
        out.write_all(levels)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_is_the_references() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.pgm");
        write_pgm(&path, 3, 2, 0.00208305123, &[0, 1, 2, 253, 254, 255]).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes, b"P5\n3 2\n# pixels scaled by 0.00208305\n255\n\x00\x01\x02\xfd\xfe\xff");
    }
}
