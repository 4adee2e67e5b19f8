//! The smooth background of an image under its spots.
//!
//! The image is divided into tiles. The level of a tile is the median of its positive pixels; that of a tile
//! of which at most half of the pixels are positive (gaps, masks) is the mean level of its neighbours, or 0
//! far from all others. Between the middles of tiles levels are interpolated linearly, beyond the outermost
//! they are constant.
//! Special cases: no level is above 8 times the lower quartile of all: levels of water and air differ less,
//! and those of an image that shows a single spot from close by differ more. Pixels that are not finite are
//! left out.
//! Cost: one selection in each tile; 4 bytes of memory a tile and 32 tiles.

use rayon::prelude::*;

use crate::memory::{filled, push, reserved};

/// Largest and smallest edge of a tile, in pixels, and the number of tiles that small images are divided into
/// along an edge.
const LARGEST_TILE: usize = 32;
const SMALLEST_TILE: usize = 4;
const TILES: usize = 8;

/// How far from other tiles a tile without a level gets one, in tiles.
const REACH: usize = 8;

/// Largest level in units of the lower quartile.
const MOST_QUARTILES: f32 = 8.0;

/// The levels of an image's background.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Background {
    fast: Axis,
    slow: Axis,
    /// Level of each tile, slow-major.
    levels: Vec<f32>,
}

/// Pixels of a row, from the end of the stretch before, that lie between the middles of the same tiles.
struct Stretch {
    end: usize,
    tile: usize,
    next: usize,
}

/// The tiles along an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Axis {
    pixels: usize,
    tiles: usize,
}

impl Axis {
    fn new(pixels: usize) -> Self {
        let edge = (pixels / TILES).clamp(SMALLEST_TILE, LARGEST_TILE);
        Self { pixels, tiles: pixels.div_ceil(edge).max(1) }
    }

    /// The first pixel of a tile.
    fn first(self, tile: usize) -> usize {
        tile * self.pixels / self.tiles
    }

    /// The tile whose middle is at or before a pixel, the next tile, and the weight of the next.
    fn between(self, pixel: usize) -> (usize, usize, f32) {
        let last = self.tiles - 1;
        let at = (pixel as f64 + 0.5) * self.tiles as f64 / self.pixels as f64 - 0.5;
        let at = at.clamp(0.0, last as f64);
        let tile = (at as usize).min(last);
        (tile, (tile + 1).min(last), (at - tile as f64) as f32)
    }
}

impl Background {
    /// The background of `pixels`, slow-major in rows of `fast`; `None` where there is too little memory.
    pub(crate) fn new(fast: usize, pixels: &[f32]) -> Option<Self> {
        let slow = pixels.len().checked_div(fast).unwrap_or(0);
        let (fast, slow) = (Axis::new(fast), Axis::new(slow));
        let mut levels: Vec<Option<f32>> = filled(fast.tiles * slow.tiles, None)?;
        levels.par_chunks_mut(fast.tiles).enumerate().for_each_init(Vec::new, |positive, (row, levels)| {
            for (column, level) in levels.iter_mut().enumerate() {
                positive.clear();
                let mut finite = 0usize;
                for y in slow.first(row)..slow.first(row + 1) {
                    let start = y * fast.pixels;
                    let line = &pixels[start + fast.first(column)..start + fast.first(column + 1)];
                    finite += line.iter().filter(|pixel| pixel.is_finite()).count();
                    positive.extend(line.iter().copied().filter(|pixel| *pixel > 0.0 && pixel.is_finite()));
                }
                *level = if 2 * positive.len() > finite { median(positive) } else { None };
            }
        });
        limit(&mut levels)?;
        let levels = filled_in(levels, fast.tiles)?;
        Some(Self { fast, slow, levels })
    }

    /// The median level.
    pub(crate) fn median(&self) -> Option<f32> {
        let mut levels = reserved(self.levels.len())?;
        levels.extend_from_slice(&self.levels);
        Some(median(&mut levels).unwrap_or(0.0))
    }

    /// Calls `job` with each row of `out`, the background of its pixels, and what `pixels` has there; the rows are
    /// split over the threads of the current pool.
    pub(crate) fn for_each_row<T: Send>(
        &self,
        pixels: &[f32],
        out: &mut [T],
        job: impl Fn(&mut [T], &[f32], &[f32]) + Sync,
    ) -> Option<()> {
        let mut weights = reserved(self.fast.pixels)?;
        weights.extend((0..self.fast.pixels).map(|pixel| self.fast.between(pixel).2));
        let mut stretches = Vec::new();
        for pixel in 0..self.fast.pixels {
            let (tile, next, _) = self.fast.between(pixel);
            match stretches.last_mut() {
                Some(Stretch { end, tile: last, .. }) if *last == tile => *end = pixel + 1,
                _ => push(&mut stretches, Stretch { end: pixel + 1, tile, next })?,
            }
        }
        let columns = self.fast.pixels.max(1);
        let rows = out.par_chunks_mut(columns).zip(pixels.par_chunks(columns)).enumerate();
        let buffers = || (vec![0f32; self.fast.tiles], vec![0f32; self.fast.pixels]);
        rows.for_each_init(buffers, |(line, background), (y, (out, row))| {
            let (above, below, weight) = self.slow.between(y);
            let tiles = |row: usize| &self.levels[row * self.fast.tiles..(row + 1) * self.fast.tiles];
            for (level, (above, below)) in line.iter_mut().zip(tiles(above).iter().zip(tiles(below))) {
                *level = above + (below - above) * weight;
            }
            let mut first = 0;
            for &Stretch { end, tile, next } in &stretches {
                let (level, difference) = (line[tile], line[next] - line[tile]);
                for (to, weight) in background[first..end].iter_mut().zip(&weights[first..end]) {
                    *to = level + difference * weight;
                }
                first = end;
            }
            job(out, background, row);
        });
        Some(())
    }
}

/// The median, the upper one of an even number; `None` of nothing.
fn median(values: &mut [f32]) -> Option<f32> {
    quantile(values, 2)
}

/// The value that one in `parts` is below.
fn quantile(values: &mut [f32], parts: usize) -> Option<f32> {
    if values.is_empty() {
        return None;
    }
    let at = values.len() / parts;
    Some(*values.select_nth_unstable_by(at, f32::total_cmp).1)
}

/// The levels of all tiles: those without one get the mean of the neighbours that have one, from there
/// outwards.
fn filled_in(mut levels: Vec<Option<f32>>, columns: usize) -> Option<Vec<f32>> {
    let rows = levels.len() / columns;
    for _ in 0..REACH {
        if levels.iter().all(Option::is_some) {
            break;
        }
        let mut next = reserved(levels.len())?;
        for (index, &level) in levels.iter().enumerate() {
            let (row, column) = (index / columns, index % columns);
            let around = (row.saturating_sub(1)..(row + 2).min(rows)).flat_map(|row| {
                let columns_around = column.saturating_sub(1)..(column + 2).min(columns);
                columns_around.map(move |column| row * columns + column)
            });
            next.push(level.or_else(|| mean(around.filter_map(|at| levels[at]))));
        }
        levels = next;
    }
    let mut all = reserved(levels.len())?;
    all.extend(levels.into_iter().map(|level| level.unwrap_or(0.0)));
    Some(all)
}

/// The mean; `None` of nothing.
fn mean(levels: impl Iterator<Item = f32>) -> Option<f32> {
    let (sum, count) = levels.fold((0.0, 0u8), |(sum, count), level| (sum + f64::from(level), count + 1));
    (count > 0).then(|| (sum / f64::from(count)) as f32)
}

/// Lowers levels that are much above the lower quartile.
fn limit(levels: &mut [Option<f32>]) -> Option<()> {
    let mut sorted = reserved(levels.len())?;
    sorted.extend(levels.iter().flatten());
    let most = MOST_QUARTILES * quantile(&mut sorted, 4).unwrap_or(0.0);
    levels.iter_mut().flatten().for_each(|level| *level = level.min(most));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn background(fast: usize, pixels: &[f32]) -> Vec<f32> {
        let mut levels = vec![0.0; pixels.len()];
        let found = Background::new(fast, pixels).unwrap();
        found.for_each_row(pixels, &mut levels, |out, below, _| out.copy_from_slice(below)).unwrap();
        levels
    }

    /// An image of 300 x 200 pixels.
    fn image(value: impl Fn(usize, usize) -> f32) -> Vec<f32> {
        (0..200).flat_map(|y| (0..300).map(move |x| (x, y))).map(|(x, y)| value(x, y)).collect()
    }

    #[test]
    fn a_slope_is_followed_below_spots_and_across_gaps() {
        let slope = |x: usize, y: usize| 400.0 + x as f32 + 0.5 * y as f32;
        let spot = |x: usize, y: usize| x % 20 < 4 && y % 20 < 4;
        let gap = |x: usize| (140..160).contains(&x);
        let pixels = image(|x, y| {
            if gap(x) {
                0.0
            } else if spot(x, y) {
                1e4
            } else {
                slope(x, y)
            }
        });
        let found = background(300, &pixels);
        for (index, level) in found.iter().enumerate() {
            let (x, y) = (index % 300, index / 300);
            // Outside the middles of the outermost tiles and near the gap the slope is lost.
            if (20..280).contains(&x) && (20..180).contains(&y) && !(110..190).contains(&x) {
                assert!((level / slope(x, y) - 1.0).abs() < 0.04, "{x} {y}: {level}");
            }
            assert!((level / slope(x, y) - 1.0).abs() < 0.15, "{x} {y}: {level}");
        }
    }

    #[test]
    fn a_spot_from_close_by_is_not_its_own_background() {
        let pixels = image(|x, y| {
            let r2 = (x as f32 - 150.0).powi(2) + (y as f32 - 100.0).powi(2);
            1e5 * (-r2 / 1500.0).exp() + 0.01
        });
        let found = background(300, &pixels);
        // A thousandth of the spot.
        assert!(found.iter().all(|level| *level <= 100.0), "{:?}", found.iter().copied().fold(0.0, f32::max));
    }

    #[test]
    fn no_pixels_and_no_positive_pixels_have_no_background() {
        assert!(background(0, &[]).is_empty());
        assert_eq!(background(2, &[0.0, f32::NAN, -1.0, f32::INFINITY]), [0.0; 4]);
        assert_eq!(background(1, &[3.0]), [3.0]);
    }
}
