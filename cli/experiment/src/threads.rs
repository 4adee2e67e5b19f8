//! Worker threads.

use core::hint::black_box;
use std::thread::available_parallelism;

use rayon::{ThreadPool, ThreadPoolBuilder};
use widebragg_formats::memory::is_there;

use crate::experiment::Experiment;
use crate::failure::{Failure, Part};

/// Below this many steps in an image a second thread costs more than it saves.
const STEPS_WORTH_THREADS: f64 = 200_000.0;

/// Memory for a thread: its stack, and what it allocates before its work.
const THREAD_BYTES: usize = (2 << 20) + (1 << 16);

/// More than all threads allocate while they start, and less than what allocators give back to the system.
const STARTING_BYTES: usize = 100_000;

/// A pool of `threads` threads; 0: as many as there are cores.
///
/// # Errors
/// The system starts no more threads, or there is too little memory for their stacks.
pub fn pool(threads: usize) -> Result<ThreadPool, Failure> {
    let count = if threads == 0 { or_all_cores(None) } else { threads };
    // Threads that start with the last memory could not report that there is none.
    if !is_there(count.saturating_mul(THREAD_BYTES)) {
        return Err(Failure::impossible(Part::Threads, format!("{count}: no memory for their stacks")));
    }
    // What is given back stays with the allocator. Each thread reserves address space for a moment, in which the system may
    // have none for the few allocations that start it.
    drop(black_box(Vec::<u8>::with_capacity(STARTING_BYTES)));
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.map_err(|error| Failure::impossible(Part::Threads, format!("{threads}: {error}")))
}

/// `threads`, or as many as there are cores.
#[must_use]
pub fn or_all_cores(threads: Option<usize>) -> usize {
    threads.unwrap_or_else(|| available_parallelism().map_or(1, usize::from))
}

/// As many of `threads` as are worth starting for an image of `experiment`.
#[must_use]
pub fn worth_starting(experiment: &Experiment, threads: usize) -> usize {
    let steps = experiment.pixels() as f64 * experiment.steps_per_pixel();
    if steps < STEPS_WORTH_THREADS { 1 } else { threads }
}
