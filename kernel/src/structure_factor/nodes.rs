//! The values at the nodes of a grid.

/// Borrowed values, h-major, l fastest: in f64, or in f32, which takes half the memory.
///
/// The value of an f32 node is exactly `f64::from` of it: where all F are numbers that f32 holds, images have the
/// same bits with either.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Nodes<'a> {
    /// In f64.
    F64(&'a [f64]),
    /// In f32.
    F32(&'a [f32]),
}

impl<'a> Nodes<'a> {
    /// Number of nodes.
    #[must_use]
    pub fn count(self) -> usize {
        match self {
            Self::F64(values) => values.len(),
            Self::F32(values) => values.len(),
        }
    }

    /// Size in memory, in bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::F64(values) => size_of_val(values),
            Self::F32(values) => size_of_val(values),
        }
    }

    /// A value; `None` past the last node.
    #[must_use]
    pub fn get(self, node: usize) -> Option<f64> {
        match self {
            Self::F64(values) => values.get(node).copied(),
            Self::F32(values) => values.get(node).copied().map(f64::from),
        }
    }

    /// `count` nodes from `first` on; `None` where there are fewer. Out of line, so that it is compiled once and not again
    /// for each loop.
    #[inline(never)]
    pub(super) fn part(self, first: usize, count: usize) -> Option<Self> {
        let range = first..first.checked_add(count)?;
        match self {
            Self::F64(values) => values.get(range).map(Self::F64),
            Self::F32(values) => values.get(range).map(Self::F32),
        }
    }

    /// The largest magnitude of a value; the first value that is not finite as the error.
    pub(super) fn largest(self) -> Result<f64, f64> {
        match self {
            Self::F64(values) => largest(values.iter().copied()),
            Self::F32(values) => largest(values.iter().copied().map(f64::from)),
        }
    }

    /// Four nodes that follow each other; `None` where there are fewer.
    #[inline(always)]
    pub(super) fn four(self, first: usize) -> Option<[f64; 4]> {
        let range = first..first.checked_add(4)?;
        match self {
            Self::F64(values) => values.get(range)?.first_chunk().copied(),
            Self::F32(values) => {
                let [a, b, c, d] = *values.get(range)?.first_chunk()?;
                Some([f64::from(a), f64::from(b), f64::from(c), f64::from(d)])
            }
        }
    }
}

/// In one pass over the values, which may be many, as long as all of them are finite.
fn largest(mut values: impl Iterator<Item = f64> + Clone) -> Result<f64, f64> {
    let (mut largest, mut all_finite) = (0.0f64, true);
    for f in values.clone() {
        largest = largest.max(f.abs());
        all_finite &= f.is_finite();
    }
    if all_finite {
        return Ok(largest);
    }
    values.find(|f| !f.is_finite()).map_or(Ok(largest), Err)
}

impl<'a> From<&'a [f64]> for Nodes<'a> {
    fn from(values: &'a [f64]) -> Self {
        Self::F64(values)
    }
}

impl<'a> From<&'a [f32]> for Nodes<'a> {
    fn from(values: &'a [f32]) -> Self {
        Self::F32(values)
    }
}

impl<'a, const N: usize> From<&'a [f64; N]> for Nodes<'a> {
    fn from(values: &'a [f64; N]) -> Self {
        Self::F64(values)
    }
}

impl<'a, const N: usize> From<&'a [f32; N]> for Nodes<'a> {
    fn from(values: &'a [f32; N]) -> Self {
        Self::F32(values)
    }
}
