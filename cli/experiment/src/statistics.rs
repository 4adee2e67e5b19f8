//! Statistics of an image: its stored f32 values, summed in f64.

use widebragg::scene::Scene;

use crate::panels::{StackPart, parts};

/// The statistics that the reference prints of an image.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Statistics {
    /// Largest pixel, at least 0.
    pub max: f64,
    /// Its first position: column and row of the stack.
    pub max_at: Option<(usize, usize)>,
    /// Mean of the rendered pixels.
    pub mean: f64,
    /// sqrt(sum of squares/(n - 1)), with the squares rounded to f32.
    pub rms: f64,
    /// Standard deviation over the region of interest; masked pixels count as 0.
    pub rmsd: f64,
    /// Sum of all pixels.
    pub sum: f64,
}

impl Statistics {
    /// The statistics of `pixels`, rendered from `scenes`, one for each panel.
    #[must_use]
    pub fn new(scenes: &[Scene<'_>], pixels: &[f32]) -> Self {
        let mut statistics = Self::default();
        let (mut count, mut squares) = (0u64, 0.0);
        // Pixel by pixel as in the reference, since the order of the sum decides its last digits.
        for row in regions(scenes, pixels) {
            for (fast, &value) in row.pixels.iter().enumerate().filter(|&(i, _)| row.is_selected(i)) {
                let wide = f64::from(value);
                count += 1;
                statistics.sum += wide;
                squares += f64::from(value * value);
                if wide > statistics.max {
                    statistics.max = wide;
                    statistics.max_at = Some((row.first_fast + fast, row.row));
                }
            }
        }
        statistics.mean = statistics.sum / count as f64;
        statistics.rms = (squares / (count as f64 - 1.0)).sqrt();
        let (mut all, mut deviations) = (0u64, 0.0);
        for row in regions(scenes, pixels) {
            all += row.pixels.len() as u64;
            for &value in row.pixels {
                deviations += (f64::from(value) - statistics.mean).powi(2);
            }
        }
        statistics.rmsd = (deviations / (all as f64 - 1.0)).sqrt();
        statistics
    }
}

/// A row of the region of interest of a panel.
#[derive(Debug, Clone, Copy)]
pub struct RegionRow<'p> {
    /// Index of the row in the stack.
    pub row: usize,
    /// Column of the first pixel.
    pub first_fast: usize,
    /// Pixels inside the region.
    pub pixels: &'p [f32],
    /// The mask of these pixels.
    mask: Option<&'p [u16]>,
}

impl RegionRow<'_> {
    /// Whether pixel `i` of the row is not masked.
    #[must_use]
    pub fn is_selected(&self, i: usize) -> bool {
        self.mask.is_none_or(|mask| mask.get(i).is_some_and(|&value| value != 0))
    }
}

/// The rows of the region of interest of a panel.
pub fn region<'p>(part: StackPart<'p, &'p [f32]>) -> impl Iterator<Item = RegionRow<'p>> {
    let StackPart { scene, first_row, pixels } = part;
    let (roi, columns) = (scene.parts().roi, scene.panel().fast_pixels);
    let mask = scene.parts().mask;
    (roi.slow_min..=roi.slow_max).map(move |slow| {
        let span = slow * columns + roi.fast_min..slow * columns + roi.fast_max + 1;
        RegionRow {
            row: first_row + slow,
            first_fast: roi.fast_min,
            pixels: pixels.get(span.clone()).unwrap_or(&[]),
            mask: mask.and_then(|mask| mask.get(span)),
        }
    })
}

/// The rows of the regions of interest of all panels.
fn regions<'p>(scenes: &'p [Scene<'_>], pixels: &'p [f32]) -> impl Iterator<Item = RegionRow<'p>> {
    parts(scenes, pixels).flat_map(region)
}
