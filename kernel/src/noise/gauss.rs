//! Gaussian deviates of mean 0 and variance 1, in pairs.
//!
//! **Formulas.** A point (v1, v2) is uniform within the unit circle. With q = v1^2 + v2^2, the deviates are v2 f and
//! then v1 f, where f = sqrt(-2 ln q/q).
//!
//! **Source.** `gaussdev` of `nanoBragg.c`, with its roundings to f32, and of simtbx, in f64.
//!
//! **Accuracy** (`tests/tests/kernel_noise_stages.rs`). The deviates of an array are those drawn one by one. As in
//! [`certain`](super::certain), libm's logarithm is asked where an approximation does not decide the f32.

use crate::lanes::{BaseLevel, Lanes, Simd, WithSimd};
use crate::random::Ran1;

use super::Uniforms;
use super::certain::{certain_approximation, ln};
use super::lookahead::Lookahead;
use super::precision::Precision;

/// A point within the unit circle, and the square of its distance from the centre.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Point<N> {
    v1: N,
    v2: N,
    pub(super) square: N,
}

impl<N: Precision> Point<N> {
    /// The point of the square that two uniform deviates give.
    #[inline(always)]
    pub(super) fn new(first: N, second: N) -> Self {
        let [v1, v2] = [first, second].map(|uniform| N::from_f64(2.0 * uniform.into() - 1.0));
        Self { v1, v2, square: v1 * v1 + v2 * v2 }
    }

    /// Whether the point is within the circle, and not at its centre.
    #[inline(always)]
    pub(super) fn is_within(self) -> bool {
        self.square > N::from_f64(0.0) && self.square < N::from_f64(1.0)
    }

    /// Draws points of the square until one is within the circle.
    #[inline(always)]
    pub(super) fn draw(uniforms: &mut impl Uniforms<N>) -> Self {
        loop {
            let point = Self::new(uniforms.uniform(), uniforms.uniform());
            if point.is_within() {
                return point;
            }
        }
    }

    /// The pair of deviates, in the order in which they are used.
    #[inline(always)]
    pub(super) fn deviates(self, factor: N) -> (N, N) {
        (self.v2 * factor, self.v1 * factor)
    }
}

/// sqrt(-2 ln `square`/`square`).
#[inline(always)]
pub(super) fn factor<N: Precision>(square: N, ln: impl Fn(f64) -> f64) -> N {
    let square: f64 = square.into();
    N::from_f64(libm::sqrt(-2.0 * ln(square) / square))
}

/// Fills `deviates` with what [`super::gauss`] would return one after the other.
pub(super) fn fill(simd: Simd, random: &mut Ran1, spare: &mut Option<f32>, deviates: &mut [f32]) {
    if deviates.len() <= usize::from(spare.is_some()) {
        deviates.iter_mut().for_each(|deviate| *deviate = super::gauss(random, spare));
        return;
    }
    let mut uniforms = Lookahead::new(simd, random);
    deviates.iter_mut().for_each(|deviate| *deviate = super::gauss(&mut uniforms, spare));
    uniforms.finish();
}

/// Fills the factors of points, NaN where their f32 is undecided or the point is not within the circle.
pub(super) fn fill_factors<const N: usize>(simd: Simd, points: &[Point<f32>; N], factors: &mut [f32; N]) {
    simd.run(Factors { points, factors });
}

struct Factors<'a, const N: usize> {
    points: &'a [Point<f32>; N],
    factors: &'a mut [f32; N],
}

impl<const N: usize> WithSimd for Factors<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let mut squares = [1.0; N];
        for (square, point) in squares.iter_mut().zip(self.points) {
            let q = f64::from(point.square);
            *square = -2.0 * ln(q) / q;
        }
        for part in squares.chunks_mut(L::F::LEN) {
            level.load(part, 1.0).sqrt().store(part);
        }
        for (factor, square) in self.factors.iter_mut().zip(squares) {
            *factor = certain_approximation(square);
        }
    }
}
