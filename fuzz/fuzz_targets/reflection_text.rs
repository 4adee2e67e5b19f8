//! Reflections as text, of XDS, CrystFEL, scalepack, CNS and SHELX: any bytes give either finite values within the
//! limits of the readers, the same whether they arrive whole or in pieces, or one-line errors.

#![no_main]

use libfuzzer_sys::fuzz_target;
use widebragg_fuzz::{NAME, assert_refusal};
use widebragg_tests::reflection_text::check;

fuzz_target!(|bytes: &[u8]| {
    check(bytes, NAME).iter().for_each(|refusal| assert_refusal(refusal, NAME));
});
