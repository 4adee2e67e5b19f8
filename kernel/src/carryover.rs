//! The phi carryover: what the reference keeps from one sweep to the next, as caller-owned state.
//!
//! **What it is.** The reference rotates the cell only where phi is not exactly 0. At phi == 0 its variables still hold
//! what the step before left: inside a sweep the previous phi, at the first step the last phi of the sweep before it,
//! which may have belonged to another subpixel, source or pixel. The very first sweep of a thread finds the unrotated
//! cell. A sweep that dmin, mask or region of interest skips leaves the variables alone.
//!
//! **What is kept.** A slot holds the cell vectors that an opening sweep finds, and whose sweep left them. Slots are the
//! caller's, one per *stream* (what a thread of the reference goes through: rows in order) or one per *pixel* (for audits). All sweeps but
//! the openings find the same vectors, so pixels need no order: any row, any band, any single pixel can be rendered
//! alone, with the same bits.
//!
//! ```
//! use widebragg::carryover::{self, Carryover, CarryUse, Slot};
//! # use widebragg::{*, beam::*, crystal::*, detector::*, lanes::*, lattice::*, render::*, rotation::*, structure_factor::*};
//! # fn main() -> Result<(), Error> {
//! # let lambda0_m = 1e-10;
//! # let size = 24;
//! # let detector = Detector::new(&DetectorParameters {
//! #     pixel_m: 2e-4, fast_pixels: size, slow_pixels: size, fast_size_m: 2e-4 * size as f64, slow_size_m: 2e-4 * size as f64,
//! #     distance_m: Some(0.1), close_distance_m: None, x_beam_m: None, y_beam_m: None, x_close_m: None, y_close_m: None,
//! #     org_x_px: None, org_y_px: None, convention: Convention::Mosflm, pivot: Pivot::Beam, rotation_rad: [0.0; 3],
//! #     twotheta_rad: 0.0, point_pixel: false, curved: false })?;
//! # let cell = UnitCell { lengths_angstrom: [50.0, 60.0, 70.0], angles_rad: [1.5, 1.6, 1.7] };
//! # let crystal = Crystal::new(&CrystalParameters { source: CellSource::Cell(cell), lambda0_m, misset_rad: [0.1, 0.2, 0.3] })?;
//! # let sources = [Source::new(-detector.beam, lambda0_m)?];
//! # let sweep = PhiSweep { phi0_rad: 0.0, step_rad: 1e-3, count: 3, spindle: detector.spindle, mode: PhiMode::CParity };
//! # let domains = [IDENTITY];
//! # let mut entries = [Orientation::default(); 3];
//! # let orientations = fill_orientations(crystal.direct, sweep, &domains, &mut entries)?;
//! // `scene` is a 24 x 24 detector, three phi steps from 0, c-parity.
//! # let scene = Scene::new(SceneParts {
//! #     simd: Simd::detect(), detector, sensor: Sensor::THIN, oversample: Oversample::NONE, sources: &sources, orientations,
//! #     lattice: Lattice { shape: CrystalShape::Square, cells: [9.0; 3], fudge: 1.0, reciprocal_per_angstrom: crystal.reciprocal_per_angstrom },
//! #     precision: Precision::Double,
//! #     structure_factors: StructureFactors { grid: None, default_f: 100.0, lookup: LookupRule::Nearest },
//! #     polarization: Some(Polarization { kahn: 0.0, axis: detector.polarization }), d_min_m: 0.0, fluence_per_m2: 1e24, water_m: 0.0,
//! #     roi: Roi::whole(&detector), mask: None })?;
//! // One stream, as the reference with one thread: all rows in order.
//! let mut slots = [Slot::default()];
//! carryover::open_streams(&scene, &mut slots)?;
//! let mut whole = [0f32; 24 * 24];
//! scene.render_rows(0..24, &mut whole, &mut Carryover::Streams(&mut slots))?;
//! assert_eq!((slots[0].fresh, slots[0].hits), (1, 24 * 24 - 1));
//!
//! // Rows out of order, in two bands.
//! carryover::open_streams(&scene, &mut slots)?;
//! let mut bands = [0f32; 24 * 24];
//! let (upper, lower) = bands.split_at_mut(10 * 24);
//! scene.render_rows(10..24, lower, &mut Carryover::Streams(&mut slots))?;
//! scene.render_rows(0..10, upper, &mut Carryover::Streams(&mut slots))?;
//! assert_eq!(whole, bands);
//!
//! // Pixel by pixel, last pixel first, a slot for each.
//! let mut slots = vec![Slot::default(); 24 * 24];
//! carryover::open_pixels(&scene, 1, &mut slots)?;
//! for i in (0..24 * 24).rev() {
//!     let mut carry = Carryover::Pixels(&mut slots);
//!     let pixel = scene.render_pixel(i / 24, i % 24, &mut carry)?;
//!     assert_eq!(pixel as f32, whole[i]);
//!     match carry.use_at(&scene, i / 24, i % 24)? {
//!         CarryUse::Fresh => assert_eq!(i, 0),
//!         CarryUse::Hit { left_by } => assert_eq!(left_by, ((i - 1) / 24, (i - 1) % 24)),
//!         CarryUse::NotUsed => unreachable!(),
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use core::ops::Range;

use crate::Error;
use crate::render::Scene;
use crate::rotation::Orientation;

/// One cache of the carryover: what its opening sweep finds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Slot {
    /// The cell vectors found, before mosaic, in m.
    pub vectors: Orientation,
    /// The pixel (slow, fast) whose sweep left them; `None`: nobody's, the unrotated cell.
    pub left_by: Option<(usize, usize)>,
    /// The pixel (slow, fast) whose first sweep opens the slot; `None` where no pixel has one.
    pub opening: Option<(usize, usize)>,
    /// First row of the stream.
    pub first_row: usize,
    /// Row past the stream's last.
    pub end_row: usize,
    /// Pixels rendered so far whose first sweep found vectors that a sweep had left.
    pub hits: u64,
    /// Pixels rendered so far whose first sweep found the unrotated cell.
    pub fresh: u64,
}

impl Slot {
    /// Counts a use; `opens`: by the sweep that the slot was made for.
    fn count(&mut self, opens: bool) {
        if opens && self.left_by.is_none() {
            self.fresh += 1;
        } else {
            self.hits += 1;
        }
    }

    /// Adds the counts of a copy that was used for other rows of the stream.
    pub fn absorb(&mut self, other: &Self) {
        self.hits += other.hits;
        self.fresh += other.fresh;
    }
}

/// The slots a render call uses and updates.
#[derive(Debug)]
pub enum Carryover<'s> {
    /// None: for spec scenes, where nothing is carried.
    Off,
    /// One slot per stream, made by [`open_streams`].
    Streams(&'s mut [Slot]),
    /// One slot per pixel (slow times fast pixels plus fast), made by [`open_pixels`].
    Pixels(&'s mut [Slot]),
}

/// What the first step of a pixel's first sweep finds at phi == 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarryUse {
    /// Spec mode, or no sweep of the pixel begins at phi == 0.
    NotUsed,
    /// The unrotated cell: nothing had been left.
    Fresh,
    /// The vectors that the last sweep of this pixel (slow, fast) left.
    Hit {
        /// The pixel whose sweep left them.
        left_by: (usize, usize),
    },
}

/// Rows of stream `i` when `threads` threads share `rows` rows: in order, the first rows mod threads get one more.
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

/// Opens one slot per stream: the streams are the threads of the reference.
///
/// # Errors
/// [`Error::BufferTooShort`] when there is no slot at all.
pub fn open_streams(scene: &Scene<'_>, slots: &mut [Slot]) -> Result<(), Error> {
    if slots.is_empty() {
        return Err(Error::BufferTooShort { buffer: "carryover slots", needed: 1, given: 0 });
    }
    let (rows, threads) = (scene.detector().slow_pixels, slots.len());
    for (i, slot) in slots.iter_mut().enumerate() {
        let stream = stream_rows(rows, threads, i);
        *slot = Slot {
            vectors: scene.orientations().cell(),
            left_by: None,
            opening: scene.first_swept(stream.clone()),
            first_row: stream.start,
            end_row: stream.end,
            hits: 0,
            fresh: 0,
        };
    }
    Ok(())
}

/// Opens one slot per pixel, as if `threads` streams had gone through the image.
///
/// # Errors
/// [`Error::BufferTooShort`] with the number of pixels.
pub fn open_pixels(scene: &Scene<'_>, threads: usize, slots: &mut [Slot]) -> Result<(), Error> {
    let detector = scene.detector();
    let (rows, columns, needed) = (detector.slow_pixels, detector.fast_pixels, detector.pixels());
    let given = slots.len();
    let slots =
        slots.get_mut(..needed).ok_or(Error::BufferTooShort { buffer: "carryover slots", needed, given })?;
    let table = scene.orientations();
    let (cell, steady) = (table.cell(), table.left_behind());
    let mut rows_of_slots = slots.chunks_exact_mut(columns.max(1)).enumerate();
    // Threads beyond the rows have none.
    for i in 0..threads.clamp(1, rows.max(1)) {
        let stream = stream_rows(rows, threads, i);
        let mut last = None;
        for (slow, row) in rows_of_slots.by_ref().take(stream.len()) {
            for (fast, slot) in row.iter_mut().enumerate() {
                let swept = scene.is_swept(slow, fast);
                *slot = Slot {
                    vectors: if last.is_none() { cell } else { steady },
                    left_by: last,
                    opening: swept.then_some((slow, fast)),
                    first_row: stream.start,
                    end_row: stream.end,
                    hits: 0,
                    fresh: 0,
                };
                if swept {
                    last = Some((slow, fast));
                }
            }
        }
    }
    Ok(())
}

impl Carryover<'_> {
    /// What the first sweep of a pixel finds; nothing is rendered or counted.
    ///
    /// # Errors
    /// [`Error::CarryoverMissing`] when the scene needs slots and none cover the pixel.
    pub fn use_at(&self, scene: &Scene<'_>, slow: usize, fast: usize) -> Result<CarryUse, Error> {
        if scene.orientations().sweep().carried_steps() == 0 || !scene.is_swept(slow, fast) {
            return Ok(CarryUse::NotUsed);
        }
        let found = |left_by| match left_by {
            None => CarryUse::Fresh,
            Some(left_by) => CarryUse::Hit { left_by },
        };
        match self {
            Self::Off => Err(Error::CarryoverMissing),
            Self::Pixels(slots) => {
                let slot = slots.get(slow * scene.detector().fast_pixels + fast);
                slot.map(|slot| found(slot.left_by)).ok_or(Error::CarryoverMissing)
            }
            Self::Streams(slots) => {
                let slot = slots.iter().find(|slot| (slot.first_row..slot.end_row).contains(&slow));
                let slot = slot.ok_or(Error::CarryoverMissing)?;
                if slot.opening == Some((slow, fast)) {
                    return Ok(found(slot.left_by));
                }
                Ok(found(scene.last_swept_before(slot.first_row, slow, fast)))
            }
        }
    }

    /// Counts the rendered pixels of a row, given by their columns.
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

    /// Columns of row `slow` whose first sweep must be looked at one by one.
    pub(crate) fn openings_in_row(&self, slow: usize, columns: usize) -> Openings<'_> {
        match self {
            Self::Off => Openings(&[], None),
            Self::Streams(slots) => Openings(slots, Some(slow)),
            Self::Pixels(slots) => {
                let row = slow.checked_mul(columns).and_then(|at| slots.get(at..at.checked_add(columns)?));
                Openings(row.unwrap_or(&[]), Some(slow))
            }
        }
    }
}

/// The slots that open in a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Openings<'s>(&'s [Slot], Option<usize>);

impl<'s> Openings<'s> {
    /// Columns whose first sweep finds something else than the steady vectors, and what.
    pub(crate) fn unsteady(self, steady: Orientation) -> impl Iterator<Item = (usize, Orientation)> + 's {
        self.0.iter().filter_map(move |slot| {
            let (slow, fast) = slot.opening?;
            (Some(slow) == self.1 && slot.vectors != steady).then_some((fast, slot.vectors))
        })
    }
}
