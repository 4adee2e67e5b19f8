//! What was taken of a file of reflections, in words and as JSON.

use serde_json::{Value, json};
use widebragg_formats::format_g::format_g;
use widebragg_formats::reflections::p1::Summary;

/// Lines for the summary: names, and values.
pub(super) fn lines(summary: &Summary) -> Vec<(&'static str, String)> {
    let Summary { format, columns, taken, group, read, missing, counts, .. } = summary;
    let others = columns.iter().filter(|column| !taken.contains(&column.label));
    let others: Vec<_> = others.map(|column| format!("{} ({})", column.label, column.kind)).collect();
    let beside = if others.is_empty() { String::new() } else { format!("; not {}", others.join(", ")) };
    let mates = if summary.mates_differ { "F(h) and F(-h) differ" } else { "F(-h) = F(h)" };
    let scale = match summary.scale {
        1.0 => String::new(),
        scale => format!(", F times {}", format_g(scale)),
    };
    let wilson = match summary.wilson {
        Some(found) => format!(
            " (Wilson, B {} square Angstrom, {} reflections)",
            format_g(found.b_square_angstrom),
            found.reflections
        ),
        None => String::new(),
    };
    let to = summary.resolution_angstrom.map_or_else(String::new, |[low, high]| {
        format!(", {} to {} Angstrom", format_g(low), format_g(high))
    });
    vec![
        ("reflections", format!("{format}: {}{beside}", taken.join(" and "))),
        ("", format!("{group}; {mates}{scale}{wilson}{to}")),
        (
            "",
            format!(
                "{read} read, {missing} missing, {} absent, {} below zero, {} merged, {} unique",
                counts.absent, counts.below_zero, counts.merged, counts.unique
            ),
        ),
        ("", format!("{} in P 1, {} of them from their mates", counts.expanded, counts.mates_filled_in)),
    ]
}

/// The same as JSON.
pub(super) fn json(summary: &Summary) -> Value {
    let Summary { counts, .. } = summary;
    let columns: Vec<_> = summary
        .columns
        .iter()
        .map(|column| json!({ "label": column.label, "kind": column.kind, "present": column.present }))
        .collect();
    let cell = summary.cell.map(|cell| [cell.lengths_angstrom, cell.angles_deg].concat());
    json!({
        "format": summary.format,
        "taken": summary.taken,
        "columns": columns,
        "unit_cell": cell,
        "lambda_angstrom": summary.wavelength_angstrom,
        "space_group": summary.group.name(),
        "space_group_number": summary.group.number(),
        "friedel_mates_differ": summary.mates_differ,
        "scale": summary.scale,
        "wilson_b_square_angstrom": summary.wilson.map(|found| found.b_square_angstrom),
        "resolution_angstrom": summary.resolution_angstrom,
        "read": summary.read,
        "missing": summary.missing,
        "absent": counts.absent,
        "below_zero": counts.below_zero,
        "merged": counts.merged,
        "unique": counts.unique,
        "expanded": counts.expanded,
        "mates_filled_in": counts.mates_filled_in,
        "warnings": summary.warnings,
    })
}
