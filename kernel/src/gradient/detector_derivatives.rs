//! Derivatives with respect to the detector: its origin, axes and distances.
//!
//! With P = pix0 + F f + S s + O o the position of a subpixel at the distance R in direction d, and v the
//! derivative of something with respect to d, its derivative with respect to P is (v - d (d.v))/R, and from P
//! follow origin and axes. On a curved detector P is bent about the slow and the fast axis first.

use crate::lanes::{Lanes, Level};
use crate::panel::Bend;
use crate::render::geometry::LaneVec;
use crate::render::observer::Site;

/// Derivatives with respect to the origin, axes and distances of the detector.
#[derive(Debug, Clone, Copy)]
pub(super) struct DetectorDerivatives<F> {
    pub(super) pix0: LaneVec<F>,
    pub(super) fast: LaneVec<F>,
    pub(super) slow: LaneVec<F>,
    pub(super) normal: LaneVec<F>,
    pub(super) close_distance: F,
    pub(super) distance: F,
}

impl<F: Lanes> DetectorDerivatives<F> {
    #[inline(always)]
    pub(super) fn zero(zero: F) -> Self {
        let v = LaneVec { x: zero, y: zero, z: zero };
        Self { pix0: v, fast: v, slow: v, normal: v, close_distance: zero, distance: zero }
    }

    /// self + by * other.
    #[inline(always)]
    pub(super) fn plus(self, by: F, other: &Self) -> Self {
        Self {
            pix0: other.pix0.times_plus(by, self.pix0),
            fast: other.fast.times_plus(by, self.fast),
            slow: other.slow.times_plus(by, self.slow),
            normal: other.normal.times_plus(by, self.normal),
            close_distance: other.close_distance.mul_add(by, self.close_distance),
            distance: other.distance.mul_add(by, self.distance),
        }
    }

    #[inline(always)]
    pub(super) fn select(mask: F::Mask, yes: &Self, no: &Self) -> Self {
        Self {
            pix0: LaneVec::select(mask, yes.pix0, no.pix0),
            fast: LaneVec::select(mask, yes.fast, no.fast),
            slow: LaneVec::select(mask, yes.slow, no.slow),
            normal: LaneVec::select(mask, yes.normal, no.normal),
            close_distance: F::select(mask, yes.close_distance, no.close_distance),
            distance: F::select(mask, yes.distance, no.distance),
        }
    }

    /// Derivatives, with respect to the detector, of a quantity whose derivative with respect to the position
    /// of `site` is given.
    #[inline(always)]
    pub(super) fn of_position(site: &Site<'_, F>, by_position: LaneVec<F>) -> Self {
        let zero = by_position.x.splat_like(0.0);
        let mut detector = Self::zero(zero);
        let by_flat = match &site.panel.bend {
            Some(sphere) => detector.unbend(site, sphere, by_position),
            None => by_position,
        };
        detector.pix0 = by_flat;
        detector.fast = by_flat.times_plus(site.subpixel.along_fast_m, detector.fast);
        detector.slow = by_flat.times_plus(zero.splat_like(site.along_slow_m), detector.slow);
        detector.normal = by_flat.scale(zero.splat_like(site.depth_m));
        detector
    }

    /// Derivatives, with respect to the detector, of a quantity whose derivative with respect to the unit
    /// vector to `site` is given.
    #[inline(always)]
    pub(super) fn of_direction(site: &Site<'_, F>, by_direction: LaneVec<F>) -> Self {
        let direction = &site.subpixel.direction;
        let d = direction.diffracted;
        let across = d.times_plus(-d.dot(by_direction), by_direction);
        Self::of_position(site, across.scale(direction.inverse_distance))
    }

    /// The derivative with respect to the flat position that was bent to the site, given the derivative with
    /// respect to the bent one. Adds the derivatives with respect to the axes and the radius that it is bent
    /// about.
    #[inline(always)]
    fn unbend(&mut self, site: &Site<'_, F>, sphere: &Bend, by_position: LaneVec<F>) -> LaneVec<F> {
        let Site { panel, ref subpixel, along_slow_m, depth_m, .. } = *site;
        let level = by_position.x.level();
        let per_distance = level.splat(1.0 / sphere.radius_m);
        let row = along_slow_m * panel.slow + depth_m * panel.normal + panel.pix0_m;
        let flat =
            LaneVec::splat(level, panel.fast).times_plus(subpixel.along_fast_m, LaneVec::splat(level, row));
        let (slow, fast) = (LaneVec::splat(level, panel.slow), LaneVec::splat(level, panel.fast));
        let spot = LaneVec::splat(level, sphere.radius_m * sphere.beam);
        let (about_slow, about_fast) = (flat.y * per_distance, flat.z * per_distance);
        let rotated = spot.rotate(slow, about_slow);
        let (by_rotated, by_fast, by_about_fast) =
            rotated.rotate_derivatives(fast, about_fast, subpixel.position_m, by_position);
        let (by_spot, by_slow, by_about_slow) =
            spot.rotate_derivatives(slow, about_slow, rotated, by_rotated);
        self.fast = by_fast;
        self.slow = by_slow;
        let by_per_distance = flat.y.mul_add(by_about_slow, flat.z * by_about_fast);
        self.distance = by_spot.dot_scalar(sphere.beam) - by_per_distance * per_distance * per_distance;
        LaneVec { x: level.splat(0.0), y: by_about_slow * per_distance, z: by_about_fast * per_distance }
    }
}

/// 1/x, and 0 where x is 0: the derivative at 0 is taken as 0.
#[inline(always)]
pub(super) fn inverse_or_zero<F: Lanes>(x: F) -> F {
    let zero = x.splat_like(0.0);
    F::select(x.eq(zero), zero, x.splat_like(1.0) / x)
}
