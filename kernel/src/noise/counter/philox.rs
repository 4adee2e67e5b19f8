//! Philox 4x32 of 10 rounds: 128 random bits of a counter of 128 bits and a key of 64.
//!
//! **Formula.** A round multiplies two of the words by constants to 64 bits and crosses their halves:
//!
//! ```text
//! a, b, c, d  <-  hi(M1 c) ^ b ^ k0,  lo(M1 c),  hi(M0 a) ^ d ^ k1,  lo(M0 a)
//! ```
//!
//! and k0, k1 grow by constants from round to round.
//!
//! **Source.** J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, Proc. SC11 (2011), and the vectors of known answer that are
//! published with it.
//!
//! A word is the lower half of a lane of 64 bits, whose upper half may be anything: multiplications ignore it, and nothing
//! shifts it down.

use crate::lanes::{BaseLanes, BaseLevel, LaneBits, Lanes, Simd, WithSimd};

const MULTIPLIERS: [u32; 2] = [0xd251_1f53, 0xcd9e_8d57];
const KEY_STEPS: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
const ROUNDS: u32 = 10;

/// The words that a counter turns into, in the lower halves of lanes.
#[inline(always)]
pub(super) fn ten_rounds<F: BaseLanes>(like: F, counter: [F::Bits; 4], key: [u32; 2]) -> [F::Bits; 4] {
    let splat = |word: u32| like.splat_bits_like(word.into());
    let (m0, m1) = (splat(MULTIPLIERS[0]), splat(MULTIPLIERS[1]));
    let [mut a, mut b, mut c, mut d] = counter;
    let [mut k0, mut k1] = key;
    for _ in 0..ROUNDS {
        let (p0, p1) = (m0.multiply_lower_halves(a), m1.multiply_lower_halves(c));
        (a, b, c, d) = (p1.shift_right(32) ^ b ^ splat(k0), p1, p0.shift_right(32) ^ d ^ splat(k1), p0);
        k0 = k0.wrapping_add(KEY_STEPS[0]);
        k1 = k1.wrapping_add(KEY_STEPS[1]);
    }
    [a, b, c, d]
}

/// The random words of one counter and key, computed by the vectors of `simd`.
///
/// ```
/// use widebragg::lanes::Simd;
/// use widebragg::noise::counter::philox_4x32_10;
///
/// let words = philox_4x32_10(Simd::detect(), [0; 4], [0; 2]);
/// assert_eq!(words, [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
/// ```
#[must_use]
pub fn philox_4x32_10(simd: Simd, counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    simd.run(One { counter, key })
}

struct One {
    counter: [u32; 4],
    key: [u32; 2],
}

impl WithSimd for One {
    type Output = [u32; 4];

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) -> [u32; 4] {
        let like = level.splat(0.0);
        let [a, b, c, d] = self.counter;
        let splat = |word: u32| like.splat_bits_like(word.into());
        let [a, b, c, d] = ten_rounds::<L::F>(like, [splat(a), splat(b), splat(c), splat(d)], self.key);
        let first = |word| like.with_bits(word).first().to_bits() as u32;
        [first(a), first(b), first(c), first(d)]
    }
}
