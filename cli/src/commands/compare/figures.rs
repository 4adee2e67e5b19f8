//! Statistics of the difference between two images.
//!
//! Over the pixels that are finite in both images: Pearson's correlation, sum(B)/sum(A), mean((B - A)^2), the
//! largest |B - A| and the largest |B - A|/max(|A|, |B|), the fraction of pixels with equal bits, and a
//! histogram of the distance in f32 ulp (the distance of 0 and -0 is 0, though their bits differ). Sums are
//! f64. Rows are summed separately and added in order, so that the bits do not depend on the number of
//! threads. Special cases: pixels that are NaN or infinite in either image are counted and left out; an image
//! without variance has no correlation. Cost: two passes.

use rayon::prelude::*;

use crate::images::Region;

/// Bins of the ulp histogram: 0, 1, 2-3, 4-7, ... 2^31 and more.
pub const ULP_BINS: usize = 33;

/// Pixels above this fraction of the brightest one are bright.
pub const BRIGHT: f64 = 1e-6;

/// Edge of the tiles of which each has at most one worst pixel, and smallest distance between worst pixels.
const TILE_PX: usize = 16;

/// Number of worst pixels that are kept.
const WORST: usize = 6;

/// A pixel that differs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Differing {
    /// Index in the region.
    pub index: usize,
    /// Value in A.
    pub a: f32,
    /// Value in B.
    pub b: f32,
}

impl Differing {
    /// |B - A|.
    #[must_use]
    pub fn absolute(&self) -> f64 {
        (f64::from(self.b) - f64::from(self.a)).abs()
    }

    /// |B - A| / max(|A|, |B|).
    #[must_use]
    pub fn relative(&self) -> f64 {
        let larger = f64::from(self.a.abs().max(self.b.abs()));
        if larger > 0.0 { self.absolute() / larger } else { 0.0 }
    }
}

/// Statistics of one image: its pixels that are not finite, and figures over the compared ones.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct OneImage {
    /// Number of NaN pixels.
    pub nan: usize,
    /// Number of infinite pixels.
    pub infinite: usize,
    /// Sum.
    pub sum: f64,
    /// Smallest pixel; 0 when nothing is compared.
    pub min: f32,
    /// Largest pixel.
    pub max: f32,
}

/// All statistics.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Number of pixels of the region.
    pub pixels: usize,
    /// Number of pixels that are finite in both images.
    pub compared: usize,
    /// Statistics of image A and of image B.
    pub images: [OneImage; 2],
    /// Pearson's correlation; `None` where an image has no variance.
    pub correlation: Option<f64>,
    /// Mean square difference; `None` when nothing is compared.
    pub mse: Option<f64>,
    /// The largest difference; `None` when there is none.
    pub largest_absolute: Option<Differing>,
    /// The largest relative difference.
    pub largest_relative: Option<Differing>,
    /// The largest relative difference of pixels above a millionth of the brightest.
    pub largest_relative_bright: Option<Differing>,
    /// Number of pixels with equal bits.
    pub identical: usize,
    /// Number of pixels by distance in ulp.
    pub ulp: [usize; ULP_BINS],
    /// The largest differences, at least a tile apart.
    pub worst: Vec<Differing>,
}

impl Figures {
    /// The statistics of two images of the same size.
    #[must_use]
    pub fn new(a: &[f32], b: &[f32], region: &Region) -> Self {
        let rows = || a.par_chunks(region.fast).zip(b.par_chunks(region.fast)).enumerate();
        let sums: Vec<Sums> = rows().map(|(row, (a, b))| Sums::of_row(row * region.fast, a, b)).collect();
        let all = sums.iter().fold(Sums::default(), |mut all, row| {
            all.add(row);
            all
        });
        let count = all.compared as f64;
        let [mean_a, mean_b] = all.images.map(|image| image.sum / count);
        let moments: Vec<[f64; 3]> = rows().map(|(_, (a, b))| moments(a, b, mean_a, mean_b)).collect();
        let [aa, bb, ab] =
            moments.iter().fold([0.0; 3], |[aa, bb, ab], row| [aa + row[0], bb + row[1], ab + row[2]]);
        let brightest = f64::from(all.images[0].max.max(all.images[1].max));
        let bright = BRIGHT * brightest;
        let relative: Vec<Option<Differing>> =
            rows().map(|(row, (a, b))| largest_relative(row * region.fast, a, b, bright)).collect();
        let bright = relative
            .into_iter()
            .flatten()
            .reduce(|one, other| if other.relative() > one.relative() { other } else { one });
        Self {
            pixels: a.len(),
            compared: all.compared,
            images: all.images,
            correlation: (aa > 0.0 && bb > 0.0).then(|| (ab / (aa * bb).sqrt()).clamp(-1.0, 1.0)),
            mse: (all.compared > 0).then(|| all.squares / count),
            largest_absolute: all.absolute,
            largest_relative: all.relative,
            largest_relative_bright: bright,
            identical: all.identical,
            ulp: all.ulp,
            worst: worst(a, b, region),
        }
    }

    /// sum(B) / sum(A); `None` where that of A is 0.
    #[must_use]
    pub fn sum_ratio(&self) -> Option<f64> {
        let [a, b] = self.images;
        (a.sum != 0.0).then(|| b.sum / a.sum)
    }

    /// Fraction of pixels with equal bits.
    #[must_use]
    pub fn identical_share(&self) -> Option<f64> {
        (self.compared > 0).then(|| self.identical as f64 / self.compared as f64)
    }

    /// Whether all compared pixels have equal bits, and there is at least one.
    #[must_use]
    pub fn is_identical(&self) -> bool {
        self.compared > 0 && self.identical == self.compared
    }
}

/// Smallest and largest distance of a bin of the ulp histogram.
#[must_use]
pub fn ulp_bin(bin: usize) -> [u64; 2] {
    if bin == 0 { [0, 0] } else { [1 << (bin - 1), (1 << bin) - 1] }
}

/// The index of an f32 in the order of all f32; that of both zeros is 0.
fn ordinal(value: f32) -> i64 {
    let bits = i64::from(value.to_bits() & 0x7fff_ffff);
    if value.is_sign_negative() { -bits } else { bits }
}

/// Sums over a row in the first pass.
struct Sums {
    compared: usize,
    images: [OneImage; 2],
    squares: f64,
    identical: usize,
    ulp: [usize; ULP_BINS],
    absolute: Option<Differing>,
    relative: Option<Differing>,
}

impl Default for Sums {
    fn default() -> Self {
        Self {
            compared: 0,
            images: [OneImage::default(); 2],
            squares: 0.0,
            identical: 0,
            ulp: [0; ULP_BINS],
            absolute: None,
            relative: None,
        }
    }
}

impl Sums {
    fn of_row(start: usize, a: &[f32], b: &[f32]) -> Self {
        let mut sums = Self::default();
        let (mut absolute, mut relative) = (0.0, 0.0);
        for (i, (&a, &b)) in a.iter().zip(b).enumerate() {
            if !(a.is_finite() && b.is_finite()) {
                for (image, value) in sums.images.iter_mut().zip([a, b]) {
                    image.nan += usize::from(value.is_nan());
                    image.infinite += usize::from(value.is_infinite());
                }
                continue;
            }
            for (image, value) in sums.images.iter_mut().zip([a, b]) {
                image.sum += f64::from(value);
                image.min = if sums.compared == 0 { value } else { image.min.min(value) };
                image.max = if sums.compared == 0 { value } else { image.max.max(value) };
            }
            sums.compared += 1;
            if a.to_bits() == b.to_bits() {
                sums.identical += 1;
                sums.ulp[0] += 1;
                continue;
            }
            let distance = ordinal(a).abs_diff(ordinal(b));
            sums.ulp[((64 - distance.leading_zeros()) as usize).min(ULP_BINS - 1)] += 1;
            let differing = Differing { index: start + i, a, b };
            let difference = differing.absolute();
            sums.squares += difference * difference;
            if difference > absolute {
                (absolute, sums.absolute) = (difference, Some(differing));
            }
            if differing.relative() > relative {
                (relative, sums.relative) = (differing.relative(), Some(differing));
            }
        }
        sums
    }

    fn add(&mut self, row: &Self) {
        for (all, image) in self.images.iter_mut().zip(&row.images) {
            all.nan += image.nan;
            all.infinite += image.infinite;
            all.sum += image.sum;
            if row.compared > 0 {
                all.min = if self.compared == 0 { image.min } else { all.min.min(image.min) };
                all.max = if self.compared == 0 { image.max } else { all.max.max(image.max) };
            }
        }
        self.compared += row.compared;
        self.squares += row.squares;
        self.identical += row.identical;
        for (all, bin) in self.ulp.iter_mut().zip(&row.ulp) {
            *all += bin;
        }
        let larger =
            |all: Option<Differing>, row: Option<Differing>, by: fn(&Differing) -> f64| match (all, row) {
                (Some(all), Some(row)) if by(&row) <= by(&all) => Some(all),
                (all, row) => row.or(all),
            };
        self.absolute = larger(self.absolute, row.absolute, Differing::absolute);
        self.relative = larger(self.relative, row.relative, Differing::relative);
    }
}

/// Sums of squares and products about the means.
fn moments(a: &[f32], b: &[f32], mean_a: f64, mean_b: f64) -> [f64; 3] {
    let finite = a.iter().zip(b).filter(|(a, b)| a.is_finite() && b.is_finite());
    finite.fold([0.0; 3], |[aa, bb, ab], (&a, &b)| {
        let (a, b) = (f64::from(a) - mean_a, f64::from(b) - mean_b);
        [aa + a * a, bb + b * b, ab + a * b]
    })
}

/// The largest relative difference in a row among the pixels above `bright`.
fn largest_relative(start: usize, a: &[f32], b: &[f32], bright: f64) -> Option<Differing> {
    let differing =
        a.iter().zip(b).enumerate().filter(|(_, (a, b))| a != b && a.is_finite() && b.is_finite());
    differing
        .map(|(i, (&a, &b))| Differing { index: start + i, a, b })
        .filter(|differing| f64::from(differing.a.abs().max(differing.b.abs())) > bright)
        .reduce(|one, other| if other.relative() > one.relative() { other } else { one })
}

/// The pixels with the largest differences, largest first, no two of them closer than a tile.
fn worst(a: &[f32], b: &[f32], region: &Region) -> Vec<Differing> {
    let band = TILE_PX * region.fast;
    let bands = a.par_chunks(band).zip(b.par_chunks(band)).enumerate();
    let mut candidates: Vec<Differing> = bands
        .flat_map_iter(|(band_index, (a, b))| {
            let mut tiles: Vec<Option<Differing>> = vec![None; region.fast.div_ceil(TILE_PX)];
            for (i, (&a, &b)) in a.iter().zip(b).enumerate() {
                let differing = Differing { index: band_index * band + i, a, b };
                if a != b
                    && a.is_finite()
                    && b.is_finite()
                    && let Some(tile) = tiles.get_mut(i % region.fast / TILE_PX)
                    && tile.is_none_or(|tile| tile.absolute() < differing.absolute())
                {
                    *tile = Some(differing);
                }
            }
            tiles.into_iter().flatten()
        })
        .collect();
    candidates
        .sort_by(|one, other| other.absolute().total_cmp(&one.absolute()).then(one.index.cmp(&other.index)));
    let mut worst: Vec<Differing> = Vec::new();
    for candidate in candidates {
        let [x, y] = region.position(candidate.index);
        let is_far = |other: &Differing| {
            let [u, v] = region.position(other.index);
            x.abs_diff(u).max(y.abs_diff(v)) >= TILE_PX
        };
        if worst.iter().all(is_far) {
            worst.push(candidate);
        }
        if worst.len() == WORST {
            break;
        }
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(fast: usize, slow: usize) -> Region {
        Region { fast_min: 0, slow_min: 0, fast, slow }
    }

    #[test]
    fn figures_worked_out_by_hand() {
        let a = [1.0, 2.0, 3.0, 4.0, f32::NAN, 7.0];
        let b = [1.0, 2.5, 3.0, 2.0, 5.0, f32::INFINITY];
        let f = Figures::new(&a, &b, &region(3, 2));
        assert_eq!((f.pixels, f.compared, f.identical), (6, 4, 2));
        assert_eq!((f.images[0].nan, f.images[1].nan, f.images[1].infinite), (1, 0, 1));
        assert_eq!((f.images[0].sum, f.images[1].sum), (10.0, 8.5));
        assert_eq!((f.images[0].min, f.images[0].max, f.images[1].max), (1.0, 4.0, 3.0));
        assert_eq!(f.sum_ratio(), Some(0.85));
        assert_eq!(f.mse, Some((0.25 + 4.0) / 4.0));
        assert_eq!(f.largest_absolute, Some(Differing { index: 3, a: 4.0, b: 2.0 }));
        assert_eq!(f.largest_relative.map(|d| d.relative()), Some(0.5));
        // Deviations -1.5 -.5 .5 1.5 and -1.125 .375 .875 -.125.
        let expected = (1.6875 - 0.1875 + 0.4375 - 0.1875) / (5.0f64 * 2.1875).sqrt();
        assert!((f.correlation.unwrap() - expected).abs() < 1e-15);
        assert_eq!(f.identical_share(), Some(0.5));
    }

    #[test]
    fn ulp_bins() {
        assert_eq!([0, 1, 2, 3].map(ulp_bin), [[0, 0], [1, 1], [2, 3], [4, 7]]);
        let one = 1f32;
        let up = |ulp: u32| f32::from_bits(one.to_bits() + ulp);
        let a = [one; 5];
        let f = Figures::new(&a, &[one, up(1), up(2), up(3), up(4)], &region(5, 1));
        assert_eq!(f.ulp[..4], [1, 1, 2, 1]);
        let f = Figures::new(
            &[0.0, f32::from_bits(1), f32::MAX],
            &[-0.0, -f32::from_bits(1), -f32::MAX],
            &region(3, 1),
        );
        assert_eq!((f.identical, f.ulp[0], f.ulp[2], f.ulp[ULP_BINS - 1]), (0, 1, 1, 1));
    }

    #[test]
    fn an_image_with_itself_and_images_without_variance() {
        let a: Vec<f32> = (0..1000).map(|i| (i as f32 * 0.7).sin().exp() * 1e-3).collect();
        let f = Figures::new(&a, &a, &region(50, 20));
        assert_eq!((f.correlation, f.mse, f.sum_ratio()), (Some(1.0), Some(0.0), Some(1.0)));
        assert!(f.is_identical() && f.worst.is_empty() && f.largest_absolute.is_none());
        let flat = Figures::new(&[2.0; 4], &[2.0; 4], &region(2, 2));
        assert_eq!(flat.correlation, None);
        assert!(flat.is_identical());
        let nothing = Figures::new(&[f32::NAN; 4], &[2.0; 4], &region(2, 2));
        assert_eq!((nothing.compared, nothing.mse, nothing.correlation), (0, None, None));
        assert!(!nothing.is_identical());
    }

    #[test]
    fn worst_pixels_are_apart_and_sorted() {
        let region = region(100, 80);
        let a = vec![1f32; 8000];
        let mut b = a.clone();
        for (x, y, by) in [(10, 10, 5.0), (12, 11, 4.0), (60, 40, -7.0), (99, 79, 1.0)] {
            b[y * 100 + x] += by;
        }
        let f = Figures::new(&a, &b, &region);
        let positions: Vec<_> = f.worst.iter().map(|worst| region.position(worst.index)).collect();
        assert_eq!(positions, [[60, 40], [10, 10], [99, 79]]);
    }
}
