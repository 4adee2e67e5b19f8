//! Structure factors of the atomic model that `-hkl` names.
//!
//! The grid has the indices that the image asks for ([`Reach`]), and F is computed in the sphere around them. So the image
//! is that of a list without limit.

use core::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use widebragg_coordinates::anomalous::{Anomalous, AnomalousSource, EV_ANGSTROM};
use widebragg_coordinates::elements::Element;
use widebragg_coordinates::error::Error;
use widebragg_coordinates::model::Model;
use widebragg_coordinates::scatterers::Scatterers;
use widebragg_coordinates::solvent::Solvent;
use widebragg_coordinates::structure_factors::{Method, Settings, StructureFactors};
use widebragg_experiment::experiment::Experiment;
use widebragg_formats::coordinates::parse_scan;
use widebragg_formats::format_g::format_g;
use widebragg_formats::hkl_table::{HklTable, MAX_CELLS};
use widebragg_formats::memory::is_there;
use widebragg_reflections::cell::Cell;
use widebragg_reflections::index_box::IndexBox;
use widebragg_reflections::symmetry::{SpaceGroup, resolve};

use super::inputs::Inputs;
use super::reach::Reach;
use crate::error::Failure;
use crate::options::{Options, SolventChoice};

/// A model, ready for structure factors.
#[derive(Debug)]
pub(crate) struct ModelFile {
    /// What names the file, `-hkl` or a command.
    named_by: &'static str,
    path: PathBuf,
    cell: Cell,
    group: SpaceGroup,
    scatterers: Scatterers,
    solvent: Option<Solvent>,
    source: AnomalousSource,
    /// Number of atoms of each element, in the order of the scatterers.
    atoms: Vec<usize>,
}

impl ModelFile {
    /// A model that was read from `path`, which `named_by` names; scans of f', f'' are read through `inputs`.
    ///
    /// # Errors
    /// No symmetry, or an impossible one; atoms that do not scatter; scans that cannot be used.
    pub(crate) fn new(
        model: &Model,
        (named_by, path): (&'static str, &Path),
        options: &Options,
        inputs: &Inputs,
        mut warn: impl FnMut(String),
    ) -> Result<Self, Failure> {
        let mut doubt = |what: &str| warn(format!("{named_by}: {}: {what}", path.display()));
        let refused = |why: String| refused(named_by, path, &why);
        let stated = options.reflections.space_group.as_ref().unwrap_or(&model.symmetry);
        let resolved = resolve(stated, Some(&model.cell)).map_err(|failure| refused(failure.to_string()))?;
        let scatterers =
            Scatterers::new(model, &resolved.group).map_err(|error| refused(error.to_string()))?;
        let warnings = [&model.warnings[..], &resolved.warnings, scatterers.warnings()];
        warnings.into_iter().flatten().for_each(|warning| doubt(warning));
        let elements = scatterers.elements();
        let mut source =
            if options.model.leaves_tables_out { AnomalousSource::none() } else { AnomalousSource::tables() };
        for (element, file) in &options.model.scans {
            if !elements.contains(element) {
                doubt(&format!("it has no {element}: --anomalous {element} has no effect"));
            }
            let option = format!("--anomalous {element}");
            let scan = inputs.read(&option, file, |input| parse_scan(input, file))?;
            source = source.with_scan(*element, scan);
        }
        let solvent = match options.model.solvent {
            // The molecules of a small-molecule crystal fill its cell.
            SolventChoice::Usual => (!model.full_sites).then(Solvent::default),
            SolventChoice::None => None,
            SolventChoice::Given { k_sol_e_per_angstrom3, b_sol_angstrom2 } => {
                Some(Solvent { k_sol_e_per_angstrom3, b_sol_angstrom2, ..Solvent::default() })
            }
        };
        let of_element =
            |element: &Element| model.atoms.iter().filter(|atom| atom.element == *element).count();
        let atoms = elements.iter().map(of_element).collect();
        let group = resolved.group;
        let path = path.to_owned();
        Ok(Self { named_by, path, cell: model.cell, group, scatterers, solvent, source, atoms })
    }

    /// The cell of the file.
    pub(crate) fn cell(&self) -> Cell {
        self.cell
    }

    /// The space group.
    pub(crate) fn group(&self) -> &SpaceGroup {
        &self.group
    }

    /// The elements, and the number of atoms of each in the asymmetric unit.
    pub(crate) fn elements(&self) -> impl Iterator<Item = (Element, usize)> {
        self.scatterers.elements().into_iter().zip(self.atoms.iter().copied())
    }

    /// F at the nodes that the image of `experiment` needs, `default_f` at others.
    ///
    /// # Errors
    /// Too little memory, or no f', f'' at the wavelength.
    pub(super) fn factors(&self, experiment: &Experiment) -> Result<(HklTable, ModelSummary), Failure> {
        let wavelength_m = Some(wavelength_m(experiment));
        self.computed(&Reach::of(experiment), experiment.default_f, wavelength_m)
    }

    /// F to a spacing, NaN beyond it. Without a wavelength there is no anomalous scattering.
    ///
    /// # Errors
    /// As [`ModelFile::factors`].
    pub(crate) fn list(
        &self,
        d_min_angstrom: f64,
        wavelength_m: Option<f64>,
    ) -> Result<(HklTable, ModelSummary), Failure> {
        self.computed(&Reach::to_spacing(&self.cell, d_min_angstrom), f64::NAN, wavelength_m)
    }

    fn computed(
        &self,
        reach: &Reach,
        default_f: f64,
        wavelength_m: Option<f64>,
    ) -> Result<(HklTable, ModelSummary), Failure> {
        let settings = Settings {
            d_min_angstrom: reach.d_min_angstrom(&self.cell),
            solvent: self.solvent,
            method: Method::Fastest,
        };
        let energy_ev = wavelength_m.map(|wavelength_m| EV_ANGSTROM / (wavelength_m * 1e10));
        let elements = self.scatterers.elements();
        let in_words = |error: Error| self.in_words(reach, &error);
        let at =
            |&element| energy_ev.map_or(Ok(Anomalous::default()), |energy| self.source.at(element, energy));
        let anomalous = elements.iter().map(at);
        let anomalous: Vec<Anomalous> = anomalous.collect::<Result<_, _>>().map_err(in_words)?;
        let needed = settings.bytes_needed(&self.scatterers, 0).map_err(in_words)?;
        let bytes = reach.nodes() * size_of::<f64>() as f64 + needed as f64;
        // A number of bytes that is no usize is larger than any memory.
        if bytes >= usize::MAX as f64 || !is_there(bytes as usize) {
            return Err(self.no_memory(reach, bytes));
        }
        let bounds = reach.indices();
        let IndexBox { h, k, l } = bounds;
        let mut table = HklTable::filled(h, k, l, default_f, MAX_CELLS)
            .map_err(|why| self.refused(&format!("{why}; give a larger -dmin")))?;
        let factors =
            StructureFactors::new(&self.scatterers, &settings, &anomalous, &[]).map_err(in_words)?;
        factors.amplitudes_into(&[], &bounds, &mut table.data).map_err(in_words)?;
        let per_element = elements.iter().zip(&self.atoms).zip(&anomalous);
        let per_element = per_element.map(|((&element, &atoms), &anomalous)| ElementSummary {
            element,
            atoms,
            anomalous,
            transformed: factors.transformed().contains(&element),
        });
        let summary = ModelSummary {
            elements: per_element.collect(),
            group: self.group.clone(),
            cell: self.cell,
            solvent: self.solvent,
            energy_ev,
            resolution_angstrom: reach.resolution_angstrom(),
            nodes_beyond: reach.nodes_beyond(),
            unique: factors.reflections().len(),
        };
        Ok((table, summary))
    }

    /// Why there are no structure factors, with what a user can do.
    fn in_words(&self, reach: &Reach, error: &Error) -> Failure {
        match error {
            Error::Energy { element, .. } => self.refused(&format!(
                "{error}: give --anomalous {element}=FILE with lines of E f' f'', or --anomalous none"
            )),
            Error::OutOfMemory { bytes } => self.no_memory(reach, *bytes as f64),
            Error::Solvent(_) => Failure::input(format!("--solvent: {error}")),
            Error::Resolution(_) => self.refused(&format!("{error}; give a larger -dmin")),
            _ => self.refused(&error.to_string()),
        }
    }

    fn no_memory(&self, reach: &Reach, bytes: f64) -> Failure {
        let what = format!(
            "structure factors of the cell {} to {} Angstrom need {:.2} GiB of memory, more than there is: give a larger -dmin",
            self.cell,
            format_g(reach.resolution_angstrom()),
            bytes / f64::from(1 << 30)
        );
        self.refused(&what)
    }

    fn refused(&self, why: &str) -> Failure {
        refused(self.named_by, &self.path, why)
    }
}

/// The wavelength of the image: the central one, or the mean of those of a list of sources.
fn wavelength_m(experiment: &Experiment) -> f64 {
    if experiment.source_grid.is_some() {
        return experiment.lambda0_m;
    }
    let wavelengths = experiment.sources.iter().map(|source| source.lambda_m);
    wavelengths.sum::<f64>() / experiment.sources.len() as f64
}

/// The failure of the file of a model.
fn refused(named_by: &str, path: &Path, why: &str) -> Failure {
    Failure::input(format!("{named_by}: {}: {why}", path.display()))
}

/// The atoms of an element, and how they were summed.
#[derive(Debug, Clone, PartialEq)]
struct ElementSummary {
    element: Element,
    atoms: usize,
    anomalous: Anomalous,
    transformed: bool,
}

/// What structure factors were computed from.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelSummary {
    elements: Vec<ElementSummary>,
    group: SpaceGroup,
    cell: Cell,
    solvent: Option<Solvent>,
    /// `None` where there is no anomalous scattering.
    energy_ev: Option<f64>,
    resolution_angstrom: f64,
    nodes_beyond: i32,
    unique: usize,
}

impl ModelSummary {
    fn atoms(&self) -> usize {
        self.elements.iter().map(|of| of.atoms).sum()
    }

    /// The symbols of the elements that were summed by transforms, or of those that were not.
    fn summed(&self, transformed: bool) -> String {
        let symbols = self.elements.iter().filter(|of| of.transformed == transformed);
        symbols.map(|of| of.element.symbol()).collect::<Vec<_>>().join(" ")
    }

    /// Lines for the summary: names, and values.
    #[must_use]
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let elements: Vec<_> =
            self.elements.iter().map(|of| format!("{} {}", of.atoms, of.element)).collect();
        let (fft, direct) = (self.summed(true), self.summed(false));
        let method = match (fft.is_empty(), direct.is_empty()) {
            (true, _) => "summed directly".to_owned(),
            (_, true) => "summed by transforms".to_owned(),
            _ => format!("{fft} summed by transforms, {direct} directly"),
        };
        let solvent = self.solvent.map_or_else(
            || "no bulk solvent".to_owned(),
            |solvent| {
                let (k_sol, b_sol) = (solvent.k_sol_e_per_angstrom3, solvent.b_sol_angstrom2);
                format!(
                    "bulk solvent k_sol {} e/Angstrom^3, B_sol {} Angstrom^2",
                    format_g(k_sol),
                    format_g(b_sol)
                )
            },
        );
        let mut anomalous = match self.energy_ev {
            Some(energy_ev) => format!("f', f'' at {} eV:", format_g(energy_ev)),
            None => "no anomalous scattering".to_owned(),
        };
        for ElementSummary { element, anomalous: Anomalous { f_prime, f_double_prime }, .. } in
            self.elements.iter().filter(|_| self.energy_ev.is_some())
        {
            // Writing to a string cannot fail.
            let _ = write!(anomalous, " {element} {f_prime:.3} {f_double_prime:.3},");
        }
        let anomalous = anomalous.trim_end_matches(',').to_owned();
        let beyond = match self.nodes_beyond {
            0 => String::new(),
            nodes => format!(" and {nodes} nodes beyond"),
        };
        vec![
            ("model", format!("{} atoms ({}) in {}", self.atoms(), elements.join(", "), self.group)),
            (
                "",
                format!(
                    "F to {} Angstrom{beyond}, {} unique, {method}",
                    format_g(self.resolution_angstrom),
                    self.unique
                ),
            ),
            ("", solvent),
            ("", anomalous),
        ]
    }

    /// The same as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let elements: Vec<_> = self
            .elements
            .iter()
            .map(|of| {
                json!({
                    "symbol": of.element.symbol(),
                    "atoms": of.atoms,
                    "f_prime": of.anomalous.f_prime,
                    "f_double_prime": of.anomalous.f_double_prime,
                    "method": if of.transformed { "transform" } else { "direct" },
                })
            })
            .collect();
        let solvent = self.solvent.map(|solvent| {
            json!({
                "k_sol_e_per_angstrom3": solvent.k_sol_e_per_angstrom3,
                "B_sol_angstrom2": solvent.b_sol_angstrom2,
            })
        });
        let cell = [self.cell.lengths_angstrom, self.cell.angles_deg].concat();
        json!({
            "atoms": self.atoms(),
            "elements": elements,
            "space_group": self.group.name(),
            "space_group_number": self.group.number(),
            "operators": self.group.operators().len(),
            "unit_cell": cell,
            "solvent": solvent,
            "energy_ev": self.energy_ev,
            "resolution_angstrom": self.resolution_angstrom,
            "unique": self.unique,
        })
    }
}
