//! Failures and warnings of experiments, with the options and files that the values come from.

use widebragg_experiment::failure::{Failure as ExperimentFailure, Part};
use widebragg_experiment::warning::Warning;
use widebragg_formats::format_g::format_g;

use crate::error::Failure;
use crate::options::Options;

/// What the kernel calls the distance along the detector's normal.
const CLOSE_DISTANCE: &str = "close distance in m";

/// What the kernel says of a grid whose corners are all it has.
const NO_SOURCE: widebragg::Error =
    widebragg::Error::OutOfRange { quantity: "number of sources", value: 0.0, allowed: "at least 1" };

/// A failure with the options and files that its values come from.
pub(super) fn failure(failure: ExperimentFailure, options: &Options) -> Failure {
    let named = |option: &str| Failure::input(failure.reason()).context(option);
    match (&failure, failure.part()) {
        (ExperimentFailure::Refused { error, .. }, Some(Part::Crystal)) => match &options.mat {
            Some(path) if *error != widebragg::Error::ImpossibleCell => {
                named(&format!("-mat: {}", path.display()))
            }
            _ => named("-cell"),
        },
        (ExperimentFailure::Refused { error, .. }, Some(Part::Divergence)) if *error == NO_SOURCE => {
            Failure::input("-round_div leaves no source: use more -divsteps or -square_div")
        }
        (ExperimentFailure::Refused { error, .. }, Some(Part::Detector)) => {
            match (error, options.close_distance_m) {
                (widebragg::Error::OutOfRange { quantity: CLOSE_DISTANCE, .. }, Some(close_m)) => {
                    named(&format!("-close_distance {}", format_g(close_m * 1000.0)))
                }
                _ => failure.into(),
            }
        }
        (ExperimentFailure::Impossible { .. }, Some(Part::Oversampling)) => match options.oversample {
            Some(per_axis) => named(&format!("-oversample {per_axis}")),
            None => failure.into(),
        },
        (ExperimentFailure::TooFine { recommended, most }, _) => Failure::input(format!(
            "{recommended} subpixels along each axis would resolve the spots, more than the {most} that are chosen \
             automatically: check -distance and -pixel (mm) and the size of the crystal, or give -oversample"
        )),
        (_, Some(Part::SourceList)) => match &options.sourcefile {
            Some(path) => named(&format!("-sourcefile: {}", path.display())),
            None => failure.into(),
        },
        _ => failure.into(),
    }
}

/// A warning for standard error.
pub(super) fn warning(warning: Warning) -> String {
    match warning {
        Warning::NormalReplaced(normal) => {
            let [x, y, z] = normal.to_array();
            format!("-odet_vector is not of length 1: replaced by fast x slow, {x:.6} {y:.6} {z:.6}")
        }
        Warning::NormalNormalized(normal) => {
            let [x, y, z] = normal.to_array();
            format!(
                "-odet_vector is not of length 1: normalised to {x:.6} {y:.6} {z:.6}, since fast x slow of this mirrored detector points away from it"
            )
        }
        Warning::SwingAxisLength(length) => format!(
            "-twotheta_axis has length {length:.6}: used as given, as nanoBragg does, which distorts the detector"
        ),
        Warning::SampleClipped { axis, size_m } => {
            let name = if axis == 1 { "-sample_y" } else { "-sample_z" };
            format!("{name} is clipped to the beam: {} mm", size_m * 1000.0)
        }
        Warning::WholeCells { axis, cells } => {
            let (size, count) = [("-sample_x", "-Na"), ("-sample_y", "-Nb"), ("-sample_z", "-Nc")]
                .get(axis)
                .unwrap_or(&("size", "-N"));
            format!(
                "{size} is a whole number of cells, but for rounding: {cells} cells; {count} would leave no doubt"
            )
        }
        Warning::Undersampled { per_axis, recommended } => {
            format!("-oversample {per_axis}: {recommended} or more would resolve the spots")
        }
        Warning::DomainsAssumed(count) => format!("-mosaic without -mosaic_domains: {count} domains used"),
        Warning::DomainsIgnored(count) => {
            format!("-mosaic_domains {count} without a -mosaic spread: 1 domain used")
        }
        Warning::DepthAssumed(depth_m) => format!(
            "-detector_thick without -detector_abs: attenuation depth {} um used",
            format_g(depth_m * 1e6)
        ),
        other => other.to_string(),
    }
}
