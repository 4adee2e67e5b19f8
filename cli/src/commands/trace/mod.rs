//! `widebragg trace`: the intermediate values of pixels.
//!
//! As text: a line for each tap and each step. The steps precede their sum, as in the traces of the
//! reference:
//!
//! ```text
//! TRACE_WB: pixel 685 1039
//! TRACE_WB: pix0_vector_meters -0.216475836204836 0.216343050492215 -0.230192414300537
//! TRACE_WB_PHI layer=0 ... phi_tic=0 domain=0 phi_deg=0 h_frac=... carryover=hit left_by=685,1038
//! TRACE_WB: I_before_scaling 943654.80923755
//! ```
//!
//! As JSON: `traces`, an object for each pixel with `pixel`, `taps` and `per_phi`, with the same names.
//!
//! The taps of a step (`rot_a_angstroms` ... `F_cell`) are those of the first traced step. A step at phi = 0
//! states the content of the carryover: `fresh` (the unrotated cell), or `hit` with the pixel (slow, fast)
//! whose sweep left the vectors; `off` in spec mode.
//! Special cases: a pixel that is masked or outside `-roi` has no taps; sources beyond `-dmin` have no steps.

mod json;
mod text;

use std::io::{self, Write};

use widebragg::carryover::Slot;
use widebragg::scene::Scene;
use widebragg::structure_factor::LatchPoint;
use widebragg_experiment::carryover::{find_latch, latched, open_slots};
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::threads;
use widebragg_experiment::trace::pixel::{Chosen, PixelTrace, Rounding, trace_pixel};
use widebragg_formats::atomic::write_atomically;
use widebragg_formats::memory::is_there;

use super::distinct::{Files, check_folder};
use super::setup;
use super::setup::geometry::FileGeometry;
use super::setup::inputs::Inputs;
use super::setup::structure_factors::{inputs, named_inputs};

use crate::console;
use crate::error::Failure;
use crate::evidence::{self, Evidence};
use crate::options::{Dtype, TraceFormat, TraceOptions};

/// Largest number of traced steps of a pixel: some GB of memory.
const MOST_STEPS: f64 = 5e6;

/// Memory for a step while its pixel is traced.
const STEP_BYTES: usize = 1000;

/// Memory for a step while its pixel is written as JSON.
const STEP_BYTES_JSON: usize = 8000;

/// Traces pixels; `args` is the command line that `options` were read from.
///
/// # Errors
/// The line to print on standard error.
pub fn run(options: &TraceOptions, args: &[String]) -> Result<(), Failure> {
    evidence::recorded(options.render.evidence.as_deref(), args, |evidence| traced(options, args, evidence))
}

fn traced(
    options: &TraceOptions,
    args: &[String],
    mut evidence: Option<&mut Evidence>,
) -> Result<(), Failure> {
    if let Some(path) = &options.out {
        check_folder("--out", path)?;
        Files::read(named_inputs(&options.render)).write("--out", path, "is written twice")?;
    }
    if let Some(evidence) = &mut evidence {
        inputs(&options.render).for_each(|path| evidence.add_input(path));
    }
    setup::check_all_steps(&options.render)?;
    if !options.render.background.matter.is_empty() {
        return Err(Failure::input("--background: not in traces, which show how the crystal scatters"));
    }
    let experiment = {
        let inputs = Inputs::default();
        let geometry = FileGeometry::read(&options.render, &inputs)?;
        setup::of_images(&options.render, &inputs, geometry)?.experiment
    };
    experiment.only_panel()?;
    setup::check_single_crystal(&options.render, &experiment)?;
    let steps = check(options, &experiment)?;
    let mut orientations = experiment.orientation_buffer()?;
    let scene = experiment.scene(0, 0, &mut orientations)?;
    let slots = open_slots(&experiment, &scene)?;
    let pool = threads::pool(options.render.threads.unwrap_or(0))?;
    let latch = pool.install(|| find_latch(&scene, &slots))?;
    // Now that the threads have what they need.
    check_memory(options, steps)?;
    let job = Job { options, args, experiment: &experiment, scene: latched(&scene, latch), slots, latch };

    match (&options.out, evidence) {
        (Some(path), evidence) => {
            write_atomically(path, |out| job.write(out)).map_err(|failure| failure.context("--out"))?;
            if let Some(evidence) = evidence {
                describe(evidence, &job);
                evidence.add_copy(path)?;
            }
        }
        (None, Some(evidence)) => {
            let mut written = Vec::new();
            job.write(&mut written).map_err(|error| Failure::input(error.to_string()))?;
            let text = String::from_utf8_lossy(&written);
            describe(evidence, &job);
            evidence.add_text(
                if options.format == TraceFormat::Json { "trace.json" } else { "trace.txt" },
                &text,
            )?;
            console::print(&text)?;
        }
        (None, None) => console::stream(|out| job.write(out))?,
    }
    Ok(())
}

fn describe(evidence: &mut Evidence, job: &Job<'_>) {
    evidence.add_fact("simd", job.experiment.simd.level().name().into());
}

/// Checks that pixels, subpixel and source exist, and that the number of steps of a pixel, which it returns, is
/// not too large.
fn check(options: &TraceOptions, experiment: &Experiment) -> Result<f64, Failure> {
    let (rows, columns) = (experiment.rows(), experiment.columns());
    let ends = format!("the detector ends at slow {} fast {}", rows - 1, columns - 1);
    for [slow, fast] in &options.pixels {
        if *slow >= rows || *fast >= columns {
            return Err(Failure::input(format!("--pixel {slow} {fast}: {ends}")));
        }
    }
    if let Some([smin, smax, fmin, fmax]) = options.roi_px
        && (smax >= rows || fmax >= columns)
    {
        return Err(Failure::input(format!("--roi {smin} {smax} {fmin} {fmax}: {ends}")));
    }
    let per_axis = experiment.oversample.per_axis;
    if let Some([slow, fast]) = options.subpixel
        && (slow >= per_axis || fast >= per_axis)
    {
        return Err(Failure::input(format!(
            "--subpixel {slow} {fast}: there are {per_axis} x {per_axis}, the last is {last} {last}",
            last = per_axis - 1
        )));
    }
    let sources = experiment.sources.len();
    if let Some(source) = options.source
        && source >= sources
    {
        return Err(Failure::input(format!("--source {source}: the last of {sources} is {}", sources - 1)));
    }
    let mut steps = experiment.steps_per_pixel();
    if options.subpixel.is_some() {
        steps /= (per_axis as f64).powi(2);
    }
    if options.source.is_some() {
        steps /= sources as f64;
    }
    if steps > MOST_STEPS {
        return Err(Failure::input(format!(
            "trace: {steps} steps a pixel, more than {MOST_STEPS}: choose with --subpixel and --source"
        )));
    }
    Ok(steps)
}

/// Checks that there is memory for a pixel of `steps` steps.
fn check_memory(options: &TraceOptions, steps: f64) -> Result<(), Failure> {
    let bytes = match options.format {
        TraceFormat::Text => STEP_BYTES,
        TraceFormat::Json => STEP_BYTES_JSON,
    };
    if is_there(steps as usize * bytes) {
        return Ok(());
    }
    let advice = "choose with --subpixel and --source";
    Err(Failure::input(format!("trace: no memory for {steps} steps a pixel: {advice}")))
}

/// A trace to write.
struct Job<'a> {
    options: &'a TraceOptions,
    args: &'a [String],
    experiment: &'a Experiment,
    scene: Scene<'a>,
    slots: Vec<Slot>,
    latch: Option<LatchPoint>,
}

impl Job<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.options.format {
            TraceFormat::Text => text::write(self, out),
            TraceFormat::Json => json::write(self, out),
        }
    }

    /// The traces of the pixels, one after the other.
    fn pixels(&self) -> impl Iterator<Item = io::Result<PixelTrace>> {
        let region = self.options.roi_px.into_iter().flat_map(|[smin, smax, fmin, fmax]| {
            (smin..=smax).flat_map(move |slow| (fmin..=fmax).map(move |fast| [slow, fast]))
        });
        let chosen = Chosen {
            subpixel: self.options.subpixel.map(|[slow, fast]| (slow, fast)),
            source: self.options.source,
            rounding: match self.options.dtype {
                Dtype::Float64 => Rounding::None,
                Dtype::Float32 => Rounding::Float32,
            },
        };
        self.options.pixels.iter().copied().chain(region).map(move |position| {
            trace_pixel(&self.scene, &self.slots, position, &chosen).map_err(io::Error::other)
        })
    }

    fn mode(&self) -> &'static str {
        self.experiment.mode.name()
    }

    fn dtype(&self) -> &'static str {
        match self.options.dtype {
            Dtype::Float64 => "float64",
            Dtype::Float32 => "float32",
        }
    }
}
