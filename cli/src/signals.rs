//! Removal of unfinished files when a signal ends the program.
//!
//! SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGXCPU (the time limit of batch systems) end the program by their
//! default action, so that its parent sees the signal, after the temporary files are removed. A signal that
//! the parent set to be ignored (`nohup`, a background job of a script) stays ignored. SIGXFSZ (a file larger
//! than the limit) becomes an error of the write, which is reported like any other.
//! Special case: SIGKILL cannot be handled and leaves files `.widebragg-*.tmp`.

#[cfg(unix)]
pub use unix::watch;

/// Does nothing: there are no signals to handle.
#[cfg(not(unix))]
pub fn watch() {}

#[cfg(unix)]
mod unix {
    use core::ffi::c_int;
    use core::sync::atomic::AtomicBool;
    use std::fs;
    use std::sync::Arc;
    use std::thread::Builder;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXCPU, SIGXFSZ};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    use widebragg_formats::atomic::abandon_and;

    const ENDING: [c_int; 5] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGXCPU];

    /// Stack of the thread that waits for signals.
    const STACK_BYTES: usize = 1 << 16;

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
