//! Previews of images as 8-bit grey PNG files, with dark spots on a light background.
//!
//! grey = (sqrt(v) - sqrt(b)) / (sqrt(b + top) - sqrt(b)), from 0 (white) to 1 (black)
//!
//! v: the pixel; b: the smooth background under it, from the medians of tiles of 32 x 32 pixels; top: the height
//! above the background that is black. So grey is proportional to the height in standard deviations of
//! counting: without background it is sqrt(v / top), on a strong background (v - b) / top. The background
//! itself is shown as a tint of 0.15 b / (b + top).
//! top is one number for the whole image: the 99.5th percentile of v - b over the positive pixels, and at least
//! a quarter of the median background. Pixels that are zero, negative or NaN are white.
//! Cost: a few passes, and at most 4 bytes of memory a pixel more than the image has.

use std::io::{self, Write as _};
use std::path::Path;

use ::png::{BitDepth, ColorType, Compression, Encoder};

use crate::atomic::write_atomically;
use crate::background::Background;
use crate::failure::Failure;
use crate::image::{Image, ImageWriter, Layout, PixelType, Pixels, ends_with, wrong_type};
use crate::memory::{filled, zeroed};

/// Fraction of the positive pixels that are not black.
const PERCENTILE: f64 = 0.995;

/// Smallest height that is black, in units of the median background.
const LEAST_TOP: f32 = 0.25;

/// Grey of a background that is much stronger than the spots.
const TINT: f32 = 0.15;

/// Grey of gaps between panels and of pixels that are not rendered: no background is as dark without a spot.
const GAP: u8 = 160;

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
                let (fast, slow) = (image.header.fast, image.header.slow);
                match image.layout {
                    None => write_preview(path, fast, slow, pixels, top),
                    Some(layout) => write_laid_out(path, fast, layout, pixels, top),
                }
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

/// Writes a preview; `pixels` are slow-major, `top` is the height above the background from which they are
/// black, by default that of the image.
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
    let levels = || grey_levels(fast, pixels, top);
    write_grey(path, [fast, slow], levels)
}

/// Writes a preview of pixels in rows of `fast`, laid out with grey gaps.
fn write_laid_out(
    path: &Path,
    fast: usize,
    layout: &Layout,
    pixels: &[f32],
    top: Option<f32>,
) -> Result<(), Failure> {
    let levels = || {
        let of_pixels = grey_levels(fast, pixels, top)?;
        let mut levels = filled(layout.pixels.len(), GAP)?;
        for (level, &pixel) in levels.iter_mut().zip(&layout.pixels) {
            *level = of_pixels.get(pixel as usize).copied().unwrap_or(GAP);
        }
        Some(levels)
    };
    write_grey(path, [layout.width, layout.height], levels)
}

/// Writes a grey picture; `levels` returns `None` where there is too little memory.
fn write_grey(
    path: &Path,
    [width, height]: [usize; 2],
    levels: impl FnOnce() -> Option<Vec<u8>>,
) -> Result<(), Failure> {
    write_atomically(path, |out| {
        let size = |length: usize| u32::try_from(length).map_err(io::Error::other);
        let mut encoder = Encoder::new(out, size(width)?, size(height)?);
        encoder.set_color(ColorType::Grayscale);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_compression(Compression::Fast);
        let levels = levels().ok_or(io::ErrorKind::OutOfMemory)?;
        // Written in pieces, so that the compressed image is never in memory as a whole.
        let mut image = encoder.write_header()?;
        let mut pieces = image.stream_writer_with_size(PIECE_BYTES)?;
        pieces.write_all(&levels)?;
        pieces.finish()?;
        Ok(image.finish()?)
    })
}

/// The grey levels of an image in rows of `fast` pixels, 0 for black, which is `top` above the background and
/// more; `None` where there is too little memory.
#[must_use]
pub fn grey_levels(fast: usize, pixels: &[f32], top: Option<f32>) -> Option<Vec<u8>> {
    let background = Background::new(fast, pixels)?;
    let top = match top {
        Some(top) => top,
        None => usual_top(&background, pixels)?,
    };
    let mut levels = zeroed(pixels.len())?;
    background.for_each_row(pixels, &mut levels, |levels, below, pixels| {
        for ((to, &below), &pixel) in levels.iter_mut().zip(below).zip(pixels) {
            *to = level(pixel, below, top);
        }
    })?;
    Some(levels)
}

/// The grey level of a pixel above the background `below`. It has no branches, so that a loop over a row becomes
/// vectors.
#[inline(always)]
fn level(pixel: f32, below: f32, top: f32) -> u8 {
    let root = below.sqrt();
    let height = (pixel.sqrt() - root) / ((below + top).sqrt() - root);
    // Infinite pixels are black even where top is infinite.
    let height = if pixel == f32::INFINITY { 1.0 } else { height };
    let grey = height.clamp(0.0, 1.0) + TINT * below / (below + top);
    let level = (255.5 - 255.0 * grey.min(1.0)) as i32 as u8;
    // Not for NaN.
    if pixel > 0.0 { level } else { 255 }
}

/// The height above the background that is black where none is given: infinite when no pixel is positive; `None`
/// where there is too little memory.
fn usual_top(background: &Background, pixels: &[f32]) -> Option<f32> {
    /// Stands for a pixel that is not counted: no height has the bits of a NaN.
    const NONE: u32 = u32::MAX;
    /// Heights are first counted by their upper bits.
    const BINS: usize = 1 << 16;
    let bin_of = |bits: u32| (bits >> 16) as usize;
    let mut heights = zeroed(pixels.len())?;
    background.for_each_row(pixels, &mut heights, |heights, below, pixels| {
        for ((to, &below), &pixel) in heights.iter_mut().zip(below).zip(pixels) {
            let is_counted = pixel > 0.0 && pixel.is_finite();
            // Floats that are not negative have the same order as their bits.
            *to = if is_counted { (pixel - below).max(0.0).to_bits() } else { NONE };
        }
    })?;
    let mut counts = filled(BINS, 0usize)?;
    heights.iter().for_each(|&bits| counts[bin_of(bits)] += 1);
    counts[bin_of(NONE)] = 0;
    let Some(last) = counts.iter().sum::<usize>().checked_sub(1) else { return Some(f32::INFINITY) };
    let mut rank = (last as f64 * PERCENTILE) as usize;
    let mut bin = 0;
    while rank >= counts[bin] {
        rank -= counts[bin];
        bin += 1;
    }
    heights.retain(|&bits| bin_of(bits) == bin);
    let (_, bits, _) = heights.select_nth_unstable(rank);
    Some(f32::from_bits(*bits).max(LEAST_TOP * background.median()?).max(f32::MIN_POSITIVE))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::BufReader;

    use super::*;

    /// An image of 200 x 160 pixels: spots of 3 x 3 pixels and 0.4 to 144 photons a pixel on `background`.
    fn image(background: impl Fn(usize, usize) -> f32) -> Vec<f32> {
        let pixels = (0..160).flat_map(|y| (0..200).map(move |x| (x, y)));
        let spot = |x: usize, y: usize| {
            if x % 20 < 3 && y % 16 < 3 {
                ((x / 20 * 20 + 10) * (y / 16 * 16 + 8)) as f32 / 200.0
            } else {
                0.0
            }
        };
        pixels.map(|(x, y)| spot(x, y) + background(x, y)).collect()
    }

    #[test]
    fn without_background_the_root_of_a_pixel_is_shown() {
        let pixels = image(|_, _| 1e-6);
        let levels = grey_levels(200, &pixels, None).unwrap();
        let background = Background::new(200, &pixels).unwrap();
        let top = usual_top(&background, &pixels).unwrap();
        assert!((50.0..144.0).contains(&top), "{top}");
        for (pixel, level) in pixels.iter().zip(&levels) {
            let expected = 255.0 * (1.0 - (pixel / top).min(1.0).sqrt());
            assert!((f32::from(*level) - expected).abs() < 1.0, "{pixel}: {level} {expected}");
        }
        assert!(levels.contains(&0));
        // Four times the height: half the grey.
        let lighter = grey_levels(200, &pixels, Some(4.0 * top)).unwrap();
        for (level, lighter) in levels.iter().zip(&lighter).filter(|(level, _)| **level > 0) {
            assert!(
                (255.0 - f32::from(*level) - 2.0 * (255.0 - f32::from(*lighter))).abs() <= 2.0,
                "{level} {lighter}"
            );
        }
    }

    #[test]
    fn spots_are_dark_on_any_background() {
        for strength in [1.0, 10.0, 100.0] {
            let disc = |x: usize, y: usize| {
                let r2 = (x as f32 - 90.0).powi(2) + (y as f32 - 90.0).powi(2);
                strength * (0.3 + (-r2 / 16000.0).exp())
            };
            let levels = grey_levels(200, &image(disc), None).unwrap();
            let at = |x: usize, y: usize| levels[y * 200 + x];
            // The disc is a light ground, also where it is brighter than the spots at the corners.
            let ground = (0..levels.len()).filter(|index| index % 200 % 20 >= 3).map(|index| levels[index]);
            let darkest = ground.min().unwrap();
            assert!(darkest > 190, "{strength}: {darkest}");
            // 40, 77 and 144 photons.
            for (x, y) in [(80, 80), (100, 128), (180, 144)] {
                assert!(at(x, y) + 60 < darkest, "{strength}: {} on {darkest}", at(x, y));
            }
        }
    }

    #[test]
    fn special_pixels() {
        assert_eq!(grey_levels(3, &[0.0, -1.0, f32::NAN], None).unwrap(), [255; 3]);
        assert_eq!(grey_levels(2, &[0.0, f32::INFINITY], None).unwrap(), [255, 0]);
        // One value everywhere is all background.
        let flat = grey_levels(20, &[7.0; 400], None).unwrap();
        assert!(flat.iter().all(|level| *level == flat[0] && *level > 200), "{flat:?}");
        assert!(grey_levels(2, &[f32::MIN_POSITIVE, f32::from_bits(1)], None).is_some());
        assert!(grey_levels(0, &[], None).unwrap().is_empty());
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
        assert_eq!(levels, grey_levels(3, &pixels, None).unwrap());
        let error = write_preview(&path, 3, 3, &pixels, None).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: cannot write: ", path.display())), "{error}");
        assert!(write_preview(&path, 0, 0, &[], None).is_err());
    }
}
