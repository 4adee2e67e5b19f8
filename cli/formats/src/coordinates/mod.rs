//! Atomic models: PDB files, mmCIF and small-molecule CIF, told apart by their content; and scans of f', f''.
//!
//! Of several models the first counts, of alternate conformations all. Atoms keep their occupancies as stated;
//! [`Model::full_sites`] says what these mean on special positions.
//!
//! ```
//! use std::path::Path;
//! use widebragg_formats::coordinates::parse_model;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = "\
//! CRYST1   38.400   38.400   45.100  90.00  90.00 120.00 P 32 2 1
//! ATOM     28 FE   UNK A  28       3.069  11.714   9.164  0.50 41.96          FE
//! ";
//! let model = parse_model(text.as_bytes(), Path::new("iron.pdb"))?;
//! assert_eq!(model.atoms[0].element.symbol(), "Fe");
//! assert_eq!(model.atoms[0].occupancy, 0.5);
//! assert_eq!(model.symmetry.name.as_deref(), Some("P 32 2 1"));
//! # Ok(())
//! # }
//! ```

mod mmcif;
mod pdb;
mod scan;

use std::io::{BufReader, Read};
use std::path::Path;

use widebragg_coordinates::elements::Element;
use widebragg_coordinates::matrix::{congruent, norm, times};
use widebragg_coordinates::model::{Atom, Displacement, Model};
use widebragg_reflections::cell::{Cell, Matrix};
use widebragg_reflections::symmetry::StatedSymmetry;

use crate::cif;
use crate::failure::Failure;
use crate::kind::explained;
use crate::memory::{PIECE_BYTES, Watched, reserved};
use crate::text::{cannot_read, in_file, open};
use crate::unpack::Unpacked;

pub use scan::{parse_scan, read_scan};

/// Reads a model, from a gzip archive as well.
///
/// # Errors
/// The file cannot be read or is cut; it has no cell, no atoms, or the cell of 1 x 1 x 1 Å that stands for no
/// crystal; or a line has an unknown element, or a number that is missing or not finite.
pub fn read_model(path: &Path) -> Result<Model, Failure> {
    parse_model(open(path)?, path)
}

/// [`read_model`] from a stream; `path` is its name in error messages.
///
/// # Errors
/// As [`read_model`].
pub fn parse_model(mut input: impl Read, path: &Path) -> Result<Model, Failure> {
    let mut input = Unpacked::new(&mut input, path)?;
    let model = parse_unpacked(&mut input, path)?;
    input.check_end(path)?;
    Ok(model)
}

/// [`parse_model`] of a stream that has been unpacked.
pub(crate) fn parse_unpacked(input: &mut Unpacked<'_>, path: &Path) -> Result<Model, Failure> {
    let (is_cif, is_pdb) = (cif::begins(input.start()), is_pdb(input.start()));
    let mut input = BufReader::with_capacity(PIECE_BYTES, Watched(input));
    if is_cif {
        return mmcif::parse(&mut input, path);
    }
    let model = pdb::parse(&mut input, path);
    if is_pdb {
        return model;
    }
    model.map_err(explained(path, "a PDB file or a CIF file of a model"))
}

/// Whether a stream holds a model, as its lines say: a PDB file, or a CIF with a table of atoms before any of
/// reflections. What is read to tell is kept in the stream.
///
/// # Errors
/// The stream cannot be read, or the part of a CIF before its first such table does not fit into the memory.
pub(crate) fn holds_model(input: &mut Unpacked<'_>, path: &Path) -> Result<bool, Failure> {
    if !cif::begins(input.start()) {
        return Ok(is_pdb(input.start()));
    }
    let mut searched = 0;
    loop {
        if let Some(is_model) = first_table(input.start(), searched) {
            return Ok(is_model);
        }
        // A tag may lie across the end of what is there.
        searched = input.start().len().saturating_sub(LONGEST_TAG_BYTES);
        if !input.look_ahead().map_err(|error| cannot_read(path, &error))? {
            return Ok(false);
        }
    }
}

/// Begins of the tags of tables of atoms, and of reflections.
const TABLES: [(&[u8], bool); 4] =
    [(b"_atom_site.", true), (b"_atom_site_", true), (b"_refln.", false), (b"_refln_", false)];

/// The longest of [`TABLES`], and the blank before it.
const LONGEST_TAG_BYTES: usize = 12;

/// Whether the first tag of [`TABLES`] at or after `from` is one of atoms; `None` where there is none.
fn first_table(text: &[u8], from: usize) -> Option<bool> {
    (from..text.len()).find_map(|at| {
        let begins_word = at == 0 || text[at - 1].is_ascii_whitespace();
        if text[at] != b'_' || !begins_word {
            return None;
        }
        let begins =
            |tag: &[u8]| text.get(at..at + tag.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(tag));
        TABLES.iter().find(|(tag, _)| begins(tag)).map(|&(_, is_model)| is_model)
    })
}

/// Whether the records of a PDB file are there.
fn is_pdb(start: &[u8]) -> bool {
    let mut lines = start.split(|&byte| byte == b'\n');
    let records: [&[u8]; 3] = [b"CRYST1", b"ATOM  ", b"HETATM"];
    start.starts_with(b"HEADER ") || lines.any(|line| records.iter().any(|record| line.starts_with(record)))
}

/// Where an atom is.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// In Å, in the orthogonal frame.
    Orthogonal([f64; 3]),
    /// In fractions of the cell.
    Fractional([f64; 3]),
}

/// How an atom is smeared.
#[derive(Debug, Clone, Copy)]
enum Smearing {
    /// As the model has it.
    Known(Displacement),
    /// U in Å^2 with respect to a* a, b* b, c* c, as small-molecule CIFs state it, in the order of
    /// [`Displacement::Anisotropic`].
    Reciprocal([f64; 6]),
}

/// An atom before the cell is known.
#[derive(Debug, Clone, Copy)]
struct Site {
    element: Element,
    place: Place,
    occupancy: f64,
    smearing: Smearing,
}

/// What a file states of a crystal.
#[derive(Debug, Default)]
struct Draft {
    cell: Option<Cell>,
    symmetry: StatedSymmetry,
    /// The matrix from Å to fractions, where the file has one.
    to_fractions: Option<Matrix>,
    sites: Vec<Site>,
    full_sites: bool,
    warnings: Vec<String>,
}

impl Draft {
    fn finish(self, path: &Path) -> Result<Model, Failure> {
        if self.sites.is_empty() {
            return Err(in_file(path, "no atoms in it"));
        }
        let Some(cell) = self.cell else {
            return Err(in_file(path, "no unit cell in it (CRYST1, or _cell items in a CIF)"));
        };
        if cell.lengths_angstrom.iter().all(|&length| length <= 1.0) {
            return Err(in_file(
                path,
                "its unit cell is the dummy of 1 x 1 x 1 Angstrom: the model is not of a crystal (NMR, electron microscopy)",
            ));
        }
        if !cell.is_possible() {
            return Err(in_file(path, format!("{cell} is no unit cell")));
        }
        let (orthogonal, fractional) = (cell.orthogonal(), cell.fractional());
        if self.to_fractions.is_some_and(|stated| contradicts(&fractional, &stated)) {
            return Err(in_file(
                path,
                "its matrix from Angstrom to fractions (SCALE) contradicts its unit cell; only the standard frame is \
                 read: a along x, b in the plane of x and y",
            ));
        }
        let mut atoms = reserved(self.sites.len()).ok_or_else(|| in_file(path, "no memory for its atoms"))?;
        atoms.extend(self.sites.iter().map(|site| site.atom(&orthogonal, &fractional)));
        let Self { symmetry, full_sites, warnings, .. } = self;
        Ok(Model { cell, symmetry, atoms, full_sites, warnings })
    }
}

impl Site {
    fn atom(&self, orthogonal: &Matrix, fractional: &Matrix) -> Atom {
        let place = match self.place {
            Place::Orthogonal(place) => times(fractional, place),
            Place::Fractional(place) => place,
        };
        let displacement = match self.smearing {
            Smearing::Known(displacement) => displacement,
            Smearing::Reciprocal([xx, yy, zz, xy, xz, yz]) => {
                let [a, b, c] = fractional.map(norm);
                let u_star = [a * a * xx, b * b * yy, c * c * zz, a * b * xy, a * c * xz, b * c * yz];
                Displacement::Anisotropic(congruent(orthogonal, u_star))
            }
        };
        Atom { element: self.element, fractional: place, occupancy: self.occupancy, displacement }
    }
}

/// Whether a matrix is of another frame than ours; both come from rounded numbers.
fn contradicts(ours: &Matrix, stated: &Matrix) -> bool {
    let largest = ours.iter().flatten().fold(0.0, |largest: f64, entry| largest.max(entry.abs()));
    let bound = 2e-6 + 2e-3 * largest;
    ours.iter().flatten().zip(stated.iter().flatten()).any(|(ours, stated)| (ours - stated).abs() > bound)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// Gives one byte at a time, as a slow pipe may.
    struct Drops<'a>(&'a [u8]);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let piece = buffer.len().min(1);
            self.0.read(&mut buffer[..piece])
        }
    }

    #[test]
    fn models_do_not_depend_on_how_their_bytes_arrive() {
        let cif = "data_a\n_cell_length_a 9\n_cell_length_b 9\n_cell_length_c 9\n_cell_angle_alpha 90\n\
                   _cell_angle_beta 90\n_cell_angle_gamma 90\n_atom_site_label C1\n_atom_site_fract_x 0.1\n\
                   _atom_site_fract_y 0.2\n_atom_site_fract_z 0.3\n";
        let pdb = "CRYST1    9.000    9.000    9.000  90.00  90.00  90.00 P 1\n\
                   ATOM      1  C   UNK A   1       0.900   1.800   2.700  1.00  0.00           C\n";
        for text in [cif, pdb] {
            let whole = parse_model(text.as_bytes(), Path::new("a")).unwrap();
            assert_eq!(parse_model(Drops(text.as_bytes()), Path::new("a")).unwrap(), whole);
            assert_eq!(whole.atoms.len(), 1);
        }
    }

    #[test]
    fn archives_hold_models() {
        let pdb = "CRYST1    9.000    9.000    9.000  90.00  90.00  90.00 P 1\n\
                   ATOM      1  C   UNK A   1       0.900   1.800   2.700  1.00  0.00           C\n";
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(pdb.as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        let model = parse_model(pdb.as_bytes(), Path::new("a")).unwrap();
        assert_eq!(parse_model(&packed[..], Path::new("a")).unwrap(), model);
        for cut in 1..packed.len() {
            assert!(parse_model(&packed[..cut], Path::new("a")).is_err(), "{cut}");
        }
    }

    #[test]
    fn models_are_told_from_reflections() {
        let holds = |text: &str| {
            let mut bytes = text.as_bytes();
            let mut input = Unpacked::new(&mut bytes, Path::new("a")).unwrap();
            let is_model = holds_model(&mut input, Path::new("a")).unwrap();
            let mut kept = String::new();
            input.read_to_string(&mut kept).unwrap();
            assert_eq!(kept, text);
            is_model
        };
        assert!(holds("HEADER    HYDROLASE\n"));
        assert!(holds("REMARK   3\nCRYST1   31.2\n") && holds("HETATM    1 FE"));
        assert!(!holds("REMARK sg=P2\n INDE 1 2 3 FOBS 4\n") && !holds("1 2 3 4\n") && !holds(""));
        assert!(
            holds("data_a\nloop_\n_ATOM_SITE.id\n_refln.index_h\n") && holds("data_a _atom_site_label C1")
        );
        assert!(!holds("data_a\nloop_\n_refln_index_h\n_atom_site_label\n"));
        assert!(!holds(
            "data_a\n_reflns.d_resolution_high 2\n_atom_sites.entry_id a\n'_refln.'\n_x_atom_site.id\n"
        ));
        // Beyond the first bytes, with the tag across the end of each block.
        for blanks in (1 << 16) - 20..(1 << 16) + 3 {
            let head = format!("data_a\n{}", " ".repeat(blanks));
            assert!(holds(&format!("{head}_atom_site.id\n")), "{blanks}");
            assert!(!holds(&format!("{head}_refln.index_h\n")), "{blanks}");
        }
    }

    #[test]
    fn formats_are_told_by_their_content() {
        for start in
            ["data_x\n", "# a comment\n\n  DATA_x\n", "loop_\n", "_cell.length_a 3\n", "\u{feff}data_\n"]
        {
            assert!(cif::begins(start.as_bytes()), "{start}");
        }
        for start in ["", "CRYST1 ", "HEADER    data_", "ATOM  ", "#\n"] {
            assert!(!cif::begins(start.as_bytes()), "{start}");
        }
    }
}
