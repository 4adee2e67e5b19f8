//! Whether a list of spots is faster than the loop, and where to cut them off: an estimate of both costs.
//!
//! The list: the spots of a few pairs are counted, and stand for those of all pairs. Other radii have spots in
//! proportion to the radius, and each spot rows and columns likewise. The loop: all steps of all pixels.
//!
//! A pixel whose light is below what its list leaves out must be rendered by the loop. How many there are follows from
//! a few pixels, spread over the detector, that are rendered in full. Two kinds of cutoff can be the best: one beyond
//! which no pixel can show anything, and a nearer one where every pixel has some light that hides what is left out.

use super::search::Field;
use super::{Cutoff, Light};
use crate::lanes::SimdLevel;
use crate::lattice::CrystalShape;
use crate::render::PixelValue;
use crate::scene::{Roi, Scene};
use crate::span::SPAN;

/// What a list of spots and the loop are estimated to cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// The best cutoff of the list.
    pub cutoff: Cutoff,
    /// Time of the list, on one thread, in ns.
    pub list_ns: f64,
    /// What of it is the search of the nodes near the Ewald sphere. Lists of bands of rows search up to as long each.
    pub search_ns: f64,
    /// Time of the loop, on one thread, in ns.
    pub loop_ns: f64,
    /// Spots.
    pub spots: f64,
    /// Spans that they touch.
    pub cells: f64,
}

impl Choice {
    /// Whether the list is faster, where it is made of this many bands of rows.
    #[must_use]
    pub fn takes_list(&self, bands: usize) -> bool {
        self.list_ns + bands.saturating_sub(1) as f64 * self.search_ns < self.loop_ns
    }
}

/// Times in ns, as measured on processors of today; only their ratios matter.
#[derive(Debug, Clone, Copy)]
struct Costs {
    /// Pixels of a vector.
    lanes: f64,
    /// A vector of lines.
    lines: f64,
    /// A spot: its outline, and its place in the list.
    spot: f64,
    /// A spot in a span.
    cell: f64,
    /// A vector of a spot.
    vector: f64,
    /// A pixel without steps.
    pixel: f64,
    /// A step of a pixel in the loop, in the dark and in a spot.
    step: [f64; 2],
}

impl Costs {
    /// Those of derivatives, with respect to a few of the variables.
    const fn of_derivatives(level: SimdLevel) -> Self {
        let of_images = Self::at(level);
        match level {
            SimdLevel::Portable => {
                Self { cell: 70.0, vector: 300.0, pixel: 60.0, step: [8.0, 40.0], ..of_images }
            }
            SimdLevel::Avx2 => {
                Self { lanes: 8.0, cell: 60.0, vector: 70.0, pixel: 20.0, step: [2.0, 9.0], ..of_images }
            }
            SimdLevel::Avx512 => {
                Self { lanes: 16.0, cell: 40.0, vector: 70.0, pixel: 15.0, step: [1.2, 5.0], ..of_images }
            }
        }
    }

    const fn at(level: SimdLevel) -> Self {
        match level {
            SimdLevel::Portable => Self {
                lanes: 8.0,
                lines: 90.0,
                spot: 60.0,
                cell: 30.0,
                vector: 80.0,
                pixel: 30.0,
                step: [6.0, 14.0],
            },
            SimdLevel::Avx2 => Self {
                lanes: 4.0,
                lines: 20.0,
                spot: 40.0,
                cell: 22.0,
                vector: 8.0,
                pixel: 8.0,
                step: [2.1, 5.5],
            },
            SimdLevel::Avx512 => Self {
                lanes: 8.0,
                lines: 25.0,
                spot: 30.0,
                cell: 22.0,
                vector: 9.0,
                pixel: 5.0,
                step: [1.2, 3.0],
            },
        }
    }
}

/// Cutoffs that may be the best where all pixels have some light.
const BRIGHT: [f64; 7] = [8.0, 11.0, 14.0, 18.0, 23.0, 30.0, 40.0];

/// How many times smaller than a pixel what is left out must be for the pixel to pass the test nearly always: f32 has
/// 24 bits.
const HIDDEN: f64 = 1.0 / (1u64 << 34) as f64;

/// A small part of the smallest f32, below which nothing shows.
const INVISIBLE: f64 = 1e-45 / (1u64 << 12) as f64;

/// Most pairs that are searched for the estimate.
const SAMPLED_PAIRS: usize = 16;

/// Most runs of pixels that are rendered for the estimate, their pixels, and the part of all pixels that they may be.
const SAMPLED_RUNS: usize = 32;
const RUN: usize = 8;
const SAMPLED_PART: usize = 400;

impl Scene<'_> {
    /// The best cutoff for rows of `P`, and what list and loop are estimated to cost; `None` where a list cannot replace
    /// the loop. It takes about a hundredth of the time of the loop.
    #[must_use]
    pub fn choose_light<P: PixelValue>(&self) -> Option<Choice> {
        let costs = Costs::at(self.p.simd.level());
        let exact = Cutoff::Exact;
        // Tophat spots leave nothing out, and f64 shows everything.
        if self.shape() == CrystalShape::Tophat || !P::IS_SINGLE {
            let light = self.light(exact)?;
            return Some(Sample::new(&costs, &light).choice(&costs, &light, exact, 0.0));
        }
        let [nearest, ..] = BRIGHT;
        let of_nearest = self.light(Cutoff::Exponent(nearest))?;
        let pixels = PixelSample::new(self);
        let left_out =
            |light: &Light<'_, '_>| pixels.largest_factor * light.left_out_of_step() * self.terms();
        // The cutoff beyond which nothing shows, and a little more for rounding.
        let dark = nearest + 0.01 + 0.5 * libm::log(left_out(&of_nearest) / INVISIBLE);
        let candidates = || BRIGHT.into_iter().filter(|&x| x < dark).chain([dark.max(nearest)]);
        let widest = candidates().filter_map(|x| self.light(Cutoff::Exponent(x))).next_back()?;
        let sample = Sample::new(&costs, &widest);
        let choice = |x| {
            let light = self.light(Cutoff::Exponent(x))?;
            Some(sample.choice(&costs, &light, Cutoff::Exponent(x), pixels.failing(left_out(&light))))
        };
        candidates().filter_map(choice).min_by(|a, b| a.list_ns.total_cmp(&b.list_ns))
    }

    /// What derivatives from a list with this cutoff and by the loop are estimated to cost; `None` where a list cannot
    /// replace the loop.
    #[must_use]
    pub fn choose_light_for_derivatives(&self, cutoff: Cutoff) -> Option<Choice> {
        let costs = Costs::of_derivatives(self.p.simd.level());
        let light = self.light(cutoff)?;
        Some(Sample::new(&costs, &light).choice(&costs, &light, cutoff, 0.0))
    }

    /// The pixels that are rendered: those of boxes of 8 with a pixel that is not masked.
    fn rendered_pixels(&self) -> f64 {
        let Roi { fast_min, fast_max, slow_min, slow_max } = self.p.roi;
        let Some(mask) = self.p.mask else {
            return (fast_max + 1 - fast_min) as f64 * (slow_max + 1 - slow_min) as f64;
        };
        let rows = mask.chunks(self.p.panel.fast_pixels.max(1)).take(slow_max + 1).skip(slow_min);
        let boxes = rows.flat_map(|row| row.get(fast_min..=fast_max).unwrap_or(&[]).chunks(RUN));
        boxes.filter(|pixels| pixels.iter().any(|&pixel| pixel != 0)).map(|pixels| pixels.len() as f64).sum()
    }
}

/// A few pixels, rendered in full.
struct PixelSample {
    values: [f64; SAMPLED_RUNS * RUN],
    count: usize,
    /// The largest that a sum is multiplied by.
    largest_factor: f64,
}

impl PixelSample {
    fn new(scene: &Scene<'_>) -> Self {
        let Roi { fast_min, fast_max, slow_min, slow_max } = scene.p.roi;
        let (columns, rows) = (fast_max + 1 - fast_min, slow_max + 1 - slow_min);
        let runs = (columns * rows / (SAMPLED_PART * RUN)).clamp(1, SAMPLED_RUNS);
        let mut values = [0.0; SAMPLED_RUNS * RUN];
        let run = RUN.min(columns);
        for (i, values) in values.chunks_mut(RUN).take(runs).enumerate() {
            // Additive recurrences fill the square evenly.
            let part = |step: f64, len: usize| (libm::modf((i as f64 + 0.5) * step).0 * len as f64) as usize;
            let slow = slow_min + part(0.754_877_666_246_693, rows);
            let first = fast_min + part(0.569_840_290_998_053, columns + 1 - run);
            scene.render_run(slow, first, values.get_mut(..run).unwrap_or_default());
        }
        Self { values, count: runs * run, largest_factor: scene.largest_factor() }
    }

    /// The part of the pixels that fail the test where this much is left out of a pixel.
    fn failing(&self, left_out: f64) -> f64 {
        if left_out <= INVISIBLE {
            return 0.0;
        }
        let runs = self.values.chunks(RUN).flatten().take(self.count);
        let failing = runs.filter(|&&value| left_out > HIDDEN * value).count();
        failing as f64 / self.count.max(1) as f64
    }
}

/// The spots of a few pairs.
struct Sample {
    /// Sources times orientations.
    pairs: f64,
    /// Lines of a pair.
    lines: f64,
    /// Spots of a pair.
    spots: f64,
    /// Rows and columns of a spot.
    size: [f64; 2],
    /// Radius of the spots.
    radius: f64,
    /// Pixels, samples of a pixel, and steps of a sample.
    pixels: f64,
    samples: f64,
    steps: f64,
}

impl Sample {
    fn new(costs: &Costs, light: &Light<'_, '_>) -> Self {
        let scene = light.scene;
        let p = &scene.p;
        let Roi { slow_min, slow_max, .. } = p.roi;
        let all = light.pairs();
        let pairs = (all / SAMPLED_PAIRS).clamp(1, SAMPLED_PAIRS);
        let sampled = || (0..pairs as u64).map(|i| ((2 * i + 1) * all as u64 / (2 * pairs as u64)) as usize);
        let pixels = scene.rendered_pixels();
        let per_axis = p.oversample.per_axis as f64;
        let samples = p.panel.sensor.layers as f64 * per_axis * per_axis;
        let steps = all as f64 * samples;
        let (mut lines, mut spots, mut rows, mut columns) = (0.0, 0u64, 0u64, 0u64);
        if let Some(field) = Field::new(light, &(slow_min..slow_max + 1)) {
            lines = sampled().map(|pair| light.lines_of(&field, pair)).sum::<f64>() / pairs as f64;
            // Where the search alone takes longer than the loop, there is nothing to find out.
            let [_, lit_ns] = costs.step;
            let pays = all as f64 * lines / costs.lanes * costs.lines < pixels * steps * lit_ns;
            for pair in sampled().filter(|_| pays) {
                light.search_pair(&field, pair, &mut |spot| {
                    let extent = |[first, last]: [u16; 2]| u64::from(last - first) + 1;
                    spots += 1;
                    rows += extent(spot.rows);
                    columns += extent(spot.columns);
                });
            }
        }
        let mean = |sum: u64, count: f64| sum as f64 / count.max(1.0);
        Self {
            pairs: all as f64,
            lines,
            spots: mean(spots, pairs as f64),
            size: [rows, columns].map(|sum| mean(sum, spots as f64)),
            radius: light.reach.radius(),
            pixels,
            samples,
            steps,
        }
    }

    /// The costs with spots of a light's reach, of which a part of the pixels fails the test.
    fn choice(&self, costs: &Costs, light: &Light<'_, '_>, cutoff: Cutoff, failing: f64) -> Choice {
        let Self { pairs, lines, spots, size, radius, pixels, samples, steps } = *self;
        // There are as many more spots as they are wider, and so are their rows and columns.
        let wider = light.reach.radius() / radius;
        let [rows, columns] = size.map(|size| 1.0 + (size - 1.0).max(0.0) * wider);
        let spots = pairs * spots * wider;
        let cells = spots * rows * (1.0 + columns / SPAN as f64);
        let vectors = cells * (columns + costs.lanes - 1.0) / costs.lanes;
        let search_ns = pairs * lines / costs.lanes * costs.lines;
        let render_ns = samples * (cells * costs.cell + vectors * costs.vector + pixels * costs.pixel);
        // In the loop a Gaussian is evaluated as far as it is not 0.
        let end = light.scene.p.crystallite.gauss_end();
        let reaches = if light.reach.left_out > 0.0 { end / -light.reach.lowest_exponent } else { 1.0 };
        let covered = vectors * costs.lanes / (pairs * pixels) * reaches * libm::sqrt(reaches);
        let lit = 1.0 - libm::exp(-covered);
        let [dark_ns, lit_ns] = costs.step;
        let loop_ns = pixels * (steps * (dark_ns + lit * (lit_ns - dark_ns)) + samples * costs.pixel);
        let list_ns = search_ns + spots * costs.spot + render_ns + failing * loop_ns;
        Choice { cutoff, list_ns, search_ns, loop_ns, spots, cells }
    }
}
