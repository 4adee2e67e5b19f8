//! Structure factor amplitudes on a dense grid of Miller indices.

use crate::memory;

/// Largest number of cells of a grid: 16 GiB of amplitudes.
pub const MAX_CELLS: usize = 1 << 31;

/// Structure factor amplitudes over a box of indices, limits included.
#[derive(Debug, Clone, PartialEq)]
pub struct HklTable {
    /// Smallest and largest h.
    pub h: (i32, i32),
    /// Smallest and largest k.
    pub k: (i32, i32),
    /// Smallest and largest l.
    pub l: (i32, i32),
    /// F, h-major, l fastest; each axis has max - min + 1 entries.
    pub data: Vec<f64>,
}

impl HklTable {
    /// A box filled with one value.
    ///
    /// # Errors
    /// A text that says what is wrong with the box: an empty axis, more than `max_cells` cells (or
    /// [`MAX_CELLS`]), or too little memory.
    pub fn filled(
        h: (i32, i32),
        k: (i32, i32),
        l: (i32, i32),
        value: f64,
        max_cells: usize,
    ) -> Result<Self, String> {
        let cells = cells(h, k, l, max_cells)?;
        let data = memory::filled(cells, value).ok_or_else(|| too_large(h, k, l, "the memory there is"))?;
        Ok(Self { h, k, l, data })
    }

    /// The indices and the F of each cell, in the order of the data.
    pub fn nodes(&self) -> impl Iterator<Item = ([i32; 3], f64)> + Clone + '_ {
        let rows = (self.h.0..=self.h.1).flat_map(|h| (self.k.0..=self.k.1).map(move |k| [h, k]));
        let indices = rows.flat_map(|[h, k]| (self.l.0..=self.l.1).map(move |l| [h, k, l]));
        indices.zip(self.data.iter().copied())
    }

    /// Smallest h, k and l.
    #[must_use]
    pub fn min(&self) -> [i32; 3] {
        [self.h.0, self.k.0, self.l.0]
    }

    /// Number of entries along h, k and l.
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        [self.h, self.k, self.l].map(|axis| usize::try_from(entries(axis)).unwrap_or(0))
    }

    /// Position of a reflection in `data`; `None` outside the box.
    #[must_use]
    pub fn position(&self, h: i32, k: i32, l: i32) -> Option<usize> {
        let along = |axis: (i32, i32), index: i32| {
            (axis.0..=axis.1).contains(&index).then(|| index.abs_diff(axis.0) as usize)
        };
        let [_, nk, nl] = self.shape();
        Some((along(self.h, h)? * nk + along(self.k, k)?) * nl + along(self.l, l)?)
    }
}

fn entries(axis: (i32, i32)) -> i64 {
    i64::from(axis.1) - i64::from(axis.0) + 1
}

/// Number of cells of the box; an error for a box that is empty or too large.
pub(crate) fn cells(h: (i32, i32), k: (i32, i32), l: (i32, i32), max_cells: usize) -> Result<usize, String> {
    let max_cells = max_cells.min(MAX_CELLS);
    let mut cells = 1_usize;
    for (name, axis) in [("h", h), ("k", k), ("l", l)] {
        let entries = usize::try_from(entries(axis)).unwrap_or(0);
        if entries == 0 {
            return Err(format!("{name} goes from {} to {}", axis.0, axis.1));
        }
        cells = cells
            .checked_mul(entries)
            .filter(|&cells| cells <= max_cells)
            .ok_or_else(|| too_large(h, k, l, &format!("the limit of {max_cells} cells")))?;
    }
    Ok(cells)
}

fn too_large(h: (i32, i32), k: (i32, i32), l: (i32, i32), limit: &str) -> String {
    let [nh, nk, nl] = [h, k, l].map(entries);
    // In floating point, since the product may overflow an integer.
    let gib = nh as f64 * nk as f64 * nl as f64 * size_of::<f64>() as f64 / f64::from(1 << 30);
    format!(
        "the indices span h {}..{}, k {}..{}, l {}..{}: a grid of {nh} x {nk} x {nl} cells needs {gib:.1} GiB, more than {limit}",
        h.0, h.1, k.0, k.1, l.0, l.1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l_is_fastest_and_h_slowest() {
        let table = HklTable::filled((-1, 1), (0, 3), (2, 6), 7.5, MAX_CELLS).unwrap();
        assert_eq!(table.shape(), [3, 4, 5]);
        assert_eq!(table.data, vec![7.5; 60]);
        assert_eq!(table.position(-1, 0, 2), Some(0));
        assert_eq!(table.position(-1, 0, 3), Some(1));
        assert_eq!(table.position(-1, 1, 2), Some(5));
        assert_eq!(table.position(0, 0, 2), Some(20));
        assert_eq!(table.position(1, 3, 6), Some(59));
        assert_eq!(table.position(2, 0, 2), None);
        assert_eq!(table.position(0, 0, 1), None);
        let nodes = |table: &HklTable| table.nodes().map(|(hkl, _)| hkl).collect::<Vec<_>>();
        let [first, .., last] = nodes(&table)[..] else { panic!("60 nodes") };
        assert_eq!((first, nodes(&table)[5], last), ([-1, 0, 2], [-1, 1, 2], [1, 3, 6]));
        assert!(
            nodes(&table).iter().enumerate().all(|(at, [h, k, l])| table.position(*h, *k, *l) == Some(at))
        );
    }

    #[test]
    fn impossible_boxes_are_refused_in_words() {
        let all = (i32::MIN, i32::MAX);
        let error = HklTable::filled(all, all, all, 0.0, usize::MAX).unwrap_err();
        assert!(error.contains("4294967296 x 4294967296 x 4294967296"), "{error}");
        assert!(error.ends_with("more than the limit of 2147483648 cells"), "{error}");
        assert_eq!(HklTable::filled((0, 1), (3, 1), all, 0.0, 9).unwrap_err(), "k goes from 3 to 1");
        assert_eq!(
            HklTable::filled((0, 9), (0, 9), (-5, 5), 0.0, 1000).unwrap_err(),
            "the indices span h 0..9, k 0..9, l -5..5: a grid of 10 x 10 x 11 cells needs 0.0 GiB, \
             more than the limit of 1000 cells"
        );
    }
}
