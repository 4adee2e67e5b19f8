//! A matrices: any bytes give either their first nine numbers or a one-line error, and any nine numbers a
//! finite cell or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use widebragg::crystal::{CellSource, Crystal, CrystalParameters};
use widebragg_formats::matrix::parse_matrix;
use widebragg_fuzz::{read, words};

fuzz_target!(|text: &[u8]| {
    let numbers: Option<Vec<f64>> = words(text).iter().take(9).map(|word| word.parse().ok()).collect();
    let numbers = numbers.filter(|numbers| numbers.len() == 9 && numbers.iter().all(|x| x.is_finite()));
    let rows = read(text, |input, path| parse_matrix(input, path));
    assert_eq!(rows.map(|rows| rows.as_flattened().to_vec()), numbers);
    let Some(rows) = rows else { return };
    for misset_rad in [[0.0; 3], [0.1, -2.0, 0.7]] {
        let source = CellSource::Matrix(rows);
        let Ok(crystal) = Crystal::new(&CrystalParameters { source, lambda0_m: 1e-10, misset_rad }) else {
            continue;
        };
        let direct = [crystal.direct.a_m, crystal.direct.b_m, crystal.direct.c_m];
        for axis in direct.into_iter().chain(crystal.reciprocal_per_angstrom) {
            assert!(axis.length().is_finite() && axis.length() > 0.0, "{crystal:?}");
        }
    }
});
