//! SMV headers without their pixels: any bytes give numbers that are finite and sizes within their limits, or
//! one-line errors.

#![no_main]

use libfuzzer_sys::fuzz_target;
use widebragg_formats::smv::parse_smv_header;
use widebragg_fuzz::{NAME, assert_refusal, read};
use widebragg_tests::smv_header::check;

fuzz_target!(|bytes: &[u8]| {
    read(bytes, |input, path| parse_smv_header(input, path));
    check(bytes, NAME).iter().for_each(|refusal| assert_refusal(refusal, NAME));
});
