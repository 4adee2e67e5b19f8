//! The kernel's beam: polarisation, sources, fluence, water, and the rules for count, range and step,
//! compared with the oracle.

use proptest::prelude::*;
use widebragg::Error;
use widebragg::beam::{Source, SourceGrid, fluence_per_m2, polarization_factor, water_background};
use widebragg::carryover::Carryover;
use widebragg::lanes::Simd;
use widebragg::sampling::{Axis, StepRequest, Steps, axis_steps, phi_steps};
use widebragg::vector::Vec3;
use widebragg_tests::compare::relative;
use widebragg_tests::golden::{self, table};
use widebragg_tests::oracle;
use widebragg_tests::oracle::command::Command;
use widebragg_tests::oracle::sampling::Request;
use widebragg_tests::oracle::{Mode, Simulation};
use widebragg_tests::scene::KernelScene;

/// The table's vectors are not of unit length. Both sides use them without normalising.
#[test]
fn polarisation_matches_the_reference() {
    for row in table("polarization.csv").expect("polarization.csv") {
        let vector = |at: usize| Vec3::new(row[at], row[at + 1], row[at + 2]);
        let factor = polarization_factor(row[0], vector(1), vector(4), vector(7));
        assert!(relative(factor, row[10], 1.0) <= 1e-15, "{row:?}: {factor}");
    }
}

#[test]
fn polarisation_handles_special_cases() {
    let (x, y, z) = (Vec3::new(1.0, 0.0, 0.0), Vec3::new(0.0, 1.0, 0.0), Vec3::new(0.0, 0.0, 1.0));
    // In the forward direction the factor is 1. At 90 degrees to the beam, a fully polarised beam does not
    // scatter along its polarisation.
    assert_eq!(polarization_factor(1.0, x, x, z), 1.0);
    assert_eq!(polarization_factor(1.0, x, z, z), 0.0);
    assert_eq!(polarization_factor(1.0, x, y, z), 1.0);
    assert_eq!(polarization_factor(0.0, x, y, z), 0.5);
    // An axis along the beam leaves psi undefined.
    let open = oracle::functions::polarization_factor(0.5, x.to_array(), y.to_array(), x.to_array());
    assert_eq!(polarization_factor(0.5, x, y, x), open);
}

/// The vectorised factor of the render loop, compared with the scalar one.
#[test]
fn polarisation_in_the_loop_matches_the_oracle() {
    for kahn in ["0", "0.95", "-0.4", "1"] {
        let line = format!(
            "-hkl dense.hkl -mat tri.mat -pixel 2 -detpixels 9 -distance 9 -N 3 -oversample 1 -polar {kahn}"
        );
        let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let simulation = Simulation::from_args(&args, &golden::inputs()).expect("command line");
        let pixels: Vec<(usize, usize)> = (0..81).map(|i| (i / 9, i % 9)).collect();
        let expected = simulation.render_pixels(Mode::Spec, 1, &pixels);
        for simd in Simd::available() {
            KernelScene::from_simulation(&simulation, simd, Mode::Spec)
                .with(1, |scene, _| {
                    for trace in &expected {
                        let probe = scene.probe_pixel(trace.slow, trace.fast, &Carryover::Off, &mut |_| ());
                        let polar = probe.expect("a pixel").polarization;
                        assert!(
                            (polar - trace.polar).abs() <= 1e-14,
                            "{} {polar} {}",
                            simd.level(),
                            trace.polar
                        );
                    }
                })
                .expect("a scene");
        }
    }
}

fn command(line: &str) -> Command {
    let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    Command::parse(&args, &golden::inputs()).expect("command line")
}

fn request(request: Request) -> StepRequest {
    StepRequest { count: request.count, range: request.range, step: request.step }
}

#[test]
fn sources_match_the_oracle() {
    for line in [
        "-hdivrange 3 -hdivsteps 4 -vdivrange 2 -vdivsteps 5 -dispersion 2 -dispsteps 3",
        "-divergence 2 -divsteps 6",
        "-divergence 2 -divsteps 6 -square_div",
        "-divergence 2 -divsteps 5 -xds",
        "-hdivrange 3 -hdivstep 0.7",
        "-vdivrange 3 -dials",
        "-hdivsteps 3",
        "-dispersion 1.5",
        "-adxv -hdivrange 1 -hdivsteps 3 -beam_vector 0.3 0.1 1 -polar_vector 0.1 1 0.2",
        "",
    ] {
        let line = format!("-mat tri.mat -hkl sparse.hkl -lambda 1.3 -detpixels 8 -oversample 1 {line}");
        let command = command(&line);
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let simulation = Simulation::from_args(&args, &golden::inputs()).expect("command line");
        let detector = KernelScene::from_simulation(&simulation, Simd::detect(), Mode::Spec).detector;
        let grid = SourceGrid {
            hdiv: axis_steps(Axis::Divergence, request(command.hdiv)).expect("hdiv"),
            vdiv: axis_steps(Axis::Divergence, request(command.vdiv)).expect("vdiv"),
            dispersion: axis_steps(Axis::Dispersion, request(command.dispersion)).expect("dispersion"),
            round: command.round_div,
            lambda0_m: command.lambda,
        };
        let needed = grid.sources_len().expect("a length");
        let mut sources = vec![Source::default(); needed + 2];
        let used = grid.fill(&detector.frame(), &mut sources).expect("sources");
        assert_eq!(used, simulation.sources.len(), "{line}");
        for (ours, expected) in sources.iter().zip(&simulation.sources) {
            assert!((ours.incident + Vec3::from(expected.direction)).length() <= 1e-15, "{line}");
            assert!(relative(ours.lambda_m, expected.lambda, 0.0) <= 1e-15, "{line}");
        }
        for given in 0..needed {
            let short = Error::BufferTooShort { buffer: "sources", needed, given };
            assert_eq!(grid.fill(&detector.frame(), &mut sources[..given]), Err(short), "{line}");
        }
    }
}

#[test]
fn impossible_sources_are_refused() {
    let x = Vec3::new(-3.0, 0.0, 0.0);
    let incident = Vec3::new(1.0, 0.0, 0.0);
    assert_eq!(Source::new(x, 1e-10).map(|source| source.incident.x), Ok(incident.x));
    for lambda in [0.0, -1e-10, f64::NAN, f64::INFINITY] {
        assert!(Source::new(x, lambda).is_err(), "{lambda}");
    }
    // Vectors whose squared length overflows or underflows are finite, but cannot be normalised.
    let odd = [1e155, 1e211, 1e-161, 1e-200].map(|x| Vec3::new(0.0, x, -10.0 * x / 1e10));
    let none = [Vec3::default(), Vec3::new(f64::NAN, 0.0, 1.0), Vec3::new(0.0, f64::INFINITY, 0.0)];
    for from in none.into_iter().chain(odd) {
        assert!(Source::new(from, 1e-10).is_err(), "{from:?}");
    }
    let many = Steps { count: usize::MAX / 2, range: 1.0, step: 1.0 };
    let one = Steps { count: 1, range: 0.0, step: 0.0 };
    let grid = SourceGrid { hdiv: many, vdiv: one, dispersion: one, round: true, lambda0_m: 1e-10 };
    assert!(matches!(grid.sources_len(), Err(Error::TooLarge { .. })));
    assert!(matches!(SourceGrid { vdiv: many, ..grid }.sources_len(), Err(Error::TooLarge { .. })));
}

/// A random value for count, range or step: absent, zero, negative, or positive.
fn quantity() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        2 => Just(None),
        1 => Just(Some(0.0)),
        1 => (-2.0..-0.01_f64).prop_map(Some),
        5 => (0.001..2.0_f64).prop_map(Some),
        1 => (1_u32..8).prop_map(|n| Some(f64::from(n) * 0.25)),
    ]
}

fn same(ours: Result<Steps, Error>, expected: Result<oracle::sampling::Steps, String>) -> bool {
    match (ours, expected) {
        (Ok(ours), Ok(expected)) => {
            (ours.count, ours.range, ours.step) == (expected.count, expected.range, expected.step)
        }
        // The oracle's limit is lower: it refuses a million steps.
        (_, Err(_)) => true,
        (Err(_), Ok(_)) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn step_rules_match_the_oracle(
        count in prop_oneof![Just(None), (-2..9_i64).prop_map(Some)],
        range in quantity(),
        step in quantity(),
    ) {
        let (ours, theirs) = (StepRequest { count, range, step }, Request { count, range, step });
        prop_assert!(same(phi_steps(ours), oracle::sampling::phi_steps(theirs)), "phi {:?}", ours);
        let divergence = oracle::sampling::axis_steps("divergence", theirs);
        prop_assert!(same(axis_steps(Axis::Divergence, ours), divergence), "divergence {:?}", ours);
        // The default range of dispersion and thickness is 0.
        let theirs = Request { range: range.or(Some(0.0)), ..theirs };
        let dispersion = oracle::sampling::axis_steps("dispersion", theirs);
        prop_assert!(same(axis_steps(Axis::Dispersion, ours), dispersion), "dispersion {:?}", ours);
        let thickness = oracle::sampling::thickness_steps(theirs);
        prop_assert!(same(axis_steps(Axis::Thickness, ours), thickness), "thickness {:?}", ours);
    }

    #[test]
    fn any_request_gives_steps_or_an_error(
        count in any::<Option<i64>>(),
        bits in prop::array::uniform2(any::<Option<u64>>()),
    ) {
        let [range, step] = bits.map(|bits| bits.map(f64::from_bits));
        let request = StepRequest { count, range, step };
        for axis in [Axis::Divergence, Axis::Dispersion, Axis::Thickness] {
            prop_assert!(axis_steps(axis, request).is_ok_and(|steps| steps.count > 0) || axis_steps(axis, request).is_err());
        }
        prop_assert!(phi_steps(request).is_ok_and(|steps| steps.count > 0) || phi_steps(request).is_err());
    }

    #[test]
    fn fluence_and_water_match_the_oracle(
        flux in prop_oneof![Just(0.0), 1e8..1e14_f64],
        exposure in -1.0..3.0_f64,
        beamsize in -1e-4..1e-3_f64,
        water in 0.0..1e-4_f64,
    ) {
        let command = Command { flux, exposure, beamsize, ..Command::default() };
        let ours = fluence_per_m2(command.fluence, flux, exposure, beamsize);
        prop_assert_eq!(ours, oracle::beam::fluence(&command));
        let electrons = 2.57 * 2.57 * oracle::R_E_SQR * ours * water.powi(3) * 1e6 * 6.02214179e23 / 18.0;
        prop_assert!(relative(water_background(ours, water), electrons, 0.0) <= 1e-14);
    }
}
