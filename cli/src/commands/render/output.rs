//! The files of an image: names, contents, and whether they are complete.

use core::ops::RangeInclusive;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rayon::prelude::*;
use widebragg::random::Ran1;
use widebragg::scene::Scene;
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::geometry::{BeamSpot, DialsFrame};
use widebragg_experiment::images::{
    Noise, cbf_image, int_image, int_scale, noise_counts, noise_image, pgm_image, pgm_scale,
};
use widebragg_experiment::means::{Mean, Means};
use widebragg_experiment::panels::DetectorPanel;
use widebragg_experiment::statistics::Statistics;
use widebragg_formats::atomic::check_writable;
use widebragg_formats::cbf::Cbf;
use widebragg_formats::failure;
use widebragg_formats::float::Float;
use widebragg_formats::image::{
    Image, ImageHeader, ImageWriter, Layout, NanobraggGeometry, PixelType, Pixels,
};
use widebragg_formats::pgm::Pgm;
use widebragg_formats::png::Preview;
use widebragg_formats::smv::{HeaderStyle, SmvWriter};

use super::expt;
use super::shots::TruthFiles;
use crate::commands::distinct::{Files, check_folder};
use crate::commands::setup::clock_seed;
use crate::commands::setup::structure_factors::{named_inputs, written_dump};
use crate::error::Failure;
use crate::options::{self, Options};

/// Default offset of integer pixels.
const DEFAULT_ADC: f64 = 40.0;

/// Default name of the integer image.
pub const INTFILE: &str = "intimage.img";

/// Default name of the noise image.
pub const NOISEFILE: &str = "noiseimage.img";

/// Counts from which a pixel of a CBF image is overloaded.
pub const COUNT_CUTOFF: i32 = i32::MAX - 1;

/// Words that a detector has which switches its gain: 14 bits and 2 for the mode.
const RAW_WORDS: i32 = 1 << 16;

/// Counts from which a pixel of an image with noise is overloaded, without offset. Of raw words none is: what a mode holds
/// does not rise with the charge.
#[must_use]
pub fn noise_cutoff(options: &Options) -> i32 {
    let stages = &options.noise_stages;
    match stages.switched_gains() {
        Some(_) => RAW_WORDS,
        None => stages.saturation_adu.unwrap_or(COUNT_CUTOFF),
    }
}

/// What a file of an image shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Expected photons.
    Photons,
    /// Counts with photon noise.
    Noise,
    /// The mean of what contributed to each pixel.
    Mean(Mean),
}

/// One file of an image.
#[derive(Debug)]
pub struct ImageFile {
    /// The option that names it.
    pub option: &'static str,
    /// Its name.
    pub path: PathBuf,
    /// Its format.
    writer: &'static dyn ImageWriter,
    /// What it shows.
    content: Content,
}

/// The wanted files of an image: the float image first, where it is wanted.
#[derive(Debug)]
pub struct Names(Vec<ImageFile>);

/// Most frames of a series: the numbers in the names of their files have five digits, and readers of the images expect
/// the same of all frames.
pub const MOST_FRAMES: usize = 99_999;

/// `name_00001.img` for frame 1 of a series.
#[must_use]
pub fn numbered(path: &Path, number: Option<usize>) -> PathBuf {
    number.map_or_else(|| path.to_owned(), |number| with_suffix(path, &format!("_{number:05}")))
}

/// The number of the frame whose image `path`, of a series, is called `name`; `None` where no frame's is.
fn number_in(name: &OsStr, path: &Path) -> Option<usize> {
    let rest = name.as_encoded_bytes().strip_prefix(path.file_stem()?.as_encoded_bytes())?;
    let digits = rest.strip_prefix(b"_")?.get(..5)?;
    let number = core::str::from_utf8(digits).ok()?.parse().ok()?;
    (numbered(path, Some(number)).file_name() == Some(name)).then_some(number)
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

impl Names {
    /// Whether any of the images has photon noise.
    #[must_use]
    pub fn have_noise(&self) -> bool {
        self.0.iter().any(|file| file.content == Content::Noise)
    }

    /// Whether any of the images shows means.
    #[must_use]
    pub fn have_means(&self) -> bool {
        self.0.iter().any(|file| matches!(file.content, Content::Mean(_)))
    }

    /// The checked names of a frame of a series, or of a single image.
    ///
    /// # Errors
    /// Two files that the run writes are the same one, one of them is also read, or a folder does not exist.
    pub fn new(options: &Options, number: Option<usize>) -> Result<Self, Failure> {
        let names = Self::numbered(options, number);
        names.check_distinct(options)?;
        Ok(names)
    }

    /// The names from `options` and the reference's defaults, with a number for a frame of a series.
    #[must_use]
    pub fn numbered(options: &Options, number: Option<usize>) -> Self {
        let smv: &'static dyn ImageWriter = match options.header {
            options::HeaderStyle::Readers => &SmvWriter(HeaderStyle::Readers),
            options::HeaderStyle::Reference => &SmvWriter(HeaderStyle::Reference),
        };
        let name = |given: &Option<PathBuf>, default: &str| {
            Some(given.clone().unwrap_or_else(|| PathBuf::from(default)))
        };
        let flat = |given: &Option<PathBuf>, default: &str| {
            if options.names_flat_images { given.clone() } else { name(given, default) }
        };
        // Shots have a file of all images, and others only where they are named.
        let float = match options.shots {
            Some(_) => options.floatfile.clone(),
            None => name(&options.floatfile, "floatimage.bin"),
        };
        let unless = |off: bool, name: Option<PathBuf>| name.filter(|_| !off);
        let files: [(_, _, &'static dyn ImageWriter, _); 8] = [
            ("-floatfile", float, &Float, Content::Photons),
            ("-intfile", flat(&options.intfile, INTFILE), smv, Content::Photons),
            ("-noisefile", unless(options.nonoise, flat(&options.noisefile, NOISEFILE)), smv, Content::Noise),
            ("-pgmfile", unless(options.nopgm, flat(&options.pgmfile, "image.pgm")), &Pgm, Content::Photons),
            ("--png", options.png.clone(), &Preview, Content::Photons),
            ("--noise-png", options.noise_png.clone(), &Preview, Content::Noise),
            ("--cbf", options.cbf.clone(), &Cbf, Content::Photons),
            ("--noise-cbf", options.noise_cbf.clone(), &Cbf, Content::Noise),
        ];
        let wanted = files.into_iter().filter_map(|(option, path, writer, content)| {
            Some(ImageFile { option, path: numbered(&path?, number), writer, content })
        });
        let means = options.mean_images.iter().flat_map(|path| {
            Mean::ALL.map(|mean| ImageFile {
                option: "--mean-images",
                path: numbered(&with_suffix(path, &format!("_{}", mean.name())), number),
                writer: &Float,
                content: Content::Mean(mean),
            })
        });
        Self(wanted.chain(means).collect())
    }

    /// Checks that the folders exist, and that the files are distinct and none that the run reads.
    fn check_distinct(&self, options: &Options) -> Result<(), Failure> {
        let mut files = Files::read(named_inputs(options));
        if let Some(dump) = written_dump(options) {
            files.claim("-dump", dump, "is also the dump of structure factors (-dump)")?;
        }
        if let Some(list) = expt::path(options) {
            files.claim("--expt", &list, "is also the experiment list (--expt)")?;
        }
        if let Some(path) = &options.xds_inp {
            check_folder("--xds-inp", path)?;
            files.write("--xds-inp", path, "is also the XDS.INP (--xds-inp)")?;
        }
        if let Some(path) = &options.predictions {
            check_folder("--predictions", path)?;
            files.write("--predictions", path, "is also the table of predictions (--predictions)")?;
        }
        if let Some(file) = &options.nxmx {
            check_folder("--nxmx", file)?;
            files.write("--nxmx", file, "is also the NXmx file (--nxmx)")?;
        }
        TruthFiles::new(options).claim(&mut files)?;
        for ImageFile { option, path, .. } in &self.0 {
            check_folder(option, path)?;
            files.write(option, path, "two images under one name")?;
        }
        Ok(())
    }

    /// Checks that no image of the frames `numbers` is a file that the run reads. Only images that exist can be one, so
    /// the folders say which to look at.
    ///
    /// # Errors
    /// One of them is.
    pub fn check_series(options: &Options, numbers: RangeInclusive<usize>) -> Result<(), Failure> {
        let mut files = Files::read(named_inputs(options));
        for ImageFile { option, path, .. } in &Self::numbered(options, None).0 {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let found: Vec<usize> = match fs::read_dir(folder.unwrap_or(Path::new("."))) {
                Ok(entries) => {
                    let names = entries.flatten().map(|entry| entry.file_name());
                    let found = names.filter_map(|name| number_in(&name, path));
                    found.filter(|number| numbers.contains(number)).collect()
                }
                // Files can be written to some folders that cannot be listed.
                Err(_) => numbers.clone().collect(),
            };
            for number in found {
                files.claim(option, &numbered(path, Some(number)), "two images under one name")?;
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

    /// Whether any of the images has scaled pixels.
    #[must_use]
    pub fn are_scaled(&self) -> bool {
        self.0.iter().any(|file| file.content != Content::Noise && file.writer.pixel_type() != PixelType::F32)
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

/// The factors from photons to the numbers that images store.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scales {
    /// That of the integer and CBF images.
    pub int: f64,
    /// That of the PGM image.
    pub pgm: f64,
}

impl Scales {
    /// The scales that `options` give; `None` where one of them depends on the image.
    #[must_use]
    pub fn given(options: &Options) -> Option<Self> {
        let int = given(options.scale)?;
        let has_preview = !options.nopgm || options.png.is_some() || options.noise_png.is_some();
        let pgm = given(options.pgmscale).or((!has_preview).then_some(int))?;
        Some(Self { int, pgm })
    }

    /// The scales that `options` give, or else those of the image with these statistics.
    #[must_use]
    pub fn of(options: &Options, statistics: &Statistics) -> Self {
        let int = int_scale(options.scale, statistics);
        Self { int, pgm: pgm_scale(options.pgmscale, statistics, int) }
    }
}

/// A given scale; one that is not above zero counts as not given.
fn given(scale: Option<f64>) -> Option<f64> {
    scale.filter(|&scale| scale > 0.0)
}

/// What the images of a run share.
#[derive(Debug, Clone, Copy)]
pub struct Shared<'a> {
    /// The scales of a series; `None` for a single image.
    pub scales: Option<Scales>,
    /// Where previews show the pixels; `None`: as they are.
    pub layout: Option<&'a Layout>,
}

/// What was counted in a noise image.
#[derive(Debug, Clone, Copy)]
pub struct NoiseTotals {
    /// Photons; `None` where its pixels are ADU.
    pub photons: Option<f64>,
    /// Pixels that have the largest value of the image, since theirs is larger.
    pub overloads: u64,
}

/// Results of writing an image.
#[derive(Debug, Clone)]
pub struct Written {
    /// Statistics of the float image.
    pub statistics: Statistics,
    /// Scales of the other images.
    pub scales: Scales,
    /// For each image of scaled integers, the option that names it and its number of saturated pixels.
    pub saturated: Vec<(&'static str, u64)>,
    /// What was counted in the noise image.
    pub noise: Option<NoiseTotals>,
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

/// The contents of the files of an image, rendered from the scenes of its panels.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'a> {
    /// The scenes, one for each panel.
    pub scenes: &'a [Scene<'a>],
    /// Expected photons.
    pub pixels: &'a [f32],
    /// Poisson deviates of them, where there are images with noise.
    pub deviates: &'a [f32],
    /// Where there are images of means.
    pub means: Option<&'a Means>,
}

/// Writes all files of an image: frame `index` of the series, counted from 0.
///
/// # Errors
/// A file cannot be written; no incomplete file is left.
pub fn write(
    options: &Options,
    experiment: &Experiment,
    contents: Contents<'_>,
    index: usize,
    names: &Names,
    shared: Shared<'_>,
) -> Result<Written, Failure> {
    let Contents { scenes, pixels, deviates, means } = contents;
    let scales = shared.scales;
    let adc = adc_offset(options);
    let header = image_header(experiment, index, adc);
    let preview_scale = scales.map(|scales| scales.pgm).or(given(options.pgmscale));
    let store_floats = |file: &&ImageFile| file.writer.pixel_type() == PixelType::F32;
    // Formats that store floats need no statistics, so they are written while the statistics are computed.
    let (floats, rest) = rayon::join(
        || {
            let files: Vec<_> = names.0.iter().filter(store_floats).collect();
            let write = |file: &&ImageFile| {
                let mean = match file.content {
                    Content::Mean(mean) => Some(mean_image(means, mean)?),
                    Content::Photons | Content::Noise => None,
                };
                // The factor is one from photons.
                let has_adu = file.content == Content::Noise && !options.noise_stages.are_photons();
                let preview_scale = preview_scale.filter(|_| !has_adu);
                let pixels = if file.content == Content::Noise { deviates } else { pixels };
                let pixels = Pixels::F32(mean.as_deref().unwrap_or(pixels));
                let layout = shared.layout;
                let image = Image { header: &header, pixels, scale: 1.0, preview_scale, layout };
                named_by(file.option, file.writer.write(&file.path, &image))
            };
            files.par_iter().map(write).collect::<Vec<_>>()
        },
        || {
            let statistics = Statistics::new(scenes, pixels);
            let scales = scales.unwrap_or_else(|| Scales::of(options, &statistics));
            let noise_header = ImageHeader { count_cutoff: noise_cutoff(options), ..header };
            let headers = [&header, &noise_header];
            let scaled = Scaled { scenes, pixels, deviates, headers, scales, adc };
            let files: Vec<_> = names.0.iter().filter(|file| !store_floats(file)).collect();
            let counts: Vec<_> = files.par_iter().map(|file| scaled.write(file)).collect();
            (statistics, scales, counts)
        },
    );
    let (statistics, scales, counts) = rest;
    floats.into_iter().collect::<Result<(), _>>()?;
    let (mut saturated, mut noise) = (Vec::new(), None);
    for (file, counted) in names.0.iter().filter(|file| !store_floats(file)).zip(counts) {
        match counted? {
            Counted::Nothing => {}
            Counted::Saturated(count) => saturated.push((file.option, count)),
            Counted::Noise { photons, overloads } => {
                let photons = options.noise_stages.are_photons().then_some(photons);
                noise = noise.or(Some(NoiseTotals { photons, overloads }));
            }
        }
    }
    let smv_header_bytes = names.0.iter().find_map(|file| file.writer.header_bytes(&header));
    Ok(Written { statistics, scales, saturated, noise, smv_header_bytes })
}

/// The seed of noise that is drawn for each pixel by itself. A negative one counts as its 64 bits.
#[must_use]
pub fn noise_seed(options: &Options) -> u64 {
    options.seed_as_typed.unwrap_or_else(clock_seed) as u64
}

/// One of the images of means.
fn mean_image(means: Option<&Means>, mean: Mean) -> Result<Vec<f32>, Failure> {
    let image = means.and_then(|means| means.image(mean));
    image.ok_or_else(|| Failure::input("--mean-images: no memory for its pixels"))
}

/// The random numbers of the noise of frame `index`, for each panel. The seed of the first panel and frame is the given
/// one, and each panel and frame after it has the next.
pub fn noise_streams(options: &Options, experiment: &Experiment, index: usize) -> Vec<Ran1> {
    let seed = options.seed_as_typed.unwrap_or_else(clock_seed);
    let stream = |panel: &DetectorPanel| {
        let before = index.saturating_mul(experiment.panels_in_all).saturating_add(panel.number);
        Ran1::after(&experiment.random, seed.saturating_add(i64::try_from(before).unwrap_or(0)))
    };
    experiment.panels.iter().map(stream).collect()
}

/// What was counted while an image was made.
enum Counted {
    Nothing,
    /// Pixels that have the largest value of the image, since theirs is larger.
    Saturated(u64),
    Noise {
        photons: f64,
        overloads: u64,
    },
}

/// The inputs of the images that store integers.
struct Scaled<'a> {
    scenes: &'a [Scene<'a>],
    pixels: &'a [f32],
    /// Of the noise image, if there is one.
    deviates: &'a [f32],
    /// The header of images of photons, and that of images with noise.
    headers: [&'a ImageHeader; 2],
    scales: Scales,
    adc: f64,
}

impl Scaled<'_> {
    /// Writes a file in the number type of its format.
    fn write(&self, file: &ImageFile) -> Result<Counted, Failure> {
        let Self { scenes, pixels, deviates, headers: [of_photons, of_noise], scales, adc } = *self;
        let header = if file.content == Content::Noise { of_noise } else { of_photons };
        let no_memory = || Failure::input(format!("{}: no memory for its pixels", file.option));
        let write = |pixels: Pixels<'_>, scale: f64| {
            let image = Image { header, pixels, scale, preview_scale: None, layout: None };
            named_by(file.option, file.writer.write(&file.path, &image))
        };
        Ok(match (file.writer.pixel_type(), file.content == Content::Noise) {
            (PixelType::I32, true) => {
                // Readers take what is below 0 for gaps.
                let image = noise_counts(scenes, deviates, 0).ok_or_else(no_memory)?;
                let Noise { pixels, photons, overloads } = image;
                write(Pixels::I32(&pixels), 1.0)?;
                Counted::Noise { photons, overloads }
            }
            (_, true) => {
                let image = noise_image(scenes, deviates, adc).ok_or_else(no_memory)?;
                let Noise { pixels, photons, overloads } = image;
                write(Pixels::U16(&pixels), 1.0)?;
                Counted::Noise { photons, overloads }
            }
            (PixelType::F32, false) => {
                write(Pixels::F32(pixels), 1.0)?;
                Counted::Nothing
            }
            (PixelType::U16, false) => {
                let image = int_image(scenes, pixels, scales.int, adc).ok_or_else(no_memory)?;
                write(Pixels::U16(&image.pixels), scales.int)?;
                Counted::Saturated(image.saturated)
            }
            (PixelType::I32, false) => {
                let image = cbf_image(scenes, pixels, scales.int).ok_or_else(no_memory)?;
                write(Pixels::I32(&image.pixels), scales.int)?;
                Counted::Saturated(image.saturated)
            }
            (PixelType::U8, false) => {
                let image = pgm_image(pixels, scales.pgm).ok_or_else(no_memory)?;
                write(Pixels::U8(&image), scales.pgm)?;
                Counted::Nothing
            }
        })
    }
}

pub(super) fn image_header(experiment: &Experiment, index: usize, adc_offset: f64) -> ImageHeader {
    let panel = experiment.first_panel();
    let detector = &panel.detector;
    let spot = BeamSpot::or_foot(detector);
    let frame = DialsFrame::new(detector);
    let [org_x_px, org_y_px] = detector.org_px();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let thickness_m = panel.sensor.thickness_m();
    ImageHeader {
        fast: experiment.columns(),
        slow: experiment.rows(),
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
        phi0_rad: experiment.frame_phi0_rad(index),
        osc_rad: experiment.phi.range,
        twotheta_rad: panel.detector_parameters().map_or(0.0, |parameters| parameters.twotheta_rad),
        adc_offset,
        exposure_s: experiment.exposure_s,
        sensor_thickness_m: (thickness_m > 0.0).then_some(thickness_m),
        count_cutoff: COUNT_CUTOFF,
        unix_time_s: now.as_secs(),
    }
}
