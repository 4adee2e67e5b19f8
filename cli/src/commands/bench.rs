//! `widebragg bench`: the cost of a step on this processor, at each of its SIMD levels; needs no input files.
//!
//! Each case renders rows through the middle of a 2463 x 2527 detector on one thread, in bursts of at least
//! 25 ms. Each of nine rounds measures all cases, so that a short load of the machine disturbs one round of
//! each case and not all rounds of one. A step is one evaluation of F_cell^2 F_latt^2: a pixel, subpixel, source,
//! phi step and domain.
//!
//! The cost is the processor time of the thread, which other processes do not lengthen while they have the
//! processor. The median is printed with that of the elapsed time; the JSON has the fastest round as well.

use core::time::Duration;
use std::time::Instant;

use serde_json::json;
use widebragg::carryover::Carryover;
use widebragg::lanes::{Simd, SimdLevel};
use widebragg::lattice::Precision;
use widebragg_experiment::experiment::Experiment;
use widebragg_formats::hkl::{HklTable, MAX_CELLS};

use super::setup;
use crate::console;
use crate::error::Failure;
use crate::options::{self, BenchOptions, Command};

/// A case: its name, whether it has a table of structure factors, and its options.
struct Case {
    name: &'static str,
    grid: bool,
    options: &'static str,
}

/// The options that all cases have in common.
const BASE: &str = "-lambda 0.9768 -distance 231.27 -pixel 0.172 -detpixels_x 2463 -detpixels_y 2527 \
    -cell 26.7 31.3 33.7 88.1 71.9 68.3 -misset 11 23 37 -Na 36 -Nb 47 -Nc 29 -default_F 100 -nointerpolate \
    -oversample 1 --grid f64";

const CASES: [Case; 9] = [
    Case { name: "ten phi steps", grid: true, options: "-phi 0 -osc 0.1 -phisteps 10" },
    Case {
        name: "still, default_F only",
        grid: false,
        options: "-cell 100 100 100 90 90 90 -lambda 6.2 -N 10 -misset 0 0 0",
    },
    Case { name: "50 mosaic domains", grid: true, options: "-mosaic 0.1 -mosaic_domains 50" },
    Case {
        name: "65 sources",
        grid: true,
        options: "-hdivrange 1 -hdivsteps 13 -vdivrange 1 -vdivsteps 5 -square_div",
    },
    Case { name: "oversample 4", grid: true, options: "-oversample 4" },
    Case { name: "tricubic", grid: true, options: "-phi 0 -osc 0.1 -phisteps 10 -interpolate" },
    Case { name: "round crystal", grid: true, options: "-phi 0 -osc 0.1 -phisteps 10 -round_xtal" },
    Case { name: "gauss spots", grid: true, options: "-phi 0 -osc 0.1 -phisteps 10 -gauss_xtal -fudge 1e-5" },
    Case {
        name: "tophat spots",
        grid: true,
        options: "-phi 0 -osc 0.1 -phisteps 10 -tophat_spots -fudge 1e-5",
    },
];

/// Number of rounds, and shortest burst in s.
const ROUNDS: usize = 9;
const BURST_S: f64 = 0.025;

/// A case at one level and precision, and its costs.
struct Measured {
    case: &'static str,
    simd: Simd,
    precision: Precision,
    rows: usize,
    /// Of each round, in processor time of the thread.
    cpu: Costs,
    /// Of each round, in elapsed time.
    wall: Costs,
}

/// The costs of the rounds in ns per step.
#[derive(Default)]
struct Costs(Vec<f64>);

impl Costs {
    fn sort(&mut self) {
        self.0.sort_by(f64::total_cmp);
    }

    /// The median, once they are sorted.
    fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The fastest, once they are sorted.
    fn fastest(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }
}

/// Measures all cases and prints the table.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(bench: &BenchOptions) -> Result<(), Failure> {
    let mut experiments = CASES.iter().map(experiment).collect::<Result<Vec<_>, _>>()?;
    let mut measured = Vec::new();
    for (index, (case, experiment)) in CASES.iter().zip(&mut experiments).enumerate() {
        for (simd, precision) in variants(case, bench.simd.unwrap_or(SimdLevel::Avx512)) {
            (experiment.simd, experiment.precision) = (simd, precision);
            // The number of rows of a burst, from the time of a single row.
            let guess = burst(experiment, 1)?.cpu.as_secs_f64();
            let rows = ((BURST_S / guess.max(1e-6)).ceil() as usize).clamp(1, 400);
            let (cpu, wall) = (Costs::default(), Costs::default());
            measured.push((index, Measured { case: case.name, simd, precision, rows, cpu, wall }));
        }
    }
    for _ in 0..ROUNDS {
        for (index, measured) in &mut measured {
            let Some(experiment) = experiments.get_mut(*index) else { continue };
            (experiment.simd, experiment.precision) = (measured.simd, measured.precision);
            let steps = (measured.rows * experiment.columns()) as f64 * experiment.steps_per_pixel();
            let took = burst(experiment, measured.rows)?;
            measured.cpu.0.push(took.cpu.as_secs_f64() * 1e9 / steps);
            measured.wall.0.push(took.wall.as_secs_f64() * 1e9 / steps);
        }
    }
    let mut measured: Vec<Measured> = measured.into_iter().map(|(_, measured)| measured).collect();
    for measured in &mut measured {
        measured.cpu.sort();
        measured.wall.sort();
    }
    let detected = Simd::detect().level();
    console::print(&if bench.json { as_json(detected, &measured) } else { as_text(detected, &measured) })
}

/// Levels up to `cap` and precisions that a case is measured at.
fn variants(case: &Case, cap: SimdLevel) -> Vec<(Simd, Precision)> {
    // Mixed precision is for square crystals without interpolation.
    let mixes = !["_xtal", "_spots", "-interpolate"].iter().any(|word| case.options.contains(word));
    let precisions: &[Precision] =
        if mixes { &[Precision::Double, Precision::Mixed] } else { &[Precision::Double] };
    let levels = Simd::available().filter(|simd| simd.level() <= cap);
    levels.flat_map(|simd| precisions.iter().map(move |&precision| (simd, precision))).collect()
}

fn experiment(case: &Case) -> Result<Experiment, Failure> {
    let args: Vec<String> = [BASE, case.options].join(" ").split_whitespace().map(str::to_owned).collect();
    let Command::Render(options) = options::parse(&args)? else {
        return Err(Failure::with_code(1, "bench: its command line does not render"));
    };
    let grid = if case.grid { Some(structure_factors()?) } else { None };
    setup::with_structure_factors(&options, grid, |_| ())
}

/// A table from -40 to 40 on each axis, whose values differ from node to node.
fn structure_factors() -> Result<HklTable, Failure> {
    let mut table =
        HklTable::filled((-40, 40), (-40, 40), (-40, 40), 0.0, MAX_CELLS).map_err(Failure::input)?;
    for (i, f) in table.data.iter_mut().enumerate() {
        *f = 20.0 + (i.wrapping_mul(2_654_435_761) % 1000) as f64;
    }
    Ok(table)
}

/// The time that a burst took.
struct Took {
    /// Processor time of the thread.
    cpu: Duration,
    /// Elapsed time.
    wall: Duration,
}

/// A running measurement.
struct Clock {
    cpu: Option<Duration>,
    wall: Instant,
}

impl Clock {
    fn start() -> Self {
        Self { cpu: thread_time(), wall: Instant::now() }
    }

    fn took(&self) -> Took {
        let wall = self.wall.elapsed();
        let cpu = self.cpu.zip(thread_time()).map(|(start, end)| end.saturating_sub(start));
        Took { cpu: cpu.unwrap_or(wall), wall }
    }
}

/// Processor time of this thread, where the system measures it.
fn thread_time() -> Option<Duration> {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::try_from(time).ok()
    }
    #[cfg(not(unix))]
    None
}

/// Renders `rows` rows around the middle.
fn burst(experiment: &Experiment, rows: usize) -> Result<Took, Failure> {
    let mut entries = experiment.orientation_buffer()?;
    let scene = experiment.scene(0, 0, &mut entries)?;
    let mut row = vec![0f32; experiment.columns()];
    let first = scene.panel().slow_pixels / 2 - rows / 2;
    let clock = Clock::start();
    for slow in first..first + rows {
        scene
            .render_rows(slow..slow + 1, &mut row, &mut Carryover::Off)
            .map_err(|error| Failure::with_code(1, format!("bench: {error}")))?;
        core::hint::black_box(&row);
    }
    Ok(clock.took())
}

fn as_json(detected: SimdLevel, measured: &[Measured]) -> String {
    let cases: Vec<_> = measured
        .iter()
        .map(|m| {
            json!({
                "case": m.case,
                "level": m.simd.level().name(),
                "precision": m.precision.name(),
                "ns_per_step": m.cpu.median(),
                "fastest_ns_per_step": m.cpu.fastest(),
                "wall_ns_per_step": m.wall.median(),
            })
        })
        .collect();
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "{:#}\n",
        json!({ "program": "widebragg", "version": version, "detected": detected.name(), "cases": cases })
    )
}

fn as_text(detected: SimdLevel, measured: &[Measured]) -> String {
    let mut columns: Vec<(SimdLevel, &str)> = Vec::new();
    for m in measured {
        if !columns.contains(&(m.simd.level(), m.precision.name())) {
            columns.push((m.simd.level(), m.precision.name()));
        }
    }
    let mut text = format!(
        "ns per step in processor time, in brackets elapsed; one thread; this processor has {detected}\n\n{:<23}",
        ""
    );
    for (level, precision) in &columns {
        let name = if *precision == "f64" { level.name().to_owned() } else { format!("{level} {precision}") };
        text.push_str(&format!("{name:>16}"));
    }
    text.push('\n');
    for case in &CASES {
        text.push_str(&format!("{:<23}", case.name));
        for &(level, precision) in &columns {
            let cell = measured
                .iter()
                .find(|m| m.case == case.name && (m.simd.level(), m.precision.name()) == (level, precision))
                .map_or_else(
                    || "-".to_owned(),
                    |m| format!("{:.2} ({:.2})", m.cpu.median(), m.wall.median()),
                );
            text.push_str(&format!("{cell:>16}"));
        }
        text.push('\n');
    }
    text
}
