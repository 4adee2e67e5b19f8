//! What a block of a CIF says of the crystal: cell, symmetry and wavelength, in the words of mmCIF and of core CIF,
//! which differ in a dot only.

use widebragg_reflections::cell::Cell;
use widebragg_reflections::symmetry::StatedSymmetry;

use crate::cif::{Row, Value};
use crate::memory::push;
use crate::text::shown;

/// Cell, symmetry and wavelengths of a block.
#[derive(Debug, Default)]
pub(crate) struct CrystalItems {
    cell: [Option<f64>; 6],
    /// What is said of the symmetry.
    pub symmetry: StatedSymmetry,
    /// Wavelengths in Å, with their identifiers.
    wavelengths: Vec<(Option<String>, f64)>,
    /// Columns of the current table that are needed.
    columns: Vec<(usize, Item)>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    /// One of a, b, c, alpha, beta, gamma.
    Cell(usize),
    Operator,
    Hall,
    Name,
    Number,
    WavelengthId,
    Wavelength,
}

/// Tags, with `_` for the dot of mmCIF.
const TAGS: [(&str, Item); 19] = [
    ("_cell_length_a", Item::Cell(0)),
    ("_cell_length_b", Item::Cell(1)),
    ("_cell_length_c", Item::Cell(2)),
    ("_cell_angle_alpha", Item::Cell(3)),
    ("_cell_angle_beta", Item::Cell(4)),
    ("_cell_angle_gamma", Item::Cell(5)),
    ("_space_group_symop_operation_xyz", Item::Operator),
    ("_symmetry_equiv_pos_as_xyz", Item::Operator),
    ("_space_group_name_hall", Item::Hall),
    ("_symmetry_space_group_name_hall", Item::Hall),
    ("_space_group_name_h-m_alt", Item::Name),
    ("_space_group_name_h-m_full", Item::Name),
    ("_space_group_name_h-m", Item::Name),
    ("_symmetry_space_group_name_h-m", Item::Name),
    ("_space_group_it_number", Item::Number),
    ("_symmetry_int_tables_number", Item::Number),
    ("_diffrn_radiation_wavelength_id", Item::WavelengthId),
    ("_diffrn_radiation_wavelength_wavelength", Item::Wavelength),
    ("_diffrn_radiation_wavelength", Item::Wavelength),
];

/// A tag with `_` for the dot that ends its category in mmCIF, so that both dictionaries have the same words.
pub(crate) fn without_dot(tag: &str) -> String {
    tag.replacen('.', "_", 1)
}

impl CrystalItems {
    /// Begins a table; its tags are those of [`without_dot`].
    pub fn table(&mut self, tags: &[String]) {
        let has_operators = !self.symmetry.operators.is_empty();
        self.columns.clear();
        for (column, tag) in tags.iter().enumerate() {
            let item = TAGS.iter().find(|(known, _)| known == tag).map(|&(_, item)| item);
            // Some files list the operators under both tags.
            let is_repeated = item == Some(Item::Operator)
                && (has_operators || self.columns.iter().any(|&(_, item)| item == Item::Operator));
            if let Some(item) = item.filter(|_| !is_repeated) {
                self.columns.push((column, item));
            }
        }
    }

    /// Takes a row of the table.
    ///
    /// # Errors
    /// The line of a value that cannot be used, and why.
    pub fn row(&mut self, row: Row<'_>) -> Result<(), (u64, String)> {
        let (mut id, mut wavelength, mut line) = (None, None, 0);
        for &(column, item) in &self.columns {
            let Some(value) = row.value(column) else { continue };
            let Some(text) = value.known() else { continue };
            line = value.line();
            let symmetry = &mut self.symmetry;
            match item {
                Item::Cell(axis) => self.cell[axis] = number(value)?,
                Item::Operator => push(&mut symmetry.operators, text.to_owned())
                    .ok_or_else(|| (line, "no memory for more operators".to_owned()))?,
                Item::Hall => symmetry.hall = Some(text.to_owned()),
                Item::Name => symmetry.name = Some(text.to_owned()),
                Item::Number => {
                    let number = text.parse().map_err(|_| (line, not_a_group(text)))?;
                    symmetry.number = Some(number);
                }
                Item::WavelengthId => id = Some(text.to_owned()),
                Item::Wavelength => wavelength = number(value)?.filter(|&wavelength| wavelength > 0.0),
            }
        }
        match wavelength {
            Some(wavelength) => push(&mut self.wavelengths, (id, wavelength))
                .ok_or_else(|| (line, "no memory for more wavelengths".to_owned())),
            None => Ok(()),
        }
    }

    /// The cell, as it is stated; `None` where one of its numbers is missing.
    pub fn cell(&self) -> Option<Cell> {
        let [a, b, c, alpha, beta, gamma] = self.cell;
        Some(Cell::from([a?, b?, c?, alpha?, beta?, gamma?]))
    }

    /// Takes cell and symmetry, where this block lacks them, from another one.
    pub fn complete(&mut self, other: Self) {
        if self.cell().is_none() {
            self.cell = other.cell;
        }
        if self.symmetry == StatedSymmetry::default() {
            self.symmetry = other.symmetry;
        }
    }

    /// The wavelength in Å with an identifier, or the only one.
    pub fn wavelength_angstrom(&self, id: Option<&str>) -> Option<f64> {
        let of_id = self.wavelengths.iter().find(|(known, _)| known.is_some() && known.as_deref() == id);
        match *self.wavelengths {
            [(_, only)] => Some(only),
            _ => of_id.map(|&(_, wavelength)| wavelength),
        }
    }
}

fn number(value: Value<'_>) -> Result<Option<f64>, (u64, String)> {
    value.number().map_err(|what| (value.line(), what))
}

fn not_a_group(text: &str) -> String {
    format!("{} is not the number of a space group", shown(text.as_bytes()))
}
