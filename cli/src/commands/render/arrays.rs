//! Files of images that a caller holds as arrays, as the program writes those that it renders.

use std::path::Path;

use widebragg_experiment::geometry::{Lost, lost_in_headers};
use widebragg_formats::atomic::write_atomically;
use widebragg_formats::image::{Image, ImageWriter, Pixels};
use widebragg_formats::nxmx::NxmxWriter;
use widebragg_formats::stream;

use super::nxmx;
pub use super::nxmx::Subject;
use super::output::{image_header, noise_cutoff};
pub use super::shots::TruthFiles;
use crate::commands::setup::SetUp;
use crate::commands::setup::geometry::FileGeometry;
use crate::error::Failure;
use crate::options::{NxmxData, Options};

/// Writes `pixels`, those of frame `index` from 0, as an image of a format whose header has the geometry of an
/// experiment; `adc_offset` is what counts have too much.
///
/// # Errors
/// The file cannot be written, or the format stores other numbers.
pub fn write_image(
    (options, set_up): (&Options, &SetUp),
    path: &Path,
    writer: &dyn ImageWriter,
    pixels: Pixels<'_>,
    (index, adc_offset): (usize, f64),
) -> Result<(), Failure> {
    let mut header = image_header(&set_up.experiment, index, adc_offset);
    if !matches!(pixels, Pixels::F32(_)) {
        header.count_cutoff = noise_cutoff(options);
    }
    let image = Image { header: &header, pixels, scale: 1.0, preview_scale: None, layout: None };
    Ok(writer.write(path, &image)?)
}

/// Writes an NXmx file of `frames`, the first ones of the experiment: expected photons, or counts with noise.
///
/// # Errors
/// The detector is curved, there are no frames, or the file cannot be written.
pub fn write_nxmx(
    (options, set_up): (&Options, &SetUp),
    args: &[String],
    path: &Path,
    frames: &[Pixels<'_>],
) -> Result<(), Failure> {
    let experiment = &set_up.experiment;
    if lost_in_headers(experiment).contains(&Lost::Curved) {
        return Err(Failure::input(format!("{}: NXmx cannot hold a curved detector", path.display())));
    }
    let laboratory = set_up.geometry.as_ref().map(FileGeometry::frame);
    let subject = Subject { experiment, plan: None, laboratory, args };
    let data = match frames {
        [] => return Err(Failure::input(format!("{}: no frames to write", path.display()))),
        [Pixels::F32(_), ..] => NxmxData::Photons,
        _ => NxmxData::Noise,
    };
    let header = nxmx::header(options, subject, frames.len(), data)?;
    let mut writer = NxmxWriter::create(path, &header)?;
    writer.write(frames)?;
    Ok(writer.close()?)
}

/// Writes the detector and the wavelength of an experiment as a geometry of CrystFEL.
///
/// # Errors
/// The file cannot be written.
pub fn write_geom(set_up: &SetUp, path: &Path) -> Result<(), Failure> {
    let laboratory = set_up.geometry.as_ref().map(FileGeometry::frame);
    let geometry = nxmx::geometry(&set_up.experiment, laboratory);
    Ok(write_atomically(path, |mut out| stream::write_geometry(&geometry, &mut out))?)
}

/// Writes beam, detector and crystal of an experiment as an experiment list of DIALS that names no image.
///
/// # Errors
/// The file cannot be written.
pub fn write_expt(set_up: &SetUp, path: &Path) -> Result<(), Failure> {
    let laboratory = set_up.geometry.as_ref().map(FileGeometry::frame);
    super::expt::write_geometry(path, &set_up.experiment, laboratory)
}
