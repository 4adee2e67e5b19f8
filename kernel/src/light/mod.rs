//! Rendering from a list of spots instead of from all pixels, for crystals whose spots are small: gauss and tophat.
//!
//! Most steps of such a crystal add nothing, or nothing that a pixel can show. The list has the *spots*: for each
//! source and orientation (a *pair*) the reciprocal-lattice nodes near the Ewald sphere whose scattered beam meets the
//! detector, with the pixels about it. Rendering visits only these pixels, source by source and orientation by
//! orientation as the loop does, so that a pixel's terms are added in the same order.
//!
//! **Reach.** A step reaches as far from its node as its term may matter. Tophat spots end by themselves. A gauss spot
//! is cut off at an exponent x,
//!
//! ```text
//! F_latt = Na Nb Nc exp(-fudge rs2/0.63)      left out where fudge rs2/0.63 > x
//! term   = (F_cell F_latt)^2                  so that what a step leaves out is at most (F_max Na Nb Nc)^2 exp(-2 x)
//! ```
//!
//! F_max is the largest |F_cell| of the scene. In reciprocal space the reach is a ball about the node; the directions
//! of the scattered beams within the ball are a cone, and the pixels inside the cone's outline on the detector are the
//! spot's.
//!
//! **Proof.** The terms are not negative, and rounding is monotone, so that the whole sum of a pixel lies between the
//! sum S of its list and (S + left out)(1 + rounding error). If both ends of this interval give the same stored pixel,
//! the whole sum gives it too. A pixel that fails this test is rendered by the loop. The stored image therefore has the
//! same bits whatever the cutoff; the cutoff only decides how many pixels fail.
//!
//! **Derivatives** ([`Light::pullback_rows`], [`Light::pushforward_rows`]) are sums of terms of either sign, which no test of
//! rounding can prove. What they lack is bounded instead ([`Light::left_out_of_derivatives`]), for the caller to compare
//! with what was found, and to take a farther cutoff where it may matter.
//!
//! **Where it does not apply** ([`Scene::light`] is `None`): other shapes, interpolation, curved detectors, c-parity
//! with an oversample flag, where steps that add nothing multiply the running sum, and spots that reach halfway to the
//! next node or to the middle of the Ewald sphere. Nor where a proof or a spot lacks the numbers: Kahn factors beyond 1,
//! incident vectors longer than 1, indices of 32,000 and more, 65,536 pixels along an axis, more than 2^32 pairs.
//!
//! **Buffers** are the caller's. [`Light::find`] writes as many whole pairs as fit into a buffer of spots, so that a list
//! of any length is made of several, by several threads; [`Light::list_len`] says what sorting the spots by pixels
//! takes: 12 bytes for each span of pixels that a spot touches, and 8 for each span there is. While it is found, a spot takes 44
//! bytes.
//!
//! ```
//! # use widebragg::beam::Source;
//! # use widebragg::rotation::{IDENTITY, Orientation};
//! # use widebragg::scene::{SceneParameters, SceneTables};
//! use widebragg::carryover::Carryover;
//! use widebragg::crystal::{CellSource, UnitCell};
//! use widebragg::lattice::CrystalShape;
//! use widebragg::light::{Cell, Cutoff, Spot};
//!
//! # fn main() -> Result<(), widebragg::Error> {
//! let cell = UnitCell::from_degrees([70.0, 80.0, 90.0], [90.0, 90.0, 90.0]);
//! let parameters = SceneParameters {
//!     shape: CrystalShape::Gauss,
//!     cells: [20.0; 3],
//!     default_f: 100.0,
//!     ..SceneParameters::new(CellSource::Cell(cell))
//! };
//! # let len = parameters.tables_len()?;
//! # let mut sources = vec![Source::default(); len.sources];
//! # let mut domains = vec![IDENTITY; len.domains];
//! # let mut orientations = vec![Orientation::default(); len.orientations];
//! # let (sources, domains, orientations) = (&mut sources[..], &mut domains[..], &mut orientations[..]);
//! # let (source_weights, source_grids) = (&mut [][..], &mut [][..]);
//! # let tables = SceneTables { sources, source_weights, source_grids, domains, orientations };
//! let scene = parameters.fill(tables)?; // tables as in the example of the crate
//! let rows = 0..scene.panel().slow_pixels;
//! let light = scene.light(Cutoff::Exponent(60.0)).expect("a gauss crystal without interpolation");
//!
//! let mut spots = vec![Spot::default(); 10_000];
//! let found = light.find(rows.clone(), 0..light.pairs(), &mut spots)?;
//! assert_eq!(found.pairs, 0..light.pairs()); // all of them had room
//! let len = light.list_len(rows.clone(), &spots[..found.spots]);
//! let (mut spans, mut cells) = (vec![[0; 2]; len.spans], vec![Cell::default(); len.cells]);
//! let lists = [light.list(rows.clone(), &found, &spots, &mut spans, &mut cells)?];
//!
//! let mut image = vec![0f32; scene.panel().pixels()];
//! light.render_rows(&lists, rows.clone(), &mut image, &mut Carryover::Off)?;
//! # let mut whole = vec![0f32; scene.panel().pixels()];
//! scene.render_rows(rows, &mut whole, &mut Carryover::Off)?;
//! assert!(image == whole);
//! # Ok(())
//! # }
//! ```

mod cone;
mod estimate;
mod list;
mod reach;
mod search;
mod spots;

pub use estimate::Choice;
pub use list::{Cell, ListLen, SpotList};
pub use search::Found;
pub use spots::Spot;

use core::iter;
use core::ops::Range;

use crate::Error;
use crate::carryover::Carryover;
use crate::names::named;
use crate::render::{Lit, PixelValue, RowReport};
use crate::scene::Scene;
use crate::structure_factor::LookupRule;
use cone::Outline;
use list::SceneAddress;
pub(crate) use reach::Reach;

/// Where the spots of a gauss crystal end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cutoff {
    /// Where the exponential is exactly 0: nothing is left out, so that f64 pixels have the same bits too.
    Exact,
    /// At this exponent x, where exp(-x) is left of the amplitude.
    Exponent(f64),
}

/// Whether an image is rendered from a list of its spots or by the loop over all steps of all pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LightRule {
    /// Whichever is estimated to be faster.
    #[default]
    Auto,
    /// From the list, wherever a list can replace the loop.
    List,
    /// By the loop.
    Loop,
}

named!(LightRule, "light": Auto = "auto", List = "list", Loop = "loop");

/// How to list the spots of a scene.
#[derive(Debug, Clone, Copy)]
pub struct Light<'s, 'a> {
    pub(crate) scene: &'s Scene<'a>,
    pub(crate) reach: Reach,
    /// The detector.
    outline: Outline,
    /// Its deepest layer where there are several.
    deepest: Option<Outline>,
}

impl<'a> Scene<'a> {
    /// How to list the spots of this scene, cut off at `cutoff`; `None` where a list cannot replace the loop. Tophat
    /// spots have an edge, and need no cutoff.
    #[must_use]
    pub fn light<'s>(&'s self, cutoff: Cutoff) -> Option<Light<'s, 'a>> {
        let p = &self.p;
        let interpolates =
            p.structure_factors.grid.is_some() && p.structure_factors.lookup != LookupRule::Nearest;
        // Factors below 0 would be terms below 0.
        let dim = p.polarization.is_none_or(|polarization| polarization.kahn.abs() <= 1.0);
        if interpolates
            || p.panel.bend.is_some()
            || self.needs_general_loop()
            || !dim
            || !self.has_usual_factors()
        {
            return None;
        }
        let limits = [p.panel.fast_pixels, p.panel.slow_pixels];
        let is_named = p.largest_indices().into_iter().all(|index| index < LARGEST_INDEX);
        if self.pairs() > MOST_PAIRS || limits.into_iter().any(|limit| limit > MOST_PIXELS) || !is_named {
            return None;
        }
        let reach = Reach::new(self, cutoff)?;
        let deepest_m = p.panel.sensor.layer_m * (p.panel.sensor.layers - 1) as f64;
        let outline = |depth_m| Outline::new(&p.panel, depth_m);
        let deepest = (deepest_m > 0.0).then(|| outline(deepest_m));
        Some(Light { scene: self, reach, outline: outline(0.0), deepest })
    }

    /// Sources times orientations.
    pub(crate) fn pairs(&self) -> usize {
        self.p.sources.len().saturating_mul(self.p.orientations.entries().len())
    }
}

/// The lanes whose bits are set, in order.
#[inline(always)]
fn lanes_in(mut bits: u32) -> impl Iterator<Item = usize> {
    iter::from_fn(move || {
        let lane = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        Some(lane)
    })
}

/// The number in a lane.
#[inline(always)]
fn lane_of(numbers: &impl AsRef<[f64]>, lane: usize) -> f64 {
    numbers.as_ref().get(lane).copied().unwrap_or_default()
}

/// Most sources times orientations that a spot can name.
const MOST_PAIRS: usize = u32::MAX as usize;

/// Indices that a spot can name are below this.
const LARGEST_INDEX: f64 = 32_000.0;

/// Most pixels along an axis that a spot can name.
const MOST_PIXELS: usize = u16::MAX as usize;

impl<'s> Light<'s, '_> {
    /// Renders `rows` into `pixels`, in photons, from lists of their spots: the lists of consecutive pairs, in order,
    /// and of all pairs. The pixels have the bits of [`Scene::render_rows`].
    ///
    /// **Shapes**, carryover and report are those of [`Scene::render_rows`].
    ///
    /// # Errors
    /// As [`Scene::render_rows`]; [`Error::OtherScene`] for lists of another scene or cutoff, and [`Error::BufferTooShort`] where
    /// pairs or rows are missing from the lists.
    pub fn render_rows<P: PixelValue>(
        &self,
        lists: &[SpotList<'s>],
        rows: Range<usize>,
        pixels: &mut [P],
        carry: &mut Carryover<'_>,
    ) -> Result<RowReport, Error> {
        let lit = self.lit(lists, &rows)?;
        self.scene.render_rows_of(rows, pixels, carry, Some(&lit))
    }

    /// The lists of all pairs on `rows`, checked.
    pub(crate) fn lit<'l>(&self, lists: &'l [SpotList<'s>], rows: &Range<usize>) -> Result<Lit<'l>, Error> {
        let scene = SceneAddress::of(self.scene);
        let (mut pairs, mut used) = (0, 0);
        for list in lists {
            if list.scene != scene {
                return Err(Error::OtherScene { quantity: "spots" });
            }
            if list.lowest_exponent.to_bits() != self.reach.lowest_exponent.to_bits() {
                return Err(Error::OtherScene { quantity: "spots" });
            }
            let [start, end] = list.pairs;
            if start != pairs || !list.holds(rows) {
                break;
            }
            (pairs, used) = (end, used + 1);
        }
        if pairs != self.pairs() {
            return Err(Error::BufferTooShort {
                buffer: "lists of spots",
                needed: self.pairs(),
                given: pairs,
            });
        }
        Ok(Lit { reach: self.reach, lists: lists.get(..used).unwrap_or(&[]) })
    }

    /// Sources times orientations: the pairs that [`Light::find`] searches. Pair i is source i / n and orientation
    /// i % n, where n is the number of orientations.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.scene.pairs()
    }

    /// The largest term that a step may leave out, (F_max Na Nb Nc)^2 exp(-2 x): 0 where nothing is left out.
    #[must_use]
    pub fn left_out_of_step(&self) -> f64 {
        self.reach.left_out
    }

    /// Where Gaussian spots are cut off, as the exponent x of exp(-x), which is the exponential's last where nothing is
    /// left out.
    #[must_use]
    pub fn exponent(&self) -> f64 {
        -self.reach.lowest_exponent
    }

    /// The same with another bound in place of [`Light::left_out_of_step`], which its proof would have to justify.
    #[must_use]
    pub fn with_left_out_of_step(mut self, left_out: f64) -> Self {
        self.reach.left_out = left_out;
        self
    }
}
