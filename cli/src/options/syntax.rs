//! The syntax of one command: the tables of its options, its operands, and how they become a [`Command`].

use super::{
    given::Given,
    model::{
        BenchOptions, Command, CompareOptions, DemoOptions, DevicesOptions, DiagnoseOptions, GradientOptions, HklOptions,
        Options, ShotsOptions, StolOptions, TraceDiffOptions, TraceOptions,
    },
    reader::{End, GENERAL, Reader, Target, Unknown},
    row::{OptionSpec, Row, Section},
};
use crate::error::Failure;

/// A heading and the options under it, independent of the type that they set.
pub(super) struct Group {
    pub heading: &'static str,
    pub options: Vec<&'static OptionSpec>,
}

/// The options struct of a command, for the parser.
pub(super) trait CommandOptions: Default + 'static {
    /// The options of a render, where the command has them.
    fn render(&mut self) -> Option<&mut Options> {
        None
    }

    /// Whether the options of the render are for the mode that they name; otherwise the command applies the modes.
    fn has_one_mode(&self) -> bool {
        true
    }
}

impl CommandOptions for () {}
impl CommandOptions for BenchOptions {}
impl CommandOptions for DemoOptions {}
impl CommandOptions for DevicesOptions {}
impl CommandOptions for CompareOptions {}
impl CommandOptions for TraceDiffOptions {}

impl CommandOptions for Options {
    fn render(&mut self) -> Option<&mut Options> {
        Some(self)
    }
}

impl CommandOptions for TraceOptions {
    fn render(&mut self) -> Option<&mut Options> {
        Some(&mut self.render)
    }
}

impl CommandOptions for ShotsOptions {
    fn render(&mut self) -> Option<&mut Options> {
        Some(&mut self.render)
    }
}

impl CommandOptions for StolOptions {
    fn render(&mut self) -> Option<&mut Options> {
        Some(&mut self.render)
    }
}

impl CommandOptions for DiagnoseOptions {
    fn render(&mut self) -> Option<&mut Options> {
        Some(&mut self.render)
    }

    fn has_one_mode(&self) -> bool {
        false
    }
}

impl CommandOptions for HklOptions {
    fn render(&mut self) -> Option<&mut Options> {
        Some(&mut self.render)
    }
}

impl CommandOptions for GradientOptions {
    fn render(&mut self) -> Option<&mut Options> {
        Some(&mut self.render)
    }
}

/// The words of a command that are neither options nor their values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Operands {
    None,
    /// Files; the text says what they are.
    Files(&'static str),
    /// One of these.
    Choice(&'static [&'static str]),
    /// A command or a topic of the help.
    HelpSubject,
}

/// A parsed command line, before it becomes a [`Command`].
pub(super) struct Line<O> {
    pub options: O,
    pub operands: Vec<String>,
    /// The words after `--`.
    pub passed_on: Vec<String>,
}

/// How the words of a command become options `O`, and these a [`Command`].
pub(super) struct Syntax<O: 'static> {
    pub sections: &'static [Section<O>],
    /// Options of a render that the command takes too.
    pub render_sections: &'static [Section<Options>],
    pub operands: Operands,
    /// Whether the words after `--` are options of another program.
    pub passes_on: bool,
    pub make: fn(Line<O>) -> Result<Command, Failure>,
}

impl<O: CommandOptions> Syntax<O> {
    /// The syntax of a command with options alone.
    pub const fn new(sections: &'static [Section<O>], make: fn(Line<O>) -> Result<Command, Failure>) -> Self {
        Self { sections, render_sections: &[], operands: Operands::None, passes_on: false, make }
    }

    fn own(&self, name: &str) -> Option<&'static Row<O>> {
        find(self.sections, name)
    }

    fn render(&self, name: &str) -> Option<&'static Row<Options>> {
        find(self.render_sections, name)
    }
}

/// The row with this name or alias, or else the row with a prefix of the name.
fn find<O>(sections: &'static [Section<O>], name: &str) -> Option<&'static Row<O>> {
    let rows = || sections.iter().flat_map(|section| section.rows);
    rows().find(|row| row.spec.is_spelt(name)).or_else(|| rows().find(|row| row.spec.has_prefix_of(name)))
}

fn groups<O>(sections: &'static [Section<O>]) -> Vec<Group> {
    let group = |section: &'static Section<O>| Group {
        heading: section.heading,
        options: section.rows.iter().map(|row| &row.spec).collect(),
    };
    sections.iter().map(group).collect()
}

/// What a command line asks for.
pub(super) enum Parsed {
    Command(Command),
    /// The help or the version instead.
    End(End),
}

/// A [`Syntax`], independent of the type of its options.
pub(super) trait AnySyntax: Sync {
    fn sections(&self) -> Vec<Group>;
    fn render_sections(&self) -> Vec<Group>;
    fn operands(&self) -> Operands;
    fn find(&self, name: &str) -> Option<&'static OptionSpec>;
    /// Reads the words after the command's name.
    fn parse(&self, command: &str, args: &[String], unknown: Unknown<'_>) -> Result<Parsed, Failure>;
}

impl<O: CommandOptions> AnySyntax for Syntax<O> {
    fn sections(&self) -> Vec<Group> {
        groups(self.sections)
    }

    fn render_sections(&self) -> Vec<Group> {
        groups(self.render_sections)
    }

    fn operands(&self) -> Operands {
        self.operands
    }

    fn find(&self, name: &str) -> Option<&'static OptionSpec> {
        let general = || GENERAL.iter().find(|spec| spec.is_spelt(name));
        let render = || self.render(name).map(|row| &row.spec);
        self.own(name).map(|row| &row.spec).or_else(render).or_else(general)
    }

    fn parse(&self, command: &str, args: &[String], unknown: Unknown<'_>) -> Result<Parsed, Failure> {
        let (args, passed_on) = match args.iter().position(|word| word == "--") {
            Some(at) if self.passes_on => (&args[..at], &args[at + 1..]),
            _ => (args, &[][..]),
        };
        let mut options = O::default();
        let mut target = Filling { syntax: self, options: &mut options };
        let mut reader = Reader::new(command, &mut target, self.operands != Operands::None);
        if let Some(end) = reader.read(args, unknown)? {
            return Ok(Parsed::End(end));
        }
        let (operands, passed_on) = (reader.into_operands(), passed_on.to_vec());
        let has_one_mode = options.has_one_mode();
        if let Some(options) = options.render() {
            if has_one_mode {
                options.apply_mode();
            }
            options.remove_repeated_notes();
        }
        (self.make)(Line { options, operands, passed_on }).map(Parsed::Command)
    }
}

/// The options of a command while they are filled in.
struct Filling<'a, O: 'static> {
    syntax: &'a Syntax<O>,
    options: &'a mut O,
}

impl<O: CommandOptions> Target for Filling<'_, O> {
    fn find(&self, name: &str) -> Option<&'static OptionSpec> {
        self.syntax.find(name)
    }

    fn set(&mut self, given: &Given<'_>) -> Result<(), Failure> {
        if let Some(row) = self.syntax.own(given.typed) {
            return (row.set)(self.options, given);
        }
        match (self.syntax.render(given.typed), self.options.render()) {
            (Some(row), Some(options)) => (row.set)(options, given),
            _ => Ok(()),
        }
    }

    fn note(&mut self, note: String) {
        if let Some(options) = self.options.render() {
            options.note(note);
        }
    }
}
