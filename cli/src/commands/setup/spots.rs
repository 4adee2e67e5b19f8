//! The number of cells, and how wide spots are for it.

use widebragg::defaults;
use widebragg::lattice::{CellCoupling, CrystalShape, SpotMetric, SpotModel};
use widebragg_formats::format_g::format_g;

use crate::error::Failure;
use crate::options::Options;

/// Cells along a, b, c, and the model of the spots.
pub(super) fn cells_and_spots(
    options: &Options,
    warn: &mut dyn FnMut(String),
) -> Result<([f64; 3], SpotModel), Failure> {
    let by_count = options.n_cells.iter().any(Option::is_some);
    let by_size = options.sample_m.iter().any(|size| size.is_some_and(|size_m| size_m > 0.0));
    let given = [
        ("-N", by_count),
        // Sizes take the place of -N, as in nanoBragg.
        ("-samplesize", by_size && !by_count),
        ("--cells", options.cells.is_some()),
        ("--n-matrix", options.n_matrix.is_some()),
    ];
    let mut given = given.into_iter().filter(|(_, is_given)| *is_given).map(|(name, _)| name);
    if let (Some(one), Some(other)) = (given.next(), given.next()) {
        return Err(Failure::input(format!(
            "{one} and {other}: both give the size of the crystal; give one"
        )));
    }
    let metric = metric(options, warn)?;
    let gauss_cutoff = gauss_cutoff(options, warn);
    if let Some(matrix) = options.n_matrix {
        return Ok((matrix.cells, SpotModel { metric, coupling: matrix.coupling, gauss_cutoff }));
    }
    let counted = || options.n_cells.map(|n| n.map_or(defaults::CELLS, |n| n as f64));
    let cells = options.cells.unwrap_or_else(counted);
    Ok((cells, SpotModel { metric, coupling: CellCoupling::NONE, gauss_cutoff }))
}

fn metric(options: &Options, warn: &mut dyn FnMut(String)) -> Result<SpotMetric, Failure> {
    let has_spots = matches!(options.shape, CrystalShape::Gauss | CrystalShape::Tophat);
    if options.n_matrix.is_some() {
        if !has_spots {
            let shape = options.shape;
            return Err(Failure::input(format!(
                "--n-matrix: for -gauss_xtal or -tophat_spots; the crystal is {shape}"
            )));
        }
        if options.spot_metric == Some(SpotMetric::Reciprocal) {
            return Err(Failure::input("--n-matrix: its spots are of --spot-metric index"));
        }
        return Ok(SpotMetric::Index);
    }
    let metric = options.spot_metric.unwrap_or_default();
    if metric == SpotMetric::Index && !has_spots {
        warn(format!("--spot-metric {metric}: has no effect on {} crystals", options.shape));
        return Ok(SpotMetric::default());
    }
    Ok(metric)
}

fn gauss_cutoff(options: &Options, warn: &mut dyn FnMut(String)) -> f64 {
    match options.gauss_cutoff {
        Some(exponent) if options.shape == CrystalShape::Gauss => exponent,
        Some(exponent) => {
            let (given, shape) = (format_g(exponent), options.shape);
            warn(format!("--gauss-cutoff {given}: has no effect on {shape} crystals"));
            f64::INFINITY
        }
        None => f64::INFINITY,
    }
}
