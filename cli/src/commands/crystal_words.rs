//! The parameters of one of several crystals that `--wrt` names.

use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::gradient::named::{Named, of_crystal};

use crate::error::Failure;

/// A word of `--wrt` about crystals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CrystalWord<'w> {
    /// The number of the crystal as it is typed; `None`: each of them.
    number: Option<&'w str>,
    /// The parameter, or the group; `None`: all that a crystal has.
    parameter: Option<&'w str>,
}

impl<'w> CrystalWord<'w> {
    /// The word, where it is one: `crystal[NUMBER]`, `crystal[NUMBER].PARAMETER`, `crystals` or `crystals.PARAMETER`.
    pub fn new(word: &'w str) -> Option<Self> {
        let (number, rest) = match word.strip_prefix("crystal[") {
            Some(rest) => {
                let (number, rest) = rest.split_once(']')?;
                (Some(number), rest)
            }
            None => (None, word.strip_prefix("crystals")?),
        };
        let parameter = if rest.is_empty() { None } else { Some(rest.strip_prefix('.')?) };
        Some(Self { number, parameter })
    }

    /// The parameters that the word names in `experiment`: of those that crystals have, the ones that these have.
    ///
    /// # Errors
    /// There is one crystal, no such crystal or no such parameter.
    pub fn parameters(self, word: &str, experiment: &Experiment) -> Result<Vec<Named>, Failure> {
        let refused = |why: String| Failure::input(format!("--wrt {word}: {why}"));
        let count = experiment.lattices();
        if count == 1 {
            let why = "there is one crystal: name its parameters alone (cell), and scale for its weight";
            return Err(refused(why.to_owned()));
        }
        let crystals = match self.number {
            None => 0..count,
            Some(number) => match number.parse::<usize>() {
                Ok(number) if (1..=count).contains(&number) => number - 1..number,
                _ => {
                    let why = format!("there is no crystal {number}; those with a weight are 1 to {count}");
                    return Err(refused(why));
                }
            },
        };
        let found: Vec<_> =
            crystals.flat_map(|crystal| of_crystal(crystal, self.parameter, experiment)).collect();
        match found.first() {
            None => Err(refused(
                "no such parameter of a crystal; there are cell, vectors, misset, mosaic, N, cells, coupling, weight, and \
                 the single ones"
                    .to_owned(),
            )),
            Some(Err(why)) if !found.iter().any(Result::is_ok) => Err(refused((*why).to_owned())),
            Some(_) => Ok(found.into_iter().flatten().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_crystals() {
        let word = |number, parameter| Some(CrystalWord { number, parameter });
        for (text, expected) in [
            ("crystals", word(None, None)),
            ("crystals.weight", word(None, Some("weight"))),
            ("crystal[2]", word(Some("2"), None)),
            ("crystal[2].misset_x", word(Some("2"), Some("misset_x"))),
            ("crystal", None),
            ("crystal[2]cell", None),
            ("crystalsx", None),
            ("cell", None),
        ] {
            assert_eq!(CrystalWord::new(text), expected, "{text}");
        }
    }
}
