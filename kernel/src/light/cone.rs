//! The outline of a cone of scattered beams on the panel.

use core::ops::Range;

use crate::panel::Panel;
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
    /// f x s.
    normal: Vec3,
    /// (f x s) . pix0: its sign tells the side on which the detector lies.
    side: f64,
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

/// Where a cone meets the panel.
#[derive(Debug, Clone)]
pub(super) enum Meets {
    /// It does not.
    Nowhere,
    /// In an ellipse.
    Ellipse(Ellipse),
    /// It touches a plane parallel to the detector: anywhere.
    Anywhere,
}

/// The outline of a cone.
#[derive(Debug, Clone)]
pub(super) struct Ellipse {
    /// Its extent along u and along v, in m.
    pub(super) ranges: [Range<f64>; 2],
    /// How far the middle of its chord along u moves from one v to the next.
    pub(super) shear: f64,
}

impl Planes {
    fn new(pix0_m: Vec3, along: Vec3, across: Vec3) -> Self {
        let (a, b) = (pix0_m.cross(across), along.cross(across));
        let cross = a.cross(b);
        Self { a, b, ab: a.dot(b), bb: b.dot(b), cross: cross.dot(cross) }
    }

    /// The outermost planes that touch a cone about the unit vector `p`.
    fn touching(&self, p: Vec3, sin2: f64) -> Option<Range<f64>> {
        let (ap, bp) = (self.a.dot(p), self.b.dot(p));
        let divisor = bp * bp - sin2 * self.bb;
        let difference = bp * self.a - ap * self.b;
        let square = difference.dot(difference) - sin2 * self.cross;
        if !(divisor > 0.0 && square >= 0.0) {
            return None;
        }
        let per_divisor = 1.0 / divisor;
        let (middle, half) =
            ((sin2 * self.ab - ap * bp) * per_divisor, libm::sqrt(sin2 * square) * per_divisor);
        Some(middle - half..middle + half)
    }
}

impl Outline {
    pub(super) fn new(panel: &Panel, depth_m: f64) -> Self {
        let Panel { fast, slow, .. } = *panel;
        let pix0_m = panel.pix0_m + depth_m * panel.normal;
        let normal = fast.cross(slow);
        let planes = [Planes::new(pix0_m, fast, slow), Planes::new(pix0_m, slow, fast)];
        Self { planes, fast, slow, normal, side: normal.dot(pix0_m) }
    }

    /// Where a cone about the unit vector `p` meets the detector; sin2 is the square of the sine of half its opening.
    pub(super) fn meets(&self, p: Vec3, sin2: f64) -> Meets {
        let [u, v] = &self.planes;
        let faces = self.normal.dot(p) * self.side > 0.0;
        match (u.touching(p, sin2), v.touching(p, sin2)) {
            (Some(_), Some(_)) if !faces => Meets::Nowhere,
            (Some(u), Some(v)) => Meets::Ellipse(Ellipse { ranges: [u, v], shear: self.shear(p, sin2) }),
            _ => Meets::Anywhere,
        }
    }

    /// The points of the outline have (X.p)^2 - cos^2(alpha) X.X = 0. At constant v, that is a quadratic equation in u,
    /// whose linear term moves the middle between its roots.
    fn shear(&self, p: Vec3, sin2: f64) -> f64 {
        let product = |a: Vec3, b: Vec3| a.dot(p) * b.dot(p) - (1.0 - sin2) * a.dot(b);
        -product(self.fast, self.slow) / product(self.fast, self.fast)
    }
}
