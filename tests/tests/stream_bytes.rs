//! The property of the fuzz target `stream` on its seeds and on mutations of them, on machines without cargo-fuzz.

use widebragg_tests::mutants::each_mutant;
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
    let (mut refused, mut read) = (0, 0);
    each_mutant("stream", &PIECES, |bytes| match check(bytes, "some.file") {
        Some(refusal) => {
            assert!(refusal.starts_with("some.file:"), "{refusal:?}");
            assert!(!refusal.contains(char::is_control) && refusal.len() < 1000, "{refusal:?}");
            refused += 1;
        }
        None => read += 1,
    });
    assert!(refused > 1_000 && read > 5_000, "{refused} refused, {read} read");
}
