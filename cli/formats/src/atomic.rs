//! Atomic writes: under its final name a file is always complete.
//!
//! The data is written to a temporary file in the same folder, flushed to the disk, and renamed; within a
//! file system a rename replaces the old file in one step. When a write fails (folder not writable, disk
//! full, an error or panic of the closure) the temporary file is removed, and an older file of that name
//! stays unchanged. The same holds for a signal that ends the program ([`abandon_and`]), except SIGKILL.
//!
//! Special cases: existing targets that are not regular files (`/dev/null`, a pipe, a terminal) and the names
//! of the standard streams (`/dev/stdout`, `/dev/fd/1`) are written directly, because a rename would replace
//! the device or disconnect the stream. A symbolic link is kept, and the file that it points to is replaced;
//! a dangling link is an error.

use core::sync::atomic::{AtomicU64, Ordering};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::failure::Failure;
use crate::text::cannot_write;

/// Bytes buffered before a system call.
const BUFFER_BYTES: usize = 1 << 18;

/// Bytes of a system call at most. Linux keeps what a call writes in the largest pieces of memory that it fills. Those are often
/// memory that the host of a virtual machine has to provide first, which takes eight times as long as the copy.
const CALL_BYTES: usize = 1 << 20;

/// Counter that numbers the temporary files of this process.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// Temporary files that exist now, and folders that are to be removed if they are still empty.
static PENDING: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn pending() -> MutexGuard<'static, Vec<PathBuf>> {
    // A panic elsewhere leaves the list usable.
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes all temporary files, then calls `last`, which ends the program. No other is created or renamed
/// meanwhile.
pub fn abandon_and(last: impl FnOnce()) {
    let mut pending = pending();
    for path in pending.drain(..) {
        // The program ends even if a file cannot be removed, and a folder stays if it has files.
        let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
    }
    last();
}

/// Makes [`abandon_and`] remove the folder `path` if it is still empty.
pub fn remove_empty_when_abandoned(path: &Path) {
    pending().push(path.to_owned());
}

/// Writes the file `path` atomically; `write` writes its content to the stream that it is given.
///
/// # Errors
/// A failure that names the file, when any step fails; no temporary file is left then.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Failure> {
    written(path, write).map_err(|error| cannot_write(path, &error))
}

/// As [`write_atomically`], but keeps a file of that name that already exists. Returns whether this call
/// created the file: of several concurrent calls exactly one does.
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

/// Checks that [`write_atomically`] can create a file at `path`.
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

/// A file that is being written by its name, and not through a stream. It replaces the file `target` once it is
/// complete, and is removed where it is not.
pub(crate) struct Replacement {
    temporary: Temporary,
    target: PathBuf,
    path: PathBuf,
}

impl Replacement {
    /// Makes an empty file beside `path`.
    ///
    /// # Errors
    /// As [`write_atomically`]; also where `path` is a device or a stream.
    pub(crate) fn of(path: &Path) -> Result<Self, Failure> {
        let begin = || match Target::of(path)? {
            Target::Stream => {
                Err(io::Error::new(io::ErrorKind::InvalidInput, "this format needs an ordinary file"))
            }
            Target::File(target) => {
                let (temporary, _) = Temporary::beside(&target)?;
                Ok(Self { temporary, target, path: path.to_owned() })
            }
        };
        begin().map_err(|error| cannot_write(path, &error))
    }

    /// The file to write.
    pub(crate) fn path(&self) -> &Path {
        &self.temporary.path
    }

    /// On Linux, makes the file `bytes` longer, by zeros. What then is written there by a single call, however long, finds memory
    /// that the system holds already (see [`CALL_BYTES`]).
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) fn lengthen(&self, bytes: usize) -> io::Result<()> {
        if cfg!(not(target_os = "linux")) {
            return Ok(());
        }
        let zeros = vec![0; CALL_BYTES.min(bytes)];
        let mut file = OpenOptions::new().append(true).open(self.path())?;
        let mut left = bytes;
        while left > 0 {
            let now = zeros.get(..left).unwrap_or(&zeros);
            file.write_all(now)?;
            left -= now.len();
        }
        Ok(())
    }

    /// Flushes the file to the disk and gives it its name.
    ///
    /// # Errors
    /// As [`write_atomically`].
    pub(crate) fn commit(self) -> Result<(), Failure> {
        let Self { temporary, target, path } = self;
        let commit = || {
            sync(&File::open(&temporary.path)?)?;
            temporary.replace(&target)
        };
        commit().map_err(|error| cannot_write(&path, &error))
    }
}

fn written(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    match Target::of(path)? {
        // Append, because a standard stream that was redirected to a file may already hold text.
        Target::Stream => fill(OpenOptions::new().append(true).open(path)?, write).map(drop),
        Target::File(target) => Temporary::filled(&target, write)?.replace(&target),
    }
}

/// Whether an error only says that the file system cannot flush on demand.
fn no_sync_here(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}

/// Flushes a file to the disk. On network file systems a full disk or quota may show only here; it must show before
/// the rename.
fn sync(file: &File) -> io::Result<()> {
    match file.sync_data() {
        Err(error) if !no_sync_here(&error) => Err(error),
        _ => Ok(()),
    }
}

fn fill(file: File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<File> {
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, InPieces(file));
    write(&mut out)?;
    let InPieces(file) = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(file)
}

/// A file that is written by calls of [`CALL_BYTES`] at most.
struct InPieces(File);

impl Write for InPieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes.get(..CALL_BYTES).unwrap_or(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What a path refers to.
enum Target {
    /// A device, a pipe or a standard stream, written directly.
    Stream,
    /// A regular file, new or existing, with links followed.
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
                if path.is_symlink() {
                    return Err(io::Error::new(io::ErrorKind::NotFound, "is a dangling symbolic link"));
                }
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

/// A temporary file; it is removed when it is dropped before its rename.
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
            // Short and independent of the final name, which may be as long as names can be.
            let call = CALLS.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!(".widebragg-{}-{call}.tmp", process::id()));
            let mut pending = pending();
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    pending.push(path.clone());
                    return Ok((Self { path, renamed: false }, file));
                }
                // The name is taken: another host with the same process number may share the folder.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A temporary file with its content, flushed to the disk.
    fn filled(target: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<Self> {
        let (temporary, file) = Self::beside(target)?;
        let file = fill(file, write)?;
        sync(&file)?;
        Ok(temporary)
    }

    /// Gives the file the name `target`.
    fn replace(self, target: &Path) -> io::Result<()> {
        // A file keeps the permissions that its owner gave it.
        if let Ok(found) = fs::metadata(target) {
            fs::set_permissions(&self.path, found.permissions())?;
        }
        self.rename(target)
    }

    fn rename(mut self, target: &Path) -> io::Result<()> {
        let mut pending = pending();
        fs::rename(&self.path, target)?;
        self.renamed = true;
        pending.retain(|path| *path != self.path);
        Ok(())
    }

    /// Links the file to the name `target` unless a file of that name exists; returns whether it did.
    fn link(self, target: &Path) -> io::Result<bool> {
        match fs::hard_link(&self.path, target) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            // The file system has no hard links: rename instead.
            Err(_) if !target.exists() => self.rename(target).map(|()| true),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            // The write has already failed, and its error is the one to report.
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
        fs::remove_file(&file).unwrap();
        let error = write_atomically(&link, |_| Ok(())).unwrap_err().to_string();
        assert!(error.ends_with("is a dangling symbolic link"), "{error}");
        assert_eq!(names(folder.path()), ["link"]);
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
