//! Mutations of the seeds of a fuzz target, for machines without cargo-fuzz.

use std::fs;
use std::path::Path;

use crate::deviates::deviates;

/// Number of mutations of a target.
const ROUNDS: usize = 20_000;

/// Gives `each` the seeds of a fuzz target with none to four mutations: cut, bytes or digits replaced, bytes removed,
/// or one of `pieces` inserted. The mutations are the same in every run.
///
/// # Panics
/// Where the target has no seeds.
pub fn each_mutant(target: &str, pieces: &[&str], mut each: impl FnMut(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("seeds").map(|entry| entry.expect("a seed").path()).collect();
    files.sort();
    let seeds: Vec<Vec<u8>> = files.iter().map(|path| fs::read(path).expect("a seed")).collect();
    assert!(seeds.len() >= 5, "{target} has {} seeds", seeds.len());
    let mut random = deviates();
    let mut below = |most: usize| (random() * most as f64) as usize;
    for round in 0..ROUNDS {
        let mut bytes = seeds[round % seeds.len()].clone();
        for _ in 0..round / seeds.len() % 5 {
            let at = below(bytes.len() + 1);
            match below(5) {
                0 => bytes.truncate(at),
                1 => bytes.splice(at..at, pieces[below(pieces.len())].bytes()).for_each(drop),
                2 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = below(256) as u8),
                3 => {
                    // Changes a number without breaking it.
                    if let Some(digit) = bytes.iter_mut().skip(at).find(|byte| byte.is_ascii_digit()) {
                        *digit = b'0' + below(10) as u8;
                    }
                }
                _ => bytes.drain(at..(at + below(20)).min(bytes.len())).for_each(drop),
            }
        }
        each(&bytes);
    }
}

/// Gives `check` each mutation of the seeds of a fuzz target, and a name for it; a refusal must be one line that begins
/// with the name. Returns how many were refused, and how many read.
///
/// # Panics
/// Where the target has no seeds, or a refusal is no such line.
pub fn count_refused_and_read(
    target: &str,
    pieces: &[&str],
    check: impl Fn(&[u8], &str) -> Option<String>,
) -> (usize, usize) {
    let (mut refused, mut read) = (0, 0);
    each_mutant(target, pieces, |bytes| match check(bytes, "some.file") {
        Some(refusal) => {
            assert!(refusal.starts_with("some.file:"), "{refusal:?}");
            assert!(!refusal.contains(char::is_control) && refusal.len() < 1000, "{refusal:?}");
            refused += 1;
        }
        None => read += 1,
    });
    (refused, read)
}
