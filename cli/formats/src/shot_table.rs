//! Tables of crystals and of shots: comma-separated values with named columns.
//!
//! ```text
//! shot,weight,misset_x_deg,misset_y_deg,misset_z_deg,fluence_per_m2
//! 1,1,10,20,30,1e24
//! 1,0.3,200,5,71,
//! 2,1,0,90,0,2e24
//! ```
//!
//! The first line that is neither blank nor a comment (`#`) names the columns, in any order:
//!
//! | columns | of | |
//! |---|---|---|
//! | `weight` | crystal | factor on its photons; 0: no crystal |
//! | `misset_x_deg`, `misset_y_deg`, `misset_z_deg` | crystal | rotation about x, y, z of the laboratory |
//! | `a_star_x_per_angstrom` ... `c_star_z_per_angstrom` | crystal | a*, b*, c* at phi = 0 in the laboratory |
//! | `a_angstrom`, `b_angstrom`, `c_angstrom`, `alpha_deg`, `beta_deg`, `gamma_deg` | crystal | unit cell |
//! | `n_a`, `n_b`, `n_c` | crystal | unit cells along its axes |
//! | `mosaic_deg` | crystal | mosaic spread |
//! | `shot` | shot | its number, from 1 |
//! | `lambda_angstrom` or `energy_ev` | shot | wavelength |
//! | `spectrum` | shot | number of a spectrum in the file of spectra, from 1 |
//! | `fluence_per_m2` | shot | photons |
//! | `shift_fast_mm`, `shift_slow_mm` | shot | displacement of the detector along its axes |
//!
//! A line is a crystal. Lines of the same shot follow one another, and the first of them tells of the shot; columns of the
//! shot are empty in the others, or the same. What is left out, or empty, is as it is without the table. Of columns that
//! stand in one line here, a table has all or none.

use core::fmt::Write as _;
use std::io::{self, Read, Write};
use std::path::Path;

use widebragg_coordinates::anomalous::EV_ANGSTROM;

use crate::failure::Failure;
use crate::kind::explained;
use crate::memory::push;
use crate::spectrum::XRAYS_ANGSTROM;
use crate::text::{at_line, finite, in_file, read_text, shown};

/// Longest file that is read: millions of crystals.
const LIMIT_BYTES: u64 = 1 << 30;

/// A crystal; what is not given is as it is without the table.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CrystalRow {
    /// Factor on its photons, 0 or more.
    pub weight: Option<f64>,
    /// Rotations about x, y and z of the laboratory, in degrees.
    pub misset_deg: Option<[f64; 3]>,
    /// Rows x, y, z and columns a*, b*, c* at phi = 0, in 1/Angstrom.
    pub a_matrix: Option<[[f64; 3]; 3]>,
    /// a, b, c in Angstrom, alpha, beta, gamma in degrees.
    pub cell: Option<[f64; 6]>,
    /// Unit cells along a, b and c.
    pub cells: Option<[f64; 3]>,
    /// Mosaic spread in degrees, 0 or more.
    pub mosaic_deg: Option<f64>,
}

/// What all crystals of a shot share; what is not given is as it is without the table.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BeamRow {
    /// Wavelength.
    pub lambda_m: Option<f64>,
    /// Number of the spectrum, counted from 1.
    pub spectrum: Option<usize>,
    /// Photons.
    pub fluence_per_m2: Option<f64>,
    /// Displacement of the detector along fast and slow.
    pub shift_m: Option<[f64; 2]>,
}

/// A shot.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ShotRows {
    /// Its number, counted from 1.
    pub number: usize,
    /// What its crystals share.
    pub beam: BeamRow,
    /// Its crystals, at least one; a blank has one of weight 0.
    pub crystals: Vec<CrystalRow>,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Weight,
    Misset(usize),
    Star(usize, usize),
    Cell(usize),
    Cells(usize),
    Mosaic,
    Shot,
    Lambda,
    Energy,
    Spectrum,
    Fluence,
    Shift(usize),
}

/// Columns that a table has all of or none.
const TOGETHER: [fn(Column) -> bool; 5] = [
    |column| matches!(column, Column::Misset(_)),
    |column| matches!(column, Column::Star(..)),
    |column| matches!(column, Column::Cell(_)),
    |column| matches!(column, Column::Cells(_)),
    |column| matches!(column, Column::Shift(_)),
];

/// Every column with its name, in the order in which tables are written.
fn columns() -> impl Iterator<Item = (Column, String)> {
    let named = |column: Column, name: &str| (column, name.to_owned());
    let several = |of: fn(usize) -> Column, names: &'static [&'static str]| {
        names.iter().enumerate().map(move |(i, name)| (of(i), (*name).to_owned()))
    };
    let stars = (0..9).map(|i| {
        let (star, axis) = (i / 3, i % 3);
        let name = format!("{}_star_{}_per_angstrom", ["a", "b", "c"][star], ["x", "y", "z"][axis]);
        (Column::Star(axis, star), name)
    });
    [named(Column::Shot, "shot"), named(Column::Weight, "weight")]
        .into_iter()
        .chain(several(Column::Misset, &["misset_x_deg", "misset_y_deg", "misset_z_deg"]))
        .chain(stars)
        .chain(several(
            Column::Cell,
            &["a_angstrom", "b_angstrom", "c_angstrom", "alpha_deg", "beta_deg", "gamma_deg"],
        ))
        .chain(several(Column::Cells, &["n_a", "n_b", "n_c"]))
        .chain([
            named(Column::Mosaic, "mosaic_deg"),
            named(Column::Lambda, "lambda_angstrom"),
            named(Column::Energy, "energy_ev"),
            named(Column::Spectrum, "spectrum"),
            named(Column::Fluence, "fluence_per_m2"),
        ])
        .chain(several(Column::Shift, &["shift_fast_mm", "shift_slow_mm"]))
}

impl Column {
    fn is_of_shot(self) -> bool {
        matches!(
            self,
            Self::Shot | Self::Lambda | Self::Energy | Self::Spectrum | Self::Fluence | Self::Shift(_)
        )
    }
}

/// Reads a table of crystals, at least one; `path` is its name in error messages.
///
/// # Errors
/// The file cannot be read or has no crystal, a column is unknown, doubled, of shots, or lacks those it belongs to, or a
/// line has other fields than the first or a value that no crystal has.
pub fn parse_crystals(input: impl Read, path: &Path) -> Result<Vec<CrystalRow>, Failure> {
    let (columns, rows) = parse(input, path)?;
    if let Some(column) = columns.into_iter().find(|column| column.is_of_shot()) {
        let name = name_of(column);
        return Err(in_file(
            path,
            format!("column {name} is of a table of shots, and this is one of crystals"),
        ));
    }
    Ok(rows.into_iter().map(|row| row.crystal).collect())
}

/// Reads a table of shots, at least one, in rising order; `path` is its name in error messages.
///
/// # Errors
/// As [`parse_crystals`]; also: there is no column `shot`, shots are not in order, or lines of a shot contradict each other.
///
/// ```
/// use std::path::Path;
/// use widebragg_formats::shot_table::parse_shots;
///
/// let text = "shot,weight,energy_ev\n1,1,9000\n1,0.5,\n3,0,9010\n";
/// let shots = parse_shots(text.as_bytes(), Path::new("shots.csv"))?;
/// assert_eq!((shots[0].crystals.len(), shots[1].number), (2, 3));
/// # Ok::<(), widebragg_formats::failure::Failure>(())
/// ```
pub fn parse_shots(input: impl Read, path: &Path) -> Result<Vec<ShotRows>, Failure> {
    let (columns, rows) = parse(input, path)?;
    if !columns.contains(&Column::Shot) {
        return Err(in_file(path, "no column shot: a table of shots has their numbers"));
    }
    let mut shots: Vec<ShotRows> = Vec::new();
    for Row { line, shot, beam, crystal } in rows {
        let refused = |what: String| at_line(path, line, what);
        let number = shot.ok_or_else(|| refused("no number of the shot".to_owned()))?;
        let no_memory = || refused("no memory for more crystals".to_owned());
        match shots.last_mut() {
            Some(last) if last.number == number => {
                if beam != BeamRow::default() && beam != last.beam {
                    return Err(refused(format!("another beam for shot {number} than in the line before")));
                }
                push(&mut last.crystals, crystal).ok_or_else(no_memory)?;
            }
            Some(last) if last.number > number => {
                return Err(refused(format!("shot {number} after shot {}: their numbers rise", last.number)));
            }
            _ => {
                let crystals = vec![crystal];
                push(&mut shots, ShotRows { number, beam, crystals }).ok_or_else(no_memory)?;
            }
        }
    }
    Ok(shots)
}

/// A line of a table.
struct Row {
    line: u64,
    shot: Option<usize>,
    beam: BeamRow,
    crystal: CrystalRow,
}

fn parse(input: impl Read, path: &Path) -> Result<(Vec<Column>, Vec<Row>), Failure> {
    parse_lines(input, path).map_err(explained(path, "comma-separated values under a line of column names"))
}

fn parse_lines(input: impl Read, path: &Path) -> Result<(Vec<Column>, Vec<Row>), Failure> {
    let text = read_text(input, path, LIMIT_BYTES)?;
    let mut lines = (1..).zip(text.lines().map(str::trim));
    let has_content = |&(_, line): &(u64, &str)| !line.is_empty() && !line.starts_with('#');
    let (number, heading) =
        lines.by_ref().find(has_content).ok_or_else(|| in_file(path, "an empty table"))?;
    let columns = heading_of(heading).map_err(|what| at_line(path, number, what))?;
    let mut rows = Vec::new();
    for (line, fields) in lines.filter(has_content) {
        let row = row_of(&columns, fields, line).map_err(|what| at_line(path, line, what))?;
        push(&mut rows, row).ok_or_else(|| at_line(path, line, "no memory for more crystals"))?;
    }
    if rows.is_empty() {
        return Err(in_file(path, "a table without lines below the names of its columns"));
    }
    Ok((columns, rows))
}

fn heading_of(line: &str) -> Result<Vec<Column>, String> {
    let mut found: Vec<Column> = Vec::new();
    for name in line.split(',').map(str::trim) {
        let column = columns().find(|(_, known)| known == name).map(|(column, _)| column);
        let Some(column) = column else {
            let all: Vec<String> = columns().map(|(_, name)| name).collect();
            let name = shown(name.as_bytes());
            return Err(format!("no column is named {name}; there are {}", all.join(", ")));
        };
        if found.contains(&column) {
            return Err(format!("two columns {name}"));
        }
        found.push(column);
    }
    for is_of in TOGETHER {
        let group = || columns().filter(|(column, _)| is_of(*column));
        let missing = group().find(|(column, _)| !found.contains(column));
        if let (true, Some((_, missing))) = (found.iter().any(|&column| is_of(column)), missing) {
            return Err(format!("a column {missing} is missing beside those that it belongs to"));
        }
    }
    if found.contains(&Column::Lambda) && found.contains(&Column::Energy) {
        return Err("columns lambda_angstrom and energy_ev: one of them gives the wavelength".to_owned());
    }
    if found.iter().any(|column| matches!(column, Column::Star(..)))
        && let Some(other) = found.iter().find(|column| matches!(column, Column::Misset(_) | Column::Cell(_)))
    {
        return Err(format!(
            "column {} beside a*, b* and c*, which give orientation and cell",
            name_of(*other)
        ));
    }
    Ok(found)
}

fn name_of(column: Column) -> String {
    columns().find(|(known, _)| *known == column).map_or_else(String::new, |(_, name)| name)
}

fn row_of(columns: &[Column], fields: &str, line: u64) -> Result<Row, String> {
    let mut values: Vec<(Column, f64)> = Vec::new();
    let mut count = 0;
    for (index, field) in fields.split(',').map(str::trim).enumerate() {
        count += 1;
        let Some(&column) = columns.get(index) else { continue };
        if !field.is_empty() {
            let value = finite(field).map_err(|what| format!("{}: {what}", name_of(column)))?;
            check(column, value)?;
            values.push((column, value));
        }
    }
    if count != columns.len() {
        return Err(format!("{count} fields under {} columns", columns.len()));
    }
    let value = |column: Column| values.iter().find(|(known, _)| *known == column).map(|(_, value)| *value);
    // All of them or none, as the names of the columns.
    let all = |of: &dyn Fn(usize) -> Column, count: usize| -> Result<Option<Vec<f64>>, String> {
        let given: Vec<f64> = (0..count).filter_map(|i| value(of(i))).collect();
        match given.len() {
            0 => Ok(None),
            len if len == count => Ok(Some(given)),
            _ => {
                let empty = (0..count).map(of).find(|&column| value(column).is_none());
                Err(format!(
                    "{} is empty beside others that it belongs to",
                    empty.map_or_else(String::new, name_of)
                ))
            }
        }
    };
    let triple = |values: Vec<f64>| -> [f64; 3] { core::array::from_fn(|i| values[i]) };
    let star = all(&|i| Column::Star(i / 3, i % 3), 9)?;
    let crystal = CrystalRow {
        weight: value(Column::Weight),
        misset_deg: all(&Column::Misset, 3)?.map(triple),
        a_matrix: star.map(|star| core::array::from_fn(|row| triple(star[3 * row..3 * row + 3].to_vec()))),
        cell: all(&Column::Cell, 6)?.map(|cell| core::array::from_fn(|i| cell[i])),
        cells: all(&Column::Cells, 3)?.map(triple),
        mosaic_deg: value(Column::Mosaic),
    };
    let angstrom = value(Column::Lambda).or(value(Column::Energy).map(|energy| EV_ANGSTROM / energy));
    let beam = BeamRow {
        lambda_m: angstrom.map(|angstrom| 1e-10 * angstrom),
        spectrum: value(Column::Spectrum).map(|number| number as usize),
        fluence_per_m2: value(Column::Fluence),
        shift_m: all(&Column::Shift, 2)?.map(|shift| [1e-3 * shift[0], 1e-3 * shift[1]]),
    };
    Ok(Row { line, shot: value(Column::Shot).map(|number| number as usize), beam, crystal })
}

/// Refuses values that a column cannot have.
fn check(column: Column, value: f64) -> Result<(), String> {
    let [shortest, longest] = XRAYS_ANGSTROM;
    let is_count = value >= 1.0 && value.fract() == 0.0 && value <= 9e15;
    let (is_possible, needed) = match column {
        Column::Weight | Column::Mosaic | Column::Fluence => (value >= 0.0, "0 or more".to_owned()),
        Column::Cells(_) => (value >= 1.0, "1 or more".to_owned()),
        Column::Shot | Column::Spectrum => (is_count, "a whole number from 1 on".to_owned()),
        Column::Cell(axis) if axis < 3 => (value > 0.0, "above 0".to_owned()),
        Column::Cell(_) => (value > 0.0 && value < 180.0, "between 0 and 180".to_owned()),
        Column::Lambda => (
            (shortest..=longest).contains(&value),
            format!("from {shortest} to {longest}, as that of X-rays"),
        ),
        Column::Energy => (
            (EV_ANGSTROM / longest..=EV_ANGSTROM / shortest).contains(&value),
            format!("that of X-rays, with wavelengths from {shortest} to {longest} Angstrom"),
        ),
        Column::Misset(_) | Column::Star(..) | Column::Shift(_) => return Ok(()),
    };
    if is_possible { Ok(()) } else { Err(format!("{} {value}: must be {needed}", name_of(column))) }
}

/// Writes a table of shots that gives all of them again: each shot has a wavelength or a spectrum, fluence and shift, and
/// each crystal a weight, a matrix, cells and mosaic spread. Numbers read back to the same bits.
///
/// # Errors
/// What `out` fails with.
pub fn write_shots(shots: &[ShotRows], out: &mut dyn Write) -> io::Result<()> {
    let is_written = |column: Column| !matches!(column, Column::Misset(_) | Column::Cell(_) | Column::Energy);
    let rows = shots.iter().flat_map(|shot| shot.crystals.iter().map(move |crystal| (shot, crystal)));
    write_table(is_written, rows, out)
}

/// Writes a table of crystals, each with a weight, a matrix, cells and mosaic spread. Numbers read back to the same bits.
///
/// # Errors
/// What `out` fails with.
pub fn write_crystals(crystals: &[CrystalRow], out: &mut dyn Write) -> io::Result<()> {
    let is_written = |column: Column| {
        matches!(column, Column::Weight | Column::Star(..) | Column::Cells(_) | Column::Mosaic)
    };
    let no_shot = ShotRows::default();
    write_table(is_written, crystals.iter().map(|crystal| (&no_shot, crystal)), out)
}

fn write_table<'r>(
    is_written: impl Fn(Column) -> bool,
    rows: impl Iterator<Item = (&'r ShotRows, &'r CrystalRow)>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let columns: Vec<(Column, String)> = columns().filter(|(column, _)| is_written(*column)).collect();
    let names: Vec<&str> = columns.iter().map(|(_, name)| name.as_str()).collect();
    writeln!(out, "{}", names.join(","))?;
    for (shot, crystal) in rows {
        let mut line = String::new();
        for (index, (column, _)) in columns.iter().enumerate() {
            if index > 0 {
                line.push(',');
            }
            if let Some(value) = value_of(shot, crystal, *column) {
                // The shortest digits that read back to the same bits, without rows of zeros.
                let _ = match value.abs() {
                    size if (1e-6..1e16).contains(&size) || size == 0.0 => write!(line, "{value}"),
                    _ => write!(line, "{value:e}"),
                };
            }
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// The number in a column.
fn value_of(shot: &ShotRows, crystal: &CrystalRow, column: Column) -> Option<f64> {
    let ShotRows { number, beam, .. } = shot;
    match column {
        Column::Shot => Some(*number as f64),
        Column::Weight => crystal.weight,
        Column::Misset(axis) => crystal.misset_deg.map(|angles| angles[axis]),
        Column::Star(row, star) => crystal.a_matrix.map(|matrix| matrix[row][star]),
        Column::Cell(i) => crystal.cell.map(|cell| cell[i]),
        Column::Cells(axis) => crystal.cells.map(|cells| cells[axis]),
        Column::Mosaic => crystal.mosaic_deg,
        Column::Lambda => beam.lambda_m.map(|lambda_m| undone(lambda_m, 1e-10, |a| 1e-10 * a)),
        Column::Energy => beam.lambda_m.map(|lambda_m| EV_ANGSTROM / (1e10 * lambda_m)),
        Column::Spectrum => beam.spectrum.map(|number| number as f64),
        Column::Fluence => beam.fluence_per_m2,
        Column::Shift(axis) => beam.shift_m.map(|shift| undone(shift[axis], 1e-3, |mm| 1e-3 * mm)),
    }
}

/// The number that `read` makes `value` of, where there is one next to `value / unit`.
fn undone(value: f64, unit: f64, read: impl Fn(f64) -> f64) -> f64 {
    let near = value / unit;
    [near, near.next_up(), near.next_down()].into_iter().find(|&number| read(number) == value).unwrap_or(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "t.csv";

    fn shots(text: &str) -> Result<Vec<ShotRows>, String> {
        parse_shots(text.as_bytes(), Path::new(PATH)).map_err(|failure| failure.to_string())
    }

    fn crystals(text: &str) -> Result<Vec<CrystalRow>, String> {
        parse_crystals(text.as_bytes(), Path::new(PATH)).map_err(|failure| failure.to_string())
    }

    #[test]
    fn columns_in_any_order_comments_and_empty_fields() {
        let text = "# two crystals\n\nn_a, n_b,n_c,weight , mosaic_deg\n10,20,30,,0.1\n,,,0.5,\n";
        let first =
            CrystalRow { cells: Some([10.0, 20.0, 30.0]), mosaic_deg: Some(0.1), ..CrystalRow::default() };
        let second = CrystalRow { weight: Some(0.5), ..CrystalRow::default() };
        assert_eq!(crystals(text), Ok(vec![first, second]));
    }

    #[test]
    fn a_written_table_reads_back_to_the_same_bits() {
        let matrix = [[0.01, 1.0 / 3.0, -1e-3], [0.2, 0.1 + 0.2, 7.7e-5], [0.0, -0.125, 3.3]];
        let crystal = |weight: f64| CrystalRow {
            weight: Some(weight),
            a_matrix: Some(matrix),
            cells: Some([10.5, 3.0, 4.25]),
            mosaic_deg: Some(0.1 / 3.0),
            ..CrystalRow::default()
        };
        let shots_of = |number: usize, lambda_m: f64| ShotRows {
            number,
            beam: BeamRow {
                lambda_m: Some(lambda_m),
                spectrum: None,
                fluence_per_m2: Some(1.23e24),
                shift_m: Some([1e-5 / 3.0, -7e-6]),
            },
            crystals: vec![crystal(1.0), crystal(0.3)],
        };
        let written: Vec<ShotRows> = (1..40).map(|i| shots_of(i, 1e-10 + 1e-14 * i as f64 / 7.0)).collect();
        let mut text = Vec::new();
        write_shots(&written, &mut text).unwrap();
        let read = shots(str::from_utf8(&text).unwrap()).unwrap();
        for (written, read) in written.iter().zip(&read) {
            assert_eq!(written.crystals, read.crystals);
            assert_eq!(written.beam.fluence_per_m2, read.beam.fluence_per_m2);
            let relative = |a: f64, b: f64| (a / b - 1.0).abs();
            assert!(relative(written.beam.lambda_m.unwrap(), read.beam.lambda_m.unwrap()) < 3e-16);
        }
        assert_eq!(read.len(), written.len());
        let mut text = Vec::new();
        write_crystals(&written[0].crystals, &mut text).unwrap();
        assert_eq!(crystals(str::from_utf8(&text).unwrap()).unwrap(), written[0].crystals);
    }

    #[test]
    fn errors_name_file_line_and_column() {
        for (text, error) in [
            ("", "t.csv: an empty table"),
            ("shot,weight\n", "t.csv: a table without lines below the names of its columns"),
            ("shot,weigth\n1,1\n", "t.csv:1: no column is named \"weigth\"; there are shot, weight, "),
            ("shot,shot\n1,1\n", "t.csv:1: two columns shot"),
            ("weight\n1\n", "t.csv: no column shot"),
            ("shot,n_a\n1,2\n", "t.csv:1: a column n_b is missing"),
            ("shot,weight\n1\n", "t.csv:2: 1 fields under 2 columns"),
            ("shot,weight\n1,-1\n", "t.csv:2: weight -1: must be 0 or more"),
            ("shot,weight\n1,x\n", "t.csv:2: weight: \"x\" is not a number"),
            ("shot\n0\n", "t.csv:2: shot 0: must be a whole number from 1 on"),
            ("shot\n2\n1\n", "t.csv:3: shot 1 after shot 2: their numbers rise"),
            ("shot,energy_ev\n1,9000\n1,9001\n", "t.csv:3: another beam for shot 1 than in the line before"),
            (
                "shot,lambda_angstrom\n1,1e-10\n",
                "t.csv:2: lambda_angstrom 0.0000000001: must be from 0.01 to 100",
            ),
            ("shot,lambda_angstrom,energy_ev\n1,1,\n", "t.csv:1: columns lambda_angstrom and energy_ev"),
            ("shot,n_a,n_b,n_c\n1,1,,1\n", "t.csv:2: n_b is empty beside others that it belongs to"),
        ] {
            let found = shots(text).unwrap_err();
            assert!(found.starts_with(error), "{text:?}: {found}");
        }
        let found = crystals("shot,weight\n1,1\n").unwrap_err();
        assert_eq!(found, "t.csv: column shot is of a table of shots, and this is one of crystals");
    }
}
