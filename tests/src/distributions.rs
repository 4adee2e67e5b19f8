//! Histograms of deviates, and how probable they are.

/// ln n! for large n, and exactly summed for small ones.
fn ln_factorial(n: u64) -> f64 {
    if n < 1000 {
        return (2..=n).map(|n| (n as f64).ln()).sum();
    }
    let x = n as f64;
    (x + 0.5) * x.ln() - x + 0.5 * core::f64::consts::TAU.ln() + 1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3))
}

/// The probabilities of counts, from the first that is expected at least once in 1e12 draws.
#[derive(Debug, Clone)]
pub struct Probabilities {
    first: u64,
    of_counts: Vec<f64>,
}

/// The probabilities of a Poisson distribution.
#[must_use]
pub fn poisson_probabilities(mean: f64) -> Probabilities {
    let reach = (8.0 * mean.sqrt() + 30.0) as u64;
    let first = (mean as u64).saturating_sub(reach);
    let of = |n: u64| (n as f64 * mean.ln() - mean - ln_factorial(n)).exp();
    Probabilities { first, of_counts: (first..mean as u64 + reach).map(of).collect() }
}

/// How often each count occurred. Counts beyond those with probabilities are in the last bin.
#[derive(Debug, Clone)]
pub struct Histogram {
    first: u64,
    occurrences: Vec<u64>,
}

/// An empty histogram of the counts that have `probabilities`.
#[must_use]
pub fn poisson_histogram(probabilities: &Probabilities) -> Histogram {
    Histogram { first: probabilities.first, occurrences: vec![0; probabilities.of_counts.len() + 1] }
}

impl Histogram {
    /// Adds a count.
    pub fn add(&mut self, count: u64) {
        let last = self.occurrences.len() - 1;
        let bin = count.checked_sub(self.first).map_or(last, |bin| (bin as usize).min(last));
        self.occurrences[bin] += 1;
    }
}

/// The probability of a chi squared at least as large as that of a histogram. Neighbouring counts are joined until
/// each bin expects at least 20 occurrences.
#[must_use]
pub fn chi_squared_p(histogram: &Histogram, probabilities: &Probabilities) -> f64 {
    let draws: u64 = histogram.occurrences.iter().sum();
    let beyond = (1.0 - probabilities.of_counts.iter().sum::<f64>()).max(0.0);
    let expected = probabilities.of_counts.iter().chain([&beyond]).map(|p| p * draws as f64);
    let mut bins: Vec<(f64, f64)> = Vec::new();
    let mut open = (0.0, 0.0);
    for (expected, &observed) in expected.zip(&histogram.occurrences) {
        open = (open.0 + expected, open.1 + observed as f64);
        if open.0 >= 20.0 {
            bins.push(open);
            open = (0.0, 0.0);
        }
    }
    if let Some(last) = bins.last_mut() {
        *last = (last.0 + open.0, last.1 + open.1);
    }
    let chi_squared: f64 =
        bins.iter().map(|(expected, observed)| (observed - expected).powi(2) / expected).sum();
    upper_gamma(0.5 * (bins.len() as f64 - 1.0), 0.5 * chi_squared)
}

/// The regularised upper incomplete gamma function Q(a, x), by its series or its continued fraction.
fn upper_gamma(a: f64, x: f64) -> f64 {
    // ln gamma(a) from Stirling's series at a + 20.
    let b = a + 20.0;
    let stirling = (b - 0.5) * b.ln() - b + 0.5 * core::f64::consts::TAU.ln() + 1.0 / (12.0 * b)
        - 1.0 / (360.0 * b.powi(3))
        + 1.0 / (1260.0 * b.powi(5));
    let ln_gamma = stirling - (0..20).map(|i| (a + f64::from(i)).ln()).sum::<f64>();
    let front = (a * x.ln() - x - ln_gamma).exp();
    if x < a + 1.0 {
        let (mut sum, mut term, mut n) = (1.0 / a, 1.0 / a, a);
        while term > sum * 1e-15 {
            n += 1.0;
            term *= x / n;
            sum += term;
        }
        return 1.0 - front * sum;
    }
    // Lentz's algorithm.
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (1e300, 1.0 / b);
    let mut h = d;
    for i in 1..10_000 {
        let i = f64::from(i);
        let numerator = -i * (i - a);
        b += 2.0;
        d = 1.0 / (numerator * d + b);
        c = b + numerator / c;
        h *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    front * h
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_probabilities() {
        // Q(1, x) = e^-x; Q(1/2, x) = erfc(sqrt x).
        for x in [0.1, 1.0, 3.0, 20.0] {
            assert!((upper_gamma(1.0, x) - f64::exp(-x)).abs() < 1e-11);
        }
        assert!((upper_gamma(0.5, 1.0) - 0.157_299_207_050_285_1).abs() < 1e-11);
        assert!((poisson_probabilities(5.0).of_counts.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((poisson_probabilities(30_000.0).of_counts.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_wrong_mean_is_improbable() {
        let probabilities = poisson_probabilities(5.0);
        let mut histogram = poisson_histogram(&probabilities);
        for (count, p) in poisson_probabilities(5.05).of_counts.iter().enumerate() {
            (0..(p * 1e6) as u64).for_each(|_| histogram.add(count as u64));
        }
        assert!(chi_squared_p(&histogram, &probabilities) < 1e-10);
    }
}
