//! MTZ: any bytes after `MTZ `, by default and by the name of a column, give either finite values at indices within
//! their limits, or a one-line error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use widebragg_formats::reflections::Choice;
use widebragg_fuzz::read;
use widebragg_tests::reflections::check;

fuzz_target!(|bytes: &[u8]| {
    let bytes = [b"MTZ ", bytes.strip_prefix(b"MTZ ").unwrap_or(bytes)].concat();
    for columns in [Vec::new(), vec!["F".to_owned()]] {
        let choice = Choice { columns, ..Choice::default() };
        read(&bytes, |input, path| check(input, path, &choice));
    }
});
