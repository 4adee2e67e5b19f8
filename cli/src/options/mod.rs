//! The command line: options, commands, and the texts that describe them.
//!
//! Each command has a [`spec::CommandSpec`]: its name, usage, options and help topics. Each option is one row
//! of its command's table: names, values, units, help and the field that it sets. The parser, the help, the
//! shell completions and the man page are all made from the list of commands, so that none of them can
//! disagree.
//!
//! Source: `nanoBragg.c`, whose spelling is kept: names with one dash, several values after a name, `-1e-05`
//! a value. Our own options have two dashes. Values are converted to SI units (metres, radians). An option
//! that is not given stays `None`, because the headers of `-img` and `-mask` apply before the command line
//! and the defaults after it.

mod commands;
mod companions;
mod completions;
mod given;
mod help;
mod man;
mod message;
mod model;
mod parse;
mod reader;
mod row;
mod spec;
mod substring;
mod suggest;
mod syntax;
mod takes;
#[cfg(test)]
mod tests;
mod topics;

pub use companions::{NoisifyOptions, NonbraggOptions, RadialFile};
pub use completions::completions;
pub use help::{help, help_on};
pub use man::man;
pub use model::{
    Attenuation, BackgroundOptions, BenchOptions, Command, CompareOptions, DemoOptions, DevicesOptions, DiagnoseOptions,
    Dtype, GradientOptions, HeaderStyle, HklOptions, Log, MatterOption, MatterTable, Misset, ModelOptions,
    NMatrix, NxmxData, Options, PanelChoice, SensorOption, Shell, ShotOptions, SolventChoice,
    SpectrumOptions, StolOptions, TraceDiffOptions, TraceFormat, TraceOptions,
};
pub use parse::parse;

/// Whether `name` is an option of a render, or of its shots, whose value is a file or a folder; `None` for other names.
pub fn takes_file(name: &str) -> Option<bool> {
    Some(of_images(name)?.takes.names_file())
}

/// The name of the option of a render, or of its shots, that has this spelling; `None` where there is none.
pub fn name_of(spelling: &str) -> Option<&'static str> {
    Some(of_images(spelling)?.name)
}

/// The option of a render or of its shots that has this name.
fn of_images(name: &str) -> Option<&'static row::OptionSpec> {
    commands::RENDER.syntax.find(name).or_else(|| commands::SHOTS.syntax.find(name))
}

/// The options of a render in `args`, as typed: each a list of its name and its values.
pub fn grouped(args: &[String]) -> Vec<Vec<String>> {
    let mut groups: Vec<Vec<String>> = Vec::new();
    for word in args {
        let attached = word.split_once('=').filter(|_| word.starts_with("--"));
        match (attached, groups.last_mut()) {
            (Some((name, value)), _) => groups.push(vec![name.to_owned(), value.to_owned()]),
            (None, Some(group)) if !reader::is_option(word, |name| of_images(name).is_some()) => {
                group.push(word.clone());
            }
            (None, _) => groups.push(vec![word.clone()]),
        }
    }
    groups
}

/// Every spelling of every option, dashes included: names first, then aliases, in the order of the help.
pub fn option_names() -> impl Iterator<Item = &'static str> {
    commands::options().flat_map(row::OptionSpec::spellings)
}
