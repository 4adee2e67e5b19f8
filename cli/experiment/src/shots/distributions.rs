//! What shots are drawn from.

use core::f64::consts::TAU;

use widebragg::lanes::Simd;
use widebragg::noise::counter::{Stage, Stream};
use widebragg::rotation::Mat3;
use widebragg_formats::shot_table::ShotRows;

use crate::failure::{Failure, Part};

/// Most crystals of a shot: more are a mistake, and would take hours.
const MOST_CRYSTALS: usize = 10_000;

/// How many crystals a shot has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Count {
    /// Uniform in this range, both ends included.
    Uniform(usize, usize),
    /// Poisson with this mean.
    Poisson(f64),
}

/// How the crystals of shots are oriented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OrientationRule {
    /// By rotations uniform on SO(3).
    #[default]
    Random,
    /// As the base.
    Given,
}

impl OrientationRule {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Random, Self::Given];

    /// The name of the rule.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Given => "given",
        }
    }
}

/// How shots differ from the base, where no table says it. Spreads are standard deviations; 0: none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distributions {
    /// Orientation of each crystal.
    pub orientation: OrientationRule,
    /// Number of crystals.
    pub crystals: Count,
    /// Spread of the size, as a fraction.
    pub size: f64,
    /// Spread of the cell's edges, as a fraction.
    pub cell: f64,
    /// Spread of the energy, in eV.
    pub energy_ev: f64,
    /// Spread of the fluence, as a fraction.
    pub fluence: f64,
    /// Spread of the detector's place along fast and slow, in m.
    pub shift_m: f64,
}

/// One crystal in a random orientation, and nothing else that differs.
impl Default for Distributions {
    fn default() -> Self {
        Self {
            orientation: OrientationRule::default(),
            crystals: Count::Uniform(1, 1),
            size: 0.0,
            cell: 0.0,
            energy_ev: 0.0,
            fluence: 0.0,
            shift_m: 0.0,
        }
    }
}

impl Distributions {
    pub(super) fn check(&self) -> Result<(), Failure> {
        let Self { crystals, size, cell, energy_ev, fluence, shift_m, .. } = *self;
        let impossible = |what: String| Err(Failure::impossible(Part::Shots, what));
        let spreads = [size, cell, energy_ev, fluence, shift_m];
        if let Some(spread) = spreads.into_iter().find(|spread| !(*spread >= 0.0 && spread.is_finite())) {
            return impossible(format!("a spread of {spread}: spreads are 0 or more"));
        }
        if cell >= 0.2 {
            return impossible(format!(
                "a spread of the cell by {cell} of its edges: some would be negative"
            ));
        }
        match crystals {
            Count::Uniform(least, most) if least > most || most > MOST_CRYSTALS => {
                impossible(format!("{least} to {most} crystals in a shot: at most {MOST_CRYSTALS}"))
            }
            Count::Poisson(mean) if !(mean >= 0.0 && mean <= MOST_CRYSTALS as f64 / 10.0) => {
                impossible(format!("a mean of {mean} crystals in a shot"))
            }
            Count::Uniform(..) | Count::Poisson(_) => Ok(()),
        }
    }

    /// Whether the detector of any shot is moved.
    pub(super) fn moves_detector(&self, table: &[ShotRows]) -> bool {
        self.shift_m > 0.0
            || table.iter().any(|shot| shot.beam.shift_m.is_some_and(|shift| shift != [0.0; 2]))
    }

    /// The number of crystals of a shot.
    pub(super) fn crystals(&self, draws: &Draws) -> usize {
        match self.crystals {
            Count::Uniform(least, most) => {
                let among = (most - least + 1) as f64;
                least + ((among * draws.uniforms::<1>(Quantity::Crystals, 0)[0]) as usize).min(most - least)
            }
            Count::Poisson(mean) => draws.poisson(Quantity::Crystals, mean) as usize,
        }
    }
}

/// A quantity that is drawn. Each has deviates of its own.
#[derive(Debug, Clone, Copy)]
enum Quantity {
    Crystals = 0,
    Orientation = 1,
    Size = 2,
    Cell = 3,
    Energy = 4,
    Fluence = 5,
    Shift = 6,
}

/// The deviates of a shot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draws {
    simd: Simd,
    seed: u64,
    /// Counted from 1.
    pub(super) number: usize,
}

/// The most deviates of one quantity that a crystal needs.
const PER_CRYSTAL: usize = 4;

impl Draws {
    pub(super) fn new(simd: Simd, seed: u64, number: usize) -> Self {
        Self { simd, seed, number }
    }

    fn stream(&self, quantity: Quantity) -> Stream {
        Stream::new(self.seed, Stage::Setting, self.number as u32, quantity as u32)
    }

    fn uniforms<const N: usize>(&self, quantity: Quantity, index: usize) -> [f64; N] {
        let mut deviates = [0.0; N];
        self.stream(quantity).fill_uniform(self.simd, (PER_CRYSTAL * index) as u32, &mut deviates);
        deviates
    }

    fn gauss<const N: usize>(&self, quantity: Quantity, index: usize) -> [f64; N] {
        let mut deviates = [0.0; N];
        self.stream(quantity).fill_gauss(self.simd, (PER_CRYSTAL * index) as u32, &mut deviates);
        deviates
    }

    fn poisson(&self, quantity: Quantity, mean: f64) -> f32 {
        let mut deviate = [mean as f32];
        self.stream(quantity).draw_poisson(self.simd, 0, &mut deviate);
        deviate[0]
    }

    /// A rotation uniform on SO(3): a unit quaternion by K. Shoemake's method (Graphics Gems III, 1992).
    pub(super) fn rotation(&self, index: usize) -> Mat3 {
        let [u, v, w] = self.uniforms(Quantity::Orientation, index);
        let (along, across) = ((1.0 - u).sqrt(), u.sqrt());
        let (x, y) = (along * (TAU * v).sin(), along * (TAU * v).cos());
        let (z, r) = (across * (TAU * w).sin(), across * (TAU * w).cos());
        [
            [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * r), 2.0 * (x * z + y * r)],
            [2.0 * (x * y + z * r), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * r)],
            [2.0 * (x * z - y * r), 2.0 * (y * z + x * r), 1.0 - 2.0 * (x * x + y * y)],
        ]
    }

    /// The factor of the size of a crystal.
    pub(super) fn size_factor(&self, index: usize, spread: f64) -> f64 {
        log_normal(self.gauss::<1>(Quantity::Size, index)[0], spread)
    }

    /// The factors of the edges of a cell, the same for edges of the same length.
    pub(super) fn cell_factors(&self, index: usize, spread: f64, edges: [f64; 3]) -> [f64; 3] {
        let deviates: [f64; 3] = self.gauss(Quantity::Cell, index);
        let is_equal = |one: f64, other: f64| (one / other - 1.0).abs() < 1e-6;
        core::array::from_fn(|axis| {
            let first = (0..axis).find(|&earlier| is_equal(edges[earlier], edges[axis]));
            // Beyond five spreads, which are drawn once in two million times, edges could turn negative.
            1.0 + spread * deviates[first.unwrap_or(axis)].clamp(-4.9, 4.9)
        })
    }

    pub(super) fn energy(&self) -> f64 {
        self.gauss::<1>(Quantity::Energy, 0)[0]
    }

    pub(super) fn fluence_factor(&self, spread: f64) -> f64 {
        log_normal(self.gauss::<1>(Quantity::Fluence, 0)[0], spread)
    }

    pub(super) fn shifts(&self) -> [f64; 2] {
        self.gauss(Quantity::Shift, 0)
    }
}

/// A log-normal factor with the mean 1.
fn log_normal(deviate: f64, spread: f64) -> f64 {
    if spread == 0.0 { 1.0 } else { (spread * deviate - 0.5 * spread * spread).exp() }
}
