//! The `widebragg` program where something goes wrong: limits, file systems of its own, signals.
//!
//! Everything is done by a shell, since a limit, a mount or a signal is a line there. What a system does not have, or
//! does not let this user do, is said by `None` and one printed line; the test is skipped then.

use crate::program::{Outcome, Workplace, executable};
use std::process::{Child, Command, Stdio};

/// The program's name in scripts.
const PROGRAM: &str = "WIDEBRAGG";

/// A shell in the folder of `place`, with the program as `$WIDEBRAGG`.
fn shell(place: &Workplace, before: &[&str], script: &str) -> Command {
    let mut words = before.iter().copied().chain(["sh", "-c", script]);
    let mut command = Command::new(words.next().unwrap_or("sh"));
    command.args(words).current_dir(place.path()).stdin(Stdio::null()).env(PROGRAM, executable());
    command
}

/// Runs a script in the folder of `place`, with the program as `$WIDEBRAGG`; the program is best run with `exec`, so
/// that its exit code is that of the script.
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

/// Runs a script where it may mount file systems that nobody else sees and that are gone when it ends: as root, or in
/// a user namespace. `None` where neither is allowed.
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
    println!("skipped: no file systems can be mounted here");
    None
}

/// Sends a signal, `TERM` for example, to a program that is running.
///
/// # Panics
/// When there is no shell.
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).output();
    // One that has ended meanwhile takes no signal.
    sent.expect("a shell");
}

/// Whether a program is there.
pub fn has(program: &str) -> bool {
    let is_there = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
    let is_there = is_there.is_ok_and(|output| output.status.success());
    if !is_there {
        println!("skipped: no {program} here");
    }
    is_there
}
