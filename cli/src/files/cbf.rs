//! miniCBF images as PILATUS detectors write them (header convention PILATUS_1.2).
//!
//! A short text block of `# Key value` lines, a MIME header, and the pixels as signed 32-bit integers in byte-offset
//! compression: the difference to the previous pixel as i8, or the i8 minimum and an i16, or both minima and an i32, or
//! all three minima and an i64, little endian; the smallest form that does not look like an escape is used.
//! Neighbours more than 2^31 - 1 apart are written right and CBFlib reads them, but fabio's 32-bit decoder does not:
//! keep pixels between -1 and 2^31 - 2 where that matters.
//! Sources: CBFlib manual, "x-CBF_BYTE_OFFSET"; DECTRIS, "Pilatus CBF header specification" 1.4.
//! Lines end in CR LF, the MD5 sum is that of the compressed bytes, and 4095 bytes of padding follow them, as CBFlib
//! has it. Times are UTC.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

use super::atomic::write_atomically;
use super::ctime::iso_utc;
use super::format_g::format_g;
use super::text::in_file;
use crate::error::Failure;
use crate::memory::reserved;

/// What begins the binary data.
pub(super) const STARTER: &[u8] = b"\x0c\x1a\x04\xd5";

/// Zero bytes after the data; readers that fetch whole disk blocks stay inside the file.
const PADDING_BYTES: usize = 4095;

/// Pixels compressed between two looks at the memory there is.
const PART_PIXELS: usize = 4096;

/// Most bytes that a pixel becomes: three escapes and an i64.
const MOST_BYTES: usize = 15;

/// What a header says about an image.
#[derive(Debug, Clone, PartialEq)]
pub struct CbfGeometry {
    /// Pixels along the fast axis.
    pub fast: usize,
    /// Pixels along the slow axis.
    pub slow: usize,
    /// Pixel size.
    pub pixel_m: f64,
    /// Distance from the sample to the detector.
    pub distance_m: f64,
    /// Wavelength.
    pub lambda_m: f64,
    /// Beam centre along the fast axis, in pixels from the outer edge of the first one.
    pub beam_fast_px: f64,
    /// Beam centre along the slow axis, in pixels from the outer edge of the first one.
    pub beam_slow_px: f64,
    /// Spindle angle at the start.
    pub phi0_rad: f64,
    /// Oscillation range.
    pub osc_rad: f64,
    /// Detector swing.
    pub twotheta_rad: f64,
    /// Exposure time.
    pub exposure_s: f64,
    /// Thickness of the silicon, where there is one.
    pub sensor_thickness_m: Option<f64>,
    /// Counts from which a pixel is overloaded.
    pub count_cutoff: i32,
    /// When the image was made, in seconds since 1970-01-01 UTC.
    pub unix_time_s: u64,
}

/// Writes an image; `pixels` slow-major.
///
/// # Errors
/// When the file cannot be written.
pub fn write_cbf(path: &Path, geometry: &CbfGeometry, pixels: &[i32]) -> Result<(), Failure> {
    let data = compressed(pixels).ok_or_else(|| in_file(path, "no memory for its compressed pixels"))?;
    let header = header(path, geometry, &data, pixels.len()).replace('\n', "\r\n");
    write_atomically(path, |out| {
        out.write_all(header.as_bytes())?;
        out.write_all(STARTER)?;
        out.write_all(&data)?;
        out.write_all(&[0; PADDING_BYTES])?;
        out.write_all(b"\r\n--CIF-BINARY-FORMAT-SECTION----\r\n;\r\n\r\n")
    })
}

/// Everything before the binary data.
fn header(path: &Path, geometry: &CbfGeometry, data: &[u8], pixels: usize) -> String {
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

_array_data.header_convention \"PILATUS_1.2\"
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
        beam_fast = g.beam_fast_px,
        beam_slow = g.beam_slow_px,
        size = data.len(),
        md5 = STANDARD.encode(Md5::digest(data)),
        fast = g.fast,
        slow = g.slow,
    )
}

/// A pixel size the way these headers have it, `172e-6`.
fn metres(length_m: f64) -> String {
    let micrometres = format_g(length_m * 1e6);
    if micrometres.contains('e') { format_g(length_m) } else { format!("{micrometres}e-6") }
}

/// Byte-offset compression; `None` where there is no memory for it.
fn compressed(pixels: &[i32]) -> Option<Vec<u8>> {
    // Neighbouring pixels of a diffraction image mostly differ by less than an i8.
    let mut bytes = reserved(pixels.len() + pixels.len() / 8)?;
    let mut previous = 0;
    for part in pixels.chunks(PART_PIXELS) {
        bytes.try_reserve(part.len() * MOST_BYTES).ok()?;
        part.iter().for_each(|&pixel| push_delta(&mut bytes, pixel, &mut previous));
    }
    Some(bytes)
}

/// The difference of a pixel to the previous one.
#[inline]
fn push_delta(bytes: &mut Vec<u8>, pixel: i32, previous: &mut i64) {
    let delta = i64::from(pixel) - *previous;
    *previous = i64::from(pixel);
    // The minimum of each type is the escape to the next.
    if let Some(delta) = i8::try_from(delta).ok().filter(|&delta| delta != i8::MIN) {
        bytes.extend(delta.to_le_bytes());
        return;
    }
    bytes.extend(i8::MIN.to_le_bytes());
    if let Some(delta) = i16::try_from(delta).ok().filter(|&delta| delta != i16::MIN) {
        bytes.extend(delta.to_le_bytes());
        return;
    }
    bytes.extend(i16::MIN.to_le_bytes());
    if let Some(delta) = i32::try_from(delta).ok().filter(|&delta| delta != i32::MIN) {
        bytes.extend(delta.to_le_bytes());
        return;
    }
    bytes.extend(i32::MIN.to_le_bytes());
    bytes.extend(delta.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn compressed(pixels: &[i32]) -> Vec<u8> {
        super::compressed(pixels).unwrap()
    }

    fn decompressed(mut bytes: &[u8]) -> Vec<i32> {
        fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
            let (head, tail) = bytes.split_first_chunk().unwrap();
            *bytes = tail;
            *head
        }
        let (mut pixels, mut pixel) = (Vec::new(), 0_i64);
        while !bytes.is_empty() {
            let mut delta = i64::from(i8::from_le_bytes(take(&mut bytes)));
            if delta == i64::from(i8::MIN) {
                delta = i64::from(i16::from_le_bytes(take(&mut bytes)));
                if delta == i64::from(i16::MIN) {
                    delta = i64::from(i32::from_le_bytes(take(&mut bytes)));
                    if delta == i64::from(i32::MIN) {
                        delta = i64::from_le_bytes(take(&mut bytes));
                    }
                }
            }
            pixel += delta;
            pixels.push(i32::try_from(pixel).unwrap());
        }
        pixels
    }

    fn geometry(fast: usize, slow: usize) -> CbfGeometry {
        CbfGeometry {
            fast,
            slow,
            pixel_m: 172e-6,
            distance_m: 0.23127,
            lambda_m: 0.9768e-10,
            beam_fast_px: 1231.5,
            beam_slow_px: 1263.25,
            phi0_rad: 0.0,
            osc_rad: 0.1_f64.to_radians(),
            twotheta_rad: 0.0,
            exposure_s: 0.1,
            sensor_thickness_m: Some(0.00032),
            count_cutoff: 1_048_500,
            unix_time_s: 1_795_340_487,
        }
    }

    #[test]
    fn every_escape_and_its_limits() {
        let deltas: [(i32, usize); 14] = [
            (0, 1),
            (127, 1),
            (-127, 1),
            (-128, 3),
            (128, 3),
            (32767, 3),
            (-32767, 3),
            (-32768, 7),
            (32768, 7),
            (i32::MAX, 7),
            (-i32::MAX, 7),
            (i32::MIN, 15),
            (1, 1),
            (-1, 1),
        ];
        for (delta, bytes) in deltas {
            assert_eq!(compressed(&[delta]).len(), bytes, "{delta}");
            assert_eq!(decompressed(&compressed(&[delta])), [delta]);
        }
        assert_eq!(compressed(&[1, 3, 300]), [1, 2, 0x80, 0x29, 0x01]);
        assert_eq!(compressed(&[i32::MAX, i32::MIN]).len(), 7 + 15);
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
            "_array_data.header_convention \"PILATUS_1.2\"",
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
        assert_eq!(decompressed(data), pixels);
        assert_eq!(value("Content-MD5:"), STANDARD.encode(Md5::digest(data)));
        let tail = &bytes[data_at + size..];
        assert_eq!(tail[..PADDING_BYTES], [0; PADDING_BYTES]);
        assert_eq!(&tail[PADDING_BYTES..], b"\r\n--CIF-BINARY-FORMAT-SECTION----\r\n;\r\n\r\n");
    }

    proptest! {
        #[test]
        fn pixels_come_back(pixels in proptest::collection::vec(
            prop_oneof![-200_i32..200, -70_000..70_000, any::<i32>()], 0..300)) {
            prop_assert_eq!(decompressed(&compressed(&pixels)), pixels);
        }
    }
}
