//! Runs the `widebragg` program under faults: resource limits, full or read-only file systems, signals.
//!
//! Shell scripts do the work, because a limit, a mount or a signal is one line there. Where the system lacks
//! a feature or does not permit it to this user, the functions return `None` and print a line, and the test
//! is skipped.

use crate::program::{Outcome, Workplace, executable};
use crate::skipped::skipped;
use std::process::{Child, Command, Stdio};

/// The environment variable that holds the program's path in scripts.
const PROGRAM: &str = "WIDEBRAGG";

/// A shell in the folder of `place`, with the program's path in `$WIDEBRAGG`.
fn shell(place: &Workplace, before: &[&str], script: &str) -> Command {
    let mut words = before.iter().copied().chain(["sh", "-c", script]);
    let mut command = Command::new(words.next().unwrap_or("sh"));
    command.args(words).current_dir(place.path()).stdin(Stdio::null()).env(PROGRAM, executable());
    command
}

/// The lines on standard error, apart from advice on oversampling and on the list of reflections of the tests, which is
/// half a sphere.
pub fn complaints(outcome: &Outcome) -> Vec<&str> {
    let is_advice = |line: &str| ["-oversample", "Friedel mates"].iter().any(|word| line.contains(word));
    outcome.stderr.lines().filter(|line| !is_advice(line)).collect()
}

/// Runs a script in the folder of `place`, with the program's path in `$WIDEBRAGG`. Start the program with
/// `exec`, so that its exit code is the script's.
///
/// # Panics
/// When there is no shell.
pub fn run_script(place: &Workplace, script: &str) -> Outcome {
    outcome(shell(place, &[], script))
}

fn outcome(mut command: Command) -> Outcome {
    let output = command.output().expect("a shell");
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs a script in a separate mount namespace, as root or in a user namespace. Its mounts are invisible
/// outside and end with it. Returns `None` where neither kind of namespace is permitted.
///
/// # Panics
/// When there is no shell.
pub fn run_with_mounts(place: &Workplace, script: &str) -> Option<Outcome> {
    for unshare in [&["unshare", "-m"][..], &["unshare", "-rm"]] {
        let probe = "mkdir -p disk && mount -t tmpfs tmpfs disk && umount disk && rmdir disk";
        if shell(place, unshare, probe).output().is_ok_and(|output| output.status.success()) {
            return Some(outcome(shell(place, unshare, script)));
        }
    }
    skipped("file systems cannot be mounted here");
    None
}

/// Sends a signal, such as `TERM`, to a running program.
///
/// # Panics
/// When there is no shell.
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).output();
    // `kill` fails if the program has already ended, which is no error here.
    sent.expect("a shell");
}

/// Whether a program is installed; prints a line if not.
pub fn has(program: &str) -> bool {
    let is_there = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    let is_there = is_there.is_ok_and(|output| output.status.success());
    if !is_there {
        skipped(format!("{program} is not installed"));
    }
    is_there
}
