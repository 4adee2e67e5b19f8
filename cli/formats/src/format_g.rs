//! Numbers formatted as by C's `%g`, which the reference uses in headers and comments.
//!
//! Six significant digits (or another number of them), correctly rounded, an exact half to the even digit;
//! trailing zeros and a trailing point are removed. Exponent form `d.ddddde-XX` with at least two exponent
//! digits where the decimal exponent, after rounding, is below -4 or at least the number of digits. Minus
//! zero keeps its sign; `inf` and `nan` are written as by glibc.
//! Source: ISO C 7.21.6.1. Checked against `printf("%g")` values in the tests.

/// Significant digits of `%g`.
const DIGITS: i32 = 6;

/// `value` as `%g`.
#[must_use]
pub fn format_g(value: f64) -> String {
    format_significant(value, DIGITS)
}

/// `value` as `%.<digits>g`; `digits` is at least 1.
#[must_use]
pub fn format_significant(value: f64, digits: i32) -> String {
    if value.is_nan() {
        return if value.is_sign_negative() { "-nan".to_owned() } else { "nan".to_owned() };
    }
    if value.is_infinite() {
        return if value < 0.0 { "-inf".to_owned() } else { "inf".to_owned() };
    }
    let scientific = format!("{:.*e}", usize::try_from(digits - 1).unwrap_or(0), value);
    // The form is always `d.ddddde<exponent>`: the fallbacks are never used.
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..digits).contains(&exponent) {
        let places = usize::try_from(digits - 1 - exponent).unwrap_or(0);
        return trimmed(&format!("{value:.places$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs())
}

/// Removes trailing zeros after a point, and a trailing point.
fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let known = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-6.85, "-6.85"),
            (0.1, "0.1"),
            (100000.0, "100000"),
            (123456.7, "123457"),
            (999999.0, "999999"),
            (999999.4, "999999"),
            (999999.6, "1e+06"),
            (1e6, "1e+06"),
            (1234567.0, "1.23457e+06"),
            (0.0001, "0.0001"),
            (0.00012345678, "0.000123457"),
            (0.000099999949, "9.99999e-05"),
            (0.00009999995, "0.0001"),
            (1e-5, "1e-05"),
            (-1.5e-7, "-1.5e-07"),
            (1e100, "1e+100"),
            (1.259320152862271e29, "1.25932e+29"),
            (5e-324, "4.94066e-324"),
            (f64::MAX, "1.79769e+308"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (12398.42 / 11000.0, "1.12713"),
            (1e10 * 1e-10, "1"),
        ];
        for (value, text) in known {
            assert_eq!(format_g(value), text);
        }
    }

    #[test]
    fn fifteen_digits() {
        let known = [
            (0.1, "0.1"),
            (-2.0 / 3.0, "-0.666666666666667"),
            (4.795_745_084_491_798e-6, "4.7957450844918e-06"),
            (1e24, "1e+24"),
            (462.88, "462.88"),
            (999_999_999_999_999.6, "1e+15"),
            (889_422_990.836_703_4, "889422990.836703"),
        ];
        for (value, text) in known {
            assert_eq!(format_significant(value, 15), text);
        }
    }

    /// Values that lie exactly between two results: the even last digit wins, as in C.
    #[test]
    fn exact_halves_go_to_even() {
        let halves = [
            (1000005.0, "1e+06"),
            (1000015.0, "1.00002e+06"),
            (1000025.0, "1.00002e+06"),
            (100000.5, "100000"),
            (100001.5, "100002"),
            (999999.5, "1e+06"),
            (12345.25, "12345.2"),
            (12345.75, "12345.8"),
            (-12345.25, "-12345.2"),
            (1234.125, "1234.12"),
            (1234.375, "1234.38"),
            (2.0_f64.powi(-13) + 2.0_f64.powi(-17), "0.0001297"),
        ];
        for (value, text) in halves {
            assert_eq!(format_g(value), text);
        }
    }
}
