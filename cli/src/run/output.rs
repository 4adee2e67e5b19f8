//! The files of an image: their names, their contents, and whether they are all there already.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf, absolute};
use std::time::{SystemTime, UNIX_EPOCH};

use widebragg::render::Scene;

use super::frame::Frame;
use super::images::{Noise, cbf_image, int_image, int_scale, noise_image, pgm_image, pgm_scale};
use super::setup::{Setup, clock_seed};
use super::statistics::Statistics;
use crate::error::Failure;
use crate::files::atomic::check_writable;
use crate::files::cbf::{CbfGeometry, write_cbf};
use crate::files::smv::write_smv;
use crate::files::smv_header::{SmvGeometry, header_readers, header_reference};
use crate::files::{float::write_float, pgm::write_pgm, png::write_preview};
use crate::options::{HeaderStyle, Options};

/// Offset of integer pixels where nothing says otherwise.
const DEFAULT_ADC: f64 = 40.0;

/// Last bytes of a complete PNG and of a complete CBF.
const PNG_END: &[u8] = b"IEND\xae\x42\x60\x82";
const CBF_END: &[u8] = b"--CIF-BINARY-FORMAT-SECTION----\r\n;\r\n\r\n";

/// Names of the files of one image; `None`: not wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Float image.
    pub float: PathBuf,
    /// Integer image.
    pub int: PathBuf,
    /// Noise image.
    pub noise: Option<PathBuf>,
    /// PGM image.
    pub pgm: Option<PathBuf>,
    /// PNG preview.
    pub png: Option<PathBuf>,
    /// miniCBF.
    pub cbf: Option<PathBuf>,
}

/// `name_00001.img` for frame 1 of a series.
fn numbered(path: &Path, number: Option<usize>) -> PathBuf {
    let Some(number) = number else { return path.to_owned() };
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("_{number:05}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

impl Names {
    /// The names that `options` and the reference's defaults give; with a number for a frame of a series.
    ///
    /// # Errors
    /// Two images under one name.
    pub fn new(options: &Options, number: Option<usize>) -> Result<Self, Failure> {
        let name = |given: &Option<PathBuf>, default: &str| {
            numbered(given.as_deref().unwrap_or(Path::new(default)), number)
        };
        let names = Self {
            float: name(&options.floatfile, "floatimage.bin"),
            int: name(&options.intfile, "intimage.img"),
            noise: (!options.nonoise).then(|| name(&options.noisefile, "noiseimage.img")),
            pgm: (!options.nopgm).then(|| name(&options.pgmfile, "image.pgm")),
            png: options.png.as_deref().map(|path| numbered(path, number)),
            cbf: options.cbf.as_deref().map(|path| numbered(path, number)),
        };
        let mut seen: Vec<PathBuf> = Vec::new();
        for (option, path) in names.by_option() {
            let refused = |why: &str| Failure::input(format!("{option}: {}: {why}", path.display()));
            let found = fs::metadata(path);
            if found.as_ref().is_ok_and(fs::Metadata::is_dir) {
                return Err(refused("is a folder"));
            }
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            if folder.is_some_and(|folder| !folder.is_dir()) {
                return Err(refused("there is no such folder"));
            }
            // Devices such as /dev/null take any number of images.
            if found.is_ok_and(|metadata| !metadata.is_file()) {
                continue;
            }
            let whole = absolute(path).map_err(|error| refused(&error.to_string()))?;
            if seen.contains(&whole) {
                return Err(refused("two images under one name"));
            }
            seen.push(whole);
        }
        Ok(names)
    }

    /// Whether files can be made where they will be written.
    ///
    /// # Errors
    /// A folder that takes no files.
    pub fn check_writable(&self) -> Result<(), Failure> {
        self.by_option().try_for_each(|(option, path)| of(option, check_writable(path)))
    }

    /// All wanted names, with the options that set them.
    fn by_option(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let optional = [
            ("-noisefile", &self.noise),
            ("-pgmfile", &self.pgm),
            ("--png", &self.png),
            ("--cbf", &self.cbf),
        ];
        let optional = optional.into_iter().filter_map(|(option, name)| Some((option, name.as_deref()?)));
        [("-floatfile", self.float.as_path()), ("-intfile", self.int.as_path())].into_iter().chain(optional)
    }

    /// All wanted names.
    #[must_use]
    pub fn all(&self) -> Vec<&Path> {
        self.by_option().map(|(_, path)| path).collect()
    }

    /// Whether all files are there, with the sizes of `pixels` pixels where sizes are fixed.
    #[must_use]
    pub fn are_complete(&self, pixels: usize) -> bool {
        let pixels = pixels as u64;
        let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
        let smv = |path: &Path| [512, 1024].map(|header| header + 2 * pixels).contains(&size(path));
        let pgm = |path: &Path| header_bytes(path).is_some_and(|header| size(path) == header + pixels);
        size(&self.float) == 4 * pixels
            && smv(&self.int)
            && self.noise.as_deref().is_none_or(smv)
            && self.pgm.as_deref().is_none_or(pgm)
            && self.png.as_deref().is_none_or(|path| ends_with(path, PNG_END))
            && self.cbf.as_deref().is_none_or(|path| ends_with(path, CBF_END))
    }
}

/// Length of the four lines before the pixels of a PGM file.
fn header_bytes(path: &Path) -> Option<u64> {
    let mut file = File::open(path).ok()?;
    let mut start = [0; 128];
    let read = file.read(&mut start).ok()?;
    let line_ends = start.iter().take(read).enumerate().filter(|(_, byte)| **byte == b'\n');
    line_ends.map(|(at, _)| at as u64 + 1).nth(3)
}

fn ends_with(path: &Path, end: &[u8]) -> bool {
    let last = |file: &mut File| {
        let mut tail = Vec::new();
        file.seek(SeekFrom::End(-(end.len() as i64)))?;
        file.read_to_end(&mut tail).map(|_| tail)
    };
    File::open(path).and_then(|mut file| last(&mut file)).is_ok_and(|tail| tail == end)
}

/// What was written beside the float image.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// Figures of the float image.
    pub statistics: Statistics,
    /// Scale of the integer image.
    pub int_scale: f64,
    /// Photons of the noise image, and its overloads.
    pub noise: Option<(f64, u64)>,
}

/// Writes all files of `frame`, number `index` of the series counted from 0.
///
/// # Errors
/// A file cannot be written; nothing stays half-written.
pub fn write(
    options: &Options,
    setup: &Setup,
    scene: &Scene<'_>,
    frame: &Frame,
    index: usize,
    names: &Names,
) -> Result<Written, Failure> {
    let pixels = &frame.pixels;
    // The float image needs no figures: it is written while they are added up.
    let (float, rest) = rayon::join(
        || of("-floatfile", write_float(&names.float, pixels)),
        || write_scaled(options, setup, scene, pixels, index, names),
    );
    float.and(rest)
}

/// A failed write with the option that named the file.
fn of<T>(option: &str, result: Result<T, Failure>) -> Result<T, Failure> {
    result.map_err(|failure| failure.context(option))
}

/// The pixels of an image, where there was memory for them.
fn pixels_of<T>(option: &str, pixels: Option<T>) -> Result<T, Failure> {
    pixels.ok_or_else(|| Failure::input(format!("{option}: no memory for its pixels")))
}

/// Writes what is scaled by the figures of the image.
fn write_scaled(
    options: &Options,
    setup: &Setup,
    scene: &Scene<'_>,
    pixels: &[f32],
    index: usize,
    names: &Names,
) -> Result<Written, Failure> {
    let (columns, rows) = (setup.detector.fast_pixels, setup.detector.slow_pixels);
    let statistics = Statistics::new(scene, pixels);
    let scale = int_scale(options.scale, &statistics);
    let adc = options.adc.unwrap_or(DEFAULT_ADC);
    let geometry = smv_geometry(setup, index, adc);
    let header = match options.header {
        HeaderStyle::Readers => header_readers(&geometry),
        HeaderStyle::Reference => header_reference(&geometry),
    };
    let int = || {
        let image = pixels_of("-intfile", int_image(scene, pixels, scale, adc))?;
        of("-intfile", write_smv(&names.int, &header, &image))
    };
    let pgm = || {
        let Some(path) = &names.pgm else { return Ok(()) };
        let scale = pgm_scale(options.pgmscale, &statistics, scale);
        let image = pixels_of("-pgmfile", pgm_image(pixels, scale))?;
        of("-pgmfile", write_pgm(path, columns, rows, scale, &image))
    };
    let png = || {
        let write = |path: &PathBuf| write_preview(path, columns, rows, pixels);
        of("--png", names.png.as_ref().map_or(Ok(()), write))
    };
    let cbf = || {
        let Some(path) = &names.cbf else { return Ok(()) };
        let image = pixels_of("--cbf", cbf_image(scene, pixels, scale))?;
        of("--cbf", write_cbf(path, &cbf_geometry(setup, &geometry), &image))
    };
    let noise = || {
        let Some(path) = &names.noise else { return Ok(None) };
        // Every frame has noise of its own; the first is that of a single run with the same seed.
        let seed = options.seed_as_typed.unwrap_or_else(clock_seed);
        let seed = seed.saturating_add(i64::try_from(index).unwrap_or(0));
        let image = noise_image(scene, pixels, seed, adc);
        let Noise { pixels, photons, overloads } = pixels_of("-noisefile", image)?;
        of("-noisefile", write_smv(path, &header, &pixels)).map(|()| Some((photons, overloads)))
    };
    let (noise, others) =
        rayon::join(noise, || rayon::join(|| rayon::join(int, pgm), || rayon::join(png, cbf)));
    let ((int, pgm), (png, cbf)) = others;
    int.and(pgm).and(png).and(cbf)?;
    Ok(Written { statistics, int_scale: scale, noise: noise? })
}

fn smv_geometry(setup: &Setup, index: usize, adc_offset: f64) -> SmvGeometry {
    let detector = &setup.detector;
    let [orgx_px, orgy_px] = detector.org_px();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    SmvGeometry {
        fast: detector.fast_pixels,
        slow: detector.slow_pixels,
        pixel_m: detector.pixel_m,
        distance_m: detector.distance_m,
        close_distance_m: detector.close_distance_m,
        lambda_m: setup.lambda0_m,
        xbeam_m: detector.x_beam_m,
        ybeam_m: detector.y_beam_m,
        fbeam_m: detector.fast_beam_m,
        sbeam_m: detector.slow_beam_m,
        detsize_s_m: detector.slow_size_m,
        dials_origin_mm: detector.dials_origin_mm(),
        orgx_px,
        orgy_px,
        phi0_rad: setup.sweep(index).phi0_rad,
        osc_rad: setup.phi.range,
        twotheta_rad: setup.twotheta_rad,
        adc_offset,
        exposure_s: setup.exposure_s,
        unix_time_s: now.as_secs(),
    }
}

fn cbf_geometry(setup: &Setup, smv: &SmvGeometry) -> CbfGeometry {
    let thickness_m = setup.sensor.layer_m * setup.sensor.layers as f64;
    CbfGeometry {
        fast: smv.fast,
        slow: smv.slow,
        pixel_m: smv.pixel_m,
        distance_m: smv.distance_m,
        lambda_m: smv.lambda_m,
        beam_fast_px: smv.fbeam_m / smv.pixel_m,
        beam_slow_px: smv.sbeam_m / smv.pixel_m,
        phi0_rad: smv.phi0_rad,
        osc_rad: smv.osc_rad,
        twotheta_rad: smv.twotheta_rad,
        exposure_s: smv.exposure_s,
        sensor_thickness_m: (thickness_m > 0.0).then_some(thickness_m),
        count_cutoff: i32::MAX - 1,
        unix_time_s: smv.unix_time_s,
    }
}
