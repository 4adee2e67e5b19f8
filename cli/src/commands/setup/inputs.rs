//! The input files of a render, each read once, so that pipes can be inputs (`-hkl <(...)`). They are fingerprinted
//! while they are read where a series is recorded, and kept where both modes need them. Callers that hold their data in
//! memory give contents instead of files.

use core::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};
use widebragg_formats::failure::Failure as FileFailure;
use widebragg_formats::geometry::GeometryFile;
use widebragg_formats::memory::Watched;
use widebragg_formats::registry::geometry_of_file;

use crate::error::Failure;
use crate::evidence::hex;

/// Bytes read at a time of what a reader has left.
const BLOCK_BYTES: usize = 1 << 16;

/// The input files that were read.
#[derive(Debug, Default)]
pub struct Inputs {
    /// Size and MD5 of each file, by the option that names it; `None` where they are not wanted.
    fingerprints: Option<RefCell<Map<String, Value>>>,
    /// Contents of the files; `None` where none is read again.
    kept: Option<RefCell<BTreeMap<PathBuf, Vec<u8>>>>,
    /// Contents that stand for files.
    given: BTreeMap<PathBuf, Arc<[u8]>>,
}

impl Inputs {
    /// Inputs that are fingerprinted.
    #[must_use]
    pub fn fingerprinted() -> Self {
        Self { fingerprints: Some(RefCell::default()), ..Self::default() }
    }

    /// Inputs whose contents are kept, so that pipes can be read again.
    pub(super) fn kept() -> Self {
        Self { kept: Some(RefCell::default()), ..Self::default() }
    }

    /// Inputs some of which have these contents, whatever there is of the files of their names. A geometry (`--geometry`) is
    /// read from its file all the same.
    #[must_use]
    pub fn given(given: BTreeMap<PathBuf, Arc<[u8]>>) -> Self {
        Self { given, ..Self::default() }
    }

    /// Size and MD5 of each file that was read, by the option that names it.
    #[must_use]
    pub fn fingerprints(&self) -> Value {
        Value::Object(self.fingerprints.as_ref().map(|found| found.borrow().clone()).unwrap_or_default())
    }

    /// Reads the geometry of an experiment from the file `path`, which `option` names. Its fingerprint is that of what was
    /// read: the file may be gigabytes of images, or name other files.
    ///
    /// # Errors
    /// The file cannot be read, or describes no such experiment.
    pub(super) fn geometry(
        &self,
        option: &str,
        path: &Path,
        experiment: usize,
    ) -> Result<GeometryFile, Failure> {
        let read =
            geometry_of_file(path, experiment).map_err(|failure| Failure::from(failure.context(option)))?;
        if let Some(fingerprints) = &self.fingerprints {
            let text = format!("{read:?}");
            let sum = hex(&Md5::digest(&text));
            fingerprints.borrow_mut().insert(option.to_owned(), json!([text.len(), sum]));
        }
        Ok(read)
    }

    /// Reads the file `path`, which `option` names.
    ///
    /// # Errors
    /// The file cannot be read, or `parse` refuses it.
    pub(crate) fn read<T>(
        &self,
        option: &str,
        path: &Path,
        parse: impl FnOnce(&mut dyn Read) -> Result<T, FileFailure>,
    ) -> Result<T, Failure> {
        let unreadable = |error: io::Error| {
            Failure::input(format!("{}: cannot read: {error}", path.display())).of_system().context(option)
        };
        let named = |failure: FileFailure| Failure::from(failure.context(option));
        if let Some(bytes) = self.given.get(path) {
            return parse(&mut &bytes[..]).map_err(named);
        }
        if let Some(kept) = &self.kept {
            let mut kept = kept.borrow_mut();
            let bytes = match kept.entry(path.to_owned()) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let mut bytes = Vec::new();
                    let file = File::open(path).map_err(unreadable)?;
                    Watched(file).read_to_end(&mut bytes).map_err(unreadable)?;
                    new.insert(bytes)
                }
            };
            return parse(&mut &bytes[..]).map_err(named);
        }
        let mut file = File::open(path).map_err(unreadable)?;
        let Some(fingerprints) = &self.fingerprints else { return parse(&mut file).map_err(named) };
        let mut counted = Counted { file, bytes: 0, sum: Md5::new() };
        let parsed = parse(&mut counted).map_err(named)?;
        // The reader may not need the end of the file, which belongs to the fingerprint all the same.
        let mut block = vec![0; BLOCK_BYTES];
        while counted.read(&mut block).map_err(unreadable)? > 0 {}
        let sum = hex(&counted.sum.finalize());
        fingerprints.borrow_mut().insert(option.to_owned(), json!([counted.bytes, sum]));
        Ok(parsed)
    }
}

/// A file with the number and the sum of the bytes read so far.
struct Counted {
    file: File,
    bytes: u64,
    sum: Md5,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.file.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(read) => {
                    self.bytes += read as u64;
                    self.sum.update(buffer.get(..read).unwrap_or_default());
                    return Ok(read);
                }
            }
        }
    }
}
