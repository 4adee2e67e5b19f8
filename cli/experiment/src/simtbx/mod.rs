//! What simtbx (cctbx_project) does to an image beside its spots: `add_noise`, `apply_psf` and `add_background`, as rules that
//! can be called.
//!
//! They reproduce simtbx with its faults, as nanoBragg's companions are reproduced by `noisify` and `nonbragg`, and are the
//! same rooms of the kernel in f64: [`noise::simtbx`](widebragg::noise::simtbx),
//! [`noise::point_spread`](widebragg::noise::point_spread) and [`background::Background`](widebragg::background::Background).
//! What a detector does in spec is in [`detector_noise`](crate::detector_noise) and [`background`](crate::background).
//!
//! **Shapes and units.** Images are f64, slow-major, and changed in place: photons before `add_noise`, ADU after it.
//!
//! **Accuracy** (`tests/tests/simtbx_rules.rs`). Noise and point spread have the bits of simtbx where the program runs with
//! the C library that simtbx ran with (glibc 2.36 in the tests): the logarithm of a Gaussian deviate is the C library's in both.
//! The background is within 2e-15.

mod background;
mod noise;

pub use background::AddBackground;
pub use noise::{AddNoise, SimtbxSpread};

use core::ops::Range;
use widebragg::scene::Roi;

use crate::failure::{Failure, Part};

/// The pixels that a rule is about: those of a region that a mask does not skip.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'m> {
    /// Pixels along the fast and the slow axis.
    pub size: [usize; 2],
    /// The region of interest; `None`: all.
    pub roi: Option<Roi>,
    /// A number for each pixel, 0 to skip it; `None`: none is skipped.
    pub mask: Option<&'m [u16]>,
}

impl Selection<'_> {
    /// All pixels of an image of `[fast, slow]` pixels.
    #[must_use]
    pub fn all(size: [usize; 2]) -> Self {
        Self { size, roi: None, mask: None }
    }

    /// Checks that an image and the mask have as many pixels as are stated.
    fn check(&self, pixels: usize) -> Result<(), Failure> {
        let [fast, slow] = self.size;
        let given = [Some(pixels), self.mask.map(<[u16]>::len)];
        if given.into_iter().flatten().any(|given| fast.checked_mul(slow) != Some(given)) {
            return Err(Failure::impossible(
                Part::Noise,
                "an image or a mask of another size than is stated",
            ));
        }
        Ok(())
    }

    /// Columns of the region.
    fn columns(&self) -> Range<usize> {
        within(self.size[0], self.roi.map(|roi| (roi.fast_min, roi.fast_max)))
    }

    /// Rows of the region.
    fn rows(&self) -> Range<usize> {
        within(self.size[1], self.roi.map(|roi| (roi.slow_min, roi.slow_max)))
    }

    fn has(&self, [fast, slow]: [usize; 2]) -> bool {
        let is_there = self.columns().contains(&fast) && self.rows().contains(&slow);
        is_there && self.mask.is_none_or(|mask| mask[slow * self.size[0] + fast] != 0)
    }

    /// The selected pixels of an image that has been checked, in their order.
    fn of<'p>(&self, pixels: &'p mut [f64]) -> impl Iterator<Item = &'p mut f64> {
        let columns = self.size[0].max(1);
        let selected = pixels.iter_mut().enumerate();
        selected.filter(move |(at, _)| self.has([at % columns, at / columns])).map(|(_, pixel)| pixel)
    }
}

/// The part of `pixels` from a first to a last one, both included.
fn within(pixels: usize, ends: Option<(usize, usize)>) -> Range<usize> {
    ends.map_or(0..pixels, |(first, last)| first..last.saturating_add(1).min(pixels))
}
