//! The property of the fuzz target `shot_table`.

use std::path::Path;

use widebragg_formats::shot_table::{ShotRows, parse_crystals, parse_shots, write_shots};

/// Reads bytes as a table of crystals and as one of shots, and checks what is read; returns the refusals.
///
/// # Panics
/// When a number is not finite, shots are out of order or without crystals, or a table is another one after it was written.
pub fn check(bytes: &[u8], name: &str) -> Vec<String> {
    let path = Path::new(name);
    let mut refusals = Vec::new();
    match parse_crystals(bytes, path) {
        Ok(crystals) => assert!(!crystals.is_empty(), "a table without crystals"),
        Err(failure) => refusals.push(failure.to_string()),
    }
    match parse_shots(bytes, path) {
        Ok(shots) => check_shots(&shots, path),
        Err(failure) => refusals.push(failure.to_string()),
    }
    refusals
}

fn check_shots(shots: &[ShotRows], path: &Path) {
    assert!(shots.windows(2).all(|pair| pair[0].number < pair[1].number), "shots are out of order");
    for shot in shots {
        assert!(shot.number > 0 && !shot.crystals.is_empty(), "{shot:?}");
        let beam = [shot.beam.lambda_m, shot.beam.fluence_per_m2];
        let shift = shot.beam.shift_m.into_iter().flatten();
        let of_crystals = shot.crystals.iter().flat_map(|crystal| {
            let matrix = crystal.a_matrix.into_iter().flatten().flatten();
            let others = crystal.misset_deg.into_iter().flatten().chain(crystal.cell.into_iter().flatten());
            let scalars = [crystal.weight, crystal.mosaic_deg].into_iter().flatten();
            matrix.chain(others).chain(scalars).chain(crystal.cells.into_iter().flatten())
        });
        let numbers = beam.into_iter().flatten().chain(shift).chain(of_crystals);
        assert!(numbers.into_iter().all(f64::is_finite), "{shot:?}");
    }
    let mut text = Vec::new();
    write_shots(shots, &mut text).expect("memory");
    // What is written leaves out angles of missetting and cells, which the matrix of a drawn crystal replaces.
    let mut expected = shots.to_vec();
    for crystal in expected.iter_mut().flat_map(|shot| &mut shot.crystals) {
        (crystal.misset_deg, crystal.cell) = (None, None);
    }
    let again = parse_shots(&text[..], path).expect("a table that was written");
    assert_eq!(again, expected, "{}", String::from_utf8_lossy(&text));
}
