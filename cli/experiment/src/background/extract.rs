//! A radial background from an image: the table of F that gives it.
//!
//! **Method.** Let `unit` be the photons of a pixel where F = 1 at every s ([`super::photons`]). Then photons/unit estimates
//! F^2. In each bin of s the median of these estimates is the first F^2. Pixels that are more than [`MOST_SIGMAS`] standard
//! deviations from it are left out, and the new F^2 is the sum of the photons of the others over the sum of their units.
//! This repeats until no pixel changes. So spots, shadows and bad pixels do not count, and means below one photon, whose
//! median is 0, come out right.

use rayon::prelude::*;
use widebragg_formats::memory::{filled, reserved};
use widebragg_formats::stol::StolPoint;

use crate::experiment::Experiment;
use crate::failure::{Failure, Part};
use crate::resolution::scattering_lengths;

/// Standard deviations beyond which pixels are left out.
pub const MOST_SIGMAS: f64 = 6.0;

/// Fewest pixels of a bin that gives a point.
pub const FEWEST_PIXELS: usize = 10;

/// Standard deviations in the median deviation of Gaussian deviates.
const SIGMA_OF_MEDIAN: f64 = 1.482_602_218_505_602;

/// Most repetitions of the rejection.
const ROUNDS: usize = 20;

/// A point of a radial background.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RadialMean {
    /// s, the mean over its pixels, and F, which is negative where there are fewer photons than none.
    pub point: StolPoint,
    /// Number of pixels that it is the mean of.
    pub pixels: usize,
    /// Number of pixels that were left out as too far from the others.
    pub left_out: usize,
}

/// Means over `bins` rings of equal width in s, in the order of s. Rings of fewer than [`FEWEST_PIXELS`] pixels are left
/// out.
///
/// **Shapes.** `image` has the photons of each pixel of the stack of panels, and NaN where a pixel does not count;
/// `units` its photons for a square electron.
///
/// # Errors
/// Other lengths, no bins, or too little memory.
pub fn radial_means(
    experiment: &Experiment,
    image: &[f32],
    units: &[f32],
    bins: usize,
) -> Result<Vec<RadialMean>, Failure> {
    let impossible = |why: &str| Failure::impossible(Part::Background, why);
    if [image.len(), units.len()] != [experiment.pixels(); 2] {
        return Err(impossible("an image of another size than the detector"));
    }
    if bins == 0 {
        return Err(impossible("no rings"));
    }
    let no_memory = || Failure::no_memory(Part::Background, "the pixels of a radial background");
    // 2 sin(theta)/lambda.
    let lengths = scattering_lengths(experiment)?;
    let counts = |at: usize| experiment.is_selected(at) && image[at].is_finite() && units[at] > 0.0;
    let largest = (0..image.len()).filter(|&at| counts(at)).map(|at| lengths[at]).fold(0.0, f32::max);
    let per_length = bins as f64 / f64::from(largest).max(f64::MIN_POSITIVE);
    let bin_of = |length: f32| ((f64::from(length) * per_length) as usize).min(bins - 1);
    // The pixels of each bin, one bin after the other.
    let mut ends = filled(bins + 1, 0usize).ok_or_else(no_memory)?;
    for at in (0..image.len()).filter(|&at| counts(at)) {
        ends[bin_of(lengths[at]) + 1] += 1;
    }
    (1..=bins).for_each(|bin| ends[bin] += ends[bin - 1]);
    let mut next = reserved(bins).ok_or_else(no_memory)?;
    next.extend_from_slice(&ends[..bins]);
    let mut pixels = filled(ends[bins], Pixel::default()).ok_or_else(no_memory)?;
    for at in (0..image.len()).filter(|&at| counts(at)) {
        let place = &mut next[bin_of(lengths[at])];
        let [photons, unit, length] = [image[at], units[at], lengths[at]].map(f64::from);
        pixels[*place] = Pixel { photons, unit, s_per_angstrom: length / 2.0 };
        *place += 1;
    }
    let mut rest = &mut pixels[..];
    let mut rings = Vec::new();
    for pair in ends.windows(2) {
        let (ring, others) = rest.split_at_mut(pair[1] - pair[0]);
        rings.push(ring);
        rest = others;
    }
    Ok(rings.into_par_iter().filter_map(mean_of).collect())
}

/// A pixel of a ring.
#[derive(Debug, Clone, Copy, Default)]
struct Pixel {
    photons: f64,
    unit: f64,
    s_per_angstrom: f64,
}

/// The mean of a ring; `None` where it has too few pixels.
fn mean_of(ring: &mut [Pixel]) -> Option<RadialMean> {
    if ring.len() < FEWEST_PIXELS {
        return None;
    }
    let mut square = median(ring, |pixel| pixel.photons / pixel.unit);
    let spread = SIGMA_OF_MEDIAN * median(ring, |pixel| (pixel.photons - square * pixel.unit).abs());
    let mut kept = 0;
    for _ in 0..ROUNDS {
        let (mut photons, mut units, mut count) = (0.0, 0.0, 0);
        for pixel in ring.iter().filter(|pixel| is_near(pixel, square, spread)) {
            photons += pixel.photons;
            units += pixel.unit;
            count += 1;
        }
        if count == 0 {
            return None;
        }
        square = photons / units;
        if count == core::mem::replace(&mut kept, count) {
            break;
        }
    }
    let near = ring.iter().filter(|pixel| is_near(pixel, square, spread));
    let (sum, count) = near.fold((0.0, 0), |(sum, count), pixel| (sum + pixel.s_per_angstrom, count + 1));
    (count >= FEWEST_PIXELS).then(|| RadialMean {
        point: StolPoint {
            s_per_angstrom: sum / count as f64,
            f_electrons: square.abs().sqrt().copysign(square),
        },
        pixels: count,
        left_out: ring.len() - count,
    })
}

/// Whether a pixel is as near to its mean as the spread, and the statistics of photons, let it be. A photon more is
/// allowed for, since the mean may be far below one.
fn is_near(pixel: &Pixel, square: f64, spread: f64) -> bool {
    let mean = square * pixel.unit;
    let sigma = spread.max((mean.max(0.0) + 1.0).sqrt());
    (pixel.photons - mean).abs() <= MOST_SIGMAS * sigma
}

/// The middle one of the values of a ring that is not empty, whose pixels change places.
fn median(ring: &mut [Pixel], value: impl Fn(&Pixel) -> f64) -> f64 {
    let middle = ring.len() / 2;
    let (_, pixel, _) = ring.select_nth_unstable_by(middle, |a, b| value(a).total_cmp(&value(b)));
    value(pixel)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts of a mean, whose deviates come from a sum of uniform numbers, or from waiting times where it is small.
    fn counts(mean: f64, pixels: usize, seed: u64) -> Vec<Pixel> {
        let mut state = seed;
        let mut uniform = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 + 0.5) / (1u64 << 53) as f64
        };
        let mut draw = |mean: f64| {
            let (mut product, mut count) = (uniform(), 0.0);
            while product > (-mean).exp() {
                product *= uniform();
                count += 1.0;
            }
            count
        };
        (0..pixels).map(|_| Pixel { photons: draw(mean * 2.0), unit: 2.0, s_per_angstrom: 0.1 }).collect()
    }

    #[test]
    fn means_come_out_with_their_spots_left_out() {
        for mean in [0.02, 0.3, 4.0, 60.0] {
            let mut ring = counts(mean, 20_000, 5);
            // Spots, a shadow and a dead corner.
            ring.iter_mut().step_by(50).for_each(|pixel| pixel.photons += 40.0 + 30.0 * mean);
            let found = mean_of(&mut ring).expect("a mean");
            let square = found.point.f_electrons.powi(2);
            let sigma = (mean / 2.0 / 20_000.0).sqrt();
            assert!((square - mean).abs() < 5.0 * sigma, "{mean}: {square}");
            assert!((400..420).contains(&found.left_out), "{mean}: {found:?}");
            assert_eq!(found.pixels + found.left_out, 20_000);
        }
    }

    #[test]
    fn fewer_photons_than_none_have_a_negative_f() {
        let mut ring = [Pixel { photons: -8.0, unit: 2.0, s_per_angstrom: 0.2 }; 12];
        let found = mean_of(&mut ring).expect("a mean");
        assert_eq!((found.point.f_electrons, found.pixels), (-2.0, 12));
        assert!((found.point.s_per_angstrom - 0.2).abs() < 1e-12);
        assert_eq!(mean_of(&mut ring[..9]), None);
    }
}
