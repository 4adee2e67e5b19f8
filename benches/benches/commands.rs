//! Whole commands of `widebragg`, as processes, compared with those of a reference binary, `NANOBRAGG=path`.
//!
//! The two run in turns in folders of their own, so that both see the same load of the machine. For each case the table has
//! the median of the elapsed times of either program, the median of their ratios pair by pair, and the ratio of the
//! processor times of all runs, which the load of the machine changes least. `RUNS=n` sets the number of pairs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{env, fs};

use widebragg_tests::program::executable;

/// A detector of 1024 x 1024 pixels and a crystal that lights all of it.
const BASE: &str = "-default_F 100 -cell 79 79 38 90 90 90 -misset 10 20 30 -lambda 1 -distance 150 -pixel 0.172 \
    -detpixels 1024 -oversample 1 -N 20 -nopgm";

/// What only widebragg understands: the reference's figures to the last bit.
const PARITY: &str = "--phi-carryover-mode c-parity --quiet";

/// Name and further options of each case.
const CASES: [(&str, &str); 6] = [
    ("still", "-fluence 1e24 -nonoise"),
    ("ten phi steps", "-fluence 1e24 -nonoise -phi 0 -osc 1 -phisteps 10"),
    ("50 mosaic domains", "-fluence 1e24 -nonoise -mosaic 0.5 -mosaic_domains 50"),
    ("noise, mean 0.4", "-fluence 2e21 -water 2000 -seed 1"),
    ("noise, mean 63", "-fluence 2.5e22 -water 2000 -seed 1"),
    ("noise, mean 101000", "-fluence 1e24 -water 2000 -seed 1"),
];

/// Number of pairs of runs, unless RUNS says otherwise.
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
    let runs = env::var("RUNS").map_or(RUNS, |runs| runs.parse().expect("RUNS: a number"));
    assert!(runs > 0, "RUNS: at least 1");
    println!("Seconds of whole commands, medians of {runs} pairs; the reference has one thread.\n");
    println!(
        "| case | reference | widebragg | times as fast | in processor time | with one thread, in processor time |"
    );
    println!("|---|---|---|---|---|---|");
    for (name, options) in CASES {
        let options: Vec<&str> = BASE.split_whitespace().chain(options.split_whitespace()).collect();
        let ours: Vec<&str> = options.iter().copied().chain(PARITY.split_whitespace()).collect();
        let single: Vec<&str> = ours.iter().copied().chain(["--threads", "1"]).collect();
        let pairs = Pairs::of(runs, (&reference, &options), (executable(), &ours));
        let single = Pairs::of(runs, (&reference, &options), (executable(), &single));
        let [there, here] = [0, 1].map(|i| median(pairs.wall_s.iter().map(|pair| pair[i])));
        let ratio = median(pairs.wall_s.iter().map(|pair| pair[0] / pair[1]));
        let cpu = pairs.cpu_ratio().zip(single.cpu_ratio());
        let cpu = cpu.map_or_else(|| "| ".to_owned(), |(both, one)| format!("{both:.2} | {one:.2}"));
        println!("| {name} | {there:.3} | {here:.3} | {ratio:.2} | {cpu} |");
    }
}

/// Pairs of runs of two commands.
struct Pairs {
    /// Elapsed time of each pair.
    wall_s: Vec<[f64; 2]>,
    /// Processor time of all runs, in clock ticks, where the system counts it.
    cpu_ticks: Option<[f64; 2]>,
}

impl Pairs {
    /// Runs two programs with their arguments in turns, after one run each that is not counted.
    fn of(runs: usize, first: (&Path, &[&str]), second: (&Path, &[&str])) -> Self {
        let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
        let mut pairs = Self { wall_s: Vec::new(), cpu_ticks: Some([0.0; 2]) };
        for run in 0..=runs {
            let mut wall_s = [0.0; 2];
            for (i, (program, args)) in [first, second].into_iter().enumerate() {
                let (started, before) = (Instant::now(), ticks_of_children());
                let mut command = Command::new(program);
                command.args(args).current_dir(folders[i].path()).stdin(Stdio::null());
                let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("a process");
                wall_s[i] = started.elapsed().as_secs_f64();
                assert!(status.success(), "{}: {status}", program.display());
                if run > 0 {
                    let ticks = before.zip(ticks_of_children()).map(|(before, after)| after - before);
                    pairs.cpu_ticks = pairs.cpu_ticks.zip(ticks).map(|(mut sums, ticks)| {
                        sums[i] += ticks;
                        sums
                    });
                }
            }
            if run > 0 {
                pairs.wall_s.push(wall_s);
            }
        }
        pairs
    }

    fn cpu_ratio(&self) -> Option<f64> {
        self.cpu_ticks.filter(|ticks| ticks[1] > 0.0).map(|ticks| ticks[0] / ticks[1])
    }
}

/// Processor time, in clock ticks, of the processes that this one has started and that have ended; Linux only.
fn ticks_of_children() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the process, in brackets, may have spaces. Columns 16 and 17 of proc_pid_stat(5) follow it.
    let (_, columns) = stat.rsplit_once(')')?;
    let mut columns = columns.split_whitespace().skip(13);
    let mut ticks = || columns.next()?.parse::<f64>().ok();
    Some(ticks()? + ticks()?)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
