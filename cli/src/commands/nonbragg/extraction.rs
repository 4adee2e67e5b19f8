//! The radial structure factors of an image: for each point of the table mean and deviation over the pixels that are
//! nearest to it.

use widebragg::background::{Background, BackgroundPixel, BinStatistics, fill_statistics};
use widebragg_formats::atomic::write_atomically;
use widebragg_formats::format_g::format_g as g;
use widebragg_formats::memory::filled;
use widebragg_formats::smv::SmvImage;

use crate::commands::companions::no_memory;
use crate::error::Failure;
use crate::options::{NonbraggOptions, RadialFile};

/// Bins with fewer pixels, or as many, are left out.
const FEW_PIXELS: usize = 100;

/// Entries of the table before its first point.
const GUARDS: usize = 2;

/// A pixel's structure factor and bin, from its place.
pub(super) fn of_pixel(
    options: &NonbraggOptions,
    background: &Background<'_>,
    stored: u16,
    pixel: &BackgroundPixel,
) -> (f32, u32) {
    let photons = ((f64::from(stored) - options.offset_adu) / options.gain) as f32;
    let f = background.structure_factor(photons, &pixel.last);
    let bin = if options.ignored.contains(&stored) { 0 } else { background.table.nearest_point(&pixel.last) };
    (f, bin as u32)
}

/// Writes the structure factors `f` of the pixels, which are in `bins`; returns the number of lines, and of bins that
/// have too few pixels.
pub(super) fn write(
    options: &NonbraggOptions,
    table: &RadialFile,
    background: &Background<'_>,
    (f, bins): (&[f32], &[u32]),
) -> Result<(usize, usize), Failure> {
    let s_per_m = background.table.s_per_m();
    let mut statistics = filled(s_per_m.len(), BinStatistics::default()).ok_or_else(no_memory)?;
    fill_statistics(bins, f, &mut statistics);
    let points = || {
        let points = s_per_m.iter().zip(&statistics).skip(GUARDS);
        points.take(s_per_m.len().saturating_sub(2 * GUARDS))
    };
    let lines = points().filter(|(_, bin)| bin.count > FEW_PIXELS).count();
    write_atomically(&options.table_out, |out| {
        for (s_per_m, bin) in points().filter(|(_, bin)| bin.count > FEW_PIXELS) {
            let (mean, deviation) = (g(f64::from(bin.mean)), g(f64::from(bin.deviation)));
            // Median and absolute deviation, which the reference leaves as they are, since it rejects no pixels.
            writeln!(out, "{} {mean} {deviation}   0 0  {}", g(s_per_m / table.per_m()), bin.count)?;
        }
        Ok(())
    })?;
    Ok((lines, points().count() - lines))
}

/// The image, which must have the pixels of the detector.
pub(super) fn check(image: &SmvImage, pixels: [usize; 2]) -> Result<(), Failure> {
    let [fast, slow] = pixels;
    if [image.fast, image.slow] == pixels {
        return Ok(());
    }
    Err(Failure::input(format!(
        "-img: {} has {} x {} pixels, and the detector {fast} x {slow}",
        image.header.path().display(),
        image.fast,
        image.slow
    )))
}
