//! The formulas of the render loop as functions of lanes alone: every number of a scene is a lane, too.
//!
//! The loops of [`crate::render`] evaluate these formulas on vectors of pixels, with the scene's numbers in all lanes. A level
//! whose vectors are symbols records them instead, as text for another processor such as a GPU: no formula is written a
//! second time. Numbers come in groups, such as [`CrystalNumbers`]; [`Scene::numbers`], [`Scene::source_numbers`] and others take them from a scene.
//!
//! | formula | gives |
//! |---|---|
//! | [`direction`], [`bent_direction`] | the unit vector to a subpixel, and 1/distance |
//! | [`omega_sr`], [`captured`], [`polarization`] | the factors of a pixel |
//! | [`scattering`], [`is_resolved`] | the scattering vector of a source, and whether it is within the resolution limit |
//! | [`step`] | F_latt F_cell of an orientation |
//! | [`add`], [`add_to_running_sum`], [`add_source`] | sums |
//! | [`water`], [`pixel`] | the pixel |
//!
//! **Masks.** Nothing depends on [`LaneMask::any`](crate::lanes::LaneMask::any) and
//! [`LaneMask::all`](crate::lanes::LaneMask::all) but what is left out: a level may answer "yes" and "no" to all of these.
//! **Special cases.** A pixel with an index that is exactly an integer may be NaN; [`Scene::complete_rows`] evaluates it again.
//!
//! [`Scene::complete_rows`]: crate::scene::Scene::complete_rows
//! [`Scene::numbers`]: crate::scene::Scene::numbers
//! [`Scene::source_numbers`]: crate::scene::Scene::source_numbers

mod numbers;
mod scene_numbers;

pub use numbers::{
    AreaNumbers, BendNumbers, ColumnNumbers, CrystalNumbers, FrameNumbers, GridNumbers, LayerNumbers,
    LimitNumbers, OrientationNumbers, ScaleNumbers, SourceNumbers, StepNumbers,
};
pub use scene_numbers::{PixelRules, RowFormula, SceneNumbers};

use crate::lanes::Lanes;
use crate::lattice::{
    Gauss, GaussKind, Round, RoundKind, ShapeKind, Square, SquareFractional, SquareFractionalKind,
    SquareKind, SquareMixed, SquareMixedKind, SquareThin, SquareThinKind, Tophat, TophatKind,
};
use crate::names::named;
use crate::render::accumulate::{Accumulation, PixelFactors};
use crate::render::geometry::{Direction, LaneVec, Subpixel, scattering_of};
use crate::render::plain::{Step, take_step};
use crate::render::resolution::is_within;
use crate::structure_factor::{Lookup, Nearest, Tricubic};

/// The lattice factor of a step: the shapes of [`CrystalShape`](crate::lattice::CrystalShape), square ones by what they need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LatticeFormula {
    /// A parallelepiped.
    Square,
    /// One that is a single cell thick along some axis.
    SquareThin,
    /// One with fractions of cells.
    SquareFractional,
    /// A parallelepiped in mixed precision.
    SquareMixed,
    /// A sphere.
    Round,
    /// Gaussian spots.
    Gauss,
    /// Spots with a sharp edge.
    Tophat,
}

named!(LatticeFormula, "lattice factor":
    Square = "square", SquareThin = "square_thin", SquareFractional = "square_fractional",
    SquareMixed = "square_mixed", Round = "round", Gauss = "gauss", Tophat = "tophat");

/// How a step finds its structure factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LookupFormula {
    /// The value at the nearest node; default F everywhere without a grid.
    Nearest,
    /// Tricubic interpolation.
    Tricubic,
}

named!(LookupFormula, "lookup": Nearest = "nearest", Tricubic = "tricubic");

/// The formula of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StepFormula {
    /// F_latt.
    pub lattice: LatticeFormula,
    /// F_cell.
    pub lookup: LookupFormula,
}

impl StepFormula {
    /// All that scenes have. Mixed precision does not interpolate.
    pub fn all() -> impl Iterator<Item = Self> {
        let with = |lattice| move |lookup| Self { lattice, lookup };
        let all = LatticeFormula::ALL
            .iter()
            .flat_map(move |&lattice| LookupFormula::ALL.iter().copied().map(with(lattice)));
        all.filter(|formula| {
            *formula != Self { lattice: LatticeFormula::SquareMixed, lookup: LookupFormula::Tricubic }
        })
    }
}

/// A unit vector from the sample, and 1/distance of the panel along it, in 1/m.
#[derive(Debug, Clone, Copy)]
pub struct PixelDirection<F> {
    /// The unit vector.
    pub diffracted: [F; 3],
    /// In 1/m.
    pub per_distance_m: F,
}

/// The factors of a pixel.
#[derive(Debug, Clone, Copy)]
pub struct Factors<F> {
    /// Captured share of the photons.
    pub capture: F,
    /// Polarisation factor.
    pub polarization: F,
    /// Solid angle, in sr.
    pub omega_sr: F,
}

/// What a step gives.
#[derive(Debug, Clone, Copy)]
pub struct StepValue<F> {
    /// |F_latt|.
    pub f_latt: F,
    /// F_latt F_cell.
    pub amplitude: F,
}

impl<F: Lanes> From<Direction<F>> for PixelDirection<F> {
    #[inline(always)]
    fn from(Direction { inverse_distance, diffracted }: Direction<F>) -> Self {
        Self { diffracted: diffracted.into(), per_distance_m: inverse_distance }
    }
}

impl<F: Lanes> From<PixelDirection<F>> for Direction<F> {
    #[inline(always)]
    fn from(PixelDirection { diffracted, per_distance_m }: PixelDirection<F>) -> Self {
        Self { inverse_distance: per_distance_m, diffracted: diffracted.into() }
    }
}

impl<F> From<Factors<F>> for PixelFactors<F> {
    #[inline(always)]
    fn from(Factors { capture, polarization, omega_sr }: Factors<F>) -> Self {
        Self { capture, polarization, omega_sr }
    }
}

/// The direction of subpixels `sub_fast` of the pixels in columns `fast`, on the line through `line_m` along the fast axis.
#[inline(always)]
pub fn direction<F: Lanes>(
    columns: &ColumnNumbers<F>,
    line_m: [F; 3],
    fast: F,
    sub_fast: F,
) -> PixelDirection<F> {
    Subpixel::flat(columns, line_m.into(), fast, sub_fast).direction.into()
}

/// [`direction`] after the panel is bent to a sphere around the sample.
#[inline(always)]
pub fn bent_direction<F: Lanes>(
    columns: &ColumnNumbers<F>,
    sphere: &BendNumbers<F>,
    line_m: [F; 3],
    fast: F,
    sub_fast: F,
) -> PixelDirection<F> {
    Subpixel::flat(columns, line_m.into(), fast, sub_fast).bent(sphere).direction.into()
}

/// The solid angle of a pixel, in sr.
#[inline(always)]
pub fn omega_sr<F: Lanes>(direction: PixelDirection<F>, area: &AreaNumbers<F>) -> F {
    let per_distance_m = direction.per_distance_m;
    let of_area = Direction::from(direction).omega_of_area_sr(area);
    let is_point = area.volume_m3.eq(per_distance_m.splat_like(0.0));
    F::select(is_point, per_distance_m * per_distance_m, of_area)
}

/// The share of the photons that a layer captures.
#[inline(always)]
pub fn captured<F: Lanes>(direction: PixelDirection<F>, layer: &LayerNumbers<F>) -> F {
    Direction::from(direction).captured_in(layer)
}

/// The share of the photons that all layers capture.
#[inline(always)]
pub fn captured_in_all<F: Lanes>(direction: PixelDirection<F>, layers: &LayerNumbers<F>) -> F {
    Direction::from(direction).captured_in_all(layers)
}

/// The polarisation factor.
#[inline(always)]
pub fn polarization<F: Lanes>(direction: PixelDirection<F>, frame: &FrameNumbers<F>) -> F {
    Direction::from(direction).polarized_in(frame)
}

/// The scattering vector q = (d - i)/lambda, in 1/m.
#[inline(always)]
pub fn scattering<F: Lanes>(direction: PixelDirection<F>, source: &SourceNumbers<F>) -> [F; 3] {
    scattering_of(direction.diffracted.into(), source).into()
}

/// Whether 1/|q| is not below the resolution limit; q in 1/m.
#[inline(always)]
pub fn is_resolved<F: Lanes>(q_per_m: [F; 3], limit: &LimitNumbers<F>) -> F::Mask {
    is_within(q_per_m.into(), limit)
}

/// One step: F_latt and F_cell of a scattering vector, in 1/m, for a crystal in an orientation.
///
/// Where interpolation falls back to the nearest node, [`LaneMask::count`](crate::lanes::LaneMask::count) is asked of the lanes
/// that do.
#[inline(always)]
pub fn step<F: Lanes>(
    formula: StepFormula,
    q_per_m: [F; 3],
    orientation: &OrientationNumbers<F>,
    crystal: &CrystalNumbers<F>,
    grid: &GridNumbers<F>,
    numbers: &StepNumbers<F>,
) -> StepValue<F> {
    let hkl = LaneVec::from(q_per_m).indices_in(orientation, numbers.nudge);
    match formula.lookup {
        LookupFormula::Nearest => step_in(formula.lattice, Nearest::elsewhere(grid), hkl, crystal, numbers),
        LookupFormula::Tricubic => step_in(formula.lattice, Tricubic::elsewhere(grid), hkl, crystal, numbers),
    }
}

#[inline(always)]
fn step_in<F: Lanes, K: Lookup<F>>(
    lattice: LatticeFormula,
    mut lookup: K,
    hkl: [F; 3],
    crystal: &CrystalNumbers<F>,
    numbers: &StepNumbers<F>,
) -> StepValue<F> {
    let lookup = &mut lookup;
    match lattice {
        LatticeFormula::Square => step_of::<F, SquareKind, K>(&Square::of(crystal), lookup, hkl, numbers),
        LatticeFormula::SquareThin => {
            step_of::<F, SquareThinKind, K>(&SquareThin::of(crystal), lookup, hkl, numbers)
        }
        LatticeFormula::SquareFractional => {
            step_of::<F, SquareFractionalKind, K>(&SquareFractional::of(crystal), lookup, hkl, numbers)
        }
        LatticeFormula::SquareMixed => {
            step_of::<F, SquareMixedKind, K>(&SquareMixed::of(crystal), lookup, hkl, numbers)
        }
        LatticeFormula::Round => step_of::<F, RoundKind, K>(&Round::of(crystal), lookup, hkl, numbers),
        LatticeFormula::Gauss => step_of::<F, GaussKind, K>(&Gauss::of(crystal), lookup, hkl, numbers),
        LatticeFormula::Tophat => step_of::<F, TophatKind, K>(&Tophat::of(crystal), lookup, hkl, numbers),
    }
}

#[inline(always)]
fn step_of<F: Lanes, Sh: ShapeKind, K: Lookup<F>>(
    shape: &Sh::At<F>,
    lookup: &mut K,
    hkl: [F; 3],
    numbers: &StepNumbers<F>,
) -> StepValue<F> {
    let zero = numbers.skipped.splat_like(0.0);
    let live = zero.eq(zero);
    match take_step::<F, Sh, K>(shape, lookup, hkl, live, numbers.skipped) {
        // This select says that the lookup may be left out where the amplitude is 0 anyway.
        Some(Step { f_latt, active, amplitude }) if Sh::SPARSE => {
            StepValue { f_latt, amplitude: F::select(active, amplitude, zero) }
        }
        Some(Step { f_latt, amplitude, .. }) => StepValue { f_latt, amplitude },
        None => StepValue { f_latt: zero, amplitude: zero },
    }
}

/// A sum after a step of some amplitude.
#[inline(always)]
pub fn add<F: Lanes>(sum: F, amplitude: F) -> F {
    amplitude.mul_add(amplitude, sum)
}

/// A running sum after a step that multiplies it, as those of c-parity do with `oversample_` flags. Factors whose flags are not
/// set are 1.
#[inline(always)]
pub fn add_to_running_sum<F: Lanes>(sum: F, amplitude: F, factors: Factors<F>) -> F {
    Accumulation::RUNNING_SUM.add(sum, amplitude, factors.into())
}

/// The sum of the sources after one whose steps have the sum `of_source`. Factors that do not belong to its steps are 1.
#[inline(always)]
pub fn add_source<F: Lanes>(total: F, of_source: F, source: &SourceNumbers<F>, factors: Factors<F>) -> F {
    of_source.mul_add(Accumulation::TERMS.product(source.weight, factors.into()), total)
}

/// The photons that water scatters into a pixel.
#[inline(always)]
pub fn water<F: Lanes>(scale: &ScaleNumbers<F>, factors: Factors<F>) -> F {
    crate::render::background::water(scale.water, factors.into())
}

/// The pixel that a sum makes, in photons. Factors that belong to the steps are 1.
#[inline(always)]
pub fn pixel<F: Lanes>(scale: &ScaleNumbers<F>, sum: F, factors: Factors<F>, water: F) -> F {
    let (value, _) = Accumulation::FINISHED.finish(scale.scale, sum, factors.into());
    value + water
}
