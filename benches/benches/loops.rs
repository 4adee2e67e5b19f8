//! One row by each lookup and by each crystal shape, at every level: what a step costs with them.
//!
//! Lookups are timed with the square shape, shapes with the nearest lookup.

use core::hint::black_box;
use core::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use widebragg::lanes::Simd;
use widebragg::lattice::CrystalShape;
use widebragg_benches::{COLUMNS, Lookup, ROWS, STEPS, Strip, check, render};

const LOOKUPS: [(&str, Lookup); 3] =
    [("uniform", Lookup::Uniform), ("nearest", Lookup::Nearest), ("tricubic", Lookup::Tricubic)];

const SHAPES: [(&str, CrystalShape); 4] = [
    ("square", CrystalShape::Square),
    ("round", CrystalShape::Round),
    ("gauss", CrystalShape::Gauss),
    ("tophat", CrystalShape::Tophat),
];

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .sample_size(40)
        .configure_from_args();
    let mut strip = Strip::new().expect("the strip");
    for (name, lookup) in LOOKUPS {
        case(&mut criterion, &mut strip, &format!("lookup-{name}"), CrystalShape::Square, lookup);
    }
    for (name, shape) in SHAPES {
        case(&mut criterion, &mut strip, &format!("shape-{name}"), shape, Lookup::Nearest);
    }
    criterion.final_summary();
}

fn case(criterion: &mut Criterion, strip: &mut Strip, name: &str, shape: CrystalShape, lookup: Lookup) {
    let oracle = strip.oracle(shape, lookup).expect("the oracle");
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(STEPS));
    let mut pixels = vec![0f32; COLUMNS * ROWS];
    for simd in Simd::available() {
        let scene = strip.scene(simd, shape, lookup).expect("the scene");
        check(&scene, &oracle).expect("the oracle's pixels");
        let id = BenchmarkId::new(format!("{}/f64", simd.level()), format!("{COLUMNS}x{ROWS}"));
        group.bench_function(id, |bencher| {
            bencher.iter(|| render(black_box(&scene), black_box(&mut pixels)));
        });
    }
    group.finish();
}
