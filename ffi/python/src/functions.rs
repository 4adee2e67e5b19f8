//! Functions over arrays, and the program itself.

use numpy::{
    IntoPyArray, PyArray1, PyArrayDyn, PyArrayMethods, PyReadonlyArray2, PyReadonlyArray3,
    PyReadonlyArrayDyn, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use widebragg::arrays::{nearest_into, sincg_into, tricubic_into};
use widebragg::beam;
use widebragg::lanes::Simd;
use widebragg::rotation::rotate_axis;
use widebragg::structure_factor::{HklGrid, LookupRule, StructureFactors};
use widebragg::vector::Vec3;

use crate::failure::refused;

/// The lattice factor of `n` unit cells in a row, sin(pi n h)/sin(pi h), at each h.
#[pyfunction]
pub(crate) fn sincg<'py>(
    py: Python<'py>,
    h: PyReadonlyArrayDyn<'py, f64>,
    n: f64,
) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
    let shape = h.shape().to_vec();
    let h = h.as_slice()?;
    let mut out = vec![0.0; h.len()];
    py.detach(|| sincg_into(Simd::detect(), h, n, &mut out)).map_err(refused)?;
    out.into_pyarray(py).reshape(shape)
}

/// The structure factors of a grid whose first node is `min`, at each h, k, l.
#[pyfunction]
pub(crate) fn structure_factors<'py>(
    py: Python<'py>,
    grid: PyReadonlyArray3<'py, f64>,
    min: [i32; 3],
    hkl: [PyReadonlyArrayDyn<'py, f64>; 3],
    default_f: f64,
    interpolate: bool,
) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
    let [h, k, l] = &hkl;
    let shape = h.shape().to_vec();
    let [h, k, l] = [h.as_slice()?, k.as_slice()?, l.as_slice()?];
    let size: [usize; 3] =
        grid.shape().try_into().map_err(|_| PyValueError::new_err("a grid has three axes"))?;
    let grid = HklGrid::new(min, size, grid.as_slice()?).map_err(refused)?;
    let lookup = if interpolate { LookupRule::Tricubic } else { LookupRule::Nearest };
    let factors = StructureFactors { grid: Some(grid), default_f, lookup };
    let mut out = vec![0.0; h.len()];
    py.detach(|| {
        if interpolate {
            tricubic_into(Simd::detect(), &factors, [h, k, l], &mut out).map(|_| ())
        } else {
            nearest_into(Simd::detect(), &factors, [h, k, l], &mut out)
        }
    })
    .map_err(refused)?;
    out.into_pyarray(py).reshape(shape)
}

/// Each of `vectors`, of shape (n, 3), turned about a unit axis, right-handed.
#[pyfunction]
pub(crate) fn rotate<'py>(
    py: Python<'py>,
    vectors: PyReadonlyArray2<'py, f64>,
    axis: [f64; 3],
    angle_deg: f64,
) -> PyResult<Bound<'py, PyArrayDyn<f64>>> {
    let shape = vectors.shape().to_vec();
    let axis = Vec3::from(axis);
    let angle_rad = angle_deg.to_radians();
    let (vectors, _) = vectors.as_slice()?.as_chunks::<3>();
    let turned = vectors.iter().map(|&v| rotate_axis(Vec3::from(v), axis, angle_rad).to_array());
    turned.flatten().collect::<Vec<f64>>().into_pyarray(py).reshape(shape)
}

/// The polarisation factor of photons from `incident` into each of `diffracted`, of shape (n, 3).
#[pyfunction]
pub(crate) fn polarization_factor<'py>(
    py: Python<'py>,
    kahn: f64,
    incident: [f64; 3],
    diffracted: PyReadonlyArray2<'py, f64>,
    axis: [f64; 3],
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let (incident, axis) = (Vec3::from(incident), Vec3::from(axis));
    let (diffracted, _) = diffracted.as_slice()?.as_chunks::<3>();
    let factors = diffracted.iter().map(|&d| beam::polarization_factor(kahn, incident, Vec3::from(d), axis));
    Ok(factors.collect::<Vec<f64>>().into_pyarray(py))
}

/// Runs the program with these arguments, its name excluded; returns the exit code and what standard error is to say.
#[pyfunction]
pub(crate) fn run(py: Python<'_>, args: Vec<String>) -> (u8, Option<String>) {
    match py.detach(|| widebragg_cli::execute(&args)) {
        Ok(()) => (0, None),
        Err(failure) => (failure.code(), Some(failure.to_string())),
    }
}
