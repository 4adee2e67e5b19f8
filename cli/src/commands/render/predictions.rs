//! `--predictions`: where the reflections that a run can show are on its images, one line each.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::PathBuf;

use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::predictions::{FullIntensity, Prediction, When, of_experiment};
use widebragg_formats::atomic::write_atomically;

use crate::error::Failure;
use crate::options::Options;

/// The table of a run.
#[derive(Debug)]
pub struct Predictions {
    /// The file.
    pub path: PathBuf,
    /// The reflections in it, once it is written.
    pub reflections: usize,
    frames: usize,
}

/// Images whose reflections are in a table.
#[derive(Debug)]
pub struct Predicted<'e> {
    /// The number of the shot, and that of its crystals; `None`: the frames of a render.
    pub shot: Option<(usize, usize)>,
    /// What is rendered.
    pub experiment: Cow<'e, Experiment>,
}

impl Predictions {
    /// The table that `options` ask for, of all frames of a series; `None` where they ask for none.
    ///
    /// # Errors
    /// The detector is curved, or there is too little memory.
    pub fn new(options: &Options, experiment: &Experiment) -> Result<Option<Self>, Failure> {
        let Some(path) = options.predictions.clone() else { return Ok(None) };
        // Each shot is predicted by itself.
        let frames = if options.shots.is_some() { 1 } else { options.frames.unwrap_or(1) };
        // Found before hours are spent on the images.
        predicted(experiment, frames)?;
        Ok(Some(Self { path, reflections: 0, frames }))
    }

    /// Writes the file: the reflections of all crystals of these images. A table of shots, or of several crystals, says
    /// which they are of.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write<'e>(
        &mut self,
        images: impl Iterator<Item = Result<Predicted<'e>, Failure>>,
    ) -> Result<(), Failure> {
        let mut images = images.peekable();
        let mut failed = None;
        let (frames, mut reflections) = (self.frames, 0);
        let written = write_atomically(&self.path, |out| {
            let mut has_heading = false;
            for image in images.by_ref() {
                let rows = image.and_then(|image| Rows::new(image, frames));
                let rows = match rows {
                    Ok(rows) => rows,
                    Err(failure) => {
                        failed = Some(failure);
                        return Err(io::ErrorKind::InvalidData.into());
                    }
                };
                if !has_heading {
                    rows.heading(out)?;
                    has_heading = true;
                }
                reflections += rows.write(out)?;
            }
            Ok(())
        });
        self.reflections = reflections;
        match failed {
            Some(failure) => Err(failure),
            None => written.map_err(|failure| Failure::from(failure.context("--predictions"))),
        }
    }
}

fn predicted(experiment: &Experiment, frames: usize) -> Result<Vec<Prediction>, Failure> {
    of_experiment(experiment, frames).map_err(|failure| Failure::from(failure).context("--predictions"))
}

/// The lines of an image.
struct Rows {
    shot: Option<usize>,
    /// The experiment with each of its crystals alone, and their reflections.
    crystals: Vec<(Experiment, Vec<Prediction>)>,
}

impl Rows {
    fn new(Predicted { shot, experiment }: Predicted<'_>, frames: usize) -> Result<Self, Failure> {
        // A blank has the lattice of other shots, and no reflections.
        let crystals = (0..experiment.lattices()).map(|index| {
            let alone = experiment.on_lattice(index);
            let is_blank = shot.is_some_and(|(_, crystals)| crystals == 0);
            let reflections = if is_blank { Vec::new() } else { predicted(&alone, frames)? };
            Ok((alone, reflections))
        });
        Ok(Self { shot: shot.map(|(number, _)| number), crystals: crystals.collect::<Result<_, Failure>>()? })
    }

    /// Whether the lines say which crystal they are of.
    fn names_crystals(&self) -> bool {
        self.shot.is_some() || self.crystals.len() > 1
    }

    fn heading(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some((experiment, _)) = self.crystals.first() else { return Ok(()) };
        let motion = if experiment.phi.range != 0.0 { "phi_deg,frame,entering" } else { "excitation_rad" };
        let photons = if FullIntensity::new(experiment).is_some() { ",full_photons" } else { "" };
        let shot = if self.shot.is_some() { "shot," } else { "" };
        let crystal = if self.names_crystals() { "crystal," } else { "" };
        writeln!(out, "{shot}{crystal}h,k,l,panel,x_px,y_px,{motion},d_angstrom,lambda_angstrom{photons}")
    }

    /// Writes the lines, and returns their number.
    fn write(&self, out: &mut dyn Write) -> io::Result<usize> {
        for (index, (experiment, reflections)) in self.crystals.iter().enumerate() {
            let intensity = FullIntensity::new(experiment);
            for reflection in reflections {
                if let Some(shot) = self.shot {
                    write!(out, "{shot},")?;
                }
                if self.names_crystals() {
                    write!(out, "{},", index + 1)?;
                }
                row(experiment, intensity.as_ref(), reflection, out)?;
            }
        }
        Ok(self.crystals.iter().map(|(_, reflections)| reflections.len()).sum())
    }
}

/// Writes the line of a reflection.
fn row(
    experiment: &Experiment,
    intensity: Option<&FullIntensity<'_>>,
    reflection: &Prediction,
    out: &mut dyn Write,
) -> io::Result<()> {
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
    if let Some(intensity) = intensity {
        write!(out, ",{}", intensity.photons(reflection))?;
    }
    writeln!(out)
}

/// The frame whose oscillation has this phi, counted from 1; below 1 before the first.
fn frame(experiment: &Experiment, phi_deg: f64) -> i64 {
    let start_deg = experiment.frame_phi0_rad(0).to_degrees();
    ((phi_deg - start_deg) / experiment.phi.range.to_degrees()).floor() as i64 + 1
}
