//! Finished files of a series, whose frames are kept where the series is resumed.

use core::ops::Range;
use std::path::Path;

use super::writer::{Checked, FrameArray, Membership};
use super::{DATA, FIRST_FRAME, SERIES};
use crate::failure::Failure;
use crate::hdf5::{Filter, Hdf5File, Number};
use crate::image::PixelType;
use crate::text::in_file;

/// A file of a series.
#[derive(Debug)]
pub(super) struct Finished {
    file: Hdf5File,
    /// Its frames, counted in the series.
    pub(super) frames: Range<usize>,
    /// Whether its frames lie in other files.
    pub(super) is_master: bool,
    size: [usize; 2],
    /// The data, and the images beside them.
    arrays: Vec<FrameArray>,
    /// `None` where they are not read here.
    filters: Option<Vec<Filter>>,
}

impl Finished {
    /// The file `path`; `None` where it cannot be read, or is not one of the series.
    ///
    /// # Errors
    /// It is one of the series, but with other frames than from `member.first_frame` on.
    pub(super) fn open(
        path: &Path,
        member: Membership<'_>,
        checked: &Checked,
    ) -> Result<Option<Self>, Failure> {
        let Some((file, first)) = Hdf5File::open(path).ok().and_then(|file| {
            let series = file.text(SERIES).ok()??;
            let first = file.number(FIRST_FRAME).ok()??;
            (series == member.series && !series.is_empty()).then_some((file, first as usize))
        }) else {
            return Ok(None);
        };
        let expected = member.first_frame + 1;
        if first != expected {
            return Err(in_file(
                path,
                format!(
                    "begins with frame {first} of the series, not with frame {expected}: its files were begun with \
                     another number of frames"
                ),
            ));
        }
        let Some(array) = file.array(DATA).ok().flatten() else { return Ok(None) };
        let size @ [fast, slow] = checked.size;
        let &[count, ..] = &array.shape[..] else { return Ok(None) };
        let shape = |array: &FrameArray| file.array(&array.path).ok().flatten().map(|array| array.shape);
        if checked.arrays.iter().any(|array| shape(array).is_none_or(|shape| shape != [count, slow, fast])) {
            return Ok(None);
        }
        let (is_master, filters) = (array.is_virtual(), array.filters().ok());
        let frames = member.first_frame..member.first_frame.saturating_add(count);
        let arrays = checked.arrays.clone();
        Ok(Some(Self { frames, is_master, size, arrays, filters, file }))
    }

    /// Whether its own frames passed these filters.
    pub(super) fn is_stored_by(&self, filters: &[Filter]) -> bool {
        self.is_master || self.filters.as_deref() == Some(filters)
    }

    /// The pixels of the images of a frame, counted in the series; `None` where it is not in the file, or damaged.
    pub(super) fn pixels(&self, frame: usize) -> Option<Vec<Vec<u8>>> {
        if !self.frames.contains(&frame) {
            return None;
        }
        let [fast, slow] = self.size;
        let image = |FrameArray { path, pixel_type, .. }: &FrameArray| {
            let array = self.file.array(path).ok()??;
            let (bytes, number) = array.read(&[frame - self.frames.start, 0, 0], &[1, slow, fast]).ok()?;
            let expected = match pixel_type {
                PixelType::F32 => Number::F32,
                _ => Number::I32,
            };
            (number == expected).then_some(bytes)
        };
        self.arrays.iter().map(image).collect()
    }
}
