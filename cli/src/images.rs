//! Images of any format as f32 pixels, to compare with each other or with a rendered image.
//!
//! Pixels of SMV and CBF images are the stored ones, their offset included; what the header says of it comes with
//! them.
//! Special cases: negative pixels of a CBF are gaps and masked pixels, and become NaN; counts above 2^24 are
//! rounded to f32.

use std::fs;
use std::path::{Path, PathBuf};

use widebragg_formats::float::Float;
use widebragg_formats::image::{Counting, FlatDetector, ImageReader};
use widebragg_formats::kind::other_kind;
use widebragg_formats::registry::reader_of;

use crate::error::Failure;

/// Exit code for images of different sizes.
const SIZES_DIFFER: u8 = 4;

/// An image to compare.
#[derive(Debug, Clone)]
pub struct Image {
    /// Name of its file.
    pub path: PathBuf,
    /// Its format.
    pub format: &'static dyn ImageReader,
    /// Pixels along the fast axis.
    pub fast: usize,
    /// Pixels along the slow axis.
    pub slow: usize,
    /// fast * slow pixels, slow-major.
    pub pixels: Vec<f32>,
    /// The detector that its header describes.
    pub geometry: Option<FlatDetector>,
    /// Unit of its pixels.
    pub unit: &'static str,
    /// How its pixels stand for photons.
    pub counting: Counting,
    /// A remark for the user.
    pub note: Option<String>,
}

/// Reads two images of equal size; `size` is that of images without a header.
///
/// # Errors
/// A file cannot be read or is truncated, the sizes differ (exit code 4), or neither a header nor `size`
/// gives a size (exit code 1).
pub fn read_pair(paths: [&Path; 2], size: Option<[usize; 2]>) -> Result<[Image; 2], Failure> {
    let [a, b] = paths;
    let (format_a, format_b) = (reader_of(a)?, reader_of(b)?);
    let (images_a, images_b) = match (format_a.has_header(), format_b.has_header()) {
        (false, false) => {
            let size = size.map_or_else(|| Err(no_size(paths)), Ok)?;
            rayon::join(|| raw(a, size), || raw(b, size))
        }
        (false, true) => {
            let b = with_header(b, format_b)?;
            (raw(a, size.unwrap_or([b.fast, b.slow])), Ok(b))
        }
        (true, false) => {
            let a = with_header(a, format_a)?;
            let size = size.unwrap_or([a.fast, a.slow]);
            (Ok(a), raw(b, size))
        }
        (true, true) => rayon::join(|| with_header(a, format_a), || with_header(b, format_b)),
    };
    let images = [images_a?, images_b?];
    let [a, b] = &images;
    if (a.fast, a.slow) != (b.fast, b.slow) {
        let shown = |image: &Image| format!("{} is {} x {}", image.path.display(), image.fast, image.slow);
        return Err(Failure::with_code(SIZES_DIFFER, format!("sizes differ: {}, {}", shown(a), shown(b))));
    }
    Ok(images)
}

/// Reads an image of `size` fast and slow pixels.
///
/// # Errors
/// As [`read_pair`].
pub fn read_one(path: &Path, size: [usize; 2]) -> Result<Image, Failure> {
    let format = reader_of(path)?;
    let image = if format.has_header() { with_header(path, format)? } else { raw(path, size)? };
    if [image.fast, image.slow] != size {
        let shown = path.display();
        let message = format!(
            "sizes differ: {shown} is {} x {}, the detector has {} x {} pixels",
            image.fast, image.slow, size[0], size[1]
        );
        return Err(Failure::with_code(SIZES_DIFFER, message));
    }
    Ok(image)
}

/// The geometry in the header of an image.
///
/// # Errors
/// The file cannot be read, or its header has no geometry.
pub fn read_geometry(path: &Path) -> Result<FlatDetector, Failure> {
    let geometry = read_geometry_and_size(path)?.0;
    geometry.ok_or_else(|| Failure::input(format!("{}: no geometry in its header", path.display())))
}

/// Geometry and size (fast, slow) from the header of an image.
///
/// # Errors
/// The file cannot be read or has no header.
pub fn read_geometry_and_size(path: &Path) -> Result<(Option<FlatDetector>, [usize; 2]), Failure> {
    let format = reader_of(path)?;
    if !format.has_header() {
        return Err(Failure::input(format!("{}: a float image has no header", path.display())));
    }
    with_header(path, format).map(|image| (image.geometry, [image.fast, image.slow]))
}

/// Length of a regular file in bytes; `None` for other files.
fn length(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
}

/// The failure of two float images without a size.
fn no_size([a, b]: [&Path; 2]) -> Failure {
    if let Some(failure) = [a, b].into_iter().find_map(no_image) {
        return failure;
    }
    let pixels = |path: &Path| length(path).map_or(0, |bytes| bytes / 4);
    let (in_a, in_b) = (pixels(a), pixels(b));
    if in_a != in_b {
        let (a, b) = (a.display(), b.display());
        let message = format!("sizes differ: {a} holds {in_a} pixels, {b} holds {in_b}");
        return Failure::with_code(SIZES_DIFFER, message);
    }
    let side = in_a.isqrt();
    let hint =
        if side * side == in_a { format!(" (a square one: --size {side} {side})") } else { String::new() };
    let message =
        format!("{}: a float image has no header: give its size with --size FAST SLOW{hint}", a.display());
    Failure::input(message).as_usage()
}

/// The failure of a file of a kind that is no image here.
fn no_image(path: &Path) -> Option<Failure> {
    other_kind(path, "an SMV, CBF or float image").map(Failure::from)
}

/// Reads a float image; one of another size may be a file of another kind.
fn raw(path: &Path, size: [usize; 2]) -> Result<Image, Failure> {
    raw_of_size(path, size).map_err(|failure| no_image(path).unwrap_or(failure))
}

fn raw_of_size(path: &Path, [fast, slow]: [usize; 2]) -> Result<Image, Failure> {
    let shown = path.display();
    let count = fast.checked_mul(slow).filter(|count| count.checked_mul(4).is_some());
    let count =
        count.ok_or_else(|| Failure::input(format!("--size {fast} {slow}: too many pixels")).as_usage())?;
    let held = length(path).filter(|bytes| bytes.is_multiple_of(4)).map(|bytes| bytes / 4);
    if let Some(held) = held.filter(|&held| held > count as u64) {
        let message = format!("sizes differ: {shown} holds {held} pixels, more than {fast} x {slow}");
        return Err(Failure::with_code(SIZES_DIFFER, message));
    }
    if length(path).is_some_and(|bytes| bytes < 4 * count as u64) {
        let bytes = length(path).unwrap_or(0);
        let message = format!("{shown}: truncated: {bytes} bytes, {fast} x {slow} pixels are {}", 4 * count);
        return Err(Failure::input(message));
    }
    let image = Float.read(path, Some([fast, slow]))?;
    let path = path.to_owned();
    let (pixels, unit, counting) = (image.pixels, image.unit, image.counting);
    Ok(Image { path, format: &Float, fast, slow, pixels, geometry: None, unit, counting, note: None })
}

fn with_header(path: &Path, format: &'static dyn ImageReader) -> Result<Image, Failure> {
    let image = format.read(path, None)?;
    let note = format!("{}: {} counts above 2^24 are compared as f32", path.display(), image.rounded);
    Ok(Image {
        path: path.to_owned(),
        format,
        fast: image.fast,
        slow: image.slow,
        pixels: image.pixels,
        geometry: image.detector,
        unit: image.unit,
        counting: image.counting,
        note: (image.rounded > 0).then_some(note),
    })
}

/// The region to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// First pixel along the fast axis.
    pub fast_min: usize,
    /// First pixel along the slow axis.
    pub slow_min: usize,
    /// Pixels along the fast axis.
    pub fast: usize,
    /// Pixels along the slow axis.
    pub slow: usize,
}

impl Region {
    /// The region `roi_px` (fast min, fast max, slow min, slow max) of an image; the whole image without one.
    ///
    /// # Errors
    /// The region reaches beyond the image: exit code 1.
    pub fn new(roi_px: Option<[usize; 4]>, image: &Image) -> Result<Self, Failure> {
        let Some([fast_min, fast_max, slow_min, slow_max]) = roi_px else {
            return Ok(Self { fast_min: 0, slow_min: 0, fast: image.fast, slow: image.slow });
        };
        if fast_max >= image.fast || slow_max >= image.slow {
            return Err(Failure::input(format!(
                "--roi {fast_min} {fast_max} {slow_min} {slow_max}: the images have {} x {} pixels, counted from 0",
                image.fast, image.slow
            ))
            .as_usage());
        }
        Ok(Self { fast_min, slow_min, fast: fast_max + 1 - fast_min, slow: slow_max + 1 - slow_min })
    }

    /// Crops an image to the region, in position.
    pub fn cut(&self, image: &mut Image) {
        if (self.fast, self.slow) == (image.fast, image.slow) {
            return;
        }
        for row in 0..self.slow {
            let start = (self.slow_min + row) * image.fast + self.fast_min;
            image.pixels.copy_within(start..start + self.fast, row * self.fast);
        }
        image.pixels.truncate(self.fast * self.slow);
        (image.fast, image.slow) = (self.fast, self.slow);
    }

    /// Fast and slow index, in the whole image, of pixel `index` of the region.
    #[must_use]
    pub fn position(&self, index: usize) -> [usize; 2] {
        [self.fast_min + index % self.fast, self.slow_min + index / self.fast]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_cut_in_place() {
        let mut image = Image {
            path: PathBuf::new(),
            format: &Float,
            fast: 5,
            slow: 4,
            pixels: (0..20u8).map(f32::from).collect(),
            geometry: None,
            unit: "photons/pixel",
            counting: Counting::default(),
            note: None,
        };
        let region = Region::new(Some([1, 3, 2, 3]), &image).unwrap();
        region.cut(&mut image);
        assert_eq!(image.pixels, [11.0, 12.0, 13.0, 16.0, 17.0, 18.0]);
        assert_eq!(region.position(4), [2, 3]);
        assert_eq!(Region::new(Some([0, 3, 0, 1]), &image).unwrap_err().code(), 1);
    }
}
