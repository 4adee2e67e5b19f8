//! From plain numbers to a scene, in two calls: how long its tables are, and filling them.
//!
//! Each input is given in one of two ways: as the parameters that it is derived from, or as what another
//! program derived. Tables lie in the caller's slices, so nothing is allocated.

use super::source_runs::require_grid;
use super::{Oversample, Roi, Scene, SceneParts, Sensor};
use crate::Error;
use crate::beam::{Polarization, PolarizedAt, Source, SourceGrid};
use crate::crystal::{CellSource, Crystal, CrystalParameters, recommended_oversample};
use crate::defaults;
use crate::detector::{Detector, DetectorParameters};
use crate::error::require;
use crate::lanes::Simd;
use crate::lattice::{CrystalShape, Crystallite, Precision, SpotModel};
use crate::mosaic::{self, MosaicModel};
use crate::panel::Panel;
use crate::random::fill_mosaic;
use crate::rotation::{
    IDENTITY, Mat3, Orientation, OrientationTable, PhiMode, PhiSweep, fill_orientations, orientations_len,
};
use crate::sampling::{OversampleRequest, Steps};
use crate::structure_factor::{HklGrid, LookupRule, StructureFactors};
use crate::vector::Vec3;

/// The detector, as parameters or as another program placed it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(clippy::large_enum_variant)] // there is no box without an allocator
pub enum DetectorInput {
    /// Convention, beam centre, distance, tilts.
    Parameters(DetectorParameters),
    /// Origin and axes as they are.
    Placed(Detector),
}

impl DetectorInput {
    /// The detector in its place.
    ///
    /// # Errors
    /// As [`Detector::new`].
    pub fn placed(&self, mode: PhiMode) -> Result<Detector, Error> {
        match self {
            Self::Parameters(parameters) => Detector::new(parameters, mode),
            Self::Placed(detector) => Ok(*detector),
        }
    }
}

/// The oriented crystal, as cell or matrix, or as its axes.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(clippy::large_enum_variant)] // there is no box without an allocator
pub enum CrystalInput {
    /// Cell, matrix or both, and a missetting rotation about lab x, y, z in rad.
    Cell {
        /// Cell, matrix or both; the matrix is in units of 1/lambda0.
        source: CellSource,
        /// Missetting rotation about lab x, y, z, in rad.
        misset_rad: [f64; 3],
    },
    /// Axes at phi = 0, used as they are.
    Axes {
        /// a, b, c in m.
        direct: Orientation,
        /// a*, b*, c* in 1/Angstrom.
        reciprocal_per_angstrom: [Vec3; 3],
    },
}

impl From<CellSource> for CrystalInput {
    fn from(source: CellSource) -> Self {
        Self::Cell { source, misset_rad: [0.0; 3] }
    }
}

/// The sources, as a grid of divergence and dispersion, or as a list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SourcesInput<'a> {
    /// A grid about the beam and the central wavelength, see [`SourceGrid`].
    Grid {
        /// Horizontal divergence, in rad.
        hdiv: Steps,
        /// Vertical divergence, in rad.
        vdiv: Steps,
        /// Wavelength spread, as a fraction.
        dispersion: Steps,
        /// Whether the corners of the divergence grid are dropped.
        round: bool,
    },
    /// Directions and wavelengths, copied to the table.
    List(&'a [Source]),
    /// The same with a weight for each, of which only the ratios count. In spec, sources of weight 0 are left
    /// out; in c-parity weights have no effect, as in the reference.
    Weighted {
        /// Directions and wavelengths.
        sources: &'a [Source],
        /// As many weights, of 0 or more, and not all 0.
        weights: &'a [f64],
    },
}

impl<'a> SourcesInput<'a> {
    /// The list of sources, if it is one.
    fn list(self) -> Option<&'a [Source]> {
        match self {
            Self::Grid { .. } => None,
            Self::List(sources) | Self::Weighted { sources, .. } => Some(sources),
        }
    }

    /// The weights that have an effect in `mode`.
    fn weights(self, mode: PhiMode) -> Option<&'a [f64]> {
        match self {
            Self::Weighted { weights, .. } if mode == PhiMode::Spec => Some(weights),
            _ => None,
        }
    }
}

/// Whether the weights that are not 0 differ.
fn differ(weights: &[f64]) -> bool {
    let mut used = weights.iter().filter(|&&weight| weight != 0.0);
    used.next().is_some_and(|first| used.any(|weight| weight != first))
}

/// One source along the beam.
impl Default for SourcesInput<'_> {
    fn default() -> Self {
        Self::Grid { hdiv: Steps::ONE, vdiv: Steps::ONE, dispersion: Steps::ONE, round: true }
    }
}

/// The mosaic domains, as a spread or as a list of rotations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MosaicInput<'a> {
    /// Random rotations; the first domain is not rotated.
    Spread {
        /// Largest rotation, in rad.
        spread_rad: f64,
        /// Number of domains, at least 1.
        domains: usize,
        /// Seed of the random rotations.
        seed: i64,
    },
    /// Rotations whose spread differs with their axis, along a spiral, or in pairs.
    Model {
        /// What they are made from.
        model: MosaicModel,
        /// Number of domains, at least 1, and even where they come in pairs.
        domains: usize,
    },
    /// Rotations, copied to the table.
    List(&'a [Mat3]),
}

/// One domain, without a spread.
impl Default for MosaicInput<'_> {
    fn default() -> Self {
        Self::Spread { spread_rad: 0.0, domains: 1, seed: defaults::MOSAIC_SEED }
    }
}

/// Everything that an image is computed from, as plain numbers.
///
/// [`SceneParameters::new`] has the reference's defaults ([`crate::defaults`]).
#[derive(Debug, Clone, Copy)]
pub struct SceneParameters<'a> {
    /// The SIMD level to run at.
    pub simd: Simd,
    /// The detector.
    pub detector: DetectorInput,
    /// Its sensitive layer.
    pub sensor: Sensor,
    /// Subpixels.
    pub oversample: OversampleRequest,
    /// Central wavelength, in m.
    pub lambda0_m: f64,
    /// Sources of the beam.
    pub sources: SourcesInput<'a>,
    /// Kahn's polarisation factor; with `None` the polarisation factor of a pixel is 1.
    pub kahn: Option<f64>,
    /// The contribution that gives a pixel its polarisation factor.
    pub polarized_at: PolarizedAt,
    /// The oriented crystal.
    pub crystal: CrystalInput,
    /// Shape of the crystal.
    pub shape: CrystalShape,
    /// Unit cells along a, b, c: at least 1, and fractions where the crystal has some.
    pub cells: [f64; 3],
    /// Factor on the size of round, gauss and tophat spots.
    pub fudge: f64,
    /// Width and end of gauss and tophat spots.
    pub spots: SpotModel,
    /// Arithmetic of the lattice factor.
    pub precision: Precision,
    /// Whether the defects of the reference are reproduced.
    pub mode: PhiMode,
    /// First phi, in rad.
    pub phi0_rad: f64,
    /// Step of phi, in rad.
    pub phi_step_rad: f64,
    /// Number of phi steps, at least 1.
    pub phi_steps: usize,
    /// Mosaic domains.
    pub mosaic: MosaicInput<'a>,
    /// Structure factors; with `None` every reflection has `default_f`.
    pub grid: Option<HklGrid<'a>>,
    /// For each source the index of its grid, where `grid` has several; `None`: all have the first. As long as the list
    /// of sources, or for a grid of sources at least as [`TablesLen::sources`] says.
    pub source_grids: Option<&'a [u32]>,
    /// Structure factor of reflections outside the grid.
    pub default_f: f64,
    /// Whether structure factors are interpolated; `None`: as [`defaults::interpolates`] decides.
    pub interpolate: Option<bool>,
    /// Photons per m^2.
    pub fluence_per_m2: f64,
    /// Thickness of water in the beam, in m.
    pub water_m: f64,
    /// Resolution limit in m; 0: no limit.
    pub d_min_m: f64,
    /// The part of the detector that is rendered; `None`: all of it.
    pub roi: Option<Roi>,
    /// A value for each pixel of the detector, slow-major; pixels with the value 0 are skipped.
    pub mask: Option<&'a [u16]>,
}

impl SceneParameters<'_> {
    /// All defaults, for a crystal that has none.
    ///
    /// A still of a crystal of one cell without structure factors, on the default detector.
    #[must_use]
    pub fn new(crystal: impl Into<CrystalInput>) -> Self {
        Self {
            simd: Simd::detect(),
            detector: DetectorInput::Parameters(DetectorParameters::default()),
            sensor: Sensor::default(),
            oversample: OversampleRequest::default(),
            lambda0_m: defaults::LAMBDA_M,
            sources: SourcesInput::default(),
            kahn: Some(defaults::KAHN),
            polarized_at: PolarizedAt::default(),
            crystal: crystal.into(),
            shape: Default::default(),
            cells: [defaults::CELLS; 3],
            fudge: defaults::FUDGE,
            spots: SpotModel::default(),
            precision: Default::default(),
            mode: PhiMode::default(),
            phi0_rad: 0.0,
            phi_step_rad: 0.0,
            phi_steps: 1,
            mosaic: MosaicInput::default(),
            grid: None,
            source_grids: None,
            default_f: defaults::DEFAULT_F,
            interpolate: None,
            fluence_per_m2: defaults::FLUENCE_PER_M2,
            water_m: 0.0,
            d_min_m: 0.0,
            roi: None,
            mask: None,
        }
    }
}

/// How many elements the tables of a scene have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TablesLen {
    /// Sources; a round grid uses fewer.
    pub sources: usize,
    /// Weights of the sources; 0 where all are alike.
    pub source_weights: usize,
    /// Grids of the sources; 0 where all have the first.
    pub source_grids: usize,
    /// Mosaic domains.
    pub domains: usize,
    /// Orientations: phi steps times mosaic domains.
    pub orientations: usize,
}

/// The slices that a scene's tables are filled into, each at least as long as [`TablesLen`] says.
#[derive(Debug)]
pub struct SceneTables<'t> {
    /// Room for the sources.
    pub sources: &'t mut [Source],
    /// Room for their weights.
    pub source_weights: &'t mut [f64],
    /// Room for the indices of their grids.
    pub source_grids: &'t mut [u32],
    /// Room for the mosaic domains.
    pub domains: &'t mut [Mat3],
    /// Room for the orientations.
    pub orientations: &'t mut [Orientation],
}

impl SceneTables<'_> {
    fn check(&self, needed: TablesLen) -> Result<(), Error> {
        for (buffer, needed, given) in [
            ("sources", needed.sources, self.sources.len()),
            ("weights of sources", needed.source_weights, self.source_weights.len()),
            ("grids of sources", needed.source_grids, self.source_grids.len()),
            ("mosaic domains", needed.domains, self.domains.len()),
            ("orientation table", needed.orientations, self.orientations.len()),
        ] {
            if given < needed {
                return Err(Error::BufferTooShort { buffer, needed, given });
            }
        }
        Ok(())
    }
}

/// Detector and crystal, derived from their parameters.
struct Derived {
    detector: Detector,
    direct: Orientation,
    reciprocal_per_angstrom: [Vec3; 3],
}

impl<'a> SceneParameters<'a> {
    /// How long the tables of the scene are.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when a number of elements overflows.
    pub fn tables_len(&self) -> Result<TablesLen, Error> {
        let weights = self.sources.weights(self.mode);
        let sources = match (self.sources.list(), weights) {
            (Some(_), Some(weights)) => weights.iter().filter(|&&weight| weight != 0.0).count(),
            (Some(list), None) => list.len(),
            (None, _) => self.source_grid().map_or(Ok(0), |grid| grid.sources_len())?,
        };
        let source_weights = weights.filter(|weights| differ(weights)).map_or(0, |_| sources);
        let domains = match self.mosaic {
            MosaicInput::List(list) => list.len(),
            MosaicInput::Spread { domains, .. } | MosaicInput::Model { domains, .. } => domains,
        };
        Ok(TablesLen {
            sources,
            source_weights,
            source_grids: self.source_grids.map_or(0, |_| sources),
            domains,
            orientations: orientations_len(self.phi_steps, domains)?,
        })
    }

    /// Checks everything that [`SceneParameters::fill`] checks, except the length of the tables.
    ///
    /// # Errors
    /// As [`SceneParameters::fill`].
    pub fn check(&self) -> Result<(), Error> {
        self.tables_len()?;
        self.check_derived(&self.derive()?)
    }

    /// Fills the tables of the scene and returns it.
    ///
    /// Everything is checked first: where an error is returned, nothing has been written.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] for a table shorter than [`SceneParameters::tables_len`] says, and what
    /// [`Detector::new`], [`Crystal::new`], [`SourceGrid::fill`], [`fill_orientations`] and [`Scene::new`]
    /// refuse.
    pub fn fill<'t>(&self, tables: SceneTables<'t>) -> Result<Scene<'t>, Error>
    where
        'a: 't,
    {
        let needed = self.tables_len()?;
        tables.check(needed)?;
        let derived = self.derive()?;
        self.check_derived(&derived)?;
        let SceneTables { sources, source_weights, source_grids, domains, orientations } = tables;
        let sources = self.fill_sources(&derived.detector, sources)?;
        let source_weights = self.fill_weights(needed.source_weights, source_weights);
        let source_grids = self.fill_source_grids(source_grids);
        let domains = self.fill_domains(derived.direct, needed.domains, domains)?;
        let sweep = self.sweep(&derived.detector);
        let orientations = fill_orientations(derived.direct, sweep, domains, orientations)?;
        let parts = self.parts(&derived, sources, orientations)?;
        Scene::new(SceneParts { source_weights, source_grids, ..parts })
    }

    fn derive(&self) -> Result<Derived, Error> {
        let detector = self.detector.placed(self.mode)?;
        let (direct, reciprocal_per_angstrom) = match self.crystal {
            CrystalInput::Axes { direct, reciprocal_per_angstrom } => (direct, reciprocal_per_angstrom),
            CrystalInput::Cell { source, misset_rad } => {
                let lambda0_m = self.lambda0_m;
                let crystal = Crystal::new(&CrystalParameters { source, lambda0_m, misset_rad })?;
                (crystal.direct, crystal.reciprocal_per_angstrom)
            }
        };
        Ok(Derived { detector, direct, reciprocal_per_angstrom })
    }

    /// Makes the scene with stand-ins for its tables, one entry each, that are refused wherever the tables
    /// would be.
    fn check_derived(&self, derived: &Derived) -> Result<(), Error> {
        let sweep = self.sweep(&derived.detector);
        require(sweep.count > 0, "number of phi steps", sweep.count as f64, "at least 1")?;
        for phi_rad in [sweep.phi0_rad, sweep.step_rad, sweep.phi_rad(sweep.count)] {
            require(true, "phi in rad", phi_rad, "finite")?;
        }
        self.check_mosaic()?;
        self.check_weights()?;
        self.check_source_grids()?;
        let shortest = match self.source_grid() {
            Some(grid) => [grid.check(&derived.detector.frame())?],
            None => [Source::default()],
        };
        let sources = self.sources.list().unwrap_or(&shortest);
        // Domains are rotations to 1e-6: no edge of the real table is longer than this.
        let cell = derived.direct.map(|v| 1.000_01 * v);
        let mut entry = [Orientation::default()];
        let orientations = fill_orientations(cell, PhiSweep { count: 1, ..sweep }, &[IDENTITY], &mut entry)?;
        Scene::new(self.parts(derived, sources, orientations)?).map(|_| ())
    }

    fn check_source_grids(&self) -> Result<(), Error> {
        let Some(grids) = self.source_grids else { return Ok(()) };
        let (given, room) = (grids.len(), self.tables_len()?.sources);
        let needed = self.sources.list().map_or(room, <[_]>::len);
        if given < needed || (given > needed && self.sources.list().is_some()) {
            return Err(Error::BufferTooShort { buffer: "grids of sources", needed, given });
        }
        let count = self.grid.map_or(0, |grid| grid.grids());
        grids.iter().try_for_each(|&grid| require_grid(grid, count))
    }

    fn check_weights(&self) -> Result<(), Error> {
        let SourcesInput::Weighted { sources, weights } = self.sources else { return Ok(()) };
        let (needed, given) = (sources.len(), weights.len());
        if given != needed {
            return Err(Error::BufferTooShort { buffer: "weights of sources", needed, given });
        }
        let Some(weights) = self.sources.weights(self.mode) else { return Ok(()) };
        for &weight in weights {
            require(weight >= 0.0, "weight of a source", weight, "0 or more")?;
        }
        let sum: f64 = weights.iter().sum();
        require(sum > 0.0, "sum of the weights of the sources", sum, "above 0")
    }

    fn check_mosaic(&self) -> Result<(), Error> {
        match self.mosaic {
            MosaicInput::Spread { spread_rad, domains, .. } => {
                require(domains > 0, "number of mosaic domains", domains as f64, "at least 1")?;
                require(true, "mosaic spread in rad", spread_rad, "finite")
            }
            MosaicInput::Model { model, domains } => model.check(domains),
            MosaicInput::List(list) => {
                require(!list.is_empty(), "number of mosaic domains", 0.0, "at least 1")?;
                if list.iter().all(is_rotation) {
                    return Ok(());
                }
                let quantity = "matrix of a mosaic domain";
                Err(Error::OutOfRange { quantity, value: f64::NAN, allowed: "a rotation" })
            }
        }
    }

    fn source_grid(&self) -> Option<SourceGrid> {
        match self.sources {
            SourcesInput::List(_) | SourcesInput::Weighted { .. } => None,
            SourcesInput::Grid { hdiv, vdiv, dispersion, round } => {
                Some(SourceGrid { hdiv, vdiv, dispersion, round, lambda0_m: self.lambda0_m })
            }
        }
    }

    fn fill_sources<'t>(&self, detector: &Detector, table: &'t mut [Source]) -> Result<&'t [Source], Error> {
        let used = match (self.sources.list(), self.sources.weights(self.mode), self.source_grid()) {
            (Some(list), Some(weights), _) => {
                let used = list.iter().zip(weights).filter(|&(_, &weight)| weight != 0.0);
                copy(used.map(|(&source, _)| source), table)
            }
            (Some(list), None, _) => copy(list.iter().copied(), table),
            (None, _, Some(grid)) => grid.fill(&detector.frame(), table)?,
            (None, _, None) => 0,
        };
        Ok(table.get(..used).unwrap_or(&[]))
    }

    /// The weights that are not 0; `None` where none are needed.
    fn fill_weights<'t>(&self, count: usize, table: &'t mut [f64]) -> Option<&'t [f64]> {
        let weights = self.sources.weights(self.mode).filter(|_| count > 0)?;
        let used = copy(weights.iter().copied().filter(|&weight| weight != 0.0), table);
        table.get(..used)
    }

    /// The grids of the sources that are not left out.
    fn fill_source_grids<'t>(&self, table: &'t mut [u32]) -> Option<&'t [u32]> {
        let grids = self.source_grids?.iter().copied();
        let used = match self.sources.weights(self.mode) {
            None => copy(grids, table),
            Some(weights) => {
                let used = grids.zip(weights).filter(|&(_, &weight)| weight != 0.0);
                copy(used.map(|(grid, _)| grid), table)
            }
        };
        table.get(..used)
    }

    fn fill_domains<'t>(
        &self,
        direct: Orientation,
        count: usize,
        table: &'t mut [Mat3],
    ) -> Result<&'t [Mat3], Error> {
        let table = table.get_mut(..count).unwrap_or_default();
        match self.mosaic {
            MosaicInput::List(list) => {
                copy(list.iter().copied(), table);
            }
            MosaicInput::Spread { spread_rad, seed, .. } => fill_mosaic(spread_rad, seed, table)?,
            MosaicInput::Model { model, .. } => mosaic::fill_domains(&model, &direct, table)?,
        }
        Ok(table)
    }

    fn sweep(&self, detector: &Detector) -> PhiSweep {
        PhiSweep {
            phi0_rad: self.phi0_rad,
            step_rad: self.phi_step_rad,
            count: self.phi_steps,
            spindle: detector.spindle,
            mode: self.mode,
        }
    }

    fn oversample(&self, derived: &Derived) -> Result<Oversample, Error> {
        let OversampleRequest { per_axis, thick, polar, omega } = self.oversample;
        let Detector { distance_m, pixel_m, .. } = derived.detector;
        for cells in self.cells {
            require(true, "unit cells along an axis", cells, "finite")?;
        }
        require(true, "wavelength in m", self.lambda0_m, "finite")?;
        let per_axis = per_axis.unwrap_or_else(|| {
            recommended_oversample(derived.direct, self.cells, self.lambda0_m, distance_m, pixel_m) as usize
        });
        Ok(Oversample { per_axis, thick, polar, omega })
    }

    fn parts<'t>(
        &self,
        derived: &Derived,
        sources: &'t [Source],
        orientations: OrientationTable<'t>,
    ) -> Result<SceneParts<'t>, Error>
    where
        'a: 't,
    {
        let interpolate = self.interpolate.unwrap_or_else(|| defaults::interpolates(self.cells));
        let tricubic = interpolate && self.grid.is_some();
        let lookup = if tricubic { LookupRule::Tricubic } else { LookupRule::Nearest };
        let axis = derived.detector.polarization;
        let panel = Panel::new(&derived.detector, self.sensor);
        Ok(SceneParts {
            simd: self.simd,
            panel,
            oversample: self.oversample(derived)?,
            sources,
            source_weights: None,
            source_grids: None,
            orientations,
            crystallite: Crystallite {
                shape: self.shape,
                cells: self.cells,
                fudge: self.fudge,
                reciprocal_per_angstrom: derived.reciprocal_per_angstrom,
                spots: self.spots,
            },
            precision: self.precision,
            structure_factors: StructureFactors { grid: self.grid, default_f: self.default_f, lookup },
            polarization: self.kahn.map(|kahn| Polarization { kahn, axis, at: self.polarized_at }),
            d_min_m: self.d_min_m,
            fluence_per_m2: self.fluence_per_m2,
            water_m: self.water_m,
            roi: self.roi.unwrap_or_else(|| Roi::whole(&panel)),
            mask: self.mask,
        })
    }
}

/// Copies `list` to the start of `table` and returns how many elements there were room for.
fn copy<T>(list: impl Iterator<Item = T>, table: &mut [T]) -> usize {
    table.iter_mut().zip(list).map(|(to, from)| *to = from).count()
}

/// Whether the rows of `u` are orthonormal to 1e-6.
fn is_rotation(u: &Mat3) -> bool {
    let dot = |a: &[f64; 3], b: &[f64; 3]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let [x, y, z] = u;
    let unit = [x, y, z].into_iter().all(|row| (dot(row, row) - 1.0).abs() < 1e-6);
    unit && dot(x, y).abs() < 1e-6 && dot(y, z).abs() < 1e-6 && dot(x, z).abs() < 1e-6
}
