//! Benches of structure factors from coordinates: 2000 atoms in P 43 21 2, 79 x 79 x 38 Angstrom, to 2 Angstrom, with
//! bulk solvent and anomalous scattering, by each method, on one thread and on all; and 100 energies around the edge
//! of Se.

use core::hint::black_box;
use core::time::Duration;
use std::fs;

use criterion::Criterion;
use rayon::{ThreadPool, ThreadPoolBuilder};
use widebragg_coordinates::anomalous::{Anomalous, AnomalousSource};
use widebragg_coordinates::direct::structure_factors;
use widebragg_coordinates::elements::Element;
use widebragg_coordinates::model::{Atom, Displacement, Model};
use widebragg_coordinates::scatterers::Scatterers;
use widebragg_coordinates::solvent::Solvent;
use widebragg_coordinates::structure_factors::{Method, Settings, StructureFactors};
use widebragg_reflections::cell::Cell;
use widebragg_reflections::index_box::IndexBox;
use widebragg_reflections::symmetry::SpaceGroup;
use widebragg_tests::deviates::deviates;

const D_MIN: f64 = 2.0;
/// Just above the K edge of Se.
const ENERGY_EV: f64 = 12_693.0;
/// Number of energies of a channelled spectrum.
const ENERGIES: usize = 100;

/// Elements and how many atoms of them a protein of 2000 atoms has.
const COMPOSITION: [(&str, usize); 5] = [("C", 1250), ("N", 340), ("O", 390), ("S", 14), ("Se", 6)];

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .sample_size(10)
        .configure_from_args();
    let scatterers = scatterers();
    check(&scatterers);
    amplitudes(&mut criterion, &scatterers);
    energies(&mut criterion, &scatterers);
    criterion.final_summary();
    // With `--test` the results are checked and nothing is timed.
    if !std::env::args().any(|arg| arg == "--test") {
        processor_times(&scatterers);
    }
}

/// Atoms in a block of 31 x 31 x 27 Angstrom, which leaves about half of the cell to the solvent; a tenth is
/// anisotropic.
fn scatterers() -> Scatterers {
    let mut next = deviates();
    let mut atoms = Vec::new();
    for (symbol, count) in COMPOSITION {
        for i in 0..count {
            let b = 10.0 + 30.0 * next();
            let u = b / (8.0 * core::f64::consts::PI.powi(2));
            let displacement = if i % 10 == 0 {
                Displacement::Anisotropic([u, 1.2 * u, 0.8 * u, 0.1 * u, -0.1 * u, 0.05 * u])
            } else {
                Displacement::Isotropic(b)
            };
            atoms.push(Atom {
                element: Element::from_symbol(symbol).expect("an element"),
                fractional: [0.05 + 0.4 * next(), 0.55 + 0.4 * next(), 0.7 * next()],
                occupancy: 1.0,
                displacement,
            });
        }
    }
    let model = Model {
        cell: Cell { lengths_angstrom: [79.0, 79.0, 38.0], angles_deg: [90.0; 3] },
        symmetry: Default::default(),
        atoms,
        full_sites: false,
        warnings: Vec::new(),
    };
    let group = SpaceGroup::from_name("P 43 21 2", None).expect("a space group");
    Scatterers::new(&model, &group).expect("scatterers")
}

fn at_energy(scatterers: &Scatterers, settings: &Settings) -> StructureFactors {
    StructureFactors::at_energy(scatterers, settings, &AnomalousSource::tables(), ENERGY_EV)
        .expect("structure factors")
}

/// Checks both methods against direct sums over single reflections.
fn check(scatterers: &Scatterers) {
    let source = AnomalousSource::tables();
    let of_element = |element| source.at(element, ENERGY_EV).expect("f', f''");
    let anomalous: Vec<Anomalous> = scatterers.elements().into_iter().map(of_element).collect();
    for method in [Method::Fastest, Method::Fft] {
        let factors = at_energy(scatterers, &Settings { method, ..Settings::to_resolution(D_MIN) });
        let found = factors.mates(&[]);
        let largest = found.iter().map(|mates| mates.plus.norm()).fold(0.0, f64::max);
        for (at, mates) in found.iter().enumerate().step_by(997) {
            let exact = structure_factors(scatterers, &anomalous, &factors.reflections()[at..=at])[0];
            let error = (mates.plus - exact.plus).norm().max((mates.minus - exact.minus).norm());
            assert!(error < 1e-7 * largest, "{method:?} {:?} {error:e}", factors.reflections()[at]);
        }
    }
}

/// Pools of one thread, whose time is the processor's, and of all.
fn pools() -> Vec<ThreadPool> {
    let pool = |threads| ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
    [1, 0].map(pool).into()
}

/// What is timed: all within [`D_MIN`].
fn cases() -> [(&'static str, Settings); 4] {
    let plain = Settings::to_resolution(D_MIN);
    [
        ("fastest+solvent", Settings { solvent: Some(Solvent::default()), ..plain }),
        ("fastest", plain),
        ("direct", Settings { method: Method::Direct, ..plain }),
        ("fft", Settings { method: Method::Fft, ..plain }),
    ]
}

/// Processor time that this thread has used, where the system (Linux) reports it.
fn used_by_thread() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// Prints the processor time of each case, the least of five runs on one thread.
fn processor_times(scatterers: &Scatterers) {
    let pool = ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    for (name, settings) in cases() {
        let run = || {
            let before = used_by_thread()?;
            black_box(at_energy(black_box(scatterers), &settings));
            Some(used_by_thread()? - before)
        };
        let least = pool.install(|| (0..5).filter_map(|_| run()).min());
        match least {
            Some(least) => println!("{name:<16} {:7.1} ms of processor time", least.as_secs_f64() * 1e3),
            None => println!("{name:<16} no processor time: the system does not report it"),
        }
    }
}

/// Structure factors and the dense box of |F|.
fn amplitudes(criterion: &mut Criterion, scatterers: &Scatterers) {
    let bounds = IndexBox::symmetric(scatterers.largest_indices(D_MIN).expect("indices"));
    let nodes = bounds.nodes().expect("a box");
    let mut amplitudes = vec![0.0; nodes];
    let mut group = criterion.benchmark_group("coordinates");
    for (name, settings) in cases() {
        for pool in pools() {
            group.bench_function(format!("{name}/{}-threads", pool.current_num_threads()), |bencher| {
                bencher.iter(|| {
                    pool.install(|| {
                        let factors = at_energy(black_box(scatterers), &settings);
                        factors.amplitudes_into(&[], &bounds, black_box(&mut amplitudes)).expect("a box");
                    });
                });
            });
        }
    }
    group.finish();
}

/// |F| of all reflections at 100 energies, from prepared structure factors.
fn energies(criterion: &mut Criterion, scatterers: &Scatterers) {
    let source = AnomalousSource::tables();
    let range = (12_600.0, 12_700.0);
    let settings = Settings::to_resolution(D_MIN);
    let factors = StructureFactors::over_energies(scatterers, &settings, &source, range, 0.05)
        .expect("structure factors");
    assert_eq!(factors.varying().len(), 1);
    let mut group = criterion.benchmark_group("energies");
    for pool in pools() {
        group.bench_function(format!("{ENERGIES}/{}-threads", pool.current_num_threads()), |bencher| {
            bencher.iter(|| {
                pool.install(|| {
                    for i in 0..ENERGIES {
                        let energy = range.0 + (range.1 - range.0) * i as f64 / ENERGIES as f64;
                        let anomalous = factors.anomalous_at(&source, energy).expect("f', f''");
                        factors.for_each_amplitude(&anomalous, |hkl, f| {
                            black_box((hkl, f));
                        });
                    }
                });
            });
        });
    }
    group.finish();
}
