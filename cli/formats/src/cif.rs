//! CIF 1.1, the text format of crystallography: blocks of tables, read one row at a time.
//!
//! A file is a sequence of blocks, which `data_NAME` begins, and a block a sequence of tables. A table is a loop, or
//! the single items between two loops, which are a table of one row. So every value is in a column of a table, and
//! readers need one way to find it.
//!
//! ```text
//! data_r1abcsf                     a block
//! _cell.length_a  31.2(1)          an item: a tag and its value
//! _struct.title   'it's a title'   ends at a quote before a blank
//! loop_                            a loop: tags, then the values of all rows
//! _refln.index_h
//! _refln.F_meas_au
//! 1 514.4
//! 2 ?                              ? and . without quotes: no value
//! ```
//!
//! Tags and keywords are read in any case. A `#` begins a comment where a token could begin. A text field goes from a
//! line that begins with `;` to the next such line. Lines end in LF or CR LF; other control characters count as blanks,
//! and a NUL is refused. Bytes that are not UTF-8 become replacement characters. Save frames, of which dictionaries
//! consist, are refused.
//!
//! Source: S. R. Hall, J. D. Westbrook, N. Spadaccini, I. D. Brown, H. J. Bernstein, B. McMahon, "Specification of the
//! Crystallographic Information File", International Tables for Crystallography G, 2.2 (2006).
//!
//! Cost: one pass over the lines; the memory holds one line, the tags of a table and one row.
//!
//! ```
//! use std::path::Path;
//! use widebragg_formats::cif::{CifReader, Event};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut file = &b"data_a\nloop_\n_refln.index_h\n_refln.F_meas_au\n1 514.4(2)\n2 ?\n"[..];
//! let mut reader = CifReader::new(&mut file, Path::new("a.cif"));
//! let (mut column, mut amplitudes) = (None, Vec::new());
//! while let Some(event) = reader.next_event()? {
//!     match event {
//!         Event::Block(name) => assert_eq!(name, "a"),
//!         Event::Table(tags) => column = tags.iter().position(|tag| tag == "_refln.f_meas_au"),
//!         Event::Row(row) => {
//!             let value = column.and_then(|column| row.value(column));
//!             amplitudes.push(value.map(|value| value.number()).transpose()?.flatten());
//!         }
//!     }
//! }
//! assert_eq!(amplitudes, [Some(514.4), None]);
//! # Ok(())
//! # }
//! ```

use core::ops::Range;
use std::io::{BufRead, Read as _};
use std::path::Path;

use crate::decimal::plain_decimal;
use crate::failure::Failure;
use crate::memory::{append, push};
use crate::text::{at_line, cannot_read, finite, in_file, shown};

/// Longest line; the format itself allows 2048 characters.
const LONGEST_LINE_BYTES: usize = 1 << 20;

/// May begin a text in UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A part of a file, in the order of the file.
#[derive(Debug, Clone, Copy)]
pub enum Event<'r> {
    /// A block begins; its name as it is written, without `data_`.
    Block(&'r str),
    /// A table begins; the tags of its columns in lower case, with their `_`.
    Table(&'r [String]),
    /// A row of the table, with a value for each tag.
    Row(Row<'r>),
}

/// A row of a table.
#[derive(Debug, Clone, Copy)]
pub struct Row<'r> {
    text: &'r str,
    spans: &'r [Span],
}

/// A value of a row.
#[derive(Debug, Clone, Copy)]
pub struct Value<'r> {
    text: &'r str,
    is_quoted: bool,
    line: u64,
}

impl<'r> Row<'r> {
    /// The value in a column, which counts from 0; `None` where the table has fewer columns.
    #[must_use]
    pub fn value(&self, column: usize) -> Option<Value<'r>> {
        let span = self.spans.get(column)?;
        let text = self.text.get(span.bytes.clone())?;
        Some(Value { text, is_quoted: span.is_quoted, line: span.line })
    }
}

impl<'r> Value<'r> {
    /// The text, without quotes; `None` for `?` and `.`, which stand for a missing value.
    #[must_use]
    pub fn known(&self) -> Option<&'r str> {
        let is_missing = !self.is_quoted && matches!(self.text, "?" | ".");
        (!is_missing).then_some(self.text)
    }

    /// The number, without its uncertainty in brackets; `None` for a missing value.
    ///
    /// # Errors
    /// A text that says that the value is not a finite number.
    pub fn number(&self) -> Result<Option<f64>, String> {
        let Some(text) = self.known() else { return Ok(None) };
        if let Some((number, end)) = plain_decimal(text.as_bytes(), 0)
            && end == text.len()
        {
            return Ok(Some(number));
        }
        finite(without_uncertainty(text)).map(Some).map_err(|_| not_a_number(text))
    }

    /// The line on which the value begins, counted from 1.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }
}

/// A number such as `12.3(4)` without its brackets.
fn without_uncertainty(text: &str) -> &str {
    let inner = text.strip_suffix(')').and_then(|text| text.rsplit_once('('));
    match inner {
        Some((number, digits)) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            number
        }
        _ => text,
    }
}

fn not_a_number(text: &str) -> String {
    format!("{} is not a finite number", shown(text.as_bytes()))
}

/// Where a value lies in the text of its row.
#[derive(Debug, Clone)]
struct Span {
    bytes: Range<usize>,
    is_quoted: bool,
    line: u64,
}

/// The token that comes next. Its text lies in the line, that of a text field in `field`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Block,
    Loop,
    Tag,
    Word,
    Quoted,
    Field,
    End,
}

impl Token {
    fn is_value(self) -> bool {
        matches!(self, Self::Word | Self::Quoted | Self::Field)
    }
}

/// What the reader is within.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Before the first block; the first token has not been read.
    Start,
    /// Between two tables of a block.
    Block,
    /// A loop, and the line on which it begins.
    Loop(u64),
    /// Items whose row has been read.
    Items,
}

/// What was read last.
#[derive(Debug, Clone, Copy)]
enum Read {
    Block,
    Table,
    Row,
}

/// Reads a CIF part by part.
pub struct CifReader<'a> {
    input: &'a mut dyn BufRead,
    path: &'a Path,
    /// The current line, its number from 1, and how far it has been read.
    line: String,
    line_number: u64,
    at: usize,
    /// The next token, its text, and the line on which it begins.
    token: Token,
    word: Range<usize>,
    field: String,
    token_line: u64,
    place: Place,
    block: String,
    tags: Vec<String>,
    row: String,
    spans: Vec<Span>,
}

impl core::fmt::Debug for CifReader<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CifReader")
            .field("path", &self.path)
            .field("line_number", &self.line_number)
            .field("block", &self.block)
            .finish_non_exhaustive()
    }
}

impl<'a> CifReader<'a> {
    /// A reader at the beginning of a file; `path` is its name in error messages.
    pub fn new(input: &'a mut dyn BufRead, path: &'a Path) -> Self {
        Self {
            input,
            path,
            line: String::new(),
            line_number: 0,
            at: 0,
            token: Token::End,
            word: 0..0,
            field: String::new(),
            token_line: 0,
            place: Place::Start,
            block: String::new(),
            tags: Vec::new(),
            row: String::new(),
            spans: Vec::new(),
        }
    }

    /// The next part; `None` at the end of the file, and after an error.
    ///
    /// # Errors
    /// The file cannot be read, needs more memory than there is, or breaks the rules of the format: a quote or a text
    /// field without end, a loop without tags or with an incomplete row, a tag without value, a value without tag, and
    /// anything but comments before the first `data_`.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, Failure> {
        let read = self.read().inspect_err(|_| {
            self.token = Token::End;
            self.place = Place::Block;
        })?;
        Ok(read.map(|read| match read {
            Read::Block => Event::Block(&self.block),
            Read::Table => Event::Table(&self.tags),
            Read::Row => Event::Row(Row { text: &self.row, spans: &self.spans }),
        }))
    }

    fn read(&mut self) -> Result<Option<Read>, Failure> {
        match self.place {
            Place::Start => {
                self.read_token()?;
                if !matches!(self.token, Token::Block | Token::End) {
                    return Err(self.refusal("the file does not begin with a data_ heading"));
                }
            }
            Place::Items => {
                self.place = Place::Block;
                return Ok(Some(Read::Row));
            }
            Place::Loop(begin) if self.token.is_value() => {
                self.read_row(begin)?;
                return Ok(Some(Read::Row));
            }
            Place::Loop(_) | Place::Block => {}
        }
        self.place = Place::Block;
        match self.token {
            Token::End => Ok(None),
            Token::Block => {
                self.block.clear();
                append(&mut self.block, &self.line[self.word.clone()]).ok_or_else(|| self.no_memory())?;
                self.read_token()?;
                Ok(Some(Read::Block))
            }
            Token::Loop => {
                self.read_tags()?;
                Ok(Some(Read::Table))
            }
            Token::Tag => {
                self.read_items()?;
                Ok(Some(Read::Table))
            }
            Token::Word | Token::Quoted | Token::Field => {
                Err(self.refusal(format!("the value {} has no tag", shown(self.token_text().as_bytes()))))
            }
        }
    }

    /// Reads the tags of a loop.
    fn read_tags(&mut self) -> Result<(), Failure> {
        let begin = self.token_line;
        self.tags.clear();
        self.read_token()?;
        while self.token == Token::Tag {
            self.take_tag()?;
        }
        if self.tags.is_empty() {
            return Err(at_line(self.path, begin, "a loop without tags"));
        }
        self.place = Place::Loop(begin);
        Ok(())
    }

    /// Reads items as a table of one row.
    fn read_items(&mut self) -> Result<(), Failure> {
        self.tags.clear();
        self.clear_row();
        while self.token == Token::Tag {
            let begin = self.token_line;
            self.take_tag()?;
            if !self.token.is_value() {
                let tag = self.tags.last().map_or("", String::as_str);
                return Err(at_line(self.path, begin, format!("{} has no value", shown(tag.as_bytes()))));
            }
            self.take_value()?;
        }
        self.place = Place::Items;
        Ok(())
    }

    /// Reads a row of the loop that begins at line `begin`.
    fn read_row(&mut self, begin: u64) -> Result<(), Failure> {
        self.clear_row();
        let first = self.token_line;
        for read in 0..self.tags.len() {
            if !self.token.is_value() {
                let columns = self.tags.len();
                let what = format!(
                    "the row has {read} of the {columns} values of the loop that begins at line {begin}"
                );
                return Err(at_line(self.path, first, what));
            }
            self.take_value()?;
        }
        Ok(())
    }

    fn clear_row(&mut self) {
        self.row.clear();
        self.spans.clear();
    }

    fn take_tag(&mut self) -> Result<(), Failure> {
        let tag = self.line[self.word.clone()].to_ascii_lowercase();
        push(&mut self.tags, tag).ok_or_else(|| self.no_memory())?;
        self.read_token()
    }

    fn take_value(&mut self) -> Result<(), Failure> {
        let start = self.row.len();
        let text = match self.token {
            Token::Field => self.field.as_str(),
            _ => &self.line[self.word.clone()],
        };
        let appended = append(&mut self.row, text).and_then(|()| {
            let bytes = start..self.row.len();
            let is_quoted = self.token != Token::Word;
            push(&mut self.spans, Span { bytes, is_quoted, line: self.token_line })
        });
        appended.ok_or_else(|| self.no_memory())?;
        self.read_token()
    }

    /// Reads the next token.
    fn read_token(&mut self) -> Result<(), Failure> {
        loop {
            let bytes = self.line.as_bytes();
            self.at = next_where(bytes, self.at, |byte| !is_blank(byte));
            self.token_line = self.line_number;
            match bytes.get(self.at) {
                None | Some(b'#') => {
                    if !self.read_line()? {
                        self.token = Token::End;
                        return Ok(());
                    }
                    if self.line.starts_with(';') {
                        self.token = Token::Field;
                        return self.read_field();
                    }
                }
                Some(&quote @ (b'\'' | b'"')) => {
                    self.token = Token::Quoted;
                    return self.read_quoted(quote);
                }
                Some(&first) => {
                    self.word = self.at..next_where(bytes, self.at, is_blank);
                    self.at = self.word.end;
                    self.token = match first {
                        b'_' => Token::Tag,
                        b'D' | b'd' | b'L' | b'l' | b'G' | b'g' | b'S' | b's' => self.keyword()?,
                        _ => Token::Word,
                    };
                    return Ok(());
                }
            }
        }
    }

    /// What a word is that may be a keyword. Of `data_NAME` the name becomes the word.
    fn keyword(&mut self) -> Result<Token, Failure> {
        const DATA: &str = "data_";
        let word = &self.line[self.word.clone()];
        let begins = |keyword: &str| {
            word.get(..keyword.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(keyword))
        };
        if begins(DATA) {
            self.word.start += DATA.len();
            return Ok(Token::Block);
        }
        if begins("loop_") && word.len() == "loop_".len() {
            return Ok(Token::Loop);
        }
        if begins("save_") {
            return Err(self.refusal("a save frame, which only dictionaries have"));
        }
        if ["global_", "stop_"].iter().any(|reserved| word.eq_ignore_ascii_case(reserved)) {
            return Err(self.refusal(format!("the keyword {} of another format", shown(word.as_bytes()))));
        }
        Ok(Token::Word)
    }

    /// Reads a value in quotes, which ends at a quote before a blank or the end of the line.
    fn read_quoted(&mut self, quote: u8) -> Result<(), Failure> {
        let bytes = self.line.as_bytes();
        let begin = self.at + 1;
        let mut from = begin;
        while let Some(end) = bytes[from..].iter().position(|&byte| byte == quote).map(|at| from + at) {
            if bytes.get(end + 1).is_none_or(|&byte| is_blank(byte)) {
                self.word = begin..end;
                self.at = end + 1;
                return Ok(());
            }
            from = end + 1;
        }
        Err(self.refusal(format!("the quote does not end: {}", shown(bytes[self.at..].trim_ascii_end()))))
    }

    /// Reads a text field, of which the first line has been read.
    fn read_field(&mut self) -> Result<(), Failure> {
        let begin = self.line_number;
        self.token_line = begin;
        self.field.clear();
        let mut is_first = true;
        while is_first || !self.line.starts_with(';') {
            let line = self.line.trim_end_matches(['\n', '\r']);
            let more = if is_first { line.get(1..).unwrap_or_default() } else { line };
            let break_before = if is_first { "" } else { "\n" };
            append(&mut self.field, break_before)
                .and_then(|()| append(&mut self.field, more))
                .ok_or_else(|| at_line(self.path, begin, "no memory for the text field"))?;
            is_first = false;
            if !self.read_line()? {
                return Err(at_line(self.path, begin, "the text field does not end"));
            }
        }
        self.at = 1;
        Ok(())
    }

    /// Reads the next line; false at the end of the file.
    fn read_line(&mut self) -> Result<bool, Failure> {
        let mut bytes = core::mem::take(&mut self.line).into_bytes();
        bytes.clear();
        (&mut *self.input)
            .take(LONGEST_LINE_BYTES as u64 + 1)
            .read_until(b'\n', &mut bytes)
            .map_err(|error| cannot_read(self.path, &error))?;
        if bytes.is_empty() {
            return Ok(false);
        }
        self.line_number += 1;
        let refusal = |what: String| Err(at_line(self.path, self.line_number, what));
        if bytes.len() > LONGEST_LINE_BYTES {
            return refusal(format!("longer than {LONGEST_LINE_BYTES} bytes, not a CIF"));
        }
        if bytes.contains(&0) {
            return refusal("a NUL byte, which no text has".to_owned());
        }
        self.line = String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        self.at = if self.line_number == 1 && self.line.starts_with(BYTE_ORDER_MARK) {
            BYTE_ORDER_MARK.len_utf8()
        } else {
            0
        };
        Ok(true)
    }

    fn token_text(&self) -> &str {
        match self.token {
            Token::Field => &self.field,
            Token::End => "",
            _ => &self.line[self.word.clone()],
        }
    }

    fn refusal(&self, what: impl AsRef<str>) -> Failure {
        at_line(self.path, self.token_line, what)
    }

    fn no_memory(&self) -> Failure {
        in_file(self.path, format!("no memory for what line {} holds", self.token_line))
    }
}

#[inline]
fn is_blank(byte: u8) -> bool {
    byte <= b' '
}

/// Position of the first byte from `at` on for which `holds`.
#[inline]
fn next_where(bytes: &[u8], at: usize, holds: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().position(|&byte| holds(byte)).map_or(bytes.len(), |distance| at + distance)
}

/// Whether the first word that is no comment belongs to CIF, perhaps at a wrong place.
pub(crate) fn begins(start: &[u8]) -> bool {
    let mut text = start.strip_prefix("\u{feff}".as_bytes()).unwrap_or(start).trim_ascii_start();
    while text.starts_with(b"#") {
        let end = text.iter().position(|&byte| byte == b'\n').unwrap_or(text.len());
        text = text[end..].trim_ascii_start();
    }
    let is_tag = text.starts_with(b"_") && text.get(1).is_some_and(u8::is_ascii_alphabetic);
    is_tag || [&b"data_"[..], b"loop_", b"save_"].iter().any(|keyword| begins_with(text, keyword))
}

/// Whether `text` begins with `word`, in any case.
fn begins_with(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All parts of a file as text: `=name`, `[tags]`, and rows in which quoted values have `"` before them.
    fn parts(file: &[u8]) -> Result<Vec<String>, String> {
        let mut file = file;
        let mut reader = CifReader::new(&mut file, Path::new("a.cif"));
        let mut parts = Vec::new();
        while let Some(event) = reader.next_event().map_err(|failure| failure.to_string())? {
            parts.push(match event {
                Event::Block(name) => format!("={name}"),
                Event::Table(tags) => format!("[{}]", tags.join(" ")),
                Event::Row(row) => {
                    let values = (0..).map_while(|column| row.value(column));
                    let shown = values.map(|value| {
                        let mark = if value.is_quoted { "\"" } else { "" };
                        format!("{mark}{}", value.text)
                    });
                    shown.collect::<Vec<_>>().join("|")
                }
            });
        }
        assert!(reader.next_event().is_ok_and(|event| event.is_none()));
        Ok(parts)
    }

    fn refusal(file: &str) -> String {
        parts(file.as_bytes()).unwrap_err()
    }

    #[test]
    fn blocks_hold_loops_and_items() {
        let file = "\u{feff}# x\n\ndata_One _A.b 1 _C.D\n 2#3\nloop_\n_e.f _e.G # tags\n 1 2 3\n4\n_h 5\nData_two LOOP_ _i _j data_";
        let expected = [
            "=One",
            "[_a.b _c.d]",
            "1|2#3",
            "[_e.f _e.g]",
            "1|2",
            "3|4",
            "[_h]",
            "5",
            "=two",
            "[_i _j]",
            "=",
        ];
        assert_eq!(parts(file.as_bytes()).unwrap(), expected);
        assert_eq!(parts(file.replace('\n', "\r\n").as_bytes()).unwrap(), expected);
        assert_eq!(parts(b"").unwrap(), [""; 0]);
        assert_eq!(parts(b"# only\n").unwrap(), [""; 0]);
    }

    #[test]
    fn values_are_words_quotes_and_text_fields() {
        let items = "data_\n_a 'it's a \"title\"' _b \"'\"\n_c ;x; _d ''\n_e\n;first \nloop_ _x\n ;\n\n;_f b'c _g $[x]\t_h .5 _i _. _j data";
        // `_i` has no value: `_.` is a tag.
        assert_eq!(refusal(items), "a.cif:9: \"_i\" has no value");
        let whole = items.replace("_i _. ", "_i '_.' ");
        assert_eq!(
            parts(whole.as_bytes()).unwrap()[2],
            "\"it's a \"title\"|\"'|;x;|\"|\"first \nloop_ _x\n ;\n|b'c|$[x]|.5|\"_.|data"
        );
        assert_eq!(parts(b"data_a _b \xc5\xff'\x01_c\x021").unwrap()[2], "\u{fffd}\u{fffd}'|1");
    }

    #[test]
    fn missing_values_and_numbers() {
        let number = |text: &str, is_quoted| Value { text, is_quoted, line: 1 }.number();
        for (text, expected) in [
            ("12.3(4)", Some(12.3)),
            ("-1.5e3(12)", Some(-1500.0)),
            ("7", Some(7.0)),
            ("+.25", Some(0.25)),
            ("1e-400", Some(0.0)),
            ("?", None),
            (".", None),
        ] {
            assert_eq!(number(text, false), Ok(expected), "{text}");
        }
        for text in ["abc", "1.2(", "1.2()", "1.2(a)", "(3)", "nan", "inf(1)", "1e999", "1,5", ""] {
            let error = number(text, false).unwrap_err();
            assert!(error.ends_with("is not a finite number"), "{text}: {error}");
        }
        assert!(number("?", true).is_err());
        let quoted = |text, is_quoted| Value { text, is_quoted, line: 1 }.known();
        assert_eq!(
            [quoted("?", true), quoted("?", false), quoted("?x", false)],
            [Some("?"), None, Some("?x")]
        );
    }

    #[test]
    fn what_breaks_the_rules_is_refused_with_its_line() {
        for (file, expected) in [
            ("\nloop_\n_a 1\n", "2: the file does not begin with a data_ heading"),
            ("_a 1", "1: the file does not begin with a data_ heading"),
            ("12 data_", "1: the file does not begin with a data_ heading"),
            ("data_\n_a 'b c\n'", "2: the quote does not end: \"'b c\""),
            ("data_\n_a \"b\"c", "2: the quote does not end: \"\\\"b\\\"c\""),
            ("data_\n_a\n;b\n ;\n", "3: the text field does not end"),
            ("data_\n_a\n;", "3: the text field does not end"),
            ("data_\nloop_ 1", "2: a loop without tags"),
            ("data_\nloop_", "2: a loop without tags"),
            ("data_\n1", "2: the value \"1\" has no tag"),
            ("data_\n_a 1\n;x\n;", "3: the value \"x\" has no tag"),
            ("data_ _a", "1: \"_a\" has no value"),
            ("data_\n_a\n\ndata_b", "2: \"_a\" has no value"),
            (
                "data_\nloop_ _a _b\n1 2\n3\n_c 1",
                "4: the row has 1 of the 2 values of the loop that begins at line 2",
            ),
            ("data_\nloop_ _a _b 1", "2: the row has 1 of the 2 values of the loop that begins at line 2"),
            ("data_\nsave_x", "2: a save frame, which only dictionaries have"),
            ("data_ _a 1 STOP_", "1: the keyword \"STOP_\" of another format"),
            ("data_\n# \0", "2: a NUL byte, which no text has"),
        ] {
            assert_eq!(refusal(file), format!("a.cif:{expected}"), "{file:?}");
        }
        let long = format!("data_\n{}", "x".repeat(LONGEST_LINE_BYTES + 1));
        assert_eq!(refusal(&long), "a.cif:2: longer than 1048576 bytes, not a CIF");
    }

    #[test]
    fn values_know_their_lines() {
        let mut file = &b"data_\nloop_\n_a\n_b\n1\n;2\n3\n; 4 5\n"[..];
        let mut reader = CifReader::new(&mut file, Path::new("a.cif"));
        let mut lines = Vec::new();
        while let Some(event) = reader.next_event().unwrap() {
            if let Event::Row(row) = event {
                lines.extend([0, 1, 2].map(|column| row.value(column).map(|value| value.line())));
            }
        }
        assert_eq!(lines, [Some(5), Some(6), None, Some(8), Some(8), None]);
    }

    fn piece() -> impl Strategy<Value = String> {
        let word = prop::sample::select(vec![
            "data_", "loop_", "save_", "_a", "_b.c", "\n;", "\n", "'", "\"", " ", "#", "1.5(2)", "?", ".",
            "\r\n", "\0",
        ]);
        prop_oneof![8 => word.prop_map(str::to_owned), 1 => any::<String>()]
    }

    proptest! {
        #[test]
        fn no_bytes_panic(pieces in prop::collection::vec(piece(), 0..40), end in any::<Vec<u8>>()) {
            let _ = parts(&[pieces.concat().as_bytes(), &end].concat());
            let _ = parts(&[b"data_a\n", pieces.concat().as_bytes(), &end].concat());
        }
    }
}
