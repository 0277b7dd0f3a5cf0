//! Reading the fields of one JSON object, each error with the field's name.

use serde_json::{Map, Value};

use super::BodyError;
use crate::model::ids::IdError;

/// The longest category, in bytes.
const MAX_TEXT_BYTES: usize = 256;

/// An object whose fields are all known by name. A field that is null counts as absent.
pub(super) struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// The fields of `value`, which may have those in `known` and no others.
    pub(super) fn of(value: &'a Value, known: &[&str]) -> Result<Self, BodyError> {
        let Value::Object(map) = value else {
            let message = format!("must be an object with some of the fields {}", known.join(", "));
            return Err(BodyError { field: None, code: "not_an_object", message });
        };
        if let Some(name) = map.keys().find(|name| !known.contains(&name.as_str())) {
            let message = format!("unknown field, the known ones are {}", known.join(", "));
            return Err(BodyError { field: Some(shortened(name)), code: "unknown_field", message });
        }
        Ok(Self(map))
    }

    /// The field's value, unless it is absent or null.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// An id: a string or an integer.
    pub(super) fn id<Id: WireId>(&self, name: &str) -> Result<Option<Id>, BodyError> {
        self.get(name).map(|value| id(name, value)).transpose()
    }

    /// An id that must be there.
    pub(super) fn required_id<Id: WireId>(&self, name: &str) -> Result<Id, BodyError> {
        self.id(name)?.ok_or_else(|| missing(name, ID))
    }

    /// A list of at most `limit` ids.
    pub(super) fn ids<Id: WireId>(&self, name: &str, limit: usize) -> Result<Option<Vec<Id>>, BodyError> {
        self.list(name, limit, id)
    }

    /// A list of at most `limit` strings of 1 to 256 bytes.
    pub(super) fn texts(&self, name: &str, limit: usize) -> Result<Option<Vec<String>>, BodyError> {
        self.list(name, limit, |name, value| match value {
            Value::String(text) if text.is_empty() || text.len() > MAX_TEXT_BYTES => {
                Err(BodyError::at(name, "length", format!("must have 1 to {MAX_TEXT_BYTES} bytes")))
            }
            Value::String(text) => Ok(text.clone()),
            _ => Err(BodyError::at(name, "wrong_type", "must be a string")),
        })
    }

    /// A string.
    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, BodyError> {
        let wrong = || BodyError::at(name, "wrong_type", "must be a string");
        self.get(name).map(|value| value.as_str().ok_or_else(wrong)).transpose()
    }

    /// True or false; false where absent.
    pub(super) fn flag(&self, name: &str) -> Result<bool, BodyError> {
        let wrong = || BodyError::at(name, "wrong_type", "must be true or false");
        self.get(name).map_or(Ok(false), |value| value.as_bool().ok_or_else(wrong))
    }

    fn list<T>(
        &self,
        name: &str,
        limit: usize,
        read: impl Fn(&str, &Value) -> Result<T, BodyError>,
    ) -> Result<Option<Vec<T>>, BodyError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let Value::Array(elements) = value else {
            return Err(BodyError::at(name, "wrong_type", "must be a list"));
        };
        if elements.len() > limit {
            let message = format!("must have at most {limit} elements, this one has {}", elements.len());
            return Err(BodyError::at(name, "too_many", message));
        }
        let read_one = |(place, element)| {
            // The element's path is made only for an element that is wrong.
            read(name, element).map_err(|error| BodyError { field: Some(format!("{name}[{place}]")), ..error })
        };
        elements.iter().enumerate().map(read_one).collect::<Result<Vec<T>, _>>().map(Some)
    }
}

const ID: &str = "a string of 1 to 256 bytes or an integer";

/// An id as the wire gives it.
pub(super) trait WireId: std::str::FromStr<Err = IdError> + From<u64> + From<i64> {}

impl<Id: std::str::FromStr<Err = IdError> + From<u64> + From<i64>> WireId for Id {}

fn id<Id: WireId>(name: &str, value: &Value) -> Result<Id, BodyError> {
    match value {
        Value::String(text) => {
            text.parse().map_err(|error: IdError| BodyError::at(name, "id_length", error.to_string()))
        }
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => Ok(Id::from(number)),
            (None, Some(number)) => Ok(Id::from(number)),
            (None, None) => {
                Err(BodyError::at(name, "wrong_type", "must be an integer of at most 64 bits, or a string"))
            }
        },
        _ => Err(BodyError::at(name, "wrong_type", format!("must be {ID}"))),
    }
}

/// The error of a field that must be there and is not.
pub(super) fn missing(name: &str, what: &str) -> BodyError {
    BodyError::at(name, "missing_field", format!("must be given, {what}"))
}

/// Reads a whole body.
pub(super) fn json(body: &[u8]) -> Result<Value, BodyError> {
    serde_json::from_slice(body).map_err(|error| BodyError {
        field: None,
        code: "not_json",
        message: format!("the body is not JSON: {error}"),
    })
}

/// A field's name as an error repeats it: a sender may have put anything there.
fn shortened(name: &str) -> String {
    const LONGEST: usize = 64;
    if name.chars().nth(LONGEST).is_none() {
        return name.to_owned();
    }
    name.chars().take(LONGEST).chain("…".chars()).collect()
}
