//! HDF5: any bytes give either images and a geometry whose numbers can be meant, or one-line errors. Files are opened
//! by name, so the bytes are written to one.

#![no_main]

use std::{env, fs, process};

use libfuzzer_sys::fuzz_target;
use widebragg_fuzz::assert_refusal;
use widebragg_tests::hdf5::check;

fuzz_target!(|bytes: &[u8]| {
    let folder = env::temp_dir().join(format!("widebragg-fuzz-hdf5-{}", process::id()));
    let path = folder.join("some.h5");
    fs::create_dir_all(&folder).and_then(|()| fs::write(&path, bytes)).expect("a folder for temporary files");
    // A virtual dataset may name a file beside this one, which is not there.
    let start = folder.to_string_lossy();
    check(&path, |failure| assert_refusal(failure, &start));
});
