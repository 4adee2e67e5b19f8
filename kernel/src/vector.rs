//! Vectors in the laboratory frame, with the order of operations of `nanoBragg.c`.

use core::ops::{Add, Mul, Neg, Sub};

use crate::real::Real;

/// A vector in the laboratory frame, in the unit of the quantity that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[repr(C)]
pub struct Vec3<T = f64> {
    /// Component along x.
    pub x: T,
    /// Component along y.
    pub y: T,
    /// Component along z.
    pub z: T,
}

impl<T> Vec3<T> {
    /// Creates the vector (x, y, z).
    #[must_use]
    pub const fn new(x: T, y: T, z: T) -> Self {
        Self { x, y, z }
    }
}

impl<T: Real> Vec3<T> {
    /// Converts a vector to one whose derivative is 0.
    #[must_use]
    pub fn constant(v: Vec3) -> Self {
        Self { x: T::constant(v.x), y: T::constant(v.y), z: T::constant(v.z) }
    }

    /// Returns the vector without its derivative.
    #[must_use]
    pub fn value(self) -> Vec3 {
        Vec3 { x: self.x.value(), y: self.y.value(), z: self.z.value() }
    }

    /// Multiplies the vector by `by`.
    #[must_use]
    pub fn scaled(self, by: T) -> Self {
        Self { x: by * self.x, y: by * self.y, z: by * self.z }
    }

    /// Scalar product.
    #[must_use]
    pub fn dot(self, other: Self) -> T {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    /// Vector product.
    #[must_use]
    pub fn cross(self, other: Self) -> Self {
        Self {
            x: self.y * other.z - self.z * other.y,
            y: self.z * other.x - self.x * other.z,
            z: self.x * other.y - self.y * other.x,
        }
    }

    /// Length.
    #[must_use]
    pub fn length(self) -> T {
        self.dot(self).sqrt()
    }

    /// Returns the unit vector of the same direction; the zero vector gives NaN.
    #[must_use]
    pub fn normalize(self) -> Self {
        let length = self.length();
        Self { x: self.x / length, y: self.y / length, z: self.z / length }
    }
}

impl Vec3 {
    /// Returns the unit vector of the same direction, or `None` if it cannot be computed.
    ///
    /// It cannot be computed for the zero vector, nor if the square of the length overflows or loses
    /// precision.
    #[must_use]
    pub fn try_normalize(self) -> Option<Self> {
        Some(self.normalize()).filter(|unit| (unit.length() - 1.0).abs() < 1e-9)
    }

    /// Returns whether all components are finite.
    #[must_use]
    pub fn is_finite(self) -> bool {
        self.x.is_finite() && self.y.is_finite() && self.z.is_finite()
    }

    /// Returns the components x, y, z.
    #[must_use]
    pub const fn to_array(self) -> [f64; 3] {
        [self.x, self.y, self.z]
    }
}

impl<T> From<[T; 3]> for Vec3<T> {
    fn from([x, y, z]: [T; 3]) -> Self {
        Self { x, y, z }
    }
}

impl<T: Real> Add for Vec3<T> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { x: self.x + other.x, y: self.y + other.y, z: self.z + other.z }
    }
}

impl<T: Real> Sub for Vec3<T> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { x: self.x - other.x, y: self.y - other.y, z: self.z - other.z }
    }
}

impl<T: Real> Neg for Vec3<T> {
    type Output = Self;
    fn neg(self) -> Self {
        Self { x: -self.x, y: -self.y, z: -self.z }
    }
}

impl Mul<Vec3> for f64 {
    type Output = Vec3;
    fn mul(self, v: Vec3) -> Vec3 {
        Vec3 { x: self * v.x, y: self * v.y, z: self * v.z }
    }
}
