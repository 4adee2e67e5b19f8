//! From a file of reflections to the grid of P 1, as a crystal needs it.
//!
//! Lines of h k l F are the list of P 1 already, and are taken as they stand unless a space group is given. All other
//! lists are expanded by their symmetry: see [`Expansion`].

use std::io::Read;
use std::path::{Path, PathBuf};

use widebragg_coordinates::elements::Element;
use widebragg_coordinates::model::Model;
use widebragg_reflections::cell::Cell;
use widebragg_reflections::completeness::{Shell, completeness};
use widebragg_reflections::expansion::{Counts, Expansion};
use widebragg_reflections::index_box::IndexBox;
use widebragg_reflections::observations::{Mates, Observation, Observations, Quantity};
use widebragg_reflections::symmetry::{SpaceGroup, StatedSymmetry, resolve};
use widebragg_reflections::wilson::{RESIDUE, Wilson, wilson};

use super::{Choice, Column, Contents, ReflectionFile, parse_reflections};
use crate::dump::write_dump_by_planes;
use crate::failure::Failure;
use crate::hkl::{Reflection, find_box, parse_hkl_in, parse_list};
use crate::hkl_table::{HklTable, MAX_CELLS};
use crate::memory;
use crate::text::in_file;
use crate::unpack::Unpacked;

/// Bytes that [`Expansion::new`] needs of each observation, at most.
const BYTES_TO_SORT: usize = 48;

/// What a user wants of a file, and knows of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Wanted {
    /// Columns, block and format.
    pub choice: Choice,
    /// The symmetry, instead of that of the file (`--space-group`).
    pub space_group: Option<StatedSymmetry>,
    /// Whether Friedel mates are averaged (`--friedel merge`).
    pub merges_mates: bool,
    /// The scale of F (`--hkl-scale`); none: that of the file.
    pub scale: Option<Scale>,
    /// Residues of the protein in the asymmetric unit (`--residues`), for [`Scale::Wilson`].
    pub residues: Option<usize>,
}

/// How F is scaled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// All F are multiplied by this.
    Factor(f64),
    /// F is brought to electrons by the intensities that the atoms of the cell give on average.
    Wilson,
}

impl Wanted {
    /// The option that changes what is taken of a file; none where all is by default.
    #[must_use]
    pub fn first_option(&self) -> Option<&'static str> {
        let Self { choice: Choice { columns, block, format }, space_group, merges_mates, scale, residues } =
            self;
        let given = [
            (!columns.is_empty(), "--hkl-columns"),
            (block.is_some(), "--hkl-block"),
            (format.is_some(), "--hkl-format"),
            (space_group.is_some(), "--space-group"),
            (*merges_mates, "--friedel merge"),
            (scale.is_some(), "--hkl-scale"),
            (residues.is_some(), "--residues"),
        ];
        given.into_iter().find_map(|(given, option)| given.then_some(option))
    }
}

/// The reflections of a file.
#[derive(Debug)]
pub enum Reflections {
    /// Lines of h k l F, taken as they stand.
    AsListed(HklTable),
    /// Unique reflections, to be expanded.
    Unique(Box<Unique>),
    /// An atomic model, whose structure factors are to be computed.
    Model(Box<Model>),
}

/// Reflections that are ready to fill a grid, and what is known of them.
#[derive(Debug)]
pub struct Unique {
    /// What was read.
    pub summary: Summary,
    /// The name of the file in error messages.
    path: PathBuf,
    /// The cell of the file, or else that of the crystal.
    cell: Option<Cell>,
    expansion: Expansion,
}

/// What an image needs of a list of reflections.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Needed {
    /// All indices that it asks for.
    pub indices: IndexBox,
    /// The cell of its crystal.
    pub cell: Cell,
    /// Its resolution in Å.
    pub d_min_angstrom: f64,
}

/// What was taken of a file, and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// The format, in words.
    pub format: &'static str,
    /// The cell of the file.
    pub cell: Option<Cell>,
    /// Wavelength of the file in Å.
    pub wavelength_angstrom: Option<f64>,
    /// All columns of values.
    pub columns: Vec<Column>,
    /// Labels of the columns taken.
    pub taken: Vec<String>,
    /// The space group, or the point group where no more is known.
    pub group: SpaceGroup,
    /// Rows of the file.
    pub read: usize,
    /// Rows without a value.
    pub missing: usize,
    /// What became of the values.
    pub counts: Counts,
    /// Whether Friedel mates have different F.
    pub mates_differ: bool,
    /// Factor of all F.
    pub scale: f64,
    /// What the factor was found from; none where it was given.
    pub wilson: Option<Wilson>,
    /// Lowest and highest resolution d in Å; none without a cell.
    pub resolution_angstrom: Option<[f64; 2]>,
    /// What the user should know, a sentence each.
    pub warnings: Vec<String>,
}

/// Reads reflections, by content or in the format that is wanted; `path` is the name of `input` in error messages.
/// `cell` is the crystal's, for files that have none. In a list of h k l F, what is not listed has `default_f`.
///
/// ```
/// use std::path::Path;
/// use widebragg_formats::reflections::p1::{Reflections, Wanted, read_reflections};
///
/// let cif = "data_a\n_symmetry.Int_Tables_number 19\nloop_\n_refln.index_h\n_refln.index_k\n_refln.index_l
/// _refln.F_meas_au\n1 2 3 514.5\n0 0 4 50\n0 0 3 7\n";
/// let read = read_reflections(&mut cif.as_bytes(), Path::new("a.cif"), &Wanted::default(), None, 0.0)?;
/// let Reflections::Unique(unique) = read else { unreachable!("it is a CIF") };
/// assert_eq!((unique.summary.group.name(), unique.summary.counts.absent), ("P 21 21 21", 1));
/// let table = unique.table(0.0, None)?;
/// assert_eq!(table.position(-1, 2, -3).map(|position| table.data[position]), Some(514.5));
/// # Ok::<(), widebragg_formats::failure::Failure>(())
/// ```
///
/// # Errors
/// As [`parse_reflections`]; no symmetry or an impossible one; of a list of h k l F, options that it cannot heed.
pub fn read_reflections(
    input: &mut dyn Read,
    path: &Path,
    wanted: &Wanted,
    cell: Option<Cell>,
    default_f: f64,
) -> Result<Reflections, Failure> {
    let file = match parse_reflections(input, path, &wanted.choice)? {
        Contents::File(file) => *file,
        Contents::Text(text) => match text_file(text, path, wanted, default_f)? {
            Text::AsListed(table) => return Ok(Reflections::AsListed(table)),
            Text::Observations(file) => *file,
        },
        Contents::Model(model) => {
            let of_lists = Wanted { space_group: None, ..wanted.clone() };
            if let Some(option) = of_lists.first_option() {
                return Err(in_file(
                    path,
                    format!("this is an atomic model: {option} is for lists of reflections"),
                ));
            }
            return Ok(Reflections::Model(model));
        }
    };
    Unique::new(file, path, wanted, cell).map(|unique| Reflections::Unique(Box::new(unique)))
}

/// Lines of h k l F, read.
enum Text {
    AsListed(HklTable),
    Observations(Box<ReflectionFile>),
}

fn text_file(text: Unpacked<'_>, path: &Path, wanted: &Wanted, default_f: f64) -> Result<Text, Failure> {
    let Choice { columns, block, .. } = &wanted.choice;
    if !columns.is_empty() || block.is_some() {
        return Err(in_file(path, "lines of h k l F have no labels and no blocks to choose"));
    }
    if wanted.space_group.is_none() {
        let beside_format = Wanted { choice: Choice::default(), ..wanted.clone() };
        if let Some(option) = beside_format.first_option() {
            return Err(in_file(
                path,
                format!("lines of h k l F are taken as they stand: {option} needs --space-group"),
            ));
        }
        // The first of two passes over a file; a pipe can only be read once.
        let found = find_box(path);
        return parse_hkl_in(text, path, found, default_f, MAX_CELLS).map(Text::AsListed);
    }
    let reflections = parse_list(text, path)?;
    let count = reflections.len();
    let mut list =
        memory::reserved(count).ok_or_else(|| in_file(path, format!("no memory for {count} reflections")))?;
    list.extend(reflections.into_iter().map(|Reflection { hkl, f }| Observation {
        hkl,
        value: f,
        sigma: None,
    }));
    Ok(Text::Observations(Box::new(ReflectionFile {
        format: "h k l F",
        cell: None,
        symmetry: StatedSymmetry::default(),
        wavelength_angstrom: None,
        columns: vec![Column { label: "F".to_owned(), kind: "amplitude", present: count }],
        taken: vec!["F".to_owned()],
        read: count,
        missing: 0,
        observations: Observations {
            quantity: Quantity::Amplitude,
            list,
            weighted: false,
            mates: Mates::AsListed,
        },
        warnings: Vec::new(),
    })))
}

/// Lower resolutions, in Å, than proteins follow Wilson's formula at.
const WILSON_FROM_ANGSTROM: f64 = 4.0;

/// The absolute scale of a protein with `residues` in the asymmetric unit.
fn wilson_of(
    expansion: &Expansion,
    cell: &Cell,
    d_min_angstrom: f64,
    residues: usize,
) -> Result<Wilson, widebragg_reflections::Failure> {
    let in_cell = residues as f64 * expansion.group().operators().len() as f64;
    let atoms = RESIDUE.map(|(symbol, count)| (Element::from_symbol(symbol), count * in_cell));
    let sum_f_squared = |stol: f64| {
        let squares = atoms.iter().filter_map(|(element, count)| {
            element.map(|element| count * element.form_factor(stol * stol).powi(2))
        });
        squares.sum()
    };
    wilson(expansion, cell, d_min_angstrom..=WILSON_FROM_ANGSTROM, sum_f_squared)
}

/// The reflections of a table with NaN where there is no value: those with a value that `group` does not make absent, in the
/// order of h, k, l.
pub fn listed<'t>(
    table: &'t HklTable,
    group: Option<&'t SpaceGroup>,
) -> impl Iterator<Item = ([i32; 3], f64)> + Clone + 't {
    let is_absent = move |hkl| group.is_some_and(|group| group.is_absent(hkl));
    table.nodes().filter(move |&(hkl, f)| !(f.is_nan() || f == 0.0 && is_absent(hkl)))
}

impl Unique {
    fn new(file: ReflectionFile, path: &Path, wanted: &Wanted, cell: Option<Cell>) -> Result<Self, Failure> {
        let ReflectionFile { format, symmetry, wavelength_angstrom, columns, taken, read, missing, .. } =
            file;
        let (mut observations, mut warnings) = (file.observations, file.warnings);
        let refused = |failure: widebragg_reflections::Failure| in_file(path, failure.to_string());
        let stated = wanted.space_group.as_ref().unwrap_or(&symmetry);
        let known_cell = file.cell.or(cell);
        let resolved = resolve(stated, known_cell.as_ref()).map_err(refused)?;
        warnings.extend(resolved.warnings);
        if wanted.merges_mates {
            observations.mates = Mates::Merged;
        }
        let count = observations.list.len();
        // Some systems promise more memory than they have.
        if !memory::is_there(count.saturating_mul(BYTES_TO_SORT)) {
            return Err(in_file(path, format!("no memory to sort {count} reflections")));
        }
        let mut expansion = Expansion::new(&observations, &resolved.group).map_err(refused)?;
        let counts = *expansion.counts();
        if counts.unique == 0 {
            return Err(in_file(path, "no reflection is left: all values are missing or absent"));
        }
        if counts.below_zero > 0 && observations.quantity == Quantity::Intensity {
            warnings.push(format!(
                "intensities below zero give F = 0, {} of them: amplitudes after French and Wilson are better",
                counts.below_zero
            ));
        }
        let resolution_angstrom = known_cell.filter(Cell::is_possible).map(|cell| {
            let metric = cell.reciprocal_metric();
            let spacings = expansion.unique().iter().map(|unique| metric.d_angstrom(unique.hkl));
            spacings.fold([0.0, f64::INFINITY], |[low, high], d| [f64::max(low, d), f64::min(high, d)])
        });
        let d_min = resolution_angstrom.map(|[_, d_min]| d_min);
        let (scale, wilson) = match (wanted.scale, wanted.residues) {
            (None, None) => (1.0, None),
            (Some(Scale::Factor(factor)), None) => (factor, None),
            (Some(Scale::Wilson), Some(residues)) => {
                let known = known_cell.zip(d_min);
                let (cell, d_min) = known.ok_or_else(|| in_file(path, "--hkl-scale wilson needs a cell"))?;
                let found = wilson_of(&expansion, &cell, d_min, residues).map_err(refused)?;
                (found.intensity_scale.sqrt(), Some(found))
            }
            (Some(Scale::Wilson), None) => {
                let of = "the residues in the asymmetric unit";
                return Err(in_file(path, format!("--hkl-scale wilson needs --residues N, {of}")));
            }
            (_, Some(_)) => return Err(in_file(path, "--residues needs --hkl-scale wilson")),
        };
        expansion.scale(scale);
        Ok(Self {
            summary: Summary {
                format,
                cell: file.cell,
                wavelength_angstrom,
                columns,
                taken,
                group: resolved.group,
                read,
                missing,
                counts,
                mates_differ: expansion.mates_differ(),
                scale,
                wilson,
                resolution_angstrom,
                warnings,
            },
            path: path.to_owned(),
            cell: known_cell,
            expansion,
        })
    }

    /// The smallest box with all reflections of P 1.
    #[must_use]
    pub fn bounds(&self) -> IndexBox {
        self.expansion.bounds()
    }

    /// The grid of P 1 over the smallest box with all reflections, or what an image needs of it. Nodes without a value get
    /// `default_f`, but 0 where they are absent.
    ///
    /// # Errors
    /// The grid is too large.
    pub fn table(&self, default_f: f64, needed: Option<&Needed>) -> Result<HklTable, Failure> {
        let bounds = needed.map_or(self.bounds(), |needed| self.bounds().intersection(&needed.indices));
        let IndexBox { h, k, l } = bounds;
        let mut table = HklTable::filled(h, k, l, default_f, MAX_CELLS)
            .map_err(|what| in_file(&self.path, self.too_large(&what, needed)))?;
        self.expansion
            .fill(&bounds, default_f, &mut table.data)
            .map_err(|failure| in_file(&self.path, failure.to_string()))?;
        Ok(table)
    }

    /// Why there is no grid, and what a user can do.
    fn too_large(&self, what: &str, needed: Option<&Needed>) -> String {
        let cell = self.cell.or(needed.map(|needed| needed.cell));
        let of_list = self.summary.resolution_angstrom.map(|[_, d_min]| d_min);
        let of_image = needed.map(|needed| needed.d_min_angstrom);
        let d_min = [of_list, of_image].into_iter().flatten().reduce(f64::max);
        let of = cell.zip(d_min).map(|(cell, d_min)| format!("in the cell {cell} to {d_min:.3} Angstrom, "));
        let of = of.unwrap_or_default();
        let advice = match needed {
            Some(_) => "give a larger -dmin",
            None => "cut the reflections at a lower resolution",
        };
        format!("{of}{what}: {advice}")
    }

    /// Writes the dump of the whole grid of P 1, as [`table`](Self::table) would fill it and each value then rounded by
    /// `rounded`, without having all of it in memory.
    ///
    /// # Errors
    /// As [`write_dump_by_planes`].
    pub fn write_dump(
        &self,
        path: &Path,
        default_f: f64,
        rounded: impl Fn(f64) -> f64,
    ) -> Result<(), Failure> {
        write_dump_by_planes(path, &self.bounds(), |planes, cells| {
            // The cells are those of the planes.
            self.expansion.fill(planes, default_f, cells).unwrap_or(());
            cells.iter_mut().for_each(|f| *f = rounded(*f));
        })
    }

    /// Number of reflections in P 1 whose F is neither 0 nor `default_f`.
    #[must_use]
    pub fn initialized(&self, default_f: f64) -> usize {
        self.expansion.count(|f| f != default_f && f != 0.0)
    }

    /// Completeness in `count` shells of equal volume.
    ///
    /// # Errors
    /// As [`completeness`].
    pub fn completeness(&self, cell: &Cell, count: usize) -> Result<Vec<Shell>, String> {
        completeness(&self.expansion, cell, None, count).map_err(|failure| failure.to_string())
    }
}
