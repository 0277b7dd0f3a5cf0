//! Records of `events` that one process writes for all: events that came by HTTP, changes of item data, erasures.
//!
//! They are JSON, told from other programs' events by the header [`CHANGE`], and name their writer in [`WRITE`], by which it
//! knows its own again when they come back.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{DecodeError, JSON, decode_events, value};
use crate::kafka::producer::OutRecord;
use crate::kafka::record::Record;
use crate::model::event::Event;
use crate::model::ids::{ItemId, UserId};
use crate::model::item::ItemData;
use crate::model::wire::event::event_from_slice;
use crate::settings::WireFormat;

/// The header that says what a record changes: `event`, `item` or `erase`.
pub const CHANGE: &str = "ouzel-change";

/// The header that names the writer and the number of its write.
pub const WRITE: &str = "ouzel-write";

/// What a record of `events` says.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Somebody did something.
    Events(Vec<Event>),
    /// Item data was set, or deleted where there is none.
    Item(ItemId, Option<ItemData>),
    /// A user is erased.
    Erased(UserId),
}

#[derive(Serialize, Deserialize)]
struct ItemBody {
    item: ItemId,
    data: Option<ItemData>,
}

#[derive(Serialize, Deserialize)]
struct EraseBody {
    user: UserId,
}

/// Reads a record of `events`, whoever wrote it.
///
/// # Errors
/// [`DecodeError`] for the dead letters.
pub fn decode_change(record: &Record, setting: WireFormat, now_ms: i64) -> Result<Change, DecodeError> {
    let no_json = |error: serde_json::Error| DecodeError::Json(error.to_string());
    match record.header(CHANGE) {
        None => decode_events(record, setting, now_ms).map(Change::Events),
        // The writer gave it a time, or left it out on purpose: the record's own is not taken.
        Some(b"event") => Ok(Change::Events(vec![event_from_slice(value(record)?, now_ms)?])),
        Some(b"item") => {
            let body: ItemBody = serde_json::from_slice(value(record)?).map_err(no_json)?;
            Ok(Change::Item(body.item, body.data))
        }
        Some(b"erase") => {
            let body: EraseBody = serde_json::from_slice(value(record)?).map_err(no_json)?;
            Ok(Change::Erased(body.user))
        }
        Some(other) => Err(DecodeError::Change(String::from_utf8_lossy(other).into_owned())),
    }
}

/// The record of a change for `topic`, keyed so that what is about one user, or about one item's data, keeps its order.
/// [`Change::Events`] must hold exactly one event.
///
/// # Errors
/// [`DecodeError::Json`] where it cannot be written, [`DecodeError::Empty`] where there is no event.
pub fn change_record(topic: &Arc<str>, change: &Change, write: &str) -> Result<OutRecord, DecodeError> {
    let no_json = |error: serde_json::Error| DecodeError::Json(error.to_string());
    let (name, key, payload) = match change {
        Change::Events(events) => {
            let event = events.first().ok_or(DecodeError::Empty)?;
            ("event", event.user.as_str(), serde_json::to_vec(&event_body(event)))
        }
        Change::Item(item, data) => {
            ("item", item.as_str(), serde_json::to_vec(&ItemBody { item: item.clone(), data: data.clone() }))
        }
        Change::Erased(user) => ("erase", user.as_str(), serde_json::to_vec(&EraseBody { user: user.clone() })),
    };
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    Ok(OutRecord {
        topic: topic.clone(),
        key: Some(key.as_bytes().to_vec()),
        payload: Some(payload.map_err(no_json)?),
        headers: vec![header("content-type", JSON), header(CHANGE, name), header(WRITE, write)],
    })
}

fn event_body(event: &Event) -> Value {
    let mut body = json!({ "user": event.user, "item": event.item, "type": event.kind, "value": event.value });
    let more = [
        ("timestamp", event.timestamp_ms.map(Value::from)),
        ("id", event.id.as_deref().map(Value::from)),
        ("recommendation_id", event.recommendation_id.as_deref().map(Value::from)),
    ];
    if let Some(fields) = body.as_object_mut() {
        fields.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn again(change: &Change) -> Result<Change, DecodeError> {
        let out = change_record(&Arc::from("events"), change, "me/7")?;
        let mut record = super::super::record(out.payload.unwrap_or_default());
        record.headers = out.headers;
        assert_eq!(record.header(WRITE), Some(b"me/7".as_slice()));
        decode_change(&record, WireFormat::Protobuf, NOW)
    }

    #[test]
    fn what_one_process_writes_the_others_read() {
        let event = Event {
            user: UserId::new("u").unwrap(),
            item: ItemId::new("i").unwrap(),
            kind: Arc::from("view"),
            value: 0.1,
            timestamp_ms: Some(NOW - 5),
            id: Some(Arc::from("one")),
            recommendation_id: Some(Arc::from("7-x")),
        };
        // A line of an imported file may have no time, and is not given one.
        let undated = Event { timestamp_ms: None, id: Some(Arc::from("import:abc:7:0")), ..event.clone() };
        let data = ItemData { categories: vec!["c".to_owned()], hidden: true, ..ItemData::default() };
        for change in [
            Change::Events(vec![event]),
            Change::Events(vec![undated]),
            Change::Item(ItemId::new("i").unwrap(), Some(data)),
            Change::Item(ItemId::new("i").unwrap(), None),
            Change::Erased(UserId::new("u").unwrap()),
        ] {
            assert_eq!(again(&change), Ok(change));
        }
    }

    #[test]
    fn a_change_of_another_make_is_said() {
        let mut record = super::super::record("{}");
        record.headers = vec![(CHANGE.to_owned(), b"price".to_vec())];
        assert_eq!(decode_change(&record, WireFormat::Auto, NOW).unwrap_err().code(), "unknown_change");
    }
}
