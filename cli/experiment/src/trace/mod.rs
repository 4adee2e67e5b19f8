//! The intermediate values of a pixel, from the probe of the render loop.

pub mod pixel;
pub mod taps;
