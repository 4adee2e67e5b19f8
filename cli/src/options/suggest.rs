//! The name an unknown option was probably meant to be.
//!
//! Nearest by Damerau-Levenshtein distance without the dashes, so that `--roi` finds `-roi`; far-off names
//! get none.

use super::{
    commands::{COMMANDS, command_words},
    message::{listed, quoted, shown},
    spec::CommandSpec,
    topics::TOPICS,
};
use crate::error::Failure;

/// Names in the reference's own examples that the reference does not know, and the right ones.
pub(super) const MISNAMED: [(&str, &str); 3] = [
    ("-dispstep", "-dispsteps"),
    ("-hdiv", "-hdivrange or -hdivsteps"),
    ("-vdiv", "-vdivrange or -vdivsteps"),
];

/// No option is near a name longer than this, and the distance costs length times length.
const LONGEST_NAME: usize = 40;

/// The error about an option that the command does not have.
pub(super) fn unknown_option(token: &str, spec: &CommandSpec) -> Failure {
    if let Some((wrong, right)) = MISNAMED.iter().find(|(wrong, _)| *wrong == token) {
        return Failure::input(format!("unknown option {wrong}: the reference's name for it is {right}"));
    }
    let names = spec.options().flat_map(|option| option.spellings());
    let hint = match nearest(token.split('=').next().unwrap_or(token), names) {
        Some(name) => format!("did you mean {name}?"),
        None => "--help lists them all".to_owned(),
    };
    Failure::input(format!("unknown option {}; {hint}", shown(token)))
}

/// The error about a word that is not a command.
pub(super) fn unknown_command(word: &str) -> Failure {
    let commands = command_words();
    let hint = match nearest(word, commands.iter().copied()) {
        Some(name) => format!("did you mean {name}?"),
        None => {
            format!("commands are {}; --help lists the options", listed(&commands, "and"))
        }
    };
    Failure::input(format!("{} is neither an option nor a command; {hint}", quoted(word)))
}

/// The error about a subject on which there is no help.
pub(super) fn unknown_subject(subject: &str) -> Failure {
    let commands = COMMANDS.iter().map(|spec| spec.name);
    let names: Vec<_> = commands.chain(TOPICS.iter().map(|topic| topic.name)).collect();
    let hint = match nearest(subject, names.into_iter()) {
        Some(name) => format!("did you mean {name}?"),
        None => {
            let topics: Vec<_> = TOPICS.iter().map(|topic| topic.name).collect();
            format!("topics are {}; widebragg help lists the commands", listed(&topics, "and"))
        }
    };
    Failure::input(format!("help: {} is neither a command nor a topic; {hint}", quoted(subject)))
}

/// The name that is nearest to what was typed, if one is near enough.
pub(super) fn nearest(token: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let bare = token.trim_start_matches('-');
    let length = bare.chars().count();
    if length > LONGEST_NAME {
        return None;
    }
    // A single letter is near every other one.
    let allowed = if length < 2 { 0 } else { (length / 3).clamp(1, 4) };
    names
        .map(|name| (strsim::damerau_levenshtein(bare, name.trim_start_matches('-')), name))
        .filter(|&(distance, _)| distance <= allowed)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}
