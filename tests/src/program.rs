//! Runs the `widebragg` program in a temporary folder, as a user would.
//!
//! Each test process builds it once, with the test's own profile and build folder, which takes no time where
//! the workspace is built already. `WIDEBRAGG_PROGRAM` names another program to test instead, such as an
//! installed one.

use crate::golden;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{env, fs};
use tempfile::TempDir;

/// The path of the program, built if necessary.
///
/// # Panics
/// When it cannot be built.
pub fn executable() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| match env::var_os("WIDEBRAGG_PROGRAM") {
        Some(path) => fs::canonicalize(&path).unwrap_or_else(|error| panic!("WIDEBRAGG_PROGRAM: {error}")),
        None => build(),
    })
}

fn build() -> PathBuf {
    let test = env::current_exe().expect("the path of this test");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit());
    cargo.args(["build", "--quiet", "--message-format=json-render-diagnostics"]);
    // For this package alone, cargo would rebuild dependencies with other features than the tests need.
    cargo.args(["--workspace", "--bin", "widebragg"]);
    // A test's executable lies in <build folder>/<profile>/deps or <build folder>/<target>/<profile>/deps.
    let profile = test.ancestors().nth(2).and_then(Path::file_name);
    if profile.is_some_and(|name| name == "release") {
        cargo.arg("--release");
    }
    if let Some(folder) = test.ancestors().find(|folder| folder.join(".rustc_info.json").exists()) {
        cargo.arg("--target-dir").arg(folder);
    }
    let output = cargo.output().expect("cargo");
    assert!(output.status.success(), "the build of the program failed: {cargo:?}");
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let built = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let executable =
        built.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back();
    executable.expect("the path of the program in cargo's messages")
}

/// A temporary folder to run the program in.
#[derive(Debug)]
pub struct Workplace {
    folder: TempDir,
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Exit code; `None` if a signal ended the program.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// The outcome of a run that must have succeeded.
    ///
    /// # Panics
    /// When the exit code is not 0.
    pub fn well(self) -> Outcome {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// The outcome of a run that must have been refused with one line on standard error; `what` is told if it was not.
    ///
    /// # Panics
    /// When the exit code is not 2, or standard error has another number of lines.
    pub fn refused(self, what: &str) -> Outcome {
        assert_eq!((self.code, self.stderr.lines().count()), (Some(2), 1), "{what}: {}", self.stderr);
        self
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

impl Workplace {
    /// An empty folder.
    ///
    /// # Panics
    /// When no temporary folder can be made.
    pub fn empty() -> Workplace {
        Workplace { folder: TempDir::new().expect("a temporary folder") }
    }

    /// A folder with the input files of the golden command lines.
    ///
    /// # Panics
    /// When they cannot be copied.
    pub fn with_inputs() -> Workplace {
        let workplace = Workplace::empty();
        for entry in fs::read_dir(golden::inputs()).expect("golden inputs") {
            workplace.bring(&entry.expect("golden inputs").path());
        }
        workplace
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Copies a file into the folder.
    ///
    /// # Panics
    /// When that fails.
    pub fn bring(&self, path: &Path) {
        let name = path.file_name().expect("a file");
        let content = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.write(name, &content);
    }

    /// Writes a file in the folder.
    ///
    /// # Panics
    /// When that fails.
    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), content).expect("a file in the temporary folder");
    }

    /// Reads a file in the folder.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        let name = name.as_ref();
        fs::read(self.path().join(name)).unwrap_or_else(|error| panic!("{}: {error}", name.display()))
    }

    /// Reads a float image in the folder.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn float(&self, name: &str) -> Vec<f32> {
        golden::read_f32(&self.path().join(name)).expect("a float image")
    }

    /// The names and contents of all files in the folder.
    ///
    /// # Panics
    /// When they cannot be read.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries =
            fs::read_dir(self.path()).expect("the temporary folder").map(|entry| entry.expect("entry"));
        let files = entries.filter(|entry| entry.path().is_file());
        files
            .map(|entry| (entry.file_name().to_string_lossy().into_owned(), self.read(entry.path())))
            .collect()
    }

    /// A command that runs the program in the folder.
    pub fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(executable());
        command.current_dir(self.path()).args(args).stdin(Stdio::null());
        command
    }

    /// Runs the program in the folder.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Outcome {
        let output = self.command(args).output().expect("the program starts");
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs the program in the folder with the arguments in `line`, separated by spaces.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run_line(&self, line: &str) -> Outcome {
        self.run(line.split_whitespace())
    }
}

/// Splits an SMV file into header and pixels, at the length that its header declares.
///
/// # Errors
/// When the header declares no length, or a length that its text or the pixels do not fit.
pub fn smv_parts(file: &[u8]) -> Result<(String, Vec<u16>), String> {
    let start = String::from_utf8_lossy(&file[..file.len().min(512)]).into_owned();
    let declared = start.lines().find_map(|line| line.strip_prefix("HEADER_BYTES="));
    let length: usize = declared
        .and_then(|value| value.trim_end_matches(';').trim().parse().ok())
        .ok_or("no HEADER_BYTES")?;
    if file.len() < length || !(file.len() - length).is_multiple_of(2) {
        return Err(format!("{} bytes, a header of {length}", file.len()));
    }
    let (header, pixels) = file.split_at(length);
    let header = core::str::from_utf8(header).map_err(|error| format!("the header: {error}"))?;
    let text = header.trim_end_matches(' ');
    if !(text.ends_with("}\u{c}") || text.ends_with("}\n\u{c}\n")) {
        return Err(format!("the header of {length} bytes does not hold its text: {header}"));
    }
    let pixels = pixels.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    Ok((text.to_owned(), pixels))
}
