//! Point spreads of spec: how much of a photon each pixel gets.

use core::f64::consts::{LN_2, PI};

use super::G_OF_WIDTH;

/// a of a Moffat profile of exponent 5/2 in units of its full width at half maximum: 1/(2 sqrt(2^(2/5) - 1)).
const A_OF_WIDTH: f64 = 0.884_563_869_956_074_8;

/// The form of a point spread in spec.
///
/// **Formulas.** Density at the distance r, normalised to 1 over the plane, w the full width at half maximum:
///
/// ```text
/// gauss   4 ln 2/(pi w^2) exp(-4 ln 2 r^2/w^2)
/// fiber   g/(2 pi) (g^2 + r^2)^(-3/2)              g = 0.652383013252053 w
/// moffat  3 a^3/(2 pi) (a^2 + r^2)^(-5/2)          a = 0.884563869956075 w
/// ```
///
/// A pixel's share is the integral over it, from those over rectangles with a corner in the middle:
///
/// ```text
/// gauss   erf(2 sqrt(ln 2) x/w) erf(2 sqrt(ln 2) y/w)/4
/// fiber   atan(t)/(2 pi)                           t = x y/(g R), R = sqrt(g^2 + x^2 + y^2)
/// moffat  atan(t)/(2 pi) + a x y (a^2 + R^2)/(2 pi R (a^2 + x^2) (a^2 + y^2)), t and R with a for g
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A Gaussian.
    Gauss,
    /// That of a taper of optical fibers, as in noisify: a Moffat profile of exponent 3/2.
    Fiber,
    /// A Moffat profile of exponent 5/2, whose tail falls off faster.
    Moffat,
}

impl Form {
    /// All forms.
    pub const ALL: [Self; 3] = [Self::Gauss, Self::Fiber, Self::Moffat];

    /// The name: `gauss`, `fiber` or `moffat`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gauss => "gauss",
            Self::Fiber => "fiber",
            Self::Moffat => "moffat",
        }
    }

    /// The integral over the rectangle from the middle to (x, y), in pixels; odd in each coordinate.
    #[must_use]
    pub fn integral(self, width_px: f64, [x, y]: [f64; 2]) -> f64 {
        match self {
            Self::Gauss => along(width_px, x) * along(width_px, y),
            Self::Fiber => {
                let g = G_OF_WIDTH * width_px;
                libm::atan(x * y / (g * libm::sqrt(g * g + x * x + y * y))) / (2.0 * PI)
            }
            Self::Moffat => {
                let a = A_OF_WIDTH * width_px;
                let square = a * a + x * x + y * y;
                let r = libm::sqrt(square);
                let near = libm::atan(x * y / (a * r));
                let far = a * x * y * (a * a + square) / (r * (a * a + x * x) * (a * a + y * y));
                (near + far) / (2.0 * PI)
            }
        }
    }

    /// The share of the pixel that is (dx, dy) pixels away.
    #[must_use]
    pub fn share(self, width_px: f64, [dx, dy]: [usize; 2]) -> f64 {
        let edges = |d: usize| [d as f64 - 0.5, d as f64 + 0.5];
        let ([x0, x1], [y0, y1]) = (edges(dx), edges(dy));
        let at = |x: f64, y: f64| self.integral(width_px, [x, y]);
        at(x1, y1) - at(x1, y0) - at(x0, y1) + at(x0, y0)
    }
}

/// The integral of a Gaussian of one dimension from 0 to x.
pub(super) fn along(width_px: f64, x: f64) -> f64 {
    0.5 * libm::erf(2.0 * libm::sqrt(LN_2) * x / width_px)
}
