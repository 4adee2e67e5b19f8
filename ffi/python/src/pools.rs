//! Pools of threads, kept from call to call.

use std::collections::BTreeMap;
use std::process;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::PyResult;
use rayon::ThreadPool;
use widebragg_experiment::threads;

use crate::failure::raised;

/// The pools of a process, by their numbers of threads.
struct Pools {
    process: u32,
    by_threads: BTreeMap<usize, Arc<ThreadPool>>,
}

static POOLS: Mutex<Option<Pools>> = Mutex::new(None);

/// The pool of `threads` threads; 0: as many as there are cores.
///
/// # Errors
/// The system starts no more threads.
pub(crate) fn pool(threads: usize) -> PyResult<Arc<ThreadPool>> {
    let threads = if threads == 0 { threads::or_all_cores(None) } else { threads };
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    let process = process::id();
    // A fork has the pools of its parent without their threads. They are left as they are: nothing would end them.
    if let Some(of_parent) = pools.take_if(|pools| pools.process != process) {
        core::mem::forget(of_parent);
    }
    let pools = pools.get_or_insert_with(|| Pools { process, by_threads: BTreeMap::new() });
    if let Some(pool) = pools.by_threads.get(&threads) {
        return Ok(pool.clone());
    }
    let pool = Arc::new(threads::pool(threads).map_err(raised)?);
    pools.by_threads.insert(threads, pool.clone());
    Ok(pool)
}
