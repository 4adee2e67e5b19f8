//! What panels cost: whole commands of `widebragg` on a detector of many panels and on one panel of as many pixels.
//!
//! Both run in turns, with one thread and the same files; for each case the table has the ratio of the processor times.
//! `RUNS=n` sets the number of turns, and `LEVEL=avx2` caps the SIMD level.

use core::fmt::Write as _;
use std::env;

use widebragg_benches::turns::{Turns, asked_level, asked_runs};
use widebragg_tests::program::executable;

/// What all commands have. The integer image, which is left out for several panels, is named for both.
const BASE: &str = "-cell 79 79 38 90 90 90 -misset 10 20 30 -N 20 -default_F 100 -oversample 1 -osc 1 -nonoise -nopgm \
    -intfile i.img --threads 1 --quiet";

/// A grid of panels, and the pixels of each.
struct Case {
    name: &'static str,
    grid: [usize; 2],
    pixels: [usize; 2],
    phi_steps: &'static str,
}

const CASES: [Case; 3] = [
    Case { name: "64 panels of 256 x 256, 10 phi steps", grid: [8, 8], pixels: [256, 256], phi_steps: "10" },
    Case { name: "64 panels of 256 x 256, 30 phi steps", grid: [8, 8], pixels: [256, 256], phi_steps: "30" },
    Case {
        name: "184 panels of 194 x 185, 30 phi steps",
        grid: [8, 23],
        pixels: [194, 185],
        phi_steps: "30",
    },
];

/// Number of turns, unless RUNS says otherwise.
const RUNS: usize = 7;

/// A CrystFEL geometry of a grid of panels that touch each other.
fn geometry([across, down]: [usize; 2], [fast, slow]: [usize; 2]) -> String {
    let mut text = "photon_energy = 12398.42 eV\nclen = 0.15\nres = 11627.9\n".to_owned();
    for panel in 0..across * down {
        let (column, row) = ((panel % across) as f64, (panel / across) as f64);
        let x = (column - across as f64 / 2.0) * fast as f64;
        let y = (row - down as f64 / 2.0) * slow as f64;
        let (first, last) = (slow * panel, slow * panel + slow - 1);
        let _ = write!(
            text,
            "p{panel}/min_fs = 0\np{panel}/max_fs = {}\np{panel}/min_ss = {first}\np{panel}/max_ss = {last}\n\
             p{panel}/corner_x = {x}\np{panel}/corner_y = {y}\np{panel}/fs = +1.0x\np{panel}/ss = +1.0y\n",
            fast - 1
        );
    }
    text
}

fn main() {
    // `cargo bench -- --test` and `cargo test` check benches without timing.
    if env::args().any(|arg| arg == "--test") {
        return;
    }
    let (runs, level) = (asked_runs(RUNS), asked_level());
    println!("Processor times of whole commands with one thread, {runs} turns.\n");
    println!("| case | panels over one panel |");
    println!("|---|---|");
    for Case { name, grid, pixels, phi_steps } in CASES {
        let whole = [0, 1].map(|axis| grid[axis] * pixels[axis]);
        let (panels, one) = (geometry(grid, pixels), geometry([1, 1], whole));
        let commands = ["panels.geom", "one.geom"].map(|file| -> Vec<&str> {
            let of_case = ["--geometry", file, "-phisteps", phi_steps, "--simd", &level];
            BASE.split_whitespace().chain(of_case).collect()
        });
        let [of_panels, of_one] = &commands;
        let inputs = [("panels.geom", panels.as_bytes()), ("one.geom", one.as_bytes())];
        let turns = Turns::of(runs, [(executable(), of_panels), (executable(), of_one)], &inputs);
        println!("| {name} | {} |", turns.cpu_ratio(1));
    }
}
