//! The mosaic domains.

use widebragg::mosaic::{MosaicAxes, MosaicModel, MosaicSpread, transposed};
use widebragg_experiment::parameters::Mosaic;
use widebragg_formats::memory::push;
use widebragg_formats::rotations::parse_rotations;

use super::inputs::Inputs;
use super::seed_32_bits;
use crate::error::Failure;
use crate::options::Options;

/// The mosaic domains that `options` ask for.
pub(super) fn mosaic(
    options: &Options,
    inputs: &Inputs,
    warn: &mut dyn FnMut(String),
) -> Result<Mosaic, Failure> {
    let given_spread = options.mosaic_spread_rad.filter(|&spread_rad| spread_rad > 0.0);
    if let Some(path) = &options.mosaic_matrices {
        let others = [
            ("-mosaic", given_spread.is_some()),
            ("--mosaic-anisotropic", options.mosaic_anisotropic_rad.is_some()),
            ("-mosaic_domains", options.mosaic_domains.is_some()),
            ("--mosaic-axes", options.mosaic_axes.is_some()),
        ];
        if let Some((other, _)) = others.into_iter().find(|(_, is_given)| *is_given) {
            return Err(Failure::input(format!(
                "{other}: not with --mosaic-matrices, which gives all domains"
            )));
        }
        let list = inputs.read("--mosaic-matrices", path, |input| parse_rotations(input, path))?;
        let list = if options.mosaic_pairs { with_inverses(&list)? } else { list };
        return Ok(Mosaic::List(list));
    }
    let spread = match (options.mosaic_anisotropic_rad, given_spread) {
        (Some(_), Some(_)) => {
            return Err(Failure::input(
                "-mosaic and --mosaic-anisotropic: both give the mosaic spread; give one",
            ));
        }
        (Some(spreads_rad), None) => MosaicSpread::Axes(spreads_rad),
        (None, _) => MosaicSpread::Isotropic(options.mosaic_spread_rad.unwrap_or(0.0)),
    };
    let has_spread = spread.isotropic_rad().is_none_or(|spread_rad| spread_rad > 0.0);
    let axes = options.mosaic_axes.unwrap_or_default();
    let (axes, pairs) =
        if has_spread { checked_axes(options, axes)? } else { without_spread(options, axes, warn) };
    let seed = options.mosaic_seed_as_typed.map_or(axes.default_seed(), seed_32_bits);
    Ok(Mosaic::Spread { model: MosaicModel { spread, axes, seed, pairs }, domains: options.mosaic_domains })
}

/// Axes, and whether each random domain has its inverse.
fn checked_axes(options: &Options, axes: MosaicAxes) -> Result<(MosaicAxes, bool), Failure> {
    if axes == MosaicAxes::Spiral {
        if options.mosaic_pairs {
            return Err(Failure::input(
                "--mosaic-pairs: the domains of --mosaic-axes spiral are pairs already",
            ));
        }
        if let Some(count) = options.mosaic_domains.filter(|count| !count.is_multiple_of(2)) {
            let why = "the domains of --mosaic-axes spiral are pairs, so their number is even";
            return Err(Failure::input(format!("-mosaic_domains {count}: {why}")));
        }
    }
    Ok((axes, options.mosaic_pairs))
}

/// The same for a single domain, which is not rotated.
fn without_spread(options: &Options, axes: MosaicAxes, warn: &mut dyn FnMut(String)) -> (MosaicAxes, bool) {
    let given =
        [("--mosaic-pairs", options.mosaic_pairs), ("--mosaic-axes spiral", axes == MosaicAxes::Spiral)];
    for (name, _) in given.into_iter().filter(|(_, is_given)| *is_given) {
        warn(format!("{name}: has no effect without a mosaic spread"));
    }
    (MosaicAxes::Random, false)
}

/// Each rotation with its inverse.
fn with_inverses(list: &[[[f64; 3]; 3]]) -> Result<Vec<[[f64; 3]; 3]>, Failure> {
    let no_memory = || Failure::input("--mosaic-pairs: no memory for the inverse rotations");
    let mut pairs = Vec::new();
    for u in list {
        for rotation in [*u, transposed(u)] {
            push(&mut pairs, rotation).ok_or_else(no_memory)?;
        }
    }
    Ok(pairs)
}
