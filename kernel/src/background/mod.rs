//! The background: what amorphous matter in the beam scatters, as a radial function of s = sin(theta)/lambda.
//!
//! Two ways to the same photons. Spec has [`AmorphousMatter`], which adds whole rows over lanes, from a [`Curve`] or a
//! [`Profile`]. [`Background`] and [`RadialTable`], of which the rest of this page is, are the reference's.
//!
//! **Formulas.** A [`RadialTable`] gives F(s) in electrons for a molecule. A pixel gets, summed over its subpixels
//! and the sources,
//!
//! ```text
//! d       = P/|P|     s = |d - i|/(2 lambda)
//! photons = r_e^2 fluence molecules/steps  sum of  sign(F) F^2 polarisation omega capture weight
//! capture = exp(-z/(d . o)) - exp(-(z + z1)/(d . o))
//! ```
//!
//! **Symbols and units.** P: position of a subpixel as in [`detector`](crate::detector), in m; i: unit vector of the
//! incident beam; lambda in m; omega: solid angle of the pixel at the subpixel, in sr, 1/|P|^2 for point pixels;
//! steps: sources times subpixels. The polarisation is that of [`beam`](crate::beam), for each subpixel and source. o: normal
//! of the detector; z, z1: depth and thickness of a layer of its sensor in attenuation lengths; without a sensor, as in
//! nonBragg, capture is 1. Each layer is evaluated where it is, P + depth o.
//!
//! **Source.** `nonBragg.c` and `add_background` of simtbx, with their faults: F is not held at the ends of its table, and the
//! weights of the sources are not divided by their sum, nor in simtbx by their number.
//!
//! **Accuracy** (`tests/tests/cli_companions.rs`, `simtbx_rules.rs`). Pixels are those of nonBragg, and 2e-15 of those of
//! simtbx.
//!
//! ```
//! use widebragg::background::{Background, RadialPoint, RadialTable, Search, WeightedSource};
//! use widebragg::beam::Source;
//! use widebragg::detector::{Detector, DetectorParameters};
//! use widebragg::rotation::PhiMode;
//! use widebragg::scene::Sensor;
//!
//! let detector = Detector::new(&DetectorParameters::default(), PhiMode::Spec)?;
//! let source = WeightedSource { source: Source { incident: detector.beam, lambda_m: 1e-10 }, weight: 1.0 };
//! let points = [0.0, 0.2, 0.4].map(|s| RadialPoint { s, f_electrons: 2.57 });
//! let (mut s_per_m, mut f_electrons) = ([0.0; 7], [0.0; 7]);
//! let background = Background {
//!     detector: &detector,
//!     sources: &[source],
//!     table: RadialTable::fill(&points, 1e10, &mut s_per_m, &mut f_electrons)?,
//!     polarization: None,
//!     sensor: Sensor::THIN,
//!     oversample: 1,
//!     fluence_per_m2: 1e20,
//!     molecules: 3.3e16,
//! };
//! let pixel = background.pixel([512, 100], &mut Search::default());
//! assert!(pixel.photons > 0.0 && (pixel.last.f_electrons - 2.57).abs() < 1e-12);
//! # Ok::<(), widebragg::Error>(())
//! ```

mod curve;
mod extraction;
mod matter;
mod profile;
mod table;

pub use curve::Curve;
pub use extraction::{BinStatistics, fill_statistics};
pub use matter::{AmorphousMatter, Radial, Slab, molecules};
pub use profile::{BeamLine, Profile};
pub use table::{RadialPoint, RadialTable, Search};

use crate::ELECTRON_RADIUS_SQUARED_M2;
use crate::beam::{Polarization, Source, polarization_factor};
use crate::detector::Detector;
use crate::rotation::rotate_axis;
use crate::scene::Sensor;
use crate::vector::Vec3;

/// A source with a weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightedSource {
    /// The source.
    pub source: Source,
    /// Factor on what it contributes.
    pub weight: f64,
}

/// Everything that the background of an image follows from.
#[derive(Debug, Clone, Copy)]
pub struct Background<'a> {
    /// The detector.
    pub detector: &'a Detector,
    /// The sources.
    pub sources: &'a [WeightedSource],
    /// Structure factors of a molecule.
    pub table: RadialTable<'a>,
    /// The polarisation of the beam; with `None`, its factor is 1.
    pub polarization: Option<Polarization>,
    /// The sensitive layer of the detector. Its layers need not be as thick together as the sensor is.
    pub sensor: Sensor,
    /// Number of subpixels along each axis.
    pub oversample: usize,
    /// Photons per m^2.
    pub fluence_per_m2: f64,
    /// Number of molecules in the beam.
    pub molecules: f64,
}

/// The values at one subpixel of a pixel, for one source.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Evaluation {
    /// s, in 1/m.
    pub s_per_m: f64,
    /// F(s), in electrons.
    pub f_electrons: f64,
    /// Polarisation factor.
    pub polarization: f64,
    /// Solid angle, in sr.
    pub omega_sr: f64,
    /// The index before s in the table, its two guards counted.
    pub node: usize,
}

/// The background of a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BackgroundPixel {
    /// Photons, which are negative where the structure factors are.
    pub photons: f64,
    /// Sum of the solid angles of its subpixels, each that of a whole pixel, in sr.
    pub omega_sum_sr: f64,
    /// The values at its last subpixel, for the last source.
    pub last: Evaluation,
}

impl Background<'_> {
    /// Number of terms of a pixel's sum.
    #[must_use]
    pub fn steps(&self) -> f64 {
        self.sources.len() as f64 * (self.oversample as f64 * self.oversample as f64)
    }

    /// Computes the pixel `[fast, slow]`. `search` is where the search of the pixel before it ended in the table;
    /// pixels of an ordered table do not depend on it.
    #[must_use]
    pub fn pixel(&self, [fast, slow]: [usize; 2], search: &mut Search) -> BackgroundPixel {
        let subpixel_m = self.detector.pixel_m / self.oversample as f64;
        let centre_m =
            |pixel: usize, sub: usize| subpixel_m * (pixel * self.oversample + sub) as f64 + subpixel_m / 2.0;
        let mut pixel = BackgroundPixel::default();
        let mut sum = 0.0;
        for sub_slow in 0..self.oversample {
            for sub_fast in 0..self.oversample {
                let at_m = [centre_m(fast, sub_fast), centre_m(slow, sub_slow)];
                for layer in 0..self.sensor.layers.max(1) {
                    let position = self.position(at_m, self.sensor.layer_m * layer as f64);
                    let distance_m = position.length();
                    let omega_sr = self.omega_sr(distance_m);
                    pixel.omega_sum_sr += omega_sr;
                    let mut diffracted = unit(position);
                    let captured = self.captured(diffracted, layer);
                    for WeightedSource { source, weight } in self.sources {
                        let last = self.evaluate(source, &mut diffracted, omega_sr, search);
                        let f = last.f_electrons;
                        let sign = if f < 0.0 { -1.0 } else { 1.0 };
                        // Without a sensor the factor is exactly 1.
                        sum += sign * f * f * last.polarization * omega_sr * captured * weight;
                        pixel.last = last;
                    }
                }
            }
        }
        let scaled = sum * ELECTRON_RADIUS_SQUARED_M2 * self.fluence_per_m2 * self.molecules;
        pixel.photons = scaled / self.steps();
        pixel
    }

    /// The structure factor, in electrons, whose square would give `photons`, which may be negative, at an evaluation.
    #[must_use]
    pub fn structure_factor(&self, photons: f32, at: &Evaluation) -> f32 {
        let sign = if photons < 0.0 { -1.0 } else { 1.0 };
        let square = f64::from(photons.abs())
            / at.polarization
            / at.omega_sr
            / self.fluence_per_m2
            / ELECTRON_RADIUS_SQUARED_M2
            / self.molecules
            * self.steps();
        (sign * libm::sqrt(square)) as f32
    }

    /// A point of the detector, `depth_m` below its surface.
    fn position(&self, [fast_m, slow_m]: [f64; 2], depth_m: f64) -> Vec3 {
        let Detector { fast, slow, normal, pix0_m, beam, distance_m, curved, .. } = *self.detector;
        let surface = fast_m * fast + slow_m * slow + pix0_m;
        let flat = if depth_m == 0.0 { surface } else { surface + depth_m * normal };
        if !curved {
            return flat;
        }
        // Coordinates in the laboratory serve as angles.
        let about_slow = rotate_axis(distance_m * beam, slow, flat.y / distance_m);
        rotate_axis(about_slow, fast, flat.z / distance_m)
    }

    /// The part of the photons that a layer of the sensor captures.
    fn captured(&self, diffracted: Vec3, layer: usize) -> f64 {
        let Sensor { layer_m, attenuation_per_m, .. } = self.sensor;
        if layer_m == 0.0 {
            return 1.0;
        }
        let lengths = layer_m * attenuation_per_m / diffracted.dot(self.detector.normal);
        libm::exp(-(layer as f64) * lengths) - libm::exp(-((layer + 1) as f64) * lengths)
    }

    fn omega_sr(&self, distance_m: f64) -> f64 {
        let Detector { pixel_m, close_distance_m, point_pixel, .. } = *self.detector;
        if point_pixel {
            return 1.0 / distance_m / distance_m;
        }
        pixel_m * pixel_m / distance_m / distance_m * close_distance_m / distance_m
    }

    /// The reference normalises unit vectors again where it computes the polarisation, and keeps the new `diffracted`.
    fn evaluate(
        &self,
        source: &Source,
        diffracted: &mut Vec3,
        omega_sr: f64,
        search: &mut Search,
    ) -> Evaluation {
        let Source { incident, lambda_m } = *source;
        let difference = *diffracted - incident;
        let [x, y, z] = difference.to_array().map(|component| component / lambda_m);
        let s_per_m = 0.5 * Vec3::new(x, y, z).length();
        let f_electrons = self.table.structure_factor(search, s_per_m);
        let polarization = self.polarization.map_or(1.0, |Polarization { kahn, axis, .. }| {
            *diffracted = unit(*diffracted);
            polarization_factor(kahn, unit(incident), *diffracted, axis)
        });
        Evaluation { s_per_m, f_electrons, polarization, omega_sr, node: search.node() }
    }
}

/// The unit vector, or the zero vector of itself.
fn unit(v: Vec3) -> Vec3 {
    if v.length() == 0.0 { v } else { v.normalize() }
}
