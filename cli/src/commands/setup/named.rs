//! What `--detector` says: pixels, gaps, and what the user should know of them.

use widebragg::detector::DetectorParameters;
use widebragg_experiment::detectors::NamedDetector;
use widebragg_experiment::sensor_material::SensorMaterial;
use widebragg_formats::format_g::format_g;

use super::sensor::GivenSensor;
use crate::error::Failure;
use crate::options::Options;

/// Pixels along fast and slow, where no other option gives the size of the axis.
pub(super) fn pixels(options: &Options) -> [Option<usize>; 2] {
    let Some([fast, slow]) = options.detector.map(NamedDetector::pixels) else { return [None; 2] };
    [(fast, options.detsize_f_m), (slow, options.detsize_s_m)]
        .map(|(pixels, size_m)| size_m.is_none().then_some(pixels))
}

/// The mask of a file with the gaps of the detector, for the detector as it is placed.
///
/// # Errors
/// No memory for the gaps.
pub(super) fn with_gaps(
    options: &Options,
    placed: &DetectorParameters,
    mask: Option<Vec<u16>>,
    warn: &mut dyn FnMut(String),
) -> Result<Option<Vec<u16>>, Failure> {
    let Some(detector) = options.detector else { return Ok(mask) };
    let material = GivenSensor::new(options).material;
    replaced(options, detector).into_iter().for_each(&mut *warn);
    doubts(options, detector, material).into_iter().for_each(&mut *warn);
    if !detector.has_gaps(material) {
        return Ok(mask);
    }
    if detector.pixels() != [placed.fast_pixels, placed.slow_pixels] {
        warn(format!(
            "--detector {}: its gaps are not masked, since the image has other pixels",
            detector.name
        ));
        return Ok(mask);
    }
    let mut gaps = detector
        .mask(material)
        .ok_or_else(|| Failure::input(format!("--detector {}: no memory for its gaps", detector.name)))?;
    if let Some(mask) = mask {
        gaps.iter_mut().zip(mask).filter(|(_, given)| *given == 0).for_each(|(pixel, _)| *pixel = 0);
    }
    Ok(Some(gaps))
}

/// A line for each size of the detector that another option replaces.
fn replaced(options: &Options, detector: &NamedDetector) -> Vec<String> {
    let mm = |length_m: f64| format_g(length_m * 1e3);
    let pixel = options
        .pixel_m
        .filter(|&pixel_m| pixel_m != detector.pixel_m())
        .map(|pixel_m| (format!("-pixel {}", mm(pixel_m)), format!("{} mm", format_g(detector.pixel_mm))));
    let [fast, slow] = detector.pixels();
    let along = |axis: &str, pixels: Option<usize>, size_m: Option<f64>, own: usize| {
        let by_pixels = pixels.map(|pixels| (pixels != own, format!("-detpixels_{axis} {pixels}")));
        let by_size = size_m.map(|size_m| (true, format!("-detsize_{axis} {}", mm(size_m))));
        let (differs, option) = by_pixels.or(by_size)?;
        differs.then(|| (option, format!("{own} pixels")))
    };
    let fast = along("x", options.detpixels_f, options.detsize_f_m, fast);
    let slow = along("y", options.detpixels_s, options.detsize_s_m, slow);
    let line =
        |(option, own)| format!("{option} is used instead of the {own} of --detector {}", detector.name);
    [pixel, fast, slow].into_iter().flatten().map(line).collect()
}

/// What is uncertain about the detector, or left to the user.
fn doubts(options: &Options, detector: &NamedDetector, material: Option<SensorMaterial>) -> Vec<String> {
    let name = detector.name;
    let geometry = detector.doubt.map(|doubt| format!("--detector {name}: {doubt}"));
    let seam = detector.seam(material).map(|[first, last]| {
        format!(
            "--detector {name}: columns {first} to {last} of each module, where two halves of CdTe meet, are masked; pyFAI is the \
             only source of this"
        )
    });
    let by_hand = options.detector_thick_m.is_some() || options.detector_abs.is_some();
    let is_open = material.is_none() && !detector.variants().is_empty() && !by_hand;
    let sensor = is_open.then(|| {
        let variants = detector.variants().iter();
        let variants: Vec<_> = variants
            .map(|variant| format!("{} um of {}", format_g(variant.thickness_um), variant.material.name()))
            .collect();
        let (variants, material) = (variants.join(" or "), detector.variants()[0].material.name());
        format!(
            "--detector {name}: its sensor has {variants}, of which none is simulated: --sensor {material}, for example, chooses"
        )
    });
    [geometry, seam, sensor].into_iter().flatten().collect()
}
