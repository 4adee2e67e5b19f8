//! Frames of virtual datasets, which lie in other files: those whose parts hold whole frames, in steps of one frame.
//!
//! The crate reads virtual datasets too, but not what passed filters that it does not have.

use std::path::{Path, PathBuf};

use rust_hdf5::{H5Dataset, Hyperslab, HyperslabBlock, RegularHyperslab, Selection};

/// Where a frame is really.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// The file.
    pub(super) file: PathBuf,
    /// The array in it.
    pub(super) array: String,
    /// The frame of that array.
    pub(super) frame: usize,
}

/// What the mappings of a virtual dataset say of a frame.
pub(super) enum Found {
    /// It is a frame elsewhere.
    Frame(Source),
    /// No file has it.
    Nowhere,
    /// Frames do not lie elsewhere as a whole.
    Scattered,
}

/// The source of frame `frame` of a virtual dataset of this shape in the file `path`.
pub(super) fn find(path: &Path, set: &H5Dataset, shape: &[usize], frame: usize) -> Found {
    let Ok(mappings) = set.virtual_mappings() else { return Found::Scattered };
    for mapping in mappings {
        let Some((start, length)) = frames(&mapping.virtual_selection, shape) else {
            return Found::Scattered;
        };
        let Some(place) = frame.checked_sub(start).filter(|&place| place < length) else { continue };
        // The rest of the source's shape is checked when the frame is read.
        let source_start = match &mapping.source_selection {
            Selection::All => Some(0),
            selection => frames(selection, shape).map(|(start, _)| start),
        };
        let Some(frame) = source_start.and_then(|start| start.checked_add(place)) else {
            return Found::Scattered;
        };
        let file = match mapping.source_file_name.as_str() {
            "." => path.to_owned(),
            name => path.with_file_name(name.replace("%%", "%")),
        };
        return Found::Frame(Source { file, array: mapping.source_dset_name, frame });
    }
    Found::Nowhere
}

/// The first of the frames that a selection consists of, and their number; `None` where it is not of whole frames.
fn frames(selection: &Selection, shape: &[usize]) -> Option<(usize, usize)> {
    let run: &dyn Fn(usize) -> Option<(usize, usize)> = match selection {
        Selection::All => return Some((0, *shape.first()?)),
        Selection::Hyperslab { form: Hyperslab::Regular(slab), .. } => {
            &|dimension| regular_run(slab, dimension)
        }
        Selection::Hyperslab { form: Hyperslab::Blocks(blocks), .. } => match &blocks[..] {
            [block] => &|dimension| block_run(block, dimension),
            _ => return None,
        },
        _ => return None,
    };
    let whole = (1..shape.len()).all(|dimension| run(dimension) == Some((0, shape[dimension])));
    if whole { run(0) } else { None }
}

/// Start and length of a selection along a dimension, where it has no gaps.
fn regular_run(slab: &RegularHyperslab, dimension: usize) -> Option<(usize, usize)> {
    let [start, stride, count, block] =
        [&slab.start, &slab.stride, &slab.count, &slab.block].map(|numbers| number(numbers, dimension));
    let (count, block) = (count?, block?);
    if count != 1 && stride? != block {
        return None;
    }
    Some((start?, count.checked_mul(block)?))
}

/// Start and length of a block along a dimension.
fn block_run(block: &HyperslabBlock, dimension: usize) -> Option<(usize, usize)> {
    let start = number(&block.start, dimension)?;
    Some((start, number(&block.end, dimension)?.checked_sub(start)?.checked_add(1)?))
}

fn number(numbers: &[u64], dimension: usize) -> Option<usize> {
    usize::try_from(*numbers.get(dimension)?).ok()
}
