//! Which columns hold the values, and the observations that a row of them gives.

use widebragg_reflections::observations::{Hkl, Observation};

use crate::memory::push;

/// Columns of a table, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// One value for both Friedel mates, or for the listed one.
    One(usize),
    /// A value for hkl, and one for -h-k-l.
    Pair { plus: usize, minus: usize },
    /// The mean amplitude F and the difference D = F(+) - F(-): F(+) = F + D/2, F(-) = F - D/2.
    Difference { amplitude: usize, difference: usize },
}

impl Taken {
    /// The columns, in the order in which they are named.
    pub(super) fn columns(self) -> impl Iterator<Item = usize> {
        let (one, other) = match self {
            Self::One(column) => (column, None),
            Self::Pair { plus, minus } => (plus, Some(minus)),
            Self::Difference { amplitude, difference } => (amplitude, Some(difference)),
        };
        core::iter::once(one).chain(other)
    }

    /// The values of hkl and of -h-k-l. Where the difference is missing, F serves for both mates.
    #[inline]
    pub(super) fn values<E>(
        self,
        mut value: impl FnMut(usize) -> Result<Option<f64>, E>,
    ) -> Result<[Option<f64>; 2], E> {
        Ok(match self {
            Self::One(column) => [value(column)?, None],
            Self::Pair { plus, minus } => [value(plus)?, value(minus)?],
            Self::Difference { amplitude, difference } => {
                let half = value(difference)?.map_or(0.0, |difference| difference / 2.0);
                value(amplitude)?.map_or([None, None], |mean| [Some(mean + half), Some(mean - half)])
            }
        })
    }
}

/// Appends the observations that `values` of hkl and of -h-k-l are; `None` where there is too little memory.
#[inline]
pub(super) fn push_observations(
    list: &mut Vec<Observation>,
    hkl: Hkl,
    values: [Option<f64>; 2],
) -> Option<()> {
    let [listed, mate] = values;
    if let Some(value) = listed {
        push(list, Observation { hkl, value, sigma: None })?;
    }
    if let Some(value) = mate {
        push(list, Observation { hkl: hkl.map(|index| -index), value, sigma: None })?;
    }
    Some(())
}
