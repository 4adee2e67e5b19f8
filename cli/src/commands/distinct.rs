//! The files of a command: those that it writes are distinct, and none of them is one that it reads. Checked
//! before anything is written, so that no file is lost.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Failure;

/// The files that a command reads and writes.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// Each file, and why no other may be written in its place.
    seen: HashMap<PathBuf, String>,
}

impl Files {
    /// The files that are read, with the options that name them.
    pub(crate) fn read<'o, 'p>(inputs: impl IntoIterator<Item = (&'o str, &'p Path)>) -> Self {
        let reason = |option: &str| format!("is also read ({option})");
        Self { seen: inputs.into_iter().map(|(option, path)| (identity(path), reason(option))).collect() }
    }

    /// Adds a file that is written, named by `option`; `reason` is why no other may be written in its place.
    ///
    /// # Errors
    /// It is one of the files already, a folder, or a dangling symbolic link.
    pub(crate) fn write(&mut self, option: &str, path: &Path, reason: &str) -> Result<(), Failure> {
        let found = fs::metadata(path);
        if found.is_err() && path.is_symlink() {
            return Err(refused(option, path, "is a dangling symbolic link"));
        }
        if found.as_ref().is_ok_and(fs::Metadata::is_dir) {
            return Err(refused(option, path, "is a folder"));
        }
        self.claim(option, path, reason)
    }

    /// As [`Files::write`], for a file that the command can do without: whether it can be written is not
    /// checked.
    ///
    /// # Errors
    /// It is one of the files already.
    pub(crate) fn claim(&mut self, option: &str, path: &Path, reason: &str) -> Result<(), Failure> {
        // Several files may be written to a device such as /dev/null.
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return Ok(());
        }
        match self.seen.insert(identity(path), reason.to_owned()) {
            Some(why) => Err(refused(option, path, &why)),
            None => Ok(()),
        }
    }

    /// Adds the files `names` that are written to the folder of `--out`, which may not exist yet.
    ///
    /// # Errors
    /// As [`Files::write`].
    pub(crate) fn write_into(
        &mut self,
        folder: &Path,
        names: impl IntoIterator<Item = impl AsRef<Path>>,
    ) -> Result<(), Failure> {
        let mut names = names.into_iter();
        names.try_for_each(|name| self.write("--out", &folder.join(name), "is written twice"))
    }
}

fn refused(option: &str, path: &Path, why: &str) -> Failure {
    Failure::input(format!("{option}: {}: {why}", path.display()))
}

/// Checks that the folder exists that the file `path` is written to.
///
/// # Errors
/// It does not exist.
pub(crate) fn check_folder(option: &str, path: &Path) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => Err(refused(option, path, "there is no such folder")),
        _ => Ok(()),
    }
}

/// The canonical path of a file that may not exist yet: the same for every path and link to it.
fn identity(path: &Path) -> PathBuf {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::canonicalize(path)
        .or_else(|_| Ok(fs::canonicalize(folder)?.join(path.file_name().unwrap_or_default())))
        .unwrap_or_else(|_: io::Error| path.to_owned())
}
