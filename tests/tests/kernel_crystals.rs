//! Crystals that the reference does not have: fractions of cells, spots of index metric, N matrices, cutoffs. Images are
//! compared with those of simtbx and diffBragg, and lattice factors with the formulas in plain f64.

use core::f64::consts::PI;
use std::collections::BTreeMap;

use widebragg::Error;
use widebragg::carryover::Carryover;
use widebragg::detector::Detector;
use widebragg::gradient::{Motion, MotionFrame, RigidMotion, Variables};
use widebragg::lanes::Simd;
use widebragg::lattice::{CellCoupling, CrystalShape, SpotMetric, SpotModel};
use widebragg::mosaic::{MosaicSpread, SpreadTensor};
use widebragg::rotation::Orientation;
use widebragg::vector::Vec3;
use widebragg_tests::golden;
use widebragg_tests::scene::{KernelScene, with_turns_by};
use widebragg_tests::simtbx::{SimtbxImage, arrays, images};

/// Largest difference from the images of the other programs, as a part of the largest pixel. They are rounded to f32.
const LIMIT: f64 = 1e-6;

/// The largest difference from an image, as a part of its largest pixel, but for `left_out` pixels at the start.
fn difference(image: &SimtbxImage, left_out: usize) -> f64 {
    let ours = image.render().expect("an image");
    assert_eq!(ours.len(), image.pixels.len(), "{}", image.name);
    let largest = image.pixels.iter().copied().fold(0.0, f32::max);
    let apart = |(ours, theirs): (&f64, &f32)| (ours - f64::from(*theirs)).abs();
    ours.iter().zip(&image.pixels).skip(left_out).map(apart).fold(0.0, f64::max) / f64::from(largest)
}

/// Compares the images of a set.
fn compare(set: &str, left_out: usize) {
    for mut image in images(set).expect("images") {
        for simd in Simd::available() {
            image.scene.simd = simd;
            let apart = difference(&image, left_out);
            println!("{set} {} {}: {apart:.1e}", image.name, simd.level());
            assert!(apart < LIMIT, "{set} {} {}: {apart:e}", image.name, simd.level());
        }
    }
}

#[test]
fn spots_of_index_metric_are_those_of_simtbx() {
    compare("02_shapes", 0);
    compare("03_tilted", 0);
    compare("04_spectrum", 0);
}

#[test]
fn n_matrices_are_those_of_diffbragg() {
    compare("09_n_matrix", 0);
    compare("10_mosaicity", 0);
    compare("11_spectrum", 0);
    compare("12_derivatives", 0);
    compare("13_means", 0);
}

/// Shapes that the reference has, by the rules of simtbx, and rotations from phi = 0 in c-parity: their first and their second
/// call, which keeps the carryover. simtbx drops the first evaluation of its first image.
#[test]
fn other_images_are_those_of_simtbx() {
    compare("01_minimal", 1);
    compare("05_sensor", 0);
    compare("06_rotation", 0);
    compare("07_panel", 0);
    compare("08_amatrix", 0);
}

/// What a second call finds at phi = 0 changes its first pixel alone, by less than a millionth of the brightest.
#[test]
fn first_pixels_of_calls_are_those_of_simtbx() {
    let images = images("06_rotation").expect("images");
    let first = |name: &str| {
        let image = images.iter().find(|image| image.name == name).expect("an image");
        [image.render().expect("an image")[0], f64::from(image.pixels[0])]
    };
    let calls = ["phi0_first_call", "phi0_second_call"].map(first);
    for [ours, theirs] in calls {
        assert!((ours / theirs - 1.0).abs() < LIMIT, "{ours} {theirs}");
    }
    assert!((calls[0][0] / calls[1][0] - 1.0).abs() > 1e-3);
}

/// The arrays that are compared with none of ours, by their sets, and why.
const NOT_COMPARED: [(&str, &[&str], &str); 9] = [
    ("01_minimal", &["Amatrix"], "what the scene was made from"),
    (
        "01_minimal",
        &["noise", "smv"],
        "noise: compared in kernel_noise_stages.rs with simtbx's own of other images",
    ),
    ("02_shapes", &["F", "hkl", "source_lambda_A", "source_xyz", "umats"], "what the scenes were made from"),
    (
        "04_spectrum",
        &["air", "water", "water_1_0"],
        "background: kernel_background.rs compares with simtbx's",
    ),
    ("04_spectrum", &["n0", "n1", "n2", "n3", "total"], "noise, and what it was drawn from"),
    ("07_panel", &["pix0_0", "pix0_1"], "where the panels are"),
    ("09_n_matrix", &["full_1_no_scale"], "spots without the factor det N, which no crystal has"),
    (
        "11_spectrum",
        &["spectrum_lambda_coefficients", "spectrum_phi", "spectrum_update_xray_beams"],
        "wavelengths that are changed afterwards, weights that are divided by their number twice, and a rotation of the cell before \
         its orientation",
    ),
    ("12_derivatives", &["image_no_scale", "fd_Na_no_scale"], "spots without the factor det N"),
];

/// Arrays of all sets that scenes were made from, or that are not what they are named (derivatives of diffBragg's own, several
/// of which are wrong: its differences are compared instead).
fn is_input(set: &str, array: &str) -> bool {
    let of_diffbragg = set >= "09";
    let inputs = ["F", "hkl", "axes", "angle_indices", "dB_cell"];
    of_diffbragg && (inputs.contains(&array) || array.starts_with("umats_"))
        || set == "12_derivatives" && array.starts_with("d_")
}

#[test]
fn every_array_is_compared_or_has_a_reason_why_not() {
    let derivatives = derivatives().parameters;
    let folder = golden::root().join("simtbx");
    let (mut compared, mut left_out) = (0, 0);
    for (set, arrays) in arrays().expect("names of arrays") {
        let images: Vec<String> = images(&set).expect("images").into_iter().map(|image| image.name).collect();
        let has = |name: &str| images.iter().any(|image| image == name);
        let reasons = NOT_COMPARED.iter().filter(|(of, _, _)| *of == set);
        let excepted: Vec<&str> = reasons.flat_map(|(_, names, _)| names.iter().copied()).collect();
        for name in &excepted {
            assert!(arrays.iter().any(|array| array == name), "{set} has no {name}");
        }
        for array in &arrays {
            let own = match array.strip_prefix("image") {
                Some("") => "base",
                Some(rest) => rest.trim_start_matches('_'),
                None => array,
            };
            let is_derivative = array.strip_prefix("fd_").is_some_and(|name| derivatives.contains_key(name));
            // Compared in kernel_contributions.rs.
            let is_mean = array.contains("_mean_") && folder.join(&set).join(format!("{array}.f32")).exists();
            let is_compared = has(own) || is_derivative || is_mean;
            let is_excepted = excepted.contains(&array.as_str()) || is_input(&set, array);
            assert!(is_compared != is_excepted, "{set} {array}: {is_compared} {is_excepted}");
            *if is_compared { &mut compared } else { &mut left_out } += 1;
        }
    }
    println!("{compared} arrays compared, {left_out} not");
    assert!(compared > 90, "{compared}");
}

/// A scene of an image with other cells.
fn with_cells(shape: CrystalShape, cells: [f64; 3]) -> KernelScene {
    let mut scene = images("03_tilted").expect("images").swap_remove(0).scene;
    scene.crystallite.shape = shape;
    scene.crystallite.cells = cells;
    scene.crystallite.spots = SpotModel::default();
    scene
}

/// Compares |F_latt| of every step of some pixels with a formula of h, k, l; the part of its largest value that it may be
/// off by is `limit`.
fn compare_f_latt(scene: &KernelScene, limit: f64, formula: impl Fn([f64; 3]) -> f64) {
    for simd in Simd::available() {
        let scene = KernelScene { simd, ..scene.clone() };
        let mut compared = 0;
        scene
            .with(1, |scene, _| {
                for pixel in (0..scene.panel().pixels()).step_by(7) {
                    let (slow, fast) = (pixel / 60, pixel % 60);
                    let mut found = Vec::new();
                    scene
                        .probe_pixel(slow, fast, &Carryover::Off, &mut |step| {
                            found.push((step.hkl, step.f_latt))
                        })
                        .expect("a pixel");
                    for (hkl, f_latt) in found {
                        let expected = formula(hkl).abs();
                        let off = (f_latt.abs() - expected).abs();
                        assert!(
                            off <= limit * (1.0 + expected),
                            "{} {hkl:?}: {f_latt}, {expected}",
                            simd.level()
                        );
                        compared += 1;
                    }
                }
            })
            .expect("a scene");
        assert!(compared > 5000, "{compared}");
    }
}

fn offsets(hkl: [f64; 3]) -> [f64; 3] {
    hkl.map(|h| h - (h - 0.5).ceil())
}

#[test]
fn square_crystals_may_have_fractions_of_cells() {
    for cells in [[8.5, 7.0, 6.25], [1.0, 3.75, 1.5], [20.125, 1.0, 9.0]] {
        let scene = with_cells(CrystalShape::Square, cells);
        compare_f_latt(&scene, 1e-9, |hkl| {
            let factors = hkl.iter().zip(cells).map(|(h, n)| (PI * n * h).sin() / (PI * h).sin());
            factors.product()
        });
    }
}

#[test]
fn whole_cells_are_a_limit_of_fractions() {
    let [whole, almost] = [7.0, 7.0 + 1e-9].map(|n| {
        let image = with_cells(CrystalShape::Square, [n, 5.0, 6.0]).render::<f64>(1);
        image.expect("an image")
    });
    let largest = whole.iter().copied().fold(0.0, f64::max);
    let apart = whole.iter().zip(&almost).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / largest;
    assert!(apart < 1e-6 && apart > 0.0, "{apart:e}");
}

#[test]
fn other_shapes_may_have_fractions_of_cells() {
    let cells = [3.5, 2.0, 2.25];
    let volume: f64 = cells.iter().product();
    compare_f_latt(&with_cells(CrystalShape::Round, cells), 1e-9, |hkl| {
        let radius2: f64 = offsets(hkl).iter().zip(cells).map(|(d, n)| (d * n) * (d * n)).sum();
        let x = PI * radius2.sqrt();
        0.723_601_254_558_268 * volume * 3.0 * (x.sin() / x - x.cos()) / (x * x)
    });
    let scene = with_cells(CrystalShape::Gauss, cells);
    let [a, b, c] = scene.crystallite.reciprocal_per_angstrom;
    compare_f_latt(&scene, 1e-9, |hkl| {
        let [h, k, l] = offsets(hkl);
        let offset = h * a + k * b + l * c;
        volume * (-offset.dot(offset) * volume * volume / 0.63).exp()
    });
}

/// The exponent of a spot of index metric, with an N matrix.
fn exponent([aa, bb, cc]: [f64; 3], CellCoupling { ab, ac, bc }: CellCoupling, hkl: [f64; 3]) -> f64 {
    let [h, k, l] = offsets(hkl);
    let rows = [aa * h + ab * k + ac * l, ab * h + bb * k + bc * l, ac * h + bc * k + cc * l];
    rows.iter().map(|x| x * x).sum()
}

#[test]
fn spots_of_index_metric_end_at_their_cutoff_or_edge() {
    let (cells, coupling) = ([8.5, 7.0, 6.25], CellCoupling { ab: 1.5, ac: -0.5, bc: 0.75 });
    let CellCoupling { ab, ac, bc } = coupling;
    let [aa, bb, cc] = cells;
    let determinant = aa * (bb * cc - bc * bc) - ab * (ab * cc - bc * ac) + ac * (ab * bc - bb * ac);
    let (mut inside, mut outside) = (0, 0);
    for cutoff in [f64::INFINITY, 35.0, 3.0] {
        let mut scene = with_cells(CrystalShape::Gauss, cells);
        scene.crystallite.spots = SpotModel { metric: SpotMetric::Index, coupling, gauss_cutoff: cutoff };
        let counts = core::cell::Cell::new((0, 0));
        compare_f_latt(&scene, 1e-9, |hkl| {
            let x = exponent(cells, coupling, hkl) / 0.63;
            let (inside, outside) = counts.get();
            counts.set(if x < cutoff { (inside + 1, outside) } else { (inside, outside + 1) });
            if x < cutoff { determinant * (-x).exp() } else { 0.0 }
        });
        let (here, beyond) = counts.get();
        (inside, outside) = (inside + here, outside + beyond);
    }
    assert!(inside > 1000 && outside > 1000, "{inside} {outside}");
    let mut scene = with_cells(CrystalShape::Tophat, cells);
    scene.crystallite.fudge = 0.02;
    scene.crystallite.spots = SpotModel { metric: SpotMetric::Index, coupling, ..SpotModel::default() };
    compare_f_latt(&scene, 1e-9, |hkl| {
        if exponent(cells, coupling, hkl) * 0.02 < 0.3969 { determinant } else { 0.0 }
    });
}

#[test]
fn a_cutoff_is_where_the_exponent_is_as_large() {
    let mut scene = with_cells(CrystalShape::Gauss, [5.0; 3]);
    scene.crystallite.spots.metric = SpotMetric::Index;
    let largest = |scene: &KernelScene| {
        let mut largest = 0.0f64;
        scene
            .with(1, |scene, _| {
                for fast in 0..60 {
                    let mut step =
                        |step: &widebragg::render::StepProbe| largest = largest.max(step.f_latt.abs());
                    scene.probe_pixel(20, fast, &Carryover::Off, &mut step).expect("a pixel");
                }
            })
            .expect("a scene");
        largest
    };
    // The brightest step of the row is dark where its own exponent is the cutoff, and is not beyond.
    let brightest = largest(&scene);
    let exponent = -(brightest / 125.0).ln();
    scene.crystallite.spots.gauss_cutoff = exponent * (1.0 + 1e-12);
    assert_eq!(largest(&scene).to_bits(), brightest.to_bits());
    scene.crystallite.spots.gauss_cutoff = exponent * (1.0 - 1e-12);
    assert_eq!(largest(&scene), 0.0);
}

#[test]
fn impossible_spots_are_refused() {
    let refused = |shape, cells, spots| {
        let mut scene = with_cells(shape, cells);
        scene.crystallite.spots = spots;
        let error = scene.with(1, |_, _| ()).expect_err("a refusal");
        let Error::OutOfRange { quantity, .. } = error else { panic!("{error}") };
        quantity
    };
    let spots = |metric, ab| SpotModel {
        metric,
        coupling: CellCoupling { ab, ..CellCoupling::NONE },
        ..SpotModel::default()
    };
    let cells = [5.0; 3];
    let (index, reciprocal) = (SpotMetric::Index, SpotMetric::Reciprocal);
    let coupling = "coupling of an N matrix";
    assert_eq!(refused(CrystalShape::Gauss, cells, spots(reciprocal, 1.0)), coupling);
    assert_eq!(refused(CrystalShape::Square, cells, spots(index, 1.0)), coupling);
    assert_eq!(refused(CrystalShape::Gauss, cells, spots(index, f64::NAN)), coupling);
    assert_eq!(refused(CrystalShape::Gauss, cells, spots(index, 5.0)), "principal minor of the N matrix");
    for cutoff in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY] {
        let spots = SpotModel { gauss_cutoff: cutoff, ..SpotModel::default() };
        assert_eq!(refused(CrystalShape::Gauss, cells, spots), "cutoff of gauss spots");
    }
    for n in [0.75, f64::NAN, f64::INFINITY, 67_108_864.0] {
        assert_eq!(
            refused(CrystalShape::Round, [5.0, n, 5.0], SpotModel::default()),
            "unit cells along an axis"
        );
    }
}

/// A derivative of diffBragg's images: along which direction, and of which image.
#[derive(serde::Deserialize)]
struct Derivative {
    case: String,
    direction: Vec<f64>,
}

/// The derivatives of a set, and the pixels of their images.
#[derive(serde::Deserialize)]
struct Derivatives {
    slow: [usize; 2],
    fast: [usize; 2],
    parameters: BTreeMap<String, Derivative>,
    /// Mosaic spreads about the axes of the cell that they belong to.
    spreads_deg: [f64; 3],
    #[serde(rename = "spread_axes_A")]
    spread_axes_angstrom: [[f64; 3]; 3],
}

/// The directions of a set.
fn derivatives() -> Derivatives {
    let path = golden::root().join("simtbx/12_derivatives/directions.json");
    serde_json::from_slice(&std::fs::read(path).expect("directions")).expect("directions")
}

/// Cells, N matrix, wavelengths, rotations, cell, mosaic spreads and the detector's place: derivatives along their directions
/// are the central differences of diffBragg's own images.
#[test]
fn derivatives_are_the_differences_of_diffbragg() {
    let folder = golden::root().join("simtbx/12_derivatives");
    let Derivatives { slow, fast, parameters, spreads_deg, spread_axes_angstrom } = derivatives();
    let [a_m, b_m, c_m] = spread_axes_angstrom.map(|axis| 1e-10 * Vec3::from(axis));
    let spread = MosaicSpread::Axes(spreads_deg.map(f64::to_radians));
    let spreads = SpreadTensor::new(spread, &Orientation { a_m, b_m, c_m }).expect("spreads");
    let images = images("12_derivatives").expect("images");
    assert_eq!(parameters.len(), 42);
    for (name, Derivative { case, direction }) in parameters {
        let scene = &images.iter().find(|image| image.name == case).expect("an image").scene;
        let direction = Variables::from_array(&direction.try_into().expect("48 numbers"));
        let columns = scene.detector.fast_pixels;
        let mut slopes = vec![0.0; (slow[1] - slow[0]) * columns];
        scene
            .with(1, |scene, _| {
                with_turns_by(scene, Some(&spreads), 3, |turns| {
                    let rows = slow[0]..slow[1];
                    scene.pushforward_rows(turns, rows, &[direction], &Carryover::Off, &mut slopes)
                })
            })
            .expect("a scene")
            .expect("derivatives");
        let expected = golden::read_f32(&folder.join(format!("fd_{name}.f32"))).expect("differences");
        let largest = expected.iter().map(|slope| slope.abs()).fold(0.0, f32::max);
        let ours = slopes.chunks_exact(columns).flat_map(|row| &row[fast[0]..fast[1]]);
        let apart =
            ours.zip(&expected).map(|(ours, theirs)| (ours - f64::from(*theirs)).abs()).fold(0.0, f64::max);
        let part = apart / f64::from(largest);
        println!("{name}: {part:.1e}");
        assert!(part < LIMIT, "{name}: {part:e}");
    }
}

/// Shifts and turns of a panel are those of diffBragg: their directions are the ones of its differences. It turns a
/// panel about its slow axis, then about its fast axis, then about its normal, all as they are before the turns.
#[test]
fn motions_of_a_panel_are_those_of_diffbragg() {
    let images = images("12_derivatives").expect("images");
    let panel = |case: &str| {
        let image = images.iter().find(|image| image.name == case).expect("an image");
        let Detector { pix0_m, fast, slow, normal, close_distance_m, distance_m, .. } = image.scene.detector;
        Variables { pix0_m, fast, slow, normal, close_distance_m, distance_m, ..Variables::default() }
    };
    let start = panel("panel");
    let turned = RigidMotion { rotation_rad: [0.015, -0.03, 0.02], ..RigidMotion::default() };
    let about = |centre_m| MotionFrame { centre_m, axes: [start.slow, start.fast, start.normal] };
    let ours = start.moved(&turned, &about(start.pix0_m));
    for (ours, theirs) in ours.to_array().into_iter().zip(panel("panel_turned").to_array()) {
        assert!((ours - theirs).abs() < 1e-14, "{ours} {theirs}");
    }
    let (laboratory, sample) = (MotionFrame::laboratory(), Vec3::default());
    let parameters = derivatives().parameters;
    let mut compared = 0;
    for (suffix, motion, centre_m) in [
        ("", RigidMotion::default(), start.pix0_m),
        ("_turned", turned, start.pix0_m),
        ("_about_sample", RigidMotion::default(), sample),
    ] {
        let turns = ["rotS", "rotF", "rotO"].into_iter().enumerate();
        let turns = turns.map(|(axis, name)| (name, Motion::Rotation(axis), about(centre_m)));
        let shifts = ["X", "Y", "Z"].into_iter().enumerate();
        let shifts = shifts.map(|(axis, name)| (name, Motion::Shift(axis), laboratory));
        for (name, component, frame) in turns.chain(shifts) {
            let Some(Derivative { direction, .. }) = parameters.get(&format!("panel_{name}{suffix}")) else {
                continue;
            };
            let by = motion.along(Some(component));
            let frame = MotionFrame {
                centre_m: Vec3::constant(frame.centre_m),
                axes: frame.axes.map(Vec3::constant),
            };
            let ours = start.along(&Variables::default()).moved(&by, &frame).slopes();
            // The distance along the beam matters only to a curved panel.
            let ours = Variables { distance_m: 0.0, ..ours };
            for (ours, theirs) in ours.to_array().into_iter().zip(direction) {
                assert!((ours - theirs).abs() < 1e-14, "{name}{suffix}: {ours} {theirs}");
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 12);
}
