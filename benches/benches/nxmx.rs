//! What an NXmx file costs: whole commands of `widebragg` that render a series with and without `--nxmx`.
//!
//! A series of 4 megapixels, ten phi steps a frame, on two threads. Each compression runs in turns with no NXmx file; both
//! write the float image and the integer image of each frame. For each case the table has the median, turn by turn, of
//! the elapsed time that the file adds, in per cent of that without it, and the processor time that it adds in all turns,
//! which the load of the machine changes least. `FRAMES=n` sets the length of the series, `RUNS=n` the number of turns, and
//! `LEVEL=avx2` caps the SIMD level. `TMPDIR` is where the files are written: 70 MB a frame.

use std::env;

use widebragg_benches::turns::{Turns, asked, asked_level, asked_runs, median};
use widebragg_tests::program::executable;

/// What all commands have. The background gives every pixel photons, and every 500th is in a spot.
const BASE: &str = "-default_F 100 -cell 79 79 38 90 90 90 -misset 10 20 30 -lambda 1 -distance 150 -pixel 0.1 \
    -detpixels 2048 -oversample 1 -N 20 -fluence 1e24 -water 100 -phi 0 -osc 0.1 -phisteps 10 -seed 1 -nopgm --no-expt \
    --threads 2 --quiet";

/// What the file holds, and the options for it.
const DATA: [(&str, &[&str]); 2] = [("photons", &["-nonoise"]), ("counts with noise", &[])];

const COMPRESSIONS: [&str; 3] = ["bslz4", "gzip", "none"];

/// Frames of the series, unless FRAMES says otherwise.
const FRAMES: usize = 10;

/// Number of turns, unless RUNS says otherwise.
const RUNS: usize = 5;

fn main() {
    // `cargo bench -- --test` and `cargo test` check benches without timing.
    if env::args().any(|arg| arg == "--test") {
        return;
    }
    let (frames, runs, level) = (asked("FRAMES", FRAMES), asked_runs(RUNS), asked_level());
    println!("What an NXmx file of {frames} frames adds to rendering them, {runs} turns.\n");
    println!("| data | compression | elapsed time, median, % | processor time, % |");
    println!("|---|---|---|---|");
    let frames = frames.to_string();
    for (data, options) in DATA {
        let without: Vec<&str> = BASE
            .split_whitespace()
            .chain(options.iter().copied())
            .chain(["--frames", &frames, "--simd", &level])
            .collect();
        for compression in COMPRESSIONS {
            let file = ["--nxmx", "series.nxs", "--nxmx-compression", compression];
            let with: Vec<&str> = without.iter().copied().chain(file).collect();
            let turns = Turns::of(runs, [(executable(), &with), (executable(), &without)], &[]);
            let elapsed = median(turns.wall_s.iter().map(|[with, without]| with / without));
            let processor = turns.cpu_ticks.map(|[with, without]| with / without);
            let added = |ratio: f64| format!("{:.0}", 100.0 * (ratio - 1.0));
            println!(
                "| {data} | {compression} | {} | {} |",
                added(elapsed),
                processor.map_or_else(String::new, added)
            );
        }
    }
}
