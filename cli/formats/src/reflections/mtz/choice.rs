//! Which columns of an MTZ are taken, by default and by name.
//!
//! By default, and passing over columns without any value: a pair F(+), F(-); the first amplitude that is no map
//! coefficient, with the anomalous difference that follows it in its dataset, if there is one; a pair I(+), I(-); the
//! first intensity. Normalised amplitudes, columns of type R and map coefficients are taken by name only.

use std::collections::BTreeMap;

use widebragg_reflections::observations::Quantity;

use super::header::{Column, Dataset, Kind};
use crate::reflections::taken::Taken;
use crate::text::shown;

/// A label says which of two Friedel mates a column holds.
const SIGNS: [[&str; 2]; 3] = [["(+)", "(-)"], ["+", "-"], ["PLUS", "MINUS"]];

/// Beginnings of labels of map coefficients, beside those with `WT` in them.
const MAPS: [&str; 5] = ["FEM", "FDM", "FAN", "FPART", "FBULK"];

/// The columns of a file, for the choice among them.
pub(super) struct Columns<'a> {
    pub all: &'a [Column],
    pub datasets: &'a BTreeMap<i64, Dataset>,
    /// Number of values in each column.
    pub present: &'a [usize],
}

/// A mate that the label of a column speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mate {
    Plus,
    Minus,
}

impl Columns<'_> {
    /// The columns that are taken where none is named.
    pub fn by_default(&self) -> Option<(Taken, Quantity)> {
        let of_kind =
            |kind| (0..self.all.len()).filter(move |&at| self.has_values(at) && self.kind(at) == kind);
        let pairs = self.pairs(|at| self.has_values(at));
        let pair_of = |quantity| pairs.iter().copied().find(|&(_, of)| of == quantity);
        if let Some(pair) = pair_of(Quantity::Amplitude) {
            return Some(pair);
        }
        let is_amplitude = |&at: &usize| !self.is_map(at) && self.pair_quantity(at).is_none();
        if let Some(amplitude) = of_kind(Kind::AMPLITUDE).find(is_amplitude) {
            let taken = match self.difference_after(amplitude) {
                Some(difference) => Taken::Difference { amplitude, difference },
                None => Taken::One(amplitude),
            };
            return Some((taken, Quantity::Amplitude));
        }
        let intensity = || of_kind(Kind::INTENSITY).next().map(|at| (Taken::One(at), Quantity::Intensity));
        pair_of(Quantity::Intensity).or_else(intensity)
    }

    /// The columns that `labels` name.
    pub fn by_name(&self, labels: &[String]) -> Result<(Taken, Quantity), String> {
        let mut named = Vec::new();
        for label in labels {
            let at = self.find(label).ok_or_else(|| format!("no column {}", shown(label.as_bytes())))?;
            if !self.kind(at).goes_with_values() {
                named.push(at);
            }
        }
        match *named {
            [one] => {
                let alone = (Taken::One(one), self.quantity(one)?);
                let mut pairs = self.pairs(|_| true).into_iter();
                Ok(pairs.find(|(pair, _)| pair.columns().any(|at| at == one)).unwrap_or(alone))
            }
            [one, other] => self.two(one, other),
            [] => Err("the columns named are no amplitudes or intensities".to_owned()),
            _ => {
                Err(format!("{} columns are named; a list has one, or two that belong together", named.len()))
            }
        }
    }

    /// A difference with its amplitude, or a pair of mates.
    fn two(&self, one: usize, other: usize) -> Result<(Taken, Quantity), String> {
        let is_difference = |at| self.kind(at) == Kind::DIFFERENCE;
        for (amplitude, difference) in [(one, other), (other, one)] {
            if is_difference(difference) && self.kind(amplitude) == Kind::AMPLITUDE {
                return Ok((Taken::Difference { amplitude, difference }, Quantity::Amplitude));
            }
        }
        let (quantity, same) = (self.quantity(one)?, self.quantity(other)?);
        let are_mates = |at| matches!(self.kind(at), Kind::MATE_AMPLITUDE | Kind::MATE_INTENSITY);
        let pair = match (mate(&self.all[one].label), mate(&self.all[other].label)) {
            _ if quantity != same || one == other => None,
            (Some(Mate::Plus), Some(Mate::Minus)) => Some((one, other)),
            (Some(Mate::Minus), Some(Mate::Plus)) => Some((other, one)),
            _ => (are_mates(one) && are_mates(other)).then_some((one, other)),
        };
        let (plus, minus) = pair.ok_or_else(|| {
            format!(
                "{} and {} are neither a pair of Friedel mates nor an amplitude with its difference",
                self.label(one),
                self.label(other)
            )
        })?;
        Ok((Taken::Pair { plus, minus }, quantity))
    }

    /// The label of a column, with its dataset where several columns have that label.
    pub fn label(&self, at: usize) -> String {
        let column = &self.all[at];
        let is_alone = self.all.iter().filter(|other| other.label == column.label).count() == 1;
        match self.datasets.get(&column.dataset).map(|dataset| dataset.name.as_str()) {
            Some(name) if !is_alone && !name.is_empty() => format!("{name}/{}", column.label),
            _ => column.label.clone(),
        }
    }

    /// The first column of a name: `label`, `dataset/label`, `crystal/label` or `crystal/dataset/label`, exact or else
    /// in any case.
    fn find(&self, name: &str) -> Option<usize> {
        let is_same = |one: &str, other: &str| one == other;
        let is_alike = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
        self.find_by(name, is_same).or_else(|| self.find_by(name, is_alike))
    }

    fn find_by(&self, name: &str, is_same: impl Fn(&str, &str) -> bool) -> Option<usize> {
        let path = name.strip_prefix('/').unwrap_or(name);
        self.all.iter().position(|column| {
            let label = &column.label;
            is_same(label, name)
                || path.contains('/')
                    && self.datasets.get(&column.dataset).is_some_and(|Dataset { crystal, name, .. }| {
                        [
                            format!("{name}/{label}"),
                            format!("{crystal}/{label}"),
                            format!("{crystal}/{name}/{label}"),
                        ]
                        .iter()
                        .any(|full| is_same(full, path))
                    })
        })
    }

    fn kind(&self, at: usize) -> Kind {
        self.all[at].kind
    }

    fn has_values(&self, at: usize) -> bool {
        self.present[at] > 0
    }

    /// What a column holds that is taken by name.
    fn quantity(&self, at: usize) -> Result<Quantity, String> {
        match self.kind(at) {
            Kind::AMPLITUDE | Kind::MATE_AMPLITUDE | Kind::REAL | Kind::NORMALISED => Ok(Quantity::Amplitude),
            Kind::INTENSITY | Kind::MATE_INTENSITY => Ok(Quantity::Intensity),
            other => Err(format!("{} is no amplitude or intensity ({})", self.label(at), other.words())),
        }
    }

    /// What a column holds that may be one of a pair, whatever its type says of that.
    fn pair_quantity(&self, at: usize) -> Option<Quantity> {
        let Column { label, kind, .. } = &self.all[at];
        let has_sign = SIGNS[0].iter().any(|sign| label.contains(sign));
        match *kind {
            Kind::MATE_AMPLITUDE => Some(Quantity::Amplitude),
            Kind::MATE_INTENSITY => Some(Quantity::Intensity),
            Kind::AMPLITUDE if has_sign => Some(Quantity::Amplitude),
            Kind::INTENSITY if has_sign => Some(Quantity::Intensity),
            _ => None,
        }
    }

    /// The pairs among the columns for which `counts`: first of labels that differ by their signs, or else of
    /// neighbours in a dataset, of which the second has no sign.
    fn pairs(&self, counts: impl Fn(usize) -> bool) -> Vec<(Taken, Quantity)> {
        let mut is_free: Vec<bool> =
            (0..self.all.len()).map(|at| counts(at) && self.pair_quantity(at).is_some()).collect();
        let mut pairs = Vec::new();
        for at in 0..self.all.len() {
            let Some(quantity) = self.pair_quantity(at).filter(|_| is_free[at]) else { continue };
            let Column { label, dataset, .. } = &self.all[at];
            let others = || {
                (at + 1..self.all.len()).filter(|&other| {
                    is_free[other]
                        && self.all[other].dataset == *dataset
                        && self.pair_quantity(other) == Some(quantity)
                })
            };
            let is_minus = mate(label) == Some(Mate::Minus);
            let signed = others().find(|&other| are_mates(label, &self.all[other].label));
            let next =
                || others().next().filter(|&other| !is_minus && mate(&self.all[other].label).is_none());
            if let Some(other) = signed.or_else(next) {
                is_free[other] = false;
                let (plus, minus) = if is_minus { (other, at) } else { (at, other) };
                pairs.push((Taken::Pair { plus, minus }, quantity));
            }
        }
        pairs
    }

    /// The first difference after an amplitude, in its dataset and before the next amplitude.
    fn difference_after(&self, amplitude: usize) -> Option<usize> {
        let is_amplitude = |&at: &usize| self.kind(at) == Kind::AMPLITUDE;
        (amplitude + 1..self.all.len()).take_while(|at| !is_amplitude(at)).find(|&at| {
            self.kind(at) == Kind::DIFFERENCE
                && self.has_values(at)
                && self.all[at].dataset == self.all[amplitude].dataset
        })
    }

    fn is_map(&self, at: usize) -> bool {
        let label = self.all[at].label.to_ascii_uppercase();
        label.contains("WT") || MAPS.iter().any(|map| label.starts_with(map))
    }
}

/// The mate that a label speaks of.
fn mate(label: &str) -> Option<Mate> {
    let label = label.to_ascii_uppercase();
    SIGNS.iter().find_map(|[plus, minus]| {
        let [plus, minus] = [plus, minus].map(|sign| label.contains(sign));
        match (plus, minus) {
            (true, false) => Some(Mate::Plus),
            (false, true) => Some(Mate::Minus),
            _ => None,
        }
    })
}

/// Whether two labels differ by their signs only.
fn are_mates(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(str::to_ascii_uppercase);
    SIGNS.iter().any(|[plus, minus]| {
        one.contains(plus) && one.replacen(plus, minus, 1) == other
            || one.contains(minus) && one.replacen(minus, plus, 1) == other
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The choice among columns `dataset:label:type`, those with a `-` before them empty; what is taken, as labels.
    fn choose(columns: &str, names: &[&str]) -> Result<(Vec<String>, &'static str, Quantity), String> {
        let mut present = Vec::new();
        let all: Vec<Column> = columns
            .split_whitespace()
            .map(|column| {
                present.push(usize::from(!column.starts_with('-')));
                let words: Vec<&str> = column.trim_start_matches('-').split(':').collect();
                let [dataset, label, kind] = words[..] else { panic!("{column}") };
                let dataset = dataset.parse().expect("a number");
                Column { label: label.to_owned(), kind: Kind(kind.as_bytes()[0]), dataset }
            })
            .collect();
        let dataset = |crystal: &str, name: &str| Dataset {
            crystal: crystal.to_owned(),
            name: name.to_owned(),
            ..Dataset::default()
        };
        let datasets = BTreeMap::from([(1, dataset("native", "peak")), (2, dataset("native", "low res"))]);
        let columns = Columns { all: &all, datasets: &datasets, present: &present };
        let (taken, quantity) = if names.is_empty() {
            columns.by_default().ok_or("none")?
        } else {
            columns.by_name(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())?
        };
        let how = match taken {
            Taken::One(_) => "one",
            Taken::Pair { .. } => "pair",
            Taken::Difference { .. } => "difference",
        };
        Ok((taken.columns().map(|at| columns.label(at)).collect(), how, quantity))
    }

    fn taken(columns: &str, names: &[&str]) -> String {
        choose(columns, names)
            .map_or_else(|error| error, |(labels, how, _)| format!("{how} {}", labels.join(" ")))
    }

    #[test]
    fn pairs_come_first_then_differences_amplitudes_and_intensities() {
        for (columns, expected) in [
            ("1:F:F 1:D:D 1:F(+):G 1:SIGF(+):L 1:F(-):G", "pair F(+) F(-)"),
            ("1:F(-):G 1:F(+):G", "pair F(+) F(-)"),
            ("1:FPLUS:G 1:FMINUS:G", "pair FPLUS FMINUS"),
            ("1:F+:G 1:F-:G", "pair F+ F-"),
            ("1:Fp:G 1:Fm:G 1:Gp:G 1:Gm:G", "pair Fp Fm"),
            // Of type F, as some programs write them.
            ("1:F(+):F 1:SIGF(+):Q 1:F(-):F", "pair F(+) F(-)"),
            // One mate without values or in another dataset is no pair.
            ("1:F(+):G -1:F(-):G 1:FP:F", "one FP"),
            ("1:F(+):G 2:F(-):G 1:FP:F", "one FP"),
            ("1:A(+):G 1:F(+):G 1:F(-):G", "pair F(+) F(-)"),
            ("1:F-obs(+):G 1:F-obs(-):G", "pair F-obs(+) F-obs(-)"),
            // A difference follows its amplitude.
            ("1:FP:F 1:SIGFP:Q 1:DANO:D", "difference FP DANO"),
            ("1:FP:F -1:DANO:D", "one FP"),
            ("1:FP:F 2:DANO:D", "one FP"),
            ("1:FP:F 1:FC:F 1:DANO:D", "one FP"),
            ("1:DANO:D 1:FP:F", "one FP"),
            // Map coefficients and columns without values are passed over.
            ("1:FWT:F 1:DELFWT:F 1:2FOFCwt:F 1:FEM:F 1:FPART:F 1:FC_ALL:F", "one FC_ALL"),
            ("-1:FP:F 1:FC:F", "one FC"),
            ("1:F-obs:F 1:F-model:F", "one F-obs"),
            ("1:IMEAN:J 1:I(+):K 1:I(-):K", "pair I(+) I(-)"),
            ("1:I(+):J 1:I(-):J", "pair I(+) I(-)"),
            ("1:IMEAN:J 1:I(+):K -1:I(-):K", "one IMEAN"),
            ("1:IMEAN:J 1:FP:F", "one FP"),
            ("1:FWT:F 1:E:E 1:FCALC:R 1:PHI:P", "none"),
        ] {
            assert_eq!(taken(columns, &[]), expected, "{columns}");
        }
        assert_eq!(choose("1:I:J", &[]).unwrap().2, Quantity::Intensity);
        assert_eq!(choose("1:I(+):K 1:I(-):K", &[]).unwrap().2, Quantity::Intensity);
        assert_eq!(choose("1:F:F", &[]).unwrap().2, Quantity::Amplitude);
    }

    #[test]
    fn labels_name_columns_pairs_and_differences() {
        let all = "1:FP:F 1:SIGFP:Q 1:DANO:D 1:F(+):G 1:SIGF(+):L 1:F(-):G 1:FWT:F 1:PHIC:P 1:FCALC:R 1:EC:E 1:I:J \
                   2:F(+):G 2:F(-):G 1:Gp:G 1:Gm:G 1:fp:F";
        for (names, expected) in [
            (&["FP"][..], "one FP"),
            (&["fp"], "one fp"),
            (&["fwt"], "one FWT"),
            (&["FP", "SIGFP"], "one FP"),
            (&["FP", "DANO"], "difference FP DANO"),
            (&["DANO", "FP"], "difference FP DANO"),
            (&["F(-)"], "pair peak/F(+) peak/F(-)"),
            (&["F(+)", "SIGF(+)", "F(-)"], "pair peak/F(+) peak/F(-)"),
            (&["F(-)", "F(+)"], "pair peak/F(+) peak/F(-)"),
            (&["low res/F(+)"], "pair low res/F(+) low res/F(-)"),
            (&["/native/LOW RES/F(-)"], "pair low res/F(+) low res/F(-)"),
            (&["native/peak/FP"], "one FP"),
            (&["native/FCALC"], "one FCALC"),
            (&["EC"], "one EC"),
            (&["I"], "one I"),
            (&["Gm"], "pair Gp Gm"),
            (&["Gp", "Gm"], "pair Gp Gm"),
            (&["FOO"], "no column \"FOO\""),
            (&["peak/FOO"], "no column \"peak/FOO\""),
            (&["PHIC"], "PHIC is no amplitude or intensity (phase)"),
            (&["DANO"], "DANO is no amplitude or intensity (anomalous difference)"),
            (&["SIGFP"], "the columns named are no amplitudes or intensities"),
            (
                &["FP", "FWT"],
                "FP and FWT are neither a pair of Friedel mates nor an amplitude with its difference",
            ),
            (
                &["FP", "FP"],
                "FP and FP are neither a pair of Friedel mates nor an amplitude with its difference",
            ),
            (
                &["F(+)", "I"],
                "peak/F(+) and I are neither a pair of Friedel mates nor an amplitude with its difference",
            ),
            (&["FP", "FCALC", "EC"], "3 columns are named; a list has one, or two that belong together"),
        ] {
            assert_eq!(taken(all, names), expected, "{names:?}");
        }
    }
}
