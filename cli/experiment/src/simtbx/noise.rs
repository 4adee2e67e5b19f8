//! `add_noise` and `apply_psf`.

use widebragg::lanes::Simd;
use widebragg::noise::point_spread::{PointSpread, Shape};
use widebragg::noise::simtbx::{SimtbxNoise, SimtbxStreams};

use super::Selection;
use crate::failure::{Failure, Part, refused};
use crate::reference_spread::{has_photons, spread_image};

/// A point spread as simtbx has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimtbxSpread {
    /// Its form.
    pub shape: Shape,
    /// Full width at half maximum, in pixels.
    pub width_px: f64,
    /// Radius in pixels, `detector_psf_kernel_radius_pixels`; 0: each pixel has its own.
    pub radius_px: u32,
}

impl SimtbxSpread {
    /// Spreads the photons of an image of `[fast, slow]` pixels, as `apply_psf` does, on the threads of the current pool.
    /// Region of interest and mask do not count. An image without photons stays as it is.
    ///
    /// ```
    /// use widebragg::lanes::Simd;
    /// use widebragg::noise::point_spread::Shape;
    /// use widebragg_experiment::simtbx::SimtbxSpread;
    ///
    /// let mut pixels = vec![0.0; 32 * 24];
    /// pixels[12 * 32 + 16] = 1000.0;
    /// SimtbxSpread { shape: Shape::Gauss, width_px: 1.5, radius_px: 4 }
    ///     .apply_psf(Simd::detect(), [32, 24], &mut pixels)?;
    /// let (beside, all) = (pixels[12 * 32 + 17], pixels.iter().sum::<f64>());
    /// assert!(beside > 100.0 && (all - 1000.0).abs() < 1e-3, "{beside} {all}"); // light beyond the radius is lost
    /// # Ok::<(), widebragg_experiment::failure::Failure>(())
    /// ```
    ///
    /// # Errors
    /// A width that is not above 0 and finite, another number of pixels, or too little memory.
    pub fn apply_psf(&self, simd: Simd, size: [usize; 2], pixels: &mut [f64]) -> Result<(), Failure> {
        let spread = PointSpread::new(self.shape, self.width_px).map_err(refused(Part::PointSpread))?;
        let radius_px = i32::try_from(self.radius_px).unwrap_or(i32::MAX);
        if has_photons(pixels) {
            let (image, _) = spread_image(simd, &spread, radius_px, size, pixels)?;
            pixels.copy_from_slice(&image);
        }
        Ok(())
    }
}

/// The properties that `add_noise` takes from simtbx's object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AddNoise {
    /// `seed`, of which the sign does not count.
    pub seed: i64,
    /// `calib_seed`, of which the sign does not count.
    pub calibration_seed: i64,
    /// Fractions (simtbx's percentages, divided by 100), gain, offset and readout.
    pub noise: SimtbxNoise,
    /// The point spread; `None`: there is none.
    pub spread: Option<SimtbxSpread>,
}

impl AddNoise {
    /// Replaces the photons of the selected pixels by ADU, as `add_noise` does.
    ///
    /// ```
    /// use widebragg::lanes::Simd;
    /// use widebragg::noise::point_spread::Shape;
    /// use widebragg::noise::simtbx::SimtbxNoise;
    /// use widebragg_experiment::simtbx::{AddNoise, Selection, SimtbxSpread};
    ///
    /// // What simtbx does by default with pixels of 0.1 mm, but for the radius.
    /// let spread = SimtbxSpread { shape: Shape::Fiber, width_px: 0.8, radius_px: 5 };
    /// let add_noise = AddNoise {
    ///     seed: 1,
    ///     calibration_seed: 123_456_789,
    ///     noise: SimtbxNoise::DEFAULT,
    ///     spread: Some(spread),
    /// };
    /// let mut pixels = vec![100.0; 32 * 24];
    /// add_noise.apply(Simd::detect(), &Selection::all([32, 24]), &mut pixels)?;
    /// let mean = pixels.iter().sum::<f64>() / pixels.len() as f64;
    /// assert!((130.0..140.0).contains(&mean), "{mean}"); // what leaves over the edges is lost
    /// # Ok::<(), widebragg_experiment::failure::Failure>(())
    /// ```
    ///
    /// # Errors
    /// A width of the point spread that is not above 0 and finite, an image or a mask of another size than is stated, or too
    /// little memory.
    pub fn apply(&self, simd: Simd, selection: &Selection<'_>, pixels: &mut [f64]) -> Result<(), Failure> {
        selection.check(pixels.len())?;
        let mut streams = SimtbxStreams::new(self.seed, self.calibration_seed).with_logarithm(f64::ln);
        self.noise.count_all(&mut streams, selection.of(pixels));
        self.noise.calibrate_all(&mut streams, selection.of(pixels));
        if let Some(spread) = &self.spread {
            spread.apply_psf(simd, selection.size, pixels)?;
        }
        self.noise.read_out_all(&mut streams, selection.of(pixels));
        Ok(())
    }
}
