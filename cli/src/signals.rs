//! A run that is asked to end removes its unfinished files first.
//!
//! SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGXCPU (the time limits of batch systems) end the program as they always do,
//! so that whoever started it sees which signal it was; before that the temporary files go. A signal that whoever
//! started the program had it ignore (`nohup`, a job in the background of a script) stays ignored.
//! SIGXFSZ (a file larger than the user may write) becomes an error of the write, which is told in words like any other.
//! Special cases: nothing can be done about SIGKILL, which leaves files `.widebragg-*.tmp`.

#[cfg(unix)]
pub use unix::watch;

/// Nothing to watch for.
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

    /// The watching thread does next to nothing.
    const STACK_BYTES: usize = 1 << 16;

    /// Watches for the signals from now on. Where that cannot be set up they do what they do by themselves.
    pub fn watch() {
        // A signal with a handler, whatever the handler does, lets the write fail instead of ending the program.
        let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
        let ignored = ignored();
        // Made in the thread that waits for them: where there is no thread there must be no handlers either.
        let wait = move || {
            let watched = ENDING.into_iter().filter(|&signal| !is_in(ignored, signal));
            let Ok(mut signals) = Signals::new(watched) else { return };
            for signal in &mut signals {
                abandon_and(|| {
                    // Ends the program; there is nobody left to tell that it could not.
                    let _ = emulate_default_handler(signal);
                });
            }
        };
        let _ = Builder::new().name("signals".to_owned()).stack_size(STACK_BYTES).spawn(wait);
    }

    fn is_in(mask: u64, signal: c_int) -> bool {
        mask >> (signal - 1) & 1 == 1
    }

    /// The signals that are ignored, bit n - 1 for signal n; none where the system does not tell.
    fn ignored() -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
    }
}
