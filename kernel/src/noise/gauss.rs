//! Gaussian deviates of mean 0 and variance 1, in pairs.
//!
//! **Formulas.** A point (v1, v2) is uniform within the unit circle. With q = v1^2 + v2^2, the deviates are v2 f and
//! then v1 f, where f = sqrt(-2 ln q/q).
//!
//! **Source.** `gaussdev` of `nanoBragg.c`, with its roundings to f32.
//!
//! **Accuracy** (`tests/tests/kernel_noise_stages.rs`). The deviates of an array are those drawn one by one. As in
//! [`certain`](super::certain), libm's logarithm is asked where an approximation does not decide the f32.

use crate::lanes::{BaseLevel, Lanes, Simd, WithSimd};
use crate::random::Ran1;

use super::Uniforms;
use super::certain::{certain_approximation, decided, ln};

/// Number of points in a block.
const POINTS: usize = 64;

/// A point within the unit circle, and the square of its distance from the centre.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Point {
    v1: f32,
    v2: f32,
    pub(super) square: f32,
}

impl Point {
    /// Draws points of a square until one is within the circle.
    #[inline(always)]
    pub(super) fn draw(uniforms: &mut impl Uniforms) -> Self {
        loop {
            let v1 = (2.0 * f64::from(uniforms.uniform()) - 1.0) as f32;
            let v2 = (2.0 * f64::from(uniforms.uniform()) - 1.0) as f32;
            let square = v1 * v1 + v2 * v2;
            if square > 0.0 && square < 1.0 {
                return Self { v1, v2, square };
            }
        }
    }

    /// The pair of deviates, in the order in which they are used.
    #[inline(always)]
    pub(super) fn deviates(self, factor: f32) -> (f32, f32) {
        (self.v2 * factor, self.v1 * factor)
    }
}

/// sqrt(-2 ln `square`/`square`).
pub(super) fn factor(square: f32) -> f32 {
    let square = f64::from(square);
    libm::sqrt(-2.0 * libm::log(square) / square) as f32
}

/// Fills `deviates` with what [`super::gauss`] would return one after the other.
pub(super) fn fill(simd: Simd, random: &mut Ran1, spare: &mut Option<f32>, deviates: &mut [f32]) {
    let mut rest = deviates;
    if let Some(deviate) = *spare
        && let Some(first) = rest.split_off_first_mut()
    {
        (*first, *spare) = (deviate, None);
    }
    for block in rest.chunks_mut(2 * POINTS) {
        let mut points = [Point::default(); POINTS];
        let mut factors = [0.0; POINTS];
        points.iter_mut().take(block.len().div_ceil(2)).for_each(|point| *point = Point::draw(random));
        simd.run(Factors { points: &points, factors: &mut factors });
        for ((point, approximate), pair) in points.iter().zip(factors).zip(block.chunks_mut(2)) {
            let (first, second) = point.deviates(decided(approximate, || factor(point.square)));
            match pair {
                [to_first, to_second] => (*to_first, *to_second) = (first, second),
                [to_first] => (*to_first, *spare) = (first, Some(second)),
                _ => {}
            }
        }
    }
}

/// Computes the factors of a block, NaN where their f32 is undecided.
struct Factors<'a> {
    points: &'a [Point; POINTS],
    factors: &'a mut [f32; POINTS],
}

impl WithSimd for Factors<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let mut squares = [1.0; POINTS];
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
