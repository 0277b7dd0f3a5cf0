//! Events as NDJSON: an object a line, in the form that `POST /v1/events` takes; other fields are passed over, `weight` may
//! stand for `value`.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use super::cells;
use super::error::{BadLine, LineError};
use super::lines::Lines;
use super::source::{NextLine, Times};
use crate::model::event::Event;
use crate::model::ids::{ItemId, UserId};

/// A file of events in NDJSON.
pub struct Ndjson {
    lines: Lines,
    last_kind: Arc<str>,
    times: Times,
}

#[derive(Deserialize)]
struct Line<'a> {
    user: UserId,
    item: ItemId,
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(alias = "weight", default)]
    value: Option<f64>,
    #[serde(borrow, default)]
    timestamp: Option<Time<'a>>,
    #[serde(borrow, default)]
    id: Option<Label<'a>>,
    #[serde(borrow, default)]
    recommendation_id: Option<Label<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "timestamp: neither RFC 3339 nor a number of the epoch")]
enum Time<'a> {
    Int(i64),
    Float(f64),
    Text(#[serde(borrow)] Cow<'a, str>),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "an id must be a string or an integer")]
enum Label<'a> {
    Int(i64),
    Text(#[serde(borrow)] Cow<'a, str>),
}

impl Label<'_> {
    fn text(self) -> Arc<str> {
        match self {
            Self::Int(number) => Arc::from(number.to_string()),
            Self::Text(text) => Arc::from(text),
        }
    }
}

impl Ndjson {
    /// Lines of objects.
    pub fn new(lines: Lines, times: Times) -> Self {
        Self { lines, last_kind: Arc::from(""), times }
    }
}

impl NextLine for Ndjson {
    fn next_line(&mut self, events: &mut Vec<Event>) -> Option<Result<u64, LineError>> {
        let line = match self.lines.next_line()? {
            Ok(line) => line,
            Err(error) => return Some(Err(error)),
        };
        let read = event(line, self.times, &mut self.last_kind);
        let line = self.lines.number();
        Some(
            read.map(|event| events.push(event))
                .map(|()| line)
                .map_err(|reason| LineError::Bad(BadLine { line, reason })),
        )
    }
}

fn event(line: &str, times: Times, last_kind: &mut Arc<str>) -> Result<Event, String> {
    let read: Line<'_> = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let timestamp_ms = match read.timestamp {
        None => None,
        Some(Time::Int(number)) => Some(cells::time_of_int(number, times)),
        Some(Time::Float(number)) => Some(cells::time_of_float(number, times)?),
        Some(Time::Text(text)) => cells::time_of_text(&text, times)?,
    };
    let event = Event {
        user: read.user,
        item: read.item,
        kind: cells::kind(read.kind.as_deref().unwrap_or_default(), last_kind),
        value: read.value.map_or(1.0, |value| value as f32),
        timestamp_ms,
        id: read.id.map(Label::text),
        recommendation_id: read.recommendation_id.map(Label::text),
    };
    cells::checked(event, times)
}
