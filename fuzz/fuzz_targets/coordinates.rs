//! Models as PDB, mmCIF or small-molecule CIF, and scans of f', f'': any bytes give either atoms whose structure
//! factors can be computed, or a one-line error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use widebragg_formats::coordinates::{parse_model, parse_scan};
use widebragg_fuzz::{NAME, assert_refusal, read};
use widebragg_tests::coordinates::check;

fuzz_target!(|bytes: &[u8]| {
    read(bytes, |input, path| parse_model(input, path));
    read(bytes, |input, path| parse_scan(input, path));
    check(bytes, NAME).iter().for_each(|refusal| assert_refusal(refusal, NAME));
});
