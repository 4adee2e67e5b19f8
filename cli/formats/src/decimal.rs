//! Fast parsing of plain decimals from bytes.
//!
//! A decimal with digits m and q places after the point is m / 10^q. For m <= 2^53 and q <= 22 both are exact
//! in f64, so one division rounds once and gives the same bits as `str::parse` (W. D. Clinger, "How to read
//! floating point numbers accurately", 1990). For everything else (exponents, long mantissas, invalid text)
//! the result is `None`, and the caller falls back to a slower parser.

/// Powers of ten, all of them exact in f64. [`MAX_DIGITS`] bounds the index.
const POWERS_OF_TEN: [f64; 20] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19,
];

/// The largest number of digits that always fits in a u64.
const MAX_DIGITS: usize = 19;

/// The integer that starts at `at` with at most nine digits, and where it ends.
#[inline]
pub(crate) fn plain_integer(bytes: &[u8], at: usize) -> Option<(i32, usize)> {
    let (negative, start) = sign(bytes, at);
    let (mut value, mut i) = (0_i32, start);
    while let Some(digit) = digit(bytes, i) {
        value = value.wrapping_mul(10).wrapping_add(digit.into());
        i += 1;
    }
    (1..=9).contains(&(i - start)).then_some((if negative { value.wrapping_neg() } else { value }, i))
}

/// The decimal that starts at `at`, and where it ends.
#[inline]
pub(crate) fn plain_decimal(bytes: &[u8], at: usize) -> Option<(f64, usize)> {
    let (negative, start) = sign(bytes, at);
    let (mut mantissa, mut i) = (0_u64, start);
    while let Some(digit) = digit(bytes, i) {
        mantissa = mantissa.wrapping_mul(10).wrapping_add(digit.into());
        i += 1;
    }
    let mut digits = i - start;
    let mut places = 0;
    if bytes.get(i) == Some(&b'.') {
        i += 1;
        let point = i;
        while let Some(digit) = digit(bytes, i) {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(digit.into());
            i += 1;
        }
        places = i - point;
        digits += places;
    }
    if !(1..=MAX_DIGITS).contains(&digits) || mantissa > 1 << 53 {
        return None;
    }
    let value = mantissa as f64 / POWERS_OF_TEN[places];
    Some((if negative { -value } else { value }, i))
}

#[inline]
fn sign(bytes: &[u8], at: usize) -> (bool, usize) {
    match bytes.get(at) {
        Some(b'-') => (true, at + 1),
        Some(b'+') => (false, at + 1),
        _ => (false, at),
    }
}

#[inline]
fn digit(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|&digit| digit < 10)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn agrees(text: &str) {
        if let Some((value, end)) = plain_decimal(text.as_bytes(), 0) {
            assert_eq!(end, text.len(), "{text}");
            assert_eq!(value.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
        }
    }

    #[test]
    fn limits_of_the_fast_path() {
        for text in
            ["0", "-0.0", "+.5", "5.", "26.62", "9007199254740992", "0.9007199254740992", "1.000000000000"]
        {
            assert!(plain_decimal(text.as_bytes(), 0).is_some(), "{text}");
            agrees(text);
        }
        for text in
            ["", "-", ".", "+.", "x", "9007199254740993", "0.00000000000000000001", "12345678901234567890"]
        {
            assert_eq!(plain_decimal(text.as_bytes(), 0), None, "{text}");
        }
        assert_eq!(plain_decimal(b"1e5 ", 0), Some((1.0, 1)));
        assert_eq!(plain_integer(b" -123456789,", 1), Some((-123_456_789, 11)));
        assert_eq!(plain_integer(b"1234567890", 0), None);
        assert_eq!(plain_integer(b"-2147483648", 0), None);
        assert_eq!(plain_integer(b"-", 0), None);
        assert_eq!(plain_integer(b"1", 5), None);
    }

    proptest! {
        #[test]
        fn same_bits_as_the_standard_library(text in "[+-]?[0-9]{0,12}\\.?[0-9]{0,12}") {
            if text.parse::<f64>().is_ok() {
                agrees(&text);
            } else {
                prop_assert_eq!(plain_decimal(text.as_bytes(), 0), None);
            }
        }
    }
}
