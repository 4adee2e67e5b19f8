//! `widebragg gradcheck`: both directions of differentiation against finite differences, on a small region of each
//! panel.
//!
//! The comparison is that of [`widebragg_experiment::gradient::check`]. A derivative that the finite
//! differences are too uncertain to confirm is listed as such, and counts as neither right nor wrong. Exit
//! code 3 when a derivative is wrong, or when finite differences can confirm none.

use serde_json::{Value, json};
use widebragg::scene::Roi;
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::gradient::check::{Checked, brightest, check};
use widebragg_experiment::panels::DetectorPanel;

use super::derivatives::{Chosen, name_width, panel_members, pool};
use super::setup;
use super::setup::structure_factors::inputs;
use crate::console;
use crate::error::Failure;
use crate::evidence;
use crate::options::GradientOptions;

/// Exit code of a derivative that differs from its finite difference.
const WRONG: u8 = 3;

/// Checks derivatives; `args` is the command line that `options` were read from.
///
/// # Errors
/// The line to print on standard error; exit code 3 where a derivative is wrong.
pub fn run(options: &GradientOptions, args: &[String]) -> Result<(), Failure> {
    evidence::recorded(options.render.evidence.as_deref(), args, |evidence| {
        let set_up = setup::of_fit(&options.render)?;
        let chosen = Chosen::new(options, &set_up)?;
        let mut experiment = set_up.experiment;
        if chosen.parameters.is_empty() {
            return Err(Failure::input("gradcheck: --wrt F alone has no parameter to move"));
        }
        let found = pool(options)?.install(|| {
            if options.render.roi_px.is_none() {
                let regions = brightest(&experiment)?;
                experiment.panels.iter_mut().zip(regions).for_each(|(panel, roi)| panel.roi = roi);
            }
            check(&experiment, &chosen.groups, &chosen.parameters)
        })?;
        let tolerance = options.tolerance;
        let mut report = report(&experiment, &found, tolerance);
        for (name, value) in panel_members(&experiment, &chosen.groups) {
            report[name] = value;
        }
        let text = table(&experiment, &found, tolerance);
        if let Some(evidence) = evidence {
            inputs(&options.render).for_each(|path| evidence.add_input(path));
            evidence.add_text("gradcheck.json", &format!("{report:#}\n"))?;
        }
        if options.render.json {
            console::print(&format!("{report:#}\n"))?;
        } else if !options.render.quiet {
            console::print(&text)?;
        }
        let wrong = found.iter().filter(|checked| checked.is_right(tolerance) == Some(false)).count();
        let decided = found.iter().filter(|checked| checked.is_right(tolerance).is_some()).count();
        match (wrong, decided) {
            (0, 0) => Err(Failure::with_code(WRONG, "gradcheck: finite differences confirm no derivative")),
            (0, _) => Ok(()),
            (wrong, _) => Err(Failure::with_code(
                WRONG,
                format!("gradcheck: {wrong} derivatives are beyond {tolerance}"),
            )),
        }
    })
}

fn report(experiment: &Experiment, found: &[Checked], tolerance: f64) -> Value {
    let region = |panel: &DetectorPanel| {
        let Roi { fast_min, fast_max, slow_min, slow_max } = panel.roi;
        json!([fast_min, fast_max, slow_min, slow_max])
    };
    let mut regions = experiment.panels.iter().map(region);
    let regions =
        if experiment.panels.len() == 1 { regions.next().into() } else { Value::from_iter(regions) };
    let parameters: Vec<Value> = found
        .iter()
        .map(|checked| {
            json!({
                "name": checked.named.name,
                "unit": checked.named.unit,
                "derivative": checked.derivative,
                "difference": checked.difference.value,
                "pullback_error": checked.pullback,
                "pushforward_error": checked.pushforward,
                "difference_error": checked.doubt,
                "right": checked.is_right(tolerance),
            })
        })
        .collect();
    json!({ "roi": regions, "tolerance": tolerance, "parameters": parameters })
}

fn table(experiment: &Experiment, found: &[Checked], tolerance: f64) -> String {
    let region = |panel: &DetectorPanel| {
        let Roi { fast_min, fast_max, slow_min, slow_max } = panel.roi;
        let of_panel =
            if experiment.panels.len() == 1 { String::new() } else { format!(" of panel {}", panel.name) };
        format!("pixels fast {fast_min}..{fast_max}, slow {slow_min}..{slow_max}{of_panel}")
    };
    let regions: Vec<String> = experiment.panels.iter().map(region).collect();
    let width = name_width(found.iter().map(|checked| &checked.named));
    let mut text = format!(
        "{}; errors relative to the largest derivative, tolerance {tolerance}\n\n\
         {:<width$} {:<9} {:>15} {:>15}  {:>9}  {:>11}  {:>11}\n",
        regions.join("\n"),
        "parameter",
        "unit",
        "dL/dp",
        "by differences",
        "pullback",
        "pushforward",
        "differences"
    );
    for checked in found {
        let verdict = match checked.is_right(tolerance) {
            Some(true) => "",
            Some(false) => "  WRONG",
            None => "  not confirmed: the differences are too uncertain",
        };
        text.push_str(&format!(
            "{:<width$} {:<9} {:>15.8e} {:>15.8e}  {:>9.1e}  {:>11.1e}  {:>11.1e}{verdict}\n",
            checked.named.name,
            checked.named.unit,
            checked.derivative,
            checked.difference.value,
            checked.pullback,
            checked.pushforward,
            checked.doubt,
        ));
    }
    text
}
