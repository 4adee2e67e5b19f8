//! What the stages of a whole image cost beside its render loop, on 3840 x 3840 pixels: the noise of a published job (counts,
//! readout, stored gains of the pixels and a point spread of fibers within 10 pixels), the whole tail of that point spread, and
//! the background of water and of air for a beam of one wavelength.
//!
//! Prints, for one thread, nanoseconds a pixel and seconds of processor time, which the load of the machine changes less than
//! elapsed time, and elapsed seconds with one thread and with two; all as medians. `RUNS=n` sets the number of turns, and
//! `LEVEL=avx2` caps the level.

use std::env;
use std::time::Instant;

use widebragg::crystal::{CellSource, UnitCell};
use widebragg::detector::DetectorParameters;
use widebragg::noise::point_spread::Form;
use widebragg::sampling::OversampleRequest;
use widebragg::scene::DetectorInput;
use widebragg_benches::thread_time::thread_time;
use widebragg_benches::turns::{asked_runs, asked_simd, median};
use widebragg_experiment::background::{KnownMatter, Matter, Place, photons};
use widebragg_experiment::detector_noise::{DetectorNoise, NoiseStages};
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::failure::Failure;
use widebragg_experiment::parameters::{PanelParameters, Parameters};
use widebragg_experiment::point_spread::{PointSpread, PointSpreadRule};
use widebragg_experiment::threads;

/// Pixels along a side of the detector, and their edge in m.
const PIXELS: usize = 3840;
const PIXEL_M: f64 = 0.088e-3;

/// Number of turns, unless RUNS says otherwise.
const RUNS: usize = 5;

/// Cross section of the beam, in m^2.
const AREA_M2: f64 = 1e-8;

/// The point spread of the job.
const SPREAD: PointSpreadRule = PointSpreadRule { form: Form::Fiber, width_m: 80e-6, radius_px: Some(10) };

/// A name, and what makes an image.
type Case<'a> = (&'a str, &'a (dyn Fn() -> Result<Vec<f32>, Failure> + Sync));

fn experiment() -> Result<Experiment, Failure> {
    let simd = asked_simd();
    let defaults = Parameters::new(CellSource::Cell(UnitCell::from_degrees([79.0, 79.0, 38.0], [90.0; 3])));
    let detector = DetectorParameters {
        pixel_m: PIXEL_M,
        fast_pixels: PIXELS,
        slow_pixels: PIXELS,
        distance_m: Some(0.141),
        ..DetectorParameters::default()
    };
    Experiment::new(
        Parameters {
            simd,
            panels: vec![PanelParameters {
                detector: DetectorInput::Parameters(detector),
                ..PanelParameters::default()
            }],
            oversample: OversampleRequest { per_axis: Some(1), ..defaults.oversample },
            lambda0_m: 1.3e-10,
            fluence_per_m2: 1e20,
            ..defaults
        },
        |_| (),
    )
}

/// A layer of known matter at the sample.
fn matter(known: KnownMatter, thickness_m: f64) -> Vec<Matter> {
    vec![Matter {
        name: known.name().to_owned(),
        points: known.table().points.clone().into(),
        place: Place::Slab { thickness_m },
        density_g_per_cm3: known.density_g_per_cm3(),
        weight_g_per_mol: known.weight_g_per_mol(),
        attenuation_per_m: None,
    }]
}

fn main() -> Result<(), Failure> {
    let is_test = env::args().any(|arg| arg == "--test");
    let runs = if is_test { 1 } else { asked_runs(RUNS) };
    let experiment = experiment()?;
    let expected = photons(&experiment, matter(KnownMatter::Water, 0.1e-3), AREA_M2)?.photons;
    let stages = NoiseStages {
        point_spread: Some(SPREAD),
        calibration: 0.03,
        readout_adu: 3.0,
        ..NoiseStages::default()
    };
    let job = DetectorNoise::new(&stages, &experiment)?;
    let tail = PointSpreadRule { radius_px: None, ..SPREAD };
    let tail = PointSpread::new(tail, experiment.simd, PIXEL_M, [PIXELS; 2])?;
    let of = |known: KnownMatter| photons(&experiment, matter(known, 0.1e-3), AREA_M2).map(|all| all.photons);
    let cases: [Case<'_>; 4] = [
        ("background, water", &|| of(KnownMatter::Water)),
        ("background, air", &|| of(KnownMatter::Air)),
        ("fiber, whole tail", &|| {
            let mut spread = expected.clone();
            tail.spread(&mut spread).map(|()| spread)
        }),
        ("noise of the job", &|| job.stored(&experiment, &expected, 1, 0)),
    ];
    let pixels = (PIXELS * PIXELS) as f64;
    let mean = expected.iter().copied().map(f64::from).sum::<f64>() / pixels;
    println!(
        "{}, {PIXELS} x {PIXELS} pixels of {mean:.1} photons, {runs} turns, medians:",
        experiment.simd.level()
    );
    println!(
        "| case | ns a pixel | s in processor time | s, one thread | s, two threads |\n|---|---|---|---|---|"
    );
    let pools = [threads::pool(1)?, threads::pool(2)?];
    for (name, case) in cases {
        let (mut processor_s, mut elapsed_s) = (Vec::new(), [Vec::new(), Vec::new()]);
        for _ in 0..runs {
            for (pool, elapsed_s) in pools.iter().zip(&mut elapsed_s) {
                let image = pool.install(|| {
                    let (started, before) = (Instant::now(), thread_time());
                    let image = case()?;
                    if pool.current_num_threads() == 1 {
                        processor_s.push((thread_time() - before).as_secs_f64());
                    }
                    elapsed_s.push(started.elapsed().as_secs_f64());
                    Ok::<_, Failure>(image)
                })?;
                assert!(
                    image.iter().map(|&pixel| f64::from(pixel)).sum::<f64>() > 0.0,
                    "{name}: a dark image"
                );
            }
        }
        let processor_s = median(processor_s.into_iter());
        let [one_s, two_s] = elapsed_s.map(|times| median(times.into_iter()));
        let ns = processor_s * 1e9 / pixels;
        println!("| {name} | {ns:.1} | {processor_s:.3} | {one_s:.3} | {two_s:.3} |");
    }
    Ok(())
}
