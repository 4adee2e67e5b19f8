//! What shots truly are, in files beside their images: as a table, as a stream of CrystFEL, and as predicted reflections.
//!
//! All shots of a run are in them, also where other jobs render some of them, so that all jobs write the same.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use widebragg::vector::Vec3;
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::geometry::reciprocal_axes;
use widebragg_experiment::predictions::{Prediction, f_cell, of_experiment};
use widebragg_formats::atomic::{check_writable, write_atomically};
use widebragg_formats::geometry::Crystal;
use widebragg_formats::shot_table::write_shots;
use widebragg_formats::stream::{Bravais, Chunk, Lattice, Spot, StreamHeader, StreamWriter, in_beam_frame};

use super::nxmx::{Subject, geometry, orientation};
use super::output::Names;
use super::predictions::{Predicted, Predictions};
use crate::commands::distinct::{Files, check_folder};
use crate::commands::setup::shots::Plan;
use crate::error::Failure;
use crate::options::{Options, ShotOptions};

/// Checks that shots go into a file.
///
/// # Errors
/// No option names one.
pub fn check_files(options: &Options) -> Result<(), Failure> {
    let Options { floatfile, intfile, noisefile, pgmfile, png, cbf, noise_cbf, nxmx, shots, .. } = options;
    let has_file =
        [floatfile, intfile, noisefile, pgmfile, png, cbf, noise_cbf, nxmx].into_iter().any(Option::is_some);
    if shots.is_none() || has_file {
        return Ok(());
    }
    Err(Failure::input("shots: into which file? give --nxmx FILE, or name images, such as --cbf FILE"))
}

/// The files that say what the shots are, but for the predictions.
#[derive(Debug)]
pub struct TruthFiles {
    /// The table.
    pub table: Option<PathBuf>,
    /// The stream of CrystFEL.
    pub stream: Option<PathBuf>,
}

impl TruthFiles {
    /// Those that `options` ask for; the table is beside the NXmx file, or else the first image, unless it is named.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        let Some(ShotOptions { truth, stream, .. }) = &options.shots else {
            return Self { table: None, stream: None };
        };
        let beside = || {
            let names = Names::numbered(options, None);
            options.nxmx.as_deref().or(names.all().first().copied()).map(|path| path.with_extension("csv"))
        };
        Self { table: truth.clone().or_else(beside), stream: stream.clone() }
    }

    fn all(&self) -> impl Iterator<Item = (&'static str, &'static str, &Path)> {
        let table =
            self.table.iter().map(|path| ("--truth", "is also the table of the shots (--truth)", path));
        let stream =
            self.stream.iter().map(|path| ("--stream", "is also the stream of the shots (--stream)", path));
        table.chain(stream).map(|(option, clash, path)| (option, clash, path.as_path()))
    }

    /// Claims the names among those of all files of a run.
    ///
    /// # Errors
    /// One of them is another file of the run, or its folder does not exist.
    pub(crate) fn claim(&self, files: &mut Files) -> Result<(), Failure> {
        self.all().try_for_each(|(option, clash, path)| {
            check_folder(option, path)?;
            files.write(option, path, clash)
        })
    }

    /// Checks that the files can be created.
    ///
    /// # Errors
    /// A file cannot be created in its folder.
    pub fn check_writable(&self) -> Result<(), Failure> {
        self.all().try_for_each(|(option, _, path)| {
            check_writable(path).map_err(|failure| Failure::from(failure.context(option)))
        })
    }

    /// The paths of all of them.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.all().map(|(_, _, path)| path)
    }

    /// Writes the files.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, options: &Options, subject: Subject<'_>) -> Result<(), Failure> {
        let Some(plan) = subject.plan else { return Ok(()) };
        if let Some(path) = &self.table {
            write_atomically(path, |out| write_shots(&plan.truth, out))
                .map_err(|failure| Failure::from(failure.context("--truth")))?;
        }
        if let Some(path) = &self.stream {
            write_stream(path, options, subject, plan)?;
        }
        Ok(())
    }
}

/// Writes the reflections of all shots.
///
/// # Errors
/// They cannot be written.
pub fn write_predictions(predictions: &mut Predictions, plan: &Plan) -> Result<(), Failure> {
    predictions.write((0..plan.truth.len()).map(|index| {
        let experiment = Cow::Owned(plan.experiment(index)?);
        Ok(Predicted { shot: Some((index + 1, plan.crystals(index))), experiment })
    }))
}

/// Writes a stream in which each crystal has the reflections that are predicted, with F^2 as their intensities.
fn write_stream(path: &Path, options: &Options, subject: Subject<'_>, plan: &Plan) -> Result<(), Failure> {
    let named = |failure: Failure| failure.context("--stream");
    let geometry = geometry(subject.experiment, subject.laboratory);
    let command_line = format!("widebragg {}", subject.args.join(" ").replace('\n', " "));
    let header =
        StreamHeader { generated_by: "widebragg", command_line: &command_line, ..StreamHeader::default() };
    let image = options.nxmx.as_deref().unwrap_or(Path::new("")).display().to_string();
    let mut failed = None;
    let written = write_atomically(path, |out| {
        let mut stream = StreamWriter::new(out, &geometry, &header)?;
        for index in 0..plan.truth.len() {
            let shift_m = shift_m(subject.experiment, plan, index).to_array();
            match chunk(&image, plan, index, in_beam_frame(&geometry.beam, shift_m)) {
                Ok((chunk, spots)) => {
                    let spots: Vec<&[Spot]> = spots.iter().map(Vec::as_slice).collect();
                    stream.chunk(&chunk, &spots)?;
                }
                Err(failure) => {
                    failed = Some(failure);
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
        }
        Ok(())
    });
    match failed {
        Some(failure) => Err(named(failure)),
        None => written.map_err(|failure| named(failure.into())),
    }
}

/// Shot `index` of the file `image` as a chunk of a stream, and the reflections of each of its crystals. Its detector is
/// displaced by `shift_m` in the axes of the stream.
fn chunk(
    image: &str,
    plan: &Plan,
    index: usize,
    [x_m, y_m, _]: [f64; 3],
) -> Result<(Chunk, Vec<Vec<Spot>>), Failure> {
    let experiment = plan.experiment(index)?;
    let alone: Vec<Experiment> =
        (0..plan.crystals(index)).map(|lattice| experiment.on_lattice(lattice)).collect();
    let lattices = alone.iter().map(|experiment| Lattice {
        crystal: Crystal {
            a_matrix: orientation(experiment, reciprocal_axes(&experiment.crystal), 0),
            a_at_frames: Vec::new(),
            space_group: None,
        },
        bravais: Some(Bravais::TRICLINIC),
        detector_shift_m: [x_m, y_m],
    });
    let chunk = Chunk {
        image: image.to_owned(),
        event: Some(format!("//{index}")),
        serial: Some(index as u64 + 1),
        lambda_m: Some(experiment.lambda0_m),
        lattices: lattices.collect(),
    };
    Ok((chunk, alone.iter().map(spots).collect::<Result<_, Failure>>()?))
}

/// How far the detector of a shot is displaced, in the laboratory.
fn shift_m(base: &Experiment, plan: &Plan, index: usize) -> Vec3 {
    let detector = &base.first_panel().detector;
    let [fast_m, slow_m] = plan.truth.get(index).and_then(|shot| shot.beam.shift_m).unwrap_or_default();
    fast_m * detector.fast + slow_m * detector.slow
}

/// The reflections of the only crystal of an experiment.
fn spots(experiment: &Experiment) -> Result<Vec<Spot>, Failure> {
    let spot = |reflection: &Prediction| Spot {
        hkl: reflection.hkl,
        panel: reflection.panel,
        position_px: reflection.position_px,
        intensity: [f_cell(experiment, reflection.hkl).powi(2), 0.0],
    };
    Ok(of_experiment(experiment, 1)?.iter().map(spot).collect())
}
