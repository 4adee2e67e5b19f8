//! The precision in which deviates are computed: f32 by nanoBragg and its companions, f64 by simtbx.

use core::ops::{Add, Mul, Sub};

use crate::render::PixelValue;

/// A number that every operation rounds to its precision.
pub trait Precision:
    PixelValue + Into<f64> + PartialOrd + Default + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self>
{
    /// The integer part of a number that is not below 0. libm's takes a call.
    #[must_use]
    fn floor(self) -> Self;
}

impl Precision for f32 {
    #[inline(always)]
    fn floor(self) -> Self {
        // 2^23; from there on all numbers are integers.
        if self < 8_388_608.0 { self as i32 as Self } else { self }
    }
}

impl Precision for f64 {
    #[inline(always)]
    fn floor(self) -> Self {
        // 2^52; from there on all numbers are integers.
        if self < 4_503_599_627_370_496.0 { self as i64 as Self } else { self }
    }
}
