//! The values given to one option: read, checked, converted to SI units.
//!
//! Every error names the option and its values as typed. Special cases: a whole number may be written `1e3`;
//! NaN and infinities are errors; so is a value that the conversion takes out of range, or to zero where zero
//! is an error.

use super::{
    message::{listed, quoted, quoted_if_odd, shown},
    takes::{RADIANS_PER_DEGREE, Takes, Unit},
};
use crate::error::Failure;
use std::path::PathBuf;

/// An option with its values, as typed.
pub(super) struct Given<'a> {
    pub takes: Takes,
    /// The name as typed, which may be an alias.
    pub typed: &'a str,
    pub words: &'a [String],
}

/// Integers above this are not all exact in f64, so `1e17` is not taken for one.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

impl Given<'_> {
    /// The option and its values as typed.
    pub fn shown(&self) -> String {
        self.words.iter().fold(shown(self.typed), |line, word| line + " " + &quoted_if_odd(word))
    }

    /// The error that names this option and its values.
    pub fn refuse(&self, why: &str) -> Failure {
        Failure::input(format!("{}: {why}", self.shown()))
    }

    fn word(&self, index: usize) -> Result<&str, Failure> {
        self.words.get(index).map(|word| word.trim()).ok_or_else(|| self.refuse("a value is missing"))
    }

    /// Number `index`, without conversion.
    pub fn number(&self, index: usize) -> Result<f64, Failure> {
        self.parsed(self.word(index)?)
    }

    fn parsed(&self, word: &str) -> Result<f64, Failure> {
        let value: f64 =
            word.parse().map_err(|_| self.refuse(&format!("{} is not a number", quoted(word))))?;
        if value.is_finite() {
            Ok(value)
        } else {
            Err(self.refuse(&format!("{} is not a finite number", quoted(word))))
        }
    }

    /// The single number, in SI units.
    pub fn si(&self) -> Result<f64, Failure> {
        let unit = match self.takes {
            Takes::Number(unit) => unit,
            Takes::Depth => Unit::Micrometre,
            _ => Unit::Plain(""),
        };
        let value = unit.to_si(self.number(0)?);
        if value.is_finite() { Ok(value) } else { Err(self.refuse("out of range")) }
    }

    /// The single number in SI units, larger than zero before and after conversion.
    pub fn positive(&self) -> Result<f64, Failure> {
        if self.number(0)? <= 0.0 {
            return Err(self.refuse("must be larger than zero"));
        }
        match self.si()? {
            value if value > 0.0 => Ok(value),
            _ => Err(self.refuse("too close to zero")),
        }
    }

    /// The single number in SI units, not negative.
    pub fn nonnegative(&self) -> Result<f64, Failure> {
        match self.si()? {
            value if value >= 0.0 => Ok(value),
            _ => Err(self.refuse("must not be negative")),
        }
    }

    /// The single number in SI units, not zero.
    pub fn nonzero(&self) -> Result<f64, Failure> {
        match self.si()? {
            value if value != 0.0 => Ok(value),
            _ => Err(self.refuse("must not be zero")),
        }
    }

    /// Numbers that have names: plain ones in the order of the names, or `name=number` in any order.
    pub fn named<const COUNT: usize>(&self, names: [&str; COUNT]) -> Result<[f64; COUNT], Failure> {
        let mut numbers = [0.0; COUNT];
        if !self.words.iter().any(|word| word.contains('=')) {
            for (index, number) in numbers.iter_mut().enumerate() {
                *number = self.number(index)?;
            }
            return Ok(numbers);
        }
        for (name, number) in names.iter().zip(&mut numbers) {
            let mut found =
                self.words.iter().filter_map(|word| word.trim().strip_prefix(name)?.strip_prefix('='));
            *number = match (found.next(), found.next()) {
                (Some(text), None) => self.parsed(text)?,
                (None, _) => {
                    return Err(self.refuse(&format!("no {name}=; name all of {}", names.join(", "))));
                }
                (Some(_), Some(_)) => return Err(self.refuse(&format!("{name}= is there twice"))),
            };
        }
        Ok(numbers)
    }

    /// Three numbers, without conversion.
    pub fn triple(&self) -> Result<[f64; 3], Failure> {
        Ok([self.number(0)?, self.number(1)?, self.number(2)?])
    }

    /// Three angles, radians.
    pub fn angles(&self) -> Result<[f64; 3], Failure> {
        Ok(self.triple()?.map(|degrees| degrees * RADIANS_PER_DEGREE))
    }

    /// A direction: three numbers, not all zero.
    pub fn direction(&self) -> Result<[f64; 3], Failure> {
        match self.triple()? {
            [0.0, 0.0, 0.0] => Err(self.refuse("an axis must have a direction")),
            direction => Ok(direction),
        }
    }

    /// Whole number `index`.
    pub fn integer_at(&self, index: usize) -> Result<i64, Failure> {
        let word = self.word(index)?;
        if let Ok(value) = word.parse() {
            return Ok(value);
        }
        let value = self.number(index)?;
        if value.fract() == 0.0 && value.abs() <= LARGEST_EXACT {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "whole and within the exact range, checked above"
            )]
            return Ok(value as i64);
        }
        let why = if value.fract() == 0.0 { "is too large" } else { "is not a whole number" };
        Err(self.refuse(&format!("{} {why}", quoted(word))))
    }

    /// The single number without its fraction.
    pub fn truncated(&self) -> Result<i64, Failure> {
        let number = match self.integer() {
            Ok(whole) => return Ok(whole),
            Err(_) => self.number(0)?.trunc(),
        };
        if number.abs() > LARGEST_EXACT {
            return Err(self.refuse(&format!("{} is too large", quoted(self.word(0)?))));
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole and within the exact range, checked above"
        )]
        Ok(number as i64)
    }

    /// `COUNT` whole numbers.
    pub fn integers<const COUNT: usize>(&self) -> Result<[i64; COUNT], Failure> {
        let mut integers = [0; COUNT];
        for (index, integer) in integers.iter_mut().enumerate() {
            *integer = self.integer_at(index)?;
        }
        Ok(integers)
    }

    /// The single whole number.
    pub fn integer(&self) -> Result<i64, Failure> {
        self.integer_at(0)
    }

    /// The single whole number, at least one.
    pub fn count(&self) -> Result<usize, Failure> {
        match usize::try_from(self.integer()?) {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(self.refuse("must be at least 1")),
        }
    }

    /// The word as it is.
    pub fn names(&self) -> Result<String, Failure> {
        self.word(0).map(str::to_owned)
    }

    /// `COUNT` pixel indices.
    pub fn pixels<const COUNT: usize>(&self) -> Result<[usize; COUNT], Failure> {
        let mut pixels = [0; COUNT];
        for (pixel, integer) in pixels.iter_mut().zip(self.integers::<COUNT>()?) {
            *pixel =
                usize::try_from(integer).map_err(|_| self.refuse("pixel indices must not be negative"))?;
        }
        Ok(pixels)
    }

    /// A region: xmin xmax ymin ymax.
    pub fn region(&self) -> Result<[usize; 4], Failure> {
        match self.pixels()? {
            [xmin, xmax, _, _] if xmin > xmax => Err(self.refuse("xmin is larger than xmax")),
            [_, _, ymin, ymax] if ymin > ymax => Err(self.refuse("ymin is larger than ymax")),
            region => Ok(region),
        }
    }

    /// A cell of one to six numbers, in angstrom and degrees: lengths that are missing or 0 are a, such angles 90.
    pub fn cell(&self) -> Result<[f64; 6], Failure> {
        let a = self.number(0)?;
        let mut cell = [a, a, a, 90.0, 90.0, 90.0];
        for (index, value) in cell.iter_mut().enumerate().take(self.words.len()) {
            match self.number(index)? {
                0.0 => {}
                given => *value = given,
            }
        }
        let [lengths @ .., alpha, beta, gamma] = cell;
        if lengths.iter().any(|&length| length <= 0.0) {
            return Err(self.refuse("cell lengths must be larger than zero"));
        }
        if [alpha, beta, gamma].iter().any(|&angle| angle <= 0.0 || angle >= 180.0) {
            return Err(self.refuse("cell angles must lie between 0 and 180 degrees"));
        }
        Ok(cell)
    }

    /// A file or folder name.
    pub fn path(&self) -> Result<PathBuf, Failure> {
        match self.words.first() {
            Some(word) if !word.is_empty() => Ok(PathBuf::from(word)),
            _ => Err(self.refuse("the name is empty")),
        }
    }

    /// A text that is not empty.
    pub fn text(&self) -> Result<String, Failure> {
        match self.words.first() {
            Some(word) if !word.trim().is_empty() => Ok(word.clone()),
            _ => Err(self.refuse("the value is empty")),
        }
    }

    /// The chosen one of `values`, which are in the order of the words of [`Takes::Choice`].
    pub fn choice<T: Copy>(&self, values: &[T]) -> Result<T, Failure> {
        let Takes::Choice(names) = self.takes else { return Err(self.refuse("no choice of words")) };
        let word = self.word(0)?;
        let chosen = names.iter().position(|name| *name == word).and_then(|index| values.get(index));
        chosen.copied().ok_or_else(|| self.refuse(&format!("expected {}", listed(names, "or"))))
    }

    /// A range of frames `A:B`: counted from 1, in ascending order.
    pub fn frame_range(&self) -> Result<[usize; 2], Failure> {
        let numbers = self.word(0)?.split_once(':').map(|(a, b)| (a.parse(), b.parse()));
        let Some((Ok(first), Ok(last))) = numbers else {
            return Err(self.refuse("expected A:B, the first and the last frame"));
        };
        if first == 0 {
            return Err(self.refuse("frames count from 1"));
        }
        if first > last {
            return Err(self.refuse("the first frame is larger than the last"));
        }
        Ok([first, last])
    }
}
