//! Benches of each kernel of the render loop, at every level and precision. The bench `rows` repeats the
//! first of them next to the scalar oracle.

use core::hint::black_box;
use core::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use widebragg::lanes::Simd;
use widebragg_benches::{CASES, COLUMNS, Case, ROWS, check, render, steps, with_scene};
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
    criterion.final_summary();
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
