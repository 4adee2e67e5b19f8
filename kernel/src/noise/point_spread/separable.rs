//! A Gaussian point spread in spec, along the rows and then across them.

use core::ops::Range;

use super::form::along;
use super::gather::{check_rows, row_of};
use crate::Error;
use crate::arrays::same_length;
use crate::error::require;
use crate::lanes::{BaseLevel, Lanes, Level, Simd, WithSimd};
use crate::render::PixelValue;

/// Room behind rows for the lanes of the widest vectors.
const PADDING: usize = 16;

/// Widths beyond which a Gaussian has less than 1e-10 of its light.
const WHOLE: f64 = 3.0;

/// The shares of a Gaussian along one axis up to a radius; together they are 1. The pixels of the result are those of
/// [`Shares`](super::Shares), but in a square instead of a circle: |dx| <= r and |dy| <= r.
///
/// **Cost.** 2 (r + 1) products a pixel; scratch 2 r + 2 rows.
///
/// ```
/// use widebragg::lanes::Simd;
/// use widebragg::noise::point_spread::GaussShares;
///
/// let radius = GaussShares::whole_radius(1.5);
/// let mut room = vec![0.0; radius + 1];
/// let shares = GaussShares::fill(1.5, &mut room)?;
/// let mut photons = vec![0f32; 32 * 20];
/// photons[0] = 1000.0; // in a corner, so that light is lost
/// let mut spread = vec![0f32; 32 * 20];
/// let mut scratch = vec![0.0; shares.scratch_len(32)];
/// shares.spread_rows(Simd::detect(), [32, 20], &photons, 0..20, &mut scratch, &mut spread)?;
/// // Of the light along each axis 57 % stay in the pixel, and half of the rest is lost over the edge: (1.57/2)^2 is kept.
/// assert!(spread[0] > spread[1] && (610.0..620.0).contains(&spread.iter().sum::<f32>()));
/// # Ok::<(), widebragg::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaussShares<'t> {
    /// Those of 0, 1 ... r pixels away.
    half: &'t [f64],
}

impl<'t> GaussShares<'t> {
    /// The radius in pixels beyond which a Gaussian of a full width at half maximum has less than 1e-10 of its light.
    #[must_use]
    pub fn whole_radius(width_px: f64) -> usize {
        libm::ceil(WHOLE * width_px) as usize + 1
    }

    /// Fills the shares of a full width at half maximum in pixels, up to the radius `room.len()` - 1.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a width that is not above 0 and finite, [`Error::BufferTooShort`] without room.
    pub fn fill(width_px: f64, room: &'t mut [f64]) -> Result<Self, Error> {
        require(width_px > 0.0, "width of the point spread in pixels", width_px, "above 0 and finite")?;
        if room.is_empty() {
            return Err(Self::NO_ROOM);
        }
        let mut total = 0.0;
        for (d, share) in room.iter_mut().enumerate() {
            *share = along(width_px, d as f64 + 0.5) - along(width_px, d as f64 - 0.5);
            total += *share * if d == 0 { 1.0 } else { 2.0 };
        }
        room.iter_mut().for_each(|share| *share /= total);
        Ok(Self { half: room })
    }

    /// The shares that [`GaussShares::fill`] left in `room`.
    ///
    /// # Errors
    /// [`Error::BufferTooShort`] without room.
    pub fn filled(room: &'t [f64]) -> Result<Self, Error> {
        if room.is_empty() { Err(Self::NO_ROOM) } else { Ok(Self { half: room }) }
    }

    const NO_ROOM: Error = Error::BufferTooShort { buffer: "shares", needed: 1, given: 0 };

    const fn radius(&self) -> usize {
        self.half.len().saturating_sub(1)
    }

    /// Length of the scratch buffer for rows of `fast` pixels.
    #[must_use]
    pub const fn scratch_len(&self, fast: usize) -> usize {
        Self::scratch_len_within(self.radius(), fast)
    }

    /// Length of the scratch buffer of shares up to a radius.
    #[must_use]
    pub const fn scratch_len_within(radius: usize, fast: usize) -> usize {
        let rows = radius.saturating_mul(2).saturating_add(1);
        let input = fast.saturating_add(PADDING).saturating_add(radius.saturating_mul(2));
        fast.saturating_add(PADDING).saturating_mul(rows).saturating_add(input)
    }

    /// Fills `rows` of the result, in `out`, with what they get from all pixels of an image of `[fast, slow]` pixels.
    ///
    /// **Shapes.** `photons` is slow-major; `scratch` has [`GaussShares::scratch_len`] elements, which may be anything.
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
        let (input, spread) = scratch
            .split_at_mut_checked(fast + 2 * self.radius() + PADDING)
            .ok_or(Error::TooLarge { quantity: "image" })?;
        input.fill(0.0);
        simd.run(Passes { half: self.half, fast, slow, photons, rows, input, spread, out });
        Ok(())
    }
}

/// The passes along and across the rows of a band.
struct Passes<'a, P> {
    half: &'a [f64],
    fast: usize,
    slow: usize,
    photons: &'a [P],
    rows: Range<usize>,
    /// A row between `radius` zeros and at least as many behind it.
    input: &'a mut [f64],
    /// 2 r + 1 rows that are spread along themselves, row y at the place y modulo their number.
    spread: &'a mut [f64],
    out: &'a mut [P],
}

impl<P: PixelValue + Into<f64>> WithSimd for Passes<'_, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) {
        let Self { half, fast, slow, photons, rows, input, spread, out } = self;
        let radius = half.len().saturating_sub(1);
        let (places, length) = (2 * radius + 1, fast + PADDING);
        if fast == 0 {
            return;
        }
        let mut next = rows.start.saturating_sub(radius);
        for (y, row) in rows.zip(out.chunks_exact_mut(fast)) {
            while next < slow && next <= y + radius {
                let middle = input.get_mut(radius..radius + fast).unwrap_or_default();
                let pixels = row_of(photons, fast, Some(next));
                middle.iter_mut().zip(pixels).for_each(|(to, &pixel)| *to = pixel.into());
                let place = next % places * length;
                along_row(level, half, input, spread.get_mut(place..place + length).unwrap_or_default());
                next += 1;
            }
            let of_row = |row: Option<usize>| {
                let place = row.filter(|&row| row < slow).map(|row| row % places * length);
                place.and_then(|place| spread.get(place..place + length)).unwrap_or(&[])
            };
            across_rows(level, half, &|d| [y.checked_sub(d), y.checked_add(d)].map(of_row), row);
        }
    }
}

/// Spreads a row along itself; pixel 0 of `input` is at the radius.
#[inline(always)]
fn along_row<L: Level>(level: L, half: &[f64], input: &[f64], out: &mut [f64]) {
    let radius = half.len().saturating_sub(1);
    for (vector, to) in out.chunks_exact_mut(L::F::LEN).enumerate() {
        let at = radius + vector * L::F::LEN;
        let pixels = |at: usize| level.load(input.get(at..).unwrap_or_default(), 0.0);
        let mut sum = level.splat(0.0);
        for (d, &share) in half.iter().enumerate() {
            let both = if d == 0 { pixels(at) } else { pixels(at - d) + pixels(at + d) };
            sum = both.mul_add(level.splat(share), sum);
        }
        sum.store(to);
    }
}

/// The sum of the rows above and below, which are empty where there are none.
#[inline(always)]
fn across_rows<'r, L: Level, P: PixelValue>(
    level: L,
    half: &[f64],
    rows: &impl Fn(usize) -> [&'r [f64]; 2],
    out: &mut [P],
) {
    for (vector, to) in out.chunks_mut(L::F::LEN).enumerate() {
        let at = vector * L::F::LEN;
        let pixels = |row: &[f64]| level.load(row.get(at..).unwrap_or_default(), 0.0);
        let mut sum = level.splat(0.0);
        for (d, &share) in half.iter().enumerate() {
            let [above, below] = rows(d);
            let both = if d == 0 { pixels(above) } else { pixels(above) + pixels(below) };
            sum = both.mul_add(level.splat(share), sum);
        }
        P::store(sum, to);
    }
}
