//! Structure factors: from `-hkl`, or from the dump that an earlier run left.

use std::io::Read;
use std::path::Path;

use widebragg::defaults;
use widebragg_experiment::experiment::Experiment;
use widebragg_formats::dump;
use widebragg_formats::hkl::{HklTable, MAX_CELLS, find_box, parse_hkl_in};

use super::inputs::Inputs;
use crate::console::complain;
use crate::error::Failure;
use crate::options::Options;

/// Default name of the dump.
const DUMP: &str = "Fdump.bin";

/// The file of the dump.
fn dump_path(options: &Options) -> &Path {
    options.dump.as_deref().unwrap_or(Path::new(DUMP))
}

/// Reads the structure factors; `None` where every reflection has the default F.
pub(super) fn read(
    options: &Options,
    inputs: &Inputs,
    warn: impl Fn(String),
) -> Result<Option<HklTable>, Failure> {
    let dump_path = dump_path(options);
    let default_f = options.default_f.unwrap_or(defaults::DEFAULT_F);
    if let Some(path) = &options.hkl {
        // The first of two passes over a file; a pipe can only be read once.
        let found = find_box(path);
        let parse = |input: &mut dyn Read| parse_hkl_in(input, path, found, default_f, MAX_CELLS);
        return inputs.read("-hkl", path, parse).map(Some);
    }
    if dump_path.exists() {
        let table = inputs.read("-dump", dump_path, |input| dump::parse_dump(input, dump_path))?;
        warn(format!("no -hkl: structure factors read from {}", dump_path.display()));
        return Ok(Some(table));
    }
    if options.dump.is_some() && default_f == 0.0 {
        return Err(Failure::input(format!("-dump: {}: no such file, and no -hkl", dump_path.display())));
    }
    if default_f == 0.0 && options.water_m.unwrap_or(0.0) == 0.0 {
        return Err(Failure::input("no structure factors: give -hkl FILE or -default_F F"));
    }
    Ok(None)
}

/// Writes the dump that later runs without `-hkl` read.
pub(crate) fn write_dump(options: &Options, experiment: &Experiment) {
    if let (Some(_), Some(table)) = (&options.hkl, &experiment.structure_factors) {
        // The dump only saves time, so that a failure to write it does not fail the run.
        if let Err(failure) = dump::write_dump(dump_path(options), table) {
            complain(&format!("structure factor dump not written: {failure}"));
        }
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
        ("-sourcefile", &options.sourcefile),
    ];
    named.into_iter().filter_map(|(option, path)| Some((option, path.as_deref()?))).chain(dump)
}

/// The dump that [`write_dump`] writes, if it writes one.
pub(crate) fn written_dump(options: &Options) -> Option<&Path> {
    options.hkl.is_some().then(|| dump_path(options))
}
