//! Geometry of DIALS, CrystFEL, XDS and of image headers: any bytes give either finite numbers, axes of length 1 and
//! panels with pixels, the same whether they arrive whole or in pieces, or a one-line error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use widebragg_formats::geometry::parse_geometry;
use widebragg_fuzz::{NAME, assert_refusal, read};
use widebragg_tests::geometry::check;

fuzz_target!(|bytes: &[u8]| {
    read(bytes, |input, path| parse_geometry(input, path, 0));
    check(bytes, NAME).iter().for_each(|refusal| assert_refusal(refusal, NAME));
});
