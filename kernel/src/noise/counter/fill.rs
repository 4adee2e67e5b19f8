//! Deviates of which a block gives two.
//!
//! Pixels are in groups of 16, counted from pixel 0. Block j of a group's 8 blocks gives the deviates of its pixels j and
//! j + 8, so that vectors of blocks give vectors of pixels.

use crate::lanes::{BaseLanes, BaseLevel, Lanes, WithSimd};

use super::Stream;

/// Pixels of half a group, the lanes of the widest vector.
const HALF: usize = 8;

/// Pixels of a group.
const GROUP: usize = 2 * HALF;

/// Groups of all pixels that a number of 32 bits has; after the last one comes the first.
const GROUPS: usize = 1 << 28;

/// A kind of deviate.
pub(super) trait Kind: Copy {
    /// The two deviates of the two words of a block.
    fn pair<F: BaseLanes>(self, like: F, words: [F::Bits; 2]) -> [F; 2];
}

/// Fills the deviates of a kind of the pixels from `first` on.
pub(super) struct Fill<'a, K> {
    pub(super) stream: &'a Stream,
    pub(super) kind: K,
    pub(super) draw: u32,
    pub(super) first: u32,
    pub(super) deviates: &'a mut [f64],
}

impl<K: Kind> WithSimd for Fill<'_, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let Self { stream, kind, draw, first, mut deviates } = self;
        let (mut group, mut skipped) = (first as usize / GROUP, first as usize % GROUP);
        while !deviates.is_empty() {
            let mut pixels = [0.0; GROUP];
            let (lower, upper) = pixels.split_at_mut(HALF);
            let parts = lower.chunks_mut(L::F::LEN).zip(upper.chunks_mut(L::F::LEN));
            for (i, (lower, upper)) in parts.enumerate() {
                let blocks = level.ramp((group * HALF + i * L::F::LEN) as f64, f64::MAX);
                let [a, b] = kind.pair(blocks, stream.words(blocks, draw));
                a.store(lower);
                b.store(upper);
            }
            // The first group may start before the first pixel.
            let wanted = pixels.get(skipped..).unwrap_or_default();
            let count = wanted.len().min(deviates.len());
            let (these, others) = core::mem::take(&mut deviates).split_at_mut(count);
            these.iter_mut().zip(wanted).for_each(|(to, deviate)| *to = *deviate);
            deviates = others;
            (group, skipped) = ((group + 1) % GROUPS, 0);
        }
    }
}
