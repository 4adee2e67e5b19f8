//! HDF5: images in files of NXmx and in plain stacks, and what readers and writers of such files share.
//!
//! A frame is named `FILE:/path:frame`: the path of an array in the file, and the number of the frame, from 0. Both can
//! be left out: `FILE:frame` is a frame of the file's own data, as NeXus names them, and `FILE` the only frame of it.
//!
//! An image is an array of two dimensions (slow, fast), or a frame of one of three (frame, slow, fast) or four (frame,
//! module, slow, fast), whose modules are stacked along slow. Numbers may be integers of any size, f32 or f64; chunks
//! may be compressed by gzip, LZ4 or bitshuffle with LZ4, with shuffle or without.
//!
//! Gaps: -1, the largest value of an integer type, and pixels that the mask of an NXmx file marks.
//! Bounds: frames have at most 2^28 pixels; chunks, and frames as stored, at most 2^31 bytes.

mod file;
mod filters;
mod image;
mod number;
mod place;
#[cfg(test)]
mod tests;
mod virtual_frame;
mod write;

pub(crate) use file::Hdf5File;
pub(crate) use filters::{Filter, StoredChunk, decoded, encoded, pipeline};
pub use image::Hdf5;
pub(crate) use number::Number;
pub use place::Place;
pub(crate) use write::{Objects, class, number, numbers, text, with_units};

/// First bytes of an HDF5 file without a user block.
pub(crate) const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Most pixels of a frame.
pub(crate) const MAX_PIXELS: usize = 1 << 28;
