//! Statistics of an image: its stored f32 values, summed in f64.

use widebragg::scene::Scene;

/// The statistics that the reference prints of an image.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Statistics {
    /// Largest pixel, at least 0.
    pub max: f64,
    /// Its first position: fast, slow.
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
    /// The statistics of `pixels`, rendered from `scene`.
    #[must_use]
    pub fn new(scene: &Scene<'_>, pixels: &[f32]) -> Self {
        let mut statistics = Self::default();
        let (mut count, mut squares) = (0u64, 0.0);
        // Pixel by pixel as in the reference, since the order of the sum decides its last digits.
        for row in region(scene, pixels) {
            for (fast, &value) in row.pixels.iter().enumerate().filter(|&(i, _)| row.is_selected(i)) {
                let wide = f64::from(value);
                count += 1;
                statistics.sum += wide;
                squares += f64::from(value * value);
                if wide > statistics.max {
                    statistics.max = wide;
                    statistics.max_at = Some((row.first_fast + fast, row.slow));
                }
            }
        }
        statistics.mean = statistics.sum / count as f64;
        statistics.rms = (squares / (count as f64 - 1.0)).sqrt();
        let (mut all, mut deviations) = (0u64, 0.0);
        for row in region(scene, pixels) {
            all += row.pixels.len() as u64;
            for &value in row.pixels {
                deviations += (f64::from(value) - statistics.mean).powi(2);
            }
        }
        statistics.rmsd = (deviations / (all as f64 - 1.0)).sqrt();
        statistics
    }
}

/// A row of the region of interest.
#[derive(Debug, Clone, Copy)]
pub struct RegionRow<'p> {
    /// Index of the row.
    pub slow: usize,
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

/// The rows of the region of interest of `pixels`, rendered from `scene`.
pub fn region<'p>(scene: &'p Scene<'_>, pixels: &'p [f32]) -> impl Iterator<Item = RegionRow<'p>> {
    let (roi, columns) = (scene.parts().roi, scene.detector().fast_pixels);
    let mask = scene.parts().mask;
    (roi.slow_min..=roi.slow_max).map(move |slow| {
        let span = slow * columns + roi.fast_min..slow * columns + roi.fast_max + 1;
        RegionRow {
            slow,
            first_fast: roi.fast_min,
            pixels: pixels.get(span.clone()).unwrap_or(&[]),
            mask: mask.and_then(|mask| mask.get(span)),
        }
    })
}
