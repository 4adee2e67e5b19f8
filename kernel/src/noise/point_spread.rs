//! The point spread: the photons of a pixel, distributed over its surroundings.
//!
//! Spec has the shares of a [`Form`] within a radius ([`Shares`]) and those of a Gaussian in a square ([`GaussShares`]),
//! which are 1 in all; light over an edge is lost. [`PointSpread`] and [`Spread`], of which the rest of this page is, are as
//! `noisify.c` has it.
//!
//! **Formulas.** The share that the pixel at the offset (dx, dy) gets is the integral of the point spread over that
//! pixel, w the full width at half maximum in pixels:
//!
//! ```text
//! gauss  I(x, y) = erf(a x) erf(a y)/4                             a = 2 sqrt(ln 2)/w
//! fiber  I(x, y) = atan(x y/(g sqrt(g^2 + x^2 + y^2)))/(2 pi)      g = 0.652383013252053 w
//! share  = I(dx + 1/2, dy + 1/2) - I(dx + 1/2, dy - 1/2) - I(dx - 1/2, dy + 1/2) + I(dx - 1/2, dy - 1/2)
//! ```
//!
//! Shares within a radius r, dx^2 + dy^2 <= r^2, are distributed; the part beyond it is exp(-ln 16 (r/w)^2) for gauss
//! and g/sqrt(g^2 + r^2) for fiber. The sum of these parts is lost, and comes back as the same number of photons for
//! every pixel. A pixel's own radius is the one beyond which about a tenth of the square root of its photons would be.
//!
//! **Source.** `apply_psf` of `noisify.c`, with its faults: photons that leave over the right edge arrive in the
//! first pixel of the next row, shares and lost part do not add up to 1, and a pixel below 0.01 photons has no radius
//! of its own for gauss, so that its photons vanish.
//!
//! **Accuracy** (`tests/tests/cli_companions.rs`). Pixels are those of the reference: each receives its terms in the
//! order of the image, product and sum in f64, and the sum is rounded to f32 after each of them.
//!
//! **Shapes.** Images are slow-major. Rows of the result do not depend on each other, so that threads can share them.
//!
//! ```
//! use widebragg::lanes::Simd;
//! use widebragg::noise::point_spread::{PointSpread, Radii, Shape, Spread, TableSize};
//!
//! let spread = PointSpread::new(Shape::Gauss, 1.5)?;
//! let size = TableSize::new(4, [16, 16]);
//! let mut shares = vec![0.0; size.shares_len()?];
//! shares.chunks_mut(size.columns()).enumerate().for_each(|(row, shares)| spread.fill_row(size, row, shares));
//!
//! let mut photons = [0.0; 256];
//! photons[8 * 16 + 8] = 1000.0;
//! let mut spread_out = [0.0; 256];
//! let image = Spread { size, shares: &shares, photons: &photons, radii: Radii::Same(4) };
//! image.add_to_rows(Simd::detect(), 0..16, &mut spread_out)?;
//! let total: f32 = spread_out.iter().sum();
//! assert!((total - 1000.0).abs() < 1e-2);
//! # Ok::<(), widebragg::Error>(())
//! ```

mod form;
mod gather;
mod separable;

use core::f64::consts::{LN_2, PI};
use core::ops::Range;

use crate::Error;
use crate::arrays::same_length;
use crate::error::require;
use crate::lanes::{BaseLevel, Simd, WithSimd};

pub use form::Form;
pub use gather::Shares;
pub use separable::GaussShares;

/// g of a fiber in units of its full width at half maximum.
const G_OF_WIDTH: f64 = 0.652_383_013_252_053;

/// The form of a point spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// exp(-4 ln 2 r^2/w^2).
    Gauss,
    /// (g^2 + r^2)^(-3/2), as of a taper of optical fibers.
    Fiber,
}

/// A point spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PointSpread {
    shape: Shape,
    width_px: f64,
    g_px: f64,
}

impl PointSpread {
    /// Creates a point spread of a full width at half maximum in pixels.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a width that is not above 0 and finite.
    pub fn new(shape: Shape, width_px: f64) -> Result<Self, Error> {
        require(width_px > 0.0, "width of the point spread in pixels", width_px, "above 0 and finite")?;
        Ok(Self { shape, width_px, g_px: width_px * G_OF_WIDTH })
    }

    /// The radius, in pixels, beyond which about a tenth of the square root of `photons` would be. It is below 0 where
    /// there is none: for gauss and photons below 0.01, and where it has more than 31 bits.
    #[must_use]
    pub fn own_radius(&self, photons: f32) -> i32 {
        let photons = f64::from(photons);
        let beyond = libm::sqrt(photons) / 10.0;
        let least = match self.shape {
            Shape::Gauss => libm::sqrt(-libm::log(beyond / photons) / (4.0 * LN_2)) * self.width_px,
            Shape::Fiber => self.g_px * (photons / beyond),
        };
        let radius = 1.0 + libm::ceil(least);
        // Conversions that are out of range give the least integer on x86-64.
        let radius = if radius.abs() < 2_147_483_648.0 { radius as i32 } else { i32::MIN };
        if radius == 0 { 1 } else { radius }
    }

    /// The photons of all pixels that are beyond their radii, summed in the order of the image.
    #[must_use]
    pub fn lost(&self, photons: &[f32], radii: Radii<'_>) -> f64 {
        let mut last = (0, self.beyond(0));
        let lit = photons.iter().enumerate().filter(|(_, photons)| is_distributed(**photons));
        lit.fold(0.0, |lost, (i, &photons)| {
            let radius = radii.of(i);
            if radius != last.0 {
                last = (radius, self.beyond(radius));
            }
            lost + match (self.shape, last.1) {
                (Shape::Gauss, part) => f64::from(photons) * part,
                (Shape::Fiber, root) => f64::from(photons) * self.g_px / root,
            }
        })
    }

    /// exp(-ln 16 (r/w)^2) for gauss and sqrt(g^2 + r^2) for fiber.
    fn beyond(&self, radius: i32) -> f64 {
        match self.shape {
            Shape::Gauss => {
                let widths = f64::from(radius) / self.width_px;
                libm::exp(-(4.0 * LN_2) * (widths * widths))
            }
            // The square of the least integer has 0 in 32 bits.
            Shape::Fiber => libm::sqrt(self.g_px * self.g_px + f64::from(radius.wrapping_mul(radius))),
        }
    }

    /// Fills a row of a table: `shares` of the offsets dx = -half ... half for the dy of the row, 0 beyond the radius.
    ///
    /// **Shapes.** [`TableSize::columns`] shares. Rows from [`TableSize::rows`] on have no meaning.
    pub fn fill_row(&self, size: TableSize, row: usize, shares: &mut [f64]) {
        let dy = row as i64 - size.half_slow as i64;
        let first = -(size.half_fast as i64);
        let at = |dx: i64| match self.shape {
            Shape::Gauss => (dx as f64 / self.width_px, 1.0 / self.width_px / 2.0),
            Shape::Fiber => (dx as f64, 0.5),
        };
        let (y, half) = at(dy);
        let edge = |y: f64| (y, self.along(y));
        let (upper, lower) = (edge(y + half), edge(y - half));
        // The columns of a table have common edges for fiber; for gauss the two differ by a rounding.
        let integrals = |x: f64| {
            let x = (x, self.along(x));
            [self.integral(x, upper), self.integral(x, lower)]
        };
        let mut below = integrals(at(first).0 - half);
        for (dx, share) in (first..).zip(shares) {
            let x = at(dx).0;
            if self.shape == Shape::Gauss {
                below = integrals(x - half);
            }
            let above = integrals(x + half);
            let is_within = dx * dx + dy * dy <= size.radius_squared();
            *share = if is_within { above[0] - above[1] - below[0] + below[1] } else { 0.0 };
            below = above;
        }
    }

    /// The part of an integral that belongs to one coordinate.
    fn along(&self, x: f64) -> f64 {
        match self.shape {
            Shape::Gauss => libm::erf(x * (2.0 * libm::sqrt(LN_2))),
            Shape::Fiber => 0.0,
        }
    }

    /// I(x, y), each coordinate with its part.
    fn integral(&self, (x, along_x): (f64, f64), (y, along_y): (f64, f64)) -> f64 {
        match self.shape {
            Shape::Gauss => 0.25 * (along_x * along_y),
            Shape::Fiber => {
                let g = self.g_px;
                libm::atan((x * y) / (g * libm::sqrt(g * g + x * x + y * y))) / 2.0 / PI
            }
        }
    }
}

/// Whether a pixel's photons are distributed. Those that are NaN are.
#[inline(always)]
fn is_distributed(photons: f32) -> bool {
    photons > 0.0 || photons.is_nan()
}

/// The size of a table of shares: offsets that are within a radius and can reach a pixel of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableSize {
    radius: u32,
    fast: usize,
    slow: usize,
    half_fast: usize,
    half_slow: usize,
}

impl TableSize {
    /// The table of a radius in pixels, for images of `[fast, slow]` pixels.
    #[must_use]
    pub fn new(radius: u32, [fast, slow]: [usize; 2]) -> Self {
        let radius_px = usize::try_from(radius).unwrap_or(usize::MAX);
        Self { radius, fast, slow, half_fast: radius_px.min(fast), half_slow: radius_px.min(slow) }
    }

    /// Pixels of the image along the fast and the slow axis.
    #[must_use]
    pub fn image(&self) -> [usize; 2] {
        [self.fast, self.slow]
    }

    /// Number of shares in a row.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.half_fast.saturating_mul(2).saturating_add(1)
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.half_slow.saturating_mul(2).saturating_add(1)
    }

    /// Number of shares.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if it overflows.
    pub fn shares_len(&self) -> Result<usize, Error> {
        let len = self.columns().checked_mul(self.rows());
        len.ok_or(Error::TooLarge { quantity: "table of the point spread" })
    }

    fn radius_squared(&self) -> i64 {
        i64::from(self.radius) * i64::from(self.radius)
    }
}

/// The radii within which the photons of pixels are distributed.
#[derive(Debug, Clone, Copy)]
pub enum Radii<'a> {
    /// The same for all; below 0 nothing is distributed.
    Same(i32),
    /// One for each pixel; nothing is distributed of those below 0.
    Own(&'a [i32]),
}

impl Radii<'_> {
    fn of(&self, pixel: usize) -> i32 {
        match self {
            Self::Same(radius) => *radius,
            Self::Own(radii) => radii.get(pixel).copied().unwrap_or(-1),
        }
    }
}

/// An image whose photons are distributed.
#[derive(Debug, Clone, Copy)]
pub struct Spread<'a> {
    /// The size of the table, and of the image.
    pub size: TableSize,
    /// The table, filled by [`PointSpread::fill_row`].
    pub shares: &'a [f64],
    /// The photons of each pixel. Those that are not above 0 are not distributed.
    pub photons: &'a [f32],
    /// The radii, of which none needs to be larger than that of the table.
    pub radii: Radii<'a>,
}

impl Spread<'_> {
    /// Adds to `rows` of the result, in `out`, what they get from all pixels of the image.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] if photons, radii or `out` are not of the size of the image, or the table is not of
    /// its size; [`Error::OutsideDetector`] for rows that end outside the image.
    pub fn add_to_rows(&self, simd: Simd, rows: Range<usize>, out: &mut [f32]) -> Result<(), Error> {
        let Self { size, shares, photons, radii } = *self;
        let pixels = size.fast.checked_mul(size.slow).ok_or(Error::TooLarge { quantity: "image" })?;
        same_length("photons", photons.len(), pixels)?;
        if let Radii::Own(radii) = radii {
            same_length("radii", radii.len(), pixels)?;
        }
        same_length("table of the point spread", shares.len(), size.shares_len()?)?;
        if rows.end > size.slow {
            return Err(Error::OutsideDetector { index: rows.end, limit: size.slow });
        }
        same_length("rows", out.len(), rows.len().saturating_mul(size.fast))?;
        if rows.is_empty() {
            return Ok(());
        }
        if size.radius <= BLOCK_RADIUS as u32 {
            match radii {
                Radii::Same(_) => simd.run(Blocks::<false> { spread: *self, rows, out }),
                Radii::Own(_) => simd.run(Blocks::<true> { spread: *self, rows, out }),
            }
        } else {
            simd.run(Band { spread: *self, rows, out, widths: Widths::of(0) });
        }
        Ok(())
    }
}

/// Number of pixels of a row that are summed beside each other.
const BLOCK: usize = 64;

/// Largest radius for which pixels are summed in blocks.
const BLOCK_RADIUS: usize = 64;

/// A band of rows, whose pixels gather what they get in blocks. `OWN`: radii differ.
struct Blocks<'a, const OWN: bool> {
    spread: Spread<'a>,
    rows: Range<usize>,
    out: &'a mut [f32],
}

/// The pixels of a row that a block gets photons from.
struct Window<'w> {
    photons: &'w [f32],
    /// Where radii differ, their squares.
    squares: &'w [f32],
    /// The largest radius; below 0 where none has photons.
    reach: i32,
}

/// Room for a window.
struct Room {
    photons: [f32; BLOCK + 2 * BLOCK_RADIUS],
    squares: [f32; BLOCK + 2 * BLOCK_RADIUS],
}

impl<const OWN: bool> WithSimd for Blocks<'_, OWN> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, _: L) {
        let Self { spread, rows, out } = self;
        let TableSize { fast, .. } = spread.size;
        if fast == 0 {
            return;
        }
        let zeros = [0.0; BLOCK + 2 * BLOCK_RADIUS];
        let mut room = Room { photons: zeros, squares: zeros };
        for (y, row) in rows.zip(out.chunks_exact_mut(fast)) {
            let before = row.first().copied().unwrap_or(0.0);
            for (x, block) in (0..).step_by(BLOCK).zip(row.chunks_mut(BLOCK)) {
                spread.gather::<OWN>([x, y], &mut room, block);
            }
            if let Some(first) = row.first_mut() {
                *first = spread.first_of_row(y, before);
            }
        }
    }
}

impl Spread<'_> {
    /// Adds to a block of pixels, which begins at `[x, y]`, what they get over no edge.
    #[inline(always)]
    fn gather<const OWN: bool>(&self, [x, y]: [usize; 2], room: &mut Room, block: &mut [f32]) {
        let TableSize { slow, half_fast, half_slow, .. } = self.size;
        let mut sums = [0.0; BLOCK];
        sums.iter_mut().zip(block.iter()).for_each(|(sum, &pixel)| *sum = f64::from(pixel));
        for from in y.saturating_sub(half_slow)..y.saturating_add(half_slow + 1).min(slow) {
            let window = self.window::<OWN>(x, from, room);
            let dy = from.abs_diff(y);
            if usize::try_from(window.reach).map_or(true, |reach| reach < dy) {
                continue;
            }
            let width = half_width(window.reach, dy).min(half_fast);
            let middle = (half_slow + y - from) * self.size.columns() + half_fast;
            // From left to right, the pixels that photons come from are in the order of the image.
            for shift in 0..=2 * width {
                let share = self.shares.get(middle + width - shift).copied().unwrap_or(0.0);
                let at = half_fast - width + shift;
                let photons = window.photons.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>());
                // 0 times infinity would be NaN.
                let Some(photons) = photons.filter(|_| share != 0.0) else { continue };
                if !OWN {
                    add_share(&mut sums, photons, share);
                    continue;
                }
                let squares = window.squares.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>());
                let dx = width.abs_diff(shift);
                let square = (dx * dx + dy * dy) as f32;
                let mut within = [0.0; BLOCK];
                let pixels = photons.iter().zip(squares.unwrap_or(&[0.0; BLOCK]));
                for (within, (&photons, &radius)) in within.iter_mut().zip(pixels) {
                    *within = if radius >= square { photons } else { 0.0 };
                }
                add_share(&mut sums, &within, share);
            }
        }
        block.iter_mut().zip(sums).for_each(|(pixel, sum)| *pixel = sum as f32);
    }

    /// What the block at `x` may get from the row `from`. Most rows are it as they are; `room` is for the others.
    #[inline(always)]
    fn window<'w, const OWN: bool>(&'w self, x: usize, from: usize, room: &'w mut Room) -> Window<'w> {
        let TableSize { fast, half_fast, .. } = self.size;
        let len = BLOCK + 2 * half_fast;
        let first = x.saturating_sub(half_fast);
        let start = first + half_fast - x;
        let these = from * fast + first..from * fast + x.saturating_add(BLOCK + half_fast).min(fast);
        let pixels = self.photons.get(these.clone()).unwrap_or_default();
        if let Radii::Same(radius) = self.radii
            && pixels.len() == len
            && !pixels.iter().any(|&photons| photons < 0.0)
        {
            let is_dark = pixels.iter().all(|&photons| photons == 0.0);
            return Window { photons: pixels, squares: &[], reach: if is_dark { -1 } else { radius } };
        }
        room.photons.fill(0.0);
        let mut reach = -1;
        let places = room.photons.get_mut(start..).unwrap_or_default();
        match self.radii {
            Radii::Same(radius) => {
                for (place, &photons) in places.iter_mut().zip(pixels) {
                    if is_distributed(photons) {
                        *place = photons;
                        reach = radius;
                    }
                }
            }
            Radii::Own(radii) => {
                let radii = radii.get(these).unwrap_or_default();
                let squares = room.squares.get_mut(start..).unwrap_or_default();
                for (place, (&photons, &radius)) in places.iter_mut().zip(pixels.iter().zip(radii)) {
                    *place = if radius >= 0 && is_distributed(photons) { photons } else { 0.0 };
                }
                for (square, &radius) in squares.iter_mut().zip(radii) {
                    *square = radius as f32 * radius as f32;
                }
                for (&photons, &radius) in places.iter().zip(radii) {
                    reach = reach.max(if photons == 0.0 { -1 } else { radius });
                }
            }
        }
        Window { photons: &room.photons, squares: &room.squares, reach }
    }

    /// The first pixel of the row `y`, which also gets what leaves the row above over the right edge, added to
    /// `before`.
    fn first_of_row(&self, y: usize, before: f32) -> f32 {
        let TableSize { fast, slow, half_fast, half_slow, .. } = self.size;
        let mut pixel = before;
        let near = half_fast.saturating_add(1).min(fast);
        let rows = y.saturating_sub(half_slow.saturating_add(1))..y.saturating_add(half_slow + 1).min(slow);
        for from in rows {
            for x in (0..near).chain(near.max(fast - half_fast)..fast) {
                let i = from * fast + x;
                let photons = self.photons.get(i).copied().unwrap_or(0.0);
                let radius = self.radii.of(i);
                if radius < 0 || !is_distributed(photons) {
                    continue;
                }
                let mut add = |target: usize, dx: i64| {
                    let dy = target as i64 - from as i64;
                    let radius = i64::from(radius);
                    let fits =
                        dx.unsigned_abs() as usize <= half_fast && dy.unsigned_abs() as usize <= half_slow;
                    if !fits || dx * dx + dy * dy > radius * radius {
                        return;
                    }
                    let at = (half_slow as i64 + dy) * self.size.columns() as i64 + half_fast as i64 + dx;
                    let share = self.shares.get(at as usize).copied().unwrap_or(0.0);
                    if share != 0.0 {
                        pixel = (f64::from(pixel) + f64::from(photons) * share) as f32;
                    }
                };
                add(y, -(x as i64));
                if let Some(above) = y.checked_sub(1) {
                    add(above, (fast - x) as i64);
                }
            }
        }
        pixel
    }
}

/// Adds a share of photons, rounding the sums to f32.
#[inline(always)]
fn add_share(sums: &mut [f64; BLOCK], photons: &[f32; BLOCK], share: f64) {
    for (sum, &photons) in sums.iter_mut().zip(photons) {
        *sum = f64::from((*sum + f64::from(photons) * share) as f32);
    }
}

/// A band of rows, to which the photons of the pixels about it are added one pixel after the other: for radii that may
/// be large, but are so for few pixels.
struct Band<'a> {
    spread: Spread<'a>,
    rows: Range<usize>,
    out: &'a mut [f32],
    widths: Widths,
}

impl WithSimd for Band<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(mut self, _: L) {
        let TableSize { fast, slow, half_slow, .. } = self.spread.size;
        if fast == 0 {
            return;
        }
        // One more row above: what leaves it over the right edge arrives in the band.
        let first = self.rows.start.saturating_sub(half_slow.saturating_add(1));
        let last = self.rows.end.saturating_add(half_slow).min(slow);
        let lines = self.spread.photons.chunks(fast).enumerate().take(last).skip(first);
        for (y, line) in lines {
            for (x, &photons) in line.iter().enumerate() {
                let radius = self.spread.radii.of(y * fast + x);
                if radius < 0 || !is_distributed(photons) {
                    continue;
                }
                if radius != self.widths.radius {
                    self.widths = Widths::of(radius);
                }
                self.add_pixel([x, y], f64::from(photons));
            }
        }
    }
}

impl Band<'_> {
    /// Adds the shares of a pixel whose radius is that of `widths`.
    #[inline(always)]
    fn add_pixel(&mut self, [x, y]: [usize; 2], photons: f64) {
        let TableSize { fast, half_fast, half_slow, .. } = self.spread.size;
        let columns = self.spread.size.columns();
        let Self { spread, rows, out, widths } = self;
        let reach = (widths.radius as usize).min(half_slow);
        for target in y.saturating_sub(reach).max(rows.start)..(y + reach + 1).min(rows.end) {
            let width = widths.at(target.abs_diff(y)).min(half_fast);
            let (from, to) = (x.saturating_sub(width), (x + width + 1).min(fast));
            let table_row = (half_slow + target - y) * columns + half_fast;
            let shares = spread.shares.get(table_row + from - x..);
            let out = out.get_mut((target - rows.start) * fast + from..);
            if let (Some(out), Some(shares)) = (out, shares) {
                add_run(out, shares, to - from, photons);
            }
        }
        // The column beyond the right edge is the first one of the next row.
        let dx = fast - x;
        if dx > widths.at(0).min(half_fast) {
            return;
        }
        let next = rows.start.max(1)..rows.end;
        for target in y.saturating_sub(reach).max(next.start - 1)..(y + reach + 1).min(next.end - 1) {
            if widths.at(target.abs_diff(y)) < dx {
                continue;
            }
            let shares = spread.shares.get((half_slow + target - y) * columns + half_fast + dx..);
            let out = out.get_mut((target + 1 - rows.start) * fast..);
            if let (Some(out), Some(shares)) = (out, shares) {
                add_run(out, shares, 1, photons);
            }
        }
    }
}

/// Number of pixels that are added to at a time.
const CHUNK: usize = 8;

/// Adds the first `len` of `shares` of `photons` to the first pixels of `out`. What follows in both only saves time.
#[inline(always)]
fn add_run(out: &mut [f32], shares: &[f64], len: usize, photons: f64) {
    let mut done = 0;
    while done < len
        && photons.is_finite()
        && let Some(out) = out.get_mut(done..).and_then(|rest| rest.first_chunk_mut::<CHUNK>())
        && let Some(&shares) = shares.get(done..).and_then(|rest| rest.first_chunk::<CHUNK>())
    {
        // Copies, which cannot overlap, become vectors.
        let (mut sums, mut terms) = (*out, shares);
        let left = len - done;
        if left < CHUNK {
            // Pixels after the run get 0, which leaves them as they are.
            terms.iter_mut().zip(0..).for_each(|(term, lane)| *term = if lane < left { *term } else { 0.0 });
        }
        for (sum, term) in sums.iter_mut().zip(terms) {
            *sum = (f64::from(*sum) + photons * term) as f32;
        }
        *out = sums;
        done += CHUNK;
    }
    let (Some(out), Some(shares)) = (out.get_mut(done..), shares.get(done..)) else { return };
    // A share of 0 is left out for photons that are not finite, where 0 times them would be NaN.
    let rest = out.iter_mut().zip(shares).take(len.saturating_sub(done)).filter(|(_, share)| **share != 0.0);
    rest.for_each(|(out, &share)| *out = (f64::from(*out) + photons * share) as f32);
}

/// Number of rows whose half widths are kept.
const KEPT: usize = 64;

/// The half widths of the rows of a circle.
struct Widths {
    radius: i32,
    kept: [usize; KEPT],
}

impl Widths {
    #[inline(always)]
    fn of(radius: i32) -> Self {
        let mut kept = [0; KEPT];
        let rows = usize::try_from(radius).unwrap_or(0).saturating_add(1);
        for (dy, width) in kept.iter_mut().enumerate().take(rows) {
            *width = half_width(radius, dy);
        }
        Self { radius, kept }
    }

    /// The half width `dy` rows from the middle, which must be within the radius.
    #[inline(always)]
    fn at(&self, dy: usize) -> usize {
        self.kept.get(dy).copied().unwrap_or_else(|| half_width(self.radius, dy))
    }
}

/// The largest dx with dx^2 + dy^2 <= r^2.
#[inline(always)]
fn half_width(radius: i32, dy: usize) -> usize {
    let (radius, dy) = (i64::from(radius), dy as i64);
    // Squares of integers below 2^26 are exact, and a root that is rounded does not reach the next integer.
    libm::sqrt((radius * radius - dy * dy) as f64) as usize
}
