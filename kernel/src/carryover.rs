//! The phi carryover: what the reference keeps from one sweep to the next, as data that the caller owns.
//!
//! The reference rotates the cell only where phi is not exactly 0. At phi = 0 its variables still hold the
//! vectors of the step before: inside a sweep those of the previous phi, at the first step those of the last
//! phi of the sweep before it, which may belong to another subpixel, source or pixel. The first sweep of a
//! thread finds the unrotated cell. A sweep that the resolution limit, the mask or the region of interest
//! skips leaves the variables alone.
//!
//! # Terms
//!
//! * **sweep**: the phi steps and mosaic domains that one source goes through for one subpixel.
//! * **stream**: the rows that one thread of the reference renders, in order.
//! * **steady vectors**: the cell vectors that the last phi step of a sweep leaves. All sweeps of an image
//!   leave the same ones, so all sweeps but a stream's first find them.
//! * **opening sweep**: the first sweep of a stream, which finds the unrotated cell instead.
//! * **carried steps**: the phi = 0 steps at the start of a sweep, which use what they find.
//! * **slot**: the cache of one stream, or of one pixel for audits. It holds the vectors that an opening
//!   sweep finds, and the pixel whose sweep left them.
//!
//! Since all sweeps but the opening ones find the same vectors, the order of pixels does not matter: any row,
//! band or single pixel can be rendered alone, with the same bits.
//!
//! [`crate::render::open_streams`] fills the slots of a scene, and [`crate::render::continue_streams`] those of a further call
//! that finds what the one before left; each use of a slot reports a hit or a fresh cell. A scene refuses the slots of another scene, whose pixels they would spoil.
//!
//! ```
//! use widebragg::carryover::{CarryUse, Carryover, Slot};
//! use widebragg::crystal::{CellSource, UnitCell};
//! use widebragg::detector::DetectorParameters;
//! use widebragg::render::{continue_streams, open_pixels, open_streams};
//! use widebragg::rotation::PhiMode;
//! use widebragg::scene::{DetectorInput, SceneParameters};
//! # use widebragg::{beam::Source, rotation::{IDENTITY, Orientation}, scene::SceneTables};
//!
//! # fn main() -> Result<(), widebragg::Error> {
//! const N: usize = 24;
//! let size_m = N as f64 * 1e-4;
//! let detector = DetectorParameters {
//!     fast_pixels: N,
//!     slow_pixels: N,
//!     fast_size_m: size_m,
//!     slow_size_m: size_m,
//!     ..DetectorParameters::default()
//! };
//! let cell = UnitCell::from_degrees([50.0, 60.0, 70.0], [90.0, 95.0, 100.0]);
//! let parameters = SceneParameters {
//!     detector: DetectorInput::Parameters(detector),
//!     mode: PhiMode::CParity,
//!     phi_step_rad: 1e-3,
//!     phi_steps: 3,
//!     cells: [9.0; 3],
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
//!
//! // One stream, as the reference with one thread: all rows in order.
//! let mut slots = [Slot::default()];
//! open_streams(&scene, &mut slots)?;
//! let mut whole = [0f32; N * N];
//! scene.render_rows(0..N, &mut whole, &mut Carryover::Streams(&mut slots))?;
//! assert_eq!((slots[0].fresh, slots[0].hits), (1, (N * N - 1) as u64));
//!
//! // A second call, which keeps what the first one left, differs in its first pixel alone.
//! continue_streams(&scene, &mut slots)?;
//! let mut again = [0f32; N * N];
//! scene.render_rows(0..N, &mut again, &mut Carryover::Streams(&mut slots))?;
//! assert_eq!(slots[0].left_by, Some((N - 1, N - 1)));
//! assert!(again[0] != whole[0] && again[1..] == whole[1..]);
//!
//! // Rows out of order, in two bands.
//! open_streams(&scene, &mut slots)?;
//! let mut bands = [0f32; N * N];
//! let (upper, lower) = bands.split_at_mut(10 * N);
//! scene.render_rows(10..N, lower, &mut Carryover::Streams(&mut slots))?;
//! scene.render_rows(0..10, upper, &mut Carryover::Streams(&mut slots))?;
//! assert_eq!(whole, bands);
//!
//! // Pixel by pixel, the last pixel first, with a slot for each.
//! let mut slots = vec![Slot::default(); N * N];
//! open_pixels(&scene, 1, &mut slots)?;
//! for i in (0..N * N).rev() {
//!     let mut carry = Carryover::Pixels(&mut slots);
//!     let pixel = scene.render_pixel(i / N, i % N, &mut carry)?;
//!     assert_eq!(pixel as f32, whole[i]);
//!     match scene.carry_use(&carry, i / N, i % N)? {
//!         CarryUse::Fresh => assert_eq!(i, 0),
//!         CarryUse::Hit { left_by } => assert_eq!(left_by, ((i - 1) / N, (i - 1) % N)),
//!         CarryUse::NotUsed => unreachable!(),
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use core::ops::Range;

use crate::Error;
use crate::rotation::Orientation;

/// The cache of one stream or of one pixel: what its opening sweep finds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Slot {
    /// The cell vectors that the opening sweep finds, before mosaic, in m.
    pub vectors: Orientation,
    /// The pixel (slow, fast) whose sweep left them; with `None` they are the unrotated cell.
    pub left_by: Option<(usize, usize)>,
    /// The pixel (slow, fast) whose first sweep is the opening one; `None` where no pixel has a sweep.
    pub opening: Option<(usize, usize)>,
    /// First row of the stream.
    pub first_row: usize,
    /// Row past the stream's last.
    pub end_row: usize,
    /// Pixels rendered so far whose first sweep found vectors that a sweep had left.
    pub hits: u64,
    /// Pixels rendered so far whose first sweep found the unrotated cell.
    pub fresh: u64,
    /// [`crate::scene::Scene::carryover_id`] of the scene that the slot was opened for.
    pub(crate) scene: u64,
}

impl Slot {
    /// Counts a use of the slot, by its opening sweep or by a later one.
    fn count(&mut self, is_opening: bool) {
        if is_opening && self.left_by.is_none() {
            self.fresh += 1;
        } else {
            self.hits += 1;
        }
    }

    /// Adds the counts of a copy of the slot that other rows of the stream used.
    pub fn absorb(&mut self, other: &Self) {
        self.hits += other.hits;
        self.fresh += other.fresh;
    }
}

/// The slots that a call uses and updates.
#[derive(Debug)]
pub enum Carryover<'s> {
    /// No slots, for spec scenes, where nothing is carried.
    Off,
    /// One slot for each stream, filled by [`crate::render::open_streams`].
    Streams(&'s mut [Slot]),
    /// One slot for each pixel, slow-major, filled by [`crate::render::open_pixels`].
    Pixels(&'s mut [Slot]),
}

/// What the first step of a pixel's first sweep finds at phi = 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarryUse {
    /// Nothing: spec mode, or no sweep of the pixel begins at phi = 0.
    NotUsed,
    /// The unrotated cell, since no sweep came before.
    Fresh,
    /// The vectors that the last sweep of this pixel (slow, fast) left.
    Hit {
        /// The pixel whose sweep left them.
        left_by: (usize, usize),
    },
}

/// The rows of stream `i` when `threads` threads share `rows` rows in order; the first rows mod threads
/// streams have one row more.
#[must_use]
pub fn stream_rows(rows: usize, threads: usize, i: usize) -> Range<usize> {
    let threads = threads.max(1);
    if i >= threads {
        return rows..rows;
    }
    let (share, extra) = (rows / threads, rows % threads);
    let start = i * share + i.min(extra);
    start..start + share + usize::from(i < extra)
}

/// Checks that there are `needed` slots, and that those to be used were opened for the scene.
fn check_slots(slots: &[Slot], needed: usize, used: &[Slot], scene: u64) -> Result<(), Error> {
    let given = slots.len();
    if given < needed {
        return Err(Error::BufferTooShort { buffer: "carryover slots", needed, given });
    }
    if used.iter().any(|slot| slot.scene != scene) {
        return Err(Error::OtherScene { quantity: "carryover slots" });
    }
    Ok(())
}

/// Whether each of `rows` belongs to the stream of a slot.
fn are_covered(mut rows: Range<usize>, slots: &[Slot]) -> bool {
    while !rows.is_empty() {
        let stream = slots.iter().find(|slot| (slot.first_row..slot.end_row).contains(&rows.start));
        let Some(stream) = stream else { return false };
        rows.start = stream.end_row;
    }
    true
}

impl Carryover<'_> {
    /// Checks the slots for `rows` of a detector of `pixels` pixels in rows of `columns`; `scene` is the number
    /// of the scene's carryover.
    pub(crate) fn check(
        &self,
        rows: &Range<usize>,
        (columns, pixels): (usize, usize),
        scene: u64,
    ) -> Result<(), Error> {
        match self {
            Self::Off => Err(Error::CarryoverMissing),
            Self::Streams(slots) => {
                check_slots(slots, 1, slots, scene)?;
                if are_covered(rows.clone(), slots) { Ok(()) } else { Err(Error::CarryoverMissing) }
            }
            Self::Pixels(slots) => {
                let of_rows = rows.start.saturating_mul(columns)..rows.end.saturating_mul(columns);
                check_slots(slots, pixels, slots.get(of_rows).unwrap_or(&[]), scene)
            }
        }
    }

    /// Counts the sweeps of the rendered pixels of a row, given by their columns.
    pub(crate) fn count(&mut self, slow: usize, columns: usize, rendered: impl Iterator<Item = usize>) {
        match self {
            Self::Off => {}
            Self::Pixels(slots) => rendered.for_each(|fast| {
                if let Some(slot) = slots.get_mut(slow * columns + fast) {
                    slot.count(true);
                }
            }),
            Self::Streams(slots) => {
                let stream = slots.iter_mut().find(|slot| (slot.first_row..slot.end_row).contains(&slow));
                if let Some(slot) = stream {
                    rendered.for_each(|fast| slot.count(slot.opening == Some((slow, fast))));
                }
            }
        }
    }

    /// The slots whose opening sweep may lie in row `slow`.
    pub(crate) fn openings_in_row(&self, slow: usize, columns: usize) -> Openings<'_> {
        match self {
            Self::Off => Openings { slots: &[], slow },
            Self::Streams(slots) => Openings { slots, slow },
            Self::Pixels(slots) => {
                let row = slow.checked_mul(columns).and_then(|at| slots.get(at..at.checked_add(columns)?));
                Openings { slots: row.unwrap_or(&[]), slow }
            }
        }
    }
}

/// The slots whose opening sweep may lie in a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Openings<'s> {
    slots: &'s [Slot],
    slow: usize,
}

impl<'s> Openings<'s> {
    /// The columns whose first sweep finds other vectors than the steady ones, and these vectors.
    pub(crate) fn unsteady(self, steady: Orientation) -> impl Iterator<Item = (usize, Orientation)> + 's {
        self.slots.iter().filter_map(move |slot| {
            let (slow, fast) = slot.opening?;
            (slow == self.slow && slot.vectors != steady).then_some((fast, slot.vectors))
        })
    }
}
