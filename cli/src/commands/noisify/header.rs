//! The headers of noisify's images.

use widebragg_formats::format_g::format_g as g;
use widebragg_formats::smv::header_with_keys;

use super::size::Layout;
use crate::options::NoisifyOptions;

/// The copied header, or one of the options.
pub(super) fn bytes(options: &NoisifyOptions, layout: &Layout) -> Vec<u8> {
    if let Some(header) = &layout.header {
        return header.clone();
    }
    let [fast, slow] = layout.pixels;
    let size_m = [fast, slow].map(|pixels| layout.pixel_m * pixels as f64);
    let [x_m, y_m] = [0, 1].map(|axis| options.beam_centre_m[axis].unwrap_or(size_m[axis] / 2.0));
    let pixel_type = if options.bits == 32 { "long_integer" } else { "unsigned_short" };
    header_with_keys(
        pixel_type,
        &[
            ("SIZE1", fast.to_string()),
            ("SIZE2", slow.to_string()),
            ("PIXEL_SIZE", g(layout.pixel_m * 1000.0)),
            ("DISTANCE", g(options.distance_m * 1000.0)),
            ("WAVELENGTH", g(options.lambda_angstrom)),
            ("BEAM_CENTER_X", g(x_m * 1000.0)),
            ("BEAM_CENTER_Y", g((size_m[1] - y_m) * 1000.0)),
            ("PHI", g(options.phi_deg)),
            ("OSC_START", g(options.phi_deg)),
            ("OSC_RANGE", g(options.osc_deg)),
            ("DETECTOR_SN", "000".to_owned()),
            ("BEAMLINE", "fake".to_owned()),
        ],
    )
}
