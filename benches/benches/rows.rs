//! Three whole rows of the authoritative geometry, by the kernel at every level and by the scalar oracle.

use core::hint::black_box;
use core::time::Duration;
use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
use widebragg::lanes::Simd;
use widebragg::lattice::CrystalShape;
use widebragg_benches::{COLUMNS, Lookup, ROWS, STEPS, Strip, check, render};
use widebragg_tests::oracle::Mode;

const SQUARE: CrystalShape = CrystalShape::Square;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(8))
        .sample_size(60)
        .configure_from_args();
    rows(&mut criterion);
    criterion.final_summary();
    ratios();
}

fn rows(criterion: &mut Criterion) {
    let mut strip = Strip::new().expect("the strip");
    let oracle = strip.oracle(SQUARE, Lookup::Nearest).expect("the oracle");
    let mut group = criterion.benchmark_group("rows");
    group.throughput(Throughput::Elements(STEPS));
    let size = format!("{COLUMNS}x{ROWS}");
    let mut pixels = vec![0f32; COLUMNS * ROWS];
    for simd in Simd::available() {
        let scene = strip.scene(simd, SQUARE, Lookup::Nearest).expect("the scene");
        check(&scene, &oracle).expect("the oracle's pixels");
        group.bench_function(BenchmarkId::new(format!("{}/f64", simd.level()), &size), |bencher| {
            bencher.iter(|| render(black_box(&scene), black_box(&mut pixels)));
        });
    }
    group.bench_function(BenchmarkId::new("oracle/f64", &size), |bencher| {
        bencher.iter(|| black_box(&oracle).render(Mode::Spec, 1));
    });
    group.finish();
}

/// How many times faster than the oracle each level is, timed in turns so that both see the same machine.
fn ratios() {
    let mut strip = Strip::new().expect("the strip");
    let oracle = strip.oracle(SQUARE, Lookup::Nearest).expect("the oracle");
    let mut pixels = vec![0f32; COLUMNS * ROWS];
    for simd in Simd::available() {
        let scene = strip.scene(simd, SQUARE, Lookup::Nearest).expect("the scene");
        let (mut here, mut there) = (Vec::new(), Vec::new());
        for _ in 0..31 {
            let start = Instant::now();
            black_box(render(black_box(&scene), black_box(&mut pixels))).expect("pixels");
            here.push(start.elapsed());
            let start = Instant::now();
            black_box(black_box(&oracle).render(Mode::Spec, 1));
            there.push(start.elapsed());
        }
        let per_step = |mut times: Vec<Duration>| {
            times.sort_unstable();
            times[times.len() / 2].as_secs_f64() * 1e9 / STEPS as f64
        };
        let (here, there) = (per_step(here), per_step(there));
        println!(
            "{:<8} {here:6.2} ns a step, oracle {there:6.1}: {:5.1} times faster",
            simd.level().name(),
            there / here
        );
    }
}
