//! Derivatives through the loop: what pixels, or a sum over them, change by when the scene moves.
//!
//! **Formulas.** A pixel I is a smooth function of the scene's [`Variables`] v: cell vectors, axes of the detector and so on. Its
//! derivatives dI/dv are taken along as the loop goes through the pixel, from closed forms of d(F_latt)/d(h, k, l) for each shape
//! and of the interpolation's own; nothing is kept from step to step. What users move ([`Parameter`]) moves the variables;
//! [`Model`] tells how. So there are both directions:
//!
//! ```text
//! pullback     dL/dv = sum over pixels of dL/dI dI/dv        then dL/dp = dL/dv . dv/dp
//! pushforward  dI/dp = dI/dv . dv/dp                          an image for each p
//! ```
//!
//! **Branches.** Where an image is not differentiable the derivative is that of the branch taken: of the nearest structure factor, of
//! a tophat's inside or outside, of the counts of cells, steps and domains as they are, of the interpolation or what stands in
//! for it, of phi == 0 as the carryover has it: a step that sees the vectors of another moves with that one, an opening sweep that
//! sees the unrotated cell not at all with phi. Mixed precision has no derivatives of its own: they are computed in f64.
//!
//! **Source.** Own derivation. **Accuracy** (`tests/tests/kernel_gradient.rs`, `cli_gradcheck.rs`): 1e-6 of finite differences for every
//! parameter; pullback and pushforward agree to 1e-11.
//!
//! **Cost.** The nine components of the cell about twice a forward pass; see `benches/ROOFLINE.md`. **Buffers**: a
//! rotation for each orientation ([`TurnBuffers`]), and 72 bytes more where its derivatives are wanted; nothing grows with the image.
//! Sums are made row by row, in order: whoever adds up rows in order has the same bits whatever computed them.
//!
//! ```
//! use widebragg::gradient::{Model, Moves, Parameter, Sums, TurnBuffers, Wanted, fill_turns};
//! # use widebragg::{*, beam::*, carryover::Carryover, crystal::*, detector::*, lanes::*, lattice::*, render::*, rotation::*, structure_factor::*};
//! # fn main() -> Result<(), Error> {
//! # let (lambda0_m, size) = (1e-10, 24);
//! # let detector_parameters = DetectorParameters {
//! #     pixel_m: 2e-4, fast_pixels: size, slow_pixels: size, fast_size_m: 2e-4 * size as f64, slow_size_m: 2e-4 * size as f64,
//! #     distance_m: Some(0.1), close_distance_m: None, x_beam_m: None, y_beam_m: None, x_close_m: None, y_close_m: None,
//! #     org_x_px: None, org_y_px: None, convention: Convention::Mosflm, pivot: Pivot::Beam, rotation_rad: [0.0; 3],
//! #     twotheta_rad: 0.0, point_pixel: false, curved: false };
//! # let detector = Detector::new(&detector_parameters)?;
//! # let cell = UnitCell { lengths_angstrom: [50.0, 60.0, 70.0], angles_rad: [1.5, 1.6, 1.7] };
//! # let crystal_parameters = CrystalParameters { source: CellSource::Cell(cell), lambda0_m, misset_rad: [0.1, 0.2, 0.3] };
//! # let crystal = Crystal::new(&crystal_parameters)?;
//! # let sources = [Source::new(-detector.beam, lambda0_m)?];
//! # let sweep = PhiSweep { phi0_rad: 0.1, step_rad: 1e-3, count: 3, spindle: detector.spindle, mode: PhiMode::Spec };
//! # let domains = [IDENTITY];
//! # let mut entries = [Orientation::default(); 3];
//! # let orientations = fill_orientations(crystal.direct, sweep, &domains, &mut entries)?;
//! // `scene` is a 24 x 24 detector and three phi steps, made from `crystal_parameters` and `detector_parameters`.
//! # let scene = Scene::new(SceneParts {
//! #     simd: Simd::detect(), detector, sensor: Sensor::THIN, oversample: Oversample::NONE, sources: &sources, orientations,
//! #     lattice: Lattice { shape: CrystalShape::Square, cells: [9.0; 3], fudge: 1.0, reciprocal_per_angstrom: crystal.reciprocal_per_angstrom },
//! #     precision: Precision::Double,
//! #     structure_factors: StructureFactors { grid: None, default_f: 100.0, lookup: LookupRule::Nearest },
//! #     polarization: None, d_min_m: 0.0, fluence_per_m2: 1e24, water_m: 0.0, roi: Roi::whole(&detector), mask: None })?;
//! // How the sum of all pixels changes with the missetting about x, and with the distance.
//! let mut rotations = [IDENTITY; 3];
//! let buffers = TurnBuffers { rotations: &mut rotations, by_phi0: &mut [], by_step: &mut [], by_mosaic: &mut [] };
//! let turns = fill_turns(scene.orientations(), buffers)?;
//! let weights = [1.0; 24 * 24];
//! let mut sums = Sums { wanted: Wanted { cell: true, detector: true, ..Wanted::NONE }, ..Sums::default() };
//! scene.pullback_rows(&turns, 0..24, &weights, &Carryover::Off, &mut sums)?;
//!
//! let model = Model::new(crystal_parameters, detector_parameters, 3, 100.0)?;
//! let by_misset = sums.variables.dot(&model.direction(&Moves::default(), Parameter::Misset(0))?); // 1/rad
//! let by_distance = sums.variables.dot(&model.direction(&Moves::default(), Parameter::Distance)?); // 1/m
//! assert!(by_misset != 0.0 && by_distance != 0.0);
//!
//! // The same pixel by pixel: an image.
//! let mut image = [0.0; 24 * 24];
//! let direction = model.direction(&Moves::default(), Parameter::Misset(0))?;
//! scene.pushforward_rows(&turns, 0..24, &[direction], &Carryover::Off, &mut image)?;
//! assert!((image.iter().sum::<f64>() - by_misset).abs() < 1e-9 * image.iter().map(|x| x.abs()).sum::<f64>());
//! # Ok(())
//! # }
//! ```

mod jacobian;
mod model;
mod rows;
mod turns;
mod variables;

pub use model::{Model, Moves, PARAMETERS, Parameter};
pub use rows::Sums;
pub use turns::{TurnBuffers, TurnTable, fill_turns, rotation_vector, scaled_rotation};
pub use variables::{VARIABLES, Variables};

/// Which derivatives are computed; the rest stay 0. That by the fluence costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// By the cell vectors.
    pub cell: bool,
    /// By the reciprocal axes; needs the cell.
    pub reciprocal: bool,
    /// By origin, axes and distances of the detector.
    pub detector: bool,
    /// By the wavelengths.
    pub wavelength: bool,
    /// By default_F.
    pub default_f: bool,
}

impl Wanted {
    /// No derivative but that by the fluence.
    pub const NONE: Self =
        Self { cell: false, reciprocal: false, detector: false, wavelength: false, default_f: false };
    /// All derivatives by variables.
    pub const ALL: Self =
        Self { cell: true, reciprocal: true, detector: true, wavelength: true, default_f: true };

    /// All that moves along `directions`.
    #[must_use]
    pub fn along<'v>(directions: impl IntoIterator<Item = &'v Variables>) -> Self {
        let mut wanted = Self::default();
        for direction in directions {
            let moves = |range: core::ops::Range<usize>| {
                direction.to_array().get(range).is_some_and(|part| part.iter().any(|&x| x != 0.0))
            };
            wanted.cell |= moves(0..18);
            wanted.reciprocal |= moves(9..18);
            wanted.detector |= moves(18..32);
            wanted.wavelength |= moves(35..36);
            wanted.default_f |= moves(37..38);
        }
        wanted
    }
}
