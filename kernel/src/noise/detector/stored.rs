//! The integers that a detector stores, and pixels that do not tell photons.

use super::Place;
use crate::Error;
use crate::arrays::same_length;

/// The integers that a pixel can be stored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The least one, which what is below becomes.
    pub least: i32,
    /// The largest one, which what is above becomes: a pixel that has it is saturated.
    pub largest: i32,
}

/// Pixels as stored integers.
#[derive(Debug)]
pub struct Stored<'o> {
    place: Place,
    pixels: &'o mut [i32],
    saturated: usize,
}

impl<'o> Stored<'o> {
    pub(super) fn new(place: Place, pixels: &'o mut [i32], saturated: usize) -> Self {
        Self { place, pixels, saturated }
    }

    /// Number of pixels that have the largest integer, bad and masked ones included.
    #[must_use]
    pub fn saturated(&self) -> usize {
        self.saturated
    }

    /// Sets the pixels that have these numbers in the panel to `value`, such as hot or dead ones. Numbers of pixels that are not
    /// here are passed over.
    #[must_use]
    pub fn set(self, numbers: &[u32], value: i32) -> Self {
        for &number in numbers {
            let at = number.checked_sub(self.place.first).map(|at| at as usize);
            if let Some(pixel) = at.and_then(|at| self.pixels.get_mut(at)) {
                *pixel = value;
            }
        }
        self
    }

    /// Sets the pixels whose `mask` is 0 to `value`, the last stage.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] if the mask has not as many elements as there are pixels.
    pub fn mask(self, mask: &[u16], value: i32) -> Result<(), Error> {
        same_length("mask", mask.len(), self.pixels.len())?;
        for (pixel, _) in self.pixels.iter_mut().zip(mask).filter(|(_, mask)| **mask == 0) {
            *pixel = value;
        }
        Ok(())
    }
}
