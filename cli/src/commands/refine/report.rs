//! The result of a refinement as a table, as JSON, and as options that repeat the fitted model.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use widebragg::crystal::CellSource;
use widebragg::defaults;
use widebragg::detector::{Convention, DetectorParameters};
use widebragg::gradient::Parameter;
use widebragg::lattice::{CellCoupling, Crystallite};
use widebragg::rotation::Orientation;
use widebragg::sampling::Steps;

use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::geometry::{columns, reciprocal_axes};
use widebragg_experiment::gradient::loss::Loss;
use widebragg_experiment::gradient::moves::{Movable, Moves};
use widebragg_experiment::gradient::named::{ALL, Named, is_of_crystal, value};
use widebragg_experiment::gradient::problem::Problem;
use widebragg_experiment::gradient::refine::optimiser::{Ending, Fitted};
use widebragg_experiment::lattices::Lattice;
use widebragg_experiment::panels::DetectorPanel;
use widebragg_formats::shot_table::CrystalRow;

use crate::commands::derivatives::{Chosen, Exposure, name_width, panel_members};
use crate::commands::light;
use crate::error::Failure;
use crate::options::Options;

/// The file of the fitted matrix in the folder of `--out`.
pub const MATRIX: &str = "fitted.mat";

/// The table of the fitted crystals in the folder of `--out`.
pub const TABLE: &str = "fitted_crystals.csv";

/// The experiment list of the fitted geometry in the folder of `--out`.
pub const LIST: &str = "fitted.expt";

fn is_cell(parameter: &Parameter) -> bool {
    matches!(parameter, Parameter::CellLength(_) | Parameter::CellAngle(_))
}

fn is_size(parameter: &Parameter) -> bool {
    matches!(parameter, Parameter::Cells(_) | Parameter::AllCells | Parameter::Coupling(_))
}

/// Whether a table of crystals has a parameter: it is one of a crystal's own, but for what tables have no column of.
fn is_in_table(named: &Named, parameter: Parameter) -> bool {
    let is_own = matches!(named.movable, Movable::Crystal(..));
    match parameter {
        Parameter::Coupling(_) | Parameter::MosaicAxisScale(_) => false,
        Parameter::FluenceScale => is_own,
        parameter => is_of_crystal(parameter),
    }
}

/// Whether one of the parameters that all panels share is such.
fn is_moved(parameters: &[Named], is: fn(&Parameter) -> bool) -> bool {
    parameters.iter().filter_map(Named::shared).any(|shared| is(&shared))
}

/// The experiment after the moves of a fit, as an experiment list describes it.
///
/// # Errors
/// Moves to an impossible experiment.
pub fn moved(problem: &Problem<'_>, moves: &Moves) -> Result<Experiment, Failure> {
    let experiment = problem.moved(moves)?;
    let by = |parameter| moves.shared.get(parameter);
    let v = problem.variables(moves)?.first().copied().unwrap_or_default();
    Ok(Experiment {
        lambda0_m: experiment.lambda0_m * v.lambda_scale + v.lambda_shift_m,
        phi0_rad: experiment.phi0_rad + by(Parameter::Phi0),
        phi: Steps { range: experiment.phi.range + by(Parameter::Osc), ..experiment.phi },
        ..experiment
    })
}

/// The options of the fitted model that differ from the start.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fragment {
    /// The options and their values.
    pub words: Vec<String>,
    /// Parameters that no option sets.
    pub without: Vec<String>,
    /// The orientation matrix that the options name, and its file.
    pub matrix: Option<(PathBuf, [[f64; 3]; 3])>,
    /// The crystals that the options name, and the file of their table.
    pub table: Option<(PathBuf, Vec<CrystalRow>)>,
    /// The options of the start that they replace.
    pub instead_of: Vec<&'static str>,
    /// The experiment list of the fitted geometry and crystal.
    pub list: Option<PathBuf>,
}

impl Fragment {
    /// The options for `parameters` after `moves`. A matrix, a table and a list are written to `folder`; without a folder
    /// there are none.
    ///
    /// # Errors
    /// The moves lead to an impossible experiment.
    pub fn new(
        problem: &Problem<'_>,
        options: &Options,
        parameters: &[Named],
        moves: &Moves,
        folder: Option<&Path>,
    ) -> Result<Self, Failure> {
        let mut fragment = Self::default();
        let experiment = problem.experiment();
        let lambda_m = experiment.lambda0_m + moves.shared.get(Parameter::Wavelength);
        let has_table = Self::needs_table(options, experiment, parameters);
        if has_table {
            fragment.add_table(options, problem, moves, folder)?;
        } else if Self::needs_matrix(options, experiment, parameters) {
            match folder {
                Some(folder) => {
                    let path = folder.join(MATRIX);
                    // From the vectors, since the reference's reciprocal axes of a cell differ slightly from
                    // these.
                    let Orientation { a_m, b_m, c_m } = problem.moved(moves)?.crystal.direct;
                    let volume = a_m.dot(b_m.cross(c_m));
                    let star = [b_m.cross(c_m), c_m.cross(a_m), a_m.cross(b_m)];
                    let star = star.map(|v| v.scaled(1.0 / volume).to_array());
                    let row = |i: usize| star.map(|v| v.get(i).map_or(0.0, |x| x * lambda_m));
                    fragment.add("-mat", &[]);
                    fragment.words.push(path.display().to_string());
                    fragment.add("-misset", &[0.0; 3]);
                    fragment.matrix = Some((path, [row(0), row(1), row(2)]));
                    fragment.instead_of.extend(options.cell_angstrom_deg.map(|_| "-cell"));
                }
                None => fragment.without.push("the matrix, which --out writes".to_owned()),
            }
        } else {
            if is_moved(parameters, is_cell) {
                let cell = ALL.iter().filter(|named| named.shared().is_some_and(|shared| is_cell(&shared)));
                let cell: Vec<f64> = cell.map(|named| value(named, experiment, moves)).collect();
                fragment.add("-cell", &cell);
            }
            if is_moved(parameters, |p| matches!(p, Parameter::Misset(_))) {
                let misset = ALL.iter().filter(|named| matches!(named.shared(), Some(Parameter::Misset(_))));
                let misset: Vec<f64> = misset.map(|named| value(named, experiment, moves)).collect();
                fragment.add("-misset", &misset);
            }
        }
        if is_moved(parameters, is_size) && !has_table {
            let is_coupled = is_moved(parameters, |p| matches!(p, Parameter::Coupling(_)));
            fragment.add_size(options, problem, moves, is_coupled)?;
        }
        if is_moved(parameters, |p| matches!(p, Parameter::MosaicAxisScale(_))) && !has_table {
            let axes = ALL.iter().filter_map(|named| named.clone().of(experiment).ok());
            let axes = axes.filter(|named| matches!(named.shared(), Some(Parameter::MosaicAxisScale(_))));
            let spreads: Vec<f64> = axes.map(|named| value(&named, experiment, moves)).collect();
            fragment.add("--mosaic-anisotropic", &spreads);
        }
        for named in parameters {
            match named.parameter() {
                Some(parameter) if has_table && is_in_table(named, parameter) => {}
                Some(Parameter::Coupling(_) | Parameter::MosaicAxisScale(_)) if has_table => {
                    fragment.without.push(named.name.to_string());
                }
                _ => fragment.add_single(problem, options, named, moves),
            }
        }
        let needs_list = Self::needs_list(experiment, parameters);
        fragment.list = folder.filter(|_| needs_list).map(|folder| folder.join(LIST));
        Ok(fragment)
    }

    /// Whether the fit of `parameters` moves panels to where no option puts them, and a list can say where they are.
    #[must_use]
    pub fn needs_list(experiment: &Experiment, parameters: &[Named]) -> bool {
        let has_no_option = |named: &Named| match named.movable {
            Movable::Rigid(..) | Movable::Shared(Parameter::Origin(_)) => true,
            Movable::Shared(Parameter::Distance | Parameter::BeamCentre(_)) => experiment.panels_in_all > 1,
            Movable::Shared(_) | Movable::Crystal(..) => false,
        };
        let is_flat = experiment.panels.iter().all(|panel| !panel.detector.curved);
        is_flat && parameters.iter().any(has_no_option)
    }

    /// Whether the fit of `parameters` ends in a matrix, which can describe crystals that a cell in the default
    /// setting cannot.
    #[must_use]
    pub fn needs_matrix(options: &Options, experiment: &Experiment, parameters: &[Named]) -> bool {
        if Self::needs_table(options, experiment, parameters) {
            return false;
        }
        let has_matrix =
            !matches!(experiment.crystal_parameters().map(|p| p.source), Some(CellSource::Cell(_)));
        is_moved(parameters, |p| matches!(p, Parameter::CellVector(_)))
            || has_matrix && is_moved(parameters, is_cell)
    }

    /// Whether the fit of `parameters` moves crystals that stand in a table, or that only a table can have.
    #[must_use]
    pub fn needs_table(options: &Options, experiment: &Experiment, parameters: &[Named]) -> bool {
        let is_listed = options.crystals.is_some() || experiment.lattices() > 1;
        let moves_crystals =
            |named: &Named| named.parameter().is_some_and(|parameter| is_in_table(named, parameter));
        is_listed && parameters.iter().any(moves_crystals)
    }

    /// Adds the table of the crystals.
    fn add_table(
        &mut self,
        options: &Options,
        problem: &Problem<'_>,
        moves: &Moves,
        folder: Option<&Path>,
    ) -> Result<(), Failure> {
        let Some(folder) = folder else {
            self.without.push("the table of crystals, which --out writes".to_owned());
            return Ok(());
        };
        let path = folder.join(TABLE);
        let row = |lattice: Lattice| CrystalRow {
            weight: Some(lattice.weight),
            a_matrix: Some(columns(reciprocal_axes(&lattice.crystal))),
            cells: Some(lattice.crystallite.cells),
            mosaic_deg: (lattice.mosaic_spread_rad > 0.0).then(|| lattice.mosaic_spread_rad.to_degrees()),
            ..CrystalRow::default()
        };
        let rows = problem.moved(moves)?.all_lattices().map(row).collect();
        self.words.extend(["--crystals".to_owned(), path.display().to_string()]);
        self.instead_of.extend(options.twin.as_ref().map(|_| "--twin"));
        self.table = Some((path, rows));
        Ok(())
    }

    /// Adds the option for the size of the crystal: an N matrix where it `is_coupled` or was one before.
    fn add_size(
        &mut self,
        options: &Options,
        problem: &Problem<'_>,
        moves: &Moves,
        is_coupled: bool,
    ) -> Result<(), Failure> {
        let Crystallite { cells, spots, .. } = problem.moved(moves)?.crystallite;
        let has_matrix = options.n_matrix.is_some();
        if is_coupled || has_matrix {
            let ([a, b, c], CellCoupling { ab, ac, bc }) = (cells, spots.coupling);
            self.add("--n-matrix", &[a, b, c, ab, ac, bc]);
            self.instead_of.extend(options.cells.map(|_| "--cells"));
        } else {
            self.add("--cells", &cells);
        }
        let counted = options.n_cells.iter().any(Option::is_some);
        self.instead_of.extend(counted.then_some("-N"));
        let by_size = !counted && options.sample_m.iter().any(|size| size.is_some_and(|size_m| size_m > 0.0));
        self.instead_of.extend(by_size.then_some("-samplesize"));
        Ok(())
    }

    fn add(&mut self, option: &str, values: &[f64]) {
        self.words.push(option.to_owned());
        self.words.extend(values.iter().map(|value| format!("{value}")));
    }

    fn add_single(&mut self, problem: &Problem<'_>, options: &Options, named: &Named, moves: &Moves) {
        let experiment = problem.experiment();
        let panel = experiment.first_panel();
        // No option moves several panels but together about the sample.
        let detector = panel.detector_parameters().filter(|_| experiment.panels_in_all == 1);
        let (Some(parameter), fitted) = (named.shared(), value(named, experiment, moves)) else {
            self.without.push(named.name.to_string());
            return;
        };
        let by = moves.shared.get(parameter);
        match parameter {
            Parameter::CellVector(_)
            | Parameter::CellLength(_)
            | Parameter::CellAngle(_)
            | Parameter::Misset(_)
            | Parameter::Cells(_)
            | Parameter::AllCells
            | Parameter::Coupling(_)
            | Parameter::MosaicAxisScale(_) => {}
            Parameter::Phi0 => self.add("-phi", &[fitted]),
            Parameter::Osc => self.add("-osc", &[fitted]),
            Parameter::Wavelength if options.sourcefile.is_none() => self.add("-lambda", &[fitted]),
            Parameter::Distance | Parameter::BeamCentre(_) => match detector {
                Some(detector) => self.add_placement(panel, detector, parameter, by, fitted),
                None => self.without.push(named.name.to_string()),
            },
            Parameter::DetectorRotation(i) => {
                let options = ["-detector_rotx", "-detector_roty", "-detector_rotz"];
                if let Some(option) = options.get(i) {
                    self.add(option, &[fitted]);
                }
            }
            Parameter::FluenceScale => match options.flux_per_s.filter(|&flux| flux > 0.0) {
                Some(flux) => self.add("-flux", &[flux * fitted]),
                None => self.add("-fluence", &[experiment.fluence_per_m2 * fitted]),
            },
            Parameter::MosaicScale => self.add("-mosaic", &[fitted]),
            Parameter::DefaultF => self.add("-default_F", &[fitted]),
            Parameter::Wavelength
            | Parameter::Origin(_)
            | Parameter::SpectrumShift
            | Parameter::SpectrumScale => self.without.push(named.name.to_string()),
        }
    }

    /// The option of the distance or of the beam centre of a detector of one panel, which has moved by `by` m.
    fn add_placement(
        &mut self,
        panel: &DetectorPanel,
        detector: &DetectorParameters,
        parameter: Parameter,
        by: f64,
        fitted: f64,
    ) {
        match parameter {
            Parameter::BeamCentre(i) => {
                let by_foot = matches!(detector.convention, Convention::Xds | Convention::Dials);
                let (org, size_m) = if i == 0 {
                    (detector.org_x_px, detector.fast_size_m)
                } else {
                    (detector.org_y_px, detector.slow_size_m)
                };
                if by_foot {
                    let org = org.unwrap_or(size_m / 2.0 / detector.pixel_m + 0.5);
                    self.add(if i == 0 { "-ORGX" } else { "-ORGY" }, &[org + by / detector.pixel_m]);
                } else {
                    self.add(if i == 0 { "-Xbeam" } else { "-Ybeam" }, &[fitted]);
                }
            }
            _ => match detector.close_distance_m {
                None => self
                    .add("-distance", &[(detector.distance_m.unwrap_or(defaults::DISTANCE_M) + by) / 1e-3]),
                Some(close_m) => {
                    let ratio = panel.detector.close_distance_m / panel.detector.distance_m;
                    self.add("-close_distance", &[(close_m + by * ratio) / 1e-3]);
                }
            },
        }
    }

    /// The options of the start that these replace, in words.
    fn replaced(&self) -> Option<String> {
        (!self.instead_of.is_empty()).then(|| self.instead_of.join(" and "))
    }

    /// The options, quoted for a shell.
    #[must_use]
    pub fn line(&self) -> String {
        shlex::try_join(self.words.iter().map(String::as_str)).unwrap_or_else(|_| self.words.join(" "))
    }
}

/// Why the refinement ended, in words.
pub(super) fn ending(fitted: &Fitted) -> String {
    match fitted.ending {
        Ending::IterationsUsedUp => "--iterations are used up".to_owned(),
        other => other.to_string(),
    }
}

/// Why the refinement is not to be believed, a sentence each.
pub(super) fn reasons(fitted: &Fitted) -> Vec<String> {
    let ending = (!fitted.converged).then(|| {
        format!("the fit has not converged after {} iterations: {}", fitted.iterations(), ending(fitted))
    });
    ending.into_iter().chain(fitted.doubts.iter().map(ToString::to_string)).collect()
}

/// A refinement and its result.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'f> {
    pub problem: &'f Problem<'f>,
    pub loss: &'f Loss,
    pub exposure: &'f Exposure,
    pub chosen: &'f Chosen,
    pub fitted: &'f Fitted,
    pub fragment: &'f Fragment,
}

impl Found<'_> {
    /// The report as JSON.
    pub fn json(&self, seconds: f64) -> Value {
        let Self { problem, loss, chosen, fitted, fragment, .. } = *self;
        let rows: Vec<Value> = chosen
            .parameters
            .iter()
            .zip(&fitted.uncertainties)
            .map(|(named, uncertainty)| {
                let [start, end] =
                    [&Moves::default(), &fitted.moves].map(|moves| value(named, problem.experiment(), moves));
                json!({
                    "name": named.name, "unit": named.unit, "start": start, "fitted": end, "uncertainty": uncertainty,
                })
            })
            .collect();
        let [start, end] = fitted
            .agreement
            .map(|agreement| json!({ "loss": agreement.loss, "correlation": agreement.correlation }));
        let history: Vec<Value> = fitted
            .history
            .iter()
            .map(|step| {
                json!({
                    "stage": step.stage, "iteration": step.iteration, "d_angstrom": step.d_angstrom,
                    "pixels": step.pixels, "loss": step.loss,
                })
            })
            .collect();
        let mut report = json!({
            "converged": fitted.converged, "ending": ending(fitted), "iterations": fitted.iterations(),
            "seconds": seconds, "kind": loss.name(), "pixels": fitted.pixels, "start": start, "fitted": end,
            "verdict": { "believable": fitted.is_believable(), "reasons": reasons(fitted) },
            "parameters": rows, "options": fragment.words, "without_option": fragment.without,
            "instead_of": fragment.replaced(), "history": history,
        });
        if let Some(path) = &fragment.list {
            report["geometry"] = path.display().to_string().into();
        }
        let exposure = self.exposure.members().into_iter();
        let panels = panel_members(problem.experiment(), &chosen.groups);
        for (name, value) in exposure.chain(light::members(fitted.light)).chain(panels) {
            report[name] = value;
        }
        report
    }

    /// The report as a table.
    pub fn table(&self) -> String {
        let Self { problem, loss, chosen, fitted, fragment, .. } = *self;
        let width = name_width(chosen.parameters.iter());
        let mut text = format!(
            "{:<width$} {:<9} {:>16} {:>16}  {:>12}\n",
            "parameter", "unit", "start", "fitted", "uncertainty"
        );
        for (named, uncertainty) in chosen.parameters.iter().zip(&fitted.uncertainties) {
            let [start, end] =
                [&Moves::default(), &fitted.moves].map(|moves| value(named, problem.experiment(), moves));
            let uncertainty =
                uncertainty.map_or_else(|| "undetermined".to_owned(), |sigma| format!("{sigma:.1e}"));
            text.push_str(&format!(
                "{:<width$} {:<9} {start:>16.8} {end:>16.8}  {uncertainty:>12}\n",
                named.name, named.unit
            ));
        }
        let [start, end] = fitted.agreement;
        text.push_str(&format!(
            "\n{} loss over {} pixels {:.6e}, was {:.6e}; correlation {:.6}, was {:.6}\ndata: {}\n{} after {} iterations: {}\n",
            loss.name(),
            fitted.pixels,
            end.loss,
            start.loss,
            end.correlation,
            start.correlation,
            self.exposure.line(),
            if fitted.converged { "converged" } else { "not converged" },
            fitted.iterations(),
            ending(fitted),
        ));
        if let Some(words) = light::words(fitted.light) {
            text.push_str(&format!("derivatives: {words}\n"));
        }
        if fitted.is_believable() {
            text.push_str("verdict: the fit describes the data, and its uncertainties can be believed\n");
        } else {
            text.push_str("verdict: NOT to be believed\n");
            reasons(fitted).iter().for_each(|reason| text.push_str(&format!("  - {reason}\n")));
        }
        if !fragment.words.is_empty() {
            text.push_str(&format!("\nThe fitted model: {}", fragment.line()));
            if let Some(options) = fragment.replaced() {
                text.push_str(&format!(" instead of {options}"));
            }
            text.push('\n');
        }
        if let Some(path) = &fragment.list {
            text.push_str(&format!("The fitted geometry and crystal: {}\n", path.display()));
        }
        if !fragment.without.is_empty() {
            text.push_str(&format!("No option gives: {}\n", fragment.without.join(", ")));
        }
        text
    }
}
