//! From the options of a render to an experiment, once: files are read, and headers of images apply before
//! the command line.

mod inherited;
pub(crate) mod inputs;
pub(crate) mod structure_factors;
mod words;

use std::time::{SystemTime, UNIX_EPOCH};

use widebragg::crystal::{CellSource, UnitCell};
use widebragg::defaults;
use widebragg::detector::{DetectorParameters, extent};
use widebragg::lanes::{Simd, SimdLevel};
use widebragg::random::random_misset;
use widebragg::rotation::PhiMode;
use widebragg::sampling::{OversampleRequest, StepRequest};
use widebragg::scene::{CrystalInput, DetectorInput, Roi};
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::parameters::{self, Mosaic, Parameters, PhiSampling, SensorRequest, Sources};
use widebragg_formats::hkl::HklTable;
use widebragg_formats::matrix::parse_matrix;
use widebragg_formats::smv::SmvImage;
use widebragg_formats::sources::parse_sources;

use crate::console::complain;
use crate::error::Failure;
use crate::options::{Attenuation, Misset, Options};
use inherited::Inherited;
use inputs::Inputs;

/// The experiment that `options` ask for. Files are read, missing values are filled in, and warnings go to standard
/// error.
///
/// # Errors
/// A file that cannot be used, or values that fit no experiment.
pub fn experiment(options: &Options) -> Result<Experiment, Failure> {
    experiment_from(options, &Inputs::default())
}

/// As [`experiment`]; the files are read through `inputs`.
///
/// # Errors
/// As [`experiment`].
pub fn experiment_from(options: &Options, inputs: &Inputs) -> Result<Experiment, Failure> {
    let warn = |warning: String| complain(&warning);
    options.notes.iter().cloned().for_each(warn);
    let table = structure_factors::read(options, inputs, warn)?;
    of_files(options, inputs, table, warn)
}

/// As [`experiment`], with a table of structure factors instead of a file; warnings go to `warn`.
///
/// # Errors
/// As [`experiment`].
pub fn with_structure_factors(
    options: &Options,
    table: Option<HklTable>,
    warn: impl FnMut(String),
) -> Result<Experiment, Failure> {
    of_files(options, &Inputs::default(), table, warn)
}

fn of_files(
    options: &Options,
    inputs: &Inputs,
    table: Option<HklTable>,
    mut warn: impl FnMut(String),
) -> Result<Experiment, Failure> {
    let (inherited, mask) = Inherited::read(options, inputs)?;
    let parameters = parameters(options, inputs, &inherited, mask, table)?;
    let simd = parameters.simd;
    let experiment = Experiment::new(parameters, |warning| warn(words::warning(warning)))
        .map_err(|failure| words::failure(failure, options))?;
    if let Some(cap) = options.simd.filter(|&cap| simd.level() != cap) {
        warn(format!("--simd {cap}: this processor has no {cap}, {} used", simd.level()));
    }
    Ok(experiment)
}

/// A seed from the clock, where none is given.
pub(crate) fn clock_seed() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs() % 2_147_483_647).unwrap_or(1)
}

fn parameters(
    options: &Options,
    inputs: &Inputs,
    inherited: &Inherited,
    mask: Option<SmvImage>,
    structure_factors: Option<HklTable>,
) -> Result<Parameters, Failure> {
    let detector = detector(options, inherited)?;
    let cell = cell(options, inputs)?;
    let roi = region(options, &detector)?;
    let mask = checked_mask(options, mask, &detector)?;
    let seed = options.mosaic_seed_as_typed.unwrap_or(defaults::MOSAIC_SEED);
    let default = Parameters::new(cell);
    Ok(Parameters {
        simd: options.simd.map_or_else(Simd::detect, |cap: SimdLevel| Simd::capped(cap)),
        detector: DetectorInput::Parameters(detector),
        sensor: sensor(options),
        oversample: OversampleRequest {
            per_axis: options.oversample,
            thick: options.oversample_thick,
            polar: options.oversample_polar,
            omega: options.oversample_omega,
        },
        lambda0_m: options.lambda_m.or(inherited.lambda_m).unwrap_or(default.lambda0_m),
        sources: sources(options, inputs)?,
        kahn: (!options.nopolar).then_some(options.polar_kahn.unwrap_or(defaults::KAHN)),
        fluence_per_m2: options.fluence_per_m2.unwrap_or(default.fluence_per_m2),
        flux_per_s: options.flux_per_s.unwrap_or(default.flux_per_s),
        exposure_s: options.exposure_s.unwrap_or(default.exposure_s),
        beamsize_m: options.beamsize_m.unwrap_or(default.beamsize_m),
        water_m: options.water_m.unwrap_or(default.water_m),
        d_min_m: options.dmin_m.unwrap_or(default.d_min_m),
        crystal: CrystalInput::Cell { source: cell, misset_rad: misset(options) },
        shape: options.shape,
        cells: options.n_cells.map(|n| n.map_or(defaults::CELLS, |n| n as f64)),
        size_m: options.sample_m.map(|size| size.unwrap_or(0.0)),
        fudge: options.fudge.unwrap_or(default.fudge),
        precision: options.precision,
        mode: options.carryover_mode,
        reference_threads: options.reference_threads.unwrap_or(default.reference_threads),
        phi0_rad: options.phi_rad.or(inherited.phi0_rad).unwrap_or(default.phi0_rad),
        phi: StepRequest {
            count: options.phisteps,
            range: options.osc_rad.or(inherited.osc_rad),
            step: options.phistep_rad,
        },
        phi_sampling: phi_sampling(options)?,
        mosaic: Mosaic::Spread {
            spread_rad: options.mosaic_spread_rad.unwrap_or(0.0),
            domains: options.mosaic_domains,
            seed,
        },
        structure_factors,
        default_f: options.default_f.unwrap_or(default.default_f),
        interpolate: options.interpolate,
        roi,
        mask,
    })
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

fn detector(options: &Options, inherited: &Inherited) -> Result<DetectorParameters, Failure> {
    let pixel_m = options.pixel_m.or(inherited.pixel_m).unwrap_or(defaults::PIXEL_M);
    let along = |pixels: Option<usize>, inherited: Option<usize>, size_m: Option<f64>, option: &str| {
        extent(pixel_m, pixels.or(inherited), size_m)
            .map_err(|error| Failure::input(format!("{option}: {error}")))
    };
    let (fast_pixels, fast_size_m) =
        along(options.detpixels_f, inherited.fast_pixels, options.detsize_f_m, "-detpixels_x")?;
    let (slow_pixels, slow_size_m) =
        along(options.detpixels_s, inherited.slow_pixels, options.detsize_s_m, "-detpixels_y")?;
    Ok(DetectorParameters {
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
    })
}

fn cell(options: &Options, inputs: &Inputs) -> Result<CellSource, Failure> {
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
        (None, None) => Err(Failure::input("no crystal: give -mat FILE or -cell a b c alpha beta gamma")),
    }
}

fn misset(options: &Options) -> [f64; 3] {
    match options.misset {
        Misset::None => [0.0; 3],
        Misset::Given(angles_rad) => angles_rad,
        Misset::Random => {
            let seed = options.misset_seed_as_typed.or(options.seed_as_typed);
            random_misset(seed.unwrap_or_else(clock_seed))
        }
    }
}

fn sources(options: &Options, inputs: &Inputs) -> Result<Sources, Failure> {
    if let Some(path) = &options.sourcefile {
        let lines = inputs.read("-sourcefile", path, |input| parse_sources(input, path))?;
        return Ok(Sources::Lines(lines));
    }
    let request = |count, range, step| StepRequest { count, range, step };
    Ok(Sources::Grid {
        hdiv: request(options.hdiv_count, options.hdiv_range_rad, options.hdiv_step_rad),
        vdiv: request(options.vdiv_count, options.vdiv_range_rad, options.vdiv_step_rad),
        dispersion: request(options.dispersion_count, options.dispersion_range, None),
        round: !options.square_div,
    })
}

fn sensor(options: &Options) -> SensorRequest {
    SensorRequest {
        thickness_m: options.detector_thick_m,
        layers: options.detector_thicksteps,
        attenuation: match options.detector_abs {
            None => parameters::Attenuation::Unknown,
            Some(Attenuation::NoThickness) => parameters::Attenuation::AtSurface,
            Some(Attenuation::DepthM(depth_m)) => parameters::Attenuation::DepthM(depth_m),
        },
    }
}

/// The region of interest; `None` for the whole detector.
fn region(options: &Options, detector: &DetectorParameters) -> Result<Option<Roi>, Failure> {
    let DetectorParameters { fast_pixels, slow_pixels, .. } = *detector;
    let outside = |option: &str, values: &[usize]| {
        let values: Vec<String> = values.iter().map(usize::to_string).collect();
        Failure::input(format!(
            "{option} {}: the detector ends at pixel {} {}",
            values.join(" "),
            fast_pixels - 1,
            slow_pixels - 1
        ))
    };
    if let Some([fast, slow]) = options.printout_pixel
        && (fast >= fast_pixels || slow >= slow_pixels)
    {
        return Err(outside("-printout_pixel", &[fast, slow]));
    }
    let Some([fast_min, fast_max, slow_min, slow_max]) = options.roi_px else { return Ok(None) };
    if fast_max >= fast_pixels || slow_max >= slow_pixels {
        return Err(outside("-roi", &[fast_min, fast_max, slow_min, slow_max]));
    }
    Ok(Some(Roi { fast_min, fast_max, slow_min, slow_max }))
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
