//! Between records and what they mean. Reading a record never fails for good: what cannot be read has a reason with a
//! short name, for the dead letters.

pub mod change;
mod cloud_event;
pub mod descriptor;
pub mod event;
pub mod messages;
pub mod reply;
pub mod request;
pub mod version_news;

use super::record::Record;
use crate::model::event::EventError;
use crate::model::ids::IdError;
use crate::model::wire::BodyError;
use crate::settings::WireFormat;

pub use change::{Change, decode_change};
pub use event::decode_events;
pub use reply::{ReplyBody, reply_record};
pub use request::{Request, decode_request};

/// The largest value that is read, in bytes.
pub const MAX_VALUE_BYTES: usize = 1 << 20;

/// The content type of JSON values.
pub const JSON: &str = "application/json";

/// The content type of protobuf values.
pub const PROTOBUF: &str = "application/x-protobuf";

/// Why a record cannot be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// It has no value.
    #[error("the record has no value")]
    Empty,
    /// Its value is larger than [`MAX_VALUE_BYTES`].
    #[error("the value has {0} bytes, more than {MAX_VALUE_BYTES}")]
    TooLarge(usize),
    /// It is not the protobuf message that it should be.
    #[error("no protobuf message of this topic: {0}")]
    Protobuf(String),
    /// It is no JSON.
    #[error("no JSON: {0}")]
    Json(String),
    /// One field of the JSON is not what it should be.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// A user or item has no proper id.
    #[error("{field}: {error}")]
    Id {
        /// Of which field.
        field: &'static str,
        /// What is wrong with it.
        error: IdError,
    },
    /// The event is refused.
    #[error(transparent)]
    Event(#[from] EventError),
    /// One event of an array cannot be read, so none of it is taken.
    #[error("event {index} of the array: {error}")]
    Element {
        /// Its place, from 0.
        index: usize,
        /// What is wrong with it.
        error: Box<DecodeError>,
    },
    /// It changes something that this build does not know.
    #[error("a change of the kind {0:?}, which this build does not know")]
    Change(String),
    /// A cloud event that is none, or none of those that are read.
    #[error("no cloud event that can be read: {0}")]
    CloudEvent(String),
    /// More products than a question may hold.
    #[error("products: {0} are more than a question may hold")]
    TooMany(usize),
}

impl DecodeError {
    /// A short name of the reason, as `dlq.reason` carries it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty_value",
            Self::TooLarge(_) => "value_too_large",
            Self::Protobuf(_) => "bad_protobuf",
            Self::Json(_) => "bad_json",
            Self::Body(error) => error.code,
            Self::Id { .. } => "bad_id",
            Self::Event(error) => error.code(),
            Self::Element { error, .. } => error.code(),
            Self::Change(_) => "unknown_change",
            Self::CloudEvent(_) => "bad_cloud_event",
            Self::TooMany(_) => "too_many_products",
        }
    }

    /// The short name and what is wrong, for `dlq.reason`.
    #[must_use]
    pub fn reason(&self) -> String {
        format!("{}: {self}", self.code())
    }
}

/// How one value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// Protobuf.
    Protobuf,
}

impl Format {
    /// Its content type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => JSON,
            Self::Protobuf => PROTOBUF,
        }
    }

    /// By the header `content-type`, else by the setting, else by the first byte: `{` and `[` begin JSON, and no message
    /// of ours. A content type that is neither says nothing.
    #[must_use]
    pub fn of(record: &Record, setting: WireFormat) -> Self {
        match (content_type(record).as_deref(), setting) {
            (Some("application/json" | "text/json"), _) => Self::Json,
            (Some(text), _) if text.ends_with("+json") => Self::Json,
            (Some("application/x-protobuf" | "application/protobuf" | "application/vnd.google.protobuf"), _) => {
                Self::Protobuf
            }
            (_, WireFormat::Json) => Self::Json,
            (_, WireFormat::Protobuf) => Self::Protobuf,
            (_, WireFormat::Auto) => match record.payload.as_deref().and_then(<[u8]>::first) {
                Some(b'{' | b'[') => Self::Json,
                _ => Self::Protobuf,
            },
        }
    }
}

/// What the header `content-type` says, without parameters and in lower case.
fn content_type(record: &Record) -> Option<String> {
    let named = std::str::from_utf8(record.header("content-type")?).ok()?;
    named.split(';').next().map(|text| text.trim().to_ascii_lowercase())
}

/// The value, if it is there and not too large to be looked at.
fn value(record: &Record) -> Result<&[u8], DecodeError> {
    match record.payload.as_deref() {
        None => Err(DecodeError::Empty),
        Some(bytes) if bytes.len() > MAX_VALUE_BYTES => Err(DecodeError::TooLarge(bytes.len())),
        Some(bytes) => Ok(bytes),
    }
}

#[cfg(test)]
pub(super) fn record(payload: impl Into<Vec<u8>>) -> Record {
    let (topic, payload) = (std::sync::Arc::from("topic"), Some(payload.into()));
    Record {
        topic,
        partition: 3,
        offset: 41,
        timestamp_ms: Some(1_700_000_000_000),
        key: None,
        payload,
        headers: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(content_type: Option<&str>, setting: WireFormat, first: u8) -> Format {
        let mut read = record([first]);
        let header = |text: &str| ("content-type".to_owned(), text.as_bytes().to_vec());
        read.headers.extend(content_type.map(header));
        Format::of(&read, setting)
    }

    #[test]
    fn the_header_wins_over_the_setting_and_that_over_the_first_byte() {
        assert_eq!(of(None, WireFormat::Auto, b'{'), Format::Json);
        assert_eq!(of(None, WireFormat::Auto, b'['), Format::Json);
        assert_eq!(of(None, WireFormat::Auto, 0x0a), Format::Protobuf);
        assert_eq!(of(None, WireFormat::Protobuf, b'{'), Format::Protobuf);
        assert_eq!(of(Some("application/json; charset=utf-8"), WireFormat::Protobuf, 0x0a), Format::Json);
        assert_eq!(of(Some("Application/X-Protobuf"), WireFormat::Json, b'{'), Format::Protobuf);
        assert_eq!(of(Some("text/plain"), WireFormat::Json, 0x0a), Format::Json);
    }

    #[test]
    fn a_value_that_is_absent_or_too_large_is_not_looked_at() {
        assert_eq!(value(&Record { payload: None, ..record([]) }), Err(DecodeError::Empty));
        assert!(value(&record(vec![b'{'; MAX_VALUE_BYTES])).is_ok());
        let error = value(&record(vec![b'{'; MAX_VALUE_BYTES + 1])).unwrap_err();
        assert_eq!(error.reason(), "value_too_large: the value has 1048577 bytes, more than 1048576");
    }
}
