//! `widebragg noisify`, as a process, compared with a reference binary, `NOISIFY=path`, whose images it makes byte for byte.
//!
//! The reference, `widebragg`, and `widebragg` with one thread run in turns in folders of their own. For each case the table has the
//! medians of the elapsed times, the median of their ratios turn by turn, and the ratios of the processor times of all turns, which
//! the load of the machine changes least. The images are compared. `RUNS=n` sets the number of turns.

use std::path::PathBuf;
use std::{env, fs};

use widebragg_benches::turns::{Turns, asked_runs, median};
use widebragg_tests::program::executable;

/// What all commands have.
const BASE: &str = "-seed 7 -intfile i.img -noisefile n.img -pgmfile p.pgm";

/// Name and options of each case; `5_1` is an image of 5 photons a pixel and 1024 x 1024 pixels, `100_4` one of 100 photons and
/// 2048 x 2048.
const CASES: [(&str, &str); 12] = [
    ("without noise, 4 megapixels", "-floatfile 5_4 -nonoise"),
    ("counts, mean 5", "-floatfile 5_1 -calibration 0"),
    ("counts, mean 5, 4 megapixels", "-floatfile 5_4 -calibration 0"),
    ("counts, mean 100", "-floatfile 100_1 -calibration 0"),
    ("counts, mean 100, 4 megapixels", "-floatfile 100_4 -calibration 0"),
    ("counts and readout, mean 5", "-floatfile 5_1 -calibration 0 -readout 3"),
    ("default: calibration, mean 5", "-floatfile 5_1"),
    ("flicker and calibration, mean 100", "-floatfile 100_1 -flicker 0.02"),
    ("gauss within 4 pixels, mean 5", "-floatfile 5_1 -calibration 0 -psf gauss -psf_fwhm 150 -psf_radius 4"),
    ("fiber within 5 pixels, mean 5", "-floatfile 5_1 -calibration 0 -psf fiber -psf_fwhm 80 -psf_radius 5"),
    (
        "fiber within 10 pixels, mean 5",
        "-floatfile 5_1 -calibration 0 -psf fiber -psf_fwhm 80 -psf_radius 10",
    ),
    ("fiber, radii of the pixels, mean 5", "-floatfile 5_1 -calibration 0 -psf fiber -psf_fwhm 80"),
];

/// Number of turns, unless RUNS says otherwise.
const RUNS: usize = 7;

fn main() {
    // `cargo bench -- --test` and `cargo test` check benches without timing.
    if env::args().any(|arg| arg == "--test") {
        return;
    }
    let Some(reference) = env::var_os("NOISIFY").map(PathBuf::from) else {
        println!("noisify: skipped: NOISIFY=path names no reference binary");
        return;
    };
    let reference = fs::canonicalize(reference).expect("the binary that NOISIFY names");
    let runs = asked_runs(RUNS);
    let inputs = [("5_1", 5.0, 1024), ("5_4", 5.0, 2048), ("100_1", 100.0, 1024), ("100_4", 100.0, 2048)]
        .map(|(name, mean, side)| (name, photons(mean, side)));
    let inputs = inputs.each_ref().map(|(name, photons)| (*name, &**photons));
    println!("Seconds of whole commands, medians of {runs} turns; the reference has one thread.\n");
    println!(
        "| case | reference | widebragg | times as fast | in processor time | with one thread, in processor time |"
    );
    println!("|---|---|---|---|---|---|");
    for (name, options) in CASES {
        let options: Vec<&str> = options.split_whitespace().chain(BASE.split_whitespace()).collect();
        let ours = |more: &[&'static str]| [&["noisify"], &*options, more].concat();
        let (all, single) = (ours(&["--quiet"]), ours(&["--quiet", "--threads", "1"]));
        let commands = [(&*reference, &*options), (executable(), &*all), (executable(), &*single)];
        let turns = Turns::of(runs, commands, &inputs);
        for image in ["i.img", "n.img", "p.pgm"] {
            let [expected, all, single] =
                turns.folders.each_ref().map(|folder| fs::read(folder.path().join(image)).ok());
            assert!(expected == all && expected == single, "{name}: {image} differs");
        }
        let [there, here, _] = [0, 1, 2].map(|i| median(turns.wall_s.iter().map(|turn| turn[i])));
        let ratio = median(turns.wall_s.iter().map(|turn| turn[0] / turn[1]));
        let [both, one] = [1, 2].map(|i| turns.cpu_ratio(i));
        println!("| {name} | {there:.3} | {here:.3} | {ratio:.2} | {both} | {one} |");
    }
}

/// A square image of raw f32 that falls off from its middle, with about `mean` photons a pixel.
fn photons(mean: f32, side: usize) -> Vec<u8> {
    let from_middle = |at: usize| (at as f32 / side as f32 - 0.5).powi(2);
    let pixel = |at: usize| 1.6 * mean / (1.0 + 4.0 * (from_middle(at % side) + from_middle(at / side)));
    (0..side * side).flat_map(|at| pixel(at).to_le_bytes()).collect()
}
