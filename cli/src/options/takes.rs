//! The values that an option takes: how many, of what kind, in which unit.

use core::f64::consts::PI;

/// The values of an option.
#[derive(Debug, Clone, Copy, PartialEq)]
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
    /// A text; this is what the help shows.
    Text(&'static str),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `A:B`.
    Range,
}

impl Takes {
    /// Placeholders of the values, as the help shows them; empty for a switch.
    pub fn placeholder(&self) -> String {
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
            Self::Text(shown) => (*shown).to_owned(),
            Self::Choice(words) => words.join("|"),
            Self::Range => "A:B".to_owned(),
        }
    }

    /// The least and the largest number of values, given the words that follow the option.
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

    /// Whether the value names a file, a folder or a program.
    pub fn names_file(&self) -> bool {
        matches!(self, Self::File | Self::Folder | Self::Program)
    }

    /// The words that the option accepts, where they are known.
    pub fn words(&self) -> Option<&'static [&'static str]> {
        match self {
            Self::Choice(words) => Some(words),
            Self::Misset => Some(&["random"]),
            Self::Depth => Some(&["inf"]),
            _ => None,
        }
    }
}

/// The unit of a single number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Unit {
    Millimetre,
    Micrometre,
    Angstrom,
    Degree,
    Milliradian,
    Percent,
    ElectronVolt,
    /// Taken without conversion; the text is what the help shows.
    Plain(&'static str),
}

/// Degrees to radians as the reference converts: one rounded factor.
pub(super) const RADIANS_PER_DEGREE: f64 = PI / 180.0;

impl Unit {
    /// The unit as the help shows it.
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

    /// The value in metres, in radians, or as a fraction; an energy becomes its wavelength.
    ///
    /// Divides or multiplies as the reference does, because the last bit depends on it.
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
