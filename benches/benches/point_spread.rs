//! Benches of the point spread on 2048 x 2048 pixels, one thread: the experiment's choice of a method for each form and
//! radius, at the level that it detects. `whole` has no radius.

use core::hint::black_box;
use core::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use widebragg::lanes::Simd;
use widebragg::noise::point_spread::Form;
use widebragg_experiment::point_spread::{PointSpread, PointSpreadRule};
use widebragg_experiment::threads;

const SIDE: usize = 2048;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(10)
        .configure_from_args();
    point_spread(&mut criterion);
    criterion.final_summary();
}

fn point_spread(criterion: &mut Criterion) {
    let photons: Vec<f32> = (0..SIDE * SIDE).map(|at| ((at * 7919) % 23) as f32).collect();
    let pool = threads::pool(1).expect("a thread");
    let mut group = criterion.benchmark_group("point_spread");
    for (form, radius_px) in [
        (Form::Gauss, None),
        (Form::Fiber, Some(5)),
        (Form::Fiber, Some(10)),
        (Form::Fiber, Some(16)),
        (Form::Fiber, None),
    ] {
        let rule = PointSpreadRule { form, width_m: 80e-6, radius_px };
        let spread = PointSpread::new(rule, Simd::detect(), 88e-6, [SIDE; 2]).expect("a point spread");
        let radius = radius_px.map_or("whole".to_owned(), |radius| radius.to_string());
        group.throughput(Throughput::Elements((SIDE * SIDE) as u64));
        group.bench_function(BenchmarkId::new(form.name(), radius), |bencher| {
            bencher.iter_batched_ref(
                || photons.clone(),
                |photons| pool.install(|| spread.spread(black_box(photons))).expect("photons"),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}
