//! Images as files: what a writer is given, what a reader returns, and the two traits that every image format
//! implements.
//!
//! Pixels are slow-major: index = slow * fast_pixels + fast. A new format is one file that implements
//! [`ImageWriter`], [`ImageReader`] or both, and one line in each list of [`crate::registry`].

use core::fmt::Debug;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::failure::Failure;

/// Geometry and exposure of a rendered image, as headers state them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ImageHeader {
    /// Pixels along the fast axis.
    pub fast: usize,
    /// Pixels along the slow axis.
    pub slow: usize,
    /// Edge of a pixel.
    pub pixel_m: f64,
    /// Shortest distance from the sample to the detector plane.
    pub close_distance_m: f64,
    /// Wavelength.
    pub lambda_m: f64,
    /// Distance from the sample to the detector along the beam.
    pub distance_m: f64,
    /// Where the beam meets the detector along the fast axis, from the outer edge of the first pixel.
    pub fast_beam_m: f64,
    /// Where the beam meets the detector along the slow axis, from the outer edge of the first pixel.
    pub slow_beam_m: f64,
    /// Detector origin in the frame of DIALS.
    pub dials_origin_mm: [f64; 3],
    /// Fast and slow axis in the frame of DIALS.
    pub dials_axes: [[f64; 3]; 2],
    /// What nanoBragg's own header states in place of distance, beam centre and origin.
    pub as_nanobragg: NanobraggGeometry,
    /// Point closest to the sample along the fast axis, in the convention of XDS.
    pub org_x_px: f64,
    /// Point closest to the sample along the slow axis, in the convention of XDS.
    pub org_y_px: f64,
    /// Spindle angle at the start.
    pub phi0_rad: f64,
    /// Oscillation range.
    pub osc_rad: f64,
    /// Detector swing.
    pub twotheta_rad: f64,
    /// Value added to every pixel of an SMV image.
    pub adc_offset: f64,
    /// Exposure time.
    pub exposure_s: f64,
    /// Thickness of the sensor; `None` for one without thickness.
    pub sensor_thickness_m: Option<f64>,
    /// Counts from which a pixel of a CBF or SMV image is overloaded, without offset.
    pub count_cutoff: i32,
    /// When the image was made, in seconds since 1970-01-01 UTC.
    pub unix_time_s: u64,
}

/// The numbers of nanoBragg's header that do not know about a swung detector or another frame than MOSFLM's.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct NanobraggGeometry {
    /// Distance from the sample to the detector along the beam, as without a swing.
    pub distance_m: f64,
    /// Beam centre in the convention of the run, first coordinate.
    pub x_beam_m: f64,
    /// Beam centre in the convention of the run, second coordinate.
    pub y_beam_m: f64,
    /// Beam centre along the fast axis, as without a swing.
    pub fast_beam_m: f64,
    /// Beam centre along the slow axis, as without a swing.
    pub slow_beam_m: f64,
    /// Size of the detector along the slow axis.
    pub slow_size_m: f64,
    /// Detector origin in the frame of DIALS, for a laboratory frame like MOSFLM's.
    pub dials_origin_mm: [f64; 3],
}

/// Pixels in the number type that a format stores.
#[derive(Debug, Clone, Copy)]
pub enum Pixels<'a> {
    /// Photons.
    F32(&'a [f32]),
    /// Counts with an offset.
    U16(&'a [u16]),
    /// Counts; negative ones are gaps.
    I32(&'a [i32]),
    /// Grey levels, 0 for no photons.
    U8(&'a [u8]),
}

/// The number type of the pixels that a format stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelType {
    /// [`Pixels::F32`].
    F32,
    /// [`Pixels::U16`].
    U16,
    /// [`Pixels::I32`].
    I32,
    /// [`Pixels::U8`].
    U8,
}

impl Pixels<'_> {
    /// The type of the numbers.
    #[must_use]
    pub fn pixel_type(&self) -> PixelType {
        match self {
            Self::F32(_) => PixelType::F32,
            Self::U16(_) => PixelType::U16,
            Self::I32(_) => PixelType::I32,
            Self::U8(_) => PixelType::U8,
        }
    }
}

/// An image to write.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// Geometry and exposure.
    pub header: &'a ImageHeader,
    /// The pixels, header.fast * header.slow of them.
    pub pixels: Pixels<'a>,
    /// The factor from photons to the numbers stored.
    pub scale: f64,
    /// The factor from photons to grey levels of a preview, up to 255; `None`: chosen for the image.
    pub preview_scale: Option<f64>,
    /// Where a preview shows the pixels; `None`: as they are.
    pub layout: Option<&'a Layout>,
}

/// Where the pixels of an image are in a picture, as where several panels stand apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Points of the picture along a row.
    pub width: usize,
    /// Rows of the picture.
    pub height: usize,
    /// For each point the index of a pixel, or [`Layout::GAP`].
    pub pixels: Vec<u32>,
}

impl Layout {
    /// A point that shows no pixel.
    pub const GAP: u32 = u32::MAX;
}

/// A format that images are written in.
pub trait ImageWriter: Debug + Sync {
    /// Name of the format, in a word.
    fn name(&self) -> &'static str;

    /// The number type that [`ImageWriter::write`] takes.
    fn pixel_type(&self) -> PixelType;

    /// Writes an image; the file has its name only once it is complete.
    ///
    /// # Errors
    /// The file cannot be written, or the pixels are of another type than [`ImageWriter::pixel_type`].
    fn write(&self, path: &Path, image: &Image<'_>) -> Result<(), Failure>;

    /// Bytes before the pixels, of a format whose pixels follow a header uncompressed.
    fn header_bytes(&self, _header: &ImageHeader) -> Option<usize> {
        None
    }

    /// Whether `path` is a complete file of this format, as far as size and last bytes show; `pixels` is the
    /// number of pixels it must hold.
    fn is_complete(&self, path: &Path, pixels: usize) -> bool;
}

/// A format that images are read from.
pub trait ImageReader: Debug + Sync {
    /// Name of the format, in a word.
    fn name(&self) -> &'static str;

    /// Whether a file that begins with the bytes `start`, the first [`START_BYTES`] of it, has this format.
    fn recognises(&self, start: &[u8], path: &Path) -> bool;

    /// Whether files of this format state their size and geometry.
    fn has_header(&self) -> bool {
        true
    }

    /// Reads an image; `size` (fast, slow) is used by formats without a header only.
    ///
    /// # Errors
    /// The file cannot be read, is truncated or damaged, or neither header nor `size` says how many pixels it
    /// has.
    fn read(&self, path: &Path, size: Option<[usize; 2]>) -> Result<ReadImage, Failure>;
}

/// Bytes of a file that show its format.
pub const START_BYTES: u64 = 512;

/// An image as read.
#[derive(Debug, Clone)]
pub struct ReadImage {
    /// Pixels along the fast axis.
    pub fast: usize,
    /// Pixels along the slow axis.
    pub slow: usize,
    /// fast * slow pixels as stored; NaN where the file marks a gap.
    pub pixels: Vec<f32>,
    /// The detector that the header describes.
    pub detector: Option<FlatDetector>,
    /// Unit of the pixels.
    pub unit: &'static str,
    /// What the pixels count.
    pub counting: Counting,
    /// Pixels that f32 cannot hold exactly.
    pub rounded: usize,
}

/// The unit of pixels that are expected photons.
pub(crate) const PHOTONS: &str = "photons/pixel";

/// The unit of pixels that are counts.
pub(crate) const COUNTS: &str = "counts/pixel";

/// The unit of pixels that are neither.
pub const VALUES: &str = "value/pixel";

/// How the pixels of an image stand for photons.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Counting {
    /// What was added to every pixel; `None` where the header does not say.
    pub offset: Option<f64>,
    /// The value from which pixels are saturated; `None` where they never are.
    pub saturation: Option<f64>,
}

/// A flat detector as an image header describes it; positions in pixels from the outer edge of the first one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlatDetector {
    /// Edge of a pixel.
    pub pixel_m: f64,
    /// Wavelength.
    pub lambda_m: f64,
    /// Distance from the sample to the detector plane.
    pub distance_m: f64,
    /// Foot of the normal from the sample: fast, slow.
    pub foot_px: [f64; 2],
    /// Where the beam meets the detector: fast, slow.
    pub beam_px: [f64; 2],
}

impl FlatDetector {
    /// The same, `None` where a length is not positive or a position not finite.
    pub(crate) fn if_usable(self) -> Option<Self> {
        let Self { pixel_m, lambda_m, distance_m, foot_px: [x, y], beam_px: [u, v] } = self;
        let lengths =
            [pixel_m, lambda_m, distance_m].iter().all(|length| *length > 0.0 && length.is_finite());
        (lengths && [x, y, u, v].iter().all(|position| position.is_finite())).then_some(self)
    }
}

/// The refusal of pixels whose type the format `writer` does not store.
pub(crate) fn wrong_type(writer: &dyn ImageWriter, path: &Path, pixels: &Pixels<'_>) -> Failure {
    let (needed, given) = (writer.pixel_type(), pixels.pixel_type());
    Failure::output(format!(
        "{}: {} images store {needed:?} pixels, not {given:?}",
        path.display(),
        writer.name()
    ))
}

/// Bytes of the file `path`, 0 where there is none.
pub(crate) fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// Whether the last bytes of the file `path` are `end`.
pub(crate) fn ends_with(path: &Path, end: &[u8]) -> bool {
    let last = |file: &mut File| {
        let mut tail = Vec::new();
        file.seek(SeekFrom::End(-(end.len() as i64)))?;
        file.read_to_end(&mut tail).map(|_| tail)
    };
    File::open(path).and_then(|mut file| last(&mut file)).is_ok_and(|tail| tail == end)
}

/// Whether the name of a file has the extension `extension`, in either case.
pub(crate) fn is_named(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|own| own.eq_ignore_ascii_case(extension))
}
