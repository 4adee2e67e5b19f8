//! What the commands noisify and nonbragg share.

mod spec_noise;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::distinct::{Files, check_folder};
use crate::error::Failure;
pub(super) use spec_noise::{Calibration, SpecNoise};

/// Largest ADU of a pixel of 16 bits.
pub(super) const LARGEST_ADU_16: f64 = 65_535.0;

/// The seed of a run that is given none: the time in seconds.
pub(super) fn seed_of_time() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs() as i64)
}

/// Checks that no file that is written, where there is one, is another one of the command.
pub(super) fn check_files<'p>(
    read: impl IntoIterator<Item = (&'static str, &'p Path)>,
    written: impl IntoIterator<Item = (&'static str, Option<&'p Path>)>,
) -> Result<(), Failure> {
    let mut files = Files::read(read);
    for (option, path) in written {
        let Some(path) = path else { continue };
        check_folder(option, path)?;
        files.write(option, path, "is written twice")?;
    }
    Ok(())
}

/// An image that does not fit the memory.
pub(super) fn no_memory() -> Failure {
    Failure::input("no memory for the image")
}

/// The sum of pixels, in their order.
pub(super) fn sum(pixels: impl IntoIterator<Item = f32>) -> f64 {
    pixels.into_iter().fold(0.0, |sum, pixel| sum + f64::from(pixel))
}
