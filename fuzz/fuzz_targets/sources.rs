//! Source files: any bytes give either the columns of a simple reader, and beams of unit length, or a
//! one-line error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use widebragg::beam::Source;
use widebragg::vector::Vec3;
use widebragg_formats::sources::{SourceLine, parse_sources};
use widebragg_fuzz::read;

fuzz_target!(|text: &[u8]| {
    let Some(sources) = read(text, |input, path| parse_sources(input, path)) else { return };
    let text = String::from_utf8_lossy(text);
    let expected: Vec<SourceLine> = text.lines().filter_map(columns).collect();
    assert_eq!(sources, expected);
    for line in sources {
        let [x, y, z] = line.direction;
        let lambda_m = line.lambda_m.unwrap_or(1e-10);
        assert!(lambda_m.is_finite() && lambda_m > 0.0);
        let from = Vec3::new(x.unwrap_or(-10.0), y.unwrap_or(0.0), z.unwrap_or(0.0));
        if let Ok(source) = Source::new(from, lambda_m) {
            assert!((source.incident.length() - 1.0).abs() < 1e-9, "{source:?}");
        }
    }
});

/// The columns of a line; `None` for a comment or an empty line.
fn columns(line: &str) -> Option<SourceLine> {
    let words = line.split('#').next()?.split([' ', '\t', ',', ';', ':', '!', '\r']);
    let words = words.flat_map(str::split_whitespace).take(5);
    let mut numbers = words.map(|word| word.parse::<f64>().expect("a number"));
    let first = Some(numbers.next()?);
    let mut next = || numbers.next();
    Some(SourceLine { direction: [first, next(), next()], weight: next(), lambda_m: next() })
}
