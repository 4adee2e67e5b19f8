//! Structure factors as text: any bytes give either the table of a simple reader, or a one-line error.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use widebragg_formats::hkl::parse_hkl;
use widebragg_fuzz::read;

/// Largest number of nodes of a grid here: half a megabyte.
const MOST_CELLS: usize = 1 << 16;
const DEFAULT_F: f64 = -7.0;

fuzz_target!(|text: &[u8]| {
    let table = read(text, |input, path| parse_hkl(input, path, DEFAULT_F, MOST_CELLS));
    let listed = reflections(text);
    let Some(table) = table else {
        let box_of_all =
            listed.as_ref().map_or(0, |listed| (0..3).map(|axis| entries(listed, axis)).product());
        assert!(box_of_all == 0 || box_of_all > MOST_CELLS as i128, "a good list is refused");
        return;
    };
    let listed = listed.expect("a bad list is read");
    assert_eq!([table.h, table.k, table.l], [0, 1, 2].map(|axis| limits(&listed, axis)));
    let mut cells = table.data.iter();
    for h in table.h.0..=table.h.1 {
        for k in table.k.0..=table.k.1 {
            for l in table.l.0..=table.l.1 {
                let f = listed.get(&[h, k, l]).copied().unwrap_or(DEFAULT_F);
                assert_eq!(cells.next().map(|cell| cell.to_bits()), Some(f.to_bits()), "{h} {k} {l}");
            }
        }
    }
    assert_eq!(cells.next(), None);
});

type Listed = BTreeMap<[i32; 3], f64>;

/// The listed reflections, of which the last of an index counts; `None` where a line is not `h k l F`, or
/// there is none.
fn reflections(text: &[u8]) -> Option<Listed> {
    let mut listed = Listed::new();
    for line in text.split(|&byte| byte == b'\n') {
        let words: Vec<&[u8]> = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect();
        if words.first().is_none_or(|word| word[0] == b'#') {
            continue;
        }
        let number = |at: usize| {
            let value: f64 = core::str::from_utf8(words.get(at)?).ok()?.parse().ok()?;
            value.is_finite().then_some(value)
        };
        let index = |at: usize| {
            number(at).filter(|value| f64::from(*value as i32) == *value).map(|value| value as i32)
        };
        listed.insert([index(0)?, index(1)?, index(2)?], number(3)?);
    }
    Some(listed).filter(|listed| !listed.is_empty())
}

fn limits(listed: &Listed, axis: usize) -> (i32, i32) {
    let along = || listed.keys().map(|hkl| hkl[axis]);
    (along().min().unwrap_or(0), along().max().unwrap_or(0))
}

fn entries(listed: &Listed, axis: usize) -> i128 {
    let (least, most) = limits(listed, axis);
    i128::from(most) - i128::from(least) + 1
}
