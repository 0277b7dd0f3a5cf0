//! Records that cannot be read or applied, kept where they can be looked at and sent again: what a dead letter is.

use std::sync::Arc;

use super::producer::{OutRecord, ProduceError, Producer};
use super::record::Record;

/// The headers that a dead letter has behind those of the record, in this order.
pub(super) const NAMES: [&str; 5] = ["dlq.topic", "dlq.partition", "dlq.offset", "dlq.timestamp", "dlq.reason"];

/// The header that a record has which was sent back: the place where it first stood.
pub(crate) const REPLAY_OF: &str = "dlq.replay-of";

type Header = (String, Vec<u8>);

impl Producer {
    /// Sends a record to its topic's dead letters: key, value and headers as they were, with the headers `dlq.topic`,
    /// `dlq.partition`, `dlq.offset`, `dlq.timestamp` (-1 where it has none) and `dlq.reason` behind them.
    ///
    /// # Errors
    /// [`ProduceError`] as of [`Producer::send`]; the record is not done with then.
    pub async fn dead_letter(&self, record: &Record, reason: &str) -> Result<(), ProduceError> {
        tracing::warn!(record = record.place(), reason, "record put among the dead letters");
        self.send(dead_letter(record, &self.dead_letter_suffix, reason)).await
    }
}

pub(super) fn dead_letter(record: &Record, suffix: &str, reason: &str) -> OutRecord {
    let values = [
        record.topic.to_string(),
        record.partition.to_string(),
        record.offset.to_string(),
        record.timestamp_ms.unwrap_or(-1).to_string(),
        reason.to_owned(),
    ];
    let said = NAMES.into_iter().zip(values).map(|(name, value)| (name.to_owned(), value.into_bytes()));
    OutRecord {
        topic: Arc::from(format!("{}{suffix}", record.topic)),
        key: record.key.clone(),
        payload: record.payload.clone(),
        headers: record.headers.iter().cloned().chain(said).collect(),
    }
}

/// What a dead letter says of the record that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) reason: &'a str,
}

/// Takes a dead letter's headers apart, into the record's own and what is said of it; none where nothing is said as
/// [`Producer::dead_letter`] says it. Only the last ones count: a record may have been a dead letter before.
pub(crate) fn open(headers: &[Header]) -> Option<(&[Header], Said<'_>)> {
    let (own, last) = headers.split_last_chunk::<5>()?;
    if !last.iter().map(|(name, _)| name.as_str()).eq(NAMES) {
        return None;
    }
    let [topic, partition, offset, timestamp, reason] = last.each_ref().map(|(_, value)| str::from_utf8(value).ok());
    let said = Said {
        topic: topic?,
        partition: partition?.parse().ok()?,
        offset: offset?.parse().ok()?,
        timestamp_ms: Some(timestamp?.parse::<i64>().ok()?).filter(|&time| time >= 0),
        reason: reason?,
    };
    Some((own, said))
}

/// The headers of a record on its way back: its own and [`REPLAY_OF`], which it keeps where it was sent back before.
pub(crate) fn sent_back(own: &[Header], said: &Said<'_>) -> Vec<Header> {
    let mut headers = own.to_vec();
    if !own.iter().any(|(name, _)| name == REPLAY_OF) {
        let place = format!("{}/{}/{}", said.topic, said.partition, said.offset);
        headers.push((REPLAY_OF.to_owned(), place.into_bytes()));
    }
    headers
}

/// The place where a record that was sent back first stood; none of other records.
#[must_use]
pub fn replay_of(record: &Record) -> Option<&str> {
    str::from_utf8(record.header(REPLAY_OF)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(headers: Vec<Header>) -> Record {
        let topic = Arc::from("events");
        Record { topic, partition: 3, offset: 9, timestamp_ms: None, key: None, payload: None, headers }
    }

    #[test]
    fn a_dead_letter_of_a_dead_letter_opens_to_the_first_one() {
        let first = dead_letter(&record(vec![("a".to_owned(), b"1".to_vec())]), ".dlq", "first").headers;
        let second = dead_letter(&record(first.clone()), ".dlq", "second").headers;
        let said = Said { topic: "events", partition: 3, offset: 9, timestamp_ms: None, reason: "second" };
        assert_eq!(open(&second), Some((first.as_slice(), said)));
        let (own, said) = open(&first).unwrap();
        assert_eq!((own.len(), said.reason), (1, "first"));
        assert_eq!(open(own), None);
    }

    #[test]
    fn headers_that_say_nothing_readable_make_no_dead_letter() {
        let whole = dead_letter(&record(vec![]), ".dlq", "why").headers;
        for at in 0..NAMES.len() {
            let mut broken = whole.clone();
            broken[at].1 = vec![0xff];
            assert_eq!(open(&broken), None, "{at}");
            broken.remove(at);
            assert_eq!(open(&broken), None, "{at}");
        }
    }
}
