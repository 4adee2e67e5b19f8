//! Reflections in CIF: structure-factor files of the PDB (mmCIF), core CIF, and the FCF of SHELXL.
//!
//! They are the loop of `_refln.X`, or `_refln_X`, of a block. By default the first of these that has a value is taken:
//! pdbx_F_plus with pdbx_F_minus; F_meas_au, F_meas; pdbx_I_plus with pdbx_I_minus; intensity_meas, F_squared_meas;
//! F_calc_au, F_calc, pdbx_F_calc_with_solvent; F_squared_calc. Map coefficients and pdbx_anom_difference are taken by
//! name only. Rows of status x (unreliable) are left out, and so are rows whose wavelength_id, crystal_id or
//! pdbx_diffrn_id differs from that of the first row.
//!
//! The block is the first with indices of reflections, or the one that is named; cell or symmetry that it lacks are
//! those of the first block that has them. `_diffrn_refln` (unmerged) and `_shelx_hkl_file` (unmerged, as text) are
//! refused.
//!
//! Cost: one pass. Of the columns that might be taken only those are kept that no better one with values replaces.

use std::io::{BufRead, BufReader};
use std::path::Path;

use widebragg_reflections::observations::{Hkl, Mates, Observation, Observations, Quantity};

use super::rows::index;
use super::taken::{Taken, push_observations};
use super::{Choice, Column, ReflectionFile, labels_of, printable};
use crate::cif::{CifReader, Event, Row};
use crate::cif_crystal::{CrystalItems, without_dot};
use crate::failure::Failure;
use crate::memory::{PIECE_BYTES, Watched};
use crate::text::{at_line, in_file, shown};

/// What is taken by default, best first.
const BY_DEFAULT: [(&str, Option<&str>, Quantity); 10] = [
    ("pdbx_F_plus", Some("pdbx_F_minus"), Quantity::Amplitude),
    ("F_meas_au", None, Quantity::Amplitude),
    ("F_meas", None, Quantity::Amplitude),
    ("pdbx_I_plus", Some("pdbx_I_minus"), Quantity::Intensity),
    ("intensity_meas", None, Quantity::Intensity),
    ("F_squared_meas", None, Quantity::Intensity),
    ("F_calc_au", None, Quantity::Amplitude),
    ("F_calc", None, Quantity::Amplitude),
    ("pdbx_F_calc_with_solvent", None, Quantity::Amplitude),
    ("F_squared_calc", None, Quantity::Intensity),
];

/// What is taken by name only.
const BY_NAME: [(&str, Quantity); 4] = [
    ("pdbx_FWT", Quantity::Amplitude),
    ("pdbx_DELFWT", Quantity::Amplitude),
    ("pdbx_F_calc_part_solvent", Quantity::Amplitude),
    ("intensity_calc", Quantity::Intensity),
];

/// Beginnings of labels, which are read in lower case, as the dictionaries write them.
const CAPITALS: [(&str, &str); 10] = [
    ("f_", "F_"),
    ("a_", "A_"),
    ("b_", "B_"),
    ("pdbx_f_", "pdbx_F_"),
    ("pdbx_fwt", "pdbx_FWT"),
    ("pdbx_i_", "pdbx_I_"),
    ("pdbx_hl_", "pdbx_HL_"),
    ("pdbx_delfwt", "pdbx_DELFWT"),
    ("pdbx_delphwt", "pdbx_DELPHWT"),
    ("pdbx_phwt", "pdbx_PHWT"),
];

/// F(+) - F(-), beside the mean amplitude.
const DIFFERENCE: &str = "pdbx_anom_difference";

/// Tags that say how far a reflection is to be trusted.
const STATUS: [&str; 3] = ["status", "observed_status", "include_status"];

/// The status of reflections that are left out.
const UNRELIABLE: &str = "x";

/// Tags that tell the measurements in a loop apart.
const IDS: [&str; 3] = ["wavelength_id", "crystal_id", "pdbx_diffrn_id"];

const INDICES: [&str; 3] = ["index_h", "index_k", "index_l"];

/// Number of blocks that a refusal names.
const MOST_BLOCKS: usize = 20;

/// Reads the reflections of a CIF; `path` is the stream's name in error messages.
pub(crate) fn parse(
    input: &mut dyn BufRead,
    path: &Path,
    choice: &Choice,
) -> Result<ReflectionFile, Failure> {
    let mut input = BufReader::with_capacity(PIECE_BYTES, Watched(input));
    let mut reader = CifReader::new(&mut input, path);
    let mut file = File::new(path, choice);
    while let Some(event) = reader.next_event()? {
        match event {
            Event::Block(name) => file.begin_block(name),
            Event::Table(tags) => file.begin_table(tags)?,
            Event::Row(row) => file.row(row)?,
        }
    }
    file.finish()
}

/// What has been read of a file.
struct File<'a> {
    path: &'a Path,
    choice: &'a Choice,
    /// Names of the first blocks, and the number of all.
    names: Vec<String>,
    blocks: usize,
    /// The current block, and whether its reflections may be taken.
    block: Block,
    may_be_taken: bool,
    was_named: bool,
    /// The reflections, once their table has begun, and whether it is the current one.
    reflections: Option<Reflections>,
    is_in_reflections: bool,
    /// The block of the reflections, once it has ended.
    taken_block: Option<Block>,
    /// The first cell and the first symmetry of the other blocks.
    others: CrystalItems,
    /// Why the blocks that may be taken have no reflections.
    refusal: Option<&'static str>,
}

/// What a block says of its reflections.
#[derive(Default)]
struct Block {
    crystal: CrystalItems,
    has_reflections: bool,
    is_mmcif: bool,
    is_fcf: bool,
}

impl<'a> File<'a> {
    fn new(path: &'a Path, choice: &'a Choice) -> Self {
        Self {
            path,
            choice,
            names: Vec::new(),
            blocks: 0,
            block: Block::default(),
            may_be_taken: false,
            was_named: false,
            reflections: None,
            is_in_reflections: false,
            taken_block: None,
            others: CrystalItems::default(),
            refusal: None,
        }
    }

    fn begin_block(&mut self, name: &str) {
        self.end_block();
        if self.blocks < MOST_BLOCKS {
            self.names.push(printable(name));
        }
        self.blocks += 1;
        let is_named = self.choice.block.as_ref().map(|block| block.eq_ignore_ascii_case(name));
        self.was_named |= is_named == Some(true);
        self.may_be_taken = is_named.unwrap_or(true);
    }

    fn end_block(&mut self) {
        let block = core::mem::take(&mut self.block);
        if block.has_reflections {
            self.taken_block = Some(block);
        } else {
            self.others.complete(block.crystal);
        }
    }

    fn begin_table(&mut self, tags: &[String]) -> Result<(), Failure> {
        let plain: Vec<String> = tags.iter().map(|tag| without_dot(tag)).collect();
        self.block.crystal.table(&plain);
        self.is_in_reflections = false;
        let has = |tag: &str| plain.iter().any(|other| other == tag);
        self.block.is_fcf |= has("_shelx_refln_list_code");
        if !self.may_be_taken || self.reflections.is_some() {
            return Ok(());
        }
        if has("_diffrn_refln_index_h") {
            self.refusal = self.refusal.or(Some(
                "the reflections are unmerged (_diffrn_refln): merge them first, e.g. aimless, dials.merge",
            ));
        }
        if has("_shelx_hkl_file") {
            self.refusal = self.refusal.or(Some(
                "the reflections are an unmerged list within a text (_shelx_hkl_file), which is not read: write it to \
                 a file of its own, and read that as hklf4",
            ));
        }
        if let Some(table) = Table::of(&plain).map_err(|what| in_file(self.path, what))? {
            let reflections =
                Reflections::new(table, self.choice).map_err(|what| in_file(self.path, what))?;
            self.reflections = Some(reflections);
            self.is_in_reflections = true;
            self.block.has_reflections = true;
            self.block.is_mmcif = tags.iter().any(|tag| tag.starts_with("_refln."));
        }
        Ok(())
    }

    fn row(&mut self, row: Row<'_>) -> Result<(), Failure> {
        let path = self.path;
        let refused = |(line, what): (u64, String)| at_line(path, line, what);
        self.block.crystal.row(row).map_err(refused)?;
        match &mut self.reflections {
            Some(reflections) if self.is_in_reflections => reflections.add(row).map_err(refused),
            _ => Ok(()),
        }
    }

    fn finish(mut self) -> Result<ReflectionFile, Failure> {
        self.end_block();
        let (Some(reflections), Some(block)) = (self.reflections.take(), self.taken_block.take()) else {
            return Err(in_file(self.path, self.no_reflections()));
        };
        let warnings = reflections.warnings();
        let mut crystal = block.crystal;
        crystal.complete(self.others);
        let wavelength_angstrom = crystal.wavelength_angstrom(reflections.id("wavelength_id"));
        let columns = reflections.table.columns.iter().filter(|column| column.is_listed());
        let columns: Vec<Column> = columns
            .map(|column| Column {
                label: column.label.clone(),
                kind: column.kind(),
                present: column.present,
            })
            .collect();
        let (table, read) = (reflections.table, reflections.read);
        let candidate = reflections.candidates.into_iter().find(Candidate::has_values).ok_or_else(|| {
            let what = if self.choice.columns.is_empty() {
                "no amplitudes or intensities are taken by default"
            } else {
                "the columns named have no value"
            };
            in_file(self.path, format!("{what}; {}", labels_of(&columns)))
        })?;
        if let Some((line, what)) = candidate.refusal {
            return Err(at_line(self.path, line, what));
        }
        Ok(ReflectionFile {
            format: match (block.is_fcf, block.is_mmcif) {
                (true, _) => "FCF",
                (false, true) => "mmCIF",
                (false, false) => "core CIF",
            },
            cell: crystal.cell(),
            symmetry: crystal.symmetry,
            wavelength_angstrom,
            taken: candidate.taken.columns().map(|at| table.columns[at].label.clone()).collect(),
            columns,
            read,
            missing: candidate.missing,
            observations: Observations {
                quantity: candidate.quantity,
                list: candidate.list,
                weighted: false,
                mates: Mates::AsListed,
            },
            warnings,
        })
    }

    fn no_reflections(&self) -> String {
        let more = if self.blocks > self.names.len() { ", ..." } else { "" };
        let names = format!("{}{more}", self.names.join(", "));
        match (&self.choice.block, self.refusal) {
            (Some(block), _) if !self.was_named => {
                format!("no data block {}; the blocks are {names}", shown(block.as_bytes()))
            }
            (_, Some(refusal)) => refusal.to_owned(),
            (Some(block), None) => {
                format!("no reflections (_refln.index_h) in the block {}", shown(block.as_bytes()))
            }
            (None, None) => format!("no reflections (_refln.index_h) in it; the blocks are {names}"),
        }
    }
}

/// A column of the table of reflections.
struct TableColumn {
    /// Its label as the dictionaries write it; empty for tags of other categories.
    label: String,
    /// Number of rows with a value.
    present: usize,
}

impl TableColumn {
    fn is_listed(&self) -> bool {
        let Self { label, .. } = self;
        !label.is_empty() && ![&INDICES[..], &STATUS, &IDS].concat().contains(&label.as_str())
    }

    /// What it holds, where it can be taken by name.
    fn quantity(&self) -> Option<Quantity> {
        let by_default =
            BY_DEFAULT.iter().find(|(one, other, _)| *one == self.label || *other == Some(&self.label));
        let by_name =
            || BY_NAME.iter().find(|(label, _)| *label == self.label).map(|&(_, quantity)| quantity);
        by_default.map(|&(_, _, quantity)| quantity).or_else(by_name)
    }

    fn is_uncertainty(&self) -> bool {
        self.label.contains("sigma")
    }

    /// What it holds, in words.
    fn kind(&self) -> &'static str {
        match self.quantity() {
            Some(Quantity::Amplitude) => "amplitude",
            Some(Quantity::Intensity) => "intensity",
            None if self.is_uncertainty() => "uncertainty",
            None if self.label == DIFFERENCE => "anomalous difference",
            None if ["phase", "PHWT"].iter().any(|word| self.label.contains(word)) => "phase",
            None => "another kind",
        }
    }
}

/// The columns of a table of reflections.
struct Table {
    columns: Vec<TableColumn>,
    indices: [usize; 3],
    status: Option<usize>,
}

impl Table {
    /// The table of these tags; `None` where they are no reflections.
    fn of(tags: &[String]) -> Result<Option<Self>, String> {
        let label = |tag: &String| tag.strip_prefix("_refln_").map_or(String::new(), capitalised);
        let columns: Vec<TableColumn> =
            tags.iter().map(|tag| TableColumn { label: printable(&label(tag)), present: 0 }).collect();
        let find = |label: &str| columns.iter().position(|column| column.label == label);
        let indices = INDICES.map(find);
        if indices == [None; 3] {
            return Ok(None);
        }
        let [Some(h), Some(k), Some(l)] = indices else {
            let lacking = INDICES.iter().zip(indices).filter(|(_, column)| column.is_none());
            let lacking: Vec<&str> = lacking.map(|(label, _)| *label).collect();
            return Err(format!("the table of reflections has no column {}", lacking.join(", ")));
        };
        let status = STATUS.iter().find_map(|label| find(label));
        Ok(Some(Self { indices: [h, k, l], status, columns }))
    }

    /// The column with a label, in any case.
    fn find(&self, label: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.label.eq_ignore_ascii_case(label))
    }

    /// What may be taken by default, best first.
    fn by_default(&self) -> Vec<Candidate> {
        let candidate = |&(label, mate, quantity): &(&str, Option<&str>, Quantity)| {
            let column = self.find(label)?;
            let taken = match mate {
                Some(mate) => Taken::Pair { plus: column, minus: self.find(mate)? },
                None => Taken::One(column),
            };
            Some(Candidate::new(taken, quantity))
        };
        BY_DEFAULT.iter().filter_map(candidate).collect()
    }

    /// What `labels` name.
    fn by_name(&self, labels: &[String]) -> Result<Candidate, String> {
        let mut named = Vec::new();
        for label in labels {
            let plain = ["_refln.", "_refln_"].iter().find_map(|category| label.strip_prefix(category));
            let column = self.find(plain.unwrap_or(label)).filter(|&column| self.columns[column].is_listed());
            let column = column.ok_or_else(|| format!("no column {}", shown(label.as_bytes())))?;
            if !self.columns[column].is_uncertainty() {
                named.push(column);
            }
        }
        let pair_of = |at: usize| {
            let label = &self.columns[at].label;
            let (plus, minus, _) = BY_DEFAULT.iter().find_map(|&(one, other, quantity)| {
                other.filter(|other| one == label || other == label).map(|other| (one, other, quantity))
            })?;
            Some(Taken::Pair { plus: self.find(plus)?, minus: self.find(minus)? })
        };
        let is_difference = |at: usize| self.columns[at].label == DIFFERENCE;
        let label = |at: usize| &self.columns[at].label;
        let taken = match *named {
            [one] => pair_of(one).unwrap_or(Taken::One(one)),
            [one, other]
                if pair_of(one).is_some_and(|pair| pair.columns().any(|at| at == other) && one != other) =>
            {
                pair_of(one).unwrap_or(Taken::One(one))
            }
            [amplitude, difference] | [difference, amplitude] if is_difference(difference) => {
                Taken::Difference { amplitude, difference }
            }
            [one, other] => {
                return Err(format!(
                    "{} and {} are neither a pair of Friedel mates nor an amplitude with its difference",
                    label(one),
                    label(other)
                ));
            }
            [] => return Err("the columns named are no amplitudes or intensities".to_owned()),
            _ => {
                return Err(format!(
                    "{} columns are named; a list has one, or two that belong together",
                    named.len()
                ));
            }
        };
        let main = taken.columns().next().unwrap_or_default();
        let is_of_amplitude = !matches!(taken, Taken::Difference { .. });
        match self.columns[main].quantity() {
            Some(quantity) if is_of_amplitude || quantity == Quantity::Amplitude => {
                Ok(Candidate::new(taken, quantity))
            }
            _ => Err(format!("{} is no amplitude or intensity ({})", label(main), self.columns[main].kind())),
        }
    }
}

/// A label as the dictionaries write it.
fn capitalised(label: &str) -> String {
    let found = CAPITALS.iter().find_map(|(small, capital)| Some((capital, label.strip_prefix(small)?)));
    found.map_or_else(|| label.to_owned(), |(capital, rest)| format!("{capital}{rest}"))
}

/// Columns that may be taken, and their values so far.
struct Candidate {
    taken: Taken,
    quantity: Quantity,
    list: Vec<Observation>,
    /// Rows without a value.
    missing: usize,
    /// Columns that have had a value.
    with_values: [bool; 2],
    /// The first value that is no number, and its line.
    refusal: Option<(u64, String)>,
}

impl Candidate {
    fn new(taken: Taken, quantity: Quantity) -> Self {
        Self { taken, quantity, list: Vec::new(), missing: 0, with_values: [false; 2], refusal: None }
    }

    /// Whether the columns have values: both of a pair, or the amplitude.
    fn has_values(&self) -> bool {
        let [one, other] = self.with_values;
        one && (other || !matches!(self.taken, Taken::Pair { .. }))
    }

    fn add(&mut self, hkl: Hkl, row: Row<'_>) -> Option<()> {
        let refusal = &mut self.refusal;
        let with_values = &mut self.with_values;
        let first = self.taken.columns().next();
        let values = self.taken.values(|column| {
            let value = row.value(column);
            let number = value.map_or(Ok(None), |value| value.number());
            let has_value = !matches!(number, Ok(None));
            with_values[usize::from(Some(column) != first)] |= has_value;
            Ok::<_, core::convert::Infallible>(number.unwrap_or_else(|what| {
                refusal.get_or_insert((value.map_or(0, |value| value.line()), what));
                None
            }))
        });
        let Ok(values) = values;
        self.missing += usize::from(values == [None; 2]);
        push_observations(&mut self.list, hkl, values)
    }
}

/// The reflections of a table.
struct Reflections {
    table: Table,
    candidates: Vec<Candidate>,
    /// Columns of identifiers: which of [`IDS`], and that of the first row.
    ids: Vec<(usize, &'static str, Option<String>)>,
    read: usize,
    /// Rows of status x.
    unreliable: usize,
    /// Rows with other identifiers, and which differ.
    others: usize,
    differing: Vec<&'static str>,
}

impl Reflections {
    fn new(table: Table, choice: &Choice) -> Result<Self, String> {
        let candidates = if choice.columns.is_empty() {
            table.by_default()
        } else {
            vec![table.by_name(&choice.columns)?]
        };
        let ids = IDS.iter().filter_map(|&label| Some((table.find(label)?, label, None))).collect();
        Ok(Self { table, candidates, ids, read: 0, unreliable: 0, others: 0, differing: Vec::new() })
    }

    /// The identifier of the first row.
    fn id(&self, label: &str) -> Option<&str> {
        self.ids.iter().find(|(_, other, _)| *other == label).and_then(|(_, _, first)| first.as_deref())
    }

    fn add(&mut self, row: Row<'_>) -> Result<(), (u64, String)> {
        self.read += 1;
        let mut hkl: Hkl = [0; 3];
        for ((to, name), &column) in hkl.iter_mut().zip(["h", "k", "l"]).zip(&self.table.indices) {
            if let Some(value) = row.value(column) {
                let refused = |what: String| (value.line(), what);
                let text = value.known().ok_or_else(|| refused(format!("{name} is missing")))?;
                *to = index(name, text.as_bytes()).map_err(refused)?;
            }
        }
        if !self.has_ids_of_the_first(row) {
            self.others += 1;
            return Ok(());
        }
        let status = self.table.status.and_then(|column| row.value(column)?.known());
        if status.is_some_and(|status| status.eq_ignore_ascii_case(UNRELIABLE)) {
            self.unreliable += 1;
            return Ok(());
        }
        for (column, at) in self.table.columns.iter_mut().zip(0..) {
            column.present += usize::from(row.value(at).is_some_and(|value| value.known().is_some()));
        }
        let line = row.value(self.table.indices[0]).map_or(0, |value| value.line());
        for candidate in &mut self.candidates {
            candidate.add(hkl, row).ok_or_else(|| (line, "no memory for more reflections".to_owned()))?;
        }
        if let Some(best) = self.candidates.iter().position(Candidate::has_values) {
            self.candidates.truncate(best + 1);
        }
        Ok(())
    }

    fn has_ids_of_the_first(&mut self, row: Row<'_>) -> bool {
        let mut are_same = true;
        for (column, label, first) in &mut self.ids {
            let id = row.value(*column).and_then(|value| value.known());
            if self.read == 1 {
                *first = id.map(str::to_owned);
            } else if id != first.as_deref() {
                are_same = false;
                if !self.differing.contains(label) {
                    self.differing.push(label);
                }
            }
        }
        are_same
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.others > 0 {
            warnings.push(format!(
                "reflections whose {} differs from that of the first are left out: {} of {}",
                self.differing.join(" or "),
                self.others,
                self.read
            ));
        }
        if self.unreliable > 0 {
            warnings.push(format!("reflections of status x (unreliable) are left out: {}", self.unreliable));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use widebragg_reflections::cell::Cell;

    use super::*;

    const CRYSTAL: &str = "_cell.length_a 10\n_cell.length_b 11\n_cell.length_c 12(1)\n_cell.angle_alpha 90\n\
                           _cell.angle_beta 91\n_cell.angle_gamma 92\n_symmetry.Int_Tables_number 4\n";

    fn parse_with(text: &str, choice: &Choice) -> Result<ReflectionFile, String> {
        parse(&mut text.as_bytes(), Path::new("a.cif"), choice).map_err(|failure| failure.to_string())
    }

    /// A file with a table of these columns beside the indices.
    fn table(columns: &str, rows: &str) -> String {
        let tags: String = columns.split_whitespace().map(|column| format!("_refln.{column}\n")).collect();
        format!("data_a\n{CRYSTAL}loop_\n_refln.index_h\n_refln.index_k\n_refln.index_l\n{tags}{rows}\n")
    }

    fn named(columns: &[&str]) -> Choice {
        Choice { columns: columns.iter().map(|&column| column.to_owned()).collect(), ..Choice::default() }
    }

    /// The labels taken, and the observations.
    fn taken(text: &str, choice: &Choice) -> (String, Vec<(Hkl, f64)>) {
        let file = parse_with(text, choice).unwrap();
        (file.taken.join(" "), file.observations.list.iter().map(|one| (one.hkl, one.value)).collect())
    }

    #[test]
    fn the_best_column_with_values_is_taken() {
        let all = "F_squared_calc F_calc_au F_squared_meas intensity_meas pdbx_I_minus pdbx_I_plus F_meas F_meas_au \
                   pdbx_F_minus pdbx_F_plus pdbx_FWT fom";
        let value = |at: usize| ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"][at];
        for (present, expected) in [
            (&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9][..], "pdbx_F_plus pdbx_F_minus"),
            (&[0, 1, 2, 3, 4, 5, 6, 7, 9], "F_meas_au"),
            (&[0, 1, 2, 3, 4, 5, 6], "F_meas"),
            (&[0, 1, 2, 3, 4, 5], "pdbx_I_plus pdbx_I_minus"),
            (&[0, 1, 2, 3, 4], "intensity_meas"),
            (&[0, 1, 2], "F_squared_meas"),
            (&[0, 1], "F_calc_au"),
            (&[0], "F_squared_calc"),
        ] {
            let row: Vec<&str> =
                (0..12).map(|at| if present.contains(&at) { value(at) } else { "?" }).collect();
            // A first row without any value, and another whose only value is the worst.
            let rows =
                format!("1 0 0{}\n2 0 0 1{}\n3 0 0 {}", " ?".repeat(12), " ?".repeat(11), row.join(" "));
            let file = parse_with(&table(all, &rows), &Choice::default()).unwrap();
            assert_eq!(file.taken.join(" "), expected);
            assert_eq!(file.observations.list.last().unwrap().hkl[0].abs(), 3);
            assert_eq!(file.missing, if present == [0] { 1 } else { 2 });
        }
        let error = parse_with(&table("pdbx_FWT F_meas fom", "1 0 0 5 ? 1"), &Choice::default()).unwrap_err();
        assert_eq!(
            error,
            "a.cif: no amplitudes or intensities are taken by default; the file has pdbx_FWT (amplitude), \
             F_meas (amplitude, empty), fom (another kind)"
        );
    }

    #[test]
    fn labels_name_columns_pairs_and_differences() {
        let all =
            "F_meas_au F_meas_sigma_au pdbx_anom_difference pdbx_F_plus pdbx_F_minus pdbx_FWT phase_calc";
        let text = table(all, "1 2 3 10.5 1 3 12 9 7 30\n1 2 4 10 1 ? ? 8 ? ?");
        let listed = |names: &[&str]| taken(&text, &named(names));
        let mates = vec![([1, 2, 3], 12.0), ([-1, -2, -3], 9.0), ([-1, -2, -4], 8.0)];
        assert_eq!(listed(&["pdbx_F_minus"]), ("pdbx_F_plus pdbx_F_minus".to_owned(), mates.clone()));
        assert_eq!(listed(&["_refln.pdbx_F_plus", "pdbx_F_minus"]).1, mates);
        assert_eq!(listed(&["f_meas_AU", "F_meas_sigma_au"]).1, [([1, 2, 3], 10.5), ([1, 2, 4], 10.0)]);
        assert_eq!(listed(&["pdbx_FWT"]).1, [([1, 2, 3], 7.0)]);
        assert_eq!(
            listed(&["F_meas_au", "pdbx_anom_difference"]).1,
            [([1, 2, 3], 12.0), ([-1, -2, -3], 9.0), ([1, 2, 4], 10.0), ([-1, -2, -4], 10.0)]
        );
        for (names, expected) in [
            (&["FOO"][..], "a.cif: no column \"FOO\""),
            (&["index_h"], "a.cif: no column \"index_h\""),
            (&["phase_calc"], "a.cif: phase_calc is no amplitude or intensity (phase)"),
            (&["F_meas_sigma_au"], "a.cif: the columns named are no amplitudes or intensities"),
            (&["pdbx_F_plus", "pdbx_FWT"], "a.cif: pdbx_F_plus and pdbx_FWT are neither a pair"),
            (&["pdbx_anom_difference", "phase_calc"], "a.cif: phase_calc is no amplitude"),
            (&["pdbx_FWT", "F_meas_au", "phase_calc"], "a.cif: 3 columns are named"),
        ] {
            let error = parse_with(&text, &named(names)).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        let empty = table("F_meas_au F_calc", "1 2 3 ? 4");
        assert!(
            parse_with(&empty, &named(&["F_meas_au"]))
                .unwrap_err()
                .contains("the columns named have no value")
        );
    }

    #[test]
    fn a_single_reflection_may_be_items() {
        let text =
            "data_a\n_refln_index_h 1\n_refln_index_k 2\n_refln_index_l -3.0\n_refln_F_squared_meas 4.5(1)\n";
        let file = parse_with(text, &Choice::default()).unwrap();
        assert_eq!((file.format, file.cell, file.read), ("core CIF", None, 1));
        assert_eq!(file.observations.list, [Observation { hkl: [1, 2, -3], value: 4.5, sigma: None }]);
        assert_eq!(file.observations.quantity, Quantity::Intensity);
    }

    #[test]
    fn cell_symmetry_and_wavelength_are_of_the_block_or_the_first_that_has_them() {
        let refln = "loop_ _refln.index_h _refln.index_k _refln.index_l _refln.wavelength_id _refln.F_meas 1 0 0 2 5\n";
        let waves =
            "loop_ _diffrn_radiation_wavelength.id _diffrn_radiation_wavelength.wavelength 1 0.9 2 0.98\n";
        let text = format!("data_a _x 1\ndata_b\n{CRYSTAL}data_c\n{refln}{waves}data_d\n_cell.length_a 1\n");
        let file = parse_with(&text, &Choice::default()).unwrap();
        let cell = Cell::from([10.0, 11.0, 12.0, 90.0, 91.0, 92.0]);
        assert_eq!((file.cell, file.symmetry.number), (Some(cell), Some(4)));
        assert_eq!(file.wavelength_angstrom, Some(0.98));
        let own = format!(
            "data_a\n{CRYSTAL}data_b\n{}_symmetry.space_group_name_H-M 'P 1'\n{refln}",
            CRYSTAL.replace("10", "20")
        );
        let file = parse_with(&own, &Choice::default()).unwrap();
        assert_eq!(
            (file.cell.unwrap().lengths_angstrom[0], file.symmetry.name.as_deref()),
            (20.0, Some("P 1"))
        );
        let both = format!(
            "data_a\nloop_ _symmetry_equiv_pos_as_xyz 'x, y, z' -x,-y,z\nloop_ _space_group_symop.operation_xyz x,y,z\n\
             _space_group_name_Hall 'P 2'\n{refln}"
        );
        let symmetry = parse_with(&both, &Choice::default()).unwrap().symmetry;
        assert_eq!(
            (symmetry.operators, symmetry.hall),
            (vec!["x, y, z".to_owned(), "-x,-y,z".to_owned()], Some("P 2".to_owned()))
        );
    }

    #[test]
    fn unreliable_reflections_and_other_measurements_are_left_out() {
        let rows = "1 0 0 5 x 1 1\n2 0 0 6 o 1 1\n3 0 0 7 f 2 1\n4 0 0 8 < 1 2\n5 0 0 ? - 1 1\n6 0 0 9 h 1 1";
        let file = parse_with(&table("F_meas_au status wavelength_id crystal_id", rows), &Choice::default())
            .unwrap();
        let list: Vec<i32> = file.observations.list.iter().map(|one| one.hkl[0]).collect();
        assert_eq!((list, file.read, file.missing), (vec![2, 6], 6, 1));
        assert_eq!(
            file.warnings,
            [
                "reflections whose wavelength_id or crystal_id differs from that of the first are left out: 2 of 6",
                "reflections of status x (unreliable) are left out: 1"
            ]
        );
        assert_eq!(file.columns.len(), 1);
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_its_line_or_block() {
        for (rows, expected) in [
            ("1 2.5 3 4", "a.cif:14: k: \"2.5\" is not an integer"),
            ("1 2 3 4 1000001 2 3 4", "a.cif:14: h: \"1000001\" is beyond the largest index, 1000000"),
            (
                "1 2 3 4\n99999999999 2 3 4",
                "a.cif:15: h: \"99999999999\" is beyond the largest index, 1000000",
            ),
            ("? 2 3 4", "a.cif:14: h is missing"),
            ("x 2 3 4", "a.cif:14: h: \"x\" is not a number"),
            ("1 2 3 4\n1 2 4 abc", "a.cif:15: \"abc\" is not a finite number"),
            ("1 2 3 1e999", "a.cif:14: \"1e999\" is not a finite number"),
            ("1 2 3 '?'", "a.cif:14: \"?\" is not a finite number"),
        ] {
            assert_eq!(parse_with(&table("F_meas", rows), &Choice::default()).unwrap_err(), expected);
        }
        // A word in a column that is not taken is nobody's business.
        assert_eq!(taken(&table("F_meas F_calc", "1 2 3 4 x"), &Choice::default()).1, [([1, 2, 3], 4.0)]);
        let indices = "loop_ _refln.index_h _refln.index_k _refln.F_meas 1 2 3\n";
        let unmerged = "loop_ _diffrn_refln_index_h _diffrn_refln_intensity_net 1 2\n";
        let block = |name: &str| Choice { block: Some(name.to_owned()), ..Choice::default() };
        for (text, choice, expected) in [
            (
                format!("data_a\n{indices}"),
                Choice::default(),
                "a.cif: the table of reflections has no column index_l",
            ),
            (
                "data_a\n_atom_site.id 1\n".to_owned(),
                Choice::default(),
                "a.cif: no reflections (_refln.index_h) in it; the blocks are a",
            ),
            (
                format!("data_a\n{unmerged}"),
                Choice::default(),
                "a.cif: the reflections are unmerged (_diffrn_refln)",
            ),
            (
                "data_a\n_shelx_hkl_file\n; 1 0 0\n;\n".to_owned(),
                Choice::default(),
                "a.cif: the reflections are an unmerged list within a text (_shelx_hkl_file)",
            ),
            (
                format!("data_a\n{unmerged}data_b"),
                block("b"),
                "a.cif: no reflections (_refln.index_h) in the block \"b\"",
            ),
            (table("F_meas", "1 2 3 4"), block("c"), "a.cif: no data block \"c\"; the blocks are a"),
        ] {
            let error = parse_with(&text, &choice).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        let text = format!("data_raw\n{unmerged}{}", table("F_meas", "1 2 3 4"));
        assert_eq!(taken(&text, &Choice::default()).1, taken(&text, &block("A")).1);
        assert!(parse_with(&text, &block("raw")).unwrap_err().contains("unmerged"));
    }
}
