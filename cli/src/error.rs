//! The failure of a run: one line for the user, and the exit code.

use std::fmt;

use widebragg_experiment::failure::Failure as ExperimentFailure;
use widebragg_experiment::failure::Part;
use widebragg_formats::failure::Failure as FileFailure;

/// A failed run: one line that names the file, line and option, and the exit code it ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    message: String,
    code: u8,
    is_of_system: bool,
}

impl Failure {
    /// Bad input or a file that cannot be used: exit code 2.
    pub fn input(message: impl Into<String>) -> Self {
        Self::with_code(2, message)
    }

    /// A failure with a specific exit code.
    pub fn with_code(code: u8, message: impl Into<String>) -> Self {
        Self { message: message.into(), code, is_of_system: false }
    }

    /// The same failure with `before` and a colon in front of its message, such as the option that named a
    /// file.
    #[must_use]
    pub fn context(self, before: impl fmt::Display) -> Self {
        Self { message: format!("{before}: {}", self.message), ..self }
    }

    /// The same failure with exit code 1, for commands that tell usage errors from bad files.
    #[must_use]
    pub fn as_usage(self) -> Self {
        Self { code: 1, ..self }
    }

    /// The same failure as one of the system, such as a file that is not there.
    #[must_use]
    pub fn of_system(self) -> Self {
        Self { is_of_system: true, ..self }
    }

    /// Whether the system refused a file.
    #[must_use]
    pub fn is_of_system(&self) -> bool {
        self.is_of_system
    }

    /// The exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.code
    }
}

impl From<FileFailure> for Failure {
    /// A file that cannot be read or written: exit code 2.
    fn from(failure: FileFailure) -> Self {
        Self { is_of_system: failure.is_of_system(), ..Self::input(failure.to_string()) }
    }
}

/// The options that the values of a part come from; `None` where no option is to blame.
fn options_of(failure: &ExperimentFailure) -> Option<&'static str> {
    let options = match failure.part()? {
        Part::Detector => "detector",
        Part::Crystal => "-cell",
        Part::Fluence => "-flux, -exposure and -beamsize",
        Part::Oversampling => "-oversample",
        Part::Phi => "-phisteps",
        Part::Divergence => "-divergence",
        Part::Dispersion => "-dispersion",
        Part::Spectrum => "--spectrum",
        Part::SourceList => "-sourcefile",
        Part::Polarization => "-polar",
        Part::Mosaic if matches!(failure, ExperimentFailure::NoMemory { .. }) => "-mosaic_domains",
        Part::Mosaic => "-mosaic",
        Part::Thickness => "-detector_thicksteps",
        Part::Orientations => "-phisteps and -mosaic_domains",
        Part::Carryover => "--reference-threads",
        Part::Threads => "--threads",
        Part::Selection => "refine",
        Part::Shots => "shots",
        Part::Background => "--background",
        Part::PointSpread => "--psf",
        Part::Noise => "the options of the noise",
        Part::Scene => return None,
    };
    Some(options)
}

impl From<ExperimentFailure> for Failure {
    /// Values that fit no experiment, with the options that they come from: exit code 2.
    fn from(failure: ExperimentFailure) -> Self {
        let reason = Self::input(failure.reason());
        match options_of(&failure) {
            Some(options) => reason.context(options),
            None => reason,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl core::error::Error for Failure {}
