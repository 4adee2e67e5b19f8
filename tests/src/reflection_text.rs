//! What every file of reflections as text must keep, whatever its bytes; the fuzz target `reflection_text` and a test
//! of mutated seeds share it.

use std::io::{BufRead, BufReader};
use std::path::Path;

use widebragg_formats::failure::Failure;
use widebragg_formats::reflections::hklf::Hklf;
use widebragg_formats::reflections::{Choice, ReflectionFile, cns, crystfel, hklf, scalepack, xds};

/// A reader of one format.
type Parse = fn(&mut dyn BufRead, &Path, &Choice) -> Result<ReflectionFile, Failure>;

/// All readers of reflections as text.
const READERS: [Parse; 6] = [
    xds::parse,
    crystfel::parse,
    scalepack::parse,
    cns::parse,
    |input, path, choice| hklf::parse(input, path, choice, Hklf::Amplitudes),
    |input, path, choice| hklf::parse(input, path, choice, Hklf::Intensities),
];

/// Largest |h|, |k| or |l| of a file.
const MOST_INDEX: u32 = 1_000_000;

/// Reads `bytes`, named `name`, by every reader, and checks all that is read. Returns the messages of refusals, one for
/// each reader that refuses them, each of which begins with the name.
///
/// # Panics
/// When a value is not finite or out of range, counts do not fit, the result depends on how the bytes arrive, or a
/// refusal does not begin with the name.
pub fn check(bytes: &[u8], name: &str) -> Vec<String> {
    let mut refusals = Vec::new();
    for parse in READERS {
        let read = |input: &mut dyn BufRead| parse(input, Path::new(name), &Choice::default());
        let whole = read(&mut &bytes[..]);
        let pieces = read(&mut BufReader::with_capacity(bytes.len() % 13 + 1, bytes));
        assert_eq!(whole, pieces, "the result depends on how the bytes arrive");
        match whole {
            Ok(file) => check_file(&file),
            Err(failure) => refusals.push(failure.to_string()),
        }
    }
    assert!(refusals.iter().all(|line| line.starts_with(name)), "{refusals:?}");
    refusals
}

fn check_file(file: &ReflectionFile) {
    let list = &file.observations.list;
    // A row of two Friedel mates has two values.
    assert!(!list.is_empty() && list.len() <= 2 * (file.read - file.missing), "{file:?}");
    assert!(
        file.columns.iter().all(|column| column.present <= list.len() || file.format == "CNS"),
        "{file:?}"
    );
    assert!(!file.taken.is_empty(), "{file:?}");
    for label in &file.taken {
        assert!(file.columns.iter().any(|column| column.label == *label && column.present > 0), "{file:?}");
    }
    for one in list {
        assert!(one.hkl.iter().all(|index| index.unsigned_abs() <= MOST_INDEX), "{one:?}");
        assert!(one.value.abs() <= f64::from(f32::MAX), "{one:?}");
        assert!(one.sigma.is_none_or(|sigma| sigma > 0.0 && sigma.is_finite()), "{one:?}");
    }
    if let Some(cell) = file.cell {
        // Cells that are none, such as zeros, are left out by what calls the readers.
        let numbers = cell.lengths_angstrom.iter().chain(&cell.angles_deg);
        assert!(numbers.copied().all(f64::is_finite), "{cell:?}");
    }
    assert!(file.wavelength_angstrom.is_none_or(|wavelength| wavelength > 0.0 && wavelength.is_finite()));
    let stated = [&file.symmetry.name, &file.symmetry.point_group];
    assert!(stated.into_iter().flatten().all(|name| !name.contains(char::is_control)), "{stated:?}");
}
