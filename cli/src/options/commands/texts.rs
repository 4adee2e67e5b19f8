//! The commands that print a text: `widebragg help`, `completions` and `man`.

use super::super::{
    message::{quoted, shown},
    model::{Command, Shell},
    spec::{CommandSpec, EXIT_CODES},
    syntax::{Line, Operands, Syntax},
};
use crate::error::Failure;

pub(super) static HELP: CommandSpec = CommandSpec {
    name: "help",
    purpose: "print the help of a command or a topic",
    usage: &["help [COMMAND | TOPIC]"],
    syntax: &HELP_SYNTAX,
    exit_codes: EXIT_CODES,
    topics: &[],
};

pub(super) static COMPLETIONS: CommandSpec = CommandSpec {
    name: "completions",
    purpose: "print a completion script for a shell",
    usage: &["completions bash|zsh|fish"],
    syntax: &COMPLETIONS_SYNTAX,
    exit_codes: EXIT_CODES,
    topics: &[],
};

pub(super) static MAN: CommandSpec = CommandSpec {
    name: "man",
    purpose: "print the manual page, in roff",
    usage: &["man"],
    syntax: &MAN_SYNTAX,
    exit_codes: EXIT_CODES,
    topics: &[],
};

static HELP_SYNTAX: Syntax<()> = Syntax { operands: Operands::HelpSubject, ..Syntax::new(&[], make_help) };
static COMPLETIONS_SYNTAX: Syntax<()> =
    Syntax { operands: Operands::Choice(&["bash", "zsh", "fish"]), ..Syntax::new(&[], make_completions) };
static MAN_SYNTAX: Syntax<()> = Syntax::new(&[], |_| Ok(Command::Man));

fn make_help(line: Line<()>) -> Result<Command, Failure> {
    match &line.operands[..] {
        [] => Ok(Command::Help),
        [subject] => Ok(Command::HelpOn(subject.clone())),
        [_, more, ..] => Err(unexpected("help", more)),
    }
}

fn make_completions(line: Line<()>) -> Result<Command, Failure> {
    let (word, rest) = match &line.operands[..] {
        [] => return Err(Failure::input("completions: needs a shell: bash, zsh or fish")),
        [word, rest @ ..] => (word, rest),
    };
    let shell = match word.as_str() {
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        _ => return Err(Failure::input(format!("completions {}: expected bash, zsh or fish", shown(word)))),
    };
    match rest {
        [] => Ok(Command::Completions(shell)),
        [more, ..] => Err(unexpected("completions", more)),
    }
}

fn unexpected(command: &str, word: &str) -> Failure {
    Failure::input(format!("{command}: unexpected {}", quoted(word)))
}
