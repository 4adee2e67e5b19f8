//! Lanes of pixels to positions, directions, solid angle, capture and polarisation.

use crate::beam::{PolarizationFrame, Source};
use crate::formulas::{
    AreaNumbers, BendNumbers, ColumnNumbers, FrameNumbers, LayerNumbers, OrientationNumbers, SourceNumbers,
};
use crate::lanes::{Lanes, Level};
use crate::math::{exp, sin_cos};
use crate::panel::Panel;
use crate::rotation::{Mat3, Orientation};
use crate::vector::Vec3;

/// A vector per lane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LaneVec<F> {
    pub(crate) x: F,
    pub(crate) y: F,
    pub(crate) z: F,
}

impl<F: Lanes> LaneVec<F> {
    /// The same vector in all lanes.
    #[inline(always)]
    pub(crate) fn splat<L: Level<F = F>>(level: L, v: Vec3) -> Self {
        Self { x: level.splat(v.x), y: level.splat(v.y), z: level.splat(v.z) }
    }

    #[inline(always)]
    pub(crate) fn dot(self, other: Self) -> F {
        self.x.mul_add(other.x, self.y.mul_add(other.y, self.z * other.z))
    }

    #[inline(always)]
    pub(crate) fn dot_scalar(self, v: Vec3) -> F {
        let like = self.x;
        like.mul_add(
            like.splat_like(v.x),
            self.y.mul_add(like.splat_like(v.y), self.z * like.splat_like(v.z)),
        )
    }

    /// [`LaneVec::dot`] plus `nudge`, which is lost in all sums but one that is 0.
    #[inline(always)]
    fn dot_nudged(self, [x, y, z]: [F; 3], nudge: F) -> F {
        self.x.mul_add(x, self.y.mul_add(y, self.z.mul_add(z, nudge)))
    }

    /// h, k, l of this scattering vector, in 1/m, in an orientation; see [`LaneVec::dot_nudged`].
    #[inline(always)]
    pub(super) fn indices(self, orientation: &Orientation, nudge: F) -> [F; 3] {
        self.indices_in(&OrientationNumbers::new(orientation).splat(nudge.level()), nudge)
    }

    /// [`LaneVec::indices`], in an orientation of lanes.
    #[inline(always)]
    pub(crate) fn indices_in(self, orientation: &OrientationNumbers<F>, nudge: F) -> [F; 3] {
        let OrientationNumbers { a_m, b_m, c_m } = *orientation;
        [self.dot_nudged(a_m, nudge), self.dot_nudged(b_m, nudge), self.dot_nudged(c_m, nudge)]
    }

    #[inline(always)]
    pub(crate) fn scale(self, by: F) -> Self {
        Self { x: self.x * by, y: self.y * by, z: self.z * by }
    }

    /// self * by + addend.
    #[inline(always)]
    pub(crate) fn times_plus(self, by: F, addend: Self) -> Self {
        Self {
            x: self.x.mul_add(by, addend.x),
            y: self.y.mul_add(by, addend.y),
            z: self.z.mul_add(by, addend.z),
        }
    }

    /// self + by * v.
    #[inline(always)]
    pub(crate) fn plus_scalar(self, by: F, v: Vec3) -> Self {
        Self::splat(by.level(), v).times_plus(by, self)
    }

    #[inline(always)]
    pub(crate) fn cross(self, other: Self) -> Self {
        Self {
            x: self.y * other.z - self.z * other.y,
            y: self.z * other.x - self.x * other.z,
            z: self.x * other.y - self.y * other.x,
        }
    }

    /// The vector rotated by the inverse of a rotation, its transpose.
    #[inline(always)]
    pub(crate) fn rotated_back(self, [x, y, z]: &Mat3) -> Self {
        let [[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]] = [*x, *y, *z];
        Self {
            x: self.dot_scalar(Vec3::new(xx, yx, zx)),
            y: self.dot_scalar(Vec3::new(xy, yy, zy)),
            z: self.dot_scalar(Vec3::new(xz, yz, zz)),
        }
    }

    #[inline(always)]
    pub(crate) fn select(mask: F::Mask, yes: Self, no: Self) -> Self {
        Self {
            x: F::select(mask, yes.x, no.x),
            y: F::select(mask, yes.y, no.y),
            z: F::select(mask, yes.z, no.z),
        }
    }

    /// Given the derivatives of something with respect to `rotated`, which is this vector rotated about the
    /// unit vector `axis`: its derivatives with respect to this vector, to the axis and to the angle.
    #[inline(always)]
    pub(crate) fn rotate_derivatives(
        self,
        axis: Self,
        angle_rad: F,
        rotated: Self,
        by_rotated: Self,
    ) -> (Self, Self, F) {
        let (sin, cos) = sin_cos(angle_rad);
        let one_less_cos = cos.splat_like(1.0) - cos;
        // The transpose of the rotation.
        let by_this = axis
            .scale(axis.dot(by_rotated) * one_less_cos)
            .plus(by_rotated.scale(cos))
            .plus(by_rotated.cross(axis).scale(sin));
        let by_axis = by_rotated
            .scale(axis.dot(self) * one_less_cos)
            .plus(self.scale(axis.dot(by_rotated) * one_less_cos))
            .plus(self.cross(by_rotated).scale(sin));
        (by_this, by_axis, axis.cross(rotated).dot(by_rotated))
    }

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Self { x: self.x + other.x, y: self.y + other.y, z: self.z + other.z }
    }

    /// Rotated about the unit vector `axis`, an angle per lane.
    #[inline(always)]
    pub(crate) fn rotate(self, axis: Self, angle_rad: F) -> Self {
        let (sin, cos) = sin_cos(angle_rad);
        let along = self.dot(axis) * (cos.splat_like(1.0) - cos);
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

/// Position and direction of one subpixel of each lane's pixel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subpixel<F> {
    /// Along the fast axis, in m.
    pub(crate) along_fast_m: F,
    pub(crate) position_m: LaneVec<F>,
    pub(crate) direction: Direction<F>,
}

/// A direction from the sample, and the distance of the detector along it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Direction<F> {
    /// In 1/m.
    pub(crate) inverse_distance: F,
    /// Unit vector.
    pub(crate) diffracted: LaneVec<F>,
}

/// The subpixels of one detector row: what all pixels of the row have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SubpixelGrid {
    slow: f64,
    per_axis: f64,
    step_m: f64,
    half_m: f64,
}

impl SubpixelGrid {
    pub(crate) fn new(panel: &Panel, slow: usize, per_axis: usize) -> Self {
        let per_axis = per_axis as f64;
        let step_m = panel.pixel_m / per_axis;
        Self { slow: slow as f64, per_axis, step_m, half_m: step_m / 2.0 }
    }

    /// The line that subpixels with index `sub_slow` lie on, at a depth: its point at fast = 0.
    #[inline(always)]
    pub(crate) fn line(&self, panel: &Panel, sub_slow: usize, depth_m: f64) -> Vec3 {
        self.along_slow_m(sub_slow) * panel.slow + depth_m * panel.normal + panel.pix0_m
    }

    /// Subpixels of a pixel along an axis, and their distance and half of it, in m.
    pub(crate) fn steps(&self) -> (f64, f64, f64) {
        (self.per_axis, self.step_m, self.half_m)
    }

    /// Distance of subpixels `sub_fast` of a column from the origin along the fast axis, in m.
    pub(super) fn along_fast_m(&self, fast: usize, sub_fast: usize) -> f64 {
        self.step_m * (fast as f64 * self.per_axis + sub_fast as f64) + self.half_m
    }

    /// Distance of that line from the origin along the slow axis, in m.
    #[inline(always)]
    pub(super) fn along_slow_m(&self, sub_slow: usize) -> f64 {
        self.step_m * (self.slow * self.per_axis + sub_slow as f64) + self.half_m
    }
}

impl<F: Lanes> Subpixel<F> {
    /// Subpixels `sub_fast` of the pixels whose columns are the lanes of `fast`, on a line of
    /// [`SubpixelGrid::line`].
    #[inline(always)]
    pub(crate) fn new(panel: &Panel, grid: &SubpixelGrid, row: Vec3, fast: F, sub_fast: usize) -> Self {
        let level = fast.level();
        let columns = ColumnNumbers::new(panel, grid).splat(level);
        let line = LaneVec::splat(level, row);
        let flat = Self::flat(&columns, line, fast, level.splat(sub_fast as f64));
        match &panel.bend {
            Some(sphere) => flat.bent(&BendNumbers::new(panel, sphere).splat(level)),
            None => flat,
        }
    }

    /// [`Subpixel::new`] on a flat panel.
    #[inline(always)]
    pub(crate) fn flat(columns: &ColumnNumbers<F>, line: LaneVec<F>, fast: F, sub_fast: F) -> Self {
        let column = fast.mul_add(columns.per_axis, sub_fast);
        let along_fast_m = columns.step_m.mul_add(column, columns.half_m);
        let position_m = LaneVec::from(columns.fast).times_plus(along_fast_m, line);
        Self { along_fast_m, position_m, direction: Direction::to(position_m) }
    }

    /// The subpixels after a flat panel is bent to a sphere around the sample.
    #[inline(always)]
    pub(crate) fn bent(self, sphere: &BendNumbers<F>) -> Self {
        let LaneVec { y, z, .. } = self.position_m;
        let (slow, fast) = (sphere.slow.into(), sphere.fast.into());
        let turned = LaneVec::from(sphere.centre_m).rotate(slow, y * sphere.per_radius);
        let position_m = turned.rotate(fast, z * sphere.per_radius);
        Self { position_m, direction: Direction::to(position_m), ..self }
    }
}

impl<F: Lanes> Direction<F> {
    /// The direction of a position in m, as seen from 0.
    #[inline(always)]
    pub(crate) fn to(position_m: LaneVec<F>) -> Self {
        let inverse_distance = position_m.dot(position_m).inverse_sqrt();
        Self { inverse_distance, diffracted: position_m.scale(inverse_distance) }
    }

    /// sin(theta), half of |d - i|.
    #[inline(always)]
    pub(crate) fn sine(&self, source: &Source) -> F {
        let difference = self.diffracted.plus_scalar(self.inverse_distance.splat_like(-1.0), source.incident);
        difference.dot(difference).sqrt() * self.inverse_distance.splat_like(0.5)
    }

    /// Solid angle of the pixel, in sr.
    #[inline(always)]
    pub(crate) fn omega_sr(&self, panel: &Panel) -> F {
        if panel.point_pixel {
            return self.inverse_distance * self.inverse_distance;
        }
        self.omega_of_area_sr(&AreaNumbers::new(panel).splat(self.inverse_distance.level()))
    }

    /// [`Direction::omega_sr`] of a pixel that is not a point.
    #[inline(always)]
    pub(crate) fn omega_of_area_sr(&self, area: &AreaNumbers<F>) -> F {
        let inverse2 = self.inverse_distance * self.inverse_distance;
        inverse2 * self.inverse_distance * area.volume_m3
    }

    /// The share of the photons that a layer between two depths captures; attenuation in 1/m.
    #[inline(always)]
    pub(super) fn capture(&self, panel: &Panel, depth_m: f64, next_depth_m: f64, attenuation: f64) -> F {
        let layer = LayerNumbers::new(panel, depth_m, next_depth_m, attenuation);
        self.captured_in(&layer.splat(self.inverse_distance.level()))
    }

    /// [`Direction::capture`] in a layer of lanes.
    #[inline(always)]
    pub(crate) fn captured_in(&self, layer: &LayerNumbers<F>) -> F {
        let obliquity = self.diffracted.dot(layer.normal.into());
        transmission(layer.minus_from, obliquity) - transmission(layer.minus_to, obliquity)
    }

    /// The share of the photons that all layers of the sensor capture.
    #[inline(always)]
    pub(crate) fn captured(&self, panel: &Panel) -> F {
        self.captured_in_all(&LayerNumbers::whole(panel).splat(self.inverse_distance.level()))
    }

    /// [`Direction::captured`], in lanes.
    #[inline(always)]
    pub(crate) fn captured_in_all(&self, layers: &LayerNumbers<F>) -> F {
        let obliquity = self.diffracted.dot(layers.normal.into());
        obliquity.splat_like(1.0) - transmission(layers.minus_to, obliquity)
    }

    /// [`Direction::capture`] of a layer from `depth_m` on, and its derivative with respect to the obliquity,
    /// d . o.
    #[inline(always)]
    pub(crate) fn capture_derivative(
        &self,
        panel: &Panel,
        depth_m: f64,
        layer_m: f64,
        attenuation: f64,
    ) -> (F, F) {
        let obliquity = self.diffracted.dot_scalar(panel.normal);
        let [from, to] =
            [depth_m, depth_m + layer_m].map(|depth_m| obliquity.splat_like(-(depth_m * attenuation)));
        let (reach, leave) = (transmission(from, obliquity), transmission(to, obliquity));
        let slope = (leave * to - reach * from) / (obliquity * obliquity);
        (reach - leave, slope)
    }

    /// [`Direction::polarization`] and its derivative with respect to the direction.
    #[inline(always)]
    pub(crate) fn polarization_derivative(&self, frame: &PolarizationFrame) -> (F, LaneVec<F>) {
        let d = self.diffracted;
        let (zero, one) = (d.x.splat_like(0.0), d.x.splat_like(1.0));
        let kahn = d.x.splat_like(frame.kahn);
        let c2 = d.dot_scalar(frame.incident);
        let (db, de) = (d.dot_scalar(frame.b), d.dot_scalar(frame.e));
        let (db2, de2) = (db * db, de * de);
        let length = db2 + de2;
        let undefined = !zero.lt(length);
        let cos_2psi = F::select(undefined, one, (de2 - db2) / length);
        // The derivative of the factor with respect to cos 2psi is -k sin^2(2theta)/2, and that of cos 2psi with
        // respect to (d . E, d . B) is 4 (d.E (d.B)^2, -d.B (d.E)^2)/length^2. `length` stands for
        // sin^2(2theta) as well, so one power of it cancels: it equals 1 - c2^2 without the rounding error of
        // that difference, which the division would make arbitrarily large close to the direct beam.
        let by_psi = F::select(undefined, zero, kahn * zero.splat_like(-2.0) / length);
        let none = LaneVec { x: zero, y: zero, z: zero };
        let slope = none
            .plus_scalar(c2 * kahn.mul_add(cos_2psi, one), frame.incident)
            .plus_scalar(by_psi * de * db2, frame.e)
            .plus_scalar(-(by_psi * db * de2), frame.b);
        (self.polarization(frame), slope)
    }

    /// [`Direction::polarization`] within 1e-15, without its quotient: that of cos 2psi is sin^2(2theta), which
    /// the quotient is multiplied with.
    #[inline(always)]
    pub(crate) fn polarization_without_quotient(&self, frame: &PolarizationFrame) -> F {
        // An axis along the beam has no frame.
        if frame.kahn == 0.0 || !frame.b.dot(frame.b).is_finite() {
            return self.polarization(frame);
        }
        let half = self.inverse_distance.splat_like(0.5);
        let c2 = self.diffracted.dot_scalar(frame.incident);
        let (db, de) = (self.diffracted.dot_scalar(frame.b), self.diffracted.dot_scalar(frame.e));
        let sin2_cos_2psi = de.mul_sub(de, db * db);
        sin2_cos_2psi.mul_add(half.splat_like(-0.5 * frame.kahn), (c2 * half).mul_add(c2, half))
    }

    /// Polarisation factor.
    #[inline(always)]
    pub(crate) fn polarization(&self, frame: &PolarizationFrame) -> F {
        if frame.kahn == 0.0 {
            let one = self.inverse_distance.splat_like(1.0);
            let c2 = self.diffracted.dot_scalar(frame.incident);
            return (one + c2 * c2) * one.splat_like(0.5);
        }
        self.polarized_in(&FrameNumbers::new(frame).splat(self.inverse_distance.level()))
    }

    /// [`Direction::polarization`] in a frame of lanes.
    #[inline(always)]
    pub(crate) fn polarized_in(&self, frame: &FrameNumbers<F>) -> F {
        let (zero, one) = (frame.kahn.splat_like(0.0), frame.kahn.splat_like(1.0));
        let c2 = self.diffracted.dot(frame.incident.into());
        let squared = c2 * c2;
        let (db, de) = (self.diffracted.dot(frame.b.into()), self.diffracted.dot(frame.e.into()));
        let (db2, de2) = (db * db, de * de);
        let length = db2 + de2;
        // Straight ahead psi is undefined; the reference takes 0.
        let cos_2psi = F::select(zero.lt(length), (de2 - db2) / length, one);
        let factor = one + squared - cos_2psi * frame.kahn * (one - squared);
        factor * one.splat_like(0.5)
    }
}

/// q = (d - i)/lambda, in 1/m.
#[inline(always)]
pub(super) fn scattering<F: Lanes>(diffracted: LaneVec<F>, source: &Source) -> LaneVec<F> {
    scattering_of(diffracted, &SourceNumbers::new(source, 1.0).splat(diffracted.x.level()))
}

/// [`scattering`] of a source of lanes.
#[inline(always)]
pub(crate) fn scattering_of<F: Lanes>(diffracted: LaneVec<F>, source: &SourceNumbers<F>) -> LaneVec<F> {
    let (LaneVec { x, y, z }, [to_x, to_y, to_z]) = (diffracted, source.incident);
    LaneVec { x: x - to_x, y: y - to_y, z: z - to_z }.scale(source.per_lambda_m)
}

/// Share of photons that reach a depth, which is given in attenuation lengths along the normal and negated.
#[inline(always)]
fn transmission<F: Lanes>(minus_depth: F, obliquity: F) -> F {
    exp(minus_depth / obliquity)
}
