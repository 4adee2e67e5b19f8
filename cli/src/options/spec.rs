//! The form of a command's entry in the list of commands.

use super::{reader::GENERAL, row::OptionSpec, syntax::AnySyntax};

/// A command as users know it. Parser, help, man page and completions are made from a list of these.
pub(super) struct CommandSpec {
    /// The word that selects the command; a render has none, but is called `render` in the help.
    pub name: &'static str,
    /// What the command does: one line without a full stop.
    pub purpose: &'static str,
    /// The ways to use the command: what follows `widebragg` on the command line.
    pub usage: &'static [&'static str],
    /// Its options, and how the parsed command is made of them.
    pub syntax: &'static dyn AnySyntax,
    /// Exit codes other than 0 and what they mean. The one for errors in the command line comes first.
    pub exit_codes: &'static [(u8, &'static str)],
    /// Topics of the help to read on.
    pub topics: &'static [&'static str],
}

/// The exit codes of a command that has no others.
pub(super) const EXIT_CODES: &[(u8, &str)] =
    &[(2, "an error in the command line or a file; one line on standard error says which")];

impl CommandSpec {
    /// The exit code of an error in the command line.
    pub fn usage_code(&self) -> u8 {
        self.exit_codes.first().map_or(2, |&(code, _)| code)
    }

    /// All options, with those of a render and the general ones where the command has them.
    pub fn options(&self) -> impl Iterator<Item = &'static OptionSpec> {
        let own = self.syntax.sections().into_iter().chain(self.syntax.render_sections());
        own.flat_map(|group| group.options).chain(&GENERAL)
    }
}
