//! The point spread of an image as noisify and simtbx have it, its rows over the threads of the current pool.

use bytemuck::Zeroable;
use rayon::current_num_threads;
use rayon::prelude::*;
use widebragg::lanes::Simd;
use widebragg::noise::point_spread::{PointSpread, Radii, Spread, TableSize};
use widebragg::render::PixelValue;
use widebragg_formats::memory::zeroed;

use crate::failure::{Failure, Part, refused};

/// Bands of rows for each thread, which need not take the same time.
const BANDS: usize = 8;

/// Pixels whose radii a thread computes at a time.
const PIXELS_AT_A_TIME: usize = 1 << 14;

/// A pixel of an image that can be spread.
pub trait Photons: PixelValue + Into<f64> + Zeroable + Send + Sync {}

impl<P: PixelValue + Into<f64> + Zeroable + Send + Sync> Photons for P {}

/// The spread image of `photons`, which has `[fast, slow]` pixels, and how many photons were beyond the radii.
///
/// With a radius above 0 all pixels have it; with 0 each has its own. Below 0 nothing is spread, but the photons are
/// gone that would be beyond the radius.
///
/// # Errors
/// Another number of pixels, or too little memory.
pub fn spread_image<P: Photons>(
    simd: Simd,
    spread: &PointSpread,
    radius_px: i32,
    size: [usize; 2],
    photons: &[P],
) -> Result<(Vec<P>, f64), Failure> {
    let [fast, slow] = size;
    if fast.checked_mul(slow) != Some(photons.len()) {
        return Err(Failure::impossible(Part::PointSpread, "an image of another size than is stated"));
    }
    let limit = i32::try_from(fast.max(slow)).unwrap_or(i32::MAX);
    let mut image = zeroed::<P>(photons.len()).ok_or_else(no_memory)?;
    if radius_px <= 0 && !has_photons(photons) {
        return Ok((image, 0.0));
    }
    let own = if radius_px == 0 { own_radii(spread, photons, limit)? } else { Vec::new() };
    let radii = if radius_px == 0 { Radii::Own(&own) } else { Radii::Same(radius_px.min(limit)) };
    let largest = match radii {
        Radii::Own(radii) => radii.iter().copied().max().unwrap_or(0),
        Radii::Same(radius) => radius,
    };
    if let Ok(largest @ 1..) = u32::try_from(largest) {
        add_shares(simd, spread, photons, radii, TableSize::new(largest, size), &mut image)?;
    }
    let lost = spread.lost(photons, radii);
    let for_each = lost / photons.len() as f64;
    image.par_iter_mut().for_each(|pixel| *pixel = P::from_f64((*pixel).into() + for_each));
    Ok((image, lost))
}

/// Whether any pixel has photons.
pub(crate) fn has_photons<P: Photons>(photons: &[P]) -> bool {
    photons.iter().any(|&photons| photons.into() > 0.0)
}

fn no_memory() -> Failure {
    Failure::no_memory(Part::PointSpread, "the spread image")
}

/// The radius of each pixel, at most `limit`.
fn own_radii<P: Photons>(spread: &PointSpread, photons: &[P], limit: i32) -> Result<Vec<i32>, Failure> {
    let mut own = zeroed(photons.len()).ok_or_else(no_memory)?;
    let parts = own.par_chunks_mut(PIXELS_AT_A_TIME).zip(photons.par_chunks(PIXELS_AT_A_TIME));
    parts.for_each(|(radii, photons)| {
        let limited = photons.iter().map(|&photons| spread.own_radius(photons).min(limit));
        radii.iter_mut().zip(limited).for_each(|(radius, limited)| *radius = limited);
    });
    Ok(own)
}

/// Adds what is within the radii.
fn add_shares<P: Photons>(
    simd: Simd,
    spread: &PointSpread,
    photons: &[P],
    radii: Radii<'_>,
    size: TableSize,
    image: &mut [P],
) -> Result<(), Failure> {
    let too_large = refused(Part::PointSpread);
    let mut shares = zeroed::<f64>(size.shares_len().map_err(too_large)?).ok_or_else(no_memory)?;
    let rows = shares.par_chunks_mut(size.columns()).enumerate();
    rows.for_each(|(row, shares)| spread.fill_row(size, row, shares));
    let [fast, slow] = size.image();
    let spread = Spread { size, shares: &shares, photons, radii };
    let band = slow.div_ceil(BANDS * current_num_threads()).max(1);
    let bands = image.par_chunks_mut(band * fast).enumerate();
    bands.try_for_each(|(i, rows)| {
        let first = i * band;
        spread.add_to_rows(simd, first..first + rows.len() / fast, rows).map_err(refused(Part::PointSpread))
    })
}
