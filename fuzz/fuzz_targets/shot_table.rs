//! Tables of crystals and of shots: any bytes give either finite numbers, and shots in order that are the same after they are
//! written, or a one-line error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use widebragg_formats::shot_table::parse_shots;
use widebragg_fuzz::{NAME, assert_refusal, read};
use widebragg_tests::shot_table::check;

fuzz_target!(|bytes: &[u8]| {
    read(bytes, |input, path| parse_shots(input, path));
    check(bytes, NAME).iter().for_each(|refusal| assert_refusal(refusal, NAME));
});
