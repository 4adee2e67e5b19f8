//! Resolution of pixels, and resolution rings.
//!
//! d = lambda / (2 sin theta), where 2 theta is the angle between the direct beam and the direction from the
//! sample to the pixel. Of a detector that an image header describes, the header states where the direct beam
//! and the foot of the normal are, so that d is right for a tilted detector as well.
//! Cost: one square root a pixel.

use core::f64::consts::FRAC_PI_2;
use core::fmt::Debug;

use rayon::prelude::*;
use widebragg::beam::Source;
use widebragg::detector::Detector;
use widebragg::rotation::rotate_axis;
use widebragg::vector::Vec3;
use widebragg_formats::image::FlatDetector;
use widebragg_formats::memory::filled;

use crate::experiment::Experiment;
use crate::failure::{Failure, Part};
use crate::panels::DetectorPanel;

/// Largest number of rings.
const RINGS: usize = 4;

/// Resolution of points of a detector.
pub trait Resolution: Debug + Sync {
    /// Resolution at a point, in Angstrom; infinite in the direct beam, not a number where there is no detector.
    fn d_angstrom(&self, point_px: [f64; 2]) -> f64;

    /// Round resolutions, in Angstrom, whose rings are about evenly spaced over a rectangle; the coarsest
    /// first.
    fn rings_angstrom(&self, corner_px: [f64; 2], size_px: [f64; 2]) -> Vec<f64>;
}

impl Resolution for FlatDetector {
    fn d_angstrom(&self, point_px: [f64; 2]) -> f64 {
        let ray = |[x, y]: [f64; 2]| {
            let [foot_x, foot_y] = self.foot_px;
            [(x - foot_x) * self.pixel_m, (y - foot_y) * self.pixel_m, self.distance_m]
        };
        spacing_angstrom(ray(point_px).into(), ray(self.beam_px).into(), self.lambda_m)
    }

    fn rings_angstrom(&self, corner_px: [f64; 2], size_px: [f64; 2]) -> Vec<f64> {
        let [x, y] = corner_px;
        let [width, height] = size_px;
        let corners = [[x, y], [x + width, y], [x, y + height], [x + width, y + height]];
        rings_up_to_corners(corners.into_iter().map(|corner| self.d_angstrom(corner)))
    }
}

/// The resolution where the direction from the sample is `position_m`, in Angstrom; infinite along the beam.
pub(crate) fn spacing_angstrom(position_m: Vec3, beam: Vec3, lambda_m: f64) -> f64 {
    let cosine = position_m.dot(beam) / (position_m.dot(position_m) * beam.dot(beam)).sqrt();
    // sin(theta) from cos(2 theta).
    let sine = ((1.0 - cosine).max(0.0) / 2.0).sqrt();
    lambda_m * 1e10 / (2.0 * sine)
}

/// Round resolutions up to the finest of the corners of a detector, the coarsest first.
pub(crate) fn rings_up_to_corners(corners_angstrom: impl Iterator<Item = f64>) -> Vec<f64> {
    let finest = corners_angstrom.fold(f64::INFINITY, f64::min);
    if finest.is_nan() || finest <= 0.0 || finest.is_infinite() {
        return Vec::new();
    }
    // Radii are proportional to 1 / d for small angles.
    let mut rings: Vec<f64> = (1..=RINGS).map(|n| round(finest * RINGS as f64 / (n as f64 - 0.3))).collect();
    rings.dedup();
    rings
}

/// |s| = 2 sin(theta) / lambda at the centre of every pixel of the stack, about the first source, in 1/Angstrom.
///
/// # Errors
/// No memory.
pub fn scattering_lengths(experiment: &Experiment) -> Result<Vec<f32>, Failure> {
    let mut lengths = filled(experiment.pixels(), 0f32)
        .ok_or_else(|| Failure::no_memory(Part::Selection, "the resolutions of the pixels"))?;
    let incident = experiment.sources.first().map_or(experiment.frame.beam, |source| source.incident);
    let per_angstrom = 1e-10 / experiment.lambda0_m;
    lengths.par_chunks_mut(experiment.columns()).enumerate().for_each(|(row, lengths)| {
        let Some((panel, slow)) = experiment.panel_of_row(row) else { return };
        let detector = &experiment.panels[panel].detector;
        for (fast, length) in lengths.iter_mut().enumerate() {
            let diffracted = pixel_position_m(detector, [fast, slow]).try_normalize();
            let s = diffracted.unwrap_or(incident) - incident;
            *length = (s.length() * per_angstrom) as f32;
        }
    });
    Ok(lengths)
}

/// Largest |s| = 2 sin(theta) / lambda that a source and a point of the detector make, in 1/Angstrom: no image reaches
/// reflections with a smaller spacing than its inverse.
///
/// Directions within an angle below 90 degrees of a source are a convex cone, so the largest angle is that of a corner.
/// A detector with a corner beyond 90 degrees, along the bend of a curved one, counts as one all around the sample.
#[must_use]
pub fn largest_scattering_length(experiment: &Experiment) -> f64 {
    let of_panel = |panel: &DetectorPanel| largest_of_panel(panel, &experiment.sources);
    experiment.panels.iter().map(of_panel).fold(0.0, f64::max)
}

/// [`largest_scattering_length`] of a panel.
fn largest_of_panel(panel: &DetectorPanel, sources: &[Source]) -> f64 {
    let detector = &panel.detector;
    let [fast, slow] = [detector.fast_pixels, detector.slow_pixels].map(|pixels| pixels as f64);
    let corners_m: Vec<Vec3> = [[0.0, 0.0], [fast, 0.0], [0.0, slow], [fast, slow]]
        .into_iter()
        .map(|corner_px| flat_position_m(detector, corner_px))
        .flat_map(|corner| [corner, corner + panel.sensor.thickness_m() * detector.normal])
        .collect();
    let is_bent_back =
        |&corner: &Vec3| bend_rad(detector, corner).iter().any(|angle| angle.abs() > FRAC_PI_2);
    let is_around = detector.curved && corners_m.iter().any(is_bent_back);
    let corners: Vec<Vec3> =
        corners_m.into_iter().filter_map(|corner| bent(detector, corner).try_normalize()).collect();
    let length = |source: &Source| {
        let lengths = corners.iter().map(|&corner| match corner.dot(source.incident) {
            cosine if cosine > 0.0 && !is_around => (corner - source.incident).length(),
            _ => 2.0,
        });
        lengths.fold(0.0, f64::max) * 1e-10 / source.lambda_m
    };
    sources.iter().map(length).fold(0.0, f64::max)
}

/// Position of the centre of a pixel (fast, slow) relative to the sample, in m.
#[must_use]
pub fn pixel_position_m(detector: &Detector, [fast, slow]: [usize; 2]) -> Vec3 {
    bent(detector, flat_position_m(detector, [fast, slow].map(|index| index as f64 + 0.5)))
}

/// Position relative to the sample, in m, of a point (fast, slow) of the detector, counted in pixels from its corner,
/// before it is bent.
fn flat_position_m(detector: &Detector, point_px: [f64; 2]) -> Vec3 {
    let [fast_m, slow_m] = point_px.map(|along_px| along_px * detector.pixel_m);
    detector.pix0_m + slow_m * detector.slow + fast_m * detector.fast
}

/// The place of a point of the detector, which a curved one lays on a sphere around the sample: the point where the beam
/// meets the detector is rotated about the slow axis, then about the fast axis.
fn bent(detector: &Detector, flat_m: Vec3) -> Vec3 {
    if !detector.curved {
        return flat_m;
    }
    let spot = detector.distance_m * detector.beam;
    let [about_slow_rad, about_fast_rad] = bend_rad(detector, flat_m);
    rotate_axis(rotate_axis(spot, detector.slow, about_slow_rad), detector.fast, about_fast_rad)
}

/// Angles of a curved detector about its slow and its fast axis, whose arcs are y and z of the flat position.
fn bend_rad(detector: &Detector, flat_m: Vec3) -> [f64; 2] {
    [flat_m.y, flat_m.z].map(|length_m| length_m / detector.distance_m)
}

/// Rounds to two significant digits.
fn round(value: f64) -> f64 {
    let unit = 10f64.powf(value.log10().floor() - 1.0);
    (value / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use widebragg::carryover::Carryover;
    use widebragg::crystal::{CellSource, UnitCell};
    use widebragg::detector::DetectorParameters;
    use widebragg::sampling::OversampleRequest;
    use widebragg::scene::DetectorInput;

    use super::*;
    use crate::parameters::{PanelParameters, Parameters};

    /// A small, tilted detector, flat or curved.
    fn experiment(curved: bool) -> Experiment {
        let detector = DetectorParameters {
            fast_pixels: 20,
            slow_pixels: 16,
            pixel_m: 4e-3,
            fast_size_m: 0.08,
            slow_size_m: 0.064,
            rotation_rad: [0.1, 0.2, -0.1],
            curved,
            ..DetectorParameters::default()
        };
        let cell = UnitCell::from_degrees([70.0, 80.0, 90.0], [90.0; 3]);
        let defaults = Parameters::new(CellSource::Cell(cell));
        let detector = DetectorInput::Parameters(detector);
        let panel = PanelParameters { detector, ..PanelParameters::default() };
        let parameters = Parameters {
            panels: vec![panel],
            cells: [5.0; 3],
            default_f: 100.0,
            oversample: OversampleRequest { per_axis: Some(1), ..OversampleRequest::default() },
            ..defaults
        };
        Experiment::new(parameters, |_| ()).unwrap()
    }

    #[test]
    fn no_pixel_scatters_beyond_the_largest_length() {
        for curved in [false, true] {
            let experiment = experiment(curved);
            let largest = largest_scattering_length(&experiment);
            let of_pixels = scattering_lengths(&experiment).unwrap();
            let most = of_pixels.iter().fold(0.0, |most: f64, &length| most.max(f64::from(length)));
            // The outer corner of a pixel is half a pixel from its centre.
            assert!(most < largest && most > 0.9 * largest, "{curved}: {most} {largest}");
        }
        let mut behind = experiment(false);
        let pix0_m = &mut behind.panels[0].detector.pix0_m;
        *pix0_m = -1.0 * *pix0_m;
        let longest = 2e-10 / behind.lambda0_m;
        assert!((largest_scattering_length(&behind) - longest).abs() < 1e-12 * longest);
        // Bent by 6 rad to each side, so that its corners meet in front again.
        let mut around = experiment(true);
        around.panels[0].detector.distance_m = 0.5 * 0.08 / 6.0;
        assert!((largest_scattering_length(&around) - longest).abs() < 1e-12 * longest);
    }

    #[test]
    fn positions_and_scattering_vectors_are_those_of_the_render_loop() {
        for curved in [false, true] {
            let experiment = experiment(curved);
            let lengths = scattering_lengths(&experiment).unwrap();
            let mut orientations = experiment.orientation_buffer().unwrap();
            let scene = experiment.scene(0, 0, &mut orientations).unwrap();
            for (fast, slow) in [(0, 0), (19, 0), (7, 11), (19, 15)] {
                let mut found = None;
                scene.probe_pixel(slow, fast, &Carryover::Off, &mut |step| found = Some(*step)).unwrap();
                let step = found.unwrap();
                let position = pixel_position_m(&experiment.panels[0].detector, [fast, slow]);
                assert!((position - step.position_m).length() < 1e-12, "{curved} {fast} {slow}");
                let expected = step.scattering_per_m.length() * 1e-10;
                let found = f64::from(lengths[slow * 20 + fast]);
                assert!((found - expected).abs() < 1e-6 * expected, "{curved}: {found}, expected {expected}");
            }
        }
    }

    #[test]
    fn resolutions_of_a_flat_and_of_a_tilted_detector() {
        let flat = FlatDetector {
            pixel_m: 1e-4,
            lambda_m: 1e-10,
            distance_m: 0.1,
            foot_px: [500.0, 400.0],
            beam_px: [500.0, 400.0],
        };
        assert!(flat.d_angstrom([500.0, 400.0]).is_infinite());
        // 45 degrees at a radius of the distance.
        let at_45 = 1.0 / (2.0 * 22.5f64.to_radians().sin());
        assert!((flat.d_angstrom([1500.0, 400.0]) - at_45).abs() < 1e-12);
        assert!((flat.d_angstrom([500.0, -600.0]) - at_45).abs() < 1e-12);
        // Swung by 45 degrees about the sample: the foot of the normal is at 45 degrees, the beam 1000 pixels
        // off.
        let swung = FlatDetector { beam_px: [-500.0, 400.0], ..flat };
        assert!((swung.d_angstrom([500.0, 400.0]) - at_45).abs() < 1e-12);
        let rings = flat.rings_angstrom([0.0, 0.0], [1000.0, 800.0]);
        assert_eq!(rings.len(), 4);
        assert!(rings.windows(2).all(|pair| pair[0] > pair[1]));
        assert!(rings.iter().all(|d| *d > flat.d_angstrom([0.0, 0.0])));
    }
}
