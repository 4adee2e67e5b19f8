//! Reads the words of a command line one by one.
//!
//! A word that starts with `-` and a letter (or with `--`) is an option; everything else is a value, so
//! `-1e-05` and `-.5` are numbers. Special cases: `-4stol` is an option in spite of its digit, `-inf` a
//! (refused) number in spite of its letter; one stray word after a switch, as in `-curved_det yes`, is
//! dropped with a note, since existing scripts contain it.

use super::{
    given::Given,
    message::{quoted, shown},
    row::OptionSpec,
    takes::Takes,
};
use crate::error::Failure;

/// The options that every command has. They end the command line.
pub(super) static GENERAL: [OptionSpec; 2] = [HELP, VERSION];

const HELP: OptionSpec = OptionSpec {
    aliases: &["-h", "-help"],
    ..OptionSpec::new("--help", Takes::Nothing, "print the help of the command")
};
const VERSION: OptionSpec = OptionSpec::new("--version", Takes::Nothing, "print the version");

/// What ends a command line before its last word.
pub(super) enum End {
    /// `--help`.
    Help,
    /// `--version`.
    Version,
}

/// The error about a word that is no option of the command.
pub(super) type Unknown<'a> = &'a dyn Fn(&str) -> Failure;

/// Options that are being filled in.
pub(super) trait Target {
    /// The option with this name, alias or prefix.
    fn find(&self, name: &str) -> Option<&'static OptionSpec>;
    /// Stores the values of an option that `find` finds.
    fn set(&mut self, given: &Given<'_>) -> Result<(), Failure>;
    /// Adds a line for standard error.
    fn note(&mut self, note: String);
}

/// The state between two words of the command line.
pub(super) struct Reader<'a> {
    command: &'a str,
    target: &'a mut dyn Target,
    /// Words that are neither options nor values, where the command takes such.
    operands: Option<Vec<String>>,
    /// The last option with its values, for the message about a stray word.
    last: String,
    /// Whether that was a switch of the reference's, after which one stray word is dropped.
    forgiving: bool,
}

impl<'a> Reader<'a> {
    pub fn new(command: &'a str, target: &'a mut dyn Target, takes_operands: bool) -> Self {
        let operands = takes_operands.then(Vec::new);
        Self { command, target, operands, last: String::new(), forgiving: false }
    }

    /// Reads all words, or those up to one that ends the command line.
    pub fn read(&mut self, args: &[String], unknown: Unknown<'_>) -> Result<Option<End>, Failure> {
        let mut rest = args;
        while let Some((token, following)) = rest.split_first() {
            rest = following;
            if !self.is_option(token) {
                self.stray(token)?;
                continue;
            }
            let (name, attached) = match token.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some([value.to_owned()])),
                _ => (token.as_str(), None),
            };
            let spec = self.target.find(name).ok_or_else(|| unknown(token))?;
            let words = match &attached {
                Some(value) => attached_words(&spec.takes, name, value)?,
                None => {
                    let count = self.following_words(&spec.takes, name, following)?;
                    let (words, beyond) = following.split_at(count);
                    rest = beyond;
                    words
                }
            };
            if spec.name == HELP.name {
                return Ok(Some(End::Help));
            }
            if spec.name == VERSION.name {
                return Ok(Some(End::Version));
            }
            let given = Given { takes: spec.takes, typed: name, words };
            self.target.set(&given)?;
            self.last = given.shown();
            self.forgiving = words.is_empty() && !spec.has_two_dashes();
        }
        Ok(None)
    }

    /// The words that are neither options nor values.
    pub fn into_operands(self) -> Vec<String> {
        self.operands.unwrap_or_default()
    }

    /// Whether a word is an option rather than a value.
    fn is_option(&self, word: &str) -> bool {
        is_option(word, |name| self.target.find(name).is_some())
    }

    /// Keeps, drops or refuses a word that is neither an option nor a value.
    fn stray(&mut self, word: &str) -> Result<(), Failure> {
        if let Some(operands) = &mut self.operands {
            operands.push(word.to_owned());
            return Ok(());
        }
        if self.forgiving {
            self.forgiving = false;
            let switch = &self.last;
            self.target
                .note(format!("{} after {switch} is ignored: the option takes no value", quoted(word)));
            return Ok(());
        }
        let place = if self.last.is_empty() { self.command } else { &self.last };
        Err(Failure::input(format!("stray word {} after {place}", quoted(word))))
    }

    /// The number of following words that are values of the option.
    fn following_words(&self, takes: &Takes, name: &str, following: &[String]) -> Result<usize, Failure> {
        let (least, most) = takes.count(following);
        let there = following.iter().take(most).take_while(|word| !self.is_option(word)).count();
        if there >= least {
            return Ok(there);
        }
        let names = takes.placeholder();
        let wanted = match (least, most) {
            (1, 1) => format!("a value ({names})"),
            (least, most) if least == most => format!("{least} values ({names})"),
            (least, most) => format!("{least} to {most} values ({names})"),
        };
        let found = match (there, following.get(there)) {
            (0, None) => "nothing follows".to_owned(),
            (0, Some(word)) => format!("{} follows", shown(word)),
            (n, None) => format!("only {n} given"),
            (n, Some(word)) => format!("only {n} given before {}", shown(word)),
        };
        Err(Failure::input(format!("{}: needs {wanted}, but {found}", shown(name))))
    }
}

/// Whether a word is an option rather than a value; `known` is asked about names that start with a digit.
pub(super) fn is_option(word: &str, known: impl Fn(&str) -> bool) -> bool {
    let Some(name) = word.strip_prefix('-') else { return false };
    match name.chars().next() {
        Some('-') => true,
        Some(c) if c.is_alphabetic() => word.parse::<f64>().is_err(),
        _ => known(word),
    }
}

/// The value of `--name=value`.
fn attached_words<'a>(takes: &Takes, name: &str, value: &'a [String; 1]) -> Result<&'a [String], Failure> {
    let [word] = value;
    match takes.count(value) {
        (0, 0) => Err(Failure::input(format!("{}={}: the option takes no value", shown(name), shown(word)))),
        _ => Ok(value),
    }
}
