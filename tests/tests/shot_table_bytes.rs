//! The property of the fuzz target `shot_table` on its seeds and on mutations of them, on machines without cargo-fuzz.

use widebragg_tests::mutants::count_refused_and_read;
use widebragg_tests::shot_table::check;

/// Pieces that tables are made of and broken by.
const PIECES: [&str; 14] = [
    "shot,",
    "weight,",
    "spectrum,",
    "energy_ev,",
    "a_star_x_per_angstrom,",
    ",",
    "nan",
    "-inf",
    "1e999",
    "1e-320",
    "-",
    "\n",
    "\0",
    "\r",
];

#[test]
fn mutated_tables_are_read_or_refused_in_one_line() {
    // A table of crystals is none of shots, so that both readers refuse only what is neither.
    let both = |bytes: &[u8], name: &str| {
        let mut refusals = check(bytes, name);
        if refusals.len() == 2 { refusals.pop() } else { None }
    };
    let (refused, read) = count_refused_and_read("shot_table", &PIECES, both);
    assert!(refused > 1_000 && read > 3_000, "{refused} refused, {read} read");
}
