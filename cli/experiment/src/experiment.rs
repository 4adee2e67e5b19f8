//! An owned scene: the derived tables, and the scenes of its frames that borrow them.

use std::sync::Arc;

use widebragg::beam::{Polarization, Source, SourceGrid};
use widebragg::crystal::{Crystal, CrystalParameters};
use widebragg::detector::BeamFrame;
use widebragg::lanes::Simd;
use widebragg::lattice::{Crystallite, Precision};
use widebragg::light::LightRule;
use widebragg::random::Ran1;
use widebragg::rotation::{
    Mat3, Orientation, PhiMode, PhiShift, PhiSweep, fill_shifted_orientations, orientations_len,
};
use widebragg::sampling::{OversampleRequest, Steps, phi_steps};
use widebragg::scene::{
    CrystalInput, DetectorInput, MosaicInput, Oversample, Scene, SceneParameters, SceneParts,
};
use widebragg::structure_factor::{LookupRule, StructureFactors};
use widebragg_devices::device::Device;

use crate::background::Background;
use crate::derive::{self, SourceSteps};
use crate::factor_grid::FactorGrid;
use crate::failure::{Failure, Part, refused};
use crate::frame_start::frame_start_rad;
use crate::lattices::{FrameScenes, Lattice, check_weight, on_panels};
use crate::panels::DetectorPanel;
use crate::parameters::{Parameters, PhiSampling};
use crate::tables::{Tables, orientation_buffer};
use crate::warning::Warning;

/// Everything that the images of an experiment are computed from, owned.
///
/// The fields may be changed: each scene checks them anew. Copies share structure factors and mask.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// The SIMD level to run at.
    pub simd: Simd,
    /// The device that renders images; `None`: the processor does. [`Experiment::on_device`] sets it.
    pub device: Option<Arc<Device>>,
    /// The panels that are rendered, at least one.
    pub panels: Vec<DetectorPanel>,
    /// The number of panels of the detector.
    pub panels_in_all: usize,
    /// Directions of beam, polarisation and spindle.
    pub frame: BeamFrame,
    /// Subpixels.
    pub oversample: Oversample,
    /// Central wavelength, in m.
    pub lambda0_m: f64,
    /// Beam directions and wavelengths.
    pub sources: Vec<Source>,
    /// Weights of the sources; `None` where all are alike.
    pub source_weights: Option<Vec<f64>>,
    /// Sources of weight 0, which are not in `sources`: the reference divides by their number as well.
    pub sources_left_out: usize,
    /// The grid that the sources are the points of; `None` where they are a list.
    pub source_grid: Option<SourceGrid>,
    /// Polarisation; with `None` the polarisation factor is 1.
    pub polarization: Option<Polarization>,
    /// Photons per m^2.
    pub fluence_per_m2: f64,
    /// Exposure, in s.
    pub exposure_s: f64,
    /// Thickness of water in the beam, in m.
    pub water_m: f64,
    /// Resolution limit in m; 0: no limit.
    pub d_min_m: f64,
    /// The oriented crystal at phi = 0.
    pub crystal: Crystal,
    /// What it was oriented from.
    pub crystal_input: CrystalInput,
    /// The crystal at phi = 0 in each frame, whose A is the mean of those at the start and at the end of the frame; empty where
    /// all frames have the same.
    pub crystals_at_frames: Vec<Crystal>,
    /// The crystal at phi = 0 at the start of each frame and at the end of the last; empty where all frames have the same.
    pub crystals_at_scan_points: Vec<Crystal>,
    /// Shape, size and reciprocal axes of the crystal.
    pub crystallite: Crystallite,
    /// Factor on the photons of the crystal: 1 unless there are several.
    pub weight: f64,
    /// Crystals beside the first, whose images add to its own.
    pub other_lattices: Vec<Lattice>,
    /// Arithmetic of the lattice factor.
    pub precision: Precision,
    /// Whether images are rendered from lists of their spots.
    pub light: LightRule,
    /// Photons that each pixel of a frame may lack; 0: none.
    pub neglected_photons: f64,
    /// Whether the defects of nanoBragg are reproduced.
    pub mode: PhiMode,
    /// Threads of the reference whose carryover c-parity mode reproduces, at least 1.
    pub reference_threads: usize,
    /// First phi of the first frame, in rad.
    pub phi0_rad: f64,
    /// Sampling of the oscillation of a frame.
    pub phi: Steps,
    /// Where in each step its phi lies.
    pub phi_sampling: PhiSampling,
    /// Rotation of the crystal in addition to phi.
    pub shift: PhiShift,
    /// Mosaic domains.
    pub domains: Vec<Mat3>,
    /// Mosaic spread, in rad; 0 where there is a single domain, a list, or a spread that differs with the axis.
    pub mosaic_spread_rad: f64,
    /// Mosaic spreads about a, b and c, in rad, where they differ.
    pub mosaic_axes_rad: Option<[f64; 3]>,
    /// The random numbers as the draws of the mosaic domains left them.
    pub random: Ran1,
    /// Structure factors.
    pub structure_factors: Option<Arc<FactorGrid>>,
    /// Structure factor of reflections outside the grid.
    pub default_f: f64,
    /// Whether structure factors are interpolated.
    pub interpolate: bool,
    /// What amorphous matter adds to each image.
    pub background: Option<Arc<Background>>,
}

/// What follows from the parameters beside the tables.
struct Derived<'p> {
    panels: Vec<DetectorPanel>,
    frame: BeamFrame,
    crystal: Crystal,
    crystals_at_frames: Vec<Crystal>,
    crystals_at_scan_points: Vec<Crystal>,
    crystallite: Crystallite,
    other_lattices: Vec<Lattice>,
    oversample: Oversample,
    phi: Steps,
    sources: SourceSteps,
    mosaic: MosaicInput<'p>,
    fluence_per_m2: f64,
}

impl<'p> Derived<'p> {
    fn new(parameters: &'p Parameters, warn: &mut dyn FnMut(Warning)) -> Result<Self, Failure> {
        let lambda0_m = parameters.lambda0_m;
        let panels = derive::panels(&parameters.panels, parameters.mode, warn)?;
        let frame = panels[0].detector.frame();
        let crystal = derive::crystal(&parameters.crystal, lambda0_m)?;
        let at_points = parameters.crystals_at_scan_points.iter();
        let crystals_at_scan_points: Vec<Crystal> =
            at_points.map(|input| derive::crystal(input, lambda0_m)).collect::<Result<_, _>>()?;
        let at_frames = crystals_at_scan_points.windows(2);
        let crystals_at_frames =
            at_frames.map(|ends| derive::mean_crystal(ends, lambda0_m)).collect::<Result<_, _>>()?;
        let fluence_per_m2 = derive::fluence(parameters)?;
        let crystallite = derive::crystallite(parameters, &crystal, warn);
        check_weight(parameters.weight)?;
        let others = parameters.other_lattices.iter();
        let other_lattices: Vec<Lattice> =
            others.map(|lattice| Lattice::new(lattice, parameters, warn)).collect::<Result<_, _>>()?;
        let sizes = other_lattices.iter().map(|lattice| (&lattice.crystal, &lattice.crystallite));
        let sizes = core::iter::once((&crystal, &crystallite)).chain(sizes);
        let oversample = derive::oversample(parameters, sizes, &panels, warn)?;
        let mosaic = derive::mosaic(&parameters.mosaic, warn);
        let phi = phi_steps(parameters.phi).map_err(refused(Part::Phi))?;
        let sources = derive::sources(&parameters.sources, &frame, lambda0_m)?;
        derive::warn_of_weights(&sources, parameters.mode, warn);
        Ok(Self {
            panels,
            frame,
            crystal,
            crystals_at_frames,
            crystals_at_scan_points,
            crystallite,
            other_lattices,
            oversample,
            phi,
            sources,
            mosaic,
            fluence_per_m2,
        })
    }

    /// The scene of the first panel and frame, for the kernel to check and to fill the tables of.
    fn scene<'s>(&'s self, parameters: &'s Parameters) -> Result<SceneParameters<'s>, Failure> {
        let Crystal { direct, reciprocal_per_angstrom, .. } = self.crystal;
        let first = &self.panels[0];
        let Oversample { per_axis, thick, polar, omega } = self.oversample;
        let grid = parameters.structure_factors.as_ref().map(FactorGrid::kernel_grid).transpose();
        Ok(SceneParameters {
            simd: parameters.simd,
            detector: DetectorInput::Placed(first.detector),
            sensor: first.sensor,
            oversample: OversampleRequest { per_axis: Some(per_axis), thick, polar, omega },
            lambda0_m: parameters.lambda0_m,
            sources: self.sources.input(),
            kahn: parameters.kahn,
            polarized_at: parameters.polarized_at,
            crystal: CrystalInput::Axes { direct, reciprocal_per_angstrom },
            shape: self.crystallite.shape,
            cells: self.crystallite.cells,
            fudge: self.crystallite.fudge,
            spots: self.crystallite.spots,
            precision: parameters.precision,
            mode: parameters.mode,
            phi0_rad: parameters.phi0_rad,
            phi_step_rad: self.phi.step,
            phi_steps: self.phi.count,
            mosaic: self.mosaic,
            grid: grid.map_err(refused(Part::Scene))?,
            // The sources that are used are not known yet.
            source_grids: None,
            default_f: parameters.default_f,
            interpolate: Some(derive::interpolates(parameters)),
            fluence_per_m2: self.fluence_per_m2,
            water_m: parameters.water_m,
            d_min_m: parameters.d_min_m.max(0.0),
            roi: Some(first.roi),
            mask: first.mask(),
        })
    }
}

impl Experiment {
    /// Derives the tables. `warn` is called for each value that is changed or assumed, even if set-up then fails.
    ///
    /// # Errors
    /// Values that no experiment has, or tables larger than the memory.
    pub fn new(parameters: Parameters, mut warn: impl FnMut(Warning)) -> Result<Self, Failure> {
        let derived = Derived::new(&parameters, &mut warn)?;
        let scene = derived.scene(&parameters)?;
        let d_min_m = scene.d_min_m;
        let mosaic_spread_rad = derive::mosaic_spread_rad(&derived.mosaic);
        let mosaic_axes_rad = derive::mosaic_axes_rad(&derived.mosaic);
        let Tables { sources, source_weights, domains } =
            Tables::new(&scene, &derived.panels[1..], |error| {
                derived.sources.refused_part(&derived.frame, error)
            })?;
        let source_grid = derived.sources.grid();
        let sources_left_out = derived.sources.listed().map_or(0, |listed| listed - sources.len());
        let Derived { panels, frame, crystal, crystals_at_frames, crystals_at_scan_points, .. } = derived;
        let Derived { crystallite, other_lattices, oversample, phi, fluence_per_m2, .. } = derived;
        let axis = frame.polarization;
        let polarization =
            parameters.kahn.map(|kahn| Polarization { kahn, axis, at: parameters.polarized_at });
        if let (Some(polarization), Some(source)) = (&polarization, sources.first()) {
            for panel in &panels {
                derive::check_polarization(polarization, source, &panel.detector)?;
            }
        }
        let experiment = Self {
            simd: parameters.simd,
            device: None,
            panels_in_all: panels.len(),
            panels,
            frame,
            oversample,
            lambda0_m: parameters.lambda0_m,
            sources,
            source_weights,
            sources_left_out,
            source_grid,
            polarization,
            fluence_per_m2,
            exposure_s: parameters.exposure_s,
            water_m: parameters.water_m,
            d_min_m,
            crystal,
            crystal_input: parameters.crystal,
            crystals_at_frames,
            crystals_at_scan_points,
            crystallite,
            weight: parameters.weight,
            other_lattices,
            precision: parameters.precision,
            light: parameters.light,
            neglected_photons: parameters.neglected_photons,
            mode: parameters.mode,
            reference_threads: parameters.reference_threads,
            phi0_rad: parameters.phi0_rad,
            phi,
            phi_sampling: parameters.phi_sampling,
            shift: PhiShift::default(),
            random: derive::random_after(&parameters.mosaic, domains.len()),
            domains,
            mosaic_spread_rad,
            mosaic_axes_rad,
            interpolate: derive::interpolates(&parameters),
            default_f: parameters.default_f,
            structure_factors: parameters.structure_factors.map(Arc::new),
            background: None,
        };
        if experiment.other_lattices.is_empty() && experiment.weight > 0.0 {
            return Ok(experiment);
        }
        experiment.check_lattices()?;
        experiment.with_lattices(experiment.all_lattices().collect())
    }

    /// What the crystal was oriented from; `None` where its axes were given as they are.
    #[must_use]
    pub fn crystal_parameters(&self) -> Option<CrystalParameters> {
        match self.crystal_input {
            CrystalInput::Cell { source, misset_rad } => {
                Some(CrystalParameters { source, misset_rad, lambda0_m: self.lambda0_m })
            }
            CrystalInput::Axes { .. } => None,
        }
    }

    /// The spindle angle at the start of frame `frame`, counted from 0, in rad: the f64 nearest to the decimal
    /// phi0 + `frame` osc in degrees, so that a frame is the single image whose phi is typed.
    #[must_use]
    pub fn frame_phi0_rad(&self, frame: usize) -> f64 {
        frame_start_rad(self.phi0_rad, self.phi.range, frame)
    }

    /// The crystal at phi = 0 of frame `frame`, counted from 0.
    #[must_use]
    pub fn crystal_at_frame(&self, frame: usize) -> &Crystal {
        let at_frames = &self.crystals_at_frames;
        at_frames.get(frame).or(at_frames.last()).unwrap_or(&self.crystal)
    }

    /// The sweep of frame `frame`, counted from 0: phi of step i is phi0 + step (i + offset), where the offset
    /// is that of the sampling.
    #[must_use]
    pub fn sweep(&self, frame: usize) -> PhiSweep {
        PhiSweep {
            phi0_rad: self.frame_phi0_rad(frame) + self.phi.step * self.phi_sampling.offset(),
            step_rad: self.phi.step,
            count: self.phi.count,
            spindle: self.frame.spindle,
            mode: self.mode,
        }
    }

    /// Creates a buffer for the orientations of a frame, those of all lattices.
    ///
    /// # Errors
    /// More orientations than there is memory for.
    pub fn orientation_buffer(&self) -> Result<Vec<Orientation>, Failure> {
        orientation_buffer(self.orientations_len()?)
    }

    /// The scenes of frame `frame`, counted from 0, one for each lattice and panel; `orientations` is as long as
    /// [`Experiment::orientation_buffer`] makes it.
    ///
    /// # Errors
    /// Values that the kernel refuses.
    pub fn scenes<'a>(
        &'a self,
        frame: usize,
        orientations: &'a mut [Orientation],
    ) -> Result<FrameScenes<'a>, Failure> {
        let len = |domains: &[Mat3]| orientations_len(self.phi.count, domains.len());
        let scenes = |orientations: &'a mut [Orientation]| {
            let (own, mut rest) = split(orientations, len(&self.domains)?)?;
            let first = self.first_scene(frame, own)?;
            let mut others = Vec::new();
            for Lattice { crystal, crystallite, domains, weight, .. } in &self.other_lattices {
                let (own, others_left) = split(rest, len(domains)?)?;
                rest = others_left;
                let orientations =
                    fill_shifted_orientations(crystal.direct, self.sweep(frame), self.shift, domains, own)?;
                let parts = SceneParts {
                    orientations,
                    crystallite: *crystallite,
                    fluence_per_m2: weight * self.fluence_per_m2,
                    // The first lattice has it.
                    water_m: 0.0,
                    ..*first.parts()
                };
                others.push(on_panels(Scene::new(parts)?, &self.panels)?);
            }
            Ok(FrameScenes::new(on_panels(first, &self.panels)?, others))
        };
        scenes(orientations).map_err(refused(Part::Scene))
    }

    /// The scene of a panel with the first lattice, as [`Experiment::scenes`] has it.
    ///
    /// # Errors
    /// As [`Experiment::scenes`].
    ///
    /// # Panics
    /// There is no such panel.
    pub fn scene<'a>(
        &'a self,
        panel: usize,
        frame: usize,
        orientations: &'a mut [Orientation],
    ) -> Result<Scene<'a>, Failure> {
        let first = self.first_scene(frame, orientations);
        let panel = &self.panels[panel];
        let scene = first.and_then(|scene| scene.on_panel(panel.panel(), panel.roi, panel.mask()));
        scene.map_err(refused(Part::Scene))
    }

    /// The scene of the first lattice and panel.
    fn first_scene<'a>(
        &'a self,
        frame: usize,
        orientations: &'a mut [Orientation],
    ) -> Result<Scene<'a>, widebragg::Error> {
        let (sweep, crystal) = (self.sweep(frame), self.crystal_at_frame(frame));
        let cell = crystal.direct;
        let crystallite = match self.crystals_at_frames[..] {
            [] => self.crystallite,
            _ => Crystallite { reciprocal_per_angstrom: crystal.reciprocal_per_angstrom, ..self.crystallite },
        };
        let orientations = fill_shifted_orientations(cell, sweep, self.shift, &self.domains, orientations)?;
        let grid = self.structure_factors.as_deref().map(FactorGrid::kernel_grid);
        let lookup = if self.interpolate { LookupRule::Tricubic } else { LookupRule::Nearest };
        let grid = grid.transpose()?;
        let first = self.first_panel();
        Scene::new(SceneParts {
            simd: self.simd,
            panel: first.panel(),
            oversample: self.oversample,
            sources: &self.sources,
            source_weights: self.source_weights.as_deref(),
            source_grids: self.structure_factors.as_deref().and_then(FactorGrid::of_source),
            orientations,
            crystallite,
            precision: self.precision,
            structure_factors: StructureFactors { grid, default_f: self.default_f, lookup },
            polarization: self.polarization,
            d_min_m: self.d_min_m,
            fluence_per_m2: self.weight * self.fluence_per_m2,
            // Water does not depend on the crystal.
            water_m: self.water_m / self.weight,
            roi: first.roi,
            mask: first.mask(),
        })
    }

    /// Innermost steps of one pixel of the first panel, thickness layers included.
    #[must_use]
    pub fn steps_per_pixel(&self) -> f64 {
        let samples = (self.oversample.per_axis as f64).powi(2);
        let domains: usize = self.other_lattices.iter().map(|lattice| lattice.domains.len()).sum();
        let orientations = self.phi.count as f64 * (self.domains.len() + domains) as f64;
        self.sources.len() as f64 * orientations * samples * self.first_panel().sensor.layers as f64
    }
}

/// Splits a buffer after its first `len` entries.
fn split(
    buffer: &mut [Orientation],
    len: usize,
) -> Result<(&mut [Orientation], &mut [Orientation]), widebragg::Error> {
    let given = buffer.len();
    let too_short = widebragg::Error::BufferTooShort { buffer: "orientations", needed: len, given };
    buffer.split_at_mut_checked(len).ok_or(too_short)
}
