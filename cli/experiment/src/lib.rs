//! Experiments: owned scenes, the images that they give, and the derivatives and fits of these.
//!
//! [`parameters::Parameters`] are plain numbers with the reference's defaults;
//! [`experiment::Experiment::new`] derives the tables of a scene from them and owns these.
//!
//! This program renders a region of an image of a crystal of 20 x 20 x 20 unit cells:
//!
//! ```
//! use widebragg::crystal::{CellSource, UnitCell};
//! use widebragg::scene::Roi;
//! use widebragg_experiment::experiment::Experiment;
//! use widebragg_experiment::frame::render_frame;
//! use widebragg_experiment::parameters::{PanelParameters, Parameters};
//! use widebragg_experiment::statistics::Statistics;
//!
//! # fn main() -> Result<(), widebragg_experiment::failure::Failure> {
//! let cell = CellSource::Cell(UnitCell::from_degrees([70.0, 80.0, 90.0], [90.0; 3]));
//! let roi = Some(Roi { fast_min: 500, fast_max: 559, slow_min: 500, slow_max: 559 });
//! let defaults = Parameters::new(cell);
//! let panels = vec![PanelParameters { roi, ..PanelParameters::default() }];
//! let parameters = Parameters { cells: [20.0; 3], default_f: 100.0, panels, ..defaults };
//! let experiment = Experiment::new(parameters, |warning| eprintln!("{warning}"))?;
//!
//! let mut orientations = experiment.orientation_buffer()?;
//! let scenes = experiment.scenes(0, &mut orientations)?; // one for each lattice and panel
//! let frame = render_frame(&experiment, &scenes, &|| ())?;
//! assert!(Statistics::new(scenes.panels(), &frame.pixels).max > 0.0);
//! # Ok(())
//! # }
//! ```
//!
//! | to | start at |
//! |---|---|
//! | render a frame over threads | [`frame::render_frame`] |
//! | put several crystals into one image | [`lattices`] |
//! | vary crystals, beam and detector from shot to shot | [`shots`] |
//! | render on several panels, and know where they are in a picture | [`panels`], [`layout`] |
//! | get its statistics | [`statistics::Statistics`] |
//! | turn photons into what a detector stores of them | [`detector_noise`] |
//! | get the mean wavelength and h, k, l of each pixel | [`means::Means`] |
//! | turn photons into the integers of SMV, PGM and CBF files | [`images`] |
//! | see the intermediate values of a pixel | [`trace`] |
//! | differentiate an image, check derivatives, fit parameters | [`gradient`] |
//! | find the resolution of a pixel | [`resolution`] |
//! | hold structure factors in f32 or f64 | [`factor_grid`] |
//! | state the geometry for a reader of the images | [`geometry`] |
//! | find a detector by its name, and how its sensor attenuates | [`detectors`], [`sensor_material`] |
//! | make and thin out spectra | [`spectrum`] |
//! | add what amorphous matter scatters | [`background`] |
//! | spread photons as a detector does | [`point_spread`] |
//! | add noise, point spread and background as simtbx has them | [`simtbx`] |
//! | find the reflections that images show | [`predictions`] |
//! | tell by how much each fault of the reference changes an image | [`faults`] |
//!
//! Nothing is printed here: warnings and failures are values, and progress is reported to a callback.

pub mod background;
pub mod carryover;
mod derive;
pub mod detector_noise;
pub mod detectors;
mod device;
pub mod experiment;
pub mod factor_grid;
pub mod failure;
pub mod faults;
pub mod frame;
mod frame_start;
pub mod geometry;
pub mod gradient;
pub mod images;
pub mod lattices;
pub mod layout;
pub mod light;
pub mod means;
mod noise;
pub mod panels;
pub mod parameters;
pub mod point_spread;
pub mod predictions;
pub mod reference_spread;
pub mod resolution;
pub mod sensor_material;
pub mod shots;
pub mod simtbx;
pub mod spectrum;
pub mod statistics;
mod tables;
pub mod threads;
pub mod trace;
pub mod warning;
