//! What every SMV header must keep, whatever its bytes; the fuzz target `smv_header` and a test of mutated seeds
//! share it.

use std::path::Path;
use widebragg_formats::smv::parse_smv_header;

/// Keys that are read as numbers.
const KEYS: [&str; 12] = [
    "HEADER_BYTES",
    "SIZE1",
    "PIXEL_SIZE",
    "DISTANCE",
    "CLOSE_DISTANCE",
    "WAVELENGTH",
    "BEAM_CENTER_X",
    "XDS_ORGX",
    "PHI",
    "TWOTHETA",
    "ADC_OFFSET",
    "nothing",
];

/// Reads the header that `bytes` begin with, named `name`, and checks all that is read from it. Returns the
/// messages of refusals, each of which begins with the name.
///
/// # Panics
/// When a number is not finite, has a unit that the header does not have, or sizes are out of range, or a refusal does
/// not begin with the name.
pub fn check(bytes: &[u8], name: &str) -> Vec<String> {
    let path = Path::new(name);
    let header = match parse_smv_header(bytes, path) {
        Ok(header) => header,
        Err(failure) => return vec![failure.to_string()],
    };
    let mut refusals = Vec::new();
    for key in KEYS {
        match header.measured(key) {
            Ok(None) => {}
            Ok(Some(measured)) => {
                let text = header.get(key).expect("a key with a number has a value");
                assert!(measured.value.is_finite() && text.ends_with(measured.unit), "{key}={text}");
            }
            Err(failure) => refusals.push(failure.to_string()),
        }
        assert!(header.nanobragg_number(key).is_none_or(|value| !value.is_nan()), "{key}");
    }
    match header.size() {
        Ok(size) => {
            assert!(size.into_iter().flatten().all(|pixels| (1..1 << 31).contains(&pixels)), "{size:?}")
        }
        Err(failure) => refusals.push(failure.to_string()),
    }
    if let Some(detector) = header.detector(100) {
        assert!(
            detector.pixel_m > 0.0 && detector.distance_m > 0.0 && detector.lambda_m > 0.0,
            "{detector:?}"
        );
    }
    assert!(refusals.iter().all(|line| line.starts_with(name)), "{refusals:?}");
    refusals
}
