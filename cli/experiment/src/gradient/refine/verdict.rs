//! Whether a fit can be believed: how its image agrees with the data, and whether its uncertainties hold.
//!
//! **Tests.** I is the fitted pixel, D the data, r the residual, c Pearson's correlation of I and D; sums run over
//! the pixels of the last stage.
//!
//! ```text
//! agreement        c >= LOWEST, and c >= c at the start - FALL
//! determination    no parameter has a share in an eigenvector of the normal matrix with eigenvalue 0
//! correlation      |N^-1_ij| / sqrt(N^-1_ii N^-1_jj) <= CORRELATED for any two parameters
//! counts           sum (D - I)^2 / sum I <= SCATTER           only for counts; 1 is expected
//! neighbours       a = sum r_i r_j / sum r_i^2 <= ALIKE        over neighbours i, j along fast; 0 is expected
//! ```
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
/// Number of standard deviations from which a deviation of the last two tests is not due to chance.
const SIGNIFICANT: f64 = 5.0;
/// Root mean square of the differences, relative to the data, up to which they are rounding errors.
const NEGLIGIBLE: f64 = 1e-3;

/// A reason not to believe a fit.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Doubt {
    /// The image does not describe the data: its correlation with them, and that of the image with counts of it.
    Unlike {
        /// The correlation found.
        found: f64,
        /// The correlation that the photons of the image allow.
        possible: f64,
    },
    /// The image was more like the data at the start: the correlations at the start and at the end.
    Worse([f64; 2]),
    /// The pixels do not determine these parameters.
    Undetermined(Vec<&'static str>),
    /// Two parameters are determined only together: their names and their correlation.
    Correlated([&'static str; 2], f64),
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
                "the image does not describe the data: their correlation is {found:.3}, below {LOWEST} (with so few \
                 photons, at most {possible:.3} is possible)"
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

/// What speaks against the agreement at the end, beside that at the start; `pixels` are those of the image at the end.
pub(super) fn of_agreement([start, end]: [Agreement; 2], pixels: &[f64]) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    // A correlation of NaN, of an image without contrast, is low as well.
    if end.correlation.is_nan() || end.correlation < LOWEST {
        doubts.push(Doubt::Unlike { found: end.correlation, possible: possible_correlation(pixels) });
    }
    if end.correlation < start.correlation - FALL {
        doubts.push(Doubt::Worse([start.correlation, end.correlation]));
    }
    doubts
}

/// The correlation of an image with counts of it: with the variance V of the pixels and their mean M, which is the
/// mean variance of the counts, sqrt(V / (V + M)).
fn possible_correlation(pixels: &[f64]) -> f64 {
    let count = pixels.len().max(1) as f64;
    let mean = pixels.iter().sum::<f64>() / count;
    let variance = pixels.iter().map(|pixel| (pixel - mean) * (pixel - mean)).sum::<f64>() / count;
    (variance / (variance + mean).max(f64::MIN_POSITIVE)).sqrt()
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
    names: &[&'static str],
    is_determined: impl Fn(usize) -> bool,
    correlation: impl Fn(usize, usize) -> f64,
) -> Vec<Doubt> {
    let undetermined: Vec<_> =
        names.iter().enumerate().filter(|(i, _)| !is_determined(*i)).map(|(_, name)| *name).collect();
    let mut doubts: Vec<Doubt> =
        (!undetermined.is_empty()).then_some(Doubt::Undetermined(undetermined)).into_iter().collect();
    for (j, other) in names.iter().enumerate() {
        for (i, one) in names.iter().enumerate().take(j) {
            let found = correlation(i, j);
            if is_determined(i) && is_determined(j) && found.abs() > CORRELATED {
                doubts.push(Doubt::Correlated([one, other], found));
            }
        }
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let of = |start, end| {
            of_agreement([start, end].map(|correlation| Agreement { loss: 1.0, correlation }), &[0.0, 2.0])
        };
        assert_eq!(of(0.5, 0.95), []);
        assert_eq!(of(0.9505, 0.95), []);
        assert_eq!(of(0.994, 0.954), [Doubt::Worse([0.994, 0.954])]);
        assert_eq!(of(0.1, 0.23), [Doubt::Unlike { found: 0.23, possible: 0.5f64.sqrt() }]);
        assert!(matches!(of(0.5, f64::NAN)[..], [Doubt::Unlike { .. }]));
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
            [Doubt::Undetermined(vec!["b"]), Doubt::Correlated(["a", "c"], -0.999_99)]
        );
    }
}
