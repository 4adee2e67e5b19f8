//! `widebragg noisify`: an image of photons with noise, as `noisify.c` makes it, byte for byte.
//!
//! Photons are read, and written as integers without noise. Then they are counted, spread, read out and written again.
//! Without noise only the first image is written, and that is spread.
//!
//! Different from the reference: files are complete or not written at all, none of them may replace an input, sizes
//! that are not above 0 and other bits than 16 and 32 are refused, and standard output has a summary of its own.
//! `--mode spec` has the noise of spec ([`spec`]).

mod header;
mod size;
mod spec;

use core::fmt::Write as _;
use rayon::ThreadPool;
use widebragg::ELECTRON_RADIUS_SQUARED_M2;
use widebragg::lanes::Simd;
use widebragg::noise::point_spread::{PointSpread, Shape};
use widebragg::noise::shared::SharedStreams;
use widebragg::noise::stages::{PhotonNoise, Readout, Stored};
use widebragg::rotation::PhiMode;
use widebragg_experiment::reference_spread::spread_image;
use widebragg_experiment::threads::pool;
use widebragg_formats::float::read_float_start;
use widebragg_formats::format_g::format_g as g;
use widebragg_formats::memory::filled;
use widebragg_formats::pgm::write_pgm;
use widebragg_formats::smv::{write_smv, write_smv_u32};

use super::companions::{LARGEST_ADU_16, check_files, no_memory, seed_of_time, sum};
use crate::console;
use crate::error::Failure;
use crate::options::NoisifyOptions;

/// Largest ADU of an image with noise of 32 bits.
const LARGEST_ADU_32: f64 = 2_147_483_647.0;

/// Largest level of the preview.
const LARGEST_LEVEL: u16 = 255;

/// Adds noise, and prints a summary.
///
/// # Errors
/// The line to print on standard error.
pub fn run(options: &NoisifyOptions) -> Result<(), Failure> {
    options.notes.iter().for_each(|note| console::complain(note));
    let Some(input) = options.float_file.as_deref() else {
        return Err(Failure::input("noisify: needs an image of photons (-floatfile FILE)"));
    };
    if ![16, 32].contains(&options.bits) {
        return Err(Failure::input(format!("-bits {}: must be 16 or 32", options.bits)));
    }
    if options.mode == PhiMode::Spec {
        spec::check(options)?;
    }
    let header = options.header_file.as_deref().map(|path| ("-header", path));
    check_files(
        [("-floatfile", input)].into_iter().chain(header),
        [
            ("-intfile", Some(options.int_file.as_path())),
            ("-pgmfile", Some(options.pgm_file.as_path()).filter(|_| options.has_pgm)),
            ("-noisefile", Some(options.noise_file.as_path()).filter(|_| options.has_noise)),
        ],
    )?;
    let layout = size::layout(options, input)?;
    let [fast, slow] = layout.pixels;
    let photons = read_float_start(input, fast * slow).map_err(|failure| failure.context("-floatfile"))?;
    let run = Run {
        options,
        layout,
        pool: pool(options.threads.unwrap_or(0))?,
        simd: Simd::detect(),
        seed: options.seed.unwrap_or_else(seed_of_time),
    };
    let text = run.images(photons)?;
    if options.quiet { Ok(()) } else { console::print(&text) }
}

/// The values of a run.
struct Run<'o> {
    options: &'o NoisifyOptions,
    layout: size::Layout,
    pool: ThreadPool,
    simd: Simd,
    seed: i64,
}

impl Run<'_> {
    /// Writes the images of `photons`, and returns the summary.
    fn images(&self, mut photons: Vec<f32>) -> Result<String, Failure> {
        let Self { options, simd, .. } = self;
        let [fast, slow] = self.layout.pixels;
        let mut text = format!("image        {fast} x {slow} pixels\n");
        let negative = photons.iter().filter(|photons| **photons < 0.0).count();
        if negative > 0 {
            console::complain(&format!("{negative} pixels of the input are below 0"));
        }
        let factor = options.fluence_per_m2 * ELECTRON_RADIUS_SQUARED_M2 * options.scale;
        photons.iter_mut().for_each(|photons| *photons = (factor * f64::from(*photons)) as f32);
        if !options.has_noise {
            photons = self.spread(photons, &mut text)?;
        }
        self.write_without_noise(&photons)?;
        if !options.has_noise {
            return Ok(text);
        }

        if options.mode == PhiMode::Spec {
            self.write_noise_of_spec(photons, &mut text)?;
            return Ok(text);
        }
        let mut streams = SharedStreams::new(self.seed, options.calibration_seed);
        let noise = PhotonNoise { flicker: options.flicker, calibration: options.calibration };
        noise.count_all(*simd, &mut streams, &mut photons);
        let _ = writeln!(text, "seed         {}", self.seed);
        let _ = writeln!(text, "counts       {:.0}", sum(photons.iter().copied()));
        let spread = self.spread(photons, &mut text)?;
        let overloads = self.write_with_noise(&mut streams, &spread)?;
        let _ = writeln!(text, "photons      {:.0}  overloads {overloads}", sum(spread));
        Ok(text)
    }

    /// The image after the point spread, if there is one.
    fn spread(&self, mut photons: Vec<f32>, text: &mut String) -> Result<Vec<f32>, Failure> {
        if self.options.mode == PhiMode::Spec {
            self.spread_in_spec(&mut photons, text)?;
            return Ok(photons);
        }
        let width_m = f64::from(self.options.spread_width_m);
        let width_px = width_m / self.layout.pixel_m;
        let Some(shape) = self.options.spread.filter(|_| width_m > 0.0) else { return Ok(photons) };
        if width_px <= 0.0 {
            return Ok(photons);
        }
        let spread = PointSpread::new(shape, width_px)
            .map_err(|error| Failure::input(error.to_string()).context("-psf_fwhm and -pixel"))?;
        let name = match shape {
            Shape::Gauss => "gauss",
            Shape::Fiber => "fiber",
        };
        let _ = write!(text, "point spread {name}  {} pixels wide", g(width_px));
        let radius_px = self.options.spread_radius_px;
        let (image, lost) = self
            .pool
            .install(|| spread_image(self.simd, &spread, radius_px, self.layout.pixels, &photons))
            .map_err(|failure| Failure::input(failure.reason()).context("-psf_radius"))?;
        let _ = writeln!(text, "  lost and added again {}", g(lost));
        Ok(image)
    }

    fn write_without_noise(&self, photons: &[f32]) -> Result<(), Failure> {
        let readout = Readout { noise_adu: 0.0, ..self.readout() };
        // No deviate is drawn from it.
        let mut streams = SharedStreams::new(0, 0);
        let (stored, _) = self.stored::<u16>(&readout, &mut streams, photons, LARGEST_ADU_16)?;
        let path = &self.options.int_file;
        match self.options.bits {
            32 => {
                let (stored, _) = self.stored::<u32>(&readout, &mut streams, photons, LARGEST_ADU_16)?;
                write_smv_u32(path, &self.header(), &stored)?;
            }
            _ => write_smv(path, &self.header(), &stored)?,
        }
        if self.options.has_pgm {
            let mut levels = filled(stored.len(), 0).ok_or_else(no_memory)?;
            let limited = stored.iter().map(|&adu| adu.min(LARGEST_LEVEL) as u8);
            levels.iter_mut().zip(limited).for_each(|(level, limited)| *level = limited);
            let [fast, slow] = self.layout.pixels;
            write_pgm(&self.options.pgm_file, fast, slow, 1.0, &levels)?;
        }
        Ok(())
    }

    /// Returns the number of overloads.
    fn write_with_noise(&self, streams: &mut SharedStreams, counts: &[f32]) -> Result<usize, Failure> {
        let (readout, path) = (self.readout(), &self.options.noise_file);
        if self.options.bits == 32 {
            let (stored, overloads) = self.stored::<u32>(&readout, streams, counts, LARGEST_ADU_32)?;
            write_smv_u32(path, &self.header(), &stored)?;
            return Ok(overloads);
        }
        let (stored, overloads) = self.stored::<u16>(&readout, streams, counts, LARGEST_ADU_16)?;
        write_smv(path, &self.header(), &stored)?;
        Ok(overloads)
    }

    fn readout(&self) -> Readout {
        let NoisifyOptions { gain, offset_adu, readout_adu: noise_adu, .. } = *self.options;
        Readout { gain, offset_adu, noise_adu }
    }

    /// The pixels as integers, and the number of overloads.
    fn stored<T: Stored>(
        &self,
        readout: &Readout,
        streams: &mut SharedStreams,
        counts: &[f32],
        largest_adu: f64,
    ) -> Result<(Vec<T>, usize), Failure> {
        let mut stored = filled(counts.len(), T::default()).ok_or_else(no_memory)?;
        let overloads = readout
            .store_all(self.simd, streams, counts, largest_adu, &mut stored)
            .map_err(|error| Failure::input(error.to_string()))?;
        Ok((stored, overloads))
    }

    fn header(&self) -> Vec<u8> {
        header::bytes(self.options, &self.layout)
    }
}
