//! The property of the fuzz target `stream` on its seeds and on mutations of them, on machines without cargo-fuzz.

use widebragg_tests::mutants::count_refused_and_read;
use widebragg_tests::stream::check;

/// Pieces that streams are made of and broken by.
const PIECES: [&str; 18] = [
    "----- Begin chunk -----\n",
    "----- End chunk -----\n",
    "--- Begin crystal\n",
    "--- End crystal\n",
    "Peaks from peak search\n",
    "End of peak list\n",
    "End of reflections\n",
    "astar = 1 0 0 nm^-1\n",
    "bstar = 0 1e300 0 nm^-1\n",
    "photon_energy_eV = ",
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
fn mutated_streams_are_read_or_refused_in_one_line() {
    let (refused, read) = count_refused_and_read("stream", &PIECES, check);
    assert!(refused > 1_000 && read > 5_000, "{refused} refused, {read} read");
}
