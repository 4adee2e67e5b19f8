//! Streams of CrystFEL: any bytes give either chunks with finite numbers and crystals with a cell, the same whether they
//! arrive whole or in pieces and after they are written, or a one-line error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use widebragg_formats::stream::read_stream;
use widebragg_fuzz::{NAME, assert_refusal, read};
use widebragg_tests::stream::check;

fuzz_target!(|bytes: &[u8]| {
    read(bytes, |input, path| read_stream(input, path));
    check(bytes, NAME).iter().for_each(|refusal| assert_refusal(refusal, NAME));
});
