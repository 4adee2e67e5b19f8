//! Benches of the noise of a detector: deviates that are functions of a pixel, and each stage.

use core::hint::black_box;
use core::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use widebragg::lanes::Simd;
use widebragg::noise::counter::{Stage, Stream};
use widebragg::noise::detector::{
    CommonMode, Counts, DeadTime, Expected, Limits, Place, Signal, fill_gain_map,
};
use widebragg_benches::thread_time::ThreadTime;

/// Pixels of a call: 16 rows of 1024.
const PIXELS: usize = 16_384;
const COLUMNS: usize = 1024;

/// The means of the Poisson deviates. Those of the issue are 5 and 100.
const MEANS: [f32; 7] = [0.05, 0.5, 5.0, 30.0, 100.0, 1e5, 2e13];

fn main() {
    let mut criterion = Criterion::default()
        .with_measurement(ThreadTime)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30)
        .configure_from_args();
    for simd in Simd::available() {
        deviates(&mut criterion, simd);
        stages(&mut criterion, simd);
    }
    criterion.final_summary();
}

/// Whether the mean of `values` is within five standard deviations of `expected`.
fn has_mean(values: &[f64], expected: f64, deviation: f64) -> bool {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (mean - expected).abs() <= 5.0 * deviation / (values.len() as f64).sqrt()
}

fn deviates(criterion: &mut Criterion<ThreadTime>, simd: Simd) {
    let stream = Stream::new(1, Stage::Photons, 0, 0);
    let mut group = criterion.benchmark_group("deviates");
    group.throughput(Throughput::Elements(PIXELS as u64));
    let level = simd.level();
    let mut deviates = vec![0.0; PIXELS];
    stream.fill_uniform(simd, 0, &mut deviates);
    assert!(has_mean(&deviates, 0.5, 0.29));
    group.bench_function(BenchmarkId::new("uniform", level), |bencher| {
        bencher.iter(|| stream.fill_uniform(simd, 0, black_box(&mut deviates)));
    });
    stream.fill_gauss(simd, 0, &mut deviates);
    assert!(has_mean(&deviates, 0.0, 1.0));
    group.bench_function(BenchmarkId::new("gauss", level), |bencher| {
        bencher.iter(|| stream.fill_gauss(simd, 0, black_box(&mut deviates)));
    });
    let mut pixels = vec![0.0; PIXELS];
    for mean in MEANS {
        pixels.fill(mean);
        stream.draw_poisson(simd, 0, &mut pixels);
        let counts: Vec<f64> = pixels.iter().copied().map(f64::from).collect();
        assert!(has_mean(&counts, f64::from(mean), f64::from(mean).sqrt()), "{mean}");
        group.bench_function(BenchmarkId::new(format!("poisson-{mean}"), level), |bencher| {
            bencher.iter(|| {
                pixels.fill(mean);
                stream.draw_poisson(simd, 0, black_box(&mut pixels));
            });
        });
    }
    group.finish();
}

/// A stage over pixels of 20 photons: its name, the mean that it gives, and the standard deviation that the mean of all
/// pixels has, times the square root of their number.
type StageOverPixels<'a> = (&'a str, [f64; 2], &'a dyn Fn(&mut [f32], &mut [i32]));

fn stages(criterion: &mut Criterion<ThreadTime>, simd: Simd) {
    let place = Place { simd, seed: 1, frame: 0, panel: 0, first: 0 };
    let mut gain_map = vec![0.0; PIXELS];
    fill_gain_map(simd, 0.03, 7, 0, 0, &mut gain_map);
    let dead_time = |is_paralyzable| DeadTime { tau_s: 1e-7, exposure_s: 1e-3, is_paralyzable };
    let [paralyzable, not] = [true, false].map(dead_time);
    let common = CommonMode::of_rows(0.1, COLUMNS);
    fn signal(place: Place, pixels: &mut [f32]) -> Signal<'_> {
        Counts::new(place, pixels).amplify(1.0, None).expect("no gain map")
    }
    let cases: [StageOverPixels<'_>; 9] = [
        ("shot-factor", [21.0, 1e-3], &|pixels, _| {
            black_box(Expected::new(place, pixels).times(1.05));
        }),
        ("flicker", [20.0, 0.2], &|pixels, _| {
            black_box(Expected::new(place, pixels).flicker(0.01));
        }),
        ("dead-time", [20.0 * f64::exp(-0.002), 1e-3], &|pixels, _| {
            black_box(Counts::new(place, pixels).lose(&paralyzable));
        }),
        ("dead-time-not-paralyzable", [20.0 / 1.002, 1e-3], &|pixels, _| {
            black_box(Counts::new(place, pixels).lose(&not));
        }),
        ("gain", [30.0, 0.9], &|pixels, _| {
            black_box(Counts::new(place, pixels).amplify(1.5, Some(&gain_map)).expect("as many gains"));
        }),
        ("pedestal", [60.0, 1e-3], &|pixels, _| {
            black_box(signal(place, pixels).add_pedestal(40.0));
        }),
        ("common-mode", [20.0, 3.2], &|pixels, _| {
            black_box(signal(place, pixels).add_common_mode(&common));
        }),
        ("readout", [20.0, 3.0], &|pixels, _| {
            black_box(signal(place, pixels).read_out(3.0));
        }),
        ("integers", [20.0, 1e-3], &|pixels, stored| {
            let limits = Limits { least: 0, largest: 65_535 };
            signal(place, pixels).store_into(limits, stored).expect("as many integers");
        }),
    ];
    let (mut pixels, mut stored) = (vec![0.0; PIXELS], vec![0; PIXELS]);
    let mut group = criterion.benchmark_group("stages");
    group.throughput(Throughput::Elements(PIXELS as u64));
    for (name, [mean, deviation], stage) in cases {
        pixels.fill(20.0);
        stage(&mut pixels, &mut stored);
        let values: Vec<f64> = pixels.iter().copied().map(f64::from).collect();
        // Where 1024 pixels of a row have a deviation in common, that of the mean is 32 times as large.
        assert!(has_mean(&values, mean, deviation), "{name}");
        group.bench_function(BenchmarkId::new(name, simd.level()), |bencher| {
            bencher.iter(|| {
                pixels.fill(20.0);
                stage(black_box(&mut pixels), black_box(&mut stored));
            });
        });
    }
    assert!(stored.iter().all(|adu| *adu == 20));
    group.bench_function(BenchmarkId::new("gain-map", simd.level()), |bencher| {
        bencher.iter(|| fill_gain_map(simd, 0.03, 7, 0, 0, black_box(&mut gain_map)));
    });
    group.finish();
}
