//! Deflate (gzip): zlib streams.
//!
//! A stream is written in shares, which threads compress in parallel. A share is cut into pieces; neighbouring pieces are
//! compressed together, or, where they look random, stored uncompressed. Everything ends at a whole byte, so that the results
//! can simply follow each other.
//!
//! Source: RFC 1950 and RFC 1951.

use std::io::Read;

use flate2::read::ZlibDecoder;
use flate2::{Compress, Compression as Level, FlushCompress};
use rayon::prelude::*;
use simd_adler32::adler32;

use super::random::are_random;
use super::{SHARE_BYTES, StoredChunk};
use crate::memory::reserve;

/// Bytes that a chunk is unpacked to before more memory is taken.
const STEP_BYTES: usize = 1 << 16;

/// Bytes of a piece: the most that an uncompressed block of deflate can hold.
const PIECE_BYTES: usize = u16::MAX as usize;

/// The modulus of the check sum of a stream (Adler-32), and the sum of no bytes.
const ADLER: u64 = 65_521;
const SUM_OF_NONE: u32 = 1;

/// The bytes that begin a stream.
const HEADER: [u8; 2] = [0x78, 0x01];

/// The header of an uncompressed block that is not the last one; its length and the complement of that follow.
const STORED: u8 = 0;

/// An empty block that is the last one.
const LAST_BLOCK: [u8; 2] = [0x03, 0x00];

/// A zlib stream, whose shares are compressed in parallel.
pub(super) fn deflated(bytes: &[u8], level: u32) -> Option<StoredChunk> {
    let encoder = || Compress::new(Level::new(level), false);
    let shares = bytes.par_chunks(SHARE_BYTES).map_init(encoder, |encoder, share| {
        Some((deflated_share(encoder, share)?, adler32(&share), share.len()))
    });
    let mut sum = SUM_OF_NONE;
    let mut pieces = vec![HEADER.to_vec()];
    for (share, sum_of_share, bytes) in shares.collect::<Option<Vec<_>>>()? {
        sum = joined_adler32(sum, sum_of_share, bytes);
        pieces.push(share);
    }
    pieces.push([&LAST_BLOCK[..], &sum.to_be_bytes()].concat());
    Some(StoredChunk(pieces))
}

/// The blocks of a share.
fn deflated_share(encoder: &mut Compress, share: &[u8]) -> Option<Vec<u8>> {
    let is_random =
        |piece: &[u8]| are_random(piece.len(), |at, to| to.copy_from_slice(&piece[at..][..to.len()]));
    let pieces: Vec<_> = share.chunks(PIECE_BYTES).map(|piece| (piece, is_random(piece))).collect();
    let mut out = Vec::new();
    let mut rest = share;
    for run in pieces.chunk_by(|(_, one), (_, next)| one == next) {
        let (now, later) = rest.split_at(run.iter().map(|(piece, _)| piece.len()).sum());
        if let [(_, true), ..] = run {
            append_stored(&mut out, now)?;
        } else {
            append_deflated(&mut out, encoder, now)?;
        }
        rest = later;
    }
    Some(out)
}

/// Appends bytes as they are.
fn append_stored(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    const FRAME_BYTES: usize = size_of_val(&STORED) + 2 * size_of::<u16>();
    reserve(out, bytes.len() + bytes.len().div_ceil(PIECE_BYTES) * FRAME_BYTES)?;
    for piece in bytes.chunks(PIECE_BYTES) {
        let length = u16::try_from(piece.len()).ok()?;
        out.push(STORED);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(piece);
    }
    Some(())
}

/// Appends bytes compressed, and an empty block, which ends with a whole byte (a sync flush).
fn append_deflated(out: &mut Vec<u8>, encoder: &mut Compress, bytes: &[u8]) -> Option<()> {
    encoder.reset();
    loop {
        // Images with few counts shrink to less; others make the vector grow, by as much as it has.
        reserve(out, out.len().max(bytes.len() / 8 + 1024))?;
        let taken = usize::try_from(encoder.total_in()).ok()?;
        encoder.compress_vec(bytes.get(taken..)?, out, FlushCompress::Sync).ok()?;
        // All has been flushed if there is room left.
        if encoder.total_in() == bytes.len() as u64 && out.len() < out.capacity() {
            return Some(());
        }
    }
}

/// The check sum (Adler-32) of bytes with the sum `first`, followed by `bytes` others with the sum `second`.
///
/// A sum is a + 65536 b, with a = 1 + the sum of the bytes and b = the sum of a after each of them, modulo 65521. The
/// bytes that follow begin with another a than 1, which is in b once for each of them.
fn joined_adler32(first: u32, second: u32, bytes: usize) -> u32 {
    let parts = |sum: u32| [u64::from(sum & 0xffff), u64::from(sum >> 16)];
    let ([a, b], [more_a, more_b]) = (parts(first), parts(second));
    let before = (a + ADLER - 1) % ADLER;
    let b = (b + more_b + bytes as u64 % ADLER * before) % ADLER;
    let a = (before + more_a) % ADLER;
    (b << 16 | a) as u32
}

/// Unpacks a stream of at most `limit` bytes.
///
/// # Errors
/// The data are damaged, or there is too little memory.
pub(super) fn inflated(stored: &[u8], limit: usize) -> Result<Vec<u8>, String> {
    let mut decoder = ZlibDecoder::new(stored);
    let mut out = Vec::new();
    let mut step = STEP_BYTES;
    loop {
        reserve(&mut out, step).ok_or("no memory for its pixels")?;
        let read = decoder.by_ref().take(step as u64).read_to_end(&mut out);
        if read.map_err(|_| "its gzip data are damaged")? < step {
            return Ok(out);
        }
        if out.len() > limit {
            return Err("damaged: a chunk is longer than stated".to_owned());
        }
        // At most doubled, and one byte more than there may be.
        step = out.len().min(limit + 1 - out.len());
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::random_bytes;
    use super::*;

    #[test]
    fn shares_of_a_stream_are_joined() {
        for count in [0, SHARE_BYTES - 1, SHARE_BYTES, SHARE_BYTES + 1, 3 * SHARE_BYTES + 12_345] {
            // Runs of pieces that are stored and of pieces that are compressed.
            let mut bytes = random_bytes(count);
            for piece in
                bytes.chunks_mut(PIECE_BYTES).enumerate().filter(|(i, _)| i % 5 > 2).map(|(_, piece)| piece)
            {
                piece.iter_mut().for_each(|byte| *byte /= 100);
            }
            let stored = deflated(&bytes, 1).unwrap().into_bytes().unwrap();
            assert!(stored.len() <= 3 * count / 4 + 64, "{count}: {}", stored.len());
            assert_eq!(inflated(&stored, count).unwrap(), bytes);
            assert_eq!(stored[stored.len() - 4..], adler32(&bytes.as_slice()).to_be_bytes());
            let shares = bytes.chunks(1000).map(|share| (adler32(&share), share.len()));
            let sum = shares.fold(1, |sum, (share, length)| joined_adler32(sum, share, length));
            assert_eq!(sum, adler32(&bytes.as_slice()));
        }
    }

    #[test]
    fn random_bytes_take_five_bytes_a_piece_more() {
        let bytes = random_bytes(10 * PIECE_BYTES);
        let stored = deflated(&bytes, 1).unwrap().into_bytes().unwrap();
        assert_eq!(stored.len(), HEADER.len() + 10 * (5 + PIECE_BYTES) + LAST_BLOCK.len() + 4);
        assert_eq!(inflated(&stored, bytes.len()).unwrap(), bytes);
    }
}
