//! From words to a command.
//!
//! A word that starts with `-` and a letter (or with `--`) is an option; everything else is a value, so `-1e-05` and
//! `-.5` are numbers. Special cases: `-4stol` is an option in spite of its digit, `-inf` a (refused) number in spite of
//! its letter; one stray word after a switch, as in `-curved_det yes`, is dropped with a note, since scripts hold it.

use super::{
    given::{Given, quoted, shown},
    model::{BenchOptions, Command, DemoOptions, Options, Shell},
    row::{Effect, Row, Scope},
    suggest::{unknown, unknown_command},
    table::{COMMANDS, RESERVED, find},
};
use crate::error::Failure;
use std::path::PathBuf;

/// Reads the command line, program name excluded.
///
/// # Errors
/// One line that names the option and its value; exit code 2.
pub fn parse(args: &[String]) -> Result<Command, Failure> {
    let Some((first, rest)) = args.split_first() else { return Ok(Command::Help) };
    match first.as_str() {
        "bench" => bench(rest),
        "demo" => demo(rest),
        "completions" => completions(rest),
        "man" => no_more("man", rest).map(|()| Command::Man),
        word if RESERVED.contains(&word) => Err(Failure::input(format!("{word}: not implemented yet"))),
        word if !is_option(word) => Err(unknown_command(word, &COMMANDS.map(|(name, _, _)| name))),
        _ => render(args),
    }
}

fn render(args: &[String]) -> Result<Command, Failure> {
    let mut walk = Walk::new(Scope::Render);
    if let Some(command) = walk.all(args)? {
        return Ok(command);
    }
    let options = walk.options;
    if let (Some(frames), Some([first, last])) = (options.frames, options.frame_range)
        && last > frames
    {
        return Err(Failure::input(format!(
            "--frame-range {first}:{last}: the series has {frames} frames (--frames)"
        )));
    }
    Ok(Command::Render(Box::new(options)))
}

fn bench(args: &[String]) -> Result<Command, Failure> {
    let mut walk = Walk::new(Scope::Bench);
    if let Some(command) = walk.all(args)? {
        return Ok(command);
    }
    let Options { simd, json, .. } = walk.options;
    Ok(Command::Bench(BenchOptions { simd, json }))
}

fn demo(args: &[String]) -> Result<Command, Failure> {
    let mut walk = Walk::new(Scope::Demo);
    if let Some(command) = walk.all(args)? {
        return Ok(command);
    }
    let Options { threads, simd, quiet, json, carryover_mode, .. } = walk.options;
    Ok(Command::Demo(DemoOptions { threads, simd, quiet, json, carryover_mode, out: walk.out }))
}

fn completions(args: &[String]) -> Result<Command, Failure> {
    let Some((word, rest)) = args.split_first() else {
        return Err(Failure::input("completions: needs a shell: bash, zsh or fish"));
    };
    let shell = match word.as_str() {
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        "--help" | "-help" | "-h" => return Ok(Command::Help),
        _ => return Err(Failure::input(format!("completions {}: expected bash, zsh or fish", shown(word)))),
    };
    no_more("completions", rest).map(|()| Command::Completions(shell))
}

fn no_more(command: &str, rest: &[String]) -> Result<(), Failure> {
    match rest.first() {
        None => Ok(()),
        Some(word) => Err(Failure::input(format!("{command}: unexpected {}", quoted(word)))),
    }
}

/// The state while the words go by.
struct Walk {
    scope: Scope,
    options: Options,
    out: PathBuf,
    /// The option last met with its values, for the message about a stray word.
    last: String,
    /// Whether that was a switch of the reference's, after which one stray word is forgiven.
    forgiving: bool,
}

impl Walk {
    fn new(scope: Scope) -> Self {
        Self {
            scope,
            options: Options::default(),
            out: PathBuf::from("widebragg-demo"),
            last: String::new(),
            forgiving: false,
        }
    }

    /// Takes all words; a command where one of them (`--help`) ends the line.
    fn all(&mut self, args: &[String]) -> Result<Option<Command>, Failure> {
        let mut rest = args;
        while let Some((token, following)) = rest.split_first() {
            rest = following;
            if !is_option(token) {
                self.stray(token)?;
                continue;
            }
            let (name, attached) = match token.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some([value.to_owned()])),
                _ => (token.as_str(), None),
            };
            let row = find(name).ok_or_else(|| unknown(token, self.scope))?;
            if !row.scope.covers(self.scope) {
                return Err(self.misplaced(name));
            }
            let words = match &attached {
                Some(value) => attached_words(row, name, value)?,
                None => {
                    let (words, beyond) = following.split_at(following_words(row, name, following)?);
                    rest = beyond;
                    words
                }
            };
            let given = Given { row, typed: name, words };
            match row.effect {
                Effect::Set(set) => set(&mut self.options, &given)?,
                Effect::OutFolder => self.out = given.path()?,
                Effect::Help => return Ok(Some(Command::Help)),
                Effect::Version => return Ok(Some(Command::Version)),
            }
            self.last = given.shown();
            self.forgiving = words.is_empty() && !row.has_two_dashes();
        }
        Ok(None)
    }

    fn stray(&mut self, word: &str) -> Result<(), Failure> {
        if self.forgiving {
            self.forgiving = false;
            self.options.note(format!(
                "{} after {} is ignored: the option takes no value",
                quoted(word),
                self.last
            ));
            return Ok(());
        }
        let place = if self.last.is_empty() { "demo" } else { &self.last };
        Err(Failure::input(format!("stray word {} after {place}", quoted(word))))
    }

    fn misplaced(&self, name: &str) -> Failure {
        match self.scope {
            Scope::Bench => Failure::input(format!("{}: not an option of bench", shown(name))),
            Scope::Demo => Failure::input(format!("{}: not an option of demo", shown(name))),
            _ => Failure::input(format!("{}: an option of demo only", shown(name))),
        }
    }
}

/// Whether a word is an option rather than a value.
fn is_option(word: &str) -> bool {
    let Some(name) = word.strip_prefix('-') else { return false };
    match name.chars().next() {
        Some('-') => true,
        Some(c) if c.is_alphabetic() => word.parse::<f64>().is_err(),
        _ => find(word).is_some(),
    }
}

/// How many of the following words belong to the option.
fn following_words(row: &Row, name: &str, following: &[String]) -> Result<usize, Failure> {
    let (least, most) = row.takes.count(following);
    let there = following.iter().take(most).take_while(|word| !is_option(word)).count();
    if there >= least {
        return Ok(there);
    }
    let names = row.takes.shown();
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

/// The words of `--name=value`.
fn attached_words<'a>(row: &Row, name: &str, value: &'a [String; 1]) -> Result<&'a [String], Failure> {
    let [word] = value;
    match row.takes.count(value) {
        (0, 0) => Err(Failure::input(format!("{}={}: the option takes no value", shown(name), shown(word)))),
        _ => Ok(value),
    }
}
