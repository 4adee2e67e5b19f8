//! Reading of miniCBF images, as PILATUS and EIGER detectors and [`super::write_cbf`] write them.
//!
//! A file has one binary section of signed 32-bit integers in byte-offset compression; the MIME header states
//! its length and the size of the image. Where the header has an MD5 sum, the data are checked against it.
//! Source: DECTRIS, "Pilatus CBF header specification" 1.4.
//! Special case: a pixel outside the range of i32 is refused.

use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

use super::byte_offset::{STARTER, Undecodable, decompressed};
use crate::failure::Failure;
use crate::image::FlatDetector;
use crate::memory::Watched;
use crate::text::{cannot_read, in_file, open};

/// Longest text before the data that is accepted.
const MAX_HEADER_BYTES: usize = 1 << 20;

/// An image as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CbfImage {
    /// The text before the data.
    pub header: String,
    /// Pixels along the fast axis.
    pub fast: usize,
    /// Pixels along the slow axis.
    pub slow: usize,
    /// fast * slow pixels, index = slow * fast_pixels + fast; gaps and masked pixels are negative.
    pub pixels: Vec<i32>,
}

/// Reads an image.
///
/// # Errors
/// The file cannot be read, is not such a CBF, or is truncated or damaged.
pub fn read_cbf(path: &Path) -> Result<CbfImage, Failure> {
    parse_cbf(open(path)?, path)
}

/// [`read_cbf`] from a stream; `path` is its name in error messages.
///
/// # Errors
/// As [`read_cbf`].
pub fn parse_cbf(input: impl Read, path: &Path) -> Result<CbfImage, Failure> {
    let mut bytes = Vec::new();
    Watched(input).read_to_end(&mut bytes).map_err(|error| cannot_read(path, &error))?;
    if !bytes.starts_with(b"###CBF") {
        return Err(in_file(path, "not a CBF image (does not begin with ###CBF)"));
    }
    let head = &bytes[..bytes.len().min(MAX_HEADER_BYTES)];
    let starter = head.windows(STARTER.len()).position(|window| window == STARTER);
    let at = starter.ok_or_else(|| in_file(path, "truncated: no binary data"))?;
    let header = String::from_utf8_lossy(&bytes[..at]).into_owned();
    let data = &bytes[at + STARTER.len()..];
    if !header.contains("x-CBF_BYTE_OFFSET") {
        return Err(in_file(path, "its compression is not x-CBF_BYTE_OFFSET"));
    }
    if value(&header, "X-Binary-Element-Type").is_some_and(|kind| kind != "\"signed 32-bit integer\"") {
        return Err(in_file(path, "its pixels are not signed 32-bit integers"));
    }
    if value(&header, "X-Binary-Element-Byte-Order").is_some_and(|order| order != "LITTLE_ENDIAN") {
        return Err(in_file(path, "its byte order is not LITTLE_ENDIAN"));
    }
    let number = |key: &str| {
        let number = value(&header, key).and_then(|value| value.parse::<usize>().ok());
        number.ok_or_else(|| in_file(path, format!("no usable {key} in its header")))
    };
    let (fast, slow) =
        (number("X-Binary-Size-Fastest-Dimension")?, number("X-Binary-Size-Second-Dimension")?);
    let count = fast.checked_mul(slow).filter(|&count| count > 0 && count <= i32::MAX as usize);
    let count = count.ok_or_else(|| in_file(path, format!("{fast} x {slow} is not a size of an image")))?;
    let data = data
        .get(..number("X-Binary-Size")?)
        .ok_or_else(|| in_file(path, "truncated: less data than its header says"))?;
    if let Some(sum) = value(&header, "Content-MD5")
        && STANDARD.encode(Md5::digest(data)) != sum
    {
        return Err(in_file(path, "damaged: its data do not have the MD5 sum of its header"));
    }
    let pixels = decompressed(data, count).map_err(|why| {
        let what = match why {
            Undecodable::Damaged => format!("its data are not {fast} x {slow} compressed pixels"),
            Undecodable::NoMemory => format!("no memory for {fast} x {slow} pixels"),
        };
        in_file(path, what)
    })?;
    Ok(CbfImage { header, fast, slow, pixels })
}

/// The rest of the header line that begins with `key:`.
fn value<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let after = |line: &'a str| line.strip_prefix(key)?.strip_prefix(':');
    header.lines().find_map(after).map(str::trim)
}

/// The numbers of the line `# key ...` of a header.
pub(crate) fn numbers<'a>(header: &'a str, key: &str) -> Option<impl Iterator<Item = f64> + use<'a>> {
    let line = header.lines().find_map(|line| line.strip_prefix("# ")?.strip_prefix(key))?;
    Some(line.split([' ', '(', ')', ',', '=']).filter_map(|word| word.parse::<f64>().ok()))
}

/// The count from which pixels are saturated.
pub(super) fn count_cutoff(header: &str) -> Option<f64> {
    numbers(header, "Count_cutoff")?.next().filter(|&counts| counts > 0.0)
}

/// The detector that the `# Key value` lines of a header describe.
pub(super) fn detector(header: &str) -> Option<FlatDetector> {
    let number = |key: &str| numbers(header, key)?.next();
    let mut beam = numbers(header, "Beam_xy")?;
    let beam_px = [beam.next()?, beam.next()?];
    FlatDetector {
        pixel_m: number("Pixel_size")?,
        lambda_m: number("Wavelength")? * 1e-10,
        distance_m: number("Detector_distance")?,
        foot_px: beam_px,
        beam_px,
    }
    .if_usable()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cbf::write_cbf;
    use crate::image::ImageHeader;

    fn written(fast: usize, slow: usize, pixels: &[i32]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.cbf");
        let header =
            ImageHeader { fast, slow, pixel_m: 172e-6, count_cutoff: 1000, ..ImageHeader::default() };
        write_cbf(&path, &header, pixels).unwrap();
        std::fs::read(&path).unwrap()
    }

    fn parse(bytes: &[u8]) -> Result<CbfImage, String> {
        parse_cbf(bytes, Path::new("a.cbf")).map_err(|failure| failure.to_string())
    }

    #[test]
    fn bad_files_are_named() {
        let pixels: Vec<i32> = (0..60).map(|i| i * i * 70 - 5).collect();
        let whole = written(10, 6, &pixels);
        let image = parse(&whole).unwrap();
        assert_eq!((image.fast, image.slow), (10, 6));
        assert_eq!(image.pixels, pixels);
        let at = whole.windows(4).position(|window| window == STARTER).unwrap() + 4;
        for length in 0..at + 60 {
            let message = parse(&whole[..length]).unwrap_err();
            assert!(message.starts_with("a.cbf: "), "{message}");
            assert!(length < 6 || message.contains("truncated"), "{length}: {message}");
        }
        let mut damaged = whole.clone();
        damaged[at + 20] ^= 1;
        assert!(parse(&damaged).unwrap_err().contains("damaged"));
        let replaced = |from: &str, to: &str| {
            let header = String::from_utf8(whole[..at - 4].to_vec()).unwrap().replace(from, to);
            parse(&[header.as_bytes(), &whole[at - 4..]].concat()).unwrap_err()
        };
        assert!(replaced("BYTE_OFFSET", "CANONICAL").contains("compression"));
        assert!(replaced("signed 32-bit integer", "signed 16-bit integer").contains("32-bit"));
        assert!(replaced("Fastest-Dimension: 10", "Fastest-Dimension: 11").contains("11 x 6"));
        assert!(replaced("Fastest-Dimension: 10", "Fastest-Dimension: 9").contains("9 x 6"));
        assert!(replaced("Second-Dimension: 6", "Second-Dimension: 0").contains("not a size"));
        assert!(replaced("X-Binary-Size:", "X-Size:").contains("X-Binary-Size"));
    }

    #[test]
    fn the_detector_of_a_header() {
        let cbf = "# Pixel_size 172e-6 m x 172e-6 m\n# Wavelength 0.976800 A\n# Detector_distance 0.231270 m\n\
                   # Beam_xy (1231.500, 1263.250) pixels\n";
        let geometry = detector(cbf).unwrap();
        assert_eq!(geometry.beam_px, [1231.5, 1263.25]);
        assert_eq!((geometry.pixel_m, geometry.distance_m), (172e-6, 0.23127));
        assert_eq!(detector(&cbf.replace("0.976800", "0")), None);
        assert_eq!(detector(&cbf.replace("Beam_xy", "Beam")), None);
        assert_eq!(count_cutoff("# Tau = 0 s\n# Count_cutoff 1048500 counts\n"), Some(1_048_500.0));
        assert_eq!([count_cutoff(cbf), count_cutoff("# Count_cutoff 0 counts\n")], [None, None]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(pixels in proptest::collection::vec(
            prop_oneof![-200_i32..200, -70_000..70_000, any::<i32>()], 1..200)) {
            prop_assert_eq!(parse(&written(pixels.len(), 1, &pixels)).unwrap().pixels, pixels);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut file = b"###CBF x-CBF_BYTE_OFFSET\nX-Binary-Size: 9\nX-Binary-Size-Fastest-Dimension: 3\nX-Binary-Size-Second-Dimension: 2\n\x0c\x1a\x04\xd5".to_vec();
            file.extend(bytes);
            let _ = parse(&file);
        }
    }
}
