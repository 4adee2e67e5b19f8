//! Conversion of the float image to the integers of SMV, PGM and CBF images, with photon noise or without, by
//! the reference's rules of scaling and rounding. Each function returns `None` where there is too little
//! memory.

use bytemuck::Zeroable;
use rayon::prelude::*;
use widebragg::rotation::PhiMode;
use widebragg::scene::Scene;
use widebragg_formats::memory::{reserved, zeroed};

use crate::panels::{parts, parts_mut};
use crate::statistics::{Statistics, region};

/// Largest value of a 16-bit pixel.
const SATURATED: f64 = 65_535.0;

/// Largest count of a CBF image.
const MOST_COUNTS: f64 = (i32::MAX - 1) as f64;

/// Masked pixels of a CBF image.
const MASKED: i32 = -1;

/// The scale of the integer image: the given one, or the one that takes the maximum to 55000.
#[must_use]
pub fn int_scale(given: Option<f64>, statistics: &Statistics) -> f64 {
    match given.filter(|&scale| scale > 0.0) {
        Some(scale) => scale,
        None if statistics.max > 0.0 => 55_000.0 / statistics.max,
        None => 1.0,
    }
}

/// The scale of the PGM image: the given one, the one that takes five standard deviations to 250, or that of
/// the integer image.
#[must_use]
pub fn pgm_scale(given: Option<f64>, statistics: &Statistics, int_scale: f64) -> f64 {
    match given.filter(|&scale| scale > 0.0) {
        Some(scale) => scale,
        None if statistics.rmsd > 0.0 => 250.0 / (5.0 * statistics.rmsd),
        None => int_scale,
    }
}

/// Integer pixels.
#[derive(Debug)]
pub struct Integers<T> {
    /// Pixels.
    pub pixels: Vec<T>,
    /// Number of pixels that are too large for the image, and have its largest value instead.
    pub saturated: u64,
}

/// `f` of each pixel in the region of interest and whether it is not masked, with the number of pixels that it calls
/// saturated; zero elsewhere. The rows are split over the threads of the current pool.
fn over_region<T: Zeroable + Send>(
    scenes: &[Scene<'_>],
    pixels: &[f32],
    f: impl Fn(f32, bool) -> (T, bool) + Sync,
) -> Option<Integers<T>> {
    let mut out = zeroed(pixels.len())?;
    let mut saturated = 0;
    for (from, to) in parts(scenes, pixels).zip(parts_mut(scenes, &mut out)) {
        let (columns, first) = (from.scene.panel().fast_pixels, from.scene.parts().roi.slow_min);
        let lines = to.pixels.par_chunks_mut(columns.max(1)).skip(first);
        let of_rows = lines.zip(region(from).collect::<Vec<_>>()).map(|(line, row)| {
            let line = line.iter_mut().skip(row.first_fast).zip(row.pixels).enumerate();
            line.fold(0, |saturated, (i, (to, &value))| {
                let (integer, is_saturated) = f(value, row.is_selected(i));
                *to = integer;
                saturated + u64::from(is_saturated)
            })
        });
        saturated += of_rows.sum::<u64>();
    }
    Some(Integers { saturated, pixels: out })
}

/// The integer image: clamped to 16 bits, then floor(x + 1/2) with the sum rounded to f32.
#[must_use]
pub fn int_image(scenes: &[Scene<'_>], pixels: &[f32], scale: f64, adc: f64) -> Option<Integers<u16>> {
    over_region(scenes, pixels, |value, _| {
        let scaled = f64::from(value) * scale + adc;
        // NaN becomes 0.
        let positive = if scaled > 0.0 { scaled } else { 0.0 };
        (whole_part((positive.min(SATURATED) + 0.5) as f32) as u16, scaled > SATURATED)
    })
}

/// The whole part of a number from 0 to 2^22. A conversion by `as` also checks every number for NaN and overflow, so that
/// an image takes 1.4 times as long.
fn whole_part(value: f32) -> u32 {
    // From 2^23 on all f32 are whole numbers, one for each step of the bits.
    let whole: f32 = 8_388_608.0;
    let sum = value + whole;
    sum.to_bits() - whole.to_bits() - u32::from(sum - whole > value)
}

/// The signed counts of a CBF image: scaled like the integer image, without an offset; masked pixels are -1.
#[must_use]
pub fn cbf_image(scenes: &[Scene<'_>], pixels: &[f32], scale: f64) -> Option<Integers<i32>> {
    over_region(scenes, pixels, |value, selected| {
        if !selected {
            return (MASKED, false);
        }
        let scaled = f64::from(value) * scale;
        let clamped = scaled.clamp(0.0, MOST_COUNTS);
        // Rounded to the nearest integer, halves away from 0; `f64::round` is a call.
        let below = clamped as i32;
        let count = below + i32::from(clamped - f64::from(below) >= 0.5);
        (count, scaled >= MOST_COUNTS + 0.5)
    })
}

/// The PGM image.
#[must_use]
pub fn pgm_image(pixels: &[f32], scale: f64) -> Option<Vec<u8>> {
    let mut levels = reserved(pixels.len())?;
    levels.extend(pixels.iter().map(|&value| (f64::from(value) * scale).min(255.0) as u8));
    Some(levels)
}

/// The noise image and its totals.
#[derive(Debug)]
pub struct Noise<T> {
    /// Pixels.
    pub pixels: Vec<T>,
    /// Sum of the deviates: the total number of photons.
    pub photons: f64,
    /// Number of saturated pixels.
    pub overloads: u64,
}

/// The noise image: `deviates` of the pixels ([`render_noisy_frame`](crate::frame::render_noisy_frame), or
/// [`DetectorNoise`](crate::detector_noise::DetectorNoise)), plus the offset.
#[must_use]
pub fn noise_image(scenes: &[Scene<'_>], deviates: &[f32], adc: f64) -> Option<Noise<u16>> {
    let wraps = scenes.iter().any(|scene| scene.mode() == PhiMode::CParity);
    noisy(scenes, deviates, |deviate, _, noise| {
        noise.photons += f64::from(deviate);
        let counts = f64::from((f64::from(deviate) + adc) as f32);
        noise.overloads += u64::from(counts > SATURATED);
        let counts = counts.min(SATURATED);
        // The reference keeps the lower 16 bits of a negative count.
        if wraps { counts as i32 as u16 } else { counts as u16 }
    })
}

/// The noise image as signed counts: `deviates` without an offset, at least `least`; masked pixels are -1.
#[must_use]
pub fn noise_counts(scenes: &[Scene<'_>], deviates: &[f32], least: i32) -> Option<Noise<i32>> {
    noisy(scenes, deviates, |deviate, selected, noise| {
        // Masked pixels have deviates as well, so that the others have those of the noise image.
        if !selected {
            return MASKED;
        }
        let deviate = f64::from(deviate);
        noise.photons += deviate;
        noise.overloads += u64::from(deviate > MOST_COUNTS);
        deviate.clamp(f64::from(least), MOST_COUNTS) as i32
    })
}

/// The image of `value_of` each deviate and whether its pixel is not masked; `value_of` also counts in the totals.
fn noisy<T: Default + Copy>(
    scenes: &[Scene<'_>],
    deviates: &[f32],
    mut value_of: impl FnMut(f32, bool, &mut Noise<T>) -> T,
) -> Option<Noise<T>> {
    let mut noise = Noise { pixels: Vec::new(), photons: 0.0, overloads: 0 };
    // Filled row by row, so that pages of memory are taken as they are written.
    let mut out = reserved(deviates.len())?;
    for part in parts(scenes, deviates) {
        let columns = part.scene.panel().fast_pixels;
        for row in region(part) {
            out.resize(row.row * columns + row.first_fast, T::default());
            out.extend(
                row.pixels.iter().enumerate().map(|(i, &d)| value_of(d, row.is_selected(i), &mut noise)),
            );
        }
    }
    out.resize(deviates.len(), T::default());
    Some(Noise { pixels: out, ..noise })
}

#[cfg(test)]
mod tests {
    use super::whole_part;

    #[test]
    fn whole_parts_are_those_of_a_conversion() {
        for whole in 0..=65_536_u32 {
            let whole = whole as f32;
            for value in
                [whole.next_down().max(0.0), whole, whole.next_up(), whole + 0.25, whole + 0.5, whole + 0.75]
            {
                assert_eq!(whole_part(value), value as u32, "{value}");
            }
        }
    }
}
