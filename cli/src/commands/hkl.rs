//! `widebragg hkl`: what a file of reflections holds, and its list of P 1 in another format.

use core::fmt::Write as _;
use std::io::Read;
use std::path::Path;

use serde_json::{Value, json};
use widebragg_formats::dump::write_dump;
use widebragg_formats::hkl::write_list;
use widebragg_formats::hkl_table::HklTable;
use widebragg_formats::reflections::p1::{Reflections, Unique, listed, no_list, read_reflections};
use widebragg_formats::reflections::{Column, write_mtz};
use widebragg_reflections::cell::Cell;
use widebragg_reflections::completeness::Shell;

use super::distinct::{Files, check_folder};
use super::reflections;
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
    let Description { text, json, cell } = Description::new(&reflections, file, cell)?;
    if let Some((path, written)) = out {
        write(path, written, reflections, file, cell)?;
    }
    match (options.json, options.quiet) {
        (_, true) => Ok(()),
        (true, false) => {
            console::print(&format!("{}\n", serde_json::to_string_pretty(&json).unwrap_or_default()))
        }
        (false, false) => console::print(&text),
    }
}

/// What a file holds.
struct Description {
    /// Lines for a person.
    text: String,
    json: Value,
    /// The cell of the file, or else the one that was given.
    cell: Option<Cell>,
}

impl Description {
    /// Describes the reflections of `file`, whose warnings go to standard error; `given` is the cell where it has none.
    ///
    /// # Errors
    /// An atomic model.
    fn new(reflections: &Reflections, file: &Path, given: Option<Cell>) -> Result<Self, Failure> {
        match reflections {
            Reflections::AsListed(table) => Ok(Self::of_list(table, given)),
            Reflections::Unique(unique) => Ok(Self::of_unique(unique, file, given)),
            Reflections::Model(_) => Err(no_list(file).into()),
        }
    }

    fn of_list(table: &HklTable, given: Option<Cell>) -> Self {
        let count = table.data.iter().filter(|f| !f.is_nan()).count();
        let ranges = [table.h, table.k, table.l];
        let [h, k, l] = ranges.map(|(first, last)| format!("{first} to {last}"));
        let text = named("reflections", &format!("lines of h k l F, as they stand: {count}"))
            + &named("", &format!("h {h}, k {k}, l {l}"));
        let json = json!({ "format": "h k l F", "listed": count, "index_ranges": ranges });
        Self { text, json, cell: given }
    }

    fn of_unique(unique: &Unique, file: &Path, given: Option<Cell>) -> Self {
        let summary = &unique.summary;
        let warn = |what: &str| console::complain(&format!("{}: {what}", file.display()));
        summary.warnings.iter().for_each(|warning| warn(warning));
        let cell = summary.cell.filter(Cell::is_possible).or(given);
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
        Self { text, json, cell }
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
            write_dump(path, table.min(), table.shape(), &table.data).map_err(named)
        }
    }
}
