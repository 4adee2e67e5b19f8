//! miniCBF images with the keys of PILATUS detectors, in the header convention GENERIC_MINI.
//!
//! dxtbx takes "PILATUS_1.2" for a PILATUS: it masks the gaps between the modules of one, and refuses every other
//! size. "GENERIC_MINI" is its convention for simulated detectors of any size: one panel without gaps.
//!
//! A file is a short text block of `# Key value` lines, a MIME header, and the pixels as signed 32-bit
//! integers in byte-offset compression. Lines end in CR LF; the MD5 sum is that of the compressed bytes; 4095
//! bytes of padding follow them, as in the files of CBFlib. Times are UTC.
//! Source: DECTRIS, "Pilatus CBF header specification" 1.4.
//! Special case: neighbouring pixels that differ by more than 2^31 - 1 are written correctly, and CBFlib
//! reads them, but the 32-bit decoder of fabio does not. Pixels between -1 and 2^31 - 2 avoid that.

mod byte_offset;
mod reader;

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

use crate::atomic::write_atomically;
use crate::ctime::iso_utc;
use crate::failure::Failure;
use crate::format_g::format_g;
use crate::image::{
    COUNTS, Counting, Image, ImageHeader, ImageReader, ImageWriter, PixelType, Pixels, ReadImage, ends_with,
    is_named, wrong_type,
};
use crate::memory::reserved;
use crate::text::in_file;
pub(crate) use byte_offset::STARTER;
use byte_offset::compressed;
pub(crate) use reader::numbers as header_numbers;
pub use reader::{CbfImage, parse_cbf, read_cbf};
use reader::{count_cutoff, detector};

/// Number of zero bytes after the data, for readers that fetch whole disk blocks.
const PADDING_BYTES: usize = 4095;

/// The last bytes of a file.
const END: &[u8] = b"\r\n--CIF-BINARY-FORMAT-SECTION----\r\n;\r\n\r\n";

/// Largest count up to which f32 holds every count exactly.
const LARGEST_EXACT: i32 = 1 << 24;

/// The format of miniCBF images.
#[derive(Debug, Clone, Copy)]
pub struct Cbf;

impl ImageWriter for Cbf {
    fn name(&self) -> &'static str {
        "CBF"
    }

    fn pixel_type(&self) -> PixelType {
        PixelType::I32
    }

    fn write(&self, path: &Path, image: &Image<'_>) -> Result<(), Failure> {
        match image.pixels {
            Pixels::I32(pixels) => write_cbf(path, image.header, pixels),
            other => Err(wrong_type(self, path, &other)),
        }
    }

    fn is_complete(&self, path: &Path, _: usize) -> bool {
        ends_with(path, END.trim_ascii_start())
    }
}

impl ImageReader for Cbf {
    fn name(&self) -> &'static str {
        "CBF"
    }

    fn recognises(&self, start: &[u8], path: &Path) -> bool {
        start.starts_with(b"###CBF") || is_named(path, "cbf")
    }

    fn read(&self, path: &Path, _: Option<[usize; 2]>) -> Result<ReadImage, Failure> {
        let CbfImage { header, fast, slow, pixels } = read_cbf(path)?;
        let rounded = pixels.iter().filter(|&&pixel| pixel > LARGEST_EXACT).count();
        let value = |&pixel: &i32| if pixel < 0 { f32::NAN } else { pixel as f32 };
        let mut values = reserved(pixels.len())
            .ok_or_else(|| in_file(path, format!("no memory for {fast} x {slow} pixels")))?;
        values.extend(pixels.iter().map(value));
        // The counts of a miniCBF have no offset.
        let counting = Counting { offset: Some(0.0), saturation: count_cutoff(&header) };
        let detector = detector(&header);
        Ok(ReadImage { fast, slow, pixels: values, detector, unit: COUNTS, counting, rounded })
    }
}

/// Writes an image; `pixels` are slow-major.
///
/// # Errors
/// The file cannot be written.
pub fn write_cbf(path: &Path, geometry: &ImageHeader, pixels: &[i32]) -> Result<(), Failure> {
    let data = compressed(pixels).ok_or_else(|| in_file(path, "no memory for its compressed pixels"))?;
    let header = header(path, geometry, &data, pixels.len()).replace('\n', "\r\n");
    write_atomically(path, |out| {
        out.write_all(header.as_bytes())?;
        out.write_all(STARTER)?;
        out.write_all(&data)?;
        out.write_all(&[0; PADDING_BYTES])?;
        out.write_all(END)
    })
}

/// The text before the binary data.
fn header(path: &Path, geometry: &ImageHeader, data: &[u8], pixels: usize) -> String {
    let g = geometry;
    let name: String = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "_-.".contains(c) { c } else { '_' })
        .collect();
    let sensor = g
        .sensor_thickness_m
        .map(|thickness_m| format!("# Silicon sensor, thickness {thickness_m:.6} m\n"))
        .unwrap_or_default();
    format!(
        "###CBF: VERSION 1.5, widebragg {version}

data_{name}

_array_data.header_convention \"GENERIC_MINI\"
_array_data.header_contents
;
# Detector: simulated pixel array, S/N 00-0000
# {time}
# Pixel_size {pixel} m x {pixel} m
{sensor}# Exposure_time {exposure} s
# Exposure_period {exposure} s
# Tau = 0 s
# Count_cutoff {cutoff} counts
# N_excluded_pixels = 0
# Wavelength {wavelength:.6} A
# Start_angle {phi0:.6} deg.
# Angle_increment {osc:.6} deg.
# Detector_distance {distance:.6} m
# Detector_2theta {twotheta:.6} deg.
# Beam_xy ({beam_fast:.3}, {beam_slow:.3}) pixels
;

_array_data.data
;
--CIF-BINARY-FORMAT-SECTION--
Content-Type: application/octet-stream;
     conversions=\"x-CBF_BYTE_OFFSET\"
Content-Transfer-Encoding: BINARY
X-Binary-Size: {size}
X-Binary-ID: 1
X-Binary-Element-Type: \"signed 32-bit integer\"
X-Binary-Element-Byte-Order: LITTLE_ENDIAN
Content-MD5: {md5}
X-Binary-Number-of-Elements: {pixels}
X-Binary-Size-Fastest-Dimension: {fast}
X-Binary-Size-Second-Dimension: {slow}
X-Binary-Size-Padding: {PADDING_BYTES}

",
        version = env!("CARGO_PKG_VERSION"),
        time = iso_utc(g.unix_time_s),
        pixel = metres(g.pixel_m),
        exposure = format_g(g.exposure_s),
        cutoff = g.count_cutoff,
        wavelength = g.lambda_m * 1e10,
        phi0 = g.phi0_rad.to_degrees(),
        osc = g.osc_rad.to_degrees(),
        distance = g.distance_m,
        twotheta = g.twotheta_rad.to_degrees(),
        beam_fast = g.fast_beam_m / g.pixel_m,
        beam_slow = g.slow_beam_m / g.pixel_m,
        size = data.len(),
        md5 = STANDARD.encode(Md5::digest(data)),
        fast = g.fast,
        slow = g.slow,
    )
}

/// A pixel size in the form of these headers, `172e-6`.
fn metres(length_m: f64) -> String {
    let micrometres = format_g(length_m * 1e6);
    if micrometres.contains('e') { format_g(length_m) } else { format!("{micrometres}e-6") }
}

#[cfg(test)]
mod tests {
    use super::byte_offset::decompressed;
    use super::*;

    fn geometry(fast: usize, slow: usize) -> ImageHeader {
        ImageHeader {
            fast,
            slow,
            pixel_m: 172e-6,
            distance_m: 0.23127,
            lambda_m: 0.9768e-10,
            fast_beam_m: 1231.5 * 172e-6,
            slow_beam_m: 1263.25 * 172e-6,
            osc_rad: 0.1_f64.to_radians(),
            exposure_s: 0.1,
            sensor_thickness_m: Some(0.00032),
            count_cutoff: 1_048_500,
            unix_time_s: 1_795_340_487,
            ..ImageHeader::default()
        }
    }

    #[test]
    fn the_file_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("my run_00001.cbf");
        let pixels: Vec<i32> = (0..60).map(|i| (i * i * i) % 1013 * 70 - 5).collect();
        write_cbf(&path, &geometry(10, 6), &pixels).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let data_at = bytes.windows(4).position(|window| window == STARTER).unwrap() + 4;
        let header = core::str::from_utf8(&bytes[..data_at - 4]).unwrap();
        assert!(header.starts_with("###CBF: VERSION 1.5"));
        assert!(
            header.lines().count() > 30 && header.matches('\n').count() == header.matches("\r\n").count()
        );
        for line in [
            "data_my_run_00001",
            "_array_data.header_convention \"GENERIC_MINI\"",
            "# Detector: simulated pixel array, S/N 00-0000",
            "# 2026-11-22T09:41:27.000",
            "# Pixel_size 172e-6 m x 172e-6 m",
            "# Silicon sensor, thickness 0.000320 m",
            "# Exposure_time 0.1 s",
            "# Count_cutoff 1048500 counts",
            "# Wavelength 0.976800 A",
            "# Angle_increment 0.100000 deg.",
            "# Detector_distance 0.231270 m",
            "# Beam_xy (1231.500, 1263.250) pixels",
            "X-Binary-Number-of-Elements: 60",
            "X-Binary-Size-Fastest-Dimension: 10",
            "X-Binary-Size-Second-Dimension: 6",
        ] {
            assert!(header.lines().any(|other| other == line), "{line}");
        }
        let value = |key: &str| header.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim();
        let size: usize = value("X-Binary-Size:").parse().unwrap();
        let data = &bytes[data_at..data_at + size];
        assert_eq!(decompressed(data, pixels.len()).unwrap(), pixels);
        assert_eq!(value("Content-MD5:"), STANDARD.encode(Md5::digest(data)));
        let tail = &bytes[data_at + size..];
        assert_eq!(tail[..PADDING_BYTES], [0; PADDING_BYTES]);
        assert_eq!(&tail[PADDING_BYTES..], b"\r\n--CIF-BINARY-FORMAT-SECTION----\r\n;\r\n\r\n");
    }
}
