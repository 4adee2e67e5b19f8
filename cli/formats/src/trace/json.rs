//! Traces as JSON: `{"traces": [{"pixel": {"slow", "fast"}, "taps": {name: number | numbers}, "per_phi":
//! [{key: value}]}]}`.
//!
//! nanoBragg's stored traces and `widebragg trace --format json` have this form. The text is never in memory
//! as a whole.
//! Special cases: null is read as NaN; values of `per_phi` that are not numbers are skipped; of a tap or step
//! that a pixel has twice the first one counts.

use core::fmt;
use std::io::{self, BufRead, Read};

use serde_core::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_core::{Deserialize, Deserializer};
use serde_json::error::Category;

use super::Fault;
use super::data::{Step, StepParts, Tap, Trace, TracedPixel};
use super::digits::Digits;
use crate::memory::{is_there, push};
use crate::text::shown;

/// Largest number of copies of a text that are made while it is read.
const COPIES: usize = 4;

/// Largest number of components of a value.
const MOST_COMPONENTS: usize = 1 << 14;

/// Shorter texts are small allocations.
const SHORT_BYTES: usize = 1 << 16;

/// Reads the pixels of `input`.
///
/// # Errors
/// The text is not JSON, is cut off, or has another form; the message says where.
pub(super) fn read(input: impl BufRead) -> Result<Trace, Fault> {
    let mut found = Found::default();
    let mut json = serde_json::Deserializer::from_reader(Texts::new(input));
    let read = Document(&mut found).deserialize(&mut json).and_then(|()| json.end());
    read.map_err(|error| match error.classify() {
        Category::Io => Fault::Input(error.into()),
        _ if found.lacks_memory => Fault::memory(),
        Category::Eof => Fault::Content(format!("cut off: {error}")),
        Category::Syntax => Fault::Content(format!("not JSON: {error}")),
        Category::Data if found.is_in_traces => {
            Fault::Content(format!("traces[{}]: {error}", found.trace.pixels.len()))
        }
        Category::Data => Fault::Content(error.to_string()),
    })?;
    if !found.has_traces {
        return Err(Fault::Content("no list \"traces\", which traces in JSON have".to_owned()));
    }
    let mut trace = found.trace;
    if found.without_phi > 0 {
        trace.notes.push(format!("{} steps without a phi_tic left out", found.without_phi));
    }
    Ok(trace)
}

/// An input that ends with an error of kind `OutOfMemory` before there is too little memory for the text
/// between quotes that is being read.
struct Texts<R> {
    input: R,
    /// Number of bytes since the last quote.
    length: usize,
    /// Number of bytes up to which there is memory.
    has_room_for: usize,
    is_escaped: bool,
}

impl<R> Texts<R> {
    fn new(input: R) -> Self {
        Self { input, length: 0, has_room_for: SHORT_BYTES, is_escaped: false }
    }
}

impl<R: Read> Read for Texts<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        for &byte in buffer.iter().take(count) {
            self.length += 1;
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => (self.length, self.has_room_for) = (0, SHORT_BYTES),
                _ => {}
            }
            if self.length > self.has_room_for {
                self.has_room_for = 2 * self.length;
                if !is_there(COPIES * self.has_room_for) {
                    return Err(io::ErrorKind::OutOfMemory.into());
                }
            }
        }
        Ok(count)
    }
}

/// What has been read.
#[derive(Default)]
struct Found {
    trace: Trace,
    has_traces: bool,
    is_in_traces: bool,
    without_phi: usize,
    lacks_memory: bool,
}

impl Found {
    /// The value, or an error that is later told from those of the text by a note of it.
    fn room<T, E: Error>(&mut self, made: Option<T>) -> Result<T, E> {
        self.lacks_memory |= made.is_none();
        made.ok_or_else(|| E::custom("no memory"))
    }
}

/// The whole text.
struct Document<'f>(&'f mut Found);

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a list \"traces\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "traces" {
                self.0.has_traces = true;
                map.next_value_seed(Traces(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// The list of pixels.
struct Traces<'f>(&'f mut Found);

impl<'de> DeserializeSeed<'de> for Traces<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Traces<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"traces\" to be a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.0.is_in_traces = true;
        while let Some(mut pixel) = list.next_element_seed(Pixel(self.0))? {
            let kept = pixel.keep_first();
            self.0.room(kept)?;
            let pushed = push(&mut self.0.trace.pixels, pixel);
            self.0.room(pushed)?;
        }
        self.0.is_in_traces = false;
        Ok(())
    }
}

struct Pixel<'f>(&'f mut Found);

impl<'de> DeserializeSeed<'de> for Pixel<'_> {
    type Value = TracedPixel;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<TracedPixel, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Pixel<'_> {
    type Value = TracedPixel;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with \"taps\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TracedPixel, A::Error> {
        let mut pixel = TracedPixel::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "pixel" => pixel.position = Some(map.next_value::<Position>()?.0),
                "taps" => map.next_value_seed(Taps { found: self.0, taps: &mut pixel.taps })?,
                "per_phi" => map.next_value_seed(Steps { found: self.0, steps: &mut pixel.steps })?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(pixel)
    }
}

/// Row and column.
struct Position([usize; 2]);

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Indices;
        impl<'de> Visitor<'de> for Indices {
            type Value = Position;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"pixel\" to have whole numbers \"slow\" and \"fast\"")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Position, A::Error> {
                let [mut slow, mut fast] = [None; 2];
                while let Some(key) = map.next_key::<String>()? {
                    let value = map.next_value::<Scalar>()?;
                    let index = match value {
                        Scalar::Whole(index) => usize::try_from(index).ok(),
                        Scalar::Number(_) | Scalar::Other => None,
                    };
                    match key.as_str() {
                        "slow" => slow = index,
                        "fast" => fast = index,
                        _ => {}
                    }
                }
                match (slow, fast) {
                    (Some(slow), Some(fast)) => Ok(Position([slow, fast])),
                    _ => Err(Error::custom("\"pixel\" needs whole numbers \"slow\" and \"fast\"")),
                }
            }
        }
        deserializer.deserialize_map(Indices)
    }
}

/// Any value, of which only numbers are kept.
enum Scalar {
    Whole(u64),
    /// Another number, or null as NaN.
    Number(f64),
    Other,
}

impl Scalar {
    fn number(self) -> Option<f64> {
        match self {
            Self::Whole(whole) => Some(whole as f64),
            Self::Number(number) => Some(number),
            Self::Other => None,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_u64<E>(self, whole: u64) -> Result<Scalar, E> {
                Ok(Scalar::Whole(whole))
            }

            fn visit_i64<E>(self, whole: i64) -> Result<Scalar, E> {
                Ok(Scalar::Number(whole as f64))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar::Number(number))
            }

            fn visit_unit<E>(self) -> Result<Scalar, E> {
                Ok(Scalar::Number(f64::NAN))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Scalar, E> {
                Ok(Scalar::Other)
            }

            fn visit_str<E>(self, _: &str) -> Result<Scalar, E> {
                Ok(Scalar::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

struct Taps<'f> {
    found: &'f mut Found,
    taps: &'f mut Vec<Tap>,
}

impl<'de> DeserializeSeed<'de> for Taps<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Taps<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"taps\" to be an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let values = map.next_value_seed(Numbers { found: self.found, name: &name })?;
            let pushed = push(self.taps, Tap { name, values, digits: Digits::All });
            self.found.room(pushed)?;
        }
        Ok(())
    }
}

/// The values of a tap: a number or a list of numbers.
struct Numbers<'f> {
    found: &'f mut Found,
    name: &'f str,
}

impl Numbers<'_> {
    fn wrong<E: Error>(&self) -> E {
        let name = shown(self.name.as_bytes());
        E::custom(format!("tap {name} is neither a number nor a list of numbers"))
    }
}

impl<'de> DeserializeSeed<'de> for Numbers<'_> {
    type Value = Vec<f64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<f64>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Numbers<'_> {
    type Value = Vec<f64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tap {} to be a number or a list of numbers", shown(self.name.as_bytes()))
    }

    fn visit_u64<E>(self, whole: u64) -> Result<Vec<f64>, E> {
        Ok(vec![whole as f64])
    }

    fn visit_i64<E>(self, whole: i64) -> Result<Vec<f64>, E> {
        Ok(vec![whole as f64])
    }

    fn visit_f64<E>(self, number: f64) -> Result<Vec<f64>, E> {
        Ok(vec![number])
    }

    fn visit_unit<E>(self) -> Result<Vec<f64>, E> {
        Ok(vec![f64::NAN])
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Vec<f64>, E> {
        Err(self.wrong())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<f64>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element::<Scalar>()? {
            let value = value.number().ok_or_else(|| self.wrong())?;
            if values.len() == MOST_COMPONENTS {
                let name = shown(self.name.as_bytes());
                return Err(Error::custom(format!("tap {name} has more than {MOST_COMPONENTS} numbers")));
            }
            let pushed = push(&mut values, value);
            self.found.room(pushed)?;
        }
        if values.is_empty() { Err(self.wrong()) } else { Ok(values) }
    }
}

struct Steps<'f> {
    found: &'f mut Found,
    steps: &'f mut Vec<Step>,
}

impl<'de> DeserializeSeed<'de> for Steps<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Steps<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"per_phi\" to be a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(step) = list.next_element_seed(OneStep(self.found))? {
            match step {
                Some(step) => {
                    let pushed = push(self.steps, step);
                    self.found.room(pushed)?;
                }
                None => self.found.without_phi += 1,
            }
        }
        Ok(())
    }
}

struct OneStep<'f>(&'f mut Found);

impl<'de> DeserializeSeed<'de> for OneStep<'_> {
    type Value = Option<Step>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Step>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneStep<'_> {
    type Value = Option<Step>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a step of \"per_phi\" to be an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Step>, A::Error> {
        let mut parts = StepParts::new();
        while let Some(name) = map.next_key::<String>()? {
            if let Some(number) = map.next_value::<Scalar>()?.number() {
                let added = parts.add(name, number);
                self.0.room(added)?;
            }
        }
        let step = parts.finish();
        self.0.room(step)
    }
}
