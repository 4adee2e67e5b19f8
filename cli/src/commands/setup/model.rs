//! Structure factors of the atomic model that `-hkl` names.
//!
//! The grid has the indices that the image asks for ([`Reach`]), and F is computed in the sphere around them. So the image
//! is that of a list without limit.
//!
//! With `--energy-channels` each channel of wavelengths has a grid over the same box.

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
use widebragg_experiment::factor_grid::FactorGrid;
use widebragg_formats::coordinates::parse_scan;
use widebragg_formats::format_g::format_g;
use widebragg_formats::hkl_table::{HklTable, MAX_CELLS};
use widebragg_formats::memory::{is_there, reserve};
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

    /// F at the nodes within `reach`, the `default_f` of `experiment` at others; with `--energy-channels` for each
    /// channel of its wavelengths.
    ///
    /// # Errors
    /// Too little memory, or no f', f'' at the wavelength.
    pub(super) fn factors(
        &self,
        experiment: &Experiment,
        reach: &Reach,
        options: &Options,
    ) -> Result<(FactorGrid, ModelSummary), Failure> {
        let (channels, of_source) = match options.model.energy_channels {
            None => {
                let wavelength_m = Some(wavelength_m(experiment));
                (vec![Channel { wavelength_m, sources: experiment.sources.len() }], None)
            }
            Some(most) => {
                let (channels, of_source) = channels(experiment, most);
                (channels, Some(of_source))
            }
        };
        let is_per_energy = of_source.is_some();
        let (bounds, values, summary) =
            self.computed(reach, experiment.default_f, &channels, is_per_energy)?;
        Ok((FactorGrid::several(bounds, values, of_source, options.grid), summary))
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
        let reach = Reach::to_spacing(&self.cell, d_min_angstrom);
        let channels = [Channel { wavelength_m, sources: 1 }];
        let (IndexBox { h, k, l }, data, summary) = self.computed(&reach, f64::NAN, &channels, false)?;
        Ok((HklTable { h, k, l, data }, summary))
    }

    /// The box, and F at its nodes for each channel, one after the other.
    fn computed(
        &self,
        reach: &Reach,
        default_f: f64,
        channels: &[Channel],
        is_per_energy: bool,
    ) -> Result<(IndexBox, Vec<f64>, ModelSummary), Failure> {
        let settings = Settings {
            d_min_angstrom: reach.d_min_angstrom(&self.cell),
            solvent: self.solvent,
            method: Method::Fastest,
        };
        let elements = self.scatterers.elements();
        let in_words = |error: Error| self.in_words(reach, &error);
        let channels = channels.iter().map(|channel| self.anomalous(channel));
        let channels: Vec<ChannelSummary> = channels.collect::<Result<_, _>>().map_err(in_words)?;
        let varies =
            |at: &usize| channels.iter().any(|channel| channel.anomalous[*at] != channels[0].anomalous[*at]);
        let varying: Vec<usize> = (0..elements.len()).filter(varies).collect();
        let needed = settings.bytes_needed(&self.scatterers, varying.len()).map_err(in_words)?;
        let bytes = reach.nodes() * (channels.len() * size_of::<f64>()) as f64 + needed as f64;
        // A number of bytes that is no usize is larger than any memory.
        if bytes >= usize::MAX as f64 || !is_there(bytes as usize) {
            return Err(self.no_memory(reach, bytes));
        }
        let bounds = reach.indices();
        let IndexBox { h, k, l } = bounds;
        let mut values = HklTable::filled(h, k, l, default_f, MAX_CELLS)
            .map_err(|why| self.refused(&format!("{why}; give a larger -dmin")))?
            .data;
        let nodes = values.len();
        if reserve(&mut values, (channels.len() - 1) * nodes).is_none() {
            return Err(self.no_memory(reach, bytes));
        }
        values.resize(channels.len() * nodes, default_f);
        let of_varying: Vec<Element> = varying.iter().map(|&at| elements[at]).collect();
        let factors = StructureFactors::new(&self.scatterers, &settings, &channels[0].anomalous, &of_varying)
            .map_err(in_words)?;
        for (channel, amplitudes) in channels.iter().zip(values.chunks_exact_mut(nodes)) {
            let anomalous: Vec<_> = varying.iter().map(|&at| channel.anomalous[at]).collect();
            factors.amplitudes_into(&anomalous, &bounds, amplitudes).map_err(in_words)?;
        }
        let per_element = elements.iter().zip(&self.atoms);
        let per_element = per_element.map(|(&element, &atoms)| ElementSummary {
            element,
            atoms,
            transformed: factors.transformed().contains(&element),
        });
        let summary = ModelSummary {
            elements: per_element.collect(),
            group: self.group.clone(),
            cell: self.cell,
            solvent: self.solvent,
            channels,
            is_per_energy,
            resolution_angstrom: reach.resolution_angstrom(),
            nodes_beyond: reach.nodes_beyond(),
            unique: factors.reflections().len(),
        };
        Ok((bounds, values, summary))
    }

    /// f', f'' of each element in a channel.
    fn anomalous(&self, &Channel { wavelength_m, sources }: &Channel) -> Result<ChannelSummary, Error> {
        let energy_ev = wavelength_m.map(|wavelength_m| EV_ANGSTROM / (wavelength_m * 1e10));
        let at =
            |element| energy_ev.map_or(Ok(Anomalous::default()), |energy| self.source.at(element, energy));
        let anomalous = self.scatterers.elements().into_iter().map(at).collect::<Result<_, _>>()?;
        Ok(ChannelSummary { sources, energy_ev, anomalous })
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

/// Sources that have the same F.
#[derive(Debug, Clone, Copy)]
struct Channel {
    /// The wavelength of f', f''; `None` for no anomalous scattering.
    wavelength_m: Option<f64>,
    /// Number of sources.
    sources: usize,
}

/// The wavelength of the image: the central one, or the mean, by weight, of those of a list of sources.
fn wavelength_m(experiment: &Experiment) -> f64 {
    if experiment.source_grid.is_some() {
        return experiment.lambda0_m;
    }
    let (whole, _) = channels(experiment, 1);
    whole.first().and_then(|channel| channel.wavelength_m).unwrap_or(experiment.lambda0_m)
}

/// The channels of the wavelengths of the sources, at most `most`, each with the mean wavelength of its sources by weight;
/// and for each source its channel.
///
/// Channels divide the range of wavelengths into parts of equal width, of which those without a source are left out.
fn channels(experiment: &Experiment, most: usize) -> (Vec<Channel>, Vec<u32>) {
    let lambda_m = |at: usize| experiment.sources[at].lambda_m;
    let weight = |at: usize| experiment.source_weights.as_ref().map_or(1.0, |weights| weights[at]);
    let mut order: Vec<usize> = (0..experiment.sources.len()).collect();
    order.sort_by(|&a, &b| lambda_m(a).total_cmp(&lambda_m(b)));
    let ends = [order.first(), order.last()].map(|at| at.map_or(0.0, |&at| lambda_m(at)));
    let width_m = (ends[1] - ends[0]) / most as f64;
    // The cast saturates; sources of the same wavelength are in part 0.
    let part = |&at: &usize| (((lambda_m(at) - ends[0]) / width_m) as usize).min(most - 1);
    let mut of_source = vec![0; order.len()];
    let mut channels = Vec::new();
    for members in order.chunk_by(|a, b| part(a) == part(b)) {
        // Relative to the largest, since weights may be as large as any f64.
        let largest = members.iter().map(|&at| weight(at)).fold(0.0, f64::max);
        let share = |at: usize| weight(at) / largest;
        let sum: f64 = members.iter().map(|&at| share(at)).sum();
        let mean_m = members.iter().map(|&at| share(at) * lambda_m(at)).sum::<f64>() / sum;
        members.iter().for_each(|&at| of_source[at] = channels.len() as u32);
        channels.push(Channel { wavelength_m: Some(mean_m), sources: members.len() });
    }
    (channels, of_source)
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
    transformed: bool,
}

/// The sources that have the same F, and f', f'' at their wavelength.
#[derive(Debug, Clone, PartialEq)]
struct ChannelSummary {
    /// Number of sources.
    sources: usize,
    /// `None` where there is no anomalous scattering.
    energy_ev: Option<f64>,
    /// Of each element.
    anomalous: Vec<Anomalous>,
}

/// Most channels that a summary lists.
const MOST_LISTED: usize = 10;

/// What structure factors were computed from.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelSummary {
    elements: Vec<ElementSummary>,
    group: SpaceGroup,
    cell: Cell,
    solvent: Option<Solvent>,
    /// One where all sources have the same F.
    channels: Vec<ChannelSummary>,
    /// Whether `--energy-channels` was given.
    is_per_energy: bool,
    resolution_angstrom: f64,
    nodes_beyond: i32,
    unique: usize,
}

impl ModelSummary {
    /// The space group.
    #[must_use]
    pub fn group(&self) -> &SpaceGroup {
        &self.group
    }

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
        let beyond = match self.nodes_beyond {
            0 => String::new(),
            nodes => format!(" and {nodes} nodes beyond"),
        };
        let mut lines = vec![
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
        ];
        if self.is_per_energy {
            lines.push(("", format!("channels of wavelengths with F of their own: {}", self.channels.len())));
        }
        lines.extend(self.channels.iter().take(MOST_LISTED).map(|channel| ("", self.channel_line(channel))));
        let more = self.channels.len().saturating_sub(MOST_LISTED);
        if more > 0 {
            lines.push(("", format!("and {more} more, which --json lists")));
        }
        lines
    }

    /// f', f'' of a channel.
    fn channel_line(&self, channel: &ChannelSummary) -> String {
        let Some(energy_ev) = channel.energy_ev else { return "no anomalous scattering".to_owned() };
        let mut line = format!("f', f'' at {} eV:", format_g(energy_ev));
        for (ElementSummary { element, .. }, anomalous) in self.elements.iter().zip(&channel.anomalous) {
            let Anomalous { f_prime, f_double_prime } = anomalous;
            // Writing to a string cannot fail.
            let _ = write!(line, " {element} {f_prime:.3} {f_double_prime:.3},");
        }
        line.pop();
        if self.is_per_energy {
            let _ = write!(line, "; sources: {}", channel.sources);
        }
        line
    }

    /// A value of the channel; with `--energy-channels` a list of those of all.
    fn of_channels(&self, value: impl Fn(&ChannelSummary) -> Value) -> Value {
        let mut values: Vec<Value> = self.channels.iter().map(value).collect();
        if self.is_per_energy { Value::Array(values) } else { values.pop().unwrap_or_default() }
    }

    /// The same as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let elements: Vec<_> = self
            .elements
            .iter()
            .enumerate()
            .map(|(at, of)| {
                json!({
                    "symbol": of.element.symbol(),
                    "atoms": of.atoms,
                    "f_prime": self.of_channels(|channel| json!(channel.anomalous[at].f_prime)),
                    "f_double_prime": self.of_channels(|channel| json!(channel.anomalous[at].f_double_prime)),
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
        let channels = self.is_per_energy.then(|| {
            let channel = |channel: &ChannelSummary| {
                json!({
                    "wavelength_angstrom": channel.energy_ev.map(|energy_ev| EV_ANGSTROM / energy_ev),
                    "energy_ev": channel.energy_ev,
                    "sources": channel.sources,
                })
            };
            self.channels.iter().map(channel).collect::<Vec<_>>()
        });
        json!({
            "atoms": self.atoms(),
            "elements": elements,
            "space_group": self.group.name(),
            "space_group_number": self.group.number(),
            "operators": self.group.operators().len(),
            "unit_cell": cell,
            "solvent": solvent,
            "energy_ev": self.of_channels(|channel| json!(channel.energy_ev)),
            "channels": channels,
            "resolution_angstrom": self.resolution_angstrom,
            "unique": self.unique,
        })
    }
}
