//! Uniform deviates drawn ahead of their use, with all that the trials of the rejection need of them and of no mean.
//!
//! **Formulas.** A trial takes two deviates, u and v. It proposes a count from tan(pi u), and accepts it if
//!
//! ```text
//! v <= 0.9 (1 + tan(pi u)^2) e^r,   that is   ln(v cos(pi u)^2/0.9) <= r
//! ```
//!
//! where only r depends on the mean. The tangents and the logarithms are computed in one loop over a block of deviates,
//! which becomes vectors, for each deviate as the u of a trial: a count below 0 takes one deviate, so that any may be.
//!
//! **Accuracy.** Where the tangent or the comparison is closer than the error of the approximations, libm decides.

use core::f64::consts::PI;

use crate::lanes::{BaseLevel, Simd, WithSimd};
use crate::math::sincos_reduced;
use crate::random::Ran1;

use super::Uniforms;
use super::certain::{certain_approximation, decided, ln};
use super::gauss::{Point, factor, fill_factors};

/// Number of deviates in a block.
const BLOCK: usize = 128;

/// More than the error of a limit, and of the reference's two roundings to f32 that it leaves out.
const LIMIT_ERROR: f64 = 1e-6;

/// A stream of deviates that takes blocks of them from `random`.
pub(super) struct Lookahead<'r> {
    random: &'r mut Ran1,
    simd: Simd,
    /// `random` before it drew the deviates of this block that are not carried over from the one before.
    before: Ran1,
    /// Number of deviates at the begin of the block that are.
    carried: usize,
    /// Index of the next deviate.
    next: usize,
    uniforms: [f32; BLOCK],
    trials: Trials,
    /// Whether `trials` belong to this block.
    has_trials: bool,
    /// The points of Gaussian deviates that begin with each deviate, and their factors, NaN where undecided.
    points: [Point<f32>; BLOCK],
    factors: [f32; BLOCK],
    /// Whether `points` belong to this block.
    has_points: bool,
}

/// What trials need of the deviates, in the order of their first one.
struct Trials {
    /// tan(pi u); NaN where its f32 is undecided.
    tangents: [f32; BLOCK],
    /// The least r that is accepted; without a meaning for the last deviate, after which there is none.
    limits: [f64; BLOCK],
}

impl<'r> Lookahead<'r> {
    /// Draws ahead from `random`; [`Lookahead::finish`] sets it to where the drawing ended.
    pub(super) fn new(simd: Simd, random: &'r mut Ran1) -> Self {
        let before = random.clone();
        let trials = Trials { tangents: [f32::NAN; BLOCK], limits: [f64::NAN; BLOCK] };
        let (points, factors) = ([Point::default(); BLOCK], [f32::NAN; BLOCK]);
        let mut uniforms = [0.0; BLOCK];
        random.draw_all(simd, &mut uniforms);
        Self {
            random,
            simd,
            before,
            carried: 0,
            next: 0,
            uniforms,
            trials,
            has_trials: false,
            points,
            factors,
            has_points: false,
        }
    }

    /// Sets the stream to the deviate after the last one that was used.
    pub(super) fn finish(mut self) {
        for _ in self.carried..self.next {
            self.before.draw();
        }
        *self.random = self.before;
    }

    /// Moves the deviates that are left to the begin, and draws the others.
    #[cold]
    fn refill(&mut self) {
        let next = self.next.min(BLOCK);
        self.before = self.random.clone();
        self.uniforms.copy_within(next.., 0);
        (self.carried, self.next, self.has_trials, self.has_points) = (BLOCK - next, 0, false, false);
        if let Some(uniforms) = self.uniforms.get_mut(self.carried..) {
            self.random.draw_all(self.simd, uniforms);
        }
    }

    #[cold]
    fn prepare_trials(&mut self) {
        if self.next + 2 > BLOCK {
            self.refill();
        }
        self.simd.run(Prepare { uniforms: &self.uniforms, trials: &mut self.trials });
        self.has_trials = true;
    }

    #[cold]
    fn prepare_points(&mut self) {
        if self.next + 2 > BLOCK {
            self.refill();
        }
        let pairs = self.uniforms.iter().zip(self.uniforms.iter().skip(1));
        for (point, (&first, &second)) in self.points.iter_mut().zip(pairs) {
            *point = Point::new(first, second);
        }
        fill_factors(self.simd, &self.points, &mut self.factors);
        self.has_points = true;
    }
}

impl Uniforms<f32> for Lookahead<'_> {
    #[inline(always)]
    fn uniform(&mut self) -> f32 {
        if self.next >= BLOCK {
            self.refill();
        }
        let uniform = self.uniforms.get(self.next).copied().unwrap_or(0.0);
        self.next += 1;
        uniform
    }

    #[inline(always)]
    fn point(&mut self) -> (Point<f32>, f32) {
        loop {
            if !self.has_points || self.next + 2 > BLOCK {
                self.prepare_points();
            }
            let point = self.points.get(self.next).copied().unwrap_or_default();
            let approximate = self.factors.get(self.next).copied().unwrap_or(f32::NAN);
            self.next += 2;
            if point.is_within() {
                return (point, decided(approximate, || factor(point.square, libm::log)));
            }
        }
    }

    #[inline(always)]
    fn tangent(&mut self) -> f32 {
        if !self.has_trials || self.next + 2 > BLOCK {
            self.prepare_trials();
        }
        let tangent = self.trials.tangents.get(self.next).copied().unwrap_or(f32::NAN);
        let uniform = self.uniform();
        decided(tangent, || super::tangent(uniform))
    }

    #[inline(always)]
    fn accepts(&mut self, tangent: f32, log_ratio: f32) -> bool {
        let limit = self.trials.limits.get(self.next.wrapping_sub(1)).copied().unwrap_or(f64::NAN);
        let uniform = self.uniform();
        let above = f64::from(log_ratio) - limit;
        // Not for NaN.
        if above.abs() > LIMIT_ERROR {
            debug_assert_eq!(above > 0.0, super::accepts(uniform, tangent, log_ratio));
            above > 0.0
        } else {
            super::accepts(uniform, tangent, log_ratio)
        }
    }
}

/// Computes the trials of a block.
struct Prepare<'a> {
    uniforms: &'a [f32; BLOCK],
    trials: &'a mut Trials,
}

impl WithSimd for Prepare<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, _: L) {
        // Vectors without a level's own types: the loops are plain arithmetic, compiled for the level.
        let Self { uniforms, trials: Trials { tangents, limits } } = self;
        let mut cosines = [0.0; BLOCK];
        for ((&u, tangent), cosine) in uniforms.iter().zip(tangents).zip(&mut cosines) {
            let (sin, cos) = sincos_reduced(PI * f64::from(u));
            *tangent = certain_approximation(sin / cos);
            *cosine = cos;
        }
        let seconds = uniforms.iter().skip(1);
        for ((&v, &cosine), limit) in seconds.zip(&cosines).zip(limits) {
            *limit = ln(f64::from(v) * (cosine * cosine) * (1.0 / 0.9));
        }
    }
}
