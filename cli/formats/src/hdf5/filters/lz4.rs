//! HDF5 filter 32004: blocks of LZ4.
//!
//! A chunk is: its size before compression (u64), bytes of a block before compression (u32), then for each block its
//! stored size (u32) and its data, all big-endian. A block that is stored at full size is not compressed.
//!
//! Source: the description of filter 32004 among the registered filters of HDF5.

use lz4_flex::block::decompress_into;

use crate::memory::reserve;

/// The big-endian number at byte `at`.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The big-endian number at byte `at`.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The bytes of a compressed chunk, at most `limit`.
///
/// # Errors
/// The data are damaged, or there is too little memory.
pub(super) fn decompressed(stored: &[u8], limit: usize) -> Result<Vec<u8>, String> {
    const DAMAGED: &str = "its LZ4 data are damaged";
    let total = u64_at(stored, 0).and_then(|total| usize::try_from(total).ok()).ok_or(DAMAGED)?;
    let block = u32_at(stored, 8).ok_or(DAMAGED)? as usize;
    if total > limit || (block == 0 && total > 0) {
        return Err(DAMAGED.to_owned());
    }
    let mut out = Vec::new();
    let mut rest = stored.get(12..).ok_or(DAMAGED)?;
    while out.len() < total {
        let at = out.len();
        let now = block.min(total - at);
        let length = u32_at(rest, 0).ok_or(DAMAGED)? as usize;
        let packed = rest.get(4..).and_then(|rest| rest.get(..length)).ok_or(DAMAGED)?;
        reserve(&mut out, (total - at).min(now.max(at))).ok_or("no memory for its pixels")?;
        if length == now {
            out.extend_from_slice(packed);
        } else {
            out.resize(at + now, 0);
            if !decompress_into(packed, &mut out[at..]).is_ok_and(|length| length == now) {
                return Err(DAMAGED.to_owned());
            }
        }
        rest = &rest[4 + length..];
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use lz4_flex::block::{compress_into, get_maximum_output_size};

    use super::*;

    #[test]
    fn compressed_and_plain_blocks_are_read_and_damaged_ones_refused() {
        let blocks = [vec![7_u8; 100], (0..100_u32).map(|i| (i * 37 % 101) as u8).collect(), vec![3; 50]];
        let mut stored = [250_u64.to_be_bytes().as_slice(), &100_u32.to_be_bytes()].concat();
        for block in &blocks {
            let mut packed = vec![0; get_maximum_output_size(block.len())];
            let length = compress_into(block, &mut packed).unwrap();
            packed.truncate(length);
            let packed = if packed.len() < block.len() { &packed } else { block };
            stored.extend_from_slice(&(packed.len() as u32).to_be_bytes());
            stored.extend_from_slice(packed);
        }
        assert_eq!(decompressed(&stored, 250).unwrap(), blocks.concat());
        assert!(decompressed(&stored, 249).is_err());
        for length in 0..stored.len() {
            assert!(decompressed(&stored[..length], 250).is_err(), "{length}");
        }
    }
}
