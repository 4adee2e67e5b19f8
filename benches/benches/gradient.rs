//! Benches of derivatives of three whole rows in the geometry of the authoritative run, compared with
//! rendering them.

use core::hint::black_box;
use core::time::Duration;
use std::time::Instant;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use widebragg::carryover::Carryover;
use widebragg::gradient::{OrientationDerivatives, Sums, VARIABLES, Variables, Wanted};
use widebragg::lanes::Simd;
use widebragg::lattice::Precision;
use widebragg::render::Scene;
use widebragg_benches::{CASES, COLUMNS, Case, ROWS, ROWS_CASE, render, steps, with_scene};
use widebragg_tests::scene::with_turns;

/// The variables of the derivatives: the nine components of the cell vectors; 21 variables, which are these
/// and phi, oscillation, wavelength and the detector's (origin 3, distance, beam centre 2, rotations 3); all
/// variables but the cells; these alone. The number is how many derivatives of the orientations they need.
const WANTED: [(&str, Wanted, usize); 4] = [
    ("9-cell", Wanted { cell: true, ..Wanted::NONE }, 0),
    ("21", Wanted { cell: true, detector: true, wavelength: true, ..Wanted::NONE }, 2),
    ("all", Wanted { cells: false, ..Wanted::ALL }, 3),
    ("cells", Wanted { cells: true, ..Wanted::NONE }, 0),
];

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(30)
        .configure_from_args();
    pullbacks(&mut criterion);
    criterion.final_summary();
    // With `--test` the results are checked and nothing is timed.
    if !std::env::args().any(|arg| arg == "--test") {
        for case in CASES {
            ratios(&case);
        }
    }
}

fn pullback(
    scene: &Scene<'_>,
    turns: &OrientationDerivatives<'_>,
    wanted: Wanted,
    weights: &[f64],
) -> Variables {
    let mut sums = Sums { wanted, ..Sums::default() };
    scene.pullback_rows(turns, 0..ROWS, weights, &Carryover::Off, &mut sums).expect("derivatives");
    sums.variables
}

/// Weights that differ between neighbouring pixels.
fn weights() -> Vec<f64> {
    (0..COLUMNS * ROWS).map(|i| 1.0 + (i % 7) as f64).collect()
}

/// Checks that the pullback equals the weighted sums over the images of derivatives.
fn check(scene: &Scene<'_>, weights: &[f64]) {
    with_turns(scene, 3, |turns| {
        let sums = pullback(scene, turns, Wanted::ALL, weights).to_array();
        let mut image = vec![0.0; COLUMNS * ROWS];
        for (i, sum) in sums.into_iter().enumerate() {
            let mut direction = [0.0; VARIABLES];
            direction[i] = 1.0;
            let directions = [Variables::from_array(&direction)];
            let pushed = scene.pushforward_rows(turns, 0..ROWS, &directions, &Carryover::Off, &mut image);
            pushed.expect("derivatives");
            let terms = image.iter().zip(weights).map(|(slope, weight)| slope * weight);
            let (expected, size) =
                terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()));
            assert!((sum - expected).abs() <= 1e-12 * size, "variable {i}: {sum:e}, {expected:e}");
        }
    });
}

fn pullbacks(criterion: &mut Criterion) {
    let oracle = ROWS_CASE.oracle().expect("the oracle");
    let weights = weights();
    let mut group = criterion.benchmark_group("gradient");
    group.throughput(Throughput::Elements(steps(&oracle)));
    for simd in Simd::available() {
        let timed = with_scene(&oracle, simd, Precision::Double, |scene| {
            check(scene, &weights);
            WANTED.iter().for_each(|choice| time_pullback(&mut group, scene, choice, &weights));
        });
        timed.expect("the scene");
    }
    group.finish();
}

/// Times the pullback by one choice of variables.
fn time_pullback(
    group: &mut BenchmarkGroup<'_, WallTime>,
    scene: &Scene<'_>,
    &(name, wanted, moving): &(&str, Wanted, usize),
    weights: &[f64],
) {
    let level = scene.parts().simd.level();
    let id = BenchmarkId::new(format!("{name}/{level}/f64"), format!("{COLUMNS}x{ROWS}"));
    with_turns(scene, moving, |turns| {
        group.bench_function(id, |bencher| {
            bencher.iter(|| pullback(black_box(scene), turns, wanted, weights));
        });
    });
}

/// Prints the time of the pullback as a multiple of that of rendering, for every level and choice of
/// variables.
fn ratios(case: &Case) {
    let oracle = case.oracle().expect("the oracle");
    for simd in Simd::available() {
        for (name, wanted, moving) in WANTED {
            let timed = with_scene(&oracle, simd, Precision::Double, |scene| {
                with_turns(scene, moving, |turns| time_in_turns(scene, turns, wanted))
            });
            let (rendering, pullbacks) = timed.expect("the scene");
            let ratios = rendering.iter().zip(&pullbacks).map(|(r, p)| p.as_secs_f64() / r.as_secs_f64());
            let mut ratios: Vec<f64> = ratios.collect();
            ratios.sort_by(f64::total_cmp);
            println!(
                "{:>14} {:>8} {name:>6}: {:.2} times rendering (fastest rounds {:.2}), {:.2} ns a step",
                case.name,
                simd.level(),
                ratios[ratios.len() / 2],
                least(&pullbacks) / least(&rendering),
                least(&pullbacks) / steps(&oracle) as f64 * 1e9,
            );
        }
    }
}

/// Times of 31 rounds of rendering and of the pullback, alternating so that both see the same load of the
/// machine.
fn time_in_turns(
    scene: &Scene<'_>,
    turns: &OrientationDerivatives<'_>,
    wanted: Wanted,
) -> (Vec<Duration>, Vec<Duration>) {
    let (weights, mut pixels) = (weights(), vec![0f32; COLUMNS * ROWS]);
    let mut round = || {
        let start = Instant::now();
        black_box(render(black_box(scene), black_box(&mut pixels))).expect("pixels");
        let rendering = start.elapsed();
        let start = Instant::now();
        black_box(pullback(black_box(scene), turns, wanted, &weights));
        (rendering, start.elapsed())
    };
    (0..31).map(|_| round()).unzip()
}

/// The shortest time, in seconds.
fn least(times: &[Duration]) -> f64 {
    times.iter().min().map_or(0.0, Duration::as_secs_f64)
}
