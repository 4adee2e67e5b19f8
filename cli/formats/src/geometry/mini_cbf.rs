//! The geometry in the `# Key value` lines of a miniCBF image, of a detector that is perpendicular to the beam.
//!
//! `Beam_xy` is where the beam meets the detector, in pixels from the outer corner of the first one, and
//! `Detector_distance` the distance along the beam. The frame is that of [`super::smv`]: no line says where fast and slow
//! point.
//!
//! Source: DECTRIS, "Pilatus CBF header specification" 1.4.

use std::path::Path;

use super::smv::Square;
use super::{GeometryFile, Held, Panel, Scan, Sensor};
use crate::cbf::header_numbers;
use crate::failure::Failure;
use crate::text::in_file;

/// Keys that are handed on as they are.
const HELD: [&str; 6] = ["Detector:", "Oscillation_axis", "Polarization", "Flux", "Kappa", "Chi"];

/// Reads the text before the pixels.
pub(super) fn parse(text: &str, path: &Path) -> Result<GeometryFile, Failure> {
    let numbers =
        |key: &str| header_numbers(text, key).map(Iterator::collect::<Vec<f64>>).unwrap_or_default();
    let number = |key: &str| numbers(key).first().copied().filter(|number| number.is_finite());
    let positive = |key: &str| {
        number(key)
            .filter(|&number| number > 0.0)
            .ok_or_else(|| in_file(path, format!("no usable {key} in its header")))
    };
    let size = |key: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let pixels = value.and_then(|value| value.trim().parse::<i32>().ok()).filter(|&pixels| pixels > 0);
        pixels
            .map(|pixels| pixels as usize)
            .ok_or_else(|| in_file(path, format!("no usable {key} in its header")))
    };
    let pixels = [size("X-Binary-Size-Fastest-Dimension")?, size("X-Binary-Size-Second-Dimension")?];
    let two = |key: &str| match numbers(key)[..] {
        [x, y, ..] if x.is_finite() && y.is_finite() => Ok([x, y]),
        _ => Err(in_file(path, format!("no usable {key} in its header"))),
    };
    let pixel_m = two("Pixel_size")?;
    if !pixel_m.iter().all(|&edge_m| edge_m > 0.0) {
        return Err(in_file(path, "no usable Pixel_size in its header"));
    }
    let [x_px, y_px] = two("Beam_xy")?;
    let square =
        Square { distance_m: positive("Detector_distance")?, beam_m: [x_px * pixel_m[0], y_px * pixel_m[1]] };
    let panel = square.placed(Panel {
        name: "0".to_owned(),
        pixels,
        data_origin: [0, 0],
        pixel_m,
        origin_m: [0.0; 3],
        fast: [0.0; 3],
        slow: [0.0; 3],
        sensor: sensor(text),
        valid: [Some(0.0), number("Count_cutoff").filter(|&counts| counts > 0.0)],
    });
    let lambda_m = positive("Wavelength")? * 1e-10;
    let width_deg = number("Angle_increment").filter(|&width_deg| width_deg != 0.0);
    let scan = width_deg.map(|width_deg| Scan {
        first: 1,
        frames: 1,
        start_deg: number("Start_angle").unwrap_or(0.0),
        width_deg,
        exposure_s: number("Exposure_time").filter(|&time| time > 0.0),
    });
    let mut file = GeometryFile::of("miniCBF image", Square::geometry(panel, Some(lambda_m), scan));
    if let Some(swing_deg) = number("Detector_2theta").filter(|&swing_deg| swing_deg != 0.0) {
        file.warnings.push(format!(
            "Detector_2theta of {swing_deg} degrees is not applied: the header does not say about which axis it is."
        ));
    }
    for key in HELD {
        let line = text.lines().find_map(|line| line.strip_prefix("# ")?.strip_prefix(key));
        if let Some(value) = line {
            let name = key.trim_end_matches(':').to_owned();
            file.held.push(Held { name, value: value.trim().to_owned() });
        }
    }
    Ok(file)
}

/// The sensor of a line such as `# Silicon sensor, thickness 0.000320 m`.
pub(super) fn sensor(text: &str) -> Option<Sensor> {
    let (material, rest) =
        text.lines().find_map(|line| line.strip_prefix("# ")?.split_once(" sensor, thickness"))?;
    let thickness_m = rest.split_whitespace().next()?.parse::<f64>().ok()?;
    let is_thick = thickness_m > 0.0 && thickness_m.is_finite();
    is_thick.then(|| Sensor { material: Some(material.to_owned()), thickness_m, attenuation_per_m: None })
}
