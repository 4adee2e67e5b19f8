//! Benches of each kernel of the render loop, at every level and precision. The bench `rows` repeats the
//! first of them next to the scalar oracle.

use core::hint::black_box;
use core::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use widebragg::lanes::Simd;
use widebragg_benches::{
    CASES, COLUMNS, Case, ENERGIES_CASE, ROWS, check, render, steps, with_channels, with_scene,
};
use widebragg_tests::oracle::Mode;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
        .configure_from_args();
    for kernel in &CASES {
        case(&mut criterion, kernel);
    }
    channels(&mut criterion);
    criterion.final_summary();
}

/// The cost of grids of their own for channels of 32 wavelengths.
fn channels(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(ENERGIES_CASE.name);
    group.throughput(Throughput::Elements(steps(&ENERGIES_CASE.oracle().expect("the oracle"))));
    let mut pixels = vec![0f32; COLUMNS * ROWS];
    for count in [1, 4, 32] {
        let scene = with_channels(count, Simd::detect()).expect("a scene");
        let timed = scene.with(1, |scene, _| {
            group.bench_function(BenchmarkId::new("grids", count), |bencher| {
                bencher.iter(|| render(black_box(scene), black_box(&mut pixels)));
            });
        });
        timed.expect("the scene");
    }
    group.finish();
}

fn case(criterion: &mut Criterion, case: &Case) {
    let oracle = case.oracle().expect("the oracle");
    let expected = oracle.render(Mode::Spec, 1).value;
    let mut group = criterion.benchmark_group(case.name);
    group.throughput(Throughput::Elements(steps(&oracle)));
    let mut pixels = vec![0f32; COLUMNS * ROWS];
    for simd in Simd::available() {
        for &precision in case.precisions() {
            let id = format!("{}/{}", simd.level(), precision.name());
            let id = BenchmarkId::new(id, format!("{COLUMNS}x{ROWS}"));
            let timed = with_scene(&oracle, simd, precision, |scene| {
                check(&oracle, scene, precision, &expected).expect("the oracle's pixels");
                group.bench_function(id, |bencher| {
                    bencher.iter(|| render(black_box(scene), black_box(&mut pixels)));
                });
            });
            timed.expect("the scene");
        }
    }
    group.finish();
}
