//! The random numbers of Python's `random.Random(seed)`: MT19937.
//!
//! **Source.** M. Matsumoto and T. Nishimura, ACM Trans. Model. Comput. Simul. 8, 3 (1998), with the seeding by an array of
//! 2002.

const N: usize = 624;
const M: usize = 397;

/// A stream of random bits.
#[derive(Debug, Clone)]
pub(super) struct MersenneTwister {
    state: [u32; N],
    next: usize,
}

impl MersenneTwister {
    /// The stream of a seed, whose sign does not count.
    pub(super) fn new(seed: i64) -> Self {
        let magnitude = seed.unsigned_abs();
        let words = [magnitude as u32, (magnitude >> 32) as u32];
        let key = if words[1] == 0 { &words[..1] } else { &words[..] };
        let mut stream = Self::from_word(19_650_218);
        let state = &mut stream.state;
        let (mut i, mut j) = (1, 0);
        for _ in 0..N {
            let mixed = (at(state, i) ^ scrambled(at(state, i - 1)).wrapping_mul(1_664_525))
                .wrapping_add(at(key, j))
                .wrapping_add(j as u32);
            put(state, i, mixed);
            i = following(state, i);
            j = (j + 1) % key.len();
        }
        for _ in 1..N {
            let mixed = (at(state, i) ^ scrambled(at(state, i - 1)).wrapping_mul(1_566_083_941))
                .wrapping_sub(i as u32);
            put(state, i, mixed);
            i = following(state, i);
        }
        put(state, 0, 0x8000_0000);
        stream
    }

    fn from_word(seed: u32) -> Self {
        let mut state = [seed; N];
        for i in 1..N {
            let word = scrambled(at(&state, i - 1)).wrapping_mul(1_812_433_253).wrapping_add(i as u32);
            put(&mut state, i, word);
        }
        Self { state, next: N }
    }

    fn refill(&mut self) {
        let state = &mut self.state;
        for i in 0..N {
            let bits = (at(state, i) & 0x8000_0000) | (at(state, (i + 1) % N) & 0x7fff_ffff);
            let twist = if bits & 1 == 0 { 0 } else { 0x9908_b0df };
            put(state, i, at(state, (i + M) % N) ^ (bits >> 1) ^ twist);
        }
        self.next = 0;
    }

    fn word(&mut self) -> u32 {
        if self.next >= N {
            self.refill();
        }
        let mut y = at(&self.state, self.next);
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// `count` random bits, up to 64.
    fn bits(&mut self, count: u32) -> u64 {
        if count <= 32 {
            return u64::from(self.word() >> (32 - count));
        }
        let low = u64::from(self.word());
        low | u64::from(self.word() >> (64 - count)) << 32
    }

    /// A random number below `limit`, which is above 0.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        let count = u64::BITS - limit.leading_zeros();
        loop {
            let number = self.bits(count);
            if number < limit {
                return number;
            }
        }
    }
}

/// Word `i`, which is inside.
fn at(words: &[u32], i: usize) -> u32 {
    words.get(i).copied().unwrap_or(0)
}

fn put(words: &mut [u32; N], i: usize, word: u32) {
    if let Some(to) = words.get_mut(i) {
        *to = word;
    }
}

fn scrambled(word: u32) -> u32 {
    word ^ (word >> 30)
}

/// The word after `i`; after the last one, whose value goes to the first, the second.
fn following(state: &mut [u32; N], i: usize) -> usize {
    if i + 1 < N {
        return i + 1;
    }
    let last = at(state, N - 1);
    put(state, 0, last);
    1
}

#[cfg(test)]
mod tests {
    use super::MersenneTwister;

    /// The first numbers of Python's `random.Random(seed).getrandbits(32)`, and of `randrange(10)` after them.
    #[test]
    fn numbers_are_those_of_python() {
        for (seed, words, below) in PYTHON {
            let mut random = MersenneTwister::new(seed);
            assert_eq!([0; 3].map(|_| random.bits(32)), words, "{seed}");
            for _ in 0..1000 {
                let _ = random.word();
            }
            assert_eq!([0; 6].map(|_| random.below(10)), below, "{seed}");
        }
    }
    const PYTHON: [(i64, [u64; 3], [u64; 6]); 5] = [
        (8_675_309, [1_727_637_555, 919_643_380, 2_191_494_937], [8, 0, 4, 0, 9, 4]),
        (0, [3_626_764_237, 1_654_615_998, 3_255_389_356], [2, 0, 3, 5, 1, 9]),
        (1, [577_090_037, 2_444_712_010, 3_639_700_191], [8, 5, 0, 1, 7, 7]),
        (-5, [2_675_342_405, 1_097_127_993, 3_185_950_873], [8, 9, 5, 1, 1, 3]),
        (1_099_511_627_793, [2_840_774_218, 3_282_848_423, 1_037_313_734], [1, 3, 2, 2, 7, 9]),
    ];
}
