//! The outline of a cone of scattered beams on the panel.

use crate::lanes::Lanes;
use crate::panel::Panel;
use crate::render::geometry::LaneVec;
use crate::vector::Vec3;

/// A flat panel, or one at a depth below its surface, for the outlines of cones.
///
/// The ray along X = pix0 + u f + v s is at an angle of at most alpha from the unit vector p inside the cone. The planes
/// through the sample along s touch the cone at the outermost u, where |n.p| = |n| sin(alpha) for the normal
/// n = (pix0 + u f) x s = A + u B. That is a quadratic equation in u; likewise for v.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outline {
    /// A and B for u and for v.
    planes: [Planes; 2],
    fast: Vec3,
    slow: Vec3,
    /// f x s, turned to the side on which the detector lies.
    normal: Vec3,
}

#[derive(Debug, Clone, Copy)]
struct Planes {
    a: Vec3,
    b: Vec3,
    ab: f64,
    bb: f64,
    /// |A x B|^2.
    cross: f64,
}

/// Where cones meet the panel: in an ellipse, anywhere, because they touch a plane parallel to the panel, or nowhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meets<F: Lanes> {
    /// Outlines of the cones that meet it in an ellipse.
    pub(super) ellipse: Ellipse<F>,
    /// Which these are.
    pub(super) in_ellipse: F::Mask,
    /// Which cones meet it anywhere.
    pub(super) anywhere: F::Mask,
}

/// The outline of a cone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ellipse<F> {
    /// Its middle along u and along v, in m.
    pub(super) middle: [F; 2],
    /// Half its extent along u and along v, in m.
    pub(super) half: [F; 2],
    /// How far the middle of its chord along u moves from one v to the next.
    pub(super) shear: F,
}

/// The outermost planes that touch a cone: the middle between them, and half their distance.
struct Touching<F: Lanes> {
    middle: F,
    half: F,
    /// Where there are such planes.
    exist: F::Mask,
}

impl Planes {
    fn new(pix0_m: Vec3, along: Vec3, across: Vec3) -> Self {
        let (a, b) = (pix0_m.cross(across), along.cross(across));
        let cross = a.cross(b);
        Self { a, b, ab: a.dot(b), bb: b.dot(b), cross: cross.dot(cross) }
    }

    /// The outermost planes that touch a cone about the unit vector `p`.
    #[inline(always)]
    fn touching<F: Lanes>(&self, p: LaneVec<F>, sin2: F) -> Touching<F> {
        let splat = |x: f64| sin2.splat_like(x);
        let (ap, bp) = (p.dot_scalar(self.a), p.dot_scalar(self.b));
        let divisor = bp * bp - sin2 * splat(self.bb);
        let (x, y, z) = (
            bp * splat(self.a.x) - ap * splat(self.b.x),
            bp * splat(self.a.y) - ap * splat(self.b.y),
            bp * splat(self.a.z) - ap * splat(self.b.z),
        );
        let difference = LaneVec { x, y, z };
        let square = difference.dot(difference) - sin2 * splat(self.cross);
        let zero = splat(0.0);
        let per_divisor = splat(1.0) / divisor;
        Touching {
            middle: (sin2 * splat(self.ab) - ap * bp) * per_divisor,
            half: (sin2 * square).sqrt() * per_divisor,
            exist: zero.lt(divisor) & zero.le(square),
        }
    }
}

impl Outline {
    pub(super) fn new(panel: &Panel, depth_m: f64) -> Self {
        let Panel { fast, slow, .. } = *panel;
        let pix0_m = panel.pix0_m + depth_m * panel.normal;
        let across = fast.cross(slow);
        let planes = [Planes::new(pix0_m, fast, slow), Planes::new(pix0_m, slow, fast)];
        Self { planes, fast, slow, normal: across.dot(pix0_m) * across }
    }

    /// Where cones about the unit vectors `p` meet the detector; sin2 is the square of the sine of half their opening.
    #[inline(always)]
    pub(super) fn meets<F: Lanes>(&self, p: LaneVec<F>, sin2: F) -> Meets<F> {
        let [u, v] = &self.planes;
        let (u, v) = (u.touching(p, sin2), v.touching(p, sin2));
        let faces = sin2.splat_like(0.0).lt(p.dot_scalar(self.normal));
        let exist = u.exist & v.exist;
        let ellipse =
            Ellipse { middle: [u.middle, v.middle], half: [u.half, v.half], shear: self.shear(p, sin2) };
        Meets { ellipse, in_ellipse: exist & faces, anywhere: !exist }
    }

    /// The points of the outline have (X.p)^2 - cos^2(alpha) X.X = 0. At constant v, that is a quadratic equation in u,
    /// whose linear term moves the middle between its roots.
    #[inline(always)]
    fn shear<F: Lanes>(&self, p: LaneVec<F>, sin2: F) -> F {
        let cos2 = sin2.splat_like(1.0) - sin2;
        let (along, across) = (p.dot_scalar(self.fast), p.dot_scalar(self.slow));
        let mixed = along * across - cos2 * cos2.splat_like(self.fast.dot(self.slow));
        let square = along * along - cos2 * cos2.splat_like(self.fast.dot(self.fast));
        -(mixed / square)
    }
}
