//! Writing a file so that its final name never shows anything but the complete file.
//!
//! The data goes to a temporary name in the same folder, is flushed to the disk, and is then renamed: on one file
//! system a rename replaces the old file in one step. A write that fails (folder not writable, disk full, closure
//! that gives up or panics) removes the temporary and leaves an older file of that name as it was. So does a signal that
//! ends the program ([`abandon_and`]), SIGKILL excepted.
//!
//! Special cases: an existing target that is no regular file (`/dev/null`, a pipe, a terminal) and the standard
//! streams' names (`/dev/stdout`, `/dev/fd/1`) are written directly, since renaming over them would replace the
//! device or cut the stream off; a symbolic link keeps pointing where it did, the file it names is replaced.

use core::sync::atomic::{AtomicU64, Ordering};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::failure::Failure;
use crate::text::cannot_write;

/// Bytes gathered before a system call.
const BUFFER_BYTES: usize = 1 << 18;

/// Numbers the temporary files of this process.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// Temporary files that are there now.
static PENDING: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn pending() -> MutexGuard<'static, Vec<PathBuf>> {
    // A list is as good after a panic as before it.
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes all temporary files, then calls `last`, which ends the program; none is made or renamed meanwhile.
pub fn abandon_and(last: impl FnOnce()) {
    let mut pending = pending();
    for path in pending.drain(..) {
        // One that cannot be removed stays; the program ends in any case.
        let _ = fs::remove_file(path);
    }
    last();
}

/// Writes `path` in one step: `write` puts the content into the stream it is given.
///
/// # Errors
/// One line naming the file, when anything on the way fails; nothing of this call is left behind then.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    written(path, write).map_err(|error| cannot_write(path, &error))
}

/// As [`write_atomically`] where there is no file of that name; one that is there stays. Returns whether this call
/// wrote it: of several at the same moment one does.
///
/// # Errors
/// As [`write_atomically`].
pub fn create_atomically(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<bool, Failure> {
    let created = Temporary::filled(path, write).and_then(|temporary| temporary.link(path));
    created.map_err(|error| cannot_write(path, &error))
}

/// Whether [`write_atomically`] could write `path` now, as far as can be told without its content.
///
/// # Errors
/// As [`write_atomically`].
pub fn check_writable(path: &Path) -> Result<(), Failure> {
    let probe = || match Target::of(path)? {
        Target::Stream => Ok(()),
        Target::File(target) => Temporary::beside(&target).map(drop),
    };
    probe().map_err(|error| cannot_write(path, &error))
}

fn written(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    match Target::of(path)? {
        // Appending: a standard stream that was redirected to a file may already hold text.
        Target::Stream => fill(OpenOptions::new().append(true).open(path)?, write).map(drop),
        Target::File(target) => Temporary::filled(&target, write)?.rename(&target),
    }
}

/// Some file systems cannot flush on demand and say so with these; the data is as safe as it gets there.
fn no_sync_here(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}

fn fill(file: File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<File> {
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, file);
    write(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)
}

/// Where the bytes end up.
enum Target {
    /// Something that takes bytes as they come.
    Stream,
    /// A regular file, new or old, with links followed.
    File(PathBuf),
}

impl Target {
    fn of(path: &Path) -> io::Result<Self> {
        if is_standard_stream(path) {
            return Ok(Self::Stream);
        }
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => Err(io::Error::new(io::ErrorKind::IsADirectory, "is a folder")),
            Ok(found) if !found.is_file() => Ok(Self::Stream),
            Ok(_) => Ok(Self::File(fs::canonicalize(path)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if path.file_name().is_none() {
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file name"));
                }
                Ok(Self::File(path.to_path_buf()))
            }
            Err(error) => Err(error),
        }
    }
}

fn is_standard_stream(path: &Path) -> bool {
    ["/dev/stdout", "/dev/stderr"].iter().any(|name| path == Path::new(name))
        || ["/dev/fd", "/proc/self/fd"].iter().any(|folder| path.starts_with(folder))
}

/// A file under its temporary name; dropped before the rename, it is removed.
struct Temporary {
    path: PathBuf,
    renamed: bool,
}

impl Temporary {
    fn beside(target: &Path) -> io::Result<(Self, File)> {
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        loop {
            // Short and free of the final name, which may itself be as long as names can be.
            let call = CALLS.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!(".widebragg-{}-{call}.tmp", process::id()));
            let mut pending = pending();
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    pending.push(path.clone());
                    return Ok((Self { path, renamed: false }, file));
                }
                // Another host with the same process number may share the folder.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A temporary with its content, all of it on the disk.
    fn filled(target: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<Self> {
        let (temporary, file) = Self::beside(target)?;
        let file = fill(file, write)?;
        // A full disk or quota behind a network may answer only here, and must do so before the rename.
        match file.sync_data() {
            Err(error) if !no_sync_here(&error) => Err(error),
            _ => Ok(temporary),
        }
    }

    fn rename(mut self, target: &Path) -> io::Result<()> {
        let mut pending = pending();
        fs::rename(&self.path, target)?;
        self.renamed = true;
        pending.retain(|path| *path != self.path);
        Ok(())
    }

    /// Gives it the name `target` too, unless there is a file of that name; whether it did.
    fn link(self, target: &Path) -> io::Result<bool> {
        match fs::hard_link(&self.path, target) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            // A file system without links: the rename is all there is.
            Err(_) if !target.exists() => self.rename(target).map(|()| true),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            // The write has failed already; that failure is the one to report.
            let mut pending = pending();
            let _ = fs::remove_file(&self.path);
            pending.retain(|path| *path != self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use core::panic::AssertUnwindSafe;
    use std::panic::catch_unwind;
    use std::thread;

    use super::*;
    use crate::failure::Direction;

    fn names(folder: &Path) -> Vec<String> {
        let mut all: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        all.sort();
        all
    }

    #[test]
    fn only_the_complete_file_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write_atomically(&path, |out| {
            out.write_all(b"new")?;
            assert!(!path.exists());
            Ok(())
        })
        .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["a.bin"]);
    }

    #[test]
    fn a_failed_write_keeps_the_old_file_and_removes_the_temporary() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        let other = folder.path().join(".widebragg-0-0.tmp");
        fs::write(&path, b"old").unwrap();
        fs::write(&other, b"of another run").unwrap();
        let error = write_atomically(&path, |out| {
            out.write_all(&[0; 1 << 20])?;
            Err(io::Error::new(io::ErrorKind::StorageFull, "no space left"))
        })
        .unwrap_err();
        assert_eq!(error.to_string(), format!("{}: cannot write: no space left", path.display()));
        assert_eq!(error.direction(), Direction::Output);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), [".widebragg-0-0.tmp", "a.bin"]);
        assert!(catch_unwind(AssertUnwindSafe(|| write_atomically(&path, |_| panic!("in a test")))).is_err());
        assert_eq!(names(folder.path()), [".widebragg-0-0.tmp", "a.bin"]);
    }

    #[test]
    fn a_missing_folder_and_a_folder_as_target_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("none/a.bin"), folder.path().to_path_buf(), PathBuf::new()] {
            let error = write_atomically(&path, |_| Ok(())).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{}: cannot write: ", path.display())), "{error}");
            assert!(!error.contains('\n'));
        }
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn the_longest_possible_name_works() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x".repeat(255));
        write_atomically(&path, |out| out.write_all(b"1")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"1");
    }

    #[test]
    fn a_file_that_is_there_is_not_created() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        check_writable(&path).unwrap();
        assert!(names(folder.path()).is_empty());
        assert_eq!(create_atomically(&path, |out| out.write_all(b"first")), Ok(true));
        assert_eq!(create_atomically(&path, |out| out.write_all(b"second")), Ok(false));
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(names(folder.path()), ["record"]);
        let nowhere = folder.path().join("none/a.bin");
        let error = check_writable(&nowhere).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: cannot write: ", nowhere.display())), "{error}");
    }

    #[test]
    fn many_threads_write_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        thread::scope(|scope| {
            for value in 0..8_u8 {
                let path = &path;
                scope.spawn(move || write_atomically(path, |out| out.write_all(&[value; 1000])).unwrap());
            }
        });
        let content = fs::read(&path).unwrap();
        assert_eq!(content, [content[0]; 1000]);
        assert_eq!(names(folder.path()), ["a.bin"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_keeps_pointing_at_the_new_content() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, b"old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_atomically(&link, |out| out.write_all(b"new")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn devices_are_written_directly() {
        write_atomically(Path::new("/dev/null"), |out| out.write_all(b"gone")).unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        let error = write_atomically(Path::new("/dev/full"), |out| out.write_all(b"no room")).unwrap_err();
        assert!(error.to_string().starts_with("/dev/full: cannot write: "), "{error}");
    }
}
