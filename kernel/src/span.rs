//! Spans: runs of at most 256 pixels of a row, and the per-pixel numbers that passes over them keep.

use crate::lanes::{Lanes, Level};

/// Most pixels of a span: a multiple of the lanes of every level.
pub(crate) const SPAN: usize = 256;

/// A number for each pixel of a span.
pub(crate) type PerPixel = [f64; SPAN];

/// The numbers of pixel `at` and those after it, as lanes.
#[inline(always)]
pub(crate) fn load<L: Level>(level: L, from: &PerPixel, at: usize) -> L::F {
    level.load(from.get(at..).unwrap_or(&[]), 0.0)
}

/// Writes lanes to pixel `at` and those after it.
#[inline(always)]
pub(crate) fn store<F: Lanes>(lanes: F, to: &mut PerPixel, at: usize) {
    lanes.store(to.get_mut(at..).unwrap_or_default());
}
