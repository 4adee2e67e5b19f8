//! Values of SMV headers as numbers.
//!
//! * [`number`]: a number, which a unit or further words may follow. What detectors write where they do not know
//!   a value (`nan`, `unknown`, nothing) is no number.
//! * [`nanobragg_number`]: what nanoBragg makes of a key. It searches the text of the header for the letters of
//!   the key and takes the number behind the next `=` after their last occurrence, so that it finds `ORGX` in
//!   `XDS_ORGX` and `DISTANCE` in `CLOSE_DISTANCE`. A text that is no number counts as 0, NaN as not given.

use crate::c_library::{atof, leading_decimal};
use crate::text::finite;

/// What detectors write for values that they do not know, in small letters.
const NOT_KNOWN: [&str; 7] = ["", "nan", "unknown", "none", "undefined", "null", "n/a"];

/// A number of a header, and what follows it: mostly nothing, or its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured<'a> {
    /// The number.
    pub value: f64,
    /// The text after it.
    pub unit: &'a str,
}

/// The number that a value begins with; `None` where it is not known.
pub(super) fn number(value: &str) -> Result<Option<Measured<'_>>, String> {
    let value = value.trim();
    let name = value.trim_start_matches(['+', '-']);
    if NOT_KNOWN.iter().any(|word| name.eq_ignore_ascii_case(word)) {
        return Ok(None);
    }
    let (digits, rest) = leading_decimal(value);
    let is_apart = |c: char| c.is_whitespace() || c.is_alphabetic() || "%(['\"\u{b0}".contains(c);
    if digits.is_empty() || !rest.chars().next().is_none_or(is_apart) {
        return finite(value).map(|value| Some(Measured { value, unit: "" }));
    }
    Ok(Some(Measured { value: finite(digits)?, unit: rest.trim() }))
}

/// The value that nanoBragg takes for `key` from the text of a header.
pub(super) fn nanobragg_number(text: &str, key: &str) -> Option<f64> {
    let (_, after) = text.rsplit_once(key)?;
    let Some((_, value)) = after.split_once('=') else { return Some(0.0) };
    Some(atof(value)).filter(|value| !value.is_nan())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_with_units_and_values_that_are_not_known() {
        for (text, value, unit) in [
            ("850", 850.0, ""),
            (" -1.5e-3 mm", -1.5e-3, "mm"),
            ("120.5mm", 120.5, "mm"),
            ("1.5eV", 1.5, "eV"),
            ("12.", 12.0, ""),
            (".5 A", 0.5, "A"),
            ("0.868\u{b0}", 0.868, "\u{b0}"),
            ("64 64", 64.0, "64"),
            ("+3", 3.0, ""),
        ] {
            assert_eq!(number(text), Ok(Some(Measured { value, unit })), "{text}");
        }
        for text in ["nan", "NaN", "-nan", "", " ", "-", "unknown", "None", "N/A"] {
            assert_eq!(number(text), Ok(None), "{text}");
        }
        for text in ["1,2,3", "abc", "1.2.3", ".", "e5"] {
            assert!(number(text).unwrap_err().ends_with("is not a number"), "{text}");
        }
        for text in ["1e999", "inf"] {
            assert!(number(text).unwrap_err().ends_with("is not a finite number"), "{text}");
        }
    }

    /// As nanoBragg, run with headers of these texts, took them.
    #[test]
    fn keys_are_found_inside_others_as_by_nanobragg() {
        let text = "{\nDISTANCE=120;\nXDS_ORGX=25;\nCLOSE_DISTANCE=119.5;\nPHI=nan;\nNAME=x;\n}";
        let read = |key: &str| nanobragg_number(text, key);
        assert_eq!([read("DISTANCE"), read("ORGX"), read("ORGY")], [Some(119.5), Some(25.0), None]);
        assert_eq!([read("PHI"), read("NAME")], [None, Some(0.0)]);
        assert_eq!(nanobragg_number("PHI= -2.5e1x", "PHI"), Some(-25.0));
        assert_eq!(nanobragg_number("PHI", "PHI"), Some(0.0));
        assert_eq!(nanobragg_number("PHI=-inf", "PHI"), Some(f64::NEG_INFINITY));
    }

    proptest! {
        #[test]
        fn any_text_is_a_number_or_none(text in ".{0,20}", digits in "[-+0-9.eE nai=;]{0,12}") {
            for text in [&text, &digits] {
                if let Ok(Some(read)) = number(text) {
                    prop_assert!(read.value.is_finite() && text.contains(read.unit));
                }
                let _ = nanobragg_number(text, "e");
            }
        }
    }
}
