//! The image with noise of `--mode spec`: the same photons through the stages of a detector, as a render has them.
//!
//! What differs from noisify: a flicker is one of the whole image; the gains of the pixels depend on the seed of the calibration
//! alone; a point spread moves no light over an edge into the next row, and none that leaves the image comes back; integers are the
//! nearest ones within their range ([`SpecNoise`]).

use core::fmt::Write as _;

use widebragg::noise::point_spread::{Form, Shape};
use widebragg_experiment::point_spread::{PointSpread, PointSpreadRule};
use widebragg_formats::memory::filled;
use widebragg_formats::smv::{write_smv, write_smv_u32};

use super::Run;
use crate::commands::companions::{Calibration, SpecNoise, no_memory, sum};
use crate::error::Failure;
use crate::options::NoisifyOptions;

/// Refuses values that noisify accepts although no detector can have them.
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
        let Self { options, simd, seed, .. } = *self;
        let noise = SpecNoise { simd, seed, columns: self.layout.pixels[0] };
        self.pool.install(|| noise.count(options.flicker, &mut photons));
        let _ = writeln!(text, "seed         {seed}");
        let _ = writeln!(text, "counts       {:.0}", sum(photons.iter().copied()));
        self.spread_in_spec(&mut photons, text)?;
        let spread = sum(photons.iter().copied());
        let largest = if options.bits == 32 { i32::MAX } else { u16::MAX.into() };
        let calibration = Calibration { deviation: options.calibration, seed: options.calibration_seed };
        let (stored, overloads) =
            self.pool.install(|| noise.stored(calibration, &self.readout(), photons, largest))?;
        let _ = writeln!(text, "photons      {spread:.0}  overloads {overloads}");
        let (header, path) = (self.header(), &options.noise_file);
        let no_negative = stored.iter().map(|adu| adu.unsigned_abs());
        match options.bits {
            32 => write_smv_u32(path, &header, &collected(no_negative)?)?,
            _ => write_smv(path, &header, &collected(no_negative.map(|adu| adu as u16))?)?,
        }
        Ok(())
    }
}

/// The pixels of an image; there may be too little memory.
fn collected<T: Clone + Default>(pixels: impl ExactSizeIterator<Item = T>) -> Result<Vec<T>, Failure> {
    let mut image = filled(pixels.len(), T::default()).ok_or_else(no_memory)?;
    image.iter_mut().zip(pixels).for_each(|(to, pixel)| *to = pixel);
    Ok(image)
}
