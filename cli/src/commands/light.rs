//! What was computed from lists of spots, in words and as members of JSON objects.

use serde_json::{Value, json};
use widebragg_experiment::light::LightTaken;

/// `light`, which is `list` or `loop`, and for a list `light_spots` and `light_exponent`.
pub(crate) fn members(light: LightTaken) -> impl Iterator<Item = (&'static str, Value)> {
    let of_list = match light {
        LightTaken::Loop => None,
        LightTaken::List { spots, exponent } => {
            Some([("light_spots", json!(spots)), ("light_exponent", json!(exponent))])
        }
    };
    [("light", json!(light.name()))].into_iter().chain(of_list.into_iter().flatten())
}

/// The list in words; `None` for the loop.
pub(crate) fn words(light: LightTaken) -> Option<String> {
    let LightTaken::List { spots, exponent } = light else { return None };
    let reach =
        exponent.map_or_else(String::new, |x| format!(", each down to exp(-{x:.0}) of its amplitude"));
    Some(format!("from a list of {spots} spots{reach}"))
}
