//! CIF: any bytes as a structure-factor file, by default and by the name of a column, give either finite values at
//! indices within their limits, or a one-line error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use widebragg_formats::reflections::{Choice, Format};
use widebragg_fuzz::read;
use widebragg_tests::reflections::check;

fuzz_target!(|bytes: &[u8]| {
    for columns in [Vec::new(), vec!["F_meas_au".to_owned()]] {
        let choice = Choice { columns, format: Some(Format::Cif), ..Choice::default() };
        read(bytes, |input, path| check(input, path, &choice));
    }
});
