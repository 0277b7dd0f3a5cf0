//! A batch of records in the parts in which it is written: an erasure stands alone, so that what came before it in the topic
//! is erased and what came after is not.

use super::messages::{EventBatch, ItemChange, Position};
use crate::kafka::codec::{Change, decode_change};
use crate::kafka::dead_letter::replay_of;
use crate::kafka::record::{Record, RecordBatch};
use crate::settings::WireFormat;

/// One part.
#[derive(Default)]
pub struct Part<'a> {
    /// What is in it, with the offsets that it reaches.
    pub batch: EventBatch,
    /// The record of each event.
    pub sources: Vec<&'a Record>,
    /// The records of item changes, or of the erasure.
    pub others: Vec<&'a Record>,
    /// The records that cannot be read, each with the reason.
    pub unreadable: Vec<(&'a Record, String)>,
    /// The place behind its last record.
    pub end: usize,
}

/// The parts of a batch, in order; at least one, so that offsets move also where there is nothing in it.
pub fn of(records: &[Record], format: WireFormat, now_ms: i64) -> Vec<Part<'_>> {
    let read: Vec<_> = records.iter().map(|record| decode_change(record, format, now_ms)).collect();
    let erases = |place: &usize| matches!(read.get(*place), Some(Ok(Change::Erased(_))));
    let mut cuts: Vec<usize> = (0..records.len()).filter(erases).flat_map(|place| [place, place + 1]).collect();
    cuts.push(records.len());
    cuts.dedup();
    let mut read = read.into_iter();
    let mut from = 0;
    let mut parts = Vec::new();
    for end in cuts {
        let within = records.get(from..end).unwrap_or_default();
        from = end;
        if within.is_empty() && end != records.len() {
            continue;
        }
        let batch = EventBatch { offsets: RecordBatch::offsets_of(within), ..EventBatch::default() };
        let mut part = Part { batch, end, ..Part::default() };
        for (record, change) in within.iter().zip(&mut read) {
            match change {
                Ok(change) => part.take(record, change),
                Err(error) => part.unreadable.push((record, error.reason())),
            }
        }
        parts.push(part);
    }
    parts
}

impl<'a> Part<'a> {
    fn take(&mut self, record: &'a Record, change: Change) {
        match change {
            Change::Events(events) => {
                let partition = self
                    .batch
                    .offsets
                    .iter()
                    .position(|at| at.partition == record.partition && at.topic == *record.topic);
                let position = Position { partition: partition.unwrap_or_default(), offset: record.offset };
                let first = replay_of(record);
                for (place, mut event) in events.into_iter().enumerate() {
                    if let (Some(first), None) = (first, &event.id) {
                        // A letter may be sent back twice, where a replay was cut off before it noted that.
                        event.id = Some(format!("dead letter {first} {place}").into());
                    }
                    self.batch.events.push(event);
                    self.batch.positions.push(position);
                    self.sources.push(record);
                }
            }
            Change::Item(item, data) => {
                self.batch.items.push(ItemChange { item, data });
                self.others.push(record);
            }
            Change::Erased(user) => {
                self.batch.erased.push(user);
                self.others.push(record);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::kafka::codec::change::CHANGE;

    fn record(offset: i64, change: &str, value: &str) -> Record {
        let headers = vec![(CHANGE.to_owned(), change.as_bytes().to_vec())];
        let (topic, payload) = (Arc::from("events"), Some(value.as_bytes().to_vec()));
        Record { topic, partition: 1, offset, timestamp_ms: None, key: None, payload, headers }
    }

    #[test]
    fn an_erasure_stands_between_what_came_before_and_after() {
        let event = r#"{"user":"u","item":"i"}"#;
        let records = [
            record(0, "event", event),
            record(1, "item", r#"{"item":"i","data":null}"#),
            record(2, "erase", r#"{"user":"u"}"#),
            record(3, "erase", r#"{"user":"v"}"#),
            record(4, "event", "no json"),
            record(5, "event", event),
        ];
        let parts = of(&records, WireFormat::Auto, 1_800_000_000_000);
        let shape = |part: &Part<'_>| {
            let batch = &part.batch;
            (batch.events.len(), batch.items.len(), batch.erased.len(), part.unreadable.len(), batch.offsets[0].next)
        };
        let shapes: Vec<_> = parts.iter().map(shape).collect();
        assert_eq!(shapes, [(1, 1, 0, 0, 2), (0, 0, 1, 0, 3), (0, 0, 1, 0, 4), (1, 0, 0, 1, 6)]);
        assert_eq!(parts.iter().map(|part| part.end).collect::<Vec<_>>(), [2, 3, 4, 6]);
        assert_eq!(of(&records[2..3], WireFormat::Auto, 0).len(), 1);
        assert_eq!(of(&[], WireFormat::Auto, 0).len(), 1);
    }
}
