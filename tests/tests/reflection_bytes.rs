//! The property of the fuzz targets `mtz`, `cif` and `gzip` on mutations of the golden files, on machines without
//! cargo-fuzz: any bytes are read or refused in one line, in memory that grows with them only.
#![expect(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;
use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use widebragg_formats::reflections::Choice;
use widebragg_tests::deviates::deviates;
use widebragg_tests::golden;
use widebragg_tests::reflections::check;

/// Bytes of memory for each byte of a file: a value `1` of a CIF with its blank becomes an observation of 40 bytes, in a
/// vector that doubles.
const FACTOR: usize = 60;

/// Bytes for buffers, whatever the file.
const BUFFERS: usize = 1 << 20;

std::thread_local! {
    /// Bytes that this thread has allocated and not freed, and the most it has had.
    static HELD: Cell<[usize; 2]> = const { Cell::new([0; 2]) };
}

fn hold(more: usize, fewer: usize) {
    let [held, most] = HELD.get();
    let held = (held + more).saturating_sub(fewer);
    HELD.set([held, most.max(held)]);
}

struct Measuring;

#[global_allocator]
static ALLOCATOR: Measuring = Measuring;

// SAFETY: every call is forwarded unchanged to the system's allocator.
unsafe impl GlobalAlloc for Measuring {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        hold(layout.size(), 0);
        // SAFETY: `System.alloc` has the contract of this function, which the caller upholds.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        hold(0, layout.size());
        // SAFETY: `System.dealloc` has the contract of this function, which the caller upholds. The block
        // came from `System`.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        hold(size, layout.size());
        // SAFETY: `System.realloc` has the contract of this function, which the caller upholds. The block
        // came from `System`.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// Runs `job`; its result, and the most bytes that it has held.
fn measured<R>(job: impl FnOnce() -> R) -> (R, usize) {
    let [held, _] = HELD.get();
    HELD.set([held; 2]);
    let result = job();
    (result, HELD.get()[1] - held)
}

/// Pieces that files are made of and broken by.
const PIECES: [&[u8]; 20] = [
    b"MTZ ",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\xc0\x7f",
    b"NCOL  99999999 99999999999  0",
    b"END",
    b"COLUMN F F 0 1 1",
    b"SYMM X,Y,Z",
    b"VALM -999",
    b"\x1f\x8b\x08\0\0\0\0\0\0\xff",
    b"\nloop_\n",
    b"\ndata_x\n",
    b"\n_refln.index_h ",
    b"\n;",
    b" ' ",
    b" ? ",
    b" 1e999 ",
    b" 99999999999 ",
    b"#",
    b"\0",
];

/// The golden files with one of these endings, not those that are broken.
fn seeds(endings: &[&str]) -> Vec<Vec<u8>> {
    let folder = golden::root().join("reflections");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("golden files").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    files.retain(|path| endings.iter().any(|ending| name(path).ends_with(ending)));
    let seeds: Vec<_> = files.iter().map(|path| fs::read(path).expect("a golden file")).collect();
    assert!(seeds.len() >= 3, "{endings:?}");
    seeds
}

/// Reads `rounds` mutations of the golden files; numbers of those that are read and refused.
fn mutations(endings: &[&str], rounds: usize) -> (usize, usize) {
    let seeds = seeds(endings);
    let choices = [&[][..], &["F"], &["F_meas_au", "pdbx_anom_difference"]].map(|columns| Choice {
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        ..Choice::default()
    });
    let mut random = deviates();
    let mut below = |most: usize| (random() * most as f64) as usize;
    let (mut read, mut refused) = (0, 0);
    for round in 0..rounds {
        let mut bytes = seeds[round % seeds.len()].clone();
        // Headers and first rows are where most goes wrong, the first bytes of an MTZ and its last ones.
        let near = |at: usize, length: usize, place: usize| match place {
            0 => at % length.min(100),
            1 => length - 1 - at % length.min(3000),
            _ => at % length,
        };
        for _ in 0..round / seeds.len() % 5 {
            if bytes.is_empty() {
                break;
            }
            let at = near(below(1 << 30), bytes.len(), below(3));
            match below(5) {
                0 => bytes.truncate(at),
                1 => bytes.splice(at..at, PIECES[below(PIECES.len())].iter().copied()).for_each(drop),
                2 => {
                    let piece = PIECES[below(PIECES.len())];
                    let end = (at + piece.len()).min(bytes.len());
                    bytes[at..end].copy_from_slice(&piece[..end - at]);
                }
                3 => bytes[at] = below(256) as u8,
                _ => bytes.drain(at..(at + below(20)).min(bytes.len())).for_each(drop),
            }
        }
        // What an archive holds is what is there to read.
        let mut unpacked = Vec::new();
        let _ = MultiGzDecoder::new(&bytes[..]).take(1 << 24).read_to_end(&mut unpacked);
        let length = bytes.len() + unpacked.len();
        let choice = &choices[below(choices.len())];
        let (result, most) = measured(|| check(&mut &bytes[..], Path::new("some.file"), choice));
        assert!(most <= BUFFERS + FACTOR * length, "{most} bytes for {length}");
        match result {
            Ok(_) => read += 1,
            Err(failure) => {
                let line = failure.to_string();
                assert!(line.starts_with("some.file") && !line.contains(char::is_control), "{line:?}");
                assert!(line.len() < 8000, "{} bytes of message", line.len());
                refused += 1;
            }
        }
    }
    (read, refused)
}

#[test]
fn mutated_mtz_files_are_read_or_refused() {
    let (read, refused) = mutations(&[".mtz"], 10_000);
    assert!(read > 1_000 && refused > 1_000, "{read} read, {refused} refused");
}

#[test]
fn mutated_cif_files_are_read_or_refused() {
    let (read, refused) = mutations(&[".cif", ".fcf"], 6_000);
    assert!(read > 1_000 && refused > 1_000, "{read} read, {refused} refused");
}

#[test]
fn mutated_archives_are_read_or_refused() {
    let (read, refused) = mutations(&[".gz"], 4_000);
    assert!(read > 300 && refused > 1_000, "{read} read, {refused} refused");
}

#[test]
fn memory_is_measured() {
    let (length, most) = measured(|| vec![1_u8; 5000].len() + vec![2_u8; 3000].len());
    assert_eq!((length, most), (8000, 8000));
}
