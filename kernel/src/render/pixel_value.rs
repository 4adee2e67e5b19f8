//! Pixels as they are stored.

use crate::lanes::Lanes;

/// A stored pixel: f32 or f64.
pub trait PixelValue: Copy + private::Sealed {
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
    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn store<F: Lanes>(lanes: F, out: &mut [Self]) {
        lanes.store(out);
    }
}
