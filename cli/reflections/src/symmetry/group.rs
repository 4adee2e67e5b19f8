//! Groups of operators.

use super::operator::Operator;
use crate::failure::Failure;
use std::collections::HashSet;

/// Number of operators of the largest space groups, those with a lattice F and 48 rotations.
const MAX_OPERATORS: usize = 192;

/// All products of the generators, sorted.
///
/// # Errors
/// More than 192 of them: the generators are those of no space group.
pub(super) fn closed(generators: &[Operator]) -> Result<Vec<Operator>, Failure> {
    let refuse = || {
        Failure::new(format!(
            "the symmetry operators are no space group: they make more than {MAX_OPERATORS} operators"
        ))
    };
    let mut distinct = HashSet::new();
    for generator in generators {
        distinct.insert(*generator);
        if distinct.len() > MAX_OPERATORS {
            return Err(refuse());
        }
    }
    let mut known = HashSet::from([Operator::IDENTITY]);
    let mut group = vec![Operator::IDENTITY];
    let mut next = 0;
    while let Some(element) = group.get(next).copied() {
        next += 1;
        for generator in &distinct {
            let product = generator.after(&element).map_err(|_| refuse())?;
            if known.insert(product) {
                group.push(product);
            }
        }
        if group.len() > MAX_OPERATORS {
            return Err(refuse());
        }
    }
    group.sort_unstable();
    Ok(group)
}
