//! Odd values of nanoBragg's options. They are taken as nanoBragg takes them, with a note that says how; only values
//! that no image can be computed from are refused.

use super::super::super::{given::Given, model::Options};
use crate::error::Failure;

const NOT_GIVEN: &str = "counts as not given";

fn note(options: &mut Options, given: &Given<'_>, how: &str) {
    options.note(format!("{}: {how}, as in nanoBragg", given.shown()));
}

/// Notes that the value counts as not given, and returns none.
fn not_given<T>(options: &mut Options, given: &Given<'_>) -> Option<T> {
    note(options, given, NOT_GIVEN);
    None
}

/// A whole number; the fraction of any other number is dropped.
pub(super) fn whole(options: &mut Options, given: &Given<'_>) -> Result<i64, Failure> {
    let number = given.truncated()?;
    if given.integer().is_err() {
        note(options, given, &format!("taken as {number}"));
    }
    Ok(number)
}

/// A number of unit cells: at least 1.
pub(super) fn cells(options: &mut Options, given: &Given<'_>) -> Result<Option<usize>, Failure> {
    match usize::try_from(whole(options, given)?) {
        Ok(count) if count > 0 => Ok(Some(count)),
        _ => {
            note(options, given, "taken as 1");
            Ok(Some(1))
        }
    }
}

/// A count; one that is not above 0 counts as not given.
pub(super) fn count(options: &mut Options, given: &Given<'_>) -> Result<Option<usize>, Failure> {
    match usize::try_from(whole(options, given)?) {
        Ok(count) if count > 0 => Ok(Some(count)),
        _ => Ok(not_given(options, given)),
    }
}

/// A number of pixels; 0 counts as not given.
pub(super) fn pixels(options: &mut Options, given: &Given<'_>) -> Result<Option<usize>, Failure> {
    match usize::try_from(whole(options, given)?) {
        Ok(0) => Ok(not_given(options, given)),
        Ok(count) => Ok(Some(count)),
        Err(_) => Err(given.refuse("must not be negative")),
    }
}

/// A number of steps, as typed; a negative one counts as not given.
pub(super) fn steps(options: &mut Options, given: &Given<'_>) -> Result<Option<i64>, Failure> {
    let steps = whole(options, given)?;
    if steps < 0 {
        note(options, given, NOT_GIVEN);
    }
    Ok(Some(steps))
}

/// A range or a step in SI units, as typed; a negative one counts as not given.
pub(super) fn range(options: &mut Options, given: &Given<'_>) -> Result<Option<f64>, Failure> {
    let range = given.si()?;
    if range < 0.0 {
        note(options, given, NOT_GIVEN);
    }
    Ok(Some(range))
}

/// A size in SI units; one that is not above 0 counts as not given.
pub(super) fn size(options: &mut Options, given: &Given<'_>) -> Result<Option<f64>, Failure> {
    if given.number(0)? <= 0.0 {
        return Ok(not_given(options, given));
    }
    given.positive().map(Some)
}

/// A unit cell; a length of 0 counts as not given, as does an angle of 0.
pub(super) fn cell(options: &mut Options, given: &Given<'_>) -> Result<Option<[f64; 6]>, Failure> {
    let cell = given.cell()?;
    if (1..given.words.len()).any(|index| given.number(index) == Ok(0.0)) {
        note(options, given, "lengths of 0 are taken as a and angles of 0 as 90");
    }
    Ok(Some(cell))
}

/// A region: xmin xmax ymin ymax, with negative limits as typed.
pub(super) fn region(options: &mut Options, given: &Given<'_>) -> Result<Option<[i64; 4]>, Failure> {
    let region = given.integers()?;
    if region.iter().any(|&limit| limit < 0) {
        note(options, given, "negative limits are those of the detector");
    }
    match region {
        [xmin, xmax, _, _] if xmax >= 0 && xmin > xmax => Err(given.refuse("xmin is larger than xmax")),
        [_, _, ymin, ymax] if ymax >= 0 && ymin > ymax => Err(given.refuse("ymin is larger than ymax")),
        region => Ok(Some(region)),
    }
}

/// The pixel to print; all pixels where its fast index is negative.
pub(super) fn printed_pixel(options: &mut Options, given: &Given<'_>) -> Result<Option<[i64; 2]>, Failure> {
    let [fast, slow] = given.integers()?;
    if fast < 0 {
        note(options, given, "every pixel is printed");
        options.printout = true;
        return Ok(None);
    }
    Ok(Some([fast, slow]))
}
