//! Compiled programs, kept between runs, since drivers take up to seconds for them.
//!
//! They lie in `widebragg` in the user's folder for such files, `$XDG_CACHE_HOME` or `~/.cache`, each under the hash of
//! everything that it depends on. Nothing fails where they cannot be kept.

use std::path::PathBuf;
use std::{env, fs, process};

/// The place of a compiled program.
#[derive(Debug)]
pub(crate) struct ProgramCache(Option<PathBuf>);

impl ProgramCache {
    /// The place of the program that depends on all of `parts`.
    pub(crate) fn new(parts: &[&str]) -> Self {
        let folder = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = folder.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
        Self(folder.map(|folder| folder.join("widebragg").join(format!("{:016x}.program", hash(parts)))))
    }

    pub(crate) fn load(&self) -> Option<Vec<u8>> {
        fs::read(self.0.as_ref()?).ok().filter(|program| !program.is_empty())
    }

    pub(crate) fn keep(&self, program: &[u8]) {
        let Some(path) = &self.0 else { return };
        let Some(folder) = path.parent() else { return };
        // Under its name it is always whole, also for runs at the same time.
        let unfinished = path.with_extension(process::id().to_string());
        let kept = fs::create_dir_all(folder)
            .and_then(|()| fs::write(&unfinished, program))
            .and_then(|()| fs::rename(&unfinished, path));
        if kept.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
    }
}

/// FNV-1a of the parts and their lengths.
pub(crate) fn hash(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.len().to_le_bytes().into_iter().chain(part.bytes()));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
