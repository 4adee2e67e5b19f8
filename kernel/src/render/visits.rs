//! The orientations that a vector of pixels goes through: all of them, or those that lists of spots name.

use core::iter::Enumerate;
use core::slice;

use super::lit::Lit;
use crate::light::{Cell, SpotList};
use crate::rotation::Orientation;
use crate::scene::Scene;

/// The orientations of a pass through all sources, for one sample of a vector of pixels.
///
/// It is a trait, because the loop that goes through all of them shall have nothing of the other.
pub(crate) trait Visits<'a>: Clone {
    /// Turns to a source, which is not before the last one; whether any of its steps is taken.
    fn turn_to(&mut self, source: usize) -> bool;

    /// The next orientation of the source, and its index in the table.
    fn next(&mut self) -> Option<(usize, &'a Orientation)>;
}

/// All orientations.
#[derive(Clone)]
pub(crate) struct Every<'a> {
    entries: &'a [Orientation],
    rest: Enumerate<slice::Iter<'a, Orientation>>,
}

impl<'a> Every<'a> {
    #[inline(always)]
    pub(crate) fn new(scene: &Scene<'a>) -> Self {
        let entries = scene.p.orientations.entries();
        Self { entries, rest: entries.iter().enumerate() }
    }
}

impl<'a> Visits<'a> for Every<'a> {
    #[inline(always)]
    fn turn_to(&mut self, _source: usize) -> bool {
        self.rest = self.entries.iter().enumerate();
        true
    }

    #[inline(always)]
    fn next(&mut self) -> Option<(usize, &'a Orientation)> {
        self.rest.next()
    }
}

/// The orientations that have a spot in some of the pixels.
#[derive(Clone)]
pub(crate) struct Listed<'a> {
    entries: &'a [Orientation],
    /// The row, and the number of the span in it.
    span: (usize, usize),
    /// First and last pixel in the span.
    pixels: [u8; 2],
    /// The lists after the current one, and the cells of that one that are still to come.
    lists: slice::Iter<'a, SpotList<'a>>,
    cells: slice::Iter<'a, Cell>,
    /// The pair of the next cell that has some of the pixels.
    next: Option<u32>,
    /// First pair of the source.
    first: usize,
}

impl<'a> Listed<'a> {
    fn new(scene: &Scene<'a>, lit: &Lit<'a>, span: (usize, usize), pixels: [u8; 2]) -> Self {
        let entries = scene.p.orientations.entries();
        let mut listed =
            Self { entries, span, pixels, lists: lit.lists.iter(), cells: [].iter(), next: None, first: 0 };
        listed.advance();
        listed
    }

    /// Moves on to a cell of another pair. A pair may have several, one for each node.
    fn advance(&mut self) {
        let [first, last] = self.pixels;
        let before = self.next;
        let is_next = |cell: &&Cell| {
            let [from, to] = cell.pixels;
            from <= last && first <= to && before != Some(cell.pair)
        };
        self.next = loop {
            if let Some(cell) = self.cells.find(is_next) {
                break Some(cell.pair);
            }
            let Some(list) = self.lists.next() else { break None };
            let (slow, span) = self.span;
            self.cells = list.in_span(slow, span).unwrap_or(&[]).iter();
        };
    }
}

impl<'a> Visits<'a> for Listed<'a> {
    fn turn_to(&mut self, source: usize) -> bool {
        self.first = source * self.entries.len();
        // Those of sources that were passed over.
        while self.next.is_some_and(|pair| (pair as usize) < self.first) {
            self.advance();
        }
        self.next.is_some_and(|pair| (pair as usize) < self.first + self.entries.len())
    }

    fn next(&mut self) -> Option<(usize, &'a Orientation)> {
        let entry = (self.next? as usize).checked_sub(self.first)?;
        let orientation = self.entries.get(entry)?;
        self.advance();
        Some((entry, orientation))
    }
}

/// Which steps the vectors of a run take.
pub(crate) trait Steps<'a> {
    type Visits: Visits<'a>;

    /// Those of some pixels of a run, which is given by its row and first column: the first pixel, and how many.
    fn of(&self, scene: &Scene<'a>, run: (usize, usize), pixels: (usize, usize)) -> Self::Visits;
}

/// All steps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EveryStep;

impl<'a> Steps<'a> for EveryStep {
    type Visits = Every<'a>;

    #[inline(always)]
    fn of(&self, scene: &Scene<'a>, _run: (usize, usize), _pixels: (usize, usize)) -> Every<'a> {
        Every::new(scene)
    }
}

/// Those of the spots of a run, which is a span.
impl<'a> Steps<'a> for Lit<'a> {
    type Visits = Listed<'a>;

    fn of(
        &self,
        scene: &Scene<'a>,
        (slow, column): (usize, usize),
        (at, count): (usize, usize),
    ) -> Listed<'a> {
        // A span has 256 pixels.
        let pixels = [at, at + count - 1].map(|pixel| pixel.min(u8::MAX.into()) as u8);
        Listed::new(scene, self, (slow, Self::span_of(scene, column)), pixels)
    }
}
