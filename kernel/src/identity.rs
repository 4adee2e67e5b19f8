//! Numbers that tell scenes apart: a hash of the values that something was made from.
//!
//! **Formula.** For each word w, state = mix(state xor w), where mix is the finalizer of SplitMix64. Values
//! that differ in one word never have the same number, other values with a probability of 2^-64. The number of
//! a value is the same on every machine and in every run.
//!
//! **Cost**: about 4 ns a word.

use crate::rotation::{Mat3, Orientation};
use crate::vector::Vec3;

/// A hash to which values are added one by one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity(u64);

impl Identity {
    /// The hash of nothing.
    pub(crate) const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// The number of all values added.
    pub(crate) const fn number(self) -> u64 {
        self.0
    }

    /// Adds a word.
    pub(crate) fn add(&mut self, word: u64) {
        let mut z = self.0 ^ word;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 = z ^ (z >> 31);
    }

    /// Adds counts or indices.
    pub(crate) fn add_counts<const N: usize>(&mut self, counts: [usize; N]) {
        counts.into_iter().for_each(|count| self.add(count as u64));
    }

    /// Adds the bits of numbers.
    pub(crate) fn add_numbers<const N: usize>(&mut self, numbers: [f64; N]) {
        numbers.into_iter().for_each(|number| self.add(number.to_bits()));
    }

    /// Adds the bits of a vector.
    pub(crate) fn add_vector(&mut self, v: Vec3) {
        self.add_numbers(v.to_array());
    }

    /// Adds the bits of the cell vectors.
    pub(crate) fn add_orientation(&mut self, cell: &Orientation) {
        [cell.a_m, cell.b_m, cell.c_m].into_iter().for_each(|v| self.add_vector(v));
    }

    /// Adds the bits of a matrix.
    pub(crate) fn add_matrix(&mut self, rows: &Mat3) {
        rows.iter().for_each(|&row| self.add_numbers(row));
    }

    /// Adds which of the elements are not 0, and their number.
    pub(crate) fn add_selection(&mut self, mask: &[u16]) {
        self.add_counts([mask.len()]);
        for pixels in mask.chunks(64) {
            self.add(pixels.iter().fold(0, |bits, &pixel| bits << 1 | u64::from(pixel != 0)));
        }
    }
}
