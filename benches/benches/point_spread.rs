//! Benches of the point spread on 2048 x 2048 pixels, one thread: the experiment's choice of a method for each form and
//! radius, at each level. `whole` has no radius.

use core::hint::black_box;
use core::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use widebragg::lanes::Simd;
use widebragg::noise::point_spread::Form;
use widebragg_benches::thread_time::ThreadTime;
use widebragg_experiment::point_spread::{PointSpread, PointSpreadRule};
use widebragg_experiment::threads;

const SIDE: usize = 2048;

fn main() {
    // The processor time is that of the thread which does all the work.
    threads::pool(1).expect("a thread").install(|| {
        let mut criterion = Criterion::default()
            .with_measurement(ThreadTime)
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(2))
            .sample_size(10)
            .configure_from_args();
        for simd in Simd::available() {
            point_spread(&mut criterion, simd);
        }
        criterion.final_summary();
    });
}

fn point_spread(criterion: &mut Criterion<ThreadTime>, simd: Simd) {
    let photons: Vec<f32> = (0..SIDE * SIDE).map(|at| ((at * 7919) % 23) as f32).collect();
    let mut group = criterion.benchmark_group("point_spread");
    for (form, radius_px) in [
        (Form::Gauss, None),
        (Form::Fiber, Some(5)),
        (Form::Fiber, Some(10)),
        (Form::Fiber, Some(16)),
        (Form::Fiber, None),
    ] {
        let rule = PointSpreadRule { form, width_m: 80e-6, radius_px };
        let spread = PointSpread::new(rule, simd, 88e-6, [SIDE; 2]).expect("a point spread");
        let radius = radius_px.map_or("whole".to_owned(), |radius| radius.to_string());
        group.throughput(Throughput::Elements((SIDE * SIDE) as u64));
        group.bench_function(
            BenchmarkId::new(format!("{}/{}", form.name(), simd.level()), radius),
            |bencher| {
                bencher.iter_batched_ref(
                    || photons.clone(),
                    |photons| spread.spread(black_box(photons)).expect("photons"),
                    BatchSize::LargeInput,
                );
            },
        );
    }
    group.finish();
}
