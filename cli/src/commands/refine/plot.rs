//! Pictures of a refinement: the images before and after, their difference from the data, single spots, and
//! the loss.

use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::gradient::refine::optimiser::Fitted;
use widebragg_experiment::gradient::selection::selected;
use widebragg_experiment::resolution::scattering_lengths;

use crate::error::Failure;
use crate::images::Region;
use crate::picture::canvas::{Align, Canvas, INK, Lettering};
use crate::picture::image::{NOT_FINITE_NAME, Picture, colour_bar, signed_picture};
use crate::picture::scale::Scale;

/// Side of the surroundings of a spot, in pixels; side of one of these pixels, and gap between panels, in
/// points.
const SIDE: usize = 25;
const CELL: usize = 8;
const GAP: usize = 10;
/// Number of spots: the strongest of as many shells of resolution.
const SPOTS: usize = 6;
const COLUMNS: [&str; 5] = ["data", "model before", "model after", "before - data", "after - data"];
/// Number of columns that are images; the others are differences.
const IMAGES: usize = 3;
/// Room of a colour bar with its marks, in points.
const BAR_ROOM: usize = 110;
const CAPTION: [&str; 3] = [
    "Strong spots, from low to high resolution. Each row has its own two colour scales, in photons per pixel:",
    "one for the data and for the model before and after the fit, one for the differences of model and data.",
    "Differences: white where model and data agree, red where the model is too bright, blue where it is too dark.",
];

/// Size of the plot of the loss, in points, and its colours.
const WIDTH: usize = 900;
const HEIGHT: usize = 480;
const MOST_TICKS: usize = 15;
const CURVE: [u8; 3] = [31, 96, 168];
const STAGE: [u8; 3] = [190, 196, 204];

/// The names of the pictures.
pub const NAMES: [&str; 5] = ["before.png", "after.png", "difference.png", "spots.png", "loss.png"];

/// Images of one size.
#[derive(Debug)]
pub struct Images<'i> {
    /// The experiment.
    pub experiment: &'i Experiment,
    /// The data.
    pub data: &'i [f32],
    /// The image at the start.
    pub before: &'i [f32],
    /// The image at the end.
    pub after: &'i [f32],
}

impl Images<'_> {
    /// Names and contents of the PNG files.
    ///
    /// # Errors
    /// No memory.
    pub fn pictures(&self, fitted: &Fitted) -> Result<Vec<(&'static str, Vec<u8>)>, Failure> {
        let fast = self.experiment.columns();
        let takes = selected(self.experiment);
        // Pixels that are not compared have no difference.
        let difference = |of: &[f32]| -> Vec<f32> {
            let pairs = of.iter().zip(self.data).enumerate();
            pairs
                .map(|(i, (model, data))| if takes(i) && data.is_finite() { model - data } else { 0.0 })
                .collect()
        };
        let scale = self.scale();
        let whole = |title: &str, pixels: &[f32]| {
            let region = Region { fast_min: 0, slow_min: 0, fast, slow: pixels.len() / fast.max(1) };
            let not_finite = pixels.iter().filter(|x| !x.is_finite()).count();
            let picture = Picture {
                title,
                unit: "photons",
                region,
                layout: None,
                scale: &scale,
                not_finite,
                not_finite_name: NOT_FINITE_NAME,
                rings: None,
                ring_colour: INK,
            };
            picture.draw(|i| pixels[i], |x| x)
        };
        let after = difference(self.after);
        let pictures = [
            whole("before", self.before)?,
            whole("after", self.after)?,
            signed_picture("after - data", "photons", fast, &after)?,
            self.spots(&[&difference(self.before), &after])?,
            loss(fitted)?,
        ];
        Ok(NAMES.into_iter().zip(pictures).collect())
    }

    /// The scale of all images: the range of the data, soft at their mean.
    fn scale(&self) -> Scale {
        let finite = || self.data.iter().filter(|x| x.is_finite()).map(|x| f64::from(*x));
        let (bottom, top) =
            (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
        if bottom > top {
            return Scale::sequential(0.0, 1.0, 1.0);
        }
        let mean = finite().sum::<f64>() / finite().count().max(1) as f64;
        Scale::sequential(bottom, top, (mean - bottom) / 10.0)
    }

    /// The strongest pixel of each shell of resolution, among those whose surroundings are on the detector.
    fn strongest(&self) -> Result<Vec<(usize, f32)>, Failure> {
        let lengths = scattering_lengths(self.experiment)?;
        let (fast, slow) = (self.experiment.columns(), self.experiment.rows());
        let takes = selected(self.experiment);
        let half = SIDE / 2;
        let inside = |at: usize, count: usize| at >= half && at + half < count;
        let signal = |i: &usize| {
            takes(*i)
                && self.data[*i] > 0.0
                && self.data[*i].is_finite()
                && inside(i % fast, fast)
                && inside(i / fast, slow)
        };
        let mut farthest = 0f32;
        for i in (0..self.data.len()).filter(signal) {
            farthest = farthest.max(lengths[i]);
        }
        let mut found: Vec<Option<usize>> = vec![None; SPOTS];
        for i in (0..self.data.len()).filter(signal) {
            let shell = ((lengths[i] / farthest) * SPOTS as f32) as usize;
            let best = &mut found[shell.min(SPOTS - 1)];
            if best.is_none_or(|best| self.data[i] > self.data[best]) {
                *best = Some(i);
            }
        }
        Ok(found.into_iter().flatten().map(|i| (i, lengths[i])).collect())
    }

    /// The surroundings of spots, a row for each spot: images on one scale, differences on another.
    fn spots(&self, differences: &[&[f32]; 2]) -> Result<Vec<u8>, Failure> {
        let lettering = Lettering::SMALL;
        let spots = self.strongest()?;
        let panel = SIDE * CELL;
        let top = (CAPTION.len() + 2) * (lettering.line + 4) + GAP;
        let row = panel + lettering.line + 2 * GAP;
        // A colour bar after the images, and one after the differences.
        let left_of =
            |column: usize| GAP + column * (panel + GAP) + if column >= IMAGES { BAR_ROOM } else { 0 };
        let bars = [left_of(IMAGES) - BAR_ROOM, left_of(COLUMNS.len())];
        let width = bars[1] + BAR_ROOM;
        let mut canvas = Canvas::new(width, top + spots.len().max(1) * row, lettering);
        for (n, line) in CAPTION.iter().enumerate() {
            canvas.text([GAP, GAP / 2 + n * (lettering.line + 4)], Align::Left, line, INK);
        }
        let above = top - lettering.line - 4;
        for (column, title) in COLUMNS.iter().enumerate() {
            canvas.text([left_of(column) + panel / 2, above], Align::Centre, title, INK);
        }
        for left in bars {
            canvas.text([left, above], Align::Left, "photons", INK);
        }
        let fast = self.experiment.columns();
        let panels = [self.data, self.before, self.after, differences[0], differences[1]];
        for (n, &(index, length)) in spots.iter().enumerate() {
            let corner = index - SIDE / 2 * fast - SIDE / 2;
            let at = |x: usize, y: usize| corner + y * fast + x;
            let cells = || (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (x, y)));
            let largest = |images: &[&[f32]]| {
                let values = cells().flat_map(|(x, y)| images.iter().map(move |image| image[at(x, y)]));
                let most =
                    values.filter(|value| value.is_finite()).fold(0f32, |most, value| most.max(value.abs()));
                f64::from(most)
            };
            let (most, apart) = (largest(&panels[..IMAGES]), largest(&panels[IMAGES..]));
            let scales = [Scale::sequential(0.0, most, most / 30.0), Scale::diverging(apart, apart / 30.0)];
            let y0 = top + n * row;
            for (column, image) in panels.iter().enumerate() {
                let x0 = left_of(column);
                let scale = &scales[usize::from(column >= IMAGES)];
                for (x, y) in cells() {
                    let colour = scale.colour(image[at(x, y)]);
                    canvas.rectangle([x0 + x * CELL, y0 + y * CELL], [CELL, CELL], colour);
                }
                canvas.frame([x0, y0], [panel, panel], INK);
            }
            for (left, scale) in bars.into_iter().zip(&scales) {
                colour_bar(&mut canvas, lettering, scale, [left, y0], panel);
            }
            let under = format!(
                "around pixel fast {}, slow {}, at a resolution of {:.2} \u{c5}",
                index % fast,
                index / fast,
                1.0 / length,
            );
            canvas.text([GAP, y0 + panel + 4], Align::Left, &under, INK);
        }
        canvas.png()
    }
}

/// Number of steps from one tick to the next, 1, 2 or 5 times a power of ten, for at most `MOST_TICKS` ticks.
fn steps_between_ticks(steps: usize) -> usize {
    let rounds = (0..).map(|exponent| 10_usize.pow(exponent)).take(10);
    let mut every = rounds.flat_map(|decade| [decade, 2 * decade, 5 * decade]);
    every.find(|every| steps / every < MOST_TICKS).unwrap_or(steps.max(1))
}

/// The loss of each step, relative to that at the start of its stage, since stages have different pixels.
fn loss(fitted: &Fitted) -> Result<Vec<u8>, Failure> {
    let lettering = Lettering::SMALL;
    let (left, right, top, bottom) = (90, 20, 56, 50);
    let mut canvas = Canvas::new(left + WIDTH + right, top + HEIGHT + bottom, lettering);
    let history = &fitted.history;
    let mut first = 0.0;
    let mut points: Vec<(usize, f64)> = Vec::new();
    for (i, step) in history.iter().enumerate() {
        if i == 0 || history[i - 1].stage != step.stage {
            first = step.loss;
        }
        let ratio = if first > 0.0 { step.loss / first } else { 1.0 };
        points.push((i, ratio.max(1e-16).log10()));
    }
    let lowest = points.iter().map(|(_, y)| *y).fold(-1.0, f64::min).floor();
    let count = history.len().max(2) - 1;
    let point_of = |(i, y): (usize, f64)| {
        [left + i * WIDTH / count, top + ((y.min(0.5) - 0.5) / (lowest - 0.5) * HEIGHT as f64) as usize]
    };
    canvas.text([left, 12], Align::Left, "loss relative to that at the start of its stage", INK);
    let decades = -lowest as usize;
    for decade in (0..=decades).step_by(decades.div_ceil(8).max(1)) {
        let [x, y] = point_of((0, -(decade as f64)));
        canvas.rectangle([x, y], [WIDTH, 1], [228, 231, 235]);
        let label = if decade == 0 { "1".to_owned() } else { format!("1e-{decade}") };
        canvas.text([x - 8, y.saturating_sub(lettering.line / 2)], Align::Right, &label, INK);
    }
    let every = steps_between_ticks(fitted.iterations());
    for (i, step) in history.iter().enumerate() {
        let [x, y] = point_of(points[i]);
        if i == 0 || history[i - 1].stage != step.stage {
            canvas.rectangle([x, top], [1, HEIGHT], STAGE);
            canvas.text([x, 34], Align::Left, &format!("{:.1} \u{c5}", step.d_angstrom), INK);
        } else {
            let [x0, y0] = point_of(points[i - 1]);
            let length = (x - x0).max(y.abs_diff(y0)).max(1);
            for n in 0..=length {
                let along = |from: usize, to: usize| {
                    (from as f64 + (to as f64 - from as f64) * n as f64 / length as f64) as usize
                };
                canvas.rectangle([along(x0, x), along(y0, y)], [2, 2], CURVE);
            }
        }
        canvas.rectangle([x.saturating_sub(3), y.saturating_sub(3)], [7, 7], CURVE);
        // A stage begins with the same number of steps as the one before ended with: one label for both.
        let is_new = i == 0 || history[i - 1].iteration != step.iteration;
        if is_new && step.iteration % every == 0 {
            canvas.rectangle([x, top + HEIGHT + 1], [1, 5], INK);
            canvas.text([x, top + HEIGHT + 8], Align::Centre, &step.iteration.to_string(), INK);
        }
    }
    canvas.frame([left, top], [WIDTH, HEIGHT], INK);
    canvas.text([left + WIDTH / 2, top + HEIGHT + 26], Align::Centre, "steps so far, in all stages", INK);
    canvas.png()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_round() {
        for (steps, every) in [(0, 1), (4, 1), (14, 1), (15, 2), (60, 5), (149, 10), (1000, 100)] {
            assert_eq!(steps_between_ticks(steps), every, "{steps}");
        }
    }
}
