//! gzip: any bytes as reflections in an archive, and any bytes packed into one, give either finite values at indices
//! within their limits, or a one-line error; what is packed gives what it gives unpacked.

#![no_main]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use widebragg_formats::reflections::Choice;
use widebragg_fuzz::read;
use widebragg_tests::reflections::check;

fuzz_target!(|bytes: &[u8]| {
    let choice = Choice::default();
    let reflections = |bytes: &[u8]| read(bytes, |input, path| check(input, path, &choice));
    let plain = reflections(bytes);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes all bytes");
    let packed = reflections(&encoder.finish().expect("memory takes all bytes"));
    if !bytes.starts_with(b"\x1f\x8b") {
        assert_eq!(format!("{packed:?}"), format!("{plain:?}"));
    }
});
