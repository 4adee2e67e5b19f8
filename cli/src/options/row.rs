//! The form of the option table: what is known about one option.
//!
//! A row is data plus one function, so that a new option is one row and nothing else.

use super::{
    given::Given,
    model::{CompareOptions, GradientOptions, Options, TraceDiffOptions, TraceOptions},
};
use crate::error::Failure;
use core::f64::consts::PI;

/// A heading of the help and the options under it.
pub(super) struct Section {
    pub heading: &'static str,
    pub rows: &'static [Row],
}

/// What an option sets, from its values.
pub(super) type Set = fn(&mut Options, &Given<'_>) -> Result<(), Failure>;

/// The same for `compare`.
pub(super) type SetCompare = fn(&mut CompareOptions, &Given<'_>) -> Result<(), Failure>;

/// The same for `trace`.
pub(super) type SetTrace = fn(&mut TraceOptions, &Given<'_>) -> Result<(), Failure>;

/// The same for `trace-diff`.
pub(super) type SetTraceDiff = fn(&mut TraceDiffOptions, &Given<'_>) -> Result<(), Failure>;

/// The same for `gradient`, `gradcheck` and `refine`.
pub(super) type SetGradient = fn(&mut GradientOptions, &Given<'_>) -> Result<(), Failure>;

/// What happens when an option is met.
pub(super) enum Effect {
    /// It changes the options.
    Set(Set),
    /// It changes what `compare` alone has.
    Compare(SetCompare),
    /// It changes what `trace` alone has.
    Trace(SetTrace),
    /// It changes what `trace-diff` alone has.
    TraceDiff(SetTraceDiff),
    /// It changes what the commands that differentiate have.
    Gradient(SetGradient),
    /// It names the folder of the demo's files.
    OutFolder,
    /// It ends the command line with the help.
    Help,
    /// It ends the command line with the version.
    Version,
}

/// The commands that take an option: a set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope(u16);

impl Scope {
    pub const RENDER: Self = Self(1);
    pub const DEMO: Self = Self(2);
    pub const BENCH: Self = Self(4);
    pub const COMPARE: Self = Self(8);
    pub const TRACE: Self = Self(16);
    pub const TRACE_DIFF: Self = Self(32);
    pub const GRADIENT: Self = Self(64);
    pub const GRADCHECK: Self = Self(128);
    pub const REFINE: Self = Self(256);
    /// What goes by derivatives.
    pub const SLOPES: Self = Self::GRADIENT.and(Self::GRADCHECK).and(Self::REFINE);
    pub const EVERYWHERE: Self = Self(u16::MAX);

    /// The commands with options of their own, and their names.
    pub const COMMANDS: [(&'static str, Self); 8] = [
        ("demo", Self::DEMO),
        ("bench", Self::BENCH),
        ("compare", Self::COMPARE),
        ("trace", Self::TRACE),
        ("trace-diff", Self::TRACE_DIFF),
        ("gradient", Self::GRADIENT),
        ("gradcheck", Self::GRADCHECK),
        ("refine", Self::REFINE),
    ];

    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the two have a command in common.
    pub const fn covers(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The name of the first command in it, `a render` for none.
    pub fn name(self) -> &'static str {
        let named = Self::COMMANDS.iter().find(|(_, scope)| self.covers(*scope));
        named.map_or("a render", |(name, _)| name)
    }
}

/// One option.
pub(super) struct Row {
    /// The name shown first, dashes included.
    pub name: &'static str,
    /// Other spellings.
    pub aliases: &'static [&'static str],
    /// Spellings of which any lengthening is accepted too: scripts hold `-mosaic_domain` and the like.
    pub stems: &'static [&'static str],
    pub takes: Takes,
    pub help: &'static str,
    /// What holds when it is not given, in words; empty for none.
    pub default: &'static str,
    pub scope: Scope,
    pub effect: Effect,
}

impl Row {
    pub const fn new(name: &'static str, takes: Takes, help: &'static str, set: Set) -> Self {
        Self::with(name, takes, help, Effect::Set(set))
    }

    /// An option of a render, and so of the trace or the derivatives of one.
    pub const fn with(name: &'static str, takes: Takes, help: &'static str, effect: Effect) -> Self {
        let scope = Scope::RENDER.and(Scope::TRACE).and(Scope::SLOPES);
        Self { name, aliases: &[], stems: &[], takes, help, default: "", scope, effect }
    }

    /// An option of `compare` alone.
    pub const fn compare(name: &'static str, takes: Takes, help: &'static str, set: SetCompare) -> Self {
        Self::with(name, takes, help, Effect::Compare(set)).scope(Scope::COMPARE)
    }

    /// An option of `trace` alone.
    pub const fn trace(name: &'static str, takes: Takes, help: &'static str, set: SetTrace) -> Self {
        Self::with(name, takes, help, Effect::Trace(set)).scope(Scope::TRACE)
    }

    /// An option of `trace-diff` alone.
    pub const fn trace_diff(name: &'static str, takes: Takes, help: &'static str, set: SetTraceDiff) -> Self {
        Self::with(name, takes, help, Effect::TraceDiff(set)).scope(Scope::TRACE_DIFF)
    }

    /// An option of the commands that differentiate.
    pub const fn gradient(name: &'static str, takes: Takes, help: &'static str, set: SetGradient) -> Self {
        Self::with(name, takes, help, Effect::Gradient(set)).scope(Scope::SLOPES)
    }

    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    pub const fn stems(mut self, stems: &'static [&'static str]) -> Self {
        self.stems = stems;
        self
    }

    pub const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    pub const fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// The name, then the aliases.
    pub fn spellings(&self) -> impl Iterator<Item = &'static str> + use<> {
        core::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    pub fn is_lengthened_by(&self, name: &str) -> bool {
        self.stems.iter().any(|stem| name.starts_with(stem))
    }

    /// Ours, which also take `--name=value`.
    pub fn has_two_dashes(&self) -> bool {
        self.name.starts_with("--")
    }

    /// The help with the default, one line without end.
    pub fn described(&self) -> String {
        match self.default {
            "" => self.help.to_owned(),
            default => format!("{} (default {default})", self.help),
        }
    }
}

/// The values of an option.
pub(super) enum Takes {
    Nothing,
    Number(Unit),
    Integer,
    /// Exactly these, numbers or integers.
    Each(&'static [&'static str]),
    /// One to six numbers.
    Cell,
    /// Three numbers or `random`.
    Misset,
    /// One number or `inf`.
    Depth,
    File,
    Folder,
    /// A command line in one word.
    Program,
    /// Names, separated by commas.
    Names,
    Choice(&'static [&'static str]),
    /// `A:B`.
    Range,
}

impl Takes {
    /// Names of the values as the help shows them; empty for a switch.
    pub fn shown(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Number(unit) => unit.symbol().to_owned(),
            Self::Integer => "n".to_owned(),
            Self::Each(names) => names.join(" "),
            Self::Cell => "a [b c alpha beta gamma]".to_owned(),
            Self::Misset => "rx ry rz | random".to_owned(),
            Self::Depth => "um | inf".to_owned(),
            Self::File => "FILE".to_owned(),
            Self::Folder => "DIR".to_owned(),
            Self::Program => "CMD".to_owned(),
            Self::Names => "NAME,...".to_owned(),
            Self::Choice(words) => words.join("|"),
            Self::Range => "A:B".to_owned(),
        }
    }

    /// How many of the words that follow are values of this option: at least, and at most.
    pub fn count(&self, following: &[String]) -> (usize, usize) {
        match self {
            Self::Nothing => (0, 0),
            Self::Each(names) => (names.len(), names.len()),
            Self::Cell => (1, 6),
            Self::Misset if following.first().is_some_and(|word| word == "random") => (1, 1),
            Self::Misset => (3, 3),
            _ => (1, 1),
        }
    }
}

/// The unit of a single number.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    Millimetre,
    Micrometre,
    Angstrom,
    Degree,
    Milliradian,
    Percent,
    ElectronVolt,
    /// Taken as it is; the text is what the help shows.
    Plain(&'static str),
}

/// Degrees to radians as the reference counts: one rounded factor.
pub(super) const RADIANS_PER_DEGREE: f64 = PI / 180.0;

impl Unit {
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Millimetre => "mm",
            Self::Micrometre => "um",
            Self::Angstrom => "angstrom",
            Self::Degree => "deg",
            Self::Milliradian => "mrad",
            Self::Percent => "percent",
            Self::ElectronVolt => "eV",
            Self::Plain(name) => name,
        }
    }

    /// Metres, radians, or a fraction; an energy becomes its wavelength. Division or multiplication as in the
    /// reference, since the last bit follows from it.
    pub fn to_si(self, value: f64) -> f64 {
        match self {
            Self::Millimetre | Self::Milliradian => value / 1000.0,
            Self::Micrometre => value * 1e-6,
            Self::Angstrom => value * 1e-10,
            Self::Degree => value * RADIANS_PER_DEGREE,
            Self::Percent => value / 100.0,
            Self::ElectronVolt => (12398.42 / value) * 1e-10,
            Self::Plain(_) => value,
        }
    }
}
