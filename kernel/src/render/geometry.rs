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

    /// [`LaneVec::dot_scalar`] plus `nudge`, which is lost in all sums but one that is 0.
    #[inline(always)]
    pub(super) fn dot_nudged(self, v: Vec3, nudge: F) -> F {
        let like = self.x;
        let z = self.z.mul_add(like.splat_like(v.z), nudge);
        like.mul_add(like.splat_like(v.x), self.y.mul_add(like.splat_like(v.y), z))
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
    pub(super) direction: Direction<F>,
}

/// A direction from the sample, and how far the detector is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Direction<F> {
    /// In 1/m.
    pub(super) inverse_distance: F,
    /// Unit vector.
    pub(super) diffracted: LaneVec<F>,
}

/// The subpixels of one detector row, without what the pixels of the row have in common being computed for each.
#[derive(Debug, Clone, Copy)]
pub(super) struct SubpixelGrid {
    slow: f64,
    per_axis: f64,
    step_m: f64,
    half_m: f64,
}

impl SubpixelGrid {
    pub(super) fn new(detector: &Detector, slow: usize, per_axis: usize) -> Self {
        let per_axis = per_axis as f64;
        let step_m = detector.pixel_m / per_axis;
        Self { slow: slow as f64, per_axis, step_m, half_m: step_m / 2.0 }
    }

    /// The line that subpixels with index `sub_slow` lie on, at a depth: its point at fast = 0.
    #[inline(always)]
    pub(super) fn line(&self, detector: &Detector, sub_slow: usize, depth_m: f64) -> Vec3 {
        let along_slow = self.step_m * (self.slow * self.per_axis + sub_slow as f64) + self.half_m;
        along_slow * detector.slow + depth_m * detector.normal + detector.pix0_m
    }
}

impl<F: Lanes> Subpixel<F> {
    /// Subpixels `sub_fast` of the pixels whose columns are the lanes of `fast`, on a line of [`SubpixelGrid::line`].
    #[inline(always)]
    pub(super) fn new(detector: &Detector, grid: &SubpixelGrid, row: Vec3, fast: F, sub_fast: usize) -> Self {
        let level = fast.level();
        let column = fast.mul_add(level.splat(grid.per_axis), level.splat(sub_fast as f64));
        let along_fast = level.splat(grid.step_m).mul_add(column, level.splat(grid.half_m));
        let f = LaneVec::splat(level, detector.fast);
        let flat = LaneVec {
            x: f.x.mul_add(along_fast, level.splat(row.x)),
            y: f.y.mul_add(along_fast, level.splat(row.y)),
            z: f.z.mul_add(along_fast, level.splat(row.z)),
        };
        let position_m = if detector.curved { bend(detector, flat) } else { flat };
        let inverse_distance = position_m.dot(position_m).inverse_sqrt();
        let diffracted = position_m.scale(inverse_distance);
        Self { position_m, direction: Direction { inverse_distance, diffracted } }
    }
}

impl<F: Lanes> Direction<F> {
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

    /// Polarisation factor.
    #[inline(always)]
    pub(super) fn polarization(&self, frame: &PolarizationFrame) -> F {
        let one = self.inverse_distance.splat_like(1.0);
        let c2 = self.diffracted.dot_scalar(frame.incident);
        let squared = c2 * c2;
        let mut factor = one + squared;
        if frame.kahn != 0.0 {
            let (db, de) = (self.diffracted.dot_scalar(frame.b), self.diffracted.dot_scalar(frame.e));
            let (db2, de2) = (db * db, de * de);
            let length = db2 + de2;
            // Straight ahead psi is open: the reference takes 0.
            let zero = one.splat_like(0.0);
            let cos_2psi = F::select(zero.lt(length), (de2 - db2) / length, one);
            factor = factor - cos_2psi * one.splat_like(frame.kahn) * (one - squared);
        }
        factor * one.splat_like(0.5)
    }
}

/// q = (d - i)/lambda, in 1/m.
#[inline(always)]
pub(super) fn scattering<F: Lanes>(diffracted: LaneVec<F>, source: &Source) -> LaneVec<F> {
    let LaneVec { x, y, z } = diffracted;
    let per_lambda = x.splat_like(1.0 / source.lambda_m);
    let incident = LaneVec::splat(x.level(), source.incident);
    LaneVec {
        x: (x - incident.x) * per_lambda,
        y: (y - incident.y) * per_lambda,
        z: (z - incident.z) * per_lambda,
    }
}

/// Polarisation about one direction of the beam.
#[derive(Debug, Clone, Copy)]
pub(super) struct PolarizationFrame {
    kahn: f64,
    incident: Vec3,
    /// Unit vectors across the beam: axis x incident, and at right angles to it.
    b: Vec3,
    e: Vec3,
}

impl PolarizationFrame {
    pub(super) fn new(polarization: &Polarization, incident: Vec3) -> Self {
        let b = polarization.axis.cross(incident).unit();
        Self { kahn: polarization.kahn, incident, b, e: incident.cross(b).unit() }
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
