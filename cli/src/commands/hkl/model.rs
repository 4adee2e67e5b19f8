//! What an atomic model holds, and the F that are computed from it.

use core::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use widebragg_coordinates::model::{Displacement, Model};
use widebragg_formats::format_g::format_g;

use super::{Description, Written, named, write};
use crate::commands::setup::inputs::Inputs;
use crate::commands::setup::model::ModelFile;
use crate::console;
use crate::error::Failure;
use crate::options::HklOptions;

/// Describes a model, whose warnings go to standard error. With `-dmin` its F are computed, and written to `out`.
///
/// # Errors
/// A model that has no structure factors, or a file that cannot be written.
pub(super) fn described(
    model: &Model,
    options: &HklOptions,
    out: Option<(&Path, Written)>,
) -> Result<Description, Failure> {
    let HklOptions { file, render, .. } = options;
    let warn = |warning: String| console::complain(&warning);
    let of_file = ModelFile::new(model, ("hkl", file), render, &Inputs::default(), warn)?;
    if render.cell_angstrom_deg.is_some() {
        console::complain(&format!("-cell has no effect: the model {} has its own", file.display()));
    }
    if render.model.energy_channels.is_some() {
        let why = "a list has the F of one energy; only an image has several: give -lambda or -energy";
        return Err(Failure::input(format!("--energy-channels: {why}")));
    }
    let (mut text, mut json) = describe(model, &of_file);
    let Some(d_min_m) = render.dmin_m else {
        return match out {
            Some((path, _)) => Err(Failure::input(format!(
                "--out {}: F of an atomic model are computed to a spacing: give -dmin",
                path.display()
            ))),
            None => Ok(Description { text, json }),
        };
    };
    if render.lambda_m.is_none() && !render.model.scans.is_empty() {
        return Err(Failure::input("--anomalous: which f', f'' are to be taken: give -lambda or -energy"));
    }
    let (table, summary) = of_file.list(d_min_m * 1e10, render.lambda_m)?;
    // The first line says what the description does.
    summary.lines().iter().skip(1).for_each(|(_, value)| text += &named("", value));
    json["computed"] = summary.json();
    if let Some((path, written)) = out {
        write(path, written, table, Some(of_file.group()), Some(of_file.cell()))?;
    }
    Ok(Description { text, json })
}

/// Atoms, symmetry, cell and B as lines and as JSON.
fn describe(model: &Model, of_file: &ModelFile) -> (String, Value) {
    let group = of_file.group();
    let [least, mean, most] = equivalent_b(model);
    let is_anisotropic = |displacement: &Displacement| matches!(displacement, Displacement::Anisotropic(_));
    let anisotropic = model.atoms.iter().filter(|atom| is_anisotropic(&atom.displacement)).count();
    let elements: Vec<String> =
        of_file.elements().map(|(element, atoms)| format!("{atoms} {element}")).collect();
    let mut symmetry = format!("{group}, {} operators", group.operators().len());
    if let Some(number) = group.number() {
        // Writing to a string cannot fail.
        let _ = write!(symmetry, ", number {number}");
    }
    let b = format!(
        "{} to {} Angstrom^2, mean {}; {anisotropic} of {} atoms anisotropic",
        format_g(least),
        format_g(most),
        format_g(mean),
        model.atoms.len()
    );
    let lines = [
        ("model", format!("{} atoms: {}", model.atoms.len(), elements.join(", "))),
        ("symmetry", symmetry),
        ("unit cell", model.cell.to_string()),
        ("B", b),
    ];
    let text = lines.iter().map(|(name, value)| named(name, value)).collect();
    let counts: serde_json::Map<String, Value> =
        of_file.elements().map(|(element, atoms)| (element.symbol().to_owned(), atoms.into())).collect();
    let cell = [model.cell.lengths_angstrom, model.cell.angles_deg].concat();
    let json = json!({
        "format": "atomic model",
        "atoms": model.atoms.len(),
        "elements": counts,
        "space_group": group.name(),
        "space_group_number": group.number(),
        "operators": group.operators().len(),
        "unit_cell": cell,
        "B_angstrom2": { "least": least, "mean": mean, "most": most },
        "anisotropic_atoms": anisotropic,
        "computed": null,
    });
    (text, json)
}

/// Least, mean and greatest B of the atoms in square Angstrom, of an anisotropic one that of the sphere with its mean U.
fn equivalent_b(model: &Model) -> [f64; 3] {
    let all = || model.atoms.iter().map(|atom| atom.displacement.equivalent_b_angstrom2());
    let [least, most] =
        all().fold([f64::INFINITY, f64::NEG_INFINITY], |[least, most], b| [b.min(least), b.max(most)]);
    [least, all().sum::<f64>() / model.atoms.len() as f64, most]
}
