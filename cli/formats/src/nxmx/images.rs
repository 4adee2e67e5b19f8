//! The images of a frame, its pixels and perhaps the means of these, as one block of bytes.
//!
//! A single image is the block. Of several, their lengths come first, 8 bytes each, least significant first.

use crate::memory::reserved;

/// Bytes of a length.
const LENGTH_BYTES: usize = size_of::<u64>();

/// The images as one block; `None` where there is no memory for it.
pub(super) fn joined(images: Vec<Vec<u8>>) -> Option<Vec<u8>> {
    let mut images = images;
    if images.len() == 1 {
        return images.pop();
    }
    let length = images.iter().map(|image| LENGTH_BYTES + image.len()).sum();
    let mut block = reserved(length)?;
    for image in &images {
        block.extend_from_slice(&(image.len() as u64).to_le_bytes());
    }
    images.iter().for_each(|image| block.extend_from_slice(image));
    Some(block)
}

/// The images of a block; `None` where it has not `count` of them.
pub(super) fn separated(block: Vec<u8>, count: usize) -> Option<Vec<Vec<u8>>> {
    if count == 1 {
        return Some(vec![block]);
    }
    let (lengths, mut rest) = block.split_at_checked(count.checked_mul(LENGTH_BYTES)?)?;
    let mut images = Vec::with_capacity(count);
    for length in lengths.as_chunks::<LENGTH_BYTES>().0 {
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (image, after) = rest.split_at_checked(length)?;
        images.push(image.to_vec());
        rest = after;
    }
    rest.is_empty().then_some(images)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_their_images_again() {
        for images in [vec![vec![1, 2, 3]], vec![vec![], vec![7; 300], vec![1]]] {
            let block = joined(images.clone()).unwrap();
            assert_eq!(separated(block.clone(), images.len()), Some(images.clone()));
            if images.len() > 1 {
                assert_eq!(separated(block[..block.len() - 1].to_vec(), images.len()), None);
                assert_eq!(separated(block, images.len() - 1), None);
            }
        }
        assert_eq!(separated(vec![255; 24], 3), None);
        assert_eq!(separated(vec![0; 23], 3), None);
    }
}
