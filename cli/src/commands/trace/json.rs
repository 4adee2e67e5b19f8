//! A trace as JSON, in the form of the reference's traces: the shortest numbers that read back to the same
//! bits, and null for numbers that are not finite.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::Job;
use widebragg_experiment::trace::pixel::{Carried, PixelTrace, StepTrace};
use widebragg_experiment::trace::taps;

/// Writes the whole trace, pixel by pixel.
///
/// # Errors
/// `out` cannot be written, or a pixel cannot be traced.
pub(super) fn write(job: &Job<'_>, out: &mut dyn Write) -> io::Result<()> {
    let latch = job
        .latch
        .map(|latch| json!({ "slow": latch.slow, "fast": latch.fast, "evaluation": latch.evaluation }));
    let head = [
        ("program", json!("widebragg")),
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("args", json!(job.args)),
        ("carryover", json!(job.mode())),
        ("simd", json!(job.experiment.simd.level().name())),
        ("precision", json!(job.experiment.precision.name())),
        ("dtype", json!(job.dtype())),
        ("interpolation_ends", json!(latch)),
    ];
    writeln!(out, "{{")?;
    for (key, value) in head {
        writeln!(out, " {}: {value},", json!(key))?;
    }
    write!(out, " \"traces\": [")?;
    let mut separator = "\n";
    for pixel in job.pixels() {
        write!(out, "{separator}{:#}", pixel_json(&pixel?))?;
        separator = ",\n";
    }
    writeln!(out, "\n ]\n}}")
}

fn pixel_json(pixel: &PixelTrace) -> Value {
    let [slow, fast] = pixel.position;
    let taps: Map<String, Value> = pixel
        .taps
        .iter()
        .map(|(name, value)| {
            let value = match value {
                taps::Value::Number(x) => json!(x),
                taps::Value::Vector(v) => json!(v),
            };
            ((*name).to_owned(), value)
        })
        .collect();
    let steps: Vec<Value> = pixel.steps.iter().map(step_json).collect();
    json!({
        "pixel": { "slow": slow, "fast": fast },
        "rendered": pixel.is_rendered,
        "taps": taps,
        "per_phi": steps,
    })
}

fn step_json(step: &StepTrace) -> Value {
    let counters = step.counters.iter().map(|(name, counter)| ((*name).to_owned(), json!(counter)));
    let numbers = step.numbers.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
    let mut object: Map<String, Value> = counters.chain(numbers).collect();
    if let Some(carried) = step.carryover {
        object.insert("carryover".to_owned(), json!(carried.name()));
        if let Carried::Hit((slow, fast)) = carried {
            object.insert("left_by".to_owned(), json!({ "slow": slow, "fast": fast }));
        }
    }
    Value::Object(object)
}
