//! Arrays of numbers as raw bytes, converted in blocks, without a second copy of the data in memory.

use std::io::{self, Read, Write};

use crate::memory::reserve;

/// Number of bytes converted at a time; they fit the stack and the first-level cache.
const BLOCK_BYTES: usize = 8192;

/// Writes the values, each as the bytes that `bytes_of` returns.
pub(crate) fn write_values<T: Copy, const N: usize>(
    out: &mut dyn Write,
    values: &[T],
    bytes_of: impl Fn(T) -> [u8; N],
) -> io::Result<()> {
    let mut block = [0; BLOCK_BYTES];
    for part in values.chunks(BLOCK_BYTES / N) {
        let bytes = &mut block[..part.len() * N];
        for (to, &value) in bytes.chunks_exact_mut(N).zip(part) {
            to.copy_from_slice(&bytes_of(value));
        }
        out.write_all(bytes)?;
    }
    Ok(())
}

/// Reads `count` values and appends them to `values`, whose memory grows as data arrives.
///
/// # Errors
/// Kind `UnexpectedEof` for an input that is too short, `OutOfMemory` for too little memory.
pub(crate) fn read_values<T, const N: usize>(
    input: &mut impl Read,
    count: usize,
    values: &mut Vec<T>,
    value_of: impl Fn([u8; N]) -> T,
) -> io::Result<()> {
    let mut block = [0; BLOCK_BYTES];
    let mut left = count;
    while left > 0 {
        let now = left.min(BLOCK_BYTES / N);
        let bytes = &mut block[..now * N];
        input.read_exact(bytes)?;
        if values.capacity() - values.len() < now {
            // At most doubled, since the data may end before the count.
            let more = left.min(values.len().max(now));
            reserve(values, more).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        }
        let (whole, _) = bytes.as_chunks::<N>();
        values.extend(whole.iter().map(|&b| value_of(b)));
        left -= now;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_around_the_block_come_back() {
        for count in [0, 1, 1023, 1024, 1025, 5000] {
            let values: Vec<f64> = (0..count).map(|i| f64::from(i) * 0.1).collect();
            let mut bytes = Vec::new();
            write_values(&mut bytes, &values, f64::to_le_bytes).unwrap();
            assert_eq!(bytes.len(), values.len() * 8);
            let mut back = Vec::new();
            read_values(&mut &bytes[..], values.len(), &mut back, f64::from_le_bytes).unwrap();
            assert_eq!(back, values);
        }
    }

    #[test]
    fn a_count_that_is_not_there_costs_no_memory() {
        let mut back: Vec<f64> = Vec::new();
        let error = read_values(&mut &[0; 100][..], usize::MAX, &mut back, f64::from_le_bytes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(back.capacity() <= 2 * BLOCK_BYTES);
    }
}
