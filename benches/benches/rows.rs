//! Benches of three whole rows in the geometry of the authoritative run, rendered by the kernel at every
//! level and by the scalar oracle.

use core::hint::black_box;
use core::time::Duration;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
use widebragg::lanes::Simd;
use widebragg::lattice::Precision;
use widebragg_benches::{COLUMNS, ROWS, ROWS_CASE, check, render, steps, with_scene};
use widebragg_tests::oracle::{Mode, Simulation};

const PRECISIONS: [Precision; 2] = [Precision::Double, Precision::Mixed];

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .sample_size(60)
        .configure_from_args();
    let oracle = ROWS_CASE.oracle().expect("the oracle");
    rows(&mut criterion, &oracle);
    criterion.final_summary();
    // With `--test` the results are checked and nothing is timed.
    if !std::env::args().any(|arg| arg == "--test") {
        ratios(&oracle);
    }
}

fn rows(criterion: &mut Criterion, oracle: &Simulation) {
    let expected = oracle.render(Mode::Spec, 1).value;
    let mut group = criterion.benchmark_group("rows");
    group.throughput(Throughput::Elements(steps(oracle)));
    let size = format!("{COLUMNS}x{ROWS}");
    let mut pixels = vec![0f32; COLUMNS * ROWS];
    for simd in Simd::available() {
        for precision in PRECISIONS {
            let id = BenchmarkId::new(format!("{}/{}", simd.level(), precision.name()), &size);
            let timed = with_scene(oracle, simd, precision, |scene| {
                check(oracle, scene, precision, &expected).expect("the oracle's pixels");
                group.bench_function(id, |bencher| {
                    bencher.iter(|| render(black_box(scene), black_box(&mut pixels)));
                });
            });
            timed.expect("the scene");
        }
    }
    group.bench_function(BenchmarkId::new("oracle/f64", &size), |bencher| {
        bencher.iter(|| black_box(oracle).render(Mode::Spec, 1));
    });
    group.finish();
}

/// Prints how many times as fast as the oracle each level is. The two alternate, so that both see the same
/// load of the machine.
fn ratios(oracle: &Simulation) {
    let mut pixels = vec![0f32; COLUMNS * ROWS];
    for (simd, precision) in Simd::available().flat_map(|simd| PRECISIONS.map(|precision| (simd, precision)))
    {
        let (mut here, mut there) = (Vec::new(), Vec::new());
        let timed = with_scene(oracle, simd, precision, |scene| {
            for _ in 0..31 {
                let start = Instant::now();
                black_box(render(black_box(scene), black_box(&mut pixels))).expect("pixels");
                here.push(start.elapsed());
                let start = Instant::now();
                black_box(black_box(oracle).render(Mode::Spec, 1));
                there.push(start.elapsed());
            }
        });
        timed.expect("the scene");
        let per_step = |mut times: Vec<Duration>| {
            times.sort_unstable();
            times[times.len() / 2].as_secs_f64() * 1e9 / steps(oracle) as f64
        };
        let (here, there) = (per_step(here), per_step(there));
        println!(
            "{:<8} {:<5} {here:6.2} ns a step, oracle {there:6.1}: {:5.1} times faster",
            simd.level().name(),
            precision.name(),
            there / here
        );
    }
}
