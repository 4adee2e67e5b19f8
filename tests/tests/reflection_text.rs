//! The property of the fuzz target `reflection_text` on its seeds and on mutations of them, on machines without
//! cargo-fuzz.

use std::fs;
use std::path::Path;

use widebragg_tests::deviates::deviates;
use widebragg_tests::reflection_text::check;

/// Pieces that these files are made of and broken by.
const PIECES: [&str; 24] = [
    "{",
    "}",
    "!",
    "\n",
    "\r",
    "\t",
    "=",
    " ",
    "nan",
    "-inf",
    "1e999",
    "-1.0",
    "0",
    "********",
    "99999999",
    "\n   0   0   0\n",
    "\n!END_OF_DATA\n",
    "!ITEM_H=2\n",
    "End of reflections\n",
    " INDE 1 2 3 FOBS= 4",
    " DECL NAME=F END",
    "REMARK sg=P1 a=0\n",
    "\0",
    "\u{c}",
];

#[test]
fn mutated_files_are_read_or_refused_in_one_line() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/reflection_text");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("seeds").map(|entry| entry.expect("a seed").path()).collect();
    files.sort();
    let seeds: Vec<Vec<u8>> = files.iter().map(|path| fs::read(path).expect("a seed")).collect();
    assert!(seeds.len() >= 8);
    for (seed, path) in seeds.iter().zip(&files) {
        assert!(check(seed, "some.hkl").len() < 6, "no reader takes the seed {}", path.display());
    }
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
        let refusals = check(&bytes, "some.hkl");
        assert!(refusals.iter().all(|line| !line.contains(char::is_control)), "{refusals:?}");
        refused += usize::from(refusals.len() == 6);
        read += usize::from(refusals.len() < 6);
    }
    assert!(refused > 5_000 && read > 5_000, "{refused} refused, {read} read");
}
