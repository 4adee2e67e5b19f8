//! Bitshuffle: the bits of a block of elements as a matrix, transposed, so that equal bits of neighbours lie together.
//!
//! A block of n elements of `size` bytes becomes 8 `size` rows of n / 8 bytes. Row 8 b + i has bit i of byte b of all
//! elements, that of element 8 m + k as bit k of its byte m. Elements past the last multiple of 8 are copied.
//!
//! With LZ4 a chunk is: its size before compression (u64), bytes of a block before compression (u32), then for
//! each block the size of its LZ4 block (u32) and the LZ4 block, all big-endian; then the copied elements.
//!
//! Source: K. Masui et al., Astronomy and Computing 12, 181 (2015), and the description of HDF5 filter 32008.

use lz4_flex::block::{decompress_into, get_maximum_output_size};
use rayon::prelude::*;

use super::lz4::{append_compressed, u32_at, u64_at};
use super::random::are_random;
use super::{SHARE_BYTES, StoredChunk, fill_plane};
use crate::memory::reserve;

/// Bytes of a block where the file does not say how many: about so many, in whole elements.
const USUAL_BLOCK_BYTES: usize = 8192;

/// Bytes of a block that is written: LZ4 is faster and compresses better where rows of bits are long.
const BLOCK_BYTES: usize = 1 << 16;

/// Elements of the smallest block that is chosen for a chunk.
const SMALLEST_BLOCK: usize = 128;

/// Bytes before the first block of a compressed chunk.
const HEADER_BYTES: usize = 12;

/// Elements of a block where the file does not say.
pub(super) fn usual_block(size: usize) -> usize {
    (USUAL_BLOCK_BYTES / size / 8 * 8).max(SMALLEST_BLOCK)
}

/// The lengths, in elements, of the blocks of `count` elements that are transposed.
fn blocks(count: usize, block: usize) -> impl Iterator<Item = usize> {
    let last = count % block / 8 * 8;
    core::iter::repeat_n(block, count / block).chain((last > 0).then_some(last))
}

/// The chunk `bytes` of elements of `size` bytes, transposed and compressed, shares of it in parallel.
pub(super) fn compressed(bytes: &[u8], size: usize) -> Option<StoredChunk> {
    let block = BLOCK_BYTES / size / 8 * 8;
    let block_bytes = block * size;
    let shares = bytes.par_chunks((SHARE_BYTES / block_bytes).max(1) * block_bytes);
    let mut pieces: Vec<_> =
        shares.map(|share| compressed_blocks(share, size, block)).collect::<Option<_>>()?;
    let header = [&(bytes.len() as u64).to_be_bytes()[..], &u32::try_from(block_bytes).ok()?.to_be_bytes()];
    pieces.insert(0, header.concat());
    Some(StoredChunk(pieces))
}

/// Blocks of elements, each with its size, and elements that are past the last block.
fn compressed_blocks(bytes: &[u8], size: usize, block: usize) -> Option<Vec<u8>> {
    let longest = get_maximum_output_size(block * size);
    let mut out = Vec::new();
    // Room for blocks that do not shrink; the system takes pages only as they are written.
    reserve(&mut out, bytes.len() % size + (bytes.len() / size).div_ceil(block) * (4 + longest) + 8 * size)?;
    let (mut plane, mut rows, mut packed) = (vec![0; block], vec![0; block * size], vec![0; longest]);
    let planes = random_planes(bytes, size);
    let mut rest = bytes;
    for elements in blocks(bytes.len() / size, block) {
        let (now, later) = rest.split_at(elements * size);
        let rows = &mut rows[..now.len()];
        transpose(now, &mut plane[..elements], rows, size);
        let at = out.len();
        out.extend_from_slice(&[0; size_of::<u32>()]);
        let start = out.len();
        append_compressed(&mut out, rows, planes * elements, &mut packed)?;
        let length = u32::try_from(out.len() - start).ok()?;
        out[at..start].copy_from_slice(&length.to_be_bytes());
        rest = later;
    }
    out.extend_from_slice(rest);
    Some(out)
}

/// How many of the first bytes of the elements look random, as those of floats do. The rows of their bits are stored
/// uncompressed.
fn random_planes(elements: &[u8], size: usize) -> usize {
    let is_random = |&byte: &usize| {
        are_random(elements.len() / size, |at, plane| fill_plane(plane, &elements[at * size..], size, byte))
    };
    (0..size).take_while(is_random).count()
}

/// The elements of `size` bytes of a compressed chunk, at most `limit` bytes.
///
/// # Errors
/// The data are damaged, or there is too little memory.
pub(super) fn decompressed(stored: &[u8], size: usize, limit: usize) -> Result<Vec<u8>, String> {
    const DAMAGED: &str = "its bitshuffle-LZ4 data are damaged";
    let total = u64_at(stored, 0).and_then(|total| usize::try_from(total).ok()).ok_or(DAMAGED)?;
    let block_bytes = u32_at(stored, 8).ok_or(DAMAGED)? as usize;
    // The usual block where the header has none; never one beyond the chunk.
    let block = if block_bytes == 0 { usual_block(size) } else { block_bytes / size };
    if total > limit || !total.is_multiple_of(size) || block == 0 || !block.is_multiple_of(8) {
        return Err(DAMAGED.to_owned());
    }
    let longest = (block.min(total / size)) * size;
    let mut rows = crate::memory::filled(longest, 0_u8).ok_or("no memory for a block of it")?;
    let mut out = Vec::new();
    let mut rest = stored.get(HEADER_BYTES..).ok_or(DAMAGED)?;
    for elements in blocks(total / size, block) {
        let length = u32_at(rest, 0).ok_or(DAMAGED)? as usize;
        let packed = rest.get(4..).and_then(|rest| rest.get(..length)).ok_or(DAMAGED)?;
        let rows = &mut rows[..elements * size];
        if !decompress_into(packed, rows).is_ok_and(|length| length == rows.len()) {
            return Err(DAMAGED.to_owned());
        }
        append_restored(&mut out, rows, size, total)?;
        rest = &rest[4 + length..];
    }
    let copied = rest.get(..total - out.len()).ok_or(DAMAGED)?;
    append_all(&mut out, copied)?;
    Ok(out)
}

/// The elements of `size` bytes of a chunk that is transposed in blocks of `block` elements, and not compressed.
///
/// # Errors
/// There is too little memory.
pub(super) fn untransposed(stored: &[u8], size: usize, block: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = stored;
    for elements in blocks(stored.len() / size, block) {
        let (now, later) = rest.split_at(elements * size);
        append_restored(&mut out, now, size, stored.len())?;
        rest = later;
    }
    append_all(&mut out, rest)?;
    Ok(out)
}

/// Appends the elements of a transposed block; `total` bytes will be appended in the end.
fn append_restored(out: &mut Vec<u8>, rows: &[u8], size: usize, total: usize) -> Result<(), String> {
    let at = out.len();
    let more = (total - at).min(rows.len().max(at));
    reserve(out, more).ok_or("no memory for its pixels")?;
    out.resize(at + rows.len(), 0);
    restore(rows, &mut out[at..], size);
    Ok(())
}

fn append_all(out: &mut Vec<u8>, more: &[u8]) -> Result<(), String> {
    reserve(out, more.len()).ok_or("no memory for its pixels")?;
    out.extend_from_slice(more);
    Ok(())
}

/// Transposes a block of a multiple of 8 elements into its rows. `plane` has room for a byte of each element.
fn transpose(elements: &[u8], plane: &mut [u8], rows: &mut [u8], size: usize) {
    let row = plane.len() / 8;
    if row == 0 {
        return;
    }
    for (byte, rows) in rows.chunks_exact_mut(8 * row).enumerate() {
        fill_plane(plane, elements, size, byte);
        let (groups, last) = plane.as_chunks::<64>();
        for (g, group) in groups.iter().enumerate() {
            let (eights, _) = group.as_chunks::<8>();
            let columns = core::array::from_fn(|m| transposed_bits(u64::from_le_bytes(eights[m])));
            for (row, bits) in rows.chunks_exact_mut(row).zip(transposed_bytes(columns)) {
                row[8 * g..][..8].copy_from_slice(&bits.to_le_bytes());
            }
        }
        let (eights, _) = last.as_chunks::<8>();
        for (m, &eight) in (8 * groups.len()..).zip(eights) {
            let bits = transposed_bits(u64::from_le_bytes(eight)).to_le_bytes();
            for (row, bits) in rows.chunks_exact_mut(row).zip(bits) {
                row[m] = bits;
            }
        }
    }
}

/// The inverse of [`transpose`].
fn restore(rows: &[u8], elements: &mut [u8], size: usize) {
    let row = elements.len() / size / 8;
    for (m, eight) in elements.chunks_exact_mut(8 * size).enumerate() {
        for byte in 0..size {
            let column: [u8; 8] = core::array::from_fn(|i| rows[(8 * byte + i) * row + m]);
            let values = transposed_bits(u64::from_le_bytes(column)).to_le_bytes();
            for (k, value) in values.into_iter().enumerate() {
                eight[k * size + byte] = value;
            }
        }
    }
}

/// The 8 x 8 matrix of bits whose row i is byte i, transposed: three exchanges of ever larger squares of bits.
fn transposed_bits(mut x: u64) -> u64 {
    for (shift, mask) in
        [(7, 0x00aa_00aa_00aa_00aa_u64), (14, 0x0000_cccc_0000_cccc), (28, 0x0000_0000_f0f0_f0f0)]
    {
        let moved = (x ^ (x >> shift)) & mask;
        x ^= moved ^ (moved << shift);
    }
    x
}

/// The 8 x 8 matrix of bytes whose row i has the bytes of x_i, transposed: three exchanges of ever smaller squares of bytes.
fn transposed_bytes(mut x: [u64; 8]) -> [u64; 8] {
    for (apart, mask) in
        [(4, 0x0000_0000_ffff_ffff_u64), (2, 0x0000_ffff_0000_ffff), (1, 0x00ff_00ff_00ff_00ff)]
    {
        for i in (0..8).filter(|i| i & apart == 0) {
            let moved = ((x[i] >> (8 * apart)) ^ x[i + apart]) & mask;
            x[i] ^= moved << (8 * apart);
            x[i + apart] ^= moved;
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::super::random::random_bytes;
    use super::*;

    #[test]
    fn a_bit_goes_to_its_row() {
        for (size, count) in [(4, 16), (4, 64), (4, 152), (2, 72), (8, 136)] {
            for (element, byte, bit) in
                [(0, 0, 0), (3, 1, 6), (15, size - 1, 7), (8, 0, 1), (count - 1, 1, 5)]
            {
                let mut elements = vec![0; count * size];
                elements[size * element + byte] = 1 << bit;
                let mut rows = vec![0; count * size];
                transpose(&elements, &mut vec![0; count], &mut rows, size);
                let mut expected = vec![0; count * size];
                expected[(8 * byte + bit) * count / 8 + element / 8] = 1 << (element % 8);
                assert_eq!(rows, expected, "{size} {count} {element}");
                let mut back = vec![0; count * size];
                restore(&rows, &mut back, size);
                assert_eq!(back, elements);
            }
        }
    }

    #[test]
    fn rows_of_bits_that_look_random_are_stored_as_they_are() {
        // Elements of 4 bytes, of which the first ones are random, as those of floats are. They fill more than one share, and
        // their last block is shorter than the others.
        let count = 300_005;
        for random in 0..=4 {
            let mut bytes = random_bytes(4 * count);
            bytes.chunks_exact_mut(4).for_each(|element| element[random..].fill(5));
            assert_eq!(random_planes(&bytes, 4), random);
            let packed = compressed(&bytes, 4).unwrap().into_bytes().unwrap();
            let expected = random * count..=random * count + count / 20;
            assert!(expected.contains(&packed.len()), "{random}: {}", packed.len());
            assert_eq!(decompressed(&packed, 4, bytes.len()).unwrap(), bytes);
        }
    }

    #[test]
    fn chunks_of_any_length_come_back() {
        for size in [1, 2, 4, 8] {
            for count in [0, 1, 7, 8, 9, 2047, 2048, 2055, 5003, 300_000] {
                let bytes: Vec<u8> = (0..count * size).map(|i| (i * i % 251 / 9) as u8).collect();
                let packed = compressed(&bytes, size).unwrap().into_bytes().unwrap();
                assert_eq!(decompressed(&packed, size, bytes.len()).unwrap(), bytes, "{size} {count}");
                assert!(count == 0 || decompressed(&packed, size, bytes.len() - 1).is_err());
                assert!(count == 0 || decompressed(&packed[..packed.len() - 1], size, bytes.len()).is_err());
            }
        }
    }
}
