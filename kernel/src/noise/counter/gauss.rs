//! Gaussian deviates: a point of a block, whose coordinates are the two deviates.

use crate::lanes::BaseLanes;

use super::fill::Kind;
use super::functions::{ln, sin_cos_half_turn, uniform, uniform_of_lower};

/// Deviates of mean 0 and variance 1.
#[derive(Clone, Copy)]
pub(super) struct Gauss;

impl Kind for Gauss {
    #[inline(always)]
    fn pair<F: BaseLanes>(self, like: F, [radial, angular]: [F::Bits; 2]) -> [F; 2] {
        let radius = (like.splat_like(-2.0) * ln(uniform(like, radial))).sqrt();
        // Bit 63, which the angle does not use, turns the point by half a turn.
        let sign = angular & like.splat_bits_like(1 << 63);
        let radius = like.with_bits(radius.to_bits() ^ sign);
        let (sin, cos) = sin_cos_half_turn(uniform_of_lower(like, angular) - like.splat_like(0.5));
        [radius * cos, radius * sin]
    }
}
