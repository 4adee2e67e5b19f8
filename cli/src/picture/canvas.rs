//! A colour raster with rectangles and text, and its PNG file.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use crate::error::Failure;
use widebragg_formats::png::rgb_png;

/// The size of the text on a raster.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lettering {
    /// Height of a line.
    pub line: usize,
    /// Width of a character.
    pub character: usize,
    raster: RasterHeight,
}

impl Lettering {
    /// For pictures that are shown in their own size.
    pub const SMALL: Self = Self::new(RasterHeight::Size16);
    /// For pictures that a page shows at half their size.
    pub const LARGE: Self = Self::new(RasterHeight::Size24);

    const fn new(raster: RasterHeight) -> Self {
        Self { line: raster.val(), character: get_raster_width(FontWeight::Regular, raster), raster }
    }

    /// A length that is `points` with small text, scaled to this text.
    pub const fn scaled(self, points: usize) -> usize {
        points * self.line / Self::SMALL.line
    }

    /// Width of a text.
    pub fn width(self, text: &str) -> usize {
        self.character * text.chars().count()
    }
}

pub(crate) const WHITE: [u8; 3] = [255; 3];
pub(crate) const INK: [u8; 3] = [38, 42, 48];

/// Position of text relative to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Centre,
    Right,
}

/// A raster, initially white.
#[derive(Debug)]
pub(crate) struct Canvas {
    pub width: usize,
    pub height: usize,
    lettering: Lettering,
    pub rgb: Vec<u8>,
}

impl Canvas {
    pub fn new(width: usize, height: usize, lettering: Lettering) -> Self {
        Self { width, height, lettering, rgb: vec![255; 3 * width * height] }
    }

    /// Blends a pixel with `colour`; `cover` is the opacity from 0 to 255. Positions outside the raster are
    /// ignored.
    pub fn blend(&mut self, x: usize, y: usize, colour: [u8; 3], cover: u8) {
        if x >= self.width || y >= self.height {
            return;
        }
        let at = 3 * (y * self.width + x);
        for (old, new) in self.rgb.iter_mut().skip(at).take(3).zip(colour) {
            let (old_part, new_part) = (u32::from(255 - cover), u32::from(cover));
            *old = ((u32::from(*old) * old_part + u32::from(new) * new_part) / 255) as u8;
        }
    }

    pub fn rectangle(&mut self, [x, y]: [usize; 2], [width, height]: [usize; 2], colour: [u8; 3]) {
        for y in y..(y + height).min(self.height) {
            for x in x..(x + width).min(self.width) {
                self.blend(x, y, colour, 255);
            }
        }
    }

    /// Draws a frame around a rectangle.
    pub fn frame(&mut self, [x, y]: [usize; 2], [width, height]: [usize; 2], colour: [u8; 3]) {
        let (left, top) = (x.saturating_sub(1), y.saturating_sub(1));
        self.rectangle([left, top], [width + 2, 1], colour);
        self.rectangle([left, y + height], [width + 2, 1], colour);
        self.rectangle([left, top], [1, height + 2], colour);
        self.rectangle([x + width, top], [1, height + 2], colour);
    }

    /// Draws a line of text whose top is at `y`; characters that the font lacks become question marks.
    pub fn text(&mut self, [x, y]: [usize; 2], align: Align, text: &str, colour: [u8; 3]) {
        let lettering = self.lettering;
        let width = lettering.width(text);
        let left = match align {
            Align::Left => x,
            Align::Centre => x.saturating_sub(width / 2),
            Align::Right => x.saturating_sub(width),
        };
        each_point(lettering, text, |dx, dy, cover| self.blend(left + dx, y + dy, colour, cover));
    }

    /// Draws a line of text upwards, centred on `y`, with its left edge at `x`.
    pub fn upwards(&mut self, [x, y]: [usize; 2], text: &str, colour: [u8; 3]) {
        let lettering = self.lettering;
        let bottom = y + lettering.width(text) / 2;
        each_point(lettering, text, |dx, dy, cover| {
            if let Some(y) = bottom.checked_sub(dx) {
                self.blend(x + dy, y, colour, cover);
            }
        });
    }

    /// The raster as a PNG file.
    pub fn png(&self) -> Result<Vec<u8>, Failure> {
        let failed = |error: std::io::Error| {
            Failure::input(format!("a picture of {} x {}: {error}", self.width, self.height))
        };
        rgb_png(self.width, self.height, &self.rgb).map_err(failed)
    }
}

/// Calls `draw` for every point of a text, with its offsets right and down from the corner, and its opacity.
fn each_point(lettering: Lettering, text: &str, mut draw: impl FnMut(usize, usize, u8)) {
    let glyph = |c: char| get_raster(c, FontWeight::Regular, lettering.raster);
    for (i, c) in text.chars().enumerate() {
        let Some(glyph) = glyph(c).or_else(|| glyph('?')) else { continue };
        for (dy, row) in glyph.rows().enumerate() {
            for (dx, cover) in row.iter().enumerate().filter(|(_, cover)| **cover > 0) {
                draw(i * lettering.character + dx, dy, *cover);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_where_it_is_put_and_drawing_outside_is_harmless() {
        for lettering in [Lettering::SMALL, Lettering::LARGE] {
            let mut canvas = Canvas::new(90, 50, lettering);
            canvas.text([80, 10], Align::Right, "A\u{c5}\u{4e2d}", INK);
            let inked = |canvas: &Canvas| -> Vec<usize> {
                let dark = canvas.rgb.chunks_exact(3).enumerate().filter(|(_, rgb)| rgb[0] < 128);
                dark.map(|(at, _)| at).collect()
            };
            let points = inked(&canvas);
            assert!(points.len() > 30);
            let (columns, rows) = (80 - 3 * lettering.character..80, 10..10 + lettering.line);
            for point in points {
                assert!(columns.contains(&(point % 90)) && rows.contains(&(point / 90)));
            }
            canvas.text([1000, 1000], Align::Centre, "far", INK);
            canvas.upwards([88, 1], "outside", INK);
            canvas.rectangle([80, 40], [500, 500], INK);
            canvas.frame([0, 0], [90, 50], INK);
            assert_eq!(canvas.rgb.len(), 3 * 90 * 50);
        }
    }
}
