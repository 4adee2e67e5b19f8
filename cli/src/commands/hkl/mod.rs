//! `widebragg hkl`: what a file of reflections or an atomic model holds, and its list of P 1 in another format.

mod model;

use core::fmt::Write as _;
use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};
use widebragg_formats::dump::write_dump;
use widebragg_formats::hkl::write_list;
use widebragg_formats::hkl_table::HklTable;
use widebragg_formats::reflections::p1::{Reflections, Unique, listed, read_reflections};
use widebragg_formats::reflections::{Column, write_mtz};
use widebragg_reflections::cell::Cell;
use widebragg_reflections::completeness::Shell;
use widebragg_reflections::symmetry::SpaceGroup;

use super::distinct::{Files, check_folder};
use super::reflections;
use super::setup::inputs::Inputs;
use crate::console;
use crate::error::Failure;
use crate::options::HklOptions;

/// Shells of the table of completeness.
const SHELLS: usize = 10;

/// A format of `--out`.
#[derive(Debug, Clone, Copy)]
enum Written {
    Text,
    Dump,
    Mtz,
}

impl Written {
    fn of(path: &Path) -> Result<Self, Failure> {
        let suffix = path.extension().unwrap_or_default().to_ascii_lowercase();
        match suffix.to_str() {
            Some("hkl") => Ok(Self::Text),
            Some("bin") => Ok(Self::Dump),
            Some("mtz") => Ok(Self::Mtz),
            _ => Err(Failure::input(format!(
                "--out {}: its name must end in .hkl, .bin or .mtz",
                path.display()
            ))),
        }
    }
}

/// Describes the file, and writes its list of P 1 where that is asked for.
///
/// # Errors
/// The line to print on standard error.
pub fn run(options: &HklOptions) -> Result<(), Failure> {
    let HklOptions { file, render, .. } = options;
    let out =
        options.out.as_deref().map(|path| Written::of(path).map(|written| (path, written))).transpose()?;
    if let Some((path, _)) = out {
        check_folder("--out", path)?;
        let scans = render.model.scans.iter().map(|(_, path)| ("--anomalous", path.as_path()));
        let read = [("reflections", file.as_path())].into_iter().chain(scans);
        Files::read(read).write("--out", path, "two files under one name")?;
    }
    let cell = render.cell_angstrom_deg.map(Cell::from);
    // What is not listed stays apart from an F of 0.
    let read = |input: &mut dyn Read| read_reflections(input, file, &render.reflections, cell, f64::NAN);
    let reflections = Inputs::default().read("hkl", file, read)?;
    let Description { text, json } = match reflections {
        Reflections::AsListed(table) => {
            warn_of_model_options(options);
            let description = of_list(&table);
            if let Some((path, written)) = out {
                write(path, written, table, None, cell)?;
            }
            description
        }
        Reflections::Unique(unique) => {
            warn_of_model_options(options);
            let cell = unique.summary.cell.or(cell);
            let description = of_unique(&unique, file, cell);
            match out {
                Some((path, Written::Dump)) => unique.write_dump(path, 0.0, |f| f).map_err(of_out)?,
                Some((path, written)) => {
                    write(path, written, unique.table(f64::NAN, None)?, Some(&unique.summary.group), cell)?;
                }
                None => {}
            }
            description
        }
        Reflections::Model(model) => model::described(&model, options, out)?,
    };
    match (options.json, options.quiet) {
        (true, _) => {
            console::print(&format!("{}\n", serde_json::to_string_pretty(&json).unwrap_or_default()))
        }
        (false, false) => console::print(&text),
        (false, true) => Ok(()),
    }
}

/// Warns of options that serve only atomic models, for a file that is a list of reflections.
fn warn_of_model_options(options: &HklOptions) {
    let HklOptions { file, render, .. } = options;
    let given = [(render.dmin_m.is_some(), "-dmin"), (render.lambda_m.is_some(), "-lambda")];
    let given = given.into_iter().filter_map(|(given, option)| given.then_some(option));
    for option in given.chain(render.model.first_option()) {
        console::complain(&format!("{option} has no effect: {} is a list of reflections", file.display()));
    }
}

/// The failure of `--out`.
fn of_out(failure: widebragg_formats::failure::Failure) -> Failure {
    failure.context("--out").into()
}

/// What a file holds.
struct Description {
    /// Lines for a person.
    text: String,
    json: Value,
}

fn of_list(table: &HklTable) -> Description {
    let count = table.data.iter().filter(|f| !f.is_nan()).count();
    let ranges = [table.h, table.k, table.l];
    let [h, k, l] = ranges.map(|(first, last)| format!("{first} to {last}"));
    let text = named("reflections", &format!("lines of h k l F, as they stand: {count}"))
        + &named("", &format!("h {h}, k {k}, l {l}"));
    let json = json!({ "format": "h k l F", "listed": count, "index_ranges": ranges });
    Description { text, json }
}

/// Describes the reflections of `file`, whose warnings go to standard error; `cell` is that of the file, or else the one that
/// was given.
fn of_unique(unique: &Unique, file: &Path, cell: Option<Cell>) -> Description {
    let summary = &unique.summary;
    let warn = |what: &str| console::complain(&format!("{}: {what}", file.display()));
    summary.warnings.iter().for_each(|warning| warn(warning));
    let mut text = String::new();
    let mut line = |name: &str, value: &str| text += &named(name, value);
    if let Some(cell) = cell {
        line("unit cell", &cell.to_string());
    }
    if let Some(lambda) = summary.wavelength_angstrom {
        line("wavelength", &format!("{lambda} Angstrom"));
    }
    reflections::lines(summary).iter().for_each(|(name, value)| line(name, value));
    for Column { label, kind, present } in &summary.columns {
        let taken = if summary.taken.contains(label) { ", taken" } else { "" };
        line("column", &format!("{label}: {kind}, {present} values{taken}"));
    }
    let mut json = reflections::json(summary);
    match cell.map(|cell| unique.completeness(&cell, SHELLS)) {
        Some(Ok(shells)) => {
            text += &table_of(&shells);
            json["completeness"] = shells.iter().map(shell_json).collect();
        }
        Some(Err(why)) => warn(&format!("no completeness: {why}")),
        None => {}
    }
    Description { text, json }
}

/// A line: a name, and a value in the second column.
fn named(name: &str, value: &str) -> String {
    format!("{name:<13}{value}\n")
}

fn table_of(shells: &[Shell]) -> String {
    let mut text = "\nresolution (Angstrom)  expected   present  complete\n".to_owned();
    for shell in shells {
        let Shell { d_max_angstrom, d_min_angstrom, expected, present } = shell;
        let part = shell.completeness().map_or("-".to_owned(), |part| format!("{:.1} %", 100.0 * part));
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{d_max_angstrom:>9.3} - {d_min_angstrom:>9.3}{expected:>10}{present:>10}{part:>10}"
        );
    }
    text
}

fn shell_json(shell: &Shell) -> Value {
    let d_max = Some(shell.d_max_angstrom).filter(|d| d.is_finite());
    json!({
        "d_max_angstrom": d_max,
        "d_min_angstrom": shell.d_min_angstrom,
        "expected": shell.expected,
        "present": shell.present,
    })
}

/// Writes a list of P 1: the reflections of a table that has NaN where there is no value.
fn write(
    path: &Path,
    written: Written,
    mut table: HklTable,
    group: Option<&SpaceGroup>,
    cell: Option<Cell>,
) -> Result<(), Failure> {
    match written {
        Written::Text => write_list(path, listed(&table, group)).map_err(of_out),
        Written::Mtz => {
            let cell = cell.ok_or_else(|| {
                Failure::input(format!(
                    "--out {}: an MTZ needs a cell, and the file has none: give -cell",
                    path.display()
                ))
            })?;
            write_mtz(path, &cell, listed(&table, group)).map_err(of_out)
        }
        Written::Dump => {
            table.data.iter_mut().filter(|f| f.is_nan()).for_each(|f| *f = 0.0);
            write_dump(path, &table.bounds(), &table.data).map_err(of_out)
        }
    }
}
