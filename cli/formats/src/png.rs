//! Previews of images as 8-bit grey PNG files, with dark spots on a light background, as diffraction images are looked at.
//!
//! grey = asinh((v - b)/s) / asinh(top/s), from 0 (white) to 1 (black)
//!
//! v: the pixel; b: what is white, the 1st percentile of the pixels that are not negative; top: the height above b that is
//! black, that of the 99.9th percentile of the positive pixels, and at least a quarter of their median. s says where the scale
//! goes from linear to logarithmic. It is chosen such that the 90th percentile, which is background, has a grey of 0.25 where that
//! can be: strong backgrounds have a linear scale (s at most 10 top), and dark ones a logarithmic one that shows weak spots
//! (s at least top/100).
//!
//! The grey of a pixel depends on its own value alone, so that rings and slopes of the background are seen as they are. Pixels
//! that are zero, negative or NaN are white. Percentiles are those of the pixels that are shown, within 1 %.
//! Cost: two passes; 1 byte of memory a pixel more than the image has.

use std::io::{self, Write as _};
use std::path::Path;

use ::png::{BitDepth, ColorType, Compression, Encoder};
use rayon::prelude::*;

use crate::atomic::write_atomically;
use crate::failure::Failure;
use crate::image::{Image, ImageWriter, Layout, PixelType, Pixels, ends_with, wrong_type};
use crate::memory::{filled, zeroed};

/// Fractions of the pixels below what is white, below the upper end of the background, and below what is black.
const WHITE: f64 = 0.01;
const GROUND: f64 = 0.9;
const BLACK: f64 = 0.999;

/// Grey of the upper end of the background.
const GROUND_GREY: f64 = 0.25;

/// Smallest height that is black, in units of the median.
const LEAST_TOP: f64 = 0.25;

/// Heights from which the scale is logarithmic, least and largest, in units of that which is black.
const SOFT: [f64; 2] = [0.01, 10.0];

/// Steps of the bisection by which such a height is found: to 10^-6 of itself.
const BISECTIONS: usize = 24;

/// Pixels whose levels are found at a time.
const BLOCK: usize = 1 << 14;

/// Grey of gaps between panels and of pixels that are not rendered.
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
                    Some(layout) => write_laid_out(path, layout, pixels, top),
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

/// Writes a preview; `pixels` are slow-major, `top` is the height above white from which they are black, by default that of
/// the image.
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
    let levels = || grey_levels(pixels, top);
    write_grey(path, [fast, slow], levels)
}

/// Writes a preview of pixels that are laid out with grey gaps.
fn write_laid_out(path: &Path, layout: &Layout, pixels: &[f32], top: Option<f32>) -> Result<(), Failure> {
    let levels = || {
        let shown = layout.pixels.iter().filter_map(|&pixel| pixels.get(pixel as usize).copied());
        let of_pixels = levels(pixels, shown, top)?;
        let mut laid_out = filled(layout.pixels.len(), GAP)?;
        for (level, &pixel) in laid_out.iter_mut().zip(&layout.pixels) {
            *level = of_pixels.get(pixel as usize).copied().unwrap_or(GAP);
        }
        Some(laid_out)
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

/// The grey levels of pixels, 0 for black, which is `top` above white and more, by default that of the image; `None` where there
/// is too little memory.
#[must_use]
pub fn grey_levels(pixels: &[f32], top: Option<f32>) -> Option<Vec<u8>> {
    levels(pixels, pixels.iter().copied(), top)
}

/// The grey levels of pixels on the scale of those that are `shown`.
fn levels(pixels: &[f32], shown: impl Iterator<Item = f32>, top: Option<f32>) -> Option<Vec<u8>> {
    let limits = Percentiles::of(shown)?.limits(top.map(f64::from));
    let mut levels = zeroed(pixels.len())?;
    levels.par_chunks_mut(BLOCK).zip(pixels.par_chunks(BLOCK)).for_each(|(levels, pixels)| {
        for (to, pixel) in levels.iter_mut().zip(pixels) {
            // False for NaN, so that it is white.
            *to = 255 - limits.partition_point(|limit| limit <= pixel) as u8;
        }
    });
    Some(levels)
}

/// Percentiles: white of the pixels that are not negative, and the others of the positive ones; infinite where there are none.
#[derive(Debug, Clone, Copy)]
struct Percentiles {
    white: f64,
    median: f64,
    ground: f64,
    black: f64,
}

impl Percentiles {
    /// Those of some pixels; `None` where there is too little memory.
    fn of(pixels: impl Iterator<Item = f32>) -> Option<Self> {
        // Floats that are positive have the same order as their bits, of which the upper ones are counted.
        const BINS: usize = 1 << 15;
        let mut counts = filled(BINS, 0_usize)?;
        let mut dark = 0_usize;
        for pixel in pixels.filter(|pixel| pixel.is_finite()) {
            if pixel > 0.0 {
                counts[(pixel.to_bits() >> 16) as usize] += 1;
            } else {
                dark += usize::from(pixel == 0.0);
            }
        }
        let positive: usize = counts.iter().sum();
        let at = |rank: usize| {
            let mut below = 0;
            let bin = counts.iter().position(|count| {
                below += count;
                below > rank
            });
            bin.map_or(f64::INFINITY, |bin| f32::from_bits((bin as u32) << 16).into())
        };
        let part = |of: usize, fraction: f64| (of as f64 * fraction) as usize;
        let rank = part(positive + dark, WHITE);
        let white = rank.checked_sub(dark).map_or(0.0, at);
        let [median, ground, black] = [0.5, GROUND, BLACK].map(|fraction| at(part(positive, fraction)));
        Some(Self { white, median, ground, black })
    }

    /// The least pixel of each level from the lightest grey to black.
    fn limits(&self, top: Option<f64>) -> [f32; 255] {
        let Self { white, median, ground, black } = *self;
        if black.is_infinite() {
            // Infinite pixels are black.
            return [f32::INFINITY; 255];
        }
        let usual = || (black - white).max(LEAST_TOP * median);
        let top = top.unwrap_or_else(usual).max(f32::MIN_POSITIVE.into());
        let soft = soft(ground - white, top);
        let range = (top / soft).asinh();
        let mut level = 0.0;
        [(); 255].map(|()| {
            let height = soft * ((level + 0.5) / 255.0 * range).sinh();
            level += 1.0;
            (white + height) as f32
        })
    }
}

/// The height from which the scale is logarithmic where `ground` is a height of the background, and `top` is black.
fn soft(ground: f64, top: f64) -> f64 {
    let grey = |soft: f64| (ground / soft).asinh() / (top / soft).asinh();
    let [mut least, mut most] = SOFT.map(|part| part * top);
    if grey(least) <= GROUND_GREY {
        return least;
    }
    // The larger it is, the lighter is the background.
    for _ in 0..BISECTIONS {
        let middle = (least * most).sqrt();
        *(if grey(middle) > GROUND_GREY { &mut least } else { &mut most }) = middle;
    }
    most
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::BufReader;

    use proptest::prelude::*;

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
    fn without_background_the_scale_is_logarithmic_and_shows_weak_spots() {
        let pixels = image(|_, _| 1e-6);
        let levels = grey_levels(&pixels, None).unwrap();
        let levels_of = |least: f32, most: f32| {
            let these = pixels.iter().zip(&levels).filter(move |(pixel, _)| (least..most).contains(*pixel));
            these.map(|(_, level)| *level)
        };
        assert!(levels_of(0.0, 1e-3).all(|level| level == 255));
        // Spots of 1 % of the strongest are seen, and the strongest alone are black.
        assert!(levels_of(1.4, 3.0).all(|level| (150..235).contains(&level)));
        assert!(levels_of(143.0, 150.0).all(|level| level == 0));
        assert!(levels_of(10.0, 100.0).all(|level| level > 0));
        // Ten times the height that is black: all are lighter.
        let lighter = grey_levels(&pixels, Some(1440.0)).unwrap();
        assert!(levels.iter().zip(&lighter).all(|(level, lighter)| lighter > level || *level == 255));
    }

    #[test]
    fn spots_are_dark_on_a_grey_background_of_any_strength() {
        for strength in [1.0, 10.0, 100.0] {
            let disc = |x: usize, y: usize| {
                let r2 = (x as f32 - 90.0).powi(2) + (y as f32 - 90.0).powi(2);
                strength * (0.3 + (-r2 / 16000.0).exp())
            };
            let levels = grey_levels(&image(disc), None).unwrap();
            let at = |x: usize, y: usize| levels[y * 200 + x];
            let ground: Vec<u8> =
                (0..levels.len()).filter(|index| index % 200 % 20 >= 3).map(|index| levels[index]).collect();
            let darkest = *ground.iter().min().unwrap();
            assert!(darkest > 80, "{strength}: {darkest}");
            // It is seen, and without steps.
            assert!(ground.iter().any(|level| *level < 235));
            let row: Vec<u8> = (3..20).map(|x| at(80 + x, 95)).collect();
            assert!(row.windows(2).all(|pair| pair[0].abs_diff(pair[1]) <= 3), "{strength}: {row:?}");
            // 144 photons.
            assert!(at(180, 144) + 40 < at(184, 144), "{strength}: {} on {}", at(180, 144), at(184, 144));
        }
    }

    /// Single photons are seen where most pixels have none.
    #[test]
    fn few_counts_are_seen() {
        let pixels: Vec<f32> = (0..1000).map(|pixel| if pixel % 20 == 0 { 1.0 } else { 0.0 }).collect();
        let levels = grey_levels(&pixels, None).unwrap();
        assert!(pixels.iter().zip(&levels).all(|(pixel, level)| (*pixel > 0.0) == (*level < 200)));
    }

    /// Gaps are grey, and the pixels that are not shown change nothing.
    #[test]
    fn gaps_are_grey() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("panels.png");
        let pixels: Vec<f32> = (0..400).map(|pixel| 10.0 + pixel as f32).collect();
        let mut all = pixels.clone();
        all.extend([0.0; 50]);
        let numbers = (0..400).chain([Layout::GAP; 20]);
        let layout = Layout { width: 20, height: 21, pixels: numbers.collect() };
        write_laid_out(&path, &layout, &all, None).unwrap();
        let (size, levels) = read(&path);
        assert_eq!(size, [20, 21]);
        assert_eq!(levels[..400], grey_levels(&pixels, None).unwrap());
        assert_eq!(levels[400..], [GAP; 20]);
    }

    fn read(path: &Path) -> ([u32; 2], Vec<u8>) {
        let mut reader = ::png::Decoder::new(BufReader::new(File::open(path).unwrap())).read_info().unwrap();
        let mut levels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut levels).unwrap();
        assert_eq!(info.color_type, ColorType::Grayscale);
        ([info.width, info.height], levels)
    }

    /// A ring of ice leaves nothing beside it.
    #[test]
    fn a_pixel_has_the_grey_of_its_own_value() {
        let ring = |x: usize, y: usize| {
            let r = ((x as f32 - 100.0).powi(2) + (y as f32 - 80.0).powi(2)).sqrt();
            if (50.0..53.0).contains(&r) { 90.0 } else { 20.0 }
        };
        let pixels = image(ring);
        let levels = grey_levels(&pixels, None).unwrap();
        let mut pairs: Vec<(u32, u8)> =
            pixels.iter().map(|pixel| pixel.to_bits()).zip(levels.iter().copied()).collect();
        pairs.sort_unstable();
        assert!(pairs.windows(2).all(|pair| pair[0].0 < pair[1].0 || pair[0].1 == pair[1].1));
        // A larger pixel is not lighter.
        assert!(pairs.windows(2).all(|pair| pair[0].1 >= pair[1].1));
        let [ring, ground] = [80 * 200 + 151, 80 * 200 + 130].map(|pixel| levels[pixel]);
        assert!(ring + 60 < ground && ground > 240, "{ring} on {ground}");
    }

    #[test]
    fn special_pixels() {
        assert_eq!(grey_levels(&[0.0, -1.0, f32::NAN], None).unwrap(), [255; 3]);
        assert_eq!(grey_levels(&[0.0, f32::INFINITY], None).unwrap(), [255, 0]);
        assert_eq!(grey_levels(&[3.0, f32::INFINITY, f32::MAX], None).unwrap()[1..], [0, 0]);
        // One value everywhere is all background.
        let flat = grey_levels(&[7.3; 400], None).unwrap();
        assert!(flat.iter().all(|level| *level == flat[0] && *level > 200), "{flat:?}");
        assert!(grey_levels(&[f32::MIN_POSITIVE, f32::from_bits(1)], None).is_some());
        assert!(grey_levels(&[], None).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn any_image_has_levels_that_fall_with_its_pixels(
            pixels in proptest::collection::vec(any::<f32>(), 1..60),
            top in proptest::option::of(1e-30_f32..1e30),
        ) {
            let levels = grey_levels(&pixels, top).unwrap();
            let mut pairs: Vec<(f32, u8)> = pixels.into_iter().zip(levels).collect();
            prop_assert!(pairs.iter().all(|(pixel, level)| *pixel > 0.0 || *level == 255));
            pairs.retain(|(pixel, _)| !pixel.is_nan());
            pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
            prop_assert!(pairs.windows(2).all(|pair| pair[0].1 >= pair[1].1), "{pairs:?}");
        }
    }

    #[test]
    fn the_file_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preview.png");
        let pixels: Vec<f32> = (0..6).map(|i| i as f32).collect();
        write_preview(&path, 3, 2, &pixels, None).unwrap();
        assert_eq!(read(&path), ([3, 2], grey_levels(&pixels, None).unwrap()));
        let error = write_preview(&path, 3, 3, &pixels, None).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: cannot write: ", path.display())), "{error}");
        assert!(write_preview(&path, 0, 0, &[], None).is_err());
    }
}
