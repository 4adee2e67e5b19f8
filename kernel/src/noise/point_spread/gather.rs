//! The point spread of spec within a radius, each pixel gathering what it gets.

use core::ops::Range;

use super::Form;
use crate::Error;
use crate::arrays::same_length;
use crate::error::require;
use crate::lanes::{BaseLevel, Lanes, Level, Simd, WithSimd};
use crate::render::PixelValue;

/// Vectors that are summed at a time.
const VECTORS: usize = 8;

/// Room behind rows for the lanes of the widest vectors.
const PADDING: usize = 8 * VECTORS;

/// Largest radius, in pixels: that of panels of a million pixels along an edge.
const LARGEST_RADIUS: usize = 1 << 20;

/// The shares of the pixels within a radius, dx^2 + dy^2 <= r^2; together they are 1.
///
/// What the point spread has beyond the radius is shared out among these pixels. Light that leaves the image is lost.
///
/// **Method.** The rows at the same distance above and below a row have the same shares. They are added before they are
/// multiplied, which halves the number of products. Sums are f64.
///
/// **Cost.** A row takes r^2 pi/2 products a pixel; shares (r + 1)^2 numbers, scratch two rows.
///
/// ```
/// use widebragg::lanes::Simd;
/// use widebragg::noise::point_spread::{Form, Shares};
///
/// let mut room = [0.0; Shares::room_len(10)];
/// let shares = Shares::fill(Form::Fiber, 0.8, 10, &mut room)?;
/// let mut photons = vec![0f32; 64 * 48];
/// photons[24 * 64 + 32] = 1000.0;
/// let mut spread = vec![0f32; 64 * 48];
/// let mut scratch = vec![0.0; shares.scratch_len(64)];
/// shares.spread_rows(Simd::detect(), [64, 48], &photons, 0..48, &mut scratch, &mut spread)?;
/// assert!((spread.iter().sum::<f32>() - 1000.0).abs() < 1e-2);
/// # Ok::<(), widebragg::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares<'t> {
    radius: usize,
    /// A quarter: row dy, column dx.
    quarter: &'t [f64],
}

impl<'t> Shares<'t> {
    /// Length of the buffer for the shares within a radius.
    #[must_use]
    pub const fn room_len(radius: usize) -> usize {
        radius.saturating_add(1).saturating_mul(radius.saturating_add(1))
    }

    /// Fills the shares of a form with a full width at half maximum and a radius in pixels.
    ///
    /// **Shapes.** `room` has [`Shares::room_len`] elements.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a width that is not above 0 and finite, or a radius beyond a million;
    /// [`Error::BufferTooShort`] for another length.
    pub fn fill(form: Form, width_px: f64, radius: usize, room: &'t mut [f64]) -> Result<Self, Error> {
        require(width_px > 0.0, "width of the point spread in pixels", width_px, "above 0 and finite")?;
        check_room(radius, room.len())?;
        let mut total = 0.0;
        for (dy, row) in room.chunks_exact_mut(radius + 1).enumerate() {
            for (dx, share) in row.iter_mut().enumerate() {
                let is_within = dx * dx + dy * dy <= radius * radius;
                *share = if is_within { form.share(width_px, [dx, dy]) } else { 0.0 };
                total += *share * if dx == 0 { 1.0 } else { 2.0 } * if dy == 0 { 1.0 } else { 2.0 };
            }
        }
        room.iter_mut().for_each(|share| *share /= total);
        Ok(Self { radius, quarter: room })
    }

    /// The shares that [`Shares::fill`] left in `room`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a radius beyond a million, [`Error::BufferTooShort`] for another length.
    pub fn filled(radius: usize, room: &'t [f64]) -> Result<Self, Error> {
        check_room(radius, room.len())?;
        Ok(Self { radius, quarter: room })
    }

    /// Length of the scratch buffer for rows of `fast` pixels.
    #[must_use]
    pub const fn scratch_len(&self, fast: usize) -> usize {
        Self::scratch_len_within(self.radius, fast)
    }

    /// Length of the scratch buffer of shares within a radius.
    #[must_use]
    pub const fn scratch_len_within(radius: usize, fast: usize) -> usize {
        let row = fast.saturating_add(PADDING);
        row.saturating_mul(2).saturating_add(radius.saturating_mul(2))
    }

    /// Fills `rows` of the result, in `out`, with what they get from all pixels of an image of `[fast, slow]` pixels.
    ///
    /// **Shapes.** `photons` is slow-major; `scratch` has [`Shares::scratch_len`] elements, which may be anything.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] for other lengths, [`Error::OutsideDetector`] for rows that the image does not have.
    pub fn spread_rows<P: PixelValue + Into<f64>>(
        &self,
        simd: Simd,
        [fast, slow]: [usize; 2],
        photons: &[P],
        rows: Range<usize>,
        scratch: &mut [f64],
        out: &mut [P],
    ) -> Result<(), Error> {
        check_rows([fast, slow], photons.len(), &rows, out.len())?;
        same_length("scratch", scratch.len(), self.scratch_len(fast))?;
        let (folded, sums) = scratch
            .split_at_mut_checked(fast + 2 * self.radius + PADDING)
            .ok_or(Error::TooLarge { quantity: "image" })?;
        folded.fill(0.0);
        simd.run(Gather { shares: *self, fast, slow, photons, first: rows.start, folded, sums, out });
        Ok(())
    }
}

/// Checks the length of the shares within a radius.
fn check_room(radius: usize, len: usize) -> Result<(), Error> {
    let is_possible = radius <= LARGEST_RADIUS;
    require(is_possible, "radius of the point spread in pixels", radius as f64, "at most 1048576")?;
    same_length("shares", len, Shares::room_len(radius))
}

/// Checks an image and the rows of it that are to be filled.
pub(super) fn check_rows(
    [fast, slow]: [usize; 2],
    photons: usize,
    rows: &Range<usize>,
    out: usize,
) -> Result<(), Error> {
    let pixels = fast.checked_mul(slow).ok_or(Error::TooLarge { quantity: "image" })?;
    same_length("photons", photons, pixels)?;
    if rows.end > slow {
        return Err(Error::OutsideDetector { index: rows.end.saturating_sub(1), limit: slow });
    }
    same_length("rows", out, rows.len().saturating_mul(fast))
}

/// The pixels of a row of an image; none where the image has no such row.
pub(super) fn row_of<P>(photons: &[P], fast: usize, row: Option<usize>) -> &[P] {
    let start = row.and_then(|row| row.checked_mul(fast));
    start.and_then(|start| photons.get(start..start.checked_add(fast)?)).unwrap_or(&[])
}

/// Rows that gather what they get.
struct Gather<'a, P> {
    shares: Shares<'a>,
    fast: usize,
    slow: usize,
    photons: &'a [P],
    first: usize,
    /// A sum of two rows, between `radius` zeros and at least as many behind it.
    folded: &'a mut [f64],
    sums: &'a mut [f64],
    out: &'a mut [P],
}

impl<P: PixelValue + Into<f64>> WithSimd for Gather<'_, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let Self { shares: Shares { radius, quarter }, fast, slow, photons, first, folded, sums, out } = self;
        if fast == 0 {
            return;
        }
        for (y, row) in (first..).zip(out.chunks_exact_mut(fast)) {
            sums.fill(0.0);
            // The compiler does not know that a radius has an upper bound.
            for (dy, shares) in quarter.chunks_exact(radius.saturating_add(1).max(1)).enumerate() {
                let above = y.checked_sub(dy).filter(|_| dy > 0);
                let below = y.checked_add(dy).filter(|&row| row < slow);
                if above.is_none() && below.is_none() {
                    break;
                }
                let (above, below) = (row_of(photons, fast, above), row_of(photons, fast, below));
                let middle = folded.get_mut(radius..radius + fast).unwrap_or_default();
                fold(above, below, middle);
                let width = shares.iter().rposition(|&share| share != 0.0).map_or(0, |last| last + 1);
                let shares = shares.get(..width).unwrap_or_default();
                add_row(level, shares, radius, folded, fast, sums);
            }
            for (pixel, &sum) in row.iter_mut().zip(&*sums) {
                *pixel = P::from_f64(sum);
            }
        }
    }
}

/// The sum of two rows, either of which may be empty.
#[inline(always)]
fn fold<P: PixelValue + Into<f64>>(above: &[P], below: &[P], sum: &mut [f64]) {
    match (above, below) {
        (one, []) | ([], one) => sum.iter_mut().zip(one).for_each(|(sum, &one)| *sum = one.into()),
        _ => {
            for ((sum, &one), &other) in sum.iter_mut().zip(above).zip(below) {
                *sum = one.into() + other.into();
            }
        }
    }
}

/// Adds what the pixels of a row get from `folded`, whose pixel 0 is at `radius`; `shares` are those of dx = 0, 1 ...
#[inline(always)]
fn add_row<L: Level>(level: L, shares: &[f64], radius: usize, folded: &[f64], fast: usize, sums: &mut [f64]) {
    let block = VECTORS * L::F::LEN;
    for x in (0..fast).step_by(block) {
        let mut of_block = [level.splat(0.0); VECTORS];
        let at = radius + x;
        for (dx, &share) in shares.iter().enumerate() {
            let share = level.splat(share);
            let right = folded.get(at + dx..at + dx + block).unwrap_or_default();
            if dx == 0 {
                for (sum, pixels) in of_block.iter_mut().zip(right.chunks_exact(L::F::LEN)) {
                    *sum = share.mul_add(level.load(pixels, 0.0), *sum);
                }
                continue;
            }
            let left = folded.get(at - dx..at - dx + block).unwrap_or_default();
            let pairs = right.chunks_exact(L::F::LEN).zip(left.chunks_exact(L::F::LEN));
            for (sum, (right, left)) in of_block.iter_mut().zip(pairs) {
                let both = level.load(right, 0.0) + level.load(left, 0.0);
                *sum = share.mul_add(both, *sum);
            }
        }
        let of_row = sums.get_mut(x..x + block).unwrap_or_default();
        for (sum, to) in of_block.iter().zip(of_row.chunks_exact_mut(L::F::LEN)) {
            (*sum + level.load(to, 0.0)).store(to);
        }
    }
}
