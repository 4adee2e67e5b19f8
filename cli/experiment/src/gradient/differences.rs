//! Central differences with decreasing steps, extrapolated to a step of zero (Richardson), of which the
//! estimate with the smallest error is kept (Ridders).

/// A derivative estimated by finite differences, and its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The derivative.
    pub value: f64,
    /// Its uncertainty: from the change between estimates, and from rounding.
    pub error: f64,
}

impl Difference {
    fn replace_if_better(&mut self, value: f64, error: f64) {
        if error < self.error {
            *self = Self { value, error };
        }
    }
}

/// Number of steps, each half the one before.
const ROUNDS: usize = 7;

/// The derivatives of the values that `evaluate` returns by its argument, at 0. The first evaluations are at
/// `first_step` on either side of 0.
///
/// # Errors
/// Those of `evaluate`.
pub fn differences<E>(
    first_step: f64,
    mut evaluate: impl FnMut(f64) -> Result<Vec<f64>, E>,
) -> Result<Vec<Difference>, E> {
    let mut step = first_step;
    let mut coarser: Vec<Vec<f64>> = Vec::new();
    let mut best: Vec<Difference> = Vec::new();
    for round in 0..ROUNDS {
        let (above, below) = (evaluate(step)?, evaluate(-step)?);
        let plain: Vec<f64> = above.iter().zip(&below).map(|(x, y)| (x - y) / (2.0 * step)).collect();
        if round == 0 {
            best = plain.iter().map(|&value| Difference { value, error: f64::INFINITY }).collect();
        }
        let mut finer = vec![plain];
        let mut factor = 1.0;
        for before in &coarser {
            factor *= 4.0;
            let Some(last) = finer.last() else { break };
            let next: Vec<f64> =
                last.iter().zip(before).map(|(f, c)| (factor * f - c) / (factor - 1.0)).collect();
            for (i, best) in best.iter_mut().enumerate() {
                // Where all estimates agree, they do not show the rounding of the values themselves.
                let rounding = 4.0 * f64::EPSILON * above[i].abs() / step;
                let error = (next[i] - last[i]).abs().max((next[i] - before[i]).abs()) + rounding;
                best.replace_if_better(next[i], error);
            }
            finer.push(next);
        }
        coarser = finer;
        step /= 2.0;
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smooth_functions_are_differentiated_to_many_digits() {
        let evaluate = |x: f64| Ok::<_, ()>(vec![(1.0 + x).sin(), (1.0 + x).powi(5), 3.0]);
        let found = differences(0.1, evaluate).unwrap();
        for (difference, expected) in found.iter().zip([1f64.cos(), 5.0, 0.0]) {
            assert!((difference.value - expected).abs() <= difference.error + 1e-13, "{difference:?}");
            assert!(difference.error < 1e-10, "{difference:?}");
        }
    }

    #[test]
    fn a_kink_nearby_is_found_around_and_one_here_is_not_trusted() {
        let at = |kink: f64| differences(0.1, |x: f64| Ok::<_, ()>(vec![(x - kink).abs() * 1e3])).unwrap()[0];
        assert!((at(0.01).value + 1e3).abs() < 1e-6, "{:?}", at(0.01));
        assert!(at(0.001).error > 1.0, "{:?}", at(0.001));
    }
}
