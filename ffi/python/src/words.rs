//! Words of a command line.

use std::path::{Path, absolute};

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use widebragg_cli::options;

/// An option as typed: its name, whatever its spelling, and its words.
type Given = (String, Vec<String>);

/// The options of a render in `words`, in order; names of files, but those of `contents`, are made absolute.
#[pyfunction]
pub(crate) fn grouped(words: Vec<String>, contents: Vec<String>) -> PyResult<Vec<Given>> {
    let groups = options::grouped(&words).into_iter();
    let groups = groups.map(|mut group| {
        let Some((spelling, values)) = group.split_first_mut() else { return Ok((String::new(), group)) };
        let name = options::name_of(spelling).map_or_else(|| spelling.clone(), str::to_owned);
        if options::takes_file(spelling) == Some(true) {
            for value in values.iter_mut().filter(|value| !contents.contains(value)) {
                let path =
                    absolute(Path::new(value)).map_err(|error| PyOSError::new_err(error.to_string()))?;
                path.to_string_lossy().into_owned().clone_into(value);
            }
        }
        Ok((name, group))
    });
    groups.collect()
}
