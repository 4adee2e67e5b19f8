//! The image with noise of `--mode spec`: the same photons through the stages of a detector, as a render has them.
//!
//! What differs from noisify: a flicker is one of the whole image; the gains of the pixels depend on the seed of the calibration
//! alone; a point spread moves no light over an edge into the next row, and none that leaves the image comes back; integers are the
//! nearest ones within their range. Each pixel's noise is drawn by itself, so that threads share the rows.

use core::fmt::Write as _;

use rayon::prelude::*;
use widebragg::noise::detector::{Counts, Expected, Limits, Place, Signal, fill_gain_map, shot_factor};
use widebragg::noise::point_spread::{Form, Shape};
use widebragg_experiment::point_spread::{PointSpread, PointSpreadRule};
use widebragg_formats::memory::filled;
use widebragg_formats::smv::{write_smv, write_smv_u32};

use super::Run;
use crate::commands::companions::{no_memory, sum};
use crate::error::Failure;
use crate::options::NoisifyOptions;

/// The number of the image, which its deviates depend on: that of a render's first.
const FRAME: u32 = 1;

/// Checks what noisify takes as it stands, and no detector has.
///
/// # Errors
/// One of the values is impossible.
pub(super) fn check(options: &NoisifyOptions) -> Result<(), Failure> {
    let not_negative = [
        ("-flicker", options.flicker),
        ("-calibration", options.calibration),
        ("-readout", options.readout_adu),
        ("-psf_fwhm", options.spread_width_m.into()),
        ("-psf_radius", options.spread_radius_px.into()),
    ];
    let is_wrong = |value: f64| !(value >= 0.0 && value.is_finite());
    if let Some((option, _)) = not_negative.into_iter().find(|&(_, value)| is_wrong(value)) {
        return Err(Failure::input(format!("{option}: must be 0 or more for --mode spec")));
    }
    if !(options.gain > 0.0 && options.gain.is_finite()) {
        return Err(Failure::input("-gain: must be above 0 for --mode spec"));
    }
    if options.offset_adu.is_finite() {
        Ok(())
    } else {
        Err(Failure::input("-adc: must be finite for --mode spec"))
    }
}

impl Run<'_> {
    /// Spreads the photons as spec does; a radius of 0 is none, and the whole point spread counts.
    pub(super) fn spread_in_spec(&self, photons: &mut [f32], text: &mut String) -> Result<(), Failure> {
        let width_m = f64::from(self.options.spread_width_m);
        let Some(shape) = self.options.spread.filter(|_| width_m > 0.0) else { return Ok(()) };
        let form = match shape {
            Shape::Gauss => Form::Gauss,
            Shape::Fiber => Form::Fiber,
        };
        let radius_px = usize::try_from(self.options.spread_radius_px).ok().filter(|&radius| radius > 0);
        let rule = PointSpreadRule { form, width_m, radius_px };
        let spread = PointSpread::new(rule, self.simd, self.layout.pixel_m, self.layout.pixels);
        let spread = spread.map_err(|failure| Failure::input(failure.reason()).context("-psf"))?;
        let _ = writeln!(text, "point spread {rule}");
        let done = self.pool.install(|| spread.spread(photons));
        done.map_err(|failure| Failure::input(failure.reason()).context("-psf"))
    }

    /// Writes the image with noise of `photons`, and adds to the summary.
    pub(super) fn write_noise_of_spec(
        &self,
        mut photons: Vec<f32>,
        text: &mut String,
    ) -> Result<(), Failure> {
        let Self { options, simd, .. } = self;
        let shot = shot_factor(*simd, options.flicker, self.seed as u64, FRAME);
        let [fast, _] = self.layout.pixels;
        self.pool.install(|| {
            photons.par_chunks_mut(fast).enumerate().for_each(|(slow, row)| {
                let _ = Expected::new(self.place(slow), row).times(shot).count();
            });
        });
        let _ = writeln!(text, "seed         {}", self.seed);
        let _ = writeln!(text, "counts       {:.0}", sum(photons.iter().copied()));
        self.spread_in_spec(&mut photons, text)?;
        let spread = sum(photons.iter().copied());
        let largest = if options.bits == 32 { i32::MAX } else { u16::MAX.into() };
        let (stored, overloads) = self.stored_in_spec(photons, Limits { least: 0, largest })?;
        let _ = writeln!(text, "photons      {spread:.0}  overloads {overloads}");
        let (header, path) = (self.header(), &options.noise_file);
        let no_negative = stored.iter().map(|adu| adu.unsigned_abs());
        match options.bits {
            32 => write_smv_u32(path, &header, &collected(no_negative)?)?,
            _ => write_smv(path, &header, &collected(no_negative.map(|adu| adu as u16))?)?,
        }
        Ok(())
    }

    /// The integers of counts, and how many are saturated.
    fn stored_in_spec(&self, mut counts: Vec<f32>, limits: Limits) -> Result<(Vec<i32>, usize), Failure> {
        let Self { options, simd, .. } = self;
        let [fast, _] = self.layout.pixels;
        let mut stored = filled(counts.len(), 0).ok_or_else(no_memory)?;
        let rows = counts.par_chunks_mut(fast).zip(stored.par_chunks_mut(fast)).enumerate();
        let overloads = rows.map_init(
            || vec![1.0; fast],
            |gains, (slow, (row, stored))| {
                let place = self.place(slow);
                let (seed, gains) = (options.calibration_seed as u64, gains.get_mut(..row.len()));
                let gains = gains.unwrap_or_default();
                fill_gain_map(*simd, options.calibration, seed, place.panel, place.first, gains);
                let signal: Signal<'_> = Counts::new(place, row).amplify(options.gain, Some(gains))?;
                let signal = signal.add_pedestal(options.offset_adu).read_out(options.readout_adu);
                Ok(signal.store_into(limits, stored)?.saturated())
            },
        );
        let overloads: Result<usize, widebragg::Error> =
            self.pool.install(|| overloads.try_reduce(|| 0, |one, other| Ok(one + other)));
        let overloads = overloads.map_err(|error| Failure::input(error.to_string()))?;
        Ok((stored, overloads))
    }

    /// The place of a row.
    fn place(&self, slow: usize) -> Place {
        let first = slow * self.layout.pixels[0];
        Place { simd: self.simd, seed: self.seed as u64, frame: FRAME, panel: 0, first: first as u32 }
    }
}

/// The pixels of an image; there may be too little memory.
fn collected<T: Clone + Default>(pixels: impl ExactSizeIterator<Item = T>) -> Result<Vec<T>, Failure> {
    let mut image = filled(pixels.len(), T::default()).ok_or_else(no_memory)?;
    image.iter_mut().zip(pixels).for_each(|(to, pixel)| *to = pixel);
    Ok(image)
}
