//! Whole commands, run as processes in turns, so that all see the same load of the machine.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{env, fs};

use tempfile::TempDir;
use widebragg::lanes::Simd;

/// A program with its arguments.
pub type Run<'a> = (&'a Path, &'a [&'a str]);

/// Turns of `N` commands.
#[derive(Debug)]
pub struct Turns<const N: usize> {
    /// Elapsed times of each turn.
    pub wall_s: Vec<[f64; N]>,
    /// Processor times of all turns, in clock ticks, where the system counts them.
    pub cpu_ticks: Option<[f64; N]>,
    /// The folder of each command, with what it wrote in the last turn.
    pub folders: [TempDir; N],
}

impl<const N: usize> Turns<N> {
    /// Runs the commands in turns, after one turn that is not counted, each in a folder of its own that has the `inputs`:
    /// names and contents of files. The folders stay until the turns are dropped.
    ///
    /// # Panics
    /// A command fails, or a folder cannot be made.
    #[must_use]
    pub fn of(runs: usize, commands: [Run<'_>; N], inputs: &[(&str, &[u8])]) -> Self {
        let folders = [(); N].map(|()| tempfile::tempdir().expect("a folder"));
        for folder in &folders {
            for (name, content) in inputs {
                fs::write(folder.path().join(name), content).expect("an input");
            }
        }
        let mut turns = Self { wall_s: Vec::new(), cpu_ticks: Some([0.0; N]), folders };
        for turn in 0..=runs {
            let mut wall_s = [0.0; N];
            for (i, (program, args)) in commands.into_iter().enumerate() {
                let (started, before) = (Instant::now(), ticks_of_children());
                let mut command = Command::new(program);
                command.args(args).current_dir(turns.folders[i].path()).stdin(Stdio::null());
                let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("a process");
                wall_s[i] = started.elapsed().as_secs_f64();
                assert!(status.success(), "{}: {status}", program.display());
                let ticks = before.zip(ticks_of_children()).map(|(before, after)| after - before);
                if turn > 0 {
                    turns.cpu_ticks = turns.cpu_ticks.zip(ticks).map(|(mut sums, ticks)| {
                        sums[i] += ticks;
                        sums
                    });
                }
            }
            if turn > 0 {
                turns.wall_s.push(wall_s);
            }
        }
        turns
    }

    /// Processor time of the first command in units of that of command `i`; empty where the system does not count it.
    #[must_use]
    pub fn cpu_ratio(&self, i: usize) -> String {
        let ticks = self.cpu_ticks.filter(|ticks| ticks[i] > 0.0);
        ticks.map_or_else(String::new, |ticks| format!("{:.2}", ticks[0] / ticks[i]))
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

/// The number of turns that `RUNS` asks for, or the usual one.
///
/// # Panics
/// `RUNS` is not a number of at least 1.
#[must_use]
pub fn asked_runs(usual: usize) -> usize {
    asked("RUNS", usual)
}

/// The number that the variable `name` of the environment asks for, or the usual one.
///
/// # Panics
/// It is not a number of at least 1.
#[must_use]
pub fn asked(name: &str, usual: usize) -> usize {
    let count = env::var(name).map_or(usual, |count| count.parse().unwrap_or(0));
    assert!(count > 0, "{name}: a number of at least 1");
    count
}

/// The SIMD level that `LEVEL` caps a bench at, as `--simd` takes it.
#[must_use]
pub fn asked_level() -> String {
    env::var("LEVEL").unwrap_or_else(|_| "auto".to_owned())
}

/// The SIMD level of the processor, capped at `LEVEL`.
///
/// # Panics
/// When `LEVEL` names no level.
#[must_use]
pub fn asked_simd() -> Simd {
    match &asked_level()[..] {
        "auto" => Simd::detect(),
        level => Simd::capped(level.parse().expect("LEVEL: portable, avx2 or avx512")),
    }
}

/// The median of some times; NaN where there are none.
#[must_use]
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
