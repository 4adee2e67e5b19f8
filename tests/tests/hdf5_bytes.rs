//! The property of the fuzz target `hdf5` on mutations of its seeds, on machines without cargo-fuzz: any bytes are
//! read or refused in one line, in memory that the file accounts for.
#![expect(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicUsize, Ordering};
use std::alloc::System;
use std::fs;

use widebragg_tests::hdf5::check;
use widebragg_tests::mutants::each_mutant;

/// The largest allocation for a file of some 10 kB: shapes and sizes of chunks that the file states are not taken at
/// their word.
const MOST_BYTES: usize = 64 << 20;

/// The largest allocation so far.
static LARGEST: AtomicUsize = AtomicUsize::new(0);

struct Measuring;

#[global_allocator]
static ALLOCATOR: Measuring = Measuring;

// SAFETY: every call is forwarded unchanged to the system's allocator.
unsafe impl GlobalAlloc for Measuring {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: `System.alloc` has the contract of this function, which the caller upholds.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `System.dealloc` has the contract of this function, which the caller upholds. The block
        // came from `System`.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LARGEST.fetch_max(size, Ordering::Relaxed);
        // SAFETY: `System.realloc` has the contract of this function, which the caller upholds. The block
        // came from `System`.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[test]
fn mutants_of_the_seeds_are_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.h5");
    let start = folder.path().display().to_string();
    let pieces = ["\u{7f}\u{7f}\u{7f}\u{7f}", "\0\0\0\0", "TREE", "OHDR", "\u{1}\0\0\0\0\0\0\0"];
    let mut round = 0;
    each_mutant("hdf5", &pieces, |bytes| {
        // One in eight, since a file is opened eight times.
        round += 1;
        if round % 8 != 0 {
            return;
        }
        fs::write(&path, bytes).unwrap();
        LARGEST.store(0, Ordering::Relaxed);
        check(&path, |failure| {
            let line = failure.to_string();
            assert!(line.starts_with(&start) && !line.contains(char::is_control), "{line:?}");
        });
        let largest = LARGEST.load(Ordering::Relaxed);
        assert!(largest <= MOST_BYTES, "{largest} bytes of memory for {} bytes of a file", bytes.len());
    });
}
