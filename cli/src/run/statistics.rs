//! Figures of an image, from its stored f32 values summed in f64.

use widebragg::render::Scene;

/// What the reference prints about an image.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Statistics {
    /// Largest pixel, at least 0.
    pub max: f64,
    /// Where it is first met: fast, slow.
    pub max_at: Option<(usize, usize)>,
    /// Mean of the rendered pixels.
    pub mean: f64,
    /// sqrt(sum of squares/(n - 1)), squares rounded to f32.
    pub rms: f64,
    /// Deviation from the mean over the region of interest, masked pixels counted as 0.
    pub rmsd: f64,
    /// Sum of all pixels.
    pub sum: f64,
}

impl Statistics {
    /// The figures of `pixels`, rendered from `scene`.
    #[must_use]
    pub fn new(scene: &Scene<'_>, pixels: &[f32]) -> Self {
        let roi = scene.parameters().roi;
        let columns = scene.detector().fast_pixels;
        let region = || {
            let rows = pixels.chunks_exact(columns).enumerate().take(roi.slow_max + 1).skip(roi.slow_min);
            rows.flat_map(move |(slow, row)| {
                let row = row.iter().enumerate().take(roi.fast_max + 1).skip(roi.fast_min);
                row.map(move |(fast, &value)| (slow, fast, value))
            })
        };
        let mut statistics = Self::default();
        let (mut count, mut squares) = (0u64, 0.0);
        for (slow, fast, value) in region().filter(|&(slow, fast, _)| scene.is_selected(slow, fast)) {
            let wide = f64::from(value);
            count += 1;
            statistics.sum += wide;
            squares += f64::from(value * value);
            if wide > statistics.max {
                statistics.max = wide;
                statistics.max_at = Some((fast, slow));
            }
        }
        statistics.mean = statistics.sum / count as f64;
        statistics.rms = (squares / (count as f64 - 1.0)).sqrt();
        let (mut all, mut deviations) = (0u64, 0.0);
        for (_, _, value) in region() {
            all += 1;
            deviations += (f64::from(value) - statistics.mean).powi(2);
        }
        statistics.rmsd = (deviations / (all as f64 - 1.0)).sqrt();
        statistics
    }
}
