//! Runs two programs with the same options, one after the other, each in a folder of its own.
//!
//! The folders are `a` and `b` in the output folder; they also get `stdout.txt` and `stderr.txt`. Since the
//! programs do not run in the folder of the user, words that name existing files are made absolute: the
//! values of options that read a file, and of unknown options. The float image is that of the last
//! `-floatfile`, or `floatimage.bin`.
//! Special cases: without `-hkl` and `-dump`, an existing `Fdump.bin` is passed on with `-dump`, since the
//! programs would find it in the folder of the user. Existing folders are never written to.

use std::fs::{self, File};
use std::path::{Path, PathBuf, absolute};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::console;
use crate::error::Failure;
use crate::evidence::now;
use crate::images::read_geometry_and_size;
use crate::options::{CompareOptions, takes_file};
use crate::signals;

/// Options that name a file to write.
const WRITTEN: [&str; 18] = [
    "-floatfile",
    "-floatimage",
    "-intfile",
    "-intimage",
    "-noisefile",
    "-noiseimage",
    "-pgmfile",
    "-pgmimage",
    "--png",
    "--noise-png",
    "--cbf",
    "--noise-cbf",
    "--mean-images",
    "--nxmx",
    "--expt",
    "--xds-inp",
    "--predictions",
    "--evidence",
];

/// A finished run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The program as given with `--run`.
    pub given: String,
    /// The words of the command that ran.
    pub words: Vec<String>,
    /// Its folder.
    pub folder: PathBuf,
    /// Start, in UTC.
    pub begun: String,
    /// Duration, in s.
    pub seconds: f64,
    /// Exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// Its float image.
    pub float: PathBuf,
    /// Its integer image.
    pub int: PathBuf,
}

impl Run {
    /// Size of the float image, from the header of the integer image.
    #[must_use]
    pub fn size(&self) -> Option<[usize; 2]> {
        read_geometry_and_size(&self.int).ok().map(|(_, size)| size)
    }

    /// Checks that the run succeeded.
    ///
    /// # Errors
    /// It ended with another exit code than 0, or left no float image.
    pub fn check(&self) -> Result<(), Failure> {
        let kept = self.folder.display();
        let named = |what: String| Err(Failure::input(format!("--run {}: {what}", self.given)));
        if self.code == Some(0) {
            if self.float.is_file() {
                return Ok(());
            }
            return named(format!("left no float image {}; its output is in {kept}", self.float.display()));
        }
        let how = self.code.map_or_else(
            || "was ended by a signal".to_owned(),
            |code| format!("ended with exit code {code}"),
        );
        let said = fs::read(self.folder.join("stderr.txt")).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        let last = said.lines().rev().find(|line| !line.trim().is_empty());
        let last: String =
            last.map(|line| format!(": {}", line.trim())).unwrap_or_default().chars().take(200).collect();
        named(format!("{how}{last}; its output is in {kept}"))
    }
}

/// Splits a program's command line into words.
///
/// # Errors
/// Quotes that do not close: exit code 1.
fn split(given: &str) -> Result<Vec<String>, Failure> {
    let words = shlex::split(given).filter(|words| !words.is_empty());
    words.ok_or_else(|| {
        Failure::input(format!("--run {given}: a quote is not closed, or nothing is in it")).as_usage()
    })
}

/// The absolute name of an existing file; `None` for other words.
fn whole(word: &str) -> Option<String> {
    let path = Path::new(word);
    if word.is_empty() || !path.is_file() {
        None
    } else {
        absolute(path).ok()?.into_os_string().into_string().ok()
    }
}

/// The words with the files that they read made absolute.
fn rooted(words: &[String]) -> Vec<String> {
    let has_list = words.iter().any(|word| word == "-hkl");
    let reads = |option: &str| {
        let is_written = WRITTEN.contains(&option) || (option.starts_with("-dump") && has_list);
        !is_written && takes_file(option).unwrap_or(true)
    };
    let mut option = "";
    let mut rooted = Vec::new();
    for word in words {
        let attached = word.split_once('=').filter(|_| word.starts_with("--"));
        let new = match attached {
            Some((name, value)) if reads(name) => whole(value).map(|value| format!("{name}={value}")),
            Some(_) => None,
            None if word.starts_with('-') && word.parse::<f64>().is_err() => {
                option = word;
                None
            }
            None if reads(option) => whole(word),
            None => None,
        };
        rooted.push(new.unwrap_or_else(|| word.clone()));
    }
    if !has_list
        && !words.iter().any(|word| word.starts_with("-dump"))
        && let Some(dump) = whole("Fdump.bin")
    {
        rooted.extend(["-dump".to_owned(), dump]);
    }
    rooted
}

/// The value of the last of the options `names`.
fn last_value<'a>(words: &'a [String], names: &[&str]) -> Option<&'a str> {
    let at = words.iter().rposition(|word| names.contains(&word.as_str()))?;
    words.get(at + 1).map(String::as_str)
}

/// Runs both programs.
///
/// # Errors
/// A program cannot be started (exit code 2), its command line is not valid (exit code 1), or a folder
/// exists. The failure of a program is checked by [`Run::check`].
pub fn run_both(options: &CompareOptions) -> Result<Vec<Run>, Failure> {
    let mut planned = Vec::new();
    for (given, name) in options.runs.iter().zip(["a", "b"]) {
        let program = split(given)?;
        let folder = options.out.join(name);
        if folder.exists() {
            let folder = folder.display();
            return Err(Failure::input(format!(
                "{folder}: holds an earlier run; name another folder with --out"
            )));
        }
        // The program has structure factors of its own.
        let (first, rest) = program.split_at(1);
        let mut words: Vec<String> = first
            .iter()
            .map(|word| if word.contains('/') { whole(word) } else { None }.unwrap_or_else(|| word.clone()))
            .collect();
        words.extend(rooted(&[rest, &options.passed_on].concat()));
        let float =
            folder.join(last_value(&words, &["-floatfile", "-floatimage"]).unwrap_or("floatimage.bin"));
        let int = folder.join(last_value(&words, &["-intfile", "-intimage"]).unwrap_or("intimage.img"));
        planned.push((given, words, folder, float, int));
    }
    if let [(.., one, _), (.., other, _)] = &planned[..]
        && one == other
    {
        let message =
            format!("-floatfile {}: both programs would write it; name a relative file", one.display());
        return Err(Failure::input(message).as_usage());
    }
    let mut runs = Vec::new();
    for (given, words, folder, float, int) in planned {
        let failed = |error: std::io::Error| Failure::input(format!("{}: {error}", folder.display()));
        fs::create_dir_all(&folder).map_err(failed)?;
        let output = |name: &str| File::create_new(folder.join(name)).map_err(failed);
        let Some((program, arguments)) = words.split_first() else { continue };
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&folder).stdin(Stdio::null());
        command.stdout(output("stdout.txt")?).stderr(output("stderr.txt")?);
        if !options.quiet {
            console::complain(&format!("running {given} in {}", folder.display()));
        }
        let (begun, started) = (now(), Instant::now());
        let status = signals::run(&mut command)
            .map_err(|error| Failure::input(format!("--run {given}: cannot start: {error}")))?;
        let seconds = started.elapsed().as_secs_f64();
        let code = status.code();
        runs.push(Run { given: given.clone(), words, folder, begun, seconds, code, float, int });
        if code != Some(0) {
            break;
        }
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn only_files_that_are_read_become_absolute() {
        // Tests run in the folder of the package.
        let here = absolute("Cargo.toml").unwrap().display().to_string();
        let line = "-mat Cargo.toml -floatfile Cargo.toml -N Cargo.toml -mask none --png=Cargo.toml --other Cargo.toml";
        let expected = format!(
            "-mat {here} -floatfile Cargo.toml -N Cargo.toml -mask none --png=Cargo.toml --other {here}"
        );
        assert_eq!(rooted(&words(line)), words(&expected));
        assert_eq!(rooted(&words("-dump Cargo.toml")), words(&format!("-dump {here}")));
        assert_eq!(rooted(&words("-hkl x -dump Cargo.toml")), words("-hkl x -dump Cargo.toml"));
        assert_eq!(
            rooted(&words("-detector_rotx -1 --mask=Cargo.toml")),
            words(&format!("-detector_rotx -1 --mask={here}"))
        );
    }

    #[test]
    fn the_last_option_names_the_float_image() {
        let line = words("-floatfile a.bin -N 3 -floatimage b.bin");
        assert_eq!(last_value(&line, &["-floatfile", "-floatimage"]), Some("b.bin"));
        assert_eq!(split("python3 'my script.py' -x").unwrap(), ["python3", "my script.py", "-x"]);
        assert_eq!(split("a 'b").unwrap_err().code(), 1);
    }
}
