//! The property of the fuzz target `smv_header` on its seeds and on mutations of them, on machines without
//! cargo-fuzz.

use std::fs;
use std::path::Path;

use widebragg_tests::deviates::deviates;
use widebragg_tests::smv_header::check;

/// Pieces that headers are made of and broken by.
const PIECES: [&str; 14] = [
    "{",
    "}",
    "\n}",
    "\n",
    ";",
    "=",
    "nan",
    "-inf",
    "1e999",
    "HEADER_BYTES=9;",
    "\nDISTANCE=",
    " mm",
    "\0",
    "\u{c}",
];

#[test]
fn mutated_headers_are_read_or_refused_in_one_line() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/smv_header");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("seeds").map(|entry| entry.expect("a seed").path()).collect();
    files.sort();
    let seeds: Vec<Vec<u8>> = files.iter().map(|path| fs::read(path).expect("a seed")).collect();
    assert!(seeds.len() >= 6);
    let mut random = deviates();
    let mut below = |most: usize| (random() * most as f64) as usize;
    let (mut refused, mut read) = (0, 0);
    for round in 0..20_000 {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..round / seeds.len() % 5 {
            let at = below(bytes.len() + 1);
            match below(4) {
                0 => bytes.truncate(at),
                1 => bytes.splice(at..at, PIECES[below(PIECES.len())].bytes()).for_each(drop),
                2 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = below(256) as u8),
                _ => bytes.drain(at..(at + below(20)).min(bytes.len())).for_each(drop),
            }
        }
        let refusals = check(&bytes, "some.img");
        assert!(refusals.iter().all(|line| !line.contains(char::is_control)), "{refusals:?}");
        refused += usize::from(!refusals.is_empty());
        read += usize::from(refusals.is_empty());
    }
    assert!(refused > 500 && read > 5_000, "{refused} refused, {read} read");
}
