//! From options and files to the tables of a scene, in the reference's order of filling the blanks.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use widebragg::beam::{Polarization, Source, SourceGrid, fluence_per_m2};
use widebragg::crystal::{
    CellSource, Crystal, CrystalParameters, UnitCell, cells_along, recommended_oversample,
};
use widebragg::detector::{Convention, CustomAxes, Detector, DetectorParameters, Pivot, extent};
use widebragg::lanes::Simd;
use widebragg::lattice::{CrystalShape, Lattice, Precision};
use widebragg::random::{fill_mosaic, random_misset};
use widebragg::render::{Oversample, Roi, Scene, SceneParts, Sensor};
use widebragg::rotation::{
    IDENTITY, Mat3, Orientation, OrientationTable, PhiMode, PhiSweep, fill_orientations, orientations_len,
};
use widebragg::sampling::{Axis, StepRequest, Steps, axis_steps, phi_steps};
use widebragg::structure_factor::{HklGrid, LookupRule, StructureFactors};
use widebragg::vector::Vec3;

use super::inherited::Inherited;
use crate::console::complain;
use crate::error::Failure;
use crate::files::hkl::{HklTable, read_hkl};
use crate::files::matrix::read_matrix;
use crate::files::sources::read_sources;
use crate::files::{dump, format_g::format_g, smv::SmvImage};
use crate::memory::filled;
use crate::options::{self, Attenuation, CarryoverMode, Misset, Options};

/// Edge of a pixel where nothing says otherwise, in m.
pub(super) const DEFAULT_PIXEL_M: f64 = 1e-4;

/// Everything about a run that does not change from frame to frame.
#[derive(Debug)]
pub struct Setup {
    /// The placed detector.
    pub detector: Detector,
    /// Convention's name.
    pub convention: &'static str,
    /// The oriented crystal.
    pub crystal: Crystal,
    /// Its shape and size.
    pub lattice: Lattice,
    /// Missetting angles, in rad.
    pub misset_rad: [f64; 3],
    /// Rotation: first phi of the first frame.
    pub phi0_rad: f64,
    /// Sampling of a frame's oscillation.
    pub phi: Steps,
    /// Spec or c-parity.
    pub mode: PhiMode,
    /// Streams of the reference that c-parity follows.
    pub reference_threads: usize,
    /// Sources.
    pub sources: Vec<Source>,
    /// Mosaic domains.
    pub domains: Vec<Mat3>,
    /// Structure factors.
    pub hkl: Option<HklTable>,
    /// F of what is not listed.
    pub default_f: f64,
    /// Whether F_cell is interpolated.
    pub interpolate: bool,
    /// Sensitive layer.
    pub sensor: Sensor,
    /// Subpixels.
    pub oversample: Oversample,
    /// Polarisation.
    pub polarization: Option<Polarization>,
    /// Resolution limit, in m.
    pub d_min_m: f64,
    /// Photons per m^2.
    pub fluence_per_m2: f64,
    /// Exposure, in s.
    pub exposure_s: f64,
    /// Water in the beam, in m.
    pub water_m: f64,
    /// Central wavelength, in m.
    pub lambda0_m: f64,
    /// 2theta of the detector, in rad.
    pub twotheta_rad: f64,
    /// What is rendered.
    pub roi: Roi,
    /// Mask.
    pub mask: Option<SmvImage>,
    /// SIMD level.
    pub simd: Simd,
    /// Arithmetic of the lattice factor.
    pub precision: Precision,
    /// What the crystal was oriented from.
    pub crystal_parameters: CrystalParameters,
    /// What the detector was placed from.
    pub detector_parameters: DetectorParameters,
    /// Spread of the mosaic domains, in rad; 0 where there is but one.
    pub mosaic_spread_rad: f64,
    /// Lines for standard error: what was changed, and to what.
    pub warnings: Vec<String>,
}

/// What of a scene can be other than its [`Setup`] says.
#[derive(Debug, Clone)]
pub struct MovingParts<'a> {
    /// The placed detector.
    pub detector: Detector,
    /// Crystal shape, size and reciprocal axes.
    pub lattice: Lattice,
    /// Sources.
    pub sources: &'a [Source],
    /// Orientations.
    pub orientations: OrientationTable<'a>,
    /// Photons per m^2.
    pub fluence_per_m2: f64,
    /// F of what is not listed.
    pub default_f: f64,
}

impl Setup {
    /// Reads the files that `options` names and fills the blanks.
    ///
    /// # Errors
    /// A file that cannot be used, or values that fit no experiment.
    pub fn new(options: &Options) -> Result<Self, Failure> {
        let mut warnings = options.notes.clone();
        let hkl = structure_factors(options, &mut warnings)?;
        Self::with_structure_factors(options, hkl, warnings)
    }

    /// Writes the dump that later runs without `-hkl` read.
    pub(super) fn write_dump(&self, options: &Options) {
        if let (Some(_), Some(table)) = (&options.hkl, &self.hkl) {
            // The dump only saves time: a folder that cannot be written need not fail a run that succeeded.
            if let Err(failure) = dump::write_dump(&dump_path(options), table) {
                complain(&format!("structure factor dump not written: {failure}"));
            }
        }
    }

    /// The same with a table of structure factors instead of a file; `warnings` are those there are already.
    ///
    /// # Errors
    /// As [`Setup::new`].
    pub fn with_structure_factors(
        options: &Options,
        hkl: Option<HklTable>,
        mut warnings: Vec<String>,
    ) -> Result<Self, Failure> {
        let (inherited, mask) = Inherited::read(options)?;
        let lambda0_m = options.lambda_m.or(inherited.lambda_m).unwrap_or(1e-10);
        let (detector, detector_parameters) = place_detector(options, &inherited, &mut warnings)?;
        let (crystal, crystal_parameters) = orient_crystal(options, lambda0_m)?;

        let beamsize_m = options.beamsize_m.unwrap_or(1e-4);
        let exposure_s = options.exposure_s.unwrap_or(1.0);
        let fluence = fluence_per_m2(
            options.fluence_per_m2.unwrap_or(1.259_320_152_862_270_9e29),
            options.flux_per_s.unwrap_or(0.0),
            exposure_s,
            beamsize_m,
        );
        if !fluence.is_finite() {
            return Err(Failure::input("-flux, -exposure and -beamsize: the fluence is not a finite number"));
        }
        let lattice = size_crystal(options, &crystal, beamsize_m, &mut warnings);
        let typed_cells = options.n_cells.map(|n| n.unwrap_or(1));
        let interpolate =
            hkl.is_some() && options.interpolate.unwrap_or(typed_cells.into_iter().any(|n| n <= 2));
        let oversample = oversampling(options, &crystal, &lattice, lambda0_m, &detector, &mut warnings)?;
        let domains = mosaic_domains(options, &mut warnings)?;
        let kahn = options.polar_kahn.unwrap_or(0.0);
        let polarization = (!options.nopolar).then_some(Polarization { kahn, axis: detector.polarization });
        Ok(Self {
            convention: detector_parameters.convention.name(),
            crystal,
            lattice,
            misset_rad: crystal_parameters.misset_rad,
            crystal_parameters,
            detector_parameters,
            phi0_rad: options.phi_rad.or(inherited.phi0_rad).unwrap_or(0.0),
            phi: phi_steps(StepRequest {
                count: options.phisteps,
                range: options.osc_rad.or(inherited.osc_rad),
                step: options.phistep_rad,
            })
            .map_err(|error| Failure::input(format!("-phisteps: {error}")))?,
            mode: match options.carryover_mode {
                CarryoverMode::Spec => PhiMode::Spec,
                CarryoverMode::CParity => PhiMode::CParity,
            },
            reference_threads: options.reference_threads.unwrap_or(1),
            sources: sources(options, &detector, lambda0_m)?,
            mosaic_spread_rad: if domains.len() > 1 { options.mosaic_spread_rad.unwrap_or(0.0) } else { 0.0 },
            domains,
            hkl,
            default_f: options.default_f.unwrap_or(0.0),
            interpolate,
            sensor: sensor(options, &mut warnings)?,
            oversample,
            polarization,
            d_min_m: options.dmin_m.unwrap_or(0.0).max(0.0),
            fluence_per_m2: fluence,
            exposure_s,
            water_m: options.water_m.unwrap_or(0.0),
            lambda0_m,
            twotheta_rad: options.twotheta_rad.unwrap_or(0.0),
            roi: region(options, &detector)?,
            mask: checked_mask(options, mask, &detector)?,
            simd: simd(options.simd, &mut warnings),
            precision: match options.precision {
                options::Precision::Double => Precision::Double,
                options::Precision::Mixed => Precision::Mixed,
            },
            detector,
            warnings,
        })
    }

    /// The sweep of frame `frame`, counted from 0.
    #[must_use]
    pub fn sweep(&self, frame: usize) -> PhiSweep {
        PhiSweep {
            phi0_rad: self.phi0_rad + self.phi.range * frame as f64,
            step_rad: self.phi.step,
            count: self.phi.count,
            spindle: self.detector.spindle,
            mode: self.mode,
        }
    }

    /// Room for the orientations of a frame.
    ///
    /// # Errors
    /// More orientations than there is memory for.
    pub fn orientation_buffer(&self) -> Result<Vec<Orientation>, Failure> {
        let needed = orientations_len(self.phi.count, self.domains.len());
        needed
            .ok()
            .and_then(|needed| filled(needed, Orientation::default()))
            .ok_or_else(|| Failure::input("-phisteps and -mosaic_domains: more orientations than memory"))
    }

    /// The scene of frame `frame`; `entries` as long as [`Setup::orientation_buffer`] makes it.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn scene<'a>(&'a self, frame: usize, entries: &'a mut [Orientation]) -> Result<Scene<'a>, Failure> {
        let refused = |error: widebragg::Error| Failure::input(error.to_string());
        let orientations = fill_orientations(self.crystal.direct, self.sweep(frame), &self.domains, entries)
            .map_err(refused)?;
        self.scene_of(MovingParts {
            detector: self.detector,
            lattice: self.lattice,
            sources: &self.sources,
            orientations,
            fluence_per_m2: self.fluence_per_m2,
            default_f: self.default_f,
        })
    }

    /// The scene of `parts`, and of the setup in all else.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn scene_of<'a>(&'a self, parts: MovingParts<'a>) -> Result<Scene<'a>, Failure> {
        let refused = |error: widebragg::Error| Failure::input(error.to_string());
        let grid = match &self.hkl {
            Some(table) => {
                let min = [table.h.0, table.k.0, table.l.0];
                Some(HklGrid::new(min, table.shape(), &table.data).map_err(refused)?)
            }
            None => None,
        };
        Scene::new(SceneParts {
            simd: self.simd,
            detector: parts.detector,
            sensor: self.sensor,
            oversample: self.oversample,
            sources: parts.sources,
            orientations: parts.orientations,
            lattice: parts.lattice,
            precision: self.precision,
            structure_factors: StructureFactors {
                grid,
                default_f: parts.default_f,
                lookup: if self.interpolate { LookupRule::Tricubic } else { LookupRule::Nearest },
            },
            polarization: self.polarization,
            d_min_m: self.d_min_m,
            fluence_per_m2: parts.fluence_per_m2,
            water_m: self.water_m,
            roi: self.roi,
            mask: self.mask.as_ref().map(|mask| mask.pixels.as_slice()),
        })
        .map_err(refused)
    }

    /// Innermost steps of one image, thickness layers included.
    #[must_use]
    pub fn steps_per_pixel(&self) -> f64 {
        let samples = (self.oversample.per_axis as f64).powi(2);
        let orientations = self.phi.count as f64 * self.domains.len() as f64;
        self.sources.len() as f64 * orientations * samples * self.sensor.layers as f64
    }
}

/// A seed from the clock, for those that are not given.
pub(super) fn clock_seed() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs() % 2_147_483_647).unwrap_or(1)
}

fn custom_axes(axes: &options::CustomAxes) -> CustomAxes {
    let vector = |axis: Option<[f64; 3]>| axis.map(Vec3::from);
    CustomAxes {
        fast: vector(axes.fdet),
        slow: vector(axes.sdet),
        normal: vector(axes.odet),
        beam: vector(axes.beam),
        polarization: vector(axes.polar),
        spindle: vector(axes.spindle),
        twotheta: vector(axes.twotheta),
    }
}

fn place_detector(
    options: &Options,
    inherited: &Inherited,
    warnings: &mut Vec<String>,
) -> Result<(Detector, DetectorParameters), Failure> {
    let pixel_m = options.pixel_m.or(inherited.pixel_m).unwrap_or(DEFAULT_PIXEL_M);
    let along = |pixels: Option<usize>, inherited: Option<usize>, size_m: Option<f64>, option: &str| {
        extent(pixel_m, pixels.or(inherited), size_m)
            .map_err(|error| Failure::input(format!("{option}: {error}")))
    };
    let (fast_pixels, fast_size_m) =
        along(options.detpixels_f, inherited.fast_pixels, options.detsize_f_m, "-detpixels_x")?;
    let (slow_pixels, slow_size_m) =
        along(options.detpixels_s, inherited.slow_pixels, options.detsize_s_m, "-detpixels_y")?;
    let convention = match &options.convention {
        options::Convention::Mosflm => Convention::Mosflm,
        options::Convention::Xds => Convention::Xds,
        options::Convention::Adxv => Convention::Adxv,
        options::Convention::Denzo => Convention::Denzo,
        options::Convention::Dials => Convention::Dials,
        options::Convention::Custom(axes) => Convention::Custom(custom_axes(axes)),
    };
    let twotheta_rad = options.twotheta_rad.unwrap_or(0.0);
    let parameters = DetectorParameters {
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
        convention,
        pivot: match options.pivot {
            Some(options::Pivot::Sample) => Pivot::Sample,
            Some(options::Pivot::Beam) | None => Pivot::Beam,
        },
        rotation_rad: options.detector_rot_rad,
        twotheta_rad,
        point_pixel: options.point_pixel,
        curved: options.curved_det,
    };
    let detector =
        Detector::new(&parameters).map_err(|error| Failure::input(format!("detector: {error}")))?;
    if detector.normal_replaced {
        let [x, y, z] = unswung_normal(&parameters).to_array();
        warnings
            .push(format!("-odet_vector is not of length 1: replaced by fast x slow, {x:.6} {y:.6} {z:.6}"));
    }
    if detector.close_distance_m.abs() < 1e-6 * detector.distance_m.abs() {
        warnings.push("the beam runs along the detector: no photon reaches it".into());
    }
    let length = detector.twotheta_axis.length();
    if twotheta_rad != 0.0 && (length - 1.0).abs() > 1e-12 {
        warnings.push(format!(
            "-twotheta_axis has length {length:.6}: used as given, as the reference does, which distorts the detector"
        ));
    }
    Ok((detector, parameters))
}

/// The normal before tilts, for the warning that names it.
fn unswung_normal(parameters: &DetectorParameters) -> Vec3 {
    let flat = DetectorParameters { rotation_rad: [0.0; 3], twotheta_rad: 0.0, ..*parameters };
    Detector::new(&flat).map_or(Vec3::default(), |detector| detector.normal)
}

fn orient_crystal(options: &Options, lambda0_m: f64) -> Result<(Crystal, CrystalParameters), Failure> {
    let matrix = match &options.mat {
        Some(path) => Some(read_matrix(path).map_err(|failure| failure.context("-mat"))?),
        None => None,
    };
    let cell = options.cell_angstrom_deg.map(|[a, b, c, alpha, beta, gamma]| UnitCell {
        lengths_angstrom: [a, b, c],
        angles_rad: [alpha, beta, gamma].map(|angle| angle * (core::f64::consts::PI / 180.0)),
    });
    let source = match (matrix, cell) {
        (Some(matrix), Some(cell)) => CellSource::MatrixWithCell(matrix, cell),
        (Some(matrix), None) => CellSource::Matrix(matrix),
        (None, Some(cell)) => CellSource::Cell(cell),
        (None, None) => {
            return Err(Failure::input("no crystal: give -mat FILE or -cell a b c alpha beta gamma"));
        }
    };
    let misset_rad = match options.misset {
        Misset::None => [0.0; 3],
        Misset::Given(angles_rad) => angles_rad,
        Misset::Random => {
            let seed = options.misset_seed_as_typed.or(options.seed_as_typed);
            random_misset(seed.unwrap_or_else(clock_seed))
        }
    };
    let parameters = CrystalParameters { source, lambda0_m, misset_rad };
    let crystal = Crystal::new(&parameters).map_err(|error| match &options.mat {
        Some(path) if error != widebragg::Error::ImpossibleCell => {
            Failure::input(format!("-mat: {}: {error}", path.display()))
        }
        _ => Failure::input(format!("-cell: {error}")),
    })?;
    Ok((crystal, parameters))
}

fn size_crystal(
    options: &Options,
    crystal: &Crystal,
    beamsize_m: f64,
    warnings: &mut Vec<String>,
) -> Lattice {
    let mut size_m = options.sample_m.map(|size| size.unwrap_or(0.0));
    if beamsize_m >= 0.0 {
        // The reference clips across the beam only.
        for (name, size) in ["-sample_y", "-sample_z"].into_iter().zip(size_m.iter_mut().skip(1)) {
            if *size > beamsize_m {
                *size = beamsize_m;
                warnings.push(format!("{name} is clipped to the beam: {} mm", beamsize_m * 1000.0));
            }
        }
    }
    let direct = crystal.direct;
    let mut cells = [0.0; 3];
    let axes = [direct.a_m, direct.b_m, direct.c_m];
    for ((n, axis), (typed, size)) in cells.iter_mut().zip(axes).zip(options.n_cells.into_iter().zip(size_m))
    {
        *n = if size > 0.0 { cells_along(size, axis) } else { typed.unwrap_or(1) as f64 };
    }
    Lattice {
        shape: match options.shape {
            options::Shape::Square => CrystalShape::Square,
            options::Shape::Round => CrystalShape::Round,
            options::Shape::Gauss => CrystalShape::Gauss,
            options::Shape::Tophat => CrystalShape::Tophat,
        },
        cells,
        fudge: options.fudge.unwrap_or(1.0),
        reciprocal_per_angstrom: crystal.reciprocal_per_angstrom,
    }
}

/// Where the dump of the structure factors lies.
fn dump_path(options: &Options) -> PathBuf {
    options.dump.clone().unwrap_or_else(|| PathBuf::from("Fdump.bin"))
}

/// From `-hkl`, or from the dump.
fn structure_factors(options: &Options, warnings: &mut Vec<String>) -> Result<Option<HklTable>, Failure> {
    let dump_path = dump_path(options);
    let default_f = options.default_f.unwrap_or(0.0);
    if let Some(path) = &options.hkl {
        return read_hkl(path, default_f).map(Some).map_err(|failure| failure.context("-hkl"));
    }
    if dump_path.exists() {
        warnings.push(format!("no -hkl: structure factors read from {}", dump_path.display()));
        return dump::read_dump(&dump_path).map(Some).map_err(|failure| failure.context("-dump"));
    }
    if options.dump.is_some() && default_f == 0.0 {
        return Err(Failure::input(format!("-dump: {}: no such file, and no -hkl", dump_path.display())));
    }
    if default_f == 0.0 && options.water_m.unwrap_or(0.0) == 0.0 {
        return Err(Failure::input("no structure factors: give -hkl FILE or -default_F F"));
    }
    Ok(None)
}

fn oversampling(
    options: &Options,
    crystal: &Crystal,
    lattice: &Lattice,
    lambda0_m: f64,
    detector: &Detector,
    warnings: &mut Vec<String>,
) -> Result<Oversample, Failure> {
    let recommended = recommended_oversample(
        crystal.direct,
        lattice.cells,
        lambda0_m,
        detector.distance_m,
        detector.pixel_m,
    );
    let per_axis = match options.oversample {
        Some(n) => n,
        None => recommended.min(1e6) as usize,
    };
    if per_axis.checked_mul(per_axis).is_none() {
        return Err(Failure::input(format!("-oversample {per_axis}: the number of subpixels is too large")));
    }
    if (per_axis as f64) < recommended {
        warnings.push(format!("-oversample {per_axis}: {recommended} or more would resolve the spots"));
    }
    Ok(Oversample {
        per_axis,
        thick: options.oversample_thick,
        polar: options.oversample_polar,
        omega: options.oversample_omega,
    })
}

fn too_many(option: &str) -> impl Fn(widebragg::Error) -> Failure + '_ {
    move |error| Failure::input(format!("{option}: {error}"))
}

fn sources(options: &Options, detector: &Detector, lambda0_m: f64) -> Result<Vec<Source>, Failure> {
    if let Some(path) = &options.sourcefile {
        return sources_from_file(path, detector, lambda0_m);
    }
    let divergence = |count, range, step| {
        axis_steps(Axis::Divergence, StepRequest { count, range, step }).map_err(too_many("-divergence"))
    };
    let grid = SourceGrid {
        hdiv: divergence(options.hdiv_count, options.hdiv_range_rad, options.hdiv_step_rad)?,
        vdiv: divergence(options.vdiv_count, options.vdiv_range_rad, options.vdiv_step_rad)?,
        dispersion: axis_steps(
            Axis::Dispersion,
            StepRequest { count: options.dispersion_count, range: options.dispersion_range, step: None },
        )
        .map_err(too_many("-dispersion"))?,
        round: !options.square_div,
        lambda0_m,
    };
    let needed = grid.sources_len().map_err(too_many("-divergence"))?;
    let mut sources = filled(needed, Source::default())
        .ok_or_else(|| Failure::input(format!("-divergence: no memory for {needed} sources")))?;
    let used = grid.fill(detector, &mut sources).map_err(too_many("-divergence"))?;
    sources.truncate(used);
    if sources.is_empty() {
        return Err(Failure::input("-round_div leaves no source: use more -divsteps or -square_div"));
    }
    Ok(sources)
}

fn sources_from_file(path: &Path, detector: &Detector, lambda0_m: f64) -> Result<Vec<Source>, Failure> {
    let lines = read_sources(path).map_err(|failure| failure.context("-sourcefile"))?;
    let [x0, y0, z0] = (-10.0 * detector.beam).to_array();
    lines
        .iter()
        .map(|line| {
            let [x, y, z] = line.direction;
            let from = Vec3::new(x.unwrap_or(x0), y.unwrap_or(y0), z.unwrap_or(z0));
            Source::new(from, line.lambda_m.unwrap_or(lambda0_m))
                .map_err(|error| Failure::input(format!("-sourcefile: {}: {error}", path.display())))
        })
        .collect()
}

fn mosaic_domains(options: &Options, warnings: &mut Vec<String>) -> Result<Vec<Mat3>, Failure> {
    let spread_rad = options.mosaic_spread_rad.filter(|&spread| spread > 0.0);
    let count = match (options.mosaic_domains, spread_rad) {
        (None, None) => 1,
        (None, Some(_)) => {
            warnings.push("-mosaic without -mosaic_domains: 10 domains used".into());
            10
        }
        (Some(count), Some(_)) => count,
        (Some(count), None) => {
            if count > 1 {
                warnings.push(format!("-mosaic_domains {count} without a -mosaic spread: 1 domain used"));
            }
            1
        }
    };
    let mut domains = filled(count, IDENTITY)
        .ok_or_else(|| Failure::input(format!("-mosaic_domains: no memory for {count} domains")))?;
    if let (Some(spread_rad), true) = (spread_rad, count > 1) {
        let seed = options.mosaic_seed_as_typed.unwrap_or(12_345_678);
        fill_mosaic(spread_rad, seed, &mut domains).map_err(too_many("-mosaic"))?;
    }
    Ok(domains)
}

fn sensor(options: &Options, warnings: &mut Vec<String>) -> Result<Sensor, Failure> {
    if options.detector_abs == Some(Attenuation::NoThickness) {
        return Ok(Sensor::THIN);
    }
    let thickness_m = options.detector_thick_m.unwrap_or(0.0);
    let steps = axis_steps(
        Axis::Thickness,
        StepRequest { count: options.detector_thicksteps, range: options.detector_thick_m, step: None },
    )
    .map_err(too_many("-detector_thicksteps"))?;
    let attenuation_per_m = match options.detector_abs {
        Some(Attenuation::DepthM(depth_m)) => 1.0 / depth_m,
        _ if thickness_m > 0.0 => {
            warnings.push(format!(
                "-detector_thick without -detector_abs: attenuation depth {} um used",
                format_g(thickness_m * 1e6)
            ));
            1.0 / thickness_m
        }
        _ => 0.0,
    };
    Ok(Sensor { layers: steps.count, layer_m: steps.step, attenuation_per_m })
}

fn region(options: &Options, detector: &Detector) -> Result<Roi, Failure> {
    if let Some([fast, slow]) = options.printout_pixel
        && (fast >= detector.fast_pixels || slow >= detector.slow_pixels)
    {
        return Err(Failure::input(format!(
            "-printout_pixel {fast} {slow}: the detector ends at pixel {} {}",
            detector.fast_pixels - 1,
            detector.slow_pixels - 1
        )));
    }
    let Some([fast_min, fast_max, slow_min, slow_max]) = options.roi_px else {
        return Ok(Roi::whole(detector));
    };
    if fast_max >= detector.fast_pixels || slow_max >= detector.slow_pixels {
        return Err(Failure::input(format!(
            "-roi {fast_min} {fast_max} {slow_min} {slow_max}: the detector ends at pixel {} {}",
            detector.fast_pixels - 1,
            detector.slow_pixels - 1
        )));
    }
    Ok(Roi { fast_min, fast_max, slow_min, slow_max })
}

fn checked_mask(
    options: &Options,
    mask: Option<SmvImage>,
    detector: &Detector,
) -> Result<Option<SmvImage>, Failure> {
    if let (Some(mask), Some(path)) = (&mask, &options.mask)
        && (mask.fast, mask.slow) != (detector.fast_pixels, detector.slow_pixels)
    {
        return Err(Failure::input(format!(
            "-mask: {}: {} x {} pixels, the detector has {} x {}",
            path.display(),
            mask.fast,
            mask.slow,
            detector.fast_pixels,
            detector.slow_pixels
        )));
    }
    Ok(mask)
}

fn simd(wanted: options::Simd, warnings: &mut Vec<String>) -> Simd {
    let cap = wanted.cap();
    let simd = Simd::capped(cap);
    if wanted != options::Simd::Auto && simd.level() != cap {
        warnings.push(format!("--simd {cap}: this processor has no {cap}, {} used", simd.level()));
    }
    simd
}
