//! The name an unknown option was probably meant to be.
//!
//! Nearest by Damerau-Levenshtein distance without the dashes, so that `--roi` finds `-roi`; far-off names get none.

use super::{
    given::{listed, quoted, shown},
    row::Scope,
    table::{MISNAMED, rows},
};
use crate::error::Failure;

/// No option is near a name longer than this, and the distance costs length times length.
const LONGEST_NAME: usize = 40;

/// The refusal of an option that does not exist (there).
pub(super) fn unknown(token: &str, scope: Scope) -> Failure {
    if let Some((wrong, right)) = MISNAMED.iter().find(|(wrong, _)| *wrong == token) {
        return Failure::input(format!("unknown option {wrong}: the reference's name for it is {right}"));
    }
    let names = rows().filter(|row| row.scope.covers(scope)).flat_map(|row| row.spellings());
    let hint = match nearest(token.split('=').next().unwrap_or(token), names) {
        Some(name) => format!("did you mean {name}?"),
        None => "--help lists them all".to_owned(),
    };
    Failure::input(format!("unknown option {}; {hint}", shown(token)))
}

/// The refusal of a word that is not a command.
pub(super) fn unknown_command(word: &str, commands: &[&'static str]) -> Failure {
    let hint = match nearest(word, commands.iter().copied()) {
        Some(name) => format!("did you mean {name}?"),
        None => {
            format!("commands are {}; --help lists the options", listed(commands).replace(" or ", " and "))
        }
    };
    Failure::input(format!("{} is neither an option nor a command; {hint}", quoted(word)))
}

fn nearest(token: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
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
