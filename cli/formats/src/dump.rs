//! Binary structure factors (`Fdump.bin`): the reference writes them after reading a text file, and reads
//! them when no text file is given.
//!
//! ASCII `h_min h_max k_min k_max l_min l_max`, a line feed and a form feed, then f64 in the machine's byte
//! order, h-major and l fastest, with one extra plane, row and element (all zero) at the end of each axis.
//! Special cases: the reference skips white space after the form feed, and so misreads a dump whose first F
//! begins with a byte that is white space; here the data begins right after the form feed. A dump does not
//! state its byte order. The bytes are swapped where that turns values that cannot be amplitudes (not finite,
//! or outside 1e-60 to 1e60) into amplitudes.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use crate::atomic::write_atomically;
use crate::failure::Failure;
use crate::hkl_table::{self, HklTable, MAX_CELLS};
use crate::raw::{make_room, read_values, write_values};
use crate::text::{cannot_read, in_file, open};

/// Longest first line: six indices with room for extra spaces.
const HEADER_BYTES: usize = 256;

/// Bytes read at a time; they stay in the second-level cache until they are converted.
const BUFFER_BYTES: usize = 1 << 18;

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

/// Writes a dump of the box from the indices `min` on, with `shape` values along h, k and l, h-major, l fastest.
///
/// # Errors
/// The file cannot be written.
pub fn write_dump<F: Copy + Into<f64>>(
    path: &Path,
    min: [i32; 3],
    shape: [usize; 3],
    values: &[F],
) -> Result<(), Failure> {
    let [_, nk, nl] = shape;
    let padding_row = vec![0.0; nl + 1];
    let mut row = padding_row.clone();
    write_atomically(path, |out| {
        for (i, (first, entries)) in min.into_iter().zip(shape).enumerate() {
            let space = if i == 0 { "" } else { " " };
            write!(out, "{space}{first} {}", i64::from(first) + entries as i64 - 1)?;
        }
        write!(out, "\n\x0c")?;
        for plane in values.chunks_exact(nk * nl) {
            for values in plane.chunks_exact(nl) {
                row.iter_mut().zip(values).for_each(|(to, &f)| *to = f.into());
                write_values(out, &row, f64::to_ne_bytes)?;
            }
            write_values(out, &padding_row, f64::to_ne_bytes)?;
        }
        for _ in 0..=nk {
            write_values(out, &padding_row, f64::to_ne_bytes)?;
        }
        Ok(())
    })
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
        write_dump(&path, table.min(), table.shape(), &table.data).unwrap();
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
