//! What lists of spots and neglected steps save: whole commands of `widebragg` with and without them, with one thread.
//!
//! Both run in turns; for each case the table has the processor times of a run, as nanoseconds a step, and their ratio.
//! `RUNS=n` sets the number of turns, and `LEVEL=avx2` caps the SIMD level.

use std::env;

use widebragg_benches::turns::{Turns, asked_level, asked_runs};
use widebragg_tests::program::executable;

/// The verb of commands that compute derivatives, beside an image in f64.
const DERIVATIVES: &str = "gradient --wrt misset,distance,lambda";

/// What all commands have.
const BASE: &str = "-default_F 100 -cell 79 79 38 90 90 90 -misset 10 20 30 -lambda 1 -distance 150 -oversample 1 \
    -nonoise -nopgm --threads 1 --quiet";

/// 100 wavelengths and 20 domains.
const SPREAD: &str = "-dispersion 1 -dispsteps 100 -mosaic 0.1 -mosaic_domains 20 -N 100 -fluence 1e24";

/// 10 wavelengths and as many domains.
const FEW_WAVELENGTHS: &str =
    "-dispersion 1 -dispsteps 10 -mosaic 0.1 -mosaic_domains 20 -N 100 -fluence 1e24";

/// A large mosaic crystal of 50 domains.
const MOSAIC: &str = "-mosaic 0.1 -mosaic_domains 50 -N 300 -fluence 2.5e20";

/// The usual detector, and the same one with pixels of a quarter of the width; pixels along an axis.
const COARSE: (&str, f64) = ("-pixel 0.172 -detpixels 1024", 1024.0);
const FINE: (&str, f64) = ("-pixel 0.043 -detpixels 4096", 4096.0);

/// Two commands that are compared: the options that both have, the steps of a pixel, and the options and the detector
/// that each has.
struct Case {
    name: &'static str,
    verb: &'static str,
    options: [&'static str; 2],
    steps: f64,
    compared: [(&'static str, (&'static str, f64)); 2],
}

impl Case {
    /// The list of spots and the loop.
    const fn light(name: &'static str, shape: &'static str) -> Self {
        let compared = [("--light loop", COARSE), ("--light auto", COARSE)];
        Self { name, verb: "", options: [SPREAD, shape], steps: 2000.0, compared }
    }

    /// The list of spots and the loop, for derivatives.
    const fn derivatives(name: &'static str, shape: &'static str) -> Self {
        Self {
            verb: DERIVATIVES,
            options: [FEW_WAVELENGTHS, shape],
            steps: 200.0,
            ..Self::light(name, shape)
        }
    }

    /// With and without neglected steps.
    const fn neglect(name: &'static str, neglect: &'static str) -> Self {
        Self {
            name,
            verb: "",
            options: [MOSAIC, ""],
            steps: 50.0,
            compared: [("--neglect 0", COARSE), (neglect, COARSE)],
        }
    }
}

const CASES: [Case; 12] = [
    Case::light("spots far below a pixel", "-gauss_xtal -fudge 4e-5"),
    Case {
        name: "the same, 4096 pixels and 1024",
        verb: "",
        options: [SPREAD, "-gauss_xtal -fudge 4e-5"],
        steps: 2000.0,
        compared: [("--light auto", FINE), ("--light auto", COARSE)],
    },
    Case::light("spots of about a pixel", "-gauss_xtal -fudge 4e-6"),
    Case::light("most pixels lit", "-gauss_xtal -fudge 4e-7"),
    Case::light("gauss, dark", "-gauss_xtal"),
    Case::light("tophat, dark", "-tophat_spots"),
    Case::neglect("mosaic, 0.001 photons", "--neglect 1e-3"),
    Case::neglect("mosaic, 1e-9 photons", "--neglect 1e-9"),
    Case::derivatives("derivatives, spots far below a pixel", "-gauss_xtal -fudge 4e-5"),
    Case::derivatives("derivatives, spots of about a pixel", "-gauss_xtal -fudge 4e-6"),
    Case::derivatives("derivatives, most pixels lit", "-gauss_xtal -fudge 4e-7"),
    Case::derivatives("derivatives, dark", "-gauss_xtal"),
];

/// Number of turns, unless RUNS says otherwise.
const RUNS: usize = 7;

/// Nanoseconds of a clock tick, which Linux has 100 of in a second.
const TICK_NS: f64 = 1e7;

fn main() {
    // `cargo bench -- --test` and `cargo test` check benches without timing.
    if env::args().any(|arg| arg == "--test") {
        return;
    }
    let (runs, level) = (asked_runs(RUNS), asked_level());
    println!("Processor times of whole commands with one thread, {runs} turns, nanoseconds a step.\n");
    println!("| case | options | ns | options | ns | time over time |");
    println!("|---|---|---|---|---|---|");
    for Case { name, verb, options: [spread, shape], steps, compared } in CASES {
        let commands = compared.map(|(option, (detector, _))| -> Vec<&str> {
            let all =
                [verb, BASE, spread, shape, detector, option].into_iter().flat_map(str::split_whitespace);
            all.chain(["--simd", &level]).collect()
        });
        let [one, other] = &commands;
        let turns = Turns::of(runs, [(executable(), one), (executable(), other)], &[]);
        let ns = |i: usize| {
            let (_, (_, pixels)) = compared[i];
            let ticks = turns.cpu_ticks.map(|ticks| ticks[i] * TICK_NS / runs as f64);
            ticks.map_or_else(String::new, |ns| format!("{:.3}", ns / (pixels * pixels * steps)))
        };
        let [(one, _), (other, _)] = compared;
        println!("| {name} | `{one}` | {} | `{other}` | {} | {} |", ns(0), ns(1), turns.cpu_ratio(1));
    }
}
