//! The geometry in the `# Key value` lines of a miniCBF image, of a detector that is perpendicular to the beam.
//!
//! `Beam_xy` is where the beam meets the detector, in pixels from the outer corner of the first one, and
//! `Detector_distance` the distance along the beam. The frame is that of [`super::smv`]: no line says where fast and
//! slow point.
//!
//! Source: DECTRIS, "Pilatus CBF header specification" 1.4.

use std::path::Path;

use super::smv::{NO_START, Square};
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
    if width_deg.is_some() && number("Start_angle").is_none() {
        file.warnings.push(NO_START.to_owned());
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::geometry::Frame;

    const TEXT: &str = "###CBF: VERSION 1.5\n# Detector: PILATUS 2M, S/N 24-0107\n# Pixel_size 172e-6 m x 100e-6 m\n\
                        # Silicon sensor, thickness 0.000320 m\n# Exposure_time 0.095 s\n# Count_cutoff 1048500 counts\n\
                        # Wavelength 0.976800 A\n# Start_angle 12.5 deg.\n# Angle_increment 0.1 deg.\n\
                        # Detector_distance 0.2 m\n# Beam_xy (100.5, 80.25) pixels\n# Polarization 0.990\n\
                        X-Binary-Size-Fastest-Dimension: 487\nX-Binary-Size-Second-Dimension: 195\n";

    fn read(text: &str) -> Result<GeometryFile, String> {
        parse(text, Path::new("a.cbf")).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_detector_square_to_the_beam() {
        let file = read(TEXT).unwrap();
        assert_eq!(read(&TEXT.replace('\n', "\r\n")).unwrap(), file);
        let geometry = &file.geometry;
        let panel = &geometry.panels[0];
        assert_eq!(
            (geometry.frame, panel.pixels, panel.pixel_m),
            (Frame::Mosflm, [487, 195], [172e-6, 1e-4])
        );
        let [x, y, z] = panel.origin_m;
        assert!(
            (x - 0.2).abs() < 1e-16 && (y - 80.25e-4).abs() < 1e-17 && (z + 100.5 * 172e-6).abs() < 1e-17
        );
        assert_eq!(geometry.beam.lambda_m, Some(0.9768 * 1e-10));
        let scan = Scan { first: 1, frames: 1, start_deg: 12.5, width_deg: 0.1, exposure_s: Some(0.095) };
        assert_eq!((geometry.scan, geometry.spindle), (Some(scan), Some([0.0, 0.0, 1.0])));
        let sensor = panel.sensor.clone().unwrap();
        assert_eq!((sensor.material.as_deref(), sensor.thickness_m), (Some("Silicon"), 0.00032));
        assert_eq!(panel.valid, [Some(0.0), Some(1_048_500.0)]);
        let held: Vec<_> = file.held.iter().map(|held| (held.name.as_str(), held.value.as_str())).collect();
        assert_eq!(held, [("Detector", "PILATUS 2M, S/N 24-0107"), ("Polarization", "0.990")]);
        assert_eq!(file.warnings, Vec::<String>::new());
        let unknown = read(&TEXT.replace("Start_angle", "Begin")).unwrap();
        assert!(unknown.warnings[0].contains("where the rotation starts"), "{:?}", unknown.warnings);
        let swung = read(&format!("{TEXT}# Detector_2theta 10.0 deg.\n")).unwrap();
        assert!(
            swung.warnings[0].starts_with("Detector_2theta of 10 degrees is not applied"),
            "{:?}",
            swung.warnings
        );
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        for (from, to, key) in [
            ("Beam_xy", "Beam", "Beam_xy"),
            ("100.5, 80.25", "100.5", "Beam_xy"),
            ("100.5, 80.25", "nan, 80.25", "Beam_xy"),
            ("172e-6 m x 100e-6", "172e-6 m x 0", "Pixel_size"),
            ("172e-6 m x 100e-6", "172e-6", "Pixel_size"),
            ("Detector_distance 0.2", "Detector_distance -0.2", "Detector_distance"),
            ("Wavelength 0.976800", "Wavelength inf", "Wavelength"),
            ("Dimension: 487", "Dimension: -1", "X-Binary-Size-Fastest-Dimension"),
            ("Second-Dimension", "Second", "X-Binary-Size-Second-Dimension"),
        ] {
            let message = read(&TEXT.replace(from, to)).unwrap_err();
            assert_eq!(message, format!("a.cbf: no usable {key} in its header"), "{to}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(at in 0..TEXT.len(), piece in ".{0,8}", length in 0_usize..20) {
            let end = (at + length).min(TEXT.len());
            let _ = read(&format!("{}{piece}{}", &TEXT[..at], &TEXT[end..]));
        }
    }
}
