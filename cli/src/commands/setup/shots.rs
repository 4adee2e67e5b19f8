//! The shots of `widebragg shots`: their table, their spectra, and the truth of each.

use std::io::Read;
use std::path::Path;

use widebragg::crystal::{Crystal, CrystalParameters};
use widebragg::detector::Detector;
use widebragg::scene::CrystalInput;
use widebragg::vector::Vec3;
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::failure::{Failure as ExperimentFailure, Part};
use widebragg_experiment::shots::Shots;
use widebragg_experiment::spectrum::Spectrum;
use widebragg_formats::failure::Failure as FileFailure;
use widebragg_formats::geometry::Frame;
use widebragg_formats::shot_table::{BeamRow, CrystalRow, ShotRows, parse_shots};
use widebragg_formats::stream::{Chunk, read_stream};

use super::inputs::Inputs;
use super::lattices::{check_axes, is_stream, of_stream, oriented};
use super::reach::Reach;
use crate::error::Failure;
use crate::options::Options;

/// The table and the spectra of shots, as they were read.
#[derive(Debug, Clone, Default)]
pub struct GivenShots {
    table: Vec<ShotRows>,
    /// Whether the table is a stream, whose shifts are along x and y.
    is_stream: bool,
    /// The spectra that shots have in turn; none: that of the render.
    pub(super) spectra: Vec<Spectrum>,
}

/// The shots of a run, and what they truly are.
#[derive(Debug)]
pub struct Plan {
    shots: Shots,
    /// All shots, in order.
    pub truth: Vec<ShotRows>,
    /// The seed of everything that is drawn.
    pub seed: u64,
    spectra: Vec<Spectrum>,
}

impl GivenShots {
    /// Reads the table of shots. `frame` is that of the laboratory, where a file of geometry tells it.
    ///
    /// # Errors
    /// The table cannot be used, or names shots that there are not.
    pub(super) fn read(
        options: &Options,
        inputs: &Inputs,
        frame: Option<Frame>,
    ) -> Result<Option<Self>, Failure> {
        let Some(shots) = &options.shots else { return Ok(None) };
        if options.crystals.is_some() || options.twin.is_some() {
            let option = if options.twin.is_some() { "--twin" } else { "--crystals" };
            return Err(Failure::input(format!("{option}: not for shots, whose table lists crystals")));
        }
        if options.seed_as_typed.is_some_and(|seed| u64::try_from(seed) != Ok(shots.seed)) {
            return Err(Failure::input("-seed: not for shots, whose noise is that of --shot-seed"));
        }
        if options.xds_inp.is_some() {
            let why = "not for shots, which are no rotation: --truth, --expt and --stream say what they are";
            return Err(Failure::input(format!("--xds-inp: {why}")));
        }
        let Some(path) = &shots.table else { return Ok(Some(Self::default())) };
        let (is_stream, table) = inputs.read("--shot-table", path, |input| table(input, path, frame))?;
        if let Some(last) = table.last().filter(|last| last.number > shots.count) {
            let (number, count, path) = (last.number, shots.count, path.display());
            return Err(Failure::input(format!(
                "--shot-table: {path}: has shot {number}, and there are {count} (--shots)"
            )));
        }
        Ok(Some(Self { table, is_stream, spectra: Vec::new() }))
    }

    /// The first crystal of the table.
    pub(super) fn first_crystal(&self) -> Option<&CrystalRow> {
        self.table.first().and_then(|shot| shot.crystals.first())
    }

    /// The table, with the shifts of a stream along fast and slow of this detector.
    fn table_on(&self, detector: &Detector) -> Vec<ShotRows> {
        let mut table = self.table.clone();
        let given = table.iter_mut().filter(|_| self.is_stream).filter_map(|shot| shot.beam.shift_m.as_mut());
        for shift_m in given {
            let along_xy = Vec3::new(shift_m[0], shift_m[1], 0.0);
            *shift_m = [detector.fast, detector.slow].map(|axis| along_xy.dot(axis));
        }
        table
    }

    /// The shots about `experiment`.
    ///
    /// # Errors
    /// What cannot be varied, or lines of the table that make no crystal.
    pub fn plan(&self, options: &Options, experiment: Experiment) -> Result<Plan, Failure> {
        let Some(shots) = &options.shots else { return Err(Failure::input("shots: there are none")) };
        let (count, seed) = (shots.count, shots.seed);
        let (input, lambda0_m) = (experiment.crystal_input, experiment.lambda0_m);
        let base = experiment.crystal;
        let crystal_of = |row: &CrystalRow| crystal(row, input, lambda0_m, base);
        let table = self.table_on(&experiment.first_panel().detector);
        let shots = Shots::new(experiment, &self.spectra, shots.distributions, table, seed)?;
        let truth = (1..=count).map(|number| shots.shot(number, &crystal_of)).collect::<Result<_, _>>();
        Ok(Plan { truth: truth?, shots, seed, spectra: self.spectra.clone() })
    }
}

impl Plan {
    /// The same shots about an experiment that differs in what they do not vary: in structure factors, background and device.
    ///
    /// # Errors
    /// An experiment that has no shots.
    pub(super) fn about(self, experiment: Experiment) -> Result<Self, Failure> {
        Ok(Self { shots: self.shots.about(experiment)?, ..self })
    }

    /// The experiment of shot `index`, counted from 0.
    ///
    /// # Errors
    /// A crystal of the shot is impossible.
    pub fn experiment(&self, index: usize) -> Result<Experiment, Failure> {
        let shot = self.truth.get(index).ok_or_else(|| Failure::input("shots: no such shot"))?;
        Ok(self.shots.experiment(shot)?)
    }

    /// The spectra that shots have in turn; empty where all have the beam of the render.
    pub fn spectra(&self) -> &[Spectrum] {
        &self.spectra
    }

    /// The wavelength of each shot, or the mean of its spectrum.
    pub fn wavelengths_m(&self) -> Vec<f64> {
        let usual_m = self.shots.base().lambda0_m;
        self.truth.iter().map(|shot| shot.beam.lambda_m.unwrap_or(usual_m)).collect()
    }

    /// How many crystals shot `index` has, counted from 0; a blank has none.
    pub fn crystals(&self, index: usize) -> usize {
        self.truth
            .get(index)
            .map_or(0, |shot| shot.crystals.iter().filter(|row| row.weight != Some(0.0)).count())
    }

    /// How many shots have no crystal.
    pub fn blanks(&self) -> usize {
        (0..self.truth.len()).filter(|&index| self.crystals(index) == 0).count()
    }

    /// What all shots ask for.
    pub(super) fn reach(&self) -> Result<Reach, Failure> {
        let base = Reach::of(self.shots.base());
        (0..self.truth.len())
            .try_fold(base, |reach, index| Ok(reach.and(Reach::of(&self.experiment(index)?))))
    }
}

/// The crystal of a line without a matrix; `base` is the crystal of a line that gives nothing.
fn crystal(
    row: &CrystalRow,
    input: CrystalInput,
    lambda0_m: f64,
    base: Crystal,
) -> Result<Crystal, ExperimentFailure> {
    match oriented(row, input, lambda0_m) {
        CrystalInput::Axes { .. } => Ok(base),
        CrystalInput::Cell { source, misset_rad } => {
            Crystal::new(&CrystalParameters { source, lambda0_m, misset_rad })
                .map_err(|error| ExperimentFailure::Refused { part: Part::Crystal, error })
        }
    }
}

/// The shots of a table, or of the images of a stream, and whether it is one.
fn table(
    input: &mut dyn Read,
    path: &Path,
    frame: Option<Frame>,
) -> Result<(bool, Vec<ShotRows>), FileFailure> {
    let (is_stream, mut whole) = is_stream(input);
    if !is_stream {
        return parse_shots(whole, path).map(|shots| (false, shots));
    }
    check_axes(path, frame)?;
    let chunks = read_stream(&mut whole, path)?;
    let shots = (1..).zip(&chunks).map(|(number, chunk)| of_chunk(number, chunk));
    Ok((true, shots.collect()))
}

/// The shot of an image of a stream. Its detector is displaced along x and y.
fn of_chunk(number: usize, chunk: &Chunk) -> ShotRows {
    let blank = CrystalRow { weight: Some(0.0), ..CrystalRow::default() };
    let crystals = match &chunk.lattices[..] {
        [] => vec![blank],
        lattices => lattices.iter().map(of_stream).collect(),
    };
    let shift_m = chunk.lattices.first().map(|lattice| lattice.detector_shift_m);
    ShotRows { number, beam: BeamRow { lambda_m: chunk.lambda_m, shift_m, ..BeamRow::default() }, crystals }
}
