//! The event body: `{"user","item","type"?,"value"?,"timestamp"?,"id"?,"recommendation_id"?}`.

use std::sync::Arc;

use chrono::DateTime;
use serde_json::{Number, Value};

use super::BodyError;
use super::fields::{Fields, json};
use crate::model::event::{Event, EventError, ImportedEvent, PURCHASE, epoch_to_ms};

const FIELDS: [&str; 7] = ["user", "item", "type", "value", "timestamp", "id", "recommendation_id"];

/// Reads one event object. An absent time is `arrival_ms`, but for a line of a file that has none, as its id tells; times
/// are RFC 3339 or epoch seconds or milliseconds.
///
/// # Errors
/// [`BodyError`] naming the field: no object, unknown field, missing or ill-typed value, what [`Event::check`] refuses.
pub fn event_from_json(value: &Value, arrival_ms: i64) -> Result<Event, BodyError> {
    let fields = Fields::of(value, &FIELDS)?;
    let id = fields.text("id")?;
    let undated = id.and_then(ImportedEvent::from_id).is_some();
    let event = Event {
        user: fields.required_id("user")?,
        item: fields.required_id("item")?,
        kind: Arc::from(fields.text("type")?.unwrap_or(PURCHASE)),
        value: match fields.get("value") {
            None => 1.0,
            // A number beyond 32 bits becomes infinite here and is refused by the check below.
            Some(Value::Number(number)) => number.as_f64().unwrap_or(f64::NAN) as f32,
            Some(_) => return Err(BodyError::at("value", "wrong_type", "must be a finite number")),
        },
        timestamp_ms: match fields.get("timestamp") {
            Some(given) => Some(time(given)?),
            None => (!undated).then_some(arrival_ms),
        },
        id: id.map(Arc::from),
        recommendation_id: fields.text("recommendation_id")?.map(Arc::from),
    };
    event.check(arrival_ms)?;
    Ok(event)
}

/// Reads the bytes of one event object, such as a line of NDJSON or a record's value.
///
/// # Errors
/// As [`event_from_json`], and where the bytes are no JSON.
pub fn event_from_slice(body: &[u8], arrival_ms: i64) -> Result<Event, BodyError> {
    event_from_json(&json(body)?, arrival_ms)
}

/// Reads a body of one event object or an array of them; an event that is refused leaves the others as they are.
///
/// # Errors
/// [`BodyError`] where the body is no JSON, or neither an object nor an array.
pub fn events_from_slice(body: &[u8], arrival_ms: i64) -> Result<Vec<Result<Event, BodyError>>, BodyError> {
    match json(body)? {
        Value::Array(values) => Ok(values.iter().map(|value| event_from_json(value, arrival_ms)).collect()),
        value @ Value::Object(_) => Ok(vec![event_from_json(&value, arrival_ms)]),
        _ => {
            let message = "must be one event as an object, or an array of them".to_owned();
            Err(BodyError { field: None, code: "not_an_object", message })
        }
    }
}

impl From<EventError> for BodyError {
    fn from(error: EventError) -> Self {
        let (code, text) = (error.code(), error.to_string());
        // The text names the field before its first colon; here it stands apart.
        match text.split_once(": ") {
            Some((field, message)) => Self::at(field, code, message),
            None => Self { field: None, code, message: text },
        }
    }
}

fn time(value: &Value) -> Result<i64, BodyError> {
    let wrong = |message: &str| BodyError::at("timestamp", "timestamp_format", message);
    match value {
        Value::String(text) => DateTime::parse_from_rfc3339(text).map(|time| time.timestamp_millis()).map_err(|_| {
            wrong("must be RFC 3339, such as 2026-01-31T12:00:00Z, or a number of seconds or milliseconds of the epoch")
        }),
        Value::Number(number) => epoch(number).ok_or_else(|| wrong("is out of the range of times")),
        _ => Err(wrong("must be a string or a number")),
    }
}

/// Seconds, with or without a fraction, below 10^11; else milliseconds.
fn epoch(number: &Number) -> Option<i64> {
    if let Some(whole) = number.as_i64() {
        return Some(epoch_to_ms(whole));
    }
    let number = number.as_f64().filter(|number| number.abs() < 9e18)?;
    Some(if number.abs() < 1e11 { (number * 1000.0).round() as i64 } else { number.round() as i64 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json as body;

    const NOW: i64 = 1_790_000_000_000;

    #[test]
    fn what_is_absent_has_its_default() {
        let event = event_from_json(&body!({"user": 25, "item": "a", "type": null}), NOW).unwrap();
        assert_eq!((event.user.as_str(), event.item.as_str(), &*event.kind), ("25", "a", "purchase"));
        assert_eq!((event.value, event.timestamp_ms, event.id, event.recommendation_id), (1.0, Some(NOW), None, None));
    }

    #[test]
    fn a_line_of_a_file_without_a_time_stays_without_one() {
        let id = ImportedEvent { content: "abc", line: 7, place: 2 }.id();
        assert_eq!(ImportedEvent::from_id(&id), Some(ImportedEvent { content: "abc", line: 7, place: 2 }));
        let event = event_from_json(&body!({"user": 1, "item": 2, "id": id}), NOW).unwrap();
        assert_eq!(event.timestamp_ms, None);
        for other in ["import:abc:7", "import:abc:x:0", "import", "7"] {
            let event = event_from_json(&body!({"user": 1, "item": 2, "id": other}), NOW).unwrap();
            assert_eq!(event.timestamp_ms, Some(NOW), "{other}");
        }
    }

    #[test]
    fn every_form_of_time_means_the_same() {
        let forms = [
            body!("2026-01-31T12:00:00.5Z"),
            body!("2026-01-31T14:00:00.500+02:00"),
            body!(1_769_860_800.5),
            body!(1_769_860_800_500_i64),
            body!(1_769_860_800_500.0),
        ];
        for time in forms {
            let event = event_from_json(&body!({"user": "u", "item": "i", "timestamp": time}), NOW).unwrap();
            assert_eq!(event.timestamp_ms, Some(1_769_860_800_500), "{time}");
        }
        let seconds = event_from_json(&body!({"user": "u", "item": "i", "timestamp": 1_769_860_800}), NOW).unwrap();
        assert_eq!(seconds.timestamp_ms, Some(1_769_860_800_000));
    }

    #[test]
    fn every_bad_event_names_its_field() {
        let long = "x".repeat(257);
        let cases = [
            (body!([1]), None, "not_an_object"),
            (body!({"item": "i"}), Some("user"), "missing_field"),
            (body!({"user": "u"}), Some("item"), "missing_field"),
            (body!({"user": null, "item": "i"}), Some("user"), "missing_field"),
            (body!({"user": "u", "item": "i", "qty": 2}), Some("qty"), "unknown_field"),
            (body!({"user": "", "item": "i"}), Some("user"), "id_length"),
            (body!({"user": "u", "item": long}), Some("item"), "id_length"),
            (body!({"user": 1.5, "item": "i"}), Some("user"), "wrong_type"),
            (body!({"user": 1e30, "item": "i"}), Some("user"), "wrong_type"),
            (body!({"user": true, "item": "i"}), Some("user"), "wrong_type"),
            (body!({"user": "u", "item": "i", "type": 3}), Some("type"), "wrong_type"),
            (body!({"user": "u", "item": "i", "type": ""}), Some("type"), "label_length"),
            (body!({"user": "u", "item": "i", "id": long}), Some("id"), "label_length"),
            (body!({"user": "u", "item": "i", "recommendation_id": ""}), Some("recommendation_id"), "label_length"),
            (body!({"user": "u", "item": "i", "value": "2"}), Some("value"), "wrong_type"),
            (body!({"user": "u", "item": "i", "value": 1e39}), Some("value"), "value_not_finite"),
            (body!({"user": "u", "item": "i", "timestamp": true}), Some("timestamp"), "timestamp_format"),
            (body!({"user": "u", "item": "i", "timestamp": "yesterday"}), Some("timestamp"), "timestamp_format"),
            (body!({"user": "u", "item": "i", "timestamp": 1e300}), Some("timestamp"), "timestamp_format"),
            (body!({"user": "u", "item": "i", "timestamp": 0}), Some("timestamp"), "timestamp_too_old"),
            (body!({"user": "u", "item": "i", "timestamp": i64::MIN}), Some("timestamp"), "timestamp_too_old"),
            (body!({"user": "u", "item": "i", "timestamp": 2_000_000_000}), Some("timestamp"), "timestamp_in_future"),
        ];
        for (value, field, code) in cases {
            let error = event_from_json(&value, NOW).unwrap_err();
            assert_eq!((error.field.as_deref(), error.code), (field, code), "{value}");
            if let Some(field) = field {
                assert!(error.to_string().starts_with(&format!("{field}: ")), "{error}");
            }
        }
    }

    #[test]
    fn an_array_keeps_its_good_events() {
        let read = events_from_slice(br#"[{"user":1,"item":2},{"user":1},{"user":1,"item":3}]"#, NOW).unwrap();
        assert_eq!(read.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(events_from_slice(br#"{"user":1,"item":2}"#, NOW).unwrap().len(), 1);
        assert_eq!(events_from_slice(b"[]", NOW).unwrap().len(), 0);
        assert_eq!(events_from_slice(b"7", NOW).unwrap_err().code, "not_an_object");
        assert_eq!(event_from_slice(b"{\"user\":", NOW).unwrap_err().code, "not_json");
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200), number in any::<f64>()) {
            if let Ok(read) = events_from_slice(&bytes, NOW) {
                prop_assert!(read.iter().flatten().all(|event| event.check(NOW).is_ok()));
            }
            let read = event_from_json(&body!({"user": "u", "item": "i", "value": number, "timestamp": number}), NOW);
            prop_assert!(read.is_err() || read.is_ok_and(|event| event.check(NOW).is_ok()));
        }
    }
}
