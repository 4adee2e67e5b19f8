//! The numbers over which the set-up is generic: f64, and f64 with a derivative.
//!
//! **Formulas.** A [`Dual`] is x + x' e with e^2 = 0, so that f(x + x' e) = f(x) + f'(x) x' e. A computation
//! with such numbers yields its derivative along one direction, exact to rounding. The functions that set up
//! cell, orientation and detector are generic over [`Real`]. With f64 they compute what `nanoBragg.c`
//! computes, in its order of operations; with [`Dual`] the same lines compute the derivatives that
//! [`crate::gradient`] needs. The values have the same bits either way.
//!
//! **Cost.** Once per parameter and scene; no pixel pays for it.

use core::ops::{Add, Div, Mul, Neg, Sub};

use crate::math::sincos;

/// A real number: f64 or [`Dual`].
pub trait Real:
    Copy
    + PartialEq
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// Creates a constant, whose derivative is 0.
    fn constant(x: f64) -> Self;
    /// Returns the number without its derivative.
    fn value(self) -> f64;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Sine and cosine of an angle in rad.
    fn sin_cos(self) -> (Self, Self);
    /// Sine of an angle in rad.
    fn sin(self) -> Self;
    /// Cosine of an angle in rad.
    fn cos(self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// Limits the number to -1..=1. The derivative of a number outside that range is 0.
    fn clamp_cosine(self) -> Self;
}

impl Real for f64 {
    fn constant(x: f64) -> Self {
        x
    }
    fn value(self) -> f64 {
        self
    }
    fn sqrt(self) -> Self {
        libm::sqrt(self)
    }
    fn sin_cos(self) -> (Self, Self) {
        sincos(self)
    }
    fn sin(self) -> Self {
        libm::sin(self)
    }
    fn cos(self) -> Self {
        libm::cos(self)
    }
    fn abs(self) -> Self {
        self.abs()
    }
    fn clamp_cosine(self) -> Self {
        self.clamp(-1.0, 1.0)
    }
}

/// A number and its derivative along one direction.
///
/// ```
/// use widebragg::real::{Dual, Real};
/// let x = Dual { value: 0.5, slope: 1.0 };
/// let y = x * x.sin();
/// assert_eq!(y.value, 0.5 * 0.5f64.sin());
/// assert!((y.slope - (0.5f64.sin() + 0.5 * 0.5f64.cos())).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Dual {
    /// The number.
    pub value: f64,
    /// The derivative.
    pub slope: f64,
}

impl Add for Dual {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { value: self.value + other.value, slope: self.slope + other.slope }
    }
}

impl Sub for Dual {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { value: self.value - other.value, slope: self.slope - other.slope }
    }
}

impl Mul for Dual {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self { value: self.value * other.value, slope: self.slope * other.value + self.value * other.slope }
    }
}

impl Div for Dual {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        Self { value, slope: (self.slope - value * other.slope) / other.value }
    }
}

impl Neg for Dual {
    type Output = Self;
    fn neg(self) -> Self {
        Self { value: -self.value, slope: -self.slope }
    }
}

impl Real for Dual {
    fn constant(x: f64) -> Self {
        Self { value: x, slope: 0.0 }
    }
    fn value(self) -> f64 {
        self.value
    }
    fn sqrt(self) -> Self {
        let value = libm::sqrt(self.value);
        Self { value, slope: self.slope / (2.0 * value) }
    }
    fn sin_cos(self) -> (Self, Self) {
        let (sin, cos) = sincos(self.value);
        (Self { value: sin, slope: cos * self.slope }, Self { value: cos, slope: -sin * self.slope })
    }
    fn sin(self) -> Self {
        Self { value: libm::sin(self.value), slope: libm::cos(self.value) * self.slope }
    }
    fn cos(self) -> Self {
        Self { value: libm::cos(self.value), slope: -libm::sin(self.value) * self.slope }
    }
    fn abs(self) -> Self {
        if self.value < 0.0 { -self } else { self }
    }
    fn clamp_cosine(self) -> Self {
        if self.value.abs() > 1.0 { Self::constant(self.value.clamp(-1.0, 1.0)) } else { self }
    }
}
