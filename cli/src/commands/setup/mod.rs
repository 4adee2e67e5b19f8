//! From the options of a render to an experiment, once: files are read, and headers of images apply before
//! the command line.

pub(crate) mod background;
pub mod device;
pub(crate) mod geometry;
mod inherited;
pub mod inputs;
pub(crate) mod lattices;
pub(crate) mod model;
mod mosaic;
mod named;
mod noise;
mod plausibility;
mod reach;
mod repairs;
pub(crate) mod sensor;
pub mod shots;
pub(crate) mod spectrum;
mod spots;
pub(crate) mod structure_factors;
mod words;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use widebragg::crystal::{CellSource, UnitCell};
use widebragg::defaults;
use widebragg::detector::{DetectorParameters, extent};
use widebragg::lattice::CrystalShape;
use widebragg::random::random_misset;
use widebragg::rotation::PhiMode;
use widebragg::sampling::{OversampleRequest, StepRequest};
use widebragg::scene::{CrystalInput, DetectorInput, Roi};
use widebragg_devices::choice::Choice;
use widebragg_experiment::detector_noise::NoiseStages;
use widebragg_experiment::detectors::NamedDetector;
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::factor_grid::{FactorGrid, GridNumbers};
use widebragg_experiment::faults::Modes;
use widebragg_experiment::parameters::{PanelParameters, Parameters, PhiSampling, Sources};
use widebragg_experiment::spectrum::Spectrum;
use widebragg_formats::format_g::format_g;
use widebragg_formats::hkl::HklTable;
use widebragg_formats::matrix::parse_matrix;
use widebragg_formats::reflections::p1::{Summary, Unique};
use widebragg_formats::shot_table::CrystalRow;
use widebragg_formats::smv::SmvImage;
use widebragg_formats::sources::parse_sources;
use widebragg_reflections::cell::Cell;

use crate::console::complain;
use crate::error::Failure;
use crate::options::{Misset, Options};
use geometry::FileGeometry;
use inherited::Inherited;
use inputs::Inputs;
use model::{ModelFile, ModelSummary};
use reach::Reach;
use sensor::GivenSensor;
use shots::{GivenShots, Plan};
use spectrum::{GivenSpectrum, SpectrumSummary};
use structure_factors::Factors;

/// The experiment that `options` ask for, with all structure factors that a file lists, since derivatives and fits move
/// what it reaches. Files are read, missing values are filled in, and warnings go to standard error.
///
/// # Errors
/// A file that cannot be used, values that fit no experiment, or steps to neglect.
pub fn of_fit(options: &Options) -> Result<SetUp, Failure> {
    check_all_steps(options)?;
    // Derivatives and traces are the processor's.
    let options = Options { device: Choice::Cpu, simd: device::level(options), ..options.clone() };
    of_files(&options, &Inputs::default(), &|warning| complain(&warning))
}

/// As [`of_fit`], also with steps to neglect; files are read through `inputs`, and `warn` is told the warnings.
///
/// # Errors
/// A file that cannot be used, or values that fit no experiment.
pub fn of_files(options: &Options, inputs: &Inputs, warn: &dyn Fn(String)) -> Result<SetUp, Failure> {
    let geometry = FileGeometry::read(options, inputs)?;
    set_up(options, inputs, geometry, Extent::File, warn)
}

/// Checks that there is a single crystal.
///
/// # Errors
/// There are several.
pub fn check_single_crystal(options: &Options, experiment: &Experiment) -> Result<(), Failure> {
    if experiment.lattices() == 1 {
        return Ok(());
    }
    let option = if options.twin.is_some() { "--twin" } else { "--crystals" };
    Err(Failure::input(format!("{option}: not with traces, which are of one crystal")))
}

/// Checks that no steps are to be neglected.
///
/// # Errors
/// Some are.
pub fn check_all_steps(options: &Options) -> Result<(), Failure> {
    if options.neglected_photons.is_some_and(|photons| photons > 0.0) {
        return Err(Failure::input(
            "--neglect: only for images, since traces and derivatives have all steps",
        ));
    }
    Ok(())
}

/// How many of the unique reflections of a file an experiment gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// All.
    File,
    /// Those that its images ask for.
    Images,
}

/// An experiment, and what its structure factors were made of.
#[derive(Debug)]
pub struct SetUp {
    /// The experiment.
    pub experiment: Experiment,
    /// The reflections of `-hkl`; `None` without it, and for lines of h k l F that are taken as they stand.
    pub reflections: Option<Box<Unique>>,
    /// What was computed from `-hkl`, where it is an atomic model.
    pub model: Option<ModelSummary>,
    /// The file of `--geometry`.
    pub geometry: Option<FileGeometry>,
    /// The wavelengths of the beam.
    pub wavelengths: Wavelengths,
    /// The shots, where these are rendered.
    pub plan: Option<Plan>,
    /// The stages of the noise of the detector.
    pub noise_stages: NoiseStages,
}

/// Where the wavelengths of a beam come from.
#[derive(Debug, Clone)]
pub struct Wavelengths {
    /// Where the wavelength comes from that belongs to `-mat`.
    pub origin: Lambda,
    /// The spectrum.
    pub spectrum: Option<SpectrumSummary>,
}

/// What the file of `-hkl` says of the crystal.
#[derive(Debug, Clone, Copy, Default)]
struct OfFile<'f> {
    /// What a list of reflections lacks, in words.
    lacks: Option<&'f str>,
    reflections: Option<&'f Unique>,
    model: Option<&'f ModelFile>,
}

impl<'f> OfFile<'f> {
    /// What was taken of a list of reflections.
    fn summary(self) -> Option<&'f Summary> {
        self.reflections.map(|unique| &unique.summary)
    }

    /// The cell of the file.
    fn cell(self) -> Option<Cell> {
        let of_reflections = self.summary().and_then(|summary| summary.cell);
        of_reflections.or(self.model.map(ModelFile::cell)).filter(Cell::is_possible)
    }
}

/// The cell of the crystal, to the digits that are printed of it.
fn crystal_cell(experiment: &Experiment) -> Cell {
    let cell = experiment.crystal.cell;
    let printed = |value: f64| format_g(value).parse().unwrap_or(value);
    Cell {
        lengths_angstrom: cell.lengths_angstrom.map(printed),
        angles_deg: cell.angles_rad.map(|angle| printed(angle.to_degrees())),
    }
}

/// As [`of_fit`], with the structure factors that its images ask for and the geometry that was read of
/// [`FileGeometry::read`]; the other files are read through `inputs`.
///
/// # Errors
/// As [`of_fit`].
pub fn of_images(
    options: &Options,
    inputs: &Inputs,
    geometry: Option<FileGeometry>,
) -> Result<SetUp, Failure> {
    set_up(options, inputs, geometry, Extent::Images, &|warning| complain(&warning))
}

fn set_up(
    options: &Options,
    inputs: &Inputs,
    geometry: Option<FileGeometry>,
    extent: Extent,
    warn: &dyn Fn(String),
) -> Result<SetUp, Failure> {
    options.notes.iter().cloned().for_each(warn);
    let Factors { table, lacks, reflections, model } = structure_factors::read(options, inputs, warn)?;
    let of_file =
        OfFile { lacks: lacks.as_deref(), reflections: reflections.as_deref(), model: model.as_ref() };
    let mut computed = Computed::default();
    let grid = |parameters: &Parameters, shots: Option<&GivenShots>| {
        let ask = Ask { options, geometry: geometry.as_ref(), shots, extent };
        grid_for(parameters, ask, table, of_file, &mut computed)
    };
    // Shots and noise may still be refused, and then there is nothing to warn of.
    let mut held = Vec::new();
    let has_noise = options.has_counter_noise();
    let told = |warning: String| if has_noise { held.push(warning) } else { warn(warning) };
    let FromFiles { experiment, wavelengths, shots } =
        from_files(options, inputs, geometry.as_ref(), of_file, grid, told)?;
    let experiment = device::opened(options, experiment, warn)?;
    let Computed { model, plan } = computed;
    let plan = match plan {
        Some(plan) => Some(plan.about(experiment.clone())?),
        None => shots.map(|shots| shots.plan(options, experiment.clone())).transpose()?,
    };
    let noise_stages = noise::stages(options, inputs, geometry.as_ref(), &experiment)?;
    held.into_iter().for_each(warn);
    Ok(SetUp { experiment, reflections, model, geometry, wavelengths, plan, noise_stages })
}

/// As [`of_fit`], with a table of structure factors instead of a file; warnings go to `warn`.
///
/// # Errors
/// As [`of_fit`].
pub fn with_structure_factors(
    options: &Options,
    table: Option<HklTable>,
    warn: impl FnMut(String),
) -> Result<Experiment, Failure> {
    let grid = table.map(|table| FactorGrid::new(table, options.grid));
    let inputs = Inputs::default();
    let geometry = FileGeometry::read(options, &inputs)?;
    from_files(options, &inputs, geometry.as_ref(), OfFile::default(), |_, _| Ok(grid), warn)
        .map(|read| read.experiment)
}

/// What asks for structure factors.
#[derive(Debug, Clone, Copy)]
struct Ask<'a> {
    options: &'a Options,
    geometry: Option<&'a FileGeometry>,
    shots: Option<&'a GivenShots>,
    extent: Extent,
}

/// What comes of structure factors that are computed from an atomic model.
#[derive(Debug, Default)]
struct Computed {
    /// What they were computed from.
    model: Option<ModelSummary>,
    /// The shots that ask for them, about an experiment without them.
    plan: Option<Plan>,
}

/// The experiment on the panel that alone is rendered, or on all.
fn on_chosen_panel(geometry: Option<&FileGeometry>, experiment: Experiment) -> Experiment {
    match geometry.and_then(FileGeometry::chosen_panel) {
        Some(panel) => experiment.on_panel(panel),
        None => experiment,
    }
}

/// The grid of structure factors: of the table that was read, or the one that is made for the images of the parameters.
fn grid_for(
    parameters: &Parameters,
    ask: Ask<'_>,
    table: Option<HklTable>,
    of_file: OfFile<'_>,
    computed: &mut Computed,
) -> Result<Option<FactorGrid>, Failure> {
    let Ask { options, geometry, shots, extent } = ask;
    // What is refused without structure factors is refused with them, and then the warnings are told.
    let without_factors = || Experiment::new(parameters.clone(), |_| ()).ok();
    let table = match (of_file.reflections, of_file.model) {
        (Some(unique), _) if extent == Extent::File || shots.is_some() => {
            structure_factors::expanded(unique, parameters.default_f, None).map(Some)?
        }
        (Some(unique), _) => without_factors()
            .map(|experiment| structure_factors::expanded(unique, parameters.default_f, Some(&experiment)))
            .transpose()?,
        (None, Some(model)) => {
            let Some(experiment) = without_factors() else { return Ok(None) };
            let plan =
                |shots: &GivenShots| shots.plan(options, on_chosen_panel(geometry, experiment.clone()));
            let plan = shots.map(plan).transpose()?;
            let reach = match &plan {
                Some(plan) => plan.reach()?,
                None => Reach::of(&experiment),
            };
            let (grid, summary) = model.factors(&experiment, &reach, options)?;
            *computed = Computed { model: Some(summary), plan };
            return Ok(Some(grid));
        }
        (None, None) => table,
    };
    // Interpolation from f32 takes a third longer.
    let interpolates = parameters.interpolate.unwrap_or_else(|| defaults::interpolates(parameters.cells));
    let numbers = match options.grid {
        GridNumbers::Auto if interpolates => GridNumbers::F64,
        given => given,
    };
    Ok(table.map(|table| FactorGrid::new(table, numbers)))
}

/// The experiment that `options` ask for, in both modes, whatever mode they name; warnings of spec go to standard
/// error.
///
/// # Errors
/// As [`of_fit`], in either mode.
pub fn in_both_modes(options: &Options) -> Result<Modes, Failure> {
    let mut options = options.clone();
    // The crystal must not depend on the second in which it is drawn.
    let seed = options.misset_seed_as_typed.or(options.seed_as_typed);
    options.misset_seed_as_typed = Some(seed.unwrap_or_else(clock_seed));
    if !options.background.matter.is_empty() {
        return Err(Failure::input(
            "--background: nanoBragg has none, so there is nothing to compare it with",
        ));
    }
    if options.model.energy_channels.is_some() {
        let why = "nanoBragg has the same F for all wavelengths, so there is nothing to compare them with";
        return Err(Failure::input(format!("--energy-channels: {why}")));
    }
    let (spec, parity) = (options.in_mode(PhiMode::Spec), options.in_mode(PhiMode::CParity));
    let warn = |warning: String| complain(&warning);
    spec.notes.iter().cloned().for_each(warn);
    let Factors { table, lacks, reflections, model } =
        structure_factors::read(&spec, &Inputs::default(), warn)?;
    let of_file =
        OfFile { lacks: lacks.as_deref(), reflections: reflections.as_deref(), model: model.as_ref() };
    let inputs = Inputs::kept();
    let geometry = FileGeometry::read(&spec, &inputs)?;
    let geometry = geometry.as_ref();
    // Where the detector is may depend on the mode.
    let grid = |parameters: &Parameters, _: Option<&GivenShots>| {
        let ask = Ask { options: &spec, geometry, shots: None, extent: Extent::File };
        grid_for(parameters, ask, table, of_file, &mut Computed::default())
    };
    let spec = from_files(&spec, &inputs, geometry, of_file, grid, warn)?.experiment;
    // The structure factors are shared: both modes read them alike.
    let parity = from_files(&parity, &inputs, geometry, of_file, |_, _| Ok(None), |_| {});
    let mut parity = parity.map_err(|failure| failure.context("nanoBragg"))?.experiment;
    parity.structure_factors.clone_from(&spec.structure_factors);
    parity.interpolate = spec.interpolate;
    Ok(Modes { spec, parity })
}

fn from_files(
    options: &Options,
    inputs: &Inputs,
    geometry: Option<&FileGeometry>,
    of_file: OfFile<'_>,
    grid: impl FnOnce(&Parameters, Option<&GivenShots>) -> Result<Option<FactorGrid>, Failure>,
    mut warn: impl FnMut(String),
) -> Result<FromFiles, Failure> {
    let (mut inherited, mask) = Inherited::read(options, inputs)?;
    inherited.warnings.drain(..).for_each(&mut warn);
    geometry.map(|geometry| geometry.warnings(options)).into_iter().flatten().for_each(&mut warn);
    let frame = geometry.map(FileGeometry::frame);
    let mut shots = GivenShots::read(options, inputs, frame)?;
    let (spectrum, of_spectrum) = match GivenSpectrum::read(options, inputs)? {
        Some(GivenSpectrum { spectrum, all, summary }) => {
            if let Some(shots) = shots.as_mut().filter(|_| all.len() > 1) {
                shots.spectra = all;
            }
            (Some(spectrum), Some(summary))
        }
        None => (None, None),
    };
    let lambda = Lambda::known(options, spectrum.as_ref(), geometry, &inherited, of_file.summary());
    let listed = lattices::listed(options, inputs, frame)?;
    let first_listed = listed.first().or(shots.as_ref().and_then(GivenShots::first_crystal));
    let cell = cell(options, inputs, geometry, lambda, (of_file, first_listed))?;
    let files = Files { inputs, geometry, inherited: &inherited, mask, crystals: &listed };
    let mut parameters = parameters(options, files, (cell, lambda, spectrum), &mut warn)?;
    parameters.structure_factors = grid(&parameters, shots.as_ref())?;
    let simd = parameters.simd;
    let experiment = Experiment::new(parameters, |warning| warn(words::warning(warning)))
        .map_err(|failure| words::failure(failure, options))?;
    let mut experiment = on_chosen_panel(geometry, experiment);
    background::add(options, inputs, &mut experiment, &mut warn)?;
    let interpolates = experiment.interpolate && experiment.structure_factors.is_some();
    if interpolates && experiment.neglected_photons > 0.0 {
        return Err(Failure::input(
            "--neglect: not with interpolation, whose structure factors are not bounded",
        ));
    }
    if let Some(cap) = options.simd.filter(|&cap| simd.level() != cap) {
        warn(format!("--simd {cap}: this processor has no {cap}, {} used", simd.level()));
    }
    plausibility::doubts(options, lambda, of_file, &experiment).into_iter().for_each(&mut warn);
    repairs::lines(options, &experiment).into_iter().for_each(warn);
    let wavelengths = Wavelengths { origin: lambda, spectrum: of_spectrum };
    Ok(FromFiles { experiment, wavelengths, shots })
}

/// What [`from_files`] makes.
struct FromFiles {
    experiment: Experiment,
    wavelengths: Wavelengths,
    shots: Option<GivenShots>,
}

/// A seed from the clock, where none is given.
pub(crate) fn clock_seed() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs() % 2_147_483_647).unwrap_or(1)
}

/// The files that parameters come from.
struct Files<'f> {
    inputs: &'f Inputs,
    geometry: Option<&'f FileGeometry>,
    inherited: &'f Inherited,
    mask: Option<SmvImage>,
    crystals: &'f [CrystalRow],
}

fn parameters(
    options: &Options,
    files: Files<'_>,
    (cell, lambda, spectrum): (CellSource, Lambda, Option<Spectrum>),
    warn: &mut dyn FnMut(String),
) -> Result<Parameters, Failure> {
    let Files { inputs, geometry, inherited, mask, crystals } = files;
    let fudge = fudge(options, warn)?;
    let (cells, spots) = spots::cells_and_spots(options, warn)?;
    let default = Parameters::new(cell);
    let lambda0_m = lambda.m().unwrap_or(default.lambda0_m);
    let panels = match geometry {
        Some(geometry) => geometry.panels(options, lambda0_m, mask.as_ref(), warn)?,
        None => vec![panel(options, inherited, mask, lambda0_m, warn)?],
    };
    let kahn = options.polar_kahn.or(geometry.and_then(FileGeometry::kahn)).unwrap_or(defaults::KAHN);
    let at_scan_points = match (&options.mat, options.cell_angstrom_deg) {
        (None, None) => geometry.map_or(Vec::new(), |geometry| geometry.crystals_at_scan_points(lambda0_m)),
        _ => Vec::new(),
    };
    let misset_rad = misset(options);
    let oriented = |source| CrystalInput::Cell { source, misset_rad };
    let mut parameters = Parameters {
        simd: device::simd(options),
        panels,
        oversample: OversampleRequest {
            per_axis: options.oversample,
            thick: options.oversample_thick,
            polar: options.oversample_polar,
            omega: options.oversample_omega,
        },
        lambda0_m,
        sources: sources(options, inputs, spectrum)?,
        kahn: is_polarized(options).then_some(kahn),
        polarized_at: default.polarized_at,
        fluence_per_m2: options.fluence_per_m2.unwrap_or(default.fluence_per_m2),
        flux_per_s: options.flux_per_s.unwrap_or(default.flux_per_s),
        exposure_s: options
            .exposure_s
            .or(geometry.and_then(FileGeometry::exposure_s))
            .unwrap_or(default.exposure_s),
        beamsize_m: options.beamsize_m.unwrap_or(default.beamsize_m),
        water_m: options.water_m.unwrap_or(default.water_m),
        d_min_m: options.dmin_m.unwrap_or(default.d_min_m),
        crystal: oriented(cell),
        crystals_at_scan_points: at_scan_points.into_iter().map(oriented).collect(),
        weight: default.weight,
        other_lattices: Vec::new(),
        shape: options.shape,
        cells,
        size_m: options.sample_m.map(|size| size.unwrap_or(0.0)),
        fudge,
        spots,
        precision: options.precision,
        light: options.light,
        neglected_photons: options.neglected_photons.unwrap_or(0.0),
        mode: options.carryover_mode,
        reference_threads: options.reference_threads.unwrap_or(default.reference_threads),
        phi0_rad: options
            .phi_rad
            .or(geometry.and_then(FileGeometry::phi0_rad))
            .or(inherited.phi0_rad)
            .unwrap_or(default.phi0_rad),
        phi: StepRequest {
            count: options.phisteps,
            range: options.osc_rad.or(geometry.and_then(FileGeometry::osc_rad)).or(inherited.osc_rad),
            step: options.phistep_rad,
        },
        phi_sampling: phi_sampling(options)?,
        mosaic: mosaic::mosaic(options, inputs, warn)?,
        structure_factors: None,
        default_f: options.default_f.unwrap_or(default.default_f),
        interpolate: options.interpolate,
    };
    lattices::add_lattices(options, crystals, &mut parameters)?;
    Ok(parameters)
}

/// Whether pixels are polarised: nanoBragg evaluates the polarisation for `-oversample_polar` even where `-nopolar`
/// switches it off.
fn is_polarized(options: &Options) -> bool {
    let oversampled = options.oversample_polar && options.carryover_mode == PhiMode::CParity;
    !options.nopolar || oversampled
}

/// Where in each step phi is sampled.
fn phi_sampling(options: &Options) -> Result<PhiSampling, Failure> {
    if (options.phi_sampling, options.carryover_mode) == (PhiSampling::Middle, PhiMode::CParity) {
        return Err(Failure::input(
            "--phi-sampling middle: not with --phi-carryover-mode c-parity, since nanoBragg samples phi at the start of each step",
        ));
    }
    Ok(options.phi_sampling)
}

/// The detector that the options place, as its only panel.
fn panel(
    options: &Options,
    inherited: &Inherited,
    mask: Option<SmvImage>,
    lambda0_m: f64,
    warn: &mut dyn FnMut(String),
) -> Result<PanelParameters, Failure> {
    let detector = detector(options, inherited)?;
    let roi = region(options, &detector, warn)?;
    let mask = checked_mask(options, mask, &detector)?;
    let mask = named::with_gaps(options, &detector, mask, warn)?;
    Ok(PanelParameters {
        detector: DetectorInput::Parameters(detector),
        sensor: GivenSensor::new(options).request(options, lambda0_m, warn)?,
        roi,
        mask: mask.map(Arc::new),
        ..PanelParameters::default()
    })
}

fn detector(options: &Options, inherited: &Inherited) -> Result<DetectorParameters, Failure> {
    let of_name = options.detector.map(NamedDetector::pixel_m);
    let pixel_m = options.pixel_m.or(of_name).or(inherited.pixel_m).unwrap_or(defaults::PIXEL_M);
    let [fast_of_name, slow_of_name] = named::pixels(options);
    let along = |pixels: Option<usize>, inherited: Option<usize>, size_m: Option<f64>, option: &str| {
        extent(pixel_m, pixels.or(inherited), size_m)
            .map_err(|error| Failure::input(format!("{option}: {error}")))
    };
    let (fast_pixels, fast_size_m) = along(
        options.detpixels_f.or(fast_of_name),
        inherited.fast_pixels,
        options.detsize_f_m,
        "-detpixels_x",
    )?;
    let (slow_pixels, slow_size_m) = along(
        options.detpixels_s.or(slow_of_name),
        inherited.slow_pixels,
        options.detsize_s_m,
        "-detpixels_y",
    )?;
    let placed = DetectorParameters {
        pixel_m,
        fast_pixels,
        slow_pixels,
        fast_size_m,
        slow_size_m,
        distance_m: options.distance_m.or(inherited.distance_m),
        close_distance_m: options.close_distance_m.or(inherited.close_distance_m),
        x_beam_m: options.xbeam_m.or(inherited.x_beam_m),
        y_beam_m: options.ybeam_m.or(inherited.y_beam_m),
        x_close_m: options.xclose_m,
        y_close_m: options.yclose_m,
        org_x_px: options.orgx_px.or(inherited.org_x_px),
        org_y_px: options.orgy_px.or(inherited.org_y_px),
        convention: options.convention,
        pivot: options.pivot.unwrap_or_default(),
        rotation_rad: options.detector_rot_rad,
        twotheta_rad: options.twotheta_rad.unwrap_or(0.0),
        point_pixel: options.point_pixel,
        curved: options.curved_det,
    };
    inherited
        .before_swing(placed, options)
        .map_err(|error| Failure::input(format!("detector of the header: {error}")))
}

/// Where the wavelength comes from; in m.
#[derive(Debug, Clone, Copy)]
pub enum Lambda {
    /// An option.
    Given(f64),
    /// The mean of the spectrum.
    OfSpectrum(f64),
    /// The file of geometry.
    OfGeometry(f64),
    /// The header of an image.
    OfHeader(f64),
    /// The file of reflections.
    OfReflections(f64),
    /// Nothing names it.
    Default,
}

impl Lambda {
    /// Options come before the spectrum, that before files of geometry, these before headers of images, and these before
    /// the file of reflections, which does not stand in for the wavelengths of `-sourcefile`.
    fn known(
        options: &Options,
        spectrum: Option<&Spectrum>,
        geometry: Option<&FileGeometry>,
        inherited: &Inherited,
        reflections: Option<&Summary>,
    ) -> Self {
        let of_option = options.lambda_m.map(Self::Given);
        let of_spectrum = || spectrum.map(|spectrum| Self::OfSpectrum(spectrum.mean_lambda_m()));
        let of_geometry = || geometry.and_then(FileGeometry::lambda_m).map(Self::OfGeometry);
        let of_header = || inherited.lambda_m.map(Self::OfHeader);
        if let Some(known) = of_option.or_else(of_spectrum).or_else(of_geometry).or_else(of_header) {
            return known;
        }
        let of_file = reflections.and_then(|summary| summary.wavelength_angstrom);
        match of_file.filter(|_| options.sourcefile.is_none()) {
            Some(angstrom) => Self::OfReflections(angstrom * 1e-10),
            None => Self::Default,
        }
    }

    fn m(self) -> Option<f64> {
        match self {
            Self::Given(lambda_m)
            | Self::OfSpectrum(lambda_m)
            | Self::OfGeometry(lambda_m)
            | Self::OfHeader(lambda_m)
            | Self::OfReflections(lambda_m) => Some(lambda_m),
            Self::Default => None,
        }
    }

    /// Where it comes from, in words.
    #[must_use]
    pub fn origin(self) -> &'static str {
        match self {
            Self::Given(_) => "given",
            Self::OfSpectrum(_) => "mean of the spectrum",
            Self::OfGeometry(_) => "file of geometry",
            Self::OfHeader(_) => "header of the image",
            Self::OfReflections(_) => "file of reflections",
            Self::Default => "default",
        }
    }
}

/// The cell or the matrix of the options, or else the crystal of the geometry, or else the cell of the file of `-hkl`.
fn cell(
    options: &Options,
    inputs: &Inputs,
    geometry: Option<&FileGeometry>,
    lambda: Lambda,
    (of_file, listed): (OfFile<'_>, Option<&CrystalRow>),
) -> Result<CellSource, Failure> {
    let lambda_m = lambda.m().unwrap_or(defaults::LAMBDA_M);
    let matrix = match &options.mat {
        Some(path) => Some(inputs.read("-mat", path, |input| parse_matrix(input, path))?),
        None => None,
    };
    let cell = options
        .cell_angstrom_deg
        .map(|[a, b, c, alpha, beta, gamma]| UnitCell::from_degrees([a, b, c], [alpha, beta, gamma]));
    match (matrix, cell) {
        (Some(matrix), Some(cell)) => Ok(CellSource::MatrixWithCell(matrix, cell)),
        (Some(matrix), None) => Ok(CellSource::Matrix(matrix)),
        (None, Some(cell)) => Ok(CellSource::Cell(cell)),
        (None, None) => geometry
            .and_then(|geometry| geometry.crystal(lambda_m))
            .or_else(|| lattices::source(listed?, lambda_m))
            .or_else(|| {
                let Cell { lengths_angstrom, angles_deg } = of_file.cell()?;
                Some(CellSource::Cell(UnitCell::from_degrees(lengths_angstrom, angles_deg)))
            })
            .ok_or_else(|| Failure::input("no crystal: give -mat FILE or -cell a b c alpha beta gamma")),
    }
}

fn misset(options: &Options) -> [f64; 3] {
    match options.misset {
        Misset::None => [0.0; 3],
        Misset::Given(angles_rad) => angles_rad,
        Misset::Random => {
            let seed = options.misset_seed_as_typed.or(options.seed_as_typed);
            random_misset(seed_32_bits(seed.unwrap_or_else(clock_seed)))
        }
    }
}

/// A seed in 32 bits, as nanoBragg keeps it.
fn seed_32_bits(seed: i64) -> i64 {
    i64::from(seed as i32)
}

/// The factor that shrinks spots, which only some shapes have. A negative one makes round spots NaN and lets Gaussian
/// ones grow without limit between the reflections.
fn fudge(options: &Options, warn: &mut dyn FnMut(String)) -> Result<f64, Failure> {
    let fudge = options.fudge.unwrap_or(defaults::FUDGE);
    if fudge >= 0.0 {
        return Ok(fudge);
    }
    let given = format!("-fudge {}", format_g(fudge));
    match options.shape {
        CrystalShape::Square => {
            warn(format!("{given}: has no effect on square crystals"));
            Ok(defaults::FUDGE)
        }
        CrystalShape::Tophat => {
            warn(format!("{given}: taken as 0, which has the same effect, as in nanoBragg"));
            Ok(0.0)
        }
        CrystalShape::Round => Err(Failure::input(format!("{given}: round spots would not be numbers"))),
        CrystalShape::Gauss => Err(Failure::input(format!(
            "{given}: Gaussian spots would grow without limit between reflections"
        ))),
    }
}

fn sources(options: &Options, inputs: &Inputs, spectrum: Option<Spectrum>) -> Result<Sources, Failure> {
    if let Some(path) = &options.sourcefile {
        let lines = inputs.read("-sourcefile", path, |input| parse_sources(input, path))?;
        return Ok(Sources::Lines(lines));
    }
    let request = |count, range, step| StepRequest { count, range, step };
    let hdiv = request(options.hdiv_count, options.hdiv_range_rad, options.hdiv_step_rad);
    let vdiv = request(options.vdiv_count, options.vdiv_range_rad, options.vdiv_step_rad);
    let round = !options.square_div;
    Ok(match spectrum {
        Some(spectrum) => Sources::Spectrum { hdiv, vdiv, round, spectrum },
        None => {
            let dispersion = request(options.dispersion_count, options.dispersion_range, None);
            Sources::Grid { hdiv, vdiv, dispersion, round }
        }
    })
}

/// The region of interest, clipped to the detector; `None` for the whole detector.
fn region(
    options: &Options,
    detector: &DetectorParameters,
    warn: &mut dyn FnMut(String),
) -> Result<Option<Roi>, Failure> {
    let ends = [detector.fast_pixels, detector.slow_pixels].map(|pixels| pixels - 1);
    let [last_fast, last_slow] = ends;
    let beyond = |option: &str, values: &[i64]| {
        let values: Vec<String> = values.iter().map(i64::to_string).collect();
        format!("{option} {}: the detector ends at pixel {last_fast} {last_slow}", values.join(" "))
    };
    let outside = |index: i64, last: usize| usize::try_from(index).is_ok_and(|index| index > last);
    if let Some(pixel @ [fast, slow]) = options.printout_pixel
        && (outside(fast, last_fast) || slow < 0 || outside(slow, last_slow))
    {
        warn(beyond("-printout_pixel", &pixel) + ", so that no pixel is printed");
    }
    let Some(region) = options.roi_px else { return Ok(None) };
    let [xmin, xmax, ymin, ymax] = region;
    if outside(xmin, last_fast) || outside(ymin, last_slow) {
        return Err(Failure::input(beyond("-roi", &region)));
    }
    if outside(xmax, last_fast) || outside(ymax, last_slow) {
        warn(beyond("-roi", &region) + ", and so does the region");
    }
    // A negative minimum is the first pixel, a negative maximum the last.
    let first = |limit: i64| usize::try_from(limit).unwrap_or(0);
    let last = |limit: i64, end: usize| usize::try_from(limit).map_or(end, |limit| limit.min(end));
    Ok(Some(Roi {
        fast_min: first(xmin),
        fast_max: last(xmax, last_fast),
        slow_min: first(ymin),
        slow_max: last(ymax, last_slow),
    }))
}

/// The pixels of the mask, which must be as many as the detector's.
fn checked_mask(
    options: &Options,
    mask: Option<SmvImage>,
    detector: &DetectorParameters,
) -> Result<Option<Vec<u16>>, Failure> {
    let (Some(mask), Some(path)) = (mask, &options.mask) else { return Ok(None) };
    if (mask.fast, mask.slow) != (detector.fast_pixels, detector.slow_pixels) {
        return Err(Failure::input(format!(
            "-mask: {}: {} x {} pixels, the detector has {} x {}",
            path.display(),
            mask.fast,
            mask.slow,
            detector.fast_pixels,
            detector.slow_pixels
        )));
    }
    Ok(Some(mask.pixels))
}
