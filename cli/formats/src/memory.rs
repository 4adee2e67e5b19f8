//! Fallible allocation of memory that grows with the input, so that a run with too little memory ends with an
//! error message instead of an abort.
//!
//! A reservation also leaves `SLACK_BYTES` for small allocations (buffers, names, lines), which are not
//! checked one by one. What makes many of them for its input reads it through [`Watched`].

use core::hint::black_box;
use std::io::{self, Read};

/// More than the buffers and texts of all files of an image take at a time.
const SLACK_BYTES: usize = 4 << 20;

/// Smaller allocations are not checked against the memory that is available.
const SMALL_BYTES: usize = 1 << 16;

/// Number of bytes that [`Watched`] reads at a time. What is made of a byte takes at most 50.
const PIECE_BYTES: usize = 1 << 15;

/// An empty vector with capacity for `count` entries; `None` where there is too little memory.
#[must_use]
pub fn reserved<T>(count: usize) -> Option<Vec<T>> {
    let slack = slack(count.checked_mul(size_of::<T>())?)?;
    let mut vector = Vec::new();
    vector.try_reserve_exact(count).ok()?;
    drop(slack);
    Some(vector)
}

/// A vector of `count` copies of a value; `None` where there is too little memory.
#[must_use]
pub fn filled<T: Clone>(count: usize, value: T) -> Option<Vec<T>> {
    let mut vector = reserved(count)?;
    vector.resize(count, value);
    Some(vector)
}

/// Makes room for `count` more entries; `None` where there is too little memory.
pub fn reserve<T>(vector: &mut Vec<T>, count: usize) -> Option<()> {
    if vector.capacity() - vector.len() >= count {
        return Some(());
    }
    let bytes = vector.len().checked_add(count)?.checked_mul(size_of::<T>())?;
    let slack = if bytes > SMALL_BYTES { Some(slack(bytes)?) } else { None };
    vector.try_reserve_exact(count).ok()?;
    drop(slack);
    Some(())
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

/// Whether `bytes` of memory could be allocated now, in one piece.
#[must_use]
pub fn is_there(bytes: usize) -> bool {
    // An allocation that no one looks at might be compiled to none.
    black_box(reserved::<u8>(bytes)).is_some()
}

/// The memory that stays free beside `bytes`, to be dropped when these are allocated; `None` where `bytes`
/// are more than the system could give without swapping, which would kill the program when it uses them.
fn slack(bytes: usize) -> Option<Vec<u8>> {
    let mut slack: Vec<u8> = Vec::new();
    slack.try_reserve_exact(SLACK_BYTES).ok()?;
    let slack = black_box(slack);
    if available_memory().is_some_and(|available| bytes > available) { None } else { Some(slack) }
}

/// Bytes that are available without swapping, where the system reports them.
fn available_memory() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
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
