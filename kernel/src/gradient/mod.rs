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
//! use widebragg::carryover::Carryover;
//! use widebragg::crystal::{CellSource, CrystalParameters, UnitCell};
//! use widebragg::detector::DetectorParameters;
//! use widebragg::gradient::{Model, Moves, Parameter, Sums, TurnBuffers, Wanted, fill_turns};
//! use widebragg::rotation::IDENTITY;
//! use widebragg::scene::{DetectorInput, SceneParameters};
//! # use widebragg::{beam::Source, defaults, rotation::Orientation, scene::SceneTables};
//!
//! # fn main() -> Result<(), widebragg::Error> {
//! const N: usize = 24;
//! let size_m = N as f64 * 1e-4;
//! let detector = DetectorParameters {
//!     fast_pixels: N,
//!     slow_pixels: N,
//!     fast_size_m: size_m,
//!     slow_size_m: size_m,
//!     ..DetectorParameters::default()
//! };
//! let source = CellSource::Cell(UnitCell::from_degrees([50.0, 60.0, 70.0], [90.0, 95.0, 100.0]));
//! let parameters = SceneParameters {
//!     detector: DetectorInput::Parameters(detector),
//!     phi0_rad: 0.1,
//!     phi_step_rad: 1e-3,
//!     phi_steps: 3,
//!     cells: [9.0; 3],
//!     default_f: 100.0,
//!     ..SceneParameters::new(source)
//! };
//! # let len = parameters.tables_len()?;
//! # let mut sources = vec![Source::default(); len.sources];
//! # let mut domains = vec![IDENTITY; len.domains];
//! # let mut orientations = vec![Orientation::default(); len.orientations];
//! # let tables = SceneTables { sources: &mut sources, domains: &mut domains, orientations: &mut orientations };
//! let scene = parameters.fill(tables)?; // tables as in the example of the crate
//!
//! // How the sum of all pixels changes with the missetting about x, and with the distance.
//! let mut rotations = [IDENTITY; 3];
//! let buffers =
//!     TurnBuffers { rotations: &mut rotations, by_phi0: &mut [], by_step: &mut [], by_mosaic: &mut [] };
//! let turns = fill_turns(scene.orientations(), buffers)?;
//! let weights = [1.0; N * N];
//! let mut sums = Sums { wanted: Wanted { cell: true, detector: true, ..Wanted::NONE }, ..Sums::default() };
//! scene.pullback_rows(&turns, 0..N, &weights, &Carryover::Off, &mut sums)?;
//!
//! let crystal = CrystalParameters { source, lambda0_m: parameters.lambda0_m, misset_rad: [0.0; 3] };
//! let model = Model::new(crystal, detector, parameters.phi_steps, parameters.default_f)?;
//! let by_misset = sums.variables.dot(&model.direction(&Moves::default(), Parameter::Misset(0))?); // 1/rad
//! let by_distance = sums.variables.dot(&model.direction(&Moves::default(), Parameter::Distance)?); // 1/m
//! assert!(by_misset != 0.0 && by_distance != 0.0);
//!
//! // The derivative of each pixel by the missetting: an image.
//! let mut image = [0.0; N * N];
//! let direction = model.direction(&Moves::default(), Parameter::Misset(0))?;
//! scene.pushforward_rows(&turns, 0..N, &[direction], &Carryover::Off, &mut image)?;
//! let size = image.iter().map(|x| x.abs()).sum::<f64>();
//! assert!((image.iter().sum::<f64>() - by_misset).abs() < 1e-9 * size);
//! # Ok(())
//! # }
//! ```

mod detector_derivatives;
mod jacobian;
mod model;
mod rows;
mod scatter;
mod turns;
mod variables;

pub use model::{Model, Moves, PARAMETERS, Parameter};
pub use rows::Sums;
pub use turns::{TurnBuffers, TurnTable, fill_turns, rotation_vector, scaled_rotation};
use variables::group;
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
            wanted.cell |= moves(group::CELL) || moves(group::RECIPROCAL);
            wanted.reciprocal |= moves(group::RECIPROCAL);
            wanted.detector |= moves(group::DETECTOR);
            wanted.wavelength |= moves(group::LAMBDA);
            wanted.default_f |= moves(group::DEFAULT_F);
        }
        wanted
    }
}
