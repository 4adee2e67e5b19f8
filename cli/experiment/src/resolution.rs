//! Resolution of pixels, and resolution rings.
//!
//! d = lambda / (2 sin theta), where 2 theta is the angle between the direct beam and the direction from the
//! sample to the pixel. Of a detector that an image header describes, the header states where the direct beam
//! and the foot of the normal are, so that d is right for a tilted detector as well.
//! Cost: one square root a pixel.

use rayon::prelude::*;
use widebragg::vector::Vec3;
use widebragg_formats::image::FlatDetector;
use widebragg_formats::memory::filled;

use crate::experiment::Experiment;
use crate::failure::{Failure, Part};

/// Largest number of rings.
const RINGS: usize = 4;

/// Resolution of points of a detector.
pub trait Resolution {
    /// Resolution at a point, in Angstrom; infinite in the direct beam.
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
        let (p, beam) = (ray(point_px), ray(self.beam_px));
        let dot = |u: [f64; 3], v: [f64; 3]| u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
        let cosine = dot(p, beam) / (dot(p, p) * dot(beam, beam)).sqrt();
        // sin(theta) from cos(2 theta).
        let sine = ((1.0 - cosine).max(0.0) / 2.0).sqrt();
        self.lambda_m * 1e10 / (2.0 * sine)
    }

    fn rings_angstrom(&self, corner_px: [f64; 2], size_px: [f64; 2]) -> Vec<f64> {
        let [x, y] = corner_px;
        let [width, height] = size_px;
        let corners = [[x, y], [x + width, y], [x, y + height], [x + width, y + height]];
        let finest = corners.map(|corner| self.d_angstrom(corner)).into_iter().fold(f64::INFINITY, f64::min);
        if finest.is_nan() || finest <= 0.0 || finest.is_infinite() {
            return Vec::new();
        }
        // Radii are proportional to 1 / d for small angles.
        let mut rings: Vec<f64> =
            (1..=RINGS).map(|n| round(finest * RINGS as f64 / (n as f64 - 0.3))).collect();
        rings.dedup();
        rings
    }
}

/// |s| = 2 sin(theta) / lambda at the centre of every pixel, in 1/Angstrom.
///
/// # Errors
/// No memory.
pub fn scattering_lengths(experiment: &Experiment) -> Result<Vec<f32>, Failure> {
    let detector = &experiment.detector;
    let mut lengths = filled(detector.pixels(), 0f32)
        .ok_or_else(|| Failure::no_memory(Part::Selection, "the resolutions of the pixels"))?;
    let incident = experiment.sources.first().map_or(detector.beam, |source| source.incident);
    let per_angstrom = 1e-10 / experiment.lambda0_m;
    let middle = |i: usize| (i as f64 + 0.5) * detector.pixel_m;
    lengths.par_chunks_mut(detector.fast_pixels).enumerate().for_each(|(slow, row)| {
        let start: Vec3 = detector.pix0_m + middle(slow) * detector.slow;
        for (fast, length) in row.iter_mut().enumerate() {
            let place = start + middle(fast) * detector.fast;
            let s = place.checked_unit().unwrap_or(incident) - incident;
            *length = (s.length() * per_angstrom) as f32;
        }
    });
    Ok(lengths)
}

/// Rounds to two significant digits.
fn round(value: f64) -> f64 {
    let unit = 10f64.powf(value.log10().floor() - 1.0);
    (value / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::*;

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
