//! Traces as JSON: `{"traces": [{"pixel": {"slow", "fast"}, "taps": {name: number | numbers}, "per_phi":
//! [{key: value}]}]}`.
//!
//! The reference's stored traces and `widebragg trace --format json` have this form. Special cases: null is
//! read as NaN; values of `per_phi` that are not numbers are skipped.

use serde_json::{Map, Value};

use super::data::{Step, Trace, TracedPixel};

/// Reads the pixels in `bytes`.
///
/// # Errors
/// The text is not JSON, is cut off, or has another form; the message says where.
pub(super) fn read(bytes: &[u8]) -> Result<Trace, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        let what = if error.is_eof() { "cut off" } else { "not JSON" };
        format!("{what}: {error}")
    })?;
    let Some(traces) = value.get("traces").and_then(Value::as_array) else {
        return Err("no list \"traces\", which traces in JSON have".to_owned());
    };
    let mut trace = Trace::default();
    let mut without_phi = 0;
    for (index, value) in traces.iter().enumerate() {
        let pixel = pixel(value, &mut without_phi).map_err(|what| format!("traces[{index}]: {what}"))?;
        trace.pixels.push(pixel);
    }
    if without_phi > 0 {
        trace.notes.push(format!("{without_phi} steps without a phi_tic left out"));
    }
    Ok(trace)
}

fn pixel(value: &Value, without_phi: &mut usize) -> Result<TracedPixel, String> {
    let object = value.as_object().ok_or("not an object")?;
    let index = |key: &str| {
        let number = object.get("pixel").and_then(|pixel| pixel.get(key)).and_then(Value::as_u64);
        number.and_then(|number| usize::try_from(number).ok())
    };
    let position = match (index("slow"), index("fast")) {
        (Some(slow), Some(fast)) => Some([slow, fast]),
        _ if object.contains_key("pixel") => {
            return Err("\"pixel\" needs whole numbers \"slow\" and \"fast\"".to_owned());
        }
        _ => None,
    };
    let mut traced = TracedPixel { position, ..TracedPixel::default() };
    for (name, value) in entries(object.get("taps"), "taps")? {
        let values = match value {
            Value::Array(values) => values.iter().map(number).collect::<Option<Vec<_>>>(),
            value => number(value).map(|x| vec![x]),
        };
        let values = values.filter(|values| !values.is_empty());
        let values =
            values.ok_or_else(|| format!("tap {name:?} is neither a number nor a list of numbers"))?;
        traced.taps.push((name.clone(), values));
    }
    let steps = match object.get("per_phi") {
        None => &[][..],
        Some(steps) => steps.as_array().ok_or("\"per_phi\" is not a list")?,
    };
    for step in steps {
        let pairs = entries(Some(step), "a step of per_phi")?.into_iter();
        match Step::from_pairs(pairs.filter_map(|(name, value)| Some((name.clone(), number(value)?)))) {
            Some(step) => traced.steps.push(step),
            None => *without_phi += 1,
        }
    }
    Ok(traced)
}

fn entries<'v>(value: Option<&'v Value>, what: &str) -> Result<Vec<(&'v String, &'v Value)>, String> {
    match value {
        None => Ok(Vec::new()),
        Some(value) => {
            Ok(value.as_object().map(Map::iter).ok_or(format!("{what} is not an object"))?.collect())
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    if value.is_null() { Some(f64::NAN) } else { value.as_f64() }
}
