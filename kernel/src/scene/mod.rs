//! The scene: everything that an image is computed from, as tables that have been checked.
//!
//! [`SceneParameters`] are plain numbers with defaults; with [`SceneParameters::tables_len`] and
//! [`SceneParameters::fill`] they become a [`Scene`] in two calls. [`SceneParts`] are the tables themselves,
//! for callers that derive them in another way. A scene is immutable and borrows its tables, so threads can
//! share it.

mod carryover_id;
mod extent;
mod parameters;
mod source_runs;

use carryover_id::carryover_id;
use extent::Samples;
pub use extent::{Oversample, Roi, Sensor};
pub use parameters::{
    CrystalInput, DetectorInput, MosaicInput, SceneParameters, SceneTables, SourcesInput, TablesLen,
};

use crate::beam::{Polarization, PolarizationFrame, PolarizedAt, Source, water_background};
use crate::error::require;
use crate::lanes::Simd;
use crate::lattice::{CrystalShape, Crystallite, MIXED_CELLS_LIMIT, Precision};
use crate::math::CELLS_LIMIT;
use crate::panel::Panel;
use crate::render::neglect::Neglect;
use crate::rotation::{Orientation, OrientationTable, PhiMode};
use crate::structure_factor::{HklGrid, LookupRule, StructureFactors};
use crate::{ELECTRON_RADIUS_SQUARED_M2, Error};
pub(crate) use source_runs::SourceRun;
use source_runs::check_source_grids;

/// Everything a scene is made of: derived tables and the numbers beside them.
#[derive(Debug, Clone, Copy)]
pub struct SceneParts<'a> {
    /// The SIMD level to run at.
    pub simd: Simd,
    /// The panel.
    pub panel: Panel,
    /// Subpixels.
    pub oversample: Oversample,
    /// Beam directions and wavelengths, at least one.
    pub sources: &'a [Source],
    /// Weights of the sources in spec, each above 0; `None`: all are alike. In c-parity they have no effect, as
    /// in the reference.
    pub source_weights: Option<&'a [f64]>,
    /// For each source the index of its grid of structure factors, where [`SceneParts::structure_factors`] has several;
    /// `None`: all have the first.
    ///
    /// In c-parity too: all grids have the same box, on which alone the reference's end of interpolation depends.
    pub source_grids: Option<&'a [u32]>,
    /// Crystal orientations.
    pub orientations: OrientationTable<'a>,
    /// Crystal shape and size.
    pub crystallite: Crystallite,
    /// Arithmetic of the lattice factor.
    pub precision: Precision,
    /// Structure factors.
    pub structure_factors: StructureFactors<'a>,
    /// Polarisation; with `None` the polarisation factor is 1.
    pub polarization: Option<Polarization>,
    /// Resolution limit in m: scattering with a smaller d-spacing is skipped. 0: no limit.
    pub d_min_m: f64,
    /// Photons per m^2.
    pub fluence_per_m2: f64,
    /// Thickness of water in the beam, in m.
    pub water_m: f64,
    /// The part of the panel that is rendered.
    pub roi: Roi,
    /// A value for each pixel of the panel, slow-major; pixels with the value 0 are skipped.
    pub mask: Option<&'a [u16]>,
}

/// A scene that has been checked and is ready to render.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    pub(crate) p: SceneParts<'a>,
    /// What every pixel's sum starts from: the water of c-parity.
    pub(crate) background: f64,
    /// The water of spec, in photons per sr.
    pub(crate) water: f64,
    /// What a sum is multiplied by: r_e^2 fluence/steps.
    pub(crate) scale: f64,
    steps: f64,
    /// The mean of the weights of the sources.
    mean_weight: f64,
    /// Polarisation about the first source.
    pub(crate) polarization: Option<PolarizationFrame>,
    /// The steps that are left out, if any.
    pub(crate) neglect: Option<Neglect>,
    /// Whether the crystal is a square one with fractions of cells.
    is_fractional_square: bool,
    carryover_id: u64,
}

/// Subpixels along an axis beyond which their number overflows.
const MOST_SUBPIXELS: f64 = 65_536.0;

/// Part by which lengths may differ that are equal but for rounding.
const ROUNDED: f64 = 1e-9;

/// Indices beyond this would lose the digits that tell reflections apart.
const LARGEST_INDEX: f64 = 1e9;

impl SceneParts<'_> {
    fn check_counts(&self) -> Result<(), Error> {
        let at_least_one = |quantity, count: usize| require(count > 0, quantity, count as f64, "at least 1");
        at_least_one("number of sources", self.sources.len())?;
        if let Some(weights) = self.source_weights {
            let (needed, given) = (self.sources.len(), weights.len());
            if given < needed {
                return Err(Error::BufferTooShort { buffer: "weights of sources", needed, given });
            }
            for &weight in weights {
                require(weight > 0.0, "weight of a source", weight, "above 0")?;
            }
        }
        check_source_grids(self)?;
        at_least_one("oversampling", self.oversample.per_axis)?;
        let per_axis = self.oversample.per_axis as f64;
        require(per_axis <= MOST_SUBPIXELS, "oversampling", per_axis, "65536 or less")?;
        for n in self.crystallite.cells {
            let fits = (1.0..CELLS_LIMIT).contains(&n);
            require(fits, "unit cells along an axis", n, "1 or more and below 67108864")?;
        }
        self.crystallite.check_spots()
    }

    fn check_numbers(&self) -> Result<(), Error> {
        for (quantity, value) in [
            ("fudge", self.crystallite.fudge),
            ("resolution limit in m", self.d_min_m),
            ("fluence in 1/m^2", self.fluence_per_m2),
            ("water thickness in m", self.water_m),
        ] {
            require(value >= 0.0, quantity, value, "0 or more")?;
        }
        require(true, "default F", self.structure_factors.default_f, "finite")?;
        if let Some(polarization) = self.polarization {
            require(true, "Kahn factor", polarization.kahn, "finite")?;
        }
        Ok(())
    }

    /// The largest Miller index: the longest cell edge along each axis times the longest scattering vector.
    fn check_indices(&self) -> Result<(), Error> {
        for source in self.sources {
            require(source.lambda_m > 0.0, "wavelength in m", source.lambda_m, "above 0")?;
            require(source.incident.is_finite(), "source direction", 0.0, "finite")?;
        }
        for index in self.largest_indices() {
            require(index < LARGEST_INDEX, "largest Miller index", index, "below 1e9")?;
        }
        Ok(())
    }

    /// Bounds on |h|, |k| and |l|.
    pub(crate) fn largest_indices(&self) -> [f64; 3] {
        // Nothing guarantees that a caller's incident vectors have length 1.
        let q_per_m = self.sources.iter().map(|source| (1.0 + source.incident.length()) / source.lambda_m);
        let longest_q_per_m = q_per_m.fold(0.0, f64::max);
        self.longest_edges_m().map(|edge_m| libm::ceil(edge_m * longest_q_per_m) + 1.0)
    }

    /// The longest a, b and c of all orientations, in m.
    pub(crate) fn longest_edges_m(&self) -> [f64; 3] {
        let mut longest_m = [0.0f64; 3];
        for entry in self.orientations.entries() {
            for (longest, edge) in longest_m.iter_mut().zip([entry.a_m, entry.b_m, entry.c_m]) {
                *longest = longest.max(edge.length());
            }
        }
        longest_m
    }

    fn check_panel(&self) -> Result<(), Error> {
        let Sensor { layers, layer_m, attenuation_per_m } = self.panel.sensor;
        require(layers > 0, "thickness layers", layers as f64, "at least 1")?;
        require(layer_m >= 0.0, "sensor layer in m", layer_m, "0 or more")?;
        require(attenuation_per_m >= 0.0, "attenuation in 1/m", attenuation_per_m, "0 or more")?;
        self.check_pixels()
    }

    fn check_pixels(&self) -> Result<(), Error> {
        let Roi { fast_min, fast_max, slow_min, slow_max } = self.roi;
        for (low, high, limit) in
            [(fast_min, fast_max, self.panel.fast_pixels), (slow_min, slow_max, self.panel.slow_pixels)]
        {
            if low > high || high >= limit {
                return Err(Error::OutsideDetector { index: low.max(high), limit });
            }
        }
        if let Some(mask) = self.mask {
            let (needed, given) = (self.panel.pixels(), mask.len());
            if given < needed {
                return Err(Error::BufferTooShort { buffer: "mask", needed, given });
            }
        }
        Ok(())
    }
}

impl<'a> Scene<'a> {
    /// The scene of `parts`, after checking them.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for impossible numbers, [`Error::BufferTooShort`] for a mask shorter than the
    /// panel, [`Error::OutsideDetector`] for a region of interest that leaves it.
    pub fn new(mut parts: SceneParts<'a>) -> Result<Self, Error> {
        let mode = parts.orientations.sweep().mode;
        if mode == PhiMode::CParity {
            parts.source_weights = None;
        }
        parts.check_counts()?;
        parts.check_numbers()?;
        parts.check_indices()?;
        parts.check_panel()?;
        let samples = parts.oversample.per_axis as f64 * parts.oversample.per_axis as f64;
        let sources = parts.sources.len() as f64;
        let steps = sources * parts.orientations.entries().len() as f64 * samples;
        let used = parts.source_weights.and_then(|weights| weights.get(..parts.sources.len()));
        let mean_weight = used.map_or(1.0, mean);
        let first = parts.sources.first();
        let water = water_background(parts.fluence_per_m2, parts.water_m);
        let (background, water) = match mode {
            PhiMode::Spec => (0.0, water),
            PhiMode::CParity => (water, 0.0),
        };
        Ok(Self {
            p: parts,
            carryover_id: carryover_id(&parts),
            background,
            water,
            scale: ELECTRON_RADIUS_SQUARED_M2 * parts.fluence_per_m2 / steps,
            steps,
            mean_weight,
            neglect: None,
            is_fractional_square: parts.crystallite.shape == CrystalShape::Square
                && parts.crystallite.is_fractional(),
            polarization: parts.polarization.and_then(|polarization| {
                first.map(|source| PolarizationFrame::new(&polarization, source.incident))
            }),
        })
    }

    /// The panel.
    #[must_use]
    pub fn panel(&self) -> &Panel {
        &self.p.panel
    }

    /// The orientation table.
    #[must_use]
    pub fn orientations(&self) -> &OrientationTable<'a> {
        &self.p.orientations
    }

    /// All parts.
    #[must_use]
    pub fn parts(&self) -> &SceneParts<'a> {
        &self.p
    }

    /// Innermost steps that a pixel's sum is divided by: sources times orientations times subpixels, without
    /// thickness layers.
    #[must_use]
    pub fn steps(&self) -> f64 {
        self.steps
    }

    /// The same scene, without neglected steps, with another lookup rule, such as the latch that [`Scene::find_latch`] found.
    #[must_use]
    pub fn with_lookup(mut self, lookup: LookupRule) -> Self {
        self.p.structure_factors.lookup = lookup;
        self.neglect = None;
        self
    }

    /// Whether captured shares and, with Kahn factors up to 1, polarisation factors lie between 0 and 1: the panel's
    /// normal points away from the sample, and no incident vector is longer than 1.
    pub(crate) fn has_usual_factors(&self) -> bool {
        let longest = self.p.sources.iter().map(|source| source.incident.length()).fold(0.0, f64::max);
        self.foot_distance_m() > 0.0 && longest <= 1.0 + ROUNDED
    }

    /// Distance from the sample to the plane of the panel, in m; below 0 where the normal points to the sample.
    pub(crate) fn foot_distance_m(&self) -> f64 {
        self.p.panel.pix0_m.dot(self.p.panel.normal)
    }

    /// The same scene with another precision of the lattice factor.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.p.precision = precision;
        self
    }

    /// The same scene on another panel of its detector: rows, region of interest and mask are those of the panel. Nothing
    /// is neglected, and interpolation has not ended; the carryover is one of its own.
    ///
    /// # Errors
    /// As [`Scene::new`], for the sensor, the region of interest and the mask.
    ///
    /// ```
    /// # use widebragg::carryover::Carryover;
    /// # use widebragg::crystal::{CellSource, UnitCell};
    /// # use widebragg::panel::Panel;
    /// # use widebragg::rotation::Orientation;
    /// # use widebragg::scene::{Roi, SceneParameters, SceneTables};
    /// # use widebragg::{beam::Source, rotation::IDENTITY};
    /// # let cell = CellSource::Cell(UnitCell::from_degrees([60.0; 3], [90.0; 3]));
    /// # let parameters = SceneParameters { default_f: 100.0, ..SceneParameters::new(cell) };
    /// # let (mut sources, mut domains) = ([Source::default(); 1], [IDENTITY; 1]);
    /// # let mut orientations = [Orientation::default(); 1];
    /// # let tables = SceneTables {
    /// #     sources: &mut sources, source_weights: &mut [], source_grids: &mut [], domains: &mut domains,
    /// #     orientations: &mut orientations,
    /// # };
    /// # let scene = parameters.fill(tables)?;
    /// // The right half of a panel is a panel too.
    /// let whole = *scene.panel();
    /// let half = whole.fast_pixels / 2;
    /// let right = Panel {
    ///     pix0_m: whole.position_m([half as f64, 0.0]),
    ///     fast_pixels: whole.fast_pixels - half,
    ///     ..whole
    /// };
    /// let on_right = scene.on_panel(right, Roi::whole(&right), None)?;
    /// let (mut all, mut part) = (vec![0f64; 1024], vec![0f64; 512]);
    /// scene.render_rows(3..4, &mut all, &mut Carryover::Off)?;
    /// on_right.render_rows(3..4, &mut part, &mut Carryover::Off)?;
    /// let differs = |(a, b): (&f64, &f64)| (a - b).abs() > 1e-9 * a;
    /// assert!(!all[half..].iter().zip(&part).any(differs));
    /// # Ok::<(), widebragg::Error>(())
    /// ```
    pub fn on_panel(mut self, panel: Panel, roi: Roi, mask: Option<&'a [u16]>) -> Result<Self, Error> {
        self.p = SceneParts { panel, roi, mask, ..self.p };
        self.p.check_panel()?;
        if let LookupRule::TricubicUntil(_) = self.p.structure_factors.lookup {
            self.p.structure_factors.lookup = LookupRule::Tricubic;
        }
        self.carryover_id = carryover_id(&self.p);
        self.neglect = None;
        Ok(self)
    }

    /// The same scene, of which only the pixels are rendered that `mask`, which replaces the scene's, does not
    /// skip. They keep their bits: the carryover stays that of this scene, with the slots that were opened for
    /// it.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] for a mask shorter than the panel.
    pub fn with_selection(mut self, mask: &'a [u16]) -> Result<Self, Error> {
        self.p.mask = Some(mask);
        self.p.check_pixels()?;
        Ok(self)
    }

    /// Whether a pixel is inside the region of interest and not masked.
    #[must_use]
    pub fn is_selected(&self, slow: usize, fast: usize) -> bool {
        let Roi { fast_min, fast_max, slow_min, slow_max } = self.p.roi;
        let inside = (fast_min..=fast_max).contains(&fast) && (slow_min..=slow_max).contains(&slow);
        // Inside, the index cannot overflow.
        let index = || slow * self.p.panel.fast_pixels + fast;
        inside && self.p.mask.is_none_or(|mask| mask.get(index()).is_some_and(|&value| value != 0))
    }

    /// Whether defects of the reference are reproduced.
    #[must_use]
    pub fn mode(&self) -> PhiMode {
        self.p.orientations.sweep().mode
    }

    /// The weight of a source, relative to the mean: exactly 1 where all are equal.
    pub(crate) fn weight(&self, source: usize) -> f64 {
        let weight = self.p.source_weights.and_then(|weights| weights.get(source));
        weight.map_or(1.0, |weight| weight / self.mean_weight)
    }

    /// c-parity: with water, the reference also looks up steps whose F_latt is 0, which add nothing but may be out
    /// of the reach of interpolation.
    pub(crate) fn looks_up_dark_steps(&self) -> bool {
        self.mode() == PhiMode::CParity && self.p.water_m > 0.0
    }

    /// c-parity: with `oversample_thick` and no sensor the reference multiplies by the share that a layer of no
    /// thickness captures.
    pub(crate) fn captures_nothing(&self) -> bool {
        self.mode() == PhiMode::CParity && self.p.oversample.thick && self.p.panel.sensor.layer_m == 0.0
    }

    /// c-parity: a pixel whose sources are all beyond the resolution limit never gets a polarisation factor,
    /// and the reference multiplies its background by 0.
    pub(crate) fn darkens_unresolved_pixels(&self) -> bool {
        let kept = self.polarization.is_some() && !self.p.oversample.polar;
        self.mode() == PhiMode::CParity && kept && self.p.d_min_m > 0.0
    }

    /// Whether the carryover can show at all: some sweep begins at phi = 0 in c-parity mode.
    #[must_use]
    pub fn carries(&self) -> bool {
        self.p.orientations.sweep().carried_steps() > 0
    }

    /// A number for everything that the slots of the carryover depend on; 0 where nothing is carried.
    ///
    /// Slots opened for a scene of the same number give the same pixels; slots of another number are refused.
    #[must_use]
    pub fn carryover_id(&self) -> u64 {
        self.carryover_id
    }

    /// The cell vectors that the first phi = 0 step of every sweep but a stream's first one finds.
    pub(crate) fn steady(&self) -> Orientation {
        self.p.orientations.left_behind()
    }

    /// The precision that the lattice factor is evaluated in. Mixed precision is for runs that do not
    /// interpolate, where the interpolation takes most of the time, and for crystals whose sizes its
    /// reduction has bits for.
    pub(crate) fn lattice_precision(&self) -> Precision {
        let interpolates = self.grid().is_some() && self.p.structure_factors.lookup != LookupRule::Nearest;
        let fits = self.p.crystallite.cells.iter().all(|&cells| cells < MIXED_CELLS_LIMIT);
        let reduces = fits && !self.is_fractional_square();
        if interpolates || !reduces { Precision::Double } else { self.p.precision }
    }

    /// Thickness layers and subpixels in the order of the sum: (layer, subpixel along slow, along fast).
    #[inline(always)]
    pub(crate) fn samples(&self) -> Samples {
        Samples::new(self.p.panel.sensor.layers, self.p.oversample.per_axis)
    }

    /// Whether the polarisation factor of a pixel is that of its last contribution, which is not its only one.
    pub(crate) fn polarizes_last(&self) -> bool {
        let several =
            self.p.sources.len() > 1 || self.p.oversample.per_axis > 1 || self.p.panel.sensor.layers > 1;
        several && self.is_polarized_at(PolarizedAt::Last)
    }

    /// Whether the polarisation factor of a pixel is that of its centre, which is not its first contribution.
    pub(crate) fn polarizes_centre(&self) -> bool {
        let differs = self.p.oversample.per_axis > 1 || self.p.d_min_m > 0.0;
        differs && self.is_polarized_at(PolarizedAt::Centre)
    }

    fn is_polarized_at(&self, at: PolarizedAt) -> bool {
        !self.p.oversample.polar && self.p.polarization.is_some_and(|polarization| polarization.at == at)
    }

    /// Whether the crystal is a square one with fractions of cells.
    pub(crate) fn is_fractional_square(&self) -> bool {
        self.is_fractional_square
    }

    pub(crate) fn shape(&self) -> CrystalShape {
        self.p.crystallite.shape
    }

    pub(crate) fn grid(&self) -> Option<HklGrid<'a>> {
        self.p.structure_factors.grid
    }
}

/// The mean of numbers above 0, relative to the largest first, since their sum may be beyond the range of f64.
fn mean(numbers: &[f64]) -> f64 {
    let largest = numbers.iter().copied().fold(0.0, f64::max);
    largest * (numbers.iter().map(|number| number / largest).sum::<f64>() / numbers.len() as f64)
}
