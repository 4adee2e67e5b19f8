//! What a shot costs beyond its render loop: stills of a megapixel, each of a crystal in another orientation, with a spectrum
//! of 20 wavelengths and Gaussian spots, without writing.
//!
//! Prints the start-up of a shot (its crystal, beam and scenes), the time of whole shots as a multiple of their loops alone,
//! and how much faster two threads are than one; all as medians. `RUNS=n` sets the number of turns, and `LEVEL=avx2` caps the
//! level.

use std::env;
use std::time::Instant;

use rayon::prelude::*;
use widebragg::crystal::{CellSource, UnitCell};
use widebragg::detector::DetectorParameters;
use widebragg::lattice::CrystalShape;
use widebragg::sampling::{OversampleRequest, StepRequest};
use widebragg::scene::DetectorInput;
use widebragg_benches::turns::{asked_runs, asked_simd, median};
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::failure::Failure;
use widebragg_experiment::frame::{Frame, render_frame};
use widebragg_experiment::parameters::{PanelParameters, Parameters, Sources};
use widebragg_experiment::shots::{Distributions, Shots};
use widebragg_experiment::spectrum::{Peak, Spectrum};
use widebragg_experiment::threads;

/// Shots of a turn.
const SHOTS: usize = 40;

/// Number of turns, unless RUNS says otherwise.
const RUNS: usize = 7;

/// Pixels along a side of the detector, and its distance in m.
const PIXELS: usize = 1024;
const DISTANCE_M: f64 = 0.1;

fn base() -> Result<Experiment, Failure> {
    let simd = asked_simd();
    let defaults = Parameters::new(CellSource::Cell(UnitCell::from_degrees([79.0, 79.0, 38.0], [90.0; 3])));
    let detector = DetectorParameters {
        fast_pixels: PIXELS,
        slow_pixels: PIXELS,
        distance_m: Some(DISTANCE_M),
        ..DetectorParameters::default()
    };
    let peak = Peak { centre_ev: 9500.0, fwhm_ev: 30.0, weight: 1.0 };
    let none = StepRequest::default();
    let spectrum = Spectrum::of_peaks(&[peak], 20)?;
    Experiment::new(
        Parameters {
            simd,
            panels: vec![PanelParameters {
                detector: DetectorInput::Parameters(detector),
                ..PanelParameters::default()
            }],
            oversample: OversampleRequest { per_axis: Some(1), ..defaults.oversample },
            lambda0_m: spectrum.mean_lambda_m(),
            sources: Sources::Spectrum { hdiv: none, vdiv: none, round: true, spectrum },
            cells: [20.0; 3],
            shape: CrystalShape::Gauss,
            default_f: 100.0,
            ..defaults
        },
        |_| (),
    )
}

/// A shot: its image, and the time until its scenes are there, in s.
fn shot(shots: &Shots, number: usize) -> Result<(Frame, f64), Failure> {
    let started = Instant::now();
    let base = shots.base();
    let experiment = shots.experiment(&shots.shot(number, &|_| Ok(base.crystal))?)?;
    let mut orientations = experiment.orientation_buffer()?;
    let scenes = experiment.scenes(0, &mut orientations)?;
    let start_up = started.elapsed().as_secs_f64();
    Ok((render_frame(&experiment, &scenes, &|| ())?, start_up))
}

/// The times of a shot until its scenes are there, and of its loop, in s.
fn timed(shots: &Shots, number: usize) -> Result<[f64; 2], Failure> {
    shot(shots, number).map(|(frame, start_up)| [start_up, frame.seconds])
}

/// Wall time of all shots on some threads, as the program renders them, and the times of each.
fn turn(shots: &Shots, threads: usize) -> Result<(f64, Vec<[f64; 2]>), Failure> {
    let pool = threads::pool(threads)?;
    let started = Instant::now();
    let numbers: Vec<usize> = (1..=SHOTS).collect();
    let times = pool.install(|| {
        let some = |numbers: &[usize]| -> Vec<Result<[f64; 2], Failure>> {
            numbers.par_iter().map(|&number| timed(shots, number)).collect()
        };
        numbers.chunks(threads).flat_map(some).collect::<Result<Vec<_>, Failure>>()
    })?;
    Ok((started.elapsed().as_secs_f64(), times))
}

fn main() -> Result<(), Failure> {
    let is_test = env::args().any(|arg| arg == "--test");
    let runs = asked_runs(RUNS);
    let shots = Shots::new(base()?, &[], Distributions::default(), Vec::new(), 1)?;
    let (frame, _) = shot(&shots, 1)?;
    assert!(frame.pixels.iter().any(|&pixel| pixel > 0.0), "the image is dark");
    if is_test {
        return Ok(());
    }
    let (mut start_up, mut whole, mut threads) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let (alone_s, times) = turn(&shots, 1)?;
        let (together_s, _) = turn(&shots, 2)?;
        start_up.extend(times.iter().map(|[start_up, _]| *start_up));
        whole.push(alone_s / times.iter().map(|[_, in_loop]| in_loop).sum::<f64>());
        threads.push(alone_s / together_s);
    }
    println!("{}, {SHOTS} shots, {runs} turns, medians:", shots.base().simd.level());
    println!("start-up of a shot            {:.4} ms", 1e3 * median(start_up.into_iter()));
    println!("whole shot over its loop      {:.3}", median(whole.into_iter()));
    println!("one thread over two           {:.2}", median(threads.into_iter()));
    Ok(())
}
