//! The intermediate values of a pixel, from the taps of the render loop.

pub mod pixel;
pub mod taps;
