//! SMV images: a text header `{ KEY=value; ... }`, then u16 pixels, slow-major.
//!
//! A reader of pixels needs `HEADER_BYTES` (512 when absent), `SIZE1` (fast), `SIZE2` (slow), `BYTE_ORDER`
//! (little endian when absent) and `TYPE` from the header; a reader of the header alone needs nothing but its
//! beginning. A line need not close with `;`, the last occurrence of a key counts, and a number may have a unit.
//! The header ends at a `}` on a line of its own, since values may have braces; where there is none, at the `}`
//! that closes the first brace.
//! Special case: nanoBragg writes headers whose text is longer than they declare. Their pixels begin where the
//! text ends, and are read from there.

mod header;
mod value;

use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use bytemuck::NoUninit;

use crate::atomic::write_atomically;
use crate::failure::Failure;
use crate::image::{
    Counting, FlatDetector, Image, ImageHeader, ImageReader, ImageWriter, PixelType, Pixels, ReadImage,
    is_named, length, wrong_type,
};
use crate::kind::explained;
use crate::memory::reserved;
use crate::raw::{read_values, write_values};
use crate::text::{cannot_read, in_file, open, shown};
pub(crate) use header::USUAL_AXES;
pub use header::{header_readers, header_reference, header_with_keys};
pub use value::Measured;

/// Usual length of a header; `HEADER_BYTES` must be within it.
const USUAL_HEADER_BYTES: usize = 512;

/// Longest header that is accepted.
const MAX_HEADER_BYTES: f64 = 1048576.0;

/// Names of the type of pixels that is read.
const PIXEL_TYPES: [&str; 4] =
    ["unsigned_short", "unsigned short", "unsigned_short_int", "unsigned short int"];

/// Keys of what a detector adds to the count of every pixel.
const OFFSETS: [&str; 2] = ["ADC_OFFSET", "IMAGE_PEDESTAL"];

/// The style of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeaderStyle {
    /// The form that other programs expect: [`header_readers`].
    #[default]
    Readers,
    /// The reference's form: [`header_reference`].
    Reference,
}

/// The reader of the format.
#[derive(Debug, Clone, Copy)]
pub struct Smv;

/// The writer of the format, with headers of one style.
#[derive(Debug, Clone, Copy)]
pub struct SmvWriter(pub HeaderStyle);

impl SmvWriter {
    fn header(self, geometry: &ImageHeader) -> Vec<u8> {
        match self.0 {
            HeaderStyle::Readers => header_readers(geometry),
            HeaderStyle::Reference => header_reference(geometry),
        }
    }
}

impl ImageReader for Smv {
    fn name(&self) -> &'static str {
        "SMV"
    }

    fn recognises(&self, start: &[u8], path: &Path) -> bool {
        let has = |word: &[u8]| start.windows(word.len()).any(|window| window == word);
        let is_smv = start.trim_ascii_start().starts_with(b"{") && (has(b"HEADER_BYTES") || has(b"SIZE1"));
        is_smv || is_named(path, "img")
    }

    fn read(&self, path: &Path, _: Option<[usize; 2]>) -> Result<ReadImage, Failure> {
        let SmvImage { header, fast, slow, pixels } = read_smv(path)?;
        let detector = header.detector(slow);
        let mut values = reserved(pixels.len())
            .ok_or_else(|| in_file(path, format!("no memory for {fast} x {slow} pixels")))?;
        values.extend(pixels.into_iter().map(f32::from));
        let counting = header.counting();
        Ok(ReadImage { fast, slow, pixels: values, detector, unit: "ADU/pixel", counting, rounded: 0 })
    }
}

impl ImageWriter for SmvWriter {
    fn name(&self) -> &'static str {
        "SMV"
    }

    fn pixel_type(&self) -> PixelType {
        PixelType::U16
    }

    fn write(&self, path: &Path, image: &Image<'_>) -> Result<(), Failure> {
        let Pixels::U16(pixels) = image.pixels else { return Err(wrong_type(self, path, &image.pixels)) };
        write_smv(path, &self.header(image.header), pixels)
    }

    fn header_bytes(&self, header: &ImageHeader) -> Option<usize> {
        Some(self.header(header).len())
    }

    fn is_complete(&self, path: &Path, pixels: usize) -> bool {
        [512, 1024].map(|header| header + 2 * pixels as u64).contains(&length(path))
    }
}

/// An image as read.
#[derive(Debug, Clone, PartialEq)]
pub struct SmvImage {
    /// Its keys.
    pub header: SmvHeader,
    /// Pixels along the fast axis.
    pub fast: usize,
    /// Pixels along the slow axis.
    pub slow: usize,
    /// fast * slow pixels, index = slow * fast_pixels + fast.
    pub pixels: Vec<u16>,
}

/// Keys and values of a header.
#[derive(Debug, Clone, PartialEq)]
pub struct SmvHeader {
    path: PathBuf,
    keys: Vec<(String, String)>,
    /// What nanoBragg searches for keys: as many bytes as the header declares.
    text: String,
}

impl SmvHeader {
    /// The header that `bytes` begin with; `declared` is its length, as it declares it.
    fn parse(path: &Path, bytes: &[u8], declared: usize) -> Self {
        let end = closing_brace(bytes, declared).unwrap_or(bytes.len());
        let text = |end: usize| String::from_utf8_lossy(&bytes[..end.min(bytes.len())]);
        let keys = text(end)
            .split(['\n', '\r', ';'])
            .filter_map(|entry| entry.split_once('='))
            .map(|(key, value)| {
                (key.trim_start().trim_start_matches('{').trim().to_owned(), value.trim().to_owned())
            })
            .collect();
        let searched = text(end.min(declared));
        let searched = searched.split('\0').next().unwrap_or_default().to_owned();
        Self { path: path.to_path_buf(), keys, text: searched }
    }

    /// The name of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The last value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.keys.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The last value of a key as a number and its unit; `None` when the key is absent or its value not known.
    ///
    /// # Errors
    /// The value does not begin with a finite number.
    pub fn measured(&self, key: &str) -> Result<Option<Measured<'_>>, Failure> {
        let parse = |text| value::number(text).map_err(|what| in_file(&self.path, format!("{key}: {what}")));
        Ok(self.get(key).map(parse).transpose()?.flatten())
    }

    /// As [`SmvHeader::measured`], without the unit.
    ///
    /// # Errors
    /// The value does not begin with a finite number.
    pub fn number(&self, key: &str) -> Result<Option<f64>, Failure> {
        Ok(self.measured(key)?.map(|measured| measured.value))
    }

    /// The value that nanoBragg takes for a key: it also finds the key as a part of others, and takes a text that
    /// is no number as 0.
    #[must_use]
    pub fn nanobragg_number(&self, key: &str) -> Option<f64> {
        value::nanobragg_number(&self.text, key)
    }

    /// The last value of a key as a number.
    ///
    /// # Errors
    /// The key is absent, or its value is not a finite number.
    pub fn required_number(&self, key: &str) -> Result<f64, Failure> {
        self.number(key)?.ok_or_else(|| in_file(&self.path, format!("no {key} in its SMV header")))
    }

    /// Whether the header is of the style [`HeaderStyle::Readers`]. Its BEAM_CENTER is written for one reader, which
    /// shifts it; the other keys of the beam centre are where the beam is.
    #[must_use]
    pub fn is_for_readers(&self) -> bool {
        self.get("BEAMLINE") == Some("fake") && self.get("ADC_OFFSET").is_some()
    }

    /// The pixels along the fast and the slow axis; `None` where the header does not say.
    ///
    /// # Errors
    /// A value that is no number of pixels.
    pub fn size(&self) -> Result<[Option<usize>; 2], Failure> {
        Ok([self.pixels("SIZE1")?, self.pixels("SIZE2")?])
    }

    /// What the header says of counts. Pixels end at the largest u16 where it does not say where they saturate.
    fn counting(&self) -> Counting {
        let number = |key: &str| self.number(key).ok().flatten();
        let saturation = number("CCD_IMAGE_SATURATION").filter(|&counts| counts > 0.0);
        Counting {
            offset: OFFSETS.iter().find_map(|key| number(key)),
            saturation: saturation.or(Some(f64::from(u16::MAX))),
        }
    }

    /// The detector that the header of an image of `slow` rows describes; beam centres in the convention of
    /// ADXV.
    ///
    /// Without the foot of the normal (XDS origin, CLOSE_DISTANCE) the detector is taken as perpendicular to
    /// the beam. BEAM_CENTER is read where ADXV_CENTER is absent, but not from [`HeaderStyle::Readers`], which
    /// shifts it.
    #[must_use]
    pub fn detector(&self, slow: usize) -> Option<FlatDetector> {
        let number = |key: &str| self.number(key).ok().flatten();
        let pixel_mm = number("PIXEL_SIZE")?;
        let unshifted = |key: &str| if self.is_for_readers() { None } else { number(key) };
        let x_mm = number("ADXV_CENTER_X").or_else(|| unshifted("BEAM_CENTER_X"))?;
        let y_mm = number("ADXV_CENTER_Y").or_else(|| unshifted("BEAM_CENTER_Y"))?;
        let beam_px = [x_mm / pixel_mm, slow as f64 - y_mm / pixel_mm];
        // XDS counts the first pixel's centre as 1.
        let normal = || {
            let (x, y) = (number("XDS_ORGX")? - 0.5, number("XDS_ORGY")? - 0.5);
            Some((number("CLOSE_DISTANCE")?, [x, y]))
        };
        let (distance_mm, foot_px) = normal().or_else(|| Some((number("DISTANCE")?, beam_px)))?;
        FlatDetector {
            pixel_m: pixel_mm * 1e-3,
            lambda_m: number("WAVELENGTH")? * 1e-10,
            distance_m: distance_mm * 1e-3,
            foot_px,
            beam_px,
        }
        .if_usable()
    }

    /// A number of pixels.
    fn pixels(&self, key: &str) -> Result<Option<usize>, Failure> {
        let Some(value) = self.number(key)? else { return Ok(None) };
        if value.fract() != 0.0 || !(1.0..=f64::from(i32::MAX)).contains(&value) {
            return Err(in_file(&self.path, format!("{key}={value} is not a number of pixels")));
        }
        Ok(Some(value as usize))
    }

    /// Length of the header, as it declares it.
    fn declared_bytes(&self) -> Result<usize, Failure> {
        let Some(value) = self.number("HEADER_BYTES")? else { return Ok(USUAL_HEADER_BYTES) };
        if value.fract() != 0.0 || !(1.0..=MAX_HEADER_BYTES).contains(&value) {
            return Err(in_file(&self.path, format!("HEADER_BYTES={value} is not a header length")));
        }
        Ok(value as usize)
    }
}

/// Reads the header of an image. Pixels are not read and may be missing, and so may the end of the header.
///
/// # Errors
/// The file cannot be read, is not SMV, or declares a header of an impossible length.
pub fn read_smv_header(path: &Path) -> Result<SmvHeader, Failure> {
    parse_smv_header(open(path)?, path)
}

/// [`read_smv_header`] from a stream; `path` is its name in error messages.
///
/// # Errors
/// As [`read_smv_header`].
pub fn parse_smv_header(input: impl Read, path: &Path) -> Result<SmvHeader, Failure> {
    let header = read_header(&mut BufReader::new(input), path).map_err(explained(path, "an SMV image"))?;
    Ok(header.0)
}

/// Reads an image.
///
/// # Errors
/// The file cannot be read, is not SMV, states no usable size, has pixels of another type than u16, or fewer
/// pixels than its header states.
pub fn read_smv(path: &Path) -> Result<SmvImage, Failure> {
    parse_smv(open(path)?, path)
}

/// [`read_smv`] from a stream; `path` is its name in error messages.
///
/// # Errors
/// As [`read_smv`].
pub fn parse_smv(input: impl Read, path: &Path) -> Result<SmvImage, Failure> {
    parse(input, path).map_err(explained(path, "an SMV image"))
}

fn parse(input: impl Read, path: &Path) -> Result<SmvImage, Failure> {
    let mut input = BufReader::new(input);
    let (header, pixels_begin) = read_header(&mut input, path)?;
    let mut input = pixels_begin.chain(input);
    if let Some(kind) = header.get("TYPE").filter(|kind| !PIXEL_TYPES.contains(kind)) {
        return Err(in_file(path, format!("TYPE={} is not unsigned_short", shown(kind.as_bytes()))));
    }
    let pixel_of = match header.get("BYTE_ORDER") {
        None | Some("little_endian") => u16::from_le_bytes,
        Some("big_endian") => u16::from_be_bytes,
        Some(order) => {
            let order = shown(order.as_bytes());
            return Err(in_file(path, format!("BYTE_ORDER={order} is neither little_endian nor big_endian")));
        }
    };
    let absent = |key: &str| in_file(path, format!("no {key} in its SMV header"));
    let [fast, slow] = header.size()?;
    let (fast, slow) = (fast.ok_or_else(|| absent("SIZE1"))?, slow.ok_or_else(|| absent("SIZE2"))?);
    let count = fast
        .checked_mul(slow)
        .ok_or_else(|| in_file(path, format!("{fast} x {slow} pixels are too many")))?;
    let mut pixels = Vec::new();
    read_values(&mut input, count, &mut pixels, pixel_of).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            in_file(path, format!("truncated: fewer than the {fast} x {slow} pixels of its header"))
        }
        _ => cannot_read(path, &error),
    })?;
    Ok(SmvImage { header, fast, slow, pixels })
}

/// Reads the header of an image, and its bytes: as many as it declares.
///
/// # Errors
/// As [`read_smv_header`]; also where the file ends within the header.
pub fn read_smv_header_bytes(path: &Path) -> Result<(SmvHeader, Vec<u8>), Failure> {
    let mut bytes = Vec::new();
    open(path)?
        .take(MAX_HEADER_BYTES as u64)
        .read_to_end(&mut bytes)
        .map_err(|error| cannot_read(path, &error))?;
    let header = parse_smv_header(&bytes[..], path)?;
    let declared = header.declared_bytes()?;
    if bytes.len() < declared {
        return Err(in_file(path, format!("truncated: a header of {declared} bytes in {}", bytes.len())));
    }
    bytes.truncate(declared);
    Ok((header, bytes))
}

/// Writes an image of u16 after a header that declares little endian.
///
/// # Errors
/// The file cannot be written.
pub fn write_smv(path: &Path, header: &[u8], pixels: &[u16]) -> Result<(), Failure> {
    write_after_header(path, header, pixels, u16::to_le_bytes)
}

/// Writes an image of u32 after a header that declares little endian.
///
/// # Errors
/// The file cannot be written.
pub fn write_smv_u32(path: &Path, header: &[u8], pixels: &[u32]) -> Result<(), Failure> {
    write_after_header(path, header, pixels, u32::to_le_bytes)
}

fn write_after_header<T: NoUninit, const N: usize>(
    path: &Path,
    header: &[u8],
    pixels: &[T],
    bytes_of: impl Fn(T) -> [u8; N],
) -> Result<(), Failure> {
    write_atomically(path, |out| {
        out.write_all(header)?;
        write_values(out, pixels, bytes_of)
    })
}

/// Reads the header; returns it with those bytes read that already belong to the pixels.
fn read_header(input: &mut impl Read, path: &Path) -> Result<(SmvHeader, io::Cursor<Vec<u8>>), Failure> {
    let mut read_on = |bytes: &mut Vec<u8>, length: usize| match input.take(length as u64).read_to_end(bytes)
    {
        Ok(_) => Ok(()),
        Err(error) => Err(cannot_read(path, &error)),
    };
    let mut bytes = Vec::new();
    read_on(&mut bytes, USUAL_HEADER_BYTES)?;
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(in_file(path, "not an SMV image (does not begin with {)"));
    }
    let declared = SmvHeader::parse(path, &bytes, USUAL_HEADER_BYTES).declared_bytes()?;
    // The text of a header that is longer than declared ends within this.
    let wanted = declared + USUAL_HEADER_BYTES;
    let missing = wanted.saturating_sub(bytes.len());
    read_on(&mut bytes, missing)?;
    let begin = header_length(&bytes, declared).min(bytes.len());
    let pixels = bytes.split_off(begin);
    Ok((SmvHeader::parse(path, &bytes, declared), io::Cursor::new(pixels)))
}

/// Length of the header: the declared one, or that of its text where the text is longer.
fn header_length(bytes: &[u8], declared: usize) -> usize {
    let Some(close) = closing_brace(bytes, declared) else { return declared };
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    if close + 1 < declared || !bytes[..close].iter().all(is_text) {
        return declared;
    }
    match bytes.get(close + 1) {
        Some(b'\x0c') => close + 2,
        _ => close + 1,
    }
}

/// Where the header ends that `bytes` begin with: at the first `}` on a line of its own within the declared length,
/// at the one that closes the first brace within it, or at the first on a line of its own after it.
fn closing_brace(bytes: &[u8], declared: usize) -> Option<usize> {
    let within = &bytes[..declared.min(bytes.len())];
    brace_on_a_line(within).or_else(|| closing_first_brace(within)).or_else(|| brace_on_a_line(bytes))
}

/// The first `}` that has nothing but blanks before it on its line.
fn brace_on_a_line(bytes: &[u8]) -> Option<usize> {
    let mut is_blank = false;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' | b'\r' => is_blank = true,
            b' ' | b'\t' => {}
            b'}' if is_blank => return Some(at),
            _ => is_blank = false,
        }
    }
    None
}

/// The `}` that closes the first `{`.
fn closing_first_brace(bytes: &[u8]) -> Option<usize> {
    let mut open = 0_usize;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' if open <= 1 => return Some(at),
            b'}' => open -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(bytes: &[u8]) -> Result<SmvImage, String> {
        parse_smv(bytes, Path::new("mask.img")).map_err(|failure| failure.to_string())
    }

    /// A header padded to `length`, then the bytes.
    fn image(text: &str, length: usize, pixels: &[u8]) -> Vec<u8> {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(length.max(bytes.len()), b' ');
        bytes.extend(pixels);
        bytes
    }

    #[test]
    fn keys_sizes_and_byte_orders() {
        let text = "{\nHEADER_BYTES=512;\nTYPE=unsigned_short;\nSIZE1=3;\nSIZE2=2;\nPHI=1\nDIALS_ORIGIN=1,2,3\nPHI= 2.5 ;\n}\x0c";
        let read = parse(&image(text, 512, &[1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 1])).unwrap();
        assert_eq!((read.fast, read.slow), (3, 2));
        assert_eq!(read.pixels, [1, 2, 3, 4, 5, 262]);
        assert_eq!(read.header.number("PHI").unwrap(), Some(2.5));
        assert_eq!(read.header.get("DIALS_ORIGIN"), Some("1,2,3"));
        assert_eq!(read.header.number("DISTANCE").unwrap(), None);
        let error = read.header.required_number("DISTANCE").unwrap_err().to_string();
        assert_eq!(error, "mask.img: no DISTANCE in its SMV header");
        let error = read.header.number("DIALS_ORIGIN").unwrap_err().to_string();
        assert_eq!(error, "mask.img: DIALS_ORIGIN: \"1,2,3\" is not a number");

        let big = parse(&image("{SIZE1=1;SIZE2=2;BYTE_ORDER=big_endian;}", 512, &[1, 0, 2, 0])).unwrap();
        assert_eq!(big.pixels, [256, 512]);
        for length in [100, 1024, 8192] {
            let text = format!("{{\nHEADER_BYTES={length};\nSIZE1=1;\nSIZE2=300;\n}}\n");
            let read = parse(&image(&text, length, &[7; 600])).unwrap();
            assert_eq!(read.pixels, [0x0707; 300]);
        }
    }

    #[test]
    fn headers_of_real_detectors() {
        let header = |text: &[u8]| parse_smv_header(text, Path::new("a.img")).unwrap();
        let nested = header(b"{\nHEADER_BYTES= 5632;\nNAMES={ Z X Y };\nAXES={1 }\nData_type=unsigned short int;\nSIZE1=64;\n}\n\x0c");
        assert_eq!(nested.get("NAMES"), Some("{ Z X Y }"));
        assert_eq!(nested.get("AXES"), Some("{1 }"));
        assert_eq!(nested.size().unwrap(), [Some(64), None]);
        let one_line = header(b"{A={1};SIZE2=7 px;PHI=nan;TYPE=long_integer;}B=2;");
        assert_eq!((one_line.get("A"), one_line.get("B")), (Some("{1}"), None));
        assert_eq!(one_line.size().unwrap(), [None, Some(7)]);
        assert_eq!(one_line.number("PHI").unwrap(), None);
        // Cut off after 512 bytes of 1024, within a value.
        let cut = header(b"{\nHEADER_BYTES=1024;\nDISTANCE=120.5 mm;\nWAVELENGTH=0.97");
        assert_eq!(cut.measured("DISTANCE").unwrap(), Some(Measured { value: 120.5, unit: "mm" }));
        assert_eq!(cut.number("WAVELENGTH").unwrap(), Some(0.97));
        // Pixels may have any bytes.
        let bytes = image("{\nSIZE1=2;\nSIZE2=1;\n}\x0c", 512, b"\n}}}");
        assert_eq!(parse(&bytes).unwrap().pixels, [u16::from_le_bytes(*b"\n}"), u16::from_le_bytes(*b"}}")]);
        assert!(parse(&image("{TYPE=unsigned short int;SIZE1=1;SIZE2=1;}", 512, &[1, 0])).is_ok());
    }

    #[test]
    fn offset_and_saturation_of_counts() {
        let counting = |keys: &str| {
            parse(&image(&format!("{{SIZE1=1;SIZE2=1;{keys}}}"), 512, &[0; 2])).unwrap().header.counting()
        };
        let of = |offset, saturation| Counting { offset, saturation: Some(saturation) };
        assert_eq!(counting(""), of(None, 65535.0));
        assert_eq!(counting("ADC_OFFSET=40;CCD_IMAGE_SATURATION=65000;"), of(Some(40.0), 65000.0));
        assert_eq!(counting("IMAGE_PEDESTAL=10;"), of(Some(10.0), 65535.0));
        assert_eq!(counting("IMAGE_PEDESTAL=10;ADC_OFFSET=0;CCD_IMAGE_SATURATION=0"), of(Some(0.0), 65535.0));
    }

    /// BEAM_CENTER of the style for readers is shifted, so that it is no beam centre.
    #[test]
    fn the_shifted_beam_centre_is_not_read() {
        let keys = "PIXEL_SIZE=0.1;DISTANCE=50;WAVELENGTH=1;BEAM_CENTER_X=1;BEAM_CENTER_Y=2;BEAMLINE=fake;";
        let header =
            |more: &str| parse_smv_header(format!("{{{keys}{more}}}").as_bytes(), Path::new("a.img"));
        let beam_px = |more: &str| Some(header(more).unwrap().detector(100)?.beam_px);
        assert_eq!(beam_px(""), Some([10.0, 80.0]));
        assert_eq!(beam_px("ADC_OFFSET=40;"), None);
        assert_eq!(beam_px("ADC_OFFSET=40;ADXV_CENTER_X=1.1;ADXV_CENTER_Y=1.9;"), Some([11.0, 81.0]));
    }

    /// nanoBragg declares 512 bytes and writes as many as its text needs.
    #[test]
    fn a_header_that_overruns_its_declared_length() {
        for length in 505..530 {
            let mut text = "{\nHEADER_BYTES=512;\nSIZE1=2;\nSIZE2=1;\nNOTE=".to_owned();
            text.push_str(&"x".repeat(length - text.len() - 12));
            text.push_str(";\nPHI=3.5;\n}\x0c");
            let read = parse(&image(&text, 512, &[12, 0, 125, 0])).unwrap();
            assert_eq!(read.pixels, [12, 125], "{}", text.len());
            assert_eq!(read.header.number("PHI").unwrap(), Some(3.5));
        }
    }

    #[test]
    fn errors_name_file_and_key() {
        let error = |text: &str| parse(&image(text, 512, &[0; 6])).unwrap_err();
        assert_eq!(parse(b"").unwrap_err(), "mask.img: not an SMV image (does not begin with {)");
        assert_eq!(error("II*"), "mask.img: not an SMV image (does not begin with {)");
        assert_eq!(error("{\nSIZE2=1;\n}"), "mask.img: no SIZE1 in its SMV header");
        assert_eq!(error("{\nSIZE1=1;\n}"), "mask.img: no SIZE2 in its SMV header");
        assert_eq!(error("{SIZE1=0;SIZE2=1;}"), "mask.img: SIZE1=0 is not a number of pixels");
        assert_eq!(error("{SIZE1=1.5;SIZE2=1;}"), "mask.img: SIZE1=1.5 is not a number of pixels");
        assert_eq!(error("{SIZE1=a;SIZE2=1;}"), "mask.img: SIZE1: \"a\" is not a number");
        assert_eq!(
            error("{SIZE1=2;SIZE2=2;}"),
            "mask.img: truncated: fewer than the 2 x 2 pixels of its header"
        );
        assert!(error("{SIZE1=2147483647;SIZE2=2147483647;}").contains("truncated"));
        assert_eq!(error("{TYPE=float;}"), "mask.img: TYPE=\"float\" is not unsigned_short");
        assert!(error("{BYTE_ORDER=middle;}").contains("neither little_endian nor big_endian"));
        assert_eq!(error("{HEADER_BYTES=1e9;}"), "mask.img: HEADER_BYTES=1000000000 is not a header length");
        assert!(read_smv(Path::new("/nowhere/a.img")).unwrap_err().to_string().contains("cannot read"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..1500),
            keys in proptest::collection::vec(
                "(HEADER_BYTES|SIZE1|SIZE2|TYPE|BYTE_ORDER)=-?[0-9e.]{0,4};?\n?", 0..8),
            close in "\n?}?",
        ) {
            let _ = parse(&bytes);
            let _ = parse(&[b"{\n", keys.concat().as_bytes(), close.as_bytes(), &bytes].concat());
        }

        #[test]
        fn pixels_come_back(pixels in proptest::collection::vec(any::<u16>(), 1..500)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.img");
            let header = image(&format!("{{\nHEADER_BYTES=512;\nSIZE1={};\nSIZE2=1;\n}}\x0c", pixels.len()), 512, &[]);
            write_smv(&path, &header, &pixels).unwrap();
            prop_assert_eq!(read_smv(&path).unwrap().pixels, pixels);
        }
    }
}
