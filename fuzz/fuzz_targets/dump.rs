//! Fdump.bin: any bytes give either the limits and the values at the places that the format defines, or a
//! one-line error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use widebragg_formats::dump::parse_dump;
use widebragg_fuzz::read;

fn are_amplitudes(values: &[f64]) -> bool {
    values.iter().all(|f| *f == 0.0 || (f.abs() >= 1e-60 && f.abs() < 1e60))
}

fuzz_target!(|bytes: &[u8]| {
    let Some(table) = read(bytes, |input, path| parse_dump(input, path)) else { return };
    let begin = bytes.windows(2).position(|pair| pair == b"\n\x0c").expect("a form feed") + 2;
    let header = String::from_utf8_lossy(&bytes[..begin]);
    let limits: Vec<i32> = header.split_whitespace().map(|word| word.parse().expect("an index")).collect();
    assert_eq!(limits, [table.h.0, table.h.1, table.k.0, table.k.1, table.l.0, table.l.1]);
    let [nh, nk, nl] = table.shape();
    let (values, rest) = bytes[begin..].as_chunks::<8>();
    // The file has one more plane, row and column than the limits say.
    assert_eq!((values.len(), rest.len()), ((nh + 1) * (nk + 1) * (nl + 1), 0));
    assert_eq!(table.data.len(), nh * nk * nl);
    let at = |i: usize| ((i / nl / nk) * (nk + 1) + i / nl % nk) * (nl + 1) + i % nl;
    let ours: Vec<f64> = (0..nh * nk * nl).map(|i| f64::from_ne_bytes(values[at(i)])).collect();
    let foreign: Vec<f64> = ours.iter().map(|f| f64::from_bits(f.to_bits().swap_bytes())).collect();
    // The other byte order applies where it gives only amplitudes and this one does not.
    let expected = if are_amplitudes(&foreign) && !are_amplitudes(&ours) { foreign } else { ours };
    for (f, expected) in table.data.iter().zip(expected) {
        assert_eq!(f.to_bits(), expected.to_bits());
        assert!(f.is_finite());
    }
});
