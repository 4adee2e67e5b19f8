//! The integers that a detector stores, and pixels that do not tell photons.

use super::{Place, floor};
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

impl Limits {
    /// Fills `stored` with the nearest integers to `pixels` within the limits, and returns how many have the largest.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] if the integers are not as many as the pixels.
    pub fn store(self, pixels: &[f32], stored: &mut [i32]) -> Result<usize, Error> {
        same_length("stored pixels", stored.len(), pixels.len())?;
        let [low, high] = [self.least, self.largest].map(f64::from);
        let mut saturated = 0;
        for (stored, &pixel) in stored.iter_mut().zip(pixels) {
            let adu = f64::from(pixel) + 0.5;
            saturated += usize::from(adu >= high);
            // NaN gives the least.
            *stored = floor(if adu > low { adu.min(high) } else { low });
        }
        Ok(saturated)
    }
}

/// Pixels as stored integers.
#[derive(Debug)]
pub struct Stored<'o> {
    place: Place,
    pixels: &'o mut [i32],
    saturated: usize,
}

impl<'o> Stored<'o> {
    /// The stored pixels at `place`.
    #[must_use]
    pub fn new(place: Place, pixels: &'o mut [i32]) -> Self {
        Self { place, pixels, saturated: 0 }
    }

    pub(super) fn with_saturated(self, saturated: usize) -> Self {
        Self { saturated, ..self }
    }

    /// Number of pixels that were stored as the largest integer, bad and masked ones included.
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
