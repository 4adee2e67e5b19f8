//! Reflections of CNS and X-PLOR.
//!
//! A text of words. `{..}` and `!..` are comments, `=` is a blank, case does not matter, and of keywords four letters
//! count:
//!
//! ```text
//! NREFlection n   ANOMalous TRUE|FALSE   HERMitian TRUE|FALSE   DECLare .. END   GROUp .. END
//! INDEx h k l  NAME value [phase]  NAME value [phase] ..
//! ```
//!
//! A reflection ends where the next begins, over line ends. Taken is the column that a user names, or else the first of
//! FOBS, F, FO, IOBS (intensities) and FCALC that has a value in the file. Cell and space group stand, if at all, in a
//! line `REMARK sg=P2(1)2(1)2(1) a= b= c= alpha= beta= gamma=`.
//!
//! Source: A. T. Brünger, CNS manual and X-PLOR 3.1 manual, "Reflection files".
//!
//! Cost: one pass. Where a better column turns up late, the rows before it have no value in it.

use std::io::BufRead;
use std::path::Path;

use widebragg_reflections::cell::Cell;
use widebragg_reflections::observations::{Hkl, Mates, Observations, Quantity};
use widebragg_reflections::symmetry::StatedSymmetry;

use crate::failure::Failure;
use crate::reflections::rows::{Lines, Rows, check_no_block, index, symbol, value, words_without_equals};
use crate::reflections::{Choice, Column, ReflectionFile};
use crate::text::{number, shown, words_of};

/// The columns that are taken without being named, best first.
const DEFAULTS: [&str; 5] = ["FOBS", "F", "FO", "IOBS", "FCALC"];

/// More columns than any program writes.
const MOST_LABELS: usize = 100;

/// The words that begin a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keyword {
    Reflections,
    Anomalous,
    Hermitian,
    Declare,
    Group,
    Index,
    Remark,
    End,
}

impl Keyword {
    fn of(word: &[u8]) -> Option<Self> {
        if word.eq_ignore_ascii_case(b"END") {
            return Some(Self::End);
        }
        let start: [u8; 4] = word.get(..4)?.try_into().ok()?;
        Some(match &start.map(|byte| byte.to_ascii_uppercase()) {
            b"NREF" => Self::Reflections,
            b"ANOM" => Self::Anomalous,
            b"HERM" => Self::Hermitian,
            b"DECL" => Self::Declare,
            b"GROU" => Self::Group,
            b"INDE" => Self::Index,
            b"REMA" => Self::Remark,
            _ => return None,
        })
    }
}

/// Whether a file that begins with `start` is of CNS or X-PLOR.
#[must_use]
pub fn begins(start: &[u8]) -> bool {
    let mut in_comment = false;
    for line in start.split(|&byte| byte == b'\n') {
        let mut words = Words { rest: line, in_comment: &mut in_comment };
        if let Some(word) = words.next() {
            return match Keyword::of(word) {
                None | Some(Keyword::End) => false,
                // A heading such as `index F` begins alike.
                Some(Keyword::Index) => words.next().is_none_or(is_number),
                Some(_) => true,
            };
        }
    }
    in_comment
}

/// The words of a line outside comments.
struct Words<'l, 's> {
    rest: &'l [u8],
    /// Whether the line begins within a comment, and then whether it ends in one.
    in_comment: &'s mut bool,
}

impl<'l> Iterator for Words<'l, '_> {
    type Item = &'l [u8];

    fn next(&mut self) -> Option<&'l [u8]> {
        let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'=';
        loop {
            if *self.in_comment {
                let close = self.rest.iter().position(|&byte| byte == b'}')?;
                self.rest = &self.rest[close + 1..];
                *self.in_comment = false;
            }
            let start = self.rest.iter().position(|byte| !is_blank(byte))?;
            self.rest = &self.rest[start..];
            match self.rest[0] {
                b'!' => self.rest = &[],
                b'{' => {
                    self.rest = &self.rest[1..];
                    *self.in_comment = true;
                }
                _ => {
                    let ends = |byte: &u8| is_blank(byte) || matches!(byte, b'{' | b'!');
                    let end = self.rest.iter().position(ends).unwrap_or(self.rest.len());
                    let (word, rest) = self.rest.split_at(end);
                    self.rest = rest;
                    return Some(word);
                }
            }
        }
    }
}

/// Whether a word is a number, or else the name of a column.
fn is_number(word: &[u8]) -> bool {
    word.first().is_some_and(|first| first.is_ascii_digit() || b"+-.".contains(first))
}

/// Reads the reflections; `path` is the stream's name in error messages.
///
/// # Errors
/// The stream cannot be read, is not of CNS, or ends within a statement; a word is not what it should be; no reflection
/// has a value in the column of the choice, or in one of those that are taken without a choice.
pub fn parse(input: &mut dyn BufRead, path: &Path, choice: &Choice) -> Result<ReflectionFile, Failure> {
    let lines = &mut Lines::new(input, path);
    check_no_block(lines, choice, "a file of CNS")?;
    let wanted = Wanted::of(choice).map_err(|what| lines.file_failure(what))?;
    let mut reader = Reader::new(wanted);
    let mut in_comment = false;
    while lines.advance()? {
        let line = lines.current();
        if !in_comment && words_of(line).next().and_then(Keyword::of) == Some(Keyword::Remark) {
            reader.remark(line);
            continue;
        }
        let mut words = Words { rest: line, in_comment: &mut in_comment };
        words.try_for_each(|word| reader.word(word)).map_err(|what| lines.failure(what))?;
    }
    if in_comment {
        return Err(lines.failure("the file is cut: a comment has no end"));
    }
    reader.end().map_err(|what| lines.failure(format!("the file is cut: {what}")))?;
    reader.into_file(lines)
}

/// Which columns are taken.
enum Wanted {
    /// The best of [`DEFAULTS`].
    Default,
    /// The column of this name.
    Named(String),
}

impl Wanted {
    /// What a choice names besides sigmas.
    fn of(choice: &Choice) -> Result<Self, String> {
        let mut values = choice.columns.iter().filter(|label| kind_of(label) != "uncertainty");
        match (values.next(), values.next()) {
            (None, _) if choice.columns.is_empty() => Ok(Self::Default),
            (None, _) => Err("only sigmas are chosen".into()),
            (Some(label), None) if matches!(kind_of(label), "amplitude" | "intensity") => {
                Ok(Self::Named(label.clone()))
            }
            (Some(label), None) => Err(format!(
                "column {} is a {}, no amplitude or intensity",
                shown(label.as_bytes()),
                kind_of(label)
            )),
            (Some(_), Some(_)) => Err("one column of CNS can be chosen, as mates are not apart in it".into()),
        }
    }

    /// How good a column is, 0 the best; `None` for one that is not taken.
    fn rank(&self, label: &str) -> Option<usize> {
        match self {
            Self::Named(named) => named.eq_ignore_ascii_case(label).then_some(0),
            Self::Default => DEFAULTS.iter().position(|default| default.eq_ignore_ascii_case(label)),
        }
    }
}

/// What a column holds, by its label, in words.
fn kind_of(label: &str) -> &'static str {
    let label = label.to_ascii_uppercase();
    let begins = |starts: &[&str]| starts.iter().any(|start| label.starts_with(start));
    if begins(&["SIG"]) {
        "uncertainty"
    } else if begins(&["PHA", "PHI"]) {
        "phase"
    } else if begins(&["FOM", "WEIG"]) {
        "weight"
    } else if begins(&["TEST", "FREE"]) {
        "free flag"
    } else if ["PA", "PB", "PC", "PD"].contains(&label.as_str()) {
        "Hendrickson-Lattman coefficient"
    } else if begins(&["I"]) {
        "intensity"
    } else {
        "amplitude"
    }
}

/// A column of the file, and how often it has a value.
struct Label {
    name: String,
    kind: &'static str,
    rank: Option<usize>,
    present: usize,
}

/// What the next word is.
#[derive(Clone, Copy)]
enum Expected {
    /// A keyword.
    Statement,
    /// The value of NREFlection, ANOMalous or HERMitian.
    Value(Keyword),
    /// A word of DECLare or GROUp; whether it is the name of a column.
    Block { declares: bool, is_name: bool },
    /// An index, the n-th of a reflection.
    Index(usize),
    /// The name of a column.
    Name,
    /// The value of the column of this number in the labels.
    Number(usize),
    /// A phase, or as [`Expected::Name`].
    PhaseOrName,
}

/// Reads word by word.
struct Reader {
    wanted: Wanted,
    expected: Expected,
    labels: Vec<Label>,
    /// Whether columns are declared, so that the number of reflections is exact.
    declares: bool,
    count: Option<usize>,
    mates: Mates,
    cell: Option<Cell>,
    name: Option<String>,
    /// The reflection that is being read: its indices, best value with the rank of its column, and sigma.
    hkl: Hkl,
    best: Option<(usize, f64)>,
    sigma: Option<f64>,
    /// The rows, with the values of the column that is the best so far, which has this rank.
    rows: Rows,
    rank: usize,
}

impl Reader {
    fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            expected: Expected::Statement,
            labels: Vec::new(),
            declares: false,
            count: None,
            mates: Mates::AsListed,
            cell: None,
            name: None,
            hkl: [0; 3],
            best: None,
            sigma: None,
            rows: Rows::default(),
            rank: usize::MAX,
        }
    }

    /// Takes cell and group from a remark that has them.
    fn remark(&mut self, line: &[u8]) {
        let after = |key: &[u8]| {
            let mut words = words_without_equals(line).skip(1);
            words.find(|word| word.eq_ignore_ascii_case(key))?;
            words.next()
        };
        let Some(group) = after(b"sg") else { return };
        self.name = symbol("sg", group).ok();
        let numbers =
            [&b"a"[..], b"b", b"c", b"alpha", b"beta", b"gamma"].map(|key| number(after(key)?).ok());
        if let [Some(a), Some(b), Some(c), Some(alpha), Some(beta), Some(gamma)] = numbers {
            self.cell = Some(Cell::from([a, b, c, alpha, beta, gamma]));
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), String> {
        match self.expected {
            Expected::Statement => self.statement(word)?,
            Expected::Value(keyword) => {
                self.setting(keyword, word)?;
                self.expected = Expected::Statement;
            }
            Expected::Block { .. } if Keyword::of(word) == Some(Keyword::End) => {
                self.expected = Expected::Statement;
            }
            Expected::Block { declares, is_name } => {
                if is_name {
                    self.label(word)?;
                }
                let is_name = declares && !is_name && word.eq_ignore_ascii_case(b"NAME");
                self.expected = Expected::Block { declares, is_name };
            }
            Expected::Index(axis) => {
                self.hkl[axis] = index(["h", "k", "l"][axis], word)?;
                self.expected = if axis < 2 { Expected::Index(axis + 1) } else { Expected::Name };
            }
            Expected::Number(label) => self.number(label, word)?,
            Expected::PhaseOrName if is_number(word) => {
                value("phase", word)?;
                self.expected = Expected::Name;
            }
            Expected::Name | Expected::PhaseOrName => {
                if Keyword::of(word).is_some() {
                    self.store()?;
                    self.statement(word)?;
                } else {
                    self.expected = Expected::Number(self.label(word)?);
                }
            }
        }
        Ok(())
    }

    fn statement(&mut self, word: &[u8]) -> Result<(), String> {
        self.expected = match Keyword::of(word) {
            Some(keyword @ (Keyword::Reflections | Keyword::Anomalous | Keyword::Hermitian)) => {
                Expected::Value(keyword)
            }
            Some(Keyword::Declare) => {
                self.declares = true;
                Expected::Block { declares: true, is_name: false }
            }
            Some(Keyword::Group) => Expected::Block { declares: false, is_name: false },
            Some(Keyword::Index) => Expected::Index(0),
            Some(Keyword::End) => Expected::Statement,
            Some(Keyword::Remark) | None => {
                return Err(format!("{} begins no statement of CNS", shown(word)));
            }
        };
        Ok(())
    }

    fn setting(&mut self, keyword: Keyword, word: &[u8]) -> Result<(), String> {
        if keyword == Keyword::Reflections {
            let count = core::str::from_utf8(word).ok().and_then(|text| text.parse().ok());
            self.count = Some(count.ok_or_else(|| format!("NREFlection: {} is no count", shown(word)))?);
            return Ok(());
        }
        let is_true = match word.get(..4).unwrap_or(word).to_ascii_uppercase()[..] {
            [b'T', b'R', b'U', b'E'] => true,
            [b'F', b'A', b'L', b'S'] => false,
            _ => return Err(format!("{keyword:?}: {} is neither TRUE nor FALSE", shown(word))),
        };
        let is_merged = is_true == (keyword == Keyword::Hermitian);
        self.mates = if is_merged { Mates::Merged } else { Mates::AsListed };
        Ok(())
    }

    /// The number of a label.
    fn label(&mut self, word: &[u8]) -> Result<usize, String> {
        let is_it = |label: &Label| label.name.as_bytes().eq_ignore_ascii_case(word);
        if let Some(known) = self.labels.iter().position(is_it) {
            return Ok(known);
        }
        if !word.first().is_some_and(u8::is_ascii_alphabetic) {
            return Err(format!("{} is no name of a column", shown(word)));
        }
        if self.labels.len() == MOST_LABELS {
            return Err(format!("{} is one column too many, after {MOST_LABELS}", shown(word)));
        }
        let name = symbol("column", word)?;
        let (kind, rank) = (kind_of(&name), self.wanted.rank(&name));
        self.labels.push(Label { name, kind, rank, present: 0 });
        Ok(self.labels.len() - 1)
    }

    fn number(&mut self, at: usize, word: &[u8]) -> Result<(), String> {
        let label = &mut self.labels[at];
        if label.kind == "uncertainty" {
            self.sigma = Some(value(&label.name, word)?).filter(|&sigma| sigma > 0.0);
        } else {
            let value = value(&label.name, word)?;
            if let Some(rank) = label.rank.filter(|rank| self.best.is_none_or(|(best, _)| *rank <= best)) {
                self.best = Some((rank, value));
            }
        }
        label.present += 1;
        self.expected = Expected::PhaseOrName;
        Ok(())
    }

    /// Stores the reflection that was read.
    fn store(&mut self) -> Result<(), String> {
        self.rows.read += 1;
        let (best, sigma) = (self.best.take(), self.sigma.take());
        match best {
            Some((rank, value)) if rank <= self.rank => {
                if rank < self.rank {
                    self.rows.missing += self.rows.list.len();
                    self.rows.list.clear();
                    self.rank = rank;
                }
                self.rows.add(self.hkl, value, sigma)
            }
            _ => {
                self.rows.missing += 1;
                Ok(())
            }
        }
    }

    /// Ends the file where it may end.
    fn end(&mut self) -> Result<(), String> {
        match self.expected {
            Expected::Statement => Ok(()),
            Expected::Name | Expected::PhaseOrName => self.store(),
            Expected::Value(keyword) => Err(format!("{keyword:?} has no value")),
            Expected::Block { .. } => Err("DECLare or GROUp has no END".into()),
            Expected::Index(_) => Err("a reflection has no indices".into()),
            Expected::Number(label) => Err(format!("{} has no value", self.labels[label].name)),
        }
    }

    fn into_file(self, lines: &Lines) -> Result<ReflectionFile, Failure> {
        let Some(taken) = self.labels.iter().find(|label| label.rank == Some(self.rank)) else {
            return Err(lines.file_failure(self.nothing_taken()));
        };
        let mut warnings = Vec::new();
        if let Some(count) = self.count.filter(|&count| self.declares && count > self.rows.read) {
            let read = self.rows.read;
            warnings
                .push(format!("NREFlection says {count} reflections and the file has {read}: it may be cut"));
        }
        Ok(ReflectionFile {
            format: "CNS",
            cell: self.cell,
            symmetry: StatedSymmetry { name: self.name, ..StatedSymmetry::default() },
            wavelength_angstrom: None,
            taken: vec![taken.name.clone()],
            observations: Observations {
                quantity: if taken.kind == "intensity" { Quantity::Intensity } else { Quantity::Amplitude },
                list: self.rows.list,
                weighted: false,
                mates: self.mates,
            },
            columns: (self.labels.into_iter())
                .map(|Label { name, kind, present, .. }| Column { label: name, kind, present })
                .collect(),
            read: self.rows.read,
            missing: self.rows.missing,
            warnings,
        })
    }

    /// Why no column is taken.
    fn nothing_taken(&self) -> String {
        if self.rows.read == 0 {
            return "no reflections in it".into();
        }
        let names: Vec<&str> = self.labels.iter().map(|label| label.name.as_str()).collect();
        let columns = if names.is_empty() { "none".into() } else { names.join(", ") };
        match &self.wanted {
            Wanted::Named(label) => {
                format!("no value in a column {}; it has {columns}", shown(label.as_bytes()))
            }
            Wanted::Default => {
                format!("no value in {}; it has {columns}: name one of them", DEFAULTS.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_chosen(text: &str, columns: &[&str]) -> Result<ReflectionFile, String> {
        let columns = columns.iter().map(|&label| label.to_owned()).collect();
        let choice = Choice { columns, ..Choice::default() };
        parse(&mut text.as_bytes(), Path::new("x.hkl"), &choice).map_err(|error| error.to_string())
    }

    fn read(text: &str) -> Result<ReflectionFile, String> {
        read_chosen(text, &[])
    }

    fn values(file: &ReflectionFile) -> Vec<(Hkl, f64)> {
        file.observations.list.iter().map(|one| (one.hkl, one.value)).collect()
    }

    const DECLARED: &str = "{ over\n two lines } nref=2 ! INDE 9 9 9\nANOM=TRUE {a}DECLare NAME=FOBS DOMAin=RECI \
                            TYPE=COMP END\ndecl name=fcalc end GROUp TYPE=HL OBJEct=PA END\n\
                            INDE 0 0 2 FOBS= 295.88 45.00\n  SIGMA= 1.5 FCALC= 7 0.0 TEST= 1 INDEx -1 2\n\
                            3 fobs=-.5 SIGMA 0\nEND\n";

    #[test]
    fn words_comments_declarations_and_lines() {
        let file = read(DECLARED).unwrap();
        assert_eq!(values(&file), [([0, 0, 2], 295.88), ([-1, 2, 3], -0.5)]);
        assert_eq!(file.observations.list[0].sigma, Some(1.5));
        assert_eq!(file.observations.list[1].sigma, None);
        assert_eq!((file.read, file.missing, file.observations.mates), (2, 0, Mates::AsListed));
        let columns: Vec<_> =
            file.columns.iter().map(|one| (&one.label[..], one.kind, one.present)).collect();
        let expected = [
            ("FOBS", "amplitude", 2),
            ("fcalc", "amplitude", 1),
            ("SIGMA", "uncertainty", 2),
            ("TEST", "free flag", 1),
        ];
        assert_eq!(columns, expected);
        assert!(file.warnings.is_empty() && file.taken == ["FOBS"]);
    }

    #[test]
    fn a_column_by_name() {
        let file = read_chosen(DECLARED, &["FCALC", "SIGMA"]).unwrap();
        assert_eq!((values(&file), file.missing), (vec![([0, 0, 2], 7.0)], 1));
        assert_eq!(file.taken, ["fcalc"]);
        let error = |columns: &[&str]| read_chosen(DECLARED, columns).unwrap_err();
        assert_eq!(error(&["FOO"]), "x.hkl: no value in a column \"FOO\"; it has FOBS, fcalc, SIGMA, TEST");
        assert_eq!(error(&["TEST"]), "x.hkl: column \"TEST\" is a free flag, no amplitude or intensity");
        assert_eq!(error(&["SIGMA"]), "x.hkl: only sigmas are chosen");
        assert!(error(&["FOBS", "FCALC"]).contains("one column of CNS"));
    }

    #[test]
    fn the_best_column_is_taken_wherever_it_begins() {
        let file =
            read("INDE 1 0 0 FCALC= 5\nINDE 2 0 0 IOBS= 6 F= 7\nINDE 3 0 0 FCALC= 8\nINDE 4 0 0\n").unwrap();
        assert_eq!((values(&file), file.read, file.missing), (vec![([2, 0, 0], 7.0)], 4, 3));
        assert_eq!((&file.taken[0][..], file.observations.quantity), ("F", Quantity::Amplitude));
        let file = read("INDE 1 0 0 IOBS= -5 FCALC 3\n").unwrap();
        assert_eq!(
            (values(&file), file.observations.quantity),
            (vec![([1, 0, 0], -5.0)], Quantity::Intensity)
        );
        assert!(read("INDE 1 0 0 FNAT= 5\n").unwrap_err().ends_with("it has FNAT: name one of them"));
    }

    #[test]
    fn mates_are_as_stated() {
        let row = "INDE 1 0 0 FOBS= 5\n";
        for (statement, mates) in [
            ("", Mates::AsListed),
            ("ANOMalous=TRUE\n", Mates::AsListed),
            ("ANOMalous=FALSe\n", Mates::Merged),
            ("HERMitian TRUE\n", Mates::Merged),
            ("hermitian=false\n", Mates::AsListed),
        ] {
            assert_eq!(read(&format!("{statement}{row}")).unwrap().observations.mates, mates, "{statement}");
        }
    }

    #[test]
    fn cell_and_group_of_a_remark() {
        let row = "INDE 1 0 0 FOBS= 5\n";
        let remark = "REMARK a remark { without an end\n \
                      REMARK sg=P2(1) a= 31.2 b=40.5 c= 27.8 alpha= 90 beta=91 gamma= 90\n";
        let file = read(&format!("{remark}{row}")).unwrap();
        assert_eq!(file.symmetry.name.as_deref(), Some("P2(1)"));
        let cell = file.cell.unwrap();
        assert_eq!((cell.lengths_angstrom, cell.angles_deg), ([31.2, 40.5, 27.8], [90.0, 91.0, 90.0]));
        let file = read(&format!("REMARK sg=P1 a=1\n{row}")).unwrap();
        assert_eq!((file.symmetry.name.as_deref(), file.cell), (Some("P1"), None));
    }

    #[test]
    fn files_are_told_by_their_first_word() {
        for start in
            ["{ x", "{ x } NREF=3", " INDEx= 0 0 2", "! x\n\nanomalous=true", "REMARK x", "DECL", "INDE"]
        {
            assert!(begins(start.as_bytes()), "{start}");
        }
        for start in
            ["", "1 2 3 4", "# INDE", "{ x } 1 2 3 4", "index F", "INDX 1", "END", "{\"a\": {}, \"b\": 1}"]
        {
            assert!(!begins(start.as_bytes()), "{start}");
        }
    }

    #[test]
    fn errors_name_the_line() {
        let error = |text: &str| read(text).unwrap_err();
        let row = |row: &str| error(&format!("INDE 1 0 0 FOBS= 5\n{row}\n"));
        assert_eq!(row("INDE 1 0 0 FOBS= NaN SIGMA= 1"), "x.hkl:2: FOBS: \"NaN\" is not a finite number");
        assert_eq!(row("INDE 1 0 0 FOBS= 1e999"), "x.hkl:2: FOBS: \"1e999\" is not a finite number");
        assert_eq!(row("INDE 1 0 0 FOBS= SIGMA= 1"), "x.hkl:2: FOBS: \"SIGMA\" is not a number");
        assert_eq!(row("INDE 1 0.5 0"), "x.hkl:2: k: \"0.5\" is not an integer");
        assert_eq!(row("INDE 1 0 -1000001"), "x.hkl:2: l: \"-1000001\" is beyond the largest index, 1000000");
        assert_eq!(row("INDE 1 0 0 FOBS= 5 0 7"), "x.hkl:2: \"7\" is no name of a column");
        assert_eq!(row("END INDX 1"), "x.hkl:2: \"INDX\" begins no statement of CNS");
        assert_eq!(row("INDE 1 0"), "x.hkl:2: the file is cut: a reflection has no indices");
        assert_eq!(row("INDE 1 0 0 FOBS="), "x.hkl:2: the file is cut: FOBS has no value");
        assert_eq!(row("DECL NAME=FOBS"), "x.hkl:2: the file is cut: DECLare or GROUp has no END");
        assert_eq!(row("{ INDE"), "x.hkl:2: the file is cut: a comment has no end");
        assert_eq!(row("ANOM=MAYBE"), "x.hkl:2: Anomalous: \"MAYBE\" is neither TRUE nor FALSE");
        assert_eq!(row("NREF=x"), "x.hkl:2: NREFlection: \"x\" is no count");
        let many: String = (0..101).map(|label| format!(" A{label} 1")).collect();
        assert_eq!(row(&format!("INDE 1 0 0{many}")), "x.hkl:2: \"A99\" is one column too many, after 100");
        assert_eq!(error("{ only }\n"), "x.hkl: no reflections in it");
        let few = "NREF=3 DECL NAME=FOBS END\nINDE 1 0 0 FOBS= 5\n";
        assert_eq!(
            read(few).unwrap().warnings,
            ["NREFlection says 3 reflections and the file has 1: it may be cut"]
        );
    }
}
