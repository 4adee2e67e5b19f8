//! The property of the fuzz target `smv_header` on its seeds and on mutations of them, on machines without
//! cargo-fuzz.

use widebragg_tests::mutants::each_mutant;
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
    let (mut refused, mut read) = (0, 0);
    each_mutant("smv_header", &PIECES, |bytes| {
        let refusals = check(bytes, "some.img");
        assert!(refusals.iter().all(|line| !line.contains(char::is_control)), "{refusals:?}");
        refused += usize::from(!refusals.is_empty());
        read += usize::from(refusals.is_empty());
    });
    assert!(refused > 500 && read > 5_000, "{refused} refused, {read} read");
}
