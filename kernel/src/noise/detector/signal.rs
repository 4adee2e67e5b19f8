//! The signal in ADU: pedestal, what the pixels of a row or module have in common, readout, and the integers.

use super::{Limits, Place, Stored, floor};
use crate::Error;
use crate::arrays::same_length;
use crate::noise::counter::Stage;

/// Deviations that blocks of pixels have in common: rows, or modules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CommonMode {
    /// Their rms, in ADU.
    pub rms_adu: f64,
    /// Columns of the panel; above 0.
    pub columns: usize,
    /// Pixels of a block along fast and slow, from the first pixel of the panel on; above 0.
    pub block: [usize; 2],
}

impl CommonMode {
    /// A deviation for each row.
    #[must_use]
    pub const fn of_rows(rms_adu: f64, columns: usize) -> Self {
        Self { rms_adu, columns, block: [columns, 1] }
    }

    /// The block of a pixel, and how many pixels from it on are in the same row of that block.
    fn block_of(&self, pixel: usize) -> (usize, usize) {
        let columns = self.columns.max(1);
        let [width, height] = self.block.map(|pixels| pixels.max(1));
        let (slow, fast) = (pixel / columns, pixel % columns);
        let block = slow / height * columns.div_ceil(width) + fast / width;
        (block, (width - fast % width).min(columns - fast))
    }
}

/// Pixels as the detector's signal in ADU.
#[derive(Debug)]
pub struct Signal<'p> {
    place: Place,
    pixels: &'p mut [f32],
}

impl<'p> Signal<'p> {
    /// The signal of the pixels at `place`, such as one that was kept between stages.
    #[must_use]
    pub fn new(place: Place, pixels: &'p mut [f32]) -> Self {
        Self { place, pixels }
    }

    /// Adds what every pixel has without photons.
    #[must_use]
    pub fn add_pedestal(self, pedestal_adu: f64) -> Self {
        self.pixels.iter_mut().for_each(|pixel| *pixel = (f64::from(*pixel) + pedestal_adu) as f32);
        self
    }

    /// Adds what the pixels of a row or module have in common in this frame.
    #[must_use]
    pub fn add_common_mode(self, common: &CommonMode) -> Self {
        let stream = self.place.stream(Stage::CommonMode);
        let mut pixel = self.place.first as usize;
        let mut rest = &mut *self.pixels;
        while !rest.is_empty() {
            let (block, length) = common.block_of(pixel);
            let deviation = common.rms_adu * stream.gauss(self.place.simd, block as u32);
            let (these, others) = rest.split_at_mut(length.min(rest.len()));
            these.iter_mut().for_each(|pixel| *pixel = (f64::from(*pixel) + deviation) as f32);
            pixel += these.len();
            rest = others;
        }
        self
    }

    /// Adds the noise of the readout, of this rms.
    #[must_use]
    pub fn read_out(self, noise_adu: f64) -> Self {
        self.place.with_gauss(Stage::Readout, self.pixels, |pixel, deviate| {
            *pixel = (f64::from(*pixel) + noise_adu * deviate) as f32;
        });
        self
    }

    /// Stores the nearest integers within `limits`.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] if the integers are not as many as the pixels.
    pub fn store_into<'o>(self, limits: Limits, stored: &'o mut [i32]) -> Result<Stored<'o>, Error> {
        same_length("stored pixels", stored.len(), self.pixels.len())?;
        let Limits { least, largest } = limits;
        let [low, high] = [least, largest].map(f64::from);
        let mut saturated = 0;
        for (stored, &pixel) in stored.iter_mut().zip(self.pixels.iter()) {
            let adu = f64::from(pixel) + 0.5;
            saturated += usize::from(adu >= high);
            // NaN gives the least.
            *stored = floor(if adu > low { adu.min(high) } else { low });
        }
        Ok(Stored::new(self.place, stored, saturated))
    }
}
