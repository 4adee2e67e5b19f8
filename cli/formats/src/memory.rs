//! Fallible allocation of memory that grows with the input, so that a run with too little memory ends with an
//! error message instead of an abort.
//!
//! A reservation also leaves `SLACK_BYTES` for small allocations (buffers, names, lines), which are not
//! checked.

/// More than the buffers and texts of all files of an image take at a time.
const SLACK_BYTES: usize = 4 << 20;

/// An empty vector with capacity for `count` entries; `None` where there is too little memory.
#[must_use]
pub fn reserved<T>(count: usize) -> Option<Vec<T>> {
    // Systems that overcommit memory would kill the program when it uses the memory.
    let bytes = count.checked_mul(size_of::<T>())?;
    if available_memory().is_some_and(|available| bytes > available) {
        return None;
    }
    let mut slack: Vec<u8> = Vec::new();
    slack.try_reserve_exact(SLACK_BYTES).ok()?;
    let mut vector = Vec::new();
    vector.try_reserve_exact(count).ok()?;
    Some(vector)
}

/// A vector of `count` copies of a value; `None` where there is too little memory.
#[must_use]
pub fn filled<T: Clone>(count: usize, value: T) -> Option<Vec<T>> {
    let mut vector = reserved(count)?;
    vector.resize(count, value);
    Some(vector)
}

/// Bytes that are available without swapping, where the system reports them.
fn available_memory() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_none() {
        assert_eq!(filled(3, 7u8), Some(vec![7; 3]));
        assert!(reserved::<f64>(1000).is_some_and(|empty| empty.is_empty() && empty.capacity() >= 1000));
        assert_eq!(reserved::<u8>(usize::MAX), None);
        assert_eq!(reserved::<f64>(usize::MAX / 4), None);
        assert_eq!(filled(1 << 50, 0u8), None);
    }
}
