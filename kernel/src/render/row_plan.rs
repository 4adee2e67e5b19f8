//! The plan of a row: which runs of its pixels are rendered together, and which pixels are rendered
//! individually.
//!
//! A pixel is rendered individually if its first sweep opens a stream of the carryover, or if interpolation
//! ends in it. All other pixels are rendered in spans. Rendering, the search for the latch and the gradient
//! all follow this plan.

use core::ops::Range;

use crate::carryover::{Carryover, Openings};
use crate::lanes::{LaneMask, Lanes, Level};
use crate::rotation::Orientation;
use crate::scene::Scene;
use crate::span::{PerPixel, SPAN};
use crate::structure_factor::{LookupPlan, LookupRule};

/// Neighbouring pixels of a row that one call of a loop processes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PixelRun<'r> {
    /// Row.
    pub(crate) slow: usize,
    /// First column.
    pub(crate) first: usize,
    /// A number for each pixel: 1 where it is rendered, 0 where it is skipped.
    pub(crate) live: &'r [f64],
    /// The cell vectors that the pixel's first sweep uses at phi = 0, where they are not the steady vectors.
    /// Set only for runs of one pixel.
    pub(crate) opening: Option<Orientation>,
    /// How structure factors are looked up.
    pub(crate) lookup: LookupPlan,
}

/// A run of at most [`SPAN`] pixels that are rendered together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// Row.
    pub(crate) slow: usize,
    /// First column.
    pub(crate) first: usize,
    /// Number of pixels, at most [`SPAN`].
    pub(crate) count: usize,
    /// How many of them are before the region of interest, and not selected.
    pub(crate) before: usize,
    /// How structure factors are looked up.
    pub(crate) lookup: LookupPlan,
}

/// A pixel that is rendered individually.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Single {
    slow: usize,
    /// Column.
    pub(crate) fast: usize,
    opening: Option<Orientation>,
    lookup: LookupPlan,
}

impl Single {
    /// The run of this one pixel.
    pub(crate) fn run(&self) -> PixelRun<'static> {
        let Self { slow, fast, opening, lookup } = *self;
        PixelRun { slow, first: fast, live: &[1.0], opening, lookup }
    }

    /// The same pixel with another lookup.
    pub(crate) fn with_lookup(self, lookup: LookupPlan) -> Self {
        Self { lookup, ..self }
    }
}

/// The spans and single pixels of one row of the region of interest.
#[derive(Debug, Clone)]
pub(crate) struct RowPlan<'p> {
    scene: &'p Scene<'p>,
    slow: usize,
    /// Columns before and after the pixel in which interpolation ends, and their lookups.
    parts: [(Range<usize>, LookupPlan); 2],
    /// The column in which interpolation ends.
    latch: Option<usize>,
    openings: Openings<'p>,
}

impl Scene<'_> {
    /// The plan of row `slow`; `None` outside the region of interest.
    pub(crate) fn row_plan<'p>(&'p self, slow: usize, carry: &'p Carryover<'_>) -> Option<RowPlan<'p>> {
        let roi = self.p.roi;
        if !(roi.slow_min..=roi.slow_max).contains(&slow) {
            return None;
        }
        // Boxes of neglected steps are counted from the first pixel of the row, and so are the spans that they are tried in.
        let first = if self.neglects() { roi.fast_min - roi.fast_min % SPAN } else { roi.fast_min };
        let (before, latch, after) = self.split_at_latch(slow, first..roi.fast_max + 1);
        let carry = if self.carries() { carry } else { &Carryover::Off };
        let rule = self.p.structure_factors.lookup;
        Some(RowPlan {
            scene: self,
            slow,
            parts: [
                (before, self.lookup_plan(rule, u64::MAX)),
                (after, self.lookup_plan(LookupRule::Nearest, u64::MAX)),
            ],
            latch,
            openings: carry.openings_in_row(slow, self.p.panel.fast_pixels),
        })
    }

    /// Columns of a row before the pixel in which interpolation ends (that pixel included), the pixel, and
    /// those after.
    fn split_at_latch(&self, slow: usize, span: Range<usize>) -> (Range<usize>, Option<usize>, Range<usize>) {
        let nothing = span.end..span.end;
        match self.p.structure_factors.lookup {
            LookupRule::TricubicUntil(latch) if slow > latch.slow => (span.start..span.start, None, span),
            LookupRule::TricubicUntil(latch) if slow == latch.slow => {
                let at = latch.fast.max(span.start).min(span.end);
                let inside = span.contains(&latch.fast);
                let next = if inside { at + 1 } else { at };
                (span.start..next, inside.then_some(at), next..span.end)
            }
            _ => (span, None, nothing),
        }
    }

    /// How the structure factors of a pixel are looked up, and which evaluation ends its interpolation.
    pub(crate) fn lookup_at(&self, slow: usize, fast: usize) -> LookupPlan {
        let (rule, until) = match self.p.structure_factors.lookup {
            LookupRule::TricubicUntil(latch) if (slow, fast) > (latch.slow, latch.fast) => {
                (LookupRule::Nearest, u64::MAX)
            }
            LookupRule::TricubicUntil(latch) if (slow, fast) == (latch.slow, latch.fast) => {
                (LookupRule::Tricubic, latch.evaluation)
            }
            rule => (rule, u64::MAX),
        };
        self.lookup_plan(rule, until)
    }

    fn lookup_plan(&self, rule: LookupRule, until: u64) -> LookupPlan {
        match (self.grid(), rule) {
            (None, _) => LookupPlan::Uniform,
            (Some(_), LookupRule::Nearest) => LookupPlan::Nearest,
            (Some(_), LookupRule::Tricubic | LookupRule::TricubicUntil(_)) => LookupPlan::Tricubic { until },
        }
    }

    /// The plan of one pixel, with the vectors that its first sweep uses at phi = 0.
    pub(crate) fn single_plan(&self, slow: usize, fast: usize, carry: &Carryover<'_>) -> Single {
        let openings = carry.openings_in_row(slow, self.p.panel.fast_pixels);
        let opening = if self.carries() {
            openings.unsteady(self.steady()).find_map(|(column, vectors)| (column == fast).then_some(vectors))
        } else {
            None
        };
        Single { slow, fast, opening, lookup: self.lookup_at(slow, fast) }
    }
}

impl<'p> RowPlan<'p> {
    /// Divides all pixels of the row within the region of interest into spans. The pixels of
    /// [`RowPlan::singles`] are included.
    pub(crate) fn spans(&self) -> impl Iterator<Item = Span> + use<'p> {
        let (slow, fast_min) = (self.slow, self.scene.p.roi.fast_min);
        self.parts.clone().into_iter().flat_map(move |(columns, lookup)| {
            let end = columns.end;
            let firsts = columns.step_by(SPAN);
            firsts.map(move |first| {
                let (count, before) = ((end - first).min(SPAN), fast_min.saturating_sub(first));
                Span { slow, first, count, before, lookup }
            })
        })
    }

    /// The selected pixels that are rendered individually.
    pub(crate) fn singles(&self) -> impl Iterator<Item = Single> + use<'p> {
        let Self { scene, slow, latch, openings, .. } = *self;
        let opened = move || openings.unsteady(scene.steady());
        let latch = latch.filter(|&latch| opened().all(|(fast, _)| fast != latch));
        let single = move |fast, opening| Single { slow, fast, opening, lookup: scene.lookup_at(slow, fast) };
        opened()
            .map(move |(fast, vectors)| single(fast, Some(vectors)))
            .chain(latch.map(move |fast| single(fast, None)))
            .filter(move |single| scene.is_selected(slow, single.fast))
    }

    /// The run of a span, without the pixels that are rendered individually. Sets `live` to 1 for its pixels, and to 0 for
    /// all others.
    pub(crate) fn run_without_singles<'r>(&self, span: &Span, live: &'r mut PerPixel) -> PixelRun<'r> {
        select(live, span, self.scene.mask_of(span));
        for single in self.singles() {
            if let Some(live) = single.fast.checked_sub(span.first).and_then(|i| live.get_mut(i)) {
                *live = 0.0;
            }
        }
        let live = live.get(..span.count).unwrap_or(&[]);
        PixelRun { slow: span.slow, first: span.first, live, opening: None, lookup: span.lookup }
    }
}

impl<'a> Scene<'a> {
    /// The mask of the pixels of a span.
    pub(crate) fn mask_of(&self, span: &Span) -> Option<&'a [u16]> {
        let start = span.slow * self.p.panel.fast_pixels + span.first;
        self.p.mask.and_then(|mask| mask.get(start..start + span.count))
    }
}

/// Sets `live` to 1 for the pixels of a span in the region of interest that the mask does not skip, and to 0 for all others.
pub(crate) fn select(live: &mut PerPixel, span: &Span, mask: Option<&[u16]>) {
    live.fill(0.0);
    let selected = live.iter_mut().take(span.count).skip(span.before);
    match mask {
        None => selected.for_each(|live| *live = 1.0),
        Some(mask) => selected
            .zip(mask.iter().skip(span.before))
            .for_each(|(live, &m)| *live = f64::from(u8::from(m != 0))),
    }
}

/// A vector of neighbouring pixels.
#[derive(Debug)]
pub(crate) struct PixelVector<'r, F: Lanes> {
    /// Index of its first pixel in the run.
    pub(crate) at: usize,
    /// Columns; lanes past the end of the run repeat its last pixel.
    pub(crate) fast: F,
    /// Lanes whose pixels are rendered.
    pub(crate) live: F::Mask,
    /// [`PixelVector::live`] as numbers, one for each pixel of the run.
    pub(crate) selected: &'r [f64],
}

/// Iterator over the vectors of a run that have at least one pixel to render.
pub(crate) struct PixelVectors<'r, L> {
    level: L,
    run: PixelRun<'r>,
    at: usize,
}

impl<'r> PixelRun<'r> {
    /// The vectors of the run.
    #[inline(always)]
    pub(crate) fn vectors<L: Level>(&self, level: L) -> PixelVectors<'r, L> {
        PixelVectors { level, run: *self, at: 0 }
    }
}

impl<'r, L: Level> Iterator for PixelVectors<'r, L> {
    type Item = PixelVector<'r, L::F>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let Self { level, run, .. } = *self;
        let last = (run.first + run.live.len()) as f64 - 1.0;
        while self.at < run.live.len() {
            let at = self.at;
            let end = (at + L::F::LEN).min(run.live.len());
            let selected = run.live.get(at..end).unwrap_or(&[]);
            self.at += L::F::LEN;
            let live = level.splat(0.0).lt(level.load(selected, 0.0));
            if live.any() {
                let fast = level.ramp((run.first + at) as f64, last);
                return Some(PixelVector { at, fast, live, selected });
            }
        }
        None
    }
}
