//! Reading of HDF5 files within bounds: what a file states is compared with what can be meant before memory is taken
//! for it, and memory grows as data arrives.
//!
//! The structure of files (groups, links, indices of chunks) is read by the crate `rust-hdf5`, chunks are unpacked by
//! our own [`super::filters`].

use core::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytemuck::cast_slice;
use rust_hdf5::{DatatypeMessage, H5Dataset, H5File, Hdf5Error, StorageLayout};

use super::SIGNATURE;
use super::filters::{Filter, decoded};
use super::number::Number;
use super::virtual_frame::{Found, Source, find};
use crate::failure::Failure;
use crate::memory::{is_there, reserve, zeroed};
use crate::text::{cannot_read, in_file};

/// Most bytes of a chunk, and of what is read at a time.
const MAX_BYTES: usize = 1 << 31;

/// Most numbers of the tables and scalars that describe an experiment.
const MAX_NUMBERS: usize = 1 << 22;

/// Longest text that is read.
const MAX_TEXT_BYTES: usize = 1 << 16;

/// Bytes of an array without chunks that are read at a time.
const SLICE_BYTES: usize = 1 << 22;

/// Most files that lead to a frame by virtual datasets.
const MAX_DEPTH: usize = 8;

/// First bytes of a file, which hold its length.
const SUPERBLOCK_BYTES: u64 = 64;

/// Most dimensions of an array.
const MAX_RANK: usize = 8;

/// A file that is open for reading.
pub(crate) struct Hdf5File {
    path: PathBuf,
    file: H5File,
    /// Files that led here, each by a virtual dataset.
    depth: usize,
}

impl fmt::Debug for Hdf5File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hdf5File").field(&self.path).finish()
    }
}

impl Hdf5File {
    /// Opens a file. Names and attributes of all its objects are read.
    ///
    /// # Errors
    /// The file cannot be read or is not HDF5.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let metadata = fs::metadata(path).map_err(|error| cannot_read(path, &error))?;
        if !metadata.is_file() {
            return Err(in_file(path, "not an ordinary file, as HDF5 needs"));
        }
        if !is_there(0) {
            return Err(in_file(path, "no memory to read it"));
        }
        let mut start = Vec::new();
        let read = fs::File::open(path).and_then(|file| file.take(SUPERBLOCK_BYTES).read_to_end(&mut start));
        read.map_err(|error| cannot_read(path, &error))?;
        if !start.starts_with(SIGNATURE) {
            return Err(in_file(path, "not an HDF5 file"));
        }
        let stated = stated_bytes(&start).ok_or_else(|| in_file(path, "truncated: it ends in its header"))?;
        if stated > metadata.len() {
            let what = format!("truncated: it has {} of its {stated} bytes", metadata.len());
            return Err(in_file(path, what));
        }
        let file = H5File::options().no_locking().open(path);
        let file = file.map_err(|error| {
            in_file(path, format!("damaged, or not a file that is read here ({})", line(&error)))
        })?;
        Ok(Self { path: path.to_owned(), file, depth: 0 })
    }

    /// The failure of the object `name` of the file.
    pub(crate) fn failure(&self, name: &str, what: impl fmt::Display) -> Failure {
        in_file(&self.path, format!("{name}: {what}"))
    }

    /// The array of numbers `name`; `None` where there is no such object.
    ///
    /// # Errors
    /// It is no array of numbers, or cannot be read.
    pub(crate) fn array(&self, name: &str) -> Result<Option<Array<'_>>, Failure> {
        let Some(set) = self.dataset(name)? else { return Ok(None) };
        let fail = |what: String| self.failure(name, what);
        let datatype = set.datatype().map_err(|error| fail(line(&error)))?;
        let number =
            Number::of(&datatype).ok_or_else(|| fail(format!("not numbers but {}", kind(&datatype))))?;
        let shape = set.shape();
        if shape.len() > MAX_RANK {
            return Err(fail(format!("has {} dimensions", shape.len())));
        }
        Ok(Some(Array { file: self, name: name.to_owned(), set, number, shape }))
    }

    fn dataset(&self, name: &str) -> Result<Option<H5Dataset>, Failure> {
        match self.file.dataset(name.trim_start_matches('/')) {
            Ok(set) => Ok(Some(set)),
            Err(Hdf5Error::NotFound(_)) => Ok(None),
            Err(error) => Err(self.failure(name, line(&error))),
        }
    }

    /// All numbers of the array `name`; `None` where there is no such object.
    ///
    /// # Errors
    /// It is no array of numbers, is too long, or cannot be read.
    pub(crate) fn numbers(&self, name: &str) -> Result<Option<Vec<f64>>, Failure> {
        self.array(name)?.map(|array| array.all()).transpose()
    }

    /// The first number of the array `name`; `None` where there is none.
    ///
    /// # Errors
    /// As [`Hdf5File::numbers`].
    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>, Failure> {
        Ok(self.numbers(name)?.and_then(|numbers| numbers.first().copied()))
    }

    /// The text `name`; `None` where there is none.
    ///
    /// # Errors
    /// It is no text, is too long, or cannot be read.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        let Some(set) = self.dataset(name)? else { return Ok(None) };
        let fail = |what: String| self.failure(name, what);
        let datatype = set.datatype().map_err(|error| fail(line(&error)))?;
        let bytes = match datatype {
            DatatypeMessage::FixedString { size, .. } => size as usize,
            DatatypeMessage::VarLenString { .. } => set.element_size(),
            _ => return Err(fail(format!("not a text but {}", kind(&datatype)))),
        };
        let total = set.shape().iter().try_fold(bytes, |total, &length| total.checked_mul(length));
        if total.is_none_or(|total| total > MAX_TEXT_BYTES) {
            return Err(fail("too long a text".to_owned()));
        }
        let texts = set.read_strings_lossy().map_err(|error| fail(line(&error)))?;
        Ok(texts.into_iter().next().map(|text| text.trim_end_matches(['\0', ' ']).to_owned()))
    }

    /// The text of an attribute of the group or array `name`; `None` where there is none.
    pub(crate) fn text_attribute(&self, name: &str, attribute: &str) -> Option<String> {
        let name = name.trim_matches('/');
        let text = if name.is_empty() {
            self.file.attr_string(attribute).ok()
        } else if let Ok(group) = self.file.root_group().group(name) {
            group.attr_string(attribute).ok()
        } else {
            self.dataset(name).ok().flatten()?.attr(attribute).ok()?.read_string().ok()
        };
        text.map(|text| text.trim_end_matches(['\0', ' ']).to_owned())
    }

    /// The numbers of an attribute of the array `name`; `None` where there is none.
    pub(crate) fn number_attribute(&self, name: &str, attribute: &str) -> Option<Vec<f64>> {
        let attribute = self.dataset(name).ok().flatten()?.attr(attribute).ok()?;
        let number = Number::of(&attribute.datatype().ok()?)?;
        Some(number.values(&attribute.read_raw().ok()?))
    }

    /// The names of the groups in the group `name`, in alphabetical order.
    pub(crate) fn groups(&self, name: &str) -> Vec<String> {
        let root = self.file.root_group();
        let name = name.trim_matches('/');
        let group = if name.is_empty() { Ok(root) } else { root.group(name) };
        group.and_then(|group| group.group_names()).unwrap_or_default()
    }

    /// The groups in the group `name` whose attribute NX_class is `class`, as paths, in alphabetical order.
    pub(crate) fn of_class(&self, name: &str, class: &str) -> Vec<String> {
        let children = self.groups(name).into_iter();
        let paths = children.map(|child| format!("{}/{child}", name.trim_end_matches('/')));
        paths.filter(|path| self.text_attribute(path, "NX_class").as_deref() == Some(class)).collect()
    }
}

/// An array of numbers in a file.
pub(crate) struct Array<'a> {
    file: &'a Hdf5File,
    name: String,
    set: H5Dataset,
    /// The type of its numbers, as stored.
    number: Number,
    /// Lengths of its dimensions, the slowest first; empty for a scalar.
    pub(crate) shape: Vec<usize>,
}

impl fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Array").field("name", &self.name).field("shape", &self.shape).finish()
    }
}

impl Array<'_> {
    /// Whether its numbers lie in other arrays.
    pub(crate) fn is_virtual(&self) -> bool {
        matches!(self.set.storage_layout(), Ok(StorageLayout::Virtual))
    }

    /// Whether its numbers are floats.
    pub(crate) fn is_float(&self) -> bool {
        self.number.is_float()
    }

    /// The filters that its chunks passed.
    ///
    /// # Errors
    /// They cannot be read, or are not all known here.
    pub(crate) fn filters(&self) -> Result<Vec<Filter>, Failure> {
        let filters = self.set.filters().map_err(|error| self.failure(line(&error)))?;
        let filters: Result<_, _> = filters.iter().map(Filter::of).collect();
        filters.map_err(|what| self.failure(format_args!("compressed by {what}")))
    }

    fn all(&self) -> Result<Vec<f64>, Failure> {
        let count = self.shape.iter().try_fold(1_usize, |count, &length| count.checked_mul(length));
        if count.is_none_or(|count| count > MAX_NUMBERS) {
            return Err(self.failure("has too many numbers"));
        }
        let start = vec![0; self.shape.len()];
        let (bytes, number) = self.read(&start, &self.shape)?;
        Ok(number.values(&bytes))
    }

    fn failure(&self, what: impl fmt::Display) -> Failure {
        self.file.failure(&self.name, what)
    }

    /// The numbers from `start` on, `count` of them along each dimension, and the type that they have now.
    ///
    /// # Errors
    /// They are not all in the array, are too many, or cannot be read.
    pub(crate) fn read(&self, start: &[usize], count: &[usize]) -> Result<(Vec<u8>, Number), Failure> {
        let inside = |(&length, (&start, &count)): (&usize, (&usize, &usize))| {
            start.checked_add(count).is_some_and(|end| end <= length)
        };
        let mut lengths = self.shape.iter().zip(start.iter().zip(count));
        if start.len() != self.shape.len() || count.len() != self.shape.len() || !lengths.all(inside) {
            return Err(self.failure("shorter than expected"));
        }
        let bytes = bytes_of(count, self.number.size).ok_or_else(|| self.failure("too large to be read"))?;
        match self.set.storage_layout().map_err(|error| self.failure(line(&error)))? {
            StorageLayout::Chunked => Ok((self.read_chunks(start, count, bytes)?, self.number)),
            StorageLayout::Virtual => self.read_virtual(start, count, bytes),
            // Not a slice, and in the byte order of the file.
            _ if self.shape.is_empty() => {
                let bytes = self.set.read_raw_bytes().map_err(|error| self.failure(line(&error)))?;
                Ok((bytes, self.number))
            }
            _ => Ok((self.read_slices(start, count, bytes)?, self.number.native())),
        }
    }

    /// Numbers of a virtual dataset, from the file that has them where they are of one frame.
    fn read_virtual(
        &self,
        start: &[usize],
        count: &[usize],
        bytes: usize,
    ) -> Result<(Vec<u8>, Number), Failure> {
        let Hdf5File { path, depth, .. } = self.file;
        let is_frame = count.first() == Some(&1) && start.iter().skip(1).all(|&start| start == 0);
        let found = if is_frame { find(path, &self.set, &self.shape, start[0]) } else { Found::Scattered };
        let Source { file, array, frame } = match found {
            Found::Frame(source) => source,
            Found::Nowhere => return Err(self.failure("a frame that no file has")),
            Found::Scattered => return Ok((self.read_slices(start, count, bytes)?, self.number.native())),
        };
        if *depth == MAX_DEPTH {
            return Err(self.failure("its virtual datasets go round in a circle"));
        }
        let elsewhere = |failure: Failure| failure.context(self.failure("its frame is in another file"));
        let file = Hdf5File { depth: depth + 1, ..Hdf5File::open(&file).map_err(elsewhere)? };
        let array = file.array(&array)?.ok_or_else(|| file.failure(&array, "a source that is not there"))?;
        if array.shape.get(1..) != self.shape.get(1..) {
            return Err(self.failure("a source of another shape"));
        }
        let mut start = start.to_vec();
        start[0] = frame;
        array.read(&start, count)
    }

    /// Numbers that are not in chunks, some rows at a time, so that memory grows with what is there.
    fn read_slices(&self, start: &[usize], count: &[usize], bytes: usize) -> Result<Vec<u8>, Failure> {
        let Some(split) = count.iter().position(|&length| length > 1) else {
            return self.read_slice(start, count);
        };
        let row = bytes / count[split];
        let rows = (SLICE_BYTES / row.max(1)).max(1);
        let (mut start, mut now) = (start.to_vec(), count.to_vec());
        let mut out = Vec::new();
        let mut left = count[split];
        while left > 0 {
            now[split] = rows.min(left);
            left -= now[split];
            let slice = self.read_slice(&start, &now)?;
            let more = (bytes - out.len()).min(slice.len().max(out.len()));
            reserve(&mut out, more).ok_or_else(|| self.failure("no memory for it"))?;
            out.extend_from_slice(&slice);
            start[split] += now[split];
        }
        Ok(out)
    }

    fn read_slice(&self, start: &[usize], count: &[usize]) -> Result<Vec<u8>, Failure> {
        let bytes = match self.number.size {
            1 => self.set.read_slice::<u8>(start, count),
            2 => self.set.read_slice::<u16>(start, count).map(|values| cast_slice(&values).to_vec()),
            4 => self.set.read_slice::<u32>(start, count).map(|values| cast_slice(&values).to_vec()),
            _ => self.set.read_slice::<u64>(start, count).map(|values| cast_slice(&values).to_vec()),
        };
        bytes.map_err(|error| self.failure(line(&error)))
    }

    /// Numbers of a dataset in chunks, each read and unpacked by itself.
    fn read_chunks(&self, start: &[usize], count: &[usize], bytes: usize) -> Result<Vec<u8>, Failure> {
        let size = self.number.size;
        let chunk = self.set.chunk_dims().filter(|chunk| chunk.len() == self.shape.len());
        let chunk = chunk.filter(|chunk| !chunk.is_empty() && !chunk.contains(&0));
        let chunk = chunk.ok_or_else(|| self.failure("damaged: its chunks have no size"))?;
        let chunk_bytes = bytes_of(&chunk, size).ok_or_else(|| self.failure("its chunks are too large"))?;
        let filters = self.filters()?;
        let mut out = zeroed(bytes).ok_or_else(|| self.failure("no memory for it"))?;
        if bytes == 0 {
            return Ok(out);
        }
        let first: Vec<usize> = start.iter().zip(&chunk).map(|(start, chunk)| start / chunk).collect();
        let grid: Vec<usize> =
            (0..chunk.len()).map(|d| (start[d] + count[d] - 1) / chunk[d] - first[d] + 1).collect();
        for place in places(&grid) {
            let at: Vec<usize> = place.iter().zip(&first).map(|(place, first)| place + first).collect();
            let (stored, skipped) =
                self.set.read_chunk_raw_at(&at).map_err(|error| self.failure(line(&error)))?;
            let unpacked =
                decoded(&filters, skipped, stored, chunk_bytes).map_err(|what| self.failure(what))?;
            let origin: Vec<usize> = at.iter().zip(&chunk).map(|(at, chunk)| at * chunk).collect();
            copy_common(&unpacked, &origin, &chunk, &mut out, start, count, size);
        }
        Ok(out)
    }
}

/// The length that a file which begins with `start` states of itself, 0 where it need not hold; `None` where the file
/// ends before.
fn stated_bytes(start: &[u8]) -> Option<u64> {
    let version = *start.get(SIGNATURE.len())?;
    // Where the size of addresses is, and the first of them, that of the file's own beginning.
    let (size_at, base_at) = match version {
        0 => (13, 24),
        1 => (13, 28),
        _ => (9, 12),
    };
    if *start.get(size_at)? != 8 {
        return Some(0);
    }
    let address = |i: usize| {
        let bytes = start.get(base_at + 8 * i..)?.first_chunk()?;
        Some(u64::from_le_bytes(*bytes))
    };
    let (base, end) = (address(0)?, address(2)?);
    // What is not the length is damage that the rest of the file shows.
    Some(if base == 0 && end < u64::MAX / 2 { end } else { 0 })
}

/// The bytes of `count` numbers along each dimension; `None` where that is more than is read at a time.
fn bytes_of(count: &[usize], size: usize) -> Option<usize> {
    let bytes = count.iter().try_fold(size, |bytes, &length| bytes.checked_mul(length))?;
    (bytes <= MAX_BYTES).then_some(bytes)
}

/// All places of a grid, the last dimension the fastest.
fn places(grid: &[usize]) -> impl Iterator<Item = Vec<usize>> + use<> {
    let grid = grid.to_vec();
    let count = grid.iter().product::<usize>();
    (0..count).map(move |mut rest| {
        let mut place = vec![0; grid.len()];
        for (place, length) in place.iter_mut().zip(&grid).rev() {
            *place = rest % length;
            rest /= length;
        }
        place
    })
}

/// Copies the numbers that a chunk (`origin`, `chunk`) and the box to read (`start`, `count`) have in common.
fn copy_common(
    from: &[u8],
    origin: &[usize],
    chunk: &[usize],
    to: &mut [u8],
    start: &[usize],
    count: &[usize],
    size: usize,
) {
    let low: Vec<usize> = origin.iter().zip(start).map(|(origin, start)| *origin.max(start)).collect();
    let high = (0..chunk.len()).map(|d| (origin[d] + chunk[d]).min(start[d] + count[d]));
    let common: Vec<usize> = high.zip(&low).map(|(high, low)| high - low).collect();
    let Some((&run, rows)) = common.split_last() else { return };
    let offset = |place: &[usize], corner: &[usize], lengths: &[usize]| {
        let along = |d: usize| low[d] + place.get(d).copied().unwrap_or(0) - corner[d];
        size * (0..lengths.len()).fold(0, |index, d| index * lengths[d] + along(d))
    };
    for place in places(rows) {
        let (source, target) = (offset(&place, origin, chunk), offset(&place, start, count));
        to[target..target + size * run].copy_from_slice(&from[source..source + size * run]);
    }
}

/// What a type is of, in a word.
fn kind(datatype: &DatatypeMessage) -> &'static str {
    match datatype {
        DatatypeMessage::FixedPoint { .. } => "integers",
        DatatypeMessage::FloatingPoint { .. } => "floats",
        DatatypeMessage::FixedString { .. } | DatatypeMessage::VarLenString { .. } => "texts",
        DatatypeMessage::Compound { .. } => "records",
        DatatypeMessage::Reference { .. } => "references",
        _ => "values of another kind",
    }
}

/// An error of the crate as one line.
pub(super) fn line(error: &Hdf5Error) -> String {
    let text = error.to_string();
    let mut short: String = text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short
}
