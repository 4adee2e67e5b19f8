//! The choice between the list of spots and the loop, and the lists of an image, made on all threads.
//!
//! Lists are made for a band of rows at a time, as many rows as [`LIST_BYTES`] hold the spots of, the buffers in which they
//! are found included. The pairs of source and orientation are searched in pieces, one list a piece.

use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use widebragg::Error;
use widebragg::light::{Cell, Choice, Cutoff, Found, Light, LightRule, Spot, SpotList};
use widebragg::scene::Scene;
use widebragg_formats::memory::{filled, reserved};

use crate::failure::{Failure, Part, refused};

/// Most memory that the lists of spots take, with the spots that are being found.
pub const LIST_BYTES: usize = 256 << 20;

/// What was rendered from.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum LightTaken {
    /// All steps of all pixels.
    #[default]
    Loop,
    /// A list of spots.
    List {
        /// Spots of the image.
        spots: usize,
        /// Where Gaussian spots are cut off, as the exponent x of exp(-x); `None` where nothing is left out.
        exponent: Option<f64>,
    },
}

impl LightTaken {
    /// Its name: `list` or `loop`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loop => LightRule::Loop.name(),
            Self::List { .. } => LightRule::List.name(),
        }
    }

    /// What two panels were rendered from: a list where one of them was.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Loop, taken) | (taken, Self::Loop) => taken,
            (Self::List { spots, exponent }, Self::List { spots: others, exponent: another }) => {
                let least = exponent.zip(another).map(|(one, another)| one.min(another));
                Self::List { spots: spots + others, exponent: least.or(exponent).or(another) }
            }
        }
    }
}

/// The best list for f32 pixels, where the rule takes one.
pub(crate) fn choose(rule: LightRule, scene: &Scene<'_>) -> Option<Choice> {
    taken(rule, || scene.choose_light::<f32>())
}

/// A list for f64 pixels with the bits of the loop, where the rule takes one.
pub(crate) fn choose_exact(rule: LightRule, scene: &Scene<'_>) -> Option<Choice> {
    taken(rule, || scene.choose_light::<f64>())
}

/// A list with this cutoff for derivatives, where the rule takes one.
pub(crate) fn choose_for_derivatives(rule: LightRule, scene: &Scene<'_>, cutoff: Cutoff) -> Option<Choice> {
    taken(rule, || scene.choose_light_for_derivatives(cutoff))
}

/// What the rule takes of the best list.
fn taken(rule: LightRule, best: impl FnOnce() -> Option<Choice>) -> Option<Choice> {
    match rule {
        LightRule::Loop => None,
        LightRule::List => best(),
        LightRule::Auto => best().filter(|choice| choice.takes_list(bands_of(choice))),
    }
}

/// The exponent at which Gaussian spots are cut off.
fn exponent(light: &Light<'_, '_>, choice: &Choice) -> Option<f64> {
    match choice.cutoff {
        Cutoff::Exponent(x) if light.left_out_of_step() > 0.0 => Some(x),
        _ => None,
    }
}

/// The lists of the spots of a band of rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed<'l> {
    pub(crate) light: &'l Light<'l, 'l>,
    pub(crate) lists: &'l [SpotList<'l>],
}

/// Renders a band of rows, from lists of its spots unless these have no room.
pub(crate) type RenderBand<'f> = &'f mut dyn FnMut(Range<usize>, Option<Listed<'_>>) -> Result<(), Failure>;

/// Calls `render` for all of `rows` from lists of their spots, band by band and in order; returns what they were rendered
/// from.
///
/// # Errors
/// There is not enough memory, and those of `render`.
pub(crate) fn band_by_band(
    light: &Light<'_, '_>,
    choice: &Choice,
    rows: Range<usize>,
    render: RenderBand<'_>,
) -> Result<LightTaken, Failure> {
    let mut spots = 0;
    let mut bands: Vec<_> = bands(&rows, choice).collect();
    // The last is the next.
    bands.reverse();
    while let Some(band) = bands.pop() {
        let mut buffers = buffers(light, choice)?;
        let share = band.len() as f64 / rows.len() as f64;
        match lists(light, share * choice.spots, &band, &mut buffers)? {
            Some(Lists { lists, spots: listed }) => {
                spots += listed;
                render(band, Some(Listed { light, lists: &lists }))?;
            }
            None if band.len() > 1 => {
                let middle = band.start + band.len() / 2;
                bands.extend([middle..band.end, band.start..middle]);
            }
            None => render(band, None)?,
        }
    }
    Ok(LightTaken::List { spots, exponent: exponent(light, choice) })
}

/// The rows of an image in bands whose lists are expected to have room.
fn bands(rows: &Range<usize>, choice: &Choice) -> impl Iterator<Item = Range<usize>> + use<> {
    let (rows, height) = (rows.clone(), rows.len().div_ceil(bands_of(choice)).max(1));
    rows.clone().step_by(height).map(move |first| first..(first + height).min(rows.end))
}

/// How many bands of rows are expected to have room for their lists.
fn bands_of(choice: &Choice) -> usize {
    // There are at least four pieces a thread.
    let found = choice.spots * MORE_SPOTS / 4.0 * size_of::<Spot>() as f64;
    let bytes = choice.cells * size_of::<Cell>() as f64 + found;
    (1.5 * bytes / LIST_BYTES as f64).ceil().max(1.0) as usize
}

/// Spots that are found at a time.
const PIECE_SPOTS: f64 = 50_000.0;

/// The room for those of a piece, as a multiple of the mean number.
const MORE_SPOTS: f64 = 1.25;

/// The buffers of a list.
#[derive(Debug, Default)]
struct Buffers {
    spans: Vec<[u32; 2]>,
    cells: Vec<Cell>,
}

/// Empty buffers for the lists of a band, one for each piece of the pairs.
///
/// # Errors
/// There is not enough memory.
fn buffers(light: &Light<'_, '_>, choice: &Choice) -> Result<Vec<Buffers>, Failure> {
    let by_size = (choice.spots / PIECE_SPOTS) as usize;
    let pieces = by_size.max(4 * rayon::current_num_threads()).min(light.pairs()).max(1);
    let mut buffers = reserved(pieces).ok_or_else(no_memory)?;
    buffers.resize_with(pieces, Buffers::default);
    Ok(buffers)
}

/// The lists of a band, in the order of their pairs.
#[derive(Debug)]
struct Lists<'s> {
    lists: Vec<SpotList<'s>>,
    /// Their spots.
    spots: usize,
}

/// Lists the spots of a band, about as many as are `expected`, on the threads of the current pool; `None` where they do not
/// fit into [`LIST_BYTES`].
///
/// # Errors
/// There is not enough memory.
fn lists<'s>(
    light: &Light<'s, '_>,
    expected: f64,
    rows: &Range<usize>,
    buffers: &'s mut [Buffers],
) -> Result<Option<Lists<'s>>, Failure> {
    let (pairs, pieces) = (light.pairs(), buffers.len());
    let (used, spots) = (Used::default(), AtomicUsize::new(0));
    let room = (MORE_SPOTS * expected / pieces as f64) as usize + 256;
    let list = |room_for: &mut FoundSpots<'_>, (index, buffers): (usize, &'s mut Buffers)| {
        let these = index * pairs / pieces..(index + 1) * pairs / pieces;
        let Some(searched) = room_for.find(light, rows, these, room)? else { return Ok(None) };
        let found = &room_for.spots[..];
        spots.fetch_add(searched.spots, Ordering::Relaxed);
        let len = light.list_len(rows.clone(), &found[..searched.spots]);
        if !used.take(len.spans * size_of::<[u32; 2]>() + len.cells * size_of::<Cell>()) {
            return Ok(None);
        }
        let Buffers { spans, cells } = buffers;
        *spans = filled(len.spans, [0; 2]).ok_or_else(no_memory)?;
        *cells = filled(len.cells, Cell::default()).ok_or_else(no_memory)?;
        light.list(rows.clone(), &searched, found, spans, cells).map(Some).map_err(refused(Part::Scene))
    };
    let found = || FoundSpots { spots: Vec::new(), used: &used };
    let lists = buffers.par_iter_mut().enumerate().map_init(found, list);
    let lists: Option<Vec<_>> = lists.collect::<Result<Vec<_>, Failure>>()?.into_iter().collect();
    Ok(lists.map(|lists| Lists { lists, spots: spots.into_inner() }))
}

/// Bytes in use, of [`LIST_BYTES`].
#[derive(Debug, Default)]
struct Used(AtomicUsize);

impl Used {
    /// Takes some bytes; whether they are there.
    fn take(&self, bytes: usize) -> bool {
        self.0.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= LIST_BYTES
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The spots of one piece after the other.
struct FoundSpots<'u> {
    spots: Vec<Spot>,
    used: &'u Used,
}

impl FoundSpots<'_> {
    /// Finds all spots of some pairs, in a buffer that grows as they need it; `None` where it would grow too large.
    fn find(
        &mut self,
        light: &Light<'_, '_>,
        rows: &Range<usize>,
        pairs: Range<usize>,
        mut room: usize,
    ) -> Result<Option<Found>, Failure> {
        loop {
            if self.spots.len() < room {
                self.clear();
                if !self.used.take(room * size_of::<Spot>()) {
                    self.used.give_back(room * size_of::<Spot>());
                    return Ok(None);
                }
                self.spots = filled(room, Spot::default()).ok_or_else(no_memory)?;
            }
            room = match light.find(rows.clone(), pairs.clone(), &mut self.spots) {
                Ok(found) if found.pairs == pairs => return Ok(Some(found)),
                Ok(_) => 2 * self.spots.len(),
                Err(Error::BufferTooShort { needed, .. }) => needed.max(2 * self.spots.len()),
                Err(error) => return Err(refused(Part::Scene)(error)),
            };
        }
    }

    fn clear(&mut self) {
        self.used.give_back(self.spots.len() * size_of::<Spot>());
        self.spots = Vec::new();
    }
}

impl Drop for FoundSpots<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}

fn no_memory() -> Failure {
    Failure::no_memory(Part::Scene, "the list of its spots".to_owned())
}
