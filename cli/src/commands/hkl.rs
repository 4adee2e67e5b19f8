//! `widebragg hkl`: what a file of reflections holds, and its list of P 1 in another format.

use core::fmt::Write as _;
use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};
use widebragg_formats::dump::write_dump;
use widebragg_formats::hkl::write_list;
use widebragg_formats::reflections::p1::{Reflections, listed, no_list, read_reflections};
use widebragg_formats::reflections::write_mtz;
use widebragg_reflections::cell::Cell;
use widebragg_reflections::completeness::Shell;

use super::distinct::{Files, check_folder};
use super::reflections::{json, lines};
use super::setup::inputs::Inputs;
use super::setup::structure_factors::cell_of;
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
        Files::read([("reflections", file.as_path())]).write("--out", path, "two files under one name")?;
    }
    let cell = render.cell_angstrom_deg.map(cell_of);
    // What is not listed stays apart from an F of 0.
    let read = |input: &mut dyn Read| read_reflections(input, file, &render.reflections, cell, f64::NAN);
    let reflections = Inputs::default().read("hkl", file, read)?;
    let (text, value, known_cell) = match &reflections {
        Reflections::AsListed(table) => {
            let count = table.data.iter().filter(|f| !f.is_nan()).count();
            let ranges = [table.h, table.k, table.l];
            let [h, k, l] = ranges.map(|(first, last)| format!("{first} to {last}"));
            let text = named("reflections", &format!("lines of h k l F, as they stand: {count}"))
                + &named("", &format!("h {h}, k {k}, l {l}"));
            let value = json!({ "format": "h k l F", "listed": count, "index_ranges": ranges });
            (text, value, cell)
        }
        Reflections::Model(_) => return Err(no_list(file).into()),
        Reflections::Unique(unique) => {
            let summary = &unique.summary;
            summary.warnings.iter().for_each(|warning| {
                console::complain(&format!("{}: {warning}", file.display()));
            });
            let known_cell = summary.cell.filter(Cell::is_possible).or(cell);
            let mut text = String::new();
            let mut value = json(summary);
            if let Some(cell) = known_cell {
                text += &named("unit cell", &cell.to_string());
            }
            if let Some(lambda) = summary.wavelength_angstrom {
                text += &named("wavelength", &format!("{lambda} Angstrom"));
            }
            lines(summary).iter().for_each(|(name, value)| text += &named(name, value));
            for column in &summary.columns {
                let taken = if summary.taken.contains(&column.label) { ", taken" } else { "" };
                text += &named(
                    "column",
                    &format!("{}: {}, {} values{taken}", column.label, column.kind, column.present),
                );
            }
            match known_cell.map(|cell| unique.completeness(&cell, SHELLS)) {
                Some(Ok(shells)) => {
                    text += &table_of(&shells);
                    value["completeness"] = shells.iter().map(shell_json).collect();
                }
                Some(Err(why)) => console::complain(&format!("{}: no completeness: {why}", file.display())),
                None => {}
            }
            (text, value, known_cell)
        }
    };
    if let Some((path, written)) = out {
        write(path, written, reflections, file, known_cell)?;
    }
    match (options.json, options.quiet) {
        (_, true) => Ok(()),
        (true, false) => {
            console::print(&format!("{}\n", serde_json::to_string_pretty(&value).unwrap_or_default()))
        }
        (false, false) => console::print(&text),
    }
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

/// Writes the list of P 1 of `file`.
fn write(
    path: &Path,
    written: Written,
    reflections: Reflections,
    file: &Path,
    cell: Option<Cell>,
) -> Result<(), Failure> {
    let named = |failure: widebragg_formats::failure::Failure| Failure::from(failure.context("--out"));
    let (mut table, group) = reflections.sparse_table(file)?;
    match written {
        Written::Text => write_list(path, listed(&table, group.as_ref())).map_err(named),
        Written::Mtz => {
            let cell = cell.ok_or_else(|| {
                Failure::input(format!(
                    "--out {}: an MTZ needs a cell, and the file has none: give -cell",
                    path.display()
                ))
            })?;
            write_mtz(path, &cell, listed(&table, group.as_ref())).map_err(named)
        }
        Written::Dump => {
            table.data.iter_mut().filter(|f| f.is_nan()).for_each(|f| *f = 0.0);
            write_dump(path, &table).map_err(named)
        }
    }
}
