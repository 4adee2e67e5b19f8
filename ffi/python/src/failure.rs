//! Failures as Python's exceptions, with the line that the program prints.

use pyo3::PyErr;
use pyo3::exceptions::{PyOSError, PyValueError};
use widebragg_cli::error::Failure;

/// `OSError` where the system refused a file, else `ValueError`.
pub(crate) fn raised(failure: impl Into<Failure>) -> PyErr {
    let failure = failure.into();
    let line = failure.to_string();
    if failure.is_of_system() { PyOSError::new_err(line) } else { PyValueError::new_err(line) }
}

/// `ValueError` for what the kernel refuses.
pub(crate) fn refused(error: widebragg::Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}
