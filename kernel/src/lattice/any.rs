//! A shape that is selected at every step, so that the general loop need not be compiled once for each.

use super::gauss::Gauss;
use super::mixed::SquareMixed;
use super::round::Round;
use super::shape::{Differentiable, FLattDerivatives, Shape};
use super::square_fractional::SquareFractional;
use super::thin::SquareThin;
use super::tophat::Tophat;
use super::{CrystalShape, Crystallite, Indices, Precision};
use crate::lanes::{Lanes, Level};

/// Any shape.
#[derive(Debug, Clone, Copy)]
pub(crate) enum AnyShape<F> {
    Square(SquareThin<F>),
    SquareFractional(SquareFractional<F>),
    SquareMixed(SquareMixed<F>),
    Round(Round<F>),
    Gauss(Gauss<F>),
    Tophat(Tophat<F>),
}

impl<F: Lanes> AnyShape<F> {
    #[inline(always)]
    pub(crate) fn new<L: Level<F = F>>(level: L, crystallite: &Crystallite, precision: Precision) -> Self {
        match (crystallite.shape, precision) {
            (CrystalShape::Square, _) if crystallite.is_fractional() => {
                Self::SquareFractional(SquareFractional::new(level, crystallite))
            }
            (CrystalShape::Square, Precision::Mixed) => {
                Self::SquareMixed(SquareMixed::new(level, crystallite))
            }
            (CrystalShape::Square, Precision::Double) => Self::Square(SquareThin::new(level, crystallite)),
            (CrystalShape::Round, _) => Self::Round(Round::new(level, crystallite)),
            (CrystalShape::Gauss, _) => Self::Gauss(Gauss::new(level, crystallite)),
            (CrystalShape::Tophat, _) => Self::Tophat(Tophat::new(level, crystallite)),
        }
    }
}

/// Calls a method of the shape that there is.
macro_rules! each {
    ($any:ident, $shape:ident => $call:expr) => {
        match $any {
            AnyShape::Square($shape) => $call,
            AnyShape::SquareFractional($shape) => $call,
            AnyShape::SquareMixed($shape) => $call,
            AnyShape::Round($shape) => $call,
            AnyShape::Gauss($shape) => $call,
            AnyShape::Tophat($shape) => $call,
        }
    };
}

impl<F: Lanes> Shape<F> for AnyShape<F> {
    #[inline(always)]
    fn nudge(&self) -> f64 {
        each!(self, shape => shape.nudge())
    }

    #[inline(always)]
    fn f_latt<const GUARDED: bool>(&self, indices: &Indices<F>) -> F {
        each!(self, shape => shape.f_latt::<GUARDED>(indices))
    }
}

impl<F: Lanes> Differentiable<F> for AnyShape<F> {
    #[inline(always)]
    fn derivatives(&self, indices: &Indices<F>) -> FLattDerivatives<F> {
        each!(self, shape => shape.derivatives(indices))
    }
}
