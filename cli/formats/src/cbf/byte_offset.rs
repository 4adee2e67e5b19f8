//! The byte-offset compression of CBF images.
//!
//! The difference to the previous pixel as i8, or the i8 minimum and an i16, or both minima and an i32, or
//! all three minima and an i64, little endian; the smallest form that does not look like an escape is used.
//! Source: CBFlib manual, "x-CBF_BYTE_OFFSET".

use crate::memory::reserved;

/// The bytes before the binary data.
pub(crate) const STARTER: &[u8] = b"\x0c\x1a\x04\xd5";

/// Number of pixels compressed between two reservations of memory.
const PART_PIXELS: usize = 4096;

/// Largest number of bytes of a compressed pixel: three escapes and an i64.
const MOST_BYTES: usize = 15;

/// Compresses pixels; `None` where there is too little memory.
pub(super) fn compressed(pixels: &[i32]) -> Option<Vec<u8>> {
    // Most neighbouring pixels of a diffraction image differ by so little that an i8 holds the difference.
    let mut bytes = reserved(pixels.len() + pixels.len() / 8)?;
    let mut previous = 0;
    for part in pixels.chunks(PART_PIXELS) {
        bytes.try_reserve(part.len() * MOST_BYTES).ok()?;
        part.iter().for_each(|&pixel| push_delta(&mut bytes, pixel, &mut previous));
    }
    Some(bytes)
}

/// Appends the difference of a pixel to the previous one.
#[inline]
fn push_delta(bytes: &mut Vec<u8>, pixel: i32, previous: &mut i64) {
    let delta = i64::from(pixel) - *previous;
    *previous = i64::from(pixel);
    // The minimum of each type is the escape to the next larger one.
    if let Some(delta) = i8::try_from(delta).ok().filter(|&delta| delta != i8::MIN) {
        bytes.extend(delta.to_le_bytes());
        return;
    }
    bytes.extend(i8::MIN.to_le_bytes());
    if let Some(delta) = i16::try_from(delta).ok().filter(|&delta| delta != i16::MIN) {
        bytes.extend(delta.to_le_bytes());
        return;
    }
    bytes.extend(i16::MIN.to_le_bytes());
    if let Some(delta) = i32::try_from(delta).ok().filter(|&delta| delta != i32::MIN) {
        bytes.extend(delta.to_le_bytes());
        return;
    }
    bytes.extend(i32::MIN.to_le_bytes());
    bytes.extend(delta.to_le_bytes());
}

/// Why data cannot be decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undecodable {
    /// They hold another number of pixels, or pixels beyond the range of i32.
    Damaged,
    /// There is too little memory for the pixels.
    NoMemory,
}

/// Decompresses exactly `count` pixels.
pub(super) fn decompressed(data: &[u8], count: usize) -> Result<Vec<i32>, Undecodable> {
    // A pixel takes at least a byte.
    let pixels = reserved(count.min(data.len())).ok_or(Undecodable::NoMemory)?;
    decompressed_into(pixels, data, count).ok_or(Undecodable::Damaged)
}

/// Appends exactly `count` pixels to `pixels`, which is empty and has room for them.
fn decompressed_into(mut pixels: Vec<i32>, mut data: &[u8], count: usize) -> Option<Vec<i32>> {
    fn take<const N: usize>(data: &mut &[u8]) -> Option<[u8; N]> {
        let (head, tail) = data.split_first_chunk()?;
        *data = tail;
        Some(*head)
    }
    let mut pixel = 0i64;
    while pixels.len() < count {
        // The minimum of each type is the escape to the next larger one.
        let mut delta = i64::from(i8::from_le_bytes(take(&mut data)?));
        if delta == i64::from(i8::MIN) {
            delta = i64::from(i16::from_le_bytes(take(&mut data)?));
            if delta == i64::from(i16::MIN) {
                delta = i64::from(i32::from_le_bytes(take(&mut data)?));
                if delta == i64::from(i32::MIN) {
                    delta = i64::from_le_bytes(take(&mut data)?);
                }
            }
        }
        pixel = pixel.checked_add(delta)?;
        pixels.push(i32::try_from(pixel).ok()?);
    }
    data.is_empty().then_some(pixels)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    fn compressed(pixels: &[i32]) -> Vec<u8> {
        super::compressed(pixels).unwrap()
    }

    fn decompressed(bytes: &[u8], count: usize) -> Vec<i32> {
        super::decompressed(bytes, count).unwrap()
    }

    #[test]
    fn every_escape_and_its_limits() {
        let deltas: [(i32, usize); 14] = [
            (0, 1),
            (127, 1),
            (-127, 1),
            (-128, 3),
            (128, 3),
            (32767, 3),
            (-32767, 3),
            (-32768, 7),
            (32768, 7),
            (i32::MAX, 7),
            (-i32::MAX, 7),
            (i32::MIN, 15),
            (1, 1),
            (-1, 1),
        ];
        for (delta, bytes) in deltas {
            assert_eq!(compressed(&[delta]).len(), bytes, "{delta}");
            assert_eq!(decompressed(&compressed(&[delta]), 1), [delta]);
        }
        assert_eq!(compressed(&[1, 3, 300]), [1, 2, 0x80, 0x29, 0x01]);
        assert_eq!(compressed(&[i32::MAX, i32::MIN]).len(), 7 + 15);
    }

    proptest! {
        #[test]
        fn pixels_come_back(pixels in proptest::collection::vec(
            prop_oneof![-200_i32..200, -70_000..70_000, any::<i32>()], 0..300)) {
            prop_assert_eq!(decompressed(&compressed(&pixels), pixels.len()), pixels);
        }
    }
}
