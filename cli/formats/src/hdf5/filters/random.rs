//! Bytes that no compression would shorten, recognised by a sample of them.
//!
//! The low bytes of floats are of this kind, and searching them for repetitions takes most of the time of compressing an image.

/// Stretches of a sample, and bytes of each.
const STRETCHES: usize = 16;
const STRETCH_BYTES: usize = 256;
const SAMPLE_BYTES: usize = STRETCHES * STRETCH_BYTES;

/// The most bytes of a random sample that may be equal to the byte before them; 1 in 256 is expected.
const MOST_REPEATED: usize = SAMPLE_BYTES / 24;

/// Whether `count` bytes look random: few are equal to the one before, and all values are about equally frequent. `copy`
/// copies the bytes from a position on. Fewer bytes than a sample never look random.
///
/// If each value v occurs c_v times in n random bytes, the sum of c_v^2 is n^2/256 + n. Bytes that are accepted here could be
/// shortened by an entropy code by 4 % at most.
pub(super) fn are_random(count: usize, copy: impl Fn(usize, &mut [u8])) -> bool {
    if count < SAMPLE_BYTES {
        return false;
    }
    let mut sample = [0; SAMPLE_BYTES];
    for (i, stretch) in sample.chunks_exact_mut(STRETCH_BYTES).enumerate() {
        copy(i * (count - STRETCH_BYTES) / (STRETCHES - 1), stretch);
    }
    let repeated = sample.iter().zip(&sample[1..]).filter(|(byte, next)| byte == next).count();
    if repeated > MOST_REPEATED {
        return false;
    }
    let mut frequencies = [0_usize; 256];
    sample.iter().for_each(|&byte| frequencies[usize::from(byte)] += 1);
    let squares: usize = frequencies.iter().map(|frequency| frequency * frequency).sum();
    squares < SAMPLE_BYTES * SAMPLE_BYTES / 256 * 5 / 4 + SAMPLE_BYTES
}

/// Bytes of a linear congruential generator.
#[cfg(test)]
pub(super) fn random_bytes(count: usize) -> Vec<u8> {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    core::iter::successors(Some(1), next).map(|state| (state >> 24) as u8).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_random(bytes: &[u8]) -> bool {
        are_random(bytes.len(), |at, to| to.copy_from_slice(&bytes[at..][..to.len()]))
    }

    #[test]
    fn bytes_that_can_be_shortened_are_not_random() {
        let random = random_bytes(65_535);
        assert!(look_random(&random));
        assert!(look_random(&random[..SAMPLE_BYTES]) && !look_random(&random[1..SAMPLE_BYTES]));
        // Some values are left out, are more frequent, or repeated.
        let others: [&dyn Fn(usize) -> u8; 5] = [
            &|i| random[i].max(56),
            &|i| random[i] & 0x7f,
            &|i| random[i - i % 2],
            &|i| if i % 4 == 0 { 0 } else { random[i] },
            &|i| (i / 8) as u8,
        ];
        for (case, value) in others.iter().enumerate() {
            let bytes: Vec<u8> = (0..random.len()).map(value).collect();
            assert!(!look_random(&bytes), "{case}");
        }
    }
}
