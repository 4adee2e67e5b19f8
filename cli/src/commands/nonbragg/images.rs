//! The images that nonBragg writes.

use core::fmt::Write as _;
use core::ops::Range;

use widebragg::lanes::Simd;
use widebragg::noise::shared::SharedStreams;
use widebragg::noise::stages::Readout;
use widebragg::rotation::PhiMode;
use widebragg_formats::float::write_float;
use widebragg_formats::format_g::format_g as g;
use widebragg_formats::memory::{reserved, zeroed};
use widebragg_formats::pgm::write_pgm;
use widebragg_formats::smv::write_smv;

use super::placement::Placement;
use crate::commands::companions::{Calibration, LARGEST_ADU_16, SpecNoise, no_memory, seed_of_time, sum};
use crate::error::Failure;
use crate::options::NonbraggOptions;

/// Largest level of the preview, and the one of 5 deviations.
const LARGEST_LEVEL: f64 = 255.0;
const LEVEL_OF_FIVE_DEVIATIONS: f64 = 250.0;

/// The integer that the brightest pixel gets.
const BRIGHTEST: f64 = 55_000.0;

/// Pixels to write.
pub(super) struct Images<'a> {
    pub(super) options: &'a NonbraggOptions,
    pub(super) placement: &'a Placement,
    /// Columns and rows that were simulated.
    pub(super) roi: [Range<usize>; 2],
    pub(super) pixels: &'a [f32],
}

impl Images<'_> {
    /// Writes all images, and returns the summary.
    pub(super) fn write(&self) -> Result<String, Failure> {
        let options = self.options;
        write_float(&options.float_file, self.pixels)?;
        let brightest = self.simulated().fold(0.0, f32::max);
        let brightest = f64::from(brightest);
        let scale = match options.int_scale {
            scale if scale > 0.0 => scale,
            _ if brightest > 0.0 => BRIGHTEST / brightest,
            _ => 1.0,
        };
        let header = self.placement.header();
        let integer = |pixel: f32| {
            let adu = f64::from(pixel) * scale + options.offset_adu;
            // The pixel of NaN is 0.
            let adu = if adu > LARGEST_ADU_16 { LARGEST_ADU_16 } else { adu };
            let adu = if adu < 0.0 { 0.0 } else { adu };
            ((adu + 0.5) as f32).floor() as u16
        };
        write_smv(&options.int_file, &header, &self.mapped(self.pixels, integer)?)?;

        let (mean, deviation) = self.mean_and_deviation();
        let pgm_scale = match options.pgm_scale {
            scale if scale > 0.0 => scale,
            _ if deviation > 0.0 => LEVEL_OF_FIVE_DEVIATIONS / (5.0 * deviation),
            _ => scale,
        };
        let level = |pixel: f32| {
            let level = f64::from(pixel) * pgm_scale;
            match options.mode {
                // Levels below 0 go on at the top of the range.
                PhiMode::CParity => (if level > LARGEST_LEVEL { LARGEST_LEVEL } else { level }) as i32 as u8,
                PhiMode::Spec => level.clamp(0.0, LARGEST_LEVEL) as u8,
            }
        };
        let [fast, slow] = self.placement.pixels();
        write_pgm(&options.pgm_file, fast, slow, pgm_scale, &self.mapped(self.pixels, level)?)?;

        let mut text =
            format!("brightest    {}  mean {}  deviation {}\n", g(brightest), g(mean), g(deviation));
        let _ = writeln!(text, "scale        {}  of the PGM image {}", g(scale), g(pgm_scale));
        if options.has_noise {
            text += &self.write_noise(&header)?;
        }
        Ok(text)
    }

    /// Writes the image with noise.
    fn write_noise(&self, header: &[u8]) -> Result<String, Failure> {
        let (options, simd) = (self.options, Simd::detect());
        let seed = options.seed.unwrap_or_else(seed_of_time);
        let readout = Readout { gain: 1.0, offset_adu: options.offset_adu, noise_adu: 0.0 };
        if options.mode == PhiMode::Spec {
            return self.write_noise_of_spec(header, seed, &readout);
        }
        let mut counts = reserved(self.roi[0].len() * self.roi[1].len()).ok_or_else(no_memory)?;
        counts.extend(self.simulated());
        let mut streams = SharedStreams::new(seed, seed);
        streams.count_all(simd, &mut counts);
        let mut stored: Vec<u16> = zeroed(counts.len()).ok_or_else(no_memory)?;
        let overloads = readout
            .store_all(simd, &mut streams, &counts, LARGEST_ADU_16, &mut stored)
            .map_err(|error| Failure::input(error.to_string()))?;
        let mut stored = stored.into_iter();
        let pixels = self.mapped(self.pixels, |_| stored.next().unwrap_or(0))?;
        write_smv(&options.noise_file, header, &pixels)?;
        Ok(noise_line(seed, sum(counts), overloads))
    }

    /// The same with a number of its own for each pixel.
    fn write_noise_of_spec(&self, header: &[u8], seed: i64, readout: &Readout) -> Result<String, Failure> {
        let [columns, _] = self.placement.pixels();
        let noise = SpecNoise { simd: Simd::detect(), seed, columns };
        let mut counts = reserved(self.pixels.len()).ok_or_else(no_memory)?;
        counts.extend_from_slice(self.pixels);
        noise.count(0.0, &mut counts);
        let photons = sum(counts.iter().copied());
        let calibration = Calibration { deviation: 0.0, seed: 0 };
        let (stored, overloads) = noise.stored(calibration, readout, counts, u16::MAX.into())?;
        // They are within the range.
        write_smv(&self.options.noise_file, header, &self.mapped(&stored, |adu| adu as u16)?)?;
        Ok(noise_line(seed, photons, overloads))
    }

    /// The pixels that were simulated, in the order of the image.
    fn simulated(&self) -> impl Iterator<Item = f32> {
        let [fast, _] = self.placement.pixels();
        let row = move |slow: usize| &self.pixels[slow * fast..(slow + 1) * fast];
        self.roi[1].clone().flat_map(move |slow| &row(slow)[self.roi[0].clone()]).copied()
    }

    /// The whole image with `value` of those of `pixels` that were simulated, and 0 of the others.
    fn mapped<P: Copy, T: Default>(
        &self,
        pixels: &[P],
        mut value: impl FnMut(P) -> T,
    ) -> Result<Vec<T>, Failure> {
        let [fast, _] = self.placement.pixels();
        let mut all = reserved(pixels.len()).ok_or_else(no_memory)?;
        all.extend(pixels.iter().enumerate().map(|(i, &pixel)| {
            let is_simulated = self.roi[0].contains(&(i % fast)) && self.roi[1].contains(&(i / fast));
            if is_simulated { value(pixel) } else { T::default() }
        }));
        Ok(all)
    }

    /// The mean of what was simulated, and the rms deviation from it, for which the reference takes the pixel after
    /// each one instead, and 0 after the last of the image.
    fn mean_and_deviation(&self) -> (f64, f64) {
        let count = self.simulated().count();
        let mean = sum(self.simulated()) / count.max(1) as f64;
        let [fast, _] = self.placement.pixels();
        let step = usize::from(self.options.mode == PhiMode::CParity);
        let [columns, rows] = &self.roi;
        let squares =
            rows.clone().flat_map(|slow| columns.clone().map(move |column| slow * fast + column)).map(|i| {
                let deviation = f64::from(self.pixels.get(i + step).copied().unwrap_or(0.0)) - mean;
                deviation * deviation
            });
        (mean, (squares.sum::<f64>() / (count.max(2) - 1) as f64).sqrt())
    }
}

/// The line of the summary about an image with noise.
fn noise_line(seed: i64, photons: f64, overloads: usize) -> String {
    format!("noise        seed {seed}  {photons:.0} photons  overloads {overloads}\n")
}
