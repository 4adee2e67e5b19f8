//! Every formula on a device of Vulkan: the bits of the interpreter, which rounds products and sums each by itself.
//!
//! `cargo test -p widebragg-devices --features vulkan`. Mesa's lavapipe is such a device on any processor.
//!
//! The scenes are not those of the self-test, which has three for each formula, so that a run starts at once. These meet
//! every rule of a pixel, nodes and pixels of either type, and sources with grids of their own.

use std::collections::HashSet;

use widebragg::beam::Source;
use widebragg::crystal::{CellSource, UnitCell};
use widebragg::detector::DetectorParameters;
use widebragg::formulas::{LatticeFormula, LookupFormula, PixelRules, StepFormula};
use widebragg::lattice::{CrystalShape, Precision};
use widebragg::rotation::{IDENTITY, Orientation, PhiMode};
use widebragg::sampling::{OversampleRequest, Steps};
use widebragg::scene::{
    CrystalInput, DetectorInput, MosaicInput, Roi, Scene, SceneParameters, SceneTables, Sensor, SourcesInput,
};
use widebragg::structure_factor::{HklGrid, Nodes};
use widebragg::vector::Vec3;
use widebragg_devices::drivers::{Driver, Fault, Pixels, vulkan};
use widebragg_devices::interpreted::Interpreted;
use widebragg_devices::tables::{Band, PixelType, SceneTables as DeviceTables, nodes_of};

/// More columns than a group of the program has, and not a multiple.
const COLUMNS: usize = 70;
const ROWS: usize = 3;

/// Nodes along h, k, l; some pixels are outside.
const LEN: [usize; 3] = [9, 8, 10];
const GRIDS: usize = 2;

/// A crystal of each lattice factor.
fn crystals() -> Vec<(LatticeFormula, CrystalShape, [f64; 3], Precision)> {
    use CrystalShape::{Gauss, Round, Square, Tophat};
    use Precision::{Double, Mixed};
    vec![
        (LatticeFormula::Square, Square, [5.0, 6.0, 7.0], Double),
        (LatticeFormula::SquareThin, Square, [5.0, 1.0, 7.0], Double),
        (LatticeFormula::SquareFractional, Square, [5.5, 6.0, 7.25], Double),
        (LatticeFormula::SquareMixed, Square, [5.0, 6.0, 7.0], Mixed),
        (LatticeFormula::Round, Round, [5.0, 6.0, 7.0], Double),
        (LatticeFormula::Gauss, Gauss, [5.0, 6.0, 7.0], Double),
        (LatticeFormula::Tophat, Tophat, [2.0, 3.0, 2.0], Double),
    ]
}

/// Panels, sensors, beams and flags, each as a change of the scene that the crystals are rendered in.
fn variations() -> Vec<fn(&mut SceneParameters<'_>)> {
    vec![
        |_| {},
        |p| p.kahn = None,
        |p| (p.grid, p.source_grids, p.interpolate) = (None, None, None),
        |p| p.sources = SourcesInput::Weighted { sources: &SOURCES, weights: &[1.0, 2.5] },
        |p| p.roi = Some(Roi { fast_min: 3, fast_max: 68, slow_min: 0, slow_max: ROWS - 1 }),
        |p| p.water_m = 1e-5,
        |p| p.sensor = SENSOR,
        |p| {
            (p.sensor, p.water_m) = (SENSOR, 1e-5);
            p.oversample = OversampleRequest { per_axis: Some(2), thick: true, polar: true, omega: false };
        },
        |p| {
            p.d_min_m = 3e-10;
            p.oversample = OversampleRequest { per_axis: Some(2), thick: true, polar: false, omega: true };
        },
        |p| {
            p.d_min_m = 5e-10;
            p.oversample.polar = true;
            change_detector(p, |detector| detector.curved = true);
        },
        |p| {
            p.oversample = OversampleRequest { per_axis: Some(2), thick: false, polar: true, omega: true };
            change_detector(p, |detector| (detector.point_pixel, detector.twotheta_rad) = (true, 0.2));
        },
    ]
}

const SOURCES: [Source; 2] = [
    Source { incident: Vec3::new(1.0, 0.0, 0.0), lambda_m: 1e-10 },
    Source { incident: Vec3::new(0.8, 0.6, 0.0), lambda_m: 1.1e-10 },
];

const SENSOR: Sensor = Sensor { layers: 2, layer_m: 1e-4, attenuation_per_m: 4e3 };

fn change_detector(p: &mut SceneParameters<'_>, change: impl FnOnce(&mut DetectorParameters)) {
    if let DetectorInput::Parameters(detector) = &mut p.detector {
        change(detector);
    }
}

/// The scene that the crystals are rendered in: two wavelengths, each with a grid of its own, phi steps, and mosaic domains.
fn parameters<'a>(nodes: Nodes<'a>, source_grids: &'a [u32]) -> SceneParameters<'a> {
    let cell = UnitCell::from_degrees([31.0, 37.0, 43.0], [80.0, 95.0, 100.0]);
    SceneParameters {
        detector: DetectorInput::Parameters(DetectorParameters {
            pixel_m: 1e-3,
            fast_pixels: COLUMNS,
            slow_pixels: ROWS,
            fast_size_m: COLUMNS as f64 * 1e-3,
            slow_size_m: ROWS as f64 * 1e-3,
            distance_m: Some(0.05),
            ..DetectorParameters::default()
        }),
        oversample: OversampleRequest { per_axis: Some(1), ..OversampleRequest::default() },
        sources: SourcesInput::Grid {
            hdiv: Steps::ONE,
            vdiv: Steps::ONE,
            dispersion: Steps { count: 2, range: 0.02, step: 0.02 },
            round: false,
        },
        mosaic: MosaicInput::Spread { spread_rad: 1e-2, domains: 2, seed: 11 },
        phi_step_rad: 0.01,
        phi0_rad: 0.3,
        phi_steps: 2,
        grid: HklGrid::several([-4, -3, -5], LEN, GRIDS, nodes).ok(),
        source_grids: Some(source_grids),
        default_f: 3.0,
        fluence_per_m2: 1e24,
        ..SceneParameters::new(CrystalInput::Cell {
            source: CellSource::Cell(cell),
            misset_rad: [0.3, -0.8, 1.1],
        })
    }
}

/// Calls `job` with the scene of some parameters.
fn with_scene<R>(p: &SceneParameters<'_>, job: impl FnOnce(&Scene<'_>) -> R) -> R {
    let len = p.tables_len().expect("lengths");
    let mut sources = vec![Source::default(); len.sources];
    let mut source_weights = vec![0.0; len.source_weights];
    let mut source_grids = vec![0; len.source_grids];
    let mut domains = vec![IDENTITY; len.domains];
    let mut orientations = vec![Orientation::default(); len.orientations];
    let tables = SceneTables {
        sources: &mut sources,
        source_weights: &mut source_weights,
        source_grids: &mut source_grids,
        domains: &mut domains,
        orientations: &mut orientations,
    };
    job(&p.fill(tables).expect("a scene"))
}

/// What was compared.
#[derive(Default)]
struct Compared {
    formulas: HashSet<StepFormula>,
    rules: u32,
    lit: usize,
    fallbacks: u32,
}

/// Renders a scene on the device as two bands at a time, in f64 and f32, and compares all pixels with the interpreter's, whose
/// nodes are f64.
fn compare(device: &mut dyn Driver, scene: &Scene<'_>, nodes: &[f64], what: &str, compared: &mut Compared) {
    let tables = DeviceTables::new(scene).expect("formulas cover it");
    device.load_nodes(nodes_of(scene)).expect("nodes");
    device.load_tables(&tables).expect("tables");
    compared.rules |= scene.numbers().expect("formulas cover it").rules.bits();
    for part in scene.row_formulas() {
        let formula = part.formula.expect("no latch");
        let band = |pixels| Band::new(scene, &tables, formula, part.rows.clone(), pixels);
        let band = [band(PixelType::Wide), band(PixelType::Narrow)];
        device.start(0, &band[0]).expect("a band");
        device.start(1, &band[1]).expect("a band");
        let mut wide = vec![f64::NAN; band[0].pixels()];
        let mut narrow = vec![f32::NAN; band[0].pixels()];
        let mut fallbacks = [vec![0; band[0].pixels()], vec![0; band[0].pixels()]];
        device.finish(0, Pixels::Wide(&mut wide), &mut fallbacks[0]).expect("pixels");
        device.finish(1, Pixels::Narrow(&mut narrow), &mut fallbacks[1]).expect("pixels");
        let mut interpreted = Interpreted::new(formula, device.rounding());
        for i in 0..wide.len() {
            let place = [i / band[0].columns.len(), i % band[0].columns.len()];
            let expected = interpreted.pixel(&tables, &band[0], Nodes::F64(nodes), place);
            assert!(expected.photons.is_finite(), "{what}: {place:?}");
            assert_eq!(
                wide[i].to_bits(),
                expected.photons.to_bits(),
                "{what}: {place:?} {} {expected:?}",
                wide[i]
            );
            assert_eq!(narrow[i].to_bits(), (expected.photons as f32).to_bits(), "{what}: {place:?}");
            assert_eq!([fallbacks[0][i], fallbacks[1][i]], [expected.fallbacks; 2], "{what}: {place:?}");
            compared.lit += usize::from(expected.photons > 0.0);
            compared.fallbacks += expected.fallbacks;
        }
        compared.formulas.insert(formula);
    }
}

#[test]
fn formulas_give_the_bits_of_the_interpreter() {
    let mut device = match vulkan::open(0) {
        Ok(device) => device,
        Err(fault) => return println!("skipped: {fault}"),
    };
    println!("{:?}", device.identity());
    // f32 that fill their bits, so that both kinds of nodes have the same values.
    let count = LEN.iter().product::<usize>() * GRIDS;
    let narrow: Vec<f32> = (0..count).map(|i| 100.0 + 99.0 * (i as f32 * 1.7).sin()).collect();
    let wide: Vec<f64> = narrow.iter().map(|&f| f.into()).collect();
    let mut compared = Compared::default();
    for (lattice, shape, cells, precision) in crystals() {
        for mode in [PhiMode::Spec, PhiMode::CParity] {
            for interpolate in [false, true] {
                for (number, vary) in variations().into_iter().enumerate() {
                    let nodes = if number % 2 == 0 { Nodes::F64(&wide) } else { Nodes::F32(&narrow) };
                    let mut p = parameters(nodes, &[1, 0]);
                    (p.shape, p.cells, p.precision, p.mode) = (shape, cells, precision, mode);
                    p.interpolate = Some(interpolate);
                    vary(&mut p);
                    let what = format!("{lattice} {mode} interpolate {interpolate} variation {number}");
                    with_scene(&p, |scene| compare(&mut *device, scene, &wide, &what, &mut compared));
                }
            }
        }
    }
    let Compared { formulas, rules, lit, fallbacks } = compared;
    println!("{} formulas, rules {rules:b}, {lit} lit pixels, {fallbacks} fallbacks", formulas.len());
    let all = LatticeFormula::ALL
        .iter()
        .flat_map(|&lattice| LookupFormula::ALL.iter().map(move |&lookup| StepFormula { lattice, lookup }));
    // Mixed precision has no interpolation.
    let interpolated_mixed =
        StepFormula { lattice: LatticeFormula::SquareMixed, lookup: LookupFormula::Tricubic };
    let missing: Vec<_> =
        all.filter(|formula| *formula != interpolated_mixed && !formulas.contains(formula)).collect();
    assert_eq!(missing, []);
    assert_eq!(rules, (1 << PixelRules::NAMES.len()) - 1, "a rule was not met");
    assert!(lit > 0 && fallbacks > 0);
}

#[test]
fn faults_are_one_line() {
    let fault = |result: Result<(), Fault>| result.expect_err("a fault").to_string();
    let Ok(mut device) = vulkan::open(0) else { return println!("skipped: no device of Vulkan") };
    let count = vulkan::devices().expect("devices").len();
    let missing = vulkan::open(count).map(drop);
    assert_eq!(fault(missing), format!("vulkan: there is no device {count}, only {count}"));
    let nothing = device.finish(0, Pixels::Wide(&mut []), &mut []);
    assert_eq!(fault(nothing), "vulkan:0: a band was finished that was not started");
    let nodes = vec![1.0; LEN.iter().product::<usize>() * GRIDS];
    let started = with_scene(&parameters(Nodes::F64(&nodes), &[1, 0]), |scene| {
        let tables = DeviceTables::new(scene).expect("formulas cover it");
        let formula = scene.row_formulas().find_map(|part| part.formula).expect("a formula");
        device.start(0, &Band::new(scene, &tables, formula, 0..ROWS, PixelType::Wide))
    });
    assert_eq!(fault(started), "vulkan:0: a band was started without its tables");
}
