//! Which pixels of a panel are bad, from a seed.
//!
//! **Method.** The pixels are in a random order: the numbers of an even count of bits are permuted by a Feistel network whose
//! rounds are Philox, and a number that is no pixel is permuted again until it is one. The first ones of that order are bad. So
//! they differ from each other without a list of those before, and any part of them can be asked for.
//!
//! **Source.** M. Luby and C. Rackoff, SIAM J. Comput. 17 (1988), 373: four rounds make a random permutation.

use crate::Error;
use crate::lanes::Simd;
use crate::noise::counter::{Stage, Stream};

/// Rounds of the network.
const ROUNDS: u32 = 4;

/// Fills the numbers of bad pixels of `panel`, which has `pixels` pixels, from the bad one of number `first` on. They are
/// static: nothing but the seed, of which 56 bits count, the panel and its size chooses them.
///
/// ```
/// use widebragg::lanes::Simd;
/// use widebragg::noise::detector::fill_bad_pixels;
///
/// // Three hot and two dead ones of a panel of 100 x 100.
/// let mut bad = [0; 5];
/// fill_bad_pixels(Simd::detect(), 1, 0, 10_000, 0, &mut bad)?;
/// let (hot, dead) = bad.split_at(3);
/// assert!(hot.iter().all(|pixel| *pixel < 10_000 && !dead.contains(pixel)));
/// # Ok::<(), widebragg::Error>(())
/// ```
///
/// # Errors
/// [`Error::TooLarge`] if the panel has fewer pixels.
pub fn fill_bad_pixels(
    simd: Simd,
    seed: u64,
    panel: u32,
    pixels: u32,
    first: u32,
    numbers: &mut [u32],
) -> Result<(), Error> {
    let available = pixels.checked_sub(first).map(|available| available as usize);
    if available.is_none_or(|available| available < numbers.len()) {
        return Err(Error::TooLarge { quantity: "number of bad pixels" });
    }
    let order = Order {
        simd,
        stream: Stream::new(seed, Stage::BadPixels, 0, panel),
        pixels,
        half: half_bits(pixels),
    };
    numbers.iter_mut().zip(first..).for_each(|(number, place)| *number = order.pixel(place));
    Ok(())
}

/// The random order of the pixels.
struct Order {
    simd: Simd,
    stream: Stream,
    pixels: u32,
    /// Bits of half a number.
    half: u32,
}

impl Order {
    /// The pixel at a place of the order, which is below the number of pixels.
    fn pixel(&self, place: u32) -> u32 {
        let mut number = self.permuted(place);
        // Each number is in a cycle of the permutation, and `place` is a pixel: the search ends.
        while number >= self.pixels {
            number = self.permuted(number);
        }
        number
    }

    fn permuted(&self, number: u32) -> u32 {
        let mask = (1 << self.half) - 1;
        let (mut upper, mut lower) = (number >> self.half, number & mask);
        for round in 0..ROUNDS {
            (upper, lower) = (lower, upper ^ self.stream.word(self.simd, lower, round) & mask);
        }
        upper << self.half | lower
    }
}

/// Half of the bits that the numbers below `pixels` need, rounded up.
fn half_bits(pixels: u32) -> u32 {
    let bits = u32::BITS - pixels.saturating_sub(1).leading_zeros();
    bits.div_ceil(2).max(1)
}
