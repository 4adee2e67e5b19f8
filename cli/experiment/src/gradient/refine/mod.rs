//! Fits of parameters to an image.

mod covariance;
pub mod levenberg;
mod linear;
pub mod optimiser;
pub mod verdict;
