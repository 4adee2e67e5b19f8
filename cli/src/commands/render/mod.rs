//! `widebragg` without a command: renders images, writes their files, and prints a summary.

mod estimate;
mod exposure;
mod nanobragg_log;
mod output;
mod printout;
mod series;
mod summary;

use indicatif::ProgressBar;
use rayon::ThreadPool;
use widebragg::rotation::PhiMode;
use widebragg::scene::Scene;
use widebragg_experiment::carryover::latched;
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::frame::{Frame, check_room, render_frame};
use widebragg_experiment::threads;

use crate::commands::setup;
use crate::commands::setup::structure_factors::{inputs, write_dump};
use crate::console;
use crate::error::Failure;
use crate::evidence::{self, Evidence};
use crate::options::{Log, Options};
use estimate::Estimate;
use output::{DEFAULT_ADC, Names};
use series::{Record, Series};
use summary::ImageSummary;

/// Renders what `options` asks for; `args` is the command line they were read from.
///
/// # Errors
/// The line to print on standard error.
pub fn run(options: &Options, args: &[String]) -> Result<(), Failure> {
    evidence::recorded(options.evidence.as_deref(), args, |evidence| render(options, args, evidence))
}

fn render(options: &Options, args: &[String], mut evidence: Option<&mut Evidence>) -> Result<(), Failure> {
    let series = Series::new(options)?;
    let mut options = options.clone();
    // Checked before hours are spent on the images.
    Names::new(&options, series.number(series.first))?.check_writable()?;
    let mut record = if series.numbered { Some(Record::find(&mut options, args)?) } else { None };
    let options = &options;
    if let Some(evidence) = &mut evidence {
        inputs(options).for_each(|path| evidence.add_input(path));
    }
    let experiment = setup::experiment(options)?;
    if let Some(record) = &mut record {
        record.keep()?;
    }
    if series.end - series.first > 1 && experiment.phi.range == 0.0 {
        console::complain("--frames without an oscillation: all frames have the same phi");
    }
    let threads = threads::worth_starting(&experiment, threads::or_all_cores(options.threads));
    let pool = threads::pool(threads)?;
    check_room(&experiment)?;
    let estimate = Estimate::new(options, &experiment, series.end - series.first, threads);
    estimate.warning().iter().for_each(|warning| console::complain(warning));
    let prints = |log: Log| !options.quiet && !options.json && [Log::All, log].contains(&options.log);
    // A standard output that cannot be written is no reason not to render.
    let announced = match prints(Log::Summary) {
        true => console::print(&summary::interpretation(&experiment, threads, estimate)),
        false => Ok(()),
    };
    let rows = (experiment.detector.slow_pixels as u64).saturating_mul((series.end - series.first) as u64);
    let wanted = !options.quiet && options.progress != Some(false);
    let bar = console::progress(rows, wanted);
    let job = Job { options, experiment: &experiment, series, record, pool, bar };
    let images = job.render();
    job.bar.finish_and_clear();
    let images = images?;
    write_dump(options, &experiment);
    if let Some(evidence) = evidence {
        keep(
            evidence,
            &summary::json(&experiment, threads, estimate, &images),
            &experiment,
            threads,
            &images,
        )?;
    }
    announced?;
    if options.json && !options.quiet {
        return console::print(&summary::json(&experiment, threads, estimate, &images));
    }
    for image in &images {
        // --quiet does not suppress a -printout.
        console::print(&image.printout)?;
        if prints(Log::Summary) {
            console::print(&image.text())?;
        }
    }
    if prints(Log::NanoBragg) {
        if options.log == Log::All {
            console::print(NANOBRAGG_LOG)?;
        }
        console::print(&nanobragg_log::run(options, &experiment))?;
        for image in &images {
            console::print(&nanobragg_log::image(options, &experiment, image))?;
        }
    }
    Ok(())
}

/// The heading of [`nanobragg_log`].
const NANOBRAGG_LOG: &str = "\nFor scripts, as nanoBragg prints it (--log summary leaves it out):\n";

/// Adds images and summary to the evidence folder.
fn keep(
    evidence: &mut Evidence,
    summary: &str,
    experiment: &Experiment,
    threads: usize,
    images: &[ImageSummary],
) -> Result<(), Failure> {
    evidence.add_fact("simd", experiment.simd.level().name().into());
    evidence.add_fact("threads", threads.into());
    // An image may have the name of the summary: its copy then gets another one.
    evidence.add_text("summary.json", summary)?;
    images.iter().flat_map(|image| image.names.all()).try_for_each(|path| evidence.add_copy(path))
}

/// The frames of a run, to be rendered.
struct Job<'a> {
    options: &'a Options,
    experiment: &'a Experiment,
    series: Series,
    record: Option<Record>,
    pool: ThreadPool,
    bar: ProgressBar,
}

impl Job<'_> {
    fn render(&self) -> Result<Vec<ImageSummary>, Failure> {
        let Self { options, experiment, series, record, bar, .. } = self;
        let mut orientations = experiment.orientation_buffer()?;
        let finished = record.as_ref().filter(|_| options.resume);
        let mut images: Vec<ImageSummary> = Vec::new();
        let mut left_out = 0usize;
        for index in series.first..series.end {
            let names = Names::new(options, series.number(index))?;
            if finished.is_some_and(|record| record.has_finished(&names, experiment.detector.pixels())) {
                bar.inc(experiment.detector.slow_pixels as u64);
                left_out += 1;
                continue;
            }
            let scene = experiment.scene(index, &mut orientations)?;
            let image = self.frame(index, &scene, names, images.is_empty())?;
            images.push(image);
        }
        let fallbacks: u64 = images.iter().map(|image| image.fallbacks).sum();
        if fallbacks > 0 && experiment.mode == PhiMode::Spec {
            console::complain(&format!(
                "{fallbacks} interpolations reached beyond the structure factors: the nearest, or default_F, was used for each"
            ));
        }
        if left_out > 0 && !options.quiet {
            console::complain(&format!("--resume: {left_out} finished frames kept"));
        }
        Ok(images)
    }

    /// Renders and writes frame `index` of the series, counted from 0.
    fn frame(
        &self,
        index: usize,
        scene: &Scene<'_>,
        names: Names,
        is_first: bool,
    ) -> Result<ImageSummary, Failure> {
        let Self { options, experiment, series, record, pool, bar } = self;
        let number = series.number(index);
        if let Some(number) = number {
            bar.set_message(format!("frame {number}"));
        }
        let frame = pool.install(|| render_frame(experiment, scene, &|| bar.inc(1)))?;
        let written =
            pool.install(|| output::write(options, experiment, scene, &frame.pixels, index, &names))?;
        if let Some(record) = record {
            record.mark(&names);
        }
        if let Some(latch) = frame.latch.filter(|_| is_first) {
            console::complain(&format!(
                "interpolation out of range at pixel fast {} slow {}: nearest structure factors used from there on, as nanoBragg does",
                latch.fast, latch.slow
            ));
        }
        // The sum is f64 and cannot overflow, so that only an infinite pixel makes it infinite.
        if !written.statistics.sum.is_finite() {
            let name = names.float().display();
            let what = if written.statistics.sum.is_nan() {
                "a pixel is not a number"
            } else {
                "a pixel is infinite: beyond the 3.4e38 that f32 holds"
            };
            console::complain(&format!("{name}: {what}"));
        }
        let adc = options.adc.unwrap_or(DEFAULT_ADC);
        if let Some(doubt) =
            exposure::doubt(experiment, &written, frame.report.pixels, adc).filter(|_| is_first)
        {
            console::complain(&format!("{}: {doubt}", names.float().display()));
        }
        let mut image = ImageSummary::new(experiment, &frame, scene.steps(), number, names, written);
        if options.printout || options.printout_pixel.is_some() {
            image.printout = self.printouts(&latched(scene, frame.latch), &frame)?;
        }
        Ok(image)
    }

    /// The lines of `-printout` for one pixel or for the region of interest.
    fn printouts(&self, scene: &Scene<'_>, frame: &Frame) -> Result<String, Failure> {
        let Self { options, experiment, .. } = self;
        let columns = experiment.detector.fast_pixels;
        let stored =
            |[fast, slow]: [usize; 2]| frame.pixels.get(slow * columns + fast).copied().unwrap_or(0.0);
        let one = |position: [usize; 2]| {
            printout::pixel(experiment.lambda0_m, scene, &frame.slots, position, stored(position))
        };
        if let Some(pixel) = options.printout_pixel {
            let [fast, slow] = pixel.map(|index| usize::try_from(index).unwrap_or(usize::MAX));
            let inside = fast < columns && slow < experiment.detector.slow_pixels;
            return if inside { one([fast, slow]) } else { Ok(String::new()) };
        }
        let roi = experiment.roi;
        let mut text = String::new();
        for slow in roi.slow_min..=roi.slow_max {
            for fast in roi.fast_min..=roi.fast_max {
                text.push_str(&one([fast, slow])?);
            }
        }
        Ok(text)
    }
}
