//! CloudEvents 1.0 on `events`, as the Kafka protocol binding writes them: attributes in headers `ce_…` with an event as
//! the value (binary), or all of it in one JSON value (structured). Their data is one event of ours, JSON or protobuf; what
//! it leaves out of id, type and time is taken from the attributes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use serde_json::{Map, Value};
use xxhash_rust::xxh3::xxh3_128;

use super::{DecodeError, JSON, content_type, messages};
use crate::kafka::record::Record;
use crate::model::event::MAX_LABEL_BYTES;

/// What the headers of attributes begin with.
const PREFIX: &str = "ce_";

/// What the content types of structured events begin with.
const STRUCTURED: &str = "application/cloudevents";

/// The only version that is read.
const VERSION: &str = "1.0";

/// An event with what is around it.
#[derive(Debug, Clone, PartialEq)]
pub struct CloudEvent {
    /// Source and id: only both together tell events apart.
    id: String,
    kind: String,
    time: Option<String>,
    data: Data,
}

/// The event inside.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// A JSON object, not yet read.
    Json(Value),
    /// A protobuf message, not yet read.
    Protobuf(Vec<u8>),
}

/// The cloud event that a record's headers say it is.
///
/// # Errors
/// [`DecodeError::CloudEvent`] and [`DecodeError::Json`].
pub fn by_headers(record: &Record, value: &[u8]) -> Result<Option<CloudEvent>, DecodeError> {
    let content_type = content_type(record);
    match content_type.as_deref() {
        Some("application/cloudevents+json") => structured(json(value)?).map(Some),
        Some(other) if other.starts_with(STRUCTURED) => {
            Err(wrong(format!("of the structured forms only {STRUCTURED}+json is read, this one is {other}")))
        }
        _ if record.headers.iter().any(|(name, _)| name.starts_with(PREFIX)) => {
            let text = |name: &str| std::str::from_utf8(record.header(&format!("{PREFIX}{name}"))?).ok();
            let data = of_type(value.to_vec(), content_type.as_deref())?;
            CloudEvent::of(|name| text(name).map(str::to_owned), data).map(Some)
        }
        _ => Ok(None),
    }
}

/// Whether a JSON value is a structured cloud event, whatever its header says: some writers give it that of its data. No
/// event of ours has such a field.
pub fn is_structured(value: &Value) -> bool {
    value.get("specversion").is_some()
}

/// Reads a structured event.
///
/// # Errors
/// [`DecodeError::CloudEvent`] and [`DecodeError::Json`].
pub fn structured(value: Value) -> Result<CloudEvent, DecodeError> {
    let Value::Object(mut fields) = value else { return Err(wrong("it is no JSON object")) };
    let data = match (fields.remove("data"), fields.remove("data_base64")) {
        (Some(data), None) => Data::Json(data),
        (None, Some(Value::String(text))) => {
            let bytes = STANDARD.decode(text).map_err(|error| wrong(format!("data_base64: {error}")))?;
            let kind = fields.get("datacontenttype").and_then(Value::as_str);
            of_type(bytes, kind.map(str::to_ascii_lowercase).as_deref())?
        }
        (None, None) => return Err(wrong("it has no data")),
        _ => return Err(wrong("it has more than one of data and data_base64, or a data_base64 that is no text")),
    };
    CloudEvent::of(|name| fields.get(name).and_then(Value::as_str).map(str::to_owned), data)
}

impl CloudEvent {
    fn of(attribute: impl Fn(&str) -> Option<String>, data: Data) -> Result<Self, DecodeError> {
        let needed = |name: &str| {
            let given = attribute(name).filter(|text| !text.is_empty());
            given.ok_or_else(|| wrong(format!("the attribute {name} is missing")))
        };
        let version = needed("specversion")?;
        if version != VERSION {
            return Err(wrong(format!("specversion {version:?}, only {VERSION} is read")));
        }
        let id = format!("{} {}", needed("source")?, needed("id")?);
        let id = if id.len() > MAX_LABEL_BYTES { format!("ce:{:032x}", xxh3_128(id.as_bytes())) } else { id };
        Ok(Self { id, kind: needed("type")?, time: attribute("time"), data })
    }

    /// The event inside, with what it left out.
    ///
    /// # Errors
    /// [`DecodeError::CloudEvent`] and [`DecodeError::Protobuf`].
    pub fn into_data(self) -> Result<Data, DecodeError> {
        match self.data {
            Data::Json(Value::Object(mut event)) => {
                fill(&mut event, "id", Some(self.id));
                fill(&mut event, "type", Some(self.kind));
                fill(&mut event, "timestamp", self.time);
                Ok(Data::Json(Value::Object(event)))
            }
            Data::Json(_) => Err(wrong("its data is no JSON object: one cloud event holds one event")),
            Data::Protobuf(bytes) => {
                let mut event = <messages::Event as prost::Message>::decode(bytes.as_slice())
                    .map_err(|error| DecodeError::Protobuf(error.to_string()))?;
                for (field, attribute) in [(&mut event.id, self.id), (&mut event.r#type, self.kind)] {
                    if field.is_empty() {
                        *field = attribute;
                    }
                }
                if let (0, Some(time)) = (event.timestamp_ms, self.time) {
                    let time = DateTime::parse_from_rfc3339(&time).map_err(|error| wrong(format!("time: {error}")))?;
                    event.timestamp_ms = time.timestamp_millis();
                }
                Ok(Data::Protobuf(prost::Message::encode_to_vec(&event)))
            }
        }
    }
}

fn fill(event: &mut Map<String, Value>, name: &str, attribute: Option<String>) {
    if event.get(name).is_none_or(Value::is_null)
        && let Some(attribute) = attribute
    {
        event.insert(name.to_owned(), Value::String(attribute));
    }
}

/// Data of a content type, without parameters and in lower case; JSON where there is none.
fn of_type(bytes: Vec<u8>, content_type: Option<&str>) -> Result<Data, DecodeError> {
    let essence = content_type.and_then(|text| text.split(';').next()).map_or(JSON, str::trim);
    match essence {
        "application/x-protobuf" | "application/protobuf" | "application/vnd.google.protobuf" => {
            Ok(Data::Protobuf(bytes))
        }
        JSON | "text/json" => Ok(Data::Json(json(&bytes)?)),
        other if other.ends_with("+json") => Ok(Data::Json(json(&bytes)?)),
        other => Err(wrong(format!("its data is {other}; {JSON} and application/x-protobuf are read"))),
    }
}

fn json(bytes: &[u8]) -> Result<Value, DecodeError> {
    serde_json::from_slice(bytes).map_err(|error| DecodeError::Json(error.to_string()))
}

fn wrong(reason: impl Into<String>) -> DecodeError {
    DecodeError::CloudEvent(reason.into())
}

#[cfg(test)]
#[path = "cloud_event_tests.rs"]
mod tests;
