//! Models in CIF: mmCIF of the PDB (`_atom_site.Cartn_x`) and small-molecule CIF (`_atom_site_fract_x`).
//!
//! The two name the same items with a point or an underscore after the category. They differ in what an occupancy
//! means on a special position (the share of one image in mmCIF, that of the whole site in small-molecule CIF) and in
//! the axes of anisotropic U (orthogonal in mmCIF; a* a, b* b, c* c in small-molecule CIF). B is 8 pi^2 U.
//!
//! The first block with atoms counts. Cell and symmetry that it lacks come from the first block that has them. Atoms
//! without a place, and dummies (`_atom_site_calc_flag dum`), are left out; a missing occupancy is 1.

use core::f64::consts::PI;
use std::collections::HashMap;
use std::io::BufRead;
use std::path::Path;

use widebragg_coordinates::elements::Element;
use widebragg_coordinates::model::{Displacement, Model};

use super::{Draft, Place, Site, Smearing};
use crate::cif::{CifReader, Event, Row, Value};
use crate::cif_crystal::{CrystalItems, without_dot};
use crate::failure::Failure;
use crate::memory::push;
use crate::text::{at_line, in_file, shown};

/// From U to B.
const B_PER_U: f64 = 8.0 * PI * PI;

pub(super) fn parse(input: &mut dyn BufRead, path: &Path) -> Result<Model, Failure> {
    let mut reader = CifReader::new(input, path);
    let mut blocks = Blocks::default();
    let mut columns = Columns::default();
    while let Some(event) = reader.next_event()? {
        match event {
            Event::Block(_) => blocks.begin(),
            Event::Table(tags) => {
                let plain: Vec<String> = tags.iter().map(|tag| without_dot(tag)).collect();
                blocks.header.crystal.table(&plain);
                let is_mmcif = tags.iter().any(|tag| tag.starts_with("_atom_site") && tag.contains('.'));
                columns = Columns::of(&plain, is_mmcif);
            }
            Event::Row(row) => blocks.read(&columns, &row, path)?,
        }
    }
    blocks.finish(path)
}

/// What the columns of a table hold, in the order of the table; `None` for what is not read.
#[derive(Debug, Default)]
struct Columns {
    meanings: Vec<Option<Meaning>>,
    /// Whether the category is set off by a point, as in mmCIF.
    is_mmcif: bool,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Row and column of the matrix from Å to fractions.
    ToFractions(usize, usize),
    AtomId,
    AtomSymbol,
    ModelNumber,
    CalculationFlag,
    Orthogonal(usize),
    Fractional(usize),
    Occupancy,
    IsotropicB,
    IsotropicU,
    AnisotropyId,
    AnisotropicU(usize),
    AnisotropicB(usize),
}

impl Columns {
    /// The columns of tags without dot.
    fn of(tags: &[String], is_mmcif: bool) -> Self {
        Self { meanings: tags.iter().map(|tag| Meaning::of(tag, is_mmcif)).collect(), is_mmcif }
    }

    fn value<'r>(&self, row: &Row<'r>, meaning: Meaning) -> Option<Value<'r>> {
        row.value(self.meanings.iter().position(|column| *column == Some(meaning))?)
    }

    fn known<'r>(&self, row: &Row<'r>, meaning: Meaning) -> Option<&'r str> {
        self.value(row, meaning)?.known()
    }

    fn has(&self, wanted: impl Fn(Meaning) -> bool) -> bool {
        self.meanings.iter().flatten().any(|&meaning| wanted(meaning))
    }
}

impl Meaning {
    /// The meaning of a tag in lower case, with an underscore after its category.
    fn of(tag: &str, is_mmcif: bool) -> Option<Self> {
        let axis = |name: &str, names: [&str; 3]| names.iter().position(|known| *known == name);
        if let Some(name) = tag.strip_prefix("_atom_sites_fract_transf_matrix[") {
            let (row, column) = name.strip_suffix(']')?.split_once("][")?;
            let number = |name: &str| axis(name, ["1", "2", "3"]);
            return Some(Self::ToFractions(number(row)?, number(column)?));
        }
        if let Some(name) = tag.strip_prefix("_atom_site_anisotrop_") {
            return if name == "id" { Some(Self::AnisotropyId) } else { Self::anisotropy(name) };
        }
        if let Some(name) = tag.strip_prefix("_atom_site_aniso_") {
            return if name == "label" { Some(Self::AnisotropyId) } else { Self::anisotropy(name) };
        }
        if let Some(name) = tag.strip_prefix("_atom_site_cartn_") {
            return axis(name, ["x", "y", "z"]).map(Self::Orthogonal);
        }
        if let Some(name) = tag.strip_prefix("_atom_site_fract_") {
            return axis(name, ["x", "y", "z"]).map(Self::Fractional);
        }
        match tag {
            "_atom_site_id" if is_mmcif => Some(Self::AtomId),
            "_atom_site_label" if !is_mmcif => Some(Self::AtomId),
            "_atom_site_type_symbol" => Some(Self::AtomSymbol),
            "_atom_site_pdbx_pdb_model_num" => Some(Self::ModelNumber),
            "_atom_site_calc_flag" => Some(Self::CalculationFlag),
            "_atom_site_occupancy" => Some(Self::Occupancy),
            "_atom_site_b_iso_or_equiv" => Some(Self::IsotropicB),
            "_atom_site_u_iso_or_equiv" => Some(Self::IsotropicU),
            _ => None,
        }
    }

    /// `u[1][2]`, `u_12`, `b_12`.
    fn anisotropy(name: &str) -> Option<Self> {
        let is_digit = |c: &char| c.is_ascii_digit();
        let indices: String = name.chars().filter(is_digit).collect();
        let place = ["11", "22", "33", "12", "13", "23"].iter().position(|known| *known == indices)?;
        // Not the uncertainties, `u[1][2]_esd`.
        match name.trim_end_matches(|c: char| c.is_ascii_digit() || "[]_".contains(c)) {
            "u" => Some(Self::AnisotropicU(place)),
            "b" => Some(Self::AnisotropicB(place)),
            _ => None,
        }
    }
}

/// What one block states of the crystal.
#[derive(Debug, Default)]
struct Header {
    crystal: CrystalItems,
    to_fractions: [[Option<f64>; 3]; 3],
}

/// What the blocks state.
#[derive(Debug, Default)]
struct Blocks {
    /// The current block.
    header: Header,
    /// The first block with atoms, or the blocks before it as far as they state what it lacks.
    chosen: Header,
    is_chosen: bool,
    /// The current block has the atoms.
    has_atoms: bool,
    draft: Draft,
    ids: Vec<String>,
    anisotropies: HashMap<String, Smearing>,
    model: Option<String>,
    other_models: usize,
    without_place: usize,
    without_smearing: usize,
}

impl Blocks {
    fn begin(&mut self) {
        let header = core::mem::take(&mut self.header);
        if self.has_atoms {
            let other = core::mem::replace(&mut self.chosen, header);
            self.chosen.complete(other);
            self.has_atoms = false;
            self.is_chosen = true;
        } else {
            self.chosen.complete(header);
            if !self.is_chosen {
                self.anisotropies.clear();
            }
        }
    }

    fn read(&mut self, columns: &Columns, row: &Row<'_>, path: &Path) -> Result<(), Failure> {
        self.header.read(columns, row, path)?;
        if self.is_chosen {
            return Ok(());
        }
        let is_place = |meaning| matches!(meaning, Meaning::Orthogonal(_) | Meaning::Fractional(_));
        if columns.has(is_place) {
            self.has_atoms = true;
            self.read_atom(columns, row, path)?;
        }
        if columns.has(|meaning| matches!(meaning, Meaning::AnisotropicU(_) | Meaning::AnisotropicB(_))) {
            self.read_anisotropy(columns, row, path)?;
        }
        Ok(())
    }

    fn read_atom(&mut self, columns: &Columns, row: &Row<'_>, path: &Path) -> Result<(), Failure> {
        let no_memory = || in_file(path, "no memory for more atoms");
        self.draft.full_sites = !columns.is_mmcif;
        if let Some(model) = columns.known(row, Meaning::ModelNumber) {
            if self.model.as_deref().is_some_and(|first| first != model) {
                self.other_models += 1;
                return Ok(());
            }
            self.model.get_or_insert_with(|| model.to_owned());
        }
        if columns.known(row, Meaning::CalculationFlag) == Some("dum") {
            return Ok(());
        }
        let number = |meaning| number(columns, row, meaning, path);
        let place = |of: fn(usize) -> Meaning| -> Result<Option<[f64; 3]>, Failure> {
            let [x, y, z] = [number(of(0))?, number(of(1))?, number(of(2))?];
            Ok(x.zip(y).zip(z).map(|((x, y), z)| [x, y, z]))
        };
        let place = match place(Meaning::Orthogonal)? {
            Some(place) => Some(Place::Orthogonal(place)),
            None => place(Meaning::Fractional)?.map(Place::Fractional),
        };
        let Some(place) = place else {
            self.without_place += 1;
            return Ok(());
        };
        let element = element(columns, row, path)?;
        let occupancy = number(Meaning::Occupancy)?.unwrap_or(1.0);
        let b = match number(Meaning::IsotropicB)? {
            Some(b) => Some(b),
            None => number(Meaning::IsotropicU)?.map(|u| B_PER_U * u),
        };
        // The isotropic equivalent of an anisotropic atom is replaced, so what is missing is counted at the end.
        let smearing = Smearing::Known(Displacement::Isotropic(b.unwrap_or(f64::NAN)));
        push(&mut self.draft.sites, Site { element, place, occupancy, smearing }).ok_or_else(no_memory)?;
        let id = columns.known(row, Meaning::AtomId).unwrap_or_default().to_owned();
        push(&mut self.ids, id).ok_or_else(no_memory)
    }

    fn read_anisotropy(&mut self, columns: &Columns, row: &Row<'_>, path: &Path) -> Result<(), Failure> {
        // In the table of the atoms, where some files have it, the identifier is the atom's.
        let id = columns.known(row, Meaning::AnisotropyId).or_else(|| columns.known(row, Meaning::AtomId));
        let mut u = [0.0; 6];
        for (i, u) in u.iter_mut().enumerate() {
            let value = match number(columns, row, Meaning::AnisotropicU(i), path)? {
                Some(u) => Some(u),
                None => number(columns, row, Meaning::AnisotropicB(i), path)?.map(|b| b / B_PER_U),
            };
            // An isotropic atom may be listed without values.
            let Some(value) = value else { return Ok(()) };
            *u = value;
        }
        let smearing = if columns.is_mmcif {
            Smearing::Known(Displacement::Anisotropic(u))
        } else {
            Smearing::Reciprocal(u)
        };
        if let Some(id) = id {
            self.anisotropies.insert(id.to_owned(), smearing);
        }
        Ok(())
    }

    fn finish(mut self, path: &Path) -> Result<Model, Failure> {
        // Ends the last block.
        self.begin();
        for (site, id) in self.draft.sites.iter_mut().zip(&self.ids) {
            if let Some(smearing) = self.anisotropies.get(id) {
                site.smearing = *smearing;
            } else if matches!(site.smearing, Smearing::Known(Displacement::Isotropic(b)) if b.is_nan()) {
                site.smearing = Smearing::Known(Displacement::Isotropic(0.0));
                self.without_smearing += 1;
            }
        }
        let Header { crystal, to_fractions } = self.chosen;
        let mut draft = self.draft;
        draft.cell = crystal.cell();
        draft.symmetry = crystal.symmetry;
        draft.to_fractions = all(to_fractions.map(all));
        for (count, what) in [
            (self.other_models, "atoms of further models are left out"),
            (self.without_place, "atoms without a place are left out"),
            (self.without_smearing, "atoms without B and U, which is taken for 0"),
        ] {
            if count > 0 {
                draft.warnings.push(format!("{what}: {count}"));
            }
        }
        draft.finish(path)
    }
}

impl Header {
    fn read(&mut self, columns: &Columns, row: &Row<'_>, path: &Path) -> Result<(), Failure> {
        self.crystal.row(*row).map_err(|(line, what)| at_line(path, line, what))?;
        for (column, meaning) in columns.meanings.iter().enumerate() {
            let (Some(Meaning::ToFractions(i, j)), Some(value)) = (meaning, row.value(column)) else {
                continue;
            };
            if let Some(entry) = value.number().map_err(|what| at_line(path, value.line(), what))? {
                self.to_fractions[*i][*j] = Some(entry);
            }
        }
        Ok(())
    }

    /// Takes what this block lacks from an earlier or later one.
    fn complete(&mut self, other: Self) {
        self.crystal.complete(other.crystal);
        if all(self.to_fractions.map(all)).is_none() {
            self.to_fractions = other.to_fractions;
        }
    }
}

/// All three, or none.
fn all<T: Copy>([a, b, c]: [Option<T>; 3]) -> Option<[T; 3]> {
    Some([a?, b?, c?])
}

fn number(columns: &Columns, row: &Row<'_>, meaning: Meaning, path: &Path) -> Result<Option<f64>, Failure> {
    let Some(value) = columns.value(row, meaning) else { return Ok(None) };
    value.number().map_err(|what| at_line(path, value.line(), what))
}

/// The element: the letters that the type begins with (`Fe3+`), or those of the label (`FE1`, `OW`) where no type is
/// given.
fn element(columns: &Columns, row: &Row<'_>, path: &Path) -> Result<Element, Failure> {
    let symbol = columns.value(row, Meaning::AtomSymbol).filter(|value| value.known().is_some());
    let label = columns.value(row, Meaning::AtomId);
    let letters = |value: Option<Value<'_>>| -> String {
        let text = value.and_then(|value| value.known()).unwrap_or_default();
        text.chars().take_while(char::is_ascii_alphabetic).collect()
    };
    let found = if symbol.is_some() {
        Element::from_symbol(&letters(symbol))
    } else {
        let letters = letters(label);
        let first = letters.get(..1).unwrap_or_default();
        Element::from_symbol(&letters).or_else(|| Element::from_symbol(first))
    };
    let line = row.value(0).map_or(0, |value| value.line());
    found.ok_or_else(|| {
        let text = symbol.or(label).and_then(|value| value.known()).unwrap_or_default();
        at_line(path, line, format!("the element {} is not known", shown(text.as_bytes())))
    })
}

#[cfg(test)]
mod tests {
    use widebragg_coordinates::matrix::{congruent, norm};

    use super::*;
    use crate::coordinates::parse_model;

    fn read(text: &str) -> Result<Model, String> {
        parse_model(text.as_bytes(), Path::new("a.cif")).map_err(|failure| failure.to_string())
    }

    const SMALL: &str = "data_x
_cell_length_a 10.0(1)
_cell_length_b 12
_cell_length_c 14
_cell_angle_alpha 90
_cell_angle_beta 105.5(3)
_cell_angle_gamma 90
_space_group_name_H-M_alt 'P 1 21/c 1'
_space_group_IT_number 14
loop_
_space_group_symop_operation_xyz
'x, y, z'
'-x, y+1/2, -z+1/2'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_U_iso_or_equiv
_atom_site_calc_flag
Fe1 Fe3+ 0.5 0.25(1) 0 0.03(1) .
C1 C 0.1 0.2 0.3 0.02 d
H1 ? . . . . .
OW ? 0.1 0.1 0.1 ? d
X1 ? 0 0 0 ? dum
loop_
_atom_site_aniso_label
_atom_site_aniso_U_11
_atom_site_aniso_U_22
_atom_site_aniso_U_33
_atom_site_aniso_U_12
_atom_site_aniso_U_13
_atom_site_aniso_U_23
Fe1 0.03(1) 0.03 0.03 0 0 0
C1 ? ? ? ? ? ?
";

    #[test]
    fn a_small_molecule_has_fractions_full_sites_and_u_by_reciprocal_axes() {
        let model = read(SMALL).unwrap();
        assert!(model.full_sites);
        assert_eq!(model.cell.angles_deg, [90.0, 105.5, 90.0]);
        assert_eq!(model.symmetry.operators, ["x, y, z", "-x, y+1/2, -z+1/2"]);
        let (name, number) = (model.symmetry.name.as_deref(), model.symmetry.number);
        assert_eq!((name, number), (Some("P 1 21/c 1"), Some(14)));
        let elements: Vec<&str> = model.atoms.iter().map(|atom| atom.element.symbol()).collect();
        assert_eq!(elements, ["Fe", "C", "O"]);
        assert_eq!(model.atoms[0].fractional, [0.5, 0.25, 0.0]);
        assert_eq!(model.atoms[1].displacement, Displacement::Isotropic(B_PER_U * 0.02));
        assert_eq!(model.atoms[2].displacement, Displacement::Isotropic(0.0));
        assert_eq!(
            model.warnings,
            ["atoms without a place are left out: 1", "atoms without B and U, which is taken for 0: 1"]
        );
        // T = exp(-2 pi^2 sum of U_ij h_i a*_i h_j a*_j), with the cosine of the reciprocal angle left out.
        let Displacement::Anisotropic(u) = model.atoms[0].displacement else { panic!("isotropic") };
        let fractional = model.cell.fractional();
        let u_star = congruent(&fractional, u);
        let [a, b, c] = fractional.map(norm);
        for (found, expected) in u_star.iter().zip([a * a, b * b, c * c, 0.0, 0.0, 0.0]) {
            assert!((found - 0.03 * expected).abs() < 1e-17, "{u_star:?}");
        }
    }

    #[test]
    fn an_mmcif_has_shares_of_sites_models_and_orthogonal_u() {
        let head = "data_1abc\n_cell.length_a 20\n_cell.length_b 30\n_cell.length_c 40\n_cell.angle_alpha 90\n\
                    _cell.angle_beta 90\n_cell.angle_gamma 90\n_symmetry.space_group_name_H-M 'P 21 21 21'\n";
        let atoms = "loop_\n_atom_site.id\n_atom_site.type_symbol\n_atom_site.Cartn_x\n_atom_site.Cartn_y\n\
                     _atom_site.Cartn_z\n_atom_site.occupancy\n_atom_site.B_iso_or_equiv\n\
                     _atom_site.pdbx_PDB_model_num\n1 FE 5 6 4 0.5 20 1\n2 C 0 0 0 1 30 1\n2 C 0 0 0 1 30 2\n";
        let anisotropy = "loop_\n_atom_site_anisotrop.id\n_atom_site_anisotrop.U[1][1]\n\
                          _atom_site_anisotrop.U[2][2]\n_atom_site_anisotrop.U[3][3]\n\
                          _atom_site_anisotrop.U[1][2]\n_atom_site_anisotrop.U[1][3]\n\
                          _atom_site_anisotrop.U[2][3]\n_atom_site_anisotrop.U[1][1]_esd\n\
                          2 0.1 0.2 0.3 0.01 0.02 0.03 9\n";
        // Anisotropies may stand before the atoms, and the cell in another block.
        for text in [
            format!("{head}{atoms}{anisotropy}"),
            format!("{head}{anisotropy}{atoms}"),
            format!("{head}data_2\n{anisotropy}{atoms}"),
            format!("data_2\n{atoms}{anisotropy}{head}"),
            format!("{head}{atoms}{anisotropy}data_2\n{}", atoms.replace("FE", "ZN")),
        ] {
            let model = read(&text).unwrap();
            assert!(!model.full_sites);
            assert_eq!(model.atoms.len(), 2);
            assert_eq!(model.atoms[0].element.symbol(), "Fe");
            let place = model.atoms[0].fractional;
            assert!(place.iter().zip([0.25, 0.2, 0.1]).all(|(x, y)| (x - y).abs() < 1e-15), "{place:?}");
            let u = [0.1, 0.2, 0.3, 0.01, 0.02, 0.03];
            assert_eq!(model.atoms[1].displacement, Displacement::Anisotropic(u));
            assert_eq!(model.symmetry.name.as_deref(), Some("P 21 21 21"));
            assert_eq!(model.warnings, ["atoms of further models are left out: 1"]);
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_line() {
        let refused = |from: &str, to: &str| read(&SMALL.replace(from, to)).unwrap_err();
        assert_eq!(refused("Fe3+", "Qq"), "a.cif:22: the element \"Qq\" is not known");
        assert_eq!(refused("0.5 0.25(1)", "nan 0.25"), "a.cif:22: \"nan\" is not a finite number");
        assert_eq!(refused("0.03(1) 0.03 0.03", "inf 0.03 0.03"), "a.cif:35: \"inf\" is not a finite number");
        assert!(refused("_cell_length_b 12", "_cell_length_b ?").contains("no unit cell"));
        assert!(refused("_cell_angle_beta 105.5(3)", "_cell_angle_beta 190").contains("is no unit cell"));
        assert_eq!(read("data_x\n_cell_length_a 3\n").unwrap_err(), "a.cif: no atoms in it");
        assert_eq!(
            read("loop_\n_a\n1\n").unwrap_err(),
            "a.cif:1: the file does not begin with a data_ heading"
        );
    }
}
