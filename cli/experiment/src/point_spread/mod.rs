//! The point spread of a detector, in spec: what a screen, a taper of fibers or a sensor does to the photons of a panel.
//!
//! The forms are those of [`Form`]. Without a radius the whole of it counts: a Gaussian along rows and then across them
//! ([`GaussShares`]), the others, whose tails are long, by Fourier transforms between zeros (`Fourier`). Within a radius
//! the shares are divided by their sum; small radii are summed pixel by pixel ([`Shares`]). What leaves the panel is lost.
//!
//! **Accuracy** (tests of this module). The methods agree to a millionth of the root mean square of the image.
//!
//! **Cost** on an AMD EPYC, one thread, in ns a pixel: see `benches/benches/point_spread.rs`.

mod fourier;

use core::fmt;
use core::ops::Range;

use rayon::prelude::*;
use widebragg::lanes::Simd;
use widebragg::noise::point_spread::{Form, GaussShares, Shares};
use widebragg_formats::format_g::format_g;
use widebragg_formats::memory::{reserved, zeroed};

use crate::failure::{Failure, Part, refused};
use fourier::Fourier;

/// Largest radius that is summed pixel by pixel; Fourier transforms are as fast there.
const NEAR: usize = 16;

/// Rows that a thread computes at a time.
const BAND: usize = 64;

/// A point spread, as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PointSpreadRule {
    /// Its form.
    pub form: Form,
    /// Full width at half maximum, in m.
    pub width_m: f64,
    /// Radius in pixels beyond which there is nothing; `None`: no bound. That of a Gaussian is half the edge of a square.
    pub radius_px: Option<usize>,
}

/// Such as `fiber of 80 um within 10 pixels`.
impl fmt::Display for PointSpreadRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} um", self.form.name(), format_g(self.width_m * 1e6))?;
        match self.radius_px {
            Some(radius) => write!(f, " within {radius} pixels"),
            None => Ok(()),
        }
    }
}

/// A point spread on panels of a size.
#[derive(Debug)]
pub struct PointSpread {
    size: [usize; 2],
    width_px: f64,
    simd: Simd,
    method: Method,
}

#[derive(Debug)]
enum Method {
    /// A Gaussian up to a radius.
    Gauss(usize),
    /// Pixel by pixel up to a radius.
    Near(Form, usize),
    Fourier(Fourier),
}

impl PointSpread {
    /// Prepares `rule` for panels of `[fast, slow]` pixels with an edge of `pixel_m`.
    ///
    /// # Errors
    /// A width that is not above 0 and finite, or too little memory.
    pub fn new(
        rule: PointSpreadRule,
        simd: Simd,
        pixel_m: f64,
        [fast, slow]: [usize; 2],
    ) -> Result<Self, Failure> {
        let PointSpreadRule { form, width_m, radius_px } = rule;
        let width_px = width_m / pixel_m;
        if !(width_px > 0.0 && width_px.is_finite()) {
            return Err(Failure::impossible(Part::PointSpread, "its width must be above 0"));
        }
        let method = match (form, radius_px) {
            (Form::Gauss, radius) => {
                Method::Gauss(radius.unwrap_or_else(|| GaussShares::whole_radius(width_px)))
            }
            (form, Some(radius)) if radius <= NEAR => Method::Near(form, radius),
            (form, radius) => Method::Fourier(Fourier::new(form, width_px, radius, [fast, slow])?),
        };
        Ok(Self { size: [fast, slow], width_px, simd, method })
    }

    /// Spreads the photons of a panel, slow-major, on the threads of the current pool. Pixels that are not finite keep
    /// what they have, and give nothing to others.
    ///
    /// # Errors
    /// Another number of pixels, or too little memory.
    pub fn spread(&self, photons: &mut [f32]) -> Result<(), Failure> {
        let [fast, slow] = self.size;
        if photons.len() != fast * slow {
            return Err(Failure::impossible(
                Part::PointSpread,
                "an image of another size than the point spread is for",
            ));
        }
        let mut before = reserved(photons.len()).ok_or_else(no_memory)?;
        before.extend(photons.iter().map(|&pixel| if pixel.is_finite() { pixel } else { 0.0 }));
        let is_whole = before.iter().zip(&*photons).all(|(before, pixel)| before == pixel);
        let kept: Vec<(usize, f32)> = match is_whole {
            true => Vec::new(),
            false => photons.iter().copied().enumerate().filter(|(_, pixel)| !pixel.is_finite()).collect(),
        };
        match &self.method {
            Method::Gauss(radius) => {
                let mut room = zeroed(radius.saturating_add(1)).ok_or_else(no_memory)?;
                let shares =
                    GaussShares::fill(self.width_px, &mut room).map_err(refused(Part::PointSpread))?;
                in_bands(fast, shares.scratch_len(fast), photons, |rows, scratch, out| {
                    shares.spread_rows(self.simd, self.size, &before, rows, scratch, out)
                })?;
            }
            Method::Near(form, radius) => {
                let mut room = zeroed(Shares::room_len(*radius)).ok_or_else(no_memory)?;
                let shares = Shares::fill(*form, self.width_px, *radius, &mut room)
                    .map_err(refused(Part::PointSpread))?;
                in_bands(fast, shares.scratch_len(fast), photons, |rows, scratch, out| {
                    shares.spread_rows(self.simd, self.size, &before, rows, scratch, out)
                })?;
            }
            Method::Fourier(fourier) => fourier.spread(&before, photons)?,
        }
        kept.into_iter().for_each(|(at, pixel)| photons[at] = pixel);
        Ok(())
    }
}

fn no_memory() -> Failure {
    Failure::no_memory(Part::PointSpread, "a point spread")
}

/// Fills bands of rows on all threads, each of which has scratch of a length.
fn in_bands(
    fast: usize,
    scratch_len: usize,
    out: &mut [f32],
    fill: impl Fn(Range<usize>, &mut [f64], &mut [f32]) -> Result<(), widebragg::Error> + Sync,
) -> Result<(), Failure> {
    let bands = out.par_chunks_mut(BAND * fast.max(1)).enumerate();
    bands.try_for_each_init(
        || zeroed::<f64>(scratch_len),
        |scratch, (band, out)| {
            let scratch = scratch.as_mut().ok_or_else(no_memory)?;
            let first = band * BAND;
            fill(first..first + out.len() / fast.max(1), scratch, out).map_err(refused(Part::PointSpread))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: [usize; 2] = [90, 70];

    /// Photons with bright pixels in corners and in the middle.
    fn photons() -> Vec<f32> {
        let [fast, slow] = SIZE;
        let mut photons: Vec<f32> = (0..fast * slow).map(|at| ((at * 7919) % 23) as f32).collect();
        for at in [0, fast - 1, fast * (slow - 1), fast * slow - 1, fast * slow / 2 + 31] {
            photons[at] = 5000.0;
        }
        photons
    }

    fn spread(rule: PointSpreadRule, photons: &[f32]) -> Vec<f32> {
        let mut spread = photons.to_vec();
        let point_spread = PointSpread::new(rule, Simd::detect(), 1e-4, SIZE).expect("a point spread");
        point_spread.spread(&mut spread).expect("an image");
        spread
    }

    /// Each pixel's share summed one by one.
    fn one_by_one(rule: PointSpreadRule, photons: &[f32]) -> Vec<f64> {
        let [fast, slow] = SIZE;
        let width_px = rule.width_m / 1e-4;
        let within = |dx: usize, dy: usize| match (rule.form, rule.radius_px) {
            (_, None) => true,
            (Form::Gauss, Some(radius)) => dx <= radius && dy <= radius,
            (_, Some(radius)) => dx * dx + dy * dy <= radius * radius,
        };
        let share =
            |dx: usize, dy: usize| if within(dx, dy) { rule.form.share(width_px, [dx, dy]) } else { 0.0 };
        let total = rule.radius_px.map_or(1.0, |radius| {
            let sides = |d: usize| if d == 0 { 1.0 } else { 2.0 };
            let row = |dy: usize| (0..=radius).map(move |dx| sides(dx) * sides(dy) * share(dx, dy));
            (0..=radius).flat_map(row).sum()
        });
        let mut shares = vec![0.0; fast * slow];
        for (at, to) in shares.iter_mut().enumerate() {
            *to = share(at % fast, at / fast) / total;
        }
        let pixel = |at: usize| -> f64 {
            let (x, y) = (at % fast, at / fast);
            let from = |(other, &photons): (usize, &f32)| {
                let (dx, dy) = ((other % fast).abs_diff(x), (other / fast).abs_diff(y));
                f64::from(photons) * shares[dy * fast + dx]
            };
            photons.iter().enumerate().map(from).sum()
        };
        (0..fast * slow).map(pixel).collect()
    }

    #[test]
    fn every_method_gives_the_sum_over_shares() {
        let photons = photons();
        let square: f64 = photons.iter().map(|&pixel| f64::from(pixel).powi(2)).sum();
        let rms = (square / photons.len() as f64).sqrt();
        for form in Form::ALL {
            for (width_m, radius_px) in [
                (0.8e-4, None),
                (2.5e-4, None),
                (0.8e-4, Some(0)),
                (0.8e-4, Some(5)),
                (1.5e-4, Some(16)),
                (1e-4, Some(40)),
            ] {
                let rule = PointSpreadRule { form, width_m, radius_px };
                let found = spread(rule, &photons);
                for (at, (found, expected)) in found.iter().zip(one_by_one(rule, &photons)).enumerate() {
                    let error = (f64::from(*found) - expected).abs();
                    // f32 keeps 24 bits of a pixel.
                    assert!(error <= 1e-6 * rms + 1e-7 * expected, "{rule:?} {at}: {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn pixels_that_are_not_finite_stay_alone() {
        for radius_px in [Some(3), None] {
            let rule = PointSpreadRule { form: Form::Fiber, width_m: 1e-4, radius_px };
            let mut photons = photons();
            photons[100] = 0.0;
            let without = spread(rule, &photons);
            for odd in [f32::NAN, f32::INFINITY] {
                photons[100] = odd;
                let with = spread(rule, &photons);
                assert_eq!(with[100].to_bits(), odd.to_bits());
                assert!((0..with.len()).all(|at| at == 100 || with[at] == without[at]));
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for width_m in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let rule = PointSpreadRule { form: Form::Gauss, width_m, radius_px: None };
            let error = PointSpread::new(rule, Simd::detect(), 1e-4, SIZE).expect_err("no width").to_string();
            assert_eq!(error, "point spread: its width must be above 0");
        }
        let rule = PointSpreadRule { form: Form::Gauss, width_m: 1e-4, radius_px: Some(2) };
        let spread = PointSpread::new(rule, Simd::detect(), 1e-4, SIZE).expect("a point spread");
        assert!(spread.spread(&mut [0.0; 7]).is_err());
    }
}
