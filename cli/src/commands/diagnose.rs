//! `widebragg diagnose`: by how much each fault of nanoBragg changes the image of a command line.
//!
//! The comparisons are those of [`widebragg_experiment::faults`]. A table has a line for each fault and one for all;
//! `--json` prints the same figures, and the pixels that change most.

use serde_json::{Value, json};
use widebragg::scene::Sensor;
use widebragg_experiment::faults::change::{CHANGED, Change, LIT, Largest};
use widebragg_experiment::faults::{Finding, IMAGES, Modes, Report, Why, examine};
use widebragg_experiment::panels::DetectorPanel;
use widebragg_experiment::parameters::PhiSampling;
use widebragg_experiment::threads;
use widebragg_formats::format_g::format_significant;

use super::setup;
use super::setup::structure_factors::inputs;
use crate::console;
use crate::error::Failure;
use crate::evidence;
use crate::options::DiagnoseOptions;

/// The name of the line of all faults together.
const ALL: &str = "all";

const LEGEND: &str = "
sum: with the fault over without it; changed: lit pixels that change by more than 1 %;
largest: change of a pixel, in % of the brightest one (widebragg help diagnose).
";

const LEGEND_OF_SAMPLE: &str = "\
error: standard error of sum, since the pixels are a sample (--pixels).
";

/// Diagnoses a command line; `args` is the one that `options` were read from.
///
/// # Errors
/// The line to print on standard error.
pub fn run(options: &DiagnoseOptions, args: &[String]) -> Result<(), Failure> {
    evidence::recorded(options.render.evidence.as_deref(), args, |evidence| {
        if options.render.phi_sampling == PhiSampling::Middle {
            return Err(Failure::input(
                "diagnose: not with --phi-sampling middle, since nanoBragg samples phi at the start of each step",
            ));
        }
        let modes = setup::in_both_modes(&options.render)?;
        let pool = threads::pool(options.render.threads.unwrap_or(0))?;
        let bar = console::progress(IMAGES as u64, !options.render.quiet);
        let report = pool.install(|| examine(&modes, options.pixels, &|| bar.inc(1)))?;
        bar.finish_and_clear();
        let (values, text) = (values(&modes, &report), text(&modes, &report));
        if let Some(evidence) = evidence {
            inputs(&options.render).for_each(|path| evidence.add_input(path));
            evidence.add_fact("simd", modes.spec.simd.level().name().into());
            evidence.add_text("diagnose.json", &format!("{values:#}\n"))?;
        }
        if options.render.json {
            console::print(&format!("{values:#}\n"))
        } else if options.render.quiet {
            Ok(())
        } else {
            console::print(&text)
        }
    })
}

/// The figures as JSON.
fn values(modes: &Modes, report: &Report) -> Value {
    let (columns, panels) = (modes.spec.columns(), &modes.spec.panels);
    let change_of = |change: &Change| {
        let largest_at = change.largest_at.and_then(|Largest { at, without, with }| {
            let index = report.selection.index(at)?;
            let (panel, slow) = modes.spec.panel_of_row(index / columns)?;
            let mut pixel =
                json!({ "fast": index % columns, "slow": slow, "without": without, "with": with });
            if panels.len() > 1 {
                pixel["panel"] = json!(panels.get(panel)?.name);
            }
            Some(pixel)
        });
        json!({
            "sum_ratio": change.sum_ratio,
            "sum_ratio_error": change.sum_ratio_error,
            "correlation": change.correlation,
            "rms_over_mean": change.rms,
            "lit_pixels": change.lit,
            "changed_fraction": change.changed,
            "largest_over_brightest": change.largest,
            "largest_at": largest_at,
        })
    };
    let faults: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            let mut value = change_of(&finding.change.unwrap_or(Change::NONE));
            value["name"] = finding.fault.name().into();
            value["met"] = finding.change.is_some().into();
            value["why"] = words(finding.why, panels).into();
            value
        })
        .collect();
    json!({
        "pixels": report.pixels,
        "compared_pixels": report.selection.len(),
        "lit_above_fraction_of_maximum": LIT,
        "changed_above_fraction": CHANGED,
        "faults": faults,
        ALL: change_of(&report.all),
    })
}

/// The figures as a table.
fn text(modes: &Modes, report: &Report) -> String {
    let compared = report.selection.len();
    let is_sample = compared < report.pixels;
    let mut text = if is_sample {
        format!("{compared} of {} pixels compared, evenly spread\n\n", report.pixels)
    } else {
        format!("all pixels compared: {compared}\n\n")
    };
    let headings = ["sum", "error", "correlation", "changed", "largest"];
    text.push_str(&line("fault", headings.map(str::to_owned), is_sample, ""));
    for Finding { fault, why, change } in &report.findings {
        text.push_str(&line(
            fault.name(),
            figures(change.as_ref()),
            is_sample,
            &words(*why, &modes.spec.panels),
        ));
    }
    text.push_str(&line(ALL, figures(Some(&report.all)), is_sample, "nanoBragg's image over that of spec"));
    let is_met = report.findings.iter().any(|finding| finding.change.is_some());
    if !is_met && report.all.is_none() {
        text.push_str("\nThis command line meets no fault of nanoBragg: both modes give the same image.\n");
        return text;
    }
    text.push_str(LEGEND);
    if is_sample {
        text.push_str(LEGEND_OF_SAMPLE);
    }
    text
}

/// Figures in the order of the table: sum, its error, correlation, changed, largest.
fn figures(change: Option<&Change>) -> [String; 5] {
    let Some(change) = change else { return ["-"; 5].map(str::to_owned) };
    let relative = change
        .sum_ratio_error
        .zip(change.sum_ratio)
        .map(|(error, ratio)| if error == 0.0 { 0.0 } else { (error / ratio).abs() });
    [
        change.sum_ratio.map_or_else(none, ratio),
        relative.map_or_else(none, percent),
        change.correlation.map_or_else(none, |found| format!("{found:.6}")),
        percent(change.changed),
        change.largest.map_or_else(none, percent),
    ]
}

/// A line of the table; only samples have a column of errors.
fn line(name: &str, figures: [String; 5], is_sample: bool, words: &str) -> String {
    let [sum, error, correlation, changed, largest] = figures;
    let error = if is_sample { format!("{error:>8}") } else { String::new() };
    let line = format!("{name:<14}{sum:>9}{error}{correlation:>12}{changed:>9}{largest:>9}  {words}");
    format!("{}\n", line.trim_end())
}

fn none() -> String {
    "none".to_owned()
}

/// A ratio with four digits after the point where that shows it.
fn ratio(ratio: f64) -> String {
    match ratio.abs() {
        0.0 => "0".to_owned(),
        0.01..1e4 => format!("{ratio:.4}"),
        _ => format!("{ratio:.3e}"),
    }
}

/// A fraction in percent; what would round to 0 but is not is said to be small.
fn percent(fraction: f64) -> String {
    let percent = 100.0 * fraction;
    match percent {
        0.0 => "0 %".to_owned(),
        _ if percent < 0.05 => "<0.1 %".to_owned(),
        _ if percent < 1e5 => format!("{percent:.1} %"),
        _ => format!("{percent:.1e} %"),
    }
}

/// Why a fault is met, or why not: short, since a line of the table ends with it.
fn words(why: Why, panels: &[DetectorPanel]) -> String {
    let known = match why {
        Why::StepAtZero { at, like, of } => {
            return format!("step {} of {of} is at phi = 0: taken as step {}", at + 1, like + 1);
        }
        Why::Latched { panel, at } => {
            let point = format!("ends at pixel fast {} slow {}", at.fast, at.slow);
            let name = panels.get(panel).filter(|_| panels.len() > 1).map(|panel| &panel.name);
            return name.map_or_else(|| point.clone(), |name| format!("{point} of panel {name}"));
        }
        Why::Layers { spec, parity, own_shares } => return layers(&spec, &parity, own_shares),
        Why::Flagged { steps } => {
            let steps = format_significant(steps, 7);
            return format!("factors multiply the sum at each of {steps} steps");
        }
        Why::NoStepAtZero => "no step is at phi = 0",
        Why::Still => "the crystal is not rotated",
        Why::NeverLatched => "no index is beyond the list",
        Why::NotInterpolated => "structure factors are not interpolated",
        Why::ThinSensor => "no sensor thickness",
        Why::OwnShares => "-oversample_thick gives each layer its own share",
        Why::FlaggedDark => "-oversample_thick without a thickness: dark",
        Why::FlaggedPolarization => "-oversample_polar in spite of -nopolar",
        Why::NoFlags => "no -oversample_thick, _polar or _omega",
        Why::OneStep => "a pixel has a single step",
        Why::WeightsDiffer => "weights of sources are ignored",
        Why::WeightsAlike => "all sources have the same weight",
        Why::Water => "scaled by r_e^2 fluence twice, and by 1/steps",
        Why::NoWater => "no -water",
        Why::NormalReplaced => "the normal of the mirrored detector is replaced",
        Why::PlacedElsewhere => "options or the header place it elsewhere",
        Why::PlacedAlike => "both modes place it alike",
    };
    known.to_owned()
}

fn layers(spec: &Sensor, parity: &Sensor, own_shares: bool) -> String {
    let [spec_m, parity_m] = [spec, parity].map(Sensor::thickness_m);
    let thickness = format!("counted as {} um thick", format_significant(1e6 * parity_m, 4));
    let last = "the last layer's share for all";
    match (parity.attenuation_per_m == 0.0, own_shares, parity_m > spec_m * (1.0 + 1e-9)) {
        (true, ..) => "the sensor captures nothing".to_owned(),
        (_, true, _) => thickness,
        (_, false, true) => format!("{last}; {thickness}"),
        (_, false, false) => last.to_owned(),
    }
}
