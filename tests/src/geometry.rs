//! What every geometry must keep, whatever the bytes of its file; the fuzz target `geometry` and a test of mutated
//! seeds share it.

use std::path::Path;

use widebragg_formats::expt::ExperimentList;
use widebragg_formats::geometry::{Geometry, Panel, parse_geometry};
use widebragg_formats::xds_inp::XdsInp;

/// Panels of up to so many pixels have their bad ones looked at.
const MOST_PIXELS: usize = 1 << 16;

/// Reads the geometry that `bytes` hold, named `name`, and checks all that is read. Returns the refusal, which begins
/// with the name.
///
/// # Panics
/// When a number is not finite, a direction has not the length 1, a panel has no pixels, or what the experiment list or
/// the `XDS.INP` of the geometry gives is not the same.
pub fn check(bytes: &[u8], name: &str) -> Option<String> {
    let path = Path::new(name);
    let file = match parse_geometry(&mut &bytes[..], path, 0) {
        Ok(file) => file,
        Err(failure) => return Some(failure.to_string()),
    };
    check_geometry(&file.geometry);
    check_geometry(&file.at_frame(0));
    check_geometry(&file.at_frame(usize::MAX));
    for (number, panel) in file.geometry.panels.iter().enumerate().take(100) {
        if panel.pixels[0].saturating_mul(panel.pixels[1]) <= MOST_PIXELS && file.bad.len() < 100 {
            let bad = file.bad_pixels(number).expect("there is memory for a small panel");
            assert!(bad.is_none_or(|bad| bad.len() == panel.pixels[0] * panel.pixels[1]));
        }
    }
    assert!(file.warnings.iter().all(|warning| !warning.contains(char::is_control)), "{:?}", file.warnings);
    let frames = file.geometry.scan.map_or(0, |scan| scan.frames);
    if file.geometry.beam.lambda_m.is_some() && frames < 1000 {
        check_written(&file.geometry);
        check_xds_inp(&file.geometry);
    }
    None
}

fn check_geometry(geometry: &Geometry) {
    let is_unit = |v: [f64; 3]| (v.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-12;
    assert!(is_unit(geometry.beam.direction) && geometry.spindle.is_none_or(is_unit), "{geometry:?}");
    assert!(geometry.beam.lambda_m.is_none_or(|lambda_m| lambda_m > 0.0 && lambda_m.is_finite()));
    if let Some(polarization) = geometry.beam.polarization {
        assert!(is_unit(polarization.electric_vector) && polarization.kahn_factor.abs() <= 1.0);
    }
    assert!(!geometry.panels.is_empty());
    for panel in &geometry.panels {
        assert!(is_unit(panel.fast) && is_unit(panel.slow), "{panel:?}");
        assert!(panel.pixels.iter().all(|&count| count > 0), "{panel:?}");
        assert!(panel.pixel_m.iter().all(|&edge| edge > 0.0 && edge.is_finite()), "{panel:?}");
        assert!(panel.origin_m.iter().all(|length| length.is_finite()), "{panel:?}");
    }
    if let Some(scan) = geometry.scan {
        assert!(scan.frames > 0 && scan.start_deg.is_finite() && scan.width_deg.is_finite(), "{scan:?}");
        assert!(scan.width_deg != 0.0, "{scan:?}");
    }
    if let Some(crystal) = &geometry.crystal {
        let matrices = crystal.a_at_frames.iter().chain([&crystal.a_matrix]);
        assert!(matrices.flatten().flatten().all(|component| component.is_finite()), "{crystal:?}");
    }
}

/// Writes the geometry as an experiment list and reads that. What a list cannot hold (an A matrix without inverse,
/// lengths that overflow in mm) is refused by either.
fn check_written(geometry: &Geometry) {
    let list = ExperimentList {
        geometry: geometry.clone(),
        other_crystals: Vec::new(),
        pedestal: 0.0,
        images: None,
    };
    let Ok(json) = list.json() else { return };
    let Ok(read) = parse_geometry(&mut json.to_string().as_bytes(), Path::new("written.expt"), 0) else {
        return;
    };
    let (ours, read) = (geometry, read.geometry);
    assert_eq!(ours.panels.len(), read.panels.len());
    for (ours, read) in ours.panels.iter().zip(&read.panels) {
        assert_eq!(ours.pixels, read.pixels);
        let close = |one: &[f64], other: &[f64], scale: f64| {
            assert!(
                one.iter().zip(other).all(|(one, other)| (one - other).abs() <= 1e-14 * scale),
                "{ours:?} {read:?}"
            );
        };
        close(&ours.fast, &read.fast, 1.0);
        close(&ours.slow, &read.slow, 1.0);
        close(
            &ours.origin_m,
            &read.origin_m,
            ours.origin_m.iter().fold(0.0, |most, x| f64::max(most, x.abs())),
        );
    }
    assert_eq!(
        ours.scan.map(|scan| (scan.first, scan.frames)),
        read.scan.map(|scan| (scan.first, scan.frames))
    );
}

/// Writes the geometry as `XDS.INP` and reads that: panels have the same pixels and diagonals. What XDS cannot hold, and
/// lengths that overflow or vanish in mm, are refused by either.
fn check_xds_inp(ours: &Geometry) {
    let Ok(text) = XdsInp::new(ours.clone()).text() else { return };
    let Ok(read) = parse_geometry(&mut text.as_bytes(), Path::new("XDS.INP"), 0) else { return };
    assert_eq!(ours.panels.len(), read.geometry.panels.len());
    let size = |panel: &Panel| {
        let far = panel.position_m(panel.pixels.map(|count| count as f64));
        far.iter().zip(panel.origin_m).map(|(far, near)| (far - near).powi(2)).sum::<f64>().sqrt()
    };
    for (ours, read) in ours.panels.iter().zip(&read.geometry.panels) {
        assert_eq!((ours.pixels, ours.data_origin), (read.pixels, read.data_origin));
        let (one, other) = (size(ours), size(read));
        let scale = ours.origin_m.iter().fold(one, |most, x| f64::max(most, x.abs()));
        assert!((one - other).abs() <= 1e-8 * scale || !scale.is_finite(), "{ours:?} {read:?}");
    }
}
