//! Records as streams hand them on, owned.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Headers, Message};

use crate::model::manifest::PartitionOffset;

/// One record with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number.
    pub partition: i32,
    /// Its offset in the partition.
    pub offset: i64,
    /// The producer's or the broker's time, milliseconds of the epoch.
    pub timestamp_ms: Option<i64>,
    /// The key; none and empty are different things.
    pub key: Option<Vec<u8>>,
    /// The value; none is a tombstone.
    pub payload: Option<Vec<u8>>,
    /// The headers in order; a header without a value has an empty one.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// Records read together. Those of one partition are in the order of their offsets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordBatch {
    /// The records.
    pub records: Vec<Record>,
    /// The assignment under which they were read; counts up with each change of it.
    pub epoch: u64,
    /// Partitions that begin at `next` with this batch, whatever was remembered of their offsets: at a first start that is
    /// not from the earliest record, and after a stored offset that the broker no longer, or not yet, has. To be stored
    /// like offsets that are reached, before the records of the batch.
    pub begins: Vec<PartitionOffset>,
}

impl Record {
    /// Copies a message out of the client's memory.
    pub(crate) fn copy(topic: &Arc<str>, message: &BorrowedMessage<'_>) -> Self {
        Self {
            topic: Arc::clone(topic),
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            payload: message.payload().map(<[u8]>::to_vec),
            headers: message.headers().map(copy_headers).unwrap_or_default(),
        }
    }

    /// The last header of that name, as Kafka's own clients read it.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_slice())
    }

    /// Its place in one line: `topic/partition/offset`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}/{}/{}", self.topic, self.partition, self.offset)
    }

    /// The offset that is reached once this record is done with.
    #[must_use]
    pub fn next(&self) -> PartitionOffset {
        PartitionOffset { topic: self.topic.to_string(), partition: self.partition, next: self.offset + 1 }
    }

    /// Bytes of key, value and headers.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let length = |part: &Option<Vec<u8>>| part.as_ref().map_or(0, Vec::len);
        let headers: usize = self.headers.iter().map(|(key, value)| key.len() + value.len()).sum();
        length(&self.key) + length(&self.payload) + headers
    }
}

impl RecordBatch {
    /// The offsets that are reached once the whole batch is done with, one for each partition in it.
    #[must_use]
    pub fn offsets(&self) -> Vec<PartitionOffset> {
        Self::offsets_of(&self.records)
    }

    /// The same of some records.
    #[must_use]
    pub fn offsets_of(records: &[Record]) -> Vec<PartitionOffset> {
        let mut reached: Vec<PartitionOffset> = Vec::new();
        for record in records {
            let same =
                |known: &&mut PartitionOffset| known.partition == record.partition && *known.topic == *record.topic;
            match reached.iter_mut().find(same) {
                Some(known) => known.next = known.next.max(record.offset + 1),
                None => reached.push(record.next()),
            }
        }
        reached
    }
}

/// The client library panics at a header whose name is not UTF-8; such a header is left out, so that the record itself can
/// still be judged.
fn copy_headers(headers: &BorrowedHeaders) -> Vec<(String, Vec<u8>)> {
    (0..headers.count())
        .filter_map(|at| {
            let header = catch_unwind(AssertUnwindSafe(|| headers.try_get(at))).ok().flatten()?;
            Some((header.key.to_owned(), header.value.unwrap_or_default().to_vec()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(partition: i32, offset: i64) -> Record {
        let topic = Arc::from("events");
        Record { topic, partition, offset, timestamp_ms: None, key: None, payload: None, headers: Vec::new() }
    }

    #[test]
    fn a_batch_reaches_one_past_its_last_record_of_each_partition() {
        let records = vec![record(0, 4), record(1, 9), record(0, 7)];
        let batch = RecordBatch { records, ..RecordBatch::default() };
        let reached: Vec<_> = batch.offsets().into_iter().map(|at| (at.partition, at.next)).collect();
        assert_eq!(reached, [(0, 8), (1, 10)]);
    }

    #[test]
    fn the_last_header_of_a_name_counts() {
        let mut read = record(2, 3);
        read.headers = vec![("a".into(), b"1".to_vec()), ("a".into(), b"2".to_vec())];
        assert_eq!(read.header("a"), Some(b"2".as_slice()));
        assert_eq!(read.header("b"), None);
        assert_eq!(read.place(), "events/2/3");
    }
}
