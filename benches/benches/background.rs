//! Benches of the background: rows of 2463 pixels, one thread, with the direct beam at the middle of the detector.
//!
//! `radial` looks the mean over 25 wavelengths up, `general` the F of each of its sources; `sensor` is `radial` with a
//! sensor that captures a part of the photons. All are with polarised light.

use core::hint::black_box;
use core::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use widebragg::background::{AmorphousMatter, BeamLine, Curve, Profile, Radial, RadialPoint, WeightedSource};
use widebragg::beam::{Polarization, PolarizedAt, Source};
use widebragg::lanes::Simd;
use widebragg::panel::Panel;
use widebragg::scene::Sensor;
use widebragg::vector::Vec3;
use widebragg_benches::thread_time::ThreadTime;

const PIXELS: usize = 2463;

/// Cells of the profile, as an experiment makes them.
const CELLS: usize = 1 << 12;

fn main() {
    let mut criterion = Criterion::default()
        .with_measurement(ThreadTime)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(40)
        .configure_from_args();
    background(&mut criterion);
    criterion.final_summary();
}

fn panel() -> Panel {
    let half_m = PIXELS as f64 * 0.172e-3 / 2.0;
    Panel {
        pixel_m: 0.172e-3,
        fast_pixels: PIXELS,
        slow_pixels: PIXELS,
        pix0_m: Vec3::new(-half_m, -half_m, 0.231),
        fast: Vec3::new(1.0, 0.0, 0.0),
        slow: Vec3::new(0.0, 1.0, 0.0),
        normal: Vec3::new(0.0, 0.0, 1.0),
        close_distance_m: 0.231,
        point_pixel: false,
        bend: None,
        sensor: Sensor::THIN,
    }
}

/// F of water, as simtbx's scripts have it.
const WATER: [[f64; 2]; 14] = [
    [0.0, 2.57],
    [0.0365, 2.58],
    [0.07, 2.8],
    [0.12, 5.0],
    [0.162, 8.0],
    [0.18, 7.32],
    [0.2, 6.75],
    [0.216, 6.75],
    [0.236, 6.5],
    [0.28, 4.5],
    [0.3, 4.3],
    [0.345, 4.36],
    [0.436, 3.77],
    [0.5, 3.17],
];

fn background(criterion: &mut Criterion<ThreadTime>) {
    let points = WATER.map(|[s, f_electrons]| RadialPoint { s, f_electrons });
    let mut room = vec![0.0; Curve::room_len(points.len())];
    let curve = Curve::fill(&points, 1e10, &mut room).expect("a curve");
    let lines: Vec<BeamLine> =
        (0..25).map(|i| BeamLine { lambda_m: (0.97 + 0.001 * f64::from(i)) * 1e-10, weight: 1.0 }).collect();
    let mut cells = vec![0.0; Profile::room_len(CELLS)];
    let profile = Profile::fill(&curve, &lines, [0.0, 0.5], &mut cells).expect("a profile");
    assert!(profile.error() < 1e-6 * profile.largest(), "{}", profile.error());
    let source = Source { incident: Vec3::new(0.0, 0.0, 1.0), lambda_m: 0.98e-10 };
    let matter = |radial| AmorphousMatter {
        panel: panel(),
        origin_m: Vec3::new(0.0, 0.0, 0.0),
        sources: &[],
        radial,
        polarization: Some(Polarization {
            kahn: 0.9,
            axis: Vec3::new(1.0, 0.0, 0.0),
            at: PolarizedAt::default(),
        }),
        fluence_per_m2: 1e20,
        molecules: 3e16,
        slab: None,
    };
    let mut group = criterion.benchmark_group("background");
    let mut row = vec![0.0; PIXELS];
    let silicon = Sensor { layers: 1, layer_m: 0.32e-3, attenuation_per_m: 4600.0 };
    let cases = [
        ("radial", Radial::Profile(profile), 1, Sensor::THIN),
        ("sensor", Radial::Profile(profile), 1, silicon),
        ("general", Radial::Curve(curve), 1, Sensor::THIN),
        ("general", Radial::Curve(curve), 4, Sensor::THIN),
    ];
    for (name, radial, count, sensor) in cases {
        let sources = vec![WeightedSource { source, weight: 1.0 }; count];
        let panel = Panel { sensor, ..panel() };
        let matter = AmorphousMatter { panel, sources: &sources, ..matter(radial) };
        group.throughput(Throughput::Elements(PIXELS as u64));
        for simd in Simd::available() {
            let id = BenchmarkId::new(format!("{name}/{}", simd.level()), count);
            group.bench_function(id, |bencher| {
                bencher.iter(|| black_box(&matter).add_to_row(simd, 700, 0..PIXELS, black_box(&mut row)));
            });
        }
    }
    group.finish();
    assert!(row.iter().all(|photons| *photons > 0.0));
}
