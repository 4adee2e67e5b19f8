//! Images in files.

use std::path::PathBuf;

use numpy::{IntoPyArray, PyArrayDyn, PyArrayMethods, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use widebragg_cli::commands::compare::figures::Figures;
use widebragg_cli::images::Region;
use widebragg_formats::registry::reader_of;

use crate::failure::raised;
use crate::pools::pool;

/// The pixels (slow, fast) of an image in any format that the program reads; `size` (slow, fast) is that of a file without
/// a header.
#[pyfunction]
pub(crate) fn read_image<'py>(
    py: Python<'py>,
    path: PathBuf,
    size: Option<[usize; 2]>,
) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
    let size = size.map(|[slow, fast]| [fast, slow]);
    let read = py.detach(|| reader_of(&path)?.read(&path, size)).map_err(raised)?;
    read.pixels.into_pyarray(py).reshape(vec![read.slow, read.fast])
}

/// How an image (slow, fast) differs from a reference of the same shape.
#[pyfunction]
pub(crate) fn compare<'py>(
    py: Python<'py>,
    image: PyReadonlyArray2<'py, f32>,
    reference: PyReadonlyArray2<'py, f32>,
) -> PyResult<Bound<'py, PyDict>> {
    let (shape, expected) = (image.shape(), reference.shape());
    let &[slow, fast] = shape else { return Err(PyValueError::new_err("an image has two axes")) };
    if shape != expected {
        return Err(PyValueError::new_err(format!("shapes differ: {shape:?}, {expected:?}")));
    }
    let region = Region { fast_min: 0, slow_min: 0, fast, slow };
    let (image, reference) = (image.as_slice()?, reference.as_slice()?);
    if image.is_empty() {
        return Err(PyValueError::new_err("images without pixels"));
    }
    let pool = pool(0)?;
    let figures = py.detach(|| pool.install(|| Figures::new(reference, image, &region)));
    let largest = |found: Option<f64>| found.unwrap_or(0.0);
    let entry = PyDict::new(py);
    entry.set_item("pixels", figures.pixels)?;
    entry.set_item("compared", figures.compared)?;
    entry.set_item("identical", figures.identical)?;
    entry.set_item("correlation", figures.correlation)?;
    entry.set_item("mean_square", figures.mse)?;
    entry.set_item("sum_ratio", figures.sum_ratio())?;
    entry.set_item("largest_absolute", largest(figures.largest_absolute.map(|pixel| pixel.absolute())))?;
    entry.set_item("largest_relative", largest(figures.largest_relative.map(|pixel| pixel.relative())))?;
    let bright = figures.largest_relative_bright.map(|pixel| pixel.relative());
    entry.set_item("largest_relative_bright", largest(bright))?;
    Ok(entry)
}
