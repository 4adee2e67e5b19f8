//! Structure factors: from `-hkl`, or from the dump that an earlier run left.

use std::io::Read;
use std::path::Path;

use widebragg::defaults;
use widebragg::structure_factor::Nodes;
use widebragg_experiment::experiment::Experiment;
use widebragg_formats::dump;
use widebragg_formats::hkl_table::HklTable;
use widebragg_formats::reflections::p1::{Needed, Reflections, Unique, read_reflections};
use widebragg_reflections::cell::Cell;

use super::crystal_cell;
use super::inputs::Inputs;
use super::model::ModelFile;
use super::plausibility::missing_equivalents;
use super::reach::Reach;
use crate::console::complain;
use crate::error::Failure;
use crate::options::{MatterTable, Options};

/// Default name of the dump.
const DUMP: &str = "Fdump.bin";

/// The file of the dump.
fn dump_path(options: &Options) -> &Path {
    options.dump.as_deref().unwrap_or(Path::new(DUMP))
}

/// The structure factors of an experiment.
#[derive(Debug, Default)]
pub(super) struct Factors {
    /// `None` where every reflection has the default F, and where the table follows from what is below.
    pub table: Option<HklTable>,
    /// What a list that is taken as it stands lacks, in words.
    pub lacks: Option<String>,
    /// Unique reflections, to be expanded; `None` for lines of h k l F that are taken as they stand.
    pub reflections: Option<Box<Unique>>,
    /// The atomic model that the table is to be computed from.
    pub model: Option<ModelFile>,
}

impl Factors {
    /// A table without a file of reflections.
    pub(super) fn of_table(table: Option<HklTable>) -> Self {
        Self { table, ..Self::default() }
    }
}

/// Reads the structure factors.
pub(super) fn read(options: &Options, inputs: &Inputs, warn: impl Fn(String)) -> Result<Factors, Failure> {
    let dump_path = dump_path(options);
    let default_f = options.default_f.unwrap_or(defaults::DEFAULT_F);
    if let Some(path) = &options.hkl {
        let cell = options.cell_angstrom_deg.map(Cell::from);
        let mut read_model = None;
        let read = |input: &mut dyn Read| match read_reflections(
            input,
            path,
            &options.reflections,
            cell,
            default_f,
        )? {
            Reflections::AsListed(table) => {
                let lacks = missing_equivalents(&table, default_f);
                Ok(Factors { lacks, ..Factors::of_table(Some(table)) })
            }
            Reflections::Unique(unique) => Ok(Factors { reflections: Some(unique), ..Factors::default() }),
            Reflections::Model(model) => {
                read_model = Some(model);
                Ok(Factors::default())
            }
        };
        let mut factors = inputs.read("-hkl", path, read)?;
        if let Some(model) = read_model {
            factors.model = Some(ModelFile::new(&model, ("-hkl", path), options, inputs, warn)?);
            return Ok(factors);
        }
        if options.model.energy_channels.is_some() {
            let why =
                "a list of reflections has the F of one energy; coordinates of a model have those of any";
            return Err(Failure::input(format!("--energy-channels: -hkl: {}: {why}", path.display())));
        }
        if let Some(option) = options.model.first_option() {
            warn(format!("{option} has no effect: {} is a list of reflections", path.display()));
        }
        let warnings = factors.reflections.iter().flat_map(|unique| &unique.summary.warnings);
        warnings.for_each(|warning| warn(format!("-hkl: {}: {warning}", path.display())));
        return Ok(factors);
    }
    if let Some(option) = options.reflections.first_option() {
        return Err(Failure::input(format!("{option}: needs -hkl FILE, the reflections that it is about")));
    }
    if let Some(option) = options.model.first_option() {
        return Err(Failure::input(format!("{option}: needs -hkl FILE, the atomic model that it is about")));
    }
    if dump_path.exists() {
        let table = inputs.read("-dump", dump_path, |input| dump::parse_dump(input, dump_path))?;
        warn(format!("no -hkl: structure factors read from {}", dump_path.display()));
        return Ok(Factors::of_table(Some(table)));
    }
    if options.dump.is_some() && default_f == 0.0 {
        return Err(Failure::input(format!("-dump: {}: no such file, and no -hkl", dump_path.display())));
    }
    let has_background = options.water_m.unwrap_or(0.0) > 0.0 || !options.background.matter.is_empty();
    if default_f == 0.0 && !has_background {
        return Err(Failure::input("no structure factors: give -hkl FILE or -default_F F"));
    }
    Ok(Factors::default())
}

/// The table of reflections: all of them, or those that the images of an experiment ask for.
///
/// # Errors
/// The table is too large.
pub(super) fn expanded(
    unique: &Unique,
    default_f: f64,
    asked_by: Option<&Experiment>,
) -> Result<HklTable, Failure> {
    let needed = asked_by.map(|experiment| {
        let reach = Reach::of(experiment);
        let (indices, d_min_angstrom) = (reach.indices(), reach.resolution_angstrom());
        Needed { indices, cell: crystal_cell(experiment), d_min_angstrom }
    });
    unique.table(default_f, needed.as_ref()).map_err(|failure| Failure::from(failure.context("-hkl")))
}

/// Writes the dump that later runs without `-hkl` read: all of `unique`, of which the experiment may have a part, or else
/// the grid of the experiment.
pub(crate) fn write_dump(options: &Options, experiment: &Experiment, unique: Option<&Unique>) {
    let (Some(path), Some(grid)) = (written_dump(options), &experiment.structure_factors) else { return };
    let bounds = grid.bounds();
    let written = match (unique.filter(|unique| unique.bounds() != bounds), grid.nodes()) {
        (Some(unique), _) => unique.write_dump(path, experiment.default_f, |f| options.grid.rounded(f)),
        (None, Nodes::F64(values)) => dump::write_dump(path, &bounds, values),
        (None, Nodes::F32(values)) => dump::write_dump(path, &bounds, values),
    };
    // The dump only saves time, so that a failure to write it does not fail the run.
    if let Err(failure) = written {
        complain(&format!("structure factor dump not written: {failure}"));
    }
}

/// The files that the image depends on.
pub(crate) fn inputs(options: &Options) -> impl Iterator<Item = &Path> {
    named_inputs(options).map(|(_, path)| path)
}

/// The files that the image depends on, with the options that name them.
pub(crate) fn named_inputs(options: &Options) -> impl Iterator<Item = (&'static str, &Path)> {
    let dump = dump_path(options);
    let dump = (options.hkl.is_none() && dump.exists()).then_some(("-dump", dump));
    let named = [
        ("-mat", &options.mat),
        ("-hkl", &options.hkl),
        ("-img", &options.img),
        ("-mask", &options.mask),
        ("--geometry", &options.geometry),
        ("-sourcefile", &options.sourcefile),
        ("--spectrum", &options.spectrum.file),
        ("--mosaic-matrices", &options.mosaic_matrices),
        ("--crystals", &options.crystals),
        ("--bad-pixels", &options.bad_pixels),
        ("--shot-table", options.shots.as_ref().map_or(&None, |shots| &shots.table)),
    ];
    let scans = options.model.scans.iter().map(|(_, path)| ("--anomalous", path.as_path()));
    let tables = options.background.matter.iter().filter_map(|matter| match &matter.table {
        MatterTable::File { path, .. } => Some(("--background", path.as_path())),
        MatterTable::Known(_) => None,
    });
    let named = named.into_iter().filter_map(|(option, path)| Some((option, path.as_deref()?)));
    named.chain(dump).chain(scans).chain(tables)
}

/// The dump that [`write_dump`] writes, if it writes one: it holds the F of one energy.
pub(crate) fn written_dump(options: &Options) -> Option<&Path> {
    let is_written = options.hkl.is_some() && options.model.energy_channels.is_none();
    is_written.then(|| dump_path(options))
}
