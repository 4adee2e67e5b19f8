//! The property of the fuzz targets `mtz`, `cif` and `gzip` on mutations of the golden files, on machines without
//! cargo-fuzz: any bytes are read or refused in one line, in memory that grows with them only.
#![expect(unsafe_code, reason = "GlobalAlloc is an unsafe trait")]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;
use std::fs;
use std::io::{Read, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use widebragg_formats::reflections::Choice;
use widebragg_tests::deviates::deviates;
use widebragg_tests::golden;
use widebragg_tests::reflections::check;

/// Bytes of memory for each byte of a file: a value `1` of a CIF with its blank becomes an observation of 40 bytes, in
/// a vector that doubles.
const FACTOR: usize = 60;

/// Bytes for buffers, whatever the file; the reader of h k l F has one of 1 MiB.
const BUFFERS: usize = 5 << 18;

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

/// The golden files with one of these endings, but for those that are broken.
fn seeds(endings: &[&str]) -> Vec<Vec<u8>> {
    let folder = golden::root().join("reflections");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("golden files").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files.retain(|path| {
        let name = path.file_name().expect("a name").to_string_lossy();
        endings.iter().any(|ending| name.ends_with(ending))
            && !["bad_", "cut"].iter().any(|bad| name.starts_with(bad))
    });
    let seeds: Vec<_> = files.iter().map(|path| fs::read(path).expect("a golden file")).collect();
    assert!(seeds.len() >= 2, "{endings:?}");
    seeds
}

/// What an archive holds, as far as it can be unpacked; nothing for other bytes.
fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut unpacked = Vec::new();
    // An error leaves what came before it.
    let _ = MultiGzDecoder::new(bytes).take(1 << 24).read_to_end(&mut unpacked);
    unpacked
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes all bytes");
    encoder.finish().expect("memory takes all bytes")
}

/// Changes bytes at one place: anywhere, or near the beginning or the end, where headers and first rows are.
fn mutate(bytes: &mut Vec<u8>, below: &mut impl FnMut(usize) -> usize) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    let at = match below(3) {
        0 => below(length.min(100)),
        1 => length - 1 - below(length.min(3000)),
        _ => below(length),
    };
    let piece = PIECES[below(PIECES.len())];
    match below(12) {
        0 => bytes.truncate(at),
        1 | 2 => bytes.splice(at..at, piece.iter().copied()).for_each(drop),
        3 => bytes.drain(at..(at + below(20)).min(length)).for_each(drop),
        4..7 => {
            let end = (at + piece.len()).min(length);
            bytes[at..end].copy_from_slice(&piece[..end - at]);
        }
        _ => bytes[at] = below(256) as u8,
    }
}

/// Reads `rounds` mutations of the golden files, a quarter of them by the names of columns; numbers of those that are
/// read and refused.
fn mutations(endings: &[&str], names: &[&str], rounds: usize) -> (usize, usize) {
    let seeds = seeds(endings);
    let mut random = deviates();
    let mut below = |most: usize| (random() * most as f64) as usize;
    let (mut read, mut refused) = (0, 0);
    for round in 0..rounds {
        let mut bytes = seeds[round % seeds.len()].clone();
        let content = unpacked(&bytes);
        let repack = !content.is_empty() && below(2) == 0;
        if repack {
            bytes = content;
        }
        for _ in 0..round / seeds.len() % 5 {
            mutate(&mut bytes, &mut below);
        }
        if repack {
            bytes = packed(&bytes);
        }
        // What an archive holds is what is there to read.
        let length = bytes.len() + unpacked(&bytes).len();
        let columns = if below(4) == 0 { vec![names[below(names.len())].to_owned()] } else { Vec::new() };
        let choice = Choice { columns, ..Choice::default() };
        let (result, most) = measured(|| check(&mut &bytes[..], Path::new("some.file"), &choice));
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
    let (read, refused) = mutations(&[".mtz"], &["F", "FP", "FC", "F(+)", "IMEAN"], 10_000);
    assert!(read > 1_000 && refused > 1_000, "{read} read, {refused} refused");
}

#[test]
fn mutated_cif_files_are_read_or_refused() {
    let (read, refused) =
        mutations(&[".cif", ".fcf"], &["F_meas_au", "F_calc", "F_squared_calc", "pdbx_F_plus"], 6_000);
    assert!(read > 1_000 && refused > 1_000, "{read} read, {refused} refused");
}

#[test]
fn mutated_archives_are_read_or_refused() {
    let (read, refused) = mutations(&[".gz"], &["F_meas_au"], 4_000);
    assert!(read > 300 && refused > 1_000, "{read} read, {refused} refused");
}

#[test]
fn memory_is_measured() {
    let (length, most) = measured(|| vec![1_u8; 5000].len() + vec![2_u8; 3000].len());
    assert_eq!((length, most), (8000, 8000));
}
