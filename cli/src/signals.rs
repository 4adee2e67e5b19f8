//! Removal of unfinished files, and the end of programs that this one runs, when a signal ends the program.
//!
//! SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGXCPU (the time limit of batch systems) end the program by their
//! default action, so that its parent sees the signal, after the temporary files are removed. Before that the
//! program that [`run`] waits for gets the signal, and so do the programs that it started; what has not ended
//! two seconds later, or is left when the first has ended, is killed. A signal that
//! the parent set to be ignored (`nohup`, a background job of a script) stays ignored. SIGXFSZ (a file larger
//! than the limit) becomes an error of the write, which is reported like any other.
//! Special case: SIGKILL cannot be handled; it leaves files `.widebragg-*.tmp`, and programs running.

#[cfg(unix)]
pub use unix::{run, watch};

/// Does nothing: there are no signals to handle.
#[cfg(not(unix))]
pub fn watch() {}

/// Runs a program to its end.
///
/// # Errors
/// It cannot be started.
#[cfg(not(unix))]
pub fn run(command: &mut std::process::Command) -> std::io::Result<std::process::ExitStatus> {
    command.status()
}

#[cfg(unix)]
mod unix {
    use core::ffi::c_int;
    use core::sync::atomic::AtomicBool;
    use core::time::Duration;
    use std::fs;
    use std::io;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, ExitStatus};
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
    use std::thread::{Builder, sleep};
    use std::time::Instant;

    use rustix::io::Errno;
    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU, SIGXFSZ};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    use widebragg_formats::atomic::abandon_and;

    const ENDING: [c_int; 5] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGXCPU];

    /// Stack of the thread that waits for signals.
    const STACK_BYTES: usize = 1 << 16;

    /// Time that a program has to end after a signal.
    const PATIENCE: Duration = Duration::from_secs(2);

    /// The program that [`run`] waits for: the leader of a process group, which keeps its number until this is
    /// `None` again.
    static RUNNING: Mutex<Option<Pid>> = Mutex::new(None);

    fn running() -> MutexGuard<'static, Option<Pid>> {
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a program to its end, in a process group of its own. A signal that ends this program ends it
    /// first, with all that it started.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run(command: &mut Command) -> io::Result<ExitStatus> {
        let mut current = running();
        let mut child = command.process_group(0).spawn()?;
        let pid = Pid::from_child(&child);
        *current = Some(pid);
        drop(current);
        // Its number is not free for others before `wait`.
        let until_it_ends = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while matches!(waitid(WaitId::Pid(pid), until_it_ends), Err(Errno::INTR)) {}
        // While a signal ends this program, the lock is never free again.
        *running() = None;
        child.wait()
    }

    /// Ends the program that [`run`] waits for. The lock that is returned keeps `run` from returning.
    fn end_running(signal: c_int) -> MutexGuard<'static, Option<Pid>> {
        let current = running();
        if let Some(pid) = *current {
            // A group of which all have ended cannot get a signal, and needs none.
            let send = |signal| {
                let _ = kill_process_group(pid, signal);
            };
            send(Signal::from_named_raw(signal).unwrap_or(Signal::TERM));
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
            let started = Instant::now();
            while matches!(waitid(WaitId::Pid(pid), options), Ok(None)) && started.elapsed() < PATIENCE {
                sleep(Duration::from_millis(5));
            }
            send(Signal::KILL);
        }
        current
    }

    /// Handles the signals from now on. Where handlers cannot be installed, the default actions stay.
    pub fn watch() {
        // With any handler the write fails; without one the program ends.
        let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
        let ignored = ignored();
        // The handlers are installed by the waiting thread: without the thread there must be no handlers.
        let wait = move || {
            let watched = ENDING.into_iter().filter(|&signal| !is_in(ignored, signal));
            let Ok(mut signals) = Signals::new(watched) else { return };
            for signal in &mut signals {
                let _held = end_running(signal);
                abandon_and(|| {
                    // Ends the program; a failure to do so cannot be reported.
                    let _ = emulate_default_handler(signal);
                });
            }
        };
        let _ = Builder::new().name("signals".to_owned()).stack_size(STACK_BYTES).spawn(wait);
    }

    fn is_in(mask: u64, signal: c_int) -> bool {
        mask >> (signal - 1) & 1 == 1
    }

    /// The ignored signals, bit n - 1 for signal n; none where the system does not report them.
    fn ignored() -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
    }
}
