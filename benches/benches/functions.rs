//! Benches of the interference function over an array, of the table of orientations, and of the arithmetic
//! units.

use core::hint::black_box;
use core::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use widebragg::arrays::{sincg_into, sincg_rad_into};
use widebragg::lanes::{Lanes, Level, Simd, WithSimd};
use widebragg::rotation::{IDENTITY, Mat3, Orientation, fill_orientations, orientations_len};
use widebragg_benches::ROWS_CASE;
use widebragg_tests::oracle::Mode;
use widebragg_tests::scene::KernelScene;

/// Number of values in the array.
const VALUES: usize = 4096;
/// Number of unit cells.
const CELLS: f64 = 47.0;
/// Number of phi steps and of mosaic domains in the table.
const TABLE: [usize; 2] = [10, 50];

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .sample_size(60)
        .configure_from_args();
    peak(&mut criterion);
    interference(&mut criterion);
    orientations(&mut criterion);
    criterion.final_summary();
}

/// Independent fused multiply-adds, which measure what the arithmetic units can do. `ROOFLINE.md` uses the
/// result.
struct Peak {
    rounds: usize,
    factor: f64,
}

/// Number of independent chains: more than two units with a latency of four cycles need, and fewer than the
/// registers of any level.
const CHAINS: usize = 12;

impl WithSimd for Peak {
    type Output = f64;

    #[inline(always)]
    fn with_simd<L: Level>(self, level: L) -> f64 {
        let (factor, one) = (level.splat(self.factor), level.splat(1.0));
        let mut chains = [one; CHAINS];
        for _ in 0..self.rounds {
            for chain in &mut chains {
                *chain = chain.mul_add(factor, one);
            }
        }
        let mut sum = one;
        for chain in chains {
            sum = sum + chain;
        }
        sum.first()
    }
}

fn peak(criterion: &mut Criterion) {
    let rounds = 1000;
    let mut group = criterion.benchmark_group("fma");
    group.throughput(Throughput::Elements((rounds * CHAINS) as u64));
    for simd in Simd::available() {
        // The iteration x = 0.5 x + 1 converges to 2.
        let sum = simd.run(Peak { rounds, factor: 0.5 });
        assert!((sum - (2.0 * CHAINS as f64 + 1.0)).abs() < 1e-9, "{sum}");
        group.bench_function(BenchmarkId::new(format!("{}/f64", simd.level()), "vector"), |bencher| {
            bencher.iter(|| simd.run(Peak { rounds: black_box(rounds), factor: black_box(0.5) }));
        });
    }
    group.finish();
}

/// A function that is applied to an array.
type ArrayFunction = fn(Simd, &[f64], f64, &mut [f64]) -> Result<(), widebragg::Error>;

/// The C expression with the standard library's sine.
fn c_expression(input: &[f64], output: &mut [f64]) {
    for (&x, value) in input.iter().zip(output) {
        *value = if x == 0.0 { CELLS } else { (x * CELLS).sin() / x.sin() };
    }
}

fn interference(criterion: &mut Criterion) {
    // Miller indices from -20 to 20, none of them an integer.
    let h: Vec<f64> = (0..VALUES).map(|i| 40.0 * (i as f64 + 0.347) / VALUES as f64 - 20.0).collect();
    let x_rad: Vec<f64> = h.iter().map(|h| h * core::f64::consts::PI).collect();
    let mut expected = vec![0.0; VALUES];
    c_expression(&x_rad, &mut expected);
    let mut output = vec![0.0; VALUES];
    let check = |output: &[f64]| {
        let off = |(value, expected): (&f64, &f64)| (value - expected).abs();
        let good = output.iter().zip(&expected).map(off).all(|off| off <= 1e-9 * CELLS);
        assert!(good, "not sin(N x)/sin(x)");
    };

    for (name, input, into) in
        [("sincg", &h, sincg_into as ArrayFunction), ("sincg-radians", &x_rad, sincg_rad_into)]
    {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(VALUES as u64));
        for simd in Simd::available() {
            into(simd, input, CELLS, &mut output).expect("arrays of one length");
            check(&output);
            group.bench_function(BenchmarkId::new(format!("{}/f64", simd.level()), VALUES), |bencher| {
                bencher.iter(|| into(simd, black_box(input), CELLS, black_box(&mut output)));
            });
        }
        group.bench_function(BenchmarkId::new("c-expression/f64", VALUES), |bencher| {
            bencher.iter(|| c_expression(black_box(&x_rad), black_box(&mut output)));
        });
        group.finish();
    }
}

fn orientations(criterion: &mut Criterion) {
    let oracle = ROWS_CASE.oracle().expect("the oracle");
    let KernelScene { cell, sweep, .. } = KernelScene::from_simulation(&oracle, Simd::detect(), Mode::Spec);
    let [phi_steps, domain_count] = TABLE;
    assert_eq!(sweep.count, phi_steps);
    // A rotation by 90 degrees about z, which is easy to check and, unlike the identity, is not merely
    // copied.
    let quarter: Mat3 = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]];
    let mut domains = vec![quarter; domain_count];
    domains[0] = IDENTITY;
    let needed = orientations_len(phi_steps, domain_count).expect("a small table");
    let mut entries = vec![Orientation::default(); needed];

    let table = fill_orientations(cell, sweep, &domains, &mut entries).expect("a table");
    let turned = table.entries()[needed - 1];
    let rotated = cell.rotated(sweep.spindle, sweep.phi_rad(phi_steps - 1));
    assert_eq!((turned.a_m.x, turned.a_m.y, turned.a_m.z), (-rotated.a_m.y, rotated.a_m.x, rotated.a_m.z));

    let mut group = criterion.benchmark_group("orientations");
    group.throughput(Throughput::Elements(needed as u64));
    group.bench_function(BenchmarkId::new("scalar/f64", format!("{phi_steps}x{domain_count}")), |bencher| {
        bencher.iter(|| {
            let table = fill_orientations(black_box(cell), sweep, &domains, black_box(&mut entries));
            table.map(|table| table.entries().len())
        });
    });
    group.finish();
}
