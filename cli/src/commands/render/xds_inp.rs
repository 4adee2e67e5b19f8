//! `--xds-inp`: the `XDS.INP` of a run.
//!
//! It describes the images that the experiment list of the run would name: the noise image, or else those without
//! noise. Pixels outside the region of interest, and masked ones such as gaps, are rectangles that XDS leaves out.

use std::path::Path;

use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::geometry::{Lost, lost_in_headers};
use widebragg_formats::expt::Images;
use widebragg_formats::geometry::Frame;
use widebragg_formats::xds_inp::{Rectangle, XdsInp};
use widebragg_reflections::symmetry::SpaceGroup;

use super::expt::{self, Described, Format};
use crate::console;
use crate::error::Failure;
use crate::options::Options;

/// Checks that the file that `options` ask for can hold the geometry.
///
/// # Errors
/// The detector is curved.
pub fn check(options: &Options, experiment: &Experiment) -> Result<(), Failure> {
    match &options.xds_inp {
        Some(path) if lost_in_headers(experiment).contains(&Lost::Curved) => {
            let path = path.display();
            Err(Failure::input(format!("--xds-inp: {path}: XDS.INP cannot hold a curved detector")))
        }
        _ => Ok(()),
    }
}

/// Writes the file that `options` ask for. `frame` is that of the laboratory, where a file of geometry tells it; `group` is the symmetry of the structure factors.
///
/// # Errors
/// It cannot be written.
pub fn write(
    options: &Options,
    experiment: &Experiment,
    frame: Option<Frame>,
    group: Option<&SpaceGroup>,
) -> Result<(), Failure> {
    let Some(path) = &options.xds_inp else { return Ok(()) };
    let described = Described::new(options);
    let inp = of_run(options, experiment, frame, &described, path, group)?;
    if inp.geometry.scan.is_none() {
        console::complain(&format!(
            "--xds-inp: {}: XDS processes rotations, and this is a still",
            path.display()
        ));
    } else if inp.images.is_none() {
        console::complain(&format!(
            "--xds-inp: {}: XDS reads only images with a number in their name, such as name_00001.img; none is named",
            described.path.display()
        ));
    }
    inp.write(path).map_err(|failure| failure.context("--xds-inp").into())
}

fn of_run(
    options: &Options,
    experiment: &Experiment,
    frame: Option<Frame>,
    described: &Described,
    path: &Path,
    group: Option<&SpaceGroup>,
) -> Result<XdsInp, Failure> {
    let list = expt::list(options, experiment, frame, described, path);
    let template = |images: Images| match images {
        Images::Template(template) => Some(of_xds(&template)),
        Images::Stills(_) | Images::OneFile { .. } => None,
    };
    let mut geometry = list.geometry;
    // Values as they are stored; the largest of them marks overloads.
    let largest = described.pedestal + described.trusted_max - 1.0;
    geometry.panels.iter_mut().for_each(|panel| panel.valid = [Some(0.0), Some(largest)]);
    Ok(XdsInp {
        detector: match described.format {
            Format::Smv => Some("ADSC"),
            Format::Cbf => Some("PILATUS"),
            Format::Nxmx => Some("EIGER"),
        },
        images: list.images.and_then(template),
        untrusted: untrusted(experiment)?,
        space_group: group.and_then(standard_number),
        ..XdsInp::new(geometry)
    })
}

/// A template as XDS has it, with `?` for the digits of the name; folders stay as they are.
fn of_xds(template: &str) -> String {
    let (folders, name) = template.split_at(template.rfind('/').map_or(0, |at| at + 1));
    format!("{folders}{}", name.replace('#', "?"))
}

/// The number of a group in its standard setting, which XDS takes for granted; `None` for other settings.
fn standard_number(group: &SpaceGroup) -> Option<u32> {
    let number = group.number()?;
    let standard = SpaceGroup::from_number(number, None).ok()?;
    (standard.operators() == group.operators()).then_some(number)
}

/// The pixels that are not rendered.
fn untrusted(experiment: &Experiment) -> Result<Vec<Rectangle>, Failure> {
    let (columns, rows) = (experiment.columns(), experiment.rows());
    let is_left_out = |fast: usize, slow: usize| !experiment.is_selected(slow * columns + fast);
    Rectangle::covering([columns, rows], is_left_out)
        .ok_or_else(|| Failure::input("--xds-inp: no memory for the pixels that are left out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_have_question_marks_for_digits() {
        assert_eq!(of_xds("n_#####.img"), "n_?????.img");
        assert_eq!(of_xds("/data/run#3/n_##.cbf"), "/data/run#3/n_??.cbf");
    }
}
