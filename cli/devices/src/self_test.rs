//! The test that a device passes before it renders by a formula: small scenes, whose pixels must have the bits that the
//! interpreter gives them.
//!
//! It finds drivers that fuse where they must not or do not where they must, that reorder, that round quotients badly, or
//! that compile wrongly. The interpreter rounds as it is told to on any processor, so that the test needs no SIMD level.

use widebragg::beam::Source;
use widebragg::crystal::{CellSource, UnitCell};
use widebragg::detector::DetectorParameters;
use widebragg::formulas::{LatticeFormula, LookupFormula, StepFormula};
use widebragg::lattice::{CrystalShape, Precision, SpotMetric, SpotModel};
use widebragg::rotation::{IDENTITY, Orientation, PhiMode};
use widebragg::sampling::OversampleRequest;
use widebragg::scene::{
    DetectorInput, Scene, SceneParameters, SceneTables as KernelTables, Sensor, SourcesInput,
};
use widebragg::structure_factor::HklGrid;
use widebragg::vector::Vec3;

use crate::drivers::{Driver, Fault, Pixels};
use crate::interpreted::Interpreted;
use crate::interpreter::Rounding;
use crate::tables::{Band, PixelType, SceneTables, nodes_of};

/// Rows and columns of the panel.
const SIZE: [usize; 2] = [3, 40];

/// Nodes along h, k, l, about (0, 0, 0).
const NODES: [usize; 3] = [13, 15, 17];

/// A scene of the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TestScene {
    /// One sample a pixel.
    Plain,
    /// Layers, subpixels, sources with weights, a resolution limit, water, and every factor evaluated for every sample.
    Rich,
    /// A curved panel of points, with water of c-parity.
    Curved,
}

impl TestScene {
    /// All of them.
    const ALL: [Self; 3] = [Self::Plain, Self::Rich, Self::Curved];
}

/// Compares a device with the interpreter in all pixels of the scenes of a formula.
///
/// # Errors
/// The device fails, or a pixel differs.
pub fn run(driver: &mut dyn Driver, formula: StepFormula) -> Result<(), Fault> {
    TestScene::ALL
        .into_iter()
        .try_for_each(|test| with_scene(formula, test, &mut |scene| compare(driver, formula, scene)))
}

fn compare(driver: &mut dyn Driver, formula: StepFormula, scene: &Scene<'_>) -> Result<(), Fault> {
    let option = driver.identity().option.clone();
    let Some(tables) = SceneTables::new(scene) else { unreachable!("the scene of the test has formulas") };
    let band = Band::new(scene, &tables, formula, 0..SIZE[0], PixelType::Wide);
    let (mut pixels, mut fallbacks) = (vec![f64::NAN; band.pixels()], vec![0; band.pixels()]);
    driver.load_nodes(nodes_of(scene))?;
    driver.load_tables(&tables)?;
    driver.start(0, &band)?;
    driver.finish(0, Pixels::Wide(&mut pixels), &mut fallbacks)?;
    let as_interpreted = |rounding| {
        let mut interpreted = Interpreted::new(formula, rounding);
        let of_device = pixels.iter().zip(&fallbacks).enumerate();
        let differs = of_device.filter(|&(i, (photons, &fallbacks))| {
            let expected = interpreted.pixel(&tables, &band, nodes_of(scene), [i / SIZE[1], i % SIZE[1]]);
            photons.to_bits() != expected.photons.to_bits() || fallbacks != expected.fallbacks
        });
        differs.count()
    };
    let rounding = driver.rounding();
    let differ = as_interpreted(rounding);
    if differ == 0 {
        return Ok(());
    }
    let [is, other] = match rounding {
        Rounding::Fused => ["fuses products and sums", "does not fuse them"],
        Rounding::Separate => ["rounds products and sums by themselves", "fuses them"],
    };
    let other_rounding = if rounding == Rounding::Fused { Rounding::Separate } else { Rounding::Fused };
    let why = if as_interpreted(other_rounding) == 0 {
        format!("a device that {is} was expected, and this one {other}")
    } else {
        let StepFormula { lattice, lookup } = formula;
        format!("{differ} of {} pixels of the self-test ({lattice}, {lookup}) have other bits", pixels.len())
    };
    Err(Fault::new(&option, why))
}

/// Calls `job` with a scene whose steps have a formula.
fn with_scene<R>(formula: StepFormula, test: TestScene, job: &mut dyn FnMut(&Scene<'_>) -> R) -> R {
    let [h, k, l] = NODES;
    let nodes: Vec<f64> = (0..h * k * l).map(|i| f64::from((i * 37 % 101) as u32) + 0.3).collect();
    let grid = HklGrid::new(NODES.map(|n| -(n as i32 / 2)), NODES, nodes.as_slice());
    let cell = UnitCell::from_degrees([61.0, 72.0, 83.0], [91.0, 97.0, 88.0]);
    let source = |x: f64, lambda_m: f64| Source { incident: Vec3::new(1.0, x, -x).normalize(), lambda_m };
    let sources = [source(0.0, 1e-10), source(1e-3, 1.01e-10)];
    let is_rich = test == TestScene::Rich;
    let rest = SceneParameters::new(CellSource::Cell(cell));
    let parameters = SceneParameters {
        detector: DetectorInput::Parameters(DetectorParameters {
            pixel_m: 4e-4,
            slow_pixels: SIZE[0],
            fast_pixels: SIZE[1],
            distance_m: Some(0.1),
            x_beam_m: Some(2e-3),
            y_beam_m: Some(-7e-3),
            curved: test == TestScene::Curved,
            point_pixel: test == TestScene::Curved,
            ..DetectorParameters::default()
        }),
        sensor: if is_rich {
            Sensor { layers: 2, layer_m: 2e-4, attenuation_per_m: 3e3 }
        } else {
            rest.sensor
        },
        oversample: OversampleRequest {
            per_axis: Some(if is_rich { 2 } else { 1 }),
            thick: is_rich,
            polar: is_rich,
            omega: is_rich,
        },
        sources: match test {
            TestScene::Rich => SourcesInput::Weighted { sources: &sources, weights: &[1.0, 2.5] },
            TestScene::Plain | TestScene::Curved => SourcesInput::List(&sources[..1]),
        },
        kahn: Some(0.7),
        shape: match formula.lattice {
            LatticeFormula::Round => CrystalShape::Round,
            LatticeFormula::Gauss => CrystalShape::Gauss,
            LatticeFormula::Tophat => CrystalShape::Tophat,
            _ => CrystalShape::Square,
        },
        cells: match formula.lattice {
            LatticeFormula::SquareThin => [5.0, 1.0, 7.0],
            LatticeFormula::SquareFractional => [5.25, 6.0, 7.5],
            _ => [5.0, 6.0, 7.0],
        },
        spots: SpotModel { metric: SpotMetric::Index, ..rest.spots },
        precision: match formula.lattice {
            LatticeFormula::SquareMixed => Precision::Mixed,
            _ => Precision::Double,
        },
        mode: if test == TestScene::Curved { PhiMode::CParity } else { PhiMode::Spec },
        phi0_rad: 0.3,
        phi_step_rad: 0.01,
        phi_steps: 3,
        grid: grid.ok(),
        default_f: 10.0,
        interpolate: Some(formula.lookup == LookupFormula::Tricubic),
        fluence_per_m2: 1e24,
        water_m: if test == TestScene::Plain { 0.0 } else { 1e-6 },
        d_min_m: if is_rich { 9e-10 } else { 0.0 },
        ..rest
    };
    let scene = parameters.tables_len().and_then(|len| {
        let tables = KernelTables {
            sources: &mut vec![Source::default(); len.sources],
            source_weights: &mut vec![0.0; len.source_weights],
            source_grids: &mut vec![0; len.source_grids],
            domains: &mut vec![IDENTITY; len.domains],
            orientations: &mut vec![Orientation::default(); len.orientations],
        };
        parameters.fill(tables).map(|scene| job(&scene))
    });
    scene.unwrap_or_else(|error| unreachable!("the scene of the self-test: {error}"))
}
