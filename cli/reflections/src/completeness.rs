//! How many of the unique reflections a file has, by resolution.

use crate::cell::Cell;
use crate::expansion::Expansion;
use crate::failure::Failure;
use crate::observations::Hkl;

/// Largest number of indices of the box, as of a grid; half of them are tried.
const MAX_INDICES: f64 = (1_u64 << 31) as f64;

/// Largest number of shells.
const MAX_SHELLS: usize = 1000;

/// Reflections between two resolutions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shell {
    /// The lower resolution in Å; infinite for the first shell.
    pub d_max_angstrom: f64,
    /// The higher resolution in Å.
    pub d_min_angstrom: f64,
    /// Unique reflections that there are: classes under the Laue group, absent ones and 0 0 0 left out.
    pub expected: usize,
    /// Those with an observation of the reflection or its mate.
    pub present: usize,
}

impl Shell {
    /// The part of the expected reflections that is present; `None` where none is expected.
    #[must_use]
    pub fn completeness(&self) -> Option<f64> {
        (self.expected > 0).then(|| self.present as f64 / self.expected as f64)
    }
}

/// Counts unique reflections in `count` shells of equal volume in reciprocal space, out to `d_min_angstrom`, or
/// to the highest resolution of the observations where that is `None`. Where the group is a point group, absent
/// reflections are expected too, since they are not known.
///
/// Cost: tries all indices of half the box around the sphere.
///
/// # Errors
/// An impossible cell, a resolution that is not positive or so high that there are more than 2^31 indices, no
/// shells, or no observation but 0 0 0.
pub fn completeness(
    expansion: &Expansion,
    cell: &Cell,
    d_min_angstrom: Option<f64>,
    count: usize,
) -> Result<Vec<Shell>, Failure> {
    if !cell.is_possible() {
        return Err(Failure::new(format!("there is no cell {cell}")));
    }
    let metric = cell.reciprocal_metric();
    let present = || expansion.unique().iter().map(|unique| unique.hkl).filter(|hkl| *hkl != [0; 3]);
    let highest = present().map(|hkl| metric.d_angstrom(hkl)).fold(f64::INFINITY, f64::min);
    let d_min = d_min_angstrom.unwrap_or(highest);
    if !(d_min > 0.0 && d_min < f64::INFINITY) {
        return Err(Failure::new(
            "completeness needs a resolution: there is none, and no reflection that has one",
        ));
    }
    let most = cell.largest_indices(d_min);
    let indices: f64 = most.iter().map(|index| 2.0 * f64::from(*index) + 1.0).product();
    if !(1..=MAX_SHELLS).contains(&count) {
        return Err(Failure::new(format!("{count} shells: 1 to {MAX_SHELLS} are possible")));
    }
    if indices > MAX_INDICES {
        return Err(Failure::new(format!(
            "the indices to {d_min} Å in the cell {cell} are too many to be counted"
        )));
    }

    let mut shells: Vec<Shell> = (0..count)
        .map(|shell| {
            let limit = |i: usize| d_min / (i as f64 / count as f64).cbrt();
            Shell { d_max_angstrom: limit(shell), d_min_angstrom: limit(shell + 1), expected: 0, present: 0 }
        })
        .collect();
    // The last shell ends a little beyond d_min, which the observation that defines it must not miss.
    let largest_inverse = (1.0 + 1e-9) / (d_min * d_min);
    let shell_of = |hkl: Hkl| {
        let inverse = metric.inverse_d_squared(hkl);
        (inverse <= largest_inverse).then(|| {
            let volume = (inverse * d_min * d_min).powf(1.5);
            ((volume * count as f64) as usize).min(count - 1)
        })
    };
    for hkl in present() {
        if let Some(shell) = shell_of(hkl) {
            shells[shell].present += 1;
        }
    }
    let group = expansion.group();
    // The representative of a class has h >= 0, since it is not smaller than its mate.
    for h in 0..=most[0] {
        for k in -most[1]..=most[1] {
            for l in -most[2]..=most[2] {
                let hkl = [h, k, l];
                let Some(shell) = shell_of(hkl).filter(|_| hkl != [0; 3]) else { continue };
                if group.is_representative(hkl) && !group.is_absent(hkl) {
                    shells[shell].expected += 1;
                }
            }
        }
    }
    Ok(shells)
}
