//! Several crystals in one image: from a table (`--crystals`), or two by a twin law (`--twin`).

use std::io::{self, Cursor, Read};
use std::path::Path;

use widebragg::crystal::{CellSource, Crystal, CrystalParameters, UnitCell};
use widebragg::mosaic::{MosaicModel, MosaicSpread};
use widebragg::scene::CrystalInput;
use widebragg_experiment::lattices::twin;
use widebragg_experiment::parameters::{LatticeParameters, Mosaic, Parameters};
use widebragg_formats::failure::Failure as FileFailure;
use widebragg_formats::geometry::Frame;
use widebragg_formats::shot_table::{CrystalRow, parse_crystals};
use widebragg_formats::stream::{self, read_stream};

use super::geometry::matrix;
use super::inputs::Inputs;
use crate::error::Failure;
use crate::options::Options;

/// What streams of CrystFEL begin with.
const STREAM: &[u8] = b"CrystFEL stream format";

/// The crystals of `--crystals`; none without it. `frame` is that of the laboratory, where a file of geometry tells it.
pub(super) fn listed(
    options: &Options,
    inputs: &Inputs,
    frame: Option<Frame>,
) -> Result<Vec<CrystalRow>, Failure> {
    let Some(path) = &options.crystals else { return Ok(Vec::new()) };
    if options.twin.is_some() {
        return Err(Failure::input("--twin: not with --crystals, which lists all crystals"));
    }
    inputs.read("--crystals", path, |input| crystals(input, path, frame))
}

/// The cell or the orientation that a line gives.
pub(crate) fn source(row: &CrystalRow, lambda_m: f64) -> Option<CellSource> {
    let of_cell = || {
        let [a, b, c, alpha, beta, gamma] = row.cell?;
        Some(CellSource::Cell(UnitCell::from_degrees([a, b, c], [alpha, beta, gamma])))
    };
    row.a_matrix.map(|a_matrix| matrix(&a_matrix, lambda_m)).or_else(of_cell)
}

/// Gives `parameters` the crystals that `options` ask for: those of the table, or twins.
pub(super) fn add_lattices(
    options: &Options,
    listed: &[CrystalRow],
    parameters: &mut Parameters,
) -> Result<(), Failure> {
    let (option, lattices) = match (listed, &options.twin) {
        ([], None) => return Ok(()),
        ([], Some(law)) => ("--twin", twins(&law.operator, law.fraction, parameters)?),
        (rows, _) => {
            let lattices = rows.iter().map(|row| lattice(row, parameters)).collect::<Result<_, _>>();
            ("--crystals", lattices.map_err(|failure| failure.context("--crystals"))?)
        }
    };
    if parameters.size_m.iter().any(|&size_m| size_m > 0.0) {
        return Err(Failure::input(format!("{option}: with cells by -N or --cells, not with -samplesize")));
    }
    let mut lattices: std::vec::IntoIter<LatticeParameters> = lattices.into_iter();
    if let Some(LatticeParameters { crystal, cells, mosaic, weight }) = lattices.next() {
        parameters.crystal = crystal;
        parameters.cells = cells;
        parameters.mosaic = mosaic;
        parameters.weight = weight;
        parameters.crystals_at_scan_points.clear();
    }
    parameters.other_lattices = lattices.collect();
    if parameters.weight <= 0.0 && parameters.other_lattices.iter().all(|lattice| lattice.weight <= 0.0) {
        return Err(Failure::input(format!("{option}: all weights are 0")));
    }
    Ok(())
}

/// The crystals of a table, or of the only image of a stream.
fn crystals(input: &mut dyn Read, path: &Path, frame: Option<Frame>) -> Result<Vec<CrystalRow>, FileFailure> {
    let (is_stream, mut whole) = is_stream(input);
    if !is_stream {
        return parse_crystals(whole, path);
    }
    check_axes(path, frame)?;
    let refused = |what: String| FileFailure::input(format!("{}: {what}", path.display()));
    let chunks = read_stream(&mut whole, path)?;
    match &chunks[..] {
        [chunk] if !chunk.lattices.is_empty() => Ok(chunk.lattices.iter().map(of_stream).collect()),
        [_] => Err(refused("no crystal in it".to_owned())),
        chunks => Err(refused(format!(
            "{} images; widebragg shots --shot-table renders each of them",
            chunks.len()
        ))),
    }
}

/// Whether a file is a stream of CrystFEL, and the whole of it.
pub(super) fn is_stream(input: &mut dyn Read) -> (bool, impl Read) {
    let mut start = vec![0; STREAM.len()];
    let read = read_some(input, &mut start).unwrap_or(0);
    start.truncate(read);
    (start == STREAM, Cursor::new(start).chain(input))
}

/// Refuses a stream where the laboratory has other axes than its own.
pub(super) fn check_axes(path: &Path, frame: Option<Frame>) -> Result<(), FileFailure> {
    if frame == Some(Frame::McStas) {
        return Ok(());
    }
    let why = "a stream has the axes of CrystFEL: give its detector with --geometry FILE.geom";
    Err(FileFailure::input(format!("{}: {why}", path.display())))
}

/// A crystal of a stream.
pub(crate) fn of_stream(lattice: &stream::Lattice) -> CrystalRow {
    CrystalRow { a_matrix: Some(lattice.crystal.a_matrix), ..CrystalRow::default() }
}

/// Reads until `buffer` is full or the input ends.
fn read_some(input: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The crystal of a line; what it leaves out is that of `parameters`.
///
/// # Errors
/// A mosaic spread beside domains that are a list.
pub(crate) fn lattice(row: &CrystalRow, parameters: &Parameters) -> Result<LatticeParameters, Failure> {
    let mosaic = match (row.mosaic_deg, &parameters.mosaic) {
        (None, mosaic) => mosaic.clone(),
        (Some(_), Mosaic::List(_)) => {
            return Err(Failure::input("column mosaic_deg: not with --mosaic-matrices"));
        }
        (Some(spread_deg), &Mosaic::Spread { model, domains }) => {
            let spread = MosaicSpread::Isotropic(spread_deg.to_radians());
            Mosaic::Spread { model: MosaicModel { spread, ..model }, domains }
        }
    };
    Ok(LatticeParameters {
        crystal: oriented(row, parameters.crystal, parameters.lambda0_m),
        cells: row.cells.unwrap_or(parameters.cells),
        mosaic,
        weight: row.weight.unwrap_or(1.0),
    })
}

/// The orientation and the cell of a line; what it leaves out is that of `crystal`, for the wavelength `lambda0_m`.
pub(super) fn oriented(row: &CrystalRow, crystal: CrystalInput, lambda0_m: f64) -> CrystalInput {
    if let Some(a_matrix) = &row.a_matrix {
        return CrystalInput::Cell { source: matrix(a_matrix, lambda0_m), misset_rad: [0.0; 3] };
    }
    let CrystalInput::Cell { source, misset_rad } = crystal else { return crystal };
    let cell =
        row.cell.map(|[a, b, c, alpha, beta, gamma]| UnitCell::from_degrees([a, b, c], [alpha, beta, gamma]));
    let source = match (cell, source) {
        (None, source) => source,
        (Some(cell), CellSource::Cell(_)) => CellSource::Cell(cell),
        (Some(cell), CellSource::Matrix(matrix) | CellSource::MatrixWithCell(matrix, _)) => {
            CellSource::MatrixWithCell(matrix, cell)
        }
    };
    let misset_rad = row.misset_deg.map_or(misset_rad, |angles| angles.map(f64::to_radians));
    CrystalInput::Cell { source, misset_rad }
}

/// A crystal and its twin, whose part of the whole is `fraction`.
fn twins(
    operator: &[[i32; 3]; 3],
    fraction: f64,
    parameters: &Parameters,
) -> Result<Vec<LatticeParameters>, Failure> {
    let CrystalInput::Cell { source, misset_rad } = parameters.crystal else { return Ok(Vec::new()) };
    let refused = |what: String| Failure::input(format!("--twin: {what}"));
    let crystal = CrystalParameters { source, lambda0_m: parameters.lambda0_m, misset_rad };
    let crystal = Crystal::new(&crystal).map_err(|error| refused(error.to_string()))?;
    let twin = twin(&crystal, operator).map_err(|failure| refused(failure.reason()))?;
    let lattice = |crystal: CrystalInput, weight: f64| LatticeParameters {
        crystal,
        cells: parameters.cells,
        mosaic: parameters.mosaic.clone(),
        weight,
    };
    let Crystal { direct, reciprocal_per_angstrom, .. } = twin;
    let twin = CrystalInput::Axes { direct, reciprocal_per_angstrom };
    Ok(vec![lattice(parameters.crystal, 1.0 - fraction), lattice(twin, fraction)])
}
