//! Records of `events`.

use std::sync::Arc;

use prost::Message;
use serde_json::Value;

use super::cloud_event::{self, CloudEvent, Data};
use super::{DecodeError, Format, messages, value};
use crate::kafka::record::Record;
use crate::model::event::{EARLIEST_MS, Event, EventError, PURCHASE};
use crate::model::ids::{ItemId, UserId};
use crate::model::wire::event::event_from_json;
use crate::settings::WireFormat;

/// Reads the event of a record, a cloud event among them, or the events of a JSON array: all of them or none. An event without a time happened when
/// the record was made; `now_ms` stands in for a record without a usable time, and bounds how far ahead a time may lie.
///
/// # Errors
/// [`DecodeError`] for the dead letters.
pub fn decode_events(record: &Record, setting: WireFormat, now_ms: i64) -> Result<Vec<Event>, DecodeError> {
    let bytes = value(record)?;
    let made_ms = record.timestamp_ms.filter(|&time| time >= EARLIEST_MS && time <= now_ms).unwrap_or(now_ms);
    if let Some(event) = cloud_event::by_headers(record, bytes)? {
        return Ok(vec![from_cloud_event(event, made_ms, now_ms)?]);
    }
    match Format::of(record, setting) {
        Format::Protobuf => Ok(vec![from_protobuf(bytes, made_ms, now_ms)?]),
        Format::Json => match serde_json::from_slice(bytes).map_err(|error| DecodeError::Json(error.to_string()))? {
            Value::Array(elements) => {
                let element = |(index, element)| {
                    let read = from_json(element, made_ms, now_ms);
                    read.map_err(|error| DecodeError::Element { index, error: Box::new(error) })
                };
                elements.iter().enumerate().map(element).collect()
            }
            one if cloud_event::is_structured(&one) => {
                Ok(vec![from_cloud_event(cloud_event::structured(one)?, made_ms, now_ms)?])
            }
            one => Ok(vec![from_json(&one, made_ms, now_ms)?]),
        },
    }
}

fn from_cloud_event(event: CloudEvent, made_ms: i64, now_ms: i64) -> Result<Event, DecodeError> {
    match event.into_data()? {
        Data::Json(value) => from_json(&value, made_ms, now_ms),
        Data::Protobuf(bytes) => from_protobuf(&bytes, made_ms, now_ms),
    }
}

fn from_json(value: &Value, made_ms: i64, now_ms: i64) -> Result<Event, DecodeError> {
    let mut event = event_from_json(value, now_ms)?;
    if value.get("timestamp").is_none_or(Value::is_null) {
        event.timestamp_ms = Some(made_ms);
    }
    Ok(event)
}

fn from_protobuf(bytes: &[u8], made_ms: i64, now_ms: i64) -> Result<Event, DecodeError> {
    let message = messages::Event::decode(bytes).map_err(|error| DecodeError::Protobuf(error.to_string()))?;
    let given = |text: &str| Some(text).filter(|text| !text.is_empty()).map(Arc::from);
    let event = Event {
        user: UserId::new(&message.user).map_err(|error| DecodeError::Id { field: "user", error })?,
        item: ItemId::new(&message.item).map_err(|error| DecodeError::Id { field: "item", error })?,
        kind: given(&message.r#type).unwrap_or_else(|| Arc::from(PURCHASE)),
        value: if message.value == 0.0 { 1.0 } else { narrow(message.value)? },
        timestamp_ms: Some(if message.timestamp_ms == 0 { made_ms } else { message.timestamp_ms }),
        id: given(&message.id),
        recommendation_id: given(&message.recommendation_id),
    };
    event.check(now_ms)?;
    Ok(event)
}

fn narrow(value: f64) -> Result<f32, EventError> {
    #[expect(clippy::cast_possible_truncation, reason = "a value out of range becomes infinite and is refused")]
    let narrow = value as f32;
    if narrow.is_finite() { Ok(narrow) } else { Err(EventError::Value) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::record;
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn bytes(change: impl FnOnce(&mut messages::Event)) -> Vec<u8> {
        let mut message = messages::Event { user: "u".into(), item: "i".into(), ..messages::Event::default() };
        change(&mut message);
        message.encode_to_vec()
    }

    fn decode(bytes: Vec<u8>) -> Result<Event, DecodeError> {
        decode_events(&record(bytes), WireFormat::Auto, NOW).map(|mut events| events.remove(0))
    }

    #[test]
    fn what_a_protobuf_event_leaves_out_is_filled_in() {
        let event = decode(bytes(|_| ())).unwrap();
        assert_eq!((&*event.kind, event.value, event.timestamp_ms), ("purchase", 1.0, Some(1_700_000_000_000)));
        assert_eq!((event.id, event.recommendation_id), (None, None));
        let without = Record { timestamp_ms: None, ..record(bytes(|_| ())) };
        assert_eq!(decode_events(&without, WireFormat::Auto, NOW).unwrap()[0].timestamp_ms, Some(NOW));
        let senseless = Record { timestamp_ms: Some(0), ..record(bytes(|_| ())) };
        assert_eq!(decode_events(&senseless, WireFormat::Auto, NOW).unwrap()[0].timestamp_ms, Some(NOW));
    }

    #[test]
    fn a_bad_protobuf_event_has_a_short_reason() {
        let code = |bytes| decode(bytes).unwrap_err().code();
        assert_eq!(code(bytes(|event| event.user.clear())), "bad_id");
        assert_eq!(code(bytes(|event| event.item = "x".repeat(257))), "bad_id");
        assert_eq!(code(bytes(|event| event.value = f64::NAN)), "value_not_finite");
        assert_eq!(code(bytes(|event| event.value = 1e300)), "value_not_finite");
        assert_eq!(code(bytes(|event| event.timestamp_ms = 5)), "timestamp_too_old");
        assert_eq!(code(bytes(|event| event.timestamp_ms = NOW + 90_000_000)), "timestamp_in_future");
        assert_eq!(code(bytes(|event| event.r#type = "t".repeat(300))), "label_length");
        assert_eq!(code(vec![0x0a, 0x05, b'x']), "bad_protobuf");
        assert_eq!(code(vec![b'{', b'}', b'}']), "bad_json");
        assert_eq!(decode_events(&record("[]"), WireFormat::Auto, NOW), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn protobuf_events_round_trip(
            user in "\\PC{1,40}", item in "[a-z0-9]{1,20}", kind in "[a-z]{1,9}", value in 0.001_f32..1e6,
            time in EARLIEST_MS..NOW, id in prop::option::of("[a-z0-9-]{1,36}"),
        ) {
            let event = decode(bytes(|message| {
                message.user.clone_from(&user);
                message.item.clone_from(&item);
                message.r#type.clone_from(&kind);
                message.value = f64::from(value);
                message.timestamp_ms = time;
                message.id = id.clone().unwrap_or_default();
            })).unwrap();
            prop_assert_eq!((event.user.as_str(), event.item.as_str(), &*event.kind), (&*user, &*item, &*kind));
            prop_assert_eq!((event.value, event.timestamp_ms, event.id.as_deref()), (value, Some(time), id.as_deref()));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let protobuf = bytes.first().is_none_or(|&first| first != b'{' && first != b'[');
            prop_assume!(protobuf);
            if let Ok(event) = decode(bytes) {
                prop_assert_eq!(event.check(NOW), Ok(()));
            }
        }
    }
}
