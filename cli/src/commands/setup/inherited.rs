//! Geometry from the headers of the `-mask` and `-img` images, applied before the command line: first the
//! mask, then the image.

use core::f64::consts::PI;

use widebragg::defaults;
use widebragg_formats::smv::{SmvHeader, SmvImage, parse_smv};

use super::inputs::Inputs;
use crate::error::Failure;
use crate::options::Options;

/// Values of the headers; `None` where no header has the key.
#[derive(Debug, Default)]
pub(super) struct Inherited {
    pub(super) fast_pixels: Option<usize>,
    pub(super) slow_pixels: Option<usize>,
    pub(super) pixel_m: Option<f64>,
    pub(super) distance_m: Option<f64>,
    pub(super) close_distance_m: Option<f64>,
    pub(super) lambda_m: Option<f64>,
    pub(super) x_beam_m: Option<f64>,
    pub(super) y_beam_m: Option<f64>,
    pub(super) org_x_px: Option<f64>,
    pub(super) org_y_px: Option<f64>,
    pub(super) phi0_rad: Option<f64>,
    pub(super) osc_rad: Option<f64>,
}

/// Replaces the value by `new`, unless that is `None`.
fn replace<T>(slot: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *slot = new;
    }
}

impl Inherited {
    /// Reads the headers of the images that `options` names; returns the mask as well.
    pub(super) fn read(options: &Options, inputs: &Inputs) -> Result<(Self, Option<SmvImage>), Failure> {
        let mut inherited = Self::default();
        let mask = match &options.mask {
            Some(path) => {
                let mask = inputs.read("-mask", path, |input| parse_smv(input, path))?;
                inherited.apply(&mask, true).map_err(|failure| failure.context("-mask"))?;
                Some(mask)
            }
            None => None,
        };
        if let Some(path) = &options.img {
            let image = inputs.read("-img", path, |input| parse_smv(input, path))?;
            inherited.apply(&image, false).map_err(|failure| failure.context("-img"))?;
        }
        Ok((inherited, mask))
    }

    fn apply(&mut self, image: &SmvImage, is_mask: bool) -> Result<(), Failure> {
        let scaled = |key: &str, by: f64| Ok::<_, Failure>(image.header.number(key)?.map(|value| value * by));
        let millimetres = |key: &str| divided(&image.header, key, 1000.0);
        self.fast_pixels = Some(image.fast);
        self.slow_pixels = Some(image.slow);
        replace(&mut self.pixel_m, millimetres("PIXEL_SIZE")?);
        replace(&mut self.distance_m, millimetres("DISTANCE")?);
        replace(&mut self.close_distance_m, millimetres("CLOSE_DISTANCE")?);
        replace(&mut self.lambda_m, scaled("WAVELENGTH", 1e-10)?);
        replace(&mut self.x_beam_m, millimetres("BEAM_CENTER_X")?);
        if let Some(y) = millimetres("BEAM_CENTER_Y")? {
            let size_m = image.slow as f64 * self.pixel_m.unwrap_or(defaults::PIXEL_M);
            self.y_beam_m = Some(if is_mask { size_m - y } else { y });
        }
        replace(&mut self.org_x_px, image.header.number("ORGX")?);
        replace(&mut self.org_y_px, image.header.number("ORGY")?);
        replace(&mut self.phi0_rad, scaled("PHI", PI / 180.0)?);
        replace(&mut self.osc_rad, scaled("OSC_RANGE", PI / 180.0)?);
        Ok(())
    }
}

fn divided(header: &SmvHeader, key: &str, by: f64) -> Result<Option<f64>, Failure> {
    Ok(header.number(key)?.map(|value| value / by))
}
