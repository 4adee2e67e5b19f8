//! Float images: raw little-endian f32, slow-major (index = slow * fast_pixels + fast), no header.

use std::io::{self, BufReader, Read};
use std::path::Path;

use crate::atomic::write_atomically;
use crate::failure::Failure;
use crate::image::{
    Counting, Image, ImageReader, ImageWriter, PHOTONS, PixelType, Pixels, ReadImage, length, wrong_type,
};
use crate::memory::reserve;
use crate::raw::{read_values, write_values};
use crate::text::{cannot_read, in_file, open};

/// The format of raw f32 pixels.
#[derive(Debug, Clone, Copy)]
pub struct Float;

impl ImageWriter for Float {
    fn name(&self) -> &'static str {
        "float"
    }

    fn pixel_type(&self) -> PixelType {
        PixelType::F32
    }

    fn write(&self, path: &Path, image: &Image<'_>) -> Result<(), Failure> {
        match image.pixels {
            Pixels::F32(pixels) => write_float(path, pixels),
            other => Err(wrong_type(self, path, &other)),
        }
    }

    fn is_complete(&self, path: &Path, pixels: usize) -> bool {
        length(path) == 4 * pixels as u64
    }
}

impl ImageReader for Float {
    fn name(&self) -> &'static str {
        "float"
    }

    /// Always true: there is nothing to recognise a raw image by.
    fn recognises(&self, _: &[u8], _: &Path) -> bool {
        true
    }

    fn has_header(&self) -> bool {
        false
    }

    fn read(&self, path: &Path, size: Option<[usize; 2]>) -> Result<ReadImage, Failure> {
        let [fast, slow] = size.ok_or_else(|| in_file(path, "a float image has no header with its size"))?;
        let count = fast.checked_mul(slow);
        let count = count.ok_or_else(|| in_file(path, format!("{fast} x {slow} pixels are too many")))?;
        let pixels = read_float(path, count)?;
        let counting = Counting { offset: Some(0.0), saturation: None };
        Ok(ReadImage { fast, slow, pixels, detector: None, unit: PHOTONS, counting, rounded: 0 })
    }
}

/// Writes the pixels.
///
/// # Errors
/// The file cannot be written.
pub fn write_float(path: &Path, pixels: &[f32]) -> Result<(), Failure> {
    write_atomically(path, |out| write_values(out, pixels, f32::to_le_bytes))
}

/// Reads an image of exactly `count` pixels.
///
/// # Errors
/// The file cannot be read, or holds another number of pixels.
pub fn read_float(path: &Path, count: usize) -> Result<Vec<f32>, Failure> {
    parse_float(open(path)?, path, count)
}

/// [`read_float`] from a stream; `path` is its name in error messages.
///
/// # Errors
/// As [`read_float`].
pub fn parse_float(input: impl Read, path: &Path, count: usize) -> Result<Vec<f32>, Failure> {
    let mut input = BufReader::new(input);
    let mut pixels = Vec::new();
    read_values(&mut input, count, &mut pixels, f32::from_le_bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => in_file(path, format!("holds fewer than {count} f32 pixels")),
        _ => cannot_read(path, &error),
    })?;
    match input.bytes().next() {
        None => Ok(pixels),
        Some(Ok(_)) => Err(in_file(path, format!("holds more than {count} f32 pixels"))),
        Some(Err(error)) => Err(cannot_read(path, &error)),
    }
}

/// Reads the first `count` pixels. Those that the file does not hold are 0.
///
/// # Errors
/// The file cannot be read, or there is too little memory for `count` pixels.
pub fn read_float_start(path: &Path, count: usize) -> Result<Vec<f32>, Failure> {
    let mut input = BufReader::new(open(path)?);
    let mut pixels = Vec::new();
    match read_values(&mut input, count, &mut pixels, f32::from_le_bytes) {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(cannot_read(path, &error)),
        _ => {}
    }
    let missing = count - pixels.len();
    reserve(&mut pixels, missing).ok_or_else(|| in_file(path, format!("no memory for {count} pixels")))?;
    pixels.resize(count, 0.0);
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_come_back_bit_for_bit_and_other_sizes_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("floatimage.bin");
        let pixels: Vec<f32> = (0..5000).map(|i| (i as f32 * 0.37).exp2() - 3.0).collect();
        write_float(&path, &pixels).unwrap();
        assert_eq!(read_float(&path, 5000).unwrap(), pixels);
        let error = read_float(&path, 5001).unwrap_err().to_string();
        assert_eq!(error, format!("{}: holds fewer than 5001 f32 pixels", path.display()));
        assert!(read_float(&path, 4999).unwrap_err().to_string().contains("holds more than 4999"));
        assert_eq!(read_float_start(&path, 5002).unwrap(), [&pixels[..], &[0.0; 2]].concat());
        assert_eq!(read_float_start(&path, 3).unwrap(), pixels[..3]);
        assert!(read_float(&folder.path().join("none"), 1).unwrap_err().to_string().contains("cannot read"));
    }
}
