//! The property of the fuzz target `geometry` on its seeds and on mutations of them, on machines without cargo-fuzz.

use widebragg_tests::geometry::check;
use widebragg_tests::mutants::count_refused_and_read;

/// Pieces that files of geometry are made of and broken by.
const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    "[0,0,0]",
    ",",
    "\"panel\":0",
    "null",
    "nan",
    "-inf",
    "1e999",
    "1e-320",
    "0",
    "-1",
    "\n",
    "=",
    "; ",
    "! ",
    "p0/fs = ",
    "bad",
    "SEGMENT= 1 1 1 1 ",
    "ELEMENT_X ",
    "\0",
    "\u{c}\u{1a}",
];

#[test]
fn mutated_geometries_are_read_or_refused_in_one_line() {
    let (refused, read) = count_refused_and_read("geometry", &PIECES, check);
    assert!(refused > 1_000 && read > 5_000, "{refused} refused, {read} read");
}
