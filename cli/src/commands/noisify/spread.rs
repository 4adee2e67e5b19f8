//! The point spread of an image, its rows over the threads of the current pool.

use rayon::current_num_threads;
use rayon::prelude::*;
use widebragg::lanes::Simd;
use widebragg::noise::point_spread::{PointSpread, Radii, Spread, TableSize};
use widebragg_formats::memory::zeroed;

use crate::commands::companions::no_memory;
use crate::error::Failure;

/// Bands of rows for each thread, which need not take the same time.
const BANDS: usize = 8;

/// Pixels whose radii a thread computes at a time.
const PIXELS_AT_A_TIME: usize = 1 << 14;

/// The spread image of `photons`, and how many photons were beyond the radii.
///
/// With a radius above 0 all pixels have it; with 0 each has its own. Below 0 nothing is spread, but the photons are
/// gone that would be beyond the radius.
pub(super) fn image(
    simd: Simd,
    spread: &PointSpread,
    radius_px: i32,
    size: [usize; 2],
    photons: Vec<f32>,
) -> Result<(Vec<f32>, f64), Failure> {
    let [fast, slow] = size;
    let limit = i32::try_from(fast.max(slow)).unwrap_or(i32::MAX);
    let mut image = zeroed::<f32>(photons.len()).ok_or_else(no_memory)?;
    if radius_px <= 0 && !photons.iter().any(|&photons| photons > 0.0) {
        return Ok((image, 0.0));
    }
    let own = if radius_px == 0 { own_radii(spread, &photons, limit)? } else { Vec::new() };
    let radii = if radius_px == 0 { Radii::Own(&own) } else { Radii::Same(radius_px.min(limit)) };
    let largest = match radii {
        Radii::Own(radii) => radii.iter().copied().max().unwrap_or(0),
        Radii::Same(radius) => radius,
    };
    if let Ok(largest @ 1..) = u32::try_from(largest) {
        add_shares(simd, spread, &photons, radii, TableSize::new(largest, size), &mut image)?;
    }
    let lost = spread.lost(&photons, radii);
    let for_each = lost / photons.len() as f64;
    image.par_iter_mut().for_each(|pixel| *pixel = (f64::from(*pixel) + for_each) as f32);
    Ok((image, lost))
}

/// The radius of each pixel, at most `limit`.
fn own_radii(spread: &PointSpread, photons: &[f32], limit: i32) -> Result<Vec<i32>, Failure> {
    let mut own = zeroed(photons.len()).ok_or_else(no_memory)?;
    let parts = own.par_chunks_mut(PIXELS_AT_A_TIME).zip(photons.par_chunks(PIXELS_AT_A_TIME));
    parts.for_each(|(radii, photons)| {
        let limited = photons.iter().map(|&photons| spread.own_radius(photons).min(limit));
        radii.iter_mut().zip(limited).for_each(|(radius, limited)| *radius = limited);
    });
    Ok(own)
}

/// Adds what is within the radii.
fn add_shares(
    simd: Simd,
    spread: &PointSpread,
    photons: &[f32],
    radii: Radii<'_>,
    size: TableSize,
    image: &mut [f32],
) -> Result<(), Failure> {
    let too_large = |error: widebragg::Error| Failure::input(error.to_string()).context("-psf_radius");
    let mut shares = zeroed::<f64>(size.shares_len().map_err(too_large)?).ok_or_else(no_memory)?;
    let rows = shares.par_chunks_mut(size.columns()).enumerate();
    rows.for_each(|(row, shares)| spread.fill_row(size, row, shares));
    let [fast, slow] = size.image();
    let spread = Spread { size, shares: &shares, photons, radii };
    let band = slow.div_ceil(BANDS * current_num_threads()).max(1);
    let bands = image.par_chunks_mut(band * fast).enumerate();
    bands.try_for_each(|(i, rows)| {
        let first = i * band;
        spread.add_to_rows(simd, first..first + rows.len() / fast, rows).map_err(too_large)
    })
}
