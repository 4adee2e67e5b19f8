//! A trace as lines: `TRACE_WB: name values` for a tap, `TRACE_WB_PHI key=value ...` for a step, and # for a
//! comment.

use std::io::{self, Write};

use super::Job;
use crate::evidence::quoted;
use widebragg_experiment::trace::pixel::{Carried, PixelTrace, StepTrace};
use widebragg_experiment::trace::taps::AFTER_STEPS;
use widebragg_formats::format_g::format_significant;
use widebragg_formats::trace::{FIRST_WORDS, LAST_LINE};

/// Significant digits of a value.
const DIGITS: i32 = 15;

/// Writes the whole trace.
///
/// # Errors
/// `out` cannot be written, or a pixel cannot be traced.
pub(super) fn write(job: &Job<'_>, out: &mut dyn Write) -> io::Result<()> {
    let words: Vec<String> = job.args.iter().skip(1).map(|word| quoted(word)).collect();
    // A line feed in a quoted word would end the comment.
    writeln!(out, "{FIRST_WORDS}{}", words.join(" ").replace(['\n', '\r'], " "))?;
    writeln!(
        out,
        "# version {}, mode {}, {}, precision {}, {}",
        env!("CARGO_PKG_VERSION"),
        job.mode(),
        job.experiment.simd.level(),
        job.experiment.precision.name(),
        job.dtype(),
    )?;
    if let Some(latch) = job.latch {
        writeln!(
            out,
            "# interpolation ends at pixel {} {}, evaluation {}",
            latch.slow, latch.fast, latch.evaluation
        )?;
    }
    job.pixels().try_for_each(|pixel| write_pixel(&pixel?, out))?;
    writeln!(out, "{LAST_LINE}")
}

fn write_pixel(pixel: &PixelTrace, out: &mut dyn Write) -> io::Result<()> {
    let [slow, fast] = pixel.position;
    writeln!(out, "TRACE_WB: pixel {slow} {fast}")?;
    if !pixel.is_rendered {
        return writeln!(out, "# not rendered: masked, or outside -roi; the image holds 0");
    }
    for (name, value) in &pixel.taps {
        if *name == AFTER_STEPS {
            pixel.steps.iter().try_for_each(|step| write_step(step, out))?;
        }
        write!(out, "TRACE_WB: {name}")?;
        value.numbers().iter().try_for_each(|x| write!(out, " {}", format_significant(*x, DIGITS)))?;
        writeln!(out)?;
    }
    Ok(())
}

fn write_step(step: &StepTrace, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "TRACE_WB_PHI")?;
    step.counters.iter().try_for_each(|(name, counter)| write!(out, " {name}={counter}"))?;
    for (name, value) in &step.numbers {
        write!(out, " {name}={}", format_significant(*value, DIGITS))?;
    }
    if let Some(carried) = step.carryover {
        write!(out, " carryover={}", carried.name())?;
        if let Carried::Hit((slow, fast)) = carried {
            write!(out, " left_by={slow},{fast}")?;
        }
    }
    writeln!(out)
}
