//! The command line: what can be asked for, how it is spelt, and the texts that say so.
//!
//! One table (`table`) holds every option: its names, values, units, help and what it sets. The parser, `--help`, the
//! shell completions and the man page are all read off that table, so none of them can disagree.
//!
//! Source: `nanoBragg.c`, whose spelling is kept: names with one dash, several values after a name, `-1e-05` a value.
//! Our own options have two dashes. Values come out in SI (metres, radians); what was not given stays `None`, because
//! the headers of `-img` and `-mask` apply before the command line and defaults after it.

mod completions;
mod given;
mod help;
mod man;
mod model;
mod parse;
mod row;
mod suggest;
mod table;
#[cfg(test)]
mod tests;

pub use completions::completions;
pub use help::help;
pub use man::man;
pub use model::{
    Attenuation, BenchOptions, Command, CompareOptions, DemoOptions, Dtype, GradientOptions, HeaderStyle,
    LossKind, Misset, Options, Shell, TraceDiffOptions, TraceFormat, TraceOptions,
};
pub use parse::parse;

/// Whether `name` is an option of a render whose value is a file or folder.
pub(crate) fn takes_file(name: &str) -> Option<bool> {
    let row = table::find(name, row::Scope::RENDER).filter(|row| row.scope.covers(row::Scope::RENDER))?;
    Some(matches!(row.takes, row::Takes::File | row::Takes::Folder))
}

/// Every spelling of every option, dashes included: names first, then aliases, in the order of the help.
pub fn option_names() -> impl Iterator<Item = &'static str> {
    table::rows().flat_map(row::Row::spellings)
}
