//! The kernel's set-up compared with the oracle's: detector, crystal, sampling, cells and oversampling of
//! every golden command line. Every constructor refuses impossible numbers without a panic.

use proptest::prelude::*;
use widebragg::Error;
use widebragg::carryover::Carryover;
use widebragg::crystal::{
    CellSource, Crystal, CrystalParameters, UnitCell, cells_along, recommended_oversample,
};
use widebragg::detector::{Convention, CustomAxes, Detector, DetectorParameters, NormalUse, Pivot, extent};
use widebragg::gradient::{Model, Moves, Parameter};
use widebragg::lanes::Simd;
use widebragg::random::random_misset;
use widebragg::rotation::{Mat3, PhiMode};
use widebragg::sampling::{Axis, StepRequest, axis_steps, phi_steps};
use widebragg::vector::Vec3;
use widebragg_tests::compare::relative;
use widebragg_tests::golden::{self, Case};
use widebragg_tests::oracle::command::{self, Command};
use widebragg_tests::oracle::input::read_matrix;
use widebragg_tests::oracle::sampling::Request;
use widebragg_tests::oracle::{Mode, SEED_WITHOUT_CLOCK, Simulation};
use widebragg_tests::scene::{KernelScene, phi_mode};

const LIMIT: f64 = 1e-13;

fn request(request: Request) -> StepRequest {
    StepRequest { count: request.count, range: request.range, step: request.step }
}

fn detector_parameters(command: &Command) -> Result<DetectorParameters, Error> {
    let pixels = command.detpixels.map(|pixels| pixels.map(|n| n as usize));
    let (fast_pixels, fast_size_m) = extent(command.pixel, pixels[0], command.detsize[0])?;
    let (slow_pixels, slow_size_m) = extent(command.pixel, pixels[1], command.detsize[1])?;
    let given = &command.vectors;
    Ok(DetectorParameters {
        pixel_m: command.pixel,
        fast_pixels,
        slow_pixels,
        fast_size_m,
        slow_size_m,
        distance_m: command.distance,
        close_distance_m: command.close_distance,
        x_beam_m: command.Xbeam,
        y_beam_m: command.Ybeam,
        x_close_m: command.Xclose,
        y_close_m: command.Yclose,
        org_x_px: command.ORGX,
        org_y_px: command.ORGY,
        convention: match command.convention {
            command::Convention::Adxv => Convention::Adxv,
            command::Convention::Mosflm => Convention::Mosflm,
            command::Convention::Denzo => Convention::Denzo,
            command::Convention::Xds => Convention::Xds,
            command::Convention::Dials => Convention::Dials,
            command::Convention::Custom => Convention::Custom(CustomAxes {
                fast: given.fdet.map(Vec3::from),
                slow: given.sdet.map(Vec3::from),
                normal: given.odet.map(Vec3::from),
                beam: given.beam.map(Vec3::from),
                polarization: given.polar.map(Vec3::from),
                spindle: given.spindle.map(Vec3::from),
                twotheta: given.twotheta.map(Vec3::from),
            }),
        },
        pivot: match command.pivot {
            command::Pivot::Beam => Pivot::Beam,
            command::Pivot::Sample => Pivot::Sample,
        },
        rotation_rad: command.rotation,
        twotheta_rad: command.twotheta,
        point_pixel: command.point_pixel,
        curved: command.curved_det,
    })
}

fn crystal_parameters(command: &Command) -> CrystalParameters {
    // The oracle's reader scales the matrix; the kernel takes it in units of 1/lambda0.
    let matrix = command.matrix.as_ref().map(|path| {
        let axes = read_matrix(path, 1e-10).expect("a matrix");
        core::array::from_fn(|i| core::array::from_fn(|j| axes[j][i]))
    });
    let cell = command.cell.map(|[a, b, c, alpha, beta, gamma]| UnitCell {
        lengths_angstrom: [a, b, c],
        angles_rad: [alpha, beta, gamma],
    });
    let seed = command.misset_seed.or(command.seed).unwrap_or(SEED_WITHOUT_CLOCK);
    CrystalParameters {
        source: match (matrix, cell) {
            (Some(matrix), Some(cell)) => CellSource::MatrixWithCell(matrix, cell),
            (Some(matrix), None) => CellSource::Matrix(matrix),
            (None, Some(cell)) => CellSource::Cell(cell),
            (None, None) => panic!("neither matrix nor cell"),
        },
        lambda0_m: command.lambda,
        misset_rad: if command.misset_random { random_misset(-i64::from(seed)) } else { command.misset },
    }
}

/// Compares vectors or numbers with the oracle's, relative to the largest of them.
fn hold(what: &str, ours: &[f64], expected: &[f64]) {
    let floor = expected.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
    for (x, y) in ours.iter().zip(expected) {
        assert!(relative(*x, *y, floor) <= LIMIT, "{what}: {ours:?}, expected {expected:?}");
    }
}

fn hold_detector(what: &str, ours: &Detector, simulation: &Simulation) {
    let d = &simulation.detector;
    let vectors = [
        ("pix0", ours.pix0_m, d.pix0),
        ("fast", ours.fast, d.f),
        ("slow", ours.slow, d.s),
        ("normal", ours.normal, d.o),
        ("beam", ours.beam, d.b),
        ("spindle", ours.spindle, d.u),
        ("polarisation", ours.polarization, d.p),
        ("2theta", ours.twotheta_axis, d.t),
        ("vertical", ours.vertical, d.v),
    ];
    for (name, ours, expected) in vectors {
        hold(&format!("{what} {name}"), &ours.to_array(), &expected);
    }
    assert_eq!([ours.fast_pixels, ours.slow_pixels], d.npixels, "{what}");
    hold(&format!("{what} sizes"), &[ours.pixel_m, ours.slow_size_m], &[d.pixel, d.detsize[1]]);
    let distances = [ours.distance_m, ours.close_distance_m];
    hold(&format!("{what} distances"), &distances, &[d.distance, d.close_distance]);
    // Beam centres are differences of lengths as large as the distance.
    let centres = [
        ours.x_beam_m,
        ours.y_beam_m,
        ours.fast_beam_m,
        ours.slow_beam_m,
        ours.fast_close_m,
        ours.slow_close_m,
    ];
    let expected = [d.Xbeam, d.Ybeam, d.Fbeam, d.Sbeam, d.Fclose, d.Sclose];
    hold(
        &format!("{what} centres"),
        &[&centres[..], &[d.distance]].concat(),
        &[&expected[..], &[d.distance]].concat(),
    );
    let [org_x, org_y] = ours.org_px();
    let far = d.distance / d.pixel;
    hold(&format!("{what} ORG"), &[org_x, org_y, far], &[d.ORGX, d.ORGY, far]);
    hold(&format!("{what} DIALS"), &ours.dials_origin_mm(), &d.dials_origin_mm);
}

fn hold_crystal(what: &str, command: &Command, simulation: &Simulation) {
    let parameters = crystal_parameters(command);
    let ours = Crystal::new(&parameters).expect("a crystal");
    let c = &simulation.crystal;
    hold(&format!("{what} misset"), &parameters.misset_rad, &c.misset);
    for (name, ours, expected) in
        [("a", ours.direct.a_m, c.a), ("b", ours.direct.b_m, c.b), ("c", ours.direct.c_m, c.c)]
    {
        hold(&format!("{what} {name}"), &ours.to_array(), &expected);
    }
    for (ours, expected) in ours.reciprocal_per_angstrom.iter().zip(c.recip) {
        hold(&format!("{what} reciprocal"), &ours.to_array(), &expected);
    }
    hold(&format!("{what} lengths"), &ours.cell.lengths_angstrom, &c.unit_cell[..3]);
    hold(&format!("{what} angles"), &ours.cell.angles_rad.map(f64::to_degrees), &c.unit_cell[3..]);

    let axes = [ours.direct.a_m, ours.direct.b_m, ours.direct.c_m];
    let mut cells = command.N.map(|n| n.max(1) as f64);
    for (i, axis) in axes.into_iter().enumerate() {
        let clipped = if i == 0 { command.sample[i] } else { command.sample[i].min(command.beamsize) };
        if clipped > 0.0 {
            cells[i] = cells_along(clipped, axis);
        }
    }
    assert_eq!(cells, c.N.map(|n| n as f64), "{what}");
    let d = &simulation.detector;
    let recommended = recommended_oversample(ours.direct, cells, command.lambda, d.distance, d.pixel);
    if command.oversample <= 0 {
        assert_eq!(recommended, simulation.oversample as f64, "{what}");
    }
}

#[test]
fn the_set_up_of_golden_command_lines_matches_the_oracle() {
    let mut lines: Vec<(String, Vec<String>, std::path::PathBuf)> = golden::cases()
        .expect("golden images")
        .into_iter()
        .map(|name| (name.clone(), Case::load(&name).expect("case.json").args, golden::inputs()))
        .collect();
    for trace in golden::traces().expect("traces") {
        match golden::authoritative() {
            Some(folder) if trace.case == "authoritative" => lines.push((trace.case, trace.args, folder)),
            _ => {}
        }
    }
    assert!(lines.len() >= 55);
    for (name, args, folder) in lines {
        let command = Command::parse(&args, &folder).expect("command line");
        let simulation = Simulation::from_args(&args, &folder).expect("command line");
        for mode in [Mode::CParity, Mode::Spec] {
            let parameters = detector_parameters(&command.in_mode(mode)).expect("an extent");
            let detector = Detector::new(&parameters, phi_mode(mode)).expect("a detector");
            hold_detector(&format!("{name} {mode:?}"), &detector, &simulation.in_mode(mode));
        }
        hold_crystal(&name, &command, &simulation);

        let phi = phi_steps(request(command.phi)).expect("phi");
        assert_eq!(
            (phi.count, phi.step, phi.range),
            (simulation.phi.len(), simulation.phistep, simulation.osc),
            "{name}"
        );
        let mut thickness = request(command.thickness);
        if command.detector_abs == Some(f64::INFINITY) && !command.thick_after_infinite_depth {
            thickness.range = Some(0.0);
        }
        let layers = axis_steps(Axis::Thickness, thickness).expect("layers");
        let expected = simulation.layers;
        assert_eq!((layers.count, layers.step), (expected.count, expected.step), "{name}");
    }
}

/// From parameters to pixels with the kernel's own set-up, the image is the golden image.
#[test]
fn images_from_the_kernel_s_set_up_match_the_reference() {
    for name in ["tilt_twotheta", "custom_vectors", "misset_random", "mat_and_cell", "curved_custom"] {
        let case = Case::load(name).expect("case.json");
        let command = Command::parse(&case.args, &golden::inputs()).expect("command line");
        let simulation = Simulation::from_args(&case.args, &golden::inputs()).expect("command line");
        let reference = case.image(Mode::CParity).expect("float image");
        for simd in Simd::available() {
            let mut scene = KernelScene::from_simulation(&simulation, simd, Mode::CParity);
            scene.detector =
                Detector::new(&detector_parameters(&command).expect("an extent"), phi_mode(Mode::CParity))
                    .expect("a detector");
            let crystal = Crystal::new(&crystal_parameters(&command)).expect("a crystal");
            scene.cell = crystal.direct;
            scene.crystallite.reciprocal_per_angstrom = crystal.reciprocal_per_angstrom;
            let image: Vec<f32> = scene.render(1).expect("an image");
            let difference = widebragg_tests::compare::compare(&image, &reference).expect("same size");
            assert!(difference.is_within_limits(), "{name} {}: {difference}", simd.level());
        }
    }
}

#[test]
fn extents_are_derived_from_pixels_or_lengths() {
    assert_eq!(extent(1e-4, None, None).map(|(n, _)| n), Ok(1024));
    assert_eq!(extent(2e-4, Some(96), Some(0.5)), Ok((96, 2e-4 * 96.0)));
    assert_eq!(extent(1e-4, None, Some(0.00096)), Ok((10, 0.00096)));
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(extent(bad, Some(4), None).is_err());
        assert!(extent(1e-4, None, Some(bad)).is_err());
    }
    assert!(matches!(extent(1e-4, Some(usize::MAX), None), Err(Error::TooLarge { .. })));
    assert!(matches!(extent(1e-300, None, Some(1.0)), Err(Error::TooLarge { .. })));
}

/// A vector whose squared length overflows or underflows cannot be normalised and is refused.
#[test]
fn axes_that_cannot_be_normalised_are_refused() {
    let args = ["-detpixels", "8", "-beam_vector", "1", "0", "0"].map(str::to_owned);
    let command = Command::parse(&args, &golden::inputs()).expect("command line");
    let parameters = detector_parameters(&command).expect("parameters");
    let placed = |axes: CustomAxes| {
        let convention = Convention::Custom(axes);
        Detector::new(&DetectorParameters { convention, ..parameters }, PhiMode::Spec)
    };
    for (size, is_usable) in
        [(1e-3, true), (1e100, true), (1e155, false), (1e211, false), (1e-161, false), (0.0, false)]
    {
        let along = |x: f64, y: f64, z: f64| Some(Vec3::new(size * x, size * y, size * z));
        let axes = CustomAxes::default();
        for axes in [
            CustomAxes { fast: along(0.0, 0.1, 1.0), ..axes },
            CustomAxes { slow: along(0.0, -1.0, 0.1), ..axes },
            CustomAxes { beam: along(1.0, 0.1, 0.0), ..axes },
            CustomAxes { polarization: along(0.0, 0.1, 1.0), ..axes },
            CustomAxes { spindle: along(0.0, 0.1, 1.0), ..axes },
        ] {
            let detector = placed(axes);
            assert_eq!(detector.is_ok(), is_usable, "{axes:?} {detector:?}");
            if let Ok(Detector { beam, polarization, vertical, spindle, .. }) = detector {
                for axis in [beam, polarization, vertical, spindle] {
                    assert!((axis.length() - 1.0).abs() < 1e-12, "{axes:?}");
                }
            }
        }
    }
}

/// A negative close distance would make every pixel negative.
#[test]
fn close_distances_that_are_not_above_0_are_refused() {
    for convention in Convention::NAMED.iter().copied().chain([Convention::Custom(CustomAxes::default())]) {
        for pivot in [Pivot::Beam, Pivot::Sample] {
            let placed = |close: f64| {
                let close_distance_m = Some(close);
                let parameters = DetectorParameters {
                    close_distance_m,
                    convention,
                    pivot,
                    ..DetectorParameters::default()
                };
                Detector::new(&parameters, PhiMode::CParity)
            };
            assert!(placed(0.1).is_ok_and(|detector| detector.close_distance_m > 0.0));
            for close in [-0.1, -1e-300, 0.0, -0.0, f64::NAN, f64::NEG_INFINITY] {
                let quantity = "close distance in m";
                let refused =
                    matches!(placed(close), Err(Error::OutOfRange { quantity: q, .. }) if q == quantity);
                assert!(refused, "{convention:?} {close}");
            }
        }
    }
}

/// The normal of custom axes of either handedness, of length 1 and not, in both modes.
#[test]
fn normals_follow_the_rule_of_the_mode() {
    for (slow, hand) in [("0 -1 0.1", 1.0), ("0 1 0.1", -1.0)] {
        for (odet, is_unit) in
            [("1 0 0", true), ("2 0 0", false), ("0.9 0.1 -0.05", false), ("-3 0 0", false)]
        {
            let line = format!(
                "-cell 40 -default_F 1 -N 1 -oversample 1 -pixel 1 -detpixels 8 -distance 90 -fdet_vector 0 0.1 1 \
                 -sdet_vector {slow} -odet_vector {odet} -beam_vector 1 0 0 -detector_rotx 3 -detector_roty -5 \
                 -twotheta_axis 0 1 0 -twotheta 7"
            );
            let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let command = Command::parse(&args, &golden::inputs()).expect("command line");
            let simulation = Simulation::from_args(&args, &golden::inputs()).expect("command line");
            let parameters = detector_parameters(&command).expect("an extent");
            let untilted = DetectorParameters { rotation_rad: [0.0; 3], twotheta_rad: 0.0, ..parameters };
            // fast x slow is close to +x on the right-handed detector, to -x on the mirrored one.
            let is_mirrored = hand * if odet.starts_with('-') { -1.0 } else { 1.0 } < 0.0;
            for mode in [Mode::CParity, Mode::Spec] {
                let what = format!("{slow}, {odet}, {mode:?}");
                let detector = Detector::new(&parameters, phi_mode(mode)).expect("a detector");
                hold_detector(&what, &detector, &simulation.in_mode(mode));
                let expected = match (is_unit, is_mirrored, mode) {
                    (true, ..) => NormalUse::AsGiven,
                    (false, true, Mode::Spec) => NormalUse::Normalized,
                    _ => NormalUse::Replaced,
                };
                assert_eq!(detector.normal_use, expected, "{what}");
                let normal = Detector::new(&untilted, phi_mode(mode)).expect("a detector").normal;
                let given = Vec3::from(command.vectors.odet.expect("a normal"));
                let along = normal.dot(given) / given.length();
                let keeps_direction = expected != NormalUse::Replaced;
                assert!(!keeps_direction || (along - 1.0).abs() < 1e-12, "{what}");
                assert_eq!(along < 0.0, is_mirrored && !keeps_direction, "{what}");
            }
        }
    }
}

/// A moved detector follows the rule of the mode as well: no derivative of a mirrored detector jumps to the
/// other side of the sample.
#[test]
fn derivatives_of_a_mirrored_detector_follow_the_rule_of_the_mode() {
    let axes = CustomAxes {
        fast: Some(Vec3::new(0.0, 0.0, 1.0)),
        slow: Some(Vec3::new(0.0, 1.0, 0.0)),
        normal: Some(Vec3::new(2.0, 0.0, 0.0)),
        ..CustomAxes::default()
    };
    let source = CellSource::Cell(UnitCell::from_degrees([30.0, 40.0, 50.0], [90.0; 3]));
    let crystal = CrystalParameters { source, lambda0_m: 1e-10, misset_rad: [0.0; 3] };
    for mode in [PhiMode::Spec, PhiMode::CParity] {
        let rotated = |by: f64| DetectorParameters {
            convention: Convention::Custom(axes),
            rotation_rad: [0.01, 0.02 + by, 0.03],
            ..DetectorParameters::default()
        };
        let model = Model::new(crystal, rotated(0.0), mode, 1, 0.0).expect("a model");
        let slope = model.direction(&Moves::default(), Parameter::DetectorRotation(1)).expect("a direction");
        let step = 1e-6;
        let [above, below] = [step, -step].map(|by| Detector::new(&rotated(by), mode).expect("a detector"));
        for (name, slope, above, below) in [
            ("normal", slope.normal, above.normal, below.normal),
            ("pix0", slope.pix0_m, above.pix0_m, below.pix0_m),
        ] {
            let difference = (0.5 / step) * (above - below);
            assert!((slope - difference).length() < 1e-9, "{mode:?} {name}: {slope:?} {difference:?}");
        }
        let placed = model.variables(&Moves::default()).expect("variables");
        assert_eq!(placed.pix0_m, Detector::new(&rotated(0.0), mode).expect("a detector").pix0_m);
        assert_eq!(placed.distance_m > 0.0, mode == PhiMode::Spec);
    }
}

fn cell(lengths_angstrom: [f64; 3], angles_deg: [f64; 3]) -> Result<Crystal, Error> {
    let angles_rad = angles_deg.map(f64::to_radians);
    Crystal::new(&CrystalParameters {
        source: CellSource::Cell(UnitCell { lengths_angstrom, angles_rad }),
        lambda0_m: 1e-10,
        misset_rad: [0.0; 3],
    })
}

#[test]
fn impossible_crystals_are_refused() {
    let lengths = [30.0, 40.0, 50.0];
    assert!(cell(lengths, [80.0, 90.0, 100.0]).is_ok());
    for angles in [[120.0; 3], [30.0, 30.0, 90.0], [150.0, 150.0, 150.0], [60.0, 60.0, 120.0]] {
        assert_eq!(cell(lengths, angles), Err(Error::ImpossibleCell), "{angles:?}");
    }
    for bad in [0.0, -90.0, 180.0, 270.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(cell(lengths, [90.0, bad, 90.0]), Err(Error::OutOfRange { .. })), "{bad}");
    }
    for bad in [0.0, -30.0, f64::NAN, f64::INFINITY, 1e10] {
        assert!(matches!(cell([30.0, 40.0, bad], [90.0; 3]), Err(Error::OutOfRange { .. })), "{bad}");
    }
    let matrix = |source: Mat3, lambda0_m: f64| {
        Crystal::new(&CrystalParameters {
            source: CellSource::Matrix(source),
            lambda0_m,
            misset_rad: [0.1; 3],
        })
    };
    assert!(matrix([[0.02, 0.0, 0.0], [0.0, 0.03, 0.0], [0.0, 0.0, 0.04]], 1e-10).is_ok());
    // A left-handed matrix is accepted.
    assert!(matrix([[0.02, 0.0, 0.0], [0.0, 0.03, 0.0], [0.0, 0.0, -0.04]], 1e-10).is_ok());
    for singular in [[[0.0; 3]; 3], [[0.1; 3]; 3], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]] {
        assert_eq!(matrix(singular, 1e-10), Err(Error::SingularMatrix), "{singular:?}");
    }
    for bad in [f64::NAN, f64::INFINITY] {
        assert!(matrix([[0.02, 0.0, 0.0], [0.0, bad, 0.0], [0.0, 0.0, 0.04]], 1e-10).is_err());
    }
    for bad in [0.0, -1e-10, f64::NAN, f64::INFINITY] {
        assert!(matrix([[0.02, 0.0, 0.0], [0.0, 0.03, 0.0], [0.0, 0.0, 0.04]], bad).is_err());
    }
}

/// Any f64, with special values more often than by chance.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -10.0..10.0_f64,
        2 => any::<u64>().prop_map(f64::from_bits),
        1 => prop::sample::select(vec![
            0.0, -0.0, 1.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, 5e-324,
        ]),
    ]
}

fn maybe() -> impl Strategy<Value = Option<f64>> {
    prop::option::of(number())
}

fn vector() -> impl Strategy<Value = Vec3> {
    prop::array::uniform3(number()).prop_map(Vec3::from)
}

fn convention() -> impl Strategy<Value = Convention> {
    let axis = || prop::option::of(vector());
    let custom = (axis(), axis(), axis(), axis(), axis(), axis(), axis());
    prop_oneof![
        prop::sample::select(vec![
            Convention::Adxv,
            Convention::Mosflm,
            Convention::Denzo,
            Convention::Xds,
            Convention::Dials
        ]),
        custom.prop_map(|(fast, slow, normal, beam, polarization, spindle, twotheta)| {
            Convention::Custom(CustomAxes { fast, slow, normal, beam, polarization, spindle, twotheta })
        }),
    ]
}

fn any_detector() -> impl Strategy<Value = DetectorParameters> {
    let sizes = (number(), 0_usize..6, 0_usize..6, number(), number());
    let places = (maybe(), maybe(), maybe(), maybe(), maybe(), maybe(), maybe(), maybe());
    let turns = (convention(), any::<bool>(), prop::array::uniform3(number()), number(), any::<bool>());
    (sizes, places, turns).prop_map(|(sizes, places, turns)| DetectorParameters {
        pixel_m: sizes.0,
        fast_pixels: sizes.1,
        slow_pixels: sizes.2,
        fast_size_m: sizes.3,
        slow_size_m: sizes.4,
        distance_m: places.0,
        close_distance_m: places.1,
        x_beam_m: places.2,
        y_beam_m: places.3,
        x_close_m: places.4,
        y_close_m: places.5,
        org_x_px: places.6,
        org_y_px: places.7,
        convention: turns.0,
        pivot: if turns.1 { Pivot::Beam } else { Pivot::Sample },
        rotation_rad: turns.2,
        twotheta_rad: turns.3,
        point_pixel: turns.4,
        curved: turns.1,
    })
}

/// A valid scene, into which impossible numbers are put.
fn good_scene(simd: Simd) -> KernelScene {
    let line = "-hkl sparse.hkl -default_F 3 -mat tri.mat -pixel 3 -detpixels_x 5 -detpixels_y 4 -distance 30 -N 3 \
                -oversample 1 -phi 0 -osc 1 -phisteps 2 -interpolate -polar 0.7";
    let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let simulation = Simulation::from_args(&args, &golden::inputs()).expect("command line");
    KernelScene::from_simulation(&simulation, simd, Mode::CParity)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_numbers_give_a_detector_or_an_error(parameters in any_detector(), spec in any::<bool>()) {
        let mode = if spec { PhiMode::Spec } else { PhiMode::CParity };
        if let Ok(detector) = Detector::new(&parameters, mode) {
            prop_assert!(detector.pix0_m.is_finite() && detector.distance_m.is_finite());
            prop_assert!(detector.fast.is_finite() && detector.slow.is_finite() && detector.normal.is_finite());
            prop_assert!(detector.close_distance_m.is_finite());
            prop_assert!(detector.vertical.is_finite() && detector.spindle.is_finite());
        }
    }

    #[test]
    fn any_numbers_give_a_crystal_or_an_error(
        matrix in prop::array::uniform3(prop::array::uniform3(number())),
        lengths in prop::array::uniform3(number()),
        angles in prop::array::uniform3(number()),
        lambda0_m in number(),
        misset_rad in prop::array::uniform3(number()),
    ) {
        let cell = UnitCell { lengths_angstrom: lengths, angles_rad: angles };
        for source in [CellSource::Cell(cell), CellSource::Matrix(matrix), CellSource::MatrixWithCell(matrix, cell)] {
            if let Ok(crystal) = Crystal::new(&CrystalParameters { source, lambda0_m, misset_rad }) {
                let Crystal { direct, reciprocal_per_angstrom, cell } = crystal;
                let vectors = [direct.a_m, direct.b_m, direct.c_m].into_iter().chain(reciprocal_per_angstrom);
                prop_assert!(vectors.into_iter().all(Vec3::is_finite), "{:?} gave {:?}", source, crystal);
                prop_assert!(cell.lengths_angstrom.iter().chain(&cell.angles_rad).all(|x| x.is_finite()));
                let cells = cells_along(lengths[0], direct.a_m);
                let _ = recommended_oversample(direct, [cells; 3], lambda0_m, angles[0], angles[1]);
            }
        }
    }

    #[test]
    fn any_numbers_give_a_scene_or_an_error(which in 0..19_usize, x in number(), v in vector(), level in 0..3_usize) {
        let simd = Simd::available().nth(level).unwrap_or(Simd::detect());
        let mut scene = good_scene(simd);
        match which {
            0 => scene.sensor.layer_m = x,
            1 => scene.sensor.attenuation_per_m = x,
            2 => scene.sources[0].incident = v,
            3 => scene.sources[0].lambda_m = x,
            4 => scene.cell.a_m = v,
            5 => scene.sweep.phi0_rad = x,
            6 => scene.sweep.step_rad = x,
            7 => scene.sweep.spindle = v,
            8 => scene.domains[0][1] = v.to_array(),
            9 => scene.crystallite.cells[1] = x,
            10 => scene.crystallite.fudge = x,
            11 => scene.crystallite.reciprocal_per_angstrom[2] = v,
            12 => scene.default_f = x,
            13 => scene.grid.as_mut().expect("a grid").data[7] = x,
            14 => scene.d_min_m = x,
            15 => scene.fluence_per_m2 = x,
            16 => scene.water_m = x,
            17 => scene.polarization.as_mut().expect("a polarisation").kahn = x,
            _ => scene.detector.pix0_m = v,
        }
        for shape in [widebragg::lattice::CrystalShape::Square, widebragg::lattice::CrystalShape::Gauss] {
            scene.crystallite.shape = shape;
            let _ = scene.with(2, |scene, slots| {
                let mut pixels = [0.0_f32; 20];
                let mut carry = Carryover::Streams(slots);
                let _ = scene.render_rows(0..4, &mut pixels, &mut carry);
                let _ = scene.render_pixel(1, 1, &mut carry);
                let _ = scene.probe_pixel(1, 1, &carry, &mut |_| ());
            });
        }
    }
}

#[test]
fn impossible_scenes_are_refused() {
    let simd = Simd::detect();
    let refused = |change: &dyn Fn(&mut KernelScene)| {
        let mut scene = good_scene(simd);
        assert!(scene.render::<f32>(1).is_ok());
        change(&mut scene);
        scene.render::<f32>(1).expect_err("refused")
    };
    for bad in [0.0, -1.0, 0.5, f64::NAN, f64::INFINITY, 1e9] {
        refused(&|scene| scene.crystallite.cells[2] = bad);
    }
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        refused(&|scene| scene.crystallite.fudge = bad);
        refused(&|scene| scene.d_min_m = bad);
        refused(&|scene| scene.fluence_per_m2 = bad);
        refused(&|scene| scene.water_m = bad);
        refused(&|scene| scene.sensor.layer_m = bad);
        refused(&|scene| scene.sensor.attenuation_per_m = bad);
    }
    for bad in [f64::NAN, f64::INFINITY] {
        let error = refused(&|scene| scene.polarization.as_mut().expect("a polarisation").kahn = bad);
        assert!(error.to_string().starts_with("Kahn factor is "), "{error}");
    }
    refused(&|scene| scene.default_f = f64::NAN);
    refused(&|scene| scene.sources.clear());
    refused(&|scene| scene.domains.clear());
    refused(&|scene| scene.sources[0].lambda_m = 0.0);
    refused(&|scene| scene.sensor.layers = 0);
    refused(&|scene| scene.oversample.per_axis = 0);
    // Its square underflows to 0 in f64.
    refused(&|scene| scene.oversample.per_axis = 1 << 32);
    refused(&|scene| scene.roi.fast_max = 5);
    refused(&|scene| scene.roi.slow_min = 4);
    refused(&|scene| (scene.roi.fast_min, scene.roi.fast_max) = (3, 2));
    let short = refused(&|scene| scene.mask = Some(vec![1; 19]));
    assert_eq!(short, Error::BufferTooShort { buffer: "mask", needed: 20, given: 19 });
}
