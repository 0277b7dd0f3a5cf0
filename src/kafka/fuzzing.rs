//! Laws of the codecs, for the targets in `fuzz/` and the tests; see [`crate::model::fuzzing`].
#![expect(clippy::unwrap_used, reason = "a law that does not hold panics")]

use std::sync::Arc;

use prost::Message;

use super::codec::change::{Change, change_record, decode_change};
use super::codec::descriptor;
use super::codec::messages::{Event, ModelDescriptor, RecommendationRequest};
use super::codec::{decode_events, decode_request};
use super::dead_letter;
use super::record::Record;
use crate::model::fuzzing::{Law, NOW};
use crate::model::wire::question::{MAX_LIST, Question};
use crate::settings::WireFormat;

/// What records hold: events and changes, requests, announcements, dead letters.
pub const RECORDS: [Law; 9] = [
    ("JSON events", |bytes| events(bytes, WireFormat::Json)),
    ("protobuf events", |bytes| events(bytes, WireFormat::Protobuf)),
    ("changes of items", |bytes| change(bytes, "item")),
    ("erasures", |bytes| change(bytes, "erase")),
    ("events of another process", |bytes| change(bytes, "event")),
    ("JSON requests", |bytes| request(bytes, WireFormat::Json)),
    ("protobuf requests", |bytes| request(bytes, WireFormat::Protobuf)),
    ("announcements", announcement),
    ("dead letters", dead_letters),
];

fn record(payload: &[u8], headers: Vec<(String, Vec<u8>)>) -> Record {
    let (topic, timestamp_ms) = (Arc::from("topic"), Some(NOW - 1));
    Record { topic, partition: 3, offset: 41, timestamp_ms, key: None, payload: Some(payload.to_vec()), headers }
}

/// Whatever was accepted, one process writes it and another reads the same.
fn written_again(change: &Change) {
    let out = change_record(&Arc::from("events"), change, "me/7").unwrap();
    let again = record(&out.payload.unwrap(), out.headers);
    assert_eq!(decode_change(&again, WireFormat::Auto, NOW).as_ref(), Ok(change));
}

fn events(bytes: &[u8], format: WireFormat) -> bool {
    let record = record(bytes, Vec::new());
    if let (WireFormat::Protobuf, Ok(message)) = (format, Event::decode(bytes)) {
        let written = message.encode_to_vec();
        assert_eq!(Event::decode(&*written).unwrap().encode_to_vec(), written);
    }
    let Ok(read) = decode_events(&record, format, NOW) else { return false };
    let accepted = !read.is_empty();
    for event in read {
        event.check(NOW).unwrap();
        assert!(event.timestamp_ms.is_some(), "the record has a time");
        written_again(&Change::Events(vec![event]));
    }
    accepted
}

fn change(bytes: &[u8], kind: &str) -> bool {
    let headers = vec![("ouzel-change".to_owned(), kind.as_bytes().to_vec())];
    let Ok(change) = decode_change(&record(bytes, headers), WireFormat::Auto, NOW) else { return false };
    written_again(&change);
    true
}

fn request(bytes: &[u8], format: WireFormat) -> bool {
    let Ok(request) = decode_request(&record(bytes, Vec::new()), format) else { return false };
    assert_eq!(request.correlation_id, b"topic/3/41");
    if let (WireFormat::Protobuf, Ok(message)) = (format, RecommendationRequest::decode(bytes)) {
        let again = decode_request(&record(&message.encode_to_vec(), Vec::new()), format);
        assert_eq!(again.as_ref(), Ok(&request));
    }
    match request.question {
        Question::Score(query) => (1..=MAX_LIST).contains(&query.products.len()),
        Question::Recommend(query) => query.n > 0,
    }
}

fn announcement(bytes: &[u8]) -> bool {
    let Ok(heard) = descriptor::decode(&record(bytes, Vec::new())) else { return false };
    let written = ModelDescriptor::decode(bytes).unwrap().encode_to_vec();
    assert_eq!(descriptor::decode(&record(&written, Vec::new())).as_ref(), Ok(&heard));
    let Some(version) = heard.version else { return false };
    let sent = descriptor::announcement("models", &heard.url, version, "").payload.unwrap();
    assert_eq!(descriptor::decode(&record(&sent, Vec::new())).unwrap().version, Some(version));
    true
}

/// The bytes are values of headers, a line each.
fn dead_letters(bytes: &[u8]) -> bool {
    let values: Vec<Vec<u8>> = bytes.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    let own: Vec<(String, Vec<u8>)> = values.iter().map(|value| ("own".to_owned(), value.clone())).collect();
    let dead = dead_letter::dead_letter(&record(bytes, own.clone()), ".dlq", "why");
    let (found, said) = dead_letter::open(&dead.headers).unwrap();
    assert_eq!((found, said.reason, said.offset), (&*own, "why", 41));
    let named: Vec<(String, Vec<u8>)> = dead_letter::NAMES.into_iter().map(str::to_owned).zip(values).collect();
    let Some((own, said)) = dead_letter::open(&named) else { return false };
    assert_eq!(dead_letter::sent_back(own, &said).len(), own.len() + 1);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_laws_hold_on_the_committed_records() {
        crate::model::fuzzing::hold_the_corpus("records", &[&RECORDS]);
    }
}
