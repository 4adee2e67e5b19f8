//! `--evidence DIR`: a folder that documents a run, to check it later.
//!
//! It holds copies of the files that the command wrote, and
//!
//! * `commands.txt`: time (UTC), exit code, duration and words of the command, and of the programs that it
//!   ran;
//! * `env.json`: versions, processor, SIMD level, threads, git revisions where known, sizes and SHA-256 of
//!   the input files, as they were before the command wrote anything;
//! * `sha256.txt`: the SHA-256 of every other file, as `sha256sum -c` reads it.
//!
//! The folder is always a new one: DIR, or DIR-2, DIR-3, ... where that exists. A command that fails leaves
//! its evidence as well.

mod revision;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use std::{env, thread};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use widebragg::lanes::Simd;

use crate::console;
use crate::error::Failure;
use widebragg_formats::atomic::{remove_empty_when_abandoned, write_atomically};
use widebragg_formats::ctime::iso_utc;
use widebragg_formats::hdf5::Place;

/// The files that every folder has.
const COMMANDS: &str = "commands.txt";
const ENVIRONMENT: &str = "env.json";
const SUMS: &str = "sha256.txt";

/// Names that copies do not get.
const OWN_NAMES: [&str; 3] = [COMMANDS, ENVIRONMENT, SUMS];

/// The evidence folder of a running command.
#[derive(Debug)]
pub struct Evidence {
    folder: PathBuf,
    commands: Vec<String>,
    /// Descriptions of the input files.
    inputs: Vec<Value>,
    facts: Map<String, Value>,
}

/// Runs `body`, with an evidence folder where `folder` is given; `args` is the command line without the
/// program's name.
///
/// # Errors
/// The failure of `body`, or a folder that cannot be created or written.
pub fn recorded(
    folder: Option<&Path>,
    args: &[String],
    body: impl FnOnce(Option<&mut Evidence>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let Some(folder) = folder else { return body(None) };
    let mut evidence = Evidence::begin(folder)?;
    let (begun, started) = (now(), Instant::now());
    let result = body(Some(&mut evidence));
    let code = result.as_ref().map_or_else(Failure::code, |()| 0);
    let words: Vec<String> = ["widebragg".to_owned()].into_iter().chain(args.iter().cloned()).collect();
    evidence.add_command(&begun, Some(i32::from(code)), started.elapsed().as_secs_f64(), &words);
    let finished = evidence.finish();
    result.and(finished)
}

impl Evidence {
    fn begin(wanted: &Path) -> Result<Self, Failure> {
        // This drops a slash at the end: the number is appended to the name of the folder.
        let wanted: &Path = &wanted.components().collect::<PathBuf>();
        let failed = |path: &Path, error: &io::Error| {
            Failure::input(format!("--evidence {}: {error}", path.display()))
        };
        if let Some(parent) = wanted.parent() {
            fs::create_dir_all(parent).map_err(|error| failed(wanted, &error))?;
        }
        let mut folder = wanted.to_owned();
        for number in 2u64.. {
            // Creating the folder is the test for it, so that concurrent commands get different folders.
            match fs::create_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let mut name = wanted.as_os_str().to_owned();
                    name.push(format!("-{number}"));
                    folder = PathBuf::from(name);
                }
                Err(error) => return Err(failed(&folder, &error)),
                Ok(()) => break,
            }
        }
        if folder != wanted {
            console::complain(&format!(
                "--evidence: {} exists, {} is used",
                wanted.display(),
                folder.display()
            ));
        }
        let folder = folder.canonicalize().map_err(|error| failed(&folder, &error))?;
        remove_empty_when_abandoned(&folder);
        Ok(Self { folder, commands: Vec::new(), inputs: Vec::new(), facts: Map::new() })
    }

    /// Adds a file that the result depends on: its present size and SHA-256 will be written to env.json. A frame of a
    /// file stands for the file.
    pub fn add_input(&mut self, path: &Path) {
        self.inputs.push(described(&Place::of(path).file));
    }

    /// Adds an entry to env.json.
    pub fn add_fact(&mut self, key: &str, value: Value) {
        self.facts.insert(key.to_owned(), value);
    }

    /// Adds a command to commands.txt: its start, its exit code (`None` where a signal ended it), and its
    /// duration.
    pub fn add_command(&mut self, begun: &str, code: Option<i32>, seconds: f64, words: &[String]) {
        let code = code.map_or_else(|| "by a signal".to_owned(), |code| code.to_string());
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        self.commands.push(format!("{begun}  exit {code}  {seconds:.3} s  {}\n", words.join(" ")));
    }

    /// Writes a text file into the folder.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add_text(&self, name: &str, text: &str) -> Result<(), Failure> {
        Ok(write_atomically(&self.folder.join(name), |out| out.write_all(text.as_bytes()))?)
    }

    /// Copies a file into the folder, under its own name or the next free one. Files that are not regular are
    /// skipped.
    ///
    /// # Errors
    /// It cannot be copied.
    pub fn add_copy(&self, from: &Path) -> Result<(), Failure> {
        copy(from, &self.folder)
    }

    /// Copies a folder with everything in it.
    ///
    /// # Errors
    /// It cannot be copied.
    pub fn add_folder(&self, from: &Path) -> Result<(), Failure> {
        copy_folder(from, &self.folder)
    }

    fn finish(&self) -> Result<(), Failure> {
        let cpu = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        });
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned());
        let executable = env::current_exe().ok();
        let mut environment = json!({
            "program": "widebragg",
            "version": env!("CARGO_PKG_VERSION"),
            "spec_revision": widebragg::SPEC_REVISION,
            "git_revision": option_env!("WIDEBRAGG_GIT_REVISION"),
            "build": if cfg!(debug_assertions) { "debug" } else { "release" },
            "executable": executable.as_deref().map(described),
            "os": env::consts::OS,
            "os_release": kernel,
            "architecture": env::consts::ARCH,
            "cpu": cpu,
            "cores": thread::available_parallelism().ok().map(usize::from),
            "simd_detected": Simd::detect().level().name(),
            "working_folder": env::current_dir().ok().map(|folder| folder.display().to_string()),
            "working_folder_git_revision": env::current_dir().ok().and_then(|folder| revision::revision(&folder)),
        });
        if let Some(all) = environment.as_object_mut() {
            all.extend(self.facts.clone());
            all.insert("inputs".to_owned(), Value::Array(self.inputs.clone()));
        }
        self.add_text(COMMANDS, &self.commands.concat())?;
        self.add_text(ENVIRONMENT, &format!("{environment:#}\n"))?;
        let mut sums = String::new();
        for name in names_in(&self.folder, Path::new("")).map_err(|error| self.failed(&error))? {
            let sum = sha256(&self.folder.join(&name)).map_err(|error| self.failed(&error))?;
            sums.push_str(&sum_line(&sum, &name.display().to_string()));
        }
        self.add_text(SUMS, &sums)
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::input(format!("--evidence {}: {error}", self.folder.display()))
    }
}

/// The time now, in UTC.
#[must_use]
pub fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}Z", iso_utc(now.as_secs()).trim_end_matches(".000"))
}

/// A word, quoted for a shell.
#[must_use]
pub fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| format!("{word:?}"), |quoted| quoted.into_owned())
}

/// A line of a list that `sha256sum -c` reads. A leading backslash marks a name with escaped characters.
fn sum_line(sum: &str, name: &str) -> String {
    let escaped = name.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
    let mark = if escaped == name { "" } else { "\\" };
    format!("{mark}{sum}  {escaped}\n")
}

/// Path, size and SHA-256 of a file. The last two are null for a file that cannot be read, and for a pipe or
/// device, which can be read only once.
fn described(path: &Path) -> Value {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file);
    json!({
        "path": path.display().to_string(),
        "bytes": metadata.as_ref().map(fs::Metadata::len),
        "sha256": metadata.and_then(|_| sha256(path).ok()),
    })
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 18];
    loop {
        match file.read(&mut block) {
            Ok(0) => break,
            Ok(read) => hash.update(&block[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(hex(&hash.finalize()))
}

/// The bytes of a checksum, two digits each.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All files in a folder and its subfolders, sorted, relative to the folder.
fn names_in(folder: &Path, below: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(folder.join(below))?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut names = Vec::new();
    for entry in entries {
        let name = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            names.extend(names_in(folder, &name)?);
        } else {
            names.push(name);
        }
    }
    Ok(names)
}

fn copy(from: &Path, into: &Path) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::input(format!("--evidence: {}: {error}", from.display()));
    let Some(name) = from.file_name().filter(|_| from.is_file()) else { return Ok(()) };
    let mut to = into.join(name);
    for number in 2u64.. {
        let is_own = to.file_name().is_some_and(|name| OWN_NAMES.iter().any(|own| *own == name));
        if !is_own && !to.exists() {
            break;
        }
        let mut other = name.to_owned();
        other.push(format!("-{number}"));
        to = into.join(other);
    }
    let mut file = File::open(from).map_err(failed)?;
    Ok(write_atomically(&to, |mut out| io::copy(&mut file, &mut out).map(drop))?)
}

fn copy_folder(from: &Path, into: &Path) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::input(format!("--evidence: {}: {error}", from.display()));
    let to = into.join(from.file_name().unwrap_or_default());
    fs::create_dir_all(&to).map_err(failed)?;
    for entry in fs::read_dir(from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else {
            copy(&entry.path(), &to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_sum() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        fs::write(&path, "abc").unwrap();
        assert_eq!(
            sha256(&path).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_failed_command_leaves_evidence_and_equal_names_do_not_meet() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["x", "y"] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("same"), name).unwrap();
        }
        let result = recorded(Some(&at("e")), &["one word".to_owned()], |evidence| {
            let evidence = evidence.unwrap();
            evidence.add_copy(&at("x").join("same"))?;
            evidence.add_copy(&at("y").join("same"))?;
            evidence.add_folder(&at("x"))?;
            evidence.add_input(&at("none"));
            Err(Failure::with_code(3, "below"))
        });
        assert_eq!(result.unwrap_err().code(), 3);
        let commands = fs::read_to_string(at("e/commands.txt")).unwrap();
        assert!(commands.contains("exit 3") && commands.ends_with("widebragg 'one word'\n"), "{commands}");
        let sums = fs::read_to_string(at("e/sha256.txt")).unwrap();
        let names: Vec<_> =
            sums.lines().filter_map(|line| line.split_once("  ")).map(|(_, name)| name).collect();
        assert_eq!(names, ["commands.txt", "env.json", "same", "same-2", "x/same"]);
    }
}
