//! Random scenes of crystals with small spots, and lists of their spots.

#[path = "small.rs"]
mod small;

use core::ops::Range;

pub use small::Random;
use small::small;
use widebragg::Error;
use widebragg::lanes::Simd;
use widebragg::lattice::{CellCoupling, CrystalShape, SpotMetric};
use widebragg::light::{Cell, Light, ListLen, Spot, SpotList};
use widebragg_tests::oracle::Mode;
use widebragg_tests::scene::KernelScene;

/// Random scenes of gauss and tophat crystals.
pub const SCENES: u64 = 400;

/// A random scene whose spots range from specks to blobs, and which may be bright or dark beyond all measure.
pub fn scene(seed: u64, simd: Simd, mode: Mode) -> (KernelScene, usize, String) {
    let mut random = Random(seed ^ 0x5eed);
    let small = small(seed);
    let mut scene = KernelScene::from_simulation(&small.simulation, simd, mode);
    scene.interpolate = false;
    let cells = random.pick(&[1.0, 3.0, 10.0, 100.0, 1000.0]);
    scene.crystallite.shape = random.pick(&[CrystalShape::Gauss, CrystalShape::Gauss, CrystalShape::Tophat]);
    scene.crystallite.cells = [cells, random.whole(1, 4) as f64, cells];
    // Spots between a thousandth of and as wide as the way from node to node, whatever the number of cells.
    let volume: f64 = scene.crystallite.cells.iter().product();
    let spread = random.within(-1.0, 5.0);
    scene.crystallite.fudge = (1e5 * 10f64.powf(spread) / (volume * volume)).min(1e9);
    scene.fluence_per_m2 =
        random.pick(&[1e24, 1e-30, 1e-10, 1.0, 1e10, 1e12, 1e40]) * random.within(1.0, 10.0);
    if random.chance(0.5) {
        let fewest = scene.crystallite.cells.iter().copied().fold(f64::INFINITY, f64::min);
        let mut coupling = || random.within(-0.3, 0.3) * fewest;
        scene.crystallite.spots.coupling = CellCoupling { ab: coupling(), ac: coupling(), bc: coupling() };
        scene.crystallite.spots.metric = SpotMetric::Index;
        scene.crystallite.fudge = 50.0 * 10f64.powf(spread) / (cells * cells);
    }
    scene.crystallite.spots.gauss_cutoff = random.pick(&[f64::INFINITY, f64::INFINITY, 35.0, 5.0, 1.0]);
    (scene, small.threads, small.line)
}

/// Calls `job` with the lists of the spots on some rows, made of `pieces` of the pairs.
pub fn with_lists<R>(
    light: &Light<'_, '_>,
    rows: &Range<usize>,
    pieces: usize,
    job: &mut dyn for<'l> FnMut(&Light<'l, 'l>, &[SpotList<'l>]) -> R,
) -> R {
    let mut spots = vec![Spot::default(); 4];
    let mut kept = Vec::new();
    for piece in split(light.pairs(), pieces) {
        let mut start = piece.start;
        while start < piece.end {
            match light.find(rows.clone(), start..piece.end, &mut spots) {
                Ok(found) => {
                    start = found.pairs.end;
                    kept.push((found.clone(), spots[..found.spots].to_vec()));
                }
                Err(Error::BufferTooShort { needed, given, .. }) => {
                    assert!(needed > given);
                    spots.resize(needed, Spot::default());
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    let len = |spots: &Vec<Spot>| light.list_len(rows.clone(), spots);
    let buffer = |len: ListLen| (vec![[0; 2]; len.spans], vec![Cell::default(); len.cells]);
    let mut buffers: Vec<_> = kept.iter().map(|(_, spots)| buffer(len(spots))).collect();
    let pieces = kept.iter().zip(&mut buffers);
    let lists: Vec<_> = pieces
        .map(|((found, spots), (spans, cells))| light.list(rows.clone(), found, spots, spans, cells))
        .collect::<Result<_, _>>()
        .expect("lists");
    job(light, &lists)
}

/// Ranges of about the same length.
pub fn split(count: usize, parts: usize) -> impl Iterator<Item = Range<usize>> {
    let parts = parts.min(count).max(1);
    (0..parts).map(move |i| i * count / parts..(i + 1) * count / parts)
}
