//! What every stream of CrystFEL must keep, whatever its bytes; the fuzz target `stream` and a test of mutated seeds
//! share it.

use std::path::Path;

use widebragg_formats::geometry::{Beam, Frame, Geometry, Panel};
use widebragg_formats::stream::{Chunk, StreamHeader, StreamWriter, read_stream};

/// Reads the stream that `bytes` hold, named `name`, and checks all that is read. Returns the refusal, which begins
/// with the name.
///
/// # Panics
/// When a number is not finite, a crystal has no cell, or the stream that is written of the chunks has others.
pub fn check(bytes: &[u8], name: &str) -> Option<String> {
    let chunks = match read_stream(&mut &bytes[..], Path::new(name)) {
        Ok(chunks) => chunks,
        Err(failure) => return Some(failure.to_string()),
    };
    for chunk in &chunks {
        assert!(chunk.lambda_m.is_none_or(|lambda_m| lambda_m > 0.0 && lambda_m.is_finite()), "{chunk:?}");
        for lattice in &chunk.lattices {
            let numbers = lattice.crystal.a_matrix.as_flattened().iter().chain(&lattice.detector_shift_m);
            assert!(numbers.into_iter().all(|number| number.is_finite()), "{lattice:?}");
            assert!(lattice.crystal.cell().is_some(), "{lattice:?}");
        }
    }
    let written = written(&chunks);
    // Numbers near the limits of f64 leave them in other units, and are refused.
    if let Ok(read) = read_stream(&mut &written[..], Path::new("written.stream")) {
        assert_eq!(read.len(), chunks.len());
        read.iter().zip(&chunks).for_each(|(read, chunk)| assert_same(read, chunk));
    }
    None
}

/// The chunks as a stream of a detector whose beam is z already.
fn written(chunks: &[Chunk]) -> Vec<u8> {
    let panel = Panel {
        name: "0".to_owned(),
        pixels: [10, 10],
        data_origin: [0, 0],
        pixel_m: [1e-4; 2],
        origin_m: [0.0, 0.0, 0.1],
        fast: [1.0, 0.0, 0.0],
        slow: [0.0, 1.0, 0.0],
        sensor: None,
        valid: [None; 2],
    };
    let beam = Beam { direction: [0.0, 0.0, 1.0], lambda_m: Some(1e-10), polarization: None };
    let panels = vec![panel];
    let geometry = Geometry { frame: Frame::McStas, beam, panels, spindle: None, scan: None, crystal: None };
    let mut written = Vec::new();
    let stream = StreamWriter::new(&mut written, &geometry, &StreamHeader::default());
    let mut stream = stream.expect("a header without line ends");
    chunks.iter().for_each(|chunk| stream.chunk(chunk, &[]).expect("names without line ends"));
    written
}

fn assert_same(one: &Chunk, other: &Chunk) {
    let names = |chunk: &Chunk| (chunk.image.clone(), chunk.event.clone(), chunk.serial);
    assert_eq!(names(one), names(other));
    let are_close = |one: f64, other: f64| (one - other).abs() <= 1e-14 * one.abs();
    assert_eq!(one.lambda_m.is_some(), other.lambda_m.is_some());
    assert!(one.lambda_m.into_iter().zip(other.lambda_m).all(|(one, other)| are_close(one, other)));
    assert_eq!(one.lattices.len(), other.lattices.len());
    for (one, other) in one.lattices.iter().zip(&other.lattices) {
        assert_eq!(one.bravais, other.bravais);
        let numbers = one.crystal.a_matrix.as_flattened().iter().chain(&one.detector_shift_m);
        let others = other.crystal.a_matrix.as_flattened().iter().chain(&other.detector_shift_m);
        assert!(numbers.zip(others).all(|(one, other)| are_close(*one, *other)), "{one:?} {other:?}");
    }
}
