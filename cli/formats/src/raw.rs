//! Arrays of numbers as raw bytes, without a second copy of the data in memory.

use std::io::{self, BufRead, Write};

use bytemuck::{NoUninit, cast_slice};

use crate::memory::reserve;

/// Number of bytes converted at a time; they fit the stack and the first-level cache.
const BLOCK_BYTES: usize = 8192;

/// Writes the values, each as the bytes that `bytes_of` returns: little endian or the machine's.
pub(crate) fn write_values<T: NoUninit, const N: usize>(
    out: &mut dyn Write,
    values: &[T],
    bytes_of: impl Fn(T) -> [u8; N],
) -> io::Result<()> {
    const { assert!(size_of::<T>() == N, "a value has N bytes") };
    if cfg!(target_endian = "little") {
        // The values lie in memory as they do in the file.
        return out.write_all(cast_slice(values));
    }
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
    input: &mut impl BufRead,
    count: usize,
    values: &mut Vec<T>,
    value_of: impl Fn([u8; N]) -> T,
) -> io::Result<()> {
    let mut left = count;
    while left > 0 {
        let buffered = match input.fill_buf() {
            Ok(buffered) => buffered,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let (whole, _) = buffered.as_chunks::<N>();
        let now = whole.len().min(left);
        make_room(values, now.max(1), left)?;
        if now == 0 {
            // A value across the end of the buffer.
            let mut bytes = [0; N];
            input.read_exact(&mut bytes)?;
            values.push(value_of(bytes));
            left -= 1;
            continue;
        }
        values.extend(whole[..now].iter().map(|&bytes| value_of(bytes)));
        input.consume(now * N);
        left -= now;
    }
    Ok(())
}

/// Makes room for `now` of `left` values that are still to come.
///
/// # Errors
/// Kind `OutOfMemory`.
pub(crate) fn make_room<T>(values: &mut Vec<T>, now: usize, left: usize) -> io::Result<()> {
    if values.capacity() - values.len() >= now {
        return Ok(());
    }
    // At most doubled, since the data may end before the count.
    let more = left.min(values.len().max(now));
    reserve(values, more).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn lengths_around_the_block_come_back() {
        // 999 bytes: values lie across the ends of buffers.
        for (count, buffer) in [0, 1, 1023, 1024, 1025, 5000].into_iter().flat_map(|n| [(n, 999), (n, 8192)])
        {
            let values: Vec<f64> = (0..count).map(|i| f64::from(i) * 0.1).collect();
            let mut bytes = Vec::new();
            write_values(&mut bytes, &values, f64::to_le_bytes).unwrap();
            assert_eq!(bytes.len(), values.len() * 8);
            let mut back = Vec::new();
            let mut input = BufReader::with_capacity(buffer, &bytes[..]);
            read_values(&mut input, values.len(), &mut back, f64::from_le_bytes).unwrap();
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
