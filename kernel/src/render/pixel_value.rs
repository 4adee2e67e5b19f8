//! Pixels as they are stored.

use crate::lanes::Lanes;

/// A stored pixel: f32 or f64.
pub trait PixelValue: Copy + PartialEq + private::Sealed {
    /// Whether it is an f32.
    const IS_SINGLE: bool;
    /// Whether it is not a number.
    fn is_nan(self) -> bool;
    /// `value` rounded to the stored type.
    fn from_f64(value: f64) -> Self;
    /// Writes rounded lanes to `out`: as many as it has room for.
    fn store<F: Lanes>(lanes: F, out: &mut [Self]);
}

mod private {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

impl PixelValue for f32 {
    const IS_SINGLE: bool = true;

    #[inline(always)]
    fn is_nan(self) -> bool {
        self.is_nan()
    }
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as Self
    }
    #[inline(always)]
    fn store<F: Lanes>(lanes: F, out: &mut [Self]) {
        lanes.store_f32(out);
    }
}

impl PixelValue for f64 {
    const IS_SINGLE: bool = false;

    #[inline(always)]
    fn is_nan(self) -> bool {
        self.is_nan()
    }
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn store<F: Lanes>(lanes: F, out: &mut [Self]) {
        lanes.store(out);
    }
}
