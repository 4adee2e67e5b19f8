//! The files of an image: names, contents, and whether they are complete.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, io};

use rayon::prelude::*;
use widebragg::random::Ran1;
use widebragg::scene::Scene;
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::geometry::{BeamSpot, DialsFrame};
use widebragg_experiment::images::{
    Noise, cbf_image, int_image, int_scale, noise_image, pgm_image, pgm_scale,
};
use widebragg_experiment::statistics::Statistics;
use widebragg_formats::atomic::check_writable;
use widebragg_formats::cbf::Cbf;
use widebragg_formats::failure;
use widebragg_formats::float::Float;
use widebragg_formats::image::{Image, ImageHeader, ImageWriter, NanobraggGeometry, PixelType, Pixels};
use widebragg_formats::pgm::Pgm;
use widebragg_formats::png::Preview;
use widebragg_formats::smv::{HeaderStyle, SmvWriter};

use super::expt;
use crate::commands::setup::clock_seed;
use crate::commands::setup::structure_factors::{named_inputs, written_dump};
use crate::error::Failure;
use crate::options::{self, Options};

/// Default offset of integer pixels.
pub(super) const DEFAULT_ADC: f64 = 40.0;

/// Default name of the integer image.
pub const INTFILE: &str = "intimage.img";

/// Default name of the noise image.
pub const NOISEFILE: &str = "noiseimage.img";

/// Counts from which a pixel of a CBF image is overloaded.
pub const COUNT_CUTOFF: i32 = i32::MAX - 1;

/// One file of an image.
#[derive(Debug)]
pub struct ImageFile {
    /// The option that names it.
    pub option: &'static str,
    /// Its name.
    pub path: PathBuf,
    /// Its format.
    writer: &'static dyn ImageWriter,
    /// Whether it has photon noise.
    has_noise: bool,
}

/// The wanted files of an image, the float image first.
#[derive(Debug)]
pub struct Names(Vec<ImageFile>);

/// `name_00001.img` for frame 1 of a series.
fn numbered(path: &Path, number: Option<usize>) -> PathBuf {
    number.map_or_else(|| path.to_owned(), |number| with_suffix(path, &format!("_{number:05}")))
}

/// The name with `suffix` before its extension.
#[must_use]
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(suffix);
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// The canonical path of a file that may not exist yet: the same for every path and link to it.
fn identity(path: &Path) -> PathBuf {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::canonicalize(path)
        .or_else(|_| Ok(fs::canonicalize(folder)?.join(path.file_name().unwrap_or_default())))
        .unwrap_or_else(|_: io::Error| path.to_owned())
}

impl Names {
    /// The names from `options` and the reference's defaults, with a number for a frame of a series.
    ///
    /// # Errors
    /// Two files that the run writes are the same one, one of them is also read, or a folder does not exist.
    pub fn new(options: &Options, number: Option<usize>) -> Result<Self, Failure> {
        let smv: &'static dyn ImageWriter = match options.header {
            options::HeaderStyle::Readers => &SmvWriter(HeaderStyle::Readers),
            options::HeaderStyle::Reference => &SmvWriter(HeaderStyle::Reference),
        };
        let name = |given: &Option<PathBuf>, default: &str| {
            Some(given.clone().unwrap_or_else(|| PathBuf::from(default)))
        };
        let unless = |off: bool, name: Option<PathBuf>| name.filter(|_| !off);
        let files: [(_, _, &'static dyn ImageWriter, _); 6] = [
            ("-floatfile", name(&options.floatfile, "floatimage.bin"), &Float, false),
            ("-intfile", name(&options.intfile, INTFILE), smv, false),
            ("-noisefile", unless(options.nonoise, name(&options.noisefile, NOISEFILE)), smv, true),
            ("-pgmfile", unless(options.nopgm, name(&options.pgmfile, "image.pgm")), &Pgm, false),
            ("--png", options.png.clone(), &Preview, false),
            ("--cbf", options.cbf.clone(), &Cbf, false),
        ];
        let wanted = files.into_iter().filter_map(|(option, path, writer, has_noise)| {
            Some(ImageFile { option, path: numbered(&path?, number), writer, has_noise })
        });
        let names = Self(wanted.collect());
        names.check_distinct(options)?;
        Ok(names)
    }

    /// Checks that the folders exist, and that the files are distinct and none that the run reads.
    fn check_distinct(&self, options: &Options) -> Result<(), Failure> {
        let mut seen: HashMap<PathBuf, String> = HashMap::new();
        for (option, path) in named_inputs(options) {
            seen.insert(identity(path), format!("is also read ({option})"));
        }
        if let Some(dump) = written_dump(options)
            && !fs::metadata(dump).is_ok_and(|metadata| !metadata.is_file())
            && let Some(why) =
                seen.insert(identity(dump), "is also the dump of structure factors (-dump)".into())
        {
            return Err(Failure::input(format!("-dump: {}: {why}", dump.display())));
        }
        if let Some(list) = expt::path(options)
            && let Some(why) = seen.insert(identity(&list), "is also the experiment list (--expt)".into())
        {
            return Err(Failure::input(format!("--expt: {}: {why}", list.display())));
        }
        for ImageFile { option, path, .. } in &self.0 {
            let refused = |why: &str| Failure::input(format!("{option}: {}: {why}", path.display()));
            let found = fs::metadata(path);
            if found.is_err() && fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
                return Err(refused("is a symbolic link to nothing"));
            }
            if found.as_ref().is_ok_and(fs::Metadata::is_dir) {
                return Err(refused("is a folder"));
            }
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            if folder.is_some_and(|folder| !folder.is_dir()) {
                return Err(refused("there is no such folder"));
            }
            // Several images may be written to a device such as /dev/null.
            if found.is_ok_and(|metadata| !metadata.is_file()) {
                continue;
            }
            if let Some(why) = seen.insert(identity(path), "two images under one name".to_owned()) {
                return Err(refused(&why));
            }
        }
        Ok(())
    }

    /// Checks that the files can be created.
    ///
    /// # Errors
    /// A file cannot be created in its folder.
    pub fn check_writable(&self) -> Result<(), Failure> {
        self.0.iter().try_for_each(|file| named_by(file.option, check_writable(&file.path)))
    }

    /// The name of the float image.
    #[must_use]
    pub fn float(&self) -> &Path {
        self.0.first().map_or(Path::new(""), |file| &file.path)
    }

    /// All wanted names.
    #[must_use]
    pub fn all(&self) -> Vec<&Path> {
        self.0.iter().map(|file| file.path.as_path()).collect()
    }

    /// The options of the SMV images whose names have no number, which DIALS needs.
    #[must_use]
    pub fn unnumbered(&self) -> Vec<&'static str> {
        let has_number = |path: &Path| {
            path.file_stem().unwrap_or_default().as_encoded_bytes().iter().any(u8::is_ascii_digit)
        };
        let smv = self.0.iter().filter(|file| file.writer.pixel_type() == PixelType::U16);
        smv.filter(|file| !has_number(&file.path)).map(|file| file.option).collect()
    }

    /// Whether all files exist and are complete images of `pixels` pixels.
    #[must_use]
    pub fn are_complete(&self, pixels: usize) -> bool {
        self.0.iter().all(|file| file.writer.is_complete(&file.path, pixels))
    }
}

/// Results of writing an image.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// Statistics of the float image.
    pub statistics: Statistics,
    /// Scale of the integer image.
    pub int_scale: f64,
    /// Scale of the PGM image.
    pub pgm_scale: f64,
    /// Numbers of photons and of overloads of the noise image.
    pub noise: Option<(f64, u64)>,
    /// Bytes before the pixels of the SMV images.
    pub smv_header_bytes: Option<usize>,
}

/// The offset of integer pixels.
#[must_use]
pub fn adc_offset(options: &Options) -> f64 {
    options.adc.unwrap_or(DEFAULT_ADC)
}

/// Adds the option that names the file to a failure.
fn named_by<T>(option: &str, result: Result<T, failure::Failure>) -> Result<T, Failure> {
    result.map_err(|failure| failure.context(option).into())
}

/// Writes all files of the image `pixels`, rendered from `scene`: frame `index` of the series, counted from
/// 0.
///
/// # Errors
/// A file cannot be written; no incomplete file is left.
pub fn write(
    options: &Options,
    experiment: &Experiment,
    scene: &Scene<'_>,
    pixels: &[f32],
    index: usize,
    names: &Names,
) -> Result<Written, Failure> {
    let adc = adc_offset(options);
    let header = image_header(experiment, index, adc);
    let store_floats = |file: &&ImageFile| file.writer.pixel_type() == PixelType::F32;
    // Formats that store floats need no statistics, so they are written while the statistics are computed.
    let (floats, rest) = rayon::join(
        || {
            let files: Vec<_> = names.0.iter().filter(store_floats).collect();
            let image = Image { header: &header, pixels: Pixels::F32(pixels), scale: 1.0 };
            let write = |file: &&ImageFile| named_by(file.option, file.writer.write(&file.path, &image));
            files.par_iter().map(write).collect::<Vec<_>>()
        },
        || {
            let statistics = Statistics::new(scene, pixels);
            let int_scale = int_scale(options.scale, &statistics);
            let pgm_scale = pgm_scale(options.pgmscale, &statistics, int_scale);
            let scaled = Scaled {
                scene,
                pixels,
                header: &header,
                int_scale,
                pgm_scale,
                adc,
                random: Ran1::after(&experiment.random, noise_seed(options, index)),
            };
            let files: Vec<_> = names.0.iter().filter(|file| !store_floats(file)).collect();
            let noise: Vec<_> = files.par_iter().map(|file| scaled.write(file)).collect();
            (statistics, int_scale, pgm_scale, noise)
        },
    );
    let (statistics, int_scale, pgm_scale, others) = rest;
    floats.into_iter().collect::<Result<(), _>>()?;
    let noise = others.into_iter().collect::<Result<Vec<_>, _>>()?;
    let smv_header_bytes = names.0.iter().find_map(|file| file.writer.header_bytes(&header));
    let noise = noise.into_iter().flatten().next();
    Ok(Written { statistics, int_scale, pgm_scale, noise, smv_header_bytes })
}

/// The seed of the noise of frame `index`. That of the first frame is the seed of a single image.
fn noise_seed(options: &Options, index: usize) -> i64 {
    let seed = options.seed_as_typed.unwrap_or_else(clock_seed);
    seed.saturating_add(i64::try_from(index).unwrap_or(0))
}

/// The inputs of the images that store integers.
struct Scaled<'a> {
    scene: &'a Scene<'a>,
    pixels: &'a [f32],
    header: &'a ImageHeader,
    int_scale: f64,
    pgm_scale: f64,
    adc: f64,
    random: Ran1,
}

impl Scaled<'_> {
    /// Writes a file in the number type of its format. For an image with noise, returns the numbers of
    /// photons and overloads.
    fn write(&self, file: &ImageFile) -> Result<Option<(f64, u64)>, Failure> {
        let Self { scene, pixels, header, int_scale, pgm_scale, adc, .. } = *self;
        let no_memory = || Failure::input(format!("{}: no memory for its pixels", file.option));
        let write = |pixels: Pixels<'_>, scale: f64| {
            named_by(file.option, file.writer.write(&file.path, &Image { header, pixels, scale }))
        };
        if file.has_noise {
            let image = noise_image(scene, pixels, self.random.clone(), adc).ok_or_else(no_memory)?;
            let Noise { pixels, photons, overloads } = image;
            return write(Pixels::U16(&pixels), 1.0).map(|()| Some((photons, overloads)));
        }
        match file.writer.pixel_type() {
            PixelType::F32 => write(Pixels::F32(pixels), 1.0),
            PixelType::U16 => {
                let image = int_image(scene, pixels, int_scale, adc).ok_or_else(no_memory)?;
                write(Pixels::U16(&image), int_scale)
            }
            PixelType::I32 => {
                let image = cbf_image(scene, pixels, int_scale).ok_or_else(no_memory)?;
                write(Pixels::I32(&image), int_scale)
            }
            PixelType::U8 => {
                let image = pgm_image(pixels, pgm_scale).ok_or_else(no_memory)?;
                write(Pixels::U8(&image), pgm_scale)
            }
        }
        .map(|()| None)
    }
}

fn image_header(experiment: &Experiment, index: usize, adc_offset: f64) -> ImageHeader {
    let detector = &experiment.detector;
    let spot = BeamSpot::or_foot(detector);
    let frame = DialsFrame::new(detector);
    let [org_x_px, org_y_px] = detector.org_px();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let thickness_m = experiment.sensor.layer_m * experiment.sensor.layers as f64;
    ImageHeader {
        fast: detector.fast_pixels,
        slow: detector.slow_pixels,
        pixel_m: detector.pixel_m,
        close_distance_m: detector.close_distance_m,
        lambda_m: experiment.lambda0_m,
        distance_m: spot.distance_m,
        fast_beam_m: spot.fast_m,
        slow_beam_m: spot.slow_m,
        dials_origin_mm: frame.origin_mm(detector),
        dials_axes: [detector.fast, detector.slow].map(|axis| frame.components(axis).to_array()),
        as_nanobragg: NanobraggGeometry {
            distance_m: detector.distance_m,
            x_beam_m: detector.x_beam_m,
            y_beam_m: detector.y_beam_m,
            fast_beam_m: detector.fast_beam_m,
            slow_beam_m: detector.slow_beam_m,
            slow_size_m: detector.slow_size_m,
            dials_origin_mm: detector.dials_origin_mm(),
        },
        org_x_px,
        org_y_px,
        phi0_rad: experiment.sweep(index).phi0_rad,
        osc_rad: experiment.phi.range,
        twotheta_rad: experiment.detector_parameters().map_or(0.0, |parameters| parameters.twotheta_rad),
        adc_offset,
        exposure_s: experiment.exposure_s,
        sensor_thickness_m: (thickness_m > 0.0).then_some(thickness_m),
        count_cutoff: COUNT_CUTOFF,
        unix_time_s: now.as_secs(),
    }
}
