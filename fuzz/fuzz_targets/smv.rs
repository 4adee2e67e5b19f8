//! SMV headers: any bytes give either keys, as many pixels as those declare and a usable geometry, or a
//! one-line error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use widebragg_experiment::resolution::Resolution;
use widebragg_formats::smv::parse_smv;
use widebragg_fuzz::{NAME, assert_refusal, read};

fuzz_target!(|bytes: &[u8]| {
    let Some(image) = read(bytes, |input, path| parse_smv(input, path)) else { return };
    assert_eq!(image.header.size().ok(), Some([Some(image.fast), Some(image.slow)]));
    assert_eq!(image.pixels.len(), image.fast * image.slow);
    assert!(image.pixels.len() * 2 < bytes.len(), "more pixels than the file has");
    for key in ["PIXEL_SIZE", "DISTANCE", "WAVELENGTH", "BEAM_CENTER_X", "PHI", "OSC_RANGE", "nothing"] {
        match image.header.number(key) {
            Ok(number) => assert!(number.is_none_or(f64::is_finite)),
            Err(failure) => assert_refusal(&failure, NAME),
        }
    }
    if let Some(geometry) = image.header.detector(image.slow) {
        assert!(geometry.pixel_m > 0.0 && geometry.lambda_m > 0.0, "{geometry:?}");
        let size_px = [image.fast as f64, image.slow as f64];
        let finest = geometry.d_angstrom(size_px);
        assert!(!finest.is_nan(), "{geometry:?}");
        let rings = geometry.rings_angstrom([0.0; 2], size_px);
        assert!(rings.iter().all(|d| d.is_finite() && *d > 0.0), "{geometry:?} {rings:?}");
    }
});
