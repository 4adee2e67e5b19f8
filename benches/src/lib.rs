//! The scenes of the benches: detector rows through the direct beam, in the geometry of the authoritative
//! run.
//!
//! A row has 2463 pixels of 0.172 mm at 231.27 mm from the sample, with a wavelength of 0.9768 Angstrom. The
//! crystal is triclinic and has 36 x 47 x 29 cells. The synthetic structure factors form a dense grid with
//! indices from -40 to 40. A [`Case`] adds what it measures: phi steps, mosaic domains, sources, subpixels,
//! another shape or lookup.
//!
//! The same command line gives the kernel's scene and the scalar oracle's simulation, which share no code.

pub mod thread_time;
pub mod turns;

use std::path::Path;

use widebragg::carryover::Carryover;
use widebragg::lanes::Simd;
use widebragg::lattice::Precision;
use widebragg::render::Scene;
use widebragg_tests::compare::flank_limit;
use widebragg_tests::oracle::input::Grid;
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::scene::KernelScene;

/// Number of pixels in a row.
pub const COLUMNS: usize = 2463;
/// Number of rows.
pub const ROWS: usize = 3;

/// Options of all cases. The beam is not at the middle of the strip, because a pixel exactly in the beam
/// would be brighter than all others together.
const BASE: &str = "-cell 26.7 31.3 33.7 88.1 71.9 68.3 -misset 11 23 37 -Na 36 -Nb 47 -Nc 29 -default_F 100 -lambda 0.9768 \
    -flux 1e18 -exposure 1 -beamsize 1 -distance 231.27 -pixel 0.172 -detpixels_f 2463 -detpixels_s 3 -Xbeam 0.31 -Ybeam 212.07 \
    -oversample 1";

/// Ten phi steps from 0 over 0.1 degrees.
const TEN_PHI: &str = "-phi 0 -osc 0.1 -phisteps 10";

/// The source of F_cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// default_F everywhere.
    Uniform,
    /// The nearest node of the grid.
    Nearest,
    /// Tricubic interpolation in the grid.
    Tricubic,
}

/// A case: the scene for one kernel of the render loop.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Name of the case.
    pub name: &'static str,
    /// Command-line options that are added to the geometry.
    pub options: [&'static str; 2],
    /// The source of F_cell.
    pub lookup: Lookup,
    /// Scales the width of the spots. With 1, gauss and tophat spots are so sharp for a crystal of this size
    /// that no pixel would show one; their cases widen them until about one step in a hundred contributes.
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

/// All cases.
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

/// Thirty-two wavelengths over 2 %, for grids of structure factors of their own.
pub const ENERGIES_CASE: Case = still("energies-32", "-dispersion 2 -dispsteps 32", Lookup::Nearest);

/// The scene of [`ENERGIES_CASE`] with `count` grids, each for as many wavelengths that follow each other.
///
/// # Errors
/// When the oracle refuses the command line, which is a fault of the bench.
pub fn with_channels(count: usize, simd: Simd) -> Result<KernelScene, String> {
    let mut scene = KernelScene::from_simulation(&ENERGIES_CASE.oracle()?, simd, Mode::Spec);
    let sources = scene.sources.len();
    if let Some(grid) = &mut scene.grid {
        grid.data = grid.data.repeat(count);
        grid.of_source = Some((0..sources).map(|source| (source * count / sources) as u32).collect());
    }
    Ok(scene)
}

/// Largest index of the grid along each axis.
const LARGEST_INDEX: i64 = 40;

impl Case {
    /// The scalar oracle of this case.
    ///
    /// # Errors
    /// When the oracle refuses the command line, which is a fault of the bench.
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

    /// The precisions of the case: mixed precision exists for square crystals with the nearest lookup.
    #[must_use]
    pub fn precisions(&self) -> &'static [Precision] {
        let square = !matches!(self.name, "tricubic" | "round" | "gauss" | "tophat");
        if square { &[Precision::Double, Precision::Mixed] } else { &[Precision::Double] }
    }
}

/// Number of innermost steps of the strip.
#[must_use]
pub fn steps(simulation: &Simulation) -> u64 {
    let per_pixel = simulation.sources.len()
        * simulation.phi.len()
        * simulation.crystal.mosaic.len()
        * simulation.oversample
        * simulation.oversample;
    (COLUMNS * ROWS * per_pixel) as u64
}

/// Reproducible pseudo-random structure factors from 10 to 1000; F(000) is 0.
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

/// Calls `job` with the kernel's scene of a simulation.
///
/// # Errors
/// When the kernel refuses the scene, which is a fault of the bench.
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
/// When the kernel refuses the scene, which is a fault of the bench.
pub fn render(scene: &Scene<'_>, pixels: &mut [f32]) -> Result<(), widebragg::Error> {
    scene.render_rows(0..ROWS, pixels, &mut Carryover::Off).map(|_| ())
}

/// Checks the kernel's pixels before they are timed. In f64 they must agree with the oracle's to the bound of
/// the tests for a crystal of this size, [`flank_limit`] (a crystal with one cell along an axis has no pixel
/// as bright as those of the other cases). In mixed precision every pixel above 1e-6 of the largest must
/// agree to 1e-5.
///
/// # Errors
/// When a pixel is too far from the oracle's.
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
    // `f64::max` ignores NaN, so NaN is tested for separately.
    let finite = pixels.iter().all(|pixel| pixel.is_finite());
    if finite && largest > 0.0 && worst <= 1.0 {
        Ok(())
    } else {
        Err(format!("a pixel differs from the oracle's by {worst} times the limit"))
    }
}
