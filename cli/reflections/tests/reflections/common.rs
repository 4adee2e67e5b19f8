//! Golden data of reflections, and groups to test with.

use std::fs;
use std::path::{Path, PathBuf};
use widebragg_reflections::observations::{Hkl, Mates, Observation, Observations, Quantity};

/// The file of the golden data with this name.
pub fn golden(name: &str) -> String {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/reflections");
    let path = folder.join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Observations without sigmas, averaged equally, mates as they are listed.
pub fn observations(quantity: Quantity, list: impl IntoIterator<Item = (Hkl, f64)>) -> Observations {
    let list = list.into_iter().map(|(hkl, value)| Observation { hkl, value, sigma: None }).collect();
    Observations { quantity, list, weighted: false, mates: Mates::AsListed }
}

/// All indices with |h|, |k|, |l| up to `reach`.
pub fn small_indices(reach: i32) -> impl Iterator<Item = Hkl> {
    let range = move || -reach..=reach;
    range().flat_map(move |h| range().flat_map(move |k| range().map(move |l| [h, k, l])))
}

/// Numbers that look random, the same in every run.
pub struct Lcg(pub u64);

impl Lcg {
    /// A number from 0 to 1, without the limits.
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as f64 + 0.5) / f64::from(1_u32 << 31)
    }

    /// An integer below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        (self.uniform() * count as f64) as usize
    }
}
