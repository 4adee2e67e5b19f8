//! Experiments: owned scenes, the images that they give, and the derivatives and fits of these.
//!
//! [`parameters::Parameters`] are plain numbers with the reference's defaults;
//! [`experiment::Experiment::new`] derives the tables of a scene from them and owns these. From there:
//!
//! | to | start at |
//! |---|---|
//! | render a frame over threads | [`frame::render_frame`] |
//! | get its statistics | [`statistics::Statistics`] |
//! | turn photons into integers, with noise or without | [`images`] |
//! | see the intermediate values of a pixel | [`trace`] |
//! | differentiate an image, check derivatives, fit parameters | [`gradient`] |
//! | find the resolution of a pixel | [`resolution`] |
//!
//! Nothing is printed here: warnings and failures are values, and progress is reported to a callback.

pub mod carryover;
mod derive;
pub mod experiment;
pub mod failure;
pub mod frame;
pub mod gradient;
pub mod images;
pub mod parameters;
pub mod resolution;
pub mod statistics;
pub mod threads;
pub mod trace;
pub mod warning;
