//! Why an experiment cannot be set up, rendered, differentiated or fitted.

use core::fmt;

use widebragg_devices::drivers::Fault;

/// The part of an experiment that a failure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Placement of the detector.
    Detector,
    /// Unit cell or orientation matrix.
    Crystal,
    /// Fluence, flux, exposure and beam size.
    Fluence,
    /// Subpixels.
    Oversampling,
    /// Phi steps.
    Phi,
    /// Divergence of the beam.
    Divergence,
    /// Range of wavelengths of the beam.
    Dispersion,
    /// Spectrum of the beam, by lines or peaks.
    Spectrum,
    /// A list of sources.
    SourceList,
    /// Polarisation of the beam.
    Polarization,
    /// Mosaic domains.
    Mosaic,
    /// Thickness of the sensor.
    Thickness,
    /// The table of orientations.
    Orientations,
    /// The carryover of the reference's threads.
    Carryover,
    /// Noise of the detector.
    Noise,
    /// Worker threads.
    Threads,
    /// The scene as a whole, or an image of it.
    Scene,
    /// The choice of pixels to fit.
    Selection,
    /// What differs between shots.
    Shots,
    /// Amorphous matter in the beam.
    Background,
    /// The point spread of the detector.
    PointSpread,
}

impl Part {
    /// The part in words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Detector => "detector",
            Self::Crystal => "crystal",
            Self::Fluence => "fluence",
            Self::Oversampling => "oversampling",
            Self::Phi => "phi steps",
            Self::Divergence => "divergence",
            Self::Dispersion => "dispersion",
            Self::Spectrum => "spectrum",
            Self::SourceList => "list of sources",
            Self::Polarization => "polarisation",
            Self::Mosaic => "mosaic domains",
            Self::Thickness => "sensor thickness",
            Self::Orientations => "orientations",
            Self::Carryover => "carryover",
            Self::Noise => "noise",
            Self::Threads => "threads",
            Self::Scene => "scene",
            Self::Selection => "pixels to fit",
            Self::Shots => "shots",
            Self::Background => "background",
            Self::PointSpread => "point spread",
        }
    }
}

/// Why something cannot be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// The kernel refuses the values of a part.
    Refused {
        /// The part.
        part: Part,
        /// What the kernel says.
        error: widebragg::Error,
    },
    /// The values of a part contradict each other, or are too large.
    Impossible {
        /// The part.
        part: Part,
        /// What is wrong with it.
        why: String,
    },
    /// The spots are so small that more subpixels would resolve them than are chosen for the user.
    TooFine {
        /// Subpixels along each axis that would resolve the spots.
        recommended: f64,
        /// Most that are chosen.
        most: f64,
    },
    /// There is no memory for a part.
    NoMemory {
        /// The part.
        part: Part,
        /// What there is no memory for.
        what: String,
    },
    /// A device does not do what it was asked to.
    Device(Fault),
    /// Data that cannot be used, in one line.
    Input(String),
}

impl Failure {
    /// Data that cannot be used, in one line.
    pub fn input(message: impl Into<String>) -> Self {
        Self::Input(message.into())
    }

    /// No memory for `what`, which belongs to `part`.
    pub fn no_memory(part: Part, what: impl Into<String>) -> Self {
        Self::NoMemory { part, what: what.into() }
    }

    /// Values of `part` that cannot be, and why.
    pub(crate) fn impossible(part: Part, why: impl Into<String>) -> Self {
        Self::Impossible { part, why: why.into() }
    }

    /// The part that the failure is about; `None` where it is about data from outside.
    #[must_use]
    pub fn part(&self) -> Option<Part> {
        match self {
            Self::Refused { part, .. } | Self::Impossible { part, .. } | Self::NoMemory { part, .. } => {
                Some(*part)
            }
            Self::TooFine { .. } => Some(Part::Oversampling),
            Self::Device(_) | Self::Input(_) => None,
        }
    }

    /// The reason alone, without the name of the part.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Refused { error, .. } => error.to_string(),
            Self::Impossible { why, .. } => why.clone(),
            Self::TooFine { recommended, most } => {
                format!("{recommended} subpixels along each axis would resolve the spots, more than {most}")
            }
            Self::NoMemory { what, .. } => format!("no memory for {what}"),
            Self::Device(fault) => fault.to_string(),
            Self::Input(message) => message.clone(),
        }
    }
}

/// Turns what the kernel refuses into a failure of `part`.
pub(crate) fn refused(part: Part) -> impl Fn(widebragg::Error) -> Failure {
    move |error| Failure::Refused { part, error }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part() {
            Some(part) if part != Part::Scene => write!(f, "{}: {}", part.name(), self.reason()),
            _ => f.write_str(&self.reason()),
        }
    }
}

impl core::error::Error for Failure {}
