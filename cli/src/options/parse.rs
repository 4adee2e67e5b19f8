//! From the words of a command line to a command.

use super::{
    commands::{COMMANDS, RENDER, command},
    message::shown,
    model::Command,
    reader::{End, is_option},
    spec::CommandSpec,
    suggest::{unknown_command, unknown_option},
    syntax::Parsed,
};
use crate::error::Failure;

/// Reads the command line, program name excluded.
///
/// # Errors
/// One line that names the option and its value. The exit code is the one that the command has for errors in
/// its command line.
pub fn parse(args: &[String]) -> Result<Command, Failure> {
    let Some((first, rest)) = args.split_first() else { return Ok(Command::Help) };
    if is_option(first, |name| RENDER.syntax.find(name).is_some()) {
        return parse_command(&RENDER, args);
    }
    match command(first) {
        Some(spec) if spec.name == RENDER.name => {
            Err(Failure::input("a render has no command word: begin with its options, without 'render'"))
        }
        Some(spec) => parse_command(spec, rest),
        None => Err(unknown_command(first)),
    }
}

fn parse_command(spec: &CommandSpec, args: &[String]) -> Result<Command, Failure> {
    let parsed = spec.syntax.parse(spec.name, args, &|token| no_such_option(spec, token));
    match parsed.map_err(|failure| Failure::with_code(spec.usage_code(), failure.to_string()))? {
        Parsed::Command(command) => Ok(command),
        Parsed::End(End::Version) => Ok(Command::Version),
        Parsed::End(End::Help) if spec.name == RENDER.name => Ok(Command::Help),
        Parsed::End(End::Help) => Ok(Command::HelpOn(spec.name.to_owned())),
    }
}

/// The error about an option that the command does not have: another command may have it.
fn no_such_option(spec: &CommandSpec, token: &str) -> Failure {
    let name = match token.split_once('=') {
        Some((name, _)) if name.starts_with("--") => name,
        _ => token,
    };
    let Some(owner) = COMMANDS.into_iter().find(|other| other.syntax.find(name).is_some()) else {
        return unknown_option(token, spec);
    };
    if spec.name != RENDER.name {
        return Failure::input(format!("{}: not an option of {}", shown(name), spec.name));
    }
    // With a dash more or less the name may be that of an option of a render.
    let bare = name.trim_start_matches('-');
    if ["-", "--"].iter().any(|dashes| RENDER.syntax.find(&format!("{dashes}{bare}")).is_some()) {
        return unknown_option(name, spec);
    }
    Failure::input(format!("{}: an option of {} only", shown(name), owner.name))
}
