//! The spindle angle at which a frame of a series starts.
//!
//! **Formula.** phi0 + n osc for frame n, counted from 0, in degrees and in exact decimal arithmetic, rounded
//! once to f64, then converted to radians: the angle that a user types for a single image of that frame. In
//! binary arithmetic frame 5 of a series from -0.5 degrees in steps of 0.1 would start at 5e-17, not at 0.
//!
//! **Source.** The angles are those of options and image headers, in degrees. From an angle in rad, the
//! shortest decimal in degrees that converts to the same rad is the one that was given, if it had at most 15
//! digits.
//!
//! **Special case.** Angles with too many digits for 128 bits are added in f64.

use core::f64::consts::PI;

/// Degrees to radians with one rounded factor, as options and headers are converted.
const RADIANS_PER_DEGREE: f64 = PI / 180.0;

/// First phi of frame `frame`, in rad, for a series that starts at `phi0_rad` and advances by `osc_rad`.
pub(crate) fn frame_start_rad(phi0_rad: f64, osc_rad: f64, frame: usize) -> f64 {
    if frame == 0 {
        return phi0_rad;
    }
    match sum_deg(degrees(phi0_rad), degrees(osc_rad), frame) {
        Some(start_deg) => start_deg * RADIANS_PER_DEGREE,
        None => phi0_rad + osc_rad * frame as f64,
    }
}

/// The angle in degrees with the fewest digits among those that convert to `angle_rad`.
fn degrees(angle_rad: f64) -> f64 {
    let near = angle_rad / RADIANS_PER_DEGREE;
    let (below, above) = (near.next_down(), near.next_up());
    let candidates = [near, below, above, below.next_down(), above.next_up()];
    let same = candidates.into_iter().filter(|deg| deg * RADIANS_PER_DEGREE == angle_rad);
    same.min_by_key(|deg| format!("{deg:e}").len()).unwrap_or(near)
}

/// The f64 nearest to `first` + `count` `step`, whose decimals are added exactly; `None` where 128 bits do not
/// hold them.
fn sum_deg(first: f64, step: f64, count: usize) -> Option<f64> {
    let (first, first_exponent) = decimal(first)?;
    let (step, step_exponent) = decimal(step)?;
    let exponent = first_exponent.min(step_exponent);
    let at = |digits: i128, from: i32| {
        digits.checked_mul(10i128.checked_pow(u32::try_from(from.checked_sub(exponent)?).ok()?)?)
    };
    let step = step.checked_mul(i128::try_from(count).ok()?)?;
    let sum = at(first, first_exponent)?.checked_add(at(step, step_exponent)?)?;
    format!("{sum}e{exponent}").parse().ok()
}

/// The shortest decimal of a finite number, as (d, q) for d 10^q.
fn decimal(value: f64) -> Option<(i128, i32)> {
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e')?;
    let places = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let digits = digits.replace('.', "").parse().ok()?;
    let exponent: i32 = exponent.parse().ok()?;
    Some((digits, exponent - i32::try_from(places).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rad(word: &str) -> f64 {
        word.parse::<f64>().unwrap() * RADIANS_PER_DEGREE
    }

    #[test]
    fn frames_start_where_single_images_do() {
        for (phi0, osc, frame, start) in [
            ("-0.5", "0.1", 5, "0"),
            ("-0.5", "0.1", 6, "0.1"),
            ("-0.3", "0.1", 3, "0"),
            ("0", "0.1", 3, "0.3"),
            ("-7e-1", "0.07", 10, "0"),
            ("12.345", "0.0125", 1799, "34.8325"),
            ("1e10", "1e-5", 7, "10000000000.00007"),
            ("-0.001", "1e-3", 1, "0"),
            ("33", "0", 9, "33"),
        ] {
            let found = frame_start_rad(rad(phi0), rad(osc), frame);
            assert_eq!(found, rad(start), "{phi0} {osc} {frame}");
        }
        // Too many digits for exact arithmetic.
        assert_eq!(frame_start_rad(1e300, 1e-300, 2), 1e300);
        assert!(frame_start_rad(f64::NAN, 1.0, 1).is_nan());
        assert_eq!(frame_start_rad(f64::INFINITY, 1.0, 1), f64::INFINITY);
    }

    /// Whole numbers below `end` that differ in all their digits.
    fn scattered(end: i64) -> impl Iterator<Item = i64> {
        (1u64..3000).map(move |i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % end as u64) as i64)
    }

    #[test]
    fn decimals_of_many_digits_come_back() {
        for (digits, places) in scattered(100_000_000_000_000).zip((0..16).cycle()) {
            for sign in ["", "-"] {
                let typed: f64 = format!("{sign}{digits}e-{places}").parse().unwrap();
                assert_eq!(degrees(typed * RADIANS_PER_DEGREE), typed);
            }
        }
    }

    #[test]
    fn sums_are_those_of_whole_numbers() {
        let steps = scattered(99_999_999).zip(scattered(9_999_991));
        for ((first, step), frame) in steps.zip((1i64..10_000).step_by(7).cycle()) {
            let sum = step * frame - first;
            let [first, step, sum] = [-first, step, sum].map(|digits| rad(&format!("{digits}e-5")));
            assert_eq!(frame_start_rad(first, step, frame as usize), sum);
        }
    }
}
