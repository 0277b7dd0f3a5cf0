use prost::Message;
use serde_json::json;

use super::super::{decode_events, messages, record};
use super::*;
use crate::model::event::Event;
use crate::settings::WireFormat;

const NOW: i64 = 1_800_000_000_000;
const TIME: &str = "2026-01-31T12:00:00Z";
const TIME_MS: i64 = 1_769_860_800_000;

fn decode(value: impl Into<Vec<u8>>, headers: &[(&str, &str)]) -> Result<Event, DecodeError> {
    let mut read = record(value);
    read.headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    decode_events(&read, WireFormat::Auto, NOW).map(|mut events| {
        assert_eq!(events.len(), 1);
        events.remove(0)
    })
}

fn binary() -> Vec<(&'static str, &'static str)> {
    vec![
        ("ce_specversion", "1.0"),
        ("ce_id", "17"),
        ("ce_source", "/shop"),
        ("ce_type", "view"),
        ("ce_time", TIME),
        ("content-type", "application/json; charset=utf-8"),
    ]
}

fn told(event: &Event) -> (&str, &str, &str, Option<i64>, Option<&str>) {
    (event.user.as_str(), event.item.as_str(), &event.kind, event.timestamp_ms, event.id.as_deref())
}

#[test]
fn both_modes_say_the_same() {
    let wanted = ("25", "a", "view", Some(TIME_MS), Some("/shop 17"));
    assert_eq!(told(&decode(r#"{"user":25,"item":"a"}"#, &binary()).unwrap()), wanted);
    let whole = json!({"specversion": "1.0", "id": "17", "source": "/shop", "type": "view", "time": TIME,
        "datacontenttype": "application/json", "data": {"user": 25, "item": "a"}});
    for content_type in ["application/cloudevents+json; charset=UTF-8", "application/json"] {
        let event = decode(whole.to_string(), &[("content-type", content_type)]).unwrap();
        assert_eq!(told(&event), wanted, "{content_type}");
    }
    // Some writers give no content type at all.
    assert_eq!(told(&decode(whole.to_string(), &[]).unwrap()), wanted);
    let mut encoded = whole;
    encoded["data"].take();
    let fields = encoded.as_object_mut().unwrap();
    fields.remove("data");
    fields.insert("data_base64".to_owned(), json!(STANDARD.encode(r#"{"user":25,"item":"a"}"#)));
    let event = decode(encoded.to_string(), &[("content-type", "application/cloudevents+json")]).unwrap();
    assert_eq!(told(&event), wanted);
}

#[test]
fn what_the_event_says_itself_wins() {
    let own =
        json!({"user": "u", "item": "i", "type": "purchase", "id": "own", "timestamp": 1_769_860_900}).to_string();
    let event = decode(own, &binary()).unwrap();
    assert_eq!(told(&event), ("u", "i", "purchase", Some(1_769_860_900_000), Some("own")));
}

#[test]
fn protobuf_is_data_too() {
    let message = messages::Event { user: "u".into(), item: "i".into(), ..messages::Event::default() };
    let mut headers = binary();
    headers[5].1 = "application/x-protobuf";
    let event = decode(message.encode_to_vec(), &headers).unwrap();
    assert_eq!(told(&event), ("u", "i", "view", Some(TIME_MS), Some("/shop 17")));
}

#[test]
fn an_absent_time_is_the_records_and_a_long_id_is_hashed() {
    let source = format!("/{}", "s".repeat(300));
    let headers: Vec<_> = binary()
        .into_iter()
        .filter(|(name, _)| *name != "ce_time")
        .map(|(name, value)| (name, if name == "ce_source" { source.as_str() } else { value }))
        .collect();
    let event = decode(r#"{"user":1,"item":2}"#, &headers).unwrap();
    assert_eq!(event.timestamp_ms, Some(1_700_000_000_000));
    assert_eq!(event.id.as_deref().map(|id| (id.len(), &id[..3])), Some((35, "ce:")));
}

#[test]
fn a_bad_cloud_event_has_a_reason() {
    let event = r#"{"user":25,"item":"a"}"#;
    for missing in ["ce_specversion", "ce_id", "ce_source", "ce_type"] {
        let headers: Vec<_> = binary().into_iter().filter(|(name, _)| *name != missing).collect();
        let reason = decode(event, &headers).unwrap_err().reason();
        let wanted = "bad_cloud_event: no cloud event that can be read: the attribute";
        assert_eq!(reason, format!("{wanted} {} is missing", &missing[3..]));
    }
    let code = |value: &str, change: (&'static str, &'static str)| {
        let mut headers = binary();
        headers.push(change);
        decode(value, &headers).unwrap_err().code()
    };
    assert_eq!(code(event, ("ce_specversion", "0.3")), "bad_cloud_event");
    assert_eq!(code(event, ("content-type", "application/xml")), "bad_cloud_event");
    assert_eq!(code(event, ("content-type", "application/cloudevents+avro")), "bad_cloud_event");
    assert_eq!(code(event, ("content-type", "application/cloudevents-batch+json")), "bad_cloud_event");
    assert_eq!(code(event, ("ce_time", "yesterday")), "timestamp_format");
    assert_eq!(code("[]", ("ce_id", "17")), "bad_cloud_event");
    assert_eq!(code("nonsense", ("ce_id", "17")), "bad_json");
    assert_eq!(code(r#"{"item":"a"}"#, ("ce_id", "17")), "missing_field");
    let structured = |value: Value| decode(value.to_string(), &[]).unwrap_err().code();
    let all = json!({"specversion": "1.0", "id": "1", "source": "s", "type": "t"});
    assert_eq!(structured(all.clone()), "bad_cloud_event");
    let mut bad = all;
    bad["data_base64"] = json!("!");
    assert_eq!(structured(bad), "bad_cloud_event");
}
