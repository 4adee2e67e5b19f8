//! How many digits of a number a trace has.

/// The digits of a number that was printed with a fixed number of them, or computed from such a number.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Digits {
    /// All that matter: the number is the value itself.
    #[default]
    All,
    /// This many significant digits, as by `%.6g`.
    Significant(i32),
    /// This many digits after the point, as by `%.6f`.
    Decimals(i32),
    /// The number is within this of the value, as a multiple of a number that was printed is.
    Within(f64),
}

impl Digits {
    /// The largest difference between a value and `printed`, the number that it was rounded to: half a unit of
    /// the last digit, or as [`Digits::Within`] says.
    #[must_use]
    pub fn half_unit(self, printed: f64) -> f64 {
        let last = match self {
            Self::All => return 0.0,
            Self::Within(difference) => return difference,
            Self::Decimals(count) => -count,
            // The sum keeps log10 of a power of ten from falling below the whole number.
            Self::Significant(count) if printed != 0.0 && printed.is_finite() => {
                (printed.abs().log10() + 1e-12).floor() as i32 + 1 - count
            }
            Self::Significant(_) => return 0.0,
        };
        // Values half way between two numbers are rounded either way, by their own last bits.
        0.5 * (1.0 + 1e-6) * 10f64.powi(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_unit_of_the_last_digit() {
        let close = |found: f64, expected: f64| (found / expected - 1.0).abs() < 1e-5;
        assert_eq!(Digits::All.half_unit(3.0), 0.0);
        assert!(close(Digits::Decimals(6).half_unit(123.456), 5e-7));
        assert_eq!(Digits::Within(0.3).half_unit(3.0), 0.3);
        for (printed, expected) in
            [(1.0, 5e-6), (9.99999, 5e-6), (1000.0, 5e-3), (-1.25932e29, 5e23), (1e-10, 5e-16)]
        {
            assert!(close(Digits::Significant(6).half_unit(printed), expected), "{printed}");
        }
        for printed in [0.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Digits::Significant(6).half_unit(printed), 0.0);
        }
    }
}
