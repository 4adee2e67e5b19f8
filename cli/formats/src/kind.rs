//! Kinds of files, recognised by their first bytes, for messages about a file of the wrong kind.
//!
//! Sources: the magic numbers that each format documents (RFC 1952 for gzip, the PNG specification, the HDF5 file
//! format specification, and so on); CIF is told by a line that begins with `data_`.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::failure::Failure;
use crate::image::START_BYTES;

/// First bytes, what a file that begins with them is, and what to do with it.
const MAGIC: [(&[u8], &str, &str); 13] = [
    (b"\x1f\x8b\x08", "a gzip archive", "unpack it first (gunzip)"),
    (b"\x1f\x9d", "a compress archive", "unpack it first (uncompress)"),
    (b"BZh", "a bzip2 archive", "unpack it first (bunzip2)"),
    (b"\xfd7zXZ\0", "an xz archive", "unpack it first (unxz)"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it first (unzstd)"),
    (b"PK\x03\x04", "a zip archive", "unpack it first (unzip)"),
    (b"\x89PNG", "a PNG picture", ""),
    (b"\xff\xd8\xff", "a JPEG picture", ""),
    (b"II*\0", "a TIFF image", ""),
    (b"MM\0*", "a TIFF image", ""),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", ""),
    (b"MTZ ", "an MTZ file", "-hkl reads such files"),
    (b"%PDF", "a PDF document", ""),
];

/// What a file that begins with `start` is, and what to do with it (empty where nothing helps); `None` for other files.
#[must_use]
pub fn kind_of(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let magic = MAGIC.iter().find(|(magic, _, _)| start.starts_with(magic));
    if let Some(&(_, kind, advice)) = magic {
        return Some((kind, advice));
    }
    if start.starts_with(b"###CBF") {
        return Some(("a CBF image", ""));
    }
    if start.trim_ascii_start().starts_with(b"{") && start.windows(12).any(|window| window == b"HEADER_BYTES")
    {
        return Some(("an SMV image", ""));
    }
    let text = start.trim_ascii_start();
    let in_lines = |word: &[u8]| text.split(|&byte| byte == b'\n').any(|line| line.starts_with(word));
    if in_lines(b"data_") && in_lines(b"_") || text.starts_with(b"data_") {
        return Some(("a CIF file", "-hkl reads such files"));
    }
    if text.starts_with(b"HEADER ") || text.starts_with(b"CRYST1") {
        return Some(("a PDB file", ""));
    }
    None
}

/// The failure of the file `path` where `expected` was to be read; `None` where it is of no other kind that is known
/// here, and for all but ordinary files, which are opened again.
#[must_use]
pub fn other_kind(path: &Path, expected: &str) -> Option<Failure> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let mut start = Vec::new();
    File::open(path).and_then(|file| file.take(START_BYTES).read_to_end(&mut start)).ok()?;
    let (kind, advice) = kind_of(&start).filter(|(kind, _)| !expected.starts_with(kind))?;
    let advice = if advice.is_empty() { String::new() } else { format!("; {advice}") };
    Some(Failure::input(format!("{}: this is {kind}; {expected} is expected{advice}", path.display())))
}

/// The failure to read `path` as `expected`, in plainer words where the file is of another kind.
pub(crate) fn explained(path: &Path, expected: &str) -> impl Fn(Failure) -> Failure {
    move |failure| other_kind(path, expected).unwrap_or(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_their_first_bytes() {
        for (start, kind) in [
            (&b"\x1f\x8b\x08\0"[..], "a gzip archive"),
            (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
            (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
            (b"MTZ \x01", "an MTZ file"),
            (b"data_r1abcsf\n_cell.length_a 10\n", "a CIF file"),
            (b"# comment\ndata_x\n#\n_cell_length_a 10\n", "a CIF file"),
            (b"HEADER    HYDROLASE", "a PDB file"),
            (b"{\nHEADER_BYTES=512;\n", "an SMV image"),
            (b"###CBF: VERSION 1.5\n", "a CBF image"),
        ] {
            assert_eq!(kind_of(start).map(|(kind, _)| kind), Some(kind));
        }
        for start in
            [&b""[..], b"1 0 0 3.5\n", b"# h k l F\n1 0 0 3\n", b"0.01 0.2 0.3\n", b"-10 0 0 1 1e-10"]
        {
            assert_eq!(kind_of(start), None);
        }
    }

    #[test]
    fn a_failure_is_explained_where_the_kind_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.hkl");
        let explain = |content: &[u8]| {
            fs::write(&path, content).unwrap();
            explained(&path, "a list of h k l F")(Failure::input("plain")).to_string()
        };
        assert_eq!(explain(b"1 2 x\n"), "plain");
        assert!(explain(b"\x1f\x8b\x08").ends_with(
            "a.hkl: this is a gzip archive; a list of h k l F is expected; unpack it first (gunzip)"
        ));
        assert_eq!(other_kind(folder.path(), "a list"), None);
        fs::write(&path, b"{\nHEADER_BYTES=512;\n").unwrap();
        assert_eq!(other_kind(&path, "an SMV image"), None);
    }
}
