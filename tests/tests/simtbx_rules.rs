//! simtbx's add_noise, apply_psf and add_background against its own images.

use std::io::Read;

use flate2::read::GzDecoder;
use serde::Deserialize;
use widebragg::background::{RadialPoint, WeightedSource, molecules};
use widebragg::beam::{Polarization, PolarizedAt, Source};
use widebragg::detector::{Convention, CustomAxes, Detector, DetectorParameters};
use widebragg::lanes::{Simd, SimdLevel};
use widebragg::noise::point_spread::Shape;
use widebragg::noise::shared::Seed;
use widebragg::noise::simtbx::{SimtbxNoise, SimtbxStreams};
use widebragg::rotation::PhiMode;
use widebragg::rounded::{atan, ln};
use widebragg::scene::{Roi, Sensor};
use widebragg::vector::Vec3;
use widebragg_experiment::simtbx::{AddBackground, AddNoise, Selection, SimtbxSpread};
use widebragg_tests::golden;
use widebragg_tests::table::Table;

const SIZE: [usize; 2] = [64, 48];

/// Edge of a pixel of the images with noise.
const PIXEL_MM: f64 = 0.1;

fn unpacked(path: &str) -> Vec<u8> {
    let file = std::fs::File::open(golden::root().join("noise").join(path)).expect(path);
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes).expect(path);
    bytes
}

fn input(name: &str) -> Vec<f64> {
    let bytes = unpacked(&format!("inputs/{name}.gz"));
    let pixels = bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().expect("four bytes")));
    pixels.map(f64::from).collect()
}

fn image(case: &str) -> Vec<f64> {
    let bytes = unpacked(&format!("simtbx/{case}.f64.gz"));
    bytes.chunks_exact(8).map(|eight| f64::from_le_bytes(eight.try_into().expect("eight bytes"))).collect()
}

/// An image of simtbx, and what made it.
#[derive(Deserialize)]
struct Case {
    case: String,
    call: String,
    input: Option<String>,
    set: Option<Properties>,
    info: Option<Info>,
}

/// Properties of simtbx's object.
#[derive(Deserialize)]
struct Properties {
    seed: Option<i64>,
    calib_seed: Option<i64>,
    readout_noise_adu: Option<f64>,
    detector_calibration_noise_pct: Option<f64>,
    flicker_noise_pct: Option<f64>,
    quantum_gain: Option<f64>,
    adc_offset_adu: Option<f64>,
    detector_psf_type: Option<String>,
    detector_psf_fwhm_mm: Option<f64>,
    detector_psf_kernel_radius_pixels: Option<u32>,
    /// Along fast and slow, both ends included.
    region_of_interest: Option<[[usize; 2]; 2]>,
    fwhm_pixels: Option<f64>,
    radius: Option<u32>,
}

/// Geometry and sources as the object reported them.
#[derive(Deserialize)]
struct Info {
    pix0: [f64; 3],
    fluence: f64,
    lam: Vec<f64>,
    weights: Vec<f64>,
    attn_mm: f64,
    thick_mm: f64,
    thicksteps: usize,
    ov: usize,
}

fn cases(call: &str) -> Vec<Case> {
    let text = std::fs::read(golden::root().join("noise/simtbx/cases.json")).expect("cases.json");
    let cases: Vec<Case> = serde_json::from_slice(&text).expect("cases");
    cases.into_iter().filter(|case| case.call.starts_with(call)).collect()
}

/// The rule and the region of a case.
fn add_noise(set: &Properties) -> (AddNoise, Option<Roi>) {
    let number = |value: Option<f64>| value.expect("a property");
    let noise = SimtbxNoise {
        flicker: number(set.flicker_noise_pct) / 100.0,
        calibration: number(set.detector_calibration_noise_pct) / 100.0,
        gain: number(set.quantum_gain),
        offset_adu: number(set.adc_offset_adu),
        readout_adu: number(set.readout_noise_adu),
    };
    let shape = match set.detector_psf_type.as_deref() {
        Some("Fiber") => Some(Shape::Fiber),
        Some("Gauss") => Some(Shape::Gauss),
        other => {
            assert_eq!(other, Some("Unknown"));
            None
        }
    };
    let spread = shape.map(|shape| SimtbxSpread {
        shape,
        width_px: number(set.detector_psf_fwhm_mm) / PIXEL_MM,
        radius_px: set.detector_psf_kernel_radius_pixels.expect("a radius"),
    });
    let [seed, calibration_seed] = [set.seed, set.calib_seed].map(|seed| seed.expect("a seed"));
    let roi = set.region_of_interest.map(|[[fast_min, fast_max], [slow_min, slow_max]]| Roi {
        fast_min,
        fast_max,
        slow_min,
        slow_max,
    });
    (AddNoise { seed, calibration_seed, noise, spread }, roi)
}

/// How many pixels have other bits.
fn different(found: &[f64], golden: &[f64]) -> usize {
    assert_eq!(found.len(), golden.len());
    found.iter().zip(golden).filter(|(a, b)| a.to_bits() != b.to_bits()).count()
}

/// The C library's logarithm decides last bits, so this is about glibc on a processor with fused operations.
fn has_the_c_library_of_the_golden_images() -> bool {
    let fused = Simd::exactly(SimdLevel::Avx2).is_some();
    cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64")) && fused
}

#[test]
fn noise_has_the_bits_of_simtbx() {
    let cases = cases("add_noise");
    assert_eq!(cases.len(), 12);
    let mut changed = 0;
    for Case { case, input: from, set, .. } in cases {
        let (rule, roi) = add_noise(&set.expect("properties"));
        let (mut pixels, golden) = (input(&from.expect("an input")), image(&case));
        changed += different(&pixels, &golden);
        let selection = Selection { roi, ..Selection::all(SIZE) };
        rule.apply(Simd::detect(), &selection, &mut pixels).expect(&case);
        let most = if has_the_c_library_of_the_golden_images() { 0 } else { 2 };
        assert!(different(&pixels, &golden) <= most, "{case}: {} pixels", different(&pixels, &golden));
        // Without a region it is the same as with a mask of it.
        if let Some(roi) = roi {
            let inside = |at: usize| {
                (roi.fast_min..=roi.fast_max).contains(&(at % 64))
                    && (roi.slow_min..=roi.slow_max).contains(&(at / 64))
            };
            let mask: Vec<u16> = (0..64 * 48).map(|at| u16::from(inside(at))).collect();
            let mut masked = input("ramp.f32");
            let selection = Selection { mask: Some(&mask), ..Selection::all(SIZE) };
            rule.apply(Simd::detect(), &selection, &mut masked).expect(&case);
            assert_eq!(different(&masked, &pixels), 0);
        }
    }
    assert!(changed > 20_000);
}

#[test]
fn deviates_with_our_logarithm_differ_in_one_pixel_of_all() {
    // In all images without a point spread.
    let mut pixels_in_all = 0;
    let mut others = 0;
    for Case { case, input: from, set, .. } in cases("add_noise") {
        let (rule, roi) = add_noise(&set.expect("properties"));
        if rule.spread.is_some() || roi.is_some() {
            continue;
        }
        let (mut pixels, golden) = (input(&from.expect("an input")), image(&case));
        let mut streams = SimtbxStreams::new(rule.seed, rule.calibration_seed);
        rule.noise.count_all(&mut streams, &mut pixels);
        rule.noise.calibrate_all(&mut streams, &mut pixels);
        rule.noise.read_out_all(&mut streams, &mut pixels);
        pixels_in_all += pixels.len();
        others += different(&pixels, &golden);
        for (found, golden) in pixels.iter().zip(&golden) {
            assert!((found - golden).abs() <= f64::EPSILON * golden.abs(), "{case}: {found} {golden}");
        }
    }
    assert_eq!(pixels_in_all, 8 * 64 * 48);
    assert!(others <= 1, "{others}");
}

#[test]
fn the_point_spread_has_the_bits_of_simtbx() {
    let cases = cases("apply_psf");
    let [Case { case, set: Some(set), .. }] = cases.as_slice() else { panic!("one case") };
    let spread = SimtbxSpread {
        shape: Shape::Gauss,
        width_px: set.fwhm_pixels.expect("a width"),
        radius_px: set.radius.expect("a radius"),
    };
    for simd in SimdLevel::ALL.into_iter().filter_map(Simd::exactly) {
        let mut pixels = input("spots.f32");
        spread.apply_psf(simd, SIZE, &mut pixels).expect("an image");
        assert_eq!(different(&pixels, &image(case)), 0);
    }
    // Without photons there is nothing to spread, and the values that stand for no pixel stay.
    let (mut dark, all) = (vec![-1.0; 64 * 48], vec![-1.0; 64 * 48]);
    spread.apply_psf(Simd::detect(), SIZE, &mut dark).expect("an image");
    assert_eq!(dark, all);
    assert!(spread.apply_psf(Simd::detect(), [64, 47], &mut input("spots.f32")).is_err());
    let unlimited = SimtbxSpread { width_px: f64::INFINITY, ..spread };
    assert!(unlimited.apply_psf(Simd::detect(), SIZE, &mut dark).is_err());
}

/// F of water, as simtbx's scripts have it.
fn water() -> Vec<RadialPoint> {
    let text = String::from_utf8(unpacked("inputs/water14.stol.gz")).expect("a table");
    let lines = text.lines().map(|line| {
        let mut numbers = line.split_whitespace().map(|word| word.parse().expect("a number"));
        let (s, f_electrons) = (numbers.next().expect("s"), numbers.next().expect("F"));
        RadialPoint { s, f_electrons }
    });
    lines.collect()
}

/// The detector of the images of background: 64 x 48 pixels of 5 mm, 150 mm away.
fn detector(pix0_mm: [f64; 3]) -> Detector {
    let vector = |x: f64, y: f64, z: f64| Some(Vec3::new(x, y, z));
    let axes = CustomAxes {
        fast: vector(0.0, 0.0, 1.0),
        slow: vector(0.0, -1.0, 0.0),
        normal: vector(1.0, 0.0, 0.0),
        beam: vector(1.0, 0.0, 0.0),
        polarization: vector(0.0, 0.0, 1.0),
        ..CustomAxes::default()
    };
    let parameters = DetectorParameters {
        fast_pixels: SIZE[0],
        slow_pixels: SIZE[1],
        pixel_m: 5e-3,
        distance_m: Some(0.15),
        convention: Convention::Custom(axes),
        ..DetectorParameters::default()
    };
    let placed = Detector::new(&parameters, PhiMode::CParity).expect("a detector");
    let [x, y, z] = pix0_mm.map(|mm| mm / 1000.0);
    Detector { pix0_m: Vec3::new(x, y, z), ..placed }
}

#[test]
fn backgrounds_are_those_of_simtbx() {
    let cases = cases("add_background");
    assert_eq!(cases.len(), 5);
    for Case { case, call, info, .. } in cases {
        let info = info.expect("geometry and sources");
        let detector = detector(info.pix0);
        let sources: Vec<_> = info
            .lam
            .iter()
            .zip(&info.weights)
            .map(|(lambda_angstrom, &weight)| {
                let source = Source { incident: detector.beam, lambda_m: lambda_angstrom * 1e-10 };
                WeightedSource { source, weight }
            })
            .collect();
        // simtbx samples the thickness at its ends and between them, so that its layers are thicker together.
        let layer_m =
            if info.thick_mm > 0.0 { info.thick_mm / (info.thicksteps - 1) as f64 / 1000.0 } else { 0.0 };
        let points = water();
        let background = AddBackground {
            detector: &detector,
            sensor: Sensor { layers: info.thicksteps, layer_m, attenuation_per_m: 1000.0 / info.attn_mm },
            sources: &sources,
            only_source: call.ends_with("(1, 0)").then_some(0),
            points: &points,
            polarization: Some(Polarization {
                kahn: 0.0,
                axis: detector.polarization,
                at: PolarizedAt::default(),
            }),
            oversample: info.ov,
            fluence_per_m2: info.fluence,
            molecules: molecules(1e-4, 1e-8, 1.0, 18.0),
        };
        let golden = image(&case);
        let mut pixels = vec![0.0; golden.len()];
        background.apply(&Selection::all(SIZE), &mut pixels).expect(&case);
        for (at, (found, golden)) in pixels.iter().zip(&golden).enumerate() {
            assert!((found / golden - 1.0).abs() <= 2e-15, "{case} {at}: {found} {golden}");
        }
        // It is added, and to the selected pixels alone.
        let before = pixels.clone();
        let roi = Roi { fast_min: 3, fast_max: 5, slow_min: 47, slow_max: 47 };
        background.apply(&Selection { roi: Some(roi), ..Selection::all(SIZE) }, &mut pixels).expect(&case);
        for (at, (after, before)) in pixels.iter().zip(&before).enumerate() {
            let expected = if (47 * 64 + 3..=47 * 64 + 5).contains(&at) { 2.0 * before } else { *before };
            assert_eq!(*after, expected, "{case} {at}");
        }
        let none = AddBackground { only_source: Some(3), ..background };
        assert!(none.apply(&Selection::all(SIZE), &mut pixels).is_err());
        assert!(background.apply(&Selection::all([48, 64]), &mut pixels).is_err());
        assert!(background.apply(&Selection::all(SIZE), &mut pixels[1..]).is_err());
    }
}

#[test]
fn the_table_may_be_in_any_order() {
    // As of nonBragg: the search starts where the pixel before ended, from the first pixel of each call on.
    let (detector, points) = (detector([150.0, 125.0, -165.0]), water());
    let mut swapped = points.clone();
    swapped.swap(4, 5);
    let source = Source { incident: detector.beam, lambda_m: 1e-10 };
    let background = |points: &[RadialPoint]| {
        let mut pixels = vec![0.0; 64 * 48];
        let rule = AddBackground {
            detector: &detector,
            sensor: Sensor::THIN,
            sources: &[WeightedSource { source, weight: 1.0 }],
            only_source: None,
            points,
            polarization: None,
            oversample: 1,
            fluence_per_m2: 1e17,
            molecules: 1e16,
        };
        rule.apply(&Selection::all(SIZE), &mut pixels).map(|()| pixels)
    };
    let (ordered, unordered) =
        (background(&points).expect("ordered"), background(&swapped).expect("unordered"));
    assert_eq!(unordered, background(&swapped).expect("again"));
    assert!(different(&ordered, &unordered) > 100);
    assert!(background(&[]).is_err());
}

#[test]
fn streams_have_spares_of_their_own_and_one_table() {
    let draw = |seeds: &[Seed]| {
        let mut streams = SimtbxStreams::new(-7, 42);
        seeds.iter().map(|&seed| streams.gauss(seed)).collect::<Vec<_>>()
    };
    let (noise, calibration) = (Seed::Noise, Seed::Calibration);
    let pairs = draw(&[noise, noise, noise]);
    let mixed = draw(&[noise, calibration, noise, calibration, noise]);
    // The second of the pair is kept; the third comes from a table that the other seed has filled.
    assert_eq!((mixed[0], mixed[2]), (pairs[0], pairs[1]));
    assert_ne!(mixed[4], pairs[2]);
    assert_eq!([mixed[1], mixed[3]], draw(&[calibration, calibration])[..]);
    assert_eq!(SimtbxStreams::new(0, 1).gauss(noise), SimtbxStreams::new(1, 1).gauss(noise));
    let mut streams = SimtbxStreams::new(3, 3);
    assert!(streams.count(f64::NAN).is_nan() && streams.count(-2.0) == 0.0 && streams.count(0.0) == 0.0);
    assert!(streams.count(3e6).fract() != 0.0 && streams.count(9e5).fract() == 0.0);
}

#[test]
fn images_of_another_size_are_refused() {
    let rule = AddNoise { seed: 1, calibration_seed: 1, noise: SimtbxNoise::DEFAULT, spread: None };
    let mut pixels = vec![5.0; 12];
    let [right, wrong] = [[4, 3], [4, 4]].map(Selection::all);
    assert!(rule.apply(Simd::detect(), &wrong, &mut pixels).is_err());
    let masked = Selection { mask: Some(&[1; 11]), ..right };
    assert!(rule.apply(Simd::detect(), &masked, &mut pixels).is_err());
    assert_eq!(pixels, [5.0; 12]);
    let outside = Roi { fast_min: 9, fast_max: usize::MAX, slow_min: 0, slow_max: 2 };
    rule.apply(Simd::detect(), &Selection { roi: Some(outside), ..right }, &mut pixels).expect("no pixel");
    assert_eq!(pixels, [5.0; 12]);
    rule.apply(Simd::detect(), &right, &mut pixels).expect("all pixels");
    assert!(pixels.iter().all(|pixel| *pixel != 5.0));
}

/// `rounded.csv` has each function's value of 60 digits: the nearest f64, and what is left in units of its last place.
#[test]
fn logarithm_and_arctangent_are_rounded_right() {
    let text = std::fs::read_to_string(golden::root().join("vec/rounded.csv")).expect("rounded.csv");
    let table = Table::parse(&text);
    assert!(table.rows.len() > 300);
    for row in &table.rows {
        let x = table.value(row, "x");
        for (found, name) in [(ln(x), "ln"), (atan(x), "atan")] {
            let nearest = table.value(row, name);
            let rest = table.value(row, &format!("{name}_rest"));
            let is_near_the_middle = rest.abs() > 0.499;
            assert!(found == nearest || is_near_the_middle, "{name} {x}: {found} {nearest} {rest}");
        }
        assert_eq!(atan(-x), -atan(x));
    }
    // The sign of a NaN does not matter: for ln(-1), libm and a compiler that computes it in advance give different signs.
    let bits = |y: f64| if y.is_nan() { f64::NAN.to_bits() } else { y.to_bits() };
    for x in [0.0, -0.0, -1.0, 5e-324, f64::INFINITY, f64::NAN, f64::MAX, 1e-300] {
        assert_eq!([ln(x), atan(x)].map(bits), [x.ln(), x.atan()].map(bits), "{x}");
    }
}
