//! Nonlinear least squares: Levenberg-Marquardt steps in a trust region, with derivatives from the caller.
//!
//! **Formulas.** With residuals r(x), J = dr/dx and the decomposition J = U S V^T, a step p solves
//!
//! ```text
//! minimise |J p - r| where |p| <= radius
//! p = V (S^2 + lambda)^-1 S U^T r          x' = x - p
//! ```
//!
//! lambda is 0 if that p is at most a tenth longer than the radius. Otherwise Newton's method finds the
//! lambda whose step has the length of the radius, to a tenth of it. The trust region then depends on the
//! relative reduction of |r|^2 and on the one that the linear model predicts:
//!
//! ```text
//! a = 1 - |r(x')|^2 / |r(x)|^2
//! e = (|J p|^2 + 2 lambda |p|^2) / |r(x)|^2
//! accept the step             if a >= e / 10000
//! divide radius by 2 to 10    if a <= e / 4
//! else make radius 2 |p|      if a >= 3/4 e or lambda = 0
//! ```
//!
//! **Scale.** The trust region is a sphere: the caller scales the variables so that their steps are
//! comparable.
//!
//! **Stopping rules.** After each trial step, in this order:
//!
//! 1. all residuals are 0;
//! 2. |a| and e are at most the tolerance of the reduction, and a <= 2 e;
//! 3. the radius is at most the tolerance of the step times |x|;
//! 4. the trial steps are used up;
//! 5. rule 2 or 3 holds with the machine epsilon as tolerance.
//!
//! Before the first trial step from a point: the cosine of the angle between r and each column of J is at
//! most the machine epsilon, so the gradient is 0 within rounding.
//!
//! **Sources.** More, The Levenberg-Marquardt algorithm: implementation and theory, Lecture Notes in
//! Mathematics 630, 105 (1978); MINPACK's `lmder` and `lmpar` with `mode = 2` and `diag = 1`, whose constants
//! these are. Unlike there, the step is computed from singular values, not from a QR decomposition with
//! pivoting, and singular values below the largest one times n times the machine epsilon are taken as 0, so
//! that variables do not move in directions that change no residual.
//!
//! **Cost.** One QR decomposition for each Jacobian, some 50 n^3 operations for its singular values, and
//! n^2 operations for each trial step.

use core::ops::ControlFlow;

use super::linear::{Columns, Svd, dot, norm, triangle};

/// Relative tolerance of the length of a step that the radius limits.
const RADIUS_WITHIN: f64 = 0.1;
/// Most Newton steps for one lambda.
const MOST_NEWTON_STEPS: usize = 10;
/// Ratio of actual to expected reduction from which a step is accepted.
const ACCEPTED: f64 = 1e-4;
/// Ratios up to which the radius shrinks, and from which it grows.
const POOR: f64 = 0.25;
const GOOD: f64 = 0.75;
/// Ratio of the residuals' norms after and before a step from which the radius shrinks as far as it may.
const FAR_WORSE: f64 = 10.0;

/// Residuals as a function of variables.
pub trait LeastSquares {
    /// Reason to end the minimisation instead of returning a Jacobian.
    type Stop;

    /// Moves to the variables `x`.
    fn set(&mut self, x: &[f64]);

    /// The residuals at the variables last set. A step to residuals that are not finite is rejected.
    fn residuals(&self) -> Vec<f64>;

    /// The Jacobian at the variables last set, in column-major order: the derivatives with respect to one
    /// variable are adjacent.
    ///
    /// # Errors
    /// A reason to end the minimisation.
    fn jacobian(&mut self) -> Result<Vec<f64>, Self::Stop>;
}

/// Tolerances and limits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Tolerance of the relative reduction of |r|^2.
    pub reduction: f64,
    /// Tolerance of the radius, relative to |x|.
    pub step: f64,
    /// First radius, relative to |x|.
    pub first_radius: f64,
    /// Most trial steps.
    pub trials: usize,
}

/// Why a minimisation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Rule 1: all residuals are 0.
    ResidualsZero,
    /// The gradient is 0 within rounding.
    GradientZero,
    /// Rule 2: the reduction is within its tolerance.
    Reduction,
    /// Rule 3: the radius is within its tolerance.
    Step,
    /// Rule 5: the reduction or the radius is within rounding.
    Rounding,
    /// Rule 4: the trial steps are used up.
    Trials,
    /// This quantity is not finite.
    NotFinite(&'static str),
}

/// The linear model of the residuals at a point.
struct Model {
    singular: Vec<f64>,
    right: Columns,
    /// U^T r.
    projected: Vec<f64>,
    /// Norms of the columns of J.
    norms: Vec<f64>,
}

impl Model {
    fn new(jacobian: &[f64], residuals: &[f64]) -> Self {
        let columns = jacobian.chunks(residuals.len().max(1)).chain([residuals]);
        let mut columns = triangle(&columns.collect::<Vec<_>>());
        let residuals = columns.pop().unwrap_or_default();
        let norms = columns.iter().map(|column| norm(column)).collect();
        let Svd { mut singular, scaled_left, right } = Svd::new(columns);
        let none =
            singular.iter().fold(0.0, |max, &s| f64::max(max, s)) * f64::EPSILON * singular.len() as f64;
        for s in singular.iter_mut().filter(|s| **s <= none) {
            *s = 0.0;
        }
        let along = |(&s, left): (&f64, &Vec<f64>)| if s > 0.0 { dot(left, &residuals) / s } else { 0.0 };
        let projected = singular.iter().zip(&scaled_left).map(along).collect();
        Self { singular, right, projected, norms }
    }

    fn is_finite(&self) -> bool {
        let numbers = self.singular.iter().chain(&self.projected).chain(&self.norms);
        numbers.chain(self.right.iter().flatten()).all(|x| x.is_finite())
    }

    /// The gradient V^T J^T r = S U^T r along the right singular vectors.
    fn gradient(&self) -> impl Iterator<Item = f64> {
        self.singular.iter().zip(&self.projected).map(|(s, along)| s * along)
    }

    /// The vector with the components `along` the right singular vectors.
    fn combined(&self, along: impl Iterator<Item = f64>) -> Vec<f64> {
        let mut sum = vec![0.0; self.right.len()];
        for (right, along) in self.right.iter().zip(along) {
            sum.iter_mut().zip(right).for_each(|(sum, right)| *sum += along * right);
        }
        sum
    }

    /// Largest cosine of the angles between the residuals and the columns of J.
    fn largest_cosine(&self, residuals_norm: f64) -> f64 {
        let gradient = self.combined(self.gradient());
        let nonzero = gradient.iter().zip(&self.norms).filter(|(_, norm)| **norm > 0.0);
        nonzero.map(|(slope, norm)| slope.abs() / norm / residuals_norm).fold(0.0, f64::max)
    }

    /// The step for `lambda`, along the right singular vectors.
    fn step(&self, lambda: f64) -> Vec<f64> {
        let part = |(&s, &along): (&f64, &f64)| if s > 0.0 { s * along / (s * s + lambda) } else { 0.0 };
        self.singular.iter().zip(&self.projected).map(part).collect()
    }

    /// Newton's correction of `lambda` towards a step of length `radius`; `step` is the one for `lambda`.
    fn correction(&self, lambda: f64, step: &[f64], radius: f64) -> f64 {
        let moving = step.iter().zip(&self.singular).filter(|(_, s)| **s > 0.0);
        let slope: f64 = moving.map(|(p, s)| p * p / (s * s + lambda)).sum();
        let length = norm(step);
        (length - radius) / radius * length * length / slope
    }

    /// lambda and the step within `radius`, along the right singular vectors; `start` is the previous lambda.
    fn step_within(&self, radius: f64, start: f64) -> (f64, Vec<f64>) {
        let newton = self.step(0.0);
        let newton_norm = norm(&newton);
        if newton_norm - radius <= RADIUS_WITHIN * radius {
            return (0.0, newton);
        }
        let has_full_rank = self.singular.iter().all(|&s| s > 0.0);
        let mut least = if has_full_rank { self.correction(0.0, &newton, radius) } else { 0.0 };
        let gradient_norm = norm(&self.gradient().collect::<Vec<_>>());
        let mut most = gradient_norm / radius;
        if most == 0.0 {
            most = f64::MIN_POSITIVE / radius.min(RADIUS_WITHIN);
        }
        let mut lambda = start.max(least).min(most);
        if lambda == 0.0 {
            lambda = gradient_norm / newton_norm;
        }
        let mut excess = newton_norm - radius;
        let mut found = (0.0, newton);
        for _ in 0..MOST_NEWTON_STEPS {
            if lambda == 0.0 {
                lambda = f64::MIN_POSITIVE.max(0.001 * most);
            }
            found = (lambda, self.step(lambda));
            let excess_before = excess;
            excess = norm(&found.1) - radius;
            let is_short = least == 0.0 && excess <= excess_before && excess_before < 0.0;
            if excess.abs() <= RADIUS_WITHIN * radius || is_short {
                break;
            }
            if excess > 0.0 {
                least = least.max(lambda);
            } else {
                most = most.min(lambda);
            }
            lambda = least.max(lambda + self.correction(lambda, &found.1, radius));
        }
        found
    }
}

/// State of a minimisation.
struct State<'s> {
    settings: &'s Settings,
    x: Vec<f64>,
    residuals_norm: f64,
    radius: f64,
    lambda: f64,
    trials: usize,
}

impl State<'_> {
    /// Tries a step; returns the residuals if the step is accepted.
    fn step<P: LeastSquares>(
        &mut self,
        problem: &mut P,
        model: &Model,
    ) -> ControlFlow<Ending, Option<Vec<f64>>> {
        let (lambda, step) = model.step_within(self.radius, self.lambda);
        self.lambda = lambda;
        let length = norm(&step);
        let changes: Vec<f64> = step.iter().zip(&model.singular).map(|(p, s)| p * s).collect();
        let linear = (norm(&changes) / self.residuals_norm).powi(2);
        let damped = (lambda.sqrt() * length / self.residuals_norm).powi(2);
        if !(length + linear + damped).is_finite() {
            return ControlFlow::Break(Ending::NotFinite("step"));
        }
        if self.trials == 0 {
            self.radius = self.radius.min(length);
        }
        self.trials += 1;
        let x: Vec<f64> = self.x.iter().zip(model.combined(step.into_iter())).map(|(x, p)| x - p).collect();
        problem.set(&x);
        let residuals = problem.residuals();
        let new_norm = norm(&residuals);
        let is_comparable = new_norm < FAR_WORSE * self.residuals_norm;
        let reduction = Reduction {
            actual: if is_comparable { 1.0 - (new_norm / self.residuals_norm).powi(2) } else { -1.0 },
            expected: linear + 2.0 * damped,
        };
        self.adapt(&reduction, is_comparable, -(linear + damped), length);
        let is_accepted = reduction.ratio() >= ACCEPTED;
        if is_accepted {
            self.x = x;
            self.residuals_norm = new_norm;
        }
        match self.ending(&reduction) {
            None => ControlFlow::Continue(is_accepted.then_some(residuals)),
            Some(ending) => {
                if !is_accepted {
                    problem.set(&self.x);
                }
                ControlFlow::Break(ending)
            }
        }
    }

    /// Adapts radius and lambda to a step of `length`; `slope` is half the derivative of |r|^2 along it,
    /// relative to |r|^2.
    fn adapt(&mut self, reduction: &Reduction, is_comparable: bool, slope: f64, length: f64) {
        if reduction.ratio() <= POOR {
            // The minimum of the parabola with this slope through |r|^2 before and after the step.
            let parabola =
                if reduction.actual < 0.0 { 0.5 * slope / (slope + 0.5 * reduction.actual) } else { 0.5 };
            let factor = if is_comparable { parabola.max(0.1) } else { 0.1 };
            self.radius = factor * self.radius.min(10.0 * length);
            self.lambda /= factor;
        } else if self.lambda == 0.0 || reduction.ratio() >= GOOD {
            self.radius = 2.0 * length;
            self.lambda *= 0.5;
        }
    }

    fn ending(&self, reduction: &Reduction) -> Option<Ending> {
        let x_norm = norm(&self.x);
        match () {
            () if !x_norm.is_finite() => Some(Ending::NotFinite("variables")),
            () if self.residuals_norm <= f64::MIN_POSITIVE => Some(Ending::ResidualsZero),
            () if reduction.is_within(self.settings.reduction) => Some(Ending::Reduction),
            () if self.radius <= self.settings.step * x_norm => Some(Ending::Step),
            () if self.trials >= self.settings.trials => Some(Ending::Trials),
            () if reduction.is_within(f64::EPSILON) || self.radius <= f64::EPSILON * x_norm => {
                Some(Ending::Rounding)
            }
            () => None,
        }
    }
}

/// Relative reduction of |r|^2 by a step.
struct Reduction {
    actual: f64,
    expected: f64,
}

impl Reduction {
    fn ratio(&self) -> f64 {
        if self.expected == 0.0 { 0.0 } else { self.actual / self.expected }
    }

    fn is_within(&self, tolerance: f64) -> bool {
        self.actual.abs() <= tolerance && self.expected <= tolerance && self.ratio() <= 2.0
    }
}

/// Minimises |r|^2 of `problem` from `start`; the variables last set are those of the minimum.
///
/// # Errors
/// The error of [`LeastSquares::jacobian`].
pub fn minimise<P: LeastSquares>(
    problem: &mut P,
    start: &[f64],
    settings: &Settings,
) -> Result<Ending, P::Stop> {
    problem.set(start);
    let mut residuals = problem.residuals();
    let x_norm = norm(start);
    let radius = settings.first_radius * if x_norm > 0.0 { x_norm } else { 1.0 };
    let residuals_norm = norm(&residuals);
    let mut state = State { settings, x: start.to_vec(), residuals_norm, radius, lambda: 0.0, trials: 0 };
    if !residuals_norm.is_finite() {
        return Ok(Ending::NotFinite("residual"));
    }
    if residuals_norm <= f64::MIN_POSITIVE {
        return Ok(Ending::ResidualsZero);
    }
    loop {
        let model = Model::new(&problem.jacobian()?, &residuals);
        if !model.is_finite() {
            return Ok(Ending::NotFinite("derivative"));
        }
        if model.largest_cosine(state.residuals_norm) <= f64::EPSILON {
            return Ok(Ending::GradientZero);
        }
        residuals = loop {
            match state.step(problem, &model) {
                ControlFlow::Break(ending) => return Ok(ending),
                ControlFlow::Continue(Some(accepted)) => break accepted,
                ControlFlow::Continue(None) => {}
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A problem in closed form.
    struct Known<'k> {
        x: Vec<f64>,
        residuals: &'k dyn Fn(&[f64]) -> Vec<f64>,
        /// In row-major order.
        jacobian: &'k dyn Fn(&[f64]) -> Vec<f64>,
        jacobians: usize,
    }

    impl LeastSquares for Known<'_> {
        type Stop = &'static str;

        fn set(&mut self, x: &[f64]) {
            self.x = x.to_vec();
        }

        fn residuals(&self) -> Vec<f64> {
            (self.residuals)(&self.x)
        }

        fn jacobian(&mut self) -> Result<Vec<f64>, Self::Stop> {
            self.jacobians += 1;
            if self.jacobians > 500 {
                return Err("too many steps");
            }
            let rows = (self.jacobian)(&self.x);
            let columns = self.x.len();
            Ok((0..columns).flat_map(|j| rows.iter().skip(j).step_by(columns).copied()).collect())
        }
    }

    const SETTINGS: Settings = Settings { reduction: 1e-14, step: 1e-14, first_radius: 100.0, trials: 1000 };

    /// The minimum, the norm of its residuals, and the ending.
    fn solved(
        start: &[f64],
        settings: &Settings,
        residuals: &dyn Fn(&[f64]) -> Vec<f64>,
        jacobian: &dyn Fn(&[f64]) -> Vec<f64>,
    ) -> (Vec<f64>, f64, Ending) {
        let mut problem = Known { x: Vec::new(), residuals, jacobian, jacobians: 0 };
        let ending = minimise(&mut problem, start, settings).unwrap();
        let residuals = norm(&problem.residuals());
        (problem.x, residuals, ending)
    }

    #[track_caller]
    fn assert_close(found: &[f64], expected: &[f64], within: f64) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() <= within, "{found} is not {expected}");
        }
    }

    #[test]
    fn rosenbrock() {
        let residuals = |x: &[f64]| vec![10.0 * (x[1] - x[0] * x[0]), 1.0 - x[0]];
        let jacobian = |x: &[f64]| vec![-20.0 * x[0], 10.0, -1.0, 0.0];
        for scale in [1.0, 10.0, 100.0] {
            let (x, norm, _) = solved(&[-1.2 * scale, scale], &SETTINGS, &residuals, &jacobian);
            assert_close(&x, &[1.0, 1.0], 1e-12);
            assert!(norm < 1e-12, "{norm}");
        }
    }

    #[test]
    fn powell_s_singular_function() {
        let (five, ten) = (5f64.sqrt(), 10f64.sqrt());
        let residuals = |x: &[f64]| {
            let (bc, ad) = (x[1] - 2.0 * x[2], x[0] - x[3]);
            vec![x[0] + 10.0 * x[1], five * (x[2] - x[3]), bc * bc, ten * ad * ad]
        };
        let jacobian = |x: &[f64]| {
            let (bc, ad) = (2.0 * (x[1] - 2.0 * x[2]), 2.0 * ten * (x[0] - x[3]));
            vec![1.0, 10.0, 0.0, 0.0, 0.0, 0.0, five, -five, 0.0, bc, -2.0 * bc, 0.0, ad, 0.0, 0.0, -ad]
        };
        // The Jacobian is singular at the minimum, so x is accurate to the square root of the residuals only.
        let (x, norm, _) = solved(&[3.0, -1.0, 0.0, 1.0], &SETTINGS, &residuals, &jacobian);
        assert_close(&x, &[0.0; 4], 1e-6);
        assert!(norm < 1e-12, "{norm}");
    }

    #[test]
    fn bard() {
        const DATA: [f64; 15] =
            [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.1, 4.39];
        let numbers =
            || (1..=15).map(|u| (u, 16 - u, u.min(16 - u))).map(|(u, v, w)| [u, v, w].map(f64::from));
        let residuals = |x: &[f64]| {
            let model = |[u, v, w]: [f64; 3]| x[0] + u / (v * x[1] + w * x[2]);
            numbers().zip(DATA).map(|(n, data)| data - model(n)).collect()
        };
        let jacobian = |x: &[f64]| {
            let row = |[u, v, w]: [f64; 3]| {
                let by = u / (v * x[1] + w * x[2]).powi(2);
                [-1.0, by * v, by * w]
            };
            numbers().flat_map(row).collect()
        };
        // The minimum as Gauss-Newton steps in 40 decimal digits find it.
        let (x, norm, ending) = solved(&[1.0; 3], &SETTINGS, &residuals, &jacobian);
        assert_close(&x, &[0.082_410_559_750, 1.133_036_092_030, 2.343_695_178_643], 1e-7);
        assert_close(&[norm], &[0.090_635_960_339], 1e-11);
        assert_eq!(ending, Ending::Reduction);
    }

    #[test]
    fn an_ill_conditioned_line() {
        // A polynomial of degree 5 through 2000 points; the odd powers are scaled by 1e-6.
        let powers = |t: f64| (0..6).map(move |k| t.powi(k) * if k % 2 == 0 { 1.0 } else { 1e-6 });
        let points = || (0..2000).map(|i| i as f64 / 2000.0);
        let right = [3.0, -2e6, 1.0, 5e5, -1.0, 1e6];
        let residuals = |x: &[f64]| {
            let sum = |t: f64| powers(t).zip(x).zip(right).map(|((p, x), right)| p * (x - right)).sum();
            points().map(sum).collect()
        };
        let jacobian = |_: &[f64]| points().flat_map(powers).collect();
        let (x, norm, _) = solved(&[1.0; 6], &SETTINGS, &residuals, &jacobian);
        for (x, right) in x.iter().zip(right) {
            assert!((x / right - 1.0).abs() < 1e-8, "{x} {right}");
        }
        assert!(norm < 1e-8, "{norm}");
    }

    #[test]
    fn variables_without_effect_are_unchanged() {
        // The residuals depend on x[0] + x[1] alone.
        let residuals = |x: &[f64]| vec![x[0] + x[1] - 5.0, 2.0 * (x[0] + x[1] - 5.0)];
        let jacobian = |_: &[f64]| vec![1.0, 1.0, 0.0, 2.0, 2.0, 0.0];
        let (x, norm, _) = solved(&[2.0, 1.0, 7.0], &SETTINGS, &residuals, &jacobian);
        assert_close(&x, &[3.0, 2.0, 7.0], 1e-14);
        assert_eq!(x[2], 7.0);
        assert!(norm < 1e-13, "{norm}");
    }

    #[test]
    fn endings() {
        let line = |_: &[f64]| vec![1.0, 1.0];
        let at = |start: f64, settings: &Settings, residuals: &dyn Fn(&[f64]) -> Vec<f64>| {
            let (x, _, ending) = solved(&[start], settings, residuals, &line);
            (x[0], ending)
        };
        let exact = |x: &[f64]| vec![x[0] - 4.0, x[0] - 4.0];
        assert_eq!(at(4.0, &SETTINGS, &exact), (4.0, Ending::ResidualsZero));
        assert_eq!(at(1.0, &SETTINGS, &exact), (4.0, Ending::ResidualsZero));
        let apart = |x: &[f64]| vec![x[0] - 3.0, x[0] - 5.0];
        assert_eq!(at(4.0, &SETTINGS, &apart), (4.0, Ending::GradientZero));
        assert_eq!(at(4.0, &SETTINGS, &|_| vec![f64::NAN; 2]), (4.0, Ending::NotFinite("residual")));
        // No step is better than the start, so the variables end there.
        let none = |x: &[f64]| if x[0] == 1.0 { vec![1.0, 2.0] } else { vec![f64::NAN; 2] };
        assert_eq!(at(1.0, &SETTINGS, &none), (1.0, Ending::Step));
        assert_eq!(at(1.0, &Settings { trials: 3, ..SETTINGS }, &none), (1.0, Ending::Trials));
        assert_eq!(
            at(1.0, &Settings { step: 0.0, reduction: 0.0, ..SETTINGS }, &none),
            (1.0, Ending::Rounding)
        );
    }

    #[test]
    fn steps_stay_within_the_radius() {
        let jacobian = [33.0, -40.0, 44.0, -43.0, -37.0, -1.0, -40.0, 48.0, 43.0, -11.0, -40.0, 43.0];
        let model = Model::new(&jacobian, &[7.0, -1.0, 0.0, -1.0]);
        let longest = norm(&model.step(0.0));
        let (lambda, step) = model.step_within(2.0 * longest, 0.0);
        assert_eq!((lambda, step), (0.0, model.step(0.0)));
        for part in [0.5, 0.1, 1e-3, 1e-6] {
            let (lambda, step) = model.step_within(part * longest, 0.0);
            assert!(lambda > 0.0);
            assert!((norm(&step) / (part * longest) - 1.0).abs() <= RADIUS_WITHIN, "{part} {lambda}");
            // The normal equations (J^T J + lambda) p = J^T r.
            let p = model.combined(step.iter().copied());
            let columns: Vec<&[f64]> = jacobian.chunks(4).collect();
            let products: Vec<f64> =
                (0..4).map(|i| columns.iter().zip(&p).map(|(column, p)| column[i] * p).sum()).collect();
            for (column, p) in columns.iter().zip(&p) {
                let left = dot(column, &products) + lambda * p;
                assert!((left - dot(column, &[7.0, -1.0, 0.0, -1.0])).abs() < 1e-9, "{part} {left}");
            }
        }
    }
}
