//! Formats of reflections, and how they are recognised by their first bytes.

use super::{cns, crystfel, scalepack, xds};
use crate::cif;
use crate::kind::kind_of;

/// A format of reflections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// MTZ, the binary format of CCP4.
    Mtz,
    /// mmCIF, CIF and FCF.
    Cif,
    /// XDS_ASCII.HKL and INTEGRATE.HKL of XDS.
    Xds,
    /// Reflection lists of CrystFEL.
    CrystFel,
    /// Merged scalepack files of HKL-2000.
    Scalepack,
    /// CNS and X-PLOR.
    Cns,
    /// SHELX HKLF 3: amplitudes in fixed columns. Only a user can tell it from other text.
    Hklf3,
    /// SHELX HKLF 4: intensities in fixed columns. Only a user can tell it from other text.
    Hklf4,
    /// Lines of h k l F.
    Text,
}

impl Format {
    /// All formats, in the order of the help.
    pub const ALL: [Self; 9] = [
        Self::Mtz,
        Self::Cif,
        Self::Xds,
        Self::CrystFel,
        Self::Scalepack,
        Self::Cns,
        Self::Hklf3,
        Self::Hklf4,
        Self::Text,
    ];

    /// Its name in options.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mtz => "mtz",
            Self::Cif => "cif",
            Self::Xds => "xds",
            Self::CrystFel => "crystfel",
            Self::Scalepack => "scalepack",
            Self::Cns => "cns",
            Self::Hklf3 => "hklf3",
            Self::Hklf4 => "hklf4",
            Self::Text => "text",
        }
    }

    /// The format that has a name in options, upper or lower case.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name().eq_ignore_ascii_case(name))
    }

    /// The format of a file that begins with `start`: text, where it is no other.
    ///
    /// # Errors
    /// The file is of a kind that has no reflections here: what it is, and what to do with it (empty where nothing
    /// helps).
    pub fn recognised(start: &[u8]) -> Result<Self, (&'static str, &'static str)> {
        if start.starts_with(b"MTZ ") {
            return Ok(Self::Mtz);
        }
        let found = [
            (Self::Cif, cif::begins as fn(&[u8]) -> bool),
            (Self::Xds, xds::begins),
            (Self::CrystFel, crystfel::begins),
            (Self::Scalepack, scalepack::begins),
        ]
        .into_iter()
        .find(|(_, begins)| begins(start));
        if let Some((format, _)) = found {
            return Ok(format);
        }
        match kind_of(start) {
            // A heading after other text: the reader of CIF says what is wrong.
            Some(("a CIF file", _)) => Ok(Self::Cif),
            Some(kind) => Err(kind),
            None if cns::begins(start) => Ok(Self::Cns),
            None => Ok(Self::Text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_recognised_by_their_first_bytes() {
        for (start, format) in [
            ("MTZ \0", Format::Mtz),
            ("\u{feff}data_r1abcsf\n", Format::Cif),
            ("# a\n\n  # b\n DATA_x", Format::Cif),
            ("loop_\n_refln.index_h\n", Format::Cif),
            ("_cell.length_a 1\n", Format::Cif),
            ("words\ndata_x\n_cell.length_a 1\n", Format::Cif),
            ("!FORMAT=XDS_ASCII    MERGE=TRUE\n", Format::Xds),
            ("!OUTPUT_FILE=INTEGRATE.HKL\n", Format::Xds),
            ("CrystFEL reflection list version 2.0\n", Format::CrystFel),
            ("    1\n -987\n  31.2", Format::Scalepack),
            ("{ a comment }\n NREF=3", Format::Cns),
            ("nreflections= 3\n", Format::Cns),
            (" INDE 1 2 3 FOBS= 4", Format::Cns),
            ("REMARK sg=P2", Format::Cns),
            ("1 2 3 4\n", Format::Text),
            ("    1\n 1 0 0 5\n", Format::Text),
            ("# data_\n1 2 3 4\n", Format::Text),
            ("_ 1 2 3", Format::Text),
            ("", Format::Text),
        ] {
            assert_eq!(Format::recognised(start.as_bytes()), Ok(format), "{start:?}");
        }
        for (start, kind) in [
            (&b"BZh9"[..], "a bzip2 archive"),
            (b"\xfd7zXZ\0", "an xz archive"),
            (b"\x1f\x9d\x90", "a compress archive"),
            (b"\x1f\x8b\x08", "a gzip archive"),
            (b"{\nHEADER_BYTES=512;\n", "an SMV image"),
            (b"CRYST1   31.2", "a PDB file"),
        ] {
            assert_eq!(Format::recognised(start).map_err(|(kind, _)| kind), Err(kind));
        }
    }

    #[test]
    fn names_of_options_are_those_of_formats() {
        for format in Format::ALL {
            assert_eq!(Format::of_name(&format.name().to_uppercase()), Some(format));
        }
        assert_eq!(Format::of_name("hklf5"), None);
    }
}
