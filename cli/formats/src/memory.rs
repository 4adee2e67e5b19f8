//! Fallible allocation of memory that grows with the input, so that a run with too little memory ends with an
//! error message instead of an abort.
//!
//! A reservation also leaves `SLACK_BYTES` for small allocations (buffers, names, lines), which are not
//! checked one by one. What makes many of them for its input reads it through [`Watched`].
//! The limit of the address space is read once: it does not change in a run.

use core::hint::black_box;
use std::fs::File;
use std::io::{self, Read};
use std::sync::OnceLock;

use bytemuck::Zeroable;
use bytemuck::allocation::try_zeroed_vec;

/// More than the buffers and texts of all files of an image take at a time.
const SLACK_BYTES: usize = 4 << 20;

/// Smaller allocations are not checked against the memory that is available.
const SMALL_BYTES: usize = 1 << 16;

/// Number of bytes that [`Watched`] reads at a time. What is made of a byte takes at most 50.
pub(crate) const PIECE_BYTES: usize = 1 << 15;

/// An empty vector with capacity for `count` entries; `None` where there is too little memory.
#[must_use]
pub fn reserved<T>(count: usize) -> Option<Vec<T>> {
    if !is_there(count.checked_mul(size_of::<T>())?) {
        return None;
    }
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

/// A vector of `count` zeros; `None` where there is too little memory. The system clears its pages when they are
/// first used, and on the threads that use them.
#[must_use]
pub fn zeroed<T: Zeroable>(count: usize) -> Option<Vec<T>> {
    if !is_there(count.checked_mul(size_of::<T>())?) {
        return None;
    }
    try_zeroed_vec(count).ok()
}

/// Makes room for `count` more entries; `None` where there is too little memory.
pub fn reserve<T>(vector: &mut Vec<T>, count: usize) -> Option<()> {
    if vector.capacity() - vector.len() >= count {
        return Some(());
    }
    let bytes = vector.len().checked_add(count)?.checked_mul(size_of::<T>())?;
    if bytes > SMALL_BYTES && !is_there(bytes) {
        return None;
    }
    vector.try_reserve_exact(count).ok()
}

/// Appends an entry; `None` where there is too little memory. A full vector is doubled, so that appending
/// takes constant time on average.
pub fn push<T>(vector: &mut Vec<T>, entry: T) -> Option<()> {
    if vector.len() == vector.capacity() {
        reserve(vector, vector.len().max(4))?;
    }
    vector.push(entry);
    Some(())
}

/// Appends a text; `None` where there is too little memory. A full text is doubled, as by [`push`].
pub fn append(text: &mut String, more: &str) -> Option<()> {
    if text.capacity() - text.len() < more.len() {
        let mut bytes = core::mem::take(text).into_bytes();
        let count = more.len().max(bytes.len());
        reserve(&mut bytes, count)?;
        *text = String::from_utf8(bytes).ok()?;
    }
    text.push_str(more);
    Some(())
}

/// Whether `bytes` of memory could be allocated now, and `SLACK_BYTES` would be left.
#[must_use]
pub fn is_there(bytes: usize) -> bool {
    // Systems that overcommit memory would kill the program when it uses the memory.
    if available_memory().is_some_and(|available| bytes > available) {
        return false;
    }
    let Some(wanted) = bytes.checked_add(SLACK_BYTES) else { return false };
    match left_by_limit() {
        // To try it would take the memory from other threads for a moment, which may end the program.
        Some(left) => wanted <= left,
        None => black_box(Vec::<u8>::new().try_reserve_exact(wanted)).is_ok(),
    }
}

/// Bytes that are available without swapping, where the system reports them.
fn available_memory() -> Option<usize> {
    kilobytes("/proc/meminfo", "MemAvailable:")
}

/// Bytes that the limit of the process (`ulimit -v`) leaves of its address space, where the system reports
/// them. What is free within the allocator is not counted.
fn left_by_limit() -> Option<usize> {
    static LIMIT: OnceLock<Option<usize>> = OnceLock::new();
    let limit = (*LIMIT.get_or_init(|| {
        with_line("/proc/self/limits", "Max address space", |words| {
            let soft = words.split_whitespace().next()?;
            if soft == "unlimited" { Some(usize::MAX) } else { soft.parse().ok() }
        })
    }))?;
    if limit == usize::MAX {
        return Some(limit);
    }
    kilobytes("/proc/self/status", "VmSize:").map(|used| limit.saturating_sub(used))
}

/// The value, in bytes, of a line `name ... kB`.
fn kilobytes(file: &str, name: &str) -> Option<usize> {
    with_line(file, name, |words| {
        words.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()?.checked_mul(1024)
    })
}

/// What `value` makes of the rest of the line that begins with `name`. Needs no memory of its own.
fn with_line<T>(file: &str, name: &str, value: impl Fn(&str) -> Option<T>) -> Option<T> {
    let mut text = [0; 8192];
    let mut length = 0;
    let mut file = File::open(file).ok()?;
    while let Some(rest) = text.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read(rest).ok()? {
            0 => break,
            count => length += count,
        }
    }
    let text = core::str::from_utf8(text.get(..length)?).ok()?;
    text.lines().find_map(|line| value(line.strip_prefix(name)?))
}

/// An input that ends with an error of kind `OutOfMemory` before there is too little memory for the small
/// allocations that a piece of it leads to.
#[derive(Debug)]
pub struct Watched<R>(pub R);

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !is_there(0) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let piece = buffer.len().min(PIECE_BYTES);
        self.0.read(&mut buffer[..piece])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_none() {
        assert_eq!(filled(3, 7u8), Some(vec![7; 3]));
        assert_eq!(zeroed::<f32>(3), Some(vec![0.0; 3]));
        assert_eq!((zeroed::<f64>(usize::MAX), zeroed::<u8>(1 << 50)), (None, None));
        assert!(reserved::<f64>(1000).is_some_and(|empty| empty.is_empty() && empty.capacity() >= 1000));
        assert_eq!(reserved::<u8>(usize::MAX), None);
        assert_eq!(reserved::<f64>(usize::MAX / 4), None);
        assert_eq!(filled(1 << 50, 0u8), None);
        assert!(is_there(1 << 10) && !is_there(1 << 50));
    }

    #[test]
    fn a_vector_grows_by_doubling_until_there_is_no_memory() {
        let mut vector = Vec::new();
        let mut growths = 0;
        for entry in 0..100_000 {
            let before = vector.capacity();
            push(&mut vector, entry).unwrap();
            growths += usize::from(vector.capacity() > before);
        }
        assert!(vector.len() == 100_000 && vector[99_999] == 99_999 && growths < 20, "{growths}");
        assert_eq!(reserve(&mut vector, usize::MAX), None);
        assert_eq!(reserve(&mut vector, 1 << 50), None);
        assert_eq!(vector.len(), 100_000);
    }

    #[test]
    fn a_watched_input_is_read_whole() {
        let bytes: Vec<u8> = (0..=255).cycle().take(3 * PIECE_BYTES).collect();
        let mut read = Vec::new();
        Watched(&bytes[..]).read_to_end(&mut read).unwrap();
        assert_eq!(read, bytes);
    }
}
