//! Images in files.

use std::path::PathBuf;

use numpy::{IntoPyArray, PyArrayDyn, PyArrayMethods};
use pyo3::prelude::*;
use widebragg_formats::registry::reader_of;

use crate::failure::raised;

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
