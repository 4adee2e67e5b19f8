//! What the benches render: detector rows through the direct beam, in the geometry of the authoritative run.
//!
//! 2463 pixels of 0.172 mm a row, 231.27 mm from the sample, 0.9768 Angstrom; a triclinic crystal of 36 x 47 x 29 cells; a dense
//! grid of synthetic structure factors from -40 to 40. A [`Case`] adds to that what it measures: phi steps, mosaic
//! domains, sources, subpixels, another shape or lookup.
//!
//! The same command line makes the kernel's scene and the scalar oracle's simulation, which share no code.

use std::path::Path;

use widebragg::carryover::Carryover;
use widebragg::lanes::Simd;
use widebragg::lattice::Precision;
use widebragg::render::Scene;
use widebragg_tests::compare::flank_limit;
use widebragg_tests::oracle::input::Grid;
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::scene::KernelScene;

/// Pixels along a row.
pub const COLUMNS: usize = 2463;
/// Rows.
pub const ROWS: usize = 3;

/// Off the middle of the strip: a pixel exactly in the beam would outshine all others.
const BASE: &str = "-cell 26.7 31.3 33.7 88.1 71.9 68.3 -misset 11 23 37 -Na 36 -Nb 47 -Nc 29 -default_F 100 -lambda 0.9768 \
    -flux 1e18 -exposure 1 -beamsize 1 -distance 231.27 -pixel 0.172 -detpixels_f 2463 -detpixels_s 3 -Xbeam 0.31 -Ybeam 212.07 \
    -oversample 1";

/// Ten phi steps from 0 over 0.1 degrees.
const TEN_PHI: &str = "-phi 0 -osc 0.1 -phisteps 10";

/// What stands for F_cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// default_F everywhere.
    Uniform,
    /// The grid, at the nearest node.
    Nearest,
    /// The grid, interpolated.
    Tricubic,
}

/// One kernel of the render loop.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// What it adds to the geometry, as options of the command line.
    pub options: [&'static str; 2],
    /// What stands for F_cell.
    pub lookup: Lookup,
    /// Scales the spots. Those of the gauss and tophat shapes are so sharp for a crystal of this size that no pixel of the
    /// strip would catch one: widened until about one step in a hundred does.
    pub fudge: f64,
}

const fn case(name: &'static str, options: &'static str, lookup: Lookup) -> Case {
    Case { name, options: [TEN_PHI, options], lookup, fudge: 1.0 }
}

const fn still(name: &'static str, options: &'static str, lookup: Lookup) -> Case {
    Case { name, options: ["", options], lookup, fudge: 1.0 }
}

/// The authoritative run's kernel: a square crystal, nearest lookup, ten phi steps.
pub const ROWS_CASE: Case = case("rows", "", Lookup::Nearest);

/// All kernels.
pub const CASES: [Case; 11] = [
    ROWS_CASE,
    case("one-cell-axis", "-Nc 1", Lookup::Nearest),
    case("uniform", "", Lookup::Uniform),
    still(
        "still-uniform",
        "-cell 100 100 100 90 90 90 -misset 0 0 0 -lambda 6.2 -N 10 -Xbeam 1.31",
        Lookup::Uniform,
    ),
    still("domains-50", "-mosaic 0.1 -mosaic_domains 50", Lookup::Nearest),
    still("sources-65", "-hdivrange 1 -hdivsteps 13 -vdivrange 1 -vdivsteps 5 -square_div", Lookup::Nearest),
    still("oversample-4", "-oversample 4", Lookup::Nearest),
    case("tricubic", "", Lookup::Tricubic),
    case("round", "-round_xtal", Lookup::Nearest),
    Case { fudge: 1e-5, ..case("gauss", "-gauss_xtal", Lookup::Nearest) },
    Case { fudge: 1e-5, ..case("tophat", "-tophat_spots", Lookup::Nearest) },
];

/// Largest index of the grid on each axis.
const LARGEST_INDEX: i64 = 40;

impl Case {
    /// The scalar oracle of this case.
    ///
    /// # Errors
    /// One line that names what the oracle refuses; nothing here should be.
    pub fn oracle(&self) -> Result<Simulation, String> {
        let [first, second] = self.options;
        let args: Vec<String> =
            [BASE, first, second].join(" ").split_whitespace().map(str::to_owned).collect();
        let mut simulation = Simulation::from_args(&args, Path::new(env!("CARGO_MANIFEST_DIR")))?;
        simulation.fudge = self.fudge;
        simulation.grid = (self.lookup != Lookup::Uniform).then(|| Grid {
            min: [-LARGEST_INDEX; 3],
            range: [2 * LARGEST_INDEX + 1; 3],
            F: synthetic_grid(),
        });
        simulation.interpolate = self.lookup == Lookup::Tricubic;
        Ok(simulation)
    }

    /// The precisions there are for it: mixed is that of square crystals.
    #[must_use]
    pub fn precisions(&self) -> &'static [Precision] {
        let square = !matches!(self.name, "tricubic" | "round" | "gauss" | "tophat");
        if square { &[Precision::Double, Precision::Mixed] } else { &[Precision::Double] }
    }
}

/// Innermost steps of the strip.
#[must_use]
pub fn steps(simulation: &Simulation) -> u64 {
    let per_pixel = simulation.sources.len()
        * simulation.phi.len()
        * simulation.crystal.mosaic.len()
        * simulation.oversample
        * simulation.oversample;
    (COLUMNS * ROWS * per_pixel) as u64
}

/// Structure factors from 10 to 1000 that look random and are the same everywhere; F(000) is 0.
fn synthetic_grid() -> Vec<f64> {
    let indices = -LARGEST_INDEX..=LARGEST_INDEX;
    let mut grid = Vec::with_capacity(indices.clone().count().pow(3));
    for h in indices.clone() {
        for k in indices.clone() {
            for l in indices.clone() {
                let mixed = [h, k, l].into_iter().fold(0x9E37_79B9_u32, |state, index| {
                    (state ^ (index as i32).cast_unsigned()).wrapping_mul(0x85EB_CA6B).rotate_left(13)
                });
                let f = 10.0 + f64::from(mixed % 991);
                grid.push(if (h, k, l) == (0, 0, 0) { 0.0 } else { f });
            }
        }
    }
    grid
}

/// The kernel's scene of a simulation, lent to `job`.
///
/// # Errors
/// What the kernel refuses; nothing here should be.
pub fn with_scene<R>(
    simulation: &Simulation,
    simd: Simd,
    precision: Precision,
    job: impl FnOnce(&Scene<'_>) -> R,
) -> Result<R, String> {
    let scene = KernelScene::from_simulation(simulation, simd, Mode::Spec);
    let result = scene.with(1, |scene, _| job(&scene.with_precision(precision)));
    result.map_err(|error| error.to_string())
}

/// Renders the strip into `pixels`.
///
/// # Errors
/// What the kernel refuses; nothing here should be.
pub fn render(scene: &Scene<'_>, pixels: &mut [f32]) -> Result<(), widebragg::Error> {
    scene.render_rows(0..ROWS, pixels, &mut Carryover::Off).map(|_| ())
}

/// What a bench asks before it times anything: whether the kernel's pixels are the oracle's, to the bound that the tests have for a
/// crystal of this size ([`flank_limit`]; a crystal with one cell along an axis has no pixel as bright as the others' nodes); in mixed
/// precision to 1e-5 of each that is above 1e-6 of the largest.
///
/// # Errors
/// The worst pixel.
pub fn check(
    simulation: &Simulation,
    scene: &Scene<'_>,
    precision: Precision,
    expected: &[f64],
) -> Result<(), String> {
    let limit = flank_limit(simulation);
    let mut pixels = vec![0f64; COLUMNS * ROWS];
    let report = scene.render_rows(0..ROWS, &mut pixels, &mut Carryover::Off);
    report.map_err(|error| error.to_string())?;
    let largest = expected.iter().fold(0.0, |largest: f64, &value| largest.max(value));
    let off = |(&pixel, &expected): (&f64, &f64)| match precision {
        Precision::Double => (pixel - expected).abs() / (limit * largest),
        Precision::Mixed if expected > 1e-6 * largest => (pixel - expected).abs() / (1e-5 * expected),
        Precision::Mixed => 0.0,
    };
    let worst = pixels.iter().zip(expected).map(off).fold(0.0, f64::max);
    // A NaN is lost in a maximum: ask for the good case.
    let finite = pixels.iter().all(|pixel| pixel.is_finite());
    if finite && largest > 0.0 && worst <= 1.0 {
        Ok(())
    } else {
        Err(format!("a pixel is {worst} times as far from the oracle's as it may be"))
    }
}
