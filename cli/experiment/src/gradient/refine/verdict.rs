//! Whether a fit can be believed: how its image agrees with the data, and whether its uncertainties hold.
//!
//! **Tests.** I is the fitted pixel, D the data, r the residual, c Pearson's correlation of I and D; sums run over
//! the pixels of the last stage.
//!
//! ```text
//! agreement        c >= LOWEST, and c >= c at the start - FALL          counts may do worse: see below
//! determination    no parameter has a share in an eigenvector of the normal matrix with eigenvalue 0
//! correlation      |N^-1_ij| / sqrt(N^-1_ii N^-1_jj) <= CORRELATED for any two parameters
//! counts           sum (D - I)^2 / sum I <= SCATTER           only for counts; 1 is expected
//! neighbours       a = sum r_i r_j / sum r_i^2 <= ALIKE        over neighbours i, j along fast; 0 is expected
//! ```
//!
//! Counts D = I + e, where e has the variance I, have the mean M of I, and the variance V + M, where V is that of I.
//! Their correlation with I is p = sqrt(V/(V + M)), which is estimated from M and V of the data. It is found as
//! p (1 - (mean e^2 - mean D)/2V) to first order, whose second term has the standard deviation
//! s = sqrt(2 mean I^2 / n)/2V over n pixels. So of counts c >= min(LOWEST, p - SIGNIFICANT p s) is asked for, and c may
//! fall by SIGNIFICANT p s where the loss falls as well. Counts whose p is no more than chance confirm no image: they
//! have to reach LOWEST.
//!
//! The fourth is a reduced chi-square whose terms are weighted by I, so that pixels with next to no photons do
//! not dominate it. Uncertainties assume that pixels scatter independently, as counts do: where neighbours
//! differ from the data in the same sense, the model is wrong, and the uncertainties are too small.
//! Special case: in an image without noise, differences may have any shape. They are not looked at below
//! `NEGLIGIBLE` of the data, nor, for counts, where their squares are below `SMOOTH` of what counts would have.

use core::fmt;

use super::optimiser::Agreement;
use crate::gradient::selection::Selection;

/// Lowest correlation of an image that describes the data.
pub const LOWEST: f64 = 0.9;
/// Largest fall of the correlation during a fit.
pub const FALL: f64 = 1e-3;
/// Largest correlation of two parameters.
const CORRELATED: f64 = 0.9999;
/// Largest ratio of the squared differences of counts to the counts expected.
const SCATTER: f64 = 2.0;
/// The same ratio of data that are smoother than counts, so that uncertainties are upper bounds.
const SMOOTH: f64 = 0.25;
/// Largest autocorrelation of residuals: beyond it, uncertainties are too small by a third or more.
const ALIKE: f64 = 0.25;
/// Number of standard deviations from which a deviation of counts or neighbours is not due to chance.
const SIGNIFICANT: f64 = 5.0;
/// Root mean square of the differences, relative to the data, up to which they are rounding errors.
const NEGLIGIBLE: f64 = 1e-3;

/// A reason not to believe a fit.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Doubt {
    /// The image does not describe the data: its correlation with them, and that of counts with their own image.
    Unlike {
        /// The correlation found.
        found: f64,
        /// The correlation that the photons of the data allow.
        possible: f64,
    },
    /// The image was more like the data at the start: the correlations at the start and at the end.
    Worse([f64; 2]),
    /// The pixels do not determine these parameters.
    Undetermined(Vec<String>),
    /// Two parameters are determined only together: their names and their correlation.
    Correlated([String; 2], f64),
    /// Counts scatter more than counts do: the ratio of the squares.
    Scattered(f64),
    /// Neighbouring pixels differ from the data alike: the autocorrelation of the residuals.
    Alike(f64),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlike { found, possible } => write!(
                f,
                "the image does not describe the data: their correlation is {found:.3}, below {LOWEST} (the photons \
                 of the data allow about {possible:.3})"
            ),
            Self::Worse([start, end]) => {
                write!(
                    f,
                    "the fit made it worse: the correlation with the data fell from {start:.4} to {end:.4}"
                )
            }
            Self::Undetermined(names) => {
                write!(f, "the pixels do not determine {} (singular normal matrix)", names.join(", "))
            }
            Self::Correlated([one, other], correlation) => write!(
                f,
                "{one} and {other} are determined only together (correlation {correlation:.6} of the two)"
            ),
            Self::Scattered(ratio) => write!(
                f,
                "the uncertainties are too small: the data scatter {ratio:.3} times as much as counts (reduced chi-square)"
            ),
            Self::Alike(autocorrelation) => write!(
                f,
                "the uncertainties are too small: neighbouring pixels differ from the data alike (autocorrelation \
                 {autocorrelation:.2} of the residuals)"
            ),
        }
    }
}

/// The fit's pixels at its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome<'o> {
    pub selection: &'o Selection,
    pub pixels: &'o [f64],
    pub data: &'o [f64],
    pub residuals: &'o [f64],
    /// Whether the data are counts, of known variance.
    pub is_of_counts: bool,
    /// Number of parameters.
    pub parameters: usize,
}

/// What speaks against the agreement at the end, beside that at the start, with `data`.
pub(super) fn of_agreement([start, end]: [Agreement; 2], data: &[f64], is_of_counts: bool) -> Vec<Doubt> {
    let possible = Possible::new(data);
    let lowest = if is_of_counts { possible.lowest() } else { LOWEST };
    let by_chance =
        if is_of_counts && end.loss <= start.loss { SIGNIFICANT * possible.deviation } else { 0.0 };
    let mut doubts = Vec::new();
    // A correlation of NaN, of an image without contrast, is low as well.
    if end.correlation.is_nan() || end.correlation < lowest {
        doubts.push(Doubt::Unlike { found: end.correlation, possible: possible.correlation });
    }
    if end.correlation < start.correlation - FALL.max(by_chance) {
        doubts.push(Doubt::Worse([start.correlation, end.correlation]));
    }
    doubts
}

/// The correlation of counts with the image that they are counts of.
#[derive(Debug, Clone, Copy)]
struct Possible {
    correlation: f64,
    /// Standard deviation of the correlation found about that.
    deviation: f64,
}

impl Possible {
    /// That of the counts `data`; 0 where they vary no more than counts of a uniform image.
    fn new(data: &[f64]) -> Self {
        let count = data.len().max(1) as f64;
        let mean = data.iter().sum::<f64>() / count;
        let variance = data.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
        let contrast = variance - mean;
        if contrast.is_nan() || contrast <= 0.0 {
            return Self { correlation: 0.0, deviation: 0.0 };
        }
        let correlation = (contrast / variance).sqrt();
        let square = contrast + mean * mean;
        Self { correlation, deviation: correlation * (2.0 * square / count).sqrt() / (2.0 * contrast) }
    }

    /// The lowest correlation of counts with an image that describes them.
    fn lowest(self) -> f64 {
        let lowest = self.correlation - SIGNIFICANT * self.deviation;
        if lowest > 0.0 { LOWEST.min(lowest) } else { LOWEST }
    }
}

/// What the residuals say against the uncertainties.
pub(super) fn of_residuals(outcome: &Outcome<'_>) -> Vec<Doubt> {
    let Outcome { pixels, data, residuals, is_of_counts, .. } = *outcome;
    let mut doubts = Vec::new();
    if is_of_counts {
        let ratio = scatter(pixels, data) / (1.0 - outcome.parameters as f64 / pixels.len().max(1) as f64);
        if ratio < SMOOTH {
            return doubts;
        }
        if ratio > SCATTER && ratio - 1.0 > SIGNIFICANT * scatter_by_chance(pixels) {
            doubts.push(Doubt::Scattered(ratio));
        }
    } else {
        let square = |values: &[f64]| values.iter().map(|x| x * x).sum::<f64>();
        if square(residuals) <= NEGLIGIBLE * NEGLIGIBLE * square(data) {
            return doubts;
        }
    }
    let (autocorrelation, by_chance) = autocorrelation(outcome.selection, residuals);
    if autocorrelation > ALIKE && autocorrelation > SIGNIFICANT * by_chance {
        doubts.push(Doubt::Alike(autocorrelation));
    }
    doubts
}

/// sum (D - I)^2 / sum I.
fn scatter(pixels: &[f64], data: &[f64]) -> f64 {
    let found: f64 = pixels.iter().zip(data).map(|(i, d)| (d - i) * (d - i)).sum();
    found / pixels.iter().sum::<f64>()
}

/// The standard deviation of [`scatter`] of counts: the variance of (D - I)^2 is I + 2 I^2.
fn scatter_by_chance(pixels: &[f64]) -> f64 {
    let variance: f64 = pixels.iter().map(|mean| mean + 2.0 * mean * mean).sum();
    variance.sqrt() / pixels.iter().sum::<f64>()
}

/// The autocorrelation of residuals that are neighbours along fast, and its standard deviation for independent
/// residuals of any variances.
fn autocorrelation(selection: &Selection, residuals: &[f64]) -> (f64, f64) {
    let (mut products, mut spread, mut squares) = (0.0, 0.0, 0.0);
    for (_, range) in selection.rows() {
        let Some(row) = residuals.get(range.clone()) else { continue };
        squares += row.iter().map(|r| r * r).sum::<f64>();
        let mut next = selection.indices(range);
        next.next();
        for ((pair, at), next) in row.windows(2).zip(selection.indices(range)).zip(next) {
            if let [one, other] = pair
                && at + 1 == next
            {
                products += one * other;
                spread += (one * other) * (one * other);
            }
        }
    }
    let squares = squares.max(f64::MIN_POSITIVE);
    (products / squares, spread.sqrt() / squares)
}

/// The doubts about parameters: `names` in order, which of them are determined, and the correlations of pairs.
pub(super) fn of_parameters(
    names: &[&str],
    is_determined: impl Fn(usize) -> bool,
    correlation: impl Fn(usize, usize) -> f64,
) -> Vec<Doubt> {
    let undetermined: Vec<String> = names
        .iter()
        .enumerate()
        .filter(|(i, _)| !is_determined(*i))
        .map(|(_, name)| (*name).to_owned())
        .collect();
    let mut doubts: Vec<Doubt> =
        (!undetermined.is_empty()).then_some(Doubt::Undetermined(undetermined)).into_iter().collect();
    for (j, other) in names.iter().enumerate() {
        for (i, one) in names.iter().enumerate().take(j) {
            let found = correlation(i, j);
            if is_determined(i) && is_determined(j) && found.abs() > CORRELATED {
                doubts.push(Doubt::Correlated([one, other].map(|name| (*name).to_owned()), found));
            }
        }
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradient::refine::optimiser::correlation;

    /// Uniform deviates in -1..1.
    fn deviates() -> impl FnMut() -> f64 {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        }
    }

    #[test]
    fn agreement() {
        let data = [0.0, 2.0, 0.0, 10.0];
        let of = |start, end| {
            of_agreement([start, end].map(|correlation| Agreement { loss: 1.0, correlation }), &data, false)
        };
        assert_eq!(of(0.5, 0.95), []);
        assert_eq!(of(0.9505, 0.95), []);
        assert_eq!(of(0.994, 0.954), [Doubt::Worse([0.994, 0.954])]);
        // A mean of 3 and a variance of 17.
        assert_eq!(of(0.1, 0.23), [Doubt::Unlike { found: 0.23, possible: (14.0_f64 / 17.0).sqrt() }]);
        assert!(matches!(of(0.5, f64::NAN)[..], [Doubt::Unlike { .. }]));
    }

    /// Counts of weak spots: their correlation with the image that they are counts of is believed, however few they
    /// are, and that with an image that describes them less well is not.
    #[test]
    fn agreement_of_weak_counts() {
        let mut random = deviates();
        let count = 40_000;
        let image: Vec<f64> = (0..count).map(|i| if i % 20 == 0 { 2.0 } else { 0.02 }).collect();
        let mut counts_of = |mean: f64| {
            let (mut left, mut counts) = ((-mean).exp(), 0.0);
            let mut below = 0.5 * (random() + 1.0) - left;
            while below > 0.0 {
                counts += 1.0;
                left *= mean / counts;
                below -= left;
            }
            counts
        };
        for (factor, expected) in [(1.0, 0.78), (0.1, 0.37)] {
            let data: Vec<f64> = image.iter().map(|&mean| counts_of(factor * mean)).collect();
            let of = |start: [f64; 2], end: [f64; 2], is_of_counts: bool| {
                let agreement = [start, end].map(|[loss, correlation]| Agreement { loss, correlation });
                of_agreement(agreement, &data, is_of_counts)
            };
            let found = correlation(&image, &data);
            assert!((found - expected).abs() < 0.02, "{found}");
            assert_eq!(of([2.0, found + 0.003], [1.0, found], true), []);
            assert!(matches!(of([1.0, found + 0.003], [2.0, found], true)[..], [Doubt::Worse(_)]));
            assert!(matches!(of([2.0, 0.0], [1.0, found], false)[..], [Doubt::Unlike { .. }]));
            assert!(matches!(of([2.0, 0.0], [1.0, 0.5 * found], true)[..], [Doubt::Unlike { .. }]));
        }
        // Counts without spots confirm no image.
        let flat: Vec<f64> = (0..count).map(|_| counts_of(0.05)).collect();
        let agreement = [0.0, 0.02].map(|correlation| Agreement { loss: 1.0, correlation });
        assert!(matches!(of_agreement(agreement, &flat, true)[..], [Doubt::Unlike { .. }]));
    }

    /// Independent residuals of any variance raise no doubt; residuals that neighbours share do.
    #[test]
    fn residuals_of_neighbours() {
        let mut random = deviates();
        let selection = Selection::new(4000, 100, |i| i % 100 % 10 != 3).unwrap();
        let count = selection.len();
        let data = vec![10.0; count];
        let of = |residuals: &[f64]| {
            of_residuals(&Outcome {
                selection: &selection,
                pixels: &data,
                data: &data,
                residuals,
                is_of_counts: false,
                parameters: 3,
            })
        };
        let independent: Vec<f64> = (0..count).map(|i| random() * (1 + i % 7 * 3) as f64).collect();
        assert_eq!(of(&independent), []);
        let shared: Vec<f64> = (0..count).map(|i| independent[i] + independent[i / 4]).collect();
        assert!(matches!(of(&shared)[..], [Doubt::Alike(a)] if a > 0.25 && a < 0.9), "{:?}", of(&shared));
        // The same shape, but no larger than rounding errors.
        assert_eq!(of(&shared.iter().map(|r| r * 1e-4).collect::<Vec<_>>()), []);
    }

    #[test]
    fn scatter_of_counts() {
        let mut random = deviates();
        let selection = Selection::new(4000, 100, |_| true).unwrap();
        let pixels: Vec<f64> = (0..4000).map(|i| 4.0 + f64::from(i % 50)).collect();
        let of = |factor: f64, random: &mut dyn FnMut() -> f64| {
            let off: Vec<f64> = pixels.iter().map(|i| factor * random() * (3.0 * i).sqrt()).collect();
            let data: Vec<f64> = pixels.iter().zip(&off).map(|(i, off)| i - off).collect();
            of_residuals(&Outcome {
                selection: &selection,
                pixels: &pixels,
                data: &data,
                residuals: &off,
                is_of_counts: true,
                parameters: 3,
            })
        };
        assert_eq!(of(1.0, &mut random), []);
        assert_eq!(of(0.1, &mut random), []);
        assert!(matches!(of(2.0, &mut random)[..], [Doubt::Scattered(ratio)] if (ratio - 4.0).abs() < 0.4));
    }

    #[test]
    fn parameters_that_are_not_determined_or_only_together() {
        let names = ["a", "b", "c"];
        assert_eq!(of_parameters(&names, |_| true, |i, j| (i + j) as f64 / 4.0), []);
        assert_eq!(
            of_parameters(&names, |i| i != 1, |_, _| -0.999_99),
            [
                Doubt::Undetermined(vec!["b".to_owned()]),
                Doubt::Correlated(["a", "c"].map(str::to_owned), -0.999_99)
            ]
        );
    }
}
