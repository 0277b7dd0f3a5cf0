//! What happened: one user did something with one item.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::{ItemId, UserId};

/// The type of an event that names none.
pub const PURCHASE: &str = "purchase";

/// The longest event type, event id and recommendation id, in bytes.
pub const MAX_LABEL_BYTES: usize = 256;

/// The earliest time an event may carry: 1990-01-01T00:00:00Z, in milliseconds of the epoch.
pub const EARLIEST_MS: i64 = 631_152_000_000;

/// How far past the clock an event's time may lie, in milliseconds: a day, for clocks that run ahead and time zones mistaken.
pub const FUTURE_SLACK_MS: i64 = 86_400_000;

/// One event as it was given, checked but not yet interned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Who acted.
    pub user: UserId,
    /// On what.
    pub item: ItemId,
    /// What was done, such as `purchase` or `view`; 1 to [`MAX_LABEL_BYTES`] bytes.
    #[serde(rename = "type")]
    pub kind: Arc<str>,
    /// How much of it: a quantity, a rating; finite, 1 where none was given.
    pub value: f32,
    /// When it happened, in milliseconds of the epoch; an imported line may have no time.
    pub timestamp_ms: Option<i64>,
    /// The sender's id of the event, by which a second sending is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Arc<str>>,
    /// The recommendation that led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommendation_id: Option<Arc<str>>,
}

/// An event of a file that was sent to the service line by line: what its id says, so that the file is known whichever way
/// it comes a second time, and a line without a time stays without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportedEvent<'a> {
    /// The SHA-256 of the file's bytes, in hexadecimal.
    pub content: &'a str,
    /// The event's line, from 1, the header counted in.
    pub line: u64,
    /// Its place among the events of the line, from 0.
    pub place: usize,
}

impl<'a> ImportedEvent<'a> {
    const PREFIX: &'static str = "import:";

    /// The event's id.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}{}:{}:{}", Self::PREFIX, self.content, self.line, self.place)
    }

    /// Reads what [`Self::id`] wrote; none for an id of another make.
    #[must_use]
    pub fn from_id(id: &'a str) -> Option<Self> {
        let (content, rest) = id.strip_prefix(Self::PREFIX)?.split_once(':')?;
        let (line, place) = rest.split_once(':')?;
        Some(Self { content, line: line.parse().ok()?, place: place.parse().ok()? })
    }
}

/// Why an event is refused. The field's name is part of the text.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EventError {
    /// The time lies before [`EARLIEST_MS`].
    #[error("timestamp: lies before 1990")]
    TooOld,
    /// The time lies more than [`FUTURE_SLACK_MS`] past the clock.
    #[error("timestamp: lies in the future")]
    Future,
    /// The value is NaN or infinite, or too large for 32 bits.
    #[error("value: must be a finite number")]
    Value,
    /// A type or id that is empty or too long.
    #[error("{0}: must have 1 to {MAX_LABEL_BYTES} bytes")]
    Label(&'static str),
}

impl EventError {
    /// A short name of the reason for machines, as `rejected[].code` and `dlq.reason` carry it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooOld => "timestamp_too_old",
            Self::Future => "timestamp_in_future",
            Self::Value => "value_not_finite",
            Self::Label(_) => "label_length",
        }
    }
}

impl Event {
    /// Checks what the types do not: time, value, labels.
    ///
    /// # Errors
    /// The first [`EventError`] found.
    pub fn check(&self, now_ms: i64) -> Result<(), EventError> {
        if let Some(time) = self.timestamp_ms {
            if time < EARLIEST_MS {
                return Err(EventError::TooOld);
            }
            if time > now_ms.saturating_add(FUTURE_SLACK_MS) {
                return Err(EventError::Future);
            }
        }
        if !self.value.is_finite() {
            return Err(EventError::Value);
        }
        let labels = [
            ("type", Some(&self.kind)),
            ("id", self.id.as_ref()),
            ("recommendation_id", self.recommendation_id.as_ref()),
        ];
        for (name, label) in labels {
            if label.is_some_and(|text| !is_label(text)) {
                return Err(EventError::Label(name));
            }
        }
        Ok(())
    }
}

/// Whether a text is as long as a type, an id of an event or a category may be: 1 to [`MAX_LABEL_BYTES`] bytes.
#[must_use]
pub const fn is_label(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_LABEL_BYTES
}

/// Reads a time as a text: RFC 3339, or a whole number of seconds or milliseconds of the epoch. Milliseconds of the epoch.
#[must_use]
pub fn time_of_text(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(epoch_to_ms(number));
    }
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis())
}

/// Reads a number of seconds or milliseconds of the epoch: below 10^11 it counts seconds.
#[must_use]
pub fn epoch_to_ms(number: i64) -> i64 {
    if number.unsigned_abs() < 100_000_000_000 { number.saturating_mul(1000) } else { number }
}
