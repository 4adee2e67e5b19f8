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
