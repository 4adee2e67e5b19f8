//! What must hold for any bytes that are read as HDF5.

use std::path::Path;

use widebragg_formats::failure::Failure;
use widebragg_formats::geometry::Geometry;
use widebragg_formats::hdf5::Hdf5;
use widebragg_formats::image::ImageReader;
use widebragg_formats::registry::geometry_of_file;

/// Names of frames in the seeds.
const FRAMES: [&str; 7] =
    ["", ":0", ":1", ":/images:2", ":/data/data:1", ":/data/more:0", ":/entry/instrument/detector/data:1"];

/// Reads images and geometry of the file, and gives `refused` every failure. What is read is checked.
///
/// # Panics
/// Where what is read is not as the readers promise.
pub fn check(path: &Path, refused: impl Fn(&Failure)) {
    for rest in FRAMES {
        let name = format!("{}{rest}", path.display());
        match Hdf5.read(Path::new(&name), None) {
            Ok(image) => {
                assert_eq!(image.pixels.len(), image.fast * image.slow);
                assert!(
                    image.detector.is_none_or(|detector| detector.pixel_m > 0.0 && detector.distance_m > 0.0)
                );
            }
            Err(failure) => refused(&failure),
        }
    }
    match geometry_of_file(path, 0) {
        Ok(file) => {
            check_geometry(&file.geometry);
            for (panel, own) in file.geometry.panels.iter().enumerate() {
                match file.bad_pixels(panel) {
                    Ok(bad) => assert!(bad.is_none_or(|bad| bad.len() == own.pixels[0] * own.pixels[1])),
                    Err(failure) => refused(&failure),
                }
            }
        }
        Err(failure) => refused(&failure),
    }
}

fn check_geometry(geometry: &Geometry) {
    assert!(!geometry.panels.is_empty());
    assert!(geometry.beam.lambda_m.is_none_or(|lambda_m| lambda_m > 0.0 && lambda_m.is_finite()));
    for panel in &geometry.panels {
        assert!(
            panel.pixels.iter().all(|&pixels| pixels > 0) && panel.pixel_m.iter().all(|&edge_m| edge_m > 0.0)
        );
        for axis in [panel.fast, panel.slow].into_iter().chain(geometry.spindle) {
            let length = axis.iter().map(|component| component * component).sum::<f64>().sqrt();
            assert!((length - 1.0).abs() < 1e-9, "{axis:?}");
        }
    }
}
