//! Streams of CrystFEL.

use std::path::PathBuf;

use numpy::{PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use widebragg_formats::atomic::write_atomically;
use widebragg_formats::geometry::Crystal;
use widebragg_formats::registry::geometry_of_file;
use widebragg_formats::stream::{Chunk, Lattice, Spot, StreamHeader, StreamWriter, read_stream};

use crate::failure::raised;
use crate::files::{of_crystal, open};

/// The images of a stream.
#[pyfunction]
pub(crate) fn stream<'py>(py: Python<'py>, path: PathBuf) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let chunks = py.detach(|| read_stream(&mut open(&path)?, &path)).map_err(raised)?;
    let images = chunks.iter().map(|chunk| {
        let entry = PyDict::new(py);
        entry.set_item("image", &chunk.image)?;
        entry.set_item("event", &chunk.event)?;
        entry.set_item("serial", chunk.serial)?;
        entry.set_item("wavelength_A", chunk.lambda_m.map(|lambda_m| lambda_m * 1e10))?;
        let crystals = chunk.lattices.iter().map(|lattice| {
            let entry = of_crystal(py, &lattice.crystal)?;
            entry.set_item("shift_mm", lattice.detector_shift_m.map(|shift_m| shift_m * 1e3))?;
            Ok(entry)
        });
        entry.set_item("crystals", crystals.collect::<PyResult<Vec<_>>>()?)?;
        Ok(entry)
    });
    images.collect()
}

/// An image of a stream.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct StreamImage<'py> {
    image: String,
    event: Option<String>,
    serial: Option<u64>,
    wavelength_angstrom: Option<f64>,
    crystals: Vec<StreamCrystal<'py>>,
}

/// A crystal of an image, and its reflections.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct StreamCrystal<'py> {
    a_matrix: [[f64; 3]; 3],
    shift_mm: [f64; 2],
    hkl: PyReadonlyArray2<'py, i32>,
    panel: PyReadonlyArray1<'py, i64>,
    /// The position along fast and slow in pixels, the intensity and its uncertainty.
    values: PyReadonlyArray2<'py, f64>,
}

impl StreamCrystal<'_> {
    fn lattice(&self) -> Lattice {
        Lattice {
            crystal: Crystal { a_matrix: self.a_matrix, a_at_frames: Vec::new(), space_group: None },
            bravais: None,
            detector_shift_m: self.shift_mm.map(|shift_mm| shift_mm * 1e-3),
        }
    }

    fn spots(&self, panels: usize) -> PyResult<Vec<Spot>> {
        let (indices, _) = self.hkl.as_slice()?.as_chunks::<3>();
        let (values, _) = self.values.as_slice()?.as_chunks::<4>();
        let rows = indices.iter().zip(self.panel.as_slice()?).zip(values);
        let spots = rows.map(|((&hkl, &panel), &[fast, slow, intensity, sigma])| {
            let known = usize::try_from(panel).ok().filter(|&panel| panel < panels);
            let unknown = || PyValueError::new_err(format!("a reflection on panel {panel} of {panels}"));
            let panel = known.ok_or_else(unknown)?;
            Ok(Spot { hkl, panel, position_px: [fast, slow], intensity: [intensity, sigma] })
        });
        spots.collect()
    }
}

/// Writes a stream of images on the detector of a file of geometry, in whose frame the matrices are.
#[pyfunction]
pub(crate) fn write_stream(
    py: Python<'_>,
    path: PathBuf,
    geometry: PathBuf,
    images: Vec<StreamImage<'_>>,
) -> PyResult<()> {
    let geometry = py.detach(|| geometry_of_file(&geometry, 0)).map_err(raised)?.geometry;
    let chunks = images.iter().map(|image| {
        let spots = image.crystals.iter().map(|crystal| crystal.spots(geometry.panels.len()));
        let chunk = Chunk {
            image: image.image.clone(),
            event: image.event.clone(),
            serial: image.serial,
            lambda_m: image.wavelength_angstrom.map(|angstrom| angstrom * 1e-10),
            lattices: image.crystals.iter().map(StreamCrystal::lattice).collect(),
        };
        Ok((chunk, spots.collect::<PyResult<Vec<_>>>()?))
    });
    let chunks = chunks.collect::<PyResult<Vec<_>>>()?;
    let write = || {
        write_atomically(&path, |out| {
            let header = StreamHeader { generated_by: "widebragg", ..StreamHeader::default() };
            let mut stream = StreamWriter::new(out, &geometry, &header)?;
            chunks.iter().try_for_each(|(chunk, spots)| {
                let spots: Vec<&[Spot]> = spots.iter().map(Vec::as_slice).collect();
                stream.chunk(chunk, &spots)
            })
        })
    };
    py.detach(write).map_err(raised)
}
