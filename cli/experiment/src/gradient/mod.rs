//! Derivatives of images, losses, and fits.
//!
//! A [`problem::Problem`] is an experiment whose parameters move ([`moves`]), and its panels, alone and in groups:
//! its image after moves, and the derivatives of pixels or of a sum of them, both ways. [`loss`] compares an image
//! with data, [`check`] compares derivatives with finite differences ([`differences`]), and [`refine`] fits
//! parameters to an image.

pub mod check;
pub mod differences;
pub mod loss;
pub mod moves;
pub mod named;
mod panel_models;
pub mod problem;
pub mod refine;
pub mod selection;
pub mod spot_width;
mod spreads;
