//! The parsed command line: plain structs in SI units, without defaults filled in.
//!
//! Special cases: seeds are kept as typed (the generator is started with their negative). Counts, ranges and
//! steps are kept as typed too: a negative one means unset, but still overrides the value in an image header.

use std::collections::HashSet;
use std::path::PathBuf;

use super::companions::{NoisifyOptions, NonbraggOptions};
use super::takes::RADIANS_PER_DEGREE;
use widebragg::detector::{Convention, CustomAxes, Pivot};
use widebragg::lanes::SimdLevel;
use widebragg::lattice::{CellCoupling, CrystalShape, Precision, SpotMetric};
use widebragg::light::LightRule;
use widebragg::mosaic::MosaicAxes;
use widebragg::rotation::PhiMode;
use widebragg_coordinates::elements::Element;
use widebragg_experiment::background::{KnownMatter, Place};
use widebragg_experiment::detector_noise::{DetectorModel, NoiseStages, StageValues};
use widebragg_experiment::detectors::NamedDetector;
use widebragg_experiment::factor_grid::GridNumbers;
use widebragg_experiment::gradient::loss::LossKind;
use widebragg_experiment::parameters::PhiSampling;
use widebragg_experiment::sensor_material::SensorMaterial;
use widebragg_devices::choice::Choice;
use widebragg_experiment::shots::Distributions;
use widebragg_experiment::spectrum::Peak;
use widebragg_formats::nxmx::Compression;
use widebragg_formats::reflections::p1::Wanted;
use widebragg_formats::stol::Abscissa;

/// A command with its options.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Render images.
    Render(Box<Options>),
    /// Measure the speed of the render loop.
    Bench(BenchOptions),
    /// List the devices that render.
    Devices(DevicesOptions),
    /// Render the built-in crystal.
    Demo(DemoOptions),
    /// Compare two images.
    Compare(Box<CompareOptions>),
    /// Print the intermediate values of pixels.
    Trace(Box<TraceOptions>),
    /// Compare two traces.
    TraceDiff(Box<TraceDiffOptions>),
    /// Tell what a file of reflections holds, and convert it.
    Hkl(Box<HklOptions>),
    /// Tell what each fault of nanoBragg changes.
    Diagnose(Box<DiagnoseOptions>),
    /// Make a table of the background of an image.
    Stol(Box<StolOptions>),
    /// Add noise as noisify.
    Noisify(Box<NoisifyOptions>),
    /// Compute the scattering of amorphous matter as nonBragg.
    Nonbragg(Box<NonbraggOptions>),
    /// Compute a loss and its derivatives.
    Gradient(Box<GradientOptions>),
    /// Check derivatives against finite differences.
    Gradcheck(Box<GradientOptions>),
    /// Fit parameters to an image.
    Refine(Box<GradientOptions>),
    /// Print a completion script.
    Completions(Shell),
    /// Print the man page.
    Man,
    /// Print the short help.
    Help,
    /// Print the help of a command or a topic.
    HelpOn(String),
    /// Print the version.
    Version,
}

/// A shell that completions can be written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// GNU bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

/// `-misset`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Misset {
    /// Not given.
    #[default]
    None,
    /// Rotations about lab x, y and z, radians.
    Given([f64; 3]),
    /// A rotation drawn with the misset seed.
    Random,
}

/// `-detector_abs`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Attenuation {
    /// `inf` or 0: the sensor has no thickness at all.
    NoThickness,
    /// Attenuation depth, metres, larger than zero.
    DepthM(f64),
}

/// `--sensor`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SensorOption {
    /// Material.
    pub material: SensorMaterial,
    /// Thickness, metres, larger than zero; `None`: that of the detector.
    pub thickness_m: Option<f64>,
    /// Layers, at least 1.
    pub layers: Option<i64>,
}

/// `-twotheta_axis x y z` as nanoBragg reads it, which finds `-twotheta` in the word.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SwingOfAxis {
    /// x degrees, in radians.
    pub twotheta_rad: f64,
    /// The sample, unless another option sets the pivot later.
    pub pivot: Pivot,
}

/// `--panel`: the name or the number of a panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanelChoice(pub String);

/// `--header`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeaderStyle {
    /// The header that reading programs expect.
    #[default]
    Readers,
    /// The reference's keys and formats.
    Reference,
}

/// `--noise-model`: what the noise is drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoiseModel {
    /// One stream of random numbers, as in nanoBragg.
    Reference,
    /// Deviates that are functions of seed, frame, panel and pixel.
    Counter,
}

/// `--nxmx-data`: what the pixels of an NXmx file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NxmxData {
    /// Counts with photon noise.
    Noise,
    /// Expected photons.
    Photons,
}

impl NxmxData {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Noise => "noise",
            Self::Photons => "photons",
        }
    }
}

/// `--log`: what a render prints on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Log {
    /// The summary, then the lines of nanoBragg.
    #[default]
    All,
    /// The summary.
    Summary,
    /// The lines of nanoBragg.
    NanoBragg,
}

/// The options of `widebragg devices`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DevicesOptions {
    /// Print the list as JSON.
    pub json: bool,
}

/// The options of `widebragg bench`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BenchOptions {
    /// Highest instruction set to measure; `None`: the best the processor has.
    pub simd: Option<SimdLevel>,
    /// Print the table as JSON.
    pub json: bool,
}

/// The options of `widebragg demo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoOptions {
    /// Number of worker threads; `None`: all cores.
    pub threads: Option<usize>,
    /// Highest instruction set to use; `None`: the best the processor has.
    pub simd: Option<SimdLevel>,
    /// Print no progress and no summary.
    pub quiet: bool,
    /// Print the summary as JSON.
    pub json: bool,
    /// Treatment of phi = 0.
    pub carryover_mode: PhiMode,
    /// Folder for the files.
    pub out: PathBuf,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self {
            threads: None,
            simd: None,
            quiet: false,
            json: false,
            carryover_mode: PhiMode::default(),
            out: PathBuf::from("widebragg-demo"),
        }
    }
}

/// The options of `widebragg compare`.
#[derive(Debug, Clone, PartialEq)]
pub struct CompareOptions {
    /// The two images; empty where programs are run.
    pub images: Vec<PathBuf>,
    /// The two programs to run, each a command line in one string; empty where images are given.
    pub runs: Vec<String>,
    /// Options for both programs.
    pub passed_on: Vec<String>,
    /// Fast and slow pixels of images without a header, each at least 1.
    pub size_px: Option<[usize; 2]>,
    /// Region to compare: fast min, fast max, slow min, slow max, inclusive.
    pub roi_px: Option<[usize; 4]>,
    /// Smallest correlation that is accepted.
    pub threshold: Option<f64>,
    /// Draw resolution rings.
    pub rings: bool,
    /// File with the geometry, for rings and for where panels stand.
    pub geometry: Option<PathBuf>,
    /// Folder for the files.
    pub out: PathBuf,
    /// Evidence folder.
    pub evidence: Option<PathBuf>,
    /// Number of worker threads; `None`: all cores.
    pub threads: Option<usize>,
    /// Print the summary as JSON.
    pub json: bool,
    /// Print no summary.
    pub quiet: bool,
}

impl Default for CompareOptions {
    fn default() -> Self {
        Self {
            images: Vec::new(),
            runs: Vec::new(),
            passed_on: Vec::new(),
            size_px: None,
            roi_px: None,
            threshold: None,
            rings: false,
            geometry: None,
            out: PathBuf::from("widebragg-compare"),
            evidence: None,
            threads: None,
            json: false,
            quiet: false,
        }
    }
}

/// `--dtype`: the type that the values of a trace are rounded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dtype {
    /// Not rounded.
    #[default]
    Float64,
    /// To the nearest f32.
    Float32,
}

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TraceFormat {
    /// Lines `TRACE_WB: name values`.
    #[default]
    Text,
    /// JSON.
    Json,
}

/// The options of `widebragg trace`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TraceOptions {
    /// The options of the render that is traced.
    pub render: Options,
    /// Pixels (slow, fast), each once; empty where a region is given.
    pub pixels: Vec<[usize; 2]>,
    /// Region: slow min, slow max, fast min, fast max, inclusive.
    pub roi_px: Option<[usize; 4]>,
    /// Only this subpixel (slow, fast).
    pub subpixel: Option<[usize; 2]>,
    /// Only this source, counted from 0.
    pub source: Option<usize>,
    /// Type that the values are rounded to.
    pub dtype: Dtype,
    /// File for the trace; `None`: standard output.
    pub out: Option<PathBuf>,
    /// Its format.
    pub format: TraceFormat,
}

/// The options of `widebragg diagnose`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DiagnoseOptions {
    /// The options of the render that is diagnosed, as they stand: neither mode has been applied to them.
    pub render: Options,
    /// Number of pixels to compare; `None`: as many as take about a second.
    pub pixels: Option<usize>,
}

/// The options of `widebragg stol`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StolOptions {
    /// The image.
    pub image: PathBuf,
    /// The options of a render that gives the image.
    pub render: Options,
    /// Thickness of the matter in the beam, metres, above zero.
    pub thickness_m: Option<f64>,
    /// Its density, g/cm^3, above zero.
    pub density_g_per_cm3: Option<f64>,
    /// Its molecular weight, g/mol, above zero.
    pub weight_g_per_mol: Option<f64>,
    /// Number of rings.
    pub bins: Option<usize>,
    /// What the detector added to every pixel, ADU.
    pub offset_adu: Option<f64>,
    /// What it stored for each photon, ADU, above zero.
    pub adu_per_photon: Option<f64>,
    /// File for the table.
    pub out: Option<PathBuf>,
}

/// The options of `widebragg hkl`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HklOptions {
    /// The file of reflections, or of an atomic model.
    pub file: PathBuf,
    /// What is taken of reflections, and the cell where they have none; how F of a model is computed, its smallest spacing
    /// and wavelength. The rest is not given.
    pub render: Options,
    /// File for the list of P 1; its name ends in .hkl, .bin or .mtz.
    pub out: Option<PathBuf>,
    /// Print the summary as JSON.
    pub json: bool,
    /// Print no summary.
    pub quiet: bool,
}

/// `--solvent`: the bulk solvent of an atomic model.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum SolventChoice {
    /// Not given.
    #[default]
    Usual,
    /// None.
    None,
    /// These parameters.
    Given {
        /// k_sol in electrons/angstrom^3.
        k_sol_e_per_angstrom3: f64,
        /// B_sol in angstrom^2.
        b_sol_angstrom2: f64,
    },
}

/// How structure factors are computed from an atomic model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModelOptions {
    /// Whether f', f'' of free atoms are left out (`--anomalous none`).
    pub leaves_tables_out: bool,
    /// Files with f', f'' of elements (`--anomalous ELEMENT=FILE`).
    pub scans: Vec<(Element, PathBuf)>,
    /// The bulk solvent.
    pub solvent: SolventChoice,
    /// Most channels of wavelengths that have F of their own; `None`: F of all sources are those of one wavelength.
    pub energy_channels: Option<usize>,
}

impl ModelOptions {
    /// The option that changes how F is computed; none where all is by default.
    #[must_use]
    pub fn first_option(&self) -> Option<&'static str> {
        let Self { leaves_tables_out, scans, solvent, energy_channels } = self;
        let given = [
            (*leaves_tables_out || !scans.is_empty(), "--anomalous"),
            (*solvent != SolventChoice::Usual, "--solvent"),
            (energy_channels.is_some(), "--energy-channels"),
        ];
        given.into_iter().find_map(|(given, option)| given.then_some(option))
    }
}

/// What `widebragg shots` has beyond a render.
#[derive(Debug, Clone, PartialEq)]
pub struct ShotOptions {
    /// Number of shots, at least 1.
    pub count: usize,
    /// Table of shots.
    pub table: Option<PathBuf>,
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// How shots differ where the table does not say it.
    pub distributions: Distributions,
    /// Table of what the shots are; `None`: beside the NXmx file.
    pub truth: Option<PathBuf>,
    /// Stream of CrystFEL with what the shots are.
    pub stream: Option<PathBuf>,
}

/// One shot, with the seed 1.
impl Default for ShotOptions {
    fn default() -> Self {
        let distributions = Distributions::default();
        Self { count: 1, table: None, seed: 1, distributions, truth: None, stream: None }
    }
}

/// The options of `widebragg shots`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ShotsOptions {
    /// What the shots have in common.
    pub render: Options,
    /// The shots.
    pub shots: ShotOptions,
    /// Whether their number was given.
    pub has_count: bool,
}

/// A crystal that is twinned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwinLaw {
    /// The indices of the twin, as rows of factors of those of the first crystal.
    pub operator: [[i32; 3]; 3],
    /// The part of the twin, above 0 and below 1.
    pub fraction: f64,
}

/// The spectrum of the beam, where wavelengths have weights.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SpectrumOptions {
    /// File of spectra.
    pub file: Option<PathBuf>,
    /// Which of its spectra is taken, from 1.
    pub column: Option<usize>,
    /// Gaussian peaks, instead of a file.
    pub peaks: Vec<Peak>,
    /// Most wavelengths of a spectrum from a file, or of a peak; at least 1.
    pub steps: Option<usize>,
}

impl SpectrumOptions {
    /// Whether there is a spectrum.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.file.is_some() || !self.peaks.is_empty()
    }
}

/// Amorphous matter in the beam.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BackgroundOptions {
    /// What there is.
    pub matter: Vec<MatterOption>,
    /// Whether slabs absorb what they scatter.
    pub absorbs: bool,
}

/// One kind of matter in the beam.
#[derive(Debug, Clone, PartialEq)]
pub struct MatterOption {
    /// What was typed.
    pub typed: String,
    /// Its structure factors.
    pub table: MatterTable,
    /// Where it is.
    pub place: Place,
    /// Density, g/cm^3, above zero.
    pub density_g_per_cm3: Option<f64>,
    /// Molecular weight, g/mol, above zero.
    pub weight_g_per_mol: Option<f64>,
    /// Full width at half maximum that its structure factors are broadened by, 1/Angstrom, above zero.
    pub width_per_angstrom: Option<f64>,
    /// Chemical formula.
    pub formula: Option<String>,
}

/// Where the structure factors of matter come from.
#[derive(Debug, Clone, PartialEq)]
pub enum MatterTable {
    /// A name.
    Known(KnownMatter),
    /// A file.
    File {
        /// Its path.
        path: PathBuf,
        /// Its first column.
        abscissa: Abscissa,
    },
}

/// The options of `widebragg gradient`, `gradcheck` and `refine`.
#[derive(Debug, Clone, PartialEq)]
pub struct GradientOptions {
    /// The options of the render that is differentiated.
    pub render: Options,
    /// Names of parameters, separated by commas; empty: not given.
    pub wrt: String,
    /// Groups of panels, each as `NAME=PANEL,...`.
    pub panel_groups: Vec<String>,
    /// The image to compare with.
    pub against: Option<PathBuf>,
    /// What the detector added to every pixel of that image, instead of what its header says.
    pub offset: Option<f64>,
    /// The value from which pixels of that image are saturated, instead of what its header says.
    pub saturation: Option<f64>,
    /// Weights of the pixels, instead of an image.
    pub weights: Option<PathBuf>,
    /// Loss between the images.
    pub loss: LossKind,
    /// Folder for output files; `None`: none are written.
    pub out: Option<PathBuf>,
    /// Whether to write images of the derivatives.
    pub images: bool,
    /// Largest accepted relative error of a derivative, not negative.
    pub tolerance: f64,
    /// Largest number of iterations of a refinement, at least 1.
    pub iterations: usize,
}

impl Default for GradientOptions {
    fn default() -> Self {
        Self {
            render: Options::default(),
            wrt: String::new(),
            panel_groups: Vec::new(),
            against: None,
            offset: None,
            saturation: None,
            weights: None,
            loss: LossKind::default(),
            out: None,
            images: false,
            tolerance: 1e-6,
            iterations: 60,
        }
    }
}

/// The options of `widebragg trace-diff`.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceDiffOptions {
    /// The two traces.
    pub traces: [PathBuf; 2],
    /// Relative tolerance, not negative.
    pub rtol: f64,
    /// Absolute tolerance, not negative.
    pub atol: f64,
    /// Only these pixels (slow, fast); empty: all.
    pub pixels: Vec<[usize; 2]>,
    /// Folder of metrics.json.
    pub out: PathBuf,
    /// Print the metrics instead of the table.
    pub json: bool,
    /// Print no table.
    pub quiet: bool,
}

impl Default for TraceDiffOptions {
    fn default() -> Self {
        Self {
            traces: Default::default(),
            rtol: 1e-6,
            atol: 0.0,
            pixels: Vec::new(),
            out: PathBuf::from("."),
            json: false,
            quiet: false,
        }
    }
}

/// A symmetric N matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NMatrix {
    /// Its diagonal: unit cells along a, b, c, at least 1.
    pub cells: [f64; 3],
    /// Its other elements.
    pub coupling: CellCoupling,
}

/// The options of a render. `None`: not given.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    /// Orientation matrix file.
    pub mat: Option<PathBuf>,
    /// Unit cell a, b, c (angstrom), alpha, beta, gamma (degrees), missing values filled in; lengths are
    /// larger than zero, angles between 0 and 180.
    pub cell_angstrom_deg: Option<[f64; 6]>,
    /// Missetting.
    pub misset: Misset,
    /// Seed of a random misset, as typed.
    pub misset_seed_as_typed: Option<i64>,
    /// Unit cells along a, b, c; at least 1.
    pub n_cells: [Option<usize>; 3],
    /// Unit cells along a, b, c, with fractions; at least 1.
    pub cells: Option<[f64; 3]>,
    /// The N matrix of gauss and tophat spots.
    pub n_matrix: Option<NMatrix>,
    /// Crystal size along a, b, c, metres; not above zero means unset.
    pub sample_m: [Option<f64>; 3],
    /// Crystal shape.
    pub shape: CrystalShape,
    /// Factor that shrinks spots of shapes other than square.
    pub fudge: Option<f64>,
    /// What distances of gauss and tophat spots are measured in.
    pub spot_metric: Option<SpotMetric>,
    /// Exponent from which on gauss spots are 0; larger than zero.
    pub gauss_cutoff: Option<f64>,
    /// Mosaic spread, radians; negative means unset.
    pub mosaic_spread_rad: Option<f64>,
    /// Mosaic spreads about a, b and c, radians; larger than zero.
    pub mosaic_anisotropic_rad: Option<[f64; 3]>,
    /// Axes of the mosaic rotations.
    pub mosaic_axes: Option<MosaicAxes>,
    /// Whether each mosaic domain comes with its inverse.
    pub mosaic_pairs: bool,
    /// File of the rotations of the mosaic domains.
    pub mosaic_matrices: Option<PathBuf>,
    /// Mosaic domains, at least 1; `None` also where the count is not above 0.
    pub mosaic_domains: Option<usize>,
    /// Seed of the mosaic domains, as typed.
    pub mosaic_seed_as_typed: Option<i64>,
    /// Table of the crystals in the beam.
    pub crystals: Option<PathBuf>,
    /// A twin law, by which a second crystal is in the beam.
    pub twin: Option<TwinLaw>,

    /// Structure factor file.
    pub hkl: Option<PathBuf>,
    /// What is taken of that file, and its symmetry.
    pub reflections: Wanted,
    /// How structure factors are computed where that file is an atomic model.
    pub model: ModelOptions,
    /// The numbers that the grid of structure factors is held in.
    pub grid: GridNumbers,
    /// Binary dump of the structure factors.
    pub dump: Option<PathBuf>,
    /// Structure factor of reflections that are not listed.
    pub default_f: Option<f64>,
    /// Interpolate between structure factors.
    pub interpolate: Option<bool>,

    /// Wavelength, metres, larger than zero, from `-lambda` or `-energy`, whichever came last.
    pub lambda_m: Option<f64>,
    /// Width of the spectrum as a fraction of the wavelength; negative means unset.
    pub dispersion_range: Option<f64>,
    /// Wavelengths across the spectrum; not above zero means unset.
    pub dispersion_count: Option<i64>,
    /// Horizontal divergence range, radians; negative means unset.
    pub hdiv_range_rad: Option<f64>,
    /// Horizontal divergence step, radians; not above zero means unset.
    pub hdiv_step_rad: Option<f64>,
    /// Horizontal divergence steps; not above zero means unset.
    pub hdiv_count: Option<i64>,
    /// Vertical divergence range, radians; negative means unset.
    pub vdiv_range_rad: Option<f64>,
    /// Vertical divergence step, radians; not above zero means unset.
    pub vdiv_step_rad: Option<f64>,
    /// Vertical divergence steps; not above zero means unset.
    pub vdiv_count: Option<i64>,
    /// Keep the corners of the divergence grid.
    pub square_div: bool,
    /// Source file.
    pub sourcefile: Option<PathBuf>,
    /// Weighted wavelengths.
    pub spectrum: SpectrumOptions,
    /// Kahn polarisation factor.
    pub polar_kahn: Option<f64>,
    /// No polarisation correction; false again when `-polar` follows.
    pub nopolar: bool,
    /// Photons per square metre, not negative.
    pub fluence_per_m2: Option<f64>,
    /// Photons per second, not negative.
    pub flux_per_s: Option<f64>,
    /// Exposure, seconds.
    pub exposure_s: Option<f64>,
    /// Beam size, metres; a negative one neither sets the fluence nor clips the sample.
    pub beamsize_m: Option<f64>,
    /// Thickness of water in the beam, metres, not negative.
    pub water_m: Option<f64>,
    /// Amorphous matter in the beam.
    pub background: BackgroundOptions,

    /// File of the geometry of an experiment.
    pub geometry: Option<PathBuf>,
    /// Experiment of that file, from 0.
    pub experiment: Option<usize>,
    /// The only panel of that file to render.
    pub panel: Option<PanelChoice>,
    /// Detector whose pixels, gaps and sensor are taken where no option gives them.
    pub detector: Option<&'static NamedDetector>,
    /// Pixel size, metres, larger than zero.
    pub pixel_m: Option<f64>,
    /// Pixels along fast, at least 1.
    pub detpixels_f: Option<usize>,
    /// Pixels along slow, at least 1.
    pub detpixels_s: Option<usize>,
    /// Detector size along fast, metres, larger than zero.
    pub detsize_f_m: Option<f64>,
    /// Detector size along slow, metres, larger than zero.
    pub detsize_s_m: Option<f64>,
    /// Distance along the beam, metres, not zero.
    pub distance_m: Option<f64>,
    /// Distance along the detector normal, metres, not zero.
    pub close_distance_m: Option<f64>,
    /// Beam centre X, in the convention's sense, metres.
    pub xbeam_m: Option<f64>,
    /// Beam centre Y, in the convention's sense, metres.
    pub ybeam_m: Option<f64>,
    /// Point closest to the sample, X, metres.
    pub xclose_m: Option<f64>,
    /// Point closest to the sample, Y, metres.
    pub yclose_m: Option<f64>,
    /// Point closest to the sample along fast, pixels, XDS numbering.
    pub orgx_px: Option<f64>,
    /// Point closest to the sample along slow, pixels, XDS numbering.
    pub orgy_px: Option<f64>,
    /// Detector swing, radians.
    pub twotheta_rad: Option<f64>,
    /// Detector rotations about lab x, y, z, radians.
    pub detector_rot_rad: [f64; 3],
    /// Pivot, from the last option that sets one; a named convention overrides it.
    pub pivot: Option<Pivot>,
    /// What nanoBragg makes of `-twotheta_axis` where no `-twotheta` follows it.
    pub swing_of_axis: Option<SwingOfAxis>,
    /// Convention, from the last option that selects one.
    pub convention: Convention,
    /// Whether a word names a convention.
    pub names_convention: bool,
    /// All axes that are given, also those before a named convention.
    pub axes: CustomAxes,
    /// Whether a detector origin was given (its value is always recomputed).
    pub pix0_given: bool,
    /// Pixels are points: no solid angle.
    pub point_pixel: bool,
    /// All pixels at the same distance from the sample.
    pub curved_det: bool,
    /// Material, thickness and layers of the sensor, for which `detector_abs`, `detector_thick_m` and
    /// `detector_thicksteps` are used where they are given.
    pub sensor: Option<SensorOption>,
    /// Attenuation depth of the sensor.
    pub detector_abs: Option<Attenuation>,
    /// Sensor thickness, metres; negative means unset.
    pub detector_thick_m: Option<f64>,
    /// Whether the thickness stands after a depth of `inf`, which only the reference heeds.
    pub thick_after_no_thickness: bool,
    /// Layers of the sensor; not above zero means unset.
    pub detector_thicksteps: Option<i64>,
    /// Image whose header gives the geometry.
    pub img: Option<PathBuf>,
    /// Mask image, its header too.
    pub mask: Option<PathBuf>,
    /// Region of interest: fast min, fast max, slow min, slow max, pixels, inclusive; a negative limit is that of the
    /// detector.
    pub roi_px: Option<[i64; 4]>,

    /// Subpixels along each axis; `None`: chosen from the spot size.
    pub oversample: Option<usize>,
    /// Capture of every subpixel.
    pub oversample_thick: bool,
    /// Polarisation of every subpixel and source.
    pub oversample_polar: bool,
    /// Solid angle of every subpixel.
    pub oversample_omega: bool,
    /// Spindle angle at the start, radians.
    pub phi_rad: Option<f64>,
    /// Oscillation range, radians; negative means unset.
    pub osc_rad: Option<f64>,
    /// Phi step, radians; negative means unset.
    pub phistep_rad: Option<f64>,
    /// Phi steps; negative means unset, 0 is taken as 1.
    pub phisteps: Option<i64>,
    /// Where in each phi step its phi lies.
    pub phi_sampling: PhiSampling,
    /// Resolution limit, metres.
    pub dmin_m: Option<f64>,

    /// Float image.
    pub floatfile: Option<PathBuf>,
    /// Integer image.
    pub intfile: Option<PathBuf>,
    /// Factor of the integer image; not above zero means automatic.
    pub scale: Option<f64>,
    /// Offset of the integer and noise images.
    pub adc: Option<f64>,
    /// Noise image.
    pub noisefile: Option<PathBuf>,
    /// No noise image; false again when `-noisefile` follows.
    pub nonoise: bool,
    /// Seed of the noise, as typed.
    pub seed_as_typed: Option<i64>,
    /// PGM image.
    pub pgmfile: Option<PathBuf>,
    /// Factor of the PGM image; not above zero means automatic.
    pub pgmscale: Option<f64>,
    /// No PGM image; false again when `-pgmfile` follows.
    pub nopgm: bool,
    /// Print the quantities of pixels.
    pub printout: bool,
    /// Fast and slow index of the pixel to print, which may lie outside the detector.
    pub printout_pixel: Option<[i64; 2]>,
    /// Progress meter.
    pub progress: Option<bool>,

    /// PNG preview.
    pub png: Option<PathBuf>,
    /// PNG preview with photon noise.
    pub noise_png: Option<PathBuf>,
    /// miniCBF image.
    pub cbf: Option<PathBuf>,
    /// Experiment list for DIALS; `None`: beside a series only.
    pub expt: Option<PathBuf>,
    /// No experiment list; false again when `--expt` follows.
    pub no_expt: bool,
    /// Input of XDS.
    pub xds_inp: Option<PathBuf>,
    /// Table of the predicted reflections.
    pub predictions: Option<PathBuf>,
    /// miniCBF image with photon noise.
    pub noise_cbf: Option<PathBuf>,
    /// What the noise is drawn from; `None`: as [`Options::has_counter_noise`] says.
    pub noise_model: Option<NoiseModel>,
    /// What the values of the stages are taken from where no option gives them.
    pub detector_model: Option<DetectorModel>,
    /// Values of the stages that options give.
    pub stage_values: StageValues,
    /// A list of bad pixels.
    pub bad_pixels: Option<PathBuf>,
    /// Stages of the noise of the detector: all values in them, but for a list of bad pixels until it is read.
    pub noise_stages: NoiseStages,
    /// Images of means; the names have the quantity before the extension.
    pub mean_images: Option<PathBuf>,
    /// NXmx file of all frames.
    pub nxmx: Option<PathBuf>,
    /// What its pixels are; `None`: noise, where the noise image is made.
    pub nxmx_data: Option<NxmxData>,
    /// Whether it has images of the stages of the noise.
    pub nxmx_stages: bool,
    /// Its compression; `None`: the usual one.
    pub nxmx_compression: Option<Compression>,
    /// Frames of each of the files whose master it is; `None`: it has the frames itself.
    pub nxmx_frames_per_file: Option<usize>,
    /// Whether it has the means of pixels as well.
    pub nxmx_means: bool,
    /// Header style of the SMV images.
    pub header: HeaderStyle,
    /// The shots, where these are rendered: each is a frame.
    pub shots: Option<ShotOptions>,
    /// Frames of a rotation series, at least 1.
    pub frames: Option<usize>,
    /// As many frames as the scan of the geometry has.
    pub frames_of_scan: bool,
    /// Images in formats without panels are written only where an option names them: set for several panels.
    pub names_flat_images: bool,
    /// First and last frame to render, from 1, inclusive.
    pub frame_range: Option<[usize; 2]>,
    /// Render only the frames that are missing or incomplete.
    pub resume: bool,
    /// Continue a series that another version of the program began.
    pub resume_anyway: bool,
    /// Treatment of phi = 0.
    pub carryover_mode: PhiMode,
    /// c-parity: threads of the reference run to reproduce; `None`: 1.
    pub reference_threads: Option<usize>,
    /// Number of worker threads; `None`: all cores.
    pub threads: Option<usize>,
    /// Highest instruction set to use; `None`: the best the processor has.
    pub simd: Option<SimdLevel>,
    /// What renders images.
    pub device: Choice,
    /// Arithmetic of the lattice factor.
    pub precision: Precision,
    /// Whether images are rendered from lists of their spots.
    pub light: LightRule,
    /// Photons that each pixel may lack; `None`: none.
    pub neglected_photons: Option<f64>,
    /// What is printed on standard output.
    pub log: Log,
    /// Print the summary as JSON.
    pub json: bool,
    /// Print no progress and no summary.
    pub quiet: bool,
    /// Evidence folder.
    pub evidence: Option<PathBuf>,

    /// Lines for standard error, one for each option or word that was accepted without effect.
    pub notes: Vec<String>,
}

impl Options {
    /// Adds a note.
    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// What the pixels of the NXmx file are; `None` where there is no such file.
    #[must_use]
    pub fn data_of_nxmx(&self) -> Option<NxmxData> {
        let usual = if self.nonoise { NxmxData::Photons } else { NxmxData::Noise };
        self.nxmx.as_ref().map(|_| self.nxmx_data.unwrap_or(usual))
    }

    /// Whether the NXmx file has the means of pixels.
    #[must_use]
    pub fn has_means_in_nxmx(&self) -> bool {
        self.nxmx_means && self.nxmx.is_some()
    }

    /// Whether the noise of each pixel is drawn by itself; else it is the reference's.
    #[must_use]
    pub fn has_counter_noise(&self) -> bool {
        self.shots.is_some() || self.has_noise_stages() || self.noise_model == Some(NoiseModel::Counter)
    }

    /// Whether the noise has stages beside the counting of photons.
    #[must_use]
    pub fn has_noise_stages(&self) -> bool {
        self.noise_stages != NoiseStages::default() || self.bad_pixels.is_some()
    }

    /// The options in a mode, whatever mode they name. They must be those of a command that applies none itself.
    #[must_use]
    pub fn in_mode(&self, mode: PhiMode) -> Self {
        let mut options = Self { carryover_mode: mode, ..self.clone() };
        options.apply_mode();
        options
    }

    /// Applies what c-parity alone reads in the words.
    pub(super) fn apply_mode(&mut self) {
        let Some(SwingOfAxis { twotheta_rad, pivot }) = self.swing_of_axis else { return };
        if self.carryover_mode == PhiMode::CParity {
            self.twotheta_rad = Some(twotheta_rad);
            self.pivot = Some(pivot);
            let degrees = twotheta_rad / RADIANS_PER_DEGREE;
            self.note(format!(
                "-twotheta_axis: its first number is taken as -twotheta {degrees} too, as in nanoBragg; a -twotheta after it replaces that"
            ));
        }
    }

    /// Keeps the first of equal notes.
    pub(super) fn remove_repeated_notes(&mut self) {
        let mut seen = HashSet::new();
        self.notes.retain(|note| seen.insert(note.clone()));
    }
}
