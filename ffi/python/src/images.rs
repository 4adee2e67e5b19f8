//! Images in files.

use std::path::{Path, PathBuf};

use numpy::{
    IntoPyArray, PyArrayDyn, PyArrayMethods, PyReadonlyArray2, PyReadonlyArrayDyn, PyUntypedArrayMethods,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use widebragg_cli::commands::compare::figures::Figures;
use widebragg_cli::commands::render::arrays;
use widebragg_cli::commands::setup::SetUp;
use widebragg_cli::images::Region;
use widebragg_cli::options::Options;
use widebragg_formats::image::{ImageWriter, Pixels};
use widebragg_formats::registry::{WRITERS, reader_of};

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

/// An array of pixels of a type that files hold.
#[derive(FromPyObject)]
pub(crate) enum Stored<'py> {
    Photons(PyReadonlyArrayDyn<'py, f32>),
    Counts(PyReadonlyArrayDyn<'py, i32>),
    Words(PyReadonlyArrayDyn<'py, u16>),
    Levels(PyReadonlyArrayDyn<'py, u8>),
}

impl Stored<'_> {
    /// The number of pixels.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Photons(array) => array.len(),
            Self::Counts(array) => array.len(),
            Self::Words(array) => array.len(),
            Self::Levels(array) => array.len(),
        }
    }

    /// The pixels, slow-major.
    pub(crate) fn pixels(&self) -> PyResult<Pixels<'_>> {
        Ok(match self {
            Self::Photons(array) => Pixels::F32(array.as_slice()?),
            Self::Counts(array) => Pixels::I32(array.as_slice()?),
            Self::Words(array) => Pixels::U16(array.as_slice()?),
            Self::Levels(array) => Pixels::U8(array.as_slice()?),
        })
    }
}

/// Writes the pixels of a frame, counted from 0, as an image of the format of a name.
pub(crate) fn write(
    py: Python<'_>,
    of: (&Options, &SetUp),
    (path, format): (&Path, &str),
    pixels: &Stored<'_>,
    (frame, adc_offset): (usize, f64),
) -> PyResult<()> {
    let pixels = pixels.pixels()?;
    let is_named = |writer: &&&dyn ImageWriter| writer.name().eq_ignore_ascii_case(format);
    let known: Vec<_> = WRITERS.iter().filter(is_named).collect();
    let writer = known.iter().find(|writer| writer.pixel_type() == pixels.pixel_type());
    let Some(&&writer) = writer else {
        let type_of = |writer: &&&&dyn ImageWriter| format!("{:?}", writer.pixel_type()).to_lowercase();
        return Err(match known.first() {
            Some(known) => PyTypeError::new_err(format!("{format} images hold {}", type_of(&known))),
            None => {
                let mut names: Vec<&str> = WRITERS.iter().map(|writer| writer.name()).collect();
                names.dedup();
                PyValueError::new_err(format!("format: {format:?} is none of {}", names.join(", ")))
            }
        });
    };
    let written = || arrays::write_image(of, path, writer, pixels, (frame, adc_offset));
    py.detach(written).map_err(raised)
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
