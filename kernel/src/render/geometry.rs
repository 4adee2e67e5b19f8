//! Lanes of pixels to positions, directions, solid angle, capture and polarisation.

use crate::beam::{Polarization, Source};
use crate::detector::Detector;
use crate::lanes::{Lanes, Level};
use crate::math::{exp, sin_cos};
use crate::vector::Vec3;

/// A vector per lane.
#[derive(Debug, Clone, Copy)]
pub(super) struct LaneVec<F> {
    pub(super) x: F,
    pub(super) y: F,
    pub(super) z: F,
}

impl<F: Lanes> LaneVec<F> {
    /// The same vector in all lanes.
    #[inline(always)]
    pub(super) fn splat<L: Level<F = F>>(level: L, v: Vec3) -> Self {
        Self { x: level.splat(v.x), y: level.splat(v.y), z: level.splat(v.z) }
    }

    #[inline(always)]
    pub(super) fn dot(self, other: Self) -> F {
        self.x.mul_add(other.x, self.y.mul_add(other.y, self.z * other.z))
    }

    #[inline(always)]
    pub(super) fn dot_scalar(self, v: Vec3) -> F {
        let like = self.x;
        like.mul_add(
            like.splat_like(v.x),
            self.y.mul_add(like.splat_like(v.y), self.z * like.splat_like(v.z)),
        )
    }

    #[inline(always)]
    fn scale(self, by: F) -> Self {
        Self { x: self.x * by, y: self.y * by, z: self.z * by }
    }

    /// Rotated about the unit vector `axis`, an angle per lane.
    #[inline(always)]
    fn rotate(self, axis: Vec3, angle_rad: F) -> Self {
        let (sin, cos) = sin_cos(angle_rad);
        let along = self.dot_scalar(axis) * (cos.splat_like(1.0) - cos);
        let axis = Self::splat(cos.level(), axis);
        let turned = Self {
            x: axis.y * self.z - axis.z * self.y,
            y: axis.z * self.x - axis.x * self.z,
            z: axis.x * self.y - axis.y * self.x,
        };
        Self {
            x: axis.x.mul_add(along, self.x.mul_add(cos, turned.x * sin)),
            y: axis.y.mul_add(along, self.y.mul_add(cos, turned.y * sin)),
            z: axis.z.mul_add(along, self.z.mul_add(cos, turned.z * sin)),
        }
    }
}

/// Where one subpixel of each lane's pixel is, and in what direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subpixel<F> {
    pub(super) position_m: LaneVec<F>,
    pub(super) inverse_distance: F,
    /// Unit vector from the sample.
    pub(super) diffracted: LaneVec<F>,
}

/// The subpixel to place: depth of its layer, and its index within the pixel.
#[derive(Debug, Clone, Copy)]
pub(super) struct SubpixelIndex {
    pub(super) depth_m: f64,
    pub(super) slow: usize,
    pub(super) fast: usize,
    pub(super) per_axis: usize,
}

impl<F: Lanes> Subpixel<F> {
    /// Subpixel `index` of the pixels in row `slow` whose columns are the lanes of `fast`.
    #[inline(always)]
    pub(super) fn new(detector: &Detector, slow: usize, fast: F, index: SubpixelIndex) -> Self {
        let level = fast.level();
        let per_axis = index.per_axis as f64;
        let (step, half) = (detector.pixel_m / per_axis, detector.pixel_m / per_axis / 2.0);
        let along_slow = step * (slow as f64 * per_axis + index.slow as f64) + half;
        let row = along_slow * detector.slow + index.depth_m * detector.normal + detector.pix0_m;
        let column = fast * level.splat(per_axis) + level.splat(index.fast as f64);
        let along_fast = level.splat(step) * column + level.splat(half);
        let f = LaneVec::splat(level, detector.fast);
        let flat = LaneVec {
            x: f.x.mul_add(along_fast, level.splat(row.x)),
            y: f.y.mul_add(along_fast, level.splat(row.y)),
            z: f.z.mul_add(along_fast, level.splat(row.z)),
        };
        let position_m = if detector.curved { bend(detector, flat) } else { flat };
        let inverse_distance = position_m.dot(position_m).inverse_sqrt();
        Self { position_m, inverse_distance, diffracted: position_m.scale(inverse_distance) }
    }

    /// Solid angle of the pixel, in sr.
    #[inline(always)]
    pub(super) fn omega_sr(&self, detector: &Detector) -> F {
        let inverse2 = self.inverse_distance * self.inverse_distance;
        if detector.point_pixel {
            return inverse2;
        }
        let area = detector.pixel_m * detector.pixel_m * detector.close_distance_m;
        inverse2 * self.inverse_distance * inverse2.splat_like(area)
    }

    /// Share of the photons that a layer between two depths captures; attenuation in 1/m.
    #[inline(always)]
    pub(super) fn capture(
        &self,
        detector: &Detector,
        depth_m: f64,
        next_depth_m: f64,
        attenuation: f64,
    ) -> F {
        let obliquity = self.diffracted.dot_scalar(detector.normal);
        transmission(depth_m * attenuation, obliquity) - transmission(next_depth_m * attenuation, obliquity)
    }

    /// q = (d - i)/lambda, in 1/m.
    #[inline(always)]
    pub(super) fn scattering(&self, source: &Source) -> LaneVec<F> {
        let like = self.inverse_distance;
        let per_lambda = like.splat_like(1.0 / source.lambda_m);
        LaneVec {
            x: (self.diffracted.x - like.splat_like(source.incident.x)) * per_lambda,
            y: (self.diffracted.y - like.splat_like(source.incident.y)) * per_lambda,
            z: (self.diffracted.z - like.splat_like(source.incident.z)) * per_lambda,
        }
    }

    /// Polarisation factor.
    #[inline(always)]
    pub(super) fn polarization(&self, polarization: &Polarization, source: &Source) -> F {
        let one = self.inverse_distance.splat_like(1.0);
        let c2 = self.diffracted.dot_scalar(source.incident);
        let squared = c2 * c2;
        let mut factor = one + squared;
        if polarization.kahn != 0.0 {
            let b = polarization.axis.cross(source.incident).unit();
            let e = source.incident.cross(b).unit();
            let (db, de) = (self.diffracted.dot_scalar(b), self.diffracted.dot_scalar(e));
            let (db2, de2) = (db * db, de * de);
            let length = db2 + de2;
            // Straight ahead psi is open: the reference takes 0.
            let zero = one.splat_like(0.0);
            let cos_2psi = F::select(zero.lt(length), (de2 - db2) / length, one);
            factor = factor - cos_2psi * one.splat_like(polarization.kahn) * (one - squared);
        }
        factor * one.splat_like(0.5)
    }
}

/// Share of photons that reach a depth, in attenuation lengths along the normal.
#[inline(always)]
fn transmission<F: Lanes>(depth: f64, obliquity: F) -> F {
    exp(obliquity.splat_like(-depth) / obliquity)
}

/// A flat position laid on the sphere around the sample.
#[inline(always)]
fn bend<F: Lanes>(detector: &Detector, flat: LaneVec<F>) -> LaneVec<F> {
    let per_distance = flat.x.splat_like(1.0 / detector.distance_m);
    let spot = LaneVec::splat(flat.x.level(), detector.distance_m * detector.beam);
    spot.rotate(detector.slow, flat.y * per_distance).rotate(detector.fast, flat.z * per_distance)
}
