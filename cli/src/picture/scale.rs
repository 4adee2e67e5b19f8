//! Colours of pixel values: perceptually uniform maps on an asinh scale, which is linear near zero and
//! logarithmic above.
//!
//! Sequential: position = asinh((v - bottom) / soft) / asinh((top - bottom) / soft), from inferno, dark to
//! light. Diverging: position = 1/2 + asinh(v / soft) / asinh(top / soft) / 2, from blue over white to red.
//! Bragg spots are few, and up to a million times as bright as the background, so `soft` is chosen near the
//! background to keep both visible.
//! Special case: pixels that are not finite are green, a colour that neither map has.

use colorous::{Color, Gradient, INFERNO, RED_BLUE};

/// The colour of pixels that are not finite.
pub(super) const NOT_FINITE: [u8; 3] = [0, 200, 83];

/// Number of colours of a map.
const STEPS: usize = 1024;

/// A mark on a colour bar: its position from 0 to 1, and its value.
pub(super) type Mark = (f64, f64);

/// A scale with its colours.
#[derive(Debug, Clone)]
pub struct Scale {
    bottom: f64,
    top: f64,
    soft: f64,
    is_diverging: bool,
    colours: Vec<[u8; 3]>,
    /// The smallest pixel of each colour but the first.
    limits: Vec<f32>,
}

impl Scale {
    /// From dark at `bottom` to light at `top`; the scale is logarithmic from about `soft` above `bottom`.
    #[must_use]
    pub fn sequential(bottom: f64, top: f64, soft: f64) -> Self {
        Self::new(bottom, top, soft, false, INFERNO)
    }

    /// From blue at `-top` over white to red at `top`.
    #[must_use]
    pub fn diverging(top: f64, soft: f64) -> Self {
        Self::new(-top, top, soft, true, RED_BLUE)
    }

    fn new(bottom: f64, top: f64, soft: f64, is_diverging: bool, map: Gradient) -> Self {
        let range = if is_diverging { top } else { top - bottom };
        // At most six decades above `soft`, since fainter values are black.
        let soft = if range > 0.0 { soft.clamp(range * 1e-6, range) } else { 1.0 };
        let colour = |step: usize| {
            let Color { r, g, b } =
                map.eval_rational(if is_diverging { STEPS - 1 - step } else { step }, STEPS);
            [r, g, b]
        };
        let colours = (0..STEPS).map(colour).collect();
        let mut scale = Self { bottom, top, soft, is_diverging, colours, limits: Vec::new() };
        scale.limits = (1..STEPS).map(|step| scale.smallest_of(step)).collect();
        scale
    }

    /// The smallest pixel whose colour is `step` or a later one, by bisection; infinity if there is none.
    fn smallest_of(&self, step: usize) -> f32 {
        const SIGN: u32 = 1 << 31;
        // The bits of floats, so arranged that their order is that of the floats.
        let pixel = |key: u32| f32::from_bits(if key >= SIGN { key ^ SIGN } else { !key });
        let (mut below, mut above) = (!f32::NEG_INFINITY.to_bits(), f32::INFINITY.to_bits() ^ SIGN);
        while above - below > 1 {
            let middle = below + (above - below) / 2;
            if step_of(self.position(f64::from(pixel(middle)))) < step {
                below = middle;
            } else {
                above = middle;
            }
        }
        pixel(above)
    }

    /// The position of a value, from 0 to 1.
    #[must_use]
    pub fn position(&self, value: f64) -> f64 {
        let curve = |x: f64| (x / self.soft).asinh();
        let (low, range) =
            if self.is_diverging { (0.0, self.top) } else { (self.bottom, self.top - self.bottom) };
        let part = if range > 0.0 { curve(value - low) / curve(range) } else { 0.0 };
        let position = if self.is_diverging { 0.5 + part / 2.0 } else { part };
        position.clamp(0.0, 1.0)
    }

    /// The colour at a position.
    #[must_use]
    pub fn at(&self, position: f64) -> [u8; 3] {
        self.colours.get(step_of(position)).copied().unwrap_or(NOT_FINITE)
    }

    /// The colour at the position of a pixel.
    #[must_use]
    pub fn colour(&self, pixel: f32) -> [u8; 3] {
        if !pixel.is_finite() {
            return NOT_FINITE;
        }
        // A position takes two inverse hyperbolic sines, a search ten comparisons.
        let step = self.limits.partition_point(|&limit| limit <= pixel);
        self.colours.get(step).copied().unwrap_or(NOT_FINITE)
    }

    /// Marks at both ends and at round values between them, no two closer than `least`.
    pub(super) fn marks(&self, least: f64) -> Vec<Mark> {
        let ends =
            if self.is_diverging { vec![self.top, -self.top, 0.0] } else { vec![self.top, self.bottom] };
        let mut marks: Vec<Mark> = ends.into_iter().map(|value| (self.position(value), value)).collect();
        if self.top <= self.bottom {
            marks.truncate(1);
            return marks;
        }
        let largest = self.top.abs().max(self.bottom.abs()).log10().floor() as i32;
        let decades = |digits: [f64; 2]| {
            let exponents = (largest - 8..=largest).rev();
            exponents.flat_map(move |exponent| digits.map(|digit| digit * 10f64.powi(exponent)))
        };
        let step = 10f64.powf((self.top - self.bottom).log10().floor()) / 2.0;
        let first = (self.bottom / step).ceil();
        // Powers of ten first, then 2 and 5 times these, then steps for ranges that have none of them.
        let candidates = decades([1.0, 1.0]).chain(decades([2.0, 5.0])).flat_map(|value| [value, -value]);
        for value in candidates.chain((0..20).map(|n| (first + f64::from(n)) * step)) {
            let position = self.position(value);
            let is_inside = value > self.bottom && value < self.top;
            if is_inside && marks.iter().all(|(other, _)| (other - position).abs() >= least) {
                marks.push((position, value));
            }
        }
        marks
    }
}

/// The colour at a position, counted from 0.
fn step_of(position: f64) -> usize {
    (position * (STEPS - 1) as f64).round() as usize
}

/// A value with three significant digits: `0`, `250`, `1.5e6`.
pub(crate) fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let exponent = value.abs().log10().floor();
    if (-3.0..5.0).contains(&exponent) {
        let places = (2.0 - exponent).max(0.0) as usize;
        let text = format!("{value:.places$}");
        return if places > 0 { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text };
    }
    let text = format!("{value:.2e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{}e{exponent}", digits.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colour_of_a_pixel_is_that_of_its_position() {
        for scale in [
            Scale::sequential(0.0, 1e4, 3.0),
            Scale::sequential(-2.5, 7.0, 1e-9),
            Scale::sequential(1.0, 1.0, 1.0),
            Scale::diverging(80.0, 0.5),
        ] {
            let mut values: Vec<f32> =
                scale.limits.iter().flat_map(|x| [x.next_down(), *x, x.next_up()]).collect();
            values.extend((-400..400).map(|i| (i as f32 / 40.0).sinh()));
            values.extend([0.0, -0.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE]);
            for value in values.into_iter().filter(|value| value.is_finite()) {
                assert_eq!(scale.colour(value), scale.at(scale.position(f64::from(value))), "{value}");
            }
            assert_eq!(scale.colour(f32::NAN), NOT_FINITE);
        }
    }

    #[test]
    fn ends_and_middle() {
        let scale = Scale::sequential(40.0, 1e6, 10.0);
        assert_eq!([40.0, 0.0, 1e6, 2e6].map(|v| scale.position(v)), [0.0, 0.0, 1.0, 1.0]);
        assert_eq!(scale.colour(f32::NAN), NOT_FINITE);
        let brightness = |rgb: [u8; 3]| rgb.iter().map(|c| u32::from(*c)).sum::<u32>();
        assert!(brightness(scale.colour(40.0)) < 20 && brightness(scale.colour(1e6)) > 600);
        let scale = Scale::diverging(50.0, 1.0);
        assert_eq!([-50.0, 0.0, 50.0].map(|v| scale.position(v)), [0.0, 0.5, 1.0]);
        let ([low, _, low_blue], [high, _, high_blue]) = (scale.colour(-50.0), scale.colour(50.0));
        assert!(low < low_blue && high > high_blue, "blue is less, red is more");
        assert!(brightness(scale.colour(0.0)) > 700);
        let flat = Scale::diverging(0.0, 0.0);
        assert_eq!((flat.position(0.0), flat.marks(0.1).len()), (0.5, 1));
    }

    #[test]
    fn marks_keep_their_distance() {
        for scale in [
            Scale::sequential(0.0, 3.2e7, 1.0),
            Scale::diverging(123.0, 1e-9),
            Scale::sequential(5.0, 6.0, 0.5),
        ] {
            let mut at: Vec<f64> = scale.marks(0.05).iter().map(|(position, _)| *position).collect();
            at.sort_by(f64::total_cmp);
            assert!(at.len() >= 3 && at.windows(2).all(|pair| pair[1] - pair[0] >= 0.05), "{at:?}");
        }
    }

    #[test]
    fn short_numbers() {
        let cases = [0.0, 1.0, 250.0, 0.25, -12.5, 99999.0, 1e5, 1.5e6, -3e-7, 0.001];
        let texts = ["0", "1", "250", "0.25", "-12.5", "99999", "1e5", "1.5e6", "-3e-7", "0.001"];
        assert_eq!(cases.map(short), texts);
    }
}
