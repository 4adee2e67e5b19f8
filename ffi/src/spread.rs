//! Point spreads of a detector, in spec, over the caller's images.

use widebragg::lanes::Simd;
use widebragg::noise::point_spread::{Form, GaussShares, Shares};

use crate::enums::chosen;
use crate::level::simd;
use crate::memory::{Input, Output, disjoint, fill_with, filled};
use crate::status::{Failure, status};

/// A Gaussian within a circle.
pub const WB_SPREAD_GAUSS: i32 = 0;
/// That of a taper of optical fibers, within a circle.
pub const WB_SPREAD_FIBER: i32 = 1;
/// A Moffat profile of exponent 5/2, within a circle.
pub const WB_SPREAD_MOFFAT: i32 = 2;
/// A Gaussian in a square, along the rows and then across them.
pub const WB_SPREAD_GAUSS_SQUARE: i32 = 3;

/// A point spread, and the image that it spreads.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_spread {
    /// A `WB_SPREAD_` form.
    pub form: i32,
    /// A `WB_SIMD_` limit of the instruction set.
    pub simd: i32,
    /// Full width at half maximum, in pixels.
    pub width_px: f64,
    /// Radius in pixels beyond which there is nothing: that of a circle, or half the edge of a square.
    pub radius_px: usize,
    /// Pixels of the image along the fast axis.
    pub fast_pixels: usize,
    /// Pixels of the image along the slow axis.
    pub slow_pixels: usize,
}

/// How a point spread is computed.
#[derive(Clone, Copy)]
enum Method {
    /// Pixel by pixel.
    Gather(Form),
    /// Along the rows and then across them.
    Separable,
}

/// `WB_SPREAD_GAUSS` to `WB_SPREAD_GAUSS_SQUARE`.
const METHODS: [Method; 4] = [
    Method::Gather(Form::Gauss),
    Method::Gather(Form::Fiber),
    Method::Gather(Form::Moffat),
    Method::Separable,
];

// A form that the kernel gains needs a code.
const _: () = assert!(METHODS.len() == Form::ALL.len() + 1);

impl wb_spread {
    fn method(&self) -> Result<Method, Failure> {
        chosen("form", self.form, &METHODS)
    }

    fn shares_len(&self) -> Result<usize, Failure> {
        Ok(match self.method()? {
            Method::Gather(_) => Shares::room_len(self.radius_px),
            Method::Separable => self.radius_px.saturating_add(1),
        })
    }

    fn scratch_len(&self) -> Result<usize, Failure> {
        Ok(match self.method()? {
            Method::Gather(_) => Shares::scratch_len_within(self.radius_px, self.fast_pixels),
            Method::Separable => GaussShares::scratch_len_within(self.radius_px, self.fast_pixels),
        })
    }

    fn fill(&self, shares: &mut [f64]) -> Result<(), widebragg::Error> {
        match self.method() {
            Ok(Method::Gather(form)) => Shares::fill(form, self.width_px, self.radius_px, shares).map(|_| ()),
            _ => GaussShares::fill(self.width_px, shares).map(|_| ()),
        }
    }
}

/// The point spread at `spread`.
///
/// # Safety
/// `spread` is NULL or points to an initialised `wb_spread`, which no other thread writes during the call.
unsafe fn read(spread: &Input<wb_spread>) -> Result<(wb_spread, Simd), Failure> {
    // SAFETY: `spread` is not NULL, so the caller guarantees an initialised `wb_spread` there, which no other thread writes.
    let spread = unsafe { spread.read() };
    spread.method()?;
    let simd = simd(spread.simd)?;
    Ok((spread, simd))
}

/// Sets `radius_px` to the radius beyond which a Gaussian of this width has less than 1e-10 of its light.
///
/// # Safety
/// `radius_px` is NULL or points to room for a `usize`, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_spread_whole_radius(width_px: f64, radius_px: *mut usize) -> i32 {
    let ask = || {
        let radius = Output::one(radius_px, "radius_px")?;
        // Wider ones would not fit any image.
        if !(width_px > 0.0 && width_px <= 1e6) {
            return Err(Failure::range("width_px", width_px, "above 0, up to 1e6"));
        }
        // SAFETY: `radius_px` is not NULL, so the caller guarantees room for a `usize` there, which no other thread accesses.
        unsafe { radius.write(GaussShares::whole_radius(width_px)) };
        Ok(())
    };
    status(ask())
}

/// Sets the lengths of the arrays that [`wb_spread_shares`] and [`wb_spread_rows`] need.
///
/// # Safety
/// No other thread writes the point spread or accesses the outputs during the call.
/// * `spread` is NULL or points to an initialised `wb_spread`.
/// * Each of `shares_len` and `scratch_len` is NULL or points to room for a `usize`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_spread_size(
    spread: *const wb_spread,
    shares_len: *mut usize,
    scratch_len: *mut usize,
) -> i32 {
    let ask = || {
        let shares_len = Output::one(shares_len, "shares_len")?;
        let scratch_len = Output::one(scratch_len, "scratch_len")?;
        let spread = Input::one(spread, "spread")?;
        disjoint(&[shares_len.region(), scratch_len.region()], &[spread.region()])?;
        // SAFETY: this function requires of `spread` what `read` requires.
        let (spread, _) = unsafe { read(&spread) }?;
        let lengths = (spread.shares_len()?, spread.scratch_len()?);
        // SAFETY: `shares_len` is not NULL, so the caller guarantees room for a `usize` there, which no other thread accesses.
        unsafe { shares_len.write(lengths.0) };
        // SAFETY: as for `shares_len`, which it does not overlap.
        unsafe { scratch_len.write(lengths.1) };
        Ok(())
    };
    status(ask())
}

/// Fills the shares of a point spread, which are together 1. They depend on form, width and radius alone.
///
/// # Safety
/// No other thread writes the point spread or accesses the shares during the call.
/// * `spread` is NULL or points to an initialised `wb_spread`.
/// * `shares` is NULL or points to room for `len` `f64`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_spread_shares(spread: *const wb_spread, shares: *mut f64, len: usize) -> i32 {
    let fill = || {
        let spread = Input::one(spread, "spread")?;
        // SAFETY: this function requires of `spread` what `read` requires.
        let (kernel, _) = unsafe { read(&spread) }?;
        let needed = kernel.shares_len()?;
        if len < needed {
            return Err(Failure::length("shares", needed, len));
        }
        let shares = Output::array(shares, needed, "shares")?;
        disjoint(&[shares.region()], &[spread.region()])?;
        // SAFETY: `shares` is not NULL, so the caller guarantees room for `len` numbers there, of which these are the first;
        // no other thread accesses them, and the point spread does not overlap them.
        let shares = unsafe { shares.uninit() };
        fill_with(shares, 0.0, |shares| kernel.fill(shares))
    };
    status(fill())
}

/// Fills `rows` rows from `first_row` on of the image that spreads `photons`, which has `len` pixels, into `out`, which has room
/// for `out_len`.
///
/// # Safety
/// No other thread writes the inputs or accesses scratch and output during the call.
/// * `spread` is NULL or points to an initialised `wb_spread`.
/// * `shares` is NULL or points to `shares_len` initialised `f64`.
/// * `photons` is NULL or points to `len` initialised `f32`.
/// * `scratch` is NULL or points to room for `scratch_len` `f64`.
/// * `out` is NULL or points to room for `out_len` `f32`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "the C prototype has as many")]
pub unsafe extern "C" fn wb_spread_rows(
    spread: *const wb_spread,
    shares: *const f64,
    shares_len: usize,
    photons: *const f32,
    len: usize,
    first_row: usize,
    rows: usize,
    scratch: *mut f64,
    scratch_len: usize,
    out: *mut f32,
    out_len: usize,
) -> i32 {
    let run = || {
        let spread = Input::one(spread, "spread")?;
        // SAFETY: this function requires of `spread` what `read` requires.
        let (kernel, simd) = unsafe { read(&spread) }?;
        let wb_spread { radius_px, fast_pixels, slow_pixels, .. } = kernel;
        let pixels = fast_pixels.saturating_mul(slow_pixels);
        let needed = [kernel.shares_len()?, pixels, kernel.scratch_len()?, rows.saturating_mul(fast_pixels)];
        let given = [shares_len, len, scratch_len, out_len];
        let names = ["shares", "photons", "scratch", "out"];
        for ((needed, given), name) in needed.into_iter().zip(given).zip(names) {
            if given < needed {
                return Err(Failure::length(name, needed, given));
            }
        }
        let [needed_shares, _, needed_scratch, needed_out] = needed;
        let shares = Input::array(shares, needed_shares, "shares")?;
        let photons = Input::array(photons, pixels, "photons")?;
        let scratch = Output::array(scratch, needed_scratch, "scratch")?;
        let out = Output::array(out, needed_out, "out")?;
        let written = [scratch.region(), out.region()];
        disjoint(&written, &[spread.region(), shares.region(), photons.region()])?;
        // SAFETY: `shares` is not NULL, so the caller guarantees `shares_len` initialised numbers there, of which these are the
        // first; no other thread writes them, and no output overlaps them.
        let shares = unsafe { shares.slice() };
        // SAFETY: as for `shares`, with the `len` pixels at `photons`.
        let photons = unsafe { photons.slice() };
        // SAFETY: `scratch` is not NULL, so the caller guarantees room for `scratch_len` numbers there, of which these are the
        // first; no other thread accesses them, and neither an input nor `out` overlaps them.
        let scratch = filled(unsafe { scratch.uninit() }, 0.0);
        // SAFETY: as for `scratch`, with the room for `out_len` pixels at `out`.
        let out = unsafe { out.uninit() };
        let (size, rows) = ([fast_pixels, slow_pixels], first_row..first_row.saturating_add(rows));
        match kernel.method()? {
            Method::Gather(_) => {
                let shares = Shares::filled(radius_px, shares)?;
                fill_with(out, 0.0, |out| shares.spread_rows(simd, size, photons, rows.clone(), scratch, out))
            }
            Method::Separable => {
                let shares = GaussShares::filled(shares)?;
                fill_with(out, 0.0, |out| shares.spread_rows(simd, size, photons, rows.clone(), scratch, out))
            }
        }
    };
    status(run())
}
