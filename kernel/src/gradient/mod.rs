//! Derivatives of pixels, and of sums over pixels, with respect to the parameters of a scene.
//!
//! **Formulas.** A pixel I is a smooth function of the [`Variables`] v of a scene: cell vectors, detector
//! axes and so on. The render loop accumulates the derivatives dI/dv along with the pixel. It uses closed
//! forms for d(F_latt)/d(h, k, l) of each shape and for the derivative of the interpolation, and stores
//! nothing from step to step. The variables depend on the parameters p that users change ([`Parameter`]); a
//! [`Model`] computes this dependence, and panels move rigidly ([`RigidMotion`]). With a loss L, both directions are
//! available:
//!
//! ```text
//! pullback     dL/dv = sum over pixels of dL/dI dI/dv        then dL/dp = dL/dv . dv/dp
//! pushforward  dI/dp = dI/dv . dv/dp                         an image for each p
//! ```
//!
//! **Source.** Derived for this crate.
//!
//! **Accuracy** (`tests/tests/kernel_gradient.rs`, `cli_gradcheck.rs`). Derivatives agree with finite
//! differences to 1e-6 for every parameter; pullback and pushforward agree to 1e-11.
//!
//! **Special cases.** Where an image is not differentiable, the derivative is that of the branch taken:
//!
//! * the nearest structure factor, also where it replaces an interpolation, does not depend on h, k, l;
//! * a tophat spot is flat inside and outside, so that a derivative with respect to cells is that of its height alone;
//! * the factor of a square crystal is sin(pi N h)/sin(pi h) with a real N, which has a pole at every node but 0 as soon
//!   as N is not whole. Its derivative with respect to a whole N is therefore odd and large about the nodes; at a node
//!   it is that of the node 0;
//! * the numbers of steps and domains are constants, and so are structure factors when the wavelength moves, also
//!   where sources have grids of their own;
//! * a step with phi == 0 that uses the vectors of another step has the derivative of that step, and an
//!   opening sweep that uses the unrotated cell has no derivative with respect to phi.
//!
//! Derivatives of a scene in mixed precision are computed in f64.
//!
//! **Cost and buffers.** The derivatives with respect to the nine components of the cell cost about two
//! forward passes (`benches/ROOFLINE.md`). The caller provides one rotation for each orientation
//! ([`OrientationDerivativeBuffers`]), and 72 bytes more for each of its derivatives that is wanted. No
//! buffer grows with the image. Sums are formed row by row, in order: a caller that adds up rows in order
//! obtains the same bits, whichever thread computed a row.
//!
//! ```
//! use widebragg::carryover::Carryover;
//! use widebragg::crystal::{CellSource, CrystalParameters, UnitCell};
//! use widebragg::detector::DetectorParameters;
//! use widebragg::gradient::{
//!     Model, Moves, OrientationDerivativeBuffers, Parameter, Sums, Wanted, fill_orientation_derivatives,
//! };
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
//! # let (sources, domains, orientations) = (&mut sources[..], &mut domains[..], &mut orientations[..]);
//! # let (source_weights, source_grids) = (&mut [][..], &mut [][..]);
//! # let tables = SceneTables { sources, source_weights, source_grids, domains, orientations };
//! let scene = parameters.fill(tables)?; // tables as in the example of the crate
//!
//! // How the sum of all pixels changes with the missetting about x, and with the distance.
//! let mut rotations = [IDENTITY; 3];
//! let buffers = OrientationDerivativeBuffers {
//!     rotations: &mut rotations,
//!     by_phi0: &mut [],
//!     by_step: &mut [],
//!     by_mosaic: &mut [],
//! };
//! let turns = fill_orientation_derivatives(scene.orientations(), buffers)?;
//! let weights = [1.0; N * N];
//! let mut sums = Sums { wanted: Wanted { cell: true, detector: true, ..Wanted::NONE }, ..Sums::default() };
//! scene.pullback_rows(&turns, 0..N, &weights, &Carryover::Off, &mut sums)?;
//!
//! let crystal = CrystalParameters { source, lambda0_m: parameters.lambda0_m, misset_rad: [0.0; 3] };
//! let SceneParameters { mode, phi_steps, default_f, .. } = parameters;
//! let model = Model::new(crystal, detector, mode, phi_steps, default_f)?;
//! let by_misset = sums.variables.dot(&model.direction(&Moves::default(), Parameter::Misset(0))?); // 1/rad
//! let by_distance = sums.variables.dot(&model.direction(&Moves::default(), Parameter::Distance)?); // 1/m
//! assert!(by_misset != 0.0 && by_distance != 0.0);
//!
//! // The derivative of each pixel with respect to the missetting: an image.
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
mod listed;
mod model;
mod motion;
mod orientation_derivatives;
mod rows;
mod scatter;
mod variables;

pub use listed::LeftOut;
pub use model::{Model, Moves, PARAMETERS, Parameter};
pub use motion::{Motion, MotionFrame, RigidMotion};
pub use orientation_derivatives::{
    OrientationDerivativeBuffers, OrientationDerivatives, fill_orientation_derivatives, rotation_vector,
    scaled_rotation,
};
pub use rows::Sums;
use variables::group;
pub use variables::{VARIABLES, Variables};

/// The groups of variables whose derivatives are computed; the others are 0.
///
/// The derivative with respect to the fluence is always computed, at no cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// With respect to the cell vectors.
    pub cell: bool,
    /// With respect to the reciprocal axes; requires `cell`.
    pub reciprocal: bool,
    /// With respect to the origin, axes and distances of the detector.
    pub detector: bool,
    /// With respect to the wavelengths.
    pub wavelength: bool,
    /// With respect to default_F.
    pub default_f: bool,
    /// With respect to the numbers of cells and the other elements of the N matrix.
    pub cells: bool,
}

impl Wanted {
    /// No derivative but the one with respect to the fluence.
    pub const NONE: Self = Self {
        cell: false,
        reciprocal: false,
        detector: false,
        wavelength: false,
        default_f: false,
        cells: false,
    };
    /// All derivatives.
    pub const ALL: Self =
        Self { cell: true, reciprocal: true, detector: true, wavelength: true, default_f: true, cells: true };

    /// Returns the groups of variables that change along `directions`.
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
            wanted.wavelength |= moves(group::LAMBDA) || moves(group::LAMBDA_SHIFT);
            wanted.default_f |= moves(group::DEFAULT_F);
            wanted.cells |= moves(group::CELLS);
        }
        wanted
    }
}
