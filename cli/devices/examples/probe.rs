//! Probe.
use widebragg::formulas::*;
fn main() {
    for d in widebragg_devices::drivers::opencl::devices().unwrap() {
        println!("{d:?}");
    }
    let mut d = widebragg_devices::drivers::opencl::open(0).unwrap();
    for lookup in [LookupFormula::Nearest, LookupFormula::Tricubic] {
        for &lattice in LatticeFormula::ALL {
            let formula = StepFormula { lattice, lookup };
            if lattice == LatticeFormula::SquareMixed && lookup == LookupFormula::Tricubic {
                continue;
            }
            let t = std::time::Instant::now();
            println!(
                "{formula:?} {:?} {:?}",
                widebragg_devices::self_test::run(&mut *d, formula),
                t.elapsed()
            );
            let t = std::time::Instant::now();
            println!("  again {:?} {:?}", widebragg_devices::self_test::run(&mut *d, formula), t.elapsed());
        }
    }
}
