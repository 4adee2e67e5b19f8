//! The size of the image, from the command line, a header or the number of pixels in the file.

use std::fs;
use std::path::Path;

use widebragg_formats::c_library::int_of;
use widebragg_formats::smv::{SmvHeader, read_smv_header_bytes};

use crate::console;
use crate::error::Failure;
use crate::options::NoisifyOptions;

/// The size of the image.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    /// Pixels along the fast and the slow axis.
    pub(super) pixels: [usize; 2],
    /// Edge of a pixel, in m.
    pub(super) pixel_m: f64,
    /// The bytes of the header that is copied.
    pub(super) header: Option<Vec<u8>>,
}

/// The size of the image in the file `path`. What a header says takes precedence over the command line.
pub(super) fn layout(options: &NoisifyOptions, path: &Path) -> Result<Layout, Failure> {
    let bytes = fs::metadata(path)
        .map_err(|error| Failure::input(format!("-floatfile: {}: cannot read: {error}", path.display())))?
        .len();
    let in_file = usize::try_from(bytes / 4).unwrap_or(usize::MAX);
    let (mut stated, mut pixel_m, mut copied) = (options.pixels, options.pixel_m, None);
    if let Some(path) = &options.header_file {
        let (header, bytes) = read_smv_header_bytes(path).map_err(|failure| failure.context("-header"))?;
        stated = size_of_header(&header);
        pixel_m = header.nanobragg_number("PIXEL_SIZE").map_or(pixel_m, |mm| mm / 1000.0);
        copied = Some(bytes);
    }
    let of = |name: &str, number: i32| {
        usize::try_from(number).map_err(|_| Failure::input(format!("{name} {number}: must be above 0")))
    };
    let given = [of("-detpixels_x", stated[0])?, of("-detpixels_y", stated[1])?];
    let [fast, slow] = match given {
        [0, 0] => {
            console::complain("the size of the image is guessed (-detpixels_x, -detpixels_y)");
            guess(in_file)
        }
        [fast, 0] => [fast, in_file / fast],
        [0, slow] => [in_file / slow, slow],
        both => both,
    };
    let by_size = |pixels: usize, size_m: f64| match pixels {
        0 => usize::try_from(int_of((size_m / pixel_m - 0.5).ceil())).unwrap_or(0),
        pixels => pixels,
    };
    let [fast, slow] = [by_size(fast, options.size_m[0]), by_size(slow, options.size_m[1])];
    let pixels = fast.checked_mul(slow).filter(|&pixels| pixels > 0 && pixels <= i32::MAX as usize);
    // The reference reads what is there, as long as that is a quarter.
    if pixels.is_none_or(|pixels| pixels as u64 > bytes) {
        return Err(Failure::input(format!(
            "-floatfile: {}: {in_file} pixels (f32) do not make an image of {fast} x {slow}",
            path.display()
        )));
    }
    Ok(Layout { pixels: [fast, slow], pixel_m, header: copied })
}

/// The pixels that a header states; 0 where it does not.
fn size_of_header(header: &SmvHeader) -> [i32; 2] {
    let number = |key: &str| header.nanobragg_number(key).map_or(0, int_of);
    match [number("SIZE1"), number("SIZE2")] {
        [0, _] => [number("DETECTOR_DIMENSIONS"); 2],
        size => size,
    }
}

/// The largest number of columns that is not above the number of rows, and divides the pixels.
fn guess(pixels: usize) -> [usize; 2] {
    let fast = (1..=pixels.isqrt()).rev().find(|fast| pixels.is_multiple_of(*fast));
    fast.map_or([0, 0], |fast| [fast, pixels / fast])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_divide() {
        assert_eq!(guess(3072), [48, 64]);
        assert_eq!([guess(7), guess(1), guess(0)], [[1, 7], [1, 1], [0, 0]]);
    }
}
