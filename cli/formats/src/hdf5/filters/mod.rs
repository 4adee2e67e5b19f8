//! The filters that chunks of HDF5 files pass: shuffle, deflate (gzip), bitshuffle with and without LZ4, and LZ4.
//!
//! They are functions of bytes that any thread can call. All threads of the caller's pool compress one chunk, and the
//! result is the same for any number of them. What a chunk may unpack to is bounded by the size that the file states for
//! it, and memory grows as data arrives.
//! Source: HDF5 File Format Specification 3.0, IV.A.2.l, and the list of registered filters.

mod bitshuffle;
mod deflate;
mod lz4;
mod random;

use rayon::prelude::*;
use rust_hdf5::{Filter as Message, FilterPipeline};

use crate::memory::{reserved, zeroed};

/// Numbers of the filters in files.
const DEFLATE: u16 = 1;
const SHUFFLE: u16 = 2;
const LZ4: u16 = 32004;
const BITSHUFFLE: u16 = 32008;

/// What the parameters of bitshuffle call compression by LZ4.
const WITH_LZ4: u32 = 2;

/// Bytes that a thread compresses at a time.
const SHARE_BYTES: usize = 1 << 20;

/// Bits of a filter's flags: a chunk may skip it.
const OPTIONAL: u16 = 1;

/// A filter of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Filter {
    /// The first bytes of all elements, then their second bytes, and so on.
    Shuffle {
        /// Bytes of an element.
        size: usize,
    },
    /// A zlib stream.
    Deflate {
        /// Level of compression, 0 to 9.
        level: u32,
    },
    /// Transposed bits; `block` elements at a time.
    Bitshuffle { size: usize, block: usize },
    /// Transposed bits, compressed.
    BitshuffleLz4 { size: usize },
    /// Blocks of LZ4, which are only read.
    Lz4,
}

impl Filter {
    /// The filter that a file describes.
    ///
    /// # Errors
    /// It is none of those that are read here, or has impossible parameters.
    pub(crate) fn of(message: &Message) -> Result<Self, String> {
        let value = |at: usize| message.cd_values.get(at).copied().unwrap_or(0) as usize;
        let size = |at: usize| {
            let size = value(at);
            if (1..=16).contains(&size) {
                Ok(size)
            } else {
                Err(format!("a filter for elements of {size} bytes"))
            }
        };
        match message.id {
            DEFLATE => Ok(Self::Deflate { level: value(0).min(9) as u32 }),
            SHUFFLE => Ok(Self::Shuffle { size: size(0)? }),
            LZ4 => Ok(Self::Lz4),
            BITSHUFFLE if value(4) as u32 == WITH_LZ4 => Ok(Self::BitshuffleLz4 { size: size(2)? }),
            BITSHUFFLE if value(4) == 0 => {
                let size = size(2)?;
                let block = if value(3) == 0 { bitshuffle::usual_block(size) } else { value(3) };
                if !block.is_multiple_of(8) {
                    return Err(format!("bitshuffle in blocks of {block} elements"));
                }
                Ok(Self::Bitshuffle { size, block })
            }
            BITSHUFFLE => Err("bitshuffle with Zstandard, which is not read here".to_owned()),
            id => Err(format!("HDF5 filter {id}, which is not read here")),
        }
    }

    fn message(self) -> Message {
        let (id, cd_values) = match self {
            Self::Shuffle { size } => (SHUFFLE, vec![size as u32]),
            Self::Deflate { level } => (DEFLATE, vec![level]),
            Self::Bitshuffle { size, block } => (BITSHUFFLE, vec![0, 0, size as u32, block as u32, 0]),
            Self::BitshuffleLz4 { size } => (BITSHUFFLE, vec![0, 0, size as u32, 0, WITH_LZ4]),
            Self::Lz4 => (LZ4, Vec::new()),
        };
        Message { id, flags: OPTIONAL, cd_values }
    }

    /// What the filter makes of a chunk; `None` where there is too little memory.
    fn applied(self, bytes: &[u8]) -> Option<StoredChunk> {
        match self {
            Self::Shuffle { size } => shuffled(bytes, size).map(StoredChunk::from),
            Self::Deflate { level } => deflate::deflated(bytes, level),
            Self::BitshuffleLz4 { size } => bitshuffle::compressed(bytes, size),
            // Nothing is written with these.
            Self::Bitshuffle { .. } | Self::Lz4 => None,
        }
    }

    /// The bytes, at most `limit`, that the filter made `stored` of.
    fn reversed(self, stored: &[u8], limit: usize) -> Result<Vec<u8>, String> {
        match self {
            Self::Shuffle { size } => {
                unshuffled(stored, size).ok_or_else(|| "no memory for its pixels".to_owned())
            }
            Self::Deflate { .. } => deflate::inflated(stored, limit),
            Self::Bitshuffle { size, block } => bitshuffle::untransposed(stored, size, block),
            Self::BitshuffleLz4 { size } => bitshuffle::decompressed(stored, size, limit),
            Self::Lz4 => lz4::decompressed(stored, limit),
        }
    }
}

/// The pipeline as a file describes it.
pub(crate) fn pipeline(filters: &[Filter]) -> FilterPipeline {
    FilterPipeline { filters: filters.iter().map(|filter| filter.message()).collect() }
}

/// A chunk as it is stored, in consecutive pieces, each compressed by one thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredChunk(Vec<Vec<u8>>);

impl From<Vec<u8>> for StoredChunk {
    fn from(bytes: Vec<u8>) -> Self {
        Self(vec![bytes])
    }
}

impl StoredChunk {
    /// Its pieces.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// Its bytes.
    pub(crate) fn len(&self) -> usize {
        self.pieces().map(<[u8]>::len).sum()
    }

    /// Its bytes in one piece; `None` where there is too little memory.
    pub(crate) fn into_bytes(mut self) -> Option<Vec<u8>> {
        if self.0.len() == 1 {
            return self.0.pop();
        }
        let mut bytes = reserved(self.len())?;
        self.pieces().for_each(|piece| bytes.extend_from_slice(piece));
        Some(bytes)
    }
}

/// A chunk as it is stored; `None` where there is too little memory.
pub(crate) fn encoded(filters: &[Filter], bytes: &[u8]) -> Option<StoredChunk> {
    let Some((first, rest)) = filters.split_first() else {
        let mut copy = reserved(bytes.len())?;
        copy.extend_from_slice(bytes);
        return Some(copy.into());
    };
    rest.iter().try_fold(first.applied(bytes)?, |chunk, filter| filter.applied(&chunk.into_bytes()?))
}

/// The `length` bytes of a chunk that is stored as `stored`; bit i of `skipped` says that it did not pass filter i.
///
/// # Errors
/// The data are damaged or of another length, or there is too little memory.
pub(crate) fn decoded(
    filters: &[Filter],
    skipped: u32,
    stored: Vec<u8>,
    length: usize,
) -> Result<Vec<u8>, String> {
    let passed = |i: usize| u32::try_from(i).ok().and_then(|i| skipped.checked_shr(i)).unwrap_or(0) & 1 == 0;
    let applied = filters.iter().enumerate().filter(|&(i, _)| passed(i)).map(|(_, filter)| filter);
    let chunk = applied.rev().try_fold(stored, |chunk, filter| filter.reversed(&chunk, length))?;
    if chunk.len() == length {
        Ok(chunk)
    } else {
        Err(format!("damaged: a chunk has {} bytes instead of {length}", chunk.len()))
    }
}

fn shuffled(bytes: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut out = zeroed(bytes.len())?;
    let whole = bytes.len() / size;
    out.par_chunks_exact_mut(whole.max(1))
        .take(size.min(bytes.len()))
        .enumerate()
        .for_each(|(byte, plane)| fill_plane(plane, bytes, size, byte));
    out[whole * size..].copy_from_slice(&bytes[whole * size..]);
    Some(out)
}

/// Fills `plane` with byte number `byte` of each of the elements of `size` bytes.
fn fill_plane(plane: &mut [u8], elements: &[u8], size: usize, byte: usize) {
    const WORD: usize = size_of::<u32>();
    // The pixels that are written have this size. Shifts become vectors, bytes that are picked do not.
    if size == WORD {
        let (words, _) = elements.as_chunks::<WORD>();
        for (to, &word) in plane.iter_mut().zip(words) {
            *to = (u32::from_le_bytes(word) >> (8 * byte)) as u8;
        }
        return;
    }
    for (to, from) in plane.iter_mut().zip(elements[byte..].iter().step_by(size)) {
        *to = *from;
    }
}

fn unshuffled(stored: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut out = zeroed(stored.len())?;
    let whole = stored.len() / size;
    for byte in 0..size.min(stored.len()) {
        let plane = &stored[byte * whole..][..whole];
        for (to, from) in out[byte..].iter_mut().step_by(size).zip(plane) {
            *to = *from;
        }
    }
    out[whole * size..].copy_from_slice(&stored[whole * size..]);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: [&[Filter]; 4] = [
        &[],
        &[Filter::Deflate { level: 1 }],
        &[Filter::Shuffle { size: 4 }, Filter::Deflate { level: 1 }],
        &[Filter::BitshuffleLz4 { size: 4 }],
    ];

    #[test]
    fn what_passes_a_pipeline_comes_back() {
        for filters in WRITTEN {
            for count in [0, 1, 9, 4096, 10_007] {
                let bytes: Vec<u8> = (0..4 * count).map(|i| (i * i % 1013 / 99) as u8).collect();
                let stored = encoded(filters, &bytes).unwrap().into_bytes().unwrap();
                assert_eq!(decoded(filters, 0, stored.clone(), bytes.len()).unwrap(), bytes);
                assert!(decoded(filters, 0, stored, bytes.len() + 1).is_err());
                assert_eq!(decoded(filters, u32::MAX, bytes.clone(), bytes.len()).unwrap(), bytes);
            }
        }
    }

    #[test]
    fn a_pipeline_is_described_as_it_is_read() {
        let known = [Filter::Bitshuffle { size: 2, block: 64 }, Filter::Lz4];
        for filter in WRITTEN.concat().into_iter().chain(known) {
            assert_eq!(Filter::of(&filter.message()), Ok(filter));
        }
        let message = |id, cd_values: &[u32]| Message { id, flags: 0, cd_values: cd_values.to_vec() };
        for (id, values) in [
            (3, &[][..]),
            (SHUFFLE, &[0]),
            (SHUFFLE, &[u32::MAX]),
            (BITSHUFFLE, &[0, 0, 4, 4, 0]),
            (BITSHUFFLE, &[0, 4, 4, 0, 3]),
        ] {
            assert!(Filter::of(&message(id, values)).is_err(), "{id} {values:?}");
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = encoded(&[Filter::Deflate { level: 9 }], &vec![0; 1 << 22]).unwrap().into_bytes().unwrap();
        assert!(bomb.len() < 1 << 13);
        let error = decoded(&[Filter::Deflate { level: 9 }], 0, bomb, 1000).unwrap_err();
        assert_eq!(error, "damaged: a chunk is longer than stated");
    }
}
