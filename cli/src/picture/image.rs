//! An image as a picture: axes in pixels, a colour bar with units, resolution rings.
//!
//! Large images are reduced by blocks. Each block shows its most extreme value, since a spot may be a single
//! pixel; pixels that are not finite come before all others. Small images are enlarged by whole factors.
//! Panels that are laid out as they stand in space have grey gaps between them.
//! Memory: 3 bytes a point of the picture, which has at most about 1650 x 1450 points.

use rayon::prelude::*;

use super::canvas::{Align, Canvas, INK, Lettering, WHITE};
use super::scale::{NOT_FINITE, Scale, short};
use widebragg_experiment::resolution::Resolution;

use crate::error::Failure;
use crate::images::Region;
use widebragg_formats::image::Layout;

/// Longest side of an image in a picture, and the side that small images are enlarged towards.
const LONGEST: usize = 1300;
const ENLARGED: usize = 640;
const LARGEST_CELL: usize = 120;
/// Longest side of pictures that pages show in their own size; larger pictures have larger text.
const SHOWN_WHOLE: usize = 800;
/// Margins for axes, title and colour bar with small text; with large text these and the following lengths
/// are scaled.
const LEFT: usize = 76;
const TOP: usize = 34;
const RIGHT: usize = 150;
const BOTTOM: usize = 54;
/// Width and smallest height of the colour bar.
const BAR: usize = 20;
const LEAST_BAR: usize = 180;
/// Smallest distance between marks.
const MARK_PX: usize = 80;
/// Number of decades of steps between marks.
const LARGEST_DECADES: usize = 10;
const GREY: [u8; 3] = [110, 116, 124];

/// What pixels that are not finite are called where nothing marks them as masked.
pub(crate) const NOT_FINITE_NAME: &str = "NaN/inf";

/// An image to draw.
#[derive(Debug)]
pub(crate) struct Picture<'a> {
    pub title: &'a str,
    pub unit: &'a str,
    pub region: Region,
    /// Where its pixels are; `None`: as they are stored.
    pub layout: Option<&'a Layout>,
    pub scale: &'a Scale,
    /// Number of pixels that are not finite.
    pub not_finite: usize,
    /// What these are called.
    pub not_finite_name: &'a str,
    /// Resolution of the points of the picture, for rings.
    pub rings: Option<&'a dyn Resolution>,
    /// Colour of the rings and their labels.
    pub ring_colour: [u8; 3],
}

/// The scale between pixels and points of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Zoom {
    /// Pixels along a side of a block.
    block: usize,
    /// Points along a side of a block.
    enlarged: usize,
}

impl Zoom {
    fn of(region: &Region) -> Self {
        let longest = region.fast.max(region.slow);
        Self { block: longest.div_ceil(LONGEST), enlarged: (ENLARGED / longest).clamp(1, LARGEST_CELL) }
    }

    fn points(self, pixels: usize) -> usize {
        pixels.div_ceil(self.block) * self.enlarged
    }

    /// Distance in points from the edge of the first pixel to the middle of pixel `pixel`.
    fn middle(self, pixel: usize) -> usize {
        ((pixel as f64 + 0.5) * self.enlarged as f64 / self.block as f64) as usize
    }
}

impl Picture<'_> {
    /// The pixels of the picture: those of the region, or the points of the layout.
    fn shown(&self) -> Region {
        let of_layout =
            |layout: &Layout| Region { fast_min: 0, slow_min: 0, fast: layout.width, slow: layout.height };
        self.layout.map_or(self.region, of_layout)
    }

    /// Draws the picture as a PNG file; `pixel` returns the value at an index, `weight` how extreme a value
    /// is.
    pub fn draw(
        &self,
        pixel: impl Fn(usize) -> f32 + Sync,
        weight: impl Fn(f32) -> f32 + Sync,
    ) -> Result<Vec<u8>, Failure> {
        let shown = self.shown();
        let zoom = Zoom::of(&shown);
        let (width, height) = (zoom.points(shown.fast), zoom.points(shown.slow));
        let lettering = if width.max(height) > SHOWN_WHOLE { Lettering::LARGE } else { Lettering::SMALL };
        let [left, top, right, bottom] = [LEFT, TOP, RIGHT, BOTTOM].map(|room| lettering.scaled(room));
        let mut canvas = Canvas::new(left + width + right, top + height.max(LEAST_BAR) + bottom, lettering);
        let line = 3 * canvas.width;
        let rows = canvas.rgb.par_chunks_mut(line).skip(top).take(height);
        rows.enumerate().for_each(|(y, row)| {
            for x in 0..width {
                let block = [x / zoom.enlarged * zoom.block, y / zoom.enlarged * zoom.block];
                // The points of an enlarged pixel are copies of its first one.
                if x % zoom.enlarged > 0 {
                    row.copy_within(3 * (left + x - 1)..3 * (left + x), 3 * (left + x));
                    continue;
                }
                let found = self.outstanding(block, zoom.block, &pixel, &weight);
                let colour = found.map_or(GREY, |found| self.scale.colour(found));
                row[3 * (left + x)..3 * (left + x) + 3].copy_from_slice(&colour);
            }
        });
        self.draw_rings(&mut canvas, lettering, zoom, [width, height]);
        canvas.frame([left, top], [width, height], INK);
        self.draw_axes(&mut canvas, lettering, zoom, [width, height]);
        self.draw_bar(&mut canvas, lettering, left + width + lettering.scaled(20), height.max(LEAST_BAR));
        canvas.png()
    }

    /// The most extreme value of a block; `None` in a gap.
    fn outstanding(
        &self,
        [fast, slow]: [usize; 2],
        block: usize,
        pixel: &impl Fn(usize) -> f32,
        weight: &impl Fn(f32) -> f32,
    ) -> Option<f32> {
        let shown = self.shown();
        let mut found = None;
        for slow in slow..(slow + block).min(shown.slow) {
            for fast in fast..(fast + block).min(shown.fast) {
                let point = slow * shown.fast + fast;
                let index = match self.layout {
                    None => point,
                    Some(layout) if layout.pixels[point] == Layout::GAP => continue,
                    Some(layout) => layout.pixels[point] as usize,
                };
                let value = pixel(index);
                if !value.is_finite() {
                    return Some(value);
                }
                if found.is_none_or(|found| weight(value) > weight(found)) {
                    found = Some(value);
                }
            }
        }
        found
    }

    fn draw_axes(&self, canvas: &mut Canvas, lettering: Lettering, zoom: Zoom, [width, height]: [usize; 2]) {
        let scaled = |points| lettering.scaled(points);
        let Lettering { line, .. } = lettering;
        let [left, top, right] = [LEFT, TOP, RIGHT].map(scaled);
        let bottom = top + height;
        let tick = scaled(6);
        let apart = scaled(MARK_PX);
        let shown = self.shown();
        let [across, down] = if self.layout.is_some() { ["across", "down"] } else { ["fast", "slow"] };
        for (pixel, at) in marks(shown.fast_min, shown.fast, zoom, apart) {
            canvas.rectangle([left + at, bottom + 1], [1, tick], INK);
            canvas.text([left + at, bottom + scaled(8)], Align::Centre, &pixel.to_string(), INK);
        }
        for (pixel, at) in marks(shown.slow_min, shown.slow, zoom, apart) {
            canvas.rectangle([left - 1 - tick, top + at], [tick, 1], INK);
            let y = (top + at).saturating_sub(line / 2);
            canvas.text([left - scaled(10), y], Align::Right, &pixel.to_string(), INK);
        }
        let under = bottom + scaled(8 + 6) + line;
        let mut label = format!("{across} (pixels)");
        let blocks = format!("{label}; a point is the extreme of {0} x {0} pixels", zoom.block);
        if zoom.block > 1 && lettering.width(&blocks) < width {
            label = blocks;
        }
        canvas.text([left + width / 2, under], Align::Centre, &label, INK);
        let label = format!("{down} (pixels)");
        canvas.upwards([2, top + height.max(lettering.width(&label)) / 2], &label, INK);
        let room = (width + right - 8) / lettering.character;
        let title: String = if self.title.chars().count() > room {
            let cut = self.title.chars().count() + 3 - room;
            ["..."].into_iter().flat_map(str::chars).chain(self.title.chars().skip(cut)).collect()
        } else {
            self.title.to_owned()
        };
        canvas.text([left, scaled(9)], Align::Left, &title, INK);
    }

    fn draw_bar(&self, canvas: &mut Canvas, lettering: Lettering, left: usize, height: usize) {
        let Lettering { line, .. } = lettering;
        let [above, bar, beside, below] = [TOP, BAR, BAR + 10, 12].map(|points| lettering.scaled(points));
        // One line for the unit above the bar, one for the pixels that are not finite below it.
        let (top, height) =
            (above + line + 8, height - line - 8 - if self.not_finite > 0 { line + below } else { 0 });
        canvas.text([left, above], Align::Left, self.unit, INK);
        colour_bar(canvas, lettering, self.scale, [left, top], height);
        if self.not_finite > 0 {
            let y = top + height + below;
            canvas.rectangle([left, y + 1], [bar, line - 2], NOT_FINITE);
            let label = format!("{} {}", self.not_finite, self.not_finite_name);
            canvas.text([left + beside, y], Align::Left, &label, INK);
        }
    }

    /// Draws the rings: the points next to which the resolution passes that of a ring.
    fn draw_rings(&self, canvas: &mut Canvas, lettering: Lettering, zoom: Zoom, [width, height]: [usize; 2]) {
        let Some(geometry) = self.rings else { return };
        let [left, top] = [LEFT, TOP].map(|room| lettering.scaled(room));
        let pixels_per_point = zoom.block as f64 / zoom.enlarged as f64;
        let shown = self.shown();
        let corner = [shown.fast_min as f64, shown.slow_min as f64];
        let size = [shown.fast as f64, shown.slow as f64];
        let rings = geometry.rings_angstrom(corner, size);
        let d = |x: usize, y: usize| {
            let [fast, slow] = corner;
            geometry.d_angstrom([fast + x as f64 * pixels_per_point, slow + y as f64 * pixels_per_point])
        };
        let row = |y: usize| -> Vec<f64> { (0..=width).map(|x| d(x, y)).collect() };
        let mut above = row(0);
        // The label of a ring is at its highest point.
        let mut highest: Vec<Option<[usize; 2]>> = vec![None; rings.len()];
        for y in 0..height {
            let below = row(y + 1);
            for x in 0..width {
                let (here, right, under) = (above[x], above[x + 1], below[x]);
                for (ring, point) in rings.iter().zip(&mut highest) {
                    let passes = |next: f64| !next.is_nan() && (here > *ring) != (next > *ring);
                    if !here.is_nan() && (passes(right) || passes(under)) {
                        canvas.blend(left + x, top + y, self.ring_colour, 170);
                        point.get_or_insert([x, y]);
                    }
                }
            }
            above = below;
        }
        let labels = rings.iter().zip(highest).filter_map(|(ring, point)| Some((ring, point?)));
        for (ring, [x, y]) in labels {
            let label = format!("{} \u{c5}", short(*ring));
            let half = lettering.width(&label).div_ceil(2) + 2;
            if x > half && x + half < width && y + lettering.line + 4 < height {
                canvas.text([left + x, top + y + 3], Align::Centre, &label, self.ring_colour);
            }
        }
    }
}

/// Draws a colour bar with its marks at the right.
pub(crate) fn colour_bar(
    canvas: &mut Canvas,
    lettering: Lettering,
    scale: &Scale,
    [left, top]: [usize; 2],
    height: usize,
) {
    let line = lettering.line;
    let [bar, tick, beside] = [BAR, 5, BAR + 10].map(|points| lettering.scaled(points));
    for y in 0..height {
        let position = 1.0 - (y as f64 + 0.5) / height as f64;
        canvas.rectangle([left, top + y], [bar, 1], scale.at(position));
    }
    canvas.frame([left, top], [bar, height], INK);
    for (position, value) in scale.marks((line + 4) as f64 / height as f64) {
        let y = top + ((1.0 - position) * (height - 1) as f64) as usize;
        canvas.rectangle([left + bar + 1, y], [tick, 1], INK);
        canvas.text([left + beside, y.saturating_sub(line / 2)], Align::Left, &short(value), INK);
    }
}

/// Round pixel numbers along an axis with the positions of their middles in points; marks are at least
/// `apart` points apart.
fn marks(first: usize, count: usize, zoom: Zoom, apart: usize) -> Vec<(usize, usize)> {
    let points_per_pixel = zoom.enlarged as f64 / zoom.block as f64;
    let decades = (0..).map(|exponent| 10usize.pow(exponent));
    let mut steps =
        decades.flat_map(|decade| [1, 2, 5].map(|digit| digit * decade)).take(3 * LARGEST_DECADES);
    let step = steps.find(|step| *step as f64 * points_per_pixel >= apart as f64).unwrap_or(count.max(1));
    let start = first.next_multiple_of(step);
    (start..first + count).step_by(step).map(|pixel| (pixel, zoom.middle(pixel - first))).collect()
}

/// Side of the surroundings of a pixel, in pixels; side of one of these pixels, and gap between panels, in
/// points.
const SURROUNDINGS: usize = 17;
const CELL: usize = 12;
const GAP: usize = 12;

/// Draws the surroundings of pixel `index` in A, B and their difference, side by side; A and B have the same
/// scale.
pub(crate) fn surroundings(a: &[f32], b: &[f32], region: &Region, index: usize) -> Result<Vec<u8>, Failure> {
    let (fast, slow) = (index % region.fast, index / region.fast);
    let half = SURROUNDINGS / 2;
    let at = |image: &[f32], x: usize, y: usize| {
        let (x, y) = ((fast + x).checked_sub(half)?, (slow + y).checked_sub(half)?);
        if x < region.fast { image.get(y * region.fast + x).copied() } else { None }
    };
    let cells = || (0..SURROUNDINGS).flat_map(|y| (0..SURROUNDINGS).map(move |x| (x, y)));
    let values: Vec<(Option<f32>, Option<f32>)> = cells().map(|(x, y)| (at(a, x, y), at(b, x, y))).collect();
    let finite =
        || values.iter().flat_map(|(a, b)| [*a, *b]).flatten().filter(|v| v.is_finite()).map(f64::from);
    let difference = |(a, b): &(Option<f32>, Option<f32>)| Some(b.as_ref()? - a.as_ref()?);
    let (bottom, top) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let common = Scale::sequential(bottom, top, (top - bottom) / 30.0);
    let largest =
        values.iter().filter_map(difference).filter(|d| d.is_finite()).fold(0f32, |one, d| one.max(d.abs()));
    let signed = Scale::diverging(f64::from(largest), f64::from(largest) / 30.0);
    let side = SURROUNDINGS * CELL;
    let mut canvas = Canvas::new(3 * side + 2 * GAP + 2, side + 2, Lettering::SMALL);
    for ((x, y), pair) in cells().zip(&values) {
        let panels = [(pair.0, &common), (pair.1, &common), (difference(pair), &signed)];
        for (panel, (value, scale)) in panels.into_iter().enumerate() {
            let left = 1 + panel * (side + GAP);
            let colour = value.map_or(GREY, |value| scale.colour(value));
            canvas.rectangle([left + x * CELL, 1 + y * CELL], [CELL, CELL], colour);
        }
    }
    for panel in 0..3 {
        let left = 1 + panel * (side + GAP);
        canvas.frame([left, 1], [side, side], INK);
        let corner = [left + half * CELL, 1 + half * CELL];
        canvas.frame(corner, [CELL, CELL], WHITE);
        canvas.frame([corner[0] - 1, corner[1] - 1], [CELL + 2, CELL + 2], INK);
    }
    canvas.png()
}

/// A picture of pixels of both signs, on a scale from blue over white to red.
pub(crate) fn signed_picture(
    title: &str,
    unit: &str,
    fast: usize,
    pixels: &[f32],
) -> Result<Vec<u8>, Failure> {
    let finite = || pixels.iter().filter(|x| x.is_finite()).map(|x| f64::from(x.abs()));
    let largest = finite().fold(0.0, f64::max);
    let rms = (finite().map(|x| x * x).sum::<f64>() / pixels.len().max(1) as f64).sqrt();
    let picture = Picture {
        title,
        unit,
        region: Region { fast_min: 0, slow_min: 0, fast, slow: pixels.len() / fast.max(1) },
        layout: None,
        scale: &Scale::diverging(largest, rms / 100.0),
        not_finite: pixels.iter().filter(|x| !x.is_finite()).count(),
        not_finite_name: NOT_FINITE_NAME,
        rings: None,
        ring_colour: [90, 100, 110],
    };
    picture.draw(|i| pixels[i], f32::abs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_pictures_are_bounded() {
        for (fast, slow) in [(1, 1), (32, 32), (700, 3), (2463, 2527), (100_000, 1)] {
            let zoom = Zoom::of(&Region { fast_min: 0, slow_min: 0, fast, slow });
            assert!(zoom.points(fast) <= LONGEST && zoom.points(slow) <= LONGEST, "{fast} x {slow}");
            for (pixel, at) in marks(7, fast, zoom, MARK_PX) {
                assert!((7..7 + fast).contains(&pixel) && at < zoom.points(fast).max(1));
            }
        }
    }

    #[test]
    fn single_pixels_survive_blocks() {
        let region = Region { fast_min: 0, slow_min: 0, fast: 3000, slow: 2000 };
        let scale = Scale::sequential(0.0, 1.0, 0.1);
        let picture = Picture {
            title: "",
            unit: "",
            region,
            layout: None,
            scale: &scale,
            not_finite: 0,
            not_finite_name: NOT_FINITE_NAME,
            rings: None,
            ring_colour: INK,
        };
        let pixels = |index: usize| match index {
            7 => 1.0,
            3000 => f32::NAN,
            _ => 0.0,
        };
        let weight = |v: f32| v;
        assert_eq!(picture.outstanding([6, 0], 3, &pixels, &weight), Some(1.0));
        assert!(picture.outstanding([0, 0], 3, &pixels, &weight).unwrap().is_nan());
        assert_eq!(picture.outstanding([2997, 1998], 3, &pixels, &weight), Some(0.0));
        // Two pixels with a gap between them.
        let layout = Layout { width: 3, height: 1, pixels: vec![8, Layout::GAP, 7] };
        let picture = Picture { layout: Some(&layout), ..picture };
        let found = [0, 1, 2].map(|point| picture.outstanding([point, 0], 1, &pixels, &weight));
        assert_eq!(found, [Some(0.0), None, Some(1.0)]);
        assert_eq!(picture.outstanding([0, 0], 3, &pixels, &weight), Some(1.0));
    }
}
