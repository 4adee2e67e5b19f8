//! Structure factors as text: `h k l F` on each line.
//!
//! Further columns, blank lines, lines that start with # and lines of words before the first reflection are ignored,
//! but several reflections on a line are refused. Lines end in LF, CR LF or CR. An index may be written `3.0`, but
//! `3.5` is refused. The list ends at the word END, at a Ctrl-Z (the end of a text in DOS) or at text after a
//! reflection of zeros (the end of a list of SHELX); a reflection after it is refused. The grid spans the smallest
//! box around the listed indices. It holds the default F where no reflection is listed, and the last F where one is
//! listed more than once.
//!
//! Cost: one pass over blocks of the file into a list of 24 bytes a reflection, then one pass over the list. Where
//! the box is known ([`find_box`], a pass over the indices of a regular file) there is no list, and no memory but
//! that of the grid. The usual line (integers and a plain decimal) is parsed in one pass over its bytes, any other
//! line word by word.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use widebragg_reflections::index_box::IndexBox;

use crate::atomic::write_atomically;
use crate::decimal::{plain_decimal, plain_integer};
use crate::failure::Failure;
pub use crate::hkl_table::{HklTable, MAX_CELLS};
use crate::image::START_BYTES;
use crate::kind::{explained, kind_of};
use crate::memory::is_there;
use crate::text::{at_line, cannot_read, finite, in_file, open, shown};

/// Length of the longest line, with its end.
const BLOCK_BYTES: usize = 1 << 20;

/// Bytes read at a time: they stay in the second-level cache until they are parsed.
const READ_BYTES: usize = 1 << 17;

/// First bytes of an MTZ file, a common format of reflections.
const MTZ_START: &[u8] = b"MTZ ";

/// First bytes of lists in other formats, whose lines of words are no headings: the columns after them are intensities.
const OTHER_LISTS: [&[u8]; 2] = [b"!FORMAT=XDS_ASCII", b"CrystFEL reflection list"];

/// The end of a text in DOS.
const CTRL_Z: u8 = 0x1a;

/// Columns of a reflection: h k l F.
const COLUMNS: usize = 4;

/// Length of the shortest line with a reflection: `0 0 0 1` and a line feed.
const SHORTEST_LINE_BYTES: usize = 8;

/// Reads a file of reflections.
///
/// # Errors
/// The file cannot be read, a line is not `h k l F`, the file has no reflection, or the grid is too large.
pub fn read_hkl(path: &Path, default_f: f64) -> Result<HklTable, Failure> {
    parse_hkl_in(open(path)?, path, find_box(path), default_f, MAX_CELLS)
}

/// [`read_hkl`] from a stream, with a limit on the size of the grid; `path` is its name in error messages.
///
/// # Errors
/// As [`read_hkl`].
pub fn parse_hkl(
    input: impl Read,
    path: &Path,
    default_f: f64,
    max_cells: usize,
) -> Result<HklTable, Failure> {
    parse_hkl_in(input, path, None, default_f, max_cells)
}

/// [`parse_hkl`] of a text whose box [`find_box`] has found. The grid takes all the memory; without a box there is a
/// list of all reflections beside it. A box changes neither the table nor the errors.
///
/// # Errors
/// As [`read_hkl`]; also if a reflection lies outside the box, since the file was changed meanwhile.
pub fn parse_hkl_in(
    input: impl Read,
    path: &Path,
    found: Option<IndexBox>,
    default_f: f64,
    max_cells: usize,
) -> Result<HklTable, Failure> {
    let grid = found.and_then(|found| Grid::new(found, default_f, max_cells));
    let store = grid.map_or_else(|| Store::List(Vec::new()), Store::Grid);
    let mut reflections = Reflections::new(path, store);
    read_blocks(input, path, &mut reflections)
        .and_then(|()| reflections.into_table(default_f, max_cells))
        .map_err(explained(path, "a text with lines of h k l F"))
}

/// The reflections of a text, without a grid: sorted by h, then k, then l, with the last F where one is listed more than
/// once. `path` is its name in error messages.
///
/// # Errors
/// As [`read_hkl`], but for the size of the grid.
pub fn parse_list(input: impl Read, path: &Path) -> Result<Vec<Reflection>, Failure> {
    let mut reflections = Reflections::new(path, Store::List(Vec::new()));
    read_blocks(input, path, &mut reflections)
        .and_then(|()| reflections.into_list())
        .map_err(explained(path, "a text with lines of h k l F"))
}

/// Finds the box around the reflections of a file without reading their F. `None` for what is not a regular file,
/// such as a pipe, and where the file does not end well: whoever reads it with its F finds the error.
#[must_use]
pub fn find_box(path: &Path) -> Option<IndexBox> {
    // A named pipe would be at its end once it had been opened and closed.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut reflections = Reflections::new(path, Store::Nothing);
    read_blocks(File::open(path).ok()?, path, &mut reflections).ok()?;
    (reflections.count > 0).then_some(reflections.around)
}

/// Reads all lines.
fn read_blocks(mut input: impl Read, path: &Path, list: &mut Reflections<'_>) -> Result<(), Failure> {
    let mut block = vec![0; BLOCK_BYTES];
    let mut held = 0;
    loop {
        let room = held..block.len().min(held + READ_BYTES);
        let read = match input.read(&mut block[room]) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(cannot_read(path, &error)),
        };
        let end = held + read;
        if list.line == 0 && block.starts_with(MTZ_START) {
            return Err(in_file(path, "this is an MTZ file; lines of h k l F are expected"));
        }
        if list.line == 0 {
            let start = &block[..end.min(START_BYTES as usize)];
            list.may_have_headings =
                kind_of(start).is_none() && !OTHER_LISTS.iter().any(|first| start.starts_with(first));
        }
        let complete = complete_lines(&block[..end], held);
        if complete > 0 {
            list.read_lines(&block[..complete])?;
            block.copy_within(complete..end, 0);
        }
        held = end - complete;
        if held == block.len() {
            return Err(at_line(
                path,
                list.line + 1,
                format!("longer than {BLOCK_BYTES} bytes: not h k l F"),
            ));
        }
    }
    if held > 0 {
        block[held] = b'\n';
        list.read_lines(&block[..=held])?;
    }
    Ok(())
}

/// Writes every cell of the table, in the order of its data, as the shortest decimal that reads back to the
/// same bits.
///
/// # Errors
/// The file cannot be written.
pub fn write_hkl(path: &Path, table: &HklTable) -> Result<(), Failure> {
    write_list(path, table.nodes())
}

/// Writes reflections as lines of h k l F, each F as the shortest decimal that reads back to the same bits.
///
/// # Errors
/// The file cannot be written.
pub fn write_list(path: &Path, reflections: impl Iterator<Item = ([i32; 3], f64)>) -> Result<(), Failure> {
    write_atomically(path, |out| {
        for ([h, k, l], f) in reflections {
            writeln!(out, "{h} {k} {l} {f:?}")?;
        }
        Ok(())
    })
}

/// Length of the complete lines at the start of a block whose first `searched` bytes have no line end but
/// perhaps a CR at their end: a CR that ends the block may be half of a CR LF.
fn complete_lines(block: &[u8], searched: usize) -> usize {
    let start = searched.saturating_sub(1);
    let last = block.len().saturating_sub(1);
    let ends_line = |at: &usize| block[*at] == b'\n' || block[*at] == b'\r' && *at < last;
    (start..block.len()).rev().find(ends_line).map_or(0, |at| at + 1)
}

/// Position of the line end at or after `at`, and the start of the next line.
#[inline]
fn line_end(block: &[u8], at: usize) -> (usize, usize) {
    let distance = block[at..].iter().position(|&byte| byte == b'\n' || byte == b'\r');
    let end = distance.map_or(block.len(), |distance| at + distance);
    (end, if block[end..].starts_with(b"\r\n") { end + 2 } else { end + 1 })
}

/// One line of the file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reflection {
    /// h, k, l.
    pub hkl: [i32; 3],
    /// F.
    pub f: f64,
}

impl Reflection {
    /// Whether it is the last line of a list of SHELX, or F(000) = 0.
    fn is_zero(&self) -> bool {
        self.hkl == [0; 3] && self.f == 0.0
    }
}

/// The table over a box.
fn table_over(bounds: &IndexBox, default_f: f64, max_cells: usize) -> Result<HklTable, String> {
    HklTable::filled(bounds.h, bounds.k, bounds.l, default_f, max_cells)
}

/// A table over a box, and where its nodes lie in it.
struct Grid {
    table: HklTable,
    lowest: [i32; 3],
    shape: [usize; 3],
}

impl Grid {
    /// `None` where there is no memory for it, or too many cells: whoever finds the box again says so.
    fn new(found: IndexBox, default_f: f64, max_cells: usize) -> Option<Self> {
        table_over(&found, default_f, max_cells).ok().map(Self::of)
    }

    fn of(table: HklTable) -> Self {
        Self { lowest: [table.h.0, table.k.0, table.l.0], shape: table.shape(), table }
    }

    /// Sets a node; `None` outside the box.
    #[inline]
    fn set(&mut self, Reflection { hkl, f }: &Reflection) -> Option<()> {
        let [_, nk, nl] = self.shape;
        let offset = |axis: usize| {
            let offset = hkl[axis].wrapping_sub(self.lowest[axis]) as u32 as usize;
            (offset < self.shape[axis]).then_some(offset)
        };
        *self.table.data.get_mut((offset(0)? * nk + offset(1)?) * nl + offset(2)?)? = *f;
        Some(())
    }
}

/// Where reflections are kept.
enum Store {
    /// In the order of the file, since the box is not known yet.
    List(Vec<Reflection>),
    Grid(Grid),
    /// Nowhere: only the box is wanted, and of most lines only the indices are read.
    Nothing,
}

/// The reflections read so far.
struct Reflections<'a> {
    path: &'a Path,
    /// Lines read so far.
    line: u64,
    /// The line that ended the list, and why it is not a reflection.
    ended: Option<(u64, String)>,
    store: Store,
    count: u64,
    /// Whether the file may begin with lines of words: it is of no other kind.
    may_have_headings: bool,
    /// Whether the last one may be the last line of a list of SHELX.
    last_is_zero: bool,
    around: IndexBox,
}

impl<'a> Reflections<'a> {
    fn new(path: &'a Path, store: Store) -> Self {
        let around = IndexBox::EMPTY;
        let (ended, may_have_headings, last_is_zero) = (None, false, false);
        Self { path, line: 0, ended, store, count: 0, may_have_headings, last_is_zero, around }
    }

    /// Reads complete lines; `block` ends with a line end.
    fn read_lines(&mut self, block: &[u8]) -> Result<(), Failure> {
        if let Store::List(list) = &mut self.store {
            let room = block.len().div_ceil(SHORTEST_LINE_BYTES);
            if list.try_reserve(room).is_err() {
                return Err(at_line(self.path, self.line + 1, "no memory for more reflections"));
            }
        }
        let wants_f = !matches!(self.store, Store::Nothing);
        let mut at = 0;
        while at < block.len() {
            self.line += 1;
            // Whether a line that is no reflection ends the list depends on the F before it, which is read for 0 0 0.
            let is_box_enough = !wants_f && !self.last_is_zero && self.ended.is_none();
            if let Some((hkl, next)) = is_box_enough.then(|| indices_only(block, at)).flatten() {
                self.push(Reflection { hkl, f: f64::NAN })?;
                at = next;
                continue;
            }
            let found = plain_line(block, at);
            let read_to = found.as_ref().map_or(at, |(_, read_to)| *read_to);
            let (end, next) = line_end(block, read_to);
            let reflection = match found {
                Some((reflection, read_to)) => {
                    one_reflection(&block[read_to..end]).map(|()| Some(reflection))
                }
                None => any_line(&block[at..end]),
            };
            match reflection {
                Ok(Some(reflection)) => self.push(reflection)?,
                Ok(None) => {}
                Err(what) => self.end(&block[at..end], what)?,
            }
            at = next;
        }
        Ok(())
    }

    #[inline]
    fn push(&mut self, reflection: Reflection) -> Result<(), Failure> {
        if let Some((line, what)) = &self.ended {
            return Err(at_line(self.path, *line, format!("{what}, and reflections follow")));
        }
        self.count += 1;
        self.last_is_zero = reflection.is_zero();
        match &mut self.store {
            Store::Grid(grid) => {
                let changed = || at_line(self.path, self.line, "the file was changed while it was read");
                return grid.set(&reflection).ok_or_else(changed);
            }
            Store::List(list) => {
                self.around.include(reflection.hkl);
                list.push(reflection);
            }
            Store::Nothing => self.around.include(reflection.hkl),
        }
        Ok(())
    }

    /// Passes over a line that is no reflection where it is a heading, and ends the list where it may end.
    fn end(&mut self, line: &[u8], what: String) -> Result<(), Failure> {
        if self.ended.is_some() {
            return Ok(());
        }
        let is_end = line.first() == Some(&CTRL_Z) || line.trim_ascii().eq_ignore_ascii_case(b"END");
        if !is_end && self.count == 0 && self.may_have_headings && is_heading(line) {
            return Ok(());
        }
        if !is_end && !self.last_is_zero {
            let hint = if is_hklf(line) { "; SHELX HKLF 4? read it with --hkl-format hklf4" } else { "" };
            return Err(at_line(self.path, self.line, what + hint));
        }
        self.ended = Some((self.line, what));
        Ok(())
    }

    fn check_any(&self) -> Result<(), Failure> {
        match self.count {
            0 => Err(in_file(self.path, "no reflections in it (lines of h k l F)")),
            _ => Ok(()),
        }
    }

    /// The reflections of a list, sorted.
    fn into_list(self) -> Result<Vec<Reflection>, Failure> {
        self.check_any()?;
        let Store::List(mut list) = self.store else { return Ok(Vec::new()) };
        // To be sorted in the order of the file takes a copy.
        if !is_there(size_of_val(&*list)) {
            return Err(in_file(self.path, format!("no memory to sort {} reflections", list.len())));
        }
        list.reverse();
        list.sort_by_key(|reflection| reflection.hkl);
        list.dedup_by_key(|reflection| reflection.hkl);
        Ok(list)
    }

    fn into_table(self, default_f: f64, max_cells: usize) -> Result<HklTable, Failure> {
        self.check_any()?;
        let list = match self.store {
            Store::Grid(grid) => return Ok(grid.table),
            Store::List(list) => list,
            Store::Nothing => Vec::new(),
        };
        let table =
            table_over(&self.around, default_f, max_cells).map_err(|what| in_file(self.path, what))?;
        let mut grid = Grid::of(table);
        // None lies outside.
        list.iter().for_each(|reflection| grid.set(reflection).unwrap_or(()));
        Ok(grid.table)
    }
}

/// Whether a line is of words: it does not begin with something like a number, and is no reflection with a damaged
/// index, which has numbers after it.
fn is_heading(line: &[u8]) -> bool {
    let first = line.trim_ascii_start().first();
    let begins_with_word = first.is_some_and(|byte| !(byte.is_ascii_digit() || b"+-.".contains(byte)));
    let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let is_number = |word: &&[u8]| core::str::from_utf8(word).is_ok_and(|word| word.parse::<f64>().is_ok());
    begins_with_word && words.skip(1).filter(is_number).count() < 2
}

/// Whether a line has the fixed columns of SHELX's HKLF: indices of four characters each, then an F of eight.
fn is_hklf(line: &[u8]) -> bool {
    let number = |columns: &[u8]| core::str::from_utf8(columns).ok()?.trim().parse::<f64>().ok();
    let index = |columns: core::ops::Range<usize>| {
        let word = line.get(columns).map(<[u8]>::trim_ascii)?;
        core::str::from_utf8(word).ok()?.parse::<i16>().ok()
    };
    let f = line.get(12..line.len().min(20)).and_then(number);
    index(0..4).and(index(4..8)).and(index(8..12)).and(f).is_some()
}

/// The indices of a usual line that are not 0 0 0, without a look at its F, and the start of the next line. `None`
/// for any other line, and for one with so many columns that it may have several reflections.
#[inline]
fn indices_only(block: &[u8], at: usize) -> Option<([i32; 3], usize)> {
    let (h, at) = plain_integer(block, blanks(block, at))?;
    let (k, at) = plain_integer(block, gap(block, at)?)?;
    let (l, at) = plain_integer(block, gap(block, at)?)?;
    let f = gap(block, at)?;
    let mut end = f;
    while block.get(end).is_some_and(|byte| !byte.is_ascii_whitespace()) {
        end += 1;
    }
    let (line_end, next) = line_end(block, end);
    let is_usual = end > f && line_end - end < 2 * COLUMNS && [h, k, l] != [0; 3];
    is_usual.then_some(([h, k, l], next))
}

/// Parses the usual line, which starts at `at`; returns the reflection and the end of the fourth column.
/// `None` for any other line.
#[inline]
fn plain_line(block: &[u8], at: usize) -> Option<(Reflection, usize)> {
    let (h, at) = plain_integer(block, blanks(block, at))?;
    let (k, at) = plain_integer(block, gap(block, at)?)?;
    let (l, at) = plain_integer(block, gap(block, at)?)?;
    let (f, at) = plain_decimal(block, gap(block, at)?)?;
    block.get(at)?.is_ascii_whitespace().then_some((Reflection { hkl: [h, k, l], f }, at))
}

/// Position of the first byte from `at` on that is neither a space nor a tab.
#[inline]
fn blanks(block: &[u8], mut at: usize) -> usize {
    while matches!(block.get(at), Some(b' ' | b'\t')) {
        at += 1;
    }
    at
}

/// The same; `None` where there is no space or tab at `at`.
#[inline]
fn gap(block: &[u8], at: usize) -> Option<usize> {
    let next = blanks(block, at);
    (next > at).then_some(next)
}

/// Parses any line, word by word; `Ok(None)` for a line without a reflection.
fn any_line(line: &[u8]) -> Result<Option<Reflection>, String> {
    let mut words = words_of(line).peekable();
    match words.peek() {
        None => return Ok(None),
        Some(word) if word.starts_with(b"#") => return Ok(None),
        Some(_) => {}
    }
    let columns = [words.next(), words.next(), words.next(), words.next()];
    let [Some(h), Some(k), Some(l), Some(f)] = columns else {
        let count = columns.iter().flatten().count();
        return Err(format!("{count} columns in {}, needs four: h k l F", shown(line.trim_ascii())));
    };
    let hkl = [index("h", h)?, index("k", k)?, index("l", l)?];
    let f = number(f).map_err(|what| format!("F: {what}"))?;
    check_further(words)?;
    Ok(Some(Reflection { hkl, f }))
}

/// Refuses the rest of a line with one reflection if it has further ones.
#[inline]
fn one_reflection(rest: &[u8]) -> Result<(), String> {
    if rest.len() < 2 * COLUMNS {
        return Ok(());
    }
    check_further(words_of(rest))
}

/// Refuses further columns that are reflections: a multiple of four, the first three of them whole numbers.
fn check_further<'w>(further: impl Iterator<Item = &'w [u8]>) -> Result<(), String> {
    let mut count = 0;
    let is_reflection = further.fold(true, |so_far, word| {
        count += 1;
        so_far && (count > 3 || index("", word).is_ok())
    });
    if is_reflection && count > 0 && count % COLUMNS == 0 {
        return Err(format!("{} columns: more than one reflection on a line", count + COLUMNS));
    }
    Ok(())
}

fn words_of(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

fn index(name: &str, word: &[u8]) -> Result<i32, String> {
    let value = number(word).map_err(|what| format!("{name}: {what}"))?;
    if value.fract() != 0.0 {
        return Err(format!("{name}: {} is not an integer", shown(word)));
    }
    if !(f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value) {
        return Err(format!("{name}: {} is too large for an index", shown(word)));
    }
    Ok(value as i32)
}

fn number(word: &[u8]) -> Result<f64, String> {
    match core::str::from_utf8(word) {
        Ok(text) => finite(text),
        Err(_) => Err(format!("{} is not a number", shown(word))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 1 << 16;

    fn parse(text: &[u8]) -> Result<HklTable, String> {
        parse_hkl(text, Path::new("P1.hkl"), 0.0, LIMIT).map_err(|failure| failure.to_string())
    }

    fn error(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_table_with_every_freedom_the_format_has() {
        let text = b"# h k l F\r\n  1 0 -1   2.5\r\n\r\n\t1\t1\t-1\t3e1 sigma 7\n2.0 0 0 -1 # note\n1 0 -1 4\n  # end\n2 +1 0 .5";
        let table = parse_hkl(&text[..], Path::new("P1.hkl"), 9.0, LIMIT).unwrap();
        assert_eq!((table.h, table.k, table.l), ((1, 2), (0, 1), (-1, 0)));
        assert_eq!(table.data, [4.0, 9.0, 30.0, 9.0, 9.0, -1.0, 9.0, 0.5]);
    }

    #[test]
    fn lines_end_in_any_way() {
        let text = "0 0 1 50\n0 1 0 60\n# a\n\n1 1 1 90\n";
        let expected = parse(text.as_bytes()).unwrap();
        for end in ["\r", "\r\n"] {
            let text = text.replace('\n', end);
            for step in 1..text.len() {
                let table = parse_hkl(Drops(text.as_bytes(), step), Path::new("P1.hkl"), 0.0, LIMIT);
                assert_eq!(table.unwrap(), expected);
            }
            assert_eq!(
                error(&format!("{text}bad")),
                "P1.hkl:6: 1 columns in \"bad\", needs four: h k l F",
                "{end:?}"
            );
        }
    }

    #[test]
    fn a_list_ends_where_its_program_ends_it() {
        let list = "0 0 1 50\n0 1 0 60\n";
        let plain = parse(list.as_bytes()).unwrap();
        for end in ["\x1a", "END\n", " end\nTITL x\n", "\x1a junk\n"] {
            assert_eq!(parse(format!("{list}{end}").as_bytes()).unwrap(), plain, "{end:?}");
        }
        // The zeros of SHELX are F(000) = 0 for the reference, which stops at the text after them.
        let zeros = "0 0 0 0.00 0.00\n";
        let shelx = parse(format!("{list}{zeros}\nTITL x in P1\nCELL 1.0 30 30\nEND\n").as_bytes());
        assert_eq!(shelx.unwrap(), parse(format!("{zeros}{list}").as_bytes()).unwrap());
        assert!(error(&format!("{list}{zeros}TITL x\n1 1 1 1\n")).starts_with("P1.hkl:4: 2 columns"));
        assert!(
            error(&format!("{list}END\n1 1 1 1\n")).ends_with("needs four: h k l F, and reflections follow")
        );
        assert!(error(&format!("{list}TITL x\n")).starts_with("P1.hkl:3: 2 columns"));
    }

    #[test]
    fn words_before_the_first_reflection_are_headings() {
        let plain = parse(b"1 2 3 4\n").unwrap();
        for heading in
            ["h k l F\n", "H K L F(meas) sigma\n\n", "title\nh k l F\n# note\n", "run 7 of crystal A\n"]
        {
            assert_eq!(parse(format!("{heading}1 2 3 4\n").as_bytes()).unwrap(), plain, "{heading:?}");
        }
        assert_eq!(error("h k l F\n1 2 3\n"), "P1.hkl:2: 3 columns in \"1 2 3\", needs four: h k l F");
        assert_eq!(error("1 2 3 4\nh k l F\n"), "P1.hkl:2: h: \"h\" is not a number");
        // A reflection with a damaged index.
        assert_eq!(error("l 0 0 500\n1 1 0 5\n"), "P1.hkl:1: h: \"l\" is not a number");
        assert!(error("nan 1 1 1\n1 1 0 5\n").starts_with("P1.hkl:1: "));
        for number in ["-", "+x 1 1 1", ".a"] {
            assert!(error(&format!("{number}\n1 2 3 4\n")).starts_with("P1.hkl:1: "), "{number}");
        }
        assert_eq!(error("h k l F\n"), "P1.hkl: no reflections in it (lines of h k l F)");
        assert!(error("END\n1 2 3 4\n").ends_with("and reflections follow"));
        for other in [
            "!FORMAT=XDS_ASCII MERGE=TRUE\n",
            "CrystFEL reflection list version 2.0\n",
            "data_a\n_cell.a 1\n",
        ] {
            assert!(error(&format!("{other}1 2 3 4 5\n")).starts_with("P1.hkl:1: "), "{other}");
        }
    }

    #[test]
    fn columns_that_touch_are_told_from_errors() {
        let hint = "; SHELX HKLF 4? read it with --hkl-format hklf4";
        for line in
            ["-10 -12 -1312345.67", "-10 -12 -1312345.67   10.00", "   1   2   3  45.67-100.00   1 2 x"]
        {
            assert_eq!(error(line).ends_with(hint), line.starts_with('-'), "{}", error(line));
        }
        assert_eq!(
            error("   1   2 -3112345.67"),
            format!("P1.hkl:1: 3 columns in \"1   2 -3112345.67\", needs four: h k l F{hint}")
        );
        assert!(error("1 1 1 1\n-100-100-100   45.67").ends_with(hint));
        assert!(!error("1 2 3").contains("SHELX"));
        assert!(!error("1 2 3.5 4").contains("SHELX"));
    }

    /// The table and the errors are the same with the box of a first pass and without.
    fn with_box(text: &[u8]) -> Result<HklTable, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("P1.hkl");
        fs::write(&file, text).unwrap();
        let table = parse_hkl_in(text, Path::new("P1.hkl"), find_box(&file), 0.0, LIMIT);
        table.map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_first_pass_changes_nothing() {
        for text in [
            "",
            "1 2 3 4\n5 6 7 8 9 1\n",
            "h k l F\n1 2 3 4\n",
            "1 2 3 4\n0 0 0 0\n1 2 3\n",
            "1 2 3 4\n0 0 0 0\n9 9 9 x\n",
            "1 2 3 4\n0 0 0 1\n9 9 9 x\n",
            "1 2 3 4\nEND\n9 9 9 x\n",
            "1 2 3 4\n9 9 9 x\n1 2 y 3\n",
            "1 2 3 4\n1 2 3 4 5 6 7 8\n",
            "1 2 3 4 5 6 7 8\n1 2 x 4\n",
            "0 0 0 1\n99 99 99 1\n1 1 1 x\n",
            "0 0 0 1\n99 99 99 1\n",
            "1 1 1 1\r2 2 2 2\r\n3 3 3 3",
            "1 1 1 #\n",
            "1.0 2 3 4\n-1 -2 -3 1e2\n2 2 2 7 # 1 2 3 4\n",
        ] {
            assert_eq!(with_box(text.as_bytes()), parse(text.as_bytes()), "{text:?}");
        }
        assert_eq!(find_box(Path::new("/nowhere/P1.hkl")), None);
        let narrow = IndexBox { h: (0, 1), k: (0, 1), l: (0, 1) };
        let changed = parse_hkl_in(&b"0 0 0 1\n0 2 0 1\n"[..], Path::new("P1.hkl"), Some(narrow), 0.0, LIMIT);
        assert_eq!(changed.unwrap_err().to_string(), "P1.hkl:2: the file was changed while it was read");
    }

    #[test]
    fn a_list_is_sorted_and_its_last_lines_win() {
        let list = |text: &str| {
            let list =
                parse_list(text.as_bytes(), Path::new("P1.hkl")).map_err(|failure| failure.to_string());
            list.map(|list| list.iter().map(|r| (r.hkl, r.f)).collect::<Vec<_>>())
        };
        // A box of more nodes than any memory holds.
        let text =
            "h k l F\n1 0 2 5\n-9999999 0 0 1\n1 0 -2 6\n1 0 2 7\n9999999 9999999 9999999 2\n1 0 2 8\n";
        let expected = [
            ([-9_999_999, 0, 0], 1.0),
            ([1, 0, -2], 6.0),
            ([1, 0, 2], 8.0),
            ([9_999_999, 9_999_999, 9_999_999], 2.0),
        ];
        assert_eq!(list(text).unwrap(), expected);
        for bad in ["", "1 2 3\n", "1 2 3 4\n1 2 x 4\n"] {
            assert_eq!(list(bad).unwrap_err(), error(bad));
        }
    }

    #[test]
    fn several_reflections_on_a_line_are_refused() {
        for line in ["1 1 1 5 2 2 2 6", "1 1 1 5 2 2 2.0 6.5 3 3 3 7", "1.0 1 1 5 2 2 2 6"] {
            assert!(error(line).ends_with("more than one reflection on a line"), "{line}");
        }
        for line in ["1 1 1 5 2 2 2", "1 1 1 5 0.5 2 2 6", "1 1 1 5 2 2 2 6 1", "1 1 1 5 # 2 2 2"] {
            assert_eq!(parse(line.as_bytes()).unwrap().data, [5.0], "{line}");
        }
    }

    #[test]
    fn errors_name_file_line_and_what_was_wrong() {
        assert_eq!(error(""), "P1.hkl: no reflections in it (lines of h k l F)");
        assert_eq!(error("# only\n\n"), "P1.hkl: no reflections in it (lines of h k l F)");
        assert_eq!(error("1 1 1 1\n1 2 3\n"), "P1.hkl:2: 3 columns in \"1 2 3\", needs four: h k l F");
        assert_eq!(error("1 1 1 1\n\n1 3.5 1 1"), "P1.hkl:3: k: \"3.5\" is not an integer");
        assert_eq!(error("1 1 one 1"), "P1.hkl:1: l: \"one\" is not a number");
        assert_eq!(error("1 1 1 NaN"), "P1.hkl:1: F: \"NaN\" is not a finite number");
        assert_eq!(error("1 1 1 -inf"), "P1.hkl:1: F: \"-inf\" is not a finite number");
        assert_eq!(error("1 1 1 1e999"), "P1.hkl:1: F: \"1e999\" is not a finite number");
        assert_eq!(error("1 1 1 1,5"), "P1.hkl:1: F: \"1,5\" is not a number");
        assert_eq!(error("1,1,1,1"), "P1.hkl:1: 1 columns in \"1,1,1,1\", needs four: h k l F");
        assert_eq!(error("1 1 1 1\nnan 1 1 1"), "P1.hkl:2: h: \"nan\" is not a finite number");
        assert_eq!(error("3000000000 1 1 1"), "P1.hkl:1: h: \"3000000000\" is too large for an index");
        assert!(error("0 0 0 1\n999 999 999 1\n").contains("1000 x 1000 x 1000 cells needs 7.5 GiB"));
        assert!(parse(b"1 1 1 \xff\xfe").unwrap_err().contains("is not a number"));
        assert!(parse(&vec![b'1'; BLOCK_BYTES + 10]).unwrap_err().starts_with("P1.hkl:1: longer than"));
        let none = read_hkl(Path::new("/nowhere/P1.hkl"), 0.0).unwrap_err();
        assert!(none.to_string().starts_with("/nowhere/P1.hkl: cannot read: "), "{none}");
    }

    /// A reader that gives a few bytes at a time, to put block borders everywhere.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(to.len());
            self.0.read(&mut to[..length])
        }
    }

    #[test]
    fn blocks_may_end_anywhere() {
        let text = b"1 2 3 4.5\n# comment\n-1 2 3 5.5\n1 2 4 6.25";
        let whole = parse(text).unwrap();
        for step in 1..text.len() {
            let table = parse_hkl(Drops(text, step), Path::new("P1.hkl"), 0.0, LIMIT).unwrap();
            assert_eq!(table, whole);
        }
        let many: String = (0..200_000).map(|i| format!("{} {} 0 {}.25\n", i % 50, i % 30, i)).collect();
        assert!(many.len() > 2 * BLOCK_BYTES);
        assert_eq!(parse(many.as_bytes()).unwrap().data[0], 199_950.25);
    }

    #[test]
    fn line_numbers_count_across_blocks() {
        let mut text = "1 1 1 1\n".repeat(300_000);
        text.push_str("bad\n");
        assert!(error(&text).starts_with("P1.hkl:300001: "));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn arbitrary_tables_of_number_like_words_never_panic(text in "[-+.0-9einaf# \t\r\n]{0,120}") {
            prop_assert_eq!(with_box(text.as_bytes()), parse(text.as_bytes()));
        }

        #[test]
        fn arbitrary_lists_are_the_same_with_a_first_pass(
            lines in proptest::collection::vec(
                "(-?[0-9]( -?[0-9]){2,3}|0 0 0 0|1 2 3 [-x.0-9]{1,3}|END|a b|1 2 3 4( [0-9]){1,5})(\r|\n|\r\n)", 0..12),
        ) {
            let text = lines.concat();
            prop_assert_eq!(with_box(text.as_bytes()), parse(text.as_bytes()));
        }

        #[test]
        fn both_paths_read_the_same(h in -99_i32..99, f in "[+-]?[0-9]{1,9}(\\.[0-9]{0,9})?") {
            let plain = parse(format!("{h} 0 0 {f}\n").as_bytes()).unwrap();
            let slow = parse(format!("{h}.0 0 0 {f}\n").as_bytes()).unwrap();
            prop_assert_eq!(plain.h, (h, h));
            prop_assert_eq!(plain.data[0].to_bits(), slow.data[0].to_bits());
            prop_assert_eq!(plain.data[0].to_bits(), f.parse::<f64>().unwrap().to_bits());
        }

        #[test]
        fn what_is_written_reads_back_bit_for_bit(
            corner in [-1000_i32..1000, -1000..1000, -1000..1000],
            size in [1_i32..4, 1..4, 1..4],
            values in proptest::collection::vec(
                any::<f64>().prop_filter("finite", |value| value.is_finite()), 27),
        ) {
            let [h, k, l] = [0, 1, 2].map(|axis| (corner[axis], corner[axis] + size[axis] - 1));
            let mut table = HklTable::filled(h, k, l, 0.0, LIMIT).unwrap();
            let cells = table.data.len();
            table.data.copy_from_slice(&values[..cells]);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("P1.hkl");
            write_hkl(&path, &table).unwrap();
            let back = read_hkl(&path, 1.0).unwrap();
            prop_assert_eq!((back.h, back.k, back.l), (table.h, table.k, table.l));
            let bits = |data: &[f64]| data.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&back.data), bits(&table.data));
        }
    }
}
