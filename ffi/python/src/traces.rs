//! Traces in files.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use widebragg_formats::trace;

use crate::failure::raised;

/// A pixel of a trace: its position (slow, fast), its taps, and its steps.
type Traced<'py> = (Option<(usize, usize)>, Bound<'py, PyDict>, Vec<Bound<'py, PyDict>>);

/// The pixels of a trace, and what its reader skipped, a sentence each.
#[pyfunction]
pub(crate) fn read_trace<'py>(py: Python<'py>, path: PathBuf) -> PyResult<(Vec<Traced<'py>>, Vec<String>)> {
    let trace = py.detach(|| trace::read_trace(&path)).map_err(raised)?;
    let pixels = trace.pixels.iter().map(|pixel| {
        let taps = PyDict::new(py);
        pixel.taps.iter().try_for_each(|tap| set_numbers(&taps, &tap.name, &tap.values))?;
        let steps = pixel.steps.iter().map(|step| {
            let entry = PyDict::new(py);
            step.at.counters().iter().try_for_each(|(name, counter)| entry.set_item(name, counter))?;
            step.values.iter().try_for_each(|value| entry.set_item(&value.name, value.value))?;
            Ok(entry)
        });
        Ok((pixel.position.map(|[slow, fast]| (slow, fast)), taps, steps.collect::<PyResult<Vec<_>>>()?))
    });
    Ok((pixels.collect::<PyResult<Vec<_>>>()?, trace.notes))
}

/// Puts numbers under a name: one by itself, several as a list.
pub(crate) fn set_numbers(entry: &Bound<'_, PyDict>, name: &str, numbers: &[f64]) -> PyResult<()> {
    match numbers {
        [number] => entry.set_item(name, number),
        numbers => entry.set_item(name, numbers),
    }
}
