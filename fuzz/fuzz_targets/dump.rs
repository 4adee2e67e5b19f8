//! Fdump.bin: any bytes give the box and the values that stand where the format says, or one line that says why not.

#![no_main]

use libfuzzer_sys::fuzz_target;
use widebragg_cli::files::dump::parse_dump;
use widebragg_fuzz::read;

fuzz_target!(|bytes: &[u8]| {
    let Some(table) = read(bytes, |input, path| parse_dump(input, path)) else { return };
    let begin = bytes.windows(2).position(|pair| pair == b"\n\x0c").expect("a form feed") + 2;
    let header = String::from_utf8_lossy(&bytes[..begin]);
    let limits: Vec<i32> = header.split_whitespace().map(|word| word.parse().expect("an index")).collect();
    assert_eq!(limits, [table.h.0, table.h.1, table.k.0, table.k.1, table.l.0, table.l.1]);
    let [nh, nk, nl] = table.shape();
    let (values, rest) = bytes[begin..].as_chunks::<8>();
    // One more plane, row and element on each axis.
    assert_eq!((values.len(), rest.len()), ((nh + 1) * (nk + 1) * (nl + 1), 0));
    assert_eq!(table.data.len(), nh * nk * nl);
    for (i, f) in table.data.iter().enumerate() {
        let at = ((i / nl / nk) * (nk + 1) + i / nl % nk) * (nl + 1) + i % nl;
        assert_eq!(f.to_ne_bytes(), values[at]);
        assert!(f.is_finite());
    }
});
