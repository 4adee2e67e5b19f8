//! Numbers and parameters in the JSON that the program prints.

use serde_json::Value;

/// A number.
///
/// # Panics
/// When the value is none.
pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("a number: {value}"))
}

/// The entry of a parameter in a list of a report.
///
/// # Panics
/// When there is no such list, or no entry of this name in it.
pub fn entry<'v>(report: &'v Value, list: &str, name: &str) -> &'v Value {
    let entries = report[list].as_array().expect("parameters");
    entries.iter().find(|entry| entry["name"] == name).unwrap_or_else(|| panic!("{name}: {report}"))
}
