//! Whole commands of `widebragg`, as processes, compared with those of a reference binary, `NANOBRAGG=path`.
//!
//! The reference, `widebragg`, and `widebragg` with one thread run in turns in folders of their own, so that all see
//! the same load of the machine. For each case the table has the medians of the elapsed times, the median of their
//! ratios turn by turn, and the ratios of the processor times of all turns, which the load of the machine changes
//! least. `RUNS=n` sets the number of turns, and `LEVEL=avx2` caps the SIMD level.

use core::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use widebragg_benches::turns::{Turns, asked_level, asked_runs, median};
use widebragg_tests::program::executable;

/// A detector of 1024 x 1024 pixels and a crystal that lights all of it.
const BASE: &str = "-default_F 100 -cell 79 79 38 90 90 90 -misset 10 20 30 -lambda 1 -distance 150 -pixel 0.172 \
    -detpixels 1024 -oversample 1 -N 20 -nopgm";

/// What only widebragg understands: the reference's figures to the last bit.
const PARITY: &str = "--phi-carryover-mode c-parity --quiet";

/// Name and further options of each case.
const CASES: [(&str, &str); 11] = [
    ("still", "-fluence 1e24 -nonoise"),
    ("still, 6 megapixels", "-fluence 1e24 -nonoise -detpixels_x 2463 -detpixels_y 2527"),
    (
        "still, 6 megapixels, five layers",
        "-fluence 1e24 -nonoise -detpixels_x 2463 -detpixels_y 2527 -detector_thick 450 -detector_abs 300 \
         -detector_thicksteps 5",
    ),
    ("ten phi steps", "-fluence 1e24 -nonoise -phi 0 -osc 1 -phisteps 10"),
    ("ten phi steps to 2 A", "-fluence 1e24 -nonoise -phi 0 -osc 1 -phisteps 10 -dmin 2"),
    ("still, interpolated", "-fluence 1e24 -nonoise -interpolate -hkl list.hkl"),
    (
        "ten phi steps, interpolated",
        "-fluence 1e24 -nonoise -phi 1 -osc 1 -phisteps 10 -interpolate -hkl list.hkl",
    ),
    ("five mosaic domains", "-fluence 1e24 -nonoise -mosaic 0.5 -mosaic_domains 5"),
    ("noise, mean 0.4", "-fluence 2e21 -water 2000 -seed 1"),
    ("noise, mean 63", "-fluence 2.5e22 -water 2000 -seed 1"),
    ("noise, mean 101000", "-fluence 1e24 -water 2000 -seed 1"),
];

/// The largest index along each axis of `list.hkl`, which is complete, so that all pixels interpolate.
const LIST: [i32; 3] = [60, 60, 30];

/// Number of turns, unless RUNS says otherwise.
const RUNS: usize = 9;

fn main() {
    // `cargo bench -- --test` and `cargo test` check benches without timing.
    if env::args().any(|arg| arg == "--test") {
        return;
    }
    let Some(reference) = env::var_os("NANOBRAGG").map(PathBuf::from) else {
        println!("commands: skipped: NANOBRAGG=path names no reference binary");
        return;
    };
    let reference = fs::canonicalize(reference).expect("the binary that NANOBRAGG names");
    let (runs, level) = (asked_runs(RUNS), asked_level());
    let list = list();
    println!("Seconds of whole commands, medians of {runs} turns; the reference has one thread.\n");
    println!(
        "| case | reference | widebragg | times as fast | in processor time | with one thread, in processor time |"
    );
    println!("|---|---|---|---|---|---|");
    for (name, options) in CASES {
        let options: Vec<&str> = BASE.split_whitespace().chain(options.split_whitespace()).collect();
        let level = ["--simd", &level];
        let ours: Vec<&str> = options.iter().copied().chain(PARITY.split_whitespace()).chain(level).collect();
        let single: Vec<&str> = ours.iter().copied().chain(["--threads", "1"]).collect();
        let commands = [(&*reference, &*options), (executable(), &*ours), (executable(), &*single)];
        let turns = Turns::of(runs, commands, &[("list.hkl", list.as_bytes())]);
        let [there, here, _] = [0, 1, 2].map(|i| median(turns.wall_s.iter().map(|turn| turn[i])));
        let ratio = median(turns.wall_s.iter().map(|turn| turn[0] / turn[1]));
        let [both, one] = [1, 2].map(|i| turns.cpu_ratio(i));
        println!("| {name} | {there:.3} | {here:.3} | {ratio:.2} | {both} | {one} |");
    }
}

/// Lines h k l F of a complete box, with F that vary from node to node.
fn list() -> String {
    let [to_h, to_k, to_l] = LIST;
    let mut list = String::new();
    for h in -to_h..=to_h {
        for k in -to_k..=to_k {
            for l in -to_l..=to_l {
                let f = (h * 7919 + k * 104_729 + l * 1_299_709).rem_euclid(1000);
                writeln!(list, "{h} {k} {l} {f}").expect("text");
            }
        }
    }
    list
}
