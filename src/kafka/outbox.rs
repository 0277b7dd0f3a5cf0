//! What a poll thread has read and not yet handed on, and when it has to pause.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::record::{Record, RecordBatch};
use super::status::Times;
use crate::model::manifest::PartitionOffset;

/// Bytes that make a batch full, whatever the number of its records.
const BATCH_BYTES: usize = 4 << 20;

/// The longest poll.
const POLL: Duration = Duration::from_millis(50);

/// The poll while records wait for room in the channel.
const POLL_WAITING: Duration = Duration::from_millis(10);

/// How long a whole batch waits for room before the stream is paused. Pausing throws away what the client has read ahead,
/// and fetching begins anew: a reader that is merely slower than the broker must not be paused again and again.
const ROOM: Duration = Duration::from_millis(500);

/// How often room is looked for meanwhile.
const LOOK: Duration = Duration::from_millis(1);

/// Longest wait for a seek's own answer.
const SEEK: Duration = Duration::from_secs(1);

/// Whether the reader still reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// It does.
    There,
    /// It dropped its end.
    Gone,
}

/// Records between the client and the channel.
pub(crate) struct Outbox {
    sender: mpsc::Sender<RecordBatch>,
    limit: usize,
    pending: Vec<Record>,
    bytes: usize,
    begins: Vec<PartitionOffset>,
    next: BTreeMap<i32, i64>,
    /// The time of the record of each partition that was taken last.
    times: BTreeMap<i32, i64>,
    paused: bool,
}

impl Outbox {
    /// Batches of at most `limit` records for a channel.
    pub(crate) fn new(sender: mpsc::Sender<RecordBatch>, limit: usize) -> Self {
        let (limit, next, times) = (limit.max(1), BTreeMap::new(), BTreeMap::new());
        Self { sender, limit, pending: Vec::new(), bytes: 0, begins: Vec::new(), next, times, paused: false }
    }

    /// The next offset that is wanted of each partition of which anything is known.
    pub(crate) fn next(&self) -> &BTreeMap<i32, i64> {
        &self.next
    }

    /// Where a partition goes on, as the reader knows.
    pub(crate) fn go_on(&mut self, partition: i32, next: i64) {
        self.next.insert(partition, next);
    }

    /// Where a partition begins, which the reader is told. Nothing of it may wait here.
    pub(crate) fn begin(&mut self, at: PartitionOffset) {
        self.next.insert(at.partition, at.next);
        self.begins.push(at);
    }

    /// The times of what was taken, and of what waits.
    pub(crate) fn times(&self) -> Times {
        let mut waiting = BTreeMap::new();
        for record in &self.pending {
            if let Some(time) = record.timestamp_ms {
                waiting.entry(record.partition).or_insert(time);
            }
        }
        Times { read: self.times.clone(), waiting }
    }

    /// Keeps only what belongs to these partitions.
    pub(crate) fn retain(&mut self, held: impl Fn(i32) -> bool) {
        self.next.retain(|&partition, _| held(partition));
        self.times.retain(|&partition, _| held(partition));
        self.pending.retain(|record| held(record.partition));
        self.bytes = self.pending.iter().map(Record::bytes).sum();
    }

    /// Takes a record in. One that was handed on already (read again after a seek) is dropped.
    pub(crate) fn take(&mut self, record: Record) {
        let next = self.next.entry(record.partition).or_insert(record.offset);
        if record.offset < *next {
            return;
        }
        *next = record.offset + 1;
        if let Some(time) = record.timestamp_ms {
            self.times.insert(record.partition, time);
        }
        self.bytes += record.bytes();
        self.pending.push(record);
    }

    /// Whether a batch is complete.
    pub(crate) fn full(&self) -> bool {
        self.pending.len() >= self.limit || self.bytes >= BATCH_BYTES
    }

    /// Whether nothing waits.
    pub(crate) fn empty(&self) -> bool {
        self.pending.is_empty() && self.begins.is_empty()
    }

    /// How long the next poll may take.
    pub(crate) fn patience(&self) -> Duration {
        match () {
            () if self.empty() || self.paused => POLL,
            // What waits goes as soon as the client has nothing more at hand.
            () if self.sender.capacity() > 0 => Duration::ZERO,
            () => POLL_WAITING,
        }
    }

    /// Hands on a batch of what waits if the channel has room. `note` sees the batch before the reader can.
    pub(crate) fn offer(&mut self, epoch: u64, note: impl FnOnce(&[Record])) -> Reader {
        if self.empty() {
            return if self.sender.is_closed() { Reader::Gone } else { Reader::There };
        }
        match self.sender.try_reserve() {
            Ok(permit) => {
                // More than a batch waits where room came between an offer and the look whether to pause.
                let rest = self.pending.split_off(self.limit.min(self.pending.len()));
                self.bytes = rest.iter().map(Record::bytes).sum();
                let (records, begins) = (std::mem::replace(&mut self.pending, rest), std::mem::take(&mut self.begins));
                note(&records);
                permit.send(RecordBatch { records, epoch, begins });
                Reader::There
            }
            Err(TrySendError::Full(())) => Reader::There,
            Err(TrySendError::Closed(())) => Reader::Gone,
        }
    }

    /// Pauses the consumer when a whole batch has waited for room for long, and resumes it when half of the channel is free
    /// again. Answers whether that changed.
    pub(crate) fn govern<C: ConsumerContext>(&mut self, consumer: &BaseConsumer<C>, topic: &str) -> bool {
        if !self.paused && self.full() && !self.room() {
            self.paused = true;
            self.pause(consumer);
            return true;
        }
        let free = self.sender.capacity() * 2 >= self.sender.max_capacity();
        if self.paused && self.empty() && free {
            self.paused = false;
            self.resume(consumer, topic);
            return true;
        }
        false
    }

    /// Whether the channel has room, or soon has.
    fn room(&self) -> bool {
        let until = Instant::now() + ROOM;
        while self.sender.capacity() == 0 {
            if self.sender.is_closed() || Instant::now() >= until {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        true
    }

    /// Whether the reader dropped its end.
    pub(crate) fn deserted(&self) -> bool {
        self.sender.is_closed()
    }

    /// Whether the stream is paused.
    pub(crate) fn paused(&self) -> bool {
        self.paused
    }

    /// Pauses every partition of the assignment, also those that came after the pause.
    pub(crate) fn pause<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>) {
        let done = consumer.assignment().and_then(|assigned| consumer.pause(&assigned));
        if let Err(error) = done {
            tracing::warn!(%error, "a stream could not be paused");
        }
    }

    /// Pausing threw away what the client had read ahead, so each partition goes on exactly where the last record was
    /// taken. A partition that cannot be sought has not begun, and begins where it was told to.
    fn resume<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>, topic: &str) {
        let done = consumer.assignment().and_then(|assigned| {
            let mut wanted = TopicPartitionList::new();
            for at in assigned.elements() {
                if let Some(&next) = self.next.get(&at.partition()) {
                    wanted.add_partition_offset(topic, at.partition(), Offset::Offset(next))?;
                }
            }
            if wanted.count() > 0
                && let Err(error) = consumer.seek_partitions(wanted, SEEK)
            {
                tracing::debug!(%error, "the client resumes at its own position");
            }
            consumer.resume(&assigned)
        });
        if let Err(error) = done {
            tracing::warn!(%error, "a stream could not be resumed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn record(partition: i32, offset: i64) -> Record {
        let topic = Arc::from("events");
        Record {
            topic,
            partition,
            offset,
            timestamp_ms: None,
            key: None,
            payload: Some(vec![0; 8]),
            headers: Vec::new(),
        }
    }

    #[test]
    fn what_was_taken_once_is_not_taken_again() {
        let (sender, mut batches) = mpsc::channel(1);
        let mut outbox = Outbox::new(sender, 10);
        for offset in [3, 4, 3, 4, 5] {
            outbox.take(record(0, offset));
        }
        assert_eq!(outbox.offer(7, |records| assert_eq!(records.len(), 3)), Reader::There);
        let batch = batches.try_recv().unwrap();
        assert_eq!(batch.records.iter().map(|record| record.offset).collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!((batch.epoch, outbox.next()[&0]), (7, 6));
    }

    #[test]
    fn a_full_channel_keeps_records_and_a_gone_reader_is_noticed() {
        let (sender, batches) = mpsc::channel(1);
        let mut outbox = Outbox::new(sender, 2);
        outbox.take(record(0, 0));
        assert_eq!(outbox.offer(1, |_| ()), Reader::There);
        outbox.take(record(0, 1));
        outbox.take(record(1, 9));
        assert_eq!(outbox.offer(1, |_| panic!("the channel is full")), Reader::There);
        assert!(outbox.full());
        outbox.retain(|partition| partition == 1);
        assert_eq!((outbox.pending.len(), outbox.full()), (1, false));
        drop(batches);
        assert_eq!(outbox.offer(1, |_| panic!("nobody reads")), Reader::Gone);
    }

    #[test]
    fn large_records_fill_a_batch_before_their_number_does() {
        let (sender, _batches) = mpsc::channel(1);
        let mut outbox = Outbox::new(sender, 1000);
        for offset in 0..4 {
            assert!(!outbox.full());
            outbox.take(Record { payload: Some(vec![0; 1 << 20]), ..record(0, offset) });
        }
        assert!(outbox.full());
    }
}
