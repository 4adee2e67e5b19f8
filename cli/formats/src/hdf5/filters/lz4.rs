//! HDF5 filter 32004, and the blocks of LZ4 that bitshuffle has too.
//!
//! A chunk is: its size before compression (u64), bytes of a block before compression (u32), then for each block its
//! stored size (u32) and its data, all big-endian. A block that is stored at full size is not compressed.
//!
//! Source: the description of filter 32004 among the registered filters of HDF5.

use lz4_flex::block::{compress_into, decompress_into};

use crate::memory::reserve;

/// The number of literals that a token can hold; from this one on, further bytes add to it.
const LONG: u8 = 15;

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

/// Appends `bytes` as an LZ4 block, the first `literals` of them uncompressed and the rest compressed, with `packed` as
/// working space; `None` where that is too short.
///
/// A block consists of sequences: some literal bytes, then a copy of bytes that came before. The `literals` are put before
/// those of the first sequence of the rest.
pub(super) fn append_compressed(
    out: &mut Vec<u8>,
    bytes: &[u8],
    literals: usize,
    packed: &mut [u8],
) -> Option<()> {
    let (literals, rest) = bytes.split_at_checked(literals)?;
    let length = compress_into(rest, packed).ok()?;
    let (&token, mut packed) = packed.get(..length)?.split_first()?;
    let mut count = literals.len() + usize::from(token >> 4);
    // Longer numbers continue in further bytes, up to the first that is below 255.
    let mut goes_on = token >> 4 == LONG;
    while goes_on {
        let (&more, behind) = packed.split_first()?;
        (count, packed, goes_on) = (count + usize::from(more), behind, more == u8::MAX);
    }
    out.push((count.min(usize::from(LONG)) as u8) << 4 | token & 0xf);
    if let Some(more) = count.checked_sub(usize::from(LONG)) {
        out.extend(core::iter::repeat_n(u8::MAX, more / usize::from(u8::MAX)));
        out.push((more % usize::from(u8::MAX)) as u8);
    }
    out.extend_from_slice(literals);
    out.extend_from_slice(packed);
    Some(())
}

#[cfg(test)]
mod tests {
    use lz4_flex::block::get_maximum_output_size;

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

    #[test]
    fn literals_are_joined_to_those_of_the_rest() {
        // The rest begins with 0, 1, 14, 15, 269, 270 and 271 bytes that are not there before, or is nothing else.
        let rests = [0, 1, 14, 15, 269, 270, 271].map(|fresh| {
            let fresh = (0..fresh).map(|i: u32| (i * i / 7 % 256) as u8);
            fresh.chain(core::iter::repeat_n(9, 100)).collect::<Vec<u8>>()
        });
        for rest in rests.iter().map(Vec::as_slice).chain([&[][..], &[1, 2, 3]]) {
            for literals in [0, 1, 14, 15, 16, 254, 255, 256, 5000] {
                let bytes: Vec<u8> =
                    (0..literals).map(|i| (i * 31 % 256) as u8).chain(rest.iter().copied()).collect();
                let mut packed = vec![0; get_maximum_output_size(bytes.len())];
                let mut out = vec![7];
                append_compressed(&mut out, &bytes, literals, &mut packed).unwrap();
                let mut back = vec![0; bytes.len()];
                assert_eq!(decompress_into(&out[1..], &mut back).unwrap(), bytes.len());
                assert_eq!(back, bytes, "{literals} {}", rest.len());
            }
        }
    }
}
