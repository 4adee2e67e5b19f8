//! The spots of two images, and the pairs of spots at the same position.
//!
//! A spot is a local maximum (no smaller than its eight neighbours) above the 99.5th percentile of its image,
//! and the brightest pixel within 3 pixels. A spot of A and a spot of B are matched when they are at most 1
//! pixel apart. Since the spots of an image are more than 3 pixels apart, no spot has two partners.
//! Special cases: pixels that are not finite are neither spots nor neighbours. Where so many pixels are
//! saturated that none is above the percentile, those at the percentile count, unless the image is flat.
//! Cost: one selection and one pass, 5 bytes of memory a pixel.

use rayon::prelude::*;
use widebragg_formats::memory::{filled, is_there, reserved};

use crate::images::Region;

/// Fraction of the pixels that a spot is brighter than.
const PERCENTILE: f64 = 0.995;

/// Local maxima within this distance of a brighter one, in pixels, are part of it.
const SUPPRESSION_PX: isize = 3;

/// Offsets of partners, nearest first.
const WITHIN_ONE: [[isize; 2]; 5] = [[0, 0], [0, -1], [-1, 0], [1, 0], [0, 1]];

/// Memory for a spot while spots are collected, copied and matched.
const SPOT_BYTES: usize = 64;

/// The matching of all spots.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Matching {
    /// Numbers of spots of A and of B.
    pub counts: [usize; 2],
    /// Distance in pixels and intensity B/A of each pair.
    pub pairs: Vec<[f64; 2]>,
    /// Spots of A and of B without a partner, brightest first.
    pub lonely: [Vec<usize>; 2],
}

impl Matching {
    /// Number of pairs over the larger number of spots; `None` where there are no spots.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let most = self.counts[0].max(self.counts[1]);
        (most > 0).then(|| self.pairs.len() as f64 / most as f64)
    }

    /// Mean, smallest and largest of the distances (0) or of the ratios (1); `None` without pairs.
    #[must_use]
    pub fn spread(&self, which: usize) -> Option<[f64; 3]> {
        let values = || self.pairs.iter().filter_map(|pair| pair.get(which).copied());
        if self.pairs.is_empty() {
            return None;
        }
        let mean = values().sum::<f64>() / self.pairs.len() as f64;
        Some([mean, values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max)])
    }
}

/// The spots of both images, and the median and the percentile of each; `None` where there is too little
/// memory.
#[must_use]
pub fn matched(a: &[f32], b: &[f32], region: &Region) -> Option<(Matching, [Option<Level>; 2])> {
    let (spots_a, spots_b) = rayon::join(|| spots(a, region), || spots(b, region));
    let ((spots_a, level_a), (spots_b, level_b)) = (spots_a?, spots_b?);
    let mut in_order = spots_b.clone();
    in_order.sort_unstable();
    let mut matching = Matching { counts: [spots_a.len(), spots_b.len()], ..Matching::default() };
    let mut partners = Vec::new();
    for &spot in &spots_a {
        let partner = WITHIN_ONE.into_iter().find_map(|offset| {
            let index = moved(region, spot, offset)?;
            in_order.binary_search(&index).ok().map(|_| (index, offset))
        });
        match partner {
            Some((index, [x, y])) => {
                let ratio = f64::from(b[index]) / f64::from(a[spot]);
                matching.pairs.push([((x * x + y * y) as f64).sqrt(), ratio]);
                partners.push(index);
            }
            None => matching.lonely[0].push(spot),
        }
    }
    partners.sort_unstable();
    matching.lonely[1] = spots_b.into_iter().filter(|spot| partners.binary_search(spot).is_err()).collect();
    Some((matching, [level_a, level_b]))
}

/// Index of the pixel at an offset from another; `None` outside the region.
fn moved(region: &Region, index: usize, [x, y]: [isize; 2]) -> Option<usize> {
    let fast = (index % region.fast).checked_add_signed(x).filter(|&fast| fast < region.fast)?;
    let slow = (index / region.fast).checked_add_signed(y).filter(|&slow| slow < region.slow)?;
    Some(slow * region.fast + fast)
}

/// Median and 99.5th percentile of the finite pixels of an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// The median.
    pub median: f32,
    /// The 99.5th percentile.
    pub percentile: f32,
}

impl Level {
    /// The levels of finite pixels, which are reordered; `None` where there are none.
    fn of(finite: &mut [f32]) -> Option<Self> {
        let last = finite.len().checked_sub(1)?;
        let (below, percentile, _) =
            finite.select_nth_unstable_by((last as f64 * PERCENTILE) as usize, f32::total_cmp);
        let percentile = *percentile;
        let middle = last / 2;
        let median = if middle < below.len() {
            *below.select_nth_unstable_by(middle, f32::total_cmp).1
        } else {
            percentile
        };
        Some(Self { median, percentile })
    }
}

/// The spots of an image, brightest first; `None` where there is too little memory.
fn spots(pixels: &[f32], region: &Region) -> Option<(Vec<usize>, Option<Level>)> {
    let mut finite = reserved(pixels.len())?;
    finite.extend(pixels.iter().copied().filter(|pixel| pixel.is_finite()));
    let level = Level::of(&mut finite);
    drop(finite);
    let Some(level) = level else { return Some((Vec::new(), None)) };
    let is_saturated = !pixels.iter().any(|value| *value > level.percentile && value.is_finite());
    let is_bright = |value: f32| {
        value > level.percentile || (is_saturated && value == level.percentile && value > level.median)
    };
    let is_maximum = |index: usize, value: f32| {
        let neighbours = (-1..=1).flat_map(|y| (-1..=1).map(move |x| [x, y]));
        let mut values = neighbours.filter_map(|offset| moved(region, index, offset)).map(|at| pixels[at]);
        // Infinite neighbours do not count.
        !values.any(|other| other > value && other.is_finite())
    };
    // Where many pixels are saturated, many of them may be maxima.
    let candidates = pixels.iter().filter(|value| is_bright(**value)).count();
    if !is_there(candidates.checked_mul(SPOT_BYTES)?) {
        return None;
    }
    let rows = pixels.par_chunks(region.fast).enumerate();
    let mut maxima: Vec<usize> = rows
        .flat_map_iter(|(row, pixels)| {
            let bright =
                pixels.iter().enumerate().filter(|(_, value)| is_bright(**value) && value.is_finite());
            bright
                .map(move |(i, value)| (row * region.fast + i, *value))
                .filter(|&(index, value)| is_maximum(index, value))
                .map(|(index, _)| index)
        })
        .collect();
    maxima.sort_unstable_by(|&one, &other| pixels[other].total_cmp(&pixels[one]).then(one.cmp(&other)));
    let mut taken = filled(pixels.len(), false)?;
    let near = -SUPPRESSION_PX..=SUPPRESSION_PX;
    let disc: Vec<[isize; 2]> = near
        .clone()
        .flat_map(|y| near.clone().map(move |x| [x, y]))
        .filter(|[x, y]| x * x + y * y <= SUPPRESSION_PX * SUPPRESSION_PX)
        .collect();
    maxima.retain(|&index| {
        if taken[index] {
            return false;
        }
        for at in disc.iter().filter_map(|&offset| moved(region, index, offset)) {
            taken[at] = true;
        }
        true
    });
    Some((maxima, Some(level)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Region = Region { fast_min: 0, slow_min: 0, fast: 100, slow: 90 };

    fn image(spots: &[(usize, usize, f32)]) -> Vec<f32> {
        let mut pixels: Vec<f32> = (0..9000).map(|i| (i % 7) as f32 * 0.01).collect();
        for &(x, y, value) in spots {
            pixels[y * 100 + x] = value;
        }
        pixels
    }

    #[test]
    fn spots_near_a_brighter_one_belong_to_it() {
        let pixels =
            image(&[(10, 10, 5.0), (12, 12, 9.0), (15, 12, 4.0), (16, 16, 3.0), (99, 89, 2.0), (0, 50, 2.0)]);
        let (spots, level) = spots(&pixels, &SIZE).unwrap();
        assert_eq!(spots, [1212, 1616, 5000, 8999]);
        assert_eq!(level, Some(Level { median: 0.03, percentile: 0.06 }));
    }

    #[test]
    fn partners_are_at_most_one_pixel_away() {
        let a = image(&[(10, 10, 4.0), (30, 30, 8.0), (50, 50, 2.0), (70, 70, 1.0), (0, 80, 1.0)]);
        let b = image(&[(10, 10, 2.0), (31, 30, 8.0), (51, 51, 2.0), (70, 72, 1.0), (99, 79, 1.0)]);
        let (matching, _) = matched(&a, &b, &SIZE).unwrap();
        assert_eq!(matching.counts, [5, 5]);
        assert_eq!(matching.pairs, [[1.0, 1.0], [0.0, 0.5]]);
        assert_eq!(matching.share(), Some(0.4));
        assert_eq!(matching.spread(0), Some([0.5, 0.0, 1.0]));
        assert_eq!(matching.lonely, [vec![5050, 7070, 8000], vec![5151, 7270, 7999]]);
    }

    #[test]
    fn saturated_pixels_are_spots() {
        let mut pixels = image(&[]);
        for block in [(10, 10), (40, 60)] {
            for y in 0..6 {
                for x in 0..6 {
                    pixels[(block.1 + y) * 100 + block.0 + x] = 65535.0;
                }
            }
        }
        let (found, _) = spots(&pixels, &SIZE).unwrap();
        assert!(found.contains(&1010) && found.contains(&6040) && found.len() <= 8, "{found:?}");
    }

    #[test]
    fn flat_and_empty_images_have_no_spots() {
        for value in [3.0, f32::NAN, f32::INFINITY] {
            let pixels = vec![value; 9000];
            assert_eq!(matched(&pixels, &pixels, &SIZE).unwrap().0, Matching::default());
        }
        let pixels = image(&[(5, 5, f32::INFINITY), (6, 5, 8.0), (40, 40, f32::NAN)]);
        assert_eq!(matched(&pixels, &pixels, &SIZE).unwrap().0.counts, [1, 1]);
    }
}
