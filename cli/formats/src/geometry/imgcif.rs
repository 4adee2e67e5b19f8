//! The geometry of full CBF images (imgCIF): tables of axes, and where an image has them set.
//!
//! An axis turns or moves what depends on it: x -> R x + offset for a rotation, x -> x + d vector + offset for a
//! translation by d, outwards along `depends_on` to the laboratory. The frame is that of [`Frame::Dials`]: x along the
//! principal axis of the goniometer, z towards the source.
//!
//! * **Panels**: each array of `_array_structure_list`. Its index of precedence 1 is fast. `displacement` in
//!   `_array_structure_list_axis` is that of the first data point, the centre of a pixel, and `displacement_increment`
//!   the step to the next; so the outer corner is half a step before. (dxtbx takes the first data point for the
//!   corner.)
//! * **Settings** of all other axes: those of `_diffrn_scan_frame_axis`, or else where `_diffrn_scan_axis` starts.
//! * **Scan**: the axis of the goniometer with an increment, turned by the axes that carry it.
//! * **Beam**: against the axis of the equipment `source`, or along -z. `polarizn_source_ratio` is Kahn's k, and
//!   `polarizn_source_norm` is the angle from y to the normal of the plane of polarisation.
//!
//! Source: H. J. Bernstein, A. P. Hammersley, "Specification of the Crystallographic Binary File (CBF/imgCIF)" and
//! imgCIF dictionary, International Tables for Crystallography G, 2.3, 3.7 and 4.6 (2006).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, Read as _};
use std::path::Path;

use super::mini_cbf::sensor;
use super::vectors::{Vector, across, apply, are_parallel, cross, length, plus, rotation, scaled, unit};
use super::{Beam, Frame, Geometry, GeometryFile, Held, Panel, Polarization, Scan};
use crate::cbf::STARTER;
use crate::cif::{CifReader, Event};
use crate::failure::Failure;
use crate::memory::{is_there, push};
use crate::text::{cannot_read, finite, in_file, shown};

/// Longest text of a header.
const MOST_TEXT_BYTES: usize = 1 << 20;

/// Memory for each byte of a text, at most: a row with one known value takes 200 bytes.
const BYTES_PER_BYTE: usize = 100;

/// Most axes that depend on one another.
const MOST_DEEP: usize = 64;

/// Ends a binary section, which its padding precedes.
const SECTION_END: &[u8] = b"--CIF-BINARY-FORMAT-SECTION----";

/// The columns that are read, without their `_`.
const COLUMNS: [&str; 44] = [
    "array_intensities.gain",
    "array_intensities.overload",
    "array_intensities.undefined_value",
    "array_structure_list.array_id",
    "array_structure_list.axis_set_id",
    "array_structure_list.dimension",
    "array_structure_list.direction",
    "array_structure_list.precedence",
    "array_structure_list_axis.axis_id",
    "array_structure_list_axis.axis_set_id",
    "array_structure_list_axis.displacement",
    "array_structure_list_axis.displacement_increment",
    "axis.depends_on",
    "axis.equipment",
    "axis.id",
    "axis.offset[1]",
    "axis.offset[2]",
    "axis.offset[3]",
    "axis.type",
    "axis.vector[1]",
    "axis.vector[2]",
    "axis.vector[3]",
    "diffrn_detector.type",
    "diffrn_measurement.sample_detector_distance",
    "diffrn_radiation.polarizn_source_norm",
    "diffrn_radiation.polarizn_source_ratio",
    "diffrn_radiation_wavelength.value",
    "diffrn_radiation_wavelength.wavelength",
    "diffrn_scan_axis.angle_increment",
    "diffrn_scan_axis.angle_range",
    "diffrn_scan_axis.angle_start",
    "diffrn_scan_axis.axis_id",
    "diffrn_scan_axis.displacement_increment",
    "diffrn_scan_axis.displacement_range",
    "diffrn_scan_axis.displacement_start",
    "diffrn_scan_frame.frame_number",
    "diffrn_scan_frame.integration_time",
    "diffrn_scan_frame_axis.angle",
    "diffrn_scan_frame_axis.angle_increment",
    "diffrn_scan_frame_axis.angle_range",
    "diffrn_scan_frame_axis.axis_id",
    "diffrn_scan_frame_axis.displacement",
    "diffrn_scan_frame_axis.displacement_increment",
    "diffrn_scan_frame_axis.displacement_range",
];

/// Columns that are handed on as they are.
const HELD: [&str; 4] = [
    "diffrn_detector.type",
    "array_intensities.gain",
    "array_intensities.undefined_value",
    "diffrn_measurement.sample_detector_distance",
];

/// Most bytes read at a time where nothing is kept.
const PIECE_BYTES: u64 = 1 << 16;

/// Reads the text of a CBF file without its binary data.
pub(super) fn read_text_around_data(input: &mut dyn BufRead, path: &Path) -> Result<String, Failure> {
    let mut text = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = (MOST_TEXT_BYTES - text.len()) as u64 + 1;
        let count = (&mut *input)
            .take(limit)
            .read_until(b'\n', &mut line)
            .map_err(|error| cannot_read(path, &error))?;
        if count == 0 {
            break;
        }
        let starter = line.windows(STARTER.len()).position(|window| window == STARTER);
        let kept = &line[..starter.unwrap_or(line.len())];
        if text.len() + kept.len() > MOST_TEXT_BYTES {
            return Err(in_file(path, format!("its header is longer than {MOST_TEXT_BYTES} bytes")));
        }
        text.extend_from_slice(kept);
        let Some(at) = starter else { continue };
        let data_bytes =
            binary_size(&text).ok_or_else(|| in_file(path, "no usable X-Binary-Size in its header"))?;
        let left = data_bytes.saturating_sub((line.len() - at - STARTER.len()) as u64);
        if !is_skipped(input, left).map_err(|error| cannot_read(path, &error))? {
            // A file that is cut: what its text says may be enough.
            text.extend_from_slice(b"\n;\n");
            break;
        }
    }
    Ok(String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// The size of the binary data that follow a text.
fn binary_size(text: &[u8]) -> Option<u64> {
    let value = |line: &[u8]| {
        let value = line.strip_prefix(b"X-Binary-Size:")?;
        core::str::from_utf8(value).ok()?.trim().parse().ok()
    };
    text.rsplit(|&byte| byte == b'\n').find_map(value)
}

/// Skips bytes, and then lines up to the end of the section; false where the file ends before.
fn is_skipped(input: &mut dyn BufRead, bytes: u64) -> io::Result<bool> {
    io::copy(&mut (&mut *input).take(bytes), &mut io::sink())?;
    let mut piece = Vec::new();
    let mut begins_line = true;
    loop {
        piece.clear();
        if (&mut *input).take(PIECE_BYTES).read_until(b'\n', &mut piece)? == 0 {
            return Ok(false);
        }
        if begins_line && piece.starts_with(SECTION_END) {
            return Ok(true);
        }
        begins_line = piece.ends_with(b"\n");
    }
}

/// Whether a text has a table of axes.
pub(super) fn has_axes(text: &[u8]) -> bool {
    let begins = |line: &[u8]| line.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"_axis."));
    text.split(|&byte| byte == b'\n').any(|line| begins(line.trim_ascii_start()))
}

/// Reads the text of a file.
pub(super) fn parse(text: &str, path: &Path) -> Result<GeometryFile, Failure> {
    let tables = Tables::read(text, path)?;
    let refused = |what: String| in_file(path, what);
    let axes = Axes::of(&tables).map_err(refused)?;
    let valid = [None, tables.number("array_intensities.overload").map_err(refused)?];
    let mut panels = axes.panels(&tables).map_err(refused)?;
    for panel in &mut panels {
        (panel.valid, panel.sensor) = (valid, sensor(text));
    }
    let (spindle, scan) = axes.scan(&tables).map_err(refused)?.unzip();
    let beam = axes.beam(&tables).map_err(refused)?;
    let geometry = Geometry { frame: Frame::Dials, beam, panels, spindle, scan, crystal: None };
    let mut file = GeometryFile::of("CBF image", geometry);
    for name in HELD {
        if let Some(value) = tables.first(name) {
            file.held.push(Held { name: format!("_{name}"), value: value.to_owned() });
        }
    }
    Ok(file)
}

/// The known values of a row in the columns that are read.
#[derive(Default)]
struct Row(Vec<(&'static str, String)>);

impl Row {
    fn get(&self, tag: &str) -> Option<&str> {
        self.0.iter().find(|(column, _)| *column == tag).map(|(_, value)| value.as_str())
    }
}

/// The rows of the first block with axes, by category.
struct Tables(BTreeMap<&'static str, Vec<Row>>);

impl Tables {
    fn read(text: &str, path: &Path) -> Result<Self, Failure> {
        let no_memory = || in_file(path, "no memory for its tables");
        if !is_there(text.len().saturating_mul(BYTES_PER_BYTE)) {
            return Err(no_memory());
        }
        let mut bytes = text.as_bytes();
        let mut reader = CifReader::new(&mut bytes, path);
        let mut tables: BTreeMap<&'static str, Vec<Row>> = BTreeMap::new();
        let mut columns: Vec<(usize, &'static str)> = Vec::new();
        while let Some(event) = reader.next_event()? {
            match event {
                Event::Block(_) if tables.contains_key("axis") => break,
                Event::Block(_) => tables.clear(),
                Event::Table(tags) => {
                    let tags =
                        tags.iter().enumerate().filter_map(|(place, tag)| Some((place, known_column(tag)?)));
                    columns = tags.collect();
                    columns.sort_by_key(|&(_, tag)| tag);
                }
                Event::Row(row) => {
                    // Single items are a table of several categories, which the order keeps together.
                    for own in columns.chunk_by(|one, other| category_of(one.1) == category_of(other.1)) {
                        let values = own
                            .iter()
                            .filter_map(|&(place, tag)| Some((tag, row.value(place)?.known()?.to_owned())));
                        let table = tables.entry(category_of(own[0].1)).or_default();
                        push(table, Row(values.collect())).ok_or_else(no_memory)?;
                    }
                }
            }
        }
        Ok(Self(tables))
    }

    fn rows(&self, category: &str) -> &[Row] {
        self.0.get(category).map_or(&[], Vec::as_slice)
    }

    /// The first known value of a column.
    fn first(&self, tag: &str) -> Option<&str> {
        self.rows(category_of(tag)).iter().find_map(|row| row.get(tag))
    }

    fn number(&self, tag: &str) -> Result<Option<f64>, String> {
        self.first(tag).map(|text| finite_of(tag, text)).transpose()
    }
}

/// The column that is read of a tag, in small letters with its `_`.
fn known_column(tag: &str) -> Option<&'static str> {
    let tag = tag.strip_prefix('_')?;
    COLUMNS.binary_search(&tag).ok().map(|at| COLUMNS[at])
}

fn category_of(tag: &str) -> &str {
    tag.split('.').next().unwrap_or_default()
}

fn finite_of(tag: &str, text: &str) -> Result<f64, String> {
    finite(text).map_err(|what| format!("_{tag}: {what}"))
}

/// The number in a column of a row.
fn number_of(row: &Row, tag: &str) -> Result<Option<f64>, String> {
    row.get(tag).map(|text| finite_of(tag, text)).transpose()
}

/// What an axis does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rotation,
    Translation,
    /// A direction only.
    General,
}

#[derive(Debug, Clone)]
struct Axis {
    kind: Kind,
    equipment: String,
    depends_on: Option<String>,
    /// Of length 1, but for axes that only have an offset.
    vector: Option<Vector>,
    offset_mm: Vector,
    /// Degrees or mm.
    setting: f64,
    /// How far it goes in a frame.
    increment: Option<f64>,
}

struct Axes(BTreeMap<String, Axis>);

impl Axes {
    fn of(tables: &Tables) -> Result<Self, String> {
        let mut axes = BTreeMap::new();
        for row in tables.rows("axis") {
            let text = |column: &str| row.get(&format!("axis.{column}"));
            let Some(id) = text("id") else { continue };
            let vector = |column: &str| {
                let mut vector = [0.0; 3];
                for (component, number) in vector.iter_mut().zip(1..) {
                    *component = number_of(row, &format!("axis.{column}[{number}]"))?.unwrap_or(0.0);
                }
                Ok::<_, String>(vector)
            };
            let kind = match text("type").map(|kind| kind.to_ascii_lowercase()).as_deref() {
                Some("rotation") => Kind::Rotation,
                Some("translation") => Kind::Translation,
                _ => Kind::General,
            };
            let axis = Axis {
                kind,
                equipment: text("equipment").map(|name| name.to_ascii_lowercase()).unwrap_or_default(),
                depends_on: text("depends_on").map(str::to_owned),
                vector: unit(vector("vector")?),
                offset_mm: vector("offset")?,
                setting: 0.0,
                increment: None,
            };
            axes.insert(id.to_owned(), axis);
        }
        if axes.is_empty() {
            return Err("it has no axes".to_owned());
        }
        let mut axes = Self(axes);
        axes.set(tables, "diffrn_scan_axis", ["angle_start", "displacement_start"])?;
        axes.set(tables, "diffrn_scan_frame_axis", ["angle", "displacement"])?;
        Ok(axes)
    }

    /// Sets axes as a table says, each by the first of its rows.
    fn set(&mut self, tables: &Tables, category: &str, columns: [&str; 2]) -> Result<(), String> {
        let mut set = BTreeSet::new();
        for row in tables.rows(category) {
            let Some(id) = row.get(&format!("{category}.axis_id")).filter(|id| set.insert(*id)) else {
                continue;
            };
            let Some(axis) = self.0.get_mut(id) else { continue };
            let is_turned = axis.kind == Kind::Rotation;
            let number = |column: &str| number_of(row, &format!("{category}.{column}"));
            if let Some(setting) = number(columns[usize::from(!is_turned)])? {
                axis.setting = setting;
            }
            let increments = if is_turned {
                ["angle_increment", "angle_range"]
            } else {
                ["displacement_increment", "displacement_range"]
            };
            for column in increments {
                axis.increment = axis.increment.filter(|&step| step != 0.0).or(number(column)?);
            }
        }
        Ok(())
    }

    fn get(&self, id: &str) -> Result<&Axis, String> {
        self.0.get(id).ok_or_else(|| format!("there is no axis {}", shown(id.as_bytes())))
    }

    /// An axis and all that it depends on, outwards.
    fn chain<'a>(&'a self, id: &'a str) -> Result<Vec<&'a str>, String> {
        let mut chain = vec![id];
        let mut axis = self.get(id)?;
        while let Some(next) = axis.depends_on.as_deref() {
            if chain.len() > MOST_DEEP {
                let id = shown(id.as_bytes());
                return Err(format!("the axis {id} depends on itself, or on more than {MOST_DEEP} others"));
            }
            chain.push(next);
            axis = self.get(next)?;
        }
        Ok(chain)
    }

    /// The place of a point at the inner end of a chain.
    fn position_mm(&self, chain: &[&str]) -> Result<Vector, String> {
        let mut point = [0.0; 3];
        for id in chain {
            let axis = self.get(id)?;
            let moved = match (axis.kind, axis.vector) {
                (Kind::Rotation, Some(vector)) => apply(rotation(vector, axis.setting), point),
                (Kind::Translation, Some(vector)) => plus(point, axis.setting, vector),
                _ => point,
            };
            point = plus(moved, 1.0, axis.offset_mm);
        }
        Ok(point)
    }

    /// Where the vector of an axis points in the laboratory: turned by the rest of its chain.
    fn direction(&self, vector: Vector, carriers: &[&str]) -> Result<Vector, String> {
        let mut direction = vector;
        for carrier in carriers {
            let carrier = self.get(carrier)?;
            if let (Kind::Rotation, Some(vector)) = (carrier.kind, carrier.vector) {
                direction = apply(rotation(vector, carrier.setting), direction);
            }
        }
        Ok(direction)
    }

    fn panels(&self, tables: &Tables) -> Result<Vec<Panel>, String> {
        const ARRAY: &str = "array_structure_list.array_id";
        let rows = tables.rows("array_structure_list");
        let mut names: Vec<&str> = Vec::new();
        let mut arrays: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        for row in rows {
            let name = row.get(ARRAY).unwrap_or_default();
            let array = arrays.entry(name).or_default();
            if array.is_empty() {
                push(&mut names, name).ok_or("no memory for its panels")?;
            }
            push(array, row).ok_or("no memory for its panels")?;
        }
        if names.is_empty() {
            return Err("it has no _array_structure_list".to_owned());
        }
        let steps = steps(tables)?;
        let mut panels = Vec::new();
        for (number, name) in names.into_iter().enumerate() {
            let shown_name = if name.is_empty() { number.to_string() } else { name.to_owned() };
            let rows = arrays.get(name).map_or(&[][..], Vec::as_slice);
            let panel = self.panel(rows, &steps, shown_name);
            let panel = panel.map_err(|what| format!("array {}: {what}", shown(name.as_bytes())))?;
            push(&mut panels, panel).ok_or("no memory for its panels")?;
        }
        Ok(panels)
    }

    fn panel(&self, rows: &[&Row], steps: &BTreeMap<&str, Step<'_>>, name: String) -> Result<Panel, String> {
        let along = |precedence: f64| -> Result<Direction<'_>, String> {
            for row in rows {
                if number_of(row, "array_structure_list.precedence")? == Some(precedence) {
                    return Direction::of(row, steps);
                }
            }
            Err(format!("no index of precedence {precedence}"))
        };
        let (fast, slow) = (along(1.0)?, along(2.0)?);
        let (mut chain, slow_chain) = (self.chain(fast.axis)?, self.chain(slow.axis)?);
        if slow_chain.contains(&fast.axis) {
            chain = slow_chain;
        } else if !chain.contains(&slow.axis) {
            // Two axes of one carrier move the same point.
            if self.get(fast.axis)?.depends_on != self.get(slow.axis)?.depends_on {
                return Err("its two axes do not depend on each other".to_owned());
            }
            chain.insert(1, slow.axis);
        }
        let mut centre_mm = self.position_mm(&chain)?;
        let mut step_mm = [[0.0; 3]; 2];
        for (step_mm, index) in step_mm.iter_mut().zip([&fast, &slow]) {
            let axis = self.get(index.axis)?;
            let vector = axis.vector.filter(|_| axis.kind == Kind::Translation);
            let vector = vector
                .ok_or_else(|| format!("its axis {} is no translation", shown(index.axis.as_bytes())))?;
            let carriers =
                chain.iter().position(|id| *id == index.axis).map_or(&[][..], |at| &chain[at + 1..]);
            let direction = self.direction(vector, carriers)?;
            centre_mm = plus(centre_mm, index.first_mm - axis.setting, direction);
            *step_mm = scaled(index.step_mm, direction);
        }
        let [fast_axis, slow_axis] = step_mm.map(|step| unit(step).ok_or("its pixels have no size"));
        let (fast_axis, slow_axis) = (fast_axis?, slow_axis?);
        if are_parallel(fast_axis, slow_axis) {
            return Err("fast and slow are parallel".to_owned());
        }
        let corner_mm = plus(plus(centre_mm, -0.5, step_mm[0]), -0.5, step_mm[1]);
        Ok(Panel {
            name,
            pixels: [fast.pixels, slow.pixels],
            data_origin: [0, 0],
            pixel_m: step_mm.map(|step| length(step) * 1e-3),
            origin_m: scaled(1e-3, corner_mm),
            fast: fast_axis,
            slow: slow_axis,
            sensor: None,
            valid: [None; 2],
        })
    }

    /// Spindle and scan; `None` without an axis of the goniometer that turns.
    fn scan(&self, tables: &Tables) -> Result<Option<(Vector, Scan)>, String> {
        let turns = |axis: &Axis| {
            axis.equipment == "goniometer"
                && axis.kind == Kind::Rotation
                && axis.increment.is_some_and(|step| step != 0.0)
        };
        let Some((id, axis)) = self.0.iter().find(|(_, axis)| turns(axis)) else { return Ok(None) };
        let (Some(vector), Some(width_deg)) = (axis.vector, axis.increment) else { return Ok(None) };
        let spindle = self.direction(vector, self.chain(id)?.get(1..).unwrap_or_default())?;
        let first = tables.number("diffrn_scan_frame.frame_number")?;
        let first =
            first.filter(|&number| number.fract() == 0.0 && (0.0..=f64::from(i32::MAX)).contains(&number));
        let exposure_s = tables.number("diffrn_scan_frame.integration_time")?.filter(|&time| time > 0.0);
        let first = first.map_or(1, |number| number as usize);
        let scan = Scan { first, frames: 1, start_deg: axis.setting, width_deg, exposure_s };
        Ok(Some((spindle, scan)))
    }

    fn beam(&self, tables: &Tables) -> Result<Beam, String> {
        let source = self.0.values().find(|axis| axis.equipment == "source").and_then(|axis| axis.vector);
        let direction = source.map_or([0.0, 0.0, -1.0], |vector| vector.map(|component| 0.0 - component));
        let wavelength = match tables.number("diffrn_radiation_wavelength.wavelength")? {
            Some(wavelength) => Some(wavelength),
            None => tables.number("diffrn_radiation_wavelength.value")?,
        };
        if let Some(wavelength) = wavelength.filter(|&wavelength| wavelength <= 0.0) {
            return Err(format!("a wavelength of {wavelength} A"));
        }
        let ratio = tables.number("diffrn_radiation.polarizn_source_ratio")?;
        if let Some(ratio) = ratio.filter(|ratio| !(-1.0..=1.0).contains(ratio)) {
            return Err(format!("_diffrn_radiation.polarizn_source_ratio: {ratio} is not within -1 to 1"));
        }
        let norm_deg = tables.number("diffrn_radiation.polarizn_source_norm")?;
        let polarization = ratio.zip(norm_deg).and_then(|(kahn_factor, norm_deg)| {
            let (sine, cosine) = norm_deg.to_radians().sin_cos();
            let normal = across([sine, cosine, 0.0], direction)?;
            Some(Polarization { electric_vector: cross(normal, direction), kahn_factor })
        });
        Ok(Beam { direction, lambda_m: wavelength.map(|wavelength| wavelength * 1e-10), polarization })
    }
}

/// How an index of an array goes along an axis.
struct Step<'t> {
    axis: &'t str,
    first_mm: f64,
    step_mm: f64,
}

/// The steps of `_array_structure_list_axis`, by their sets of axes.
fn steps(tables: &Tables) -> Result<BTreeMap<&str, Step<'_>>, String> {
    const CATEGORY: &str = "array_structure_list_axis";
    let mut steps = BTreeMap::new();
    for row in tables.rows(CATEGORY) {
        let text = |column: &str| row.get(&format!("{CATEGORY}.{column}"));
        let number = |column: &str| number_of(row, &format!("{CATEGORY}.{column}"));
        let Some(axis) = text("axis_id") else { continue };
        // A set of one axis often has no name of its own.
        let set = text("axis_set_id").unwrap_or(axis);
        let first_mm = number("displacement")?.unwrap_or(0.0);
        let step_mm = number("displacement_increment")?.unwrap_or(0.0);
        if steps.insert(set, Step { axis, first_mm, step_mm }).is_some() {
            return Err(format!("the set {} has several axes, which is not read", shown(set.as_bytes())));
        }
    }
    Ok(steps)
}

/// An index of an array.
struct Direction<'t> {
    axis: &'t str,
    pixels: usize,
    first_mm: f64,
    step_mm: f64,
}

impl<'t> Direction<'t> {
    fn of(row: &'t Row, steps: &BTreeMap<&'t str, Step<'t>>) -> Result<Self, String> {
        let text = |column: &str| {
            let tag = format!("array_structure_list.{column}");
            row.get(&tag).ok_or_else(|| format!("no _{tag}"))
        };
        let dimension = finite_of("array_structure_list.dimension", text("dimension")?)?;
        if dimension.fract() != 0.0 || !(1.0..=f64::from(i32::MAX)).contains(&dimension) {
            return Err(format!("{dimension} is not a number of pixels"));
        }
        let set = text("axis_set_id")?;
        let step =
            steps.get(set).ok_or_else(|| format!("no step along the axes {}", shown(set.as_bytes())))?;
        let mut own = Self {
            axis: step.axis,
            pixels: dimension as usize,
            first_mm: step.first_mm,
            step_mm: step.step_mm,
        };
        if row.get("array_structure_list.direction").is_some_and(|way| way.eq_ignore_ascii_case("decreasing"))
        {
            own.first_mm += (dimension - 1.0) * own.step_mm;
            own.step_mm = -own.step_mm;
        }
        Ok(own)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::geometry::parse_geometry;
    use crate::geometry::vectors::dot;

    const TEXT: &str = "###CBF: VERSION 1.5
data_image_1
_diffrn_radiation.polarizn_source_ratio 0.98
_diffrn_radiation.polarizn_source_norm 0.0
_diffrn_radiation_wavelength.wavelength 1.25
_array_intensities.gain 1.0
_array_intensities.overload 1048500
loop_
_axis.id
_axis.type
_axis.equipment
_axis.depends_on
_axis.vector[1]
_axis.vector[2]
_axis.vector[3]
_axis.offset[1]
_axis.offset[2]
_axis.offset[3]
OMEGA rotation goniometer . 2 0 0 . . .
PHI rotation goniometer OMEGA 0 0 1 . . .
SOURCE general source . 0 0 1 . . .
DETECTOR_2THETA rotation detector . 1 0 0 . . .
DETECTOR_Z translation detector DETECTOR_2THETA 0 0 -1 0 0 0
ELEMENT_X translation detector DETECTOR_Z 1 0 0 -5 4 0
ELEMENT_Y translation detector ELEMENT_X 0 -1 0 0 0 0
loop_
_diffrn_scan_axis.axis_id
_diffrn_scan_axis.angle_start
_diffrn_scan_axis.angle_range
_diffrn_scan_axis.angle_increment
_diffrn_scan_axis.displacement_start
OMEGA 90 0 0 .
PHI 10 5 0.5 .
DETECTOR_2THETA 30 0 0 .
DETECTOR_Z . . . 100
loop_
_diffrn_scan_frame_axis.frame_id
_diffrn_scan_frame_axis.axis_id
_diffrn_scan_frame_axis.angle
_diffrn_scan_frame_axis.displacement
FRAME1 PHI 12 .
FRAME2 PHI 12.5 .
_diffrn_scan_frame.frame_number 5
_diffrn_scan_frame.integration_time 0.2
loop_
_array_structure_list.array_id
_array_structure_list.index
_array_structure_list.dimension
_array_structure_list.precedence
_array_structure_list.direction
_array_structure_list.axis_set_id
ARRAY1 2 30 2 increasing ELEMENT_Y
ARRAY1 1 40 1 increasing ELEMENT_X
loop_
_array_structure_list_axis.axis_set_id
_array_structure_list_axis.axis_id
_array_structure_list_axis.displacement
_array_structure_list_axis.displacement_increment
ELEMENT_X ELEMENT_X 0.1 0.2
ELEMENT_Y ELEMENT_Y 0.05 0.1
";

    fn read(text: &str) -> Result<GeometryFile, String> {
        parse(text, Path::new("a.cbf")).map_err(|failure| failure.to_string())
    }

    fn close(found: Vector, expected: Vector) {
        assert!(length(plus(found, -1.0, expected)) < 1e-15, "{found:?} is not {expected:?}");
    }

    #[test]
    fn columns_are_in_the_order_of_the_search() {
        assert!(COLUMNS.is_sorted());
        assert!(HELD.iter().all(|held| COLUMNS.contains(held)));
    }

    #[test]
    fn axes_are_multiplied_out() {
        let file = read(TEXT).unwrap();
        let geometry = &file.geometry;
        let panel = &geometry.panels[0];
        assert_eq!((file.format, geometry.frame, panel.name.as_str()), ("CBF image", Frame::Dials, "ARRAY1"));
        assert_eq!(panel.pixels, [40, 30]);
        assert!((panel.pixel_m[0] - 2e-4).abs() < 1e-17 && (panel.pixel_m[1] - 1e-4).abs() < 1e-17);
        // The corner at (-5, 4, -100) mm, turned by 30 degrees about x.
        let (sine, cosine) = 30.0_f64.to_radians().sin_cos();
        close(panel.origin_m, [-0.005, 0.004 * cosine + 0.1 * sine, 0.004 * sine - 0.1 * cosine]);
        close(panel.fast, [1.0, 0.0, 0.0]);
        close(panel.slow, [0.0, -cosine, -sine]);
        assert_eq!(panel.valid, [None, Some(1_048_500.0)]);
        // PHI is carried by OMEGA at 90 degrees about x: z turns to -y.
        close(geometry.spindle.unwrap(), [0.0, -1.0, 0.0]);
        let scan = Scan { first: 5, frames: 1, start_deg: 12.0, width_deg: 0.5, exposure_s: Some(0.2) };
        assert_eq!((geometry.scan, geometry.beam.lambda_m), (Some(scan), Some(1.25e-10)));
        assert_eq!(geometry.beam.direction, [0.0, 0.0, -1.0]);
        let polarization = geometry.beam.polarization.unwrap();
        assert_eq!(polarization.kahn_factor, 0.98);
        assert!(dot(polarization.electric_vector, [1.0, 0.0, 0.0]).abs() > 1.0 - 1e-15);
        assert_eq!(file.held, [Held { name: "_array_intensities.gain".to_owned(), value: "1.0".to_owned() }]);
    }

    #[test]
    fn axes_may_share_a_carrier_and_run_backwards() {
        let shared = TEXT.replace("detector ELEMENT_X 0 -1 0 0 0 0", "detector DETECTOR_Z 0 -1 0 0 0 0");
        assert_eq!(read(&shared).unwrap(), read(TEXT).unwrap());
        let nested = TEXT
            .replace("ELEMENT_X translation detector DETECTOR_Z", "ELEMENT_X translation detector ELEMENT_Y")
            .replace("detector ELEMENT_X 0 -1 0 0 0 0", "detector DETECTOR_Z 0 -1 0 0 0 0");
        assert_eq!(
            read(&nested).unwrap().geometry.panels[0].fast,
            read(TEXT).unwrap().geometry.panels[0].fast
        );
        let backwards = TEXT.replace("1 40 1 increasing", "1 40 1 decreasing");
        let (one, other) = (read(TEXT).unwrap(), read(&backwards).unwrap());
        let (one, other) = (&one.geometry.panels[0], &other.geometry.panels[0]);
        close(other.fast, scaled(-1.0, one.fast));
        close(other.origin_m, one.position_m([40.0, 0.0]));
    }

    #[test]
    fn each_array_is_a_panel() {
        let two = TEXT.replace(
            "ARRAY1 2 30 2",
            "ARRAY2 1 10 1 increasing ELEMENT_X\nARRAY2 2 20 2 increasing ELEMENT_Y\nARRAY1 2 30 2",
        );
        let file = read(&two).unwrap();
        let found: Vec<_> =
            file.geometry.panels.iter().map(|panel| (panel.name.as_str(), panel.pixels)).collect();
        assert_eq!(found, [("ARRAY2", [10, 20]), ("ARRAY1", [40, 30])]);
    }

    #[test]
    fn binary_data_are_left_out() {
        let data = b"\0\n;\nloop_\n--CIF \n\n\xff";
        let section = |size: usize| {
            let mut file = format!(
                "{}_array_data.data\r\n;\r\n--CIF-BINARY-FORMAT-SECTION--\r\nX-Binary-Size: {size}\r\n\r\n",
                TEXT.split_once("_array_intensities.gain").unwrap().0
            )
            .into_bytes();
            file.extend_from_slice(STARTER);
            file.extend_from_slice(data);
            file.extend_from_slice(&[0; 4095]);
            file.extend_from_slice(
                b"\r\n--CIF-BINARY-FORMAT-SECTION----\r\n;\r\n\r\n_array_intensities.gain",
            );
            file.extend_from_slice(TEXT.split_once("_array_intensities.gain").unwrap().1.as_bytes());
            file
        };
        let parsed = |bytes: &[u8]| parse_geometry(&mut &bytes[..], Path::new("a.cbf"), 0);
        assert_eq!(parsed(&section(data.len())).unwrap(), read(TEXT).unwrap());
        // The size of the data is wrong: their end is found all the same.
        assert_eq!(parsed(&section(3)).unwrap(), read(TEXT).unwrap());
        // Cut within the data, after the tables.
        let mut cut = format!("{TEXT}_array_data.data\n;\nX-Binary-Size: 100\n\n").into_bytes();
        cut.extend_from_slice(STARTER);
        cut.extend_from_slice(data);
        assert_eq!(parsed(&cut).unwrap(), read(TEXT).unwrap());
        let nameless = String::from_utf8_lossy(&section(data.len())).replace("X-Binary-Size", "X-Size");
        // The lossy text has no starter, so that the data are text, which breaks the rules of CIF.
        assert!(parsed(nameless.as_bytes()).is_err());
        let mut unsized_data = format!("{TEXT}_array_data.data\n;\n\n").into_bytes();
        unsized_data.extend_from_slice(STARTER);
        let message = parsed(&unsized_data).unwrap_err().to_string();
        assert_eq!(message, "a.cbf: no usable X-Binary-Size in its header");
        let long = [TEXT.as_bytes(), &vec![b'#'; MOST_TEXT_BYTES]].concat();
        assert!(parsed(&long).unwrap_err().to_string().contains("its header is longer"));
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        let replaced = |from: &str, to: &str| read(&TEXT.replace(from, to)).unwrap_err();
        for (message, expected) in [
            (
                replaced("detector DETECTOR_2THETA", "detector ELEMENT_Y"),
                "array \"ARRAY1\": the axis \"ELEMENT_X\" depends on itself, or on more than 64 others",
            ),
            (
                replaced("detector DETECTOR_2THETA", "detector TOWER"),
                "array \"ARRAY1\": there is no axis \"TOWER\"",
            ),
            (
                replaced("detector ELEMENT_X 0 -1 0", "detector . 0 -1 0"),
                "array \"ARRAY1\": its two axes do not depend on each other",
            ),
            (
                replaced("ELEMENT_Y translation", "ELEMENT_Y rotation"),
                "array \"ARRAY1\": its axis \"ELEMENT_Y\" is no translation",
            ),
            (replaced("ELEMENT_X 0 -1 0", "ELEMENT_X 1 0 0"), "array \"ARRAY1\": fast and slow are parallel"),
            (replaced("ELEMENT_X 0.1 0.2", "ELEMENT_X 0.1 0"), "array \"ARRAY1\": its pixels have no size"),
            (
                replaced("ELEMENT_X 0.1 0.2", "ELEMENT_X 0.1 inf"),
                "_array_structure_list_axis.displacement_increment: \"inf\" is not a finite number",
            ),
            (
                replaced("ELEMENT_X ELEMENT_X", "ELEMENT_Y ELEMENT_X"),
                "the set \"ELEMENT_Y\" has several axes, which is not read",
            ),
            (
                replaced("\nELEMENT_X ELEMENT_X", "\nSET ELEMENT_X"),
                "array \"ARRAY1\": no step along the axes \"ELEMENT_X\"",
            ),
            (replaced("1 40 1", "1 40.5 1"), "array \"ARRAY1\": 40.5 is not a number of pixels"),
            (replaced("1 40 1", "1 40 3"), "array \"ARRAY1\": no index of precedence 1"),
            (replaced("_array_structure_list.", "_array_list."), "it has no _array_structure_list"),
            (replaced("_axis.id", "_axis.name"), "it has no axes"),
            (replaced("wavelength 1.25", "wavelength 0"), "a wavelength of 0 A"),
            (
                replaced("ratio 0.98", "ratio 1.5"),
                "_diffrn_radiation.polarizn_source_ratio: 1.5 is not within -1 to 1",
            ),
            (replaced("OMEGA 90", "OMEGA x"), "_diffrn_scan_axis.angle_start: \"x\" is not a number"),
        ] {
            assert_eq!(message, format!("a.cbf: {expected}"));
        }
        assert!(replaced("data_image_1", "loop_ data_image_1").starts_with("a.cbf:2: "));
    }

    proptest! {
        #[test]
        fn no_text_panics(at in 0..TEXT.len(), piece in ".{0,8}", length in 0_usize..40) {
            let end = (at + length).min(TEXT.len());
            let _ = read(&format!("{}{piece}{}", &TEXT[..at], &TEXT[end..]));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let begun = [&b"###CBF: \nX-Binary-Size: 9\n"[..], STARTER, &bytes].concat();
            let _ = read_text_around_data(&mut &begun[..], Path::new("a.cbf"));
        }
    }
}
