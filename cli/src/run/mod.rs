//! A run: options and files to a scene, rows over threads, images to files, figures to the user.

pub mod frame;
pub mod images;
mod inherited;
pub mod output;
mod printout;
pub(crate) mod series;
pub mod setup;
pub mod statistics;
pub mod summary;

use std::thread::available_parallelism;

use indicatif::ProgressBar;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::console;
use crate::error::Failure;
use crate::evidence::{self, Evidence};
use crate::options::Options;
use frame::{latched, render_frame};
use output::Names;
use series::{Record, Series};
use setup::Setup;
use summary::ImageSummary;

/// Below this many steps in an image a second thread costs more than it saves.
const STEPS_WORTH_THREADS: f64 = 200_000.0;

/// Renders what `options` asks for; `args` is the command line they were read from.
///
/// # Errors
/// The line to tell the user.
pub fn render(options: &Options, args: &[String]) -> Result<(), Failure> {
    evidence::recorded(options.evidence.as_deref(), args, |evidence| render_with(options, args, evidence))
}

fn render_with(options: &Options, args: &[String], evidence: Option<&mut Evidence>) -> Result<(), Failure> {
    let series = Series::new(options)?;
    let mut options = options.clone();
    // Names that cannot be written should be known before hours are spent on what they are for.
    Names::new(&options, series.number(series.first))?.check_writable()?;
    let mut record = if series.numbered { Some(Record::find(&mut options, args)?) } else { None };
    let options = &options;
    let setup = Setup::new(options)?;
    for warning in &setup.warnings {
        console::complain(warning);
    }
    if let Some(record) = &mut record {
        record.keep()?;
    }
    if series.end - series.first > 1 && setup.phi.range == 0.0 {
        console::complain("--frames without an oscillation: all frames have the same phi");
    }
    let threads = threads(options, &setup);
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| Failure::input(format!("--threads {threads}: {error}")))?;
    let rows = (setup.detector.slow_pixels as u64).saturating_mul((series.end - series.first) as u64);
    let wanted = !options.quiet && options.progress != Some(false);
    let bar = console::progress(rows, wanted);
    let images = render_series(options, &setup, &series, record.as_ref(), &pool, &bar);
    bar.finish_and_clear();
    let images = images?;
    setup.write_dump(options);
    if let Some(evidence) = evidence {
        keep(evidence, options, &setup, threads, &images)?;
    }
    if options.quiet {
        // What was asked for by name is not noise.
        return images.iter().try_for_each(|image| console::print(&image.printout));
    }
    let report = if options.json { summary::json } else { summary::text };
    console::print(&report(&setup, threads, &images))
}

/// Copies of the images, the summary, and what they depend on, into the evidence folder.
fn keep(
    evidence: &mut Evidence,
    options: &Options,
    setup: &Setup,
    threads: usize,
    images: &[ImageSummary],
) -> Result<(), Failure> {
    series::inputs(options).for_each(|path| evidence.add_input(path));
    evidence.add_fact("simd", setup.simd.level().name().into());
    evidence.add_fact("threads", threads.into());
    images.iter().flat_map(|image| image.names.all()).try_for_each(|path| evidence.add_copy(path))?;
    evidence.add_text("summary.json", &summary::json(setup, threads, images))
}

fn threads(options: &Options, setup: &Setup) -> usize {
    let all = options.threads.unwrap_or_else(|| available_parallelism().map_or(1, usize::from));
    let steps = setup.detector.pixels() as f64 * setup.steps_per_pixel();
    if steps < STEPS_WORTH_THREADS { 1 } else { all }
}

fn render_series(
    options: &Options,
    setup: &Setup,
    series: &Series,
    record: Option<&Record>,
    pool: &ThreadPool,
    bar: &ProgressBar,
) -> Result<Vec<ImageSummary>, Failure> {
    let mut entries = setup.orientation_buffer()?;
    let finished = record.filter(|_| options.resume);
    let mut images = Vec::new();
    let mut fallbacks = 0;
    let mut left_out = 0usize;
    for index in series.first..series.end {
        let number = series.number(index);
        let names = Names::new(options, number)?;
        if finished.is_some_and(|record| record.has_finished(&names, setup.detector.pixels())) {
            bar.inc(setup.detector.slow_pixels as u64);
            left_out += 1;
            continue;
        }
        if let Some(number) = number {
            bar.set_message(format!("frame {number}"));
        }
        let scene = setup.scene(index, &mut entries)?;
        let frame = pool.install(|| render_frame(setup, &scene, bar))?;
        let written = pool.install(|| output::write(options, setup, &scene, &frame, index, &names))?;
        if let Some(record) = record {
            record.mark(&names);
        }
        if let (Some(latch), None) = (frame.latch, images.last()) {
            console::complain(&format!(
                "interpolation out of range at pixel fast {} slow {}: nearest structure factors used from there on, as the reference does",
                latch.fast, latch.slow
            ));
        }
        fallbacks += frame.report.fallbacks;
        // Sums are f64, which no number of f32 pixels takes beyond its range.
        if !written.statistics.sum.is_finite() {
            let name = names.float().display();
            console::complain(&format!("{name}: a pixel is infinite: beyond the 3.4e38 that f32 holds"));
        }
        let mut image = ImageSummary::new(setup, &frame, scene.steps(), number, names, written);
        if options.printout || options.printout_pixel.is_some() {
            image.printout = printouts(options, setup, &latched(&scene, frame.latch), &frame)?;
        }
        images.push(image);
    }
    if fallbacks > 0 && setup.mode == widebragg::rotation::PhiMode::Spec {
        console::complain(&format!(
            "{fallbacks} interpolations reached beyond the structure factors: the nearest, or default_F, was used for each"
        ));
    }
    if left_out > 0 && !options.quiet {
        console::complain(&format!("--resume: {left_out} finished frames kept"));
    }
    Ok(images)
}

fn printouts(
    options: &Options,
    setup: &Setup,
    scene: &widebragg::render::Scene<'_>,
    frame: &frame::Frame,
) -> Result<String, Failure> {
    let columns = setup.detector.fast_pixels;
    let stored = |[fast, slow]: [usize; 2]| frame.pixels.get(slow * columns + fast).copied().unwrap_or(0.0);
    let one = |place: [usize; 2]| printout::pixel(setup, scene, &frame.slots, place, stored(place));
    if let Some(place) = options.printout_pixel {
        return one(place);
    }
    let roi = setup.roi;
    let mut text = String::new();
    for slow in roi.slow_min..=roi.slow_max {
        for fast in roi.fast_min..=roi.fast_max {
            text.push_str(&one([fast, slow])?);
        }
    }
    Ok(text)
}
