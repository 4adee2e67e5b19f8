//! `--predictions`: where the reflections that a run can show are on its images, one line each.

use std::io::{self, Write};
use std::path::PathBuf;

use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::predictions::{FullIntensity, Prediction, When, of_experiment};
use widebragg_formats::atomic::write_atomically;

use crate::error::Failure;
use crate::options::Options;

/// The predictions of a run.
#[derive(Debug)]
pub struct Predictions {
    /// The file that they are written to.
    pub path: PathBuf,
    /// The reflections.
    pub reflections: Vec<Prediction>,
}

impl Predictions {
    /// The predictions that `options` ask for, of all frames of a series; `None` where they ask for none.
    ///
    /// # Errors
    /// The detector is curved, or there is too little memory.
    pub fn new(options: &Options, experiment: &Experiment) -> Result<Option<Self>, Failure> {
        let Some(path) = options.predictions.clone() else { return Ok(None) };
        let reflections = of_experiment(experiment, options.frames.unwrap_or(1))
            .map_err(|failure| Failure::from(failure).context("--predictions"))?;
        Ok(Some(Self { path, reflections }))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, experiment: &Experiment) -> Result<(), Failure> {
        let written = write_atomically(&self.path, |out| self.rows(experiment, out));
        written.map_err(|failure| Failure::from(failure.context("--predictions")))
    }

    fn rows(&self, experiment: &Experiment, out: &mut dyn Write) -> io::Result<()> {
        let intensity = FullIntensity::new(experiment);
        let is_rotation = experiment.phi.range != 0.0;
        let motion = if is_rotation { "phi_deg,frame,entering" } else { "excitation_rad" };
        let photons = if intensity.is_some() { ",full_photons" } else { "" };
        writeln!(out, "h,k,l,panel,x_px,y_px,{motion},d_angstrom,lambda_angstrom{photons}")?;
        for reflection in &self.reflections {
            let Prediction { hkl: [h, k, l], panel, position_px: [x, y], d_angstrom, .. } = reflection;
            write!(out, "{h},{k},{l},{panel},{x},{y},")?;
            match reflection.when {
                When::Phi { phi_deg, is_entering } => {
                    let frame = frame(experiment, phi_deg);
                    write!(out, "{phi_deg},{frame},{}", u8::from(is_entering))?;
                }
                When::Excitation(angle_rad) => write!(out, "{angle_rad}")?,
            }
            // Nine decimals leave out the rounding errors of the vector that it is taken from.
            write!(out, ",{d_angstrom},{:.9}", reflection.lambda_angstrom())?;
            if let Some(intensity) = &intensity {
                write!(out, ",{}", intensity.photons(reflection))?;
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

/// The frame whose oscillation has this phi, counted from 1; below 1 before the first.
fn frame(experiment: &Experiment, phi_deg: f64) -> i64 {
    let start_deg = experiment.frame_phi0_rad(0).to_degrees();
    ((phi_deg - start_deg) / experiment.phi.range.to_degrees()).floor() as i64 + 1
}
