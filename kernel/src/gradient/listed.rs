//! Derivatives from lists of spots, and bounds on what these leave out.
//!
//! **Bounds.** A step is left out where the exponent e of its Gaussian exceeds the cutoff x. With
//! T = (F_cell F_latt)^2, o the vector from the node in the metric of the spots and kappa o^2 = e:
//!
//! ```text
//! T        <= T_x = (F_max Na Nb Nc)^2 exp(-2 x)
//! |dT/do|  =  4 sqrt(kappa e) T <= 4 sqrt(kappa x) T_x = S          e > x >= 1/4
//! |dT/dh|  <= S |a*|                                                k and l likewise; in index metric the columns of N
//! |dT/dq|  <= S (|a*||a| + |b*||b| + |c*||c|)
//! |dT/dNa| <= 2 T_x (1 + 2 x)/Na                           in reciprocal metric
//! |dT/dNaa| <= 2 T_x |N^-1_aa| + S/2                       in index metric; with ab, 2 |N^-1_ab| and the root of a half
//! ```
//!
//! From there on the formulas are those of the derivatives themselves (`jacobian`), with the longest q, the largest
//! factors, and the foot of the detector's normal as the shortest distance. A factor f of the term, such as the solid
//! angle, adds T |df/dv|. Each step of a pixel may lack as much.

use core::f64::consts::FRAC_1_SQRT_2;
use core::ops::Range;

use super::orientation_derivatives::OrientationDerivatives;
use super::rows::Sums;
use super::variables::Variables;
use crate::Error;
use crate::carryover::Carryover;
use crate::crystal::reciprocal_of;
use crate::lattice::{Crystallite, SpotMetric};
use crate::light::{Light, SpotList};
use crate::panel::Panel;
use crate::rotation::{Mat3, Orientation};
use crate::vector::Vec3;

/// What derivatives from lists of spots may lack.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LeftOut {
    /// Of the derivatives of a pixel with respect to the variables. Those with respect to phi, its step and the mosaic
    /// factor lack nothing where they are not computed.
    pub variables: Variables,
    /// Of the derivative of a pixel with respect to any structure factor.
    pub structure_factor: f64,
}

impl LeftOut {
    /// What the derivative of a pixel along a direction may lack.
    #[must_use]
    pub fn along(&self, direction: &Variables) -> f64 {
        let (these, along) = (self.variables.to_array(), direction.to_array());
        // A bound may be infinite.
        let moves = these.iter().zip(along).filter(|&(_, along)| along != 0.0);
        moves.map(|(left_out, along)| left_out * along.abs()).sum()
    }
}

/// Largest length of the gradient of the polarisation factor with respect to the direction: with unit vectors,
/// |c2 (1 + k cos 2psi) i| <= 2, and each of two terms with k is at most 2 |k|.
const STEEPEST_POLARIZATION: f64 = 6.0;

/// Bounds are taken to be too small by this factor, for the rounding of reach, axes and rotations.
const ROUNDING: f64 = 1.0 + 1e-6;

/// Largest distance from the nearest node along h, k or l.
const HALF: f64 = 0.5;

/// Exponent from which on the derivatives of a term fall as its distance from the node grows.
const FALLS_FROM: f64 = 0.25;

impl<'s> Light<'s, '_> {
    /// As [`Scene::pullback_rows`](crate::scene::Scene::pullback_rows), from lists of the spots of `rows`, as
    /// [`Light::render_rows`] takes them. The derivatives of each pixel lack at most [`Light::left_out_of_derivatives`],
    /// and nothing where nothing is left out of a step ([`Light::left_out_of_step`]).
    ///
    /// # Errors
    /// As there, and for lists as [`Light::render_rows`].
    pub fn pullback_rows(
        &self,
        lists: &[SpotList<'s>],
        turns: &OrientationDerivatives<'_>,
        rows: Range<usize>,
        weights: &[f64],
        carry: &Carryover<'_>,
        sums: &mut Sums<'_>,
    ) -> Result<(), Error> {
        let lit = self.lit(lists, &rows)?;
        self.scene.pullback_rows_of(turns, rows, weights, carry, sums, Some(&lit))
    }

    /// As [`Scene::pushforward_rows`](crate::scene::Scene::pushforward_rows), from lists of the spots of `rows`; see
    /// [`Light::pullback_rows`].
    ///
    /// # Errors
    /// As there, and for lists as [`Light::render_rows`].
    pub fn pushforward_rows(
        &self,
        lists: &[SpotList<'s>],
        turns: &OrientationDerivatives<'_>,
        rows: Range<usize>,
        directions: &[Variables],
        carry: &Carryover<'_>,
        images: &mut [f64],
    ) -> Result<(), Error> {
        let lit = self.lit(lists, &rows)?;
        self.scene.pushforward_rows_of(turns, rows, directions, carry, images, Some(&lit))
    }

    /// Bounds on what the derivatives of a pixel from lists lack, in the units of the derivatives. The longest axes of
    /// all orientations and all of `turns` are looked for, which takes about as long as filling their tables.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] and [`Error::OtherScene`] for derivatives of other orientations.
    pub fn left_out_of_derivatives(&self, turns: &OrientationDerivatives<'_>) -> Result<LeftOut, Error> {
        self.scene.check_derivatives(turns)?;
        let scene = self.scene;
        let p = &scene.p;
        if self.left_out_of_step() == 0.0 {
            return Ok(LeftOut::default());
        }
        let exponent = self.exponent();
        let of_pixel = self.left_out_of_step() * scene.largest_factor() * scene.terms() * ROUNDING;
        let by_offset = if exponent >= FALLS_FROM {
            of_pixel * 4.0 * libm::sqrt(self.reach.per_square * exponent)
        } else {
            f64::INFINITY
        };
        let stars = p.crystallite.spot_axes().map(Vec3::length);
        let varies = p.crystallite.varies_with_reciprocal_axes();
        let by_reciprocal = if varies { by_offset * HALF } else { 0.0 };
        let by_index = stars.map(|star| by_offset * star);
        let along = |entries: &[Orientation]| {
            let each = entries.iter().map(|&Orientation { a_m, b_m, c_m }| {
                let lengths = [a_m, b_m, c_m].into_iter().zip(by_index);
                lengths.map(|(axis, by_index)| axis.length() * by_index).sum::<f64>()
            });
            each.fold(0.0, f64::max)
        };
        let lengths = p.sources.iter().map(|source| ((1.0 + source.incident.length()), source.lambda_m));
        let longest_q_per_m = lengths.map(|(length, lambda_m)| length / lambda_m).fold(0.0, f64::max);
        let shortest_lambda_m = p.sources.iter().map(|source| source.lambda_m).fold(f64::INFINITY, f64::min);
        let by_q = along(p.orientations.entries());
        let rotated = longest_q_per_m * turns.rotations.iter().map(norm).fold(0.0, f64::max);
        let [a, b, c] = by_index.map(|by_index| alike(by_index * rotated));
        let rotation = |table: &[Orientation]| longest_q_per_m * along(table);
        let by_mosaic = rotation(turns.by_mosaic);
        let (added_cells, added_coupling) = by_cells(&p.crystallite, exponent, of_pixel, by_offset);
        let on_detector = OnDetector::new(self, of_pixel, by_q / shortest_lambda_m);
        let variables = Variables {
            cell: Orientation { a_m: a, b_m: b, c_m: c },
            reciprocal_per_angstrom: [alike(by_reciprocal); 3],
            pix0_m: alike(on_detector.position),
            fast: alike(on_detector.fast),
            slow: alike(on_detector.slow),
            normal: alike(on_detector.normal),
            close_distance_m: of_pixel / p.panel.close_distance_m.abs(),
            distance_m: 0.0,
            phi0_rad: rotation(turns.by_phi0),
            phi_step_rad: rotation(turns.by_step),
            mosaic_scale: by_mosaic,
            lambda_scale: by_q * longest_q_per_m,
            fluence_scale: of_pixel,
            default_f: 2.0 * of_pixel / p.structure_factors.largest(),
            lambda_shift_m: by_q * longest_q_per_m / shortest_lambda_m,
            added_cells,
            added_coupling,
            mosaic_axis_scale: largest_shares(turns.spread_shares).map(|share| by_mosaic * share),
        };
        Ok(LeftOut { variables, structure_factor: variables.default_f })
    }
}

/// What may be left out of the derivatives with respect to the position of the detector and its axes.
struct OnDetector {
    position: f64,
    fast: f64,
    slow: f64,
    normal: f64,
}

impl OnDetector {
    /// From what is left out of a pixel, and of its derivative with respect to the direction of a sample.
    fn new(light: &Light<'_, '_>, of_pixel: f64, by_direction: f64) -> Self {
        let p = &light.scene.p;
        let Panel { pix0_m, fast, slow, normal, pixel_m, fast_pixels, slow_pixels, sensor, .. } = p.panel;
        let thickness_m = sensor.thickness_m();
        let foot_m = light.scene.foot_distance_m();
        let [width_m, height_m] = [fast_pixels, slow_pixels].map(|pixels| pixels as f64 * pixel_m);
        let corners = [(0.0, 0.0), (width_m, 0.0), (0.0, height_m), (width_m, height_m)];
        let corners_m = corners.map(|(u, v)| (pix0_m + u * fast + v * slow).length());
        let farthest_m = corners_m.into_iter().fold(0.0, f64::max) + thickness_m * normal.length();
        // The captured share exp(-s/o) - exp(-t/o), with obliquity o and depths s < t in attenuation lengths, has
        // |d ln/do| <= (s + o)/o^2.
        let obliquity = (foot_m / farthest_m).min(1.0);
        let by_obliquity = if sensor.layer_m > 0.0 {
            (thickness_m * sensor.attenuation_per_m.abs() + 1.0) / (obliquity * obliquity)
        } else {
            0.0
        };
        // Solid angle, polarisation factor and captured share.
        let of_factors = 3.0 + STEEPEST_POLARIZATION + by_obliquity * normal.length();
        let position = (by_direction + of_pixel * of_factors) / foot_m;
        Self {
            position,
            fast: position * width_m,
            slow: position * height_m,
            normal: position * thickness_m + of_pixel * by_obliquity,
        }
    }
}

/// What may be left out of the derivatives with respect to the cells and the other elements of the N matrix, from what is
/// left out of a pixel, and of its derivative with respect to the vector from the node.
fn by_cells(crystallite: &Crystallite, exponent: f64, of_pixel: f64, by_offset: f64) -> ([f64; 3], [f64; 3]) {
    if crystallite.spots.metric == SpotMetric::Reciprocal {
        return (crystallite.cells.map(|n| 2.0 * of_pixel * (1.0 + 2.0 * exponent) / n), [0.0; 3]);
    }
    let Some([a, b, c]) = reciprocal_of(crystallite.spot_axes()) else {
        return ([f64::INFINITY; 3], [f64::INFINITY; 3]);
    };
    let twice = 2.0 * of_pixel;
    (
        [a.x, b.y, c.z].map(|inverse| twice * inverse.abs() + by_offset * HALF),
        [a.y, a.z, b.z].map(|inverse| twice * 2.0 * inverse.abs() + by_offset * FRAC_1_SQRT_2),
    )
}

/// For the spreads about a, b and c, the largest share of any domain.
fn largest_shares(shares: &[[f64; 3]]) -> [f64; 3] {
    let mut largest = [0.0_f64; 3];
    for shares in shares {
        for (most, share) in largest.iter_mut().zip(shares) {
            *most = most.max(share.abs());
        }
    }
    largest
}

/// The same bound on each component.
const fn alike(bound: f64) -> Vec3 {
    Vec3 { x: bound, y: bound, z: bound }
}

/// A bound on how much a matrix lengthens vectors: the root of the sum of its squares.
fn norm(matrix: &Mat3) -> f64 {
    libm::sqrt(matrix.iter().flatten().map(|x| x * x).sum())
}
