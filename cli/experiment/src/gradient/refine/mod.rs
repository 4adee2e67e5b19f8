//! Fits of parameters to an image.

pub mod optimiser;
