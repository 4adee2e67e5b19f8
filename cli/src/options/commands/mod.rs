//! The commands: a file for each, with the table of its options and the function that makes the parsed
//! command.
//!
//! To add a command, write its [`CommandSpec`] and add it to [`COMMANDS`]; to add an option, write one row.

mod bench;
mod compare;
mod demo;
mod devices;
mod diagnose;
mod gradient;
mod hkl;
mod names;
mod noisify;
mod nonbragg;
mod render;
mod shared;
mod shots;
mod stol;
mod texts;
mod trace;
mod trace_diff;

use super::{reader::GENERAL, row::OptionSpec, spec::CommandSpec};

pub(super) use render::SPEC as RENDER;
pub(super) use shots::SPEC as SHOTS;

/// All commands, in the order of the help.
pub(super) static COMMANDS: [&CommandSpec; 19] = [
    &render::SPEC,
    &shots::SPEC,
    &demo::SPEC,
    &compare::SPEC,
    &diagnose::SPEC,
    &hkl::SPEC,
    &stol::SPEC,
    &trace::SPEC,
    &trace_diff::SPEC,
    &gradient::GRADIENT,
    &gradient::GRADCHECK,
    &gradient::REFINE,
    &noisify::SPEC,
    &nonbragg::SPEC,
    &bench::SPEC,
    &devices::SPEC,
    &texts::HELP,
    &texts::COMPLETIONS,
    &texts::MAN,
];

/// The command of this name.
pub(super) fn command(name: &str) -> Option<&'static CommandSpec> {
    COMMANDS.into_iter().find(|spec| spec.name == name)
}

/// The names of the commands that are words of the command line: all but a render.
pub(super) fn command_words() -> Vec<&'static str> {
    COMMANDS.into_iter().map(|spec| spec.name).filter(|&name| name != RENDER.name).collect()
}

/// The options of all commands, in the order of the help.
pub(super) fn options() -> impl Iterator<Item = &'static OptionSpec> {
    let own = COMMANDS.into_iter().flat_map(|spec| spec.syntax.sections());
    own.flat_map(|group| group.options).chain(&GENERAL)
}
