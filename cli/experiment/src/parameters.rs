//! Everything that an experiment is derived from, as plain numbers with the reference's defaults.
//!
//! Each input is given in one of two ways: as the numbers that a user knows, of which those that are left out
//! follow from the others, or as the table that another program derived.

use std::sync::Arc;

use widebragg::beam::{PolarizedAt, Source};
use widebragg::crystal::CellSource;
use widebragg::defaults;
use widebragg::detector::DetectorParameters;
use widebragg::lanes::Simd;
use widebragg::lattice::{CrystalShape, Precision, SpotModel};
use widebragg::light::LightRule;
use widebragg::mosaic::MosaicModel;
use widebragg::rotation::{Mat3, PhiMode};
use widebragg::sampling::{OversampleRequest, StepRequest};
use widebragg::scene::{CrystalInput, DetectorInput, Roi};
use widebragg_formats::sources::SourceLine;

use crate::factor_grid::FactorGrid;
use crate::spectrum::Spectrum;

/// The sources of the beam.
#[derive(Debug, Clone, PartialEq)]
pub enum Sources {
    /// A grid of divergence and dispersion about the beam and the central wavelength.
    Grid {
        /// Horizontal divergence, in rad.
        hdiv: StepRequest,
        /// Vertical divergence, in rad.
        vdiv: StepRequest,
        /// Spectrum, as a fraction of the wavelength.
        dispersion: StepRequest,
        /// Whether the corners of the divergence grid are dropped.
        round: bool,
    },
    /// Each line of a spectrum in each direction of a grid of divergence about the beam.
    Spectrum {
        /// Horizontal divergence, in rad.
        hdiv: StepRequest,
        /// Vertical divergence, in rad.
        vdiv: StepRequest,
        /// Whether the corners of the divergence grid are dropped.
        round: bool,
        /// Wavelengths and their weights.
        spectrum: Spectrum,
    },
    /// The lines of a source file; what a line leaves out is that of the beam.
    Lines(Vec<SourceLine>),
    /// Directions and wavelengths as they are.
    List(Vec<Source>),
}

/// The mosaic domains.
#[derive(Debug, Clone, PartialEq)]
pub enum Mosaic {
    /// Rotations by a spread.
    Spread {
        /// What they are made from. A spread that is not above 0 makes a single domain.
        model: MosaicModel,
        /// Number of domains, without the inverse ones of random pairs; `None`: [`defaults::MOSAIC_DOMAINS`] where there is
        /// a spread.
        domains: Option<usize>,
    },
    /// Rotations as they are.
    List(Vec<Mat3>),
}

/// A crystal beside the first.
#[derive(Debug, Clone, PartialEq)]
pub struct LatticeParameters {
    /// The oriented crystal.
    pub crystal: CrystalInput,
    /// Unit cells along a, b, c.
    pub cells: [f64; 3],
    /// Mosaic domains.
    pub mosaic: Mosaic,
    /// Factor on its photons, 0 or more.
    pub weight: f64,
}

/// Where in each step of the rotation its phi lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PhiSampling {
    /// At the start, as in the reference: the image is that of a crystal half a step back.
    #[default]
    Start,
    /// In the middle: the mean of the sampled angles is the middle of the oscillation.
    Middle,
}

impl PhiSampling {
    /// The name of the value.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
        }
    }

    /// The distance of phi from the start of its step, in steps.
    #[must_use]
    pub fn offset(self) -> f64 {
        match self {
            Self::Start => 0.0,
            Self::Middle => 0.5,
        }
    }
}

/// How the sensor attenuates the beam.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Attenuation {
    /// Not given: where there is a thickness, the attenuation depth is as large.
    #[default]
    Unknown,
    /// Everything is captured at the surface, whatever the thickness.
    AtSurface,
    /// Attenuation depth, in m.
    DepthM(f64),
    /// The sensor has a thickness but captures nothing, so that the image is dark: what the reference makes of
    /// an infinite attenuation depth that stands before the thickness.
    Transparent,
}

/// The sensitive layer of the detector.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SensorRequest {
    /// Thickness, in m.
    pub thickness_m: Option<f64>,
    /// Layers that the thickness is sampled with; not above 0 means not given.
    pub layers: Option<i64>,
    /// Attenuation.
    pub attenuation: Attenuation,
    /// How thick each layer is.
    pub layer_rule: LayerRule,
}

/// How thick the layers of a sensor are, of which the number is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LayerRule {
    /// In spec the thickness is divided among them; in c-parity they are as thick as nanoBragg's.
    #[default]
    ByMode,
    /// As thick as those of nanoBragg and simtbx: the thickness is divided among one layer less than there are, and one layer
    /// becomes two.
    AsGiven,
}

/// A panel of the detector.
#[derive(Debug, Clone, PartialEq)]
pub struct PanelParameters {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub detector: DetectorInput,
    /// Its sensitive layer.
    pub sensor: SensorRequest,
    /// The part that is rendered; `None`: all of it.
    pub roi: Option<Roi>,
    /// A value for each pixel, slow-major; pixels with the value 0 are skipped.
    pub mask: Option<Arc<Vec<u16>>>,
}

/// The reference's default detector, with the name 0.
impl Default for PanelParameters {
    fn default() -> Self {
        Self {
            name: "0".to_owned(),
            detector: DetectorInput::Parameters(DetectorParameters::default()),
            sensor: SensorRequest::default(),
            roi: None,
            mask: None,
        }
    }
}

/// Everything that an experiment is derived from.
///
/// [`Parameters::new`] has the reference's defaults ([`widebragg::defaults`]).
#[derive(Debug, Clone)]
pub struct Parameters {
    /// The SIMD level to run at.
    pub simd: Simd,
    /// The panels of the detector, at least one, with the same directions of beam, polarisation and spindle.
    pub panels: Vec<PanelParameters>,
    /// Subpixels.
    pub oversample: OversampleRequest,
    /// Central wavelength, in m.
    pub lambda0_m: f64,
    /// Sources of the beam.
    pub sources: Sources,
    /// Kahn's polarisation factor; with `None` the polarisation factor of a pixel is 1.
    pub kahn: Option<f64>,
    /// The contribution that gives a pixel its polarisation factor.
    pub polarized_at: PolarizedAt,
    /// Photons per m^2.
    pub fluence_per_m2: f64,
    /// Photons per s; above 0 it replaces the fluence.
    pub flux_per_s: f64,
    /// Exposure, in s.
    pub exposure_s: f64,
    /// Edge of the beam's square cross section, in m; negative: it neither sets the fluence nor clips the
    /// crystal.
    pub beamsize_m: f64,
    /// Thickness of water in the beam, in m.
    pub water_m: f64,
    /// Resolution limit in m; not above 0: no limit.
    pub d_min_m: f64,
    /// The oriented crystal.
    pub crystal: CrystalInput,
    /// The oriented crystal at the start of each frame and at the end of the last, where it changes from frame to frame;
    /// else empty.
    pub crystals_at_scan_points: Vec<CrystalInput>,
    /// Factor on the photons of the crystal, 0 or more.
    pub weight: f64,
    /// Crystals beside this one, whose images add to its own.
    pub other_lattices: Vec<LatticeParameters>,
    /// Shape of the crystals.
    pub shape: CrystalShape,
    /// Unit cells along a, b, c.
    pub cells: [f64; 3],
    /// Size of the crystal along a, b, c, in m; above 0 it replaces the number of cells.
    pub size_m: [f64; 3],
    /// Factor on the size of round, gauss and tophat spots.
    pub fudge: f64,
    /// Width and end of gauss and tophat spots.
    pub spots: SpotModel,
    /// Arithmetic of the lattice factor.
    pub precision: Precision,
    /// Whether images are rendered from lists of their spots.
    pub light: LightRule,
    /// Photons that each pixel may lack so that dim steps can be left out; 0: none.
    pub neglected_photons: f64,
    /// Whether the defects of nanoBragg are reproduced.
    pub mode: PhiMode,
    /// Threads that the reference would have run with, at least 1: they matter in c-parity mode.
    pub reference_threads: usize,
    /// First phi of the first frame, in rad.
    pub phi0_rad: f64,
    /// Oscillation of a frame, in rad.
    pub phi: StepRequest,
    /// Where in each step its phi lies.
    pub phi_sampling: PhiSampling,
    /// Mosaic domains.
    pub mosaic: Mosaic,
    /// Structure factors; with `None` every reflection has `default_f`.
    pub structure_factors: Option<FactorGrid>,
    /// Structure factor of reflections outside the grid.
    pub default_f: f64,
    /// Whether structure factors are interpolated; `None`: as [`defaults::interpolates`] decides.
    pub interpolate: Option<bool>,
}

impl Parameters {
    /// All defaults, for a crystal that has none.
    #[must_use]
    pub fn new(cell: CellSource) -> Self {
        let none = StepRequest::default();
        Self {
            simd: Simd::detect(),
            panels: vec![PanelParameters::default()],
            oversample: OversampleRequest::default(),
            lambda0_m: defaults::LAMBDA_M,
            sources: Sources::Grid { hdiv: none, vdiv: none, dispersion: none, round: true },
            kahn: Some(defaults::KAHN),
            polarized_at: PolarizedAt::default(),
            fluence_per_m2: defaults::FLUENCE_PER_M2,
            flux_per_s: defaults::FLUX_PER_S,
            exposure_s: defaults::EXPOSURE_S,
            beamsize_m: defaults::BEAMSIZE_M,
            water_m: 0.0,
            d_min_m: 0.0,
            crystal: cell.into(),
            crystals_at_scan_points: Vec::new(),
            weight: 1.0,
            other_lattices: Vec::new(),
            shape: CrystalShape::default(),
            cells: [defaults::CELLS; 3],
            size_m: [0.0; 3],
            fudge: defaults::FUDGE,
            spots: SpotModel::default(),
            precision: Precision::default(),
            light: LightRule::default(),
            neglected_photons: 0.0,
            mode: PhiMode::default(),
            reference_threads: 1,
            phi0_rad: 0.0,
            phi: none,
            phi_sampling: PhiSampling::default(),
            mosaic: Mosaic::Spread { model: MosaicModel::default(), domains: None },
            structure_factors: None,
            default_f: defaults::DEFAULT_F,
            interpolate: None,
        }
    }
}
