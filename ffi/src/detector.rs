//! The detector that the parameters of a scene describe.

use widebragg::detector::{BeamFrame, Convention, CustomAxes, Detector, DetectorParameters, extent};
use widebragg::panel::{Bend, Panel};
use widebragg::scene::{DetectorInput, Sensor};
use widebragg::vector::Vec3;

use crate::enums::{CONVENTIONS, MODES, PIVOTS, WB_CUSTOM, WB_PLACED, chosen};
use crate::parameters::{
    WB_GIVEN_BEAM, WB_GIVEN_CLOSE_DISTANCE, WB_GIVEN_FAST, WB_GIVEN_NORMAL, WB_GIVEN_ORG_X, WB_GIVEN_ORG_Y,
    WB_GIVEN_POLARIZATION, WB_GIVEN_SLOW, WB_GIVEN_SPINDLE, WB_GIVEN_TWOTHETA, WB_GIVEN_X_BEAM,
    WB_GIVEN_X_CLOSE, WB_GIVEN_Y_BEAM, WB_GIVEN_Y_CLOSE, finite, wb_scene_parameters,
};
use crate::status::Failure;

impl wb_scene_parameters {
    /// The detector, as the kernel's parameters or as it is placed.
    pub(crate) fn detector_input(&self) -> Result<DetectorInput, Failure> {
        Ok(match self.convention {
            WB_PLACED => DetectorInput::Placed(self.placed()?),
            _ => DetectorInput::Parameters(self.detector_parameters()?),
        })
    }

    /// The detector.
    pub(crate) fn detector(&self) -> Result<Detector, Failure> {
        Ok(self.detector_input()?.placed(chosen("mode", self.mode, &MODES)?)?)
    }

    /// The parameters of a detector of any convention except `WB_PLACED`.
    fn detector_parameters(&self) -> Result<DetectorParameters, Failure> {
        let [(fast_pixels, fast_size_m), (slow_pixels, slow_size_m)] = self.extents()?;
        let axis = |bit: u64, axis: [f64; 3]| self.is_given(bit).then_some(Vec3::from(axis));
        let custom = Convention::Custom(CustomAxes {
            fast: axis(WB_GIVEN_FAST, self.fast_axis),
            slow: axis(WB_GIVEN_SLOW, self.slow_axis),
            normal: axis(WB_GIVEN_NORMAL, self.normal_axis),
            beam: axis(WB_GIVEN_BEAM, self.beam_axis),
            polarization: axis(WB_GIVEN_POLARIZATION, self.polarization_axis),
            spindle: axis(WB_GIVEN_SPINDLE, self.spindle_axis),
            twotheta: axis(WB_GIVEN_TWOTHETA, self.twotheta_axis),
        });
        let convention = match self.convention {
            WB_CUSTOM => custom,
            named => chosen("convention", named, &CONVENTIONS)?,
        };
        Ok(DetectorParameters {
            pixel_m: self.pixel_m,
            fast_pixels,
            slow_pixels,
            fast_size_m,
            slow_size_m,
            distance_m: Some(self.distance_m),
            close_distance_m: self.optional(WB_GIVEN_CLOSE_DISTANCE, self.close_distance_m),
            x_beam_m: self.optional(WB_GIVEN_X_BEAM, self.x_beam_m),
            y_beam_m: self.optional(WB_GIVEN_Y_BEAM, self.y_beam_m),
            x_close_m: self.optional(WB_GIVEN_X_CLOSE, self.x_close_m),
            y_close_m: self.optional(WB_GIVEN_Y_CLOSE, self.y_close_m),
            org_x_px: self.optional(WB_GIVEN_ORG_X, self.org_x_px),
            org_y_px: self.optional(WB_GIVEN_ORG_Y, self.org_y_px),
            convention,
            pivot: chosen("pivot", self.pivot, &PIVOTS)?,
            rotation_rad: self.rotation_rad,
            twotheta_rad: self.twotheta_rad,
            point_pixel: self.point_pixel != 0,
            curved: self.curved != 0,
        })
    }

    /// The detector whose origin and axes are given.
    fn placed(&self) -> Result<Detector, Failure> {
        let [(fast_pixels, _), (slow_pixels, slow_size_m)] = self.extents()?;
        self.check_axes()?;
        let close_distance_m = match self.optional(WB_GIVEN_CLOSE_DISTANCE, self.close_distance_m) {
            Some(close) if close.is_finite() && close > 0.0 => close,
            close => {
                let close = close.unwrap_or(f64::NAN);
                return Err(Failure::range("close distance in m", close, "given, finite and above 0"));
            }
        };
        finite("origin of the detector in m", &self.pix0_m)?;
        finite("distance in m", &[self.distance_m])?;
        let [fast, slow, normal, beam, polarization, spindle, pix0_m] = [
            self.fast_axis,
            self.slow_axis,
            self.normal_axis,
            self.beam_axis,
            self.polarization_axis,
            self.spindle_axis,
            self.pix0_m,
        ]
        .map(Vec3::from);
        let across = fast.cross(slow).length();
        if across < 1e-6 {
            return Err(Failure::range("fast and slow axis", across, "not parallel"));
        }
        let panel = Panel {
            pixel_m: self.pixel_m,
            fast_pixels,
            slow_pixels,
            pix0_m,
            fast,
            slow,
            normal,
            close_distance_m,
            point_pixel: self.point_pixel != 0,
            bend: (self.curved != 0).then_some(Bend { beam, radius_m: self.distance_m }),
            sensor: Sensor::THIN,
        };
        let vertical = beam.cross(polarization).normalize();
        let placed = panel.detector(self.distance_m, &BeamFrame { beam, polarization, vertical, spindle });
        Ok(Detector { slow_size_m, twotheta_axis: Vec3::from(self.twotheta_axis), ..placed })
    }

    /// Rejects a placed detector without six axes of finite length.
    fn check_axes(&self) -> Result<(), Failure> {
        for (quantity, bit, axis) in [
            ("fast axis", WB_GIVEN_FAST, self.fast_axis),
            ("slow axis", WB_GIVEN_SLOW, self.slow_axis),
            ("normal axis", WB_GIVEN_NORMAL, self.normal_axis),
            ("beam axis", WB_GIVEN_BEAM, self.beam_axis),
            ("polarisation axis", WB_GIVEN_POLARIZATION, self.polarization_axis),
            ("spindle axis", WB_GIVEN_SPINDLE, self.spindle_axis),
        ] {
            // Any other length is accepted: the axes of the reference are not unit vectors if its 2theta axis
            // is not one.
            let length = if self.is_given(bit) { Vec3::from(axis).length() } else { f64::NAN };
            if !length.is_finite() || length == 0.0 {
                return Err(Failure::range(quantity, length, "given, finite and not 0"));
            }
        }
        Ok(())
    }

    /// Number of pixels and size in m along the fast and the slow axis.
    fn extents(&self) -> Result<[(usize, f64); 2], Failure> {
        let along = |pixels: usize, size_m: f64| {
            finite("detector size in m", &[size_m])?;
            Ok::<_, Failure>(extent(self.pixel_m, (pixels > 0).then_some(pixels), Some(size_m))?)
        };
        Ok([along(self.fast_pixels, self.fast_size_m)?, along(self.slow_pixels, self.slow_size_m)?])
    }
}
