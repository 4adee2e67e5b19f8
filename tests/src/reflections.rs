//! What every stream of reflections must keep, whatever its bytes; the fuzz targets `mtz`, `cif` and `gzip` and a test
//! of mutated files share it.

use std::io::Read;
use std::path::Path;

use widebragg_formats::failure::Failure;
use widebragg_formats::hkl::parse_hkl;
use widebragg_formats::reflections::{Choice, Contents, ReflectionFile, parse_reflections};

/// Largest number of nodes of a grid of lines of h k l F.
const MOST_CELLS: usize = 1 << 16;

/// Largest absolute value of an index in the formats of crystallography.
const MOST_INDEX: u32 = 1_000_000;

/// Reads `input` by the rules of its format, and checks what is read from it; of lines of h k l F, which no rules of
/// columns apply to, nothing is returned.
///
/// # Errors
/// As [`parse_reflections`].
///
/// # Panics
/// When a value is not finite, an index is out of range, or counts do not agree.
pub fn check(input: &mut dyn Read, path: &Path, choice: &Choice) -> Result<Option<ReflectionFile>, Failure> {
    let file = match parse_reflections(input, path, choice)? {
        Contents::Text(text) => return parse_hkl(text, path, 0.0, MOST_CELLS).map(|_| None),
        // The readers of models have a property of their own.
        Contents::Model(_) => return Ok(None),
        Contents::File(file) => file,
    };
    let list = &file.observations.list;
    assert!(list.iter().all(|one| one.value.is_finite()));
    assert!(list.iter().flat_map(|one| one.hkl).all(|index| index.unsigned_abs() <= MOST_INDEX));
    assert!(file.missing <= file.read && list.len() <= 2 * (file.read - file.missing), "{} rows", file.read);
    assert!(
        !file.taken.is_empty()
            && file.taken.iter().all(|label| file.columns.iter().any(|one| one.label == *label))
    );
    if let Some(cell) = file.cell {
        assert!(cell.lengths_angstrom.iter().all(|&length| length > 0.0 && length.is_finite()), "{cell:?}");
        assert!(cell.angles_deg.iter().all(|&angle| angle > 0.0 && angle < 180.0), "{cell:?}");
    }
    assert!(file.wavelength_angstrom.is_none_or(|wavelength| wavelength > 0.0));
    let mut texts = file.columns.iter().map(|column| &column.label).chain(&file.warnings);
    assert!(texts.all(|text| !text.contains(char::is_control)), "{:?}", file.warnings);
    Ok(Some(*file))
}
