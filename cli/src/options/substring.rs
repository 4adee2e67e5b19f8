//! The syntax of nanoBragg's companions, noisify and nonBragg, as they parse it.
//!
//! Every word that begins with a dash is compared with all options in turn, and sets each one whose name it contains:
//! `-sample_thickness` and `--thick` set what `-thick` sets. Values are the words after it, whatever these are, and
//! are themselves compared with all options. An option without enough words after it is left out. Some options
//! are compared as whole words. Numbers are read as by C's library: what is no number is 0.

use widebragg_formats::c_library::{atof, atoi};

use super::{
    message::shown,
    model::Command,
    reader::{End, GENERAL, Unknown, is_option},
    row::OptionSpec,
    syntax::{AnySyntax, Group, Operands, Parsed},
    takes::Takes,
};
use crate::error::Failure;

/// The words that follow an option; at least as many as it needs.
#[derive(Clone, Copy)]
pub(super) struct Following<'a>(&'a [String]);

impl<'a> Following<'a> {
    pub fn word(self) -> &'a str {
        self.0.first().map_or("", String::as_str)
    }

    pub fn number(self) -> f64 {
        atof(self.word())
    }

    pub fn integer(self) -> i32 {
        atoi(self.word())
    }

    pub fn numbers<const N: usize>(self) -> [f64; N] {
        core::array::from_fn(|i| self.0.get(i).map_or(0.0, |word| atof(word)))
    }

    pub fn integers<const N: usize>(self) -> [i32; N] {
        core::array::from_fn(|i| self.0.get(i).map_or(0, |word| atoi(word)))
    }
}

/// An option of a command whose options are an `O`.
pub(super) struct SubstringRow<O> {
    spec: OptionSpec,
    /// Whether the option is compared as a whole word.
    is_whole: bool,
    /// Words that must follow.
    needs: usize,
    set: fn(&mut O, Following<'_>),
}

impl<O> SubstringRow<O> {
    pub const fn new(
        name: &'static str,
        takes: Takes,
        help: &'static str,
        set: fn(&mut O, Following<'_>),
    ) -> Self {
        let needs = match takes {
            Takes::Nothing => 0,
            Takes::Each(names) => names.len(),
            _ => 1,
        };
        Self { spec: OptionSpec::new(name, takes, help), is_whole: false, needs, set }
    }

    /// Other names that a word may contain.
    pub const fn or(mut self, aliases: &'static [&'static str]) -> Self {
        self.spec.aliases = aliases;
        self
    }

    pub const fn default(mut self, default: &'static str) -> Self {
        self.spec.default = default;
        self
    }

    pub const fn whole(mut self) -> Self {
        self.is_whole = true;
        self
    }

    /// A switch that needs a word after it all the same.
    pub const fn needing_a_word(mut self) -> Self {
        self.needs = 1;
        self
    }

    fn is_in(&self, word: &str) -> bool {
        self.spec.spellings().any(|name| if self.is_whole { word == name } else { word.contains(name) })
    }
}

/// A heading and the options under it.
pub(super) struct SubstringSection<O: 'static> {
    pub heading: &'static str,
    pub rows: &'static [SubstringRow<O>],
}

/// How the words of a companion become its options `O`, and these a [`Command`].
pub(super) struct SubstringSyntax<O: 'static> {
    pub sections: &'static [SubstringSection<O>],
    /// Takes a word that names a file without an option; returns whether it did.
    pub take_file: fn(&mut O, &str) -> bool,
    /// Adds a line for standard error.
    pub note: fn(&mut O, String),
    pub make: fn(O) -> Command,
}

impl<O: Default> SubstringSyntax<O> {
    fn rows(&self) -> impl Iterator<Item = &'static SubstringRow<O>> + use<O> {
        self.sections.iter().flat_map(|section| section.rows)
    }
}

impl<O: Default> AnySyntax for SubstringSyntax<O> {
    fn sections(&self) -> Vec<Group> {
        let group = |section: &'static SubstringSection<O>| Group {
            heading: section.heading,
            options: section.rows.iter().map(|row| &row.spec).collect(),
        };
        self.sections.iter().map(group).collect()
    }

    fn render_sections(&self) -> Vec<Group> {
        Vec::new()
    }

    fn operands(&self) -> Operands {
        Operands::None
    }

    fn find(&self, name: &str) -> Option<&'static OptionSpec> {
        self.rows().map(|row| &row.spec).chain(&GENERAL).find(|spec| spec.is_spelt(name))
    }

    fn parse(&self, _: &str, args: &[String], _: Unknown<'_>) -> Result<Parsed, Failure> {
        let mut options = O::default();
        let mut values_left = 0_usize;
        let mut rest = args;
        while let Some((word, following)) = rest.split_first() {
            rest = following;
            let is_value = values_left > 0;
            values_left = values_left.saturating_sub(1);
            if let Some(general) = GENERAL.iter().find(|spec| spec.is_spelt(word)) {
                return Ok(Parsed::End(if general.name == GENERAL[0].name {
                    End::Help
                } else {
                    End::Version
                }));
            }
            if (self.take_file)(&mut options, word) || !word.starts_with('-') {
                continue;
            }
            let mut is_known = false;
            for row in self.rows().filter(|row| row.is_in(word)) {
                is_known = true;
                if following.len() < row.needs {
                    (self.note)(&mut options, format!("{} has no effect: nothing follows it", shown(word)));
                    continue;
                }
                values_left = values_left.max(row.needs);
                (row.set)(&mut options, Following(following));
            }
            if !is_known && !is_value && is_option(word, |_| false) {
                (self.note)(&mut options, format!("{} has no effect: there is no such option", shown(word)));
            }
        }
        Ok(Parsed::Command((self.make)(options)))
    }
}
