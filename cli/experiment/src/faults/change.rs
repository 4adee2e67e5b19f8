//! By how much one image differs from another, in a few figures.

/// Pixels above this fraction of the brightest one are lit.
pub const LIT: f64 = 1e-6;

/// A lit pixel has changed where it differs by more than this fraction.
pub const CHANGED: f64 = 0.01;

/// The pixel that changes most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Largest {
    /// Its place in the selection.
    pub at: usize,
    /// Its value without the fault, in photons.
    pub without: f64,
    /// Its value with the fault, in photons.
    pub with: f64,
}

/// What changes between an image without a fault and the image with it.
///
/// Lit pixels are those that are brighter, in one of the images, than [`LIT`] of its brightest pixel. Pixels that are
/// not finite in both images are left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// The sum of the image with the fault over that of the image without it; `None` where the latter is dark.
    pub sum_ratio: Option<f64>,
    /// The standard error of that ratio, since the pixels are a sample; 0 where they are all there are.
    ///
    /// **Formula.** sqrt((1 - f) sum (B - r A)^2)/sum A, where A and B are the sums of runs of neighbours without and
    /// with the fault, r is the ratio, and f the share of the pixels that is in the sample.
    pub sum_ratio_error: Option<f64>,
    /// Pearson's correlation of the images; `None` where one of them has no variance.
    pub correlation: Option<f64>,
    /// Root mean square difference of the lit pixels over their mean without the fault; `None` where that is 0.
    pub rms: Option<f64>,
    /// Number of lit pixels.
    pub lit: usize,
    /// Share of the lit pixels that differ by more than [`CHANGED`] of their value without the fault.
    pub changed: f64,
    /// The largest difference over the brightest pixel without the fault; `None` where that is dark.
    pub largest: Option<f64>,
    /// The pixel with the largest difference; `None` where no pixel differs.
    pub largest_at: Option<Largest>,
}

impl Change {
    /// No change at all.
    pub const NONE: Self = Self {
        sum_ratio: Some(1.0),
        sum_ratio_error: Some(0.0),
        correlation: Some(1.0),
        rms: Some(0.0),
        lit: 0,
        changed: 0.0,
        largest: Some(0.0),
        largest_at: None,
    };

    /// The change from the pixels `without` a fault to the pixels `with` it, which are `share` of all pixels and come in runs
    /// of neighbours of the lengths `runs`.
    #[must_use]
    pub fn new(without: &[f64], with: &[f64], share: f64, runs: &[usize]) -> Self {
        let pairs = || without.iter().zip(with).map(|(&a, &b)| [a, b]);
        let finite = || pairs().filter(|pair| pair.iter().all(|value| value.is_finite()));
        let count = finite().count().max(1) as f64;
        let [sum_a, sum_b] = finite().fold([0.0; 2], |[a, b], [x, y]| [a + x, b + y]);
        let [mean_a, mean_b] = [sum_a / count, sum_b / count];
        let [aa, bb, ab] = finite().fold([0.0; 3], |[aa, bb, ab], [x, y]| {
            let (x, y) = (x - mean_a, y - mean_b);
            [aa + x * x, bb + y * y, ab + x * y]
        });
        let [brightest_a, brightest_b] = finite().fold([0.0f64; 2], |[a, b], [x, y]| [a.max(x), b.max(y)]);
        let is_lit = |&[x, y]: &[f64; 2]| x > LIT * brightest_a || y > LIT * brightest_b;
        let lit = || finite().filter(is_lit);
        let lit_pixels = lit().count();
        let lit_count = lit_pixels.max(1) as f64;
        let changed = lit().filter(|[x, y]| (y - x).abs() > CHANGED * x.abs()).count() as f64;
        let lit_sum: f64 = lit().map(|[x, _]| x).sum();
        let squares: f64 = lit().map(|[x, y]| (y - x) * (y - x)).sum();
        let largest_at = pairs().enumerate().fold(None, |largest: Option<Largest>, (at, [x, y])| {
            let difference = (y - x).abs();
            let most = largest.map_or(0.0, |largest| (largest.with - largest.without).abs());
            if difference.is_finite() && difference > most {
                Some(Largest { at, without: x, with: y })
            } else {
                largest
            }
        });
        let over = |x: f64, y: f64| (y > 0.0).then(|| x / y);
        let sum_ratio = over(sum_b, sum_a);
        // Neighbours are of the same spot, so that a run of them counts once.
        let mut in_order = pairs();
        let off = runs.iter().map(|&length| {
            let finite = in_order.by_ref().take(length).filter(|[a, b]| a.is_finite() && b.is_finite());
            finite.map(|[a, b]| b - sum_ratio.unwrap_or(0.0) * a).sum::<f64>()
        });
        let off = (off.map(|off| off * off).sum::<f64>() * (1.0 - share).max(0.0)).sqrt();
        Self {
            sum_ratio,
            sum_ratio_error: over(off, sum_a),
            // The root of aa bb, which may itself be too small for a number.
            correlation: over(ab, aa * (bb / aa).sqrt()).map(|found| found.clamp(-1.0, 1.0)),
            rms: over((squares / lit_count).sqrt(), lit_sum / lit_count),
            lit: lit_pixels,
            changed: changed / lit_count,
            largest: over(largest_at.map_or(0.0, |at| (at.with - at.without).abs()), brightest_a),
            largest_at,
        }
    }

    /// Whether no pixel differs.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.largest_at.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use widebragg::random::Ran1;

    #[test]
    fn figures_of_a_few_pixels() {
        // The third pixel is lit in neither image, the last is no number in one of them.
        let change = Change::new(&[4.0, 1.0, 1e-7, 2.0, 1.0], &[2.0, 1.005, 2e-7, 2.0, f64::NAN], 1.0, &[5]);
        assert_eq!(change.lit, 3);
        assert!((change.changed - 1.0 / 3.0).abs() < 1e-15);
        assert!((change.sum_ratio.unwrap() - 5.005 / 7.0).abs() < 1e-6);
        assert_eq!(change.largest_at, Some(Largest { at: 0, without: 4.0, with: 2.0 }));
        assert_eq!(change.largest, Some(0.5));
        let rms = ((4.0 + 0.005f64.powi(2)) / 3.0).sqrt() / (7.0 / 3.0);
        assert!((change.rms.unwrap() - rms).abs() < 1e-12);
    }

    #[test]
    fn a_factor_leaves_the_correlation() {
        let image = [1.0, 5.0, 2.0];
        let change = Change::new(&image, &image.map(|pixel| 0.5 * pixel), 1.0, &[3]);
        assert_eq!((change.sum_ratio, change.changed), (Some(0.5), 1.0));
        assert!((change.correlation.unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_same_image_and_a_dark_one() {
        let image = [1.0, 5.0, 2.0];
        let same = Change::new(&image, &image, 1.0, &[3]);
        assert!(same.is_none());
        assert_eq!(Change { lit: 0, ..same }, Change::NONE);
        let dark = Change::new(&image, &[0.0; 3], 1.0, &[3]);
        assert_eq!((dark.sum_ratio, dark.correlation, dark.changed), (Some(0.0), None, 1.0));
        let lit = Change::new(&[0.0; 3], &image, 1.0, &[3]);
        assert_eq!((lit.sum_ratio, lit.rms, lit.largest, lit.changed), (None, None, None, 1.0));
    }

    #[test]
    fn runs_have_the_lengths_that_are_given() {
        let (without, with) = ([1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 2.0, 4.0]);
        // The ratio is 1, so that the differences are 1, 0, -1 and 0.
        for (runs, squares) in
            [(&[4][..], 0.0), (&[1, 3], 2.0), (&[3, 1], 0.0), (&[2, 2], 2.0), (&[1, 1, 1, 1], 2.0)]
        {
            let error = Change::new(&without, &with, 0.75, runs).sum_ratio_error.unwrap();
            assert!((error - f64::sqrt(0.25 * squares) / 10.0).abs() < 1e-15, "{runs:?}: {error}");
        }
    }

    /// Samples of an image of spots, as long as runs and one in a hundred, have the errors that they state.
    #[test]
    fn the_error_of_the_ratio_is_that_of_samples() {
        const EVERY: usize = 50;
        const RUN: usize = 16;
        let mut random = Ran1::new(1);
        let mut draw = || f64::from(random.draw());
        let image: Vec<[f64; 2]> = (0..400_000)
            .map(|_| {
                let spot = if draw() < 0.01 { 1.0 + 10.0 * draw() } else { 0.0 };
                [spot, spot * (0.5 + draw())]
            })
            .collect();
        let sum = |which: usize| image.iter().map(|run| run[which]).sum::<f64>();
        let truth = sum(1) / sum(0);
        let off = |first| {
            let [a, b] = [0, 1].map(|which| {
                let runs = image.iter().skip(first).step_by(EVERY);
                runs.flat_map(|run| [run[which]; RUN]).collect::<Vec<f64>>()
            });
            let change = Change::new(&a, &b, 1.0 / EVERY as f64, &vec![RUN; a.len() / RUN]);
            (change.sum_ratio.unwrap() - truth) / change.sum_ratio_error.unwrap()
        };
        let mean_square = (0..EVERY).map(off).map(|off| off * off).sum::<f64>() / EVERY as f64;
        assert!((0.6..1.6).contains(&mean_square), "{mean_square}");
    }
}
