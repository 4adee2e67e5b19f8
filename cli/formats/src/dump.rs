//! Binary structure factors (`Fdump.bin`): the reference writes them after reading a text file, and reads
//! them when no text file is given.
//!
//! ASCII `h_min h_max k_min k_max l_min l_max`, a line feed and a form feed, then f64 in the machine's byte
//! order, h-major and l fastest, with one extra plane, row and element (all zero) at the end of each axis.
//! Special cases: the reference skips white space after the form feed, and so misreads a dump whose first F
//! begins with a byte that is white space; here the data begins right after the form feed. A dump does not
//! state its byte order. The bytes are swapped where that turns values that cannot be amplitudes (not finite,
//! or outside 1e-60 to 1e60) into amplitudes.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use widebragg_reflections::index_box::IndexBox;

use crate::atomic::write_atomically;
use crate::failure::Failure;
use crate::hkl_table::{self, HklTable, MAX_CELLS};
use crate::memory;
use crate::raw::{make_room, read_values, write_values};
use crate::text::{cannot_read, in_file, open};

/// Longest first line: six indices with room for extra spaces.
const HEADER_BYTES: usize = 256;

/// Bytes read at a time; they stay in the second-level cache until they are converted.
const BUFFER_BYTES: usize = 1 << 18;

/// Most cells that are made at a time for a dump: 64 MiB of them.
const PIECE_CELLS: usize = 1 << 23;

/// Bytes of one F.
const F_BYTES: u64 = size_of::<f64>() as u64;

/// Reads a dump.
///
/// # Errors
/// The file cannot be read, its header does not hold the six limits of a box, it has more or fewer values
/// than the header states, or a value is not finite.
pub fn read_dump(path: &Path) -> Result<HklTable, Failure> {
    parse_dump(open(path)?, path)
}

/// [`read_dump`] from a stream; `path` is its name in error messages.
///
/// # Errors
/// As [`read_dump`].
pub fn parse_dump(input: impl Read, path: &Path) -> Result<HklTable, Failure> {
    let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
    let [h, k, l] = read_header(&mut input, path)?;
    hkl_table::cells(h, k, l, MAX_CELLS).map_err(|what| in_file(path, what))?;
    let mut table = HklTable { h, k, l, data: Vec::new() };
    let are_amplitudes = read_data(&mut input, &mut table).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            in_file(path, "truncated: fewer structure factors than its header says")
        }
        _ => cannot_read(path, &error),
    })?;
    if !are_amplitudes {
        swap_foreign(&mut table.data);
    }
    if let Some(bad) = (!are_amplitudes).then(|| table.data.iter().position(|f| !f.is_finite())).flatten() {
        let [_, nk, nl] = table.shape();
        let index = |axis: (i32, i32), offset: usize| i64::from(axis.0) + offset as i64;
        return Err(in_file(
            path,
            format!(
                "F of {} {} {} is {}",
                index(h, bad / nl / nk),
                index(k, bad / nl % nk),
                index(l, bad % nl),
                table.data[bad]
            ),
        ));
    }
    match input.bytes().next() {
        None => Ok(table),
        Some(Ok(_)) => Err(in_file(path, "more structure factors than its header says")),
        Some(Err(error)) => Err(cannot_read(path, &error)),
    }
}

/// Whether all values can be amplitudes; such values are finite.
fn all_amplitudes(data: &[f64]) -> bool {
    // Without an early end, which would keep the loop from becoming vectors.
    data.iter().fold(true, |all, &f| all & is_amplitude(f))
}

fn is_amplitude(f: f64) -> bool {
    (f == 0.0) | (1e-60..1e60).contains(&f.abs())
}

/// Swaps the bytes of values that are not all amplitudes, where the swapped ones are.
fn swap_foreign(data: &mut [f64]) {
    let swapped = |f: f64| f64::from_bits(f.to_bits().swap_bytes());
    if data.iter().all(|&f| is_amplitude(swapped(f))) {
        data.iter_mut().for_each(|f| *f = swapped(*f));
    }
}

/// Writes the dump of a box, whose values are h-major, l fastest.
///
/// # Errors
/// The file cannot be written.
pub fn write_dump<F: Copy + Into<f64>>(path: &Path, bounds: &IndexBox, values: &[F]) -> Result<(), Failure> {
    write_atomically(path, |out| {
        let mut dump = DumpWriter::new(out, bounds)?;
        dump.write_planes(values)?;
        dump.finish()
    })
}

/// Writes the dump of a box without a table of all of it: `fill` is asked for the F of some planes of h at a time, h-major,
/// l fastest.
///
/// # Errors
/// The box has more cells than can be read again, there is no memory for one of its planes, or the file cannot be written.
pub fn write_dump_by_planes(
    path: &Path,
    bounds: &IndexBox,
    fill: impl FnMut(&IndexBox, &mut [f64]),
) -> Result<(), Failure> {
    write_in_pieces(path, bounds, PIECE_CELLS, fill)
}

fn write_in_pieces(
    path: &Path,
    bounds: &IndexBox,
    piece_cells: usize,
    mut fill: impl FnMut(&IndexBox, &mut [f64]),
) -> Result<(), Failure> {
    hkl_table::cells(bounds.h, bounds.k, bounds.l, MAX_CELLS).map_err(|what| in_file(path, what))?;
    let [nh, nk, nl] = bounds.shape();
    let planes_at_a_time = (piece_cells / (nk * nl)).clamp(1, nh);
    let mut piece = memory::filled(planes_at_a_time * nk * nl, 0.0)
        .ok_or_else(|| in_file(path, "no memory for a part of the structure factors"))?;
    write_atomically(path, |out| {
        let mut dump = DumpWriter::new(out, bounds)?;
        for h in (bounds.h.0..=bounds.h.1).step_by(planes_at_a_time) {
            let last = bounds.h.1.min(h.saturating_add(planes_at_a_time as i32 - 1));
            let planes = IndexBox { h: (h, last), ..*bounds };
            let cells = &mut piece[..planes.shape()[0] * nk * nl];
            fill(&planes, cells);
            dump.write_planes(cells)?;
        }
        dump.finish()
    })
}

/// Writes the planes of a dump, one after the other.
struct DumpWriter<'o> {
    out: &'o mut dyn Write,
    /// Cells along k and l.
    shape: [usize; 2],
    /// A row of the box with the 0 after it, and one of zeros.
    row: Vec<f64>,
    padding_row: Vec<f64>,
}

impl<'o> DumpWriter<'o> {
    /// Writes the header.
    fn new(out: &'o mut dyn Write, bounds: &IndexBox) -> io::Result<Self> {
        let IndexBox { h, k, l } = bounds;
        write!(out, "{} {} {} {} {} {}\n\x0c", h.0, h.1, k.0, k.1, l.0, l.1)?;
        let [_, nk, nl] = bounds.shape();
        let padding_row = vec![0.0; nl + 1];
        Ok(Self { out, shape: [nk, nl], row: padding_row.clone(), padding_row })
    }

    /// Writes whole planes of h.
    fn write_planes<F: Copy + Into<f64>>(&mut self, cells: &[F]) -> io::Result<()> {
        let [nk, nl] = self.shape;
        for plane in cells.chunks_exact(nk * nl) {
            for values in plane.chunks_exact(nl) {
                self.row.iter_mut().zip(values).for_each(|(to, &f)| *to = f.into());
                write_values(self.out, &self.row, f64::to_ne_bytes)?;
            }
            self.write_padding_row()?;
        }
        Ok(())
    }

    /// Writes the plane after the last.
    fn finish(mut self) -> io::Result<()> {
        let [nk, _] = self.shape;
        (0..=nk).try_for_each(|_| self.write_padding_row())
    }

    fn write_padding_row(&mut self) -> io::Result<()> {
        write_values(self.out, &self.padding_row, f64::to_ne_bytes)
    }
}

/// Reads the limits of the box, from the line before the form feed.
fn read_header(input: &mut impl Read, path: &Path) -> Result<[(i32, i32); 3], Failure> {
    let not_a_dump =
        || in_file(path, "not a structure factor dump (no line of h_min h_max k_min k_max l_min l_max)");
    let mut header = Vec::with_capacity(HEADER_BYTES);
    while !header.ends_with(b"\n\x0c") {
        let mut byte = [0];
        input.read_exact(&mut byte).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => not_a_dump(),
            _ => cannot_read(path, &error),
        })?;
        header.extend(byte);
        if header.len() > HEADER_BYTES {
            return Err(not_a_dump());
        }
    }
    let text = core::str::from_utf8(&header).map_err(|_| not_a_dump())?;
    let indices: Result<Vec<i32>, _> = text.split_ascii_whitespace().map(str::parse).collect();
    match indices.as_deref() {
        Ok(&[h0, h1, k0, k1, l0, l1]) => Ok([(h0, h1), (k0, k1), (l0, l1)]),
        _ => Err(not_a_dump()),
    }
}

/// Reads the cells of the box and skips the padding between them. Returns whether all cells can be amplitudes.
fn read_data(input: &mut impl BufRead, table: &mut HklTable) -> io::Result<bool> {
    let [nh, nk, nl] = table.shape();
    let cells = nh * nk * nl;
    let padding_row = (nl as u64 + 1) * F_BYTES;
    let mut are_amplitudes = true;
    for _ in 0..nh {
        for _ in 0..nk {
            let first = table.data.len();
            // For no more than a buffer holds, since the header may claim a row that is not there.
            make_room(&mut table.data, nl.min(BUFFER_BYTES / size_of::<f64>()), cells - first)?;
            read_values(input, nl, &mut table.data, f64::from_ne_bytes)?;
            // While the row is in the cache.
            are_amplitudes &= all_amplitudes(&table.data[first..]);
            skip(input, F_BYTES)?;
        }
        skip(input, padding_row)?;
    }
    skip(input, padding_row * (nk as u64 + 1))?;
    Ok(are_amplitudes)
}

fn skip(input: &mut impl BufRead, bytes: u64) -> io::Result<()> {
    let mut left = bytes;
    while left > 0 {
        let buffered = match input.fill_buf() {
            Ok(buffered) => buffered.len(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffered == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let now = buffered.min(usize::try_from(left).unwrap_or(buffered));
        input.consume(now);
        left -= now as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    fn small() -> HklTable {
        let mut table = HklTable::filled((-1, 0), (2, 4), (0, 1), 0.0, MAX_CELLS).unwrap();
        for (i, f) in table.data.iter_mut().enumerate() {
            *f = 10.5 + i as f64;
        }
        table
    }

    fn written(table: &HklTable) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Fdump.bin");
        write_dump(&path, &table.bounds(), &table.data).unwrap();
        fs::read(path).unwrap()
    }

    fn parse(bytes: &[u8]) -> Result<HklTable, String> {
        parse_dump(bytes, Path::new("Fdump.bin")).map_err(|failure| failure.to_string())
    }

    #[test]
    fn layout_has_one_extra_plane_row_and_element() {
        let bytes = written(&small());
        let header = b"-1 0 2 4 0 1\n\x0c";
        assert!(bytes.starts_with(header));
        let values: Vec<f64> =
            bytes[header.len()..].as_chunks().0.iter().map(|&value| f64::from_ne_bytes(value)).collect();
        let plane = |f: f64| [f, f + 1.0, 0.0, f + 2.0, f + 3.0, 0.0, f + 4.0, f + 5.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(values, [plane(10.5), plane(16.5), [0.0; 12]].concat());
        assert_eq!(bytes.len(), header.len() + 3 * 4 * 3 * 8);
    }

    #[test]
    fn a_dump_by_planes_is_that_of_the_table() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Fdump.bin");
        let bounds = IndexBox { h: (-3, 1), k: (0, 2), l: (-5, -2) };
        let f = |[h, k, l]: [i32; 3]| f64::from(h * 7000 + k * 30 - l);
        let mut table = HklTable::filled(bounds.h, bounds.k, bounds.l, 0.0, MAX_CELLS).unwrap();
        let values: Vec<f64> = table.nodes().map(|(hkl, _)| f(hkl)).collect();
        table.data.copy_from_slice(&values);
        for (piece_cells, pieces) in [(1, 5), (12, 5), (24, 3), (35, 3), (36, 2), (1000, 1)] {
            let mut asked = 0;
            write_in_pieces(&path, &bounds, piece_cells, |planes, cells| {
                asked += 1;
                let part = HklTable { h: planes.h, k: planes.k, l: planes.l, data: cells.to_vec() };
                part.nodes().zip(cells).for_each(|((hkl, _), cell)| *cell = f(hkl));
            })
            .unwrap();
            assert_eq!(asked, pieces, "{piece_cells}");
            assert!(fs::read(&path).unwrap() == written(&table), "{piece_cells}");
        }
        let wide = IndexBox { h: (0, 2000), k: (0, 2000), l: (0, 2000) };
        let refused = write_dump_by_planes(&path, &wide, |_, _| panic!("it is too large")).unwrap_err();
        assert!(refused.to_string().ends_with("more than the limit of 2147483648 cells"), "{refused}");
    }

    #[test]
    fn reads_back_and_refuses_what_does_not_fit_its_header() {
        let bytes = written(&small());
        assert_eq!(parse(&bytes).unwrap(), small());
        for cut in 14..bytes.len() {
            assert_eq!(
                parse(&bytes[..cut]).unwrap_err(),
                "Fdump.bin: truncated: fewer structure factors than its header says"
            );
        }
        assert!(parse(&[&bytes[..], &[0]].concat()).unwrap_err().contains("more structure factors"));
        let mut with_nan = bytes.clone();
        with_nan[14 + 3 * 8..][..8].copy_from_slice(&f64::NAN.to_ne_bytes());
        assert_eq!(parse(&with_nan).unwrap_err(), "Fdump.bin: F of -1 3 0 is NaN");
    }

    #[test]
    fn headers_that_are_none() {
        for bytes in
            [&b""[..], b"1 2 3 4 5 6\n", b"0 1 0 1 0\n\x0c", b"0 1 0 1 0 x\n\x0c", b"0 1 0 1 0 1 0\n\x0c"]
        {
            assert!(parse(bytes).unwrap_err().contains("not a structure factor dump"));
        }
        assert!(parse(&[b' '; 10_000]).unwrap_err().contains("not a structure factor dump"));
        assert_eq!(parse(b"0 1 5 4 0 1\n\x0c").unwrap_err(), "Fdump.bin: k goes from 5 to 4");
        let huge = parse(b"-2147483648 2147483647 0 2147483647 0 9\n\x0c").unwrap_err();
        assert!(huge.contains("more than the limit of 2147483648 cells"), "{huge}");
        // A large grid that is only claimed takes no memory.
        assert!(parse(b"0 999 0 999 0 999\n\x0c").unwrap_err().contains("truncated"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(
            header in "(-?[0-9]{1,11} ?){0,7}\n?\x0c?",
            data in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = parse(&data);
            let _ = parse(&[header.as_bytes(), &data].concat());
        }
    }
}
