//! Files by themselves: reflections, structure factors, geometries, spectra, sources, matrices and tables.

use std::fs::File;
use std::path::{Path, PathBuf};

use numpy::{
    IntoPyArray, PyArray1, PyArray2, PyArray3, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2,
    PyReadonlyArray3, PyUntypedArrayMethods, ToPyArray,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use widebragg_experiment::background::KnownMatter;
use widebragg_formats::dump;
use widebragg_formats::failure::Failure;
use widebragg_formats::geometry::{Crystal, Geometry, GeometryFile};
use widebragg_formats::hkl::write_list;
use widebragg_formats::hkl_table::HklTable;
use widebragg_formats::matrix;
use widebragg_formats::reflections::p1::{Reflections, Wanted, listed, read_reflections};
use widebragg_formats::reflections::{Choice, Format, write_mtz};
use widebragg_formats::registry::geometry_of_file;
use widebragg_formats::sources;
use widebragg_formats::spectrum::read_spectra;
use widebragg_formats::stol::{Abscissa, StolTable, parse_stol};
use widebragg_reflections::cell::Cell;
use widebragg_reflections::index_box::IndexBox;
use widebragg_reflections::symmetry::{SpaceGroup, StatedSymmetry};

use crate::failure::raised;

type Hkl<'py> = Bound<'py, PyArray2<i32>>;
type Column<'py> = Bound<'py, PyArray1<f64>>;

pub(crate) fn open(path: &Path) -> Result<File, Failure> {
    let refused = |error| Failure::input(format!("{}: cannot read: {error}", path.display())).of_system();
    File::open(path).map_err(refused)
}

/// Lengths in angstrom and angles in degrees.
fn numbers_of(cell: &Cell) -> [f64; 6] {
    let ([a, b, c], [alpha, beta, gamma]) = (cell.lengths_angstrom, cell.angles_deg);
    [a, b, c, alpha, beta, gamma]
}

fn cell_of([a, b, c, alpha, beta, gamma]: [f64; 6]) -> Cell {
    Cell { lengths_angstrom: [a, b, c], angles_deg: [alpha, beta, gamma] }
}

/// The reflections of a file in P 1, and what is known of them.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "they are the options of the program")]
pub(crate) fn reflections<'py>(
    py: Python<'py>,
    path: PathBuf,
    columns: Vec<String>,
    block: Option<String>,
    format: Option<String>,
    space_group: Option<String>,
    merges_mates: bool,
    cell: Option<[f64; 6]>,
) -> PyResult<(Hkl<'py>, Column<'py>, Bound<'py, PyDict>)> {
    let unknown = |name: String| PyValueError::new_err(format!("format: there is none of the name {name:?}"));
    let format = format.map(|name| Format::of_name(&name).ok_or_else(|| unknown(name))).transpose()?;
    let space_group = space_group.map(|value| StatedSymmetry::from_option(&value)).transpose();
    let space_group = space_group.map_err(|failure| PyValueError::new_err(failure.to_string()))?;
    let choice = Choice { columns, block, format };
    let wanted = Wanted { choice, space_group, merges_mates, ..Wanted::default() };
    let read = py.detach(|| -> Result<_, Failure> {
        let read = read_reflections(&mut open(&path)?, &path, &wanted, cell.map(cell_of), f64::NAN)?;
        Ok(match read {
            Reflections::AsListed(table) => Some((taken(&table, None), None)),
            Reflections::Unique(unique) => {
                let table = unique.table(f64::NAN, None)?;
                Some((taken(&table, Some(&unique.summary.group)), Some(unique.summary)))
            }
            Reflections::Model(_) => None,
        })
    });
    let Some(((hkl, f), summary)) = read.map_err(raised)? else {
        let what = "an atomic model; Experiment(hkl=...).structure_factors has its structure factors";
        return Err(PyValueError::new_err(format!("{}: {what}", path.display())));
    };
    let facts = PyDict::new(py);
    facts.set_item("format", summary.as_ref().map_or("h k l F", |summary| summary.format))?;
    facts.set_item("cell", summary.as_ref().and_then(|summary| summary.cell.as_ref().map(numbers_of)))?;
    facts.set_item("wavelength_A", summary.as_ref().and_then(|summary| summary.wavelength_angstrom))?;
    facts.set_item("space_group", summary.as_ref().map(|summary| summary.group.name().to_owned()))?;
    let labels = summary.as_ref().map(|summary| summary.columns.iter().map(|column| column.label.clone()));
    facts.set_item("columns", labels.map_or_else(Vec::new, Iterator::collect))?;
    facts.set_item("taken", summary.as_ref().map_or(&[][..], |summary| &summary.taken))?;
    facts.set_item("warnings", summary.as_ref().map_or(&[][..], |summary| &summary.warnings))?;
    Ok((hkl.into_pyarray(py).reshape([f.len(), 3])?, f.into_pyarray(py), facts))
}

/// The indices, one after the other, and the structure factors of what a table lists.
fn taken(table: &HklTable, group: Option<&SpaceGroup>) -> (Vec<i32>, Vec<f64>) {
    let (mut indices, mut factors) = (Vec::new(), Vec::new());
    for (hkl, f) in listed(table, group) {
        indices.extend(hkl);
        factors.push(f);
    }
    (indices, factors)
}

/// Writes reflections as an MTZ file, which needs a cell, or as lines of h k l F.
#[pyfunction]
pub(crate) fn write_reflections(
    py: Python<'_>,
    path: PathBuf,
    hkl: PyReadonlyArray2<'_, i32>,
    f: PyReadonlyArray1<'_, f64>,
    cell: Option<[f64; 6]>,
) -> PyResult<()> {
    let (indices, _) = hkl.as_slice()?.as_chunks::<3>();
    let list = indices.iter().copied().zip(f.as_slice()?.iter().copied());
    py.detach(|| match cell {
        Some(cell) => write_mtz(&path, &cell_of(cell), list),
        None => write_list(&path, list),
    })
    .map_err(raised)
}

/// The indices of the first node of a binary file of structure factors, and its grid.
#[pyfunction]
pub(crate) fn read_dump<'py>(
    py: Python<'py>,
    path: PathBuf,
) -> PyResult<([i32; 3], Bound<'py, PyArray3<f64>>)> {
    let table = py.detach(|| dump::read_dump(&path)).map_err(raised)?;
    let (first, shape) = ([table.h.0, table.k.0, table.l.0], table.shape());
    Ok((first, table.data.into_pyarray(py).reshape(shape)?))
}

/// Writes a grid whose first node has the indices `first` as a binary file of structure factors.
#[pyfunction]
pub(crate) fn write_dump(
    py: Python<'_>,
    path: PathBuf,
    first: [i32; 3],
    grid: PyReadonlyArray3<'_, f64>,
) -> PyResult<()> {
    let axis = |(first, &nodes): (i32, &usize)| {
        let beyond = || PyValueError::new_err(format!("a grid of {nodes} nodes from {first} on"));
        let steps = nodes.checked_sub(1).and_then(|steps| i32::try_from(steps).ok());
        Ok((first, steps.and_then(|steps| first.checked_add(steps)).ok_or_else(beyond)?))
    };
    let axes = first.into_iter().zip(grid.shape()).map(axis).collect::<PyResult<Vec<_>>>()?;
    let &[h, k, l] = &axes[..] else { return Err(PyValueError::new_err("a grid has three axes")) };
    let values = grid.as_slice()?;
    py.detach(|| dump::write_dump(&path, &IndexBox { h, k, l }, values)).map_err(raised)
}

/// What a file says of the geometry of an experiment, counted from 0.
#[pyfunction]
pub(crate) fn geometry<'py>(
    py: Python<'py>,
    path: PathBuf,
    experiment: usize,
) -> PyResult<Bound<'py, PyDict>> {
    let read = py.detach(|| geometry_of_file(&path, experiment)).map_err(raised)?;
    let GeometryFile { format, geometry, experiments, warnings, .. } = &read;
    let entry = of_geometry(py, geometry)?;
    entry.set_item("format", format)?;
    entry.set_item("experiments", experiments)?;
    entry.set_item("warnings", warnings)?;
    let masks = (0..geometry.panels.len()).map(|number| read.bad_pixels(number).map_err(raised));
    let masks = masks.zip(&geometry.panels).map(|(bad, panel)| {
        let [fast, slow] = panel.pixels;
        bad?.map(|bad| bad.into_pyarray(py).reshape([slow, fast])).transpose()
    });
    entry.set_item("bad_pixels", masks.collect::<PyResult<Vec<_>>>()?)?;
    Ok(entry)
}

fn of_geometry<'py>(py: Python<'py>, geometry: &Geometry) -> PyResult<Bound<'py, PyDict>> {
    let Geometry { beam, panels, spindle, scan, crystal, .. } = geometry;
    let entry = PyDict::new(py);
    let of_beam = PyDict::new(py);
    of_beam.set_item("direction", beam.direction)?;
    of_beam.set_item("wavelength_A", beam.lambda_m.map(|lambda_m| lambda_m * 1e10))?;
    of_beam.set_item("polarization", beam.polarization.map(|polarization| polarization.kahn_factor))?;
    of_beam.set_item("e_vector", beam.polarization.map(|polarization| polarization.electric_vector))?;
    entry.set_item("beam", of_beam)?;
    let panels = panels.iter().map(|panel| {
        let entry = PyDict::new(py);
        let [fast, slow] = panel.pixels;
        entry.set_item("name", &panel.name)?;
        entry.set_item("shape", (slow, fast))?;
        entry.set_item("data_origin", (panel.data_origin[1], panel.data_origin[0]))?;
        entry.set_item("pixel_mm", (panel.pixel_m[1] * 1e3, panel.pixel_m[0] * 1e3))?;
        entry.set_item("origin_mm", panel.origin_m.map(|length_m| length_m * 1e3))?;
        entry.set_item("fast", panel.fast)?;
        entry.set_item("slow", panel.slow)?;
        let sensor = panel.sensor.as_ref();
        entry.set_item("sensor", sensor.and_then(|sensor| sensor.material.clone()))?;
        entry.set_item("thickness_mm", sensor.map(|sensor| sensor.thickness_m * 1e3))?;
        entry.set_item("valid", panel.valid)?;
        Ok(entry)
    });
    entry.set_item("panels", panels.collect::<PyResult<Vec<_>>>()?)?;
    entry.set_item("spindle", spindle)?;
    let scan = scan.map(|scan| {
        let entry = PyDict::new(py);
        entry.set_item("first", scan.first)?;
        entry.set_item("frames", scan.frames)?;
        entry.set_item("phi_deg", scan.start_deg)?;
        entry.set_item("osc_deg", scan.width_deg)?;
        entry.set_item("exposure_s", scan.exposure_s)?;
        PyResult::Ok(entry)
    });
    entry.set_item("scan", scan.transpose()?)?;
    entry.set_item("crystal", crystal.as_ref().map(|crystal| of_crystal(py, crystal)).transpose()?)?;
    Ok(entry)
}

pub(crate) fn of_crystal<'py>(py: Python<'py>, crystal: &Crystal) -> PyResult<Bound<'py, PyDict>> {
    let entry = PyDict::new(py);
    entry.set_item("A", crystal.a_matrix.as_flattened().to_pyarray(py).reshape([3, 3])?)?;
    entry.set_item("cell", crystal.cell().as_ref().map(numbers_of))?;
    entry.set_item("space_group", &crystal.space_group)?;
    Ok(entry)
}

/// The spectra of a file: the name of each, its wavelengths in angstrom and their weights.
#[pyfunction]
pub(crate) fn spectra<'py>(
    py: Python<'py>,
    path: PathBuf,
) -> PyResult<Vec<(String, Column<'py>, Column<'py>)>> {
    let table = py.detach(|| read_spectra(&path)).map_err(raised)?;
    let spectra = (0..table.spectra()).filter_map(|index| table.name(index).zip(table.lines(index)));
    let columns = spectra.map(|(name, lines)| {
        let (wavelengths, weights): (Vec<_>, Vec<_>) =
            lines.map(|line| (line.lambda_m * 1e10, line.weight)).unzip();
        (name.to_owned(), wavelengths.into_pyarray(py), weights.into_pyarray(py))
    });
    Ok(columns.collect())
}

/// A source of a file: its direction, its weight, and its wavelength in angstrom, as far as they are given.
type Source = (Option<[f64; 3]>, Option<f64>, Option<f64>);

/// The sources of a file.
#[pyfunction]
pub(crate) fn source_list(py: Python<'_>, path: PathBuf) -> PyResult<Vec<Source>> {
    let lines = py.detach(|| sources::read_sources(&path)).map_err(raised)?;
    let source = |line: &sources::SourceLine| {
        let [x, y, z] = line.direction;
        let direction = x.zip(y).zip(z).map(|((x, y), z)| [x, y, z]);
        (direction, line.weight, line.lambda_m.map(|lambda_m| lambda_m * 1e10))
    };
    Ok(lines.iter().map(source).collect())
}

/// The matrix of a file of `-mat`.
#[pyfunction]
pub(crate) fn read_matrix<'py>(py: Python<'py>, path: PathBuf) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let rows = py.detach(|| matrix::read_matrix(&path)).map_err(raised)?;
    rows.as_flattened().to_pyarray(py).reshape([3, 3])
}

/// Writes a file of `-mat`.
#[pyfunction]
pub(crate) fn write_matrix(py: Python<'_>, path: PathBuf, rows: [[f64; 3]; 3]) -> PyResult<()> {
    py.detach(|| matrix::write_matrix(&path, &rows)).map_err(raised)
}

/// s in 1/angstrom, F in electrons, density in g/cm^3 and molecular weight in g/mol of matter that is known by a name.
#[pyfunction]
pub(crate) fn known_matter<'py>(
    py: Python<'py>,
    name: &str,
) -> PyResult<(Column<'py>, Column<'py>, f64, f64)> {
    let matter = KnownMatter::from_name(name).ok_or_else(|| {
        let names = KnownMatter::ALL.map(KnownMatter::name).join(", ");
        PyValueError::new_err(format!("matter: {name:?} is none of {names}"))
    })?;
    let (s, f) = columns_of(py, matter.table());
    Ok((s, f, matter.density_g_per_cm3(), matter.weight_g_per_mol()))
}

fn columns_of<'py>(py: Python<'py>, table: &StolTable) -> (Column<'py>, Column<'py>) {
    let points = table.points.iter().map(|point| (point.s_per_angstrom, point.f_electrons));
    let (s, f): (Vec<_>, Vec<_>) = points.unzip();
    (s.into_pyarray(py), f.into_pyarray(py))
}

/// s in 1/angstrom and F in electrons of a table of structure factors, whose first column is named.
#[pyfunction]
pub(crate) fn stol<'py>(
    py: Python<'py>,
    path: PathBuf,
    abscissa: &str,
) -> PyResult<(Column<'py>, Column<'py>)> {
    let known = Abscissa::ALL.into_iter().find(|known| known.name() == abscissa);
    let known = known.ok_or_else(|| {
        let names = Abscissa::ALL.map(Abscissa::name).join(", ");
        PyValueError::new_err(format!("abscissa: {abscissa:?} is none of {names}"))
    })?;
    let table = py.detach(|| parse_stol(open(&path)?, &path, known)).map_err(raised)?;
    Ok(columns_of(py, &table))
}
