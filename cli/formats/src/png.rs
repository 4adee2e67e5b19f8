//! Previews of images as 8-bit grey PNG files, with dark spots on a light background.
//!
//! grey = 255 (1 - sqrt(min(pixel / top, 1))), where `top` is given or the 99.5th percentile of the positive
//! pixels: the strongest half percent saturates, and spots of a hundredth of `top` are still visible. Pixels
//! that are zero, negative or NaN are white.
//! Cost: one selection and one pass, 4 bytes of memory a pixel more than the image.

use std::io::{self, Write as _};
use std::path::Path;

use ::png::{BitDepth, ColorType, Compression, Encoder};

use crate::atomic::write_atomically;
use crate::failure::Failure;
use crate::image::{Image, ImageWriter, PixelType, Pixels, ends_with, wrong_type};
use crate::memory::reserved;

/// Fraction of the positive pixels that are not black.
const PERCENTILE: f64 = 0.995;

/// Number of compressed bytes written at a time.
const PIECE_BYTES: usize = 1 << 16;

/// The last bytes of a PNG file.
const END: &[u8] = b"IEND\xae\x42\x60\x82";

/// The grey preview of an image.
#[derive(Debug, Clone, Copy)]
pub struct Preview;

impl ImageWriter for Preview {
    fn name(&self) -> &'static str {
        "PNG"
    }

    fn pixel_type(&self) -> PixelType {
        PixelType::F32
    }

    fn write(&self, path: &Path, image: &Image<'_>) -> Result<(), Failure> {
        match image.pixels {
            Pixels::F32(pixels) => {
                let top = image.preview_scale.map(|scale| (255.0 / scale) as f32);
                write_preview(path, image.header.fast, image.header.slow, pixels, top)
            }
            other => Err(wrong_type(self, path, &other)),
        }
    }

    fn is_complete(&self, path: &Path, _: usize) -> bool {
        ends_with(path, END)
    }
}

/// A colour picture as a PNG file in memory; `rgb` holds three bytes a pixel, row by row.
///
/// # Errors
/// The size does not match the number of bytes, or a PNG cannot have it.
pub fn rgb_png(width: usize, height: usize, rgb: &[u8]) -> io::Result<Vec<u8>> {
    let size = |length: usize| u32::try_from(length).map_err(io::Error::other);
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, size(width)?, size(height)?);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    let mut image = encoder.write_header()?;
    image.write_image_data(rgb)?;
    image.finish()?;
    Ok(file)
}

/// Writes a preview; `pixels` are slow-major, `top` is the value from which they are black.
///
/// # Errors
/// The file cannot be written, the size does not match the number of pixels, or a PNG cannot have it.
pub fn write_preview(
    path: &Path,
    fast: usize,
    slow: usize,
    pixels: &[f32],
    top: Option<f32>,
) -> Result<(), Failure> {
    write_atomically(path, |out| {
        let size = |length: usize| u32::try_from(length).map_err(io::Error::other);
        let mut encoder = Encoder::new(out, size(fast)?, size(slow)?);
        encoder.set_color(ColorType::Grayscale);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_compression(Compression::Fast);
        let levels = grey_levels(pixels, top).ok_or(io::ErrorKind::OutOfMemory)?;
        // Written in pieces, so that the compressed image is never in memory as a whole.
        let mut image = encoder.write_header()?;
        let mut pieces = image.stream_writer_with_size(PIECE_BYTES)?;
        pieces.write_all(&levels)?;
        pieces.finish()?;
        Ok(image.finish()?)
    })
}

/// The grey levels of an image, 0 for black at `top` and above; `None` where there is too little memory.
#[must_use]
pub fn grey_levels(pixels: &[f32], top: Option<f32>) -> Option<Vec<u8>> {
    let top = match top {
        Some(top) => top,
        None => percentile(pixels)?,
    };
    let grey = |&pixel: &f32| {
        if pixel > 0.0 { (255.5 - 255.0 * (pixel / top).min(1.0).sqrt()) as u8 } else { 255 }
    };
    let mut levels = reserved(pixels.len())?;
    levels.extend(pixels.iter().map(grey));
    Some(levels)
}

/// The value that becomes black where none is given: infinite when no pixel is positive; `None` where there is too little memory.
fn percentile(pixels: &[f32]) -> Option<f32> {
    let positive = || pixels.iter().filter(|pixel| **pixel > 0.0 && pixel.is_finite());
    let mut bits = reserved(positive().count())?;
    // Positive floats have the same order as their bits.
    bits.extend(positive().map(|pixel| pixel.to_bits()));
    let Some(last) = bits.len().checked_sub(1) else { return Some(f32::INFINITY) };
    let (_, bits, _) = bits.select_nth_unstable((last as f64 * PERCENTILE) as usize);
    Some(f32::from_bits(*bits))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::BufReader;

    use super::*;

    #[test]
    fn levels_are_dark_where_the_image_is_bright() {
        let mut pixels: Vec<f32> = (1..=1000).map(|i| i as f32).collect();
        pixels.extend([0.0, -5.0, f32::NAN, f32::INFINITY]);
        let levels = grey_levels(&pixels, None).unwrap();
        assert!(levels.windows(2).take(999).all(|pair| pair[1] <= pair[0]));
        assert_eq!(levels[994], 0);
        assert_eq!(levels[248], 127);
        assert_eq!(levels[1000..], [255, 255, 255, 0]);
        assert_eq!(grey_levels(&[0.0, -1.0, f32::NAN], None).unwrap(), [255; 3]);
        assert_eq!(grey_levels(&[0.0, f32::INFINITY], None).unwrap(), [255, 0]);
        assert_eq!(grey_levels(&[f32::MIN_POSITIVE, f32::from_bits(1)], None).unwrap(), [0, 0]);
        assert!(grey_levels(&[], None).unwrap().is_empty());
        assert_eq!(grey_levels(&[0.0, 1.0, 4.0, 9.0], Some(4.0)).unwrap(), [255, 128, 0, 0]);
    }

    #[test]
    fn the_file_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preview.png");
        let pixels: Vec<f32> = (0..6).map(|i| i as f32).collect();
        write_preview(&path, 3, 2, &pixels, None).unwrap();
        let mut reader = ::png::Decoder::new(BufReader::new(File::open(&path).unwrap())).read_info().unwrap();
        let mut levels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut levels).unwrap();
        assert_eq!((info.width, info.height, info.color_type), (3, 2, ColorType::Grayscale));
        assert_eq!(levels, grey_levels(&pixels, None).unwrap());
        let error = write_preview(&path, 3, 3, &pixels, None).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: cannot write: ", path.display())), "{error}");
        assert!(write_preview(&path, 0, 0, &[], None).is_err());
    }
}
