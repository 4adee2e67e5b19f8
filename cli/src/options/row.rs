//! One row of an options table: the text of an option, and the function that stores its values.

use super::{given::Given, takes::Takes};
use crate::error::Failure;

/// The names, values and text of an option: all that help, man page and completions need.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct OptionSpec {
    /// The name shown first, dashes included.
    pub name: &'static str,
    /// Other spellings.
    pub aliases: &'static [&'static str],
    /// Prefixes: every name that begins with one of them is accepted, since existing scripts use
    /// `-mosaic_domain` and the like.
    pub stems: &'static [&'static str],
    pub takes: Takes,
    pub help: &'static str,
    /// The default, in words; empty for none.
    pub default: &'static str,
    /// Whether the short help lists it: what a first image needs.
    pub basic: bool,
}

impl OptionSpec {
    pub const fn new(name: &'static str, takes: Takes, help: &'static str) -> Self {
        Self { name, aliases: &[], stems: &[], takes, help, default: "", basic: false }
    }

    pub const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    /// The name, then the aliases.
    pub fn spellings(&self) -> impl Iterator<Item = &'static str> + use<> {
        core::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    pub fn is_spelt(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }

    pub fn has_prefix_of(&self, name: &str) -> bool {
        self.stems.iter().any(|stem| name.starts_with(stem))
    }

    /// Whether the option is one of our own, which also take `--name=value`.
    pub fn has_two_dashes(&self) -> bool {
        self.name.starts_with("--")
    }

    /// The help and the default, on one line without a full stop.
    pub fn description(&self) -> String {
        match self.default {
            "" => self.help.to_owned(),
            default => format!("{} (default {default})", self.help),
        }
    }
}

/// Stores the values of an option in the options of its command.
pub(super) type Set<O> = fn(&mut O, &Given<'_>) -> Result<(), Failure>;

/// An option of a command whose options are an `O`.
pub(super) struct Row<O> {
    pub spec: OptionSpec,
    pub set: Set<O>,
}

impl<O> Row<O> {
    pub const fn new(name: &'static str, takes: Takes, help: &'static str, set: Set<O>) -> Self {
        Self::of(OptionSpec::new(name, takes, help), set)
    }

    /// An option that several commands have, each with a place of its own for the value.
    pub const fn of(spec: OptionSpec, set: Set<O>) -> Self {
        Self { spec, set }
    }

    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.spec.aliases = aliases;
        self
    }

    pub const fn stems(mut self, stems: &'static [&'static str]) -> Self {
        self.spec.stems = stems;
        self
    }

    pub const fn default(mut self, default: &'static str) -> Self {
        self.spec.default = default;
        self
    }

    /// Marks an option that the short help lists.
    pub const fn basic(mut self) -> Self {
        self.spec.basic = true;
        self
    }
}

/// A heading of the help and the options under it.
pub(super) struct Section<O: 'static> {
    pub heading: &'static str,
    pub rows: &'static [Row<O>],
}

/// Stores a value that was read.
pub(super) fn put<T>(field: &mut T, value: T) -> Result<(), Failure> {
    *field = value;
    Ok(())
}

/// Stores a value, or passes on why it cannot be read.
pub(super) fn set<T>(field: &mut Option<T>, value: Result<T, Failure>) -> Result<(), Failure> {
    *field = Some(value?);
    Ok(())
}

/// Adds an element to a list that has each element once.
pub(super) fn add_once<T: PartialEq>(list: &mut Vec<T>, element: T) -> Result<(), Failure> {
    if !list.contains(&element) {
        list.push(element);
    }
    Ok(())
}
